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
 * the full parser, so there is one place that judges records.
 *
 * Several shapes are kept, as streams are mixed. A stream without a shape costs at most a try of
 * each first literal; after MISSES_MAX records in a row that fitted none, REST records are not tried.
 */
#include "plugins/format_json/json_shape.h"

#include <string.h>

#include "plugins/share/text.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define MISSES_MAX 64u
#define REST 4096u

/* ---- reading ---- */

struct reading {
    const struct json_plan *plan;
    struct column *columns;
    const uint8_t *at, *end;
    uint64_t length; /* of the record */
    int out; /* 1: the condition is not true, so what else it holds is only looked at */
};

#if defined(__x86_64__)
static inline int literal_fits(const uint8_t *text, const uint8_t *literal, uint32_t n)
{
    for (;; text += 16, literal += 16, n -= 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)text);
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)literal);
        const uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
        if (n <= 16) return (equal | ~0u << n) == ~0u;
        if (equal != 0xffff) return 0;
    }
}

/* The length of a string from its first byte to its closing quote, which lies before `most`; -1
 * where something else ends it. Copies it to `to` (room for `most` and 16), if that is not NULL.
 * *wide: bytes over 127 were seen. */
static inline int64_t scan_string(const uint8_t *from, uint64_t most, uint8_t *to, uint32_t *wide)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    *wide = 0;
    for (uint64_t at = 0; at < most; at += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + at));
        const __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(v, slash),
                                         _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        const uint32_t ends = (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                                                       odd));
        const uint32_t high = (uint32_t)_mm_movemask_epi8(v);
        if (to) _mm_storeu_si128((__m128i *)(void *)(to + at), v);
        if (ends) {
            const uint32_t first = (uint32_t)__builtin_ctz(ends);
            *wide |= high & ((1u << first) - 1);
            return from[at + first] == '"' && at + first < most ? (int64_t)(at + first) : -1;
        }
        *wide |= high;
    }
    return -1;
}
#else
static inline int literal_fits(const uint8_t *text, const uint8_t *literal, uint32_t n)
{
    return memcmp(text, literal, n) == 0;
}

static inline int64_t scan_string(const uint8_t *from, uint64_t most, uint8_t *to, uint32_t *wide)
{
    *wide = 0;
    for (uint64_t at = 0; at < most; at++) {
        if (from[at] == '"') return (int64_t)at;
        if (from[at] == '\\' || from[at] < 0x20) return -1;
        *wide |= from[at] & 0x80;
        if (to) to[at] = from[at];
    }
    return -1;
}
#endif

static int put_string(struct reading *r, struct column *c)
{
    const uint64_t most = (uint64_t)(r->end - r->at);
    uint32_t wide;
    int64_t n, us;
    int32_t days;
    if (c && c->type == WEIR_TYPE_UTF8) {
        if (!column_grow(c, r->length + 64)) return 0;
        n = scan_string(r->at, most, c->bytes + c->length, &wide);
    } else {
        n = scan_string(r->at, most, NULL, &wide);
    }
    if (n < 0 || (wide && !utf8_ok(r->at, (size_t)n))) return 0;
    const char *text = (const char *)r->at;
    r->at += n + 1;
    if (!c) return 1;
    if (r->plan->condition >= 0 && c == &r->columns[r->plan->condition])
        r->out = (uint64_t)n != r->plan->equals.length ||
                 memcmp(text, r->plan->equals.data, (size_t)n) != 0;
    if (c->type == WEIR_TYPE_UTF8) {
        c->length += (uint64_t)n;
        ((int32_t *)(void *)c->values)[++c->rows] = (int32_t)c->length;
        return 1;
    }
    if (c->type == WEIR_TYPE_TIMESTAMP && !r->plan->timestamp_unit)
        return text_to_timestamp(text, (size_t)n, &us) && column_add_int(c, us);
    if (c->type == WEIR_TYPE_DATE)
        return text_to_date(text, (size_t)n, &days) && column_add_int(c, days);
    return 0;
}

