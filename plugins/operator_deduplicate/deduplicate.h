/*
 * deduplicate.h - the operator `deduplicate`, as bind (deduplicate.c) fixed it, and its lanes
 * (first_rows.c).
 */
#ifndef OPERATOR_DEDUPLICATE_DEDUPLICATE_H
#define OPERATOR_DEDUPLICATE_DEDUPLICATE_H

#include <weir/plugin.h>

#include "plugins/share/option.h"

#define DISTRIBUTION_MAX 16u

/* An entry of `by`. Its value is one column of the key; of a struct every field is one, and behind
 * them the bool of presence.h, where it is needed. */
struct key_part {
    int32_t input;          /* >= 0: this column of the input */
    struct weir_expr *expr; /* NULL where all columns are the key */
    uint32_t fields;        /* 0: plain */
    uint32_t presence;      /* 1: of a struct, with the bool */
    uint32_t window;        /* 1: of a struct that may be a window (presence.h) */
    uint32_t first;         /* plain with input < 0, or fields: column of the exchange */
};

/* Where the event time of a row is, in the exchange. */
struct time_place {
    int32_t column;    /* -1: there is none */
    int32_t field;     /* >= 0: of a struct */
    uint32_t is_window;/* it is the end of a window, whose last time is a microsecond before */
};

/* The exchange has the columns of the input, then those of the key that are not among them. */
struct deduplicate {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct weir_state_table *state;
    struct key_part *parts;
    uint32_t n_parts, n_input, n_made; /* made: columns of the key beside the input */
    struct ArrowSchema key;
    uint32_t *key_columns;  /* of the exchange, per column of the key */
    uint32_t n_keys;
    struct time_place time;
    uint32_t time_in_key;
    uint32_t within;        /* 1: within_watermark */
    int64_t delay_us;
    uint32_t evicts;        /* 1: keys have a timer */
    uint32_t table;
};

int32_t first_rows_lane_create(void *self, struct weir_context *context, void **lane,
                               struct weir_error *error);
void first_rows_lane_destroy(void *self, void *lane);
int32_t first_rows_begin(void *self, void *lane, const struct weir_begin *in,
                         struct weir_error *error);
int32_t first_rows_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                           struct weir_error *error);
int32_t first_rows_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);
int32_t first_rows_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                           struct weir_error *error);
int32_t first_rows_advance(void *self, void *lane, struct weir_error *error);

extern const struct weir_operator deduplicate_operator;

#endif
