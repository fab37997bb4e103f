/*
 * kernels_cast.c - casts between flat types.
 *
 * Numbers among each other run over whole columns and gather one mark of badness, as arithmetic
 * does; casts from and to text go row by row over the selection, since they cost more than it
 * saves.
 */
#include "core/expr/kernels.h"

#include <math.h>

#define DAY 86400000000ll

typedef uint32_t (*cast_fn)(const void *in, void *out, const uint32_t *rows, uint32_t n);

/* ---- one row ---- */

static inline int64_t i32_to_i64(int32_t x, uint32_t *bad) { (void)bad; return x; }
static inline double i32_to_f64(int32_t x, uint32_t *bad) { (void)bad; return x; }
static inline double i64_to_f64(int64_t x, uint32_t *bad) { (void)bad; return (double)x; }
static inline int64_t date_to_time(int32_t x, uint32_t *bad) { (void)bad; return x * DAY; }

static inline int32_t time_to_date(int64_t x, uint32_t *bad)
{
    (void)bad;
    return (int32_t)(x / DAY - (x % DAY < 0));
}

static inline int32_t i64_to_i32(int64_t x, uint32_t *bad)
{
    *bad |= x != (int32_t)x;
    return (int32_t)x;
}

static inline int64_t f64_to_i64(double x, uint32_t *bad)
{
    const int fits = x >= -0x1p63 && x < 0x1p63;
    *bad |= !fits;
    return fits ? (int64_t)x : 0;
}

static inline int32_t f64_to_i32(double x, uint32_t *bad)
{
    const int fits = x > -2147483649.0 && x < 2147483648.0;
    *bad |= !fits;
    return fits ? (int32_t)x : 0;
}

#define CAST(one, A, R)                                                                            \
    static uint32_t one##_rows(const void *vin, void *vout, const uint32_t *rows, uint32_t n)      \
    {                                                                                              \
        const A *restrict in = vin;                                                                \
        R *restrict out = vout;                                                                    \
        uint32_t bad = 0, i;                                                                       \
        if (rows) {                                                                                \
            for (i = 0; i < n; i++) out[rows[i]] = one(in[rows[i]], &bad);                         \
        } else {                                                                                   \
            for (i = 0; i < n; i++) out[i] = one(in[i], &bad);                                     \
        }                                                                                          \
        return bad;                                                                                \
    }

#define TO_BOOL(A, name)                                                                           \
    static uint32_t name(const void *vin, void *vout, const uint32_t *rows, uint32_t n)            \
    {                                                                                              \
        const A *in = vin;                                                                         \
        uint8_t *bits = vout;                                                                      \
        uint32_t i;                                                                                \
        for (i = 0; i < n; i++) {                                                                  \
            const uint32_t r = rows ? rows[i] : i;                                                 \
            bits[r >> 3] |= (uint8_t)((in[r] != 0) << (r & 7));                                    \
        }                                                                                          \
        return 0;                                                                                  \
    }

#define OF_BOOL(R, name)                                                                           \
    static uint32_t name(const void *in, void *vout, const uint32_t *rows, uint32_t n)             \
    {                                                                                              \
        R *out = vout;                                                                             \
        uint32_t i;                                                                                \
        for (i = 0; i < n; i++) {                                                                  \
            const uint32_t r = rows ? rows[i] : i;                                                 \
            out[r] = bit_get(in, r);                                                               \
        }                                                                                          \
        return 0;                                                                                  \
    }

CAST(i32_to_i64, int32_t, int64_t)
CAST(i32_to_f64, int32_t, double)
CAST(i64_to_f64, int64_t, double)
CAST(i64_to_i32, int64_t, int32_t)
CAST(f64_to_i32, double, int32_t)
CAST(f64_to_i64, double, int64_t)
CAST(date_to_time, int32_t, int64_t)
CAST(time_to_date, int64_t, int32_t)
TO_BOOL(int32_t, i32_to_bool)
TO_BOOL(int64_t, i64_to_bool)
TO_BOOL(double, f64_to_bool)
OF_BOOL(int32_t, bool_to_i32)
OF_BOOL(int64_t, bool_to_i64)
OF_BOOL(double, bool_to_f64)

