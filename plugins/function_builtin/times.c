/*
 * times.c - functions of timestamps (microseconds UTC) and dates (days).
 */
#include "functions.h"

#include <math.h>

#include "zones.h"

#define BIND(name)                                                                                 \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)

static int64_t floor_div(int64_t x, int64_t y) { return x / y - (x % y < 0); }
static int64_t floor_mod(int64_t x, int64_t y) { return x % y + (x % y < 0 ? y : 0); }

/* A timestamp or date argument as microseconds. */
static int64_t arg_us(const struct weir_call *call, const struct bound *b, uint32_t k, uint32_t row)
{
    const int64_t value = arg_int(call, b, k, row);
    return b->types[k] == WEIR_TYPE_DATE ? value * DAY : value;
}

static int32_t refuse(void **bound, struct weir_error *error, const char *text)
{
    free_bound(*bound);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "%s", text);
}

/* ---- pieces ---- */

enum piece {
    YEAR,
    QUARTER,
    MONTH,
    WEEK,
    DAY_OF_MONTH,
    DAY_OF_YEAR,
    DAY_OF_WEEK,
    ISO_DAY_OF_WEEK,
    HOUR,
    MINUTE,
    SECOND_OF_MINUTE,
    MILLISECOND,
    MICROSECOND,
    EPOCH,
    NO_PIECE
};

static const char *const pieces[] = { "year", "quarter", "month", "week", "day", "doy", "dow",
                                      "isodow", "hour", "minute", "second", "millisecond",
                                      "microsecond", "epoch" };

static enum piece piece_of(struct weir_bytes name)
{
    uint64_t i, k;
    for (i = 0; i < NO_PIECE; i++) {
        if (strlen(pieces[i]) != name.length) continue;
        for (k = 0; k < name.length && (name.data[k] | 32) == pieces[i][k];) k++;
        if (k == name.length) return (enum piece)i;
    }
    return NO_PIECE;
}

/* The week of ISO 8601: that of its Thursday, counted within the Thursday's year. */
static int64_t iso_week(int64_t days)
{
    const int64_t thursday = days - floor_mod(days + 3, 7) + 3;
    return (thursday - days_of(civil_of(thursday).year, 1, 1)) / 7 + 1;
}

static int64_t piece_at(enum piece piece, int64_t us)
{
    const int64_t days = floor_div(us, DAY), rest = us - days * DAY;
    const struct civil c = civil_of(days);
    switch (piece) {
    case YEAR: return c.year;
    case QUARTER: return (c.month + 2) / 3;
    case MONTH: return c.month;
    case WEEK: return iso_week(days);
    case DAY_OF_MONTH: return c.day;
    case DAY_OF_YEAR: return days - days_of(c.year, 1, 1) + 1;
    case DAY_OF_WEEK: return floor_mod(days + 4, 7);
    case ISO_DAY_OF_WEEK: return floor_mod(days + 3, 7) + 1;
    case HOUR: return rest / (3600 * SECOND);
    case MINUTE: return rest / (60 * SECOND) % 60;
    case SECOND_OF_MINUTE: return rest / SECOND % 60;
    case MILLISECOND: return rest % SECOND / 1000;
    default: return rest % SECOND;
    }
}

static int32_t pieces_column(const struct bound *b, const struct weir_call *call, enum piece piece,
                             uint32_t k, struct ArrowArray *out, struct weir_error *error)
{
    void *values;
    int32_t rc = make_column(b, WEIR_TYPE_INT64, call, out, &values, error);
    if (rc) return rc;
    EACH_ROW ((int64_t *)values)[row] = piece_at(piece, arg_us(call, b, k, row));
    return WEIR_OK;
}

#define PIECE(name, piece)                                                                         \
    EVAL(name)                                                                                     \
    {                                                                                              \
        (void)host;                                                                                \
        return pieces_column(bound, call, piece, 0, out, error);                                   \
    }                                                                                              \
    SCALAR(name, "w", WEIR_TYPE_INT64)

PIECE(year, YEAR)
PIECE(month, MONTH)
PIECE(day, DAY_OF_MONTH)
PIECE(hour, HOUR)
PIECE(minute, MINUTE)
PIECE(second, SECOND_OF_MINUTE)

struct piece_bound {
    struct bound base;
    enum piece piece;
};

BIND(extract)
{
    struct piece_bound *b;
    int32_t rc = bind_as(host, "extract", "tv", WEIR_TYPE_INT64, sizeof *b, args, n_args, schema,
                         bound, error);
    if (rc) return rc;
    b = *bound;
    b->piece = is_literal(&args[0]) ? piece_of(weir_get_bytes(args[0].value, 0)) : NO_PIECE;
    if (b->piece == NO_PIECE)
        return refuse(bound, error,
                      "extract knows year quarter month week day doy dow isodow hour minute second "
                      "millisecond microsecond epoch");
    if (b->base.types[1] == TYPE_INTERVAL && b->piece != EPOCH)
        return refuse(bound, error, "extract takes only epoch from an interval");
    if (b->piece == EPOCH) leaf_schema(WEIR_TYPE_FLOAT64, schema);
    return WEIR_OK;
}

