/*
 * json_path.c - get_json and json_value: one value out of a JSON text.
 *
 * A path is `$`, then `.name`, `['name']` or `[n]` any number of times. One pass over the text finds
 * the value and checks all of it (RFC 8259), so a text that is no JSON gives null whatever the path.
 * Of members of one name the last counts. Nesting deeper than 64 is no JSON here, as in the format.
 */
#include "functions.h"

#define DEPTH_MAX 64

struct step {
    const uint8_t *name; /* NULL: an index */
    uint64_t length, index;
};

struct path {
    uint32_t n;
    struct step steps[DEPTH_MAX];
};

/* ---- paths ---- */

static int read_index(const uint8_t **p, const uint8_t *end, struct step *step)
{
    const uint8_t *from = *p;
    for (; *p < end && **p >= '0' && **p <= '9' && *p - from < 10; ++*p)
        step->index = step->index * 10 + (uint64_t)(**p - '0');
    return *p > from && *p < end && *(*p)++ == ']';
}

static int read_quoted(const uint8_t **p, const uint8_t *end, struct step *step)
{
    const uint8_t quote = *(*p)++, *from = *p;
    while (*p < end && **p != quote) ++*p;
    step->name = from;
    step->length = (uint64_t)(*p - from);
    if (end - *p < 2 || (*p)[1] != ']') return 0;
    *p += 2;
    return 1;
}

static int read_path(struct weir_bytes text, struct path *path)
{
    const uint8_t *p = text.data, *end = text.data + text.length;
    path->n = 0;
    if (p == end || *p++ != '$') return 0;
    while (p < end) {
        struct step *step = &path->steps[path->n];
        memset(step, 0, sizeof *step);
        if (++path->n == DEPTH_MAX) return 0;
        if (*p == '.') {
            step->name = ++p;
            while (p < end && *p != '.' && *p != '[') p++;
            step->length = (uint64_t)(p - step->name);
            if (step->length == 0) return 0;
        } else if (*p++ != '[' || p == end) {
            return 0;
        } else if (!(*p == '\'' || *p == '"' ? read_quoted(&p, end, step)
                                             : read_index(&p, end, step))) {
            return 0;
        }
    }
    return 1;
}

/* ---- texts ---- */

struct json {
    const uint8_t *p, *end;
    const struct path *path;
    const uint8_t *found, *found_end; /* the value; NULL: none so far */
    int bad;
};

static uint8_t next(const struct json *j) { return j->p < j->end ? *j->p : 0; }

static void space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
}

static void need(struct json *j, const char *word)
{
    for (; *word && !j->bad; word++) {
        if (next(j) != (uint8_t)*word) j->bad = 1;
        else j->p++;
    }
}

static uint32_t digits(struct json *j)
{
    const uint8_t *from = j->p;
    while (next(j) >= '0' && next(j) <= '9') j->p++;
    if (j->p == from) j->bad = 1;
    return (uint32_t)(j->p - from);
}

static void number(struct json *j)
{
    if (next(j) == '-') j->p++;
    const uint8_t first = next(j);
    if (digits(j) > 1 && first == '0') j->bad = 1;
    if (next(j) == '.') {
        j->p++;
        digits(j);
    }
    if ((next(j) | 32) == 'e') {
        j->p++;
        if (next(j) == '+' || next(j) == '-') j->p++;
        digits(j);
    }
}

static uint32_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0');
    c |= 32;
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10) : 16;
}

/* The code unit of \uXXXX, p at the u; UINT32_MAX if it is none. */
static uint32_t unit(const uint8_t *p, const uint8_t *end)
{
    uint32_t value = 0;
    if (end - p < 5 || *p != 'u') return UINT32_MAX;
    for (int i = 1; i <= 4; i++) {
        if (hex_digit(p[i]) > 15) return UINT32_MAX;
        value = value << 4 | hex_digit(p[i]);
    }
    return value;
}

