"""How a case came out, and the comparison of rows."""
import json
import math
import re


class Skip(Exception):
    """The case asks for what the engine does not claim to have."""


class Unfit(Exception):
    """The case can't be put as a job: something of it is not known."""


class Outcome:
    """A result, with advisory figures apart."""

    def __init__(self, result, why="", advisory=(), advisory_met=0):
        self.result, self.why = result, why
        self.advisory, self.advisory_met = list(advisory), advisory_met

    def __str__(self):
        return self.result + (": " + tidy(self.why) if self.why else "")

    def json(self):
        """As a value for JSON."""
        value = {"result": self.result}
        if self.why:
            value["why"] = self.why
        if self.advisory:
            value["advisory"] = self.advisory
        return value


def tidy(text):
    """On one line, without the paths of files that are gone."""
    text = re.sub(r"/\S*/(\S+?\.json)", r"\1", " ".join(text.split()))
    return re.sub(r"(^| )# +", r"\1", text)


def canonical(value):
    """A text by which equal values sort together: 5 and 5.0 are equal."""
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return "%.10g" % value if abs(value) < 1e9 or isinstance(value, float) else str(value)


def sort_inside(row, depth):
    """Lists at a depth of a row, sorted."""
    if not isinstance(row, list):
        return row
    if depth == 0:
        return sorted(row, key=canonical)
    return row[:1] + [sort_inside(item, depth - 1) for item in row[1:]]


def by_rule(row, order):
    """A row with what may come in any order sorted."""
    if order == "key_values_any":
        return sort_inside(row, 1)
    if order == "cogroup_any":
        return [row[0], [sort_inside(side, 0) for side in row[1]]]
    return row


def differ(expected, got, order="any"):
    """None where the rows are equal, else what differs in words."""
    want = [canonical(by_rule(row, order)) for row in expected]
    have = [canonical(by_rule(row, order)) for row in got]
    if order != "exact":
        want, have = sorted(want), sorted(have)
    if want == have:
        return None
    return "expected %s, came %s" % (shorten(want), shorten(have))


def shorten(rows):
    """Rows as text of a bearable length."""
    text = "[" + ", ".join(rows) + "]"
    return text if len(text) <= 300 else text[:297] + "..."
