/*
 * lines.c - a mask of 64 bits says where the line feeds of 64 bytes are; its set bits are taken off
 * one by one. The AVX2 form is chosen at run time; SSE2 belongs to every x86-64; elsewhere memchr.
 *
 * lines_skip only counts the bits; where there can't be an empty line, it counts bytes of
 * registers, which takes less than half as long.
 *
 * The bits of a mask are written before the count is looked at, so `ends` needs room for 64 more.
 */
#include "plugins/share/lines.h"

#include <string.h>

uint32_t lines_scan_plain(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                          uint64_t *scanned, int *high)
{
    uint64_t at = 0, i, seen = 0;
    uint32_t found = 0;
    while (at < n && found < most) {
        const uint8_t *end = memchr(text + at, '\n', n - at);
        if (!end) {
            at = n;
            break;
        }
        ends[found++] = (uint32_t)(end - text);
        at = (uint64_t)(end - text) + 1;
    }
    for (i = 0; i + 8 <= at; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        seen |= word;
    }
    for (; i < at; i++) seen |= text[i];
    if (seen & 0x8080808080808080ull) *high = 1;
    *scanned = at;
    return found;
}

uint64_t lines_skip_plain(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,
                          uint64_t *count)
{
    uint64_t at = 0;
    *count = 0;
    while (at < n && *count < most) {
        const uint8_t *feed = memchr(text + at, '\n', n - at);
        uint64_t length;
        if (!feed) break;
        length = (uint64_t)(feed - text) - at;
        if (count_empty || !(length == 0 || (length == 1 && text[at] == '\r'))) ++*count;
        at += length + 1;
    }
    return at;
}

uint64_t lines_count_plain(const uint8_t *text, uint64_t n, int *high)
{
    uint64_t i, found = 0, seen = 0;
    for (i = 0; i < n; i++) {
        found += text[i] == '\n';
        seen |= text[i];
    }
    if (seen & 0x80) *high = 1;
    return found;
}

#if defined(__x86_64__)
#include <immintrin.h>

struct mask {
    uint64_t feeds, highs;
};

static inline struct mask mask_sse2(const uint8_t *p)
{
    const __m128i feed = _mm_set1_epi8('\n');
    struct mask mask = { 0, 0 };
    int k;
    for (k = 0; k < 4; k++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k));
        mask.feeds |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, feed)) << (16 * k);
        mask.highs |= (uint64_t)(uint32_t)_mm_movemask_epi8(v) << (16 * k);
    }
    return mask;
}

__attribute__((target("avx2"))) static inline struct mask mask_avx2(const uint8_t *p)
{
    const __m256i feed = _mm256_set1_epi8('\n');
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    struct mask mask;
    mask.feeds = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, feed)) |
                 (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, feed)) << 32;
    mask.highs = (uint32_t)_mm256_movemask_epi8(a) |
                 (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
    return mask;
}

/* The loop around a mask, spelled once for both. */
#define SCAN(MASK)                                                                                 \
    uint64_t at = 0, highs = 0;                                                                    \
    uint32_t found = 0;                                                                            \
    for (; at < n; at += 64) {                                                                     \
        struct mask mask = MASK(text + at);                                                        \
        uint64_t here = n - at < 64 ? (1ull << (n - at)) - 1 : ~0ull;                              \
        uint64_t feeds = mask.feeds & here;                                                        \
        uint32_t base = (uint32_t)at;                                                              \
        while (feeds) {                                                                            \
            ends[found++] = base + (uint32_t)__builtin_ctzll(feeds);                               \
            feeds &= feeds - 1;                                                                    \
        }                                                                                          \
        if (found >= most) {                                                                       \
            uint32_t last = ends[most - 1];                                                        \
            *scanned = (uint64_t)last + 1;                                                         \
            here = last - base == 63 ? ~0ull : (1ull << (last - base + 1)) - 1;                    \
            if ((highs | (mask.highs & here)) != 0) *high = 1;                                     \
            return most;                                                                           \
        }                                                                                          \
        highs |= mask.highs & here;                                                                \
    }                                                                                              \
    if (highs) *high = 1;                                                                          \
    *scanned = n;                                                                                  \
    return found;

