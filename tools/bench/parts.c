/*
 * parts.c - components of weir-bench itself: sources of typed rows, and a sink that looks at what it
 * gets.
 */
#include <stdlib.h>
#include <signal.h>

#include "core/data/array.h"
#include "tools/bench/bench.h"

struct bench_seen bench_seen;
struct bench_source bench_source;

/* ---- sources: row i of partition p of P is row i * P + p of the input ---- */

#define PARTITIONS_MAX 16u
#define BLOCK_ROWS 8192u

struct rows {
    const struct weir_host *host;
    int events; /* 1: bench_events */
    uint64_t position[PARTITIONS_MAX];
};

static int32_t rows_create(void **self, int events, struct weir_error *error)
{
    struct rows *s = calloc(1, sizeof *s);
    *self = s;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->events = events;
    return WEIR_OK;
}

static int32_t keys_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    (void)host;
    (void)context;
    return rows_create(self, 0, error);
}

static int32_t events_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    (void)host;
    (void)context;
    return rows_create(self, 1, error);
}

static void rows_destroy(void *self)
{
    free(self);
}

static int32_t rows_bind(void *self, const struct weir_source_bind *in,
                         struct weir_source_plan *out, struct weir_error *error)
{
    const struct rows *s = self;
    (void)in;
    return weir_data_1.schema_parse(s->events ? "ad int64, event int32, time timestamp"
                                              : "k int64, v int64",
                                    &out->schema, error);
}

static int32_t rows_open(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static int32_t rows_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self;
    (void)error;
    for (uint32_t p = 0; p < bench_source.partitions; p++) {
        char name[16];
        snprintf(name, sizeof name, "p%02u", p);
        list->add(list->names, name);
    }
    return WEIR_OK;
}

static void fill_keys(struct ArrowArray *columns, uint64_t first, uint64_t step, uint64_t n)
{
    int64_t *k = (int64_t *)(uintptr_t)columns[0].buffers[1];
    int64_t *v = (int64_t *)(uintptr_t)columns[1].buffers[1];
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = first + i * step;
        k[i] = row < bench_source.distinct_until ? (int64_t)row
                                                 : bench_key(row, bench_source.distinct);
        v[i] = bench_value(row);
    }
}

static void fill_events(struct ArrowArray *columns, uint64_t first, uint64_t step, uint64_t n)
{
    int64_t *ad = (int64_t *)(uintptr_t)columns[0].buffers[1];
    int32_t *event = (int32_t *)(uintptr_t)columns[1].buffers[1];
    int64_t *time = (int64_t *)(uintptr_t)columns[2].buffers[1];
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = first + i * step;
        ad[i] = bench_event_ad(row);
        event[i] = bench_event_type(row);
        time[i] = bench_event_ms(row) * 1000;
    }
}

static const uint32_t types[2][3] = {
    { WEIR_TYPE_INT64, WEIR_TYPE_INT64, 0 },
    { WEIR_TYPE_INT64, WEIR_TYPE_INT32, WEIR_TYPE_TIMESTAMP },
};

/* ---- rows that are there before the job begins: chunks point into them ---- */

static struct prepared {
    void *columns[3];
} prepared[PARTITIONS_MAX];

static uint64_t width(int events, uint32_t column)
{
    return weir_type_width(types[events][column]);
}

int bench_prepare(int events)
{
    const uint64_t parts = bench_source.partitions, n = bench_source.rows / parts;
    for (uint64_t p = 0; p < parts; p++) {
        struct ArrowArray columns[3];
        const void *buffers[3][2] = { { NULL } };
        for (uint32_t c = 0; c < 3 && types[events][c]; c++) {
            free(prepared[p].columns[c]);
            prepared[p].columns[c] = malloc(n * width(events, c) + 64);
            if (!prepared[p].columns[c]) return -1;
            buffers[c][1] = prepared[p].columns[c];
            columns[c] = (struct ArrowArray){ .buffers = buffers[c] };
        }
        if (events) fill_events(columns, p, parts, n);
        else fill_keys(columns, p, parts, n);
    }
    bench_source.prepared = 1;
    return 0;
}

static void lent_release(struct ArrowArray *array)
{
    free(array->private_data);
    array->release = NULL;
}

