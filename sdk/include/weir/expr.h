/*
 * weir/expr.h - weir.expr/1: expressions over the columns of a chunk, and aggregate expressions.
 *
 * Expressions are compiled in `bind` and evaluated by chunk. Rows on which an expression fails are
 * handled by the host as the instance's on_error says; they leave the caller's selection.
 */
#ifndef WEIR_EXPR_H
#define WEIR_EXPR_H

#include <weir/function.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_EXPR_ID "weir.expr/1"

struct weir_expr;
struct weir_aggregation;

struct weir_expr_input {
    const char *name;                 /* alias in `a.b`; NULL with a single input */
    const struct ArrowSchema *schema; /* borrowed during compile */
};

/* The rows of a chunk that still count: in and out of eval. `rows` has room for chunk->rows. */
struct weir_rows {
    uint32_t size;
    uint32_t n;
    uint32_t *rows; /* ascending */
};

/* One aggregate call of an aggregation: `sum(amount)` in "sum(amount) / count(*)". */
struct weir_aggregate_call {
    uint32_t size;
    uint32_t n_args;
    const struct weir_aggregate *function;
    void *bound;
    const struct weir_aggregate_plan *plan; /* result moved out: see schema of the aggregation */
    struct weir_expr *const *args;          /* to evaluate over the input */
    uint32_t distinct;                      /* 1: only distinct arguments count */
    uint32_t reserved;
};

#define WEIR_CONJUNCT_OTHER 0u     /* a condition of any kind */
#define WEIR_CONJUNCT_EQUAL 1u     /* left = right */
#define WEIR_CONJUNCT_NULL_SAFE 2u /* left <=> right */

/* A part of a condition, cut at its `and`s. Its expressions are the whole one's, valid as long. */
struct weir_conjunct {
    uint32_t size;
    uint32_t kind;           /* WEIR_CONJUNCT_… */
    uint32_t inputs;         /* bit i: input i is read */
    uint32_t left_inputs;    /* of an equality */
    uint32_t right_inputs;
    uint32_t reserved;
    struct weir_expr *expr;  /* the conjunct */
    struct weir_expr *left;  /* the sides of an equality, of one type; else NULL */
    struct weir_expr *right;
};

/* column > other_column + offset_us (or >=), of timestamps. */
struct weir_time_bound {
    uint32_t size;
    uint32_t strict;         /* 1: >, 0: >= */
    uint32_t input, column;
    uint32_t other_input, other_column;
    int64_t offset_us;
};

/* Purpose: told of a row on which an expression failed; what becomes of it is the caller's (usually
 *   weir_host.reject).
 * Thread and state: [worker], inside eval_telling or filter_telling, in the order of the rows.
 * Ownership: `arg` is what was given with it, the caller's; `reason` is borrowed.
 * Returns: OK to go on; any other class ends the evaluation.
 * On failure: eval_telling or filter_telling returns the class. */
typedef int32_t (*weir_expr_failed)(void *arg, uint32_t row, const char *reason,
                                    struct weir_error *error);

struct weir_expr_table {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: compiles an expression over the inputs. `option` is the option it came from, for
     *   errors; `expect` a type that it must have (WEIR_TYPE_NONE: any).
     * Thread and state: [control], inside bind.
     * Ownership: text and schemas are borrowed; *out is the plugin's until free.
     * Returns: OK; CONFIG with option and offset filled in; FATAL.
     * On failure: *out is NULL; bind returns the class. */
    int32_t (*compile)(struct weir_context *context, const char *text, const char *option,
                       const struct weir_expr_input *inputs, uint32_t n_inputs, uint32_t expect,
                       struct weir_expr **out, struct weir_error *error);

    /* Purpose: frees an expression; NULL is allowed.
     * Thread and state: [control].
     * Ownership: invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*free)(struct weir_expr *expr);

    /* Purpose: the type of the result.
     * Thread and state: [any].
     * Ownership: the expression's.
     * Returns: a schema node (named "").
     * On failure: can't fail. */
    const struct ArrowSchema *(*schema)(const struct weir_expr *expr);

    /* Purpose: the number of the input column that the expression is, unchanged; else -1.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: column number in input 0, or -1.
     * On failure: can't fail. */
    int32_t (*column)(const struct weir_expr *expr);

    /* Purpose: 1 if the same arguments always give the same result (no `now()` is needed for that:
     *   T is logged); 0 for functions that declare otherwise.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: 0 or 1.
     * On failure: can't fail. */
    int32_t (*deterministic)(const struct weir_expr *expr);

    /* Purpose: 1 if column `column` of input `input` is read.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: 0 or 1.
     * On failure: can't fail. */
    int32_t (*reads)(const struct weir_expr *expr, uint32_t input, uint32_t column);

    /* Purpose: values of the rows in `rows` (NULL: the chunk's selection), as an array of
     *   chunk->rows rows. Failed rows are rejected by the host and leave `rows`; with on_error
     *   `null` they stay, as null. With several inputs `chunks` has one chunk each, of equal rows.
     * Thread and state: [worker]; several lanes may use one expression.
     * Ownership: chunks are borrowed; `out` becomes the caller's (moved on by emit, or released).
     * Returns: OK; DATA where on_error is `fail`; FATAL.
     * On failure: `out` is released; the caller returns the class. */
    int32_t (*eval)(struct weir_context *lane, struct weir_expr *expr,
                    const struct weir_chunk *const *chunks, struct weir_rows *rows,
                    struct ArrowArray *out, struct weir_error *error);

