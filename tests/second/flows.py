"""Trials of event time: watermarks, and operators with state behind each other, in jobs that run when rows are there.

Rows are (k, v, t), t in microseconds or None; behind windows and sessions t is their end. The model runs batch by
batch as the pages say: W(n) evicts, W(n-1) makes rows late, each operator has its own watermark, batches without
rows are run while state waits for a later watermark (but not right behind a restart). Crashes hit batches with
rows and batches without; what was planned is run again, what was put into state is not.
"""
import model
from chains import AGGREGATES, CONDITIONS, NUMBERS, TEXTS
from trial import KEYS, STREAM_JOINS, THERE, Trial, differ, seconds, some_workers, stamp

SECOND = 1000000
POINTS = ["after plan", "after state", "before commit", "after commit"]


class Node:
    """An operator of the model, or several that make one step. Stateless: rows of the inputs, one behind the other."""

    waits = False    # state that a later watermark may change
    marks = None     # of a watermark operator: its delay
    late_rows = None

    def __init__(self, name, inputs, fn=None, **known):
        self.name, self.inputs, self.fn = name, inputs, fn
        one = inputs[0] if inputs else None
        self.time = one.time if one else "ts"        # the column with the event time; None: none
        self.ordered = all(i.ordered for i in inputs)
        self.nulls = any(i.nulls for i in inputs)    # whether t may be null
        self.delay = max([i.delay or 0 for i in inputs], default=0)
        self.marked = bool(inputs) and all(i.marked for i in inputs)
        self.__dict__.update(known)

    def batch(self, rows, late, evict):
        rows = sum(rows, [])
        return [out for row in rows for out in self.fn(*row)] if self.fn else rows

    def behind(self, mark):
        """Its output watermark."""
        return mark

    def assigned(self, t):
        """The time that puts a row into a window: just before the end of one that it stands for."""
        return t if self.time == "ts" else t - 1


class State(Node):
    """A state machine: step(rows, late, evict)."""

    waits = True

    def __init__(self, name, inputs, step, **known):
        super().__init__(name, inputs, None, **known)
        self.step = step

    def batch(self, rows, late, evict):
        return self.step(*rows, late, evict)


class Clock:
    """Watermark operators and the watermark of the job."""

    def __init__(self, nodes, greatest):
        self.marks = {node.name: None for node in nodes if node.marks is not None}
        self.delays = {node.name: node.marks for node in nodes if node.marks is not None}
        self.pick = max if greatest else min
        self.late = self.evict = self.next = 0

    def begin(self):
        self.late, self.evict = self.evict, self.next

    def saw(self, name, times):
        if times:
            mark = max(times) - self.delays[name]
            self.marks[name] = mark if self.marks[name] is None else max(self.marks[name], mark)

    def end(self):
        self.next = max(self.next, self.pick(0 if mark is None else mark for mark in self.marks.values()))

    def restarted(self):
        self.marks = {name: None for name in self.marks}


