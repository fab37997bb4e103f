/*
 * direct.h - slots of integer keys by their value: an array in place of a hash table.
 *
 * A table of a batch whose keys are words (integers, times) often has one column of them within a
 * small range (a number of a campaign, of a device) and others that hardly change from row to row
 * (the start of a window, as event times rise). While that is so, slots[value - base] is the slot
 * of (value, rest).
 *
 *  1. The index has all keys in any case: an entry that is WEIR_NO_SLOT says nothing. So the array
 *     may be made, left and made anew at any time, and a key outside of it is looked up in the
 *     index.
 *  2. It is made from the rows of one call: all but one column have the value of the first row in
 *     three quarters of the rows, and the values of that one lie within DIRECT_RANGE, and within
 *     DIRECT_SPREAD times the number of rows. Of a call whose rows are not so nothing is made, and
 *     after each such call more calls pass until the next is looked at.
 *  3. Where a quarter of a block of rows lie outside (lookup_batch.c), the rest of the call goes
 *     through the index, and a later call makes it anew. That looks at every key of the table, so
 *     there must have been as many rows since the last time: all makings together look at no more
 *     keys than there were rows, also where keys rise for ever and every array is left at once.
 *  4. Only calls that insert change it, so several threads may look up.
 */
#ifndef WEIR_CORE_STATE_DIRECT_H
#define WEIR_CORE_STATE_DIRECT_H

#include "core/state/memory.h"

#define DIRECT_COLUMNS 3u
#define DIRECT_MOST 65536u              /* entries: 256 KiB, which stay in the second cache */
#define DIRECT_RANGE (DIRECT_MOST / 2u) /* of the values it is made for: the rest is room */
#define DIRECT_SPREAD 16u               /* values per row: a cache line of entries to empty */

/* Key columns of 8 bytes without nulls. */
struct words {
    const uint64_t *columns[DIRECT_COLUMNS];
    uint32_t n;
};

struct direct {
    uint32_t *slots; /* size + 1 entries, the last is WEIR_NO_SLOT; NULL: none */
    uint64_t base;
    uint32_t size;
    uint32_t column;               /* the one that varies */
    uint64_t rest[DIRECT_COLUMNS]; /* of the others, by column */
    uint32_t strays;               /* rows of the calls since it was made that lay outside */
    uint32_t left;                 /* 1: too many of them */
    uint32_t tries, wait;          /* in vain, and calls until the next */
    uint64_t rows;                 /* of calls since it was made */
    uint64_t visits;               /* keys that were looked at to make it, all times */
};

struct table;

/*
 * Purpose: before a call that inserts n rows: makes the array where there is none or it was left.
 * Thread: the table's, while nobody looks up.
 * Ownership: words and selection (NULL: the first n rows) are borrowed; the array is the table's,
 *   until direct_free.
 * Errors: none; without memory there is no array.
 */
void direct_prepare(struct table *table, const struct words *words, const uint32_t *selection,
                    uint32_t n);

/* Purpose: takes in the key of a row, which is in the index at `slot`; there is an array.
 * Thread: the table's, while nobody looks up. */
void direct_note(struct direct *direct, const struct words *words, uint32_t row, uint32_t slot);

/* Purpose: forgets all keys, as the table does; base and size stay. NULL and one without an array
 *   are allowed.
 * Thread: the table's, while nobody looks up. */
void direct_empty(struct direct *direct);

/* Purpose: gives array and `table->direct`, which may be NULL, back to the table's memory.
 * Thread: the table's, while nobody looks up. */
void direct_free(struct table *table);

#endif
