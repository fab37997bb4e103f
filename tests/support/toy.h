/*
 * toy.h - small components of the test process: a replayable source of numbers, a summing operator with state, a
 * two-phase sink that remembers. With them the core is tested alone, without a module.
 */
#ifndef WEIR_TESTS_TOY_H
#define WEIR_TESTS_TOY_H

#include <stdatomic.h>

#include <weir/plugin.h>

/* toy_numbers: options rows (per partition), partitions, step (rows per call), keys. Columns k int64 = row mod keys,
 *   v int64 = row. Replayable; ends with LAST. toy_serial: the same, one `next` at a time.
 * toy_double: k, v → k, 2v; drops odd rows of v by a selection.
 * toy_sum: by k, state; emits (k, total) of the keys that changed, upsert. With a combine side if combine=true.
 * toy_batch_count: rows of the batch; ticking.
 * toy_sink: two-phase; toy_finish: idempotent. Both append committed rows to toy_world. */
extern const struct weir_plugin toy_plugin;

/* What the sinks have made visible; survives restarts of the engine in one test. */
struct toy_batch {
    char sink[32];
    uint64_t batch;
    char *rows; /* JSON of the rows, in order */
};

struct toy_world {
    struct toy_batch *batches;
    uint32_t n;
    int fail_begin;  /* answers RETRY that often */
    int fail_next;   /* the call of toy_numbers' `next` that answers RETRY, from 1; 0: none */
    int fail_double_begin, fail_double; /* toy_double's `begin`, `process` answer RETRY that often */
    int ahead;       /* toy_sink has batches that the checkpoint does not know */
    int surplus;     /* rows that toy_numbers gives beyond those asked for */
    int cancelled;   /* how often toy_numbers' `cancel` was called */
    int no_position; /* toy_numbers gives rows and says nothing of where it is */
    _Atomic uint64_t most_batch; /* the latest one that `next` of toy_numbers was called for */
    int linger;      /* turns that `next` spends, so that others of them meet it on other threads */
    atomic_int within, most_within; /* calls of `next` under way, and the most there were */
    uint64_t doubled; /* a batch id that was made visible twice with other rows */
};

extern struct toy_world toy_world;
void toy_reset(void);
/* All rows of a sink in order of batch, as one text; malloc'ed. */
char *toy_text(const char *sink);

#endif
