/*
 * commit.c - committables, the manifest, whose directory it is, and what a restart mends.
 *
 * A committable, little-endian: 1 version (1) | 4 entries | entries | 4 CRC-32C. An entry: 1 kind |
 * 8 bytes | 8 since_us | 2 + hidden name | 2 + final name. Kind 1: a whole file, to be renamed;
 * kind 2: a hidden file that goes on growing, of which so many bytes belong to the batch.
 *
 *  1. Everything a committable names is durable when `prepare` returns: bytes, names, directories.
 *  2. A commit renames, syncs the directories, then appends the batch to the manifest by one write
 *     and syncs. A crash in between is mended by the same commit: a hidden file that is gone while
 *     the final one has its length was renamed.
 *  3. Batches come in order, so a batch below `next_commit` is in the manifest already.
 *  4. After a restart the manifest and the log's open committables together say which hidden files
 *     are wanted, and how long those that grow are; others go, longer ones are cut.
 *  5. `_weir/owner` names job and sink; another one is refused, for its batches would be taken for
 *  ours.
 */
#include "plugins/sink_file/sink.h"

#include "plugins/share/manifest.h"
#include "plugins/share/option.h"
#include "plugins/share/render.h"
#include "plugins/share/text.h"

#define HIDDEN_PREFIX ".part-"
#define OWNER_FILE "_weir/owner"
#define OWNER_DRAFT "_weir/.owner"
#define FOUND_ROOM 256
#define MANIFEST_WINDOW (1ull << 20)
#define MANIFEST_MOST (1ull << 30) /* of one batch */

/* ---- whole small files ---- */

/* The content of a file (full path), NUL-terminated; UNSUPPORTED if there is none. */
static int32_t read_file(struct sink *sink, const char *full, uint64_t most, uint8_t **text,
                         uint64_t *n, struct weir_error *error)
{
    const struct weir_io *io = sink->io;
    struct weir_io_stat stat;
    int64_t handle = -1;
    int32_t status = io->open(sink->context, full, WEIR_IO_READ, &handle, error);
    *text = NULL;
    *n = 0;
    if (status != WEIR_OK) return status;
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    status = io->stat_handle(sink->context, handle, &stat, error);
    if (status == WEIR_OK && stat.length > most)
        status = weir_fail(error, WEIR_FATAL, "'%s' is too long", full);
    if (status == WEIR_OK && !(*text = sink->host->alloc(stat.length + 1)))
        status = no_memory(error);
    if (status == WEIR_OK && stat.length)
        status = io->pread(sink->context, handle, *text, stat.length, 0, n, error);
    io->close(sink->context, handle);
    if (status == WEIR_OK) (*text)[*n] = 0;
    return status;
}

static int32_t file_length(struct sink *sink, const char *full, uint64_t *n,
                           struct weir_error *error)
{
    struct weir_io_stat stat;
    int32_t status;
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    status = sink->io->stat(sink->context, full, &stat, error);
    *n = stat.length;
    return status;
}

/* ---- the owner ---- */

static int32_t owner_write(struct sink *sink, const char *text, struct weir_error *error)
{
    const struct weir_io *io = sink->io;
    char draft[PATH_ROOM], full[PATH_ROOM], directory[PATH_ROOM];
    int64_t handle = -1;
    int32_t status = sink_full_path(sink, OWNER_DRAFT, draft, error);
    if (status == WEIR_OK) status = sink_full_path(sink, OWNER_FILE, full, error);
    if (status == WEIR_OK) status = sink_full_path(sink, MANIFEST_DIRECTORY, directory, error);
    if (status == WEIR_OK)
        status = io->open(sink->context, draft,
                          WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_TRUNCATE, &handle, error);
    if (status == WEIR_OK)
        status = io->pwrite(sink->context, handle, text, strlen(text), 0, error);
    if (status == WEIR_OK) status = io->sync(sink->context, handle, error);
    if (handle >= 0) io->close(sink->context, handle);
    if (status == WEIR_OK) status = io->rename(sink->context, draft, full, error);
    return status == WEIR_OK ? io->sync_dir(sink->context, directory, error) : status;
}

/* arg: room for the name of a file that a reader of the directory would see. */
static int32_t on_entry(void *arg, const char *name)
{
    char *found = arg;
    if (*name == '.' || *name == '_' || *found) return WEIR_OK;
    snprintf(found, FOUND_ROOM, "%s", name);
    return WEIR_OK;
}

