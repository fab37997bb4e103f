/*
 * stdin.c - the source `stdin`: standard input as one partition. It can't be read again, so the host spools it.
 */
#include <weir/plugin.h>

#include "plugins/share/option.h"
#include "plugins/share/run.h"
#include "plugins/share/stream.h"

#define POLL_US 20000

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_JSON, 0, "format", "\"text\"", NULL, "a name, or {\"type\": …}"),
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "max_record", "1Mi", NULL,
                "longer records are rejected and skipped"),
};

static int32_t stdin_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct stream *stream = host->alloc(sizeof *stream);
    *self = stream;
    if (!stream) return no_memory(error);
    return stream_init(stream, host, context, error);
}

static void stdin_destroy(void *self)
{
    struct stream *stream = self;
    const struct weir_host *host;
    if (!stream) return;
    host = stream->host;
    stream_fini(stream);
    host->free(stream);
}

static int32_t stdin_bind(void *self, const struct weir_source_bind *in,
                          struct weir_source_plan *out, struct weir_error *error)
{
    struct stream *stream = self;
    stream->with_head = in->head != 0;
    out->absorbed = 0;
    return run_schema(stream->data, stream->with_head, &out->schema, error);
}

static int32_t stdin_open(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static int32_t stdin_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self;
    (void)error;
    return list->add(list->names, "stdin");
}

static int32_t stdin_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                          struct weir_error *error)
{
    struct stream *stream = self;
    struct weir_error ignored;
    int32_t status;
    out->array.release = NULL;
    out->position.data = NULL;
    out->position.length = 0;
    out->records = 0;
    out->flags = 0;
    if (in->replay_to.data)
        return weir_fail(error, WEIR_FATAL, "standard input can't be read again");
    weir_error_init(&ignored);
    status = stream_receive(stream, WEIR_IO_STDIN, &ignored);
    if (status != WEIR_OK) return no_memory(error);
    if (ignored.error_class != WEIR_OK)
        stream->host->log(stream->context, WEIR_LOG_WARN, ignored.text);
    status = stream_give(stream, in, out, error);
    if (status != WEIR_OK) return status;
    if (out->flags & WEIR_NEXT_END) out->flags |= WEIR_NEXT_LAST;
    if (out->array.release || out->flags) return WEIR_OK;
    weir_error_init(&ignored);
    if (stream->io->watch(stream->context, WEIR_IO_STDIN, WEIR_IO_READABLE, &ignored) != WEIR_OK)
        stream->host->wake_after(stream->context, POLL_US); /* a file is always ready */
    return WEIR_PENDING;
}

static int32_t stdin_commit(void *self, const char *partition, struct weir_bytes position,
                            struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK;
}

static int32_t stdin_position_text(void *self, struct weir_bytes bytes, char *text, uint32_t size)
{
    (void)self;
    return stream_position_text(bytes, text, size);
}

static void stdin_nothing(void *self) { (void)self; }

static const struct weir_source table = {
    .size = sizeof table,
    .create = stdin_create,
    .destroy = stdin_destroy,
    .bind = stdin_bind,
    .open = stdin_open,
    .partitions = stdin_partitions,
    .next = stdin_next,
    .commit = stdin_commit,
    .position_text = stdin_position_text,
    .cancel = stdin_nothing,
    .close = stdin_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "stdin",
      .summary = "standard input",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT,
      .table = &table },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.source.stdin",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
