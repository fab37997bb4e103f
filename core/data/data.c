/*
 * data.c - the table of weir.data/1.
 */
#include "core/data/chunk.h"
#include "core/data/node.h"

static int32_t schema_parse(const char *ddl, struct ArrowSchema *out, struct weir_error *error)
{
    return ddl_parse(ddl, strlen(ddl), 0, out, error);
}

/* Stands for columns that nobody reads: only its nulls are looked at. */
static struct ArrowArray nulls(uint32_t rows)
{
    static const uint8_t none[WEIR_CHUNK_MAX_ROWS / 8];
    static const void *buffers[3] = { none, none, none };
    return (struct ArrowArray){ .length = rows, .null_count = rows, .n_buffers = 3,
                                .buffers = (const void **)(uintptr_t)buffers };
}

static int32_t chunk(const struct ArrowSchema *schema, struct ArrowArray *columns, uint32_t rows,
                     const struct weir_chunk **out, struct weir_error *error)
{
    const uint32_t n = (uint32_t)schema->n_children;
    struct weir_output_column *list = mem_alloc(n * sizeof *list + 1);
    *out = NULL;
    for (uint32_t i = 0; list && i < n; i++) {
        if (!columns[i].release) columns[i] = nulls(rows);
        list[i] = (struct weir_output_column){ -1, 0, &columns[i] };
    }
    if (list) *out = chunk_derive(schema, NULL, list, n, rows, NULL, rows);
    else
        for (uint32_t i = 0; i < n; i++) array_release(&columns[i]);
    mem_free(list);
    return *out ? WEIR_OK : weir_fail(error, WEIR_FATAL, "out of memory");
}

const struct weir_data weir_data_1 = {
    .size = sizeof(struct weir_data),
    .schema_parse = schema_parse,
    .schema_copy = schema_copy,
    .schema_struct = schema_struct,
    .schema_set = schema_set,
    .builder_create = builder_create,
    .builder_destroy = builder_destroy,
    .builder_child = builder_child,
    .append_null = builder_append_null,
    .append_int = builder_append_int,
    .append_float = builder_append_float,
    .append_bytes = builder_append_bytes,
    .append_valid = builder_append_valid,
    .append_from = builder_append_from,
    .builder_rows = builder_rows,
    .builder_finish = builder_finish,
    .column = column_create,
    .take = column_take,
    .rows_parse = rows_parse,
    .concat = array_concat,
    .chunk = chunk,
};
