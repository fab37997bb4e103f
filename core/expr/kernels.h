/*
 * kernels.h - operators over whole columns: tight loops by type.
 *
 * A kernel gets its operands as vecs and fills `out`. It computes the selected rows, or all rows
 * where that is faster (`task_rows`). Rows that can't be computed fail only if they are selected
 * and not null: loops gather a single mark that something was wrong, and only then are rows
 * looked at one by one. So the usual loop has no branch.
 */
#ifndef WEIR_CORE_EXPR_KERNELS_H
#define WEIR_CORE_EXPR_KERNELS_H

#include "core/expr/vec.h"

struct task {
    struct frame *frame;
    const struct node *node;
    const struct rowset *set; /* rows that count, for failures of constants */
    struct rowset rows;       /* rows to compute; one row where all operands are constant */
    uint32_t length;          /* of the result */
    uint8_t constant;
    uint8_t is_try; /* failing rows are null */
};

/* Selections below a quarter are followed row by row; else all rows are computed. */
static inline const uint32_t *task_rows(const struct task *t, uint32_t *n)
{
    if (t->rows.rows && t->rows.n < t->length / 4) {
        *n = t->rows.n;
        return t->rows.rows;
    }
    *n = t->length;
    return NULL;
}

/* Sets up task and out for a strict operator: validity is that of the operands together. Returns
 * 1 if the result is null whatever the rows (out is that), 0, or a negative class. */
int strict_begin(struct task *t, struct vec *const *kids, uint32_t n, struct vec *out);
/* A row failed: null with `try`, an error of the row (or of all, where constant) else. */
int32_t task_fail(struct task *t, struct vec *out, uint32_t row, const char *reason);
static inline int task_counts(const struct vec *out, uint32_t row)
{
    return !out->valid || bit_get(out->valid, row);
}

/* Marks of loops, as bits. */
#define BAD_OVERFLOW 1u
#define BAD_ZERO 2u
#define BAD_TIME 4u
#define BAD_VALUE 8u

int32_t kernel_arith(struct task *t, struct vec *const *kids, struct vec *out);
int32_t kernel_cast(struct task *t, struct vec *const *kids, struct vec *out);
int32_t kernel_concat(struct task *t, struct vec *const *kids, struct vec *out);
int32_t kernel_like(struct task *t, struct vec *const *kids, struct vec *out);
int32_t kernel_compare(struct task *t, struct vec *const *kids, struct vec *out);
int32_t kernel_in(struct task *t, struct vec *const *kids, struct vec *out);

/* Text made row by row, ascending; rows left out are empty. kernels_text.c */
struct text_out {
    struct frame *frame;
    int32_t *offsets;
    struct weir_buffer bytes;
    uint32_t rows, next;
};
int32_t text_begin(struct text_out *t, struct frame *f, uint32_t rows);
int32_t text_add(struct text_out *t, uint32_t row, const void *bytes, uint64_t n);
int32_t text_end(struct text_out *t, uint32_t id, struct vec *out); /* OK; frees `t` on failure */
void text_free(struct text_out *t);

/* Bits of a comparison for the rows, without regard to nulls; type: of both sides. */
int32_t compare_bits(struct frame *f, uint32_t op, const struct type *type, const struct vec *a,
                     const struct vec *b, const uint32_t *rows, uint32_t n, uint8_t *bits);
/* The comparison with its nulls, as rows (never a constant). eval.c */
int32_t compare_vecs(struct frame *f, uint32_t op, const struct type *type, struct vec *a,
                     struct vec *b, const struct rowset *set, struct vec *out);
/* narrow.c: the rows of [0, n) of a column of int32 (`width` 4) or int64 for which `op` holds against the constant c;
 * their number into `out`. 0: this machine can't do it faster than row by row. */
int narrow_ints(uint32_t op, uint32_t width, const void *a, const void *c, uint32_t n,
                uint32_t *rows, uint32_t *out);

/* Narrows rows to those where the comparison is true; all: rows are 0 to n - 1. Returns 0 if this
 * pair has no such loop. */
int compare_rows(uint32_t op, const struct vec *a, const struct vec *b, uint32_t *rows,
                 uint32_t *n, int all);
/* Several vecs, each for its own rows, as one. Rows of `set` that none has are null. */
struct branch {
    struct vec vec;
    struct rowset rows;
    uint32_t *own; /* memory of rows */
};
int32_t merge(struct frame *f, const struct type *type, struct branch *branches, uint32_t n,
              const struct rowset *set, struct vec *out);

#endif
