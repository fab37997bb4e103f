/*
 * module.c - the module operator_aggregate: operators that bring rows together by key.
 */
#include "plugins/operator_aggregate/faces.h"

#define VALUES                                                                                     \
    WEIR_OPTION(WEIR_OPTION_EXPRS, WEIR_OPTION_REQUIRED, "values", NULL, NULL,                     \
                "results: \"sum(amount) as total\", expressions over aggregates and `by`")

#define BY                                                                                         \
    WEIR_OPTION(WEIR_OPTION_EXPRS, WEIR_OPTION_REQUIRED, "by", NULL, NULL,                         \
                "the key: columns, or \"expression as name\"")
#define COLUMN                                                                                     \
    WEIR_OPTION(WEIR_OPTION_COLUMN, WEIR_OPTION_REQUIRED, "column", NULL, NULL,                    \
                "column whose values are counted")

/* Windows over batches: members of `over`, or flat. */
#define WINDOW(prefix)                                                                             \
    WEIR_OPTION(WEIR_OPTION_DURATION, WEIR_OPTION_REQUIRED, prefix "length", NULL, NULL,           \
                "over the batches in (T - length, T]; a multiple of what the input comes at"),     \
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, prefix "slide", NULL, NULL,                               \
                "how often; not given: with each batch of the input")
#define INVERSE(prefix)                                                                            \
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, prefix "inverse", NULL, NULL,                                 \
                "keys without rows stay, with what subtracting left, until `keep` drops them"),    \
    WEIR_OPTION(WEIR_OPTION_EXPR, 0, prefix "keep", NULL, NULL,                                    \
                "with inverse: keys for which this is not true are dropped (over the result)")

static const struct weir_option count_options[] = { WINDOW("over."), INVERSE("over.") };
static const struct weir_option count_by_window_options[] = { WINDOW(""), INVERSE("") };

static const struct weir_option reduce_options[] = { VALUES, WINDOW("over."), INVERSE("over.") };
static const struct weir_option reduce_by_window_options[] = { VALUES, WINDOW(""), INVERSE("") };

static const struct weir_option count_by_value_options[] = { COLUMN, WINDOW("over."),
                                                             INVERSE("over.") };
static const struct weir_option count_by_value_and_window_options[] = { COLUMN, WINDOW(""),
                                                                        INVERSE("") };

static const struct weir_option reduce_by_key_options[] = { BY, VALUES, WINDOW("over."),
                                                            INVERSE("over.") };
static const struct weir_option reduce_by_key_and_window_options[] = { BY, VALUES, WINDOW(""),
                                                                       INVERSE("") };

static const struct weir_option aggregate_options[] = {
    WEIR_OPTION(WEIR_OPTION_EXPRS, 0, "by", NULL, NULL,
                "the key: columns, or \"expression as name\"; not given: one group of all rows"),
    VALUES,
    WEIR_OPTION(WEIR_OPTION_COLUMN, 0, "window.on", NULL, NULL,
                "groups are windows of time, too: the column with it, a timestamp or a window (at "
                "its end); null: in none"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "window.length", NULL, NULL, "how long a window is"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "window.slide", NULL, NULL,
                "a window begins every …; not given: as long as one is"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "window.start", NULL, NULL,
                "how long after 1970-01-01T00:00:00Z one begins; not given: then"),
    WEIR_OPTION(WEIR_OPTION_COLUMN, 0, "session.on", NULL, NULL,
                "groups are sessions, too: the column with the time, as for windows"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "session.gap", NULL, NULL,
                "how long a silence ends one: a duration, or an expression that gives an interval; "
                "0 or less: in none"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "output_mode", NULL, "update|complete|append",
                "what a batch gives: the groups that changed, all, or those that are final; not "
                "given: that of the job, else append with a window or session on a watermarked "
                "column, else update"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "late", NULL, NULL,
                "name of an output with the rows that came too late; not given: they are counted "
                "only"),
};

#define OPERATOR(operator_name, operator_table, more, state, with, help)                           \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = operator_name,    \
      .summary = help, .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | (more),       \
      .table = &operator_table, .state_reads = state, .state_writes = state, with }
#define OPTIONS(list) .options = list, .n_options = sizeof list / sizeof *list

static const struct weir_component components[] = {
    OPERATOR("count", count_operator, WEIR_CAP_ABSENT_INPUT, 1, OPTIONS(count_options),
             "the number of rows of a batch, also 0 (count int64), or of a window"),
    OPERATOR("count_by_window", count_by_window_operator, WEIR_CAP_ABSENT_INPUT, 1,
             OPTIONS(count_by_window_options), "count with the members of `over` flat"),
    OPERATOR("reduce", reduce_operator, 0, 1, OPTIONS(reduce_options),
             "aggregates over all rows of a batch, or of a window; nothing where there are none"),
    OPERATOR("reduce_by_window", reduce_operator, 0, 1, OPTIONS(reduce_by_window_options),
             "reduce with the members of `over` flat"),
    OPERATOR("count_by_value", count_by_value_operator, 0, 1, OPTIONS(count_by_value_options),
             "how often each value of a column occurs in a batch, or in a window"),
    OPERATOR("count_by_value_and_window", count_by_value_operator, 0, 1,
             OPTIONS(count_by_value_and_window_options),
             "count_by_value with the members of `over` flat"),
    OPERATOR("reduce_by_key", reduce_operator, 0, 1, OPTIONS(reduce_by_key_options),
             "aggregates by key over the rows of a batch, or of a window"),
    OPERATOR("combine_by_key", reduce_operator, 0, 1, OPTIONS(reduce_by_key_options),
             "the same as reduce_by_key"),
    OPERATOR("reduce_by_key_and_window", reduce_operator, 0, 1,
             OPTIONS(reduce_by_key_and_window_options),
             "reduce_by_key with the members of `over` flat"),
    OPERATOR("aggregate", aggregate_operator, 0, 1, OPTIONS(aggregate_options),
             "aggregates by key over all rows so far"),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.aggregate",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
