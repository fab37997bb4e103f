/*
 * text.c - numbers and times as text and back.
 *
 * Floats are written with the fewest digits that read back as the same value. Most numbers in data
 * have few decimals: for d = 0 … 8 the integer nearest to v * 10^d is tried, and v is that integer
 * over 10^d exactly when the (correctly rounded) division gives v back. Others try 15, 16, 17
 * digits.
 *
 * Floats are read by Clinger's fast path: a mantissa below 2^53 and a power of ten up to 10^22 are
 * both exact, so one rounded operation gives the right value. Others go to strtod of the C locale.
 *
 * Days and dates: the era arithmetic of the proleptic Gregorian calendar, 400 years of 146,097 days
 * counted from 1 March, so that the leap day ends a year.
 */
#define _GNU_SOURCE
#include "plugins/share/text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US 86400000000ll
#define TIMESTAMP_LEAST (-62135596800000000ll) /* 0001-01-01 */
#define TIMESTAMP_MOST 253402300799999999ll    /* 9999-12-31T23:59:59.999999 */

static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* ---- writing ---- */

static uint32_t digits_of(uint64_t value, char *out)
{
    char reverse[20];
    uint32_t n = 0, i;
    do {
        reverse[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (i = 0; i < n; i++) out[i] = reverse[n - 1 - i];
    return n;
}

uint32_t int_to_text(int64_t value, char out[24])
{
    uint32_t n = 0;
    if (value < 0) out[n++] = '-';
    return n + digits_of(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out + n);
}

/* Text of 0.d1d2d3… * 10^point from its digits, as Java and SQL engines lay it out. */
static uint32_t layout(const char *digits, uint32_t n, int point, char *out)
{
    uint32_t at = 0, i;
    while (n > 1 && digits[n - 1] == '0') n--;
    if (point > -3 && point <= 7) {
        if (point <= 0) {
            out[at++] = '0';
            out[at++] = '.';
            for (i = 0; i < (uint32_t)-point; i++) out[at++] = '0';
            memcpy(out + at, digits, n);
            return at + n;
        }
        for (i = 0; i < (uint32_t)point; i++) out[at++] = i < n ? digits[i] : '0';
        out[at++] = '.';
        if (n <= (uint32_t)point) {
            out[at++] = '0';
            return at;
        }
        memcpy(out + at, digits + point, n - (uint32_t)point);
        return at + n - (uint32_t)point;
    }
    out[at++] = digits[0];
    out[at++] = '.';
    if (n == 1) out[at++] = '0';
    memcpy(out + at, digits + 1, n - 1);
    at += n - 1;
    out[at++] = 'E';
    return at + int_to_text(point - 1, out + at);
}

static int exact_decimal(double v, char *digits, uint32_t *n, int *point)
{
    int d;
    if (!(v >= 1e-3 && v < 1e15)) return 0;
    for (d = 0; d <= 8; d++) {
        double scaled = v * powers[d] + 0.5;
        uint64_t r;
        if (scaled >= 9007199254740992.0) return 0;
        r = (uint64_t)scaled;
        if ((double)r / powers[d] != v) continue;
        *n = digits_of(r, digits);
        *point = (int)*n - d;
        return 1;
    }
    return 0;
}

static void shortest_digits(double v, char *digits, uint32_t *n, int *point)
{
    char text[40];
    int precision = v < 2.3e-308 ? 0 : 14, i;
    for (;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (precision == 16 || strtod(text, NULL) == v) break;
    }
    /* d.ddd…e±xx, whatever the locale takes for a point */
    digits[0] = text[0];
    i = precision ? 2 : 1;
    memcpy(digits + 1, text + 2, (size_t)precision);
    *n = (uint32_t)precision + 1;
    *point = atoi(strchr(text + i, 'e') + 1) + 1;
}

uint32_t float_to_text(double value, char out[TEXT_OF_FLOAT])
{
    char digits[32];
    uint32_t n = 0, at = 0;
    int point = 0;
    if (isnan(value)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (signbit(value)) {
        out[at++] = '-';
        value = -value;
    }
    if (isinf(value)) {
        memcpy(out + at, "Infinity", 8);
        return at + 8;
    }
    if (value == 0) {
        memcpy(out + at, "0.0", 3);
        return at + 3;
    }
    if (!exact_decimal(value, digits, &n, &point)) shortest_digits(value, digits, &n, &point);
    return at + layout(digits, n, point, out + at);
}

static void civil_of_days(int64_t days, int64_t *year, uint32_t *month, uint32_t *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t doe = (uint32_t)(z - era * 146097);
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153;
    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

static int64_t days_of_civil(int64_t year, uint32_t month, uint32_t day)
{
    int64_t y = year - (month <= 2), era;
    uint32_t yoe, doy, doe;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (uint32_t)(y - era * 400);
    doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static uint32_t put_digits(char *out, uint64_t value, uint32_t width)
{
    uint32_t i;
    for (i = width; i-- > 0; value /= 10) out[i] = (char)('0' + value % 10);
    return width;
}

uint32_t date_to_text(int32_t days, char out[TEXT_OF_TIME])
{
    int64_t year;
    uint32_t month, day, at = 0;
    civil_of_days(days, &year, &month, &day);
    if (year < 0) {
        out[at++] = '-';
        year = -year;
    }
    at += put_digits(out + at, (uint64_t)year, year > 9999 ? 7 : 4);
    out[at++] = '-';
    at += put_digits(out + at, month, 2);
    out[at++] = '-';
    return at + put_digits(out + at, day, 2);
}

uint32_t timestamp_to_text(int64_t us, char out[TEXT_OF_TIME])
{
    int64_t days = us / DAY_US, rest = us % DAY_US;
    uint32_t at, fraction;
    if (rest < 0) {
        rest += DAY_US;
        days--;
    }
    at = date_to_text((int32_t)days, out);
    fraction = (uint32_t)(rest % 1000000);
    rest /= 1000000;
    out[at++] = 'T';
    at += put_digits(out + at, (uint64_t)(rest / 3600), 2);
    out[at++] = ':';
    at += put_digits(out + at, (uint64_t)(rest / 60 % 60), 2);
    out[at++] = ':';
    at += put_digits(out + at, (uint64_t)(rest % 60), 2);
    if (fraction) {
        out[at++] = '.';
        at += fraction % 1000 ? put_digits(out + at, fraction, 6)
                              : put_digits(out + at, fraction / 1000, 3);
    }
    out[at++] = 'Z';
    return at;
}

/* ---- reading ---- */

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int is_digit(char c) { return c >= '0' && c <= '9'; }

static void trim(const char **text, size_t *n)
{
    while (*n && is_space((*text)[*n - 1])) --*n;
    while (*n && is_space(**text)) {
        ++*text;
        --*n;
    }
}

static int is_word(const char *text, size_t n, const char *lower)
{
    size_t i;
    for (i = 0; i < n && lower[i]; i++)
        if ((text[i] | 0x20) != lower[i]) return 0;
    return i == n && !lower[i];
}

int text_to_int(const char *text, size_t n, int64_t least, int64_t most, int64_t *out)
{
    uint64_t value = 0, limit;
    int negative;
    size_t i = 0;
    trim(&text, &n);
    negative = n && text[0] == '-';
    if (n && (text[0] == '-' || text[0] == '+')) i++;
    if (i == n) return 0;
    limit = negative ? 0 - (uint64_t)least : (uint64_t)most;
    for (; i < n; i++) {
        uint64_t digit = (uint64_t)(uint8_t)text[i] - '0';
        if (digit > 9 || value > (limit - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 1;
}

int text_to_bool(const char *text, size_t n, int *out)
{
    trim(&text, &n);
    *out = is_word(text, n, "true");
    return *out || is_word(text, n, "false");
}

static int float_slow(const char *text, size_t n, double *out)
{
    static locale_t c_locale;
    char small[128], *copy = small, *end;
    locale_t locale = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);
    int ok;
    if (!locale) {
        locale_t expected = NULL;
        locale = newlocale(LC_ALL_MASK, "C", NULL);
        if (!locale) return 0;
        if (!__atomic_compare_exchange_n(&c_locale, &expected, locale, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            freelocale(locale);
            locale = expected;
        }
    }
    if (n >= sizeof small && !(copy = malloc(n + 1))) return 0;
    memcpy(copy, text, n);
    copy[n] = 0;
    *out = strtod_l(copy, &end, locale);
    ok = end == copy + n && !isinf(*out);
    if (copy != small) free(copy);
    return ok;
}

/* [sign] digits [. digits] [e [sign] digits] */
static int float_scan(const char *text, size_t n, double *out)
{
    uint64_t mantissa = 0;
    size_t i = 0, digits = 0, fraction = 0;
    int64_t exponent = 0;
    int negative = 0, lossy = 0;
    if (i < n && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';
    for (; i < n && is_digit(text[i]); i++, digits++) {
        if (mantissa < 100000000000000000ull) mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
        else lossy = 1;
    }
    if (i < n && text[i] == '.') {
        for (i++; i < n && is_digit(text[i]); i++, fraction++) {
            if (mantissa < 100000000000000000ull)
                mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
            else lossy = 1;
        }
    }
    if (digits + fraction == 0) return 0;
    if (i < n && (text[i] | 0x20) == 'e') {
        int minus = 0;
        size_t first;
        i++;
        if (i < n && (text[i] == '-' || text[i] == '+')) minus = text[i++] == '-';
        first = i;
        for (; i < n && is_digit(text[i]); i++)
            if (exponent < 100000) exponent = exponent * 10 + (text[i] - '0');
        if (i == first) return 0;
        if (minus) exponent = -exponent;
    }
    if (i != n) return 0;
    exponent -= (int64_t)fraction;
    if (!lossy && mantissa < 9007199254740992ull && exponent >= -22 && exponent <= 22) {
        double value = (double)mantissa;
        value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
        *out = negative ? -value : value;
        return 1;
    }
    return float_slow(text, n, out);
}

int text_to_float(const char *text, size_t n, double *out)
{
    size_t sign;
    trim(&text, &n);
    if (n == 0) return 0;
    if (float_scan(text, n, out)) return 1;
    sign = text[0] == '-' || text[0] == '+';
    if (is_word(text, n, "nan")) {
        *out = NAN;
        return 1;
    }
    if (is_word(text + sign, n - sign, "infinity") || is_word(text + sign, n - sign, "inf")) {
        *out = text[0] == '-' ? -INFINITY : INFINITY;
        return 1;
    }
    return 0;
}

static size_t digits_run(const char *text, size_t n, size_t at)
{
    while (at < n && is_digit(text[at])) at++;
    return at;
}

int json_number_ok(const char *text, size_t n)
{
    size_t at = n && text[0] == '-', end = digits_run(text, n, at);
    if (end == at || (end > at + 1 && text[at] == '0')) return 0;
    if (end < n && text[end] == '.') {
        at = end + 1;
        end = digits_run(text, n, at);
        if (end == at) return 0;
    }
    if (end < n && (text[end] | 0x20) == 'e') {
        at = end + 1;
        if (at < n && (text[at] == '+' || text[at] == '-')) at++;
        end = digits_run(text, n, at);
        if (end == at) return 0;
    }
    return end == n;
}

/* Exactly `width` digits at *at. */
static int take_digits(const char *text, size_t n, size_t *at, uint32_t width, uint32_t *out)
{
    uint32_t i, value = 0;
    if (n - *at < width) return 0;
    for (i = 0; i < width; i++) {
        if (!is_digit(text[*at + i])) return 0;
        value = value * 10 + (uint32_t)(text[*at + i] - '0');
    }
    *at += width;
    *out = value;
    return 1;
}

static int take_char(const char *text, size_t n, size_t *at, char c)
{
    if (*at >= n || text[*at] != c) return 0;
    ++*at;
    return 1;
}

static int take_date(const char *text, size_t n, size_t *at, int64_t *days)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    uint32_t year, month, day, last;
    if (!take_digits(text, n, at, 4, &year) || !take_char(text, n, at, '-') ||
        !take_digits(text, n, at, 2, &month) || !take_char(text, n, at, '-') ||
        !take_digits(text, n, at, 2, &day))
        return 0;
    if (year < 1 || month < 1 || month > 12) return 0;
    last = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) last = 29;
    if (day < 1 || day > last) return 0;
    *days = days_of_civil(year, month, day);
    return 1;
}

int text_to_date(const char *text, size_t n, int32_t *days)
{
    int64_t value;
    size_t at = 0;
    trim(&text, &n);
    if (!take_date(text, n, &at, &value) || at != n) return 0;
    *days = (int32_t)value;
    return 1;
}

/* Z, ±hh, ±hhmm, ±hh:mm or nothing, up to the end of the text. */
static int take_offset(const char *text, size_t n, size_t *at, int64_t *seconds)
{
    uint32_t hours, minutes = 0;
    int minus;
    *seconds = 0;
    if (*at == n) return 1;
    if ((text[*at] | 0x20) == 'z') return ++*at == n;
    if (text[*at] != '+' && text[*at] != '-') return 0;
    minus = text[(*at)++] == '-';
    if (!take_digits(text, n, at, 2, &hours)) return 0;
    if (*at < n) {
        (void)take_char(text, n, at, ':');
        if (!take_digits(text, n, at, 2, &minutes)) return 0;
    }
    if (hours > 18 || minutes > 59) return 0;
    *seconds = (int64_t)hours * 3600 + minutes * 60;
    if (minus) *seconds = -*seconds;
    return *at == n;
}

int text_to_timestamp(const char *text, size_t n, int64_t *us)
{
    uint32_t hour = 0, minute = 0, second = 0, fraction = 0, scale = 100000;
    int64_t days, offset = 0;
    size_t at = 0;
    trim(&text, &n);
    if (!take_date(text, n, &at, &days)) return 0;
    if (at < n) {
        if (text[at] != ' ' && (text[at] | 0x20) != 't') return 0;
        at++;
        if (!take_digits(text, n, &at, 2, &hour) || !take_char(text, n, &at, ':') ||
            !take_digits(text, n, &at, 2, &minute))
            return 0;
        if (take_char(text, n, &at, ':')) {
            if (!take_digits(text, n, &at, 2, &second)) return 0;
            if (take_char(text, n, &at, '.')) {
                if (at >= n || !is_digit(text[at])) return 0;
                for (; at < n && is_digit(text[at]); at++, scale /= 10)
                    fraction += (uint32_t)(text[at] - '0') * scale;
            }
        }
        if (hour > 23 || minute > 59 || second > 59) return 0;
        if (!take_offset(text, n, &at, &offset)) return 0;
    }
    *us = ((days * 24 + hour) * 3600 + minute * 60 + second - offset) * 1000000ll + fraction;
    return timestamp_in_range(*us);
}

int timestamp_in_range(int64_t us) { return us >= TIMESTAMP_LEAST && us <= TIMESTAMP_MOST; }

int text_to_epoch(const char *text, size_t n, int64_t units, int64_t *us)
{
    int64_t whole = 0, fraction = 0, scale = units;
    size_t i = 0, digits = 0;
    int negative;
    double value;
    trim(&text, &n);
    negative = n && text[0] == '-';
    if (n && (text[0] == '-' || text[0] == '+')) i++;
    for (; i < n && is_digit(text[i]); i++, digits++) {
        if (whole > 1000000000000000000ll / 10) return 0;
        whole = whole * 10 + (text[i] - '0');
    }
    if (digits == 0) return 0;
    if (i < n && (text[i] | 0x20) == 'e') { /* 1.7e9 */
        if (!float_scan(text, n, &value)) return 0;
        value *= (double)units;
        if (!(fabs(value) < 9e17)) return 0;
        *us = (int64_t)value;
        return timestamp_in_range(*us);
    }
    if (i < n && text[i] == '.') {
        size_t first = ++i;
        for (; i < n && is_digit(text[i]); i++)
            if (scale > 1) fraction += (text[i] - '0') * (scale /= 10);
        if (i == first) return 0;
        if (i < n) {
            if ((text[i] | 0x20) != 'e' || !float_scan(text, n, &value)) return 0;
            value *= (double)units;
            if (!(fabs(value) < 9e17)) return 0;
            *us = (int64_t)value;
            return timestamp_in_range(*us);
        }
    }
    if (i != n || __builtin_mul_overflow(whole, units, &whole)) return 0;
    if (__builtin_add_overflow(whole, fraction, &whole)) return 0;
    *us = negative ? -whole : whole;
    return timestamp_in_range(*us);
}

/* ---- UTF-8 (RFC 3629) ---- */

/* Bytes of the sequence at p: 1 to 4 where it is valid, 0 where it is not. */
static size_t sequence(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2) return 0;
    if (p[0] < 0xE0) return n > 1 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (p[0] < 0xF0) {
        if (n < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
        if (p[0] == 0xE0 && p[1] < 0xA0) return 0;
        return p[0] == 0xED && p[1] > 0x9F ? 0 : 3;
    }
    if (p[0] > 0xF4 || n < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 ||
        (p[3] & 0xC0) != 0x80)
        return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;
    return p[0] == 0xF4 && p[1] > 0x8F ? 0 : 4;
}

int utf8_ok(const uint8_t *text, size_t n)
{
    size_t i = 0;
    while (i < n) {
        size_t step;
        while (n - i >= 16) {
            uint64_t a, b;
            memcpy(&a, text + i, 8);
            memcpy(&b, text + i + 8, 8);
            if ((a | b) & 0x8080808080808080ull) break;
            i += 16;
        }
        if (i == n) break;
        step = sequence(text + i, n - i);
        if (!step) return 0;
        i += step;
    }
    return 1;
}

size_t utf8_mend(const uint8_t *text, size_t n, uint8_t *out)
{
    size_t i = 0, at = 0;
    while (i < n) {
        size_t step = sequence(text + i, n - i);
        if (step) {
            memcpy(out + at, text + i, step);
            at += step;
            i += step;
            continue;
        }
        memcpy(out + at, "\xEF\xBF\xBD", 3);
        at += 3;
        i++;
        while (i < n && (text[i] & 0xC0) == 0x80 && !sequence(text + i, n - i)) i++;
    }
    return at;
}

/* ---- base64 (RFC 4648) and checksums ---- */

size_t base64_to_text(const uint8_t *bytes, size_t n, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i, at = 0;
    for (i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;
        if (i + 1 < n) v |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n) v |= bytes[i + 2];
        out[at++] = letters[v >> 18];
        out[at++] = letters[v >> 12 & 63];
        out[at++] = i + 1 < n ? letters[v >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? letters[v & 63] : '=';
    }
    return at;
}

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int text_to_base64(const char *text, size_t n, uint8_t *out, size_t *length)
{
    uint32_t v = 0, bits = 0;
    size_t i, at = 0, pad = 0;
    while (n && pad < 2 && text[n - 1] == '=') {
        n--;
        pad++;
    }
    if (pad && (n + pad) % 4) return 0;
    if (n % 4 == 1) return 0;
    for (i = 0; i < n; i++) {
        int digit = letter_value(text[i]);
        if (digit < 0) return 0;
        v = v << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = (uint8_t)(v >> bits);
        }
    }
    *length = at;
    return 1;
}

uint32_t crc32c_of(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = ~0u;
    while (n--) {
        int k;
        crc ^= *p++;
        for (k = 0; k < 8; k++) crc = crc >> 1 ^ (0x82F63B78u & (0u - (crc & 1)));
    }
    return ~crc;
}

uint64_t fnv1a_of(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = 14695981039346656037ull;
    while (n--) h = (h ^ *p++) * 1099511628211ull;
    return h;
}
