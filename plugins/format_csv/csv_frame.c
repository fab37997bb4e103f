/*
 * csv_frame.c - where records end. Without a quote in the bytes each line feed ends one; with some,
 * the fields are walked as decoding does.
 */
#include "plugins/format_csv/csv.h"

#include <string.h>

#include "plugins/share/record.h"

int csv_is_blank_line(const uint8_t *text, uint64_t length, uint64_t at, uint64_t *next)
{
    if (text[at] == '\n') {
        *next = at + 1;
        return 1;
    }
    if (text[at] == '\r' && at + 1 < length && text[at + 1] == '\n') {
        *next = at + 2;
        return 1;
    }
    return 0;
}

int csv_skip_record(struct csv_scan *scan, uint64_t *at)
{
    struct csv_field field;
    uint64_t start = *at;
    do {
        csv_next(scan, start, &field);
        start = field.next;
    } while (!field.last);
    if (!field.whole) return 0;
    *at = start;
    return 1;
}

int32_t csv_frame(void *self, struct weir_bytes bytes, uint32_t flags,
                  uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct csv *csv = self;
    uint32_t marks[CSV_MARKS];
    struct csv_scan scan;
    uint64_t at = 0;
    int begun = 0;
    (void)error;
    if (csv->dialect.quote < 0 || bytes.length == 0 ||
        !memchr(bytes.data, csv->dialect.quote, bytes.length)) {
        record_frame(bytes, flags, max_records, "\n", 1, csv->header != 0, 0, out);
        return WEIR_OK;
    }
    out->end = out->head_end = out->records = 0;
    if (flags & WEIR_FRAME_START) at = mark_length(bytes);
    csv_begin(&scan, &csv->dialect, bytes.data, bytes.length, at, marks);
    if (flags & WEIR_FRAME_START) {
        if (csv->header && !csv_skip_record(&scan, &at)) {
            if (flags & WEIR_FRAME_END) out->end = out->head_end = bytes.length;
            return WEIR_OK;
        }
        out->head_end = at;
        begun = csv->header;
    }
    while (at < bytes.length && out->records < max_records) {
        uint64_t next;
        if (csv_is_blank_line(bytes.data, bytes.length, at, &next)) {
            at = next;
            if (max_records == 1) { /* behind a long record: only to its end */
                begun = 1;
                break;
            }
        } else if (csv_skip_record(&scan, &at)) {
            out->records++;
        } else {
            if (flags & WEIR_FRAME_END) {
                at = bytes.length;
                out->records++;
                begun = 1;
            }
            break;
        }
        begun = 1;
    }
    if (begun || (flags & WEIR_FRAME_END)) out->end = at;
    if (out->end == 0) out->head_end = 0;
    return WEIR_OK;
}
