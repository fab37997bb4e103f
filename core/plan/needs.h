/*
 * needs.h - which columns of each source somebody reads.
 */
#ifndef WEIR_CORE_NEEDS_H
#define WEIR_CORE_NEEDS_H

#include "core/plan/plan.h"

/* wanted[i] of each source instance i of the job: bit c = column c (63: all from there on). Returns 1 if some source may
 * read less than everything. */
int plan_needs(const struct plan *plan, uint64_t *wanted);

#endif
