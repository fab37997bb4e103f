/*
 * lasting.c - nothing is kept from one call to the next.
 *
 * Each worker has a Lua state of its own, and a restart begins with a new one. So whatever a call
 * leaves behind in a variable outside of it would make results depend on the number of workers, on
 * the order in which they take their work, and on restarts. There are three ways to leave a thing:
 * to set a local of the file (an upvalue of the function), to write to a table that lives longer
 * than the call, and to go on with an iterator or coroutine made before.
 *
 *  1. When the script has been loaded, all that its function can reach is walked: upvalues, globals
 *     that the code names, and whatever is in those tables, their metatables and functions. These
 *     values live on. What a call makes anew, upvalues of its own closures too, is not among them.
 *  2. A function that sets one of its upvalues (USETx in its bytecode) is refused then, so that
 *     `weir check` tells it, with the line. That holds for functions reached by name; one that is
 *     only found in a table may have been there to build it.
 *  3. The rest can't be told from the code. So each of those places has a hash of what is in it,
 *     which is compared at the end of a lane's turn: a change ends the batch before its rows are
 *     delivered. Hashes take values as they are (numbers by their bits, others by address, texts
 *     too since they are interned), so each table is gone through once and not into, and the order
 *     of its entries does not matter.
 *  4. A coroutine can't be looked into; one that lives on is refused.
 *
 * Bytecode is read through LuaJIT's jit.util, whose operand modes say what an instruction sets; the
 * two numbers that are needed are read off small functions.
 */
#include "plugins/lua/lasting.h"

#include <lauxlib.h>
#include <lualib.h>
#include <luajit.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lua/vm.h"

#define TYPE_PROTO 9

/* Places of the stack while the walk is under way. */
enum { ENV = 1, OBJECTS, NAMES, SEEN, FUNCINFO, FUNCBC, FUNCK, TOP = FUNCK };

struct walk {
    struct vm *vm;
    lua_State *L;
    int sets_upvalue; /* operand mode */
    int gets_global;  /* opcode */
};

/* ---- hashes ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

static uint64_t hash_value(lua_State *L, int index)
{
    double number;
    uint64_t bits = 0;
    switch (lua_type(L, index)) {
    case LUA_TNIL: break;
    case LUA_TBOOLEAN: bits = 1 + (uint64_t)lua_toboolean(L, index); break;
    case LUA_TNUMBER:
        number = lua_tonumber(L, index);
        memcpy(&bits, &number, sizeof bits);
        break;
    case LUA_TSTRING: bits = (uintptr_t)lua_tostring(L, index); break;
    default: bits = (uintptr_t)lua_topointer(L, index);
    }
    return mix(bits + 0x9e3779b97f4a7c15u * (uint64_t)(lua_type(L, index) + 1));
}

/* Of the table at the top; its entries are added to *entries. */
static uint64_t hash_table(lua_State *L, uint64_t *entries)
{
    uint64_t hash = 0;
    if (lua_getmetatable(L, -1)) {
        hash = hash_value(L, -1);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        hash += mix(hash_value(L, -2) * 3 + hash_value(L, -1)); /* in any order */
        lua_pop(L, 1);
        ++*entries;
    }
    return hash;
}

/* Of a place of the object at the top. */
static uint64_t hash_place(lua_State *L, const struct lasting_place *place, uint64_t *entries)
{
    if (place->upvalue == 0) return hash_table(L, entries);
    ++*entries;
    if (!lua_getupvalue(L, -1, (int)place->upvalue)) return 0;
    uint64_t hash = hash_value(L, -1);
    lua_pop(L, 1);
    return hash;
}

/* ---- the walk ---- */

static void add_place(struct walk *w, uint32_t object, uint32_t upvalue)
{
    struct lasting *lasting = &w->vm->lasting;
    if (lasting->n == lasting->room) {
        uint32_t room = lasting->room ? lasting->room * 2 : 16;
        struct lasting_place *more = realloc(lasting->places, room * sizeof *more);
        if (!more) vm_no_memory(w->vm, w->L);
        lasting->places = more;
        lasting->room = room;
    }
    lasting->places[lasting->n++] = (struct lasting_place){ 0, object, upvalue };
}

/* Takes the value at the top, which is reached through the variable `name`. `by_name`: the code
 * names it, it is not just a member of something. */
