/*
 * deliver.c - sinks: each on a thread of its own, one call of this file's `work` at a time.
 *
 * The coordinator starts the same phase on every sink and waits for all of them, so that one failing sink does
 * not keep the others from being tried. A sink that answers RETRY gets the phase again after a
 * delay (for a batch: abort, then the same rows from the beginning); this is the policy `hold`.
 * While sinks take their rows the tables, which don't change any more, are captured.
 *
 * A sink that is not two-phase has seen the rows of a batch before STATE(n), so a replay must give it the same rows
 * again. Where an operator before it is not deterministic, it gets them only after STATE(n), which names a copy of
 * them in the output spool (from_log); a restart without DONE(n, sink) delivers that copy.
 */
#include "core/run/deliver.h"

#include <stdlib.h>

#include "core/run/checkpoint.h"
#include "core/run/spooled.h"
#include "core/sys/planted.h"

#define RETRY_FIRST_US 200000
#define RETRY_MOST_US 6400000

#define PHASE_OPEN 1
#define PHASE_RECOVER 2
#define PHASE_BATCH 3
#define PHASE_COMMIT 4
#define PHASE_CLOSE 5

#define SMALL_ROWS 1024u
#define MERGED_ROWS 8192u

static const struct weir_sink *table_of(const struct sink *sink)
{
    return sink->node->component->table;
}

/* ---- the contexts of sinks ---- */

static const struct weir_format *format_of(const struct sink *sink)
{
    return sink->node->format ? sink->node->format->table : NULL;
}

static int32_t sink_encode(struct weir_context *context, const struct weir_chunk *chunk,
                           uint32_t flags, struct weir_buffer *out, struct weir_error *error)
{
    struct sink *sink = context->owner;
    const struct weir_format *format = format_of(sink);
    if (!format) return weir_fail(error, WEIR_UNSUPPORTED, "the sink has no format");
    if (!sink->format_lane && format->lane_create) {
        int32_t result = format->lane_create(sink->node->format_self, &sink->node->format_context,
                                             &sink->format_lane, error);
        if (result != WEIR_OK) return result;
    }
    return format->encode(sink->node->format_self, sink->format_lane, chunk, flags, out, error);
}

static const char *sink_extension(struct weir_context *context)
{
    const struct weir_format *format = format_of(context->owner);
    return format && format->extension ? format->extension : "";
}

static int32_t sink_bind_encode(struct weir_context *context, const struct ArrowSchema *schema,
                                struct weir_error *error)
{
    (void)context;
    (void)schema;
    return weir_fail(error, WEIR_UNSUPPORTED, "the format is bound when the job is planned");
}

static int32_t sink_cancelled(struct weir_context *context)
{
    const struct sink *sink = context->owner;
    return sink->run->stopping > 1 || sink->run->failed;
}

const struct context_ops sink_ops = { .encode = sink_encode,
                                      .extension = sink_extension,
                                      .bind_encode = sink_bind_encode,
                                      .cancelled = sink_cancelled };

/* ---- rows for a sink ---- */

static int32_t list_add(struct sink *sink, struct weir_chunk *chunk)
{
    struct weir_chunk **chunks =
        realloc(sink->chunks, (sink->n_chunks + 1) * sizeof *sink->chunks);
    if (!chunks) {
        chunk_release(chunk);
        return WEIR_FATAL;
    }
    sink->chunks = chunks;
    chunks[sink->n_chunks++] = chunk;
    return WEIR_OK;
}

static int32_t add_view(struct sink *sink, struct batch *batch, struct weir_chunk *chunk,
                        uint32_t partition, struct weir_error *error)
{
    struct weir_chunk *view;
    if (chunk->selection && !(sink->node->component->capabilities & WEIR_CAP_SELECTION)) {
        struct weir_chunk *whole = chunk_compact(chunk, error);
        view = whole ? chunk_view(whole, NULL, whole->selected, 0) : NULL;
        chunk_release(whole);
    } else {
        view = chunk_view(chunk, chunk->selection, chunk->selected, 1);
    }
    if (!view) return weir_fail(error, WEIR_FATAL, "out of memory");
    view->batch = batch->id;
    view->partition = partition;
    return list_add(sink, view) == WEIR_OK ? WEIR_OK
                                           : weir_fail(error, WEIR_FATAL, "out of memory");
}

