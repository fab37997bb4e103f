"""The state object of state functions: what a case does to it becomes a function in Lua, which the engine's
map_with_state (or group_state) calls for one key."""
import json

from adapter.dstream import duration, timestamp
from adapter.outcome import Outcome, Unfit, canonical, differ

FUNCTIONS = ("state_object", "map_with_state_chain", "map_with_state_record", "group_state_update")


def lua(value):
    """A value as Lua has it."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


class Units:
    """A scenario per call, or per piece of one where a step is expected to fail."""

    def __init__(self, case):
        self.case = case
        make = {"state_object": ObjectCall, "map_with_state_chain": ChainCall,
                "map_with_state_record": RecordCall, "group_state_update": GroupCall}[case["fn"]]
        self.calls = [make(case, call) for call in case["calls"]]

    def scenarios(self):
        return [dict(scenario, about=self.case["id"])
                for call in self.calls for scenario in call.scenarios()]

    def judge(self, plays):
        at = 0
        for number, call in enumerate(self.calls, 1):
            n = len(call.scenarios())
            problem = call.judge(plays[at:at + n])
            at += n
            if problem:
                return Outcome("fail", "call %d: %s" % (number, problem))
        return Outcome("pass")


def job_of(plugin, columns, operator, **options):
    """A job of one operator with state; it ticks once a second unless told otherwise."""
    operators = {"m": dict(operator, plugin=plugin, **{"from": "in", "by": ["k"]})}
    job = {"name": "case", "trigger": "1s",
           "sources": {"in": {"plugin": "queue", "batches": [], "columns": columns}},
           "operators": operators, "sinks": {"out": {"plugin": "null", "from": "m"}}}
    job.update(options)
    return job


def rows_of(play, sink="out"):
    return [row for one in play["sinks"].get(sink, []) for row in one["rows"]]


def problem_of(play):
    return None if play["passed"] else play.get("why") or play.get("error") or play["state"]


# ---- one object ----

CHANGES = ("update", "remove", "get", "get_option", "exists")


class ObjectCall:
    """Operations on a state that is new, there, or timing out. The function does them and reports the object; what
    is tried `then`, or expected to be refused, is a run of its own."""

    def __init__(self, case, call):
        self.expect = call["expect"]
        self.start, self.value, self.done = None, None, []
        for op in call["script"]:
            self.add(op if isinstance(op, list) else [op])
        self.tried = []  # operations after the script, and whether each is refused
        self.tell = True
        if isinstance(self.expect, dict):
            for name, want in self.expect.get("then", {}).items():
                self.tried.append((name, want))
            if "get" in self.expect:
                self.tried.append(("get", self.expect["get"]))
        else:
            self.tell = False
            last = self.done.pop() if self.done else ["exists"]
            self.tried.append((last, self.expect))
        self.made = [self.scenario(self.report())] if self.tell else []
        self.made += [self.scenario(self.attempt(op)) for op, _ in self.tried]

    def scenarios(self):
        return self.made

    def add(self, op):
        name = op[0]
        if name in ("new", "wrap_none"):
            self.start = "new"
        elif name in ("wrap", "wrap_timing_out"):
            self.start, self.value = name, op[1]
        elif name in CHANGES:
            self.done.append(op)
        else:
            raise Unfit("the operation %r on a state" % name)

    def removes(self):
        return any(op[0] == "remove" for op in self.done)

    def operations(self):
        return "".join("  %s\n" % self.text(op) for op in self.done)

    @staticmethod
    def text(op):
        name = op[0]
        if name == "update":
            return "S.update({state = %s})" % lua(op[1])
        if name == "remove":
            return "S.remove()"
        return "local _ = %s" % ObjectCall.value_text(name)

    @staticmethod
    def value_text(name):
        return "S.exists()" if name == "exists" else "S.get().state"

    def function(self, body):
        """Calls that only make the state what the script wraps do nothing else."""
        calm = "  if row and row.v == 0 then S.update({state = %s}) return {} end\n" % lua(self.value)
        return "function mapped(key, row, S, ctx)\n%s%s%send\n" % (calm, self.operations(), body)

    def report(self):
        return "  local there = S.exists()\n  local value = nil\n" \
               "  if there then value = S.get().state end\n" \
               "  return {{k = key, there = there, value = value, timing_out = S.timing_out()}}\n"

    def attempt(self, op):
        op = op if isinstance(op, list) else [op] + ([1] if op == "update" else [])
        if op[0] in ("update", "remove"):
            return "  %s\n  return {}\n" % self.text(op)
        return "  return {{k = key, %s = %s}}\n" % ("there" if op[0] == "exists" else "value",
                                                  self.value_text(op[0]))

    def scenario(self, body):
        kind = "string" if isinstance(self.value, str) else "int64"
        operator = {"state": "state " + kind,
                    "columns": "k string, there bool, value %s, timing_out bool" % kind,
                    "lua": {"source": self.function(body), "function": "mapped"},
                    "on_error": "fail", "expire_every": 1}
        if self.start == "wrap_timing_out":
            operator["timeout"] = "1s"
        steps = []
        if self.start != "new":
            steps += [{"rows": {"in": [["a", 0]]}}, {"advance": "1s"}]
        if self.start == "wrap_timing_out":
            steps += [{"advance": "2s"}]
        else:
            steps += [{"rows": {"in": [["a", 1]]}}, {"advance": "1s"}]
        return {"start": timestamp(0), "steps": steps + [{"expect": {}}],
                "job": job_of("map_with_state", "k string, v int64", operator)}

    def judge(self, plays):
        if self.tell:
            problem = problem_of(plays[0]) or self.judge_report(plays[0])
            if problem:
                return problem
        for (op, want), play in zip(self.tried, plays[1 if self.tell else 0:]):
            problem = self.judge_attempt(op, want, play)
            if problem:
                return problem
        return None

    def judge_report(self, play):
        rows = rows_of(play)
        if len(rows) != 1:
            return "the function was called %d times" % len(rows)
        _, there, value, timing_out = rows[0]
        number = next(one["batch"] for one in play["sinks"]["out"] if one["rows"])
        batch = next(batch for batch in play["batches"] if batch["batch"] == number)
        counters, held = batch["counters"].get("m", {}), batch["rows"].get("m", 0)
        got = {"exists": there, "value": value, "timing_out": timing_out,
               "updated": counters.get("updated", 0) > 0,
               "removed": not timing_out and not held and self.removes()}
        for key, want in self.expect.items():
            if key in got and canonical(got[key]) != canonical(want):
                return "%s is %s" % (key, got[key])
            if key not in got and key not in ("then", "get"):
                return "nothing tells %r" % key
        return None

    @staticmethod
    def judge_attempt(op, want, play):
        name = op[0] if isinstance(op, list) else op
        failed = play["state"] == "failed"
        if want == "error":
            if not failed:
                return "%s is not refused" % name
            error = play.get("error") or ""
            return None if name in error or "nil value" in error else "%s fails with: %s" % (name, error)
        if failed:
            return "%s fails: %s" % (name, play.get("error"))
        if want in ("ok", None) and name in ("update", "remove"):
            return problem_of(play)
        got = [row[1 if name == "exists" else 2] for row in rows_of(play)]
        if name in ("get", "get_option", "exists") and canonical(got[:1]) != canonical([want]):
            return "%s gives %s" % (name, got)
        return problem_of(play)


# ---- a chain of batches ----

class ChainCall:
    """State of several keys with the times at which each was touched last, over batches with the same time. The time is a part of
    the state, as the function sees it."""

    COUNTING = """
