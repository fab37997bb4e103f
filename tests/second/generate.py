"""Trials: a job drawn from chance, its input, and what the model says comes out."""
import chains
import model
from trial import JOINS, KEYS, STREAM_JOINS, THERE, Ticks, Trial, differ, seconds, some_workers, stamp


def trial(draw, only=None):
    """One trial of a kind."""
    kind = only or draw.choice(["ticking", "chain", "chain", "quiet", "joined"])
    return {"ticking": Ticking, "quiet": Quiet, "joined": TwoStreams,
            "chain": chains.Chains}[kind](draw)


class Ticking(Ticks):
    """Batches by the tick: operators per batch, windows over batches, state by key."""

    def __init__(self, draw):
        super().__init__(draw)
        made = self.steps(draw.random() < 0.25)
        for branch in draw.sample([one for one in BRANCHES if NEEDS.get(one, "count") in THERE],
                                  draw.randint(2, 5)):
            branch(self)
        parts = draw.randint(1, 4)
        source = {"plugin": "queue", "batches": [], "columns": "k string, v int64",
                  "partitions": parts}
        self.job = {"name": "trial", "trigger": "1s", "sources": {"a": source, "b": dict(source)},
                    "operators": dict(self.operators, beat={"plugin": "count", "from": "b"}),
                    "sinks": dict(self.sinks, beats={"plugin": "null", "from": "beat"})}
        self.scenario = {"workers": some_workers(draw), "job": self.job, "steps": made}

    def judge(self, play):
        for sink, expected in self.expected.items():
            came = {one["batch"]: one["rows"] for one in play["sinks"].get(sink, [])}
            for number, want in enumerate(expected):
                problem = differ("%s, batch %d" % (sink, number), want, came.get(number))
                if problem:
                    return problem
        return None

    def window(self):
        slide = self.draw.randint(1, 3)
        return slide * self.draw.randint(1, 3), slide

    def whole_a(self):
        """`a` without the batches in which it is absent, for operators that don't take that."""
        return [batch or [] for batch in self.a]


def has_absent(t):
    return any(batch is None for batch in t.a)


def branch_count(t):
    t.add("count", {"plugin": "count", "from": "b"}, model.per_batch(model.count)(t.b))


def branch_reduce(t):
    t.add("reduce", {"plugin": "reduce", "from": "a", "values": ["sum(v) as s", "max(v) as m"]},
          model.per_batch(model.reduced)(t.a))


def branch_count_by_value(t):
    t.add("cbv", {"plugin": "count_by_value", "from": "a", "column": "k"},
          model.per_batch(model.count_by_value)(t.a))


def branch_reduce_by_key(t):
    t.add("rbk", {"plugin": "reduce_by_key", "from": "a", "by": ["k"],
                  "values": ["sum(v) as s", "count(*) as n"]},
          model.per_batch(model.reduce_by_key)(t.a))


def branch_group_by_key(t):
    t.add("gbk", {"plugin": "group_by_key", "from": "a", "by": ["k"]},
          model.per_batch(model.group_by_key)(t.a))


def branch_filter(t):
    t.add("filter", {"plugin": "filter", "from": "a", "where": "v > 1"},
          model.per_batch(lambda batch: [list(r) for r in batch if r[1] is not None and r[1] > 1])
          (t.a))


def branch_union(t):
    if has_absent(t):
        return
    t.add("union", {"plugin": "union", "from": ["a", "b"]},
          [[list(row) for row in x + y] for x, y in zip(t.a, t.b)])


def branch_join(t):
    if has_absent(t):
        return
    kind = t.draw.choice(JOINS)
    t.add("join_" + kind, {"plugin": "join", "scope": "batch", "type": kind,
                           "from": {"l": "a", "r": "b"}, "on": "l.k = r.k",
                           "columns": ["l.k", "l.v"] if kind in ("left_semi", "left_anti") else
                           ["l.k", "l.v", "r.k as k2", "r.v as v2"]},
          [model.join(kind, x, y) for x, y in zip(t.a, t.b)])


def branch_cogroup(t):
    if has_absent(t):
        return
    t.add("cogroup", {"plugin": "cogroup", "from": {"l": "a", "r": "b"}, "by": ["k"]},
          [[[k, [{"v": v} for v in x], [{"v": v} for v in y]] for k, x, y in model.cogroup(p, q)]
           for p, q in zip(t.a, t.b)])


