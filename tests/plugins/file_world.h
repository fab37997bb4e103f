/*
 * file_world.h - the sink `file` as a job drives it, over lives that end by a kill, a power loss or
 * a fault.
 *
 * The job's log is played by `struct log`: which batches have STATE (with the committable) and
 * which DONE. Rows say what they are ("b3-p1-r0"), so a look at the directory tells what was lost,
 * doubled or shown too early.
 */
#ifndef TESTS_FILE_WORLD_H
#define TESTS_FILE_WORLD_H

#include "tests/plugins/sink_case.h"

#define WORLD_BATCHES 5u
#define WORLD_ROWS 3u
#define OUT "/d/out"

struct config {
    const char *name, *options;
    const char *ddl; /* "v string", or with a column k before it */
    int manifest;    /* the directory has one */
};

struct log {
    struct weir_buffer committables[WORLD_BATCHES];
    uint32_t states, done; /* batches with STATE, with DONE */
};

struct life {
    const struct config *config;
    struct sim_disk *disk;
    struct log *log;
    const char *job;       /* NULL: "1" */
    uint64_t kill_at;      /* seam call; 0: never */
    uint64_t fault_at;
    uint32_t fault;
    int forever;
    uint32_t silent_at;    /* 1 + batch that is prepared, but the life ends before its STATE */
    int recover_only;      /* the life ends before its first new batch */
    void (*on_sync)(void *arg, uint64_t n, int after);
    void *arg;
    void (*on_retry)(struct life *life); /* a call said RETRY */
    /* what came of it */
    uint64_t calls;
    uint32_t retries;
    int32_t status; /* of the call that ended it; OK: all batches are committed */
    char text[512];
};

void life_run(struct life *life);
void log_copy(struct log *to, const struct log *from);
void log_free(struct log *log);

/* How many rows the configuration has in a batch. */
uint32_t batch_rows(uint32_t batch);

/* Looks at the directory: no row twice, none of a batch without STATE, all of the batches with
 * DONE, and a manifest that names visible files with their lengths. NULL, or what is wrong. */
#define LOOK_ANY 0       /* after a kill, at any place */
#define LOOK_RECOVERED 1 /* also: nothing is hidden but files that grow */
#define LOOK_FINISHED 2  /* also: all rows are there, all files are in the manifest */
const char *world_check(const struct config *config, const struct sim_disk *disk,
                        const struct log *log, int look);

#endif
