/*
 * stage.c - operators with a distribution: each is a stage, a barrier between it and the next.
 *
 * A stage has units: 256 key groups (HASHED), one (SINGLE), or the visible partitions (PARTITION). Units are
 * independent, so ranges of them are tasks for the workers; a small batch runs on the coordinator itself,
 * where waking a worker would cost more. A unit takes its rows port by port, within a port unit by
 * unit of the origin, within that in order of arrival; what it gives is kept by unit. So neither the
 * number of tasks nor the boundaries of chunks can be seen in the result.
 *
 * Calls per group were measured on batches of 10 rows (10 groups met): a batch took 64 us of CPU with a keyed
 * stage and 40 us without one, so a group costs about 2 us, the walk over the other 246 included. That is less than
 * waking a worker (34 us), and no reason for calls that take several groups.
 */
#include "core/run/stage.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/run/reject.h"
#include "core/run/trigger.h"
#include "core/run/watermark.h"

#define INLINE_ROWS 4096u

struct stage {
    struct run *run;
    struct batch *batch;
    struct plan_node *node;
    uint32_t kind;      /* WEIR_DISTRIBUTE_… */
    uint32_t n_units;
    uint32_t absent;    /* bits of inputs */
    uint64_t rows;
    struct origin_result *result;
    struct stage_task *tasks;
    uint32_t n_tasks, left;
    const struct plan_node *failed; /* whose call: the operator of the stage or one behind it */
};

struct stage_task {
    struct weir_task task, done;
    struct stage *stage;
    uint32_t from, until; /* units */
    int32_t result;
    const struct plan_node *failed; /* NULL: the stage's own operator, or none */
    struct weir_error error;
};

static const struct weir_operator *operator_of(const struct plan_node *node)
{
    return node->component->table;
}

/* ---- lanes of origins ---- */

static struct origin_lane *origin_take(struct run *run, struct plan_node *node,
                                       struct weir_error *error)
{
    pthread_mutex_lock(run->pool_lock);
    struct origin_lane *lane = run->origin_pools[node->index];
    if (lane) run->origin_pools[node->index] = lane->next;
    pthread_mutex_unlock(run->pool_lock);
    if (lane) return lane;
    lane = calloc(1, sizeof *lane);
    if (!lane) {
        weir_fail(error, WEIR_FATAL, "out of memory");
        return NULL;
    }
    if (lane_init(run, &lane->lane, node, &run_origin_ops, error) != WEIR_OK) goto fail;
    lane->n_pipes = node->bound.partitions > 1 ? node->bound.partitions : 1;
    lane->pipes = calloc(lane->n_pipes, sizeof *lane->pipes);
    for (uint32_t i = 0; lane->pipes && i < lane->n_pipes; i++)
        if (!(lane->pipes[i] = pipe_take(run, node, error))) goto fail;
    if (!lane->pipes) goto fail;
    lane->lane.pipe = lane->pipes[0];
    return lane;
fail:
    weir_fail(error, WEIR_FATAL, "out of memory");
    origin_lane_destroy(lane);
    return NULL;
}

static void origin_give(struct run *run, struct origin_lane *lane)
{
    struct plan_node *node = lane->lane.node;
    pthread_mutex_lock(run->pool_lock);
    lane->next = run->origin_pools[node->index];
    run->origin_pools[node->index] = lane;
    pthread_mutex_unlock(run->pool_lock);
}

void origin_lane_destroy(struct origin_lane *lane)
{
    if (!lane) return;
    lane_fini(&lane->lane);
    for (uint32_t i = 0; lane->pipes && i < lane->n_pipes; i++) pipe_destroy(lane->pipes[i]);
    free(lane->pipes);
    free(lane);
}

/* ---- one unit ---- */

static int32_t feed_packet(struct stage *stage, struct origin_lane *origin, uint32_t input,
                           const struct packet *packet, uint32_t unit, struct weir_error *error)
{
    const struct weir_operator *table = operator_of(stage->node);
    int compact = !(stage->node->component->capabilities & WEIR_CAP_SELECTION);
    struct weir_chunk *chunk;
    int32_t result = exchange_slice(packet, unit, compact, &chunk, error);
    if (result != WEIR_OK || !chunk) return result;
    if (!stage->node->has_combine) /* else they were seen in front of the exchange */
        atomic_fetch_add(&stage->batch->seen[stage->node->index], chunk->selected);
    origin->lane.current = chunk;
    result = table->process(stage->node->self, origin->lane.self, input, chunk, error);
    origin->lane.current = NULL;
    chunk_release(chunk);
    return result;
}