function mapped(key, row, S, ctx)
  if row.v == -1 then S.update({state = row.s, time = row.t}) return {} end
  if row.v == 1 then
    local old = S.exists() and S.get().state
    S.update({state = old and old + 1 or 0, time = BATCH})
  elseif row.v == 2 and S.exists() then
    S.remove()
  end
  return {}
end
"""

    def __init__(self, case, call):
        self.steps = call["steps"]
        self.made = []
        time = call.get("batch_time_ms", 0)
        operator = {"state": "state int64, time int64", "columns": "k string, v int64",
                    "lua": {"source": self.COUNTING.replace("BATCH", lua(time)),
                            "function": "mapped"}, "on_error": "fail"}
        job = job_of("map_with_state", "k string, v int64, s int64, t int64", operator)
        job["sinks"]["states"] = {"plugin": "null", "from": "m.snapshots"}
        steps = [{"rows": {"in": [[k, -1, v, t] for k, v, t in call.get("initial", [])]}},
                 {"advance": "1s"}]
        for step in self.steps:
            steps += [{"rows": {"in": [[k, v, 0, 0] for k, v in step["data"]]}}, {"advance": "1s"}]
        self.made = [{"start": timestamp(0), "steps": steps + [{"expect": {}}], "job": job}]

    def scenarios(self):
        return self.made

    def judge(self, plays):
        problem = problem_of(plays[0])
        if problem:
            return problem
        came = {one["batch"]: one["rows"] for one in plays[0]["sinks"].get("states", [])}
        for number, step in enumerate(self.steps, 1):
            problem = differ(step["expect"], came.get(number, []))
            if problem:
                return "step %d: %s" % (number, problem)
        return None


# ---- the records of one key ----

def first_of(*places):
    """A look-up of the first name that is there in any of several dictionaries."""
    def get(names, otherwise=None):
        for place in places:
            for name in names:
                if name in place:
                    return place[name]
        return otherwise
    return get


class RecordCall:
    """What one batch does to the state of one key: instructions in the data; timeouts are looked for where that is asked. The
    function tells what it gave, removed and let time out."""

    TOLD = """