class Flow(Trial):
    """The trial."""

    def __init__(self, draw):
        super().__init__(draw)
        self.empty_batches = draw.random() < 0.6
        self.nodes, self.at, self.watched = [], draw.randint(20, 60), []
        for name in "ab":
            self.nodes.append(Node(name, [], ordered=True, nulls=True, marked=False, delay=0))
        marked = [self.marked(self.nodes[i]) for i in range(2)]
        if draw.random() < 0.3:
            marked.append(self.node("union", list(marked), op="union", source=[m.name for m in marked]))
        self.marked_streams = marked
        for _ in range(draw.choice([1, 1, 2])):
            self.chain(draw.choice(marked))
        if draw.random() < 0.3:
            self.watch(draw.choice(marked))
        self.nodes = self.alive()
        greatest = draw.random() < 0.3
        source = {"plugin": "queue", "batches": [], "columns": "k string, v int64, ts timestamp"}
        self.job = {"name": "trial", "trigger": "asap", "no_data_batches": self.empty_batches,
                    "watermark_policy": "max" if greatest else "min",
                    "sources": {name: dict(source, partitions=draw.randint(1, 3)) for name in "ab"},
                    "operators": self.operators, "sinks": self.sinks}
        self.clock, self.number, self.steps, self.batches = Clock(self.nodes, greatest), 0, [], []
        for _ in range(draw.randint(3, 9)):
            self.drive()
        self.scenario = {"workers": some_workers(draw), "job": self.job,
                         "steps": self.steps + [{"expect": {}}]}
        self.shuffle()

    def alive(self):
        """What leads to a sink; the rest of a job does not run, and its watermarks do not count."""
        alive = set(self.watched)
        for node in reversed(self.nodes):
            if node.name in alive:
                alive.update(one.name for one in node.inputs)
        return [node for node in self.nodes if node.name in alive]

    # ---- the job ----

    def op(self, plugin, source, /, **options):
        name = "%s_%d" % (plugin, len(self.operators))
        self.operators[name] = dict({"plugin": plugin, "from": source}, **options)
        return name

    def node(self, plugin, inputs, fn=None, op=None, source=None, known=None, **options):
        """A stateless step of one operator."""
        made = Node(self.op(op or plugin, source or inputs[0].name, **options), inputs, fn, **(known or {}))
        self.nodes.append(made)
        return made

    def state(self, name, inputs, step, **known):
        made = State(name, inputs, step, **known)
        self.nodes.append(made)
        return made

    def marked(self, source):
        if self.draw.random() < 0.3:
            source = self.row_step(source)
        delay = self.draw.choice([0, 2, 5, 10])
        return self.node("watermark", [source], column="ts", delay="%ds" % delay,
                         known={"marks": delay * SECOND, "delay": delay * SECOND, "marked": True})

    def row_step(self, s):
        kind = self.draw.choice(["filter", "number", "text", "select"])
        if kind == "filter":
            text, fn = self.draw.choice(CONDITIONS)
            return self.node("filter", [s], lambda k, v, t: [(k, v, t)] if fn(k, v) else [], where=text)
        if kind == "text":
            text, fn = self.draw.choice(TEXTS)
            return self.node("with_column", [s], lambda k, v, t: [(fn(k, v), v, t)], name="k", expr=text)
        text, fn = self.draw.choice(NUMBERS)
        if kind == "number":
            return self.node("with_column", [s], lambda k, v, t: [(k, fn(k, v), t)], name="v", expr=text)
        return self.node("select", [s], lambda k, v, t: [(k, fn(k, v), t)],
                         columns=["k", text + " as v", s.time or "ts"])

    def timed(self, s):
        """Without rows that have no time."""
        if not s.nulls:
            return s
        return self.node("filter", [s], lambda k, v, t: [(k, v, t)] if t is not None else [],
                         where=s.time + " is not null", known={"nulls": False})

    def chain(self, s):
        for left in range(self.draw.choice([1, 1, 2, 2, 3]), 0, -1):
            if self.draw.random() < 0.3:
                s = self.row_step(s)
            fitting = [step for step in STEPS + (LAST if left == 1 else [])
                       if NEEDS.get(step, "aggregate") in THERE]
            made = self.draw.choice(fitting)(self, s)
            if made is None:
                continue
            s = made
            if not s.time:
                break
        self.watch(s)

    def watch(self, s):
        if s.name in self.watched:
            return
        self.watched.append(s.name)
        at = s.name
        if s.time not in (None, "ts"):
            at = self.op("select", s.name, columns=["k", "v", "%s.end as ts" % s.time])
        self.sinks["out_" + s.name] = {"plugin": "null", "from": at}

    # ---- its input ----

    def some_rows(self):
        rows = []
        self.at += self.draw.choice([0, 1, 3, 8, 20])
        for _ in range(self.draw.randint(1, 6)):
            t = max(1, self.at - self.draw.choice([0, 0, 1, 2, 4, 9, 20, 45]))
            if self.draw.random() < 0.08:
                t = None
            rows.append((self.draw.choice(KEYS), self.draw.choice([None, 0, 1, 2, 5, -4]), t))
        return rows

    def drive(self):
        """Rows, the batches that they make, and how it goes on from there."""
        draw, rows = self.draw, {}
        for name in "ab":
            rows[name] = self.some_rows() if draw.random() < 0.8 else []
        if not any(rows.values()):
            return
        crash = (draw.choice(POINTS), draw.choice([0, 0, 1, 2])) if draw.random() < 0.3 else None
        at, struck = len(self.steps), False
        self.steps.append({"rows": {name: [[k, v, stamp(t)] for k, v, t in some]
                                    for name, some in rows.items()}})
        given = {name: [(k, v, None if t is None else t * SECOND) for k, v, t in some]
                 for name, some in rows.items()}
        done = 0
        while True:
            strikes = crash is not None and crash[1] == done
            if strikes:
                struck = True
                self.steps.insert(at, {"crash": "%s %d" % (crash[0], self.number)})
            self.run_batch(given, again=strikes and crash[0] == "after plan")
            if strikes and crash[0] != "after plan":
                self.clock.restarted()
                break
            given, done = {"a": [], "b": []}, done + 1
            if not (self.empty_batches and self.awaited()):
                break
        if struck:
            self.steps.append({"restart": {"workers": draw.choice([1, 2, 4, 7])}})
        elif draw.random() < 0.1:
            self.steps += [{"stop": True}, {"restart": {"workers": draw.choice([1, 3, 7])}}]
            self.clock.restarted()
        self.steps.append({"expect": {}})

    # ---- the model ----

    def spread(self, mark):
        """The input watermark of every operator, and the output one."""
        inputs, outputs = {}, {}
        for node in self.nodes:
            marks = [outputs[one.name] for one in node.inputs if outputs[one.name] is not None]
            inputs[node.name] = min(marks, default=None)
            outputs[node.name] = mark if node.marks is not None else \
                None if inputs[node.name] is None else node.behind(inputs[node.name])
        return inputs

    def awaited(self):
        before, after = self.spread(self.clock.evict), self.spread(self.clock.next)
        return any(node.waits and after[node.name] is not None and after[node.name] > before[node.name]
                   for node in self.nodes)

    def run_batch(self, given, again):
        """A batch; `again`: planned by a process that died, run by the next one."""
        clock, out = self.clock, {}
        clock.begin()
        if again:
            clock.restarted()
        late, evict = self.spread(clock.late), self.spread(clock.evict)
        for node in self.nodes:
            rows = [out[one.name] for one in node.inputs]
            out[node.name] = given[node.name] if not node.inputs else \
                node.batch(rows, late[node.name], evict[node.name])
            if node.marks is not None:
                clock.saw(node.name, [t for _, _, t in out[node.name] if t is not None])
        clock.end()
        self.batches.append({name: out[name] for name in self.watched})
        self.number += 1

    def judge(self, play):
        for name in self.watched:
            came = {one["batch"]: [(row[0], row[1], to_us(row[2])) for row in one["rows"]]
                    for one in play["sinks"].get("out_" + name, [])}
            for number, batch in enumerate(self.batches):
                problem = differ("%s, batch %d" % (name, number), batch[name], came.get(number))
                if problem:
                    return problem
            if len(came) > len(self.batches):
                return "%s: expected %d batches, came %d" % (name, len(self.batches), len(came))
        return None


