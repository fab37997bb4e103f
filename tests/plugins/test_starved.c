/*
 * test_starved.c - joins, lookup, deduplicate, union, with_column and the operators with state
 * functions where memory runs out: every allocation of every call fails once, and from there on for ever. Each time the
 * call says so, and nothing is left behind.
 */
#define ENTRY entry_operator_join
#include "tests/plugins/operator_case.h"

const struct weir_plugin *entry_operator_basic(const struct weir_host *, struct weir_error *);
const struct weir_plugin *entry_operator_lookup(const struct weir_host *, struct weir_error *);
const struct weir_plugin *entry_operator_deduplicate(const struct weir_host *, struct weir_error *);
#ifdef WITH_LUA
const struct weir_plugin *entry_operator_state(const struct weir_host *, struct weir_error *);
#endif

struct starved {
    rig_entry_fn entry;
    const char *name, *options;
    const char *ddls[2]; /* the second NULL: one input */
    uint64_t times;
    const char *rows[2][2]; /* of two batches, by input */
};

/* The class of the first call that failed. */
static int32_t play(const struct starved *s, uint64_t call, uint64_t at, int forever,
                    uint64_t *calls)
{
    const struct rig_cut whole = { 0 };
    struct rig one;
    memset(&one, 0, sizeof one);
    one.quiet = 1;
    one.fail_call = call;
    one.fail_at = at;
    one.fail_forever = forever;
    one.time_columns = s->times;
    one.delay_us = 1000000;
    one.late_us = WEIR_WATERMARK_NONE;
    one.evict_us = 1000000;
    int32_t result = rig_open(&one, s->entry, s->name, s->options, s->ddls[0], s->ddls[1], NULL);
    for (int b = 0; b < 2 && result == WEIR_OK; b++) {
        const char *rows[4] = { s->rows[b][0], s->rows[b][1] };
        result = rig_batch(&one, rows, whole);
        one.evict_us = INT64_MAX / 4; /* the second batch evicts everything */
    }
    if (result != WEIR_OK && result != WEIR_FATAL)
        fail_msg("%s, call %llu, allocation %llu: %d %s: %s", s->name, (unsigned long long)call,
                 (unsigned long long)at, result, one.error.option, one.error.text);
    *calls = one.calls;
    rig_close(&one);
    return result;
}

static void starve(const struct starved *s)
{
    uint64_t calls, ignored, failures = 0;
    assert_int_equal(play(s, 0, 0, 0, &calls), WEIR_OK);
    const uint64_t before = mem_in_use();
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t call = 1; call <= calls; call++)
            for (uint64_t at = 1; play(s, call, at, forever, &ignored) != WEIR_OK; at++) {
                failures++;
                if (mem_in_use() != before)
                    fail_msg("%s, call %llu, allocation %llu: %lld bytes are left", s->name,
                             (unsigned long long)call, (unsigned long long)at,
                             (long long)(mem_in_use() - before));
            }
    assert_true(failures > 2 * calls);
}

#define PAIR "k string, v int64, l list<string>, ts timestamp"
#define ROWS_1 "[[\"a\", 1, [\"x\", null], \"1970-01-01T00:00:02Z\"], [\"b\", 2, null, \"1970-01-01T00:00:02Z\"], [null, 3, [], null]]"
#define ROWS_2 "[[\"a\", 4, [], \"1970-01-01T00:00:03Z\"], [\"c\", 5, [\"y\"], \"1970-01-01T00:00:03Z\"]]"

static void joins(void **state)
{
    static const char *const options[] = {
        "\"scope\": \"stream\", \"type\": \"full_outer\", \"columns\": [\"one.*\", \"two.v as w\", \"two.l as m\"], "
        "\"on\": \"one.k = two.k and one.v > 0 and one.ts between two.ts - interval '1h' and two.ts + interval '1h'\"",
        "\"scope\": \"stream\", \"type\": \"left_semi\", \"on\": \"one.k = two.k and one.ts = two.ts\"",
        "\"scope\": \"batch\", \"type\": \"full_outer\", \"columns\": [\"one.*\", \"two.l as m\"], "
        "\"on\": \"one.k <=> two.k and one.v <> two.v and two.v > 0\"",
        "\"scope\": \"batch\", \"type\": \"left_anti\", \"on\": \"one.v < two.v\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        starve(&(struct starved){ entry_operator_join, "join", options[i], { PAIR, PAIR }, 8,
                                  { { ROWS_1, ROWS_2 }, { ROWS_2, ROWS_1 } } });
}

