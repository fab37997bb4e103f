/*
 * test_sys_real.c - the real sys against the real kernel: files in a directory of their own under
 * $TMPDIR, sockets on loopback.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000

static char home[256];

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static int home_make(void **state)
{
    const char *tmp = getenv("TMPDIR");

    *state = NULL;
    snprintf(home, sizeof home, "%s/weir-sys-XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(home) != NULL ? 0 : -1;
}

static int home_remove(void **state)
{
    (void)state;
    return rmdir(home);
}

static int start(void **state)
{
    *state = sys_real_create();
    return *state != NULL ? 0 : -1;
}

static int stop(void **state)
{
    struct weir_sys *sys = *state;

    sys_destroy(sys);
    return 0;
}

/* ---- files ---- */

static void a_file_goes_round(void **state)
{
    struct weir_sys *sys = *state;
    struct sys_stat stat;
    char got[16] = "";
    char from[512];
    char *bytes;
    size_t n;
    int fd;

    strcpy(from, path_of("a"));
    fd = sys_open(sys, from, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE | SYS_PRIVATE);
    assert_true(fd > 2);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(sys_pwrite(sys, fd, "hello world", 11, 0), 11);
    assert_int_equal(sys_sync(sys, fd), 0);
    assert_int_equal(sys_truncate(sys, fd, 5), 0);
    assert_int_equal(sys_pread(sys, fd, got, sizeof got, 0), 5);
    assert_string_equal(got, "hello");
    assert_int_equal(sys_fstat(sys, fd, &stat), 0);
    assert_int_equal(stat.kind, SYS_FILE);
    assert_int_equal(stat.mode, 0600);
    assert_int_equal(stat.size, 5);
    assert_int_equal(sys_close(sys, fd), 0);
    assert_int_equal(sys_open(sys, from, SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE), -EEXIST);
    assert_int_equal(sys_rename(sys, from, path_of("b")), 0);
    assert_int_equal(sys_sync_dir(sys, home), 0);
    assert_int_equal(sys_stat_path(sys, from, &stat), -ENOENT);
    assert_int_equal(sys_read_file(sys, path_of("b"), 5, &bytes, &n), 0);
    assert_string_equal(bytes, "hello");
    free(bytes);
    assert_int_equal(sys_read_file(sys, path_of("b"), 4, &bytes, &n), -EFBIG);
    assert_int_equal(sys_unlink(sys, path_of("b")), 0);
}

static int name_add(void *arg, const char *name)
{
    strcat(arg, name);
    strcat(arg, " ");
    return 0;
}

static int name_stop(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return -ECANCELED;
}

static void directories_are_made_listed_sorted_and_removed(void **state)
{
    struct weir_sys *sys = *state;
    char names[64] = "";
    int calls = 0;

    assert_int_equal(sys_mkdirs(sys, path_of("d/e//f/"), 0755), 0);
    assert_int_equal(sys_mkdirs(sys, path_of("d/e/f"), 0755), 0);
    assert_int_equal(sys_mkdir(sys, path_of("d/c"), 0755), 0);
    assert_int_equal(sys_list(sys, path_of("d"), name_add, names), 0);
    assert_string_equal(names, "c e ");
    assert_int_equal(sys_list(sys, path_of("d"), name_stop, &calls), -ECANCELED);
    assert_int_equal(calls, 1);
    assert_int_equal(sys_rmdir(sys, path_of("d")), -ENOTEMPTY);
    assert_int_equal(sys_rmdir(sys, path_of("d/c")), 0);
    assert_int_equal(sys_rmdir(sys, path_of("d/e/f")), 0);
    assert_int_equal(sys_rmdir(sys, path_of("d/e")), 0);
    assert_int_equal(sys_rmdir(sys, path_of("d")), 0);
}

static void a_pipe_in_the_way_does_not_stop_us(void **state)
{
    struct weir_sys *sys = *state;
    char *bytes;
    size_t n;

    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(sys_read_file(sys, path_of("fifo"), 10, &bytes, &n), -ESPIPE);
    assert_int_equal(unlink(path_of("fifo")), 0);
}

