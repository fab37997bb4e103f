/*
 * lane.h - a lane of an aggregation; shared by lane.c (rows into groups) and emit.c (groups out).
 */
#ifndef OPERATOR_AGGREGATE_LANE_H
#define OPERATOR_AGGREGATE_LANE_H

#include "plugins/operator_aggregate/aggregation.h"

struct lane {
    struct weir_context *context;
    struct weir_combine *groups;  /* of the batch; made on first use */
    struct weir_combine **seen;   /* per call: arguments that a distinct one has had, or NULL */
    struct weir_state *state;     /* durable groups */
    struct weir_begin begin;
    /* grouping columns, then arguments (or partials), of the chunk under way */
    const struct ArrowArray **inputs;
    struct ArrowArray *evaluated; /* those of them that are this lane's, else released */
    /* results: grouping columns, calls, values */
    struct ArrowArray *arrays;
    const struct ArrowArray **finished;
    struct weir_output_column *out;
    struct weir_view views[WEIR_AGGREGATE_MAX_COLUMNS];
    uint64_t *changed;            /* durable: bit per slot */
    uint32_t n_changed;           /* words of it */
    uint32_t inserted;            /* 1: the one group of an aggregation without `by` is there */
    char reason[128];
    uint8_t failed[WEIR_CHUNK_MAX_ROWS]; /* all zero between calls */
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint32_t slots[WEIR_CHUNK_MAX_ROWS];
    uint32_t few[WEIR_CHUNK_MAX_ROWS]; /* rows that are new to a distinct call */
};

/* Cells of a call, in the state or in the table of the batch. */
void lane_cells(const struct aggregation *a, struct lane *lane, const struct call *call,
                struct weir_cells *cells);

/* Empties the table into the exchange, in slot order. */
int32_t lane_emit_partials(const struct aggregation *a, struct lane *lane,
                           struct weir_error *error);
/* Emits results of all groups of the batch, or of the n slots of state. */
int32_t lane_emit_groups(const struct aggregation *a, struct lane *lane, struct weir_error *error);
int32_t lane_emit_slots(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                        uint32_t n, struct weir_error *error);

#endif