static void lookups(void **state)
{
    static const char *const options[] = {
        "\"on\": \"k = table.c\", \"type\": \"left_outer\", \"table\": {\"columns\": \"c string, n list<int64>\", "
        "\"rows\": [[\"a\", [1]], [\"b\", null]]}",
        "\"on\": \"k = table.c and v > table.n and v < 9\", \"columns\": [\"k\", \"v + n as w\"], "
        "\"table\": {\"columns\": \"c string, n int64\", \"rows\": [[\"a\", 0], [\"a\", 1]]}",
        "\"on\": \"k = table.c\", \"type\": \"left_anti\", \"table\": {\"columns\": \"c string\", \"rows\": [[\"a\"]]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        starve(&(struct starved){ entry_operator_lookup, "lookup", options[i], { PAIR, NULL }, 0,
                                  { { ROWS_1, NULL }, { ROWS_2, NULL } } });
}

static void deduplications(void **state)
{
    static const char *const options[] = { "\"by\": [\"k\"]", "\"by\": [\"k\", \"ts\"]",
                                           "\"by\": [\"k\", \"v\"], \"within_watermark\": true" };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        starve(&(struct starved){ entry_operator_deduplicate, "deduplicate", options[i],
                                  { PAIR, NULL }, 8, { { ROWS_1, NULL }, { ROWS_2, NULL } } });
}

static void unions_and_columns(void **state)
{
    (void)state;
    starve(&(struct starved){ entry_operator_basic, "union", "", { PAIR, PAIR }, 8,
                              { { ROWS_1, ROWS_2 }, { ROWS_2, ROWS_1 } } });
    starve(&(struct starved){ entry_operator_basic, "with_column",
                              "\"name\": \"w\", \"expr\": \"k || '!'\"", { PAIR, NULL }, 0,
                              { { ROWS_1, NULL }, { ROWS_2, NULL } } });
    starve(&(struct starved){ entry_operator_basic, "with_column",
                              "\"name\": \"v\", \"expr\": \"v * 2 + 1\"", { PAIR, NULL }, 8,
                              { { ROWS_1, NULL }, { ROWS_2, NULL } } });
}

#ifdef WITH_LUA
#define LUA(body) "\"by\": [\"k\", \"v % 2 as odd\"], \"lua\": {\"function\": \"f\", \"source\": \"" body "\"}, "
#define INITIAL "\"initial\": {\"columns\": \"k string, odd int64, s string\", \"rows\": [[\"a\", 1, \"i\"], [\"z\", 0, null]]}"

static void state_functions(void **state)
{
    static const struct {
        const char *name, *options;
    } cases[] = {
        { "update_state_by_key",
          LUA("function f(key, rows, s) if #rows > 0 then return {s = (s and s.s or '') .. #rows} end end")
          "\"state\": \"s string\", " INITIAL },
        { "map_with_state",
          LUA("function f(key, row, S, ctx) S.update({s = 'x' .. (S.exists and S.get().s or '')}) return {k = key.k} end")
          "\"state\": \"s string\", \"columns\": \"k string\", \"timeout\": \"1h\", " INITIAL },
        { "group_state",
          LUA("function f(key, rows, S, ctx) S.update({s = 'x' .. #rows}) S.set_timeout(1) return {k = key.k, t = S.timing_out} end")
          "\"state\": \"s string\", \"columns\": \"k string, t bool\", \"timeout\": \"processing_time\", " INITIAL },
        { "stateful",
          LUA("function f(key, rows, S, ctx) local l, m = S.list('l'), S.map('m') for _, r in ipairs(rows) do "
              "l.append({x = r.v}) m.put(r.v, {y = 'y'}, 10) end S.update({s = 'x'}) S.timer('t', ctx.time) "
              "if S.timing_out then l.clear() m.clear() end return {k = key.k, n = #l.get() + #m.keys()} end")
          "\"state\": \"s string\", \"columns\": \"k string, n int64\", \"timeout\": \"processing_time\", "
          "\"lists\": {\"l\": \"x int64\"}, \"maps\": {\"m\": \"x int64 -> y string\"}, \"ttl\": \"1h\", " INITIAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        starve(&(struct starved){ entry_operator_state, cases[i].name, cases[i].options,
                                  { PAIR, NULL }, 0, { { ROWS_1, NULL }, { ROWS_2, NULL } } });
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(joins),
        TEST(lookups),
        TEST(deduplications),
        TEST(unions_and_columns),
#ifdef WITH_LUA
        TEST(state_functions),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
