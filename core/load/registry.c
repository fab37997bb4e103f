/*
 * registry.c - all modules of the search path, and how a name becomes a component.
 *
 * Creating it walks the search path once. Each "*.so" goes through, until one refuses it:
 *
 *     trusted place (search.c) → known by size, times, inode (cache.c)? done
 *         → bytes read, hashed → known by hash? done → headers (elf.c) → private copy (copy.c)
 *         → probe process (probe.c, look.c) → descriptor checked (descriptor.c) → remembered
 *
 * So a start whose modules are all known costs a few lstat per module and starts no process, and no
 * code of a module runs here before registry_open (open.c). A refusal belongs to its module only.
 *
 * A name is looked up by kind. Earlier directories win, as in PATH; components of the process come
 * before all. Within one directory a name that two modules have is ambiguous, and has to be
 * qualified: "module-id/name".
 *
 * Modules are real files also where `sys` is simulated, for the loader reads them: this folder uses
 * plain POSIX for them, and sys may be NULL.
 */
#include "core/load/registry.h"

#include <stdlib.h>
#include <string.h>

#include "core/job/report.h"
#include "core/load/copy.h"
#include "core/load/descriptor.h"
#include "core/load/elf.h"
#include "core/load/module.h"
#include "core/load/probe.h"
#include "core/load/search.h"

struct registry {
    char *directory; /* private */
    struct module **modules;
    uint32_t n_modules, capacity;
    const struct component_info **components;
    uint32_t n_components;
};

/* What is still to be probed. */
struct pending {
    struct module *module;
    char *copy;
};

struct scan {
    struct registry *registry;
    struct cache *cache;
    struct pending *pending;
    uint32_t n;
    const char *program;
    int no_memory;
};

static void module_free(struct module *module)
{
    if (!module) return;
    json_decref(module->answer);
    json_decref(module->names);
    free(module->block);
    free(module->components);
    free(module->file);
    free(module->real);
    free(module->refusal);
    free(module);
}

static struct module *module_add(struct registry *registry, const char *directory, const char *name,
                                 uint32_t rank)
{
    if (registry->n_modules == registry->capacity) {
        uint32_t more = registry->capacity ? 2 * registry->capacity : 16;
        struct module **grown = realloc(registry->modules, more * sizeof(*grown));
        if (!grown) return NULL;
        registry->modules = grown;
        registry->capacity = more;
    }
    struct module *module = calloc(1, sizeof *module);
    size_t n = strlen(directory) + strlen(name) + 2;
    if (module) module->file = malloc(n);
    if (!module || !module->file) {
        module_free(module);
        return NULL;
    }
    snprintf(module->file, n, "%s%s%s", directory, *name ? "/" : "", name);
    module->rank = rank;
    module->info = (struct module_info){ .file = module->file, .hash = module->hash, .id = "",
                                         .version = "", .licence = "", .sdk = "" };
    registry->modules[registry->n_modules++] = module;
    return module;
}

static void module_refuse(struct module *module, const char *why)
{
    const char *id = *module->info.id ? module->info.id : NULL;
    module->refusal = module_says(module->file, id, module->info.version, why);
    module->info.refusal = module->refusal ? module->refusal : "refused; no memory to say why";
}

static int module_list(struct module *module)
{
    const struct weir_plugin *plugin = &module->declared;
    module->components = calloc(plugin->n_components, sizeof *module->components);
    if (!module->components) return -1;
    for (uint32_t i = 0; i < plugin->n_components; i++) {
        const struct weir_component *c = descriptor_component(plugin, i);
        module->components[i] =
            (struct component_info){ c->name, c->summary, c->kind, &module->info, c };
    }
    module->info.id = plugin->id;
    module->info.version = plugin->version;
    module->info.licence = plugin->licence;
    module->info.sdk = plugin->sdk_version;
    module->info.n_components = plugin->n_components;
    return 0;
}

