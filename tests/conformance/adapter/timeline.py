"""Cases of files that appear while the clock goes on."""
import base64

from adapter.dstream import Builder, Run, binary, binary_rows, duration, timestamp
from adapter.outcome import Outcome, Unfit, differ
from adapter.values import unflatten


class Timeline(Run):
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
        self.n = case.get("run_batches", 0)
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
                folders.append(spec["dir"].rstrip("/"))
            for folder in folders:
                self.put("%s/.there" % folder, "", 0)
            for file in spec.get("initial_files") or []:
                self.put_file(self.path_of(file["name"]), dict({"mtime_ms": 0}, **file))
        self.steps.append({"expect": {}})

    def rename(self, old, new):
        """A file, or all files of a folder: they keep their times."""
        for path, file in list(self.there.items()):
            if path == old or path.startswith(old + "/"):
                moved = new + path[len(old):]
                self.there[moved] = self.there.pop(path)
                self.steps.append({"files": {moved: file, path: None}})

    def path_of(self, name):
        """Where a file of the input lies: in its folder; where that is a pattern, below what comes before it."""
        if "*" not in self.folder:
            return "%s/%s" % (self.folder, name)
        root = self.folder[:self.folder.index("*")].rpartition("/")[0]
        return name if not root or name.startswith(root + "/") else "%s/%s" % (root, name)

    def put(self, path, content, mtime):
        kind = "text" if isinstance(content, str) else "base64"
        if kind == "base64":
            content = base64.b64encode(bytes(byte % 256 for byte in content)).decode("ascii")
        self.there[path] = {kind: content, "mtime": timestamp(mtime)}
        self.steps.append({"files": {path: self.there[path]}})

    def put_file(self, path, file):
        self.put(path, file.get("text", file.get("bytes", "")), file.get("mtime_ms", self.now))

    def add(self, event):
        if "write" in event:
            self.put_file(self.path_of(event["write"]["name"]), event["write"])
        elif "write_elsewhere" in event:
            self.put_file(event["write_elsewhere"]["path"], event["write_elsewhere"])
        elif "rename" in event:
            self.rename(event["rename"]["from"], event["rename"]["to"])
        elif "mkdir" in event:
            self.put("%s/.there" % event["mkdir"], "", 0)
        elif "delete" in event:
            self.there.pop(event["delete"], None)
            self.steps.append({"files": {event["delete"]: None}})
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
        """It strikes when the last batch before it is done, if there was one, and the rest of that time passes while
        nothing runs; where a batch hangs it has struck already."""
        done = (self.now - self.zero()) // self.builder.batch_ms
        at = len(self.steps) - 1
        time = self.now
        while at >= 0 and not self.blocked and done > 0:
            if "advance" in self.steps[at]:
                time -= int(self.steps[at]["advance"][:-2])
                if time < self.zero() + done * self.builder.batch_ms:
                    self.steps.insert(at, {"crash": "after commit %d" % (done - 1)})
                    break
            at -= 1
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
            rows = [unflatten(tree, list(row)) for row in emission["rows"]]
            came[str(at)] = binary_rows(rows) if binary(tree) else rows
        if binary(tree):
            case = self.case = dict(case)
            for key in ("expect_total_in_order", "expect_distinct_outputs"):
                if key in case:
                    case[key] = [as_bytes(row) for row in case[key]]
        problems = self.differences(came)
        rows = [row for batch in came.values() for row in batch]
        problems += self.judge_run(rows, len(came))
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
            if binary(self.builder.streams[self.builder.last].tree):
                rows = [as_bytes(row) for row in rows]
            problem = differ(rows, came[at], self.case.get("order", "any"))
            if problem:
                problems.append("at %s: %s" % (at, problem))
        return problems


def as_bytes(row):
    """A record as the list of its bytes, however the case writes it."""
    if isinstance(row, str):
        return list(row.encode("latin-1"))
    return [byte % 256 for byte in (row if isinstance(row, list) else [row])]