static void add_value(struct walk *w, const char *name, int by_name)
{
    lua_State *L = w->L;
    int type = lua_type(L, -1);
    if (type == LUA_TTHREAD)
        luaL_error(L,
                   "\"%s\" holds a coroutine, which goes on from call to call: make it inside of the "
                   "function",
                   name);
    lua_pushvalue(L, -1);
    lua_rawget(L, SEEN);
    int seen = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if ((type == LUA_TTABLE || type == LUA_TFUNCTION) && !seen) {
        uint32_t object = ++w->vm->lasting.n_objects;
        lua_pushvalue(L, -1);
        lua_rawseti(L, OBJECTS, (int)object);
        lua_pushstring(L, name);
        lua_rawseti(L, NAMES, (int)object);
        lua_pushvalue(L, -1);
        lua_pushboolean(L, 1);
        lua_rawset(L, SEEN);
        if (by_name) {
            lua_pushboolean(L, 1);
            lua_rawseti(L, SEEN, (int)object);
        }
    }
    lua_pop(L, 1);
}

/* A number that jit.util tells of the function or prototype at `code`. */
static int tell(lua_State *L, int code, int pc, const char *field)
{
    lua_pushvalue(L, FUNCINFO);
    lua_pushvalue(L, code);
    lua_pushnumber(L, pc);
    lua_call(L, 2, 1);
    lua_getfield(L, -1, field);
    int number = (int)lua_tonumber(L, -1);
    lua_pop(L, 2);
    return number;
}

/* An instruction, and the modes of its operands. */
static uint32_t instruction(lua_State *L, int code, int pc, int *modes)
{
    lua_pushvalue(L, FUNCBC);
    lua_pushvalue(L, code);
    lua_pushnumber(L, pc);
    lua_call(L, 2, 2);
    uint32_t bits = (uint32_t)(int64_t)lua_tonumber(L, -2);
    *modes = (int)lua_tonumber(L, -1);
    lua_pop(L, 2);
    return bits;
}

/* Pushes constant i (a text, a prototype …). */
static void push_constant(lua_State *L, int code, int i)
{
    lua_pushvalue(L, FUNCK);
    lua_pushvalue(L, code);
    lua_pushnumber(L, -1 - i);
    lua_call(L, 2, 1);
}

static void refuse_setting(struct walk *w, int code, int pc, uint32_t upvalue)
{
    lua_State *L = w->L;
    const char *name = lua_getupvalue(L, code, (int)upvalue + 1);
    luaL_error(L,
               "%s:%d: \"%s\" is set here, but it lives outside of the function: each worker has "
               "its own, so results would depend on their number. Make it local to the function, or "
               "keep it in a state (update_state_by_key, map_with_state, group_state, stateful)",
               w->vm->script->name, tell(L, code, pc, "currentline"), name ? name : "?");
}

/* Finds the globals that code uses, and those upvalues that it sets. `own`: `code` is a function,
 * not a prototype of which a call makes functions, whose upvalues may be the call's own. */
static void walk_code(struct walk *w, int code, int own)
{
    lua_State *L = w->L;
    int n = tell(L, code, 0, "bytecodes"), constants = tell(L, code, 0, "gcconsts");
    luaL_checkstack(L, 10, "nested functions");
    for (int pc = 1; pc < n; pc++) {
        int modes;
        uint32_t bits = instruction(L, code, pc, &modes);
        if (own && (modes & 7) == w->sets_upvalue) refuse_setting(w, code, pc, bits >> 8 & 0xff);
        if ((int)(bits & 0xff) != w->gets_global) continue;
        push_constant(L, code, (int)(bits >> 16));
        lua_pushvalue(L, -1);
        lua_gettable(L, ENV);
        add_value(w, lua_tostring(L, -2), 1);
        lua_pop(L, 1);
    }
    for (int i = 0; i < constants; i++) {
        push_constant(L, code, i);
        if (lua_type(L, -1) == TYPE_PROTO) walk_code(w, lua_gettop(L), 0);
        lua_pop(L, 1);
    }
}

static void walk_function(struct walk *w, uint32_t object, const char *name, int by_name)
{
    lua_State *L = w->L;
    int in_c = lua_iscfunction(L, -1), function = lua_gettop(L);
    const char *upvalue;
    for (int i = 1; (upvalue = lua_getupvalue(L, function, i)) != NULL; i++) {
        add_place(w, object, (uint32_t)i);
        add_value(w, in_c ? name : upvalue, by_name);
    }
    if (!in_c) walk_code(w, function, by_name);
}

static void walk_table(struct walk *w, uint32_t object, const char *name)
{
    lua_State *L = w->L;
    add_place(w, object, 0);
    if (lua_getmetatable(L, -1)) add_value(w, name, 0);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        add_value(w, name, 0);
        lua_pushvalue(L, -1);
        add_value(w, name, 0);
    }
}

