/*
 * full.c - one component of each kind, with everything that a descriptor can say.
 */
#include "plain.h"

static int32_t no(void *self, struct weir_error *error)
{
    (void)self;
    return weir_fail(error, WEIR_FATAL, "not for running");
}

static int32_t source_bind(void *self, const struct weir_source_bind *in,
                           struct weir_source_plan *out, struct weir_error *error)
{
    (void)in, (void)out;
    return no(self, error);
}

static int32_t source_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)list;
    return no(self, error);
}

static int32_t source_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                           struct weir_error *error)
{
    (void)in, (void)out;
    return no(self, error);
}

static int32_t source_commit(void *self, const char *partition, struct weir_bytes position,
                             struct weir_error *error)
{
    (void)partition, (void)position;
    return no(self, error);
}

static int32_t source_position_text(void *self, struct weir_bytes position, char *text,
                                    uint32_t size)
{
    (void)self, (void)position, (void)text, (void)size;
    return WEIR_DATA;
}

static const struct weir_source source = {
    sizeof source, 0, plain_create, plain_destroy, source_bind, no, source_partitions, source_next,
    source_commit, source_position_text, plain_destroy, plain_destroy,
};

/* A table of an older SDK: it ends behind `write`. */
static int32_t sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)in;
    return no(self, error);
}

static int32_t sink_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    (void)identity;
    return no(self, error);
}

static int32_t sink_begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    (void)batch;
    return no(self, error);
}

static int32_t sink_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    (void)chunk;
    return no(self, error);
}

static const struct weir_sink sink = {
    .size = offsetof(struct weir_sink, finish),
    .create = plain_create,
    .destroy = plain_destroy,
    .bind = sink_bind,
    .open = sink_open,
    .begin = sink_begin,
    .recover = (int32_t(*)(void *, const struct weir_committable *, uint32_t, uint64_t,
                           struct weir_error *))0,
    .write = sink_write,
};

/* For sinks only. */
static int32_t format_bind_encode(void *self, const struct ArrowSchema *schema,
                                  struct weir_error *error)
{
    (void)schema;
    return no(self, error);
}

static int32_t format_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                             struct weir_buffer *out, struct weir_error *error)
{
    (void)lane, (void)chunk, (void)flags, (void)out;
    return no(self, error);
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = plain_create,
    .destroy = plain_destroy,
    .lane_create = plain_lane_create,
    .lane_destroy = plain_lane_destroy,
    .bind_encode = format_bind_encode,
    .encode = format_encode,
};

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "host", NULL, NULL, "Where to connect"),
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_SECRET, "password", NULL, NULL, "Of the account"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, WEIR_OPTION_LIVE, "mode", "fast", "fast|safe", "How"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "window.length", "5m", NULL, "Of the window"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "separator", "\n", NULL, "Between records"),
};

static const int something = 1;
static const struct weir_interface interfaces[] = { { "org.test.extra/1", &something } };

static const struct weir_component components[] = {
    { .size = sizeof *components, .kind = WEIR_KIND_SOURCE, .name = "both",
      .summary = "Reads nothing", .options = options, .n_options = 5, .table = &source,
      .capabilities = WEIR_CAP_REPLAYABLE | WEIR_CAP_BYTES, .interfaces = interfaces,
      .n_interfaces = 1 },
    { .size = sizeof *components, .kind = WEIR_KIND_SINK, .name = "both",
      .summary = "Writes nothing", .level = WEIR_SINK_IDEMPOTENT,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT, .table = &sink },
    { .size = sizeof *components, .kind = WEIR_KIND_FORMAT, .name = "outward",
      .summary = "For sinks", .table = &format },
    { .size = sizeof *components, .kind = WEIR_KIND_OPERATOR, .name = "counts",
      .summary = "Counts nothing", .state_reads = 1, .state_writes = 2, .table = &plain_table,
      .capabilities = WEIR_CAP_DETERMINISTIC },
};

static const struct weir_plugin plugin = { sizeof plugin, 1, 0, 0, "org.test.full", "2.0",
                                           "Apache-2.0", WEIR_SDK_VERSION, components,
                                           sizeof *components, 4 };

WEIR_PLUGIN(plugin)
