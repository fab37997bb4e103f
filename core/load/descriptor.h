/*
 * descriptor.h - a module's descriptor: checked field by field, copied whole, as JSON and back.
 */
#ifndef WEIR_CORE_DESCRIPTOR_H
#define WEIR_CORE_DESCRIPTOR_H

#include <jansson.h>
#include <weir/plugin.h>

/* 0 where every field is right; -1 with "needs …; …: …" in `why`. What cannot be read at all (wild
 * pointers) crashes: call this for a module first in the probe process. `tables` 0: made from JSON,
 * without tables. [any] */
int descriptor_check(const struct weir_plugin *plugin, int tables, char *why, size_t size);

/* Components with whole tables and option lists at this weir's sizes, in one malloc'ed block; texts
 * stay the module's. NULL with `why` where a table lacks a function or there is no memory. The
 * descriptor was checked. */
struct weir_component *descriptor_copy(const struct weir_plugin *plugin, char *why, size_t size);

/* What the descriptor says, without its code. NULL without memory. */
json_t *descriptor_to_json(const struct weir_plugin *plugin);
/* The descriptor back; texts belong to `json`, lists to the malloc'ed *block. The result is
 * checked. -1 with `why` for anything else than the work of descriptor_to_json. */
int descriptor_from_json(const json_t *json, struct weir_plugin *plugin, void **block, char *why,
                         size_t size);

/* The i-th component and option, whatever their stride. [any] */
const struct weir_component *descriptor_component(const struct weir_plugin *plugin, uint32_t i);
const struct weir_option *descriptor_option(const struct weir_component *component, uint32_t i);

/* "source", "format", …; NULL for an unknown kind. */
const char *kind_name(uint32_t kind);

#endif
