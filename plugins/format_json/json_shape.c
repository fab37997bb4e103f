/*
 * json_shape.c - speculation on layout (as Mison and Sparser do it; Li et al., VLDB 2017).
 *
 * Machines write the records of a stream with the same members in the same order and the same
 * blanks. The bytes between the values of a record that the full parser took, the *literals*, are
 * its shape:
 *
 *     {"user": "ann", "n": 12}      literals  {"user":   , "n":   }
 *
 * A record is read by comparing literals and scanning values in turn. What fits is JSON: outside of
 * the values it has the very bytes of a record that was, and each value is a string without
 * backslash, quote or control character, or a number, true, false or null. Whatever else comes - an
 * escape, a nested value, another order, a value that does not fit its column - is left to
 * the full parser, so there is one place that judges records. The end of a record is found by its
 * shape, too, as a line feed is in none of the values.
 *
 * A record is walked over to its end (json_walk.c), then the condition of the plan is looked at,
 * and only then values go into columns. A record that is bad is so whether it is out or not: of one
 * that is out values are looked at that may not fit their columns.
 *
 * Several shapes are kept, as streams are mixed; the one that fitted last is tried first. A stream
 * without a shape costs at most a try of each first literal; after MISSES_MAX records in a row that
 * fitted none, REST records are not tried.
 */
#include "plugins/format_json/json_shape.h"

#include <stddef.h>
#include <string.h>

#include "plugins/share/text.h"

#define MISSES_MAX 64u
#define REST 4096u

void json_shapes_init(struct json_shapes *shapes)
{
    memset(shapes, 0, sizeof *shapes);
    for (uint32_t k = 0; k < SHAPES_MAX; k++) shapes->first[k] = 1; /* none begins so, with mask 0 */
    shapes->walk = json_walk();
}

/* ---- values into columns ---- */

static inline int put_text(struct column *c, const uint8_t *text, uint64_t n)
{
    if ((c->rows == c->capacity || c->length + n + 16 > c->room) && !column_grow(c, n + 16))
        return 0;
    uint8_t *to = c->bytes + c->length;
    for (uint64_t at = 0; at < n; at += 16) memcpy(to + at, text + at, 16);
    c->length += n;
    ((int32_t *)(void *)c->values)[++c->rows] = (int32_t)c->length;
    return 1;
}

static int put_string(const struct json_plan *plan, struct column *c, const uint8_t *text,
                      uint64_t n)
{
    int64_t us;
    int32_t days;
    if (c->type == WEIR_TYPE_TIMESTAMP && !plan->timestamp_unit)
        return text_to_timestamp((const char *)text, n, &us) && column_add_int(c, us);
    if (c->type == WEIR_TYPE_DATE)
        return text_to_date((const char *)text, n, &days) && column_add_int(c, days);
    return 0;
}

/* Whether a token that is a number is one of integers: without fraction and exponent. */
static int is_whole(const uint8_t *text, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if ((text[i] < '0' || text[i] > '9') && text[i] != '-') return 0;
    return 1;
}

static int put_number(struct column *c, const uint8_t *text, uint64_t n)
{
    const char *token = (const char *)text;
    const int small = c->type == WEIR_TYPE_INT32;
    int64_t whole;
    double number;
    switch (c->type) {
    case WEIR_TYPE_UTF8: return column_add_bytes(c, text, n);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_INT64:
        return is_whole(text, n) &&
               text_to_int(token, n, small ? INT32_MIN : INT64_MIN, small ? INT32_MAX : INT64_MAX,
                           &whole) &&
               column_add_int(c, whole);
    case WEIR_TYPE_FLOAT64: return text_to_float(token, n, &number) && column_add_float(c, number);
    default: return 0;
    }
}

static int put_token(struct column *c, const uint8_t *text, uint64_t n)
{
    if (*text == 'n') return !c->not_null && column_add_null(c);
    if (*text == 't' || *text == 'f')
        return c->type == WEIR_TYPE_BOOL && column_add_bool(c, *text == 't');
    return put_number(c, text, n);
}

/* ---- a record ---- */

/* Whether the condition is not true of a record; a null is not equal to anything. */
static int is_out(const struct json_shape *shape, const struct json_plan *plan,
                  const struct json_value *values)
{
    if (plan->condition < 0) return 0;
    if (shape->condition < 0) return 1;
    const struct json_value *v = &values[shape->condition];
    return (!v->is_string && *v->text == 'n') || v->length != plan->equals.length ||
           !json_text_is(v->text, plan->equals.data, v->length);
}

/* Values into columns; of a record that is out, those that could be found not to fit. 0: one does
 * not fit. */
