/*
 * test_operator_aggregate.c - count, reduce, count_by_value, reduce_by_key and aggregate.
 */
#define ENTRY entry_operator_aggregate
#define FUNCTIONS entry_function_builtin
#include "tests/plugins/operator_case.h"


/* The same rows in small chunks, in several segments and under a selection give the same, in the
 * same order. With one segment per row each row is a partial of its own: combine and merge do
 * what update alone does. */
static void assert_same_however_cut(const char *rows, uint32_t n)
{
    const struct rig_cut cuts[] = {
        { 1, 1, 0 }, { 3, 2, 0 }, { 0, 1, 1 }, { 2, 3, 1 }, { 1, n, 0 }
    };
    const char *list[4] = { rows };
    char *expected;
    FEED(rows);
    expected = strdup(rig_rows(&rig));
    for (uint32_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, list, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), expected);
    }
    free(expected);
}

/* ---- count ---- */

static void count_gives_one_row_also_for_none(void **state)
{
    (void)state;
    OPEN("count", "", "a string, b int64");
    assert_ddl("count int64");
    assert_int_equal(rig.plan.flags, WEIR_PLAN_TICKING | WEIR_PLAN_READS_KNOWN);
    assert_int_equal(rig.plan.reads[0], 0);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "[0]\n");
    rig_forget(&rig);
    assert_same_however_cut("[[\"x\", 1], [null, null], [\"y\", 2]]", 3);
    assert_string_equal(rig_rows(&rig), "[3]\n");
}

static void count_of_an_absent_input_fails(void **state)
{
    (void)state;
    OPEN("count", "", "a string");
    assert_true(rig.component->capabilities & WEIR_CAP_ABSENT_INPUT);
    rig.absent = 1;
    assert_int_equal(rig_feed(&rig, "[]"), WEIR_DATA);
}

/* ---- count_by_value ---- */

static void count_by_value_counts_nulls_as_a_value(void **state)
{
    (void)state;
    OPEN("count_by_value", "\"column\": \"w\"", "n int64, w string");
    assert_ddl("w string, count int64");
    assert_int_equal(rig.plan.reads[0], 2);
    assert_same_however_cut("[[1, \"a\"], [1, \"b\"], [1, null], [1, \"a\"], [1, null], [1, \"\"]]",
                            6);
    assert_string_equal(rig_sorted(&rig), "[\"\",1]\n[\"a\",2]\n[\"b\",1]\n[null,2]\n");
    rig_forget(&rig);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "");
    FEED("[[1, \"a\"]]");
    assert_string_equal(rig_rows(&rig), "[\"a\",1]\n");
}

static void count_by_value_takes_nan_and_zero_for_one_value_each(void **state)
{
    (void)state;
    OPEN("count_by_value", "\"column\": \"x\"", "x float64");
    assert_same_however_cut("[[\"NaN\"], [0.0], [-0.0], [\"NaN\"], [null], [1.5]]", 6);
    assert_string_equal(rig_sorted(&rig), "[\"NaN\",2]\n[0.0,2]\n[1.5,1]\n[null,1]\n");
}

static void count_by_value_refuses_columns_it_cannot_take(void **state)
{
    (void)state;
    REFUSED("column", "there is no column \"z\"; the input has: w", "count_by_value",
            "\"column\": \"z\"", "w string");
    REFUSED("column", "is a list, or", "count_by_value", "\"column\": \"w\"", "w list<string>");
    REFUSED("column", "two columns \"count\"", "count_by_value", "\"column\": \"count\"",
            "count string");
}

static char *many_keys(uint32_t n, uint32_t keys)
{
    char *text = malloc((size_t)n * 24 + 8), *p = text;
    *p++ = '[';
    for (uint32_t i = 0; i < n; i++)
        p += sprintf(p, "%s[\"key number %u\"]", i ? "," : "", i % keys);
    strcpy(p, "]");
    return text;
}

