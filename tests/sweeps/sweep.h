/*
 * sweep.h - jobs that are disturbed in every way and must give what the undisturbed job gave.
 *
 * A *life* is one run of the engine on a simulated disk: to its end, or to a kill. A job has a
 * first life, perhaps more that are killed, and a last one that nobody disturbs. Then the oracle
 * (oracle.h) reads what the file sinks made visible, and compares it with the output of a job that
 * had one life.
 *
 * All lives of a job have one seed: it draws the hash seed, and with it the order of groups in the
 * output. In a build with WEIR_SMALL_LOG (libsweep) the log has small segments, extents and frequent
 * retention, so that small jobs go through all of it.
 */
#ifndef TESTS_SWEEP_H
#define TESTS_SWEEP_H

#include "core/load/registry.h"
#include "core/sys/sim.h"
#include "tests/sweeps/oracle.h"

#define SWEEP_OUTPUTS 2
#define SWEEP_SEED 1 /* where WEIR_SEED gives none */

struct sweep_job {
    const char *name;
    const char *text;
    const char *outputs[SWEEP_OUTPUTS];  /* directories of its file sinks */
    int seen;                            /* 1: these are of the sink `seen` */
    uint32_t workers;                    /* 0: 2 */
    void (*fill)(struct sim_disk *disk); /* files that are there before the first life */
    /* Streams: before a life. `named` bytes are in durable PLANs, the rest is to be sent (again). */
    void (*script)(struct weir_sys *sys, uint64_t named);
    const char *source; /* of a stream: the source whose bytes are counted */
    int stopped;        /* 1: the script ends the job by a signal */
    uint64_t batches;   /* ticking jobs: so many are judged, those behind them depend on when the job was
                           stopped; 0: all */
    /* NULL: batch for batch as the undisturbed job. Else what must hold at the end; 0, or a
     * complaint in `why`. */
    int (*judge)(const struct output *outputs, char why[ORACLE_TEXT]);
};

extern const struct weir_plugin sweep_parts; /* parts.c */
extern const struct sweep_job sweep_state_jobs[]; /* states.c */
extern const uint32_t n_sweep_state_jobs;
const struct sweep_job *sweep_job_at(uint32_t i); /* NULL past the last one */
const struct sweep_job *sweep_job_find(const char *name);

struct sweep {
    const struct sweep_job *job;
    struct registry *registry;
    uint64_t seed;
    struct output want[SWEEP_OUTPUTS]; /* of the undisturbed job */
    uint64_t calls;          /* seam calls of the last life */
    const char *ignored;     /* planted: syncs below this path do nothing; NULL: they do */
    int loud;                /* WEIR_LOUD: the engine's journal to stderr */
    char why[ORACLE_TEXT];   /* the last complaint */
    uint64_t points, failed; /* what was tried, and failed */
    const char *kind;        /* of points, for messages */
};

/* What is done to a life, and what became of it. */
struct life {
    uint32_t number;                                 /* 0: the first; later ones begin later */
    uint64_t kill_at;                                /* seam call; 0: never */
    void (*before)(struct weir_sys *sys, void *arg); /* hooks, before the engine starts */
    void *arg;
    int status; /* exit status; -1: killed; -2: it hung, or did not come to an end */
    uint64_t calls, syncs;
};

/* 0, or -1 with `why`. Runs the undisturbed life. */
int sweep_begin(struct sweep *sweep, const struct sweep_job *job, uint64_t seed);
void sweep_end(struct sweep *sweep);
/* A disk as it is before the first life. */
struct sim_disk *sweep_disk(const struct sweep *sweep);
void sweep_life(struct sweep *sweep, struct sim_disk *disk, struct life *life);
/* Judges what is visible, which may be no more than the beginning of the output; then starts the
 * job, undisturbed, and judges what it gave, twice: the second time it has nothing more to do. 0, or
 * -1 with `why`. */
int sweep_finish(struct sweep *sweep, struct sim_disk *disk, uint32_t number);
/* Judges the output of a life that ended by itself. 0, or -1 with `why`. */
int sweep_judge(struct sweep *sweep, const struct sim_disk *disk);
/* Counts a failure and says how to repeat it: job, seed and points (0: none). */
void sweep_failed(struct sweep *sweep, uint64_t a, uint64_t b, uint64_t c);

/* WEIR_SWEEP: unset, "wide" or "full" */
enum { SWEEP_SAMPLE, SWEEP_WIDE, SWEEP_FULL };
int sweep_level(void);
uint64_t sweep_seed(void);
uint64_t sweep_draw(uint64_t *state);

/* kills.c: kills at calls first, first + stride …; for a share of them (1 of `pair_every`, 0: none)
 * the pairs, with second kills at every `pair_stride`-th call. Stops after `most` failures. */
struct kill_plan {
    uint64_t stride, pair_every, pair_stride, most;
};
/* The disk as a kill at `point` leaves it; NULL (and `disk` destroyed) if the life ended before. */
struct sim_disk *killed_at(struct sweep *sweep, struct sim_disk *disk, uint32_t number,
                           uint64_t point);
void kill_sweep(struct sweep *sweep, const struct kill_plan *plan, uint64_t *pairs);
int kill_again(struct sweep *sweep, uint64_t first, uint64_t second);

/* losses.c: power is lost before and after every sync of the first life, in `states` ways; after
 * every `again`-th of these (0: none) once more at every sync of the recovery, in one way. Then kills
 * at every `kills`-th call (0: none), and losses at every sync of the recoveries. */
struct loss_plan {
    uint64_t states, again, kills, most;
};
void loss_sweep(struct sweep *sweep, const struct loss_plan *plan);
int loss_again(struct sweep *sweep, uint64_t point, uint64_t way, uint64_t second);
int loss_after_kill(struct sweep *sweep, uint64_t call, uint64_t way, uint64_t point);

#endif
