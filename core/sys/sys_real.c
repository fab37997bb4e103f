/*
 * sys_real.c - the real sys: the coordinator's loop, executors, clocks. The only file that knows
 * libuv.
 *
 * The loop is ours alone and turns only inside wait. Four things wake it:
 *   post     a list under a lock and one uv_async;
 *   watch    an epoll set of our own, itself watched by one uv_poll. One-shot readiness can so be
 *            asked for from any thread (epoll_ctl needs no loop), and a closed descriptor leaves
 *            the set by itself. A slot per descriptor holds whom to tell; its stamp, which also
 *            travels with the event, tells old events of a reused descriptor from new ones. What
 *            epoll doesn't take (files) is always ready and goes on a list.
 *   signals  uv_signal, counted;
 *   deadline one uv_timer, armed per wait. Its milliseconds are rounded up: never early, at most
 *            one late.
 *
 * Locks: `lock` guards posts, slots and the list of what is always ready; nothing is called with it
 * held. Each executor has its own; they are never held together.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/sys/sys_posix.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define EVENTS_AT_ONCE 64
#define LONGEST_MS 3600000 /* one arming of the timer */

struct slot {
    sys_ready_fn ready; /* NULL: nobody waits */
    void *arg;
    uint32_t stamp;
    int always; /* on the list of what is always ready */
};

struct real {
    struct weir_sys base;
    struct streams streams;
    uv_loop_t loop;
    uv_async_t async;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_signal_t signals[3];
    uint32_t terms, hangups;
    int ran; /* callbacks in this wait */
    int epoll;
    int loop_made, lock_made, streams_made;

    pthread_mutex_t lock;
    struct weir_task *posts, **posts_end;
    struct slot *slots;
    size_t n_slots;
    size_t n_always;
    uint32_t stamp;
};

static struct real *real_of(struct weir_sys *sys)
{
    return (struct real *)sys;
}

struct streams *real_streams(struct weir_sys *sys)
{
    return &real_of(sys)->streams;
}

/* ---- clocks, chance ---- */

static int64_t clock_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_now(struct weir_sys *sys)
{
    (void)sys;
    return clock_us(CLOCK_REALTIME);
}

static int64_t real_mono(struct weir_sys *sys)
{
    (void)sys;
    return clock_us(CLOCK_MONOTONIC);
}

static void real_random(struct weir_sys *sys, void *buffer, size_t n)
{
    (void)sys;
    while (n > 0) {
        ssize_t got = getrandom(buffer, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fputs("weir: the system gives no random bytes\n", stderr);
            abort();
        }
        buffer = (char *)buffer + got;
        n -= (size_t)got;
    }
}

/* ---- posts ---- */

static void real_post(struct weir_sys *sys, struct weir_task *task)
{
    struct real *real = real_of(sys);
    int first;

    task->next = NULL;
    pthread_mutex_lock(&real->lock);
    first = real->posts == NULL;
    *real->posts_end = task;
    real->posts_end = &task->next;
    pthread_mutex_unlock(&real->lock);
    if (first)
        uv_async_send(&real->async);
}

/* Runs what is there now; what these post in turn waits for the next round. */
static void posts_run(struct real *real)
{
    struct weir_task *task;

    pthread_mutex_lock(&real->lock);
    task = real->posts;
    real->posts = NULL;
    real->posts_end = &real->posts;
    pthread_mutex_unlock(&real->lock);
    while (task != NULL) {
        struct weir_task *next = task->next;

        task->run(task);
        real->ran++;
        task = next;
    }
}

static void on_async(uv_async_t *async)
{
    posts_run(async->data);
}

/* ---- watches ---- */

/* Forgets who waits for fd; the caller holds the lock. */
static void slot_clear(struct real *real, int fd)
{
    struct slot *slot = &real->slots[fd];

    slot->ready = NULL;
    slot->stamp = 0;
    real->n_always -= (size_t)slot->always;
    slot->always = 0;
}

