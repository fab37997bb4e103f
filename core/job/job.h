/*
 * job.h - a job as the user wrote it: a job file or a one-liner, with the place of every value.
 *
 * job_read does all that needs no plugin: JSON, duplicate keys, names, `from` lists, job options,
 * substitution. options.h then checks an instance's options against the tables of its plugin.
 * All functions [control]; reading files (job file, ${file:…}) goes through sys.
 */
#ifndef WEIR_CORE_JOB_H
#define WEIR_CORE_JOB_H

#include <jansson.h>

#include "core/job/report.h"
#include "core/sys/sys.h"

#define JOB_SOURCE 1u   /* = WEIR_KIND_SOURCE, … */
#define JOB_OPERATOR 3u
#define JOB_SINK 4u

#define TRIGGER_INTERVAL 1u
#define TRIGGER_ASAP 2u
#define TRIGGER_ONCE 3u
#define TRIGGER_AVAILABLE_NOW 4u

struct job_from {
    char *alias;  /* what expressions call it; NULL: its name */
    char *name;   /* instance, also "NAME.watermark" made by a source option */
    char *output; /* NULL: the main one */
    struct place place;
};

struct job_instance {
    uint32_t kind;
    char *name;
    char *plugin;
    struct job_from *from;
    uint32_t n_from;
    uint32_t from_words;  /* 1: came from a one-liner, values are texts */
    json_t *options;      /* object: all but plugin and from; after substitution */
    struct place place;   /* of the instance */
    struct place plugin_place;
    char *path;           /* "operators.counts" */
};

/* A module that must be the one that the job was made with. */
struct job_pin {
    char *module;  /* id */
    char *version; /* or sha256:HEX, the first digits of the hash */
    struct place place;
};

#define WORKERS_MAX 1024

struct job {
    char *file;           /* "job.json" or "command line" */
    char *name;
    uint32_t trigger;
    int64_t interval_us;  /* TRIGGER_INTERVAL */
    char *checkpoint;     /* NULL: none */
    int64_t memory_limit; /* bytes; default 1 GiB */
    uint32_t workers;     /* 0: not given, the cores; else up to WORKERS_MAX */
    int64_t catch_up_us;
    char *output_mode;    /* NULL: not given */
    int backpressure;
    double initial_rate, min_rate, proportional, integral, derivative; /* records/s; initial 0: none */
    int64_t retain_batches;
    int no_data_batches;
    int watermark_policy_max;
    int64_t dead_size, dead_age_us;
    char **plugin_paths;
    uint32_t n_plugin_paths;
    struct job_pin *pins;
    uint32_t n_pins;
    char *log;            /* "text" or "json", NULL: not given */
    struct job_instance *instances; /* sources, operators, sinks, in order of the file */
    uint32_t n_instances;
    uint32_t unsure;      /* 1: trigger or output_mode could not be read, which operators go by */
    json_t *canonical;    /* whole job before substitution: what the JOB record holds */
    struct places *places; /* path → place */
    /* of job/ alone: */
    struct weir_sys *sys; /* for ${file:…} */
    json_t *tree;         /* canonical after substitution */
    int has_texts;        /* canonical has "texts": paths whose values are read by the type of their option */
};

/* Reads a job file (path) or text already read (text != NULL, path names it). All mistakes go to the report; NULL
 * when there were errors that leave no job. *io_error: 1 if the file can't be read (exit 66). */
struct job *job_read(struct weir_sys *sys, const char *path, const char *text,
                     struct report *report, int *io_error);
/* Builds a job from a logged canonical text (recovery): substitution happens again. */
struct job *job_from_text(struct weir_sys *sys, const char *text, struct report *report);

/* Which kinds a plugin name has, as bits 1 << kind: tells a one-liner's elements apart. */
typedef uint32_t (*job_kinds_fn)(void *arg, const char *plugin);
/* Builds a job from the words behind `weir run` (options like --name, --trigger, --checkpoint, --set are in
 * `settings` as "path=value", in order). usage != 0: the form is wrong (exit 64). */
struct job *job_from_words(struct weir_sys *sys, const char *const *words, uint32_t n,
                           const char *const *settings, uint32_t n_settings, job_kinds_fn kinds,
                           void *arg, struct report *report, int *usage);
void job_free(struct job *job);
/* --set path=value on a job that was read ("operators.counts.column=word", "trigger=1s"). */
int job_set(struct job *job, const char *assignment, struct report *report);
/* The place of a path ("operators.counts.where"), offset code points into its string value (-1: its
 * beginning); falls back to the nearest parent. */
struct place job_place(const struct job *job, const char *path, int32_t offset);

/* Values. 0, or -1 with `why` (static text) set. Durations need a unit and are > 0 unless zero_ok. */
int parse_duration(const char *text, int zero_ok, int64_t *us, const char **why);
int parse_size(const char *text, int64_t *bytes, const char **why);

#endif
