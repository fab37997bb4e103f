/*
 * instance.c - what the sections of a job file say: instances and who reads whom.
 *
 *  1. Names are unique over all sections: an instance is addressed by its name alone.
 *  2. A source's `watermark` {column, delay} is an operator NAME.watermark behind it. Whoever names
 *     the source, or NAME.watermark, reads that operator, and expressions call its rows NAME; only
 *     the operator itself reads the source.
 *  3. An instance with mistakes is kept as far as it goes, so that all mistakes are found in one
 *     run.
 */
#include "core/job/instance.h"

#include "core/job/scanner.h"

#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT 128u
#define INSTANCES_MAX 1000u
#define FROM_MAX 256u

static const struct section {
    const char *name;
    uint32_t kind;
} sections[] = { { "sources", JOB_SOURCE }, { "operators", JOB_OPERATOR }, { "sinks", JOB_SINK } };

int job_name_ok(const char *name, const char *more)
{
    if (strlen(name) > NAME_LIMIT) return 0;
    for (const char *p = name; *p; p++) {
        int letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '_';
        if (!letter && (p == name || !((*p >= '0' && *p <= '9') || strchr(more, *p)))) return 0;
    }
    return *name != 0;
}

void instances_free(struct job *job)
{
    for (uint32_t i = 0; i < job->n_instances; i++) {
        struct job_instance *instance = &job->instances[i];
        for (uint32_t k = 0; k < instance->n_from; k++) {
            free(instance->from[k].alias);
            free(instance->from[k].name);
            free(instance->from[k].output);
        }
        free(instance->from);
        free(instance->name);
        free(instance->plugin);
        free(instance->path);
        json_decref(instance->options);
    }
    free(job->instances);
    job->instances = NULL;
    job->n_instances = 0;
}

static int error_at(struct report *report, struct place place, const char *path, const char *text)
{
    report_add(report, REPORT_ERROR, place, path, "%s", text);
    return 0;
}

/* ---- from ---- */

struct from_reader {
    struct job *job;
    struct job_instance *instance;
    struct report *report;
    int failed; /* no memory */
};

/* One "name" or "name.output"; `path` is that of the text. */
static void add_from(struct from_reader *r, const char *alias, const json_t *json, const char *path)
{
    struct job_instance *instance = r->instance;
    struct place place = job_place(r->job, path, -1);
    if (instance->n_from == FROM_MAX) {
        error_at(r->report, place, path, "more than 256 inputs: put unions in between");
        return;
    }
    const char *text = json_string_value(json), *dot = text ? strchr(text, '.') : NULL;
    if (!text || !*text) {
        error_at(r->report, place, path, "must be the name of an instance in quotes");
        return;
    }
    struct job_from from = { NULL, strndup(text, dot ? (size_t)(dot - text) : strlen(text)), NULL,
                             place };
    if (dot) from.output = strdup(dot + 1);
    if (alias) from.alias = strdup(alias);
    struct job_from *all = realloc(instance->from, (instance->n_from + 1) * sizeof *all);
    if (all) instance->from = all;
    if (all && from.name && (!dot || from.output) && (!alias || from.alias)) {
        all[instance->n_from++] = from;
        if (!job_name_ok(from.name, "") || (dot && !job_name_ok(from.output, "")))
            error_at(r->report, place, path, "is no name: write \"name\" or \"name.output\"");
        return;
    }
    free(from.name);
    free(from.output);
    free(from.alias);
    r->failed = 1;
}

static int same_stream(const struct job_from *a, const struct job_from *b)
{
    return strcmp(a->name, b->name) == 0 && !a->output == !b->output &&
           (!a->output || strcmp(a->output, b->output) == 0);
}

