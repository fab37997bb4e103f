/*
 * test_types.c - what the check accepts, which types come out, and where it points when it refuses.
 */
#include "tests/core/expr_case.h"

#include "core/data/array.h"

#include <setjmp.h>
#include <cmocka.h>

static struct expr_table table;

#define COLUMNS                                                                                    \
    "ok bool, i int, a int64, f double, s string, x binary, t timestamp, d date, l list<int>, "    \
    "w struct<start: timestamp, end: timestamp>, \"odd name\" int64, amount double"

static int set_up(void **state)
{
    (void)state;
    table_make(&table, COLUMNS, "[]");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    table_free(&table);
    return mem_in_use() != 0;
}

/* The DDL of the result's type, or "@place message". */
static const char *type_of(const char *text, uint32_t expect)
{
    static char line[1024];
    const struct weir_expr_input input = { NULL, &table.schema };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr *expr;
    char *ddl;
    if (expr_compile(&expr_test_env, text, "where", &input, 1, expect, &expr, &error)) {
        snprintf(line, sizeof line, "@%d %s", error.offset, error.text);
        return line;
    }
    if (strcmp(expr_schema(expr)->format, "tDu") == 0) {
        strcpy(line, "interval");
    } else {
        ddl = type_ddl(expr_schema(expr));
        snprintf(line, sizeof line, "%s", ddl);
        mem_free(ddl);
    }
    expr_free(expr);
    return line;
}

static void has_type(const char *text, const char *want)
{
    const char *got = type_of(text, WEIR_TYPE_NONE);
    if (strcmp(got, want) != 0) fail_msg("%s: %s, not %s", text, got, want);
}

static void literals_have_their_types(void **state)
{
    (void)state;
    has_type("1", "int64");
    has_type("1.0", "float64");
    has_type("1e2", "float64");
    has_type("'a'", "string");
    has_type("true", "bool");
    has_type("interval '1s'", "interval");
    has_type("timestamp '2024-01-01T00:00:00Z'", "timestamp");
    has_type("date '2024-01-01'", "date");
    has_type("null", "@0 the type of null is not known here: write cast(null as …)");
}

static void arithmetic_widens_numbers(void **state)
{
    (void)state;
    has_type("i", "int32");
    has_type("i + i", "int64");
    has_type("i * a", "int64");
    has_type("-i", "int64");
    has_type("+i", "int32");
    has_type("i + f", "float64");
    has_type("a / a", "float64");
    has_type("i div i", "int64");
    has_type("a % i", "int64");
    has_type("f % a", "float64");
    has_type("null + 1", "int64");
    has_type("null + null", "@5 the type of null is not known here: write cast(null as …)");
    has_type("f div 2", "@2 div takes integers, not float64");
    has_type("a + s", "@2 no operator + for int64 and string");
    has_type("a + '1'", "@2 no operator + for int64 and string");
    has_type("ok + 1", "@3 no operator + for bool and int64");
    has_type("-s", "@0 no operator - for string");
    has_type("l + 1", "@2 no operator + for list<int32> and int64");
}

static void times_have_their_own_arithmetic(void **state)
{
    (void)state;
    has_type("t + interval '1s'", "timestamp");
    has_type("interval '1s' + t", "timestamp");
    has_type("t - interval '1s'", "timestamp");
    has_type("t - t", "interval");
    has_type("t - '2024-01-01T00:00:00Z'", "interval");
    has_type("d + interval '1s'", "timestamp");
    has_type("d + 1", "date");
    has_type("1 + d", "date");
    has_type("d - i", "date");
    has_type("d - d", "int64");
    has_type("d - '2024-01-01'", "int64");
    has_type("t - d", "interval");
    has_type("d - t", "interval");
    has_type("interval '1s' + interval '1s'", "interval");
    has_type("interval '1s' * 2", "interval");
    has_type("a * interval '1s'", "interval");
    has_type("-interval '1s'", "interval");
    has_type("interval '1s' < interval '2s'", "bool");
    has_type("t + 1", "@2 no operator + for timestamp and int64");
    has_type("1 - d", "@2 no operator - for int64 and date");
    has_type("t + t", "@2 no operator + for timestamp and timestamp");
    has_type("t * 2", "@2 no operator * for timestamp and int64");
    has_type("interval '1s' * 2.0", "@14 no operator * for interval and float64");
    has_type("interval '1s' / 2", "@14 no operator / for interval and int64");
    has_type("interval '1s' - t", "@14 no operator - for interval and timestamp");
    has_type("t - null", "@2 the type of null is not known here: write cast(null as …)");
    has_type("interval '1s' = 1", "@14 comparison of interval and int64");
}