def over(t, prefix, plugin, model_fn, **options):
    length, slide = t.window()
    t.add("%s_%d_%d" % (prefix, length, slide),
          dict({"plugin": plugin, "from": "a", "length": "%ds" % length, "slide": "%ds" % slide},
               **options), model_fn(length, slide)(t.a))


def branch_window(t):
    over(t, "window", "window", lambda length, slide: model.over_windows(
        lambda rows: [list(row) for row in rows], length, slide))


def branch_reduce_window(t):
    over(t, "rw", "reduce_by_window", lambda length, slide: model.over_windows(
        model.reduced, length, slide), values=["sum(v) as s", "max(v) as m"])


def branch_count_window(t):
    over(t, "cw", "count_by_window", model.counts_over_windows)


def branch_key_window(t):
    over(t, "rkw", "reduce_by_key_and_window", lambda length, slide: model.over_windows(
        model.reduce_by_key, length, slide), by=["k"], values=["sum(v) as s", "count(*) as n"])


def branch_value_window(t):
    over(t, "vw", "count_by_value_and_window", lambda length, slide: model.over_windows(
        model.count_by_value, length, slide), column="k")


def branch_inverse_window(t):
    keep = t.draw.random() < 0.5
    options = {"keep": "s <> 0"} if keep else {}
    over(t, "inv_keep" if keep else "inv", "reduce_by_key_and_window",
         lambda length, slide: model.inverse_by_key(length, slide, keep), by=["k"],
         values={"s": "sum(coalesce(v, 0))"}, inverse=True, **options)


UPDATE = """
function update(key, rows, state)
  local counter, idle, s = state and state.counter or 0, state and state.idle or 0, 0
  for _, row in ipairs(rows) do s = s + (row.v or 0) end
  if s == 0 then idle = idle + 1 else counter, idle = counter + s, 0 end
  if idle == 2 then return nil end
  return {counter = counter, idle = idle}
end
"""
MAPPED = """
function mapped(key, row, S)
  local sum = (S.exists() and S.get().n or 0) + (row.v or 0)
  S.update({n = sum})
  return {k = key, n = sum}
end
"""


def branch_update(t):
    t.add("update", {"plugin": "update_state_by_key", "from": "a", "by": ["k"],
                     "state": "counter int64, idle int64",
                     "lua": {"source": UPDATE, "function": "update"}}, model.update_by_key(t.a))


def branch_mapped(t):
    t.add("mapped", {"plugin": "map_with_state", "from": "a", "by": ["k"], "state": "n int64",
                     "columns": "k string, n int64",
                     "lua": {"source": MAPPED, "function": "mapped"}},
          model.mapped_with_state(t.a))


BRANCHES = [branch_count, branch_reduce, branch_count_by_value, branch_reduce_by_key,
            branch_group_by_key, branch_filter, branch_union, branch_join, branch_cogroup,
            branch_window, branch_reduce_window, branch_count_window, branch_key_window,
            branch_value_window, branch_inverse_window, branch_update, branch_mapped]


# ---- event time ----

class Timed(Trial):
    """A quiet job: rows are a batch as soon as they are there."""

    def __init__(self, draw):
        super().__init__(draw)
        self.n = draw.randint(3, 9)
        self.delay = draw.choice([0, 2, 5, 10])
        self.empty_batches = draw.random() < 0.5
        self.at = draw.randint(20, 60)

    def timed_rows(self):
        """Rows around a time that goes forward, some far behind it."""
        rows = []
        self.at += self.draw.choice([0, 1, 3, 8, 20])
        for _ in range(self.draw.randint(1, 6)):
            t = max(1, self.at - self.draw.choice([0, 0, 1, 2, 4, 9, 20, 45]))
            if self.draw.random() < 0.08 and self.nulls:
                t = None
            rows.append((self.draw.choice(KEYS), self.draw.choice([None, 0, 1, 2, 5, -4]), t))
        return rows

    def kill(self, batch):
        """How the job ends before the next rows, or None: a clean stop, or a crash at a batch. Where batches
        without rows are run, a crash could cut one off that would come later else."""
        if self.draw.random() < 0.75:
            return None
        if self.empty_batches or batch is None:
            return "stop"
        return self.draw.choice(["after plan", "after state", "before commit", "after commit"])


