/*
 * table_format.c - the part of weir.format/1 by which an operator reads a whole file as a table.
 *
 * The file is decoded in runs of records, as a source's would be, but what the format emits is kept,
 * and a record that it rejects ends the reading: a table has no bad rows. The run is then decoded
 * once more, record by record, to tell the line.
 */
#include "core/load/table_format.h"

#include "core/data/array.h"
#include "core/data/chunk.h"

#include <stdlib.h>

#define RUN_RECORDS 8192u

struct reading {
    const struct table_format *format;
    struct weir_context context; /* of the lane: emit and reject come here */
    void *lane;
    struct weir_bytes all, head;
    struct weir_chunk **chunks;  /* as emitted */
    uint32_t n_chunks, room;
    int quiet;                   /* 1: looking for the bad record, rows are known already */
    int bad;
    char reason[256];
};

static int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* ---- what the format says ---- */

static void drop_columns(const struct weir_emission *emission)
{
    for (uint32_t i = 0; i < emission->n_columns; i++) array_release(emission->columns[i].array);
}

static int32_t reading_emit(struct weir_context *context, const struct weir_emission *emission,
                            struct weir_error *error)
{
    struct reading *reading = context->owner;
    const struct ArrowSchema *schema = &reading->format->schema;
    const uint32_t rows = emission->selection ? emission->selected : emission->rows;
    if (reading->quiet || rows == 0 || emission->n_columns != (uint64_t)schema->n_children) {
        const int wrong = emission->n_columns != (uint64_t)schema->n_children;
        drop_columns(emission);
        return wrong ? weir_fail(error, WEIR_DATA, "a format gave %u columns, not %lld",
                                 emission->n_columns, (long long)schema->n_children)
                     : WEIR_OK;
    }
    if (reading->n_chunks == reading->room) {
        const uint32_t room = reading->room ? reading->room * 2 : 16;
        void *chunks = realloc(reading->chunks, room * sizeof *reading->chunks);
        if (!chunks) {
            drop_columns(emission);
            return no_memory(error);
        }
        reading->chunks = chunks;
        reading->room = room;
    }
    struct weir_chunk *chunk =
        chunk_derive(schema, NULL, emission->columns, emission->n_columns, emission->rows,
                     emission->selection, rows);
    if (!chunk) return no_memory(error);
    reading->chunks[reading->n_chunks++] = chunk;
    return array_validate(schema, (struct ArrowArray *)(uintptr_t)chunk->array, 0, error);
}

static int32_t reading_reject_bytes(struct weir_context *context, struct weir_bytes record,
                                    int32_t code, const char *text, struct weir_error *error)
{
    struct reading *reading = context->owner;
    (void)record;
    (void)code;
    (void)error;
    if (!reading->bad) snprintf(reading->reason, sizeof reading->reason, "%s", text ? text : "");
    reading->bad = 1;
    return WEIR_OK;
}

static const struct context_ops reading_ops = { .emit = reading_emit,
                                                .reject_bytes = reading_reject_bytes };

/* ---- reading ---- */

static int32_t frame(const struct reading *reading, uint64_t at, uint64_t most,
                     struct weir_frame *out, struct weir_error *error)
{
    const struct weir_bytes rest = { reading->all.data + at, reading->all.length - at };
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    int32_t result = reading->format->table->frame(reading->format->self, rest,
                                                   (at ? 0 : WEIR_FRAME_START) | WEIR_FRAME_END,
                                                   most, out, error);
    if (result == WEIR_OK && (out->end > rest.length || out->head_end > out->end))
        return weir_fail(error, WEIR_FATAL, "the format framed beyond its bytes");
    return result;
}

static int32_t decode(struct reading *reading, uint64_t from, uint64_t until,
                      struct weir_error *error)
{
    struct weir_records records = { .size = sizeof records,
                                    .bytes = reading->all.data + from,
                                    .length = until - from,
                                    .head = reading->head };
    if (until == from && !reading->head.data) return WEIR_OK;
    return reading->format->table->decode(reading->format->self, reading->lane, &records, error);
}

static int32_t bad_line(struct reading *reading, uint64_t at, struct weir_error *error)
{
    uint64_t line = 1;
    for (uint64_t i = 0; i < at; i++) line += reading->all.data[i] == '\n';
    return weir_fail(error, WEIR_DATA, "line %llu: %s", (unsigned long long)line, reading->reason);
}

