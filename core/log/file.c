/*
 * file.c - the files of a checkpoint directory.
 *
 * Numbered files are <family>-<number>, the number in decimal with at least eight digits:
 * log-00000001, state-00000017. Names that would not be written this way are foreign.
 */
#include "core/log/file.h"

#include <errno.h>
#include <stdlib.h>

static const char *const family_text[FAMILIES] = {"log", "state", "spool", "output", "dead"};

int32_t dir_init(struct log_dir *dir, struct weir_sys *sys, const char *path,
                 struct weir_error *error)
{
    size_t n = path ? strlen(path) : 0;

    dir->sys = sys;
    if (!n || n >= DIR_MAX)
        return weir_fail(error, WEIR_CONFIG, "checkpoint: the name of the directory is %s",
                         n ? "too long" : "empty");
    memcpy(dir->path, path, n + 1);
    while (n > 1 && dir->path[n - 1] == '/')
        dir->path[--n] = 0;
    return WEIR_OK;
}

/* Length of the path of the directory that holds path[0..n); 0: there is none in the text. */
static size_t parent_length(const char *path, size_t n)
{
    while (n && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

/* A run that was killed may have made any of the levels without syncing them, so all are synced.
 * Where a level was there before, it may be one that can't be opened; then it isn't ours to make
 * durable. */
int32_t dir_make(const struct log_dir *dir, struct weir_error *error)
{
    char path[DIR_MAX];
    size_t n = strlen(dir->path);
    int made, rc;
    struct sys_stat st;

    made = sys_stat_path(dir->sys, dir->path, &st) == -ENOENT;
    rc = made ? sys_mkdirs(dir->sys, dir->path, 0777) : 0;
    if (rc < 0)
        return file_fail(error, rc, "make", dir->path);
    memcpy(path, dir->path, n + 1);
    while (n && !(n == 1 && path[0] == '/')) {
        n = parent_length(path, n);
        path[n] = 0;
        rc = sys_sync_dir(dir->sys, n ? path : ".");
        if (rc == -EIO || (rc < 0 && made))
            return file_final(error, rc, "sync", n ? path : ".");
        made = 0;
    }
    return WEIR_OK;
}

void dir_file(const struct log_dir *dir, const char *name, char out[PATH_MAX_BYTES])
{
    snprintf(out, PATH_MAX_BYTES, "%s/%s", dir->path, name);
}

int32_t dir_sync(const struct log_dir *dir, struct weir_error *error)
{
    int rc = sys_sync_dir(dir->sys, dir->path);

    return rc < 0 ? file_final(error, rc, "sync", dir->path) : WEIR_OK;
}

void family_name(uint32_t family, uint32_t number, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "%s-%08u", family_text[family], number);
}

static int name_parse(const char *name, struct listed *out)
{
    char again[NAME_BYTES];
    uint32_t family;

    for (family = 0; family < FAMILIES; family++) {
        size_t n = strlen(family_text[family]);
        uint64_t number = 0;
        const char *p = name + n + 1;

        if (strncmp(name, family_text[family], n) != 0 || name[n] != '-')
            continue;
        for (; *p >= '0' && *p <= '9' && number <= UINT32_MAX; p++)
            number = number * 10 + (uint64_t)(*p - '0');
        if (*p || !number || number > UINT32_MAX)
            return -1;
        family_name(family, (uint32_t)number, again);
        if (strcmp(again, name) != 0)
            return -1;
        out->family = family;
        out->number = (uint32_t)number;
        return 0;
    }
    return -1;
}

/* Names beside the numbered files that a checkpoint may hold: its own, and what repair set
 * aside. */
static int name_known(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, "lock") == 0 || strcmp(name, "weir.json.tmp") == 0 ||
           (n > 4 && strncmp(name, "log-", 4) == 0 && strcmp(name + n - 4, ".cut") == 0);
}

static int listing_entry(void *arg, const char *name)
{
    struct listing *l = arg;
    struct listed file;

    if (strcmp(name, "weir.json") == 0) {
        l->identity = 1;
        return 0;
    }
    if (name_parse(name, &file) < 0) {
        if (name_known(name))
            return 0;
        if (!l->foreign++)
            snprintf(l->stranger, sizeof l->stranger, "%.63s", name);
        return 0;
    }
    if (l->n == l->capacity) {
        uint32_t capacity = l->capacity ? l->capacity * 2 : 16;
        struct listed *files = mem_realloc(l->files, capacity * sizeof *files);

        if (!files)
            return -ENOMEM;
        l->files = files;
        l->capacity = capacity;
    }
    l->files[l->n++] = file;
    return 0;
}

static int listed_compare(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

int32_t listing_read(const struct log_dir *dir, struct listing *out, struct weir_error *error)
{
    int rc;

    memset(out, 0, sizeof *out);
    rc = sys_list(dir->sys, dir->path, listing_entry, out);
    if (rc < 0) {
        listing_free(out);
        return file_fail(error, rc, "list", dir->path);
    }
    if (out->n)
        qsort(out->files, out->n, sizeof *out->files, listed_compare);
    return WEIR_OK;
}

void listing_free(struct listing *listing)
{
    mem_free(listing->files);
    memset(listing, 0, sizeof *listing);
}

uint32_t listing_of(const struct listing *listing, uint32_t family, uint32_t *first)
{
    uint32_t i = 0, n = 0;

    while (i < listing->n && listing->files[i].family < family)
        i++;
    *first = i;
    while (i + n < listing->n && listing->files[i + n].family == family)
        n++;
    return n;
}

int file_write(struct weir_sys *sys, int fd, const void *bytes, uint64_t n, uint64_t offset)
{
    const uint8_t *p = bytes;

    while (n) {
        int64_t done = sys_pwrite(sys, fd, p, (size_t)n, offset);

        if (done <= 0)
            return done ? (int)done : -EIO;
        p += done;
        offset += (uint64_t)done;
        n -= (uint64_t)done;
    }
    return 0;
}

int64_t file_read(struct weir_sys *sys, int fd, void *bytes, uint64_t n, uint64_t offset)
{
    uint64_t have = 0;

    while (have < n) {
        int64_t done =
            sys_pread(sys, fd, (uint8_t *)bytes + have, (size_t)(n - have), offset + have);

        if (done < 0)
            return done;
        if (!done)
            break;
        have += (uint64_t)done;
    }
    return (int64_t)have;
}

static int32_t file_error(struct weir_error *error, int32_t class, int64_t rc, const char *doing,
                          const char *path)
{
    int code = (int)-rc;

    if (error && error->error_class == WEIR_OK)
        error->code = code;
    return weir_fail(error, class, "%.300s: can't %s: %s", path, doing, strerror(code));
}

int32_t file_fail(struct weir_error *error, int64_t rc, const char *doing, const char *path)
{
    int again = rc == -ENOSPC || rc == -EDQUOT || rc == -EMFILE || rc == -ENFILE;

    return file_error(error, again ? WEIR_RETRY : WEIR_FATAL, rc, doing, path);
}

int32_t file_final(struct weir_error *error, int64_t rc, const char *doing, const char *path)
{
    return file_error(error, WEIR_FATAL, rc, doing, path);
}