static void comparisons_want_types_that_meet(void **state)
{
    (void)state;
    has_type("i = a", "bool");
    has_type("i < f", "bool");
    has_type("s = 'x'", "bool");
    has_type("ok = true", "bool");
    has_type("l = l", "bool");
    has_type("w = w", "bool");
    has_type("t = d", "bool");
    has_type("a = null", "bool");
    has_type("s = 1", "@2 comparison of string and int64");
    has_type("a = '1'", "@2 comparison of int64 and string");
    has_type("t = 1", "@2 comparison of timestamp and int64");
    has_type("ok = 1", "@3 comparison of bool and int64");
    has_type("s = x", "@2 comparison of string and binary");
    has_type("l = 1", "@2 comparison of list<int32> and int64");
    has_type("null = null", "@5 the type of null is not known here: write cast(null as …)");
    has_type("null is null", "@0 the type of null is not known here: write cast(null as …)");
    has_type("a in (1, i, 2.5)", "bool");
    has_type("a in (1, 'x')", "@2 comparison of int64 and string");
    has_type("a between 1 and 'x'", "@2 comparison of int64 and string");
}

static void text_literals_against_times_are_read_at_the_check(void **state)
{
    (void)state;
    has_type("t = '2024-01-01T00:00:00Z'", "bool");
    has_type("t > '2024-01-01'", "bool");
    has_type("'2024-01-01 10:00:00' <= t", "bool");
    has_type("d = '2024-01-01'", "bool");
    has_type("d = '2024-01-01T10:00:00Z'", "bool");
    has_type("t between '2024-01-01' and '2024-02-01'", "bool");
    has_type("t in ('2024-01-01', null)", "bool");
    has_type("coalesce(t, '2024-01-01')", "timestamp");
    has_type("case when ok then d else '2024-01-01' end", "date");
    has_type("t = 'yesterday'", "@4 the text is not a timestamp of ISO 8601");
    has_type("d = '2024-02-30'", "@4 the text is not a timestamp of ISO 8601");
    has_type("t = s", "@2 comparison of timestamp and string");
    has_type("t = cast('2024-01-01' as string)", "@2 comparison of timestamp and string");
    has_type("t = '2024' || '-01-01'", "@2 comparison of timestamp and string");
}

static void logic_wants_bools(void **state)
{
    (void)state;
    has_type("ok and a > 1 or not ok", "bool");
    has_type("ok and null", "bool");
    has_type("not null", "bool");
    has_type("a and ok", "@0 an operand of and must be bool, not int64");
    has_type("ok or s", "@6 an operand of or must be bool, not string");
    has_type("not a", "@4 the operand of not must be bool, not int64");
    has_type("case when a then 1 end", "@10 a condition must be bool, not int64");
    has_type("if(a, 1, 2)", "@3 a condition must be bool, not int64");
    has_type("s like 'x'", "bool");
    has_type("a like 'x'", "@0 the left side of like must be string, not int64");
    has_type("s like 5", "@7 the pattern must be string, not int64");
    has_type("s like 'x\\'", "@7 the pattern ends with its escape character");
}

