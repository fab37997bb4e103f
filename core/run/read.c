/*
 * read.c - sources: partitions become readers; which of them read, when a batch has all it will get, and what came of it.
 *
 * A reader that answered PENDING is called again only after a wake, or at the next batch. What its segments do on
 * the workers stands in read_segment.c.
 */
#include "core/run/read.h"

#include <stdlib.h>

#include "core/data/block.h"
#include "core/run/reject.h"
#include "core/run/read_segment.h"

/* ---- the contexts of sources ---- */

static void woken(struct weir_task *task)
{
    struct source *source = (struct source *)(void *)((char *)task - offsetof(struct source,
                                                                             wake_task));
    atomic_store(&source->woken, 0);
    source->relist = 1;
    for (uint32_t i = 0; i < source->n_readers; i++) source->readers[i]->woken = 1;
}

static void source_wake(struct weir_context *context)
{
    struct source *source = context->owner;
    if (atomic_exchange(&source->woken, 1)) return;
    sys_post(context->sys, &source->wake_task);
}

/* The earliest wish holds: partitions ask for themselves, on any worker. */
static void wake_by(struct source *source, int64_t at_mono)
{
    long long was = atomic_load(&source->wake_at);
    while (at_mono < was && !atomic_compare_exchange_weak(&source->wake_at, &was, at_mono)) {}
}

static void source_wake_after(struct weir_context *context, int64_t delay_us)
{
    wake_by(context->owner, sys_mono(context->sys) + (delay_us > 0 ? delay_us : 0));
}

static int32_t source_cancelled(struct weir_context *context)
{
    const struct run *run = ((struct source *)context->owner)->run;
    return run->stopping > 1 || run->failed;
}

const struct context_ops source_ops = { .wake = source_wake,
                                        .wake_after = source_wake_after,
                                        .cancelled = source_cancelled,
                                        .frame = source_frame };
/* ---- readers ---- */

/* The job ends when nothing is left, so a reader that could not be asked is waited for. */
static int ends_with_the_data(const struct run *run)
{
    return run->job->trigger == TRIGGER_ONCE || run->job->trigger == TRIGGER_AVAILABLE_NOW;
}

int32_t reader_set_position(struct reader *reader, const uint8_t *bytes, uint64_t n)
{
    if (n > WEIR_POSITION_MAX) return WEIR_DATA;
    uint8_t *copy = malloc(n + 1);
    if (!copy) return WEIR_FATAL;
    if (n) memcpy(copy, bytes, n);
    free(reader->position);
    reader->position = copy;
    reader->position_length = n;
    return WEIR_OK;
}

struct reader *reader_get(struct source *source, const char *name, int make)
{
    for (uint32_t i = 0; i < source->n_readers; i++)
        if (strcmp(source->readers[i]->name, name) == 0) return source->readers[i];
    if (!make) return NULL;
    struct reader **readers =
        realloc(source->readers, (source->n_readers + 1) * sizeof *readers);
    if (!readers) return NULL;
    source->readers = readers;
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader || !(reader->name = strdup(name))) {
        free(reader);
        return NULL;
    }
    reader->run = source->run;
    reader->source = source;
    reader->node = source->node;
    reader->index = source->next_index++;
    readers[source->n_readers++] = reader;
    return reader;
}

static void reader_drop_batch(struct reader *reader)
{
    while (reader->first) {
        struct segment *next = reader->first->next;
        segment_free(reader->first);
        reader->first = next;
    }
    reader->last = reader->open = NULL;
    mem_free(reader->spool.data);
    memset(&reader->spool, 0, sizeof reader->spool);
    free(reader->from);
    reader->from = NULL;
    reader->rows = reader->bytes = 0;
    reader->moved = reader->absent = reader->stopped = reader->starved = 0;
    reader->replay = NULL;
    memset(&reader->replay_to, 0, sizeof reader->replay_to);
}

static void reader_free(struct reader *reader)
{
    reader_drop_batch(reader);
    free(reader->name);
    free(reader->position);
    free(reader->committed);
    free(reader);
}

void reader_forget(struct source *source, const char *name)
{
    for (uint32_t i = 0; i < source->n_readers; i++) {
        if (strcmp(source->readers[i]->name, name) != 0) continue;
        reader_free(source->readers[i]);
        memmove(&source->readers[i], &source->readers[i + 1],
                (source->n_readers - i - 1) * sizeof *source->readers);
        source->n_readers--;
        return;
    }
}

