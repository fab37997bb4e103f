/*
 * operator_rig.h - one operator under the real host table, with a job played around it: segments,
 * the exchange, key groups and state. Rows go in as JSON and come out as JSON, a line each.
 */
#ifndef TESTS_OPERATOR_RIG_H
#define TESTS_OPERATOR_RIG_H

#include <weir/plugin.h>

#include "core/job/job.h"
#include "core/load/context.h"

typedef const struct weir_plugin *(*rig_entry_fn)(const struct weir_host *, struct weir_error *);

/* How rows are given to the operator; results must not depend on it. 0: the default. */
struct rig_cut {
    uint32_t chunk_rows; /* rows of a chunk; 0: 8192 */
    uint32_t segments;   /* lanes that the rows are cut over; 0: 1 */
    int select;          /* 1: rows lie between others, under a selection */
};

struct rig {
    struct weir_context context, lane_context;
    struct job *job;
    struct report report;
    const struct weir_component *component;
    const struct weir_operator *table;
    void *self;
    struct store *store;
    struct ArrowSchema inputs[4];
    uint32_t n_inputs;
    struct weir_input described[4];
    struct weir_operator_plan plan;
    struct weir_buffer rows;    /* emitted by output 0 */
    struct weir_buffer rejects; /* "code text\n" each */
    uint64_t n_rows, n_emits, most_rows, n_rejects;
    uint64_t n_uncombined; /* rows that crossed the exchange uncombined */
    int quiet;      /* rows are counted only */
    int fail;       /* reject answers DATA */
    uint32_t output_mode, absent;
    uint32_t form;  /* of the inputs; 0: append */
    const uint32_t *key_columns;
    uint32_t n_key_columns;
    uint64_t input_times[4]; /* instead of time_columns, of each input its own */
    uint64_t time_columns; /* bits: event time, of all inputs; then late_us and evict_us hold */
    int64_t delay_us, late_us, evict_us;
    /* in the fail_call-th call of the operator (1: create) the fail_at-th allocation fails */
    uint64_t fail_call, fail_at, calls;
    int fail_forever; /* 1: and all behind it in that call */
    uint64_t batch;             /* its T is that many seconds; the grid is one of seconds */
    uint32_t combining;         /* input of the combine side under way */
    void *lanes[2]; /* before and behind the exchange, used again and again */
    struct weir_chunk **exchanged;
    uint32_t *exchanged_input;
    uint32_t n_exchanged, room;
    struct weir_error error;
    rig_entry_fn functions; /* a module of functions, or NULL */
};

/* The operator `name` of a module, with options as JSON members ("\"a\": 1"), over inputs with
 * these columns (DDL, NULL at the end). The class of create or bind; CONFIG where an option was
 * wrong. rig_close is due in any case. A rig is zeroed memory before, but for what the test sets:
 * functions, output_mode, form and keys, times, fail, fail_call, fail_at, quiet. Rows of a second
 * output come with "late " before them. */
int32_t rig_open(struct rig *rig, rig_entry_fn entry, const char *name, const char *options, ...);
void rig_close(struct rig *rig);

/* One batch: rows of each input (JSON, NULL: none). The class of the first call that failed. */
int32_t rig_batch(struct rig *rig, const char *const *rows, struct rig_cut cut);
/* A chunk as it is, for operators without an exchange. */
int32_t rig_chunk(struct rig *rig, const struct weir_chunk *chunk);
int32_t rig_arrays(struct rig *rig, const struct ArrowArray *arrays, struct rig_cut cut);
static inline int32_t rig_feed(struct rig *rig, const char *rows)
{
    const char *list[4] = { rows };
    struct rig_cut whole = { 0 };
    return rig_batch(rig, list, whole);
}

/* Runs open and one batch with every allocation of every call failing once. Aborts where that is
 * neither a success nor WEIR_FATAL; leaks are for the sanitizer to find. */
void rig_starve(rig_entry_fn entry, rig_entry_fn functions, const char *name, const char *options,
                const char *ddl, const char *rows);

/* Likewise with event time: everything is final by the end of the batch. */
void rig_starve_timed(rig_entry_fn entry, rig_entry_fn functions, const char *name,
                      const char *options, const char *ddl, uint64_t time_columns,
                      const char *rows);

const char *rig_rows(struct rig *rig);   /* as emitted, lines */
const char *rig_sorted(struct rig *rig); /* lines in order: whatever the groups are */
const char *rig_rejects(struct rig *rig);
void rig_forget(struct rig *rig);        /* rows, rejects, counters */
char *rig_ddl(const struct rig *rig);    /* of the main output; mem_alloc'ed */

#endif
