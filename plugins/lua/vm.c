/*
 * vm.c - Lua states with limits.
 *
 *  1. Every allocation goes through `allocate`, which refuses what is over the limit; Lua turns
 *     that into an error. (64-bit LuaJIT takes a foreign allocator since it uses GC64.)
 *  2. The compiler is off: code that it made would not look at the hook that counts instructions.
 *     The interpreter takes about 0.3 us for a small function; counting costs it a tenth of that.
 *  3. Once a call is over its instructions, the hook comes with every further one. So code that
 *     catches the error (pcall) gets the next one at once, until the call has ended.
 *  4. Work of the library that grows with its arguments (patterns, copies, shifts) is charged as
 *     instructions by texts.c, beside those that the hook has counted: a call gets at most twice
 *     its limit in all.
 *  5. Lua collects garbage when it likes, so whether a call meets the limit of memory would depend
 *     on the calls before it. Therefore the limit is one of what a call holds, garbage apart. A call
 *     that comes to three quarters of it, garbage included, is stopped, at its next instruction if it
 *     catches the error; garbage is collected, and it begins again, *strictly*: it may go over the
 *     limit, whereupon its next instruction first collects garbage, and ends the call if what is left
 *     is over the limit. Then it may take a quarter of the limit before that is looked at again, and
 *     one instruction may take the whole limit. Lua's own collector rests, for its pace depends on the
 *     seed of the state, by which texts are hashed. So a strict call depends on itself alone. And one that
 *     was not stopped would have passed strictly, too: the last quarter is for what the collector
 *     takes for held and is not, or not always (places of the stack that are not in use any more,
 *     buffers). A body that can't begin again is strict from there on.
 *     Collecting itself has no limit: it takes memory to give memory back (a smaller table of texts).
 *  6. LuaJIT crashes, or leaks, where an allocation fails while it opens a state or its library ffi.
 *     So there is a reserve from which such an allocation is served; a state that took of it is
 *     closed again, and memory has run out.
 */
#include "plugins/lua/vm.h"

#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lua/sandbox.h"
#include "plugins/share/option.h"

#define STEP_MAX (1 << 30)
#define TYPE_CDATA 10
#define WHOLE_MAX ((int64_t)1 << 53)
#define RESERVE_BYTES (256u << 10)   /* an opened state takes about a third; a multiple of 16 */
#define STRICT_STEP 1000             /* instructions; of them some are lost when garbage is collected */
#define SCRIPT_CALL_ROWS 100u        /* instructions to load a script: of so many rows */
#define LOOK_ALWAYS 64u              /* entries that are looked at in every turn; */
#define LOOK_PER_CALL 8u             /* one takes about 0.03 us, a call 1 us */

static int is_reserved(const struct vm *vm, const void *p)
{
    const uintptr_t at = (uintptr_t)p, first = (uintptr_t)vm->reserve;
    return first && at >= first && at - first < RESERVE_BYTES;
}

/* Blocks of the reserve are not used twice. */
static void *take_reserved(struct vm *vm, void *p, size_t old, size_t size)
{
    if (!vm->reserve || size > RESERVE_BYTES - vm->reserved_bytes) return NULL;
    uint8_t *q = vm->reserve + vm->reserved_bytes;
    vm->reserved_bytes += (size + 15) / 16 * 16;
    if (p) memcpy(q, p, old < size ? old : size);
    if (!is_reserved(vm, p)) free(p);
    return q;
}

static void on_count(lua_State *L, lua_Debug *debug);

/* Lua's next instruction calls on_count. */
static void interrupt(struct vm *vm)
{
    vm->step = 1;
    if (vm->L) lua_sethook(vm->L, on_count, LUA_MASKCOUNT, 1);
}

