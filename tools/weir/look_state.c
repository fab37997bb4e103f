/*
 * look_state.c - tables of a checkpoint without the operators that declared them.
 *
 * The signature that JOB holds for each table says all that its bytes depend on (core/state/
 * signature.c): kind, key columns, columns, types, timers. So a table is declared again from its
 * signature, which must then come out the same, and the pieces of the log are restored into it.
 *
 *     v1 [rows ]key(user string, day date/1) n int64, total float64, until timestamp timer; …
 */
#include "tools/weir/look.h"

#include <stdlib.h>

#include "core/data/array.h"

#define NAMES_MAX 4608u /* key columns and columns that a table may have */

struct shape_text {
    struct weir_table_spec spec;
    struct ArrowSchema key;
    struct weir_table_column *columns;
    char **names; /* in columns, unescaped */
    uint32_t n, capacity;
};

/* Takes `word` off the text. */
static int skip(const char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0) return 0;
    *text += n;
    return 1;
}

static int take_number(const char **text, uint32_t *out)
{
    uint64_t n = 0;
    const char *p = *text;
    while (*p >= '0' && *p <= '9' && n <= UINT32_MAX) n = n * 10 + (uint64_t)(*p++ - '0');
    if (p == *text || n > UINT32_MAX) return 0;
    *text = p;
    *out = (uint32_t)n;
    return 1;
}

/* A name up to the space behind it; malloc'ed. */
static char *take_name(const char **text)
{
    char *name = malloc(strlen(*text) + 1), *to = name;
    const char *p = *text;
    if (!name) return NULL;
    while (*p && *p != ' ') {
        if (*p == '\\' && p[1]) p++;
        *to++ = *p++;
    }
    *to = 0;
    *text = *p ? p + 1 : p;
    return name;
}

