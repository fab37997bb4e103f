/*
 * fake_host.c - see the header. The host table, options, arrays and weir.io/1 are the real ones;
 * emit, reject, wake-ups and formats are played by this file.
 */
#include "tests/plugins/fake_host.h"

#include <assert.h>
#include <stdlib.h>

#include "core/data/array.h"
#include "core/data/chunk.h"

static struct fake *fake_of(struct weir_context *context)
{
    return (struct fake *)context->owner;
}

const char *fake_text(struct weir_buffer *buffer)
{
    assert(buffer_grow(buffer, 1) == WEIR_OK);
    buffer->data[buffer->length] = 0;
    return (const char *)buffer->data;
}

static void put(struct weir_buffer *buffer, const void *bytes, uint64_t n)
{
    assert(buffer_add(buffer, bytes, n) == WEIR_OK);
}

/* ---- what the job would do ---- */

static void keep_rows(struct fake *fake, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, uint32_t rows)
{
    struct weir_buffer text = { 0 };
    uint32_t i;
    fake->n_rows += rows;
    for (i = 0; i < rows && !fake->quiet; i++) {
        text.length = 0;
        assert(rows_json(schema, array, &i, 1, &text) == WEIR_OK);
        put(&fake->rows, text.data + 1, text.length - 2); /* without the outer brackets */
        put(&fake->rows, "\n", 1);
    }
    mem_free(text.data);
}

static int32_t on_emit(struct weir_context *context, const struct weir_emission *emission,
                       struct weir_error *error)
{
    struct fake *fake = fake_of(context);
    struct ArrowArray array, *columns = calloc(emission->n_columns + 1, sizeof *columns);
    int32_t status;
    uint32_t i;
    assert(columns);
    fake->n_left_out += emission->left_out;
    if (emission->rows == 0 && emission->left_out) {
        free(columns);
        return WEIR_OK;
    }
    assert(emission->n_columns == (uint32_t)fake->schema.n_children);
    assert(emission->rows > 0 && emission->rows <= WEIR_CHUNK_MAX_ROWS);
    for (i = 0; i < emission->n_columns; i++) columns[i] = *emission->columns[i].array;
    status = array_struct(columns, emission->n_columns, emission->rows, &array, error);
    free(columns);
    if (status != WEIR_OK) return status;
    status = array_validate(&fake->schema, &array, 1, error);
    if (status == WEIR_OK) keep_rows(fake, &fake->schema, &array, emission->rows);
    fake->n_emits++;
    array_release(&array);
    return status;
}

static int32_t on_reject_bytes(struct weir_context *context, struct weir_bytes record, int32_t code,
                               const char *text, struct weir_error *error)
{
    struct fake *fake = fake_of(context);
    char head[200];
    (void)error;
    fake->n_rejects++;
    if (fake->quiet) return WEIR_OK;
    snprintf(head, sizeof head, "%d %s|", code, text);
    put(&fake->rejects, head, strlen(head));
    put(&fake->rejects, record.data, record.length < 1024 ? record.length : 1024);
    put(&fake->rejects, "\n", 1);
    return WEIR_OK;
}

static void on_wake(struct weir_context *context) { fake_of(context)->wakes++; }

static void on_wake_after(struct weir_context *context, int64_t delay_us)
{
    fake_of(context)->wake_after = delay_us;
}

static int32_t on_cancelled(struct weir_context *context)
{
    return (int32_t)fake_of(context)->is_cancelled;
}

static int32_t frame_plain(struct fake *fake, struct weir_bytes bytes, uint32_t flags,
                           uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    const struct weir_format *table = fake->format->table;
    int32_t status;
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    status = table->frame(fake->format_self, bytes, flags & ~WEIR_FRAME_INSIDE, max_records, out,
                          error);
    if (status == WEIR_OK) {
        assert(out->end <= bytes.length && out->head_end <= out->end);
        assert(max_records == UINT64_MAX || out->records <= max_records);
    }
    return status;
}

static int32_t on_frame(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                        uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct fake *fake = fake_of(context);
    int inside = (flags & WEIR_FRAME_INSIDE) != 0;
    int32_t status = frame_plain(fake, bytes, flags, inside ? 1 : max_records, out, error);
    if (status != WEIR_OK) return status;
    if (inside) {
        out->skipped = out->end ? out->end : bytes.length;
        out->flags = out->end || (flags & WEIR_FRAME_END) ? 0 : WEIR_FRAME_INSIDE;
        out->end = out->head_end = out->records = 0;
    } else if (out->end == 0 && bytes.length > fake->max_record) {
        out->skipped = bytes.length;
        out->flags = WEIR_FRAME_INSIDE;
        return on_reject_bytes(context, bytes, WEIR_REJECT_TOO_LONG, "over max_record", error);
    }
    return WEIR_OK;
}

