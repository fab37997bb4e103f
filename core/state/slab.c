/*
 * slab.c - see slab.h for the invariants.
 *
 * Growth: records double up to 1,024 slots, then grow by a quarter, so that at most a fifth lies
 * idle; realloc copies what it can't extend, which is the only pause (one group of one table: 1/256
 * of the state).
 */
#include "core/state/slab.h"

#define WORDS(slots) (((uint64_t)(slots) + 63) / 64)

void slab_init(struct slab *slab, uint32_t stride)
{
    memset(slab, 0, sizeof *slab);
    slab->stride = stride;
    slab->epoch = 1;
}

void slab_fini(struct slab *slab, struct memory *memory)
{
    memory_resize(memory, slab->records, (uint64_t)slab->capacity * slab->stride, 0);
    memory_resize(memory, slab->live, WORDS(slab->capacity) * 8, 0);
    memory_resize(memory, slab->gone, WORDS(slab->capacity) * 8, 0);
    memory_resize(memory, slab->changed, (uint64_t)slab->changed_room * 4, 0);
    slab_init(slab, slab->stride);
}

void slab_empty(struct slab *slab)
{
    if (slab->count) {
        memset(slab->live, 0, WORDS(slab->count) * 8);
        memset(slab->gone, 0, WORDS(slab->count) * 8);
    }
    slab->count = slab->n_live = slab->n_gone = slab->lowest = slab->n_changed = 0;
    slab->epoch = 1;
}

int32_t slab_marks(struct slab *slab, struct memory *memory, uint64_t more)
{
    const uint64_t most = (uint64_t)slab->count + 1;
    uint64_t need = slab->n_changed + more, room = slab->changed_room;
    uint32_t *changed;
    if (need > most) need = most;
    if (need <= room) return WEIR_OK;
    room += room / 2;
    if (room < need) room = need;
    if (room < 16) room = 16;
    if (room > UINT32_MAX) return WEIR_FATAL;
    changed = memory_resize(memory, slab->changed, (uint64_t)slab->changed_room * 4, room * 4);
    if (!changed) return WEIR_FATAL;
    slab->changed = changed;
    slab->changed_room = (uint32_t)room;
    return WEIR_OK;
}

static int32_t slab_grow(struct slab *slab, struct memory *memory, uint64_t need)
{
    uint64_t capacity = slab->capacity < 1024 ? slab->capacity * 2u
                                              : slab->capacity + (uint64_t)slab->capacity / 4;
    const uint64_t before = slab->capacity;
    uint64_t more, *bits;
    uint8_t *records;
    if (need > SLAB_MAX) return WEIR_FATAL;
    if (capacity < need) capacity = need;
    if (capacity < 8) capacity = 8;
    if (capacity > SLAB_MAX) capacity = SLAB_MAX;
    more = (WORDS(capacity) - WORDS(before)) * 8;
    /* The bits may be longer than `capacity` says, until the records are too. */
    if (!(bits = mem_realloc(slab->live, WORDS(capacity) * 8))) return WEIR_FATAL;
    memset(bits + WORDS(before), 0, more);
    slab->live = bits;
    if (!(bits = mem_realloc(slab->gone, WORDS(capacity) * 8))) return WEIR_FATAL;
    memset(bits + WORDS(before), 0, more);
    slab->gone = bits;
    if (!(records = mem_realloc(slab->records, capacity * slab->stride))) return WEIR_FATAL;
    slab->records = records;
    memory_count(memory, before * slab->stride + WORDS(before) * 16,
                 capacity * slab->stride + WORDS(capacity) * 16);
    slab->capacity = (uint32_t)capacity;
    return WEIR_OK;
}

static int has_free(const struct slab *slab)
{
    return slab->count > slab->n_live + slab->n_gone;
}

int32_t slab_room(struct slab *slab, struct memory *memory)
{
    if (slab->count < slab->capacity || has_free(slab)) return WEIR_OK;
    return slab_grow(slab, memory, (uint64_t)slab->count + 1);
}

int32_t slab_reach(struct slab *slab, struct memory *memory, uint32_t slot)
{
    if (slot < slab->count) return WEIR_OK;
    if (slot >= slab->capacity && slab_grow(slab, memory, (uint64_t)slot + 1)) return WEIR_FATAL;
    slab->count = slot + 1;
    return WEIR_OK;
}

static uint32_t lowest_free(struct slab *slab)
{
    uint32_t slot = slab->lowest;
    for (;;) {
        const uint64_t idle = ~(slab->live[slot >> 6] | slab->gone[slot >> 6]) >> (slot & 63);
        if (idle) return slot + (uint32_t)__builtin_ctzll(idle);
        slot = (slot | 63) + 1;
    }
}

uint32_t slab_take(struct slab *slab)
{
    uint32_t slot;
    if (has_free(slab)) {
        slot = lowest_free(slab);
        slab->lowest = slot + 1;
    } else {
        slot = slab->count++;
    }
    slab_place(slab, slot);
    return slot;
}

void slab_place(struct slab *slab, uint32_t slot)
{
    memset(slab_record(slab, slot), 0, slab->stride);
    slab->live[slot >> 6] |= 1ull << (slot & 63);
    slab->n_live++;
}

void slab_remove(struct slab *slab, uint32_t slot)
{
    slab_mark(slab, slot, slab_record(slab, slot));
    slab->live[slot >> 6] &= ~(1ull << (slot & 63));
    slab->gone[slot >> 6] |= 1ull << (slot & 63);
    slab->n_live--;
    slab->n_gone++;
}

void slab_free(struct slab *slab, uint32_t slot)
{
    slab->live[slot >> 6] &= ~(1ull << (slot & 63));
    slab->n_live--;
    if (slot < slab->lowest) slab->lowest = slot;
}

uint32_t slab_next(const struct slab *slab, uint32_t from)
{
    uint64_t slot = from;
    while (slot < slab->count) {
        const uint64_t live = slab->live[slot >> 6] >> (slot & 63);
        if (live) return (uint32_t)(slot + (uint64_t)__builtin_ctzll(live));
        slot = (slot | 63) + 1;
    }
    return WEIR_NO_SLOT;
}

static void epoch_begin(struct slab *slab)
{
    uint32_t slot;
    if (++slab->epoch != 0) return;
    for (slot = slab_next(slab, 0); slot != WEIR_NO_SLOT; slot = slab_next(slab, slot + 1))
        memset(slab_record(slab, slot), 0, 4);
    slab->epoch = 1;
}

void slab_captured(struct slab *slab)
{
    uint32_t i;
    for (i = 0; i < slab->n_changed; i++) {
        const uint32_t slot = slab->changed[i];
        slab_record(slab, slot)[RECORD_FLAGS] = 0;
        if (!slab_is_gone(slab, slot)) continue;
        slab->gone[slot >> 6] &= ~(1ull << (slot & 63));
        if (slot < slab->lowest) slab->lowest = slot;
    }
    slab->n_gone = slab->n_changed = 0;
    epoch_begin(slab);
}
