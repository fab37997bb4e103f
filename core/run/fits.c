/*
 * fits.c - does a job fit what its checkpoint holds? A start asks before it changes anything, and
 * `weir check` asks the same: so they refuse the same, in the same words, and all of it at once.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/run/checkpoint.h"
#include "core/run/cp.h"

struct fits {
    struct run *run;
    struct checkpoint *cp;
    struct report *report;
    struct record_table *now; uint32_t n_now; /* tables of the job */
    json_t *logged;                           /* the job of the log; NULL: none */
    const char **gone; uint32_t n_gone;       /* sources of the log that the job does not have,
                                                 or reads by another plugin */
    uint32_t refused;
};

/* The report leaves out what it has already, so it does not count. */
#define REFUSE(f, place, path, ...)                                                                \
    ((f)->refused++, report_add((f)->report, REPORT_ERROR, place, path, __VA_ARGS__))

static struct place place_of(const struct fits *f, const char *path)
{
    return job_place(f->run->job, path, -1);
}

/* ---- state ---- */

/* Of a signature: without the mark behind which nothing more stands. */
static int shown(const char *signature)
{
    size_t n = strlen(signature);
    while (n > 0 && strchr(" ;", signature[n - 1])) n--;
    return (int)n;
}

/* Has the job an operator of the first n bytes of `name` that keeps state? */
static int has_operator(const struct run *run, const char *name, int n)
{
    char operator[256];
    snprintf(operator, sizeof operator, "%.*s", n, name);
    const struct plan_node *node = plan_node(run->plan, operator);
    return node && node->kind == JOB_OPERATOR && node->stateful;
}

/* Every table with state in the log must be in the job, with a shape that fits. */
static void check_table(struct fits *f, const struct record_table *table)
{
    const char *name = table->name, *was = table->signature;
    const char *is = cp_signature_of(f->now, f->n_now, name);
    const int n = (int)strcspn(name, "/");
    char path[256];
    if (cp_dropped(f->run, name)) return;
    if (!is && has_operator(f->run, name, n)) {
        snprintf(path, sizeof path, "operators.%.*s", n, name);
        REFUSE(f, place_of(f, path), path,
               "the checkpoint holds state \"%s\", which \"%.*s\" does not keep any more: go back, "
               "or drop it with --drop %s, or all of its state with --drop %.*s", name, n, name,
               name, n, name);
    } else if (!is) {
        REFUSE(f, place_of(f, "operators"), "operators",
               "the checkpoint holds state \"%s\", which the job does not have: put the "
               "operator back, or drop its state with --drop %.*s", name, n, name);
    } else if (strcmp(was, is) != 0 && !store_signature_fits(was, is)) {
        snprintf(path, sizeof path, "operators.%.*s", n, name);
        REFUSE(f, place_of(f, path), path,
               "state \"%s\" does not fit the job: it was (%.*s) and would be (%.*s); go back, "
               "or drop it with --drop %.*s", name, shown(was), was, shown(is), is, n, name);
    }
}

/* ---- sources ---- */

static int has_instance(const struct run *run, uint32_t kind, const char *name)
{
    const struct plan_node *node = plan_node(run->plan, name);
    return node && node->kind == kind;
}

static const json_t *source_in(const json_t *job, const char *name)
{
    return json_object_get(json_object_get(job, "sources"), name);
}

static const char *logged_plugin(const struct fits *f, const char *source)
{
    return json_string_value(json_object_get(source_in(f->logged, source), "plugin"));
}

/* Positions mean something only to the plugin that gave them. */
static int has_source(const struct fits *f, const char *source)
{
    const struct plan_node *node = plan_node(f->run->plan, source);
    const char *was = logged_plugin(f, source);
    if (!node || node->kind != JOB_SOURCE) return 0;
    return !was || strcmp(was, node->instance->plugin) == 0 ||
           registry_find(f->run->registry, WEIR_KIND_SOURCE, was) ==
               registry_find(f->run->registry, WEIR_KIND_SOURCE, node->instance->plugin);
}

static void note_gone(struct fits *f, const char *source)
{
    if (has_source(f, source)) return;
    for (uint32_t i = f->n_gone; i-- > 0;)
        if (strcmp(f->gone[i], source) == 0) return;
    f->gone[f->n_gone++] = source;
}