/* Takes a probe's answer or refusal, from the probe itself or from the cache. */
static void module_take(struct module *module, const json_t *answer)
{
    const json_t *refusal = json_object_get(answer, "refusal");
    char why[512];
    module->answer = json_incref((json_t *)answer);
    if (refusal) {
        const char *id = json_string_value(json_object_get(answer, "id"));
        const char *version = json_string_value(json_object_get(answer, "version"));
        if (id && version) {
            module->info.id = id;
            module->info.version = version;
        }
        module->names = json_incref(json_object_get(answer, "names"));
        module_refuse(module, json_is_string(refusal) ? json_string_value(refusal) : "is refused");
    } else if (descriptor_from_json(answer, &module->declared, &module->block, why,
                                    sizeof why) != 0) {
        module_refuse(module, why);
    } else if (module_list(module) != 0) {
        module_refuse(module, "needs memory; there is none");
    }
}

static int64_t ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void module_pend(struct scan *scan, struct module *module, const char *bytes, size_t n)
{
    char why[512];
    char *copy = copy_path(scan->registry->directory, module->file, module->hash);
    struct pending *grown = realloc(scan->pending, (scan->n + 1) * sizeof *grown);
    if (grown) scan->pending = grown;
    if (!copy || !grown) {
        free(copy);
        scan->no_memory = 1;
        return;
    }
    int result = copy_good(copy, module->hash) ? 0 : copy_write(copy, bytes, n, 0500);
    if (result != 0) {
        snprintf(why, sizeof why, "needs a private copy; %s: %s: make room there or set "
                 "XDG_RUNTIME_DIR", copy, strerror(-result));
        module_refuse(module, why);
        free(copy);
        return;
    }
    scan->pending[scan->n++] = (struct pending){ module, copy };
}

/* A file that is not known by its key. */
static void module_read(struct scan *scan, struct module *module, const struct stat *s)
{
    char *bytes, why[512];
    size_t n;
    if (module_bytes(module->real, s, &bytes, &n, why, sizeof why) != 0) {
        module_refuse(module, why);
        return;
    }
    sha256_hex(bytes, n, module->hash);
    const json_t *answer = cache_find(scan->cache, module->file, &module->key, module->hash);
    json_t *refusal = NULL;
    if (!answer && elf_check(bytes, n, why, sizeof why) != 0)
        answer = refusal = probe_refusal(why, 1);
    if (answer) {
        module_take(module, answer);
        cache_put(scan->cache, module->file, &module->key, module->hash, module->answer);
    } else {
        module_pend(scan, module, bytes, n);
    }
    json_decref(refusal);
    free(bytes);
}

static void module_scan(struct scan *scan, struct module *module)
{
    struct stat s;
    char why[512];
    if (search_trust(module->file, &module->real, &s, why, sizeof why) != 0) {
        module_refuse(module, why);
        return;
    }
    module->key = (struct file_key){ s.st_size, ns(s.st_mtim), ns(s.st_ctim), (int64_t)s.st_ino,
                                     (int64_t)s.st_dev };
    const json_t *answer = cache_find(scan->cache, module->file, &module->key, module->hash);
    if (answer) module_take(module, answer);
    else module_read(scan, module, &s);
}

static void scan_directory(struct scan *scan, const char *directory, uint32_t rank)
{
    char **names;
    uint32_t n;
    if (search_list(directory, &names, &n) != 0) return; /* gone meanwhile, or not readable */
    for (uint32_t i = 0; i < n; i++) {
        struct module *module = module_add(scan->registry, directory, names[i], rank);
        if (module) module_scan(scan, module);
        else scan->no_memory = 1;
    }
    search_list_free(names, n);
}

