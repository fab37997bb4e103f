/*
 * checkpoint.c - writing: PLAN, STATE, DONE, JOB; bases in turn; what the log may forget.
 *
 * Invariants:
 *  1. PLAN(n) is appended after STATE(n-1); nothing outside sees a row of n before PLAN(n) is durable.
 *  2. STATE(n) holds, besides what n changed, whole groups in turn. What they pay for is `owed`: all bytes that went into
 *     the log, deltas and the records themselves, but groups that changed so much that they were written whole by a
 *     quarter only. So the log stays within a small multiple of the state, also where state rarely changes or always in
 *     the same few groups; a large group is paid for by many batches.
 *  3. The log is needed from the oldest of: each group's newest base, the newest map of positions, the newest
 *     JOB. What is older goes after STATE is durable.
 */
#include "core/run/checkpoint.h"

#include <stdlib.h>

#include "core/control/dead.h"
#include "core/data/block.h"
#include "core/run/cp.h"
#include "core/run/spooled.h"
#include "core/run/read.h"
#include "core/run/reject.h"
#include "core/sys/planted.h"

#ifdef WEIR_SMALL_LOG /* crash sweeps: a small log does all that a big one does */
#define INLINE_BYTES 256u
#define MAP_EVERY 2u
#else
#define INLINE_BYTES (64u << 10)
#define MAP_EVERY 64u
#endif
#define FULL_RETRY_US 1000000
/* By so much the files of a checkpoint grow at most before those go that nobody needs. */
#define RETAIN_BYTES (256u << 20)

/* ---- the log's thread ---- */

static void log_task(struct weir_task *task)
{
    struct log_work *work = (struct log_work *)(void *)task;
    weir_error_init(&work->error);
    work->result = work->fn(work, &work->error);
    sys_post(work->run->sys, &work->done);
}

static void log_done(struct weir_task *task)
{
    struct log_work *work = (struct log_work *)(void *)((char *)task - offsetof(struct log_work,
                                                                               done));
    work->busy = 0;
}

static int work_ready(void *arg)
{
    return !((struct log_work *)arg)->busy;
}

static int never(void *arg)
{
    (void)arg;
    return 0;
}

/* Runs fn on the log's thread, again and again while the disk is full. */
static int32_t log_run(struct run *run, struct log_work *work)
{
    int warned = 0;
    work->run = run;
    work->task.run = log_task;
    work->done.run = log_done;
    for (;;) {
        work->busy = 1;
        sys_submit(run->sys, run->log_exec, &work->task);
        while (!work_ready(work)) run_wait(run, INT64_MAX);
        if (work->result != WEIR_RETRY) break;
        if (!warned++)
            journal_add(run->journal, WEIR_LOG_WARN, NULL,
                        work->batch ? (int64_t)work->batch->id : -1,
                        "the checkpoint can't be written; the job waits: %s", work->error.text);
        run_await(run, never, NULL, sys_mono(run->sys) + FULL_RETRY_US);
        if (run->stopping > 1) return WEIR_CANCELLED;
    }
    if (warned && work->result == WEIR_OK)
        journal_add(run->journal, WEIR_LOG_INFO, NULL, work->batch ? (int64_t)work->batch->id : -1,
                    "the checkpoint can be written again; the job goes on");
    if (work->result != WEIR_OK) run_fail(run, "checkpoint", &work->error);
    return work->result;
}

/* ---- JOB ---- */

static int32_t append_job(struct checkpoint *cp, struct run *run, struct weir_error *error)
{
    struct weir_buffer payload = { 0 };
    struct record_module modules[64];
    struct record_table *tables = NULL;
    struct record_job job = { .text = cp->job_text, .hash_seed = cp->seed, .zero_us = cp->zero_us,
                              .started_us = cp->started_us,
                              .weir_version = weir_host_1.version, .modules = modules };
    for (uint32_t i = 0; i < run->plan->n_nodes && job.n_modules < 64; i++) {
        const struct weir_component *component = run->plan->nodes[i]->component;
        modules[job.n_modules++] = (struct record_module){
            component->name, registry_hash(run->registry, component)
        };
    }
    int32_t result = cp_signatures(run, &tables, &job.n_tables);
    job.tables = tables;
    if (result == WEIR_OK) result = record_job_encode(&job, &payload);
    if (result == WEIR_OK)
        result = log_append(cp->log, LOG_JOB, 1, 0,
                            (struct weir_bytes){ payload.data, payload.length }, error);
    else
        weir_fail(error, result, "out of memory");
    if (result == WEIR_OK) cp->job_sequence = log_last_sequence(cp->log);
    cp_signatures_free(tables, job.n_tables);
    mem_free(payload.data);
    return result;
}

