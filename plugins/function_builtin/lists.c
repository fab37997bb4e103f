/*
 * lists.c - functions of lists: array, size, element_at, array_contains, array_sort, and split, which
 * makes one of a text.
 */
#define _GNU_SOURCE
#include "nested.h"

#include <stdlib.h>

#define BIND(name)                                                                                 \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)

static int32_t refuse(void **bound, struct weir_error *error, const char *text)
{
    free_typed(*bound);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "%s", text);
}

/* Ends a bind: the result is a list of `item`, whose type (the list's) the bound keeps. */
static int32_t list_result(const struct ArrowSchema *item, struct ArrowSchema *schema, void **bound,
                           struct weir_error *error)
{
    struct typed_bound *b = *bound;
    int32_t rc = list_schema(b->base.data, item, &b->type, error);
    if (!rc) rc = b->base.data->schema_copy(&b->type, "", schema, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}

/* ---- split ---- */

BIND(split)
{
    struct ArrowSchema text;
    int32_t rc = bind_as(host, "split", "tt", 0, sizeof(struct typed_bound), args, n_args, schema,
                         bound, error);
    leaf_schema(WEIR_TYPE_UTF8, &text);
    return rc ? rc : list_result(&text, schema, bound, error);
}

static int32_t append_parts(const struct weir_data *data, struct weir_builder *list,
                            struct weir_bytes s, struct weir_bytes on)
{
    struct weir_builder *item = data->builder_child(list, 0);
    const uint8_t *p = s.data, *end = s.data + s.length;
    int32_t rc = WEIR_OK;
    if (on.length == 0) { /* code points */
        for (; p < end && !rc; p += point_bytes(*p))
            rc = data->append_bytes(item, p, point_bytes(*p));
        return rc ? rc : data->append_valid(list);
    }
    while (!rc) {
        const uint8_t *at = memmem(p, (size_t)(end - p), on.data, on.length);
        rc = data->append_bytes(item, p, (uint64_t)((at ? at : end) - p));
        if (!at) break;
        p = at + on.length;
    }
    return rc ? rc : data->append_valid(list);
}

EVAL(split)
{
    const struct typed_bound *b = bound;
    struct column_out c;
    (void)host;
    column_begin(&c, b->base.data, &b->type, error);
    EACH_ROW
    {
        column_row(&c, row);
        if (!c.failed)
            c.failed = append_parts(b->base.data, c.column, arg_text(call, 0, row),
                                    arg_text(call, 1, row));
    }
    return column_end(&c, call->rows, out, error);
}
SCALAR_TABLE(split, free_typed)

/* ---- array ---- */

struct array_bound {
    struct typed_bound base;
    uint32_t type; /* of the items */
    uint32_t args[]; /* types of all arguments */
};

static int is_number(uint32_t type) { return type >= WEIR_TYPE_INT32 && type <= WEIR_TYPE_FLOAT64; }

/* The wider of two types, NULL where they don't meet; a NULL type meets all. */
static const struct ArrowSchema *wider(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    const uint32_t x = a ? argument_type(a) : WEIR_TYPE_NONE, y = argument_type(b);
    if (!a || same_type(a, b)) return b;
    if (is_number(x) && is_number(y)) return x > y ? a : b;
    return NULL;
}

BIND(array)
{
    const struct ArrowSchema *item = NULL;
    struct array_bound *b;
    int32_t rc = bind_as(host, "array", "|y*", 0, sizeof *b + n_args * sizeof *b->args, args,
                         n_args, schema, bound, error);
    if (rc) return rc;
    b = *bound;
    for (uint32_t i = 0; i < n_args; i++) {
        b->args[i] = argument_type(args[i].schema);
        if (b->args[i] == WEIR_TYPE_NONE) continue;
        item = wider(item, args[i].schema);
        if (!item) return refuse(bound, error, "the items of array must be of one type");
    }
    if (!item) return refuse(bound, error, "the type of the items is not known here: write a cast");
    b->type = argument_type(item);
    return list_result(item, schema, bound, error);
}

static int32_t append_item(const struct array_bound *b, struct weir_builder *item, uint32_t k,
                           const struct weir_call *call, uint32_t row)
{
    const struct weir_data *data = b->base.base.data;
    const struct ArrowArray *a = call->args[k];
    const uint32_t at = arg_at(call, k, row);
    int64_t integer;
    if (b->args[k] == WEIR_TYPE_NONE || weir_is_null(a, at)) return data->append_null(item);
    if (b->args[k] == b->type) return data->append_from(item, a, at);
    integer = b->args[k] == WEIR_TYPE_INT32 ? weir_get_int32(a, at) : weir_get_int64(a, at);
    return b->type == WEIR_TYPE_FLOAT64 ? data->append_float(item, (double)integer)
                                        : data->append_int(item, integer);
}

EVAL(array)
{
    const struct array_bound *b = bound;
    const struct weir_data *data = b->base.base.data;
    struct column_out c;
    (void)host;
    column_begin(&c, data, &b->base.type, error);
    EACH_ROW
    {
        column_row(&c, row);
        for (uint32_t k = 0; k < call->n_args && !c.failed; k++)
            c.failed = append_item(b, data->builder_child(c.column, 0), k, call, row);
        if (!c.failed) c.failed = data->append_valid(c.column);
    }
    return column_end(&c, call->rows, out, error);
}
SCALAR_TABLE(array, free_typed)

/* ---- size and element_at ---- */

EVAL(size)
{
    void *values;
    int32_t rc = make_column(bound, WEIR_TYPE_INT64, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW
    {
        uint32_t from, end = list_items(call->args[0], arg_at(call, 0, row), &from);
        ((int64_t *)values)[row] = end - from;
    }
    return WEIR_OK;
}
SCALAR(size, "l", WEIR_TYPE_INT64)

BIND(element_at)
{
    struct typed_bound *b;
    int32_t rc = bind_as(host, "element_at", "li", 0, sizeof *b, args, n_args, schema, bound,
                         error);
    if (rc) return rc;
    b = *bound;
    if (b->base.types[0] == WEIR_TYPE_NONE)
        return refuse(bound, error, "element_at takes a list: write cast(null as list<…>)");
    if (is_literal(&args[1]) && weir_get_int64(args[1].value, 0) == 0)
        return refuse(bound, error, "items count from 1, or from -1 at the end");
    rc = b->base.data->schema_copy(args[0].schema->children[0], "", &b->type, error);
    if (!rc) rc = b->base.data->schema_copy(&b->type, "", schema, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}

EVAL(element_at)
{
    const struct typed_bound *b = bound;
    const struct ArrowArray *list = call->args[0];
    uint32_t *rows = host->alloc((uint64_t)call->rows * sizeof *rows + 1);
    int32_t rc;
    if (!rows) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(rows, 0xff, (uint64_t)call->rows * sizeof *rows);
    EACH_ROW
    {
        uint32_t from, end = list_items(list, arg_at(call, 0, row), &from);
        const int64_t n = arg_int(call, &b->base, 1, row), size = end - from;
        if (n == 0 || n > size || n < -size) row_fail(call, row, "the list has no such item");
        else rows[row] = (uint32_t)(n > 0 ? from + n - 1 : end + n);
    }
    rc = b->base.data->take(&b->type, list->children[0], rows, call->rows, out, error);
    host->free(rows);
    return rc;
}
SCALAR_TABLE(element_at, free_typed)

/* ---- array_contains ---- */

struct contains_bound {
    struct typed_bound base; /* of the items */
    uint32_t item, value;    /* types, where they are numbers of unequal width */
};

BIND(array_contains)
{
    struct contains_bound *b;
    int32_t rc = bind_as(host, "array_contains", "ly", WEIR_TYPE_BOOL, sizeof *b, args, n_args,
                         schema, bound, error);
    if (rc) return rc;
    b = *bound;
    if (b->base.base.types[0] == WEIR_TYPE_NONE || b->base.base.types[1] == WEIR_TYPE_NONE)
        return WEIR_OK; /* null whatever the rest */
    if (!wider(args[0].schema->children[0], args[1].schema))
        return refuse(bound, error, "array_contains looks for a value of the type of the items");
    b->item = argument_type(args[0].schema->children[0]);
    b->value = b->base.base.types[1];
    rc = b->base.base.data->schema_copy(args[1].schema, "", &b->base.type, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}

static double number_at(const struct ArrowArray *a, uint32_t type, uint32_t at)
{
    if (type == WEIR_TYPE_FLOAT64) return weir_get_float64(a, at);
    return (double)(type == WEIR_TYPE_INT32 ? weir_get_int32(a, at) : weir_get_int64(a, at));
}

static int equals(const struct contains_bound *b, const struct ArrowArray *items, uint32_t i,
                  const struct ArrowArray *value, uint32_t at)
{
    if (b->item == b->value) return order_values(&b->base.type, items, i, value, at) == 0;
    if (b->item == WEIR_TYPE_FLOAT64 || b->value == WEIR_TYPE_FLOAT64)
        return order_double(number_at(items, b->item, i), number_at(value, b->value, at)) == 0;
    return (b->item == WEIR_TYPE_INT32 ? weir_get_int32(items, i) : weir_get_int64(items, i)) ==
           (b->value == WEIR_TYPE_INT32 ? weir_get_int32(value, at) : weir_get_int64(value, at));
}

EVAL(array_contains)
{
    const struct contains_bound *b = bound;
    const struct ArrowArray *list = call->args[0];
    int32_t rc = b->base.base.data->column(WEIR_TYPE_BOOL, call->rows, 0, 1, out, error);
    uint8_t *bits, *valid;
    (void)host;
    if (rc) return rc;
    bits = (uint8_t *)(uintptr_t)out->buffers[1];
    valid = (uint8_t *)(uintptr_t)out->buffers[0];
    if (!b->base.type.release) return WEIR_OK;
    EACH_ROW
    {
        uint32_t i, end = list_items(list, arg_at(call, 0, row), &i);
        int nulls = 0;
        for (; i < end; i++) {
            if (weir_is_null(list->children[0], i)) nulls = 1;
            else if (equals(b, list->children[0], i, call->args[1], arg_at(call, 1, row))) break;
        }
        if (i < end) {
            bits[row >> 3] |= (uint8_t)(1u << (row & 7));
        } else if (nulls) {
            valid[row >> 3] &= (uint8_t)~(1u << (row & 7));
            out->null_count++;
        }
    }
    if (out->null_count == 0) out->buffers[0] = NULL;
    return WEIR_OK;
}
SCALAR_TABLE(array_contains, free_typed)

/* ---- array_sort ---- */

BIND(array_sort)
{
    int32_t rc = bind_as(host, "array_sort", "l", 0, sizeof(struct typed_bound), args, n_args,
                         schema, bound, error);
    if (rc) return rc;
    if (((struct bound *)*bound)->types[0] == WEIR_TYPE_NONE)
        return refuse(bound, error, "array_sort takes a list: write cast(null as list<…>)");
    return list_result(args[0].schema->children[0], schema, bound, error);
}

struct sorting {
    const struct ArrowSchema *type;
    const struct ArrowArray *items;
};

static int compare_items(const void *x, const void *y, void *arg)
{
    const struct sorting *s = arg;
    const uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
    const int a = weir_is_null(s->items, i), b = weir_is_null(s->items, j);
    int order = a || b ? a - b : order_values(s->type, s->items, i, s->items, j);
    return order ? order : (i > j) - (i < j);
}

EVAL(array_sort)
{
    const struct typed_bound *b = bound;
    const struct ArrowArray *list = call->args[0];
    struct sorting sorting = { b->type.children[0], list->children[0] };
    uint32_t *order = host->alloc((uint64_t)list->children[0]->length * sizeof *order + 1);
    struct column_out c;
    if (!order) return weir_fail(error, WEIR_FATAL, "out of memory");
    column_begin(&c, b->base.data, &b->type, error);
    EACH_ROW
    {
        uint32_t from, end = list_items(list, arg_at(call, 0, row), &from), n = end - from;
        for (uint32_t i = 0; i < n; i++) order[i] = from + i;
        qsort_r(order, n, sizeof *order, compare_items, &sorting);
        column_row(&c, row);
        for (uint32_t i = 0; i < n && !c.failed; i++)
            c.failed = c.data->append_from(c.data->builder_child(c.column, 0), list->children[0],
                                           order[i]);
        if (!c.failed) c.failed = c.data->append_valid(c.column);
    }
    host->free(order);
    return column_end(&c, call->rows, out, error);
}
SCALAR_TABLE(array_sort, free_typed)
