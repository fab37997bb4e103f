/*
 * inspect.c - `weir inspect NAME`: everything that a component's descriptor says.
 *
 * NAME is a component, a qualified one ("org.example.x/name") or a module's id; all that fit are
 * shown. With --json:
 *
 *     {"components": [{"kind", "name", "qualified", "summary", "usable",
 *       "options": [{"name", "type", "required", "secret", "live", "default", "choices", "help"}],
 *       "common": [… as options: those that the engine has for every plugin of the kind],
 *       "capabilities": […], "level", "accepts": […], "arguments": {"min", "max"},
 *       "state": {"reads", "writes"}, "interfaces": […], "module": {…}}]}
 *
 * All members are always there; what a kind does not have is null (max: null means any number).
 * Members are only ever added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/job/options.h"
#include "core/load/descriptor.h"
#include "tools/weir/commands.h"
#include "tools/weir/plugins.h"

static const char usage[] = "usage: weir inspect NAME [--json] [--plugin-path DIR]…\n";

static const char *const types[] = { "",        "bool",   "int",  "float",   "text", "choice",
                                     "duration", "size",  "column", "expr",  "columns", "list",
                                     "map",     "exprs",  "rows", "json" };

static const struct word {
    uint64_t bit;
    const char *name;
} capabilities[] = {
    { WEIR_CAP_SELECTION, "selection" },
    { WEIR_CAP_DETERMINISTIC, "deterministic" },
    { WEIR_CAP_REPLAYABLE, "replayable" },
    { WEIR_CAP_BYTES, "bytes" },
    { WEIR_CAP_RECORDS, "records" },
    { WEIR_CAP_SERIAL, "serial" },
    { WEIR_CAP_ABSENT_INPUT, "absent_input" },
    { WEIR_CAP_NULL_IN_NULL_OUT, "null_in_null_out" },
    { WEIR_CAP_MAY_FAIL, "may_fail" },
    { WEIR_CAP_NEEDS_FORMAT, "needs_format" },
    { WEIR_CAP_MANY_INPUTS, "many_inputs" },
    { WEIR_CAP_TICK_SENSITIVE, "tick_sensitive" },
    { WEIR_CAP_READS_NOTHING, "reads_nothing" },
    { 0, NULL },
}, forms[] = {
    { WEIR_FORM_APPEND, "append" },
    { WEIR_FORM_UPSERT, "upsert" },
    { WEIR_FORM_REPLACE, "replace" },
    { 0, NULL },
};

static const char *level_name(uint32_t level)
{
    static const char *const names[] = { NULL, "at_least_once", "idempotent", "two_phase" };
    return level < sizeof names / sizeof *names ? names[level] : NULL;
}

static int is_function(const struct component_info *info)
{
    return info->kind == WEIR_KIND_SCALAR || info->kind == WEIR_KIND_AGGREGATE;
}

/* The options of the engine that a job may give to the component; one that it has itself is its
 * own. */
static uint32_t each_common(const struct weir_component *c,
                            void (*take)(void *arg, const struct weir_option *option), void *arg)
{
    struct option_table tables[ENGINE_TABLES];
    const uint32_t n = options_of_engine(c, tables);
    uint32_t taken = 0;
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t i = 0; i < tables[t].n; i++) {
            const struct weir_option *option = &tables[t].options[i];
            uint32_t k = 0;
            while (k < c->n_options && strcmp(c->options[k].name, option->name) != 0) k++;
            if (k < c->n_options) continue;
            if (take) take(arg, option);
            taken++;
        }
    return taken;
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

/* ---- JSON ---- */

static json_t *words_json(const struct word *words, uint64_t bits)
{
    json_t *list = json_array();
    for (; words->name; words++)
        if (bits & words->bit) json_array_append_new(list, json_string(words->name));
    return list;
}

