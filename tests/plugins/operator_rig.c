/*
 * operator_rig.c - see the header.
 */
#include "tests/plugins/operator_rig.h"

#include <assert.h>
#include <stdlib.h>

#include "core/data/array.h"
#include "core/data/chunk.h"
#include "core/state/hash.h"

#define SEED 4711u

static struct rig *rig_of(struct weir_context *context)
{
    return (struct rig *)context->owner;
}

static const char *text_of(struct weir_buffer *buffer)
{
    assert(buffer_grow(buffer, 1) == WEIR_OK);
    buffer->data[buffer->length] = 0;
    return (const char *)buffer->data;
}

static void put(struct weir_buffer *buffer, const void *bytes, uint64_t n)
{
    assert(buffer_add(buffer, bytes, n) == WEIR_OK);
}

/* ---- what the job does ---- */

static void keep_rows(struct rig *rig, uint32_t output, const struct weir_chunk *chunk)
{
    struct weir_buffer text = { 0 };
    rig->n_rows += chunk->selected;
    for (uint32_t i = 0; i < chunk->selected && !rig->quiet; i++) {
        uint32_t row = weir_row(chunk, i);
        text.length = 0;
        if (output) put(&rig->rows, "late ", 5);
        assert(rows_json(chunk->schema, chunk->array, &row, 1, &text) == WEIR_OK);
        put(&rig->rows, text.data + 1, text.length - 2); /* without the outer brackets */
        put(&rig->rows, "\n", 1);
    }
    mem_free(text.data);
}

static void keep_exchanged(struct rig *rig, struct weir_chunk *chunk, uint32_t input)
{
    if (rig->n_exchanged == rig->room) {
        rig->room = rig->room ? rig->room * 2 : 16;
        rig->exchanged = realloc(rig->exchanged, rig->room * sizeof *rig->exchanged);
        rig->exchanged_input = realloc(rig->exchanged_input, rig->room * sizeof(uint32_t));
        assert(rig->exchanged && rig->exchanged_input);
    }
    rig->exchanged[rig->n_exchanged] = chunk;
    rig->exchanged_input[rig->n_exchanged++] = input;
}

static void check_column(const struct weir_emission *emission, uint32_t c,
                         const struct ArrowSchema *type, struct weir_error *error)
{
    const struct weir_output_column *column = &emission->columns[c];
    if (column->input >= 0) {
        assert(emission->from && emission->rows == emission->from->rows);
        assert(column->input < emission->from->schema->n_children);
        assert(schema_same_type(emission->from->schema->children[column->input], type));
        return;
    }
    assert(column->array && column->array->length == emission->rows);
    /* as the one column of a chunk: the profile is that of chunks */
    struct ArrowSchema *types[1] = { (struct ArrowSchema *)(uintptr_t)type };
    struct ArrowArray *arrays[1] = { column->array };
    struct ArrowSchema schema = { .format = "+s", .name = "", .n_children = 1, .children = types };
    const void *buffers[1] = { NULL };
    struct ArrowArray array = { .length = emission->rows, .n_buffers = 1, .buffers = buffers,
                                .n_children = 1, .children = arrays,
                                .release = column->array->release };
    int32_t valid = array_validate(&schema, &array, 1, error);
    if (valid != WEIR_OK) fprintf(stderr, "emitted: %s\n", error->text);
    assert(valid == WEIR_OK);
}

