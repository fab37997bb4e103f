/*
 * aggregate_value.c - aggregates that keep a value: min, max, first, last, min_by, max_by,
 * bool_and, bool_or.
 *
 * Cells have no nulls, so a flag column says what a zero can't:
 *
 *     min, max, bool_and, bool_or    value, has
 *     first, last                    value, is_null, has       nulls are values here
 *     min_by, max_by                 value, is_null, has, key  rows with a null key are skipped
 *
 * Of equal keys min_by and max_by keep the first that arrived. NaN is greatest and equals itself,
 * -0.0 equals 0.0, text and binary compare bytewise.
 */
#include "aggregate.h"

#include <math.h>

enum { VALUE, HAS, IS_NULL = 1, SEEN = 2, KEY = 3 };

/* ---- values in cells and arrays ---- */

static uint32_t stored_type(uint32_t type)
{
    if (type == TYPE_INTERVAL) return WEIR_TYPE_INT64;
    return type == WEIR_TYPE_NONE ? WEIR_TYPE_BOOL : type;
}

static int is_bytes(uint32_t type) { return type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY; }

static int order_float(double x, double y)
{
    if (isnan(x) || isnan(y)) return !!isnan(x) - !!isnan(y);
    return (x > y) - (x < y);
}

static int order_bytes(struct weir_bytes x, struct weir_bytes y)
{
    const uint64_t n = x.length < y.length ? x.length : y.length;
    const int order = n ? memcmp(x.data, y.data, n) : 0;
    return order ? order : (x.length > y.length) - (x.length < y.length);
}

/* Value `at` of an array against the cell: negative, 0, positive. */
static int order_cell(const struct weir_cells *cells, uint32_t column, uint32_t slot, uint32_t type,
                      const struct ArrowArray *a, uint32_t at)
{
    int64_t x, y;
    switch (type) {
    case WEIR_TYPE_BOOL: return weir_get_bool(a, at) - CELL(uint8_t, cells, column, slot);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE:
        x = weir_get_int32(a, at);
        y = CELL(int32_t, cells, column, slot);
        return (x > y) - (x < y);
    case WEIR_TYPE_FLOAT64:
        return order_float(weir_get_float64(a, at), CELL(double, cells, column, slot));
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        return order_bytes(weir_get_bytes(a, at), cells->get(cells, column, slot));
    default:
        x = weir_get_int64(a, at);
        y = CELL(int64_t, cells, column, slot);
        return (x > y) - (x < y);
    }
}

static int32_t put_cell(const struct weir_cells *cells, uint32_t column, uint32_t slot,
                        uint32_t type, const struct ArrowArray *a, uint32_t at)
{
    switch (type) {
    case WEIR_TYPE_BOOL: CELL(uint8_t, cells, column, slot) = (uint8_t)weir_get_bool(a, at); break;
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: CELL(int32_t, cells, column, slot) = weir_get_int32(a, at); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return cells->put(cells, column, slot, weir_get_bytes(a, at));
    default: CELL(int64_t, cells, column, slot) = weir_get_int64(a, at);
    }
    return WEIR_OK;
}

static int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* ---- results ---- */

static int has_result(const struct weir_cells *cells, uint32_t slot, int is_null_column)
{
    if (!is_null_column) return CELL(uint8_t, cells, HAS, slot);
    return CELL(uint8_t, cells, SEEN, slot) && !CELL(uint8_t, cells, IS_NULL, slot);
}

static int32_t finish_bytes(const struct bound *b, const struct weir_cells *cells,
                            const uint32_t *slots, uint32_t from, uint32_t n, int nulls,
                            struct ArrowArray *out, struct weir_error *error)
{
    uint64_t total = 0;
    int32_t *offsets;
    uint8_t *to;
    uint32_t i;
    int32_t rc;
    for (i = 0; i < n; i++)
        if (has_result(cells, slot_of(slots, from, i), nulls))
            total += cells->get(cells, VALUE, slot_of(slots, from, i)).length;
    rc = b->data->column(b->types[0], n, total, 1, out, error);
    if (rc) return rc;
    offsets = (int32_t *)(uintptr_t)out->buffers[1];
    to = (uint8_t *)(uintptr_t)out->buffers[2];
    for (i = 0, total = 0; i < n; i++) {
        const uint32_t slot = slot_of(slots, from, i);
        offsets[i] = (int32_t)total;
        if (has_result(cells, slot, nulls)) {
            const struct weir_bytes value = cells->get(cells, VALUE, slot);
            if (value.length) memcpy(to + total, value.data, value.length);
            total += value.length;
        } else {
            result_null(out, i);
        }
    }
    offsets[n] = (int32_t)total;
    result_end(out);
    return WEIR_OK;
}

