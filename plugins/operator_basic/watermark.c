/*
 * watermark.c - the operator `watermark`: says which column is the event time, and how late rows
 * may come.
 *
 * Rows are passed on as they are. A lane keeps the greatest event time of its rows; at the end of
 * the batch the engine takes the greatest over all lanes minus `delay`, joins it with those of the
 * other watermark operators, and never lets the result fall. Null event times don't count.
 *
 * A stream has one event time: a second `watermark` behind a first one may only name the same
 * column again.
 */
#include "plugins/operator_basic/basic.h"

struct watermark {
    struct basic basic;
    uint32_t column;
    int64_t delay_us;
    uint32_t n_columns;
    struct weir_output_column *columns; /* column i of the input, all of them */
};

struct watermark_lane {
    struct weir_context *context;
    int64_t least, greatest;
    uint64_t count; /* 0: no event time yet */
    __int128 sum;
};

static int32_t watermark_create(const struct weir_host *host, struct weir_context *context,
                                void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct watermark), self, error);
}

static void watermark_destroy(void *self)
{
    struct watermark *op = self;
    if (!op) return;
    op->basic.host->free(op->columns);
    op->basic.host->free(op);
}

static int32_t check_column(const struct weir_input *input, uint32_t column, const char *name,
                            struct weir_error *error)
{
    if (weir_type_of(input->schema->children[column]) != WEIR_TYPE_TIMESTAMP)
        return weir_fail_option(error, "column", -1,
                                "column \"%s\" is no timestamp: make one of it before "
                                "(to_timestamp, from_unix)",
                                name);
    if (input->time_column >= 0 && input->time_column != (int32_t)column)
        return weir_fail_option(error, "column", -1,
                                "the stream has the event time \"%s\" already, and can't have "
                                "another one",
                                input->schema->children[input->time_column]->name);
    if (input->form != WEIR_FORM_APPEND)
        return weir_fail_option(error, "column", -1,
                                "rows of this stream replace earlier ones: put the watermark "
                                "before the aggregation");
    return WEIR_OK;
}

static int32_t watermark_bind(void *self, const struct weir_operator_bind *in,
                              struct weir_operator_plan *out, struct weir_error *error)
{
    struct watermark *op = self;
    const struct basic *basic = &op->basic;
    const struct weir_input *input = &in->inputs[0];
    struct ArrowSchema schema;
    const char *name;
    int32_t result = column_option(basic, "column", input->schema, &op->column, &name, error);
    if (result == WEIR_OK) result = check_column(input, op->column, name, error);
    if (result != WEIR_OK) return result;
    op->delay_us = option_integer(basic->host, basic->context, "delay", 0);
    op->n_columns = (uint32_t)input->schema->n_children;
    op->columns = basic->host->alloc(op->n_columns * sizeof *op->columns + 1);
    if (!op->columns) return no_memory(error);
    for (uint32_t i = 0; i < op->n_columns; i++)
        op->columns[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    result = basic->data->schema_copy(input->schema, NULL, &schema, error);
    if (result != WEIR_OK) return result;
    carry_plan(out, input, &schema, NULL, 0);
    out->streams[0].time_column = (int32_t)op->column;
    out->delay_us = op->delay_us;
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    out->reads[0] = read_bit(op->column);
    return WEIR_OK;
}

static int32_t watermark_lane_create(void *self, struct weir_context *context, void **lane,
                                     struct weir_error *error)
{
    struct watermark *op = self;
    struct watermark_lane *l = op->basic.host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    *l = (struct watermark_lane){ .context = context };
    *lane = l;
    return WEIR_OK;
}

static void watermark_lane_destroy(void *self, void *lane)
{
    struct watermark *op = self;
    op->basic.host->free(lane);
}

static int32_t watermark_begin(void *self, void *lane, const struct weir_begin *in,
                               struct weir_error *error)
{
    struct watermark_lane *l = lane;
    (void)self;
    (void)in;
    (void)error;
    *l = (struct watermark_lane){ .context = l->context };
    return WEIR_OK;
}

static void note_times(struct watermark_lane *l, const struct ArrowArray *times,
                       const struct weir_chunk *chunk)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        if (weir_is_null(times, row)) continue;
        int64_t time = weir_get_int64(times, row);
        if (l->count == 0 || time < l->least) l->least = time;
        if (l->count == 0 || time > l->greatest) l->greatest = time;
        l->sum += time;
        l->count++;
    }
}

static int32_t watermark_process(void *self, void *lane, uint32_t input,
                                 const struct weir_chunk *chunk, struct weir_error *error)
{
    struct watermark *op = self;
    struct watermark_lane *l = lane;
    (void)input;
    note_times(l, chunk->array->children[op->column], chunk);
    struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                      .columns = op->columns, .n_columns = op->n_columns,
                                      .rows = chunk->rows, .selection = chunk->selection,
                                      .selected = chunk->selected };
    return op->basic.host->emit(l->context, &emission, error);
}

static int64_t watermark_proposal(void *self, void *lane)
{
    const struct watermark *op = self;
    const struct watermark_lane *l = lane;
    int64_t watermark;
    if (l->count == 0) return WEIR_WATERMARK_NONE;
    return __builtin_sub_overflow(l->greatest, op->delay_us, &watermark) ? WEIR_WATERMARK_NONE
                                                                         : watermark;
}

static void watermark_times(void *self, void *lane, struct weir_event_times *out)
{
    const struct watermark_lane *l = lane;
    (void)self;
    *out = (struct weir_event_times){ .count = l->count, .least = l->least,
                                      .greatest = l->greatest,
                                      .sum_s = (int64_t)(l->sum / 1000000),
                                      .sum_us = (int64_t)(l->sum % 1000000) };
}

const struct weir_operator watermark_operator = {
    .size = sizeof watermark_operator,
    .create = watermark_create,
    .destroy = watermark_destroy,
    .bind = watermark_bind,
    .lane_create = watermark_lane_create,
    .lane_destroy = watermark_lane_destroy,
    .begin = watermark_begin,
    .process = watermark_process,
    .lane_watermark = watermark_proposal,
    .lane_event_times = watermark_times,
};
