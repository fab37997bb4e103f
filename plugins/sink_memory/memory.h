/*
 * memory.h - weir.memory/1: what the sink `memory` holds, for tests and for looking into a job.
 *
 * The table stands among the component's interfaces; `self` is the instance. All functions are
 * [any], between lock and unlock, and cheap; the sink waits meanwhile. What they give is valid
 * until unlock.
 */
#ifndef SINK_MEMORY_H
#define SINK_MEMORY_H

#include <weir/plugin.h>

#define WEIR_MEMORY_ID "weir.memory/1"

/* A piece of a partition of a batch, in the order in which it was written. */
struct weir_memory_chunk {
    uint32_t size; /* bytes, set by the caller */
    uint32_t partition;
    const struct ArrowSchema *schema;
    const struct ArrowArray *array; /* all rows count */
};

struct weir_memory {
    uint32_t size;
    uint32_t reserved;

    void (*lock)(void *self);
    void (*unlock)(void *self);
    /* Visible batches that are still held, oldest first. */
    uint64_t (*batches)(void *self);
    /* Id and chunks of the i-th one. OK; UNSUPPORTED past the last. */
    int32_t (*batch)(void *self, uint64_t i, uint64_t *id, uint32_t *chunks);
    int32_t (*chunk)(void *self, uint64_t i, uint32_t k, struct weir_memory_chunk *out);
    /* Batches and rows that were visible and had to go. */
    void (*dropped)(void *self, uint64_t *batches, uint64_t *rows);
    uint32_t (*form)(void *self); /* WEIR_FORM_… of the stream */
};

#endif
