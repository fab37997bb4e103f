/*
 * repartition.c - the operator `repartition`: what follows runs in another number of partitions.
 *
 * The rows come together in order; the engine then gives row i to partition i mod n, or, with
 * `by`, to the hash of these columns mod n. This operator only says so and passes the rows on.
 */
#include "plugins/operator_basic/basic.h"

#include "plugins/share/names.h"

#define PARTITIONS_MAX 4096

struct repartition {
    struct basic basic;
    uint32_t n_columns;
    struct weir_output_column *columns; /* column i of the input, all of them */
};

static int32_t repartition_create(const struct weir_host *host, struct weir_context *context,
                                  void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct repartition), self, error);
}

static void repartition_destroy(void *self)
{
    struct repartition *op = self;
    if (!op) return;
    op->basic.host->free(op->columns);
    op->basic.host->free(op);
}

static int32_t bind_by(const struct repartition *op, const struct ArrowSchema *schema,
                       struct weir_operator_plan *out, struct weir_error *error)
{
    const struct basic *basic = &op->basic;
    struct weir_distribution *d = &out->distribution[0];
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; basic->host->option_item(basic->context, "by", i, &value) == WEIR_OK;
         i++) {
        int32_t at = weir_column_index(schema, value.text);
        if (at < 0) return no_such_column(schema, "by", value.text, error);
        uint32_t type = weir_type_of(schema->children[at]);
        if (type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT)
            return weir_fail_option(error, "by", -1,
                                    "column \"%s\" is a list or struct: only plain values can be "
                                    "told apart by hash",
                                    value.text);
        if (d->n_columns == 16) return weir_fail_option(error, "by", -1, "16 columns are the most");
        d->columns[d->n_columns++] = (uint32_t)at;
        out->reads[0] |= read_bit((uint32_t)at);
    }
    out->spread = d->n_columns > 0;
    return WEIR_OK;
}

static int32_t repartition_bind(void *self, const struct weir_operator_bind *in,
                                struct weir_operator_plan *out, struct weir_error *error)
{
    struct repartition *op = self;
    const struct basic *basic = &op->basic;
    const struct ArrowSchema *input = in->inputs[0].schema;
    int64_t n = option_integer(basic->host, basic->context, "partitions", 0);
    struct ArrowSchema schema;
    if (n < 1 || n > PARTITIONS_MAX)
        return weir_fail_option(error, "partitions", -1, "must be from 1 to %d", PARTITIONS_MAX);
    op->n_columns = (uint32_t)input->n_children;
    op->columns = basic->host->alloc(op->n_columns * sizeof *op->columns + 1);
    if (!op->columns) return no_memory(error);
    for (uint32_t i = 0; i < op->n_columns; i++)
        op->columns[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    int32_t result = bind_by(op, input, out, error);
    if (result == WEIR_OK) result = basic->data->schema_copy(input, NULL, &schema, error);
    if (result != WEIR_OK) return result;
    carry_plan(out, &in->inputs[0], &schema, NULL, 0);
    out->distribution[0].kind = WEIR_DISTRIBUTE_SINGLE;
    out->partitions = (uint32_t)n;
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    return WEIR_OK;
}

static int32_t repartition_lane_create(void *self, struct weir_context *context, void **lane,
                                       struct weir_error *error)
{
    (void)self;
    (void)error;
    *lane = context; /* a lane needs nothing but its ticket */
    return WEIR_OK;
}

static void repartition_lane_destroy(void *self, void *lane)
{
    (void)self;
    (void)lane;
}

static int32_t repartition_process(void *self, void *lane, uint32_t input,
                                   const struct weir_chunk *chunk, struct weir_error *error)
{
    struct repartition *op = self;
    struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                      .columns = op->columns, .n_columns = op->n_columns,
                                      .rows = chunk->rows, .selection = chunk->selection,
                                      .selected = chunk->selected };
    (void)input;
    return op->basic.host->emit(lane, &emission, error);
}

const struct weir_operator repartition_operator = {
    .size = sizeof repartition_operator,
    .create = repartition_create,
    .destroy = repartition_destroy,
    .bind = repartition_bind,
    .lane_create = repartition_lane_create,
    .lane_destroy = repartition_lane_destroy,
    .process = repartition_process,
};
