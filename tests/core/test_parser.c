/*
 * test_parser.c - what binds to what, the forms of the grammar, places of mistakes, and that no
 * text whatever brings the parser down.
 */
#include "core/expr/ast.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static char line[65536];
static size_t used;

static void put(const char *text)
{
    used += (size_t)snprintf(line + used, sizeof line - used, "%s", text);
}

static const char *arith_of(uint32_t op)
{
    static char text[2];
    text[0] = (char)op;
    return op == 'd' ? "div" : text;
}

static const char *head_of(const struct ast *a)
{
    static const char *const compares[] = { "=", "<>", "<", "<=", ">", ">=" };
    switch (a->kind) {
    case AST_NEGATE: return "neg";
    case AST_ARITH: return arith_of(a->op);
    case AST_CONCAT: return "||";
    case AST_COMPARE: return compares[a->op];
    case AST_DISTINCT: return a->negated ? "same" : "distinct";
    case AST_NOT: return "not";
    case AST_AND: return "and";
    case AST_OR: return "or";
    case AST_IS_NULL: return a->negated ? "isnotnull" : "isnull";
    case AST_BETWEEN: return a->negated ? "notbetween" : "between";
    case AST_IN: return a->negated ? "notin" : "in";
    case AST_LIKE: return a->negated ? "notlike" : "like";
    case AST_RLIKE: return a->negated ? "notrlike" : "rlike";
    case AST_CASE: return a->has_operand ? "switch" : "case";
    default: return "?";
    }
}

static void print(const struct ast *a);

/* 1 if it was a leaf */
static int print_leaf(const struct ast *a)
{
    char number[64] = "";
    switch (a->kind) {
    case AST_NULL: put("null"); return 1;
    case AST_BOOL: put(a->integer ? "true" : "false"); return 1;
    case AST_NAME: put(a->text); return 1;
    case AST_INT: snprintf(number, sizeof number, "%lld", (long long)a->integer); break;
    case AST_FLOAT: snprintf(number, sizeof number, "f%g", a->number); break;
    case AST_TEXT: snprintf(number, sizeof number, "'%s'", a->text); break;
    case AST_INTERVAL: snprintf(number, sizeof number, "i%lld", (long long)a->integer); break;
    case AST_TIMESTAMP: snprintf(number, sizeof number, "t%lld", (long long)a->integer); break;
    case AST_DATE: snprintf(number, sizeof number, "d%lld", (long long)a->integer); break;
    default: return 0;
    }
    put(number);
    return 1;
}

static void print_head(const struct ast *a)
{
    if (a->kind == AST_CAST) {
        put(a->is_try ? "try_cast<" : "cast<");
        put(a->text);
        put(">");
    } else if (a->kind == AST_CALL) {
        put(a->text);
        put("()");
        if (a->star) put(" *");
        if (a->distinct) put(" distinct");
    } else {
        put(head_of(a));
    }
}

/* Names and numbers as they are, everything else as (head kids …). */
static void print(const struct ast *a)
{
    uint32_t i;
    if (print_leaf(a)) return;
    if (a->kind == AST_FIELD) {
        print(a->kids[0]);
        put(".");
        put(a->text);
        return;
    }
    put("(");
    print_head(a);
    for (i = 0; i < a->n_kids; i++) {
        put(" ");
        if (a->kind == AST_CASE && a->has_else && i + 1 == a->n_kids) put("else ");
        print(a->kids[i]);
    }
    put(")");
}

static const char *tree_of(const char *text)
{
    const struct source_text source = { text, (uint32_t)strlen(text), "where" };
    struct weir_error error = WEIR_ERROR_INIT;
    struct arena arena = { 0 };
    struct ast *ast;
    used = 0;
    line[0] = 0;
    if (parse(&source, &arena, &ast, &error)) snprintf(line, sizeof line, "@%d %s", error.offset,
                                                       error.text);
    else print(ast);
    arena_free(&arena);
    return line;
}

static void parses_to(const char *text, const char *want)
{
    assert_string_equal(tree_of(text), want);
}

