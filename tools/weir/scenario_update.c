#define _GNU_SOURCE
#include "tools/weir/scenario_update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The column (from 0) of a byte, in bytes. */
static size_t column_of(const struct scenario *s, size_t at)
{
    size_t start = at;
    while (start > 0 && s->text[start - 1] != '\n') start--;
    return at - start;
}

/* The update whose value stands first behind `from`; NULL: none is left. */
static const struct play_update *next_update(const struct scenario *s, const struct play *play,
                                             size_t from, size_t *begin, size_t *end)
{
    const struct play_update *found = NULL;
    for (uint32_t i = 0; i < play->n_updates; i++) {
        size_t at, until;
        if (scenario_extent(s, play->updates[i].path, &at, &until) != 0 || at < from) continue;
        if (found && at >= *begin) continue;
        found = &play->updates[i];
        *begin = at;
        *end = until;
    }
    return found;
}

/* Writes a file beside `path` and puts it in its place: whatever happens, there is the old text or the new one. */
static int put_in_place(const char *path, const char *text, size_t n)
{
    struct stat old;
    char *beside = NULL;
    int failed = stat(path, &old) != 0 || asprintf(&beside, "%s.XXXXXX", path) < 0;
    int fd = failed ? -1 : mkstemp(beside);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        if (fd >= 0) close(fd), unlink(beside);
        if (!failed) free(beside);
        return -1;
    }
    failed = fwrite(text, 1, n, file) != n || fflush(file) != 0 || fsync(fd) != 0 ||
             fchmod(fd, old.st_mode & 07777) != 0;
    if (fclose(file) != 0) failed = 1;
    if (!failed && rename(beside, path) != 0) failed = 1;
    const int why = errno;
    if (failed) unlink(beside);
    errno = why;
    free(beside);
    return failed ? -1 : 0;
}

/* The same for what a link leads to. */
static int replace_file(const char *file, const char *text, size_t n)
{
    char *path = realpath(file, NULL);
    int result = path ? put_in_place(path, text, n) : -1;
    free(path);
    return result;
}

int scenario_update(const struct scenario *s, const struct play *play)
{
    const struct play_update *update;
    size_t at = 0, begin = 0, end = 0, n;
    char *text = NULL;
    FILE *to = open_memstream(&text, &n);
    if (!to) return -1;
    while ((update = next_update(s, play, at, &begin, &end)) != NULL) {
        fwrite(s->text + at, 1, begin - at, to);
        if (json_is_array(update->value)) rows_put(to, update->value, column_of(s, begin) + 1);
        else value_put(to, update->value, 0);
        at = end;
    }
    fwrite(s->text + at, 1, s->length - at, to);
    int failed = fclose(to) != 0 || !text || replace_file(s->file, text, n) != 0;
    if (failed) fprintf(stderr, "weir test: %s can't be written: %s\n", s->file, strerror(errno));
    free(text);
    return failed ? -1 : 0;
}
