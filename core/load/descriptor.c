/*
 * descriptor.c - what a module says about itself, checked before anything relies on it.
 *
 *  1. A list is read at the stride that the module gives (component_size, option.size), so an entry
 *     may be longer than this weir's struct. It may not be shorter than in ABI 1.0, which is the
 *     first.
 *  2. Texts are UTF-8 of bounded length; all but defaults have one line. A text without an end is
 *     read for its bound only.
 *  3. Names are [a-z][a-z0-9_]*, unique per kind in the module; option names may have dots between
 *     such words and are unique per component. `plugin` and `from` belong to the job file.
 *  4. Numbers that choose (kinds, types, flags, levels, forms, capabilities) are known ones: the
 *     ABI minor that brought another one would have been asked for.
 *
 * The same check runs on the module's own structs (in the probe, and again when it is opened) and
 * on what the probe's JSON was turned into, because that JSON comes from a process in which code of
 * the module has run.
 */
#include "core/load/descriptor.h"

#include <stdlib.h>

#include "core/data/array.h"
#include "core/load/tables.h"
#include "core/load/why.h"

#define MAX_COMPONENTS 1024u
#define MAX_OPTIONS 256u
#define MAX_INTERFACES 64u
#define MAX_STRIDE 4096u
#define MAX_LINE 1024u
#define MAX_WORD 63u /* weir_error.option has room for 64 bytes */

#define OPTION_FLAGS                                                                               \
    (WEIR_OPTION_REQUIRED | WEIR_OPTION_SECRET | WEIR_OPTION_LIVE | WEIR_OPTION_OWN |              \
     WEIR_OPTION_PLACE)
#define CAPABILITIES (2 * WEIR_CAP_READS_NOTHING - 1)
#define FORMS (WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE)

const char *kind_name(uint32_t kind)
{
    static const char *const names[] = { NULL,   "source", "format",   "operator",
                                         "sink", "scalar", "aggregate" };
    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

const struct weir_component *descriptor_component(const struct weir_plugin *plugin, uint32_t i)
{
    return (const void *)((const char *)plugin->components + (size_t)i * plugin->component_size);
}

const struct weir_option *descriptor_option(const struct weir_component *component, uint32_t i)
{
    return (const void *)((const char *)component->options +
                          (size_t)i * component->options->size);
}

static int text_ok(const char *text, size_t max)
{
    size_t n = text ? strnlen(text, max + 1) : max + 1;
    return n <= max && utf8_valid((const uint8_t *)text, n);
}

static int line_ok(const char *text, size_t max)
{
    if (!text_ok(text, max)) return 0;
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return 0;
    return 1;
}

/* [a-z][a-z0-9_]*, or with dots several of them. */
static int word_ok(const char *text, int dots)
{
    int start = 1;
    if (!text || strnlen(text, MAX_WORD + 1) > MAX_WORD) return 0;
    for (const char *p = text; *p; p++) {
        int letter = *p >= 'a' && *p <= 'z', other = (*p >= '0' && *p <= '9') || *p == '_';
        if (dots && *p == '.' && !start) {
            start = 1;
            continue;
        }
        if (!letter && (start || !other)) return 0;
        start = 0;
    }
    return !start;
}

/* What may stand before the slash of a qualified name, and in names of interfaces before theirs. */
static int id_ok(const char *text, const char *more)
{
    if (!line_ok(text, 127) || !*text) return 0;
    for (const char *p = text; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(more, *p)))
            return 0;
    return 1;
}

static int is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = choices;; p++) {
        const char *end = strchr(p, '|');
        size_t length = end ? (size_t)(end - p) : strlen(p);
        if (length == n && memcmp(p, word, n) == 0) return 1;
        if (!end) return 0;
        p = end;
    }
}

