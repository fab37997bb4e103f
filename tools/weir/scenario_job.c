/*
 * The job's own sources and sinks are created and bound, since the check does so, but never opened.
 * Then the job is written anew: in place of a source stands `scenario_source` with the columns that
 * the source would give, in place of a sink `scenario_sink`. Options that the engine has for every
 * source and sink stay, those of the plugin go.
 *
 * The columns of a source are those that it gives to somebody who reads all of them: a source with
 * a format reads less where the job does. So each is planned once more, alone, before a sink that
 * takes everything. A source whose plugin is not installed has the columns that the job declares.
 */
#include "tools/weir/scenario_job.h"

#include <stdlib.h>

#include "core/data/array.h"
#include "core/plan/plan.h"

struct maker {
    const struct scenario *scenario;
    struct weir_sys *sys;
    struct registry *registry;
    struct world *world;
    struct report report;
    struct job *given;  /* the user's */
    json_t *scripted;   /* being made */
};

static void refuse(struct maker *m, const char *path, const char *text)
{
    report_add(&m->report, REPORT_ERROR, job_place(m->given, path, -1), path, "%s", text);
}

static json_t *instance_json(json_t *job, const struct job_instance *instance)
{
    const char *section = instance->kind == JOB_SOURCE     ? "sources"
                          : instance->kind == JOB_OPERATOR ? "operators"
                                                           : "sinks";
    return json_object_get(json_object_get(job, section), instance->name);
}

/* Takes from an instance all that only its plugin understands. */
static void keep_engine_options(json_t *instance, const struct option_table *table)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(instance, next, key, value)
    {
        int kept = strcmp(key, "from") == 0;
        for (uint32_t i = 0; i < table->n && !kept; i++) {
            size_t n = strcspn(table->options[i].name, ".");
            kept = strlen(key) == n && strncmp(table->options[i].name, key, n) == 0;
        }
        if (!kept) json_object_del(instance, key);
    }
}

static void script_source(json_t *instance, const char *columns)
{
    keep_engine_options(instance, &options_of_sources);
    json_object_set_new(instance, "plugin", json_string("scenario_source"));
    json_object_set_new(instance, "columns", json_string(columns));
}

static struct job *read_made(struct maker *m, const json_t *made)
{
    char *text = json_dumps(made, JSON_COMPACT);
    struct job *job = text ? job_read(m->sys, m->given->file, text, &m->report, NULL) : NULL;
    free(text);
    return job;
}

static struct plan *make_plan(struct maker *m, const struct job *job, struct report *report)
{
    return plan_create(job, m->registry, m->sys, NULL, 0, PLAN_CHECK, report);
}

/* ---- the check ---- */

static int is_scripted(const struct job_instance *instance)
{
    return strcmp(instance->plugin, "scenario_source") == 0;
}

/* A missing source plugin is no mistake if the job declares columns. */
static void mend_missing(struct maker *m)
{
    for (uint32_t i = 0; i < m->given->n_instances; i++) {
        struct job_instance *instance = &m->given->instances[i];
        json_t *columns = json_object_get(instance->options, "columns");
        if (instance->kind != JOB_SOURCE || !json_is_string(columns) ||
            registry_find(m->registry, WEIR_KIND_SOURCE, instance->plugin))
            continue;
        char *plugin = strdup("scenario_source");
        if (!plugin) continue;
        free(instance->plugin);
        instance->plugin = plugin;
        json_incref(columns);
        keep_engine_options(instance->options, &options_of_sources);
        json_object_set_new(instance->options, "columns", columns);
    }
}

static int check(struct maker *m)
{
    mend_missing(m);
    struct plan *plan = make_plan(m, m->given, &m->report);
    plan_destroy(plan);
    return plan != NULL && m->report.errors == 0;
}

/* ---- sources and sinks ---- */