static void many_keys_leave_in_chunks_of_8192(void **state)
{
    char *rows = many_keys(60000, 30000);
    (void)state;
    OPEN("count_by_value", "\"column\": \"w\"", "w string");
    rig.quiet = 1;
    FEED(rows);
    free(rows);
    assert_int_equal(rig.n_rows, 30000);
    assert_int_equal(rig.most_rows, 8192); /* before the exchange */
}

static void a_million_keys_are_counted(void **state)
{
    const uint32_t n = 2000000, keys = 1000000;
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowArray column, rows;
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": [\"count(*) as n\"]", "k int64");
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, n, 0, 0, &column, &error), WEIR_OK);
    for (uint32_t i = 0; i < n; i++) ((int64_t *)(uintptr_t)column.buffers[1])[i] = i % keys;
    assert_int_equal(array_struct(&column, 1, n, &rows, &error), WEIR_OK);
    rig.quiet = 1;
    assert_int_equal(rig_arrays(&rig, &rows, (struct rig_cut){ .segments = 3 }), WEIR_OK);
    array_release(&rows);
    assert_int_equal(rig.n_rows, keys);
}

/* ---- reduce ---- */

static void reduce_gives_one_row_or_none(void **state)
{
    (void)state;
    OPEN("reduce", "\"values\": [\"sum(n) as s\", \"max(n) - min(n) as span\", \"count(*) as n\"]",
         "n int64");
    assert_ddl("s int64, span int64, n int64");
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_SINGLE);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "");
    assert_same_however_cut("[[1], [null], [5]]", 3);
    assert_string_equal(rig_rows(&rig), "[6,4,3]\n");
}

static void reduce_of_nulls_gives_null(void **state)
{
    (void)state;
    OPEN("reduce", "\"values\": {\"s\": \"sum(n)\", \"c\": \"count(n)\"}", "n int64");
    FEED("[[null]]");
    assert_string_equal(rig_rows(&rig), "[null,0]\n");
}

/* ---- reduce_by_key ---- */

#define SALES                                                                                      \
    "[[\"a\", 1, 2.5], [\"b\", 2, 1.0], [\"a\", 1, 0.5], [null, 1, 4.0], [\"a\", 2, null], "         \
    "[null, 1, 1.0], [\"b\", 2, 3.0]]"

static void reduce_by_key_groups_by_several_columns(void **state)
{
    (void)state;
    OPEN("reduce_by_key",
         "\"by\": [\"k\", \"n * 10 as ten\"], \"values\": [\"sum(x) as s\", \"count(*) as c\"]",
         "k string, n int64, x float64");
    assert_ddl("k string, ten int64, s float64, c int64");
    assert_int_equal(rig.plan.distribution[0].n_columns, 2);
    assert_same_however_cut(SALES, 7);
    assert_string_equal(rig_sorted(&rig), "[\"a\",10,3.0,2]\n[\"a\",20,null,1]\n[\"b\",20,4.0,2]\n"
                                          "[null,10,5.0,2]\n");
}

static void combine_by_key_is_the_same(void **state)
{
    (void)state;
    OPEN("combine_by_key", "\"by\": [\"k\"], \"values\": [\"max(k || '!') as m\"]",
         "k string, n int64, x float64");
    FEED(SALES);
    assert_string_equal(rig_sorted(&rig), "[\"a\",\"a!\"]\n[\"b\",\"b!\"]\n[null,null]\n");
}

static void aggregates_of_text_cross_the_exchange(void **state)
{
    (void)state;
    OPEN("reduce_by_key",
         "\"by\": [\"n\"], \"values\": [\"max(k) as m\", \"first(k) as f\", "
         "\"last(k) as l\", \"min_by(k, x) as least\"]",
         "k string, n int64, x float64");
    assert_same_however_cut(SALES, 7);
    assert_string_equal(rig_sorted(&rig), "[1,\"a\",\"a\",null,\"a\"]\n"
                                          "[2,\"b\",\"b\",\"b\",\"b\"]\n");
}