static json_t *choices_json(const char *choices)
{
    if (!choices) return json_null();
    json_t *list = json_array();
    for (const char *p = choices;;) {
        size_t n = strcspn(p, "|");
        json_array_append_new(list, json_stringn(p, n));
        if (!p[n]) return list;
        p += n + 1;
    }
}

static void option_json(void *list, const struct weir_option *o)
{
    json_array_append_new(
        list, json_pack("{ss ss sb sb sb so so ss}", "name", o->name, "type", types[o->type],
                        "required", (o->flags & WEIR_OPTION_REQUIRED) != 0, "secret",
                        (o->flags & WEIR_OPTION_SECRET) != 0, "live",
                        (o->flags & WEIR_OPTION_LIVE) != 0, "default", text_or_null(o->fallback),
                        "choices", choices_json(o->choices), "help", o->help));
}

static json_t *own_json(const struct weir_component *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->n_options; i++) option_json(list, &c->options[i]);
    return list;
}

static json_t *common_json(const struct weir_component *c)
{
    json_t *list = json_array();
    each_common(c, option_json, list);
    return list;
}

static json_t *component_json(const struct registry *registry, const struct component_info *info)
{
    const struct weir_component *c = info->declared;
    int sink = info->kind == WEIR_KIND_SINK;
    char *qualified = plugins_qualified(info);
    json_t *interfaces = json_array(), *arguments = json_null(), *state = json_null();
    for (uint32_t i = 0; i < c->n_interfaces; i++)
        json_array_append_new(interfaces, json_string(c->interfaces[i].id));
    if (is_function(info))
        arguments = json_pack("{sI so}", "min", (json_int_t)c->min_args, "max",
                              c->max_args == UINT32_MAX ? json_null() : json_integer(c->max_args));
    if (c->state_writes)
        state = json_pack("{sI sI}", "reads", (json_int_t)c->state_reads, "writes",
                          (json_int_t)c->state_writes);
    json_t *json = json_pack(
        "{ss ss ss ss sb so so so so so so so so so}", "kind", kind_name(info->kind), "name",
        info->name, "qualified", qualified ? qualified : "", "summary", info->summary, "usable",
        registry_find(registry, info->kind, info->name) == info, "options", own_json(c),
        "common", common_json(c), "capabilities",
        words_json(capabilities, c->capabilities), "level",
        text_or_null(sink ? level_name(c->level) : NULL), "accepts",
        sink ? words_json(forms, c->accepts) : json_null(), "arguments", arguments, "state", state,
        "interfaces", interfaces, "module", plugins_module_json(info->module));
    free(qualified);
    return json;
}

/* ---- text ---- */

static void print_words(const char *what, const struct word *words, uint64_t bits)
{
    const char *before = "";
    if (!bits) return;
    printf("  %-10s", what);
    for (; words->name; words++)
        if (bits & words->bit) {
            printf("%s%s", before, words->name);
            before = ", ";
        }
    putchar('\n');
}

/* A default as it stands, or quoted as in a job file where that would not be seen. */
static void print_default(const char *text)
{
    int plain = *text && text[0] != ' ' && text[strlen(text) - 1] != ' ';
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) plain = 0;
    json_t *json = plain ? NULL : json_string(text);
    char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    printf(", default %s", quoted ? quoted : text);
    free(quoted);
    json_decref(json);
}

static void print_option(void *arg, const struct weir_option *o)
{
    (void)arg;
    printf("    %s: %s", o->name, types[o->type]);
    if (o->choices) printf(" %s", o->choices);
    if (o->flags & WEIR_OPTION_REQUIRED) printf(", required");
    if (o->fallback) print_default(o->fallback);
    if (o->flags & WEIR_OPTION_SECRET) printf(", secret");
    if (o->flags & WEIR_OPTION_LIVE) printf(", live");
    printf("\n        %s\n", o->help);
}

