/*
 * test_builder.c - rows appended cell by cell, and rows from JSON.
 */
#include "tests/core/data_rows.h"

static const struct weir_data *const d = &weir_data_1;

static struct weir_builder *builder_of(const char *ddl, struct ArrowSchema *schema)
{
    struct weir_builder *b;
    schema_of(ddl, schema);
    assert_int_equal(d->builder_create(schema, &b, NULL), WEIR_OK);
    return b;
}

static void assert_finish(struct weir_builder *b, const struct ArrowSchema *schema, uint32_t n,
                          const char *json)
{
    struct ArrowArray out;
    assert_int_equal(d->builder_rows(b), n);
    assert_int_equal(d->builder_finish(b, &out, NULL), WEIR_OK);
    assert_rows(schema, &out, NULL, n, json);
    array_release(&out);
}

static void cells_of_all_kinds_become_rows(void **state)
{
    struct ArrowSchema schema;
    struct weir_builder *b = builder_of(
        "n int64, s string, l list<int32>, t struct<x: bool, f: float64>", &schema);
    struct weir_builder *l = d->builder_child(b, 2), *t = d->builder_child(b, 3);
    int round;
    (void)state;
    for (round = 0; round < 3; round++) { /* a finished builder begins anew */
        assert_int_equal(d->append_int(d->builder_child(b, 0), 5), WEIR_OK);
        assert_int_equal(d->append_bytes(d->builder_child(b, 1), "hi", 2), WEIR_OK);
        assert_int_equal(d->append_int(d->builder_child(l, 0), 1), WEIR_OK);
        assert_int_equal(d->append_null(d->builder_child(l, 0)), WEIR_OK);
        assert_int_equal(d->append_valid(l), WEIR_OK);
        assert_int_equal(d->append_int(d->builder_child(t, 0), 1), WEIR_OK);
        assert_int_equal(d->append_float(d->builder_child(t, 1), 0.5), WEIR_OK);
        assert_int_equal(d->append_valid(t), WEIR_OK);
        assert_int_equal(d->append_valid(b), WEIR_OK);
        assert_int_equal(d->append_null(d->builder_child(b, 0)), WEIR_OK);
        assert_int_equal(d->append_null(d->builder_child(b, 1)), WEIR_OK);
        assert_int_equal(d->append_null(l), WEIR_OK);
        assert_int_equal(d->append_null(t), WEIR_OK);
        assert_finish(b, &schema, 2,
                      "[[5,\"hi\",[1,null],{\"x\":true,\"f\":0.5}],[null,null,null,null]]");
    }
    assert_finish(b, &schema, 0, "[]");
    assert_null(d->builder_child(b, 4));
    d->builder_destroy(b);
    schema_release(&schema);
}

static void values_that_do_not_fit_are_refused_and_leave_no_trace(void **state)
{
    struct ArrowSchema schema;
    struct weir_builder *b = builder_of("b bool, i int32 not null, t timestamp, d date, s string, "
                                        "f float64, l list<int64>", &schema);
    (void)state;
#define CHILD(i) d->builder_child(b, i)
    assert_int_equal(d->append_int(CHILD(0), 2), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(1), 2147483648), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(1), -2147483649), WEIR_DATA);
    assert_int_equal(d->append_null(CHILD(1)), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(2), INT64_MAX), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(3), 2932897), WEIR_DATA);
    assert_int_equal(d->append_bytes(CHILD(4), "\xff", 1), WEIR_DATA);
    assert_int_equal(d->append_bytes(CHILD(5), "1", 1), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(5), 1), WEIR_DATA);
    assert_int_equal(d->append_float(CHILD(0), 1), WEIR_DATA);
    assert_int_equal(d->append_valid(CHILD(5)), WEIR_DATA);
    assert_int_equal(d->append_int(CHILD(6), 1), WEIR_DATA);
    assert_int_equal(d->append_null(b), WEIR_DATA);
    assert_int_equal(d->append_int(d->builder_child(CHILD(6), 0), 1), WEIR_OK);
    assert_int_equal(d->append_null(CHILD(6)), WEIR_DATA); /* an item waits for its list */
    assert_int_equal(d->append_valid(CHILD(6)), WEIR_OK);