static void sums_of_floats_do_not_depend_on_the_cut(void **state)
{
    char *rows = malloc(100000), *p = rows;
    (void)state;
    *p++ = '[';
    for (int i = 0; i < 2000; i++)
        p += sprintf(p, "%s[%d, %d.1e%d]", i ? "," : "", i % 3, i, i % 30 - 15);
    strcpy(p, "]");
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": [\"sum(x) as s\", \"avg(x) as a\"]",
         "k int64, x float64");
    assert_same_however_cut(rows, 50);
    free(rows);
}

static void distinct_arguments_count_once_per_group(void **state)
{
    (void)state;
    OPEN("reduce_by_key",
         "\"by\": [\"k\"], \"values\": [\"count(distinct n) as d\", \"count(*) as c\", "
         "\"sum(distinct x) as s\"]",
         "k string, n int64, x float64");
    assert_same_however_cut("[[\"a\", 1, 1.0], [\"a\", 1, 1.0], [\"b\", 1, 2.0], [\"a\", 2, 1.0], "
                            "[\"a\", null, 3.0], [null, 1, null], [null, 1, null]]", 7);
    assert_string_equal(rig_sorted(&rig), "[\"a\",2,4,4.0]\n[\"b\",1,1,2.0]\n[null,1,2,null]\n");
    close_again();
    OPEN("reduce", "\"values\": [\"count(distinct n) as d\"]", "n int64");
    assert_same_however_cut("[[1], [1], [2], [null]]", 4);
    assert_string_equal(rig_rows(&rig), "[2]\n");
}

static void rows_on_which_an_expression_fails_are_left_out(void **state)
{
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"6 div n as g\"], \"values\": [\"sum(6 % (n - 1)) as s\"]",
         "n int64");
    FEED("[[0], [1], [2], [4], [4]]");
    assert_string_equal(rig_sorted(&rig), "[1,0]\n[3,0]\n");
    assert_int_equal(rig.n_rejects, 2);
    rig.fail = 1;
    assert_int_equal(rig_feed(&rig, "[[0]]"), WEIR_DATA);
}

static void results_that_fail_are_rejected(void **state)
{
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": [\"sum(n) as s\", \"1 / count(n) as i\"]",
         "k string, n int64");
    FEED("[[\"a\", 9223372036854775807], [\"b\", 1], [\"a\", 1], [\"c\", null], [\"d\", 2]]");
    assert_string_equal(rig_sorted(&rig), "[\"b\",1,1.0]\n[\"d\",2,1.0]\n");
    assert_int_equal(rig.n_rejects, 2);
    assert_non_null(strstr(rig_rejects(&rig), "overflows"));
}

static void by_and_values_are_checked(void **state)
{
    (void)state;
    REFUSED("by.n + 1", "n + 1 as", "reduce_by_key",
            "\"by\": [\"n + 1\"], \"values\": [\"count(*) as c\"]", "n int64");
    REFUSED("by.l", "is a list, or", "reduce_by_key",
            "\"by\": [\"l\"], \"values\": [\"count(*) as c\"]", "l list<int64>");
    REFUSED("values.count(*)", "count(*) as", "reduce_by_key",
            "\"by\": [\"n\"], \"values\": [\"count(*)\"]", "n int64");
    REFUSED("values.n", "column of `by`", "reduce_by_key",
            "\"by\": [\"n\"], \"values\": [\"count(*) as n\"]", "n int64");
}

static void reads_are_those_of_by_and_values(void **state)
{
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"b\"], \"values\": [\"sum(d) as s\", \"count(*) as c\"]",
         "a int64, b int64, c int64, d int64");
    assert_int_equal(rig.plan.reads[0], 10);
    assert_int_equal(rig.plan.flags, WEIR_PLAN_TICKING | WEIR_PLAN_READS_KNOWN);
}

/* ---- aggregate ---- */

