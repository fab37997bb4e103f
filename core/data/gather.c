/*
 * gather.c - rows out of arrays: one kernel serves take, compaction and concat.
 *
 * A column of the result is made of *parts*: an array, and which of its rows (NULL: the first n, in
 * order). Take is one part, concat several. Each type is gathered in two steps, sizes and
 * bytes, so that each buffer is allocated once with its exact size:
 *
 *  1. Validity is made only where a part has one (or a row is missing, UINT32_MAX), and dropped
 *     again where nothing turned out null.
 *  2. Short text is copied by 16 or 32 bytes at once whatever its length: the next value overwrites
 *     the surplus, and behind the last one there is room. Only where the *source* ends within that
 *     range, in a plugin's own memory perhaps, is the length taken exactly.
 *  3. The items of lists are gathered as parts of their own, by row lists made from the offsets.
 */
#include "core/data/node.h"

#define MISSING UINT32_MAX
#define SURPLUS 32u /* bytes that a copy of short text may write too many */

struct part {
    const struct ArrowArray *array;
    const uint32_t *rows; /* NULL: rows 0 … n - 1 */
    uint32_t n;
    uint32_t missing; /* 1: rows may hold MISSING */
};

/* The parts of one column and what they sum up to. */
struct gather {
    const struct part *parts;
    uint32_t n_parts;
    uint32_t rows;
    int nullable;
    struct weir_error *error;
};

static const void *buffer_of(const struct part *part, uint32_t i)
{
    return part->array->buffers[i];
}

/* Appends n bits at `to`; `bits` NULL: all set. The target is zeroed. */
static void bits_append(uint8_t *out, uint64_t to, const uint8_t *bits, const struct part *part)
{
    const uint32_t *rows = part->rows;
    uint32_t n = part->n, i = 0;
    if (!bits && !part->missing) {
        bits_fill(out, to, n);
        return;
    }
    if (!rows && (to & 7) == 0) {
        memcpy(out + to / 8, bits, bits_bytes(n));
        if (n & 7) out[to / 8 + n / 8] &= (uint8_t)((1u << (n & 7)) - 1);
        return;
    }
    if (bits && rows && !part->missing && (to & 7) == 0) {
        for (; i + 8 <= n; i += 8) {
            uint32_t byte = 0, j;
            for (j = 0; j < 8; j++)
                byte |= (uint32_t)(bits[rows[i + j] >> 3] >> (rows[i + j] & 7) & 1) << j;
            out[(to + i) >> 3] = (uint8_t)byte;
        }
    }
    for (; i < n; i++) {
        const uint32_t row = rows ? rows[i] : i;
        const uint32_t bit = row == MISSING ? 0u : bits ? bits[row >> 3] >> (row & 7) & 1u : 1u;
        out[(to + i) >> 3] |= (uint8_t)(bit << ((to + i) & 7));
    }
}

static int needs_validity(const struct gather *g)
{
    uint32_t i;
    if (!g->nullable) return 0;
    for (i = 0; i < g->n_parts; i++)
        if (g->parts[i].missing || buffer_of(&g->parts[i], 0)) return 1;
    return 0;
}

static uint64_t validity_size(const struct gather *g)
{
    return needs_validity(g) ? round_up(bits_bytes(g->rows), 64) : 0;
}

/* Fills the validity of `size` bytes (0: none) at `memory` and hangs it into out. */
static void fill_validity(const struct gather *g, uint8_t *memory, uint64_t size,
                          struct ArrowArray *out)
{
    uint64_t to = 0;
    uint32_t i;
    if (!size) return;
    memset(memory, 0, size);
    for (i = 0; i < g->n_parts; i++) {
        bits_append(memory, to, buffer_of(&g->parts[i], 0), &g->parts[i]);
        to += g->parts[i].n;
    }
    out->null_count = (int64_t)(g->rows - bits_count(memory, g->rows));
    if (out->null_count) out->buffers[0] = memory;
}

