/*
 * plan.c - a job becomes a plan: instances in topological order, unions put in where a job names several
 * inputs, nodes bound, stages numbered, pipes drawn.
 *
 * It is made twice where that lets a source read less: the first plan tells which columns of each source
 * somebody reads (needs.c), the second one binds the formats to just those.
 *
 * Mistakes. Every one is to be found in one run, and none that only follows from another. So:
 *  1. A node with mistakes is bound all the same, as far as it can be: mistakes of its expressions are told
 *     one by one, and stand-ins take their place (host_expr.c).
 *  2. What could not be learnt of a stream is marked in its schema (data/unknown.c); one behind wrong options is
 *     marked as unsure. A node that reads such a stream is unsure, too: expressions leave out what they can't know, and
 *     what the plugin itself says is not told.
 *  3. An instance that reads one that does not exist, or goes round in a circle, reads `nowhere`.
 */
#include "core/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/data/array.h"
#include "core/plan/bind.h"
#include "core/plan/needs.h"
#include "core/plan/rules.h"

/* ---- functions of expressions ---- */

static const struct weir_component *env_find(void *arg, uint32_t kind, const char *name)
{
    struct weir_error error = WEIR_ERROR_INIT;
    const struct weir_component *component = NULL;
    if (!registry_find(arg, kind, name)) return NULL;
    return registry_open(arg, kind, name, &component, &error) == WEIR_OK ? component : NULL;
}

static const char *env_name(void *arg, uint32_t i)
{
    for (uint32_t k = 0; k < registry_components(arg); k++) {
        const struct component_info *info = registry_component(arg, k);
        if (info->kind != WEIR_KIND_SCALAR && info->kind != WEIR_KIND_AGGREGATE) continue;
        if (i-- == 0) return info->name;
    }
    return NULL;
}

/* ---- nodes ---- */

static struct plan_node *node_add(struct plan *plan, uint32_t kind,
                                  const struct job_instance *instance)
{
    struct plan_node **nodes =
        realloc(plan->nodes, (plan->n_nodes + 1) * sizeof *plan->nodes);
    if (!nodes) return NULL;
    plan->nodes = nodes;
    struct plan_node *node = calloc(1, sizeof *node);
    if (!node) return NULL;
    node->plan = plan;
    node->kind = kind;
    node->instance = instance;
    node->name = instance ? instance->name : "union";
    node->index = plan->n_nodes;
    node->bytes_column = node->head_column = -1;
    node->wanted.columns = UINT64_MAX;
    node->origin = kind == JOB_SOURCE;
    for (int k = 0; k < 4; k++) node->pipe.root[k] = -1;
    nodes[plan->n_nodes++] = node;
    return node;
}

struct plan_node *plan_node(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        if (plan->nodes[i]->instance && strcmp(plan->nodes[i]->name, name) == 0)
            return plan->nodes[i];
    return NULL;
}

/* The stream that `from` names. One that is not there is nowhere: reported, if not by the job. */
static struct plan_stream *find_stream(struct plan *plan, const struct job_instance *reader,
                                       const struct job_from *from, struct report *report)
{
    struct plan_node *node = plan_node(plan, from->name);
    if (!node || node->n_outputs == 0) return &plan->nowhere.outputs[0];
    if (!from->output || node->unknown) return &node->outputs[0];
    const char *names[4];
    uint32_t n = 0;
    for (uint32_t k = 0; k < node->n_outputs; k++) {
        if (!node->outputs[k].name) continue;
        if (strcmp(node->outputs[k].name, from->output) == 0) return &node->outputs[k];
        names[n++] = node->outputs[k].name;
    }
    const char *nearest = nearest_name(from->output, names, n);
    report_add(report, REPORT_ERROR, from->place, reader->path,
               "\"%s\" has no output \"%s\"%s%s%s", from->name, from->output,
               nearest ? "; did you mean \"" : (n ? "" : ": it has its main output only"),
               nearest ? nearest : "", nearest ? "\"?" : "");
    return &plan->nowhere.outputs[0];
}