static void update_gives_changed_groups_once(void **state)
{
    (void)state;
    OPEN("aggregate", "\"by\": [\"k\"], \"values\": [\"sum(n) as s\", \"count(*) as c\"]",
         "k string, n int64");
    assert_ddl("k string, s int64, c int64");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_UPSERT);
    assert_int_equal(rig.plan.streams[0].n_key_columns, 1);
    assert_int_equal(rig.plan.flags, WEIR_PLAN_AGGREGATES | WEIR_PLAN_READS_KNOWN);
    FEED("[[\"a\", 1], [\"b\", 2], [\"a\", 3]]");
    assert_string_equal(rig_sorted(&rig), "[\"a\",4,2]\n[\"b\",2,1]\n");
    rig_forget(&rig);
    FEED("[[\"b\", 5], [null, 7], [\"b\", 1]]");
    assert_string_equal(rig_sorted(&rig), "[\"b\",8,3]\n[null,7,1]\n");
    rig_forget(&rig);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "");
}

static void update_gives_no_group_of_another_batch_or_key_group(void **state)
{
    char *rows = many_keys(5000, 2000);
    (void)state;
    OPEN("aggregate", "\"by\": [\"k\"], \"values\": [\"count(*) as c\"]", "k string");
    FEED(rows);
    free(rows);
    assert_int_equal(rig.n_rows, 2000);
    rig_forget(&rig);
    FEED("[[\"key number 5\"], [\"key number 1999\"], [\"new\"]]");
    assert_string_equal(rig_sorted(&rig),
                        "[\"key number 1999\",3]\n[\"key number 5\",4]\n[\"new\",1]\n");
}

static void complete_gives_the_whole_table_every_time(void **state)
{
    (void)state;
    OPEN("aggregate",
         "\"by\": [\"k\"], \"values\": [\"max(v) as m\"], \"output_mode\": \"complete\"",
         "k string, v string");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_REPLACE);
    assert_int_equal(rig.plan.flags,
                     WEIR_PLAN_AGGREGATES | WEIR_PLAN_READS_KNOWN | WEIR_PLAN_ALL_GROUPS |
                         WEIR_PLAN_TIMELESS);
    FEED("[[\"a\", \"x\"], [\"b\", \"y\"]]");
    rig_forget(&rig);
    FEED("[[\"a\", \"a long text that does not fit beside the key\"]]");
    assert_string_equal(rig_sorted(&rig), "[\"a\",\"x\"]\n[\"b\",\"y\"]\n");
    rig_forget(&rig);
    FEED("[]");
    assert_string_equal(rig_sorted(&rig), "[\"a\",\"x\"]\n[\"b\",\"y\"]\n");
}

static void an_aggregate_without_by_gives_its_row_in_every_batch(void **state)
{
    (void)state;
    OPEN("aggregate", "\"values\": [\"count(*) as c\", \"sum(n) as s\"]", "n int64");
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_SINGLE);
    FEED("[]");
    FEED("[[2], [3]]");
    FEED("[]");
    FEED("[[1]]");
    assert_string_equal(rig_rows(&rig), "[0,null]\n[2,5]\n[2,5]\n[3,6]\n");
}

static void aggregates_over_batches_do_not_depend_on_the_cut(void **state)
{
    static const struct rig_cut cuts[] = { { 0 }, { 1, 7, 0 }, { 2, 2, 1 } };
    const char *rows[4] = { SALES };
    char *expected = NULL;
    (void)state;
    for (int i = 0; i < 3; i++) {
        OPEN("aggregate", "\"by\": [\"k\"], \"values\": [\"sum(x) as s\", \"last(n) as l\"]",
             "k string, n int64, x float64");
        assert_int_equal(rig_batch(&rig, rows, cuts[i]), WEIR_OK);
        assert_int_equal(rig_batch(&rig, rows, cuts[i]), WEIR_OK);
        if (!expected) expected = strdup(rig_rows(&rig));
        assert_string_equal(rig_rows(&rig), expected);
        close_again();
    }
    free(expected);
}

