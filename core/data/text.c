/*
 * text.c - numbers as text and back, without locale.
 *
 * Float to text is the shortest decimal that reads back as the same double, in the form of Java and
 * Spark: plain from 1e-3 to below 1e7, else one digit, point, digits, E, exponent; at least one
 * digit behind the point. Three ways:
 *
 *  1. Most values that people have are decimals of at most 15 digits. If r = round(v * 10^k) is
 *     below 10^15 and r / 10^k == v (r and 10^k are exact, so the division is rounded once), then
 *     r / 10^k reads back as v. Two decimals of at most 15 digits never share a double, so the
 *     first k that fits gives the shortest.
 *  2. Else, from 1e-6 to below 1e15, 16 or 17 digits are needed, and 128 bits are enough to be
 *     exact: v = m / 2^s, so the integer r nearest to v * 10^k reads back as v if r * 2^s is
 *     less than 10^k / 2 from m * 10^k, half the way to the next double. There s <= 72, k <= 22
 *     and m * 10^k < 2^127. (Powers of two, whose lower neighbour is nearer, have 15 digits at most
 *     here; and a tie would need s < k, where v * 10^k is an integer itself.)
 *  3. Else printf's exact digits, 15 to 17 of them, until one reads back; for subnormals, whose
 *     doubles are farther apart, from 2 on. (One digit is never tried: two are shown anyhow, and
 *     4.9E-324 is nearer than 5.0E-324.)
 *
 * Text to float: with at most 19 digits that fit 2^53 and a power of ten up to 22 one exact
 * operation is enough (W. D. Clinger, "How to read floating point numbers accurately", 1990). Else
 * the digits go to strtod as an integer with exponent, a form without a decimal point and so
 * the same in every locale. A double is decided by fewer than 770 digits; behind them only "is
 * anything not zero" matters, so a 1 stands for the rest.
 */
#include "base/digits.h"
#include "core/data/node.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static uint32_t put_unsigned(uint64_t value, char *out)
{
    char digits[20];
    uint32_t n = 0, i;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    return n;
}

uint32_t text_of_int(int64_t value, char out[24])
{
    uint32_t n = 0;
    if (value < 0) out[n++] = '-';
    n += put_unsigned(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out + n);
    out[n] = 0;
    return n;
}

/* Way 1: digits and the power of ten of the first one. 0 if v is no short decimal. */
static uint32_t short_digits(double v, char digits[20], int32_t *exponent)
{
    uint32_t k, n;
    if (v >= 1e15 || v < 1e-7) return 0;
    for (k = 0; k <= 22; k++) {
        const double product = v * powers[k];
        int64_t r;
        if (product >= 1e15 - 1) return 0;
        r = (int64_t)(product + 0.5);
        if ((double)r / powers[k] != v) continue;
        n = put_unsigned((uint64_t)r, digits);
        *exponent = (int32_t)n - 1 - (int32_t)k;
        return n;
    }
    return 0;
}

/* Way 2. */
static uint32_t middle_digits(double v, char digits[20], int32_t *exponent)
{
    unsigned __int128 scale = 1, product, middle, difference;
    uint64_t bits, m, r;
    int32_t x = -7, k, i;
    uint32_t s, n;
    double bound = 1e-6;
    if (v < 1e-6 || v >= 1e15) return 0;
    memcpy(&bits, &v, sizeof bits);
    m = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    s = (uint32_t)(1075 - (int32_t)(bits >> 52 & 0x7ff));
    for (; v >= bound; bound *= 10) x++; /* v is about 10^x; one off costs one round more */
    k = 15 - x;
    for (i = 0; i < k; i++) scale *= 10;
    for (; k <= 22; k++, scale *= 10) {
        product = scale * m;
        r = (uint64_t)((product + ((unsigned __int128)1 << (s - 1))) >> s);
        middle = (unsigned __int128)r << s;
        difference = middle > product ? middle - product : product - middle;
        if (2 * difference >= scale) continue;
        n = put_unsigned(r, digits);
        *exponent = (int32_t)n - 1 - k;
        return n;
    }
    return 0;
}

/* Way 3. */
static uint32_t long_digits(double v, char digits[20], int32_t *exponent)
{
    uint32_t precision = v < DBL_MIN ? 2 : 15;
    for (;; precision++) {
        char text[64], again[64];
        const char *c = text;
        uint32_t n = 0;
        snprintf(text, sizeof text, "%.*e", (int)precision - 1, v);
        for (; *c != 'e'; c++) /* the radix of the locale is skipped, whatever it is */
            if (*c >= '0' && *c <= '9') digits[n++] = *c;
        *exponent = atoi(c + 1);
        snprintf(again, sizeof again, "%.*se%d", (int)n, digits, (int)(*exponent - (int32_t)n + 1));
        if (precision >= 17 || strtod(again, NULL) == v) return n;
    }
}

static uint32_t put(char *out, const char *bytes, uint32_t n)
{
    memcpy(out, bytes, n);
    return n;
}

