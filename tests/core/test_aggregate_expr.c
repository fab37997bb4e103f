/*
 * test_aggregate_expr.c - `values`: which calls of aggregates a text holds, which are one, what
 * stands outside of them, and results from what the calls gave.
 */
#include "tests/core/expr_case.h"

#include "core/data/chunk.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static struct ArrowSchema input, by;
static int bound_now; /* binds minus unbinds */

/* An aggregate that only binds: it takes anything but a string and gives int64. */
static void keep(struct ArrowSchema *schema) { schema->release = NULL; }

static int32_t any_bind(const struct weir_host *host, const struct weir_argument *args, uint32_t n,
                        struct weir_aggregate_plan *plan, void **bound, struct weir_error *error)
{
    static int token;
    (void)host;
    if (n && args[0].schema->format[0] == 'u') return weir_fail(error, WEIR_CONFIG,
            "it takes int64, got string");
    plan->n_columns = 1;
    plan->columns[0] = (struct weir_table_column){ "n", WEIR_TYPE_INT64, 0 };
    plan->result = (struct ArrowSchema){ .format = "l", .name = "", .flags = ARROW_FLAG_NULLABLE,
                                         .release = keep };
    *bound = &token;
    bound_now++;
    return WEIR_OK;
}

static void any_unbind(void *bound) { bound_now -= bound != NULL; }

static const struct weir_aggregate any_table = { .size = sizeof any_table, .bind = any_bind,
                                                 .unbind = any_unbind };

#define AGGREGATE(text, min, max)                                                                  \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_AGGREGATE, .name = text,            \
      .min_args = min,                                                                             \
      .max_args = max, .table = &any_table }

static const struct weir_component functions[] = { AGGREGATE("count", 0, 1), AGGREGATE("sum", 1, 1),
                                                   AGGREGATE("max", 1, 1), AGGREGATE("max_by", 2,
                                                           2), { .name = NULL } };

