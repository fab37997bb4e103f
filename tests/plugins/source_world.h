/*
 * source_world.h - whole jobs with one source on the simulated outside, and a sink that keeps what
 * it saw.
 *
 * The sink `seen` is two-phase and keeps rows as JSON, a line per row, beyond the engine's life.
 */
#ifndef TESTS_SOURCE_WORLD_H
#define TESTS_SOURCE_WORLD_H

#include <weir/plugin.h>

#include "core/run/run.h"
#include "core/sys/sim.h"
#include "tests/plugins/entries/entries.h"

struct seen_batch {
    uint64_t batch;
    char *rows; /* "[…]\n" each */
    uint64_t n;
};

struct world {
    struct sim_disk *disk;
    struct registry *registry;
    struct weir_sys *outside; /* for the registry */
    struct weir_sys *sys;     /* of the life under way, for `script` */
    int64_t start_us;         /* of the next life; later ones begin a minute later */
    uint64_t seed;
    uint64_t kill_at;         /* of the next life; 0: never */
    uint64_t calls;           /* seam calls of the last life */
    uint64_t max_batches;
    uint32_t workers;
    int64_t stop_after_us;    /* a signal comes then; 0: none */
    void (*script)(struct world *world); /* before the engine starts: peers, input */
    const void *arg;
    struct weir_buffer journal; /* lines of all lives */
    struct run_summary summary; /* of the last life; json is freed */
    struct seen_batch *seen;
    uint32_t n_seen;
    uint64_t doubled; /* batches that came twice with other rows */
};

extern struct world world;

/* An empty disk; entries: NULL-terminated list of modules. */
typedef const struct weir_plugin *(*world_entry_fn)(const struct weir_host *, struct weir_error *);
void world_begin(const world_entry_fn *entries);
void world_end(void);
void world_forget(void); /* disk, journal and what was seen */

/* One life of the engine; `members` are those of the source "x". The exit status, -1 if it was
 * killed, -2 if it was stuck. */
int world_life(const char *trigger, const char *members);
/* Findings of the check of a wrong job, one line each. Owner: the world. */
const char *world_refused(const char *members);
char *world_rows(void); /* all rows in order of batch; the caller frees it */
char *world_batches(void); /* as world_rows, "batch:" before the rows of each */
const char *world_journal(void);

#endif