static void aggregate_refuses_append_and_distinct(void **state)
{
    (void)state;
    REFUSED("output_mode", "window", "aggregate",
            "\"by\": [\"n\"], \"values\": [\"count(*) as c\"], \"output_mode\": \"append\"", "n int64");
    rig.output_mode = WEIR_FORM_APPEND;
    REFUSED("output_mode", "window", "aggregate", "\"values\": [\"count(*) as c\"]", "n int64");
    REFUSED("values", "distinct", "aggregate", "\"values\": [\"count(distinct n) as c\"]", "n int64");
    rig.output_mode = WEIR_FORM_REPLACE;
    OPEN("aggregate", "\"values\": [\"count(*) as c\"]", "n int64");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_REPLACE);
}

static void the_state_says_what_it_was_made_from(void **state)
{
    char *signature;
    (void)state;
    OPEN("aggregate", "\"by\": [\"n % 2 as odd\"], \"values\": [\"count(*) as c\"]", "n int64");
    signature = store_signature(rig.context.tables, 0);
    assert_non_null(strstr(signature, "by n % 2; values count(*)"));
    mem_free(signature);
}

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    static const char *const cases[][2] = {
        { "reduce_by_key", "\"by\": [\"k\"], \"values\": [\"sum(n) + 1 as s\"]" },
        { "reduce_by_key", "\"by\": [\"k\"], \"values\": [\"count(distinct n) as s\"]" },
        { "aggregate", "\"by\": [\"k || 'x' as kx\"], \"values\": [\"sum(n) as s\"]" },
        { "count_by_value", "\"column\": \"k\"" },
        { "count", "" },
        { "count", "\"over\": {\"length\": \"2s\"}" },
        { "reduce_by_key", "\"by\": [\"k\"], \"values\": [\"max(n) as s\"], "
                           "\"over\": {\"length\": \"2s\"}" },
        { "reduce_by_key_and_window", "\"by\": [\"k\"], \"values\": [\"sum(n) as s\"], "
                                      "\"length\": \"2s\", \"inverse\": true, \"keep\": \"s > 1\"" },
    };
    (void)state;
    for (uint32_t c = 0; c < sizeof cases / sizeof *cases; c++)
        rig_starve(entry_operator_aggregate, entry_function_builtin, cases[c][0], cases[c][1],
                   "k string, n int64", "[[\"a\", 1], [\"b\", 2], [\"a\", null]]");
}

/* ---- windows over batches ---- */

/* 40 batches of rows made of a seed; the sums of a window by its two ways are the same: kept up by
 * subtraction, or (max can't be undone) merged anew. */
static char *windows_of(const char *values, const char *over, struct rig_cut cut)
{
    static const char keys[] = "abcdefg";
    char options[200], rows[600];
    uint32_t x = 12345;
    char *out;
    snprintf(options, sizeof options, "\"by\": [\"k\"], \"values\": {%s}, \"over\": {%s}", values,
             over);
    OPEN("reduce_by_key", options, "k string, v int64");
    for (uint32_t b = 0; b < 40; b++) {
        const char *list[4] = { rows };
        uint32_t n = (x >> 8) % 9;
        char *to = rows;
        *to++ = '[';
        for (uint32_t i = 0; i < n; i++) {
            x = x * 1664525u + 1013904223u;
            to += sprintf(to, "%s[\"%c\",%d]", i ? "," : "", keys[(x >> 20) % 7],
                          (int)((x >> 10) % 100) - 50);
        }
        x = x * 1664525u + 1013904223u;
        strcpy(to, "]");
        assert_int_equal(rig_batch(&rig, list, cut), WEIR_OK);
    }
    out = strdup(rig_sorted(&rig));
    close_again();
    return out;
}

