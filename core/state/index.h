/*
 * index.h - from the hash of a key to its slot.
 *
 * Open addressing with linear probing over entries of 8 bytes, {slot, tag}. The tag is the low half of the hash (the
 * group comes from its top), the home of an entry tag * entries / 2^32: growing and deleting need no look
 * at keys, and a foreign key passes the tag once in 2^32 / entries compares. Any number of entries will do
 * then, and as homes rise with tags, growing walks through both arrays in order.
 *
 * State, which stays, uses up to four fifths of the entries and grows by an eighth, so that it takes 10 to 11.3 bytes
 * per key; a batch's table uses a half, and a quarter while that fits into the second cache, and doubles: the more lie
 * in their first place, the fewer branches are foreseen wrongly. Deletion shifts the entries behind
 * back (Knuth, TAOCP 3, 6.4 R), so there are no tombstones.
 */
#ifndef WEIR_CORE_INDEX_H
#define WEIR_CORE_INDEX_H

#include "core/state/memory.h"

#include <weir/state.h>

#define INDEX_NONE UINT64_MAX /* slot WEIR_NO_SLOT */

struct index {
    uint64_t *entries; /* slot << 32 | tag */
    uint32_t size, used;
    uint32_t roomy;  /* 1: a batch's table */
    uint32_t sparse; /* up to so many entries only one quarter is used */
};

void index_fini(struct index *index, struct memory *memory);
void index_empty(struct index *index); /* keeps the memory */
int32_t index_room(struct index *index, struct memory *memory, uint64_t more); /* OK or FATAL */
void index_add(struct index *index, uint32_t tag, uint32_t slot); /* after index_room */
void index_remove(struct index *index, uint32_t tag, uint32_t slot); /* which is there */

static inline uint32_t index_home(const struct index *index, uint32_t tag)
{
    return (uint32_t)((uint64_t)tag * index->size >> 32);
}

static inline uint32_t index_next(const struct index *index, uint32_t p)
{
    return p + 1 == index->size ? 0 : p + 1;
}

#define INDEX_WINDOW 8u

#ifdef __SSE2__
#include <emmintrin.h>

/* Bits of those of INDEX_WINDOW entries that have the tag. */
static inline uint32_t index_tags(const uint64_t *entries, uint32_t tag)
{
    const __m128i want = _mm_set1_epi32((int)tag);
    const __m128i *at = (const __m128i *)(const void *)entries;
    const __m128 a = _mm_castsi128_ps(_mm_loadu_si128(at)), b = _mm_castsi128_ps(_mm_loadu_si128(at + 1));
    const __m128 c = _mm_castsi128_ps(_mm_loadu_si128(at + 2)), d = _mm_castsi128_ps(_mm_loadu_si128(at + 3));
    const __m128i low = _mm_cmpeq_epi32(_mm_castps_si128(_mm_shuffle_ps(a, b, 0x88)), want);
    const __m128i high = _mm_cmpeq_epi32(_mm_castps_si128(_mm_shuffle_ps(c, d, 0x88)), want);
    return (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(low)) |
           (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(high)) << 4;
}
#endif

/* Place of the first entry with the tag, from place p on; of an empty one if there is none. */
static inline uint32_t index_probe(const struct index *index, uint32_t tag, uint32_t p)
{
    for (;; p = index_next(index, p)) {
        const uint64_t e = index->entries[p];
        if ((uint32_t)e == tag || e == INDEX_NONE) return p;
    }
}

static inline uint32_t index_slot(const struct index *index, uint32_t p)
{
    return (uint32_t)(index->entries[p] >> 32);
}

/* Place of the first empty entry from p on; there is one. (Not in windows: where an index grows they would read what was
 * written just before in other widths, and wait for it.) */
static inline uint32_t index_free(const struct index *index, uint32_t p)
{
    while (index->entries[p] != INDEX_NONE) p = index_next(index, p);
    return p;
}

/* Slot of the first entry with the tag, WEIR_NO_SLOT if there is none. Which of the entries behind its home a tag has is
 * chance, so a branch per entry would be foreseen wrongly at every other key: INDEX_WINDOW are compared at once.
 * (Entries with one tag have one home, so no empty entry lies before them.) */
static inline uint32_t index_first(const struct index *index, uint32_t tag)
{
    uint32_t p = index_home(index, tag);
#ifdef __SSE2__
    if (__builtin_expect(p + INDEX_WINDOW <= index->size, 1)) {
        const uint32_t found = index_tags(index->entries + p, tag);
        if (__builtin_expect(found != 0, 1)) return index_slot(index, p + (uint32_t)__builtin_ctz(found));
    }
#endif
    return index_slot(index, index_probe(index, tag, p));
}

#endif
