/*
 * functions.h - what the files of this module share: binding by a signature, reading arguments,
 * writing columns.
 *
 * A signature is one letter per parameter: t text, x binary or text, i integer, n number (read as
 * float64), b bool, p timestamp, d date, w timestamp or date, v interval too, a anything flat.
 * l list, y anything but an interval. `|` begins the optional ones, `*` repeats the last. A bare null
 * fits everywhere.
 */
#ifndef WEIR_FUNCTION_BUILTIN_H
#define WEIR_FUNCTION_BUILTIN_H

#include <weir/plugin.h>

#define TYPE_INTERVAL 32u /* "tDu": int64 microseconds */
#define ARGS_MOST 8

/* What bind leaves for eval; functions with more put it behind. */
struct bound {
    const struct weir_host *host;
    const struct weir_data *data;
    uint32_t types[ARGS_MOST]; /* of the first arguments */
};

/* WEIR_TYPE_…, TYPE_INTERVAL, or NONE for a bare null. */
uint32_t argument_type(const struct ArrowSchema *schema);
void leaf_schema(uint32_t type, struct ArrowSchema *out);
/* Checks arguments against a signature, makes a bound of `bytes`. result 0: the caller sets it. */
int32_t bind_as(const struct weir_host *host, const char *name, const char *signature,
                uint32_t result, uint64_t bytes, const struct weir_argument *args, uint32_t n_args,
                struct ArrowSchema *schema, void **bound, struct weir_error *error);
/* CONFIG "name(…) takes …, got …". */
int32_t bind_fail(const char *name, const char *signature, const struct weir_argument *args,
                  uint32_t n_args, struct weir_error *error);
/* A literal that is not null; then its text or number. */
static inline int is_literal(const struct weir_argument *arg)
{
    return arg->constant && arg->value && !weir_is_null(arg->value, 0);
}

/* ---- rows ---- */

static inline uint32_t call_row(const struct weir_call *call, uint32_t i)
{
    return call->selection ? call->selection[i] : i;
}

/* for each row to compute, as `row`; needs `call` */
#define EACH_ROW                                                                                   \
    for (uint32_t i_ = 0, row; i_ < call->selected && (row = call_row(call, i_), 1); i_++)

/* The index into argument k for a row. */
static inline uint32_t arg_at(const struct weir_call *call, uint32_t k, uint32_t row)
{
    return call->constant[k] ? 0 : row;
}

static inline struct weir_bytes arg_text(const struct weir_call *call, uint32_t k, uint32_t row)
{
    return weir_get_bytes(call->args[k], arg_at(call, k, row));
}

static inline int64_t arg_int(const struct weir_call *call, const struct bound *b, uint32_t k,
                              uint32_t row)
{
    const uint32_t at = arg_at(call, k, row);
    if (b->types[k] == WEIR_TYPE_INT32 || b->types[k] == WEIR_TYPE_DATE)
        return weir_get_int32(call->args[k], at);
    return weir_get_int64(call->args[k], at);
}

static inline double arg_number(const struct weir_call *call, const struct bound *b, uint32_t k,
                                uint32_t row)
{
    if (b->types[k] == WEIR_TYPE_FLOAT64)
        return weir_get_float64(call->args[k], arg_at(call, k, row));
    return (double)arg_int(call, b, k, row);
}

void row_fail(const struct weir_call *call, uint32_t row, const char *reason);

/* A column of a fixed-width type or bool without nulls; values zero. */
int32_t make_column(const struct bound *b, uint32_t type, const struct weir_call *call,
                    struct ArrowArray *out, void **values, struct weir_error *error);

/* Text row by row, ascending. */
struct text_writer {
    const struct weir_host *host;
    const struct bound *bound;
    const struct weir_call *call;
    struct weir_buffer bytes;
    int32_t *offsets;
    uint32_t next;
    int32_t failed; /* class; once set nothing is written */
    uint8_t *nulls; /* bits, set where null; NULL: none */
    uint32_t type;  /* of the column: UTF8, or BINARY */
};

#define TEXT_MOST (64u << 20) /* bytes of one result */

void writer_begin(struct text_writer *w, const struct weir_host *host, const struct bound *b,
                  const struct weir_call *call);
void writer_row(struct text_writer *w, uint32_t row);              /* begins a row */
void writer_add(struct text_writer *w, const void *bytes, uint64_t n); /* to the row */
uint8_t *writer_room(struct text_writer *w, uint64_t n); /* n bytes to fill, then writer_used */
static inline void writer_used(struct text_writer *w, uint64_t n) { w->bytes.length += n; }
void writer_null(struct text_writer *w, uint32_t row);
int32_t writer_end(struct text_writer *w, struct ArrowArray *out, struct weir_error *error);

/* ---- code points of valid UTF-8 ---- */

