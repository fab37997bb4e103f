/*
 * position.c - see position.h. A source is created as for a check, never opened, and only when
 * one of its positions is asked for.
 */
#include "tools/weir/position.h"

#include <stdlib.h>

#include "core/plan/bind.h"
#include "tools/weir/text.h"

#define TEXT_BYTES 4096u

struct positions {
    struct weir_sys *sys;
    struct positions_options options;
    struct job *job;
    struct registry *registry, *own;
    struct plan plan; /* of no nodes: what node_open needs */
    struct plan_node **nodes; /* by instance; NULL: not made */
    uint8_t *tried;
};

struct positions *positions_create(struct weir_sys *sys, const struct positions_options *options,
                                   const char *job_text)
{
    struct report report = { 0 };
    struct positions *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->sys = sys;
    p->options = *options;
    p->registry = options->registry;
    if (job_text) p->job = job_from_text(sys, job_text, &report);
    report_fini(&report);
    if (!p->job) return p;
    p->nodes = calloc(p->job->n_instances + 1, sizeof *p->nodes);
    p->tried = calloc(p->job->n_instances + 1, 1);
    if (p->nodes && p->tried) return p;
    positions_destroy(p);
    return NULL;
}

void positions_destroy(struct positions *p)
{
    if (!p) return;
    for (uint32_t i = 0; p->job && p->nodes && i < p->job->n_instances; i++) node_free(p->nodes[i]);
    free(p->nodes);
    free(p->tried);
    if (p->own) registry_destroy(p->own);
    job_free(p->job);
    free(p);
}

static uint32_t instance_of(const struct job *job, const char *name)
{
    uint32_t i = 0;
    while (job && i < job->n_instances && strcmp(job->instances[i].name, name) != 0) i++;
    return i;
}

const char *positions_source(const struct positions *p, const char *instance)
{
    const struct job *job = p->job;
    const char *found = NULL;
    uint32_t n = 0, i = instance_of(job, instance);
    if (!job || i == job->n_instances) return NULL;
    uint32_t *todo = calloc(job->n_instances, sizeof *todo);
    uint8_t *seen = calloc(job->n_instances, 1);
    if (!todo || !seen) goto done;
    todo[n++] = i;
    seen[i] = 1;
    while (n) {
        const struct job_instance *at = &job->instances[todo[--n]];
        if (at->kind == JOB_SOURCE && found) {
            found = NULL;
            break;
        }
        if (at->kind == JOB_SOURCE) found = at->name;
        for (uint32_t k = 0; k < at->n_from; k++) {
            i = instance_of(job, at->from[k].name);
            if (i == job->n_instances || seen[i]) continue;
            seen[i] = 1;
            todo[n++] = i;
        }
    }
done:
    free(todo);
    free(seen);
    return found;
}

static int open_registry(struct positions *p)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { 0 };
    if (p->registry) return 1;
    const uint32_t n = p->options.n_paths + p->job->n_plugin_paths;
    const char **paths = calloc(n + 1, sizeof *paths);
    if (!paths) return 0;
    for (uint32_t i = 0; i < n; i++)
        paths[i] = i < p->options.n_paths ? p->options.paths[i]
                                          : p->job->plugin_paths[i - p->options.n_paths];
    options.paths = paths;
    options.n_paths = n;
    if (registry_create(p->sys, &options, &p->own, &error) == WEIR_OK) p->registry = p->own;
    free(paths);
    return p->registry != NULL;
}

/* A source that compiles expressions finds no functions here. */
static const struct weir_component *find_nothing(void *arg, uint32_t kind, const char *name)
{
    (void)arg, (void)kind, (void)name;
    return NULL;
}

static const char *name_nothing(void *arg, uint32_t i)
{
    (void)arg, (void)i;
    return NULL;
}

/* The source, created; NULL if that can't be done. */
static struct plan_node *node_of(struct positions *p, const char *source)
{
    struct report report = { 0 };
    uint32_t i = source ? instance_of(p->job, source) : 0;
    if (!source || !p->job || i == p->job->n_instances ||
        p->job->instances[i].kind != JOB_SOURCE)
        return NULL;
    if (p->tried[i]) return p->nodes[i];
    p->tried[i] = 1;
    if (!open_registry(p)) return NULL;
    p->plan = (struct plan){ .job = p->job, .sys = p->sys, .registry = p->registry };
    p->plan.env = (struct expr_env){ find_nothing, name_nothing, &weir_host_1, NULL };
    struct plan_node *node = calloc(1, sizeof *node);
    if (!node) return NULL;
    node->kind = JOB_SOURCE;
    node->instance = &p->job->instances[i];
    node->name = node->instance->name;
    if (node_open(&p->plan, node, &report)) {
        p->nodes[i] = node;
    } else {
        node_free(node);
    }
    report_fini(&report);
    return p->nodes[i];
}

char *positions_text(struct positions *p, const char *source, struct weir_bytes bytes)
{
    char text[TEXT_BYTES] = "";
    if (bytes.length == 0) return strdup(""); /* the start, or none */
    struct plan_node *node = node_of(p, source);
    if (node) {
        const struct weir_source *table = node->component->table;
        if (table->position_text(node->self, bytes, text, sizeof text) == WEIR_OK) {
            text[sizeof text - 1] = 0;
            struct weir_bytes said = { (const uint8_t *)text, strlen(text) };
            if (text_printable(said)) return strdup(text);
        }
    }
    return text_printable(bytes) ? strndup((const char *)bytes.data, bytes.length)
                                 : text_hex(bytes);
}
