/*
 * count_face.c - `count`: the operator of count.c, or with `over` an aggregation over windows.
 *
 * Which of the two it is is known when the instance is made; its functions then hand on.
 */
#include "plugins/operator_aggregate/faces.h"

struct count_face {
    const struct weir_host *host;
    const struct weir_operator *table;
    void *self;
};

static int32_t face_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct weir_value value;
    struct count_face *face = host->alloc(sizeof *face);
    if (!face) return no_memory(error);
    face->host = host;
    face->self = NULL;
    face->table = option_get(host, context, "over.length", &value) ? &count_by_window_operator
                                                                   : &count_batch_operator;
    *self = face;
    return face->table->create(host, context, &face->self, error);
}

static void face_destroy(void *self)
{
    struct count_face *face = self;
    if (!face) return;
    face->table->destroy(face->self);
    face->host->free(face);
}

static int32_t face_bind(void *self, const struct weir_operator_bind *in,
                         struct weir_operator_plan *out, struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->bind(face->self, in, out, error);
}

static int32_t face_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->lane_create(face->self, context, lane, error);
}

static void face_lane_destroy(void *self, void *lane)
{
    struct count_face *face = self;
    face->table->lane_destroy(face->self, lane);
}

static int32_t face_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->begin(face->self, lane, in, error);
}

static int32_t face_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->process(face->self, lane, input, chunk, error);
}

static int32_t face_advance(void *self, void *lane, struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->advance(face->self, lane, error);
}

static int32_t face_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->combine(face->self, lane, input, chunk, error);
}

static int32_t face_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    struct count_face *face = self;
    return face->table->combine_end(face->self, lane, input, error);
}

const struct weir_operator count_operator = {
    .size = sizeof count_operator,
    .create = face_create,
    .destroy = face_destroy,
    .bind = face_bind,
    .lane_create = face_lane_create,
    .lane_destroy = face_lane_destroy,
    .begin = face_begin,
    .process = face_process,
    .advance = face_advance,
    .combine = face_combine,
    .combine_end = face_combine_end,
};
