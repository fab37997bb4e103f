/*
 * job_args.h - the arguments that name a job: a file or elements, and settings. Shared by run, check, plan.
 */
#ifndef WEIR_TOOLS_JOB_ARGS_H
#define WEIR_TOOLS_JOB_ARGS_H

#include "core/run/run.h"

struct job_args {
    const char *settings[64]; /* "path=value" */
    char *made[64];           /* those that were put together here */
    uint32_t n_settings;
    const char *paths[32];
    uint32_t n_paths;
    const char *drop[32];
    const char *summary;
    const char *log;
    int level;
    struct run_options options;
    const char **words;
    uint32_t n_words;
    int help;

    struct weir_sys *sys;
    struct registry *registry;
    struct journal *journal;
    int json; /* the log is one of JSON lines */
    struct report report;
    struct job *job;
};

/* Reads the words; 0, or an exit status (the reason is on stderr). */
int job_args_parse(struct job_args *args, int argc, char **argv);
/* Makes sys, registry, journal and job. 0, or an exit status (findings are on stderr). */
int job_args_open(struct job_args *args);
void job_args_close(struct job_args *args);
/* Writes the findings to stderr; the number of errors. */
uint32_t job_args_report(struct job_args *args);
/* A line on stderr, behind job_args_open: as it is, or where the log is JSON as a line of the log
 * (WEIR_LOG_ level, which --log-level may drop). */
void job_args_say(struct job_args *args, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void job_args_usage(FILE *to, const char *command);

#endif
