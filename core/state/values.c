/*
 * values.c - keys and columns of slots as arrays.
 */
#include "core/state/table.h"

/* One column of records as it is gathered. */
struct gather {
    struct table *table;
    const struct slab *slab;
    const struct shape_column *column;
    uint32_t null; /* of a key: 1 + its number, else 0 */
    const uint32_t *slots;
    uint32_t from, n;
};

static uint8_t *record_of(const struct gather *g, uint32_t i)
{
    return slab_record(g->slab, g->slots ? g->slots[i] : g->from + i);
}

static int is_null(const struct gather *g, uint32_t i)
{
    return g->null && table_key_is_null(g->table, g->slots ? g->slots[i] : g->from + i, g->null - 1);
}

static void fill_text(const struct gather *g, struct ArrowArray *out)
{
    int32_t *offsets = (int32_t *)(uintptr_t)out->buffers[1], at = 0;
    uint8_t *text = (uint8_t *)(uintptr_t)out->buffers[2];
    uint32_t i;
    for (i = 0; i < g->n; i++) {
        const struct weir_bytes b =
            cell_bytes(cell_at(record_of(g, i), g->column->at), g->table->arena.data);
        if (b.length) memcpy(text + at, b.data, b.length);
        offsets[i] = at;
        at += (int32_t)b.length;
    }
    offsets[g->n] = at;
}

static void fill_fixed(const struct gather *g, struct ArrowArray *out)
{
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[1];
    const uint32_t at = g->column->at;
    uint32_t i;
    if (g->column->width == 8)
        for (i = 0; i < g->n; i++) memcpy(to + 8ull * i, record_of(g, i) + at, 8);
    else if (g->column->width == 4)
        for (i = 0; i < g->n; i++) memcpy(to + 4ull * i, record_of(g, i) + at, 4);
    else
        for (i = 0; i < g->n; i++)
            if (record_of(g, i)[at]) to[i / 8] |= (uint8_t)(1u << (i & 7));
}

static void fill_nulls(const struct gather *g, struct ArrowArray *out)
{
    uint8_t *valid = (uint8_t *)(uintptr_t)out->buffers[0];
    uint32_t i;
    for (i = 0; i < g->n; i++) {
        if (!is_null(g, i)) continue;
        valid[i / 8] &= (uint8_t)~(1u << (i & 7));
        out->null_count++;
    }
}

static int32_t gather(const struct gather *g, struct ArrowArray *out, struct weir_error *error)
{
    uint64_t bytes = 0;
    int32_t rc, nulls = 0;
    uint32_t i;
    memset(out, 0, sizeof *out);
    for (i = 0; i < g->n; i++) {
        const uint64_t slot = g->slots ? g->slots[i] : (uint64_t)g->from + i;
        if (slot >= g->slab->count)
            return weir_fail(error, WEIR_FATAL, "slot %u of a table of %u", (uint32_t)slot,
                             g->slab->count);
        if (is_null(g, i)) nulls = 1;
        if (g->column->width == CELL_BYTES)
            bytes += cell_length(cell_at(record_of(g, i), g->column->at));
    }
    if (bytes > INT32_MAX)
        return weir_fail(error, WEIR_FATAL, "text of %u slots is too long for one array", g->n);
    rc = weir_data_1.column(g->column->type, g->n, bytes, nulls, out, error);
    if (rc) return rc;
    if (g->column->width == CELL_BYTES) fill_text(g, out);
    else fill_fixed(g, out);
    if (nulls) fill_nulls(g, out);
    return WEIR_OK;
}

int32_t table_key_array(struct table *t, uint32_t key, const uint32_t *slots, uint32_t from,
                        uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    const struct gather g = { t, &t->keys, &t->shape->keys[key], key + 1, slots, from, n };
    return gather(&g, out, error);
}

int32_t table_column_array(struct table *t, uint32_t column, const uint32_t *slots, uint32_t from,
                           uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    const struct gather g = { t,     table_records(t), &t->shape->columns[column], 0,
                              slots, from,             n };
    return gather(&g, out, error);
}