/* The output of a node that could not be bound: nothing is known of it. */
static int outputs_unknown(struct plan_node *node)
{
    for (uint32_t k = 0; k < 4; k++) {
        schema_release(&node->outputs[k].schema);
        memset(&node->outputs[k], 0, sizeof node->outputs[k]);
    }
    node->unknown = 1;
    node->n_outputs = 1;
    node->outputs[0] = (struct plan_stream){ .node = node, .form = WEIR_FORM_APPEND, .slide = 1,
                                             .time_column = -1 };
    return schema_open(&node->outputs[0].schema) == WEIR_OK;
}

/* Is all known that the node reads? Else it is unsure. */
static void node_inputs_known(struct plan_node *node)
{
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]->unsure || schema_has_unknown(&node->inputs[i]->schema))
            node->unsure = 1;
}

static int keeps_apart(const struct plan_node *node)
{
    return node->kind == JOB_OPERATOR && node->component &&
           (node->component->capabilities & WEIR_CAP_MANY_INPUTS);
}

static struct plan_stream *make_union(struct plan *plan, struct plan_stream **streams, uint32_t n,
                                      struct plan_node *reader, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    /* the reader is the last node: the union goes before it */
    struct plan_node *node = node_add(plan, JOB_OPERATOR, NULL);
    if (!node) return NULL;
    plan->nodes[plan->n_nodes - 2] = node;
    plan->nodes[plan->n_nodes - 1] = reader;
    node->index = plan->n_nodes - 2;
    reader->index = plan->n_nodes - 1;
    memcpy(node->inputs, streams, n * sizeof *streams);
    node->n_inputs = n;
    if (registry_open(plan->registry, WEIR_KIND_OPERATOR, "union", &node->component, &error) !=
        WEIR_OK) {
        report_add(report, REPORT_ERROR, reader->instance->place, reader->instance->path,
                   "several inputs need the operator \"union\": %s", error.text);
        return NULL;
    }
    node_inputs_known(node);
    if ((!node_open(plan, node, report) || !node_bind_operator(plan, node, report)) &&
        !outputs_unknown(node))
        return NULL;
    return &node->outputs[0];
}

static int connect_inputs(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct plan_stream *streams[16];
    const struct job_instance *instance = node->instance;
    if (instance->n_from == 0) { /* reported with the job */
        node->n_inputs = 1;
        node->inputs[0] = &plan->nowhere.outputs[0];
        return 1;
    }
    if (instance->n_from > 16) {
        report_add(report, REPORT_ERROR, instance->place, instance->path,
                   "%u inputs are too many: 16 at most; put unions in between", instance->n_from);
        return 0;
    }
    for (uint32_t i = 0; i < instance->n_from; i++)
        streams[i] = find_stream(plan, instance, &instance->from[i], report);
    if (instance->n_from > 1 && node->component && !keeps_apart(node)) {
        streams[0] = make_union(plan, streams, instance->n_from, node, report);
        if (!streams[0]) return 0;
        node->n_inputs = 1;
    } else {
        node->n_inputs = instance->n_from;
    }
    memcpy(node->inputs, streams, node->n_inputs * sizeof *streams);
    return 1;
}

/* Binds what was opened and connected; 1 if its outputs are known as far as they can be. */
static int node_bind(struct plan *plan, struct plan_node *node, struct report *report)
{
    if (node->kind == JOB_SOURCE) return node_bind_source(plan, node, report);
    if (node->kind == JOB_OPERATOR) return node_bind_operator(plan, node, report);
    return node->unsure || node_bind_sink(plan, node, report);
}

