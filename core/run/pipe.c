/*
 * pipe.c - lanes and pipes: chunks run depth first through the operators behind an origin, up to the leaves.
 *
 * One worker at a time is in a pipe. A chunk that an operator emits is pushed at once to all who read that
 * output, so it is still in cache; at a leaf it waits in the leaf's outbox (for a sink), or goes
 * through the combine side and is scattered over the units of the consumer (for an exchange).
 *
 * Invariants:
 *  1. Between pipe_begin and pipe_end every lane of the pipe is begun; pipe_end ends them from the origin
 *     outwards, so that what an operator emits at its end still finds those behind it begun.
 *  2. Whatever a plugin emits is checked before anybody else sees it.
 *  3. After an error the pipe can be ended or destroyed; its outboxes are dropped by the owner.
 */
#include <pthread.h>
#include <stdlib.h>

#include "core/run/reject.h"
#include "core/run/trigger.h"
#include "core/run/watermark.h"
#include "core/run/run.h"

#define SPARSE 4u /* times as many rows in a chunk as are selected */

static const struct weir_operator *operator_of(const struct plan_node *node)
{
    return node->component->table;
}

/* ---- outboxes ---- */

void outbox_fini(struct outbox *box)
{
    for (uint32_t i = 0; i < box->n; i++) {
        chunk_release(box->packets[i].chunk);
        mem_free(box->packets[i].offsets);
    }
    for (uint32_t i = 0; i < box->n_waiting; i++) chunk_release(box->waiting[i]);
    free(box->waiting);
    free(box->packets);
    memset(box, 0, sizeof *box);
}

int32_t outbox_add(struct outbox *box, struct packet packet)
{
    if (box->n == box->capacity) {
        uint32_t capacity = box->capacity ? box->capacity * 2 : 8;
        struct packet *packets = realloc(box->packets, capacity * sizeof *packets);
        if (!packets) {
            chunk_release(packet.chunk);
            mem_free(packet.offsets);
            return WEIR_FATAL;
        }
        box->packets = packets;
        box->capacity = capacity;
    }
    box->rows += packet.chunk->selected;
    box->bytes += chunk_bytes(packet.chunk);
    box->packets[box->n++] = packet;
    return WEIR_OK;
}

int32_t outbox_move(struct outbox *to, struct outbox *from)
{
    if (to->n == 0) {
        outbox_fini(to);
        *to = *from;
        memset(from, 0, sizeof *from);
        return WEIR_OK;
    }
    for (uint32_t i = 0; i < from->n; i++) {
        struct packet packet = from->packets[i];
        memset(&from->packets[i], 0, sizeof packet);
        if (outbox_add(to, packet) != WEIR_OK) return WEIR_FATAL;
    }
    outbox_fini(from);
    return WEIR_OK;
}

/* ---- lanes ---- */

int32_t lane_init(struct run *run, struct lane *lane, struct plan_node *node,
                  const struct context_ops *ops, struct weir_error *error)
{
    memset(lane, 0, sizeof *lane);
    lane->node = node;
    lane->leaf = -1;
    lane->context = node->kind == JOB_SOURCE ? node->format_context : node->context;
    lane->context.null_on_error = node->context.null_on_error;
    lane->context.ops = ops;
    lane->context.owner = lane;
    lane->context.seed = run->hash_seed;
    for (int k = 0; k < 4; k++) lane->links[k] = -1;
    lane->n_outputs = node->n_outputs;
    for (uint32_t k = 0; k < node->n_outputs; k++) lane->schemas[k] = &node->outputs[k].schema;
    if (node->kind == JOB_SOURCE) {
        const struct weir_format *format = node->format->table;
        if (!format->lane_create) return WEIR_OK;
        return format->lane_create(node->format_self, &lane->context, &lane->self, error);
    }
    const struct weir_operator *table = operator_of(node);
    return table->lane_create ? table->lane_create(node->self, &lane->context, &lane->self, error)
                              : WEIR_OK;
}

