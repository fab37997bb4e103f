/*
 * segment.c - records as bytes, version 1.
 *
 * A segment is a run of records, each beginning at a multiple of 8. All numbers are little-endian:
 *
 *    0  u32  "wrec"
 *    4  u32  length of the payload, at most 1 GiB
 *    8  u32  type (log.h; 0xf0 and above: the log's own)
 *   12  u32  version of the payload
 *   16  u64  sequence number, one more than that of the record before
 *   24  u64  salt of the log
 *   32  u64  generation of the writer (lock.c)
 *   40  u64  batch
 *   48  u64  durable offset } everything before this position had been synced when
 *   56  u32  durable segment} the record was written
 *   60  u32  CRC-32C of bytes 0..59
 *   64       payload, then 0..7 zero bytes
 *        u32  CRC-32C of all bytes before it
 *
 * The header has a checksum of its own so that a length is trusted, and memory taken, only where
 * a header was really written. The second one goes on from the first: a payload can't be matched
 * with another header.
 *
 * Payload of LOG_SEGMENT, the first record of each segment:
 *
 *    0  u32  format of the segment (1)
 *    4  u32  number of the segment
 *    8  u64  length of the segment before it (0: there was none)
 *   16  16   id of the job
 *
 * Payload of LOG_CUT: u64 offset of the cut, u64 bytes that were cut.
 */
#include "core/log/segment.h"

#include "core/data/block.h"
#include "core/sys/planted.h"

#define MAGIC 0x63657277u
#define WINDOW (UINT64_C(256) << 10)

static uint64_t padding(uint64_t payload)
{
    return (4 - payload) & 7;
}

uint64_t frame_bytes(uint64_t payload)
{
    return RECORD_HEADER + payload + padding(payload) + 4;
}

void frame_put(struct weir_buffer *out, const struct frame *frame, struct weir_bytes payload)
{
    uint8_t *p = out->data + out->length;
    uint64_t body = payload.length + padding(payload.length);

    put_u32(p, MAGIC);
    put_u32(p + 4, (uint32_t)payload.length);
    put_u32(p + 8, frame->type);
    put_u32(p + 12, frame->version);
    put_u64(p + 16, frame->sequence);
    put_u64(p + 24, frame->salt);
    put_u64(p + 32, frame->generation);
    put_u64(p + 40, frame->batch);
    put_u64(p + 48, frame->durable.offset);
    put_u32(p + 56, frame->durable.segment);
    put_u32(p + 60, crc32c(0, p, 60));
    if (payload.length)
        memcpy(p + RECORD_HEADER, payload.data, payload.length);
    memset(p + RECORD_HEADER + payload.length, 0, padding(payload.length));
    put_u32(p + RECORD_HEADER + body, crc32c(0, p, RECORD_HEADER + body));
    out->length += RECORD_HEADER + body + 4;
}

int32_t reader_open(struct reader *reader, const struct log_dir *dir, uint32_t number,
                    struct weir_error *error)
{
    char path[PATH_MAX_BYTES];
    struct sys_stat st;
    int rc;

    memset(reader, 0, sizeof *reader);
    reader->sys = dir->sys;
    family_name(FAMILY_LOG, number, reader->name);
    dir_file(dir, reader->name, path);
    reader->fd = sys_open(dir->sys, path, SYS_READ);
    if (reader->fd < 0)
        return file_fail(error, reader->fd, "open", path);
    rc = sys_fstat(dir->sys, reader->fd, &st);
    if (rc < 0) {
        reader_close(reader);
        return file_fail(error, rc, "stat", path);
    }
    reader->size = st.size;
    return WEIR_OK;
}

void reader_close(struct reader *reader)
{
    if (reader->sys && reader->fd >= 0)
        sys_close(reader->sys, reader->fd);
    mem_free(reader->window.data);
    memset(reader, 0, sizeof *reader);
    reader->fd = -1;
}

/* Bytes [offset, offset + n) of the file; *out is NULL if it is shorter. */
static int32_t reader_view(struct reader *reader, uint64_t offset, uint64_t n, const uint8_t **out,
                           struct weir_error *error)
{
    struct weir_buffer *w = &reader->window;
    uint64_t want;
    int64_t got;

