/*
 * weir/format.h - a format (frame, decode, encode), and weir.format/1 by which sources and sinks
 * use the format that the job chose for them.
 *
 * `frame` and `decode` are free of side effects: the same bytes give the same rows on any thread,
 * so decoding is a stage like any other. What a partition's first bytes say about all of
 * it (a byte order mark, a header line) is its *head*: framed once, then handed to every decode.
 */
#ifndef WEIR_FORMAT_H
#define WEIR_FORMAT_H

#include <weir/data.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_FORMAT_ID "weir.format/1"

#define WEIR_FRAME_START 1u /* the bytes begin the partition */
#define WEIR_FRAME_END 2u   /* nothing follows them: a last record may lack its separator */
#define WEIR_FRAME_INSIDE 4u /* weir.format/1 only. In: the bytes begin inside a record over
                                max_record. Out: what was skipped ends inside one; pass it in
                                with the next */

struct weir_frame {
    uint32_t size;
    uint32_t flags;    /* WEIR_FRAME_INSIDE, or 0 */
    uint64_t end;      /* bytes of whole records, the head included */
    uint64_t head_end; /* with START: the first bytes that are head; else 0 */
    uint64_t records;  /* whole records; 0 where the format didn't count (max_records unlimited) */
    uint64_t skipped;  /* set by the host: bytes of [end, end + skipped) belong to a record over
                          max_record, which the host has rejected (once): go on behind them */
};

struct weir_decode_bind {
    uint32_t size;
    uint32_t n_wanted; /* 0 with wanted == NULL: all columns */
    const char *const *wanted;
    const struct ArrowSchema *declared; /* of the option `columns`; NULL: the format's own */
    const char *const *conjuncts;       /* simple conditions: rows of which one is not true may be
                                           left out (weir_emission.left_out), none has to be */
    uint32_t n_conjuncts;
    uint32_t null_on_error; /* on_error "null": bad fields are null (`_corrupt_record`) */
};

struct weir_decode_plan {
    uint32_t size;
    uint32_t has_head;         /* 1: decode needs the head of the partition */
    struct ArrowSchema schema; /* moved to the host; in order of `wanted` where that is given */
    uint64_t absorbed;         /* bit i: conjunct i is looked at by decode */
    uint32_t one_to_one;       /* 1: records with offsets, none of them empty, give one row each, in
                                  order, or are rejected; 2: empty ones, too. The host then gives
                                  many at once, and where rows and rejected records together are
                                  more or fewer than records the batch fails, with WEIR_FATAL */
    uint32_t reserved;
};

/* Records to decode: with offsets, record i is bytes [offsets[i], offsets[i+1]); without, the
 * bytes are a run of whole records that decode splits. 64 readable bytes follow. */
struct weir_records {
    uint32_t size;
    uint32_t n_offsets; /* records + 1, or 0 */
    const uint8_t *bytes;
    uint64_t length;
    const int32_t *offsets;
    struct weir_bytes head; /* data NULL: none */
};

struct weir_format {
    uint32_t size;
    uint32_t reserved;

    /* Purpose, thread, ownership, classes, failure: as weir_source.create. The options are those
     *   of the instance that names the format. */
    int32_t (*create)(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error);

    /* Purpose, thread, ownership, classes, failure: as weir_source.destroy. */
    void (*destroy)(void *self);

    /* Purpose: the schema that decode will give.
     * Thread and state: [control], once, after create, for sources and `parse`.
     * Ownership: `in` is borrowed, out->schema moved to the host.
     * Returns: OK; CONFIG; FATAL; UNSUPPORTED (a format for sinks only).
     * On failure: the check reports it. */
    int32_t (*bind_decode)(void *self, const struct weir_decode_bind *in,
                           struct weir_decode_plan *out, struct weir_error *error);

    /* Purpose: where the last whole record ends, after at most max_records.
     * Thread and state: [any], after create.
     * Ownership: bytes are borrowed; 64 readable bytes follow them.
     * Returns: OK (end 0: no whole record yet); DATA where the rest can't be framed at all.
     * On failure: the source stops at this place. */
    int32_t (*frame)(void *self, struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                     struct weir_frame *out, struct weir_error *error);

    /* Purpose: scratch memory of one lane of decoding or encoding.
     * Thread and state: [control].
     * Ownership: *lane is the host's to destroy with lane_destroy (may be NULL).
     * Returns: OK; FATAL.
     * On failure: the host calls lane_destroy if *lane is not NULL. */
    int32_t (*lane_create)(void *self, struct weir_context *context, void **lane,
                           struct weir_error *error);

    /* Purpose: frees the scratch of a lane, half-built too.
     * Thread and state: [control]; no other call with the lane is under way or follows.
     * Ownership: lane is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*lane_destroy)(void *self, void *lane);

    /* Purpose: rows of the records, by `emit` to the context of the lane; bad ones by reject_bytes.
     * Thread and state: [worker], after bind_decode.
     * Ownership: records are borrowed.
     * Returns: OK; the class of emit or reject; FATAL.
     * On failure: the host ends the batch. */
    int32_t (*decode)(void *self, void *lane, const struct weir_records *records,
                      struct weir_error *error);

    /* Purpose: accepts or refuses a schema to encode.
     * Thread and state: [control], after create, for sinks.
     * Ownership: the schema is borrowed, valid with the instance.
     * Returns: OK; CONFIG; UNSUPPORTED (a format for sources only).
     * On failure: the check reports it. */
    int32_t (*bind_encode)(void *self, const struct ArrowSchema *schema, struct weir_error *error);

