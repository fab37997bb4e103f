/*
 * Positions are eight bytes, least first: how many places of the line were read. Rows of one push
 * go into one batch unless the job limits it; an absence is for a batch of its own, so reading
 * stops before it and after it.
 *
 * A sink's committable is its rows as JSON. A batch is kept by (job id, sink, batch): if it comes
 * again it must have the same rows, else the world has failed.
 */
#include "sdk/check/world.h"

#include <stdlib.h>

#include "core/data/array.h"
#include "core/load/context.h"
#include "core/sys/sim.h"
#include "sdk/check/rows.h"

static struct world *current;

void world_use(struct world *world)
{
    current = world;
}

static int alive(void)
{
    return current && !current->dead && !(current->sys && sim_killed(current->sys));
}

static void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void world_fail(const char *format, ...)
{
    va_list args;
    if (!current || current->failure[0]) return;
    va_start(args, format);
    vsnprintf(current->failure, sizeof current->failure, format, args);
    va_end(args);
}

/* ---- what the player sees ---- */

static void line_fini(struct world_line *line)
{
    for (uint32_t i = 0; i < line->n; i++) json_decref(line->items[i].rows);
    free(line->items);
}

void world_fini(struct world *world)
{
    for (uint32_t i = 0; i < world->n_sources; i++) {
        struct world_source *source = &world->sources[i];
        for (uint32_t k = 0; k < source->n_lines; k++) line_fini(&source->lines[k]);
        free(source->lines);
        free(source->name);
        free(source->columns);
        schema_release(&source->schema);
    }
    for (uint32_t i = 0; i < world->n_sinks; i++) {
        for (uint32_t k = 0; k < world->sinks[i].n; k++)
            json_decref(world->sinks[i].emissions[k].rows);
        free(world->sinks[i].emissions);
        free(world->sinks[i].name);
    }
    free(world->sources);
    free(world->sinks);
    memset(world, 0, sizeof *world);
}

void world_reset(struct world *world)
{
    for (uint32_t i = 0; i < world->n_sources; i++) world->sources[i].wanted = 0;
    for (uint32_t i = 0; i < world->n_sinks; i++) world->sinks[i].wanted = 0;
}

struct world_source *world_source(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->n_sources; i++)
        if (strcmp(world->sources[i].name, name) == 0) return &world->sources[i];
    return NULL;
}

struct world_sink *world_sink(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->n_sinks; i++)
        if (strcmp(world->sinks[i].name, name) == 0) return &world->sinks[i];
    return NULL;
}

static struct world_source *add_source(struct world *world, const char *name)
{
    struct world_source *all = realloc(world->sources, (world->n_sources + 1) * sizeof *all);
    if (!all) return NULL;
    world->sources = all;
    memset(&all[world->n_sources], 0, sizeof *all);
    all[world->n_sources].name = strdup(name);
    return all[world->n_sources].name ? &all[world->n_sources++] : NULL;
}

int32_t world_want_source(struct world *world, const char *name, const char *columns,
                          uint32_t partitions, struct weir_error *error)
{
    struct world_source *source = world_source(world, name);
    if (!source && !(source = add_source(world, name)))
        return weir_fail(error, WEIR_FATAL, "out of memory");
    if (partitions > source->n_lines) {
        struct world_line *lines = realloc(source->lines, partitions * sizeof *lines);
        if (!lines) return weir_fail(error, WEIR_FATAL, "out of memory");
        memset(&lines[source->n_lines], 0, (partitions - source->n_lines) * sizeof *lines);
        source->lines = lines;
        source->n_lines = partitions;
    }
    source->partitions = partitions;
    source->wanted = 1;
    free(source->columns);
    schema_release(&source->schema);
    source->columns = strdup(columns);
    if (!source->columns) return weir_fail(error, WEIR_FATAL, "out of memory");
    return weir_data_1.schema_parse(columns, &source->schema, error);
}

int32_t world_want_sink(struct world *world, const char *name, struct weir_error *error)
{
    struct world_sink *sink = world_sink(world, name);
    if (!sink) {
        struct world_sink *all = realloc(world->sinks, (world->n_sinks + 1) * sizeof *all);
        if (!all) return weir_fail(error, WEIR_FATAL, "out of memory");
        world->sinks = all;
        sink = &all[world->n_sinks];
        memset(sink, 0, sizeof *sink);
        sink->name = strdup(name);
        if (!sink->name) return weir_fail(error, WEIR_FATAL, "out of memory");
        world->n_sinks++;
    }
    sink->wanted = 1;
    return WEIR_OK;
}

