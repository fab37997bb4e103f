/*
 * ddl.c - schemas as text: "user string, tags list<string> not null, \"a b\" struct<x: int64>".
 *
 *     columns = [ field { "," field } ]
 *     field   = name type [ "not" "null" ]
 *     name    = word | '"' { any but '"' | '""' } '"'
 *     word    = letter, "_" or beyond ASCII, then digits too
 *     type    = scalar | "list" "<" type [ "not" "null" ] ">"
 *             | "struct" "<" [ name ":" type [ "not" "null" ] { "," ... } ] ">"
 *
 * Type words in any case, names as they are. What the printer writes the parser reads back to an
 * equal schema. Recursive descent, depth bounded.
 */
#include "core/data/node.h"

struct parser {
    const char *text;
    uint64_t length, at;
    uint32_t depth;
    struct weir_error *error;
};

struct word {
    const char *at;
    uint64_t length;
};

static const struct {
    const char *name;
    uint32_t type;
    uint32_t other; /* 1: a word of other systems, only suggested from */
} words[] = {
    { "bool", WEIR_TYPE_BOOL, 0 },           { "int32", WEIR_TYPE_INT32, 0 },
    { "int", WEIR_TYPE_INT32, 0 },           { "int64", WEIR_TYPE_INT64, 0 },
    { "bigint", WEIR_TYPE_INT64, 0 },        { "float64", WEIR_TYPE_FLOAT64, 0 },
    { "double", WEIR_TYPE_FLOAT64, 0 },      { "string", WEIR_TYPE_UTF8, 0 },
    { "binary", WEIR_TYPE_BINARY, 0 },       { "timestamp", WEIR_TYPE_TIMESTAMP, 0 },
    { "date", WEIR_TYPE_DATE, 0 },           { "list", WEIR_TYPE_LIST, 0 },
    { "struct", WEIR_TYPE_STRUCT, 0 },       { "boolean", WEIR_TYPE_BOOL, 1 },
    { "integer", WEIR_TYPE_INT32, 1 },       { "smallint", WEIR_TYPE_INT32, 1 },
    { "long", WEIR_TYPE_INT64, 1 },          { "float", WEIR_TYPE_FLOAT64, 1 },
    { "float32", WEIR_TYPE_FLOAT64, 1 },     { "real", WEIR_TYPE_FLOAT64, 1 },
    { "decimal", WEIR_TYPE_FLOAT64, 1 },     { "numeric", WEIR_TYPE_FLOAT64, 1 },
    { "text", WEIR_TYPE_UTF8, 1 },           { "varchar", WEIR_TYPE_UTF8, 1 },
    { "char", WEIR_TYPE_UTF8, 1 },           { "utf8", WEIR_TYPE_UTF8, 1 },
    { "bytes", WEIR_TYPE_BINARY, 1 },        { "bytea", WEIR_TYPE_BINARY, 1 },
    { "datetime", WEIR_TYPE_TIMESTAMP, 1 },  { "timestamptz", WEIR_TYPE_TIMESTAMP, 1 },
    { "array", WEIR_TYPE_LIST, 1 },          { "record", WEIR_TYPE_STRUCT, 1 },
};
#define N_WORDS (sizeof words / sizeof *words)

/* Code points in front of byte `at`. */
static int32_t code_points(const char *text, uint64_t at)
{
    uint64_t i;
    int32_t n = 0;
    for (i = 0; i < at; i++) n += ((uint8_t)text[i] & 0xc0) != 0x80;
    return n;
}

static int32_t fail_at(struct parser *p, uint64_t at, const char *format, ...) WEIR_PRINTF(3, 4);
static int32_t fail_at(struct parser *p, uint64_t at, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return weir_fail_option(p->error, "", code_points(p->text, at), "%s", text);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->length && strchr(" \t\r\n", p->text[p->at]) && p->text[p->at]) p->at++;
}

static int peek(struct parser *p)
{
    skip_space(p);
    return p->at < p->length ? (uint8_t)p->text[p->at] : -1;
}

static int accept(struct parser *p, char c)
{
    if (peek(p) != c) return 0;
    p->at++;
    return 1;
}

static int word_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static int word_part(int c) { return word_start(c) || (c >= '0' && c <= '9'); }

