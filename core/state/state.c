/*
 * state.c - weir.state/1: the calls of operators, handed on to the table of the group.
 *
 * A table that is still empty isn't there (NULL); reading it finds nothing, and only a key makes
 * it. Which table is meant comes from declare, so a number that was never given out aborts.
 */
#include "core/state/group.h"
#include "core/state/hash.h"

#include <stdlib.h>

static uint8_t empty_records[64]; /* a column of no records */

static struct table *table_of(const struct weir_state *state, uint32_t table)
{
    if (table >= state->n_tables) abort(); /* not a table that was declared */
    return state->tables[table];
}

static int32_t no_memory(const struct weir_state *state, uint32_t table, struct weir_error *error)
{
    const struct table *t = state->tables[table];
    return weir_fail(error, WEIR_FATAL, "out of memory in table %s (group %u, %u keys)",
                     state->op->shapes[table]->name, state->group, t ? t->keys.n_live : 0);
}

static void lookup(struct weir_state *state, uint32_t table, const struct ArrowArray *const *keys,
                   const uint64_t *hash, const uint32_t *selection, uint32_t n, uint32_t *slots)
{
    struct table *t = table_of(state, table);
    if (t) table_lookup(t, keys, hash, selection, n, slots);
    else memset(slots, 0xff, n * sizeof *slots);
}

static int32_t lookup_or_insert(struct weir_state *state, uint32_t table,
                                const struct ArrowArray *const *keys, const uint64_t *hash,
                                const uint32_t *selection, uint32_t n, uint32_t *slots,
                                struct weir_error *error)
{
    struct table *t = table_of(state, table);
    if (!t && n) t = group_table_make(state, table);
    if (n && (!t || table_insert(t, keys, hash, selection, n, slots)))
        return no_memory(state, table, error);
    return WEIR_OK;
}

static int32_t touch(struct weir_state *state, uint32_t table, const uint32_t *slots, uint32_t n)
{
    struct table *t = table_of(state, table);
    return t ? table_touch(t, slots, n) : n ? WEIR_FATAL : WEIR_OK;
}

static int32_t remove_slots(struct weir_state *state, uint32_t table, const uint32_t *slots,
                            uint32_t n)
{
    struct table *t = table_of(state, table);
    return t ? table_remove(t, slots, n) : n ? WEIR_FATAL : WEIR_OK;
}

static struct weir_view column(struct weir_state *state, uint32_t table, uint32_t number)
{
    struct table *t = table_of(state, table);
    struct weir_view view = { empty_records, 0 };
    return t ? table_view(t, number) : view;
}

static struct weir_bytes none_get(const struct weir_cells *cells, uint32_t number, uint32_t slot)
{
    (void)cells, (void)number;
    return table_get(NULL, 0, slot);
}

static int32_t none_put(const struct weir_cells *cells, uint32_t number, uint32_t slot,
                        struct weir_bytes bytes)
{
    (void)cells, (void)number;
    return table_put(NULL, 0, slot, bytes);
}

static void cells(struct weir_state *state, uint32_t table, uint32_t first, uint32_t n_columns,
                  struct weir_view *views, struct weir_cells *out)
{
    struct table *t = table_of(state, table);
    uint32_t i;
    if (t) {
        table_cells(t, first, n_columns, views, out);
        return;
    }
    for (i = 0; i < n_columns; i++) views[i] = column(state, table, first + i);
    out->size = sizeof *out;
    out->first = first;
    out->views = views;
    out->table = NULL;
    out->get = none_get;
    out->put = none_put;
}

static uint32_t next(struct weir_state *state, uint32_t table, uint32_t from)
{
    struct table *t = table_of(state, table);
    return t ? slab_next(&t->keys, from) : WEIR_NO_SLOT;
}

static int32_t keys(struct weir_state *state, uint32_t table, uint32_t key, const uint32_t *slots,
                    uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    struct table *t = table_of(state, table);
    if (key >= state->op->shapes[table]->n_keys) abort(); /* not a key that was declared */
    if (!t) t = group_table_make(state, table);
    memset(out, 0, sizeof *out);
    return t ? table_key_array(t, key, slots, 0, n, out, error) : no_memory(state, table, error);
}

static struct weir_bytes get(struct weir_state *state, uint32_t table, uint32_t number,
                             uint32_t slot)
{
    return table_get(table_of(state, table), number, slot);
}

static int32_t put(struct weir_state *state, uint32_t table, uint32_t number, uint32_t slot,
                   struct weir_bytes bytes)
{
    return table_put(table_of(state, table), number, slot, bytes);
}

