/*
 * column.c - growing columns.
 *
 *  1. Buffers are allocated at the first row, double, and are handed to the array by column_finish.
 *  2. Offsets have rows + 1 entries; offset 0 is 0. So truncating needs no marks: the text of row r
 *     begins at offset r, the items of list r at offset r.
 *  3. The validity bits exist from the first null on; bits of valid rows before it are set then.
 *  4. Each buffer has 64 bytes behind its capacity, so that readers by the vector are safe.
 */
#include "plugins/share/column.h"

#include "plugins/share/option.h"

#define SLACK 64u
#define FIRST_ROWS 1024u

struct finished {
    const struct weir_host *host;
    const void *buffers[3];
    struct ArrowArray **children;
};

int32_t column_init(struct column *column, const struct weir_host *host,
                    const struct ArrowSchema *schema, uint32_t depth, struct weir_error *error)
{
    int64_t i;
    column->host = host;
    column->type = weir_type_of(schema);
    column->name = schema->name;
    column->not_null = !(schema->flags & ARROW_FLAG_NULLABLE);
    column->width = weir_type_width(column->type);
    if (column->type == WEIR_TYPE_NONE || depth > COLUMN_DEPTH_MAX)
        return weir_fail(error, WEIR_CONFIG, "column '%s' has a type that no format can hold",
                         schema->name ? schema->name : "");
    if (column->type == WEIR_TYPE_UTF8 || column->type == WEIR_TYPE_BINARY ||
        column->type == WEIR_TYPE_LIST)
        column->width = 4;
    if (schema->n_children == 0) return WEIR_OK;
    column->children = host->alloc((uint64_t)schema->n_children * sizeof *column->children);
    if (!column->children) return no_memory(error);
    memset(column->children, 0, (uint64_t)schema->n_children * sizeof *column->children);
    for (i = 0; i < schema->n_children; i++) {
        int32_t status = column_init(&column->children[i], host, schema->children[i], depth + 1,
                                     error);
        column->n_children++;
        if (status != WEIR_OK) return status;
    }
    return WEIR_OK;
}

static void column_drop(struct column *column)
{
    column->host->free(column->valid);
    column->host->free(column->values);
    column->host->free(column->bytes);
    column->valid = column->values = column->bytes = NULL;
    column->rows = column->nulls = column->capacity = 0;
    column->length = column->room = 0;
}

void column_free(struct column *column)
{
    uint32_t i;
    if (!column->host) return;
    column_drop(column);
    for (i = 0; i < column->n_children; i++) column_free(&column->children[i]);
    column->host->free(column->children);
    column->children = NULL;
    column->n_children = 0;
}

static uint64_t values_size(const struct column *column, uint64_t rows)
{
    if (column->type == WEIR_TYPE_BOOL) return (rows + 7) / 8;
    if (column->type == WEIR_TYPE_STRUCT) return 0;
    return (rows + 1) * column->width;
}

static int grow_rows(struct column *column)
{
    const struct weir_host *host = column->host;
    uint64_t rows = column->capacity ? (uint64_t)column->capacity * 2 : FIRST_ROWS;
    uint8_t *p;
    if (rows > 0x40000000u) return 0;
    p = host->realloc(column->values, values_size(column, rows) + SLACK);
    if (!p) return 0;
    if (column->type == WEIR_TYPE_BOOL || !column->values)
        memset(p + (column->values ? values_size(column, column->capacity) : 0), 0,
               values_size(column, rows) -
                   (column->values ? values_size(column, column->capacity) : 0));
    column->values = p;
    if (column->valid) {
        p = host->realloc(column->valid, (rows + 7) / 8 + SLACK);
        if (!p) return 0;
        memset(p + column->capacity / 8, 0xff, (rows - column->capacity) / 8);
        column->valid = p;
    }
    column->capacity = (uint32_t)rows;
    return 1;
}

int column_reserve(struct column *column, uint32_t rows, uint64_t bytes)
{
    while (column->capacity - column->rows < rows || !column->capacity)
        if (!grow_rows(column)) return 0;
    return column_grow(column, bytes);
}

int column_grow(struct column *column, uint64_t bytes)
{
    if (column->rows == column->capacity && !grow_rows(column)) return 0;
    if (column->length + bytes > column->room) {
        uint64_t room = column->room ? column->room * 2 : 4096;
        uint8_t *p;
        while (room < column->length + bytes) room *= 2;
        if (column->length + bytes > INT32_MAX) return 0;
        p = column->host->realloc(column->bytes, room + SLACK);
        if (!p) return 0;
        column->bytes = p;
        column->room = room;
    }
    return 1;
}