static int32_t line_add(struct world_line *line, json_t *rows, uint64_t n, struct weir_error *error)
{
    if (line->n == line->capacity) {
        uint32_t capacity = line->capacity ? line->capacity * 2 : 8;
        struct world_item *items = realloc(line->items, capacity * sizeof *items);
        if (!items) return weir_fail(error, WEIR_FATAL, "out of memory");
        line->items = items;
        line->capacity = capacity;
    }
    line->items[line->n++] = (struct world_item){ json_incref(rows), line->end, n };
    line->end += n;
    return WEIR_OK;
}

/* Rows [from, until) of an array, as JSON text. */
static char *slice_text(const json_t *rows, uint64_t from, uint64_t until, size_t *length)
{
    json_t *slice = json_array();
    char *text = NULL;
    for (uint64_t i = from; slice && i < until; i++)
        if (json_array_append(slice, json_array_get(rows, (size_t)i)) != 0) break;
    if (json_array_size(slice) == until - from) text = json_dumps(slice, JSON_COMPACT);
    json_decref(slice);
    *length = text ? strlen(text) : 0;
    return text;
}

static int32_t slice_parse(const struct ArrowSchema *schema, const json_t *rows, uint64_t from,
                           uint64_t until, struct ArrowArray *out, struct weir_error *error)
{
    size_t length;
    char *text = slice_text(rows, from, until, &length);
    if (!text) return weir_fail(error, WEIR_FATAL, "out of memory");
    int32_t result = weir_data_1.rows_parse(schema, text, length, out, error);
    free(text);
    return result;
}

int32_t world_push(struct world_source *source, const json_t *rows, struct weir_error *error)
{
    struct ArrowArray array;
    uint64_t n = json_array_size(rows);
    uint32_t parts = source->partitions;
    if (!json_is_null(rows)) {
        int32_t result = slice_parse(&source->schema, rows, 0, n, &array, error);
        if (result != WEIR_OK) return result;
        array_release(&array);
    }
    for (uint32_t p = 0; p < parts; p++) {
        uint64_t from = n * p / parts, until = n * (p + 1) / parts;
        json_t *part = NULL;
        if (!json_is_null(rows)) {
            if (from == until) continue;
            part = json_array();
            for (uint64_t i = from; part && i < until; i++)
                json_array_append(part, json_array_get(rows, (size_t)i));
            if (json_array_size(part) != until - from) {
                json_decref(part);
                return weir_fail(error, WEIR_FATAL, "out of memory");
            }
        }
        int32_t result = line_add(&source->lines[p], part, part ? until - from : 1, error);
        json_decref(part);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

void world_wake(struct world *world)
{
    for (uint32_t i = 0; i < world->n_sources; i++)
        if (world->sources[i].context)
            world->sources[i].host->wake(world->sources[i].context);
}

json_t *world_take(struct world_sink *sink)
{
    json_t *rows = json_array();
    for (; rows && sink->seen < sink->n; sink->seen++)
        if (json_array_extend(rows, sink->emissions[sink->seen].rows) != 0) {
            json_decref(rows);
            return NULL;
        }
    return rows;
}

int world_differ(const struct world *a, const struct world *b, FILE *to)
{
    for (uint32_t i = 0; i < a->n_sinks; i++) {
        const struct world_sink *x = &a->sinks[i], *y = world_sink(b, x->name);
        uint32_t n = y ? y->n : 0;
        for (uint32_t k = 0; k < x->n && k < n; k++) {
            char *text = NULL;
            size_t length;
            FILE *diff = open_memstream(&text, &length);
            int differ = !diff || x->emissions[k].batch != y->emissions[k].batch ||
                         rows_compare(x->emissions[k].rows, y->emissions[k].rows, 1, diff) != 0;
            if (diff) fclose(diff);
            if (differ)
                fprintf(to, "# sink \"%s\": batch %llu was, batch %llu is:\n%s", x->name,
                        (unsigned long long)x->emissions[k].batch,
                        (unsigned long long)y->emissions[k].batch, text ? text : "");
            free(text);
            if (differ) return 1;
        }
        if (x->n == n) continue;
        fprintf(to, "# sink \"%s\": %u batches came out, not %u\n", x->name, n, x->n);
        return 1;
    }
    return 0;
}

/* ---- the source ---- */

struct script {
    const struct weir_host *host;
    struct weir_context *context;
    struct ArrowSchema schema;
    struct world_source *source;
};

static const struct weir_option source_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMNS, WEIR_OPTION_REQUIRED, "columns", NULL, NULL,
                "columns of the rows"),
};

static int32_t source_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct script *s = *self = calloc(1, sizeof *s);
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->host = host;
    s->context = context;
    return WEIR_OK;
}

static void source_destroy(void *self)
{
    free(self);
}

static int32_t source_bind(void *self, const struct weir_source_bind *in,
                           struct weir_source_plan *out, struct weir_error *error)
{
    struct script *s = self;
    struct weir_value value = { .size = sizeof value };
    (void)in;
    if (s->host->option(s->context, "columns", &value) != WEIR_OK)
        return weir_fail(error, WEIR_CONFIG, "it has no columns");
    return weir_data_1.schema_parse(value.text, &out->schema, error);
}