__attribute__((target("avx2,bmi"))) static uint32_t scan_avx2(const uint8_t *text, uint64_t n,
                                                              uint32_t *ends, uint32_t most,
                                                              uint64_t *scanned, int *high)
{
    SCAN(mask_avx2)
}

static uint32_t scan_sse2(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                          uint64_t *scanned, int *high)
{
    SCAN(mask_sse2)
}

/* Feeds are counted per byte of a register (each 0xff is -1), summed before one can run over. */
__attribute__((target("avx2"))) static uint64_t count_avx2(const uint8_t *text, uint64_t n,
                                                           int *high)
{
    const __m256i feed = _mm256_set1_epi8('\n'), zero = _mm256_setzero_si256();
    __m256i seen = zero, sums = zero;
    uint64_t at = 0, parts[4];
    while (n - at >= 32) {
        const uint64_t steps = (n - at) / 32 < 255 ? (n - at) / 32 : 255;
        __m256i found = zero;
        for (uint64_t k = 0; k < steps; k++, at += 32) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
            seen = _mm256_or_si256(seen, v);
            found = _mm256_sub_epi8(found, _mm256_cmpeq_epi8(v, feed));
        }
        sums = _mm256_add_epi64(sums, _mm256_sad_epu8(found, zero));
    }
    if (_mm256_movemask_epi8(seen)) *high = 1;
    _mm256_storeu_si256((__m256i *)(void *)parts, sums);
    return parts[0] + parts[1] + parts[2] + parts[3] + lines_count_plain(text + at, n - at, high);
}

uint64_t lines_count(const uint8_t *text, uint64_t n, int *high)
{
    return __builtin_cpu_supports("avx2") ? count_avx2(text, n, high)
                                          : lines_count_plain(text, n, high);
}

uint32_t lines_scan(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                    uint64_t *scanned, int *high)
{
    if (most == 0 || n == 0) {
        *scanned = 0;
        return 0;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
        return scan_avx2(text, n, ends, most, scanned, high);
    return scan_sse2(text, n, ends, most, scanned, high);
}

/* Masks of feeds and returns; of a feed whether its line is empty is seen from the two bytes before
 * it. */
#define SKIP(TARGET, NAME, MASKS)                                                                  \
    TARGET static uint64_t NAME(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,   \
                                uint64_t *count)                                                   \
    {                                                                                              \
        uint64_t at, end = 0, found = 0, feeds_before = 1, returns_before = 0;                     \
        uint64_t two_before = 0; /* bits 0: the byte before the last one was a feed */             \
        for (at = 0; at < n && found < most; at += 64) {                                           \
            uint64_t feeds, returns, lines, here, blank;                                           \
            MASKS(text + at, &feeds, &returns);                                                    \
            here = n - at < 64 ? (1ull << (n - at)) - 1 : ~0ull;                                   \
            feeds &= here;                                                                         \
            blank = (feeds << 1 | feeds_before) |                                                  \
                    ((returns << 1 | returns_before) &                                             \
                     (feeds << 2 | feeds_before << 1 | two_before));                               \
            lines = count_empty ? feeds : feeds & ~blank;                                          \
            if (found + (uint64_t)__builtin_popcountll(lines) >= most) {                           \
                for (; found + 1 < most; found++) lines &= lines - 1;                              \
                found++;                                                                           \
                end = at + (uint64_t)__builtin_ctzll(lines) + 1;                                   \
                break;                                                                             \
            }                                                                                      \
            found += (uint64_t)__builtin_popcountll(lines);                                        \
            if (feeds) end = at + 64 - (uint64_t)__builtin_clzll(feeds);                           \
            two_before = feeds >> 62 & 1;                                                          \
            feeds_before = feeds >> 63;                                                            \
            returns_before = returns >> 63;                                                        \
        }                                                                                          \
        *count = found;                                                                            \
        return end;                                                                                \
    }

static inline void masks_sse2(const uint8_t *p, uint64_t *feeds, uint64_t *returns)
{
    const __m128i feed = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
    int k;
    *feeds = *returns = 0;
    for (k = 0; k < 4; k++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k));
        *feeds |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, feed)) << (16 * k);
        *returns |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, cr)) << (16 * k);
    }
}

