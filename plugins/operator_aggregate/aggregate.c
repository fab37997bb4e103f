/*
 * aggregate.c - the operator `aggregate`: groups that live on from batch to batch.
 *
 * `update` gives the groups that changed in the batch, once each, as a stream of upserts by the
 * grouping columns; `complete` gives the whole table in every batch; `append` gives a group once
 * it can't change any more, which only event time tells. Without `by` and `window` there is one
 * group; it is given in every batch that runs.
 */
#include "plugins/operator_aggregate/faces.h"

static uint32_t form_of(const char *mode)
{
    return option_is(mode, "append")   ? WEIR_FORM_APPEND
           : option_is(mode, "update") ? WEIR_FORM_UPSERT
                                       : WEIR_FORM_REPLACE;
}

static void read_mode(struct aggregation *a, const struct weir_operator_bind *in)
{
    const char *mode = option_text(a->host, a->context, "output_mode", NULL);
    if (mode) a->form = form_of(mode);
    else if (in->output_mode) a->form = in->output_mode;
    else a->form = a->time.bounded ? WEIR_FORM_APPEND : WEIR_FORM_UPSERT;
}

static int32_t refuse_distinct(const struct aggregation *a, struct weir_error *error)
{
    if (!a->raw) return WEIR_OK;
    return weir_fail_option(error, "values", -1,
                            "distinct arguments would have to be kept for ever: take "
                            "approx_count_distinct, or count them per batch (reduce_by_key)");
}

/* Rows that replace earlier ones can't be taken out of a group again. */
static int32_t check_form(const struct weir_input *input, struct weir_error *error)
{
    if (input->form == WEIR_FORM_APPEND) return WEIR_OK;
    return weir_fail(error, WEIR_CONFIG,
                     "rows of \"%s\" replace earlier ones, which can't be taken out of the "
                     "groups again: "
                     "let it give final rows only (output_mode append)",
                     input->name ? input->name : "its input");
}

static int32_t aggregate_bind(void *self, const struct weir_operator_bind *in,
                              struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    const struct weir_input *input = &in->inputs[0];
    int32_t result = check_form(input, error);
    if (result == WEIR_OK) result = aggregation_time(a, input, error);
    if (result == WEIR_OK) result = aggregation_by(a, input->schema, error);
    if (result == WEIR_OK) result = aggregation_values(a, input->schema, error);
    if (result == WEIR_OK) result = refuse_distinct(a, error);
    if (result != WEIR_OK) return result;
    read_mode(a, in);
    result = aggregation_time_settle(a, input, error);
    if (result == WEIR_OK) result = aggregation_durable(a, error);
    if (result == WEIR_OK) result = aggregation_plan(a, in, "values", out, error);
    out->flags |= WEIR_PLAN_AGGREGATES;
    return result;
}

const struct weir_operator aggregate_operator = {
    FACE_OF_AGGREGATION(aggregate_operator, aggregate_bind)
};