static int put_values(const struct json_shape *shape, const struct json_plan *plan,
                      struct column *columns, const struct json_value *values, int out)
{
    for (uint32_t i = 0; i + 1 < shape->n; i++) {
        const struct json_value *v = &values[i];
        if (shape->literals[i].column < 0) continue;
        struct column *c = &columns[shape->literals[i].column];
        int ok;
        if (!v->is_string && (!out || c->type != WEIR_TYPE_UTF8 || *v->text == 'n'))
            ok = put_token(c, v->text, v->length);
        else if (c->type == WEIR_TYPE_UTF8) ok = out || put_text(c, v->text, v->length);
        else ok = put_string(plan, c, v->text, v->length);
        if (!ok) return 0;
    }
    return 1;
}

static void take_back(const struct json_shape *shape, struct column *columns, uint32_t row)
{
    for (uint32_t i = 0; i + 1 < shape->n; i++)
        if (shape->literals[i].column >= 0)
            column_truncate(&columns[shape->literals[i].column], row);
}

/* Nulls for columns that the shape lacks. 0: there is no memory. */
static int complete(const struct json_plan *plan, struct column *columns, uint32_t row)
{
    for (uint32_t i = 0; i < plan->n_columns; i++)
        if (columns[i].rows == row && !column_add_null(&columns[i])) return 0;
    return 1;
}

/* Behind a record that ends at `at`: behind its line feed, if it ends there; else NULL. */
static const uint8_t *behind_line(const uint8_t *at, const uint8_t *end, int32_t alone)
{
    if (at == end) return at;
    if (alone) return NULL;
    if (*at == '\n') return at + 1;
    return *at == '\r' && end - at > 1 && at[1] == '\n' ? at + 2 : NULL;
}

/* Reads the record at `text` by one shape: where the next one begins, or NULL if it has another. */
static inline const uint8_t *read_by(struct json_shapes *shapes, uint32_t k,
                                     const struct json_plan *plan, struct column *columns,
                                     struct json_run *run, const uint8_t *text, const uint8_t *end)
{
    struct json_value values[SHAPE_MEMBERS];
    struct json_shape *shape = &shapes->shapes[k];
    const uint64_t left = (uint64_t)(end - text);
    const uint64_t most = left < JSON_LONG_RECORD ? left : JSON_LONG_RECORD;
    const uint64_t length = shapes->walk(shape, text, most, values);
    const uint8_t *behind = length ? behind_line(text + length, end, run->alone) : NULL;
    if (!behind) return NULL;
    const int out = is_out(shape, plan, values);
    if (out && shape->all_fit) {
        run->left_out++;
        return behind;
    }
    if (!put_values(shape, plan, columns, values, out) ||
        (!out && !shape->whole && !complete(plan, columns, run->rows))) {
        for (uint32_t i = 0; i < plan->n_columns; i++) column_truncate(&columns[i], run->rows);
        return NULL;
    }
    if (out) take_back(shape, columns, run->rows);
    run->left_out += (uint32_t)out;
    run->rows += !out;
    return behind;
}

/* Bits of the shapes that begin as the record does, as far as eight bytes say. */
static inline uint32_t alike(const struct json_shapes *shapes, uint64_t first)
{
    uint32_t bits = 0;
    for (uint32_t k = 0; k < SHAPES_MAX; k++)
        bits |= (uint32_t)((first & shapes->mask[k]) == shapes->first[k]) << k;
    return bits;
}

/* Reads the record at `text` by any shape, first by the one that fitted last. */
static const uint8_t *read_record(struct json_shapes *shapes, const struct json_plan *plan,
                                  struct column *columns, struct json_run *run,
                                  const uint8_t *text, const uint8_t *end)
{
    const uint8_t *next = NULL;
    uint32_t bits;
    uint64_t first;
    memcpy(&first, text, 8);
    if ((first & shapes->mask[shapes->last]) == shapes->first[shapes->last])
        next = read_by(shapes, shapes->last, plan, columns, run, text, end);
    if (next) return next;
    for (bits = alike(shapes, first) & ~(1u << shapes->last); bits && !next; bits &= bits - 1) {
        const uint32_t k = (uint32_t)__builtin_ctz(bits);
        next = read_by(shapes, k, plan, columns, run, text, end);
        if (next) shapes->last = k;
    }
    return next;
}

uint64_t json_shapes_run(struct json_shapes *shapes, const struct json_plan *plan,
                         struct column *columns, struct json_run *run, const uint8_t *text,
                         uint64_t length)
{
    const uint8_t *at = text, *const end = text + length;
    run->odd = 0;
    if (shapes->rest) {
        shapes->rest--;
        run->odd = 1;
        return 0;
    }
    while (at < end && run->rows < run->most && (uint64_t)(at - text) < run->enough) {
        const uint8_t *next = *at == '\n' && !run->alone
                                  ? at + 1
                                  : read_record(shapes, plan, columns, run, at, end);
        if (!next) {
            run->odd = 1;
            break;
        }
        at = next;
    }
    if (at > text) shapes->misses = 0;
    if (run->odd && ++shapes->misses >= MISSES_MAX) {
        shapes->misses = 0;
        shapes->rest = REST;
    }
    return (uint64_t)(at - text);
}

