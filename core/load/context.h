/*
 * context.h - weir_context: the ticket of an instance or a lane, and the host table over it.
 *
 * load/ knows options, memory, data, state, expressions and io. What needs the running job (emit,
 * reject, wake-ups, formats) is given by run/ as `ops`; a context without ops (check, inspect)
 * answers UNSUPPORTED.
 */
#ifndef WEIR_CORE_CONTEXT_H
#define WEIR_CORE_CONTEXT_H

#include <weir/plugin.h>

#include "core/control/journal.h"
#include "core/expr/expr.h"
#include "core/job/options.h"
#include "core/state/store.h"
#include "core/sys/sys.h"

struct context_ops {
    int32_t (*emit)(struct weir_context *lane, const struct weir_emission *emission,
                    struct weir_error *error);
    int32_t (*reject)(struct weir_context *lane, const struct weir_chunk *chunk, uint32_t row,
                      int32_t code, const char *text, struct weir_error *error);
    int32_t (*reject_bytes)(struct weir_context *lane, struct weir_bytes record, int32_t code,
                            const char *text, struct weir_error *error);
    void (*wake)(struct weir_context *context);
    void (*wake_after)(struct weir_context *context, int64_t delay_us);
    int32_t (*cancelled)(struct weir_context *context);
    int32_t (*frame)(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                     uint64_t max_records, struct weir_frame *out, struct weir_error *error);
    int32_t (*encode)(struct weir_context *context, const struct weir_chunk *chunk, uint32_t flags,
                      struct weir_buffer *out, struct weir_error *error);
    int32_t (*bind_encode)(struct weir_context *context, const struct ArrowSchema *schema,
                           struct weir_error *error);
    const char *(*extension)(struct weir_context *context);
    void (*count)(struct weir_context *context, const char *name, int64_t delta);
    void (*gauge)(struct weir_context *context, const char *name, double value);
    /* A check takes mistakes of expressions one by one, and goes on (expr_tell_fn). NULL: the first
     * one ends `bind`. */
    void (*mistake)(struct weir_context *context, const struct weir_error *error);
};

/* The format of an operator, and what its bind_decode said. */
struct format_use {
    const struct weir_format *table;
    void *self;
    uint32_t n_columns;
    uint32_t one_to_one;
};

struct table_format;

struct weir_context {
    const struct context_ops *ops; /* NULL: only a check */
    void *owner;                   /* of run/ */
    const char *instance;
    const struct options *options;
    struct weir_sys *sys;
    struct journal *journal;
    const struct expr_env *env;
    struct table_format *table_format; /* operators that read a table from a file; else NULL */
    struct store_operator *tables; /* operators; NULL: no state may be declared */
    struct format_use *format;     /* operators with a format; else NULL */
    uint32_t blocking;             /* 1: on a sink thread, streams wait */
    uint32_t null_on_error;        /* on_error is "null" */
    uint32_t has_started;          /* 1: the job runs, and started_us is set */
    int64_t started_us;            /* its first start */
    /* of the call under way */
    int64_t time_us;
    uint64_t batch;
    uint64_t seed;
    uint32_t partition;
    int32_t error_input;           /* input whose chunk eval rejects from; usually 0 */
};

extern const struct weir_host weir_host_1; /* the one host table */

#endif
