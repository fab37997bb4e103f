/*
 * shape.h - the declaration of a table, and where things lie in its records.
 *
 *     key record:  u8 nulls[(keys + 7) / 8] | pad | keys | columns
 *     of one key column of 8 bytes or text:  key | columns
 *     of a rows table, behind the keys instead of columns:  u32 first | u32 last
 *     row record:  i64 order | u32 slot, next, prev | columns
 *
 * Keys and columns each lie widest first, so only the last may need padding; a column's number is
 * that of the declaration all the same. Fixed values have their natural width (bool: a byte), text
 * is a cell. A null key has its bit in `nulls` and zeros as value. A table of one key column has at most one null key, so
 * for the two common kinds the table knows its slot instead (table.h).
 *
 * The *image* of a key is what its record begins with, long text by address, behind `nulls` in any case: of the two
 * common kinds the image is `head` bytes longer in front. Images are made of arrays column by
 * column for a block of rows, and then compared with records and copied into them. Floats in keys
 * are canonical (hash.h), so equality of keys is equality of bytes.
 */
#ifndef WEIR_CORE_SHAPE_H
#define WEIR_CORE_SHAPE_H

#include "core/state/cell.h"

#include <weir/state.h>

#define SHAPE_KEYS_MAX 512u
#define SHAPE_COLUMNS_MAX 4096u
#define SHAPE_NAME_MAX 255u

#define KEY_AT 8u /* of the key in the image of one key column of 8 bytes or text */
#define KEY_NULLS 0u

/* How keys are compared. */
#define KEY_WORD 1u  /* one fixed column of 8 bytes */
#define KEY_CELL 2u  /* one text column */
#define KEY_MIXED 3u /* any, none too */

#define ROW_ORDER 0u
#define ROW_SLOT 8u
#define ROW_NEXT 12u
#define ROW_PREV 16u
#define ROW_HEAD 20u

struct shape_column {
    char *name;
    uint32_t type;
    uint32_t flags;
    uint32_t at; /* offset within the record; of a key within its image `head` more */
    uint32_t width;
};

struct shape {
    char *name, *signature;
    uint32_t kind, version;
    uint32_t n_keys, n_distribution, n_columns, n_timers;
    struct shape_column *keys, *columns;
    uint32_t *key_types; /* by number, as hash_rows wants them */
    uint32_t key_kind;
    uint32_t head;        /* bytes of an image that the record lacks */
    uint32_t key_end;     /* behind the last key in the record */
    uint32_t image;       /* distance of images: their bytes rounded up to 8 */
    uint32_t links_at;    /* of a rows table */
    uint32_t key_stride, row_stride;
    uint32_t key_cells, cells; /* is there text among keys; columns */
};

#define shape_is_text(type) ((type) == WEIR_TYPE_UTF8 || (type) == WEIR_TYPE_BINARY)

/* CONFIG for what is no table, FATAL without memory; `out` is then empty. */
int32_t shape_create(const struct weir_table_spec *spec, struct shape *out,
                     struct weir_error *error);
void shape_fini(struct shape *shape);
char *shape_signature(const struct shape *shape); /* signature.c; mem_alloc'ed */
uint32_t shape_width(uint32_t type); /* in a record */
int32_t shape_column_of(const struct shape *shape, const char *name, uint64_t n); /* or -1 */

/* Images of the keys of n rows, the i-th at i * shape->image. */
void shape_images(const struct shape *shape, const struct ArrowArray *const *keys,
                  const uint32_t *selection, uint32_t n, uint8_t *images);
uint64_t shape_hash(const struct shape *shape, uint64_t seed, const uint8_t *image);
uint64_t shape_outside(const struct shape *shape, const uint8_t *image); /* bytes of long text */

#endif