static void read_list(struct from_reader *r, const json_t *from, const char *path)
{
    size_t i;
    const json_t *entry;
    char item[512];
    if (json_array_size(from) == 0)
        error_at(r->report, job_place(r->job, path, -1), path,
                 "the list is empty: name an instance");
    json_array_foreach(from, i, entry)
    {
        uint32_t before = r->instance->n_from;
        snprintf(item, sizeof item, "%.480s.%zu", path, i);
        add_from(r, NULL, entry, item);
        for (uint32_t k = 0; k < before && r->instance->n_from > before; k++)
            if (same_stream(&r->instance->from[k], &r->instance->from[before]))
                report_add(r->report, REPORT_ERROR, r->instance->from[before].place, item,
                           "\"%s\" is here twice: take one out", r->instance->from[before].name);
    }
}

static void read_aliases(struct from_reader *r, json_t *from, const char *path)
{
    char item[512];
    if (json_object_size(from) == 0)
        error_at(r->report, job_place(r->job, path, -1), path,
                 "the object is empty: name an instance");
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at)) {
        const char *alias = json_object_iter_key(at);
        snprintf(item, sizeof item, "%.300s.%.200s", path, alias);
        if (!job_name_ok(alias, ""))
            error_at(r->report, places_key(r->job->places, item), item,
                     "an alias has letters, digits and _, and no digit first");
        add_from(r, alias, json_object_iter_value(at), item);
    }
}

/* An object is one whatever option it is for: there is no other text that reads as one. */
json_t *job_word_value(const char *key, const char *text)
{
    json_t *list, *object = *text == '{' ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (object) return object;
    if (strcmp(key, "from") != 0) return json_string(text);
    if (*text == '{' || *text == '[') return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!strchr(text, ',')) return json_string(text);
    list = json_array();
    for (const char *p = text; list; p++) {
        size_t n = strcspn(p, ",");
        if (json_array_append_new(list, json_stringn(p, n)) != 0) {
            json_decref(list);
            return NULL;
        }
        p += n;
        if (!*p) break;
    }
    return list;
}

/* The first element of a one-liner. */
static int starts_line(const struct job_instance *instance)
{
    return instance->from_words && instance->place.line == 1;
}

static void read_from(struct from_reader *r, json_t *from)
{
    char path[512];
    struct job_instance *instance = r->instance;
    snprintf(path, sizeof path, "%.300s.from", instance->path);
    if (instance->kind == JOB_SOURCE) {
        if (from)
            error_at(
                r->report, places_key(r->job->places, path), path,
                "a source reads nothing in the job: take \"from\" out, or move it to operators");
        return;
    }
    if (!from) {
        report_add(r->report, REPORT_ERROR, instance->place, instance->path,
                   starts_line(instance)
                       ? "a one-liner begins with a source, and this is none: put one before it, "
                         "or say from=NAME"
                       : "\"from\" is missing: say which instance it reads");
        return;
    }
    if (json_is_string(from)) add_from(r, NULL, from, path);
    else if (json_is_array(from)) read_list(r, from, path);
    else if (json_is_object(from)) read_aliases(r, from, path);
    else
        error_at(r->report, job_place(r->job, path, -1), path,
                 "must be a name, a list of names, or {alias: name}");
}

/* ---- instances ---- */

static struct job_instance *add_instance(struct job *job, uint32_t kind, const char *name,
                                         const char *path)
{
    struct job_instance *all = realloc(job->instances, (job->n_instances + 1) * sizeof *all);
    if (!all) return NULL;
    job->instances = all;
    struct job_instance *instance = &all[job->n_instances];
    memset(instance, 0, sizeof *instance);
    instance->kind = kind;
    instance->name = strdup(name);
    instance->path = strdup(path);
    job->n_instances++;
    return instance->name && instance->path ? instance : NULL;
}

static const struct job_instance *find_instance(const struct job *job, const char *name)
{
    for (uint32_t i = 0; i < job->n_instances; i++)
        if (job->instances[i].name && strcmp(job->instances[i].name, name) == 0)
            return &job->instances[i];
    return NULL;
}

