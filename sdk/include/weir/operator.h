/*
 * weir/operator.h - an operator: bind once, then lanes that process chunks.
 *
 * `bind` fixes schemas, distribution and tables. Rows run through *lanes*: an operator that takes
 * rows as they come has a lane per *segment* (a partition's rows of a batch, cut after fixed
 * numbers of source records so that segments can run side by side); one that asks for a
 * distribution has one per worker and gets one key group after the other. Lanes are used again and
 * again. In a lane the order of calls is always
 *
 *     begin  (process* end_input)*  advance
 *
 * with the inputs one after the other, each in the order (source partition by name, arrival).
 * An operator may have a *combine* side that runs before the exchange, in lanes of its own:
 *
 *     begin  combine*  combine_end  …  advance is not called there
 *
 * What combine emits (output WEIR_OUTPUT_EXCHANGE) has the exchange schema and is what process then
 * gets. combine_end comes at the end of a segment (and of a key group, behind another exchange), so
 * that it flushes at the same rows whatever the chunks and workers are. Where combining does not
 * pay it may emit rows in a second schema (`uncombined` of the plan, output
 * WEIR_OUTPUT_UNCOMBINED); process tells them by the schema of the chunk.
 *
 * Determinism: given the same rows in the same order and the same state, an operator emits the same
 * rows in the same order. Time is the batch time T. One that can't promise this leaves out
 * WEIR_CAP_DETERMINISTIC.
 */
#ifndef WEIR_OPERATOR_H
#define WEIR_OPERATOR_H

#include <weir/data.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_OUTPUT_EXCHANGE 0xffffffffu
#define WEIR_OUTPUT_UNCOMBINED 0xfffffffeu

#define WEIR_WATERMARK_NONE INT64_MIN

/* How an input must be distributed before `process` sees it. */
#define WEIR_DISTRIBUTE_ANY 0u       /* as it comes: partition by partition, no exchange */
#define WEIR_DISTRIBUTE_HASHED 1u    /* rows with equal key columns in one group */
#define WEIR_DISTRIBUTE_SINGLE 2u    /* all rows in one place, in order (group 0) */
#define WEIR_DISTRIBUTE_PARTITION 3u /* a whole visible partition in one lane, in order, also
                                        empty ones (glom, map_partitions) */

struct weir_input {
    uint32_t size;
    uint32_t form;              /* WEIR_FORM_… of the stream */
    const char *name;           /* instance or alias */
    const struct ArrowSchema *schema; /* valid with the instance */
    const uint32_t *key_columns; /* of an upsert stream */
    uint32_t n_key_columns;
    uint32_t slide;             /* in triggers, at least 1 */
    uint32_t watermarked;       /* 1 where an event-time column is known */
    int32_t time_column;        /* its number, or -1 */
    int64_t delay_us;           /* of the watermark that made it so (the greatest of several) */
    uint64_t time_columns;      /* bit c: column c is event time, or a window of it. Behind a join
                                   there may be several; time_column is one of them */
};

struct weir_operator_bind {
    uint32_t size;
    uint32_t n_inputs;
    const struct weir_input *inputs;
    int64_t trigger_us;         /* the job's trigger interval; 0: no interval */
    uint32_t output_mode;       /* WEIR_FORM_… default of the job, 0: not given */
    uint32_t reserved;
};

struct weir_stream {
    const char *name;           /* NULL for the main output; constant of the module */
    uint32_t form;
    uint32_t slide;             /* 0: as the input, and the operator runs when it is its turn */
    struct ArrowSchema schema;  /* moved to the host */
    uint32_t key_columns[16];   /* of an upsert stream */
    uint32_t n_key_columns;
    int32_t time_column;        /* event time carried on; -1: none */
};

struct weir_distribution {
    uint32_t kind;              /* WEIR_DISTRIBUTE_… */
    uint32_t n_columns;
    uint32_t columns[16];       /* of the exchange schema, for HASHED */
    struct ArrowSchema exchange; /* moved; release NULL: the input's schema (no combine side) */
};