static int32_t on_emit(struct weir_context *context, const struct weir_emission *emission,
                       struct weir_error *error)
{
    struct rig *rig = rig_of(context);
    int uncombined = emission->output == WEIR_OUTPUT_UNCOMBINED;
    int exchange = emission->output == WEIR_OUTPUT_EXCHANGE || uncombined;
    const struct ArrowSchema *schema =
        uncombined ? &rig->plan.uncombined
        : exchange ? &rig->plan.distribution[rig->combining].exchange
                   : &rig->plan.streams[emission->output].schema;
    assert(emission->n_columns == (uint64_t)schema->n_children);
    assert(emission->rows <= WEIR_CHUNK_MAX_ROWS);
    for (uint32_t c = 0; c < emission->n_columns; c++)
        check_column(emission, c, schema->children[c], error);
    for (uint32_t i = 0; emission->selection && i < emission->selected; i++)
        assert(emission->selection[i] < emission->rows &&
               (!i || emission->selection[i] > emission->selection[i - 1]));
    uint32_t rows = emission->selection ? emission->selected : emission->rows;
    struct weir_chunk *chunk =
        chunk_derive(schema, emission->from, emission->columns, emission->n_columns,
                     emission->rows, emission->selection, rows);
    if (!chunk) return weir_fail(error, WEIR_FATAL, "out of memory");
    assert(rows > 0);
    rig->n_emits++;
    if (uncombined) rig->n_uncombined += rows;
    if (rows > rig->most_rows) rig->most_rows = rows;
    if (exchange) {
        keep_exchanged(rig, chunk, rig->combining);
        return WEIR_OK;
    }
    keep_rows(rig, emission->output, chunk);
    chunk_release(chunk);
    return WEIR_OK;
}

static int32_t note_reject(struct rig *rig, int32_t code, const char *text,
                           struct weir_error *error)
{
    char head[300];
    snprintf(head, sizeof head, "%d %s\n", code, text);
    rig->n_rejects++;
    if (!rig->quiet) put(&rig->rejects, head, strlen(head));
    return rig->fail ? weir_fail(error, WEIR_DATA, "%s", text) : WEIR_OK;
}

static int32_t on_reject(struct weir_context *context, const struct weir_chunk *chunk, uint32_t row,
                         int32_t code, const char *text, struct weir_error *error)
{
    if (chunk) assert(row < chunk->rows);
    return note_reject(rig_of(context), code, text, error);
}

static int32_t on_reject_bytes(struct weir_context *context, struct weir_bytes record, int32_t code,
                               const char *text, struct weir_error *error)
{
    (void)record;
    return note_reject(rig_of(context), code, text, error);
}

static const struct context_ops ops = { .emit = on_emit,
                                        .reject = on_reject,
                                        .reject_bytes = on_reject_bytes };

/* ---- memory that runs out ---- */

/* Each call of the operator goes through this: the chosen one with memory that fails. */
#define CALL(rig, result, call)                                                                    \
    do {                                                                                           \
        if (++(rig)->calls == (rig)->fail_call)                                                    \
            mem_fail_at((rig)->fail_at, (rig)->fail_forever);                                      \
        (result) = (call);                                                                         \
        mem_fail_at(0, 0);                                                                         \
    } while (0)

void rig_starve(rig_entry_fn entry, rig_entry_fn functions, const char *name, const char *options,
                const char *ddl, const char *rows)
{
    rig_starve_timed(entry, functions, name, options, ddl, 0, rows);
}

void rig_starve_timed(rig_entry_fn entry, rig_entry_fn functions, const char *name,
                      const char *options, const char *ddl, uint64_t time_columns, const char *rows)
{
    struct rig rig;
    uint64_t calls = 1;
    for (uint64_t call = 1; call <= calls; call++)
        for (uint64_t at = 1, fails = 1; fails; at++) {
            memset(&rig, 0, sizeof rig);
            rig.functions = functions;
            rig.quiet = 1;
            rig.fail_call = call;
            rig.fail_at = at;
            rig.time_columns = time_columns;
            rig.late_us = WEIR_WATERMARK_NONE;
            rig.evict_us = INT64_MAX / 4;
            int32_t result = rig_open(&rig, entry, name, options, ddl, NULL);
            if (result == WEIR_OK) result = rig_feed(&rig, rows);
            if (result != WEIR_OK && result != WEIR_FATAL)
                fprintf(stderr, "%s: %s: %d %s\n", name, options, result, rig.error.text), abort();
            fails = result != WEIR_OK;
            if (!fails) calls = rig.calls;
            else if (calls <= call) calls = call + 1; /* there may be more calls behind this one */
            rig_close(&rig);
        }
}

