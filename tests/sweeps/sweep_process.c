/*
 * sweep_process.c - real processes and real files: `weir run` is killed by SIGKILL at its n-th system
 * call, of whatever thread, and perhaps once more in the recovery; a last run must give what an
 * undisturbed one gave.
 *
 *     sweep_process WEIR [JOB POINT [POINT2]]
 *
 * A small tracer counts the entries of system calls of all threads and kills before the n-th. Where
 * ptrace is not allowed, the process is killed after some time instead. Each life draws another hash
 * seed while there is no checkpoint, so the rows of a batch are compared without their order.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw, realpath */
#endif
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sweeps/sweep.h"

#define POINTS 8        /* of each job */
#define POINTS_WIDE 100

static const char *const jobs[] = { "file-filter-file", "file-aggregate-file", "file-filter-roll" };
#define JOBS (sizeof jobs / sizeof *jobs)

static const char *program;
static int timed; /* no ptrace here */

/* ---- one process ---- */

static void become_weir(int traced)
{
    int nothing = open("/dev/null", O_WRONLY);
    if (!getenv("WEIR_LOUD") && nothing >= 0) dup2(nothing, 2);
    if (nothing >= 0) dup2(nothing, 1);
    if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(99);
    if (traced) raise(SIGSTOP);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0); /* of a sanitizer build: no leaks are found under ptrace */
    execl(program, program, "run", "--set", "workers=1", "job.json", (char *)NULL);
    _exit(98);
}

static int enters(pid_t thread)
{
    struct __ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    long n = ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info);
    return n > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* The exit status, -1 if it was killed; *calls: system calls so far. */
static int run_traced(uint64_t kill_at, uint64_t *calls)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status;
    *calls = 0;
    pid_t process = fork();
    if (process == 0) become_weir(1);
    if (process < 0 || waitpid(process, &status, 0) < 0) abort();
    if (WIFEXITED(status)) return WEXITSTATUS(status); /* 99: it may not be traced */
    if (ptrace(PTRACE_SETOPTIONS, process, NULL, (void *)options) != 0) abort();
    ptrace(PTRACE_SYSCALL, process, NULL, NULL);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) return -1;
        if (thread == process && WIFEXITED(status)) return WEXITSTATUS(status);
        if (thread == process && WIFSIGNALED(status)) return -1;
        if (!WIFSTOPPED(status)) continue;
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
            if (enters(thread) && ++*calls == kill_at) kill(process, SIGKILL);
            signal = 0;
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            signal = 0; /* a new thread, the program begins */
        }
        ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal);
    }
}

/* The same by the clock; points are tens of microseconds. */
static int run_timed(uint64_t kill_at, uint64_t *calls)
{
    struct timespec from, until, nap = { 0, 10000 };
    int status;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t process = fork();
    if (process == 0) become_weir(0);
    for (*calls = 0; waitpid(process, &status, kill_at ? WNOHANG : 0) == 0;) {
        nanosleep(&nap, NULL);
        clock_gettime(CLOCK_MONOTONIC, &until);
        *calls = (uint64_t)((until.tv_sec - from.tv_sec) * 100000 +
                            (until.tv_nsec - from.tv_nsec) / 10000);
        if (*calls >= kill_at) kill(process, SIGKILL);
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    *calls = (uint64_t)((until.tv_sec - from.tv_sec) * 100000 +
                        (until.tv_nsec - from.tv_nsec) / 10000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_weir(uint64_t kill_at, uint64_t *calls)
{
    int status = timed ? 99 : run_traced(kill_at, calls);
    if (status != 99) return status;
    if (!timed) printf("sweep process: ptrace is not allowed here, kills go by the clock\n");
    timed = 1;
    return run_timed(kill_at, calls);
}

/* ---- directories ---- */

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat, (void)type, (void)walk;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const char *path, const void *bytes, size_t n)
{
    char parent[512];
    snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(parent, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) abort();
}

static void put_input(void *arg, const char *path)
{
    size_t n;
    const uint8_t *bytes = sim_disk_file(arg, path, &n);
    put_file(path + (path[0] == '/'), bytes, n);
}

static struct sim_disk *loaded;

static int load_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)walk;
    if (type != FTW_F) return 0;
    char *bytes = malloc((size_t)stat->st_size + 1);
    FILE *file = fopen(path, "r");
    if (!bytes || !file || fread(bytes, 1, (size_t)stat->st_size, file) != (size_t)stat->st_size)
        abort();
    fclose(file);
    sim_disk_put(loaded, path, bytes, (size_t)stat->st_size, 1);
    free(bytes);
    return 0;
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(char *text, size_t length)
{
    char **lines = calloc(length + 1, sizeof *lines), *copy = strdup(text ? text : "");
    size_t n = 0, at = 0;
    if (!lines || !copy) abort();
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_line);
    for (size_t i = 0; i < n && text; i++) at += (size_t)sprintf(text + at, "%s\n", lines[i]);
    free(copy);
    free(lines);
}

