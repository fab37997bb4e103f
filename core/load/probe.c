/*
 * probe.c - the side of weir that starts probe processes and reads what they say.
 *
 *  1. A probe is `weir --probe FILE` by posix_spawn: a fork without exec can hang in the loader's
 *     locks when the process has threads.
 *  2. It gets no input, its standard output is a pipe, its errors go nowhere. It leads a process
 *     group of its own, which is killed as a whole when the probe is over, however it ended.
 *  3. It has 5 seconds and 1 MiB of output. Within, whatever it does (exit, crash, hang, print)
 *     becomes a refusal with that reason; it never becomes an error of weir.
 *  4. Its answer is input from outside: it is parsed here and checked by whoever uses it.
 *
 * A probe is over when it exits, not when its pipe closes: a process that it left behind could hold
 * the pipe.
 */
#define _GNU_SOURCE
#include "core/load/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/load/why.h"

#define AT_ONCE 2u
#define MAX_OUTPUT (1u << 20)

#define BLAME "ask its maker for another version, or take it out of the directory"

extern char **environ;

int64_t probe_limit_ms = 5000;

struct child {
    struct probe *probe; /* NULL: this place is free */
    pid_t pid;
    int out, pidfd, shut; /* shut: nothing more comes from out */
    int64_t deadline; /* monotonic ms */
    char *output;
    size_t n;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

json_t *probe_refusal(const char *text, int lasting)
{
    return json_pack("{ss sb}", "refusal", text, "lasting", lasting);
}

static int spawn_with(const char *program, const char *file, int out, pid_t *pid)
{
    char *const args[] = { "weir", "--probe", (char *)file, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int result;
    if ((result = posix_spawn_file_actions_init(&files)) != 0) return result;
    if ((result = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return result;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    result = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!result) result = posix_spawn_file_actions_adddup2(&files, out, 1);
    if (!result) result = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (!result) result = posix_spawn(pid, program, &files, &attributes, args, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return result;
}

static void refuse_probe(struct probe *probe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void refuse_probe(struct probe *probe, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    probe->refusal = probe_refusal(text, 0);
}

static void child_start(struct child *child, const char *program, struct probe *probe)
{
    int pipes[2], result = pipe2(pipes, O_CLOEXEC) == 0 ? 0 : errno;
    char *output = result == 0 ? malloc(MAX_OUTPUT) : NULL;
    if (result == 0) {
        result = output ? spawn_with(program, probe->file, pipes[1], &child->pid) : ENOMEM;
        close(pipes[1]);
        if (result != 0) close(pipes[0]);
    }
    if (result != 0) {
        free(output);
        refuse_probe(probe, "needs to be looked at by `%s --probe`; that can't be started: %s: "
                     "mend that and start again", program, strerror(result));
        return;
    }
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    child->probe = probe;
    child->out = pipes[0];
    child->pidfd = pidfd_open(child->pid, 0); /* -1 before Linux 5.3: then it is polled */
    child->deadline = now_ms() + probe_limit_ms;
    child->output = output;
    child->n = 0;
    child->shut = 0;
}

/* Reads what is there. 1 while more may come, 0 at the end of the pipe or when there is too
 * much. */
static int child_read(struct child *child)
{
    while (child->n < MAX_OUTPUT) {
        ssize_t got = read(child->out, child->output + child->n, MAX_OUTPUT - child->n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return 0;
        child->n += (size_t)got;
    }
    return 0;
}

/* The answer, where it is one. */
static void read_answer(struct child *child, int status)
{
    struct probe *probe = child->probe;
    json_t *json = json_loadb(child->output, child->n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *text = json_object_get(json, "refusal");
    if (WIFSIGNALED(status)) {
        refuse_probe(probe, "needs to survive being looked at; it crashed with signal %d (%s) "
                     "while it was looked at: " BLAME, WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
    } else if (!json_is_object(json) && child->n > 0) {
        refuse_probe(probe, "needs to leave standard output alone; it wrote %zu bytes there "
                     "while it was looked at: " BLAME, child->n);
    } else if (WEXITSTATUS(status) == 1 && json_is_string(text)) {
        probe->refusal = json_incref(json);
    } else if (WEXITSTATUS(status) == 0 && json && !text) {
        probe->answer = json_incref(json);
    } else {
        refuse_probe(probe, "needs to survive being looked at; it ended the process with status %d "
                     "while it was looked at: " BLAME, WEXITSTATUS(status));
    }
    json_decref(json);
}

static void child_end(struct child *child, int late)
{
    int status = 0;
    kill(-child->pid, SIGKILL); /* it is not reaped yet, so the group is still its own */
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) continue;
    if (child->n >= MAX_OUTPUT)
        refuse_probe(child->probe, "needs to leave standard output alone; it wrote over %u bytes "
                     "there while it was looked at: " BLAME, MAX_OUTPUT - 1);
    else if (late)
        refuse_probe(child->probe, "needs to be loaded within %lld ms; it hung while it was looked "
                     "at: " BLAME, (long long)probe_limit_ms);
    else
        read_answer(child, status);
    if (child->pidfd >= 0) close(child->pidfd);
    close(child->out);
    free(child->output);
    child->probe = NULL;
}

static int child_exited(const struct child *child)
{
    siginfo_t info = { 0 };
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return errno == ECHILD;
    return info.si_pid == child->pid;
}

/* Waits for something to happen, then moves every child on. */
static void step(struct child *children)
{
    struct pollfd polled[2 * AT_ONCE];
    nfds_t n = 0;
    int64_t wait_ms = INT32_MAX, now = now_ms();
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        struct child *child = &children[i];
        if (!child->probe) continue;
        int64_t left = child->deadline > now ? child->deadline - now : 0;
        if (child->pidfd < 0 && left > 5) left = 5;
        if (left < wait_ms) wait_ms = left;
        polled[n++] = (struct pollfd){ child->pidfd, POLLIN, 0 };
        polled[n++] = (struct pollfd){ child->shut ? -1 : child->out, POLLIN, 0 };
    }
    poll(polled, n, (int)wait_ms);
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        struct child *child = &children[i];
        if (!child->probe) continue;
        int exited = child_exited(child); /* before the last read: then nothing of it is missed */
        child->shut = !child_read(child);
        int late = now_ms() >= child->deadline;
        if (exited || late || child->n >= MAX_OUTPUT) child_end(child, !exited);
    }
}

void probe_run(const char *program, struct probe *probes, uint32_t n)
{
    struct child children[AT_ONCE] = { 0 };
    uint32_t next = 0;
    for (;;) {
        int active = 0;
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            while (!children[i].probe && next < n)
                child_start(&children[i], program ? program : "/proc/self/exe", &probes[next++]);
            active |= children[i].probe != NULL;
        }
        if (!active) return;
        step(children);
    }
}