static int32_t on_encode(struct weir_context *context, const struct weir_chunk *chunk,
                         uint32_t flags, struct weir_buffer *out, struct weir_error *error)
{
    struct fake *fake = fake_of(context);
    const struct weir_format *table = fake->format->table;
    return table->encode(fake->format_self, NULL, chunk, flags, out, error);
}

static int32_t on_bind_encode(struct weir_context *context, const struct ArrowSchema *schema,
                              struct weir_error *error)
{
    struct fake *fake = fake_of(context);
    const struct weir_format *table = fake->format->table;
    struct ArrowSchema copy;
    int32_t status = weir_data_1.schema_copy(schema, NULL, &copy, error);
    if (status != WEIR_OK) return status;
    schema_release(&fake->encode_schema);
    fake->encode_schema = copy;
    return table->bind_encode(fake->format_self, &fake->encode_schema, error);
}

static const char *on_extension(struct weir_context *context)
{
    const struct weir_format *table = fake_of(context)->format->table;
    return table->extension;
}

static void on_count(struct weir_context *context, const char *name, int64_t delta)
{
    char text[120];
    if (fake_of(context)->quiet) return;
    snprintf(text, sizeof text, "%s=%lld\n", name, (long long)delta);
    put(&fake_of(context)->counters, text, strlen(text));
}

static void on_gauge(struct weir_context *context, const char *name, double value)
{
    char text[120];
    if (fake_of(context)->quiet) return;
    snprintf(text, sizeof text, "%s:%.17g\n", name, value);
    put(&fake_of(context)->counters, text, strlen(text));
}

static const struct context_ops ops = {
    .emit = on_emit,
    .reject_bytes = on_reject_bytes,
    .wake = on_wake,
    .wake_after = on_wake_after,
    .cancelled = on_cancelled,
    .frame = on_frame,
    .encode = on_encode,
    .bind_encode = on_bind_encode,
    .extension = on_extension,
    .count = on_count,
    .gauge = on_gauge,
};

/* ---- create ---- */

static void print_line(void *arg, const char *text)
{
    struct weir_error *error = arg;
    weir_fail(error, WEIR_CONFIG, "%s", text);
}

static int32_t read_options(struct fake *fake, const char *options)
{
    static const struct weir_option extra[] = {
        WEIR_OPTION(WEIR_OPTION_TEXT, 0, "format", NULL, NULL, "the format"),
        WEIR_OPTION(WEIR_OPTION_SIZE, 0, "max_record", "1Mi", NULL, "longest record"),
    };
    struct option_table tables[3] = {
        { fake->component->options, fake->component->n_options, fake->component->name },
        { extra, 2, "engine" },
    };
    uint32_t n = 2;
    size_t size = strlen(options) + 200;
    char *text = malloc(size);
    int io_error = 0;
    assert(text);
    if (fake->format && fake->format != fake->component) {
        tables[n].options = fake->format->options;
        tables[n].n = fake->format->n_options;
        tables[n++].owner = fake->format->name;
    }
    snprintf(text, size, "{\"name\": \"t\", \"sources\": {\"x\": {\"plugin\": \"x\"%s%s%s}}}",
             fake->format && fake->format != fake->component ? ", \"format\": \"f\"" : "",
             *options ? ", " : "", options);
    fake->job = job_read(fake->context.sys, "test", text, &fake->report, &io_error);
    free(text);
    assert(fake->job && fake->job->n_instances == 1);
    fake->report.errors = 0; /* of a job without sinks */
    fake->context.options = options_build(fake->job, &fake->job->instances[0], tables, n,
                                          &fake->report);
    assert(fake->context.options);
    if (fake->report.errors == 0) return WEIR_OK;
    report_print(&fake->report, print_line, &fake->error);
    return WEIR_CONFIG;
}