    /* Purpose: keeps in `rows` those for which a bool expression is true (null is false).
     * Thread, ownership, returns, failure: as eval. */
    int32_t (*filter)(struct weir_context *lane, struct weir_expr *expr,
                      const struct weir_chunk *const *chunks, struct weir_rows *rows,
                      struct weir_error *error);

    /* Purpose: compiles the `values` of an aggregating operator: n expressions over aggregates,
     *   constants and the `by` columns (results of group expressions, named).
     * Thread and state: [control], inside bind.
     * Ownership: as compile; the calls belong to the aggregation.
     * Returns: OK; CONFIG with option ("values.total") and offset; FATAL.
     * On failure: *out is NULL. */
    int32_t (*aggregate)(struct weir_context *context, const char *option, uint32_t n,
                         const char *const *names, const char *const *texts,
                         const struct weir_expr_input *input, const struct ArrowSchema *by,
                         struct weir_aggregation **out, struct weir_error *error);

    /* Purpose: frees an aggregation with its calls; NULL is allowed.
     * Thread and state: [control].
     * Ownership: it, its calls and its schema are invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*aggregate_free)(struct weir_aggregation *aggregation);

    /* Purpose: the aggregate calls, distinct ones merged; NULL past the last.
     * Thread and state: [any].
     * Ownership: the aggregation's.
     * Returns: the call.
     * On failure: can't fail. */
    const struct weir_aggregate_call *(*aggregate_call)(const struct weir_aggregation *aggregation,
                                                        uint32_t i);

    /* Purpose: names and types of the n results.
     * Thread and state: [any].
     * Ownership: the aggregation's; a struct schema.
     * Returns: the schema.
     * On failure: can't fail. */
    const struct ArrowSchema *(*aggregate_schema)(const struct weir_aggregation *aggregation);

    /* Purpose: results from key columns and finished aggregates: `by` arrays then one array per
     *   call, n rows each; `out` has one array per result. rows: as in eval (failed rows leave it).
     * Thread and state: [worker].
     * Ownership: inputs are borrowed; out[] become the caller's.
     * Returns, failure: as eval. */
    int32_t (*aggregate_finish)(struct weir_context *lane, struct weir_aggregation *aggregation,
                                const struct ArrowArray *const *by,
                                const struct ArrowArray *const *calls, uint32_t n,
                                struct weir_rows *rows, struct ArrowArray *out,
                                struct weir_error *error);

    /* Purpose: conjunct i of a bool expression, in the order of the text.
     * Thread and state: [control], inside bind.
     * Ownership: the expressions in `out` (size set by the caller) are part of `expr`: never freed.
     * Returns: OK; UNSUPPORTED past the last one; FATAL.
     * On failure: `out` is empty. */
    int32_t (*conjunct)(struct weir_expr *expr, uint32_t i, struct weir_conjunct *out,
                        struct weir_error *error);

    /* Purpose: bound i that a comparison or `between` puts on the difference of two timestamp
     *   columns; a conjunct has 0 to 2.
     * Thread and state: [any].
     * Ownership: the caller's, size set.
     * Returns: 1, or 0 where there is none.
     * On failure: can't fail. */
    int32_t (*time_bound)(const struct weir_expr *expr, uint32_t i, struct weir_time_bound *out);

    /* Purpose: the column whose event time the result is: the column itself, its window(…) or the
     *   window_time(…) of that.
     * Thread and state: [any].
     * Ownership: *input (may be NULL) is the column's input.
     * Returns: the number of the column, or -1.
     * On failure: can't fail. */
    int32_t (*time_source)(const struct weir_expr *expr, uint32_t *input);

    /* Purpose: as `column`, of any input.
     * Thread and state: [any].
     * Ownership: *input (may be NULL) is the column's input.
     * Returns: the number of the column, or -1.
     * On failure: can't fail. */
    int32_t (*input_column)(const struct weir_expr *expr, uint32_t *input);

    /* Purpose: the i-th of those conjuncts that are simple, as text: "column op literal", the
     *   column first, or "contains(column, 'text')"; none of an expression that may fail.
     * Thread and state: [any].
     * Ownership: valid with the expression.
     * Returns: the text; NULL past the last one.
     * On failure: can't fail. */
    const char *(*simple)(const struct weir_expr *expr, uint32_t i);

    /* Purpose: 0 if no row can fail on the expression.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: 0 or 1.
     * On failure: can't fail. */
    int32_t (*may_fail)(const struct weir_expr *expr);

    /* Purpose: as eval, for chunks whose rows are not those of an input (pairs of a join): rows
     *   that fail are told to `failed`, in their order, and are not rejected, which the caller does
     *   with the row of the input by weir_host.reject. They leave `rows`. With on_error `null` none
     *   is told.
     * Thread, ownership, returns, failure: as eval; and what `failed` returned, with `error` as
     *   that left it. */
    int32_t (*eval_telling)(struct weir_context *lane, struct weir_expr *expr,
                            const struct weir_chunk *const *chunks, struct weir_rows *rows,
                            struct ArrowArray *out, weir_expr_failed failed, void *arg,
                            struct weir_error *error);

    /* Purpose: as filter, telling like eval_telling.
     * Thread, ownership, returns, failure: as eval_telling; there is no `out`. */
    int32_t (*filter_telling)(struct weir_context *lane, struct weir_expr *expr,
                              const struct weir_chunk *const *chunks, struct weir_rows *rows,
                              weir_expr_failed failed, void *arg, struct weir_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