static void read_plugin(struct job *job, struct job_instance *instance, json_t *value,
                        struct report *report)
{
    char path[512];
    snprintf(path, sizeof path, "%.300s.plugin", instance->path);
    instance->plugin_place = job_place(job, path, -1);
    if (!value)
        report_add(report, REPORT_ERROR, instance->place, instance->path,
                   "\"plugin\" is missing: \"weir list\" shows those there are");
    else if (!json_is_string(value) || !*json_string_value(value))
        error_at(report, instance->plugin_place, path, "must be the name of a plugin in quotes");
    instance->plugin = strdup(json_is_string(value) ? json_string_value(value) : "");
}

static int read_instance(struct job *job, uint32_t kind, const char *path, const char *name,
                         json_t *value, struct report *report)
{
    struct place place = places_key(job->places, path);
    const struct job_instance *other = find_instance(job, name);
    if (!job_name_ok(name, ""))
        error_at(report, place, path,
                 "a name has letters, digits and _, no digit first, and at most "
                 "128 of them: rename the instance");
    if (other)
        report_add(report, REPORT_ERROR, place, path,
                   "the name is taken by %s: names are unique in a job, rename one", other->path);
    if (!json_is_object(value)) {
        error_at(report, job_place(job, path, -1), path,
                 "must be an object, like {\"plugin\": \"name\"} with its options");
        return 1;
    }
    struct job_instance *instance = add_instance(job, kind, name, path);
    if (!instance) return 0;
    instance->place = place;
    instance->from_words = (uint32_t)places_is_text(job->places, path);
    instance->options = json_copy(value);
    read_plugin(job, instance, json_object_get(value, "plugin"), report);
    if (!instance->plugin || !instance->options) return 0;
    struct from_reader r = { job, instance, report, 0 };
    read_from(&r, json_object_get(value, "from"));
    json_object_del(instance->options, "plugin");
    json_object_del(instance->options, "from");
    return !r.failed;
}

static int read_section(struct job *job, const struct section *section, json_t *tree,
                        struct report *report)
{
    json_t *value = json_object_get(tree, section->name);
    struct place place = job_place(job, section->name, -1);
    uint32_t count = 0;
    if (section->kind != JOB_OPERATOR &&
        (!value || (json_is_object(value) && !json_object_size(value))))
        report_add(report, REPORT_ERROR, place, section->name, "the job has no %s: add one",
                   section->name);
    if (!value) return 1;
    if (!json_is_object(value)) {
        error_at(report, place, section->name,
                 "must be an object {name: {\"plugin\": \"…\", options}}");
        return 1;
    }
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        char path[512];
        const char *name = json_object_iter_key(at);
        if (++count > INSTANCES_MAX) {
            error_at(report, place, section->name, "more than 1,000 instances: split the job");
            return 1;
        }
        snprintf(path, sizeof path, "%s.%.400s", section->name, name);
        if (!read_instance(job, section->kind, path, name, json_object_iter_value(at), report))
            return 0;
    }
    return 1;
}

/* Takes `watermark` out of the source number `i` and makes an operator of it. */
static int split_watermark(struct job *job, uint32_t i, struct report *report)
{
    char name[NAME_LIMIT + 16], path[512];
    json_t *options = json_object_get(job->instances[i].options, "watermark");
    if (!options) return 1;
    snprintf(path, sizeof path, "%.400s.watermark", job->instances[i].path);
    snprintf(name, sizeof name, "%.*s.watermark", (int)NAME_LIMIT, job->instances[i].name);
    if (!json_is_object(options)) {
        json_object_del(job->instances[i].options, "watermark");
        return error_at(report, job_place(job, path, -1), path,
                        "must be {\"column\": …, \"delay\": …}") + 1;
    }
    struct job_instance *watermark = add_instance(job, JOB_OPERATOR, name, path);
    if (!watermark) return 0;
    struct job_instance *source = &job->instances[i]; /* all of them may have moved */
    watermark->place = places_key(job->places, path);
    watermark->plugin_place = watermark->place;
    watermark->plugin = strdup("watermark");
    watermark->from_words = source->from_words;
    watermark->options = json_copy(options);
    watermark->from = calloc(1, sizeof *watermark->from);
    json_object_del(source->options, "watermark");
    if (!watermark->plugin || !watermark->from || !watermark->options) return 0;
    watermark->n_from = 1;
    watermark->from->name = strdup(source->name);
    watermark->from->place = watermark->place;
    return watermark->from->name != NULL;
}