/* A manifest says what readers see, so in a directory that holds other files it would hide them. */
static int32_t check_empty(struct sink *sink, struct weir_error *error)
{
    char found[FOUND_ROOM] = "";
    int32_t status = WEIR_OK;
    if (sink->with_manifest)
        status = sink->io->list(sink->context, sink->path, on_entry, found, error);
    if (status != WEIR_OK || !*found) return status;
    return weir_fail_option(error, "path", -1,
                            "'%s' holds files that this sink has not written ('%.100s'), which its "
                            "manifest would hide from readers: take an empty or a new directory",
                            sink->path, found);
}

#define OWNER_ROOM 1024

/* Whose directory is it? *ours: this sink's; 0 with OK: nobody's. `mine` becomes what the file of
 * this sink says. */
static int32_t owner_look(struct sink *sink, const struct weir_identity *who, char mine[OWNER_ROOM],
                          int *ours, struct weir_error *error)
{
    struct weir_error absent;
    char full[PATH_ROOM];
    uint8_t *text;
    uint64_t n;
    int32_t status = sink_full_path(sink, OWNER_FILE, full, error);
    *ours = 0;
    if (status != WEIR_OK) return status;
    snprintf(mine, OWNER_ROOM, "weir 1\njob %s\nsink %s\n", who->job_id, who->sink);
    weir_error_init(&absent);
    status = read_file(sink, full, 65536, &text, &n, &absent);
    if (status == WEIR_UNSUPPORTED) {
        char manifest[PATH_ROOM];
        status = sink_full_path(sink, MANIFEST_FILE, manifest, error);
        weir_error_init(&absent);
        if (status == WEIR_OK) status = file_length(sink, manifest, &n, &absent);
        if (status == WEIR_OK && n == 0) status = WEIR_UNSUPPORTED;
        if (status == WEIR_OK)
            status = weir_fail_option(error, "path", -1, "'%s' has a manifest but no " OWNER_FILE
                                      ": nobody knows whose it is", sink->path);
        if (status == WEIR_UNSUPPORTED) return check_empty(sink, error);
    }
    if (status != WEIR_OK) {
        if (error->error_class == WEIR_OK) *error = absent;
        sink->host->free(text);
        return status;
    }
    /* what follows the three lines is for people */
    *ours = n >= strlen(mine) && memcmp(text, mine, strlen(mine)) == 0;
    if (!*ours) {
        for (n = 0; text[n]; n++)
            if (text[n] < ' ') text[n] = ' ';
        while (n > 0 && text[n - 1] == ' ') text[--n] = 0;
        status = weir_fail_option(error, "path", -1,
                                  "'%s' belongs to another job or sink (%.120s); "
                                  "this is job %.40s, sink %.64s: take another directory",
                                  sink->path, (const char *)text, who->job_id, who->sink);
    }
    sink->host->free(text);
    return status;
}

int32_t owner_open(struct sink *sink, struct weir_error *error)
{
    char mine[OWNER_ROOM];
    int ours;
    int32_t status = owner_look(sink, sink->identity, mine, &ours, error);
    return status == WEIR_OK && !ours ? owner_write(sink, mine, error) : status;
}

int32_t owner_check(struct sink *sink, const struct weir_identity *who, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct weir_error absent;
    char mine[OWNER_ROOM];
    int ours;
    int32_t status;
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    weir_error_init(&absent);
    status = sink->io->stat(sink->context, sink->path, &stat, &absent);
    if (status == WEIR_UNSUPPORTED) return WEIR_OK; /* it will be made */
    if (status != WEIR_OK) {
        *error = absent;
        return status;
    }
    if (stat.kind != WEIR_IO_DIRECTORY)
        return weir_fail_option(error, "path", -1, "'%s' is no directory", sink->path);
    return owner_look(sink, who, mine, &ours, error);
}

/* ---- the manifest ---- */

/* A hidden file as the manifest leaves it: the last word counts. */
struct known {
    struct sink *sink;
    struct entry *list;
    uint32_t n, room;
    struct weir_error *error;
};

static struct entry *known_find(struct known *known, const char *hidden)
{
    uint32_t i;
    for (i = 0; i < known->n; i++)
        if (strcmp(known->list[i].hidden, hidden) == 0) return &known->list[i];
    return NULL;
}