/* The columns of a source as DDL, mem_alloc'ed; NULL (reported). */
static char *learn_columns(struct maker *m, const struct job_instance *instance)
{
    struct report report = { 0 };
    char *columns = NULL;
    json_t *source = json_copy(instance_json(m->given->canonical, instance));
    if (is_scripted(instance))
        script_source(source, json_string_value(json_object_get(instance->options, "columns")));
    json_object_del(source, "watermark");
    json_t *alone = json_pack("{s:s, s:{s:o}, s:{s:{s:s, s:s}}}", "name", "columns", "sources",
                              instance->name, source, "sinks", "scenario_all", "plugin",
                              "scenario_sink", "from", instance->name);
    json_t *texts = json_object_get(m->given->canonical, "texts");
    if (alone && texts) json_object_set(alone, "texts", texts);
    struct job *job = alone ? read_made(m, alone) : NULL;
    struct plan *plan = job ? make_plan(m, job, &report) : NULL;
    if (plan) columns = schema_ddl(&plan_node(plan, instance->name)->outputs[0].schema);
    if (!columns) refuse(m, instance->path, "the columns of the source can't be learned");
    plan_destroy(plan);
    job_free(job);
    json_decref(alone);
    report_fini(&report);
    return columns;
}

static uint32_t partitions_of(const json_t *source)
{
    const json_t *value = json_object_get(source, "partitions");
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : 1;
    return n < 1 ? 1 : n > 1000 ? 1000 : (uint32_t)n;
}

static void replace_source(struct maker *m, const struct job_instance *instance)
{
    struct weir_error error = WEIR_ERROR_INIT;
    json_t *json = instance_json(m->scripted, instance);
    uint32_t partitions = partitions_of(json);
    char *columns = learn_columns(m, instance);
    if (!columns) return;
    script_source(json, columns);
    if (world_want_source(m->world, instance->name, columns, partitions, &error) != WEIR_OK)
        refuse(m, instance->path, error.text);
    mem_free(columns);
}

static void replace_sink(struct maker *m, const struct job_instance *instance)
{
    struct weir_error error = WEIR_ERROR_INIT;
    json_t *json = instance_json(m->scripted, instance);
    keep_engine_options(json, &options_of_sinks);
    json_object_set_new(json, "plugin", json_string("scenario_sink"));
    if (world_want_sink(m->world, instance->name, &error) != WEIR_OK)
        refuse(m, instance->path, error.text);
}

static int is_real(const struct maker *m, const struct job_instance *instance)
{
    size_t i;
    json_t *name;
    json_array_foreach(m->scenario->real, i, name)
        if (json_is_string(name) && strcmp(json_string_value(name), instance->name) == 0) return 1;
    return 0;
}

static struct job *make_scripted(struct maker *m)
{
    m->scripted = json_deep_copy(m->given->canonical);
    if (!m->scripted) return NULL;
    world_reset(m->world);
    for (uint32_t i = 0; i < m->given->n_instances; i++) {
        const struct job_instance *instance = &m->given->instances[i];
        if (strchr(instance->name, '.')) continue; /* made by a source option */
        if (is_real(m, instance)) continue;
        if (instance->kind == JOB_SOURCE) replace_source(m, instance);
        if (instance->kind == JOB_SINK) replace_sink(m, instance);
    }
    if (!m->scenario->checkpoint)
        json_object_del(m->scripted, "checkpoint");
    else if (!json_object_get(m->scripted, "checkpoint"))
        json_object_set_new(m->scripted, "checkpoint", json_string("checkpoint"));
    return m->report.errors ? NULL : read_made(m, m->scripted);
}

static void add_line(void *arg, const char *line)
{
    fprintf(arg, "%s\n", line);
}

static char *findings(struct maker *m)
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (!to) return NULL;
    report_print(&m->report, add_line, to);
    if (m->report.errors == 0) fputs("out of memory\n", to);
    fclose(to);
    return text;
}

struct job *scenario_prepare(const struct scenario *scenario, const json_t *given,
                             const char *path, struct weir_sys *sys, struct registry *registry,
                             struct world *world, char **refusal)
{
    struct maker m = { .scenario = scenario, .sys = sys, .registry = registry, .world = world };
    struct job *job = NULL;
    *refusal = NULL;
    m.given = scenario_job(scenario, given, path, sys, &m.report);
    if (m.given && check(&m)) job = make_scripted(&m);
    if (!job) *refusal = findings(&m);
    json_decref(m.scripted);
    job_free(m.given);
    report_fini(&m.report);
    return job;
}
