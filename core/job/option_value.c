/*
 * option_value.c - the value of an option as its type wants it.
 *
 * A value comes as JSON from a job file, or as text (a word of the command line, a string that was
 * one reference, the default in a table). Text is brought into the form that a job file would have:
 *
 *     bool, int, float     the literal                 on_done=true, port=9999
 *     list, exprs          pieces between commas outside of brackets and quotes, or JSON
 *     map, rows            JSON
 *     json                 JSON; what is none is a string
 *     everything else      the text itself
 *
 * Items of EXPRS are "expression as name", cut at the last ` as ` outside of brackets and quotes,
 * or a map from name to expression. Without a name the name is the last part of a column ("i.ad"
 * gives ad), or the text of the expression. An expression keeps its first byte, so that offsets
 * into it are offsets into the item.
 */
#include "core/job/option_value.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXPRS_MAX 10000u

void option_value_fini(struct option_value *value)
{
    for (uint32_t i = 0; i < value->n_items; i++) {
        free(value->items[i].key);
        free(value->items[i].text);
        free(value->items[i].path);
    }
    free(value->items);
    free(value->text);
    free(value->path);
    value->items = NULL;
    value->text = value->path = NULL;
    value->n_items = value->capacity = 0;
}

void option_path(const struct option_reader *reader, const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", reader->prefix, reader->prefix[0] && path[0] ? "." : "", path);
}

int option_wrong(struct option_reader *reader, const char *path, int32_t offset, const char *format,
                 ...)
{
    char full[512], text[768];
    va_list args;
    option_path(reader, path, full, sizeof full);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report_add(reader->report, REPORT_ERROR, job_place(reader->job, full, offset), full, "%s",
               text);
    return 0;
}

static int no_memory(struct option_reader *reader)
{
    reader->no_memory = 1;
    return 0;
}

static const char *path_of(const struct option_value *value)
{
    return value->path ? value->path : value->option->name;
}

/* What a value of a type looks like in a job file. */
static const char *wanted(uint32_t type)
{
    switch (type) {
    case WEIR_OPTION_BOOL: return "true or false";
    case WEIR_OPTION_INT: return "a whole number";
    case WEIR_OPTION_FLOAT: return "a number";
    case WEIR_OPTION_DURATION: return "a duration in quotes, like \"10s\"";
    case WEIR_OPTION_SIZE: return "a number of bytes, or a size in quotes like \"64Mi\"";
    case WEIR_OPTION_COLUMN: return "the name of one column in quotes";
    case WEIR_OPTION_EXPR: return "an expression in quotes";
    case WEIR_OPTION_COLUMNS:
        return "columns with their types in quotes, like \"user string, n int64\"";
    case WEIR_OPTION_LIST: return "a list of texts";
    case WEIR_OPTION_MAP: return "an object of texts";
    case WEIR_OPTION_EXPRS:
        return "a list of \"expression as name\", or an object {name: expression}";
    case WEIR_OPTION_ROWS: return "a list";
    default: return "a text in quotes";
    }
}

static int wrong_type(struct option_reader *reader, const struct option_value *value,
                      const char *path, const json_t *json)
{
    if (json_is_null(json))
        return option_wrong(reader, path, -1, "null is no value: leave the option out instead");
    if (value->option->type == WEIR_OPTION_DURATION && json_is_number(json))
        return option_wrong(reader, path, -1,
                            "a duration needs a unit: ms, s, m, h or d in quotes, like \"10s\"");
    return option_wrong(reader, path, -1, "must be %s", wanted(value->option->type));
}

/* ---- plain values ---- */

/* `text` NULL: the value was no text. */
static int read_choice(struct option_reader *reader, struct option_value *value, const char *text)
{
    const char *names[32];
    char choices[512], list[640] = "";
    uint32_t n = 0;
    snprintf(choices, sizeof choices, "%s", value->option->choices ? value->option->choices : "");
    for (char *save, *p = strtok_r(choices, "|", &save); p && n < 32;
         p = strtok_r(NULL, "|", &save)) {
        size_t at = strlen(list);
        if (text && strcmp(p, text) == 0) return 1;
        names[n++] = p;
        snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", p);
    }
    const char *nearest = text ? nearest_name(text, names, n) : NULL;
    if (nearest)
        return option_wrong(reader, path_of(value), -1, "must be one of %s: did you mean \"%s\"?",
                            list, nearest);
    return option_wrong(reader, path_of(value), -1, "must be one of %s", list);
}

