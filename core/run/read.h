/*
 * read.h - sources: readers, segments, replay.
 */
#ifndef WEIR_CORE_READ_H
#define WEIR_CORE_READ_H

#include "core/run/run.h"

extern const struct context_ops source_ops; /* contexts of sources */

/* The reader of a partition; made if it is not there. NULL without memory. [control] */
struct reader *reader_get(struct source *source, const char *name, int make);
int32_t reader_set_position(struct reader *reader, const uint8_t *bytes, uint64_t n);
void reader_forget(struct source *source, const char *name); /* frees the reader; it is at rest */
void source_fini(struct source *source);
int32_t source_open(struct source *source, struct weir_error *error); /* RETRY: again later */

/* Opens reading of a batch: partitions are listed, readers set going. */
int32_t read_begin(struct run *run, struct batch *batch);
/* The same for a batch whose plan is in the log. */
int32_t read_replay(struct run *run, struct batch *batch, const struct record_plan *plan);
void read_kick(struct run *run);          /* sets going what can go; after wakes and completions */
void read_relist(struct run *run);  /* asks woken sources for their partitions again */
void read_poll_all(struct run *run); /* as if every source had been woken */
int read_moved(const struct run *run); /* something was read for the batch; at rest only */
int read_idle(const struct run *run);     /* no task runs: everything waits, stopped or ended */
int read_exhausted(const struct run *run); /* idle, and every reader ended or stopped or pending */
int read_all_ended(const struct run *run); /* no source will ever have more */
void read_close(struct run *run);         /* no more is read; open segments are finished */
int read_closed(void *run);               /* all segments are finished */
/* Brings the segments together: batch->origins of the sources, moves, counts. */
int32_t read_collect(struct run *run, struct batch *batch);
void read_drop(struct run *run);          /* after a failure or an empty batch: frees segments, forgets moves */
void read_again(struct run *run); /* segments that wait for another try get it when it is due */
int64_t read_next_again(const struct run *run); /* mono; INT64_MAX */
int64_t read_next_wake(const struct run *run); /* mono; INT64_MAX; those of read_next_again, too */

#endif