/* What is visible in "out" here; rows of a batch are sorted. */
static int read_real(struct output *out, char why[ORACLE_TEXT])
{
    loaded = sim_disk_create();
    nftw("out", load_one, 16, FTW_PHYS);
    int result = output_read(loaded, "out", 1, out, why);
    sim_disk_destroy(loaded);
    for (uint32_t i = 0; i < out->n; i++) sort_lines(out->batches[i].text, out->batches[i].length);
    sort_lines(out->open, out->open_length);
    return result;
}

/* ---- the sweep ---- */

struct process_sweep {
    const struct sweep_job *job;
    struct output want;
    uint64_t calls, points, failed;
    char why[ORACLE_TEXT];
};

static void begin_again(const struct sweep_job *job)
{
    struct sim_disk *disk = sim_disk_create();
    remove_all("in");
    remove_all("out");
    remove_all("cp");
    job->fill(disk);
    sim_disk_each(disk, "/", put_input, disk);
    sim_disk_destroy(disk);
    put_file("job.json", job->text, strlen(job->text));
}

static int finish_real(struct process_sweep *sweep)
{
    struct output got = { 0 };
    uint64_t calls;
    int status = run_weir(0, &calls);
    if (status != 0) {
        snprintf(sweep->why, sizeof sweep->why, "the job ends with status %d", status);
        return -1;
    }
    int result = read_real(&got, sweep->why);
    if (result == 0) result = output_same(&sweep->want, &got, sweep->why);
    output_free(&got);
    return result;
}

static void point_real(struct process_sweep *sweep, uint64_t first, uint64_t second)
{
    uint64_t calls;
    begin_again(sweep->job);
    run_weir(first, &calls);
    if (second) run_weir(second, &calls);
    sweep->points++;
    if (finish_real(sweep) == 0) return;
    sweep->failed++;
    printf("sweep process %s point %" PRIu64 " %" PRIu64 ": %s\n", sweep->job->name, first, second,
           sweep->why);
}

static int begin_real(struct process_sweep *sweep, const struct sweep_job *job)
{
    *sweep = (struct process_sweep){ .job = job };
    begin_again(job);
    int status = run_weir(0, &sweep->calls);
    snprintf(sweep->why, sizeof sweep->why, "the undisturbed job ends with status %d", status);
    if (status != 0 || read_real(&sweep->want, sweep->why) != 0) return -1;
    snprintf(sweep->why, sizeof sweep->why, "the undisturbed job gives nothing");
    return sweep->want.n + sweep->want.open_length > 0 ? 0 : -1;
}

static int sweep_real(const struct sweep_job *job, char **point)
{
    struct process_sweep sweep;
    uint64_t draws = sweep_seed(), n = sweep_level() > SWEEP_SAMPLE ? POINTS_WIDE : POINTS;
    int result = begin_real(&sweep, job);
    if (result != 0) printf("sweep process %s: %s\n", job->name, sweep.why);
    if (result == 0 && point)
        point_real(&sweep, strtoull(point[0], NULL, 10), point[1] ? strtoull(point[1], NULL, 10) : 0);
    for (uint64_t i = 0; result == 0 && !point && i < n; i++) {
        uint64_t first = 1 + sweep_draw(&draws) % sweep.calls;
        point_real(&sweep, first, i % 2 ? 1 + sweep_draw(&draws) % sweep.calls : 0);
    }
    if (result == 0)
        printf("sweep process %s: %" PRIu64 " points of %" PRIu64 " system calls: %s\n", job->name,
               sweep.points, sweep.calls, sweep.failed ? "FAILED" : "0 lost, 0 doubled");
    fflush(stdout);
    output_free(&sweep.want);
    return result != 0 || sweep.failed;
}

int main(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    char directory[512], run[600];
    int status = 0;
    if (argc < 2 || !(program = realpath(argv[1], NULL))) {
        fprintf(stderr, "usage: sweep_process WEIR [JOB POINT [POINT2]]\n");
        return 64;
    }
    snprintf(directory, sizeof directory, "%s/weir-sweep-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(directory) || chdir(directory) != 0) return 73;
    snprintf(run, sizeof run, "%s/run", directory);
    mkdir(run, 0700);
    setenv("XDG_RUNTIME_DIR", run, 1);
    for (size_t i = 0; i < JOBS; i++)
        if (argc < 3 || strcmp(argv[2], jobs[i]) == 0)
            status |= sweep_real(sweep_job_find(jobs[i]), argc > 3 ? argv + 3 : NULL);
    if (chdir("/") == 0 && status == 0) remove_all(directory);
    else printf("sweep process: the files are in %s\n", directory);
    free((void *)(uintptr_t)program);
    return status;
}
