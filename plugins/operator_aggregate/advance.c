/*
 * advance.c - the end of a batch of an aggregation: which groups leave, and which go for good.
 *
 * Groups of a batch all leave. Of durable ones: in append mode those that the watermark W(n) made
 * final, and they are removed; in update mode those that changed, and then final ones are removed
 * without a word; in complete mode all, and none is removed.
 */
#include "plugins/operator_aggregate/lane.h"

static int32_t emit_changed(const struct aggregation *a, struct lane *lane,
                            struct weir_error *error)
{
    uint32_t n = 0;
    int32_t result = WEIR_OK;
    for (uint32_t w = 0; w < lane->n_changed && result == WEIR_OK; w++)
        for (uint64_t bits = lane->changed[w]; bits && result == WEIR_OK; bits &= bits - 1) {
            lane->slots[n++] = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (n < WEIR_CHUNK_TARGET_ROWS) continue;
            result = lane_emit_slots(a, lane, lane->slots, n, error);
            n = 0;
        }
    return result == WEIR_OK ? lane_emit_slots(a, lane, lane->slots, n, error) : result;
}

static int32_t emit_all(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    uint32_t n = 0, slot = a->state->next(lane->state, a->table, 0);
    int32_t result = WEIR_OK;
    for (; slot != WEIR_NO_SLOT && result == WEIR_OK;
         slot = a->state->next(lane->state, a->table, slot + 1)) {
        lane->slots[n++] = slot;
        if (n < WEIR_CHUNK_TARGET_ROWS) continue;
        result = lane_emit_slots(a, lane, lane->slots, n, error);
        n = 0;
    }
    return result == WEIR_OK ? lane_emit_slots(a, lane, lane->slots, n, error) : result;
}

/* The one group of an aggregation without a key is there from the first batch on, with rows or
 * without. */
static int32_t the_group(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    a->state->lookup(lane->state, a->table, lane->inputs, NULL, NULL, 1, lane->slots);
    if (lane->slots[0] != WEIR_NO_SLOT) return WEIR_OK;
    return a->state->lookup_or_insert(lane->state, a->table, lane->inputs, NULL, NULL, 1,
                                      lane->slots, error);
}

/* Removes what the watermark made final, by time and slot; `give` says whether it leaves. */
static int32_t evict(const struct aggregation *a, struct lane *lane, int give,
                     struct weir_error *error)
{
    const int64_t until = lane->begin.evict_us;
    int32_t result = WEIR_OK;
    uint32_t n = WEIR_CHUNK_TARGET_ROWS;
    if (!a->time.bounded || until == WEIR_WATERMARK_NONE) return WEIR_OK;
    while (n == WEIR_CHUNK_TARGET_ROWS && result == WEIR_OK) {
        n = a->state->due(lane->state, a->table, a->expiry, until, lane->slots, n);
        if (give) result = lane_emit_slots(a, lane, lane->slots, n, error);
        if (result == WEIR_OK && n)
            result = a->state->remove(lane->state, a->table, lane->slots, n);
        lane_count(a, lane, "removed", n);
    }
    return result;
}

static int64_t count_changed(const struct lane *lane)
{
    int64_t n = 0;
    for (uint32_t w = 0; w < lane->n_changed; w++) n += __builtin_popcountll(lane->changed[w]);
    return n;
}

static int32_t advance_groups(const struct aggregation *a, struct lane *lane,
                              struct weir_error *error)
{
    int32_t result;
    if (a->form == WEIR_FORM_REPLACE) return emit_all(a, lane, error);
    if (a->form == WEIR_FORM_APPEND && !a->time.slices) return evict(a, lane, 1, error);
    if (a->form == WEIR_FORM_APPEND) result = lane_close_windows(a, lane, error);
    else result = emit_changed(a, lane, error);
    return result == WEIR_OK ? evict(a, lane, 0, error) : result;
}

int32_t aggregation_advance(void *self, void *lane, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    if (!a->durable) return l->groups ? lane_emit_groups(a, l, error) : WEIR_OK;
    if (a->time.kind == TIME_SESSION) return lane_advance_sessions(a, l, error);
    lane_count(a, l, "updated", count_changed(l));
    if (a->n_keys) return advance_groups(a, l, error);
    int32_t result = the_group(a, l, error);
    return result == WEIR_OK ? lane_emit_slots(a, l, l->slots, 1, error) : result;
}
