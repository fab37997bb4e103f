/*
 * weir/data.h - weir.data/1: schemas, builder, columns of host memory; and an inline reader.
 *
 * A plugin that builds rows cell by cell uses the builder; one that fills whole columns uses
 * `column` and writes into the buffers. Both give arrays in host memory that keep the profile,
 * so ordinary plugins have no lifetimes to manage. Reading needs no host: see weir_get_*.
 */
#ifndef WEIR_DATA_H
#define WEIR_DATA_H

#include <weir/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_DATA_ID "weir.data/1"

struct weir_builder;

struct weir_data {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: a struct schema from DDL text ("user string, amount double not null").
     * Thread and state: [any].
     * Ownership: `out` becomes the caller's, who calls out->release.
     * Returns: OK; CONFIG with error.offset for bad text; FATAL without memory.
     * On failure: `out` is released (release == NULL). */
    int32_t (*schema_parse)(const char *ddl, struct ArrowSchema *out, struct weir_error *error);

    /* Purpose: a copy of a schema, under another name unless name is NULL.
     * Thread and state: [any].
     * Ownership: as schema_parse.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*schema_copy)(const struct ArrowSchema *schema, const char *name,
                           struct ArrowSchema *out, struct weir_error *error);

    /* Purpose: an empty struct schema with room for n children; fill with schema_set.
     * Thread and state: [any].
     * Ownership: as schema_parse.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*schema_struct)(uint32_t n_children, struct ArrowSchema *out,
                             struct weir_error *error);

    /* Purpose: makes child i of a struct (or child 0 of a list) a leaf, list or struct of `type`.
     * Thread and state: [any], on a schema made by this interface.
     * Ownership: the schema stays the caller's; name is copied.
     * Returns: OK; CONFIG where i is out of range; FATAL without memory.
     * On failure: the child is unchanged. */
    int32_t (*schema_set)(struct ArrowSchema *schema, uint32_t i, const char *name, uint32_t type,
                          struct weir_error *error);

    /* Purpose: a builder of rows of a struct schema.
     * Thread and state: [any]; one thread at a time.
     * Ownership: the schema is copied; the builder is the caller's until builder_destroy.
     * Returns: OK; CONFIG for a type outside of the profile; FATAL without memory.
     * On failure: *out is NULL. */
    int32_t (*builder_create)(const struct ArrowSchema *schema, struct weir_builder **out,
                              struct weir_error *error);

    /* Purpose: frees a builder; NULL is allowed.
     * Thread and state: [any].
     * Ownership: the builder is invalid afterwards; finished arrays live on.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*builder_destroy)(struct weir_builder *builder);

    /* Purpose: the builder of a child (a field of a struct, item 0 of a list), for append.
     * Thread and state: [any].
     * Ownership: the parent's; valid until the parent is destroyed.
     * Returns: NULL where there is no such child.
     * On failure: a bug of the caller. */
    struct weir_builder *(*builder_child)(struct weir_builder *builder, uint32_t i);

    /* Purpose: append one value: append_null a null; append_int a bool (0 or 1), int32, int64,
     *   date (days) or timestamp (microseconds UTC); append_float a float64; append_bytes text or
     *   binary; append_valid ends a struct value (its fields were appended) or a list value (its
     *   items were appended to child 0 since the value before). These five share this contract.
     * Thread and state: [any], on a leaf (or list, struct) builder.
     * Ownership: bytes are copied.
     * Returns: OK; DATA where the value doesn't fit the type; FATAL without memory.
     * On failure: nothing was appended. */
    int32_t (*append_null)(struct weir_builder *builder);
    int32_t (*append_int)(struct weir_builder *builder, int64_t value);
    int32_t (*append_float)(struct weir_builder *builder, double value);
    int32_t (*append_bytes)(struct weir_builder *builder, const void *bytes, uint64_t length);
    int32_t (*append_valid)(struct weir_builder *builder);

    /* Purpose: append row `row` of an array of the same type, nulls and nesting included.
     * Thread and state: [any].
     * Ownership: the array is borrowed.
     * Returns: OK; FATAL without memory.
     * On failure: nothing was appended. */
    int32_t (*append_from)(struct weir_builder *builder, const struct ArrowArray *array,
                           uint32_t row);

    /* Purpose: rows appended so far (to the least filled column).
     * Thread and state: [any].
     * Ownership: none.
     * Returns: the number.
     * On failure: can't fail. */
    uint32_t (*builder_rows)(const struct weir_builder *builder);

    /* Purpose: the rows as an array of the builder's schema; the builder is empty again.
     * Thread and state: [any]; all columns have the same length.
     * Ownership: `out` becomes the caller's.
     * Returns: OK; DATA where columns differ in length; FATAL without memory.
     * On failure: `out` is released, the builder is unchanged. */
    int32_t (*builder_finish)(struct weir_builder *builder, struct ArrowArray *out,
                              struct weir_error *error);