/* Many small chunks of one partition become one. */
static int32_t add_merged(struct sink *sink, struct batch *batch, struct weir_chunk **chunks,
                          uint32_t n, uint32_t partition, struct weir_error *error)
{
    const struct ArrowSchema *schema = &sink->node->inputs[0]->schema;
    if (n == 0) return WEIR_OK;
    if (n == 1) return add_view(sink, batch, chunks[0], partition, error);
    const struct ArrowArray **arrays = calloc(n, sizeof *arrays);
    const uint32_t **selections = calloc(n, sizeof *selections);
    uint32_t *counts = calloc(n, sizeof *counts);
    struct ArrowArray merged = { 0 };
    int32_t result = WEIR_FATAL;
    if (arrays && selections && counts) {
        for (uint32_t i = 0; i < n; i++) {
            arrays[i] = chunks[i]->array;
            selections[i] = chunks[i]->selection;
            counts[i] = chunks[i]->selected;
        }
        result = array_concat(schema, arrays, selections, counts, n, &merged, error);
    }
    free(arrays);
    free(selections);
    free(counts);
    if (result != WEIR_OK) return weir_fail(error, WEIR_FATAL, "out of memory");
    struct weir_chunk *chunk = chunk_create(schema, &merged, NULL, 0);
    if (!chunk) return weir_fail(error, WEIR_FATAL, "out of memory");
    chunk->batch = batch->id;
    chunk->partition = partition;
    return list_add(sink, chunk) == WEIR_OK ? WEIR_OK
                                            : weir_fail(error, WEIR_FATAL, "out of memory");
}

struct merge {
    struct weir_chunk *chunks[64];
    uint32_t n, rows, partition;
};

static int32_t merge_flush(struct sink *sink, struct batch *batch, struct merge *merge,
                           struct weir_error *error)
{
    int32_t result = add_merged(sink, batch, merge->chunks, merge->n, merge->partition, error);
    merge->n = merge->rows = 0;
    return result;
}

static int32_t add_chunk(struct sink *sink, struct batch *batch, struct merge *merge,
                         struct weir_chunk *chunk, uint32_t partition, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    if (merge->n && (merge->partition != partition || merge->n == 64 ||
                     merge->rows + chunk->selected > MERGED_ROWS))
        result = merge_flush(sink, batch, merge, error);
    if (result != WEIR_OK) return result;
    if (chunk->selected < SMALL_ROWS) {
        merge->partition = partition;
        merge->rows += chunk->selected;
        merge->chunks[merge->n++] = chunk;
        return WEIR_OK;
    }
    result = merge_flush(sink, batch, merge, error);
    return result == WEIR_OK ? add_view(sink, batch, chunk, partition, error) : result;
}

static int32_t collect_rows(struct sink *sink, struct batch *batch, struct weir_error *error)
{
    const struct plan_node *node = sink->node;
    struct merge merge = { .n = 0 };
    uint32_t base = 0;
    int32_t result = WEIR_OK;
    for (uint32_t p = 0; p < node->n_ports; p++) {
        const struct origin_result *from = &batch->origins[node->ports[p].origin->index];
        for (uint32_t u = 0; u < from->n_units; u++) {
            const struct outbox *box = &from->units[u].leaves[node->ports[p].slot];
            uint32_t partition = base + (from->visible == from->n_units ? u : 0);
            for (uint32_t i = 0; i < box->n && result == WEIR_OK; i++)
                result = add_chunk(sink, batch, &merge, box->packets[i].chunk, partition, error);
        }
        base += from->visible;
    }
    if (result == WEIR_OK) result = merge_flush(sink, batch, &merge, error);
    sink->output.batch = batch->id;
    sink->output.time_us = batch->time_us;
    sink->output.partitions = base;
    for (uint32_t i = 0; i < sink->n_chunks; i++)
        batch->sink_rows[node->index] += sink->chunks[i]->selected;
    return result;
}

