/*
 * slices.c - sliding windows put together from the slices that state is kept by.
 *
 * When W(n) closes windows, all slices of the group are looked through: most of them are in one
 * that closes, for state reaches back no further than the last open window. Each pair (closing
 * window, slice in it) merges the slice into a table of the batch, whose groups then leave by
 * window, and within a window by slot of their first slice.
 *
 * A slice is removed when the last window that it is in has closed: its timer, see advance.c.
 */
#include "plugins/operator_aggregate/lane.h"

#include <stdlib.h>

struct pair {
    int64_t window;
    uint32_t slot;
};

struct pairs {
    struct pair *list;
    uint64_t n, room;
};

static int by_window(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->window != y->window) return x->window < y->window ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int32_t add_pair(const struct aggregation *a, struct pairs *pairs, int64_t window,
                        uint32_t slot, struct weir_error *error)
{
    if (pairs->n == pairs->room) {
        uint64_t room = pairs->room ? 2 * pairs->room : 1024;
        struct pair *list = a->host->realloc(pairs->list, room * sizeof *list);
        if (!list) return no_memory(error);
        pairs->list = list;
        pairs->room = room;
    }
    pairs->list[pairs->n++] = (struct pair){ window, slot };
    return WEIR_OK;
}

/* Pairs of n slices with the windows after `from` and up to `until`. */
static int32_t pair_slices(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                           uint32_t n, int64_t from, int64_t until, struct pairs *pairs,
                           struct weir_error *error)
{
    struct ArrowArray begins;
    int32_t result = a->state->keys(lane->state, a->table, a->n_flat, slots, n, &begins, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        struct window_range in = windows_of(&a->time.windows, weir_get_int64(&begins, i));
        if (in.first <= from) in.first = from + 1;
        if (in.last > until) in.last = until;
        for (int64_t k = in.first; k <= in.last && result == WEIR_OK; k++)
            result = add_pair(a, pairs, k, slots[i], error);
    }
    begins.release(&begins);
    return result;
}

static int32_t pair_all(const struct aggregation *a, struct lane *lane, int64_t from, int64_t until,
                        struct pairs *pairs, struct weir_error *error)
{
    uint32_t n = 0, slot = a->state->next(lane->state, a->table, 0);
    int32_t result = WEIR_OK;
    while (slot != WEIR_NO_SLOT && result == WEIR_OK) {
        lane->slots[n++] = slot;
        slot = a->state->next(lane->state, a->table, slot + 1);
        if (n < WEIR_CHUNK_TARGET_ROWS && slot != WEIR_NO_SLOT) continue;
        result = pair_slices(a, lane, lane->slots, n, from, until, pairs, error);
        n = 0;
    }
    return result;
}

/* The groups (grouping columns, window) of n pairs into lane->slots. */
static int32_t find_windows(const struct aggregation *a, struct lane *lane,
                            const struct pair *pairs, uint32_t n, struct weir_error *error)
{
    struct ArrowArray *starts = &lane->expanded[a->n_flat];
    int32_t result = a->data->column(WEIR_TYPE_TIMESTAMP, n, 0, 0, starts, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        ((int64_t *)(uintptr_t)starts->buffers[1])[i] =
            window_begin(&a->time.windows, pairs[i].window);
        lane->few[i] = pairs[i].slot;
    }
    for (uint32_t k = 0; k < a->n_flat && result == WEIR_OK; k++)
        result = a->state->keys(lane->state, a->table, k, lane->few, n, &lane->expanded[k], error);
    if (result == WEIR_OK)
        result = lane_find_slots(a, lane, 0, lane->expanded_keys, NULL, NULL, n, error);
    for (uint32_t k = 0; k < a->n_keys; k++)
        if (lane->expanded[k].release) lane->expanded[k].release(&lane->expanded[k]);
    return result;
}

static int32_t merge_slices(const struct aggregation *a, struct lane *lane,
                            const struct pair *pairs, uint32_t n, struct weir_error *error)
{
    int32_t result = find_windows(a, lane, pairs, n, error);
    uint32_t made = 0;
    for (; made < a->n_columns && result == WEIR_OK; made++)
        result = a->state->values(lane->state, a->table, made, lane->few, n, &lane->arrays[made],
                                  error);
    if (result == WEIR_OK) return lane_merge(a, lane, lane->arrays, n, error);
    for (uint32_t i = 0; i + 1 < made; i++) lane->arrays[i].release(&lane->arrays[i]);
    return result;
}

int32_t lane_close_windows(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    const int64_t from = windows_closed(&a->time.windows, lane->begin.late_us);
    const int64_t until = windows_closed(&a->time.windows, lane->begin.evict_us);
    struct pairs pairs = { 0 };
    if (until <= from) return WEIR_OK;
    int32_t result = pair_all(a, lane, from, until, &pairs, error);
    if (pairs.n) qsort(pairs.list, pairs.n, sizeof *pairs.list, by_window);
    for (uint64_t at = 0; at < pairs.n && result == WEIR_OK; at += WEIR_CHUNK_TARGET_ROWS)
        result = merge_slices(a, lane, pairs.list + at,
                              pairs.n - at < WEIR_CHUNK_TARGET_ROWS ? (uint32_t)(pairs.n - at)
                                                                    : WEIR_CHUNK_TARGET_ROWS,
                              error);
    if (pairs.n && result == WEIR_OK) result = lane_emit_groups(a, lane, error);
    a->host->free(pairs.list);
    return result;
}
