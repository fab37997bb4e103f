"""What operators compute, in plain lists and dicts: a model to hold the engine against.

A batch is a list of rows, None where the stream is absent. A row of a ticking job is (k, v); one with event time
is (k, v, t). Nothing here is shared with the engine.
"""


def groups(rows, key=lambda row: row[0]):
    """Rows by key, in the order of arrival."""
    out = {}
    for row in rows:
        out.setdefault(key(row), []).append(row)
    return out


def total(values):
    """sum() of SQL: null without values."""
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def least(values):
    values = [value for value in values if value is not None]
    return min(values) if values else None


def greatest(values):
    values = [value for value in values if value is not None]
    return max(values) if values else None


# ---- batches by themselves ----

def per_batch(fn):
    """An operator that looks at one batch; absent stays absent."""
    def run(batches):
        return [None if batch is None else fn(batch) for batch in batches]
    return run


def count(batch):
    return [[len(batch)]]


def reduced(batch):
    return [[total(v for _, v in batch), greatest(v for _, v in batch)]] if batch else []


def count_by_value(batch):
    return [[k, len(rows)] for k, rows in groups(batch).items()]


def reduce_by_key(batch):
    return [[k, total(v for _, v in rows), len(rows)] for k, rows in groups(batch).items()]


def group_by_key(batch):
    return [[k, [v for _, v in rows]] for k, rows in groups(batch).items()]


def join(kind, a, b):
    """Rows of two batches with equal keys; null equals nothing."""
    out, taken = [], set()
    for ka, va in a:
        hits = [i for i, (kb, _) in enumerate(b) if ka is not None and ka == kb]
        taken.update(hits)
        if kind == "left_semi":
            out += [[ka, va]] if hits else []
        elif kind == "left_anti":
            out += [] if hits else [[ka, va]]
        else:
            out += [[ka, va, b[i][0], b[i][1]] for i in hits]
            if not hits and kind in ("left_outer", "full_outer"):
                out.append([ka, va, None, None])
    if kind in ("right_outer", "full_outer"):
        out += [[None, None, kb, vb] for i, (kb, vb) in enumerate(b) if i not in taken]
    return out


def cogroup(a, b):
    left, right = groups(a), groups(b)
    keys = list(left) + [k for k in right if k not in left]
    return [[k, [v for _, v in left.get(k, [])], [v for _, v in right.get(k, [])]] for k in keys]


# ---- windows over batches: length and slide in batches ----

def windows(batches, length, slide):
    """(number of the batch, rows of the window), or None where there is no window."""
    for number in range(1, len(batches) + 1):
        if number % slide:
            yield None
        else:
            inside = batches[max(0, number - length):number]
            yield [row for batch in inside if batch is not None for row in batch]


def over_windows(fn, length, slide):
    def run(batches):
        return [None if rows is None else fn(rows) for rows in windows(batches, length, slide)]
    return run


class Refused(Exception):
    """The query ends with an error here."""


def inverse_by_key(length, slide, keep):
    """Keys stay, with what the inverse leaves of them, until `keep` drops them. A total is the one before, less what
    left, plus what came; without one before, what came. Rows that leave a key with neither end the query."""
    def part(batches, first, last):
        sums = {}
        for batch in batches[max(0, first - 1):max(0, last)]:
            for k, v in batch or []:
                sums[k] = sums.get(k, 0) + (v or 0)
        return sums

    def run(batches):
        totals, out = {}, []
        for number in range(1, len(batches) + 1):
            if number % slide:
                out.append(None)
                continue
            came = part(batches, max(number - slide, number - length) + 1, number)
            left = part(batches, number - slide - length + 1, min(number - slide, number - length))
            for k in left:
                if k not in totals and k not in came:
                    raise Refused("nothing is left to subtract them from")
                if k in totals:
                    totals[k] -= left[k]
            for k in came:
                totals[k] = totals.get(k, 0) + came[k]
            if keep:
                totals = {k: v for k, v in totals.items() if v != 0}
            out.append([[k, v] for k, v in totals.items()])
        return out
    return run


def counts_over_windows(length, slide):
    """Nothing before the first row, then counts, 0 included."""
    def run(batches):
        seen, out = False, []
        for rows in windows(batches, length, slide):
            seen = seen or bool(rows)
            out.append(None if rows is None else [[len(rows)]] if seen else [])
        return out
    return run


# ---- state by key ----

def update_by_key(batches):
    """State (sum, idle): two idle batches in a row drop the key."""
    state, out = {}, []
    for batch in batches:
        given = groups(batch or [])
        for k in list(state) + [k for k in given if k not in state]:
            counter, idle = state.get(k, (0, 0))
            s = sum(v for _, v in given.get(k, []) if v is not None)
            counter, idle = (counter, idle + 1) if s == 0 else (counter + s, 0)
            if idle == 2:
                state.pop(k, None)
            else:
                state[k] = (counter, idle)
        out.append([[k, counter, idle] for k, (counter, idle) in state.items()])
    return out


def mapped_with_state(batches):
    """A running sum per key, given for every row; without a dataset an empty result."""
    state, out = {}, []
    for batch in batches:
        rows = []
        for k, v in batch or []:
            state[k] = state.get(k, 0) + (v or 0)
            rows.append([k, state[k]])
        out.append(rows)
    return out


# ---- event time ----

class Joined:
    """Two streams by key and time: equal times, or left in [right - before, right + after]. Bounds with <= keep a row
    a millisecond longer: here, times being whole seconds, until the watermark is past the bound."""

    def __init__(self, kind, bounds):
        self.kind, self.bounds = kind, bounds
        self.left, self.right = [], []

    def match(self, a, b):
        if a[0] is None or a[0] != b[0] or a[2] is None or b[2] is None:
            return False
        if self.bounds is None:
            return a[2] == b[2]
        return b[2] - self.bounds[0] <= a[2] <= b[2] + self.bounds[1]

    def expired(self, row, evict, left):
        if row[2] is None:
            return False
        if self.bounds is None:
            return row[2] <= evict
        return row[2] + (self.bounds[0] if left else self.bounds[1]) < evict

    def batch(self, a, b, late, evict):
        out = []
        a = [[row, False] for row in a if row[2] is None or row[2] > late]
        b = [[row, False] for row in b if row[2] is None or row[2] > late]
        pairs = [(x, y) for x in a for y in self.right] + \
            [(x, y) for y in b for x in self.left + a]
        for x, y in pairs:
            if not self.match(x[0], y[0]):
                continue
            if self.kind == "left_semi":
                out += [] if x[1] else [list(x[0])]
            else:
                out.append(list(x[0]) + list(y[0]))
            x[1] = y[1] = True
        self.left += a
        self.right += b
        self.left = self.evicted(self.left, evict, True, out)
        self.right = self.evicted(self.right, evict, False, out)
        return out

    def evicted(self, rows, evict, left, out):
        alone = self.kind == "full_outer" or self.kind == ("left_outer" if left else "right_outer")
        stay = []
        for row, matched in rows:
            if not self.expired(row, evict, left):
                stay.append([row, matched])
            elif alone and not matched:
                out.append(list(row) + [None] * 3 if left else [None] * 3 + list(row))
        rows[:] = [entry for entry in rows if not self.expired(entry[0], evict, left)]
        return rows
