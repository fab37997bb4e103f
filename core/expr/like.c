/*
 * like.c - patterns of `like`: % any text, _ one code point, \x the character x itself.
 *
 * Most patterns are a plain text with % at an end; these become a comparison or a search. The
 * others run the usual two-pointer match: on a mismatch go back to the last %, let it take one more
 * code point, and try again. That is at most text times pattern steps, without recursion.
 */
#define _GNU_SOURCE
#include "core/expr/tree.h"

enum like_form { LIKE_EQUAL, LIKE_PREFIX, LIKE_SUFFIX, LIKE_CONTAINS, LIKE_ANY, LIKE_GENERAL };

enum { PART_BYTE, PART_ONE, PART_MANY };

struct like {
    enum like_form form;
    uint64_t n;     /* bytes of `bytes` */
    uint8_t *bytes; /* the plain text; of general patterns the byte of each part */
    uint8_t *parts; /* general patterns: PART_… */
};

static enum like_form form_of(const uint8_t *parts, uint64_t n, uint64_t *from, uint64_t *to)
{
    uint64_t head = 0, tail = n, i;
    while (head < n && parts[head] == PART_MANY) head++;
    while (tail > head && parts[tail - 1] == PART_MANY) tail--;
    for (i = head; i < tail; i++)
        if (parts[i] != PART_BYTE) return LIKE_GENERAL;
    *from = head;
    *to = tail;
    if (head == tail && n > 0) return LIKE_ANY;
    if (head > 0) return tail < n ? LIKE_CONTAINS : LIKE_SUFFIX;
    return tail < n ? LIKE_PREFIX : LIKE_EQUAL;
}

const struct like *like_compile(struct arena *arena, const uint8_t *pattern, uint64_t n,
                                int *problem)
{
    struct like *like = arena_alloc(arena, sizeof *like);
    uint8_t *bytes = arena_alloc(arena, n + 1), *parts = arena_alloc(arena, n + 1);
    uint64_t i, k = 0, from = 0, to = 0;
    *problem = 0;
    if (!like || !bytes || !parts) return NULL;
    for (i = 0; i < n; i++, k++) {
        parts[k] = pattern[i] == '%' ? PART_MANY : pattern[i] == '_' ? PART_ONE : PART_BYTE;
        if (pattern[i] == '\\') {
            if (++i == n) {
                *problem = 1;
                return NULL;
            }
        }
        bytes[k] = pattern[i];
    }
    like->form = form_of(parts, k, &from, &to);
    like->parts = parts;
    like->bytes = bytes;
    like->n = k;
    if (like->form != LIKE_GENERAL) {
        like->bytes = bytes + from;
        like->n = to - from;
    }
    return like;
}

static uint64_t next_point(const uint8_t *text, uint64_t n, uint64_t i)
{
    for (i++; i < n && (text[i] & 0xc0) == 0x80;) i++;
    return i;
}

static int match_general(const struct like *like, const uint8_t *text, uint64_t n)
{
    uint64_t t = 0, p = 0, back_t = 0, back_p = UINT64_MAX;
    for (;;) {
        if (p < like->n && like->parts[p] == PART_MANY) {
            back_p = ++p;
            back_t = t;
        } else if (t == n && p == like->n) {
            return 1;
        } else if (t < n && p < like->n && like->parts[p] == PART_ONE) {
            t = next_point(text, n, t);
            p++;
        } else if (t < n && p < like->n && like->bytes[p] == text[t]) {
            t++;
            p++;
        } else if (back_p != UINT64_MAX && back_t < n) {
            t = back_t = next_point(text, n, back_t);
            p = back_p;
        } else {
            return 0;
        }
    }
}

int like_match(const struct like *like, const uint8_t *text, uint64_t n)
{
    const uint64_t m = like->n;
    switch (like->form) {
    case LIKE_EQUAL: return n == m && memcmp(text, like->bytes, m) == 0;
    case LIKE_PREFIX: return n >= m && memcmp(text, like->bytes, m) == 0;
    case LIKE_SUFFIX: return n >= m && memcmp(text + (n - m), like->bytes, m) == 0;
    case LIKE_CONTAINS: return n >= m && memmem(text, n, like->bytes, m) != NULL;
    case LIKE_ANY: return 1;
    default: return match_general(like, text, n);
    }
}
