"""Expressions of the cases as SQL, with their types."""
from adapter.outcome import Unfit
from adapter.values import kind_of, literal

TYPES = {"int": "int32", "long": "int64", "bigint": "int64", "double": "float64",
         "float": "float64", "boolean": "bool", "string": "string", "timestamp": "timestamp",
         "date": "date", "binary": "binary", "int32": "int32", "int64": "int64",
         "float64": "float64", "bool": "bool", "integer": "int32", "short": "int32",
         "byte": "int32"}
WINDOW = "struct<start: timestamp, end: timestamp>"


def column_type(text):
    """The type of a column of a schema."""
    text = text.rstrip("?")
    if text.endswith("[]"):
        return "list<%s>" % column_type(text[:-2])
    if text not in TYPES:
        raise Unfit("the type %r" % text)
    return TYPES[text]


def interval(ms):
    """Milliseconds as an interval."""
    return "interval '%dms'" % ms


class Scope:
    """Columns that an expression may name: name -> (type, how it is written)."""

    def __init__(self, columns):
        self.columns = columns

    def column(self, name):
        if name not in self.columns:
            # a column that is not there: the engine has to find that
            return "int64", name
        return self.columns[name]


def scope_of(schema, prefix=""):
    return Scope({name: (kind, prefix + quoted(name)) for name, kind in schema})


def quoted(name):
    """A name as the language has it."""
    plain = name.replace("_", "a").isalnum() and not name[0].isdigit()
    return name if plain and name.isascii() else '"%s"' % name


BINARY = {"add": "+", "sub": "-", "mul": "*", "mod": "%", "eq": "=", "lt": "<", "le": "<=",
          "gt": ">", "ge": ">=", "ne": "<>", "and": "and", "or": "or"}
NUMERIC = ("add", "sub", "mul", "mod")


def render(expr, scope):
    """(type, text) of an expression."""
    if isinstance(expr, dict):
        if "col" in expr:
            return scope.column(expr["col"])
        if "by_value" in expr:
            return gap(expr, scope)
        raise Unfit("the expression %r" % expr)
    if not isinstance(expr, list):
        return (kind_of(expr) if expr is not None else "null"), literal(expr)
    name, arguments = expr[0], expr[1:]
    if name in BINARY:
        return binary(name, [render(one, scope) for one in arguments])
    make = CALLS.get(name)
    if not make:
        raise Unfit("the function %r in an expression" % name)
    return make(arguments, scope)


def binary(name, sides):
    text = "(" + (" %s " % BINARY[name]).join(text for _, text in sides) + ")"
    if name not in NUMERIC:
        return "bool", text
    kinds = [kind for kind, _ in sides]
    return ("float64" if "float64" in kinds else "int64"), text


def one(fmt, kind):
    """A function of one argument."""
    return lambda arguments, scope: (kind, fmt % render(arguments[0], scope)[1])


def field(arguments, scope):
    kind, text = render(arguments[0], scope)
    kinds = dict(part.strip().split(": ", 1) for part in kind[7:-1].split(", ")) \
        if kind.startswith("struct<") else {}
    return kinds.get(arguments[1], "timestamp"), "%s.%s" % (text, quoted(arguments[1]))


def window(arguments, scope):
    kind, text = render(arguments[0], scope)
    if kind == WINDOW:
        text = "window_time(%s)" % text
    lengths = arguments[1:]
    if len(lengths) >= 2 and lengths[1] != lengths[0]:
        raise Unfit("a sliding window inside of another expression")
    parts = [text, interval(lengths[0])]
    if len(lengths) > 2 and lengths[2]:
        parts.append(interval(lengths[2]))
    return WINDOW, "window(%s)" % ", ".join(parts)


def sliding(expr, scope):
    """(type, text) of the list of windows that a time is in, where they overlap; None for any other expression.

    Where the slide divides the length, the windows are those of `length` / `slide` grids that do not
    overlap, each a slide behind the one before."""
    if not isinstance(expr, list) or expr[0] != "window" or len(expr) < 4 or expr[3] == expr[2]:
        return None
    length, slide, start = expr[2], expr[3], expr[4] if len(expr) > 4 else 0
    if length % slide:
        raise Unfit("a sliding window whose slide does not divide its length, outside of group_by")
    windows = [window([expr[1], length, length, (start + i * slide) % length], scope)[1]
               for i in range(length // slide)]
    return "list<%s>" % WINDOW, "array(%s)" % ", ".join(windows)


def between(arguments, scope):
    x, low, high = (render(one, scope)[1] for one in arguments)
    return "bool", "(%s between %s and %s)" % (x, low, high)


def add_ms(arguments, scope):
    _, text = render(arguments[0], scope)
    n = arguments[1]
    if not isinstance(n, int):
        return "timestamp", "(%s + interval '1ms' * %s)" % (text, render(n, scope)[1])
    return "timestamp", "(%s %s %s)" % (text, "-" if n < 0 else "+", interval(abs(n)))


def gap(expr, scope):
    """A gap that depends on the row."""
    kind, of = render(expr["of"], scope)
    typed = (lambda value: int(value)) if kind in ("int32", "int64") else str
    cases = "".join(" when %s then %s" % (literal(typed(value)), interval(ms))
                    for value, ms in expr["by_value"].items())
    return "interval", "case %s%s else %s end" % (of, cases, interval(expr["default"]))


CALLS = {
    "s_to_ts": one("from_unix(%s)", "timestamp"),
    "ts_to_s": one("unix_seconds(%s)", "int64"),
    "add_ms": add_ms,
    "between": between,
    "contains": lambda a, s: ("bool", "contains(%s, %s)" % (render(a[0], s)[1],
                                                            render(a[1], s)[1])),
    "not": one("(not %s)", "bool"),
    "is_null": one("(%s is null)", "bool"),
    "is_not_null": one("(%s is not null)", "bool"),
    "field": field,
    "window": window,
    "window_time": one("window_time(%s)", "timestamp"),
    "batch_time_s": lambda a, s: ("int64", "unix_seconds(now())"),
}
