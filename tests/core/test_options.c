/* test_options.c - options by their tables: types, items, defaults, secrets, errors of plugins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/core/job_tables.h"

struct fixture {
    struct report report;
    struct job *job;
    struct options *options;
};

/* The options of one instance given as JSON without its braces. */
static void open_fixture(struct fixture *f, const char *section, const char *options)
{
    char text[2048];
    memset(f, 0, sizeof *f);
    snprintf(text, sizeof text,
             "{\"name\": \"j\", \"%s\": {\n\"x\": {%s}}}", section, options);
    f->job = job_read(&files_sys, "f", text, &f->report, NULL);
    assert_non_null(f->job);
    report_fini(&f->report); /* that sections are missing is no matter here */
    f->options = known_options(f->job, &f->job->instances[0], &f->report);
    assert_non_null(f->options);
}

static void close_fixture(struct fixture *f)
{
    options_free(f->options);
    job_free(f->job);
    report_fini(&f->report);
}

static struct weir_value get(const struct fixture *f, const char *name)
{
    struct weir_value value = { .size = sizeof value };
    assert_int_equal(options_get(f->options, name, &value), WEIR_OK);
    return value;
}

static void assert_item(const struct fixture *f, const char *name, uint64_t i, const char *key,
                        const char *text)
{
    struct weir_value value = { .size = sizeof value };
    assert_int_equal(options_item(f->options, name, i, &value), WEIR_OK);
    assert_string_equal(value.text, text);
    assert_int_equal(value.length, strlen(text));
    if (key) assert_string_equal(value.key, key);
    else assert_null(value.key);
}

static void values_come_by_their_types(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "sinks",
                 "\"plugin\": \"file\", \"from\": \"a\", \"path\": \"p\", \"format\": \"csv\","
                 "\"roll\": {\"size\": \"1Ki\", \"age\": \"1.5s\"}, \"changes\": true,"
                 "\"gap\": {\"a\": [1, null]}, \"on_stall\": \"spill\"");
    assert_int_equal(f.report.n, 0);
    assert_string_equal(get(&f, "path").text, "p");
    assert_int_equal(get(&f, "path").type, WEIR_OPTION_TEXT);
    assert_int_equal(get(&f, "roll.size").integer, 1024);
    assert_int_equal(get(&f, "roll.age").integer, 1500000);
    assert_int_equal(get(&f, "changes").integer, 1);
    assert_string_equal(get(&f, "gap").text, "{\"a\":[1,null]}");
    assert_string_equal(get(&f, "on_stall").text, "spill");
    close_fixture(&f);
}

static void defaults_fill_what_was_not_given(void **state)
{
    (void)state;
    struct fixture f;
    struct weir_value value = { .size = sizeof value };
    open_fixture(&f, "sources", "\"plugin\": \"queue\", \"columns\": \"a int\"");
    assert_int_equal(get(&f, "partitions").integer, 1);
    assert_true(get(&f, "fraction").number == 0.5);
    assert_int_equal(get(&f, "max_record").integer, 1 << 20);
    assert_string_equal(get(&f, "format").text, "text");
    assert_int_equal(options_get(f.options, "batches", &value), WEIR_UNSUPPORTED);
    assert_int_equal(options_get(f.options, "no_such", &value), WEIR_UNSUPPORTED);
    assert_int_equal(options_get(f.options, "max_rate", &value), WEIR_UNSUPPORTED);
    assert_true(options_given(f.options, "columns"));
    assert_false(options_given(f.options, "partitions"));
    close_fixture(&f);
}