    *out = NULL;
    if (offset > reader->size || n > reader->size - offset)
        return WEIR_OK;
    if (offset < reader->at || offset + n > reader->at + w->length) {
        want = n > WINDOW ? n : WINDOW;
        if (want > reader->size - offset)
            want = reader->size - offset;
        w->length = 0;
        if (buffer_grow(w, want) != WEIR_OK)
            return weir_fail(error, WEIR_FATAL, "%s: no memory for %llu bytes at offset %llu",
                             reader->name, (unsigned long long)want, (unsigned long long)offset);
        got = file_read(reader->sys, reader->fd, w->data, want, offset);
        if (got < 0)
            return file_fail(error, got, "read", reader->name);
        reader->at = offset;
        w->length = (uint64_t)got;
        if (w->length < n)
            return WEIR_OK;
    }
    *out = w->data + (offset - reader->at);
    return WEIR_OK;
}

static void frame_get(const uint8_t *p, struct frame *frame)
{
    frame->type = get_u32(p + 8);
    frame->version = get_u32(p + 12);
    frame->sequence = get_u64(p + 16);
    frame->salt = get_u64(p + 24);
    frame->generation = get_u64(p + 32);
    frame->batch = get_u64(p + 40);
    frame->durable.offset = get_u64(p + 48);
    frame->durable.segment = get_u32(p + 56);
}

int32_t frame_read(struct reader *reader, uint64_t salt, uint64_t offset, struct frame *frame,
                   struct weir_bytes *payload, uint64_t *next, const char **why,
                   struct weir_error *error)
{
    int trust = planted(PLANTED_LOG_NO_CRC);
    const uint8_t *p;
    uint64_t length, total;
    int32_t class;

    *why = NULL;
    class = reader_view(reader, offset, RECORD_HEADER, &p, error);
    if (class != WEIR_OK)
        return class;
    if (!p)
        *why = "the header of a record is incomplete";
    else if (get_u32(p) != MAGIC)
        *why = "no record begins here";
    else if (get_u32(p + 60) != crc32c(0, p, 60) && !trust)
        *why = "the checksum of a record's header does not match";
    else if (get_u64(p + 24) != salt)
        *why = "the record belongs to another checkpoint";
    else if (get_u32(p + 4) > RECORD_MAX)
        *why = "the record is longer than any can be";
    if (*why)
        return WEIR_OK;
    length = get_u32(p + 4);
    total = frame_bytes(length);
    frame_get(p, frame);
    class = reader_view(reader, offset, total, &p, error);
    if (class != WEIR_OK)
        return class;
    if (!p) {
        *why = "the record is incomplete";
        return WEIR_OK;
    }
    if (get_u32(p + total - 4) != crc32c(0, p, total - 4) && !trust) {
        *why = "the checksum of a record does not match";
        return WEIR_OK;
    }
    payload->data = p + RECORD_HEADER;
    payload->length = length;
    *next = offset + total;
    return WEIR_OK;
}

static void survey_add(struct survey *survey, const struct frame *frame)
{
    if (!survey->records || frame->batch < survey->first_batch)
        survey->first_batch = frame->batch;
    if (!survey->records || frame->batch > survey->last_batch)
        survey->last_batch = frame->batch;
    survey->records++;
    if (position_above(frame->durable, survey->durable))
        survey->durable = frame->durable;
}

int32_t segment_survey(struct reader *reader, uint64_t salt, uint64_t from, uint64_t sequence,
                       uint64_t generation, struct survey *survey, struct weir_error *error)
{
    uint64_t offset = (from + 7) & ~UINT64_C(7);

    while (offset < reader->size && reader->size - offset >= RECORD_HEADER) {
        struct frame frame;
        struct weir_bytes payload;
        const uint8_t *p;
        const char *why;
        uint64_t next;
        int32_t class = reader_view(reader, offset, RECORD_HEADER, &p, error);

        if (class != WEIR_OK)
            return class;
        if (!p)
            break;
        if (get_u32(p) != MAGIC || get_u64(p + 24) != salt) {
            offset += 8;
            continue;
        }
        class = frame_read(reader, salt, offset, &frame, &payload, &next, &why, error);
        if (class != WEIR_OK)
            return class;
        if (why || frame.sequence <= sequence || frame.generation < generation) {
            offset += 8;
            continue;
        }
        survey_add(survey, &frame);
        offset = next;
    }
    return WEIR_OK;
}