static int find_gone(struct fits *f)
{
    const struct checkpoint *cp = f->cp;
    const uint32_t n_moves = cp->has_plan ? cp->plan.n_moves : 0;
    f->logged = cp->logged_text ? json_loads(cp->logged_text, 0, NULL) : NULL;
    if (cp->logged_text && !f->logged) return 0;
    f->gone = calloc((size_t)cp->n_positions + n_moves + 1, sizeof *f->gone);
    if (!f->gone) return 0;
    for (uint32_t i = 0; i < cp->n_positions; i++) note_gone(f, cp->positions[i].source);
    for (uint32_t i = 0; i < n_moves; i++) note_gone(f, cp->plan.moves[i].source);
    return 1;
}

/* 1: the batch that is to be run again under this job has rows of the source. */
static int is_planned(const struct fits *f, const char *source)
{
    const struct checkpoint *cp = f->cp;
    if (!cp->has_plan || !f->run->options->replan || f->run->only_pending) return 0;
    for (uint32_t i = 0; i < cp->plan.n_moves; i++)
        if (strcmp(cp->plan.moves[i].source, source) == 0) return 1;
    return 0;
}

static void refuse_gone(struct fits *f, const char *source)
{
    const struct plan_node *node = plan_node(f->run->plan, source);
    char path[256];
    if (is_planned(f, source)) {
        REFUSE(f, place_of(f, "sources"), "sources",
               "the pending batch has rows of source \"%s\", which the job does not have: put "
               "it back until the batch is finished, or leave --replan out to finish it as it "
               "was planned", source);
    } else if (cp_dropped(f->run, source)) {
        return;
    } else if (node && node->kind == JOB_SOURCE) {
        snprintf(path, sizeof path, "sources.%s.plugin", source);
        REFUSE(f, place_of(f, path), path,
               "the checkpoint holds how far \"%s\" was read by plugin %s, which means nothing to "
               "%s: go back, or forget it with --drop %s (it begins at its own start, and so does "
               "the old one if it comes back)", source, logged_plugin(f, source),
               node->instance->plugin, source);
    } else {
        REFUSE(f, place_of(f, "sources"), "sources",
               "the checkpoint holds how far source \"%s\" was read, and the job does "
               "not have it: put it back under that name, or forget it with --drop %s "
               "(what another source reads begins at that one's own start)", source, source);
    }
}

/* "a", "b", … of the partitions; their number. */
static uint32_t name_partitions(const struct checkpoint *cp, const char *source, char *out,
                                size_t size)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < cp->n_positions; i++) {
        const struct cp_position *position = &cp->positions[i];
        if (strcmp(position->source, source) != 0) continue;
        size_t at = strlen(out);
        if (n < 3)
            snprintf(out + at, size - at, "%s\"%.100s\"", n ? ", " : "", position->partition);
        if (n++ == 3) snprintf(out + at, size - at, ", …");
    }
    return n;
}

/* It reads elsewhere. What is not there is no longer known, and would be read again later. */
static void warn_moved(struct fits *f, const struct plan_node *node, const char *option)
{
    char names[400] = "", path[256], text[900];
    uint32_t n = name_partitions(f->cp, node->name, names, sizeof names);
    if (n == 0) return;
    snprintf(path, sizeof path, "sources.%s.%s", node->name, option);
    snprintf(text, sizeof text,
             "\"%s\" has another %s than when it read %u partition%s (%s): how far those were read "
             "is forgotten where they are not found now, and they are read from their start if "
             "they come back", node->name, option, n, n == 1 ? "" : "s", names);
    if (f->run->checks)
        report_add(f->report, REPORT_WARNING, place_of(f, path), path, "%s", text);
    else
        journal_add(f->run->journal, WEIR_LOG_WARN, node->name, -1, "%s", text);
}

static void check_place(struct fits *f, const struct plan_node *node)
{
    const struct weir_component *component = node->component;
    const json_t *was = source_in(f->logged, node->name);
    const json_t *is = source_in(f->run->job->canonical, node->name);
    const char *at = (const char *)component->options;
    for (uint32_t i = 0; i < component->n_options && was && is; i++) {
        const struct weir_option *option = (const struct weir_option *)(const void *)at;
        at += option->size;
        const json_t *before = json_object_get(was, option->name);
        const json_t *now = json_object_get(is, option->name);
        if (!(option->flags & WEIR_OPTION_PLACE) || (!before && !now)) continue;
        if (json_equal(before, now)) continue;
        warn_moved(f, node, option->name);
        return;
    }
}

