/*
 * order.h - the order of values: NaN is greatest and equals itself, -0.0 equals 0.0, text compares
 * bytewise, lists item by item, structs field by field; a null within them is greatest. [any]
 */
#ifndef SHARE_ORDER_H
#define SHARE_ORDER_H

#include <weir/plugin.h>

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

static inline int order_int(int64_t x, int64_t y) { return (x > y) - (x < y); }

/* The items of the list in row r: [*from, return value). */
static inline uint32_t list_items(const struct ArrowArray *list, uint32_t r, uint32_t *from)
{
    const int32_t *offsets = (const int32_t *)list->buffers[1];
    *from = (uint32_t)offsets[r];
    return (uint32_t)offsets[r + 1];
}

static inline int order_values(const struct ArrowSchema *type, const struct ArrowArray *a,
                               uint32_t i, const struct ArrowArray *b, uint32_t j);

static inline int order_maybe_null(const struct ArrowSchema *type, const struct ArrowArray *a,
                                   uint32_t i, const struct ArrowArray *b, uint32_t j)
{
    const int x = weir_is_null(a, i), y = weir_is_null(b, j);
    return x || y ? x - y : order_values(type, a, i, b, j);
}

static inline int order_lists(const struct ArrowSchema *type, const struct ArrowArray *a,
                              uint32_t i, const struct ArrowArray *b, uint32_t j)
{
    uint32_t x, y, x_end = list_items(a, i, &x), y_end = list_items(b, j, &y);
    for (; x < x_end && y < y_end; x++, y++) {
        int order = order_maybe_null(type->children[0], a->children[0], x, b->children[0], y);
        if (order) return order;
    }
    return (x < x_end) - (y < y_end);
}

/* Values i of a and j of b, of one type, neither of them null: negative, 0 or positive. */
static inline int order_values(const struct ArrowSchema *type, const struct ArrowArray *a,
                               uint32_t i, const struct ArrowArray *b, uint32_t j)
{
    switch (weir_type_of(type)) {
    case WEIR_TYPE_BOOL: return weir_get_bool(a, i) - weir_get_bool(b, j);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return order_int(weir_get_int32(a, i), weir_get_int32(b, j));
    case WEIR_TYPE_FLOAT64: return order_double(weir_get_float64(a, i), weir_get_float64(b, j));
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return order_text(weir_get_bytes(a, i), weir_get_bytes(b, j));
    case WEIR_TYPE_LIST: return order_lists(type, a, i, b, j);
    case WEIR_TYPE_STRUCT:
        for (int64_t k = 0; k < type->n_children; k++) {
            int order = order_maybe_null(type->children[k], a->children[k], i, b->children[k], j);
            if (order) return order;
        }
        return 0;
    default: return order_int(weir_get_int64(a, i), weir_get_int64(b, j));
    }
}

#endif