/* Where a zero makes sense the default says so, or the name: nobody waits for a delay of zero. */
static int zero_is_fine(const struct weir_option *option)
{
    const char *dot = strrchr(option->name, '.');
    if (strcmp(dot ? dot + 1 : option->name, "delay") == 0) return 1;
    return option->fallback && option->fallback[0] == '0';
}

static int read_number(struct option_reader *reader, struct option_value *value, const json_t *json)
{
    const char *why = NULL;
    uint32_t type = value->option->type;
    if (type == WEIR_OPTION_BOOL && json_is_boolean(json)) {
        value->integer = json_is_true(json);
    } else if (type == WEIR_OPTION_INT && json_is_integer(json)) {
        value->integer = json_integer_value(json);
        value->number = (double)value->integer;
    } else if (type == WEIR_OPTION_FLOAT && json_is_number(json)) {
        value->number = json_number_value(json);
    } else if (type == WEIR_OPTION_DURATION && json_is_string(json)) {
        parse_duration(json_string_value(json), zero_is_fine(value->option), &value->integer, &why);
    } else if (type == WEIR_OPTION_SIZE && json_is_string(json)) {
        parse_size(json_string_value(json), &value->integer, &why);
    } else if (type == WEIR_OPTION_SIZE && json_is_integer(json)) {
        value->integer = json_integer_value(json);
    } else {
        return wrong_type(reader, value, path_of(value), json);
    }
    if (!why && type == WEIR_OPTION_SIZE &&
        (value->integer < 0 || (value->integer == 0 && !zero_is_fine(value->option))))
        why = "must be greater than zero";
    return why ? option_wrong(reader, path_of(value), -1, "%s", why) : 1;
}

static int read_text(struct option_reader *reader, struct option_value *value, const json_t *json)
{
    if (value->option->type == WEIR_OPTION_JSON) {
        value->text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
        return value->text ? 1 : no_memory(reader);
    }
    if (value->option->type == WEIR_OPTION_CHOICE && !json_is_null(json) &&
        !read_choice(reader, value, json_string_value(json)))
        return 0;
    if (!json_is_string(json)) return wrong_type(reader, value, path_of(value), json);
    value->text = strdup(json_string_value(json));
    return value->text ? 1 : no_memory(reader);
}

/* ---- values with items ---- */

/* Takes over key, text and path; NULL says that there was no memory (a key: or a list). */
static int add_item(struct option_reader *reader, struct option_value *value,
                    struct option_item item, int needs_key)
{
    if (value->n_items == value->capacity) {
        uint32_t capacity = value->capacity ? value->capacity * 2 : 8;
        struct option_item *items = realloc(value->items, capacity * sizeof *items);
        if (items) {
            value->items = items;
            value->capacity = capacity;
        }
    }
    if (item.text && item.path && (item.key || !needs_key) && value->n_items < value->capacity) {
        value->items[value->n_items++] = item;
        return 1;
    }
    free(item.key);
    free(item.text);
    free(item.path);
    return no_memory(reader);
}

static char *join(const char *a, const char *dot, const char *b)
{
    size_t n = strlen(a), m = strlen(dot), k = strlen(b);
    char *out = malloc(n + m + k + 1);
    if (!out) return NULL;
    memcpy(out, a, n);
    memcpy(out + n, dot, m);
    memcpy(out + n + m, b, k + 1);
    return out;
}

static char *index_path(const struct option_value *value, size_t index)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", index);
    return join(path_of(value), ".", digits);
}

/* The text of a string, number or bool; NULL for anything else. */
static char *scalar_text(const json_t *json)
{
    if (json_is_string(json)) return strdup(json_string_value(json));
    if (json_is_boolean(json) || json_is_number(json))
        return json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    return NULL;
}

static int is_scalar(const json_t *json)
{
    return json_is_string(json) || json_is_boolean(json) || json_is_number(json);
}

/* The end of the piece at p: the next comma outside of brackets and quotes, or the end. */
static const char *piece_end(const char *p)
{
    int depth = 0;
    for (char quote = 0; *p && (quote || depth > 0 || *p != ','); p++) {
        if (quote) quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"') quote = *p;
        else if (*p == '(' || *p == '[' || *p == '{') depth++;
        else if ((*p == ')' || *p == ']' || *p == '}') && depth > 0) depth--;
    }
    return p;
}

