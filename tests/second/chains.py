"""Trials of chains: operators behind each other, in jobs that run every tick.

Every stream of a chain has rows (k, v). A step adds operators to the job, with a `select` behind them where they give other
columns, and says what becomes of the rows. A batch is a list of partitions, which are lists of rows; None where the
stream is absent. What is known of a stream:

    ordered  the order of its rows; without it rows are compared as a bag, and steps that depend on the order are not drawn
    parts    which rows are in which partition
    slide    it comes in every so many batches
    absent   there may be batches on its slide in which it is absent
"""
import itertools

import model
from trial import JOINS, KEYS, THERE, Ticks, differ, some_workers


class Differs(Exception):
    """A result that can't be, whatever the rest is."""


class Stream:
    """Rows by batch, computed when a play is judged."""

    def __init__(self, name, make, **known):
        self.name, self.make = name, make
        self.ordered, self.parts, self.slide, self.absent = True, True, 1, False
        self.__dict__.update(known)

    def known(self, **changes):
        return dict({"ordered": self.ordered, "parts": self.parts, "slide": self.slide,
                     "absent": self.absent}, **changes)

    def at(self, run):
        """Its batches in a play."""
        if self.name not in run.made:
            run.made[self.name] = self.make(run)
        return run.made[self.name]

    def then(self, name, fn, **changes):
        """Batch by batch: fn of the partitions."""
        return Stream(name, lambda run: [None if batch is None else fn(batch)
                                         for batch in self.at(run)], **self.known(**changes))

    def through(self, name, fn, ticks=False, **changes):
        """A state machine: fn(number of the batch, rows or None) in every batch of the slide; state that ticks
        gives rows where the stream is absent in its turn, too."""
        if ticks:
            changes.update(absent=False)

        def make(run):
            step = fn()
            return [None if number % self.slide else
                    [step(number, None if batch is None else flat(batch))]
                    for number, batch in enumerate(self.at(run), 1)]
        return Stream(name, make, **self.known(**dict({"ordered": False, "parts": True}, **changes)))


class Run:
    """A play and what was computed for it."""

    def __init__(self, play):
        self.made = {}
        self.came = {sink: {one["batch"]: one["rows"] for one in batches}
                     for sink, batches in play["sinks"].items()}

    def rows(self, sink, number):
        rows = self.came.get(sink, {}).get(number)
        return None if rows is None else [tuple(row) for row in rows]


def flat(batch):
    return [row for part in batch for row in part]


def each(fn):
    """Rows of a row, partition by partition."""
    return lambda batch: [[out for row in part for out in fn(*row)] for part in batch]


def each_of_batch(fn):
    """The same, for an fn that has the number of the batch as well."""
    def run(batches):
        return [None if batch is None else [[out for row in part for out in fn(number, *row)] for part in batch]
                for number, batch in enumerate(batches)]
    return run


