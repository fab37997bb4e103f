/*
 * file.c - the sink `file`: a directory of files, each batch exactly once.
 *
 * Two phases. While a batch is written its files are hidden (`.part-BATCH-N`); `prepare` makes them
 * durable and lists them in the committable; `commit` gives them their names and notes them in
 * `_weir/manifest`. out.c writes files, commit.c does what has to outlive the process.
 *
 *  1. Without `roll` a file holds the rows of one batch, partition and directory.
 *  2. With it a hidden file per directory is appended to over batches. When it is long or old
 *     enough at the end of a batch, it becomes visible with that batch. Its length after each batch
 *     is part of the committable, so whatever an unfinished batch appended is cut off.
 *  3. With `partition_by` rows go to directories `column=value`, and the columns are left out of
 *     the files. Values keep letters, digits, `_`, `-` and `.`; other bytes are %-encoded, so no
 *     value leads out of the directory. Null is `__null__`; the text of that name is `%5F_null__`.
 */
#include <weir/plugin.h>

#ifdef WEIR_PLANTED_BUGS
#include <stdlib.h>
#endif

#include "plugins/share/option.h"
#include "plugins/share/render.h"
#include "plugins/sink_file/sink.h"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED | WEIR_OPTION_OWN, "path", NULL, NULL,
                "the directory; it is made, and belongs to this sink of this job alone"),
    WEIR_OPTION(WEIR_OPTION_LIST, 0, "partition_by", NULL, NULL,
                "columns whose values become directories column=value"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "name", "part-{batch}-{partition}", NULL,
                "name of a file, of {batch} {time_ms} {partition} {seq}; extensions are appended"),
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "roll.size", NULL, NULL,
                "files grow over batches and become visible at this size"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "roll.age", NULL, NULL,
                "files grow over batches and become visible at this age"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "compression", "none", "none|zstd|gzip", "of the files"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "manifest", "true", NULL,
                "keep _weir/manifest, by which readers see whole batches only"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "changes", "false", NULL,
                "take an upsert stream: changed rows are appended"),
};

/* ---- create, bind ---- */

static int32_t check_name(const struct sink *sink, struct weir_error *error)
{
    static const char *const words[] = { "{batch}", "{time_ms}", "{partition}", "{seq}" };
    const char *p = sink->name;
    size_t i;
    if (!*p || *p == '.' || *p == '_' || strchr(p, '/') || strlen(p) > 200)
        return weir_fail_option(error, "name", -1,
                                "a name has no slash and does not begin with a dot or underscore");
    while ((p = strchr(p, '{'))) {
        for (i = 0; i < 4 && strncmp(p, words[i], strlen(words[i])) != 0; i++) {}
        if (i == 4)
            return weir_fail_option(error, "name", (int32_t)(p - sink->name),
                                    "a name knows {batch} {time_ms} {partition} {seq}");
        p++;
    }
    if (!strstr(sink->name, "{batch}")) /* two batches may have the same millisecond */
        return weir_fail_option(error, "name", -1,
                                "without {batch} a batch would replace files of another");
    if (!sink->roll && !strstr(sink->name, "{partition}") && !strstr(sink->name, "{seq}"))
        return weir_fail_option(error, "name", -1,
                                "without {partition} or {seq} a file would replace another one");
    return WEIR_OK;
}

static int32_t file_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct sink *sink = host->alloc(sizeof *sink);
    const char *path, *compression;
    struct weir_value value;
    size_t n;
    *self = sink;
    if (!sink) return no_memory(error);
    memset(sink, 0, sizeof *sink);
    sink->host = host;
    sink->context = context;
    sink->manifest = -1;
#ifdef WEIR_PLANTED_BUGS
    sink->planted_bug = getenv("WEIR_PLANTED_BUG");
