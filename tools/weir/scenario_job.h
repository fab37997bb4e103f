/*
 * scenario_job.h - a job with its outside replaced by that of the scenario.
 */
#ifndef WEIR_TOOLS_SCENARIO_JOB_H
#define WEIR_TOOLS_SCENARIO_JOB_H

#include "core/load/registry.h"
#include "tools/weir/scenario.h"
#include "sdk/check/world.h"

/* Checks the job that `given` (at `path`) names as `weir check` does, learns the columns of its
 * sources, and makes the same job with scripted sources and sinks, which are made known to the
 * world. Owner: the caller. NULL where the check refused it; *refusal is then what it said,
 * malloc'ed. [control] */
struct job *scenario_prepare(const struct scenario *scenario, const json_t *given,
                             const char *path, struct weir_sys *sys, struct registry *registry,
                             struct world *world, char **refusal);

#endif