static int set_up(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    expr_components = functions;
    assert_int_equal(weir_data_1.schema_parse("user string, amount int64, day int64, "
                                              "ts timestamp", &input, &error), WEIR_OK);
    assert_int_equal(weir_data_1.schema_parse("user string, d int64", &by, &error), WEIR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    schema_release(&input);
    schema_release(&by);
    assert_int_equal(bound_now, 0);
    return mem_in_use() != 0;
}

static struct weir_aggregation *compiled(uint32_t n, const char *const *names,
                                         const char *const *texts)
{
    const struct weir_expr_input in = { NULL, &input };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_aggregation *a;
    if (expr_aggregate(&expr_test_env, "values", n, names, texts, &in, &by, &a, &error))
        fail_msg("%s @%d %s", error.option, error.offset, error.text);
    return a;
}

/* "option@place text", or "" where it is fine */
static const char *mistake(const char *text)
{
    static char line[700];
    static const char *const names[] = { "total" };
    const struct weir_expr_input in = { NULL, &input };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_aggregation *a;
    line[0] = 0;
    if (expr_aggregate(&expr_test_env, "values", 1, names, &text, &in, &by, &a, &error)) {
        assert_null(a);
        snprintf(line, sizeof line, "%s@%d %s", error.option, error.offset, error.text);
    }
    expr_aggregate_free(a);
    return line;
}

static void equal_calls_are_one(void **state)
{
    static const char *const names[] = { "total", "mean", "n" };
    static const char *const texts[] = { "sum(amount)", "SUM( amount ) / count(*)",
                                         "count(*) + count(amount) + count(distinct amount)" };
    struct weir_aggregation *a = compiled(3, names, texts);
    (void)state;
    assert_int_equal(expr_aggregate_call(a, 0)->n_args, 1);
    assert_int_equal(expr_aggregate_call(a, 1)->n_args, 0);
    assert_int_equal(expr_aggregate_call(a, 2)->n_args, 1);
    assert_int_equal(expr_aggregate_call(a, 2)->distinct, 0);
    assert_int_equal(expr_aggregate_call(a, 3)->distinct, 1);
    assert_null(expr_aggregate_call(a, 4));
    assert_int_equal(expr_column(expr_aggregate_call(a, 0)->args[0]), 1);
    assert_ptr_equal(expr_aggregate_call(a, 0)->function, &any_table);
    assert_int_equal(expr_aggregate_call(a, 0)->plan->n_columns, 1);
    expr_aggregate_free(a);
}

static void the_schema_has_names_and_types_of_the_values(void **state)
{
    static const char *const names[] = { "total", "mean", "who", "big" };
    static const char *const texts[] = { "sum(amount)", "sum(amount) / count(*)", "user || '!'",
                                         "max(amount) > 5" };
    struct weir_aggregation *a = compiled(4, names, texts);
    char *ddl = schema_ddl(expr_aggregate_schema(a));
    (void)state;
    assert_string_equal(ddl, "total int64, mean float64, who string, big bool");
    mem_free(ddl);
    expr_aggregate_free(a);
}

static void mistakes_have_the_option_and_the_place(void **state)
{
    (void)state;
    assert_string_equal(mistake("sum(amount)"), "");
    assert_string_equal(mistake("sum(amount) + day"), "values.total@14 column day is neither in "
                        "`by` nor inside of an aggregate");
    assert_string_equal(mistake("sum(amount) + d"), "");
    assert_string_equal(mistake("sum(d)"), "values.total@4 no column d");
    assert_string_equal(mistake("sum(amont)"), "values.total@4 no column amont: did you mean "
                        "amount?");
    assert_string_equal(mistake("1 + sum(max(amount))"), "values.total@8 the aggregate max "
                        "stands inside of another one");
    assert_string_equal(mistake("sum(amount + count(*))"), "values.total@13 the aggregate count "
                        "stands inside of another one");
    assert_string_equal(mistake("sum(*)"), "values.total@0 only count takes *");
    assert_string_equal(mistake("count()"), "values.total@0 count takes an argument or *");
    assert_string_equal(mistake("sum()"), "values.total@0 sum takes 1 argument, not 0");
    assert_string_equal(mistake("max_by(amount)"), "values.total@0 max_by takes 2 arguments, "
                        "not 1");
    assert_string_equal(mistake("sum(user)"), "values.total@0 it takes int64, got string");
    assert_string_equal(mistake("sum(amount) ||"), "values.total@14 the expression ends where a "
                        "value is expected");
    assert_string_equal(mistake("sum(amount) || 'x'"), "values.total@0 an operand of || must be "
                        "string, not int64");
    assert_string_equal(mistake("amount"), "values.total@0 column amount is neither in `by` nor "
                        "inside of an aggregate");
    assert_string_equal(mistake("sun(amount)"), "values.total@0 no function sun: did you mean "
                        "sum?");
    assert_string_equal(mistake("sum(distinct amount)"), "");
    assert_string_equal(mistake("coalesce(distinct d)"), "values.total@0 coalesce is no "
                        "aggregate: it takes no distinct");
    assert_string_equal(mistake("max(ts - ts)"), "");
    assert_string_equal(mistake("interval '1s'"), "values.total@0 an interval can't be a column");
    assert_string_equal(mistake("count(null)"), "values.total@6 the type of null is not known "
                        "here: write cast(null as …)");
}

struct rejected {
    uint32_t rows[8], n;
};

static int32_t reject(void *arg, uint32_t row, const char *reason, struct weir_error *error)
{
    struct rejected *r = arg;
    (void)error;
    assert_string_equal(reason, "division by zero");
    r->rows[r->n++] = row;
    return WEIR_OK;
}

static void results_come_from_keys_and_calls(void **state)
{
    static const char *const names[] = { "mean", "label", "plain", "key" };
    static const char label[] = "case when sum(amount) > 5 "
                                "then user || ':' || sum(amount)::string else '-' end";
    static const char *const texts[] = { "sum(amount) / count(*)", label, "sum(amount)", "d" };
    struct weir_aggregation *a = compiled(4, names, texts);
    struct expr_table keys, calls;
    struct weir_error error = WEIR_ERROR_INIT;
    struct rejected rejected = { .n = 0 };
    const struct expr_run run = { .reject = reject, .arg = &rejected };
    uint32_t list[] = { 0, 1, 2 };
    struct weir_rows rows = { sizeof rows, 3, list };
    struct weir_buffer text = { 0 };
    const struct ArrowArray *const *key_columns, *const *call_columns;
    struct ArrowArray out[4];
    uint32_t i;
    (void)state;
    table_make(&keys, "user string, d int64", "[[\"ann\",1],[\"bob\",2],[\"cy\",null]]");
    table_make(&calls, "s int64, n int64", "[[10,4],[7,0],[null,2]]");
    key_columns = (const struct ArrowArray *const *)keys.chunk->array->children;
    call_columns = (const struct ArrowArray *const *)calls.chunk->array->children;
    assert_int_equal(expr_aggregate_finish(&run, a, key_columns, call_columns, 3, &rows, out,
                                           &error),
                     WEIR_OK);
    table_free(&keys); /* results do not point into what was borrowed */
    table_free(&calls);
    assert_int_equal(rejected.n, 1);
    assert_int_equal(rejected.rows[0], 1);
    assert_int_equal(rows.n, 2);
    assert_int_equal(list[1], 2);
    assert_true(weir_get_float64(&out[0], 0) == 2.5);
    assert_true(weir_is_null(&out[0], 2));
    assert_memory_equal(weir_get_bytes(&out[1], 0).data, "ann:10", 6);
    assert_memory_equal(weir_get_bytes(&out[1], 2).data, "-", 1);
    assert_int_equal(weir_get_int64(&out[2], 0), 10);
    assert_int_equal(weir_get_int64(&out[3], 0), 1);
    for (i = 0; i < 4; i++) {
        value_json(expr_aggregate_schema(a)->children[i], &out[i], 0, &text);
        out[i].release(&out[i]);
    }
    mem_free(text.data);
    expr_aggregate_free(a);
}

static void without_keys_everything_is_in_aggregates(void **state)
{
    static const char *const names[] = { "n" };
    static const char *const texts[] = { "count(*)" };
    const struct weir_expr_input in = { NULL, &input };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_aggregation *a;
    static const char *const wrong[] = { "user" };
    (void)state;
    assert_int_equal(expr_aggregate(&expr_test_env, "values", 1, names, texts, &in, NULL, &a,
                                    &error), WEIR_OK);
    expr_aggregate_free(a);
    assert_int_equal(expr_aggregate(&expr_test_env, "values", 1, names, wrong, &in, NULL, &a,
                                    &error), WEIR_CONFIG);
    assert_null(a);
}

static void every_allocation_may_fail(void **state)
{
    static const char *const names[] = { "mean", "label" };
    static const char *const texts[] = { "sum(amount + 1) / count(*)", "max_by(amount, day) + d" };
    const struct weir_expr_input in = { NULL, &input };
    uint64_t nth, before = mem_in_use();
    int32_t rc = WEIR_FATAL;
    (void)state;
    for (nth = 1; rc == WEIR_FATAL; nth++) {
        struct weir_error error = WEIR_ERROR_INIT;
        struct weir_aggregation *a;
        mem_fail_at(nth, nth & 1);
        rc = expr_aggregate(&expr_test_env, "values", 2, names, texts, &in, &by, &a, &error);
        mem_fail_at(0, 0);
        if (rc) assert_null(a);
        expr_aggregate_free(a);
        assert_int_equal(mem_in_use(), before);
        assert_int_equal(bound_now, 0);
    }
    assert_int_equal(rc, WEIR_OK);
    assert_true(nth > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_calls_are_one),
        cmocka_unit_test(the_schema_has_names_and_types_of_the_values),
        cmocka_unit_test(mistakes_have_the_option_and_the_place),
        cmocka_unit_test(results_come_from_keys_and_calls),
        cmocka_unit_test(without_keys_everything_is_in_aggregates),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
