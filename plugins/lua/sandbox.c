/*
 * sandbox.c - what Lua code may use: a library without clock, chance, files, and other code.
 *
 * The same rows must give the same results in every run. So what differs from one Lua state to
 * the next is replaced:
 *
 *   pairs, next   the order of a table's hash part hangs on a seed that each state draws. Here keys
 *                 come in order: numbers, then text bytewise, then false and true. Keys of other
 *                 types have no such order, and are an error.
 *   tostring      tables and functions are shown by their type, not by their address; whole
 *                 numbers by all their digits.
 *   math.random   is not there.
 *
 * Globals can be set while the script is loaded, and not afterwards: one call can't leave anything
 * to the next one that way. For the other ways see lasting.c.
 */
#include "plugins/lua/sandbox.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lua/texts.h"

#define TYPE_CDATA 10
#define KEYS_MAX (1 << 24)

/* ---- keys in order ---- */

/* Numbers before text before booleans; -1, 0, 1. Both are at the given places of the stack. */
static int compare(lua_State *L, int a, int b)
{
    int x = lua_type(L, a), y = lua_type(L, b);
    if (x != y) {
        int rank_x = x == LUA_TNUMBER ? 0 : x == LUA_TSTRING ? 1 : 2;
        int rank_y = y == LUA_TNUMBER ? 0 : y == LUA_TSTRING ? 1 : 2;
        return rank_x < rank_y ? -1 : 1;
    }
    if (x == LUA_TNUMBER) {
        double m = lua_tonumber(L, a), n = lua_tonumber(L, b);
        return m < n ? -1 : m > n;
    }
    if (x == LUA_TSTRING) {
        size_t m, n;
        const char *s = lua_tolstring(L, a, &m), *t = lua_tolstring(L, b, &n);
        int c = memcmp(s, t, m < n ? m : n);
        return c ? c : m < n ? -1 : m > n;
    }
    return lua_toboolean(L, a) - lua_toboolean(L, b);
}

static void check_key(lua_State *L, int index)
{
    int type = lua_type(L, index);
    if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN) return;
    luaL_error(L, "a table with a key of type %s can't be gone through: such keys have no order",
               lua_typename(L, type));
}

struct key {
    uint32_t rank;
    uint32_t length;
    double number;
    const char *text; /* of a key of the table, which stays there */
};

static int by_key(const void *p, const void *q)
{
    const struct key *a = p, *b = q;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    if (a->rank != 1) return a->number < b->number ? -1 : a->number > b->number;
    uint32_t n = a->length < b->length ? a->length : b->length;
    int c = memcmp(a->text, b->text, n);
    return c ? c : a->length < b->length ? -1 : a->length > b->length;
}

static struct key key_at(lua_State *L, int index)
{
    struct key key = { 0, 0, 0, NULL };
    size_t n;
    switch (lua_type(L, index)) {
    case LUA_TNUMBER: key.number = lua_tonumber(L, index); break;
    case LUA_TSTRING:
        key.rank = 1;
        key.text = lua_tolstring(L, index, &n);
        key.length = (uint32_t)n;
        break;
    default:
        key.rank = 2;
        key.number = lua_toboolean(L, index);
    }
    return key;
}

/* How many keys the table has, if 1 … n; else -1 - n. */
static int count_keys(lua_State *L, int table)
{
    int n = 0, sequence = 1;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        check_key(L, lua_gettop(L));
        n++;
        if (lua_type(L, -1) != LUA_TNUMBER || lua_tonumber(L, -1) != n) sequence = 0;
        if (n > KEYS_MAX) luaL_error(L, "a table with more than %d keys", KEYS_MAX);
    }
    vm_charge(L, (size_t)n); /* that many are gone through at once */
    return sequence ? n : -1 - n;
}

/* Pushes an array of the n keys in order. */
static void sorted_keys(lua_State *L, int table, int n)
{
    struct key *keys = lua_newuserdata(L, (size_t)n * sizeof *keys + 1);
    int i = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        keys[i++] = key_at(L, lua_gettop(L));
    }
    qsort(keys, (size_t)n, sizeof *keys, by_key);
    lua_createtable(L, n, 0);
    for (i = 0; i < n; i++) {
        if (keys[i].rank == 0) lua_pushnumber(L, keys[i].number);
        else if (keys[i].rank == 1) lua_pushlstring(L, keys[i].text, keys[i].length);
        else lua_pushboolean(L, keys[i].number != 0);
        lua_rawseti(L, -2, i + 1);
    }
    lua_remove(L, -2);
}