static void drop_rows(struct sink *sink)
{
    for (uint32_t i = 0; i < sink->n_chunks; i++) chunk_release(sink->chunks[i]);
    free(sink->chunks);
    sink->chunks = NULL;
    sink->n_chunks = sink->n_logged = 0;
    spooled_fini(&sink->output);
}

/* ---- on the thread of the sink ---- */

static int32_t write_logged(void *arg, struct weir_chunk *chunk, struct weir_error *error)
{
    struct sink *sink = arg;
    return table_of(sink)->write(sink->node->self, chunk, error);
}

static int32_t write_rows(struct sink *sink, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    if (!sink->drains) {
        for (uint32_t i = 0; i < sink->n_chunks && result == WEIR_OK; i++)
            result = table_of(sink)->write(sink->node->self, sink->chunks[i], error);
        return result;
    }
    struct log *log = checkpoint_log(sink->run->checkpoint);
    for (uint32_t i = 0; i < sink->output.n && result == WEIR_OK; i++)
        result = spooled_read(log, &sink->output.extents[i], &sink->node->inputs[0]->schema,
                             write_logged, sink, error);
    return result;
}

static int32_t work_batch(struct sink *sink, struct weir_error *error)
{
    const struct weir_sink *table = table_of(sink);
    void *self = sink->node->self;
    struct weir_sink_batch batch = { .size = sizeof batch,
                                     .partitions = sink->output.partitions,
                                     .batch = sink->output.batch,
                                     .time_us = sink->output.time_us };
    int32_t result = table->begin(self, &batch, error);
    if (result == WEIR_OK) result = write_rows(sink, error);
    sink->committable.length = 0;
    if (result == WEIR_OK)
        result = sink->node->component->level == WEIR_SINK_TWO_PHASE
                     ? table->prepare(self, &sink->committable, error)
                     : table->finish(self, error);
    if (result != WEIR_OK && table->abort) {
        struct weir_error ignored = WEIR_ERROR_INIT;
        table->abort(self, &ignored);
    }
    return result;
}

static int32_t work_commit(struct sink *sink, struct weir_error *error)
{
    const struct weir_sink *table = table_of(sink);
    struct weir_committable committable = { sink->committable_batch,
                                            { sink->committable.data, sink->committable.length } };
    sink->outcome = 0;
    int32_t result = table->commit(sink->node->self, &committable, &sink->outcome, error);
    if (result == WEIR_OK && sink->outcome == WEIR_COMMIT_FAILED)
        return weir_fail(error, WEIR_FATAL, "batch %llu can never be committed",
                         (unsigned long long)committable.batch);
    return result;
}

static int32_t work(struct sink *sink, struct weir_error *error)
{
    const struct weir_sink *table = table_of(sink);
    struct run *run = sink->run;
    switch (sink->phase) {
    case PHASE_OPEN: {
        sink->identity = (struct weir_identity){ .size = sizeof sink->identity,
                                                 .job_name = run->job->name,
                                                 .job_id = run->job_id,
                                                 .sink = sink->node->name };
        return table->open ? table->open(sink->node->self, &sink->identity, error) : WEIR_OK;
    }
    case PHASE_RECOVER:
        return table->recover ? table->recover(sink->node->self, sink->recovered,
                                               sink->n_recovered, run->next_batch, error)
                              : WEIR_OK;
    case PHASE_BATCH: return work_batch(sink, error);
    case PHASE_COMMIT: return work_commit(sink, error);
    default:
        if (table->close) table->close(sink->node->self);
        return WEIR_OK;
    }
}

static void sink_task(struct weir_task *task)
{
    struct sink *sink = (struct sink *)(void *)((char *)task - offsetof(struct sink, task));
    weir_error_init(&sink->error);
    sink->result = work(sink, &sink->error);
    sys_post(sink->run->sys, &sink->done);
}

static void sink_done(struct weir_task *task)
{
    struct sink *sink = (struct sink *)(void *)((char *)task - offsetof(struct sink, done));
    sink->busy = 0;
}

/* ---- phases over all sinks ---- */

