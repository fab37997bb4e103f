/*
 * test_operator_join.c - what bind makes of `on`: keys, filters, the exchange, bounds. Rows are
 * played by the scenarios.
 */
#define ENTRY entry_operator_join
#include "tests/plugins/operator_case.h"

#include "plugins/operator_join/op.h"

#define LEFT "k int, s string, ts timestamp, w struct<start: timestamp, end: timestamp>, l list<int64>"
#define RIGHT "k int64, s string, at timestamp, w struct<start: timestamp, end: timestamp>, l list<int64>"

static void open_join(const char *options, uint64_t left_times, uint64_t right_times)
{
    rig_close(&rig);
    memset(&rig, 0, sizeof rig);
    rig.input_times[0] = left_times;
    rig.input_times[1] = right_times;
    if (rig_open(&rig, ENTRY, "join", options, LEFT, RIGHT, NULL) != WEIR_OK)
        fail_msg("%s: %s: %s", options, rig.error.option, rig.error.text);
}

static void refused(const char *option, const char *part, const char *options, uint64_t left_times,
                    uint64_t right_times)
{
    rig_close(&rig);
    memset(&rig, 0, sizeof rig);
    rig.input_times[0] = left_times;
    rig.input_times[1] = right_times;
    assert_int_equal(rig_open(&rig, ENTRY, "join", options, LEFT, RIGHT, NULL),
                     WEIR_CONFIG);
    assert_string_equal(rig.error.option, option);
    if (!strstr(rig.error.text, part)) fail_msg("%s", rig.error.text);
}

static const struct join_op *op(void) { return rig.self; }

#define BATCH(on) "\"scope\": \"batch\", \"columns\": [\"one.s\"], \"on\": \"" on "\""
#define STREAM(type, on)                                                                           \
    "\"scope\": \"stream\", \"columns\": [\"one.s\"], \"type\": \"" type "\", \"on\": \"" on "\""

static void conditions_are_keys_filters_or_the_rest(void **state)
{
    const struct join *join;
    (void)state;
    open_join(BATCH("two.s = one.s and one.k > 3 and two.k <> 4 and one.ts < two.at and one.k <=> two.k"),
              0, 0);
    join = &op()->join;
    assert_int_equal(join->n_keys, 2);
    assert_int_equal(join->keys[0].column[0], 1);
    assert_int_equal(join->keys[0].column[1], 1);
    assert_false(join->keys[0].null_safe);
    assert_true(join->keys[1].null_safe);
    assert_int_equal(join->keys[1].column[0], -1); /* int is cast to int64 */
    assert_int_equal(join->keys[1].column[1], 0);
    assert_int_equal(join->n_filters[0], 1);
    assert_int_equal(join->n_filters[1], 1);
    assert_int_equal(join->n_rest, 1);
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_HASHED);
    assert_int_equal(rig.plan.distribution[0].n_columns, 2);
    assert_int_equal(rig.plan.reads[0], 1 | 2 | 4);
    assert_int_equal(rig.plan.reads[1], 1 | 2 | 4);
    assert_true(rig.plan.flags & WEIR_PLAN_TICKING);
}

static void only_what_is_needed_crosses_the_exchange(void **state)
{
    char *ddl;
    (void)state;
    open_join(BATCH("two.s = one.s and one.k = two.k"), 0, 0);
    ddl = schema_ddl(&rig.plan.distribution[0].exchange);
    assert_string_equal(ddl, "c0 string, k1 int64");
    mem_free(ddl);
    ddl = schema_ddl(&rig.plan.distribution[1].exchange);
    assert_string_equal(ddl, "c0 int64, c1 string");
    mem_free(ddl);
    assert_int_equal(rig.plan.distribution[1].columns[0], 1);
    assert_int_equal(rig.plan.distribution[1].columns[1], 0);
}

static void a_struct_is_a_key_by_its_fields(void **state)
{
    (void)state;
    open_join(BATCH("one.w = two.w"), 0, 0);
    assert_int_equal(op()->join.n_keys, 1);
    assert_int_equal(op()->join.n_leaves, 3);
    open_join(BATCH("one.l = two.l"), 0, 0); /* a list can't be one */
    assert_int_equal(op()->join.n_keys, 0);
    assert_int_equal(op()->join.n_rest, 1);
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_SINGLE);
    open_join(BATCH("one.k = 3 and one.k + two.k = two.k"), 0, 0); /* no side each */
    assert_int_equal(op()->join.n_keys, 0);
    assert_int_equal(op()->join.n_filters[0], 1);
    assert_int_equal(op()->join.n_rest, 1);
}

static void a_key_of_event_time_bounds_both_sides(void **state)
{
    (void)state;
    open_join(STREAM("full_outer", "one.ts = two.at + interval '10s'"), 4, 0);
    assert_true(op()->sides[0].bounded && op()->sides[1].bounded);
    assert_int_equal(op()->sides[0].offset_us, 0);
    open_join(STREAM("left_semi", "one.s = two.s and one.w = two.w"), 0, 8);
    assert_true(op()->sides[0].bounded && op()->sides[1].bounded);
    refused("on", "when a row of \"one\" can't find a partner",
            STREAM("left_outer", "one.ts + interval '1s' = two.at + interval '1s'"), 4, 4);
}

