/*
 * rules.h - what must hold for a job as a whole.
 */
#ifndef WEIR_CORE_RULES_H
#define WEIR_CORE_RULES_H

#include "core/plan/plan.h"

/* Reports each breach at the instance. 1 if there is none. [control], after all nodes are bound. */
int plan_rules(const struct plan *plan, struct report *report);

/* The same for options that name a place of the instance alone (WEIR_OPTION_OWN); places.c. */
int plan_places(const struct plan *plan, struct report *report);

#endif
