/*
 * utf8.c - is it UTF-8?
 *
 * The Unicode standard, table 3-7: well-formed sequences, no surrogates, no overlong forms, nothing
 * above U+10FFFF. Runs of ASCII go 32 bytes at a time; behind a longer character the loop tries
 * again at once, since text in other scripts still has runs of it.
 */
#include "core/data/array.h"

#define HIGH 0x8080808080808080ull

static uint64_t load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Bytes of ASCII at the front. */
static uint64_t ascii_run(const uint8_t *p, uint64_t n)
{
    uint64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        uint64_t all = load(p + i) | load(p + i + 8) | load(p + i + 16) | load(p + i + 24);
        if (all & HIGH) break;
    }
    while (i + 8 <= n && !(load(p + i) & HIGH)) i += 8;
    while (i < n && p[i] < 0x80) i++;
    return i;
}

static int follows(uint8_t b) { return (b & 0xc0) == 0x80; }

/* Bytes of the well-formed character of two or more bytes at p, 0 if it is none. */
static uint32_t sequence(const uint8_t *p, uint64_t n)
{
    uint8_t a = p[0];
    if (a < 0xc2 || n < 2) return 0;
    if (a < 0xe0) return follows(p[1]) ? 2 : 0;
    if (a < 0xf0) {
        if (n < 3 || !follows(p[1]) || !follows(p[2])) return 0;
        if (a == 0xe0 && p[1] < 0xa0) return 0; /* overlong */
        if (a == 0xed && p[1] > 0x9f) return 0; /* surrogate */
        return 3;
    }
    if (a > 0xf4 || n < 4 || !follows(p[1]) || !follows(p[2]) || !follows(p[3])) return 0;
    if (a == 0xf0 && p[1] < 0x90) return 0; /* overlong */
    if (a == 0xf4 && p[1] > 0x8f) return 0; /* above U+10FFFF */
    return 4;
}

int utf8_valid(const uint8_t *bytes, uint64_t n)
{
    uint64_t i = 0;
    while (i < n) {
        if (bytes[i] < 0x80) {
            i += ascii_run(bytes + i, n - i);
        } else {
            uint32_t length = sequence(bytes + i, n - i);
            if (!length) return 0;
            i += length;
        }
    }
    return 1;
}