#define PAIR(from, to) ((from) * 16u + (to))

static cast_fn cast_of(uint32_t from, uint32_t to)
{
    switch (PAIR(from, to)) {
    case PAIR(WEIR_TYPE_INT32, WEIR_TYPE_INT64): return i32_to_i64_rows;
    case PAIR(WEIR_TYPE_INT32, WEIR_TYPE_FLOAT64): return i32_to_f64_rows;
    case PAIR(WEIR_TYPE_INT32, WEIR_TYPE_BOOL): return i32_to_bool;
    case PAIR(WEIR_TYPE_INT64, WEIR_TYPE_INT32): return i64_to_i32_rows;
    case PAIR(WEIR_TYPE_INT64, WEIR_TYPE_FLOAT64): return i64_to_f64_rows;
    case PAIR(WEIR_TYPE_INT64, WEIR_TYPE_BOOL): return i64_to_bool;
    case PAIR(WEIR_TYPE_FLOAT64, WEIR_TYPE_INT32): return f64_to_i32_rows;
    case PAIR(WEIR_TYPE_FLOAT64, WEIR_TYPE_INT64): return f64_to_i64_rows;
    case PAIR(WEIR_TYPE_FLOAT64, WEIR_TYPE_BOOL): return f64_to_bool;
    case PAIR(WEIR_TYPE_BOOL, WEIR_TYPE_INT32): return bool_to_i32;
    case PAIR(WEIR_TYPE_BOOL, WEIR_TYPE_INT64): return bool_to_i64;
    case PAIR(WEIR_TYPE_BOOL, WEIR_TYPE_FLOAT64): return bool_to_f64;
    case PAIR(WEIR_TYPE_DATE, WEIR_TYPE_TIMESTAMP): return date_to_time_rows;
    case PAIR(WEIR_TYPE_TIMESTAMP, WEIR_TYPE_DATE): return time_to_date_rows;
    default: return NULL;
    }
}

/* The text names types only: a reason is counted by its text. */
static int32_t cast_fail(struct task *t, struct vec *out, uint32_t row, int out_of_range)
{
    char from[64], to[64], reason[160];
    type_name_of(&t->node->kids[0]->type, from);
    type_name_of(&t->node->type, to);
    if (out_of_range) snprintf(reason, sizeof reason, "%s out of range of %s", from, to);
    else snprintf(reason, sizeof reason, "%s that is no %s", from, to);
    return task_fail(t, out, row, reason);
}

static int32_t cast_numbers(struct task *t, const struct vec *in, struct vec *out)
{
    const cast_fn fn = cast_of(in->id, t->node->type.id);
    const uint32_t *rows;
    uint32_t n, i;
    int32_t rc = vec_make(t->frame, out, t->node->type.id, t->length);
    if (rc) return rc;
    if (!fn) return weir_fail(t->frame->error, WEIR_FATAL, "no such cast");
    rows = task_rows(t, &n);
    if (rows) memset(out->memory[1], 0, (uint64_t)t->length * type_width(out->id));
    if (!fn(in->values, out->memory[1], rows, n)) return WEIR_OK;
    for (i = 0; i < t->rows.n; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        if (!task_counts(out, row) || !fn(in->values, out->memory[1], &row, 1)) continue;
        rc = cast_fail(t, out, row, 1);
        if (rc) return rc;
    }
    return WEIR_OK;
}

/* ---- from text ---- */

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static int bool_of_text(const char *text, uint64_t n, uint8_t *bits, uint32_t row)
{
    static const char *const words[] = { "false", "f", "no",  "n", "0",
                                         "true",  "t", "yes", "y", "1" };
    uint32_t i, k;
    for (; n && is_space(*text); n--) text++;
    while (n && is_space(text[n - 1])) n--;
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) != n) continue;
        for (k = 0; k < n && lower(text[k]) == words[i][k];) k++;
        if (k < n) continue;
        if (i >= 5) bit_set(bits, row);
        return 0;
    }
    return -1;
}

