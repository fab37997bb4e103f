/*
 * test_operator_group.c - group_by_key, cogroup and glom.
 */
#define ENTRY entry_operator_group
#include "tests/plugins/operator_case.h"


static const struct rig_cut cuts[] = { { 0, 1, 0 }, { 1, 1, 0 }, { 3, 2, 0 }, { 2, 3, 1 }, { 1, 6, 0 } };
#define N_CUTS (sizeof cuts / sizeof *cuts)

static void lists_keep_the_order_of_arrival_however_rows_are_cut(void **state)
{
    const char *rows[4] = { "[[\"a\", 3], [\"b\", 2], [\"a\", 1], [null, 7], [null, null], [\"a\", 3]]" };
    (void)state;
    OPEN("group_by_key", "\"by\": [\"k\"]", "k string, v int64");
    assert_ddl("k string, values list<int64> not null");
    for (uint32_t i = 0; i < N_CUTS; i++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, rows, cuts[i]), WEIR_OK);
        assert_string_equal(rig_sorted(&rig),
                            "[\"a\",[3,1,3]]\n[\"b\",[2]]\n[null,[7,null]]\n");
    }
}

static void several_columns_are_structs(void **state)
{
    (void)state;
    OPEN("group_by_key", "\"by\": [\"k\"], \"columns\": [\"w\", \"k\"]", "k string, v int64, w bool");
    assert_ddl("k string, values list<struct<w: bool, k: string> not null> not null");
    assert_int_equal(rig.plan.reads[0], 5);
    assert_int_equal(rig_feed(&rig, "[[\"a\", 3, true]]"), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[\"a\",[{\"w\":true,\"k\":\"a\"}]]\n");
}

static void an_input_that_is_all_key_gives_lists_of_it(void **state)
{
    const char *rows[4] = { "[[\"a\"], [\"a\"]]", "[[1, \"b\"]]" };
    (void)state;
    OPEN("cogroup", "\"by\": [\"k\"]", "k string", "v int64, k string");
    assert_ddl("k string, one list<struct<k: string> not null> not null, "
               "two list<struct<v: int64> not null> not null");
    assert_int_equal(rig_batch(&rig, rows, cuts[0]), WEIR_OK);
    assert_string_equal(rig_sorted(&rig),
                        "[\"a\",[{\"k\":\"a\"},{\"k\":\"a\"}],[]]\n[\"b\",[],[{\"v\":1}]]\n");
}

static void many_keys_leave_in_several_chunks(void **state)
{
    const uint32_t n = 20000;
    char *text = malloc(n * 16u), *to = text;
    (void)state;
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++) to += sprintf(to, "%c[%u,%u]", i ? ',' : '[', i % 15000, i);
    strcpy(to, "]");
    rig.quiet = 1;
    OPEN("group_by_key", "\"by\": [\"k\"]", "k int64, v int64");
    assert_int_equal(rig_feed(&rig, text), WEIR_OK);
    assert_int_equal(rig.n_rows, 15000);
    assert_true(rig.most_rows <= WEIR_CHUNK_TARGET_ROWS);
    free(text);
}

static void glom_gives_one_row_also_for_none(void **state)
{
    (void)state;
    OPEN("glom", "", "k string, v int64");
    assert_ddl("rows list<struct<k: string, v: int64> not null> not null");
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_PARTITION);
    assert_int_equal(rig_feed(&rig, "[[\"a\", 1], [null, 2]]"), WEIR_OK);
    assert_int_equal(rig_feed(&rig, "[]"), WEIR_OK);
    assert_string_equal(rig_rows(&rig),
                        "[[{\"k\":\"a\",\"v\":1},{\"k\":null,\"v\":2}]]\n[[]]\n");
}

static void windows_hold_the_same_however_rows_are_cut(void **state)
{
    static const char *const batches[] = {
        "[[\"a\", 1], [\"b\", 2], [\"a\", 3]]", "[]", "[[\"a\", 4], [\"c\", null]]", "[[\"b\", 5]]", "[]",
    };
    char *expected = NULL;
    (void)state;
    for (uint32_t i = 0; i < N_CUTS; i++) {
        OPEN("group_by_key", "\"by\": [\"k\"], \"over\": {\"length\": \"3s\"}", "k string, v int64");
        for (uint32_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            const char *rows[4] = { batches[b] };
            assert_int_equal(rig_batch(&rig, rows, cuts[i]), WEIR_OK);
        }
        if (!expected) expected = strdup(rig_sorted(&rig));
        assert_string_equal(rig_sorted(&rig), expected);
        rig_close(&rig);
    }
    assert_string_equal(expected, "[\"a\",[1,3,4]]\n[\"a\",[1,3]]\n[\"a\",[1,3]]\n[\"a\",[4]]\n"
                                  "[\"a\",[4]]\n[\"b\",[2]]\n[\"b\",[2]]\n[\"b\",[2]]\n[\"b\",[5]]\n"
                                  "[\"b\",[5]]\n[\"c\",[null]]\n[\"c\",[null]]\n[\"c\",[null]]\n");
    free(expected);
}

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    static const char *const cases[][2] = {
        { "group_by_key", "\"by\": [\"k\"]" },
        { "group_by_key", "\"by\": [\"k\"], \"columns\": [\"k\", \"n\"]" },
        { "group_by_key_and_window", "\"by\": [\"k\"], \"length\": \"2s\"" },
        { "group_by_key", "\"by\": [\"n\"], \"columns\": [\"k\", \"n\"], \"over\": {\"length\": \"2s\"}" },
        { "glom", "" },
    };
    (void)state;
    for (uint32_t c = 0; c < sizeof cases / sizeof *cases; c++)
        rig_starve(entry_operator_group, NULL, cases[c][0], cases[c][1], "k string, n int64",
                   "[[\"a\", 1], [\"b\", 2], [\"a\", null]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_keep_the_order_of_arrival_however_rows_are_cut),
        TEST(several_columns_are_structs),
        TEST(an_input_that_is_all_key_gives_lists_of_it),
        TEST(many_keys_leave_in_several_chunks),
        TEST(glom_gives_one_row_also_for_none),
        TEST(windows_hold_the_same_however_rows_are_cut),
        TEST(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