static int32_t known_set(struct known *known, const struct entry *entry)
{
    struct entry *at = known_find(known, entry->hidden);
    if (!at) {
        if (known->n == known->room) {
            uint32_t room = known->room ? known->room * 2 : 8;
            struct entry *p = known->sink->host->realloc(known->list, room * sizeof *p);
            if (!p) return no_memory(known->error);
            known->list = p;
            known->room = room;
        }
        at = &known->list[known->n++];
    }
    *at = *entry;
    return WEIR_OK;
}

static void known_drop_final(struct known *known, const char *final_name)
{
    uint32_t i;
    for (i = 0; i < known->n; i++)
        if (strcmp(known->list[i].final_name, final_name) == 0)
            known->list[i--] = known->list[--known->n];
}

static int set_names(struct entry *entry, const char *hidden, const char *final_name)
{
    if (strlen(hidden) >= sizeof entry->hidden || strlen(final_name) >= sizeof entry->final_name)
        return 0;
    memcpy(entry->hidden, hidden, strlen(hidden) + 1);
    memcpy(entry->final_name, final_name, strlen(final_name) + 1);
    return 1;
}

static int32_t on_manifest(void *arg, const struct manifest_entry *line)
{
    struct known *known = arg;
    struct entry entry;
    known->sink->next_commit = line->batch + 1;
    if (line->kind == MANIFEST_WHOLE) {
        known_drop_final(known, line->name);
        return WEIR_OK;
    }
    entry.kind = ENTRY_OPEN;
    entry.bytes = line->bytes;
    entry.since_us = line->since_us;
    if (!set_names(&entry, line->name, line->final_name))
        return weir_fail(known->error, WEIR_DATA, "the manifest names a path that is too long");
    return known_set(known, &entry);
}

/* Where the last batch in n bytes of whole batches begins. */
static uint64_t last_batch(const uint8_t *text, uint64_t n)
{
    uint64_t at = n;
    char head[64];
    while (at) {
        uint64_t end = at--, size;
        while (at && text[at - 1] != '\n') at--;
        size = end - at < sizeof head - 1 ? end - at : sizeof head - 1;
        memcpy(head, text + at, size);
        head[size] = 0;
        if (strstr(head, ",\"part\":1,")) break;
    }
    return at;
}

/* The manifest may be long: it is read in windows of whole batches. *end: of the last whole batch,
 * *last: where that begins. */
static int32_t manifest_scan(struct sink *sink, struct known *known, uint64_t length,
                             uint64_t *end, uint64_t *last, struct weir_error *error)
{
    struct weir_bytes text = { NULL, 0 };
    uint64_t window = MANIFEST_WINDOW, got = 1;
    uint8_t *memory = NULL;
    int32_t status = WEIR_OK;
    *end = *last = 0;
    while (status == WEIR_OK && *end < length && got) {
        uint64_t n = length - *end < window ? length - *end : window;
        uint8_t *more = sink->host->realloc(memory, n);
        struct weir_error own;
        if (!more) status = no_memory(error);
        else memory = more;
        if (status == WEIR_OK)
            status = sink->io->pread(sink->context, sink->manifest, memory, n, *end, &text.length,
                                     error);
        if (status != WEIR_OK) break;
        text.data = memory;
        weir_error_init(&own);
        status = manifest_read(text, on_manifest, known, &got, &own);
        if (status == WEIR_DATA)
            status = weir_fail(error, WEIR_FATAL, "'%s/" MANIFEST_FILE "': %s, counted from %llu",
                               sink->path, own.text, (unsigned long long)*end);
        else if (status != WEIR_OK && error->error_class == WEIR_OK)
            *error = own;
        if (status == WEIR_OK && got) *last = *end + last_batch(memory, got);
        *end += got;
        if (got == 0 && n < length - *end && window < MANIFEST_MOST) {
            window *= 2; /* one batch is longer */
            got = 1;
        }
    }
    sink->host->free(memory);
    return status;
}

/* The last batch is the only one whose sync may have failed or not have come. A sync that failed in
 * an earlier process leaves pages that look written and are not: so the bytes are written again. */