static void start(struct sink *sink, int phase)
{
    sink->phase = phase;
    sink->busy = 1;
    sink->task.run = sink_task;
    sink->done.run = sink_done;
    sys_submit(sink->run->sys, sink->exec, &sink->task);
}

static int none_busy(void *arg)
{
    struct run *run = arg;
    for (uint32_t i = 0; i < run->n_sinks; i++)
        if (run->sinks[i].busy) return 0;
    return 1;
}

static void await_sinks(struct run *run)
{
    while (!none_busy(run)) {
        if (run->stopping > 1 || run->failed)
            for (uint32_t i = 0; i < run->n_sinks; i++)
                if (run->sinks[i].busy && table_of(&run->sinks[i])->cancel)
                    table_of(&run->sinks[i])->cancel(run->sinks[i].node->self);
        run_wait(run, INT64_MAX);
    }
}

static int never(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t retry_option(const struct sink *sink, const char *name, int64_t otherwise)
{
    struct weir_value value = { .size = sizeof value };
    return options_get(sink->node->options, name, &value) == WEIR_OK ? value.integer : otherwise;
}

/* Doubled with each attempt that failed, up to the greatest. */
static int64_t retry_delay(const struct sink *sink)
{
    int64_t delay = retry_option(sink, "retry.delay", RETRY_FIRST_US);
    int64_t most = retry_option(sink, "retry.max_delay", RETRY_MOST_US);
    if (sink->error.retry_after_ms) return (int64_t)sink->error.retry_after_ms * 1000;
    for (uint32_t i = 1; i < sink->attempts && delay < most; i++) delay *= 2;
    return delay < most ? delay : most;
}

/* A sink that may be tried again: 0 where it was often enough. */
static int try_again(struct run *run, struct sink *sink, int64_t batch)
{
    const int64_t most = retry_option(sink, "retry.attempts", 0);
    if (most && sink->attempts + 1 >= most) return 0;
    if (sink->attempts++ == 0 || sink->attempts % 10 == 0)
        journal_add(run->journal, WEIR_LOG_WARN, sink->node->name, batch,
                    "the sink failed, trying again: %s", sink->error.text);
    return 1;
}

/* A sink that returned because it was told to is no failure: the next start does what it left. */
static int was_cancelled(const struct run *run, const struct sink *sink)
{
    return sink->result == WEIR_CANCELLED && (run->stopping > 1 || run->failed);
}

/* Brings every sink of `todo` through the phase, with retries. Where `capture` is given, its tables are captured while
 * the sinks are at work. */
static int32_t phase_run(struct run *run, int phase, char *todo, int64_t batch, struct batch *capture)
{
    for (;;) {
        int64_t delay = 0;
        int32_t failed = WEIR_OK;
        for (uint32_t i = 0; i < run->n_sinks; i++)
            if (todo[i]) start(&run->sinks[i], phase);
        if (capture) failed = checkpoint_capture(run, capture);
        capture = NULL;
        await_sinks(run);
        for (uint32_t i = 0; i < run->n_sinks; i++) {
            struct sink *sink = &run->sinks[i];
            if (!todo[i]) continue;
            if (sink->result == WEIR_OK) {
                todo[i] = 0;
                sink->attempts = 0;
            } else if (was_cancelled(run, sink)) {
                todo[i] = 0;
            } else if (sink->result == WEIR_RETRY && try_again(run, sink, batch)) {
                if (retry_delay(sink) > delay) delay = retry_delay(sink);
            } else {
                if (run->failed) /* the first error is the job's, but none is kept quiet */
                    journal_add(run->journal, WEIR_LOG_ERROR, sink->node->name, batch, "%s",
                                sink->error.text);
                run_fail(run, sink->node->name, &sink->error);
                if (phase == PHASE_OPEN && !run->opened_all) run->exit_status = 73;
                failed = sink->result;
                todo[i] = 0;
            }
        }
        if (failed != WEIR_OK) return failed;
        if (run->stopping > 1 || run->failed) return WEIR_CANCELLED;
        if (delay == 0) return WEIR_OK;
        run_await(run, never, NULL, sys_mono(run->sys) + delay);
        if (run->stopping > 1 || run->failed) return WEIR_CANCELLED;
    }
}

static char *todo_list(const struct run *run)
{
    return calloc(run->n_sinks ? run->n_sinks : 1, 1);
}

int32_t sinks_open(struct run *run)
{
    char *todo = todo_list(run);
    if (!todo) return WEIR_FATAL;
    memset(todo, 1, run->n_sinks);
    int32_t result = phase_run(run, PHASE_OPEN, todo, -1, NULL);
    run->opened_all = result == WEIR_OK;
    for (uint32_t i = 0; i < run->n_sinks; i++) run->sinks[i].opened = 1;
    for (uint32_t i = 0; i < run->n_sinks; i++)
        todo[i] = run->sinks[i].node->component->level == WEIR_SINK_TWO_PHASE;
    if (result == WEIR_OK) result = phase_run(run, PHASE_RECOVER, todo, -1, NULL);
    free(todo);
    return result;
}

int32_t deliver_batch(struct run *run, struct batch *batch)
{
    char *todo = todo_list(run);
    int32_t result = todo ? WEIR_OK : WEIR_FATAL;
    for (uint32_t i = 0; i < run->n_sinks && result == WEIR_OK; i++) {
        struct sink *sink = &run->sinks[i];
        struct weir_error error = WEIR_ERROR_INIT;
        sink->has_committable = 0;
        if (batch->absent[sink->node->index]) continue;
        sink->owed = sink->from_log;
        todo[i] = !sink->from_log || planted(PLANTED_RUN_OUTPUT_EARLY);
        result = collect_rows(sink, batch, &error);
        if (result != WEIR_OK) run_fail(run, sink->node->name, &error);
    }
    if (result == WEIR_OK) result = phase_run(run, PHASE_BATCH, todo, (int64_t)batch->id, batch);
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        struct sink *sink = &run->sinks[i];
        if (!sink->owed) drop_rows(sink);
        sink->has_committable = result == WEIR_OK && !batch->absent[sink->node->index] &&
                                sink->node->component->level == WEIR_SINK_TWO_PHASE;
        sink->committable_batch = batch->id;
    }
    free(todo);
    return result;
}