static int check_option(const struct weir_component *c, uint32_t i, char *why, size_t size)
{
    const struct weir_option *o = descriptor_option(c, i);
    if (o->size != c->options->size)
        return refuse("needs options of one size; option %u of `%s` says %u bytes, the first one "
                      "%u: use WEIR_OPTION", i + 1, c->name, o->size, c->options->size);
    if (!word_ok(o->name, 1) || strcmp(o->name, "plugin") == 0 || strcmp(o->name, "from") == 0)
        return refuse("needs names like `max_record` for options; option %u of `%s` has none: "
                      "rename it ([a-z][a-z0-9_]*, not `plugin` or `from`)", i + 1, c->name);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(descriptor_option(c, k)->name, o->name) == 0)
            return refuse("needs different names for options; `%s` has `%s` twice: rename one",
                          c->name, o->name);
    if (o->type < WEIR_OPTION_BOOL || o->type > WEIR_OPTION_JSON || o->flags & ~OPTION_FLAGS)
        return refuse("needs known types and flags of options; `%s` of `%s` has type %u, flags "
                      "%#x: upgrade weir or use those of host.h", o->name, c->name, o->type,
                      o->flags);
    if (!line_ok(o->help, MAX_LINE) || (o->fallback && !text_ok(o->fallback, MAX_LINE)))
        return refuse("needs one line of UTF-8 as help of options, and UTF-8 as default; those of "
                      "`%s` of `%s` are not: mend them", o->name, c->name);
    if ((o->type == WEIR_OPTION_CHOICE) != (o->choices != NULL) ||
        (o->choices && !line_ok(o->choices, MAX_LINE)))
        return refuse("needs `choices` for options of type choice, and for no others; `%s` of `%s` "
                      "differs: mend it", o->name, c->name);
    if (o->choices && o->fallback && !is_choice(o->choices, o->fallback))
        return refuse("needs a default among the choices; `%s` of `%s` has `%s`: mend it", o->name,
                      c->name, o->fallback);
    if (o->fallback && o->flags & WEIR_OPTION_REQUIRED)
        return refuse("needs either a default or `required`; `%s` of `%s` has both: drop one",
                      o->name, c->name);
    return 0;
}

static int check_lists(const struct weir_component *c, int tables, char *why, size_t size)
{
    if (c->n_options > MAX_OPTIONS || (c->n_options && !c->options))
        return refuse("needs a list of at most %u options; `%s` has %u%s: mend the descriptor",
                      MAX_OPTIONS, c->name, c->n_options, c->options ? "" : " and no list");
    if (c->n_options && (c->options->size < sizeof(struct weir_option) ||
                         c->options->size > MAX_STRIDE || c->options->size % sizeof(void *)))
        return refuse("needs options of at least %zu bytes; those of `%s` say %u: use WEIR_OPTION",
                      sizeof(struct weir_option), c->name, c->options->size);
    for (uint32_t i = 0; i < c->n_options; i++)
        if (check_option(c, i, why, size) != 0) return -1;
    if (c->n_interfaces > MAX_INTERFACES || (c->n_interfaces && !c->interfaces))
        return refuse("needs a list of at most %u interfaces; `%s` has %u: mend the descriptor",
                      MAX_INTERFACES, c->name, c->n_interfaces);
    for (uint32_t i = 0; i < c->n_interfaces; i++) {
        const struct weir_interface *interface = &c->interfaces[i];
        if (!id_ok(interface->id, "._-/") || (tables && !interface->table))
            return refuse("needs an id and a table for each interface; interface %u of `%s` "
                          "lacks one: mend the descriptor", i + 1, c->name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(c->interfaces[k].id, interface->id) == 0)
                return refuse("needs different interfaces; `%s` has `%s` twice: drop one", c->name,
                              interface->id);
    }
    return 0;
}

static int check_component(const struct weir_plugin *plugin, uint32_t i, int tables, char *why,
                           size_t size)
{
    const struct weir_component *c = descriptor_component(plugin, i);
    if (c->size < sizeof *c || c->size > plugin->component_size)
        return refuse("needs components of at least %zu bytes; component %u says %u of %u: set "
                      "`size` to sizeof(struct weir_component)", sizeof *c, i + 1, c->size,
                      plugin->component_size);
    if (!kind_name(c->kind))
        return refuse("needs components of kind %u; this weir knows 1 to 6: upgrade weir", c->kind);
    if (!word_ok(c->name, 0))
        return refuse("needs names like `count_by_value` for components; component %u (of kind %s) "
                      "has none: rename it ([a-z][a-z0-9_]*)", i + 1, kind_name(c->kind));
    for (uint32_t k = 0; k < i; k++) {
        const struct weir_component *other = descriptor_component(plugin, k);
        if (other->kind == c->kind && strcmp(other->name, c->name) == 0)
            return refuse("needs different names for its components; it has the %s `%s` twice: "
                          "rename one", kind_name(c->kind), c->name);
    }
    if (!line_ok(c->summary, MAX_LINE))
        return refuse("needs one line of UTF-8 as summary of `%s`; it is not: mend it", c->name);
    if (c->capabilities & ~(uint64_t)CAPABILITIES)
        return refuse("needs capabilities %#llx of `%s`; this weir knows %#x: upgrade weir",
                      (unsigned long long)c->capabilities, c->name, (unsigned)CAPABILITIES);
    if (c->min_args > c->max_args)
        return refuse("needs min_args <= max_args; `%s` has %u and %u: mend the descriptor",
                      c->name, c->min_args, c->max_args);
    if (c->state_reads > c->state_writes)
        return refuse("needs state_reads <= state_writes; `%s` has %u and %u: mend the descriptor",
                      c->name, c->state_reads, c->state_writes);
    if (c->kind == WEIR_KIND_SINK &&
        (c->level < WEIR_SINK_AT_LEAST_ONCE || c->level > WEIR_SINK_TWO_PHASE || !c->accepts ||
         c->accepts & ~FORMS))
        return refuse("needs a level of 1 to 3 and change forms for sinks; `%s` has level %u and "
                      "forms %#x: set `level` and `accepts`", c->name, c->level, c->accepts);
    if (check_lists(c, tables, why, size) != 0) return -1;
    union table whole;
    return tables ? table_copy(c, &whole, why, size) : 0;
}