/* ---- PLAN ---- */

static int32_t write_spools(struct checkpoint *cp, struct batch *batch, struct weir_error *error)
{
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        struct move *move = &batch->moves[i];
        if (move->written || move->spool.length == 0) continue;
        if (planted(PLANTED_RUN_SPOOL_SKIPPED)) continue;
        struct weir_bytes bytes = { move->spool.data, move->spool.length };
        int32_t result = log_extent_write(cp->log, EXTENT_SPOOL, bytes, &move->extent, error);
        if (result != WEIR_OK) return result;
        move->written = 1;
    }
    return WEIR_OK;
}

static int32_t encode_plan(struct run *run, struct batch *batch, struct weir_buffer *out)
{
    struct checkpoint *cp = run->checkpoint;
    struct record_plan plan = { .time_us = batch->time_us, .late_us = batch->late_us };
    const char *absent[64];
    plan.moves = calloc(batch->n_moves ? batch->n_moves : 1, sizeof *plan.moves);
    if (!plan.moves) return WEIR_FATAL;
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        struct move *move = &batch->moves[i];
        plan.moves[plan.n_moves++] = (struct record_move){
            .source = move->source->node->name,
            .partition = move->partition,
            .from = { move->from, move->from_length },
            .until = { move->until, move->until_length },
            .rows = move->rows,
            .bytes = move->bytes,
            .ended = (uint32_t)move->ended,
            .n_spool = (uint32_t)move->written,
            .spool = &move->extent
        };
        if (planted(PLANTED_RUN_UNTIL_SHORT))
            plan.moves[i].until = plan.moves[i].from, plan.moves[i].ended = 0;
    }
    plan.absent = absent;
    for (uint32_t i = 0; i < run->n_sources && plan.n_absent < 64; i++)
        if (batch->origins[run->sources[i].node->index].absent)
            absent[plan.n_absent++] = run->sources[i].node->name;
    plan.n_forgotten = cp->n_forgotten;
    plan.forgotten = cp->forgotten;
    int32_t result = record_plan_encode(&plan, out);
    free(plan.moves);
    return result;
}

static int32_t plan_work(struct log_work *work, struct weir_error *error)
{
    struct run *run = work->run;
    struct checkpoint *cp = run->checkpoint;
    struct batch *batch = work->batch;
    if (!work->appended) {
        struct weir_buffer payload = { 0 };
        int32_t result = write_spools(cp, batch, error);
        if (result == WEIR_OK && cp->job_changed) result = append_job(cp, run, error);
        if (result == WEIR_OK) {
            cp->job_changed = 0;
            result = encode_plan(run, batch, &payload);
        }
        if (result == WEIR_OK)
            result = log_append(cp->log, LOG_PLAN, 1, batch->id,
                                (struct weir_bytes){ payload.data, payload.length }, error);
        uint64_t length = payload.length;
        mem_free(payload.data);
        if (result != WEIR_OK) return result;
        cp->plan_sequence = log_last_sequence(cp->log);
        cp->owed += (int64_t)length;
        work->appended = 1;
    }
    return planted(PLANTED_RUN_PLAN_UNSYNCED) ? WEIR_OK : log_sync(cp->log, error);
}

int32_t checkpoint_plan(struct run *run, struct batch *batch)
{
    struct log_work work = { .fn = plan_work, .batch = batch };
    if (!run->checkpoint) return WEIR_OK;
    cp_find_forgotten(run);
    int32_t result = log_run(run, &work);
    if (result == WEIR_OK) cp_forget(run);
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        mem_free(batch->moves[i].spool.data);
        memset(&batch->moves[i].spool, 0, sizeof batch->moves[i].spool);
    }
    return result;
}