/* The record in [from, until) that is bad. */
static int32_t find_bad(struct reading *reading, uint64_t from, uint64_t until,
                        struct weir_error *error)
{
    struct weir_frame out;
    reading->quiet = 1;
    for (uint64_t at = from; at < until; at += out.end) {
        int32_t result = frame(reading, at, 1, &out, error);
        if (result != WEIR_OK || out.end == 0) break;
        const uint64_t begin = at + (at == 0 ? out.head_end : 0);
        reading->bad = 0;
        result = decode(reading, begin, at + out.end, error);
        if (result != WEIR_OK) return result;
        if (reading->bad) return bad_line(reading, begin, error);
    }
    return bad_line(reading, from, error);
}

static int32_t read_runs(struct reading *reading, struct weir_error *error)
{
    struct weir_frame out;
    for (uint64_t at = 0; at < reading->all.length; at += out.end) {
        int32_t result = frame(reading, at, RUN_RECORDS, &out, error);
        if (result != WEIR_OK) return result;
        if (out.end == 0)
            return weir_fail(error, WEIR_DATA, "byte %llu: no whole record begins here",
                             (unsigned long long)at);
        const uint64_t begin = at + (at == 0 ? out.head_end : 0);
        if (at == 0 && reading->format->has_head)
            reading->head = (struct weir_bytes){ reading->all.data, out.head_end };
        result = decode(reading, begin, at + out.end, error);
        if (result != WEIR_OK) return result;
        if (reading->bad) return find_bad(reading, at, at + out.end, error);
    }
    return WEIR_OK;
}

static int32_t join_chunks(const struct reading *reading, struct ArrowArray *out,
                           struct weir_error *error)
{
    const uint32_t n = reading->n_chunks;
    const struct ArrowArray **arrays = calloc(n + 1, sizeof *arrays);
    const uint32_t **selections = calloc(n + 1, sizeof *selections);
    uint32_t *counts = calloc(n + 1, sizeof *counts);
    int32_t result = arrays && selections && counts ? WEIR_OK : no_memory(error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        arrays[i] = reading->chunks[i]->array;
        selections[i] = reading->chunks[i]->selection;
        counts[i] = reading->chunks[i]->selected;
    }
    if (result == WEIR_OK)
        result = array_concat(&reading->format->schema, arrays, selections, counts, n, out, error);
    free(arrays);
    free(selections);
    free(counts);
    return result;
}

int32_t table_format_read(struct weir_context *context, struct weir_bytes bytes,
                          struct ArrowArray *out, struct weir_error *error)
{
    struct reading reading = { .all = bytes };
    int32_t result = WEIR_OK;
    memset(out, 0, sizeof *out);
    if (!context || !context->table_format)
        return weir_fail(error, WEIR_UNSUPPORTED, "the operator has no table with a format");
    reading.format = context->table_format;
    reading.context = *context;
    reading.context.ops = &reading_ops;
    reading.context.owner = &reading;
    if (reading.format->table->lane_create)
        result = reading.format->table->lane_create(reading.format->self, &reading.context,
                                                    &reading.lane, error);
    if (result == WEIR_OK) result = read_runs(&reading, error);
    if (result == WEIR_OK) result = join_chunks(&reading, out, error);
    if (reading.lane && reading.format->table->lane_destroy)
        reading.format->table->lane_destroy(reading.format->self, reading.lane);
    for (uint32_t i = 0; i < reading.n_chunks; i++) chunk_release(reading.chunks[i]);
    free(reading.chunks);
    return result;
}

int32_t table_format_bind(struct weir_context *context, const struct ArrowSchema *declared,
                          struct ArrowSchema *out, struct weir_error *error)
{
    struct weir_decode_plan plan = { .size = sizeof plan };
    struct weir_decode_bind in = { .size = sizeof in, .declared = declared };
    memset(out, 0, sizeof *out);
    if (!context || !context->table_format)
        return weir_fail(error, WEIR_UNSUPPORTED, "the operator has no table with a format");
    struct table_format *format = context->table_format;
    int32_t result = format->table->bind_decode(format->self, &in, &plan, error);
    if (result == WEIR_OK) result = schema_check(&plan.schema, error);
    if (result != WEIR_OK) {
        schema_release(&plan.schema);
        return result;
    }
    format->has_head = plan.has_head;
    schema_release(&format->schema);
    format->schema = plan.schema;
    return weir_data_1.schema_copy(&format->schema, NULL, out, error);
}