static void take8(uint64_t *to, const uint64_t *from, const struct part *part)
{
    const uint32_t *rows = part->rows;
    uint32_t i;
    if (!rows) memcpy(to, from, part->n * sizeof *to);
    else if (!part->missing)
        for (i = 0; i < part->n; i++) to[i] = from[rows[i]];
    else
        for (i = 0; i < part->n; i++) to[i] = rows[i] == MISSING ? 0 : from[rows[i]];
}

static void take4(uint32_t *to, const uint32_t *from, const struct part *part)
{
    const uint32_t *rows = part->rows;
    uint32_t i;
    if (!rows) memcpy(to, from, part->n * sizeof *to);
    else if (!part->missing)
        for (i = 0; i < part->n; i++) to[i] = from[rows[i]];
    else
        for (i = 0; i < part->n; i++) to[i] = rows[i] == MISSING ? 0 : from[rows[i]];
}

static int32_t gather_fixed(const struct gather *g, uint32_t type, struct ArrowArray *out)
{
    const uint32_t width = weir_type_width(type); /* 0: bool */
    const uint64_t valid = validity_size(g);
    const uint64_t values =
        width ? (uint64_t)g->rows * width : round_up(bits_bytes(g->rows), 64);
    uint64_t at = 0;
    uint8_t *memory;
    uint32_t i;
    int32_t rc = array_begin(out, type, g->rows, 0, valid + values, &memory, g->error);
    if (rc) return rc;
    fill_validity(g, memory, valid, out);
    memory += valid;
    out->buffers[1] = memory;
    if (!width) memset(memory, 0, values);
    for (i = 0; i < g->n_parts; i++) {
        const struct part *part = &g->parts[i];
        const void *from = buffer_of(part, 1);
        if (width == 8) take8((uint64_t *)(void *)memory + at, from, part);
        else if (width == 4) take4((uint32_t *)(void *)memory + at, from, part);
        else bits_append(memory, at, from, part);
        at += part->n;
    }
    return WEIR_OK;
}

/* Offsets of the result, by the lengths of the values; the sum, which may be over INT32_MAX. */
static uint64_t fill_offsets(const struct gather *g, int32_t *out)
{
    uint64_t sum = 0;
    uint32_t p, i;
    *out++ = 0;
    for (p = 0; p < g->n_parts; p++) {
        const struct part *part = &g->parts[p];
        const int32_t *from = buffer_of(part, 1);
        const uint32_t *rows = part->rows;
        for (i = 0; i < part->n; i++) {
            const uint32_t row = rows ? rows[i] : i;
            if (!part->missing || row != MISSING) sum += (uint32_t)(from[row + 1] - from[row]);
            *out++ = (int32_t)sum;
        }
    }
    return sum;
}

static int32_t too_long(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "a column of more than 2 GiB");
}

static void take_bytes(uint8_t *to, const int32_t *to_offsets, const struct part *part)
{
    const int32_t *offsets = buffer_of(part, 1);
    const uint8_t *from = buffer_of(part, 2);
    const int32_t *safe = offsets + part->array->length;
    const int64_t end = *safe;
    uint32_t i;
    for (i = 0; i < part->n; i++) {
        const int32_t length = to_offsets[i + 1] - to_offsets[i];
        const uint8_t *source;
        uint8_t *target = to + to_offsets[i];
        int64_t at;
        if (length == 0) continue; /* the row may be MISSING */
        at = offsets[part->rows[i]];
        source = from + at;
        if (length <= 16 && at + 16 <= end) memcpy(target, source, 16);
        else if (length <= 32 && at + 32 <= end) memcpy(target, source, 32);
        else memcpy(target, source, (size_t)length);
    }
}

