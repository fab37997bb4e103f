/*
 * substitute.c - ${VAR}, ${file:path} and $$ in the strings of a job.
 *
 *  1. It works on parsed values, so what is put in can't end a string or add a key.
 *  2. Keys are left alone, and what was put in is not looked at again.
 *  3. `$$` is a dollar, and so is a `$` before anything but `{`: expressions and patterns need no
 *     escapes.
 *  4. A string that is one reference and nothing else is read by the type of its option ("9999" for
 *     a port).
 *  5. The text of a file loses its final line break; secrets are files with one.
 *  6. No message shows what was put in.
 */
#include "core/job/substitute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (1u << 20)
#define STRING_LIMIT (16u << 20)
#define PATH_LIMIT 4096u

struct substitution {
    struct weir_sys *sys;
    struct places *places;
    struct report *report;
    char *path; /* of the value at hand, PATH_LIMIT bytes */
    size_t total;
    int no_memory;
};

struct text {
    char *bytes;
    size_t n, capacity;
};

static int text_add(struct substitution *s, struct text *text, const char *bytes, size_t n)
{
    if (text->n + n + 1 > text->capacity) {
        size_t capacity = (text->n + n + 1) * 2;
        char *grown = realloc(text->bytes, capacity);
        if (!grown) {
            s->no_memory = 1;
            return 0;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    text->bytes[text->n] = 0;
    return 1;
}

static uint32_t code_points(const char *text, const char *end)
{
    uint32_t n = 0;
    for (; text < end; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int is_name(const char *name)
{
    if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') || *name == '_'))
        return 0;
    while (*++name)
        if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') ||
              (*name >= '0' && *name <= '9') || *name == '_'))
            return 0;
    return 1;
}

static int wrong(struct substitution *s, uint32_t offset, const char *format, const char *name)
{
    char text[512];
    snprintf(text, sizeof text, format, name);
    report_add(s->report, REPORT_ERROR, places_value(s->places, s->path, (int32_t)offset), s->path,
               "%s", text);
    return 0;
}

/* json_string checks that a text is UTF-8. */
static int is_text(const char *bytes, size_t n)
{
    json_t *probe = memchr(bytes, 0, n) ? NULL : json_stringn(bytes, n);
    json_decref(probe);
    return probe != NULL;
}

static int add_file(struct substitution *s, struct text *out, const char *path, uint32_t offset)
{
    char *bytes = NULL;
    size_t n = 0;
    if (!*path) return wrong(s, offset, "${file:} names no file: write ${file:path}%s", "");
    int result = sys_read_file(s->sys, path, FILE_LIMIT, &bytes, &n);
    if (result == -EFBIG)
        return wrong(s, offset, "the file \"%.200s\" is larger than 1 MiB: name another one", path);
    if (result == -ESPIPE)
        return wrong(s, offset, "\"%.200s\" is a pipe or a device: name a plain file", path);
    if (result < 0) {
        char text[400];
        snprintf(text, sizeof text, "the file \"%.200s\" can't be read: %s", path,
                 strerror(-result));
        return wrong(s, offset, "%s", text);
    }
    if (n > 0 && bytes[n - 1] == '\n') n--;
    if (n > 0 && bytes[n - 1] == '\r') n--;
    int ok = is_text(bytes, n) ||
             wrong(s, offset, "the file \"%.200s\" is no UTF-8 text without NUL", path);
    ok = ok && text_add(s, out, bytes, n);
    free(bytes);
    return ok;
}

/* The reference `name`, which is what stood between the braces. */
static int add_reference(struct substitution *s, struct text *out, const char *name,
                         uint32_t offset)
{
    if (strncmp(name, "file:", 5) == 0) return add_file(s, out, name + 5, offset);
    if (!is_name(name))
        return wrong(s, offset,
                     "\"%.200s\" is no name of a variable: write ${NAME}, ${file:path}, or $${ for "
                     "the two signs themselves", name);
    const char *value = getenv(name);
    if (!value)
        return wrong(s, offset,
                     "the environment has no variable \"%.200s\": set it before the start", name);
    if (!is_text(value, strlen(value)))
        return wrong(s, offset, "the variable \"%.200s\" is no UTF-8 text", name);
    return text_add(s, out, value, strlen(value));
}

/* The text with its references replaced; *whole: it was one reference. */
static int replace(struct substitution *s, const char *text, struct text *out, int *whole)
{
    const char *p = text;
    int good = text_add(s, out, "", 0);
    *whole = 0;
    for (const char *at; (at = strchr(p, '$')) != NULL && !s->no_memory;) {
        const char *close = at[1] == '{' ? strchr(at, '}') : NULL;
        uint32_t offset = code_points(text, at);
        if (!text_add(s, out, p, (size_t)(at - p))) return 0;
        if (at[1] != '{') {
            if (at[1] == '$') places_mark_changed(s->places, s->path, offset);
            if (!text_add(s, out, "$", 1)) return 0;
            p = at + (at[1] == '$' ? 2 : 1);
            continue;
        }
        if (!close)
            return wrong(s, offset, "\"${\" has no \"}\": close it, or write $${%s", "");
        char *name = strndup(at + 2, (size_t)(close - at - 2));
        if (!name) {
            s->no_memory = 1;
            return 0;
        }
        if (!add_reference(s, out, name, offset)) good = 0;
        free(name);
        places_mark_changed(s->places, s->path, offset);
        *whole = at == text && close[1] == 0;
        p = close + 1;
    }
    return good && text_add(s, out, p, strlen(p));
}

static json_t *replaced(struct substitution *s, const json_t *value)
{
    struct text out = { 0 };
    int whole;
    json_t *result = NULL;
    if (!strchr(json_string_value(value), '$')) return NULL;
    if (replace(s, json_string_value(value), &out, &whole)) {
        s->total += out.n;
        if (s->total > STRING_LIMIT)
            wrong(s, 0, "the references bring more than 16 MiB into the job: name fewer%s", "");
        else if (!(result = json_stringn(out.bytes, out.n)))
            s->no_memory = 1;
        if (result && whole) places_mark_text(s->places, s->path);
    }
    free(out.bytes);
    return result;
}

static void walk(struct substitution *s, json_t *value);

static void walk_member(struct substitution *s, json_t *parent, const char *key, size_t index,
                        json_t *value)
{
    size_t n = strlen(s->path);
    if (key) snprintf(s->path + n, PATH_LIMIT - n, "%s%s", n ? "." : "", key);
    else snprintf(s->path + n, PATH_LIMIT - n, ".%zu", index);
    json_t *now = json_is_string(value) ? replaced(s, value) : NULL;
    int failed = 0;
    if (now && key) failed = json_object_set_new(parent, key, now);
    else if (now) failed = json_array_set_new(parent, index, now);
    else walk(s, value);
    s->no_memory |= failed != 0;
    s->path[n] = 0;
}

/* The tree is no deeper than the scanner allows. */
static void walk(struct substitution *s, json_t *value)
{
    if (json_is_object(value)) {
        for (void *at = json_object_iter(value); at && !s->no_memory;
             at = json_object_iter_next(value, at))
            walk_member(s, value, json_object_iter_key(at), 0, json_object_iter_value(at));
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value) && !s->no_memory; i++)
            walk_member(s, value, NULL, i, json_array_get(value, i));
    }
}

int substitute(json_t *tree, struct weir_sys *sys, struct places *places, struct report *report)
{
    struct substitution s = { sys, places, report, calloc(1, PATH_LIMIT), 0, 0 };
    if (!s.path) return -1;
    walk(&s, tree);
    free(s.path);
    return s.no_memory ? -1 : 0;
}
