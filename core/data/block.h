/*
 * block.h - weir.block/1: rows as bytes, for spools, dead letters, tap and tests.
 *
 * A block holds the rows of one chunk (selection applied), self-contained: schema DDL, columns,
 * zstd if it pays, CRC-32C over everything. Layout stands in block.c; golden files in
 * tests/core/golden.
 */
#ifndef WEIR_CORE_BLOCK_H
#define WEIR_CORE_BLOCK_H

#include "core/data/chunk.h"

#define BLOCK_COMPRESS 1u /* try zstd level 1; kept if it saves an eighth */

/* Appends the block of a chunk's selected rows. OK or FATAL (memory). */
int32_t block_encode(const struct weir_chunk *chunk, uint32_t flags, struct weir_buffer *out,
                     struct weir_error *error);
/* Reads one block at bytes; *used its length. schema and array become the caller's. DATA with
 * offset and reason for anything that is not a whole valid block; never reads beyond `bytes`,
 * never allocates more than `limit` bytes. */
int32_t block_decode(struct weir_bytes bytes, uint64_t limit, struct ArrowSchema *schema,
                     struct ArrowArray *array, uint64_t *used, struct weir_error *error);
uint32_t crc32c(uint32_t crc, const void *bytes, uint64_t n); /* crc32c(0, …) to begin */

#endif
