/*
 * watermark.c - the global watermark, and what each operator makes of it.
 *
 * There is one watermark W per job: after each batch the least (or, by policy, the greatest) over all
 * `watermark` operators of "greatest event time so far minus delay". It only rises, and only it is kept in the
 * log; what each operator saw starts anew after a restart, which W outlives. Operators that no row reaches, because nobody
 * reads what they give, have no say: they would hold W back for ever.
 *
 * In a batch n, state is evicted by W(n), which was fixed when the batch was planned, and rows are late by
 * W(n−1): a row that came in batch n−1 could still count on W(n−1).
 *
 * Where stateful operators follow each other, a row that the first one holds back until its window closes must
 * not be late for the second one. So each node has an input watermark: W behind a watermark operator, else the
 * least output watermark of those that it reads; `output_watermark` of an operator says by how much it lags. Inputs
 * without event time have no say (Structured Streaming's propagation, in one pass over the topological order).
 *
 * Invariant: for every node, watermark_spread(W) is monotonous in W, so late ≤ evict holds for each
 * operator as it does for the job.
 */
#include "core/run/watermark.h"

#include "core/data/array.h"

#define FAR_US INT64_C(86400000000)

static const struct weir_operator *operator_of(const struct plan_node *node)
{
    return node->component->table;
}

static int64_t least_input(const struct plan_node *node, const int64_t *behind, int64_t *inputs)
{
    int64_t least = WEIR_WATERMARK_NONE;
    for (uint32_t k = 0; k < node->n_inputs; k++) {
        inputs[k] = behind[node->inputs[k]->node->index];
        if (inputs[k] != WEIR_WATERMARK_NONE && (least == WEIR_WATERMARK_NONE || inputs[k] < least))
            least = inputs[k];
    }
    return least;
}

void watermark_spread(const struct plan *plan, int64_t global, int64_t *of_node)
{
    int64_t *behind = of_node + plan->n_nodes, inputs[16];
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        const struct plan_node *node = plan->nodes[i];
        of_node[i] = behind[i] = least_input(node, behind, inputs);
        if (node->kind != JOB_OPERATOR) continue;
        if (operator_of(node)->lane_watermark)
            behind[i] = global;
        else if (operator_of(node)->output_watermark)
            behind[i] = operator_of(node)->output_watermark(node->self, inputs, node->n_inputs);
    }
}

/* Event times far ahead of the clock make all that comes after them late: worth a word, once. */
static void warn_of_future(const struct run *run, const struct batch *batch)
{
    char at[40];
    int64_t limit = batch->time_us + FAR_US;
    if (run->next_watermark_us <= limit || run->watermark_us > limit) return;
    text_of_timestamp(run->next_watermark_us, at);
    journal_add(run->journal, WEIR_LOG_WARN, NULL, (int64_t)batch->id,
                "the watermark is %s, more than a day ahead of the clock: every row before it is late "
                "from now on; filter impossible event times out before the watermark", at);
}

void watermark_advance(struct run *run, const struct batch *batch)
{
    int64_t least = INT64_MAX, greatest = WEIR_WATERMARK_NONE;
    run->next_watermark_us = run->watermark_us;
    if (!run->plan->watermarks) return;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        if (node->kind != JOB_OPERATOR || !operator_of(node)->lane_watermark || !node->reached) continue;
        if (batch->watermarks[i] > run->watermarks[i]) run->watermarks[i] = batch->watermarks[i];
        int64_t w = run->watermarks[i] == WEIR_WATERMARK_NONE ? 0 : run->watermarks[i];
        if (w < least) least = w;
        if (w > greatest) greatest = w;
    }
    int64_t next = run->job->watermark_policy_max ? greatest : least;
    if (next != INT64_MAX && next > run->next_watermark_us) run->next_watermark_us = next;
    warn_of_future(run, batch);
}

/* Whether state of this node may be waiting for a later watermark. */
static int waits(const struct plan_node *node)
{
    if (!node->stateful || (node->bound.flags & WEIR_PLAN_TIMELESS)) return 0;
    for (uint32_t k = 0; k < node->n_inputs; k++)
        if (node->inputs[k]->time_column >= 0) return 1;
    return 0;
}

int watermark_awaited(const struct run *run)
{
    const struct plan *plan = run->plan;
    int64_t *before = run->spread, *after = run->spread + 2 * plan->n_nodes;
    if (!plan->watermarks || run->watermark_us <= run->previous_watermark_us) return 0;
    watermark_spread(plan, run->previous_watermark_us, before);
    watermark_spread(plan, run->watermark_us, after);
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        if (waits(plan->nodes[i]) && after[i] > before[i]) return 1;
    return 0;
}

void event_times_join(struct weir_event_times *all, const struct weir_event_times *more)
{
    if (more->count == 0) return;
    if (all->count == 0 || more->least < all->least) all->least = more->least;
    if (all->count == 0 || more->greatest > all->greatest) all->greatest = more->greatest;
    all->count += more->count;
    all->sum_s += more->sum_s;
    all->sum_us += more->sum_us;
}
