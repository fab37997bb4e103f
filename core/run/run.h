/*
 * run.h - a running job: public calls, and the structs that the rooms of run/ share.
 *
 *   batch.c       the loop: read → plan → process → deliver → checkpoint → commit
 *   trigger.c     when a batch opens and closes, and its T
 *   watermark.c   the watermark, and what each operator makes of it
 *   counters.c    what instances count
 *   rate.c        PID rate control
 *   memory.c      the shares of the memory limit
 *   read.c        sources: readers, partitions, replay
 *   read_segment.c  what a worker does with a stretch of a partition
 *   pipe.c        lanes: chunks through operators up to the leaves; emit
 *   fits.c        does a job fit its checkpoint?
 *   exchange.c    rows to key groups and back together
 *   stage.c       operators with a distribution, group by group
 *   deliver.c     sinks on their threads
 *   spooled.c     rows that are logged with STATE and delivered from the log
 *   checkpoint.c  PLAN, STATE, DONE, JOB; positions; recovery; retention
 *   reject.c      bad rows and dead letters
 *   replan.c      a pending batch under another job
 *   run.c         start and end
 *
 * Threads. The coordinator owns everything but: a segment while its task runs (that worker), a pipe and its
 * outboxes while its task runs, a sink while its task runs (that sink's thread), the log (its thread). Counters
 * marked atomic are changed by any of them.
 */
#ifndef WEIR_CORE_RUN_H
#define WEIR_CORE_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/data/chunk.h"
#include "core/log/record.h"
#include "core/plan/plan.h"
#include "core/run/counters.h"

#define RUN_GROUPS 256u
#define SEGMENT_RECORDS 65536u
#define UNLIMITED 9000000000000000000ll /* a budget of records: reserving adds to it */

struct run;
struct batch;
struct pipe;

/* ---- rows on their way ---- */

/* Rows of one chunk, by unit of the consumer: rows perm[offsets[u]] … of unit u. offsets NULL: all rows go to unit 0 in the
 * chunk's own order; perm NULL with offsets: the chunk's rows are sorted by unit already. */
struct packet {
    struct weir_chunk *chunk;
    uint32_t *offsets; /* RUN_GROUPS + 1 entries, mem_alloc'ed, perm behind them */
    const uint32_t *perm;
};

/* What a pipe handed to one of its leaves, in order. */
struct outbox {
    struct packet *packets;
    uint32_t n, capacity;
    uint64_t rows, bytes;
    /* chunks that exchange_scatter has not scattered yet; none behind exchange_flush */
    struct weir_chunk **waiting;
    uint32_t n_waiting, waiting_room;
    uint64_t waiting_rows, waiting_bytes;
};

void outbox_fini(struct outbox *box);
int32_t outbox_add(struct outbox *box, struct packet packet); /* moves the packet, also on failure */
int32_t outbox_move(struct outbox *to, struct outbox *from);  /* appends all of `from`, which is empty then */

/* ---- lanes and pipes ---- */

struct lane {
    struct weir_context context; /* its owner is the lane */
    struct pipe *pipe;
    struct plan_node *node;      /* operator, or source (decode) */
    const struct ArrowSchema *schemas[4]; /* of the outputs */
    uint32_t n_outputs;
    int32_t links[4];            /* first step of the pipe per output */
    int32_t leaf;                /* combine lanes: their leaf's step; else -1 */
    void *self;                  /* the plugin's */
    struct weir_begin begin;
    uint32_t begun;
    const struct weir_chunk *current; /* chunk under way, for rejects */
};