static void branches_widen_too(void **state)
{
    (void)state;
    has_type("case when ok then i else 1 end", "int64");
    has_type("case when ok then i else f end", "float64");
    has_type("case when ok then i end", "int32");
    has_type("case when ok then null else i end", "int32");
    has_type("case a when 1 then 'x' else null end", "string");
    has_type("case a when 'x' then 1 end", "@0 comparison of int64 and string");
    has_type("case when ok then 1 else 'x' end", "@0 branches of int64 and string");
    has_type("case when ok then null end", "@0 the type of null is not known here: write "
             "cast(null as …)");
    has_type("coalesce(i, 0)", "int64");
    has_type("coalesce(null, s)", "string");
    has_type("coalesce(a, s)", "@0 coalesce of int64 and string");
    has_type("coalesce(null, null)", "@0 the type of null is not known here: write cast(null as "
             "…)");
    has_type("nullif(s, '')", "string");
    has_type("nullif(i, 0)", "int64");
    has_type("greatest(i, f)", "float64");
    has_type("least(t, d)", "timestamp");
    has_type("if(ok, l, null)", "list<int32>");
    has_type("coalesce()", "@0 coalesce takes at least 1 argument, not 0");
    has_type("nullif(a)", "@0 nullif takes 2 arguments, not 1");
    has_type("now()", "timestamp");
    has_type("typeof(l)", "string");
    has_type("try_divide(a, 0)", "float64");
    has_type("try_add(t, interval '1s')", "timestamp");
}

static void casts_are_between_types_that_mean_something(void **state)
{
    (void)state;
    has_type("cast(a as int)", "int32");
    has_type("a::double", "float64");
    has_type("s::timestamp", "timestamp");
    has_type("try_cast(s as date)", "date");
    has_type("x::string", "string");
    has_type("s::binary", "binary");
    has_type("ok::int", "int32");
    has_type("a::bool", "bool");
    has_type("t::date", "date");
    has_type("d::timestamp", "timestamp");
    has_type("cast(null as struct<a: int>)", "struct<a: int32>");
    has_type("l::list<int>", "list<int32>");
    has_type("a::timestamp", "@3 no cast from int64 to timestamp");
    has_type("t::bigint", "@3 no cast from timestamp to int64");
    has_type("d::int", "@3 no cast from date to int32");
    has_type("l::string", "@3 no cast from list<int32> to string");
    has_type("w::string", "@3 no cast from struct<start: timestamp, end: timestamp> to string");
    has_type("l::list<string>", "@3 no cast from list<int32> to list<string>");
    has_type("x::int", "@3 no cast from binary to int32");
    has_type("ok::timestamp", "@4 no cast from bool to timestamp");
    has_type("(t - t)::string", "@9 no cast from interval to string");
    assert_non_null(strstr(type_of("a::decimal", WEIR_TYPE_NONE), "decimal"));
    assert_int_equal(strncmp(type_of("a::decimal", WEIR_TYPE_NONE), "@3 ", 3), 0);
}

static void concatenation_takes_texts_only(void **state)
{
    (void)state;
    has_type("s || 'x' || s", "string");
    has_type("s || null", "string");
    has_type("x || x", "binary");
    has_type("'a' || 1", "@7 an operand of || must be string, not int64");
    has_type("s || x", "@0 an operand of || must be binary, not string");
}

static void names_are_looked_up_with_suggestions(void **state)
{
    (void)state;
    has_type("\"odd name\"", "int64");
    has_type("w.start", "timestamp");
    has_type("w.end - w.start", "interval");
    has_type("amout", "@0 no column amout: did you mean amount?");
    has_type("1 + Amount", "@4 no column Amount: did you mean amount?");
    has_type("zzzzzz", "@0 no column zzzzzz");
    has_type("w.stat", "@2 no field stat: did you mean start?");
    has_type("w.zzzzzz", "@2 no field zzzzzz");
    has_type("a.b", "@2 int64 has no fields");
    has_type("zz.b", "@0 no column zz");
    has_type("größe + 1", "@0 no column größe");
    has_type("1 + größe + zz", "@4 no column größe");
    has_type("coalesc(a, 1)", "@0 no function coalesc: did you mean coalesce?");
    has_type("frobnicate(a)", "@0 no function frobnicate");
    has_type("greatest(*)", "@0 greatest is no aggregate: it takes no *");
    has_type("greatest(distinct a)", "@0 greatest is no aggregate: it takes no distinct");
}

