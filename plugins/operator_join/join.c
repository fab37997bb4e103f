/*
 * join.c - the operator `join`: the calls of the engine.
 */
#include "plugins/operator_join/op.h"

static int32_t join_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct join_op *op = host->alloc(sizeof *op);
    if (!op) return no_memory(error);
    memset(op, 0, sizeof *op);
    *self = op;
    op->join.host = host;
    op->state = host->get_interface(WEIR_STATE_ID);
    if (!op->state) return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_STATE_ID);
    return join_init(&op->join, host, context, error);
}

static void join_destroy(void *self)
{
    struct join_op *op = self;
    if (!op) return;
    for (uint32_t s = 0; s < 2; s++) {
        op->join.host->free(op->sides[s].at);
        op->join.host->free(op->sides[s].from);
        if (op->sides[s].exchange.release) op->sides[s].exchange.release(&op->sides[s].exchange);
        cells_free(op, &op->sides[s].cells);
    }
    join_fini(&op->join);
    op->join.host->free(op);
}

static int32_t join_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    const struct join_op *op = self;
    struct join_lane *l = op->join.host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->op = op;
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void join_lane_destroy(void *self, void *lane)
{
    const struct join_op *op = self;
    const struct weir_host *host = op->join.host;
    struct join_lane *l = lane;
    if (!l) return;
    batch_forget(l);
    for (uint32_t s = 0; s < 2; s++) {
        host->free(l->kept[s].chunks);
        if (l->empty[s].release) l->empty[s].release(&l->empty[s]);
    }
    op->join.combine->destroy(l->index);
    if (l->pairs) join_pairs_fini(l->pairs);
    host->free(l->pairs);
    host->free(l->slots);
    host->free(l->numbers);
    host->free(l->order);
    host->free(l);
}

static int32_t join_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error)
{
    struct join_lane *l = lane;
    (void)self;
    (void)error;
    l->begin = *in;
    batch_forget(l);
    return WEIR_OK;
}

static int32_t join_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    const struct join_op *op = self;
    return op->stream ? stream_process(lane, input, chunk, error)
                      : batch_process(lane, input, chunk, error);
}

static int32_t join_advance(void *self, void *lane, struct weir_error *error)
{
    const struct join_op *op = self;
    return op->stream ? stream_advance(lane, error) : batch_advance(lane, error);
}

const struct weir_operator join_operator = {
    .size = sizeof join_operator,
    .create = join_create,
    .destroy = join_destroy,
    .bind = join_op_bind,
    .lane_create = join_lane_create,
    .lane_destroy = join_lane_destroy,
    .begin = join_begin,
    .process = join_process,
    .advance = join_advance,
    .combine = join_op_combine,
    .combine_end = join_op_combine_end,
    .output_watermark = join_op_watermark,
};