#endif
    sink->io = host->get_interface(WEIR_IO_ID);
    sink->data = host->get_interface(WEIR_DATA_ID);
    sink->formats = host->get_interface(WEIR_FORMAT_ID);
    if (!sink->io || !sink->data || !sink->formats)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "the host lacks " WEIR_DATA_ID ", " WEIR_IO_ID " or " WEIR_FORMAT_ID);
    path = option_text(host, context, "path", "");
    n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0 || n >= sizeof sink->path)
        return weir_fail_option(error, "path", -1, "the path is empty or too long");
    memcpy(sink->path, path, n);
    sink->name = option_text(host, context, "name", "part-{batch}-{partition}");
    compression = option_text(host, context, "compression", "none");
    sink->compression = option_is(compression, "zstd")   ? COMPRESS_ZSTD
                        : option_is(compression, "gzip") ? COMPRESS_GZIP
                                                         : COMPRESS_NONE;
    sink->with_manifest = option_integer(host, context, "manifest", 1) != 0;
    sink->changes = option_integer(host, context, "changes", 0) != 0;
    sink->roll_size = UINT64_MAX;
    sink->roll_age_us = INT64_MAX;
    if (option_get(host, context, "roll.size", &value)) {
        sink->roll_size = (uint64_t)value.integer;
        sink->roll = 1;
    }
    if (option_get(host, context, "roll.age", &value)) {
        sink->roll_age_us = value.integer;
        sink->roll = 1;
    }
    if (sink->roll && !sink->with_manifest)
        return weir_fail_option(error, "manifest", -1,
                                "files that grow over batches need the manifest");
    if (compressor_check(sink->compression, error) != WEIR_OK) return WEIR_CONFIG;
    return check_name(sink, error);
}

static void outs_free(struct sink *sink, struct outs *outs)
{
    uint32_t i;
    for (i = 0; i < outs->n; i++) out_free(sink, outs->list[i]);
    sink->host->free(outs->list);
    memset(outs, 0, sizeof *outs);
}

static void file_close(void *self)
{
    struct sink *sink = self;
    outs_free(sink, &sink->active);
    outs_free(sink, &sink->done);
    memset(sink->recent, 0, sizeof sink->recent);
    if (sink->manifest >= 0) sink->io->close(sink->context, sink->manifest);
    sink->manifest = -1;
}

static void file_destroy(void *self)
{
    struct sink *sink = self;
    if (!sink) return;
    outs_free(sink, &sink->active);
    outs_free(sink, &sink->done);
    if (sink->rest.release) sink->rest.release(&sink->rest);
    compressor_free(sink);
    sink->host->free(sink->rest_columns);
    sink->host->free(sink->by);
    sink->host->free(sink->packed.data);
    sink->host->free(sink->text.data);
    sink->host->free(sink->value.data);
    sink->host->free(sink->made.data);
    sink->host->free(sink);
}

static int is_by(const struct sink *sink, uint32_t column)
{
    uint32_t i;
    for (i = 0; i < sink->n_by; i++)
        if (sink->by[i] == column) return 1;
    return 0;
}

/* The format writes the columns that make no directories. */
static int32_t bind_rest(struct sink *sink, struct weir_error *error)
{
    const struct ArrowSchema *schema = sink->schema;
    uint32_t n = (uint32_t)schema->n_children, i, at = 0;
    int32_t status = sink->data->schema_struct(n - sink->n_by, &sink->rest, error);
    if (status != WEIR_OK) return status;
    sink->rest_columns = sink->host->alloc((uint64_t)n * sizeof *sink->rest_columns);
    if (!sink->rest_columns) return no_memory(error);
    for (i = 0; i < n; i++) {
        struct ArrowSchema copy, *place;
        if (is_by(sink, i)) continue;
        status = sink->data->schema_copy(schema->children[i], NULL, &copy, error);
        if (status != WEIR_OK) return status;
        place = sink->rest.children[at];
        if (place->release) place->release(place);
        *place = copy;
        sink->rest_columns[at++] = i;
    }
    return sink->formats->bind_encode(sink->context, &sink->rest, error);
}