static int32_t finish_value(const struct bound *b, const struct weir_cells *cells,
                            const uint32_t *slots, uint32_t from, uint32_t n, int nulls,
                            struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t type = stored_type(b->types[0]);
    void *values;
    uint32_t i;
    int32_t rc;
    if (is_bytes(type)) return finish_bytes(b, cells, slots, from, n, nulls, out, error);
    rc = result_begin(b, type, n, out, &values, error);
    if (rc) return rc;
    for (i = 0; i < n; i++) {
        const uint32_t slot = slot_of(slots, from, i);
        if (!has_result(cells, slot, nulls)) {
            result_null(out, i);
        } else if (type == WEIR_TYPE_BOOL) {
            if (CELL(uint8_t, cells, VALUE, slot))
                ((uint8_t *)values)[i >> 3] |= (uint8_t)(1u << (i & 7));
        } else if (weir_type_width(type) == 4) {
            ((int32_t *)values)[i] = CELL(int32_t, cells, VALUE, slot);
        } else {
            ((int64_t *)values)[i] = CELL(int64_t, cells, VALUE, slot);
        }
    }
    result_end(out);
    return WEIR_OK;
}

#define FINISH(name, nulls)                                                                        \
    static int32_t name(const struct weir_host *host, void *bound, const struct weir_cells *cells, \
                        const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,         \
                        char *reason, struct ArrowArray *out, struct weir_error *error)            \
    {                                                                                              \
        (void)host;                                                                                \
        (void)failed;                                                                              \
        (void)reason;                                                                              \
        return finish_value(bound, cells, slots, from, n, nulls, out, error);                      \
    }

FINISH(plain_finish, 0)
FINISH(nulls_finish, 1)

#define BIND(name)                                                                                 \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,    \
                               struct weir_error *error)

#define STEP(name)                                                                                 \
    static int32_t name(void *bound, const struct weir_cells *cells, const uint32_t *slots,        \
                        const struct weir_call *call, struct weir_error *error)

/* ---- min and max; bool_and is min of bools, bool_or is max ---- */

static int32_t bind_extreme(const struct weir_host *host, const char *name, const char *signature,
                            const struct weir_argument *args, uint32_t n_args,
                            struct weir_aggregate_plan *plan, void **bound,
                            struct weir_error *error)
{
    const uint32_t type = n_args ? argument_type(args[0].schema) : WEIR_TYPE_NONE;
    const struct weir_table_column columns[] = { { "value", stored_type(type), 0 },
                                                 { "has", WEIR_TYPE_BOOL, 0 } };
    return bind_aggregate(host, name, signature, type ? type : WEIR_TYPE_BOOL, columns, 2, 0, args,
                          n_args, plan, bound, error);
}

/* Rows whose value is null, or whose `has` (args[1], of partial states) is false, add nothing. */
static int32_t add_extreme(const struct bound *b, const struct weir_cells *cells,
                           const uint32_t *slots, const struct weir_call *call, int sign,
                           const struct ArrowArray *has, struct weir_error *error)
{
    const struct ArrowArray *a = call->args[0];
    const uint32_t type = stored_type(b->types[0]);
    uint32_t i;
    if (b->types[0] == WEIR_TYPE_NONE) return WEIR_OK;
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = value_at(call, 0, call_row(call, i)), slot = slots[i];
        uint8_t *seen = &CELL(uint8_t, cells, HAS, slot);
        if (weir_is_null(a, row) || (has && !weir_get_bool(has, row))) continue;
        if (*seen && order_cell(cells, VALUE, slot, type, a, row) * sign <= 0) continue;
        if (put_cell(cells, VALUE, slot, type, a, row)) return no_memory(error);
        *seen = 1;
    }
    return WEIR_OK;
}

