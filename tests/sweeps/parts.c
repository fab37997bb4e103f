/*
 * parts.c - what the bundled plugins don't have and the sweeps need: an operator that removes keys,
 * one that is not deterministic, and an idempotent sink that notices when a batch comes again with other rows.
 */
#include <weir/plugin.h>
#include <weir/stateful.h>

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/sweeps/sweep.h"

/* ---- churn: per key how often it came and what it summed to; v of a multiple of 3 ends the key ---- */

static int32_t churn_update(struct weir_stateful_row *r, struct weir_error *error)
{
    int64_t v = weir_row_int(&r->row, 2);
    *weir_stateful_int(r, 0) += 1;
    *weir_stateful_int(r, 1) += v;
    weir_row_put_text(&r->row, 0, weir_row_text(&r->row, 0));
    weir_row_put_text(&r->row, 1, weir_row_text(&r->row, 1));
    weir_row_put_int(&r->row, 2, *weir_stateful_int(r, 0));
    weir_row_put_int(&r->row, 3, *weir_stateful_int(r, 1));
    int32_t result = weir_row_emit(&r->row, error);
    return result == WEIR_OK && v % 3 == 0 ? weir_stateful_remove(r) : result;
}

static const struct weir_stateful churn = {
    { "b string, k string, v bigint", "b string, k string, n bigint, total bigint", 0, 0 },
    2, "n bigint, total bigint", churn_update, 1
};

static int32_t churn_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    return weir_stateful_create(&churn, host, context, self, error);
}

/* As weir_stateful_bind, but b alone says the group: so groups have several keys. */
static int32_t churn_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_stateful_self *s = self;
    struct weir_table_column columns[2] = { { .name = "n", .type = WEIR_TYPE_INT64 },
                                            { .name = "total", .type = WEIR_TYPE_INT64 } };
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "state",
                                    .key = &s->key, .n_distribution = 1, .n_columns = 2,
                                    .columns = columns, .version = 1, .signature = "" };
    int32_t result = weir_row_bind(self, in, out, error);
    if (result == WEIR_OK)
        result = s->row.data_table->schema_parse("b string, k string", &s->key, error);
    if (result != WEIR_OK) return result;
    out->distribution[0].kind = WEIR_DISTRIBUTE_HASHED;
    out->distribution[0].n_columns = 1;
    out->distribution[0].columns[0] = (uint32_t)s->row.columns[0];
    return s->table->declare(s->row.context, &spec, &s->number, error);
}

static const struct weir_operator churn_table = { .size = sizeof churn_table,
                                                  .create = churn_create,
                                                  .destroy = weir_stateful_destroy,
                                                  .bind = churn_bind,
                                                  .lane_create = weir_stateful_lane,
                                                  .lane_destroy = weir_stateful_lane_end,
                                                  .begin = weir_stateful_begin,
                                                  .process = weir_stateful_process };

/* ---- dice: the rows as they are, the first letter upper or lower by a die that is thrown anew each time ---- */

static int32_t dice_row(struct weir_row *row, struct weir_error *error)
{
    static atomic_uint thrown; /* lives of one process share it */
    struct weir_bytes text = weir_row_text(row, 0);
    uint64_t state = atomic_fetch_add(&thrown, 1);
    char copy[64];
    uint64_t n = text.length < sizeof copy ? text.length : sizeof copy;
    memcpy(copy, text.data, n);
    if (n && sweep_draw(&state) % 2) copy[0] = (char)toupper((unsigned char)copy[0]);
    weir_row_put_text(row, 0, (struct weir_bytes){ (const uint8_t *)copy, n });
    return weir_row_emit(row, error);
}

static const struct weir_row_operator dice_rows = { "value string", "value string", dice_row, 0 };
WEIR_ROW_OPERATOR(dice_table, dice_rows)

/* ---- seen: a file per batch, PATH/00000007; PATH/00000007! where it came again with other rows ---- */

static const struct weir_option seen_options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "path", NULL, NULL, "the directory"),
};

struct seen {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const struct weir_formats *format;
    char path[256];
    uint64_t batch;
    struct weir_buffer rows;
};

static int32_t seen_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct seen *seen = host->alloc(sizeof *seen);
    struct weir_value value;
    *self = seen;
    if (!seen) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(seen, 0, sizeof *seen);
    memset(&value, 0, sizeof value);
    value.size = sizeof value;
    seen->host = host;
    seen->context = context;
    seen->io = host->get_interface(WEIR_IO_ID);
    seen->format = host->get_interface(WEIR_FORMAT_ID);
    if (host->option(context, "path", &value) == WEIR_OK)
        snprintf(seen->path, sizeof seen->path, "%s", value.text);
    return seen->io && seen->format ? WEIR_OK : WEIR_UNSUPPORTED;
}

