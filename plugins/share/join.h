/*
 * join.h - what joins share: the condition taken apart, the columns of the result, and pairs of
 * rows on their way from candidates to output. Used by operator_join and operator_lookup.
 *
 * Input 0 is the left side, input 1 the right one. A row of a side is a number whose meaning the
 * user of the pairs knows (struct join_source); JOIN_NONE stands for no row: its columns are null.
 */
#ifndef SHARE_JOIN_H
#define SHARE_JOIN_H

#include <weir/plugin.h>

#include "plugins/share/option.h"

#define JOIN_KEYS_MAX 16u        /* flat parts of all keys: the columns of a distribution */
#define JOIN_CONDITIONS_MAX 64u  /* conjuncts of `on` */
#define JOIN_NONE UINT32_MAX
#define JOIN_PAIRS WEIR_CHUNK_TARGET_ROWS

#define JOIN_INNER 0u
#define JOIN_LEFT_OUTER 1u
#define JOIN_RIGHT_OUTER 2u
#define JOIN_FULL_OUTER 3u
#define JOIN_LEFT_SEMI 4u
#define JOIN_LEFT_ANTI 5u

/* An equality between the sides. A struct is a key by its fields, after a leaf that tells whether
 * it is there: so an equal struct may hold nulls, and no struct is equal to a null one. */
struct join_key {
    struct weir_expr *expr[2];
    int32_t column[2];   /* >= 0: this column of the side, unchanged */
    int32_t source[2];   /* >= 0: the column whose event time the key is */
    uint32_t null_safe;
    uint32_t first;      /* leaf */
    uint32_t n_leaves;
    uint32_t is_struct;
};

struct join_leaf {
    const struct ArrowSchema *type; /* NULL: whether the struct is there, a bool */
    uint32_t key;
    int32_t field;                  /* of the struct; -1: the value, or the bool */
};

/* A column of the result. */
struct join_column {
    const char *name;
    const struct ArrowSchema *type;
    struct weir_expr *expr; /* NULL: column `column` of `side` */
    uint32_t side, column;
};

/* A join, fixed in bind; shared by all lanes. */
struct join {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct weir_combine_table *combine;
    uint32_t type;                   /* JOIN_… */
    struct weir_expr_input inputs[2];
    struct weir_expr *on;            /* owns those below */
    struct join_key keys[JOIN_KEYS_MAX];
    uint32_t n_keys;
    struct join_leaf leaves[JOIN_KEYS_MAX];
    uint32_t n_leaves;
    struct weir_expr *filters[2][JOIN_CONDITIONS_MAX]; /* of one side alone */
    uint32_t n_filters[2];
    struct weir_expr *rest[JOIN_CONDITIONS_MAX];       /* over both sides */
    uint32_t n_rest;
    uint32_t probes;                 /* given to bind. bit s: rows of side s look for partners */
    uint32_t may_reject;             /* 1: conditions in `rest` may fail, and reject probing rows */
    struct join_column *columns;
    uint32_t n_columns;
    uint8_t *needed[2];              /* per column: JOIN_FOR_… */
    uint32_t nondeterministic;
    struct ArrowSchema key;          /* struct of the leaves: k0, k1 … */
};

#define JOIN_FOR_REST 1u    /* read by a condition over both sides */
#define JOIN_FOR_EXPR 2u    /* read by an expression of the result */
#define JOIN_FOR_OUTPUT 4u  /* is in the result as it is */
#define JOIN_FOR_LETTER 8u  /* of the rows that probe: dead letters hold whole rows; not in state */

/* Do rows of `side` that match nothing come out? */
static inline int join_keeps(uint32_t type, uint32_t side)
{
    if (type == JOIN_FULL_OUTER) return 1;
    return side ? type == JOIN_RIGHT_OUTER : type == JOIN_LEFT_OUTER || type == JOIN_LEFT_ANTI;
}

static inline int join_left_only(uint32_t type)
{
    return type == JOIN_LEFT_SEMI || type == JOIN_LEFT_ANTI;
}

/* ---- bind [control] ---- */

/* Services; UNSUPPORTED where the host lacks one. */
int32_t join_init(struct join *join, const struct weir_host *host, struct weir_context *context,
                  struct weir_error *error);
void join_fini(struct join *join);
/* Options `type`, `on` and `columns` over two inputs; `probes` is set. The schemas stay the
 * caller's, as long as the join. CONFIG with the option at fault. */