/* ---- DROP ---- */

static int32_t append_drops(struct checkpoint *cp, const struct run *run, struct weir_error *error)
{
    for (; cp->n_drops < run->options->n_drop; cp->n_drops++) {
        struct weir_buffer payload = { 0 };
        struct record_drop drop = { run->options->drop[cp->n_drops] };
        int32_t result = record_drop_encode(&drop, &payload);
        if (result == WEIR_OK)
            result = log_append(cp->log, LOG_DROP, 1, cp->next_batch,
                                (struct weir_bytes){ payload.data, payload.length }, error);
        mem_free(payload.data);
        if (result != WEIR_OK) return weir_fail(error, result, "out of memory");
    }
    return WEIR_OK;
}

static int32_t drop_work(struct log_work *work, struct weir_error *error)
{
    struct checkpoint *cp = work->run->checkpoint;
    int32_t result = append_drops(cp, work->run, error);
    return result == WEIR_OK ? log_sync(cp->log, error) : result;
}

static int has_positions(const struct checkpoint *cp, const char *source)
{
    for (uint32_t i = 0; i < cp->n_positions; i++)
        if (strcmp(cp->positions[i].source, source) == 0) return 1;
    return 0;
}

static void say_dropped(struct run *run)
{
    for (uint32_t i = 0; i < run->options->n_drop; i++) {
        const char *name = run->options->drop[i];
        journal_add(run->journal, WEIR_LOG_INFO, NULL, -1,
                    has_positions(run->checkpoint, name)
                        ? "--drop: how far %s was read is forgotten"
                        : "--drop: the state of %s is dropped, it begins empty",
                    name);
    }
}

int32_t checkpoint_drop(struct run *run)
{
    struct checkpoint *cp = run->checkpoint;
    struct log_work work = { .fn = drop_work };
    if (run->only_pending || run->options->n_drop == 0) return WEIR_OK;
    cp->job_changed = 1;
    cp->drop_waits = cp->has_plan;
    if (cp->drop_waits) return WEIR_OK;
    int32_t result = log_run(run, &work);
    if (result == WEIR_OK) say_dropped(run);
    return result;
}

/* ---- STATE: pieces ---- */

struct pieces {
    struct weir_buffer bytes;
    struct cp_piece *items;
    uint32_t n, capacity;
};

static int32_t capture(struct pieces *pieces, struct plan_node *node, uint32_t table,
                       uint32_t group, int base, struct weir_error *error)
{
    uint64_t before = pieces->bytes.length;
    int is_base = 0;
    int32_t result =
        store_capture(node->tables, table, group, base, &pieces->bytes, &is_base, error);
    if (result != WEIR_OK || pieces->bytes.length == before) return result;
    if (pieces->n == pieces->capacity) {
        uint32_t capacity = pieces->capacity ? pieces->capacity * 2 : 64;
        struct cp_piece *items = realloc(pieces->items, capacity * sizeof *items);
        if (!items) return weir_fail(error, WEIR_FATAL, "out of memory");
        pieces->items = items;
        pieces->capacity = capacity;
    }
    pieces->items[pieces->n++] = (struct cp_piece){ node, table, group, is_base, before,
                                                    pieces->bytes.length - before };
    return WEIR_OK;
}

static int32_t capture_changes(struct run *run, struct pieces *pieces, uint32_t from,
                               uint32_t until, struct weir_error *error)
{
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        if (!node->stateful) continue;
        for (uint32_t g = from; g < until; g++) {
            if (!store_group_changed(node->tables, g)) continue;
            if (planted(PLANTED_RUN_GROUP_LOST) && pieces->n == 1) continue;
            for (uint32_t t = 0; t < store_tables(node->tables); t++) {
                int32_t result = capture(pieces, node, t, g, 0, error);
                if (result != WEIR_OK) return result;
            }
        }
    }
    return WEIR_OK;
}

