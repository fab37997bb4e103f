/*
 * zones.c - local times of a zone to UTC, by the system's tz database.
 *
 * A zone is a row of *spans*: from a moment (UTC) on an offset holds. Its file (TZif, RFC 8536) has
 * those of the past, and in its footer a rule (a POSIX TZ text, like CET-1CEST,M3.5.0,M10.5.0/3) from
 * which those of a year to come are made. A local time t belongs to the first span that ends, by its
 * own clock, after t: so of two moments with the same local time (clocks went back) the first one
 * counts; a time that no clock showed (they went forward) lies before the beginning of that span, and
 * is taken by the clock before, which moves it forward by what was left out.
 *
 * Files are input from outside: every count is checked against the size.
 */
#include "zones.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MOST 65536u
#define HEADER 44u
#define ALWAYS INT64_MIN

struct span {
    int64_t from; /* seconds since 1970, UTC */
    int32_t offset;
};

/* When clocks change in a year: day `week` (5: the last) `day` of a month; or a day of the year. */
struct change {
    char form; /* M, J (1 to 365, never 29 February), or D (0 to 365) */
    int month, week, day;
    int64_t second; /* of the local day; may be outside of it */
};

struct zone {
    const struct weir_host *host;
    struct span *spans;
    uint32_t n;
    int has_rule; /* behind the last span */
    int32_t standard, daylight; /* offsets */
    struct change to_daylight, to_standard;
};

void zone_free(struct zone *zone)
{
    if (!zone) return;
    zone->host->free(zone->spans);
    zone->host->free(zone);
}

/* ---- the rule ---- */

struct text {
    const char *p, *end;
    int bad;
};

static int next_is(struct text *t, char c)
{
    if (t->p >= t->end || *t->p != c) return 0;
    t->p++;
    return 1;
}

static int number(struct text *t, int most)
{
    int n = 0, count = 0;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9' && count < 4; count++)
        n = n * 10 + (*t->p++ - '0');
    if (count == 0 || n > most) t->bad = 1;
    return n;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t clock_time(struct text *t, int hours)
{
    int sign = next_is(t, '-') ? -1 : 1, s;
    if (sign == 1) next_is(t, '+');
    s = number(t, hours) * 3600;
    if (next_is(t, ':')) s += number(t, 59) * 60;
    if (next_is(t, ':')) s += number(t, 59);
    return sign * s;
}

/* CET or <+03>: what it is called does not matter. */
static void skip_name(struct text *t)
{
    const char *begin = t->p;
    if (next_is(t, '<')) {
        while (t->p < t->end && *t->p != '>') t->p++;
        if (!next_is(t, '>')) t->bad = 1;
        return;
    }
    while (t->p < t->end && ((*t->p | 32) >= 'a' && (*t->p | 32) <= 'z')) t->p++;
    if (t->p - begin < 3) t->bad = 1;
}

static struct change read_change(struct text *t)
{
    struct change c = { .second = 2 * 3600 };
    if (!next_is(t, ',')) t->bad = 1;
    if (next_is(t, 'M')) {
        c.form = 'M';
        c.month = number(t, 12);
        if (!next_is(t, '.')) t->bad = 1;
        c.week = number(t, 5);
        if (!next_is(t, '.')) t->bad = 1;
        c.day = number(t, 6);
        if (c.month < 1 || c.week < 1) t->bad = 1;
    } else {
        c.form = next_is(t, 'J') ? 'J' : 'D';
        c.day = number(t, 365);
        if (c.form == 'J' && c.day < 1) t->bad = 1;
    }
    if (next_is(t, '/')) c.second = clock_time(t, 167);
    return c;
}

static int read_rule(struct zone *zone, const char *text, uint64_t n)
{
    struct text t = { text, text + n, 0 };
    skip_name(&t);
    zone->standard = zone->daylight = -clock_time(&t, 24);
    if (t.p < t.end && !t.bad) {
        skip_name(&t);
        zone->daylight = zone->standard + 3600;
        if (t.p < t.end && *t.p != ',') zone->daylight = -clock_time(&t, 24);
        zone->to_daylight = read_change(&t);
        zone->to_standard = read_change(&t);
    }
    zone->has_rule = !t.bad && t.p == t.end;
    return zone->has_rule ? 0 : -1;
}

/* The local second at which clocks change in a year. */
static int64_t change_at(const struct change *c, int64_t year)
{
    int64_t day;
    if (c->form == 'M') {
        const int64_t first = days_of(year, (uint32_t)c->month, 1);
        const int64_t weekday = ((first + 4) % 7 + 7) % 7;
        day = first + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
        while (civil_of(day).month != (uint32_t)c->month) day -= 7;
    } else {
        day = days_of(year, 1, 1) + c->day;
        if (c->form == 'J') day -= c->day < 60 || !date_exists(year, 2, 29);
    }
    return day * 86400 + c->second;
}

/* Appends the spans of the rule that begin in a year, behind `after`; how many there are then. */
static uint32_t spans_of_year(const struct zone *zone, int64_t year, int64_t after,
                              struct span *spans, uint32_t n)
{
    const struct span summer = { change_at(&zone->to_daylight, year) - zone->standard,
                                 zone->daylight };
    const struct span winter = { change_at(&zone->to_standard, year) - zone->daylight,
                                 zone->standard };
    const int first = summer.from < winter.from;
    const struct span both[2] = { first ? summer : winter, first ? winter : summer };
    for (uint32_t i = 0; i < 2; i++)
        if (both[i].from > after) spans[n++] = both[i];
    return n;
}

/* ---- local to UTC ---- */

/* The offset for a local second, by spans in order; the first one began long ago. */
static int32_t offset_in(const struct span *spans, uint32_t n, int64_t local)
{
    uint32_t low = 0, high = n - 1; /* the first span that ends after `local`, by its own clock */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (local < spans[middle + 1].from + spans[middle].offset) high = middle;
        else low = middle + 1;
    }
    if (low > 0 && local < spans[low].from + spans[low].offset) low--;
    return spans[low].offset;
}

