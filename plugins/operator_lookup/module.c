/*
 * module.c - the module operator_lookup: a stream joined with a table that does not change by rows.
 */
#include "plugins/operator_lookup/op.h"

static const struct weir_option lookup_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "table.columns", NULL, NULL, "columns of the table"),
    WEIR_OPTION(WEIR_OPTION_ROWS, 0, "table.rows", NULL, NULL, "its rows, [[…], …]"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "table.path", NULL, NULL, "or a file that has them"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "table.format", NULL, NULL,
                "format of the file, a name or {\"type\": \"csv\", \"header\": true}"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "refresh", NULL, NULL,
                "how often the file is looked at; where it has changed it is read again; not given: "
                "it is read once"),
    WEIR_OPTION(WEIR_OPTION_EXPR, WEIR_OPTION_REQUIRED, "on", NULL, NULL,
                "when a row of the table matches: equalities and conditions; table.column is one of "
                "the table"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "type", "inner", "inner|left_outer|left_semi|left_anti",
                "which rows come out: those with a match, all, those with one without its columns, "
                "those without one"),
    WEIR_OPTION(WEIR_OPTION_EXPRS, 0, "columns", NULL, NULL,
                "columns of the result: \"expression as name\", \"table.column\", \"table.*\"; not "
                "given: those of the stream, then those of the table"),
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_OPERATOR,
      .name = "lookup",
      .summary = "rows of a stream with the rows of a table that match",
      .options = lookup_options,
      .n_options = sizeof lookup_options / sizeof *lookup_options,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,
      .table = &lookup_operator },
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.lookup",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