struct capture_task {
    struct weir_task task, done;
    struct run *run;
    struct pieces pieces;
    uint32_t from, until;
    uint32_t *left;
    int32_t result;
    struct weir_error error;
};

static void capture_run(struct weir_task *t)
{
    struct capture_task *task = (struct capture_task *)(void *)t;
    weir_error_init(&task->error);
    task->result =
        capture_changes(task->run, &task->pieces, task->from, task->until, &task->error);
    sys_post(task->run->sys, &task->done);
}

static void capture_done(struct weir_task *t)
{
    struct capture_task *task =
        (struct capture_task *)(void *)((char *)t - offsetof(struct capture_task, done));
    --*task->left;
}

static int32_t pieces_append(struct pieces *to, struct pieces *from)
{
    uint64_t shift = to->bytes.length;
    struct cp_piece *items = realloc(to->items, (to->n + from->n + 1) * sizeof *items);
    if (!items) return WEIR_FATAL;
    to->items = items;
    to->capacity = to->n + from->n + 1;
    if (from->bytes.length &&
        buffer_add(&to->bytes, from->bytes.data, from->bytes.length) != WEIR_OK)
        return WEIR_FATAL;
    for (uint32_t i = 0; i < from->n; i++) {
        items[to->n] = from->items[i];
        items[to->n++].at += shift;
    }
    return WEIR_OK;
}