static int32_t write_again(struct sink *sink, uint64_t from, uint64_t end,
                           struct weir_error *error)
{
    uint64_t got;
    int32_t status;
    uint8_t *memory;
    if (from == end) return WEIR_OK;
    memory = sink->host->alloc(end - from);
    if (!memory) return no_memory(error);
    status = sink->io->pread(sink->context, sink->manifest, memory, end - from, from, &got, error);
    if (status == WEIR_OK && got != end - from)
        status = weir_fail(error, WEIR_FATAL, "the manifest of '%s' has become shorter",
                           sink->path);
    if (status == WEIR_OK)
        status = sink->io->pwrite(sink->context, sink->manifest, memory, got, from, error);
    sink->host->free(memory);
    return status;
}

/* Reads the manifest into `known`, cuts its torn tail and opens it for appending. */
static int32_t manifest_load(struct sink *sink, struct known *known, struct weir_error *error)
{
    const struct weir_io *io = sink->io;
    struct weir_io_stat stat;
    char full[PATH_ROOM], directory[PATH_ROOM];
    uint64_t end = 0, last = 0;
    int32_t status = sink_full_path(sink, MANIFEST_FILE, full, error);
    if (status == WEIR_OK) status = sink_full_path(sink, MANIFEST_DIRECTORY, directory, error);
    if (status != WEIR_OK) return status;
    sink->next_commit = 0;
    if (sink->manifest >= 0) io->close(sink->context, sink->manifest);
    sink->manifest = -1;
    status = io->open(sink->context, full, WEIR_IO_READ | WEIR_IO_WRITE | WEIR_IO_CREATE,
                      &sink->manifest, error);
    if (status != WEIR_OK) {
        sink->manifest = -1;
        return status;
    }
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    status = io->stat_handle(sink->context, sink->manifest, &stat, error);
    if (status == WEIR_OK) status = manifest_scan(sink, known, stat.length, &end, &last, error);
    if (status == WEIR_OK && end < stat.length)
        status = io->truncate(sink->context, sink->manifest, end, error);
    if (status == WEIR_OK) status = write_again(sink, last, end, error);
    if (status == WEIR_OK) status = io->sync(sink->context, sink->manifest, error);
    if (status == WEIR_OK) status = io->sync_dir(sink->context, directory, error);
    sink->manifest_end = end;
    return status;
}

int32_t manifest_open(struct sink *sink, struct weir_error *error)
{
    struct known known = { sink, NULL, 0, 0, error };
    int32_t status = manifest_load(sink, &known, error);
    sink->host->free(known.list);
    return status;
}

/* ---- committables ---- */

static int32_t put_number(struct sink *sink, struct weir_buffer *out, uint64_t value, uint32_t n)
{
    uint8_t bytes[8];
    uint32_t i;
    for (i = 0; i < n; i++, value >>= 8) bytes[i] = (uint8_t)value;
    return render_bytes(sink->host, bytes, n, out);
}

static int32_t put_text(struct sink *sink, struct weir_buffer *out, const char *text)
{
    size_t n = strlen(text);
    int32_t status = put_number(sink, out, n, 2);
    return status == WEIR_OK ? render_bytes(sink->host, text, n, out) : status;
}

static int32_t put_entry(struct sink *sink, struct weir_buffer *out, const struct out *file)
{
    if (put_number(sink, out, file->rolled ? ENTRY_WHOLE : ENTRY_OPEN, 1) != WEIR_OK ||
        put_number(sink, out, file->length, 8) != WEIR_OK ||
        put_number(sink, out, (uint64_t)file->since_us, 8) != WEIR_OK ||
        put_text(sink, out, file->hidden) != WEIR_OK)
        return WEIR_FATAL;
    return put_text(sink, out, file->final_name);
}

int32_t committable_write(struct sink *sink, struct weir_buffer *out, struct weir_error *error)
{
    uint64_t before = out->length;
    uint32_t i, n = sink->done.n;
    int32_t status;
    for (i = 0; i < sink->active.n; i++) n += sink->active.list[i]->touched;
    status = put_number(sink, out, 1, 1);
    if (status == WEIR_OK) status = put_number(sink, out, n, 4);
    for (i = 0; i < sink->done.n && status == WEIR_OK; i++)
        status = put_entry(sink, out, sink->done.list[i]);
    for (i = 0; i < sink->active.n && status == WEIR_OK; i++)
        if (sink->active.list[i]->touched) status = put_entry(sink, out, sink->active.list[i]);
    if (status == WEIR_OK)
        status = put_number(sink, out, crc32c_of(out->data + before, out->length - before), 4);
    return status == WEIR_OK ? status : no_memory(error);
}

