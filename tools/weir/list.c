/*
 * list.c - `weir list`: all components that a job can name, and the modules that were refused.
 *
 * Order: kind (as data flows), name, then the order of the search path. With --json:
 *
 *     {"components": [{"kind", "name", "qualified", "summary", "usable", "module": {…}}],
 *      "modules": [{"file", …, "components": n, "refusal": text or null}]}
 *
 * usable: the short name leads to this one; false where an earlier directory has it, or where it is
 * ambiguous. Members are only ever added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/load/descriptor.h"
#include "tools/weir/commands.h"
#include "tools/weir/plugins.h"

static const char usage[] = "usage: weir list [--json] [--plugin-path DIR]…\n";

static int compare(const void *a, const void *b)
{
    const struct component_info *x = *(const struct component_info *const *)a;
    const struct component_info *y = *(const struct component_info *const *)b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->module->file, y->module->file);
}

static int list_json(const struct registry *registry, const struct component_info **list,
                     uint32_t n)
{
    json_t *components = json_array(), *modules = json_array();
    for (uint32_t i = 0; i < n; i++) {
        char *qualified = plugins_qualified(list[i]);
        int usable = registry_find(registry, list[i]->kind, list[i]->name) == list[i];
        json_array_append_new(components,
                              json_pack("{ss ss ss ss sb so}", "kind", kind_name(list[i]->kind),
                                        "name", list[i]->name, "qualified",
                                        qualified ? qualified : "", "summary", list[i]->summary,
                                        "usable", usable, "module",
                                        plugins_module_json(list[i]->module)));
        free(qualified);
    }
    for (uint32_t i = 0; i < registry_modules(registry); i++) {
        const struct module_info *m = registry_module(registry, i);
        json_t *entry = plugins_module_json(m);
        json_object_set_new(entry, "components", json_integer(m->n_components));
        json_object_set_new(entry, "refusal", m->refusal ? json_string(m->refusal) : json_null());
        json_array_append_new(modules, entry);
    }
    return plugins_print(json_pack("{so so}", "components", components, "modules", modules));
}

static int list_text(const struct registry *registry, const struct component_info **list,
                     uint32_t n)
{
    int width = 4;
    for (uint32_t i = 0; i < n; i++)
        if ((int)strlen(list[i]->name) > width) width = (int)strlen(list[i]->name);
    for (uint32_t i = 0; i < n; i++) {
        const struct component_info *usable = registry_find(registry, list[i]->kind, list[i]->name);
        printf("%-9s  %-*s  %s", kind_name(list[i]->kind), width, list[i]->name, list[i]->summary);
        if (usable != list[i])
            printf(" [only as %s/%s: %s]", list[i]->module->id, list[i]->name,
                   usable ? usable->module->file : "two modules have it");
        putchar('\n');
    }
    int refused = 0;
    for (uint32_t i = 0; i < registry_modules(registry); i++) {
        const char *why = registry_module(registry, i)->refusal;
        if (why && refused++ == 0) fflush(stdout);
        if (why) fprintf(stderr, "refused: %s\n", why);
    }
    if (n == 0 && !refused)
        fputs("no plugins: install some, or name a directory by --plugin-path or "
              "WEIR_PLUGIN_PATH\n", stderr);
    return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

int command_list(int argc, char **argv)
{
    struct plugins plugins;
    int result = plugins_open(&plugins, argc, argv, usage, NULL);
    if (result != 0) return result < 0 ? 0 : result;
    uint32_t n = registry_components(plugins.registry);
    const struct component_info **list = calloc(n + 1, sizeof(*list));
    if (list) {
        for (uint32_t i = 0; i < n; i++) list[i] = registry_component(plugins.registry, i);
        qsort(list, n, sizeof(*list), compare);
        result = plugins.json ? list_json(plugins.registry, list, n)
                              : list_text(plugins.registry, list, n);
    } else {
        fputs("weir list: no memory\n", stderr);
        result = EX_OSERR;
    }
    free(list);
    plugins_close(&plugins);
    return result;
}
