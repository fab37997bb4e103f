"""The named functions of the cases: what each is as an expression, or as text in Lua."""
from adapter.outcome import Unfit
from adapter.values import Leaf, Pair, kind_of, literal

# Operators that run a function of the author. One that fails ends the query.
CODE = ("lua", "update_state_by_key", "map_with_state", "group_state", "stateful")



def spec_of(fn):
    """(name, parameters)"""
    return (fn, {}) if isinstance(fn, str) else (fn["name"], fn)


def number(kind, other):
    return "float64" if "float64" in (kind, other) else "int64"


def length(x):
    return Leaf("int64", "%s(%s)" % ("size" if x.kind.startswith("list") else "length", x.expr))


def arithmetic(x, sign, n):
    return Leaf(number(x.kind, kind_of(n)), "(%s %s %s)" % (x.expr, sign, literal(n)))


def plus(x, y):
    """a + b of values: concatenation for text."""
    if x.kind == "string":
        return Leaf("string", "(%s || %s)" % (x.expr, y.expr))
    return Leaf(x.kind, "(%s + %s)" % (x.expr, y.expr))


def constant(v):
    if isinstance(v, list):
        return Pair(constant(v[0]), constant(v[1]))
    return Leaf(kind_of(v), literal(v))


# map: tree -> tree
MAPS = {
    "identity": lambda x, p: x,
    "to_string": lambda x, p: Leaf("string", "cast(%s as string)" % x.expr),
    "to_int": lambda x, p: Leaf("int64", "cast(%s as int64)" % x.expr),
    "add": lambda x, p: arithmetic(x, "+", p["n"]),
    "mul": lambda x, p: arithmetic(x, "*", p["n"]),
    "append_str": lambda x, p: Leaf("string", "(%s || %s)" % (x.expr, literal(p["s"]))),
    "key_by_length": lambda x, p: Pair(length(x), x),
    "sort_values": lambda x, p: Pair(x.left, Leaf(x.right.kind, "array_sort(%s)" % x.right.expr,
                                                  x.right.element)),
    "length": lambda x, p: length(x),
    "upper": lambda x, p: Leaf("string", "upper(%s)" % x.expr),
    "pair_with": lambda x, p: Pair(x, constant(p["v"])),
    "pair_self": lambda x, p: Pair(x, x),
    "pair_value_length": lambda x, p: Pair(x, length(x)),
    "mod_pair_one": lambda x, p: Pair(Leaf("int64", "pmod(%s, %s)" % (x.expr, literal(p["n"]))),
                                      Leaf("int64", "1")),
    "swap": lambda x, p: Pair(x.right, x.left),
    "first": lambda x, p: x.left,
    "second": lambda x, p: x.right,
    "const": lambda x, p: constant(p["v"]),
}


def each(kind, expr):
    """A row per element of a list."""
    return Leaf(kind, expr, each=True)


def doubled(x):
    return "(%s || %s)" % (x.expr, x.expr) if x.kind == "string" else "(%s * 2)" % x.expr


# flat_map: tree -> tree in which one leaf is `each`
FLATS = {
    "self_and_double": lambda x, p: each(x.kind, "array(%s, %s)" % (x.expr, doubled(x))),
    "self_and_add": lambda x, p: each(x.kind, "array(%s, %s)"
                                      % (x.expr, plus(x, constant(p["n"])).expr)),
    "chars": lambda x, p: each("string", "split(%s, '')" % x.expr),
    "split_space": lambda x, p: each("string", "split(%s, ' ')" % x.expr),
    "length_and_chars": lambda x, p: Pair(length(x), each("string", "split(%s, '')" % x.expr)),
    "value_and_key_chars": lambda x, p: Pair(x.right,
                                             each("string", "split(%s, '')" % x.left.expr)),
    "suffix_1_2": lambda x, p: each("string", "array(%s || '1', %s || '2')" % (x.expr, x.expr)),
}

