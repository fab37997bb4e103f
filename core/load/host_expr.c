/*
 * host_expr.c - weir.expr/1: core/expr with the context that it leaves out.
 *
 * Compiling takes functions from context->env. Running takes batch, time, seed and partition from
 * the lane, and sends failing rows to reject: with the chunk of input context->error_input, so that
 * the dead letter holds the row; or tells the caller, who knows the row. Results of aggregates have
 * no input row; what is rejected is the group: its grouping columns.
 *
 * While a job is checked, mistakes go to context->ops->mistake and compiling gives something that
 * stands for the expression: so the rest of the instance and all behind it are checked in the same
 * run.
 */
#include "core/load/services.h"

struct run_arg {
    struct weir_context *lane;
    const struct weir_chunk *chunk;
};

static int32_t run_reject(void *arg, uint32_t row, const char *reason, struct weir_error *error)
{
    const struct run_arg *a = arg;
    const struct context_ops *ops = a->lane->ops;
    if (ops && ops->reject)
        return ops->reject(a->lane, a->chunk, row, WEIR_REJECT_EXPRESSION, reason, error);
    return weir_fail(error, WEIR_DATA, "%s", reason);
}

static struct expr_run run_of(const struct weir_context *lane, struct run_arg *arg)
{
    return (struct expr_run){
        .time_us = lane->time_us,
        .batch = lane->batch,
        .seed = lane->seed,
        .partition = lane->partition,
        .null_on_error = lane->null_on_error,
        .reject = run_reject,
        .arg = arg,
    };
}

static int32_t no_env(struct weir_error *error)
{
    return weir_fail(error, WEIR_UNSUPPORTED, "expressions are compiled in `bind` only");
}

static void tell(void *arg, const struct weir_error *error)
{
    struct weir_context *context = arg;
    context->ops->mistake(context, error);
}

static int is_check(const struct weir_context *context)
{
    return context->ops && context->ops->mistake;
}

static int32_t host_compile(struct weir_context *context, const char *text, const char *option,
                            const struct weir_expr_input *inputs, uint32_t n_inputs,
                            uint32_t expect, struct weir_expr **out, struct weir_error *error)
{
    *out = NULL;
    if (!context || !context->env) return no_env(error);
    if (is_check(context))
        return expr_compile_mended(context->env, text, option, inputs, n_inputs, expect, tell,
                                   context, out, error);
    return expr_compile(context->env, text, option, inputs, n_inputs, expect, out, error);
}

static int32_t host_eval(struct weir_context *lane, struct weir_expr *expr,
                         const struct weir_chunk *const *chunks, struct weir_rows *rows,
                         struct ArrowArray *out, struct weir_error *error)
{
    struct run_arg arg = { lane, chunks[lane->error_input] };
    struct expr_run run = run_of(lane, &arg);
    return expr_eval(&run, expr, chunks, rows, out, error);
}

static int32_t host_filter(struct weir_context *lane, struct weir_expr *expr,
                           const struct weir_chunk *const *chunks, struct weir_rows *rows,
                           struct weir_error *error)
{
    struct run_arg arg = { lane, chunks[lane->error_input] };
    struct expr_run run = run_of(lane, &arg);
    return expr_filter(&run, expr, chunks, rows, error);
}

static int32_t host_eval_telling(struct weir_context *lane, struct weir_expr *expr,
                                 const struct weir_chunk *const *chunks, struct weir_rows *rows,
                                 struct ArrowArray *out, weir_expr_failed failed, void *told,
                                 struct weir_error *error)
{
    struct expr_run run = run_of(lane, NULL);
    run.reject = failed;
    run.arg = told;
    return expr_eval(&run, expr, chunks, rows, out, error);
}

static int32_t host_filter_telling(struct weir_context *lane, struct weir_expr *expr,
                                   const struct weir_chunk *const *chunks, struct weir_rows *rows,
                                   weir_expr_failed failed, void *told, struct weir_error *error)
{
    struct expr_run run = run_of(lane, NULL);
    run.reject = failed;
    run.arg = told;
    return expr_filter(&run, expr, chunks, rows, error);
}

static int32_t host_aggregate(struct weir_context *context, const char *option, uint32_t n,
                              const char *const *names, const char *const *texts,
                              const struct weir_expr_input *input, const struct ArrowSchema *by,
                              struct weir_aggregation **out, struct weir_error *error)
{
    *out = NULL;
    if (!context || !context->env) return no_env(error);
    if (is_check(context))
        return expr_aggregate_mended(context->env, option, n, names, texts, input, by, tell,
                                     context, out, error);
    return expr_aggregate(context->env, option, n, names, texts, input, by, out, error);
}

static int32_t host_aggregate_finish(struct weir_context *lane,
                                     struct weir_aggregation *aggregation,
                                     const struct ArrowArray *const *by,
                                     const struct ArrowArray *const *calls, uint32_t n,
                                     struct weir_rows *rows, struct ArrowArray *out,
                                     struct weir_error *error)
{
    const struct ArrowSchema *schema = expr_aggregate_by(aggregation);
    const void *buffers[1] = { NULL };
    struct ArrowArray array = { .length = n, .n_buffers = 1, .buffers = buffers,
                                .n_children = schema->n_children,
                                .children = (struct ArrowArray **)(uintptr_t)by };
    struct weir_chunk groups = { .size = sizeof groups, .rows = n, .selected = n, .array = &array,
                                 .schema = schema };
    struct run_arg arg = { lane, &groups };
    struct expr_run run = run_of(lane, &arg);
    return expr_aggregate_finish(&run, aggregation, by, calls, n, rows, out, error);
}

const struct weir_expr_table weir_expr_1 = {
    .size = sizeof weir_expr_1,
    .compile = host_compile,
    .free = expr_free,
    .schema = expr_schema,
    .column = expr_column,
    .deterministic = expr_deterministic,
    .reads = expr_reads,
    .eval = host_eval,
    .filter = host_filter,
    .aggregate = host_aggregate,
    .aggregate_free = expr_aggregate_free,
    .aggregate_call = expr_aggregate_call,
    .aggregate_schema = expr_aggregate_schema,
    .aggregate_finish = host_aggregate_finish,
    .conjunct = expr_conjunct_at,
    .time_bound = expr_time_bound,
    .time_source = expr_time_source,
    .input_column = expr_input_column,
    .simple = expr_simple,
    .may_fail = expr_may_fail,
    .eval_telling = host_eval_telling,
    .filter_telling = host_filter_telling,
};
