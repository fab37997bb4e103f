/*
 * data.c - the table of weir.data/1.
 */
#include "core/data/node.h"

static int32_t schema_parse(const char *ddl, struct ArrowSchema *out, struct weir_error *error)
{
    return ddl_parse(ddl, strlen(ddl), 0, out, error);
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
};
