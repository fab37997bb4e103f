/*
 * weir/source.h - a source: partitions, positions, and a `next` that never blocks.
 *
 * A source either delivers columns, or bytes for a format to decode:
 *   columns  bind gives the schema of the rows.
 *   bytes    WEIR_CAP_BYTES: the schema is one binary column `bytes` (and, with
 *            WEIR_CAP_RECORDS, columns beside it). Without WEIR_CAP_RECORDS a row is a run of
 *            whole records, cut by weir.format/1 `frame`; with it a row is exactly one record.
 *            A second binary column `head`, where bind declares it, carries what `frame`
 *            called the head of the partition (a header line), on every row.
 *
 * Positions are opaque bytes of the source's own, at most WEIR_POSITION_MAX, printable through
 * `position_text`. The core logs them and gives them back; an empty position is the start.
 * A replayable source given `replay_to` delivers exactly the rows up to there, or fails.
 */
#ifndef WEIR_SOURCE_H
#define WEIR_SOURCE_H

#include <weir/data.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_POSITION_MAX 4096u

/* What the planner offers in `bind`. A source that can't use an offer ignores it. */
struct weir_source_bind {
    uint32_t size;
    uint32_t n_wanted;         /* columns that the job reads; 0 with wanted == NULL: all */
    const char *const *wanted;
    uint32_t n_conjuncts;      /* simple conditions, "column op literal" in expression text */
    uint32_t head;             /* 1: the format has heads; declare `head` */
    const char *const *conjuncts;
};

struct weir_source_plan {
    uint32_t size;
    uint32_t reserved;
    struct ArrowSchema schema; /* moved to the host */
    uint64_t absorbed;         /* bit i: conjunct i is applied by the source */
};

struct weir_next {
    uint32_t size;
    uint32_t partition_index;  /* dense number given by the host, stable during a run */
    const char *partition;     /* stable name */
    struct weir_bytes from;    /* where to go on; length 0: the start */
    struct weir_bytes replay_to; /* data NULL: not a replay */
    uint64_t max_rows;         /* records at most; UINT64_MAX: no limit */
    uint64_t max_bytes;        /* bytes to aim at; one larger record may exceed them */
    int64_t deadline_us;       /* host clock; return soon after it */
    int64_t batch_time_us;     /* T of the batch */
    uint64_t batch;
    uint32_t unlimited;        /* 1 (trigger once): the source's own limits for a batch don't
                                  count */
    uint32_t reserved;
};

#define WEIR_NEXT_END 1u    /* the partition will never have more */
#define WEIR_NEXT_ABSENT 2u /* the stream is absent in this batch */
#define WEIR_NEXT_MORE 4u   /* there is more at once: call again without waiting */
#define WEIR_NEXT_LAST 16u /* with END: the source will never name another partition */
#define WEIR_NEXT_BATCH_END 8u /* the source wants the batch to end here for this partition */

struct weir_next_result {
    uint32_t size;
    uint32_t flags;
    struct ArrowArray array;   /* rows, moved to the host; release NULL: no rows */
    uint64_t records;          /* records in it, where known (bytes sources); else 0 */
    struct weir_bytes position; /* the place behind the rows; valid until the next call for
                                   the partition */
    struct weir_bytes first;   /* the place of the first row, or byte of `bytes`, of the array,
                                  valid as long; data NULL: that of weir_next.from. Dead letters
                                  have it */
};

struct weir_names; /* a list that the source fills by weir_source_partitions.add */

#define WEIR_PARTITIONS_LAST 1u /* the job ends with what is there now: nothing to wait for */

struct weir_partitions {
    uint32_t size;
    uint32_t flags; /* WEIR_PARTITIONS_… */
    int64_t batch_time_us;
    struct weir_names *names;
    /* Purpose: adds a partition name; the order of reading is the order of adding.
     * Thread and state: [control], inside `partitions`.
     * Ownership: the name is copied.
     * Returns: OK; CONFIG for an empty or repeated name; FATAL without memory.
     * On failure: the source returns the class. */
    int32_t (*add)(struct weir_names *names, const char *name);
};

