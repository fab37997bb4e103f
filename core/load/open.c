/*
 * open.c - loading a module into this process, for ever.
 *
 *  1. What is opened is the private copy, whose hash is computed again. If it is gone it is made
 *     anew, provided that the original still has the bytes that were looked at.
 *  2. dlopen(NOW | LOCAL | NODELETE) comes first: it resolves everything at once and its error is
 *     the true one. libltdl then opens the same object again; it alone would bind lazily and report
 *     every failure as "file not found".
 *  3. The entry function is called once. Its descriptor is checked once more and must have the
 *     components that the probe saw: a module that answers differently in another process is not
 *     trusted.
 *  4. The components handed out are copies with whole tables (tables.c). They live for ever, as the
 *     code does, in a list by content hash, so a second registry of the process gets the same ones.
 *
 * libltdl and that list belong to the control thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/load/context.h"
#include "core/load/copy.h"
#include "core/load/descriptor.h"
#include "core/load/module.h"
#include "core/load/why.h"

static struct opened *all_opened;

char *module_says(const char *file, const char *id, const char *version, const char *why)
{
    char *text;
    int n = id ? asprintf(&text, "%s (%s %s) %s", file, id, version ? version : "", why)
               : asprintf(&text, "%s %s", file, why);
    if (n < 0) return NULL;
    for (char *p = text; *p; p++) /* some of it comes from the module */
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    return text;
}

static int make_copy(const struct module *module, const char *path, char *why, size_t size)
{
    struct stat s;
    char *bytes, hash[SHA256_HEX];
    size_t n;
    if (copy_good(path, module->hash)) return 0;
    if (lstat(module->real, &s) != 0)
        return refuse("needs to be readable; %s: install it again", strerror(errno));
    if (module_bytes(module->real, &s, &bytes, &n, why, size) != 0) return -1;
    sha256_hex(bytes, n, hash);
    int result = strcmp(hash, module->hash) == 0 ? copy_write(path, bytes, n, 0500) : 1;
    free(bytes);
    if (result == 0) return 0;
    if (result > 0)
        return refuse("needs to stay as it was when weir looked at it; its bytes are others now: "
                      "start again");
    return refuse("needs a private copy; %s: %s: make room there or set XDG_RUNTIME_DIR", path,
                  strerror(-result));
}

/* The entry function, by both loaders. */
static int find_entry(const char *path, weir_plugin_entry_fn *entry, char *why, size_t size)
{
    static int ready;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return refuse("needs to be loadable; the loader says: %s: build or install it for this "
                      "system", dlerror());
    if (!ready && lt_dlinit() != 0)
        return refuse("needs libltdl; it says: %s: install it again", lt_dlerror());
    ready = 1;
    lt_dlhandle again = lt_dlopenext(path);
    if (!again)
        return refuse("needs to be loadable; libltdl says: %s: install libltdl again",
                      lt_dlerror());
    lt_dlmakeresident(again);
    void *symbol = lt_dlsym(again, WEIR_PLUGIN_ENTRY);
    if (!symbol || symbol != dlsym(handle, WEIR_PLUGIN_ENTRY))
        return refuse("needs " WEIR_PLUGIN_ENTRY "; the loader does not find it: build it again");
    memcpy(entry, &symbol, sizeof *entry);
    return 0;
}

static int same_components(const struct weir_plugin *a, const struct weir_plugin *b)
{
    if (strcmp(a->id, b->id) != 0 || strcmp(a->version, b->version) != 0 ||
        a->n_components != b->n_components)
        return 0;
    for (uint32_t i = 0; i < a->n_components; i++) {
        const struct weir_component *x = descriptor_component(a, i);
        const struct weir_component *y = descriptor_component(b, i);
        if (x->kind != y->kind || strcmp(x->name, y->name) != 0 || x->level != y->level ||
            x->capabilities != y->capabilities || x->n_options != y->n_options)
            return 0;
    }
    return 1;
}

static int load(struct module *module, const char *path, struct opened *opened, char *why,
                size_t size)
{
    struct weir_error error = WEIR_ERROR_INIT;
    weir_plugin_entry_fn entry = NULL;
    if (find_entry(path, &entry, why, size) != 0) return -1;
    const struct weir_plugin *plugin = entry(&weir_host_1, &error);
    error.text[sizeof error.text - 1] = 0;
    if (!plugin)
        return refuse("needs what its entry function asks for; it says: %.300s: do as it says or "
                      "take it out of the directory", error.text[0] ? error.text : "nothing");
    if (descriptor_check(plugin, 1, why, size) != 0) return -1;
    if (!same_components(plugin, &module->declared))
        return refuse("needs to describe itself the same way each time; its descriptor differs "
                      "from the one that was looked at: ask its maker for another version");
    opened->components = descriptor_copy(plugin, why, size);
    opened->n = plugin->n_components;
    return opened->components ? 0 : -1;
}

static void keep(struct module *module, struct opened *opened)
{
    memcpy(opened->hash, module->hash, sizeof opened->hash);
    opened->next = all_opened;
    all_opened = opened;
    module->opened = opened;
}

int32_t module_open(struct module *module, const char *directory, struct weir_error *error)
{
    char why[512], *path = NULL;
    if (module->opened) return WEIR_OK;
    for (struct opened *o = all_opened; o; o = o->next)
        if (o->hash[0] && strcmp(o->hash, module->hash) == 0) {
            module->opened = o;
            return WEIR_OK;
        }
    struct opened *opened = calloc(1, sizeof *opened);
    path = copy_path(directory, module->file, module->hash);
    if (!opened || !path) {
        free(opened);
        free(path);
        return weir_fail(error, WEIR_FATAL, "no memory to open %s", module->file);
    }
    if (make_copy(module, path, why, sizeof why) == 0 &&
        load(module, path, opened, why, sizeof why) == 0) {
        keep(module, opened);
    } else {
        char *text = module_says(module->file, module->info.id, module->info.version, why);
        weir_fail(error, WEIR_CONFIG, "%s", text ? text : why);
        free(text);
        free(opened);
    }
    free(path);
    return module->opened ? WEIR_OK : WEIR_CONFIG;
}

int32_t module_adopt(struct module *module, const struct weir_plugin *plugin,
                     struct weir_error *error)
{
    char why[512];
    if (descriptor_check(plugin, 1, why, sizeof why) != 0)
        return weir_fail(error, WEIR_CONFIG, "a plugin of this process %s", why);
    struct opened *opened = calloc(1, sizeof *opened);
    if (!opened) return weir_fail(error, WEIR_FATAL, "no memory for plugin %s", plugin->id);
    opened->components = descriptor_copy(plugin, why, sizeof why);
    opened->n = plugin->n_components;
    if (!opened->components) {
        free(opened);
        return weir_fail(error, WEIR_CONFIG, "a plugin of this process %s", why);
    }
    keep(module, opened);
    module->declared = *plugin;
    module->declared.components = opened->components;
    module->declared.component_size = sizeof *opened->components;
    return WEIR_OK;
}
