/*
 * signature.c - the shape of a table as text, and whether state of one shape fits another.
 *
 *     v1 key(user string, day date/1) n int64, total float64, until timestamp timer; sum(amount)
 *     version, [rows,] key columns, how many are the distribution, columns, what else must agree
 *
 * It is logged, so it doesn't change. In names each of ` ,;()/\` has a backslash before it.
 */
#include "core/state/store.h"
#include "core/state/shape.h"

static const char *type_word(uint32_t type)
{
    static const char *const words[] = { "none",   "bool",   "int32",     "int64", "float64",
                                         "string", "binary", "timestamp", "date" };
    return words[type];
}

static int32_t add_text(struct weir_buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text));
}

static int32_t add_column(struct weir_buffer *out, const struct shape_column *c)
{
    int32_t rc = WEIR_OK;
    const char *p;
    for (p = c->name; !rc && *p; p++) {
        if (strchr(" ,;()/\\", *p)) rc = buffer_add(out, "\\", 1);
        if (!rc) rc = buffer_add(out, p, 1);
    }
    if (!rc) rc = buffer_add(out, " ", 1);
    if (!rc) rc = add_text(out, type_word(c->type));
    if (!rc && (c->flags & WEIR_COLUMN_TIMER)) rc = add_text(out, " timer");
    if (!rc && (c->flags & WEIR_COLUMN_EVENT_TIME)) rc = add_text(out, " of event time");
    return rc;
}

char *shape_signature(const struct shape *s)
{
    struct weir_buffer out = { NULL, 0, 0 };
    char number[32];
    int32_t rc;
    uint32_t i;
    snprintf(number, sizeof number, "v%u %skey(", s->version, s->kind == WEIR_ROWS ? "rows " : "");
    rc = add_text(&out, number);
    for (i = 0; !rc && i < s->n_keys; i++) {
        if (i) rc = add_text(&out, ", ");
        if (!rc) rc = add_column(&out, &s->keys[i]);
    }
    snprintf(number, sizeof number, "/%u)", s->n_distribution);
    if (!rc) rc = add_text(&out, number);
    for (i = 0; !rc && i < s->n_columns; i++) {
        rc = add_text(&out, i ? ", " : " ");
        if (!rc) rc = add_column(&out, &s->columns[i]);
    }
    if (!rc) rc = add_text(&out, "; ");
    if (!rc) rc = buffer_add(&out, s->signature, strlen(s->signature) + 1);
    if (!rc) return (char *)out.data;
    mem_free(out.data);
    return NULL;
}

/* Length of the text up to the first of `stops` without a backslash, or its end. */
static size_t until(const char *text, const char *stops)
{
    size_t n = 0;
    while (text[n] && !strchr(stops, text[n])) n += text[n] == '\\' && text[n + 1] ? 2 : 1;
    return n;
}

static int same(const char *a, size_t n, const char *b, size_t m)
{
    return n == m && memcmp(a, b, n) == 0;
}

/* Is column `was` of n bytes the column `is` of m, or one that became an int64? */
static int column_fits(const char *was, size_t n, const char *is, size_t m)
{
    const size_t name = until(was, " ");
    if (same(was, n, is, m)) return 1;
    return n == m && name < n && memcmp(was, is, name) == 0 &&
           same(was + name, n - name, " int32", 6) && same(is + name, m - name, " int64", 6);
}

/* May the columns `is` be added, from the comma before them on? They are zero in records that are
 * there, but a timer is not: none of them would ever be due. */
static int added_fit(const char *is)
{
    while (*is == ' ' || *is == ',') {
        is += *is == ',' ? 2 : 1;
        is += until(is, " ");
        is += *is == ' ';
        is += until(is, " ,;");
        if (*is == ' ') return 0; /* behind its type: "timer" */
    }
    return *is == ';';
}

int store_signature_fits(const char *was, const char *is)
{
    size_t n = until(was, ")"), m = until(is, ")");
    if (!same(was, n, is, m) || !was[n]) return 0;
    was += n + 1;
    is += m + 1;
    while (*was && *was != ';') {
        n = until(was, ",;");
        m = until(is, ",;");
        /* the first column has a space before it, the others a comma as well */
        if (!n || !m || !column_fits(was + 1, n - 1, is + 1, m - 1)) return 0;
        was += n;
        is += m;
        if (*was == ',') was++;
        if (*is == ',') is++;
    }
    if (!added_fit(is)) return 0;
    is += until(is, ";");
    return strcmp(was, is) == 0;
}
