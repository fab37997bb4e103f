/*
 * needs.c - which columns of each source somebody reads, walked from the sinks up; and which rows.
 *
 * need(stream) = union over its readers:
 *   sink                      every column
 *   operator that said so     what it reads; and, if it passes columns on, those of the same name that
 *                             are needed behind it
 *   any other operator        every column
 * Bit 63 stands for all columns from 63 on.
 *
 * Where a single operator reads a source, the source need not make rows that this operator says it drops.
 */
#include "core/plan/needs.h"

#include <stdlib.h>

static uint64_t bit_of(int64_t column)
{
    return (uint64_t)1 << (column < 63 ? column : 63);
}

static uint64_t all_of(const struct ArrowSchema *schema)
{
    uint64_t bits = 0;
    for (int64_t c = 0; c < schema->n_children; c++) bits |= bit_of(c);
    return bits;
}

static uint64_t passed(const struct plan_node *node, uint32_t input, const uint64_t need[4])
{
    const struct ArrowSchema *in = &node->inputs[input]->schema;
    uint64_t bits = 0;
    for (uint32_t o = 0; o < node->n_outputs; o++) {
        const struct ArrowSchema *out = &node->outputs[o].schema;
        for (int64_t c = 0; c < out->n_children; c++) {
            int32_t k = weir_column_index(in, out->children[c]->name);
            if (k >= 0 && (need[o] & bit_of(c))) bits |= bit_of(k);
        }
    }
    return bits;
}

static uint64_t need_of_input(const struct plan_node *node, uint32_t input, const uint64_t need[4])
{
    uint64_t all = all_of(&node->inputs[input]->schema);
    if (node->kind == JOB_SINK || !(node->bound.flags & WEIR_PLAN_READS_KNOWN)) return all;
    uint64_t bits = node->bound.reads[input];
    if (node->bound.flags & WEIR_PLAN_PASSES) bits |= passed(node, input, need);
    return bits & all;
}

/* The one reader of the source, if it is an operator. */
static const struct plan_node *only_reader(const struct plan *plan, const struct plan_node *source)
{
    if (source->outputs[0].readers != 1) return NULL;
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        const struct plan_node *node = plan->nodes[i];
        if (node->kind == JOB_OPERATOR && node->n_inputs == 1 && node->inputs[0] == &source->outputs[0])
            return node;
    }
    return NULL;
}

int plan_needs(const struct plan *plan, struct plan_wanted *wanted)
{
    int less = 0;
    uint64_t(*need)[4] = calloc(plan->n_nodes ? plan->n_nodes : 1, sizeof *need);
    if (!need) return 0;
    for (uint32_t i = plan->n_nodes; i-- > 0;) {
        const struct plan_node *node = plan->nodes[i];
        for (uint32_t k = 0; k < node->n_inputs; k++) {
            const struct plan_stream *stream = node->inputs[k];
            need[stream->node->index][stream->output] |= need_of_input(node, k, need[i]);
        }
    }
    for (uint32_t i = 0; i < plan->job->n_instances; i++) {
        const struct plan_node *node = plan_node(plan, plan->job->instances[i].name), *reader;
        wanted[i] = (struct plan_wanted){ .columns = UINT64_MAX };
        if (node->kind != JOB_SOURCE || !node->format) continue;
        if ((reader = only_reader(plan, node)) != NULL) {
            wanted[i].conjuncts = reader->bound.conjuncts;
            wanted[i].n_conjuncts = reader->bound.n_conjuncts;
        }
        if (need[node->index][0] != all_of(&node->outputs[0].schema))
            wanted[i].columns = need[node->index][0];
        if (wanted[i].columns != UINT64_MAX || wanted[i].n_conjuncts) less = 1;
    }
    free(need);
    return less;
}
