/*
 * words.h - where the words of rows begin and end: runs of bytes that are not ASCII white space.
 */
#ifndef OPERATOR_BASIC_WORDS_H
#define OPERATOR_BASIC_WORDS_H

#include <stdint.h>

#define WORDS_BLOCK 64u /* bytes looked at in one step */

/* A walk over the rows [row, until) of a text column, which lie one behind the other. `starts` and
 * `ends` have room for limit + WORDS_BLOCK entries: where every byte is a row, the last step from
 * limit - 1 finds WORDS_BLOCK words and the end of the walk one more. Entries behind the last one
 * are scribbled over. */
struct words {
    const uint8_t *bytes;
    const int32_t *offsets;
    uint32_t row, until; /* rows whose beginnings are still ahead */
    uint32_t at, end;    /* bytes still ahead */
    uint32_t open;       /* 1: starts[n] is a word whose end is ahead */
    uint32_t n;          /* words found: starts[i] to ends[i] */
    uint32_t *starts, *ends;
};

/* Begins a walk at rows [row, until), keeping starts, ends and n. */
void words_begin(struct words *words, uint32_t row, uint32_t until);

/* Goes on until there are `limit` words or more, or the walk is over (at == end, open == 0). */
void words_find(struct words *words, uint32_t limit);
/* The same by one kernel: 0 plain C, the greater the wider the vectors. 0: this machine has it
 * not. */
#define WORDS_KERNELS 4u
int words_find_by(uint32_t kernel, struct words *words, uint32_t limit);

/* Copies what is not white space of the bytes [from, to): words that all follow each other. `out`
 * has room for WORDS_BLOCK bytes more. 0: this machine can't do it faster than word by word, and
 * nothing was done. */
int words_copy(const uint8_t *bytes, uint32_t from, uint32_t to, uint8_t *out);

#endif