static int32_t source_open(void *self, struct weir_error *error)
{
    struct script *s = self;
    s->source = current ? world_source(current, s->context->instance) : NULL;
    if (!s->source) return weir_fail(error, WEIR_FATAL, "there is no scenario for this source");
    s->source->host = s->host;
    s->source->context = s->context;
    return WEIR_OK;
}

static void source_close(void *self)
{
    struct script *s = self;
    if (s->source) s->source->context = NULL;
}

/* Two digits and more, so that sorting by name is sorting by number. */
static int32_t source_partitions(void *self, struct weir_partitions *list,
                                 struct weir_error *error)
{
    struct script *s = self;
    int digits = snprintf(NULL, 0, "%u", s->source->partitions - 1);
    (void)error;
    for (uint32_t p = 0; p < s->source->partitions; p++) {
        char name[16];
        snprintf(name, sizeof name, "%0*u", digits, p);
        int32_t result = list->add(list->names, name);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static uint64_t position_read(struct weir_bytes bytes)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < bytes.length && i < 8; i++) at |= (uint64_t)bytes.data[i] << (8 * i);
    return at;
}

static struct weir_bytes position_write(struct world_line *line, uint64_t at)
{
    for (int i = 0; i < 8; i++) line->position[i] = (uint8_t)(at >> (8 * i));
    return (struct weir_bytes){ line->position, 8 };
}

static uint32_t item_at(const struct world_line *line, uint64_t at)
{
    uint32_t i = line->n - 1;
    while (line->items[i].first > at) i--;
    return i;
}

static int32_t source_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                           struct weir_error *error)
{
    struct script *s = self;
    struct world_line *line = &s->source->lines[strtoul(in->partition, NULL, 10)];
    uint64_t at = position_read(in->from), until = line->end;
    if (in->replay_to.data) until = position_read(in->replay_to);
    if (until > line->end) return weir_fail(error, WEIR_FATAL, "the position lies behind the rows");
    if (at >= until) return WEIR_PENDING;
    uint32_t i = item_at(line, at);
    const struct world_item *item = &line->items[i];
    if (!item->rows) {
        out->flags = WEIR_NEXT_ABSENT;
        out->position = position_write(line, at + 1);
        return WEIR_OK;
    }
    if (until > item->first + item->n) until = item->first + item->n;
    if (until - at > in->max_rows) until = at + in->max_rows;
    int32_t result = slice_parse(&s->source->schema, item->rows, at - item->first,
                                 until - item->first, &out->array, error);
    if (result != WEIR_OK) return WEIR_FATAL; /* it was fine when it was pushed: another job */
    out->flags = WEIR_NEXT_MORE;
    if (until == item->first + item->n && i + 1 < line->n && !line->items[i + 1].rows)
        out->flags |= WEIR_NEXT_BATCH_END;
    out->position = position_write(line, until);
    return WEIR_OK;
}

static int32_t source_commit(void *self, const char *partition, struct weir_bytes position,
                             struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK;
}

static int32_t source_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    (void)self;
    snprintf(text, size, "%llu", (unsigned long long)position_read(position));
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static const struct weir_source source_table = { .size = sizeof source_table,
                                                 .create = source_create,
                                                 .destroy = source_destroy,
                                                 .bind = source_bind,
                                                 .open = source_open,
                                                 .partitions = source_partitions,
                                                 .next = source_next,
                                                 .commit = source_commit,
                                                 .position_text = source_text,
                                                 .cancel = nothing,
                                                 .close = source_close };

/* ---- the sink ---- */

struct capture {
    const struct weir_context *context;
    char job_id[40];
    uint64_t batch;
    struct weir_buffer rows; /* "[[…],[…]" */
};

static int32_t sink_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct capture *s = *self = calloc(1, sizeof *s);
    (void)host;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->context = context;
    return WEIR_OK;
}

static void sink_destroy(void *self)
{
    if (self) mem_free(((struct capture *)self)->rows.data);
    free(self);
}

static int32_t sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self;
    (void)in;
    (void)error;
    return WEIR_OK;
}

static int32_t sink_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    struct capture *s = self;
    (void)error;
    snprintf(s->job_id, sizeof s->job_id, "%s", identity->job_id);
    return WEIR_OK;
}

static int32_t sink_recover(void *self, const struct weir_committable *list, uint32_t n,
                            uint64_t next_batch, struct weir_error *error)
{
    (void)self;
    (void)list;
    (void)n;
    (void)next_batch;
    (void)error;
    return WEIR_OK;
}

static int32_t dead(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "the process was killed");
}