void source_fini(struct source *source)
{
    for (uint32_t i = 0; i < source->n_readers; i++) reader_free(source->readers[i]);
    free(source->readers);
    source->readers = NULL;
    source->n_readers = 0;
}

int32_t source_open(struct source *source, struct weir_error *error)
{
    const struct weir_source *table = source->node->component->table;
    source->wake_task.run = woken;
    int32_t result = table->open ? table->open(source->node->self, error) : WEIR_OK;
    source->opened = result == WEIR_OK;
    return result;
}

/* ---- on the coordinator ---- */

#define AGAIN_US 1000000 /* where nobody said when */

static int64_t again_at(const struct run *run, const struct weir_error *error)
{
    return sys_mono(run->sys) +
           (error->retry_after_ms ? (int64_t)error->retry_after_ms * 1000 : AGAIN_US);
}

/* What was read before `next` answered RETRY has been processed; the reader waits. */
static void note_away(struct segment *segment)
{
    struct reader *reader = segment->reader;
    if (!segment->away) return;
    segment->away = 0;
    journal_add(reader->run->journal, WEIR_LOG_WARN, reader->node->name,
                (int64_t)segment->batch->id, "reading \"%s\" failed, trying again: %s", reader->name,
                segment->away_error.text);
    wake_by(segment->source, again_at(reader->run, &segment->away_error));
}

/* Its rows are read and not begun with: they wait for another try. Until then it counts as a task, so that nothing
 * is closed or planned without them. */
static void wait_again(struct segment *segment)
{
    struct run *run = segment->reader->run;
    journal_add(run->journal, WEIR_LOG_WARN, segment->reader->node->name,
                (int64_t)segment->batch->id, "rows of \"%s\" can't be processed, trying again: %s",
                segment->reader->name, segment->error.text);
    segment->again_at = again_at(run, &segment->error);
    segment->again = run->again;
    run->again = segment;
}

void read_again(struct run *run)
{
    int64_t now = sys_mono(run->sys);
    int over = run->failed || run->stopping > 1;
    struct segment **at = &run->again;
    while (*at) {
        struct segment *segment = *at;
        int dropped = over || segment->batch->result != WEIR_OK;
        if (!dropped && segment->again_at > now) {
            at = &segment->again;
            continue;
        }
        *at = segment->again;
        segment->again = NULL;
        if (dropped)
            atomic_fetch_sub(&segment->reader->tasks, 1);
        else
            sys_submit(run->sys, run->workers, &segment->task);
    }
}

int64_t read_next_again(const struct run *run)
{
    int64_t at = INT64_MAX;
    for (const struct segment *s = run->again; s; s = s->again)
        if (s->again_at < at) at = s->again_at;
    return at;
}

/* The source, or the operator behind it whose call failed. */
static const struct plan_node *segment_blames(const struct segment *segment)
{
    if (segment->pipe && segment->pipe->failed) return segment->pipe->failed;
    return segment->reader->node;
}

void segment_done(struct weir_task *task)
{
    struct segment *segment =
        (struct segment *)(void *)((char *)task - offsetof(struct segment, done));
    struct reader *reader = segment->reader;
    struct batch *batch = segment->batch;
    note_away(segment);
    if (segment->result == WEIR_RETRY) {
        wait_again(segment);
        read_again(reader->run);
        read_kick(reader->run);
        return;
    }
    atomic_fetch_sub(&reader->tasks, 1);
    if (segment->result != WEIR_OK && batch->result == WEIR_OK) {
        batch->result = segment->result;
        batch->error = segment->error;
        snprintf(batch->where, sizeof batch->where, "%s", segment_blames(segment)->name);
        atomic_store(&batch->closing, 1);
    }
    if (reader->ended || segment->finish) {
        if (reader->open == segment) reader->open = NULL;
    }
    read_kick(reader->run);
}

static void reader_kick(struct reader *reader)
{
    struct batch *batch = reader->run->reading;
    if (atomic_load(&reader->tasks) > 0 || reader->stopped || reader->ended) return;
    if (!reader->known && !reader->replay) return;
    if (reader->pending && !reader->woken) return;
    if (reader->starved && atomic_load(&reader->source->budget) <= 0) {
        if (atomic_load(&reader->source->reserved) == 0) reader->stopped = 1;
        return;
    }
    if (!reader->open && !segment_create(reader, batch)) return;
    reader->woken = 0;
    reader->pending = reader->away = reader->starved = 0;
    reader->open->may_read = 1;
    atomic_fetch_add(&reader->tasks, 1);
    sys_submit(reader->run->sys, reader->run->workers, &reader->open->task);
}

