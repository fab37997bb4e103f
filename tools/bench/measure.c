/*
 * measure.c - a job in this process: what it took, and what came of it.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/state/store.h"
#include "tools/bench/bench.h"

double bench_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double peak_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_percentiles(double *values, uint64_t n, double out[4])
{
    static const double parts[3] = { 0.5, 0.99, 0.999 };
    memset(out, 0, 4 * sizeof *out);
    if (n == 0) return;
    qsort(values, n, sizeof *values, by_value);
    for (int i = 0; i < 3; i++) {
        uint64_t at = (uint64_t)(parts[i] * (double)n);
        out[i] = values[at < n ? at : n - 1];
    }
    out[3] = values[n - 1];
}

const char *bench_checkpoint_member(const char *checkpoint)
{
    static char member[1024];
    if (!checkpoint) return "";
    snprintf(member, sizeof member, " \"checkpoint\": \"%s\",", checkpoint);
    return member;
}

/* ---- hooks: pauses and bytes per key, then those of the workload ---- */

struct watch {
    const struct run_hooks *own;
    double planned, pauses[65536];
    uint64_t n_pauses;
    double bytes_per_key;
};

static void plan_done(void *arg, uint64_t batch)
{
    struct watch *w = arg;
    w->planned = bench_now_s();
    if (w->own->plan_done) w->own->plan_done(w->own->arg, batch);
}

static void state_done(void *arg, uint64_t batch)
{
    struct watch *w = arg;
    if (w->planned > 0 && w->n_pauses < 65536)
        w->pauses[w->n_pauses++] = (bench_now_s() - w->planned) * 1e3;
    if (w->own->state_done) w->own->state_done(w->own->arg, batch);
}

static void batch_done(void *arg, const struct run *run, uint64_t batch)
{
    struct watch *w = arg;
    uint64_t keys = 0;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        for (uint32_t t = 0; node->stateful && t < store_tables(node->tables); t++) {
            struct store_figures figures;
            store_figures(node->tables, t, &figures);
            keys += figures.keys;
        }
    }
    if (keys) w->bytes_per_key = (double)store_bytes(run->plan->store) / (double)keys;
    if (w->own->batch_done) w->own->batch_done(w->own->arg, run, batch);
}

int bench_run_job(const struct bench_options *o, const struct bench_job *b,
                  struct bench_result *result)
{
    static struct watch watch;
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options where = { .paths = o->paths, .n_paths = o->n_paths };
    struct run_options options = { .workers = o->workers };
    struct run_summary summary = { 0 };
    struct report report = { 0 };
    struct registry *registry = NULL;
    struct weir_sys *sys = sys_real_create();
    memset(&watch, 0, sizeof watch);
    watch.own = &b->hooks;
    options.hooks = b->hooks;
    options.hooks.plan_done = plan_done;
    options.hooks.state_done = state_done;
    options.hooks.batch_done = batch_done;
    options.hooks.arg = &watch;
    if (!sys || registry_create(sys, &where, &registry, &error) != WEIR_OK ||
        registry_add(registry, &bench_plugin, &error) != WEIR_OK) {
        fprintf(stderr, "weir-bench: %s\n", error.text);
        return 70;
    }
    struct journal *journal = journal_create(sys, 0, WEIR_LOG_ERROR, NULL, NULL);
    int io_error;
    struct job *job = job_read(sys, "workload", b->text, &report, &io_error);
    double wall = bench_now_s(), cpu = bench_cpu_s();
    int status = job ? run_job(sys, job, registry, journal, &options, &report, &summary) : 78;
    result->wall_s = bench_now_s() - wall;
    result->cpu_s = bench_cpu_s() - cpu;
    result->peak_rss_mb = peak_mb();
    result->batches = summary.batches;
    result->checksum = bench_seen.checksum;
    result->bytes_per_key = watch.bytes_per_key;
    if (o->workers) result->workers = o->workers;
    else result->workers = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    bench_percentiles(watch.pauses, watch.n_pauses, result->pause_ms);
    for (uint32_t i = 0; i < report.n; i++)
        if (status != 0)
            fprintf(stderr, "weir-bench: %s: %s\n", report.findings[i].path, report.findings[i].text);
    if (status == 0 && summary.rows_rejected)
        snprintf(result->wrong, sizeof result->wrong, "%llu rows were rejected",
                 (unsigned long long)summary.rows_rejected);
    free(summary.json);
    job_free(job);
    report_fini(&report);
    journal_destroy(journal);
    registry_destroy(registry);
    sys_destroy(sys);
    return status;
}

