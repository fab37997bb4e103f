/*
 * deliver.h - sinks on their threads.
 */
#ifndef WEIR_CORE_DELIVER_H
#define WEIR_CORE_DELIVER_H

#include "core/run/run.h"

/* All [control]. Those that wait answer CANCELLED when the run has to stop now; failures are left in
 * run_fail. RETRY of a sink is tried again for ever (on_stall hold). */
int32_t sinks_open(struct run *run);     /* open, recover, and commit what recovery found */
int32_t deliver_batch(struct run *run, struct batch *batch); /* begin … finish or prepare, all sinks */
/* After STATE: two-phase sinks commit, sinks that get their rows from the log get them. */
int32_t deliver_commit(struct run *run, struct batch *batch);
void deliver_over(struct run *run); /* after DONE: the rows are let go */
void sinks_close(struct run *run);
extern const struct context_ops sink_ops; /* contexts of sinks */
void sink_fini(struct sink *sink);

#endif