static void scan_probe(struct scan *scan)
{
    struct probe *probes = scan->n ? calloc(scan->n, sizeof *probes) : NULL;
    if (scan->n && !probes) scan->no_memory = 1;
    for (uint32_t i = 0; probes && i < scan->n; i++) probes[i].file = scan->pending[i].copy;
    if (probes) probe_run(scan->program, probes, scan->n);
    for (uint32_t i = 0; i < scan->n; i++) {
        struct module *module = scan->pending[i].module;
        json_t *answer = !probes ? NULL : probes[i].answer ? probes[i].answer : probes[i].refusal;
        if (!answer) {
            module_refuse(module, "needs memory; there is none");
        } else {
            module_take(module, answer);
            if (!module->info.refusal || json_is_true(json_object_get(answer, "lasting")))
                cache_put(scan->cache, module->file, &module->key, module->hash, answer);
        }
        json_decref(answer);
        free(scan->pending[i].copy);
    }
    free(scan->pending);
    free(probes);
}

static int32_t list_components(struct registry *registry, struct weir_error *error)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < registry->n_modules; i++) n += registry->modules[i]->info.n_components;
    const struct component_info **list = realloc(registry->components, (n + 1) * sizeof(*list));
    if (!list) return weir_fail(error, WEIR_FATAL, "no memory for the list of plugins");
    registry->components = list;
    registry->n_components = 0;
    for (uint32_t i = 0; i < registry->n_modules; i++)
        for (uint32_t k = 0; k < registry->modules[i]->info.n_components; k++)
            list[registry->n_components++] = &registry->modules[i]->components[k];
    return WEIR_OK;
}

int32_t registry_create(struct weir_sys *sys, const struct registry_options *options,
                        struct registry **out, struct weir_error *error)
{
    struct search search = { 0 };
    struct scan scan = { .program = options->probe_program };
    int32_t result;
    (void)sys;
    *out = NULL;
    scan.registry = calloc(1, sizeof *scan.registry);
    if (!scan.registry) return weir_fail(error, WEIR_FATAL, "no memory for the list of plugins");
    result = copy_directory(options->cache_directory, &scan.registry->directory, error);
    if (result == WEIR_OK) result = search_create(options, &search, error);
    if (result != WEIR_OK) goto fail;
    scan.cache = cache_open(scan.registry->directory);
    if (!scan.cache) {
        result = weir_fail(error, WEIR_FATAL, "no memory for the list of plugins");
        goto fail;
    }
    for (uint32_t i = 0; i < search.n; i++) scan_directory(&scan, search.directories[i], i + 1);
    scan_probe(&scan);
    cache_close(scan.cache);
    result = scan.no_memory ? weir_fail(error, WEIR_FATAL, "no memory for the list of plugins")
                            : list_components(scan.registry, error);
    if (result != WEIR_OK) goto fail;
    search_fini(&search);
    *out = scan.registry;
    return WEIR_OK;
fail:
    search_fini(&search);
    registry_destroy(scan.registry);
    return result;
}

void registry_destroy(struct registry *registry)
{
    if (!registry) return;
    for (uint32_t i = 0; i < registry->n_modules; i++) module_free(registry->modules[i]);
    free(registry->modules);
    free(registry->components);
    free(registry->directory);
    free(registry);
}

uint32_t registry_modules(const struct registry *registry)
{
    return registry->n_modules;
}

const struct module_info *registry_module(const struct registry *registry, uint32_t i)
{
    return &registry->modules[i]->info;
}

uint32_t registry_components(const struct registry *registry)
{
    return registry->n_components;
}

const struct component_info *registry_component(const struct registry *registry, uint32_t i)
{
    return registry->components[i];
}

/* ---- names ---- */

struct candidates {
    struct module *module; /* of the first one */
    const struct component_info *first, *second; /* second: it is ambiguous */
};

static int name_is(const struct component_info *info, const char *name)
{
    const char *slash = strchr(name, '/');
    if (!slash) return strcmp(info->name, name) == 0;
    size_t n = (size_t)(slash - name);
    return strcmp(info->name, slash + 1) == 0 && strlen(info->module->id) == n &&
           memcmp(info->module->id, name, n) == 0;
}