EVAL(extract)
{
    const struct piece_bound *b = bound;
    void *values;
    int32_t rc;
    (void)host;
    if (b->piece != EPOCH) return pieces_column(&b->base, call, b->piece, 1, out, error);
    rc = make_column(&b->base, WEIR_TYPE_FLOAT64, call, out, &values, error);
    if (rc) return rc;
    EACH_ROW ((double *)values)[row] = (double)arg_us(call, &b->base, 1, row) / 1e6;
    return WEIR_OK;
}
SCALAR_TABLE(extract, free_bound)

/* ---- date_trunc ---- */

BIND(date_trunc)
{
    struct piece_bound *b;
    int32_t rc = bind_as(host, "date_trunc", "tw", WEIR_TYPE_TIMESTAMP, sizeof *b, args, n_args,
                         schema, bound, error);
    if (rc) return rc;
    b = *bound;
    b->piece = is_literal(&args[0]) ? piece_of(weir_get_bytes(args[0].value, 0)) : NO_PIECE;
    switch (b->piece) {
    case YEAR:
    case QUARTER:
    case MONTH:
    case WEEK:
    case DAY_OF_MONTH:
    case HOUR:
    case MINUTE:
    case SECOND_OF_MINUTE: return WEIR_OK;
    default:
        return refuse(bound, error,
                      "date_trunc knows year quarter month week day hour minute second");
    }
}

static int64_t truncate_to(enum piece piece, int64_t us)
{
    const int64_t days = floor_div(us, DAY);
    const struct civil c = civil_of(days);
    switch (piece) {
    case YEAR: return days_of(c.year, 1, 1) * DAY;
    case QUARTER: return days_of(c.year, (c.month - 1) / 3 * 3 + 1, 1) * DAY;
    case MONTH: return days_of(c.year, c.month, 1) * DAY;
    case WEEK: return (days - floor_mod(days + 3, 7)) * DAY;
    case HOUR: return us - floor_mod(us, 3600 * SECOND);
    case MINUTE: return us - floor_mod(us, 60 * SECOND);
    case SECOND_OF_MINUTE: return us - floor_mod(us, SECOND);
    default: return days * DAY;
    }
}

