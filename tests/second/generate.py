"""Trials: a job drawn from chance, its input, and what the model says comes out."""
import chains
import flows
import model
from trial import JOINS, THERE, Ticks, differ, some_workers


def trial(draw, only=None):
    """One trial of a kind."""
    kind = only or draw.choice(["ticking", "chain", "chain", "chain", "flow", "flow", "flow"])
    return {"ticking": Ticking, "chain": chains.Chains, "flow": flows.Flow}[kind](draw)


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
    """Where `keep` would end the query (scenarios have that), it is left out."""
    keep = t.draw.random() < 0.5
    length, slide = t.window()
    ticks = t.a + [[]]  # the stop's, too
    try:
        expected = model.inverse_by_key(length, slide, keep)(ticks)[:-1]
    except model.Refused:
        keep = False
        expected = model.inverse_by_key(length, slide, keep)(t.a)
    options = {"keep": "s <> 0"} if keep else {}
    t.add("%s_%d_%d" % ("inv_keep" if keep else "inv", length, slide),
          dict({"plugin": "reduce_by_key_and_window", "from": "a", "length": "%ds" % length,
                "slide": "%ds" % slide, "by": ["k"], "values": {"s": "sum(coalesce(v, 0))"},
                "inverse": True}, **options), expected)


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


NEEDS = {branch_update: "update_state_by_key", branch_mapped: "map_with_state"}
