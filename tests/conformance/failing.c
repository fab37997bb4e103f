/*
 * failing.c - the sink `failing` for conformance cases: every batch fails with the message that it was given.
 */
#include <weir/plugin.h>

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "message", NULL, NULL, "what it says"),
};

struct failing {
    const struct weir_host *host;
    struct weir_context *context;
};

static int32_t failing_create(const struct weir_host *host, struct weir_context *context,
                              void **self, struct weir_error *error)
{
    struct failing *f = *self = host->alloc(sizeof *f);
    if (!f) return weir_fail(error, WEIR_FATAL, "out of memory");
    *f = (struct failing){ host, context };
    return WEIR_OK;
}

static void failing_destroy(void *self)
{
    struct failing *f = self;
    if (f) f->host->free(f);
}

static int32_t failing_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self;
    (void)in;
    (void)error;
    return WEIR_OK;
}

static int32_t failing_open(void *self, const struct weir_identity *identity,
                            struct weir_error *error)
{
    (void)self;
    (void)identity;
    (void)error;
    return WEIR_OK;
}

static int32_t failing_begin(void *self, const struct weir_sink_batch *batch,
                             struct weir_error *error)
{
    struct failing *f = self;
    struct weir_value value = { .size = sizeof value };
    (void)batch;
    f->host->option(f->context, "message", &value);
    return weir_fail(error, WEIR_FATAL, "%s", value.text);
}

static int32_t failing_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    (void)self;
    (void)chunk;
    (void)error;
    return WEIR_OK;
}

static int32_t failing_finish(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static void failing_nothing(void *self)
{
    (void)self;
}

static const struct weir_sink failing_table = { .size = sizeof failing_table,
                                                .create = failing_create,
                                                .destroy = failing_destroy,
                                                .bind = failing_bind,
                                                .open = failing_open,
                                                .begin = failing_begin,
                                                .write = failing_write,
                                                .finish = failing_finish,
                                                .abort = failing_finish,
                                                .cancel = failing_nothing,
                                                .close = failing_nothing };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "failing",
      .summary = "fails in every batch", .options = options, .n_options = 1,
      .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION, .table = &failing_table },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
                                           "conformance.failing", "1", "none", WEIR_SDK_VERSION,
                                           components, sizeof *components,
                                           sizeof components / sizeof *components };

WEIR_PLUGIN(plugin)
