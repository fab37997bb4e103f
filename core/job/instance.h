/*
 * instance.h - sources, operators and sinks of a job's tree. [control]
 */
#ifndef WEIR_CORE_INSTANCE_H
#define WEIR_CORE_INSTANCE_H

#include "core/job/job.h"

/* Letters, digits, `_`, not a digit first; with `more`, further bytes that may stand behind the
 * first. */
int job_name_ok(const char *name, const char *more);
/* Fills job->instances from the sections of `tree`; every mistake goes to the report. -1 without
 * memory. */
int instances_read(struct job *job, json_t *tree, struct report *report);
void instances_free(struct job *job);
/* Names in `from` that don't exist, can't be read, or go round; streams that nobody reads. -1
 * without memory. */
int instances_check(const struct job *job, struct report *report);
/* The text of a word in the form of a job file as far as its key tells: lists of `from`, objects.
 * The rest stays text. A new reference, NULL if the text is wrong. */
json_t *job_word_value(const char *key, const char *text);

#endif