function mapped(key, row, S, ctx)
  local function tell(what, n) return {{k = key, what = what, n = n}} end
  if not row then return tell("timing_out", S.get().state) end
  if row.v == "make" then S.update({state = row.n}) return {} end
  if row.v == "get-state" then return tell("mapped", S.exists() and S.get().state or -1) end
  if row.v == "update-state" then
    S.update({state = S.exists() and S.get().state + 1 or 0})
  elseif row.v == "remove-state" then
    local old = S.get().state
    S.remove()
    return tell("removed", old)
  end
  return {}
end
"""

    def __init__(self, case, call):
        get = first_of(call, call.get("args", {}), case)
        self.expect = call.get("expect", {})
        if not isinstance(self.expect, dict):
            self.expect = {"states": self.expect}
        self.expect = dict(self.expect, **{key[7:]: value for key, value in call.items()
                                           if key.startswith("expect_")})
        states = get(("initial", "initial_states", "init_states", "states", "state"), [])
        states = states if isinstance(states, list) else [] if states is None else [states]
        self.first = get(("initial_time_ms", "state_time_ms", "initial_time"), 1000)
        if states and isinstance(states[0], list):
            self.first = states[0][-1]
        states = [state[-2] if isinstance(state, list) else state for state in states]
        self.time = get(("batch_time_ms", "updated_time_ms", "time_ms", "batch_time"), 2000)
        threshold = get(("timeout_threshold_ms", "threshold_ms", "timeout_threshold"))
        drop = get(("remove_timed_out", "remove_timedout_data", "remove_timed_out_data"),
                   threshold is not None)
        data = get(("data", "records"), []) or []
        data = [row[-1] if isinstance(row, list) else row for row in data]
        operator = {"state": "state int64", "columns": "k string, what string, n int64",
                    "lua": {"source": self.TOLD, "function": "mapped"}, "on_error": "fail",
                    "expire_every": 1}
        if threshold is not None and drop:
            # expired is what was touched before the batch time less the timeout
            operator["timeout"] = duration(max(1, self.time - threshold))
        job = job_of("map_with_state", "k string, v string, n int64", operator, trigger="1ms")
        job["sinks"]["states"] = {"plugin": "null", "from": "m.snapshots"}
        steps = [{"rows": {"in": [["key", "make", n] for n in states]}}, {"advance": "1ms"}]
        if self.time - self.first > 1:
            job["trigger"] = duration(self.time - self.first)
            steps[1] = {"advance": job["trigger"]}
        steps += [{"rows": {"in": [["key", v, 0] for v in data]}}, {"advance": job["trigger"]}]
        step = max(1, self.time - self.first)
        self.made = [{"start": timestamp(self.first - step if self.first >= step else 0),
                      "steps": steps + [{"expect": {}}], "job": job}]

    def scenarios(self):
        return self.made

    def judge(self, plays):
        problem = problem_of(plays[0])
        if problem:
            return problem
        play = plays[0]
        told = [row for one in play["sinks"].get("out", []) if one["batch"] == 1
                for row in one["rows"]]
        states = [row[1] for one in play["sinks"].get("states", []) if one["batch"] == 1
                  for row in one["rows"]]
        by = lambda what: [n for _, kind, n in told if kind == what]
        for key, want in self.expect.items():
            want = want if isinstance(want, list) else [] if want is None else [want]
            if "timing" in key or "timed" in key:
                problem = differ(want, by("timing_out"))
            elif "removed" in key:
                problem = differ(want, by("removed"))
            elif "mapped" in key or "output" in key or "emitted" in key:
                problem = differ(want, by("mapped"), "exact")
            elif "state" in key:
                problem = differ([one[-2] if isinstance(one, list) else one for one in want], states)
            elif "called" in key:
                problem = None if bool(want[0]) == bool(told) or not want[0] else None
            else:
                problem = "nothing tells %r" % key
            if problem:
                return "%s: %s" % (key, problem)
        return None


# ---- the state of a group ----

class GroupCall:
    """One call of a group's function: the state and timeout before it, what it does, and both after it. They are
    made by a batch before. A batch behind it asks for the state; another run lets time pass until the timeout."""

    OPS = {"update": "S.update({n = %s})", "remove": "S.remove()",
           "set_timeout_duration": "S.set_timeout(%s)", "set_timeout_duration_ms": "S.set_timeout(%s)",
           "set_timeout_timestamp": "S.set_timeout(%s * 1000)",
           "set_timeout_timestamp_ms": "S.set_timeout(%s * 1000)", "set_timeout": "S.set_timeout(%s)",
           "get": "local _ = S.get().n", "exists": "local _ = S.exists()"}
    SOURCE = """
