/*
 * slab.h - records of one width by slot number, with marks of change.
 *
 * What is to be known of a slot besides its record are four bits, in words of 64 slots: marking a slot as changed
 * touches no record and can't fail.
 *
 *  1. Slots below `count` have been used; one is live, gone (removed since the last capture) or
 *     free. The bytes of a free record mean nothing.
 *  2. A new key takes the lowest free slot, so the next slot follows from the live and the gone
 *     ones alone, not from history, and free slots need not be written down; `lowest` only spares
 *     the search, no slot below it is free.
 *  3. Since the last capture a live slot is `changed` once it was marked, and `fresh` if it was made. Slots taken
 *     between two captures ascend (no slot becomes free in between), so fresh slots in their order
 *     are those in the order of arrival.
 *  4. The bytes of a gone slot stay until slab_captured makes it free.
 */
#ifndef WEIR_CORE_SLAB_H
#define WEIR_CORE_SLAB_H

#include "core/state/memory.h"

#include <weir/state.h>

#define SLAB_MAX (1u << 28) /* slots of one group */

/* The bits of 64 slots. */
struct slab_bits {
    uint64_t live, gone, changed, fresh;
};

struct slab {
    uint8_t *records;
    struct slab_bits *bits;
    uint32_t stride, count, capacity;
    uint32_t n_live, n_gone, lowest;
    uint32_t dirty; /* 1: something was marked, made or removed since the last capture */
};

#define SLAB_BIT(slot) (1ull << ((slot) & 63))

static inline uint8_t *slab_record(const struct slab *slab, uint32_t slot)
{
    return slab->records + (uint64_t)slot * slab->stride;
}

static inline int slab_is_live(const struct slab *slab, uint32_t slot)
{
    return slot < slab->count && (slab->bits[slot >> 6].live & SLAB_BIT(slot)) != 0;
}

static inline int slab_is_gone(const struct slab *slab, uint32_t slot)
{
    return slot < slab->count && (slab->bits[slot >> 6].gone & SLAB_BIT(slot)) != 0;
}

/* Marks a used slot as changed. */
static inline void slab_mark(struct slab *slab, uint32_t slot)
{
    slab->bits[slot >> 6].changed |= SLAB_BIT(slot);
    slab->dirty = 1;
}

void slab_init(struct slab *slab, uint32_t stride);
void slab_fini(struct slab *slab, struct memory *memory);
void slab_empty(struct slab *slab); /* keeps the memory */

/* Room for one more slot; OK or FATAL. */
int32_t slab_room(struct slab *slab, struct memory *memory);
/* Makes `slot` a used one (those below become free). */
int32_t slab_reach(struct slab *slab, struct memory *memory, uint32_t slot);

/* A slot for a new record, zeroed and live; after slab_room, so it can't fail. */
uint32_t slab_take(struct slab *slab);
/* Makes a free slot (below count) live, zeroed, not fresh: for restore. */
void slab_place(struct slab *slab, uint32_t slot);
/* A live slot is gone until the next capture. */
void slab_remove(struct slab *slab, uint32_t slot);
void slab_free(struct slab *slab, uint32_t slot); /* at once: for restore */
uint32_t slab_next(const struct slab *slab, uint32_t from); /* least live slot >= from */
uint32_t slab_next_gone(const struct slab *slab, uint32_t from);
void slab_captured(struct slab *slab); /* gone slots are free, no mark is left */
/* Live slots that are changed or fresh, and gone ones. */
uint64_t slab_count_changes(const struct slab *slab);

#endif