static int ends_token(uint8_t c)
{
    return c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
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
    const int small = c && c->type == WEIR_TYPE_INT32;
    int64_t whole;
    double number;
    if (!json_number_ok(token, n)) return 0;
    if (!c) return 1;
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

static int put_token(struct reading *r, struct column *c)
{
    const uint8_t *text = r->at;
    while (r->at < r->end && !ends_token(*r->at)) r->at++;
    const uint64_t n = (uint64_t)(r->at - text);
    if (n == 4 && memcmp(text, "null", 4) == 0)
        return !c || (!c->not_null && column_add_null(c));
    const int yes = n == 4 && memcmp(text, "true", 4) == 0;
    if (yes || (n == 5 && memcmp(text, "false", 5) == 0))
        return !c || (c->type == WEIR_TYPE_BOOL && column_add_bool(c, yes));
    return n && put_number(c, text, n);
}

static int read_shape(const struct json_shape *shape, struct reading *r)
{
    for (uint32_t i = 0;; i++) {
        const struct json_literal *l = &shape->literals[i];
        if ((uint64_t)(r->end - r->at) < l->length ||
            !literal_fits(r->at, shape->bytes + l->at, l->length))
            return 0;
        r->at += l->length;
        if (i + 1 == shape->n) return r->at == r->end;
        struct column *c = l->column >= 0 ? &r->columns[l->column] : NULL;
        if (r->out && c && c->type == WEIR_TYPE_UTF8) c = NULL;
        if (r->at < r->end && *r->at == '"') {
            r->at++;
            if (!put_string(r, c)) return 0;
        } else if (!put_token(r, c)) {
            return 0;
        }
    }
}

static void take_back(const struct json_shape *shape, struct column *columns, uint32_t row)
{
    for (uint32_t i = 0; i < shape->n; i++)
        if (shape->literals[i].column >= 0)
            column_truncate(&columns[shape->literals[i].column], row);
}

static int begins(const struct json_shape *shape, const uint8_t *text, uint64_t length)
{
    const struct json_literal *first = &shape->literals[0];
    return shape->n && first->length <= length &&
           memcmp(text, shape->bytes + first->at, first->length) == 0;
}

int json_shapes_read(struct json_shapes *shapes, const struct json_plan *plan,
                     struct column *columns, uint32_t row, const uint8_t *text, uint64_t length)
{
    if (shapes->off) return -1;
    if (shapes->rest) {
        shapes->rest--;
        return -1;
    }
    for (uint32_t k = 0; k < SHAPES_MAX; k++) {
        struct reading r = { plan, columns, text, text + length, length, 0 };
        if (!begins(&shapes->shapes[k], text, length)) continue;
        if (read_shape(&shapes->shapes[k], &r)) {
            shapes->misses = 0;
            if (!r.out) return JSON_ROW;
            take_back(&shapes->shapes[k], columns, row);
            return JSON_LEFT_OUT;
        }
        take_back(&shapes->shapes[k], columns, row);
    }
    if (++shapes->misses >= MISSES_MAX) {
        shapes->misses = 0;
        shapes->rest = REST;
    }
    return -1;
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
    const uint32_t length = (uint32_t)(until - from), room = (length + 15) / 16 * 16;
    if (shape->n > SHAPE_MEMBERS || shape->n_bytes + room > SHAPE_BYTES) return 0;
    for (uint32_t i = 0; column >= 0 && i < shape->n; i++)
        if (shape->literals[i].column == column) return 0; /* twice: the last one counts */
    shape->literals[shape->n++] = (struct json_literal){ shape->n_bytes, length, column };
    memcpy(shape->bytes + shape->n_bytes, from, length);
    shape->n_bytes += room;
    return 1;
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
        else while (at < end && !ends_token(*at)) at++;
        if (!at) return 0;
        literal = at;
        at = skip_blanks(at, end);
        if (at < end && *at == '}') return add_literal(shape, literal, end, -1);
        if (at >= end || *at != ',') return 0;
    }
    return 0;
}

void json_shapes_learn(struct json_shapes *shapes, const struct json_plan *plan,
                       const uint8_t *text, uint64_t length)
{
    struct json_shape *shape = &shapes->shapes[shapes->next];
    if (shapes->rest || shapes->off) return;
    shape->n = shape->n_bytes = 0;
    if (!learn(shape, plan, text, text + length)) {
        shape->n = 0;
        return;
    }
    shapes->next = (shapes->next + 1) % SHAPES_MAX;
}
