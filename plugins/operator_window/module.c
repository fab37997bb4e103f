/*
 * module.c - the module operator_window: the rows of the last batches.
 */
#include "plugins/operator_window/window.h"

static const struct weir_option window_options[] = {
    WEIR_OPTION(WEIR_OPTION_DURATION, WEIR_OPTION_REQUIRED, "length", NULL, NULL,
                "how far a window reaches back: rows of the batches in (T - length, T]; a multiple "
                "of what the input comes at"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "slide", NULL, NULL,
                "how often there is a window; not given: with each batch of the input"),
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "window",
      .summary = "the rows of the last batches", .options = window_options,
      .n_options = sizeof window_options / sizeof *window_options,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,
      .state_reads = 1, .state_writes = 1, .table = &window_operator },
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.window",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