/* The part of an origin's unit that belongs to unit `u` of this stage: all of it, or nothing. */
static int belongs(const struct stage *stage, uint32_t u, uint32_t visible)
{
    return stage->kind != WEIR_DISTRIBUTE_PARTITION || visible % stage->n_units == u;
}

static uint32_t visible_of(const struct origin_result *from, uint32_t base, uint32_t unit)
{
    return base + (from->visible == from->n_units ? unit : 0);
}

static int32_t feed_unit(struct stage *stage, struct origin_lane *origin, uint32_t u,
                         struct weir_error *error)
{
    struct plan_node *node = stage->node;
    const struct weir_operator *table = operator_of(node);
    int32_t result = WEIR_OK;
    uint32_t p = 0, base = 0;
    for (uint32_t input = 0; input < node->n_inputs; input++) {
        for (; p < node->n_ports && node->ports[p].input == input; p++) {
            const struct origin_result *from =
                &stage->batch->origins[node->ports[p].origin->index];
            for (uint32_t k = 0; k < from->n_units && result == WEIR_OK; k++) {
                if (!belongs(stage, u, visible_of(from, base, k))) continue;
                const struct outbox *box = &from->units[k].leaves[node->ports[p].slot];
                uint32_t slice = stage->kind == WEIR_DISTRIBUTE_HASHED ? u : 0;
                for (uint32_t i = 0; i < box->n && result == WEIR_OK; i++) {
                    if (i + 1 < box->n) exchange_prefetch(&box->packets[i + 1], slice);
                    result = feed_packet(stage, origin, input, &box->packets[i], slice, error);
                }
            }
            base += from->visible;
        }
        if (result == WEIR_OK && table->end_input)
            result = table->end_input(node->self, origin->lane.self, input, error);
    }
    return result;
}

/* The first batch of the checkpoint, or the first turn: of the first `slide` batches one is it. */
static uint32_t is_first(const struct batch *batch, const struct plan_node *node)
{
    uint32_t slide = node->in_turn && node->n_inputs ? node->inputs[0]->slide : 1;
    return batch->id < slide;
}

static int32_t begin_unit(struct stage *stage, struct origin_lane *origin, uint32_t u,
                          struct weir_error *error)
{
    struct batch *batch = stage->batch;
    struct plan_node *node = stage->node;
    struct lane *lane = &origin->lane;
    lane->begin = (struct weir_begin){ .size = sizeof lane->begin,
                                       .partition = u,
                                       .batch = batch->id,
                                       .time_us = batch->time_us,
                                       .late_us = batch->late[node->index],
                                       .evict_us = batch->evict[node->index],
                                       .absent = stage->absent,
                                       .first = is_first(batch, node),
                                       .zero_us = batch->run->zero_us,
                                       .trigger_us = trigger_grid(batch->run) };
    for (uint32_t k = 0; k < 4; k++)
        if (node->pipe.root[k] >= 0) lane->begin.outputs |= 1u << k;
    lane->context.time_us = batch->time_us;
    lane->context.batch = batch->id;
    lane->context.partition = u;
    origin->spread_row = 0;
    if (node->stateful) {
        lane->begin.state = store_group(node->tables, u);
        if (!lane->begin.state) return weir_fail(error, WEIR_FATAL, "out of memory");
    }
    for (uint32_t i = 0; i < origin->n_pipes; i++) {
        int32_t result = pipe_begin(origin->pipes[i], batch, origin->n_pipes > 1 ? i : u, "", error);
        if (result != WEIR_OK) return result;
    }
    const struct weir_operator *table = operator_of(node);
    return table->begin ? table->begin(node->self, lane->self, &lane->begin, error) : WEIR_OK;
}

static int32_t keep_unit(struct stage *stage, struct pipe *pipe, struct unit_result *unit,
                         struct weir_error *error)
{
    uint32_t n = stage->node->pipe.n_leaves;
    int32_t result = pipe_end(pipe, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < n; i++) {
        unit->leaves[i] = pipe->outboxes[i];
        memset(&pipe->outboxes[i], 0, sizeof pipe->outboxes[i]);
    }
    unit->rejects = pipe->rejects;
    unit->rows_bad = pipe->rows_bad;
    pipe->rejects = NULL;
    return WEIR_OK;
}