static int is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The last ` as ` outside of brackets and quotes, or NULL. */
static const char *find_as(const char *text)
{
    const char *found = NULL;
    int depth = 0;
    char quote = 0;
    for (const char *p = text; *p; p++) {
        if (quote) quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"') quote = *p;
        else if (*p == '(' || *p == '[' || *p == '{') depth++;
        else if (*p == ')' || *p == ']' || *p == '}') depth--;
        else if (depth == 0 && p > text && !is_word_byte(p[-1]) && p[-1] != '.' &&
                 strncasecmp(p, "as", 2) == 0 && !is_word_byte(p[2]))
            found = p;
    }
    return found;
}

static char *trimmed(const char *from, const char *to)
{
    while (from < to && isspace((unsigned char)*from)) from++;
    while (to > from && isspace((unsigned char)to[-1])) to--;
    return strndup(from, (size_t)(to - from));
}

/* Takes the quotes from a name ("" in it is one quote). 0 if it is no name. */
static int unquote(char *name)
{
    char *out = name;
    if (*name != '"') {
        if (!*name || isdigit((unsigned char)*name)) return 0;
        for (; *name; name++)
            if (!is_word_byte(*name)) return 0;
        return 1;
    }
    for (char *p = name + 1; *p; p++) {
        if (*p == '"' && p[1] != '"') {
            *out = 0;
            return p[1] == 0 && out > name;
        }
        if (*p == '"') p++;
        *out++ = *p;
    }
    return 0;
}

/* The name of an expression that has none of its own: of a column its last part, else its text. */
static char *own_name(const char *text)
{
    char *name = trimmed(text, text + strlen(text));
    if (!name) return NULL;
    const char *last = name;
    for (const char *p = name; *p; p++) {
        if (*p == '.') last = p + 1;
        else if (!is_word_byte(*p)) last = NULL;
        if (!last) break;
    }
    if (last && last > name && *last && !isdigit((unsigned char)*name))
        memmove(name, last, strlen(last) + 1);
    else if (*name == '"') {
        char *copy = strdup(name);
        if (copy && unquote(copy)) strcpy(name, copy);
        free(copy);
    }
    return name;
}