static void operators_bind_as_the_table_says(void **state)
{
    (void)state;
    parses_to("a or b and not c = d", "(or a (and b (not (= c d))))");
    parses_to("a and b or c and d", "(or (and a b) (and c d))");
    parses_to("not a = b", "(not (= a b))");
    parses_to("not not a", "(not (not a))");
    parses_to("a = b || c", "(= a (|| b c))");
    parses_to("a || b + c", "(|| a (+ b c))");
    parses_to("a + b * c - d", "(- (+ a (* b c)) d)");
    parses_to("a / b % c div d", "(div (% (/ a b) c) d)");
    parses_to("-a * b", "(* (neg a) b)");
    parses_to("a - -b", "(- a (neg b))");
    parses_to("- - a", "(neg (neg a))");
    parses_to("+a", "a");
    parses_to("-a::int", "(neg (cast<int> a))");
    parses_to("a.b::int + 1", "(+ (cast<int> a.b) 1)");
    parses_to("(a or b) and c", "(and (or a b) c)");
    parses_to("a + (b - c)", "(+ a (- b c))");
    parses_to("a - b - c", "(- (- a b) c)");
    parses_to("a or b or c or d", "(or a b c d)");
    parses_to("a || b || c", "(|| a b c)");
    parses_to("a is null = b", "(= (isnull a) b)");
}

static void comparisons_have_all_their_spellings(void **state)
{
    (void)state;
    parses_to("a = b", "(= a b)");
    parses_to("a == b", "(= a b)");
    parses_to("a <> b", "(<> a b)");
    parses_to("a != b", "(<> a b)");
    parses_to("a < b", "(< a b)");
    parses_to("a <= b", "(<= a b)");
    parses_to("a > b", "(> a b)");
    parses_to("a >= b", "(>= a b)");
    parses_to("a <=> b", "(same a b)");
    parses_to("a is not distinct from b", "(same a b)");
    parses_to("a is distinct from b + 1", "(distinct a (+ b 1))");
    parses_to("a is null and b is not null", "(and (isnull a) (isnotnull b))");
    parses_to("a between 1 and 2 and b", "(and (between a 1 2) b)");
    parses_to("a not between b + 1 and c", "(notbetween a (+ b 1) c)");
    parses_to("a in (1, 2, 3)", "(in a 1 2 3)");
    parses_to("a not in (b)", "(notin a b)");
    parses_to("a like 'x%'", "(like a 'x%')");
    parses_to("a not like b || '%'", "(notlike a (|| b '%'))");
    parses_to("a rlike 'x'", "(rlike a 'x')");
    parses_to("a not rlike 'x'", "(notrlike a 'x')");
    parses_to("not a in (1)", "(not (in a 1))");
}

static void literals_are_read(void **state)
{
    (void)state;
    parses_to("null", "null");
    parses_to("TRUE and False", "(and true false)");
    parses_to("'it''s'", "'it's'");
    parses_to("1.5e2", "f150");
    parses_to("-9223372036854775808", "-9223372036854775808");
    parses_to("9223372036854775807", "9223372036854775807");
    parses_to("9223372036854775808", "@0 the number is out of range");
    parses_to("1 - 9223372036854775808", "@4 the number is out of range");
    parses_to("interval '1h 30m'", "i5400000000");
    parses_to("INTERVAL '-5 minutes'", "i-300000000");
    parses_to("timestamp '1970-01-01T00:00:01Z'", "t1000000");
    parses_to("date '1970-01-02'", "d1");
    parses_to("date '1970-02-30'", "@5 not a date of ISO 8601");
    parses_to("timestamp 'soon'", "@10 not a timestamp of ISO 8601");
    parses_to("interval '5'", "@9 not an interval: number and unit (us ms s m h d w), "
              "once or more");
}

static void case_has_both_forms(void **state)
{
    (void)state;
    parses_to("case when a then b end", "(case a b)");
    parses_to("case when a then b when c then d else e end", "(case a b c d else e)");
    parses_to("CASE a WHEN 1 THEN 'x' ELSE 'y' END", "(switch a 1 'x' else 'y')");
    parses_to("case end", "@5 'end' stands where a value is expected");
    parses_to("case a end", "@7 'end' stands where when is expected");
    parses_to("case when a end", "@12 'end' stands where then is expected");
    parses_to("case when a then b", "@18 the expression ends where end is expected");
}

static void casts_take_types_of_any_depth(void **state)
{
    (void)state;
    parses_to("cast(a as int)", "(cast<int> a)");
    parses_to("TRY_CAST(a + 1 as list<struct<x: int, y: list<int>>>)",
              "(try_cast<list<struct<x: int, y: list<int>>>> (+ a 1))");
    parses_to("a::int < 5", "(< (cast<int> a) 5)");
    parses_to("a::int::string", "(cast<string> (cast<int> a))");
    parses_to("cast(a, int)", "@6 ',' stands where as is expected");
    parses_to("cast(a as 5)", "@10 '5' stands where a type is expected");
    parses_to("cast(a as list<int", "@18 the expression ends where '>' is expected");
}