static int32_t run_unit(struct stage *stage, struct origin_lane *origin, uint32_t u,
                        struct weir_error *error)
{
    struct plan_node *node = stage->node;
    const struct weir_operator *table = operator_of(node);
    int32_t result = begin_unit(stage, origin, u, error);
    if (result == WEIR_OK) result = feed_unit(stage, origin, u, error);
    if (result == WEIR_OK && table->advance)
        result = table->advance(node->self, origin->lane.self, error);
    for (uint32_t i = 0; result == WEIR_OK && i < origin->n_pipes; i++)
        result = keep_unit(stage, origin->pipes[i],
                           &stage->result->units[origin->n_pipes > 1 ? i : u], error);
    return result;
}

/* ---- which units run ---- */

static int group_has_rows(const struct stage *stage, uint32_t u)
{
    const struct plan_node *node = stage->node;
    for (uint32_t p = 0; p < node->n_ports; p++) {
        const struct origin_result *from = &stage->batch->origins[node->ports[p].origin->index];
        for (uint32_t k = 0; k < from->n_units; k++) {
            const struct outbox *box = &from->units[k].leaves[node->ports[p].slot];
            for (uint32_t i = 0; i < box->n; i++)
                if (packet_rows(&box->packets[i], u)) return 1;
        }
    }
    return 0;
}

/* Whether a timer of the group has run out. */
static int timer_is_due(const struct plan_node *node, uint32_t u, int64_t time_us, int64_t evict_us)
{
    int64_t due = store_group_due(node->tables, u, 0), due_event = store_group_due(node->tables, u, 1);
    return (due != INT64_MAX && due <= time_us) ||
           (due_event != INT64_MAX && evict_us != WEIR_WATERMARK_NONE && due_event <= evict_us);
}

static int group_is_due(const struct batch *batch, const struct plan_node *node, uint32_t u)
{
    int64_t late = batch->late[node->index], evict = batch->evict[node->index];
    if (!node->stateful || !store_group_live(node->tables, u)) return 0;
    if ((node->bound.flags & WEIR_PLAN_ALL_GROUPS) || evict > late) return 1;
    return timer_is_due(node, u, batch->time_us, evict);
}

static int unit_runs(const struct stage *stage, uint32_t u)
{
    const struct batch *batch = stage->batch;
    if (stage->kind != WEIR_DISTRIBUTE_HASHED) return 1;
    if (is_first(batch, stage->node) && (stage->node->bound.flags & WEIR_PLAN_FIRST_ALL)) return 1;
    return group_has_rows(stage, u) || group_is_due(batch, stage->node, u);
}

/* Whether timers of a node bring batches without rows. Those of operators that go by the tick wait for ticks, and a job
 * that runs through what is there has none. */
static int wakes(const struct plan_node *node)
{
    return node->stateful && !(node->bound.flags & WEIR_PLAN_TICKING);
}

int stages_due(const struct run *run, int64_t time_us)
{
    watermark_spread(run->plan, run->watermark_us, run->spread);
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        for (uint32_t u = 0; wakes(node) && u < RUN_GROUPS; u++)
            if (store_group_live(node->tables, u) && timer_is_due(node, u, time_us, run->spread[i]))
                return 1;
    }
    return 0;
}

int64_t stages_next_due(const struct run *run)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        for (uint32_t u = 0; wakes(node) && u < RUN_GROUPS; u++) {
            if (!store_group_live(node->tables, u)) continue;
            int64_t due = store_group_due(node->tables, u, 0);
            if (due < next) next = due;
        }
    }
    return next;
}

/* ---- tasks ---- */

static void task_units(struct stage_task *task)
{
    struct stage *stage = task->stage;
    weir_error_init(&task->error);
    struct origin_lane *origin = origin_take(stage->run, stage->node, &task->error);
    task->result = origin ? WEIR_OK : WEIR_FATAL;
    for (uint32_t u = task->from; u < task->until && task->result == WEIR_OK; u++)
        if (unit_runs(stage, u)) task->result = run_unit(stage, origin, u, &task->error);
    for (uint32_t i = 0; origin && i < origin->n_pipes && task->result != WEIR_OK; i++)
        if (origin->pipes[i]->failed) task->failed = origin->pipes[i]->failed;
    if (task->result == WEIR_OK)
        origin_give(stage->run, origin);
    else
        origin_lane_destroy(origin); /* its lanes are in the middle of a batch */
}

