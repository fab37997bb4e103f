/*
 * footprint.c - start time and idle memory of the weir command: a job that waits on a socket is started, its log
 * line awaited, its memory read from /proc, and stopped.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
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

static double rss_mb(pid_t pid)
{
    char path[64], line[256];
    double kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmRSS: %lf kB", &kb);
    if (file) fclose(file);
    return kb / 1024;
}

/* Start to the end of a job of one batch. */
static double one_batch(const char *weir, const char *const *words)
{
    double began = now_s();
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(70);
        execv(weir, (char *const *)(uintptr_t)words);
        _exit(70);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) return -1;
    return now_s() - began;
}

static double idle_mb(const char *weir, const char *const *words)
{
    int pipes[2];
    if (pipe(pipes) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[0], 0);
        close(pipes[1]);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(70);
        execv(weir, (char *const *)(uintptr_t)words);
        _exit(70);
    }
    close(pipes[0]);
    double last = -1, at = rss_mb(pid);
    for (int i = 0; i < 40; i++) { /* until it stands still: half a second without growth */
        struct timespec pause = { 0, 50000000 };
        nanosleep(&pause, NULL);
        at = rss_mb(pid);
        if (at == last && i > 10) break;
        last = at;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pipes[1]);
    return at;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int bench_footprint(const struct bench_options *options, const char *weir, int json)
{
    enum { RUNS = 9 };
    const char *batch[80] = { weir, "run" }, *idle[80] = { weir, "run" };
    int n = 2;
    for (uint32_t i = 0; i < options->n_paths; i++) {
        batch[n] = idle[n] = "--plugin-path";
        batch[n + 1] = idle[n + 1] = options->paths[i];
        n += 2;
    }
    static const char *const tail[] = { "--trigger", "once", "queue", "columns=a int64",
                                        "batches=[[[1],[2]]]", "!", "null", NULL };
    static const char *const wait[] = { "--trigger", "1s", "stdin", "!", "split", "into=word", "!",
                                        "count_by_value", "column=word", "!", "console", NULL };
    memcpy(batch + n, tail, sizeof tail);
    memcpy(idle + n, wait, sizeof wait);
    double starts[RUNS];
    one_batch(weir, batch); /* the probe cache is warm afterwards */
    for (int i = 0; i < RUNS; i++) {
        starts[i] = one_batch(weir, batch);
        if (starts[i] < 0) {
            fprintf(stderr, "weir-bench: %s did not run its job\n", weir);
            return 70;
        }
    }
    qsort(starts, RUNS, sizeof *starts, by_value);
    double idle_rss = idle_mb(weir, idle);
    printf(json ? "{\"workload\": \"footprint\", \"start_to_end_ms\": %.1f, \"idle_rss_mb\": %.1f}\n"
                : "footprint: start to the end of a one-batch job %.1f ms (median of 9), idle %.1f MB\n",
           starts[RUNS / 2] * 1e3, idle_rss);
    return 0;
}
