/*
 * digits.h - the bytes of a word at once.
 */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <stdint.h>

#define EACH_BYTE(b) (0x0101010101010101ull * (b))

/* Eight digits, the first one in the lowest byte (as simdjson does): in pairs, fours and eights. 0: not
 * all are digits. */
static inline int eight_digits(uint64_t word, uint64_t *out)
{
    if ((word & EACH_BYTE(0xf0)) != EACH_BYTE('0') ||
        ((word + EACH_BYTE(6)) & EACH_BYTE(0xf0)) != EACH_BYTE('0'))
        return 0;
    word = (word & EACH_BYTE(0x0f)) * 2561 >> 8;
    word = (word & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
    *out = (word & 0x0000ffff0000ffffull) * 42949672960001ull >> 32;
    return 1;
}

#endif
