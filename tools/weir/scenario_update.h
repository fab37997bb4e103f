/*
 * scenario_update.h - what came out becomes what is expected.
 */
#ifndef WEIR_TOOLS_SCENARIO_UPDATE_H
#define WEIR_TOOLS_SCENARIO_UPDATE_H

#include "tools/weir/scenario_play.h"
#include "sdk/check/rows.h"

/* Rewrites the expected rows, times and counters of the file that did not hold; everything else stays as it was
 * written. 0, or -1 where the file can't be written (said on stderr). */
int scenario_update(const struct scenario *scenario, const struct play *play);

#endif
