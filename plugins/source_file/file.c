/*
 * file.c - the source `file`: a file, a directory or a pattern; a partition is a file, a position a
 * byte in it.
 *
 * listing.c says which files there are, read.c reads one of them, position.c writes down a place.
 * This file keeps the limits of a batch and what becomes of files that were read.
 *
 *  1. All files that are there are named as partitions in every batch, also those that were read to
 *     their end: the host forgets the position of a name that is no longer given, and the file
 *     would be read again.
 *  2. With `max_files` or `max_bytes` a batch begins files in the order of reading, as many as fit
 *     (at least one), and none behind the first one that does not fit. Whether a file was begun in
 *     an earlier run is known only when `next` is called for it; so a file waits one call for the
 *     ones before it.
 *  3. A file is deleted or archived only when its last position is durable: in `commit`, or, where
 *     the process ended in between, when the first `next` after the restart begins at its end.
 */
#include "plugins/source_file/file.h"

#include "plugins/share/option.h"
#include "plugins/share/run.h"

#define RELIST_US 1000000

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED | WEIR_OPTION_PLACE, "path", NULL, NULL,
                "a file, a directory, or a pattern like logs/*/app-*.log"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "order", "oldest", "oldest|newest|name",
                "which files are read first, by the time they were written or by name"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "max_files", NULL, NULL, "files that a batch may begin"),
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "max_bytes", NULL, NULL,
                "size of the files that a batch may begin, at least one file"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "new_only", "false", NULL,
                "only files written after the first start of the job"),
    WEIR_OPTION(WEIR_OPTION_BOOL, WEIR_OPTION_PLACE, "file_name_only", "false", NULL,
                "a file is told by its name without the directory: read once wherever it is"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "max_age", NULL, NULL,
                "older files than this, against the newest one seen, are left out"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "follow", "false", NULL,
                "files grow, are rotated and truncated, as logs are"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "on_done", "keep", "keep|delete|archive",
                "what becomes of a file that was read"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "archive_to", NULL, NULL, "the directory for on_done archive"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "recursive", "false", NULL, "directories below as well"),
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "format", NULL, NULL,
                "name of the format, or an object with `type` and its options"),
};

static int32_t read_choices(struct source *source, struct weir_error *error)
{
    const struct weir_host *host = source->host;
    struct weir_context *context = source->context;
    const char *order = option_text(host, context, "order", "oldest");
    const char *done = option_text(host, context, "on_done", "keep");
    int64_t files = option_integer(host, context, "max_files", 0);
    int64_t bytes = option_integer(host, context, "max_bytes", 0);
    source->path = option_text(host, context, "path", "");
    source->archive_to = option_text(host, context, "archive_to", NULL);
    source->order = option_is(order, "newest") ? ORDER_NEWEST
                    : option_is(order, "name") ? ORDER_NAME
                                               : ORDER_OLDEST;
    source->on_done = option_is(done, "delete")    ? DONE_DELETE
                      : option_is(done, "archive") ? DONE_ARCHIVE
                                                   : DONE_KEEP;
    source->new_only = option_integer(host, context, "new_only", 0) != 0;
    source->follow = option_integer(host, context, "follow", 0) != 0;
    source->name_only = option_integer(host, context, "file_name_only", 0) != 0;
    source->recursive = option_integer(host, context, "recursive", 0) != 0;
    source->max_age_us = option_integer(host, context, "max_age", 0);
    source->max_record = (uint64_t)option_integer(host, context, "max_record", 1 << 20);
    if (!*source->path) return weir_fail_option(error, "path", -1, "the path is empty");
    if (files < 0) return weir_fail_option(error, "max_files", -1, "at least one file");
    if (bytes < 0) return weir_fail_option(error, "max_bytes", -1, "at least one byte");
    if (source->max_record < 1 || source->max_record > INT32_MAX / 2)
        return weir_fail_option(error, "max_record", -1, "a record has 1 byte to 1 GiB");
    source->max_files = files ? (uint64_t)files : UINT64_MAX;
    source->max_bytes = bytes ? (uint64_t)bytes : UINT64_MAX;
    source->limited = files || bytes;
    return WEIR_OK;
}

