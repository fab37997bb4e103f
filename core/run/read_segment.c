/*
 * read_segment.c - segments: what a worker does with a stretch of a partition.
 *
 * A segment is SEGMENT_RECORDS consecutive records of a partition within a batch (the last one has
 * fewer). Reading a partition is serial: one task at a time holds the reader's token, calls `next` until the
 * segment is full, passes the token on with a new segment, and then runs its own rows through the
 * operators. So partitions and segments run side by side on the workers, while rows are still hot.
 *
 * Invariants:
 *  1. Segments are cut by number of records since the batch began, never by blocks, time or memory; so
 *     the same range of positions gives the same segments on a replay.
 *  2. Only the holder of the token touches position, counts and flags of a reader; the coordinator does so when
 *     no task of the reader is under way.
 */
#include "core/run/read_segment.h"

#include <stdlib.h>

#include "core/data/block.h"
#include "core/run/read.h"
#include "core/run/reject.h"

#define SPOOL_LONG 0xffffffff00000000ull /* in the place of records: a long record of so many bytes follows */
#define BLOCK_BYTES (1u << 20)       /* asked of `next` at once */
#define LEAST_PORTION 512u
#define SEGMENT_BYTES (16u << 20)    /* then a segment processes what it has before it reads on */

static const struct weir_source *source_table(const struct reader *reader)
{
    return reader->node->component->table;
}

/* ---- records over max_record ---- */

static int32_t copy_position(struct weir_bytes from, uint8_t **to, uint64_t *length,
                             struct weir_error *error)
{
    *to = malloc(from.length + 1);
    if (!*to) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (from.length) memcpy(*to, from.data, from.length);
    *length = from.length;
    return WEIR_OK;
}

/* The segment whose `next` runs on this thread: `frame` has no other way to know it. */
static _Thread_local struct segment *calling;

static int32_t keep_long_record(struct segment *segment, const uint8_t *bytes, uint64_t length,
                                struct weir_error *error)
{
    struct long_record *record = calloc(1, sizeof *record);
    if (!record) return weir_fail(error, WEIR_FATAL, "out of memory");
    record->length = length < LONG_RECORD_KEPT ? (uint32_t)length : LONG_RECORD_KEPT;
    if (record->length) memcpy(record->bytes, bytes, record->length);
    const struct reader *reader = segment->reader;
    int32_t result = copy_position((struct weir_bytes){ reader->position, reader->position_length },
                                   &record->position, &record->position_length, error);
    if (result != WEIR_OK) {
        free(record);
        return result;
    }
    struct long_record **last = &segment->long_records;
    while (*last) last = &(*last)->next;
    *last = record;
    return WEIR_OK;
}

static int32_t frame_plain(const struct plan_node *node, struct weir_bytes bytes, uint32_t flags,
                           uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    const struct weir_format *format = node->format->table;
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    int32_t result =
        format->frame(node->format_self, bytes, flags & ~WEIR_FRAME_INSIDE, max_records, out, error);
    if (result == WEIR_OK && (out->end > bytes.length || out->head_end > out->end))
        return weir_fail(error, WEIR_FATAL, "format \"%s\" framed beyond its bytes",
                         node->format->name);
    return result;
}

/* The host's `frame`: the format's own, and records over max_record skipped. */
int32_t source_frame(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                            uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct source *source = context->owner;
    const struct plan_node *node = source->node;
    if (!node->format) return weir_fail(error, WEIR_UNSUPPORTED, "the source has no format");
    int inside = (flags & WEIR_FRAME_INSIDE) != 0;
    int32_t result = frame_plain(node, bytes, flags, inside ? 1 : max_records, out, error);
    if (result != WEIR_OK) return result;
    if (inside) { /* up to the next separator, which ends the long record */
        out->skipped = out->end ? out->end : bytes.length;
        out->flags = out->end || (flags & WEIR_FRAME_END) ? 0 : WEIR_FRAME_INSIDE;
        out->end = out->head_end = out->records = 0;
    } else if (out->end == 0 && bytes.length > node->max_record) {
        out->skipped = bytes.length;
        out->flags = flags & WEIR_FRAME_END ? 0 : WEIR_FRAME_INSIDE;
        if (calling) return keep_long_record(calling, bytes.data, bytes.length, error);
    }
    return WEIR_OK;
}

/* ---- reading ---- */

static int is_at(const struct reader *reader, struct weir_bytes position)
{
    return position.length == reader->position_length &&
           (position.length == 0 || memcmp(position.data, reader->position, position.length) == 0);
}

