/*
 * filter.c - the operator `filter`: rows for which `where` is true. Columns are passed on by
 * reference, with a selection of the rows that are left.
 */
#include "plugins/operator_basic/basic.h"

#define CONJUNCTS_MAX 8u

struct filter {
    struct basic basic;
    struct weir_expr *where;
    uint32_t n_columns;
    struct weir_output_column *columns; /* column i of the input, all of them */
    const char *conjuncts[CONJUNCTS_MAX];
};

struct filter_lane {
    struct weir_context *context;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
};

static int32_t filter_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct filter), self, error);
}

static void filter_destroy(void *self)
{
    struct filter *filter = self;
    if (!filter) return;
    if (filter->basic.expr) filter->basic.expr->free(filter->where);
    filter->basic.host->free(filter->columns);
    filter->basic.host->free(filter);
}

static int32_t filter_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct filter *filter = self;
    const struct basic *basic = &filter->basic;
    struct weir_expr_input input = { NULL, in->inputs[0].schema };
    struct ArrowSchema schema;
    int32_t result = basic->expr->compile(basic->context,
                                          option_text(basic->host, basic->context, "where", ""),
                                          "where", &input, 1, WEIR_TYPE_BOOL, &filter->where,
                                          error);
    if (result != WEIR_OK) return result;
    filter->n_columns = (uint32_t)input.schema->n_children;
    filter->columns = basic->host->alloc(filter->n_columns * sizeof *filter->columns + 1);
    if (!filter->columns) return no_memory(error);
    for (uint32_t i = 0; i < filter->n_columns; i++)
        filter->columns[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    result = basic->data->schema_copy(input.schema, NULL, &schema, error);
    if (result != WEIR_OK) return result;
    carry_plan(out, &in->inputs[0], &schema, NULL, 0);
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    if (!basic->expr->deterministic(filter->where)) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    out->reads[0] = read_bits(basic, filter->where, input.schema);
    while (out->n_conjuncts < CONJUNCTS_MAX &&
           (filter->conjuncts[out->n_conjuncts] =
                basic->expr->simple(filter->where, out->n_conjuncts)) != NULL)
        out->n_conjuncts++;
    out->conjuncts = filter->conjuncts;
    return WEIR_OK;
}

static int32_t filter_lane_create(void *self, struct weir_context *context, void **lane,
                                  struct weir_error *error)
{
    struct filter *filter = self;
    struct filter_lane *l = filter->basic.host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void filter_lane_destroy(void *self, void *lane)
{
    struct filter *filter = self;
    filter->basic.host->free(lane);
}

/* 0, 1, 2 …: by fours, as -O2 makes no vectors of a loop of any length; there is room for all rows of a chunk. */
static void list_all(uint32_t *rows, uint32_t n)
{
    typedef uint32_t four __attribute__((vector_size(16)));
    four row = { 0, 1, 2, 3 };
    for (uint32_t i = 0; i < n; i += 4, row += 4) memcpy(rows + i, &row, sizeof row);
}

static int32_t filter_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    struct filter *filter = self;
    struct filter_lane *l = lane;
    struct weir_rows rows = { sizeof rows, chunk->selected, l->rows };
    (void)input;
    if (chunk->selection) memcpy(rows.rows, chunk->selection, rows.n * sizeof *rows.rows);
    else list_all(rows.rows, rows.n);
    int32_t result = filter->basic.expr->filter(l->context, filter->where, &chunk, &rows, error);
    if (result != WEIR_OK || rows.n == 0) return result;
    struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                      .columns = filter->columns, .n_columns = filter->n_columns,
                                      .rows = chunk->rows, .selection = rows.rows,
                                      .selected = rows.n };
    if (rows.n == chunk->rows) emission.selection = NULL;
    return filter->basic.host->emit(l->context, &emission, error);
}

const struct weir_operator filter_operator = {
    .size = sizeof filter_operator,
    .create = filter_create,
    .destroy = filter_destroy,
    .bind = filter_bind,
    .lane_create = filter_lane_create,
    .lane_destroy = filter_lane_destroy,
    .process = filter_process,
};