def to_us(text):
    """A timestamp of 1970-01-01, with a fraction or without, in microseconds."""
    if text is None:
        return None
    whole, _, fraction = text.rstrip("Z").partition(".")
    return seconds(whole) * SECOND + int(fraction.ljust(6, "0") if fraction else 0)


# ---- steps ----

PLAIN = [one[:2] for one in AGGREGATES if not one[2]]


def aggregated(t, made, s, step, time):
    """An aggregation in append mode as a stream that goes on."""
    name = t.op("select", made, columns=["k", "v", time])
    return t.state(name, [s], step, time=time, ordered=False, nulls=False)


def by_columns(t):
    """Grouping columns, those of the select behind it, and the key of a row."""
    text, fn = t.draw.choice([("k", lambda k, v: k), ("coalesce(k, '-') as k", lambda k, v: "-" if k is None else k),
                              ("cast(v % 2 as string) as k",
                               lambda k, v: None if v is None else str(abs(v) % 2 * (1 if v > 0 else -1)))])
    return [text], fn


def windows_step(s, key, fn, length, slide, start, mode):
    """An aggregation over windows of event time."""
    state = {}

    def step(rows, late, evict):
        changed, late, evict = {}, -1 if late is None else late, -1 if evict is None else evict
        for k, v, t in rows:
            if t is None:
                continue
            begin = (s.assigned(t) - start) // slide * slide + start
            while begin > s.assigned(t) - length:
                end = begin + length
                if mode == "complete" or end > late:
                    state.setdefault((key(k, v), end), []).append((k, v))
                    changed[(key(k, v), end)] = True
                begin -= slide
        row = lambda at: (at[0], fn(state[at]), at[1])
        if mode == "complete":
            return [row(at) for at in state]
        gone = [at for at in state if at[1] <= evict]
        out = [row(at) for at in (changed if mode == "update" else gone)]
        for at in gone:
            del state[at]
        return out
    return step