static void task_run(struct weir_task *t)
{
    struct stage_task *task = (struct stage_task *)(void *)t;
    task_units(task);
    sys_post(task->stage->run->sys, &task->done);
}

static void task_done(struct weir_task *t)
{
    struct stage_task *task =
        (struct stage_task *)(void *)((char *)t - offsetof(struct stage_task, done));
    task->stage->left--;
}

static int stage_done(void *arg)
{
    return ((struct stage *)arg)->left == 0;
}

static void start_tasks(struct stage *stage, uint32_t n)
{
    uint32_t each = (stage->n_units + n - 1) / n;
    stage->n_tasks = 0;
    for (uint32_t from = 0; from < stage->n_units; from += each) {
        struct stage_task *task = &stage->tasks[stage->n_tasks++];
        task->stage = stage;
        task->from = from;
        task->until = from + each < stage->n_units ? from + each : stage->n_units;
        task->task.run = task_run;
        task->done.run = task_done;
    }
    stage->left = stage->n_tasks;
    for (uint32_t i = 0; i < stage->n_tasks; i++)
        sys_submit(stage->run->sys, stage->run->workers, &stage->tasks[i].task);
}

/* ---- a stage ---- */

static void count_inputs(struct stage *stage, uint32_t *visible)
{
    const struct plan_node *node = stage->node;
    *visible = 0;
    for (uint32_t p = 0; p < node->n_ports; p++) {
        const struct origin_result *from = &stage->batch->origins[node->ports[p].origin->index];
        *visible += from->visible;
        for (uint32_t k = 0; k < from->n_units; k++)
            stage->rows += from->units[k].leaves[node->ports[p].slot].rows;
    }
}

/* Units of an operator over partitions. With state a partition's is that of the group with its number, so there
 * are at most as many as groups, and partitions that are gone go on as long as they have state. */
static uint32_t partition_units(const struct stage *stage, uint32_t visible)
{
    uint32_t n = visible;
    if (!stage->node->stateful) return n;
    if (n > RUN_GROUPS) return RUN_GROUPS;
    for (uint32_t u = n; u < RUN_GROUPS; u++)
        if (store_group_live(stage->node->tables, u)) n = u + 1;
    return n;
}

