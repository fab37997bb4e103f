/*
 * Rows are compared by the texts of their values: two values are equal if and only if their
 * canonical texts are. So 1.0 is not 1, but a 1 that is expected in a column of floats is 1.0, as a
 * person writes it there. NaN (a float has the text "NaN") equals itself, -0.0 is
 * 0.0, and the members of a struct have no order.
 */
#include "sdk/check/rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/array.h"

#define LINES_MAX 40u
#define WIDTH 100u

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void object_put(FILE *to, const json_t *object, int sorted)
{
    size_t n = json_object_size(object), i = 0;
    const char **names = calloc(n + 1, sizeof *names), *name;
    json_t *value;
    fputc('{', to);
    if (names) {
        json_object_foreach((json_t *)(uintptr_t)object, name, value) names[i++] = name;
        if (sorted) qsort(names, n, sizeof *names, by_text);
    }
    for (i = 0; names && i < n; i++) {
        json_t *key = json_string(names[i]);
        if (i) fputs(", ", to);
        value_put(to, key, 0);
        fputs(": ", to);
        value_put(to, json_object_get(object, names[i]), sorted);
        json_decref(key);
    }
    free(names);
    fputc('}', to);
}

void value_put(FILE *to, const json_t *value, int sorted)
{
    char text[32];
    size_t i;
    const json_t *item;
    switch (json_typeof(value)) {
    case JSON_OBJECT: object_put(to, value, sorted); break;
    case JSON_ARRAY:
        fputc('[', to);
        json_array_foreach(value, i, item)
        {
            if (i) fputs(", ", to);
            value_put(to, item, sorted);
        }
        fputc(']', to);
        break;
    case JSON_REAL:
        text_of_float(json_real_value(value) == 0 ? 0.0 : json_real_value(value), text);
        fputs(text, to);
        break;
    default: json_dumpf(value, to, JSON_ENCODE_ANY | JSON_COMPACT);
    }
}

void rows_put(FILE *to, const json_t *rows, size_t column)
{
    char *line = NULL;
    size_t n = 0, i;
    const json_t *row;
    FILE *text = open_memstream(&line, &n);
    if (!text) return;
    value_put(text, rows, 0);
    fclose(text);
    if (line && column + n <= WIDTH) {
        fwrite(line, 1, n, to);
    } else {
        json_array_foreach(rows, i, row)
        {
            if (i) fprintf(to, ",\n%*s", (int)column, "");
            else fputc('[', to);
            value_put(to, row, 0);
        }
        fputc(']', to);
    }
    free(line);
}

/* ---- comparison ---- */

struct lines {
    char **texts;
    size_t n;
};

static void lines_fini(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) free(lines->texts[i]);
    free(lines->texts);
}

static int lines_init(struct lines *lines, const json_t *rows)
{
    size_t i, length;
    const json_t *row;
    lines->n = 0;
    lines->texts = calloc(json_array_size(rows) + 1, sizeof *lines->texts);
    if (!lines->texts) return -1;
    json_array_foreach(rows, i, row)
    {
        FILE *text = open_memstream(&lines->texts[i], &length);
        if (!text) return -1;
        lines->n = i + 1;
        value_put(text, row, 1);
        if (fclose(text) != 0 || !lines->texts[i]) return -1;
    }
    return 0;
}

static void say(FILE *to, size_t *said, char mark, const char *text)
{
    if (++*said <= LINES_MAX) fprintf(to, "#   %c %s\n", mark, text);
    else if (*said == LINES_MAX + 1) fputs("#   …\n", to);
}

/* Both sides in their order: what stands at the same place in both goes unmarked. */
static int compare_exact(const struct lines *want, const struct lines *got, FILE *to)
{
    size_t n = want->n > got->n ? want->n : got->n, said = 0;
    int differ = want->n != got->n;
    for (size_t i = 0; i < n && !differ; i++) differ = strcmp(want->texts[i], got->texts[i]) != 0;
    if (!differ) return 0;
    for (size_t i = 0; i < n; i++) {
        int both = i < want->n && i < got->n;
        if (both && strcmp(want->texts[i], got->texts[i]) == 0) {
            say(to, &said, ' ', got->texts[i]);
            continue;
        }
        if (i < want->n) say(to, &said, '-', want->texts[i]);
        if (i < got->n) say(to, &said, '+', got->texts[i]);
    }
    return 1;
}

static int compare_any(struct lines *want, struct lines *got, FILE *to)
{
    size_t i = 0, k = 0, said = 0;
    qsort(want->texts, want->n, sizeof *want->texts, by_text);
    qsort(got->texts, got->n, sizeof *got->texts, by_text);
    while (i < want->n || k < got->n) {
        int order = i == want->n ? 1 : k == got->n ? -1 : strcmp(want->texts[i], got->texts[k]);
        if (order == 0) i++, k++;
        else if (order < 0) say(to, &said, '-', want->texts[i++]);
        else say(to, &said, '+', got->texts[k++]);
    }
    return said > 0;
}

/* Whether the rows have a float in a column. */
static int is_float_column(const json_t *rows, size_t column)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) if (json_is_real(json_array_get(row, column))) return 1;
    return 0;
}

/* What is expected, with integers in columns of floats as floats. Owner: the caller. */
static json_t *as_columns(const json_t *expected, const json_t *got)
{
    json_t *rows = json_array(), *row;
    size_t i, k, n = 0;
    const json_t *from;
    json_array_foreach(expected, i, from)
        json_array_append_new(rows, json_copy((json_t *)(uintptr_t)from));
    json_array_foreach(rows, i, row) if (json_array_size(row) > n) n = json_array_size(row);
    for (k = 0; k < n; k++) {
        if (!is_float_column(got, k)) continue;
        json_array_foreach(rows, i, row) if (json_is_integer(json_array_get(row, k)))
            json_array_set_new(row, k, json_real(json_number_value(json_array_get(row, k))));
    }
    return rows;
}

int rows_compare(const json_t *expected, const json_t *got, int exact, FILE *to)
{
    struct lines want = { 0 }, have = { 0 };
    json_t *typed = as_columns(expected, got);
    int result = -1;
    if (typed && lines_init(&want, typed) == 0 && lines_init(&have, got) == 0)
        result = exact ? compare_exact(&want, &have, to) : compare_any(&want, &have, to);
    lines_fini(&want);
    lines_fini(&have);
    json_decref(typed);
    return result;
}
