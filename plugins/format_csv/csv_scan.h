/*
 * csv_scan.h - the places of separators, quotes and line feeds, and the fields between them.
 */
#ifndef FORMAT_CSV_SCAN_H
#define FORMAT_CSV_SCAN_H

#include <weir/abi.h>

struct csv_dialect {
    char delimiter[8];
    uint32_t n_delimiter;
    int quote; /* a byte, or -1: none */
};

struct csv_scan {
    const struct csv_dialect *dialect;
    const uint8_t *text;
    uint64_t length;
    uint64_t scanned; /* bytes whose marks were listed */
    uint64_t base;    /* place that marks count from */
    uint32_t at, n;
    uint32_t *marks; /* CSV_MARKS of the caller's */
};

#define CSV_WINDOW 16384u
#define CSV_MARKS (CSV_WINDOW + 64u)

struct csv_field {
    uint64_t start, end; /* of the text between the quotes, or of the field */
    uint64_t next;       /* behind the separator that ended it */
    uint32_t quoted;
    uint32_t doubled;  /* it holds doubled quotes */
    uint32_t last;     /* 1: it ended its record */
    uint32_t open;     /* 1: the quote never closed */
    uint32_t trailing; /* 1: text behind the closing quote */
    uint32_t whole;    /* 1: a separator or line feed ended it, not the end of the bytes */
};

/* text is followed by 64 readable bytes. `at` is where the first field begins. */
void csv_begin(struct csv_scan *scan, const struct csv_dialect *dialect, const uint8_t *text,
               uint64_t length, uint64_t at, uint32_t *marks);
/* The field that begins at `start`, which must be where the last one said `next`. A CR before the
 * line feed belongs to neither. */
void csv_next(struct csv_scan *scan, uint64_t start, struct csv_field *field);

/* The same for most fields: without quotes, ended by a delimiter of one byte or a line feed that is among the
 * marks already. 0: it is another one, for csv_next. */
static inline int csv_next_plain(struct csv_scan *scan, uint64_t start, struct csv_field *field)
{
    const struct csv_dialect *d = scan->dialect;
    while (scan->at < scan->n && scan->base + scan->marks[scan->at] < start) scan->at++;
    if (scan->at == scan->n || (int)scan->text[start] == d->quote) return 0;
    const uint64_t place = scan->base + scan->marks[scan->at];
    const uint8_t mark = scan->text[place];
    const uint32_t last = mark == '\n';
    if (!last && (d->n_delimiter != 1 || mark != (uint8_t)d->delimiter[0])) return 0;
    *field = (struct csv_field){
        .start = start, .next = place + 1, .last = last, .whole = 1,
        .end = last && place > start && scan->text[place - 1] == '\r' ? place - 1 : place
    };
    return 1;
}

#endif