/* Gives the sinks what STATE names as theirs. */
static int32_t deliver_owed(struct run *run, char *todo, int64_t batch)
{
    for (uint32_t i = 0; i < run->n_sinks; i++) todo[i] = (char)run->sinks[i].owed;
    return phase_run(run, PHASE_BATCH, todo, batch, NULL);
}

int32_t deliver_commit(struct run *run, struct batch *batch)
{
    int64_t id = batch ? (int64_t)batch->id : -1;
    char *todo = todo_list(run);
    if (!todo) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->n_sinks; i++) todo[i] = (char)run->sinks[i].has_committable;
    int32_t result = phase_run(run, PHASE_COMMIT, todo, id, NULL);
    if (result == WEIR_OK) result = deliver_owed(run, todo, id);
    free(todo);
    return result;
}

void deliver_over(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        struct sink *sink = &run->sinks[i];
        if (sink->owed) drop_rows(sink);
        sink->owed = sink->drains = sink->has_committable = 0;
    }
}

void sinks_close(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sinks; i++)
        if (run->sinks[i].exec && run->sinks[i].opened) start(&run->sinks[i], PHASE_CLOSE);
    while (!none_busy(run)) run_wait(run, INT64_MAX);
}

void sink_fini(struct sink *sink)
{
    if (sink->exec) sys_exec_destroy(sink->run->sys, sink->exec);
    const struct weir_format *format = format_of(sink);
    if (sink->format_lane && format->lane_destroy)
        format->lane_destroy(sink->node->format_self, sink->format_lane);
    drop_rows(sink);
    mem_free(sink->committable.data);
    for (uint32_t i = 0; i < sink->n_recovered; i++)
        free((void *)(uintptr_t)sink->recovered[i].bytes.data);
    free(sink->recovered);
    for (uint32_t i = 0; i < sink->n_recovered_outputs; i++)
        spooled_fini(&sink->recovered_outputs[i]);
    free(sink->recovered_outputs);
}
