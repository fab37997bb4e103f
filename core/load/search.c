/*
 * search.c - the search path, and which places in it are trusted.
 *
 * What is loaded runs with all rights of weir, so it must not be possible for others to put it
 * there. A path is trusted when, for each of its prefixes from / to the file itself,
 *
 *  1. the entry is owned by root or by the user of this process;
 *  2. a directory or file is not writable for group and others, save for a sticky directory such as
 *     /tmp: there others can add entries, but not replace one that rule 1 accepted;
 *  3. where an entry is a symbolic link, rule 1 holds for the link, and the path without links at
 *     which it ends keeps the same rules from / on.
 *
 * The file that is opened afterwards is the one of the resolved path, with O_NOFOLLOW.
 */
#define _GNU_SOURCE
#include "core/load/search.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/load/why.h"

#ifndef PLUGINDIR
#define PLUGINDIR "/usr/local/lib/weir/1"
#endif

#define MAX_DIRECTORIES 1024u
#define MAX_MODULES 4096u /* of one directory */

/* Adds a pair, which becomes the search's on success. */
static int32_t add_pair(struct search *search, char *given, char *real, struct weir_error *error)
{
    if (search->n >= MAX_DIRECTORIES)
        return weir_fail(error, WEIR_CONFIG, "the plugin path has over %u directories",
                         MAX_DIRECTORIES);
    char **givens = realloc(search->directories, (search->n + 1) * sizeof *givens);
    if (givens) search->directories = givens;
    char **reals = realloc(search->reals, (search->n + 1) * sizeof *reals);
    if (reals) search->reals = reals;
    if (!givens || !reals || !given)
        return weir_fail(error, WEIR_FATAL, "no memory for the plugin path");
    givens[search->n] = given;
    reals[search->n++] = real;
    return WEIR_OK;
}

static int32_t add_directory(struct search *search, const char *path, int named,
                             struct weir_error *error)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM)
        return weir_fail(error, WEIR_FATAL, "no memory for the plugin path");
    if (!real && named)
        return weir_fail(error, WEIR_CONFIG, "plugin path %s: %s: name a directory with modules",
                         path, strerror(errno));
    if (!real) return WEIR_OK;
    for (uint32_t i = 0; i < search->n; i++)
        if (strcmp(search->reals[i], real) == 0) {
            free(real);
            return WEIR_OK;
        }
    char *given = strdup(path[0] == '/' ? path : real);
    int32_t result = add_pair(search, given, real, error);
    if (result == WEIR_OK) return WEIR_OK;
    free(given);
    free(real);
    return result;
}

static int32_t add_list(struct search *search, const char *list, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    char *copy = list ? strdup(list) : NULL, *rest = copy, *word;
    if (list && !copy) return weir_fail(error, WEIR_FATAL, "no memory for the plugin path");
    while (result == WEIR_OK && (word = strsep(&rest, ":")) != NULL)
        if (*word) result = add_directory(search, word, 0, error);
    free(copy);
    return result;
}

static int32_t add_user(struct search *search, struct weir_error *error)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    int n = -1;
    if (data && *data == '/') n = snprintf(path, sizeof path, "%s/weir/plugins", data);
    else if (home && *home == '/')
        n = snprintf(path, sizeof path, "%s/.local/share/weir/plugins", home);
    if (n < 0 || (size_t)n >= sizeof path) return WEIR_OK;
    return add_directory(search, path, 0, error);
}

int32_t search_create(const struct registry_options *options, struct search *out,
                      struct weir_error *error)
{
    int32_t result = WEIR_OK;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < options->n_paths && result == WEIR_OK; i++)
        result = add_directory(out, options->paths[i], 1, error);
    if (result == WEIR_OK) result = add_list(out, getenv("WEIR_PLUGIN_PATH"), error);
    if (result == WEIR_OK && !options->no_user_directories) {
        result = add_user(out, error);
        if (result == WEIR_OK) result = add_directory(out, PLUGINDIR, 0, error);
    }
    if (result != WEIR_OK) search_fini(out);
    return result;
}

void search_fini(struct search *search)
{
    for (uint32_t i = 0; i < search->n; i++) {
        free(search->directories[i]);
        free(search->reals[i]);
    }
    free(search->directories);
    free(search->reals);
    memset(search, 0, sizeof *search);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int is_module_name(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && n > 3 && strcmp(name + n - 3, ".so") == 0;
}

int search_list(const char *directory, char ***names, uint32_t *n)
{
    struct dirent *entry;
    DIR *stream = opendir(directory);
    *names = NULL;
    *n = 0;
    if (!stream) return -1;
    while (*n < MAX_MODULES && (entry = readdir(stream)) != NULL) {
        if (!is_module_name(entry->d_name)) continue;
        char **grown = realloc(*names, (*n + 1) * sizeof *grown);
        char *name = grown ? strdup(entry->d_name) : NULL;
        if (grown) *names = grown;
        if (!name) {
            closedir(stream);
            search_list_free(*names, *n);
            *names = NULL;
            *n = 0;
            errno = ENOMEM;
            return -1;
        }
        (*names)[(*n)++] = name;
    }
    closedir(stream);
    if (*n) qsort(*names, *n, sizeof **names, compare_names);
    return 0;
}

void search_list_free(char **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) free(names[i]);
    free(names);
}

static int trust_entry(const char *path, const struct stat *s, char *why, size_t size)
{
    const char *what = S_ISDIR(s->st_mode) ? "the directory" : "the file";
    if (s->st_uid != 0 && s->st_uid != geteuid())
        return refuse("needs to be changeable by root and you alone; %s %s is owned by user %u: "
                      "chown it, or take it out of the plugin path", what, path,
                      (unsigned)s->st_uid);
    if (S_ISLNK(s->st_mode) || (S_ISDIR(s->st_mode) && s->st_mode & S_ISVTX)) return 0;
    if (s->st_mode & (S_IWGRP | S_IWOTH))
        return refuse("needs to be changeable by root and you alone; %s %s has mode %04o: "
                      "chmod go-w it", what, path, (unsigned)s->st_mode & 07777);
    return 0;
}

/* Rules 1 and 2 for all prefixes of an absolute path. */
static int trust_chain(const char *path, struct stat *status, char *why, size_t size)
{
    char prefix[PATH_MAX];
    size_t n = strlen(path);
    if (path[0] != '/' || n >= sizeof prefix) return refuse("needs a shorter, absolute path");
    memcpy(prefix, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (i > 1 && i < n && path[i] != '/') continue;
        prefix[i] = 0; /* "/" where i is 1 */
        if (lstat(prefix, status) != 0)
            return refuse("needs to be readable; %s: %s: mend it or take it out of the directory",
                          prefix, strerror(errno));
        if (trust_entry(prefix, status, why, size) != 0) return -1;
        prefix[i] = path[i];
    }
    return 0;
}

int search_trust(const char *path, char **real, struct stat *status, char *why, size_t size)
{
    *real = NULL;
    if (trust_chain(path, status, why, size) != 0) return -1;
    *real = realpath(path, NULL);
    if (!*real)
        return refuse("needs to lead to a file; %s: %s: mend the link or remove it", path,
                      strerror(errno));
    if (strcmp(*real, path) == 0) return 0;
    if (trust_chain(*real, status, why, size) == 0) return 0;
    free(*real);
    *real = NULL;
    return -1;
}