def window_options(t, s):
    length = t.draw.choice([4, 5, 10, 30])
    slide = t.draw.choice([one for one in (length, 2, 5) if one <= length])
    start = t.draw.choice([0, 0, 1])
    window = {"on": s.time, "length": "%ds" % length}
    if slide != length:
        window["slide"] = "%ds" % slide
    if start:
        window["start"] = "%ds" % start
    return window, (length * SECOND, slide * SECOND, start * SECOND)


def step_windows(t, s, mode="append"):
    by, key = by_columns(t)
    text, fn = t.draw.choice(PLAIN)
    window, spans = window_options(t, s)
    made = t.op("aggregate", s.name, by=by, values={"v": text}, window=window, output_mode=mode)
    if mode == "append":
        return aggregated(t, made, s, windows_step(s, key, fn, *spans, mode), "window")
    name = t.op("select", made, columns=["k", "v", "window.end as ts"]) if t.draw.random() < 0.5 else \
        t.op("filter", made, where="true")
    stream = t.state(name, [s], windows_step(s, key, fn, *spans, mode), time="ts", ordered=False)
    stream.waits = mode != "complete"
    if name.startswith("filter"):
        t.operators[name + "_flat"] = {"plugin": "select", "from": name, "columns": ["k", "v", "window.end as ts"]}
        stream.name = name + "_flat"
    return stream


def last_windows(t, s):
    return step_windows(t, s, t.draw.choice(["update", "complete"]))


def step_all(t, s):
    """Windows over all keys."""
    text, fn = t.draw.choice(PLAIN)
    window, spans = window_options(t, s)
    made = t.op("aggregate", s.name, values={"v": text}, window=window, output_mode="append")
    name = t.op("select", made, columns=["'all' as k", "v", "window"])
    return t.state(name, [s], windows_step(s, lambda k, v: "all", fn, *spans, "append"),
                   time="window", ordered=False, nulls=False)


def step_by_time(t, s):
    """Groups of key and time itself."""
    text, fn = t.draw.choice(PLAIN)
    made = t.op("aggregate", s.name, by=["k", s.time], values={"v": text}, output_mode="append")
    state = {}

    def step(rows, late, evict):
        for k, v, at in rows:
            if at is None or at > late:
                state.setdefault((k, at), []).append((k, v))
        gone = [key for key in state if key[1] is not None and key[1] <= evict]
        return [(key[0], fn(state.pop(key)), key[1]) for key in gone]
    return t.state(t.op("select", made, columns=["k", "v", s.time]), [s], step, ordered=False)


def step_sessions(t, s):
    text, fn = t.draw.choice(PLAIN)
    of_row = t.draw.random() < 0.4
    gap = t.draw.choice([2, 5])
    gaps = (lambda k: 3 if k == "a" else 0 if k == "b" else gap) if of_row else (lambda k: gap)
    option = "case k when 'a' then interval '3s' when 'b' then interval '0s' else interval '%ds' end" % gap
    made = t.op("aggregate", s.name, by=["k"], values={"v": text}, output_mode="append",
                session={"on": s.time, "gap": option if of_row else "%ds" % gap})
    state = {}

    def step(rows, late, evict):
        for k, v, at in rows:
            if at is None or gaps(k) == 0:
                continue
            begin, end, kept = s.assigned(at), s.assigned(at) + gaps(k) * SECOND, [(k, v)]
            if end <= late:
                continue
            stay = []
            for one in state.get(k, []):
                if one[0] <= end and begin <= one[1]:
                    begin, end, kept = min(begin, one[0]), max(end, one[1]), one[2] + kept
                else:
                    stay.append(one)
            state[k] = stay + [(begin, end, kept)]
        out = []
        for k in state:
            out += [(k, fn(kept), end) for _, end, kept in state[k] if end <= evict]
            state[k] = [one for one in state[k] if one[1] > evict]
        return out
    return aggregated(t, made, s, step, "session")


