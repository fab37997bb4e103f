/*
 * extent.c - extent files: bytes one behind the other, nothing else; what they are stands in the
 * records that name them.
 *
 * 1. An extent is written at once, and synced by log_sync before the record that names it is
 *    written.
 * 2. A file that reached its size is synced and left; the next one has the next number. After a
 *    start a new file is begun: what stands behind the last named extent of an old one may be
 *    anything.
 * 3. A number is used once: the next one is above all that exist and not below the pointer of
 *    its family (lock.c), so a record that outlived its extent never finds foreign bytes.
 * 4. A partial write without room leaves the offset where it was; the next one overwrites it.
 */
#include "core/log/extent.h"

#include "core/data/block.h"
#include "core/sys/planted.h"

#include <errno.h>

void extents_init(struct extents *extents, const struct log_dir *dir, uint64_t file_bytes)
{
    uint32_t i;

    memset(extents, 0, sizeof *extents);
    extents->dir = dir;
    extents->file_bytes = file_bytes;
    for (i = 0; i < FAMILIES; i++) {
        extents->writer[i].fd = -1;
        extents->next[i] = 1;
    }
}

void extents_fini(struct extents *extents)
{
    uint32_t i;

    for (i = 0; extents->dir && i < FAMILIES; i++)
        if (extents->writer[i].fd >= 0)
            sys_close(extents->dir->sys, extents->writer[i].fd);
    memset(extents, 0, sizeof *extents);
}

static int32_t writer_sync(struct extents *extents, uint32_t kind, struct weir_error *error)
{
    struct extent_writer *w = &extents->writer[kind];
    char name[NAME_BYTES];
    int rc = 0;

    if (!w->dirty)
        return WEIR_OK;
    if (!planted(PLANTED_LOG_EXTENT_SYNC))
        rc = sys_sync(extents->dir->sys, w->fd);
    if (rc < 0) {
        family_name(kind, w->number, name);
        return file_final(error, rc, "sync", name);
    }
    w->dirty = 0;
    return WEIR_OK;
}

static int32_t writer_open(struct extents *extents, uint32_t kind, struct weir_error *error)
{
    struct extent_writer *w = &extents->writer[kind];
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    int fd;

    if (extents->next[kind] == UINT32_MAX)
        return weir_fail(error, WEIR_FATAL, "%.300s: no more numbers for files",
                         extents->dir->path);
    family_name(kind, extents->next[kind], name);
    dir_file(extents->dir, name, path);
    fd = sys_open(extents->dir->sys, path, SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE);
    if (fd < 0)
        return file_fail(error, fd, "make", path);
    w->fd = fd;
    w->number = extents->next[kind]++;
    w->offset = 0;
    w->dirty = 0;
    extents->fresh = 1;
    return WEIR_OK;
}

int32_t extents_write(struct extents *extents, uint32_t kind, struct weir_bytes bytes,
                      struct extent *out, int *final, struct weir_error *error)
{
    struct extent_writer *w = &extents->writer[kind];
    char name[NAME_BYTES];
    int32_t class;
    int rc;

    if (w->fd >= 0 && w->offset >= extents->file_bytes) {
        class = writer_sync(extents, kind, error);
        if (class != WEIR_OK) {
            *final = 1;
            return class;
        }
        sys_close(extents->dir->sys, w->fd);
        w->fd = -1;
    }
    class = w->fd < 0 ? writer_open(extents, kind, error) : WEIR_OK;
    if (class != WEIR_OK)
        return class;
    w->dirty = 1;
    rc = file_write(extents->dir->sys, w->fd, bytes.data, bytes.length, w->offset);
    if (rc < 0) {
        family_name(kind, w->number, name);
        class = file_fail(error, rc, "write", name);
        *final = class == WEIR_FATAL;
        return class;
    }
    out->kind = kind;
    out->file = w->number;
    out->offset = w->offset;
    out->length = bytes.length;
    out->crc = crc32c(0, bytes.data, bytes.length);
    w->offset += bytes.length;
    extents->bytes += bytes.length;
    return WEIR_OK;
}

int32_t extents_sync(struct extents *extents, struct weir_error *error)
{
    uint32_t kind;
    int32_t class;

    for (kind = 1; kind < FAMILIES; kind++) {
        class = writer_sync(extents, kind, error);
        if (class != WEIR_OK)
            return class;
    }
    if (extents->fresh && !planted(PLANTED_LOG_EXTENT_DIR)) {
        class = dir_sync(extents->dir, error);
        if (class != WEIR_OK)
            return class;
    }
    extents->fresh = 0;
    return WEIR_OK;
}

int32_t extent_read(const struct log_dir *dir, const struct extent *extent, uint8_t **out,
                    struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    struct sys_stat st;
    uint8_t *bytes = NULL;
    const char *why = NULL;
    int64_t n = 0;
    int fd;

    *out = NULL;
    if (extent->kind < 1 || extent->kind >= FAMILIES)
        return weir_fail(error, WEIR_DATA, "%.300s: an extent of unknown kind %u", dir->path,
                         extent->kind);
    family_name(extent->kind, extent->file, name);
    dir_file(dir, name, path);
    fd = sys_open(dir->sys, path, SYS_READ);
    if (fd == -ENOENT)
        return weir_fail(error, WEIR_DATA, "%.300s: offset %llu: the extent file is missing", path,
                         (unsigned long long)extent->offset);
    if (fd < 0)
        return file_fail(error, fd, "open", path);
    n = sys_fstat(dir->sys, fd, &st);
    if (n >= 0 && (extent->offset > st.size || extent->length > st.size - extent->offset))
        why = "the extent is incomplete";
    if (n >= 0 && !why) {
        bytes = mem_alloc(extent->length ? extent->length : 1);
        n = bytes ? file_read(dir->sys, fd, bytes, extent->length, extent->offset) : -ENOMEM;
        if (n >= 0 && (uint64_t)n != extent->length)
            why = "the extent is incomplete";
        else if (n >= 0 && crc32c(0, bytes, extent->length) != extent->crc)
            why = "the checksum of the extent does not match";
    }
    sys_close(dir->sys, fd);
    if (n >= 0 && !why) {
        *out = bytes;
        return WEIR_OK;
    }
    mem_free(bytes);
    if (n < 0)
        return file_fail(error, n, "read", path);
    return weir_fail(error, WEIR_DATA, "%.300s: offset %llu: damaged: %s", path,
                     (unsigned long long)extent->offset, why);
}