static int32_t lend(const void *values, uint64_t n, struct ArrowArray *out, struct weir_error *error)
{
    const void **buffers = calloc(2, sizeof *buffers);
    if (!buffers) return weir_fail(error, WEIR_FATAL, "out of memory");
    buffers[1] = values;
    *out = (struct ArrowArray){ .length = (int64_t)n, .n_buffers = 2, .buffers = buffers,
                                .private_data = buffers, .release = lent_release };
    return WEIR_OK;
}

static int32_t lend_rows(int events, uint64_t part, uint64_t at, uint64_t n,
                         struct ArrowArray *out, struct weir_error *error)
{
    struct ArrowArray columns[3];
    uint32_t count = 0;
    for (; count < 3 && types[events][count]; count++) {
        const uint8_t *values = prepared[part].columns[count];
        if (lend(values + at * width(events, count), n, &columns[count], error) != WEIR_OK)
            return WEIR_FATAL;
    }
    return array_struct(columns, count, (uint32_t)n, out, error);
}

/* ---- rows made as they are asked for ---- */

static int32_t make_rows(const struct rows *s, uint64_t first, uint64_t step, uint64_t n,
                         struct ArrowArray *out, struct weir_error *error)
{
    struct ArrowArray columns[3];
    uint32_t count = s->events ? 3 : 2;
    for (uint32_t c = 0; c < count; c++)
        if (weir_data_1.column(types[s->events][c], (uint32_t)n, 0, 0, &columns[c], error) !=
            WEIR_OK)
            return WEIR_FATAL;
    if (s->events) fill_events(columns, first, step, n);
    else fill_keys(columns, first, step, n);
    return array_struct(columns, count, (uint32_t)n, out, error);
}

static int32_t rows_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                         struct weir_error *error)
{
    struct rows *s = self;
    uint64_t part = strtoull(in->partition + 1, NULL, 10), parts = bench_source.partitions;
    uint64_t total = bench_source.rows / parts, at = 0, batch = bench_source.batch;
    if (in->from.length == 8) memcpy(&at, in->from.data, 8);
    uint64_t until = total, n = BLOCK_ROWS;
    if (in->replay_to.length == 8) memcpy(&until, in->replay_to.data, 8);
    if (n > until - at) n = until - at;
    if (batch && n > batch - at % batch) n = batch - at % batch;
    if (n > in->max_rows) n = in->max_rows;
    int32_t result = WEIR_OK;
    if (n && bench_source.prepared)
        result = lend_rows(s->events, part, at, n, &out->array, error);
    else if (n)
        result = make_rows(s, at * parts + part, parts, n, &out->array, error);
    if (result != WEIR_OK) return WEIR_FATAL;
    s->position[part] = at + n;
    out->position = (struct weir_bytes){ (uint8_t *)&s->position[part], 8 };
    out->flags = at + n == total                 ? WEIR_NEXT_END | WEIR_NEXT_LAST
                 : batch && (at + n) % batch == 0 ? WEIR_NEXT_BATCH_END
                                                  : WEIR_NEXT_MORE;
    return WEIR_OK;
}

static int32_t rows_commit(void *self, const char *partition, struct weir_bytes position,
                           struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK;
}

static int32_t rows_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    uint64_t at = 0;
    (void)self;
    if (position.length == 8) memcpy(&at, position.data, 8);
    snprintf(text, size, "%llu", (unsigned long long)at);
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static const struct weir_source keys_table = {
    sizeof keys_table, 0, keys_create, rows_destroy, rows_bind, rows_open, rows_partitions,
    rows_next, rows_commit, rows_text, nothing, nothing, NULL
};

static const struct weir_source events_table = {
    sizeof events_table, 0, events_create, rows_destroy, rows_bind, rows_open, rows_partitions,
    rows_next, rows_commit, rows_text, nothing, nothing, NULL
};

/* ---- sink: the checksum of the last row per key ---- */

struct entry {
    uint64_t key, row; /* hashes; key 0: free */
};

struct looker {
    uint32_t upsert, n_keys, keys[16];
    uint64_t *rows; /* by key, where it is one small integer */
    uint64_t n_rows;
    struct entry *entries; /* else: open addressing, at most half full */
    uint64_t mask, used;
};

