/*
 * slab.h - records of one width by slot number, with marks of change.
 *
 *     record:  u32 epoch | u8 flags | what the table puts there
 *
 *  1. Slots below `count` have been used; one is live (bit in `live`), gone (removed since the last
 *     capture: bit in `gone`) or free. The bytes of a free record mean nothing.
 *  2. A new key takes the lowest free slot, so the next slot follows from the live and the gone
 *     ones alone, not from history, and free slots need not be written down; `lowest` only spares
 *     the search, no slot below it is free.
 *  3. Of live and gone slots, record.epoch == epoch iff the slot is in `changed`. Each capture
 *     begins a new epoch, which takes back all marks at once.
 *  4. A gone slot is always in `changed`; its bytes stay until slab_captured makes it free.
 */
#ifndef WEIR_CORE_SLAB_H
#define WEIR_CORE_SLAB_H

#include "core/state/memory.h"

#include <weir/state.h>

#define SLAB_MAX (1u << 28) /* slots of one group */

#define RECORD_FLAGS 4u
#define RECORD_NEW 1u /* flag: made since the last capture */

struct slab {
    uint8_t *records;
    uint64_t *live, *gone;
    uint32_t *changed;
    uint32_t stride, count, capacity;
    uint32_t n_live, n_gone, lowest;
    uint32_t epoch, n_changed, changed_room;
};

static inline uint8_t *slab_record(const struct slab *slab, uint32_t slot)
{
    return slab->records + (uint64_t)slot * slab->stride;
}

static inline int slab_is_live(const struct slab *slab, uint32_t slot)
{
    return slot < slab->count && (slab->live[slot >> 6] >> (slot & 63) & 1);
}

static inline int slab_is_gone(const struct slab *slab, uint32_t slot)
{
    return slot < slab->count && (slab->gone[slot >> 6] >> (slot & 63) & 1);
}

/* Marks a used slot as changed; there is room for the mark (slab_marks). */
static inline void slab_mark(struct slab *slab, uint32_t slot, uint8_t *record)
{
    uint32_t *epoch = (uint32_t *)(void *)record;
    if (*epoch == slab->epoch) return;
    *epoch = slab->epoch;
    slab->changed[slab->n_changed++] = slot;
}

void slab_init(struct slab *slab, uint32_t stride);
void slab_fini(struct slab *slab, struct memory *memory);
void slab_empty(struct slab *slab); /* keeps the memory */

/* Room for `more` marks, but no more than there are slots and one to come; OK or FATAL. */
int32_t slab_marks(struct slab *slab, struct memory *memory, uint64_t more);
/* Room for one more slot; OK or FATAL. */
int32_t slab_room(struct slab *slab, struct memory *memory);
/* Makes `slot` a used one (those below become free). */
int32_t slab_reach(struct slab *slab, struct memory *memory, uint32_t slot);

/* A slot for a new record, zeroed and live; after slab_room, so it can't fail. */
uint32_t slab_take(struct slab *slab);
/* Makes a free slot (below count) live, zeroed: for restore. */
void slab_place(struct slab *slab, uint32_t slot);
/* A live slot is gone until the next capture, marked; after slab_marks. */
void slab_remove(struct slab *slab, uint32_t slot);
void slab_free(struct slab *slab, uint32_t slot); /* at once: for restore */
uint32_t slab_next(const struct slab *slab, uint32_t from); /* least live slot >= from */
void slab_captured(struct slab *slab); /* gone slots are free, a new epoch begins */

#endif
