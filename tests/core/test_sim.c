/*
 * test_sim.c - the simulated sys: calls, kills, faults, tasks, time, streams.
 */
#include "core/sys/sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START 1700000000000000

static int file_make(struct weir_sys *sys, const char *path, const void *bytes, size_t n)
{
    int fd = sys_open(sys, path, SYS_READ | SYS_WRITE | SYS_CREATE);

    assert_true(fd >= 0);
    assert_int_equal(sys_pwrite(sys, fd, bytes, n, 0), n);
    return fd;
}

static int disk_has(const struct sim_disk *disk, const char *path)
{
    size_t size;

    return sim_disk_file(disk, path, &size) != NULL;
}

static void assert_file(const struct sim_disk *disk, const char *path, const void *bytes, size_t n)
{
    size_t size = 0;
    const uint8_t *found = sim_disk_file(disk, path, &size);

    assert_non_null(found);
    assert_int_equal(size, n);
    assert_memory_equal(found, bytes, n);
}

/* ---- files ---- */

static void a_file_reads_back_and_gaps_are_zeros(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    char got[8];
    int fd = file_make(sys, "a", "one", 3);

    (void)state;
    assert_int_equal(sys_pwrite(sys, fd, "x", 1, 6), 1);
    assert_int_equal(sys_pread(sys, fd, got, sizeof got, 0), 7);
    assert_memory_equal(got, "one\0\0\0x", 7);
    assert_int_equal(sys_truncate(sys, fd, 2), 0);
    assert_int_equal(sys_truncate(sys, fd, 4), 0);
    assert_int_equal(sys_pread(sys, fd, got, sizeof got, 0), 4);
    assert_memory_equal(got, "on\0\0", 4);
    assert_int_equal(sys_pread(sys, fd, got, sizeof got, 4), 0);
    assert_int_equal(sys_close(sys, fd), 0);
    assert_int_equal(sys_close(sys, fd), -EBADF);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static int name_add(void *arg, const char *name)
{
    strcat(arg, name);
    strcat(arg, " ");
    return 0;
}

static void path_add(void *arg, const char *path)
{
    name_add(arg, path);
}

static void names_are_listed_sorted_and_obey_posix(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    struct sys_stat stat;
    char names[64] = "";

    (void)state;
    assert_int_equal(sys_mkdirs(sys, "d/e/", 0755), 0);
    assert_int_equal(sys_mkdirs(sys, "/d/e", 0755), 0);
    sys_close(sys, file_make(sys, "/d/z", "1", 1));
    sys_close(sys, file_make(sys, "d//y", "22", 2));
    assert_int_equal(sys_list(sys, "/d", name_add, names), 0);
    assert_string_equal(names, "e y z ");
    assert_int_equal(sys_stat_path(sys, "/d/e/../y", &stat), 0);
    assert_int_equal(stat.size, 2);
    assert_int_equal(stat.mtime_us, START);
    assert_int_equal(sys_rename(sys, "/d/y", "/d/e/y"), 0);
    assert_int_equal(sys_rename(sys, "/d/y", "/d/x"), -ENOENT);
    assert_int_equal(sys_rename(sys, "/d/z", "/d/e"), -EISDIR);
    assert_int_equal(sys_rmdir(sys, "/d/e"), -ENOTEMPTY);
    assert_int_equal(sys_unlink(sys, "/d/e"), -EISDIR);
    assert_int_equal(sys_mkdir(sys, "/d", 0755), -EEXIST);
    assert_int_equal(sys_mkdirs(sys, "/d/z/q", 0755), -ENOTDIR);
    assert_int_equal(sys_open(sys, "/none/a", SYS_WRITE | SYS_CREATE), -ENOENT);
    assert_int_equal(sys_open(sys, "/d/z", SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE), -EEXIST);
    names[0] = '\0';
    sim_disk_each(disk, "/d", path_add, names);
    assert_string_equal(names, "/d/e/y /d/z ");
    assert_int_equal(sys_unlink(sys, "/d/e/y"), 0);
    assert_int_equal(sys_rmdir(sys, "/d/e"), 0);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void a_lock_belongs_to_one_opening_until_it_is_closed(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *one = sim_create(disk, START, 1);
    struct weir_sys *two = sim_create(disk, START, 1);
    int first = file_make(one, "lock", "", 0);
    int second = sys_open(two, "lock", SYS_WRITE);

    (void)state;
    assert_int_equal(sys_lock(one, first), 0);
    assert_int_equal(sys_lock(one, first), 0);
    assert_int_equal(sys_lock(two, second), -EAGAIN);
    sys_destroy(one); /* as when the process dies */
    assert_int_equal(sys_lock(two, second), 0);
    sys_destroy(two);
    sim_disk_destroy(disk);
}

static void a_whole_file_is_read_up_to_its_limit(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    char *bytes;
    size_t n;

    (void)state;
    sim_disk_put(disk, "in/job", "12345", 5, 7);
    assert_int_equal(sys_read_file(sys, "in/job", 5, &bytes, &n), 0);
    assert_int_equal(n, 5);
    assert_string_equal(bytes, "12345");
    free(bytes);
    sim_fault_at(sys, 1, SIM_FAULT_SHORT, 1);
    assert_int_equal(sys_read_file(sys, "in/job", 9, &bytes, &n), 0);
    assert_string_equal(bytes, "12345");
    free(bytes);
    assert_int_equal(sys_read_file(sys, "in/job", 4, &bytes, &n), -EFBIG);
    assert_int_equal(sys_read_file(sys, "in", 4, &bytes, &n), -EISDIR);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* ---- kills, faults, room ---- */

static void after_a_kill_nothing_changes_and_all_fails(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int fd = file_make(sys, "a", "one", 3);
    char got[3];

    (void)state;
    sim_kill_at(sys, sim_calls(sys) + 2);
    assert_int_equal(sys_pwrite(sys, fd, "two", 3, 0), 3);
    assert_false(sim_killed(sys));
    assert_int_equal(sys_pwrite(sys, fd, "xxx", 3, 0), -EIO);
    assert_true(sim_killed(sys));
    assert_int_equal(sys_pread(sys, fd, got, 3, 0), -EIO);
    assert_int_equal(sys_sync(sys, fd), -EIO);
    assert_int_equal(sys_unlink(sys, "a"), -EIO);
    assert_int_equal(sys_open(sys, "b", SYS_WRITE | SYS_CREATE), -EIO);
    assert_int_equal(sys_listen(sys, "::", 1), -EIO);
    assert_int_equal(sys_wait(sys, INT64_MAX), 0);
    assert_int_equal(sys_close(sys, fd), -EIO);
    sys_destroy(sys);
    assert_file(disk, "a", "two", 3);
    assert_false(disk_has(disk, "b"));
    sim_disk_destroy(disk);
}

static void a_fault_strikes_its_call_once_or_for_ever(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int fd = file_make(sys, "a", "12345678", 8);
    char got[8];

    (void)state;
    sim_fault_at(sys, sim_calls(sys) + 2, SIM_FAULT_EIO, 0);
    assert_int_equal(sys_pread(sys, fd, got, 8, 0), 8);
    assert_int_equal(sys_pread(sys, fd, got, 8, 0), -EIO);
    assert_int_equal(sys_pread(sys, fd, got, 8, 0), 8);
    sim_fault_at(sys, sim_calls(sys) + 1, SIM_FAULT_ENOSPC, 1);
    assert_int_equal(sys_pread(sys, fd, got, 8, 0), 8);
    assert_int_equal(sys_pwrite(sys, fd, "x", 1, 0), -ENOSPC);
    assert_int_equal(sys_pwrite(sys, fd, "x", 1, 0), -ENOSPC);
    sim_fault_at(sys, sim_calls(sys) + 1, SIM_FAULT_SHORT, 0);
    assert_in_range(sys_pread(sys, fd, got, 8, 0), 1, 7);
    assert_file(disk, "a", "12345678", 8);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void a_full_disk_takes_what_fits_and_gets_room_by_unlink(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int a, b;

    (void)state;
    sim_disk_limit(disk, 10);
    a = file_make(sys, "a", "123456", 6);
    b = sys_open(sys, "b", SYS_WRITE | SYS_CREATE);
    assert_int_equal(sys_pwrite(sys, b, "123456", 6, 0), 4);
    assert_int_equal(sys_pwrite(sys, b, "56", 2, 4), -ENOSPC);
    assert_int_equal(sys_pwrite(sys, b, "abcd", 4, 0), 4);
    assert_int_equal(sys_unlink(sys, "a"), 0);
    assert_int_equal(sys_pwrite(sys, b, "56", 2, 4), -ENOSPC); /* still open */
    assert_int_equal(sys_close(sys, a), 0);
    assert_int_equal(sys_pwrite(sys, b, "56", 2, 4), 2);
    assert_file(disk, "b", "abcd56", 6);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* ---- tasks, time ---- */

struct job {
    struct weir_task task;
    struct weir_task done;
    struct weir_sys *sys;
    char name;
    char *trace;
};

static void job_done(struct weir_task *task)
{
    struct job *job = (struct job *)((char *)task - offsetof(struct job, done));

    job->trace[strlen(job->trace)] = (char)(job->name - 'a' + 'A');
}

static void job_run(struct weir_task *task)
{
    struct job *job = (struct job *)task;

    job->trace[strlen(job->trace)] = job->name;
    job->done.run = job_done;
    sys_post(job->sys, &job->done);
}

/* Eight jobs on an executor of two threads and one of one: the trace of their steps. */
static void trace_run(uint64_t seed, char trace[32], int kill)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, seed);
    struct weir_exec *two = sys_exec_create(sys, "two", 2);
    struct weir_exec *one = sys_exec_create(sys, "one", 1);
    struct job jobs[8];

    memset(trace, 0, 32);
    if (kill) {
        sim_kill_at(sys, 1);
        sys_unlink(sys, "a");
    }
    for (int i = 0; i < 8; i++) {
        jobs[i] = (struct job){.sys = sys, .name = (char)('a' + i), .trace = trace};
        jobs[i].task.run = job_run;
        sys_submit(sys, i < 4 ? two : one, &jobs[i].task);
    }
    while (sys_wait(sys, sys_mono(sys)) > 0 || (!kill && strlen(trace) < 16))
        ;
    sys_exec_destroy(sys, two);
    sys_exec_destroy(sys, one);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void one_seed_gives_one_order_and_others_others(void **state)
{
    char first[32], again[32], other[32];
    unsigned different = 0, swapped = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        trace_run(seed, first, 0);
        trace_run(seed, again, 0);
        trace_run(seed + 1, other, 0);
        assert_string_equal(first, again);
        assert_int_equal(strlen(first), 16);
        different += strcmp(first, other) != 0;
        swapped += strchr(first, 'b') < strchr(first, 'a');
        assert_true(strchr(first, 'a') < strchr(first, 'c') ||
                    strchr(first, 'b') < strchr(first, 'c')); /* two threads: two under way */
        assert_true(strchr(first, 'e') < strchr(first, 'f')); /* one thread: in order */
        assert_true(strchr(first, 'g') < strchr(first, 'h'));
    }
    assert_true(different > 90);
    assert_in_range(swapped, 20, 80);
}

static void tasks_and_posts_run_to_their_end_after_a_kill(void **state)
{
    char trace[32];

    (void)state;
    trace_run(1, trace, 1);
    assert_int_equal(strlen(trace), 16);
}

static void destroying_an_executor_runs_what_is_queued(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    struct weir_exec *exec = sys_exec_create(sys, "one", 1);
    char trace[4] = "";
    struct job job = {.sys = sys, .name = 'a', .trace = trace};

    (void)state;
    job.task.run = job_run;
    sys_submit(sys, exec, &job.task);
    sys_exec_destroy(sys, exec);
    assert_string_equal(trace, "a");
    assert_int_equal(sys_wait(sys, INT64_MAX), 1);
    assert_string_equal(trace, "aA");
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

struct chain {
    struct weir_task task;
    struct weir_sys *sys;
    struct weir_exec *exec;
    unsigned left, *run;
};

static void chain_run(struct weir_task *task)
{
    struct chain *chain = (struct chain *)task;

    ++*chain->run;
    if (--chain->left > 0)
        sys_submit(chain->sys, chain->exec, task);
}

static void tasks_that_submit_themselves_again_are_not_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct sim_disk *disk = sim_disk_create();
        struct weir_sys *sys = sim_create(disk, START, seed);
        struct weir_exec *exec = sys_exec_create(sys, "two", 2);
        struct chain chains[3];
        unsigned run = 0;

        for (int i = 0; i < 3; i++) {
            chains[i] = (struct chain){{chain_run, NULL}, sys, exec, 4, &run};
            sys_submit(sys, exec, &chains[i].task);
        }
        assert_int_equal(sys_wait(sys, sys_mono(sys) + 1), 0);
        assert_int_equal(run, 12);
        sys_exec_destroy(sys, exec);
        sys_destroy(sys);
        sim_disk_destroy(disk);
    }
}

static void a_wait_jumps_to_its_deadline_and_both_clocks_go_along(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int64_t mono = sys_mono(sys);

    (void)state;
    assert_int_equal(sys_now(sys), START);
    assert_int_equal(sys_wait(sys, mono + 5000), 0);
    assert_int_equal(sys_mono(sys), mono + 5000);
    assert_int_equal(sys_now(sys), START + 5000);
    sim_step_wall(sys, -2000);
    assert_int_equal(sys_now(sys), START + 3000);
    assert_int_equal(sys_mono(sys), mono + 5000);
    sim_auto_advance(sys, 0);
    assert_int_equal(sys_wait(sys, mono + 9000), 0);
    assert_int_equal(sys_mono(sys), mono + 5000);
    sim_advance(sys, 10);
    assert_int_equal(sys_mono(sys), mono + 5010);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void send_signal(void *arg)
{
    sim_signal(arg);
}

static void a_planned_signal_ends_a_wait_without_deadline(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int64_t mono = sys_mono(sys);
    uint32_t hangups = 9;

    (void)state;
    sim_at(sys, mono + 700, send_signal, sys);
    assert_int_equal(sys_wait(sys, INT64_MAX), 1);
    assert_int_equal(sys_mono(sys), mono + 700);
    assert_int_equal(sys_signals(sys, &hangups), 1);
    assert_int_equal(hangups, 0);
    assert_int_equal(sys_wait(sys, INT64_MAX), 0); /* nothing can come any more */
    assert_true(sim_stuck(sys));
    assert_true(sim_killed(sys));
    assert_int_equal(sys_mkdir(sys, "a", 0755), -EIO);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* ---- streams ---- */

static void count_ready(void *arg)
{
    ++*(unsigned *)arg;
}

static void a_peer_is_accepted_read_in_pieces_and_written_to(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 3);
    char got[64] = "";
    unsigned ready = 0, pieces = 0;
    size_t length = 0, sent = 0, n;
    int64_t result;
    int peer = sim_peer(sys, 7, "0123456789", 10, 3, 1);
    int listener = sys_listen(sys, "localhost", 7);
    int fd;

    (void)state;
    assert_int_equal(sys_local_port(sys, listener), 7);
    assert_int_equal(sys_watch(sys, listener, SYS_READ, count_ready, &ready), 0);
    assert_int_equal(sys_wait(sys, INT64_MAX), 1);
    assert_int_equal(ready, 1);
    fd = sys_accept(sys, listener);
    assert_true(fd > 2);
    assert_int_equal(sys_accept(sys, listener), -EAGAIN);
    while ((result = sys_recv(sys, fd, got + length, sizeof got - length)) != 0) {
        if (result == -EAGAIN) {
            assert_int_equal(sys_watch(sys, fd, SYS_READ, count_ready, &ready), 0);
            assert_int_equal(sys_wait(sys, INT64_MAX), 1);
            continue;
        }
        assert_in_range(result, 1, 3);
        length += (size_t)result;
        pieces++;
    }
    assert_int_equal(pieces, 4);
    assert_string_equal(got, "0123456789");
    while (sent < 5) {
        result = sys_send(sys, fd, &"hello"[sent], 5 - sent);
        assert_true(result > 0 || result == -EAGAIN);
        sent += result > 0 ? (size_t)result : 0;
    }
    assert_memory_equal(sim_peer_received(sys, peer, &n), "hello", 5);
    assert_int_equal(n, 5);
    sim_peer_close(sys, peer);
    assert_int_equal(sys_send(sys, fd, "x", 1), -EPIPE);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void a_connect_finds_its_peer_or_is_refused(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    char got[4];
    int64_t result;
    int fd, peer;

    (void)state;
    assert_int_equal(sys_connect(sys, "localhost", 9), -ECONNREFUSED);
    peer = sim_peer(sys, 9, NULL, 0, 0, 0);
    fd = sys_connect(sys, "localhost", 9);
    assert_true(fd > 2);
    assert_int_equal(sys_recv(sys, fd, got, 4), -EAGAIN);
    assert_int_equal(sys_poll(sys, fd, SYS_READ, 1000), 0);
    assert_int_equal(sys_poll(sys, fd, SYS_WRITE, 1000), SYS_WRITE);
    assert_int_equal(sim_peer_send(sys, peer, "ab", 2), 0);
    assert_int_equal(sys_poll(sys, fd, SYS_READ, 1000), SYS_READ);
    do
        result = sys_recv(sys, fd, got, 4);
    while (result == -EAGAIN);
    assert_int_equal(result, 2);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void standard_streams_are_kept(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 2);
    char got[8];
    int64_t result;
    size_t n;

    (void)state;
    sim_stdin(sys, "in", 2);
    do
        result = sys_recv(sys, sys_standard(sys, 0), got, sizeof got);
    while (result == -EAGAIN);
    assert_int_equal(result, 2);
    assert_int_equal(sys_recv(sys, sys_standard(sys, 0), got, sizeof got), 0);
    do
        result = sys_send(sys, sys_standard(sys, 1), "o", 1);
    while (result == -EAGAIN);
    assert_memory_equal(sim_stdout(sys, &n), "o", 1);
    assert_int_equal(n, 1);
    assert_int_equal(sys_close(sys, 1), 0);
    assert_int_equal(sys_standard(sys, 1), 1);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_reads_back_and_gaps_are_zeros),
        cmocka_unit_test(names_are_listed_sorted_and_obey_posix),
        cmocka_unit_test(a_lock_belongs_to_one_opening_until_it_is_closed),
        cmocka_unit_test(a_whole_file_is_read_up_to_its_limit),
        cmocka_unit_test(after_a_kill_nothing_changes_and_all_fails),
        cmocka_unit_test(a_fault_strikes_its_call_once_or_for_ever),
        cmocka_unit_test(a_full_disk_takes_what_fits_and_gets_room_by_unlink),
        cmocka_unit_test(one_seed_gives_one_order_and_others_others),
        cmocka_unit_test(tasks_and_posts_run_to_their_end_after_a_kill),
        cmocka_unit_test(destroying_an_executor_runs_what_is_queued),
        cmocka_unit_test(tasks_that_submit_themselves_again_are_not_lost),
        cmocka_unit_test(a_wait_jumps_to_its_deadline_and_both_clocks_go_along),
        cmocka_unit_test(a_planned_signal_ends_a_wait_without_deadline),
        cmocka_unit_test(a_peer_is_accepted_read_in_pieces_and_written_to),
        cmocka_unit_test(a_connect_finds_its_peer_or_is_refused),
        cmocka_unit_test(standard_streams_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
