/*
 * numbers.c - functions of numbers.
 *
 * Those that keep the type give int64 for integers and float64 for floats. `round` rounds the
 * shortest decimal text of a float, half away from zero: round(2.675, 2) is 2.68 although the
 * nearest double lies below. Away from a half the usual arithmetic gives the same and is faster.
 */
#include "functions.h"

#include <math.h>
#include <stdlib.h>

/* A function of one number: int64 → int64 or float64 → float64. */
static int32_t bind_same(const struct weir_host *host, const char *name, const char *signature,
                         const struct weir_argument *args, uint32_t n_args,
                         struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    int32_t rc = bind_as(host, name, signature, WEIR_TYPE_INT64, sizeof(struct bound), args, n_args,
                         schema, bound, error);
    uint32_t i;
    for (i = 0; !rc && i < n_args; i++)
        if (((struct bound *)*bound)->types[i] == WEIR_TYPE_FLOAT64 && !(signature[i] == 'i'))
            leaf_schema(WEIR_TYPE_FLOAT64, schema);
    return rc;
}

#define SAME(name, signature)                                                                      \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,          \
                               struct weir_error *error)                                           \
    {                                                                                              \
        return bind_same(host, #name, signature, args, n_args, schema, bound, error);              \
    }                                                                                              \
    SCALAR_TABLE(name, free_bound)

static int any_float(const struct bound *b, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++)
        if (b->types[i] == WEIR_TYPE_FLOAT64) return 1;
    return 0;
}

#define BEGIN(type)                                                                                \
    const struct bound *b = bound;                                                                 \
    void *values;                                                                                  \
    int32_t rc = make_column(b, type, call, out, &values, error);                                  \
    (void)host;                                                                                    \
    if (rc) return rc

/* ---- one argument, type kept ---- */

EVAL(abs)
{
    BEGIN(((const struct bound *)bound)->types[0] == WEIR_TYPE_FLOAT64 ? WEIR_TYPE_FLOAT64
                                                                       : WEIR_TYPE_INT64);
    if (b->types[0] == WEIR_TYPE_FLOAT64) {
        EACH_ROW ((double *)values)[row] = fabs(arg_number(call, b, 0, row));
        return WEIR_OK;
    }
    EACH_ROW {
        const int64_t x = arg_int(call, b, 0, row);
        if (x == INT64_MIN) row_fail(call, row, "int64 overflow");
        else ((int64_t *)values)[row] = x < 0 ? -x : x;
    }
    return WEIR_OK;
}
SAME(abs, "n")

EVAL(sign)
{
    BEGIN(((const struct bound *)bound)->types[0] == WEIR_TYPE_FLOAT64 ? WEIR_TYPE_FLOAT64
                                                                       : WEIR_TYPE_INT64);
    if (b->types[0] == WEIR_TYPE_FLOAT64) {
        EACH_ROW {
            const double x = arg_number(call, b, 0, row);
            ((double *)values)[row] = isnan(x) ? x : (x > 0) - (x < 0);
        }
        return WEIR_OK;
    }
    EACH_ROW {
        const int64_t x = arg_int(call, b, 0, row);
        ((int64_t *)values)[row] = (x > 0) - (x < 0);
    }
    return WEIR_OK;
}
SAME(sign, "n")

static int32_t to_int(const struct bound *b, const struct weir_call *call, double (*fn)(double),
                      struct ArrowArray *out, struct weir_error *error)
{
    void *values;
    int32_t rc = make_column(b, WEIR_TYPE_INT64, call, out, &values, error);
    if (rc) return rc;
    EACH_ROW {
        if (b->types[0] != WEIR_TYPE_FLOAT64) {
            ((int64_t *)values)[row] = arg_int(call, b, 0, row);
        } else {
            const double x = fn(arg_number(call, b, 0, row));
            if (x >= -0x1p63 && x < 0x1p63) ((int64_t *)values)[row] = (int64_t)x;
            else row_fail(call, row, "float64 out of range of int64");
        }
    }
    return WEIR_OK;
}

EVAL(ceil)
{
    (void)host;
    return to_int(bound, call, ceil, out, error);
}
SCALAR(ceil, "n", WEIR_TYPE_INT64)

EVAL(floor)
{
    (void)host;
    return to_int(bound, call, floor, out, error);
}
SCALAR(floor, "n", WEIR_TYPE_INT64)

/* ---- round ---- */

/* The shortest digits that give x again, and where the point is: 0.ddd times ten to `exponent`. */
static int shortest(double x, char digits[20], int *exponent)
{
    char text[40];
    int precision, n = 0, i;
    for (precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        if (strtod(text, NULL) == x) break;
    }
    for (i = 0; text[i] && text[i] != 'e'; i++)
        if (text[i] >= '0' && text[i] <= '9') digits[n++] = text[i];
    *exponent = atoi(text + i + 1) + 1;
    digits[n] = 0;
    return n;
}

static double round_text(double x, int64_t places)
{
    char digits[24] = "0", text[48]; /* a leading 0 takes the carry */
    int exponent, n = shortest(fabs(x), digits + 1, &exponent);
    int64_t keep = places + exponent; /* digits that stay */
    if (keep >= n) return x;
    if (keep < 0) return copysign(0, x);
    if (digits[1 + keep] >= '5') {
        int64_t i = keep;
        while (digits[i] == '9') digits[i--] = '0';
        digits[i]++;
    }
    digits[1 + keep] = 0;
    snprintf(text, sizeof text, "%se%d", digits, exponent - (int)keep);
    return copysign(strtod(text, NULL), x);
}

