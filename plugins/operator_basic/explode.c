/*
 * explode.c - the operator `explode`: one row per item of a list. A null or empty list gives no
 * row; the other columns are repeated beside each item.
 */
#include "plugins/operator_basic/basic.h"

struct explode {
    struct basic basic;
    uint32_t column, n_columns;
    const struct ArrowSchema *schema; /* of the input */
};

struct explode_lane {
    struct weir_context *context;
    const struct weir_chunk *chunk;
    struct ArrowArray *arrays;
    struct weir_output_column *out;
    uint32_t n;
    uint64_t bytes;              /* of the rows collected, about */
    uint32_t items[TARGET_ROWS]; /* in the list's items */
    uint32_t rows[TARGET_ROWS];  /* in the chunk */
};

static int32_t explode_create(const struct weir_host *host, struct weir_context *context,
                              void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct explode), self, error);
}

static void explode_destroy(void *self)
{
    struct explode *explode = self;
    if (explode) explode->basic.host->free(explode);
}

static int32_t explode_bind(void *self, const struct weir_operator_bind *in,
                            struct weir_operator_plan *out, struct weir_error *error)
{
    struct explode *explode = self;
    const struct basic *basic = &explode->basic;
    const struct ArrowSchema *input = in->inputs[0].schema;
    const char *name;
    int32_t result = column_option(basic, "column", input, &explode->column, &name, error);
    if (result != WEIR_OK) return result;
    if (weir_type_of(input->children[explode->column]) != WEIR_TYPE_LIST)
        return weir_fail_option(error, "column", -1,
                                "column \"%s\" is no list: explode takes a list", name);
    explode->schema = input;
    explode->n_columns = (uint32_t)input->n_children;
    struct field item = { input->children[explode->column]->children[0],
                          option_text(basic->host, basic->context, "into", name) };
    result = replace_plan(basic, out, &in->inputs[0], explode->column, item, "into", error);
    if (result != WEIR_OK) return result;
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    out->reads[0] = read_bit(explode->column);
    return WEIR_OK;
}

static int32_t explode_lane_create(void *self, struct weir_context *context, void **lane,
                                   struct weir_error *error)
{
    struct explode *explode = self;
    uint64_t each = sizeof(struct ArrowArray) + sizeof(struct weir_output_column);
    struct explode_lane *l = explode->basic.host->alloc(sizeof *l + explode->n_columns * each);
    if (!l) return no_memory(error);
    l->context = context;
    l->arrays = (struct ArrowArray *)(void *)(l + 1);
    l->out = (struct weir_output_column *)(void *)(l->arrays + explode->n_columns);
    *lane = l;
    return WEIR_OK;
}

static void explode_lane_destroy(void *self, void *lane)
{
    struct explode *explode = self;
    explode->basic.host->free(lane);
}

static int32_t flush(const struct explode *explode, struct explode_lane *lane,
                     struct weir_error *error)
{
    const struct basic *basic = &explode->basic;
    uint32_t c, n = lane->n;
    int32_t result = WEIR_OK;
    lane->n = 0;
    lane->bytes = 0;
    if (n == 0) return WEIR_OK;
    for (c = 0; c < explode->n_columns && result == WEIR_OK; c++) {
        const struct ArrowSchema *type = explode->schema->children[c];
        const struct ArrowArray *from = lane->chunk->array->children[c];
        int list = c == explode->column;
        lane->out[c] = (struct weir_output_column){ -1, 0, &lane->arrays[c] };
        result = basic->data->take(list ? type->children[0] : type, list ? from->children[0] : from,
                                   list ? lane->items : lane->rows, n, &lane->arrays[c], error);
    }
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .columns = lane->out,
                                          .n_columns = explode->n_columns, .rows = n };
        return basic->host->emit(lane->context, &emission, error);
    }
    while (c-- > 0)
        if (lane->arrays[c].release) lane->arrays[c].release(&lane->arrays[c]);
    return result;
}

static uint64_t bytes_beside(const struct explode *explode, const struct weir_chunk *chunk,
                             uint32_t row)
{
    uint64_t sum = 0;
    for (uint32_t c = 0; c < explode->n_columns; c++)
        if (c != explode->column)
            sum += cell_bytes(explode->schema->children[c], chunk->array->children[c], row);
    return sum;
}

static int32_t explode_row(const struct explode *explode, struct explode_lane *lane, uint32_t row,
                           struct weir_error *error)
{
    const struct ArrowArray *list = lane->chunk->array->children[explode->column];
    const struct ArrowSchema *item = explode->schema->children[explode->column]->children[0];
    const int32_t *offsets = list->buffers[1];
    uint64_t beside = offsets[row] < offsets[row + 1] ? bytes_beside(explode, lane->chunk, row) : 0;
    for (int32_t k = offsets[row]; k < offsets[row + 1]; k++) {
        uint64_t bytes = beside + cell_bytes(item, list->children[0], (uint32_t)k);
        if (lane->n == TARGET_ROWS || (lane->n && lane->bytes + bytes > TARGET_BYTES)) {
            int32_t result = flush(explode, lane, error);
            if (result != WEIR_OK) return result;
        }
        lane->bytes += bytes;
        lane->items[lane->n] = (uint32_t)k;
        lane->rows[lane->n++] = row;
    }
    return WEIR_OK;
}

static int32_t explode_process(void *self, void *lane, uint32_t input,
                               const struct weir_chunk *chunk, struct weir_error *error)
{
    struct explode *explode = self;
    struct explode_lane *l = lane;
    const struct ArrowArray *list = chunk->array->children[explode->column];
    (void)input;
    l->chunk = chunk;
    l->n = 0;
    l->bytes = 0;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        if (weir_is_null(list, row)) continue;
        int32_t result = explode_row(explode, l, row, error);
        if (result != WEIR_OK) return result;
    }
    return flush(explode, l, error);
}

const struct weir_operator explode_operator = {
    .size = sizeof explode_operator,
    .create = explode_create,
    .destroy = explode_destroy,
    .bind = explode_bind,
    .lane_create = explode_lane_create,
    .lane_destroy = explode_lane_destroy,
    .process = explode_process,
};
