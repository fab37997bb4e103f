/*
 * rules.c - what must hold for a job as a whole: the rules that Spark has for a query
 * (UnsupportedOperationChecker), on the graph with its change forms. All but rule 2 hold where the
 * job says `output_mode`.
 *
 * The mode of a query says what its result is: rows that never change (append), rows that replace
 * earlier ones (update), or the whole table each time (complete). Forms of streams are these three.
 * So:
 *
 *  1. What goes into a sink has the form of the mode: plain rows in append mode, and none made
 *     of rows that replace earlier ones, no tables in update mode, tables in complete mode, which need an aggregation. (Update mode lets plain rows
 *     pass: they replace nothing.) Named outputs are asides, such as late rows, and free of this.
 *  2. State over rows that replace earlier ones would count those twice, since nothing takes them
 *     out again; so would a window of batches, which holds both. Operators that know better say
 *     WEIR_PLAN_ANY_MODE. Rows are such by the form of their stream, or because only the author of
 *     a function knows it (WEIR_PLAN_UPDATES), and whatever is made of them on the way to the state
 *     (a column less, items, the count of a batch) still comes again when they do. This holds in
 *     every job.
 *  3. In update and complete mode there is one aggregation (WEIR_PLAN_AGGREGATES) on the way, also
 *     where the first of two would append. Asides are no rows of the aggregation that drops them.
 *  4. A join of streams with state gives a pair once, when both are there, and an outer row once it
 *     is final: append is what it can do.
 *  5. An operator whose author says how its rows are meant (WEIR_PLAN_APPENDS, WEIR_PLAN_UPDATES:
 *     the function mode of group_state) goes with that mode of the query. Beside an aggregation,
 *     whose rows are the result, it has to append.
 *
 * A query is all that comes to one sink: what stands in a job beside it is another one. An operator
 * that is in several queries has to fit each.
 *
 * Rules of one operator alone (append needs a watermark, order needs a table, limit no changes) are
 * those of its bind. An instance that has a mistake already is not told more of it here, nor is
 * what stands behind it told the same again.
 */
#include "core/plan/rules.h"

#include <stdarg.h>

#include "core/data/array.h"
#include "core/plan/bind.h"

#define WALKED 1u /* rows of it, or of an aside of it, come */
#define GIVES 2u  /* rows of its main output come */

/* Where mark_before goes. */
#define NO_ASIDES 1u   /* not by named outputs */
#define NO_MISTAKES 2u /* not to nodes that a rule or their bind refuses */

struct rules {
    const struct plan *plan;
    struct report *report;
    uint32_t mode;       /* of the job; 0: not given */
    const char *word;    /* the same, as it is written */
    uint8_t *before;     /* by node: WALKED, GIVES; of the last mark_before */
    uint8_t *aggregated; /* by node: a query that it is in has an aggregation */
    uint8_t *plain;      /* by node: a query that it is in has none */
    uint8_t *refused;    /* by node: a rule refuses it */
};

/* Reports a breach at the node; 0. */
__attribute__((format(printf, 3, 4))) static int
refuse(const struct rules *r, const struct plan_node *node, const char *format, ...)
{
    char line[512];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    report_add(r->report, REPORT_ERROR, node->instance->place, node->instance->path, "%s", line);
    return 0;
}

/* ---- what comes to a node ---- */

static int passes(const struct rules *r, const struct plan_stream *stream, uint32_t ways)
{
    const struct plan_node *node = stream->node;
    if (node == &r->plan->nowhere || (stream->name && ways & NO_ASIDES)) return 0;
    return !(ways & NO_MISTAKES) || (!r->refused[node->index] && !node->mistakes);
}

static void walk_before(struct rules *r, const struct plan_node *node, uint32_t ways)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        const struct plan_stream *stream = node->inputs[i];
        if (!passes(r, stream, ways)) continue;
        uint8_t *mark = &r->before[stream->node->index];
        if (!stream->name) *mark |= GIVES;
        if (*mark & WALKED) continue;
        *mark |= WALKED;
        walk_before(r, stream->node, ways);
    }
}