static int check_head(const struct weir_plugin *plugin, char *why, size_t size)
{
    if (plugin->size < sizeof *plugin)
        return refuse("needs a descriptor of at least %zu bytes; it says %u: set `size` to "
                      "sizeof(struct weir_plugin)", sizeof *plugin, plugin->size);
    const char *id = id_ok(plugin->id, "._-") ? plugin->id : NULL;
    if (plugin->abi_major != WEIR_ABI_MAJOR || plugin->abi_minor > WEIR_ABI_MINOR)
        return refuse("needs host ABI %u.%u; this weir offers %u.%u: upgrade weir or install %s %s",
                      plugin->abi_major, plugin->abi_minor, WEIR_ABI_MAJOR, WEIR_ABI_MINOR,
                      plugin->abi_major < WEIR_ABI_MAJOR ? "a newer" : "an older",
                      id ? id : "version of the module");
    if (!id)
        return refuse("needs an id like `org.example.frobnicate`; it has none: set `id` "
                      "(letters, digits, dots, dashes)");
    if (!line_ok(plugin->version, 63) || !*plugin->version || !line_ok(plugin->licence, 127) ||
        !line_ok(plugin->sdk_version, 63))
        return refuse("needs version, licence and sdk_version in one line each; one is missing: "
                      "fill in the descriptor");
    if (!plugin->components || !plugin->n_components || plugin->n_components > MAX_COMPONENTS)
        return refuse("needs 1 to %u components; it has %u: fill in the descriptor",
                      MAX_COMPONENTS, plugin->components ? plugin->n_components : 0);
    if (plugin->component_size < sizeof(struct weir_component) ||
        plugin->component_size > MAX_STRIDE || plugin->component_size % sizeof(void *))
        return refuse("needs components of at least %zu bytes; it says %u: set `component_size` to "
                      "sizeof(struct weir_component)", sizeof(struct weir_component),
                      plugin->component_size);
    return 0;
}

int descriptor_check(const struct weir_plugin *plugin, int tables, char *why, size_t size)
{
    if (check_head(plugin, why, size) != 0) return -1;
    for (uint32_t i = 0; i < plugin->n_components; i++)
        if (check_component(plugin, i, tables, why, size) != 0) return -1;
    return 0;
}

struct weir_component *descriptor_copy(const struct weir_plugin *plugin, char *why, size_t size)
{
    size_t n = plugin->n_components, n_options = 0;
    for (uint32_t i = 0; i < n; i++) n_options += descriptor_component(plugin, i)->n_options;
    struct weir_component *copy =
        calloc(1, n * (sizeof *copy + sizeof(union table)) +
                      n_options * sizeof(struct weir_option));
    if (!copy) snprintf(why, size, "needs memory; there is none");
    if (!copy) return NULL;
    union table *tables = (union table *)(copy + n);
    struct weir_option *options = (struct weir_option *)(tables + n);
    for (uint32_t i = 0; i < n; i++) {
        const struct weir_component *from = descriptor_component(plugin, i);
        if (table_copy(from, &tables[i], why, size) != 0) {
            free(copy);
            return NULL;
        }
        memcpy(&copy[i], from, sizeof copy[i]);
        copy[i].size = sizeof copy[i];
        copy[i].table = &tables[i];
        copy[i].options = from->n_options ? options : NULL;
        for (uint32_t k = 0; k < from->n_options; k++, options++) {
            memcpy(options, descriptor_option(from, k), sizeof *options);
            options->size = sizeof *options;
        }
    }
    return copy;
}