static uint32_t due(struct weir_state *state, uint32_t table, uint32_t number, int64_t until,
                    uint32_t *slots, uint32_t capacity)
{
    struct table *t = table_of(state, table);
    return t ? timer_due(t, number, until, slots, capacity) : 0;
}

static int32_t set_timer(struct weir_state *state, uint32_t table, uint32_t number, uint32_t slot,
                         int64_t time)
{
    struct table *t = table_of(state, table);
    return t ? timer_set(t, number, slot, time) : WEIR_FATAL;
}

/* The table if it is one of rows, else NULL: of others a row can't be asked. */
static struct table *rows_of(const struct weir_state *state, uint32_t table)
{
    struct table *t = table_of(state, table);
    return t && t->shape->kind == WEIR_ROWS ? t : NULL;
}

static int32_t row_append(struct weir_state *state, uint32_t table, const uint32_t *slots,
                          const int64_t *order, uint32_t n, uint32_t *rows,
                          struct weir_error *error)
{
    struct table *t = rows_of(state, table);
    if (!n) return WEIR_OK;
    if (!t) return weir_fail(error, WEIR_FATAL, "row_append to a table without keys or rows");
    return rows_append(t, slots, order, n, rows, error);
}

static uint32_t row_first(struct weir_state *state, uint32_t table, uint32_t slot)
{
    struct table *t = rows_of(state, table);
    return t ? rows_first(t, slot) : WEIR_NO_ROW;
}

static uint32_t row_next(struct weir_state *state, uint32_t table, uint32_t row)
{
    struct table *t = rows_of(state, table);
    return t ? rows_next(t, row) : WEIR_NO_ROW;
}

static int64_t row_order(struct weir_state *state, uint32_t table, uint32_t row)
{
    struct table *t = rows_of(state, table);
    return t ? rows_order(t, row) : 0;
}

static int32_t row_touch(struct weir_state *state, uint32_t table, const uint32_t *rows, uint32_t n)
{
    struct table *t = rows_of(state, table);
    return t ? rows_touch(t, rows, n) : n ? WEIR_FATAL : WEIR_OK;
}

static int32_t row_remove(struct weir_state *state, uint32_t table, const uint32_t *rows,
                          uint32_t n)
{
    struct table *t = rows_of(state, table);
    return t ? rows_remove(t, rows, n) : n ? WEIR_FATAL : WEIR_OK;
}

static int64_t row_remove_before(struct weir_state *state, uint32_t table, uint32_t slot,
                                 int64_t before)
{
    struct table *t = rows_of(state, table);
    return t ? rows_remove_before(t, slot, before) : 0;
}

static uint32_t row_slot(struct weir_state *state, uint32_t table, uint32_t row)
{
    struct table *t = rows_of(state, table);
    return t ? rows_slot(t, row) : WEIR_NO_SLOT;
}

static int32_t values(struct weir_state *state, uint32_t table, uint32_t number,
                      const uint32_t *slots, uint32_t n, struct ArrowArray *out,
                      struct weir_error *error)
{
    struct table *t = table_of(state, table);
    if (number >= state->op->shapes[table]->n_columns) abort(); /* not a column */
    if (!t) t = group_table_make(state, table);
    memset(out, 0, sizeof *out);
    return t ? table_column_array(t, number, slots, 0, n, out, error)
             : no_memory(state, table, error);
}

static void groups(struct weir_state *state, uint32_t table, const struct ArrowArray *const *key,
                   uint32_t n, uint8_t *out)
{
    const struct shape *shape;
    uint64_t hash[256];
    uint32_t rows[256], from, i;
    if (table >= state->n_tables) abort(); /* not a table that was declared */
    shape = state->op->shapes[table];
    for (from = 0; from < n; from += 256) {
        const uint32_t m = n - from < 256 ? n - from : 256;
        for (i = 0; i < m; i++) rows[i] = from + i;
        hash_rows(state->op->store->seed, shape->key_types, key, shape->n_distribution, rows, m,
                  hash);
        for (i = 0; i < m; i++) out[from + i] = (uint8_t)hash_group(hash[i]);
    }
}

const struct weir_state_table weir_state_1 = {
    .size = sizeof weir_state_1,
    .lookup = lookup,
    .lookup_or_insert = lookup_or_insert,
    .touch = touch,
    .remove = remove_slots,
    .column = column,
    .cells = cells,
    .next = next,
    .keys = keys,
    .get = get,
    .put = put,
    .due = due,
    .set_timer = set_timer,
    .row_append = row_append,
    .row_first = row_first,
    .row_next = row_next,
    .row_order = row_order,
    .row_touch = row_touch,
    .row_remove = row_remove,
    .row_remove_before = row_remove_before,
    .row_slot = row_slot,
    .values = values,
    .groups = groups,
};