/* The operators behind an origin, for one segment or one unit at a time. */
struct pipe {
    struct run *run;
    struct plan_node *origin;
    struct lane *lanes;      /* one per step; leaves with a combine side have one as well */
    struct lane decode;      /* sources with a format */
    struct outbox *outboxes; /* one per leaf */
    struct batch *batch;
    uint32_t partition;      /* for begin and chance */
    uint32_t segment;         /* number of the segment that runs here; 0 behind an exchange */
    const char *partition_name;
    /* of the rows under way, for dead letters: where the block that they came in begins, and the block
     * itself while it is decoded (else NULL) */
    struct weir_bytes position;
    const struct ArrowArray *raw;
    struct rejects *rejects;
    uint64_t rows_in, rows_bad;
    int64_t watermark;       /* greatest proposal of its lanes */
    const struct plan_node *failed; /* the operator whose call failed in this batch; NULL: none */
    struct pipe *next;       /* in the pool */
};

struct pipe *pipe_take(struct run *run, struct plan_node *origin, struct weir_error *error);
void pipe_give(struct pipe *pipe); /* back to the pool; outboxes must have been moved away */
void pipe_destroy(struct pipe *pipe);
int32_t pipe_begin(struct pipe *pipe, struct batch *batch, uint32_t partition, const char *name,
                   struct weir_error *error);
/* Pushes a chunk (borrowed) to the readers of output `output` of the origin. */
int32_t pipe_push(struct pipe *pipe, uint32_t output, struct weir_chunk *chunk,
                  struct weir_error *error);
int32_t pipe_decode(struct pipe *pipe, const struct ArrowArray *raw, struct weir_error *error);
int32_t pipe_end(struct pipe *pipe, struct weir_error *error);
/* Lane of an origin that is an operator: its emissions go to pipes[0] (or are spread over n_pipes). */
struct origin_lane {
    struct lane lane;
    struct pipe **pipes;
    uint32_t n_pipes;
    uint64_t spread_row;
    struct origin_lane *next; /* in the pool */
};
extern const struct context_ops run_ops;        /* lanes */
extern const struct context_ops run_origin_ops; /* lanes of origin operators */
int32_t lane_init(struct run *run, struct lane *lane, struct plan_node *node,
                  const struct context_ops *ops, struct weir_error *error);
void lane_fini(struct lane *lane);
/* Makes the chunk of an emission and checks it. NULL chunk with OK: no rows. */
int32_t emission_chunk(struct lane *lane, const struct weir_emission *emission,
                       struct weir_chunk **out, struct weir_error *error);

/* ---- exchange ---- */

/* Rows of a chunk to the units of consumer `node`, input `input`. */
int32_t exchange_scatter(struct run *run, const struct plan_node *node, uint32_t input,
                         struct weir_chunk *chunk, struct outbox *box, struct weir_error *error);
/* Scatters those that wait for more; due before the outbox is moved away. */
int32_t exchange_flush(struct run *run, const struct plan_node *node, uint32_t input,
                       struct outbox *box, struct weir_error *error);
/* The rows of a packet that are unit u's, as a chunk of their own (compact: without selection). NULL with OK: none. */
int32_t exchange_slice(const struct packet *packet, uint32_t unit, int compact,
                       struct weir_chunk **out, struct weir_error *error);
/* Asks memory for what exchange_slice will show: each slice is a stretch of its own, whose first lines the machine does
 * not foresee. */
void exchange_prefetch(const struct packet *packet, uint32_t unit);
uint32_t packet_rows(const struct packet *packet, uint32_t unit);

/* ---- sources ---- */

#define LONG_RECORD_KEPT 1024u

struct long_record { /* one over max_record: what is kept of it */
    struct long_record *next;
    uint32_t length;
    uint8_t bytes[LONG_RECORD_KEPT];
    uint8_t *position; uint64_t position_length; /* it begins there, or behind */
};

struct block { /* one answer of next */
    struct ArrowArray array;
    uint64_t records;
    uint8_t *position; uint64_t position_length; /* where it begins */
};

struct reader;

