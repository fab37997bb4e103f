/*
 * texts.c - see the header.
 *
 * find, match, gmatch and gsub are written anew over match.c. The others are those of the library,
 * behind a function that charges for the bytes or items they go through.
 */
#include "plugins/lua/texts.h"

#include <lauxlib.h>
#include <string.h>

#include "plugins/lua/match.h"
#include "plugins/lua/vm.h"

#define BYTES 16u /* of a copy, for an instruction */

/* ---- captures as values ---- */

/* Capture i; the whole match [from, until) where there is none. */
static void push_capture(struct match *m, int i, const char *from, const char *until)
{
    if (i >= m->level) {
        if (i != 0) luaL_error(m->L, "invalid capture index");
        match_charge(m, (size_t)(until - from) / BYTES);
        lua_pushlstring(m->L, from, (size_t)(until - from));
        return;
    }
    ptrdiff_t n = m->captures[i].length;
    if (n == MATCH_POSITION) {
        lua_pushnumber(m->L, (double)(m->captures[i].at - m->text + 1));
        return;
    }
    if (n < 0) luaL_error(m->L, "unfinished capture");
    match_charge(m, (size_t)n / BYTES);
    lua_pushlstring(m->L, m->captures[i].at, (size_t)n);
}

/* All of them; of a pattern without any the match, unless `from` is NULL. Their number. */
static int push_captures(struct match *m, const char *from, const char *until)
{
    int n = m->level == 0 && from ? 1 : m->level;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++) push_capture(m, i, from, until);
    return n;
}

static const char *begin(struct match *m, lua_State *L, int text, int pattern)
{
    size_t n, k;
    memset(m, 0, offsetof(struct match, captures));
    m->L = L;
    m->text = luaL_checklstring(L, text, &n);
    m->text_end = m->text + n;
    const char *p = luaL_checklstring(L, pattern, &k);
    m->pattern_end = p + k;
    return p;
}

/* ---- find and match ---- */

static int is_plain(const char *p, const char *end)
{
    for (; p < end; p++)
        if (*p && strchr("^$*+?.([%-", *p)) return 0;
    return 1;
}

/* Where [p, end) stands in the text from `at` on; NULL: nowhere. */
static const char *find_plain(struct match *m, const char *at, const char *p, const char *end)
{
    size_t n = (size_t)(end - p);
    if (n == 0) return at;
    while ((size_t)(m->text_end - at) >= n) {
        const char *found = memchr(at, *p, (size_t)(m->text_end - at) - n + 1);
        size_t equal = 1;
        if (!found) break;
        while (equal < n && found[equal] == p[equal]) equal++;
        match_charge(m, (size_t)(found - at) / BYTES + equal);
        if (equal == n) return found;
        at = found + 1;
    }
    match_charge(m, (size_t)(m->text_end - at) / BYTES);
    return NULL;
}

static const char *from_argument(lua_State *L, const struct match *m, int index)
{
    double length = (double)(m->text_end - m->text), from = luaL_optnumber(L, index, 1);
    if (from < 0) from += length;
    else from -= 1;
    if (!(from > 0)) from = 0;
    return m->text + (from < length ? (size_t)from : (size_t)length);
}

static int push_found(struct match *m, const char *from, const char *until)
{
    lua_pushnumber(m->L, (double)(from - m->text + 1));
    lua_pushnumber(m->L, (double)(until - m->text));
    return 2;
}

static int search(lua_State *L, int find)
{
    struct match m;
    const char *p = begin(&m, L, 1, 2), *at = from_argument(L, &m, 3);
    if (find && (lua_toboolean(L, 4) || is_plain(p, m.pattern_end))) {
        at = find_plain(&m, at, p, m.pattern_end);
        if (at) return push_found(&m, at, at + (m.pattern_end - p));
        lua_pushnil(L);
        return 1;
    }
    int anchored = p < m.pattern_end && *p == '^';
    p += anchored;
    do {
        const char *until = match_at(&m, at, p);
        if (!until) continue;
        match_charge(&m, 0);
        if (!find) return push_captures(&m, at, until);
        return push_found(&m, at, until) + push_captures(&m, NULL, NULL);
    } while (at++ < m.text_end && !anchored);
    match_charge(&m, 0);
    lua_pushnil(L);
    return 1;
}

static int find(lua_State *L)
{
    return search(L, 1);
}

static int match(lua_State *L)
{
    return search(L, 0);
}

/* Upvalues: text, pattern, where to go on. */
static int next_match(lua_State *L)
{
    struct match m;
    const char *p = begin(&m, L, lua_upvalueindex(1), lua_upvalueindex(2));
    const char *at = m.text + (size_t)lua_tonumber(L, lua_upvalueindex(3));
    for (; at <= m.text_end; at++) {
        const char *until = match_at(&m, at, p);
        if (!until) continue;
        match_charge(&m, 0);
        lua_pushnumber(L, (double)(until - m.text + (until == at))); /* an empty one: go on */
        lua_replace(L, lua_upvalueindex(3));
        return push_captures(&m, at, until);
    }
    match_charge(&m, 0);
    return 0;
}