static int32_t capture_parallel(struct run *run, struct pieces *pieces, struct weir_error *error)
{
    enum { TASKS = 8 };
    struct capture_task *tasks = calloc(TASKS, sizeof *tasks);
    uint32_t left = TASKS;
    uint64_t bytes = 0;
    int32_t result;
    if (!tasks) return weir_fail(error, WEIR_FATAL, "out of memory");
    for (uint32_t i = 0; i < TASKS; i++) {
        tasks[i] = (struct capture_task){ .run = run, .left = &left,
                                          .from = i * (RUN_GROUPS / TASKS),
                                          .until = (i + 1) * (RUN_GROUPS / TASKS) };
        tasks[i].task.run = capture_run;
        tasks[i].done.run = capture_done;
        sys_submit(run->sys, run->workers, &tasks[i].task);
    }
    while (left) run_wait(run, INT64_MAX);
    for (uint32_t i = 0; i < TASKS; i++) bytes += tasks[i].pieces.bytes.length;
    result = buffer_grow(&pieces->bytes, 2 * bytes); /* the bases, too */
    for (uint32_t i = 0; i < TASKS; i++) {
        if (result == WEIR_OK && tasks[i].result != WEIR_OK) {
            *error = tasks[i].error;
            result = tasks[i].result;
        }
        if (result == WEIR_OK) result = pieces_append(pieces, &tasks[i].pieces);
        mem_free(tasks[i].pieces.bytes.data);
        free(tasks[i].pieces.items);
    }
    free(tasks);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

/* What the changes make the log owe; of those that are whole groups, notes that they have their
 * base. */
static void owe_changes(struct checkpoint *cp, const struct pieces *pieces)
{
    cp->round++;
    for (uint32_t i = 0; i < pieces->n; i++) {
        const struct cp_piece *piece = &pieces->items[i];
        cp->owed += (int64_t)(piece->base ? piece->length / 4 : piece->length);
        if (piece->base)
            cp_group_of(cp, piece->node, piece->table, piece->group)->round = cp->round;
    }
}

/* Whole groups in turn until what is owed is paid, or each has its turn. */
static int32_t capture_bases(struct run *run, struct pieces *pieces, struct weir_error *error)
{
    struct checkpoint *cp = run->checkpoint;
    uint32_t n = cp->n_groups, k;
    owe_changes(cp, pieces);
    for (k = 0; k < n && cp->owed > 0; k++) {
        uint64_t before = pieces->bytes.length;
        struct cp_group *group = &cp->groups[cp->cursor];
        cp->cursor = (cp->cursor + 1) % n;
        if (group->round == cp->round) continue; /* written whole just now */
        if (!group->base_sequence && !store_group_live(group->node->tables, group->group)) continue;
        int32_t result = capture(pieces, group->node, group->table, group->group, 1, error);
        if (result != WEIR_OK) return result;
        cp->owed -= (int64_t)(pieces->bytes.length - before);
    }
    if (k == n && cp->owed > 0) cp->owed = 0;
    return WEIR_OK;
}

/* ---- STATE: the record ---- */

struct state_work {
    struct log_work work;
    struct pieces pieces;
    struct weir_buffer dead;
    struct extent state_extent, dead_extent;
    int wrote_state, wrote_dead;
};

static struct record_piece *record_pieces(struct state_work *s)
{
    struct record_piece *out = calloc(s->pieces.n ? s->pieces.n : 1, sizeof *out);
    for (uint32_t i = 0; out && i < s->pieces.n; i++) {
        const struct cp_piece *piece = &s->pieces.items[i];
        const uint8_t *bytes = s->pieces.bytes.data + piece->at;
        out[i].table = cp_group_of(s->work.run->checkpoint, piece->node, piece->table,
                                   piece->group)->name;
        out[i].group = piece->group;
        out[i].base = (uint32_t)piece->base;
        if (!s->wrote_state) {
            out[i].bytes = (struct weir_bytes){ bytes, piece->length };
            continue;
        }
        out[i].extent = s->state_extent;
        out[i].extent.offset += piece->at;
        out[i].extent.length = piece->length;
        out[i].extent.crc = crc32c(0, bytes, piece->length);
    }
    return out;
}

static struct record_sink *record_sinks(struct run *run, struct batch *batch, uint32_t *n)
{
    struct record_sink *out = calloc(run->n_sinks ? run->n_sinks : 1, sizeof *out);
    *n = 0;
    for (uint32_t i = 0; out && i < run->n_sinks; i++) {
        struct sink *sink = &run->sinks[i];
        if (batch->absent[sink->node->index]) continue;
        struct record_sink *record = &out[(*n)++];
        record->name = sink->node->name;
        record->rows = batch->sink_rows[sink->node->index];
        record->outcome = sink->has_committable ? SINK_COMMITTABLE
                          : sink->owed          ? SINK_SPOOLED
                                                : SINK_FINISHED;
        record->n_output = sink->owed ? sink->output.n : 0;
        record->output = sink->output.extents;
        if (planted(PLANTED_RUN_COMMITTABLE_LOST)) record->outcome = SINK_FINISHED;
        if (sink->has_committable)
            record->committable =
                (struct weir_bytes){ sink->committable.data, sink->committable.length };
    }
    return out;
}

static int32_t append_state(struct state_work *s, struct weir_error *error)
{
    struct run *run = s->work.run;
    struct checkpoint *cp = run->checkpoint;
    struct batch *batch = s->work.batch;
    struct weir_buffer payload = { 0 };
    struct record_state state = { .watermark_us = run->next_watermark_us,
                                  .late_us = batch->evict_us,
                                  .dead_letters = rejects_count(batch->rejects),
                                  .n_dead = (uint32_t)s->wrote_dead,
                                  .dead = &s->dead_extent,
                                  .n_pieces = s->pieces.n };
    state.sinks = record_sinks(run, batch, &state.n_sinks);
    state.pieces = record_pieces(s);
    state.has_map = cp->with_map;
    int32_t result = state.sinks && state.pieces ? WEIR_OK : WEIR_FATAL;
    if (result == WEIR_OK && cp->with_map) result = cp_map(run, &state.map, &state.n_map);
    if (result == WEIR_OK) result = record_state_encode(&state, &payload);
    if (result == WEIR_OK)
        result = log_append(cp->log, LOG_STATE, 1, batch->id,
                            (struct weir_bytes){ payload.data, payload.length }, error);
    cp->owed += (int64_t)payload.length - (int64_t)(s->wrote_state ? 0 : s->pieces.bytes.length);
    free(state.sinks);
    free(state.pieces);
    free(state.map);
    mem_free(payload.data);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

static int32_t write_outputs(struct run *run, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < run->n_sinks && result == WEIR_OK; i++)
        if (run->sinks[i].owed) result = spooled_write(&run->sinks[i], run->checkpoint->log, error);
    return result;
}

static int32_t extent_work(struct log_work *work, struct weir_error *error)
{
    struct state_work *s = (struct state_work *)(void *)work;
    struct weir_bytes all = { s->pieces.bytes.data, s->pieces.bytes.length };
    int32_t result = log_extent_write(work->run->checkpoint->log, EXTENT_STATE, all,
                                      &s->state_extent, error);
    s->wrote_state = result == WEIR_OK;
    return result;
}

static int32_t state_work(struct log_work *work, struct weir_error *error)
{
    struct state_work *s = (struct state_work *)(void *)work;
    struct checkpoint *cp = work->run->checkpoint;
    int32_t result;
    if (!work->appended) {
        result = write_outputs(work->run, error);
        if (result != WEIR_OK) return result;
        if (s->dead.length && !s->wrote_dead) {
            struct weir_bytes all = { s->dead.data, s->dead.length };
            result = log_extent_write(cp->log, EXTENT_DEAD, all, &s->dead_extent, error);
            if (result != WEIR_OK) return result;
            s->wrote_dead = 1;
        }
        if (cp->with_map && cp->job_sequence &&
            log_last_sequence(cp->log) - cp->job_sequence > 4 * MAP_EVERY) {
            result = append_job(cp, work->run, error);
            if (result != WEIR_OK) return result;
        }
        if (cp->drop_waits && (result = append_drops(cp, work->run, error)) != WEIR_OK)
            return result;
        result = append_state(s, error);
        if (result != WEIR_OK) return result;
        work->appended = 1;
    }
    return planted(PLANTED_RUN_STATE_UNSYNCED) ? WEIR_OK : log_sync(cp->log, error);
}

/* Dead letters of a batch: a head that tells the batch, then blocks. */
static int32_t dead_extent(struct batch *batch, struct weir_buffer *out, struct weir_error *error)
{
    uint64_t head[3] = { DEAD_MAGIC, batch->id, 0 };
    if (rejects_count(batch->rejects) == 0) return WEIR_OK;
    if (buffer_add(out, head, sizeof head) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    int32_t result = rejects_block(batch->rejects, batch->id, out, error);
    head[2] = out->length - sizeof head;
    memcpy(out->data, head, sizeof head);
    return result;
}

static void log_dead(struct run *run, struct batch *batch)
{
    uint64_t n = rejects_count(batch->rejects);
    if (!n || run->checkpoint) return;
    rejects_log(batch->rejects, run, batch->id);
    journal_add(run->journal, WEIR_LOG_WARN, NULL, (int64_t)batch->id,
                "%llu rows were rejected; without a checkpoint they are only counted",
                (unsigned long long)n);
}

static int32_t forget_work(struct log_work *work, struct weir_error *error)
{
    return cp_retain(work->run->checkpoint, error);
}

/* Without a checkpoint the batch is over all the same: removed slots are free from here on. */
static int32_t forget_changes(struct run *run)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result = WEIR_OK;
    int is_base;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        for (uint32_t g = 0; node->stateful && g < RUN_GROUPS; g++) {
            if (!store_group_changed(node->tables, g)) continue;
            for (uint32_t t = 0; t < store_tables(node->tables) && result == WEIR_OK; t++)
                result = store_capture(node->tables, t, g, 0, NULL, &is_base, &error);
        }
    }
    if (result != WEIR_OK) run_fail(run, "state", &error);
    return result;
}

