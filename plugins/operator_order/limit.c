/*
 * limit.c - the operator `limit`: the first n rows.
 *
 * Rows count in the order (source partition by name, arrival), in one place behind an exchange; before it
 * each segment lets n rows through at most. What is counted:
 *
 *     scope stream   all rows since the job began; the number lies in a table without key
 *     scope batch    the rows of a batch
 *     of a stream whose batches are whole tables (complete mode): the rows of a table
 *
 * A stream of upserts has no first rows: the same ones would change again later and be cut off.
 */
#include "plugins/operator_order/order.h"

struct limit {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_state_table *state;
    int64_t n;
    uint32_t table, durable, n_columns;
    struct ArrowSchema key; /* of no columns */
    struct weir_output_column *columns; /* column i of the input, all of them */
};

struct limit_lane {
    struct weir_context *context;
    struct weir_state *state;
    int64_t left;
    int64_t taken; /* in this batch */
};

static int32_t limit_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct limit *limit = host->alloc(sizeof *limit);
    if (!limit) return no_memory(error);
    memset(limit, 0, sizeof *limit);
    limit->host = host;
    limit->context = context;
    limit->data = host->get_interface(WEIR_DATA_ID);
    limit->state = host->get_interface(WEIR_STATE_ID);
    limit->n = option_integer(host, context, "n", 0);
    *self = limit;
    if (!limit->data || !limit->state)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "this host lacks " WEIR_DATA_ID " or " WEIR_STATE_ID);
    if (limit->n >= 0) return WEIR_OK;
    return weir_fail_option(error, "n", -1, "must be 0 or more");
}

static void limit_destroy(void *self)
{
    struct limit *limit = self;
    if (!limit) return;
    if (limit->key.release) limit->key.release(&limit->key);
    limit->host->free(limit->columns);
    limit->host->free(limit);
}

/* ---- bind ---- */

static int32_t declare_count(struct limit *limit, struct weir_error *error)
{
    static const struct weir_table_column column = { "n", WEIR_TYPE_INT64, 0 };
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "count",
                                    .key = &limit->key, .n_columns = 1, .columns = &column,
                                    .version = 1, .signature = "" };
    int32_t result = limit->data->schema_struct(0, &limit->key, error);
    limit->durable = 1;
    return result == WEIR_OK ? limit->state->declare(limit->context, &spec, &limit->table, error)
                             : result;
}

static int32_t refuse_updates(const struct weir_operator_bind *in, struct weir_error *error)
{
    if (in->inputs[0].form == WEIR_FORM_UPSERT)
        return weir_fail_option(error, "scope", -1,
                                "the input gives a row again when it changes (update mode), so "
                                "there are no first rows: take output_mode append or complete "
                                "above, or scope batch");
    if (in->output_mode == WEIR_FORM_UPSERT)
        return weir_fail_option(error, "scope", -1,
                                "a job in update mode can't limit its stream: take output_mode "
                                "append or complete, or scope batch");
    return WEIR_OK;
}

static int32_t limit_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct limit *limit = self;
    const struct ArrowSchema *schema = in->inputs[0].schema;
    const char *scope = option_text(limit->host, limit->context, "scope", "stream");
    int32_t result = WEIR_OK;
    if (option_is(scope, "stream") && in->inputs[0].form != WEIR_FORM_REPLACE) {
        result = refuse_updates(in, error);
        if (result == WEIR_OK) result = declare_count(limit, error);
    }
    if (result != WEIR_OK) return result;
    limit->n_columns = (uint32_t)schema->n_children;
    limit->columns = limit->host->alloc(limit->n_columns * sizeof *limit->columns + 1);
    if (!limit->columns) return no_memory(error);
    for (uint32_t i = 0; i < limit->n_columns; i++)
        limit->columns[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    result = passing_plan(limit->data, &in->inputs[0], out, error);
    out->flags = WEIR_PLAN_TIMELESS;
    if (result == WEIR_OK)
        result = limit->data->schema_copy(schema, NULL, &out->distribution[0].exchange, error);
    return result;
}

/* ---- lanes ---- */

static int32_t limit_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct limit *limit = self;
    struct limit_lane *l = limit->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void limit_lane_destroy(void *self, void *lane)
{
    struct limit *limit = self;
    limit->host->free(lane);
}

static int32_t limit_begin(void *self, void *lane, const struct weir_begin *in,
                           struct weir_error *error)
{
    struct limit *limit = self;
    struct limit_lane *l = lane;
    uint32_t slot = WEIR_NO_SLOT;
    (void)error;
    l->state = in->state;
    l->left = limit->n;
    l->taken = 0;
    if (!limit->durable || !in->state) return WEIR_OK;
    limit->state->lookup(in->state, limit->table, NULL, NULL, NULL, 1, &slot);
    if (slot != WEIR_NO_SLOT) {
        struct weir_view n = limit->state->column(in->state, limit->table, 0);
        l->left -= *(int64_t *)(void *)(n.base + slot * n.stride);
    }
    return WEIR_OK;
}

/* The first rows of the chunk, as far as there are rows left. */
static int32_t pass(const struct limit *limit, struct limit_lane *lane, uint32_t output,
                    const struct weir_chunk *chunk, struct weir_error *error)
{
    struct weir_emission emission = { .size = sizeof emission, .output = output, .from = chunk,
                                      .columns = limit->columns, .n_columns = limit->n_columns,
                                      .rows = chunk->rows, .selection = chunk->selection,
                                      .selected = chunk->selected };
    uint32_t *first = NULL;
    if (lane->left <= 0) return WEIR_OK;
    if (emission.selected > lane->left) {
        emission.selected = (uint32_t)lane->left;
        if (!chunk->selection) { /* a prefix of all rows is a selection */
            first = limit->host->alloc(emission.selected * sizeof *first);
            if (!first) return no_memory(error);
            for (uint32_t i = 0; i < emission.selected; i++) first[i] = i;
            emission.selection = first;
        }
    }
    int32_t result = limit->host->emit(lane->context, &emission, error);
    limit->host->free(first);
    lane->left -= emission.selected;
    lane->taken += emission.selected;
    return result;
}

static int32_t limit_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    (void)input;
    return pass(self, lane, WEIR_OUTPUT_EXCHANGE, chunk, error);
}

/* A segment has ended: the next one begins to count anew. */
static int32_t limit_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    const struct limit *limit = self;
    (void)input;
    (void)error;
    ((struct limit_lane *)lane)->left = limit->n;
    return WEIR_OK;
}

static int32_t limit_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    (void)input;
    return pass(self, lane, 0, chunk, error);
}

static int32_t limit_advance(void *self, void *lane, struct weir_error *error)
{
    struct limit *limit = self;
    struct limit_lane *l = lane;
    uint32_t slot;
    if (!limit->durable || l->taken == 0) return WEIR_OK;
    int32_t result = limit->state->lookup_or_insert(l->state, limit->table, NULL, NULL, NULL, 1,
                                                    &slot, error);
    if (result != WEIR_OK) return result;
    struct weir_view n = limit->state->column(l->state, limit->table, 0);
    *(int64_t *)(void *)(n.base + slot * n.stride) += l->taken;
    limit->host->count(l->context, "updated", 1);
    return WEIR_OK;
}

const struct weir_operator limit_operator = {
    .size = sizeof limit_operator,
    .create = limit_create,
    .destroy = limit_destroy,
    .bind = limit_bind,
    .lane_create = limit_lane_create,
    .lane_destroy = limit_lane_destroy,
    .begin = limit_begin,
    .process = limit_process,
    .advance = limit_advance,
    .combine = limit_combine,
    .combine_end = limit_combine_end,
};