/* 1 if the node is good. */
static int node_make(struct plan *plan, const struct job_instance *instance,
                     const struct plan_wanted *wanted, struct report *report)
{
    struct plan_node *node = node_add(plan, instance->kind, instance);
    if (!node) return 0;
    if (wanted) node->wanted = *wanted;
    node->report = report;
    node->unsure = plan->job->unsure != 0;
    int opened = node_open(plan, node, report);
    int connected = instance->kind == JOB_SOURCE || connect_inputs(plan, node, report);
    /* with other options it might have other columns, unless they are declared */
    int open = node->mistakes && !(instance->kind == JOB_SOURCE && node->options &&
                                   options_given(node->options, "columns"));
    node_inputs_known(node);
    int unsure = node->unsure;
    int bound = opened && connected && node_bind(plan, node, report);
    node->report = NULL;
    if (node->kind != JOB_SINK && !bound && !outputs_unknown(node)) return 0;
    for (uint32_t k = 0; k < node->n_outputs; k++) {
        node->outputs[k].unsure = unsure;
        if (open && schema_open(&node->outputs[k].schema) != WEIR_OK) return 0;
    }
    return bound && !node->mistakes && !node->unsure;
}

static int is_ready(const struct job *job, uint32_t i, const char *made)
{
    const struct job_instance *instance = &job->instances[i];
    for (uint32_t k = 0; k < instance->n_from; k++)
        for (uint32_t j = 0; j < job->n_instances; j++)
            if (!made[j] && strcmp(job->instances[j].name, instance->from[k].name) == 0) return 0;
    return 1;
}

/* Instances in an order in which each comes behind what it reads. A circle is reported already, and cut
 * somewhere. */
static int make_nodes(struct plan *plan, const struct plan_wanted *wanted, struct report *report)
{
    const struct job *job = plan->job;
    char *made = calloc(job->n_instances ? job->n_instances : 1, 1);
    int good = made != NULL && outputs_unknown(&plan->nowhere), cut = 0;
    for (uint32_t left = job->n_instances; made && left;) {
        const uint32_t before = left;
        for (uint32_t i = 0; i < job->n_instances; i++) {
            if (made[i] || !(cut || is_ready(job, i, made))) continue;
            good &= !cut;
            cut = 0;
            made[i] = 1;
            left--;
            good &= node_make(plan, &job->instances[i], wanted ? &wanted[i] : NULL, report);
        }
        if (left == before) cut = 1; /* they go round: one is made before what it reads */
    }
    free(made);
    return good;
}

/* ---- what follows from the graph ---- */

static void number_stages(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        struct plan_node *node = plan->nodes[i];
        node->index = i;
        uint32_t before = 0;
        int flags_deterministic =
            node->kind != JOB_OPERATOR ||
            ((node->component->capabilities & WEIR_CAP_DETERMINISTIC) &&
             !(node->bound.flags & WEIR_PLAN_NONDETERMINISTIC));
        node->deterministic = flags_deterministic;
        for (uint32_t k = 0; k < node->n_inputs; k++) {
            const struct plan_node *input = node->inputs[k]->node;
            if (input->stage > before) before = input->stage;
            if (!input->deterministic) node->deterministic = 0;
            node->inputs[k]->readers++;
        }
        node->stage = node->kind == JOB_OPERATOR && node->origin ? before + 1 : before;
    }
}

/* The first operator on the way to a node that is not deterministic itself. */
static const struct plan_node *not_deterministic(const struct plan_node *node)
{
    for (uint32_t k = 0; k < node->n_inputs; k++)
        if (!node->inputs[k]->node->deterministic) return not_deterministic(node->inputs[k]->node);
    return node;
}

/* A table is read when the job runs: its file may be made until then. */
static void warn_of_table(struct plan *plan, const struct plan_node *node, struct report *report)
{
    struct weir_value file = { .size = sizeof file };
    struct sys_stat is;
    char path[256];
    if (node->kind != JOB_OPERATOR || !node->options || !plan->sys) return;
    if (options_get(node->options, "table.path", &file) != WEIR_OK) return;
    if (sys_stat_path(plan->sys, file.text, &is) != -ENOENT) return;
    snprintf(path, sizeof path, "%s.table.path", node->instance->path);
    report_add(report, REPORT_WARNING, job_place(plan->job, path, -1), path,
               "there is no such file yet: it has to be there when the job starts");
}