void column_truncate(struct column *column, uint32_t rows)
{
    uint32_t i;
    if (column->rows <= rows) return;
    if (column->valid)
        for (i = rows; i < column->rows; i++) {
            uint8_t bit = (uint8_t)(1u << (i & 7));
            if (column->valid[i >> 3] & bit) continue;
            column->nulls--;
            column->valid[i >> 3] |= bit;
        }
    if (column->type == WEIR_TYPE_BOOL)
        for (i = rows; i < column->rows; i++)
            column->values[i >> 3] &= (uint8_t)~(1u << (i & 7));
    if (column->type == WEIR_TYPE_UTF8 || column->type == WEIR_TYPE_BINARY)
        column->length = (uint64_t)((int32_t *)column->values)[rows];
    if (column->type == WEIR_TYPE_LIST)
        column_truncate(column->children, (uint32_t)((int32_t *)column->values)[rows]);
    if (column->type == WEIR_TYPE_STRUCT)
        for (i = 0; i < column->n_children; i++) column_truncate(&column->children[i], rows);
    column->rows = rows;
}

int column_mark_null(struct column *column, uint32_t row)
{
    if (!column->valid) {
        uint64_t n = ((uint64_t)column->capacity + 7) / 8;
        column->valid = column->host->alloc(n + SLACK);
        if (!column->valid) return 0;
        memset(column->valid, 0xff, n);
    }
    column->valid[row >> 3] &= (uint8_t)~(1u << (row & 7));
    column->nulls++;
    return 1;
}

int column_add_null(struct column *column)
{
    uint32_t i;
    if (!column_grow(column, 0)) return 0;
    for (i = 0; column->type == WEIR_TYPE_STRUCT && i < column->n_children; i++) {
        column_truncate(&column->children[i], column->rows);
        if (!column_add_null(&column->children[i])) return 0;
    }
    if (!column_mark_null(column, column->rows)) return 0;
    switch (column->type) {
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_STRUCT: break;
    case WEIR_TYPE_LIST:
        column_truncate(column->children, (uint32_t)((int32_t *)column->values)[column->rows]);
        /* fall through */
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        ((int32_t *)column->values)[column->rows + 1] =
            ((int32_t *)column->values)[column->rows];
        break;
    default: memset(column->values + (uint64_t)column->rows * column->width, 0, column->width);
    }
    column->rows++;
    return 1;
}

int column_add_int(struct column *column, int64_t value)
{
    if (!column_grow(column, 0)) return 0;
    if (column->width == 4) ((int32_t *)column->values)[column->rows++] = (int32_t)value;
    else ((int64_t *)column->values)[column->rows++] = value;
    return 1;
}

int column_add_float(struct column *column, double value)
{
    if (!column_grow(column, 0)) return 0;
    ((double *)column->values)[column->rows++] = value;
    return 1;
}

int column_add_bool(struct column *column, int value)
{
    if (!column_grow(column, 0)) return 0;
    if (value) column->values[column->rows >> 3] |= (uint8_t)(1u << (column->rows & 7));
    column->rows++;
    return 1;
}

int column_add_bytes(struct column *column, const void *bytes, uint64_t n)
{
    if (!column_grow(column, n)) return 0;
    if (n) memcpy(column->bytes + column->length, bytes, n);
    column->length += n;
    ((int32_t *)column->values)[++column->rows] = (int32_t)column->length;
    return 1;
}

int column_add_valid(struct column *column)
{
    if (!column_grow(column, 0)) return 0;
    if (column->type == WEIR_TYPE_LIST)
        ((int32_t *)column->values)[column->rows + 1] = (int32_t)column->children->rows;
    column->rows++;
    return 1;
}

uint64_t column_bytes(const struct column *column)
{
    uint64_t n = column->length + (uint64_t)column->rows * column->width;
    uint32_t i;
    for (i = 0; i < column->n_children; i++) n += column_bytes(&column->children[i]);
    return n;
}

static void finished_release(struct ArrowArray *array)
{
    struct finished *own = array->private_data;
    const struct weir_host *host = own->host;
    int64_t i;
    for (i = 0; i < array->n_children; i++) {
        struct ArrowArray *child = array->children[i];
        if (child->release) child->release(child);
    }
    for (i = 0; i < 3; i++) host->free((void *)(uintptr_t)own->buffers[i]);
    array->release = NULL;
    host->free(own);
}