static int32_t check_choices(struct source *source, struct weir_error *error)
{
    size_t n = strlen(source->path);
    if (source->on_done == DONE_ARCHIVE && !source->archive_to)
        return weir_fail_option(error, "archive_to", -1, "on_done archive needs archive_to");
    if (source->on_done != DONE_ARCHIVE && source->archive_to)
        return weir_fail_option(error, "archive_to", -1,
                                "archive_to needs \"on_done\": \"archive\"");
    if (source->on_done != DONE_KEEP && source->follow)
        return weir_fail_option(error, "on_done", -1,
                                "a followed file has no end, so it is never done");
    if (source->name_only && source->follow)
        return weir_fail_option(error, "file_name_only", -1,
                                "a followed file is told by its path, since rotation gives it others");
    if (source->archive_to && source->recursive &&
        strncmp(source->archive_to, source->path, n) == 0 &&
        (source->archive_to[n] == 0 || source->archive_to[n] == '/' || source->path[n - 1] == '/'))
        return weir_fail_option(error, "archive_to", -1,
                                "the archive lies inside of the path: its files would come again");
    return WEIR_OK;
}

static int32_t file_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct source *source = host->alloc(sizeof *source);
    int32_t status;
    *self = source;
    if (!source) return no_memory(error);
    memset(source, 0, sizeof *source);
    source->host = host;
    source->context = context;
    if (pthread_mutex_init(&source->lock, NULL) != 0) return no_memory(error);
    source->locked = 1;
    source->data = host->get_interface(WEIR_DATA_ID);
    source->io = host->get_interface(WEIR_IO_ID);
    source->formats = host->get_interface(WEIR_FORMAT_ID);
    if (!source->data || !source->io || !source->formats)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "the host lacks " WEIR_DATA_ID ", " WEIR_IO_ID " or " WEIR_FORMAT_ID);
    status = read_choices(source, error);
    return status == WEIR_OK ? check_choices(source, error) : status;
}

static void file_close_all(void *self)
{
    struct source *source = self;
    uint32_t i;
    for (i = 0; i < source->n_files; i++) file_close(source, source->files[i]);
}

static void file_destroy(void *self)
{
    struct source *source = self;
    uint32_t i;
    if (!source) return;
    for (i = 0; i < source->n_files; i++) file_free(source, source->files[i]);
    source->host->free(source->files);
    source->host->free(source->order_list);
    if (source->locked) pthread_mutex_destroy(&source->lock);
    source->host->free(source);
}

static int32_t file_bind(void *self, const struct weir_source_bind *in,
                         struct weir_source_plan *out, struct weir_error *error)
{
    struct source *source = self;
    source->with_head = in->head != 0;
    out->absorbed = 0;
    return run_schema(source->data, source->with_head, &out->schema, error);
}

static int32_t file_open_source(void *self, struct weir_error *error)
{
    struct source *source = self;
    (void)error;
    source->start_us = source->host->started_us(source->context);
    return WEIR_OK;
}

/* ---- files that were read ---- */

/* Where an archived file goes: its path below the archive, with a number if that is taken. */
static int32_t archive(struct source *source, const char *name, struct weir_error *error)
{
    const struct weir_io *io = source->io;
    struct weir_io_stat stat;
    struct weir_error absent;
    char path[4096], *slash;
    size_t root = strcspn(source->path, "*?[");
    const char *below = name;
    int32_t status;
    uint32_t copy;
    int n;
    /* what the path spells out is not repeated below the archive */
    while (root > 0 && source->path[root - 1] != '/' && source->path[root]) root--;
    if (strncmp(name, source->path, root) == 0 && name[root]) below = name + root;
    while (*below == '/') below++;
    if (!name[root]) below = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    for (copy = 0;; copy++) {
        n = copy ? snprintf(path, sizeof path, "%s/%s.%u", source->archive_to, below, copy)
                 : snprintf(path, sizeof path, "%s/%s", source->archive_to, below);
        if (n < 0 || n >= (int)sizeof path)
            return weir_fail(error, WEIR_FATAL, "the path of the archive is too long");
        memset(&stat, 0, sizeof stat);
        stat.size = (uint32_t)sizeof stat;
        weir_error_init(&absent);
        status = io->stat(source->context, path, &stat, &absent);
        if (status == WEIR_UNSUPPORTED) break;
        if (status != WEIR_OK) return status;
    }
    slash = strrchr(path, '/');
    *slash = 0;
    status = io->mkdir(source->context, path, error);
    *slash = '/';
    if (status == WEIR_OK) status = io->rename(source->context, name, path, error);
    return status == WEIR_OK ? listing_settle(source, path, error) : status;
}

