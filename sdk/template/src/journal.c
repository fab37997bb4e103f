/*
 * journal.c - an idempotent sink: the rows of batch N are the lines of DIRECTORY/N, written aside, synced and renamed.
 * The same batch again replaces the file by an equal one, so a crash leaves no duplicate.
 */
#include "src/example.h"

const struct weir_option journal_options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "path", NULL, NULL,
                "directory, one file per batch"),
};

struct journal {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    char path[512];
    uint64_t batch;
    struct weir_buffer lines;
};

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    struct weir_value value;
    struct journal *s = host->alloc(sizeof *s);
    *self = s;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s, 0, sizeof *s);
    memset(&value, 0, sizeof value);
    value.size = (uint32_t)sizeof value;
    s->host = host;
    s->context = context;
    s->io = host->get_interface(WEIR_IO_ID);
    if (!s->io) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_IO_ID);
    if (host->option(context, "path", &value) != WEIR_OK || value.length + 40 > sizeof s->path)
        return weir_fail_option(error, "path", -1, "a path of 1 to 470 bytes is needed");
    memcpy(s->path, value.text, value.length + 1);
    return WEIR_OK;
}

static void destroy(void *self)
{
    struct journal *s = self;
    if (!s) return;
    s->host->free(s->lines.data);
    s->host->free(s);
}

static int32_t bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    int64_t c;
    (void)self;
    for (c = 0; c < in->schema->n_children; c++) {
        uint32_t type = weir_type_of(in->schema->children[c]);
        if (type != WEIR_TYPE_INT64 && type != WEIR_TYPE_UTF8)
            return weir_fail(error, WEIR_CONFIG, "column \"%s\" is neither bigint nor string",
                             in->schema->children[c]->name);
    }
    return WEIR_OK;
}

static int32_t open_sink(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    struct journal *s = self;
    (void)identity;
    return s->io->mkdir(s->context, s->path, error);
}

static int32_t begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    struct journal *s = self;
    (void)error;
    s->batch = batch->batch;
    s->lines.length = 0;
    return WEIR_OK;
}

static int32_t add(struct journal *s, const void *bytes, uint64_t n, struct weir_error *error)
{
    if (s->host->buffer_grow(&s->lines, n) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    if (n) memcpy(s->lines.data + s->lines.length, bytes, n);
    s->lines.length += n;
    return WEIR_OK;
}

static int32_t add_cell(struct journal *s, const struct weir_chunk *chunk, int64_t c, uint32_t row,
                        struct weir_error *error)
{
    const struct ArrowArray *column = chunk->array->children[c];
    char number[32];
    if (weir_is_null(column, row)) return add(s, "null", 4, error);
    if (weir_type_of(chunk->schema->children[c]) == WEIR_TYPE_UTF8) {
        struct weir_bytes text = weir_get_bytes(column, row);
        return add(s, text.data, text.length, error);
    }
    return add(s, number,
               (uint64_t)snprintf(number, sizeof number, "%lld",
                                  (long long)weir_get_int64(column, row)),
               error);
}

static int32_t write_rows(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct journal *s = self;
    int32_t result = WEIR_OK;
    uint32_t row;
    int64_t c;
    for (row = 0; row < chunk->rows && result == WEIR_OK; row++)
        for (c = 0; c < chunk->schema->n_children && result == WEIR_OK; c++) {
            result = add_cell(s, chunk, c, row, error);
            if (result == WEIR_OK)
                result = add(s, c + 1 < chunk->schema->n_children ? "\t" : "\n", 1, error);
        }
    return result;
}

static int32_t finish(void *self, struct weir_error *error)
{
    struct journal *s = self;
    char aside[600], name[600];
    int64_t handle = -1;
    int32_t result;
    snprintf(aside, sizeof aside, "%s/.%llu", s->path, (unsigned long long)s->batch);
    snprintf(name, sizeof name, "%s/%llu", s->path, (unsigned long long)s->batch);
    result = s->io->open(s->context, aside, WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_TRUNCATE,
                         &handle, error);
    if (result != WEIR_OK) return result;
    if (s->lines.length)
        result = s->io->pwrite(s->context, handle, s->lines.data, s->lines.length, 0, error);
    if (result == WEIR_OK) result = s->io->sync(s->context, handle, error);
    s->io->close(s->context, handle);
    if (result == WEIR_OK) result = s->io->rename(s->context, aside, name, error);
    if (result == WEIR_OK) result = s->io->sync_dir(s->context, s->path, error);
    return result;
}

static int32_t abort_batch(void *self, struct weir_error *error)
{
    (void)error;
    ((struct journal *)self)->lines.length = 0;
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

const struct weir_sink journal_table = {
    .size = sizeof(struct weir_sink),
    .create = create,
    .destroy = destroy,
    .bind = bind,
    .open = open_sink,
    .begin = begin,
    .write = write_rows,
    .finish = finish,
    .abort = abort_batch,
    .cancel = nothing,
    .close = nothing,
};
