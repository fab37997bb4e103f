/*
 * calendar.c - days and dates, and text to times.
 *
 * Days count from 1970-01-01 in the proleptic Gregorian calendar. Both directions work on eras of
 * 400 years (146,097 days) that begin on 1 March, so that the leap day is the last of its year: a
 * month m from March has (153 m + 2) / 5 days before it.
 *
 * ISO 8601, extended form: date, then `T` or a space and the time, seconds and their fraction
 * optional, then Z or an offset +02, +0200, +02:00. Digits of a fraction past six are cut.
 */
#include "functions.h"
#include "zones.h"

int64_t days_of(int64_t year, uint32_t month, uint32_t day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil civil_of(int64_t days)
{
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t of_era = z - era * 146097;
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const uint32_t m = (uint32_t)(5 * of_year + 2) / 153;
    struct civil c;
    c.day = (uint32_t)(of_year - (153 * m + 2) / 5) + 1;
    c.month = m < 10 ? m + 3 : m - 9;
    c.year = year + era * 400 + (c.month <= 2);
    return c;
}

int date_exists(int64_t year, int64_t month, int64_t day)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return 0;
    return day <= lengths[month - 1] + (month == 2 && leap);
}

/* A reader of a text; `bad` once anything did not fit. */
struct reader {
    const char *p, *end;
    int bad;
};

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static char lower_of(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* A number of min to max digits. */
static int64_t digits(struct reader *r, int min, int max)
{
    int64_t n = 0;
    int count = 0;
    for (; count < max && r->p < r->end && *r->p >= '0' && *r->p <= '9'; count++)
        n = n * 10 + (*r->p++ - '0');
    if (count < min) r->bad = 1;
    return n;
}

static int take(struct reader *r, char c)
{
    if (r->p >= r->end || lower_of(*r->p) != c) return 0;
    r->p++;
    return 1;
}

static void need(struct reader *r, char c)
{
    if (!take(r, c)) r->bad = 1;
}

/* Digits of a fraction as microseconds; those past six are cut. */
static int64_t fraction(struct reader *r)
{
    int64_t us = 0;
    int count = 0;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, count++)
        if (count < 6) us = us * 10 + (*r->p - '0');
    if (count == 0) r->bad = 1;
    for (; count < 6; count++) us *= 10;
    return us;
}

/* Z, +02, +0200, +02:00 as seconds. */
static int64_t offset(struct reader *r)
{
    int64_t sign, hours, minutes = 0;
    if (take(r, 'z')) return 0;
    sign = take(r, '-') ? -1 : 1;
    if (sign == 1) need(r, '+');
    hours = digits(r, 2, 2);
    if (take(r, ':') || (r->p < r->end && *r->p >= '0' && *r->p <= '9')) minutes = digits(r, 2, 2);
    if (hours > 23 || minutes > 59) r->bad = 1;
    return sign * (hours * 3600 + minutes * 60);
}

int parse_offset(const char *text, uint64_t n, int64_t *seconds)
{
    struct reader r = { text, text + n, 0 };
    *seconds = offset(&r);
    return r.bad || r.p < r.end ? -1 : 0;
}

static int in_range(int64_t us, int64_t *out)
{
    *out = us;
    return us >= TIMESTAMP_LEAST && us <= TIMESTAMP_MOST ? 0 : -1;
}

static void trim(struct reader *r)
{
    while (r->p < r->end && is_space(*r->p)) r->p++;
    while (r->p < r->end && is_space(r->end[-1])) r->end--;
}

int parse_iso(const char *text, uint64_t n, int64_t *us)
{
    struct reader r = { text, text + n, 0 };
    int64_t year, month, day, hour = 0, minute = 0, second = 0, part = 0, zone = 0;
    trim(&r);
    year = digits(&r, 4, 4);
    need(&r, '-');
    month = digits(&r, 2, 2);
    need(&r, '-');
    day = digits(&r, 2, 2);
    if (!r.bad && r.p < r.end) {
        if (!take(&r, 't')) need(&r, ' ');
        hour = digits(&r, 2, 2);
        need(&r, ':');
        minute = digits(&r, 2, 2);
        if (take(&r, ':')) {
            second = digits(&r, 2, 2);
            if (take(&r, '.') || take(&r, ',')) part = fraction(&r);
        }
        if (r.p < r.end) zone = offset(&r);
    }
    if (r.bad || r.p < r.end || !date_exists(year, month, day) || hour > 23 || minute > 59 ||
        second > 59)
        return -1;
    return in_range(days_of(year, (uint32_t)month, (uint32_t)day) * DAY +
                        (hour * 3600 + minute * 60 + second - zone) * SECOND + part,
                    us);
}

/* ---- strftime formats ---- */

static const char *const months[] = { "january", "february", "march", "april", "may", "june",
                                      "july", "august", "september", "october", "november",
                                      "december" };
