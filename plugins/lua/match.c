/*
 * match.c - the matcher behind find, match, gmatch and gsub.
 *
 * The same patterns as Lua 5.1's (the algorithm is that of its lstrlib.c, MIT, R. Ierusalimschy):
 * a backtracking match over items, each a class and perhaps a repetition, which goes on in a loop
 * for the rest of the pattern and calls itself where there is a choice. With k repetitions in a
 * row it may take |text|^k steps. The library counts all of them as one instruction; here each
 * look at a character is one, so a pattern that blows up ends at the limit of the call.
 *
 * Classes are those of ASCII, whatever the locale is.
 */
#include "plugins/lua/match.h"

#include <lauxlib.h>
#include <string.h>

#include "plugins/lua/vm.h"

#define DEPTH_MAX 200 /* choices within each other */
#define OPEN (-1)     /* length of a capture that has not ended */
#define STEPS 4096    /* charged at once */

static const char *rest(struct match *m, const char *at, const char *p);

void match_charge(struct match *m, size_t steps)
{
    steps += (size_t)m->steps;
    m->steps = 0;
    vm_charge(m->L, steps);
}

static void count(struct match *m, size_t steps)
{
    if (steps < STEPS && m->steps + (int)steps < STEPS) m->steps += (int)steps;
    else match_charge(m, steps);
}

/* ---- classes ---- */

static int is_lower(int c) { return c >= 'a' && c <= 'z'; }
static int is_upper(int c) { return c >= 'A' && c <= 'Z'; }
static int is_digit(int c) { return c >= '0' && c <= '9'; }
static int is_alnum(int c) { return is_lower(c) || is_upper(c) || is_digit(c); }
static int is_graph(int c) { return c > 0x20 && c < 0x7f; }

static int in_class(int c, int class)
{
    int found;
    switch (class | 0x20) {
    case 'a': found = is_lower(c) || is_upper(c); break;
    case 'c': found = c < 0x20 || c == 0x7f; break;
    case 'd': found = is_digit(c); break;
    case 'g': found = is_graph(c); break;
    case 'l': found = is_lower(c); break;
    case 'p': found = is_graph(c) && !is_alnum(c); break;
    case 's': found = c == ' ' || (c >= '\t' && c <= '\r'); break;
    case 'u': found = is_upper(c); break;
    case 'w': found = is_alnum(c); break;
    case 'x': found = is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); break;
    case 'z': found = c == 0; break;
    default: return class == c;
    }
    return is_upper(class) ? !found : found;
}

