/*
 * plan.h - a job made ready: instances created and bound, streams with schemas, and the pipes along which
 * chunks run.
 *
 * The graph has nodes (sources, operators, sinks) and streams (outputs of nodes). An operator input and a
 * sink read exactly one stream; where a job names several, the planner puts a `union` in between.
 *
 * Stages. A source, and every operator that asks for a distribution, is the *origin* of a pipe. The pipe
 * is the tree of operators behind the origin that take rows as they come, up to the next exchange or
 * sink. It is a tree, not a graph: an operator that can be reached on two paths from one origin has two steps,
 * so that rows of different paths never mix in an order that depends on chunk boundaries. A leaf of
 * the tree is a *port* of the consumer (an exchange input or a sink). The ports of a consumer are numbered
 * in the order of its inputs; rows are taken port by port, within a port partition by partition.
 *
 * All of it is made in [control] and constant while the job runs.
 */
#ifndef WEIR_CORE_PLAN_H
#define WEIR_CORE_PLAN_H

#include "core/load/context.h"
#include "core/load/registry.h"

struct plan_node;

struct plan_stream {
    struct plan_node *node;
    uint32_t output;
    const char *name; /* of a side output, NULL: main */
    uint32_t form;
    uint32_t slide;
    struct ArrowSchema schema;
    uint32_t key_columns[16];
    uint32_t n_key_columns;
    int32_t time_column;
    uint64_t time_columns; /* bits: all columns of event time */
    int64_t delay_us; /* of the watermark before it */
    uint32_t readers; /* operator inputs and sinks that read it */
    int unsure; /* of a check: what makes it or is before it has wrong options */
};

/* Who reads a stream at the end of a path. */
struct plan_port {
    struct plan_node *origin; /* of the pipe that ends here */
    uint32_t input;           /* of the consumer */
    uint32_t slot;            /* of the leaf in the origin's pipe */
};

/* One operator call in a pipe. Children of output o: steps first_child[o] …, linked by `sibling`. */
struct plan_step {
    struct plan_node *node; /* operator; of a leaf the consumer: exchange operator or sink */
    uint32_t input;
    uint32_t leaf;          /* 1: hand over to `node` at `port` */
    uint32_t port;
    uint32_t slot;          /* leaves: number of the leaf within its pipe */
    int32_t child[4];       /* first child step per output; -1: nobody */
    int32_t sibling;        /* next step that reads the same output; -1: none */
};

struct plan_pipe {
    struct plan_step *steps;
    uint32_t n_steps;
    int32_t root[4];  /* first step per output of the origin; -1: none */
    uint32_t n_leaves;
};

/* What is read of a source. */
struct plan_wanted {
    uint64_t columns; /* by bit, 63: all from there on; all ones: every one */
    const char *const *conjuncts; /* rows for which one is not true need not be there */
    uint32_t n_conjuncts;
};

struct plan_node {
    uint32_t kind; /* JOB_SOURCE, JOB_OPERATOR, JOB_SINK */
    uint32_t index;
    const char *name;
    const struct job_instance *instance; /* NULL for unions made by the planner */
    const struct weir_component *component;
    struct options *options;
    struct plan *plan;
    struct weir_context context;
    void *self;

    struct plan_stream *inputs[16];
    uint32_t n_inputs;
    struct plan_stream outputs[4];
    uint32_t n_outputs;

    /* sources and sinks with a format */
    const struct weir_component *format;
    struct weir_context format_context;
    void *format_self;
    struct format_use format_use; /* operators: the format as they decode by it */
    struct table_format *table_format; /* operators: of the file that they read as a table */
    int encode_bound; /* the sink has bound the format to a schema of its own */
    struct ArrowSchema raw; /* of a bytes source, before decode */
    int32_t bytes_column, head_column;
    uint32_t has_head;
    uint64_t max_record;

    /* operators */
    struct weir_operator_plan bound;
    struct ArrowSchema exchange[16]; /* schema that crosses the exchange, per input */
    struct ArrowSchema uncombined;   /* second one of input 0; released: none */
    uint32_t has_combine;
    uint32_t stateful;               /* declared tables */
    uint32_t in_turn;                /* gave no slide of its own: runs in the turns of its inputs only */
    struct store_operator *tables;

    uint32_t origin; /* 1: begins a pipe */
    uint32_t reached; /* 1: a step of some pipe, so rows come by; else nobody reads what it gives */
    uint32_t stage;  /* 0: sources and what follows them; else 1 + the greatest of its inputs */
    struct plan_pipe pipe;
    struct plan_port *ports; /* consumers: where rows come from, in order */
    uint32_t n_ports;
    struct plan_wanted wanted; /* sources; conjuncts only while they are bound */
    int deterministic; /* so are this and everything before it */
    /* of a check, which goes on behind mistakes (see plan.c) */
    struct report *report; /* while the node is made */
    int mistakes; /* it has some: there will be no plan */
    int unsure;   /* its input or its options are not known, so nor is what follows from them */
    int unknown;  /* it could not be bound: its output is open (core/data/unknown.c) */
    int from_log;      /* sinks: a replay may give other rows, so they are logged and delivered from the log */
};

struct plan {
    const struct job *job;
    struct weir_sys *sys;
    struct registry *registry;
    struct journal *journal;
    struct expr_env env;
    struct store *store;
    struct plan_node **nodes; /* in topological order */
    uint32_t n_nodes;
    struct plan_node nowhere; /* what reads an instance that is not there reads this */
    int ticking;
    int watermarks; /* some operator proposes watermarks */
};

#define PLAN_CHECK 1u /* warns of what a check should warn of */

/* Makes the plan of a job. Every mistake goes to the report; NULL when there were errors or no memory. The job, registry,
 * sys and journal must outlive it. hash_seed: of the checkpoint (tables). Owner: the caller. */
struct plan *plan_create(const struct job *job, struct registry *registry, struct weir_sys *sys,
                         struct journal *journal, uint64_t hash_seed, uint32_t flags,
                         struct report *report);
void plan_destroy(struct plan *plan);
struct plan_node *plan_node(const struct plan *plan, const char *name); /* NULL if there is none */
/* What `weir plan` shows: nodes, streams with schema and form, stages, state; lines to a callback. */
void plan_print(const struct plan *plan, void (*line)(void *arg, const char *text), void *arg);

/* pipe.c: the trees. CONFIG where a job has more than 4,096 paths. */
int32_t plan_pipes(struct plan *plan, struct weir_error *error);

#endif