struct segment {
    struct weir_task task;
    struct weir_task done; /* posted to the coordinator */
    struct reader *reader;
    struct source *source;
    struct batch *batch;
    struct pipe *pipe;     /* while open */
    struct rejects *rejects;
    uint64_t rows_in, rows_bad;
    uint64_t bytes;        /* of blocks not yet processed */
    uint64_t counted;      /* of its pipe's outboxes, in run->in_flight already */
    struct outbox *outboxes;
    struct block *blocks;
    uint32_t n_blocks, capacity;
    struct long_record *long_records; /* to be rejected */
    uint64_t records;      /* so far */
    uint32_t number;       /* within partition and batch */
    int may_read;          /* 1: has the reader's token */
    int finish;            /* 1: end it after what it has */
    int32_t result;
    struct weir_error error;
    int away;              /* `next` answered RETRY: the reader waits */
    struct weir_error away_error;
    int64_t again_at;      /* mono: an operator's `begin` answered RETRY, its blocks are kept */
    struct segment *again; /* in run->again */
    struct segment *next;
};

/* One partition of a source. */
struct reader {
    struct run *run;
    struct source *source;
    struct plan_node *node;
    char *name;
    uint32_t index;
    int known;      /* named by `partitions` now */
    int final;      /* ended, and its source will never name another one */
    int ended;
    uint8_t *position; uint64_t position_length; /* where reading goes on */
    uint8_t *committed; uint64_t committed_length; /* behind the last batch with a STATE */
    int committed_ended;
    uint32_t rank; /* in the list of partitions */
    int was_known;
    /* of the batch that is being read */
    uint8_t *from; uint64_t from_length;
    uint64_t rows, bytes;
    int moved, absent;
    struct segment *first, *last, *open;
    atomic_int tasks;
    int pending;      /* answered PENDING or RETRY: waits for a wake */
    int away;         /* it was RETRY: there may be more to read now */
    int starved;      /* found nothing left of the budget while others had parts of it reserved */
    int stopped;      /* wants no more of this batch (limit, BATCH_END, absent, ended) */
    atomic_int woken;
    struct weir_buffer spool; /* of this batch: {records u64, weir.block/1} …; see SPOOL_LONG */
    /* replay */
    struct weir_bytes replay_to;
    const struct record_move *replay;
    uint64_t replay_at; /* in spool */
    uint64_t replay_bytes; /* of records that came from it */
};

struct source {
    struct run *run;
    struct plan_node *node;
    struct reader **readers; /* in the order of `partitions` */
    uint32_t n_readers;
    uint32_t next_index;
    uint32_t n_known;
    int listed;
    int relist;             /* woken: partitions may be others now */
    int spooled;
    int opened;
    atomic_llong budget;    /* records left in this batch, without those reserved */
    atomic_ullong portion;  /* bytes that a segment reads before it processes them */
    atomic_llong reserved;  /* of the budget, by calls of `next` under way */
    double rate;            /* of rate control, 0: none */
    struct rate *pid;
    uint64_t rows_total;
    atomic_llong wake_at;   /* mono, INT64_MAX: none */
    pthread_mutex_t one_next; /* held around `next` where one call at a time is promised */
    struct weir_task wake_task;
    atomic_int woken;
};

/* ---- a batch ---- */

/* What a partition contributed to a batch. */
struct move {
    struct source *source;
    char *partition;
    uint8_t *from, *until;
    uint64_t from_length, until_length;
    uint64_t rows, bytes;
    int ended;
    struct weir_buffer spool;
    struct extent extent; /* of the spool, once written */
    int written;
};

struct unit_result { /* outboxes of one unit of an origin */
    struct outbox *leaves;
    struct rejects *rejects;
    uint64_t rows_in, rows_bad;
    char *name;
};

struct origin_result {
    struct unit_result *units;
    uint32_t n_units;
    uint32_t visible; /* partitions that a user sees */
    int absent;
};

