/*
 * rules.c - what must hold for a job as a whole where it says `output_mode`: the rules that Spark has for
 * a query (UnsupportedOperationChecker), on the graph with its change forms.
 *
 * The mode of a query says what its result is: rows that never change (append), rows that replace
 * earlier ones (update), or the whole table each time (complete). Forms of streams are these three. So:
 *
 *  1. What goes into a sink has the form of the mode: plain rows in append mode, no tables in update mode,
 *     tables in complete mode, which need an aggregation. (Update mode lets plain rows pass: they
 *     replace nothing.) Named outputs are asides, such as late rows, and free of this.
 *  2. State over rows that replace earlier ones would count those twice, since nothing takes them
 *     out again. In update and complete mode an aggregation gives such rows, so none stands behind it,
 *     nor a deduplication. Operators that know better say WEIR_PLAN_ANY_MODE. There is one aggregation
 *     (WEIR_PLAN_AGGREGATES) on the way then, also where the first of two would append.
 *  3. A join of streams with state gives a pair once, when both are there, and an outer row once it is
 *     final: append is what it can do.
 *
 *  4. An operator whose author says how its rows are meant (WEIR_PLAN_APPENDS, WEIR_PLAN_UPDATES: the
 *     function mode of group_state) goes with that mode of the query. Beside an aggregation, whose rows
 *     are the result, it has to append.
 *
 * A query is all that comes to one sink: what stands in a job beside it is another one.
 *
 * Rules of one operator alone (append needs a watermark, order needs a table, limit no changes) are
 * those of its bind. Without `output_mode` in the job each operator goes by its own, and the forms that
 * sinks accept are the only rule.
 */
#include "core/plan/rules.h"

#include "core/data/array.h"
#include "core/plan/bind.h"

struct rules {
    const struct plan *plan;
    struct report *report;
    uint32_t mode;                   /* of the job; 0: not given */
    const struct plan_node **before; /* room for all nodes, and nowhere */
    uint8_t *aggregated;             /* by node: a query that it is in has an aggregation */
};

static int refuse(const struct plan_node *node, struct report *report, const char *text,
                  const char *mode, const struct plan_stream *stream)
{
    char line[512];
    snprintf(line, sizeof line, text, mode, stream->node->name);
    report_add(report, REPORT_ERROR, node->instance->place, node->instance->path, "%s", line);
    return 0;
}

static int sink_fits(const struct plan_node *sink, uint32_t mode, struct report *report)
{
    const struct plan_stream *stream = sink->n_inputs ? sink->inputs[0] : NULL;
    if (!stream || stream->name || stream->unsure || schema_is_open(&stream->schema)) return 1;
    if (mode == WEIR_FORM_APPEND && stream->form != WEIR_FORM_APPEND)
        return refuse(sink, report,
                      "the job is in output_mode %s, in which a row is given once, but \"%s\" gives "
                      "rows that change: leave output_mode to the operators, or let this one append",
                      "append", stream);
    if (mode == WEIR_FORM_UPSERT && stream->form == WEIR_FORM_REPLACE)
        return refuse(sink, report,
                      "the job is in output_mode %s, but \"%s\" gives its whole table: leave "
                      "output_mode to the operators, or let this one update",
                      "update", stream);
    if (mode == WEIR_FORM_REPLACE && stream->form != WEIR_FORM_REPLACE)
        return refuse(sink, report,
                      "the job is in output_mode %s, but \"%s\" gives no table: complete needs an "
                      "aggregation, whose table is given in every batch; take append or update",
                      "complete", stream);
    return 1;
}

/* Adds the nodes whose rows come to `node` to seen[0 … n), and gives how many are there then. */
static uint32_t nodes_before(const struct plan_node *node, const struct plan_node **seen, uint32_t n)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        const struct plan_node *from = node->inputs[i]->node;
        uint32_t k = 0;
        while (k < n && seen[k] != from) k++;
        if (k < n) continue;
        seen[n] = from;
        n = nodes_before(from, seen, n + 1);
    }
    return n;
}

static int is_aggregation(const struct plan_node *node)
{
    return (node->bound.flags & WEIR_PLAN_AGGREGATES) && node->n_outputs;
}

/* What comes to each sink is a query. */
static void mark_aggregated(struct rules *r)
{
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        if (r->plan->nodes[i]->kind != JOB_SINK) continue;
        const uint32_t n = nodes_before(r->plan->nodes[i], r->before, 0);
        uint32_t k = 0;
        while (k < n && !is_aggregation(r->before[k])) k++;
        for (uint32_t m = 0; k < n && m < n; m++)
            if (r->before[m] != &r->plan->nowhere) r->aggregated[r->before[m]->index] = 1;
    }
}