static inline uint32_t point_bytes(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static inline uint64_t point_count(const uint8_t *p, uint64_t n)
{
    uint64_t count = 0, i;
    for (i = 0; i < n; i++) count += (p[i] & 0xc0) != 0x80;
    return count;
}

/* Byte offset of code point k, n if there are fewer. */
uint64_t point_offset(const uint8_t *p, uint64_t n, uint64_t k);

/* ---- calendar.c ---- */

#define SECOND 1000000ll
#define DAY (86400 * SECOND)
#define TIMESTAMP_LEAST (-62135596800000000ll)
#define TIMESTAMP_MOST 253402300799999999ll

struct civil {
    int64_t year;
    uint32_t month, day; /* from 1 */
};

int64_t days_of(int64_t year, uint32_t month, uint32_t day);
struct civil civil_of(int64_t days);
int date_exists(int64_t year, int64_t month, int64_t day); /* in the years 0001 to 9999 */
int parse_iso(const char *text, uint64_t n, int64_t *us);      /* 0 ok */
int format_valid(const char *format, uint64_t n);              /* only directives that are known */
struct zone; /* zones.h; NULL: UTC. A text with an offset of its own goes by that */
int parse_format(const char *text, uint64_t n, const char *format, uint64_t format_n,
                 const struct zone *zone, int64_t *us); /* 0 ok */
int parse_offset(const char *text, uint64_t n, int64_t *seconds); /* Z, +02, +0200, +02:00: 0 ok */

/* ---- tables; module.c puts names to them ---- */

#define SCALARS(X)                                                                                 \
    X(abs) X(sign) X(ceil) X(floor) X(round) X(sqrt) X(exp) X(ln) X(log10) X(power) X(mod) X(pmod) \
    X(length) X(upper) X(lower) X(trim) X(ltrim) X(rtrim) X(substr) X(left) X(right) X(concat)     \
    X(concat_ws) X(replace) X(split_part) X(contains) X(starts_with) X(ends_with) X(position)      \
    X(reverse) X(repeat) X(lpad) X(rpad) X(rlike) X(regexp_extract) X(regexp_replace)              \
    X(to_timestamp) X(to_date) X(extract) X(year) X(month) X(day) X(hour) X(minute) X(second)      \
    X(date_trunc) X(unix_seconds) X(unix_millis) X(from_unix) X(from_unix_millis)                  \
    X(from_unix_micros) X(date_add) X(split) X(array) X(size) X(element_at) X(array_contains)      \
    X(array_sort) X(md5) X(sha256) X(xxhash64) X(hex) X(base64) X(unbase64) X(get_json)             \
    X(json_value) X(window) X(window_start) X(window_end) X(window_time)

#define AGGREGATES(X)                                                                              \
    X(count) X(sum) X(avg) X(var) X(stddev) X(min) X(max) X(first) X(last) X(min_by) X(max_by)     \
    X(bool_and) X(bool_or) X(collect_list) X(collect_set) X(approx_count_distinct)                 \
    X(approx_percentile) X(top_k)

#define DECLARE_SCALAR(name) extern const struct weir_scalar scalar_##name;
#define DECLARE_AGGREGATE(name) extern const struct weir_aggregate aggregate_##name;
SCALARS(DECLARE_SCALAR)
AGGREGATES(DECLARE_AGGREGATE)

/* The table of a scalar function whose bind is a signature and whose bound is plain. */
#define SCALAR(name, signature, result)                                                            \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)                                           \
    {                                                                                              \
        return bind_as(host, #name, signature, result, sizeof(struct bound), args, n_args, schema, \
                       bound, error);                                                              \
    }                                                                                              \
    SCALAR_TABLE(name, free_bound)

#define SCALAR_TABLE(name, unbind)                                                                 \
    const struct weir_scalar scalar_##name = { sizeof(struct weir_scalar), 0, name##_bind, unbind, \
                                               name##_eval };

void free_bound(void *bound);

/* ---- the shape of a function ---- */

#define EVAL(name)                                                                                 \
    static int32_t name##_eval(const struct weir_host *host, void *bound,                          \
                               const struct weir_call *call, struct ArrowArray *out,               \
                               struct weir_error *error)

/* A function that writes text row by row: ROW is a function of writer, bound, call and row. */
#define TEXT_EVAL(name)                                                                            \
    EVAL(name)                                                                                     \
    {                                                                                              \
        struct text_writer w;                                                                      \
        writer_begin(&w, host, bound, call);                                                       \
        EACH_ROW                                                                                   \
        {                                                                                          \
            writer_row(&w, row);                                                                   \
            name##_row(&w, bound, call, row);                                                      \
        }                                                                                          \
        return writer_end(&w, out, error);                                                         \
    }

#define ROW(name)                                                                                  \
    static void name##_row(struct text_writer *w, const struct bound *b,                           \
                           const struct weir_call *call, uint32_t row)

#endif