# filter: tree -> condition
PREDICATES = {
    "is_even": lambda x, p: "%s %% 2 = 0" % x.expr,
    "contains": lambda x, p: "contains(%s, %s)" % (x.expr, literal(p["s"])),
    "key_contains": lambda x, p: "contains(%s, %s)" % (x.left.expr, literal(p["s"])),
    "value_not_zero": lambda x, p: "%s <> 0" % x.right.expr,
}

# reduce: leaf -> aggregate
REDUCES = {
    "sum": lambda x: "sum(%s)" % x.expr,
    "max": lambda x: "max(%s)" % x.expr,
}

# map_partitions: tree -> (tree of the result, Lua)
PARTITIONS = {
    "sum_partition": lambda x: (Leaf(x.kind, "value"), """
function partition(rows, ctx)
  local sum = 0
  for _, row in ipairs(rows) do sum = sum + row.value end
  return {{value = sum}}
end
"""),
    "concat_upper": lambda x: (Leaf("string", "value"), """
function partition(rows, ctx)
  local all = {}
  for i, row in ipairs(rows) do all[i] = string.upper(row.value) end
  return {{value = table.concat(all)}}
end
"""),
}

# update_state_by_key: (value leaf, out tree for names) -> (columns of the state, Lua)
UPDATES = {
    "running_sum": lambda kind: ([("state", kind)], """
function update(key, rows, state, ctx)
  local sum = state and state.state or 0
  for _, row in ipairs(rows) do sum = sum + row.v end
  return {state = sum}
end
"""),
    "time_if_values": lambda kind: ([("state", "int64")], """
function update(key, rows, state, ctx)
  local old = state and state.state or 0
  if #rows == 0 then return {state = old} end
  return {state = old + TIME_MS}
end
"""),
    "drop_after_two_idle": lambda kind: ([("counter", "int64"), ("idle", "int64")], """
function update(key, rows, state, ctx)
  local counter, idle, sum = 0, 0, 0
  if state then counter, idle = state.counter, state.idle end
  for _, row in ipairs(rows) do sum = sum + row.v end
  if sum == 0 then idle = idle + 1 else counter, idle = counter + sum, 0 end
  if idle == 2 then return nil end
  return {counter = counter, idle = idle}
end
"""),
}


def summing(result):
    return """
function mapped(key, row, S, ctx)
  local sum = (row and row.v or 0) + (S.exists() and S.get().state or 0)
  S.update({state = sum})
  return %s
end
""" % result


# map_with_state: (key leaf, value leaf) -> (tree of the rows, Lua)
MAPPED = {
    "sum_emit_sum": lambda k, v: (Leaf(v.kind, "value"), summing("{{value = sum}}")),
    "sum_emit_pair": lambda k, v: (Pair(Leaf(k.kind, "k"), Leaf(v.kind, "v")),
                                   summing("{{k = KEY, v = sum}}")),
    "sum_emit_key_twice": lambda k, v: (Leaf(k.kind, "value"), summing(
        "{{value = KEY .. KEY}}" if k.kind == "string" else "{{value = KEY * 2}}")),
    "sum_emit_none": lambda k, v: (Leaf(k.kind, "value"), summing("{}")),
    "toggle_remove_emit_key": lambda k, v: (Leaf(k.kind, "value"), """
function mapped(key, row, S, ctx)
  if S.exists() then S.remove() return {{value = KEY}} end
  S.update({state = row.v})
  return {}
end
"""),
    "set_one_emit_key_on_timeout": lambda k, v: (Leaf(k.kind, "value"), """
function mapped(key, row, S, ctx)
  if row then S.update({state = 1}) end
  if S.timing_out() then return {{value = KEY}} end
  return {}
end
"""),
    "set_once_emit_key_on_timeout": lambda k, v: (Leaf(k.kind, "value"), """
function mapped(key, row, S, ctx)
  if row and not S.exists() then S.update({state = 1}) end
  if S.timing_out() then return {{value = KEY}} end
  return {}
end
"""),
}


def find(table, fn, what):
    """The entry of a function and its parameters."""
    name, parameters = spec_of(fn)
    if name not in table:
        raise Unfit("the %s function %r is not known" % (what, name))
    return table[name], parameters
