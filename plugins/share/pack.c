/*
 * pack.c - rows as bytes.
 *
 *     u32 rows, then column by column, where a column of n rows is
 *     u8 1: nulls follow, ceil(n / 8) bytes of validity bits
 *     bool                 ceil(n / 8) bytes of bits
 *     numbers              n values
 *     text, binary         n ends (i32), the bytes
 *     list                 n ends (i32), a column of as many items as the last end says
 *     struct               a column of n rows per field
 *
 * Numbers lie unaligned and in the order of the machine, as state does everywhere.
 */
#include "plugins/share/pack.h"

#include <stdio.h>
#include <string.h>

#include "plugins/share/option.h"

struct reader {
    const uint8_t *at, *end;
};

/* ---- packing ---- */

static int32_t put(const struct weir_host *host, struct weir_buffer *out, const void *bytes,
                   uint64_t n)
{
    if (host->buffer_grow(out, n) != WEIR_OK) return WEIR_FATAL;
    if (n) memcpy(out->data + out->length, bytes, n);
    out->length += n;
    return WEIR_OK;
}

static int32_t pack_column(const struct weir_host *host, const struct ArrowSchema *type,
                           const struct ArrowArray *array, uint32_t n, struct weir_buffer *out)
{
    const uint8_t nulls = array->buffers[0] != NULL;
    const int32_t *offsets = array->n_buffers > 1 ? array->buffers[1] : NULL;
    int32_t result = put(host, out, &nulls, 1);
    if (result == WEIR_OK && nulls)
        result = put(host, out, array->buffers[0], ((uint64_t)n + 7) / 8);
    if (result != WEIR_OK) return result;
    switch (weir_type_of(type)) {
    case WEIR_TYPE_BOOL: return put(host, out, array->buffers[1], ((uint64_t)n + 7) / 8);
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        result = put(host, out, offsets + 1, (uint64_t)n * 4);
        return result == WEIR_OK ? put(host, out, array->buffers[2], (uint64_t)offsets[n]) : result;
    case WEIR_TYPE_LIST:
        result = put(host, out, offsets + 1, (uint64_t)n * 4);
        return result == WEIR_OK ? pack_column(host, type->children[0], array->children[0],
                                               (uint32_t)offsets[n], out)
                                 : result;
    case WEIR_TYPE_STRUCT:
        for (int64_t c = 0; c < type->n_children && result == WEIR_OK; c++)
            result = pack_column(host, type->children[c], array->children[c], n, out);
        return result;
    default:
        return put(host, out, array->buffers[1],
                   (uint64_t)n * weir_type_width(weir_type_of(type)));
    }
}

int32_t pack_rows(const struct weir_host *host, const struct weir_data *data,
                  const struct ArrowSchema *schema, const struct ArrowArray *array,
                  const uint32_t *rows, uint32_t n, struct weir_buffer *out,
                  struct weir_error *error)
{
    int32_t result = put(host, out, &n, sizeof n);
    for (int64_t c = 0; c < schema->n_children && result == WEIR_OK; c++) {
        const struct ArrowSchema *type = schema->children[c];
        struct ArrowArray taken;
        if (!rows) {
            result = pack_column(host, type, array->children[c], n, out);
            continue;
        }
        result = data->take(type, array->children[c], rows, n, &taken, error);
        if (result != WEIR_OK) return result;
        result = pack_column(host, type, &taken, n, out);
        taken.release(&taken);
    }
    return result == WEIR_OK ? result : no_memory(error);
}

/* ---- unpacking ---- */

static const uint8_t *get(struct reader *in, uint64_t n)
{
    const uint8_t *at = in->at;
    if ((uint64_t)(in->end - in->at) < n) return NULL;
    in->at += n;
    return at;
}

static int32_t end_at(const uint8_t *ends, uint32_t i)
{
    int32_t end;
    memcpy(&end, ends + (uint64_t)i * 4, 4);
    return end;
}

/* n ends behind those that there are; the last one into *last. 0 where they fall. */
static int unpack_ends(struct column *column, const uint8_t *ends, uint32_t n, uint32_t *last)
{
    int32_t *to = (int32_t *)(void *)column->values + column->rows, before = 0;
    for (uint32_t i = 0; i < n; i++) {
        int32_t end = end_at(ends, i);
        if (end < before) return 0;
        to[i + 1] = to[0] + end;
        before = end;
    }
    *last = (uint32_t)before;
    return 1;
}