/* Reads a committable entry by entry. */
struct reader {
    const uint8_t *at;
    uint64_t left;
    uint32_t entries;
    int bad;
};

static uint64_t take(struct reader *reader, uint32_t n)
{
    uint64_t value = 0;
    uint32_t i;
    if (reader->left < n) {
        reader->bad = 1;
        return 0;
    }
    for (i = 0; i < n; i++) value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += n;
    reader->left -= n;
    return value;
}

static void take_text(struct reader *reader, char *out, size_t size)
{
    uint64_t n = take(reader, 2);
    if (reader->bad || n >= size || n > reader->left) {
        reader->bad = 1;
        return;
    }
    memcpy(out, reader->at, n);
    out[n] = 0;
    reader->at += n;
    reader->left -= n;
}

static int32_t reader_begin(struct reader *reader, const struct weir_committable *committable,
                            struct weir_error *error)
{
    struct weir_bytes bytes = committable->bytes;
    uint32_t crc;
    memset(reader, 0, sizeof *reader);
    reader->at = bytes.data;
    reader->left = bytes.length < 9 ? 0 : bytes.length - 4;
    if (reader->left) {
        crc = (uint32_t)bytes.data[reader->left] | (uint32_t)bytes.data[reader->left + 1] << 8 |
              (uint32_t)bytes.data[reader->left + 2] << 16 |
              (uint32_t)bytes.data[reader->left + 3] << 24;
        if (take(reader, 1) == 1 && crc == crc32c_of(bytes.data, bytes.length - 4)) {
            reader->entries = (uint32_t)take(reader, 4);
            return WEIR_OK;
        }
    }
    return weir_fail(error, WEIR_FATAL, "the committable of batch %llu is none of this sink",
                     (unsigned long long)committable->batch);
}

static int reader_next(struct reader *reader, struct entry *entry)
{
    if (reader->entries == 0) return 0;
    reader->entries--;
    memset(entry, 0, sizeof *entry);
    entry->kind = (uint32_t)take(reader, 1);
    entry->bytes = take(reader, 8);
    entry->since_us = (int64_t)take(reader, 8);
    take_text(reader, entry->hidden, sizeof entry->hidden);
    take_text(reader, entry->final_name, sizeof entry->final_name);
    return !reader->bad;
}

/* ---- commit ---- */

static int32_t sync_parent(struct sink *sink, const char *name, char *last,
                           struct weir_error *error)
{
    const char *slash = strrchr(name, '/');
    char directory[PATH_ROOM], full[PATH_ROOM];
    int32_t status;
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - name) : 0, name);
    if (strcmp(directory, last) == 0) return WEIR_OK;
    status = sink_full_path(sink, directory, full, error);
    if (status == WEIR_OK && !planted(sink, skip_dir_sync))
        status = sink->io->sync_dir(sink->context, full, error);
    if (status == WEIR_OK) memcpy(last, directory, strlen(directory) + 1);
    return status;
}

/* Gives a file its name. *moved: it had not got it before. */
static int32_t show(struct sink *sink, const struct entry *entry, int *moved,
                    uint32_t *outcome, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct weir_error absent;
    char from[PATH_ROOM], to[PATH_ROOM];
    int32_t status = sink_full_path(sink, entry->hidden, from, error);
    if (status == WEIR_OK) status = sink_full_path(sink, entry->final_name, to, error);
    if (status != WEIR_OK) return status;
    weir_error_init(&absent);
    status = sink->io->rename(sink->context, from, to, &absent);
    if (status == WEIR_OK) *moved = 1;
    if (status != WEIR_UNSUPPORTED) {
        if (status != WEIR_OK && error->error_class == WEIR_OK) *error = absent;
        return status;
    }
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    weir_error_init(&absent);
    status = sink->io->stat(sink->context, to, &stat, &absent);
    if (status == WEIR_OK && stat.length == entry->bytes) return WEIR_OK;
    if (status != WEIR_OK && status != WEIR_UNSUPPORTED) {
        if (error->error_class == WEIR_OK) *error = absent;
        return status;
    }
    *outcome = WEIR_COMMIT_FAILED;
    return weir_fail(error, WEIR_FATAL, "'%s' was prepared and is gone", from);
}