/* ---- printing ---- */

static void print_four(const char *name, const double ms[4])
{
    static const char *const parts[4] = { "p50", "p99", "p999", "max" };
    for (int i = 0; i < 4 && ms[3] > 0; i++) printf(", \"%s_%s_ms\": %.3f", name, parts[i], ms[i]);
}

static void print_json(const struct bench_result *r)
{
    double wall = r->wall_s > 0 ? r->wall_s : 1e-9;
    double million = r->records ? r->cpu_s / ((double)r->records / 1e6) : 0;
    printf("{\"workload\": \"%s\", \"records\": %llu, \"bytes\": %llu, \"batches\": %llu, "
           "\"wall_s\": %.3f, \"cpu_s\": %.3f, \"records_per_s\": %.0f, \"bytes_per_s\": %.0f, "
           "\"cpu_s_per_million\": %.4f, \"peak_rss_mb\": %.1f",
           r->workload, (unsigned long long)r->records, (unsigned long long)r->bytes,
           (unsigned long long)r->batches, r->wall_s, r->cpu_s, (double)r->records / wall,
           (double)r->bytes / wall, million, r->peak_rss_mb);
    print_four("latency", r->latency_ms);
    print_four("pause", r->pause_ms);
    if (r->restart_ms > 0) printf(", \"restart_ms\": %.1f", r->restart_ms);
    if (r->bytes_per_key > 0) printf(", \"bytes_per_key\": %.1f", r->bytes_per_key);
    if (r->start_ms > 0)
        printf(", \"start_to_end_ms\": %.1f, \"idle_rss_mb\": %.1f", r->start_ms, r->idle_rss_mb);
    printf(", \"checkpoint\": %s, \"workers\": %u, \"checksum\": \"%016llx\", \"correct\": %s}\n",
           r->checkpoint ? "true" : "false", r->workers, (unsigned long long)r->checksum,
           r->wrong[0] ? "false" : "true");
}

static void print_text(const struct bench_result *r)
{
    double wall = r->wall_s > 0 ? r->wall_s : 1e-9;
    printf("%s:", r->workload);
    if (r->start_ms > 0)
        printf(" start to the end of a one-batch job %.1f ms, idle %.1f MB", r->start_ms,
               r->idle_rss_mb);
    if (r->records)
        printf(" %llu records in %.3f s (%.3f CPU s): %.2f M records/s, %.2f GB/s, %.4f CPU s per "
               "million, %.1f MB at most, %llu batches",
               (unsigned long long)r->records, r->wall_s, r->cpu_s, (double)r->records / wall / 1e6,
               (double)r->bytes / wall / 1e9, r->cpu_s / ((double)r->records / 1e6), r->peak_rss_mb,
               (unsigned long long)r->batches);
    if (r->latency_ms[3] > 0)
        printf(", latency p50 %.2f ms, p99 %.2f, p99.9 %.2f, max %.2f", r->latency_ms[0],
               r->latency_ms[1], r->latency_ms[2], r->latency_ms[3]);
    if (r->checkpoint && r->pause_ms[3] > 0)
        printf(", plan to state p50 %.1f ms, max %.1f", r->pause_ms[0], r->pause_ms[3]);
    if (r->restart_ms > 0) printf(", restart to the first row %.1f ms", r->restart_ms);
    if (r->bytes_per_key > 0) printf(", %.1f bytes per key", r->bytes_per_key);
    printf("%s\n", r->checkpoint ? ", checkpoints on" : "");
}

void bench_print(const struct bench_result *result, int json)
{
    if (json) print_json(result);
    else print_text(result);
    if (result->wrong[0]) fprintf(stderr, "weir-bench: the result is wrong: %s\n", result->wrong);
}