def step_distinct(t, s):
    kinds = ["time", "all"] + (["key"] if s.ordered else []) + \
        (["within"] if s.ordered and s.time == "ts" else [])
    kind = t.draw.choice(kinds)
    if kind == "time" and not s.ordered:
        kind = "all"
    if kind == "within":
        s = t.timed(s)
    options = {"key": {"by": ["k"]}, "time": {"by": ["k", s.time]}, "all": {},
               "within": {"by": ["k"], "within_watermark": True}}[kind]
    state = {}

    def step(rows, late, evict):
        out = []
        for row in rows:
            k, _, at = row
            if at is not None and at <= late:
                continue
            key = {"key": k, "within": k, "time": (k, at), "all": row}[kind]
            if key not in state:
                state[key] = at
                out.append(row)
        gone = [] if kind == "key" else [key for key, at in state.items() if at is not None and
                                         at + (s.delay if kind == "within" else 0) <= evict]
        for key in gone:
            del state[key]
        return out
    return t.state(t.op("deduplicate", s.name, **options), [s], step, ordered=False)


def step_limit(t, s):
    if not s.ordered:
        return None
    left = [t.draw.randint(0, 12)]
    name = t.op("limit", s.name, n=left[0])

    def step(rows, late, evict):
        out = rows[:left[0]]
        left[0] -= len(out)
        return out
    made = t.state(name, [s], step)
    made.waits = False
    return made


def step_join(t, s):
    other = t.draw.choice(t.marked_streams)
    if s.time != "ts" or not s.marked:
        return None
    s, other = t.timed(s), t.timed(other)
    kind, bounds = t.draw.choice(STREAM_JOINS), t.draw.choice([None, (0, 5), (5, 0), (3, 8)])
    on = "l.k = r.k and l.ts = r.ts" if bounds is None else \
        "l.k = r.k and l.ts between r.ts - interval '%ds' and r.ts + interval '%ds'" % bounds
    whole = kind in ("right_outer", "full_outer")
    columns = ["coalesce(l.k, r.k) as k" if whole else "l.k", "l.v" if kind == "left_semi" else
               "coalesce(l.v, 7) * 3 + coalesce(r.v, 9) as v", "coalesce(l.ts, r.ts) as ts" if whole else "l.ts"]
    joined = model.Joined(kind, None if bounds is None else tuple(one * SECOND for one in bounds))

    def row(pair):
        if kind == "left_semi":
            return tuple(pair)
        ka, va, ta, kb, vb, tb = pair
        return (kb if ka is None else ka, (7 if va is None else va) * 3 + (9 if vb is None else vb),
                tb if ta is None else ta)

    def step(left, right, late, evict):
        return [row(pair) for pair in joined.batch(left, right, late, evict)]
    made = t.state(t.op("join", {"l": s.name, "r": other.name}, scope="stream", type=kind, on=on, columns=columns),
                   [s, other], step, ordered=False, time=None if whole else "ts")
    if bounds is not None:
        made.behind = lambda mark: mark - max(bounds) * SECOND - 1000
    return made


GROUPED = """
function f(key, rows, S, ctx)
  local n = S.exists and S.get().n or 0
  if S.timing_out then
    if n > 2 then S.remove() end
    return {{k = key, v = -100 - n}}
  end
  local last = ctx.watermark
  for _, row in ipairs(rows) do
    n = n + (row.v or 0)
    if row.ts and row.ts > last then last = row.ts end
  end
  S.update({n = n})
  if n %% 2 == 0 then S.set_timeout(last + %d000000) end
  return {{k = key, v = n}}
end
"""


def not_late(rows, late):
    return [row for row in rows if row[2] is None or row[2] > late]


