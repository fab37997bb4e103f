/*
 * checkpoint.h - the engine's side of the log: JOB, PLAN, STATE and DONE, positions, recovery, retention.
 */
#ifndef WEIR_CORE_CHECKPOINT_H
#define WEIR_CORE_CHECKPOINT_H

#include "core/run/run.h"

struct checkpoint;

/* Opens the checkpoint of a job and reads it; `seed` is the hash seed of a new one. CONFIG, RETRY, DATA, FATAL as
 * log_open; *out also then, for checkpoint_close. read_only: nothing is locked or written, a running job may use it, and
 * where there is none it holds nothing. [control] */
int32_t checkpoint_open(struct weir_sys *sys, struct journal *journal, const struct job *job,
                        uint64_t seed, int read_only, struct checkpoint **out,
                        struct weir_error *error);
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
/* For extents, which [any] may read; NULL where it was read only and there is none. */
struct log *checkpoint_log(const struct checkpoint *cp);
int checkpoint_has_pending(const struct checkpoint *cp);

/* Does the job of run->plan fit run->checkpoint, but for what options.drop names? 1, or 0 with all that does not fit in
 * the report: state, sources, sinks that have not got all, names to drop. Changes nothing. [control] */
int checkpoint_fits(struct run *run, struct report *report);
/* Gives the run what the log holds, which fits it: ids, T, watermarks, positions, state, committables. */
int32_t checkpoint_restore(struct checkpoint *cp, struct run *run, struct weir_error *error);
/* A check: whether the state that the run would get is whole. A file that is missing is no finding: the running job may
 * have removed it since. */
int32_t checkpoint_check_state(const struct checkpoint *cp, const struct run *run,
                               struct weir_error *error);
/* The pending batch: its plan (owned by cp) with spools loaded into the readers. */
const struct record_plan *checkpoint_pending(struct checkpoint *cp, uint64_t *batch);
int32_t checkpoint_load_spools(struct checkpoint *cp, struct run *run, struct weir_error *error);

/* Notes in the log what the user dropped, so that the next start knows: at once, or with the STATE of the batch that is
 * pending. Sources and sinks are open by then: a start that is refused has dropped nothing. As checkpoint_plan. */
int32_t checkpoint_drop(struct run *run);

/* Each makes its record durable (DONE: with the next sync). They wait inside; a full disk makes them wait until there
 * is room. Failures are left in run_fail. */
int32_t checkpoint_plan(struct run *run, struct batch *batch);
/* What STATE needs of the tables, taken while sinks write, whose rows are made by then; a large capture is in the
 * log's files before they are done. Not durable, and nothing names it, before checkpoint_state. */
int32_t checkpoint_capture(struct run *run, struct batch *batch);
int32_t checkpoint_state(struct run *run, struct batch *batch);
int32_t checkpoint_done(struct run *run, struct batch *batch);

#endif
