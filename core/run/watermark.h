/*
 * watermark.h - watermarks along the graph: what each operator takes for late, and may evict.
 */
#ifndef WEIR_CORE_WATERMARK_H
#define WEIR_CORE_WATERMARK_H

#include "core/run/run.h"

/* Purpose: the input watermark of every node for the global watermark `global`.
 * Thread and state: [control]. `of_node` has room for two entries per node of the plan; the second half is
 *   scratch.
 * Units: microseconds; WEIR_WATERMARK_NONE where no watermark is defined before a node.
 * On failure: can't fail. */
void watermark_spread(const struct plan *plan, int64_t global, int64_t *of_node);

/* Purpose: the global watermark after a batch: never less than before it, by the job's policy over all
 *   watermark operators; one that has seen no event time counts as 0.
 * Thread and state: [control], after the last stage of the batch. Sets run->next_watermark_us.
 * On failure: can't fail. */
void watermark_advance(struct run *run, const struct batch *batch);

/* Purpose: whether state would see another watermark in a batch after this one.
 * Thread and state: [control], between batches.
 * Returns: 1 if a batch without rows is worth it. */
int watermark_awaited(const struct run *run);

/* Purpose: joins event times of some rows to those of others.
 * Thread and state: [any]; exact in any order. */
void event_times_join(struct weir_event_times *all, const struct weir_event_times *more);

#endif