int32_t fake_create(struct fake *fake, struct weir_sys *sys, fake_entry_fn entry,
                    fake_entry_fn format_entry, const char *options)
{
    struct weir_value value = { .size = sizeof value };
    const struct weir_format *format;
    int32_t status;
    memset(fake, 0, sizeof *fake);
    weir_error_init(&fake->error);
    fake->wake_after = -1;
    fake->context.owner = fake;
    fake->context.ops = &ops;
    fake->context.instance = "x";
    fake->context.sys = sys;
    fake->component = entry(&weir_host_1, &fake->error)->components;
    if (fake->component->kind == WEIR_KIND_FORMAT) fake->format = fake->component;
    if (format_entry) fake->format = format_entry(&weir_host_1, &fake->error)->components;
    status = read_options(fake, options);
    if (status != WEIR_OK) return status;
    fake->max_record = 1 << 20;
    if (options_get(fake->context.options, "max_record", &value) == WEIR_OK)
        fake->max_record = (uint64_t)value.integer;
    if (fake->format) {
        format = fake->format->table;
        status = format->create(&weir_host_1, &fake->context, &fake->format_self, &fake->error);
        if (status != WEIR_OK) return status;
    }
    if (fake->component->kind == WEIR_KIND_SOURCE) {
        const struct weir_source *source = fake->component->table;
        status = source->create(&weir_host_1, &fake->context, &fake->self, &fake->error);
    } else if (fake->component->kind == WEIR_KIND_SINK) {
        const struct weir_sink *sink = fake->component->table;
        fake->context.blocking = 1;
        status = sink->create(&weir_host_1, &fake->context, &fake->self, &fake->error);
    }
    return status;
}

void fake_destroy(struct fake *fake)
{
    if (fake->self && fake->component->kind == WEIR_KIND_SOURCE) {
        const struct weir_source *source = fake->component->table;
        source->close(fake->self);
        source->destroy(fake->self);
    }
    if (fake->self && fake->component->kind == WEIR_KIND_SINK) {
        const struct weir_sink *sink = fake->component->table;
        sink->close(fake->self);
        sink->destroy(fake->self);
    }
    if (fake->format) {
        const struct weir_format *format = fake->format->table;
        if (fake->format_self) {
            format->lane_destroy(fake->format_self, fake->format_lane);
            format->destroy(fake->format_self);
        }
    }
    schema_release(&fake->schema);
    schema_release(&fake->encode_schema);
    options_free((struct options *)(uintptr_t)fake->context.options);
    job_free(fake->job);
    report_fini(&fake->report);
    mem_free(fake->rows.data);
    mem_free(fake->rejects.data);
    mem_free(fake->bytes.data);
    mem_free(fake->head.data);
    mem_free(fake->counters.data);
    mem_free(fake->names.data);
    memset(fake, 0, sizeof *fake);
}

void fake_forget(struct fake *fake)
{
    fake->rows.length = fake->rejects.length = fake->bytes.length = fake->counters.length = 0;
    fake->n_rows = fake->n_rejects = fake->n_emits = fake->n_left_out = 0;
    weir_error_init(&fake->error);
}

/* ---- formats ---- */

int32_t fake_bind_decode(struct fake *fake, const char *const *wanted, int null_on_error)
{
    const struct weir_format *format = fake->format->table;
    struct weir_decode_bind in = { .size = sizeof in, .wanted = wanted, .conjuncts = &fake->conjunct,
                                   .n_conjuncts = fake->conjunct != NULL };
    struct weir_decode_plan out = { .size = sizeof out };
    struct weir_value value = { .size = sizeof value };
    struct ArrowSchema declared = { 0 };
    int32_t status;
    while (wanted && wanted[in.n_wanted]) in.n_wanted++;
    in.null_on_error = (uint32_t)null_on_error;
    if (options_get(fake->context.options, "columns", &value) == WEIR_OK) {
        status = weir_data_1.schema_parse(value.text, &declared, &fake->error);
        if (status != WEIR_OK) return status;
        in.declared = &declared;
    }
    status = format->bind_decode(fake->format_self, &in, &out, &fake->error);
    schema_release(&declared);
    if (status != WEIR_OK) return status;
    fake->schema = out.schema;
    fake->has_head = out.has_head;
    return format->lane_create(fake->format_self, &fake->context, &fake->format_lane,
                               &fake->error);
}

static int32_t decode_run(struct fake *fake, const uint8_t *bytes, uint64_t n)
{
    const struct weir_format *format = fake->format->table;
    struct weir_records records = { .size = sizeof records };
    uint8_t *copy = mem_alloc(n + 64); /* exactly what the contract gives, for ASan */
    int32_t status;
    assert(copy);
    memcpy(copy, bytes, n);
    memset(copy + n, 0xA5, 64);
    records.bytes = copy;
    records.length = n;
    if (fake->has_head) {
        records.head.data = fake->head.length ? fake->head.data : (const uint8_t *)"";
        records.head.length = fake->head.length;
    }
    status = format->decode(fake->format_self, fake->format_lane, &records, &fake->error);
    mem_free(copy);
    return status;
}

