/*
 * substitute.h - references to the environment and to files in the strings of a job. [control]
 */
#ifndef WEIR_CORE_SUBSTITUTE_H
#define WEIR_CORE_SUBSTITUTE_H

#include <jansson.h>

#include "core/job/scanner.h"
#include "core/sys/sys.h"

/* Replaces references in all strings of `tree`, in place; marks strings that are one reference as
 * text in `places`. Mistakes go to the report, the string then stays as it was. 0, or -1 without
 * memory. */
int substitute(json_t *tree, struct weir_sys *sys, struct places *places, struct report *report);

#endif
