/*
 * look.h - what a checkpoint holds, read without a lock and without changing anything.
 *
 *   look.c        the records: batches, positions, sinks, pieces of state
 *   look_state.c  tables made again from their logged signatures and pieces; no plugin is needed
 *
 * All of it lives in the look until look_close.
 */
#ifndef WEIR_TOOLS_LOOK_H
#define WEIR_TOOLS_LOOK_H

#include <weir/operator.h>

#include "core/log/record.h"
#include "core/state/store.h"

struct look_position {
    const char *source, *partition;
    struct weir_bytes bytes;
    uint32_t ended, forgotten;
    uint32_t order; /* of the log */
};

struct look_piece {
    const char *table; /* "instance/table" */
    uint32_t group, base;
    uint32_t order;
    struct weir_bytes bytes; /* data NULL: in the extent */
    struct extent extent;
};

struct look_sink { /* as its last batch left it */
    const char *name;
    uint32_t outcome;
    uint64_t batch, rows;
};

struct look_committable {
    const char *sink;
    uint64_t batch, length;
    uint32_t done;
};

struct look_table {
    const char *name, *signature; /* signature NULL: the job does not have it */
    struct store *store;        /* NULL: not restored */
    struct store_operator *op;
    struct weir_error error;    /* why not */
};

struct look_arena;

struct look {
    struct log *log;            /* NULL where the log could not be read to its end */
    struct log_report report;
    struct weir_error damage;   /* why not */
    struct look_arena *arena;
    const char *recent[64];     /* texts that may come again */

    const char *job_text;       /* NULL: no JOB yet */
    const char *weir_version;
    uint64_t seed;
    struct record_module *modules; uint32_t n_modules;
    struct look_table *tables; uint32_t n_tables;

    uint64_t first_batch, next_batch; /* with STATE in the log: first_batch up to next_batch */
    int64_t time_us;            /* T of the last one; INT64_MIN: unknown */
    int64_t watermark_us;       /* of the next one */
    uint64_t dead_letters;      /* of the batches in the log */
    int has_pending;
    uint64_t pending_batch;
    int64_t pending_time_us;
    struct look_position *moves; uint32_t n_moves, moves_capacity; /* of the pending PLAN */

    struct look_position *positions; uint32_t n_positions, positions_capacity;
    struct look_piece *pieces; uint32_t n_pieces, pieces_capacity;
    struct look_sink *sinks; uint32_t n_sinks, sinks_capacity;
    struct look_committable *committables; uint32_t n_committables, committables_capacity;
};

/* OK; CONFIG: no checkpoint, or of a newer weir; DATA: damaged, the look has what stands before the
 * damage; FATAL. *out also after failures, for look_close. */
int32_t look_open(struct weir_sys *sys, const char *directory, struct look **out,
                  struct weir_error *error);
void look_close(struct look *look);

/* The exit status of a class: 0; 66: there is no checkpoint; 78: of a newer weir; 74: damaged or
 * I/O; 75: in use by another process. */
int look_status(struct weir_sys *sys, const char *directory, int32_t class);

/* Restores a table; OK, or the class of table->error. */
int32_t look_restore(struct look *look, struct look_table *table);
/* First of the pieces of a table and how many there are; they go by group, then order, from the
 * last base of each group on. */
uint32_t look_pieces(const struct look *look, const char *table, uint32_t *first);

#endif