    /* Purpose: an array of one flat column with `rows` rows without nulls whose buffers the caller
     *   fills: buffers[1] values (bool: bits, zeroed) or offsets (offsets[0] is 0), buffers[2]
     *   `bytes` bytes of text. With `nullable` buffers[0] is there, all bits set: clear bits and
     *   set null_count (0 is allowed then; the host drops the buffer in `emit`).
     * Thread and state: [any].
     * Ownership: `out` becomes the caller's, usually moved on by emit.
     * Returns: OK; FATAL without memory; UNSUPPORTED for nested types.
     * On failure: `out` is released. */
    int32_t (*column)(uint32_t type, uint32_t rows, uint64_t bytes, int32_t nullable,
                      struct ArrowArray *out, struct weir_error *error);

    /* Purpose: gathers rows of one column, in the order given, repeats allowed. A row number of
     *   UINT32_MAX gives null.
     * Thread and state: [any].
     * Ownership: column and rows are borrowed; `out` becomes the caller's.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*take)(const struct ArrowSchema *schema, const struct ArrowArray *column,
                    const uint32_t *rows, uint32_t n, struct ArrowArray *out,
                    struct weir_error *error);

    /* Purpose: rows from JSON text: an array of arrays in column order, as `rows` options have it.
     * Thread and state: [any].
     * Ownership: text is borrowed; `out` becomes the caller's.
     * Returns: OK; CONFIG with row and column in the text of the error; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*rows_parse)(const struct ArrowSchema *schema, const char *json, uint64_t length,
                          struct ArrowArray *out, struct weir_error *error);

    /* Purpose: rows of n struct arrays of one schema as one array: of array i the rows
     *   selections[i][0 … counts[i] - 1], or the first counts[i] where that (or selections) is
     *   NULL.
     * Thread and state: [any].
     * Ownership: all borrowed; `out` becomes the caller's.
     * Returns: OK; FATAL without memory or for more than 2^31 bytes of text in a column.
     * On failure: `out` is released. */
    int32_t (*concat)(const struct ArrowSchema *schema, const struct ArrowArray *const *arrays,
                      const uint32_t *const *selections, const uint32_t *counts, uint32_t n,
                      struct ArrowArray *out, struct weir_error *error);

    /* Purpose: a chunk of columns that were made by the caller, to run expressions on. A column
     *   with release NULL is one that the expressions do not read; it is null.
     * Thread and state: [any].
     * Ownership: the columns (one per child of the schema, `rows` long) are moved, also on failure;
     *   *out is given back by weir_host.chunk_release. The schema is borrowed as long.
     * Returns: OK; FATAL without memory.
     * On failure: *out is NULL. */
    int32_t (*chunk)(const struct ArrowSchema *schema, struct ArrowArray *columns, uint32_t rows,
                     const struct weir_chunk **out, struct weir_error *error);
};

/* ---- reader: [any], on arrays of the profile; row < length ---- */

/* Purpose: cell `row` of a column: weir_is_null is it null; weir_get_bool 0 or 1; weir_get_int32 an
 *   int32 or date (days); weir_get_int64 an int64 or timestamp (microseconds UTC); weir_get_float64
 *   a float64; weir_get_bytes text or binary. These six share this contract.
 * Thread and state: [any], on arrays of the profile and of a type named above; row < length.
 * Ownership: the array is borrowed; bytes are valid as long as it, other values are copies.
 * Returns: the value; below a null it is defined but means nothing.
 * On failure: can't fail. */
static inline int weir_is_null(const struct ArrowArray *a, uint32_t row)
{
    const uint8_t *valid = (const uint8_t *)a->buffers[0];
    return valid && !((valid[row >> 3] >> (row & 7)) & 1);
}

static inline int weir_get_bool(const struct ArrowArray *a, uint32_t row)
{
    return (((const uint8_t *)a->buffers[1])[row >> 3] >> (row & 7)) & 1;
}

/* int32 and date */
static inline int32_t weir_get_int32(const struct ArrowArray *a, uint32_t row)
{
    return ((const int32_t *)a->buffers[1])[row];
}

/* int64 and timestamp */
static inline int64_t weir_get_int64(const struct ArrowArray *a, uint32_t row)
{
    return ((const int64_t *)a->buffers[1])[row];
}

static inline double weir_get_float64(const struct ArrowArray *a, uint32_t row)
{
    return ((const double *)a->buffers[1])[row];
}

/* text and binary; valid as long as the array */
static inline struct weir_bytes weir_get_bytes(const struct ArrowArray *a, uint32_t row)
{
    const int32_t *offsets = (const int32_t *)a->buffers[1];
    struct weir_bytes b;
    b.data = (const uint8_t *)a->buffers[2] + offsets[row];
    b.length = (uint64_t)(offsets[row + 1] - offsets[row]);
    return b;
}

/* Purpose: the number of the column with this name in a struct schema.
 * Thread and state: [any].
 * Ownership: schema and name are borrowed.
 * Returns: the number of the first one; -1 if there is none.
 * On failure: can't fail. */
static inline int32_t weir_column_index(const struct ArrowSchema *schema, const char *name)
{
    int64_t i;
    for (i = 0; i < schema->n_children; i++)
        if (strcmp(schema->children[i]->name, name) == 0) return (int32_t)i;
    return -1;
}

#ifdef __cplusplus
}
#endif
#endif