/* Writes at the end that is known to be whole. After a failed sync the handle is of no use; the
 * next try opens the file again and writes all of it again. */
static int32_t append_text(struct sink *sink, const struct weir_buffer *text,
                           struct weir_error *error)
{
    const struct weir_io *io = sink->io;
    char full[PATH_ROOM];
    int32_t status = WEIR_OK;
    if (sink->manifest < 0) {
        status = sink_full_path(sink, MANIFEST_FILE, full, error);
        if (status == WEIR_OK)
            status = io->open(sink->context, full, WEIR_IO_READ | WEIR_IO_WRITE, &sink->manifest,
                              error);
        if (status != WEIR_OK) {
            sink->manifest = -1;
            return status;
        }
    }
    status = io->pwrite(sink->context, sink->manifest, text->data, text->length,
                        sink->manifest_end, error);
    if (status == WEIR_OK) status = io->sync(sink->context, sink->manifest, error);
    if (status == WEIR_OK) {
        sink->manifest_end += text->length;
        return WEIR_OK;
    }
    io->close(sink->context, sink->manifest);
    sink->manifest = -1;
    return status;
}

static int32_t append_manifest(struct sink *sink, const struct weir_committable *committable,
                               struct weir_error *error)
{
    struct weir_buffer text = { NULL, 0, 0 };
    struct reader reader;
    struct entry entry;
    struct manifest_entry line;
    int32_t status = reader_begin(&reader, committable, error);
    memset(&line, 0, sizeof line);
    line.of = reader.entries;
    line.batch = committable->batch;
    while (status == WEIR_OK && reader_next(&reader, &entry)) {
        line.part++;
        line.kind = entry.kind == ENTRY_WHOLE ? MANIFEST_WHOLE : MANIFEST_OPEN;
        line.bytes = entry.bytes;
        line.since_us = entry.since_us;
        line.name = entry.kind == ENTRY_WHOLE ? entry.final_name : entry.hidden;
        line.final_name = entry.final_name;
        if (manifest_line(sink->host, &line, &text) != WEIR_OK) status = no_memory(error);
    }
    if (status == WEIR_OK && text.length) status = append_text(sink, &text, error);
    sink->host->free(text.data);
    return status;
}

int32_t committable_commit(struct sink *sink, const struct weir_committable *committable,
                           uint32_t *outcome, struct weir_error *error)
{
    struct reader reader;
    struct entry entry;
    char last[PATH_ROOM] = "//";
    int moved = 0, whole = 0;
    int32_t status = reader_begin(&reader, committable, error);
    if (status != WEIR_OK) return status;
    if (sink->with_manifest && committable->batch < sink->next_commit &&
        !planted(sink, commit_without_check)) {
        *outcome = WEIR_COMMIT_ALREADY;
        return WEIR_OK;
    }
    while (status == WEIR_OK && reader_next(&reader, &entry)) {
        if (entry.kind != ENTRY_WHOLE) continue;
        whole = 1;
        status = show(sink, &entry, &moved, outcome, error);
        if (*outcome == WEIR_COMMIT_FAILED) return WEIR_OK;
    }
    if (status == WEIR_OK && reader.bad)
        return weir_fail(error, WEIR_FATAL, "the committable of batch %llu is damaged",
                         (unsigned long long)committable->batch);
    if (status == WEIR_OK) status = reader_begin(&reader, committable, error);
    while (status == WEIR_OK && reader_next(&reader, &entry))
        if (entry.kind == ENTRY_WHOLE) status = sync_parent(sink, entry.final_name, last, error);
    if (status == WEIR_OK && sink->with_manifest)
        status = append_manifest(sink, committable, error);
    if (status != WEIR_OK) return status;
    if (sink->next_commit <= committable->batch) sink->next_commit = committable->batch + 1;
    *outcome = sink->with_manifest || moved || !whole ? WEIR_COMMIT_DONE : WEIR_COMMIT_ALREADY;
    return WEIR_OK;
}

/* ---- after a restart ---- */

