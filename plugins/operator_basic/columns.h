/*
 * columns.h - columns of a result that are expressions or columns of the input: `select`,
 * `with_column`.
 */
#ifndef OPERATOR_BASIC_COLUMNS_H
#define OPERATOR_BASIC_COLUMNS_H

#include "plugins/operator_basic/basic.h"

struct column_expr {
    int32_t input;          /* >= 0: this column, unchanged */
    struct weir_expr *expr; /* else this; NULL where the column came from `*` */
    const char *name;       /* of the result; valid with the instance */
};

struct columns {
    struct column_expr *items;
    uint32_t n, capacity;
};

int32_t columns_add(const struct basic *basic, struct columns *columns, struct column_expr item,
                    struct weir_error *error); /* takes item.expr, also on failure */
void columns_free(const struct basic *basic, struct columns *columns);

/* The one output of the operator, what it reads, and whether it is deterministic. */
int32_t columns_plan(const struct basic *basic, const struct columns *columns,
                     const struct weir_input *input, const char *option,
                     struct weir_operator_plan *out, struct weir_error *error);

struct columns_lane {
    struct weir_context *context;
    struct ArrowArray *arrays;
    struct weir_output_column *out;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
};

int32_t columns_lane_create(const struct basic *basic, const struct columns *columns,
                            struct weir_context *context, void **lane, struct weir_error *error);

/* Evaluates and emits the rows of a chunk on which no expression failed. */
int32_t columns_process(const struct basic *basic, const struct columns *columns,
                        struct columns_lane *lane, const struct weir_chunk *chunk,
                        struct weir_error *error);

#endif
