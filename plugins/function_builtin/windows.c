/*
 * windows.c - window(t, length [, start]) and what a window is made of.
 *
 * The window of t is [s, s + length) with s congruent to `start` modulo length and s <= t; of a
 * window, that of its last microsecond. Length and start are literals: texts like '1h 30m', or
 * intervals.
 */
#include "nested.h"

#define BIND(name)                                                                                 \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)

/* ---- interval text: sign, then number and unit once or more ---- */

static int64_t unit_of(const uint8_t *word, uint64_t n)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = { { "us", 1 },           { "microsecond", 1 },     { "ms", 1000 },
                  { "millisecond", 1000 }, { "s", 1000000 },         { "second", 1000000 },
                  { "m", 60000000 },     { "minute", 60000000 },   { "h", 3600000000 },
                  { "hour", 3600000000 }, { "d", 86400000000 },     { "day", 86400000000 },
                  { "w", 604800000000 }, { "week", 604800000000 } };
    for (uint64_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t m = strlen(units[i].name), k = 0;
        if (n != m && !(m > 2 && n == m + 1 && (word[m] | 32) == 's')) continue;
        while (k < m && (word[k] | 32) == units[i].name[k]) k++;
        if (k == m) return units[i].us;
    }
    return 0;
}

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) p++;
    return p;
}

static int interval_of(struct weir_bytes text, int64_t *us)
{
    const uint8_t *end = text.data + text.length, *p = skip_space(text.data, end);
    const int negative = p < end && *p == '-';
    __int128 sum = 0;
    if (p < end && (*p == '-' || *p == '+')) p = skip_space(p + 1, end);
    if (p == end) return 0;
    while (p < end) {
        const uint8_t *from = p;
        int64_t number = 0, unit;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, *p - '0', &number))
                return 0;
        if (p == from) return 0;
        from = p = skip_space(p, end);
        while (p < end && (*p | 32) >= 'a' && (*p | 32) <= 'z') p++;
        unit = unit_of(from, (uint64_t)(p - from));
        if (!unit) return 0;
        sum += (__int128)number * unit;
        if (sum > INT64_MAX) return 0;
        p = skip_space(p, end);
    }
    *us = (int64_t)(negative ? -sum : sum);
    return 1;
}

/* A literal argument in microseconds. */
static int literal_us(const struct weir_argument *arg, int64_t *us)
{
    if (!is_literal(arg)) return 0;
    if (argument_type(arg->schema) == WEIR_TYPE_UTF8)
        return interval_of(weir_get_bytes(arg->value, 0), us);
    if (argument_type(arg->schema) != TYPE_INTERVAL) return 0;
    *us = weir_get_int64(arg->value, 0);
    return 1;
}

/* ---- window ---- */

struct window_bound {
    struct typed_bound base;
    int64_t length, start;
    int32_t end_field; /* of an argument that is a window; -1: a time */
};

/* The number of a timestamp field of a struct, or -1. */
static int32_t time_field(const struct ArrowSchema *schema, const char *name)
{
    if (weir_type_of(schema) != WEIR_TYPE_STRUCT) return -1;
    int32_t at = weir_column_index(schema, name);
    if (at < 0 || weir_type_of(schema->children[at]) != WEIR_TYPE_TIMESTAMP) return -1;
    return at;
}

static int is_window(const struct ArrowSchema *schema)
{
    return time_field(schema, "start") >= 0 && time_field(schema, "end") >= 0;
}

static int32_t refuse(void **bound, struct weir_error *error, const char *text)
{
    free_typed(*bound);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "%s", text);
}

static int32_t window_schema(const struct weir_data *data, struct ArrowSchema *out,
                             struct weir_error *error)
{
    int32_t rc = data->schema_struct(2, out, error);
    if (rc) return rc;
    out->flags |= ARROW_FLAG_NULLABLE;
    rc = data->schema_set(out, 0, "start", WEIR_TYPE_TIMESTAMP, error);
    if (!rc) rc = data->schema_set(out, 1, "end", WEIR_TYPE_TIMESTAMP, error);
    if (rc) out->release(out);
    return rc;
}

