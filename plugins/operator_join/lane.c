/*
 * lane.c - lanes, and what both scopes do with rows behind the exchange.
 */
#include "plugins/operator_join/op.h"

int32_t lane_pairs(struct join_lane *lane, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    int32_t result;
    if (lane->pairs) return WEIR_OK;
    lane->pairs = op->join.host->alloc(sizeof *lane->pairs);
    if (!lane->pairs) return no_memory(error);
    memset(lane->pairs, 0, sizeof *lane->pairs);
    result = join_pairs_init(lane->pairs, &op->join, lane->context, error);
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++)
        result = op->join.data->concat(&op->sides[s].exchange, NULL, NULL, NULL, 0,
                                       &lane->empty[s], error);
    return result;
}

int32_t lane_room(struct join_lane *lane, uint32_t rows, struct weir_error *error)
{
    const struct weir_host *host = lane->op->join.host;
    if (rows <= lane->n_rows) return WEIR_OK;
    host->free(lane->slots);
    host->free(lane->numbers);
    host->free(lane->order);
    lane->n_rows = 0;
    lane->slots = host->alloc((uint64_t)rows * sizeof *lane->slots);
    lane->numbers = host->alloc((uint64_t)rows * sizeof *lane->numbers);
    lane->order = host->alloc((uint64_t)rows * sizeof *lane->order);
    if (!lane->slots || !lane->numbers || !lane->order) return no_memory(error);
    lane->n_rows = rows;
    return WEIR_OK;
}

void lane_leaves(const struct join_op *op, uint32_t side, const struct ArrowArray *array,
                 const struct ArrowArray **leaves)
{
    for (uint32_t i = 0; i < op->join.n_leaves; i++)
        leaves[i] = array->children[op->sides[side].leaf_at[i]];
}

int array_alone(const struct join_op *op, uint32_t side, const struct ArrowArray *array,
                uint32_t row)
{
    const int32_t at = op->sides[side].alone_at;
    return at >= 0 && weir_get_bool(array->children[at], row);
}

static int32_t take_array(void *arg, uint32_t column, const uint32_t *rows, uint32_t n,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct array_source *source = arg;
    const struct join_op *op = source->op;
    const int32_t at = op->sides[source->side].at[column];
    return op->join.data->take(op->join.inputs[source->side].schema->children[column],
                               source->array->children[at], rows, n, out, error);
}

struct join_source array_rows(struct join_lane *lane, uint32_t side,
                              const struct ArrowArray *array)
{
    lane->arrays[side] = (struct array_source){ lane->op, side, array };
    return (struct join_source){ take_array, &lane->arrays[side] };
}