/* The word at the place, not consumed; length 0 if there is none. */
static struct word word_here(struct parser *p)
{
    struct word w = { NULL, 0 };
    if (!word_start(peek(p))) return w;
    w.at = p->text + p->at;
    while (p->at + w.length < p->length && word_part((uint8_t)w.at[w.length])) w.length++;
    return w;
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static int word_is(struct word w, const char *name)
{
    uint64_t i;
    if (w.length != strlen(name)) return 0;
    for (i = 0; i < w.length; i++)
        if (lower(w.at[i]) != name[i]) return 0;
    return 1;
}

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Edits between a word and a name: insert, delete, replace (Levenshtein, one row at a time). */
static uint32_t distance(struct word w, const char *name)
{
    uint32_t row[32], n = (uint32_t)strlen(name), i, j;
    if (w.length > 24) return 99;
    for (j = 0; j <= n; j++) row[j] = j;
    for (i = 1; i <= w.length; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (j = 1; j <= n; j++) {
            uint32_t replace = diagonal + (lower(w.at[i - 1]) != name[j - 1]);
            diagonal = row[j];
            row[j] = least(replace, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static int32_t unknown_type(struct parser *p, struct word w)
{
    uint32_t best = 99, i, at = 0;
    for (i = 0; i < N_WORDS; i++) {
        uint32_t d = distance(w, words[i].name);
        if (d < best) best = d, at = i;
    }
    if (best > 2 || best >= w.length)
        return fail_at(p, p->at,
                       "unknown type '%.*s'; types are bool, int32, int64, float64, string, "
                       "binary, timestamp, date, list<T>, struct<a: T>",
                       (int)least((uint32_t)w.length, 60), w.at);
    return fail_at(p, p->at, "unknown type '%.*s'; did you mean '%s'?", (int)w.length, w.at,
                   words[at].other ? type_name(words[at].type) : words[at].name);
}

/* A name into `out` (appended, "" undoubled). */
static int32_t parse_name(struct parser *p, struct weir_buffer *out)
{
    uint64_t start;
    struct word w = word_here(p);
    if (w.length) {
        p->at += w.length;
        return buffer_add(out, w.at, w.length) ? array_no_memory(p->error) : WEIR_OK;
    }
    if (!accept(p, '"')) return fail_at(p, p->at, "a name is missing here");
    start = p->at - 1;
    while (p->at < p->length) {
        const char *c = p->text + p->at++;
        if (*c == 0) return fail_at(p, p->at - 1, "NUL in a name");
        if (*c == '"') {
            if (p->at >= p->length || p->text[p->at] != '"')
                return out->length ? WEIR_OK : fail_at(p, start, "this name is empty");
            p->at++;
        }
        if (buffer_add(out, c, 1)) return array_no_memory(p->error);
    }
    return fail_at(p, start, "the quote of this name is not closed");
}

static int32_t parse_field(struct parser *p, struct ArrowSchema *parent, int colon);

/* Type of a field, its `not null` included; children are added as they are read. */
static int32_t parse_type(struct parser *p, const char *name, uint64_t n, struct ArrowSchema *out)
{
    struct word w = word_here(p);
    uint32_t type = WEIR_TYPE_NONE, i;
    int32_t rc;
    if (!w.length)
        return fail_at(p, p->at, p->at < p->length && p->text[p->at] == ':'
                                     ? "a space stands between name and type, no colon"
                                     : "a type is missing here");
    for (i = 0; i < N_WORDS && !type; i++)
        if (!words[i].other && word_is(w, words[i].name)) type = words[i].type;
    if (!type) return unknown_type(p, w);
    p->at += w.length;
    rc = schema_begin(out, type, name, n, 0, p->error);
    if (rc) return rc;
    if (type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT) {
        if (!accept(p, '<')) return fail_at(p, p->at, "'<' is missing behind %s", type_name(type));
        if (++p->depth >= NODE_DEPTH_MAX)
            return fail_at(p, p->at, "types are nested deeper than %d", NODE_DEPTH_MAX);
        if (type == WEIR_TYPE_LIST) {
            struct ArrowSchema *item = schema_grow(out);
            rc = item ? parse_type(p, "item", 4, item) : array_no_memory(p->error);
        } else if (peek(p) != '>') {
            do rc = parse_field(p, out, 1);
            while (!rc && accept(p, ','));
        }
        if (rc) return rc;
        p->depth--;
        if (!accept(p, '>'))
            return fail_at(p, p->at, "'>' of the %s is missing here", type_name(type));
    }
    w = word_here(p);
    if (!word_is(w, "not")) return WEIR_OK;
    p->at += w.length;
    w = word_here(p);
    if (!word_is(w, "null")) return fail_at(p, p->at, "'null' is missing behind 'not'");
    p->at += w.length;
    out->flags = 0;
    return WEIR_OK;
}

static int32_t parse_field(struct parser *p, struct ArrowSchema *parent, int colon)
{
    struct weir_buffer name = { NULL, 0, 0 };
    struct ArrowSchema *field;
    uint64_t start;
    int64_t i;
    int32_t rc;
    skip_space(p);
    start = p->at;
    rc = parse_name(p, &name);
    if (rc) goto done;
    for (i = 0; i < parent->n_children; i++) {
        const char *other = parent->children[i]->name;
        if (strlen(other) == name.length && memcmp(other, name.data, name.length) == 0) {
            rc = fail_at(p, start, "the name '%.100s' stands here twice", other);
            goto done;
        }
    }
    if (colon && !accept(p, ':')) {
        rc = fail_at(p, p->at, "':' is missing between name and type");
        goto done;
    }
    if (parent->n_children >= NODE_CHILDREN_MAX) {
        rc = fail_at(p, start, "more than %d fields", NODE_CHILDREN_MAX);
        goto done;
    }
    field = schema_grow(parent);
    rc = field ? parse_type(p, (const char *)name.data, name.length, field)
               : array_no_memory(p->error);
done:
    mem_free(name.data);
    return rc;
}

int32_t ddl_parse(const char *ddl, uint64_t length, int empty_ok, struct ArrowSchema *out,
                  struct weir_error *error)
{
    struct parser p = { ddl, length, 0, 0, error };
    int32_t rc;
    memset(out, 0, sizeof *out);
    if (!utf8_valid((const uint8_t *)ddl, length))
        return weir_fail_option(error, "", -1, "the columns are not UTF-8");
    rc = schema_begin(out, WEIR_TYPE_STRUCT, "", 0, 0, error);
    if (rc) return rc;
    out->flags = 0;
    if (peek(&p) < 0) {
        if (!empty_ok) rc = fail_at(&p, p.at, "columns are missing here");
    } else {
        do rc = parse_field(&p, out, 0);
        while (!rc && accept(&p, ','));
        if (!rc && peek(&p) >= 0)
            rc = fail_at(&p, p.at, "',' or the end was expected here");
    }
    if (rc) schema_release(out);
    return rc;
}

static int32_t add_text(struct weir_buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text));
}

static int32_t print_name(struct weir_buffer *out, const char *name)
{
    const char *c = name;
    int plain = word_start((uint8_t)*c);
    int32_t rc;
    while (plain && *c) plain = word_part((uint8_t)*c++);
    if (plain) return add_text(out, name);
    rc = add_text(out, "\"");
    for (c = name; *c && !rc; c++) rc = *c == '"' ? add_text(out, "\"\"") : buffer_add(out, c, 1);
    return rc ? rc : add_text(out, "\"");
}

static int32_t print_type(struct weir_buffer *out, const struct ArrowSchema *type);

static int32_t print_fields(struct weir_buffer *out, const struct ArrowSchema *schema,
                            const char *between)
{
    int64_t i;
    int32_t rc = WEIR_OK;
    for (i = 0; i < schema->n_children && !rc; i++) {
        const struct ArrowSchema *child = schema->children[i];
        if (i) rc = add_text(out, ", ");
        if (!rc && between) rc = print_name(out, child->name);
        if (!rc && between) rc = add_text(out, between);
        if (!rc) rc = print_type(out, child);
        if (!rc && !(child->flags & ARROW_FLAG_NULLABLE)) rc = add_text(out, " not null");
    }
    return rc;
}

static int32_t print_type(struct weir_buffer *out, const struct ArrowSchema *type)
{
    const uint32_t t = weir_type_of(type);
    int32_t rc = add_text(out, type_name(t));
    if (rc || (t != WEIR_TYPE_LIST && t != WEIR_TYPE_STRUCT)) return rc;
    rc = add_text(out, "<");
    if (!rc) rc = print_fields(out, type, t == WEIR_TYPE_STRUCT ? ": " : NULL);
    return rc ? rc : add_text(out, ">");
}

/* The text with its final NUL, or NULL without memory. */
static char *finish(struct weir_buffer *out, int32_t rc)
{
    if (!rc) rc = buffer_add(out, "", 1);
    if (!rc) return (char *)out->data;
    mem_free(out->data);
    return NULL;
}

char *schema_ddl(const struct ArrowSchema *schema)
{
    struct weir_buffer out = { NULL, 0, 0 };
    return finish(&out, print_fields(&out, schema, " "));
}

char *type_ddl(const struct ArrowSchema *type)
{
    struct weir_buffer out = { NULL, 0, 0 };
    return finish(&out, print_type(&out, type));
}
