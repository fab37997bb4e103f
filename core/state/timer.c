/*
 * timer.c - timer columns: the least time of each 1,024 slots, so that nobody scans what is not
 * due.
 *
 *  1. least[b] <= the time of every live slot of block b; equal to the least of them unless
 *     stale[b].
 *  2. A block is stale when the slot that had its least time moved on or went; it is looked through
 *     again when somebody asks, not when it is written.
 *  3. Blocks that were never given a time are not kept: their slots have none (INT64_MAX).
 */
#include "core/state/table.h"

#define TIMER_BLOCK 1024u

struct timers {
    int64_t *least;
    uint8_t *stale;
    uint32_t column, blocks;
};

static int64_t *time_at(struct table *t, uint32_t column, uint32_t slot)
{
    uint8_t *record = slab_record(table_records(t), slot);
    return (int64_t *)(void *)(record + t->shape->columns[column].at);
}

static int32_t timers_make(struct table *t)
{
    const uint64_t bytes = t->shape->n_timers * sizeof *t->timers;
    uint32_t c, i = 0;
    if (t->timers) return WEIR_OK;
    t->timers = memory_resize(&t->memory, NULL, 0, bytes);
    if (!t->timers) return WEIR_FATAL;
    memset(t->timers, 0, bytes);
    for (c = 0; c < t->shape->n_columns; c++)
        if (t->shape->columns[c].flags & WEIR_COLUMN_TIMER) t->timers[i++].column = c;
    return WEIR_OK;
}

void timers_fini(struct table *t)
{
    uint32_t i;
    for (i = 0; t->timers && i < t->shape->n_timers; i++) {
        struct timers *x = &t->timers[i];
        memory_resize(&t->memory, x->least, x->blocks * sizeof *x->least, 0);
        memory_resize(&t->memory, x->stale, x->blocks, 0);
    }
    if (t->timers)
        memory_resize(&t->memory, t->timers, t->shape->n_timers * sizeof *t->timers, 0);
    t->timers = NULL;
}

static struct timers *timers_of(struct table *t, uint32_t column)
{
    uint32_t i;
    for (i = 0; t->timers && i < t->shape->n_timers; i++)
        if (t->timers[i].column == column) return &t->timers[i];
    return NULL;
}

static int32_t timers_grow(struct table *t, struct timers *x, uint32_t block)
{
    const uint32_t before = x->blocks;
    uint64_t blocks = before + before / 2u;
    int64_t *least;
    uint8_t *stale;
    if (block < before) return WEIR_OK;
    if (blocks <= block) blocks = block + 1u;
    least = mem_realloc(x->least, blocks * sizeof *least);
    if (!least) return WEIR_FATAL;
    x->least = least;
    stale = mem_realloc(x->stale, blocks);
    if (!stale) return WEIR_FATAL;
    x->stale = stale;
    memory_count(&t->memory, before * 9ull, blocks * 9);
    for (; x->blocks < blocks; x->blocks++) {
        least[x->blocks] = INT64_MAX;
        stale[x->blocks] = 0;
    }
    return WEIR_OK;
}

int32_t timer_set(struct table *t, uint32_t column, uint32_t slot, int64_t time)
{
    struct slab *slab = table_records(t);
    const uint32_t block = slot / TIMER_BLOCK;
    struct timers *x;
    int64_t *cell;
    if (column >= t->shape->n_columns || !(t->shape->columns[column].flags & WEIR_COLUMN_TIMER) ||
        slot >= slab->count)
        return WEIR_FATAL;
    if (!slab_is_live(slab, slot)) return WEIR_OK;
    if (timers_make(t)) return WEIR_FATAL;
    x = timers_of(t, column);
    if (timers_grow(t, x, block)) return WEIR_FATAL;
    cell = time_at(t, column, slot);
    if (time <= x->least[block]) {
        x->least[block] = time;
        x->stale[block] = 0;
    } else if (*cell == x->least[block]) {
        x->stale[block] = 1;
    }
    *cell = time;
    slab_mark(slab, slot);
    return WEIR_OK;
}

void timer_blank(struct table *t, uint32_t slot)
{
    uint32_t c;
    if (!t->shape->n_timers) return;
    for (c = 0; c < t->shape->n_columns; c++)
        if (t->shape->columns[c].flags & WEIR_COLUMN_TIMER) *time_at(t, c, slot) = INT64_MAX;
}

