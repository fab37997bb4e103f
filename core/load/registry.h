/*
 * registry.h - modules: where they are searched, how they are looked at, opened and found by name.
 *
 * Search path, first wins: --plugin-path and the job's `plugins`, WEIR_PLUGIN_PATH, the user's
 * directory ($XDG_DATA_HOME or ~/.local/share)/weir/plugins, the prefix (PLUGINDIR). A module is
 * looked at in a process of its own (`weir --probe FILE`), and only what is named by the job is
 * opened here: from a private copy named by its content hash, by dlopen(NOW|LOCAL|NODELETE) and
 * then libltdl. All [control].
 */
#ifndef WEIR_CORE_REGISTRY_H
#define WEIR_CORE_REGISTRY_H

#include <weir/plugin.h>

#include "core/sys/sys.h"

struct registry;
struct module;

struct registry_options {
    const char *const *paths; /* extra directories, searched first */
    uint32_t n_paths;
    const char *probe_program; /* path of the weir binary; NULL: /proc/self/exe */
    const char *cache_directory; /* private copies and probe cache, mode 0700; NULL: in
                                    $XDG_RUNTIME_DIR or /tmp */
    int no_user_directories;     /* tests */
};

/* A module that was found, whether it can be used or not. */
struct module_info {
    const char *file;
    const char *hash;    /* sha256, hex; "" if it could not be read */
    const char *id, *version, *licence, *sdk;
    const char *refusal; /* NULL: usable; else why not, with need, have, remedy */
    uint32_t n_components;
};

/* A component as the descriptor declares it (copied out of the probe: no code of the module has run
 * here). */
struct component_info {
    const char *name, *summary;
    uint32_t kind;
    const struct module_info *module;
    const struct weir_component *declared; /* table NULL: not opened */
};

/* Searches and probes (cached by path, size, mtime, hash). OK even where modules were refused. sys
 * may be NULL: modules are real files also where sys is simulated. */
int32_t registry_create(struct weir_sys *sys, const struct registry_options *options,
                        struct registry **out, struct weir_error *error);
void registry_destroy(struct registry *registry); /* modules stay loaded */
uint32_t registry_modules(const struct registry *registry);
const struct module_info *registry_module(const struct registry *registry, uint32_t i);
uint32_t registry_components(const struct registry *registry);
const struct component_info *registry_component(const struct registry *registry, uint32_t i);
/* By kind and name, "name" or "module-id/name"; NULL if there is none. Does not open it. */
const struct component_info *registry_find(const struct registry *registry, uint32_t kind,
                                           const char *name);
/* Opens the module if need be; *out is valid for ever, its table whole (missing tail: stubs).
 * CONFIG with file, plugin, need, have, remedy in the text; for an unknown name with the nearest
 * known one. */
int32_t registry_open(struct registry *registry, uint32_t kind, const char *name,
                      const struct weir_component **out, struct weir_error *error);
/* Adds components of the process itself (tests, the harness). The descriptor must live for ever. */
int32_t registry_add(struct registry *registry, const struct weir_plugin *plugin,
                     struct weir_error *error);
/* sha256 of the module that a component was opened from; "" for components of the process. */
const char *registry_hash(const struct registry *registry, const struct weir_component *component);
/* Bits 1 << kind of all components of this name (job_kinds_fn with arg = registry). */
uint32_t registry_kinds(void *registry, const char *name);

/* The probe process: loads FILE and writes its descriptor as JSON on stdout; exit status 0, or 1
 * with the reason as {"refusal": "..."}. */
int registry_probe_main(const char *file);

#endif