/* The host forgets the position of a name that is gone, so the name must not come back. */
static int32_t done(struct source *source, struct file *file, struct weir_error *error)
{
    int32_t status = source->on_done == DONE_DELETE
                         ? source->io->unlink(source->context, file->path, error)
                         : archive(source, file->path, error);
    if (status == WEIR_UNSUPPORTED) { /* somebody else did it */
        weir_error_init(error);
        status = WEIR_OK;
    }
    if (status == WEIR_OK) status = listing_settle(source, file->path, error);
    if (status != WEIR_OK) return status;
    file->gone = 1;
    source->host->count(source->context,
                        source->on_done == DONE_DELETE ? "deleted_files" : "archived_files", 1);
    return WEIR_OK;
}

static int32_t file_commit(void *self, const char *partition, struct weir_bytes bytes,
                           struct weir_error *error)
{
    struct source *source = self;
    struct position p;
    struct file *file;
    int32_t status = WEIR_OK;
    if (source->on_done == DONE_KEEP || !position_read(bytes, &p)) return WEIR_OK;
    pthread_mutex_lock(&source->lock);
    file = file_get(source, partition, 0);
    if (file && file->ended && !file->busy && !file->gone && p.offset >= file->length)
        status = done(source, file, error);
    pthread_mutex_unlock(&source->lock);
    return status;
}

/* ---- partitions ---- */

/* In the first batch no file is too old for the newest one. */
static int is_too_old(const struct source *source, const struct file *file, uint64_t batch)
{
    if (source->new_only && file->mtime_us < source->start_us) return 1;
    return batch > 0 && source->max_age_us > 0 && !(source->order == ORDER_NEWEST && source->limited) &&
           file->mtime_us < source->newest_us - source->max_age_us;
}

static int32_t file_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    struct source *source = self;
    int32_t status;
    uint32_t i;
    pthread_mutex_lock(&source->lock);
    status = listing_make(source, list->batch_time_us, error);
    for (i = 0; i < source->n_files && status == WEIR_OK; i++) {
        struct file *file = source->files[i];
        struct weir_error ignored;
        weir_error_init(&ignored);
        if (file->finish && !file->busy && !file->gone && done(source, file, &ignored) == WEIR_OK)
            file->finish = 0;
        /* an old file that was read may be forgotten by the host */
        if (file->ended && source->max_age_us && is_too_old(source, file, 1)) file->skipped = 1;
    }
    for (i = 0; i < source->n_order && status == WEIR_OK; i++)
        if (!source->order_list[i]->gone && !source->order_list[i]->skipped)
            status = list->add(list->names, source->order_list[i]->name);
    if (status == WEIR_OK && source->n_files == 0 && list->flags & WEIR_PARTITIONS_LAST)
        status = listing_expects(source, error);
    if (status == WEIR_OK && source->n_files == 0 && !source->missing) {
        source->missing = 1;
        source->host->log(source->context, WEIR_LOG_INFO, "there are no files yet");
    }
    pthread_mutex_unlock(&source->lock);
    source->host->wake_after(source->context, RELIST_US);
    return status;
}

/* ---- next ---- */

#define START_NOW 0
#define START_LATER 1 /* asked again in this batch */
#define START_NOT 2   /* not in this batch */

/* A host may be older than the field. */
static int unlimited(const struct weir_next *in)
{
    return in->size > offsetof(struct weir_next, unlimited) && in->unlimited;
}

