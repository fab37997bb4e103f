/*
 * nested.h - lists and structs in functions: their types, values compared, columns built.
 */
#ifndef WEIR_FUNCTION_BUILTIN_NESTED_H
#define WEIR_FUNCTION_BUILTIN_NESTED_H

#include "functions.h"

#include "plugins/share/order.h"
#include "plugins/share/types.h"

/* What bind leaves where a type with children is needed later; free_typed releases it. */
struct typed_bound {
    struct bound base;
    struct ArrowSchema type; /* release NULL: none */
};

void free_typed(void *bound);

/* A list of `item` (copied). OK, FATAL. */
int32_t list_schema(const struct weir_data *data, const struct ArrowSchema *item,
                    struct ArrowSchema *out, struct weir_error *error);

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
