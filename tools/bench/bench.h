/*
 * bench.h - what the files of weir-bench share.
 *
 *   main.c       the command line
 *   measure.c    a job in this process: what it took, whether its result is right
 *   data.c       seeded inputs as files, and the results that they must have
 *   parts.c      components: sources of typed rows, the sink that looks
 *   workloads.c  the table of workloads that are a job over an input
 *   sliding.c, sockets.c, latency.c, restart.c, footprint.c   those that are more
 *   compare.py   the same bytes through other engines
 *
 * A result's checksum is the sum, over its last row per key, of row_hash; so it knows neither order nor batches,
 * and `weir-bench checksum FILE` computes the same from the csv that another engine wrote.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <stdio.h>

#include "core/run/run.h"

struct bench_options {
    const char *directory; /* for input and checkpoints; what is made there is removed afterwards */
    const char *input;     /* written by `generate` before: used as it is; NULL: generated */
    const char *weir;      /* the command, for footprint */
    uint64_t records;      /* 0: the workload's own number */
    uint32_t workers;
    int checkpoint;        /* -1: the workload's own choice */
    int json;
    const char *paths[64]; /* of plugins */
    uint32_t n_paths;
};

/* What a run came to. What does not apply is 0. */
struct bench_result {
    const char *workload;
    uint64_t records, bytes, batches;
    double wall_s, cpu_s;
    double peak_rss_mb;
    double latency_ms[4];    /* p50, p99, p99.9, greatest */
    double pause_ms[4];      /* from the end of reading a batch to its STATE: the same */
    double restart_ms;       /* start to the first correct row */
    double start_ms, idle_rss_mb;
    double bytes_per_key;
    uint64_t checksum;
    int checkpoint;
    uint32_t workers;
    char wrong[256]; /* "" if the result is right */
};

/* ---- numbers ---- */

/* A stream of seeded numbers (splitmix64): the same on every machine. */
struct bench_random { uint64_t state; };

static inline uint64_t bench_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static inline uint64_t bench_next(struct bench_random *random)
{
    return bench_mix(random->state += 0x9e3779b97f4a7c15ull);
}

static inline uint64_t bench_below(struct bench_random *random, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)bench_next(random) * n) >> 64);
}

double bench_now_s(void); /* monotonic */
double bench_cpu_s(void); /* of this process */
/* p50, p99, p99.9 and the greatest of n values, which are sorted in place. */
void bench_percentiles(double *values, uint64_t n, double out[4]);

/* ---- results ---- */

/* The hash of a row, cell by cell from the left. */
#define BENCH_ROW 0x77656972u
uint64_t bench_cell_int(uint64_t row, int64_t value);
uint64_t bench_cell_text(uint64_t row, const void *text, uint64_t length);
/* Reads csv without header or quotes; integers where a field is nothing else. 0, or -1. */
int bench_checksum_file(const char *path, uint64_t *rows, uint64_t *checksum);

/* ---- inputs ---- */

/* Writes the files of an input below `directory`; 0, or -1. *bytes: of what the job reads. */
typedef int bench_generate_fn(const char *directory, uint64_t records, uint64_t *bytes);
/* The checksum that the result must have. */
typedef uint64_t bench_expect_fn(uint64_t records);

bench_generate_fn grep_generate, words_generate, zipf_generate, ysb_generate, ysb_odd_generate,
    events_generate, keyed_generate, keyed_big_generate;
bench_expect_fn grep_expect, words_expect, zipf_expect, ysb_expect, events_expect, keyed_expect,
    keyed_big_expect;
/* Rows of ad and campaign as JSON, without the brackets around all of them; -1: no room. */
int ysb_ads(char *out, size_t size);

/* Row i of the keyed inputs: the key of one of `distinct`, and the value. */
static inline int64_t bench_key(uint64_t row, uint64_t distinct)
{
    return (int64_t)(((unsigned __int128)bench_mix(row) * distinct) >> 64);
}

