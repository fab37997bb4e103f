/*
 * parts.c - components of weir-bench itself: a source of typed keys, and a sink that adds up what it sees.
 */
#include <stdlib.h>

#include "core/data/array.h"
#include "tools/bench/bench.h"

struct bench_seen bench_seen;
uint64_t bench_keys_rows, bench_keys_distinct, bench_keys_step = 65536;

uint64_t bench_next(struct bench_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t bench_below(struct bench_random *random, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)bench_next(random) * n) >> 64);
}

/* ---- source: row i has key mix(i) mod distinct and value i mod 1000 ---- */

struct keys {
    uint64_t position[2];
};

static int32_t keys_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    (void)host;
    (void)context;
    *self = calloc(1, sizeof(struct keys));
    return *self ? WEIR_OK : weir_fail(error, WEIR_FATAL, "out of memory");
}

static void keys_destroy(void *self)
{
    free(self);
}

static int32_t keys_bind(void *self, const struct weir_source_bind *in,
                         struct weir_source_plan *out, struct weir_error *error)
{
    (void)self;
    (void)in;
    return weir_data_1.schema_parse("k int64, v int64", &out->schema, error);
}

static int32_t keys_open(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static int32_t keys_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self;
    (void)error;
    list->add(list->names, "p0");
    list->add(list->names, "p1");
    return WEIR_OK;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static int32_t keys_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                         struct weir_error *error)
{
    struct keys *s = self;
    uint64_t part = in->partition[1] == '1', total = bench_keys_rows / 2, at = 0;
    if (in->from.length == 8) memcpy(&at, in->from.data, 8);
    uint64_t until = total;
    if (in->replay_to.length == 8) memcpy(&until, in->replay_to.data, 8);
    uint64_t n = until - at < bench_keys_step ? until - at : bench_keys_step;
    if (n > in->max_rows) n = in->max_rows;
    struct ArrowArray columns[2];
    if (n) {
        if (weir_data_1.column(WEIR_TYPE_INT64, (uint32_t)n, 0, 0, &columns[0], error) != WEIR_OK ||
            weir_data_1.column(WEIR_TYPE_INT64, (uint32_t)n, 0, 0, &columns[1], error) != WEIR_OK)
            return WEIR_FATAL;
        int64_t *k = (int64_t *)columns[0].buffers[1], *v = (int64_t *)columns[1].buffers[1];
        for (uint64_t i = 0; i < n; i++) {
            uint64_t row = (at + i) * 2 + part;
            k[i] = (int64_t)(((unsigned __int128)mix(row) * bench_keys_distinct) >> 64);
            v[i] = (int64_t)(row % 1000);
        }
        if (array_struct(columns, 2, (uint32_t)n, &out->array, error) != WEIR_OK) return WEIR_FATAL;
    }
    s->position[part] = at + n;
    out->position = (struct weir_bytes){ (uint8_t *)&s->position[part], 8 };
    out->flags = at + n == total ? WEIR_NEXT_END | WEIR_NEXT_LAST : WEIR_NEXT_MORE;
    return WEIR_OK;
}

static int32_t keys_commit(void *self, const char *partition, struct weir_bytes position,
                           struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK;
}

static int32_t keys_text(void *self, struct weir_bytes position, char *text, uint32_t size)
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
    sizeof keys_table, 0, keys_create, keys_destroy, keys_bind, keys_open, keys_partitions,
    keys_next, keys_commit, keys_text, nothing, nothing
};

/* ---- sink ---- */

static int32_t sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self;
    (void)in;
    (void)error;
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

static uint64_t hash_text(struct weir_bytes b)
{
    uint64_t h = 1469598103934665603ull;
    for (uint64_t i = 0; i < b.length; i++) h = (h ^ b.data[i]) * 1099511628211ull;
    return h;
}

static int32_t sink_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    (void)self;
    (void)error;
    bench_seen.rows += chunk->selected;
    for (int64_t c = 0; c < chunk->schema->n_children; c++) {
        const struct ArrowArray *a = chunk->array->children[c];
        uint32_t type = weir_type_of(chunk->schema->children[c]);
        for (uint32_t i = 0; i < chunk->selected; i++) {
            uint32_t row = weir_row(chunk, i);
            if (type == WEIR_TYPE_INT64) {
                bench_seen.sum += (uint64_t)weir_get_int64(a, row);
                bench_seen.hash += mix((uint64_t)weir_get_int64(a, row) + (uint64_t)c);
            } else if (type == WEIR_TYPE_UTF8) {
                struct weir_bytes b = weir_get_bytes(a, row);
                bench_seen.text_bytes += b.length;
                bench_seen.hash += b.length < 32 ? hash_text(b) : b.length * b.data[b.length / 2];
            }
        }
    }
    return WEIR_OK;
}

static int32_t sink_finish(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static const struct weir_sink sink_table = { .size = sizeof sink_table,
                                             .create = keys_create,
                                             .destroy = keys_destroy,
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
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "bench",
      .summary = "adds up what it sees", .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION, .table = &sink_table },
};

const struct weir_plugin bench_plugin = { sizeof bench_plugin, WEIR_ABI_MAJOR, 0, 0, "weir.bench",
                                          "1", "none", WEIR_SDK_VERSION, components,
                                          sizeof *components, 2 };
