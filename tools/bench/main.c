/*
 * main.c - weir-bench NAME: generates seeded input, runs the job in this process, checks the result, and prints what
 * it took. Figures are for comparing within one run on one machine; nothing here passes or fails by time.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
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

static const struct workload *find(const char *name)
{
    for (uint32_t i = 0; i < n_workloads; i++)
        if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
    return NULL;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: weir-bench NAME [--json] [--records N] [--workers N] [--checkpoint yes|no]\n"
                "                  [--dir DIR] [--plugin-path DIR …] [--weir PROGRAM]\n"
                "       weir-bench list\n       weir-bench generate NAME DIR [--records N]\n\n");
    for (uint32_t i = 0; i < n_workloads; i++)
        fprintf(to, "  %-12s %s\n", workloads[i].name, workloads[i].help);
    fprintf(to, "  %-12s %s\n", "footprint", "start time and idle memory of the weir command");
    return to == stdout ? 0 : 64;
}

/* Generates in a child, so that its memory is not counted. */
static int generate(const struct workload *w, const char *directory, uint64_t records,
                    uint64_t *bytes)
{
    int pipes[2];
    if (!w->generate) return 0;
    if (pipe(pipes) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t n = 0;
        int failed = w->generate(directory, records, &n) != 0 ||
                     write(pipes[1], &n, sizeof n) != (ssize_t)sizeof n;
        _exit(failed);
    }
    int status = -1;
    close(pipes[1]);
    ssize_t got = read(pipes[0], bytes, sizeof *bytes);
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    return status == 0 && got == (ssize_t)sizeof *bytes ? 0 : -1;
}

static int run_once(const struct workload *w, const struct bench_options *o, const char *directory,
                    uint64_t records, struct bench_result *result)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options where = { .paths = o->paths, .n_paths = o->n_paths };
    struct run_options options = { .workers = o->workers };
    struct run_summary summary = { 0 };
    struct report report = { 0 };
    struct registry *registry = NULL;
    char checkpoint[1024];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    struct weir_sys *sys = sys_real_create();
    if (!sys || registry_create(sys, &where, &registry, &error) != WEIR_OK ||
        registry_add(registry, &bench_plugin, &error) != WEIR_OK) {
        fprintf(stderr, "weir-bench: %s\n", error.text);
        return 70;
    }
    struct journal *journal = journal_create(sys, 0, WEIR_LOG_WARN, NULL, NULL);
    bench_keys_rows = records;
    bench_keys_distinct = 1000000;
    memset(&bench_seen, 0, sizeof bench_seen);
    const char *text = w->job(directory, result->checkpoint ? checkpoint : NULL);
    int io_error;
    struct job *job = job_read(sys, "workload", text, &report, &io_error);
    double wall = now_s(), cpu = cpu_s();
    int status = job ? run_job(sys, job, registry, journal, &options, &report, &summary) : 78;
    result->wall_s = now_s() - wall;
    result->cpu_s = cpu_s() - cpu;
    result->peak_rss_mb = peak_mb();
    result->batches = summary.batches;
    result->records = records;
    for (uint32_t i = 0; i < report.n; i++)
        fprintf(stderr, "weir-bench: %s: %s\n", report.findings[i].path, report.findings[i].text);
    if (status == 0) w->verify(records, result);
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

static void print_result(const struct workload *w, const struct bench_options *o,
                         const struct bench_result *r, int json)
{
    double rate = (double)r->records / r->wall_s, bytes = (double)r->bytes / r->wall_s;
    double million = r->cpu_s / ((double)r->records / 1e6);
    if (json)
        printf("{\"workload\": \"%s\", \"records\": %llu, \"bytes\": %llu, \"batches\": %llu, "
               "\"wall_s\": %.3f, \"cpu_s\": %.3f, \"records_per_s\": %.0f, \"bytes_per_s\": %.0f, "
               "\"cpu_s_per_million\": %.4f, \"peak_rss_mb\": %.1f, \"checkpoint\": %s, "
               "\"workers\": %u, \"checksum\": \"%016llx\", \"correct\": %s}\n",
               w->name, (unsigned long long)r->records, (unsigned long long)r->bytes,
               (unsigned long long)r->batches, r->wall_s, r->cpu_s, rate, bytes, million,
               r->peak_rss_mb, r->checkpoint ? "true" : "false", o->workers,
               (unsigned long long)r->checksum, r->wrong[0] ? "false" : "true");
    else
        printf("%s: %llu records in %.3f s (%.3f CPU s): %.2f M records/s, %.2f GB/s, %.4f CPU s per "
               "million, %.1f MB at most, %llu batches%s\n",
               w->name, (unsigned long long)r->records, r->wall_s, r->cpu_s, rate / 1e6,
               bytes / 1e9, million, r->peak_rss_mb, (unsigned long long)r->batches,
               r->checkpoint ? ", checkpoints on" : "");
    if (r->wrong[0]) fprintf(stderr, "weir-bench: the result is wrong: %s\n", r->wrong);
}

static void remove_all(const char *directory)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0) fprintf(stderr, "weir-bench: %s stays\n", directory);
}

static int bench(const struct workload *w, struct bench_options *o, int json)
{
    char directory[512];
    struct bench_result result = { 0 };
    uint64_t records = o->records ? o->records : w->records;
    result.checkpoint = o->checkpoint >= 0 ? o->checkpoint : w->checkpoint;
    snprintf(directory, sizeof directory, "%s/weir-bench-XXXXXX", o->directory);
    if (!mkdtemp(directory)) {
        fprintf(stderr, "weir-bench: %s: %s\n", o->directory, strerror(errno));
        return 73;
    }
    int status = generate(w, directory, records, &result.bytes) != 0 ? 74 : 0;
    if (status == 0) status = run_once(w, o, directory, records, &result);
    if (status == 0) print_result(w, o, &result, json);
    remove_all(directory);
    return status ? status : result.wrong[0] ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct bench_options o = { .directory = "/tmp", .checkpoint = -1 };
    const char *weir = "/usr/local/bin/weir", *words[3];
    int json = 0, n = 0;
    mem_setup();
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--json") == 0) json = 1;
        else if (strcmp(argv[i], "--help") == 0) return usage(stdout);
        else if (strncmp(argv[i], "--", 2) != 0 && n < 3) words[n++] = argv[i];
        else if (!value) return usage(stderr);
        else if (strcmp(argv[i], "--records") == 0) o.records = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--workers") == 0) o.workers = (uint32_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--checkpoint") == 0) o.checkpoint = strcmp(argv[++i], "no") != 0;
        else if (strcmp(argv[i], "--dir") == 0) o.directory = argv[++i];
        else if (strcmp(argv[i], "--weir") == 0) weir = argv[++i];
        else if (strcmp(argv[i], "--plugin-path") == 0 && o.n_paths < 32) o.paths[o.n_paths++] = argv[++i];
        else return usage(stderr);
    }
    if (n == 0) return usage(stderr);
    if (strcmp(words[0], "list") == 0) return usage(stdout);
    if (strcmp(words[0], "footprint") == 0) return bench_footprint(&o, weir, json);
    const struct workload *w = find(n == 3 ? words[1] : words[0]);
    if (!w || (n == 3 && strcmp(words[0], "generate") != 0) || n == 2) return usage(stderr);
    if (n == 1) return bench(w, &o, json);
    uint64_t bytes = 0;
    mkdir(words[2], 0777);
    return generate(w, words[2], o.records ? o.records : w->records, &bytes) == 0 ? 0 : 74;
}
