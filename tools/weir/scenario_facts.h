/*
 * scenario_facts.h - what a scenario saw, for programs: batches while it plays, and the line of
 * JSON that `weir test --json` prints for it.
 *
 *     {"file": "x.json", "workers": 2, "passed": true, "state": "ended", "step": 3,
 *      "sinks": {"out": [{"batch": 0, "step": 1, "rows": [["a", 1]]}]},
 *      "batches": [{"batch": 0, "rows_in": 1, "step": 1, "time_us": …, "watermark_us": …,
 *                   "next_watermark_us": …, "rows": {"counts": 1},
 *                   "counters": {"counts": {"updated": 1}},
 *                   "event_time": {"min_us": …, "max_us": …, "avg_us": …}}]}
 *
 * `why` (where it failed) and `error` (of the job) are texts. `watermark_us` is the one that the
 * batch ran with, null without any; `event_time` is null where no row of the batch had one.
 */
#ifndef WEIR_TOOLS_SCENARIO_FACTS_H
#define WEIR_TOOLS_SCENARIO_FACTS_H

#include "core/run/run.h"
#include "tools/weir/scenario_play.h"

/* Adds what is known at the end of a batch. [control] */
void facts_add(json_t *batches, const struct run *run, uint64_t batch, uint64_t rows_in,
               uint32_t step);
/* Rows in the state of an operator. [control] */
uint64_t facts_state_rows(const struct plan_node *node);
/* Event times of the last batch, of all watermark operators together; a new reference, null where
 * no row had one. [control] */
json_t *facts_event_times(const struct run *run);
/* Prints the line. [control] */
void facts_print(const char *file, uint32_t workers, const struct play *play, FILE *to);
/* The line of a scenario that is none: {"file": …, "passed": false, "state": "wrong", "why": …}.
 * [control] */
void facts_print_wrong(const char *file, const char *why, FILE *to);

#endif