static int32_t file_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    struct sink *sink = self;
    struct weir_value value, item;
    uint32_t i;
    if (in->form == WEIR_FORM_UPSERT && !sink->changes)
        return weir_fail_option(error, "changes", -1,
                                "the stream changes rows that it gave before: with "
                                "\"changes\": true the changed rows are appended");
    sink->schema = in->schema;
    if (!option_get(sink->host, sink->context, "partition_by", &value) || value.count == 0)
        return WEIR_OK;
    sink->by = sink->host->alloc(value.count * sizeof *sink->by);
    if (!sink->by) return no_memory(error);
    for (i = 0; i < value.count; i++) {
        int32_t column;
        uint32_t type;
        memset(&item, 0, sizeof item);
        item.size = (uint32_t)sizeof item;
        if (sink->host->option_item(sink->context, "partition_by", i, &item) != WEIR_OK) break;
        column = weir_column_index(in->schema, item.text);
        if (column < 0)
            return weir_fail_option(error, "partition_by", -1, "there is no column '%s'",
                                    item.text);
        type = weir_type_of(in->schema->children[column]);
        if (type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT || type == WEIR_TYPE_BINARY ||
            type == WEIR_TYPE_FLOAT64)
            return weir_fail_option(error, "partition_by", -1,
                                    "column '%s' has a type that makes no directories", item.text);
        if (is_by(sink, (uint32_t)column))
            return weir_fail_option(error, "partition_by", -1, "column '%s' twice", item.text);
        sink->by[sink->n_by++] = (uint32_t)column;
    }
    if (sink->n_by == (uint32_t)in->schema->n_children)
        return weir_fail_option(error, "partition_by", -1, "no column is left for the files");
    return bind_rest(sink, error);
}

static int32_t file_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    struct sink *sink = self;
    char full[PATH_ROOM];
    int32_t status;
    sink->identity = identity;
    sink->made.length = 0;
    status = sink_make_directory(sink, sink->path, error);
    if (status == WEIR_OK) status = sink_full_path(sink, "_weir", full, error);
    if (status == WEIR_OK) status = sink_make_directory(sink, full, error);
    if (status == WEIR_OK) status = owner_open(sink, error);
    if (status == WEIR_OK && sink->with_manifest) status = manifest_open(sink, error);
    return status;
}

static int32_t file_check(void *self, const struct weir_identity *identity,
                          struct weir_error *error)
{
    return owner_check(self, identity, error);
}

static int32_t file_recover(void *self, const struct weir_committable *list, uint32_t n,
                            uint64_t next_batch, struct weir_error *error)
{
    struct sink *sink = self;
    outs_free(sink, &sink->active);
    outs_free(sink, &sink->done);
    memset(sink->recent, 0, sizeof sink->recent);
    return sink_recover(sink, list, n, next_batch, error);
}

/* ---- a batch ---- */

static int32_t file_abort(void *self, struct weir_error *error)
{
    struct sink *sink = self;
    int32_t status = WEIR_OK;
    uint32_t i, kept = 0;
    if (!sink->begun) return WEIR_OK;
    memset(sink->recent, 0, sizeof sink->recent);
    for (i = 0; i < sink->done.n && status == WEIR_OK; i++) {
        status = outs_add(sink, &sink->active, sink->done.list[i], error);
        if (status == WEIR_OK) sink->done.list[i] = NULL;
    }
    for (i = 0; i < sink->done.n; i++)
        if (sink->done.list[i]) sink->done.list[kept++] = sink->done.list[i];
    sink->done.n = kept;
    for (i = kept = 0; i < sink->active.n; i++) {
        struct out *out = sink->active.list[i];
        int gone = 0;
        if (status == WEIR_OK) status = out_undo(sink, out, &gone, error);
        if (gone) out_free(sink, out);
        else sink->active.list[kept++] = out;
    }
    sink->active.n = kept;
    if (status == WEIR_OK) sink->begun = 0;
    return status;
}

