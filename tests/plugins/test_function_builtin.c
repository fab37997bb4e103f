/*
 * test_function_builtin.c - the built-in functions by tables, through expressions; aggregates over
 * cells of a table in memory, as one state and as partial ones merged.
 */
#define _GNU_SOURCE /* memmem */
#include "tests/core/expr_case.h"

#include "core/data/array.h"
#include "plugins/share/search.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

const struct weir_plugin *weir_plugin_entry_v1(const struct weir_host *host,
                                               struct weir_error *error);

static struct expr_table table;
static struct weir_component *all;

static int load(void **state)
{
    const struct weir_plugin *plugin = weir_plugin_entry_v1(expr_test_env.host, NULL);
    (void)state;
    all = calloc(plugin->n_components + 1, sizeof *all);
    memcpy(all, plugin->components, plugin->n_components * sizeof *all);
    expr_components = all;
    return 0;
}

static int unload(void **state)
{
    (void)state;
    free(all);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    table_free(&table);
    return mem_in_use() != 0;
}

/* ---- the module ---- */

static void the_descriptor_is_in_order(void **state)
{
    const struct weir_plugin *plugin = weir_plugin_entry_v1(expr_test_env.host, NULL);
    uint32_t i, k;
    (void)state;
    assert_int_equal(plugin->abi_major, WEIR_ABI_MAJOR);
    assert_int_equal(plugin->component_size, sizeof(struct weir_component));
    for (i = 0; i < plugin->n_components; i++) {
        const struct weir_component *c = &plugin->components[i];
        assert_int_equal(c->size, sizeof *c);
        assert_non_null(c->table);
        assert_true(c->min_args <= c->max_args);
        assert_true(c->capabilities & WEIR_CAP_DETERMINISTIC);
        for (k = 0; k < i; k++) assert_string_not_equal(c->name, plugin->components[k].name);
    }
}

/* ---- scalar functions ---- */

static int for_numbers(void **state)
{
    (void)state;
    table_make(&table, "a int64, i int, f double, n int64",
               "[[7,7,2.675,2],[-7,-7,-2.5,-3],[9223372036854775807,2147483647,1e19,0],"
               "[-9223372036854775808,-2147483648,\"NaN\",-1],[null,null,null,null],"
               "[0,0,-0.0,1],[25,25,\"Infinity\",-1]]");
    return 0;
}

static void numbers(void **state)
{
    (void)state;
    CASES(&table,
          { "abs(a)", "7, 7, 9223372036854775807, !int64 overflow, null, 0, 25" },
          { "abs(i)", "7, 7, 2147483647, 2147483648, null, 0, 25" },
          { "abs(f)", "2.675, 2.5, 1.0E19, \"NaN\", null, 0.0, \"Infinity\"" },
          { "sign(a)", "1, -1, 1, -1, null, 0, 1" },
          { "sign(f)", "1.0, -1.0, 1.0, \"NaN\", null, 0.0, 1.0" },
          { "ceil(f)", "3, -2, !float64 out of range of int64, !float64 out of range of int64, "
                       "null, 0, !float64 out of range of int64" },
          { "floor(f)", "2, -3, !float64 out of range of int64, !float64 out of range of int64, "
                        "null, 0, !float64 out of range of int64" },
          { "ceil(a)", "7, -7, 9223372036854775807, -9223372036854775808, null, 0, 25" },
          { "round(f)", "3.0, -3.0, 1.0E19, \"NaN\", null, -0.0, \"Infinity\"" },
          { "round(f, 2)", "2.68, -2.5, 1.0E19, \"NaN\", null, -0.0, \"Infinity\"" },
          { "round(f, -1)", "0.0, -0.0, 1.0E19, \"NaN\", null, -0.0, \"Infinity\"" },
          { "round(a, -1)", "10, -10, !int64 overflow, !int64 overflow, null, 0, 30" },
          { "round(a)", "7, -7, 9223372036854775807, -9223372036854775808, null, 0, 25" },
          { "round(a, n)", "7, 0, 9223372036854775807, !int64 overflow, null, 0, 30" },
          { "round(a, -20)", "0, 0, 0, 0, null, 0, 0" },
          { "round(2.5) || ''", "@0 an operand of || must be string, not float64" },
          { "round(0.5)::string || round(1.5)::string || round(-0.5)::string",
            "\"1.02.0-1.0\", \"1.02.0-1.0\", \"1.02.0-1.0\", \"1.02.0-1.0\", \"1.02.0-1.0\", "
            "\"1.02.0-1.0\", \"1.02.0-1.0\"" },
          { "round(1.005, 2) + round(1.115, 2) * n",
            "3.25, -2.3500000000000005, 1.01, -0.1100000000000001, null, 2.13, "
            "-0.1100000000000001" },
          { "round(123456789.123456789, 4)", "1.234567891235E8, 1.234567891235E8, "
            "1.234567891235E8, 1.234567891235E8, 1.234567891235E8, 1.234567891235E8, "
            "1.234567891235E8" },
          { "sqrt(a)", "2.6457513110645907, !sqrt of a negative number, 3.03700049997605E9, "
                       "!sqrt of a negative number, null, 0.0, 5.0" },
          { "exp(n)", "7.38905609893065, 0.049787068367863944, 1.0, 0.36787944117144233, null, "
                      "2.718281828459045, 0.36787944117144233" },
          { "ln(n) is null", "false, !ln of a number that is not positive, !ln of a number that "
                             "is not positive, !ln of a number that is not positive, true, "
                             "false, !ln of a number that is not positive" },
          { "log10(100)", "2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0" },
          { "power(a, 2)", "49.0, 49.0, 8.507059173023462E37, 8.507059173023462E37, null, 0.0, "
                           "625.0" },
          { "mod(a, n)", "1, -1, !division by zero, 0, null, 0, 0" },
          { "pmod(a, n)", "1, -1, !division by zero, 0, null, 0, 0" },
          { "pmod(-7, 3)", "2, 2, 2, 2, 2, 2, 2" },
          { "pmod(7, -3)", "-2, -2, -2, -2, -2, -2, -2" },
          { "mod(f, 2)", "0.6749999999999998, -0.5, 0.0, \"NaN\", null, -0.0, \"NaN\"" },
          { "abs('x')", "@0 abs takes (number), got (string)" },
          { "round(1, 2.5)", "@0 round takes (number [, integer]), got (int64, float64)" },
          { "sqrt()", "@0 sqrt takes 1 argument, not 0" },
          { "abs(null)", "null, null, null, null, null, null, null" });
}

static int for_texts(void **state)
{
    (void)state;
    table_make(&table, "s string, u string, n int64, x binary",
               "[[\"Straße\",\"a\",2,\"YQBi\"],[\"\",\"\",-2,\"\"],[\"a,b,,c\",\",\",0,null],"
               "[null,\"x\",1,\"YQ==\"],[\"  pad \",\" \",100,\"YQ==\"],"
               "[\"日本語\",\"本\",3,\"YQ==\"]]");
    return 0;
}