static int32_t sink_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    (void)host;
    (void)context;
    *self = calloc(1, sizeof(struct looker));
    return *self ? WEIR_OK : weir_fail(error, WEIR_FATAL, "out of memory");
}

static void sink_destroy(void *self)
{
    struct looker *l = self;
    if (!l) return;
    free(l->rows);
    free(l->entries);
    free(l);
}

static int32_t sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    struct looker *l = self;
    l->upsert = in->form == WEIR_FORM_UPSERT;
    if (in->n_key_columns > 16) return weir_fail(error, WEIR_CONFIG, "more than 16 key columns");
    l->n_keys = in->n_key_columns;
    if (l->n_keys) memcpy(l->keys, in->key_columns, l->n_keys * sizeof *l->keys);
    return WEIR_OK;
}

static int32_t sink_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    (void)self;
    (void)identity;
    (void)error;
    return WEIR_OK;
}

static int32_t sink_begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    (void)self;
    (void)batch;
    (void)error;
    return WEIR_OK;
}

uint64_t bench_cell_int(uint64_t row, int64_t value)
{
    return bench_mix(row + 0x9e3779b97f4a7c15ull + (uint64_t)value);
}

uint64_t bench_cell_text(uint64_t row, const void *text, uint64_t length)
{
    const uint8_t *p = text;
    uint64_t word, i;
    row = bench_mix(row ^ length);
    for (i = 0; i + 8 <= length; i += 8) {
        memcpy(&word, p + i, 8);
        row = bench_mix(row + word);
    }
    word = 0;
    if (i < length) memcpy(&word, p + i, length - i);
    return bench_mix(row + word);
}

static uint64_t cell(uint64_t row, const struct ArrowSchema *schema, const struct ArrowArray *a,
                     uint32_t at)
{
    switch (weir_type_of(schema)) {
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_TIMESTAMP: return bench_cell_int(row, weir_get_int64(a, at));
    case WEIR_TYPE_INT32: return bench_cell_int(row, ((const int32_t *)a->buffers[1])[at]);
    case WEIR_TYPE_UTF8: {
        struct weir_bytes b = weir_get_bytes(a, at);
        return bench_cell_text(row, b.data, b.length);
    }
    default: return row;
    }
}

static uint64_t entry_put(struct looker *l, uint64_t key, uint64_t row)
{
    uint64_t before;
    if (2 * (l->used + 1) > l->mask) {
        struct looker next = { .mask = l->mask ? 2 * l->mask + 1 : 0xffff };
        next.entries = calloc(next.mask + 1, sizeof *next.entries);
        if (!next.entries) abort();
        for (uint64_t i = 0; l->entries && i <= l->mask; i++)
            if (l->entries[i].key) entry_put(&next, l->entries[i].key, l->entries[i].row);
        free(l->entries);
        l->entries = next.entries;
        l->mask = next.mask;
    }
    uint64_t p = key & l->mask;
    while (l->entries[p].key && l->entries[p].key != key) p = (p + 1) & l->mask;
    before = l->entries[p].key ? l->entries[p].row : 0;
    if (!l->entries[p].key) l->used++;
    l->entries[p] = (struct entry){ key, row };
    return before;
}

#define AHEAD 16u

/* Asks for what replace will read: the sink is not what is measured. */
static void ask_ahead(const struct looker *l, const struct weir_chunk *chunk, uint32_t i)
{
    const struct ArrowArray *first = chunk->array->children[l->keys[0]];
    if (!l->rows || i + AHEAD >= chunk->selected) return;
    if (weir_type_of(chunk->schema->children[l->keys[0]]) != WEIR_TYPE_INT64) return;
    const uint64_t key = (uint64_t)weir_get_int64(first, weir_row(chunk, i + AHEAD));
    if (key < l->n_rows) __builtin_prefetch(&l->rows[key], 1);
}