def wire(rows):
    return [[k, v, stamp(t)] for k, v, t in rows]


class Quiet(Timed):
    """One stream with a watermark, and operators with state behind it."""

    nulls = True

    def __init__(self, draw):
        super().__init__(draw)
        branch = draw.choice([one for one in TIMED if NEEDS.get(one, "aggregate") in THERE])
        self.nulls = branch is not timed_within
        self.model = branch(self)
        self.plan = []
        clock, batch = model.Clock([self.delay]), 0
        steps, want = [], []
        for _ in range(self.n):
            rows, how = self.timed_rows(), self.kill(batch)
            crash = how if how not in (None, "stop") else None
            out = self.run_batch(clock, rows)
            self.rows_before = True
            steps += [{"crash": "%s %d" % (crash, batch)}] if crash else []
            steps.append({"rows": {"in": wire(rows)}})
            batch += 1
            if crash:
                steps.append({"restart": {"workers": draw.choice([1, 2, 7])}})
                clock.restarted()
            if self.empty_batches:
                while clock.awaited() and self.model.waits:
                    out += self.run_batch(clock, [])
                    batch += 1
            steps.append({"expect": {}})
            want.append((len(steps) - 1, out))
            if how == "stop":
                steps += [{"stop": True}, {"restart": {"workers": draw.choice([1, 3, 7])}}]
                clock.restarted()
        self.want = want
        source = {"plugin": "queue", "batches": [], "columns": "k string, v int64, ts timestamp",
                  "partitions": draw.randint(1, 3)}
        operators = {"w": {"plugin": "watermark", "from": "in", "column": "ts",
                           "delay": "%ds" % self.delay}}
        operators.update(self.operators)
        self.job = {"name": "trial", "trigger": "asap", "no_data_batches": self.empty_batches,
                    "sources": {"in": source}, "operators": operators, "sinks": self.sinks}
        self.scenario = {"workers": some_workers(draw), "job": self.job, "steps": steps}

    def run_batch(self, clock, rows):
        late, evict = clock.begin()
        out = self.model.batch(rows, late, evict)
        clock.end([[t for _, _, t in rows]])
        return out

    def judge(self, play):
        if getattr(self.model, "unsure", False):
            return None
        sink, shape = next(iter(self.expected.items()))
        since = -1
        for step, want in self.want:
            got = [shape(row) for one in play["sinks"].get(sink, []) if since < one["step"] <= step
                   for row in one["rows"]]
            since = step
            problem = differ("%s, step %d" % (sink, step), want, got)
            if problem:
                return problem
        return None


def timed_window(t):
    length = t.draw.choice([5, 10])
    slide = t.draw.choice([length, 5])
    mode = t.draw.choice(["append", "update", "complete"])
    t.add("agg_" + mode, {"plugin": "aggregate", "from": "w", "by": ["k"], "output_mode": mode,
                          "window": {"on": "ts", "length": "%ds" % length, "slide": "%ds" % slide},
                          "values": ["count(*) as n", "sum(v) as s", "max(v) as m"]},
          lambda row: [row[0], seconds(row[1]), seconds(row[2])] + row[3:],
          ["k", "window.start as a", "window.end as b", "n", "s", "m"])
    return model.Aggregate(mode, length, slide)


def timed_totals(t):
    t.add("totals", {"plugin": "aggregate", "from": "w", "by": ["k"], "output_mode": "update",
                     "values": ["count(*) as n", "sum(v) as s", "min(v) as m"]}, list)
    totals = model.Totals()
    totals.waits = True
    return totals


def timed_sessions(t):
    gap = t.draw.choice([2, 5])
    t.add("sessions", {"plugin": "aggregate", "from": "w", "by": ["k"], "output_mode": "append",
                       "session": {"on": "ts", "gap": "%ds" % gap},
                       "values": ["count(*) as n", "sum(v) as s"]},
          lambda row: [row[0], seconds(row[1]), seconds(row[2])] + row[3:],
          ["k", "session.start as a", "session.end as b", "n", "s"])
    return model.Sessions(gap)


def back(row):
    return [row[0], row[1], seconds(row[2])]