static void texts(void **state)
{
    (void)state;
    CASES(&table,
          { "length(s)", "6, 0, 6, null, 6, 3" },
          { "length(x)", "3, 0, null, 1, 1, 1" },
          { "upper(s)", "\"STRAßE\", \"\", \"A,B,,C\", null, \"  PAD \", \"日本語\"" },
          { "lower('ÄÖÜ ΑΒΓ Ж')", "\"äöü αβγ ж\", \"äöü αβγ ж\", \"äöü αβγ ж\", \"äöü αβγ ж\", "
                                  "\"äöü αβγ ж\", \"äöü αβγ ж\"" },
          { "trim(s)", "\"Straße\", \"\", \"a,b,,c\", null, \"pad\", \"日本語\"" },
          { "ltrim(s)", "\"Straße\", \"\", \"a,b,,c\", null, \"pad \", \"日本語\"" },
          { "rtrim(s)", "\"Straße\", \"\", \"a,b,,c\", null, \"  pad\", \"日本語\"" },
          { "trim(s, 'ea語日 ')", "\"Straß\", \"\", \",b,,c\", null, \"pad\", \"本\"" },
          { "substr(s, 2)", "\"traße\", \"\", \",b,,c\", null, \" pad \", \"本語\"" },
          { "substr(s, 0)", "\"Straße\", \"\", \"a,b,,c\", null, \"  pad \", \"日本語\"" },
          { "substr(s, 1, 2)", "\"St\", \"\", \"a,\", null, \"  \", \"日本\"" },
          { "substr(s, 0, 2)", "\"St\", \"\", \"a,\", null, \"  \", \"日本\"" },
          { "substr(s, -2)", "\"ße\", \"\", \",c\", null, \"d \", \"本語\"" },
          { "substr(s, -4, 2)", "\"ra\", \"\", \"b,\", null, \"pa\", \"日\"" },
          { "substr(s, n, n)", "\"tr\", \"\", \"\", null, \"\", \"語\"" },
          { "substr(s, 2, -1)", "\"\", \"\", \"\", null, \"\", \"\"" },
          { "substr('abc', -9223372036854775808, 9223372036854775807)",
            "\"ab\", \"ab\", \"ab\", \"ab\", \"ab\", \"ab\"" },
          { "left(s, n)", "\"St\", \"\", \"\", null, \"  pad \", \"日本語\"" },
          { "right(s, n)", "\"ße\", \"\", \"\", null, \"  pad \", \"日本語\"" },
          { "concat(s, u)", "\"Straßea\", \"\", \"a,b,,c,\", null, \"  pad  \", \"日本語本\"" },
          { "concat('a')", "\"a\", \"a\", \"a\", \"a\", \"a\", \"a\"" },
          { "concat_ws('-', s, u, null, 'z')",
            "\"Straße-a-z\", \"--z\", \"a,b,,c-,-z\", \"x-z\", \"  pad - -z\", \"日本語-本-z\"" },
          { "concat_ws(s, 'a', 'b')", "\"aStraßeb\", \"ab\", \"aa,b,,cb\", null, \"a  pad b\", "
                                      "\"a日本語b\"" },
          { "concat_ws(',')", "\"\", \"\", \"\", \"\", \"\", \"\"" },
          { "replace(s, u, '#')", "\"Str#ße\", \"\", \"a#b##c\", null, \"##pad#\", \"日#語\"" },
          { "split_part(s, ',', 1)", "\"Straße\", \"\", \"a\", null, \"  pad \", \"日本語\"" },
          { "split_part(s, ',', 3)", "\"\", \"\", \"\", null, \"\", \"\"" },
          { "split_part(s, ',', -1)", "\"Straße\", \"\", \"c\", null, \"  pad \", \"日本語\"" },
          { "split_part(s, ',', -5)", "\"\", \"\", \"\", null, \"\", \"\"" },
          { "split_part(s, '', 2)", "\"t\", \"\", \",\", null, \" \", \"本\"" },
          { "split_part(s, '', -1)", "\"e\", \"\", \"c\", null, \" \", \"語\"" },
          { "split_part(s, ',', n)", "\"\", \"\", !split_part counts from 1, null, \"\", \"\"" },
          { "split_part(s, ',', 0)", "@0 split_part counts from 1" },
          { "contains(s, u)", "true, true, true, null, true, true" },
          { "contains(s, 'a')", "true, false, true, null, true, false" },
          { "contains(s, 'ea')", "false, false, false, null, false, false" }, /* of two rows */
          { "contains(s, 'c  pad 日')", "false, false, false, null, false, false" },
          { "contains(s, '日本語')", "false, false, false, null, false, true" },
          { "contains(s, ' ')", "false, false, false, null, true, false" },
          { "contains(s, '')", "true, true, true, null, true, true" },
          { "starts_with(s, u)", "false, true, false, null, true, false" },
          { "ends_with(s, u)", "false, true, false, null, true, false" },
          { "position(u, s)", "4, 1, 2, null, 1, 2" },
          { "position('zz', s)", "0, 0, 0, null, 0, 0" },
          { "reverse(s)", "\"eßartS\", \"\", \"c,,b,a\", null, \" dap  \", \"語本日\"" },
          { "repeat(u, n)", "\"aa\", \"\", \"\", \"x\", "
            "\"                                                                                "
            "                    \", \"本本本\"" },
          { "repeat('x', 99999999999)", "!the text is too long, !the text is too long, !the text "
            "is too long, !the text is too long, !the text is too long, !the text is too long" },
          { "lpad(s, 4, '本*')", "\"Stra\", \"本*本*\", \"a,b,\", null, \"  pa\", \"本日本語\"" },
          { "rpad(s, 5, 'xy')", "\"Straß\", \"xyxyx\", \"a,b,,\", null, \"  pad\", \"日本語xy\"" },
          { "lpad(s, 8)", "\"  Straße\", \"        \", \"  a,b,,c\", null, \"    pad \", "
                          "\"     日本語\"" },
          { "lpad(s, -1)", "\"\", \"\", \"\", null, \"\", \"\"" },
          { "rpad(s, 7, '')", "\"Straße\", \"\", \"a,b,,c\", null, \"  pad \", \"日本語\"" },
          { "length(5)", "@0 length takes (string or binary), got (int64)" },
          { "upper(x)", "@0 upper takes (string), got (binary)" },
          { "left(s, 1.5)", "@0 left takes (string, integer), got (string, float64)" },
          { "concat(s, 1)", "@0 concat takes (string, …), got (string, int64)" });
}

static int for_patterns(void **state)
{
    (void)state;
    table_make(&table, "s string, p string",
               "[[\"key=value\",\"(\\\\w+)=(\\\\w+)\"],"
               "[\"größe 12\",\"(\\\\d)(x)?\"],[\"\",\"^$\"],"
               "[null,\"a\"],[\"aXbXc\",\"[\"],"
               "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\",\"(a+)+$\"]]");
    return 0;
}

