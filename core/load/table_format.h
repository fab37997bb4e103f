/*
 * table_format.h - the format of a file that an operator reads as a whole (option "table.format").
 */
#ifndef WEIR_CORE_TABLE_FORMAT_H
#define WEIR_CORE_TABLE_FORMAT_H

#include "core/load/context.h"

struct table_format {
    const struct weir_format *table;
    void *self;
    struct ArrowSchema schema; /* of the rows; made by bind */
    uint32_t has_head;
};

/* The functions of struct weir_formats of these names; see <weir/format.h>. */
int32_t table_format_bind(struct weir_context *context, const struct ArrowSchema *declared,
                          struct ArrowSchema *out, struct weir_error *error);
int32_t table_format_read(struct weir_context *context, struct weir_bytes bytes,
                          struct ArrowArray *out, struct weir_error *error);

#endif