/* int64 and float64 without nulls, the usual case, without a switch per row */
#define FAST_EXTREME(T, BETTER)                                                                    \
    for (i = 0; i < call->selected; i++) {                                                         \
        const T x = ((const T *)values)[call_row(call, i)];                                        \
        T *cell = &CELL(T, cells, VALUE, slots[i]);                                                \
        uint8_t *seen = &CELL(uint8_t, cells, HAS, slots[i]);                                      \
        if (*seen && !(BETTER)) continue;                                                          \
        *cell = x;                                                                                 \
        *seen = 1;                                                                                 \
    }                                                                                              \
    return WEIR_OK

static int32_t update_extreme(const struct bound *b, const struct weir_cells *cells,
                              const uint32_t *slots, const struct weir_call *call, int sign,
                              struct weir_error *error)
{
    const void *values = call->args[0]->buffers[1];
    const uint32_t type = stored_type(b->types[0]);
    uint32_t i;
    if (!call->args[0]->buffers[0] && !(call->constant && call->constant[0])) {
        if (type == WEIR_TYPE_INT64 || type == WEIR_TYPE_TIMESTAMP) {
            if (sign > 0) {
                FAST_EXTREME(int64_t, x > *cell);
            }
            FAST_EXTREME(int64_t, x < *cell);
        }
        if (type == WEIR_TYPE_FLOAT64) {
            FAST_EXTREME(double, order_float(x, *cell) * sign > 0);
        }
    }
    return add_extreme(b, cells, slots, call, sign, NULL, error);
}