/* ---- open ---- */

static const struct weir_component *find_function(void *arg, uint32_t kind, const char *name)
{
    struct rig *rig = arg;
    const struct weir_plugin *plugin;
    if (!rig->functions) return NULL;
    plugin = rig->functions(&weir_host_1, NULL);
    for (uint32_t i = 0; i < plugin->n_components; i++)
        if (plugin->components[i].kind == kind && strcmp(plugin->components[i].name, name) == 0)
            return &plugin->components[i];
    return NULL;
}

static const char *function_name(void *arg, uint32_t i)
{
    struct rig *rig = arg;
    const struct weir_plugin *plugin = rig->functions ? rig->functions(&weir_host_1, NULL) : NULL;
    return plugin && i < plugin->n_components ? plugin->components[i].name : NULL;
}

static void first_line(void *arg, const char *text)
{
    weir_fail(arg, WEIR_CONFIG, "%s", text);
}

static int32_t read_options(struct rig *rig, const char *options)
{
    struct option_table table = { rig->component->options, rig->component->n_options,
                                  rig->component->name };
    uint64_t size = strlen(options) + 200;
    char *text = malloc(size);
    int io_error = 0;
    assert(text);
    snprintf(text, size, "{\"name\": \"t\", \"sources\": {\"x\": {\"plugin\": \"x\"%s%s}}}",
             *options ? ", " : "", options);
    rig->job = job_read(NULL, "test", text, &rig->report, &io_error);
    free(text);
    assert(rig->job && rig->job->n_instances == 1);
    rig->report.errors = 0; /* of a job without sinks */
    rig->context.options =
        options_build(rig->job, &rig->job->instances[0], &table, 1, &rig->report);
    assert(rig->context.options);
    if (rig->report.errors == 0) return WEIR_OK;
    report_print(&rig->report, first_line, &rig->error);
    return WEIR_CONFIG;
}

static int32_t bind(struct rig *rig)
{
    struct weir_operator_bind in = { .size = sizeof in, .n_inputs = rig->n_inputs,
                                     .inputs = rig->described, .trigger_us = 1000000,
                                     .output_mode = rig->output_mode };
    rig->plan.size = sizeof rig->plan;
    for (int k = 0; k < 4; k++) rig->plan.streams[k].time_column = -1;
    int32_t result;
    CALL(rig, result, rig->table->bind(rig->self, &in, &rig->plan, &rig->error));
    if (result != WEIR_OK) return result;
    assert(rig->plan.n_outputs == 1 || rig->plan.n_outputs == 2);
    return schema_check(&rig->plan.streams[0].schema, &rig->error);
}

