/*
 * weir/sink.h - a sink, at one of three levels.
 *
 *   at least once (WEIR_SINK_AT_LEAST_ONCE)  begin write* finish, before STATE(n); a crash may
 *       bring the rows of the batch again.
 *   idempotent (WEIR_SINK_IDEMPOTENT)        the same calls; a batch id that is finished already
 *       must leave no duplicate when it comes again. The same batch has the same rows.
 *   two-phase (WEIR_SINK_TWO_PHASE)          begin write* prepare → committable; STATE(n) makes the
 *       committable durable; then commit, as often as it takes. What was prepared and is not
 *       in the log is given up: `recover` lists what the log knows, everything else is aborted.
 *
 * A sink runs on a thread of its own and may block; `cancel` makes it return.
 */
#ifndef WEIR_SINK_H
#define WEIR_SINK_H

#include <weir/data.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_SINK_AT_LEAST_ONCE 1u
#define WEIR_SINK_IDEMPOTENT 2u
#define WEIR_SINK_TWO_PHASE 3u

struct weir_sink_bind {
    uint32_t size;
    uint32_t form;                  /* WEIR_FORM_… of the stream, one that the sink accepts */
    const struct ArrowSchema *schema; /* valid with the instance */
    const uint32_t *key_columns;    /* of an upsert stream */
    uint32_t n_key_columns;
    uint32_t reserved;
};

/* Who is writing: stable over restarts and swaps. */
struct weir_identity {
    uint32_t size;
    uint32_t reserved;
    const char *job_name;
    const char *job_id; /* 32 hex digits, made once per checkpoint */
    const char *sink;   /* name of the instance */
};

struct weir_sink_batch {
    uint32_t size;
    uint32_t partitions; /* visible partitions of this batch */
    uint64_t batch;
    int64_t time_us;     /* T */
};

/* A committable of the log. */
struct weir_committable {
    uint64_t batch;
    struct weir_bytes bytes;
};

/* What became of a commit. */
#define WEIR_COMMIT_DONE 1u    /* it is visible now */
#define WEIR_COMMIT_ALREADY 2u /* it was visible before */
#define WEIR_COMMIT_FAILED 3u  /* it never will be: the job stops */

struct weir_sink {
    uint32_t size;
    uint32_t reserved;

    /* Purpose, thread, ownership, classes, failure: as weir_source.create. */
    int32_t (*create)(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error);

    /* Purpose, thread, ownership, classes, failure: as weir_source.destroy. */
    void (*destroy)(void *self);

    /* Purpose: accepts the stream; no I/O.
     * Thread and state: [control], once, after create.
     * Ownership: `in` is borrowed, its schema valid with the instance.
     * Returns: OK; CONFIG; FATAL.
     * On failure: the check reports it. */
    int32_t (*bind)(void *self, const struct weir_sink_bind *in, struct weir_error *error);

    /* Purpose: opens the outside; refuses a target that belongs to another job.
     * Thread and state: [sink], after bind; a check calls `check` instead.
     * Ownership: `identity` is valid with the instance.
     * Returns: OK; RETRY; CONFIG; FATAL.
     * On failure: RETRY is tried again, others stop the start. */
    int32_t (*open)(void *self, const struct weir_identity *identity, struct weir_error *error);

    /* Purpose: makes the outside agree with the log after a restart: what is in `list` may still
     *   have to be committed (the host does it next), anything else prepared from batch
     *   `next_batch` on is undone. Two-phase only.
     * Thread and state: [sink], once after open.
     * Ownership: borrowed.
     * Returns: OK; RETRY; FATAL.
     * On failure: as open. */
    int32_t (*recover)(void *self, const struct weir_committable *list, uint32_t n,
                       uint64_t next_batch, struct weir_error *error);

    /* Purpose: a batch begins. The same batch may begin again after a failure.
     * Thread and state: [sink].
     * Ownership: borrowed until finish or prepare returned.
     * Returns: OK; RETRY; DATA; FATAL.
     * On failure: RETRY: abort, then the batch again with the same rows; others stop the job. */
    int32_t (*begin)(void *self, const struct weir_sink_batch *batch, struct weir_error *error);

    /* Purpose: rows, partition by partition in order.
     * Thread and state: [sink], after begin.
     * Ownership: the chunk is borrowed (chunk_retain until finish or prepare returns).
     * Returns, failure: as begin. */
    int32_t (*write)(void *self, const struct weir_chunk *chunk, struct weir_error *error);

    /* Purpose: all rows of the batch are where they belong. At-least-once and idempotent.
     * Thread and state: [sink], after the last write.
     * Ownership: none.
     * Returns, failure: as begin. */
    int32_t (*finish)(void *self, struct weir_error *error);

    /* Purpose: all rows are durable but not visible; what commit needs is in `committable`.
     * Thread and state: [sink], after the last write. Two-phase only.
     * Ownership: the sink appends to the host's buffer.
     * Returns, failure: as begin. */
    int32_t (*prepare)(void *self, struct weir_buffer *committable, struct weir_error *error);

    /* Purpose: makes a prepared batch visible; batches in order. Two-phase only.
     * Thread and state: [sink], after the batch's STATE is durable, and again after a restart.
     * Ownership: borrowed.
     * Returns: OK with *outcome; RETRY; FATAL.
     * On failure: RETRY is tried again for ever (the job waits), FATAL stops the job. */
    int32_t (*commit)(void *self, const struct weir_committable *committable, uint32_t *outcome,
                      struct weir_error *error);

    /* Purpose: gives up the batch that was begun, prepared or not.
     * Thread and state: [sink].
     * Ownership: none.
     * Returns: OK; RETRY; FATAL.
     * On failure: as begin. */
    int32_t (*abort)(void *self, struct weir_error *error);

    /* Purpose: makes calls under way return soon.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*cancel)(void *self);

    /* Purpose: closes what open opened.
     * Thread and state: [sink], once, before destroy; open may have failed.
     * Ownership: none.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*close)(void *self);

    /* Purpose: says what `open` would refuse as things stand, above all a target that belongs to
     *   another job, and changes nothing. Optional: NULL.
     * Thread and state: [control], after bind, in a check and instead of open; the job itself may
     *   be running. Without a checkpoint yet the job's id is a new one.
     * Ownership: `identity` is borrowed.
     * Returns: OK; CONFIG; RETRY; FATAL.
     * On failure: the check reports it. */
    int32_t (*check)(void *self, const struct weir_identity *identity, struct weir_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