static int32_t file_begin(void *self, const struct weir_sink_batch *batch,
                          struct weir_error *error)
{
    struct sink *sink = self;
    uint32_t i;
    int32_t status;
    if (sink->writing) { /* the last one was given up without a word */
        status = file_abort(sink, error);
        if (status != WEIR_OK) return status;
    }
    for (i = 0; i < sink->done.n; i++) out_free(sink, sink->done.list[i]);
    sink->done.n = 0;
    for (i = 0; i < sink->active.n; i++) {
        sink->active.list[i]->base = sink->active.list[i]->length;
        sink->active.list[i]->touched = 0;
    }
    sink->batch = batch->batch;
    sink->time_us = batch->time_us;
    sink->partition = UINT32_MAX;
    sink->seq = 0;
    sink->begun = sink->writing = 1;
    return WEIR_OK;
}

/* All files of the partition are whole. */
static int32_t end_partition(struct sink *sink, struct weir_error *error)
{
    int32_t status = WEIR_OK;
    uint32_t i, kept = 0;
    memset(sink->recent, 0, sizeof sink->recent);
    for (i = 0; i < sink->active.n; i++) {
        struct out *out = sink->active.list[i];
        if (status == WEIR_OK) status = out_finish(sink, out, error);
        if (status == WEIR_OK) status = outs_add(sink, &sink->done, out, error);
        if (status == WEIR_OK) out->rolled = 1;
        else sink->active.list[kept++] = out;
    }
    sink->active.n = kept;
    return status;
}

static int32_t put_encoded(struct sink *sink, const uint8_t *text, uint64_t n, int is_value)
{
    static const char hex[] = "0123456789ABCDEF";
    uint64_t i;
    if (sink->text.capacity - sink->text.length < 3 * n &&
        sink->host->buffer_grow(&sink->text, 3 * n) != WEIR_OK)
        return WEIR_FATAL;
    for (i = 0; i < n; i++) {
        uint8_t c = text[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || (c == '_' && (i || !is_value))) {
            sink->text.data[sink->text.length++] = c;
        } else {
            sink->text.data[sink->text.length++] = '%';
            sink->text.data[sink->text.length++] = (uint8_t)hex[c >> 4];
            sink->text.data[sink->text.length++] = (uint8_t)hex[c & 15];
        }
    }
    return WEIR_OK;
}

/* Appends "column=value" of a row. */
static int32_t put_value(struct sink *sink, const struct weir_chunk *chunk, uint32_t by,
                         uint32_t row, struct weir_error *error)
{
    const struct ArrowSchema *type = sink->schema->children[sink->by[by]];
    const struct ArrowArray *column = chunk->array->children[sink->by[by]];
    uint64_t from = sink->text.length;
    int32_t status = put_encoded(sink, (const uint8_t *)type->name, strlen(type->name), 0);
    if (status == WEIR_OK) status = render_bytes(sink->host, "=", 1, &sink->text);
    if (status == WEIR_OK && weir_is_null(column, row)) {
        status = render_bytes(sink->host, "__null__", 8, &sink->text);
    } else if (status == WEIR_OK) {
        sink->value.length = 0;
        status = render_text(sink->host, type, column, row, &sink->value);
        if (status == WEIR_OK)
            status = put_encoded(sink, sink->value.data, sink->value.length, 1);
    }
    if (status != WEIR_OK) return no_memory(error);
    if (sink->text.length - from > NAME_MOST || sink->text.length > PATH_ROOM / 4)
        return weir_fail(error, WEIR_DATA, "a value of column '%s' is too long for a directory",
                         type->name);
    return WEIR_OK;
}

/* The directory of a row in sink->text, NUL-terminated. */
static int32_t put_directory(struct sink *sink, const struct weir_chunk *chunk, uint32_t row,
                             struct weir_error *error)
{
    uint32_t by;
    int32_t status = WEIR_OK;
    sink->text.length = 0;
    for (by = 0; by < sink->n_by && status == WEIR_OK; by++) {
        if (by && render_bytes(sink->host, "/", 1, &sink->text) != WEIR_OK) return no_memory(error);
        status = put_value(sink, chunk, by, row, error);
    }
    if (status == WEIR_OK && render_bytes(sink->host, "", 1, &sink->text) != WEIR_OK)
        return no_memory(error);
    return status;
}

