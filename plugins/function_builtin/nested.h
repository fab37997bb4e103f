/*
 * nested.h - lists and structs in functions: their types, values compared, columns built.
 */
#ifndef WEIR_FUNCTION_BUILTIN_NESTED_H
#define WEIR_FUNCTION_BUILTIN_NESTED_H

#include "functions.h"

/* What bind leaves where a type with children is needed later; free_typed releases it. */
struct typed_bound {
    struct bound base;
    struct ArrowSchema type; /* release NULL: none */
};

void free_typed(void *bound);

/* Are two types equal? Names of struct fields count. */
int same_type(const struct ArrowSchema *a, const struct ArrowSchema *b);
/* A list of `item` (copied). OK, FATAL. */
int32_t list_schema(const struct weir_data *data, const struct ArrowSchema *item,
                    struct ArrowSchema *out, struct weir_error *error);

/* Order of two values that are not null: negative, 0, positive. A null within a struct or list is
 * greater than all values. NaN is greatest, -0.0 equals 0.0, text compares bytewise. */
int order_values(const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t i,
                 const struct ArrowArray *b, uint32_t j);

static inline int order_double(double x, double y)
{
    if (x != x || y != y) return (x != x) - (y != y);
    return (x > y) - (x < y);
}

static inline int order_text(struct weir_bytes x, struct weir_bytes y)
{
    const uint64_t n = x.length < y.length ? x.length : y.length;
    const int order = n ? memcmp(x.data, y.data, n) : 0;
    return order ? order : (x.length > y.length) - (x.length < y.length);
}

/* The items of the list in row r: [*from, return value). */
static inline uint32_t list_items(const struct ArrowArray *list, uint32_t r, uint32_t *from)
{
    const int32_t *offsets = list->buffers[1];
    *from = (uint32_t)offsets[r];
    return (uint32_t)offsets[r + 1];
}

/* A column of any type, row by row, ascending; rows that are left out are null. */
struct column_out {
    const struct weir_data *data;
    struct weir_builder *root, *column;
    uint32_t next;
    int32_t failed; /* class; once set nothing is appended */
};

void column_begin(struct column_out *c, const struct weir_data *data,
                  const struct ArrowSchema *type, struct weir_error *error);
/* Nulls up to row r, whose value the caller appends to c->column. */
void column_row(struct column_out *c, uint32_t r);
/* The column of n rows. Frees the builder in any case. */
int32_t column_end(struct column_out *c, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error);

#endif