static uint32_t take_type(const char **text)
{
    static const struct { const char *word; uint32_t type; } types[] = {
        { "bool", WEIR_TYPE_BOOL }, { "int32", WEIR_TYPE_INT32 }, { "int64", WEIR_TYPE_INT64 },
        { "float64", WEIR_TYPE_FLOAT64 }, { "string", WEIR_TYPE_UTF8 },
        { "binary", WEIR_TYPE_BINARY }, { "timestamp", WEIR_TYPE_TIMESTAMP },
        { "date", WEIR_TYPE_DATE },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (skip(text, types[i].word)) return types[i].type;
    return WEIR_TYPE_NONE;
}

static int take_column(const char **text, struct shape_text *s)
{
    if (s->n == s->capacity) {
        uint32_t capacity = s->capacity * 2 + 16;
        struct weir_table_column *columns = realloc(s->columns, capacity * sizeof *columns);
        if (!columns) return 0;
        s->columns = columns;
        char **names = realloc(s->names, capacity * sizeof *names);
        if (!names) return 0;
        s->names = names;
        s->capacity = capacity;
    }
    if (s->n == NAMES_MAX) return 0;
    struct weir_table_column *column = &s->columns[s->n];
    s->names[s->n] = take_name(text);
    if (!s->names[s->n]) return 0;
    column->name = s->names[s->n++];
    column->type = take_type(text);
    column->flags = skip(text, " timer") ? WEIR_COLUMN_TIMER : 0;
    if (column->flags && skip(text, " of event time")) column->flags |= WEIR_COLUMN_EVENT_TIME;
    return column->type != WEIR_TYPE_NONE;
}

static int32_t key_schema(struct shape_text *s, uint32_t n, struct weir_error *error)
{
    int32_t class = weir_data_1.schema_struct(n, &s->key, error);
    for (uint32_t i = 0; class == WEIR_OK && i < n; i++)
        class = weir_data_1.schema_set(&s->key, i, s->columns[i].name, s->columns[i].type, error);
    return class;
}

static int32_t parse(const char *signature, struct shape_text *s, struct weir_error *error)
{
    const char *p = signature;
    uint32_t keys;
    s->spec.size = sizeof s->spec;
    s->spec.kind = WEIR_TABLE;
    if (!skip(&p, "v") || !take_number(&p, &s->spec.version) || !skip(&p, " ")) goto bad;
    if (skip(&p, "rows ")) s->spec.kind = WEIR_ROWS;
    if (!skip(&p, "key(")) goto bad;
    while (*p && *p != '/') {
        if (s->n && !skip(&p, ", ")) goto bad;
        if (!take_column(&p, s)) goto bad;
    }
    keys = s->n;
    if (!skip(&p, "/") || !take_number(&p, &s->spec.n_distribution) || !skip(&p, ")")) goto bad;
    while (*p && *p != ';') {
        if (!skip(&p, s->n == keys ? " " : ", ") || !take_column(&p, s)) goto bad;
    }
    if (!skip(&p, "; ")) goto bad;
    s->spec.signature = p;
    s->spec.key = &s->key;
    s->spec.n_columns = s->n - keys;
    s->spec.columns = s->columns ? s->columns + keys : NULL;
    return key_schema(s, keys, error);
bad:
    return weir_fail(error, WEIR_DATA, "the shape is not understood at byte %u of \"%.200s\"",
                     (uint32_t)(p - signature), signature);
}

static void shape_free(struct shape_text *s)
{
    schema_release(&s->key);
    for (uint32_t i = 0; i < s->n; i++) free(s->names[i]);
    free(s->names);
    free(s->columns);
}

static int32_t declare(struct look *look, struct look_table *table)
{
    struct shape_text shape = { 0 };
    const char *slash = strchr(table->name, '/');
    char *instance = slash ? strndup(table->name, (size_t)(slash - table->name)) : NULL;
    uint32_t number;
    int32_t class = parse(table->signature, &shape, &table->error);
    if (class == WEIR_OK && !slash)
        class = weir_fail(&table->error, WEIR_DATA, "the table has no name of its own");
    if (class == WEIR_OK) {
        shape.spec.name = slash + 1;
        table->store = store_create(look->seed);
        table->op = table->store && instance ? store_operator(table->store, instance) : NULL;
        class = table->op ? store_declare(table->op, &shape.spec, &number, &table->error)
                          : weir_fail(&table->error, WEIR_FATAL, "out of memory");
    }
    if (class == WEIR_OK) {
        char *again = store_signature(table->op, 0);
        if (!again || strcmp(again, table->signature) != 0)
            class = weir_fail(&table->error, again ? WEIR_DATA : WEIR_FATAL,
                              "the shape \"%.200s\" is not understood", table->signature);
        mem_free(again);
    }
    shape_free(&shape);
    free(instance);
    return class;
}

static int32_t restore(struct look *look, struct look_table *table, const struct look_piece *piece)
{
    struct weir_bytes bytes = piece->bytes;
    uint8_t *read = NULL;
    int32_t class = WEIR_OK;
    if (!bytes.data && !look->log)
        return weir_fail(&table->error, WEIR_DATA, "the log is damaged");
    if (!bytes.data) {
        class = log_extent_read(look->log, &piece->extent, &read, &table->error);
        bytes = (struct weir_bytes){ read, piece->extent.length };
    }
    if (class == WEIR_OK)
        class = store_restore(table->op, 0, piece->group, (int)piece->base, bytes, &table->error);
    mem_free(read);
    return class;
}

int32_t look_restore(struct look *look, struct look_table *table)
{
    uint32_t first, n = look_pieces(look, table->name, &first);
    int32_t class;
    if (table->store || table->error.error_class != WEIR_OK) return table->error.error_class;
    if (!table->signature)
        return weir_fail(&table->error, WEIR_DATA, "the job of the log does not have it");
    class = declare(look, table);
    for (uint32_t i = first; class == WEIR_OK && i < first + n; i++)
        class = restore(look, table, &look->pieces[i]);
    return class;
}