#define EXTREME(name, signature, sign)                                                             \
    BIND(name)                                                                                     \
    {                                                                                              \
        return bind_extreme(host, #name, signature, args, n_args, plan, bound, error);             \
    }                                                                                              \
    STEP(name##_update) { return update_extreme(bound, cells, slots, call, sign, error); }         \
    STEP(name##_merge)                                                                             \
    {                                                                                              \
        return add_extreme(bound, cells, slots, call, sign, call->args[1], error);                 \
    }                                                                                              \
    AGGREGATE_TABLE(name, name##_bind, name##_update, name##_merge, NULL, plain_finish)

EXTREME(min, "a", -1)
EXTREME(max, "a", 1)
EXTREME(bool_and, "b", -1)
EXTREME(bool_or, "b", 1)

/* ---- first and last ---- */

static int32_t bind_ordered(const struct weir_host *host, const char *name, const char *signature,
                            const struct weir_argument *args, uint32_t n_args,
                            struct weir_aggregate_plan *plan, void **bound,
                            struct weir_error *error)
{
    const uint32_t type = n_args ? argument_type(args[0].schema) : WEIR_TYPE_NONE;
    const uint32_t key = n_args > 1 ? argument_type(args[1].schema) : WEIR_TYPE_NONE;
    const struct weir_table_column columns[] = { { "value", stored_type(type), 0 },
                                                 { "is_null", WEIR_TYPE_BOOL, 0 },
                                                 { "has", WEIR_TYPE_BOOL, 0 },
                                                 { "key", stored_type(key), 0 } };
    return bind_aggregate(host, name, signature, type ? type : WEIR_TYPE_BOOL, columns,
                          n_args > 1 ? 4 : 3, WEIR_AGGREGATE_ORDERED, args, n_args, plan, bound,
                          error);
}

/* The value of a row, or that it is null, into the cells. */
static int32_t keep(const struct bound *b, const struct weir_cells *cells, uint32_t slot,
                    const struct ArrowArray *a, uint32_t at, int null)
{
    CELL(uint8_t, cells, IS_NULL, slot) = null != 0;
    CELL(uint8_t, cells, SEEN, slot) = 1;
    return null ? WEIR_OK : put_cell(cells, VALUE, slot, stored_type(b->types[0]), a, at);
}

static int32_t add_end(const struct bound *b, const struct weir_cells *cells, const uint32_t *slots,
                       const struct weir_call *call, int last, int partial,
                       struct weir_error *error)
{
    const struct ArrowArray *a = call->args[0];
    uint32_t i;
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = value_at(call, 0, call_row(call, i));
        int null = weir_is_null(a, row);
        if (partial && !weir_get_bool(call->args[SEEN], row)) continue;
        if (!last && CELL(uint8_t, cells, SEEN, slots[i])) continue;
        if (partial) null = weir_get_bool(call->args[IS_NULL], row);
        if (keep(b, cells, slots[i], a, row, null)) return no_memory(error);
    }
    return WEIR_OK;
}

#define END(name, last)                                                                            \
    BIND(name)                                                                                     \
    {                                                                                              \
        return bind_ordered(host, #name, "a", args, n_args, plan, bound, error);                   \
    }                                                                                              \
    STEP(name##_update) { return add_end(bound, cells, slots, call, last, 0, error); }             \
    STEP(name##_merge) { return add_end(bound, cells, slots, call, last, 1, error); }              \
    AGGREGATE_TABLE(name, name##_bind, name##_update, name##_merge, NULL, nulls_finish)

END(first, 0)
END(last, 1)

/* ---- min_by and max_by ---- */

static int32_t add_by(const struct bound *b, const struct weir_cells *cells, const uint32_t *slots,
                      const struct weir_call *call, int sign, int partial, struct weir_error *error)
{
    const uint32_t key_arg = partial ? KEY : 1;
    const struct ArrowArray *a = call->args[0], *keys = call->args[key_arg];
    const uint32_t key_type = stored_type(b->types[1]);
    uint32_t i;
    for (i = 0; i < call->selected; i++) {
        const uint32_t at = call_row(call, i), slot = slots[i];
        const uint32_t row = value_at(call, 0, at), key = value_at(call, key_arg, at);
        int null = weir_is_null(a, row);
        if (partial ? !weir_get_bool(call->args[SEEN], at) : weir_is_null(keys, key)) continue;
        if (CELL(uint8_t, cells, SEEN, slot) &&
            order_cell(cells, KEY, slot, key_type, keys, key) * sign <= 0)
            continue;
        if (partial) null = weir_get_bool(call->args[IS_NULL], at);
        if (keep(b, cells, slot, a, row, null) || put_cell(cells, KEY, slot, key_type, keys, key))
            return no_memory(error);
    }
    return WEIR_OK;
}

#define BY(name, sign)                                                                             \
    BIND(name)                                                                                     \
    {                                                                                              \
        return bind_ordered(host, #name, "aa", args, n_args, plan, bound, error);                  \
    }                                                                                              \
    STEP(name##_update) { return add_by(bound, cells, slots, call, sign, 0, error); }              \
    STEP(name##_merge) { return add_by(bound, cells, slots, call, sign, 1, error); }               \
    AGGREGATE_TABLE(name, name##_bind, name##_update, name##_merge, NULL, nulls_finish)

BY(min_by, -1)
BY(max_by, 1)

/* ---- shared with aggregate_sum.c ---- */

int32_t bind_aggregate(const struct weir_host *host, const char *name, const char *signature,
                       uint32_t result, const struct weir_table_column *columns, uint32_t n_columns,
                       uint32_t flags, const struct weir_argument *args, uint32_t n_args,
                       struct weir_aggregate_plan *plan, void **bound, struct weir_error *error)
{
    int32_t rc = bind_as(host, name, signature, result, sizeof(struct bound), args, n_args,
                         &plan->result, bound, error);
    if (rc) return rc;
    plan->n_columns = n_columns;
    memcpy(plan->columns, columns, n_columns * sizeof *columns);
    plan->flags = flags;
    return WEIR_OK;
}

int32_t result_begin(const struct bound *b, uint32_t type, uint32_t n, struct ArrowArray *out,
                     void **values, struct weir_error *error)
{
    int32_t rc = b->data->column(type, n, 0, 1, out, error);
    if (rc) return rc;
    *values = (void *)(uintptr_t)out->buffers[1];
    memset(*values, 0, type == WEIR_TYPE_BOOL ? (n + 7) / 8 : (size_t)n * weir_type_width(type));
    return WEIR_OK;
}

void result_null(struct ArrowArray *out, uint32_t i)
{
    ((uint8_t *)(uintptr_t)out->buffers[0])[i >> 3] &= (uint8_t)~(1u << (i & 7));
    out->null_count++;
}

void result_end(struct ArrowArray *out)
{
    if (out->null_count == 0) out->buffers[0] = NULL;
}
