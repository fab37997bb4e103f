/*
 * batch.h - the loop.
 */
#ifndef WEIR_CORE_BATCH_H
#define WEIR_CORE_BATCH_H

#include "core/run/run.h"

/* Runs batches until the job ends. What failed is in run_fail. [control] */
void batch_loop(struct run *run);
/* The batch whose plan is in the log, again. */
int32_t batch_replay(struct run *run);

#endif
