/*
 * hash_words.c - weir.hash/1 of one column of words of 8 bytes without nulls, several at a time.
 *
 * XXH3 of 8 bytes with a seed is (xxhash.h, XXH3_len_4to8_64b): the halves of the word change places, bits
 * that depend on the seed alone are flipped, and two multiplications with shifts mix it. Rows do not depend on each
 * other, so the compiler's vectors do as many at once as a register has: eight rows in 22 instructions with AVX-512, one
 * in 21 without any.
 */
#include "core/state/hash.h"

#define PRIME 0x9fb21c651e98df25u /* of XXH3's rrmxmx */
#define FLIP 0xc73ab174c5ecd5a2u  /* bytes 8 to 15 of its secret, xor bytes 16 to 23 */

#define ROTATED(x, n) ((x) << (n) | (x) >> (64 - (n)))
/* x: the word before, its hash after. */
#define MIX(x, flip)                                                                               \
    do {                                                                                           \
        (x) = ROTATED(x, 32) ^ (flip);                                                             \
        (x) ^= ROTATED(x, 49) ^ ROTATED(x, 24);                                                    \
        (x) *= PRIME;                                                                              \
        (x) ^= ((x) >> 35) + 8;                                                                    \
        (x) *= PRIME;                                                                              \
        (x) ^= (x) >> 28;                                                                          \
    } while (0)

static uint64_t flip_of(uint64_t seed)
{
    return FLIP - (seed ^ (uint64_t)__builtin_bswap32((uint32_t)seed) << 32);
}

void hash_words_plain(uint64_t seed, const uint64_t *words, uint32_t n, uint64_t *out)
{
    const uint64_t flip = flip_of(seed);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = words[i];
        MIX(x, flip);
        out[i] = x;
    }
}

#if defined __x86_64__

/* `lanes` rows at once; the rest one by one. */
#define VECTORS(name, cpu, lanes)                                                                  \
    __attribute__((target(cpu))) static void name(uint64_t seed, const uint64_t *words,            \
                                                  uint32_t n, uint64_t *out)                       \
    {                                                                                              \
        typedef uint64_t vector __attribute__((vector_size((lanes) * 8), aligned(8), may_alias));  \
        const uint64_t flip = flip_of(seed);                                                       \
        uint32_t i = 0;                                                                            \
        for (; i + (lanes) <= n; i += (lanes)) {                                                   \
            vector x = *(const vector *)(const void *)(words + i);                                 \
            MIX(x, flip);                                                                          \
            *(vector *)(void *)(out + i) = x;                                                      \
        }                                                                                          \
        hash_words_plain(seed, words + i, n - i, out + i);                                         \
    }
VECTORS(hash_words_avx512, "avx512f,avx512dq", 8)
VECTORS(hash_words_avx2, "avx2", 4)

void hash_words(uint64_t seed, const uint64_t *words, uint32_t n, uint64_t *out)
{
    if (__builtin_cpu_supports("avx512dq")) hash_words_avx512(seed, words, n, out);
    else if (__builtin_cpu_supports("avx2")) hash_words_avx2(seed, words, n, out);
    else hash_words_plain(seed, words, n, out);
}

#else

void hash_words(uint64_t seed, const uint64_t *words, uint32_t n, uint64_t *out)
{
    hash_words_plain(seed, words, n, out);
}

#endif