static struct candidates find_candidates(const struct registry *registry, uint32_t kind,
                                         const char *name)
{
    struct candidates found = { 0 };
    for (uint32_t i = 0; i < registry->n_modules; i++) {
        struct module *module = registry->modules[i];
        for (uint32_t k = 0; k < module->info.n_components; k++) {
            const struct component_info *info = &module->components[k];
            if (info->kind != kind || !name_is(info, name)) continue;
            if (!found.first || module->rank < found.module->rank) {
                found = (struct candidates){ module, info, NULL };
            } else if (module->rank == found.module->rank && !found.second) {
                found.second = info;
            }
        }
    }
    return found;
}

const struct component_info *registry_find(const struct registry *registry, uint32_t kind,
                                           const char *name)
{
    struct candidates found = find_candidates(registry, kind, name);
    return found.second ? NULL : found.first;
}

uint32_t registry_kinds(void *registry, const char *name)
{
    const struct registry *r = registry;
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < r->n_components; i++)
        if (name_is(r->components[i], name)) kinds |= 1u << r->components[i]->kind;
    return kinds;
}

/* ---- why a name can't be opened ---- */

/* A refused module that is known to have it, or else whose file has the name in its own. */
static const struct module *refused_for(const struct registry *registry, uint32_t kind,
                                        const char *name)
{
    const struct module *guess = NULL;
    const char *slash = strchr(name, '/');
    const char *bare = slash ? slash + 1 : name;
    for (uint32_t i = 0; i < registry->n_modules; i++) {
        const struct module *module = registry->modules[i];
        const json_t *entry;
        size_t k;
        if (!module->info.refusal) continue;
        json_array_foreach(module->names, k, entry) {
            const char *text = json_string_value(entry), *at = text ? strchr(text, '/') : NULL;
            if (at && strncmp(text, kind_name(kind), (size_t)(at - text)) == 0 &&
                strcmp(at + 1, bare) == 0)
                return module;
        }
        const char *file = strrchr(module->file, '/');
        if (*bare && strstr(file ? file : module->file, bare)) guess = module;
    }
    return guess;
}

static const char *nearest(const struct registry *registry, uint32_t kind, const char *name)
{
    const char **names = calloc(registry->n_components + 1, sizeof(*names));
    const char *result;
    uint32_t n = 0;
    if (!names) return NULL;
    for (uint32_t i = 0; i < registry->n_components; i++)
        if (registry->components[i]->kind == kind) names[n++] = registry->components[i]->name;
    result = nearest_name(name, names, n);
    free(names);
    return result;
}

/* The modules that were refused, any of which may have it: as many as the text of an error holds,
 * the first in any case. */
static void name_refused(const struct registry *registry, char *text, size_t size)
{
    const size_t room = size - sizeof "; and 4294967295 more";
    uint32_t left = 0;
    size_t n = strlen(text);
    int shown = 0;
    for (uint32_t i = 0; i < registry->n_modules; i++) {
        const char *refusal = registry->modules[i]->info.refusal;
        if (!refusal) continue;
        if (shown && n + strlen(refusal) + 2 > room) {
            left++;
            continue;
        }
        snprintf(text + n, room - n, "; %s%s", shown ? "" : "refused: ", refusal);
        n += strlen(text + n);
        shown = 1;
    }
    if (left) snprintf(text + n, size - n, "; and %u more", left);
}