static uint64_t records_of(const struct reader *reader, const struct weir_next_result *out)
{
    if (!out->array.release) return 0;
    if (reader->node->format && !(reader->node->component->capabilities & WEIR_CAP_RECORDS))
        return out->records;
    return (uint64_t)out->array.length;
}

/* What a source returns is checked like input. */
static int32_t check_answer(const struct reader *reader, const struct weir_next *in,
                            const struct weir_next_result *out, struct weir_error *error)
{
    const char *name = reader->node->name, *plugin = reader->node->component->name;
    uint64_t rows = (uint64_t)out->array.length;
    uint64_t n = out->records > rows ? out->records : rows;
    if (n > in->max_rows)
        return weir_fail(error, WEIR_FATAL, "source \"%s\" (%s) gave %llu rows of partition \"%s\" at "
                         "once, where %llu were asked for: a mistake in the plugin", name, plugin,
                         (unsigned long long)n, reader->name, (unsigned long long)in->max_rows);
    if (rows && (!out->position.data || is_at(reader, out->position)))
        return weir_fail(error, WEIR_FATAL, "source \"%s\" (%s) gave %llu rows of partition \"%s\" "
                         "without a new position, so they would come again: a mistake in the plugin",
                         name, plugin, (unsigned long long)rows, reader->name);
    return WEIR_OK;
}