static void print_component(const struct registry *registry, const struct component_info *info)
{
    const struct weir_component *c = info->declared;
    const struct module_info *m = info->module;
    printf("%s %s: %s\n", kind_name(info->kind), info->name, info->summary);
    printf("  %-10s%s %s (%s), SDK %s\n", "module", m->id, m->version, m->licence, m->sdk);
    printf("  %-10s%s\n", "file", m->file);
    printf("  %-10s%s\n", "sha256", m->hash);
    if (registry_find(registry, info->kind, info->name) != info)
        printf("  %-10sonly as %s/%s\n", "name", m->id, info->name);
    if (info->kind == WEIR_KIND_SINK) printf("  %-10s%s\n", "level", level_name(c->level));
    if (info->kind == WEIR_KIND_SINK) print_words("accepts", forms, c->accepts);
    if (is_function(info) && c->max_args == UINT32_MAX)
        printf("  %-10s%u or more\n", "arguments", c->min_args);
    else if (is_function(info))
        printf("  %-10s%u to %u\n", "arguments", c->min_args, c->max_args);
    if (c->state_writes)
        printf("  %-10sreads versions %u to %u, writes %u\n", "state", c->state_reads,
               c->state_writes, c->state_writes);
    print_words("can", capabilities, c->capabilities);
    for (uint32_t i = 0; i < c->n_interfaces; i++)
        printf("  %-10s%s\n", "interface", c->interfaces[i].id);
    if (c->n_options) puts("  options");
    for (uint32_t i = 0; i < c->n_options; i++) print_option(NULL, &c->options[i]);
    if (!each_common(c, NULL, NULL)) return;
    printf("  options of every %s\n", kind_name(info->kind));
    each_common(c, print_option, NULL);
}

/* ---- which ---- */

static int fits(const struct component_info *info, const char *name)
{
    const char *id = info->module->id;
    size_t n = strlen(id);
    if (strcmp(info->name, name) == 0 || strcmp(id, name) == 0) return 1;
    return strncmp(name, id, n) == 0 && name[n] == '/' && strcmp(name + n + 1, info->name) == 0;
}

/* Why nothing fits: a refused module of that name, or the nearest name. */
static int explain(const struct registry *registry, const char *name)
{
    uint32_t n = registry_components(registry);
    const char **names = calloc(n + 1, sizeof(*names)), *nearest;
    for (uint32_t i = 0; names && i < n; i++) names[i] = registry_component(registry, i)->name;
    nearest = names ? nearest_name(name, names, n) : NULL;
    fprintf(stderr, "weir inspect: no plugin `%s`", name);
    if (nearest) fprintf(stderr, ": did you mean `%s`?", nearest);
    fputs(" (`weir list` shows all)\n", stderr);
    for (uint32_t i = 0; i < registry_modules(registry); i++) {
        const struct module_info *m = registry_module(registry, i);
        if (m->refusal && (strstr(m->file, name) || strcmp(m->id, name) == 0))
            fprintf(stderr, "refused: %s\n", m->refusal);
    }
    free(names);
    return EX_UNAVAILABLE;
}

int command_inspect(int argc, char **argv)
{
    struct plugins plugins;
    int result = plugins_open(&plugins, argc, argv, usage, "NAME");
    if (result != 0) return result < 0 ? 0 : result;
    json_t *list = json_array();
    uint32_t shown = 0;
    for (uint32_t i = 0; i < registry_components(plugins.registry); i++) {
        const struct component_info *info = registry_component(plugins.registry, i);
        if (!fits(info, plugins.name)) continue;
        if (plugins.json) {
            json_array_append_new(list, component_json(plugins.registry, info));
        } else {
            if (shown) putchar('\n');
            print_component(plugins.registry, info);
        }
        shown++;
    }
    if (shown == 0) {
        json_decref(list);
        result = explain(plugins.registry, plugins.name);
    } else if (plugins.json) {
        result = plugins_print(json_pack("{so}", "components", list));
    } else {
        json_decref(list);
        result = fflush(stdout) == 0 ? 0 : EX_IOERR;
    }
    plugins_close(&plugins);
    return result;
}
