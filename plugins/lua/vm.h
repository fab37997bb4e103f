/*
 * vm.h - one Lua state: a sandbox with limits, in which the functions of a job run.
 *
 * A state belongs to one lane and is used by one thread at a time. All work on it happens inside of
 * vm_run, in protected mode, so that neither an error in Lua nor a lack of memory leaves it.
 */
#ifndef LUA_VM_H
#define LUA_VM_H

#include <lauxlib.h>
#include <lua.h>

#include "plugins/lua/lasting.h"
#include "plugins/lua/script.h"

#define VM_TEXT 400u

struct vm {
    lua_State *L;
    const struct script *script;
    struct weir_context *context; /* of the lane (or of the instance, in bind) */
    uint64_t used_bytes, limit_bytes;
    uint64_t most_bytes;          /* of a strict call, up to its next collection */
    int strict;                   /* 1: the call may go over the limit with garbage */
    int again;                    /* 1: it is the second time: garbage is collected at fixed places */
    int crowded;                  /* 1: it has, and is interrupted to collect it */
    int refused;                  /* 1: it has met the limit, and is interrupted to end */
    int collecting;               /* 1: the collector works, which may take what it needs */
    uint8_t *reserve;             /* while the state is opened: for what the host refuses */
    size_t reserved_bytes;        /* of it */
    int64_t left;                 /* instructions; < 0: over the limit */
    int64_t step;                 /* of the hook */
    int once;                     /* 1: the body has changed what it can't take back */
    int no_memory;                /* 1: the host had none left, in the call under way */
    struct lasting lasting;             /* what outlives a call, and must not change in one */
    uint64_t calls;               /* since that was looked at */
    int function;                 /* references into the registry */
    int int64;                    /* makes an int64 cdata */
    int is_int64;                 /* kind of a cdata */
};

/* A state with the script loaded and run. OK; CONFIG with the option of the script at fault;
 * FATAL. *out is NULL on failure. */
int32_t vm_create(const struct script *script, struct weir_context *context, struct vm **out,
                  struct weir_error *error);
void vm_destroy(struct vm *vm); /* NULL is allowed */

/* In bind: reads the script's options (see script_read), and loads and runs its code once, so that
 * the check of a job refuses what does not run. Errors as of the two. [control] */
int32_t vm_try(struct script *script, const struct weir_host *host, struct weir_context *context,
               int nested, struct weir_error *error);

/* Runs body(L) with lua_touserdata(L, 1) == arg, at most `rows` times the script's instructions.
 * A body that met the limit of memory, even if it caught the error, is run once more after a full
 * collection, so that what other calls left behind does not count: it must be able to begin again, or
 * call vm_once. OK; DATA with what went wrong in `text` (VM_TEXT bytes); FATAL where the host is
 * without memory. */
int32_t vm_run(struct vm *vm, lua_CFunction body, void *arg, uint64_t rows, char *text);

/* At the end of a lane's turn: whether its calls have left alone what outlives them (see lasting.c).
 * OK; DATA with the name of what one has changed, which ends the batch; FATAL. */
int32_t vm_settle(struct vm *vm, struct weir_error *error);

/* Inside of a body or a function of it: the state. */
struct vm *vm_of(lua_State *L);

/* Inside of a function: work that is worth so many instructions. Raises an error where the call is
 * over its limit. */
void vm_charge(lua_State *L, size_t instructions);

/* Inside of a body: pushes the script's function. */
void vm_push_function(struct vm *vm, lua_State *L);

/* Inside of a body: calls it with the n arguments behind it, for one result. An error also where it
 * has caught the one that told it of a limit, and come to its end before the next. */
void vm_call(struct vm *vm, lua_State *L, int n);

/* Inside of a body: it changes, or has just changed, what it can't take back, so it can't begin again. */
void vm_once(struct vm *vm);

/* Inside of a body: the host is without memory; does not return. */
void vm_no_memory(struct vm *vm, lua_State *L);

/* Inside of a body: an integer as a number, or as int64 cdata beyond 2^53. */
void vm_push_int(struct vm *vm, lua_State *L, int64_t value);

/* Inside of a body: 1 if the value is a whole number or an int64; 0 if not, or if it is beyond
 * int64. */
int vm_to_int(struct vm *vm, lua_State *L, int index, int64_t *value);

#endif
