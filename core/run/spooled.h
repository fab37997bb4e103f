/*
 * spooled.h - the output spool: rows of a sink that are logged with STATE(n) and delivered from there.
 */
#ifndef WEIR_CORE_SPOOLED_H
#define WEIR_CORE_SPOOLED_H

#include "core/run/run.h"

/* Purpose: writes those rows of sink->chunks that are not yet in sink->output as extents, and notes them there.
 * Thread and state: the log's thread; the coordinator waits.
 * Returns: OK; RETRY where the disk is full (a later call goes on); FATAL. */
int32_t spooled_write(struct sink *sink, struct log *log, struct weir_error *error);

/* Purpose: gives the rows of an extent to `take`, chunk by chunk; chunks are the caller's during the call.
 * Thread and state: [any]; the log must not drop the extent.
 * Returns: what `take` returns; DATA for a damaged extent; CONFIG where the rows don't have the columns of `schema`. */
int32_t spooled_read(struct log *log, const struct extent *extent, const struct ArrowSchema *schema,
                    int32_t (*take)(void *arg, struct weir_chunk *chunk, struct weir_error *error),
                    void *arg, struct weir_error *error);

/* Purpose: batch time and number of partitions, which stand in each extent.
 * Returns: as spooled_read. */
int32_t spooled_describe(struct log *log, struct spooled *output, struct weir_error *error);
void spooled_fini(struct spooled *output);

#endif