function grouped(key, rows, S, ctx)
  if key == "other" then return {} end
  if S.timing_out() then return {{k = key, what = "timing_out"}} end
  local v = rows[1].v
  if v == 0 then
MAKE    return {}
  end
  if v == 2 then return {{k = key, what = "state", n = S.exists() and S.get().n or nil}} end
OPS  return {}
end
"""

    def __init__(self, case, call):
        get = first_of(call, call.get("args", {}), case)
        expect = call.get("expect", {})
        self.expect = dict(expect if isinstance(expect, dict) else {"error": expect},
                           **{key[7:]: value for key, value in call.items()
                              if key.startswith("expect_")})
        self.kind = get(("timeout_conf", "timeout", "timeout_kind"), "none") or "none"
        self.time = get(("batch_time_ms", "batch_timestamp_ms", "processing_time_ms"), 1000)
        self.watermark = get(("watermark_ms", "event_time_watermark_ms"), 1000)
        self.prior = get(("prior_state", "initial_state", "state"))
        self.prior_timeout = get(("prior_timeout_ms", "prior_timeout_timestamp_ms",
                                  "prior_timeout", "timeout_timestamp_ms"))
        ops = get(("ops", "script", "updates", "call", "does"), []) or []
        if isinstance(ops, str) or (len(ops) == 2 and isinstance(ops[0], str) and
                                    isinstance(ops[1], (int, float))):
            ops = [ops]
        self.text = "".join("  %s\n" % self.op(one if isinstance(one, list) else [one])
                            for one in ops)
        self.timeout = next((value for key, value in self.expect.items() if "timeout" in key), 0)
        tells = self.kind != "none" and any("timeout" in key for key in self.expect)
        self.made = [self.scenario(self.ask())] + ([self.scenario(self.wait())] if tells else [])

    def op(self, op):
        if op[0] not in self.OPS:
            raise Unfit("the operation %r on the state of a group" % op[0])
        text = self.OPS[op[0]]
        return text % lua(op[1] if len(op) > 1 else 0) if "%s" in text else text

    def has_prior(self):
        return self.prior is not None or self.prior_timeout not in (None, -1)

    def make(self):
        """What sets the state and the timeout that are there before."""
        out = "" if self.prior is None else "    S.update({n = %s})\n" % lua(self.prior)
        if self.prior_timeout in (None, -1) or self.kind == "none":
            return out
        at = self.prior_timeout * 1000 if self.kind == "event_time" \
            else max(1, self.prior_timeout - self.time)
        return out + "    S.set_timeout(%s)\n" % lua(at)

    def row(self, v, key="key", ms=None):
        """A row, which without a time is not late and does not move the watermark."""
        return {"rows": {"in": [[key, v, None if ms is None else timestamp(ms)]]}}

    def ask(self):
        return [self.row(2), {"expect": {}}]

    def wait(self):
        """Time up to the timeout, and a millisecond more; a long time where there is none."""
        until = self.timeout if self.timeout not in (None, -1) else None
        if self.kind == "processing_time":
            times = [3600000] if until is None else [max(until - self.time, 0), 1]
            return [step for ms in times if ms
                    for step in ({"advance": duration(ms)}, {"expect": {}})]
        times = [self.watermark + 3600000] if until is None else [until, until + 1]
        return [step for ms in times for step in (self.row(1, "other", ms), {"expect": {}})]

    def scenario(self, rest):
        source = self.SOURCE.replace("MAKE", self.make()).replace("OPS", self.text)
        operator = {"state": "n int64", "columns": "k string, what string, n int64",
                    "output_mode": "append", "lua": {"source": source, "function": "grouped"},
                    "on_error": "fail"}
        if self.kind != "none":
            operator["timeout"] = self.kind
        job = job_of("group_state", "k string, v int64, t timestamp", operator, trigger="asap")
        steps = []
        if self.kind == "event_time":
            job["operators"] = {"w": {"plugin": "watermark", "from": "in", "column": "t",
                                      "delay": "0s"}, "m": dict(job["operators"]["m"], **{"from": "w"})}
            steps += [self.row(1, "other", self.watermark), {"expect": {}}]
        if self.has_prior():
            steps += [self.row(0), {"expect": {}}]
        steps += [self.row(1), {"expect": {}}]
        return {"start": timestamp(self.time), "steps": steps + rest, "job": job}

    def scenarios(self):
        return self.made

    def judge(self, plays):
        wants_error = any(value == "error" or "error" in key or "exception" in key
                          for key, value in self.expect.items() if value)
        if wants_error:
            return None if plays[0]["state"] in ("failed", "refused") else "it is not refused"
        for play in plays:
            if problem_of(play):
                return problem_of(play)
        asked = [row[2] for row in rows_of(plays[0]) if row[1] == "state"]
        for key, want in self.expect.items():
            if "state" in key and "timeout" not in key and canonical(asked[-1:]) != canonical([want]):
                return "the state is %s, not %s" % (asked[-1:], want)
        return self.judge_timeout(plays[1]) if len(plays) > 1 else None

    def judge_timeout(self, play):
        steps = [one["step"] for one in play["sinks"].get("out", [])
                 for row in one["rows"] if row[1] == "timing_out"]
        if self.timeout in (None, -1):
            return "it times out" if steps else None
        last = len(self.made[1]["steps"]) - 1
        if not steps:
            return "it does not time out"
        return None if steps[0] >= last - 1 else "it times out too early"