static int of_text(uint32_t id, struct weir_bytes text, void *values, uint32_t row)
{
    const char *p = (const char *)text.data;
    int64_t integer = 0;
    int32_t days = 0;
    double number = 0;
    int rc;
    switch (id) {
    case WEIR_TYPE_BOOL: return bool_of_text(p, text.length, values, row);
    case WEIR_TYPE_FLOAT64:
        rc = float_of_text(p, text.length, &number);
        ((double *)values)[row] = number;
        return rc;
    case WEIR_TYPE_DATE:
        rc = date_of_text(p, text.length, &days);
        ((int32_t *)values)[row] = days;
        return rc;
    case WEIR_TYPE_TIMESTAMP:
        rc = timestamp_of_text(p, text.length, &integer);
        ((int64_t *)values)[row] = integer;
        return rc;
    case WEIR_TYPE_INT32:
        rc = int_of_text(p, text.length, &integer);
        if (!rc && integer != (int32_t)integer) rc = -2;
        ((int32_t *)values)[row] = rc ? 0 : (int32_t)integer;
        return rc;
    default:
        rc = int_of_text(p, text.length, &integer);
        ((int64_t *)values)[row] = integer;
        return rc;
    }
}

static int32_t cast_of_text(struct task *t, const struct vec *in, struct vec *out)
{
    uint32_t i;
    int32_t rc = vec_make(t->frame, out, t->node->type.id, t->length);
    if (rc) return rc;
    if (type_width(out->id)) memset(out->memory[1], 0, (uint64_t)t->length * type_width(out->id));
    for (i = 0; i < t->rows.n; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        int bad;
        if (!task_counts(out, row)) continue;
        bad = of_text(out->id, vec_text(in, row), out->memory[1], row);
        if (bad) rc = cast_fail(t, out, row, bad == -2);
        if (rc) return rc;
    }
    return WEIR_OK;
}

/* ---- to text ---- */

static uint32_t to_text(const struct vec *in, uint32_t row, char *text)
{
    switch (in->id) {
    case WEIR_TYPE_BOOL:
        memcpy(text, bit_get(in->values, row) ? "true" : "false", 5);
        return bit_get(in->values, row) ? 4 : 5;
    case WEIR_TYPE_INT32: return text_of_int(((const int32_t *)in->values)[row], text);
    case WEIR_TYPE_FLOAT64: return text_of_float(((const double *)in->values)[row], text);
    case WEIR_TYPE_DATE: return text_of_date(((const int32_t *)in->values)[row], text);
    case WEIR_TYPE_TIMESTAMP: return text_of_timestamp(((const int64_t *)in->values)[row], text);
    default: return text_of_int(((const int64_t *)in->values)[row], text);
    }
}

static int32_t cast_to_text(struct task *t, const struct vec *in, struct vec *out)
{
    const int binary = in->id == WEIR_TYPE_BINARY;
    struct text_out text;
    char line[64];
    uint32_t i;
    int32_t rc = text_begin(&text, t->frame, t->length);
    for (i = 0; i < t->rows.n && !rc; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        struct weir_bytes bytes = { (const uint8_t *)line, 0 };
        if (!task_counts(out, row)) continue;
        if (binary) bytes = vec_text(in, row);
        else bytes.length = to_text(in, row, line);
        if (!binary || utf8_valid(bytes.data, bytes.length))
            rc = text_add(&text, row, bytes.data, bytes.length);
        else
            rc = task_fail(t, out, row, "binary that is no UTF-8");
    }
    if (!rc) return text_end(&text, WEIR_TYPE_UTF8, out);
    text_free(&text);
    return rc;
}

int32_t kernel_cast(struct task *t, struct vec *const *kids, struct vec *out)
{
    const struct vec *in = kids[0];
    const uint32_t to = t->node->type.id;
    if (to == WEIR_TYPE_UTF8) return cast_to_text(t, in, out);
    if (in->id == WEIR_TYPE_UTF8) return cast_of_text(t, in, out);
    return cast_numbers(t, in, out);
}
