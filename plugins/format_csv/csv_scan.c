/*
 * csv_scan.c - fields of csv.
 *
 * The places of all bytes that can matter - line feeds, quotes, first bytes of delimiters - are
 * listed window by window from bit masks; the walk then looks at these only. Framing and decoding
 * use the same walk, so that they can't disagree on where a record ends:
 *
 *  1. A field that begins with the quote is quoted: up to the next quote that is not doubled.
 *  2. Behind the closing quote anything up to the delimiter or line feed is an error of the record.
 *  3. In any other field a quote is text.
 *  4. A line feed outside of quotes ends the record; a CR before it goes.
 */
#include "plugins/format_csv/csv_scan.h"

#if defined(__x86_64__)
#include <emmintrin.h>

static inline uint64_t mask_of(const uint8_t *p, uint8_t a, uint8_t b, uint8_t c)
{
    const __m128i va = _mm_set1_epi8((char)a), vb = _mm_set1_epi8((char)b),
                  vc = _mm_set1_epi8((char)c);
    uint64_t mask = 0;
    int k;
    for (k = 0; k < 4; k++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k));
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, va), _mm_cmpeq_epi8(v, vb)),
                                   _mm_cmpeq_epi8(v, vc));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * k);
    }
    return mask;
}
#else
static inline uint64_t mask_of(const uint8_t *p, uint8_t a, uint8_t b, uint8_t c)
{
    uint64_t mask = 0;
    int k;
    for (k = 0; k < 64; k++)
        if (p[k] == a || p[k] == b || p[k] == c) mask |= 1ull << k;
    return mask;
}
#endif

void csv_begin(struct csv_scan *scan, const struct csv_dialect *dialect, const uint8_t *text,
               uint64_t length, uint64_t at, uint32_t *marks)
{
    memset(scan, 0, sizeof *scan);
    scan->dialect = dialect;
    scan->text = text;
    scan->length = length;
    scan->scanned = scan->base = at;
    scan->marks = marks;
}

static int refill(struct csv_scan *scan)
{
    const struct csv_dialect *d = scan->dialect;
    uint8_t quote = d->quote < 0 ? '\n' : (uint8_t)d->quote;
    uint64_t end;
    if (scan->scanned >= scan->length) return 0;
    scan->base = scan->scanned;
    end = scan->length - scan->base < CSV_WINDOW ? scan->length : scan->base + CSV_WINDOW;
    scan->at = scan->n = 0;
    for (; scan->scanned < end; scan->scanned += 64) {
        uint64_t mask = mask_of(scan->text + scan->scanned, '\n', quote, (uint8_t)d->delimiter[0]);
        uint32_t place = (uint32_t)(scan->scanned - scan->base);
        if (end - scan->scanned < 64) mask &= (1ull << (end - scan->scanned)) - 1;
        while (mask) {
            scan->marks[scan->n++] = place + (uint32_t)__builtin_ctzll(mask);
            mask &= mask - 1;
        }
    }
    if (scan->scanned > end) scan->scanned = end;
    return 1;
}

/* The next mark at or behind `from`; the length of the text if there is none. */
static inline uint64_t next_mark(struct csv_scan *scan, uint64_t from)
{
    for (;;) {
        while (scan->at < scan->n) {
            uint64_t place = scan->base + scan->marks[scan->at];
            if (place >= from) return place;
            scan->at++;
        }
        if (!refill(scan)) return scan->length;
    }
}

static inline int is_delimiter(const struct csv_scan *scan, uint64_t place)
{
    const struct csv_dialect *d = scan->dialect;
    if ((uint8_t)d->delimiter[0] != scan->text[place]) return 0;
    if (d->n_delimiter == 1) return 1;
    return scan->length - place >= d->n_delimiter &&
           memcmp(scan->text + place, d->delimiter, d->n_delimiter) == 0;
}

/* From `from`, outside of quotes, to the end of the field. */
static void unquoted(struct csv_scan *scan, uint64_t from, struct csv_field *field)
{
    for (;;) {
        uint64_t place = next_mark(scan, from);
        if (place >= scan->length) {
            field->end = field->next = scan->length;
            field->last = 1;
            return;
        }
        if (scan->text[place] == '\n') {
            field->end = place > field->start && scan->text[place - 1] == '\r' ? place - 1 : place;
            field->next = place + 1;
            field->last = field->whole = 1;
            return;
        }
        if (is_delimiter(scan, place)) {
            field->end = place;
            field->next = place + scan->dialect->n_delimiter;
            field->whole = 1;
            return;
        }
        from = place + 1;
    }
}

void csv_next(struct csv_scan *scan, uint64_t start, struct csv_field *field)
{
    uint64_t from = start + 1, closing;
    memset(field, 0, sizeof *field);
    field->start = start;
    if (start >= scan->length || scan->dialect->quote < 0 ||
        scan->text[start] != (uint8_t)scan->dialect->quote) {
        unquoted(scan, start, field);
        return;
    }
    field->quoted = 1;
    for (;;) {
        closing = next_mark(scan, from);
        if (closing >= scan->length) {
            field->start = start + 1;
            field->end = field->next = scan->length;
            field->last = field->open = 1;
            return;
        }
        from = closing + 1;
        if (scan->text[closing] != (uint8_t)scan->dialect->quote) continue;
        if (from >= scan->length || scan->text[from] != (uint8_t)scan->dialect->quote) break;
        field->doubled = 1;
        from++;
    }
    field->start = closing + 1;
    unquoted(scan, closing + 1, field);
    field->trailing = field->end > field->start;
    field->start = start + 1;
    field->end = closing;
}