static int may_grow(struct vm *vm, uint64_t bytes)
{
    const uint64_t used = vm->used_bytes + bytes;
    if (used <= vm->limit_bytes / 4 * 3 || vm->collecting) return 1;
    if (vm->strict && used <= vm->most_bytes) return 1;
    if (!vm->strict || bytes > vm->limit_bytes || used - vm->most_bytes > vm->limit_bytes)
        vm->refused = 1;
    else vm->crowded = 1;
    interrupt(vm);
    return !vm->refused;
}

static void *allocate(void *ud, void *p, size_t old, size_t size)
{
    struct vm *vm = ud;
    void *q;
    if (size == 0) {
        vm->used_bytes -= old;
        if (!is_reserved(vm, p)) free(p);
        return NULL;
    }
    if (size > old && !may_grow(vm, size - old)) return NULL;
    q = is_reserved(vm, p) ? NULL : realloc(p, size);
    if (!q) q = take_reserved(vm, p, old, size);
    if (!q) {
        vm->no_memory = 1;
        return NULL;
    }
    vm->used_bytes += size;
    vm->used_bytes -= old;
    return q;
}

struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

static void over_limit(struct vm *vm, lua_State *L)
{
    vm->left = -1;
    vm->step = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    luaL_error(L, "over the limit of instructions");
}

/* Ends the call; it may catch the error, and gets it again. */
static void over_memory(struct vm *vm, lua_State *L)
{
    vm->refused = 1;
    interrupt(vm);
    luaL_error(L, "over the limit of memory");
}

/* Collects garbage in the midst of a strict call. */
static void relieve(struct vm *vm, lua_State *L)
{
    const uint64_t limit = vm->limit_bytes;
    uint64_t before;
    vm->crowded = 0;
    vm->collecting = 1;
    do { /* buffers and the table of texts shrink by half in each turn, and are no part of what it holds */
        before = vm->used_bytes;
        lua_gc(L, LUA_GCCOLLECT, 0);
    } while (vm->used_bytes > limit && vm->used_bytes < before);
    vm->collecting = 0;
    if (vm->again) lua_gc(L, LUA_GCSTOP, 0); /* a collection has set it going */
    if (vm->used_bytes > limit) over_memory(vm, L);
    vm->most_bytes = vm->used_bytes + limit / 4 > limit ? vm->used_bytes + limit / 4 : limit;
}

static void next_step(struct vm *vm)
{
    const int64_t most = vm->strict ? STRICT_STEP : STEP_MAX;
    vm->step = vm->left < most ? vm->left : most;
    lua_sethook(vm->L, on_count, LUA_MASKCOUNT, (int)vm->step);
}

static void on_count(lua_State *L, lua_Debug *debug)
{
    struct vm *vm = vm_of(L);
    (void)debug;
    if (vm->refused) over_memory(vm, L);
    vm->left -= vm->step;
    if (vm->left <= 0) over_limit(vm, L);
    if (vm->crowded) relieve(vm, L);
    next_step(vm);
}

void vm_charge(lua_State *L, size_t instructions)
{
    struct vm *vm = vm_of(L);
    if (vm->left >= 0 && instructions < (uint64_t)vm->left) vm->left -= (int64_t)instructions;
    else over_limit(vm, L);
}

static int on_panic(lua_State *L)
{
    fprintf(stderr, "lua: error outside of protected mode: %s\n", lua_tostring(L, -1));
    abort();
}

/* ---- running ---- */

static void arm(struct vm *vm, uint64_t rows)
{
    int64_t each = vm->script->instructions;
    if (rows < 1) rows = 1;
    vm->left = rows > (uint64_t)(INT64_MAX / each) ? INT64_MAX : each * (int64_t)rows;
    vm->refused = vm->crowded = 0;
    next_step(vm);
}