static void patterns(void **state)
{
    (void)state;
    CASES(&table,
          { "s rlike '='", "true, false, false, null, false, false" },
          { "s rlike '^\\w+ \\d+$'", "false, true, false, null, false, false" },
          { "s rlike '(?i)x'", "false, false, false, null, true, false" },
          { "s rlike p", "true, true, true, null, !a pattern that is no regular expression, "
                         "!the match took too many steps" },
          { "nullif(s, 'aXbXc') rlike p", "true, true, true, null, null, "
                                          "!the match took too many steps" },
          { "s not rlike '='", "false, true, true, null, true, true" },
          { "s rlike '('", "@0 rlike: bad pattern at 1: missing closing parenthesis" },
          { "s rlike 5", "@0 rlike takes (string, string), got (string, int64)" },
          { "regexp_extract(s, '(\\w+)=(\\w+)', 2)", "\"value\", \"\", \"\", null, \"\", \"\"" },
          { "regexp_extract(s, '(\\w+)=(\\w+)')", "\"key\", \"\", \"\", null, \"\", \"\"" },
          { "regexp_extract(s, 'X.', 0)", "\"\", \"\", \"\", null, \"Xb\", \"\"" },
          { "regexp_extract(s, '(\\d)(x)?', 2)", "\"\", \"\", \"\", null, \"\", \"\"" },
          { "regexp_extract(s, 'X')", "@0 regexp_extract: no group 1, the pattern has 0" },
          { "regexp_extract(s, '(X)', 2)", "@0 regexp_extract: no group 2, the pattern has 1" },
          { "regexp_extract(s, '(X)', -1)", "@0 regexp_extract: no group -1, the pattern has 1" },
          { "regexp_replace(s, '[aeiouö]', '_')",
            "\"k_y=v_l__\", \"gr_ß_ 12\", \"\", null, \"_XbXc\", "
            "\"_______________________________________________b\"" },
          { "regexp_replace(s, '(\\w+)=(\\w+)', '$2 is ${1}')",
            "\"value is key\", \"größe 12\", \"\", null, \"aXbXc\", "
            "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"" },
          { "regexp_replace(s, '^', '>')",
            "\">key=value\", \">größe 12\", \">\", null, \">aXbXc\", "
            "\">aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"" },
          { "regexp_replace(s, 'x', '$1')",
            "@0 regexp_replace: the replacement names no group of the pattern" });
}

static int for_times(void **state)
{
    (void)state;
    table_make(&table, "t timestamp, d date, s string, n int64",
               "[[\"2024-02-29T23:59:58.123456Z\",\"2024-02-29\",\"2024-02-29T10:00:00+02:00\",1],"
               "[\"1969-12-31T23:59:59.999999Z\",\"1969-12-31\",\"2024-02-30\",-1],"
               "[\"0001-01-01T00:00:00Z\",\"0001-01-01\",\"2024-01-02 03:04\",0],"
               "[\"9999-12-31T23:59:59.999999Z\",\"9999-12-31\",\" 2024-01-02 \",5],"
               "[null,null,null,null],"
               "[\"2021-01-03T00:00:00Z\",\"2021-01-03\",\"2024-1-2\",253402300800]]");
    return 0;
}

static void times_taken_apart(void **state)
{
    (void)state;
    CASES(&table,
          { "year(t)", "2024, 1969, 1, 9999, null, 2021" },
          { "month(d)", "2, 12, 1, 12, null, 1" },
          { "day(t)", "29, 31, 1, 31, null, 3" },
          { "hour(t)", "23, 23, 0, 23, null, 0" },
          { "minute(t)", "59, 59, 0, 59, null, 0" },
          { "second(t)", "58, 59, 0, 59, null, 0" },
          { "extract(quarter from t)", "1, 4, 1, 4, null, 1" },
          { "extract(week from t)", "9, 1, 1, 52, null, 53" },
          { "extract(doy from t)", "60, 365, 1, 365, null, 3" },
          { "extract(dow from t)", "4, 3, 1, 5, null, 0" },
          { "extract(isodow from t)", "4, 3, 1, 5, null, 7" },
          { "extract(millisecond from t)", "123, 999, 0, 999, null, 0" },
          { "extract(MICROSECOND from t)", "123456, 999999, 0, 999999, null, 0" },
          { "extract(epoch from d)", "1.7091648E9, -86400.0, -6.21355968E10, 2.534022144E11, "
                                     "null, 1.609632E9" },
          { "extract(epoch from interval '1h 500ms')", "3600.5, 3600.5, 3600.5, 3600.5, 3600.5, "
                                                       "3600.5" },
          { "extract(hour from interval '1h')", "@0 extract takes only epoch from an interval" },
          { "extract(century from t)", "@0 extract knows year quarter month week day doy dow "
            "isodow hour minute second millisecond microsecond epoch" },
          { "date_trunc('year', t)", "\"2024-01-01T00:00:00Z\", \"1969-01-01T00:00:00Z\", "
            "\"0001-01-01T00:00:00Z\", \"9999-01-01T00:00:00Z\", null, \"2021-01-01T00:00:00Z\"" },
          { "date_trunc('week', d)", "\"2024-02-26T00:00:00Z\", \"1969-12-29T00:00:00Z\", "
            "\"0001-01-01T00:00:00Z\", \"9999-12-27T00:00:00Z\", null, \"2020-12-28T00:00:00Z\"" },
          { "date_trunc('minute', t)", "\"2024-02-29T23:59:00Z\", \"1969-12-31T23:59:00Z\", "
            "\"0001-01-01T00:00:00Z\", \"9999-12-31T23:59:00Z\", null, \"2021-01-03T00:00:00Z\"" },
          { "date_trunc('second', t)", "\"2024-02-29T23:59:58Z\", \"1969-12-31T23:59:59Z\", "
            "\"0001-01-01T00:00:00Z\", \"9999-12-31T23:59:59Z\", null, \"2021-01-03T00:00:00Z\"" },
          { "date_trunc('doy', t)", "@0 date_trunc knows year quarter month week day hour minute "
                                    "second" },
          { "unix_seconds(t)", "1709251198, -1, -62135596800, 253402300799, null, 1609632000" },
          { "unix_millis(t)", "1709251198123, -1, -62135596800000, 253402300799999, null, "
                              "1609632000000" });
}

static void times_put_together(void **state)
{
    (void)state;
    CASES(&table,
          { "from_unix(n)", "\"1970-01-01T00:00:01Z\", \"1969-12-31T23:59:59Z\", "
            "\"1970-01-01T00:00:00Z\", \"1970-01-01T00:00:05Z\", null, "
            "!a time outside of the years 0001 to 9999" },
          { "from_unix_millis(n)", "\"1970-01-01T00:00:00.001Z\", \"1969-12-31T23:59:59.999Z\", "
            "\"1970-01-01T00:00:00Z\", \"1970-01-01T00:00:00.005Z\", null, "
            "\"1978-01-11T21:31:40.800Z\"" },
          { "from_unix_micros(n)", "\"1970-01-01T00:00:00.000001Z\", "
            "\"1969-12-31T23:59:59.999999Z\", \"1970-01-01T00:00:00Z\", "
            "\"1970-01-01T00:00:00.000005Z\", null, \"1970-01-03T22:23:22.300800Z\"" },
          { "date_add(d, n)", "\"2024-03-01\", \"1969-12-30\", \"0001-01-01\", "
            "!a time outside of the years 0001 to 9999, null, "
            "!a time outside of the years 0001 to 9999" },
          { "to_timestamp(s)", "\"2024-02-29T08:00:00Z\", !string that is no timestamp, "
            "\"2024-01-02T03:04:00Z\", \"2024-01-02T00:00:00Z\", null, "
            "!string that is no timestamp" },
          { "to_date(s)", "\"2024-02-29\", !string that is no date, \"2024-01-02\", "
            "\"2024-01-02\", null, !string that is no date" },
          { "to_timestamp('2024-01-02t03:04:05.1234567z')", "\"2024-01-02T03:04:05.123456Z\", "
            "\"2024-01-02T03:04:05.123456Z\", \"2024-01-02T03:04:05.123456Z\", "
            "\"2024-01-02T03:04:05.123456Z\", \"2024-01-02T03:04:05.123456Z\", "
            "\"2024-01-02T03:04:05.123456Z\"" },
          { "to_timestamp('02/Jan/2024:15:04:05 -0130', '%d/%b/%Y:%H:%M:%S %z') = "
            "timestamp '2024-01-02T16:34:05Z'", "true, true, true, true, true, true" },
          { "to_timestamp('3:04 PM, Tuesday January 2 24', '%I:%M %p, %A %B %e %y') = "
            "timestamp '2024-01-02T15:04:00Z'", "true, true, true, true, true, true" },
          { "to_timestamp('1700000000.25', '%s.%f') = timestamp '2023-11-14T22:13:20.250Z'",
            "true, true, true, true, true, true" },
          { "to_timestamp('2024-060', '%Y-%j') = timestamp '2024-02-29T00:00:00Z'",
            "true, true, true, true, true, true" },
          { "to_date('20240229', '%Y%m%d')", "\"2024-02-29\", \"2024-02-29\", \"2024-02-29\", "
            "\"2024-02-29\", \"2024-02-29\", \"2024-02-29\"" },
          { "to_timestamp(s, '%Y-%m-%d', 'utc') is null", "!string that is no timestamp, "
            "!string that is no timestamp, !string that is no timestamp, false, true, false" },
          { "to_timestamp(s, '%Q')", "@0 the format has a directive that is not known" },
          { "to_timestamp(s, '%')", "@0 the format has a directive that is not known" },
          { "to_timestamp(5)", "@0 to_timestamp takes (string [, string, string]), got (int64)" });
}

static int for_zones(void **state)
{
    (void)state;
    table_make(&table, "s string", "[[\"2024-07-15 12:00 +0500\"]]");
    return 0;
}

/* A clock that is put forward leaves an hour out, one that is put back shows it twice. */
static void local_times_of_zones(void **state)
{
    static const struct {
        const char *local, *zone, *utc;
    } cases[] = {
        { "2024-01-15 12:00:00", "+02:00", "2024-01-15T10:00:00Z" },
        { "2024-01-15 12:00:00", "-0330", "2024-01-15T15:30:00Z" },
        { "2024-01-15 12:00:00", "Z", "2024-01-15T12:00:00Z" },
        { "2024-01-15 12:00:00", "Europe/Paris", "2024-01-15T11:00:00Z" },
        { "2024-07-15 12:00:00", "Europe/Paris", "2024-07-15T10:00:00Z" },
        /* left out: forward by what was left out */
        { "2024-03-31 01:59:59", "Europe/Paris", "2024-03-31T00:59:59Z" },
        { "2024-03-31 02:30:00", "Europe/Paris", "2024-03-31T01:30:00Z" },
        { "2024-03-31 03:00:00", "Europe/Paris", "2024-03-31T01:00:00Z" },
        /* twice: the first */
        { "2024-10-27 01:59:59", "Europe/Paris", "2024-10-26T23:59:59Z" },
        { "2024-10-27 02:30:00", "Europe/Paris", "2024-10-27T00:30:00Z" },
        { "2024-10-27 03:00:00", "Europe/Paris", "2024-10-27T02:00:00Z" },
        { "2024-11-03 01:30:00", "America/New_York", "2024-11-03T05:30:00Z" },
        /* the other half of the world, and half an hour */
        { "2024-04-07 01:45:00", "Australia/Lord_Howe", "2024-04-06T14:45:00Z" },
        { "2024-10-06 02:15:00", "Australia/Lord_Howe", "2024-10-05T15:45:00Z" },
        { "2011-12-30 12:00:00", "Pacific/Apia", "2011-12-30T22:00:00Z" },
        /* before there were zones, and by the rule of the years to come */
        { "1800-01-01 00:00:00", "America/New_York", "1800-01-01T04:56:02Z" },
        { "2037-10-25 02:30:00", "Europe/Paris", "2037-10-25T00:30:00Z" },
        { "2099-07-15 12:00:00", "Europe/Paris", "2099-07-15T10:00:00Z" },
        { "2099-10-25 02:30:00", "Europe/Paris", "2099-10-25T00:30:00Z" },
        { "9999-03-28 02:30:00", "Europe/Paris", "9999-03-28T01:30:00Z" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expression[200], want[80];
        if (strchr(cases[i].zone, '/') && access("/usr/share/zoneinfo/Europe/Paris", R_OK) != 0)
            continue;
        snprintf(expression, sizeof expression, "to_timestamp('%s', '%%F %%T', '%s')",
                 cases[i].local, cases[i].zone);
        snprintf(want, sizeof want, "\"%s\"", cases[i].utc);
        check_cases(&table, &(struct expr_case){ expression, want }, 1);
    }
    CASES(&table,
          { "to_timestamp(s, '%F %R %z', '+02:00') = timestamp '2024-07-15T07:00:00Z'", "true" },
          { "to_timestamp(s, '%F', cast(null as string)) is null", "true" },
          { "to_timestamp(s, '%F', s)", "@0 the time zone has to be a literal, like 'Europe/Paris'" },
#define WANTED(name) "@0 there is no time zone '" name "' here: a zone is 'UTC', an offset like '+02:00', or " \
                     "a name of the system's tz database (package tzdata), like 'Europe/Paris'"
          { "to_timestamp(s, '%F', 'Mars/Olympus')", WANTED("Mars/Olympus") },
          { "to_timestamp(s, '%F', '+24:00')", WANTED("+24:00") },
          { "to_timestamp(s, '%F', '../zoneinfo/UTC')", WANTED("../zoneinfo/UTC") });
#undef WANTED
}

/* ---- lists ---- */

static int for_lists(void **state)
{
    (void)state;
    table_make(&table, "s string, xs list<int64>, fs list<double>, n int64, i int, f double, ts list<string>",
               "[[\"a,b,,c\",[3,null,1],[1.5,\"NaN\",-0.0],2,1,0.0,[\"b\",\"a\"]],"
               "[\"\",[],[],0,2,1.0,[]],"
               "[null,null,null,null,null,null,null],"
               "[\"日本\",[7],[2.0],-1,7,\"NaN\",[\"\"]]]");
    return 0;
}

static void lists(void **state)
{
    (void)state;
    CASES(&table,
          { "split(s, ',')", "[\"a\",\"b\",\"\",\"c\"], [\"\"], null, [\"日本\"]" },
          { "split(s, '')", "[\"a\",\",\",\"b\",\",\",\",\",\"c\"], [], null, [\"日\",\"本\"]" },
          { "split('', '')", "[], [], [], []" },
          { "split(s, null)", "null, null, null, null" },
          { "split(5, ',')", "@0 split takes (string, string), got (int64, string)" },
          { "array(n, i)", "[2,1], [0,2], [null,null], [-1,7]" },
          { "array(n, 1.5, null)", "[2.0,1.5,null], [0.0,1.5,null], [null,1.5,null], [-1.0,1.5,null]" },
          { "array(s, 'x')", "[\"a,b,,c\",\"x\"], [\"\",\"x\"], [null,\"x\"], [\"日本\",\"x\"]" },
          { "array(xs, array(n))", "[[3,null,1],[2]], [[],[0]], [null,[null]], [[7],[-1]]" },
          { "array(1, 'x')", "@0 the items of array must be of one type" },
          { "array(null)", "@0 the type of the items is not known here: write a cast" },
          { "array()", "@0 the type of null is not known here: write cast(null as …)" },
          { "cast(array() as list<int64>)", "[], [], [], []" },
          { "coalesce(xs, array())", "[3,null,1], [], [], [7]" },
          { "case when n = 2 then array() else xs end", "[], [], null, [7]" },
          { "size(array())", "@5 the type of array() is not known here: write cast(array() as …)" },
          { "array() = 5", "@0 array() is a list, not int64" },
          { "typeof(array(n, 1.5))", "\"list<float64>\", \"list<float64>\", \"list<float64>\", "
                                    "\"list<float64>\"" },
          { "size(xs)", "3, 0, null, 1" },
          { "size(split(s, ','))", "4, 1, null, 1" },
          { "size(s)", "@0 size takes (list), got (string)" },
          { "element_at(xs, n)", "null, !the list has no such item, null, 7" },
          { "element_at(xs, i)", "3, !the list has no such item, null, !the list has no such item" },
          { "element_at(ts, -1)", "\"a\", !the list has no such item, null, \"\"" },
          { "element_at(xs, 0)", "@0 items count from 1, or from -1 at the end" },
          { "case when size(xs) > 0 then element_at(xs, 1) end", "3, null, null, 7" },
          { "array_contains(xs, n)", "null, false, null, false" },
          { "array_contains(xs, 3)", "true, false, null, false" },
          { "array_contains(xs, i)", "true, false, null, true" },
          { "array_contains(xs, 7.0)", "null, false, null, true" },
          { "array_contains(fs, f)", "true, false, null, false" },
          { "array_contains(fs, cast('NaN' as double))", "true, false, null, false" },
          { "array_contains(fs, 2)", "false, false, null, true" },
          { "array_contains(ts, 'a')", "true, false, null, false" },
          { "array_contains(xs, null)", "null, null, null, null" },
          { "array_contains(xs, 'a')",
            "@0 array_contains looks for a value of the type of the items" },
          { "array_sort(xs)", "[1,3,null], [], null, [7]" },
          { "array_sort(fs)", "[-0.0,1.5,\"NaN\"], [], null, [2.0]" },
          { "array_sort(ts)", "[\"a\",\"b\"], [], null, [\"\"]" },
          { "array_sort(array(array(2, 1), array(1), null, array(1, 0)))",
            "[[1],[1,0],[2,1],null], [[1],[1,0],[2,1],null], [[1],[1,0],[2,1],null], "
            "[[1],[1,0],[2,1],null]" },
          { "element_at(split(s, ','), 1) || '!'", "\"a!\", \"!\", null, \"日本!\"" });
}

/* ---- digests, JSON, windows ---- */

static void digests(void **state)
{
    (void)state;
    CASES(&table,
          { "md5(s)", "\"e25525e3d41f57be29ab0ecf3365ba14\", \"d41d8cd98f00b204e9800998ecf8427e\", "
                      "null, \"4dbed2e657457884e67137d3514119b3\"" },
          { "md5(repeat('a', 56)) || md5(repeat('a', 64)) = "
            "'3b0c8ac703f828b04c6c197006d17218014842d480b571495a4a0363793f7367'",
            "true, true, true, true" },
          { "sha256('abc') = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'",
            "true, true, true, true" },
          { "sha256('') = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
            "true, true, true, true" },
          { "sha256(repeat('a', 120)) = "
            "'2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c'",
            "true, true, true, true" },
          { "xxhash64('')", "-1205034819632174695, -1205034819632174695, -1205034819632174695, "
                            "-1205034819632174695" },
          { "xxhash64('a') = xxhash64(cast('a' as binary))", "true, true, true, true" },
          { "xxhash64(s) is null", "false, false, true, false" },
          { "hex(n)", "\"2\", \"0\", null, \"FFFFFFFFFFFFFFFF\"" },
          { "hex(255)", "\"FF\", \"FF\", \"FF\", \"FF\"" },
          { "hex(s)", "\"612C622C2C63\", \"\", null, \"E697A5E69CAC\"" },
          { "hex(1.5)", "@0 hex takes (string or binary), got (float64)" },
          { "base64(s)", "\"YSxiLCxj\", \"\", null, \"5pel5pys\"" },
          { "base64('ab') || base64('a')", "\"YWI=YQ==\", \"YWI=YQ==\", \"YWI=YQ==\", "
                                           "\"YWI=YQ==\"" },
          { "unbase64(base64(s))::string", "\"a,b,,c\", \"\", null, \"日本\"" },
          { "unbase64('YQ')::string", "\"a\", \"a\", \"a\", \"a\"" },
          { "typeof(unbase64(s))", "\"binary\", \"binary\", \"binary\", \"binary\"" },
          { "length(unbase64('Y'))", "!string that is no base64, !string that is no base64, "
            "!string that is no base64, !string that is no base64" },
          { "length(unbase64('Y=Q='))", "!string that is no base64, !string that is no base64, "
            "!string that is no base64, !string that is no base64" });
}

static int for_json(void **state)
{
    (void)state;
    table_make(&table, "s string, p string",
               "[[\"{\\\"a\\\":{\\\"b\\\":[1,{\\\"c\\\":\\\"x\\\\ny\\\"}]},\\\"t\\\":true}\",\"$.t\"],"
               "[\"{\\\"a\\\": 1, \\\"a\\\": {\\\"b\\\" : [ 1 , 2 ]} }\",\"$.a.b[1]\"],"
               "[\"{\\\"a\\\": null, \\\"t\\\": 1.50e1}\",\"$.t\"],"
               "[\"{\\\"a\\\": 1\",\"$.a\"],[null,\"$\"],[\"\\\"\\\\ud83d\\\\ude00\\\\u00e9\\\"\",\"a\"]]");
    return 0;
}

static void json(void **state)
{
    (void)state;
    CASES(&table,
          { "get_json(s, '$.a')", "\"{\\\"b\\\":[1,{\\\"c\\\":\\\"x\\\\ny\\\"}]}\", "
            "\"{\\\"b\\\" : [ 1 , 2 ]}\", \"null\", null, null, null" },
          { "get_json(s, '$.a.b[0]')", "\"1\", \"1\", null, null, null, null" },
          { "get_json(s, '$.a.b[1].c')", "\"\\\"x\\\\ny\\\"\", null, null, null, null, null" },
          { "json_value(s, '$.a.b[1].c')", "\"x\\ny\", null, null, null, null, null" },
          { "json_value(s, '$[''a''][\"b\"][1]')", "null, \"2\", null, null, null, null" },
          { "json_value(s, '$.a')", "null, null, null, null, null, null" },
          { "json_value(s, '$.t')", "\"true\", null, \"1.50e1\", null, null, null" },
          { "json_value(s, '$')", "null, null, null, null, null, \"😀é\"" },
          { "json_value(s, p)", "\"true\", \"2\", \"1.50e1\", null, null, "
            "!the path is not like $.a.b[0]" },
          { "json_value('[01]', '$[0]')", "null, null, null, null, null, null" },
          { "json_value('[1] x', '$[0]')", "null, null, null, null, null, null" },
          { "json_value('{\"a\": \"\\x\"}', '$.a')", "null, null, null, null, null, null" },
          { "json_value('[-0.5e-3, 7]', '$[0]')", "\"-0.5e-3\", \"-0.5e-3\", \"-0.5e-3\", "
            "\"-0.5e-3\", \"-0.5e-3\", \"-0.5e-3\"" },
          { "json_value('{\"a\":[1]}', '$.a.b')", "null, null, null, null, null, null" },
          { "json_value('{\"a\":{\"b\":1},\"a\":{}}', '$.a.b')", "null, null, null, null, null, null" },
          { "json_value(repeat('[', 64) || '5' || repeat(']', 64), '$' || repeat('[0]', 63)) is null",
            "true, true, true, true, true, true" },
          { "get_json(repeat('[', 65) || repeat(']', 65), '$') is null",
            "true, true, true, true, true, true" },
          { "json_value(s, 'a')", "@0 the path is not like $.a.b[0]" },
          { "json_value(s, '$.')", "@0 the path is not like $.a.b[0]" },
          { "json_value(s, '$[x]')", "@0 the path is not like $.a.b[0]" });
}

static int for_windows(void **state)
{
    (void)state;
    table_make(&table, "t timestamp, d date, w struct<start: timestamp, end: timestamp>",
               "[[\"2024-02-29T13:47:05.678901Z\",\"2024-02-29\","
               "{\"start\":\"2024-02-29T13:00:00Z\",\"end\":\"2024-02-29T14:00:00Z\"}],"
               "[\"1969-12-31T23:59:59.999999Z\",\"1969-12-31\",null],[null,null,null],"
               "[\"0001-01-01T00:00:00Z\",\"0001-01-01\",{\"start\":null,\"end\":null}]]");
    return 0;
}

static void windows(void **state)
{
    (void)state;
    CASES(&table,
          { "window(t, '10 minutes')",
            "{\"start\":\"2024-02-29T13:40:00Z\",\"end\":\"2024-02-29T13:50:00Z\"}, "
            "{\"start\":\"1969-12-31T23:50:00Z\",\"end\":\"1970-01-01T00:00:00Z\"}, null, "
            "{\"start\":\"0001-01-01T00:00:00Z\",\"end\":\"0001-01-01T00:10:00Z\"}" },
          { "window(t, interval '1h', '15m').start",
            "\"2024-02-29T13:15:00Z\", \"1969-12-31T23:15:00Z\", null, "
            "!a window outside of the years 0001 to 9999" },
          { "window_end(window(d, '1 day'))",
            "\"2024-03-01T00:00:00Z\", \"1970-01-01T00:00:00Z\", null, \"0001-01-02T00:00:00Z\"" },
          { "window(w, '1d').start", "\"2024-02-29T00:00:00Z\", null, null, null" },
          { "window(window(t, '10m'), '1h').start = date_trunc('hour', t)",
            "true, true, null, true" },
          { "window_start(w)", "\"2024-02-29T13:00:00Z\", null, null, null" },
          { "window_time(w)", "\"2024-02-29T13:59:59.999999Z\", null, null, null" },
          { "w.end - w.start = interval '1h'", "true, null, null, null" },
          { "typeof(window(t, '1m'))", "\"struct<start: timestamp, end: timestamp>\", "
            "\"struct<start: timestamp, end: timestamp>\", \"struct<start: timestamp, end: timestamp>\", "
            "\"struct<start: timestamp, end: timestamp>\"" },
          { "window(t, '0s')", "@0 the length of a window is a literal like '10 minutes', more than 0" },
          { "window(t, '5 parsecs')",
            "@0 the length of a window is a literal like '10 minutes', more than 0" },
          { "window(t, 5)", "@0 the length of a window is a literal like '10 minutes', more than 0" },
          { "window(5, '1m')", "@0 window takes (timestamp or date [, any type but interval, any type but interval]), got (int64)" },
          { "window_start(t)",
            "@0 window_start takes a window, struct<start: timestamp, end: timestamp>" });
}

/* ---- aggregates over cells in memory ---- */

#define SLOTS 8
#define WIDTH 64

struct store {
    uint8_t records[SLOTS][WIDTH];
    struct weir_buffer texts[SLOTS][WEIR_AGGREGATE_MAX_COLUMNS];
    struct weir_view views[WEIR_AGGREGATE_MAX_COLUMNS];
    struct weir_cells cells;
};

static struct weir_bytes cell_get(const struct weir_cells *cells, uint32_t column, uint32_t slot)
{
    const struct weir_buffer *b = &((struct store *)cells->table)->texts[slot][column];
    return (struct weir_bytes){ b->data ? b->data : (const uint8_t *)"", b->length };
}

static int32_t cell_put(const struct weir_cells *cells, uint32_t column, uint32_t slot,
                        struct weir_bytes bytes)
{
    struct weir_buffer *b = &((struct store *)cells->table)->texts[slot][column];
    b->length = 0;
    return buffer_add(b, bytes.data, bytes.length);
}

static void store_make(struct store *store)
{
    uint32_t c;
    memset(store, 0, sizeof *store);
    for (c = 0; c < WEIR_AGGREGATE_MAX_COLUMNS; c++)
        store->views[c] = (struct weir_view){ store->records[0] + 8 * c, WIDTH };
    store->cells = (struct weir_cells){ .size = sizeof store->cells, .views = store->views,
                                        .table = store, .get = cell_get, .put = cell_put };
}

static void store_free(struct store *store)
{
    uint32_t i, c;
    for (i = 0; i < SLOTS; i++)
        for (c = 0; c < WEIR_AGGREGATE_MAX_COLUMNS; c++) mem_free(store->texts[i][c].data);
}

/* A call of an aggregate over columns of the table. */
struct aggregate {
    const struct weir_aggregate *function;
    struct weir_aggregate_plan plan;
    void *bound;
    uint32_t n_args;
    const struct ArrowArray *args[2];
};

static struct aggregate aggregate_of(const char *name, const char *one, const char *two)
{
    struct aggregate a = { .plan = { .size = sizeof a.plan } };
    const char *const names[] = { one, two };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_argument args[2] = { { 0 } };
    const struct weir_component *c = expr_test_env.find(NULL, WEIR_KIND_AGGREGATE, name);
    assert_non_null(c);
    a.function = c->table;
    for (; a.n_args < 2 && names[a.n_args]; a.n_args++) {
        const int32_t k = weir_column_index(&table.schema, names[a.n_args]);
        a.args[a.n_args] = table.chunk->array->children[k];
        args[a.n_args].size = sizeof *args;
        args[a.n_args].schema = table.schema.children[k];
    }
    if (a.function->bind(expr_test_env.host, args, a.n_args, &a.plan, &a.bound, &error))
        fail_msg("%s", error.text);
    return a;
}

/* Binds NAME(a, LITERAL) over the only column; literal NULL: one argument. The error, or NULL. */
static const char *bind_with(const char *name, const char *literal, struct aggregate *a)
{
    static struct weir_error error;
    static struct expr_table constant;
    struct weir_argument args[2] = { { 0 } };
    char row[32];
    int32_t rc;
    memset(a, 0, sizeof *a);
    error = (struct weir_error)WEIR_ERROR_INIT;
    a->plan.size = sizeof a->plan;
    a->function = expr_test_env.find(NULL, WEIR_KIND_AGGREGATE, name)->table;
    a->n_args = literal ? 2 : 1;
    a->args[0] = table.chunk->array->children[0];
    args[0] = (struct weir_argument){ sizeof *args, 0, table.schema.children[0], NULL };
    snprintf(row, sizeof row, "[[%s]]", literal ? literal : "0");
    table_make(&constant, literal && strchr(literal, '.') ? "x double" : "x int64", row);
    args[1] = (struct weir_argument){ sizeof *args, 1, constant.schema.children[0],
                                      constant.chunk->array->children[0] };
    rc = a->function->bind(expr_test_env.host, args, a->n_args, &a->plan, &a->bound, &error);
    a->n_args = 1; /* the literal is not looked at again */
    table_free(&constant);
    return rc ? error.text : NULL;
}

static struct aggregate aggregate_with(const char *name, const char *literal)
{
    struct aggregate a;
    const char *problem = bind_with(name, literal, &a);
    if (problem) fail_msg("%s", problem);
    return a;
}

static const char *refusal_of(const char *name, const char *literal)
{
    struct aggregate a;
    const char *problem = bind_with(name, literal, &a);
    assert_non_null(problem);
    return problem;
}

static int64_t scrambled_500(uint32_t i) { return (i * 191u) % 500u; }
static int64_t ordinary(uint32_t i) { return i % 53; }
/* a fifth is -1, a tenth -2, all others are different */
static int64_t skewed(uint32_t i) { return i % 10 < 2 ? -1 : i % 10 == 2 ? -2 : (int64_t)i; }

static void aggregate_free(struct aggregate *a)
{
    schema_release(&a->plan.result);
    a->function->unbind(a->bound);
}

/* Rows list[0..n) to slot 0. */
static void add_rows(const struct aggregate *a, struct store *store, const uint32_t *list,
                     uint32_t n)
{
    static const uint8_t constant[2];
    static const uint32_t slots[64];
    struct weir_error error = WEIR_ERROR_INIT;
    const struct weir_call call = { .size = sizeof call, .rows = table.chunk->rows,
                                    .selection = list, .selected = n, .n_args = a->n_args,
                                    .args = a->args, .constant = constant };
    assert_int_equal(a->function->update(a->bound, &store->cells, slots, &call, &error), WEIR_OK);
}

/* The cells of slot 0 as arrays of one row, as a combine table gives them. */
static void take_partial(const struct aggregate *a, const struct store *store,
                         struct ArrowArray *out)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t c;
    for (c = 0; c < a->plan.n_columns; c++) {
        const uint32_t type = a->plan.columns[c].type;
        const struct weir_bytes text = cell_get(&store->cells, c, 0);
        const int is_text = type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
        assert_int_equal(weir_data_1.column(type, 1, text.length, 0, &out[c], &error), WEIR_OK);
        if (is_text) {
            ((int32_t *)(uintptr_t)out[c].buffers[1])[1] = (int32_t)text.length;
            if (text.length) memcpy((void *)(uintptr_t)out[c].buffers[2], text.data, text.length);
        } else {
            memcpy((void *)(uintptr_t)out[c].buffers[1], store->records[0] + 8 * c,
                   type == WEIR_TYPE_BOOL ? 1 : weir_type_width(type));
        }
    }
}

static void merge_partial(const struct aggregate *a, struct store *to, const struct store *from,
                          int inverse)
{
    static const uint8_t constant[WEIR_AGGREGATE_MAX_COLUMNS];
    static const uint32_t slots[1];
    struct ArrowArray columns[WEIR_AGGREGATE_MAX_COLUMNS];
    const struct ArrowArray *args[WEIR_AGGREGATE_MAX_COLUMNS];
    struct weir_error error = WEIR_ERROR_INIT;
    const struct weir_call call = { .size = sizeof call, .rows = 1, .selected = 1,
                                    .n_args = a->plan.n_columns, .args = args,
                                    .constant = constant };
    uint32_t c;
    take_partial(a, from, columns);
    for (c = 0; c < a->plan.n_columns; c++) args[c] = &columns[c];
    assert_int_equal((inverse ? a->function->inverse : a->function->merge)(a->bound, &to->cells,
                                                                          slots, &call, &error),
                     WEIR_OK);
    for (c = 0; c < a->plan.n_columns; c++) array_release(&columns[c]);
}

/* The result of slot 0 as JSON; "!reason" where it fails. */
static const char *result_of(const struct aggregate *a, struct store *store)
{
    static char line[65536];
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_buffer text = { 0 };
    struct ArrowArray out;
    uint8_t failed[1] = { 0 };
    char reason[128] = "";
    assert_int_equal(a->function->finish(expr_test_env.host, a->bound, &store->cells, NULL, 0, 1,
                                         failed, reason, &out, &error),
                     WEIR_OK);
    assert_int_equal(out.length, 1);
    assert_true((out.null_count == 0) == (out.buffers[0] == NULL));
    if (failed[0]) {
        snprintf(line, sizeof line, "!%s", reason);
    } else {
        value_json(&a->plan.result, &out, 0, &text);
        snprintf(line, sizeof line, "%.*s", (int)text.length, (char *)text.data);
    }
    mem_free(text.data);
    out.release(&out);
    return line;
}

static void gives(const char *name, const char *one, const char *two, const char *want)
{
    struct aggregate a = aggregate_of(name, one, two);
    const uint32_t n = table.chunk->rows;
    struct store whole, merged, part;
    uint32_t list[64], cut, i;
    for (i = 0; i < n; i++) list[i] = i;
    store_make(&whole);
    add_rows(&a, &whole, list, n);
    assert_string_equal(result_of(&a, &whole), want);
    for (cut = 0; cut <= n; cut++) { /* in two partial states, empty ones too */
        store_make(&merged);
        store_make(&part);
        add_rows(&a, &part, list, cut);
        merge_partial(&a, &merged, &part, 0);
        store_free(&part);
        store_make(&part);
        add_rows(&a, &part, list + cut, n - cut);
        merge_partial(&a, &merged, &part, 0);
        assert_string_equal(result_of(&a, &merged), want);
        if (a.plan.flags & WEIR_AGGREGATE_INVERSE) { /* what is taken away again leaves no trace */
            merge_partial(&a, &merged, &part, 1);
            store_free(&part);
            store_make(&part);
            add_rows(&a, &part, list, cut);
            assert_string_equal(result_of(&a, &merged), result_of(&a, &part));
            assert_memory_equal(merged.records[0], part.records[0], WIDTH);
        }
        store_free(&part);
        store_free(&merged);
    }
    store_free(&whole);
    aggregate_free(&a);
}

static int for_aggregates(void **state)
{
    (void)state;
    table_make(&table,
               "a int64, i int, f double, s string, ok bool, t timestamp, d date, none int64, "
               "big int64, x binary",
               "[[3,3,1.5,\"b\",true,\"2024-01-01T00:00:00Z\",\"2024-01-01\",null,"
               "9223372036854775807,\"Yg==\"],"
               "[null,null,null,null,null,null,null,null,null,null],"
               "[-1,-1,-0.5,\"a\",true,\"2023-01-01T00:00:00Z\",\"2023-01-01\",null,1,\"YQ==\"],"
               "[3,3,\"NaN\",\"c\",false,\"2024-06-01T00:00:00Z\",\"2024-06-01\",null,-1,\"Yw==\"],"
               "[2,2,0.25,\"\",true,null,null,null,1,\"\"]]");
    return 0;
}

static void counts_and_sums(void **state)
{
    (void)state;
    gives("count", NULL, NULL, "5");
    gives("count", "a", NULL, "4");
    gives("count", "s", NULL, "4");
    gives("count", "none", NULL, "0");
    gives("sum", "a", NULL, "7");
    gives("sum", "i", NULL, "7");
    gives("sum", "f", NULL, "\"NaN\"");
    gives("sum", "none", NULL, "null");
    gives("sum", "big", NULL, "!the sum overflows int64");
    gives("avg", "a", NULL, "1.75");
    gives("avg", "big", NULL, "2.305843009213694E18");
    gives("avg", "none", NULL, "null");
    gives("var", "a", NULL, "3.5833333333333335");
    gives("stddev", "a", NULL, "1.8929694486000912");
    gives("var", "none", NULL, "null");
}

static void extremes(void **state)
{
    (void)state;
    gives("min", "a", NULL, "-1");
    gives("max", "a", NULL, "3");
    gives("min", "i", NULL, "-1");
    gives("min", "f", NULL, "-0.5");
    gives("max", "f", NULL, "\"NaN\"");
    gives("min", "s", NULL, "\"\"");
    gives("max", "s", NULL, "\"c\"");
    gives("max", "x", NULL, "\"Yw==\"");
    gives("min", "t", NULL, "\"2023-01-01T00:00:00Z\"");
    gives("max", "d", NULL, "\"2024-06-01\"");
    gives("min", "ok", NULL, "false");
    gives("max", "ok", NULL, "true");
    gives("min", "none", NULL, "null");
    gives("bool_and", "ok", NULL, "false");
    gives("bool_or", "ok", NULL, "true");
}

static void first_and_last_and_by(void **state)
{
    (void)state;
    gives("first", "a", NULL, "3");
    gives("last", "a", NULL, "2");
    gives("last", "t", NULL, "null");
    gives("first", "s", NULL, "\"b\"");
    gives("last", "s", NULL, "\"\"");
    gives("first", "none", NULL, "null");
    gives("min_by", "s", "a", "\"a\"");
    gives("max_by", "s", "a", "\"b\""); /* of two equal keys the first */
    gives("max_by", "t", "s", "\"2024-06-01T00:00:00Z\"");
    gives("min_by", "t", "s", "null"); /* null at the least key */
    gives("min_by", "a", "none", "null");
    gives("max_by", "a", "f", "3");
}

static void collections(void **state)
{
    (void)state;
    gives("collect_list", "a", NULL, "[3,-1,3,2]");
    gives("collect_set", "a", NULL, "[3,-1,2]");
    gives("collect_list", "i", NULL, "[3,-1,3,2]");
    gives("collect_list", "f", NULL, "[1.5,-0.5,\"NaN\",0.25]");
    gives("collect_list", "s", NULL, "[\"b\",\"a\",\"c\",\"\"]");
    gives("collect_list", "ok", NULL, "[true,true,false,true]");
    gives("collect_set", "ok", NULL, "[true,false]");
    gives("collect_set", "x", NULL, "[\"Yg==\",\"YQ==\",\"Yw==\",\"\"]");
    gives("collect_set", "d", NULL, "[\"2024-01-01\",\"2023-01-01\",\"2024-06-01\"]");
    gives("collect_set", "big", NULL, "[9223372036854775807,1,-1]");
    gives("collect_list", "none", NULL, "[]");
    gives("collect_set", "none", NULL, "[]");
    gives("approx_count_distinct", "a", NULL, "3");
    gives("approx_count_distinct", "s", NULL, "4");
    gives("approx_count_distinct", "big", NULL, "3");
    gives("approx_count_distinct", "none", NULL, "null");
}

static int for_nested(void **state)
{
    (void)state;
    table_make(&table, "xs list<string>, w struct<a: int64, b: list<double>>, f double",
               "[[[\"a\",null],{\"a\":1,\"b\":[0.0]},0.0],[null,null,null],[[],{\"a\":null,\"b\":null},-0.0],"
               "[[\"a\",null],{\"a\":1,\"b\":[-0.0]},\"NaN\"],[[\"a\"],{\"a\":1,\"b\":[]},0.0]]");
    return 0;
}

static void collections_of_nested_values(void **state)
{
    (void)state;
    gives("collect_list", "xs", NULL, "[[\"a\",null],[],[\"a\",null],[\"a\"]]");
    gives("collect_set", "xs", NULL, "[[\"a\",null],[],[\"a\"]]");
    gives("collect_set", "w", NULL,
          "[{\"a\":1,\"b\":[0.0]},{\"a\":null,\"b\":null},{\"a\":1,\"b\":[]}]");
    gives("collect_set", "f", NULL, "[0.0,\"NaN\"]");
    gives("approx_count_distinct", "f", NULL, "2");
}

/* Many values in one column; gives() with few partial states. */
static void for_many(uint32_t n, int64_t (*value)(uint32_t i))
{
    char *rows = malloc(n * 24 + 2), *p = rows;
    uint32_t i;
    *p++ = '[';
    for (i = 0; i < n; i++) p += sprintf(p, "%s[%lld]", i ? "," : "", (long long)value(i));
    strcpy(p, "]");
    table_make(&table, "a int64", rows);
    free(rows);
}

/* Values through `parts` partial states into one. */
static struct aggregate in_parts(const char *name, const char *literal, struct store *to,
                                 uint32_t parts)
{
    const uint32_t n = table.chunk->rows;
    struct aggregate a = aggregate_with(name, literal);
    struct store part;
    uint32_t i, from, end, list[64];
    store_make(to);
    for (i = 0; i < parts; i++) {
        store_make(&part);
        for (from = n * i / parts, end = n * (i + 1) / parts; from < end; from += 64) {
            const uint32_t some = end - from < 64 ? end - from : 64;
            uint32_t k;
            for (k = 0; k < some; k++) list[k] = from + k;
            add_rows(&a, parts > 1 ? &part : to, list, some);
        }
        if (parts > 1) merge_partial(&a, to, &part, 0);
        store_free(&part);
    }
    return a;
}

static int64_t scrambled(uint32_t i) { return (int64_t)((i * 7919u) % 20011u); }

static void a_count_of_many_different_values_is_near_whatever_the_parts(void **state)
{
    struct store store;
    char first[64] = "";
    uint32_t parts;
    (void)state;
    for_many(20011, scrambled);
    for (parts = 1; parts < 8; parts += 3) {
        struct aggregate a = in_parts("approx_count_distinct", NULL, &store, parts);
        const char *result = result_of(&a, &store);
        assert_in_range(atoi(result), 20011 * 97 / 100, 20011 * 103 / 100);
        if (parts == 1) snprintf(first, sizeof first, "%s", result);
        assert_string_equal(result, first);
        store_free(&store);
        aggregate_free(&a);
    }
}

static void percentiles_of_few_values_are_exact(void **state)
{
    static const struct {
        const char *p, *want;
    } cases[] = { { "0", "0.0" },  { "0.1", "49.0" },  { "0.5", "249.0" }, { "0.502", "250.0" },
                  { "1", "499.0" }, { "0.999", "499.0" } };
    struct store store;
    uint32_t k, parts;
    (void)state;
    for_many(500, scrambled_500);
    for (k = 0; k < sizeof cases / sizeof *cases; k++)
        for (parts = 1; parts < 6; parts++) {
            struct aggregate a = in_parts("approx_percentile", cases[k].p, &store, parts);
            assert_string_equal(result_of(&a, &store), cases[k].want);
            store_free(&store);
            aggregate_free(&a);
        }
}

static void percentiles_of_many_values_are_near(void **state)
{
    static const char *const points[] = { "0", "0.001", "0.01", "0.25", "0.5", "0.9", "0.99", "1" };
    struct store store;
    uint32_t k, parts;
    (void)state;
    for_many(20011, scrambled);
    for (k = 0; k < sizeof points / sizeof *points; k++)
        for (parts = 1; parts < 9; parts += 7) {
            struct aggregate a = in_parts("approx_percentile", points[k], &store, parts);
            const double p = atof(points[k]), result = atof(result_of(&a, &store));
            const double wide = 20011 * (0.0005 + 0.02 * sqrt(p * (1 - p)));
            if (fabs(result - p * 20011) > wide) fail_msg("%s: %f", points[k], result);
            store_free(&store);
            aggregate_free(&a);
        }
}

static void percentiles_know_infinities_and_nan(void **state)
{
    static const struct {
        const char *p, *want;
    } cases[] = { { "0", "\"-Infinity\"" }, { "0.25", "\"-Infinity\"" }, { "0.5", "1.0" },
                  { "0.75", "\"Infinity\"" }, { "1", "\"NaN\"" } };
    struct store store;
    uint32_t k;
    (void)state;
    table_make(&table, "a double",
               "[[\"NaN\"],[1.0],[\"-Infinity\"],[null],[\"Infinity\"]]");
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct aggregate a = in_parts("approx_percentile", cases[k].p, &store, 2);
        assert_string_equal(result_of(&a, &store), cases[k].want);
        store_free(&store);
        aggregate_free(&a);
    }
}

static void the_most_frequent_are_exact_while_there_are_few(void **state)
{
    struct store store;
    uint32_t parts;
    (void)state;
    for_many(1000, ordinary);
    for (parts = 1; parts < 6; parts++) {
        struct aggregate a = in_parts("top_k", "3", &store, parts);
        assert_string_equal(result_of(&a, &store),
                            "[{\"value\":0,\"count\":19},{\"value\":1,\"count\":19},"
                            "{\"value\":2,\"count\":19}]");
        store_free(&store);
        aggregate_free(&a);
    }
}

static void the_most_frequent_are_found_among_many(void **state)
{
    struct store store;
    uint32_t parts;
    (void)state;
    for_many(20000, skewed);
    for (parts = 1; parts < 6; parts += 4) {
        struct aggregate a = in_parts("top_k", "2", &store, parts);
        const char *result = result_of(&a, &store);
        assert_non_null(strstr(result, "[{\"value\":-1,\"count\":"));
        assert_non_null(strstr(result, ",{\"value\":-2,\"count\":"));
        store_free(&store);
        aggregate_free(&a);
    }
}

static void parts_that_can_not_be_are_refused(void **state)
{
    static const struct {
        const char *name, *literal, *want;
    } cases[] = {
        { "approx_percentile", "1.5", "the part of approx_percentile is a literal from 0 to 1" },
        { "approx_percentile", "-0.5", "the part of approx_percentile is a literal from 0 to 1" },
        { "top_k", "0", "the number of top_k is a literal from 1 to 8192" },
        { "top_k", "9000", "the number of top_k is a literal from 1 to 8192" },
    };
    uint32_t k;
    (void)state;
    for_many(1, ordinary);
    for (k = 0; k < sizeof cases / sizeof *cases; k++)
        assert_string_equal(refusal_of(cases[k].name, cases[k].literal), cases[k].want);
}

static void without_rows_all_but_count_are_null(void **state)
{
    static const char *const names[] = { "sum", "avg", "var", "stddev", "min", "max", "first",
                                         "last" };
    struct store store;
    struct aggregate a;
    uint32_t i;
    (void)state;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        a = aggregate_of(names[i], "a", NULL);
        store_make(&store);
        assert_string_equal(result_of(&a, &store), "null");
        aggregate_free(&a);
    }
    a = aggregate_of("count", "a", NULL);
    store_make(&store);
    assert_string_equal(result_of(&a, &store), "0");
    aggregate_free(&a);
}

