/*
 * needs.h - which columns and rows of each source somebody reads.
 */
#ifndef WEIR_CORE_NEEDS_H
#define WEIR_CORE_NEEDS_H

#include "core/plan/plan.h"

/* wanted[i] of each source instance i of the job; texts are those of operators of `plan`. Returns 1 if some source may
 * read less than everything. */
int plan_needs(const struct plan *plan, struct plan_wanted *wanted);

#endif