static uint32_t code_points(const char *text, const char *end)
{
    uint32_t n = 0;
    for (; text < end; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int add_expr(struct option_reader *reader, struct option_value *value, char *key, char *text,
                    char *path, uint32_t base)
{
    if (text && !text[strspn(text, " \t\r\n")]) {
        if (path) option_wrong(reader, path, (int32_t)base, "the expression is empty: write one");
        goto refused;
    }
    if (value->n_items >= EXPRS_MAX) {
        if (path) option_wrong(reader, path, (int32_t)base, "there are more than 10,000 entries");
        goto refused;
    }
    for (uint32_t i = 0; key && path && i < value->n_items; i++) {
        if (strcmp(key, "*") == 0 || strcmp(value->items[i].key, key) != 0) continue;
        option_wrong(reader, path, (int32_t)base,
                     "an entry before has the same name: rename one with \"expression as name\"");
        goto refused;
    }
    return add_item(reader, value, (struct option_item){ key, text, path, base }, 1);
refused:
    free(key);
    free(text);
    free(path);
    return 0;
}

/* One "expression as name". `path` is taken over. */
static int read_expr(struct option_reader *reader, struct option_value *value, const char *item,
                     char *path, uint32_t base)
{
    const char *as = find_as(item);
    if (!path) return no_memory(reader);
    if (!as) return add_expr(reader, value, own_name(item), strdup(item), path, base);
    const char *end = as;
    while (end > item && isspace((unsigned char)end[-1])) end--;
    char *key = trimmed(as + 2, as + 2 + strlen(as + 2));
    if (key && !unquote(key)) {
        option_wrong(reader, path, (int32_t)(base + code_points(item, as)),
                     "\"as\" must be followed by one name; put odd names in double quotes");
        free(key);
        free(path);
        return 0;
    }
    return add_expr(reader, value, key, strndup(item, (size_t)(end - item)), path, base);
}

/* A piece of a text, or an entry of a list. `path` is taken over. */
static int read_piece(struct option_reader *reader, struct option_value *value, const char *text,
                      char *path, uint32_t base)
{
    if (value->option->type == WEIR_OPTION_EXPRS)
        return read_expr(reader, value, text, path, base);
    return add_item(reader, value, (struct option_item){ NULL, strdup(text), path, base }, 0);
}

static int read_pieces(struct option_reader *reader, struct option_value *value, const char *text)
{
    int good = 1;
    const char *p = text;
    if (!*p) return 1;
    for (;;) {
        const char *end = piece_end(p), *start = p;
        while (start < end && isspace((unsigned char)*start)) start++;
        const char *last = end;
        while (last > start && isspace((unsigned char)last[-1])) last--;
        char *piece = strndup(start, (size_t)(last - start));
        if (!piece) return no_memory(reader);
        good &= read_piece(reader, value, piece, strdup(path_of(value)), code_points(text, start));
        free(piece);
        if (!*end) return good;
        p = end + 1;
    }
}

static int read_array(struct option_reader *reader, struct option_value *value, const json_t *json)
{
    int good = 1;
    size_t i;
    const json_t *entry;
    json_array_foreach(json, i, entry)
    {
        char *path = index_path(value, i);
        if (!path) return no_memory(reader);
        if (value->option->type == WEIR_OPTION_ROWS) {
            char *text = json_dumps(entry, JSON_ENCODE_ANY | JSON_COMPACT);
            good &= add_item(reader, value, (struct option_item){ NULL, text, path, 0 }, 0);
            continue;
        }
        char *text = scalar_text(entry);
        if (text && (json_is_string(entry) || value->option->type == WEIR_OPTION_LIST)) {
            good &= read_piece(reader, value, text, path, 0);
        } else if (is_scalar(entry) && !text) {
            good = no_memory(reader);
            free(path);
        } else {
            good = option_wrong(reader, path, -1, "must be %s",
                                value->option->type == WEIR_OPTION_EXPRS
                                    ? "\"expression as name\" in quotes"
                                    : "a text in quotes");
            free(path);
        }
        free(text);
    }
    return good;
}

/* Members of maps; objects in them are flattened, {"a": {"b": 1}} gives a.b. */
static int read_members(struct option_reader *reader, struct option_value *value, const char *above,
                        const json_t *json)
{
    int good = 1;
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
         at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        const json_t *entry = json_object_iter_value(at);
        char *key = join(above, above[0] ? "." : "", json_object_iter_key(at));
        char *path = key ? join(path_of(value), ".", key) : NULL;
        if (!path) {
            free(key);
            return no_memory(reader);
        }
        if (value->option->type == WEIR_OPTION_EXPRS && json_is_string(entry)) {
            good &= add_expr(reader, value, key, strdup(json_string_value(entry)), path, 0);
            continue;
        }
        if (value->option->type == WEIR_OPTION_MAP && is_scalar(entry)) {
            good &= add_item(reader, value,
                             (struct option_item){ key, scalar_text(entry), path, 0 }, 1);
            continue;
        }
        if (value->option->type == WEIR_OPTION_MAP && json_is_object(entry))
            good &= read_members(reader, value, key, entry);
        else
            good = option_wrong(reader, path, -1, "must be %s",
                                value->option->type == WEIR_OPTION_EXPRS ? "an expression in quotes"
                                                                         : "a text in quotes");
        free(key);
        free(path);
    }
    return good;
}

static int read_items(struct option_reader *reader, struct option_value *value, const json_t *json,
                      int pieces)
{
    uint32_t type = value->option->type;
    if (json_is_string(json) && type != WEIR_OPTION_MAP && type != WEIR_OPTION_ROWS) {
        if (pieces) return read_pieces(reader, value, json_string_value(json));
        char *path = strdup(path_of(value));
        return path ? read_piece(reader, value, json_string_value(json), path, 0)
                    : no_memory(reader);
    }
    if (json_is_array(json) && type != WEIR_OPTION_MAP) return read_array(reader, value, json);
    if (json_is_object(json) && (type == WEIR_OPTION_MAP || type == WEIR_OPTION_EXPRS))
        return read_members(reader, value, "", json);
    return wrong_type(reader, value, path_of(value), json);
}

/* ---- text into the form of a job file ---- */

/* New reference, or NULL: the text stays as it is. */
static json_t *json_of_text(uint32_t type, const json_t *json)
{
    const char *text = json_string_value(json);
    size_t n = strlen(text);
    json_t *parsed = NULL;
    int wanted_form = 0;
    switch (type) {
    case WEIR_OPTION_BOOL:
    case WEIR_OPTION_INT:
    case WEIR_OPTION_FLOAT:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_ROWS:
    case WEIR_OPTION_JSON: break;
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_EXPRS:
        if (text[0] != '[' && text[0] != '{') return NULL;
        break;
    default: return NULL;
    }
    parsed = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    switch (type) {
    case WEIR_OPTION_BOOL: wanted_form = json_is_boolean(parsed); break;
    case WEIR_OPTION_INT: wanted_form = json_is_integer(parsed); break;
    case WEIR_OPTION_FLOAT: wanted_form = json_is_number(parsed); break;
    case WEIR_OPTION_JSON: wanted_form = parsed != NULL; break;
    case WEIR_OPTION_MAP: wanted_form = json_is_object(parsed); break;
    default: wanted_form = json_is_array(parsed) || json_is_object(parsed); break;
    }
    if (wanted_form) return parsed;
    json_decref(parsed);
    return NULL;
}

int option_read(struct option_reader *reader, struct option_value *value, const json_t *json,
                int as_text)
{
    json_t *parsed =
        as_text && json_is_string(json) ? json_of_text(value->option->type, json) : NULL;
    const json_t *use = parsed ? parsed : json;
    int good;
    switch (value->option->type) {
    case WEIR_OPTION_BOOL:
    case WEIR_OPTION_INT:
    case WEIR_OPTION_FLOAT:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE: good = read_number(reader, value, use); break;
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_EXPRS:
    case WEIR_OPTION_ROWS: good = read_items(reader, value, use, as_text); break;
    default: good = read_text(reader, value, use); break;
    }
    json_decref(parsed);
    value->good = (uint32_t)good;
    return good;
}

int option_read_fallback(struct option_reader *reader, struct option_value *value)
{
    json_t *text = json_string(value->option->fallback);
    if (!text) return no_memory(reader);
    int good = option_read(reader, value, text, 1);
    json_decref(text);
    return good;
}

/* ---- back to JSON ---- */

static json_t *unit_json(uint32_t type, int64_t value)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = { { "d", 86400000000 }, { "h", 3600000000 }, { "m", 60000000 }, { "s", 1000000 },
                  { "ms", 1000 },       { "Gi", 1 << 30 },   { "Mi", 1 << 20 }, { "Ki", 1 << 10 } };
    char text[48];
    uint32_t first = type == WEIR_OPTION_SIZE ? 5 : 0, last = type == WEIR_OPTION_SIZE ? 8 : 5;
    for (uint32_t i = first; i < last; i++) {
        if (value % units[i].factor != 0 || (value == 0 && i + 1 < last)) continue;
        snprintf(text, sizeof text, "%lld%s", (long long)(value / units[i].factor), units[i].name);
        return json_string(text);
    }
    if (type == WEIR_OPTION_SIZE) return json_integer(value);
    snprintf(text, sizeof text, "%lld.%03lldms", (long long)(value / 1000),
             (long long)(value % 1000));
    return json_string(text);
}

