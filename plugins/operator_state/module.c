/*
 * module.c - the module operator_state: functions that keep a state for each key.
 */
#include "plugins/operator_state/state.h"

#define COMMON                                                                                     \
    WEIR_OPTION(WEIR_OPTION_EXPRS, WEIR_OPTION_REQUIRED, "by", NULL, NULL,                         \
                "the key: columns, or expressions with a name"),                                   \
    SCRIPT_OPTIONS("lua.", 0)
#define STATE                                                                                      \
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "state", NULL, NULL, "columns of the state of a key")
#define RESULT                                                                                     \
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "columns", NULL, NULL, "columns of the result")
#define INITIAL                                                                                    \
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "initial.columns", NULL, NULL,                             \
                "columns of the state to begin with: those of the key and of the state"),          \
    WEIR_OPTION(WEIR_OPTION_ROWS, 0, "initial.rows", NULL, NULL,                                   \
                "state to begin with, a row for each key; taken in the first batch only")

static const struct weir_option update_options[] = {
    COMMON, STATE, INITIAL,
    WEIR_OPTION(WEIR_OPTION_EXPRS, 0, "values", NULL, NULL,
                "instead of code: running totals, as aggregates with a name"),
};

static const struct weir_option mapped_options[] = {
    COMMON, STATE, RESULT, INITIAL,
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "timeout", NULL, NULL,
                "a key without rows for longer than this gets a last call, and goes"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "expire_every", "10", NULL,
                "timeouts are looked for in every n-th batch"),
};

static const struct weir_option grouped_options[] = {
    COMMON, STATE, RESULT, INITIAL,
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "timeout", "none", "none|processing_time|event_time",
                "clock of S.set_timeout"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "output_mode", NULL, "append|update",
                "what the rows are to the job; not given: the job's"),
};

static const struct weir_option stateful_options[] = {
    COMMON, STATE, RESULT, INITIAL,
    WEIR_OPTION(WEIR_OPTION_MAP, 0, "lists", NULL, NULL,
                "lists of a key: name, and columns of an item"),
    WEIR_OPTION(WEIR_OPTION_MAP, 0, "maps", NULL, NULL,
                "maps of a key: name, and \"key type -> columns of a value\", like \"page string -> n int64\""),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "timeout", "none", "none|processing_time|event_time",
                "clock of timers"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "ttl", NULL, NULL,
                "what is written without a time to live of its own expires after this"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "output_mode", NULL, "append|update",
                "what the rows are to the job; not given: the job's"),
};

#define OPERATOR(operator_name, list, help)                                                        \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = #operator_name,   \
      .summary = help, .state_reads = 1, .state_writes = 1,                                        \
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC | WEIR_CAP_ABSENT_INPUT,         \
      .table = &operator_name##_operator, .options = list, .n_options = sizeof list / sizeof *list }

static const struct weir_component components[] = {
    OPERATOR(update_state_by_key, update_options,
             "a state for each key, brought up to date in every batch"),
    OPERATOR(map_with_state, mapped_options, "rows through a function that keeps a state per key"),
    OPERATOR(group_state, grouped_options,
             "the rows of a key and its state through a function, with timeouts"),
    OPERATOR(stateful, stateful_options,
             "a function with a value, lists, maps and timers for each key"),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.operator.state",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
