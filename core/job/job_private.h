/*
 * job_private.h - steps between the text of a job and the job, shared by job.c, words.c and set.c.
 */
#ifndef WEIR_CORE_JOB_PRIVATE_H
#define WEIR_CORE_JOB_PRIVATE_H

#include "core/job/job.h"

/* An empty job; canonical is NULL. */
struct job *job_create(struct weir_sys *sys, const char *file);
/* Everything that follows from `canonical` and `places`, made anew: substitution, job options,
 * instances. Mistakes go to the report. -1 without memory (reported). */
int job_derive(struct job *job, struct report *report);
/* Puts the value of "path=value" into canonical and places. -1 if that can't be (reported). */
int job_assign(struct job *job, const char *assignment, struct report *report);
/* Notes in canonical and places that what is at `path` is text. */
int job_add_text(struct job *job, const char *path);

#endif
