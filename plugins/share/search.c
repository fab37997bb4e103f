/*
 * search.c - search for a short text by its first and its last byte (W. Muła, "SIMD-friendly
 * algorithms for substring searching").
 *
 * 32 places at a time: those where s[i] is the first byte of x and s[i + m - 1] its last are
 * compared in full. Two unequal bytes far from each other rarely match together, so most steps
 * compare nothing. No byte behind the n of s is read: what is left at the end goes place by place.
 */
#define _GNU_SOURCE
#include "plugins/share/search.h"

#include <string.h>

uint64_t search_bytes_plain(const uint8_t *s, uint64_t n, const uint8_t *x, uint64_t m,
                            uint64_t from)
{
    while (from < n && n - from >= m) {
        const uint8_t *at = memchr(s + from, x[0], n - from - m + 1);
        if (!at) return SEARCH_NONE;
        if (memcmp(at, x, m) == 0) return (uint64_t)(at - s);
        from = (uint64_t)(at - s) + 1;
    }
    return SEARCH_NONE;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,bmi"))) static uint64_t search_avx2(const uint8_t *s, uint64_t n,
                                                                const uint8_t *x, uint64_t m,
                                                                uint64_t from)
{
    const __m256i first = _mm256_set1_epi8((char)x[0]);
    const __m256i last = _mm256_set1_epi8((char)x[m - 1]);
    for (; from + m + 31 <= n; from += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(s + from));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + from + m - 1));
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(
            _mm256_and_si256(_mm256_cmpeq_epi8(a, first), _mm256_cmpeq_epi8(b, last)));
        for (; hits; hits &= hits - 1) {
            const uint64_t at = from + (uint64_t)__builtin_ctz(hits);
            if (memcmp(s + at, x, m) == 0) return at;
        }
    }
    return search_bytes_plain(s, n, x, m, from);
}

uint64_t search_bytes(const uint8_t *s, uint64_t n, const uint8_t *x, uint64_t m, uint64_t from)
{
    if (n < m || from > n - m) return SEARCH_NONE;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
        return search_avx2(s, n, x, m, from);
    return search_bytes_plain(s, n, x, m, from);
}

#else

uint64_t search_bytes(const uint8_t *s, uint64_t n, const uint8_t *x, uint64_t m, uint64_t from)
{
    return search_bytes_plain(s, n, x, m, from);
}

#endif
