/*
 * json.c - rows from JSON text: [["a", 1], ["b", null]], an array of rows in column order.
 *
 * This is the form of `rows` options and of test files, not of the data path. Values: text, numbers
 * and bools as themselves (no "5" for a number; integers without point or exponent), timestamps
 * and dates as text, binary as base64, "NaN", "Infinity" and "-Infinity" for floats, lists as
 * arrays, structs as objects, in which a missing member is null.
 */
#include "core/data/node.h"

#include <jansson.h>
#include <math.h>

/* Where in the rows the parser is, for messages. */
struct place {
    uint64_t row; /* from 1 */
    const char *column;
    struct weir_error *error;
};

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_NULL: return "null";
    default: return "a bool";
    }
}

static int32_t fail_value(const struct place *place, const char *want, const json_t *value)
{
    return weir_fail(place->error, WEIR_CONFIG, "row %llu, column '%.100s': %s expected, found %s",
                     (unsigned long long)place->row, place->column, want, kind_of(value));
}

static int32_t fail_range(const struct place *place, const char *what)
{
    return weir_fail(place->error, WEIR_CONFIG, "row %llu, column '%.100s': %s",
                     (unsigned long long)place->row, place->column, what);
}

static int32_t done(const struct place *place, int32_t rc, const char *what)
{
    if (rc == WEIR_DATA) return fail_range(place, what);
    return rc ? array_no_memory(place->error) : WEIR_OK;
}

static int32_t add_float(const struct place *place, const json_t *value, struct weir_builder *b)
{
    double number = 0;
    if (json_is_number(value)) {
        number = json_number_value(value);
    } else if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (strcmp(text, "NaN") == 0) number = NAN;
        else if (strcmp(text, "Infinity") == 0) number = INFINITY;
        else if (strcmp(text, "-Infinity") == 0) number = -INFINITY;
        else return fail_value(place, "a number", value);
    } else {
        return fail_value(place, "a number", value);
    }
    return done(place, builder_append_float(b, number), "");
}

static int32_t add_time(const struct place *place, uint32_t type, const json_t *value,
                        struct weir_builder *b)
{
    const int date = type == WEIR_TYPE_DATE;
    const char *text = json_string_value(value);
    int64_t us = 0;
    int32_t days = 0;
    int rc;
    if (!text) return fail_value(place, date ? "a date as text" : "a timestamp as text", value);
    rc = date ? date_of_text(text, json_string_length(value), &days)
              : timestamp_of_text(text, json_string_length(value), &us);
    if (rc == -2) return fail_range(place, "the year is outside of 0001 to 9999");
    if (rc)
        return fail_range(place, date ? "the text is not a date like 2024-01-02"
                                      : "the text is not a timestamp like 2024-01-02T03:04:05Z");
    return done(place, builder_append_int(b, date ? days : us), "the time is out of range");
}

static int32_t add_bytes(const struct place *place, uint32_t type, const json_t *value,
                         struct weir_builder *b)
{
    const char *text = json_string_value(value);
    const uint64_t n = json_string_length(value);
    uint64_t length;
    uint8_t *bytes;
    int32_t rc;
    if (!text) return fail_value(place, type == WEIR_TYPE_UTF8 ? "a string" : "base64 text", value);
    if (type == WEIR_TYPE_UTF8)
        return done(place, builder_append_bytes(b, text, n), "the text is too long");
    bytes = mem_alloc(n / 4 * 3 + 3);
    if (!bytes) return array_no_memory(place->error);
    if (base64_decode(text, n, bytes, &length)) rc = fail_range(place, "the text is not base64");
    else rc = done(place, builder_append_bytes(b, bytes, length), "the value is too long");
    mem_free(bytes);
    return rc;
}

static int32_t add_value(const struct place *place, const struct ArrowSchema *schema,
                         const json_t *value, struct weir_builder *b);

