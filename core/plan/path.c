/*
 * path.c - from the graph to the pipes: every path from an origin to a consumer becomes a path in the tree of
 * its origin.
 *
 * A consumer (exchange operator or sink) is walked upstream, inputs in order, through operators
 * that take rows as they come, until an origin is met. The list of operators met, reversed, is a path;
 * its number in the order of the walk is the port. Paths with a common beginning share steps, a
 * step being told by (operator, input, output of the step before).
 *
 * Invariants:
 *  1. A port belongs to exactly one leaf, a leaf to exactly one port of one consumer.
 *  2. Ports of an input come before ports of the next input; so (port, partition, arrival) sorts rows by
 *     (input, source partition, arrival).
 */
#include "core/plan/plan.h"

#include <stdlib.h>

#define MAX_PATHS 4096u
#define MAX_DEPTH 256u

struct hop {
    struct plan_node *node;
    uint32_t input;
    uint32_t output; /* of the node before it */
};

struct walk {
    struct plan_node *consumer;
    uint32_t input; /* of the consumer */
    struct hop hops[MAX_DEPTH]; /* from the consumer up */
    uint32_t n;
    uint32_t paths;
    struct weir_error *error;
};

/* Where a list of steps begins: at an output of the origin (step -1), or of a step. */
struct link {
    int32_t step;
    uint32_t output;
};

static int32_t *head_of(struct plan_pipe *pipe, struct link link)
{
    return link.step < 0 ? &pipe->root[link.output] : &pipe->steps[link.step].child[link.output];
}

/* The step of `hop` in the list, put at its end if it is not there. A leaf is never shared. */
static int32_t step_add(struct plan_pipe *pipe, struct link link, struct hop hop, int leaf,
                        int32_t *out)
{
    int32_t last = -1;
    for (int32_t i = *head_of(pipe, link); i >= 0; last = i, i = pipe->steps[i].sibling)
        if (pipe->steps[i].node == hop.node && pipe->steps[i].input == hop.input &&
            !pipe->steps[i].leaf && !leaf) {
            *out = i;
            return WEIR_OK;
        }
    struct plan_step *steps = realloc(pipe->steps, (pipe->n_steps + 1) * sizeof *steps);
    if (!steps) return WEIR_FATAL;
    pipe->steps = steps;
    *out = (int32_t)pipe->n_steps++;
    hop.node->reached = 1;
    steps[*out] = (struct plan_step){ .node = hop.node, .input = hop.input,
                                      .child = { -1, -1, -1, -1 }, .sibling = -1 };
    if (last >= 0)
        steps[last].sibling = *out;
    else
        *head_of(pipe, link) = *out;
    return WEIR_OK;
}

static int32_t path_add(struct walk *walk, struct plan_node *origin, uint32_t origin_output)
{
    struct plan_pipe *pipe = &origin->pipe;
    struct link link = { -1, origin_output };
    int32_t at = -1;
    for (uint32_t k = walk->n; k-- > 0;) {
        int32_t result = step_add(pipe, link, walk->hops[k], k == 0, &at);
        if (result != WEIR_OK) return weir_fail(walk->error, result, "out of memory");
        link = (struct link){ at, k > 0 ? walk->hops[k - 1].output : 0 };
    }
    struct plan_node *consumer = walk->consumer;
    struct plan_port *ports =
        realloc(consumer->ports, (consumer->n_ports + 1) * sizeof *consumer->ports);
    if (!ports) return weir_fail(walk->error, WEIR_FATAL, "out of memory");
    consumer->ports = ports;
    struct plan_step *leaf = &pipe->steps[at];
    leaf->leaf = 1;
    leaf->port = consumer->n_ports;
    leaf->slot = pipe->n_leaves++;
    ports[consumer->n_ports++] = (struct plan_port){ origin, walk->input, leaf->slot };
    return WEIR_OK;
}

static int32_t walk_up(struct walk *walk, struct plan_stream *stream)
{
    struct plan_node *node = stream->node;
    walk->hops[walk->n - 1].output = stream->output;
    if (node->origin) {
        if (++walk->paths > MAX_PATHS)
            return weir_fail(walk->error, WEIR_CONFIG,
                             "more than %u paths lead to \"%s\": split the job, or use fewer unions "
                             "of the same streams",
                             MAX_PATHS, walk->consumer->name);
        return path_add(walk, node, stream->output);
    }
    if (walk->n == MAX_DEPTH)
        return weir_fail(walk->error, WEIR_CONFIG, "more than %u operators in a row before \"%s\"",
                         MAX_DEPTH, walk->consumer->name);
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        walk->hops[walk->n++] = (struct hop){ node, i, 0 };
        int32_t result = walk_up(walk, node->inputs[i]);
        walk->n--;
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

int32_t plan_pipes(struct plan *plan, struct weir_error *error)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        for (int k = 0; k < 4; k++) plan->nodes[i]->pipe.root[k] = -1;
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        struct plan_node *node = plan->nodes[i];
        if (node->kind != JOB_SINK && !(node->kind == JOB_OPERATOR && node->origin)) continue;
        for (uint32_t k = 0; k < node->n_inputs; k++) {
            struct walk *walk = calloc(1, sizeof *walk);
            if (!walk) return weir_fail(error, WEIR_FATAL, "out of memory");
            walk->consumer = node;
            walk->input = k;
            walk->error = error;
            walk->hops[walk->n++] = (struct hop){ node, k, 0 };
            int32_t result = walk_up(walk, node->inputs[k]);
            free(walk);
            if (result != WEIR_OK) return result;
        }
    }
    return WEIR_OK;
}
