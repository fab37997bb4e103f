/*
 * bind.h - one node: its instance created, its options checked, its streams bound.
 */
#ifndef WEIR_CORE_BIND_H
#define WEIR_CORE_BIND_H

#include "core/plan/plan.h"

/* Each reports its mistakes, but for those that may follow from others, and returns 1 if the
 * step behind it can be taken. Whether the node is good is in node->mistakes and ->unsure. */
int node_open(struct plan *plan, struct plan_node *node, struct report *report);
int node_bind_source(struct plan *plan, struct plan_node *node, struct report *report);
int node_bind_operator(struct plan *plan, struct plan_node *node, struct report *report);
int node_bind_sink(struct plan *plan, struct plan_node *node, struct report *report);
/* WEIR_FORM_… of the job's option output_mode; 0: not given. */
uint32_t plan_output_mode(const struct job *job);
/* pins.c: are the modules those that the job pins? */
int plan_pins(const struct plan *plan, struct report *report);
void node_free(struct plan_node *node);

#endif