static inline int64_t bench_value(uint64_t row)
{
    return (int64_t)(row % 1000);
}

/* Event i of ysb-columns. */
#define YSB_ADS 1000u
#define YSB_CAMPAIGNS 100u
#define YSB_START_MS 1700000000000ll
static inline int64_t bench_event_ad(uint64_t i) { return (int64_t)(bench_mix(i) % YSB_ADS); }
static inline int32_t bench_event_type(uint64_t i) { return (int32_t)((bench_mix(i) >> 32) % 3); }
static inline int64_t bench_event_ms(uint64_t i) { return YSB_START_MS + (int64_t)(i / 10000); }

/* ---- components ---- */

/* What the sink `bench` saw since bench_seen_reset. */
struct bench_seen {
    uint64_t rows;      /* that were written */
    uint64_t checksum;
    int64_t first_us;   /* when the first row came, of CLOCK_MONOTONIC; 0: none came */
    uint64_t stop_at;   /* >0: the job is stopped once the sum of the last column is this */
    uint64_t sum;       /* of the last column */
};
extern struct bench_seen bench_seen;
void bench_seen_reset(void);

/* Source `bench_keys` (k int64, v int64) and `bench_events` (ad int64, event int32, time timestamp). */
struct bench_source {
    uint64_t rows;      /* of all partitions */
    uint64_t distinct;
    uint64_t distinct_until; /* of the first so many rows, row i has key i */
    uint64_t batch;     /* >0: a batch ends after so many rows of a partition */
    uint32_t partitions;
    uint32_t prepared;  /* 1: the rows are there, see bench_prepare */
};
extern struct bench_source bench_source;
/* Makes all rows of bench_source (events, or keys) before the job runs, so that what is measured is a source that
 * hands over columns as they lie in memory. 0; -1: there is not so much memory. */
int bench_prepare(int events);
extern const struct weir_plugin bench_plugin;

/* ---- sockets ---- */

int bench_free_port(void);
/* What the senders of socket-count and socket-file send; 0 when all is sent. */
int bench_send(int port, uint32_t width, uint64_t records);
int bench_connect(int port); /* of this host; waits until somebody listens. -1: nobody did */

/* ---- running ---- */

struct bench_job {
    const char *text;
    struct run_hooks hooks;
};

/* Runs a job in this process and fills wall_s, cpu_s, peak_rss_mb, batches, pause_ms, bytes_per_key. Exit status. */
int bench_run_job(const struct bench_options *options, const struct bench_job *job,
                  struct bench_result *result);
void bench_print(const struct bench_result *result, int json);
/* " "checkpoint": …," or "" (static buffer). */
const char *bench_checkpoint_member(const char *checkpoint);

struct workload {
    const char *name;
    const char *help;
    uint64_t records; /* by default */
    int checkpoint;   /* by default */
    bench_generate_fn *generate; /* NULL: no files */
    /* The job's text (static buffer); `checkpoint` NULL: none. */
    const char *(*job)(const char *directory, const char *checkpoint, uint64_t records);
    bench_expect_fn *expect;     /* NULL: nothing is known */
    /* Instead of a job over an input; fills all of the result. Exit status. */
    int (*run)(const struct bench_options *options, const char *directory, uint64_t records,
               struct bench_result *result);
};

extern const struct workload workloads[];
extern const uint32_t n_workloads;

int bench_sliding(const struct bench_options *, const char *, uint64_t, struct bench_result *);
int bench_socket_count(const struct bench_options *, const char *, uint64_t, struct bench_result *);
int bench_socket_file(const struct bench_options *, const char *, uint64_t, struct bench_result *);
int bench_latency(const struct bench_options *, const char *, uint64_t, struct bench_result *);
int bench_restart(const struct bench_options *, const char *, uint64_t, struct bench_result *);
int bench_footprint(const struct bench_options *, const char *, uint64_t, struct bench_result *);

#endif