/* The first file of the output spool that some sink still needs; UINT32_MAX: none. */
static uint32_t least_output(const struct run *run)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        const struct sink *sink = &run->sinks[i];
        for (uint32_t k = 0; sink->owed && k < sink->output.n; k++)
            if (sink->output.extents[k].file < least) least = sink->output.extents[k].file;
    }
    return least;
}

void cp_drop_captured(struct checkpoint *cp)
{
    struct state_work *s = cp->captured;
    cp->captured = NULL;
    if (!s) return;
    mem_free(s->pieces.bytes.data);
    mem_free(s->dead.data);
    free(s->pieces.items);
    free(s);
}

int32_t checkpoint_capture(struct run *run, struct batch *batch)
{
    struct checkpoint *cp = run->checkpoint;
    struct weir_error error = WEIR_ERROR_INIT;
    if (!cp) return WEIR_OK;
    struct state_work *s = cp->captured = calloc(1, sizeof *s);
    int32_t result = s ? WEIR_OK : weir_fail(&error, WEIR_FATAL, "out of memory");
    if (result == WEIR_OK)
        result = batch->rows_in >= 4096 ? capture_parallel(run, &s->pieces, &error)
                                        : capture_changes(run, &s->pieces, 0, RUN_GROUPS, &error);
    if (result == WEIR_OK) result = capture_bases(run, &s->pieces, &error);
    if (result != WEIR_OK) {
        run_fail(run, "checkpoint", &error);
        return result;
    }
    if (s->pieces.bytes.length <= INLINE_BYTES) return WEIR_OK;
    s->work = (struct log_work){ .fn = extent_work, .batch = batch };
    return log_run(run, &s->work);
}

