/*
 * footprint.c - start time and idle memory of the weir command: a job that waits on a socket is started, its log
 * line awaited, its memory read from /proc, and stopped.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

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
    double began = bench_now_s();
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(70);
        execv(weir, (char *const *)(uintptr_t)words);
        _exit(70);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) return -1;
    return bench_now_s() - began;
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

int bench_footprint(const struct bench_options *options, const char *directory, uint64_t records,
                    struct bench_result *result)
{
    enum { RUNS = 9 };
    const char *weir = options->weir;
    const char *batch[160] = { weir, "run" }, *idle[160] = { weir, "run" };
    (void)directory;
    (void)records;
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
    double four[4];
    bench_percentiles(starts, RUNS, four);
    result->start_ms = four[0] * 1e3;
    result->idle_rss_mb = idle_mb(weir, idle);
    return 0;
}
