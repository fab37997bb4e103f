/*
 * direct.h - slots of integer keys by their value: an array in place of a hash table.
 *
 * A table of a batch whose keys are words (integers, times) often has one column of them within a small range (a
 * number of a campaign, of a device) and others that hardly change from row to row (the start of a window, as
 * event times rise). While that is so, slots[value - base] is the slot of (value, rest).
 *
 *  1. The index has all keys in any case: an entry that is WEIR_NO_SLOT says nothing. So the array may be made, left
 *     and made anew at any time, and a key outside of it is looked up in the index.
 *  2. It is made from the rows of one call: all but one column have the value of the first row in three quarters of
 *     the rows, and that one varies by less than DIRECT_MOST and by not much more than there are rows.
 *  3. Where a quarter of 64 rows lie outside, the rest of the call goes through the index, and the next call
 *     makes it anew, or tries again later and later.
 *  4. Only calls that insert change it, so several threads may look up.
 */
#ifndef WEIR_CORE_STATE_DIRECT_H
#define WEIR_CORE_STATE_DIRECT_H

#include "core/state/memory.h"

#define DIRECT_COLUMNS 3u
#define DIRECT_MOST 65536u

/* Key columns of 8 bytes without nulls. */
struct words {
    const uint64_t *columns[DIRECT_COLUMNS];
    uint32_t n;
};

struct direct {
    uint32_t *slots; /* size + 1 entries, the last is WEIR_NO_SLOT; NULL: none */
    uint64_t base;
    uint32_t size;
    uint32_t column;                 /* the one that varies */
    uint64_t rest[DIRECT_COLUMNS];   /* of the others, by column */
    uint32_t strays;  /* rows of the calls since it was made that lay outside */
    uint32_t left;    /* 1: too many of them */
    uint32_t tries, wait; /* in vain, and calls until the next */
};

struct table;

/* Before a call that inserts n rows: makes the array, where there is none or it was left. Without memory there is
 * none. */
void direct_prepare(struct table *table, const struct words *words, const uint32_t *selection,
                    uint32_t n);
/* A key that is in the index now. */
void direct_note(struct direct *direct, const struct words *words, uint32_t row, uint32_t slot);
void direct_empty(struct direct *direct);
void direct_free(struct table *table);

#endif