static int64_t year_of(int64_t second)
{
    return civil_of(second / 86400 - (second % 86400 < 0)).year;
}

int64_t zone_offset(const struct zone *zone, int64_t local)
{
    struct span spans[8];
    const struct span last = zone->spans[zone->n - 1];
    uint32_t n = 0;
    if (!zone->has_rule || zone->standard == zone->daylight || local < last.from + last.offset)
        return offset_in(zone->spans, zone->n, local);
    if (zone->n > 1) spans[n++] = zone->spans[zone->n - 2]; /* may overlap with the last */
    spans[n++] = last;
    for (int64_t year = year_of(local) - 1; year <= year_of(local) + 1; year++)
        n = spans_of_year(zone, year, last.from, spans, n);
    return offset_in(spans, n, local);
}

/* ---- files ---- */

static int64_t big_endian(const uint8_t *p, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value = value << 8 | p[i];
    return bytes == 4 ? (int32_t)value : (int64_t)value;
}

struct counts {
    uint64_t isut, isstd, leap, time, type, chars;
};

static int read_counts(const uint8_t *p, uint64_t n, struct counts *c)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0) return -1;
    c->isut = (uint32_t)big_endian(p + 20, 4);
    c->isstd = (uint32_t)big_endian(p + 24, 4);
    c->leap = (uint32_t)big_endian(p + 28, 4);
    c->time = (uint32_t)big_endian(p + 32, 4);
    c->type = (uint32_t)big_endian(p + 36, 4);
    c->chars = (uint32_t)big_endian(p + 40, 4);
    return 0;
}

/* Bytes of a block behind its header. */
static uint64_t block_bytes(const struct counts *c, uint64_t width)
{
    return c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd +
           c->isut;
}

static int take_spans(struct zone *zone, const uint8_t *p, const struct counts *c, uint32_t width)
{
    const uint8_t *kinds = p + c->time * width, *types = kinds + c->time;
    uint32_t first = 0;
    if (c->type < 1 || c->type > 256) return -1;
    while (first < c->type && types[first * 6 + 4]) first++; /* standard time, if there is one */
    zone->spans = zone->host->alloc((c->time + 1) * sizeof *zone->spans);
    if (!zone->spans) return -ENOMEM;
    zone->spans[0] = (struct span){ ALWAYS,
                                    (int32_t)big_endian(types + (first < c->type ? first : 0) * 6, 4) };
    for (zone->n = 1; zone->n <= c->time; zone->n++) {
        const uint32_t i = zone->n - 1;
        struct span span = { big_endian(p + i * width, width), 0 };
        if (kinds[i] >= c->type) return -1;
        span.offset = (int32_t)big_endian(types + kinds[i] * 6, 4);
        if (span.from <= zone->spans[i].from || span.offset < -93600 || span.offset > 93600)
            return -1;
        zone->spans[zone->n] = span;
    }
    return 0;
}