static int32_t add_block(struct segment *segment, struct weir_next_result *out,
                         struct weir_error *error)
{
    struct reader *reader = segment->reader;
    struct weir_bytes first = out->first;
    const struct plan_node *node = reader->node;
    const struct ArrowSchema *schema = node->format ? &node->raw : &node->outputs[0].schema;
    if (segment->n_blocks == segment->capacity) {
        uint32_t capacity = segment->capacity ? segment->capacity * 2 : 8;
        struct block *blocks = realloc(segment->blocks, capacity * sizeof *blocks);
        if (!blocks) goto fail;
        segment->blocks = blocks;
        segment->capacity = capacity;
    }
    if (array_validate(schema, &out->array, 0, error) != WEIR_OK) {
        array_release(&out->array);
        return WEIR_FATAL;
    }
    struct block *block = &segment->blocks[segment->n_blocks];
    if (!first.data) first = (struct weir_bytes){ reader->position, reader->position_length };
    if (first.length > WEIR_POSITION_MAX) first.length = 0;
    if (copy_position(first, &block->position, &block->position_length, error) != WEIR_OK) goto fail;
    segment->n_blocks++;
    block->array = out->array;
    block->records = records_of(reader, out);
    uint64_t bytes = array_bytes(schema, &out->array);
    segment->records += block->records;
    segment->bytes += bytes;
    reader->rows += block->records;
    reader->bytes += bytes;
    atomic_fetch_add(&segment->batch->bytes, bytes);
    atomic_fetch_add(&segment->batch->rows, block->records);
    return WEIR_OK;
fail:
    array_release(&out->array);
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static int32_t move_to(struct reader *reader, struct weir_bytes position, struct weir_error *error)
{
    if (is_at(reader, position)) return WEIR_OK;
    if (!reader->moved) { /* where the batch began */
        reader->from = malloc(reader->position_length + 1);
        if (!reader->from) return weir_fail(error, WEIR_FATAL, "out of memory");
        if (reader->position_length)
            memcpy(reader->from, reader->position, reader->position_length);
        reader->from_length = reader->position_length;
        reader->moved = 1;
    }
    int32_t result = reader_set_position(reader, position.data, position.length);
    if (result == WEIR_DATA)
        return weir_fail(error, WEIR_FATAL, "source \"%s\" gave a position of %llu bytes; %u are the "
                         "limit", reader->node->name, (unsigned long long)position.length,
                         WEIR_POSITION_MAX);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

static int at_replay_end(const struct reader *reader)
{
    return reader->replay && is_at(reader, reader->replay_to);
}

static uint64_t bytes_of(const struct ArrowArray *column)
{
    const int32_t *offsets = column->buffers[1];
    return (uint64_t)(offsets[column->length] - offsets[0]);
}

/* One block of a spooled batch instead of a call of `next`. Where a block began was not kept: it is counted from
 * the beginning of the batch, which is right but for records over max_record and a head. */
static int32_t replay_block(struct segment *segment, struct weir_error *error)
{
    struct reader *reader = segment->reader;
    const struct plan_node *node = reader->node;
    struct weir_next_result out = { .size = sizeof out };
    struct ArrowSchema schema = { 0 };
    uint64_t left = reader->spool.length - reader->replay_at, used;
    const uint8_t *at = reader->spool.data + reader->replay_at;
    if (left == 0) {
        reader->stopped = 1;
        return move_to(reader, reader->replay->until, error);
    }
    if (left < 8) return weir_fail(error, WEIR_DATA, "the spool of the batch is cut short");
    memcpy(&out.records, at, 8);
    if ((out.records & SPOOL_LONG) == SPOOL_LONG) {
        uint64_t length = out.records & ~SPOOL_LONG;
        if (length > LONG_RECORD_KEPT || length > left - 8)
            return weir_fail(error, WEIR_DATA, "the spool of the batch is cut short");
        reader->replay_at += 8 + length;
        return keep_long_record(segment, at + 8, length, error);
    }
    struct weir_bytes all = { at + 8, left - 8 };
    if (block_decode(all, UINT64_MAX, &schema, &out.array, &used, error) != WEIR_OK)
        return WEIR_DATA;
    schema_release(&schema);
    reader->replay_at += 8 + used;
    uint32_t length = 0;
    uint8_t place[WEIR_POSITION_MAX];
    struct weir_bytes from = { reader->position, reader->position_length };
    uint64_t spooled = node->bytes_column >= 0 && out.array.n_children > node->bytes_column
                           ? bytes_of(out.array.children[node->bytes_column]) : 0;
    if (source_table(reader)->place &&
        source_table(reader)->place(node->self, from, reader->replay_bytes, 0, place, &length) ==
        WEIR_OK)
        out.first = (struct weir_bytes){ place, length };
    reader->replay_bytes += spooled;
    return add_block(segment, &out, error);
}

/* How much is read before it is processed: all workers together keep within an eighth of the share. */
static uint64_t bytes_at_once(const struct run *run)
{
    uint64_t bytes = run->in_flight_limit / 8 / run->n_workers;
    return bytes < SEGMENT_BYTES ? bytes : SEGMENT_BYTES;
}

static uint64_t block_bytes(struct source *source)
{
    uint64_t bytes = atomic_load(&source->portion);
    return bytes > BLOCK_BYTES ? BLOCK_BYTES : bytes;
}

/* Readers share the budget of their source. A part of it is taken before `next` is called, and what was not used is
 * given back behind it, so all of them together never get more than there is. 0: nothing is left now. */
static uint64_t reserve(struct source *source, uint64_t rows)
{
    long long left = atomic_load(&source->budget), part;
    atomic_fetch_add(&source->reserved, (long long)rows); /* before the budget shrinks */
    do {
        part = left < (long long)rows ? left : (long long)rows;
        if (part <= 0) {
            part = 0;
            break;
        }
    } while (!atomic_compare_exchange_weak(&source->budget, &left, left - part));
    atomic_fetch_sub(&source->reserved, (long long)rows - part);
    return (uint64_t)part;
}

static void settle(struct source *source, uint64_t reserved, uint64_t used)
{
    if (used < reserved) atomic_fetch_add(&source->budget, (long long)(reserved - used));
    atomic_fetch_sub(&source->reserved, (long long)reserved);
}

static int32_t ask_next(struct segment *segment, const struct weir_next *in,
                        struct weir_next_result *out, struct weir_error *error)
{
    const struct plan_node *node = segment->reader->node;
    int serial = (node->component->capabilities & WEIR_CAP_SERIAL) != 0;
    if (serial) pthread_mutex_lock(&segment->source->one_next);
    calling = segment;
    int32_t result = source_table(segment->reader)->next(node->self, in, out, error);
    calling = NULL;
    if (serial) pthread_mutex_unlock(&segment->source->one_next);
    return result;
}

static int32_t call_next(struct segment *segment, struct weir_error *error)
{
    struct reader *reader = segment->reader;
    struct batch *batch = segment->batch;
    struct weir_next in = { .size = sizeof in,
                            .partition_index = reader->index,
                            .partition = reader->name,
                            .max_rows = SEGMENT_RECORDS - segment->records,
                            .max_bytes = block_bytes(segment->source),
                            .deadline_us = sys_now(reader->run->sys) + 100000,
                            .batch_time_us = batch->time_us,
                            .batch = batch->id,
                            .unlimited = reader->run->job->trigger == TRIGGER_ONCE };
    struct weir_next_result out = { .size = sizeof out };
    in.from = (struct weir_bytes){ reader->position, reader->position_length };
    if (reader->replay) in.replay_to = reader->replay_to;
    in.max_rows = reserve(segment->source, in.max_rows);
    if (in.max_rows == 0) {
        reader->starved = 1;
        return WEIR_OK;
    }
    reader->woken = 0;
    int32_t result = ask_next(segment, &in, &out, error);
    settle(segment->source, in.max_rows, result == WEIR_OK ? records_of(reader, &out) : 0);
    if (result != WEIR_OK) {
        array_release(&out.array);
        return result;
    }
    int has_rows = out.array.release != NULL;
    if (has_rows) {
        result = check_answer(reader, &in, &out, error);
        if (result == WEIR_OK)
            result = add_block(segment, &out, error);
        else
            array_release(&out.array);
    }
    if (result == WEIR_OK && out.position.data) result = move_to(reader, out.position, error);
    if (out.flags & WEIR_NEXT_END) reader->ended = reader->stopped = 1;
    if ((out.flags & WEIR_NEXT_LAST) && reader->ended) reader->final = 1;
    if (out.flags & WEIR_NEXT_ABSENT) reader->absent = reader->stopped = 1;
    if (out.flags & WEIR_NEXT_BATCH_END) reader->stopped = 1;
    if (!has_rows && !(out.flags & (WEIR_NEXT_END | WEIR_NEXT_ABSENT | WEIR_NEXT_MORE |
                                    WEIR_NEXT_BATCH_END)))
        reader->pending = 1;
    return result;
}

/* `next` answered RETRY: what was read before stands, and the reader waits. */
static void go_away(struct segment *segment, struct weir_error *error)
{
    segment->away = 1;
    segment->away_error = *error;
    weir_error_init(error);
    segment->reader->pending = segment->reader->away = 1;
}

/* Fills the segment while it has the token. */
static int32_t segment_read(struct segment *segment, struct weir_error *error)
{
    struct reader *reader = segment->reader;
    struct batch *batch = segment->batch;
    reader->pending = 0;
    uint64_t enough = atomic_load(&segment->source->portion);
    while (segment->records < SEGMENT_RECORDS && segment->bytes < enough) {
        if (reader->stopped || reader->pending || reader->starved) break;
        if (atomic_load(&batch->closing) && !reader->replay) break;
        if (reader->run->stopping > 1 || reader->run->failed) break;
        int32_t result;
        if (reader->replay && reader->spool.data) {
            result = replay_block(segment, error);
        } else if (at_replay_end(reader)) {
            reader->stopped = 1;
            break;
        } else {
            result = call_next(segment, error);
        }
        if (result == WEIR_RETRY) go_away(segment, error);
        if (result == WEIR_PENDING) reader->pending = 1;
        if (reader->pending) break;
        if (result != WEIR_OK) return result;
        if (!reader->spool.data && at_replay_end(reader)) reader->stopped = 1;
    }
    return WEIR_OK;
}

static int32_t spool_blocks(struct segment *segment, struct weir_error *error)
{
    struct reader *reader = segment->reader;
    const struct plan_node *node = reader->node;
    const struct ArrowSchema *schema = node->format ? &node->raw : &node->outputs[0].schema;
    for (const struct long_record *r = segment->long_records; r; r = r->next) {
        uint64_t mark = SPOOL_LONG | r->length;
        if (buffer_add(&reader->spool, &mark, 8) != WEIR_OK ||
            buffer_add(&reader->spool, r->bytes, r->length) != WEIR_OK)
            return weir_fail(error, WEIR_FATAL, "out of memory");
    }
    for (uint32_t i = 0; i < segment->n_blocks; i++) {
        struct block *block = &segment->blocks[i];
        struct weir_chunk header = { .size = sizeof header,
                                     .rows = (uint32_t)block->array.length,
                                     .selected = (uint32_t)block->array.length,
                                     .array = &block->array,
                                     .schema = schema };
        if (buffer_add(&reader->spool, &block->records, 8) != WEIR_OK)
            return weir_fail(error, WEIR_FATAL, "out of memory");
        int32_t result = block_encode(&header, BLOCK_COMPRESS, &reader->spool, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static int32_t reject_long_records(struct segment *segment, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    while (segment->long_records) {
        struct long_record *record = segment->long_records;
        struct weir_bytes bytes = { record->bytes, record->length };
        segment->pipe->position = (struct weir_bytes){ record->position, record->position_length };
        if (result == WEIR_OK)
            result = lane_reject_bytes(&segment->pipe->decode.context, bytes, WEIR_REJECT_TOO_LONG,
                                       "the record is longer than max_record", error);
        segment->long_records = record->next;
        free(record->position);
        free(record);
    }
    return result;
}

/* RETRY: an operator is not ready; the segment is as before and can be begun again. */
static int32_t segment_begin(struct segment *segment, struct weir_error *error)
{
    struct reader *reader = segment->reader;
    segment->pipe = pipe_take(reader->run, reader->node, error);
    if (!segment->pipe) return error->error_class == WEIR_RETRY ? WEIR_RETRY : WEIR_FATAL;
    segment->pipe->segment = segment->number;
    int32_t result = pipe_begin(segment->pipe, segment->batch,
                                crc32c(0, reader->name, strlen(reader->name)), reader->name, error);
    if (result != WEIR_RETRY) return result;
    pipe_destroy(segment->pipe);
    segment->pipe = NULL;
    return WEIR_RETRY;
}

/* An operator that has rows of the segment already can't be given them twice: the batch fails, and is read again
 * by the next start. */
static int32_t no_second_try(int32_t result, struct weir_error *error)
{
    if (result != WEIR_RETRY) return result;
    weir_fail(error, WEIR_FATAL, "an operator was not ready for rows that it had begun with");
    error->error_class = WEIR_FATAL;
    return WEIR_FATAL;
}

static int32_t segment_process(struct segment *segment, struct weir_error *error)
{
    struct plan_node *node = segment->reader->node;
    int32_t result = segment->pipe ? WEIR_OK : segment_begin(segment, error);
    if (!segment->pipe) return result;
    if (result == WEIR_OK) result = reject_long_records(segment, error);
    for (uint32_t i = 0; i < segment->n_blocks; i++) {
        struct block *block = &segment->blocks[i];
        segment->pipe->position = (struct weir_bytes){ block->position, block->position_length };
        if (result != WEIR_OK) {
            array_release(&block->array);
        } else if (node->format) {
            segment->pipe->raw = &block->array;
            result = pipe_decode(segment->pipe, &block->array, error);
            segment->pipe->raw = NULL;
            array_release(&block->array);
        } else {
            struct weir_chunk *chunk =
                chunk_create(&node->outputs[0].schema, &block->array, NULL, 0);
            if (!chunk) {
                result = weir_fail(error, WEIR_FATAL, "out of memory");
                continue;
            }
            chunk->batch = segment->batch->id;
            chunk->partition = segment->pipe->partition;
            segment->pipe->rows_in += chunk->selected;
            result = pipe_push(segment->pipe, 0, chunk, error);
            chunk_release(chunk);
        }
    }
    for (uint32_t i = 0; i < segment->n_blocks; i++) free(segment->blocks[i].position);
    memset(&segment->pipe->position, 0, sizeof segment->pipe->position);
    segment->n_blocks = 0;
    segment->bytes = 0;
    return no_second_try(result, error);
}

/* What its outboxes have grown by since the last time is in flight. */
static uint64_t count_in_flight(struct segment *segment)
{
    uint64_t bytes = rejects_bytes(segment->pipe->rejects);
    for (uint32_t i = 0; i < segment->reader->node->pipe.n_leaves; i++)
        bytes += segment->pipe->outboxes[i].bytes + segment->pipe->outboxes[i].waiting_bytes;
    if (bytes <= segment->counted) return 0;
    uint64_t grown = bytes - segment->counted;
    atomic_fetch_add(&segment->reader->run->in_flight, bytes - segment->counted);
    atomic_fetch_add(&segment->batch->in_flight, bytes - segment->counted);
    segment->counted = bytes;
    return grown;
}

/* Rows may become many times as much (tokens, explode): the portion that is processed at once follows what the last one
 * became, from a small one on, so that none takes more than its part of the share. */
static void adapt_portion(struct segment *segment, uint64_t bytes, uint64_t grown)
{
    struct source *source = segment->source;
    uint64_t most = bytes_at_once(source->run), portion = atomic_load(&source->portion);
    if (grown > most)
        portion = bytes / (grown / most + 1);
    else if (grown * 2 <= most && bytes * 2 >= portion)
        portion *= 2;
    portion = portion < LEAST_PORTION ? LEAST_PORTION : portion > most ? most : portion;
    atomic_store(&source->portion, portion);
}

static int32_t segment_finish(struct segment *segment, struct weir_error *error)
{
    struct pipe *pipe = segment->pipe;
    uint32_t n = segment->reader->node->pipe.n_leaves;
    int32_t result = no_second_try(pipe_end(pipe, error), error);
    if (result != WEIR_OK) return result;
    count_in_flight(segment);
    segment->outboxes = calloc(n ? n : 1, sizeof *segment->outboxes);
    if (!segment->outboxes) return weir_fail(error, WEIR_FATAL, "out of memory");
    for (uint32_t i = 0; i < n; i++) {
        segment->outboxes[i] = pipe->outboxes[i];
        memset(&pipe->outboxes[i], 0, sizeof pipe->outboxes[i]);
    }
    segment->rejects = pipe->rejects;
    pipe->rejects = NULL;
    segment->rows_in = pipe->rows_in;
    segment->rows_bad = pipe->rows_bad;
    pipe_give(pipe);
    segment->pipe = NULL;
    return WEIR_OK;
}

/* Hands the token to a new segment of the same reader. */
static void pass_token(struct segment *segment)
{
    struct reader *reader = segment->reader;
    segment->finish = 1;
    reader->open = NULL;
    if (reader->stopped || reader->pending || reader->starved) return;
    if (atomic_load(&segment->batch->closing) && !reader->replay) return;
    struct segment *next = segment_create(reader, segment->batch);
    if (!next) return; /* the coordinator kicks the reader again */
    next->may_read = 1;
    atomic_fetch_add(&reader->tasks, 1);
    sys_submit(reader->run->sys, reader->run->workers, &next->task);
}

static void check_memory(struct segment *segment)
{
    struct run *run = segment->reader->run;
    if (atomic_load(&run->in_flight) > run->in_flight_limit ||
        atomic_load(&segment->batch->bytes) > run->batch_bytes)
        atomic_store(&segment->batch->closing, 1);
}

static void segment_run(struct weir_task *task)
{
    struct segment *segment = (struct segment *)(void *)task;
    struct reader *reader = segment->reader;
    struct weir_error *error = &segment->error;
    int read = segment->may_read;
    uint64_t portion;
    int32_t result = WEIR_OK;
    weir_error_init(error);
    segment->may_read = 0;
    if (read) {
        result = segment_read(segment, error);
        if (result == WEIR_OK && segment->source->spooled && !segment->batch->replay)
            result = spool_blocks(segment, error);
        check_memory(segment);
        if (result == WEIR_OK && segment->records >= SEGMENT_RECORDS) pass_token(segment);
        if (reader->ended) segment->finish = 1;
    }
    portion = segment->bytes;
    if (result == WEIR_OK && (segment->n_blocks || segment->long_records || segment->finish))
        result = segment_process(segment, error);
    if (result == WEIR_OK && segment->finish)
        result = segment_finish(segment, error);
    else if (segment->pipe)
        adapt_portion(segment, portion, count_in_flight(segment));
    check_memory(segment);
    segment->result = result;
    sys_post(reader->run->sys, &segment->done);
}

struct segment *segment_create(struct reader *reader, struct batch *batch)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment) return NULL;
    segment->reader = reader;
    segment->source = reader->source;
    segment->batch = batch;
    segment->task.run = segment_run;
    segment->done.run = segment_done;
    if (reader->last) {
        reader->last->next = segment;
        segment->number = reader->last->number + 1;
    }
    if (!reader->first) reader->first = segment;
    reader->last = reader->open = segment;
    return segment;
}

int segment_holds(const struct segment *segment)
{
    return segment->pipe || segment->n_blocks || segment->long_records;
}

void segment_free(struct segment *segment)
{
    if (!segment) return;
    for (uint32_t i = 0; i < segment->n_blocks; i++) {
        array_release(&segment->blocks[i].array);
        free(segment->blocks[i].position);
    }
    free(segment->blocks);
    while (segment->long_records) {
        struct long_record *next = segment->long_records->next;
        free(segment->long_records->position);
        free(segment->long_records);
        segment->long_records = next;
    }
    if (segment->outboxes) {
        for (uint32_t i = 0; i < segment->reader->node->pipe.n_leaves; i++)
            outbox_fini(&segment->outboxes[i]);
        free(segment->outboxes);
    }
    rejects_free(segment->rejects);
    if (segment->pipe) pipe_destroy(segment->pipe);
    free(segment);
}