class Chains(Ticks):
    """The trial."""

    def __init__(self, draw):
        super().__init__(draw)
        absent = draw.random() < 0.25
        made = self.steps(absent)
        self.split = draw.randint(1, 4)
        self.streams = [self.source("a", absent), self.source("b", False)]
        self.watched = []
        for _ in range(draw.randint(1, 3)):
            self.chain(draw.choice(self.streams))
        source = {"plugin": "queue", "batches": [], "columns": "k string, v int64",
                  "partitions": self.split}
        self.job = {"name": "trial", "trigger": "1s", "sources": {"a": source, "b": dict(source)},
                    "operators": dict(self.operators, beat={"plugin": "count", "from": "b"}),
                    "sinks": dict(self.sinks, beats={"plugin": "null", "from": "beat"})}
        self.scenario = {"workers": some_workers(draw), "job": self.job, "steps": made}
        self.shuffle()

    def source(self, name, absent):
        def partitions(rows):
            n, of = len(rows), self.split
            return [rows[p * n // of:(p + 1) * n // of] for p in range(of)]
        return Stream(name, lambda run: [None if rows is None else partitions(rows)
                                         for rows in getattr(self, name)], absent=absent)

    def chain(self, stream):
        length = self.draw.choice([1, 2, 2, 3, 3, 4, 5])
        for left in range(length, 0, -1):
            drawn = self.draw.choice(LAST if left == 1 and self.draw.random() < 0.15 else STEPS)
            needed = NEEDS.get(drawn, "select")
            made = drawn(self, stream) if needed in THERE else None
            if made is None:
                continue
            if drawn in LAST:
                self.watch(made)
                return
            stream = made
            self.streams.append(stream)
            if left > 1 and self.draw.random() < 0.3:
                self.watch(stream)
        self.watch(stream)

    def watch(self, stream):
        """A sink; its name."""
        if stream.name not in self.watched:
            self.watched.append(stream.name)
            self.sinks["out_" + stream.name] = {"plugin": "null", "from": stream.name}
            self.expected["out_" + stream.name] = stream
        return "out_" + stream.name

    def op(self, plugin, source, /, **options):
        """One more operator; its name."""
        name = "%s_%d" % (plugin, len(self.operators))
        self.operators[name] = dict({"plugin": plugin, "from": source}, **options)
        return name

    def kv(self, source, k="k", v="v"):
        """The columns of a chain, from others."""
        named = [text if text == name else "%s as %s" % (text, name)
                 for text, name in ((k, "k"), (v, "v"))]
        return self.op("select", source, columns=named)

    def other(self, stream):
        """A stream to go with this one, in every batch that has it."""
        if stream.absent:
            return None
        fitting = [one for one in self.streams if not one.absent and one.slide == stream.slide]
        return self.draw.choice(fitting)

    def judge(self, play):
        run = Run(play)
        try:
            for sink, stream in self.expected.items():
                for number, batch in enumerate(stream.at(run)):
                    problem = differ("%s, batch %d" % (sink, number),
                                     None if batch is None else flat(batch),
                                     run.rows(sink, number), exact=stream.ordered)
                    if problem:
                        return problem
        except Differs as why:
            return str(why)
        return None


# ---- expressions and what they give ----

def maybe(fn):
    return lambda k, v: None if v is None else fn(v)


def of_key(fn):
    return lambda k, v: None if k is None else fn(k)


def remainder(v, n):
    return abs(v) % n * (1 if v >= 0 else -1)


NUMBERS = [
    ("v + 1", maybe(lambda v: v + 1)),
    ("-v", maybe(lambda v: -v)),
    ("coalesce(v, 0) * 2 - 3", lambda k, v: (v or 0) * 2 - 3),
    ("v % 3", maybe(lambda v: remainder(v, 3))),
    ("pmod(v, 4)", maybe(lambda v: v % 4)),
    ("v div 2", maybe(lambda v: int(abs(v) // 2) * (1 if v >= 0 else -1))),
    ("abs(v)", maybe(abs)),
    ("nullif(v, 2)", maybe(lambda v: None if v == 2 else v)),
    ("greatest(v, 1)", lambda k, v: max(v, 1) if v is not None else 1),
    ("least(v, length(k))", lambda k, v: min([x for x in (v, None if k is None else len(k))
                                              if x is not None], default=None)),
    ("case when v > 1 then v when k is null then -1 else length(k) end",
     lambda k, v: v if v is not None and v > 1 else -1 if k is None else len(k)),
    ("if(k = 'a', 10, v)", lambda k, v: 10 if k == "a" else v),
    ("position('a', k)", of_key(lambda k: k.find("a") + 1)),
    ("cast(cast(v as string) || '1' as int64)",
     maybe(lambda v: int(str(v) + "1"))),
]
TEXTS = [
    ("upper(k)", of_key(str.upper)),
    ("k || 'x'", of_key(lambda k: k + "x")),
    ("coalesce(k, 'n')", lambda k, v: "n" if k is None else k),
    ("cast(v as string)", maybe(str)),
    ("nullif(k, '')", lambda k, v: k or None),
    ("concat_ws('-', k, 'z')", lambda k, v: "z" if k is None else k + "-z"),
    ("substr(k, 2)", of_key(lambda k: k[1:])),
    ("reverse(k || 'é')", of_key(lambda k: (k + "é")[::-1])),
    ("lpad(k, 3, '.')", of_key(lambda k: k[:3].rjust(3, "."))),
    ("case k when 'a' then 'b' when 'b' then null else k end",
     lambda k, v: {"a": "b", "b": None}.get(k, k)),
]
CONDITIONS = [
    ("v > 1", maybe(lambda v: v > 1)),
    ("k is not null", lambda k, v: k is not None),
    ("k <> 'a'", of_key(lambda k: k != "a")),
    ("v in (0, 1, 2)", maybe(lambda v: v in (0, 1, 2))),
    ("not (v < 2)", maybe(lambda v: v >= 2)),
    ("k like '%a%' or v = 1", lambda k, v: (k is not None and "a" in k) or v == 1),
    ("v between 0 and 3", maybe(lambda v: 0 <= v <= 3)),
    ("k <=> null", lambda k, v: k is None),
    ("length(k) = 1 and v is distinct from 0",
     lambda k, v: k is not None and len(k) == 1 and v != 0),
]


# ---- row by row ----

def step_select(t, s):
    texts, numbers = t.draw.choice(TEXTS + [("k", lambda k, v: k)]), t.draw.choice(NUMBERS)
    name = t.kv(s.name, texts[0], numbers[0])
    return s.then(name, each(lambda k, v: [(texts[1](k, v), numbers[1](k, v))]))


def step_with_column(t, s):
    if t.draw.random() < 0.5:
        text, fn = t.draw.choice(NUMBERS)
        return s.then(t.op("with_column", s.name, name="v", expr=text),
                      each(lambda k, v: [(k, fn(k, v))]))
    text, fn = t.draw.choice(TEXTS)
    return s.then(t.op("with_column", s.name, name="k", expr=text),
                  each(lambda k, v: [(fn(k, v), v)]))


def step_filter(t, s):
    text, fn = t.draw.choice(CONDITIONS)
    return s.then(t.op("filter", s.name, where=text), each(lambda k, v: [(k, v)] if fn(k, v) else []))


def step_split(t, s):
    blank = t.draw.random() < 0.5
    made = t.op("with_column", s.name, name="w", expr="k || '  ' || coalesce(cast(v as string), '')")
    options = {} if blank else {"on": " "}
    made = t.op("split", made, column="w", into="word", **options)
    return s.then(t.kv(made, "word"),
                  each(lambda k, v: [] if k is None else
                       [(w, v) for w in ("%s  %s" % (k, "" if v is None else v)).split(None if blank else " ")]))


def step_explode(t, s):
    made = t.op("with_column", s.name, name="l",
                expr="case when v > 1 then array(v, null, v + 1) when v = 1 then array_sort(array(2, 1)) end")
    into = {} if t.draw.random() < 0.5 else {"into": "item"}
    made = t.kv(t.op("explode", made, column="l", **into), v=into.get("into", "l"))
    return s.then(made, each(lambda k, v: [(k, x) for x in
                                           ([] if v is None or v < 1 else [1, 2] if v == 1 else
                                            [v, None, v + 1])]))


def step_parse_json(t, s):
    made = t.op("with_column", s.name, name="j",
                expr="'{\"x\": [true], \"w\": ' || coalesce(cast(v as string), 'null') || '}'")
    made = t.op("parse", made, column="j", format={"type": "json", "columns": "w int64, none string"})
    return s.then(t.kv(made, v="w"), each(lambda k, v: [(k, v)]))


def step_parse_csv(t, s):
    made = t.op("with_column", s.name, name="j",
                expr="concat(coalesce(cast(v as string), ''), ',', coalesce(k, ''))")
    made = t.op("parse", made, column="j", format={"type": "csv", "columns": "w int64, y string"})
    return s.then(t.kv(made, "y", "w"), each(lambda k, v: [(k or None, v)]))


def step_sample(t, s):
    fraction = t.draw.choice([0, 0.3, 0.5, 0.5, 1])
    name = t.op("sample", s.name, fraction=fraction)

    def make(run):
        out = []
        for number, batch in enumerate(s.at(run)):
            rows = run.rows("out_" + name, number)
            if rows is not None and batch is not None:
                left = flat(batch)
                for row in rows:
                    if row not in left:
                        raise Differs("%s, batch %d: %s is not in %s" % (name, number, row, left))
                    left.remove(row)
                if (fraction == 1 and left) or (fraction == 0 and rows):
                    raise Differs("%s, batch %d: fraction %s gave %s" % (name, number, fraction, rows))
            out.append(None if rows is None else [rows])
        return out
    stream = Stream(name, make, **s.known(ordered=False, parts=False))
    t.watch(stream)
    return stream


def step_union(t, s):
    other = t.other(s)
    if other is None or other is s:
        return None
    name = t.op("union", [s.name, other.name])
    return Stream(name, lambda run: [None if x is None else x + y
                                     for x, y in zip(s.at(run), other.at(run))],
                  **s.known(ordered=s.ordered and other.ordered, parts=s.parts and other.parts))


def step_repartition(t, s):
    n = t.draw.randint(1, 5)
    if t.draw.random() < 0.3:
        return s.then(t.op("repartition", s.name, partitions=n, by=["k"]), lambda batch: batch,
                      ordered=False, parts=False)
    return s.then(t.op("repartition", s.name, partitions=n),
                  lambda batch: [flat(batch)[p::n] for p in range(n)],
                  ordered=s.ordered, parts=s.ordered)


def step_glom(t, s):
    if not s.parts:
        return None
    made = t.op("glom", s.name)
    if t.draw.random() < 0.5:
        return s.then(t.kv(made, "'part'", "size(rows)"),
                      lambda batch: [[("part", len(part))] for part in batch], ordered=True)
    made = t.op("explode", made, column="rows", into="r")
    return s.then(t.kv(made, "r.k", "r.v"), lambda batch: batch)


def step_repartition_glom(t, s):
    made = step_repartition(t, s)
    return step_glom(t, made) if made.parts else made


LUA = {
    "map": ("function f(row, ctx)\n  return {k = row.k, v = (row.v or 7) * 2 + ctx.batch + ctx.time / 1000000}\nend",
            lambda batch, k, v: [(k, (7 if v is None else v) * 2 + batch * 2 + 1)]),
    "flat_map": ("function f(row)\n  if not row.v then return nil end\n"
                 "  if row.v > 2 then return {{k = row.k, v = row.v}, {v = 1}} end\n"
                 "  return {row}\nend",
                 lambda batch, k, v: [] if v is None else [(k, v), (None, 1)] if v > 2 else [(k, v)]),
    "filter": ("function f(row)\n  return row.k and row.v ~= 0\nend",
               lambda batch, k, v: [(k, v)] if k is not None and v != 0 else []),
}


def step_lua_rows(t, s):
    mode = t.draw.choice(sorted(LUA))
    source, fn = LUA[mode]
    columns = {} if mode == "filter" else {"columns": "k string, v int64"}
    return Stream(t.op("lua", s.name, mode=mode, source=source, function="f", **columns),
                  lambda run: each_of_batch(fn)(s.at(run)), **s.known())


def step_lua_partitions(t, s):
    if not s.parts:
        return None
    source = ("function f(rows)\n  local out = {{k = 'n', v = #rows}}\n"
              "  for i = #rows, 1, -1 do out[#out + 1] = rows[i] end\n  return out\nend")
    return s.then(t.op("lua", s.name, mode="map_partitions", source=source, function="f",
                       columns="k string, v int64"),
                  lambda batch: [[("n", len(part))] + part[::-1] for part in batch])


def step_lua_transform(t, s):
    other = t.other(s)
    if other is None or other is s:
        return None
    source = ("function f(ctx, left, right)\n  local out = {{k = 'batch', v = ctx.batch}}\n"
              "  for i = #left, 1, -1 do out[#out + 1] = left[i] end\n"
              "  for _, row in ipairs(right) do if row.v then out[#out + 1] = row end end\n  return out\nend")
    name = t.op("lua", {"l": s.name, "r": other.name}, mode="transform", source=source, function="f",
                columns="k string, v int64")
    return Stream(name, lambda run: [
        None if x is None else [[("batch", number)] + flat(x)[::-1] +
                                [row for row in flat(y) if row[1] is not None]]
        for number, (x, y) in enumerate(zip(s.at(run), other.at(run)))],
        **s.known(ordered=s.ordered and other.ordered, parts=True))


# ---- per batch ----

def column(rows, at):
    return [row[at] for row in rows if row[at] is not None]


AGGREGATES = [  # text, value of rows, whether it depends on their order
    ("sum(v)", lambda rows: model.total(column(rows, 1)), False),
    ("count(*)", len, False),
    ("count(v) * 2", lambda rows: len(column(rows, 1)) * 2, False),
    ("min(v)", lambda rows: model.least(column(rows, 1)), False),
    ("max(v)", lambda rows: model.greatest(column(rows, 1)), False),
    ("size(collect_set(v))", lambda rows: len(set(column(rows, 1))), False),
    ("size(collect_list(v)) + count(*)", lambda rows: len(column(rows, 1)) + len(rows), False),
    ("cast(bool_and(v > 0) as int64)",
     lambda rows: None if not column(rows, 1) else int(min(column(rows, 1)) > 0), False),
    ("cast(avg(v) * 4 as int64)",
     lambda rows: int(sum(column(rows, 1)) / len(column(rows, 1)) * 4) if column(rows, 1) else None, False),
    ("first(v)", lambda rows: rows[0][1] if rows else None, True),
    ("last(v)", lambda rows: rows[-1][1] if rows else None, True),
    ("coalesce(element_at(collect_list(v), -1), 0)",
     lambda rows: column(rows, 1)[-1] if column(rows, 1) else None, True),
]
DISTINCT = ("count(distinct v)", lambda rows: len(set(column(rows, 1))), False)


def aggregate(t, ordered, more=()):
    known = [one for one in AGGREGATES + list(more) if ordered or not one[2]]
    # a list without items has no last one: such keys are errors, so that one is left to lists that are never empty
    return t.draw.choice([one for one in known if not one[0].startswith("coalesce(element_at")])


BYS = [("k", lambda k, v: k), ("k", lambda k, v: k), ("coalesce(k, '-')", lambda k, v: "-" if k is None else k),
       ("upper(k)", of_key(str.upper)), ("cast(v % 2 as string)", maybe(lambda v: str(remainder(v, 2))))]


def by_key(t):
    text, fn = t.draw.choice(BYS)
    return ["k" if text == "k" else text + " as k"], fn


def grouped(rows, by):
    return model.groups(rows, lambda row: by(*row))


def step_count(t, s):
    if s.absent:
        return None
    return s.then(t.kv(t.op("count", s.name), "'n'", "count"), lambda batch: [[("n", len(flat(batch)))]],
                  ordered=True, parts=True)


def step_reduce(t, s):
    text, fn, _ = aggregate(t, s.ordered, [DISTINCT])
    made = t.op("reduce", s.name, values={"n": "count(k)", "r": text})
    return s.then(t.kv(made, "cast(n as string)", "r"),
                  lambda batch: [[(str(len(column(flat(batch), 0))), fn(flat(batch)))]
                                 if flat(batch) else []], ordered=True, parts=True)


def step_count_by_value(t, s):
    made = t.kv(t.op("count_by_value", s.name, column="k"), v="count")
    return s.then(made, lambda batch: [[tuple(r) for r in model.count_by_value(flat(batch))]],
                  ordered=False, parts=True)


def step_reduce_by_key(t, s):
    by, key = by_key(t)
    text, fn, _ = aggregate(t, s.ordered, [DISTINCT])
    made = t.op(t.draw.choice(["reduce_by_key", "combine_by_key"]), s.name, by=by, values=[text + " as v"])
    return s.then(made, lambda batch: [[(k, fn(rows)) for k, rows in grouped(flat(batch), key).items()]],
                  ordered=False, parts=True)


def step_group_by_key(t, s):
    by, key = by_key(t)
    made = t.op("group_by_key", s.name, by=by, columns=["v"])
    if t.draw.random() < 0.5:
        made = t.kv(t.op("explode", made, column="values", into="x"), v="x")
        return s.then(made, lambda batch: [[(k, v) for k, rows in grouped(flat(batch), key).items()
                                            for _, v in rows]], ordered=False, parts=True)
    last = s.ordered and t.draw.random() < 0.7
    made = t.kv(made, v="element_at(values, -1)" if last else "size(values)")
    return s.then(made, lambda batch: [[(k, rows[-1][1] if last else len(rows))
                                        for k, rows in grouped(flat(batch), key).items()]],
                  ordered=False, parts=True)


def step_cogroup(t, s):
    other = t.other(s)
    if other is None:
        return None
    made = t.op("cogroup", {"l": s.name, "r": other.name}, by=["k"])
    first = s.ordered and t.draw.random() < 0.5
    left = "size(l)" if not first else "case when size(l) > 0 then coalesce(element_at(l, 1).v, 0) else 0 end"

    def both(x, y):
        return [(k, (len(p) if not first else (p[0] or 0) if p else 0) * 10 + len(q))
                for k, p, q in model.cogroup(flat(x), flat(y))]
    name = t.kv(made, v="%s * 10 + size(r)" % left)
    return Stream(name, lambda run: [None if x is None else [both(x, y)]
                                     for x, y in zip(s.at(run), other.at(run))],
                  **s.known(ordered=False, parts=True))


ONS = [
    ("l.k = r.k", lambda a, b: a[0] is not None and a[0] == b[0]),
    ("l.k <=> r.k", lambda a, b: a[0] == b[0]),
    ("l.k = r.k and l.v < r.v", lambda a, b: a[0] is not None and a[0] == b[0] and
     a[1] is not None and b[1] is not None and a[1] < b[1]),
    ("l.k = r.k and l.v > 0 and r.v is not null", lambda a, b: a[0] is not None and a[0] == b[0] and
     a[1] is not None and a[1] > 0 and b[1] is not None),
    ("l.v = r.v + 1 and (l.k <> r.k or r.k is null)", lambda a, b: a[1] is not None and b[1] is not None and
     a[1] == b[1] + 1 and (b[0] is None or (a[0] is not None and a[0] != b[0]))),
]


def joined(kind, fits, left, right):
    """Pairs as (left row or None, right row or None); semi and anti give left rows."""
    out, taken = [], set()
    for a in left:
        hits = [i for i, b in enumerate(right) if fits(a, b)]
        taken.update(hits)
        if kind in ("left_semi", "left_anti"):
            out += [(a, None)] if bool(hits) == (kind == "left_semi") else []
        else:
            out += [(a, right[i]) for i in hits]
            if not hits and kind in ("left_outer", "full_outer"):
                out.append((a, None))
    if kind in ("right_outer", "full_outer"):
        out += [(None, b) for i, b in enumerate(right) if i not in taken]
    return out


def step_join(t, s):
    other = t.other(s)
    if other is None:
        return None
    kind, (on, fits) = t.draw.choice(JOINS), t.draw.choice(ONS)
    alone = kind in ("left_semi", "left_anti")
    columns = ["l.k", "l.v"] if alone else \
        ["coalesce(l.k, r.k) as k", "coalesce(l.v, -1) * 3 + coalesce(r.v, -1) as v"]

    def row(pair):
        a, b = pair
        if alone:
            return a
        (ka, va), (kb, vb) = a or (None, None), b or (None, None)
        return (kb if ka is None else ka, (-1 if va is None else va) * 3 + (-1 if vb is None else vb))
    name = t.op("join", {"l": s.name, "r": other.name}, scope="batch", type=kind, on=on, columns=columns)
    return Stream(name, lambda run: [
        None if x is None else [[row(pair) for pair in joined(kind, fits, flat(x), flat(y))]]
        for x, y in zip(s.at(run), other.at(run))], **s.known(ordered=False, parts=True))


def step_lookup(t, s):
    kind = t.draw.choice(["inner", "left_outer", "left_semi", "left_anti"])
    on, fits = t.draw.choice(ONS[:4])
    rows = [(t.draw.choice(KEYS), t.draw.choice([None, 0, 1, 4])) for _ in range(t.draw.randint(0, 6))]
    alone = kind in ("left_semi", "left_anti")
    columns = ["l.k", "l.v"] if alone else ["l.k", "coalesce(l.v, 0) + coalesce(table.v, 100) as v"]
    name = t.op("lookup", {"l": s.name}, type=kind, on=on.replace("r.", "table."), columns=columns,
                table={"columns": "k string, v int64", "rows": [list(row) for row in rows]})

    def looked(k, v):
        return [a if alone else (a[0], (a[1] or 0) + (100 if b is None or b[1] is None else b[1]))
                for a, b in joined(kind, fits, [(k, v)], rows)]
    return s.then(name, each(looked))


def in_order(rows, by):
    """A stable sort by (column, descending, nulls first) from the last key to the first."""
    for at, down, first in reversed(by):
        some = sorted([row for row in rows if row[at] is not None],
                      key=lambda row: row[at].encode() if at == 0 else row[at], reverse=down)
        if down:  # reverse keeps equal rows in their order
            assert [row[at] for row in some] == sorted((row[at] for row in some),
                                                       key=lambda x: x.encode() if at == 0 else x,
                                                       reverse=True)
        none = [row for row in rows if row[at] is None]
        rows = none + some if first else some + none
    return rows


def some_order(t):
    """Text and keys of an order by all columns."""
    texts, keys = [], []
    for at in t.draw.choice([(0, 1), (1, 0)]):
        down, nulls = t.draw.random() < 0.5, t.draw.choice([None, "first", "last"])
        texts.append(" ".join(["kv"[at]] + t.draw.choice([["desc"] if down else [], ["desc" if down else "asc"]])
                              + (["nulls", nulls] if nulls else [])))
        keys.append((at, down, nulls == "first" or (nulls is None and not down)))
    return texts, keys


def step_order(t, s):
    texts, keys = some_order(t)
    by = texts if t.draw.random() < 0.5 else ", ".join(texts)
    return s.then(t.op("order", s.name, by=by, scope="batch"),
                  lambda batch: [in_order(flat(batch), keys)], ordered=True, parts=True)


def step_order_stable(t, s):
    if not s.ordered:
        return None
    texts, keys = some_order(t)
    return s.then(t.op("order", s.name, by=texts[:1], scope="batch"),
                  lambda batch: [in_order(flat(batch), keys[:1])])


def step_limit(t, s):
    if not s.ordered:
        return None
    n = t.draw.choice([0, 1, 3, 8])
    if t.draw.random() < 0.5:
        return s.then(t.op("limit", s.name, n=n, scope="batch"), lambda batch: [flat(batch)[:n]])

    def life():
        left = [n * 2]

        def step(_, rows):
            out = (rows or [])[:left[0]]
            left[0] -= len(out)
            return out
        return step
    return None if s.absent else s.through(t.op("limit", s.name, n=n * 2), life, ordered=True)


def step_deduplicate(t, s):
    if s.absent:
        return None
    whole = not s.ordered or t.draw.random() < 0.5

    def first():
        seen = set()

        def step(_, rows):
            out = []
            for row in rows:
                key = row if whole else row[0]
                if key not in seen:
                    seen.add(key)
                    out.append(row)
            return out
        return step
    return s.through(t.op("deduplicate", s.name, **({} if whole else {"by": ["k"]})), first)


# ---- windows of batches ----

def windowed(t, s, name, fn, slide, length, **changes):
    def make(run):
        batches, out = s.at(run), []
        for number in range(1, len(batches) + 1):
            inside = [batch for batch in batches[max(0, number - length):number] if batch is not None]
            out.append(None if number % slide else fn(inside))
        return out
    return Stream(name, make, **s.known(**dict({"slide": slide, "absent": False}, **changes)))


def some_window(t, s):
    slide = s.slide * t.draw.choice([1, 1, 2, 3])
    return s.slide * t.draw.randint(1, 5), slide


def step_window(t, s):
    length, slide = some_window(t, s)

    def together(batches):
        of = max([len(batch) for batch in batches], default=0)
        return [[row for batch in batches if p < len(batch) for row in batch[p]] for p in range(of)]
    return windowed(t, s, t.op("window", s.name, length="%ds" % length, slide="%ds" % slide), together,
                    slide, length, parts=False if s.absent else s.parts)


OVER = ["reduce_by_window", "count_by_value_and_window", "reduce_by_key_and_window", "group_by_key_and_window"]


def over_name(t, s, plugin, length, slide, **options):
    """The flat form, or `over`."""
    times = {"length": "%ds" % length}
    if slide != s.slide or t.draw.random() < 0.5:
        times["slide"] = "%ds" % slide
    if t.draw.random() < 0.5:
        return t.op(plugin, s.name, **times, **options)
    plain = {"reduce_by_window": "reduce", "count_by_value_and_window": "count_by_value",
             "count_by_window": "count"}.get(plugin, plugin.replace("_and_window", ""))
    for word in ("inverse", "keep"):
        if word in options:
            times[word] = options.pop(word)
    return t.op(plain, s.name, over=times, **options)


def step_over(t, s):
    length, slide = some_window(t, s)
    plugin = t.draw.choice(OVER)
    text, fn, _ = aggregate(t, s.ordered)
    if plugin == "reduce_by_window":
        made = t.kv(over_name(t, s, plugin, length, slide, values={"r": text}), "'w'", "r")
        return windowed(t, s, made, lambda batches: [
            [("w", fn(sum(map(flat, batches), [])))] if any(map(flat, batches)) else []], slide, length,
            ordered=True, parts=True)
    if plugin == "count_by_value_and_window":
        made = t.kv(over_name(t, s, plugin, length, slide, column="k"), v="count")
        per_key, key = len, BYS[0][1]
    elif plugin == "reduce_by_key_and_window":
        by, key = by_key(t)
        made, per_key = over_name(t, s, plugin, length, slide, by=by, values={"v": text}), fn
    else:
        by, key = by_key(t)
        made = over_name(t, s, plugin, length, slide, by=by, columns=["v"])
        last = s.ordered and t.draw.random() < 0.6
        made = t.kv(made, v="element_at(values, -1)" if last else "size(values)")
        per_key = (lambda rows: rows[-1][1]) if last else len
    return windowed(t, s, made, lambda batches: [
        [(k, per_key(rows)) for k, rows in grouped(sum(map(flat, batches), []), key).items()]],
        slide, length, ordered=False, parts=True)


def step_count_window(t, s):
    length, slide = some_window(t, s)
    made = t.kv(over_name(t, s, "count_by_window", length, slide), "'n'", "count")

    def make(run):
        batches, out, seen = s.at(run), [], False
        for number in range(1, len(batches) + 1):
            inside = [row for one in batches[max(0, number - length):number] if one for row in flat(one)]
            seen = seen or (bool(inside) and number % slide == 0)
            out.append(None if number % slide else [[("n", len(inside))] if seen else []])
        return out
    return Stream(made, make, **s.known(slide=slide, absent=False, ordered=True, parts=True))


def step_inverse(t, s):
    slide = s.slide * t.draw.choice([1, 1, 2])
    length = slide * t.draw.randint(1, 3)
    keep = t.draw.random() < 0.5
    options = {"keep": "n <> 0"} if keep else {}
    made = over_name(t, s, "reduce_by_key_and_window", length, slide, by=["k"], inverse=True,
                     values={"s": "sum(coalesce(v, 0))", "n": "count(*)"}, **options)

    def make(run):
        known, out = {}, []
        for number, batch in enumerate(s.at(run), 1):
            for k, v in flat(batch or []):
                known.setdefault(k, []).append((number, v or 0))
            if number % slide:
                out.append(None)
                continue
            known = {k: [one for one in rows if one[0] > number - length] for k, rows in known.items()}
            if keep:
                known = {k: rows for k, rows in known.items() if rows}
            out.append([[(k, sum(v for _, v in rows)) for k, rows in known.items()]])
        return out
    return Stream(t.kv(made, v="s"), make, **s.known(slide=slide, absent=False, ordered=False, parts=True))


# ---- state ----

UPDATE = """
function f(key, rows, state)
  local counter, idle, s = state and state.counter or 0, state and state.idle or 0, 0
  for _, row in ipairs(rows) do s = s + (row.v or 0) end
  if s == 0 then idle = idle + 1 else counter, idle = counter + s, 0 end
  if idle == 2 then return nil end
  return {counter = counter, idle = idle}
end
"""


def initial(t, state="n"):
    """State to begin with: the option and the rows."""
    if t.draw.random() < 0.6:
        return {}, {}
    rows = {k: t.draw.randint(0, 4) for k in t.draw.sample(KEYS, t.draw.randint(0, 3))}
    return {"initial": {"columns": "k string, %s int64" % state,
                        "rows": [[k, n] for k, n in rows.items()]}}, rows


def step_update(t, s):
    def machine():
        state = {}

        def step(_, rows):
            given = model.groups(rows or [])
            for k in list(state) + [k for k in given if k not in state]:
                counter, idle = state.get(k, (0, 0))
                more = sum(column(given.get(k, []), 1))
                counter, idle = (counter, idle + 1) if more == 0 else (counter + more, 0)
                if idle == 2:
                    state.pop(k, None)
                else:
                    state[k] = (counter, idle)
            return [(k, counter * 10 + idle) for k, (counter, idle) in state.items()]
        return step
    made = t.op("update_state_by_key", s.name, by=["k"], state="counter int64, idle int64",
                lua={"source": UPDATE, "function": "f"})
    return s.through(t.kv(made, v="counter * 10 + idle"), machine, ticks=True)


def step_totals(t, s):
    text, fn, _ = aggregate(t, s.ordered)

    def machine():
        state = {}

        def step(_, rows):
            for k, v in rows or []:
                state.setdefault(k, []).append((k, v))
            return [(k, fn(kept)) for k, kept in state.items()]
        return step
    return s.through(t.op("update_state_by_key", s.name, by=["k"], values={"v": text}), machine,
                     ticks=True)


MAPPED = """
function f(key, row, S, ctx)
  if S.timing_out() then return {{k = key, v = -1 - S.get().n}} end
  local n = (S.exists() and S.get().n or 0) + (row.v or 0)
  if n == 5 then
    if S.exists() then S.remove() end
    return nil
  end
  S.update({n = n})
  return {{k = key, v = n}}
end
"""


def step_map_with_state(t, s):
    if not s.ordered:
        return None
    timeout, every = t.draw.choice([None, 1, 2, 3]), t.draw.choice([1, 2, 3])
    option, first = initial(t)
    options = dict(option, **({} if timeout is None else {"timeout": "%ds" % timeout, "expire_every": every}))
    name = t.op("map_with_state", s.name, by=["k"], state="n int64", columns="k string, v int64",
                lua={"source": MAPPED, "function": "f"}, **options)
    snapshots = t.draw.random() < 0.3

    def machine():
        state = {}

        def step(number, rows):
            if number == s.slide:
                state.update({k: (n, number) for k, n in first.items()})
            out = []
            for k, v in rows or []:
                n = (state[k][0] if k in state else 0) + (v or 0)
                if n == 5:
                    state.pop(k, None)
                else:
                    state[k] = (n, number)
                    out.append((k, n))
            if timeout is not None and number % (every * s.slide) == 0:
                for k in [k for k, (_, at) in state.items() if at < number - timeout]:
                    out.append((k, -1 - state.pop(k)[0]))
            return [(k, n) for k, (n, _) in state.items()] if snapshots else out
        return step
    if snapshots:
        name = t.kv(name + ".snapshots", v="n")
    return s.through(name, machine, ticks=True)


GROUPED = """
function f(key, rows, S, ctx)
  local n = S.exists and S.get().n or -1
  if S.timing_out then
    if n > 5 then S.remove() end
    if n < 2 then S.set_timeout(%d) end
    return {{k = key, v = -100 - n}}
  end
  for _, row in ipairs(rows) do n = n + (row.v or 0) end
  if n < -2 then S.remove() else S.update({n = n}) end
  if n %% 2 == 0 then S.set_timeout(%d) end
  return {{k = key, v = n}}
end
"""


def step_group_state(t, s):
    if s.absent or s.slide > 1:
        return None
    again, after = t.draw.choice([1000, 2500]), t.draw.choice([1, 1000, 1500, 3000])
    option, first = initial(t)
    name = t.op("group_state", s.name, by=["k"], state="n int64", columns="k string, v int64",
                timeout="processing_time", lua={"source": GROUPED % (again, after), "function": "f"},
                output_mode="append", **option)

    def machine():
        state, timers = {}, {}

        def step(number, rows):
            now, out, given = number * 1000, [], model.groups(rows)
            if number == 1:
                state.update(first)
                given.update({k: [] for k in first if k not in given})
            due = [k for k, at in timers.items() if at < now and k not in given]
            for k, of_key in given.items():
                n = state.get(k, -1) + sum(column(of_key, 1))
                timers.pop(k, None)
                if n < -2:
                    state.pop(k, None)
                else:
                    state[k] = n
                if n % 2 == 0:
                    timers[k] = now + after
                out.append((k, n))
            for k in due:
                n = state.get(k, -1)
                del timers[k]
                if n > 5:
                    del state[k]
                if n < 2:
                    timers[k] = now + again
                out.append((k, -100 - n))
            return out
        return step
    return s.through(name, machine)


STATEFUL = """
function f(key, rows, S, ctx)
  if S.timing_out then
    local n = S.exists() and S.get().n or 0
    if S.timing_out() == 'late' then S.list('l').clear() end
    return {{k = key, v = (S.timing_out() == 'soon' and 1000000 or 2000000) + n}}
  end
  local n, sum = S.exists() and S.get().n or 0, 0
  for _, row in ipairs(rows) do
    local v = row.v or 0
    sum = sum + v
    S.list('l').append({x = v})
    if v > 0 then S.map('m').put(v %% 3, {n = v}, 2000) end
    if v == -1 then S.map('m').remove(1) end
  end
  if sum == 4 then S.remove() else S.update({n = n + sum}%s) end
  if sum %% 2 == 0 then S.timer('soon', ctx.time + %d000) end
  if sum == 1 then S.timer('soon', nil) end
  if sum %% 3 == 0 then S.timer('late', ctx.time + 2000000) end
  return {{k = key, v = (n + sum) * 10000 + #S.list('l').get() * 100 + #S.map('m').keys()}}
end
"""


def step_stateful(t, s):
    if not s.ordered or s.absent or s.slide > 1:
        return None
    soon, own, ttl = t.draw.choice([0, 1000, 1500]), t.draw.choice([None, 1000, 2500]), t.draw.choice([None, 3])
    options = {} if ttl is None else {"ttl": "%ds" % ttl}
    name = t.op("stateful", s.name, by=["k"], state="n int64", columns="k string, v int64",
                lists={"l": "x int64"}, maps={"m": "i int64 -> n int64"}, timeout="processing_time",
                lua={"source": STATEFUL % ("" if own is None else ", %d" % own, soon), "function": "f"},
                **options)
    ever = float("inf")

    def machine():
        values, lists, maps, timers = {}, {}, {}, {}

        def forget(now):
            for of in (values, maps):
                for k in [k for k, (_, at) in of.items() if at <= now]:
                    del of[k]
            for k in lists:
                lists[k] = [at for at in lists[k] if at > now]

        def rows_of(k, rows, now):
            n, more = values.get(k, (0, 0))[0], 0
            until = ever if ttl is None else now + ttl * 1000
            for _, v in rows:
                v = v or 0
                more += v
                lists.setdefault(k, []).append(until)
                if v > 0:
                    maps[(k, v % 3)] = (v, now + 2000)
                if v == -1:
                    maps.pop((k, 1), None)
            if more == 4:
                values.pop(k, None)
            else:
                values[k] = (n + more, until if own is None else now + own)
            if more % 2 == 0:
                timers[(k, "soon")] = now + soon
            if more == 1:
                timers.pop((k, "soon"), None)
            if more % 3 == 0:
                timers[(k, "late")] = now + 2000
            return (k, (n + more) * 10000 + len(lists.get(k, [])) * 100 + sum(1 for key in maps if key[0] == k))

        def step(number, rows):
            now = number * 1000
            forget(now)
            out = [rows_of(k, of_key, now) for k, of_key in model.groups(rows).items()]
            for k, name in sorted([one for one, at in timers.items() if at <= now],
                                  key=lambda one: timers[one]):
                del timers[(k, name)]
                if name == "late":
                    lists.pop(k, None)
                out.append((k, (1000000 if name == "soon" else 2000000) + values.get(k, (0, 0))[0]))
            return out
        return step
    return s.through(name, machine)


# ---- the last of a chain: tables that change ----

def last_update(t, s):
    text, fn, _ = aggregate(t, s.ordered)

    def machine():
        state = {}

        def step(_, rows):
            for row in rows or []:
                state.setdefault(row[0], []).append(row)
            return [(k, fn(state[k])) for k in model.groups(rows or [])]
        return step
    return None if s.absent else s.through(
        t.op("aggregate", s.name, by=["k"], values={"v": text}, output_mode="update"), machine)


def last_complete(t, s):
    if s.absent:
        return None
    text, fn, _ = aggregate(t, s.ordered)
    texts, keys = some_order(t)
    n = t.draw.choice([1, 3, 99])
    made = t.op("aggregate", s.name, by=["k"], values={"v": text}, output_mode="complete")
    made = t.op("order", t.op("filter", made, where="v is not null"), by=texts)

    def machine():
        state = {}

        def step(_, rows):
            for row in rows:
                state.setdefault(row[0], []).append(row)
            table = [(k, fn(kept)) for k, kept in state.items()]
            return in_order([row for row in table if row[1] is not None], keys)[:n]
        return step
    return s.through(t.op("limit", made, n=n), machine, ordered=True)


LAST = [last_update, last_complete]
STEPS = list(itertools.chain(
    [step_select, step_with_column, step_filter, step_split, step_explode, step_parse_json, step_parse_csv,
     step_sample, step_union, step_repartition, step_glom, step_repartition_glom, step_lua_rows,
     step_lua_partitions, step_lua_transform],
    [step_count, step_reduce, step_count_by_value, step_reduce_by_key, step_group_by_key, step_cogroup,
     step_join, step_join, step_lookup, step_order, step_order, step_order_stable, step_limit, step_deduplicate],
    [step_window, step_over, step_over, step_count_window, step_inverse],
    [step_update, step_totals, step_map_with_state, step_group_state, step_stateful]))
NEEDS = {step_lua_rows: "lua", step_lua_partitions: "lua", step_lua_transform: "lua",
         step_update: "update_state_by_key", step_totals: "update_state_by_key",
         step_map_with_state: "map_with_state", step_group_state: "group_state",
         step_stateful: "stateful"}
