"""What all kinds of trials share: names, values, comparison."""

KEYS = ["a", "b", "c", "d", "", "é", None]
JOINS = ["inner", "left_outer", "right_outer", "full_outer", "left_semi", "left_anti"]
STREAM_JOINS = ["inner", "left_outer", "right_outer", "full_outer", "left_semi"]
THERE = set()  # operators that the engine has; set by the command


def stamp(s):
    """Seconds as a timestamp of 1970."""
    return None if s is None else "1970-01-01T%02d:%02d:%02dZ" % (s // 3600, s // 60 % 60, s % 60)


def seconds(text):
    """A timestamp of 1970-01-01 in seconds; dates before it count down."""
    if text is None:
        return None
    day, clock = text.rstrip("Z").split("T")
    h, m, s = clock.split(":")
    base = -86400 if day == "1969-12-31" else 0
    return base + int(h) * 3600 + int(m) * 60 + int(float(s))


def canonical(rows):
    return sorted(rows, key=repr)


def differ(what, want, got, exact=False):
    """None, or the difference in words."""
    if want is None or got is None:
        return None if want is got else "%s: expected %s, came %s" % (what, want, got)
    if not exact:
        want, got = canonical(want), canonical(got)
    return None if want == got else "%s: expected %s, came %s" % (what, want, got)


def some_workers(draw):
    if draw.random() < 0.15:
        return [1, 2, 7]
    return [draw.choice([1, 2, 3, 5, 7])]


class Trial:
    """A scenario and what is expected of it."""

    def __init__(self, draw):
        self.draw = draw
        self.operators, self.sinks, self.expected = {}, {}, {}

    def add(self, name, operator, expected, columns=None):
        """A branch with a sink of its own; `columns` selects what can be compared."""
        self.operators[name] = operator
        at = name
        if columns:
            at = name + "_flat"
            self.operators[at] = {"plugin": "select", "from": name, "columns": columns}
        self.sinks["out_" + name] = {"plugin": "null", "from": at}
        self.expected["out_" + name] = expected

    def shuffle(self):
        """Operators may be declared in any order. The last draw, so that seeds stay what they are."""
        operators = list(self.job["operators"].items())
        self.draw.shuffle(operators)
        self.job["operators"] = dict(operators)

    def rows(self, most, spread=1):
        return [(self.draw.choice(KEYS), self.draw.choice([None] + list(range(-3, 6))))
                for _ in range(self.draw.randint(0, most) * spread)]


class Ticks(Trial):
    """Batches by the tick, of two sources `a` and `b`."""

    def __init__(self, draw):
        super().__init__(draw)
        self.n = draw.randint(3, 10)
        self.a, self.b = [], []

    def batch(self, absent):
        return None if absent and self.draw.random() < 0.3 else self.rows(6)

    def steps(self, absent):
        """Rows and ticks. A stop finishes the batch under way: an empty one more, for the next tick."""
        steps, draw = [], self.draw
        for _ in range(self.n):
            a, b = self.batch(absent), self.batch(False)
            number = len(self.a)
            self.a.append(a)
            self.b.append(b)
            steps.append({"rows": {"a": None if a is None else [list(row) for row in a],
                                   "b": [list(row) for row in b]}})
            crash = draw.random() < 0.2
            if crash:
                point = draw.choice(["after plan", "after state", "before commit", "after commit"])
                steps.append({"crash": "%s %d" % (point, number)})
            steps.append({"advance": "1s"})
            if crash:
                steps.append({"restart": {"workers": draw.choice([1, 2, 4, 7])}})
            elif draw.random() < 0.15:
                steps += [{"restart": {"workers": draw.choice([1, 2, 4, 7])}}, {"advance": "1s"}]
                self.a.append([])
                self.b.append([])
        return steps + [{"expect": {}}]