static void an_expected_type_is_met_or_refused(void **state)
{
    (void)state;
    assert_string_equal(type_of("a > 1", WEIR_TYPE_BOOL), "bool");
    assert_string_equal(type_of("null", WEIR_TYPE_BOOL), "bool");
    assert_string_equal(type_of("a", WEIR_TYPE_BOOL), "@0 where must be bool, not int64");
    assert_string_equal(type_of("i", WEIR_TYPE_FLOAT64), "float64");
    assert_string_equal(type_of("'2024-01-01'", WEIR_TYPE_TIMESTAMP), "timestamp");
    assert_string_equal(type_of("f", WEIR_TYPE_INT64), "@0 where must be int64, not float64");
}

static struct weir_expr *compiled(const char *text, const struct weir_expr_input *inputs,
                                  uint32_t n)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr *expr;
    if (expr_compile(&expr_test_env, text, "on", inputs, n, WEIR_TYPE_NONE, &expr, &error))
        fail_msg("%s: @%d %s", text, error.offset, error.text);
    return expr;
}

static void conjuncts_are_offered_as_column_operator_literal(void **state)
{
    static const struct { const char *text, *conjuncts[4]; } cases[] = {
        { "a > 10", { "a > 10" } },
        { "a > 10 and s = 'it''s' and f < 1.5", { "a > 10", "s = 'it''s'", "f < 1.5" } },
        { "10 >= a", { "a <= 10" } },
        { "i = 3", { "i = 3" } },
        { "f > 1", { "f > 1.0" } },
        { "\"odd name\" <> -5", { "\"odd name\" <> -5" } },
        { "t >= '2024-01-01' and d < date '2024-01-02'", {
                "t >= timestamp '2024-01-01T00:00:00Z'", "d < date '2024-01-02'" } },
        { "ok = false", { "ok = false" } },
        { "not (a > 10 or a < 5)", { "a <= 10", "a >= 5" } },
        { "a > 10 or s = 'x'", { NULL } },
        { "a + 1 > 10 and a > i and s like 'x%'", { NULL } },
        { "a = null and a > 2 * 3", { "a > 6" } },
        { "a + 1", { NULL } },
    };
    const struct weir_expr_input input = { NULL, &table.schema };
    uint32_t i, k;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_expr *expr = compiled(cases[i].text, &input, 1);
        for (k = 0; k < 4 && cases[i].conjuncts[k]; k++) {
            assert_non_null(expr_conjunct(expr, k));
            assert_string_equal(expr_conjunct(expr, k), cases[i].conjuncts[k]);
        }
        assert_null(expr_conjunct(expr, k));
        expr_free(expr);
    }
}

static void an_expression_knows_what_it_reads(void **state)
{
    const struct weir_expr_input input = { NULL, &table.schema };
    struct weir_expr *expr = compiled("case when a > 1 then f else 2 end", &input, 1);
    (void)state;
    assert_int_equal(expr_reads(expr, 0, 2), 1);
    assert_int_equal(expr_reads(expr, 0, 3), 1);
    assert_int_equal(expr_reads(expr, 0, 1), 0);
    assert_int_equal(expr_reads(expr, 1, 2), 0);
    assert_int_equal(expr_column(expr), -1);
    assert_int_equal(expr_deterministic(expr), 1);
    expr_free(expr);
    expr = compiled("f", &input, 1);
    assert_int_equal(expr_column(expr), 3);
    expr_free(expr);
    expr = compiled("(f)", &input, 1);
    assert_int_equal(expr_column(expr), 3);
    expr_free(expr);
}

