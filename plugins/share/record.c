/*
 * record.c - framing by a separator.
 *
 * Without a limit of records only the last separator is looked for, from the end; with one they are
 * counted from the start.
 */
#define _GNU_SOURCE
#include "plugins/share/record.h"

#include "plugins/share/lines.h"

static const uint8_t *find(const uint8_t *p, uint64_t length, const char *separator, uint64_t n)
{
    return n == 1 ? memchr(p, separator[0], length) : memmem(p, length, separator, n);
}

static const uint8_t *find_last(const uint8_t *p, uint64_t length, const char *separator,
                                uint64_t n)
{
    uint64_t i;
    if (n == 1) return memrchr(p, separator[0], length);
    for (i = length; i >= n; i--)
        if (memcmp(p + i - n, separator, n) == 0) return p + i - n;
    return NULL;
}

static int is_empty(const uint8_t *p, uint64_t length)
{
    return length == 0 || (length == 1 && *p == '\r');
}

static void frame_counted(struct weir_bytes bytes, uint64_t at, uint32_t flags,
                          uint64_t max_records, const char *separator, uint64_t n,
                          int count_empty, struct weir_frame *out)
{
    if (n == 1 && separator[0] == '\n' && max_records > 1) {
        uint64_t whole = lines_skip(bytes.data + at, bytes.length - at, max_records, count_empty,
                                    &out->records);
        at += whole;
        if (whole) out->end = at;
    }
    while (at < bytes.length && out->records < max_records) {
        const uint8_t *start = bytes.data + at;
        const uint8_t *end = find(start, bytes.length - at, separator, n);
        if (!end) {
            if (!(flags & WEIR_FRAME_END)) break;
            out->records++;
            at = bytes.length;
        } else {
            int blank = !count_empty && is_empty(start, (uint64_t)(end - start));
            at = (uint64_t)(end - bytes.data) + n;
            out->records += !blank;
            if (blank && max_records == 1) { /* behind a long record: only to its end */
                out->end = at;
                break;
            }
        }
        out->end = at;
    }
}

void record_frame(struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                  const char *separator, uint64_t n, uint32_t head_lines, int count_empty,
                  struct weir_frame *out)
{
    const uint8_t *last;
    uint64_t at = 0;
    out->end = out->head_end = out->records = 0;
    if (flags & WEIR_FRAME_START) {
        at = mark_length(bytes);
        if (head_lines) {
            last = find(bytes.data + at, bytes.length - at, separator, n);
            if (last) at = (uint64_t)(last - bytes.data) + n;
            else if (flags & WEIR_FRAME_END) at = bytes.length;
            else return;
            out->head_end = out->end = at;
        } else {
            out->head_end = at;
            if (flags & WEIR_FRAME_END) out->end = at;
        }
    }
    if (max_records != UINT64_MAX) {
        frame_counted(bytes, at, flags, max_records, separator, n, count_empty, out);
    } else if (flags & WEIR_FRAME_END) {
        out->end = bytes.length;
    } else if (at < bytes.length) {
        last = find_last(bytes.data + at, bytes.length - at, separator, n);
        if (last) out->end = (uint64_t)(last - bytes.data) + n;
    }
    if (out->end == 0) out->head_end = 0;
}
