/*
 * vec.h - columns while an expression runs: values, selections, failed rows.
 *
 * Invariants:
 *  1. A vec has the layout of an Arrow array of its type, one row if `constant`; it borrows from
 *     the chunk or the tree, or owns `memory` and `inner`. Intervals are int64.
 *  2. Only rows of the selection have meaning; the others are defined memory, and text offsets
 *     never fall. Kernels may compute them too where that is faster, but they never fail.
 *  3. A row that fails is noted once, with the first reason; what its value is afterwards has no
 *     meaning.
 */
#ifndef WEIR_CORE_EXPR_VEC_H
#define WEIR_CORE_EXPR_VEC_H

#include "core/expr/tree.h"

/* Rows that count, ascending; rows NULL: 0 to n - 1. */
struct rowset {
    const uint32_t *rows;
    uint32_t n;
};

static inline uint32_t rowset_row(const struct rowset *set, uint32_t i)
{
    return set->rows ? set->rows[i] : i;
}

struct vec {
    uint32_t id; /* of the type */
    uint32_t rows;
    uint8_t constant;
    const uint8_t *valid; /* NULL: no nulls */
    const void *values;   /* bits, numbers, or offsets */
    const uint8_t *bytes;
    const struct ArrowArray *nested; /* list, struct */
    uint32_t input;                  /* whose chunk has what is borrowed */
    void *memory[3];         /* validity, values, bytes */
    struct ArrowArray inner; /* result of a function or a builder */
};

/* One evaluation. */
struct frame {
    const struct weir_expr *expr;
    const struct expr_run *run;
    struct ArrowArray *const *const *sets; /* columns by input */
    const struct weir_chunk *const *chunks; /* NULL: arrays without a chunk */
    uint32_t rows;
    uint32_t *failed; /* per row: 1 + number of the reason; NULL: none failed */
    const char **reasons;
    uint32_t n_reasons;
    struct arena arena; /* texts of reasons */
    struct weir_error *error;
};

static inline int bit_get(const uint8_t *bits, uint32_t i) { return bits[i >> 3] >> (i & 7) & 1; }
static inline void bit_set(uint8_t *bits, uint32_t i) { bits[i >> 3] |= (uint8_t)(1u << (i & 7)); }
static inline void bit_clear(uint8_t *bits, uint32_t i)
{
    bits[i >> 3] &= (uint8_t)~(1u << (i & 7));
}
static inline uint64_t bits_size(uint64_t rows) { return (rows + 63) / 64 * 8; }

static inline uint32_t vec_at(const struct vec *v, uint32_t row) { return v->constant ? 0 : row; }
static inline int vec_valid(const struct vec *v, uint32_t row)
{
    return !v->valid || bit_get(v->valid, vec_at(v, row));
}
static inline struct weir_bytes vec_text(const struct vec *v, uint32_t row)
{
    const int32_t *offsets = (const int32_t *)v->values + vec_at(v, row);
    return (struct weir_bytes){ v->bytes + offsets[0], (uint64_t)(offsets[1] - offsets[0]) };
}

int32_t frame_no_memory(struct frame *f);
int32_t frame_fail(struct frame *f, uint32_t row, const char *reason); /* OK, FATAL */
void frame_end(struct frame *f);

void vec_free(struct vec *v);
void vec_move(struct vec *to, struct vec *from);
void vec_of_array(struct vec *v, uint32_t id, const struct ArrowArray *array);
/* Room for `rows` values of a type that is not text: bits are zero, others not set. */
int32_t vec_make(struct frame *f, struct vec *v, uint32_t id, uint32_t rows);
int32_t vec_make_null(struct frame *f, struct vec *v, const struct type *type);
/* Own validity that may be written: a copy, or all set. */
int32_t vec_mask(struct frame *f, struct vec *v);
/* A constant as rows. */
int32_t vec_expand(struct frame *f, struct vec *v, const struct type *type);
/* `v` as an array to lend to a function; buffers has three entries. */
void vec_lend(const struct vec *v, struct ArrowArray *array, const void **buffers);
/* Moves the vec into an array of the caller's, f->rows long. OK, FATAL. */
int32_t vec_result(struct frame *f, struct vec *v, const struct type *type, struct ArrowArray *out);

/* Parts of a selection, in memory that the caller frees. */
int32_t rows_alloc(struct frame *f, uint32_t n, uint32_t **out);
/* From bools: true rows into yes, others (false, null) into no; either may be NULL. */
uint32_t rows_split(const struct vec *v, const struct rowset *set, uint32_t *yes, uint32_t *no);
uint32_t rows_not_false(const struct vec *v, const struct rowset *set, uint32_t *out);
uint32_t rows_split_valid(const struct vec *v, const struct rowset *set, uint32_t *yes,
                          uint32_t *no);

/* eval.c */
int32_t eval(struct frame *f, const struct node *node, const struct rowset *set, struct vec *out);
/* eval_call.c */
int32_t eval_call(struct frame *f, const struct node *node, const struct rowset *set,
                  struct vec *out);
/* filter.c: narrows rows to those for which a bool node is true. */
int32_t filter(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n);

#endif
