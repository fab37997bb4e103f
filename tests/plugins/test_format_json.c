#define _GNU_SOURCE
#include <stdio.h>

#include "tests/plugins/format_cases.h"

#define AB "\"columns\": \"a string, b int\""
#define FIT(c, r) "5 column '" c "' does not fit its type|" r "\n"
#define SYNTAX(r) "1 not a JSON object|" r "\n"

static void members_are_columns_by_name(void **state)
{
    static const struct format_case cases[] = {
        { AB,
          "{\"a\":\"x\",\"b\":1}\n{\"b\": 2, \"a\": \"y\"}\n", 0,
          "[\"x\",1]\n[\"y\",2]\n", "", 0 },
        { AB, "{\"a\":\"x\"}", 0, "[\"x\",null]\n", "", 0 },
        { AB, "{}\n\n\r\n{\"b\":null}\r\n", 0, "[null,null]\n[null,null]\n", "", 0 },
        { AB, "\xEF\xBB\xBF{\"b\":1}\n", 0, "[null,1]\n", "", 0 },
        { AB, "{\"c\":{\"a\":7},\"b\":1,\"d\":[1,[2]],\"a\":\"x\"}\n", 0, "[\"x\",1]\n", "", 0 },
        { AB, "{\"a\":\"x\",\"b\":1,\"a\":\"y\"}\n", 0, "[\"y\",1]\n", "", 0 },
        { AB, "{\"a\":\"x\",\"b\":1,\"b\":null}\n", 0, "[\"x\",null]\n", "", 0 },
        { AB, "{\"\\u0061\":\"x\",\"b\":1}\n", 0, "[\"x\",1]\n", "", 0 },
        { AB, " {\"b\" :\t1 } \n", 0, "[null,1]\n", "", 0 },
        { AB, "", 0, "", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void a_string_column_takes_any_value_as_its_text(void **state)
{
    static const struct format_case cases[] = {
        { "\"columns\": \"a string\"",
          "{\"a\":1.50}\n{\"a\":true}\n{\"a\":{\"x\": [1, \"y\"]}}\n{\"a\":[]}\n{\"a\": null}\n", 0,
          "[\"1.50\"]\n[\"true\"]\n[\"{\\\"x\\\": [1, \\\"y\\\"]}\"]\n[\"[]\"]\n[null]\n", "", 0 },
        { "\"columns\": \"a string\"", "{\"a\":\"q\\\"\\\\\\n\\u00e4\\ud83d\\ude00\"}\n", 0,
          "[\"q\\\"\\\\\\n\xC3\xA4\xF0\x9F\x98\x80\"]\n", "", 0 },
        { "\"columns\": \"a string\"", "{\"a\":[1,,2]}\n{\"a\":tru}\n{\"a\":\"\\ud800\"}\n", 0, "",
          SYNTAX("{\"a\":[1,,2]}") SYNTAX("{\"a\":tru}") SYNTAX("{\"a\":\"\\ud800\"}"), 0 },
        { "\"columns\": \"a string\"", "{\"a\":\"0123456789abcdef0123456789abcdef0123\"}\n", 0,
          "[\"0123456789abcdef0123456789abcdef0123\"]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void numbers_must_fit(void **state)
{
    static const struct format_case cases[] = {
        { AB,
          "{\"b\":\"5\"}\n{\"b\":1.0}\n{\"b\":1e3}\n{\"b\":2147483648}\n{\"b\":-2147483648}\n", 0,
          "[null,-2147483648]\n",
          FIT("b", "{\"b\":\"5\"}") FIT("b", "{\"b\":1.0}") FIT("b", "{\"b\":1e3}")
              FIT("b", "{\"b\":2147483648}"), 0 },
        { "\"columns\": \"v bigint\"",
          "{\"v\":9223372036854775807}\n{\"v\":9223372036854775808}\n", 0,
          "[9223372036854775807]\n", FIT("v", "{\"v\":9223372036854775808}"), 0 },
        { "\"columns\": \"v double\"",
          "{\"v\":1}\n{\"v\":1.5e3}\n{\"v\":1e400}\n{\"v\":1e-400}\n{\"v\":\"NaN\"}\n"
          "{\"v\":\"5\"}\n", 0,
          "[1.0]\n[1500.0]\n[0.0]\n[\"NaN\"]\n",
          FIT("v", "{\"v\":1e400}") FIT("v", "{\"v\":\"5\"}"), 0 },
        { "\"columns\": \"v double\"",
          "{\"v\":01}\n{\"v\":+1}\n{\"v\":.5}\n{\"v\":1.}\n{\"v\":-}\n", 0,
          "", SYNTAX("{\"v\":01}") SYNTAX("{\"v\":+1}") SYNTAX("{\"v\":.5}") SYNTAX("{\"v\":1.}")
              SYNTAX("{\"v\":-}"), 0 },
        { "\"columns\": \"v bool\"",
          "{\"v\":true}\n{\"v\":false}\n{\"v\":\"true\"}\n{\"v\":1}\n", 0,
          "[true]\n[false]\n", FIT("v", "{\"v\":\"true\"}") FIT("v", "{\"v\":1}"), 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void times_are_text_or_numbers_of_a_unit(void **state)
{
    static const struct format_case cases[] = {
        { "\"columns\": \"v timestamp\"",
          "{\"v\":\"2024-01-02T03:04:05Z\"}\n{\"v\":1}\n{\"v\":\"x\"}\n", 0,
          "[\"2024-01-02T03:04:05Z\"]\n", FIT("v", "{\"v\":1}") FIT("v", "{\"v\":\"x\"}"), 0 },
        { "\"columns\": \"v timestamp\", \"timestamp_unit\": \"s\"",
          "{\"v\":1.5}\n{\"v\":-1}\n{\"v\":\"2024-01-02\"}\n", 0,
          "[\"1970-01-01T00:00:01.500Z\"]\n[\"1969-12-31T23:59:59Z\"]\n",
          FIT("v", "{\"v\":\"2024-01-02\"}"), 0 },
        { "\"columns\": \"v date\"", "{\"v\":\"2024-01-02\"}\n", 0, "[\"2024-01-02\"]\n", "", 0 },
        { "\"columns\": \"v binary\"", "{\"v\":\"aGk=\"}\n{\"v\":\"!\"}\n", 0, "[\"aGk=\"]\n",
          FIT("v", "{\"v\":\"!\"}"), 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void nested_columns_are_lists_and_structs(void **state)
{
#define NESTED "\"columns\": \"l list<int>, s struct<x: string, y: list<struct<z: int>>>\""
    static const struct format_case cases[] = {
        { NESTED, "{\"l\":[1,null,3],\"s\":{\"y\":[{\"z\":1},{}],\"x\":\"u\"}}\n", 0,
          "[[1,null,3],{\"x\":\"u\",\"y\":[{\"z\":1},{\"z\":null}]}]\n", "", 0 },
        { NESTED, "{\"l\":[],\"s\":{}}\n{\"l\":null,\"s\":null}\n{}\n", 0,
          "[[],{\"x\":null,\"y\":null}]\n[null,null]\n[null,null]\n", "", 0 },
        { NESTED, "{\"l\":[1,\"x\"]}\n{\"l\":[5]}\n", 0, "[[5],null]\n",
          FIT("l", "{\"l\":[1,\"x\"]}"), 0 },
        { NESTED, "{\"l\":[1,2],\"l\":[3],\"s\":{\"x\":\"a\",\"x\":\"b\"}}\n", 0,
          "[[3],{\"x\":\"b\",\"y\":null}]\n", "", 0 },
        { NESTED,
          "{\"s\":{\"x\":\"a\"},\"s\":{\"y\":[]}}\n", 0,
          "[null,{\"x\":null,\"y\":[]}]\n", "", 0 },
        { NESTED,
          "{\"l\":7}\n{\"s\":[]}\n", 0,
          "", FIT("l", "{\"l\":7}") FIT("s", "{\"s\":[]}"), 0 },
        { "\"columns\": \"s struct<x: int not null>\"", "{\"s\":{\"x\":1}}\n{\"s\":{}}\n", 0,
          "[{\"x\":1}]\n", FIT("s", "{\"s\":{}}"), 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void paths_lead_inside(void **state)
{
#define PATHS                                                                                      \
    "\"columns\": \"u string, v int, w int\", "                                                    \
    "\"paths\": {\"u\": \"$.a.b\", \"v\": \"$.a.c[1].d\", \"w\": \"$.w\"}"
    static const struct format_case cases[] = {
        { PATHS,
          "{\"a\":{\"b\":\"x\",\"c\":[{\"d\":1},{\"d\":2}]},\"w\":3}\n", 0,
          "[\"x\",2,3]\n", "", 0 },
        { PATHS, "{\"a\":5,\"w\":3}\n{\"a\":{\"c\":[]}}\n{\"a\":[{\"b\":1}]}\n", 0,
          "[null,null,3]\n[null,null,null]\n[null,null,null]\n", "", 0 },
        { PATHS,
          "{\"a\":{\"b\":\"x\"},\"a\":{\"c\":[0,{\"d\":9}]}}\n", 0,
          "[null,9,null]\n", "", 0 },
        { PATHS, "{\"a\":{\"b\":\"x\"},\"a\":1}\n", 0, "[null,null,null]\n", "", 0 },
        { "\"columns\": \"u string, v int, a string, t int\", "
          "\"paths\": {\"u\": \"$.a.b\", \"v\": \"$.a.b\", \"t\": \"$.a.b\"}",
          "{\"a\": {\"b\": 4}, \"z\": 1}\n{\"a\":{\"b\":\"no\"}}\n", 0,
          "[\"4\",4,\"{\\\"b\\\": 4}\",4]\n", FIT("v", "{\"a\":{\"b\":\"no\"}}"), 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void syntax_errors_are_rejected_and_move_no_bounds(void **state)
{
    static const struct format_case cases[] = {
        { AB, "{\"b\":1\n{\"b\":2}\n", 0, "[null,2]\n", SYNTAX("{\"b\":1"), 0 },
        { AB, "{\"b\":1}}\n{\"b\":2}\n", 0, "[null,2]\n", SYNTAX("{\"b\":1}}"), 0 },
        { AB, "{\"b\":1} x\n{\"b\":2}\n", 0, "[null,2]\n", SYNTAX("{\"b\":1} x"), 0 },
        { AB, "{\"a\":\"x\n{\"b\":2}\n", 0, "[null,2]\n", SYNTAX("{\"a\":\"x"), 0 },
        { AB, "[1]\n5\n\"x\"\nnull\n \n{\"b\":2}\n", 0, "[null,2]\n",
          SYNTAX("[1]") SYNTAX("5") SYNTAX("\"x\"") SYNTAX("null") SYNTAX(" "), 0 },
        { AB, "{\"b\":1 \"a\":2}\n{\"b\" 1}\n{\"b\":1,}\n{b:1}\n{\"b\":1;}\n", 0, "",
          SYNTAX("{\"b\":1 \"a\":2}") SYNTAX("{\"b\" 1}") SYNTAX("{\"b\":1,}") SYNTAX("{b:1}")
              SYNTAX("{\"b\":1;}"), 0 },
        { AB, "{\"a\":\"x\ty\"}\n", 0, "", SYNTAX("{\"a\":\"x\ty\"}"), 0 },
        { AB,
          "{\"a\":\"\xFF\"}\n{\"b\":2}\n", 0,
          "[null,2]\n", "3 not UTF-8|{\"a\":\"\xFF\"}\n", 0 },
        { AB ", \"invalid\": \"replace\"",
          "{\"a\":\"\xFF\"}\n", 0,
          "[\"\xEF\xBF\xBD\",null]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void nesting_over_64_is_rejected(void **state)
{
    char deep[400], text[500], rows[500];
    struct format_case c = { "\"columns\": \"a string\"", text, 0, rows, "", 0 };
    int i, n;
    (void)state;
    for (n = 63; n <= 64; n++) {
        for (i = 0; i < n; i++) deep[i] = '[', deep[2 * n - 1 - i] = ']';
        deep[2 * n] = 0;
        snprintf(text, sizeof text, "{\"a\":%s}\n", deep);
        snprintf(rows, sizeof rows, "[\"%s\"]\n", deep);
        if (n == 64) {
            static char rejects[500];
            snprintf(rejects, sizeof rejects, "1 nested over 64 levels|{\"a\":%s}\n", deep);
            c.rows = "";
            c.rejects = rejects;
        }
        run_case(entry_format_json, &c, 0, UINT64_MAX);
    }
}

static void on_error_null_keeps_the_row_and_the_text(void **state)
{
#define CORRUPTED "\"columns\": \"a string, b int, _corrupt_record string\""
    static const struct format_case cases[] = {
        { CORRUPTED, "{\"a\":\"x\",\"b\":1}\n{\"a\":\"x\",\"b\":\"no\"}\nrubbish\n", 0,
          "[\"x\",1,null]\n[\"x\",null,\"{\\\"a\\\":\\\"x\\\",\\\"b\\\":\\\"no\\\"}\"]\n"
          "[null,null,\"rubbish\"]\n", "", 1 },
        { "\"columns\": \"b int not null\"", "{\"b\":1}\n{}\n{\"b\":\"x\"}\n", 0, "[1]\n",
          "5 column 'b' is null|{}\n5 column 'b' is null|{\"b\":\"x\"}\n", 1 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void a_document_over_several_lines_is_read_as_one(void **state)
{
    static const struct format_case cases[] = {
        { AB ", \"multi_line\": true", "[\n {\"a\": \"x\",\n \"b\": 1},\n {\"b\": 2}\n]\n", 0,
          "[\"x\",1]\n[null,2]\n", "", 0 },
        { AB ", \"multi_line\": true", "{\n\"b\":\n1}", 0, "[null,1]\n", "", 0 },
        { AB ", \"multi_line\": true", "[]", 0, "", "", 0 },
        { AB ", \"multi_line\": true", "\xEF\xBB\xBF[{\"b\":1}]", 0, "[null,1]\n", "", 0 },
        { AB ", \"multi_line\": true", "[{\"b\":1},{\"b\":2]", 0, "",
          SYNTAX("[{\"b\":1},{\"b\":2]"), 0 },
        { AB ", \"multi_line\": true", "[{\"b\":1},{\"b\":\"x\"},{\"b\":3}]", 0,
          "[null,1]\n[null,3]\n", FIT("b", "{\"b\":\"x\"},{\"b\":3}]"), 0 },
    };
    (void)state;
    RUN_CASES(entry_format_json, cases);
}

static void wrong_paths_are_refused(void **state)
{
    (void)state;
    expect_refusal(entry_format_json, "", "columns");
    expect_refusal(entry_format_json, AB ", \"paths\": {\"a\": \"x.y\"}", "$.a.b");
    expect_refusal(entry_format_json, AB ", \"paths\": {\"a\": \"$..y\"}", "$.a.b");
    expect_refusal(entry_format_json, AB ", \"paths\": {\"a\": \"$.x[y]\"}", "$.a.b");
    expect_refusal(entry_format_json, AB ", \"paths\": {\"a\": \"$\"}", "$.a.b");
    expect_refusal(entry_format_json, AB ", \"paths\": {\"z\": \"$.x\"}", "'z'");
}

static void rows_become_objects(void **state)
{
    (void)state;
    expect_encoded(entry_format_json, "",
                   "a string, b double, c list<int>, d struct<x: binary, t: timestamp>",
                   "[[\"q\\\"\\n\\u0001\\u00e4\",1,[1,null],{\"x\":\"aGk=\",\"t\":\"2024-01-02T03:04:05Z\"}],"
                   "[null,\"NaN\",null,null]]",
                   "{\"a\":\"q\\\"\\n\\u0001\xC3\xA4\",\"b\":1.0,\"c\":[1,null],\"d\":{\"x\":\"aGk=\","
                   "\"t\":\"2024-01-02T03:04:05Z\"}}\n"
                   "{\"a\":null,\"b\":\"NaN\",\"c\":null,\"d\":null}\n");
}

static const char sample[] =
    "{\"id\": 1, \"name\": \"a \\\"b\\\" \\u00e4\", \"tags\": [\"x\", \"y\"], \"pos\": {\"lat\": 1.5, "
    "\"lon\": -2e-3}, \"when\": \"2024-01-02T03:04:05Z\", \"ok\": true, \"z\": null}\n"
    "{\"id\":2,\"name\":\"\",\"tags\":[],\"pos\":{},\"ok\":false}\r\n\n{\"id\":3,\"pos\":null}";

static void hostile_json_is_survived(void **state)
{
    (void)state;
    run_hostile(entry_format_json,
                "\"columns\": \"id int, name string, tags list<string>, "
                "pos struct<lat: double, lon: double>, when timestamp, ok bool, z string\"",
                sample, mutations());
    run_hostile(entry_format_json,
                "\"columns\": \"p string, a double, b double, n binary, t string\", \"invalid\": \"replace\", "
                "\"paths\": {\"p\": \"$.pos\", \"a\": \"$.pos.lat\", \"b\": \"$.pos.lat\", \"n\": \"$.name\", "
                "\"t\": \"$.tags[1]\"}",
                sample, mutations());
    run_hostile(entry_format_json, "\"columns\": \"id int\", \"multi_line\": true",
                "[{\"id\":1,\n\"x\":[1,2,{}]},{\"id\":2}]", mutations() / 2);
}

/* What a subset of the columns gives is what all of them give, for records that all accept. */
static void wanted_columns_agree_with_all_of_them(void **state)
{
    static const char *const some[] = { "ok", "id", NULL };
    static const char options[] = "\"columns\": \"id int, name string, ok bool\"";
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake all, few;
    uint64_t seed = 99;
    uint32_t round, compared = 0;
    char text[sizeof sample];
    (void)state;
    assert_int_equal(fake_create(&all, sys, entry_format_json, NULL, options), WEIR_OK);
    assert_int_equal(fake_create(&few, sys, entry_format_json, NULL, options), WEIR_OK);
    assert_int_equal(fake_bind_decode(&all, NULL, 0), WEIR_OK);
    assert_int_equal(fake_bind_decode(&few, some, 0), WEIR_OK);
    for (round = 0; round < mutations(); round++) {
        size_t n = (size_t)(strchr(sample, '\n') - sample);
        char *a, *b;
        memcpy(text, sample, n);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        if (round) text[(seed >> 20) % n] = (char)(seed >> 50 & 0x7f);
        fake_forget(&all);
        fake_forget(&few);
        assert_int_equal(fake_decode(&all, text, n, 0, UINT64_MAX), WEIR_OK);
        assert_int_equal(fake_decode(&few, text, n, 0, UINT64_MAX), WEIR_OK);
        if (all.n_rows != 1) continue;
        assert_int_equal(few.n_rows, 1); /* [id,name,ok] and [ok,id] */
        a = strdup(fake_rows(&all));
        b = strdup(fake_rows(&few));
        *strchr(a, ',') = 0;
        *strchr(b, ',') = 0;
        assert_memory_equal(strrchr(a + strlen(a) + 1, ',') + 1, b + 1, strlen(b + 1));
        assert_memory_equal(a + 1, b + strlen(b) + 1, strlen(a + 1));
        free(a);
        free(b);
        compared++;
    }
    assert_true(compared > 100);
    fake_destroy(&all);
    fake_destroy(&few);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* Rows that a condition leaves out are some of those for which it is not true; records that are bad
 * are rejected as without it, also behind the member that decides. */
static void rows_that_no_one_wants_are_left_out(void **state)
{
    static const char options[] = "\"columns\": \"a string, kind string, n int, z string\"";
    static const char *const kinds[] = { "view", "click", "", "viewer", "vie\\u0077", "\xff" };
    static const char *const numbers[] = { "1", "22", "null", "1.5", "\"x\"" };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake all, some;
    uint64_t seed = 7, n = 0, views = 0, others = 0;
    static char text[4000 * 80];
    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        n += (uint64_t)sprintf(text + n, "{\"a\":\"x%u\",\"kind\":\"%s\",\"n\":%s,\"z\":\"%s\"}\n", i,
                               kinds[(seed >> 60) < 6 ? (seed >> 60) : i & 1],
                               numbers[(seed >> 55 & 31) < 5 ? (seed >> 55 & 31) : 0],
                               (seed >> 50 & 31) == 0 ? "\\q" : "end");
    }
    assert_int_equal(fake_create(&all, sys, entry_format_json, NULL, options), WEIR_OK);
    assert_int_equal(fake_create(&some, sys, entry_format_json, NULL, options), WEIR_OK);
    some.conjunct = "kind = 'view'";
    assert_int_equal(fake_bind_decode(&all, NULL, 0), WEIR_OK);
    assert_int_equal(fake_bind_decode(&some, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&all, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake_decode(&some, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_string_equal(fake_rejects(&some), fake_rejects(&all));
    assert_int_equal(some.n_rows + some.n_left_out, all.n_rows);
    for (char *a = strdup(fake_rows(&all)), *at = a, *b = strdup(fake_rows(&some)), *bt = b;; ) {
        char *feed = strchr(at, '\n');
        const uint64_t length = feed ? (uint64_t)(feed + 1 - at) : 0;
        if (length && strncmp(at, bt, length) == 0) { /* kept */
            views += memmem(at, length, ",\"view\",", 8) != NULL;
            bt += length;
        } else if (length) {
            assert_null(memmem(at, length, ",\"view\",", 8));
            others++;
        }
        at += length;
        if (length) continue;
        assert_int_equal(*bt, 0);
        free(a);
        free(b);
        break;
    }
    assert_true(views > 500 && others > 500);
    assert_int_equal(others, some.n_left_out);
    fake_destroy(&all);
    fake_destroy(&some);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* What becomes of a record that is left out doesn't depend on whether its shape is known: a bad one
 * is rejected, as without the condition. */
static void bad_records_that_are_left_out_are_rejected_first_and_later(void **state)
{
    static const char options[] = "\"columns\": \"type string, user string not null, n int64\"";
    static const char *const records[] = {
        "{\"type\":\"click\",\"user\":null,\"n\":1}\n", "{\"type\":\"click\",\"n\":1}\n",
        "{\"type\":\"click\",\"user\":\"b\",\"n\":\"x\"}\n",
        "{\"type\":\"click\",\"user\":\"b\",\"n\":2}\n", "{\"type\":null,\"user\":\"b\",\"n\":2}\n",
        "{\"type\":5,\"user\":6,\"n\":null}\n", "{\"user\":\"b\",\"n\":2}\n", "{\"user\":null}\n",
        "{\"type\":\"view\",\"user\":\"b\"}\n", "{\"type\":\"view\",\"user\":null,\"n\":1}\n",
        "{\"type\":\"click\",\"user\":\"\\u0062\",\"n\":2}\n", "{\"type\":\"click\",\"user\":\"b\"}\n",
    };
    const int bad[] = { 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0 };
    const int kept[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    (void)state;
    for (uint32_t i = 0; i < 4 * sizeof records / sizeof *records; i++) {
        const char *record = records[i / 4];
        const uint32_t before = i & 1 ? 20 : 0;
        struct fake fake;
        char text[40 * 80] = "";
        for (uint32_t k = 0; k < before; k++) {
            strcat(text, "{\"type\":\"view\",\"user\":\"a\",\"n\":1}\n");
            if (k < 10 && !bad[i / 4]) strcat(text, record); /* its shape is known, too */
        }
        const uint32_t more = before && !bad[i / 4] ? 10 : 0;
        strcat(text, record);
        assert_int_equal(fake_create(&fake, sys, entry_format_json, NULL, options), WEIR_OK);
        fake.conjunct = i & 2 ? "type = 'view'" : NULL;
        assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
        assert_int_equal(fake_decode(&fake, text, strlen(text), 0, UINT64_MAX), WEIR_OK);
        assert_int_equal(fake.n_rejects, bad[i / 4]);
        assert_int_equal(fake.n_rows + fake.n_left_out, before + more + !bad[i / 4]);
        if (i & 2) assert_int_equal(fake.n_rows, before + (more + 1) * (uint32_t)kept[i / 4]);
        fake_destroy(&fake);
    }
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* Records that are read by their shape and those that are parsed fill chunks alike. */
static void chunk_ends_depend_on_the_bytes_alone(void **state)
{
    static const char *const texts[] = { "abcdef", "\\u0061" };
    static char text[4200 * 1001 + 64];
    uint64_t emits[2];
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct fake fake;
        for (uint32_t k = 0; k < 4192; k++) {
            char *at = text + k * 1001;
            memset(at, ' ', 1001);
            memcpy(at, "{\"a\":\"", 6);
            memcpy(at + 6, texts[i], 6);
            memcpy(at + 12, "\"}", 2);
            at[1000] = '\n';
        }
        assert_int_equal(fake_create(&fake, sys, entry_format_json, NULL,
                                     "\"columns\": \"a string\""), WEIR_OK);
        assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
        assert_int_equal(fake_decode(&fake, text, 4192 * 1001, 0, UINT64_MAX), WEIR_OK);
        assert_int_equal(fake.n_rows, 4192);
        emits[i] = fake.n_emits;
        fake_destroy(&fake);
    }
    assert_int_equal(emits[0], 2);
    assert_int_equal(emits[1], 2);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* A record over 12 MiB begins a chunk, whether its shape is known or not, so none gets over 16 MiB. */
static void long_records_begin_chunks(void **state)
{
    static const uint64_t lengths[] = { 4000000, 12 << 20, 4000000, (12 << 20) + 1, 10, 10 };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    char *text = malloc(40 << 20), *at = text;
    (void)state;
    assert_non_null(text);
    for (uint32_t i = 0; i < 6; i++) {
        memset(at, 'x', lengths[i]);
        memcpy(at, "{\"b\":\"", 6);
        memcpy(at + lengths[i] - 2, "\"}\n", 3);
        at += lengths[i] + 1;
    }
    assert_int_equal(fake_create(&fake, sys, entry_format_json, NULL, "\"columns\": \"a int\""),
                     WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, text, (uint64_t)(at - text), 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake.n_rows, 6);
    assert_int_equal(fake.n_emits, 4); /* 2, 1, 1, and 2 rows */
    fake_destroy(&fake);
    free(text);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* ---- shapes of records before ---- */

static void decode_alone(const char *options, const uint8_t *text, uint64_t n, char **rows,
                         char **rejects)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    assert_int_equal(fake_create(&fake, sys, entry_format_json, NULL, options), WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, text, n, 0, UINT64_MAX), WEIR_OK);
    *rows = strdup(fake_rows(&fake));
    *rejects = strdup(fake_rejects(&fake));
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* A record behind ones whose shape was learned gives what it gives alone: the record, twice or as often as
 * its layout needs, then a mutation of it and the record again. */
static void a_known_shape_changes_no_record(void **state)
{
    static const char options[] = "\"columns\": \"s string, i int, b bigint, d double, f bool, "
                                  "t timestamp, u date, x binary\"";
    static const char *const samples[] = {
        "{\"s\": \"a\xC3\xA4 long text, over 16\", \"i\": -12, \"more\": \"z\", \"b\":7 }\n",
        "{\"d\":1.5e3,\"f\":true,\"other\":[1,2],\"s\":12.0}\n",
        "{\"t\":\"2024-01-02T03:04:05Z\",\"u\":\"2024-01-02\",\"f\":false,\"n\":null,\"i\":null}\n",
        "{\"x\":\"YQ==\",\"s\":\"\"}\n",
    };
    uint64_t random = 0x9E3779B97F4A7C15ull;
    (void)state;
    for (uint32_t k = 0, n = mutations() / 4; k < n; k++) {
        static const char spice[] = "\"\\{}[],:\n\r 0-e.\xEF\x80tfn\x01";
        const char *first = samples[k % 4];
        uint8_t mutant[256], text[16 * 256];
        char *rows[3], *rejects[3], expected[16 * 1024];
        size_t length = strlen(first), at = 0, before = k & 4 ? 2 : 14;
        memcpy(mutant, first, length);
        for (uint32_t changes = 1 + k % 3; changes--;) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            mutant[(random >> 32) % (length - 1)] =
                random & 1 ? (uint8_t)spice[(random >> 8) % (sizeof spice - 1)]
                           : (uint8_t)(random >> 8);
        }
        for (size_t i = 0; i < before + 2; i++) memcpy(text + i * length, first, length);
        memcpy(text + before * length, mutant, length);
        decode_alone(options, text, (before + 2) * length, &rows[0], &rejects[0]);
        decode_alone(options, mutant, length, &rows[1], &rejects[1]);
        decode_alone(options, (const uint8_t *)first, length, &rows[2], &rejects[2]);
        for (size_t i = 0; i < before + 2; i++)
            at += (size_t)snprintf(expected + at, sizeof expected - at, "%s",
                                   rows[i == before ? 1 : 2]);
        assert_true(at < sizeof expected);
        assert_string_equal(rows[0], expected);
        assert_string_equal(rejects[0], rejects[1]);
        for (int i = 0; i < 3; i++) {
            free(rows[i]);
            free(rejects[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_columns_by_name),
        cmocka_unit_test(a_string_column_takes_any_value_as_its_text),
        cmocka_unit_test(numbers_must_fit),
        cmocka_unit_test(times_are_text_or_numbers_of_a_unit),
        cmocka_unit_test(nested_columns_are_lists_and_structs),
        cmocka_unit_test(paths_lead_inside),
        cmocka_unit_test(syntax_errors_are_rejected_and_move_no_bounds),
        cmocka_unit_test(nesting_over_64_is_rejected),
        cmocka_unit_test(on_error_null_keeps_the_row_and_the_text),
        cmocka_unit_test(a_document_over_several_lines_is_read_as_one),
        cmocka_unit_test(wrong_paths_are_refused),
        cmocka_unit_test(rows_become_objects),
        cmocka_unit_test(hostile_json_is_survived),
        cmocka_unit_test(wanted_columns_agree_with_all_of_them),
        cmocka_unit_test(rows_that_no_one_wants_are_left_out),
        cmocka_unit_test(bad_records_that_are_left_out_are_rejected_first_and_later),
        cmocka_unit_test(chunk_ends_depend_on_the_bytes_alone),
        cmocka_unit_test(long_records_begin_chunks),
        cmocka_unit_test(a_known_shape_changes_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