int32_t rig_open(struct rig *rig, rig_entry_fn entry, const char *name, const char *options, ...)
{
    static struct expr_env env;
    static const char *const names[] = { "one", "two", "three", "four" };
    const struct weir_plugin *plugin = entry(&weir_host_1, NULL);
    va_list ddls;
    weir_error_init(&rig->error);
    for (uint32_t i = 0; i < plugin->n_components; i++)
        if (strcmp(plugin->components[i].name, name) == 0) rig->component = &plugin->components[i];
    assert(rig->component && rig->component->kind == WEIR_KIND_OPERATOR);
    rig->table = rig->component->table;
    env = (struct expr_env){ find_function, function_name, &weir_host_1, rig };
    rig->store = store_create(SEED);
    rig->context.owner = rig;
    rig->context.instance = "x";
    rig->context.env = &env;
    rig->context.tables = store_operator(rig->store, "x");
    if (read_options(rig, options) != WEIR_OK) return WEIR_CONFIG;
    va_start(ddls, options);
    for (const char *ddl; (ddl = va_arg(ddls, const char *)); rig->n_inputs++) {
        struct weir_input *input = &rig->described[rig->n_inputs];
        struct ArrowSchema *schema = &rig->inputs[rig->n_inputs];
        if (weir_data_1.schema_parse(ddl, schema, &rig->error) != WEIR_OK)
            fprintf(stderr, "%s: %s\n", ddl, rig->error.text), abort();
        *input = (struct weir_input){ .size = sizeof *input,
                                      .form = rig->form ? rig->form : WEIR_FORM_APPEND,
                                      .key_columns = rig->key_columns,
                                      .n_key_columns = rig->n_key_columns,
                                      .name = names[rig->n_inputs], .schema = schema, .slide = 1,
                                      .time_column = -1, .delay_us = rig->delay_us,
                                      .time_columns = rig->time_columns,
                                      .watermarked = rig->time_columns != 0 };
        if (rig->time_columns) input->time_column = __builtin_ctzll(rig->time_columns);
        if (rig->input_times[rig->n_inputs]) {
            input->time_columns = rig->input_times[rig->n_inputs];
            input->time_column = __builtin_ctzll(input->time_columns);
            input->watermarked = 1;
        }
    }
    va_end(ddls);
    int32_t result;
    CALL(rig, result, rig->table->create(&weir_host_1, &rig->context, &rig->self, &rig->error));
    if (result == WEIR_OK) result = bind(rig);
    rig->lane_context = rig->context;
    rig->lane_context.ops = &ops;
    return result;
}

static void drop_exchanged(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->n_exchanged; i++) chunk_release(rig->exchanged[i]);
    rig->n_exchanged = 0;
}

static void lane_close(struct rig *rig, int behind)
{
    if (rig->lanes[behind] && rig->table->lane_destroy)
        rig->table->lane_destroy(rig->self, rig->lanes[behind]);
    rig->lanes[behind] = NULL;
}

void rig_close(struct rig *rig)
{
    lane_close(rig, 0);
    lane_close(rig, 1);
    if (rig->self) rig->table->destroy(rig->self);
    for (uint32_t i = 0; i < rig->n_inputs; i++) schema_release(&rig->inputs[i]);
    for (int k = 0; k < 4; k++) schema_release(&rig->plan.streams[k].schema);
    for (int k = 0; k < 16; k++) schema_release(&rig->plan.distribution[k].exchange);
    schema_release(&rig->plan.uncombined);
    drop_exchanged(rig);
    free(rig->exchanged);
    free(rig->exchanged_input);
    store_destroy(rig->store);
    options_free((struct options *)(uintptr_t)rig->context.options);
    job_free(rig->job);
    report_fini(&rig->report);
    mem_free(rig->rows.data);
    mem_free(rig->rejects.data);
    memset(rig, 0, sizeof *rig);
}

/* ---- a batch ---- */

static int32_t lane_open(struct rig *rig, int behind)
{
    int32_t result = WEIR_OK;
    if (rig->table->lane_create && !rig->lanes[behind])
        CALL(rig, result, rig->table->lane_create(rig->self, &rig->lane_context,
                                                  &rig->lanes[behind], &rig->error));
    return result;
}

static int32_t lane_begin(struct rig *rig, void *lane, uint32_t group, int behind)
{
    struct weir_begin begin = { .size = sizeof begin, .partition = group, .batch = rig->batch,
                                .time_us = (int64_t)rig->batch * 1000000,
                                .late_us = WEIR_WATERMARK_NONE, .evict_us = WEIR_WATERMARK_NONE,
                                .absent = rig->absent, .first = rig->batch == 0,
                                .zero_us = -1000000, .trigger_us = 1000000 };
    if (rig->time_columns) {
        begin.late_us = rig->late_us;
        if (behind) begin.evict_us = rig->evict_us;
    }
    if (behind && store_tables(rig->context.tables))
        begin.state = store_group(rig->context.tables, group);
    return rig->table->begin ? rig->table->begin(rig->self, lane, &begin, &rig->error) : WEIR_OK;
}