static void first_sees_a_null_as_a_value(void **state)
{
    struct aggregate a = aggregate_of("first", "a", NULL);
    static const uint32_t list[] = { 1, 2 };
    struct store store;
    (void)state;
    store_make(&store);
    add_rows(&a, &store, list, 2);
    assert_string_equal(result_of(&a, &store), "null");
    aggregate_free(&a);
}

static void a_sum_may_overflow_in_between(void **state)
{
    struct aggregate a = aggregate_of("sum", "big", NULL);
    static const uint32_t list[] = { 0, 2, 3 }; /* max + 1 - 1 */
    struct store store;
    (void)state;
    store_make(&store);
    add_rows(&a, &store, list, 3);
    assert_string_equal(result_of(&a, &store), "9223372036854775807");
    aggregate_free(&a);
}

static double float_result(const struct aggregate *a, struct store *store)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowArray out;
    uint8_t failed[1] = { 0 };
    char reason[128];
    double value;
    assert_int_equal(a->function->finish(expr_test_env.host, a->bound, &store->cells, NULL, 0, 1,
                                         failed, reason, &out, &error),
                     WEIR_OK);
    value = weir_get_float64(&out, 0);
    out.release(&out);
    return value;
}

static void sums_of_floats_do_not_depend_on_partial_sums(void **state)
{
    static const char *const names[] = { "sum", "avg", "var" };
    char rows[4096] = "[";
    uint64_t random = 88172645463325252ull;
    uint32_t i, k, round;
    size_t n = 1;
    (void)state;
    for (i = 0; i < 60; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s[%.17g]", i ? "," : "",
                              ((double)(random % 2000001) - 1e6) *
                                  pow(10, (double)(random % 19) - 9));
    }
    strcpy(rows + n, "]");
    table_make(&table, "f double", rows);
    for (k = 0; k < 3; k++) {
        struct aggregate a = aggregate_of(names[k], "f", NULL);
        struct store whole, part, merged;
        uint32_t list[60];
        double want;
        for (i = 0; i < 60; i++) list[i] = i;
        store_make(&whole);
        add_rows(&a, &whole, list, 60);
        want = float_result(&a, &whole);
        for (round = 1; round < 30; round++) {
            store_make(&merged);
            for (i = 0; i < 60; i += round) {
                store_make(&part);
                add_rows(&a, &part, list + i, 60 - i < round ? 60 - i : round);
                merge_partial(&a, &merged, &part, 0);
            }
            assert_true(float_result(&a, &merged) == want);
        }
        aggregate_free(&a);
    }
}

