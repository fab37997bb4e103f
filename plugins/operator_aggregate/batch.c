/*
 * batch.c - aggregations per batch or, with `over`, per window of batches: `reduce`, `reduce_by_key`
 * (`combine_by_key` is the same), `count_by_value`, and the names that windows have in Spark, which
 * take the members of `over` flat. Groups of a batch leave in the order of first arrival within a
 * key group.
 */
#include "plugins/operator_aggregate/faces.h"
#include "plugins/operator_aggregate/panes.h"

static int32_t reduce_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    int32_t result = aggregation_by(a, input, error);
    if (result == WEIR_OK) result = aggregation_values(a, input, error);
    if (result == WEIR_OK) result = aggregation_plan(a, in, "values", out, error);
    return result == WEIR_OK ? panes_bind(a, in, out, 0, NULL, error) : result;
}

static int32_t count_by_value_bind(void *self, const struct weir_operator_bind *in,
                                   struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    int32_t result = aggregation_by_column(a, "column", in->inputs[0].schema, error);
    if (result == WEIR_OK) result = aggregation_count(a, "count", error);
    if (result == WEIR_OK) result = aggregation_plan(a, in, "column", out, error);
    return result == WEIR_OK ? panes_bind(a, in, out, 0, "count > 0", error) : result;
}

/* A count stays, as 0, once there was something to count. */
static int32_t count_by_window_bind(void *self, const struct weir_operator_bind *in,
                                    struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    int32_t result = aggregation_by(a, in->inputs[0].schema, error); /* none */
    if (result == WEIR_OK) result = aggregation_count(a, "count", error);
    if (result == WEIR_OK) result = aggregation_plan(a, in, "length", out, error);
    return result == WEIR_OK ? panes_bind(a, in, out, 1, NULL, error) : result;
}

#define FACE(name, bind_fn)                                                                        \
    .size = sizeof name, .create = aggregation_create, .destroy = over_destroy, .bind = bind_fn,   \
    .lane_create = over_lane_create, .lane_destroy = over_lane_destroy, .begin = over_begin,       \
    .process = over_process, .advance = over_advance, .combine = over_combine,                     \
    .combine_end = over_combine_end

const struct weir_operator reduce_operator = { FACE(reduce_operator, reduce_bind) };
const struct weir_operator count_by_value_operator = {
    FACE(count_by_value_operator, count_by_value_bind)
};
const struct weir_operator count_by_window_operator = {
    FACE(count_by_window_operator, count_by_window_bind)
};
