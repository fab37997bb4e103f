/*
 * arena.c - long text of a table: appended, never changed in place.
 *
 * What a cell let go is garbage. When room is needed and more than half is garbage, the live texts
 * move to a new block in slot order, else the block grows. The old block is handed to the caller,
 * who frees it once the text to be stored, which may lie in it, is copied.
 */
#include "core/state/table.h"

#define ARENA_LEAST 256u
#define ARENA_TIDY 4096u /* below, garbage is left alone */

static int mostly_garbage(const struct arena *a)
{
    return a->used >= ARENA_TIDY && a->garbage > a->used / 2;
}

static void move_cell(struct cell *cell, const uint8_t *from, uint8_t *to, uint64_t *used)
{
    const uint64_t n = cell_outside(cell);
    if (!n) return;
    memcpy(to + *used, from + (cell->high & CELL_PLACE), n);
    cell->high = CELL_LONG | *used;
    *used += n;
}

static void move_cells(struct slab *slab, const struct shape_column *columns, uint32_t n,
                       const uint8_t *from, uint8_t *to, uint64_t *used)
{
    uint32_t slot, c;
    for (slot = 0; slot < slab->count; slot++) {
        uint8_t *record = slab_record(slab, slot);
        if (!slab_is_live(slab, slot) && !slab_is_gone(slab, slot)) continue;
        for (c = 0; c < n; c++)
            if (columns[c].width == CELL_BYTES)
                move_cell(cell_at(record, columns[c].at), from, to, used);
    }
}

static int32_t replace(struct table *t, uint64_t capacity, int compact, uint8_t **old)
{
    const struct shape *s = t->shape;
    struct arena *a = &t->arena;
    uint8_t *data = mem_alloc(capacity);
    uint64_t used = 0;
    if (!data) return WEIR_FATAL;
    if (compact) {
        if (s->key_cells) move_cells(&t->keys, s->keys, s->n_keys, a->data, data, &used);
        if (s->cells) move_cells(table_records(t), s->columns, s->n_columns, a->data, data, &used);
        a->used = used;
        a->garbage = 0;
    } else if (a->used) {
        memcpy(data, a->data, a->used);
    }
    memory_count(&t->memory, a->capacity, capacity);
    *old = a->data;
    a->data = data;
    a->capacity = capacity;
    return WEIR_OK;
}

int32_t arena_room(struct table *t, uint64_t more, uint8_t **old)
{
    struct arena *a = &t->arena;
    const uint64_t live = a->used - a->garbage + more;
    uint64_t capacity = a->capacity + a->capacity / 2;
    if (a->used + more <= a->capacity) return WEIR_OK;
    if (a->used + more > CELL_PLACE) return WEIR_FATAL;
    if (mostly_garbage(a)) return replace(t, live + live / 2, 1, old);
    if (capacity < a->used + more) capacity = a->used + more;
    if (capacity < ARENA_LEAST) capacity = ARENA_LEAST;
    return replace(t, capacity, 0, old);
}

void arena_release(struct table *t, const struct cell *cell)
{
    t->arena.garbage += cell_outside(cell);
}

void arena_tidy(struct table *t)
{
    const uint64_t live = t->arena.used - t->arena.garbage;
    uint8_t *old = NULL;
    if (!mostly_garbage(&t->arena)) return;
    replace(t, live + live / 2 + ARENA_LEAST, 1, &old); /* without memory: another time */
    mem_free(old);
}