static const char *const weekdays[] = { "sunday", "monday", "tuesday", "wednesday", "thursday",
                                        "friday", "saturday" };

/* %D and the like stand for others. */
static const char *expansion(char directive)
{
    switch (directive) {
    case 'T': return "%H:%M:%S";
    case 'R': return "%H:%M";
    case 'D': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    default: return NULL;
    }
}

int format_valid(const char *format, uint64_t n)
{
    uint64_t i;
    for (i = 0; i < n; i++) {
        if (format[i] != '%') continue;
        if (++i == n || !format[i] || !strchr("YymdeHIMSfzjpbBhaATRDFnts%", format[i])) return 0;
    }
    return 1;
}

struct parts {
    int64_t year, month, day, hour, minute, second, micro, zone, epoch, day_of_year;
    int hour12, pm, has_epoch, has_zone;
};

/* The number of a name or of its first three letters. */
static int64_t name_of(struct reader *r, const char *const *names, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        const size_t all = strlen(names[i]), left = (size_t)(r->end - r->p);
        size_t n = 0;
        while (n < all && n < left && lower_of(r->p[n]) == names[i][n]) n++;
        if (n < 3) continue;
        r->p += n == all ? n : 3;
        return i;
    }
    r->bad = 1;
    return 0;
}

static void read_parts(struct reader *r, const char *format, uint64_t n, struct parts *p);

static void read_directive(struct reader *r, char directive, struct parts *p)
{
    const char *longer = expansion(directive);
    int64_t short_year;
    if (longer) {
        read_parts(r, longer, strlen(longer), p);
        return;
    }
    switch (directive) {
    case 'Y': p->year = digits(r, 4, 4); break;
    case 'y':
        short_year = digits(r, 2, 2);
        p->year = short_year < 69 ? 2000 + short_year : 1900 + short_year;
        break;
    case 'm': p->month = digits(r, 1, 2); break;
    case 'e':
        while (take(r, ' ')) {}
        p->day = digits(r, 1, 2);
        break;
    case 'd': p->day = digits(r, 1, 2); break;
    case 'H': p->hour = digits(r, 1, 2); break;
    case 'I':
        p->hour = digits(r, 1, 2);
        p->hour12 = 1;
        break;
    case 'M': p->minute = digits(r, 1, 2); break;
    case 'S': p->second = digits(r, 1, 2); break;
    case 'f': p->micro = fraction(r); break;
    case 'z':
        p->zone = offset(r);
        p->has_zone = 1;
        break;
    case 'j': p->day_of_year = digits(r, 1, 3); break;
    case 's':
        p->has_epoch = take(r, '-') ? -1 : 1;
        p->epoch = digits(r, 1, 12) * p->has_epoch;
        break;
    case 'p':
        p->pm = take(r, 'p');
        if (!p->pm) need(r, 'a');
        need(r, 'm');
        break;
    case 'b':
    case 'B':
    case 'h': p->month = name_of(r, months, 12) + 1; break;
    case 'a':
    case 'A': name_of(r, weekdays, 7); break;
    case 'n':
    case 't':
        while (r->p < r->end && is_space(*r->p)) r->p++;
        break;
    default: need(r, '%');
    }
}

static void read_parts(struct reader *r, const char *format, uint64_t n, struct parts *p)
{
    uint64_t i;
    for (i = 0; i < n && !r->bad; i++) {
        if (format[i] == '%') read_directive(r, format[++i], p);
        else if (r->p < r->end && *r->p == format[i]) r->p++;
        else r->bad = 1;
    }
}

int parse_format(const char *text, uint64_t n, const char *format, uint64_t format_n,
                 const struct zone *zone, int64_t *us)
{
    struct reader r = { text, text + n, 0 };
    struct parts p = { .year = 1970, .month = 1, .day = 1 };
    int64_t days;
    trim(&r);
    read_parts(&r, format, format_n, &p);
    if (r.bad || r.p < r.end) return -1;
    if (p.has_epoch) return in_range(p.epoch * SECOND + p.micro, us);
    if (p.hour12) {
        if (p.hour < 1 || p.hour > 12) return -1;
        p.hour = p.hour % 12 + (p.pm ? 12 : 0);
    }
    if (p.day_of_year && p.month == 1 && p.day == 1) {
        if (p.year < 1 || p.year > 9999 || p.day_of_year > 365 + date_exists(p.year, 2, 29))
            return -1;
        days = days_of(p.year, 1, 1) + p.day_of_year - 1;
    } else {
        if (!date_exists(p.year, p.month, p.day)) return -1;
        days = days_of(p.year, (uint32_t)p.month, (uint32_t)p.day);
    }
    if (p.hour > 23 || p.minute > 59 || p.second > 59) return -1;
    const int64_t local = days * 86400 + p.hour * 3600 + p.minute * 60 + p.second;
    if (zone && !p.has_zone) p.zone = zone_offset(zone, local);
    return in_range((local - p.zone) * SECOND + p.micro, us);
}