/* Readers of a source with a watermark read the watermark. */
static int repoint(struct job *job, uint32_t first)
{
    char name[NAME_LIMIT + 16];
    for (uint32_t i = 0; i < job->n_instances; i++) {
        struct job_instance *instance = &job->instances[i];
        for (uint32_t k = 0; k < instance->n_from && strchr(instance->name, '.') == NULL; k++) {
            struct job_from *from = &instance->from[k];
            if (from->output && strcmp(from->output, "watermark") != 0) continue;
            snprintf(name, sizeof name, "%.*s.watermark", (int)NAME_LIMIT, from->name);
            for (uint32_t w = first; w < job->n_instances; w++) {
                if (strcmp(job->instances[w].name, name) != 0) continue;
                char *other = strdup(name);
                if (!other) return 0;
                if (from->alias) free(from->name);
                else from->alias = from->name;
                free(from->output);
                from->name = other;
                from->output = NULL;
                break;
            }
        }
    }
    return 1;
}

/* Sources, then operators, then sinks, each in the order of the file; a watermark behind the
 * sources. */
static int by_kind(struct job *job)
{
    struct job_instance *sorted = malloc((job->n_instances + 1) * sizeof *sorted);
    uint32_t n = 0;
    if (!sorted) return 0;
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++)
        for (int marks = 1; marks >= 0; marks--)
            for (uint32_t i = 0; i < job->n_instances; i++)
                if (job->instances[i].kind == sections[s].kind &&
                    marks == (strchr(job->instances[i].name, '.') != NULL && s == 1))
                    sorted[n++] = job->instances[i];
    if (n != job->n_instances) abort();
    free(job->instances);
    job->instances = sorted;
    return 1;
}

int instances_read(struct job *job, json_t *tree, struct report *report)
{
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++)
        if (!read_section(job, &sections[s], tree, report)) return -1;
    uint32_t n = job->n_instances;
    for (uint32_t i = 0; i < n; i++)
        if (job->instances[i].kind == JOB_SOURCE && !split_watermark(job, i, report)) return -1;
    if (job->n_instances > n && !repoint(job, n)) return -1;
    return by_kind(job) ? 0 : -1;
}

/* ---- the graph ---- */

/* Who reads whom, by number: inputs[i][k] for from[k] of instance i; NOBODY where the name is
 * unknown. */
#define NOBODY UINT32_MAX

struct graph {
    const struct job *job;
    uint32_t *inputs; /* of all instances, one behind the other */
    uint32_t *first;  /* where those of an instance begin; n_instances + 1 */
    char *state;      /* of the search for circles, see below */
};

static int graph_init(struct graph *graph, const struct job *job)
{
    uint32_t n = job->n_instances, edges = 0;
    graph->job = job;
    for (uint32_t i = 0; i < n; i++) edges += job->instances[i].n_from;
    graph->inputs = malloc((edges + 1) * sizeof *graph->inputs);
    graph->first = malloc((n + 1) * sizeof *graph->first);
    graph->state = calloc(n + 1, 1);
    if (!graph->inputs || !graph->first || !graph->state) return 0;
    edges = 0;
    for (uint32_t i = 0; i < n; i++) {
        graph->first[i] = edges;
        for (uint32_t k = 0; k < job->instances[i].n_from; k++) {
            const struct job_instance *found = find_instance(job, job->instances[i].from[k].name);
            graph->inputs[edges++] = found ? (uint32_t)(found - job->instances) : NOBODY;
        }
    }
    graph->first[n] = edges;
    return 1;
}

static void graph_fini(struct graph *graph)
{
    free(graph->inputs);
    free(graph->first);
    free(graph->state);
}