static void seen_destroy(void *self)
{
    struct seen *seen = self;
    if (!seen) return;
    seen->host->free(seen->rows.data);
    seen->host->free(seen);
}

static int32_t seen_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self, (void)in, (void)error; /* the format takes the whole stream */
    return WEIR_OK;
}

static int32_t seen_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    struct seen *seen = self;
    (void)identity;
    return seen->io->mkdir(seen->context, seen->path, error);
}

static int32_t seen_begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    struct seen *seen = self;
    (void)error;
    seen->batch = batch->batch;
    seen->rows.length = 0;
    return WEIR_OK;
}

static int32_t seen_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct seen *seen = self;
    return seen->format->encode(seen->context, chunk, 0, &seen->rows, error);
}

/* 1: the file holds these rows already, 0: others, -1: there is none, -2: an error */
static int known(struct seen *seen, const char *path, struct weir_error *error)
{
    struct weir_error absent = WEIR_ERROR_INIT;
    int64_t handle = -1;
    uint64_t got = 0, n = seen->rows.length;
    int32_t result = seen->io->open(seen->context, path, WEIR_IO_READ, &handle, &absent);
    if (result == WEIR_UNSUPPORTED) return -1;
    uint8_t *bytes = result == WEIR_OK ? seen->host->alloc(n + 2) : NULL;
    if (bytes) result = seen->io->pread(seen->context, handle, bytes, n + 1, 0, &got, error);
    else weir_fail(error, WEIR_FATAL, "%s", result == WEIR_OK ? "out of memory" : absent.text);
    seen->io->close(seen->context, handle);
    int same = bytes && result == WEIR_OK && got == n && (n == 0 || memcmp(bytes, seen->rows.data, n) == 0);
    int state = !bytes || result != WEIR_OK ? -2 : same;
    seen->host->free(bytes);
    return state;
}

static int32_t put(struct seen *seen, const char *path, struct weir_error *error)
{
    char draft[512];
    int64_t handle = -1;
    snprintf(draft, sizeof draft, "%s/.draft", seen->path);
    int32_t result = seen->io->open(seen->context, draft,
                                    WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_TRUNCATE, &handle, error);
    if (result == WEIR_OK && seen->rows.length)
        result = seen->io->pwrite(seen->context, handle, seen->rows.data, seen->rows.length, 0, error);
    if (result == WEIR_OK) result = seen->io->sync(seen->context, handle, error);
    seen->io->close(seen->context, handle);
    if (result == WEIR_OK) result = seen->io->rename(seen->context, draft, path, error);
    return result == WEIR_OK ? seen->io->sync_dir(seen->context, seen->path, error) : result;
}

static int32_t seen_finish(void *self, struct weir_error *error)
{
    struct seen *seen = self;
    char path[512];
    snprintf(path, sizeof path, "%s/%08llu", seen->path, (unsigned long long)seen->batch);
    int state = known(seen, path, error);
    if (state == -2) return error->error_class == WEIR_OK ? WEIR_FATAL : error->error_class;
    if (state == 1) return WEIR_OK;
    if (state == 0) strcat(path, "!");
    return put(seen, path, error);
}

static int32_t seen_abort(void *self, struct weir_error *error)
{
    (void)self, (void)error;
    return WEIR_OK;
}

static void seen_nothing(void *self)
{
    (void)self;
}

static const struct weir_sink seen_table = { .size = sizeof seen_table,
                                             .create = seen_create,
                                             .destroy = seen_destroy,
                                             .bind = seen_bind,
                                             .open = seen_open,
                                             .begin = seen_begin,
                                             .write = seen_write,
                                             .finish = seen_finish,
                                             .abort = seen_abort,
                                             .cancel = seen_nothing,
                                             .close = seen_nothing };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "churn",
      .summary = "counts keys and removes some", .capabilities = WEIR_CAP_DETERMINISTIC,
      .state_reads = 1, .state_writes = 1, .table = &churn_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "dice",
      .summary = "never the same rows again", .table = &dice_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "seen",
      .summary = "a file per batch", .options = seen_options, .n_options = 1,
      .level = WEIR_SINK_IDEMPOTENT, .accepts = WEIR_FORM_APPEND,
      .capabilities = WEIR_CAP_NEEDS_FORMAT, .table = &seen_table },
};

const struct weir_plugin sweep_parts = { sizeof sweep_parts, WEIR_ABI_MAJOR, 0, 0, "test.sweep", "1",
                                         "none", WEIR_SDK_VERSION, components, sizeof *components,
                                         sizeof components / sizeof *components };
