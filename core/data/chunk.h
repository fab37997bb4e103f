/*
 * chunk.h - host chunks: a weir_chunk header, its memory and a reference count.
 */
#ifndef WEIR_CORE_CHUNK_H
#define WEIR_CORE_CHUNK_H

#include "core/data/array.h"

/* Makes a chunk of an array (moved, also on failure) and a selection (copied; NULL: all). The
 * schema is borrowed for the chunk's life. NULL without memory. */
struct weir_chunk *chunk_create(const struct ArrowSchema *schema, struct ArrowArray *array,
                                const uint32_t *selection, uint32_t selected);
/* A chunk of some columns of `from` (by reference, columns[i].input >= 0) and new arrays (moved,
 * also on failure); keeps `from` alive. `rows` as in weir_emission. NULL without memory. */
struct weir_chunk *chunk_derive(const struct ArrowSchema *schema, const struct weir_chunk *from,
                                const struct weir_output_column *columns, uint32_t n_columns,
                                uint32_t rows, const uint32_t *selection, uint32_t selected);
/* Another view of the same rows: other selection (borrowed for the view's life if !copy), same
 * arrays. */
struct weir_chunk *chunk_view(const struct weir_chunk *of, const uint32_t *selection,
                              uint32_t selected, int copy);
void chunk_retain(const struct weir_chunk *chunk);  /* [any] */
void chunk_release(const struct weir_chunk *chunk); /* [any]; NULL allowed */
/* The same rows without a selection (retained `chunk` itself if it has none). NULL without
 * memory. */
struct weir_chunk *chunk_compact(const struct weir_chunk *chunk, struct weir_error *error);
/* Gives the chunk a hash array of `rows` entries (moved). Only before it is shared. */
void chunk_set_hash(struct weir_chunk *chunk, uint64_t *hash);
uint64_t chunk_bytes(const struct weir_chunk *chunk); /* for budgets */

#endif
