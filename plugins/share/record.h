/*
 * record.h - what formats made of separated records share: framing by a separator, a byte order
 * mark, and a walk over the records of one decode.
 */
#ifndef SHARE_RECORD_H
#define SHARE_RECORD_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a byte order mark at the start of `bytes`, or 0. */
static inline uint64_t mark_length(struct weir_bytes bytes)
{
    return bytes.length >= 3 && memcmp(bytes.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* Frames by a separator of n bytes, which must not be able to overlap itself. `head_lines`
 * separators belong to the head (0 or 1); `count_empty`: whether an empty record counts as one. */
void record_frame(struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                  const char *separator, uint64_t n, uint32_t head_lines, int count_empty,
                  struct weir_frame *out);

/* The records of a decode, one by one. */
struct record_walk {
    const struct weir_records *records;
    uint64_t at; /* byte, or index of the record where there are offsets */
};

/* The next line (separator LF, a CR before it dropped), or record as it is. 0 at the end. */
static inline int record_next_line(struct record_walk *walk, struct weir_bytes *line)
{
    const struct weir_records *r = walk->records;
    const uint8_t *end;
    uint64_t length;
    if (r->n_offsets) {
        if (walk->at + 1 >= r->n_offsets) return 0;
        line->data = r->bytes + r->offsets[walk->at];
        line->length = (uint64_t)(r->offsets[walk->at + 1] - r->offsets[walk->at]);
        walk->at++;
        return 1;
    }
    if (walk->at >= r->length) return 0;
    line->data = r->bytes + walk->at;
    end = (const uint8_t *)memchr(line->data, '\n', r->length - walk->at);
    length = end ? (uint64_t)(end - line->data) : r->length - walk->at;
    walk->at += length + (end ? 1 : 0);
    line->length = end && length && line->data[length - 1] == '\r' ? length - 1 : length;
    return 1;
}

#ifdef __cplusplus
}
#endif
#endif