static int gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushnumber(L, 0);
    lua_pushcclosure(L, next_match, 3);
    return 1;
}

/* ---- gsub ---- */

/* The text in place of a match, with its %0 to %9. */
static void add_text(struct match *m, luaL_Buffer *out, const char *from, const char *until)
{
    size_t n;
    const char *text = lua_tolstring(m->L, 3, &n);
    match_charge(m, n / BYTES);
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        i++; /* behind the last byte stands a 0 */
        if (i >= n || text[i] < '0' || text[i] > '9') {
            luaL_addchar(out, text[i]);
        } else if (text[i] == '0') {
            luaL_addlstring(out, from, (size_t)(until - from));
        } else {
            push_capture(m, text[i] - '1', from, until);
            luaL_addvalue(out);
        }
    }
}

/* What a table has for the first capture, or a function gives for all: text, or the match itself. */
static void add_value(struct match *m, luaL_Buffer *out, const char *from, const char *until)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TNUMBER || type == LUA_TSTRING) {
        add_text(m, out, from, until);
        return;
    }
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, from, until), 1);
    } else {
        push_capture(m, 0, from, until);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, from, (size_t)(until - from));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

static int gsub(lua_State *L)
{
    struct match m;
    luaL_Buffer out;
    const char *p = begin(&m, L, 1, 2), *at = m.text;
    int type = lua_type(L, 3), n = 0;
    int most = luaL_optint(L, 4, m.text_end - m.text < INT32_MAX ? (int)(m.text_end - m.text) + 1
                                                                  : INT32_MAX);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
        luaL_argerror(L, 3, "string/function/table expected");
    int anchored = p < m.pattern_end && *p == '^';
    p += anchored;
    luaL_buffinit(L, &out);
    while (n < most) {
        const char *until = match_at(&m, at, p);
        if (until) {
            n++;
            match_charge(&m, 0);
            add_value(&m, &out, at, until);
        }
        if (until && until > at) at = until;
        else if (at < m.text_end) luaL_addchar(&out, *at++);
        else break;
        if (anchored) break;
    }
    match_charge(&m, (size_t)(m.text_end - at) / BYTES);
    luaL_addlstring(&out, at, (size_t)(m.text_end - at));
    luaL_pushresult(&out);
    lua_pushnumber(L, n);
    return 2;
}

/* ---- charged ---- */

/* Upvalue 1: the library's own function, called with the same arguments. */
static int go_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int whole_text(lua_State *L)
{
    size_t n;
    luaL_checklstring(L, 1, &n);
    vm_charge(L, n / BYTES);
    return go_on(L);
}

static int rep(lua_State *L)
{
    size_t n;
    luaL_checklstring(L, 1, &n);
    double bytes = (double)n * luaL_checknumber(L, 2);
    if (bytes > 0 && bytes < (double)vm_of(L)->limit_bytes) /* more is refused at once */
        vm_charge(L, (size_t)bytes / BYTES);
    return go_on(L);
}

static int shift(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_objlen(L, 1);
    double at = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : (double)n;
    if (lua_gettop(L) > 2 && at < 1) at = 1;
    if (at >= 0 && at < (double)n) vm_charge(L, n - (size_t)at);
    return go_on(L);
}

/* insert(t, value) shifts nothing, whatever the value is. */
static int insert(lua_State *L)
{
    if (lua_gettop(L) == 3) return shift(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    return go_on(L);
}

static int sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_objlen(L, 1), steps = n;
    for (size_t k = n; k > 1; k /= 2) steps += n;
    vm_charge(L, steps);
    return go_on(L);
}

static int concat(lua_State *L)
{
    size_t n = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    vm_charge(L, lua_objlen(L, 1));
    int results = go_on(L);
    lua_tolstring(L, -1, &n);
    vm_charge(L, n / BYTES);
    return results;
}

/* ---- the libraries ---- */

/* Puts `f` in place of the member `name`, which becomes its upvalue. */
static void charge(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

void texts_open(lua_State *L)
{
    static const struct luaL_Reg own[] = { { "find", find },     { "match", match },
                                           { "gmatch", gmatch }, { "gfind", gmatch },
                                           { "gsub", gsub },     { NULL, NULL } };
    for (const struct luaL_Reg *f = own; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    charge(L, "rep", rep);
    charge(L, "upper", whole_text);
    charge(L, "lower", whole_text);
    charge(L, "reverse", whole_text);
}

void tables_open(lua_State *L)
{
    charge(L, "insert", insert);
    charge(L, "remove", shift);
    charge(L, "sort", sort);
    charge(L, "concat", concat);
}
