/*
 * scanner.c - from the path of a value to the line and column at which it stands.
 *
 * The JSON library keeps no positions, so the text is walked a second time, after it was accepted.
 * Each key and value becomes a node; a path ("operators.counts.where", "operators.sum.by.0") is
 * found by its hash.
 *
 *  1. A node holds its own key only, so a hostile file (a key of megabytes over a million members)
 *     takes memory in proportion to its size. The hash of a path is that of the parent continued by
 *     ".key"; a hit is proved backwards, key by key.
 *  2. Later nodes hide earlier ones of the same path: words of the command line replace what a file
 *     says.
 *  3. A duplicate is the same key under the same parent. {"a.b": 1, "a": {"b": 2}} has one path
 *     twice but no duplicate.
 *  4. Columns count code points, from 1. A string has no raw line breaks, so a place in it is on
 *     its line.
 *  5. The walk trusts nothing: text that is no JSON ends it.
 */
#include "core/job/scanner.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define HASH_START 14695981039346656037u
#define HASH_PRIME 1099511628211u

struct node {
    uint64_t hash;
    uint32_t parent; /* NONE: the key is the whole path */
    uint32_t next;   /* in its bucket */
    const char *key;
    size_t key_length;
    uint32_t line, column;         /* of the value */
    uint32_t key_line, key_column; /* 0: the value has no key */
    const char *text; /* of a string: behind its opening quote; NULL: no string */
    const char *file;
    uint32_t changed; /* see places_mark_changed */
    uint8_t escaped;  /* `text` is JSON, it ends at a quote */
    uint8_t as_text;
};

struct places {
    const char *file;
    struct node *nodes;
    uint32_t n, capacity;
    uint32_t *buckets;
    uint32_t n_buckets; /* a power of two */
    char **owned;       /* texts that nodes point into */
    uint32_t n_owned;
};

struct scan {
    struct places *places;
    struct report *report;
    const char *p, *end;
    uint32_t line, column;
    uint32_t depth;
    char *keys; /* room for decoded keys */
};

static uint64_t hash_on(uint64_t hash, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * HASH_PRIME;
    return hash;
}

struct places *places_create(const char *file)
{
    struct places *places = calloc(1, sizeof *places);
    if (!places) return NULL;
    places->file = file;
    places->n_buckets = 64;
    places->buckets = malloc(places->n_buckets * sizeof *places->buckets);
    if (!places->buckets) {
        free(places);
        return NULL;
    }
    memset(places->buckets, 0xff, places->n_buckets * sizeof *places->buckets);
    return places;
}

void places_free(struct places *places)
{
    if (!places) return;
    for (uint32_t i = 0; i < places->n_owned; i++) free(places->owned[i]);
    free(places->owned);
    free(places->nodes);
    free(places->buckets);
    free(places);
}

/* Takes `text` over, also on failure. */
static int own_take(struct places *places, char *text)
{
    char **owned = text ? realloc(places->owned, (places->n_owned + 1) * sizeof *owned) : NULL;
    if (!owned) {
        free(text);
        return -1;
    }
    places->owned = owned;
    owned[places->n_owned++] = text;
    return 0;
}

static int rehash(struct places *places)
{
    uint32_t n = places->n_buckets * 4;
    uint32_t *buckets = malloc(n * sizeof *buckets);
    if (!buckets) return -1;
    memset(buckets, 0xff, n * sizeof *buckets);
    for (uint32_t i = 0; i < places->n; i++) { /* ascending: later ones come to the front */
        uint32_t *bucket = &buckets[places->nodes[i].hash & (n - 1)];
        places->nodes[i].next = *bucket;
        *bucket = i;
    }
    free(places->buckets);
    places->buckets = buckets;
    places->n_buckets = n;
    return 0;
}

static uint32_t add_node(struct places *places, const struct node *node)
{
    if (places->n == places->capacity) {
        uint32_t capacity = places->capacity ? places->capacity * 2 : 64;
        struct node *nodes = realloc(places->nodes, capacity * sizeof *nodes);
        if (!nodes) return NONE;
        places->nodes = nodes;
        places->capacity = capacity;
    }
    if (places->n >= places->n_buckets && rehash(places) != 0) return NONE;
    uint32_t i = places->n++;
    uint32_t *bucket = &places->buckets[node->hash & (places->n_buckets - 1)];
    places->nodes[i] = *node;
    places->nodes[i].next = *bucket;
    *bucket = i;
    return i;
}

