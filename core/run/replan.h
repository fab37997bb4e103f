/*
 * replan.h - may a pending batch run under another job than the one that planned it?
 */
#ifndef WEIR_CORE_REPLAN_H
#define WEIR_CORE_REPLAN_H

#include "core/run/run.h"

/* Purpose: looks which sinks of `logged` (the job that planned the pending batch) may have seen rows of it.
 * Thread and state: [control], before the run starts.
 * Returns: 1 where there are none, or the user said yes to it (they are named in the journal); else 0, with the reason
 * left in run_fail. */
int replan_allowed(struct run *run, const struct job *logged);

#endif
