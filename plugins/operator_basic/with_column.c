/*
 * with_column.c - the operator `with_column`: all columns of the input, and one that is an
 * expression: in the place of the column of that name, or at the end.
 */
#include "plugins/operator_basic/columns.h"

struct with_column {
    struct basic basic;
    struct columns columns;
};

static int32_t with_column_create(const struct weir_host *host, struct weir_context *context,
                                  void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct with_column), self, error);
}

static void with_column_destroy(void *self)
{
    struct with_column *op = self;
    if (!op) return;
    if (op->basic.expr) columns_free(&op->basic, &op->columns);
    op->basic.host->free(op);
}

static int32_t with_column_bind(void *self, const struct weir_operator_bind *in,
                                struct weir_operator_plan *out, struct weir_error *error)
{
    struct with_column *op = self;
    const struct basic *basic = &op->basic;
    struct weir_expr_input input = { NULL, in->inputs[0].schema };
    struct column_expr item = { -1, NULL, option_text(basic->host, basic->context, "name", "") };
    int32_t at = weir_column_index(input.schema, item.name);
    if (!item.name[0]) return weir_fail_option(error, "name", -1, "the name is empty");
    int32_t result = basic->expr->compile(basic->context,
                                          option_text(basic->host, basic->context, "expr", ""),
                                          "expr", &input, 1, WEIR_TYPE_NONE, &item.expr, error);
    if (result != WEIR_OK) return result;
    item.input = basic->expr->column(item.expr);
    if (at < 0) at = (int32_t)input.schema->n_children;
    for (int32_t c = 0; c <= input.schema->n_children && result == WEIR_OK; c++) {
        struct column_expr own = { c, NULL, NULL };
        if (c == input.schema->n_children && at != c) break;
        result = columns_add(basic, &op->columns, c == at ? item : own, error);
        if (c == at) item.expr = NULL; /* the list's now */
    }
    basic->expr->free(item.expr);
    if (result != WEIR_OK) return result;
    return columns_plan(basic, &op->columns, &in->inputs[0], "name", out, error);
}

static int32_t with_column_lane_create(void *self, struct weir_context *context, void **lane,
                                       struct weir_error *error)
{
    struct with_column *op = self;
    return columns_lane_create(&op->basic, &op->columns, context, lane, error);
}

static void with_column_lane_destroy(void *self, void *lane)
{
    struct with_column *op = self;
    op->basic.host->free(lane);
}

static int32_t with_column_process(void *self, void *lane, uint32_t input,
                                   const struct weir_chunk *chunk, struct weir_error *error)
{
    struct with_column *op = self;
    (void)input;
    return columns_process(&op->basic, &op->columns, lane, chunk, error);
}

const struct weir_operator with_column_operator = {
    .size = sizeof with_column_operator,
    .create = with_column_create,
    .destroy = with_column_destroy,
    .bind = with_column_bind,
    .lane_create = with_column_lane_create,
    .lane_destroy = with_column_lane_destroy,
    .process = with_column_process,
};
