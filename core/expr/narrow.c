/*
 * narrow.c - rows whose integer compares to a constant, all rows of a column, with AVX-512: a step compares 16
 * values (8 of 64 bits), and the numbers of the rows that hold move together by one compression. The list
 * never runs ahead of the rows, so that full stores stay within it; the last step stores what counts alone.
 */
#include "core/expr/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,popcnt")))

#define NARROW(op, predicate)                                                                      \
    AVX512 static uint32_t narrow_##op##_32(const int32_t *a, int32_t c, uint32_t n,               \
                                            uint32_t *rows)                                        \
    {                                                                                              \
        const __m512i y = _mm512_set1_epi32(c), step = _mm512_set1_epi32(16);                      \
        __m512i row = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);      \
        uint32_t i = 0, k = 0;                                                                     \
        for (; i + 16 <= n; i += 16) {                                                             \
            const __m512i x = _mm512_loadu_si512(a + i);                                           \
            const __mmask16 m = _mm512_cmp_epi32_mask(x, y, predicate);                            \
            _mm512_storeu_si512(rows + k, _mm512_maskz_compress_epi32(m, row));                    \
            k += (uint32_t)__builtin_popcount(m);                                                  \
            row = _mm512_add_epi32(row, step);                                                     \
        }                                                                                          \
        const __mmask16 last = (__mmask16)((1u << (n - i)) - 1);                                   \
        const __m512i x = _mm512_maskz_loadu_epi32(last, a + i);                                   \
        const __mmask16 m = _mm512_mask_cmp_epi32_mask(last, x, y, predicate);                     \
        _mm512_mask_compressstoreu_epi32(rows + k, m, row);                                        \
        return k + (uint32_t)__builtin_popcount(m);                                                \
    }                                                                                              \
    AVX512 static uint32_t narrow_##op##_64(const int64_t *a, int64_t c, uint32_t n,               \
                                            uint32_t *rows)                                        \
    {                                                                                              \
        const __m512i y = _mm512_set1_epi64(c);                                                    \
        const __m256i step = _mm256_set1_epi32(8);                                                 \
        __m256i row = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);                                    \
        uint32_t i = 0, k = 0;                                                                     \
        for (; i + 8 <= n; i += 8) {                                                               \
            const __m512i x = _mm512_loadu_si512(a + i);                                           \
            const __mmask8 m = _mm512_cmp_epi64_mask(x, y, predicate);                             \
            _mm256_storeu_si256((__m256i *)(void *)(rows + k),                                     \
                                _mm256_maskz_compress_epi32(m, row));                              \
            k += (uint32_t)__builtin_popcount(m);                                                  \
            row = _mm256_add_epi32(row, step);                                                     \
        }                                                                                          \
        const __mmask8 last = (__mmask8)((1u << (n - i)) - 1);                                     \
        const __m512i x = _mm512_maskz_loadu_epi64(last, a + i);                                   \
        const __mmask8 m = _mm512_mask_cmp_epi64_mask(last, x, y, predicate);                      \
        _mm256_mask_compressstoreu_epi32(rows + k, m, row);                                        \
        return k + (uint32_t)__builtin_popcount(m);                                                \
    }

NARROW(eq, _MM_CMPINT_EQ)
NARROW(ne, _MM_CMPINT_NE)
NARROW(lt, _MM_CMPINT_LT)
NARROW(le, _MM_CMPINT_LE)
NARROW(gt, _MM_CMPINT_NLE)
NARROW(ge, _MM_CMPINT_NLT)

#define CASE(OP, op)                                                                               \
    case OP:                                                                                       \
        *out = width == 4 ? narrow_##op##_32(a, *(const int32_t *)c, n, rows)                      \
                          : narrow_##op##_64(a, *(const int64_t *)c, n, rows);                     \
        return 1;

int narrow_ints(uint32_t op, uint32_t width, const void *a, const void *c, uint32_t n,
                uint32_t *rows, uint32_t *out)
{
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl")) return 0;
    switch (op) {
        CASE(EQ, eq)
        CASE(NE, ne)
        CASE(LT, lt)
        CASE(LE, le)
        CASE(GT, gt)
        CASE(GE, ge)
    default: return 0;
    }
}

#else

int narrow_ints(uint32_t op, uint32_t width, const void *a, const void *c, uint32_t n,
                uint32_t *rows, uint32_t *out)
{
    (void)op, (void)width, (void)a, (void)c, (void)n, (void)rows, (void)out;
    return 0;
}

#endif