static void expressions_are_cut_at_the_last_as(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(
        &f, "operators",
        "\"plugin\": \"aggregate\", \"from\": \"a\","
        "\"by\": [\"k\", \"i.ad\", \"upper(s)\", \"a  AS  b\", \"cast(x as int)\", \"f(x)as g\","
        "\"' as q'\", \"x as \\\"odd \\\"\\\" one\\\"\", \"\\\"k l\\\"\", \"has\", \"*\", "
        "\"a.as\", \"p as q as r\"],"
        "\"values\": {\"n\": \"count(*)\", \"t\": \" sum(v)\"}");
    assert_int_equal(f.report.n, 0);
    assert_int_equal(get(&f, "by").count, 13);
    assert_item(&f, "by", 0, "k", "k");
    assert_item(&f, "by", 1, "ad", "i.ad");
    assert_item(&f, "by", 2, "upper(s)", "upper(s)");
    assert_item(&f, "by", 3, "b", "a");
    assert_item(&f, "by", 4, "cast(x as int)", "cast(x as int)");
    assert_item(&f, "by", 5, "g", "f(x)");
    assert_item(&f, "by", 6, "' as q'", "' as q'");
    assert_item(&f, "by", 7, "odd \" one", "x");
    assert_item(&f, "by", 8, "k l", "\"k l\"");
    assert_item(&f, "by", 9, "has", "has");
    assert_item(&f, "by", 10, "*", "*");
    assert_item(&f, "by", 11, "as", "a.as");
    assert_item(&f, "by", 12, "r", "p as q");
    assert_item(&f, "values", 0, "n", "count(*)");
    assert_item(&f, "values", 1, "t", " sum(v)");
    struct weir_value value = { .size = sizeof value };
    assert_int_equal(options_item(f.options, "values", 2, &value), WEIR_UNSUPPORTED);
    close_fixture(&f);
}

static void lists_maps_and_rows_have_items(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "sinks",
                 "\"plugin\": \"file\", \"from\": \"a\", \"path\": \"p\", \"format\": \"csv\","
                 "\"partition_by\": [\"a\", 2, true],"
                 "\"client\": {\"a.b\": 1, \"c\": {\"d\": \"x\", \"e\": false}}");
    assert_int_equal(f.report.n, 0);
    assert_item(&f, "partition_by", 0, NULL, "a");
    assert_item(&f, "partition_by", 1, NULL, "2");
    assert_item(&f, "partition_by", 2, NULL, "true");
    assert_item(&f, "client", 0, "a.b", "1");
    assert_item(&f, "client", 1, "c.d", "x");
    assert_item(&f, "client", 2, "c.e", "false");
    close_fixture(&f);
    open_fixture(&f, "sources",
                 "\"plugin\": \"queue\", \"columns\": \"a int\", \"batches\": [[[1]], null, []]");
    assert_int_equal(get(&f, "batches").count, 3);
    assert_item(&f, "batches", 0, NULL, "[[1]]");
    assert_item(&f, "batches", 1, NULL, "null");
    close_fixture(&f);
}

static void a_format_object_is_merged(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "sources", "\"plugin\": \"socket\", \"port\": 1, \"columns\": \"a int\","
                                "\"format\": {\"type\": \"csv\", \"header\": true}");
    assert_int_equal(f.report.n, 0);
    assert_string_equal(get(&f, "format").text, "csv");
    assert_int_equal(get(&f, "header").integer, 1);
    assert_string_equal(get(&f, "columns").text, "a int");
    close_fixture(&f);
    open_fixture(&f, "sources", "\"plugin\": \"socket\", \"port\": 1, \"header\": true,"
                                "\"format\": {\"type\": \"csv\", \"header\": true}");
    assert_int_equal(f.report.errors, 1);
    assert_string_equal(f.report.findings[0].text,
                        "the option \"header\" is given twice: take one out");
    close_fixture(&f);
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    struct fixture f;
    struct lines lines;
    open_fixture(&f, "sources",
                 "\"plugin\": \"socket\", \"port\": \"hunter2\", \"password\": \"hunter2\","
                 "\"listen\": \"hunter2\", \"on_error\": \"hunter2\", \"max_record\": \"hunter2\"");
    assert_string_equal(get(&f, "password").text, "hunter2");
    assert_int_equal(f.report.errors, 4);
    assert_null(strstr(findings(&f.report, &lines), "hunter2"));
    char *json = options_json(f.options);
    assert_null(strstr(json, "hunter2"));
    assert_non_null(strstr(json, "\"password\": \"***\""));
    mem_free(json);
    close_fixture(&f);
}