/* 0, -1 for a file that is none of a zone, -ENOMEM. */
static int take_file(struct zone *zone, const uint8_t *p, uint64_t n)
{
    struct counts c;
    uint64_t bytes;
    int result;
    if (read_counts(p, n, &c) != 0) return -1;
    bytes = HEADER + block_bytes(&c, 4);
    if (p[4] < '2') return bytes > n ? -1 : take_spans(zone, p + HEADER, &c, 4);
    if (bytes > n || read_counts(p + bytes, n - bytes, &c) != 0) return -1;
    p += bytes;
    n -= bytes;
    bytes = HEADER + block_bytes(&c, 8);
    if (bytes > n) return -1;
    result = take_spans(zone, p + HEADER, &c, 8);
    if (result != 0) return result;
    p += bytes;
    n -= bytes;
    if (n < 2 || p[0] != '\n' || !memchr(p + 1, '\n', n - 1)) return -1;
    bytes = (uint64_t)((const uint8_t *)memchr(p + 1, '\n', n - 1) - p) - 1;
    return bytes == 0 ? 0 : read_rule(zone, (const char *)p + 1, bytes);
}

static int name_is_safe(struct weir_bytes name)
{
    if (name.length == 0 || name.length > 64 || name.data[0] == '/') return 0;
    for (uint64_t i = 0; i < name.length; i++) {
        const uint8_t c = name.data[i];
        if ((c | 32) >= 'a' && (c | 32) <= 'z') continue;
        if ((c >= '0' && c <= '9') || (c && strchr("_+-/", c))) continue;
        return 0;
    }
    return 1;
}

static int32_t read_zone(struct zone *zone, struct weir_bytes name, struct weir_error *error)
{
    const char *top = getenv("TZDIR");
    char path[400];
    uint8_t *bytes;
    size_t n = 0;
    int result;
    snprintf(path, sizeof path, "%.300s/%.*s", top && *top ? top : "/usr/share/zoneinfo",
             (int)name.length, (const char *)name.data);
    FILE *file = name_is_safe(name) ? fopen(path, "rb") : NULL;
    if (!file)
        return weir_fail(error, WEIR_CONFIG,
                         "there is no time zone '%.*s' here: a zone is 'UTC', an offset like '+02:00', "
                         "or a name of the system's tz database (package tzdata), like "
                         "'Europe/Paris'",
                         (int)(name.length < 64 ? name.length : 64), (const char *)name.data);
    bytes = zone->host->alloc(FILE_MOST);
    if (bytes) n = fread(bytes, 1, FILE_MOST, file);
    fclose(file);
    result = bytes ? take_file(zone, bytes, n) : -ENOMEM;
    zone->host->free(bytes);
    if (result == -ENOMEM) return weir_fail(error, WEIR_FATAL, "out of memory");
    return result == 0 ? WEIR_OK
                       : weir_fail(error, WEIR_CONFIG, "%s is no file of a time zone", path);
}

/* UTC, Z, or an offset as ISO 8601 has them. */
static int read_fixed(struct weir_bytes name, int64_t *offset)
{
    *offset = 0;
    if (name.length == 3 && (name.data[0] | 32) == 'u' && (name.data[1] | 32) == 't' &&
        (name.data[2] | 32) == 'c')
        return 0;
    return parse_offset((const char *)name.data, name.length, offset);
}

int32_t zone_open(const struct weir_host *host, struct weir_bytes name, struct zone **out,
                  struct weir_error *error)
{
    struct zone *zone = host->alloc(sizeof *zone);
    int64_t offset;
    int32_t result = WEIR_OK;
    *out = NULL;
    if (!zone) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(zone, 0, sizeof *zone);
    zone->host = host;
    if (read_fixed(name, &offset) == 0) {
        zone->spans = host->alloc(sizeof *zone->spans);
        if (!zone->spans) result = weir_fail(error, WEIR_FATAL, "out of memory");
        else zone->spans[zone->n++] = (struct span){ ALWAYS, (int32_t)offset };
    } else {
        result = read_zone(zone, name, error);
    }
    if (result == WEIR_OK) *out = zone;
    else zone_free(zone);
    return result;
}