void lane_fini(struct lane *lane)
{
    if (!lane->node) return;
    if (lane->node->kind == JOB_SOURCE) {
        const struct weir_format *format = lane->node->format->table;
        if (format->lane_destroy && lane->self)
            format->lane_destroy(lane->node->format_self, lane->self);
    } else if (lane->self && operator_of(lane->node)->lane_destroy) {
        operator_of(lane->node)->lane_destroy(lane->node->self, lane->self);
    }
    lane->node = NULL;
}

/* Takes note of whose call failed: the first, for those that pushed rows to it fail with it. */
static int32_t blame(struct pipe *pipe, const struct plan_node *node, int32_t result)
{
    if (result != WEIR_OK && !pipe->failed) pipe->failed = node;
    return result;
}

static int32_t lane_begin(struct lane *lane, struct batch *batch, uint32_t partition,
                          struct weir_error *error)
{
    const struct weir_operator *table = operator_of(lane->node);
    lane->begin = (struct weir_begin){ .size = sizeof lane->begin,
                                       .partition = partition,
                                       .batch = batch->id,
                                       .time_us = batch->time_us,
                                       .late_us = batch->late[lane->node->index],
                                       .evict_us = WEIR_WATERMARK_NONE,
                                       .first = batch->id == 0,
                                       .zero_us = batch->run->zero_us,
                                       .trigger_us = trigger_grid(batch->run),
                                       .seed = batch->run->hash_seed,
                                       .segment = lane->pipe->segment };
    lane->context.time_us = batch->time_us;
    lane->context.batch = batch->id;
    lane->context.partition = partition;
    lane->begun = 1;
    return table->begin ? table->begin(lane->node->self, lane->self, &lane->begin, error)
                        : WEIR_OK;
}

/* ---- pipes ---- */

static int needs_lane(const struct plan_step *step)
{
    return !step->leaf || (step->node->kind == JOB_OPERATOR && step->node->has_combine);
}

static int32_t pipe_lanes(struct run *run, struct pipe *pipe, struct weir_error *error)
{
    const struct plan_pipe *plan = &pipe->origin->pipe;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        struct lane *lane = &pipe->lanes[i];
        if (!needs_lane(step)) continue;
        int32_t result = lane_init(run, lane, step->node, &run_ops, error);
        lane->pipe = pipe;
        if (result != WEIR_OK) return result;
        if (step->leaf) {
            lane->leaf = (int32_t)i;
        } else {
            memcpy(lane->links, step->child, sizeof step->child);
        }
    }
    if (pipe->origin->kind != JOB_SOURCE || !pipe->origin->format) return WEIR_OK;
    int32_t result = lane_init(run, &pipe->decode, pipe->origin, &run_ops, error);
    pipe->decode.pipe = pipe;
    pipe->decode.links[0] = plan->root[0];
    return result;
}

static struct pipe *pipe_create(struct run *run, struct plan_node *origin,
                                struct weir_error *error)
{
    const struct plan_pipe *plan = &origin->pipe;
    struct pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe) goto fail;
    pipe->run = run;
    pipe->origin = origin;
    pipe->lanes = calloc(plan->n_steps ? plan->n_steps : 1, sizeof *pipe->lanes);
    pipe->outboxes = calloc(plan->n_leaves ? plan->n_leaves : 1, sizeof *pipe->outboxes);
    if (!pipe->lanes || !pipe->outboxes) goto fail;
    if (pipe_lanes(run, pipe, error) != WEIR_OK) goto fail;
    return pipe;
fail:
    weir_fail(error, WEIR_FATAL, "out of memory");
    pipe_destroy(pipe);
    return NULL;
}

void pipe_destroy(struct pipe *pipe)
{
    if (!pipe) return;
    for (uint32_t i = 0; pipe->lanes && i < pipe->origin->pipe.n_steps; i++)
        lane_fini(&pipe->lanes[i]);
    lane_fini(&pipe->decode);
    for (uint32_t i = 0; pipe->outboxes && i < pipe->origin->pipe.n_leaves; i++)
        outbox_fini(&pipe->outboxes[i]);
    rejects_free(pipe->rejects);
    free(pipe->lanes);
    free(pipe->outboxes);
    free(pipe);
}

