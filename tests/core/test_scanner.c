/* test_scanner.c - places of keys, values, and code points in strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/job/scanner.h"

static struct places *scan(const char *text)
{
    struct report report = { 0 };
    struct places *places = places_create("f");
    assert_non_null(places);
    assert_int_equal(places_scan(places, text, strlen(text), 0, &report), 0);
    assert_int_equal(report.n, 0);
    return places;
}

static void assert_place(struct place place, uint32_t line, uint32_t column)
{
    assert_int_equal(place.line, line);
    assert_int_equal(place.column, column);
}

static void keys_and_values_have_line_and_column(void **state)
{
    (void)state;
    struct places *p = scan("{\n \"a\" : {\"b\":[10, {\"c\": true}],\r\n\t\"d\": \"x\"}\n}");
    assert_place(places_value(p, "", -1), 1, 1);
    assert_place(places_key(p, "a"), 2, 2);
    assert_place(places_value(p, "a", -1), 2, 8);
    assert_place(places_key(p, "a.b"), 2, 9);
    assert_place(places_value(p, "a.b", -1), 2, 13);
    assert_place(places_value(p, "a.b.0", -1), 2, 14);
    assert_place(places_key(p, "a.b.1"), 2, 18);
    assert_place(places_value(p, "a.b.1.c", -1), 2, 24);
    assert_place(places_value(p, "a.d", -1), 3, 7);
    assert_place(places_value(p, "a.d", 0), 3, 8);
    places_free(p);
}

static void columns_count_code_points(void **state)
{
    (void)state;
    struct places *p = scan("{\"größe\": \"日本\", \"x\": \"é😀=1\"}");
    assert_place(places_value(p, "größe", -1), 1, 11);
    assert_place(places_key(p, "x"), 1, 17);
    assert_place(places_value(p, "x", 0), 1, 23);
    assert_place(places_value(p, "x", 2), 1, 25);
    places_free(p);
}

static void an_offset_into_a_string_counts_escapes_as_written(void **state)
{
    (void)state;
    struct places *p = scan("{\"w\": \"a\\n\\u00e9\\ud83d\\ude00\\\"z\"}");
    assert_place(places_value(p, "w", 0), 1, 8);  /* a */
    assert_place(places_value(p, "w", 1), 1, 9);  /* \n */
    assert_place(places_value(p, "w", 2), 1, 11); /* é */
    assert_place(places_value(p, "w", 3), 1, 17); /* a pair is one code point */
    assert_place(places_value(p, "w", 4), 1, 29); /* \" */
    assert_place(places_value(p, "w", 5), 1, 31); /* z */
    assert_place(places_value(p, "w", 6), 1, 32); /* the closing quote */
    assert_place(places_value(p, "w", 600), 1, 32);
    places_free(p);
}

static void escaped_keys_are_found_decoded(void **state)
{
    (void)state;
    struct places *p = scan("{\"\\u0061\\ud83d\\ude00\\\\\": {\"\\/\": 1}}");
    assert_true(places_has(p, "a😀\\"));
    assert_true(places_has(p, "a😀\\./"));
    assert_false(places_has(p, "a"));
    places_free(p);
}

static void a_missing_path_falls_back_to_the_key_of_its_parent(void **state)
{
    (void)state;
    struct places *p = scan("{\"a\": {\"b\": {\"c\": 1}}}");
    assert_place(places_value(p, "a.b.x.y", 3), 1, 8);
    assert_place(places_value(p, "a.x", -1), 1, 2);
    assert_place(places_value(p, "x", -1), 1, 1);
    assert_place(places_key(p, "a.b.c"), 1, 14);
    places_free(p);
}

static void keys_with_dots_and_empty_keys_are_no_trouble(void **state)
{
    (void)state;
    struct places *p = scan("{\"a.b\": 1, \"\": 2, \"c\": {\"\": {\"\": 3}}}");
    assert_place(places_value(p, "a.b", -1), 1, 9);
    assert_place(places_value(p, "c.", -1), 1, 29);
    assert_place(places_value(p, "c..", -1), 1, 34);
    places_free(p);
}

static void duplicates_are_all_reported(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\": 1,\n\"b\": [{\"x\": 1, \"\\u0078\": 2}, {\"x\": 3}],\n\"a\": {}, \"a.0\": 1}";
    struct report report = { 0 };
    struct places *p = places_create("f");
    places_scan(p, text, strlen(text), 0, &report);
    assert_int_equal(report.errors, 2);
    assert_place(report.findings[0].place, 2, 16);
    assert_string_equal(report.findings[0].path, "b.0");
    assert_place(report.findings[1].place, 3, 1);
    places_free(p);
    report_fini(&report);
}

static void text_that_is_no_json_ends_the_walk(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "{",           "{\"a\"",         "{\"a\":", "{\"a\":1", "[1,",      "[1 2]",
        "\"x", "{\"a\":\"\\", "{\"a\":\"\\u12", "{a:1}",   ",",        "{\"a\":}", "[\"\\ud83d\\u"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct report report = { 0 };
        struct places *p = places_create("f");
        char *exact = malloc(strlen(bad[i]) + 1); /* reading past its end shows */
        memcpy(exact, bad[i], strlen(bad[i]) + 1);
        if (places_scan(p, exact, strlen(exact), 0, &report) == 0) fail_msg("%s was taken", bad[i]);
        assert_true(report.errors > 0);
        free(exact);
        places_free(p);
        report_fini(&report);
    }
}

static void words_hide_what_the_file_says(void **state)
{
    (void)state;
    struct places *p = scan("{\"a\": {\"b\": \"x\"}}");
    assert_int_equal(places_add(p, "a.b", 3, 7, "größer"), 0);
    assert_place(places_value(p, "a.b", -1), 3, 7);
    assert_place(places_value(p, "a.b", 3), 3, 10);
    assert_string_equal(places_value(p, "a.b", -1).file, SCAN_COMMAND_LINE);
    assert_string_equal(places_value(p, "a", -1).file, "f");
    assert_false(places_is_text(p, "a.b"));
    assert_int_equal(places_mark_text(p, "a"), 0);
    assert_true(places_is_text(p, "a.b"));
    assert_true(places_is_text(p, "a.b.c.d"));
    assert_false(places_is_text(p, "ab"));
    places_free(p);
}

static void an_offset_stops_where_the_text_was_changed(void **state)
{
    (void)state;
    struct places *p = scan("{\"a\": \"xy${V}z\"}");
    places_mark_changed(p, "a", 2);
    assert_place(places_value(p, "a", 1), 1, 9);
    assert_place(places_value(p, "a", 2), 1, 10);
    assert_place(places_value(p, "a", 9), 1, 10);
    places_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values_have_line_and_column),
        cmocka_unit_test(columns_count_code_points),
        cmocka_unit_test(an_offset_into_a_string_counts_escapes_as_written),
        cmocka_unit_test(escaped_keys_are_found_decoded),
        cmocka_unit_test(a_missing_path_falls_back_to_the_key_of_its_parent),
        cmocka_unit_test(keys_with_dots_and_empty_keys_are_no_trouble),
        cmocka_unit_test(duplicates_are_all_reported),
        cmocka_unit_test(text_that_is_no_json_ends_the_walk),
        cmocka_unit_test(words_hide_what_the_file_says),
        cmocka_unit_test(an_offset_stops_where_the_text_was_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