/* One escape, p behind the backslash, as UTF-8 into `to`: bytes written, 0 if it is none. */
static uint32_t escape(const uint8_t **p, const uint8_t *end, uint8_t to[4])
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *at = *p < end && **p ? strchr(from, **p) : NULL;
    uint32_t point;
    if (at) {
        to[0] = (uint8_t)into[at - from];
        ++*p;
        return 1;
    }
    point = unit(*p, end);
    if (point == UINT32_MAX || (point >= 0xdc00 && point < 0xe000)) return 0;
    *p += 5;
    if (point >= 0xd800 && point < 0xdc00) {
        uint32_t low = end - *p > 5 && **p == '\\' ? unit(*p + 1, end) : UINT32_MAX;
        if (low < 0xdc00 || low >= 0xe000) return 0;
        *p += 6;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (point < 0x80) return to[0] = (uint8_t)point, 1;
    if (point < 0x800)
        return to[0] = (uint8_t)(0xc0 | point >> 6), to[1] = (uint8_t)(0x80 | (point & 63)), 2;
    uint32_t n = point < 0x10000 ? 3 : 4;
    for (uint32_t i = n - 1; i > 0; i--, point >>= 6) to[i] = (uint8_t)(0x80 | (point & 63));
    to[0] = (uint8_t)((n == 3 ? 0xe0 : 0xf0) | point);
    return n;
}

/* A string at the quote; *same says whether its value is `name` (NULL: not asked). */
static void string(struct json *j, const struct step *step, int *same)
{
    uint64_t at = 0;
    int equal = step != NULL;
    if (next(j) != '"') {
        j->bad = 1;
        return;
    }
    for (j->p++; !j->bad && next(j) != '"';) {
        uint8_t bytes[4] = { next(j) };
        uint32_t n = 1;
        if (j->p >= j->end || bytes[0] < 0x20) {
            j->bad = 1;
        } else if (*j->p++ == '\\') {
            n = escape(&j->p, j->end, bytes);
            if (n == 0) j->bad = 1;
        }
        if (!equal) continue;
        if (at + n > step->length || memcmp(step->name + at, bytes, n) != 0) equal = 0;
        else at += n;
    }
    j->p++;
    if (same) *same = equal && at == step->length;
}

static void value(struct json *j, uint32_t step, uint32_t depth);

/* A member or an item: on the path where `here`. */
static void child(struct json *j, int here, uint32_t step, uint32_t depth)
{
    if (here) j->found = NULL; /* what a member of the same name had before is gone */
    value(j, here ? step + 1 : UINT32_MAX, depth + 1);
}

static void object(struct json *j, uint32_t step, uint32_t depth)
{
    const struct step *wanted = step < j->path->n ? &j->path->steps[step] : NULL;
    if (wanted && !wanted->name) wanted = NULL;
    j->p++;
    space(j);
    if (next(j) == '}') {
        j->p++;
        return;
    }
    while (!j->bad) {
        int here = 0;
        space(j);
        string(j, wanted, &here);
        space(j);
        need(j, ":");
        child(j, here, step, depth);
        if (next(j) != ',') break;
        j->p++;
    }
    need(j, "}");
}

static void list(struct json *j, uint32_t step, uint32_t depth)
{
    const struct step *wanted = step < j->path->n ? &j->path->steps[step] : NULL;
    if (wanted && wanted->name) wanted = NULL;
    j->p++;
    space(j);
    if (next(j) == ']') {
        j->p++;
        return;
    }
    for (uint64_t i = 0; !j->bad; i++) {
        child(j, wanted && i == wanted->index, step, depth);
        if (next(j) != ',') break;
        j->p++;
    }
    need(j, "]");
}

/* A value with the space around it; `step` of the path are behind it (UINT32_MAX: it is off). */
static void value(struct json *j, uint32_t step, uint32_t depth)
{
    const uint8_t *from;
    if (j->bad) return;
    space(j);
    from = j->p;
    if (depth >= DEPTH_MAX && (next(j) == '{' || next(j) == '[')) j->bad = 1;
    if (j->bad) return;
    switch (next(j)) {
    case '{': object(j, step, depth); break;
    case '[': list(j, step, depth); break;
    case '"': string(j, NULL, NULL); break;
    case 't': need(j, "true"); break;
    case 'f': need(j, "false"); break;
    case 'n': need(j, "null"); break;
    default: number(j);
    }
    if (step == j->path->n) {
        j->found = from;
        j->found_end = j->p;
    }
    space(j);
}

