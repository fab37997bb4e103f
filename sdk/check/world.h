/*
 * world.h - what is outside of a job in a scenario: sources that give the rows that were
 * pushed, sinks that remember what was committed. It outlives the job, as the real outside does.
 *
 * The job has `scenario_source` and `scenario_sink` in place of its own components; both find their
 * part of the world by the name of their instance. One world at a time, one thread (the simulated
 * sys).
 */
#ifndef WEIR_CHECK_WORLD_H
#define WEIR_CHECK_WORLD_H

#include <jansson.h>
#include <stdio.h>

#include <weir/plugin.h>

struct weir_sys;

/* Rows that were pushed together, or one batch without the stream. */
struct world_item {
    json_t *rows; /* NULL: absent */
    uint64_t first; /* place in the line; an absence takes one */
    uint64_t n;
};

/* A partition of a source: items one behind the other. The position is the place of the next row.
 * */
struct world_line {
    struct world_item *items;
    uint32_t n, capacity;
    uint64_t end;
    uint8_t position[8]; /* what next gave last */
};

struct world_source {
    char *name;
    char *columns; /* DDL */
    struct ArrowSchema schema;
    struct world_line *lines;
    uint32_t n_lines, partitions; /* lines that are there; those that the job has now */
    const struct weir_host *host;
    struct weir_context *context; /* while the job runs */
    int wanted;                   /* the job as it is now has it */
};

struct world_emission {
    char job_id[40];
    uint64_t batch;
    uint32_t mark; /* of the world when it came */
    json_t *rows;
};

struct world_sink {
    char *name;
    struct world_emission *emissions;
    uint32_t n, capacity;
    uint32_t seen; /* emissions before the last expect */
    uint64_t rows;
    int wanted;
};

struct world {
    struct world_source *sources;
    uint32_t n_sources;
    struct world_sink *sinks;
    uint32_t n_sinks;
    struct weir_sys *sys; /* of the life under way: after its kill nothing becomes visible */
    int dead;             /* the life was ended by a crash point */
    int closed;           /* the scenario is over: what still comes is not kept */
    uint32_t mark;        /* of the player: its step */
    /* Before (after = 0) and after a commit; 1: the process is dead now. */
    int (*at_commit)(void *arg, uint64_t batch, int after);
    void *arg;
    char failure[256]; /* "": none. A promise that the engine broke */
};

extern const struct weir_plugin world_plugin;

/* Makes `world` the one that the components find. NULL: none. */
void world_use(struct world *world);
void world_fini(struct world *world);
/* Before a job is prepared: no source and no sink is wanted. */
void world_reset(struct world *world);
/* A source of the job as it is now. OK, CONFIG for columns that can't be read, FATAL. */
int32_t world_want_source(struct world *world, const char *name, const char *columns,
                          uint32_t partitions, struct weir_error *error);
int32_t world_want_sink(struct world *world, const char *name, struct weir_error *error);
struct world_source *world_source(const struct world *world, const char *name);
struct world_sink *world_sink(const struct world *world, const char *name);
/* Rows (or null: absent) for the next batch; checked against the columns. OK, CONFIG, FATAL. */
int32_t world_push(struct world_source *source, const json_t *rows, struct weir_error *error);
/* Tells the sources of the job that runs that there is something. */
void world_wake(struct world *world);
/* What came out of a sink since the last call; a new array, NULL without memory. */
json_t *world_take(struct world_sink *sink);
/* 1 if the two don't have the same rows in the same batches; the first difference was written. */
int world_differ(const struct world *a, const struct world *b, FILE *to);

#endif