static void several_inputs_are_told_apart_by_their_names(void **state)
{
    struct ArrowSchema left, right;
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr *expr;
    (void)state;
    assert_int_equal(weir_data_1.schema_parse("k int64, l int64", &left, &error), WEIR_OK);
    assert_int_equal(weir_data_1.schema_parse("k int64, r struct<x: int64>", &right, &error),
                     WEIR_OK);
    {
        const struct weir_expr_input inputs[] = { { "a", &left }, { "b", &right } };
        static const char *const wrong[][2] = {
            { "k = 1", "@0 column k is in a and in b" },
            { "c.k = 1", "@0 no input c" },
            { "a.z = 1", "@2 a has no column z" },
            { "a.r = 1", "@2 a has no column r" },
            { "zz = 1", "@0 no column zz" },
        };
        uint32_t i;
        expr = compiled("a.k = b.k and l > 1 and b.r.x < a.l", inputs, 2);
        assert_int_equal(expr_reads(expr, 0, 0), 1);
        assert_int_equal(expr_reads(expr, 0, 1), 1);
        assert_int_equal(expr_reads(expr, 1, 0), 1);
        assert_int_equal(expr_reads(expr, 1, 1), 1);
        expr_free(expr);
        for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            char got[600];
            error = (struct weir_error)WEIR_ERROR_INIT;
            assert_int_equal(expr_compile(&expr_test_env, wrong[i][0], "on", inputs, 2,
                                          WEIR_TYPE_BOOL, &expr, &error), WEIR_CONFIG);
            assert_null(expr);
            snprintf(got, sizeof got, "@%d %s", error.offset, error.text);
            assert_string_equal(got, wrong[i][1]);
        }
    }
    schema_release(&left);
    schema_release(&right);
}

static void input_schemas_may_go_after_the_check(void **state)
{
    struct expr_table own;
    const struct weir_chunk *chunk;
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr *expr;
    struct ArrowArray out;
    struct ArrowSchema copy;
    const struct expr_run run = { 0 };
    char text[] = "coalesce(w, w)";
    (void)state;
    table_make(&own, COLUMNS,
               "[[null,null,null,null,null,null,null,null,null,{\"start\":null,\"end\":null},"
               "null,null]]");
    assert_int_equal(weir_data_1.schema_copy(&own.schema, NULL, &copy, &error), WEIR_OK);
    {
        const struct weir_expr_input input = { NULL, &copy };
        assert_int_equal(expr_compile(&expr_test_env, text, "where", &input, 1, 0, &expr, &error),
                         WEIR_OK);
    }
    schema_release(&copy);
    memset(text, 'x', sizeof text - 1);
    chunk = own.chunk;
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_int_equal(out.n_children, 2);
    out.release(&out);
    expr_free(expr);
    table_free(&own);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    expr_free(NULL);
    expr_aggregate_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_have_their_types),
        cmocka_unit_test(arithmetic_widens_numbers),
        cmocka_unit_test(times_have_their_own_arithmetic),
        cmocka_unit_test(comparisons_want_types_that_meet),
        cmocka_unit_test(text_literals_against_times_are_read_at_the_check),
        cmocka_unit_test(logic_wants_bools),
        cmocka_unit_test(branches_widen_too),
        cmocka_unit_test(casts_are_between_types_that_mean_something),
        cmocka_unit_test(concatenation_takes_texts_only),
        cmocka_unit_test(names_are_looked_up_with_suggestions),
        cmocka_unit_test(an_expected_type_is_met_or_refused),
        cmocka_unit_test(conjuncts_are_offered_as_column_operator_literal),
        cmocka_unit_test(an_expression_knows_what_it_reads),
        cmocka_unit_test(several_inputs_are_told_apart_by_their_names),
        cmocka_unit_test(input_schemas_may_go_after_the_check),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
