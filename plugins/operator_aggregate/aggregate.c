/*
 * aggregate.c - the operator `aggregate`: groups that live on from batch to batch.
 *
 * `update` gives the groups that changed in the batch, once each, as a stream of upserts by the
 * grouping columns; `complete` gives the whole table in every batch. Without `by` there is one
 * group; it is given in every batch that runs. `append` gives a group once it can't change any
 * more, which only event time tells.
 */
#include "plugins/operator_aggregate/faces.h"

static int32_t read_mode(struct aggregation *a, const struct weir_operator_bind *in,
                         struct weir_error *error)
{
    const char *mode = option_text(a->host, a->context, "output_mode", NULL);
    uint32_t form = in->output_mode ? in->output_mode : WEIR_FORM_UPSERT;
    if (mode)
        form = option_is(mode, "append")   ? WEIR_FORM_APPEND
               : option_is(mode, "update") ? WEIR_FORM_UPSERT
                                           : WEIR_FORM_REPLACE;
    a->complete = form == WEIR_FORM_REPLACE;
    if (form != WEIR_FORM_APPEND) return WEIR_OK;
    return weir_fail_option(error, "output_mode", -1,
                            "append gives a group once it is final, and without a window over a "
                            "watermarked column none ever is: take update or complete");
}

static int32_t refuse_distinct(const struct aggregation *a, struct weir_error *error)
{
    if (!a->raw) return WEIR_OK;
    return weir_fail_option(error, "values", -1,
                            "distinct arguments would have to be kept for ever: take "
                            "approx_count_distinct, or count them per batch (reduce_by_key)");
}

static int32_t aggregate_bind(void *self, const struct weir_operator_bind *in,
                              struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    int32_t result = read_mode(a, in, error);
    if (result == WEIR_OK) result = aggregation_by(a, input, error);
    if (result == WEIR_OK) result = aggregation_values(a, input, error);
    if (result == WEIR_OK) result = refuse_distinct(a, error);
    if (result == WEIR_OK) result = aggregation_durable(a, error);
    return result == WEIR_OK ? aggregation_plan(a, in, "values", out, error) : result;
}

const struct weir_operator aggregate_operator = {
    FACE_OF_AGGREGATION(aggregate_operator, aggregate_bind)
};
