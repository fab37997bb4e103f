/*
 * slab.c - see slab.h for the invariants.
 *
 * Growth: records double up to 1,024 slots, then grow by a quarter; from the size on from which blocks are mappings
 * of their own (mem_grow), where growing moves page tables and no bytes, by a sixteenth.
 */
#include "core/state/slab.h"

#define WORDS(slots) (((uint64_t)(slots) + 63) / 64)
#define BITS_BYTES(slots) (WORDS(slots) * sizeof(struct slab_bits))

void slab_init(struct slab *slab, uint32_t stride)
{
    memset(slab, 0, sizeof *slab);
    slab->stride = stride;
}

void slab_fini(struct slab *slab, struct memory *memory)
{
    memory_resize(memory, slab->records, (uint64_t)slab->capacity * slab->stride, 0);
    memory_resize(memory, slab->bits, BITS_BYTES(slab->capacity), 0);
    slab_init(slab, slab->stride);
}

void slab_empty(struct slab *slab)
{
    if (slab->count) memset(slab->bits, 0, BITS_BYTES(slab->count));
    slab->count = slab->n_live = slab->n_gone = slab->lowest = slab->dirty = 0;
}

static uint64_t next_capacity(const struct slab *slab)
{
    const uint64_t now = slab->capacity;
    if (now < 1024) return now < 4 ? 8 : now * 2;
    return now + (now * slab->stride < MEM_MAPPED ? now / 4 : now / 16);
}

static int32_t slab_grow(struct slab *slab, struct memory *memory, uint64_t need)
{
    const uint64_t before = slab->capacity;
    uint64_t capacity = next_capacity(slab);
    struct slab_bits *bits;
    uint8_t *records;
    if (need > SLAB_MAX) return WEIR_FATAL;
    if (capacity < need) capacity = need;
    if (capacity > SLAB_MAX) capacity = SLAB_MAX;
    /* The bits may be longer than `capacity` says, until the records are too. */
    if (!(bits = mem_grow(slab->bits, BITS_BYTES(capacity)))) return WEIR_FATAL;
    memset(bits + WORDS(before), 0, BITS_BYTES(capacity) - BITS_BYTES(before));
    slab->bits = bits;
    if (!(records = mem_grow(slab->records, capacity * slab->stride))) return WEIR_FATAL;
    slab->records = records;
    memory_count(memory, before * slab->stride + BITS_BYTES(before),
                 capacity * slab->stride + BITS_BYTES(capacity));
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
        const struct slab_bits *bits = &slab->bits[slot >> 6];
        const uint64_t idle = ~(bits->live | bits->gone) >> (slot & 63);
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
    slab->bits[slot >> 6].fresh |= SLAB_BIT(slot);
    slab->dirty = 1;
    return slot;
}

void slab_place(struct slab *slab, uint32_t slot)
{
    memset(slab_record(slab, slot), 0, slab->stride);
    slab->bits[slot >> 6].live |= SLAB_BIT(slot);
    slab->n_live++;
}

void slab_remove(struct slab *slab, uint32_t slot)
{
    slab->bits[slot >> 6].live &= ~SLAB_BIT(slot);
    slab->bits[slot >> 6].gone |= SLAB_BIT(slot);
    slab->n_live--;
    slab->n_gone++;
    slab->dirty = 1;
}

void slab_free(struct slab *slab, uint32_t slot)
{
    slab->bits[slot >> 6].live &= ~SLAB_BIT(slot);
    slab->n_live--;
    if (slot < slab->lowest) slab->lowest = slot;
}

uint32_t slab_next(const struct slab *slab, uint32_t from)
{
    uint64_t slot = from;
    while (slot < slab->count) {
        const uint64_t live = slab->bits[slot >> 6].live >> (slot & 63);
        if (live) return (uint32_t)(slot + (uint64_t)__builtin_ctzll(live));
        slot = (slot | 63) + 1;
    }
    return WEIR_NO_SLOT;
}

uint32_t slab_next_gone(const struct slab *slab, uint32_t from)
{
    uint64_t slot = from;
    while (slab->n_gone && slot < slab->count) {
        const uint64_t gone = slab->bits[slot >> 6].gone >> (slot & 63);
        if (gone) return (uint32_t)(slot + (uint64_t)__builtin_ctzll(gone));
        slot = (slot | 63) + 1;
    }
    return WEIR_NO_SLOT;
}

uint64_t slab_count_changes(const struct slab *slab)
{
    uint64_t n = 0, w;
    for (w = 0; slab->dirty && w < WORDS(slab->count); w++) {
        const struct slab_bits *bits = &slab->bits[w];
        n += (uint64_t)__builtin_popcountll((bits->live & (bits->changed | bits->fresh)) | bits->gone);
    }
    return n;
}

void slab_captured(struct slab *slab)
{
    uint64_t w;
    for (w = 0; slab->dirty && w < WORDS(slab->count); w++) {
        struct slab_bits *bits = &slab->bits[w];
        if (bits->gone) {
            const uint32_t slot = (uint32_t)(w * 64 + (uint64_t)__builtin_ctzll(bits->gone));
            if (slot < slab->lowest) slab->lowest = slot;
        }
        bits->gone = bits->changed = bits->fresh = 0;
    }
    slab->n_gone = slab->dirty = 0;
}
