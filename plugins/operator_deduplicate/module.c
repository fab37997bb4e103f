/*
 * module.c - the module operator_deduplicate: rows of which there was one already don't pass.
 */
#include "plugins/operator_deduplicate/deduplicate.h"

static const struct weir_option deduplicate_options[] = {
    WEIR_OPTION(WEIR_OPTION_EXPRS, 0, "by", NULL, NULL,
                "columns or expressions that make two rows the same; not given: all columns"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "within_watermark", "false", NULL,
                "a key is forgotten when the watermark's delay has passed since its first row"),
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_OPERATOR,
      .name = "deduplicate",
      .summary = "the first row of each key; later ones are dropped and counted",
      .options = deduplicate_options,
      .n_options = sizeof deduplicate_options / sizeof *deduplicate_options,
      .state_reads = 1,
      .state_writes = 1,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,
      .table = &deduplicate_operator },
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.deduplicate",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
