/*
 * words.c - words by bit masks, 64 bytes a step.
 *
 * Rows that follow each other lie behind each other in one buffer, so a walk goes over bytes and
 * does not start anew at each row. Of 64 bytes two masks are made:
 *
 *   W  bit i: byte i is white space (9 to 13, 32)
 *   B  bit i: a row begins at byte i
 *
 * With N = ~W and P = N << 1 | (a word is open), the bytes behind one that belongs to a word:
 *
 *   starts = N & (~P | B)     ends (exclusive) = P & (W | B)
 *
 * Starts and ends alternate over the whole walk, a start first, so they are written into two lists
 * without looking from one to the other. The last step works on a copy filled up with blanks, so no
 * byte behind the text is read and the last word ends like any other. Bytes of UTF-8 beyond ASCII
 * are 128 and more and never white space.
 */
#include "plugins/operator_basic/words.h"

#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))

typedef uint64_t (*spaces_fn)(const uint8_t *bytes);
typedef uint32_t *(*places_fn)(uint32_t *out, uint64_t mask, uint32_t base);

ALWAYS uint64_t spaces_plain(const uint8_t *bytes)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < WORDS_BLOCK; i++)
        mask |= (uint64_t)(bytes[i] == ' ' || (uint8_t)(bytes[i] - 9) < 5) << i;
    return mask;
}

/* Places of the bits; eight at a time, so that the usual number of words is no branch. */
ALWAYS uint32_t *places_by_bit(uint32_t *out, uint64_t mask, uint32_t base)
{
    uint32_t n = (uint32_t)__builtin_popcountll(mask);
    for (uint32_t k = 0; k < n; k += 8)
        for (int i = 0; i < 8; i++) {
            out[k + (uint32_t)i] = base + (uint32_t)__builtin_ctzll(mask | (uint64_t)1 << 63);
            mask &= mask - 1;
        }
    return out + n;
}

ALWAYS void find(struct words *w, uint32_t limit, spaces_fn spaces, places_fn places)
{
    uint8_t last[WORDS_BLOCK];
    uint32_t *ends = w->ends + w->n, *starts = w->starts + w->n + w->open;
    const uint32_t *full = w->ends + limit;
    uint64_t open = w->open;
    while (w->at < w->end && ends < full) {
        const uint8_t *bytes = w->bytes + w->at;
        uint64_t begins = 0, blank, before;
        if (w->end - w->at < WORDS_BLOCK) {
            memset(last, ' ', sizeof last);
            memcpy(last, bytes, w->end - w->at);
            bytes = last;
        }
        for (; w->row < w->until && (uint32_t)w->offsets[w->row] - w->at < WORDS_BLOCK; w->row++)
            begins |= (uint64_t)1 << ((uint32_t)w->offsets[w->row] - w->at);
        blank = spaces(bytes);
        before = ~blank << 1 | open;
        starts = places(starts, ~blank & (~before | begins), w->at);
        ends = places(ends, before & (blank | begins), w->at);
        open = ~blank >> 63;
        w->at = bytes == last ? w->end : w->at + WORDS_BLOCK;
    }
    if (w->at == w->end && open) {
        *ends++ = w->end;
        open = 0;
    }
    w->open = (uint32_t)open;
    w->n = (uint32_t)(ends - w->ends);
}

void words_begin(struct words *words, uint32_t row, uint32_t until)
{
    words->row = row;
    words->until = until;
    words->at = (uint32_t)words->offsets[row];
    words->end = (uint32_t)words->offsets[until];
    words->open = 0;
}

static void find_plain(struct words *words, uint32_t limit)
{
    find(words, limit, spaces_plain, places_by_bit);
}

#if defined(__x86_64__)
#include <immintrin.h>

ALWAYS uint64_t spaces_sse2(const uint8_t *bytes)
{
    const __m128i blank = _mm_set1_epi8(' '), nine = _mm_set1_epi8(9), four = _mm_set1_epi8(4);
    uint64_t mask = 0;
    for (uint32_t i = 0; i < WORDS_BLOCK; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
        __m128i from9 = _mm_sub_epi8(x, nine);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(x, blank),
                                  _mm_cmpeq_epi8(_mm_min_epu8(from9, four), from9));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << i;
    }
    return mask;
}

