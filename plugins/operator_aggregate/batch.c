/*
 * batch.c - aggregations of one batch: `reduce`, `reduce_by_key` (`combine_by_key` is the same),
 * and `count_by_value`. Groups leave in the order of first arrival within a key group.
 */
#include "plugins/operator_aggregate/faces.h"

static int32_t reduce_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    int32_t result = aggregation_by(a, input, error);
    if (result == WEIR_OK) result = aggregation_values(a, input, error);
    return result == WEIR_OK ? aggregation_plan(a, in, "values", out, error) : result;
}

static int32_t count_by_value_bind(void *self, const struct weir_operator_bind *in,
                                   struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    int32_t result = aggregation_by_column(a, "column", in->inputs[0].schema, error);
    if (result == WEIR_OK) result = aggregation_count(a, "count", error);
    return result == WEIR_OK ? aggregation_plan(a, in, "column", out, error) : result;
}

const struct weir_operator reduce_operator = { FACE_OF_AGGREGATION(reduce_operator, reduce_bind) };
const struct weir_operator count_by_value_operator = {
    FACE_OF_AGGREGATION(count_by_value_operator, count_by_value_bind)
};