static void be_strict(struct vm *vm)
{
    vm->strict = 1;
    vm->most_bytes = vm->limit_bytes;
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

/* Until nothing more comes back: some memory (the stack, the table of texts) shrinks by half in each
 * turn. What the next call finds is the same then, whatever was before. */
static void collect_all(struct vm *vm)
{
    uint64_t before;
    vm->collecting = 1;
    do {
        before = vm->used_bytes;
        if (lua_cpcall(vm->L, collect, NULL) != 0) vm->no_memory = 1;
        lua_settop(vm->L, 0);
    } while (vm->used_bytes < before && !vm->no_memory);
    vm->collecting = 0;
}

/* The reason of a failed call, in one line; an error is at the top of the stack. */
static void describe(struct vm *vm, int status, char *text)
{
    const char *reason = NULL;
    if (status != 0 && lua_type(vm->L, -1) == LUA_TSTRING) reason = lua_tostring(vm->L, -1);
    if (vm->no_memory)
        snprintf(text, VM_TEXT, "out of memory");
    else if (vm->left < 0)
        snprintf(text, VM_TEXT,
                 "%s ran for more than %lld instructions (option `instructions`): a loop without "
                 "an end?",
                 vm->script->function, (long long)vm->script->instructions);
    else if (vm->refused)
        snprintf(text, VM_TEXT, "%s took more than %llu bytes of memory (option `memory`)",
                 vm->script->function, (unsigned long long)vm->limit_bytes);
    else
        snprintf(text, VM_TEXT, "%s", reason ? reason : "an error that is no text");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20) *p = ' ';
}

/* Runs the body once. 1: it has succeeded. */
static int run_once(struct vm *vm, lua_CFunction body, void *arg, uint64_t rows, char *text)
{
    arm(vm, rows);
    const int status = lua_cpcall(vm->L, body, arg);
    const int ok = status == 0 && !vm->refused && !vm->no_memory;
    lua_sethook(vm->L, NULL, 0, 0);
    if (!ok) describe(vm, status, text);
    lua_settop(vm->L, 0);
    return ok;
}

int32_t vm_run(struct vm *vm, lua_CFunction body, void *arg, uint64_t rows, char *text)
{
    vm->no_memory = vm->once = vm->strict = vm->again = vm->collecting = 0;
    vm->calls++;
    int ok = run_once(vm, body, arg, rows, text);
    if (vm->refused && !vm->once && !vm->no_memory) {
        collect_all(vm);
        be_strict(vm);
        vm->again = 1;
        lua_gc(vm->L, LUA_GCSTOP, 0);
        ok = !vm->no_memory && run_once(vm, body, arg, rows, text);
    }
    if (vm->again || vm->used_bytes > vm->limit_bytes) collect_all(vm);
    if (vm->no_memory) {
        snprintf(text, VM_TEXT, "out of memory");
        return WEIR_FATAL;
    }
    return ok ? WEIR_OK : WEIR_DATA;
}

void vm_once(struct vm *vm)
{
    if (vm->once) return;
    vm->once = 1;
    if (!vm->strict) be_strict(vm);
}

/* What is large is looked at after as many calls as make up for it. */
int32_t vm_settle(struct vm *vm, struct weir_error *error)
{
    char text[VM_TEXT];
    uint64_t most = LOOK_ALWAYS + LOOK_PER_CALL * vm->calls;
    if (vm->calls == 0 || vm->lasting.entries > most) return WEIR_OK;
    int32_t result = vm_run(vm, lasting_compare, vm, 1, text);
    vm->calls = 0;
    return result == WEIR_OK ? WEIR_OK : weir_fail(error, result, "%s", text);
}

void vm_no_memory(struct vm *vm, lua_State *L)
{
    vm->no_memory = 1;
    luaL_error(L, "out of memory");
}

void vm_push_function(struct vm *vm, lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->function);
}

void vm_call(struct vm *vm, lua_State *L, int n)
{
    lua_call(L, n, 1);
    if (vm->refused) over_memory(vm, L);
    if (vm->left < 0) over_limit(vm, L);
}

/* ---- int64 ---- */