/* Upvalues: table, keys (nil: 1, 2, 3 …), place, number of keys. */
static int step(lua_State *L)
{
    int at = (int)lua_tonumber(L, lua_upvalueindex(3));
    int n = (int)lua_tonumber(L, lua_upvalueindex(4));
    while (at < n) {
        at++;
        lua_settop(L, 0);
        if (lua_isnil(L, lua_upvalueindex(2))) lua_pushnumber(L, at);
        else lua_rawgeti(L, lua_upvalueindex(2), at);
        lua_pushvalue(L, 1);
        lua_rawget(L, lua_upvalueindex(1));
        if (lua_isnil(L, -1)) continue; /* gone meanwhile */
        lua_pushnumber(L, at);
        lua_replace(L, lua_upvalueindex(3));
        return 2;
    }
    lua_pushnumber(L, n);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int ordered_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int n = count_keys(L, 1);
    lua_pushvalue(L, 1);
    if (n >= 0) {
        lua_pushnil(L);
    } else {
        n = -1 - n;
        sorted_keys(L, 1, n);
    }
    lua_pushnumber(L, 0);
    lua_pushnumber(L, n);
    lua_pushcclosure(L, step, 4);
    return 1;
}

/* The least key greater than the given one: slower than pairs, and for `next(t) == nil`. */
static int ordered_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) check_key(L, 2);
    lua_pushnil(L); /* 3: the best so far */
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        vm_charge(L, 1);
        check_key(L, 4);
        if (!lua_isnil(L, 2) && compare(L, 4, 2) <= 0) continue;
        if (!lua_isnil(L, 3) && compare(L, 4, 3) >= 0) continue;
        lua_pushvalue(L, 4);
        lua_replace(L, 3);
    }
    if (lua_isnil(L, 3)) return 1;
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}

/* ---- text ---- */

/* Upvalue 1: the library's own. */
static int stable_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    int type = lua_type(L, 1);
    char digits[32];
    if (type != TYPE_CDATA && luaL_callmeta(L, 1, "__tostring")) return 1;
    if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA ||
        type == LUA_TTHREAD || type == LUA_TLIGHTUSERDATA) {
        lua_pushstring(L, lua_typename(L, type));
        return 1;
    }
    if (type == LUA_TNUMBER) {
        double number = lua_tonumber(L, 1);
        if (number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
            number == (double)(int64_t)number && !(number == 0 && 1 / number < 0)) {
            snprintf(digits, sizeof digits, "%lld", (long long)number);
            lua_pushstring(L, digits);
            return 1;
        }
    }
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    if (type == TYPE_CDATA) { /* 12LL, 12ULL */
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        while (n > 0 && (text[n - 1] == 'L' || text[n - 1] == 'U')) n--;
        lua_pushlstring(L, text, n);
    }
    return 1;
}

/* Upvalues: the library's own, tostring. */
static int stable_format(lua_State *L)
{
    int n = lua_gettop(L);
    const char *format = luaL_checkstring(L, 1);
    for (const char *p = format; (p = strchr(p, '%')) != NULL; p++) {
        p++;
        while (*p && strchr("-+ #0123456789.", *p)) p++;
        if (*p == 'p') luaL_error(L, "%%p: addresses differ from run to run");
        if (!*p) break;
    }
    for (int i = 2; i <= n; i++) {
        int type = lua_type(L, i);
        if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA &&
            type != LUA_TTHREAD)
            continue;
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        lua_replace(L, i);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, 1);
    return 1;
}

/* Upvalue: tostring. A line in the job's log. */
static int print(lua_State *L)
{
    void *ud;
    int n = lua_gettop(L);
    luaL_Buffer line;
    lua_getallocf(L, &ud);
    struct vm *vm = ud;
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        lua_replace(L, i);
    }
    luaL_buffinit(L, &line);
    for (int i = 1; i <= n; i++) {
        size_t length;
        const char *text = lua_tolstring(L, i, &length);
        if (!text) luaL_error(L, "__tostring gave no text");
        if (i > 1) luaL_addchar(&line, ' ');
        luaL_addlstring(&line, text, length);
    }
    luaL_pushresult(&line);
    vm->script->host->log(vm->context, WEIR_LOG_INFO, lua_tostring(L, -1));
    return 0;
}

