/*
 * hash.h - weir.hash/1: XXH3-64 with a seed over canonical values; see hash.c for the definition
 * and tests/core/golden/hash_1.txt for test vectors. Group of a hash = its top 8 bits.
 */
#ifndef WEIR_CORE_HASH_H
#define WEIR_CORE_HASH_H

#include <weir/data.h>

#define HASH_GROUPS 256u
#define hash_group(h) ((uint32_t)((h) >> 56))

/* Hashes of selected rows (NULL: all n rows) over n_columns flat columns: out[row] for each such
 * row. [any] n_columns 0 gives 0 (group 0). */
void hash_columns(uint64_t seed, const struct ArrowSchema *const *types,
                  const struct ArrowArray *const *columns, uint32_t n_columns,
                  const uint32_t *selection, uint32_t n, uint64_t *out);
int hash_type_ok(uint32_t type); /* flat types only */

/* The same, dense: out[i] of row selection[i] (NULL: row i); types as numbers. [any] */
void hash_rows(uint64_t seed, const uint32_t *types, const struct ArrowArray *const *columns,
               uint32_t n_columns, const uint32_t *selection, uint32_t n, uint64_t *out);

/* Of one column of int64s or timestamps without nulls: out[i] of words[i]; out may be words. [any] */
void hash_words(uint64_t seed, const uint64_t *words, uint32_t n, uint64_t *out);
void hash_words_plain(uint64_t seed, const uint64_t *words, uint32_t n, uint64_t *out); /* its twin */
/* Whether a key is such a column: its hashes are made at the pace of memory, so they are not worth carrying along. */
static inline int hash_is_words(uint32_t n_columns, uint32_t type, const struct ArrowArray *first)
{
    return n_columns == 1 && (type == WEIR_TYPE_INT64 || type == WEIR_TYPE_TIMESTAMP) &&
           !first->buffers[0];
}

/* Value by value, for keys that do not lie in arrays: the hash of columns 0 to `column`, where `h`
 * is that of the columns before (of column 0: ignored). Fixed values as canonical bits. [any] */
uint64_t hash_fixed(uint64_t seed, uint32_t column, uint64_t h, uint64_t bits);
uint64_t hash_bytes(uint64_t seed, uint32_t column, uint64_t h, const uint8_t *bytes, uint64_t n);
uint64_t hash_null(uint64_t seed, uint32_t column, uint64_t h);

/* The canonical bits of a double: one zero, one NaN. */
static inline uint64_t hash_float_bits(double value)
{
    uint64_t bits;
    if (value == 0) return 0;
    if (value != value) return 0x7ff8000000000000u;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif
