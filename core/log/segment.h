/*
 * segment.h - records as bytes, and reading a segment file. Inside the log only.
 */
#ifndef WEIR_CORE_LOG_SEGMENT_H
#define WEIR_CORE_LOG_SEGMENT_H

#include "core/log/file.h"

#define SEGMENT_FORMAT 1u
#define RECORD_HEADER 64u
#define RECORD_MAX (UINT64_C(1) << 30)

/* Types of the log's own, never shown to its user. */
#define LOG_INTERNAL 0xf0u
#define LOG_SEGMENT 0xf0u /* first record of a segment */
#define LOG_CUT 0xf1u     /* a torn tail was cut here */

#define SEGMENT_PAYLOAD 32u
#define CUT_PAYLOAD 16u
#define SEGMENT_FIRST_BYTES (RECORD_HEADER + SEGMENT_PAYLOAD + 8u) /* with checksum */

struct position {
    uint32_t segment;
    uint64_t offset;
};

static inline int position_above(struct position a, struct position b)
{
    return a.segment != b.segment ? a.segment > b.segment : a.offset > b.offset;
}

struct frame {
    uint32_t type;
    uint32_t version;
    uint64_t sequence;
    uint64_t salt;
    uint64_t generation;
    uint64_t batch;
    struct position durable;
};

uint64_t frame_bytes(uint64_t payload);
/* Appends a record; the caller has grown the buffer by frame_bytes. */
void frame_put(struct weir_buffer *out, const struct frame *frame, struct weir_bytes payload);

/* A segment file read through a window. */
struct reader {
    struct weir_sys *sys;
    int fd;
    uint64_t size;
    uint64_t at; /* of the window */
    struct weir_buffer window;
    char name[NAME_BYTES];
};
int32_t reader_open(struct reader *reader, const struct log_dir *dir, uint32_t number,
                    struct weir_error *error);
void reader_close(struct reader *reader);

/* The record at an offset. OK with *why NULL: valid; OK with *why set: there is no valid one.
 * The payload is the reader's until the next call. */
int32_t frame_read(struct reader *reader, uint64_t salt, uint64_t offset, struct frame *frame,
                   struct weir_bytes *payload, uint64_t *next, const char **why,
                   struct weir_error *error);

/* Valid records behind damage. */
struct survey {
    uint64_t records;
    uint64_t first_batch, last_batch;
    struct position durable; /* the greatest that they name */
};
/* Looks at every place from `from` on for records that could follow one of this sequence number
 * and generation. */
int32_t segment_survey(struct reader *reader, uint64_t salt, uint64_t from, uint64_t sequence,
                       uint64_t generation, struct survey *survey, struct weir_error *error);

#endif