#undef CHILD
    assert_int_equal(d->builder_rows(b), 0);
    d->builder_destroy(b);
    schema_release(&schema);
}

static void columns_of_unequal_length_are_not_finished(void **state)
{
    struct ArrowSchema schema;
    struct weir_builder *b = builder_of("a int64, t struct<x: int64, y: int64>", &schema);
    struct weir_builder *t = d->builder_child(b, 1);
    struct ArrowArray out;
    (void)state;
    d->append_int(d->builder_child(b, 0), 1);
    assert_int_equal(d->builder_finish(b, &out, NULL), WEIR_DATA);
    assert_null(out.release);
    d->append_int(d->builder_child(t, 0), 1);
    assert_int_equal(d->append_valid(t), WEIR_DATA);
    assert_int_equal(d->append_null(t), WEIR_DATA);
    d->append_int(d->builder_child(t, 1), 2);
    assert_int_equal(d->builder_finish(b, &out, NULL), WEIR_DATA); /* append_valid is missing */
    assert_int_equal(d->append_valid(t), WEIR_OK);
    assert_finish(b, &schema, 1, "[[1,{\"x\":1,\"y\":2}]]");
    d->builder_destroy(b);
    schema_release(&schema);
}

static void rows_of_another_array_are_appended(void **state)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    struct weir_builder *b;
    uint32_t i;
    (void)state;
    assert_int_equal(d->builder_create(&r.schema, &b, NULL), WEIR_OK);
    for (i = 0; i < 4; i++) assert_int_equal(d->append_from(b, &r.array, i), WEIR_OK);
    assert_finish(b, &r.schema, 4, ALL_ROWS);
    for (i = 0; i < 4; i++) { /* column by column */
        uint32_t c;
        for (c = 0; c < r.schema.n_children; c++)
            assert_int_equal(d->append_from(d->builder_child(b, c), r.array.children[c], i), 0);
    }
    assert_finish(b, &r.schema, 4, ALL_ROWS);
    d->builder_destroy(b);
    rows_drop(&r);
}

static void a_struct_without_fields_counts_its_rows(void **state)
{
    struct ArrowSchema schema;
    struct weir_builder *b;
    (void)state;
    assert_int_equal(d->schema_struct(0, &schema, NULL), WEIR_OK);
    assert_int_equal(d->builder_create(&schema, &b, NULL), WEIR_OK);
    assert_int_equal(d->append_valid(b), WEIR_OK);
    assert_int_equal(d->append_valid(b), WEIR_OK);
    assert_finish(b, &schema, 2, "[[],[]]");
    d->builder_destroy(b);
    schema_release(&schema);
}

static void many_rows_with_late_nulls_are_kept(void **state)
{
    struct ArrowSchema schema;
    struct weir_builder *b = builder_of("a int64, b bool, s string", &schema);
    struct ArrowArray out;
    uint32_t i, n = 20000;
    (void)state;
    for (i = 0; i < n; i++) {
        char text[16];
        if (i > 9000 && i % 3 == 0) d->append_null(d->builder_child(b, 0));
        else d->append_int(d->builder_child(b, 0), i);
        if (i > 9000 && i % 5 == 0) d->append_null(d->builder_child(b, 1));
        else d->append_int(d->builder_child(b, 1), i % 7 == 0);
        d->append_bytes(d->builder_child(b, 2), text, (uint64_t)snprintf(text, 16, "%u", i));
    }
    assert_int_equal(d->builder_finish(b, &out, NULL), WEIR_OK);
    assert_int_equal(array_validate(&schema, &out, 1, NULL), WEIR_OK);
    for (i = 0; i < n; i++) {
        struct weir_bytes s = weir_get_bytes(out.children[2], i);
        char text[16];
        assert_int_equal(weir_is_null(out.children[0], i), i > 9000 && i % 3 == 0);
        if (i <= 9000) assert_int_equal(weir_get_int64(out.children[0], i), i);
        assert_int_equal(weir_is_null(out.children[1], i), i > 9000 && i % 5 == 0);
        if (!weir_is_null(out.children[1], i))
            assert_int_equal(weir_get_bool(out.children[1], i), i % 7 == 0);
        snprintf(text, sizeof text, "%u", i);
        assert_int_equal(s.length, strlen(text));
        assert_memory_equal(s.data, text, s.length);
    }
    array_release(&out);
    d->builder_destroy(b);
    schema_release(&schema);
}

