/*
 * counters.h - what instances count, batch by batch.
 */
#ifndef WEIR_CORE_COUNTERS_H
#define WEIR_CORE_COUNTERS_H

#include <stdint.h>

#define COUNTERS_MAX 16u /* names of one instance; further ones are not counted */
#define COUNTER_NAME_MAX 40u

struct counter {
    char name[COUNTER_NAME_MAX];
    int64_t value; /* of one batch */
    int64_t total; /* of all batches since the start */
};

/* The counters of one instance: those of a batch under way, or of a run. */
struct counters {
    struct counter list[COUNTERS_MAX];
    uint32_t n;
};

/* Purpose: adds `delta` to counter `name`, made on first use.
 * Thread and state: [any], under the lock of the run. Names over COUNTER_NAME_MAX - 1 bytes are cut.
 * On failure: can't fail; a seventeenth name is not counted. */
void counters_add(struct counters *counters, const char *name, int64_t delta);

/* Purpose: takes the values of a batch that is over as those of the last batch, and into the totals.
 * Thread and state: [control]. */
void counters_close(struct counters *run, const struct counters *batch);

/* Purpose: a counter's value in the batch, or in the last batch of a run.
 * Returns: 0 where nobody counted. */
int64_t counters_value(const struct counters *counters, const char *name);

/* Purpose: a counter's total since the start. */
int64_t counters_total(const struct counters *counters, const char *name);

#endif