    /* Purpose: bytes that begin a file (WEIR_ENCODE_HEAD), hold the selected rows of a chunk (chunk
     *   not NULL), or end a file (WEIR_ENCODE_TAIL), appended to `out`.
     * Thread and state: [sink] or [worker], after bind_encode.
     * Ownership: the chunk is borrowed; `out` stays the caller's.
     * Returns: OK; DATA for a row that the format can't hold (error.code: its row); FATAL.
     * On failure: `out` is as before the call. */
    int32_t (*encode)(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                      struct weir_buffer *out, struct weir_error *error);

    /* "jsonl" or so: what a file sink appends to names; constant. */
    const char *extension;
};

#define WEIR_ENCODE_HEAD 1u
#define WEIR_ENCODE_TAIL 2u

struct weir_decoder; /* a format at work in a lane of an operator */

/* What decoding gives. `arg` is the operator's. */
struct weir_decoded {
    uint32_t size;
    uint32_t reserved;
    void *arg;

    /* Purpose: rows of the records, in order; records[i] is the record that row i is of.
     * Thread and state: [worker], inside decode.
     * Ownership: columns (one per column of the schema) are moved to the callee, also on failure;
     *   records are borrowed.
     * Returns: OK; any class of its own.
     * On failure: decode returns the class. */
    int32_t (*rows)(void *arg, struct ArrowArray *columns, uint32_t n_columns,
                    const uint32_t *records, uint32_t rows, struct weir_error *error);

    /* Purpose: a record that is bad; usually handed on to reject.
     * Thread, returns, failure: as rows.
     * Ownership: text is borrowed. */
    int32_t (*reject)(void *arg, uint32_t record, int32_t code, const char *text,
                      struct weir_error *error);
};

/* weir.format/1: the format of the calling instance. */
struct weir_formats {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: the `frame` of the source's format (a source without one: the host refuses the job).
     *   The option `max_record` of the instance is applied: see weir_frame.skipped.
     * Thread and state: [worker], inside next; `bytes` followed by 64 readable bytes.
     * Ownership: as weir_format.frame.
     * Returns: as weir_format.frame.
     * On failure: the source returns the class. */
    int32_t (*frame)(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                     uint64_t max_records, struct weir_frame *out, struct weir_error *error);

    /* Purpose: the `encode` of the sink's format.
     * Thread and state: [sink].
     * Ownership: as weir_format.encode.
     * Returns: as weir_format.encode.
     * On failure: the sink returns the class. */
    int32_t (*encode)(struct weir_context *context, const struct weir_chunk *chunk, uint32_t flags,
                      struct weir_buffer *out, struct weir_error *error);

    /* Purpose: binds the format to another schema than the sink's input (columns left out).
     * Thread and state: [control], inside the sink's bind.
     * Ownership: the schema is copied.
     * Returns: as weir_format.bind_encode.
     * On failure: the sink returns the class. */
    int32_t (*bind_encode)(struct weir_context *context, const struct ArrowSchema *schema,
                           struct weir_error *error);

    /* Purpose: the format's extension without a dot, "" if it has none.
     * Thread and state: [any].
     * Ownership: a constant.
     * Returns: the text.
     * On failure: can't fail. */
    const char *(*extension)(struct weir_context *context);

    /* Purpose: the columns that the operator's format will give, from its option `columns`.
     * Thread and state: [control], inside bind of an operator with WEIR_CAP_NEEDS_FORMAT.
     * Ownership: *out is moved to the caller.
     * Returns: as weir_format.bind_decode; CONFIG for a format that needs a head.
     * On failure: bind returns the class. */
    int32_t (*bind_decode)(struct weir_context *context, struct ArrowSchema *out,
                           struct weir_error *error);

    /* Purpose: scratch of the format in a lane of the operator.
     * Thread and state: [control], inside lane_create; after bind_decode.
     * Ownership: *out is the caller's until decoder_destroy.
     * Returns: OK; FATAL.
     * On failure: *out is NULL. */
    int32_t (*decoder_create)(struct weir_context *lane, struct weir_decoder **out,
                              struct weir_error *error);

    /* Purpose: frees a decoder; NULL is allowed.
     * Thread and state: [control], inside lane_destroy (or a lane_create that fails).
     * Ownership: the decoder is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*decoder_destroy)(struct weir_decoder *decoder);

    /* Purpose: decodes records; they must have offsets.
     * Thread and state: [worker], one thread at a time.
     * Ownership: borrowed.
     * Returns: OK; the class of a callback; FATAL.
     * On failure: the operator returns the class. */
    int32_t (*decode)(struct weir_decoder *decoder, const struct weir_records *records,
                      const struct weir_decoded *out, struct weir_error *error);

    /* Purpose: the columns of a table that the operator reads from a file: the format that its
     *   option "table.format" names, with `declared` columns (NULL: the format's own).
     * Thread and state: [control], inside bind; no I/O.
     * Ownership: `declared` is borrowed, *out moved to the caller.
     * Returns: as weir_format.bind_decode; UNSUPPORTED where the job names no format.
     * On failure: bind returns the class. */
    int32_t (*table_bind)(struct weir_context *context, const struct ArrowSchema *declared,
                          struct ArrowSchema *out, struct weir_error *error);

    /* Purpose: the rows of a whole file. A record that is bad is an error that names its line.
     * Thread and state: [worker]; one thread at a time.
     * Ownership: the bytes are borrowed, 64 readable ones follow; *out is moved to the caller.
     * Returns: OK; DATA; FATAL.
     * On failure: *out is released. */
    int32_t (*table_read)(struct weir_context *lane, struct weir_bytes bytes,
                          struct ArrowArray *out, struct weir_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
