/*
 * table.c - what is done to records by slot; keys are looked up in lookup.c.
 *
 * Text of a record that is removed stays in the arena until the capture, for its cells may still be
 * read; then it is garbage. Slot numbers come from plugins: one that was never used is refused, one
 * that is not live passed over, as rows of one batch often name a key that an earlier row removed.
 */
#include "core/state/direct.h"
#include "core/state/table.h"

#include <stdlib.h>

static const uint8_t nothing[64]; /* where columns of an empty table lie */

void table_init(struct table *t, const struct shape *shape, uint64_t seed, atomic_ullong *total)
{
    memset(t, 0, sizeof *t);
    t->shape = shape;
    t->seed = seed;
    t->memory.total = total;
    slab_init(&t->keys, shape->key_stride);
    slab_init(&t->rows, shape->row_stride);
}

void table_fini(struct table *t)
{
    if (!t->shape) return;
    timers_fini(t);
    direct_free(t);
    index_fini(&t->index, &t->memory);
    slab_fini(&t->keys, &t->memory);
    slab_fini(&t->rows, &t->memory);
    memory_resize(&t->memory, t->arena.data, t->arena.capacity, 0);
    memory_resize(&t->memory, t->null_keys, t->null_words * 8ull, 0);
    t->null_keys = NULL;
    t->null_words = 0;
    memset(&t->arena, 0, sizeof t->arena);
}

void table_reset(struct table *t)
{
    table_fini(t);
    table_init(t, t->shape, t->seed, t->memory.total);
}

int32_t table_touch(struct table *t, const uint32_t *slots, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (slots[i] >= t->keys.count) return WEIR_FATAL;
        if (t->shape->kind == WEIR_TABLE && slab_is_live(&t->keys, slots[i]))
            slab_mark(&t->keys, slots[i]);
    }
    return WEIR_OK;
}

void table_image(const struct table *t, uint32_t slot, uint8_t *image)
{
    const struct shape *s = t->shape;
    uint32_t k;
    if (s->head) {
        memset(image, 0, s->head);
        image[KEY_NULLS] = (uint8_t)table_key_is_null(t, slot, 0);
    }
    memcpy(image + s->head, slab_record(&t->keys, slot), s->key_end);
    for (k = 0; s->key_cells && k < s->n_keys; k++) {
        struct cell *cell = cell_at(image, s->head + s->keys[k].at);
        if (s->keys[k].width != CELL_BYTES || !cell_is_long(cell)) continue;
        cell->high = CELL_LONG |
                     (uint64_t)(uintptr_t)(t->arena.data + (cell->high & CELL_PLACE));
    }
}

void table_drop_key(struct table *t, uint32_t slot)
{
    _Alignas(8) uint8_t image[SHAPE_KEYS_MAX * (CELL_BYTES + 1) + 16];
    table_image(t, slot, image);
    index_remove(&t->index, (uint32_t)shape_hash(t->shape, t->seed, image), slot);
}

int32_t table_remove(struct table *t, const uint32_t *slots, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (slots[i] >= t->keys.count) return WEIR_FATAL;
        if (!slab_is_live(&t->keys, slots[i])) continue;
        if (t->shape->kind == WEIR_ROWS && rows_remove_all(t, slots[i])) return WEIR_FATAL;
        table_drop_key(t, slots[i]);
        slab_remove(&t->keys, slots[i]);
        if (t->shape->kind == WEIR_TABLE) timer_dropped(t, slots[i]);
    }
    return WEIR_OK;
}

struct weir_view table_view(struct table *t, uint32_t column)
{
    struct slab *slab = table_records(t);
    struct weir_view view;
    if (column >= t->shape->n_columns) abort(); /* not a column that was declared */
    view.base = slab->records ? slab->records + t->shape->columns[column].at
                              : (uint8_t *)(uintptr_t)nothing;
    view.stride = slab->stride;
    return view;
}

static struct weir_bytes cells_get(const struct weir_cells *cells, uint32_t column, uint32_t slot)
{
    return table_get(cells->table, cells->first + column, slot);
}

static int32_t cells_put(const struct weir_cells *cells, uint32_t column, uint32_t slot,
                         struct weir_bytes bytes)
{
    return table_put(cells->table, cells->first + column, slot, bytes);
}

void table_cells(struct table *t, uint32_t first, uint32_t n_columns, struct weir_view *views,
                 struct weir_cells *out)
{
    uint32_t i;
    for (i = 0; i < n_columns; i++) views[i] = table_view(t, first + i);
    out->size = sizeof *out;
    out->first = first;
    out->views = views;
    out->table = t;
    out->get = cells_get;
    out->put = cells_put;
}

/* The cell of a text column, or NULL. */
static struct cell *text_cell(struct table *t, uint32_t column, uint32_t slot)
{
    struct slab *slab = table_records(t);
    if (column >= t->shape->n_columns || t->shape->columns[column].width != CELL_BYTES ||
        (!slab_is_live(slab, slot) && !slab_is_gone(slab, slot)))
        return NULL;
    return cell_at(slab_record(slab, slot), t->shape->columns[column].at);
}

struct weir_bytes table_get(struct table *t, uint32_t column, uint32_t slot)
{
    const struct cell *cell = t ? text_cell(t, column, slot) : NULL;
    struct weir_bytes none = { nothing, 0 };
    return cell ? cell_bytes(cell, t->arena.data) : none;
}

int32_t table_put(struct table *t, uint32_t column, uint32_t slot, struct weir_bytes bytes)
{
    struct cell *cell = t ? text_cell(t, column, slot) : NULL, next;
    struct slab *slab;
    uint8_t *old = NULL;
    int32_t rc = WEIR_OK;
    if (!cell || bytes.length > INT32_MAX) return WEIR_FATAL;
    slab = table_records(t);
    next = cell_of(bytes.data, bytes.length);
    if (bytes.length > CELL_SHORT) rc = arena_room(t, bytes.length, &old);
    if (!rc) {
        /* `bytes` may lie in the old block: it is there until the text is copied. */
        arena_release(t, cell);
        cell_settle(&next, &t->arena);
        *cell = next;
        if (!t->batch_only && slab_is_live(slab, slot)) slab_mark(slab, slot);
    }
    mem_free(old);
    return rc;
}

int table_changed(const struct table *t)
{
    return t->keys.dirty || t->rows.dirty;
}

static void release_gone(struct table *t, const struct slab *slab,
                         const struct shape_column *columns, uint32_t n)
{
    uint32_t slot, c;
    for (slot = slab_next_gone(slab, 0); slot != WEIR_NO_SLOT; slot = slab_next_gone(slab, slot + 1))
        for (c = 0; c < n; c++)
            if (columns[c].width == CELL_BYTES)
                arena_release(t, cell_at(slab_record(slab, slot), columns[c].at));
}

void table_captured(struct table *t)
{
    const struct shape *s = t->shape;
    if (s->key_cells) release_gone(t, &t->keys, s->keys, s->n_keys);
    if (s->cells) release_gone(t, table_records(t), s->columns, s->n_columns);
    slab_captured(&t->keys);
    slab_captured(&t->rows);
    arena_tidy(t);
}