static void windows_are_the_same_by_subtraction_and_by_merging(void **state)
{
    static const char *const overs[] = { "\"length\": \"1s\"", "\"length\": \"5s\"",
                                         "\"length\": \"6s\", \"slide\": \"4s\"",
                                         "\"length\": \"2s\", \"slide\": \"5s\"" };
    const struct rig_cut cuts[] = { { 0, 1, 0 }, { 1, 3, 1 } };
    (void)state;
    for (uint32_t i = 0; i < sizeof overs / sizeof *overs; i++) {
        char *undone = windows_of("\"s\": \"sum(v)\", \"n\": \"count(*)\"", overs[i], cuts[0]);
        char *cut = windows_of("\"s\": \"sum(v)\", \"n\": \"count(*)\"", overs[i], cuts[1]);
        char *merged = windows_of(
            "\"s\": \"case when max(v) is null then null else sum(v) end\", \"n\": \"count(*)\"",
            overs[i], cuts[1]);
        assert_true(strlen(undone) > 100);
        assert_string_equal(undone, cut);
        assert_string_equal(undone, merged);
        free(undone);
        free(cut);
        free(merged);
    }
}

static void state_of_windows_does_not_grow_with_the_batches(void **state)
{
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": {\"m\": \"max(v)\", \"s\": \"sum(v)\"}, "
                          "\"over\": {\"length\": \"4s\"}", "k int64, v int64");
    for (int b = 0; b < 50; b++) assert_int_equal(rig_feed(&rig, "[[1, 1], [2, 2]]"), WEIR_OK);
    rig_forget(&rig);
    assert_int_equal(rig_feed(&rig, "[]"), WEIR_OK);
    assert_string_equal(rig_sorted(&rig), "[1,1,3]\n[2,2,6]\n");
    for (int b = 0; b < 3; b++) assert_int_equal(rig_feed(&rig, "[]"), WEIR_OK);
    for (uint32_t g = 0; g < STORE_GROUPS; g++)
        assert_false(store_group_live(rig.context.tables, g));
}

/* ---- rows that hardly repeat ---- */

/* 10,000 rows; row i has key i mod `keys`, so the last ones repeat. */
static char *rows_of_keys(uint32_t keys)
{
    const uint32_t n = 10000;
    char *text = malloc(n * 24u), *to = text;
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++)
        to += sprintf(to, "%c[%u,%u]", i ? ',' : '[', i % keys, i);
    strcpy(to, "]");
    return text;
}

static uint32_t rows_of(const struct weir_buffer *rows)
{
    uint32_t n = 0;
    for (uint64_t i = 0; i < rows->length; i++) n += rows->data[i] == '\n';
    return n;
}

/* Where the first 4,096 rows show no repeats all rows cross the exchange as they are: the result
 * does not show it, whatever the chunks and where the sample ends in them. */
static void keys_that_hardly_repeat_cross_uncombined(void **state)
{
    const struct rig_cut cuts[] = { { 8192, 1, 0 }, { 4096, 1, 0 }, { 4095, 1, 0 }, { 1000, 1, 1 },
                                    { 0, 2, 0 } };
    char *rows = rows_of_keys(9990), *expected;
    const char *list[4] = { rows };
    (void)state;
    OPEN("reduce_by_key",
         "\"by\": [\"k\"], \"values\": [\"count(*) as n\", \"sum(v + 1) as s\", "
         "\"first(v) as f\", \"last(v) as l\"]",
         "k int64, v int64");
    assert_non_null(rig.plan.uncombined.release);
    FEED(rows);
    expected = strdup(rig_rows(&rig));
    assert_int_equal(rows_of(&rig.rows), 9990);
    assert_non_null(strstr(expected, "[9,2,10010,9,9999]\n"));
    assert_non_null(strstr(expected, "[9989,1,9990,9989,9989]\n"));
    assert_int_equal(rig.n_uncombined, 10000);
    for (uint32_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, list, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), expected);
        assert_int_equal(rig.n_uncombined, 10000);
    }
    free(expected);
    free(rows);
}

/* Two segments of 5,000 rows. Key 0 has 1e308 in the first one, and in the second 1e308 in row
 * `plus` and -1e308 in row `minus`. Other rows have a key of their own, or one of 100. */
