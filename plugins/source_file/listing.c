/*
 * listing.c - which files there are, and in which order they are read.
 *
 *  1. A path is a file, a directory (its files; with `recursive` also those below), or a pattern
 *     whose parts are matched as by the shell; a directory that matches gives its files.
 *  2. Names that begin with a dot or an underscore are not seen, unless the path spells them out.
 *  3. A directory with `_weir/manifest` has exactly the files that this names.
 *  4. Only files with mtime <= T of the batch are there; the others come with a later batch.
 *     With `file_name_only` a file is told by what stands behind the last slash: of several paths with
 *     one name the first in byte order counts, until it is gone.
 *  5. Files that were found before are not looked at again, unless they are followed: files don't
 *     change once they can be seen.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "plugins/source_file/file.h"

#include "plugins/share/manifest.h"
#include "plugins/share/option.h"
#include "plugins/share/render.h"

#define DEPTH_MAX 32
#define PATH_MAX_BYTES 3800u /* a partition name has to fit with room to spare */
#define MANIFEST_MAX (1ull << 30)

struct walk {
    struct source *source;
    int64_t until_us;
    struct weir_error *error;
};

static int32_t visit_directory(struct walk *walk, const char *path, int depth);

/* ---- the table of files ---- */

static uint32_t place_of(const struct source *source, const char *name, int *found)
{
    uint32_t low = 0, high = source->n_files;
    *found = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(source->files[middle]->name, name);
        if (order == 0) {
            *found = 1;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct file *file_get(struct source *source, const char *name, int make)
{
    const struct weir_host *host = source->host;
    int found;
    uint32_t at = place_of(source, name, &found);
    size_t n = strlen(name) + 1;
    struct file *file;
    if (found) return source->files[at];
    if (!make) return NULL;
    if (source->n_files == source->room) {
        uint32_t room = source->room ? source->room * 2 : 64;
        struct file **p = host->realloc(source->files, room * sizeof *p);
        if (!p) return NULL;
        source->files = p;
        p = host->realloc(source->order_list, room * sizeof *p);
        if (!p) return NULL;
        source->order_list = p;
        source->room = room;
    }
    file = host->alloc(sizeof *file + n);
    if (!file) return NULL;
    memset(file, 0, sizeof *file);
    file->name = file->path = memcpy(file + 1, name, n);
    file->handle = -1;
    memmove(source->files + at + 1, source->files + at,
            (source->n_files - at) * sizeof *source->files);
    source->files[at] = file;
    source->n_files++;
    return file;
}

void file_free(struct source *source, struct file *file)
{
    if (file->path != file->name) source->host->free(file->path);
    source->host->free(file->head);
    source->host->free(file);
}

/* Forgets files that are gone and that nobody reads. */
static void sweep(struct source *source)
{
    uint32_t i, n = 0;
    for (i = 0; i < source->n_files; i++) {
        struct file *file = source->files[i];
        if (file->listing != source->listing && !file->busy && file->handle < 0) {
            file_free(source, file);
        } else {
            source->files[n++] = file;
        }
    }
    source->n_files = n;
}

/* ---- the walk ---- */

static int32_t join(struct walk *walk, const char *directory, const char *name, char *out)
{
    const char *slash = *directory && directory[strlen(directory) - 1] != '/' ? "/" : "";
    int n = snprintf(out, PATH_MAX_BYTES, "%s%s%s", directory, slash, name);
    if (n < 0 || n >= (int)PATH_MAX_BYTES)
        return weir_fail(walk->error, WEIR_FATAL, "a path below '%s' is too long", directory);
    return WEIR_OK;
}

/* The name by which a path is told from others. */
static const char *name_of(const struct source *source, const char *path)
{
    const char *slash = source->name_only ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

/* With name_only: notes where a file is. */
static int32_t set_path(struct source *source, struct file *file, const char *path)
{
    char *copy = source->name_only ? source->host->alloc(strlen(path) + 1) : file->name;
    if (!copy) return WEIR_FATAL;
    if (source->name_only) memcpy(copy, path, strlen(path) + 1);
    if (file->path != file->name) source->host->free(file->path);
    file->path = copy;
    return WEIR_OK;
}

static int32_t add_file(struct walk *walk, const char *path, const struct weir_io_stat *stat)
{
    struct source *source = walk->source;
    struct file *file;
    if (stat->mtime_us > walk->until_us) return WEIR_OK;
    file = file_get(source, name_of(source, path), 1);
    if (!file || set_path(source, file, path) != WEIR_OK) return no_memory(walk->error);
    file->mtime_us = stat->mtime_us;
    file->length = stat->length;
    file->listing = source->listing;
    if (file->mtime_us > source->newest_us) source->newest_us = file->mtime_us;
    return WEIR_OK;
}

/* What is at `path`. UNSUPPORTED where it has just gone. */
static int32_t look(struct walk *walk, const char *path, struct weir_io_stat *stat)
{
    struct source *source = walk->source;
    struct weir_error error;
    int32_t status;
    weir_error_init(&error);
    memset(stat, 0, sizeof *stat);
    stat->size = (uint32_t)sizeof *stat;
    status = source->io->stat(source->context, path, stat, &error);
    if (status != WEIR_OK && status != WEIR_UNSUPPORTED && walk->error->error_class == WEIR_OK)
        *walk->error = error;
    return status;
}

/* A path of a name that was seen before. 1 if it is to be looked at: it comes before the one that has the
 * name and was not begun, or that one is gone. */
static int takes_over(struct walk *walk, const struct file *file, const char *path)
{
    struct weir_io_stat stat;
    if (!walk->source->name_only || strcmp(path, file->path) == 0) return 0;
    if (file->listing == walk->source->listing)
        return !file->known && strcmp(path, file->path) < 0;
    return look(walk, file->path, &stat) == WEIR_UNSUPPORTED;
}

/* A file, or a directory to go into (`inside`: also where it is not at the top). */
static int32_t visit(struct walk *walk, const char *path, int into, int depth)
{
    struct source *source = walk->source;
    struct weir_io_stat stat;
    struct file *file = source->follow ? NULL : file_get(source, name_of(source, path), 0);
    int32_t status;
    if (file && file->listing && !takes_over(walk, file, path)) { /* seen before */
        file->listing = source->listing;
        return WEIR_OK;
    }
    status = look(walk, path, &stat);
    if (status == WEIR_UNSUPPORTED) return WEIR_OK;
    if (status != WEIR_OK) return status;
    if (stat.kind == WEIR_IO_FILE) return add_file(walk, path, &stat);
    return stat.kind == WEIR_IO_DIRECTORY && into ? visit_directory(walk, path, depth) : WEIR_OK;
}

struct names {
    const struct weir_host *host;
    struct weir_buffer text; /* one behind the other, each with its NUL */
};

static int32_t add_name(void *arg, const char *name)
{
    struct names *names = arg;
    return render_bytes(names->host, name, strlen(name) + 1, &names->text);
}

int32_t listing_settle(struct source *source, const char *path, struct weir_error *error)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    char directory[PATH_MAX_BYTES];
    struct weir_error absent;
    int32_t status;
    if (n >= sizeof directory) return weir_fail(error, WEIR_FATAL, "the path is too long");
    memcpy(directory, path, n);
    directory[n] = 0;
    weir_error_init(&absent);
    status = source->io->sync_dir(source->context, n ? directory : slash ? "/" : ".", &absent);
    if (status == WEIR_OK || status == WEIR_UNSUPPORTED || absent.code == ENOTDIR) return WEIR_OK;
    if (error->error_class == WEIR_OK) *error = absent;
    return status;
}

/* The first listing of a run: a name that an earlier run took away and that we don't see now could
 * come back with a loss of power, when its position is forgotten. */
static int32_t settle(struct walk *walk, const char *directory)
{
    char any[PATH_MAX_BYTES];
    int32_t status;
    if (walk->source->on_done == DONE_KEEP || walk->source->settled) return WEIR_OK;
    status = join(walk, directory, "any", any);
    return status == WEIR_OK ? listing_settle(walk->source, any, walk->error) : status;
}

/* The names in a directory; none where it has gone, or is none. */
static int32_t list(struct walk *walk, const char *path, struct names *names)
{
    struct source *source = walk->source;
    struct weir_error error;
    int32_t status;
    weir_error_init(&error);
    memset(names, 0, sizeof *names);
    names->host = source->host;
    status = source->io->list(source->context, *path ? path : ".", add_name, names, &error);
    if (status == WEIR_UNSUPPORTED || (status != WEIR_OK && error.code == ENOTDIR)) {
        names->text.length = 0;
        return WEIR_OK;
    }
    if (status != WEIR_OK && walk->error->error_class == WEIR_OK) *walk->error = error;
    return status;
}

struct manifest_walk {
    struct walk *walk;
    const char *path;
};

static int32_t manifest_file(void *arg, const struct manifest_entry *entry)
{
    struct manifest_walk *m = arg;
    char path[PATH_MAX_BYTES];
    int32_t status;
    if (entry->kind != MANIFEST_WHOLE) return WEIR_OK;
    status = join(m->walk, m->path, entry->name, path);
    return status == WEIR_OK ? visit(m->walk, path, 0, 0) : status;
}

/* Reads a directory by its manifest. UNSUPPORTED if it has none. */
static int32_t visit_manifest(struct walk *walk, const char *path)
{
    struct source *source = walk->source;
    const struct weir_io *io = source->io;
    struct manifest_walk m = { walk, path };
    struct weir_io_stat stat;
    struct weir_bytes text = { NULL, 0 };
    char name[PATH_MAX_BYTES];
    int64_t handle = -1;
    uint64_t got = 0;
    uint8_t *memory;
    int32_t status = join(walk, path, MANIFEST_FILE, name);
    if (status == WEIR_OK) status = look(walk, name, &stat);
    if (status != WEIR_OK) return status;
    if (stat.length > MANIFEST_MAX)
        return weir_fail(walk->error, WEIR_FATAL, "the manifest of '%s' is over 1 GiB", path);
    memory = source->host->alloc(stat.length + 1);
    if (!memory) return no_memory(walk->error);
    status = io->open(source->context, name, WEIR_IO_READ, &handle, walk->error);
    if (status == WEIR_OK)
        status = io->pread(source->context, handle, memory, stat.length, 0, &got, walk->error);
    if (handle >= 0) io->close(source->context, handle);
    text.data = memory;
    text.length = got;
    if (status == WEIR_OK)
        status = manifest_read(text, manifest_file, &m, &got, walk->error);
    source->host->free(memory);
    return status == WEIR_DATA ? WEIR_FATAL : status;
}

static int32_t visit_directory(struct walk *walk, const char *path, int depth)
{
    struct source *source = walk->source;
    struct names names;
    char child[PATH_MAX_BYTES];
    uint64_t at;
    int32_t status;
    if (depth > DEPTH_MAX) return WEIR_OK;
    status = settle(walk, path);
    if (status == WEIR_OK) status = visit_manifest(walk, path);
    if (status != WEIR_UNSUPPORTED) return status;
    status = list(walk, path, &names);
    for (at = 0; status == WEIR_OK && at < names.text.length;) {
        const char *name = (const char *)names.text.data + at;
        at += strlen(name) + 1;
        if (*name == '.' || *name == '_') continue;
        status = join(walk, path, name, child);
        if (status == WEIR_OK) status = visit(walk, child, source->recursive, depth + 1);
    }
    source->host->free(names.text.data);
    return status;
}

static int is_pattern(const char *text, size_t n)
{
    while (n-- > 0)
        if (strchr("*?[", *text++)) return 1;
    return 0;
}

/* Goes on with `rest` of the pattern behind the path `prefix`. */
static int32_t expand(struct walk *walk, const char *prefix, const char *rest, int depth)
{
    struct names names = { NULL, { NULL, 0, 0 } };
    char part[256], child[PATH_MAX_BYTES];
    size_t n;
    uint64_t at;
    int32_t status;
    while (*rest == '/') rest++;
    n = strcspn(rest, "/");
    if (n == 0) return visit(walk, prefix, 1, depth);
    if (n >= sizeof part || depth > DEPTH_MAX)
        return weir_fail(walk->error, WEIR_CONFIG, "the path is too long or too deep");
    memcpy(part, rest, n);
    part[n] = 0;
    if (!is_pattern(part, n)) {
        status = join(walk, prefix, part, child);
        return status == WEIR_OK ? expand(walk, child, rest + n, depth + 1) : status;
    }
    status = settle(walk, prefix);
    if (status == WEIR_OK) status = list(walk, prefix, &names);
    for (at = 0; status == WEIR_OK && at < names.text.length;) {
        const char *name = (const char *)names.text.data + at;
        at += strlen(name) + 1;
        if (*name == '_' && part[0] != '_') continue;
        if (fnmatch(part, name, FNM_PERIOD) != 0) continue;
        status = join(walk, prefix, name, child);
        if (status == WEIR_OK) status = expand(walk, child, rest + n, depth + 1);
    }
    walk->source->host->free(names.text.data);
    return status;
}

/* ---- order ---- */

static int by_oldest(const void *a, const void *b)
{
    const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;
    if (x->mtime_us != y->mtime_us) return x->mtime_us < y->mtime_us ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_newest(const void *a, const void *b)
{
    const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;
    if (x->mtime_us != y->mtime_us) return x->mtime_us > y->mtime_us ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int is_listed(const struct source *source, const struct file *file)
{
    return file->listing == source->listing && !file->gone && !file->skipped;
}

int32_t listing_make(struct source *source, int64_t until_us, struct weir_error *error)
{
    struct walk walk = { source, until_us, error };
    uint32_t i;
    int32_t status = WEIR_OK;
    source->listing++;
    if (source->on_done != DONE_KEEP && !source->settled)
        status = listing_settle(source, source->path, error);
    if (status == WEIR_OK)
        status = is_pattern(source->path, strlen(source->path))
                     ? expand(&walk, *source->path == '/' ? "/" : "", source->path, 0)
                     : visit(&walk, source->path, 1, 0);
    if (status != WEIR_OK) {
        for (i = 0; i < source->n_files; i++) source->files[i]->listing = source->listing;
        return status;
    }
    source->settled = 1;
    sweep(source);
    source->n_order = 0;
    for (i = 0; i < source->n_files; i++)
        if (is_listed(source, source->files[i]))
            source->order_list[source->n_order++] = source->files[i];
    if (source->order != ORDER_NAME && source->n_order)
        qsort(source->order_list, source->n_order, sizeof *source->order_list,
              source->order == ORDER_NEWEST ? by_newest : by_oldest);
    return WEIR_OK;
}

int32_t listing_expects(struct source *source, struct weir_error *error)
{
    struct walk walk = { source, 0, error };
    struct weir_io_stat stat;
    if (is_pattern(source->path, strlen(source->path)) || source->on_done != DONE_KEEP)
        return WEIR_OK;
    int32_t status = look(&walk, source->path, &stat);
    if (status != WEIR_UNSUPPORTED) return status;
    return weir_fail(error, WEIR_CONFIG, "'%s' does not exist, and a job that takes what is there now "
                     "does not wait for it", source->path);
}

int listing_find_inode(struct source *source, const char *name, uint64_t inode, char *out,
                       size_t size)
{
    struct weir_error error;
    struct walk walk = { source, INT64_MAX, &error };
    const char *slash = strrchr(name, '/');
    struct names names;
    char directory[PATH_MAX_BYTES];
    uint64_t at;
    int found = 0;
    weir_error_init(&error);
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - name) : 1,
             slash ? name : ".");
    if (slash == name) snprintf(directory, sizeof directory, "/");
    if (list(&walk, directory, &names) == WEIR_OK)
        for (at = 0; !found && at < names.text.length;) {
            const char *entry = (const char *)names.text.data + at;
            struct weir_io_stat stat;
            char path[PATH_MAX_BYTES];
            at += strlen(entry) + 1;
            if (join(&walk, directory, entry, path) != WEIR_OK) break;
            if (look(&walk, path, &stat) != WEIR_OK || stat.inode != inode) continue;
            found = strlen(path) < size;
            if (found) memcpy(out, path, strlen(path) + 1);
        }
    source->host->free(names.text.data);
    return found;
}