static void calls_lower_their_names(void **state)
{
    (void)state;
    parses_to("UPPER(a)", "(upper() a)");
    parses_to("now()", "(now())");
    parses_to("count(*)", "(count() *)");
    parses_to("count(distinct a)", "(count() distinct a)");
    parses_to("f(a, b + 1, g(c))", "(f() a (+ b 1) (g() c))");
    parses_to("extract(year from a)", "(extract() 'year' a)");
    parses_to("extract('year', a)", "(extract() 'year' a)");
    parses_to("f(a", "@3 the expression ends where ',' or ')' is expected");
    parses_to("f(a,)", "@4 ')' stands where a value is expected");
    parses_to("f(*, a)", "@2 '*' stands where a value is expected");
}

static void words_are_names_where_they_can_be(void **state)
{
    (void)state;
    parses_to("timestamp + date", "(+ timestamp date)");
    parses_to("left = right", "(= left right)");
    parses_to("left(a, 1)", "(left() a 1)");
    parses_to("interval", "interval");
    parses_to("cast + try_cast", "(+ cast try_cast)");
    parses_to("extract", "extract");
    parses_to("w.end", "w.end");
    parses_to("w.\"a b\".null", "w.a b.null");
    parses_to("\"select\" + \"and\"", "(+ select and)");
    parses_to("a.b.c", "a.b.c");
    parses_to("end", "@0 'end' stands where a value is expected");
    parses_to("Größe", "Größe");
}

static void mistakes_are_told_at_their_place(void **state)
{
    (void)state;
    parses_to("", "@0 the expression ends where a value is expected");
    parses_to("a +", "@3 the expression ends where a value is expected");
    parses_to("a b", "@2 'b' stands where the end or an operator is expected");
    parses_to("(a", "@2 the expression ends where ')' is expected");
    parses_to("a)", "@1 ')' stands where the end or an operator is expected");
    parses_to("a 'x'", "@2 a text stands where the end or an operator is expected");
    parses_to("größe = = 1", "@8 '=' stands where a value is expected");
    parses_to("a between 1", "@11 the expression ends where and is expected");
    parses_to("a in 1", "@5 '1' stands where '(' is expected");
    parses_to("a in ()", "@6 ')' stands where a value is expected");
    parses_to("a is 5", "@5 '5' stands where null or distinct from is expected");
    parses_to("a not b", "@6 'b' stands where between, in, like or rlike is expected");
    parses_to("a.5", "@1 '.5' stands where the end or an operator is expected");
    parses_to("a.", "@2 the expression ends where a name is expected");
    parses_to("a & b", "@2 unexpected character &");
    parses_to("a -- comment", "(- a (neg comment))"); /* there are no comments */
    parses_to("position(a in b)", "@14 'b' stands where '(' is expected");
    parses_to("trim(both a)", "@10 'a' stands where ',' or ')' is expected");
}

static int64_t interval(const char *text)
{
    int64_t us = -77;
    const int rc = interval_of_text(text, strlen(text), &us);
    return rc ? rc : us;
}

static void intervals_are_sums_of_numbers_with_units(void **state)
{
    (void)state;
    assert_int_equal(interval("5m"), 300000000);
    assert_int_equal(interval("5 minutes"), 300000000);
    assert_int_equal(interval("1 minute"), 60000000);
    assert_int_equal(interval(" 1w 2d 3h 4m 5s 6ms 7us "), 788645006007);
    assert_int_equal(interval("- 1h 30m"), -5400000000);
    assert_int_equal(interval("+1s"), 1000000);
    assert_int_equal(interval("1 Day 2 HOURS"), 93600000000);
    assert_int_equal(interval("0s"), 0);
    assert_int_equal(interval(""), -1);
    assert_int_equal(interval("5"), -1);
    assert_int_equal(interval("m"), -1);
    assert_int_equal(interval("1 month"), -1);
    assert_int_equal(interval("1.5h"), -1);
    assert_int_equal(interval("1h -30m"), -1);
    assert_int_equal(interval("1mss"), -1);
    assert_int_equal(interval("9223372036854775807us"), INT64_MAX);
    assert_int_equal(interval("-9223372036854775808us"), -2); /* the number itself is too large */
    assert_int_equal(interval("9223372036854775807us 1us"), -2);
    assert_int_equal(interval("99999999999w"), -2);
}

