/*
 * blob.c - see the header.
 */
#include "blob.h"

#include <stdlib.h>

static int compare_places(const void *x, const void *y)
{
    const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static int one_slot(const uint32_t *slots, uint32_t n)
{
    uint32_t i = 1;
    while (i < n && slots[i] == slots[0]) i++;
    return i >= n;
}

int32_t each_slot(const struct weir_host *host, const uint32_t *slots, const struct weir_call *call,
                  slot_fn fn, void *arg, struct weir_error *error)
{
    const uint32_t n = call->selected;
    uint32_t *rows = host->alloc((uint64_t)n * 12 + 16);
    uint64_t *places = (uint64_t *)(void *)(rows + (n + 1) / 2 * 2); /* slot, then number */
    int32_t rc = WEIR_OK;
    if (!rows) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (one_slot(slots, n)) {
        for (uint32_t i = 0; i < n; i++) rows[i] = call_row(call, i);
        if (n) rc = fn(arg, slots[0], rows, n);
    } else {
        for (uint32_t i = 0; i < n; i++) places[i] = (uint64_t)slots[i] << 32 | i;
        qsort(places, n, sizeof *places, compare_places);
        for (uint32_t i = 0; i < n; i++) rows[i] = call_row(call, (uint32_t)places[i]);
        for (uint32_t from = 0, to = 0; from < n && !rc; from = to) {
            const uint32_t slot = (uint32_t)(places[from] >> 32);
            while (to < n && places[to] >> 32 == slot) to++;
            rc = fn(arg, slot, rows + from, to - from);
        }
    }
    host->free(rows);
    return rc ? weir_fail(error, rc, "out of memory") : WEIR_OK;
}

int32_t blob_add(const struct weir_host *host, struct weir_buffer *to, const void *bytes, uint64_t n)
{
    if (to->capacity - to->length < n) {
        int32_t rc = host->buffer_grow(to, n + to->length + 64);
        if (rc) return WEIR_FATAL;
    }
    if (n) memcpy(to->data + to->length, bytes, n);
    to->length += n;
    return WEIR_OK;
}

/* ---- values ---- */

static int32_t encode_child(const struct weir_host *host, struct weir_buffer *to,
                            const struct ArrowSchema *type, const struct ArrowArray *a,
                            uint32_t row, int flags)
{
    const uint8_t null = weir_is_null(a, row) != 0;
    int32_t rc = blob_add(host, to, &null, 1);
    return rc || null ? rc : value_encode(host, to, type, a, row, flags);
}

static int32_t encode_list(const struct weir_host *host, struct weir_buffer *to,
                           const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t row,
                           int flags)
{
    uint32_t from, end = list_items(a, row, &from), n = end - from;
    int32_t rc = blob_add(host, to, &n, 4);
    for (; from < end && !rc; from++)
        rc = encode_child(host, to, type->children[0], a->children[0], from, flags);
    return rc;
}

static double canonical(double x)
{
    if (x != x) return __builtin_nan("");
    return x == 0 ? 0 : x;
}

int32_t value_encode(const struct weir_host *host, struct weir_buffer *to,
                     const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t row,
                     int flags)
{
    const uint32_t id = argument_type(type);
    struct weir_bytes text;
    uint32_t length;
    uint8_t bit;
    double number;
    int32_t rc = WEIR_OK;
    switch (id) {
    case WEIR_TYPE_BOOL:
        bit = (uint8_t)weir_get_bool(a, row);
        return blob_add(host, to, &bit, 1);
    case WEIR_TYPE_FLOAT64:
        number = weir_get_float64(a, row);
        if (flags & ENCODE_CANONICAL) number = canonical(number);
        return blob_add(host, to, &number, 8);
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        text = weir_get_bytes(a, row);
        length = (uint32_t)text.length;
        rc = blob_add(host, to, &length, 4);
        return rc ? rc : blob_add(host, to, text.data, text.length);
    case WEIR_TYPE_LIST: return encode_list(host, to, type, a, row, flags);
    case WEIR_TYPE_STRUCT:
        for (int64_t k = 0; k < type->n_children && !rc; k++)
            rc = encode_child(host, to, type->children[k], a->children[k], row, flags);
        return rc;
    default:
        if (weir_type_width(id) == 4)
            return blob_add(host, to, (const int32_t *)a->buffers[1] + row, 4);
        return blob_add(host, to, (const int64_t *)a->buffers[1] + row, 8);
    }
}

static uint32_t read_length(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, 4);
    return n;
}

