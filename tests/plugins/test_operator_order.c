/*
 * test_operator_order.c - order and limit.
 */
#define ENTRY entry_operator_order
#include "tests/plugins/operator_case.h"


/* One batch; the same however the rows are cut. */
static void gives(const char *rows, const char *want)
{
    static const struct rig_cut cuts[] = { { 0, 1, 0 }, { 1, 1, 0 }, { 3, 2, 0 }, { 2, 3, 1 } };
    const char *list[4] = { rows };
    for (uint32_t i = 0; i < 4; i++) {
        rig_forget(&rig);
        if (rig_batch(&rig, list, cuts[i]) != WEIR_OK) fail_msg("%s", rig.error.text);
        assert_string_equal(rig_rows(&rig), want);
    }
}

static void ordered(const char *by, const char *want)
{
    static const char rows[] = "[[\"b\", 1.5], [\"a\", null], [\"c\", \"NaN\"], [\"d\", 1.5], "
                               "[null, -2.0], [\"A\", \"Infinity\"]]";
    char options[200];
    snprintf(options, sizeof options, "\"by\": %s, \"scope\": \"batch\"", by);
    OPEN("order", options, "k string, v double");
    gives(rows, want);
    rig_close(&rig);
}

static void order_knows_directions_and_places_of_nulls(void **state)
{
    static const char *const up = "[\"a\",null]\n[null,-2.0]\n[\"b\",1.5]\n[\"d\",1.5]\n"
                                  "[\"A\",\"Infinity\"]\n[\"c\",\"NaN\"]\n";
    static const char *const down = "[\"c\",\"NaN\"]\n[\"A\",\"Infinity\"]\n[\"b\",1.5]\n"
                                    "[\"d\",1.5]\n[null,-2.0]\n[\"a\",null]\n";
    (void)state;
    ordered("\"v\"", up);
    ordered("\"v asc\"", up);
    ordered("\" v  ASC  nulls FIRST \"", up);
    ordered("\"v desc\"", down);
    ordered("[\"v desc nulls last\"]", down);
    ordered("\"v desc nulls first\"", "[\"a\",null]\n[\"c\",\"NaN\"]\n[\"A\",\"Infinity\"]\n"
                                      "[\"b\",1.5]\n[\"d\",1.5]\n[null,-2.0]\n");
    ordered("\"v nulls last\"", "[null,-2.0]\n[\"b\",1.5]\n[\"d\",1.5]\n[\"A\",\"Infinity\"]\n"
                                "[\"c\",\"NaN\"]\n[\"a\",null]\n");
}

static void order_takes_several_keys_and_expressions(void **state)
{
    static const char *const want = "[\"c\",\"NaN\"]\n[\"A\",\"Infinity\"]\n[\"d\",1.5]\n"
                                    "[\"b\",1.5]\n[null,-2.0]\n[\"a\",null]\n";
    (void)state;
    ordered("[\"v desc\", \"k desc\"]", want);
    ordered("\"v desc, k desc\"", want);
    ordered("[\"v desc, k desc\"]", want);
    ordered("\"v * 2 desc, coalesce(k, 'x, y') desc\"", want);
}

static void a_column_may_be_called_desc(void **state)
{
    (void)state;
    OPEN("order", "\"by\": \"desc\", \"scope\": \"batch\"", "desc int64");
    gives("[[2], [1], [3]]", "[1]\n[2]\n[3]\n");
    rig_close(&rig);
    OPEN("order", "\"by\": \"desc desc\", \"scope\": \"batch\"", "desc int64");
    gives("[[2], [1], [3]]", "[3]\n[2]\n[1]\n");
    rig_close(&rig);
    OPEN("order", "\"by\": \"last nulls last\", \"scope\": \"batch\"", "last int64");
    gives("[[2], [null], [1]]", "[1]\n[2]\n[null]\n");
}

static void order_compares_lists_and_structs(void **state)
{
    (void)state;
    OPEN("order", "\"by\": \"l, s desc\", \"scope\": \"batch\"",
         "l list<int64>, s struct<a: string, b: timestamp>");
    gives("[[[2], {\"a\": \"x\", \"b\": null}], [[1, null], {\"a\": \"x\", \"b\": null}], "
          "[[1, 5], {\"a\": \"x\", \"b\": null}], [[], {\"a\": \"y\", \"b\": null}], "
          "[[], {\"a\": \"x\", \"b\": \"2024-01-01T00:00:00Z\"}], [[], {\"a\": \"x\", \"b\": null}]]",
          "[[],{\"a\":\"y\",\"b\":null}]\n[[],{\"a\":\"x\",\"b\":null}]\n"
          "[[],{\"a\":\"x\",\"b\":\"2024-01-01T00:00:00Z\"}]\n[[1,5],{\"a\":\"x\",\"b\":null}]\n"
          "[[1,null],{\"a\":\"x\",\"b\":null}]\n[[2],{\"a\":\"x\",\"b\":null}]\n");
}

static void rows_whose_key_fails_are_rejected(void **state)
{
    (void)state;
    OPEN("order", "\"by\": \"10 div v\", \"scope\": \"batch\"", "v int64");
    gives("[[5], [0], [10], [2]]", "[10]\n[5]\n[2]\n");
    assert_int_equal(rig.n_rejects, 1);
}

