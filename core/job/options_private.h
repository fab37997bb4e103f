/*
 * options_private.h - options of something that is no instance: the job itself.
 */
#ifndef WEIR_CORE_OPTIONS_PRIVATE_H
#define WEIR_CORE_OPTIONS_PRIVATE_H

#include "core/job/options.h"

struct options *options_build_at(const struct job *job, const char *path, struct place place,
                                 const char *owner, const json_t *object,
                                 const struct option_table *tables, uint32_t n_tables,
                                 struct report *report);

#endif