__attribute__((target("avx2,bmi,popcnt"))) static inline uint64_t spaces_avx2(const uint8_t *bytes)
{
    const __m256i blank = _mm256_set1_epi8(' '), nine = _mm256_set1_epi8(9);
    const __m256i four = _mm256_set1_epi8(4);
    uint64_t mask = 0;
    for (uint32_t i = 0; i < WORDS_BLOCK; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + i));
        __m256i from9 = _mm256_sub_epi8(x, nine);
        __m256i is = _mm256_or_si256(_mm256_cmpeq_epi8(x, blank),
                                     _mm256_cmpeq_epi8(_mm256_min_epu8(from9, four), from9));
        mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(is) << i;
    }
    return mask;
}

__attribute__((target("avx2,bmi,popcnt"))) static void find_avx2(struct words *words,
                                                                 uint32_t limit)
{
    find(words, limit, spaces_avx2, places_by_bit);
}

/* ---- AVX-512 of 2019 (VBMI2): bytes whose bit is set move together, so places are the numbers 0 to 63 compressed ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))

AVX512 static inline uint64_t spaces_avx512(const uint8_t *bytes)
{
    const __m512i x = _mm512_loadu_si512(bytes), from9 = _mm512_sub_epi8(x, _mm512_set1_epi8(9));
    return _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(' ')) |
           _mm512_cmplt_epu8_mask(from9, _mm512_set1_epi8(5));
}

AVX512 static inline uint32_t *places_avx512(uint32_t *out, uint64_t mask, uint32_t base)
{
    static const uint8_t numbers[WORDS_BLOCK] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63
    };
    const __m512i from = _mm512_set1_epi32((int32_t)base);
    __m512i at = _mm512_maskz_compress_epi8(mask, _mm512_loadu_si512(numbers));
    const uint32_t n = (uint32_t)__builtin_popcountll(mask);
    for (uint32_t k = 0; k < n; k += 16) {
        const __m512i some = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(at));
        _mm512_storeu_si512(out + k, _mm512_add_epi32(some, from));
        at = _mm512_shuffle_i32x4(at, at, 0x39); /* the next 16 to the front */
    }
    return out + n;
}

AVX512 static void find_avx512(struct words *words, uint32_t limit)
{
    find(words, limit, spaces_avx512, places_avx512);
}

AVX512 static void copy_avx512(const uint8_t *bytes, uint32_t from, uint32_t to, uint8_t *out)
{
    uint8_t last[WORDS_BLOCK];
    for (uint32_t at = from; at < to; at += WORDS_BLOCK) {
        const uint8_t *block = bytes + at;
        if (to - at < WORDS_BLOCK) {
            memset(last, ' ', sizeof last);
            block = memcpy(last, block, to - at);
        }
        const uint64_t letters = ~spaces_avx512(block);
        const __m512i x = _mm512_loadu_si512(block);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(letters, x));
        out += __builtin_popcountll(letters);
    }
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw");
}

static void find_sse2(struct words *words, uint32_t limit)
{
    find(words, limit, spaces_sse2, places_by_bit);
}

int words_find_by(uint32_t kernel, struct words *words, uint32_t limit)
{
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                     __builtin_cpu_supports("popcnt");
    if (kernel == 0) find_plain(words, limit);
    else if (kernel == 1) find_sse2(words, limit);
    else if (kernel == 2 && avx2) find_avx2(words, limit);
    else if (kernel == 3 && has_avx512()) find_avx512(words, limit);
    else return 0;
    return 1;
}

int words_copy(const uint8_t *bytes, uint32_t from, uint32_t to, uint8_t *out)
{
    if (!has_avx512()) return 0;
    copy_avx512(bytes, from, to, out);
    return 1;
}

#else

int words_find_by(uint32_t kernel, struct words *words, uint32_t limit)
{
    if (kernel == 0) find_plain(words, limit);
    return kernel == 0;
}

int words_copy(const uint8_t *bytes, uint32_t from, uint32_t to, uint8_t *out)
{
    (void)bytes, (void)from, (void)to, (void)out;
    return 0;
}

#endif

void words_find(struct words *words, uint32_t limit)
{
    for (uint32_t kernel = WORDS_KERNELS - 1; !words_find_by(kernel, words, limit);) kernel--;
}
