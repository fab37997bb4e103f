/*
 * show.c - a plan as text, for `weir plan`.
 */
#include <stdlib.h>

#include "core/data/array.h"
#include "core/plan/plan.h"

static const char *form_name(uint32_t form)
{
    return form == WEIR_FORM_APPEND ? "append" : form == WEIR_FORM_UPSERT ? "upsert" : "replace";
}

static const char *level_name(const struct plan_node *node)
{
    return node->component->level == WEIR_SINK_TWO_PHASE    ? "exactly once (two-phase)"
           : node->component->level == WEIR_SINK_IDEMPOTENT ? "exactly once (idempotent)"
                                                            : "at least once";
}

struct page {
    void (*line)(void *arg, const char *text);
    void *arg;
};

static void say(const struct page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct page *page, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page->line(page->arg, text);
}

static void print_streams(const struct page *page, const struct plan_node *node)
{
    for (uint32_t k = 0; k < node->n_outputs; k++) {
        const struct plan_stream *stream = &node->outputs[k];
        char *ddl = schema_ddl(&stream->schema);
        say(page, "    %s%s -> %s (%s)", stream->name ? "." : "", stream->name ? stream->name : "rows",
            ddl ? ddl : "?", form_name(stream->form));
        mem_free(ddl);
    }
}

static void print_state(const struct page *page, const struct plan_node *node)
{
    for (uint32_t t = 0; node->stateful && t < store_tables(node->tables); t++) {
        char *signature = store_signature(node->tables, t);
        say(page, "    state %s/%s: %s", node->name, store_table_name(node->tables, t),
            signature ? signature : "?");
        mem_free(signature);
    }
}

static void print_node(const struct page *page, const struct plan_node *node)
{
    static const char *const kinds[] = { "", "source", "", "operator", "sink" };
    static const char *const distributions[] = { "", ", exchange by key",
                                                 ", all rows in one place",
                                                 ", whole partitions" };
    const char *distribution = "";
    if (node->kind == JOB_OPERATOR)
        distribution = distributions[node->bound.distribution[0].kind];
    say(page, "  %s %s (%s)%s%s", kinds[node->kind], node->name, node->component->name,
        distribution, node->has_combine ? ", combined before the exchange" : "");
    for (uint32_t i = 0; i < node->n_inputs; i++)
        say(page, "    from %s%s%s", node->inputs[i]->node->name,
            node->inputs[i]->name ? "." : "", node->inputs[i]->name ? node->inputs[i]->name : "");
    print_streams(page, node);
    print_state(page, node);
    if (node->kind == JOB_SOURCE)
        say(page, "    %s", node->component->capabilities & WEIR_CAP_REPLAYABLE
                                ? "replayable"
                                : "not replayable: spooled where there is a checkpoint");
    if (node->kind == JOB_SINK)
        say(page, "    %s%s", level_name(node), node->from_log ? ", rows from the log" : "");
}

void plan_print(const struct plan *plan, void (*line)(void *arg, const char *text), void *arg)
{
    struct page page = { line, arg };
    uint32_t stages = 0;
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        if (plan->nodes[i]->stage > stages) stages = plan->nodes[i]->stage;
    say(&page, "job %s: %s", plan->job->name,
        plan->ticking ? "every tick is a batch" : "a batch where there is something to do");
    for (uint32_t s = 0; s <= stages; s++) {
        say(&page, "stage %u%s", s, s == 0 ? " (while reading)" : "");
        for (uint32_t i = 0; i < plan->n_nodes; i++)
            if (plan->nodes[i]->stage == s) print_node(&page, plan->nodes[i]);
    }
}