/* What the open committables want, on top of what the manifest says. */
static int32_t add_pending(struct sink *sink, struct known *known,
                           const struct weir_committable *list, uint32_t n,
                           struct weir_error *error)
{
    struct reader reader;
    struct entry entry;
    uint32_t i;
    int32_t status = WEIR_OK;
    for (i = 0; i < n && status == WEIR_OK; i++) {
        if (sink->with_manifest && list[i].batch < sink->next_commit) continue;
        status = reader_begin(&reader, &list[i], error);
        while (status == WEIR_OK && reader_next(&reader, &entry)) status = known_set(known, &entry);
    }
    return status;
}

struct scan {
    const struct weir_host *host;
    struct weir_buffer names;
};

static int32_t on_name(void *arg, const char *name)
{
    struct scan *scan = arg;
    return render_bytes(scan->host, name, strlen(name) + 1, &scan->names);
}

/* Cuts a hidden file that is wanted to its length, removes one that is not. */
static int32_t mend(struct sink *sink, struct known *known, const char *hidden,
                    struct weir_error *error)
{
    const struct weir_io *io = sink->io;
    struct entry *entry = known_find(known, hidden);
    struct weir_io_stat stat;
    char full[PATH_ROOM];
    int64_t handle = -1;
    int32_t status = sink_full_path(sink, hidden, full, error);
    if (status != WEIR_OK) return status;
    if (!entry) {
        status = io->unlink(sink->context, full, error);
        return status == WEIR_UNSUPPORTED ? WEIR_FATAL : status;
    }
    status = io->open(sink->context, full, WEIR_IO_READ | WEIR_IO_WRITE, &handle, error);
    if (status != WEIR_OK) return status;
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    status = io->stat_handle(sink->context, handle, &stat, error);
    if (status == WEIR_OK && stat.length < entry->bytes)
        status = weir_fail(error, WEIR_FATAL, "'%s' has %llu bytes, %llu were committed", full,
                           (unsigned long long)stat.length, (unsigned long long)entry->bytes);
    if (status == WEIR_OK && stat.length > entry->bytes) {
        status = io->truncate(sink->context, handle, entry->bytes, error);
        if (status == WEIR_OK) status = io->sync(sink->context, handle, error);
    }
    io->close(sink->context, handle);
    return status;
}

static int32_t mend_directory(struct sink *sink, struct known *known, const char *directory,
                              uint32_t depth, struct weir_error *error)
{
    struct scan scan = { sink->host, { NULL, 0, 0 } };
    char full[PATH_ROOM], child[PATH_ROOM / 2];
    uint64_t at;
    int32_t status = sink_full_path(sink, directory, full, error);
    if (status == WEIR_OK) status = sink->io->list(sink->context, full, on_name, &scan, error);
    for (at = 0; status == WEIR_OK && at < scan.names.length;) {
        const char *name = (const char *)scan.names.data + at;
        int n = snprintf(child, sizeof child, "%s%s%s", directory, *directory ? "/" : "", name);
        at += strlen(name) + 1;
        if (n < 0 || n >= (int)sizeof child) continue;
        if (strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0)
            status = mend(sink, known, child, error);
        else if (depth && *name != '.' && *name != '_' && strchr(name, '='))
            status = mend_directory(sink, known, child, depth - 1, error);
    }
    sink->host->free(scan.names.data);
    return status;
}

int32_t sink_recover(struct sink *sink, const struct weir_committable *list, uint32_t n,
                     uint64_t next_batch, struct weir_error *error)
{
    struct known known = { sink, NULL, 0, 0, error };
    uint32_t i;
    int32_t status = sink->with_manifest ? manifest_load(sink, &known, error) : WEIR_OK;
    if (status == WEIR_OK && sink->with_manifest && sink->next_commit > next_batch)
        status = weir_fail_option(error, "path", -1,
                                  "'%s' has batches up to %llu of this sink, the "
                                  "checkpoint goes on with %llu: put back its newest copy, or "
                                  "give the sink another path, which gets batch %llu and those "
                                  "behind it",
                                  sink->path, (unsigned long long)sink->next_commit - 1,
                                  (unsigned long long)next_batch,
                                  (unsigned long long)next_batch);
    if (status == WEIR_OK) status = add_pending(sink, &known, list, n, error);
    if (status == WEIR_OK && !planted(sink, no_recover))
        status = mend_directory(sink, &known, "", 16, error);
    for (i = 0; i < known.n && status == WEIR_OK; i++)
        if (known.list[i].kind == ENTRY_OPEN) status = out_adopt(sink, &known.list[i], error);
    sink->host->free(known.list);
    return status;
}
