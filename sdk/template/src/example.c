/*
 * example.c - the descriptor of the module: constant data, and the one function that leaves the module.
 */
#include "src/example.h"

static const struct weir_component components[] = {
    {
        .size = sizeof(struct weir_component),
        .kind = WEIR_KIND_SOURCE,
        .name = "countdown",
        .summary = "counts down to zero",
        .options = countdown_options,
        .n_options = 1,
        .capabilities = WEIR_CAP_REPLAYABLE,
        .table = &countdown_table,
    },
    {
        .size = sizeof(struct weir_component),
        .kind = WEIR_KIND_OPERATOR,
        .name = "totals",
        .summary = "running total per user",
        .state_reads = 1,
        .state_writes = 1,
        .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION,
        .table = &totals_table,
    },
    {
        .size = sizeof(struct weir_component),
        .kind = WEIR_KIND_SINK,
        .name = "journal",
        .summary = "one file per batch",
        .options = journal_options,
        .n_options = 1,
        .level = WEIR_SINK_IDEMPOTENT,
        .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
        .table = &journal_table,
    },
    {
        .size = sizeof(struct weir_component),
        .kind = WEIR_KIND_SCALAR,
        .name = "distance",
        .summary = "distance of a point from the origin",
        .min_args = 2,
        .max_args = 2,
        .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_NULL_IN_NULL_OUT,
        .table = &distance_table,
    },
};

static const struct weir_plugin plugin = { sizeof plugin,      WEIR_ABI_MAJOR, 0, 0,
                                           "org.example.weir", "1.0",          "MIT",
                                           WEIR_SDK_VERSION,   components,     sizeof *components,
                                           4 };

WEIR_PLUGIN(plugin)
