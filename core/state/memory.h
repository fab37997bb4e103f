/*
 * memory.h - the memory of one table of one group, counted for the store.
 *
 * The total is the only thing that groups share while they work; it changes when something grows,
 * not per key.
 */
#ifndef WEIR_CORE_STATE_MEMORY_H
#define WEIR_CORE_STATE_MEMORY_H

#include "core/data/array.h"

#include <stdatomic.h>

struct memory {
    atomic_ullong *total; /* of the store; NULL: nobody counts */
    uint64_t bytes;       /* of this table */
};

static inline void memory_count(struct memory *memory, uint64_t before, uint64_t after)
{
    memory->bytes += after - before;
    if (memory->total)
        atomic_fetch_add_explicit(memory->total, after - before, memory_order_relaxed);
}

/* As realloc from `before` to `after` bytes; 0 bytes frees. NULL without memory: nothing changed. */
static inline void *memory_resize(struct memory *memory, void *p, uint64_t before, uint64_t after)
{
    void *q = NULL;
    if (after == 0) mem_free(p);
    else if (!(q = mem_grow(p, after))) return NULL;
    memory_count(memory, before, after);
    return q;
}

#endif
