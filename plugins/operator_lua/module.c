/*
 * module.c - the module operator_lua: the job author's own code, row by row or batch by batch.
 */
#include "plugins/operator_lua/operator.h"

static const struct weir_option options[] = {
    SCRIPT_OPTIONS("", WEIR_OPTION_REQUIRED),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "mode", "map", "map|flat_map|filter|map_partitions|transform",
                "map: f(row, ctx) gives a row; flat_map: rows; filter: whether the row stays; "
                "map_partitions: f(rows, ctx) gives rows; transform: f(ctx, rows, ...) gives the "
                "rows of the batch, from those of each input"),
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "columns", NULL, NULL,
                "columns of the result; filter has those of its input"),
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "lua",
      .summary = "a function in Lua over rows, partitions or batches",
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | WEIR_CAP_MANY_INPUTS,
      .table = &lua_operator_table, .options = options,
      .n_options = sizeof options / sizeof *options },
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.lua",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
