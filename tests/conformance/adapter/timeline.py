"""Cases of files that appear while the clock goes on."""
from adapter.dstream import Builder, duration, timestamp, unique
from adapter.outcome import Outcome, Unfit, differ
from adapter.values import unflatten


class Timeline:
    """Files and moments in order; a kill strikes while a batch is under way."""

    def __init__(self, case):
        self.case = case
        self.builder = Builder(case)
        self.sink = self.builder.watch(self.builder.last)
        self.now = case.get("clock_start_ms", 0)
        self.blocked = False  # a batch hangs: nothing runs until the kill
        self.steps = []
        self.there = {}  # files by path
        self.folder = next(iter(case["inputs"].values())).get("dir", "").rstrip("/")
        self.begin()
        for event in case["timeline"]:
            self.add(event)
        self.steps.append({"expect": {}})
        self.scenario = {"about": case["id"], "start": timestamp(case.get("clock_start_ms", 0)),
                         "real": self.builder.real, "job": self.builder.finished(),
                         "steps": self.steps}

    def begin(self):
        """Folders are there by a hidden file in each; files that were there before the start."""
        for spec in self.case["inputs"].values():
            folders = list(spec.get("mkdirs", []))
            if "*" not in spec.get("dir", "*"):
                folders.append(spec["dir"])
            for folder in folders:
                self.put("%s/.there" % folder, "", 0)
            for file in spec.get("initial_files") or []:
                self.put("%s/%s" % (self.folder, file["name"]), file.get("text", ""),
                         file.get("mtime_ms", 0))
        self.steps.append({"expect": {}})

    def rename(self, old, new):
        """A file, or all files of a folder: they keep their times."""
        for path, file in list(self.there.items()):
            if path == old or path.startswith(old + "/"):
                moved = new + path[len(old):]
                self.there[moved] = self.there.pop(path)
                self.steps.append({"files": {moved: file, path: None}})

    def put(self, path, text, mtime):
        self.there[path] = {"text": text, "mtime": timestamp(mtime)}
        self.steps.append({"files": {path: {"text": text, "mtime": timestamp(mtime)}}})

    def add(self, event):
        if "write" in event:
            file = event["write"]
            self.put("%s/%s" % (self.folder, file["name"]), file.get("text", file.get("bytes", "")),
                     file["mtime_ms"])
        elif "write_elsewhere" in event:
            file = event["write_elsewhere"]
            self.put(file["path"], file.get("text", ""), file["mtime_ms"])
        elif "rename" in event:
            self.rename(event["rename"]["from"], event["rename"]["to"])
        elif "kill" in event:
            self.kill()
        elif "restart_at_ms" in event:
            self.advance(event["restart_at_ms"], jump=True)
            self.blocked = False
            self.steps.append({"expect": {}})
        elif "advance_to_ms" in event:
            if "block_batch_ms" in event:
                number = (event["block_batch_ms"] - self.zero()) // self.builder.batch_ms - 1
                self.steps.append({"crash": "after plan %d" % number})
            self.advance(event["advance_to_ms"], jump=self.blocked)
            self.blocked = self.blocked or "block_batch_ms" in event
        else:
            raise Unfit("the event %r" % sorted(event))

    def kill(self):
        self.steps.append({"restart": {}})

    def advance(self, to, jump=False):
        """With `jump` nothing runs meanwhile."""
        if to > self.now:
            step = {"advance": duration(to - self.now)}
            self.steps.append(dict(step, jump=True) if jump else step)
        self.now = to

    def scenarios(self):
        return [self.scenario]

    def judge(self, plays):
        play, case = plays[0], self.case
        if not play["passed"]:
            return Outcome("fail", play.get("why") or play.get("error") or play["state"])
        tree = self.builder.streams[self.builder.last].tree
        came = {}
        for emission in play["sinks"].get(self.sink, []):
            at = (emission["batch"] + 1) * self.builder.batch_ms + self.zero()
            came[str(at)] = [unflatten(tree, list(row)) for row in emission["rows"]]
        problems = self.differences(came)
        if "expect_distinct_outputs" in case:
            rows = unique([row for batch in came.values() for row in batch])
            problem = differ(case["expect_distinct_outputs"], rows, "any")
            problems += [problem] if problem else []
        return Outcome("fail", "; ".join(problems[:3])) if problems else Outcome("pass")

    def zero(self):
        batch = self.builder.batch_ms
        return self.case.get("clock_start_ms", 0) // batch * batch

    def differences(self, came):
        wanted = {}
        for key, value in self.case.get("expect_by_time", {}).items():
            wanted.update(value if isinstance(value, dict) else {key: value})
        problems = []
        for at, rows in wanted.items():
            if at not in came:
                problems.append("no result at %s" % at)
                continue
            problem = differ(rows, came[at], self.case.get("order", "any"))
            if problem:
                problems.append("at %s: %s" % (at, problem))
        return problems