int32_t fake_decode(struct fake *fake, const void *bytes, uint64_t n, uint64_t piece,
                    uint64_t max_records)
{
    uint64_t at = 0, seen = 0;
    uint32_t flags = WEIR_FRAME_START;
    int32_t status = WEIR_OK;
    fake->head.length = 0;
    while (status == WEIR_OK && (at < n || (flags & WEIR_FRAME_START))) {
        struct weir_frame frame;
        struct weir_bytes window;
        uint8_t *copy;
        seen = seen + piece < n && piece ? seen + piece : n;
        copy = mem_alloc(seen - at + 64);
        assert(copy);
        memcpy(copy, (const uint8_t *)bytes + at, seen - at);
        memset(copy + (seen - at), 0x5A, 64);
        window.data = copy;
        window.length = seen - at;
        if (seen == n) flags |= WEIR_FRAME_END;
        status = on_frame(&fake->context, window, flags, max_records, &frame, &fake->error);
        if (status != WEIR_OK) {
            mem_free(copy);
            break;
        }
        if ((flags & WEIR_FRAME_START) && frame.end) put(&fake->head, copy, frame.head_end);
        if (frame.end > frame.head_end)
            status = decode_run(fake, copy + frame.head_end, frame.end - frame.head_end);
        mem_free(copy);
        if (flags & WEIR_FRAME_END) assert(n == at || frame.end + frame.skipped > 0);
        if (frame.end + frame.skipped || (flags & WEIR_FRAME_END))
            flags &= ~(WEIR_FRAME_START | WEIR_FRAME_INSIDE);
        flags |= frame.flags;
        at += frame.end + frame.skipped;
    }
    return status;
}

int32_t fake_encode(struct fake *fake, const char *ddl, const char *rows)
{
    const struct weir_format *format = fake->format->table;
    struct ArrowArray array;
    struct weir_chunk *chunk;
    struct ArrowSchema schema;
    int32_t status = weir_data_1.schema_parse(ddl, &schema, &fake->error);
    assert(status == WEIR_OK);
    schema_release(&fake->encode_schema);
    fake->encode_schema = schema;
    status = format->bind_encode(fake->format_self, &fake->encode_schema, &fake->error);
    if (status != WEIR_OK) return status;
    status = weir_data_1.rows_parse(&fake->encode_schema, rows, strlen(rows), &array, &fake->error);
    assert(status == WEIR_OK);
    chunk = chunk_create(&fake->encode_schema, &array, NULL, 0);
    assert(chunk);
    status = format->encode(fake->format_self, NULL, NULL, WEIR_ENCODE_HEAD, &fake->bytes,
                            &fake->error);
    if (status == WEIR_OK)
        status = format->encode(fake->format_self, NULL, chunk, 0, &fake->bytes, &fake->error);
    if (status == WEIR_OK)
        status = format->encode(fake->format_self, NULL, NULL, WEIR_ENCODE_TAIL, &fake->bytes,
                                &fake->error);
    chunk_release(chunk);
    return status;
}

/* ---- sources ---- */

int32_t fake_bind_source(struct fake *fake)
{
    const struct weir_source *source = fake->component->table;
    struct weir_source_bind in = { .size = sizeof in };
    struct weir_source_plan out = { .size = sizeof out };
    int32_t status = fake->format ? fake_bind_decode(fake, NULL, 0) : WEIR_OK;
    if (status != WEIR_OK) return status;
    in.head = fake->has_head;
    status = source->bind(fake->self, &in, &out, &fake->error);
    if (status != WEIR_OK) return status;
    if (fake->format) schema_release(&out.schema);
    else fake->schema = out.schema;
    return source->open(fake->self, &fake->error);
}

static int32_t add_name(struct weir_names *names, const char *name)
{
    struct fake *fake = (struct fake *)names;
    put(&fake->names, name, strlen(name));
    put(&fake->names, "\n", 1);
    return WEIR_OK;
}

int32_t fake_partitions(struct fake *fake, int64_t batch_time_us)
{
    const struct weir_source *source = fake->component->table;
    struct weir_partitions list = { sizeof list, fake->listing, batch_time_us, (struct weir_names *)fake,
                                    add_name };
    fake->names.length = 0;
    return source->partitions(fake->self, &list, &fake->error);
}