uint32_t text_of_float(double value, char out[32])
{
    char digits[20];
    uint32_t n = 0, count, whole;
    int32_t exponent = 0;
    const double v = fabs(value);
    if (isnan(value)) return put(out, "NaN", 4) - 1;
    if (signbit(value)) out[n++] = '-';
    if (isinf(value)) return n + put(out + n, "Infinity", 9) - 1;
    if (v == 0) return n + put(out + n, "0.0", 4) - 1;
    count = short_digits(v, digits, &exponent);
    if (!count) count = middle_digits(v, digits, &exponent);
    if (!count) count = long_digits(v, digits, &exponent);
    while (count > 1 && digits[count - 1] == '0') count--;
    if (exponent >= -3 && exponent < 7) {
        int32_t i;
        if (exponent < 0) {
            n += put(out + n, "0.", 2);
            for (i = -1; i > exponent; i--) out[n++] = '0';
            n += put(out + n, digits, count);
        } else {
            whole = (uint32_t)exponent + 1;
            for (i = 0; i < (int32_t)whole; i++) out[n++] = i < (int32_t)count ? digits[i] : '0';
            out[n++] = '.';
            if (count > whole) n += put(out + n, digits + whole, count - whole);
            else out[n++] = '0';
        }
    } else {
        out[n++] = digits[0];
        out[n++] = '.';
        if (count > 1) n += put(out + n, digits + 1, count - 1);
        else out[n++] = '0';
        out[n++] = 'E';
        n += text_of_int(exponent, out + n);
    }
    out[n] = 0;
    return n;
}

static int is_space(char c) { return c == ' ' || (c >= 9 && c <= 13); }
static int is_digit(char c) { return c >= '0' && c <= '9'; }

static void trim(const char **text, uint64_t *n)
{
    while (*n && is_space(**text)) ++*text, --*n;
    while (*n && is_space((*text)[*n - 1])) --*n;
}

/* 8 to 16 digits and nothing else: the last eight, and those before them. */
static int plain_digits(const char *text, uint64_t n, int64_t *out)
{
    uint64_t word, first = 0, last;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) return 0;
    memcpy(&word, text + n - 8, 8);
    if (!eight_digits(word, &last)) return 0;
    memcpy(&word, text, 8);
    if (n > 8 && n < 16) word = word << (128 - 8 * n) | EACH_BYTE('0') >> (8 * n - 64);
    if (n > 8 && !eight_digits(word, &first)) return 0;
    *out = (int64_t)(first * 100000000 + last);
    return 1;
}

int int_of_text(const char *text, uint64_t n, int64_t *out)
{
    uint64_t value = 0, most = INT64_MAX, i = 0;
    int negative, range = 0;
    if (n >= 8 && n <= 16 && plain_digits(text, n, out)) return 0;
    trim(&text, &n);
    if (!n) return -1;
    negative = text[0] == '-';
    if (negative || text[0] == '+') i = 1;
    if (i == n) return -1;
    most += (uint64_t)negative;
    for (; i < n; i++) {
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (!is_digit(text[i])) return -1;
        if (range || value > (most - digit) / 10) range = 1; /* the rest must be digits still */
        else value = value * 10 + digit;
    }
    if (range) return -2;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

/* A decimal number: at most DIGITS digits without leading zeros, times 10^exponent. */
#define DIGITS 800u
struct decimal {
    uint64_t small; /* the value of the first 19 digits */
    uint32_t n;     /* digits kept in `digits` */
    uint32_t more;  /* 1: something other than 0 was left out */
    int64_t exponent;
    char digits[DIGITS + 2];
};

/* Reads [digits][.digits][e[+-]digits]; 0 where the text is none. */
static int read_decimal(const char *c, const char *end, struct decimal *d)
{
    int any = 0, point = 0;
    d->small = 0;
    d->n = d->more = 0;
    d->exponent = 0;
    for (; c < end; c++) {
        if (*c == '.' && !point) {
            point = 1;
            continue;
        }
        if (!is_digit(*c)) break;
        any = 1;
        if (d->n < DIGITS) {
            if (*c != '0' || d->n) {
                if (d->n < 19) d->small = d->small * 10 + (uint64_t)(*c - '0');
                d->digits[d->n++] = *c;
            }
            d->exponent -= point;
        } else {
            d->more |= *c != '0';
            d->exponent += !point;
        }
    }
    if (!any) return 0;
    if (c < end && (*c == 'e' || *c == 'E')) {
        int64_t exponent = 0;
        int negative = 0;
        c++;
        if (c < end && (*c == '-' || *c == '+')) negative = *c++ == '-';
        if (c == end) return 0;
        for (; c < end && is_digit(*c); c++)
            if (exponent < 1000000000000) exponent = exponent * 10 + (*c - '0');
        d->exponent += negative ? -exponent : exponent;
    }
    return c == end;
}

static double decimal_value(struct decimal *d)
{
    char tail[24];
    char text[DIGITS + 32];
    int64_t exponent = d->exponent;
    if (!d->n) return 0;
    if (d->n <= 19 && d->small <= (1ull << 53) && exponent >= -22 && exponent <= 22)
        return exponent < 0 ? (double)d->small / powers[-exponent]
                            : (double)d->small * powers[exponent];
    if (d->more) {
        d->digits[d->n++] = '1';
        exponent--;
    }
    if (exponent > 1000000) exponent = 1000000;
    if (exponent < -1000000) exponent = -1000000;
    memcpy(text, d->digits, d->n);
    text[d->n] = 'e';
    memcpy(text + d->n + 1, tail, text_of_int(exponent, tail) + 1);
    return strtod(text, NULL);
}

int float_of_text(const char *text, uint64_t n, double *out)
{
    struct decimal d;
    uint64_t sign = 0;
    trim(&text, &n);
    if (!n) return -1;
    if (n == 3 && memcmp(text, "NaN", 3) == 0) return *out = NAN, 0;
    if (n == 8 && memcmp(text, "Infinity", 8) == 0) return *out = INFINITY, 0;
    if (n == 9 && memcmp(text, "-Infinity", 9) == 0) return *out = -INFINITY, 0;
    if (text[0] == '-' || text[0] == '+') sign = 1;
    if (!read_decimal(text + sign, text + n, &d)) return -1;
    *out = decimal_value(&d);
    if (isinf(*out)) return -2;
    if (text[0] == '-') *out = -*out;
    return 0;
}