static void walk_objects(struct walk *w)
{
    lua_State *L = w->L;
    for (uint32_t object = 1; object <= w->vm->lasting.n_objects; object++) {
        lua_settop(L, TOP);
        lua_rawgeti(L, NAMES, (int)object);
        lua_rawgeti(L, SEEN, (int)object);
        lua_rawgeti(L, OBJECTS, (int)object);
        const char *name = lua_tostring(L, TOP + 1);
        if (lua_istable(L, -1)) walk_table(w, object, name);
        else walk_function(w, object, name, lua_toboolean(L, TOP + 2));
    }
}

/* Pushes the functions of jit.util that are needed, in the order of their places. */
static void open_util(lua_State *L)
{
    static const char *const names[] = { "funcinfo", "funcbc", "funck" };
    lua_pushcfunction(L, luaopen_jit);
    lua_call(L, 0, 0);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* opening it turned it on */
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_getfield(L, -1, "jit.util");
    if (!lua_isfunction(L, -1)) luaL_error(L, "this LuaJIT has no jit.util");
    lua_call(L, 0, 1);
    lua_replace(L, -2);
    int util = lua_gettop(L);
    for (int i = 0; i < 3; i++) lua_getfield(L, util, names[i]);
    lua_remove(L, util);
}

static const char samples[] = "local x return function(v) x = v end, function() return y end";

static void learn_code(struct walk *w)
{
    lua_State *L = w->L;
    int modes;
    if (luaL_loadbuffer(L, samples, sizeof samples - 1, "=samples") != 0) lua_error(L);
    lua_call(L, 0, 2);
    instruction(L, TOP + 1, 1, &modes);
    w->sets_upvalue = modes & 7;
    w->gets_global = (int)(instruction(L, TOP + 2, 1, &modes) & 0xff);
    lua_settop(L, TOP);
}

static void hash_places(struct lasting *lasting, lua_State *L)
{
    for (uint32_t i = 0; i < lasting->n; i++) {
        lua_rawgeti(L, OBJECTS, (int)lasting->places[i].object);
        lasting->places[i].hash = hash_place(L, &lasting->places[i], &lasting->entries);
        lua_pop(L, 1);
    }
}

void lasting_open(struct vm *vm, lua_State *L)
{
    struct walk w = { vm, L, 0, 0 };
    struct lasting *lasting = &vm->lasting;
    lua_insert(L, ENV);
    lua_settop(L, ENV);
    for (int i = OBJECTS; i <= SEEN; i++) lua_newtable(L);
    open_util(L);
    learn_code(&w);
    lua_newtable(L); /* for ctx, the first */
    add_value(&w, "ctx", 0);
    vm_push_function(vm, L);
    add_value(&w, vm->script->function, 1);
    walk_objects(&w);
    lua_settop(L, NAMES);
    hash_places(lasting, L);
    lasting->names = luaL_ref(L, LUA_REGISTRYINDEX);
    lasting->objects = luaL_ref(L, LUA_REGISTRYINDEX);
}

void lasting_free(struct lasting *lasting)
{
    free(lasting->places);
    lasting->places = NULL;
}

/* ---- afterwards ---- */

void lasting_replace_ctx(struct vm *vm, lua_State *L)
{
    uint64_t entries = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->lasting.objects);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pop(L, 1);
    vm->lasting.places[0].hash = hash_table(L, &entries);
}

static void refuse_change(struct vm *vm, lua_State *L, const struct lasting_place *place)
{
    const char *name = place->upvalue ? lua_getupvalue(L, -1, (int)place->upvalue) : NULL;
    if (!name || !*name) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->lasting.names);
        lua_rawgeti(L, -1, (int)place->object);
        name = lua_tostring(L, -1);
    }
    luaL_error(L,
               "%s has changed \"%s\", which outlives the call: each worker has its own, so "
               "results would depend on their number. Make it inside of the function, or keep it in a "
               "state (update_state_by_key, map_with_state, group_state, stateful)",
               vm->script->function, name);
}

int lasting_compare(lua_State *L)
{
    struct vm *vm = lua_touserdata(L, 1);
    const struct lasting *lasting = &vm->lasting;
    uint64_t entries = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, lasting->objects);
    int objects = lua_gettop(L);
    for (uint32_t i = 0; i < lasting->n; i++) {
        lua_rawgeti(L, objects, (int)lasting->places[i].object);
        if (hash_place(L, &lasting->places[i], &entries) != lasting->places[i].hash)
            refuse_change(vm, L, &lasting->places[i]);
        lua_settop(L, objects);
    }
    return 0;
}
