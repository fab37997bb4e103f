/*
 * hash.h - weir.hash/1: XXH3-64 with a seed over canonical values; see hash.c for the definition and
 * tests/core/golden/hash_1.txt for test vectors. Group of a hash = its top 8 bits.
 */
#ifndef WEIR_CORE_HASH_H
#define WEIR_CORE_HASH_H

#include <weir/data.h>

#define HASH_GROUPS 256u
#define hash_group(h) ((uint32_t)((h) >> 56))

/* Hashes of selected rows (NULL: all n rows) over n_columns flat columns: out[row] for each such row. [any]
 * n_columns 0 gives 0 (group 0). */
void hash_columns(uint64_t seed, const struct ArrowSchema *const *types,
                  const struct ArrowArray *const *columns, uint32_t n_columns,
                  const uint32_t *selection, uint32_t n, uint64_t *out);
int hash_type_ok(uint32_t type); /* flat types only */

#endif
