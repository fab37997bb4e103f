/*
 * sim_task.c - executors and waiting on one thread, in an order drawn from the seed.
 *
 * What can happen next is one of: an executor with something queued runs a task; the oldest post
 * runs; a watched descriptor that is ready is told. Each wait draws among them until something of
 * the coordinator's ran, and then goes on or returns by a coin, so that completions come singly and
 * in heaps. An executor of k threads may run any of its first k tasks: that many can be under way
 * at once; with one thread it is a queue. Tasks are not cut into: what two of them do at the same
 * time is for the thread sanitizer and the real sys.
 *
 * Where nothing can happen, time jumps to the next deadline or planned event; where there is
 * neither, the caller would wait for ever: a kill follows, and sim_stuck says why.
 */
#include "core/sys/sim_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* So many tasks without a callback, or waits after a kill without work, are a loop without end. */
#define ENDLESS 1000000u

struct weir_exec {
    struct sim *sim;
    struct weir_exec *next;
    uint32_t threads;
    uint32_t queued;
    struct weir_task *first, **end;
};

static struct sim *sim_of(struct weir_sys *sys)
{
    return (struct sim *)sys;
}

/* ---- executors ---- */

struct weir_exec *sim_exec_create(struct weir_sys *sys, const char *name, uint32_t threads)
{
    struct sim *sim = sim_of(sys);
    struct weir_exec *exec = sim_need(calloc(1, sizeof *exec));

    (void)name;
    exec->sim = sim;
    exec->threads = threads > 0 ? threads : 1;
    exec->end = &exec->first;
    exec->next = sim->execs;
    sim->execs = exec;
    return exec;
}

void sim_submit(struct weir_exec *exec, struct weir_task *task)
{
    task->next = NULL;
    *exec->end = task;
    exec->end = &task->next;
    exec->queued++;
}

static void exec_run(struct weir_exec *exec)
{
    uint32_t choice = exec->queued < exec->threads ? exec->queued : exec->threads;
    uint64_t skip = choice > 1 ? sim_draw(&exec->sim->order) % choice : 0;
    struct weir_task **at = &exec->first;
    struct weir_task *task;

    while (skip-- > 0)
        at = &(*at)->next;
    task = *at;
    *at = task->next;
    if (task->next == NULL)
        exec->end = at;
    exec->queued--;
    task->run(task);
}

void sim_exec_destroy(struct weir_exec *exec)
{
    struct weir_exec **at;

    if (exec == NULL)
        return;
    while (exec->queued > 0)
        exec_run(exec);
    at = &exec->sim->execs;
    while (*at != exec)
        at = &(*at)->next;
    *at = exec->next;
    free(exec);
}

/* ---- posts, watches, signals ---- */

void sim_post(struct weir_sys *sys, struct weir_task *task)
{
    struct sim *sim = sim_of(sys);

    task->next = NULL;
    *sim->posts_end = task;
    sim->posts_end = &task->next;
}

static void post_run(struct sim *sim)
{
    struct weir_task *task = sim->posts;

    sim->posts = task->next;
    if (sim->posts == NULL)
        sim->posts_end = &sim->posts;
    task->run(task);
}

int sim_watch(struct weir_sys *sys, int number, uint32_t events, sys_ready_fn ready, void *arg)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    int result = sim_enter(sim, 0);

    if (result < 0)
        return result;
    if (fd == NULL)
        return -EBADF;
    if (ready == NULL || (events & (SYS_READ | SYS_WRITE)) == 0)
        return -EINVAL;
    sim->n_watched += fd->ready == NULL;
    fd->events = events;
    fd->ready = ready;
    fd->arg = arg;
    return 0;
}

void sim_unwatch(struct weir_sys *sys, int number)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);

    if (fd == NULL || fd->ready == NULL)
        return;
    fd->ready = NULL;
    sim->n_watched--;
}

static int watch_ready(struct sim *sim, size_t i)
{
    const struct sim_fd *fd = &sim->fds[i];

    return fd->kind != SIM_FREE && fd->ready != NULL &&
           (sim_stream_ready(sim, fd) & fd->events) != 0;
}