static double round_float(double x, int64_t places)
{
    static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
    if (!isfinite(x) || x == 0 || places > 400) return x;
    if (places < -400) return copysign(0, x);
    if (places >= 0 && places <= 9) {
        const double scaled = fabs(x) * powers[places], whole = floor(scaled);
        if (scaled < 1e9 && fabs(scaled - whole - 0.5) > 1e-6)
            return copysign((scaled - whole > 0.5 ? whole + 1 : whole) / powers[places], x);
    }
    return round_text(x, places);
}

/* To tens, hundreds …; 0 ok, -1 overflow. */
static int round_int(int64_t x, int64_t places, int64_t *out)
{
    uint64_t unit = 1, magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x, rest;
    *out = x;
    if (places >= 0) return 0;
    *out = 0;
    if (places < -19) return 0;
    for (; places < 0; places++) unit *= 10;
    rest = magnitude % unit;
    magnitude -= rest;
    if (rest >= unit - rest && __builtin_add_overflow(magnitude, unit, &magnitude)) return -1;
    if (magnitude > (uint64_t)INT64_MAX + (x < 0)) return -1;
    *out = x < 0 ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

EVAL(round)
{
    BEGIN(((const struct bound *)bound)->types[0] == WEIR_TYPE_FLOAT64 ? WEIR_TYPE_FLOAT64
                                                                       : WEIR_TYPE_INT64);
    EACH_ROW {
        const int64_t places = call->n_args > 1 ? arg_int(call, b, 1, row) : 0;
        if (b->types[0] == WEIR_TYPE_FLOAT64)
            ((double *)values)[row] = round_float(arg_number(call, b, 0, row), places);
        else if (round_int(arg_int(call, b, 0, row), places, (int64_t *)values + row))
            row_fail(call, row, "int64 overflow");
    }
    return WEIR_OK;
}

static int32_t round_bind(const struct weir_host *host, const struct weir_argument *args,
                          uint32_t n_args, struct ArrowSchema *schema, void **bound,
                          struct weir_error *error)
{
    const int is_float = argument_type(args[0].schema) == WEIR_TYPE_FLOAT64;
    return bind_as(host, "round", "n|i", is_float ? WEIR_TYPE_FLOAT64 : WEIR_TYPE_INT64,
                   sizeof(struct bound), args, n_args, schema, bound, error);
}
SCALAR_TABLE(round, free_bound)

/* ---- float functions ---- */

#define FLOAT_EVAL(name, compute, outside, reason)                                                 \
    EVAL(name)                                                                                     \
    {                                                                                              \
        BEGIN(WEIR_TYPE_FLOAT64);                                                                  \
        EACH_ROW                                                                                   \
        {                                                                                          \
            const double x = arg_number(call, b, 0, row);                                          \
            if (outside) row_fail(call, row, reason);                                              \
            else ((double *)values)[row] = compute(x);                                             \
        }                                                                                         \
        return WEIR_OK;                                                                            \
    }                                                                                              \
    SCALAR(name, "n", WEIR_TYPE_FLOAT64)

FLOAT_EVAL(sqrt, sqrt, x < 0, "sqrt of a negative number")
FLOAT_EVAL(exp, exp, 0, "")
FLOAT_EVAL(ln, log, x <= 0, "ln of a number that is not positive")
FLOAT_EVAL(log10, log10, x <= 0, "log10 of a number that is not positive")

EVAL(power)
{
    BEGIN(WEIR_TYPE_FLOAT64);
    EACH_ROW {
        const double x = arg_number(call, b, 0, row), y = arg_number(call, b, 1, row);
        ((double *)values)[row] = pow(x, y);
    }
    return WEIR_OK;
}
SCALAR(power, "nn", WEIR_TYPE_FLOAT64)

/* ---- remainders ---- */

static int32_t remainders(const struct bound *b, const struct weir_call *call, int of_divisor,
                          struct ArrowArray *out, struct weir_error *error)
{
    const int floats = any_float(b, 2);
    void *values;
    int32_t rc = make_column(b, floats ? WEIR_TYPE_FLOAT64 : WEIR_TYPE_INT64, call, out, &values,
                             error);
    if (rc) return rc;
    EACH_ROW {
        if (floats) {
            const double y = arg_number(call, b, 1, row);
            double r = y == 0 ? 0 : fmod(arg_number(call, b, 0, row), y);
            if (y == 0) row_fail(call, row, "division by zero");
            if (of_divisor && r != 0 && (r < 0) != (y < 0)) r += y;
            ((double *)values)[row] = r;
        } else {
            const int64_t y = arg_int(call, b, 1, row);
            int64_t r = y == 0 || y == -1 ? 0 : arg_int(call, b, 0, row) % y;
            if (y == 0) row_fail(call, row, "division by zero");
            if (of_divisor && r != 0 && (r < 0) != (y < 0)) r += y;
            ((int64_t *)values)[row] = r;
        }
    }
    return WEIR_OK;
}

EVAL(mod)
{
    (void)host;
    return remainders(bound, call, 0, out, error);
}
SAME(mod, "nn")

EVAL(pmod)
{
    (void)host;
    return remainders(bound, call, 1, out, error);
}
SAME(pmod, "nn")