static int32_t gather_bytes(const struct gather *g, uint32_t type, struct ArrowArray *out)
{
    const uint64_t valid = validity_size(g);
    uint8_t *memory, *data;
    const int32_t *offsets;
    uint64_t sum;
    uint32_t i;
    int32_t rc =
        array_begin(out, type, g->rows, 0, valid + ((uint64_t)g->rows + 1) * 4, &memory, g->error);
    if (rc) return rc;
    fill_validity(g, memory, valid, out);
    out->buffers[1] = memory + valid;
    offsets = out->buffers[1];
    sum = fill_offsets(g, (int32_t *)(void *)(memory + valid));
    if (sum > INT32_MAX) {
        array_release(out);
        return too_long(g->error);
    }
    data = mem_alloc(sum + SURPLUS);
    if (!data) {
        array_release(out);
        return array_no_memory(g->error);
    }
    array_node_of(out)->memory[0] = data;
    out->buffers[2] = data;
    for (i = 0; i < g->n_parts; i++) {
        const struct part *part = &g->parts[i];
        if (part->rows) take_bytes(data, offsets, part);
        else memcpy(data + *offsets, buffer_of(part, 2), (size_t)(offsets[part->n] - *offsets));
        offsets += part->n;
    }
    return WEIR_OK;
}

static int32_t gather_any(const struct ArrowSchema *schema, const struct gather *g,
                          struct ArrowArray *out);

/* Row lists of the items of the parts of a list, all in one block (*memory). */
static int32_t item_parts(const struct gather *g, const int32_t *offsets, uint64_t sum,
                          struct part *items, uint32_t **memory, struct weir_error *error)
{
    uint32_t *rows = mem_alloc(sum * sizeof *rows);
    uint32_t p, i, j;
    if (!rows) return array_no_memory(error);
    *memory = rows;
    for (p = 0; p < g->n_parts; p++) {
        const struct part *part = &g->parts[p];
        const int32_t *from = buffer_of(part, 1);
        items[p].array = part->array->children[0];
        items[p].rows = part->rows ? rows : NULL;
        items[p].n = (uint32_t)(offsets[part->n] - offsets[0]);
        items[p].missing = 0;
        for (i = 0; part->rows && i < part->n; i++) {
            const uint32_t length = (uint32_t)(offsets[i + 1] - offsets[i]);
            for (j = 0; j < length; j++) *rows++ = (uint32_t)from[part->rows[i]] + j;
        }
        offsets += part->n;
    }
    return WEIR_OK;
}

static int32_t gather_list(const struct ArrowSchema *schema, const struct gather *g,
                           struct ArrowArray *out)
{
    const uint64_t valid = validity_size(g);
    const struct ArrowSchema *item = schema->children[0];
    struct gather child = { NULL, g->n_parts, 0, (item->flags & ARROW_FLAG_NULLABLE) != 0,
                            g->error };
    struct part *parts;
    uint32_t *rows = NULL;
    uint8_t *memory;
    uint64_t sum;
    int32_t rc = array_begin(out, WEIR_TYPE_LIST, g->rows, 1, valid + ((uint64_t)g->rows + 1) * 4,
                             &memory, g->error);
    if (rc) return rc;
    fill_validity(g, memory, valid, out);
    memory += valid;
    out->buffers[1] = memory;
    sum = fill_offsets(g, (int32_t *)(void *)memory);
    child.rows = (uint32_t)sum;
    parts = mem_alloc(g->n_parts * sizeof *parts);
    child.parts = parts;
    if (sum > NODE_ROWS_MAX) rc = too_long(g->error);
    else if (!parts) rc = array_no_memory(g->error);
    if (!rc) rc = item_parts(g, out->buffers[1], sum, parts, &rows, g->error);
    if (!rc) rc = gather_any(item, &child, out->children[0]);
    mem_free(rows);
    mem_free(parts);
    if (rc) array_release(out);
    return rc;
}

static int32_t gather_struct(const struct ArrowSchema *schema, const struct gather *g,
                             struct ArrowArray *out)
{
    const uint64_t valid = validity_size(g);
    struct gather child = *g;
    struct part *parts;
    uint8_t *memory;
    uint32_t p;
    int64_t i;
    int32_t rc = array_begin(out, WEIR_TYPE_STRUCT, g->rows, (uint32_t)schema->n_children, valid,
                             &memory, g->error);
    if (rc) return rc;
    fill_validity(g, memory, valid, out);
    parts = mem_alloc(g->n_parts * sizeof *parts);
    child.parts = parts;
    if (!parts) rc = array_no_memory(g->error);
    for (i = 0; i < schema->n_children && !rc; i++) {
        for (p = 0; p < g->n_parts; p++) {
            parts[p] = g->parts[p];
            parts[p].array = g->parts[p].array->children[i];
        }
        child.nullable = (schema->children[i]->flags & ARROW_FLAG_NULLABLE) != 0;
        rc = gather_any(schema->children[i], &child, out->children[i]);
    }
    mem_free(parts);
    if (rc) array_release(out);
    return rc;
}