/* append_from fails in the middle of a row: what was appended of it goes again. */
static void a_failed_append_leaves_the_rows_before(void **state)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    uint64_t n;
    int ended = 0;
    (void)state;
    for (n = 1; !ended; n++) {
        struct weir_builder *b;
        uint32_t i;
        assert_int_equal(d->builder_create(&r.schema, &b, NULL), WEIR_OK);
        mem_fail_at(n, 0);
        for (i = 0; i < 4; i++)
            if (d->append_from(b, &r.array, i))
                assert_int_equal(d->append_from(b, &r.array, i), WEIR_OK);
        mem_fail_at(0, 0);
        ended = n > 60;
        assert_finish(b, &r.schema, 4, ALL_ROWS);
        d->builder_destroy(b);
    }
    rows_drop(&r);
}

static void a_null_struct_that_fails_leaves_no_fields(void **state)
{
    struct ArrowSchema schema;
    uint64_t n;
    int failures = 0;
    (void)state;
    schema_of("t struct<a: int64, b: string, c: struct<d: bool, e: list<int64>>>", &schema);
    for (n = 1; n < 20; n++) {
        struct weir_builder *b;
        assert_int_equal(d->builder_create(&schema, &b, NULL), WEIR_OK);
        mem_fail_at(n, 0);
        if (d->append_null(d->builder_child(b, 0))) {
            failures++;
            assert_int_equal(d->append_null(d->builder_child(b, 0)), WEIR_OK);
        }
        mem_fail_at(0, 0);
        assert_finish(b, &schema, 1, "[[null]]");
        d->builder_destroy(b);
    }
    assert_true(failures > 5);
    schema_release(&schema);
}

static int build(void)
{
    struct rows r;
    struct weir_builder *b = NULL;
    struct ArrowArray out = { 0 };
    uint32_t i;
    int done = 0;
    if (d->schema_parse(ALL_TYPES, &r.schema, NULL)) return 0;
    if (d->rows_parse(&r.schema, ALL_ROWS, strlen(ALL_ROWS), &r.array, NULL)) goto end;
    if (d->builder_create(&r.schema, &b, NULL)) goto end;
    for (i = 0; i < 100; i++)
        if (d->append_from(b, &r.array, i % 4)) goto end;
    done = d->builder_finish(b, &out, NULL) == WEIR_OK;
end:
    array_release(&out);
    d->builder_destroy(b);
    rows_drop(&r);
    return done;
}

static void without_memory_building_fails_and_leaks_nothing(void **state)
{
    (void)state;
    with_failing_memory(build);
}

/* ---- JSON ---- */

static void assert_bad_rows(const char *ddl, const char *json, const char *text)
{
    struct ArrowSchema schema;
    struct ArrowArray out;
    struct weir_error error = WEIR_ERROR_INIT;
    schema_of(ddl, &schema);
    assert_int_equal(d->rows_parse(&schema, json, strlen(json), &out, &error), WEIR_CONFIG);
    assert_null(out.release);
    if (!strstr(error.text, text)) fail_msg("%s: '%s'", json, error.text);
    schema_release(&schema);
}

