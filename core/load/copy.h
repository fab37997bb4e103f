/*
 * copy.h - the private directory, and the copies of modules in it.
 */
#ifndef WEIR_CORE_COPY_H
#define WEIR_CORE_COPY_H

#include <sys/stat.h>

#include "base/sha256.h"
#include "core/load/registry.h"

#define MODULE_MAX_BYTES (256u << 20)

/* The whole of a file whose path has no links (search_trust), malloc'ed. 0; -1 with "needs …" in
 * `why`, also where it is not the file of `expected` any more. [control] */
int module_bytes(const char *real, const struct stat *expected, char **bytes, size_t *n, char *why,
              size_t size);

/* The private directory: `wanted` or the default; made if need be, malloc'ed. CONFIG where another
 * user could change it. [control] */
int32_t copy_directory(const char *wanted, char **out, struct weir_error *error);

/* "DIRECTORY/name-hash.so", malloc'ed; NULL without memory. `file` gives the name. */
char *copy_path(const char *directory, const char *file, const char hash[SHA256_HEX]);
/* 1 if the copy is there and its bytes have this hash. */
int copy_good(const char *path, const char hash[SHA256_HEX]);
/* Writes the copy, under another name first, so that it is whole or not there. 0 or negative
 * errno. */
int copy_write(const char *path, const void *bytes, size_t n, uint32_t mode);

#endif