static int slots_grow(struct real *real, size_t n)
{
    size_t room = real->n_slots > 0 ? real->n_slots : 64;
    struct slot *more;

    while (room <= n)
        room *= 2;
    if (room == real->n_slots)
        return 0;
    more = realloc(real->slots, room * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    memset(more + real->n_slots, 0, (room - real->n_slots) * sizeof *more);
    real->slots = more;
    real->n_slots = room;
    return 0;
}

static int watch_locked(struct real *real, int fd, uint32_t events, sys_ready_fn ready, void *arg)
{
    struct epoll_event event = {.events = EPOLLONESHOT};
    struct slot *slot;
    int result = slots_grow(real, (size_t)fd);

    if (result < 0)
        return result;
    slot_clear(real, fd);
    if (++real->stamp == 0)
        real->stamp = 1;
    event.events |= (events & SYS_READ) != 0 ? EPOLLIN | EPOLLRDHUP : 0;
    event.events |= (events & SYS_WRITE) != 0 ? EPOLLOUT : 0;
    event.data.u64 = (uint64_t)real->stamp << 32 | (uint32_t)fd;
    result = epoll_ctl(real->epoll, EPOLL_CTL_MOD, fd, &event);
    if (result < 0 && errno == ENOENT)
        result = epoll_ctl(real->epoll, EPOLL_CTL_ADD, fd, &event);
    if (result < 0 && errno != EPERM)
        return -errno;
    slot = &real->slots[fd];
    slot->ready = ready;
    slot->arg = arg;
    slot->stamp = real->stamp;
    slot->always = result < 0;
    real->n_always += (size_t)slot->always;
    return slot->always;
}

static int real_watch(struct weir_sys *sys, int fd, uint32_t events, sys_ready_fn ready, void *arg)
{
    struct real *real = real_of(sys);
    int result;

    if (fd < 0)
        return -EBADF;
    if (ready == NULL || (events & (SYS_READ | SYS_WRITE)) == 0)
        return -EINVAL;
    pthread_mutex_lock(&real->lock);
    result = watch_locked(real, fd, events, ready, arg);
    pthread_mutex_unlock(&real->lock);
    if (result > 0)
        uv_async_send(&real->async);
    return result < 0 ? result : 0;
}

static void unwatch(struct real *real, int fd)
{
    pthread_mutex_lock(&real->lock);
    if (fd >= 0 && (size_t)fd < real->n_slots && real->slots[fd].ready != NULL) {
        slot_clear(real, fd);
        epoll_ctl(real->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
    pthread_mutex_unlock(&real->lock);
}

static void real_unwatch(struct weir_sys *sys, int fd)
{
    unwatch(real_of(sys), fd);
}

/* Tells who waits for fd; stamp 0: whatever the stamp. */
static void ready_run(struct real *real, size_t fd, uint32_t stamp)
{
    sys_ready_fn ready = NULL;
    void *arg = NULL;

    pthread_mutex_lock(&real->lock);
    if (fd < real->n_slots &&
        (stamp == 0 ? real->slots[fd].always : real->slots[fd].stamp == stamp)) {
        ready = real->slots[fd].ready;
        arg = real->slots[fd].arg;
        slot_clear(real, (int)fd);
    }
    pthread_mutex_unlock(&real->lock);
    if (ready == NULL)
        return;
    ready(arg);
    real->ran++;
}

static void on_epoll(uv_poll_t *poll, int status, int events)
{
    struct real *real = poll->data;
    struct epoll_event found[EVENTS_AT_ONCE];
    int n = epoll_wait(real->epoll, found, EVENTS_AT_ONCE, 0);

    (void)status;
    (void)events;
    for (int i = 0; i < n; i++)
        ready_run(real, (uint32_t)found[i].data.u64, (uint32_t)(found[i].data.u64 >> 32));
}

/* Files can't be waited for. Few, if any: standard input. */
static void always_run(struct real *real)
{
    size_t n, n_slots;

    pthread_mutex_lock(&real->lock);
    n = real->n_always;
    n_slots = real->n_slots;
    pthread_mutex_unlock(&real->lock);
    for (size_t fd = 0; n > 0 && fd < n_slots; fd++)
        ready_run(real, fd, 0);
}

/* With the slot first, so that a new owner of the number never meets the old watch. */
static int real_close(struct weir_sys *sys, int fd)
{
    unwatch(real_of(sys), fd);
    if (fd <= STDERR_FILENO || fd == real_of(sys)->streams.in)
        return fd < 0 ? -EBADF : 0; /* the process' own */
    if (close(fd) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

/* ---- waiting ---- */

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct real *real = signal->data;

    if (number == SIGHUP)
        real->hangups++;
    else
        real->terms++;
    real->ran++;
}

static uint32_t real_signals(struct weir_sys *sys, uint32_t *hangups)
{
    if (hangups != NULL)
        *hangups = real_of(sys)->hangups;
    return real_of(sys)->terms;
}

static int64_t patience_us;

static void *end_process(void *arg)
{
    static const char text[] = "weir: something did not stop when told to; the process ends without it\n";
    struct timespec left = { .tv_sec = patience_us / 1000000,
                             .tv_nsec = patience_us % 1000000 * 1000 };
    (void)arg;
    while (nanosleep(&left, &left) != 0) {}
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(70);
    _exit(70);
}

static void real_give_up(struct weir_sys *sys, int64_t after_us)
{
    pthread_t thread;
    (void)sys;
    patience_us = after_us;
    if (pthread_create(&thread, NULL, end_process, NULL) == 0) pthread_detach(thread);
}

static void timer_arm(struct real *real, int64_t left_us)
{
    uint64_t ms = left_us / 1000 >= LONGEST_MS ? LONGEST_MS : (uint64_t)(left_us + 999) / 1000;

    uv_update_time(&real->loop);
    uv_timer_start(&real->timer, on_timer, ms, 0);
}

static int real_wait(struct weir_sys *sys, int64_t deadline_us)
{
    struct real *real = real_of(sys);

    real->ran = 0;
    for (;;) {
        int64_t left = 0;

        posts_run(real);
        always_run(real);
        if (real->ran == 0 && deadline_us == INT64_MAX)
            left = INT64_MAX;
        else if (real->ran == 0)
            left = deadline_us - real_mono(sys);
        if (left > 0 && left < INT64_MAX)
            timer_arm(real, left);
        uv_run(&real->loop, left > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        uv_timer_stop(&real->timer);
        if (real->ran > 0 || left <= 0)
            return real->ran;
    }
}

/* ---- executors ---- */

struct weir_exec {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct weir_task *first, **end;
    int stop;
    uint32_t n_threads;
    char name[16];
    pthread_t threads[];
};

static void *exec_main(void *arg)
{
    struct weir_exec *exec = arg;

    pthread_setname_np(pthread_self(), exec->name);
    pthread_mutex_lock(&exec->lock);
    for (;;) {
        struct weir_task *task = exec->first;

        if (task == NULL && exec->stop)
            break;
        if (task == NULL) {
            pthread_cond_wait(&exec->more, &exec->lock);
            continue;
        }
        exec->first = task->next;
        if (exec->first == NULL)
            exec->end = &exec->first;
        pthread_mutex_unlock(&exec->lock);
        task->run(task); /* may free the task */
        pthread_mutex_lock(&exec->lock);
    }
    pthread_mutex_unlock(&exec->lock);
    return NULL;
}

static void exec_destroy(struct weir_exec *exec)
{
    if (exec == NULL)
        return;
    pthread_mutex_lock(&exec->lock);
    exec->stop = 1;
    pthread_cond_broadcast(&exec->more);
    pthread_mutex_unlock(&exec->lock);
    for (uint32_t i = 0; i < exec->n_threads; i++)
        pthread_join(exec->threads[i], NULL);
    pthread_cond_destroy(&exec->more);
    pthread_mutex_destroy(&exec->lock);
    free(exec);
}

/* Signals are the coordinator's: blocked before the threads start, which inherit that. */
static struct weir_exec *exec_create(struct weir_sys *sys, const char *name, uint32_t threads)
{
    struct weir_exec *exec;
    sigset_t all, before;
    int failed = 0;

    (void)sys;
    if (threads == 0)
        threads = 1;
    exec = calloc(1, sizeof *exec + threads * sizeof exec->threads[0]);
    if (exec == NULL)
        return NULL;
    exec->end = &exec->first;
    snprintf(exec->name, sizeof exec->name, "%s", name);
    if (pthread_mutex_init(&exec->lock, NULL) != 0) {
        free(exec);
        return NULL;
    }
    if (pthread_cond_init(&exec->more, NULL) != 0) {
        pthread_mutex_destroy(&exec->lock);
        free(exec);
        return NULL;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!failed && exec->n_threads < threads) {
        failed = pthread_create(&exec->threads[exec->n_threads], NULL, exec_main, exec);
        exec->n_threads += !failed;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        exec_destroy(exec);
        errno = failed;
        return NULL;
    }
    return exec;
}

static void exec_submit(struct weir_exec *exec, struct weir_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&exec->lock);
    *exec->end = task;
    exec->end = &task->next;
    pthread_cond_signal(&exec->more);
    pthread_mutex_unlock(&exec->lock);
}

/* ---- life ---- */

static void close_one(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void real_destroy(struct weir_sys *sys)
{
    struct real *real = real_of(sys);

    if (real->loop_made) {
        uv_walk(&real->loop, close_one, NULL);
        uv_run(&real->loop, UV_RUN_DEFAULT);
        uv_loop_close(&real->loop);
    }
    if (real->streams_made)
        streams_fini(&real->streams);
    if (real->epoll >= 0)
        close(real->epoll);
    if (real->lock_made)
        pthread_mutex_destroy(&real->lock);
    free(real->slots);
    free(real);
}

static const struct weir_sys_ops real_ops = {
    .destroy = real_destroy,
    .now = real_now,
    .mono = real_mono,
    .random = real_random,
    .open = posix_open,
    .close = real_close,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .sync = posix_sync,
    .sync_dir = posix_sync_dir,
    .truncate = posix_truncate,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .stat = posix_stat,
    .fstat = posix_fstat,
    .list = posix_list,
    .lock = posix_lock,
    .listen = posix_listen,
    .local_port = posix_local_port,
    .connect = posix_connect,
    .accept = posix_accept,
    .recv = posix_recv,
    .send = posix_send,
    .poll = posix_poll,
    .standard = posix_standard,
    .exec_create = exec_create,
    .exec_destroy = exec_destroy,
    .submit = exec_submit,
    .post = real_post,
    .wait = real_wait,
    .watch = real_watch,
    .unwatch = real_unwatch,
    .signals = real_signals,
    .give_up = real_give_up,
};

/* The loop and its handles; a negative errno, which is what libuv's codes are here. */
static int loop_start(struct real *real)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction hangup;
    int result = uv_loop_init(&real->loop);

    if (result < 0)
        return result;
    real->loop_made = 1;
    real->async.data = real->poll.data = real;
    result = uv_async_init(&real->loop, &real->async, on_async);
    if (result == 0)
        result = uv_timer_init(&real->loop, &real->timer);
    if (result == 0)
        result = uv_poll_init(&real->loop, &real->poll, real->epoll);
    if (result == 0)
        result = uv_poll_start(&real->poll, UV_READABLE, on_epoll);
    for (int i = 0; i < 3 && result == 0; i++) {
        real->signals[i].data = real;
        result = uv_signal_init(&real->loop, &real->signals[i]);
        if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &hangup) == 0 &&
            hangup.sa_handler == SIG_IGN)
            continue; /* nohup */
        if (result == 0)
            result = uv_signal_start(&real->signals[i], on_signal, numbers[i]);
    }
    return result;
}

struct weir_sys *sys_real_create(void)
{
    struct real *real = calloc(1, sizeof *real);
    int result;

    if (real == NULL)
        return NULL;
    real->base.ops = &real_ops;
    real->posts_end = &real->posts;
    signal(SIGPIPE, SIG_IGN);
    real->epoll = epoll_create1(EPOLL_CLOEXEC);
    result = real->epoll < 0 ? -errno : -pthread_mutex_init(&real->lock, NULL);
    if (result < 0)
        goto fail;
    real->lock_made = 1;
    result = streams_init(&real->streams);
    if (result < 0)
        goto fail;
    real->streams_made = 1;
    result = loop_start(real);
    if (result < 0)
        goto fail;
    return &real->base;

fail:
    real_destroy(&real->base);
    errno = -result;
    return NULL;
}