static void wake_due(struct run *run)
{
    int64_t now = sys_mono(run->sys);
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        int64_t at = atomic_exchange(&source->wake_at, INT64_MAX);
        if (at > now) {
            wake_by(source, at);
            continue;
        }
        source->relist = 1;
        for (uint32_t k = 0; k < source->n_readers; k++) source->readers[k]->woken = 1;
    }
}

void read_kick(struct run *run)
{
    struct batch *batch = run->reading;
    uint32_t active = 0, limit = run->n_workers * 2 + 2;
    if (!batch || run->failed || run->stopping > 1 || batch->result != WEIR_OK) return;
    if (atomic_load(&batch->closing) && !batch->replay) return;
    wake_due(run);
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        for (uint32_t k = 0; k < source->n_readers && active < limit; k++) {
            struct reader *reader = source->readers[k];
            reader_kick(reader);
            if (atomic_load(&reader->tasks) > 0) active++;
        }
    }
}

int64_t read_next_wake(const struct run *run)
{
    int64_t at = read_next_again(run);
    for (uint32_t i = 0; i < run->n_sources; i++) {
        int64_t wake = atomic_load(&run->sources[i].wake_at);
        if (wake < at) at = wake;
    }
    return at;
}

int read_idle(const struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++)
            if (atomic_load(&run->sources[i].readers[k]->tasks) > 0) return 0;
    return 1;
}

int read_exhausted(const struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++) {
        if (!run->sources[i].listed && !run->reading->replay) return 0; /* it is tried again */
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++) {
            const struct reader *reader = run->sources[i].readers[k];
            if (atomic_load(&reader->tasks) > 0) return 0;
            if (!reader->known && !reader->replay) continue;
            if (reader->away && ends_with_the_data(run)) return 0;
            if (!reader->stopped && !reader->ended && (!reader->pending || reader->woken)) return 0;
        }
    }
    return 1;
}

int read_all_ended(const struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++) {
        int final = 0;
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++) {
            const struct reader *reader = run->sources[i].readers[k];
            if (reader->known && !reader->ended) return 0;
            if (reader->final) final = 1;
        }
        if (!final) return 0;
    }
    return 1;
}

/* ---- partitions ---- */

static int32_t partition_add(struct weir_names *names, const char *name)
{
    struct source *source = (struct source *)(void *)names;
    if (!name || !name[0]) return WEIR_CONFIG;
    struct reader *reader = reader_get(source, name, 1);
    if (!reader) return WEIR_FATAL;
    if (reader->known) return WEIR_CONFIG;
    reader->known = 1;
    reader->rank = source->n_known++;
    return WEIR_OK;
}

static int by_rank(const void *a, const void *b)
{
    const struct reader *x = *(struct reader *const *)a, *y = *(struct reader *const *)b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int32_t list_partitions(struct run *run, struct source *source, int64_t time_us,
                               struct weir_error *error)
{
    const struct weir_source *table = source->node->component->table;
    struct weir_partitions list = { .size = sizeof list, .batch_time_us = time_us,
                                    .names = (struct weir_names *)(void *)source,
                                    .add = partition_add };
    if (ends_with_the_data(run))
        list.flags |= WEIR_PARTITIONS_LAST;
    if (source->listed && run->job->trigger == TRIGGER_AVAILABLE_NOW) return WEIR_OK;
    source->n_known = 0;
    for (uint32_t k = 0; k < source->n_readers; k++) {
        source->readers[k]->was_known = source->readers[k]->known;
        source->readers[k]->known = 0;
        source->readers[k]->rank = UINT32_MAX;
    }
    int32_t result = table->partitions(source->node->self, &list, error);
    if (result == WEIR_RETRY) { /* as the batch before */
        for (uint32_t k = 0; k < source->n_readers; k++)
            source->readers[k]->known = source->readers[k]->was_known;
        return WEIR_RETRY;
    }
    if (result != WEIR_OK) return result;
    source->listed = 1;
    if (source->n_readers)
        qsort(source->readers, source->n_readers, sizeof *source->readers, by_rank);
    return WEIR_OK;
}

static int32_t relist(struct run *run, struct source *source)
{
    struct weir_error error = WEIR_ERROR_INIT;
    source->relist = 0;
    int32_t result = list_partitions(run, source, run->reading->time_us, &error);
    if (result == WEIR_OK) return WEIR_OK;
    if (result == WEIR_RETRY) {
        journal_add(run->journal, WEIR_LOG_WARN, source->node->name, (int64_t)run->reading->id,
                    "partitions can't be listed, trying again: %s", error.text);
        wake_by(source, sys_mono(run->sys) + AGAIN_US);
        return WEIR_OK;
    }
    weir_fail(&error, result, "its partitions can't be listed");
    run_fail(run, source->node->name, &error);
    return result;
}

void read_relist(struct run *run)
{
    if (!run->reading || run->reading->replay) return;
    wake_due(run);
    for (uint32_t i = 0; i < run->n_sources; i++)
        if (run->sources[i].relist && relist(run, &run->sources[i]) != WEIR_OK) return;
}

void read_poll_all(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++) {
        run->sources[i].relist = 1;
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++)
            run->sources[i].readers[k]->woken = 1;
    }
}

