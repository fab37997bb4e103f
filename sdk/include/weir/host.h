/*
 * weir/host.h - the services that every plugin gets: memory, options, log, metrics, emit, reject.
 *
 * There is one host table per process, constant and valid for ever. A `weir_context` is the
 * ticket of one instance (or of one lane of it): the host gives it to `create` or `lane_create`,
 * and it is valid until the matching `destroy` returns. Further services are fetched by
 * id: weir.data/1 (data.h), weir.expr/1 (expr.h), weir.state/1 and weir.combine/1 (state.h),
 * weir.io/1 (io.h), weir.format/1 (format.h).
 */
#ifndef WEIR_HOST_H
#define WEIR_HOST_H

#include <weir/abi.h>
#include <weir/chunk.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

/* Levels of the log. */
#define WEIR_LOG_ERROR 1
#define WEIR_LOG_WARN 2
#define WEIR_LOG_INFO 3
#define WEIR_LOG_DEBUG 4

/* Types of options; `weir_value` says what each carries. */
#define WEIR_OPTION_BOOL 1u     /* integer 0 or 1 */
#define WEIR_OPTION_INT 2u      /* integer */
#define WEIR_OPTION_FLOAT 3u    /* number */
#define WEIR_OPTION_TEXT 4u     /* text */
#define WEIR_OPTION_CHOICE 5u   /* text, one of `choices` */
#define WEIR_OPTION_DURATION 6u /* integer, microseconds */
#define WEIR_OPTION_SIZE 7u     /* integer, bytes */
#define WEIR_OPTION_COLUMN 8u   /* text: the name of an input column */
#define WEIR_OPTION_EXPR 9u     /* text: an expression */
#define WEIR_OPTION_COLUMNS 10u /* text: DDL, "user string, amount double" */
#define WEIR_OPTION_LIST 11u    /* items: text */
#define WEIR_OPTION_MAP 12u     /* items: key and text */
#define WEIR_OPTION_EXPRS 13u   /* items: key = name of the result, text = expression */
#define WEIR_OPTION_ROWS 14u    /* items: JSON text of one entry each */
#define WEIR_OPTION_JSON 15u    /* text: JSON of any shape */

#define WEIR_OPTION_REQUIRED 1u /* the check fails without it */
#define WEIR_OPTION_SECRET 2u   /* never shown, logged or stored */
#define WEIR_OPTION_LIVE 4u     /* may change under a running job */
/* Text: a place that the instance has for itself. The check refuses a job in which another sink
 * of a component of this name has the same path as its option of this name, or one inside of it
 * or around it, or such a source that feeds this one has the same. */
#define WEIR_OPTION_OWN 8u
/* Source: where it reads or what it calls its partitions. With another value they may be others:
 * the check and the start warn that how far the old ones were read is forgotten. */
#define WEIR_OPTION_PLACE 16u

/* One row of a component's option table. A dot in a name ("window.length") is a nested member. */
struct weir_option {
    uint32_t size; /* bytes of this struct; the stride of the table */
    uint32_t type;
    uint32_t flags;
    uint32_t reserved;
    const char *name;
    const char *fallback; /* default in the form in which a job file has it; NULL: none */
    const char *choices;  /* "a|b|c" for WEIR_OPTION_CHOICE, else NULL */
    const char *help;     /* one line */
};

#define WEIR_OPTION(type, flags, name, fallback, choices, help)                                    \
    { (uint32_t)sizeof(struct weir_option), type, flags, 0, name, fallback, choices, help }

/* The value of an option. Text is NUL-terminated and valid as long as the instance. */
struct weir_value {
    uint32_t size; /* bytes, set by the caller */
    uint32_t type; /* WEIR_OPTION_… */
    int64_t integer;
    double number;
    const char *text;
    uint64_t length; /* bytes of text */
    const char *key; /* of an item: its key or name; NULL in lists */
    uint64_t count;  /* items of LIST, MAP, EXPRS, ROWS */
};

/* Where a rejected row fell. Stored in dead letters and counted by reason. */
#define WEIR_REJECT_DECODE 1     /* the record is not of the format */
#define WEIR_REJECT_EXPRESSION 2 /* an expression failed on the row */
#define WEIR_REJECT_UTF8 3       /* text that is not UTF-8 */
#define WEIR_REJECT_TOO_LONG 4   /* a record over max_record */
#define WEIR_REJECT_SCHEMA 5     /* a value does not fit its column */
#define WEIR_REJECT_OPERATOR 6   /* the operator could not use the row */

struct weir_host {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t reserved;
    const char *version; /* of weir, "0.1.0" */

    /* Purpose: `bytes` of memory, 64-byte aligned, counted against the job's limit.
     * Thread and state: [any].
     * Ownership: the caller's, until `free`.
     * Returns: NULL when there is no memory.
     * On failure: the caller returns WEIR_FATAL or WEIR_RETRY; the host stops the batch. */
    void *(*alloc)(uint64_t bytes);

    /* Purpose: another size for memory of `alloc`; p may be NULL. Contents are kept.
     * Thread and state: [any].
     * Ownership: as alloc; the old pointer is invalid on success.
     * Returns: NULL when there is no memory; the old block is then untouched.
     * On failure: as alloc. */
    void *(*realloc)(void *p, uint64_t bytes);