/* ---- the environment ---- */

static void open(lua_State *L, lua_CFunction library)
{
    lua_pushcfunction(L, library);
    lua_call(L, 0, 0);
}

/* Copies globals by name from the real ones into the table at `to`. */
static void copy_names(lua_State *L, int to, const char *const *names)
{
    for (; *names; names++) {
        lua_getglobal(L, *names);
        lua_setfield(L, to, *names);
    }
}

/* A copy of a library without some of its members, as a field of the table at `to`; pushed. */
static void copy_library(lua_State *L, int to, const char *name, const char *const *without)
{
    lua_newtable(L);
    lua_getglobal(L, name);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, -5);
    }
    lua_pop(L, 1);
    for (; *without; without++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *without);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, to, name);
}

/* S.exists and S.exists() are the same: calling a boolean or a text gives it. */
static int itself(lua_State *L)
{
    lua_settop(L, 1);
    return 1;
}

static void put_text_functions(lua_State *L, int env)
{
    static const char *const no_dump[] = { "dump", NULL };
    lua_getglobal(L, "tostring");
    lua_pushcclosure(L, stable_tostring, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, env, "tostring");
    int tostring = lua_gettop(L);
    lua_pushvalue(L, tostring);
    lua_pushcclosure(L, print, 1);
    lua_setfield(L, env, "print");
    copy_library(L, env, "string", no_dump);
    texts_open(L);
    lua_getfield(L, -1, "format");
    lua_pushvalue(L, tostring);
    lua_pushcclosure(L, stable_format, 2);
    lua_setfield(L, -2, "format");
    /* methods of texts: this library, and no way to the table that says so */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, itself);
    lua_setfield(L, -2, "__call");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_settop(L, env);
}

static const char int64_source[] =
    "local ffi = ...\n"
    "local int64, uint64 = ffi.typeof('int64_t'), ffi.typeof('uint64_t')\n"
    "local is = ffi.istype\n"
    "return int64, function(x) return is(int64, x) and 1 or is(uint64, x) and 2 or 0 end\n";

static void open_int64(struct vm *vm, lua_State *L)
{
    if (luaL_loadbuffer(L, int64_source, sizeof int64_source - 1, "=int64") != 0) lua_error(L);
    lua_pushcfunction(L, luaopen_ffi);
    lua_call(L, 0, 1);
    lua_call(L, 1, 2);
    vm->is_int64 = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->int64 = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void make_booleans_callable(lua_State *L)
{
    lua_pushboolean(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, itself);
    lua_setfield(L, -2, "__call");
    lua_pushliteral(L, "boolean");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void sandbox_open(struct vm *vm, lua_State *L)
{
    static const char *const plain[] = { "assert",   "error",    "getmetatable", "ipairs",
                                         "pcall",    "rawequal", "rawget",       "rawset",
                                         "select",   "setmetatable", "tonumber", "type",
                                         "unpack",   "xpcall",   NULL };
    static const char *const no_chance[] = { "random", "randomseed", NULL };
    static const char *const nothing[] = { NULL };
    open(L, luaopen_base);
    open(L, luaopen_table);
    open(L, luaopen_string);
    open(L, luaopen_math);
    open(L, luaopen_bit);
    open_int64(vm, L);
    make_booleans_callable(L);
    lua_newtable(L);
    int env = lua_gettop(L);
    copy_names(L, env, plain);
    lua_pushcfunction(L, ordered_pairs);
    lua_setfield(L, env, "pairs");
    lua_pushcfunction(L, ordered_next);
    lua_setfield(L, env, "next");
    copy_library(L, env, "table", nothing);
    tables_open(L);
    copy_library(L, env, "math", no_chance);
    copy_library(L, env, "bit", nothing);
    copy_library(L, env, "coroutine", nothing);
    lua_settop(L, env);
    put_text_functions(L, env);
}

static int refuse_global(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return luaL_error(L, "the global \"%s\" can't be set here: make it local", name);
}

void sandbox_close(lua_State *L)
{
    int env = lua_gettop(L);
    lua_newtable(L); /* env + 1: what the globals are */
    lua_pushnil(L);
    while (lua_next(L, env)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, env + 1);
    }
    lua_pushnil(L);
    while (lua_next(L, env)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, env); /* a field may be cleared on the way */
    }
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, env + 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "globals");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, env);
    lua_settop(L, env);
}
