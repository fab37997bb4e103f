/*
 * bench.h - what the files of weir-bench share.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <stdio.h>

#include "core/run/run.h"

struct bench_options {
    const char *directory; /* for input and checkpoints; removed afterwards unless kept */
    uint64_t records;      /* 0: the workload's own number */
    uint32_t workers;
    int checkpoint;        /* -1: the workload's own choice */
    const char *paths[32]; /* of plugins */
    uint32_t n_paths;
};

/* What a run came to. */
struct bench_result {
    uint64_t records, bytes, batches;
    double wall_s, cpu_s;
    double peak_rss_mb;
    uint64_t checksum;
    int checkpoint;
    char wrong[256]; /* "" if the result is right */
};

/* A stream of seeded numbers (splitmix64): the same on every machine. */
struct bench_random { uint64_t state; };
uint64_t bench_next(struct bench_random *random);
uint64_t bench_below(struct bench_random *random, uint64_t n);

/* What the sink `bench` saw, since bench_sink_reset. Texts are told by a hash, not kept. */
struct bench_seen {
    uint64_t rows;
    uint64_t sum;       /* of all int64 cells */
    uint64_t hash;      /* order-independent: sum of hashes of rows */
    uint64_t text_bytes;
};
extern struct bench_seen bench_seen;
extern uint64_t bench_keys_rows, bench_keys_distinct, bench_keys_step;
extern const struct weir_plugin bench_plugin; /* source `bench_keys`, sink `bench` */

struct workload {
    const char *name;
    const char *help;
    uint64_t records;  /* by default */
    int checkpoint;    /* by default */
    /* Writes the input files below `directory`; *bytes: their size. 0, or -1. NULL: none. */
    int (*generate)(const char *directory, uint64_t records, uint64_t *bytes);
    /* The job's text (static buffer); `checkpoint` NULL: none. */
    const char *(*job)(const char *directory, const char *checkpoint);
    /* Compares bench_seen with what the generator knows; fills result->wrong, checksum. */
    void (*verify)(uint64_t records, struct bench_result *result);
};

extern const struct workload workloads[];
extern const uint32_t n_workloads;

/* Footprint: start and idle of the weir command itself. */
int bench_footprint(const struct bench_options *options, const char *weir, int json);

#endif