void timer_dropped(struct table *t, uint32_t slot)
{
    const uint32_t block = slot / TIMER_BLOCK;
    uint32_t i;
    for (i = 0; t->timers && i < t->shape->n_timers; i++) {
        struct timers *x = &t->timers[i];
        if (block < x->blocks && *time_at(t, x->column, slot) == x->least[block])
            x->stale[block] = 1;
    }
}

int32_t timer_restored(struct table *t, uint32_t slot)
{
    const uint32_t block = slot / TIMER_BLOCK;
    uint32_t i;
    if (!t->shape->n_timers) return WEIR_OK;
    if (timers_make(t)) return WEIR_FATAL;
    for (i = 0; i < t->shape->n_timers; i++) {
        struct timers *x = &t->timers[i];
        if (timers_grow(t, x, block)) return WEIR_FATAL;
        x->least[block] = INT64_MIN;
        x->stale[block] = 1;
    }
    return WEIR_OK;
}

static int64_t block_least(struct table *t, struct timers *x, uint32_t block)
{
    const struct slab *slab = table_records(t);
    const uint32_t first = block * TIMER_BLOCK, end = first + TIMER_BLOCK;
    uint32_t slot;
    if (!x->stale[block]) return x->least[block];
    x->least[block] = INT64_MAX;
    x->stale[block] = 0;
    for (slot = slab_next(slab, first); slot < end; slot = slab_next(slab, slot + 1)) {
        const int64_t time = *time_at(t, x->column, slot);
        if (time < x->least[block]) x->least[block] = time;
    }
    return x->least[block];
}

int64_t timer_least(struct table *t, int event_time)
{
    int64_t least = INT64_MAX;
    uint32_t i, b;
    for (i = 0; t->timers && i < t->shape->n_timers; i++) {
        const uint32_t flags = t->shape->columns[t->timers[i].column].flags;
        if (!(flags & WEIR_COLUMN_EVENT_TIME) != !event_time) continue;
        for (b = 0; b < t->timers[i].blocks; b++) {
            const int64_t time = block_least(t, &t->timers[i], b);
            if (time < least) least = time;
        }
    }
    return least;
}

/* Is a due after b? */
static int later(struct table *t, uint32_t column, uint32_t a, uint32_t b)
{
    const int64_t x = *time_at(t, column, a), y = *time_at(t, column, b);
    return x != y ? x > y : a > b;
}

/* Lets slots[0] sink in a heap of n whose root is the latest. */
static void sink(struct table *t, uint32_t column, uint32_t *slots, uint32_t n)
{
    const uint32_t slot = slots[0];
    uint32_t at = 0, child;
    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && later(t, column, slots[child + 1], slots[child])) child++;
        if (!later(t, column, slots[child], slot)) break;
        slots[at] = slots[child];
        at = child;
    }
    slots[at] = slot;
}

static void rise(struct table *t, uint32_t column, uint32_t *slots, uint32_t at)
{
    const uint32_t slot = slots[at];
    while (at > 0 && later(t, column, slot, slots[(at - 1) / 2])) {
        slots[at] = slots[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    slots[at] = slot;
}

uint32_t timer_due(struct table *t, uint32_t column, int64_t until, uint32_t *slots,
                   uint32_t capacity)
{
    const struct slab *slab = table_records(t);
    struct timers *x = timers_of(t, column);
    uint32_t n = 0, b, slot, i;
    if (!x || !capacity) return 0;
    if (until == INT64_MAX) until--; /* INT64_MAX is no time */
    for (b = 0; b < x->blocks; b++) {
        const uint32_t first = b * TIMER_BLOCK, end = first + TIMER_BLOCK;
        if (block_least(t, x, b) > until) continue;
        for (slot = slab_next(slab, first); slot < end; slot = slab_next(slab, slot + 1)) {
            if (*time_at(t, column, slot) > until) continue;
            if (n < capacity) {
                slots[n] = slot;
                rise(t, column, slots, n++);
            } else if (later(t, column, slots[0], slot)) {
                slots[0] = slot;
                sink(t, column, slots, n);
            }
        }
    }
    for (i = n; i > 1; i--) { /* the heap, sorted */
        const uint32_t latest = slots[0];
        slots[0] = slots[i - 1];
        sink(t, column, slots, i - 1);
        slots[i - 1] = latest;
    }
    return n;
}