/* Behind the class (not its repetition) at p. */
static const char *class_end(struct match *m, const char *p)
{
    const char *begin = p;
    int c = *p++;
    if (c == '%') {
        if (p >= m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (c != '[') return p;
    if (p < m->pattern_end && *p == '^') p++;
    do { /* a ] at once is one of the set */
        if (p >= m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        c = *p++;
        if (c == '%' && p < m->pattern_end) p++;
    } while (p >= m->pattern_end || *p != ']');
    count(m, (size_t)(p - begin));
    return p + 1;
}

/* The set [p, end]: p is at [, end at ]. */
static int in_set(int c, const char *p, const char *end)
{
    int found = 1;
    if (p[1] == '^') {
        found = 0;
        p++;
    }
    while (++p < end) {
        if (*p == '%') {
            p++;
            if (in_class(c, (unsigned char)*p)) return found;
        } else if (p[1] == '-' && p + 2 < end) {
            p += 2;
            if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p) return found;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

/* Whether the class [p, end) takes the character at `at`. */
static int takes(struct match *m, const char *at, const char *p, const char *end)
{
    int c;
    count(m, (size_t)(end - p));
    if (at >= m->text_end) return 0;
    c = (unsigned char)*at;
    switch (*p) {
    case '.': return 1;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(c, p, end - 1);
    default: return (unsigned char)*p == c;
    }
}

/* ---- repetitions: p is the class, end behind it at the sign ---- */

static const char *as_many(struct match *m, const char *at, const char *p, const char *end)
{
    ptrdiff_t n = 0;
    while (takes(m, at + n, p, end)) n++;
    for (; n >= 0; n--) {
        const char *found = rest(m, at + n, end + 1);
        if (found) return found;
    }
    return NULL;
}

static const char *as_few(struct match *m, const char *at, const char *p, const char *end)
{
    for (;; at++) {
        const char *found = rest(m, at, end + 1);
        if (found) return found;
        if (!takes(m, at, p, end)) return NULL;
    }
}

/* ---- captures ---- */

static const char *begin_capture(struct match *m, const char *at, const char *p, ptrdiff_t length)
{
    const char *found;
    if (m->level >= MATCH_CAPTURES) luaL_error(m->L, "too many captures");
    m->captures[m->level].at = at;
    m->captures[m->level].length = length;
    m->level++;
    found = rest(m, at, p);
    if (!found) m->level--;
    return found;
}

static const char *end_capture(struct match *m, const char *at, const char *p)
{
    const char *found;
    int i = m->level - 1;
    while (i >= 0 && m->captures[i].length != OPEN) i--;
    if (i < 0) luaL_error(m->L, "invalid pattern capture");
    m->captures[i].length = at - m->captures[i].at;
    found = rest(m, at, p);
    if (!found) m->captures[i].length = OPEN;
    return found;
}

/* %1: the text of a capture once more; behind it, or NULL. */
static const char *again(struct match *m, const char *at, int digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->level || m->captures[i].length == OPEN)
        luaL_error(m->L, "invalid capture index");
    if (m->captures[i].length == MATCH_POSITION) return NULL;
    size_t n = (size_t)m->captures[i].length;
    count(m, n / 16);
    if ((size_t)(m->text_end - at) < n || memcmp(m->captures[i].at, at, n) != 0) return NULL;
    return at + n;
}

/* %bxy: from an x to the y that belongs to it; p is at x. */
static const char *balanced(struct match *m, const char *at, const char *p)
{
    int open, close, depth = 1;
    if (p + 1 >= m->pattern_end) luaL_error(m->L, "unbalanced pattern");
    open = p[0];
    close = p[1];
    if (at >= m->text_end || *at != open) return NULL;
    while (++at < m->text_end) {
        count(m, 1);
        if (*at == close) {
            if (--depth == 0) return at + 1;
        } else if (*at == open) {
            depth++;
        }
    }
    return NULL;
}

/* %f[set]: whether the set begins here; p is at the [. */
static int frontier(struct match *m, const char *at, const char *p, const char **end)
{
    int before = at == m->text ? 0 : (unsigned char)at[-1];
    int here = at < m->text_end ? (unsigned char)*at : 0;
    if (p >= m->pattern_end || *p != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    *end = class_end(m, p);
    return !in_set(before, p, *end - 1) && in_set(here, p, *end - 1);
}

/* ---- the pattern from p on ---- */

/* %1, %b, %f: 1 if it was one of them; then *at is behind it, or NULL, and *p too. */
static int special(struct match *m, const char **at, const char **p)
{
    const char *next = *p + 2;
    if (next > m->pattern_end || **p != '%') return 0;
    int c = (unsigned char)(*p)[1];
    if (is_digit(c)) {
        *at = again(m, *at, c);
    } else if (c == 'b') {
        *at = balanced(m, *at, next);
        next += 2;
    } else if (c == 'f') {
        if (!frontier(m, *at, next, &next)) *at = NULL;
    } else {
        return 0;
    }
    *p = next;
    return 1;
}

static const char *walk(struct match *m, const char *at, const char *p)
{
    while (at && p < m->pattern_end) {
        count(m, 1);
        if (*p == '(' && p + 1 < m->pattern_end && p[1] == ')')
            return begin_capture(m, at, p + 2, MATCH_POSITION);
        if (*p == '(') return begin_capture(m, at, p + 1, OPEN);
        if (*p == ')') return end_capture(m, at, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end) return at == m->text_end ? at : NULL;
        if (special(m, &at, &p)) continue;
        const char *end = class_end(m, p);
        int sign = end < m->pattern_end ? *end : 0;
        if (sign == '*') return as_many(m, at, p, end);
        if (sign == '-') return as_few(m, at, p, end);
        if (sign == '+') return takes(m, at, p, end) ? as_many(m, at + 1, p, end) : NULL;
        if (sign == '?') {
            const char *found = takes(m, at, p, end) ? rest(m, at + 1, end + 1) : NULL;
            if (found) return found;
            p = end + 1;
            continue;
        }
        if (!takes(m, at, p, end)) return NULL;
        at++;
        p = end;
    }
    return at;
}

static const char *rest(struct match *m, const char *at, const char *p)
{
    const char *found;
    if (++m->depth > DEPTH_MAX) luaL_error(m->L, "pattern too complex");
    found = walk(m, at, p);
    m->depth--;
    return found;
}

const char *match_at(struct match *m, const char *at, const char *pattern)
{
    m->level = 0;
    m->depth = 0;
    return rest(m, at, pattern);
}