static char *rows_that_cancel(uint32_t plus, uint32_t minus, int repeat)
{
    const uint32_t n = 10000;
    char *text = malloc(n * 24u), *to = text;
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++) {
        const int is_zero = i == 7 || i == 5000 + plus || i == 5000 + minus;
        to += sprintf(to, "%c[%u,%s]", i ? ',' : '[',
                      is_zero ? 0 : 1 + (repeat ? i % 100 : i),
                      is_zero ? (i == 5000 + minus ? "-1e308" : "1e308") : "1");
    }
    strcpy(to, "]");
    return text;
}

/* Which rows of a segment are combined before they meet those of others shows in a sum that
 * overflows on the way: it depends on the rows of the segment, not on where chunks end. */
static void chunk_ends_do_not_show_in_sums_of_floats(void **state)
{
    const uint32_t places[][2] = { { 0, 1 }, { 3, 4095 }, { 4094, 4095 }, { 900, 4096 },
                                   { 4095, 4096 }, { 4097, 4990 } };
    const uint32_t cuts[] = { 8192, 4096, 4095, 4097, 1000, 1 };
    const char *list[4] = { NULL };
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": {\"s\": \"sum(v)\"}",
         "k int64, v double");
    for (uint32_t i = 0; i < 2 * sizeof places / sizeof *places; i++) {
        char *rows = rows_that_cancel(places[i / 2][0], places[i / 2][1], (int)(i & 1));
        list[0] = rows;
        for (uint32_t k = 0; k < 2 * sizeof cuts / sizeof *cuts; k++) {
            const struct rig_cut cut = { cuts[k / 2], 2, (int)(k & 1) };
            rig_forget(&rig);
            assert_int_equal(rig_batch(&rig, list, cut), WEIR_OK);
            assert_non_null(strstr(rig_rows(&rig), i & 1 ? "[0,1.0E308]\n" : "[0,\"Infinity\"]\n"));
            assert_int_equal(rig.n_uncombined, i & 1 ? 0 : 10000);
        }
        free(rows);
    }
}

static void keys_that_repeat_are_combined(void **state)
{
    char *rows = rows_of_keys(3900);
    (void)state;
    OPEN("reduce_by_key", "\"by\": [\"k\"], \"values\": [\"count(*) as n\"]", "k int64, v int64");
    FEED(rows);
    assert_int_equal(rows_of(&rig.rows), 3900);
    assert_int_equal(rig.n_uncombined, 0);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_that_hardly_repeat_cross_uncombined),
        TEST(keys_that_repeat_are_combined),
        TEST(chunk_ends_do_not_show_in_sums_of_floats),
        TEST(count_gives_one_row_also_for_none),
        TEST(count_of_an_absent_input_fails),
        TEST(count_by_value_counts_nulls_as_a_value),
        TEST(count_by_value_takes_nan_and_zero_for_one_value_each),
        TEST(count_by_value_refuses_columns_it_cannot_take),
        TEST(many_keys_leave_in_chunks_of_8192),
        TEST(a_million_keys_are_counted),
        TEST(reduce_gives_one_row_or_none),
        TEST(reduce_of_nulls_gives_null),
        TEST(reduce_by_key_groups_by_several_columns),
        TEST(combine_by_key_is_the_same),
        TEST(aggregates_of_text_cross_the_exchange),
        TEST(sums_of_floats_do_not_depend_on_the_cut),
        TEST(distinct_arguments_count_once_per_group),
        TEST(rows_on_which_an_expression_fails_are_left_out),
        TEST(results_that_fail_are_rejected),
        TEST(by_and_values_are_checked),
        TEST(reads_are_those_of_by_and_values),
        TEST(update_gives_changed_groups_once),
        TEST(update_gives_no_group_of_another_batch_or_key_group),
        TEST(complete_gives_the_whole_table_every_time),
        TEST(an_aggregate_without_by_gives_its_row_in_every_batch),
        TEST(aggregates_over_batches_do_not_depend_on_the_cut),
        TEST(aggregate_refuses_append_and_distinct),
        TEST(the_state_says_what_it_was_made_from),
        TEST(windows_are_the_same_by_subtraction_and_by_merging),
        TEST(state_of_windows_does_not_grow_with_the_batches),
        TEST(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