/* Rows [from, from + n) as a chunk; with `select` each lies behind a copy of another row. */
static struct weir_chunk *cut_chunk(const struct rig *rig, uint32_t input,
                                    const struct ArrowArray *rows, uint32_t from, uint32_t n,
                                    int select)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowArray array;
    uint32_t total = select ? 2 * n : n;
    uint32_t *take = malloc(total * sizeof *take + 4), *selection = malloc(n * sizeof *take + 4);
    assert(take && selection);
    for (uint32_t i = 0; i < n; i++) {
        if (select) take[2 * i] = (from + i * 7 + 3) % (uint32_t)rows->length;
        take[select ? 2 * i + 1 : i] = from + i;
        selection[i] = 2 * i + 1;
    }
    assert(array_take(&rig->inputs[input], rows, take, total, &array, &error) == WEIR_OK);
    struct weir_chunk *chunk =
        chunk_create(&rig->inputs[input], &array, select ? selection : NULL, n);
    assert(chunk);
    free(take);
    free(selection);
    return chunk;
}

/* One segment: through combine, straight to the exchange, or through the operator itself. */
static int32_t run_segment(struct rig *rig, uint32_t input, const struct ArrowArray *rows,
                           uint32_t from, uint32_t until, struct rig_cut cut, void *lane)
{
    int any = rig->plan.distribution[input].kind == WEIR_DISTRIBUTE_ANY;
    uint32_t each = cut.chunk_rows ? cut.chunk_rows : WEIR_CHUNK_TARGET_ROWS;
    int32_t result = WEIR_OK;
    for (uint32_t at = from; at < until && result == WEIR_OK; at += each) {
        uint32_t n = until - at < each ? until - at : each;
        struct weir_chunk *chunk = cut_chunk(rig, input, rows, at, n, cut.select);
        if (any)
            CALL(rig, result, rig->table->process(rig->self, lane, input, chunk, &rig->error));
        else if (rig->table->combine)
            CALL(rig, result, rig->table->combine(rig->self, lane, input, chunk, &rig->error));
        else {
            keep_exchanged(rig, chunk, input);
            continue;
        }
        chunk_release(chunk);
    }
    return result;
}

static int32_t end_segment(struct rig *rig, uint32_t input, void *lane)
{
    int any = rig->plan.distribution[input].kind == WEIR_DISTRIBUTE_ANY;
    int32_t result = WEIR_OK;
    if (!any) {
        if (rig->table->combine_end)
            CALL(rig, result, rig->table->combine_end(rig->self, lane, input, &rig->error));
        return result;
    }
    if (rig->table->end_input)
        result = rig->table->end_input(rig->self, lane, input, &rig->error);
    if (result == WEIR_OK && rig->table->advance)
        CALL(rig, result, rig->table->advance(rig->self, lane, &rig->error));
    return result;
}

static int32_t run_input(struct rig *rig, uint32_t input, const struct ArrowArray *rows,
                         struct rig_cut cut)
{
    uint32_t n = (uint32_t)rows->length, segments = cut.segments ? cut.segments : 1;
    int32_t result = lane_open(rig, 0);
    void *lane = rig->lanes[0];
    rig->combining = input;
    for (uint32_t s = 0; s < segments && result == WEIR_OK; s++) {
        result = lane_begin(rig, lane, s, 0);
        if (result == WEIR_OK)
            result = run_segment(rig, input, rows, (uint32_t)((uint64_t)n * s / segments),
                                 (uint32_t)((uint64_t)n * (s + 1) / segments), cut, lane);
        if (result == WEIR_OK) result = end_segment(rig, input, lane);
    }
    if (result != WEIR_OK) lane_close(rig, 0); /* in the middle of a batch */
    return result;
}

