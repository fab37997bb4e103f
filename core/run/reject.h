/*
 * reject.h - rows that could not be used: counted, and kept as dead letters of their batch.
 */
#ifndef WEIR_CORE_REJECT_H
#define WEIR_CORE_REJECT_H

#include <jansson.h>

#include "core/run/run.h"

struct rejects; /* of one pipe, then of the batch */

void rejects_free(struct rejects *rejects);
/* Moves all of `from` behind those of `to` (made if NULL). FATAL without memory. */
int32_t rejects_merge(struct rejects **to, struct rejects **from);
uint64_t rejects_count(const struct rejects *rejects);        /* dead letters */
uint64_t rejects_bytes(const struct rejects *rejects);        /* that the letters take */
uint64_t rejects_kept_of(const struct rejects *rejects, uint32_t node_index); /* without on_error skip */
uint64_t rejects_of(const struct rejects *rejects, uint32_t node_index); /* bad rows of a node, all kinds */
/* Dead letters as weir.block/1, appended to `out`: instance, code, reason, partition, position, batch, row (JSON text),
 * bytes. Nothing is appended where there are none. */
int32_t rejects_block(const struct rejects *rejects, uint64_t batch, struct weir_buffer *out,
                      struct weir_error *error);

/* Reasons with their counts, the most frequent kinds first met; others than the first REASONS of an instance and
 * batch count as "other reasons". */
struct reasons;
void reasons_free(struct reasons *reasons);
/* Adds those of a batch. FATAL without memory. */
int32_t reasons_add(struct reasons **to, const struct rejects *from);
/* Of one node, as {reason: count}; NULL where there are none, or no memory. */
json_t *reasons_json(const struct reasons *reasons, const struct plan_node *node);
/* The first rows of the batch, and the counts by reason, to the journal: for jobs that keep no letters. */
void rejects_log(const struct rejects *rejects, struct run *run, uint64_t batch);

/* The `reject` and `reject_bytes` of lanes. */
int32_t lane_reject(struct weir_context *context, const struct weir_chunk *chunk, uint32_t row,
                    int32_t code, const char *text, struct weir_error *error);
int32_t lane_reject_bytes(struct weir_context *context, struct weir_bytes record, int32_t code,
                          const char *text, struct weir_error *error);

#endif
