/*
 * copy.c - private copies: what was looked at is what is opened.
 *
 *  1. The directory belongs to this user with mode 0700, so nobody else can change a copy between
 *     its check and its use, and replacing or overwriting the original does not touch a process
 *     that runs from the copy (overwriting a mapped file would end it with SIGBUS).
 *  2. A copy's name holds the SHA-256 of its bytes: another content is another file, and so another
 *     module for the loader, even where the original kept its name. The loader compares device and
 *     inode, hence a copy that is already there is used again and never replaced.
 *  3. A copy appears by rename, and its hash is computed again before it is opened.
 */
#define _GNU_SOURCE
#include "core/load/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/load/why.h"

static int read_all(int fd, char *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, bytes + done, n - done, (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) return -ENODATA;
        done += (size_t)got;
    }
    return 0;
}

int module_bytes(const char *real, const struct stat *expected, char **bytes, size_t *n, char *why,
              size_t size)
{
    struct stat s;
    int fd = open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), result = -1;
    *bytes = NULL;
    *n = 0;
    if (fd < 0)
        return refuse("needs to be readable; %s: chmod it or take it out of the directory",
                      strerror(errno));
    if (fstat(fd, &s) != 0 || s.st_dev != expected->st_dev || s.st_ino != expected->st_ino) {
        refuse("needs to stay as it is while weir looks at it; it was replaced: start again");
    } else if (!S_ISREG(s.st_mode)) {
        refuse("needs to be a plain file; it is not: take it out of the directory");
    } else if (s.st_size > (off_t)MODULE_MAX_BYTES) {
        refuse("needs to have at most %u MiB; it has %lld: link it without debug information",
               MODULE_MAX_BYTES >> 20, (long long)s.st_size >> 20);
    } else if (!(*bytes = malloc((size_t)s.st_size + 1))) {
        refuse("needs memory; there is none");
    } else {
        int r = read_all(fd, *bytes, (size_t)s.st_size);
        if (r != 0)
            refuse("needs to be readable; %s: copy it again", strerror(-r));
        else
            result = 0;
        *n = (size_t)s.st_size;
    }
    close(fd);
    if (result != 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return result;
}

int32_t copy_directory(const char *wanted, char **out, struct weir_error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat s;
    int n;
    *out = NULL;
    if (wanted) n = asprintf(out, "%s", wanted);
    else if (runtime && *runtime == '/') n = asprintf(out, "%s/weir", runtime);
    else n = asprintf(out, "/tmp/weir-%u", (unsigned)geteuid());
    if (n < 0) {
        *out = NULL;
        return weir_fail(error, WEIR_FATAL, "no memory for the plugin cache");
    }
    if (mkdir(*out, 0700) != 0 && errno != EEXIST) {
        weir_fail(error, WEIR_CONFIG, "the plugin cache %s can't be made: %s: set XDG_RUNTIME_DIR "
                  "to a directory of yours", *out, strerror(errno));
    } else if (lstat(*out, &s) != 0 || !S_ISDIR(s.st_mode) || s.st_uid != geteuid() ||
               s.st_mode & 077) {
        weir_fail(error, WEIR_CONFIG, "the plugin cache %s needs to be a directory of user %u with "
                  "mode 0700; it is not: remove it or set XDG_RUNTIME_DIR", *out,
                  (unsigned)geteuid());
    } else {
        return WEIR_OK;
    }
    free(*out);
    *out = NULL;
    return WEIR_CONFIG;
}

char *copy_path(const char *directory, const char *file, const char hash[SHA256_HEX])
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    char word[64], *path;
    size_t n = 0;
    for (; *name && strcmp(name, ".so") != 0 && n < sizeof word - 1; name++) {
        int plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                    (*name >= '0' && *name <= '9') || *name == '_';
        word[n++] = plain ? *name : '_';
    }
    word[n] = 0;
    return asprintf(&path, "%s/%s-%s.so", directory, word, hash) < 0 ? NULL : path;
}

int copy_good(const char *path, const char hash[SHA256_HEX])
{
    struct stat s;
    char *bytes, why[256], actual[SHA256_HEX];
    size_t n;
    if (lstat(path, &s) != 0 || !S_ISREG(s.st_mode) || s.st_uid != geteuid()) return 0;
    if (module_bytes(path, &s, &bytes, &n, why, sizeof why) != 0) return 0;
    sha256_hex(bytes, n, actual);
    free(bytes);
    return strcmp(actual, hash) == 0;
}

int copy_write(const char *path, const void *bytes, size_t n, uint32_t mode)
{
    char *other;
    int result = 0;
    if (asprintf(&other, "%s.%ld", path, (long)getpid()) < 0) return -ENOMEM;
    unlink(other);
    int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) result = -errno;
    for (size_t done = 0; result == 0 && done < n;) {
        ssize_t put = write(fd, (const char *)bytes + done, n - done);
        if (put >= 0) done += (size_t)put;
        else if (errno != EINTR) result = -errno;
    }
    if (result == 0 && fchmod(fd, mode) != 0) result = -errno;
    if (fd >= 0 && close(fd) != 0 && result == 0) result = -errno;
    if (result == 0 && rename(other, path) != 0) result = -errno;
    if (result != 0) unlink(other);
    free(other);
    return result;
}
