/*
 * module.c - the module operator_join: rows of two streams side by side.
 */
#include "plugins/operator_join/op.h"

static const struct weir_option join_options[] = {
    WEIR_OPTION(WEIR_OPTION_CHOICE, WEIR_OPTION_REQUIRED, "scope", NULL, "batch|stream",
                "rows of one batch, or of all batches (rows wait in state for their partners)"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "type", "inner",
                "inner|left_outer|right_outer|full_outer|left_semi|left_anti",
                "which rows come out: pairs, also rows without a partner, or left rows only"),
    WEIR_OPTION(WEIR_OPTION_EXPR, WEIR_OPTION_REQUIRED, "on", NULL, NULL,
                "when two rows match: equalities and conditions over alias.column"),
    WEIR_OPTION(WEIR_OPTION_EXPRS, 0, "columns", NULL, NULL,
                "columns of the result: \"alias.column\", \"expression as name\", \"alias.*\"; not "
                "given: those of the left side, then those of the right one"),
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_OPERATOR,
      .name = "join",
      .summary = "rows of two streams that match, side by side",
      .options = join_options,
      .n_options = sizeof join_options / sizeof *join_options,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | WEIR_CAP_MANY_INPUTS,
      .state_reads = 1,
      .state_writes = 1,
      .table = &join_operator },
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.join",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
