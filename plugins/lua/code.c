/*
 * code.c - see the header.
 *
 * What is in a register. An instruction `from` puts a value into register r. At `pc` behind it that
 * value is still there if
 *
 *  1. no instruction between sets r, and
 *  2. no jump leads from elsewhere to a place between them.
 *
 * For then every way to `pc` comes through `from` and stays between. Where a jump comes from behind
 * `pc`, a loop, `pc` may as well be there: so the stretch grows to that jump, and the two conditions hold
 * for all of it. Calls and loops set all registers from their first one on.
 */
#include "plugins/lua/code.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

/* Modes of operands, as LuaJIT numbers them: a in bits 0 to 2, b in 3 to 6, c or d in 7 to 10; above
 * is the metamethod. */
enum { MODE_SET = 1, MODE_BASE = 2, MODE_READ = 3, MODE_FROM = 4, MODE_UPVALUE = 5, MODE_JUMP = 13 };
enum { METHOD_INDEX = 0, METHOD_NEWINDEX = 1 };

#define JUMP_BIAS 0x8000

static uint32_t mode_a(const struct instruction *in)
{
    return in->modes & 7;
}

static uint32_t mode_b(const struct instruction *in)
{
    return in->modes >> 3 & 15;
}

static uint32_t mode_d(const struct instruction *in)
{
    return in->modes >> 7 & 15;
}

int code_sets_upvalue(const struct instruction *in)
{
    return mode_a(in) == MODE_UPVALUE;
}

int code_gets_upvalue(const struct instruction *in)
{
    return mode_a(in) == MODE_SET && mode_b(in) == 0 && mode_d(in) == MODE_UPVALUE;
}

int code_writes_table(const struct instruction *in)
{
    return mode_a(in) == MODE_READ && mode_b(in) == MODE_READ && in->modes >> 11 == METHOD_NEWINDEX;
}

static int sets_register(const struct instruction *in, uint32_t r)
{
    if (mode_a(in) == MODE_SET) return in->a == r;
    return (mode_a(in) == MODE_BASE || mode_a(in) == MODE_FROM) && in->a <= r;
}

/* 0: it does not jump. */
static int jumps_to(const struct code *code, int pc)
{
    const struct instruction *in = &code->at[pc];
    return mode_d(in) == MODE_JUMP ? pc + 1 + (int)in->d - JUMP_BIAS : 0;
}

/* Whether what `from` has put into its register is in it at `pc`, between which nothing sets it. */
static int holds(const struct code *code, int from, int pc)
{
    int last = pc;
    for (int j = 1; j < code->n; j++) {
        const int to = jumps_to(code, j);
        if (to <= from || to > last || (j >= from && j <= last)) continue;
        if (j < from) return 0;
        for (; last < j; last++)
            if (sets_register(&code->at[last + 1], code->at[from].a)) return 0;
        j = 0; /* more places to come to */
    }
    return 1;
}

int code_next_use(const struct code_reader *reader, const struct code *code, int from, int pc)
{
    const uint32_t r = code->at[from].a;
    for (; pc + 1 < code->n; pc++) {
        const struct instruction *next = &code->at[pc + 1];
        if (pc > from && sets_register(&code->at[pc], r)) return 0;
        if ((code_writes_table(next) || next->op == reader->gets_field) && next->b == r)
            return holds(code, from, pc + 1) ? pc + 1 : 0;
    }
    return 0;
}

/* ---- reading ---- */

static uint32_t tell(const struct code_reader *reader, int index, int pc, const char *field)
{
    lua_State *L = reader->L;
    lua_pushvalue(L, reader->util);
    lua_pushvalue(L, index);
    lua_pushnumber(L, pc);
    lua_call(L, 2, 1);
    lua_getfield(L, -1, field);
    const uint32_t number = (uint32_t)lua_tonumber(L, -1);
    lua_pop(L, 2);
    return number;
}

static struct instruction read_one(const struct code_reader *reader, int index, int pc)
{
    lua_State *L = reader->L;
    lua_pushvalue(L, reader->util + 1);
    lua_pushvalue(L, index);
    lua_pushnumber(L, pc);
    lua_call(L, 2, 2);
    const uint32_t bits = (uint32_t)(int64_t)lua_tonumber(L, -2);
    const uint32_t modes = (uint32_t)lua_tonumber(L, -1);
    lua_pop(L, 2);
    return (struct instruction){ bits & 0xff, bits >> 8 & 0xff, bits >> 24, bits >> 16 & 0xff,
                                 bits >> 16,  modes };
}

struct code code_read(const struct code_reader *reader, int index)
{
    const int n = (int)tell(reader, index, 0, "bytecodes");
    luaL_checkstack(reader->L, 20, "nested functions");
    struct instruction *at = lua_newuserdata(reader->L, (size_t)(n + 1) * sizeof *at);
    for (int pc = 1; pc < n; pc++) at[pc] = read_one(reader, index, pc);
    return (struct code){ at, n, index };
}

int code_line(const struct code_reader *reader, const struct code *code, int pc)
{
    return (int)tell(reader, code->index, pc, "currentline");
}

uint32_t code_constants(const struct code_reader *reader, const struct code *code)
{
    return tell(reader, code->index, 0, "gcconsts");
}

void code_push_constant(const struct code_reader *reader, const struct code *code, uint32_t number)
{
    lua_State *L = reader->L;
    lua_pushvalue(L, reader->util + 2);
    lua_pushvalue(L, code->index);
    lua_pushnumber(L, -1 - (double)number);
    lua_call(L, 2, 1);
}

static void push_util(lua_State *L)
{
    static const char *const names[CODE_READER] = { "funcinfo", "funcbc", "funck" };
    lua_pushcfunction(L, luaopen_jit);
    lua_call(L, 0, 0);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* opening it turned it on */
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_getfield(L, -1, "jit.util");
    if (!lua_isfunction(L, -1)) luaL_error(L, "this LuaJIT has no jit.util");
    lua_call(L, 0, 1);
    lua_replace(L, -2);
    const int util = lua_gettop(L);
    for (int i = 0; i < CODE_READER; i++) lua_getfield(L, util, names[i]);
    lua_remove(L, util);
}

static const char samples[] = "return function() return x end, function(t) return t.x end";

void code_reader_open(struct code_reader *reader, lua_State *L)
{
    push_util(L);
    *reader = (struct code_reader){ .L = L, .util = lua_gettop(L) - CODE_READER + 1 };
    if (luaL_loadbuffer(L, samples, sizeof samples - 1, "=samples") != 0) lua_error(L);
    lua_call(L, 0, 2);
    const int top = lua_gettop(L);
    reader->gets_global = read_one(reader, top - 1, 1).op;
    reader->gets_field = read_one(reader, top, 1).op;
    lua_pop(L, 2);
}
