/*
 * search.h - where modules are looked for, and whether a place can be trusted.
 */
#ifndef WEIR_CORE_SEARCH_H
#define WEIR_CORE_SEARCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/load/registry.h"

/* Directories in the order in which they are searched; absolute, none twice. */
struct search {
    char **directories; /* as given, so that links in them are judged too and messages show them */
    char **reals;       /* without links */
    uint32_t n;
};

/* A directory of `options` that isn't there is CONFIG; others that aren't there are left out. */
int32_t search_create(const struct registry_options *options, struct search *out,
                      struct weir_error *error);
void search_fini(struct search *search);

/* Names of a directory that may be modules ("*.so"), sorted; *names and each of them malloc'ed. 0,
 * or -1 with errno. */
int search_list(const char *directory, char ***names, uint32_t *n);
void search_list_free(char **names, uint32_t n);

/* Whether nobody but root and this user can change what `path` (absolute) leads to: see search.c.
 * *real is its malloc'ed path without links, *status of the file. 0; -1 with "needs …; …: …" in
 * `why`. */
int search_trust(const char *path, char **real, struct stat *status, char *why, size_t size);

#endif
