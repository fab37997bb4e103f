/*
 * hash.c - weir.hash/1. It decides in which group a key lies, so it is on disk: it never changes.
 * Another hash would be weir.hash/2. Vectors: tests/core/golden/hash_1.txt.
 *
 * Canonical bytes of a value:
 *
 *   bool, int32, int64, date, timestamp   the value as int64, 8 bytes, little-endian
 *   float64                               its IEEE 754 bits, 8 bytes, little-endian; -0 as 0, every
 *                                         NaN as 0x7ff8000000000000
 *   utf8, binary                          its bytes (none of an empty one)
 *   null, of any type                     the 8 bytes, little-endian, of 0x9ae16a3b2f90404f
 *
 * So int32 5, int64 5 and a date of day 5 hash alike: a column may be widened without moving keys.
 *
 * Hash of columns c0, c1, …:
 *
 *   h0   = XXH3_64bits(bytes(c0), seed)
 *   hi+1 = XXH3_64bits(hi as 8 bytes little-endian ‖ bytes(ci+1), seed)
 *   of no columns 0
 *
 * XXH3 (https://github.com/Cyan4973/xxHash, stable since 0.8.0) comes from the library's header,
 * inlined: with a constant length of 8 or 16 bytes it is a handful of multiplications.
 *
 * Group of a key: the top 8 bits. Tables (table.h) use the low 32.
 */
#include "core/state/hash.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NULL_BITS 0x9ae16a3b2f90404fu
#define FOLD_COPY 240u /* text of up to so many bytes is folded by copying it behind the hash */
#define ALWAYS static inline __attribute__((always_inline))

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "values are hashed as they lie in memory: this needs a swap on big-endian machines"
#endif

ALWAYS uint64_t add_fixed(uint64_t seed, int first, uint64_t h, uint64_t bits)
{
    uint64_t pair[2] = { h, bits };
    if (first) return XXH3_64bits_withSeed(&bits, 8, seed);
    return XXH3_64bits_withSeed(pair, 16, seed);
}

static uint64_t fold_long(uint64_t seed, uint64_t h, const uint8_t *bytes, uint64_t n)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    XXH3_64bits_update(&state, &h, sizeof h);
    XXH3_64bits_update(&state, bytes, n);
    return XXH3_64bits_digest(&state);
}

ALWAYS uint64_t add_bytes(uint64_t seed, int first, uint64_t h, const uint8_t *bytes, uint64_t n)
{
    uint8_t copy[8 + FOLD_COPY];
    if (first) return XXH3_64bits_withSeed(bytes, n, seed);
    if (n > FOLD_COPY) return fold_long(seed, h, bytes, n);
    memcpy(copy, &h, 8);
    if (n) memcpy(copy + 8, bytes, n);
    return XXH3_64bits_withSeed(copy, 8 + n, seed);
}

uint64_t hash_fixed(uint64_t seed, uint32_t column, uint64_t h, uint64_t bits)
{
    return add_fixed(seed, column == 0, h, bits);
}

uint64_t hash_bytes(uint64_t seed, uint32_t column, uint64_t h, const uint8_t *bytes, uint64_t n)
{
    return add_bytes(seed, column == 0, h, bytes, n);
}

uint64_t hash_null(uint64_t seed, uint32_t column, uint64_t h)
{
    return add_fixed(seed, column == 0, h, NULL_BITS);
}

ALWAYS uint64_t bits_at(uint32_t type, const struct ArrowArray *a, uint32_t row)
{
    switch (type) {
    case WEIR_TYPE_BOOL: return (uint64_t)weir_get_bool(a, row);
    case WEIR_TYPE_INT32: return (uint64_t)(int64_t)weir_get_int32(a, row);
    case WEIR_TYPE_FLOAT64: return hash_float_bits(weir_get_float64(a, row));
    default: return (uint64_t)weir_get_int64(a, row);
    }
}