int read_moved(const struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++)
            if (run->sources[i].readers[k]->moved || run->sources[i].readers[k]->rows) return 1;
    return 0;
}

int32_t read_begin(struct run *run, struct batch *batch)
{
    run->reading = batch;
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        int32_t result = relist(run, source);
        if (result != WEIR_OK) return result;
        for (uint32_t k = 0; k < source->n_readers; k++) {
            struct reader *reader = source->readers[k];
            reader->stopped = reader->ended;
            reader->pending = reader->away; /* until the wake it asked for */
            reader->starved = 0;
            reader->absent = 0;
        }
    }
    read_kick(run);
    return WEIR_OK;
}

void read_close(struct run *run)
{
    struct batch *batch = run->reading;
    atomic_store(&batch->closing, 1);
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++) {
            struct reader *reader = run->sources[i].readers[k];
            struct segment *open = reader->open;
            if (atomic_load(&reader->tasks) > 0 || !open) continue;
            reader->open = NULL;
            if (!segment_holds(open)) continue; /* it never got a row */
            open->finish = 1;
            open->may_read = 0;
            atomic_fetch_add(&reader->tasks, 1);
            sys_submit(run->sys, run->workers, &open->task);
        }
}

int read_closed(void *arg)
{
    struct run *run = arg;
    if (!read_idle(run)) return 0;
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++) {
            struct reader *reader = run->sources[i].readers[k];
            if (reader->open && segment_holds(reader->open)) {
                read_close(run);
                return 0;
            }
        }
    return 1;
}

/* ---- replay ---- */

int32_t read_replay(struct run *run, struct batch *batch, const struct record_plan *plan)
{
    struct weir_error error = WEIR_ERROR_INIT;
    run->reading = batch;
    for (uint32_t i = 0; i < plan->n_moves; i++) {
        const struct record_move *move = &plan->moves[i];
        struct source *source = NULL;
        for (uint32_t k = 0; k < run->n_sources; k++)
            if (strcmp(run->sources[k].node->name, move->source) == 0) source = &run->sources[k];
        struct reader *reader = source ? reader_get(source, move->partition, 1) : NULL;
        if (!reader) {
            weir_fail(&error, WEIR_CONFIG, "the log names source \"%s\", which the job does not have",
                      move->source);
            run_fail(run, move->source, &error);
            return WEIR_CONFIG;
        }
        reader->stopped = reader->pending = reader->ended = 0;
        reader->replay = move;
        reader->replay_to = move->until;
        reader->replay_at = reader->replay_bytes = 0;
        if (reader_set_position(reader, move->from.data, move->from.length) != WEIR_OK)
            return WEIR_FATAL;
    }
    for (uint32_t k = 0; k < run->n_sources; k++) {
        atomic_store(&run->sources[k].budget, UNLIMITED);
        for (uint32_t r = 0; r < run->sources[k].n_readers; r++)
            if (!run->sources[k].readers[r]->replay) run->sources[k].readers[r]->stopped = 1;
    }
    read_kick(run);
    return WEIR_OK;
}