static char *repeated(const char *head, const char *part, int n, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(part) * (size_t)n + strlen(tail) + 1), *p = text;
    p += sprintf(p, "%s", head);
    for (; n > 0; n--) p += sprintf(p, "%s", part);
    strcpy(p, tail);
    return text;
}

static void depth_and_length_are_bounded(void **state)
{
    static const char *const deep[][2] = { { "(", "a" }, { "not ", "a" }, { "- ", "a" }, { "f(",
            "" },
                                           { "case when ", "" }, { "a + (", "b" } };
    uint32_t i;
    char *text;
    (void)state;
    for (i = 0; i < sizeof deep / sizeof *deep; i++) {
        text = repeated("", deep[i][0], 100000 / (int)strlen(deep[i][0]), deep[i][1]);
        assert_non_null(strstr(tree_of(text), "nested too deeply"));
        free(text);
    }
    text = repeated("a", " + a", 2000, "");
    assert_non_null(strstr(tree_of(text), "nested too deeply"));
    free(text);
    text = repeated("a", " + a", 900, "");
    assert_true(tree_of(text)[0] == '(');
    free(text);
    text = repeated("a", " or a", 5000, "");
    assert_true(tree_of(text)[0] == '(');
    free(text);
    text = repeated("", " ", 300000, "a");
    assert_string_equal(tree_of(text), "@-1 the expression is longer than 256 KiB");
    free(text);
}

static void any_soup_of_tokens_is_parsed_or_refused(void **state)
{
    static const char *const words[] = { "a", "1", "2.5", "'x'", "\"q\"", "(", ")", ",", ".", "+",
                                         "-", "*", "/", "%", "=",
                                         "<", "<=>", "||", "::", "int", "and", "or", "not", "is",
                                             "null", "distinct", "from",
                                         "between", "in", "like", "rlike", "case", "when", "then",
                                             "else", "end", "cast(",
                                         "as", "f(", "interval '1h'", "list<", ">", "extract(",
                                             "count(*)", "div" };
    uint64_t random = 88172645463325252ull;
    int round, k;
    (void)state;
    for (round = 0; round < 20000; round++) {
        char text[512] = "";
        for (k = 0; k < 12; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            strcat(text, words[random % (sizeof words / sizeof *words)]);
            strcat(text, " ");
        }
        tree_of(text);
        assert_true(line[0] != 0);
    }
}

static void equal_texts_but_for_spaces_make_equal_trees(void **state)
{
    static const char *const texts[] = { "sum(a + 1)", "SUM( a+1 )", "sum(a + 2)",
                                         "sum(distinct a + 1)", "count(*)", "sum(1 + a)" };
    struct ast *trees[6];
    struct arena arena = { 0 };
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t i;
    (void)state;
    for (i = 0; i < 6; i++) {
        const struct source_text source = { texts[i], (uint32_t)strlen(texts[i]), "" };
        assert_int_equal(parse(&source, &arena, &trees[i], &error), WEIR_OK);
    }
    assert_true(ast_equal(trees[0], trees[1]));
    for (i = 2; i < 6; i++) assert_false(ast_equal(trees[0], trees[i]));
    arena_free(&arena);
}

static void suggestions_are_near(void **state)
{
    struct suggestion best = { NULL, UINT32_MAX };
    (void)state;
    suggest(&best, "amout", "account");
    suggest(&best, "amout", "amount");
    suggest(&best, "amout", "total");
    assert_string_equal(best.name, "amount");
    best = (struct suggestion){ NULL, UINT32_MAX };
    suggest(&best, "xyz", "amount");
    suggest(&best, "a", "b");
    assert_null(best.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_the_table_says),
        cmocka_unit_test(comparisons_have_all_their_spellings),
        cmocka_unit_test(literals_are_read),
        cmocka_unit_test(case_has_both_forms),
        cmocka_unit_test(casts_take_types_of_any_depth),
        cmocka_unit_test(calls_lower_their_names),
        cmocka_unit_test(words_are_names_where_they_can_be),
        cmocka_unit_test(mistakes_are_told_at_their_place),
        cmocka_unit_test(intervals_are_sums_of_numbers_with_units),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(any_soup_of_tokens_is_parsed_or_refused),
        cmocka_unit_test(equal_texts_but_for_spaces_make_equal_trees),
        cmocka_unit_test(suggestions_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
