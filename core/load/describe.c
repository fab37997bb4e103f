/*
 * describe.c - descriptors as JSON and back: what a probe answers and what its cache holds.
 *
 *     {"abi": [1, 0], "id": "…", "version": "…", "licence": "…", "sdk": "…", "components": [
 *       {"kind": 3, "name": "…", "summary": "…", "numbers": [min_args, max_args, level,
 *        accepts, state_reads, state_writes, capabilities],
 *        "options": [[type, flags, "name", default, choices, "help"]],
 *        "interfaces": ["…"]}]}
 *
 * Numbers are as in the headers; default and choices are texts or null. It is compact because every
 * start reads it. Reading trusts nothing: a wrong type makes a NULL or 0, which descriptor_check
 * then refuses.
 */
#include <stdlib.h>

#include "core/load/descriptor.h"
#include "core/load/why.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *options_to_json(const struct weir_component *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < c->n_options; i++) {
        const struct weir_option *o = descriptor_option(c, i);
        json_t *entry = json_pack("[iisoos]", (int)o->type, (int)o->flags, o->name,
                                  text_or_null(o->fallback), text_or_null(o->choices), o->help);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *component_to_json(const struct weir_component *c)
{
    json_t *interfaces = json_array();
    for (uint32_t i = 0; i < c->n_interfaces; i++)
        if (json_array_append_new(interfaces, json_string(c->interfaces[i].id)) != 0) {
            json_decref(interfaces);
            return NULL;
        }
    return json_pack("{si ss ss s[IIIIIII] so so}", "kind", (int)c->kind, "name", c->name,
                     "summary", c->summary, "numbers", (json_int_t)c->min_args,
                     (json_int_t)c->max_args, (json_int_t)c->level, (json_int_t)c->accepts,
                     (json_int_t)c->state_reads, (json_int_t)c->state_writes,
                     (json_int_t)c->capabilities, "options", options_to_json(c), "interfaces",
                     interfaces);
}

json_t *descriptor_to_json(const struct weir_plugin *plugin)
{
    json_t *components = json_array();
    for (uint32_t i = 0; components && i < plugin->n_components; i++)
        if (json_array_append_new(components,
                                  component_to_json(descriptor_component(plugin, i))) != 0) {
            json_decref(components);
            return NULL;
        }
    return json_pack("{s[ii] ss ss ss ss so}", "abi", (int)plugin->abi_major,
                     (int)plugin->abi_minor, "id", plugin->id, "version", plugin->version,
                     "licence", plugin->licence, "sdk", plugin->sdk_version, "components",
                     components);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static uint32_t number_at(const json_t *list, size_t i)
{
    json_int_t n = json_integer_value(json_array_get(list, i));
    return n >= 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static void option_from_json(const json_t *entry, struct weir_option *o)
{
    o->size = sizeof *o;
    o->type = number_at(entry, 0);
    o->flags = number_at(entry, 1);
    o->name = json_string_value(json_array_get(entry, 2));
    o->fallback = json_string_value(json_array_get(entry, 3));
    o->choices = json_string_value(json_array_get(entry, 4));
    o->help = json_string_value(json_array_get(entry, 5));
}

static void component_from_json(const json_t *entry, struct weir_component *c)
{
    const json_t *numbers = json_object_get(entry, "numbers");
    json_int_t capabilities = json_integer_value(json_array_get(numbers, 6));
    c->size = sizeof *c;
    c->kind = (uint32_t)json_integer_value(json_object_get(entry, "kind"));
    c->name = text_of(entry, "name");
    c->summary = text_of(entry, "summary");
    c->min_args = number_at(numbers, 0);
    c->max_args = number_at(numbers, 1);
    c->level = number_at(numbers, 2);
    c->accepts = number_at(numbers, 3);
    c->state_reads = number_at(numbers, 4);
    c->state_writes = number_at(numbers, 5);
    c->capabilities = (uint64_t)capabilities;
    c->n_options = (uint32_t)json_array_size(json_object_get(entry, "options"));
    c->n_interfaces = (uint32_t)json_array_size(json_object_get(entry, "interfaces"));
}

int descriptor_from_json(const json_t *json, struct weir_plugin *plugin, void **block, char *why,
                         size_t size)
{
    const json_t *components = json_object_get(json, "components"), *entry, *item;
    const json_t *abi = json_object_get(json, "abi");
    size_t n = json_array_size(components), n_options = 0, n_interfaces = 0, i, k;
    json_array_foreach(components, i, entry) {
        n_options += json_array_size(json_object_get(entry, "options"));
        n_interfaces += json_array_size(json_object_get(entry, "interfaces"));
    }
    memset(plugin, 0, sizeof *plugin);
    struct weir_component *c = *block =
        calloc(1, n * sizeof *c + n_options * sizeof(struct weir_option) +
                      n_interfaces * sizeof(struct weir_interface) + 1);
    if (!c) return refuse("needs memory; there is none");
    struct weir_option *option = (struct weir_option *)(c + n);
    struct weir_interface *interface = (struct weir_interface *)(option + n_options);
    *plugin = (struct weir_plugin){ sizeof *plugin, number_at(abi, 0), number_at(abi, 1), 0,
                                    text_of(json, "id"), text_of(json, "version"),
                                    text_of(json, "licence"), text_of(json, "sdk"), c, sizeof *c,
                                    (uint32_t)n };
    json_array_foreach(components, i, entry) {
        component_from_json(entry, &c[i]);
        c[i].options = c[i].n_options ? option : NULL;
        c[i].interfaces = c[i].n_interfaces ? interface : NULL;
        json_array_foreach(json_object_get(entry, "options"), k, item)
            option_from_json(item, option++);
        json_array_foreach(json_object_get(entry, "interfaces"), k, item)
            (interface++)->id = json_string_value(item);
    }
    if (descriptor_check(plugin, 0, why, size) == 0) return 0;
    free(*block);
    *block = NULL;
    return -1;
}
