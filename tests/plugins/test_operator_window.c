/*
 * test_operator_window.c - window: rows of several batches, kept as bytes in state.
 */
#define ENTRY entry_operator_window
#include "tests/plugins/operator_case.h"

#include "plugins/share/pack.h"


static const struct rig_cut cuts[] = { { 0, 1, 0 }, { 1, 1, 0 }, { 2, 2, 1 }, { 1, 3, 1 } };

#define TYPES                                                                                      \
    "b bool, i int32, n int64, x float64, s string, y binary, t timestamp, d date, "               \
    "l list<list<string>>, r struct<a: bool, l: list<int32>>"

static void rows_of_all_types_come_again_as_they_were(void **state)
{
    const char *first[4] = {
        "[[true, 1, 2, 0.5, \"text\", \"AAE=\", \"2024-01-02T03:04:05Z\", \"2024-01-02\", "
        "[[\"a\", null], [], null], {\"a\": false, \"l\": [1, null]}],"
        " [null, null, null, null, null, null, null, null, null, null],"
        " [false, -1, -2, \"NaN\", \"\", \"\", \"1969-12-31T23:59:59Z\", \"1969-12-31\", [], "
        "{\"a\": null, \"l\": null}]]"
    };
    const char *none[4] = { "[]" };
    char *expected;
    (void)state;
    OPEN("window", "\"length\": \"2s\"", TYPES);
    assert_int_equal(rig_batch(&rig, first, cuts[0]), WEIR_OK);
    expected = strdup(rig_rows(&rig));
    assert_int_equal(rig.n_rows, 3);
    assert_non_null(strstr(expected, "[[\"a\",null],[],null],{\"a\":false,\"l\":[1,null]}]"));
    rig_close(&rig);
    for (uint32_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        OPEN("window", "\"length\": \"2s\"", TYPES);
        assert_int_equal(rig_batch(&rig, first, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), expected);
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, none, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), expected);
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, none, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), "");
        rig_close(&rig);
    }
    free(expected);
}

static void windows_come_at_the_slide_in_order_of_time(void **state)
{
    static const char *const batches[] = { "[[1]]", "[[2]]", "[[3]]", "[[4]]", "[]", "[[6]]" };
    (void)state;
    OPEN("window", "\"length\": \"3s\", \"slide\": \"2s\"", "v int64");
    assert_int_equal(rig.plan.streams[0].slide, 2);
    assert_true(rig.plan.flags & WEIR_PLAN_TICKING);
    for (uint32_t b = 0; b < sizeof batches / sizeof *batches; b++)
        assert_int_equal(rig_feed(&rig, batches[b]), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[1]\n[2]\n[2]\n[3]\n[4]\n[4]\n[6]\n");
}

static void small_batches_leave_in_one_chunk_and_large_ones_in_several(void **state)
{
    const uint32_t n = 20000;
    char *text = malloc(n * 8u), *to = text;
    (void)state;
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++) to += sprintf(to, "%c[%u]", i ? ',' : '[', i);
    strcpy(to, "]");
    rig.quiet = 1;
    OPEN("window", "\"length\": \"9s\"", "v int64");
    for (int b = 0; b < 8; b++) assert_int_equal(rig_feed(&rig, "[[1], [2]]"), WEIR_OK);
    assert_int_equal(rig.n_emits, 8);
    rig_forget(&rig);
    assert_int_equal(rig_feed(&rig, text), WEIR_OK);
    assert_int_equal(rig.n_rows, n + 16);
    assert_true(rig.most_rows <= WEIR_CHUNK_TARGET_ROWS);
    free(text);
}

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    (void)state;
    rig_starve(entry_operator_window, NULL, "window", "\"length\": \"2s\"",
               "k string, n list<int64>, r struct<b: bool>",
               "[[\"a\", [1, null], {\"b\": true}], [null, null, null]]");
}

/* A signature says the types; one that does not fit still differs where only the last type does. */
static void signatures_tell_schemas_apart(void **state)
{
    const char *const ddl[] = { "a int64, b list<string>, c int64, d int64, e int64, f int64, g int32",
                                "a int64, b list<string>, c int64, d int64, e int64, f int64, g int64" };
    char whole[2][64] = { "v, ", "v, " }, cut[2][20] = { "", "" };
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct ArrowSchema schema;
        struct weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(weir_data_1.schema_parse(ddl[k], &schema, &error), WEIR_OK);
        pack_signature(&schema, whole[k], sizeof whole[k]);
        pack_signature(&schema, cut[k], sizeof cut[k]);
        schema.release(&schema);
        assert_int_equal(strlen(cut[k]), sizeof cut[k] - 1);
    }
    assert_string_equal(whole[0], "v, +s(l,+l(u),l,l,l,l,i)");
    assert_string_equal(whole[1], "v, +s(l,+l(u),l,l,l,l,l)");
    assert_string_not_equal(cut[0], cut[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_tell_schemas_apart),
        TEST(rows_of_all_types_come_again_as_they_were),
        TEST(windows_come_at_the_slide_in_order_of_time),
        TEST(small_batches_leave_in_one_chunk_and_large_ones_in_several),
        TEST(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