/* An array whose private memory holds the child pointers and structs as well. */
static int32_t finished_begin(const struct weir_host *host, uint32_t n, struct ArrowArray *out,
                              struct weir_error *error)
{
    uint64_t size = sizeof(struct finished) +
                    (uint64_t)n * (sizeof(struct ArrowArray *) + sizeof(struct ArrowArray));
    struct finished *own = host->alloc(size);
    struct ArrowArray *arrays;
    uint32_t i;
    memset(out, 0, sizeof *out);
    if (!own) return no_memory(error);
    memset(own, 0, size);
    own->host = host;
    own->children = (struct ArrowArray **)(own + 1);
    arrays = (struct ArrowArray *)(own->children + n);
    for (i = 0; i < n; i++) own->children[i] = &arrays[i];
    out->private_data = own;
    out->buffers = own->buffers;
    out->children = n ? own->children : NULL;
    out->n_children = n;
    out->release = finished_release;
    return WEIR_OK;
}

int32_t column_finish(struct column *column, struct ArrowArray *out, struct weir_error *error)
{
    const struct weir_host *host = column->host;
    int with_bytes = column->type == WEIR_TYPE_UTF8 || column->type == WEIR_TYPE_BINARY;
    int32_t status = finished_begin(host, column->n_children, out, error);
    struct finished *own = out->private_data;
    uint32_t i;
    if (status != WEIR_OK) goto fail;
    for (i = 0; i < column->n_children; i++) {
        status = column_finish(&column->children[i], out->children[i], error);
        if (status != WEIR_OK) goto fail;
    }
    if (!column->capacity && !grow_rows(column)) goto memory;
    if (with_bytes && !column->bytes && !(column->bytes = host->alloc(SLACK))) goto memory;
    out->length = column->rows;
    out->null_count = column->nulls;
    out->n_buffers = column->type == WEIR_TYPE_STRUCT ? 1 : with_bytes ? 3 : 2;
    if (column->nulls) {
        own->buffers[0] = column->valid;
        column->valid = NULL;
    }
    if (column->type != WEIR_TYPE_STRUCT) {
        own->buffers[1] = column->values;
        column->values = NULL;
    }
    if (with_bytes) {
        own->buffers[2] = column->bytes;
        column->bytes = NULL;
    }
    column_drop(column);
    return WEIR_OK;
memory:
    status = no_memory(error);
fail:
    if (out->release) out->release(out);
    column_drop(column);
    return status;
}

int32_t columns_emit(struct column *columns, uint32_t n, uint32_t rows,
                     struct weir_context *lane, struct weir_error *error)
{
    const struct weir_host *host;
    struct ArrowArray *arrays;
    struct weir_output_column *out;
    struct weir_emission emission;
    int32_t status = WEIR_OK;
    uint32_t i;
    if (rows == 0 || n == 0) return WEIR_OK;
    host = columns->host;
    arrays = host->alloc((uint64_t)n * (sizeof *arrays + sizeof *out));
    if (!arrays) return no_memory(error);
    out = (struct weir_output_column *)(arrays + n);
    for (i = 0; i < n; i++) {
        memset(&arrays[i], 0, sizeof arrays[i]);
        if (status == WEIR_OK) status = column_finish(&columns[i], &arrays[i], error);
        out[i].input = -1;
        out[i].reserved = 0;
        out[i].array = &arrays[i];
    }
    if (status == WEIR_OK) {
        memset(&emission, 0, sizeof emission);
        emission.size = (uint32_t)sizeof emission;
        emission.columns = out;
        emission.n_columns = n;
        emission.rows = rows;
        status = host->emit(lane, &emission, error);
    } else {
        for (i = 0; i < n; i++)
            if (arrays[i].release) arrays[i].release(&arrays[i]);
    }
    host->free(arrays);
    return status;
}

int32_t array_of_columns(const struct weir_host *host, struct ArrowArray *columns, uint32_t n,
                         uint32_t rows, struct ArrowArray *out, struct weir_error *error)
{
    int32_t status = finished_begin(host, n, out, error);
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (status == WEIR_OK) *out->children[i] = columns[i];
        else if (columns[i].release) columns[i].release(&columns[i]);
        columns[i].release = NULL;
    }
    if (status != WEIR_OK) return status;
    out->length = rows;
    out->n_buffers = 1;
    return WEIR_OK;
}