struct pipe *pipe_take(struct run *run, struct plan_node *origin, struct weir_error *error)
{
    pthread_mutex_lock(run->pool_lock);
    struct pipe *pipe = run->pools[origin->index];
    if (pipe) run->pools[origin->index] = pipe->next;
    pthread_mutex_unlock(run->pool_lock);
    if (!pipe) pipe = pipe_create(run, origin, error);
    if (pipe) pipe->next = NULL;
    return pipe;
}

void pipe_give(struct pipe *pipe)
{
    struct run *run = pipe->run;
    for (uint32_t i = 0; i < pipe->origin->pipe.n_leaves; i++) outbox_fini(&pipe->outboxes[i]);
    pthread_mutex_lock(run->pool_lock);
    pipe->next = run->pools[pipe->origin->index];
    run->pools[pipe->origin->index] = pipe;
    pthread_mutex_unlock(run->pool_lock);
}

int32_t pipe_begin(struct pipe *pipe, struct batch *batch, uint32_t partition, const char *name,
                   struct weir_error *error)
{
    const struct plan_pipe *plan = &pipe->origin->pipe;
    pipe->batch = batch;
    pipe->failed = NULL;
    pipe->partition = partition;
    pipe->partition_name = name;
    pipe->rows_in = pipe->rows_bad = 0;
    pipe->watermark = WEIR_WATERMARK_NONE;
    memset(&pipe->position, 0, sizeof pipe->position);
    pipe->decode.context.batch = batch->id;
    pipe->decode.context.time_us = batch->time_us;
    pipe->decode.context.partition = partition;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        if (!needs_lane(&plan->steps[i])) continue;
        int32_t result = lane_begin(&pipe->lanes[i], batch, partition, error);
        if (result != WEIR_OK) return blame(pipe, pipe->lanes[i].node, result);
    }
    return WEIR_OK;
}

/* ---- pushing ---- */

/* A chunk that waits for the end of the batch holds all of its rows. Where few of them are selected, these alone
 * are kept: what the others take could be used again at once. */
static struct weir_chunk *worth_keeping(struct weir_chunk *chunk, struct weir_error *error)
{
    if (chunk->selection && chunk->selected <= chunk->rows / SPARSE) return chunk_compact(chunk, error);
    chunk_retain(chunk);
    return chunk;
}

static void note_seen(struct batch *batch, const struct plan_node *node,
                      const struct weir_chunk *chunk)
{
    atomic_fetch_add(&batch->seen[node->index], chunk->selected);
}

static int32_t leaf_keep(struct pipe *pipe, const struct plan_step *step, struct weir_chunk *chunk,
                         struct weir_error *error)
{
    struct outbox *box = &pipe->outboxes[step->slot];
    struct weir_chunk *kept = worth_keeping(chunk, error);
    if (!kept) return WEIR_FATAL;
    if (step->node->kind == JOB_SINK) {
        if (outbox_add(box, (struct packet){ kept, NULL, NULL }) == WEIR_OK) return WEIR_OK;
        return weir_fail(error, WEIR_FATAL, "out of memory");
    }
    int32_t result = exchange_scatter(pipe->run, step->node, step->input, kept, box, error);
    chunk_release(kept);
    return result;
}

static int32_t leaf_take(struct pipe *pipe, uint32_t at, struct weir_chunk *chunk,
                         struct weir_error *error)
{
    const struct plan_step *step = &pipe->origin->pipe.steps[at];
    if (step->node->kind == JOB_SINK || !step->node->has_combine)
        return leaf_keep(pipe, step, chunk, error);
    struct lane *lane = &pipe->lanes[at];
    const struct weir_chunk *before = lane->current;
    lane->current = chunk;
    note_seen(pipe->batch, lane->node, chunk);
    int32_t result = operator_of(lane->node)->combine(lane->node->self, lane->self, step->input,
                                                      chunk, error);
    lane->current = before;
    return blame(pipe, lane->node, result);
}