def step_group_state(t, s):
    if s.time != "ts" or not s.marked:
        return None
    after = t.draw.choice([1, 5, 12])
    name = t.op("group_state", s.name, by=["k"], state="n int64", columns="k string, v int64", timeout="event_time",
                output_mode="append", lua={"source": GROUPED % after, "function": "f"})
    state, timeouts = {}, {}

    def step(rows, late, evict):
        given, out = model.groups(not_late(rows, late)), []
        due = [k for k, at in timeouts.items() if at < evict and k not in given]
        for k, some in given.items():
            timeouts.pop(k, None)
            n = state[k] = state.get(k, 0) + sum(v for _, v, _ in some if v is not None)
            if n % 2 == 0:
                last = max([evict] + [at for _, _, at in some if at is not None])
                timeouts[k] = last + after * SECOND
            out.append((k, n, None))
        for k in due:
            del timeouts[k]
            n = state.get(k, 0)
            if n > 2:
                del state[k]
            out.append((k, -100 - n, None))
        return out
    made = t.state(t.op("with_column", name, name="ts", expr="cast(null as timestamp)"), [s], step,
                   ordered=False, time=None)
    made.behind = lambda mark: None
    return made


STATEFUL = """
function f(key, rows, S, ctx)
  local m = S.map('m')
  if S.timing_out then
    local name = S.timing_out()
    m.remove(name)
    return {{k = key, v = 1000 + tonumber(name)}}
  end
  local n = 0
  for _, row in ipairs(rows) do
    if row.ts and row.v then
      m.put(tostring(row.v), {n = 1})
      S.timer(tostring(row.v), row.ts + %d000000)
    end
    n = n + 1
  end
  return {{k = key, v = #m.keys() * 100 + n}}
end
"""


def step_stateful(t, s):
    if s.time != "ts" or not s.ordered or not s.marked:
        return None
    after = t.draw.choice([0, 3, 10])
    name = t.op("stateful", s.name, by=["k"], maps={"m": "name string -> n int64"}, columns="k string, v int64",
                timeout="event_time", lua={"source": STATEFUL % after, "function": "f"})
    maps, timers = {}, {}

    def step(rows, late, evict):
        out = []
        for k, some in model.groups(not_late(rows, late)).items():
            for _, v, at in some:
                if at is not None and v is not None:
                    maps[(k, v)] = 1
                    timers[(k, v)] = at + after * SECOND
            out.append((k, sum(1 for one in maps if one[0] == k) * 100 + len(some), None))
        by_key = {}
        for key, at in timers.items():
            if at <= evict:
                by_key.setdefault(key[0], []).append((at, key[1]))
        for k, due in by_key.items():
            for _, v in due:
                del timers[(k, v)], maps[(k, v)]
                out.append((k, 1000 + v, None))
        return out
    made = t.state(t.op("with_column", name, name="ts", expr="cast(null as timestamp)"), [s], step,
                   ordered=False, time=None)
    made.behind = lambda mark: None
    return made


def last_totals(t, s):
    text, fn = t.draw.choice(PLAIN)
    state = {}

    def step(rows, late, evict):
        for k, v, _ in rows:
            state.setdefault(k, []).append((k, v))
        return [(k, fn(state[k]), None) for k in dict.fromkeys(k for k, _, _ in rows)]
    made = t.op("aggregate", s.name, by=["k"], values={"v": text}, output_mode="update")
    return t.state(t.op("with_column", made, name="ts", expr="cast(null as timestamp)"), [s], step,
                   ordered=False, time=None)


def last_late(t, s):
    """The rows that come late for all their windows."""
    window, (length, slide, start) = window_options(t, s)
    made = t.op("aggregate", s.name, by=["k"], values={"n": "count(*)"}, window=window, late="late")

    def step(rows, late, evict):
        return [row for row in rows if row[2] is not None and
                (s.assigned(row[2]) - start) // slide * slide + start + length <= late]
    return t.state(t.op("filter", made + ".late", where="true"), [s], step, ordered=False)


STEPS = [step_windows, step_windows, step_all, step_by_time, step_sessions, step_distinct, step_distinct, step_limit,
         step_join, step_join, step_group_state, step_stateful]
LAST = [last_windows, last_windows, last_totals, last_late]
NEEDS = {step_distinct: "deduplicate", step_limit: "limit", step_join: "join", step_group_state: "group_state",
         step_stateful: "stateful"}