/* ---- memory that runs out ---- */

static void every_allocation_may_fail(void **state)
{
    static const char *const texts[] = { "upper(s) || lpad(u, 5, '*')", "concat_ws(',', s, u)",
                                         "regexp_replace(s, '(a)', '$1')", "s rlike u",
                                         "regexp_extract(s, '(.)')", "split_part(s, ',', n)",
                                         "round(n / 3, 2)", "position(u, s)",
                                         "to_timestamp('2024', '%Y')", "split(s, ',')",
                                         "array_sort(array(s, u, null))", "md5(s)",
                                         "element_at(array(n, 1), 1)", "unbase64('YQ==')",
                                         "array_contains(array(s), u)",
                                         "json_value('{\"a\": \"x\\ny\"}', '$.a')",
                                         "window(timestamp '2024-01-01T00:00:00Z', '1h').end",
                                         "coalesce(split(s, ''), array())" };
    const struct weir_expr_input input = { NULL, &table.schema };
    const struct weir_chunk *chunk = table.chunk;
    const struct expr_run run = { 0 };
    uint32_t k;
    (void)state;
    for (k = 0; k < sizeof texts / sizeof *texts; k++) {
        uint64_t nth;
        int32_t rc = WEIR_FATAL;
        for (nth = 1; rc == WEIR_FATAL; nth++) {
            const uint64_t before = mem_in_use();
            struct weir_error error = WEIR_ERROR_INIT;
            struct weir_expr *expr;
            struct ArrowArray out = { 0 };
            mem_fail_at(nth, nth & 1);
            rc = expr_compile(&expr_test_env, texts[k], "x", &input, 1, 0, &expr, &error);
            if (!rc) rc = expr_eval(&run, expr, &chunk, NULL, &out, &error);
            mem_fail_at(0, 0);
            array_release(&out);
            expr_free(expr);
            assert_int_equal(mem_in_use(), before);
        }
        if (rc) fail_msg("%s: class %d", texts[k], rc);
    }
}

