/*
 * column.h - columns that grow row by row and become Arrow arrays without a copy.
 *
 * For decoders: a row is appended to all columns, or taken back by column_truncate when the record
 * turns out bad. Memory comes from the host; one thread at a time.
 */
#ifndef SHARE_COLUMN_H
#define SHARE_COLUMN_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COLUMN_DEPTH_MAX 32

struct column {
    const struct weir_host *host;
    const char *name; /* of the schema; borrowed */
    uint32_t type;
    uint32_t width; /* bytes of a value or offset; 0: bits, or a struct */
    uint32_t rows, nulls;
    uint32_t capacity; /* rows; 0: no buffers yet */
    int32_t not_null;  /* 1: the schema forbids nulls */
    uint8_t *valid;    /* bits, NULL while nothing is null */
    uint8_t *values;   /* values, bits or offsets */
    uint8_t *bytes;    /* text */
    uint64_t length, room;
    struct column *children;
    uint32_t n_children;
};

/* One per field of a type; `column` is zeroed memory. On failure column_free is still due. */
int32_t column_init(struct column *column, const struct weir_host *host,
                    const struct ArrowSchema *schema, uint32_t depth, struct weir_error *error);
void column_free(struct column *column); /* its buffers and children, not itself */

/* Room for at least one more row (and for `bytes` more of text). 1, or 0 without memory. */
int column_grow(struct column *column, uint64_t bytes);

/* For those who fill buffers themselves: room for `rows` more rows and `bytes` more of text; and a
 * row below the capacity that is null. 1, or 0 without memory. */
int column_reserve(struct column *column, uint32_t rows, uint64_t bytes);
int column_mark_null(struct column *column, uint32_t row);

/* Drops rows from `rows` on; no-op where there are not more. */
void column_truncate(struct column *column, uint32_t rows);

int column_add_null(struct column *column); /* a null, with defined memory below it */
int column_add_int(struct column *column, int64_t value);
int column_add_float(struct column *column, double value);
int column_add_bool(struct column *column, int value);
int column_add_bytes(struct column *column, const void *bytes, uint64_t n);
int column_add_valid(struct column *column); /* ends a struct or a list value */

/* Bytes held, for limits of chunks. */
uint64_t column_bytes(const struct column *column);

/* The rows as an array; the column is empty afterwards, also on failure. */
int32_t column_finish(struct column *column, struct ArrowArray *out, struct weir_error *error);

/* Emits n columns with equally many rows as one chunk on output 0; nothing where there are none. */
int32_t columns_emit(struct column *columns, uint32_t n, uint32_t rows,
                     struct weir_context *lane, struct weir_error *error);

/* A struct array of n finished columns, which are moved into it, also on failure. */
int32_t array_of_columns(const struct weir_host *host, struct ArrowArray *columns, uint32_t n,
                         uint32_t rows, struct ArrowArray *out, struct weir_error *error);

#ifdef __cplusplus
}
#endif
#endif
