/*
 * lane.h - a lane of an aggregation, and what its files offer each other:
 *
 *     lane.c      rows into groups: lookup, update, merge
 *     cross.c     rows that cross the exchange as they are
 *     place.c     rows into time: windows, late rows
 *     advance.c   the end of a batch: which groups leave, which are evicted
 *     slices.c    windows put together from slices
 *     sessions.c  sessions merged with stored ones
 *     emit.c      groups into chunks
 */
#ifndef OPERATOR_AGGREGATE_LANE_H
#define OPERATOR_AGGREGATE_LANE_H

#include "plugins/operator_aggregate/aggregation.h"

struct lane {
    struct weir_context *context;
    struct weir_combine *groups;  /* of the batch; made on first use */
    struct weir_combine **seen;   /* per call: arguments that a distinct one has had, or NULL */
    struct weir_state *state;     /* durable groups */
    uint32_t in_state;            /* lane->slots are of the state, else of `groups` */
    struct weir_begin begin;
    uint32_t sampled;             /* rows that were looked up to see whether combining pays */
    uint32_t crosses;             /* 1: it does not */
    struct held *held;            /* chunks of the sample until that is decided (cross.c) */
    uint32_t n_held, held_room;
    /* key, then arguments (or partials), of the chunk under way */
    const struct ArrowArray **inputs;
    /* those of them that are this lane's, else released: grouping columns, key, arguments */
    struct ArrowArray *evaluated;
    struct ArrowArray *expanded;  /* key of rows that were put into several windows */
    const struct ArrowArray **expanded_keys;
    uint32_t *repeat;             /* their rows; WEIR_CHUNK_MAX_ROWS, made on first use */
    int64_t *starts;              /* and the windows */
    /* results: grouping columns, calls, values */
    struct ArrowArray *arrays;
    const struct ArrowArray **finished;
    struct weir_output_column *out;
    struct weir_view views[WEIR_AGGREGATE_MAX_COLUMNS];
    uint64_t *changed;            /* durable: bit per slot */
    uint32_t n_changed;           /* words of it */
    struct panes_lane *windows;   /* around it, or NULL */
    char reason[128];
    uint8_t failed[WEIR_CHUNK_MAX_ROWS]; /* all zero between calls */
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint32_t slots[WEIR_CHUNK_MAX_ROWS];
    uint32_t few[WEIR_CHUNK_MAX_ROWS]; /* rows that are new to a distinct call, or late */
};

/* ---- lane.c ---- */

/* Cells of a call, in the state or in the table of the batch. */
void lane_cells(const struct aggregation *a, struct lane *lane, const struct call *call,
                struct weir_cells *cells);
/* Fills lane->slots for n rows with these keys, in the state or in the table of the batch. */
int32_t lane_find_slots(const struct aggregation *a, struct lane *lane, int durable,
                        const struct ArrowArray *const *keys, const uint64_t *hash,
                        const uint32_t *rows, uint32_t n, struct weir_error *error);
/* Adds arguments (`merge` 0) or partials of n rows, lane->inputs behind the key, to lane->slots. */
int32_t lane_apply(const struct aggregation *a, struct lane *lane, int merge, uint32_t chunk_rows,
                   const uint32_t *rows, uint32_t n, struct weir_error *error);
/* Merges partials, one array per column of state in `arrays`, which are released. */
int32_t lane_merge(const struct aggregation *a, struct lane *lane, struct ArrowArray *arrays,
                   uint32_t n, struct weir_error *error);
/* rows->rows is a list, also where all rows of the chunk count. */
void lane_list_rows(struct lane *lane, const struct weir_chunk *chunk, struct weir_rows *rows);
void lane_count(const struct aggregation *a, struct lane *lane, const char *name, int64_t n);

/* Updates the table of the batch with n rows of the chunk, whose values are in lane->inputs. */
int32_t lane_combine(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                     const uint32_t *rows, uint32_t n, struct weir_error *error);
/* Empties the table of the batch. */
void lane_clear(const struct aggregation *a, struct lane *lane);

/* ---- cross.c ---- */

/* Rows of a chunk across the exchange, combined where that pays. */
int32_t lane_cross(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                   struct weir_rows *rows, struct weir_error *error);
/* Forgets the rows of a sample that are held. */
void lane_drop_held(const struct aggregation *a, struct lane *lane);
/* Hands key and arguments of n rows over as they are, and the input where late rows are an output.
 * */
int32_t lane_emit_raw(const struct aggregation *a, struct lane *lane, uint32_t output,
                      const struct weir_chunk *chunk, const uint32_t *rows, uint32_t n,
                      struct weir_error *error);
/* Whether the rows of a chunk behind the exchange are uncombined. */
int lane_is_raw(const struct aggregation *a, const struct weir_chunk *chunk);

/* ---- place.c ---- */

/* The key's columns of time of a chunk before the exchange; rows in no window leave `rows`. */
int32_t lane_time_columns(const struct aggregation *a, struct lane *lane,
                          const struct weir_chunk *chunk, struct weir_rows *rows,
                          struct weir_error *error);
/* Behind the exchange: rows that are late leave `rows`, counted, and go to the output of late
 * rows. */
int32_t lane_drop_late(const struct aggregation *a, struct lane *lane,
                       const struct weir_chunk *chunk, struct weir_rows *rows,
                       struct weir_error *error);
/* Adds rows to all windows that they are in and that are still open. */
int32_t lane_add_to_windows(const struct aggregation *a, struct lane *lane, int durable, int merge,
                            uint32_t chunk_rows, const struct weir_rows *rows,
                            struct weir_error *error);
/* Times of rows become their slices (or windows, where those don't slide). */
int32_t lane_times_to_slices(const struct aggregation *a, struct lane *lane, uint32_t chunk_rows,
                             const struct weir_rows *rows, struct weir_error *error);
/* Sets when the groups lane->slots of rows are final, where they are new. */
int32_t lane_set_expiry(const struct aggregation *a, struct lane *lane,
                        const struct weir_rows *rows);

/* ---- slices.c, sessions.c ---- */

/* Puts the windows together that close in this batch, and emits them. */
int32_t lane_close_windows(const struct aggregation *a, struct lane *lane,
                           struct weir_error *error);
/* Merges the batch's sessions with stored ones; emits and evicts. */
int32_t lane_advance_sessions(const struct aggregation *a, struct lane *lane,
                              struct weir_error *error);

/* ---- emit.c ---- */

/* The table of the batch, made and empty. */
int32_t lane_empty_groups(const struct aggregation *a, struct lane *lane, struct weir_error *error);
/* All groups of the table into the exchange, in slot order. */
int32_t lane_emit_partials(const struct aggregation *a, struct lane *lane,
                           struct weir_error *error);
/* Emits results of all groups of the batch, or of the n slots of state (of sessions: rows). */
int32_t lane_emit_groups(const struct aggregation *a, struct lane *lane, struct weir_error *error);
int32_t lane_emit_slots(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                        uint32_t n, struct weir_error *error);
/* A struct column of n fields, which are moved into it. Where `nullable` it is null where `there`, a
 * bool column, is false; without that, where all of the fields are null. */
int32_t struct_array(const struct weir_host *host, struct ArrowArray *fields, uint32_t n,
                     uint32_t rows, int nullable, const struct ArrowArray *there,
                     struct ArrowArray *out, struct weir_error *error);

#endif