static void conditions_bound_a_side_by_the_time_of_the_other(void **state)
{
    (void)state;
    open_join(STREAM("left_outer", "one.s = two.s and one.ts >= two.at - interval '5s'"), 4, 4);
    assert_true(op()->sides[0].bounded);
    assert_int_equal(op()->sides[0].offset_us, -5001000);
    assert_false(op()->sides[1].bounded);
    open_join(STREAM("right_outer", "one.s = two.s and one.ts < two.at + interval '5s'"), 4, 4);
    assert_false(op()->sides[0].bounded);
    assert_int_equal(op()->sides[1].offset_us, -5000000);
    open_join(STREAM("inner", "one.s = two.s and one.ts between two.at - interval '3s' and two.at"), 4, 4);
    assert_int_equal(op()->sides[0].offset_us, -3001000);
    assert_int_equal(op()->sides[1].offset_us, -1000);
    open_join(STREAM("left_outer", "one.s = two.s and one.ts > two.at"), 0, 4); /* its own may lack one */
    assert_true(op()->sides[0].bounded);
    refused("on", "put a watermark",
            STREAM("left_outer", "one.s = two.s and one.ts > two.at"), 4, 0);
    open_join(STREAM("full_outer", "one.s = two.s and one.ts > two.at"), 4, 4); /* one will do */
    assert_true(op()->sides[0].bounded);
    assert_false(op()->sides[1].bounded);
    refused("on", "when a row of \"one\" can't find a partner",
            STREAM("full_outer", "one.s = two.s and one.ts > two.at"), 4, 0);
}

static void what_waits_holds_the_watermark_back(void **state)
{
    const int64_t both[2] = { 0, 100 }, one[2] = { WEIR_WATERMARK_NONE, 7 };
    const int64_t none[2] = { WEIR_WATERMARK_NONE, WEIR_WATERMARK_NONE };
    (void)state;
    open_join(STREAM("inner", "one.s = two.s and one.ts between two.at - interval '30s' and two.at + "
                              "interval '40s'"),
              4, 4);
    assert_int_equal(rig.table->output_watermark(rig.self, both, 2), -40001000);
    assert_int_equal(rig.table->output_watermark(rig.self, none, 2), WEIR_WATERMARK_NONE);
    open_join(STREAM("inner", "one.s = two.s and one.ts = two.at"), 4, 4);
    assert_int_equal(rig.table->output_watermark(rig.self, both, 2), 0);
    assert_int_equal(rig.table->output_watermark(rig.self, one, 2), 7);
    open_join(STREAM("inner", "one.s = two.s"), 4, 4);
    assert_int_equal(rig.table->output_watermark(rig.self, both, 2), 0);
    assert_true(rig.plan.flags & WEIR_PLAN_TIMELESS);
}

static void times_of_both_sides_are_known_behind_a_join(void **state)
{
    (void)state;
    open_join("\"scope\": \"stream\", \"on\": \"one.s = two.s\", \"columns\": [\"two.at\", \"one.ts\"]",
              4, 4);
    assert_int_equal(rig.plan.time_columns[0], 3);
    assert_int_equal(rig.plan.streams[0].time_column, 1);
}

static void wrong_joins_are_refused_with_their_option(void **state)
{
    (void)state;
    refused("on", "comparison of", BATCH("one.s = two.k"), 0, 0);
    refused("on", "no input tow: did you mean two?", BATCH("one.s = tow.s"), 0, 0);
    refused("on", "two has no column kk: did you mean k?", BATCH("one.k = two.kk"), 0, 0);
    refused("columns", "two columns \"k\"", "\"scope\": \"batch\", \"on\": \"one.s = two.s\"", 0, 0);
    refused("columns.x", "gives columns of \"one\" only",
            "\"scope\": \"batch\", \"type\": \"left_anti\", \"on\": \"one.s = two.s\", \"columns\": "
            "[\"two.k as x\"]",
            0, 0);
    refused("type", "left_anti is for scope batch", STREAM("left_anti", "one.s = two.s"), 0, 0);
    refused("on", "needs an equality", STREAM("inner", "one.ts > two.at"), 4, 4);
}

#define CASE(name) TEST(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(conditions_are_keys_filters_or_the_rest),
        CASE(only_what_is_needed_crosses_the_exchange),
        CASE(a_struct_is_a_key_by_its_fields),
        CASE(a_key_of_event_time_bounds_both_sides),
        CASE(conditions_bound_a_side_by_the_time_of_the_other),
        CASE(what_waits_holds_the_watermark_back),
        CASE(times_of_both_sides_are_known_behind_a_join),
        CASE(wrong_joins_are_refused_with_their_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