/* Notes the row of a key; the one that it replaces, or 0. */
static uint64_t replace(struct looker *l, const struct weir_chunk *chunk, uint32_t at, uint64_t row)
{
    const struct ArrowArray *first = chunk->array->children[l->keys[0]];
    if (l->n_keys == 1 && weir_type_of(chunk->schema->children[l->keys[0]]) == WEIR_TYPE_INT64) {
        uint64_t key = (uint64_t)weir_get_int64(first, at);
        if (key < 1u << 26) {
            if (key >= l->n_rows) {
                uint64_t n = key * 2 + 1024;
                l->rows = realloc(l->rows, n * sizeof *l->rows);
                if (!l->rows) abort();
                memset(l->rows + l->n_rows, 0, (n - l->n_rows) * sizeof *l->rows);
                l->n_rows = n;
            }
            uint64_t before = l->rows[key];
            l->rows[key] = row;
            return before;
        }
    }
    uint64_t key = BENCH_ROW;
    for (uint32_t k = 0; k < l->n_keys; k++)
        key = cell(key, chunk->schema->children[l->keys[k]], chunk->array->children[l->keys[k]], at);
    return entry_put(l, key ? key : 1, row);
}

static int64_t last_cell(const struct weir_chunk *chunk, uint32_t at)
{
    int64_t last = chunk->schema->n_children - 1;
    if (last < 0 || weir_type_of(chunk->schema->children[last]) != WEIR_TYPE_INT64) return 0;
    return weir_get_int64(chunk->array->children[last], at);
}

static int32_t sink_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct looker *l = self;
    uint64_t sum = 0, checksum = 0;
    (void)error;
    if (chunk->selected && !bench_seen.first_us) bench_seen.first_us = (int64_t)(bench_now_s() * 1e6);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t at = weir_row(chunk, i);
        uint64_t row = BENCH_ROW;
        if (l->upsert) ask_ahead(l, chunk, i);
        for (int64_t c = 0; c < chunk->schema->n_children; c++)
            row = cell(row, chunk->schema->children[c], chunk->array->children[c], at);
        checksum += l->upsert ? row - replace(l, chunk, at, row) : row;
        sum += (uint64_t)last_cell(chunk, at);
    }
    bench_seen.rows += chunk->selected;
    bench_seen.checksum += checksum;
    bench_seen.sum += sum;
    return WEIR_OK;
}

static int32_t sink_finish(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    if (bench_seen.stop_at && bench_seen.sum >= bench_seen.stop_at) raise(SIGTERM);
    return WEIR_OK;
}

static const struct weir_sink sink_table = { .size = sizeof sink_table,
                                             .create = sink_create,
                                             .destroy = sink_destroy,
                                             .bind = sink_bind,
                                             .open = sink_open,
                                             .begin = sink_begin,
                                             .write = sink_write,
                                             .finish = sink_finish,
                                             .abort = sink_finish,
                                             .cancel = nothing,
                                             .close = nothing };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SOURCE, .name = "bench_keys",
      .summary = "seeded keys and values", .capabilities = WEIR_CAP_REPLAYABLE,
      .table = &keys_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SOURCE, .name = "bench_events",
      .summary = "seeded events of ads", .capabilities = WEIR_CAP_REPLAYABLE,
      .table = &events_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "bench",
      .summary = "a checksum of what it gets", .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION, .table = &sink_table },
};

const struct weir_plugin bench_plugin = { sizeof bench_plugin, WEIR_ABI_MAJOR, 0, 0, "weir.bench",
                                          "1", "none", WEIR_SDK_VERSION, components,
                                          sizeof *components,
                                          sizeof components / sizeof *components };

/* ---- checksums of files ---- */

static uint64_t field(uint64_t row, const char *text, size_t length)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    return length && end == text + length ? bench_cell_int(row, value)
                                          : bench_cell_text(row, text, length);
}

int bench_checksum_file(const char *path, uint64_t *rows, uint64_t *checksum)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    *rows = *checksum = 0;
    if (!file) return -1;
    while ((n = getline(&line, &room, file)) > 0) {
        uint64_t row = BENCH_ROW;
        size_t length = (size_t)n, from = 0;
        if (line[length - 1] == '\n') line[--length] = 0;
        for (size_t at = 0; at <= length; at++) {
            if (at < length && line[at] != ',') continue;
            line[at] = 0;
            row = field(row, line + from, at - from);
            from = at + 1;
        }
        *checksum += row;
        ++*rows;
    }
    free(line);
    return fclose(file);
}

void bench_seen_reset(void)
{
    memset(&bench_seen, 0, sizeof bench_seen);
}
