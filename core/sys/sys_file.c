/*
 * sys_file.c - files of the real sys: plain POSIX.
 *
 * O_NONBLOCK on open does nothing to files and keeps a FIFO in an input directory from stopping the
 * caller. Locks are those of open file descriptions: held by the handle, not by the process, so
 * that closing another handle of the same file doesn't lose them, and gone with a dead process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/sys/sys_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int outcome(int result)
{
    return result < 0 ? -errno : 0;
}

int posix_open(struct weir_sys *sys, const char *path, uint32_t flags)
{
    int how = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd;

    (void)sys;
    if ((flags & SYS_WRITE) == 0)
        how |= O_RDONLY;
    else
        how |= (flags & SYS_READ) != 0 ? O_RDWR : O_WRONLY;
    how |= (flags & SYS_CREATE) != 0 ? O_CREAT : 0;
    how |= (flags & SYS_CREATE) != 0 && (flags & SYS_EXCLUSIVE) != 0 ? O_EXCL : 0;
    how |= (flags & SYS_TRUNCATE) != 0 ? O_TRUNC : 0;
    do
        fd = open(path, how, (flags & SYS_PRIVATE) != 0 ? 0600 : 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    if (fd <= 2) { /* standard numbers are taken for streams; we were started without them */
        int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        int error = errno;

        close(fd);
        return higher < 0 ? -error : higher;
    }
    return fd;
}

int64_t posix_pread(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset)
{
    size_t done = 0;

    (void)sys;
    if (offset > INT64_MAX - n)
        return -EINVAL;
    while (done < n) {
        ssize_t got = pread(fd, (char *)buffer + done, n - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return done > 0 ? (int64_t)done : -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

/* An error after a part tells the part; the next call meets the error. */
int64_t posix_pwrite(struct weir_sys *sys, int fd, const void *buffer, size_t n, uint64_t offset)
{
    size_t done = 0;

    (void)sys;
    if (offset > INT64_MAX - n)
        return -EFBIG;
    while (done < n) {
        ssize_t put = pwrite(fd, (const char *)buffer + done, n - done, (off_t)(offset + done));

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return done > 0 ? (int64_t)done : -errno;
        if (put == 0)
            return done > 0 ? (int64_t)done : -ENOSPC;
        done += (size_t)put;
    }
    return (int64_t)done;
}

int posix_sync(struct weir_sys *sys, int fd)
{
    int result;

    (void)sys;
    do
        result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return outcome(result);
}

/* EINVAL: a file system that has no such thing as syncing a directory. */
int posix_sync_dir(struct weir_sys *sys, const char *path)
{
    int fd, result;

    (void)sys;
    do
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    do
        result = fsync(fd);
    while (result < 0 && errno == EINTR);
    result = outcome(result);
    close(fd);
    return result == -EINVAL ? 0 : result;
}

int posix_truncate(struct weir_sys *sys, int fd, uint64_t size)
{
    int result;

    (void)sys;
    if (size > INT64_MAX)
        return -EFBIG;
    do
        result = ftruncate(fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return outcome(result);
}

int posix_rename(struct weir_sys *sys, const char *from, const char *to)
{
    (void)sys;
    return outcome(rename(from, to));
}

int posix_unlink(struct weir_sys *sys, const char *path)
{
    (void)sys;
    return outcome(unlink(path));
}

int posix_mkdir(struct weir_sys *sys, const char *path, uint32_t mode)
{
    (void)sys;
    return outcome(mkdir(path, (mode_t)(mode & 0777)));
}

int posix_rmdir(struct weir_sys *sys, const char *path)
{
    (void)sys;
    return outcome(rmdir(path));
}

static void stat_take(const struct stat *from, struct sys_stat *out)
{
    out->kind = S_ISREG(from->st_mode)   ? SYS_FILE
                : S_ISDIR(from->st_mode) ? SYS_DIRECTORY
                                         : SYS_OTHER;
    out->mode = (uint32_t)from->st_mode & 07777;
    out->uid = from->st_uid;
    out->size = (uint64_t)from->st_size;
    out->mtime_us = (int64_t)from->st_mtim.tv_sec * 1000000 + from->st_mtim.tv_nsec / 1000;
    out->inode = from->st_ino;
    out->device = from->st_dev;
}

int posix_stat(struct weir_sys *sys, const char *path, struct sys_stat *out)
{
    struct stat found;

    (void)sys;
    if (stat(path, &found) < 0)
        return -errno;
    stat_take(&found, out);
    return 0;
}

int posix_fstat(struct weir_sys *sys, int fd, struct sys_stat *out)
{
    struct stat found;

    (void)sys;
    if (fstat(fd, &found) < 0)
        return -errno;
    stat_take(&found, out);
    return 0;
}

struct names {
    char **at;
    size_t n, room;
};

static int names_add(struct names *names, const char *name)
{
    char *copy = strdup(name);

    if (copy == NULL)
        return -ENOMEM;
    if (names->n == names->room) {
        size_t room = names->room > 0 ? names->room * 2 : 64;
        char **more = realloc(names->at, room * sizeof *more);

        if (more == NULL) {
            free(copy);
            return -ENOMEM;
        }
        names->at = more;
        names->room = room;
    }
    names->at[names->n++] = copy;
    return 0;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(struct names *names, const char *path)
{
    DIR *dir = opendir(path);
    int result = 0;

    if (dir == NULL)
        return -errno;
    while (result == 0) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = names_add(names, entry->d_name);
    }
    closedir(dir);
    return result;
}

int posix_list(struct weir_sys *sys, const char *path, sys_entry_fn entry, void *arg)
{
    struct names names = {0};
    int result = names_read(&names, path);

    (void)sys;
    if (names.n > 1)
        qsort(names.at, names.n, sizeof *names.at, name_order);
    for (size_t i = 0; i < names.n; i++) {
        if (result == 0)
            result = entry(arg, names.at[i]);
        free(names.at[i]);
    }
    free(names.at);
    return result;
}

int posix_lock(struct weir_sys *sys, int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)sys;
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}
