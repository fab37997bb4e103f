/*
 * expr.h - expressions: compile (lexer, parser, types) and run (kernels). Implements weir.expr/1 but for the
 * context, which load/host.c adds.
 *
 * Compiled expressions are immutable: many lanes may run one at the same time. Memory of a run comes from
 * mem_alloc by column, never by row.
 */
#ifndef WEIR_CORE_EXPR_H
#define WEIR_CORE_EXPR_H

#include <weir/expr.h>
#include <weir/plugin.h>

/* Where functions come from. */
struct expr_env {
    /* the scalar or aggregate component of a lower-case name, or NULL */
    const struct weir_component *(*find)(void *arg, uint32_t kind, const char *name);
    /* i-th known function name, for suggestions; NULL past the last */
    const char *(*name)(void *arg, uint32_t i);
    const struct weir_host *host; /* given to functions */
    void *arg;
};

/* What a run needs besides the chunk. */
struct expr_run {
    int64_t time_us;   /* T: now() */
    uint64_t batch;
    uint64_t seed;
    uint32_t partition;
    uint32_t null_on_error; /* 1: failing rows give null and stay */
    /* a failing row; DATA ends the evaluation. `which` is the chunk's input number. */
    int32_t (*reject)(void *arg, uint32_t row, const char *reason, struct weir_error *error);
    void *arg;
};

int32_t expr_compile(const struct expr_env *env, const char *text, const char *option,
                     const struct weir_expr_input *inputs, uint32_t n_inputs, uint32_t expect,
                     struct weir_expr **out, struct weir_error *error);
/* What an expression over columns that are not known (data/unknown.c) ends with: no mistake of its
 * own was found. */
#define EXPR_UNKNOWN WEIR_CANCELLED
/* Where the mistakes of a text go to, one by one; NULL for the error: what it gives is not
 * known. */
typedef void (*expr_tell_fn)(void *arg, const struct weir_error *error);
/* diagnose.c: as expr_compile, but goes on behind a mistake: every mistake of the text that does
 * not follow from another one is told, and *out stands for the expression while a check goes on:
 * it has the type that is expected, or one that is not known. OK, FATAL. */
int32_t expr_compile_mended(const struct expr_env *env, const char *text, const char *option,
                            const struct weir_expr_input *inputs, uint32_t n_inputs,
                            uint32_t expect, expr_tell_fn tell, void *arg, struct weir_expr **out,
                            struct weir_error *error);
void expr_free(struct weir_expr *expr);
const struct ArrowSchema *expr_schema(const struct weir_expr *expr);
int32_t expr_column(const struct weir_expr *expr);
int32_t expr_deterministic(const struct weir_expr *expr);
int32_t expr_may_fail(const struct weir_expr *expr);
int32_t expr_reads(const struct weir_expr *expr, uint32_t input, uint32_t column);
int32_t expr_eval(const struct expr_run *run, struct weir_expr *expr,
                  const struct weir_chunk *const *chunks, struct weir_rows *rows,
                  struct ArrowArray *out, struct weir_error *error);
int32_t expr_filter(const struct expr_run *run, struct weir_expr *expr,
                    const struct weir_chunk *const *chunks, struct weir_rows *rows,
                    struct weir_error *error);
int32_t expr_aggregate(const struct expr_env *env, const char *option, uint32_t n,
                       const char *const *names, const char *const *texts,
                       const struct weir_expr_input *input, const struct ArrowSchema *by,
                       struct weir_aggregation **out, struct weir_error *error);
/* The same going on behind mistakes, as expr_compile_mended: values with mistakes have no calls,
 * and a type that is not known. */
int32_t expr_aggregate_mended(const struct expr_env *env, const char *option, uint32_t n,
                              const char *const *names, const char *const *texts,
                              const struct weir_expr_input *input, const struct ArrowSchema *by,
                              expr_tell_fn tell, void *arg, struct weir_aggregation **out,
                              struct weir_error *error);
void expr_aggregate_free(struct weir_aggregation *aggregation);
const struct weir_aggregate_call *expr_aggregate_call(const struct weir_aggregation *a, uint32_t i);
const struct ArrowSchema *expr_aggregate_by(const struct weir_aggregation *a); /* grouping columns */
const struct ArrowSchema *expr_aggregate_schema(const struct weir_aggregation *a);
int32_t expr_aggregate_finish(const struct expr_run *run, struct weir_aggregation *a,
                              const struct ArrowArray *const *by,
                              const struct ArrowArray *const *calls, uint32_t n,
                              struct weir_rows *rows, struct ArrowArray *out,
                              struct weir_error *error);
/* The top-level conjuncts of a bool expression that are "column op literal", as texts, for
 * pushdown: the i-th, or NULL. Owner: the expression. */
const char *expr_conjunct(const struct weir_expr *expr, uint32_t i);
const char *expr_simple(const struct weir_expr *expr, uint32_t i); /* none where rows may fail */

/* ---- conjunct.c ---- */

int32_t expr_conjunct_at(struct weir_expr *expr, uint32_t i, struct weir_conjunct *out,
                         struct weir_error *error);
int32_t expr_time_bound(const struct weir_expr *expr, uint32_t i, struct weir_time_bound *out);
int32_t expr_time_source(const struct weir_expr *expr, uint32_t *input);
int32_t expr_input_column(const struct weir_expr *expr, uint32_t *input);

#endif
