/*
 * read_segment.h - segments: what a worker does with a stretch of a partition.
 */
#ifndef WEIR_CORE_READ_SEGMENT_H
#define WEIR_CORE_READ_SEGMENT_H

#include "core/run/run.h"

/* A new open segment at the end of the reader's list; NULL without memory. [control], or the holder of the token */
struct segment *segment_create(struct reader *reader, struct batch *batch);
int segment_holds(const struct segment *segment); /* rows that are not in its outboxes yet, or a pipe */
void segment_free(struct segment *segment); /* NULL allowed; no task of it is under way */
void segment_done(struct weir_task *task);  /* read.c: posted when its task has run */
/* The `frame` that sources call inside `next`: the format's own, and records over max_record skipped. */
int32_t source_frame(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                     uint64_t max_records, struct weir_frame *out, struct weir_error *error);

#endif