/* The value at the path as a piece of the text; data NULL: none. */
static struct weir_bytes find(struct weir_bytes text, const struct path *path)
{
    struct json j = { .p = text.data, .end = text.data + text.length, .path = path };
    value(&j, 0, 0);
    if (j.bad || j.p != j.end || !j.found) return (struct weir_bytes){ NULL, 0 };
    return (struct weir_bytes){ j.found, (uint64_t)(j.found_end - j.found) };
}

static void add_string(struct text_writer *w, struct weir_bytes quoted)
{
    const uint8_t *p = quoted.data + 1, *end = quoted.data + quoted.length - 1;
    while (p < end) {
        const uint8_t *plain = p;
        uint8_t bytes[4];
        while (p < end && *p != '\\') p++;
        writer_add(w, plain, (uint64_t)(p - plain));
        if (p == end) break;
        p++;
        uint32_t n = escape(&p, end, bytes);
        writer_add(w, bytes, n);
    }
}

/* ---- functions ---- */

struct path_bound {
    struct bound base;
    struct path path; /* of a literal, whose text `text` is */
    int constant;
    uint8_t text[];
};

static int32_t bind_path(const struct weir_host *host, const char *name,
                         const struct weir_argument *args, uint32_t n_args,
                         struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    const int constant = n_args > 1 && is_literal(&args[1]) &&
                         argument_type(args[1].schema) == WEIR_TYPE_UTF8;
    struct weir_bytes text = { NULL, 0 };
    struct path_bound *b;
    if (constant) text = weir_get_bytes(args[1].value, 0);
    int32_t rc = bind_as(host, name, "tt", WEIR_TYPE_UTF8, sizeof *b + text.length, args, n_args,
                         schema, bound, error);
    if (rc || !constant) return rc;
    b = *bound;
    b->constant = 1;
    if (text.length) memcpy(b->text, text.data, text.length);
    if (read_path((struct weir_bytes){ b->text, text.length }, &b->path)) return WEIR_OK;
    free_bound(b);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "the path is not like $.a.b[0]");
}

static int32_t eval_path(const struct weir_host *host, const struct path_bound *b, int scalar,
                         const struct weir_call *call, struct ArrowArray *out,
                         struct weir_error *error)
{
    struct text_writer w;
    struct path path;
    writer_begin(&w, host, &b->base, call);
    EACH_ROW
    {
        struct weir_bytes found;
        writer_row(&w, row);
        if (!b->constant && !read_path(arg_text(call, 1, row), &path)) {
            row_fail(call, row, "the path is not like $.a.b[0]");
            continue;
        }
        found = find(arg_text(call, 0, row), b->constant ? &b->path : &path);
        if (!found.data || (scalar && strchr("{[n", found.data[0]))) writer_null(&w, row);
        else if (scalar && found.data[0] == '"') add_string(&w, found);
        else writer_add(&w, found.data, found.length);
    }
    return writer_end(&w, out, error);
}

#define PATH_FUNCTION(name, scalar)                                                                \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)                                           \
    {                                                                                              \
        return bind_path(host, #name, args, n_args, schema, bound, error);                         \
    }                                                                                              \
    static int32_t name##_eval(const struct weir_host *host, void *bound,                          \
                               const struct weir_call *call, struct ArrowArray *out,               \
                               struct weir_error *error)                                           \
    {                                                                                              \
        return eval_path(host, bound, scalar, call, out, error);                                   \
    }                                                                                              \
    SCALAR_TABLE(name, free_bound)

PATH_FUNCTION(get_json, 0)
PATH_FUNCTION(json_value, 1)
