/*
 * time.c - timestamps and dates as text and back: ISO 8601, extended form, Gregorian, UTC.
 *
 *     date      = YYYY-MM-DD                        years 0001 to 9999
 *     timestamp = date [ (T | t | space) HH:MM [ :SS [ .digits ] ] [ Z | z | +-HH[[:]MM] ] ]
 *
 * A date alone is midnight. Hours go to 23, seconds to 59. Digits of a fraction past six are
 * cut. Days and civil dates are converted by eras of 400 years that begin in March, so that the
 * leap day is the last of its year (H. Hinnant, "chrono-compatible low-level date algorithms").
 */
#include "core/data/node.h"

#define US_SECOND 1000000ll
#define US_DAY (86400 * US_SECOND)

int64_t days_of_civil(int64_t year, uint32_t month, uint32_t day)
{
    const int64_t y = year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t in_era = y - era * 400;
    const int64_t in_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void civil_of_days(int64_t days, int64_t *year, uint32_t *month, uint32_t *day)
{
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t in_era = z - era * 146097;
    const int64_t years = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    const int64_t in_year = in_era - (365 * years + years / 4 - years / 100);
    const int64_t m = (5 * in_year + 2) / 153;
    *day = (uint32_t)(in_year - (153 * m + 2) / 5 + 1);
    *month = (uint32_t)(m < 10 ? m + 3 : m - 9);
    *year = years + era * 400 + (*month <= 2);
}

/* `width` digits, with leading zeros. */
static uint32_t put(char *out, uint64_t value, uint32_t width)
{
    uint32_t i;
    for (i = width; i-- > 0; value /= 10) out[i] = (char)('0' + value % 10);
    return width;
}

static uint32_t put_date(char *out, int64_t days)
{
    uint32_t n = 0, month, day;
    int64_t year;
    civil_of_days(days, &year, &month, &day);
    if (year < 0) out[n++] = '-', year = -year;
    n += put(out + n, (uint64_t)year, year > 999999 ? 7 : year > 99999 ? 6 : year > 9999 ? 5 : 4);
    out[n++] = '-';
    n += put(out + n, month, 2);
    out[n++] = '-';
    return n + put(out + n, day, 2);
}

uint32_t text_of_date(int32_t days, char out[16])
{
    const uint32_t n = put_date(out, days);
    out[n] = 0;
    return n;
}

uint32_t text_of_timestamp(int64_t us, char out[40])
{
    const int64_t days = us / US_DAY - (us % US_DAY < 0);
    const uint64_t rest = (uint64_t)(us % US_DAY + (us % US_DAY < 0 ? US_DAY : 0));
    const uint64_t second = rest / US_SECOND, fraction = rest % US_SECOND;
    uint32_t n = put_date(out, days);
    out[n++] = 'T';
    n += put(out + n, second / 3600, 2);
    out[n++] = ':';
    n += put(out + n, second / 60 % 60, 2);
    out[n++] = ':';
    n += put(out + n, second % 60, 2);
    if (fraction) {
        out[n++] = '.';
        if (fraction % 1000) n += put(out + n, fraction, 6);
        else n += put(out + n, fraction / 1000, 3);
    }
    out[n++] = 'Z';
    out[n] = 0;
    return n;
}

struct reader {
    const char *at, *end;
};

/* Exactly `width` digits. */
static int take(struct reader *r, uint32_t width, uint32_t *out)
{
    *out = 0;
    if (r->end - r->at < (int64_t)width) return 0;
    for (; width; width--, r->at++) {
        if (*r->at < '0' || *r->at > '9') return 0;
        *out = *out * 10 + (uint32_t)(*r->at - '0');
    }
    return 1;
}

static int accept(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return 0;
    r->at++;
    return 1;
}

static struct reader trimmed(const char *text, uint64_t n)
{
    struct reader r = { text, text + n };
    while (r.at < r.end && (*r.at == ' ' || (*r.at >= 9 && *r.at <= 13))) r.at++;
    while (r.at < r.end && (r.end[-1] == ' ' || (r.end[-1] >= 9 && r.end[-1] <= 13))) r.end--;
    return r;
}

static int read_date(struct reader *r, int64_t *days)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    uint32_t year, month, day, last;
    if (!take(r, 4, &year) || !accept(r, '-') || !take(r, 2, &month) || !accept(r, '-') ||
        !take(r, 2, &day))
        return -1;
    if (month < 1 || month > 12) return -1;
    last = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) last = 29;
    if (day < 1 || day > last) return -1;
    if (year == 0) return -2;
    *days = days_of_civil(year, month, day);
    return 0;
}

static int read_time(struct reader *r, int64_t *us)
{
    uint32_t hour, minute, second = 0, fraction = 0, digits = 0;
    if (!take(r, 2, &hour) || !accept(r, ':') || !take(r, 2, &minute)) return -1;
    if (accept(r, ':')) {
        if (!take(r, 2, &second)) return -1;
        if (accept(r, '.')) {
            for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++)
                if (digits < 6) fraction = fraction * 10 + (uint32_t)(*r->at - '0');
            if (!digits) return -1;
            for (; digits < 6; digits++) fraction *= 10;
        }
    }
    if (hour > 23 || minute > 59 || second > 59) return -1;
    *us = ((int64_t)hour * 3600 + minute * 60 + second) * US_SECOND + fraction;
    return 0;
}

/* What to subtract to come to UTC. */
static int read_offset(struct reader *r, int64_t *us)
{
    uint32_t hour, minute = 0;
    int negative;
    *us = 0;
    if (r->at == r->end) return 0;
    if (accept(r, 'Z') || accept(r, 'z')) return 0;
    negative = *r->at == '-';
    if (!accept(r, '-') && !accept(r, '+')) return -1;
    if (!take(r, 2, &hour)) return -1;
    if (r->at < r->end) {
        accept(r, ':');
        if (!take(r, 2, &minute)) return -1;
    }
    if (hour > 23 || minute > 59) return -1;
    *us = ((int64_t)hour * 3600 + minute * 60) * US_SECOND * (negative ? -1 : 1);
    return 0;
}

int timestamp_of_text(const char *text, uint64_t n, int64_t *us)
{
    struct reader r = trimmed(text, n);
    int64_t days, time = 0, offset = 0, sum;
    int range = read_date(&r, &days); /* -2, year 0, counts only if the rest is well-formed */
    if (range == -1) return -1;
    if (r.at < r.end) {
        if (!accept(&r, 'T') && !accept(&r, 't') && !accept(&r, ' ')) return -1;
        if (read_time(&r, &time) || read_offset(&r, &offset) || r.at != r.end) return -1;
    }
    if (range) return range;
    sum = days * US_DAY + time - offset;
    if (sum < TIMESTAMP_MIN || sum > TIMESTAMP_MAX) return -2;
    *us = sum;
    return 0;
}

int date_of_text(const char *text, uint64_t n, int32_t *days)
{
    struct reader r = trimmed(text, n);
    int64_t value;
    const int rc = read_date(&r, &value);
    if (rc == -1 || r.at != r.end) return -1;
    if (rc == 0) *days = (int32_t)value;
    return rc;
}