static int32_t add_struct(const struct place *place, const struct ArrowSchema *schema,
                          json_t *value, struct weir_builder *b)
{
    const char *name;
    json_t *member;
    int64_t i;
    int32_t rc = WEIR_OK;
    if (!json_is_object(value)) return fail_value(place, "an object", value);
    json_object_foreach(value, name, member)
        if (weir_column_index(schema, name) < 0)
            return weir_fail(place->error, WEIR_CONFIG,
                             "row %llu, column '%.100s': the struct has no field '%.100s'",
                             (unsigned long long)place->row, place->column, name);
    for (i = 0; i < schema->n_children && !rc; i++) {
        member = json_object_get(value, schema->children[i]->name);
        rc = add_value(place, schema->children[i], member, builder_child(b, (uint32_t)i));
    }
    return rc ? rc : done(place, builder_append_valid(b), "");
}

static int32_t add_list(const struct place *place, const struct ArrowSchema *schema,
                        const json_t *value, struct weir_builder *b)
{
    size_t i;
    int32_t rc = WEIR_OK;
    if (!json_is_array(value)) return fail_value(place, "an array", value);
    for (i = 0; i < json_array_size(value) && !rc; i++)
        rc = add_value(place, schema->children[0], json_array_get(value, i), builder_child(b, 0));
    return rc ? rc : done(place, builder_append_valid(b), "");
}

/* value NULL: a member that is missing */
static int32_t add_value(const struct place *place, const struct ArrowSchema *schema,
                         const json_t *value, struct weir_builder *b)
{
    const uint32_t type = weir_type_of(schema);
    if (!value || json_is_null(value))
        return done(place, builder_append_null(b), "null in a column that is not null");
    switch (type) {
    case WEIR_TYPE_BOOL:
        if (!json_is_boolean(value)) return fail_value(place, "true or false", value);
        return done(place, builder_append_int(b, json_is_true(value)), "");
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_INT64:
        if (!json_is_integer(value)) return fail_value(place, "an integer", value);
        return done(place, builder_append_int(b, json_integer_value(value)),
                    "the number is out of the range of int32");
    case WEIR_TYPE_FLOAT64: return add_float(place, value, b);
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_DATE: return add_time(place, type, value, b);
    case WEIR_TYPE_LIST: return add_list(place, schema, value, b);
    case WEIR_TYPE_STRUCT: return add_struct(place, schema, (json_t *)(uintptr_t)value, b);
    default: return add_bytes(place, type, value, b);
    }
}

static int32_t add_row(struct place *place, const struct ArrowSchema *schema, const json_t *row,
                       struct weir_builder *b)
{
    int64_t i;
    int32_t rc = WEIR_OK;
    if (!json_is_array(row))
        return weir_fail(place->error, WEIR_CONFIG, "row %llu: an array expected, found %s",
                         (unsigned long long)place->row, kind_of(row));
    if (json_array_size(row) != (size_t)schema->n_children)
        return weir_fail(place->error, WEIR_CONFIG, "row %llu: %lld values expected, found %zu",
                         (unsigned long long)place->row, (long long)schema->n_children,
                         json_array_size(row));
    for (i = 0; i < schema->n_children && !rc; i++) {
        place->column = schema->children[i]->name;
        rc = add_value(place, schema->children[i], json_array_get(row, (size_t)i),
                       builder_child(b, (uint32_t)i));
    }
    return rc ? rc : done(place, builder_append_valid(b), "");
}

int32_t rows_parse(const struct ArrowSchema *schema, const char *json, uint64_t length,
                   struct ArrowArray *out, struct weir_error *error)
{
    struct place place = { 0, "", error };
    struct weir_builder *builder = NULL;
    json_error_t at;
    json_t *rows = NULL;
    size_t i;
    int32_t rc = builder_create(schema, &builder, error);
    memset(out, 0, sizeof *out);
    if (rc) return rc;
    rows = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);
    if (!rows) {
        rc = weir_fail(error, WEIR_CONFIG, "rows: line %d, column %d: %s", at.line, at.column,
                       at.text);
    } else if (!json_is_array(rows)) {
        rc = weir_fail(error, WEIR_CONFIG, "rows: an array of rows expected, found %s",
                       kind_of(rows));
    }
    for (i = 0; !rc && i < json_array_size(rows); i++) {
        place.row = i + 1;
        rc = add_row(&place, schema, json_array_get(rows, i), builder);
    }
    if (!rc) rc = builder_finish(builder, out, error);
    json_decref(rows);
    builder_destroy(builder);
    return rc;
}
