"""State functions of the incremental queries: what they are in Lua, their state and their rows."""
from adapter.functions import spec_of
from adapter.outcome import Unfit


class Function:
    """Text and types. `extra` are the columns behind the key."""

    def __init__(self, text, state="n int64", extra=(("count", "string"),), narrow=None):
        self.text, self.state, self.extra = text, state, extra
        self.narrow = narrow  # columns of rows of two values, where a case has such


def grouped(body):
    return "function grouped(key, rows, S, ctx)\n  local n = S.exists() and S.get().n or 0\n" \
        + body + "end\n"


def row(value):
    return "{{KEYCOL = KEY, count = %s}}" % value


TEXT = "string.format('%d', n)"

GROUP_STATES = {
    "count_forever": Function(grouped("""  n = n + #rows
  S.update({n = n})
  return %s
""" % row(TEXT))),
    "count_remove_at_3": Function(grouped("""  n = n + #rows
  if n >= 3 then S.remove() return {} end
  S.update({n = n})
  return %s
""" % row(TEXT))),
    "count_minus1_at_3": Function(grouped("""  n = n + #rows
  if n >= 3 then S.remove() return %s end
  S.update({n = n})
  return %s
""" % (row("'-1'"), row(TEXT)))),
    "count_each_remove_at_3": Function(grouped("""  local out = {}
  for _ = 1, #rows do
    n = n + 1
    if n >= 3 then S.remove() n = 0 out[#out + 1] = {KEYCOL = KEY, count = '3'}
    else S.update({n = n}) out[#out + 1] = {KEYCOL = KEY, count = string.format('%d', n)} end
  end
  return out
""")),
    "count_timeout_10s": Function(grouped("""  if S.timing_out() then S.remove() return %s end
  n = n + #rows
  S.update({n = n})
  S.set_timeout(10000)
  return %s
""" % (row("'-1'"), row(TEXT)))),
    "max_event_time_timeout_5s": Function("""
function grouped(key, rows, S, ctx)
  if S.timing_out() then S.remove() return {{KEYCOL = KEY, max = -1}} end
  local most = S.exists() and S.get().n or 0
  for _, row in ipairs(rows) do
    local s = math.floor(tonumber(row.TIMECOL) / 1000000)
    if s > most then most = s end
  end
  S.update({n = most})
  S.set_timeout((most + 5) * 1000000)
  return {{KEYCOL = KEY, max = most}}
end
""", extra=(("max", "int64"),)),
    "timeout_500ms_first_call_only": Function("""
function grouped(key, rows, S, ctx)
  if S.timing_out() then error("timed out") end
  if not S.exists() then S.update({n = 0}) S.set_timeout(500) return {{KEYCOL = KEY, count = '0'}} end
  return {}
end
"""),
    "list_values_and_count": Function("""
function grouped(key, rows, S, ctx)
  local n = S.exists() and S.get().n or 0
  local all = {}
  for i, row in ipairs(rows) do all[i] = row.KEYCOL end
  n = n + #rows
  if not string.find(KEY, "NoUpdate", 1, true) then S.update({n = n}) end
  return {{KEYCOL = KEY, values = all, count = string.format('%d', n)}}
end
""", extra=(("values", "list<string>"), ("count", "string"))),
}


def stateful(body):
    return "function stateful(key, rows, S, ctx)\n" + body + "end\n"


TRANSFORMS = {
    "count_calls_clear_at_3": Function(stateful("""  local n = (S.exists() and S.get().n or 0) + 1
  if n >= 3 then S.value.remove() return {} end
  S.value.update(n)
  return %s
""" % row(TEXT))),
    "count_calls_timer_5s_for_a_c": Function(stateful("""  if S.timing_out() then
    S.value.remove()
    return %s
  end
  local n = (S.exists() and S.get().n or 0) + 1
  if n == 1 and (KEY == 'a' or KEY == 'c') then S.timer('t', ctx.time + 5000000) end
  if n >= 3 then S.value.remove() return {} end
  S.value.update(n)
  return %s
""" % (row("'-1'"), row(TEXT)))),
    "count_rows_three_timers": Function(stateful("""  local n = S.exists() and S.get().n or 0
  if S.timing_out() then
    if S.timing_out() == 't3' then S.value.remove() end
    return %s
  end
  if n == 0 then
    S.timer('t1', ctx.time + 5000000)
    S.timer('t2', ctx.time + 10000000)
    S.timer('t3', ctx.time + 15000000)
  end
  S.value.update(n + #rows)
  return {}
""" % row(TEXT))),
}


TRANSFORMS["count_rows_replace_timer"] = Function(stateful("""  if S.timing_out() then return %s end
  local n = S.exists() and S.get().n or 0
  for _ = 1, #rows do
    n = n + 1
    if KEY == 'a' and n == 1 then S.timer('t', ctx.time + 5000000) end
    if KEY == 'a' and n == 2 then S.timer('t', nil) S.timer('t', ctx.time + 7500000) end
  end
  S.value.update(n)
  return %s
""" % (row("'-1'"), row(TEXT))))

TRANSFORMS["max_event_time_timer_5s"] = Function("""
function stateful(key, rows, S, ctx)
  if S.timing_out() then S.value.remove() return {{KEYCOL = KEY, max = -1}} end
  local most = S.exists() and S.get().n or 0
  for _, row in ipairs(rows) do
    local s = math.floor(tonumber(row.TIMECOL) / 1000000)
    if s > most then most = s end
  end
  S.value.update(most)
  S.timer('t', (most + 5) * 1000000)
  return {{KEYCOL = KEY, max = most}}
end
""", extra=(("max", "int64"),))

# rows are key, value, whether it tells the time to live, and when the value expires (-1: not told)
TRANSFORMS["ttl_value_60s"] = Function("""
function stateful(key, rows, S, ctx)
  local out = {}
  for _, row in ipairs(rows) do
    if row.action == 'put' then
      local now = math.floor(tonumber(ctx.time) / 1000)
      if KEY == 'no_ttl_key' then S.update({n = row.value, expiry = -1})
      else S.update({n = row.value, expiry = now + 60000}, 60000) end
    elseif row.action == 'clear' then
      S.remove()
    elseif S.exists() then
      local state = S.get()
      if row.action == 'get' then
        out[#out + 1] = {KEYCOL = KEY, value = state.n, is_ttl = false, expiry = -1}
      elseif state.expiry >= 0 then
        out[#out + 1] = {KEYCOL = KEY, value = -1, is_ttl = true, expiry = state.expiry}
      end
    end
  end
  return out
end
""", state="n int64, expiry int64", extra=(("value", "int64"), ("is_ttl", "bool"), ("expiry", "int64")),
    narrow=["key", "case when is_ttl then expiry else value end as value"])


def find(table, fn):
    """A function of the table."""
    name, _ = spec_of(fn)
    if name not in table:
        raise Unfit("the state function %r is not known" % name)
    return table[name]