/* Both find what memmem finds, in random texts of two letters, from every place on. The text ends where
 * its memory does, so a sanitizer sees a read behind it. */
static void search_finds_what_memmem_finds(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int round = 0; round < 400; round++) {
        const uint64_t n = (random >> 20) % 200, m = 1 + (random >> 40) % 9;
        uint8_t *s = malloc(n ? n : 1), x[16];
        assert_non_null(s);
        for (uint64_t i = 0; i < n + m; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            *(i < n ? &s[i] : &x[i - n]) = (uint8_t)("ab"[random >> 63]);
        }
        for (uint64_t from = 0; from <= n; from++) {
            const uint8_t *at = memmem(s + from, n - from, x, m);
            const uint64_t expected = at ? (uint64_t)(at - s) : SEARCH_NONE;
            assert_int_equal(search_bytes(s, n, x, m, from), expected);
            assert_int_equal(search_bytes_plain(s, n, x, m, from), expected);
        }
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_in_order),
        cmocka_unit_test(search_finds_what_memmem_finds),
        cmocka_unit_test_setup_teardown(numbers, for_numbers, tear_down),
        cmocka_unit_test_setup_teardown(texts, for_texts, tear_down),
        cmocka_unit_test_setup_teardown(patterns, for_patterns, tear_down),
        cmocka_unit_test_setup_teardown(times_taken_apart, for_times, tear_down),
        cmocka_unit_test_setup_teardown(times_put_together, for_times, tear_down),
        cmocka_unit_test_setup_teardown(local_times_of_zones, for_zones, tear_down),
        cmocka_unit_test_setup_teardown(counts_and_sums, for_aggregates, tear_down),
        cmocka_unit_test_setup_teardown(extremes, for_aggregates, tear_down),
        cmocka_unit_test_setup_teardown(first_and_last_and_by, for_aggregates, tear_down),
        cmocka_unit_test_setup_teardown(lists, for_lists, tear_down),
        cmocka_unit_test_setup_teardown(digests, for_lists, tear_down),
        cmocka_unit_test_setup_teardown(json, for_json, tear_down),
        cmocka_unit_test_setup_teardown(windows, for_windows, tear_down),
        cmocka_unit_test_setup_teardown(collections, for_aggregates, tear_down),
        cmocka_unit_test_setup_teardown(collections_of_nested_values, for_nested, tear_down),
        cmocka_unit_test_teardown(a_count_of_many_different_values_is_near_whatever_the_parts,
                                  tear_down),
        cmocka_unit_test_teardown(percentiles_of_few_values_are_exact, tear_down),
        cmocka_unit_test_teardown(percentiles_of_many_values_are_near, tear_down),
        cmocka_unit_test_teardown(percentiles_know_infinities_and_nan, tear_down),
        cmocka_unit_test_teardown(the_most_frequent_are_exact_while_there_are_few, tear_down),
        cmocka_unit_test_teardown(the_most_frequent_are_found_among_many, tear_down),
        cmocka_unit_test_teardown(parts_that_can_not_be_are_refused, tear_down),
        cmocka_unit_test_setup_teardown(without_rows_all_but_count_are_null, for_aggregates,
                                        tear_down),
        cmocka_unit_test_setup_teardown(first_sees_a_null_as_a_value, for_aggregates, tear_down),
        cmocka_unit_test_setup_teardown(a_sum_may_overflow_in_between, for_aggregates, tear_down),
        cmocka_unit_test_teardown(sums_of_floats_do_not_depend_on_partial_sums, tear_down),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, for_texts, tear_down),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