static int32_t add_row(struct sink *sink, struct out *out, uint32_t row, struct weir_error *error)
{
    if (out->n_rows == out->rows_room) {
        uint32_t room = out->rows_room ? out->rows_room * 2 : 64;
        uint32_t *p = sink->host->realloc(out->rows, room * sizeof *p);
        if (!p) return no_memory(error);
        out->rows = p;
        out->rows_room = room;
    }
    out->rows[out->n_rows++] = row;
    return WEIR_OK;
}

/* The chunk without the columns that make directories, and of its rows those of one file. */
static int32_t write_part(struct sink *sink, const struct weir_chunk *chunk, struct out *out,
                          const struct ArrowArray *array, struct weir_error *error)
{
    struct weir_chunk part = *chunk;
    int32_t status;
    part.size = (uint32_t)sizeof part;
    part.array = array;
    part.schema = &sink->rest;
    part.hash = NULL;
    part.selection = out->rows;
    part.selected = out->n_rows;
    status = out_encode(sink, out, &part, 0, error);
    out->n_rows = 0;
    return status;
}

static int32_t write_by(struct sink *sink, const struct weir_chunk *chunk, struct weir_error *error)
{
    uint32_t n = (uint32_t)sink->rest.n_children, i;
    struct ArrowArray array = *chunk->array;
    struct ArrowArray **children = sink->host->alloc((n + 1) * sizeof *children);
    struct outs touched = { NULL, 0, 0 };
    int32_t status = WEIR_OK;
    if (!children) return no_memory(error);
    for (i = 0; i < n; i++) children[i] = chunk->array->children[sink->rest_columns[i]];
    array.children = children;
    array.n_children = n;
    for (i = 0; i < chunk->selected && status == WEIR_OK; i++) {
        uint32_t row = weir_row(chunk, i);
        struct out *out = NULL;
        const char *key;
        status = put_directory(sink, chunk, row, error);
        key = (const char *)sink->text.data;
        if (status == WEIR_OK) status = out_get(sink, key, key, &out, error);
        if (status == WEIR_OK && out->n_rows == 0) status = outs_add(sink, &touched, out, error);
        if (status == WEIR_OK) status = add_row(sink, out, row, error);
    }
    for (i = 0; i < touched.n; i++) {
        if (status == WEIR_OK) status = write_part(sink, chunk, touched.list[i], &array, error);
        touched.list[i]->n_rows = 0;
    }
    sink->host->free(touched.list);
    sink->host->free(children);
    return status;
}

static int32_t file_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct sink *sink = self;
    struct out *out;
    int32_t status = WEIR_OK;
    if (chunk->selected == 0) return WEIR_OK;
    if (chunk->partition != sink->partition) {
        if (!sink->roll) status = end_partition(sink, error);
        sink->partition = chunk->partition;
        if (status != WEIR_OK) return status;
    }
    if (sink->n_by) return write_by(sink, chunk, error);
    status = out_get(sink, "", "", &out, error);
    return status == WEIR_OK ? out_encode(sink, out, chunk, 0, error) : status;
}

/* Files that are long or old enough are whole now. */
static int32_t roll(struct sink *sink, struct weir_error *error)
{
    int32_t status = WEIR_OK;
    uint32_t i, kept = 0;
    memset(sink->recent, 0, sizeof sink->recent);
    for (i = 0; i < sink->active.n; i++) {
        struct out *out = sink->active.list[i];
        int whole;
        if (status == WEIR_OK && out->touched) status = out_flush(sink, out, error);
        whole = out->length >= sink->roll_size ||
                sink->time_us - out->since_us >= sink->roll_age_us;
        if (status == WEIR_OK && whole) status = out_finish(sink, out, error);
        if (status == WEIR_OK && whole) status = outs_add(sink, &sink->done, out, error);
        if (status == WEIR_OK && whole) out->rolled = 1;
        else sink->active.list[kept++] = out;
    }
    sink->active.n = kept;
    return status;
}

