/*
 * sandbox.h - what Lua code may use.
 */
#ifndef LUA_SANDBOX_H
#define LUA_SANDBOX_H

#include "plugins/lua/vm.h"

/* Opens the libraries and pushes the environment of the script: a table that it may fill until
 * sandbox_close. References of the vm are set. Inside of a body. */
void sandbox_open(struct vm *vm, lua_State *L);

/* Closes the environment at the top of the stack: its globals can't be changed any more. */
void sandbox_close(lua_State *L);

#endif