BIND(window)
{
    const int nested = n_args && is_window(args[0].schema);
    struct window_bound *b;
    int32_t rc;
    struct weir_argument shown[3];
    memset(shown, 0, sizeof shown);
    for (uint32_t i = 0; i < n_args && i < 3; i++) shown[i] = args[i];
    rc = bind_as(host, "window", nested ? "y|yy" : "w|yy", 0, sizeof *b, shown,
                 n_args > 1 ? 1 : n_args, schema, bound, error);
    if (rc) return rc;
    b = *bound;
    b->end_field = nested ? time_field(args[0].schema, "end") : -1;
    if (!literal_us(&args[1], &b->length) || b->length <= 0)
        return refuse(bound, error,
                      "the length of a window is a literal like '10 minutes', more than 0");
    if (n_args > 2 && !literal_us(&args[2], &b->start))
        return refuse(bound, error, "the start of windows is a literal like '15 minutes'");
    rc = window_schema(b->base.base.data, &b->base.type, error);
    if (!rc) rc = b->base.base.data->schema_copy(&b->base.type, "", schema, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}

static int32_t append_window(struct column_out *c, int64_t start, int64_t end)
{
    int32_t rc = c->data->append_int(c->data->builder_child(c->column, 0), start);
    if (!rc) rc = c->data->append_int(c->data->builder_child(c->column, 1), end);
    return rc ? rc : c->data->append_valid(c->column);
}

/* The start of the window of t; 0 where it lies outside of the years that there are. */
static int window_of(const struct window_bound *b, int64_t t, int64_t *start)
{
    __int128 from = ((__int128)t - b->start) % b->length;
    if (from < 0) from += b->length;
    from = t - from;
    if (from < TIMESTAMP_LEAST || from + b->length > TIMESTAMP_MOST) return 0;
    *start = (int64_t)from;
    return 1;
}

EVAL(window)
{
    const struct window_bound *b = bound;
    const struct ArrowArray *a = call->args[0];
    struct column_out c;
    (void)host;
    column_begin(&c, b->base.base.data, &b->base.type, error);
    EACH_ROW
    {
        const uint32_t at = arg_at(call, 0, row);
        int64_t t, start;
        if (b->end_field >= 0 && weir_is_null(a->children[b->end_field], at)) continue;
        if (b->end_field >= 0) t = weir_get_int64(a->children[b->end_field], at) - 1;
        else t = arg_int(call, &b->base.base, 0, row);
        if (b->base.base.types[0] == WEIR_TYPE_DATE) t *= DAY;
        if (!window_of(b, t, &start)) {
            row_fail(call, row, "a window outside of the years 0001 to 9999");
            continue;
        }
        column_row(&c, row);
        if (!c.failed) c.failed = append_window(&c, start, start + b->length);
    }
    return column_end(&c, call->rows, out, error);
}
SCALAR_TABLE(window, free_typed)

/* ---- parts of a window ---- */

struct part_bound {
    struct bound base;
    int32_t field;
    int32_t add; /* microseconds */
};

static int32_t bind_part(const struct weir_host *host, const char *name, const char *field,
                         int32_t add, const struct weir_argument *args, uint32_t n_args,
                         struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    struct part_bound *b;
    int32_t rc = bind_as(host, name, "y", WEIR_TYPE_TIMESTAMP, sizeof *b, args, n_args, schema,
                         bound, error);
    if (rc) return rc;
    b = *bound;
    b->field = time_field(args[0].schema, field);
    b->add = add;
    if (b->base.types[0] == WEIR_TYPE_NONE || is_window(args[0].schema)) return WEIR_OK;
    free_bound(b);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "%s takes a window, struct<start: timestamp, end: "
                                         "timestamp>", name);
}

static int32_t eval_part(const struct part_bound *b, const struct weir_call *call,
                         struct ArrowArray *out, struct weir_error *error)
{
    int32_t rc = b->base.data->column(WEIR_TYPE_TIMESTAMP, call->rows, 0, 1, out, error);
    const struct ArrowArray *times = b->field < 0 ? NULL : call->args[0]->children[b->field];
    int64_t *values;
    uint8_t *valid;
    if (rc) return rc;
    values = (int64_t *)(uintptr_t)out->buffers[1];
    valid = (uint8_t *)(uintptr_t)out->buffers[0];
    memset(values, 0, (size_t)call->rows * sizeof *values);
    EACH_ROW
    {
        const uint32_t at = arg_at(call, 0, row);
        if (times && !weir_is_null(times, at)) {
            values[row] = weir_get_int64(times, at) + b->add;
        } else {
            valid[row >> 3] &= (uint8_t)~(1u << (row & 7));
            out->null_count++;
        }
    }
    if (out->null_count == 0) out->buffers[0] = NULL;
    return WEIR_OK;
}

#define PART(name, field, add)                                                                     \
    BIND(name)                                                                                     \
    {                                                                                              \
        return bind_part(host, #name, field, add, args, n_args, schema, bound, error);             \
    }                                                                                              \
    EVAL(name)                                                                                     \
    {                                                                                              \
        (void)host;                                                                                \
        return eval_part(bound, call, out, error);                                                 \
    }                                                                                              \
    SCALAR_TABLE(name, free_bound)

PART(window_start, "start", 0)
PART(window_end, "end", 0)
PART(window_time, "end", -1)