static void a_lock_of_another_process_is_seen(void **state)
{
    struct weir_sys *sys = *state;
    int to_child[2], to_parent[2];
    char byte;
    pid_t child;
    int fd, status;

    assert_int_equal(pipe(to_child), 0);
    assert_int_equal(pipe(to_parent), 0);
    child = fork();
    if (child == 0) { /* holds the lock until its pipe ends */
        int mine = open(path_of("lock"), O_RDWR | O_CREAT, 0600);
        struct flock lock = {.l_type = F_WRLCK};

        close(to_child[1]);
        if (mine < 0 || fcntl(mine, F_OFD_SETLK, &lock) < 0 || write(to_parent[1], "x", 1) != 1)
            _exit(1);
        _exit(read(to_child[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(read(to_parent[0], &byte, 1), 1);
    fd = sys_open(sys, path_of("lock"), SYS_READ | SYS_WRITE);
    assert_int_equal(sys_lock(sys, fd), -EAGAIN);
    close(to_child[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(sys_lock(sys, fd), 0);
    sys_close(sys, fd);
    close(to_child[0]);
    close(to_parent[0]);
    close(to_parent[1]);
    unlink(path_of("lock"));
}

/* ---- executors, posts, waiting ---- */

#define TASKS 1000

struct job {
    struct weir_task task, done;
    struct weir_sys *sys;
    int number;
};

static struct job jobs[TASKS];
static int order[TASKS];
static int n_run, n_done; /* n_run: of the one thread */

static void job_done(struct weir_task *task)
{
    (void)task;
    n_done++;
}

static void job_post(struct weir_task *task)
{
    struct job *job = (struct job *)task;

    job->done.run = job_done;
    sys_post(job->sys, &job->done);
}

static void job_run(struct weir_task *task)
{
    order[n_run++] = ((struct job *)task)->number;
    job_post(task);
}

static void one_thread_runs_in_order(void **state)
{
    struct weir_sys *sys = *state;
    struct weir_exec *exec = sys_exec_create(sys, "one", 1);

    n_run = n_done = 0;
    for (int i = 0; i < TASKS; i++) {
        jobs[i] = (struct job){.task = {.run = job_run}, .sys = sys, .number = i};
        sys_submit(sys, exec, &jobs[i].task);
    }
    sys_exec_destroy(sys, exec); /* runs what is queued */
    assert_int_equal(n_run, TASKS);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(n_done, 0);
    assert_int_equal(sys_wait(sys, sys_mono(sys)), TASKS);
    assert_int_equal(n_done, TASKS);
}

static void posts_of_many_threads_all_arrive(void **state)
{
    struct weir_sys *sys = *state;
    struct weir_exec *execs[4];

    n_done = 0;
    for (int i = 0; i < 4; i++)
        execs[i] = sys_exec_create(sys, "many", 2);
    for (int i = 0; i < TASKS; i++) {
        jobs[i] = (struct job){.task = {.run = job_post}, .sys = sys};
        sys_submit(sys, execs[i % 4], &jobs[i].task);
    }
    while (n_done < TASKS)
        assert_true(sys_wait(sys, sys_mono(sys) + 60 * SECOND) > 0);
    for (int i = 0; i < 4; i++)
        sys_exec_destroy(sys, execs[i]);
    assert_int_equal(sys_wait(sys, sys_mono(sys)), 0);
}

static void a_wait_ends_at_its_deadline(void **state)
{
    struct weir_sys *sys = *state;
    int64_t start_us = sys_mono(sys);

    assert_int_equal(sys_wait(sys, start_us + 20500), 0);
    assert_in_range(sys_mono(sys) - start_us, 20500, 10 * SECOND);
    assert_int_equal(sys_wait(sys, start_us), 0);
}

static void signals_end_a_wait_and_are_counted(void **state)
{
    struct weir_sys *sys = *state;
    uint32_t hangups;

    raise(SIGTERM);
    assert_true(sys_wait(sys, INT64_MAX) > 0);
    assert_int_equal(sys_signals(sys, &hangups), 1);
    assert_int_equal(hangups, 0);
    raise(SIGHUP);
    assert_true(sys_wait(sys, INT64_MAX) > 0);
    raise(SIGINT);
    assert_true(sys_wait(sys, INT64_MAX) > 0);
    assert_int_equal(sys_signals(sys, &hangups), 2);
    assert_int_equal(hangups, 1);
}

static void look_at_mask(struct weir_task *task)
{
    struct job *job = (struct job *)task;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    job->number = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP);
}

static void executors_take_no_signals(void **state)
{
    struct weir_sys *sys = *state;
    struct weir_exec *exec = sys_exec_create(sys, "a name longer than a thread may have", 1);
    struct job job = {.task = {.run = look_at_mask}};
    sigset_t mask;

    sys_submit(sys, exec, &job.task);
    sys_exec_destroy(sys, exec);
    assert_true(job.number);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

static void random_bytes_differ(void **state)
{
    struct weir_sys *sys = *state;
    uint8_t a[32] = {0}, b[32] = {0};

    sys_random(sys, a, sizeof a);
    sys_random(sys, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- streams ---- */

static void count_ready(void *arg)
{
    ++*(int *)arg;
}

static void wait_ready(struct weir_sys *sys, int fd, uint32_t events)
{
    int ready = 0;

    assert_int_equal(sys_watch(sys, fd, events, count_ready, &ready), 0);
    while (ready == 0)
        assert_true(sys_wait(sys, sys_mono(sys) + 60 * SECOND) > 0);
    assert_int_equal(ready, 1);
}

/* A connection over loopback. */
static int connect_pair(struct weir_sys *sys, int *client)
{
    int listener = sys_listen(sys, "127.0.0.1", 0);
    int port = sys_local_port(sys, listener);
    int server;

    assert_true(listener > 2);
    assert_true(port > 0);
    assert_int_equal(sys_accept(sys, listener), -EAGAIN);
    *client = sys_connect(sys, "localhost", (uint32_t)port);
    assert_true(*client > 2);
    wait_ready(sys, listener, SYS_READ);
    server = sys_accept(sys, listener);
    assert_true(server > 2);
    wait_ready(sys, *client, SYS_WRITE);
    sys_close(sys, listener);
    return server;
}

static void bytes_go_over_loopback_and_the_end_is_seen(void **state)
{
    struct weir_sys *sys = *state;
    char got[8] = "";
    int client;
    int server = connect_pair(sys, &client);

    assert_int_equal(sys_recv(sys, server, got, sizeof got), -EAGAIN);
    assert_int_equal(sys_poll(sys, server, SYS_READ, 1000), 0);
    assert_int_equal(sys_send(sys, client, "hello", 5), 5);
    wait_ready(sys, server, SYS_READ);
    assert_int_equal(sys_recv(sys, server, got, sizeof got), 5);
    assert_string_equal(got, "hello");
    assert_int_equal(sys_close(sys, client), 0);
    assert_true(sys_poll(sys, server, SYS_READ, 60 * SECOND) & (int)SYS_READ);
    assert_int_equal(sys_recv(sys, server, got, sizeof got), 0);
    sys_send(sys, server, "a", 1);
    assert_true(sys_poll(sys, server, SYS_READ, 60 * SECOND) > 0);
    while (sys_send(sys, server, "a", 1) >= 0) /* and no SIGPIPE */
        ;
    sys_close(sys, server);
}

static void a_sender_sees_a_full_peer_and_waits_for_room(void **state)
{
    struct weir_sys *sys = *state;
    static char bytes[65536];
    int64_t sent = 0, got = 0, result;
    int client;
    int server = connect_pair(sys, &client);

    while ((result = sys_send(sys, client, bytes, sizeof bytes)) > 0)
        sent += result;
    assert_int_equal(result, -EAGAIN);
    while (got < sent) {
        result = sys_recv(sys, server, bytes, sizeof bytes);
        if (result == -EAGAIN)
            wait_ready(sys, server, SYS_READ);
        else
            got += result;
    }
    wait_ready(sys, client, SYS_WRITE);
    assert_true(sys_send(sys, client, "a", 1) == 1);
    sys_close(sys, client);
    sys_close(sys, server);
}

static void refusal_and_unknown_names_are_errors(void **state)
{
    struct weir_sys *sys = *state;
    int listener = sys_listen(sys, "127.0.0.1", 0);
    uint32_t port = (uint32_t)sys_local_port(sys, listener);
    char byte;
    int fd;

    assert_int_equal(sys_listen(sys, "127.0.0.1", port), -EADDRINUSE);
    sys_close(sys, listener);
    fd = sys_connect(sys, "127.0.0.1", port);
    if (fd >= 0) {
        wait_ready(sys, fd, SYS_WRITE);
        assert_true(sys_recv(sys, fd, &byte, 1) < 0);
        sys_close(sys, fd);
    } else {
        assert_int_equal(fd, -ECONNREFUSED);
    }
    assert_int_equal(sys_connect(sys, "no.such.name.example", 1), -EADDRNOTAVAIL);
    assert_int_equal(sys_connect(sys, "127.0.0.1", 65536), -EINVAL);
}

static void without_descriptors_a_connection_is_refused_not_left(void **state)
{
    struct weir_sys *sys = *state;
    int listener = sys_listen(sys, "127.0.0.1", 0);
    int client = sys_connect(sys, "127.0.0.1", (uint32_t)sys_local_port(sys, listener));
    struct rlimit old, none;
    int filled[32];
    int n = 0, first, second;
    char byte;

    wait_ready(sys, listener, SYS_READ);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 32;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (n < 32 && (filled[n] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
        n++;
    first = sys_accept(sys, listener);
    second = sys_accept(sys, listener);
    while (n > 0)
        close(filled[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(first, -EMFILE);
    assert_int_equal(second, -EAGAIN);
    assert_true(sys_poll(sys, client, SYS_READ, 60 * SECOND) > 0);
    assert_true(sys_recv(sys, client, &byte, 1) <= 0);
    sys_close(sys, client);
    sys_close(sys, listener);
}

static void a_closed_watch_never_fires_for_the_next_owner(void **state)
{
    struct weir_sys *sys = *state;
    char byte;
    int old = 0, client, other;
    int server = connect_pair(sys, &client);
    int again;

    assert_int_equal(sys_watch(sys, server, SYS_READ, count_ready, &old), 0);
    assert_int_equal(sys_close(sys, server), 0);
    again = connect_pair(sys, &other);
    assert_int_equal(sys_send(sys, other, "a", 1), 1);
    wait_ready(sys, again, SYS_READ);
    assert_int_equal(sys_recv(sys, again, &byte, 1), 1);
    assert_int_equal(sys_watch(sys, again, SYS_READ, count_ready, &old), 0);
    sys_unwatch(sys, again);
    assert_int_equal(sys_send(sys, other, "a", 1), 1);
    assert_true(sys_poll(sys, again, SYS_READ, 60 * SECOND) > 0);
    assert_int_equal(sys_wait(sys, sys_mono(sys)), 0);
    sys_close(sys, again);
    again = sys_open(sys, path_of("f"), SYS_READ | SYS_WRITE | SYS_CREATE);
    assert_int_equal(sys_watch(sys, again, SYS_READ, count_ready, &old), 0); /* always ready */
    sys_close(sys, again);
    assert_int_equal(sys_wait(sys, sys_mono(sys)), 0);
    unlink(path_of("f"));
    assert_int_equal(old, 0);
    sys_close(sys, other);
    sys_close(sys, client);
}

struct watcher {
    struct weir_task task;
    struct weir_sys *sys;
    int fd, ready;
};

static void watch_run(struct weir_task *task)
{
    struct watcher *watcher = (struct watcher *)task;

    sys_watch(watcher->sys, watcher->fd, SYS_READ, count_ready, &watcher->ready);
}

static void a_watch_from_another_thread_wakes_the_loop(void **state)
{
    struct weir_sys *sys = *state;
    struct weir_exec *exec = sys_exec_create(sys, "watcher", 1);
    int client;
    struct watcher socket = {.task = {.run = watch_run}, .sys = sys};
    struct watcher file = {.task = {.run = watch_run}, .sys = sys};

    socket.fd = connect_pair(sys, &client);
    file.fd = sys_open(sys, path_of("f"), SYS_READ | SYS_WRITE | SYS_CREATE);
    assert_int_equal(sys_send(sys, client, "a", 1), 1);
    sys_submit(sys, exec, &socket.task);
    sys_submit(sys, exec, &file.task); /* always ready */
    while (socket.ready == 0 || file.ready == 0)
        assert_true(sys_wait(sys, sys_mono(sys) + 60 * SECOND) > 0);
    assert_int_equal(socket.ready, 1);
    assert_int_equal(file.ready, 1);
    sys_exec_destroy(sys, exec);
    sys_close(sys, file.fd);
    sys_close(sys, socket.fd);
    sys_close(sys, client);
    unlink(path_of("f"));
}

/* Lets `fd` be standard input while a sys lives; `use` says what is to be seen. */
static void with_stdin(int fd, void (*use)(struct weir_sys *sys, int fd))
{
    int kept = dup(STDIN_FILENO);
    int flags;
    struct weir_sys *sys;

    assert_true(kept >= 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    flags = fcntl(STDIN_FILENO, F_GETFL);
    sys = sys_real_create();
    assert_non_null(sys);
    use(sys, sys_standard(sys, 0));
    sys_destroy(sys);
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL), flags);
    dup2(kept, STDIN_FILENO);
    close(kept);
}

static int pipe_end;

static void read_pipe(struct weir_sys *sys, int fd)
{
    char got[4] = "";

    assert_true(fd >= 0);
    assert_int_equal(sys_recv(sys, fd, got, 4), -EAGAIN);
    assert_int_equal(write(pipe_end, "abc", 3), 3);
    wait_ready(sys, fd, SYS_READ);
    assert_int_equal(sys_recv(sys, fd, got, 4), 3);
    assert_string_equal(got, "abc");
    close(pipe_end);
    wait_ready(sys, fd, SYS_READ);
    assert_int_equal(sys_recv(sys, fd, got, 4), 0);
    assert_int_equal(sys_close(sys, fd), 0);
}

static void read_file(struct weir_sys *sys, int fd)
{
    char got[4] = "";

    wait_ready(sys, fd, SYS_READ);
    assert_int_equal(sys_recv(sys, fd, got, 2), 2);
    wait_ready(sys, fd, SYS_READ);
    assert_int_equal(sys_recv(sys, fd, got + 2, 2), 1);
    assert_string_equal(got, "abc");
    assert_int_equal(sys_recv(sys, fd, got, 2), 0);
}

static void standard_input_may_be_a_pipe_or_a_file(void **state)
{
    int ends[2];
    int fd;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pipe_end = ends[1];
    with_stdin(ends[0], read_pipe);
    close(ends[0]);
    fd = open(path_of("in"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    with_stdin(fd, read_file);
    close(fd);
    unlink(path_of("in"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_goes_round, start, stop),
        cmocka_unit_test_setup_teardown(directories_are_made_listed_sorted_and_removed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_pipe_in_the_way_does_not_stop_us, start, stop),
        cmocka_unit_test_setup_teardown(a_lock_of_another_process_is_seen, start, stop),
        cmocka_unit_test_setup_teardown(one_thread_runs_in_order, start, stop),
        cmocka_unit_test_setup_teardown(posts_of_many_threads_all_arrive, start, stop),
        cmocka_unit_test_setup_teardown(a_wait_ends_at_its_deadline, start, stop),
        cmocka_unit_test_setup_teardown(signals_end_a_wait_and_are_counted, start, stop),
        cmocka_unit_test_setup_teardown(executors_take_no_signals, start, stop),
        cmocka_unit_test_setup_teardown(random_bytes_differ, start, stop),
        cmocka_unit_test_setup_teardown(bytes_go_over_loopback_and_the_end_is_seen, start, stop),
        cmocka_unit_test_setup_teardown(a_sender_sees_a_full_peer_and_waits_for_room, start, stop),
        cmocka_unit_test_setup_teardown(refusal_and_unknown_names_are_errors, start, stop),
        cmocka_unit_test_setup_teardown(without_descriptors_a_connection_is_refused_not_left, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_closed_watch_never_fires_for_the_next_owner, start, stop),
        cmocka_unit_test_setup_teardown(a_watch_from_another_thread_wakes_the_loop, start, stop),
        cmocka_unit_test(standard_input_may_be_a_pipe_or_a_file),
    };

    return cmocka_run_group_tests(tests, home_make, home_remove);
}