static void order_cuts_long_results_into_chunks(void **state)
{
    char *rows = malloc(400000), *p = rows;
    (void)state;
    *p++ = '[';
    for (int i = 0; i < 20000; i++) p += sprintf(p, "%s[%d]", i ? "," : "", (i * 7919) % 20000);
    strcpy(p, "]");
    OPEN("order", "\"by\": \"v\", \"scope\": \"batch\"", "v int64");
    const char *list[4] = { rows };
    struct rig_cut cut = { 0 };
    assert_int_equal(rig_batch(&rig, list, cut), WEIR_OK);
    assert_int_equal(rig.n_rows, 20000);
    assert_int_equal(rig.most_rows, 8192);
    p = (char *)(uintptr_t)rig_rows(&rig);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(strtol(p + 1, &p, 10), i);
        p += 2;
    }
    free(rows);
}

static void order_needs_a_table_or_a_batch(void **state)
{
    (void)state;
    REFUSED("scope", "a stream has no order", "order", "\"by\": \"v\"", "v int64");
    rig.form = WEIR_FORM_UPSERT;
    REFUSED("scope", "a stream has no order", "order", "\"by\": \"v\"", "v int64");
    memset(&rig, 0, sizeof rig);
    rig.form = WEIR_FORM_REPLACE;
    OPEN("order", "\"by\": \"v\"", "v int64");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_REPLACE);
    gives("[[2], [1]]", "[1]\n[2]\n");
}

static void bad_keys_are_refused(void **state)
{
    (void)state;
    REFUSED("by.0", "no column w", "order", "\"by\": \"w desc\", \"scope\": \"batch\"", "v int64");
    REFUSED("by.1", "no column x", "order", "\"by\": [\"v\", \"x\"], \"scope\": \"batch\"",
            "v int64");
    REFUSED("by.0", "interval", "order", "\"by\": \"t - t\", \"scope\": \"batch\"", "t timestamp");
    REFUSED("by", "no keys", "order", "\"by\": [], \"scope\": \"batch\"", "v int64");
}

static void limit_counts_over_batches(void **state)
{
    (void)state;
    OPEN("limit", "\"n\": 4", "v int64");
    assert_int_equal(rig_feed(&rig, "[[1], [2], [3]]"), WEIR_OK);
    assert_int_equal(rig_feed(&rig, "[[4], [5], [6]]"), WEIR_OK);
    assert_int_equal(rig_feed(&rig, "[[7]]"), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[1]\n[2]\n[3]\n[4]\n");
}

static void limit_takes_the_first_rows_however_they_are_cut(void **state)
{
    (void)state;
    OPEN("limit", "\"n\": 3, \"scope\": \"batch\"", "v int64");
    gives("[[1], [2], [3], [4], [5], [6], [7]]", "[1]\n[2]\n[3]\n");
    gives("[[8]]", "[8]\n");
    gives("[]", "");
    rig_close(&rig);
    OPEN("limit", "\"n\": 0, \"scope\": \"batch\"", "v int64");
    gives("[[1], [2]]", "");
}

static void limit_of_a_table_is_its_own_in_each_batch(void **state)
{
    (void)state;
    rig.form = WEIR_FORM_REPLACE;
    OPEN("limit", "\"n\": 2", "v int64");
    gives("[[1], [2], [3]]", "[1]\n[2]\n");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_REPLACE);
}

static void limit_refuses_what_changes(void **state)
{
    (void)state;
    REFUSED("n", "0 or more", "limit", "\"n\": -1", "v int64");
    rig.form = WEIR_FORM_UPSERT;
    REFUSED("scope", "no first rows", "limit", "\"n\": 1", "v int64");
    memset(&rig, 0, sizeof rig);
    rig.output_mode = WEIR_FORM_UPSERT;
    REFUSED("scope", "a job in update mode", "limit", "\"n\": 1", "v int64");
    memset(&rig, 0, sizeof rig);
    rig.form = WEIR_FORM_UPSERT;
    OPEN("limit", "\"n\": 1, \"scope\": \"batch\"", "v int64");
    gives("[[1], [2]]", "[1]\n");
}

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    (void)state;
    rig_starve(entry_operator_order, NULL, "order", "\"by\": \"n + 1 desc, s\", \"scope\": \"batch\"",
               "n int64, s string", "[[1, \"b\"], [2, \"a\"], [2, null]]");
    rig_starve(entry_operator_order, NULL, "limit", "\"n\": 2", "n int64, s string",
               "[[1, \"b\"], [2, \"a\"], [2, null]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(order_knows_directions_and_places_of_nulls),
        TEST(order_takes_several_keys_and_expressions),
        TEST(a_column_may_be_called_desc),
        TEST(order_compares_lists_and_structs),
        TEST(rows_whose_key_fails_are_rejected),
        TEST(order_cuts_long_results_into_chunks),
        TEST(order_needs_a_table_or_a_batch),
        TEST(bad_keys_are_refused),
        TEST(limit_counts_over_batches),
        TEST(limit_takes_the_first_rows_however_they_are_cut),
        TEST(limit_of_a_table_is_its_own_in_each_batch),
        TEST(limit_refuses_what_changes),
        TEST(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