static void bad_rows_are_named_by_row_and_column(void **state)
{
    (void)state;
    assert_bad_rows("a int64", "[[1],[\"5\"]]",
                    "row 2, column 'a': an integer expected, found a string");
    assert_bad_rows("a int64", "[[1.0]]", "row 1, column 'a': an integer expected, found a number");
    assert_bad_rows("a int32", "[[2147483648]]", "range of int32");
    assert_bad_rows("a int64", "[[9223372036854775808]]", "line 1");
    assert_bad_rows("a int64, b int64", "[[1,2],[3]]", "row 2: 2 values expected, found 1");
    assert_bad_rows("a int64", "[5]", "row 1: an array expected");
    assert_bad_rows("a int64", "{}", "an array of rows");
    assert_bad_rows("a int64", "[[1]", "line 1");
    assert_bad_rows("a int64 not null", "[[null]]",
                    "row 1, column 'a': null in a column that is not");
    assert_bad_rows("a timestamp", "[[0]]", "a timestamp as text");
    assert_bad_rows("a timestamp", "[[\"yesterday\"]]", "not a timestamp");
    assert_bad_rows("a date", "[[\"2024-02-30\"]]", "not a date");
    assert_bad_rows("a date", "[[\"0000-02-28\"]]", "0001 to 9999");
    assert_bad_rows("a binary", "[[\"A===\"]]", "not base64");
    assert_bad_rows("a binary", "[[\"AB==\"]]", "not base64");
    assert_bad_rows("a binary", "[[\"AQI\"]]", "not base64");
    assert_bad_rows("a float64", "[[\"nan\"]]", "a number expected");
    assert_bad_rows("a bool", "[[1]]", "true or false");
    assert_bad_rows("a struct<x: int64>", "[[{\"y\":1}]]", "no field 'y'");
    assert_bad_rows("a struct<x: int64 not null>", "[[{}]]", "null in a column");
    assert_bad_rows("a struct<x: int64>", "[[{\"x\":1,\"x\":2}]]", "duplicate");
    assert_bad_rows("a list<int64>", "[[1]]", "an array expected");
}

static void values_are_shown_as_text_and_json(void **state)
{
    struct rows r = rows_of("s string, z binary, l list<struct<a: string, b: float64>>, "
                            "t timestamp",
                            "[[\"a\\\"\\\\\\u0001\\u0000\\n\xc3\xa4\",\"/+8=\","
                            "[{\"a\":\"x\",\"b\":1},null],"
                            "\"2024-01-02T03:04:05Z\"]]");
    struct weir_buffer out = { NULL, 0, 0 };
    int64_t i;
    (void)state;
    assert_rows(&r.schema, &r.array, NULL, 1,
                "[[\"a\\\"\\\\\\u0001\\u0000\\n\xc3\xa4\",\"/+8=\",[{\"a\":\"x\",\"b\":1.0},null],"
                "\"2024-01-02T03:04:05Z\"]]");
    for (i = 1; i < 4; i++) {
        value_text(r.schema.children[i], r.array.children[i], 0, &out);
        buffer_add(&out, "|", 1);
    }
    buffer_add(&out, "", 1);
    assert_string_equal((char *)out.data, "/+8=|[{x, 1.0}, null]|2024-01-02T03:04:05Z|");
    mem_free(out.data);
    rows_drop(&r);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cells_of_all_kinds_become_rows),
        TEST(values_that_do_not_fit_are_refused_and_leave_no_trace),
        TEST(columns_of_unequal_length_are_not_finished),
        TEST(rows_of_another_array_are_appended),
        TEST(a_struct_without_fields_counts_its_rows),
        TEST(many_rows_with_late_nulls_are_kept),
        TEST(a_failed_append_leaves_the_rows_before),
        TEST(a_null_struct_that_fails_leaves_no_fields),
        TEST(without_memory_building_fails_and_leaks_nothing),
        TEST(bad_rows_are_named_by_row_and_column),
        TEST(values_are_shown_as_text_and_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