static int unpack_bits(struct column *column, const uint8_t *bits, uint32_t n)
{
    if (!bits) return 0;
    for (uint32_t i = 0; i < n; i++)
        if ((bits[i >> 3] >> (i & 7)) & 1)
            column->values[(column->rows + i) >> 3] |= (uint8_t)(1u << ((column->rows + i) & 7));
    return 1;
}

static int unpack_nulls(struct reader *in, struct column *column, uint32_t n)
{
    const uint8_t *nulls = get(in, 1), *bits;
    if (!nulls || !*nulls) return nulls != NULL;
    bits = get(in, ((uint64_t)n + 7) / 8);
    if (!bits) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (!((bits[i >> 3] >> (i & 7)) & 1) && !column_mark_null(column, column->rows + i))
            return 0;
    return 1;
}

static int unpack_column(struct reader *in, struct column *column, uint32_t n)
{
    const uint8_t *bytes = NULL;
    uint32_t last = 0;
    if (!column_reserve(column, n, 0) || !unpack_nulls(in, column, n)) return 0;
    switch (column->type) {
    case WEIR_TYPE_BOOL:
        if (!unpack_bits(column, get(in, ((uint64_t)n + 7) / 8), n)) return 0;
        break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        bytes = get(in, (uint64_t)n * 4);
        if (!bytes || !unpack_ends(column, bytes, n, &last)) return 0;
        bytes = get(in, last);
        if (!bytes || !column_reserve(column, n, last)) return 0;
        if (last) memcpy(column->bytes + column->length, bytes, last);
        column->length += last;
        break;
    case WEIR_TYPE_LIST:
        bytes = get(in, (uint64_t)n * 4);
        if (!bytes || !unpack_ends(column, bytes, n, &last)) return 0;
        if (!unpack_column(in, column->children, last)) return 0;
        break;
    case WEIR_TYPE_STRUCT:
        for (uint32_t c = 0; c < column->n_children; c++)
            if (!unpack_column(in, &column->children[c], n)) return 0;
        break;
    default:
        bytes = get(in, (uint64_t)n * column->width);
        if (!bytes) return 0;
        memcpy(column->values + (uint64_t)column->rows * column->width, bytes,
               (uint64_t)n * column->width);
    }
    column->rows += n;
    return 1;
}

uint32_t packed_rows(struct weir_bytes packed)
{
    uint32_t n = 0;
    if (packed.length >= sizeof n) memcpy(&n, packed.data, sizeof n);
    return n;
}

int32_t unpack_rows(struct weir_bytes packed, struct column *columns, uint32_t n_columns,
                    struct weir_error *error)
{
    struct reader in = { packed.data, packed.data + packed.length };
    uint32_t n = packed_rows(packed);
    int good = get(&in, sizeof n) != NULL && n <= WEIR_CHUNK_MAX_ROWS;
    for (uint32_t c = 0; c < n_columns && good; c++) good = unpack_column(&in, &columns[c], n);
    if (good) return WEIR_OK;
    return weir_fail(error, WEIR_FATAL, "rows in state can't be read: out of memory or damaged");
}

/* ---- signatures ---- */

struct signature {
    char *out;
    size_t size, n;
    uint64_t hash; /* FNV-1a of all that was put */
};

static void put_text(struct signature *s, const char *text)
{
    for (; *text; text++) {
        s->hash = (s->hash ^ (uint8_t)*text) * 0x100000001b3u;
        if (s->n + 1 < s->size) s->out[s->n] = *text;
        s->n++;
    }
}

static void put_type(struct signature *s, const struct ArrowSchema *schema)
{
    put_text(s, schema->format);
    for (int64_t c = 0; c < schema->n_children; c++) {
        put_text(s, c ? "," : "(");
        put_type(s, schema->children[c]);
    }
    if (schema->n_children) put_text(s, ")");
}

void pack_signature(const struct ArrowSchema *schema, char *out, size_t size)
{
    struct signature s = { out, size, strlen(out), 0xcbf29ce484222325u };
    put_type(&s, schema);
    out[s.n < size ? s.n : size - 1] = 0;
    if (s.n >= size) snprintf(out + size - 18, 18, "#%016llx", (unsigned long long)s.hash);
}