/* Under another name it would be read from its start again. */
static void check_sources(struct fits *f)
{
    for (uint32_t i = 0; i < f->n_gone; i++) refuse_gone(f, f->gone[i]);
    for (uint32_t i = 0; i < f->run->plan->n_nodes && !f->run->only_pending; i++) {
        const struct plan_node *node = f->run->plan->nodes[i];
        if (node->kind == JOB_SOURCE && node->component && has_source(f, node->name))
            check_place(f, node);
    }
}

/* ---- sinks ---- */

static void check_sinks(struct fits *f)
{
    const struct checkpoint *cp = f->cp;
    for (uint32_t i = 0; i < cp->n_committables; i++)
        if (!has_instance(f->run, JOB_SINK, cp->committables[i].sink))
            REFUSE(f, place_of(f, "sinks"), "sinks",
                   "batch %llu of sink \"%s\" is not committed yet, and the job does not have "
                   "that sink: put it back until it is",
                   (unsigned long long)cp->committables[i].batch, cp->committables[i].sink);
    for (uint32_t i = 0; i < cp->n_outputs; i++)
        if (!has_instance(f->run, JOB_SINK, cp->outputs[i].sink))
            REFUSE(f, place_of(f, "sinks"), "sinks",
                   "sink \"%s\" has not got batch %llu yet, and the job does not have that "
                   "sink: put it back until it has", cp->outputs[i].sink,
                   (unsigned long long)cp->outputs[i].output.batch);
}

/* ---- what is to be dropped ---- */

static int has_table(const struct record_table *tables, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (cp_belongs(tables[i].name, name)) return 1;
    return 0;
}

static void list_name(char *out, size_t size, const char *name)
{
    size_t at = strlen(out);
    snprintf(out + at, size - at, "%s%s", at ? ", " : "", name);
}

/* What has state, by the names that `--drop` takes: each instance once. */
static void list_tables(const struct record_table *tables, uint32_t n, char *out, size_t size)
{
    for (uint32_t i = 0; i < n; i++) {
        char name[160];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(tables[i].name, "/"), tables[i].name);
        if (!has_table(tables, i, name)) list_name(out, size, name);
    }
}

static int is_gone(const struct fits *f, const char *name)
{
    for (uint32_t i = 0; i < f->n_gone; i++)
        if (strcmp(f->gone[i], name) == 0) return 1;
    return 0;
}

/* A name that nothing has, now or in the log, is a slip: what was meant would stay. */
static void check_drop(struct fits *f, const char *name)
{
    const struct checkpoint *cp = f->cp;
    char names[512] = "", logged[512] = "";
    if (has_table(f->now, f->n_now, name) || has_table(cp->tables, cp->n_tables, name) ||
        is_gone(f, name))
        return;
    list_tables(f->now, f->n_now, names, sizeof names);
    list_tables(cp->tables, cp->n_tables, logged, sizeof logged);
    for (uint32_t i = 0; i < f->n_gone; i++) list_name(logged, sizeof logged, f->gone[i]);
    REFUSE(f, ((struct place){ "command line", 0, 0 }), "",
           "--drop %s: nothing of that name has state; in the job: %s; in the checkpoint: %s",
           name, *names ? names : "no operators", *logged ? logged : "none");
}

int checkpoint_fits(struct run *run, struct report *report)
{
    struct checkpoint *cp = run->checkpoint;
    struct fits f = { .run = run, .cp = cp, .report = report };
    const int known = cp_signatures(run, &f.now, &f.n_now) == WEIR_OK && find_gone(&f);
    if (!known) {
        report_add(report, REPORT_ERROR, (struct place){ run->job->file, 0, 0 }, "",
                   "out of memory");
    } else {
        for (uint32_t i = 0; i < cp->n_tables; i++) check_table(&f, &cp->tables[i]);
        check_sources(&f);
        if (!run->owed_are_settled) check_sinks(&f);
        for (uint32_t i = 0; i < run->options->n_drop && !run->only_pending; i++)
            check_drop(&f, run->options->drop[i]);
    }
    cp_signatures_free(f.now, f.n_now);
    free(f.gone);
    json_decref(f.logged);
    return known && !f.refused;
}
