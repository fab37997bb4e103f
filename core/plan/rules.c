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
 * Rules of one operator alone (append needs a watermark, order needs a table, limit no changes) are
 * those of its bind. Without `output_mode` in the job each operator goes by its own, and the forms that
 * sinks accept are the only rule.
 */
#include "core/plan/rules.h"

#include "core/data/array.h"
#include "core/plan/bind.h"

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

/* Where the job updates or completes a table there is one aggregation on the way, even if it appends. */
static int one_aggregation(const struct plan *plan, const struct plan_node *node, const char *word,
                           struct report *report)
{
    const struct plan_node **seen = mem_alloc(plan->n_nodes * sizeof *seen + 1);
    int good = 1;
    if (!seen) return refuse(node, report, "output_mode %s: out of memory (\"%s\")", word,
                             &node->outputs[0]);
    for (uint32_t n = nodes_before(node, seen, 0), k = 0; good && k < n; k++)
        if ((seen[k]->bound.flags & WEIR_PLAN_AGGREGATES) && seen[k]->n_outputs)
            good = refuse(node, report,
                          "in output_mode %s one aggregation gives the table, and \"%s\" is one "
                          "before this: take append, or leave output_mode to the operators",
                          word, &seen[k]->outputs[0]);
    mem_free(seen);
    return good;
}

static int state_fits(const struct plan *plan, const struct plan_node *node, uint32_t mode,
                      const char *word, struct report *report)
{
    if (!node->stateful || !node->instance || (node->bound.flags & WEIR_PLAN_ANY_MODE)) return 1;
    if (mode != WEIR_FORM_APPEND && node->n_inputs > 1)
        return refuse(node, report,
                      "in output_mode %s streams can't be joined (the first is \"%s\"): a join gives "
                      "each pair once; take append",
                      word, node->inputs[0]);
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (!node->inputs[i]->unsure && !schema_is_open(&node->inputs[i]->schema) &&
            node->inputs[i]->form != WEIR_FORM_APPEND)
            return refuse(node, report,
                          "in output_mode %s \"%s\" gives rows that replace earlier ones, which state "
                          "behind it would count again: take append",
                          word, node->inputs[i]);
    return mode == WEIR_FORM_APPEND || !(node->bound.flags & WEIR_PLAN_AGGREGATES) ||
           one_aggregation(plan, node, word, report);
}

static int has_aggregation(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        for (uint32_t k = 0; k < plan->nodes[i]->n_outputs; k++)
            if (plan->nodes[i]->stateful && plan->nodes[i]->outputs[k].form != WEIR_FORM_APPEND)
                return 1;
    return 0;
}

static int function_fits(const struct plan *plan, const struct plan_node *node, uint32_t mode,
                         struct report *report)
{
    const uint32_t flags = node->bound.flags;
    if (!(flags & (WEIR_PLAN_APPENDS | WEIR_PLAN_UPDATES)) || node->n_outputs == 0) return 1;
    if (flags & WEIR_PLAN_APPENDS && mode == WEIR_FORM_UPSERT && !has_aggregation(plan))
        return refuse(node, report,
                      "the job is in output_mode %s, but \"%s\" says that it appends: give both the "
                      "same output_mode, or put an aggregation behind it",
                      "update", &node->outputs[0]);
    if (flags & WEIR_PLAN_UPDATES && has_aggregation(plan))
        return refuse(node, report,
                      "the job is in output_mode %s, and rows that \"%s\" updates don't go with an "
                      "aggregation, which would count them again: let it append",
                      plan->job->output_mode, &node->outputs[0]);
    return 1;
}

static int counts_updates(const struct plan_node *node, const struct plan_node **seen,
                          struct report *report)
{
    if (!node->stateful || !node->instance || (node->bound.flags & WEIR_PLAN_ANY_MODE)) return 0;
    for (uint32_t k = nodes_before(node, seen, 0); k-- > 0;)
        if ((seen[k]->bound.flags & WEIR_PLAN_UPDATES) && seen[k]->n_outputs)
            return !refuse(node, report,
                           "%s\"%s\" says that its rows replace earlier ones (output_mode update), and "
                           "the state of this operator would count them again: let it append",
                           "", &seen[k]->outputs[0]);
    return 0;
}

/* Rule 2 for rows of which only their author says that they replace earlier ones, also where the job says
 * nothing. */
static int no_updates_counted(const struct plan *plan, struct report *report)
{
    const struct plan_node **seen = mem_alloc(plan->n_nodes * sizeof *seen + 1);
    int good = seen != NULL;
    if (!seen) report_add(report, REPORT_ERROR, (struct place){ 0 }, NULL, "out of memory");
    for (uint32_t i = 0; seen && i < plan->n_nodes; i++)
        if (plan->nodes[i]->kind == JOB_OPERATOR)
            good &= !counts_updates(plan->nodes[i], seen, report);
    mem_free(seen);
    return good;
}

int plan_rules(const struct plan *plan, struct report *report)
{
    const uint32_t mode = plan_output_mode(plan->job);
    int good = (mode && has_aggregation(plan)) || no_updates_counted(plan, report);
    if (!mode) return good;
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        const struct plan_node *node = plan->nodes[i];
        if (node->kind == JOB_SINK) good &= sink_fits(node, mode, report);
        if (node->kind == JOB_OPERATOR)
            good &= state_fits(plan, node, mode, plan->job->output_mode, report) &&
                    function_fits(plan, node, mode, report);
    }
    return good;
}
