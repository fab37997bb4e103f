/*
 * update_face.c - `update_state_by_key` with code or with `values`: which it is, is known in create.
 *
 * `values` are running totals: an aggregation (plugins/operator_aggregate) whose groups live on, and of
 * which all are given in every batch.
 */
#include "plugins/operator_state/faces.h"

#include "plugins/operator_aggregate/faces.h"

struct face {
    const struct weir_host *host;
    const struct weir_operator *table;
    void *self;
};

/* ---- values ---- */

static int32_t refuse_distinct(const struct aggregation *a, struct weir_error *error)
{
    if (!a->raw) return WEIR_OK;
    return weir_fail_option(error, "values", -1,
                            "distinct arguments would have to be kept for ever: take "
                            "approx_count_distinct, or code with a map (stateful)");
}

static int32_t refuse_code(const struct aggregation *a, struct weir_error *error)
{
    static const char *const others[] = { "lua.function", "lua.source", "lua.file", "state",
                                          "initial.columns" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (option_text(a->host, a->context, others[i], NULL))
            return weir_fail_option(error, "values", -1,
                                    "`values` needs neither code nor `state` nor `initial`: leave "
                                    "out `%s`",
                                    others[i]);
    return WEIR_OK;
}

static int32_t values_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct aggregation *a = self;
    const struct weir_input *input = &in->inputs[0];
    int32_t result = refuse_code(a, error);
    if (result == WEIR_OK) result = aggregation_time(a, input, error);
    if (result == WEIR_OK) result = aggregation_by(a, input->schema, error);
    if (result == WEIR_OK) result = aggregation_values(a, input->schema, error);
    if (result == WEIR_OK) result = refuse_distinct(a, error);
    if (result != WEIR_OK) return result;
    a->form = WEIR_FORM_REPLACE; /* all groups, in every batch */
    result = aggregation_time_settle(a, input, error);
    if (result == WEIR_OK) result = aggregation_durable(a, error);
    if (result == WEIR_OK) result = aggregation_plan(a, in, "values", out, error);
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = 0;
    out->flags |= WEIR_PLAN_TICKING | WEIR_PLAN_ALL_GROUPS | WEIR_PLAN_TIMELESS;
    return result;
}

static const struct weir_operator values_operator = {
    FACE_OF_AGGREGATION(values_operator, values_bind)
};

/* ---- either ---- */

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    struct weir_value value;
    struct face *face = host->alloc(sizeof *face);
    if (!face) return no_memory(error);
    memset(face, 0, sizeof *face);
    face->host = host;
    face->table = option_get(host, context, "values", &value) ? &values_operator
                                                              : &update_by_code_operator;
    *self = face;
    return face->table->create(host, context, &face->self, error);
}

static void destroy(void *self)
{
    struct face *face = self;
    if (!face) return;
    if (face->self) face->table->destroy(face->self);
    face->host->free(face);
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    struct face *face = self;
    return face->table->bind(face->self, in, out, error);
}

static int32_t lane_create(void *self, struct weir_context *context, void **lane,
                           struct weir_error *error)
{
    struct face *face = self;
    return face->table->lane_create(face->self, context, lane, error);
}

static void lane_destroy(void *self, void *lane)
{
    struct face *face = self;
    face->table->lane_destroy(face->self, lane);
}

static int32_t begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    struct face *face = self;
    return face->table->begin(face->self, lane, in, error);
}

static int32_t process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error)
{
    struct face *face = self;
    return face->table->process(face->self, lane, input, chunk, error);
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    struct face *face = self;
    return face->table->advance(face->self, lane, error);
}

static int32_t combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error)
{
    struct face *face = self;
    return face->table->combine(face->self, lane, input, chunk, error);
}

static int32_t combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    struct face *face = self;
    return face->table->combine_end(face->self, lane, input, error);
}

const struct weir_operator update_state_by_key_operator = {
    .size = sizeof update_state_by_key_operator,
    .create = create,
    .destroy = destroy,
    .bind = bind,
    .lane_create = lane_create,
    .lane_destroy = lane_destroy,
    .begin = begin,
    .process = process,
    .advance = advance,
    .combine = combine,
    .combine_end = combine_end,
};
