/*
 * scenario_play.h - a scenario from its first step to its last, with one number of workers.
 */
#ifndef WEIR_TOOLS_SCENARIO_PLAY_H
#define WEIR_TOOLS_SCENARIO_PLAY_H

#include "tools/weir/scenario_job.h"

/* An expectation that did not hold, in a play that only takes note of them. */
struct play_update {
    char path[320]; /* of the expected value, like "steps.2.expect.out" */
    json_t *value;  /* what came out */
};

struct play {
    int passed;
    char *text;         /* why not: lines that begin with "# "; malloc'ed, NULL: none */
    const char *state;  /* in which it ended: "running", "ended", "failed", "killed", "refused" */
    char *error;        /* of the job, in the last two of these; malloc'ed, NULL: none */
    uint32_t step;      /* the last one that was taken */
    json_t *batches;    /* what was known at the end of each, as scenario_facts.h says */
    struct world world; /* everything that came out */
    int updating;       /* in: failed expectations become updates */
    struct play_update *updates;
    uint32_t n_updates;
};

/* Plays the scenario; `play` is empty but for `updating`. [control] */
void scenario_play(const struct scenario *scenario, struct weir_sys *sys, struct registry *registry,
                   uint32_t workers, struct play *play);
void play_fini(struct play *play);

#endif
