/*
 * match.h - Lua's patterns, matched in steps that are counted.
 */
#ifndef LUA_MATCH_H
#define LUA_MATCH_H

#include <lua.h>
#include <stddef.h>

#define MATCH_CAPTURES 32

#define MATCH_POSITION (-2) /* length of a capture `()` */

struct match {
    lua_State *L;
    const char *text, *text_end;
    const char *pattern_end;
    int depth;
    int steps; /* not charged yet */
    int level; /* captures, open ones too */
    struct {
        const char *at;
        ptrdiff_t length;
    } captures[MATCH_CAPTURES];
};

/* Behind the match of [pattern, pattern_end) that begins at `at`; NULL: there is none. Errors of a
 * pattern, and the limit of instructions, are raised. */
const char *match_at(struct match *m, const char *at, const char *pattern);

/* Steps that the caller took, or those of `match_at` that are left (0). */
void match_charge(struct match *m, size_t steps);

#endif
