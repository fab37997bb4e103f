"""Values of per-batch streams as trees: leaves are columns or expressions, pairs have two sides.

A dataset of pairs has columns k and v; a pair inside of a pair is flattened into more columns. Lists
stay one column."""
import json


class Leaf:
    """One column: its type as weir writes it, and the expression that gives it."""

    def __init__(self, kind, expr, element=None, each=False):
        self.kind, self.expr = kind, expr
        self.element = element  # of a list: the tree of an element, its leaves are field names
        self.each = each        # the list is to become a row per element

    def leaves(self):
        return [self]

    def map(self, fn):
        return fn(self)


class Pair:
    """Two values."""

    def __init__(self, left, right):
        self.left, self.right = left, right

    def leaves(self):
        return self.left.leaves() + self.right.leaves()

    def map(self, fn):
        return Pair(self.left.map(fn), self.right.map(fn))


def named(tree, name="value"):
    """The tree over columns with the usual names."""
    if isinstance(tree, Leaf):
        return Leaf(tree.kind, name, tree.element)
    if name == "value":
        return Pair(named(tree.left, "k"), named(tree.right, "v"))
    return Pair(named(tree.left, name + "1"), named(tree.right, name + "2"))


def select_list(tree, names):
    """`expr as name`, for a select."""
    return ["%s as %s" % (have.expr, want.expr)
            for have, want in zip(tree.leaves(), names.leaves())]


def same_names(tree, names):
    return [a.expr for a in tree.leaves()] == [b.expr for b in names.leaves()]


def ddl(tree):
    """Columns as DDL text."""
    return ", ".join("%s %s" % (leaf.expr, leaf.kind) for leaf in tree.leaves())


def literal(value):
    """An SQL literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'%s'" % value.replace("'", "''")
    text = repr(value)
    return "(%s)" % text if text.startswith("-") else text


def kind_of(value):
    """The type of a plain value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    raise ValueError("no type for %s" % json.dumps(value))


def wider(a, b):
    if a is None or b is None or a == b:
        return a or b
    if {a, b} == {"int64", "float64"}:
        return "float64"
    raise ValueError("values of the types %s and %s in one column" % (a, b))


def tree_of(rows, name="value"):
    """The tree of plain rows: what the values are."""
    rows = [row for row in rows if row is not None]
    lists = [row for row in rows if isinstance(row, list)]
    if lists and len(lists) == len(rows) and (name == "value" or is_pair(lists)):
        left, right = ("k", "v") if name == "value" else (name + "1", name + "2")
        return Pair(tree_of([row[0] for row in rows], left),
                    tree_of([row[1] for row in rows], right))
    if lists:
        inner = tree_of([item for row in lists for item in row], "value")
        kind = inner.kind if isinstance(inner, Leaf) else "struct<%s>" % struct_ddl(inner)
        return Leaf("list<%s>" % kind, name, inner)
    kind = None
    for row in rows:
        kind = wider(kind, kind_of(row))
    return Leaf(kind or "int64", name)


def is_pair(lists):
    """Inside of a pair: two values of different types, in every row."""
    if any(len(row) != 2 for row in lists):
        return False
    return any(isinstance(row[0], list) != isinstance(row[1], list) or
               isinstance(row[0], str) != isinstance(row[1], str) for row in lists)


def struct_ddl(tree):
    return ", ".join("%s: %s" % (leaf.expr, leaf.kind) for leaf in tree.leaves())


def flatten(tree, value):
    """A plain row as a list of columns."""
    if isinstance(tree, Leaf):
        return [value]
    if value is None:
        return [None] * len(tree.leaves())
    return flatten(tree.left, value[0]) + flatten(tree.right, value[1])


def unflatten(tree, columns):
    """The plain value of a row, from its columns in order."""
    if isinstance(tree, Leaf):
        return plain(tree, columns.pop(0))
    return [unflatten(tree.left, columns), unflatten_side(tree.right, columns)]


def unflatten_side(tree, columns):
    if isinstance(tree, Pair) and all(v is None for v in columns[:len(tree.leaves())]):
        del columns[:len(tree.leaves())]
        return None
    return unflatten(tree, columns)


def plain(leaf, value):
    """A column's value: structs in lists become the values that they are."""
    if isinstance(value, list):
        return [element(leaf.element, item) for item in value]
    return value


def element(tree, item):
    if isinstance(item, dict):
        if tree is None:
            return list(item.values())
        names = [leaf.expr for leaf in tree.leaves()]
        values = [item[name] for name in names] if set(names) <= set(item) \
            else list(item.values())
        return unflatten(tree, values)
    return plain(tree, item) if isinstance(tree, Leaf) else item