static int32_t sink_begin(void *self, const struct weir_sink_batch *batch,
                          struct weir_error *error)
{
    struct capture *s = self;
    if (!alive()) return dead(error);
    s->batch = batch->batch;
    s->rows.length = 0;
    return buffer_add(&s->rows, "[", 1);
}

static int32_t sink_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct capture *s = self;
    if (chunk->selected == 0) return WEIR_OK;
    if (s->rows.length > 1 && buffer_add(&s->rows, ",", 1) != WEIR_OK) goto fail;
    uint64_t at = s->rows.length;
    if (rows_json(chunk->schema, chunk->array, chunk->selection, chunk->selected, &s->rows) !=
        WEIR_OK)
        goto fail;
    s->rows.length--; /* its brackets are ours */
    memmove(s->rows.data + at, s->rows.data + at + 1, s->rows.length - at - 1);
    s->rows.length--;
    return WEIR_OK;
fail:
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static int32_t sink_prepare(void *self, struct weir_buffer *committable, struct weir_error *error)
{
    struct capture *s = self;
    if (!alive()) return dead(error);
    if (buffer_add(committable, s->rows.data, s->rows.length) == WEIR_OK &&
        buffer_add(committable, "]", 1) == WEIR_OK)
        return WEIR_OK;
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* Keeps the batch, or holds it against the one that is there. */
static int32_t make_visible(struct capture *s, struct world_sink *sink, uint64_t batch,
                            json_t *rows, uint32_t *outcome)
{
    *outcome = WEIR_COMMIT_ALREADY;
    for (uint32_t i = sink->n; i-- > 0;) {
        struct world_emission *known = &sink->emissions[i];
        if (strcmp(known->job_id, s->job_id) != 0) continue;
        if (known->batch < batch) break; /* batches come in order */
        if (known->batch != batch) continue;
        if (!json_equal(known->rows, rows))
            world_fail("sink \"%s\": batch %llu came twice, with other rows", sink->name,
                       (unsigned long long)batch);
        json_decref(rows);
        return WEIR_OK;
    }
    *outcome = WEIR_COMMIT_DONE;
    if (sink->n == sink->capacity) {
        uint32_t capacity = sink->capacity ? sink->capacity * 2 : 16;
        struct world_emission *all = realloc(sink->emissions, capacity * sizeof *all);
        if (!all) {
            json_decref(rows);
            return WEIR_FATAL;
        }
        sink->emissions = all;
        sink->capacity = capacity;
    }
    struct world_emission *emission = &sink->emissions[sink->n++];
    snprintf(emission->job_id, sizeof emission->job_id, "%s", s->job_id);
    emission->batch = batch;
    emission->mark = current->mark;
    emission->rows = rows;
    sink->rows += json_array_size(rows);
    return WEIR_OK;
}

static int32_t sink_commit(void *self, const struct weir_committable *committable,
                           uint32_t *outcome, struct weir_error *error)
{
    struct capture *s = self;
    struct world_sink *sink = current ? world_sink(current, s->context->instance) : NULL;
    uint64_t batch = committable->batch;
    *outcome = WEIR_COMMIT_DONE;
    if (!alive() || !sink) return dead(error);
    if (current->closed) return WEIR_OK;
    if (current->at_commit && current->at_commit(current->arg, batch, 0)) return dead(error);
    json_t *rows = json_loadb((const char *)committable->bytes.data, committable->bytes.length,
                              JSON_ALLOW_NUL, NULL);
    if (!rows) return weir_fail(error, WEIR_FATAL, "the committable is no JSON");
    if (make_visible(s, sink, batch, rows, outcome) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    if (current->at_commit && current->at_commit(current->arg, batch, 1)) return dead(error);
    return WEIR_OK;
}

static int32_t sink_abort(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static const struct weir_sink sink_table = { .size = sizeof sink_table,
                                             .create = sink_create,
                                             .destroy = sink_destroy,
                                             .bind = sink_bind,
                                             .open = sink_open,
                                             .recover = sink_recover,
                                             .begin = sink_begin,
                                             .write = sink_write,
                                             .prepare = sink_prepare,
                                             .commit = sink_commit,
                                             .abort = sink_abort,
                                             .cancel = nothing,
                                             .close = nothing };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SOURCE, .name = "scenario_source",
      .summary = "gives the rows of a scenario", .options = source_options, .n_options = 1,
      .capabilities = WEIR_CAP_REPLAYABLE, .table = &source_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "scenario_sink",
      .summary = "keeps rows for a scenario", .level = WEIR_SINK_TWO_PHASE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION, .table = &sink_table },
};

const struct weir_plugin world_plugin = { sizeof world_plugin, WEIR_ABI_MAJOR, 0, 0,
                                          "weir.scenario", "1", "none", WEIR_SDK_VERSION,
                                          components, sizeof *components,
                                          sizeof components / sizeof *components };