int32_t checkpoint_state(struct run *run, struct batch *batch)
{
    struct checkpoint *cp = run->checkpoint;
    struct weir_error error = WEIR_ERROR_INIT;
    log_dead(run, batch);
    if (!cp) return forget_changes(run);
    struct state_work *s = cp->captured;
    s->work = (struct log_work){ .fn = state_work, .batch = batch };
    cp->with_map = cp->map_sequence == 0 || ++cp->since_map >= MAP_EVERY;
    int32_t result = dead_extent(batch, &s->dead, &error);
    if (result != WEIR_OK) run_fail(run, "checkpoint", &error);
    if (result == WEIR_OK && !planted(PLANTED_RUN_MAP_STALE)) result = cp_take_moves(run, batch);
    if (result == WEIR_OK) result = log_run(run, &s->work);
    if (result == WEIR_OK) {
        uint64_t sequence = log_last_sequence(cp->log);
        if (cp->drop_waits) say_dropped(run);
        cp->drop_waits = 0;
        for (uint32_t i = 0; i < s->pieces.n; i++)
            cp_note_piece(cp, &s->pieces.items[i], sequence,
                          s->wrote_state ? s->state_extent.file : UINT32_MAX);
        if (cp->with_map) cp->map_sequence = cp->plan_sequence, cp->since_map = 0;
        cp->output_file = least_output(run);
        if (s->wrote_dead) cp_note_dead(cp, &s->dead_extent, batch->time_us);
        struct log_work forget = { .fn = forget_work, .batch = batch };
        result = cp_note_batch(cp);
        if (result == WEIR_OK &&
            (cp->with_map || log_bytes(cp->log) > cp->kept_bytes + RETAIN_BYTES)) {
            result = log_run(run, &forget);
            cp->kept_bytes = log_bytes(cp->log);
        }
    }
    cp_drop_captured(cp);
    return result;
}

/* ---- DONE ---- */

static int32_t done_work(struct log_work *work, struct weir_error *error)
{
    struct run *run = work->run;
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        struct weir_buffer payload = { 0 };
        struct record_done done = { run->sinks[i].node->name };
        if (!run->sinks[i].has_committable && !run->sinks[i].owed) continue;
        int32_t result = record_done_encode(&done, &payload);
        if (result == WEIR_OK)
            result = log_append(run->checkpoint->log, LOG_DONE, 1,
                                run->sinks[i].owed ? run->sinks[i].output.batch
                                                   : run->sinks[i].committable_batch,
                                (struct weir_bytes){ payload.data, payload.length }, error);
        mem_free(payload.data);
        if (result != WEIR_OK) return weir_fail(error, result, "out of memory");
    }
    return planted(PLANTED_RUN_DONE_EARLY) ? log_sync(run->checkpoint->log, error) : WEIR_OK;
}

int32_t checkpoint_done(struct run *run, struct batch *batch)
{
    struct log_work work = { .fn = done_work, .batch = batch };
    int any = 0;
    for (uint32_t i = 0; i < run->n_sinks; i++)
        any |= run->sinks[i].has_committable | run->sinks[i].owed;
    if (!run->checkpoint || !any) return WEIR_OK;
    return log_run(run, &work);
}
