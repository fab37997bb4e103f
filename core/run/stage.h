/*
 * stage.h - operators with a distribution, stage after stage.
 */
#ifndef WEIR_CORE_STAGE_H
#define WEIR_CORE_STAGE_H

#include "core/run/run.h"

/* Runs all stages of a batch whose sources are collected. The first failure is returned and left in
 * batch->error, batch->where. Waits inside; CANCELLED when the run has to stop now. */
int32_t stages_run(struct run *run, struct batch *batch);
/* 1 if a timer of some stage has run out at batch time `time_us` or by the watermark of the next batch. */
int stages_due(const struct run *run, int64_t time_us);
/* T at which a timer of batch time runs out next; INT64_MAX: none is set. */
int64_t stages_next_due(const struct run *run);
void origin_lane_destroy(struct origin_lane *lane);

#endif