/* Where the job updates or completes a table there is one aggregation on the way, even if it appends. */
static int one_aggregation(const struct rules *r, const struct plan_node *node)
{
    int good = 1;
    for (uint32_t n = nodes_before(node, r->before, 0), k = 0; good && k < n; k++)
        if (is_aggregation(r->before[k]))
            good = refuse(node, r->report,
                          "in output_mode %s one aggregation gives the table, and \"%s\" is one "
                          "before this: take append, or leave output_mode to the operators",
                          r->plan->job->output_mode, &r->before[k]->outputs[0]);
    return good;
}

static int state_fits(const struct rules *r, const struct plan_node *node)
{
    const char *word = r->plan->job->output_mode;
    if (!node->stateful || !node->instance || (node->bound.flags & WEIR_PLAN_ANY_MODE)) return 1;
    if (r->mode != WEIR_FORM_APPEND && node->n_inputs > 1)
        return refuse(node, r->report,
                      "in output_mode %s streams can't be joined (the first is \"%s\"): a join gives "
                      "each pair once; take append",
                      word, node->inputs[0]);
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (!node->inputs[i]->unsure && !schema_is_open(&node->inputs[i]->schema) &&
            node->inputs[i]->form != WEIR_FORM_APPEND)
            return refuse(node, r->report,
                          "in output_mode %s \"%s\" gives rows that replace earlier ones, which state "
                          "behind it would count again: take append",
                          word, node->inputs[i]);
    return r->mode == WEIR_FORM_APPEND || !is_aggregation(node) || one_aggregation(r, node);
}

static int function_fits(const struct rules *r, const struct plan_node *node)
{
    const uint32_t flags = node->bound.flags;
    if (!(flags & (WEIR_PLAN_APPENDS | WEIR_PLAN_UPDATES)) || node->n_outputs == 0) return 1;
    if (flags & WEIR_PLAN_APPENDS && r->mode == WEIR_FORM_UPSERT && !r->aggregated[node->index])
        return refuse(node, r->report,
                      "the job is in output_mode %s, but \"%s\" says that it appends: give both the "
                      "same output_mode, or put an aggregation behind it",
                      "update", &node->outputs[0]);
    if (flags & WEIR_PLAN_UPDATES && r->aggregated[node->index])
        return refuse(node, r->report,
                      "the job is in output_mode %s, and rows that \"%s\" updates don't go with an "
                      "aggregation, which would count them again: let it append",
                      r->plan->job->output_mode, &node->outputs[0]);
    return 1;
}

/* Rule 2 for rows of which only their author says that they replace earlier ones, also where the job says
 * nothing. What function_fits refuses is not told twice. */
static int counts_no_updates(const struct rules *r, const struct plan_node *node)
{
    if (!node->stateful || !node->instance || (node->bound.flags & WEIR_PLAN_ANY_MODE)) return 1;
    for (uint32_t k = nodes_before(node, r->before, 0); k-- > 0;)
        if ((r->before[k]->bound.flags & WEIR_PLAN_UPDATES) && r->before[k]->n_outputs &&
            !(r->mode && r->aggregated[r->before[k]->index]))
            return refuse(node, r->report,
                          "%s\"%s\" says that its rows replace earlier ones (output_mode update), and "
                          "the state of this operator would count them again: let it append",
                          "", &r->before[k]->outputs[0]);
    return 1;
}

static int all_fit(const struct rules *r)
{
    int good = 1;
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        const struct plan_node *node = r->plan->nodes[i];
        if (node->kind == JOB_SINK && r->mode) good &= sink_fits(node, r->mode, r->report);
        if (node->kind != JOB_OPERATOR) continue;
        good &= counts_no_updates(r, node);
        if (r->mode) good &= state_fits(r, node) && function_fits(r, node);
    }
    return good;
}

int plan_rules(const struct plan *plan, struct report *report)
{
    struct rules r = { plan, report, plan_output_mode(plan->job), NULL, NULL };
    int good = 0;
    r.before = mem_alloc((plan->n_nodes + 1) * sizeof *r.before);
    r.aggregated = mem_alloc(plan->n_nodes + 1);
    if (r.before && r.aggregated) {
        memset(r.aggregated, 0, plan->n_nodes);
        mark_aggregated(&r);
        good = all_fit(&r);
    } else {
        report_add(report, REPORT_ERROR, (struct place){ 0 }, NULL, "out of memory");
    }
    mem_free(r.before);
    mem_free(r.aggregated);
    return good;
}
