/*
 * aggregate.h - what the aggregates of this module share: cells and results.
 */
#ifndef WEIR_FUNCTION_BUILTIN_AGGREGATE_H
#define WEIR_FUNCTION_BUILTIN_AGGREGATE_H

#include "functions.h"

/* The cell of column c of a slot, as a T. */
#define CELL(T, cells, c, slot)                                                                    \
    (*(T *)(void *)((cells)->views[c].base + (uint64_t)(slot) * (cells)->views[c].stride))

static inline uint32_t value_at(const struct weir_call *call, uint32_t k, uint32_t row)
{
    return call->constant && call->constant[k] ? 0 : row;
}

static inline int value_is_null(const struct weir_call *call, uint32_t k, uint32_t row)
{
    return weir_is_null(call->args[k], value_at(call, k, row));
}

static inline uint32_t slot_of(const uint32_t *slots, uint32_t from, uint32_t i)
{
    return slots ? slots[i] : from + i;
}

/* bind_as for an aggregate; the columns are given. */
int32_t bind_aggregate(const struct weir_host *host, const char *name, const char *signature,
                       uint32_t result, const struct weir_table_column *columns, uint32_t n_columns,
                       uint32_t flags, const struct weir_argument *args, uint32_t n_args,
                       struct weir_aggregate_plan *plan, void **bound, struct weir_error *error);

/* A column of n results of a fixed-width type or bool, all set; result_null makes one null,
 * result_end drops a validity that nothing needs. */
int32_t result_begin(const struct bound *b, uint32_t type, uint32_t n, struct ArrowArray *out,
                     void **values, struct weir_error *error);
void result_null(struct ArrowArray *out, uint32_t i);
void result_end(struct ArrowArray *out);

#define AGGREGATE_TABLE(name, bind, update, merge, inverse, finish)                                \
    const struct weir_aggregate aggregate_##name = { sizeof(struct weir_aggregate), 0,      bind,  \
                                                     free_bound,                    update, merge, \
                                                     inverse,                       finish };

#endif