/* ---- learning: of a record that is known to be JSON ---- */

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) at++;
    return at;
}

/* Behind the closing quote of a string that begins at its first byte; NULL if it has escapes. */
static const uint8_t *behind_string(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != '"' && *at != '\\') at++;
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* The column that reads this member: -1 for none, -2 where it takes more than one plain value. */
static int32_t column_of(const struct json_plan *plan, const uint8_t *key, uint64_t n)
{
    for (uint32_t i = 0; i < plan->root.n_parts; i++) {
        const struct json_path *part = &plan->root.parts[i];
        if (part->index >= 0 || part->n_name != n || memcmp(part->name, key, n) != 0) continue;
        return part->n_parts == 0 && part->n_columns == 1 ? (int32_t)part->columns[0] : -2;
    }
    return -1;
}

static int add_literal(struct json_shape *shape, const uint8_t *from, const uint8_t *until,
                       int32_t column)
{
    for (uint32_t i = 0; column >= 0 && i < shape->n; i++)
        if (shape->literals[i].column == column) return 0; /* twice: the last one counts */
    return json_shape_add(shape, from, (uint32_t)(until - from), column);
}

static int learn(struct json_shape *shape, const struct json_plan *plan, const uint8_t *text,
                 const uint8_t *end)
{
    const uint8_t *literal = text, *at = skip_blanks(text, end);
    for (at++; at < end; at++) { /* behind { or , */
        at = skip_blanks(at, end);
        if (at >= end || *at != '"') return 0;
        const uint8_t *key = at + 1, *behind = behind_string(key, end);
        if (!behind) return 0;
        int32_t column = column_of(plan, key, (uint64_t)(behind - 1 - key));
        at = skip_blanks(behind, end);
        if (at >= end || *at != ':') return 0;
        at = skip_blanks(at + 1, end);
        if (column == -2 || at >= end || *at == '{' || *at == '[' ||
            !add_literal(shape, literal, at, column))
            return 0;
        if (*at == '"') at = behind_string(at + 1, end);
        else while (at < end && !json_ends_token(*at)) at++;
        if (!at) return 0;
        literal = at;
        at = skip_blanks(at, end);
        if (at < end && *at == '}') return add_literal(shape, literal, end, -1);
        if (at >= end || *at != ',') return 0;
    }
    return 0;
}

/* What a shape means for the plan. 0: its records lack a column that may not be null, and are left
 * to the full parser, which rejects them. */
static int judge(struct json_shape *shape, const struct json_plan *plan,
                 const struct column *columns)
{
    uint32_t named = 0, needed = 0;
    shape->condition = -1;
    shape->all_fit = 1;
    for (uint32_t i = 0; i < plan->n_columns; i++) needed += columns[i].not_null != 0;
    for (uint32_t i = 0; i < shape->n; i++) {
        const int32_t column = shape->literals[i].column;
        if (column < 0) continue;
        named++;
        needed -= columns[column].not_null != 0;
        if (column == plan->condition) shape->condition = (int32_t)i;
        if (columns[column].type != WEIR_TYPE_UTF8 || columns[column].not_null) shape->all_fit = 0;
    }
    shape->whole = named == plan->n_columns;
    return needed == 0;
}

/* What a record of the shape has in its first eight bytes; without one, what none has. */
static void set_first(struct json_shapes *shapes, uint32_t k)
{
    const struct json_shape *shape = &shapes->shapes[k];
    const uint32_t n = shape->n == 0 ? 0 : shape->literals[0].length < 8 ? shape->literals[0].length : 8;
    uint8_t mask[8] = { 0 };
    memset(mask, 0xff, n);
    memcpy(&shapes->mask[k], mask, 8);
    memcpy(&shapes->first[k], shape->literals[0].head, 8);
    shapes->first[k] = n ? shapes->first[k] & shapes->mask[k] : 1;
}

void json_shapes_learn(struct json_shapes *shapes, const struct json_plan *plan,
                       const struct column *columns, const uint8_t *text, uint64_t length)
{
    const uint32_t k = shapes->next;
    struct json_shape *made = &shapes->made;
    if (shapes->rest) return;
    made->n = made->n_bytes = made->walked = made->layout.n = 0;
    if (!learn(made, plan, text, text + length) || !judge(made, plan, columns)) return;
    memcpy(&shapes->shapes[k], made, offsetof(struct json_shape, layout));
    shapes->shapes[k].layout.n = 0;
    shapes->next = (k + 1) % SHAPES_MAX;
    set_first(shapes, k);
}
