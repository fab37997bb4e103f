/*
 * probe.h - modules are looked at in processes of their own.
 */
#ifndef WEIR_CORE_PROBE_H
#define WEIR_CORE_PROBE_H

#include <jansson.h>

#include "core/load/registry.h"

struct probe {
    const char *file; /* the private copy; a refusal does not name it */
    json_t *answer;   /* descriptor (describe.c); NULL: refused. Owner: the caller */
    json_t *refusal;  /* members refusal, lasting, id, version, names; see look.c. Likewise */
};

/* Runs `program --probe FILE` for each, two at a time, and fills answer or refusal (both NULL
 * without memory). [control] */
void probe_run(const char *program, struct probe *probes, uint32_t n);

/* {"refusal": text, "lasting": …}: lasting is true where the same bytes will be refused again. NULL
 * without memory. */
json_t *probe_refusal(const char *text, int lasting);

extern int64_t probe_limit_ms; /* for each; tests shorten it */

#endif