EVAL(date_trunc)
{
    const struct piece_bound *b = bound;
    void *values;
    int32_t rc = make_column(&b->base, WEIR_TYPE_TIMESTAMP, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW ((int64_t *)values)[row] = truncate_to(b->piece, arg_us(call, &b->base, 1, row));
    return WEIR_OK;
}
SCALAR_TABLE(date_trunc, free_bound)

/* ---- numbers and times ---- */

/* Inlined for each `by`, so that the compiler multiplies. */
static inline __attribute__((always_inline)) int32_t divided(const struct bound *b,
                                                             const struct weir_call *call, int64_t by,
                                                             struct ArrowArray *out,
                                                             struct weir_error *error)
{
    void *values;
    int32_t rc = make_column(b, WEIR_TYPE_INT64, call, out, &values, error);
    if (rc) return rc;
    if (b->types[0] == WEIR_TYPE_TIMESTAMP && !call->constant[0]) {
        const int64_t *us = call->args[0]->buffers[1];
        EACH_ROW ((int64_t *)values)[row] = floor_div(us[row], by);
        return WEIR_OK;
    }
    EACH_ROW ((int64_t *)values)[row] = floor_div(arg_us(call, b, 0, row), by);
    return WEIR_OK;
}

EVAL(unix_seconds)
{
    (void)host;
    return divided(bound, call, SECOND, out, error);
}
SCALAR(unix_seconds, "w", WEIR_TYPE_INT64)

EVAL(unix_millis)
{
    (void)host;
    return divided(bound, call, 1000, out, error);
}
SCALAR(unix_millis, "w", WEIR_TYPE_INT64)

#define OUTSIDE "a time outside of the years 0001 to 9999"

static int32_t multiplied(const struct bound *b, const struct weir_call *call, int64_t by,
                          struct ArrowArray *out, struct weir_error *error)
{
    void *values;
    int32_t rc = make_column(b, WEIR_TYPE_TIMESTAMP, call, out, &values, error);
    if (rc) return rc;
    EACH_ROW {
        int64_t us = 0;
        int bad;
        if (b->types[0] == WEIR_TYPE_FLOAT64) {
            const double x = floor(arg_number(call, b, 0, row) * (double)by);
            bad = !(x >= (double)TIMESTAMP_LEAST && x <= (double)TIMESTAMP_MOST);
            if (!bad) us = (int64_t)x;
        } else {
            bad = __builtin_mul_overflow(arg_int(call, b, 0, row), by, &us);
        }
        if (bad || us < TIMESTAMP_LEAST || us > TIMESTAMP_MOST) row_fail(call, row, OUTSIDE);
        else ((int64_t *)values)[row] = us;
    }
    return WEIR_OK;
}

#define FROM_UNIX(name, by)                                                                        \
    EVAL(name)                                                                                     \
    {                                                                                              \
        (void)host;                                                                                \
        return multiplied(bound, call, by, out, error);                                            \
    }                                                                                              \
    SCALAR(name, "n", WEIR_TYPE_TIMESTAMP)

FROM_UNIX(from_unix, SECOND)
FROM_UNIX(from_unix_millis, 1000)
FROM_UNIX(from_unix_micros, 1)

EVAL(date_add)
{
    const struct bound *b = bound;
    void *values;
    int32_t rc = make_column(b, WEIR_TYPE_DATE, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW {
        int64_t days;
        if (__builtin_add_overflow(arg_int(call, b, 0, row), arg_int(call, b, 1, row), &days) ||
            days < TIMESTAMP_LEAST / DAY || days > TIMESTAMP_MOST / DAY)
            row_fail(call, row, OUTSIDE);
        else ((int32_t *)values)[row] = (int32_t)days;
    }
    return WEIR_OK;
}
SCALAR(date_add, "di", WEIR_TYPE_DATE)

/* ---- from text ---- */

struct parse_bound {
    struct bound base;
    struct zone *zone; /* NULL: UTC */
};

static void free_parse(void *bound)
{
    struct parse_bound *b = bound;
    if (b) zone_free(b->zone);
    free_bound(b);
}

static int32_t bind_parse(const struct weir_host *host, const char *name, const char *signature,
                          uint32_t result, const struct weir_argument *args, uint32_t n_args,
                          struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    int32_t rc = bind_as(host, name, signature, result, sizeof(struct parse_bound), args, n_args,
                         schema, bound, error);
    struct parse_bound *b = *bound;
    struct weir_bytes format;
    if (rc) return rc;
    b->zone = NULL;
    if (n_args > 1 && is_literal(&args[1])) {
        format = weir_get_bytes(args[1].value, 0);
        if (!format_valid((const char *)format.data, format.length))
            return refuse(bound, error, "the format has a directive that is not known");
    }
    if (n_args < 3 || (args[2].constant && !is_literal(&args[2]))) return WEIR_OK; /* null */
    if (!is_literal(&args[2]))
        return refuse(bound, error, "the time zone has to be a literal, like 'Europe/Paris'");
    rc = zone_open(host, weir_get_bytes(args[2].value, 0), &b->zone, error);
    if (rc == WEIR_OK) return rc;
    free_bound(b);
    *bound = NULL;
    return rc;
}

static int parse_row(const struct parse_bound *b, const struct weir_call *call, uint32_t row,
                     int64_t *us)
{
    const struct weir_bytes text = arg_text(call, 0, row);
    struct weir_bytes format;
    if (call->n_args < 2) return parse_iso((const char *)text.data, text.length, us);
    format = arg_text(call, 1, row);
    if (!call->constant[1] && !format_valid((const char *)format.data, format.length)) return -1;
    return parse_format((const char *)text.data, text.length, (const char *)format.data,
                        format.length, b->zone, us);
}

BIND(to_timestamp)
{
    return bind_parse(host, "to_timestamp", "t|tt", WEIR_TYPE_TIMESTAMP, args, n_args, schema,
                      bound, error);
}

EVAL(to_timestamp)
{
    void *values;
    int32_t rc = make_column(bound, WEIR_TYPE_TIMESTAMP, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW {
        int64_t us = 0;
        if (parse_row(bound, call, row, &us)) row_fail(call, row, "string that is no timestamp");
        ((int64_t *)values)[row] = us;
    }
    return WEIR_OK;
}
SCALAR_TABLE(to_timestamp, free_parse)

BIND(to_date)
{
    return bind_parse(host, "to_date", "t|t", WEIR_TYPE_DATE, args, n_args, schema, bound, error);
}

EVAL(to_date)
{
    void *values;
    int32_t rc = make_column(bound, WEIR_TYPE_DATE, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW {
        int64_t us = 0;
        if (parse_row(bound, call, row, &us)) row_fail(call, row, "string that is no date");
        ((int32_t *)values)[row] = (int32_t)floor_div(us, DAY);
    }
    return WEIR_OK;
}
SCALAR_TABLE(to_date, free_parse)