struct weir_operator_plan {
    uint32_t size;
    uint32_t n_outputs;         /* 1 to 4; streams[0] is the main one */
    struct weir_stream streams[4];
    struct weir_distribution distribution[16]; /* per input */
    uint32_t partitions;        /* > 0: the output has this many visible partitions (repartition);
                                   the number of a row's is its hash or turn, see `spread` */
    uint32_t spread;            /* with partitions: 0 = row i to i mod n; 1 = hash mod n */
    uint32_t flags;             /* WEIR_PLAN_… */
    uint32_t reserved;
    uint64_t reads[16];         /* with READS_KNOWN: bit c of reads[i]: column c of input i is read;
                                   columns from 63 on share bit 63 */
    int64_t delay_us;           /* of a watermark operator: its delay; carried on by the host */
    uint64_t time_columns[4];   /* per output: further columns of event time, as in weir_input */
    struct ArrowSchema uncombined; /* moved; release NULL: none. A second schema in which combine
                                   may emit rows of input 0; its distribution has the same
                                   columns */
    const char *const *conjuncts; /* valid with the instance. Conditions (weir_expr_table.simple) on
                                   input 0: a row for which one is not true has no effect here, so
                                   whoever makes the rows may leave it out */
    uint32_t n_conjuncts;
    uint32_t reserved_2;
};

#define WEIR_PLAN_TICKING 1u         /* must run in every tick of the grid */
#define WEIR_PLAN_ALL_GROUPS 2u      /* groups with state run also without rows */
#define WEIR_PLAN_NONDETERMINISTIC 4u /* these options make it so, whatever the capability says */
#define WEIR_PLAN_READS_KNOWN 8u     /* `reads` is filled: other columns need not be there */
#define WEIR_PLAN_PASSES 16u         /* output columns that have the name of an input's column are
                                        that column, passed on; they are read only if somebody
                                        behind this operator reads them */
#define WEIR_PLAN_TIMELESS 32u       /* state does not wait for a later watermark: no batch without
                                        rows because of one (complete mode) */
#define WEIR_PLAN_ANY_MODE 256u      /* its state may stand behind rows that replace earlier ones,
                                        and behind what is made of them; of others a check refuses
                                        it */
#define WEIR_PLAN_APPENDS 512u       /* the job's author says that its rows are final: in a job in
                                        output_mode update only an aggregation makes changing ones
                                        of them, so there has to be one between it and each sink */
#define WEIR_PLAN_UPDATES 1024u      /* … that its rows replace earlier ones: no state stands behind
                                        them (but of WEIR_PLAN_ANY_MODE), and in a job with an
                                        output_mode no aggregation is in the same query */
#define WEIR_PLAN_AGGREGATES 2048u   /* an aggregation over all rows so far: in a job in output_mode
                                        update or complete there is one on the way to a sink */
#define WEIR_PLAN_OUTPUTS_ASKED 4096u /* outputs behind the main one are there because options ask
                                        for them: the check warns of one that nobody reads */
#define WEIR_PLAN_FIRST_ALL 128u     /* all key groups run in the first batch of the checkpoint,
                                        also without rows (state to begin with) */

struct weir_state; /* a group's state of this operator: see state.h; NULL without tables */

struct weir_begin {
    uint32_t size;
    uint32_t partition;         /* the key group; before an exchange a number made of the name of
                                   the partition */
    uint64_t batch;
    int64_t time_us;            /* T */
    int64_t late_us;            /* W(n-1) of this operator, or WEIR_WATERMARK_NONE */
    int64_t evict_us;           /* W(n) of this operator; in combine lanes NONE */
    struct weir_state *state;   /* valid until advance returned */
    uint32_t absent;            /* bit i: input i is absent in this batch */
    uint32_t first;             /* 1 in the first batch of the checkpoint; in the first turn of an
                                   operator that runs in the turns of its input */
    int64_t zero_us;            /* ticking jobs: T of batch k of the grid is zero_us +
                                   k·trigger_us */
    int64_t trigger_us;         /* 0: there is no grid, and zero_us means nothing */
    uint32_t outputs;           /* bit k: somebody takes output k, as far as the host can tell */
    uint32_t segment;           /* number within partition and batch; 0 behind an exchange */
    uint64_t seed;              /* of the job: chance comes from it and batch, partition, segment
                                   and the number of the row in the lane */
};