struct batch {
    struct run *run;
    uint64_t id;
    int64_t time_us;
    int64_t late_us, evict_us; /* W(n-1), W(n) */
    int64_t opened_mono;
    int64_t tick_us;           /* ticking: closes at this wall time; INT64_MIN */
    int polled;                /* ticking: asked once more after its tick */
    int64_t closes_mono;       /* reading ends then; INT64_MAX */
    atomic_int closing;
    atomic_ullong bytes, rows; /* read */
    atomic_ullong in_flight;   /* its share of run->in_flight, until it is destroyed */
    int replay;
    int planned;               /* its PLAN is in the log */
    int empty;                 /* nothing was read */
    struct origin_result *origins; /* by node index */
    struct rejects *rejects;
    int64_t *watermarks;       /* by node index: proposals */
    int64_t *late, *evict;     /* by node index: W(n-1), W(n) of each (watermark_spread) */
    struct counters *counters; /* by node index; under the lock */
    struct weir_event_times *event_times; /* by node index; under the lock */
    int *absent;               /* by node index: its outputs are absent */
    uint64_t rows_in, rows_bad;
    atomic_ullong *seen;       /* by node index: rows that came to it */
    struct move *moves;
    uint32_t n_moves;
    const struct record_plan *plan; /* of a replay */
    int64_t started_mono;      /* processing began */
    uint64_t *sink_rows;
    int32_t result;            /* first failure of a task */
    struct weir_error error;
    char where[128];
};

/* ---- sinks ---- */

/* Rows of one batch for one sink; extents of the output spool where they are logged. */
struct spooled {
    uint64_t batch;
    int64_t time_us;
    uint32_t partitions;
    struct extent *extents; uint32_t n;
    uint64_t bytes; /* of the extents */
};

struct sink {
    struct run *run;
    struct plan_node *node;
    struct weir_context context;
    struct weir_exec *exec;
    struct weir_task task, done;
    struct weir_identity identity;
    void *format_lane;
    int phase;              /* what the task does */
    int busy;
    int opened;
    int32_t result;
    struct weir_error error;
    struct weir_chunk **chunks; uint32_t n_chunks; /* of the batch being delivered */
    struct spooled output;  /* that batch */
    uint32_t n_logged;      /* chunks that stand in output's extents */
    int from_log;           /* it gets its rows after STATE, which names their extents */
    int owed;               /* STATE names rows for it that it has not finished */
    int drains;             /* its rows are read from output's extents, not from chunks */
    struct spooled *recovered_outputs; uint32_t n_recovered_outputs; /* owed at the start */
    struct weir_buffer committable;
    uint64_t committable_batch;
    int has_committable;
    struct weir_committable *recovered; uint32_t n_recovered;
    uint32_t outcome;
    uint64_t rows_total;
    int64_t retry_at;
    uint32_t attempts;
};

/* ---- the run ---- */

/* For tests, all [control]; each may be NULL. */
struct run_hooks {
    /* Nothing can happen before `until_mono` (INT64_MAX: for ever) unless somebody outside acts: return 1 to stop the
     * job. NULL: wait. */
    int (*idle)(void *arg, const struct run *run, int64_t until_mono);
    /* PLAN(n) is durable, nothing more. Not for a batch that is run again. */
    void (*plan_done)(void *arg, uint64_t batch);
    /* STATE(n) is durable, no commit of n was sent. */
    void (*state_done)(void *arg, uint64_t batch);
    /* After STATE(n) and all commits of n. */
    void (*batch_done)(void *arg, const struct run *run, uint64_t batch);
    void *arg;
};

struct run_options {
    uint32_t workers;        /* 0: the job's, else the cores */
    uint64_t max_batches;    /* 0: no limit; then stops as after SIGTERM */
    uint32_t chunk_rows;     /* in tests: chunks of sources and stages are cut to so many rows; 0: not */
    int replan;              /* a pending batch runs under this job, not under the one that planned it */
    int replan_anyway;       /* also where sinks may see rows twice */
    const char *const *drop; uint32_t n_drop; /* instances whose state is dropped */
    struct run_hooks hooks;
};

struct run_summary {
    uint64_t batches, rows_in, rows_out, rows_rejected, rows_late;
    uint64_t first_batch, last_batch;
    int exit_status;
    char *json; /* all of it, by instance; the caller frees it. NULL where the job did not start */
};

