/*
 * module.h - a module as the registry keeps it; inside load/ only.
 */
#ifndef WEIR_CORE_MODULE_H
#define WEIR_CORE_MODULE_H

#include <jansson.h>

#include "core/load/registry.h"
#include "base/sha256.h"

/* By which a file is known again without reading it. Nanoseconds since the epoch. */
struct file_key {
    int64_t size, mtime, ctime, inode, device;
};

/* A module that is loaded in this process, for ever. */
struct opened {
    struct opened *next;
    char hash[SHA256_HEX];
    struct weir_component *components; /* whole */
    uint32_t n;
};

struct module {
    struct module_info info; /* texts are this module's */
    uint32_t rank;           /* 0: of the process; then the directories, first 1 */
    char *file, *real;       /* as found; without links. NULL for the process */
    struct file_key key;
    char hash[SHA256_HEX];
    char *refusal;
    json_t *answer;              /* owner of the descriptor's texts */
    json_t *names;               /* "kind/name" of a refused module, as far as known */
    struct weir_plugin declared; /* without tables; zero where refused */
    void *block;
    struct component_info *components;
    struct opened *opened;
};

/* ---- cache.c: what earlier probes said ---- */

struct cache;

/* Reads the cache of a private directory; a damaged or foreign one is empty. NULL without
 * memory. */
struct cache *cache_open(const char *directory);
/* The answer for a file, borrowed, and its hash; NULL if unknown. With `hash` "" by the key
 * alone. */
const json_t *cache_find(const struct cache *cache, const char *file, const struct file_key *key,
                         char hash[SHA256_HEX]);
/* `answer` is a descriptor, or an object with a member "refusal". */
void cache_put(struct cache *cache, const char *file, const struct file_key *key,
               const char hash[SHA256_HEX], const json_t *answer);
/* Writes what was put; errors are ignored, the next start is slower then. NULL is allowed. */
void cache_close(struct cache *cache);

/* ---- open.c ---- */

/* Loads the module from its private copy. CONFIG with file, plugin, need, have, remedy. */
int32_t module_open(struct module *module, const char *directory, struct weir_error *error);
/* Keeps a descriptor of the process. CONFIG; FATAL. */
int32_t module_adopt(struct module *module, const struct weir_plugin *plugin,
                     struct weir_error *error);

/* "FILE (id version) needs …", malloc'ed; NULL without memory. id may be NULL. */
char *module_says(const char *file, const char *id, const char *version, const char *why);

#endif
