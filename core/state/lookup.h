/*
 * lookup.h - what lookups in any table (lookup.c) and those in the table of a batch
 * (lookup_batch.c) share.
 */
#ifndef WEIR_CORE_STATE_LOOKUP_H
#define WEIR_CORE_STATE_LOOKUP_H

#include "core/state/hash.h"
#include "core/state/table.h"

#define ALWAYS static inline __attribute__((always_inline))
#define RARE __attribute__((noinline))
#define BLOCK 64u

/* What a pass over a block is to do besides looking up. */
#define MAKE 1 /* missing keys */
#define MARK 2 /* the slots as changed */

/* A key whose first entry was not it. */
int32_t lookup_again(int what, struct table *t, uint32_t tag, const uint8_t *image, uint32_t *slot);

/*
 * Looks up rows of a call in a table of a batch, the first `*done` of n, as far as it can do it
 * fast; OK or FATAL. Slots that are missing are WEIR_NO_SLOT, or made.
 */
int32_t lookup_batch(int what, struct table *t, const struct ArrowArray *const *keys,
                     const uint32_t *selection, uint32_t n, uint32_t *slots, uint32_t *done);

/* ---- hashes of the table of a batch, which nobody else sees ---- */

/* Both halves of the product, mixed: 16 bytes at a time (as wyhash does). The halves are taken
 * apart, as gcc 12 stores and reads again a product of which it is to give both. */
ALWAYS uint64_t fold(uint64_t a, uint64_t b)
{
    return a * b ^ (uint64_t)((unsigned __int128)a * b >> 64);
}

#define FOLD_A 0x9e3779b97f4a7c15ull
#define FOLD_B 0xe7037ed1a0b428dbull

/*
 * The tag. The low half of a fold of words at equal distances goes on by equal distances, too, and
 * home is its top: with 2 of 100 seeds (which are random) 4,000 keys came to lie in a few heaps, up
 * to 400 further entries per key. Bits 32 to 63 of another product have no such seeds: 0.16 of 300
 * seeds and 13 distances, 0.2 at worst; chance gives 0.17. It is even, so that no key has the tag
 * of an empty entry.
 */
ALWAYS uint32_t tag_of(uint64_t folded)
{
    return (uint32_t)(folded * FOLD_B >> 32) & 0xfffffffeu;
}

/* Of a text of up to CELL_SHORT bytes; `head` says whether it is null. */
ALWAYS uint32_t tag_of_short(uint64_t seed, const struct cell *cell, uint64_t head)
{
    return tag_of(fold(cell->low ^ seed ^ FOLD_A, cell->high ^ head ^ (seed * FOLD_A) ^ FOLD_B));
}

ALWAYS uint32_t tag_of_cell(uint64_t seed, const struct cell *cell, uint64_t head)
{
    if (cell_is_long(cell)) {
        const struct weir_bytes b = cell_bytes(cell, NULL);
        return (uint32_t)hash_bytes(seed, 0, 0, b.data, b.length) & 0xfffffffeu;
    }
    return tag_of_short(seed, cell, head);
}

ALWAYS uint32_t tag_of_word(uint64_t seed, uint64_t word, uint64_t head)
{
    return tag_of(fold(word ^ seed ^ FOLD_A, head ^ (seed * FOLD_A) ^ FOLD_B));
}

#endif