struct run {
    struct weir_sys *sys;
    struct registry *registry;
    struct journal *journal;
    const struct job *job;
    struct plan *plan;
    const struct run_options *options;
    struct weir_exec *workers, *log_exec;
    uint32_t n_workers;
    struct pipe **pools;     /* by node index: free pipes */
    struct origin_lane **origin_pools; /* by node index: free lanes */
    void *pool_lock;         /* pthread_mutex_t */
    struct source *sources; uint32_t n_sources;
    struct sink *sinks; uint32_t n_sinks;
    struct checkpoint *checkpoint; /* NULL without one */
    int64_t zero_us;         /* ticking: origin of the grid */
    int64_t interval_us;     /* 0: none */
    int64_t opened_wall;     /* when the last batch was opened; INT64_MIN: none yet */
    uint64_t hash_seed;
    char job_id[40];         /* "" in a check that can not read the checkpoint */
    uint64_t next_batch;     /* id of the next batch to open */
    int64_t last_time_us;    /* T of the last batch */
    int64_t watermark_us;    /* W(next), global */
    int64_t next_watermark_us; /* what STATE of the batch under way records */
    int64_t previous_watermark_us;
    int64_t *watermarks;     /* by node index */
    int64_t *spread;         /* room of watermark_spread, twice */
    struct counters *counters; /* by node index */
    struct weir_event_times *event_times; /* by node index: of the last batch */
    int stopping;            /* 1: drain, 2: now */
    int64_t drain_until;     /* mono: a drain that is not through by then stops now; INT64_MAX */
    int failed;
    int opened_all;          /* every sink is open */
    int only_pending;        /* it ends after the pending batch; no state is dropped before that */
    int checks;              /* it ends before anything is changed, see check_job */
    void (*planned)(void *arg, const struct plan *plan); /* a check: NULL, or who wants the plan */
    void *planned_arg;
    int owed_are_settled;    /* a check: the logged job would have finished what sinks have not got */
    int exit_status;
    struct weir_error error;
    char error_where[128];
    struct batch *reading;   /* the batch that sources read for */
    struct segment *again;   /* segments whose blocks wait for another try; they count as tasks */
    int whole_partitions;    /* some operator sees empty partitions */
    uint64_t batch_bytes;    /* a batch ends after so many bytes read */
    uint64_t in_flight_limit, state_limit; /* bytes: shares of memory_limit */
    int state_warned;
    atomic_ullong in_flight;
    uint64_t *rejected_by_node;
    struct reasons *reasons; /* why, over the whole run */
    struct run_summary summary;
};

/* Runs a job to its end. Returns the exit status (sysexits). The report gets what the start refuses. [the thread
 * that made sys] */
int run_job(struct weir_sys *sys, const struct job *job, struct registry *registry,
            struct journal *journal, const struct run_options *options, struct report *report,
            struct run_summary *summary);

/* The start of run_job up to where it would change something: nothing is locked, written or opened, and the job may be
 * running. All that the start would refuse goes to the report, else to the journal. `planned` gets the plan, if there is
 * one and it is not NULL. Returns the exit status that the start would give. [the thread that made sys] */
int check_job(struct weir_sys *sys, const struct job *job, struct registry *registry,
              struct journal *journal, const struct run_options *options, struct report *report,
              void (*planned)(void *arg, const struct plan *plan), void *arg);

/* Fails the run with a class of the error; the first failure wins. */
void run_fail(struct run *run, const char *where, const struct weir_error *error);
/* Notes signals: a first one drains, a second one, or the end of the time for that, stops now. All
 * hangups of a terminal count as one. */
void run_signals(struct run *run);
/* What the coordinator waits with: runs callbacks, at least one or until `until_mono` (INT64_MAX: none), notes signals
 * and keeps the time that a drain has. Returns the number of callbacks. */
int run_wait(struct run *run, int64_t until_mono);
/* Runs callbacks until `ready(arg)` or the run has to stop now; 1: ready. */
int run_await(struct run *run, int (*ready)(void *arg), void *arg, int64_t deadline_mono);

#endif