static void what_was_right_is_usable_beside_mistakes(void **state)
{
    (void)state;
    struct fixture f;
    struct weir_value value = { .size = sizeof value };
    open_fixture(&f, "sources",
                 "\"plugin\": \"socket\", \"prot\": 1, \"host\": \"h\", \"listen\": 3");
    assert_int_equal(f.report.errors, 3);
    assert_string_equal(get(&f, "host").text, "h");
    assert_int_equal(options_get(f.options, "listen", &value), WEIR_UNSUPPORTED);
    assert_int_equal(options_get(f.options, "port", &value), WEIR_UNSUPPORTED);
    close_fixture(&f);
}

static void a_short_value_of_an_older_plugin_is_not_overrun(void **state)
{
    (void)state;
    struct fixture f;
    struct weir_value value;
    memset(&value, 0x5a, sizeof value);
    value.size = offsetof(struct weir_value, text);
    open_fixture(&f, "sources", "\"plugin\": \"socket\", \"port\": 7");
    assert_int_equal(options_get(f.options, "port", &value), WEIR_OK);
    assert_int_equal(value.integer, 7);
    assert_int_equal(value.size, offsetof(struct weir_value, text));
    assert_int_equal(((unsigned char *)&value)[offsetof(struct weir_value, text)], 0x5a);
    close_fixture(&f);
}

static void an_error_of_a_plugin_has_its_place(void **state)
{
    (void)state;
    static const struct { const char *option; int32_t offset; uint32_t column;
    } errors[] = { { "values.total", 4, 111 },  { "values.0", 4, 111 }, { "values.total", -1, 106 },
                   { "by.0", 2, 53 },           { "by.k", 0, 51 },      { "window.on", 1, 82 },
                   { "window.length", -1, 63 }, { "", -1, 1 },          { "nothing", 3, 1 } };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct fixture f;
        struct weir_error error = WEIR_ERROR_INIT;
        open_fixture(
            &f, "operators",
            "\"plugin\": \"aggregate\", \"from\": \"a\", \"by\": [\"k.k as k\"], "
            "\"window\": {\"on\": \"ts\"}, \"x\": 1, \"values\": [\"sum(amount) as total\"]");
        report_fini(&f.report);
        weir_fail_option(&error, errors[i].option, errors[i].offset, "bad");
        options_report(f.options, f.job, &f.job->instances[0], &error, &f.report);
        assert_int_equal(f.report.n, 1);
        assert_int_equal(f.report.findings[0].place.line, 2);
        assert_int_equal(f.report.findings[0].place.column, errors[i].column);
        close_fixture(&f);
    }
}

static void effective_options_are_nested_and_sorted(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(
        &f, "operators",
        "\"plugin\": \"aggregate\", \"from\": \"a\", \"by\": \"k\","
        "\"values\": [\"sum(v) as n\"], \"window\": {\"length\": \"90s\", \"on\": \"ts\"}");
    char *json = options_json(f.options);
    assert_string_equal(
        json,
        "{\"by\": {\"k\": \"k\"}, \"on_error\": \"dead_letter\", \"output_mode\": \"update\", "
        "\"values\": {\"n\": \"sum(v)\"}, \"window\": {\"length\": \"90s\", \"on\": \"ts\"}}");
    mem_free(json);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_by_their_types),
        cmocka_unit_test(defaults_fill_what_was_not_given),
        cmocka_unit_test(expressions_are_cut_at_the_last_as),
        cmocka_unit_test(lists_maps_and_rows_have_items),
        cmocka_unit_test(a_format_object_is_merged),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(what_was_right_is_usable_beside_mistakes),
        cmocka_unit_test(a_short_value_of_an_older_plugin_is_not_overrun),
        cmocka_unit_test(an_error_of_a_plugin_has_its_place),
        cmocka_unit_test(effective_options_are_nested_and_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
