/*
 * test_conjunct.c - what a condition over two inputs says: its conjuncts, equalities, bounds.
 */
#include "tests/core/expr_case.h"

#include "core/data/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct ArrowSchema left, right;
static struct weir_expr *expr;

static int set_up(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(weir_data_1.schema_parse("k int, s string, ts timestamp, d date", &left, &error),
                     WEIR_OK);
    assert_int_equal(weir_data_1.schema_parse("k int64, s string, ts timestamp, te timestamp",
                                              &right, &error),
                     WEIR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    expr_free(expr);
    expr = NULL;
    schema_release(&left);
    schema_release(&right);
    return mem_in_use() != 0;
}

static void compile(const char *text)
{
    const struct weir_expr_input inputs[2] = { { "l", &left }, { "r", &right } };
    struct weir_error error = WEIR_ERROR_INIT;
    expr_free(expr);
    if (expr_compile(&expr_test_env, text, "on", inputs, 2, WEIR_TYPE_BOOL, &expr, &error))
        fail_msg("%s: @%d %s", text, error.offset, error.text);
}

static struct weir_conjunct conjunct(uint32_t i)
{
    struct weir_conjunct c = { .size = sizeof c };
    assert_int_equal(expr_conjunct_at(expr, i, &c, NULL), WEIR_OK);
    return c;
}

static void assert_conjuncts(uint32_t n)
{
    struct weir_conjunct c = { .size = sizeof c };
    uint32_t i;
    for (i = 0; i < n; i++) (void)conjunct(i);
    assert_int_equal(expr_conjunct_at(expr, n, &c, NULL), WEIR_UNSUPPORTED);
    assert_null(c.expr);
}

static void conjuncts_are_cut_at_every_and(void **state)
{
    (void)state;
    compile("l.k = r.k and (l.s <=> r.s and not (l.k < 3 or r.k = 4)) and l.s = 'x'");
    assert_conjuncts(5);
    assert_int_equal(conjunct(0).kind, WEIR_CONJUNCT_EQUAL);
    assert_int_equal(conjunct(1).kind, WEIR_CONJUNCT_NULL_SAFE);
    assert_int_equal(conjunct(2).kind, WEIR_CONJUNCT_OTHER);
    assert_int_equal(conjunct(2).inputs, 1);
    assert_int_equal(conjunct(3).inputs, 2);
    assert_int_equal(conjunct(4).kind, WEIR_CONJUNCT_EQUAL);
    assert_int_equal(conjunct(4).right_inputs, 0);
    compile("l.k = r.k or l.s = r.s");
    assert_conjuncts(1);
    assert_int_equal(conjunct(0).inputs, 3);
    assert_int_equal(conjunct(0).kind, WEIR_CONJUNCT_OTHER);
    compile("true");
    assert_conjuncts(1);
    assert_int_equal(conjunct(0).inputs, 0);
}

static void sides_of_an_equality_have_one_type(void **state)
{
    struct weir_conjunct c;
    (void)state;
    compile("r.k = l.k and l.ts = '2024-01-01'");
    c = conjunct(0);
    assert_int_equal(c.left_inputs, 2);
    assert_int_equal(c.right_inputs, 1);
    assert_int_equal(weir_type_of(expr_schema(c.left)), WEIR_TYPE_INT64);
    assert_int_equal(weir_type_of(expr_schema(c.right)), WEIR_TYPE_INT64);
    assert_true(expr_reads(c.right, 0, 0));
    assert_false(expr_reads(c.right, 1, 0));
    c = conjunct(1);
    assert_int_equal(weir_type_of(expr_schema(c.right)), WEIR_TYPE_TIMESTAMP);
}

static void assert_bound(const struct weir_expr *of, uint32_t i, uint32_t input, uint32_t column,
                         uint32_t other, int64_t offset_us, uint32_t strict)
{
    struct weir_time_bound b = { .size = sizeof b };
    assert_true(expr_time_bound(of, i, &b));
    assert_int_equal(b.input, input);
    assert_int_equal(b.column, column);
    assert_int_equal(b.other_input, 1 - input);
    assert_int_equal(b.other_column, other);
    assert_int_equal(b.offset_us, offset_us);
    assert_int_equal(b.strict, strict);
}

static void comparisons_bound_the_difference_of_times(void **state)
{
    struct weir_time_bound b = { .size = sizeof b };
    (void)state;
    compile("l.ts between r.ts - interval '5s' and r.te + interval '1m' - interval '2s'");
    assert_bound(conjunct(0).expr, 0, 0, 2, 2, -5000000, 0);
    assert_bound(conjunct(0).expr, 1, 1, 3, 2, -58000000, 0);
    assert_false(expr_time_bound(conjunct(0).expr, 2, &b));
    compile("l.ts > r.ts + interval '5s'");
    assert_bound(conjunct(0).expr, 0, 0, 2, 2, 5000000, 1);
    assert_false(expr_time_bound(conjunct(0).expr, 1, &b));
    compile("r.ts - l.ts >= interval '1s' * 3");
    assert_bound(conjunct(0).expr, 0, 1, 2, 2, 3000000, 0);
    compile("not (l.ts >= r.ts)");
    assert_bound(conjunct(0).expr, 0, 1, 2, 2, 0, 1);
    compile("interval '1h' > l.ts - r.ts");
    assert_bound(conjunct(0).expr, 0, 1, 2, 2, -3600000000, 1);
}

static void other_conditions_bound_nothing(void **state)
{
    static const char *const texts[] = {
        "l.ts <> r.ts", "l.ts > '2024-01-01'", "l.k > r.k", "l.d > r.ts", "l.ts not between r.ts and r.te",
        "l.ts > greatest(r.ts, r.te)", "l.s > r.s",
        "l.ts = r.ts", "l.ts > r.ts or l.k = 1"
    };
    struct weir_time_bound b = { .size = sizeof b };
    uint32_t i;
    (void)state;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        compile(texts[i]);
        if (expr_time_bound(conjunct(0).expr, 0, &b)) fail_msg("%s", texts[i]);
    }
    compile("l.ts + interval '300000d' * 500 > r.ts - interval '300000d' * 500"); /* overflows */
    assert_false(expr_time_bound(conjunct(0).expr, 0, &b));
}

static void a_column_is_its_own_event_time(void **state)
{
    uint32_t input = 7;
    (void)state;
    compile("r.ts = l.ts + interval '1s'");
    assert_int_equal(expr_time_source(conjunct(0).left, &input), 2);
    assert_int_equal(input, 1);
    assert_int_equal(expr_time_source(conjunct(0).right, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conjuncts_are_cut_at_every_and, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sides_of_an_equality_have_one_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(comparisons_bound_the_difference_of_times, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_conditions_bound_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_column_is_its_own_event_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
