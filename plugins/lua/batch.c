/*
 * batch.c - see the header. The table is made by the first call of a batch and used by the others.
 */
#include "plugins/lua/batch.h"

void batch_begin(struct batch_table *table, const struct weir_begin *begin)
{
    if (table->reference && table->batch == begin->batch && table->time_us == begin->time_us &&
        table->watermark_us == begin->evict_us)
        return;
    table->batch = begin->batch;
    table->time_us = begin->time_us;
    table->watermark_us = begin->evict_us;
    if (table->reference > 0) table->reference = -table->reference; /* to be made again */
}

void batch_push(struct batch_table *table, struct vm *vm, lua_State *L)
{
    if (table->reference > 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, table->reference);
        return;
    }
    lua_createtable(L, 0, 3);
    vm_push_int(vm, L, (int64_t)table->batch);
    lua_setfield(L, -2, "batch");
    vm_push_int(vm, L, table->time_us);
    lua_setfield(L, -2, "time");
    if (table->watermark_us != WEIR_WATERMARK_NONE) {
        vm_push_int(vm, L, table->watermark_us);
        lua_setfield(L, -2, "watermark");
    }
    if (table->reference < 0) luaL_unref(L, LUA_REGISTRYINDEX, -table->reference);
    table->reference = 0;
    lasting_replace_ctx(vm, L);
    lua_pushvalue(L, -1);
    table->reference = luaL_ref(L, LUA_REGISTRYINDEX);
}