/* Gives group `g` its rows of one exchanged chunk. */
static int32_t feed_group(struct rig *rig, void *lane, uint32_t g, uint32_t k, const uint64_t *hash)
{
    struct weir_chunk *chunk = rig->exchanged[k], *part;
    uint32_t *rows = malloc(chunk->selected * sizeof *rows + 4), n = 0;
    int hashed = rig->plan.distribution[0].kind == WEIR_DISTRIBUTE_HASHED;
    assert(rows);
    for (uint32_t i = 0; i < chunk->selected; i++)
        if (!hashed || hash_group(hash[weir_row(chunk, i)]) == g) rows[n++] = weir_row(chunk, i);
    int32_t result = WEIR_OK;
    if (n) {
        part = chunk_view(chunk, rows, n, 1);
        assert(part);
        if (hashed) {
            uint64_t *copy = mem_alloc((uint64_t)chunk->rows * 8 + 8);
            memcpy(copy, hash, (size_t)chunk->rows * 8);
            chunk_set_hash(part, copy);
        }
        CALL(rig, result,
             rig->table->process(rig->self, lane, rig->exchanged_input[k], part, &rig->error));
        chunk_release(part);
    }
    free(rows);
    return result;
}

static uint64_t *hash_chunk(const struct rig *rig, const struct weir_chunk *chunk, uint32_t input)
{
    const struct weir_distribution *d = &rig->plan.distribution[input];
    const struct ArrowSchema *types[16];
    const struct ArrowArray *columns[16];
    uint64_t *hash = calloc(chunk->rows + 1, sizeof *hash);
    assert(hash);
    for (uint32_t c = 0; c < d->n_columns; c++) {
        types[c] = chunk->schema->children[d->columns[c]];
        columns[c] = chunk->array->children[d->columns[c]];
    }
    hash_columns(SEED, types, columns, d->n_columns, chunk->selection, chunk->selected, hash);
    return hash;
}

static int group_runs(const struct rig *rig, uint32_t g, uint64_t *const *hashes)
{
    if (rig->plan.distribution[0].kind != WEIR_DISTRIBUTE_HASHED) return 1;
    if (((rig->plan.flags & WEIR_PLAN_ALL_GROUPS) || rig->time_columns) &&
        store_group_live(rig->context.tables, g))
        return 1;
    if (store_group_due(rig->context.tables, g, 0) <= (int64_t)rig->batch * 1000000) return 1;
    for (uint32_t k = 0; k < rig->n_exchanged; k++)
        for (uint32_t i = 0; i < rig->exchanged[k]->selected; i++)
            if (hash_group(hashes[k][weir_row(rig->exchanged[k], i)]) == g) return 1;
    return 0;
}

static int32_t run_group(struct rig *rig, void *lane, uint32_t g, uint64_t *const *hashes)
{
    int32_t result = lane_begin(rig, lane, g, 1);
    for (uint32_t i = 0; i < rig->n_inputs && result == WEIR_OK; i++) {
        for (uint32_t k = 0; k < rig->n_exchanged && result == WEIR_OK; k++)
            if (rig->exchanged_input[k] == i) result = feed_group(rig, lane, g, k, hashes[k]);
        if (result == WEIR_OK && rig->table->end_input)
            CALL(rig, result, rig->table->end_input(rig->self, lane, i, &rig->error));
    }
    if (result == WEIR_OK && rig->table->advance)
        CALL(rig, result, rig->table->advance(rig->self, lane, &rig->error));
    for (uint32_t t = 0; t < store_tables(rig->context.tables); t++) {
        int base;
        struct weir_error error = WEIR_ERROR_INIT;
        assert(store_capture(rig->context.tables, t, g, 0, NULL, &base, &error) == WEIR_OK);
    }
    return result;
}