static int32_t sync_all(struct sink *sink, struct weir_error *error)
{
    const struct outs *lists[] = { &sink->done, &sink->active };
    char last[PATH_ROOM] = "//", directory[PATH_ROOM], full[PATH_ROOM];
    int32_t status = WEIR_OK;
    uint32_t i, k;
    for (k = 0; k < 2; k++)
        for (i = 0; i < lists[k]->n && status == WEIR_OK; i++) {
            struct out *out = lists[k]->list[i];
            const char *slash = strrchr(out->hidden, '/');
            if (!out->touched) continue;
            status = out_sync(sink, out, error);
            if (k == 0) out_close(sink, out);
            if (status != WEIR_OK || out->batch != sink->batch) continue;
            snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - out->hidden) : 0,
                     out->hidden);
            if (strcmp(directory, last) == 0) continue;
            memcpy(last, directory, strlen(directory) + 1);
            status = sink_full_path(sink, directory, full, error);
            if (status == WEIR_OK && !planted(sink, skip_dir_sync))
                status = sink->io->sync_dir(sink->context, full, error);
        }
    return status;
}

/* A commit renames over what is there. This job can't have put it there, so it is left alone. */
static int32_t check_names(struct sink *sink, struct weir_error *error)
{
    char full[PATH_ROOM], hidden[PATH_ROOM];
    int32_t status = WEIR_OK;
    uint32_t i;
    for (i = 0; i < sink->done.n && status == WEIR_OK; i++) {
        struct weir_io_stat stat;
        struct weir_error absent;
        weir_error_init(&absent);
        memset(&stat, 0, sizeof stat);
        stat.size = (uint32_t)sizeof stat;
        status = sink_full_path(sink, sink->done.list[i]->final_name, full, error);
        if (status != WEIR_OK) break;
        status = sink->io->stat(sink->context, full, &stat, &absent);
        if (status == WEIR_OK)
            return weir_fail(error, WEIR_FATAL,
                             "'%s' is there already, and not from this job: move it away", full);
        if (status == WEIR_UNSUPPORTED) status = WEIR_OK;
        else if (error->error_class == WEIR_OK) *error = absent;
        if (status == WEIR_OK && planted(sink, rename_before_prepare) &&
            sink_full_path(sink, sink->done.list[i]->hidden, hidden, error) == WEIR_OK)
            status = sink->io->rename(sink->context, hidden, full, error);
    }
    return status;
}

static int32_t file_prepare(void *self, struct weir_buffer *committable, struct weir_error *error)
{
    struct sink *sink = self;
    int32_t status = sink->roll ? roll(sink, error) : end_partition(sink, error);
    if (status == WEIR_OK) status = sync_all(sink, error);
    if (status == WEIR_OK) status = check_names(sink, error);
    if (status == WEIR_OK) status = committable_write(sink, committable, error);
    if (status == WEIR_OK) sink->writing = 0;
    return status;
}

static int32_t file_finish(void *self, struct weir_error *error)
{
    (void)self;
    return weir_fail(error, WEIR_UNSUPPORTED, "a two-phase sink is prepared, not finished");
}

static int32_t file_commit(void *self, const struct weir_committable *committable,
                           uint32_t *outcome, struct weir_error *error)
{
    struct sink *sink = self;
    int32_t status;
    *outcome = 0;
    status = committable_commit(sink, committable, outcome, error);
    if (status == WEIR_OK && sink->batch == committable->batch && !sink->writing) sink->begun = 0;
    return status;
}

static void file_cancel(void *self) { (void)self; }

static const struct weir_sink table = {
    .size = sizeof table,
    .create = file_create,
    .destroy = file_destroy,
    .bind = file_bind,
    .open = file_open,
    .recover = file_recover,
    .begin = file_begin,
    .write = file_write,
    .finish = file_finish,
    .prepare = file_prepare,
    .commit = file_commit,
    .abort = file_abort,
    .cancel = file_cancel,
    .close = file_close,
    .check = file_check,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "file",
      .summary = "a directory of files, each batch exactly once",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .level = WEIR_SINK_TWO_PHASE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_NEEDS_FORMAT,
      .table = &table },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.sink.file",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