/* ---- the walk ---- */

static void step(struct scan *s)
{
    unsigned char c = (unsigned char)*s->p++;
    if (c == '\n') {
        s->line++;
        s->column = 1;
    } else if ((c & 0xc0) != 0x80) {
        s->column++;
    }
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        step(s);
}

static int take(struct scan *s, char c)
{
    skip_blanks(s);
    if (s->p == s->end || *s->p != c) return 0;
    step(s);
    return 1;
}

static uint32_t hex4(const char *p, const char *end)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, p++) {
        if (p >= end) return 0xfffd;
        char c = *p;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) return 0xfffd;
        value = value * 16 + digit;
    }
    return value;
}

/* The length in bytes of the code point that begins at p, which is inside a JSON string; *value is
 * set for escapes, else left alone. */
static size_t code_point(const char *p, const char *end, uint32_t *value)
{
    size_t n = 1;
    if (*p != '\\') {
        while (p + n < end && ((unsigned char)p[n] & 0xc0) == 0x80) n++;
        return n;
    }
    if (p + 1 >= end) return 1;
    if (p[1] != 'u') {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *at = strchr(from, p[1]);
        *value = at && *at ? (uint32_t)(unsigned char)to[at - from] : 0xfffd;
        return 2;
    }
    *value = hex4(p + 2, end);
    n = (size_t)(end - p) < 6 ? (size_t)(end - p) : 6;
    if (*value >= 0xd800 && *value < 0xdc00 && p + 12 <= end && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = hex4(p + 8, end);
        if (low >= 0xdc00 && low < 0xe000) {
            *value = 0x10000 + ((*value - 0xd800) << 10) + (low - 0xdc00);
            return 12;
        }
    }
    return n;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Walks over a string; its decoded text goes to s->keys if `key` is given. No escape is shorter
 * than the UTF-8 that it stands for, so the keys of a text have room in as many bytes as the text.
 */
static int scan_string(struct scan *s, const char **key, size_t *key_length)
{
    if (s->p == s->end || *s->p != '"') return 0;
    step(s);
    char *out = s->keys;
    while (s->p < s->end && *s->p != '"') {
        uint32_t value = NONE;
        size_t n = code_point(s->p, s->end, &value);
        if (key && value != NONE) {
            out += put_utf8(out, value);
        } else if (key) {
            memcpy(out, s->p, n);
            out += n;
        }
        while (n-- > 0) step(s);
    }
    if (s->p == s->end) return 0;
    step(s);
    if (key) {
        *key = s->keys;
        *key_length = (size_t)(out - s->keys);
        s->keys = out;
    }
    return 1;
}

static int is_duplicate(const struct places *places, uint32_t parent, const struct node *node)
{
    uint32_t i = places->buckets[node->hash & (places->n_buckets - 1)];
    for (; i != NONE; i = places->nodes[i].next) {
        const struct node *other = &places->nodes[i];
        if (other->hash == node->hash && other->parent == parent && other->key_line != 0 &&
            other->key_length == node->key_length &&
            memcmp(other->key, node->key, node->key_length) == 0)
            return 1;
    }
    return 0;
}

/* The path of a node into a buffer, cut if it is too long. */
static void path_of(const struct places *places, uint32_t i, char *out, size_t size)
{
    uint32_t chain[SCAN_MAX_DEPTH + 2];
    size_t at = 0;
    int depth = 0;
    for (; i != NONE && depth <= (int)SCAN_MAX_DEPTH; i = places->nodes[i].parent)
        chain[depth++] = i;
    while (depth-- > 0) {
        const struct node *node = &places->nodes[chain[depth]];
        if (node->parent == NONE && node->key_length == 0) continue; /* the root */
        if (at > 0 && at + 1 < size) out[at++] = '.';
        for (size_t k = 0; k < node->key_length && at + 1 < size; k++) out[at++] = node->key[k];
    }
    out[at] = 0;
}

static int scan_value(struct scan *s, uint32_t parent, struct node *node);

static int refuse(struct scan *s, uint32_t i, const char *text)
{
    char path[256];
    path_of(s->places, i, path, sizeof path);
    report_add(s->report, REPORT_ERROR, (struct place){ s->places->file, s->line, s->column }, path,
               "%s", text);
    return 0;
}

static void node_key(struct scan *s, uint32_t parent, struct node *node)
{
    const struct node *above = &s->places->nodes[parent];
    node->hash = above->hash;
    if (above->parent != NONE || above->key_length > 0) node->hash = hash_on(node->hash, ".", 1);
    node->hash = hash_on(node->hash, node->key, node->key_length);
}

static int scan_member(struct scan *s, uint32_t parent)
{
    struct node node = { 0 };
    skip_blanks(s);
    node.key_line = s->line;
    node.key_column = s->column;
    if (!scan_string(s, &node.key, &node.key_length) || !take(s, ':')) return 0;
    node_key(s, parent, &node);
    if (is_duplicate(s->places, parent, &node)) {
        char path[256];
        path_of(s->places, parent, path, sizeof path);
        report_add(s->report, REPORT_ERROR,
                   (struct place){ s->places->file, node.key_line, node.key_column }, path,
                   "the key \"%.*s\" is here a second time: take one out",
                   (int)(node.key_length < 200 ? node.key_length : 200), node.key);
    }
    return scan_value(s, parent, &node);
}

static int scan_item(struct scan *s, uint32_t parent, uint32_t index)
{
    struct node node = { 0 };
    char digits[12];
    size_t n = 0;
    do digits[n++] = (char)('0' + index % 10);
    while ((index /= 10) != 0);
    char *out = s->keys;
    while (n > 0) out[node.key_length++] = digits[--n];
    node.key = s->keys;
    s->keys += node.key_length;
    node_key(s, parent, &node);
    return scan_value(s, parent, &node);
}

static int scan_container(struct scan *s, uint32_t parent, char open, char close)
{
    if (++s->depth > SCAN_MAX_DEPTH)
        return refuse(s, parent, "nested deeper than 64 levels: flatten it");
    if (!take(s, open)) return 0;
    if (!take(s, close)) {
        uint32_t index = 0;
        do {
            if (open == '{' ? !scan_member(s, parent) : !scan_item(s, parent, index)) return 0;
            index++;
        } while (take(s, ','));
        if (!take(s, close)) return 0;
    }
    s->depth--;
    return 1;
}

static int scan_value(struct scan *s, uint32_t parent, struct node *node)
{
    skip_blanks(s);
    if (s->p == s->end) return 0;
    char c = *s->p;
    node->parent = parent;
    node->file = s->places->file;
    node->line = s->line;
    node->column = s->column;
    node->changed = UINT32_MAX;
    node->escaped = 1;
    if (c == '"') node->text = s->p + 1;
    if (s->places->n >= SCAN_MAX_VALUES)
        return refuse(s, parent, "more than 1,000,000 values: put the data into a file of its own");
    uint32_t i = add_node(s->places, node);
    if (i == NONE) return refuse(s, parent, "out of memory");
    if (c == '{') return scan_container(s, i, '{', '}');
    if (c == '[') return scan_container(s, i, '[', ']');
    if (c == '"') return scan_string(s, NULL, NULL);
    const char *start = s->p;
    while (s->p < s->end && !strchr(",]} \t\r\n", *s->p)) step(s);
    return s->p > start;
}

int places_scan(struct places *places, const char *text, size_t n, size_t skip,
                struct report *report)
{
    /* Room for keys: those of objects are no longer than in the text, the first item of an array
     * has one digit for its bracket, any other at most seven for its comma. */
    size_t commas = 1;
    for (size_t i = 0; i < n; i++) commas += text[i] == ',';
    if (commas > SCAN_MAX_VALUES + 1) commas = SCAN_MAX_VALUES + 1;
    char *copy = malloc(n + 1), *keys = malloc(n + 8 * commas + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    if (own_take(places, copy) != 0) {
        free(keys);
        return -1;
    }
    if (own_take(places, keys) != 0) return -1;
    struct scan s = { places, report, copy + skip, copy + n, 1, 1, 0, keys };
    struct node root = { .hash = HASH_START, .key = "" };
    uint32_t before = report->errors;
    int ok = scan_value(&s, NONE, &root);
    if (!ok && report->errors == before) refuse(&s, NONE, "the text can't be read as JSON");
    return ok ? 0 : -1;
}

/* ---- words ---- */

int places_add(struct places *places, const char *path, uint32_t line, uint32_t column,
               const char *value)
{
    struct node node = { .parent = NONE, .file = SCAN_COMMAND_LINE, .changed = UINT32_MAX };
    char *key = strdup(path), *text = NULL;
    if (own_take(places, key) != 0) return -1;
    if (value) {
        text = strdup(value);
        if (own_take(places, text) != 0) return -1;
    }
    node.key = key;
    node.key_length = strlen(key);
    node.hash = hash_on(HASH_START, key, node.key_length);
    node.line = node.key_line = line;
    node.column = column;
    node.key_column = line > 0; /* a word begins with its key */
    node.text = text;
    return add_node(places, &node) == NONE ? -1 : 0;
}

/* ---- looking up ---- */

/* Is path[0..n) the path of node i? */
static int is_path(const struct places *places, uint32_t i, const char *path, size_t n)
{
    for (; i != NONE; i = places->nodes[i].parent) {
        const struct node *node = &places->nodes[i];
        if (node->key_length > n ||
            memcmp(path + (n - node->key_length), node->key, node->key_length) != 0)
            return 0;
        n -= node->key_length;
        if (node->parent == NONE) return n == 0;
        const struct node *above = &places->nodes[node->parent];
        if (above->parent == NONE && above->key_length == 0) return n == 0;
        if (n == 0 || path[--n] != '.') return 0;
    }
    return 0;
}

static struct node *find(const struct places *places, const char *path, size_t n)
{
    uint64_t hash = hash_on(HASH_START, path, n);
    uint32_t i = places->buckets[hash & (places->n_buckets - 1)];
    for (; i != NONE; i = places->nodes[i].next)
        if (places->nodes[i].hash == hash && is_path(places, i, path, n)) return &places->nodes[i];
    return NULL;
}

/* One component less; SIZE_MAX behind the root. */
static size_t shorten(const char *path, size_t n)
{
    if (n == 0) return SIZE_MAX;
    while (n > 0 && path[n - 1] != '.') n--;
    return n > 0 ? n - 1 : 0;
}

int places_has(const struct places *places, const char *path)
{
    return find(places, path, strlen(path)) != NULL;
}

int places_mark_text(struct places *places, const char *path)
{
    struct node *node = find(places, path, strlen(path));
    if (node) node->as_text = 1;
    return node ? 0 : -1;
}

int places_is_text(const struct places *places, const char *path)
{
    for (size_t n = strlen(path); n != SIZE_MAX; n = shorten(path, n)) {
        const struct node *node = find(places, path, n);
        if (node && node->as_text) return 1;
    }
    return 0;
}

void places_mark_changed(struct places *places, const char *path, uint32_t offset)
{
    struct node *node = find(places, path, strlen(path));
    if (node && offset < node->changed) node->changed = offset;
}

/* The place of code point `offset` of a string that begins at `column`. */
static uint32_t column_of(const struct node *node, uint32_t offset)
{
    if (offset > node->changed) offset = node->changed;
    const char *p = node->text, *end = p + strnlen(p, (size_t)offset * 12 + 12);
    uint32_t column = node->column + (node->escaped ? 1 : 0), ignored;
    for (; offset > 0 && p < end && !(node->escaped && *p == '"'); offset--) {
        size_t n = 1;
        if (node->escaped) n = code_point(p, end, &ignored);
        else while (p + n < end && ((unsigned char)p[n] & 0xc0) == 0x80) n++;
        for (size_t i = 0; i < n; i++) column += ((unsigned char)p[i] & 0xc0) != 0x80;
        p += n;
    }
    return column;
}

struct place places_value(const struct places *places, const char *path, int32_t offset)
{
    struct node *node = places ? find(places, path, strlen(path)) : NULL;
    if (!node) return places_key(places, path);
    struct place place = { node->file, node->line, node->column };
    if (offset >= 0 && node->text && node->line > 0)
        place.column = column_of(node, (uint32_t)offset);
    return place;
}

struct place places_key(const struct places *places, const char *path)
{
    struct place place = { places ? places->file : NULL, 0, 0 };
    for (size_t n = strlen(path); places && n != SIZE_MAX; n = shorten(path, n)) {
        const struct node *node = find(places, path, n);
        if (!node) continue;
        place.file = node->file;
        place.line = node->key_line ? node->key_line : node->line;
        place.column = node->key_line ? node->key_column : node->column;
        break;
    }
    return place;
}