/* Whether a file may be begun in this batch. Under the lock. */
static int may_start(struct source *source, struct file *file, const struct weir_next *in)
{
    uint32_t i;
    int waits = 0, turn = 1;
    if (!source->limited || unlimited(in)) return START_NOW;
    if (source->batch != in->batch + 1) {
        source->batch = in->batch + 1;
        source->started = source->started_bytes = 0;
        source->closed = 0;
    }
    if (source->closed) return START_NOT;
    for (i = 0; i < source->n_order && source->order_list[i] != file; i++) {
        const struct file *before = source->order_list[i];
        if (before->known) continue;
        waits = 1;
        if (before->deferred == in->batch + 1) turn = 0; /* it waits, too, and comes first */
    }
    if (waits && (!turn || file->deferred != in->batch + 1)) {
        file->deferred = in->batch + 1;
        return START_LATER;
    }
    if (source->started && (source->started >= source->max_files ||
                            file->length > source->max_bytes ||
                            source->started_bytes > source->max_bytes - file->length))
        source->closed = 1;
    if (source->closed) return START_NOT;
    source->started++;
    source->started_bytes += file->length;
    return START_NOW;
}

static int32_t begin_next(struct source *source, const struct weir_next *in,
                          struct weir_next_result *out, struct file **found,
                          struct weir_error *error)
{
    struct file *file = file_get(source, in->partition, 1);
    int start;
    *found = NULL;
    if (!file) return no_memory(error);
    if (source->name_only && file->path == file->name) {
        int32_t status;
        file->busy = 1; /* it is not swept away */
        status = listing_make(source, in->batch_time_us, error);
        file->busy = 0;
        if (status != WEIR_OK) return status;
    }
    if (in->replay_to.data || in->from.length) {
        struct position p;
        if (!file->known && !in->replay_to.data && source->on_done != DONE_KEEP &&
            position_read(in->from, &p) && file->length && p.offset >= file->length)
            file->finish = 1;
        file->known = 1;
    } else if (!file->known) {
        if (is_too_old(source, file, in->batch)) {
            file->known = file->ended = file->skipped = 1;
            source->host->count(source->context, "old_files", 1);
            out->flags = WEIR_NEXT_END;
            return WEIR_OK;
        }
        start = may_start(source, file, in);
        if (start == START_LATER) {
            source->host->wake(source->context);
            return WEIR_PENDING;
        }
        if (start == START_NOT) {
            out->flags = WEIR_NEXT_BATCH_END;
            return WEIR_OK;
        }
        file->known = 1;
    }
    file->busy = 1;
    *found = file;
    return WEIR_OK;
}

static int32_t file_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                         struct weir_error *error)
{
    struct source *source = self;
    struct file *file;
    int32_t status;
    out->flags = 0;
    out->records = 0;
    out->array.release = NULL;
    out->position.data = NULL;
    out->position.length = 0;
    pthread_mutex_lock(&source->lock);
    status = begin_next(source, in, out, &file, error);
    pthread_mutex_unlock(&source->lock);
    if (!file) return status;
    if (in->max_rows) status = source_read(source, file, in, out, error);
    pthread_mutex_lock(&source->lock);
    file->busy = 0;
    if (status == WEIR_OK && (out->flags & WEIR_NEXT_END)) file->ended = 1;
    pthread_mutex_unlock(&source->lock);
    return status;
}

static int32_t file_position_text(void *self, struct weir_bytes bytes, char *text, uint32_t size)
{
    struct position p;
    (void)self;
    if (!position_read(bytes, &p)) return WEIR_DATA;
    snprintf(text, size, "byte %llu%s (inode %llu)", (unsigned long long)p.offset,
             p.inside ? ", inside of a record that is too long" : "", (unsigned long long)p.inode);
    return WEIR_OK;
}

static int32_t file_place(void *self, struct weir_bytes first, uint64_t bytes, uint64_t rows,
                          uint8_t *out, uint32_t *length)
{
    struct position p;
    (void)self, (void)rows;
    if (!position_read(first, &p)) return WEIR_DATA;
    place_write(&p, bytes, out);
    *length = POSITION_SIZE;
    return WEIR_OK;
}

static void file_cancel(void *self) { (void)self; }

static const struct weir_source table = {
    .size = sizeof table,
    .create = file_create,
    .destroy = file_destroy,
    .bind = file_bind,
    .open = file_open_source,
    .partitions = file_partitions,
    .next = file_next,
    .commit = file_commit,
    .position_text = file_position_text,
    .cancel = file_cancel,
    .close = file_close_all,
    .place = file_place,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "file",
      .summary = "files: one, those of a directory, or of a pattern; also growing ones",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_REPLAYABLE | WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT |
                      WEIR_CAP_TICK_SENSITIVE,
      .table = &table },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.source.file",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
