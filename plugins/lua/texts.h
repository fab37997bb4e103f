/*
 * texts.h - functions of texts and tables whose work grows with what they are given: it counts as
 * instructions.
 */
#ifndef LUA_TEXTS_H
#define LUA_TEXTS_H

#include <lua.h>

/* Puts find, match, gmatch, gsub, rep, upper, lower, reverse into the library at the top. */
void texts_open(lua_State *L);

/* Puts insert, remove, sort, concat into the library at the top. */
void tables_open(lua_State *L);

#endif
