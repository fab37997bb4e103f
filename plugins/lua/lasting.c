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
 *  2. A function whose bytecode sets one of its upvalues, or writes to a table that it surely has
 *     from an upvalue or global, is refused then, so that `weir check` tells it, with the line. That
 *     holds for functions reached by name; one that is only found in a table may have been there to
 *     build it. A table with a metatable may write elsewhere, and is left to 3.
 *  3. The rest can't be told from the code. So each of those places has a hash of what is in it,
 *     which is compared at the end of a lane's turn: a change ends the batch before its rows are
 *     delivered. Hashes take values as they are (numbers by their bits, others by address, texts
 *     too since they are interned), so each table is gone through once and not into, and the order
 *     of its entries does not matter.
 *  4. A coroutine can't be looked into; one that lives on is refused.
 */
#include "plugins/lua/lasting.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lua/code.h"
#include "plugins/lua/vm.h"

/* Places of the stack while the walk is under way. */
enum { ENV = 1, OBJECTS, NAMES, SEEN, TOP = SEEN + CODE_READER };

struct walk {
    struct vm *vm;
    lua_State *L;
    struct code_reader reader;
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

/* `what`: "%s" of the variable, and what the code does with it. */
static void refuse_code(const struct walk *w, const struct code *code, int pc, const char *what,
                        const char *name)
{
    lua_State *L = w->L;
    const char *text = lua_pushfstring(L, what, name);
    luaL_error(L,
               "%s:%d: %s here, but it lives outside of the function: each worker has its own, so "
               "results would depend on their number. Make it local to the function, or keep it in "
               "a state (update_state_by_key, map_with_state, group_state, stateful)",
               w->vm->script->name, code_line(&w->reader, code, pc), text);
}

/* The value at the top is what instruction `from` gets: refuses code that writes to it. */
static void follow_value(const struct walk *w, const struct code *code, int from, const char *name)
{
    lua_State *L = w->L;
    if (!lua_istable(L, -1)) return;
    if (lua_getmetatable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    luaL_checkstack(L, 10, "nested tables");
    for (int pc = from; (pc = code_next_use(&w->reader, code, from, pc)) > 0;) {
        if (code_writes_table(&code->at[pc])) refuse_code(w, code, pc, "\"%s\" is written to", name);
        code_push_constant(&w->reader, code, code->at[pc].c);
        lua_rawget(L, -2);
        follow_value(w, code, pc, name);
        lua_pop(L, 1);
    }
}

/* Finds the globals that code uses, and what it does with them and with upvalues. `own`: it is that
 * of a function; of a prototype upvalues may be those of the call that makes functions of it. */
static void walk_code(struct walk *w, int index, int own)
{
    lua_State *L = w->L;
    const struct code code = code_read(&w->reader, index);
    for (int pc = 1; pc < code.n; pc++) {
        const struct instruction *in = &code.at[pc];
        const char *name;
        if (own && code_sets_upvalue(in) && (name = lua_getupvalue(L, index, (int)in->a + 1)))
            refuse_code(w, &code, pc, "\"%s\" is set", name);
        if (own && code_gets_upvalue(in) && (name = lua_getupvalue(L, index, (int)in->d + 1))) {
            follow_value(w, &code, pc, name);
            lua_pop(L, 1);
        }
        if (in->op != w->reader.gets_global) continue;
        code_push_constant(&w->reader, &code, in->d);
        lua_pushvalue(L, -1);
        lua_gettable(L, ENV);
        name = lua_tostring(L, -2);
        if (own) follow_value(w, &code, pc, name);
        add_value(w, name, 1);
        lua_pop(L, 1);
    }
    for (uint32_t i = 0, n = code_constants(&w->reader, &code); i < n; i++) {
        code_push_constant(&w->reader, &code, i);
        if (lua_type(L, -1) == CODE_PROTOTYPE) walk_code(w, lua_gettop(L), 0);
        lua_pop(L, 1);
    }
    lua_pop(L, 1); /* the instructions */
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
    struct walk w = { vm, L, { 0 } };
    struct lasting *lasting = &vm->lasting;
    lasting->n = lasting->n_objects = 0; /* loading may begin again */
    lasting->entries = 0;
    lua_insert(L, ENV);
    lua_settop(L, ENV);
    for (int i = OBJECTS; i <= SEEN; i++) lua_newtable(L);
    code_reader_open(&w.reader, L);
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