    /* Purpose: gives back memory of `alloc`, `realloc` or of a weir_buffer; p may be NULL.
     * Thread and state: [any].
     * Ownership: p is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*free)(void *p);

    /* Purpose: room for `more` further bytes behind buffer->length.
     * Thread and state: [any].
     * Ownership: the buffer stays the caller's.
     * Returns: OK, or FATAL when there is no memory (the buffer is untouched).
     * On failure: the caller passes the class on. */
    int32_t (*buffer_grow)(struct weir_buffer *buffer, uint64_t more);

    /* Purpose: the table of a service ("weir.state/1").
     * Thread and state: [any].
     * Ownership: the host's, valid for ever.
     * Returns: NULL where this host does not have it.
     * On failure: the caller does without, or answers UNSUPPORTED with the id in the text. */
    const void *(*get_interface)(const char *id);

    /* Purpose: a line in the log of the job, with instance and batch added by the host.
     * Thread and state: [any].
     * Ownership: text is borrowed during the call.
     * Returns: nothing; repeated lines are rate-limited and counted.
     * On failure: can't fail. */
    void (*log)(struct weir_context *context, int32_t level, const char *text);

    /* Purpose: adds to a counter of the instance, shown by status and metrics.
     * Thread and state: [any].
     * Ownership: name is a constant of the module.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*count)(struct weir_context *context, const char *name, int64_t delta);

    /* Purpose: sets a gauge of the instance, shown by status and metrics.
     * Thread and state: [any].
     * Ownership: name is a constant of the module.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*gauge)(struct weir_context *context, const char *name, double value);

    /* Purpose: the value of an option, checked and with its default applied.
     * Thread and state: [any], after create began.
     * Ownership: the caller owns `out` (size set); texts are the host's, valid with the instance.
     * Returns: OK; UNSUPPORTED where neither the job nor the default has it.
     * On failure: the plugin goes on without the option. */
    int32_t (*option)(struct weir_context *context, const char *name, struct weir_value *out);

    /* Purpose: the index-th item of an option of type LIST, MAP, EXPRS or ROWS.
     * Thread and state: [any], after create began.
     * Ownership: as option.
     * Returns: OK; UNSUPPORTED past the last one.
     * On failure: the plugin stops its loop. */
    int32_t (*option_item)(struct weir_context *context, const char *name, uint64_t index,
                           struct weir_value *out);

    /* Purpose: keeps a borrowed chunk beyond the call.
     * Thread and state: [any].
     * Ownership: one `chunk_release` per retain, all before finish/prepare of the batch returns.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*chunk_retain)(const struct weir_chunk *chunk);

    /* Purpose: ends a retain.
     * Thread and state: [any].
     * Ownership: the chunk must not be touched afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*chunk_release)(const struct weir_chunk *chunk);

    /* Purpose: hands rows to the next stage.
     * Thread and state: [worker], inside decode, combine, combine_end, process, end_input, advance.
     * Ownership: new arrays are moved to the host, also on failure; selection is copied.
     * Returns: OK; DATA when the arrays break the profile or the schema; CANCELLED; FATAL.
     * On failure: the plugin returns the class at once; the host ends the batch. */
    int32_t (*emit)(struct weir_context *lane, const struct weir_emission *emission,
                    struct weir_error *error);

    /* Purpose: says that a row can't be used; the row counts as handled (see `on_error`).
     * Thread and state: [worker], inside the call that got the chunk.
     * Ownership: text is borrowed; it names columns and reasons, never values.
     * Returns: OK; DATA where on_error is `fail`: the plugin returns it at once.
     * On failure: the host ends the batch with this row's place and text. */
    int32_t (*reject)(struct weir_context *lane, const struct weir_chunk *chunk, uint32_t row,
                      int32_t code, const char *text, struct weir_error *error);

    /* Purpose: as reject, for a record that never became a row (decoders, framing).
     * Thread and state: [worker], inside decode or next.
     * Ownership: the bytes are borrowed; the host keeps at most the first KiB.
     * Returns: as reject.
     * On failure: as reject. */
    int32_t (*reject_bytes)(struct weir_context *lane, struct weir_bytes record, int32_t code,
                            const char *text, struct weir_error *error);

    /* Purpose: wall time of the host's clock in microseconds since the epoch. Only for timeouts
     *   and the like: rows must depend on the batch time alone.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: the time.
     * On failure: can't fail. */
    int64_t (*now_us)(struct weir_context *context);

    /* Purpose: asks for another call of `next` of this source (data arrived).
     * Thread and state: [any], also from threads of the plugin.
     * Ownership: none.
     * Returns: nothing; several calls may become one.
     * On failure: can't fail. */
    void (*wake)(struct weir_context *context);

    /* Purpose: as wake, after `delay_us`; a later call replaces an earlier one.
     * Thread and state: [control] and [worker].
     * Ownership: none.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*wake_after)(struct weir_context *context, int64_t delay_us);

    /* Purpose: true (1) once the job is being stopped or the call was cancelled.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: 0 or 1.
     * On failure: can't fail. */
    int32_t (*cancelled)(struct weir_context *context);

    /* Purpose: wall time of the job's first start: what its checkpoint remembers, else that of this
     *   start. For sources that begin "now" and must mean the same after a restart.
     * Thread and state: [any].
     * Ownership: none.
     * Returns: microseconds since the epoch.
     * On failure: can't fail. */
    int64_t (*started_us)(struct weir_context *context);
};

#ifdef __cplusplus
}
#endif
#endif