/* Event times of the rows of a batch; sums are sum_s seconds and sum_us microseconds, so that they
 * are exact in any order. */
struct weir_event_times {
    uint64_t count;             /* 0: nothing else means anything */
    int64_t least, greatest;    /* in microseconds */
    int64_t sum_s, sum_us;
};

struct weir_operator {
    uint32_t size;
    uint32_t reserved;

    /* Purpose, thread, ownership, classes, failure: as weir_source.create. */
    int32_t (*create)(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error);

    /* Purpose, thread, ownership, classes, failure: as weir_source.destroy. */
    void (*destroy)(void *self);

    /* Purpose: outputs, distribution and (by weir.state/1 declare) tables; compiles expressions.
     * Thread and state: [control], once, after create; no I/O.
     * Ownership: `in` is borrowed; the schemas in `out` are moved to the host.
     * Returns: OK; CONFIG with error.option; FATAL.
     * On failure: the check reports it. */
    int32_t (*bind)(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error);

    /* Purpose: scratch of one lane. `context` is the lane's ticket for emit, reject, eval.
     * Thread and state: [control], after bind.
     * Ownership: *lane is the host's to destroy with lane_destroy (may stay NULL).
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

    /* Purpose: a batch begins in this lane. Optional.
     * Thread and state: [worker].
     * Ownership: `in` is borrowed until advance (combine_end) returned.
     * Returns: OK; DATA; FATAL.
     * On failure: the host ends the batch; the lane may begin again. */
    int32_t (*begin)(void *self, void *lane, const struct weir_begin *in, struct weir_error *error);

    /* Purpose: rows of an input, in order.
     * Thread and state: [worker], between begin and advance.
     * Ownership: the chunk is borrowed.
     * Returns: OK; the class of emit or reject; DATA; FATAL.
     * On failure: the host ends the batch. */
    int32_t (*process)(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error);

    /* Purpose: an input has ended for this batch. Optional.
     * Thread and state, ownership, returns, failure: as process. */
    int32_t (*end_input)(void *self, void *lane, uint32_t input, struct weir_error *error);

    /* Purpose: all inputs have ended: emit what is due, evict by begin's evict_us, fire timers.
     * Thread and state: [worker], last call of a batch. Optional.
     * Ownership: none.
     * Returns: as process.
     * On failure: the host ends the batch. */
    int32_t (*advance)(void *self, void *lane, struct weir_error *error);

    /* Purpose: rows of an input before the exchange: the combine side, see the top of this file.
     *   NULL together with combine_end: no combine side.
     * Thread and state, ownership, returns, failure: as process. */
    int32_t (*combine)(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error);

    /* Purpose: the end of a segment (or key group) of an input on the combine side: emits what is
     *   held back.
     * Thread and state, ownership, returns, failure: as process. */
    int32_t (*combine_end)(void *self, void *lane, uint32_t input, struct weir_error *error);

    /* Purpose: the watermark behind this operator, from those of its inputs. Pure. Optional: the
     *   least input.
     * Thread and state: [any], after bind.
     * Ownership: borrowed.
     * Returns: a watermark, or WEIR_WATERMARK_NONE.
     * On failure: can't fail. */
    int64_t (*output_watermark)(void *self, const int64_t *inputs, uint32_t n_inputs);

    /* Purpose: event times seen by a watermark operator: the greatest of the batch in this lane
     *   minus its delay, or WEIR_WATERMARK_NONE. Optional.
     * Thread and state: [worker], after advance (or after the last process of the batch).
     * Ownership: none.
     * Returns: the watermark that this lane proposes.
     * On failure: can't fail. */
    int64_t (*lane_watermark)(void *self, void *lane);

    /* Purpose: the event times that a watermark operator saw in this batch, for progress. Optional.
     * Thread and state: [worker], after advance (or after the last process of the batch).
     * Ownership: *out is the host's.
     * Returns: nothing; count 0 where there were none.
     * On failure: can't fail. */
    void (*lane_event_times)(void *self, void *lane, struct weir_event_times *out);
};

#ifdef __cplusplus
}
#endif
#endif