static void check_from(const struct job *job, const struct job_instance *reader,
                       const struct job_from *from, uint32_t input, struct report *report)
{
    const char *names[256], *nearest;
    uint32_t n = 0;
    if (!job_name_ok(from->name, ".")) return; /* reported already */
    if (input != NOBODY && job->instances[input].kind == JOB_SINK)
        report_add(report, REPORT_ERROR, from->place, reader->path,
                   "\"%s\" is a sink, nothing comes out of it: read what it reads", from->name);
    if (input != NOBODY) return;
    for (uint32_t i = 0; i < job->n_instances && n < 256; i++)
        if (job->instances[i].kind != JOB_SINK && !strchr(job->instances[i].name, '.'))
            names[n++] = job->instances[i].name;
    nearest = nearest_name(from->name, names, n);
    if (nearest)
        report_add(report, REPORT_ERROR, from->place, reader->path,
                   "there is no instance \"%s\": did you mean \"%s\"?", from->name, nearest);
    else
        report_add(report, REPORT_ERROR, from->place, reader->path,
                   "there is no instance \"%s\": name a source or an operator of the job",
                   from->name);
}

/* State of an instance: 0 not settled; CLEAR: no circle before it; WALKED: on the walk at hand;
 * TOLD: walked earlier. After all that can be is clear, the rest are in circles or behind them, and
 * each has an input that is not clear: following the first such input leads into a circle. */
enum { CLEAR = 1, WALKED, TOLD };

static uint32_t unclear_input(const struct graph *graph, uint32_t i)
{
    for (uint32_t e = graph->first[i]; e < graph->first[i + 1]; e++)
        if (graph->inputs[e] != NOBODY && graph->state[graph->inputs[e]] != CLEAR)
            return graph->inputs[e];
    return NOBODY;
}

static void tell_circle(const struct graph *graph, uint32_t start, struct report *report)
{
    char way[400] = "";
    uint32_t i = start;
    const struct job_instance *instance = &graph->job->instances[start];
    do {
        size_t n = strlen(way);
        snprintf(way + n, sizeof way - n, "\"%.100s\" reads ", graph->job->instances[i].name);
        i = unclear_input(graph, i);
    } while (i != start);
    report_add(report, REPORT_ERROR, instance->place, instance->path,
               "streams go round in a circle: %s\"%.100s\"; cut one link", way, instance->name);
}

static void check_circles(struct graph *graph, struct report *report)
{
    uint32_t n = graph->job->n_instances;
    for (int moved = 1; moved;) {
        moved = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (graph->state[i] == CLEAR || unclear_input(graph, i) != NOBODY) continue;
            graph->state[i] = CLEAR;
            moved = 1;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        for (; graph->state[at] == 0; at = unclear_input(graph, at)) graph->state[at] = WALKED;
        if (graph->state[at] == WALKED) tell_circle(graph, at, report);
        for (uint32_t k = 0; k < n; k++)
            if (graph->state[k] == WALKED) graph->state[k] = TOLD;
    }
}

static void check_readers(const struct graph *graph, struct report *report)
{
    const struct job *job = graph->job;
    for (uint32_t i = 0; i < job->n_instances; i++) {
        const struct job_instance *instance = &job->instances[i];
        int read = instance->kind == JOB_SINK;
        for (uint32_t e = 0; e < graph->first[job->n_instances] && !read; e++)
            read = graph->inputs[e] == i;
        if (!read)
            report_add(report, REPORT_WARNING, instance->place, instance->path,
                       "nobody reads \"%s\": its rows go nowhere", instance->name);
    }
}

int instances_check(const struct job *job, struct report *report)
{
    struct graph graph = { 0 };
    int made = graph_init(&graph, job);
    for (uint32_t i = 0; made && i < job->n_instances; i++)
        for (uint32_t k = 0; k < job->instances[i].n_from; k++)
            check_from(job, &job->instances[i], &job->instances[i].from[k],
                       graph.inputs[graph.first[i] + k], report);
    if (made) {
        check_circles(&graph, report);
        check_readers(&graph, report);
    }
    graph_fini(&graph);
    return made ? 0 : -1;
}
