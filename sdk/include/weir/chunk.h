/*
 * weir/chunk.h - the unit of data that crosses the ABI, and what an operator hands back.
 *
 * A batch of a partition is a sequence of chunks. A chunk is immutable once emitted, counted by
 * the host, borrowed during a call, and kept beyond it with `weir_host.chunk_retain`. A plugin
 * never calls `release` on an array that it did not make.
 *
 * A component that does not declare WEIR_CAP_SELECTION never sees a selection: the host compacts.
 */
#ifndef WEIR_CHUNK_H
#define WEIR_CHUNK_H

#include <weir/abi.h>
#include <weir/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_chunk {
    uint32_t size;      /* bytes of this header */
    uint32_t rows;      /* length of `array`, at most WEIR_CHUNK_MAX_ROWS */
    uint64_t batch;     /* id of the batch */
    uint32_t partition; /* number of the partition within the batch, by sorted name */
    uint32_t selected;  /* rows that count: entries of `selection`, or `rows` where it is NULL */
    const uint32_t *selection;        /* ascending row numbers below `rows`, or NULL: all rows */
    const uint64_t *hash;             /* weir.hash/1 of the distribution columns per row, or NULL */
    const uint8_t *row_op;            /* reserved; NULL: every row is an insert */
    const struct ArrowArray *array;   /* struct array, profile weir.arrow/1 */
    const struct ArrowSchema *schema; /* the same pointer for all chunks of one stream */
};

/* Purpose: the row number of the i-th selected row.
 * Thread and state: [any]; i < chunk->selected.
 * Ownership: the chunk is borrowed.
 * Returns: a row of chunk->array.
 * On failure: can't fail. */
static inline uint32_t weir_row(const struct weir_chunk *chunk, uint32_t i)
{
    return chunk->selection ? chunk->selection[i] : i;
}

/* How the rows of a stream change the table that it stands for. */
#define WEIR_FORM_APPEND 1u  /* every row is a new one */
#define WEIR_FORM_UPSERT 2u  /* a row replaces the one with the same key columns */
#define WEIR_FORM_REPLACE 4u /* a batch is the whole table */

/* One column of an emission. */
struct weir_output_column {
    int32_t input;            /* >= 0: this column of `from`, not copied; -1: `array` */
    uint32_t reserved;
    struct ArrowArray *array; /* moved to the host on success and on failure alike */
};

/* Rows that an operator or a decoder hands to the host with `weir_host.emit`. */
struct weir_emission {
    uint32_t size;                          /* bytes, set by the caller */
    uint32_t output;                        /* which output; 0 is the main one */
    const struct weir_chunk *from;          /* the input chunk, where a column refers to it */
    const struct weir_output_column *columns; /* one per column of the output's schema */
    uint32_t n_columns;
    uint32_t rows;             /* length of every column; `from->rows` where one is an input */
    const uint32_t *selection; /* ascending rows that count, copied by the host; NULL: all */
    uint32_t selected;         /* entries of selection; ignored where it is NULL */
    uint32_t left_out;         /* of a format: rows beside these that are left out since a conjunct
                                  is not true; they count as read. rows may be 0 then, and columns
                                  NULL */
};

#ifdef __cplusplus
}
#endif
#endif
