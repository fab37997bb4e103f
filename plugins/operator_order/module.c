/*
 * module.c - the module operator_order: rows of a batch in order, and the first ones.
 */
#include "plugins/operator_order/order.h"

static const struct weir_option order_options[] = {
    WEIR_OPTION(WEIR_OPTION_LIST, WEIR_OPTION_REQUIRED, "by", NULL, NULL,
                "keys: expressions, each followed by asc or desc and by nulls first or nulls last "
                "(asc: first, desc: last)"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "scope", NULL, "batch",
                "batch: the rows of each batch; not needed behind an operator in complete mode"),
};

static const struct weir_option limit_options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, WEIR_OPTION_REQUIRED, "n", NULL, NULL, "rows, 0 or more"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "scope", "stream", "stream|batch",
                "what the rows are counted over: the life of the job, or a batch; behind an "
                "operator in complete mode always the table"),
};

#define OPERATOR(operator_name, help)                                                              \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = #operator_name,   \
      .summary = help, .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,                \
      .table = &operator_name##_operator, .options = operator_name##_options,                      \
      .n_options = sizeof operator_name##_options / sizeof *operator_name##_options }

static const struct weir_component components[] = {
    OPERATOR(order, "the rows of a batch, or of the whole table, in order"),
    OPERATOR(limit, "the first rows"),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.order",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
