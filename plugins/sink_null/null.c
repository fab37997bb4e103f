/*
 * null.c - the sink `null`: takes all rows, keeps their number and, on request, checksums.
 *
 * Two sums say whether two runs gave the same rows. `checksum` is the sum of the rows' hashes: the
 * same rows in any order and in any batches give the same. `order_checksum` is a hash over the
 * hashes in the order in which the rows came. Both are cut to 53 bits, so that a gauge holds them
 * exactly. They count from the start of the process; a batch that is tried again counts once.
 */
#include <weir/plugin.h>

#include "plugins/share/option.h"

#define MIX_A 0x9e3779b97f4a7c15ull
#define MIX_B 0xd6e8feb86659fd93ull
#define GAUGE_BITS 53

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "checksum", "false", NULL,
                "read the rows and sum up their hashes, for comparing runs"),
};

struct null {
    const struct weir_host *host;
    struct weir_context *context;
    int checksum;
    uint64_t sum, order;                         /* of finished batches */
    uint64_t batch_rows, batch_sum, batch_order; /* of the one under way */
};

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014) with other constants. */
static inline uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * MIX_B;
    h = (h ^ h >> 32) * MIX_B;
    return h ^ h >> 32;
}

static uint64_t hash_bytes(uint64_t h, struct weir_bytes bytes)
{
    uint64_t i, word;
    for (i = 0; i + 8 <= bytes.length; i += 8) {
        memcpy(&word, bytes.data + i, 8);
        h = (h ^ word) * MIX_A;
        h ^= h >> 29;
    }
    word = 0;
    if (i < bytes.length) memcpy(&word, bytes.data + i, bytes.length - i);
    return mix(h ^ word ^ bytes.length * MIX_B);
}

static uint64_t hash_value(uint64_t h, const struct ArrowSchema *type,
                           const struct ArrowArray *array, uint32_t row)
{
    const int32_t *offsets;
    uint64_t word;
    if (weir_is_null(array, row)) return mix(h + MIX_A);
    switch (weir_type_of(type)) {
    case WEIR_TYPE_BOOL: return mix(h ^ (uint64_t)(weir_get_bool(array, row) + 2));
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return mix(h ^ (uint64_t)weir_get_int32(array, row));
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return hash_bytes(h, weir_get_bytes(array, row));
    case WEIR_TYPE_STRUCT:
        for (int64_t i = 0; i < type->n_children; i++)
            h = hash_value(h, type->children[i], array->children[i], row);
        return mix(h);
    case WEIR_TYPE_LIST:
        offsets = array->buffers[1];
        for (int32_t i = offsets[row]; i < offsets[row + 1]; i++)
            h = hash_value(h, type->children[0], array->children[0], (uint32_t)i);
        return mix(h + (uint64_t)(offsets[row + 1] - offsets[row]));
    default: /* 64 bits wide */
        word = (uint64_t)weir_get_int64(array, row);
        return mix(h ^ word);
    }
}

static int32_t null_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct null *null = host->alloc(sizeof *null);
    *self = null;
    if (!null) return no_memory(error);
    memset(null, 0, sizeof *null);
    null->host = host;
    null->context = context;
    null->checksum = option_integer(host, context, "checksum", 0) != 0;
    return WEIR_OK;
}

static void null_destroy(void *self)
{
    struct null *null = self;
    if (null) null->host->free(null);
}

static int32_t null_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self, (void)in, (void)error;
    return WEIR_OK;
}

static int32_t null_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    (void)self, (void)identity, (void)error;
    return WEIR_OK;
}

static int32_t null_abort(void *self, struct weir_error *error)
{
    struct null *null = self;
    (void)error;
    null->batch_rows = null->batch_sum = 0;
    null->batch_order = null->order;
    return WEIR_OK;
}

static int32_t null_begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    (void)batch;
    return null_abort(self, error);
}

static int32_t null_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct null *null = self;
    (void)error;
    null->batch_rows += chunk->selected;
    if (!null->checksum) return WEIR_OK;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint64_t h = MIX_A;
        for (int64_t k = 0; k < chunk->schema->n_children; k++)
            h = hash_value(h, chunk->schema->children[k], chunk->array->children[k],
                           weir_row(chunk, i));
        null->batch_sum += h;
        null->batch_order = mix(null->batch_order * MIX_A ^ h);
    }
    return WEIR_OK;
}

static int32_t null_finish(void *self, struct weir_error *error)
{
    struct null *null = self;
    (void)error;
    null->host->count(null->context, "rows", (int64_t)null->batch_rows);
    null->host->count(null->context, "batches", 1);
    null->sum += null->batch_sum;
    null->order = null->batch_order;
    if (!null->checksum) return WEIR_OK;
    null->host->gauge(null->context, "checksum", (double)(null->sum >> (64 - GAUGE_BITS)));
    null->host->gauge(null->context, "order_checksum", (double)(null->order >> (64 - GAUGE_BITS)));
    return WEIR_OK;
}

static void null_nothing(void *self) { (void)self; }

static const struct weir_sink sink = {
    .size = sizeof sink,
    .create = null_create,
    .destroy = null_destroy,
    .bind = null_bind,
    .open = null_open,
    .begin = null_begin,
    .write = null_write,
    .finish = null_finish,
    .abort = null_abort,
    .cancel = null_nothing,
    .close = null_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "null",
      .summary = "counts rows and keeps none",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_READS_NOTHING,
      .table = &sink },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.sink.null",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
