/*
 * scenario.h - a scenario as its file has it: a job, rows in, steps of virtual time, rows out.
 *
 *     {"job": "job.json", "workers": [1, 2, 7], "start": "1970-01-01T00:00:00Z", "checkpoint":
 *      true, "steps": [{"rows": {"in": [["a", 1]]}}, {"advance": "1s"}, {"expect": {"out": [["a",
 *      1]]}}]}
 *
 * Sources and sinks are stood in for, but those that `real` names: these work on the scenario's own
 * disk, on which `files` puts, renames and removes files.
 *
 * Every value has its place, so that what is wrong with a scenario, and where one fails, is said as
 * file:line:column.
 */
#ifndef WEIR_TOOLS_SCENARIO_H
#define WEIR_TOOLS_SCENARIO_H

#include <jansson.h>

#include "core/job/job.h"

#define SCENARIO_WORKERS 16u

enum scenario_verb {
    VERB_ROWS,
    VERB_FILES,
    VERB_ADVANCE,
    VERB_EXPECT,
    VERB_TIMES, /* watermark, event_time */
    VERB_COUNTERS,
    VERB_CRASH,
    VERB_RESTART,
    VERB_STOP,
    VERB_ERROR
};

enum crash_point {
    CRASH_NEVER,
    CRASH_AFTER_PLAN,
    CRASH_AFTER_STATE,
    CRASH_BEFORE_COMMIT,
    CRASH_AFTER_COMMIT,
    CRASH_AT_CALL
};

struct crash {
    enum crash_point point;
    uint64_t n; /* batch, or number of the call */
};

struct scenario_step {
    enum scenario_verb verb;
    const json_t *all;   /* the step */
    const json_t *value; /* of its verb; of the first one where there are two */
    int64_t us;          /* advance */
    int jump;            /* advance: past all deadlines at once */
    int exact;           /* expect */
    struct crash crash;
};

struct scenario {
    char *file;
    char *text;
    size_t length;
    json_t *tree;
    struct places *places;
    const json_t *job; /* path or object */
    uint32_t workers[SCENARIO_WORKERS];
    uint32_t n_workers;
    int64_t start_us;
    int checkpoint;
    const json_t *real; /* names of sources and sinks that stay as the job has them; may be NULL */
    struct scenario_step *steps;
    uint32_t n_steps;
};

/* Reads a scenario. All mistakes go to the report; NULL if there were some. Owner: the caller.
 * [control] */
struct scenario *scenario_read(struct weir_sys *sys, const char *file, struct report *report);
void scenario_free(struct scenario *scenario);
/* "file:line:column" of a path ("steps.3.expect.out"), into `out`. */
void scenario_place(const struct scenario *scenario, const char *path, char *out, size_t size);
/* The bytes [*from, *until) of the file that are the value at `path`. 0, or -1 if there is none. */
int scenario_extent(const struct scenario *scenario, const char *path, size_t *from,
                    size_t *until);
/* The job that stands, or is named, at `path`: reads it as the file that it is. NULL: see the
 * report. */
struct job *scenario_job(const struct scenario *scenario, const json_t *given, const char *path,
                         struct weir_sys *sys, struct report *report);

#endif