static int32_t make_units(struct stage *stage, uint32_t visible)
{
    struct plan_node *node = stage->node;
    struct origin_result *result = stage->result;
    uint32_t leaves = node->pipe.n_leaves;
    stage->n_units = stage->kind == WEIR_DISTRIBUTE_HASHED      ? RUN_GROUPS
                     : stage->kind == WEIR_DISTRIBUTE_PARTITION
                         ? partition_units(stage, visible)
                         : 1;
    result->n_units = node->bound.partitions > 1 ? node->bound.partitions : stage->n_units;
    result->visible = node->bound.partitions > 1                       ? node->bound.partitions
                      : stage->kind == WEIR_DISTRIBUTE_PARTITION ? stage->n_units
                                                                 : 1;
    result->units = calloc(result->n_units ? result->n_units : 1, sizeof *result->units);
    if (!result->units) {
        result->n_units = 0;
        return WEIR_FATAL;
    }
    for (uint32_t u = 0; u < result->n_units; u++) {
        result->units[u].leaves = calloc(leaves ? leaves : 1, sizeof *result->units[u].leaves);
        if (!result->units[u].leaves) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static int32_t run_tasks(struct stage *stage)
{
    struct run *run = stage->run;
    uint32_t n = run->n_workers * 4;
    if (stage->n_units == 0) return WEIR_OK;
    if (stage->rows < INLINE_ROWS || stage->n_units == 1) n = 1;
    if (n > stage->n_units) n = stage->n_units;
    stage->tasks = calloc(n + 1, sizeof *stage->tasks);
    if (!stage->tasks) return weir_fail(&stage->batch->error, WEIR_FATAL, "out of memory");
    if (n == 1) {
        stage->tasks[0] = (struct stage_task){ .stage = stage, .until = stage->n_units };
        stage->n_tasks = 1;
        task_units(&stage->tasks[0]);
    } else {
        start_tasks(stage, n);
        while (!run_await(run, stage_done, stage, INT64_MAX) && stage->left) run_wait(run, INT64_MAX);
    }
    for (uint32_t i = 0; i < stage->n_tasks; i++) {
        if (stage->tasks[i].result == WEIR_OK) continue;
        stage->batch->error = stage->tasks[i].error;
        if (stage->tasks[i].failed) stage->failed = stage->tasks[i].failed;
        return stage->tasks[i].result;
    }
    return WEIR_OK;
}

static int32_t collect_units(struct stage *stage)
{
    struct batch *batch = stage->batch;
    for (uint32_t u = 0; u < stage->result->n_units; u++) {
        struct unit_result *unit = &stage->result->units[u];
        batch->rows_bad += unit->rows_bad;
        if (rejects_merge(&batch->rejects, &unit->rejects) != WEIR_OK) return WEIR_FATAL;
    }
    return WEIR_OK;
}

/* Rows that the stage has taken are not needed any more, unless another consumer shares the chunks. */
static void drop_inputs(struct stage *stage)
{
    const struct plan_node *node = stage->node;
    for (uint32_t p = 0; p < node->n_ports; p++) {
        struct origin_result *from = &stage->batch->origins[node->ports[p].origin->index];
        for (uint32_t k = 0; k < from->n_units; k++)
            outbox_fini(&from->units[k].leaves[node->ports[p].slot]);
    }
}

static int32_t stage_run(struct run *run, struct batch *batch, struct plan_node *node,
                         uint32_t absent)
{
    struct stage stage = { .run = run, .batch = batch, .node = node, .absent = absent,
                           .failed = node,
                           .kind = node->bound.distribution[0].kind,
                           .result = &batch->origins[node->index] };
    uint32_t visible;
    count_inputs(&stage, &visible);
    int32_t result = make_units(&stage, visible);
    if (result == WEIR_OK) result = run_tasks(&stage);
    if (result == WEIR_OK) result = collect_units(&stage);
    if (result == WEIR_OK) drop_inputs(&stage);
    free(stage.tasks);
    if (result != WEIR_OK) {
        weir_fail(&batch->error, result, "out of memory");
        snprintf(batch->where, sizeof batch->where, "%s", stage.failed->name);
    }
    return result;
}

/* A stream with a slide gives something in every slide-th batch of the grid. */
static int off_slide(const struct batch *batch, const struct plan_stream *stream)
{
    int64_t slide = (int64_t)stream->slide * batch->run->interval_us;
    return stream->slide > 1 && slide > 0 && (batch->time_us - batch->run->zero_us) % slide != 0;
}

/* Does it run though inputs are absent? State that ticks does: in every batch, or, where its slide is that of
 * its inputs, when it is their turn. */
static int runs_alone(const struct plan_node *node, int turn)
{
    if (!turn && node->in_turn) return 0;
    return (node->component->capabilities & WEIR_CAP_ABSENT_INPUT) ||
           (node->stateful && (node->bound.flags & WEIR_PLAN_TICKING));
}

/* Absence goes down the graph; where it meets rows of other inputs the batch fails. Inputs that are all off
 * their slide are not missing: it is not their turn. */
static int32_t note_absent(struct batch *batch, struct plan_node *node, uint32_t *bits)
{
    int turn = 1;
    *bits = 0;
    for (uint32_t k = 0; k < node->n_inputs; k++) {
        int off = off_slide(batch, node->inputs[k]);
        if (off || batch->absent[node->inputs[k]->node->index]) *bits |= 1u << k;
        if (off) turn = 0;
    }
    if (*bits == 0 || runs_alone(node, turn)) return WEIR_OK;
    if (node->n_inputs > 1 && node->kind == JOB_OPERATOR && turn) {
        uint32_t k = 0;
        while (!(*bits >> k & 1)) k++;
        snprintf(batch->where, sizeof batch->where, "%s", node->name);
        return weir_fail(&batch->error, WEIR_DATA, "its input \"%s\" gave nothing in this batch",
                         node->inputs[k]->node->name);
    }
    batch->absent[node->index] = 1;
    batch->origins[node->index].absent = 1;
    return WEIR_OK;
}

int32_t stages_run(struct run *run, struct batch *batch)
{
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        uint32_t bits;
        if (node->kind == JOB_SOURCE) {
            batch->absent[i] = batch->origins[i].absent;
            continue;
        }
        int32_t result = note_absent(batch, node, &bits);
        if (result == WEIR_OK && node->kind == JOB_OPERATOR && node->origin && !batch->absent[i])
            result = stage_run(run, batch, node, bits);
        if (result != WEIR_OK) return result;
        if (run->stopping > 1 || run->failed) return WEIR_CANCELLED;
    }
    return WEIR_OK;
}