static const uint8_t *child_end(const struct ArrowSchema *type, const uint8_t *p)
{
    return *p ? p + 1 : value_end(type, p + 1);
}

const uint8_t *value_end(const struct ArrowSchema *type, const uint8_t *p)
{
    const uint32_t id = argument_type(type);
    uint32_t n;
    switch (id) {
    case WEIR_TYPE_BOOL: return p + 1;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return p + 4 + read_length(p);
    case WEIR_TYPE_LIST:
        n = read_length(p);
        for (p += 4; n > 0; n--) p = child_end(type->children[0], p);
        return p;
    case WEIR_TYPE_STRUCT:
        for (int64_t k = 0; k < type->n_children; k++) p = child_end(type->children[k], p);
        return p;
    default: return p + weir_type_width(id);
    }
}

static int32_t decode_child(const struct weir_data *data, const struct ArrowSchema *type,
                            const uint8_t **p, struct weir_builder *to)
{
    return *(*p)++ ? data->append_null(to) : value_decode(data, type, p, to);
}

static int32_t decode_fixed(const struct weir_data *data, uint32_t id, const uint8_t *p,
                            struct weir_builder *to)
{
    int64_t integer = 0;
    int32_t narrow;
    double number;
    if (id == WEIR_TYPE_FLOAT64) {
        memcpy(&number, p, 8);
        return data->append_float(to, number);
    }
    if (weir_type_width(id) == 4) {
        memcpy(&narrow, p, 4);
        integer = narrow;
    } else {
        memcpy(&integer, p, 8);
    }
    return data->append_int(to, integer);
}

int32_t value_decode(const struct weir_data *data, const struct ArrowSchema *type,
                     const uint8_t **p, struct weir_builder *to)
{
    const uint32_t id = argument_type(type);
    const uint8_t *at = *p;
    int32_t rc = WEIR_OK;
    uint32_t n;
    switch (id) {
    case WEIR_TYPE_BOOL: rc = data->append_int(to, *at); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: rc = data->append_bytes(to, at + 4, read_length(at)); break;
    case WEIR_TYPE_LIST:
        n = read_length(at);
        for (*p += 4; n > 0 && !rc; n--)
            rc = decode_child(data, type->children[0], p, data->builder_child(to, 0));
        return rc ? rc : data->append_valid(to);
    case WEIR_TYPE_STRUCT:
        for (int64_t k = 0; k < type->n_children && !rc; k++)
            rc = decode_child(data, type->children[k], p, data->builder_child(to, (uint32_t)k));
        return rc ? rc : data->append_valid(to);
    default: rc = decode_fixed(data, id, at, to);
    }
    *p = value_end(type, at);
    return rc;
}

int32_t bind_blob(const struct weir_host *host, const char *name, const char *signature,
                  uint32_t result, uint64_t bytes, uint32_t flags,
                  const struct weir_argument *args, uint32_t n_args,
                  struct weir_aggregate_plan *plan, void **bound, struct weir_error *error)
{
    static const struct weir_table_column column = { "state", WEIR_TYPE_BINARY, 0 };
    struct typed_bound *b;
    int32_t rc = bind_as(host, name, signature, result, bytes, args, n_args, &plan->result, bound,
                         error);
    if (rc) return rc;
    b = *bound;
    plan->n_columns = 1;
    plan->columns[0] = column;
    plan->flags = flags;
    if (b->base.types[0] == WEIR_TYPE_NONE) {
        free_typed(b);
        *bound = NULL;
        return weir_fail(error, WEIR_CONFIG, "%s of null: write cast(null as …)", name);
    }
    rc = b->base.data->schema_copy(args[0].schema, "", &b->type, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}
