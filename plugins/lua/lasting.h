/*
 * lasting.h - what a script's function could keep from one call to the next.
 */
#ifndef LUA_LASTING_H
#define LUA_LASTING_H

#include <lua.h>
#include <stdint.h>

struct vm;

/* A place that outlives a call, and what was in it. */
struct lasting_place {
    uint64_t hash;
    uint32_t object;  /* which of the objects */
    uint32_t upvalue; /* of a function; 0: all that is in a table */
};

struct lasting {
    struct lasting_place *places;
    uint32_t n, room;
    uint64_t entries; /* in all places */
    uint32_t n_objects;
    int objects;      /* references into the registry: object i, and its name */
    int names;
};

/* Inside of a body, with the closed environment at the top of the stack: finds what the script's
 * function can reach, and raises an error where it sets a local of the file. */
void lasting_open(struct vm *vm, lua_State *L);
void lasting_free(struct lasting *lasting);

/* Inside of a body: the table at the top is the new `ctx`, which outlives a call, too. */
void lasting_replace_ctx(struct vm *vm, lua_State *L);

/* A body (the argument is the vm): raises an error that names a place that has changed. */
int lasting_compare(lua_State *L);

#endif
