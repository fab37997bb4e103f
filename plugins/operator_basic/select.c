/*
 * select.c - the operator `select`: columns of the result as expressions; `*` stands for all
 * columns of the input.
 */
#include "plugins/operator_basic/columns.h"

struct select {
    struct basic basic;
    struct columns columns;
};

static int32_t select_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct select), self, error);
}

static void select_destroy(void *self)
{
    struct select *select = self;
    if (!select) return;
    if (select->basic.expr) columns_free(&select->basic, &select->columns);
    select->basic.host->free(select);
}

static int is_star(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text == '*' && text[1 + strspn(text + 1, " \t\r\n")] == 0;
}

static int32_t add_all(struct select *select, const struct ArrowSchema *input,
                       struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (int32_t c = 0; c < input->n_children && result == WEIR_OK; c++)
        result = columns_add(&select->basic, &select->columns,
                             (struct column_expr){ c, NULL, input->children[c]->name }, error);
    return result;
}

/* An expression whose name is its own text has none: only columns name themselves. */
static int32_t add_one(struct select *select, const struct ArrowSchema *schema,
                       const struct weir_value *value, struct weir_error *error)
{
    const struct basic *basic = &select->basic;
    struct weir_expr_input input = { NULL, schema };
    struct column_expr item = { -1, NULL, value->key };
    char option[64];
    snprintf(option, sizeof option, "columns.%s", value->key);
    int32_t result = basic->expr->compile(basic->context, value->text, option, &input, 1,
                                          WEIR_TYPE_NONE, &item.expr, error);
    if (result != WEIR_OK) return result;
    item.input = basic->expr->column(item.expr);
    if (item.input < 0 && strcmp(value->key, value->text) == 0) {
        result = weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                  value->text);
        basic->expr->free(item.expr);
        return result;
    }
    return columns_add(basic, &select->columns, item, error);
}

static int32_t select_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct select *select = self;
    const struct basic *basic = &select->basic;
    const struct ArrowSchema *schema = in->inputs[0].schema;
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; basic->host->option_item(basic->context, "columns", i, &value) == WEIR_OK;
         i++) {
        int32_t result = is_star(value.text) ? add_all(select, schema, error)
                                             : add_one(select, schema, &value, error);
        if (result != WEIR_OK) return result;
    }
    return columns_plan(basic, &select->columns, &in->inputs[0], "columns", out, error);
}

static int32_t select_lane_create(void *self, struct weir_context *context, void **lane,
                                  struct weir_error *error)
{
    struct select *select = self;
    return columns_lane_create(&select->basic, &select->columns, context, lane, error);
}

static void select_lane_destroy(void *self, void *lane)
{
    struct select *select = self;
    select->basic.host->free(lane);
}

static int32_t select_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    struct select *select = self;
    (void)input;
    return columns_process(&select->basic, &select->columns, lane, chunk, error);
}

const struct weir_operator select_operator = {
    .size = sizeof select_operator,
    .create = select_create,
    .destroy = select_destroy,
    .bind = select_bind,
    .lane_create = select_lane_create,
    .lane_destroy = select_lane_destroy,
    .process = select_process,
};
