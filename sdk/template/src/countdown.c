/*
 * countdown.c - a replayable source: one partition that counts from `first` down to 0.
 *
 * The position is the next number to give, 8 bytes; an empty one is the start.
 */
#include "src/example.h"

const struct weir_option countdown_options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, WEIR_OPTION_REQUIRED, "first", NULL, NULL, "first number"),
};

struct countdown {
    const struct weir_host *host;
    const struct weir_data *data;
    int64_t from;
    int64_t position; /* given back by next; one partition, so one is enough */
};

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    struct weir_value value;
    struct countdown *s = host->alloc(sizeof *s);
    *self = s;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s, 0, sizeof *s);
    memset(&value, 0, sizeof value);
    value.size = (uint32_t)sizeof value;
    s->host = host;
    s->data = host->get_interface(WEIR_DATA_ID);
    if (!s->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    if (host->option(context, "first", &value) == WEIR_OK) s->from = value.integer;
    if (s->from < 0) return weir_fail_option(error, "first", -1, "a countdown begins at 0 or above");
    return WEIR_OK;
}

static void destroy(void *self)
{
    struct countdown *s = self;
    if (s) s->host->free(s);
}

static int32_t bind(void *self, const struct weir_source_bind *in, struct weir_source_plan *out,
                    struct weir_error *error)
{
    (void)in;
    return ((struct countdown *)self)->data->schema_parse("n bigint", &out->schema, error);
}

static int32_t open_source(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static int32_t partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self;
    (void)error;
    return list->add(list->names, "numbers");
}

static int32_t next(void *self, const struct weir_next *in, struct weir_next_result *out,
                    struct weir_error *error)
{
    struct countdown *s = self;
    struct weir_builder *builder = NULL;
    struct ArrowSchema schema;
    int64_t at = s->from, least = 0;
    uint64_t rows = 0;
    int32_t result;
    if (in->from.length == 8) memcpy(&at, in->from.data, 8);
    if (in->replay_to.length == 8) { /* up to there, exactly */
        memcpy(&least, in->replay_to.data, 8);
        least++;
    }
    result = s->data->schema_parse("n bigint", &schema, error);
    if (result != WEIR_OK) return result;
    result = s->data->builder_create(&schema, &builder, error);
    for (; result == WEIR_OK && at >= least && rows < in->max_rows && rows < 8192; at--, rows++) {
        result = s->data->append_int(s->data->builder_child(builder, 0), at);
        if (result == WEIR_OK) result = s->data->append_valid(builder);
    }
    if (result == WEIR_OK && rows > 0) result = s->data->builder_finish(builder, &out->array, error);
    s->data->builder_destroy(builder);
    schema.release(&schema);
    if (result != WEIR_OK) return weir_fail(error, result, "out of memory");
    s->position = at;
    out->position.data = (const uint8_t *)&s->position;
    out->position.length = 8;
    out->flags = at < 0 ? WEIR_NEXT_END | WEIR_NEXT_LAST : WEIR_NEXT_MORE;
    return WEIR_OK;
}

static int32_t commit(void *self, const char *partition, struct weir_bytes position,
                      struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK; /* nothing to forget */
}

static int32_t position_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    int64_t at;
    (void)self;
    if (position.length != 8) return WEIR_DATA;
    memcpy(&at, position.data, 8);
    snprintf(text, size, "%lld", (long long)at);
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

const struct weir_source countdown_table = {
    .size = sizeof(struct weir_source),
    .create = create,
    .destroy = destroy,
    .bind = bind,
    .open = open_source,
    .partitions = partitions,
    .next = next,
    .commit = commit,
    .position_text = position_text,
    .cancel = nothing,
    .close = nothing,
};
