/*
 * batch.h - `ctx`, the last argument of every function: what a call may know of its batch.
 *
 *   ctx.batch      number of the batch, from 0
 *   ctx.time       its time, microseconds since the epoch
 *   ctx.watermark  the watermark, microseconds since the epoch; nil where there is none
 */
#ifndef LUA_BATCH_H
#define LUA_BATCH_H

#include "plugins/lua/vm.h"

struct batch_table {
    int reference; /* 0: not made yet */
    uint64_t batch;
    int64_t time_us, watermark_us;
};

/* A batch begins. */
void batch_begin(struct batch_table *table, const struct weir_begin *begin);

/* Inside of a body: pushes it. */
void batch_push(struct batch_table *table, struct vm *vm, lua_State *L);

#endif
