/*
 * count.c - `count` of a batch: the number of its rows, always one row, also 0.
 *
 * It is the aggregation with the one group and the one call that need no table: a lane adds up
 * rows, a segment sends its number over the exchange. Where the input is absent (a source that had
 * nothing to say, which is not the same as no rows), there is nothing to count and the batch
 * fails.
 */
#include "plugins/operator_aggregate/faces.h"

struct count {
    const struct weir_host *host;
    const struct weir_data *data;
    int64_t slide_us; /* of the input; 0: no grid */
};

struct count_lane {
    struct weir_context *context;
    int64_t n;
    uint32_t off; /* 1: it isn't the input's turn in this batch */
};

static int32_t count_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct count *count = host->alloc(sizeof *count);
    (void)context;
    if (!count) return no_memory(error);
    count->host = host;
    count->data = host->get_interface(WEIR_DATA_ID);
    *self = count;
    if (count->data) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID);
}

static void count_destroy(void *self)
{
    struct count *count = self;
    if (count) count->host->free(count);
}

static int32_t count_schema(const struct count *count, struct ArrowSchema *out,
                            struct weir_error *error)
{
    int32_t result = count->data->schema_struct(1, out, error);
    if (result == WEIR_OK)
        result = count->data->schema_set(out, 0, "count", WEIR_TYPE_INT64, error);
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static int32_t count_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct count *count = self;
    int32_t result = count_schema(count, &out->streams[0].schema, error);
    if (result == WEIR_OK) result = count_schema(count, &out->distribution[0].exchange, error);
    if (result != WEIR_OK) return result;
    count->slide_us = in->inputs[0].slide * in->trigger_us;
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = in->inputs[0].slide;
    out->streams[0].time_column = -1;
    out->distribution[0].kind = WEIR_DISTRIBUTE_SINGLE;
    out->flags = WEIR_PLAN_TICKING | WEIR_PLAN_READS_KNOWN;
    return WEIR_OK;
}

static int32_t count_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct count *count = self;
    struct count_lane *l = count->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void count_lane_destroy(void *self, void *lane)
{
    struct count *count = self;
    count->host->free(lane);
}

static int32_t count_begin(void *self, void *lane, const struct weir_begin *in,
                           struct weir_error *error)
{
    const struct count *count = self;
    struct count_lane *l = lane;
    l->n = 0;
    l->off = in->absent && count->slide_us && (in->time_us - in->zero_us) % count->slide_us != 0;
    if (in->absent && !l->off)
        return weir_fail(error, WEIR_DATA, "its input gave nothing in this batch, so there is "
                                           "nothing to count");
    return WEIR_OK;
}

static int32_t count_emit(const struct count *count, struct count_lane *lane, uint32_t output,
                          struct weir_error *error)
{
    struct ArrowArray array;
    struct weir_output_column column = { -1, 0, &array };
    int32_t result = count->data->column(WEIR_TYPE_INT64, 1, 0, 0, &array, error);
    if (result != WEIR_OK) return result;
    *(int64_t *)(uintptr_t)array.buffers[1] = lane->n;
    struct weir_emission emission = { .size = sizeof emission, .output = output, .columns = &column,
                                      .n_columns = 1, .rows = 1 };
    lane->n = 0;
    return count->host->emit(lane->context, &emission, error);
}

static int32_t count_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct count_lane *l = lane;
    (void)self;
    (void)input;
    (void)error;
    l->n += chunk->selected;
    return WEIR_OK;
}

static int32_t count_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    struct count_lane *l = lane;
    (void)input;
    return l->n ? count_emit(self, l, WEIR_OUTPUT_EXCHANGE, error) : WEIR_OK;
}

static int32_t count_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct count_lane *l = lane;
    (void)self;
    (void)input;
    (void)error;
    for (uint32_t i = 0; i < chunk->selected; i++)
        l->n += weir_get_int64(chunk->array->children[0], weir_row(chunk, i));
    return WEIR_OK;
}

static int32_t count_advance(void *self, void *lane, struct weir_error *error)
{
    struct count_lane *l = lane;
    return l->off ? WEIR_OK : count_emit(self, l, 0, error);
}

const struct weir_operator count_batch_operator = {
    .size = sizeof count_batch_operator,
    .create = count_create,
    .destroy = count_destroy,
    .bind = count_bind,
    .lane_create = count_lane_create,
    .lane_destroy = count_lane_destroy,
    .begin = count_begin,
    .process = count_process,
    .advance = count_advance,
    .combine = count_combine,
    .combine_end = count_combine_end,
};