static json_t *items_json(const struct option_value *value)
{
    uint32_t type = value->option->type;
    int map = type == WEIR_OPTION_MAP || type == WEIR_OPTION_EXPRS;
    json_t *out = map ? json_object() : json_array();
    for (uint32_t i = 0; out && i < value->n_items; i++) {
        const struct option_item *item = &value->items[i];
        json_t *entry = type == WEIR_OPTION_ROWS
                            ? json_loads(item->text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                            : json_string(item->text);
        if ((map ? json_object_set_new(out, item->key, entry)
                 : json_array_append_new(out, entry)) == 0)
            continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *option_value_json(const struct option_value *value)
{
    if (value->option->flags & WEIR_OPTION_SECRET) return json_string("***");
    switch (value->option->type) {
    case WEIR_OPTION_BOOL: return json_boolean(value->integer);
    case WEIR_OPTION_INT: return json_integer(value->integer);
    case WEIR_OPTION_FLOAT: return json_real(value->number);
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_SIZE: return unit_json(value->option->type, value->integer);
    case WEIR_OPTION_LIST:
    case WEIR_OPTION_MAP:
    case WEIR_OPTION_EXPRS:
    case WEIR_OPTION_ROWS: return items_json(value);
    case WEIR_OPTION_JSON: return json_loads(value->text, JSON_DECODE_ANY, NULL);
    default: return json_string(value->text);
    }
}