/* Main outputs that nobody reads are told with the job (instances_check). */
static void warn_of_outputs(const struct plan_node *node, struct report *report)
{
    if (!(node->bound.flags & WEIR_PLAN_OUTPUTS_ASKED)) return;
    for (uint32_t k = 1; k < node->n_outputs; k++)
        if (node->outputs[k].readers == 0)
            report_add(report, REPORT_WARNING, node->instance->place, node->instance->path,
                       "nobody reads \"%s.%s\": its rows go nowhere", node->name,
                       node->outputs[k].name);
}

static void warn(struct plan *plan, struct report *report)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        warn_of_table(plan, plan->nodes[i], report);
        warn_of_outputs(plan->nodes[i], report);
    }
    for (uint32_t i = 0; i < plan->n_nodes && plan->job->checkpoint; i++) {
        const struct plan_node *node = plan->nodes[i];
        if (node->from_log)
            report_add(report, REPORT_WARNING, node->instance->place, node->instance->path,
                       "\"%s\" may give other rows when a batch runs again: so this sink gets its rows "
                       "from the log, after the batch is safe", not_deterministic(node)->name);
    }

    const struct job *job = plan->job;
    struct place top = { job->file, 0, 0 };
    if (!job->checkpoint)
        report_add(report, REPORT_WARNING, top, "checkpoint",
                   "there is no checkpoint: after a stop the job begins anew, at most once");
}

static int check_whole(struct plan *plan, struct report *report)
{
    const struct job *job = plan->job;
    struct place place = job_place(job, "trigger", -1);
    int good = 1;
    if (job->unsure) return 0;
    if (plan->ticking && job->trigger == TRIGGER_ASAP) {
        report_add(report, REPORT_ERROR, place, "trigger",
                   "a job whose operators speak in every batch needs an interval: use \"1s\" or so");
        good = 0;
    }
    good &= plan_places(plan, report);
    return plan_rules(plan, report) && good;
}

static void find_from_log(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        struct plan_node *node = plan->nodes[i];
        node->from_log = node->kind == JOB_SINK && !node->deterministic &&
                         node->component->level != WEIR_SINK_TWO_PHASE;
    }
}

static struct plan *plan_build(const struct job *job, struct registry *registry,
                               struct weir_sys *sys, struct journal *journal, uint64_t hash_seed,
                               const struct plan_wanted *wanted, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->job = job;
    plan->sys = sys;
    plan->registry = registry;
    plan->journal = journal;
    plan->env = (struct expr_env){ env_find, env_name, &weir_host_1, registry };
    plan->store = store_create(hash_seed);
    int good = plan->store && make_nodes(plan, wanted, report);
    good &= check_whole(plan, report) & plan_pins(plan, report);
    if (good) {
        number_stages(plan);
        find_from_log(plan);
    }
    if (good && plan_pipes(plan, &error) != WEIR_OK) {
        report_add(report, REPORT_ERROR, (struct place){ job->file, 0, 0 }, "", "%s", error.text);
        good = 0;
    }
    if (good) return plan;
    if (report->errors == 0)
        report_add(report, REPORT_ERROR, (struct place){ job->file, 0, 0 }, "", "out of memory");
    plan_destroy(plan);
    return NULL;
}

struct plan *plan_create(const struct job *job, struct registry *registry, struct weir_sys *sys,
                         struct journal *journal, uint64_t hash_seed, uint32_t flags,
                         struct report *report)
{
    struct plan *plan = plan_build(job, registry, sys, journal, hash_seed, NULL, report);
    if (!plan) return NULL;
    struct plan_wanted *wanted = calloc(job->n_instances ? job->n_instances : 1, sizeof *wanted);
    if (wanted && plan_needs(plan, wanted)) {
        struct plan *lean = plan_build(job, registry, sys, journal, hash_seed, wanted, report);
        plan_destroy(plan);
        plan = lean;
    }
    free(wanted);
    if (plan && (flags & PLAN_CHECK)) warn(plan, report);
    return plan;
}

void plan_destroy(struct plan *plan)
{
    if (!plan) return;
    for (uint32_t i = plan->n_nodes; i-- > 0;) node_free(plan->nodes[i]);
    free(plan->nodes);
    schema_release(&plan->nowhere.outputs[0].schema);
    store_destroy(plan->store);
    free(plan);
}