static int32_t fail_unknown(struct registry *registry, uint32_t kind, const char *name,
                            struct weir_error *error)
{
    const struct module *refused = refused_for(registry, kind, name);
    const char *other = nearest(registry, kind, name), *what = kind_name(kind);
    uint32_t kinds = registry_kinds(registry, name);
    if (refused)
        return weir_fail(error, WEIR_CONFIG, "no %s `%s`: %s", what, name, refused->info.refusal);
    for (uint32_t k = WEIR_KIND_SOURCE; k <= WEIR_KIND_AGGREGATE; k++)
        if (kinds & 1u << k)
            return weir_fail(error, WEIR_CONFIG, "no %s `%s`: its kind is %s", what, name,
                             kind_name(k));
    char text[sizeof error->text];
    if (other)
        snprintf(text, sizeof text, "no %s `%.120s`: did you mean `%s`? (`weir list` shows all)",
                 what, name, other);
    else
        snprintf(text, sizeof text, "no %s `%.120s`: install the plugin that has it or give its "
                 "directory by --plugin-path (`weir list` shows all)", what, name);
    name_refused(registry, text, sizeof text);
    return weir_fail(error, WEIR_CONFIG, "%s", text);
}

static int32_t fail_ambiguous(const struct candidates *found, const char *name,
                              struct weir_error *error)
{
    const struct module_info *a = found->first->module, *b = found->second->module;
    if (strcmp(a->id, b->id) == 0)
        return weir_fail(error, WEIR_CONFIG, "the %s `%s` is in two files of the same module %s, "
                         "%s and %s: remove one", kind_name(found->first->kind), name, a->id,
                         a->file, b->file);
    return weir_fail(error, WEIR_CONFIG, "the %s `%s` is in two modules of one directory: say "
                     "`%s/%s` (%s) or `%s/%s` (%s)", kind_name(found->first->kind), name, a->id,
                     found->first->name, a->file, b->id, found->second->name, b->file);
}

int32_t registry_open(struct registry *registry, uint32_t kind, const char *name,
                      const struct weir_component **out, struct weir_error *error)
{
    *out = NULL;
    if (!kind_name(kind)) return weir_fail(error, WEIR_CONFIG, "no kind of plugin is %u", kind);
    struct candidates found = find_candidates(registry, kind, name);
    if (!found.first) return fail_unknown(registry, kind, name, error);
    if (found.second) return fail_ambiguous(&found, name, error);
    int32_t result = module_open(found.module, registry->directory, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < found.module->opened->n; i++) {
        const struct weir_component *c = &found.module->opened->components[i];
        if (c->kind == kind && strcmp(c->name, found.first->name) == 0) *out = c;
    }
    return *out ? WEIR_OK : weir_fail(error, WEIR_FATAL, "%s has lost its %s `%s`",
                                      found.module->file, kind_name(kind), name);
}

int32_t registry_add(struct registry *registry, const struct weir_plugin *plugin,
                     struct weir_error *error)
{
    struct module *module = module_add(registry, "", "", 0);
    if (!module) return weir_fail(error, WEIR_FATAL, "no memory for plugin %s", plugin->id);
    int32_t result = module_adopt(module, plugin, error);
    if (result == WEIR_OK && module_list(module) != 0)
        result = weir_fail(error, WEIR_FATAL, "no memory for plugin %s", plugin->id);
    for (uint32_t i = 0; result == WEIR_OK && i < module->info.n_components; i++) {
        const struct component_info *info = &module->components[i];
        struct candidates found = find_candidates(registry, info->kind, info->name);
        if (found.second)
            result = weir_fail(error, WEIR_CONFIG, "the process has two %ss `%s`",
                               kind_name(info->kind), info->name);
    }
    if (result == WEIR_OK) result = list_components(registry, error);
    if (result == WEIR_OK) return WEIR_OK;
    registry->n_modules--;
    module_free(module);
    return result;
}

const char *registry_hash(const struct registry *registry, const struct weir_component *component)
{
    for (uint32_t i = 0; i < registry->n_modules; i++) {
        const struct opened *opened = registry->modules[i]->opened;
        for (uint32_t k = 0; opened && k < opened->n; k++)
            if (&opened->components[k] == component) return opened->hash;
    }
    return "";
}