/* Below a missing row, what can't be null is zero or empty. */
static int32_t gather_any(const struct ArrowSchema *schema, const struct gather *g,
                          struct ArrowArray *out)
{
    const uint32_t type = weir_type_of(schema);
    memset(out, 0, sizeof *out);
    switch (type) {
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return gather_bytes(g, type, out);
    case WEIR_TYPE_LIST: return gather_list(schema, g, out);
    case WEIR_TYPE_STRUCT: return gather_struct(schema, g, out);
    case WEIR_TYPE_NONE: return weir_fail(g->error, WEIR_FATAL, "type '%.40s'", schema->format);
    default: return gather_fixed(g, type, out);
    }
}

/* Checks the rows of a part against its array and finds out whether some are missing. */
static int32_t part_check(struct part *part, struct weir_error *error)
{
    uint32_t most = 0, i;
    if (!part->rows) {
        if (part->n > part->array->length)
            return weir_fail(error, WEIR_DATA, "%u rows of an array of %lld", part->n,
                             (long long)part->array->length);
        return WEIR_OK;
    }
    for (i = 0; i < part->n; i++) {
        const uint32_t next = part->rows[i] + 1; /* MISSING wraps to 0 */
        most = next > most ? next : most;
        part->missing |= next == 0;
    }
    if (most > part->array->length)
        return weir_fail(error, WEIR_DATA, "row %u of an array of %lld", most - 1,
                         (long long)part->array->length);
    return WEIR_OK;
}

int32_t column_take(const struct ArrowSchema *schema, const struct ArrowArray *column,
                    const uint32_t *rows, uint32_t n, struct ArrowArray *out,
                    struct weir_error *error)
{
    static const uint32_t none[1];
    struct part part = { column, rows ? rows : none, n, 0 };
    struct gather g = { &part, 1, n, 1, error };
    int32_t rc;
    memset(out, 0, sizeof *out);
    if (n > NODE_ROWS_MAX) return array_no_memory(error);
    rc = part_check(&part, error);
    return rc ? rc : gather_any(schema, &g, out);
}

int32_t array_take(const struct ArrowSchema *schema, const struct ArrowArray *array,
                   const uint32_t *rows, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error)
{
    return array_concat(schema, &array, &rows, &n, 1, out, error);
}

int32_t array_concat(const struct ArrowSchema *schema, const struct ArrowArray *const *arrays,
                     const uint32_t *const *selections, const uint32_t *counts, uint32_t n,
                     struct ArrowArray *out, struct weir_error *error)
{
    struct part one, *parts = n <= 1 ? &one : mem_alloc(n * sizeof *parts);
    struct gather g = { parts, n, 0, 0, error };
    uint64_t rows = 0;
    uint32_t i;
    int32_t rc = WEIR_OK;
    memset(out, 0, sizeof *out);
    if (!parts) return array_no_memory(error);
    for (i = 0; i < n && !rc; i++) {
        parts[i].array = arrays[i];
        parts[i].rows = selections ? selections[i] : NULL;
        parts[i].n = counts[i];
        parts[i].missing = 0;
        rows += counts[i];
        rc = part_check(&parts[i], error);
    }
    if (!rc && rows > NODE_ROWS_MAX) rc = weir_fail(error, WEIR_FATAL, "%llu rows in one array",
                                                    (unsigned long long)rows);
    g.rows = (uint32_t)rows;
    if (!rc) rc = gather_any(schema, &g, out);
    if (parts != &one) mem_free(parts);
    return rc;
}
