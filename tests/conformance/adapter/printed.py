"""Cases of what the console shows: a real run, since a scenario stands in for sinks."""
import json
import os

from adapter.outcome import Outcome
from adapter.structured import Query


class Printed:
    """The rows of the steps as batches of a queue, until it is empty."""

    def __init__(self, case, engine):
        self.case = case
        query = Query(case)
        job = query.job
        job["trigger"] = "available_now"
        for name in case["inputs"]:
            job["sources"][name]["batches"] = [step["add"][name] for step in case["steps"]
                                               if name in step.get("add", {})]
        path = os.path.join(engine.folder, case["id"].replace("/", "-") + ".printed.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(job, file, indent=1)
        self.status, self.out, self.errors = engine.call(["run", path])

    def scenarios(self):
        return []

    def judge(self, plays):
        if self.status != 0:
            return Outcome("fail", "exit status %d: %s" % (self.status, self.errors))
        lines = [line for line in self.out.splitlines() if line.strip()]
        wanted = self.case.get("expect_stdout_lines")
        if wanted is not None and lines != [line for line in wanted if line.strip()]:
            return Outcome("fail", "it printed %r" % lines)
        contains = self.case.get("expect_stdout_contains", [])
        for text in [contains] if isinstance(contains, str) else contains:
            if text not in self.out:
                return Outcome("fail", "it did not print %r" % text)
        return Outcome("pass")
