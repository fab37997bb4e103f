/*
 * aggregation.h - hash aggregation: what it is (this file's struct, fixed in bind) and its lanes.
 *
 * All operators of this module are faces of it: they read options, and choose where groups live (a
 * table of the batch, or durable state) and which of them are emitted.
 */
#ifndef OPERATOR_AGGREGATE_AGGREGATION_H
#define OPERATOR_AGGREGATE_AGGREGATION_H

#include <weir/plugin.h>

#include "plugins/operator_aggregate/time_windows.h"
#include "plugins/share/option.h"

#define BY_MAX 16u       /* columns of a distribution */
#define COLUMNS_MAX 512u /* of state, all calls together */

/* A grouping column. A plain one is one column of the key; of a struct every field is one, and
 * behind them the bool of presence.h, where it is needed. */
struct by {
    int32_t input;          /* >= 0: this column of the input */
    struct weir_expr *expr; /* NULL where the column was named directly */
    const char *name;       /* valid with the instance */
    uint32_t first;         /* column of the key */
    uint32_t fields;        /* 0: plain */
    uint32_t presence;      /* 1: of a struct, with the bool */
    uint32_t window;        /* 1: of a struct that may be a window (presence.h) */
};

/* What time has to do with groups; see event_time.c. */
#define TIME_NONE 0u
#define TIME_KEY 1u     /* a grouping column is the event time, or a window of it */
#define TIME_WINDOW 2u  /* option `window` */
#define TIME_SESSION 3u /* option `session` */

struct event_time {
    uint32_t kind;
    int32_t on;              /* WINDOW, SESSION: column of the input */
    int32_t on_end;          /* >= 0: it is a window, of which this field is the end */
    struct time_windows windows;
    int64_t gap;             /* SESSION: fixed, or by expression */
    struct weir_expr *gap_expr;
    uint32_t key;            /* KEY: column of the key that is compared with the watermark */
    uint32_t bounded;        /* 1: the watermark drops late rows and evicts final groups */
    const char *late;        /* name of the output of late rows, or NULL */
    /* sliding windows: what the time column of the key means */
    uint32_t rows_expand;    /* before the exchange a row goes into each of its windows */
    uint32_t partials_expand;/* behind the exchange a row or partial does */
    uint32_t slices;         /* state is by slices; windows are put together when they close */
};

/* A call of an aggregate and where its columns lie. */
struct call {
    const struct weir_aggregate *function;
    void *bound;
    struct weir_expr *const *args;
    uint32_t n_args, first_arg;     /* among the arguments of all calls */
    uint32_t n_columns, first;      /* among the columns of all calls */
    const struct weir_table_column *columns;
    uint32_t distinct;
    uint32_t flags; /* WEIR_AGGREGATE_… */
};

struct aggregation {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct weir_combine_table *combine;
    const struct weir_state_table *state;
    struct by by[BY_MAX];
    struct event_time time;
    uint32_t n_by;
    uint32_t n_flat;  /* columns of the key that the grouping columns take */
    uint32_t n_keys;  /* and with those of time */
    uint32_t n_input; /* columns of the input that cross the exchange (for late rows) */
    uint32_t n_calls, n_args, n_columns;
    struct call *calls;
    struct weir_expr **args;           /* of all calls, borrowed */
    int32_t *arg_inputs;               /* >= 0: the argument is this column of the input */
    struct weir_table_column *columns; /* named; of all calls */
    char *names;                       /* of these */
    struct weir_aggregation *values;   /* NULL: results are those of the calls */
    const char *count_name;            /* of the built-in count, where values is NULL */
    struct ArrowSchema key;            /* struct of the columns of the key, all flat */
    struct ArrowSchema group;          /* struct of what a group is in the output: grouping
                                          columns under their names, then window or session */
    uint32_t raw;                      /* 1: rows cross the exchange uncombined */
    uint32_t may_cross;                /* 1: they may, where combining does not pay (cross.c) */
    uint32_t nondeterministic;
    uint32_t durable;                  /* 1: groups live in `table` */
    uint32_t table;                    /* of weir.state/1 */
    uint32_t form;                     /* durable: of the output, which is append (final groups),
                                          upsert (changed ones) or replace (all) */
    uint32_t expiry;                   /* durable and bounded: the column with the time at which
                                          the watermark makes a group final, a timer */
    uint32_t null_on_error;            /* 1: results that a call refuses are null */
    struct panes *panes;               /* over windows of batches; NULL: per batch */
};

/* ---- bind ---- */

int32_t aggregation_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error);
void aggregation_destroy(void *self);

/* The options `window`, `session` and `late`; before the grouping columns. */
int32_t aggregation_time(struct aggregation *a, const struct weir_input *input,
                         struct weir_error *error);
/* What follows from time and output form (a->form) together; after the values. */
int32_t aggregation_time_settle(struct aggregation *a, const struct weir_input *input,
                                struct weir_error *error);
/* Grouping columns from option `by`; none where it is not given. */
int32_t aggregation_by(struct aggregation *a, const struct ArrowSchema *input,
                       struct weir_error *error);
/* One grouping column, that the option names. */
int32_t aggregation_by_column(struct aggregation *a, const char *option,
                              const struct ArrowSchema *input, struct weir_error *error);
/* Whether values of a type can be part of a key. */
int aggregation_flat(const struct ArrowSchema *type);
/* Results from option `values`; after the grouping columns. */
int32_t aggregation_values(struct aggregation *a, const struct ArrowSchema *input,
                           struct weir_error *error);
/* The one result `name` is the number of rows. */
int32_t aggregation_count(struct aggregation *a, const char *name, struct weir_error *error);
/* What state depends on but does not show: the options `by` and `values`, and `more`. Owner: the
 * caller, by host->free; NULL without memory. */
char *aggregation_signature(const struct aggregation *a, const char *more);
/* Groups live in state; after the values. */
int32_t aggregation_durable(struct aggregation *a, struct weir_error *error);
/* Output, distribution and what is read. `option` names the columns for errors. */
int32_t aggregation_plan(struct aggregation *a, const struct weir_operator_bind *in,
                         const char *option, struct weir_operator_plan *out,
                         struct weir_error *error);

/* Type of column i of what crosses the exchange uncombined; `input` is the schema of the rows. */
const struct ArrowSchema *aggregation_exchange_type(const struct aggregation *a, uint32_t i,
                                                    const struct ArrowSchema *input);

/* ---- lanes: the functions of weir_operator, `self` being a struct aggregation ---- */

int32_t aggregation_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error);
void aggregation_lane_destroy(void *self, void *lane);
int32_t aggregation_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error);
int32_t aggregation_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error);
int32_t aggregation_advance(void *self, void *lane, struct weir_error *error);
int32_t aggregation_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error);
int32_t aggregation_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);

/* ---- the built-in count of rows ---- */

extern const struct weir_aggregate count_rows;
extern const struct weir_table_column count_rows_column;

#endif