static int32_t run_groups(struct rig *rig)
{
    int hashed = rig->plan.distribution[0].kind == WEIR_DISTRIBUTE_HASHED;
    uint64_t **hashes = calloc(rig->n_exchanged + 1, sizeof *hashes);
    int32_t result = lane_open(rig, 1);
    void *lane = rig->lanes[1];
    for (uint32_t k = 0; k < rig->n_exchanged; k++)
        hashes[k] = hash_chunk(rig, rig->exchanged[k], rig->exchanged_input[k]);
    for (uint32_t g = 0; g < (hashed ? STORE_GROUPS : 1) && result == WEIR_OK; g++)
        if (group_runs(rig, g, hashes)) result = run_group(rig, lane, g, hashes);
    if (result != WEIR_OK) lane_close(rig, 1); /* in the middle of a batch */
    for (uint32_t k = 0; k < rig->n_exchanged; k++) free(hashes[k]);
    free(hashes);
    return result;
}

int32_t rig_chunk(struct rig *rig, const struct weir_chunk *chunk)
{
    int32_t result = lane_open(rig, 0);
    if (result == WEIR_OK) result = lane_begin(rig, rig->lanes[0], 0, 0);
    if (result == WEIR_OK)
        CALL(rig, result, rig->table->process(rig->self, rig->lanes[0], 0, chunk, &rig->error));
    return result == WEIR_OK ? end_segment(rig, 0, rig->lanes[0]) : result;
}

int32_t rig_arrays(struct rig *rig, const struct ArrowArray *arrays, struct rig_cut cut)
{
    int32_t result = WEIR_OK;
    weir_error_init(&rig->error);
    for (uint32_t i = 0; i < rig->n_inputs && result == WEIR_OK; i++)
        result = run_input(rig, i, &arrays[i], cut);
    if (result == WEIR_OK && rig->plan.distribution[0].kind != WEIR_DISTRIBUTE_ANY)
        result = run_groups(rig);
    drop_exchanged(rig);
    rig->batch++;
    return result;
}

int32_t rig_batch(struct rig *rig, const char *const *rows, struct rig_cut cut)
{
    struct ArrowArray arrays[4];
    for (uint32_t i = 0; i < rig->n_inputs; i++) {
        const char *text = rows[i] ? rows[i] : "[]";
        struct weir_error error = WEIR_ERROR_INIT;
        int32_t parsed =
            weir_data_1.rows_parse(&rig->inputs[i], text, strlen(text), &arrays[i], &error);
        if (parsed != WEIR_OK) fprintf(stderr, "rows: %s\n", error.text);
        assert(parsed == WEIR_OK);
    }
    int32_t result = rig_arrays(rig, arrays, cut);
    for (uint32_t i = 0; i < rig->n_inputs; i++) array_release(&arrays[i]);
    return result;
}

/* ---- results ---- */

const char *rig_rows(struct rig *rig) { return text_of(&rig->rows); }

const char *rig_rejects(struct rig *rig) { return text_of(&rig->rejects); }

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *rig_sorted(struct rig *rig)
{
    char *text = strdup(rig_rows(rig)), **lines = calloc(rig->n_rows + 1, sizeof *lines), *save;
    uint64_t n = 0;
    assert(text && lines);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_text);
    rig->rows.length = 0;
    for (uint64_t i = 0; i < n; i++) {
        put(&rig->rows, lines[i], strlen(lines[i]));
        put(&rig->rows, "\n", 1);
    }
    free(lines);
    free(text);
    return rig_rows(rig);
}

void rig_forget(struct rig *rig)
{
    rig->rows.length = rig->rejects.length = 0;
    rig->n_rows = rig->n_emits = rig->most_rows = rig->n_rejects = rig->n_uncombined = 0;
}

char *rig_ddl(const struct rig *rig) { return schema_ddl(&rig->plan.streams[0].schema); }
