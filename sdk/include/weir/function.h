/*
 * weir/function.h - functions of expressions: scalar ones and aggregates.
 *
 * A function is called by chunk, not by row. Results are full length: row r of the result belongs
 * to row r of the arguments, and only selected rows have meaning. Aggregates keep their state in
 * columns of a table of the host, so the same code serves batches, windows and durable state.
 */
#ifndef WEIR_FUNCTION_H
#define WEIR_FUNCTION_H

#include <weir/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An argument as `bind` sees it. */
struct weir_argument {
    uint32_t size;
    uint32_t constant;                /* 1: a literal; its value is in `value` */
    const struct ArrowSchema *schema; /* its type; WEIR_TYPE_NONE format "n": a bare null */
    const struct ArrowArray *value;   /* one row, for constants; else NULL */
};

/* Arguments of a call. Constant arguments are arrays of one row: see `constant`. */
struct weir_call {
    uint32_t size;
    uint32_t rows;                       /* length of the result */
    const uint32_t *selection;           /* ascending rows to compute; NULL: all */
    uint32_t selected;                   /* rows to compute */
    uint32_t n_args;
    const struct ArrowArray *const *args;
    const uint8_t *constant;             /* per argument: 1 = read row 0 for every row */
    int64_t time_us;                     /* T of the batch */
    uint64_t batch;
    uint32_t partition;
    uint32_t reserved;
    uint64_t seed;                       /* of the job, for functions of chance */
    uint8_t *failed;                     /* per row, zeroed: set 1 where the row is in error */
    char *reason;                        /* 128 bytes: why, for the first failed row */
};

struct weir_scalar {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: result type for these arguments; prepares literals (patterns, formats).
     * Thread and state: [control]; no I/O but small files of the system that say what a literal
     *   means (time zones).
     * Ownership: args are borrowed; *bound is the host's until unbind; result is moved to the host.
     * Returns: OK; CONFIG with a text like "upper(text) takes text, got int64".
     * On failure: the check reports it at the call. */
    int32_t (*bind)(const struct weir_host *host, const struct weir_argument *args, uint32_t n_args,
                    struct ArrowSchema *result, void **bound, struct weir_error *error);

    /* Purpose: frees what bind made; NULL is allowed.
     * Thread and state: [control].
     * Ownership: bound is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*unbind)(void *bound);

    /* Purpose: computes the selected rows. With WEIR_CAP_NULL_IN_NULL_OUT the host has taken rows
     *   with a null argument out of the selection and makes their result null.
     * Thread and state: [worker]; may run on several threads with the same bound.
     * Ownership: args are borrowed; `out` (length call->rows) is moved to the host.
     * Returns: OK, also with failed rows; FATAL.
     * On failure: the host ends the batch. */
    int32_t (*eval)(const struct weir_host *host, void *bound, const struct weir_call *call,
                    struct ArrowArray *out, struct weir_error *error);
};

#define WEIR_AGGREGATE_MAX_COLUMNS 8u

#define WEIR_AGGREGATE_INVERSE 1u  /* `inverse` undoes `update` exactly */
#define WEIR_AGGREGATE_ORDERED 2u  /* the result depends on the order of the rows */

struct weir_aggregate_plan {
    uint32_t size;
    uint32_t n_columns;
    struct weir_table_column columns[WEIR_AGGREGATE_MAX_COLUMNS]; /* zero is the start */
    struct ArrowSchema result; /* moved to the host */
    uint32_t flags;            /* WEIR_AGGREGATE_… */
    uint32_t reserved;
};

struct weir_aggregate {
    uint32_t size;
    uint32_t reserved;

    /* Purpose, thread, ownership, classes, failure: as weir_scalar.bind. */
    int32_t (*bind)(const struct weir_host *host, const struct weir_argument *args, uint32_t n_args,
                    struct weir_aggregate_plan *plan, void **bound, struct weir_error *error);

    /* Purpose, thread, ownership, returns, failure: as weir_scalar.unbind. */
    void (*unbind)(void *bound);

    /* Purpose: adds row rows[i] of the arguments to slot slots[i], for i < n; rows NULL: row i.
     *   n_args may be 0 (count(*)). Arguments of constant[k] are read at row 0.
     * Thread and state: [worker].
     * Ownership: borrowed.
     * Returns: OK; FATAL.
     * On failure: the host ends the batch. */
    int32_t (*update)(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                      const struct weir_call *call, struct weir_error *error);

    /* Purpose: adds partial states (arrays of plan.columns, as weir.combine/1 `values` gives them)
     *   to slots; rows as in update.
     * Thread, ownership, returns, failure: as update. */
    int32_t (*merge)(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                     const struct weir_call *call, struct weir_error *error);

    /* Purpose: takes partial states away again (windows). NULL without WEIR_AGGREGATE_INVERSE.
     * Thread, ownership, returns, failure: as update. */
    int32_t (*inverse)(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                       const struct weir_call *call, struct weir_error *error);

    /* Purpose: results of slots slots[i] (or from + i where it is NULL); failed[i] = 1 (zeroed by
     *   the host) rejects the result row, `reason` (128 bytes) says why.
     * Thread and state: [worker].
     * Ownership: `out` (n rows) is moved to the host.
     * Returns: OK; FATAL.
     * On failure: the host ends the batch. */
    int32_t (*finish)(const struct weir_host *host, void *bound, const struct weir_cells *cells,
                      const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,
                      char *reason, struct ArrowArray *out, struct weir_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
