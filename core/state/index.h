/*
 * index.h - from the hash of a key to its slot.
 *
 * Open addressing with linear probing over entries of 8 bytes, {slot, tag}; a power of two of them.
 * State, which stays, uses up to three quarters of them; a batch's table a half, and a quarter while that
 * fits into the second cache: the more lie in their first place, the fewer branches are foreseen wrongly. The tag is the low half of the hash (the
 * group comes from its top), the place of an entry the low bits of the tag: growing and deleting
 * need no look at keys, and a foreign key passes the tag once in 2^32 / entries compares. Deletion
 * shifts the entries behind back (Knuth, TAOCP 3, 6.4 R), so there are no tombstones.
 */
#ifndef WEIR_CORE_INDEX_H
#define WEIR_CORE_INDEX_H

#include "core/state/memory.h"

#include <weir/state.h>

#define INDEX_NONE UINT64_MAX /* slot WEIR_NO_SLOT */

struct index {
    uint64_t *entries; /* slot << 32 | tag */
    uint32_t mask, used;
    uint32_t quarters; /* of the entries that may be used */
    uint32_t sparse;   /* up to so many entries only one quarter */
};

void index_fini(struct index *index, struct memory *memory);
void index_empty(struct index *index); /* keeps the memory */
int32_t index_room(struct index *index, struct memory *memory, uint64_t more); /* OK or FATAL */
void index_add(struct index *index, uint32_t tag, uint32_t slot); /* after index_room */
void index_remove(struct index *index, uint32_t tag, uint32_t slot); /* which is there */

/* Place of the first entry with the tag, from place p on; of an empty one if there is none. */
static inline uint32_t index_probe(const struct index *index, uint32_t tag, uint32_t p)
{
    for (;; p++) {
        const uint64_t e = index->entries[p &= index->mask];
        if ((uint32_t)e == tag || e == INDEX_NONE) return p;
    }
}

static inline uint32_t index_slot(const struct index *index, uint32_t p)
{
    return (uint32_t)(index->entries[p] >> 32);
}

#endif
