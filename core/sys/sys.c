/*
 * sys.c - what is made of calls through the seam alone: directories with their parents, whole
 * files.
 */
#include "core/sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The directory that holds path[0..n): its length, 0 for the working directory. */
static size_t parent_length(const char *path, size_t n)
{
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

static int sync_parent(struct weir_sys *sys, const char *path, size_t n)
{
    char parent[PATH_MAX];
    size_t length = parent_length(path, n);

    memcpy(parent, path, length);
    parent[length] = '\0';
    return sys_sync_dir(sys, length > 0 ? parent : ".");
}

/* Makes path[0..n) and makes its name durable. */
static int make_level(struct weir_sys *sys, char *path, size_t n, uint32_t mode)
{
    char kept = path[n];
    int made, result;

    path[n] = '\0';
    made = sys_mkdir(sys, path, mode);
    path[n] = kept;
    if (made < 0 && made != -EEXIST)
        return made;
    result = sync_parent(sys, path, n);
    /* A directory that we may not read is not one in which we have made anything. */
    if (made == -EEXIST && (result == -EACCES || result == -EPERM))
        return 0;
    return result;
}

/*
 * A new directory is as lost as a new file until its parent is synced. Each level is made only
 * after the names of all above it are durable, so whoever finds the last level knows that of those;
 * its own name may be the work of a process that was killed between mkdir and sync, and is synced
 * again.
 */
int sys_mkdirs(struct weir_sys *sys, const char *path, uint32_t mode)
{
    char level[PATH_MAX];
    struct sys_stat stat;
    size_t length = strlen(path);
    size_t n = 0;
    int result;

    if (length == 0)
        return -ENOENT;
    if (length >= sizeof level)
        return -ENAMETOOLONG;
    memcpy(level, path, length + 1);
    while (length > 1 && level[length - 1] == '/')
        level[--length] = '\0';

    result = sys_stat_path(sys, level, &stat);
    if (result == 0 && stat.kind != SYS_DIRECTORY)
        return -ENOTDIR;
    if (result == 0)
        return make_level(sys, level, length, mode);
    if (result != -ENOENT)
        return result;
    while (n < length) {
        while (level[n] == '/')
            n++;
        while (n < length && level[n] != '/')
            n++;
        result = make_level(sys, level, n, mode);
        if (result < 0)
            return result;
    }
    return 0;
}

int sys_read_file(struct weir_sys *sys, const char *path, size_t limit, char **out, size_t *length)
{
    struct sys_stat stat;
    char *bytes = NULL;
    size_t size = 0;
    size_t room;
    int64_t got;
    int fd = sys_open(sys, path, SYS_READ);
    int result;

    if (fd < 0)
        return fd;
    result = sys_fstat(sys, fd, &stat);
    if (result < 0)
        goto fail;
    result = -EFBIG;
    if (stat.size > limit)
        goto fail;
    /* The size is a hint only: files grow, and those of /proc say 0. Two bytes more: one to see
     * that the end is the end, one for the NUL. */
    room = (size_t)stat.size + 2;
    result = -ENOMEM;
    bytes = malloc(room);
    if (bytes == NULL)
        goto fail;
    while ((got = sys_pread(sys, fd, bytes + size, room - 1 - size, size)) > 0) {
        char *more;

        size += (size_t)got;
        result = -EFBIG;
        if (size > limit)
            goto fail;
        if (size < room - 1)
            continue;
        room = room < limit ? room * 2 : limit + 2;
        result = -ENOMEM;
        more = realloc(bytes, room);
        if (more == NULL)
            goto fail;
        bytes = more;
    }
    result = (int)got;
    if (got < 0)
        goto fail;
    bytes[size] = '\0';
    *out = bytes;
    if (length != NULL)
        *length = size;
    sys_close(sys, fd);
    return 0;

fail:
    free(bytes);
    sys_close(sys, fd);
    return result;
}