/* One column over n rows. `type` and `first` are constants where this is called, so each call is a
 * loop of its own. */
ALWAYS void column_loop(uint64_t seed, uint32_t type, int first, const struct ArrowArray *a,
                        const uint32_t *selection, uint32_t n, uint64_t *out)
{
    const int nulls = a->buffers[0] != NULL;
    uint32_t i;
    for (i = 0; i < n; i++) {
        const uint32_t row = selection ? selection[i] : i;
        if (nulls && weir_is_null(a, row)) {
            out[i] = add_fixed(seed, first, out[i], NULL_BITS);
        } else if (type == WEIR_TYPE_UTF8) {
            const struct weir_bytes b = weir_get_bytes(a, row);
            out[i] = add_bytes(seed, first, out[i], b.data, b.length);
        } else {
            out[i] = add_fixed(seed, first, out[i], bits_at(type, a, row));
        }
    }
}

ALWAYS void hash_column(uint64_t seed, uint32_t type, int first, const struct ArrowArray *a,
                        const uint32_t *selection, uint32_t n, uint64_t *out)
{
    switch (type) {
    case WEIR_TYPE_BOOL: column_loop(seed, WEIR_TYPE_BOOL, first, a, selection, n, out); break;
    case WEIR_TYPE_DATE:
    case WEIR_TYPE_INT32: column_loop(seed, WEIR_TYPE_INT32, first, a, selection, n, out); break;
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_INT64: column_loop(seed, WEIR_TYPE_INT64, first, a, selection, n, out); break;
    case WEIR_TYPE_FLOAT64:
        column_loop(seed, WEIR_TYPE_FLOAT64, first, a, selection, n, out);
        break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: column_loop(seed, WEIR_TYPE_UTF8, first, a, selection, n, out); break;
    default: abort(); /* types were checked when the key was declared */
    }
}

void hash_rows(uint64_t seed, const uint32_t *types, const struct ArrowArray *const *columns,
               uint32_t n_columns, const uint32_t *selection, uint32_t n, uint64_t *out)
{
    uint32_t c, i;
    if (n_columns && hash_is_words(n_columns, types[0], columns[0])) {
        const uint64_t *words = columns[0]->buffers[1];
        for (i = 0; selection && i < n; i++) out[i] = words[selection[i]];
        hash_words(seed, selection ? out : words, n, out);
        return;
    }
    memset(out, 0, n * sizeof *out);
    if (n_columns) hash_column(seed, types[0], 1, columns[0], selection, n, out);
    for (c = 1; c < n_columns; c++)
        hash_column(seed, types[c], 0, columns[c], selection, n, out);
}

void hash_columns(uint64_t seed, const struct ArrowSchema *const *types,
                  const struct ArrowArray *const *columns, uint32_t n_columns,
                  const uint32_t *selection, uint32_t n, uint64_t *out)
{
    uint64_t dense[256];
    uint32_t c, from, i;
    if (!selection && n_columns && hash_is_words(n_columns, weir_type_of(types[0]), columns[0])) {
        hash_words(seed, columns[0]->buffers[1], n, out);
        return;
    }
    for (from = 0; from < n; from += 256) {
        const uint32_t m = n - from < 256 ? n - from : 256;
        uint64_t *to = selection ? dense : out + from;
        uint32_t rows[256];
        for (i = 0; i < m; i++) rows[i] = selection ? selection[from + i] : from + i;
        memset(to, 0, m * sizeof *to);
        for (c = 0; c < n_columns; c++) {
            const uint32_t type = weir_type_of(types[c]);
            if (c == 0) hash_column(seed, type, 1, columns[c], rows, m, to);
            else hash_column(seed, type, 0, columns[c], rows, m, to);
        }
        if (selection)
            for (i = 0; i < m; i++) out[rows[i]] = to[i];
    }
}

int hash_type_ok(uint32_t type)
{
    return type >= WEIR_TYPE_BOOL && type <= WEIR_TYPE_DATE;
}