int32_t join_bind(struct join *join, const struct weir_expr_input inputs[2],
                  struct weir_error *error);
/* The schema of the result. */
int32_t join_schema(const struct join *join, struct ArrowSchema *out, struct weir_error *error);
/* Bits as in weir_operator_plan.reads of what the join reads of a side. */
uint64_t join_reads(const struct join *join, uint32_t side);

/* ---- keys [worker] ---- */

/* The leaves of all keys of a side, for the rows of a chunk that are in `rows` (rows whose keys
 * fail leave it). own[i] holds leaf i where it had to be made (release NULL: leaves[i] is a column
 * of the chunk). The caller releases own[]. */
int32_t join_leaves(const struct join *join, struct weir_context *lane, uint32_t side,
                    const struct weir_chunk *chunk, struct weir_rows *rows,
                    const struct ArrowArray **leaves, struct ArrowArray *own,
                    struct weir_error *error);
/* Takes those rows away (or, without `rows`, says of one row whether it is such) that can match
 * nothing, since a key that is not null-safe is null. */
void join_drop_nulls(const struct join *join, const struct ArrowArray *const *leaves,
                     struct weir_rows *rows);
int join_unmatchable(const struct join *join, const struct ArrowArray *const *leaves, uint32_t row);

/* ---- pairs [worker] ---- */

/* Where the rows of a side are. */
struct join_source {
    /* Column `column` of the side for n rows, JOIN_NONE giving null, as a new array. */
    int32_t (*take)(void *arg, uint32_t column, const uint32_t *rows, uint32_t n,
                    struct ArrowArray *out, struct weir_error *error);
    void *arg;
};

/* Marks of the side that is probed: which of its rows have matched. NULL functions: nobody asks. */
struct join_marks {
    int (*is_set)(void *arg, uint32_t row);
    int32_t (*set)(void *arg, uint32_t row, struct weir_error *error);
    void *arg;
};

/* A probing row on which a condition has failed. */
struct join_failure {
    uint32_t row;
    char reason[256];
};

/* Pairs under way in a lane. */
struct join_pairs {
    const struct join *join;
    struct weir_context *lane;
    struct join_source sources[2];
    struct join_marks marks;
    uint32_t probe;              /* the side that probes */
    uint32_t n;
    uint32_t rows[2][JOIN_PAIRS];
    uint32_t keep[JOIN_PAIRS];
    uint8_t pass[JOIN_PAIRS];
    uint8_t matched[WEIR_CHUNK_MAX_ROWS]; /* rows of the probing chunk that have matched */
    uint8_t gone[WEIR_CHUNK_MAX_ROWS];    /* those that were rejected */
    struct join_failure *failures;        /* of the block */
    uint32_t n_failures, failures_room;
    uint32_t *held;              /* partners of held_row that have passed, of the blocks before */
    uint32_t n_held, held_room, held_row;
    struct ArrowArray *arrays;   /* columns of a side, or of the result */
    struct weir_output_column *out;
};

int32_t join_pairs_init(struct join_pairs *pairs, const struct join *join,
                        struct weir_context *lane, struct weir_error *error);
void join_pairs_fini(struct join_pairs *pairs);
/* Side `side` is to probe with a chunk of `rows` rows. No pairs are under way. */
void join_pairs_begin(struct join_pairs *pairs, uint32_t side, uint32_t rows);
/* Candidates of a probing row, all at once and in order; then, if it is to come out without a
 * partner where none passed, the same with `other` JOIN_NONE. */
int32_t join_pairs_flush(struct join_pairs *pairs, struct weir_error *error);
/* The block is full, and candidates of its last row may follow. */
int32_t join_pairs_full(struct join_pairs *pairs, struct weir_error *error);
/* Gives out the pairs as they stand in rows[] (n of them), without conditions and marks. */
int32_t join_pairs_emit(struct join_pairs *pairs, struct weir_error *error);
static inline int32_t join_pairs_add(struct join_pairs *pairs, uint32_t row, uint32_t other,
                                     struct weir_error *error)
{
    pairs->rows[pairs->probe][pairs->n] = row;
    pairs->rows[1 - pairs->probe][pairs->n] = other;
    return ++pairs->n < JOIN_PAIRS ? WEIR_OK : join_pairs_full(pairs, error);
}

#endif