static int32_t step_push(struct pipe *pipe, uint32_t at, struct weir_chunk *chunk,
                         struct weir_error *error)
{
    const struct plan_step *step = &pipe->origin->pipe.steps[at];
    struct weir_chunk *compact = NULL;
    if (chunk->selection && needs_lane(step) &&
        !(step->node->component->capabilities & WEIR_CAP_SELECTION)) {
        compact = chunk_compact(chunk, error);
        if (!compact) return WEIR_FATAL;
        chunk = compact;
    }
    int32_t result;
    if (step->leaf) {
        result = leaf_take(pipe, at, chunk, error);
    } else {
        struct lane *lane = &pipe->lanes[at];
        lane->current = chunk;
        note_seen(pipe->batch, lane->node, chunk);
        result = operator_of(lane->node)->process(lane->node->self, lane->self, step->input, chunk,
                                                  error);
        blame(pipe, lane->node, result);
        lane->current = NULL;
    }
    chunk_release(compact);
    return result;
}

/* Pushes to the step `link` and its siblings. */
static int32_t links_push(struct pipe *pipe, int32_t link, struct weir_chunk *chunk,
                          struct weir_error *error)
{
    for (; link >= 0; link = pipe->origin->pipe.steps[link].sibling) {
        int32_t result = step_push(pipe, (uint32_t)link, chunk, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

/* Tests give the rows of a chunk in many: no result may show where chunks end. */
static int32_t push_in_parts(struct pipe *pipe, int32_t link, const struct weir_chunk *chunk,
                             uint32_t most, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    uint32_t *rows = mem_alloc((uint64_t)most * sizeof *rows);
    if (!rows) return weir_fail(error, WEIR_FATAL, "out of memory");
    for (uint32_t from = 0; from < chunk->selected && result == WEIR_OK; from += most) {
        uint32_t n = chunk->selected - from < most ? chunk->selected - from : most;
        for (uint32_t i = 0; i < n; i++) rows[i] = weir_row(chunk, from + i);
        struct weir_chunk *part = chunk_view(chunk, rows, n, 1);
        result = part ? links_push(pipe, link, part, error)
                      : weir_fail(error, WEIR_FATAL, "out of memory");
        chunk_release(part);
    }
    mem_free(rows);
    return result;
}

int32_t pipe_push(struct pipe *pipe, uint32_t output, struct weir_chunk *chunk,
                  struct weir_error *error)
{
    const int32_t link = pipe->origin->pipe.root[output];
    const uint32_t most = pipe->batch->run->options->chunk_rows;
    if (chunk->selected == 0) return WEIR_OK;
    if (most && chunk->selected > most) return push_in_parts(pipe, link, chunk, most, error);
    return links_push(pipe, link, chunk, error);
}

int32_t pipe_decode(struct pipe *pipe, const struct ArrowArray *raw, struct weir_error *error)
{
    const struct plan_node *node = pipe->origin;
    const struct weir_format *format = node->format->table;
    const struct ArrowArray *bytes = raw->children[node->bytes_column];
    const int32_t *offsets = bytes->buffers[1];
    int whole = (node->component->capabilities & WEIR_CAP_RECORDS) != 0;
    for (int64_t row = 0; row < raw->length; row += whole ? raw->length : 1) {
        struct weir_records records = { .size = sizeof records };
        int32_t from = whole ? 0 : offsets[row];
        int32_t until = whole ? offsets[raw->length] : offsets[row + 1];
        records.bytes = (const uint8_t *)bytes->buffers[2] + from;
        records.length = (uint64_t)(until - from);
        if (whole) {
            records.offsets = offsets;
            records.n_offsets = (uint32_t)raw->length + 1;
        }
        if (node->head_column >= 0 && !weir_is_null(raw->children[node->head_column], (uint32_t)row))
            records.head = weir_get_bytes(raw->children[node->head_column], (uint32_t)row);
        int32_t result =
            format->decode(node->format_self, pipe->decode.self, &records, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

/* ---- ending ---- */

/* What a lane of a watermark operator saw goes to the batch. */
static void take_watermark(struct pipe *pipe, struct lane *lane)
{
    const struct weir_operator *table = operator_of(lane->node);
    struct batch *batch = pipe->batch;
    struct weir_event_times times = { .count = 0 };
    int64_t proposal = table->lane_watermark(lane->node->self, lane->self);
    int64_t *slot = &batch->watermarks[lane->node->index];
    if (table->lane_event_times)
        table->lane_event_times(lane->node->self, lane->self, &times);
    pthread_mutex_lock(pipe->run->pool_lock);
    if (proposal > *slot) *slot = proposal;
    event_times_join(&batch->event_times[lane->node->index], &times);
    pthread_mutex_unlock(pipe->run->pool_lock);
}

static int32_t lane_end(struct pipe *pipe, struct lane *lane, uint32_t input,
                        struct weir_error *error)
{
    const struct weir_operator *table = operator_of(lane->node);
    int32_t result = WEIR_OK;
    lane->begun = 0;
    if (lane->leaf >= 0)
        return table->combine_end
                   ? table->combine_end(lane->node->self, lane->self, input, error)
                   : WEIR_OK;
    if (table->end_input) result = table->end_input(lane->node->self, lane->self, input, error);
    if (result == WEIR_OK && table->advance)
        result = table->advance(lane->node->self, lane->self, error);
    if (result == WEIR_OK && table->lane_watermark) take_watermark(pipe, lane);
    return result;
}

static int32_t links_end(struct pipe *pipe, int32_t link, struct weir_error *error)
{
    const struct plan_pipe *plan = &pipe->origin->pipe;
    for (; link >= 0; link = plan->steps[link].sibling) {
        const struct plan_step *step = &plan->steps[link];
        if (!needs_lane(step)) continue;
        int32_t result = lane_end(pipe, &pipe->lanes[link], step->input, error);
        blame(pipe, step->node, result);
        for (int k = 0; result == WEIR_OK && !step->leaf && k < 4; k++)
            result = links_end(pipe, step->child[k], error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static int32_t flush_exchanges(struct pipe *pipe, struct weir_error *error)
{
    const struct plan_pipe *plan = &pipe->origin->pipe;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < plan->n_steps && result == WEIR_OK; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->leaf && step->node->kind == JOB_OPERATOR)
            result = exchange_flush(pipe->run, step->node, step->input,
                                    &pipe->outboxes[step->slot], error);
    }
    return result;
}

int32_t pipe_end(struct pipe *pipe, struct weir_error *error)
{
    for (int k = 0; k < 4; k++) {
        int32_t result = links_end(pipe, pipe->origin->pipe.root[k], error);
        if (result != WEIR_OK) return result;
    }
    return flush_exchanges(pipe, error);
}

/* ---- emit ---- */

static void kept_elsewhere(struct ArrowArray *array)
{
    (void)array;
}

/* A column by itself, as the one child of a root: nulls are for columns, not for roots. */
static int32_t check_column(const struct ArrowSchema *type, struct ArrowArray *column,
                            struct weir_error *error)
{
    const void *buffers[1] = { NULL };
    struct ArrowSchema *types[1] = { (struct ArrowSchema *)(uintptr_t)type };
    struct ArrowSchema schema = { .format = "+s", .name = "", .n_children = 1, .children = types };
    struct ArrowArray root = { .length = column->length, .n_buffers = 1, .n_children = 1,
                               .buffers = buffers, .children = &column,
                               .release = kept_elsewhere };
    return array_validate(&schema, &root, 0, error);
}

static int32_t check_new_columns(const struct lane *lane, const struct ArrowSchema *schema,
                                 const struct weir_emission *emission, struct weir_error *error)
{
    if (emission->n_columns != (uint64_t)schema->n_children)
        return weir_fail(error, WEIR_DATA, "\"%s\" emitted %u columns, not %lld", lane->node->name,
                         emission->n_columns, (long long)schema->n_children);
    for (uint32_t c = 0; c < emission->n_columns; c++) {
        const struct weir_output_column *column = &emission->columns[c];
        const struct ArrowSchema *type = schema->children[c];
        if (column->input >= 0) {
            if (!emission->from || column->input >= emission->from->schema->n_children ||
                emission->rows != emission->from->rows ||
                !schema_same_type(emission->from->schema->children[column->input], type))
                return weir_fail(error, WEIR_DATA,
                                 "\"%s\" emitted an input column that does not fit column \"%s\"",
                                 lane->node->name, type->name);
            continue;
        }
        if (!column->array || column->array->length != (int64_t)emission->rows)
            return weir_fail(error, WEIR_DATA, "\"%s\" emitted column \"%s\" with a wrong length",
                             lane->node->name, type->name);
        if (check_column(type, column->array, error) != WEIR_OK) return WEIR_DATA;
    }
    return WEIR_OK;
}

static int32_t check_rows(const struct lane *lane, const struct weir_emission *emission,
                          struct weir_error *error)
{
    if (emission->rows > WEIR_CHUNK_MAX_ROWS)
        return weir_fail(error, WEIR_DATA, "\"%s\" emitted %u rows in one chunk; %u are the limit",
                         lane->node->name, emission->rows, WEIR_CHUNK_MAX_ROWS);
    for (uint32_t i = 0; emission->selection && i < emission->selected; i++)
        if (emission->selection[i] >= emission->rows ||
            (i && emission->selection[i] <= emission->selection[i - 1]))
            return weir_fail(error, WEIR_DATA, "\"%s\" emitted a selection that is not ascending",
                             lane->node->name);
    return WEIR_OK;
}

static void drop_columns(const struct weir_emission *emission)
{
    for (uint32_t c = 0; c < emission->n_columns; c++)
        if (emission->columns[c].input < 0) array_release(emission->columns[c].array);
}

int32_t emission_chunk(struct lane *lane, const struct weir_emission *emission,
                       struct weir_chunk **out, struct weir_error *error)
{
    int uncombined = emission->output == WEIR_OUTPUT_UNCOMBINED;
    int exchange = emission->output == WEIR_OUTPUT_EXCHANGE || uncombined;
    const struct ArrowSchema *schema = NULL;
    *out = NULL;
    if (exchange && lane->leaf >= 0) {
        const struct plan_step *step = &lane->pipe->origin->pipe.steps[lane->leaf];
        schema = uncombined ? &step->node->uncombined : &step->node->exchange[step->input];
        if (!schema->release) schema = NULL;
    } else if (!exchange && lane->leaf < 0 && emission->output < lane->n_outputs) {
        schema = lane->schemas[emission->output];
    }
    int32_t result = WEIR_OK;
    if (!schema)
        result = weir_fail(error, WEIR_DATA, "\"%s\" emitted to output %u, which it does not have",
                           lane->node->name, emission->output);
    if (result == WEIR_OK) result = check_rows(lane, emission, error);
    if (result == WEIR_OK) result = check_new_columns(lane, schema, emission, error);
    uint32_t rows = emission->selection ? emission->selected : emission->rows;
    if (result != WEIR_OK || rows == 0) {
        drop_columns(emission);
        return result;
    }
    struct weir_chunk *chunk =
        chunk_derive(schema, emission->from, emission->columns, emission->n_columns,
                     emission->rows, emission->selection, rows);
    if (!chunk) return weir_fail(error, WEIR_FATAL, "out of memory");
    chunk->batch = lane->context.batch;
    chunk->partition = lane->context.partition;
    *out = chunk;
    return WEIR_OK;
}

static int32_t lane_emit(struct weir_context *context, const struct weir_emission *emission,
                         struct weir_error *error)
{
    struct lane *lane = context->owner;
    struct pipe *pipe = lane->pipe;
    struct weir_chunk *chunk;
    if (lane == &pipe->decode) {
        pipe->rows_in += emission->left_out;
        if (emission->rows == 0) return WEIR_OK;
    }
    int32_t result = emission_chunk(lane, emission, &chunk, error);
    if (result != WEIR_OK || !chunk) return result;
    if (lane->leaf >= 0) {
        const struct plan_step *step = &pipe->origin->pipe.steps[lane->leaf];
        result = exchange_scatter(pipe->run, step->node, step->input, chunk,
                                  &pipe->outboxes[step->slot], error);
    } else {
        if (lane == &pipe->decode) pipe->rows_in += chunk->selected;
        result = links_push(pipe, lane->links[emission->output], chunk, error);
    }
    chunk_release(chunk);
    return result;
}

static int32_t lane_cancelled(struct weir_context *context)
{
    struct lane *lane = context->owner;
    return lane->pipe->run->stopping > 1 || lane->pipe->run->failed;
}

static void lane_count(struct weir_context *context, const char *name, int64_t delta)
{
    struct lane *lane = context->owner;
    pthread_mutex_lock(lane->pipe->run->pool_lock);
    counters_add(&lane->pipe->batch->counters[lane->node->index], name, delta);
    pthread_mutex_unlock(lane->pipe->run->pool_lock);
}

static void no_gauge(struct weir_context *context, const char *name, double value)
{
    (void)context;
    (void)name;
    (void)value;
}

const struct context_ops run_ops = { .emit = lane_emit,
                                     .reject = lane_reject,
                                     .reject_bytes = lane_reject_bytes,
                                     .cancelled = lane_cancelled,
                                     .count = lane_count,
                                     .gauge = no_gauge };

/* ---- lanes of origins ---- */

static int32_t push_compact(struct pipe *pipe, uint32_t output, struct weir_chunk *chunk,
                            const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    struct weir_chunk *part = chunk_view(chunk, rows, n, 1);
    if (!part) return weir_fail(error, WEIR_FATAL, "out of memory");
    int32_t result = pipe_push(pipe, output, part, error);
    chunk_release(part);
    return result;
}

/* Rows of one chunk over the visible partitions: row i of the stream to i mod n, or hash mod n. */
static int32_t spread(struct origin_lane *origin, uint32_t output, struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct plan_node *node = origin->lane.node;
    uint32_t n = origin->n_pipes, *rows = mem_alloc((uint64_t)chunk->selected * 4 + 4);
    int by_hash = node->bound.spread == 1 && chunk->hash;
    int32_t result = rows ? WEIR_OK : weir_fail(error, WEIR_FATAL, "out of memory");
    for (uint32_t p = 0; p < n && result == WEIR_OK; p++) {
        uint32_t k = 0;
        for (uint32_t i = 0; i < chunk->selected; i++) {
            uint32_t row = weir_row(chunk, i);
            uint64_t at = by_hash ? chunk->hash[row] : origin->spread_row + i;
            if (at % n == p) rows[k++] = row;
        }
        if (k) result = push_compact(origin->pipes[p], output, chunk, rows, k, error);
    }
    origin->spread_row += chunk->selected;
    mem_free(rows);
    return result;
}

static int32_t origin_emit(struct weir_context *context, const struct weir_emission *emission,
                           struct weir_error *error)
{
    struct origin_lane *origin = context->owner;
    struct weir_chunk *chunk;
    int32_t result = emission_chunk(&origin->lane, emission, &chunk, error);
    if (result != WEIR_OK || !chunk) return result;
    if (origin->n_pipes > 1) {
        if (emission->from && emission->from->hash && !chunk->hash) {
            uint64_t *hash = mem_alloc((uint64_t)chunk->rows * 8 + 8);
            if (hash) memcpy(hash, emission->from->hash, (size_t)chunk->rows * 8);
            if (hash) chunk_set_hash(chunk, hash);
        }
        result = spread(origin, emission->output, chunk, error);
    } else {
        result = pipe_push(origin->pipes[0], emission->output, chunk, error);
    }
    chunk_release(chunk);
    return result;
}

const struct context_ops run_origin_ops = { .emit = origin_emit,
                                            .reject = lane_reject,
                                            .reject_bytes = lane_reject_bytes,
                                            .cancelled = lane_cancelled,
                                            .count = lane_count,
                                            .gauge = no_gauge };
