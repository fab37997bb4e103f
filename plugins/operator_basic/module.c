/*
 * module.c - the module operator_basic: operators that look at one row at a time.
 */
#include "plugins/operator_basic/basic.h"

static const struct weir_option select_options[] = {
    WEIR_OPTION(WEIR_OPTION_EXPRS, WEIR_OPTION_REQUIRED, "columns", NULL, NULL,
                "columns of the result: \"expression as name\", names of columns, * for all"),
};

static const struct weir_option with_column_options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "name", NULL, NULL,
                "column to replace, or to add at the end"),
    WEIR_OPTION(WEIR_OPTION_EXPR, WEIR_OPTION_REQUIRED, "expr", NULL, NULL, "its value"),
};

static const struct weir_option filter_options[] = {
    WEIR_OPTION(WEIR_OPTION_EXPR, WEIR_OPTION_REQUIRED, "where", NULL, NULL,
                "rows for which this is true stay; null counts as false"),
};

static const struct weir_option split_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMN, 0, "column", "value", NULL, "text to split"),
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "into", NULL, NULL,
                "column that holds a token, in place of `column`"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "on", NULL, NULL,
                "what stands between tokens; then empty tokens stay, and '' gives code points; not "
                "given: white space, and there are no empty tokens"),
};

static const struct weir_option explode_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMN, WEIR_OPTION_REQUIRED, "column", NULL, NULL,
                "list to take apart"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "into", NULL, NULL,
                "column that holds an item, in place of `column`; not given: the same name"),
};

static const struct weir_option repartition_options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, WEIR_OPTION_REQUIRED, "partitions", NULL, NULL, "1 to 4096"),
    WEIR_OPTION(WEIR_OPTION_LIST, 0, "by", NULL, NULL,
                "columns: rows with equal values come into one partition; not given: rows take "
                "turns"),
};

static const struct weir_option watermark_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMN, WEIR_OPTION_REQUIRED, "column", NULL, NULL,
                "the event time, a timestamp"),
    WEIR_OPTION(WEIR_OPTION_DURATION, WEIR_OPTION_REQUIRED, "delay", NULL, NULL,
                "how late rows may come: the watermark is the greatest event time minus this"),
};

static const struct weir_option sample_options[] = {
    WEIR_OPTION(WEIR_OPTION_FLOAT, WEIR_OPTION_REQUIRED, "fraction", NULL, NULL,
                "the chance of a row to stay, 0 to 1"),
};

static const struct weir_option parse_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMN, WEIR_OPTION_REQUIRED, "column", NULL, NULL,
                "text or binary that holds a record; the columns of the format take its place"),
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "format", NULL, NULL,
                "name of the format, or an object with `type` and its options"),
};

#define OPERATOR(operator_name, more, with, help)                                                  \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = #operator_name,   \
      .summary = help, .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | (more),       \
      .table = &operator_name##_operator, with }
#define OPTIONS(list) .options = list, .n_options = sizeof list / sizeof *list

static const struct weir_component components[] = {
    OPERATOR(select, 0, OPTIONS(select_options), "columns of the result, as expressions"),
    OPERATOR(with_column, 0, OPTIONS(with_column_options),
             "one more column, or another value for one"),
    OPERATOR(filter, 0, OPTIONS(filter_options), "keeps rows for which a condition is true"),
    OPERATOR(split, 0, OPTIONS(split_options), "one row per token of a text"),
    OPERATOR(explode, 0, OPTIONS(explode_options), "one row per item of a list"),
    OPERATOR(union, WEIR_CAP_MANY_INPUTS, .n_options = 0,
             "rows of several streams with the same columns, one stream after the other"),
    OPERATOR(repartition, 0, OPTIONS(repartition_options),
             "another number of partitions for what follows"),
    OPERATOR(sample, 0, OPTIONS(sample_options),
             "some of the rows, by chance; the same ones when a batch runs again"),
    OPERATOR(parse, WEIR_CAP_NEEDS_FORMAT, OPTIONS(parse_options),
             "columns out of a text or binary one, by a format"),
    OPERATOR(watermark, 0, OPTIONS(watermark_options),
             "says which column is the event time, and how late rows may come"),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.basic",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
