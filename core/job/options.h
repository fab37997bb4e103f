/*
 * options.h - the options of one instance, checked and typed by the plugin's tables.
 */
#ifndef WEIR_CORE_OPTIONS_H
#define WEIR_CORE_OPTIONS_H

#include <weir/host.h>
#include <weir/plugin.h>

#include "core/job/job.h"

struct options;

struct option_table {
    const struct weir_option *options; /* stride options->size */
    uint32_t n;
    const char *owner; /* "socket", "format text", "sources": for messages */
};

/* Checks all members of instance->options (`format` as an object is merged: its members count as
 * flat options) against the tables together: unknown keys with a suggestion, missing required
 * ones, wrong types, bad choices, bad units; every mistake goes to the report. Defaults are
 * applied. *out even with errors (then usable for what was right); NULL without memory. Owner:
 * the caller. The job must outlive it. */
struct options *options_build(const struct job *job, const struct job_instance *instance,
                              const struct option_table *tables, uint32_t n_tables,
                              struct report *report);
void options_free(struct options *options);
/* For a check that goes on behind mistakes: wrong values of options that have a default take it.
 * 0 where a required one is missing or wrong: then no instance can be made. */
int options_mend(struct options *options);
/* As weir_host.option and option_item. [any] */
int32_t options_get(const struct options *options, const char *name, struct weir_value *out);
int32_t options_item(const struct options *options, const char *name, uint64_t index,
                     struct weir_value *out);
int options_given(const struct options *options, const char *name); /* 1: by the job, not a default */
/* Adds an error of a plugin (weir_error.option, offset) to the report at its place. */
void options_report(const struct options *options, const struct job *job,
                    const struct job_instance *instance, const struct weir_error *error,
                    struct report *report);

/* The options that the engine itself has for every source, operator and sink. */
extern const struct option_table options_of_sources, options_of_operators, options_of_sinks;
/* `format` itself, for components that take one. */
extern const struct option_table options_of_formats;
/* The tables of the engine that hold for a component, behind its own one: of its kind, and before
 * it `format` where the component takes one and does not declare that option. How many; at most
 * ENGINE_TABLES. [any] */
#define ENGINE_TABLES 2
uint32_t options_of_engine(const struct weir_component *component,
                           struct option_table tables[ENGINE_TABLES]);

/* An instance's options without values of secrets, as JSON text (effective config).
 * mem_alloc'ed. */
char *options_json(const struct options *options);

#endif
