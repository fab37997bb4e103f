/*
 * basic.h - what the operators of this module share: services, schemas made of fields, emitting.
 */
#ifndef OPERATOR_BASIC_H
#define OPERATOR_BASIC_H

#include <weir/plugin.h>

#include "plugins/share/cell.h"
#include "plugins/share/option.h"

/* Rows of an emission where the operator has a choice. */
#define TARGET_ROWS WEIR_CHUNK_TARGET_ROWS
#define TARGET_BYTES (8u << 20)

extern const struct weir_operator select_operator, with_column_operator, filter_operator,
    split_operator, explode_operator, union_operator, repartition_operator, watermark_operator,
    sample_operator, parse_operator;

/* The services of an instance; the first member of each operator's struct. */
struct basic {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
};

/* Zeroed memory of `bytes` that begins with a filled struct basic; freed by host->free. */
int32_t basic_create(const struct weir_host *host, struct weir_context *context, uint64_t bytes,
                     void **self, struct weir_error *error);

/* One column of a result: a type under a name (NULL: its own). */
struct field {
    const struct ArrowSchema *type;
    const char *name;
};

/* A struct schema of n fields. Two of one name are an error of `option`. */
int32_t fields_schema(const struct basic *basic, const struct field *fields, uint32_t n,
                      const char *option, struct ArrowSchema *out, struct weir_error *error);

/* What `split` and `explode` give: the input's columns, repeated, with `column` replaced by
 * `with`. */
int32_t replace_plan(const struct basic *basic, struct weir_operator_plan *out,
                      const struct weir_input *input, uint32_t column, struct field with,
                      const char *option, struct weir_error *error);

/* The bit of a column in weir_operator_plan.reads. */
static inline uint64_t read_bit(uint32_t column)
{
    return (uint64_t)1 << (column < 63 ? column : 63);
}

/* Bits of the columns that an expression over one input reads. */
uint64_t read_bits(const struct basic *basic, const struct weir_expr *expr,
                    const struct ArrowSchema *input);

/* The column that option `name` names; an error names those that there are. */
int32_t column_option(const struct basic *basic, const char *name,
                      const struct ArrowSchema *input, uint32_t *column, const char **text,
                      struct weir_error *error);

/* One output with the given schema (moved). from[i] is the input column that result column i is,
 * unchanged, or -1; NULL: all of them, in order. Event time, keys and form are carried on as far
 * as they are still true: a stream of upserts whose keys are gone, or (`many`) repeated, becomes
 * one of plain rows. */
void carry_plan(struct weir_operator_plan *out, const struct weir_input *input,
                 struct ArrowSchema *schema, const int32_t *from, int many);

#endif
