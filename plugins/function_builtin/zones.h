/*
 * zones.h - time zones: local times to UTC.
 */
#ifndef WEIR_FUNCTION_BUILTIN_ZONES_H
#define WEIR_FUNCTION_BUILTIN_ZONES_H

#include "functions.h"

struct zone;

/* A zone by name: 'UTC', an offset ('+02:00'), or a file of the tz database (below $TZDIR, or
 * /usr/share/zoneinfo). Owner: the caller. OK; CONFIG where there is none of that name; FATAL. */
int32_t zone_open(const struct weir_host *host, struct weir_bytes name, struct zone **out,
                  struct weir_error *error);
void zone_free(struct zone *zone); /* NULL is allowed */

/* What a clock in the zone that shows `local` (seconds since 1970 by that clock) is ahead of UTC, in
 * seconds. A time shown twice is the first; one never shown counts by the clock before. [any] */
int64_t zone_offset(const struct zone *zone, int64_t local);

#endif
