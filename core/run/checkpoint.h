/*
 * checkpoint.h - the engine's side of the log: JOB, PLAN, STATE and DONE, positions, recovery, retention.
 */
#ifndef WEIR_CORE_CHECKPOINT_H
#define WEIR_CORE_CHECKPOINT_H

#include "core/run/run.h"

struct checkpoint;

/* Opens the checkpoint of a job and reads it; `seed` is the hash seed of a new one. CONFIG, RETRY, DATA, FATAL as
 * log_open; *out also then, for checkpoint_close. [control] */
int32_t checkpoint_open(struct weir_sys *sys, struct journal *journal, const struct job *job,
                        uint64_t seed, struct checkpoint **out, struct weir_error *error);
void checkpoint_close(struct checkpoint *cp);
uint64_t checkpoint_seed(const struct checkpoint *cp);
int64_t checkpoint_zero(const struct checkpoint *cp); /* INT64_MIN: not known yet */
/* Wall time of the job's first start with this checkpoint. */
int64_t checkpoint_started(const struct checkpoint *cp);
void checkpoint_set_zero(struct checkpoint *cp, int64_t zero_us);
/* The logged job if its text differs from `text`, and a batch is pending or a sink has not finished its rows; else
 * NULL. */
const char *checkpoint_other_job(const struct checkpoint *cp, const char *text);
const char *checkpoint_text(const struct checkpoint *cp); /* canonical text of the job that runs */
struct log *checkpoint_log(const struct checkpoint *cp); /* for extents, which [any] may read */
int checkpoint_has_pending(const struct checkpoint *cp);

/* Gives the run what the log holds: ids, T, watermarks, positions, state, committables. CONFIG where state does not fit
 * the job (`drop`: instances whose state is dropped). */
int32_t checkpoint_restore(struct checkpoint *cp, struct run *run, struct weir_error *error);
/* The pending batch: its plan (owned by cp) with spools loaded into the readers. */
const struct record_plan *checkpoint_pending(struct checkpoint *cp, uint64_t *batch);
int32_t checkpoint_load_spools(struct checkpoint *cp, struct run *run, struct weir_error *error);

/* Notes in the log what the user dropped, so that the next start knows. CONFIG where a name has no state; else
 * as checkpoint_plan. */
int32_t checkpoint_drop(struct run *run, struct weir_error *error);

/* Each makes its record durable (DONE: with the next sync). They wait inside; a full disk makes them wait until there
 * is room. Failures are left in run_fail. */
int32_t checkpoint_plan(struct run *run, struct batch *batch);
/* What STATE needs of the tables, taken while sinks write, whose rows are made by then; a large capture is in the
 * log's files before they are done. Not durable, and nothing names it, before checkpoint_state. */
int32_t checkpoint_capture(struct run *run, struct batch *batch);
int32_t checkpoint_state(struct run *run, struct batch *batch);
int32_t checkpoint_done(struct run *run, struct batch *batch);

#endif