/* ---- bringing together ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct reader *const *)a)->name, (*(struct reader *const *)b)->name);
}

/* All segments of a reader as one unit. */
static int32_t collect_reader(struct batch *batch, struct reader *reader, struct unit_result *unit)
{
    uint32_t leaves = reader->node->pipe.n_leaves;
    unit->name = strdup(reader->name);
    unit->leaves = calloc(leaves ? leaves : 1, sizeof *unit->leaves);
    if (!unit->leaves || !unit->name) return WEIR_FATAL;
    for (struct segment *s = reader->first; s; s = s->next) {
        for (uint32_t i = 0; s->outboxes && i < leaves; i++)
            if (outbox_move(&unit->leaves[i], &s->outboxes[i]) != WEIR_OK) return WEIR_FATAL;
        if (rejects_merge(&batch->rejects, &s->rejects) != WEIR_OK) return WEIR_FATAL;
        batch->rows_in += s->rows_in;
        batch->rows_bad += s->rows_bad;
        atomic_fetch_add(&batch->seen[reader->node->index], s->rows_in);
    }
    return WEIR_OK;
}

/* 1 if the partition belongs to the batch: the same answer when it is replayed. */
static int takes_part(const struct run *run, const struct reader *reader)
{
    if (reader->moved || reader->replay || reader->rows) return 1;
    return run->whole_partitions && reader->known && !reader->ended && !run->reading->replay;
}

static uint8_t *copy_bytes(const uint8_t *bytes, uint64_t n)
{
    uint8_t *copy = malloc(n + 1);
    if (copy && n) memcpy(copy, bytes, n);
    return copy;
}

static int32_t take_move(struct batch *batch, struct source *source, struct reader *reader)
{
    struct move *moves = realloc(batch->moves, (batch->n_moves + 1) * sizeof *moves);
    if (!moves) return WEIR_FATAL;
    batch->moves = moves;
    struct move *move = &moves[batch->n_moves++];
    memset(move, 0, sizeof *move);
    move->source = source;
    move->partition = strdup(reader->name);
    move->until = copy_bytes(reader->position, reader->position_length);
    move->until_length = reader->position_length;
    move->from = reader->from ? reader->from
                              : copy_bytes(reader->position, reader->position_length);
    move->from_length = reader->from ? reader->from_length : reader->position_length;
    reader->from = NULL;
    move->rows = reader->rows;
    move->bytes = reader->bytes;
    move->ended = reader->ended;
    move->spool = reader->spool;
    memset(&reader->spool, 0, sizeof reader->spool);
    return move->partition && move->until && move->from ? WEIR_OK : WEIR_FATAL;
}

static int is_absent(const struct run *run, const struct source *source, int answered, int rows)
{
    const struct record_plan *plan = run->reading->plan;
    if (!plan) return answered && !rows;
    for (uint32_t i = 0; i < plan->n_absent; i++)
        if (strcmp(plan->absent[i], source->node->name) == 0) return 1;
    return 0;
}

static int32_t collect_source(struct run *run, struct batch *batch, struct source *source)
{
    struct origin_result *origin = &batch->origins[source->node->index];
    struct reader **sorted = calloc(source->n_readers ? source->n_readers : 1, sizeof *sorted);
    uint32_t n = 0;
    int absent = 0, rows = 0;
    if (!sorted) return WEIR_FATAL;
    for (uint32_t k = 0; k < source->n_readers; k++) {
        struct reader *reader = source->readers[k];
        if (reader->absent) absent = 1;
        if (takes_part(run, reader)) sorted[n++] = reader;
        if (reader->rows) rows = 1;
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    origin->units = calloc(n ? n : 1, sizeof *origin->units);
    int32_t result = origin->units ? WEIR_OK : WEIR_FATAL;
    for (uint32_t k = 0; k < n && result == WEIR_OK; k++) {
        origin->n_units = k + 1;
        result = collect_reader(batch, sorted[k], &origin->units[k]);
        if (result == WEIR_OK) result = take_move(batch, source, sorted[k]);
        source->rows_total += sorted[k]->rows;
    }
    origin->visible = n;
    origin->absent = is_absent(run, source, absent, rows);
    for (uint32_t k = 0; k < source->n_readers; k++) reader_drop_batch(source->readers[k]);
    free(sorted);
    return result;
}

int32_t read_collect(struct run *run, struct batch *batch)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < run->n_sources && result == WEIR_OK; i++)
        result = collect_source(run, batch, &run->sources[i]);
    run->reading = NULL;
    return result;
}

/* Takes back what was read for a batch that will not be: positions are as after the last one. */
void read_drop(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++)
        {
            struct reader *reader = run->sources[i].readers[k];
            if (reader->from) {
                free(reader->position);
                reader->position = reader->from;
                reader->position_length = reader->from_length;
                reader->from = NULL;
            }
            reader_drop_batch(reader);
        }
    run->reading = NULL;
}