void vm_push_int(struct vm *vm, lua_State *L, int64_t value)
{
    if (value >= -WHOLE_MAX && value <= WHOLE_MAX) {
        lua_pushnumber(L, (double)value);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->int64);
    lua_call(L, 0, 1);
    memcpy((void *)(uintptr_t)lua_topointer(L, -1), &value, sizeof value); /* still ours alone */
}

/* 1: int64, 2: uint64, 0: something else. */
static int cdata_kind(struct vm *vm, lua_State *L, int index)
{
    int kind;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->is_int64);
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    kind = (int)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return kind;
}

int vm_to_int(struct vm *vm, lua_State *L, int index, int64_t *value)
{
    int type = lua_type(L, index), kind;
    if (index < 0) index = lua_gettop(L) + index + 1;
    if (type == LUA_TNUMBER) {
        double number = lua_tonumber(L, index);
        if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) return 0;
        *value = (int64_t)number;
        return (double)*value == number;
    }
    if (type != TYPE_CDATA || (kind = cdata_kind(vm, L, index)) == 0) return 0;
    memcpy(value, lua_topointer(L, index), sizeof *value);
    return kind == 1 || *value >= 0;
}

/* ---- loading ---- */

static int load(lua_State *L)
{
    struct vm *vm = lua_touserdata(L, 1);
    const struct script *s = vm->script;
    lua_settop(L, 0);
    sandbox_open(vm, L);
    lua_pushfstring(L, "=%s", s->name);
    if (s->length && s->text[0] == LUA_SIGNATURE[0]) luaL_error(L, "%s is bytecode", s->name);
    if (luaL_loadbuffer(L, s->text, s->length, lua_tostring(L, -1)) != 0) lua_error(L);
    lua_pushvalue(L, 1);
    lua_setfenv(L, -2);
    lua_call(L, 0, 0);
    lua_settop(L, 1);
    lua_getfield(L, 1, s->function);
    vm->function = lua_isfunction(L, -1) ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
    lua_settop(L, 1);
    sandbox_close(L);
    if (vm->function != LUA_NOREF) lasting_open(vm, L);
    return 0;
}

static int32_t open_state(struct vm *vm, struct weir_error *error)
{
    char text[VM_TEXT];
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L) return no_memory(error);
    lua_atpanic(vm->L, on_panic);
    luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (vm_run(vm, load, vm, SCRIPT_CALL_ROWS, text) != WEIR_OK)
        return weir_fail_option(error, vm->script->at, -1, "%s", text);
    if (vm->function == LUA_NOREF)
        return weir_fail_option(error, vm->script->at_function, -1,
                                "%s has no function \"%s\" (a local one can't be seen from outside)",
                                vm->script->name, vm->script->function);
    return WEIR_OK;
}

int32_t vm_create(const struct script *script, struct weir_context *context, struct vm **out,
                  struct weir_error *error)
{
    struct vm *vm = calloc(1, sizeof *vm);
    *out = NULL;
    if (!vm) return no_memory(error);
    vm->script = script;
    vm->context = context;
    vm->limit_bytes = script->memory_bytes;
    vm->reserve = malloc(RESERVE_BYTES);
    int32_t result = vm->reserve ? open_state(vm, error) : no_memory(error);
    if (vm->reserved_bytes) result = no_memory(error);
    if (result != WEIR_OK) {
        vm_destroy(vm);
        return result;
    }
    free(vm->reserve);
    vm->reserve = NULL;
    *out = vm;
    return WEIR_OK;
}

void vm_destroy(struct vm *vm)
{
    if (!vm) return;
    if (vm->L) lua_close(vm->L);
    lasting_free(&vm->lasting);
    free(vm->reserve);
    free(vm);
}

int32_t vm_try(struct script *script, const struct weir_host *host, struct weir_context *context,
               int nested, struct weir_error *error)
{
    struct vm *vm = NULL;
    int32_t result = script_read(script, host, context, nested, error);
    if (result == WEIR_OK) result = vm_create(script, context, &vm, error);
    vm_destroy(vm);
    return result;
}
