/*
 * plugins.h - what `list` and `inspect` share: arguments, registry, names of what descriptors say.
 */
#ifndef WEIR_TOOLS_PLUGINS_H
#define WEIR_TOOLS_PLUGINS_H

#include <jansson.h>

#include "core/load/registry.h"

struct plugins {
    struct registry *registry;
    const char **paths; /* of --plugin-path */
    uint32_t n_paths;
    int json;
    const char *name; /* the argument that is no option; NULL */
};

/* Reads the arguments and opens the registry. 0, or an exit code behind what was said on stderr;
 * -1: `--help` was shown. `wanted`: what the one argument is called, NULL if none is taken. */
int plugins_open(struct plugins *plugins, int argc, char **argv, const char *usage,
                 const char *wanted);
void plugins_close(struct plugins *plugins);

/* {"file", "id", "version", "licence", "sdk", "hash"}; of a refused module without what isn't
 * known. */
json_t *plugins_module_json(const struct module_info *module);
/* Prints on stdout and releases. 0, or 71 without memory, 74 where stdout fails. */
int plugins_print(json_t *json);

/* "org.example.x/name", malloc'ed. */
char *plugins_qualified(const struct component_info *component);

#endif