/* Marks the nodes whose rows come to `node`. */
static void mark_before(struct rules *r, const struct plan_node *node, uint32_t ways)
{
    memset(r->before, 0, r->plan->n_nodes);
    walk_before(r, node, ways);
}

/* The first of the marked nodes that gives rows and has the flag, or NULL. */
static const struct plan_node *marked(const struct rules *r, uint32_t flag)
{
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        const struct plan_node *node = r->plan->nodes[i];
        if ((r->before[i] & GIVES) && (node->bound.flags & flag) && node->n_outputs) return node;
    }
    return NULL;
}

/* The first of the marked nodes whose rows replace earlier ones, or NULL. */
static const struct plan_node *changing(const struct rules *r)
{
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        const struct plan_node *node = r->plan->nodes[i];
        const struct plan_stream *stream = &node->outputs[0];
        if (!(r->before[i] & GIVES) || !node->n_outputs) continue;
        if (node->bound.flags & WEIR_PLAN_UPDATES) return node;
        if (stream->form != WEIR_FORM_APPEND && !stream->unsure &&
            !schema_is_open(&stream->schema))
            return node;
    }
    return NULL;
}

/* What comes to each sink is a query. Asides need no aggregation. */
static void mark_queries(struct rules *r)
{
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        if (r->plan->nodes[i]->kind != JOB_SINK) continue;
        mark_before(r, r->plan->nodes[i], 0);
        uint8_t *marks = marked(r, WEIR_PLAN_AGGREGATES) ? r->aggregated : r->plain;
        if (marks == r->plain) mark_before(r, r->plan->nodes[i], NO_ASIDES);
        for (uint32_t k = 0; k < r->plan->n_nodes; k++) marks[k] |= r->before[k];
    }
}

/* ---- what goes into sinks ---- */

/* What is wrong with the form of a stream may follow from a mistake before it. */
static int behind_refused(struct rules *r, const struct plan_node *sink)
{
    mark_before(r, sink, 0);
    for (uint32_t i = 0; i < r->plan->n_nodes; i++)
        if (r->before[i] && r->refused[i]) return 1;
    return 0;
}

static int sink_fits(struct rules *r, const struct plan_node *sink)
{
    const struct plan_stream *stream = sink->n_inputs ? sink->inputs[0] : NULL;
    if (!stream || stream->name || stream->unsure || schema_is_open(&stream->schema)) return 1;
    if (behind_refused(r, sink)) return 1;
    mark_before(r, sink, NO_ASIDES);
    const struct plan_node *first = changing(r);
    if (r->mode == WEIR_FORM_APPEND && first && !(first->bound.flags & WEIR_PLAN_UPDATES))
        return refuse(r, sink,
                      "the job is in output_mode append, in which a row is given once, but \"%s\" "
                      "gives rows that change: leave output_mode to the operators, or let this one "
                      "append",
                      first->name);
    if (r->mode == WEIR_FORM_UPSERT && stream->form == WEIR_FORM_REPLACE)
        return refuse(r, sink,
                      "the job is in output_mode update, but \"%s\" gives its whole table: leave "
                      "output_mode to the operators, or let this one update",
                      stream->node->name);
    if (r->mode == WEIR_FORM_REPLACE && stream->form != WEIR_FORM_REPLACE)
        return refuse(r, sink,
                      "the job is in output_mode complete, but \"%s\" gives no table: complete "
                      "needs an aggregation, whose table is given in every batch; take append or "
                      "update",
                      stream->node->name);
    return 1;
}

/* ---- state ---- */

/* 1 where rows that replace earlier ones would be counted again. */
static int counts_rows(const struct plan_node *node)
{
    return node->stateful && !(node->bound.flags & WEIR_PLAN_ANY_MODE);
}

