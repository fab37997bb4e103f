/*
 * position.h - positions of sources as text, by the plugins of the job that the log names. Where a
 * source can't be made (its module is not there, a variable is not set) its positions are shown as
 * they are.
 */
#ifndef WEIR_TOOLS_POSITION_H
#define WEIR_TOOLS_POSITION_H

#include <weir/abi.h>

struct positions;
struct registry;
struct weir_sys;

struct positions_options {
    struct registry *registry;          /* NULL: made when it is needed, from: */
    const char *const *paths; uint32_t n_paths; /* --plugin-path */
};

/* job_text NULL: no job is known. NULL without memory. */
struct positions *positions_create(struct weir_sys *sys, const struct positions_options *options,
                                   const char *job_text);
void positions_destroy(struct positions *positions);
/* The only source above an instance (a source: itself); NULL if there are several, or none. */
const char *positions_source(const struct positions *positions, const char *instance);
/* What its source says, else the bytes if they are printable, else hex; malloc'ed. source may be
 * NULL. NULL without memory. */
char *positions_text(struct positions *positions, const char *source, struct weir_bytes bytes);

#endif
