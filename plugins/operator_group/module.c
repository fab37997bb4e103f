/*
 * module.c - the module operator_group: operators that put rows into lists.
 */
#include "plugins/operator_group/group.h"

#define BY                                                                                         \
    WEIR_OPTION(WEIR_OPTION_EXPRS, WEIR_OPTION_REQUIRED, "by", NULL, NULL,                         \
                "the key: columns, or \"expression as name\"")

#define COLUMNS                                                                                    \
    WEIR_OPTION(WEIR_OPTION_LIST, 0, "columns", NULL, NULL,                                        \
                "columns that go into the list `values`: one as it is, several as structs; not "   \
                "given: all that are not the key")

/* Windows over batches: members of `over`, or flat. */
#define WINDOW(prefix)                                                                             \
    WEIR_OPTION(WEIR_OPTION_DURATION, WEIR_OPTION_REQUIRED, prefix "length", NULL, NULL,           \
                "over the batches in (T - length, T]; a multiple of what the input comes at"),     \
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, prefix "slide", NULL, NULL,                               \
                "how often; not given: with each batch of the input"),                             \
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, prefix "inverse", NULL, NULL,                                 \
                "false only: what leaves a window can't be subtracted from a list"),               \
    WEIR_OPTION(WEIR_OPTION_EXPR, 0, prefix "keep", NULL, NULL,                                    \
                "goes with inverse, so not here: put a filter behind")

static const struct weir_option group_by_key_options[] = { BY, COLUMNS, WINDOW("over.") };
static const struct weir_option group_by_key_and_window_options[] = { BY, COLUMNS, WINDOW("") };

static const struct weir_option cogroup_options[] = { BY };

#define OPERATOR(operator_name, operator_table, more, state, with, help)                           \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = operator_name,    \
      .summary = help, .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | (more),       \
      .table = &operator_table, .state_reads = state, .state_writes = state, with }
#define OPTIONS(list) .options = list, .n_options = sizeof list / sizeof *list

static const struct weir_component components[] = {
    OPERATOR("group_by_key", group_by_key_operator, 0, 1, OPTIONS(group_by_key_options),
             "the rows of a batch, or of a window, with the same key, as a list"),
    OPERATOR("group_by_key_and_window", group_by_key_operator, 0, 1,
             OPTIONS(group_by_key_and_window_options),
             "group_by_key with the members of `over` flat"),
    OPERATOR("cogroup", cogroup_operator, WEIR_CAP_MANY_INPUTS, 0, OPTIONS(cogroup_options),
             "the rows of several inputs with the same key, as a list per input"),
    OPERATOR("glom", glom_operator, 0, 0, .n_options = 0,
             "the rows of a partition as one list, also where there are none"),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.group",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