static int32_t take_rows(struct fake *fake, struct ArrowArray *array)
{
    int32_t status = WEIR_OK;
    int64_t i;
    if (!array->release) return WEIR_OK;
    if (!fake->format) {
        status = array_validate(&fake->schema, array, 1, &fake->error);
        if (status == WEIR_OK)
            keep_rows(fake, &fake->schema, array, (uint32_t)array->length);
        array_release(array);
        return status;
    }
    for (i = 0; i < array->length && status == WEIR_OK; i++) {
        struct weir_bytes bytes = weir_get_bytes(array->children[0], (uint32_t)i);
        put(&fake->bytes, bytes.data, bytes.length);
        fake->head.length = 0;
        if (fake->has_head) {
            struct weir_bytes head = weir_get_bytes(array->children[1], (uint32_t)i);
            put(&fake->head, head.data, head.length);
        }
        status = decode_run(fake, bytes.data, bytes.length);
    }
    array_release(array);
    return status;
}

static int32_t next(struct fake *fake, const char *partition, uint64_t batch, uint64_t max_rows,
                    struct weir_bytes until)
{
    const struct weir_source *source = fake->component->table;
    struct weir_next in = { .size = sizeof in,
                            .partition = partition,
                            .from = { fake->position, fake->position_length },
                            .replay_to = until,
                            .max_rows = max_rows,
                            .max_bytes = 1 << 20,
                            .deadline_us = INT64_MAX,
                            .batch = batch };
    struct weir_next_result out = { .size = sizeof out };
    int32_t status;
    in.batch_time_us = fake->context.time_us;
    status = source->next(fake->self, &in, &out, &fake->error);
    fake->flags = out.flags;
    if (status == WEIR_OK) {
        assert(out.position.length <= WEIR_POSITION_MAX);
        if (out.position.length) memmove(fake->position, out.position.data, out.position.length);
        fake->position_length = out.position.length;
        return take_rows(fake, &out.array);
    }
    assert(!out.array.release);
    return status;
}

int32_t fake_next(struct fake *fake, const char *partition, uint64_t batch, uint64_t max_rows)
{
    struct weir_bytes none = { NULL, 0 };
    return next(fake, partition, batch, max_rows, none);
}

int32_t fake_replay(struct fake *fake, const char *partition, uint64_t batch,
                    struct weir_bytes until)
{
    int32_t status = WEIR_OK;
    int steps;
    for (steps = 0; steps < 1000 && status == WEIR_OK; steps++) {
        if (fake->position_length == until.length &&
            memcmp(fake->position, until.data, until.length) == 0)
            return WEIR_OK;
        status = next(fake, partition, batch, UINT64_MAX, until);
    }
    return status;
}

/* ---- sinks ---- */

int32_t fake_bind_sink(struct fake *fake, const char *ddl, uint32_t form)
{
    const struct weir_sink *sink = fake->component->table;
    struct weir_sink_bind in = { .size = sizeof in, .form = form };
    int32_t status = weir_data_1.schema_parse(ddl, &fake->schema, &fake->error);
    assert(status == WEIR_OK);
    in.schema = &fake->schema;
    if (fake->format) {
        status = on_bind_encode(&fake->context, &fake->schema, &fake->error);
        if (status == WEIR_CONFIG) weir_error_init(&fake->error); /* the sink may bind another */
    }
    return sink->bind(fake->self, &in, &fake->error);
}

int32_t fake_open_sink(struct fake *fake, const char *job_id)
{
    static struct weir_identity identity;
    const struct weir_sink *sink = fake->component->table;
    identity.size = sizeof identity;
    identity.job_name = "t";
    identity.job_id = job_id;
    identity.sink = "x";
    return sink->open(fake->self, &identity, &fake->error);
}

int32_t fake_begin(struct fake *fake, uint64_t batch, int64_t time_us, uint32_t partitions)
{
    const struct weir_sink *sink = fake->component->table;
    struct weir_sink_batch in = { sizeof in, partitions, batch, time_us };
    return sink->begin(fake->self, &in, &fake->error);
}

int32_t fake_write(struct fake *fake, uint64_t batch, uint32_t partition, const char *rows)
{
    const struct weir_sink *sink = fake->component->table;
    struct ArrowArray array;
    struct weir_chunk *chunk;
    int32_t status =
        weir_data_1.rows_parse(&fake->schema, rows, strlen(rows), &array, &fake->error);
    assert(status == WEIR_OK);
    chunk = chunk_create(&fake->schema, &array, NULL, 0);
    assert(chunk);
    chunk->batch = batch;
    chunk->partition = partition;
    status = sink->write(fake->self, chunk, &fake->error);
    chunk_release(chunk);
    return status;
}
