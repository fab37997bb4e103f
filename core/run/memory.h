/*
 * memory.h - the shares of the job's memory limit.
 */
#ifndef WEIR_CORE_RUN_MEMORY_H
#define WEIR_CORE_RUN_MEMORY_H

#include "core/run/run.h"

/* Sets the run's limits from the job's memory_limit. [control] */
void memory_shares(struct run *run);
/* Compares the state with its share: warns from 80 % on, once until it has fallen below 70 %. FATAL,
 * with the tables and their figures in batch->error, above 100 %. [control], while no stage runs */
int32_t memory_check_state(struct run *run, struct batch *batch);

#endif
