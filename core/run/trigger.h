/*
 * trigger.h - when a batch opens, when it closes, and its T.
 */
#ifndef WEIR_CORE_TRIGGER_H
#define WEIR_CORE_TRIGGER_H

#include "core/run/run.h"

void trigger_start(struct run *run); /* fixes the origin of the grid of a ticking job */
/* The interval of the grid of a ticking job; 0: there is no grid. */
int64_t trigger_grid(const struct run *run);
/* Wall time at which the next batch may be opened; INT64_MIN: now. */
int64_t trigger_opens(const struct run *run);
/* T of a batch that is opened now; *tick: wall time at which it closes (ticking), else INT64_MIN. */
int64_t trigger_time(struct run *run, int64_t *tick);
/* Grid arithmetic, by itself for tests: the first tick after `now` (DStreams), and the next point of the
 * epoch grid after `now` (processing time). */
int64_t grid_first(int64_t now_us, int64_t interval_us);
int64_t grid_after(int64_t zero_us, int64_t now_us, int64_t interval_us);

#endif