static int inputs_append(struct rules *r, const struct plan_node *node)
{
    mark_before(r, node, NO_MISTAKES);
    const struct plan_node *first = changing(r);
    if (!first) return 1;
    if (first->bound.flags & WEIR_PLAN_UPDATES)
        return refuse(r, node,
                      "\"%s\" says that its rows replace earlier ones (output_mode update), and "
                      "the state of this operator would count them again: let it append",
                      first->name);
    return refuse(r, node,
                  "%s%s%s\"%s\" gives rows that replace earlier ones, which state behind it would "
                  "count again: %s",
                  r->mode ? "in output_mode " : "", r->mode ? r->word : "", r->mode ? " " : "",
                  first->name, r->mode ? "take append" : "let it append");
}

static int state_fits(struct rules *r, const struct plan_node *node)
{
    if (!counts_rows(node)) return 1;
    if (r->mode && r->mode != WEIR_FORM_APPEND && node->n_inputs > 1)
        return refuse(r, node,
                      "in output_mode %s streams can't be joined (the first is \"%s\"): a join "
                      "gives each pair once; take append",
                      r->word, node->inputs[0]->node->name);
    return inputs_append(r, node);
}

/* ---- aggregations and functions ---- */

static int one_aggregation(struct rules *r, const struct plan_node *node)
{
    if (r->mode == WEIR_FORM_APPEND || !(node->bound.flags & WEIR_PLAN_AGGREGATES)) return 1;
    mark_before(r, node, 0);
    const struct plan_node *other = marked(r, WEIR_PLAN_AGGREGATES);
    if (!other) return 1;
    return refuse(r, node,
                  "in output_mode %s one aggregation gives the table, and \"%s\" is one before "
                  "this: take append, or leave output_mode to the operators",
                  r->word, other->name);
}

static int function_fits(const struct rules *r, const struct plan_node *node)
{
    const uint32_t flags = node->bound.flags;
    if (flags & WEIR_PLAN_APPENDS && r->mode == WEIR_FORM_UPSERT &&
        (r->plain[node->index] || !r->aggregated[node->index]))
        return refuse(r, node,
                      "the job is in output_mode update, but \"%s\" says that it appends: give "
                      "both the same output_mode, or put an aggregation between it and each sink",
                      node->name);
    if (flags & WEIR_PLAN_UPDATES && r->aggregated[node->index])
        return refuse(r, node,
                      "the job is in output_mode %s, and rows that \"%s\" updates don't go with an "
                      "aggregation, which would count them again: let it append",
                      r->word, node->name);
    return 1;
}

static int operator_fits(struct rules *r, const struct plan_node *node)
{
    if (!node->instance || node->mistakes || node->n_outputs == 0) return 1;
    if (!state_fits(r, node)) return 0;
    return !r->mode || (one_aggregation(r, node) && function_fits(r, node));
}

static int all_fit(struct rules *r)
{
    int good = 1;
    mark_queries(r);
    for (uint32_t i = 0; i < r->plan->n_nodes; i++) {
        const struct plan_node *node = r->plan->nodes[i];
        if (node->kind == JOB_OPERATOR) r->refused[i] = !operator_fits(r, node);
        if (node->kind == JOB_SINK && r->mode) r->refused[i] = !sink_fits(r, node);
        good &= !r->refused[i];
    }
    return good;
}

int plan_rules(const struct plan *plan, struct report *report)
{
    struct rules r = { .plan = plan, .report = report, .mode = plan_output_mode(plan->job),
                       .word = plan->job->output_mode };
    uint8_t **marks[] = { &r.before, &r.aggregated, &r.plain, &r.refused };
    const uint32_t n = sizeof marks / sizeof *marks;
    int good = 1;
    for (uint32_t i = 0; i < n; i++) {
        *marks[i] = mem_alloc(plan->n_nodes + 1);
        if (*marks[i]) memset(*marks[i], 0, plan->n_nodes + 1);
        good &= *marks[i] != NULL;
    }
    if (good) good = all_fit(&r);
    else report_add(report, REPORT_ERROR, (struct place){ 0 }, NULL, "out of memory");
    for (uint32_t i = 0; i < n; i++) mem_free(*marks[i]);
    return good;
}