__attribute__((target("avx2"))) static inline void masks_avx2(const uint8_t *p, uint64_t *feeds,
                                                              uint64_t *returns)
{
    const __m256i feed = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    *feeds = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, feed)) |
             (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, feed)) << 32;
    *returns = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, cr)) |
               (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, cr)) << 32;
}

SKIP(, skip_sse2, masks_sse2)
SKIP(__attribute__((target("avx2,bmi,popcnt"))), skip_avx2, masks_avx2)

/* How many of n bytes are feeds. *odd is set to 1, and not all of them are looked at, if there are over
 * `most`, or one may end an empty line: it is the first byte, or behind a feed, a return, or another
 * byte up to that. */
__attribute__((target("avx2"))) static uint64_t feeds_avx2(const uint8_t *text, uint64_t n,
                                                           uint64_t most, int *odd)
{
    const __m256i feed = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
    const __m256i zero = _mm256_setzero_si256();
    uint64_t at = 1, found = 0, parts[4];
    *odd = text[0] == '\n';
    while (!*odd && n - at >= 32) {
        const uint64_t steps = (n - at) / 32 < 255 ? (n - at) / 32 : 255;
        __m256i seen = zero, sums = zero;
        for (uint64_t k = 0; k < steps; k++, at += 32) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
            const __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(text + at - 1));
            const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(before, cr), before);
            const __m256i feeds = _mm256_cmpeq_epi8(v, feed);
            seen = _mm256_or_si256(seen, _mm256_and_si256(feeds, low));
            sums = _mm256_sub_epi8(sums, feeds);
        }
        _mm256_storeu_si256((__m256i *)(void *)parts, _mm256_sad_epu8(sums, zero));
        found += parts[0] + parts[1] + parts[2] + parts[3];
        *odd = _mm256_movemask_epi8(seen) != 0 || found > most;
    }
    for (; !*odd && at < n; at++) {
        found += text[at] == '\n';
        *odd = (text[at] == '\n' && text[at - 1] <= '\r') || found > most;
    }
    return found;
}

/* lines_skip where no line is empty and `most` are not reached: 1. */
static int skip_all(const uint8_t *text, uint64_t n, uint64_t most, uint64_t *end, uint64_t *count)
{
    int odd = n == 0;
    *count = n ? feeds_avx2(text, n, most, &odd) : 0;
    if (odd) return 0;
    for (*end = n; *end && text[*end - 1] != '\n';) --*end;
    return 1;
}

uint64_t lines_skip(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,
                    uint64_t *count)
{
    uint64_t end;
    if (__builtin_cpu_supports("avx2") && skip_all(text, n, most, &end, count)) return end;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("popcnt"))
        return skip_avx2(text, n, most, count_empty, count);
    return skip_sse2(text, n, most, count_empty, count);
}

#else

uint64_t lines_count(const uint8_t *text, uint64_t n, int *high)
{
    return lines_count_plain(text, n, high);
}

uint32_t lines_scan(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                    uint64_t *scanned, int *high)
{
    return lines_scan_plain(text, n, ends, most, scanned, high);
}

uint64_t lines_skip(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,
                    uint64_t *count)
{
    return lines_skip_plain(text, n, most, count_empty, count);
}

#endif
