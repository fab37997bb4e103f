/*
 * values.c - durations and sizes: one number, one unit.
 *
 *     value  = digits [ "." digits ] unit
 *     unit   = ms | s | m | h | d           (durations; it has to be there)
 *            | k | M | G | Ki | Mi | Gi     (sizes; none: bytes)
 *
 * A fraction is fine where the whole comes out even ("1.5s", "0.5Ki"). Nothing is rounded: the
 * value is computed as an exact fraction, digits · unit / 10^places.
 */
#include "core/job/job.h"

#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit times[] = { { "ms", 1000 },
                                     { "s", 1000000 },
                                     { "m", 60000000 },
                                     { "h", 3600000000 },
                                     { "d", 86400000000 } };
static const struct unit sizes[] = { { "", 1 },
                                     { "k", 1000 },
                                     { "M", 1000000 },
                                     { "G", 1000000000 },
                                     { "Ki", 1 << 10 },
                                     { "Mi", 1 << 20 },
                                     { "Gi", 1 << 30 } };

/* Reads the number; the rest of the text is the unit. 0, or -1: none, -2: too large. */
static int read_number(const char **text, int64_t *digits, int64_t *divisor)
{
    const char *p = *text;
    int point = 0;
    *digits = 0;
    *divisor = 1;
    if (*p < '0' || *p > '9') return -1;
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = 1;
            if (p[1] < '0' || p[1] > '9') return -1;
            continue;
        }
        if (__builtin_mul_overflow(*digits, 10, digits) ||
            __builtin_add_overflow(*digits, *p - '0', digits) ||
            (point && __builtin_mul_overflow(*divisor, 10, divisor)))
            return -2;
    }
    *text = p;
    return 0;
}

/* 0, or -1: the unit is none of them, -2: too large, -3: a fraction of the least unit. */
static int scale(const struct unit *units, size_t n, const char *unit, int64_t digits,
                 int64_t divisor, int64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(unit, units[i].name) != 0) continue;
        __int128 whole = (__int128)digits * units[i].factor;
        if (whole % divisor != 0) return -3;
        whole /= divisor;
        if (whole > INT64_MAX) return -2;
        *out = (int64_t)whole;
        return 0;
    }
    return -1;
}

static int has_digit(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

int parse_duration(const char *text, int zero_ok, int64_t *us, const char **why)
{
    int64_t digits, divisor;
    int result = read_number(&text, &digits, &divisor);
    if (result == -1) {
        *why = "must be a number and a unit (ms, s, m, h, d), like \"10s\"";
        return -1;
    }
    if (result == 0 && *text == 0) {
        *why = "needs a unit: ms, s, m, h or d, like \"10s\"";
        return -1;
    }
    if (result == 0)
        result = scale(times, sizeof times / sizeof *times, text, digits, divisor, us);
    if (result == -1)
        *why = has_digit(text) ? "must be one number with one unit: \"90m\", not \"1h30m\""
                               : "has a unit that is none of ms, s, m, h, d";
    if (result == -2) *why = "is too large";
    if (result == -3) *why = "is finer than a microsecond";
    if (result == 0 && *us == 0 && !zero_ok) {
        *why = "must be greater than zero";
        result = -1;
    }
    return result == 0 ? 0 : -1;
}

int parse_size(const char *text, int64_t *bytes, const char **why)
{
    int64_t digits, divisor;
    int result = read_number(&text, &digits, &divisor);
    if (result == -1) {
        *why = "must be a number of bytes with or without k, M, G, Ki, Mi, Gi, like \"64Mi\"";
        return -1;
    }
    if (result == 0)
        result = scale(sizes, sizeof sizes / sizeof *sizes, text, digits, divisor, bytes);
    if (result == -1)
        *why = has_digit(text) ? "must be one number with one unit: \"1536Mi\", not \"1Gi512Mi\""
                               : "has a unit that is none of k, M, G, Ki, Mi, Gi (64Mi is 64 MiB)";
    if (result == -2) *why = "is too large";
    if (result == -3) *why = "is no whole number of bytes";
    return result == 0 ? 0 : -1;
}