struct weir_source {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: an instance from its options; touches nothing outside (also run by `check`).
     * Thread and state: [control].
     * Ownership: *self is the host's to destroy; it is set before anything can fail.
     * Returns: OK; CONFIG with error.option; FATAL.
     * On failure: the host calls destroy if *self is not NULL. */
    int32_t (*create)(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error);

    /* Purpose: frees the instance, half-built ones too.
     * Thread and state: [control]; no other call is under way or follows.
     * Ownership: self is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*destroy)(void *self);

    /* Purpose: the schema of the rows; no I/O.
     * Thread and state: [control], once, after create.
     * Ownership: `in` is borrowed; out->schema is moved to the host.
     * Returns: OK; CONFIG; FATAL.
     * On failure: the check reports it. */
    int32_t (*bind)(void *self, const struct weir_source_bind *in, struct weir_source_plan *out,
                    struct weir_error *error);

    /* Purpose: opens what lies outside (files, sockets).
     * Thread and state: [control], after bind; not run by `check`.
     * Ownership: none.
     * Returns: OK; RETRY; CONFIG; FATAL.
     * On failure: RETRY is tried again later, others stop the job. */
    int32_t (*open)(void *self, struct weir_error *error);

    /* Purpose: names the partitions of the batch that is being opened. A name that is no longer
     *   added is forgotten with its position once it ended.
     * Thread and state: [control], after open, at each batch; quick.
     * Ownership: `list` is borrowed.
     * Returns: OK; RETRY; FATAL.
     * On failure: the batch has the partitions of the batch before. */
    int32_t (*partitions)(void *self, struct weir_partitions *list, struct weir_error *error);

    /* Purpose: whole records behind `in->from`, and the new position. Never blocks.
     * Thread and state: [worker], after open; one call at a time per partition (with
     *   WEIR_CAP_SERIAL: per instance).
     * Ownership: `in` is borrowed; out->array is moved to the host.
     * Returns: OK with rows or with a flag; PENDING (a wake follows); RETRY; DATA; FATAL
     *   (a replay that can't be had says how much is lost); CANCELLED.
     * On failure: RETRY is tried again, others stop the job; the batch is not lost. */
    int32_t (*next)(void *self, const struct weir_next *in, struct weir_next_result *out,
                    struct weir_error *error);

    /* Purpose: rows up to `position` are safe: they may be forgotten or acknowledged. Advisory,
     *   may be repeated.
     * Thread and state: [control].
     * Ownership: borrowed.
     * Returns: OK; RETRY.
     * On failure: logged; a later position is committed later. */
    int32_t (*commit)(void *self, const char *partition, struct weir_bytes position,
                      struct weir_error *error);

    /* Purpose: a position as text for people.
     * Thread and state: [any].
     * Ownership: writes at most `size` bytes with a final NUL.
     * Returns: OK; DATA for bytes that are no position of this source.
     * On failure: the host prints hex. */
    int32_t (*position_text)(void *self, struct weir_bytes position, char *text, uint32_t size);

    /* Purpose: makes calls under way return soon.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*cancel)(void *self);

    /* Purpose: closes what open opened.
     * Thread and state: [control], once, before destroy; open may have failed.
     * Ownership: none.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*close)(void *self);

    /* Purpose: the place that lies `bytes` bytes of `bytes`, and `rows` rows, behind `first` of an
     *   answer of next (or behind `from`), as a position: dead letters point to it. May be NULL.
     * Thread and state: [worker], after open; pure.
     * Ownership: `out` has room for WEIR_POSITION_MAX bytes; *length of them are written.
     * Returns: OK; DATA for bytes that are no position of this source; UNSUPPORTED.
     * On failure: the host takes `first`. */
    int32_t (*place)(void *self, struct weir_bytes first, uint64_t bytes, uint64_t rows,
                     uint8_t *out, uint32_t *length);
};

#ifdef __cplusplus
}
#endif
#endif