def timed_distinct(t):
    kind = t.draw.choice(["key", "time"])
    t.add("distinct_" + kind, {"plugin": "deduplicate", "from": "w",
                               "by": ["k"] if kind == "key" else ["k", "ts"]}, back)
    return model.Distinct(kind, t.delay)


def timed_within(t):
    t.add("within", {"plugin": "deduplicate", "from": "w", "by": ["k"], "within_watermark": True},
          back)
    return model.Distinct("within", t.delay)


def timed_limit(t):
    n = t.draw.randint(0, 12)
    t.add("limit", {"plugin": "limit", "from": "w", "n": n}, back)
    return model.Limit(n)


NEEDS = {timed_distinct: "deduplicate", timed_within: "deduplicate", timed_limit: "limit",
         branch_update: "update_state_by_key", branch_mapped: "map_with_state"}
TIMED = [timed_window, timed_window, timed_totals, timed_sessions, timed_distinct, timed_within,
         timed_limit]


class TwoStreams(Timed):
    """A join of two streams."""

    nulls = False

    def __init__(self, draw):
        super().__init__(draw)
        kind = draw.choice(STREAM_JOINS)
        bounds = draw.choice([None, (0, 5), (5, 0), (3, 8)])
        on = "l.k = r.k and l.ts = r.ts" if bounds is None else \
            "l.k = r.k and l.ts between r.ts - interval '%ds' and r.ts + interval '%ds'" % bounds
        columns = ["l.k", "l.v", "l.ts"]
        if kind != "left_semi":
            columns += ["r.k as k2", "r.v as v2", "r.ts as ts2"]
        self.joined = model.Joined(kind, bounds)
        self.width = len(columns)
        delays = [self.delay, draw.choice([0, 5])]
        clock, steps, self.want, batch = model.Clock(delays), [], [], 0
        for _ in range(self.n):
            sides = [self.timed_rows() if draw.random() < 0.8 else [] for _ in range(2)]
            if not any(sides):
                continue
            how = self.kill(batch)
            crash = how if how not in (None, "stop") else None
            steps += [{"crash": "%s %d" % (crash, batch)}] if crash else []
            steps.append({"rows": {"a": wire(sides[0]), "b": wire(sides[1])}})
            if crash in ("after plan",):
                clock.restarted()
            out = self.run_batch(clock, sides)
            batch += 1
            if crash:
                steps.append({"restart": {"workers": draw.choice([1, 2, 7])}})
                if crash != "after plan":
                    clock.restarted()
            while self.empty_batches and clock.awaited():
                out += self.run_batch(clock, [[], []])
                batch += 1
            steps.append({"expect": {}})
            self.want.append((len(steps) - 1, out))
            if how == "stop":
                steps += [{"stop": True}, {"restart": {"workers": draw.choice([1, 3, 7])}}]
                clock.restarted()
        if not steps:
            steps = [{"expect": {}}]
        source = {"plugin": "queue", "batches": [], "columns": "k string, v int64, ts timestamp"}
        self.job = {"name": "trial", "trigger": "asap", "no_data_batches": self.empty_batches,
                    "sources": {name: dict(source, partitions=draw.randint(1, 2),
                                           watermark={"column": "ts", "delay": "%ds" % delay})
                                for name, delay in zip("ab", delays)},
                    "operators": {"j": {"plugin": "join", "scope": "stream", "type": kind, "on": on,
                                        "from": {"l": "a", "r": "b"}, "columns": columns}},
                    "sinks": {"out": {"plugin": "null", "from": "j"}}}
        self.scenario = {"workers": some_workers(draw), "job": self.job, "steps": steps}

    def run_batch(self, clock, sides):
        late, evict = clock.begin()
        out = self.joined.batch(sides[0], sides[1], late, evict)
        clock.end([[t for _, _, t in rows] for rows in sides])
        return out

    def judge(self, play):
        since = -1
        for step, want in self.want:
            got = []
            for one in play["sinks"].get("out", []):
                if since < one["step"] <= step:
                    got += [back(row[:3]) + (back(row[3:]) if len(row) > 3 else [])
                            for row in one["rows"]]
            since = step
            problem = differ("step %d" % step, want, got)
            if problem:
                return problem
        return None