static void watch_run(struct sim *sim, size_t i)
{
    sys_ready_fn ready = sim->fds[i].ready;
    void *arg = sim->fds[i].arg;

    sim->fds[i].ready = NULL;
    sim->n_watched--;
    ready(arg);
}

uint32_t sim_signals(struct weir_sys *sys, uint32_t *hangups)
{
    if (hangups != NULL)
        *hangups = sim_of(sys)->hangups;
    return sim_of(sys)->terms;
}

/* ---- waiting ---- */

enum step { STEP_NONE, STEP_TASK, STEP_CALLBACK };

/* Draws one of the things that can happen and lets it happen. */
static enum step step_run(struct sim *sim, int with_watches)
{
    struct weir_exec *exec;
    uint64_t n = sim->posts != NULL;
    uint64_t pick;

    for (exec = sim->execs; exec != NULL; exec = exec->next)
        n += exec->queued > 0;
    if (with_watches && sim->n_watched > 0)
        for (size_t i = 0; i < sim->n_fds; i++)
            n += (uint64_t)watch_ready(sim, i);
    if (n == 0)
        return STEP_NONE;
    pick = n > 1 ? sim_draw(&sim->order) % n : 0;
    for (exec = sim->execs; exec != NULL; exec = exec->next) {
        if (exec->queued > 0 && pick-- == 0) {
            exec_run(exec);
            return STEP_TASK;
        }
    }
    if (sim->posts != NULL && pick-- == 0) {
        post_run(sim);
        return STEP_CALLBACK;
    }
    for (size_t i = 0; i < sim->n_fds; i++) {
        if (watch_ready(sim, i) && pick-- == 0) {
            watch_run(sim, i);
            return STEP_CALLBACK;
        }
    }
    abort(); /* we counted what is there */
}

static int coin(struct sim *sim)
{
    return sim_draw(&sim->order) % 2 == 0;
}

/* Runs all that is left, so that the caller can unwind; time goes on for whoever waits for it. */
static int wait_killed(struct sim *sim, int64_t deadline_us)
{
    enum step step;
    uint32_t steps = 0;
    int ran = 0;

    while (steps++ < ENDLESS && (step = step_run(sim, 0)) != STEP_NONE)
        ran += step == STEP_CALLBACK;
    if (!sim->manual && deadline_us != INT64_MAX && deadline_us > sim->mono)
        sim->mono = deadline_us;
    sim->idle_waits = ran > 0 ? 0 : sim->idle_waits + 1;
    if (sim->idle_waits > ENDLESS) {
        fputs("sim: the caller goes on waiting after the kill\n", stderr);
        abort();
    }
    return ran;
}

/* Nothing can happen now. 1: time moved and something may. */
static int wait_idle(struct sim *sim, int64_t deadline_us)
{
    int64_t next = deadline_us;

    if (sim->manual || deadline_us <= sim->mono)
        return 0;
    if (sim->n_events > 0 && sim->events[0].at < next)
        next = sim->events[0].at;
    if (next == INT64_MAX) {
        sim->stuck = sim->killed = 1;
        return 0;
    }
    sim_clock_to(sim, next);
    return next < deadline_us || sim->signalled;
}

int sim_wait(struct weir_sys *sys, int64_t deadline_us)
{
    struct sim *sim = sim_of(sys);
    uint32_t steps = 0;
    int ran = 0;

    while (!sim->killed) {
        enum step step = STEP_CALLBACK;

        if (sim->signalled)
            sim->signalled = 0;
        else
            step = step_run(sim, 1);
        ran += step == STEP_CALLBACK;
        if (step == STEP_NONE && (ran > 0 || !wait_idle(sim, deadline_us)))
            return ran;
        if (step != STEP_NONE && (ran > 0 || deadline_us <= sim->mono) && coin(sim))
            return ran;
        if (step == STEP_TASK && ++steps > ENDLESS)
            sim->stuck = sim->killed = 1;
    }
    return ran + wait_killed(sim, deadline_us);
}
