/*
 * combine.c - weir.combine/1: a table of a batch, over the same index and records as state.
 *
 * Nothing is marked, removed or captured, so slots are 0, 1, 2 … in order of first arrival. Text up
 * to 15 bytes lies in the record, beside the columns that it counts for.
 */
#include "core/state/direct.h"
#include "core/state/store.h"
#include "core/state/table.h"

#include <stdlib.h>

#define SPARSE 65536u /* entries of 8 bytes: half of a second cache */

struct weir_combine {
    struct shape shape;
    struct table table;
};

int32_t combine_create(uint64_t hash_seed, const struct weir_table_spec *spec,
                       struct weir_combine **out, struct weir_error *error)
{
    struct weir_combine *c = mem_alloc(sizeof *c);
    int32_t rc;
    *out = NULL;
    if (!c) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = shape_create(spec, &c->shape, error);
    if (!rc && c->shape.kind != WEIR_TABLE) {
        shape_fini(&c->shape);
        rc = weir_fail(error, WEIR_CONFIG, "a combine table is of kind WEIR_TABLE");
    }
    if (rc) {
        mem_free(c);
        return rc;
    }
    table_init(&c->table, &c->shape, hash_seed, NULL);
    c->table.batch_only = 1;
    c->table.index.roomy = 1;
    c->table.index.sparse = SPARSE;
    *out = c;
    return WEIR_OK;
}

static int32_t create(struct weir_context *lane, const struct weir_table_spec *spec,
                      struct weir_combine **out, struct weir_error *error)
{
    (void)lane;
    return combine_create(0, spec, out, error);
}

static void destroy(struct weir_combine *c)
{
    if (!c) return;
    table_fini(&c->table);
    shape_fini(&c->shape);
    mem_free(c);
}

static int32_t lookup_or_insert(struct weir_combine *c, const struct ArrowArray *const *keys,
                                const uint64_t *hash, const uint32_t *selection, uint32_t n,
                                uint32_t *slots, struct weir_error *error)
{
    if (table_insert(&c->table, keys, hash, selection, n, slots))
        return weir_fail(error, WEIR_FATAL, "out of memory in a combine table of %u keys",
                         c->table.keys.count);
    return WEIR_OK;
}

static uint32_t count(const struct weir_combine *c) { return c->table.keys.count; }

static void cells(struct weir_combine *c, uint32_t first, uint32_t n_columns,
                  struct weir_view *views, struct weir_cells *out)
{
    table_cells(&c->table, first, n_columns, views, out);
}

static int32_t keys(struct weir_combine *c, uint32_t key, uint32_t from, uint32_t n,
                    struct ArrowArray *out, struct weir_error *error)
{
    if (key >= c->shape.n_keys) abort(); /* not a key that was declared */
    return table_key_array(&c->table, key, NULL, from, n, out, error);
}

static int32_t values(struct weir_combine *c, uint32_t column, uint32_t from, uint32_t n,
                      struct ArrowArray *out, struct weir_error *error)
{
    if (column >= c->shape.n_columns) abort(); /* not a column that was declared */
    return table_column_array(&c->table, column, NULL, from, n, out, error);
}

static void clear(struct weir_combine *c)
{
    index_empty(&c->table.index);
    direct_empty(c->table.direct);
    slab_empty(&c->table.keys);
    c->table.arena.used = c->table.arena.garbage = 0;
}

static void lookup(const struct weir_combine *c, const struct ArrowArray *const *keys,
                   const uint64_t *hash, const uint32_t *selection, uint32_t n, uint32_t *slots)
{
    table_lookup((struct table *)(uintptr_t)&c->table, keys, hash, selection, n, slots);
}

const struct weir_combine_table weir_combine_1 = {
    .size = sizeof weir_combine_1,
    .create = create,
    .destroy = destroy,
    .lookup_or_insert = lookup_or_insert,
    .count = count,
    .cells = cells,
    .keys = keys,
    .values = values,
    .clear = clear,
    .lookup = lookup,
};
