/*
 * test_sim_disk.c - what a power loss leaves of the simulated disk, and what it never takes.
 */
#include "core/sys/sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START 1700000000000000
#define STATES 10000u

static int file_make(struct weir_sys *sys, const char *path, const void *bytes, size_t n)
{
    int fd = sys_open(sys, path, SYS_READ | SYS_WRITE | SYS_CREATE);

    assert_true(fd >= 0);
    assert_int_equal(sys_pwrite(sys, fd, bytes, n, 0), n);
    return fd;
}

/* A file whose data and name are durable. */
static int file_make_durable(struct weir_sys *sys, const char *path, const void *bytes, size_t n)
{
    int fd = file_make(sys, path, bytes, n);

    assert_int_equal(sys_sync(sys, fd), 0);
    assert_int_equal(sys_sync_dir(sys, "/"), 0);
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

#define SYNCED 1500
#define WRITTEN 3000

/*
 * One disk with everything at once: `log` has 1,500 synced bytes of 'd', over and behind which two
 * writes of 'x' and 'y' are unsynced; `new` is synced but its name isn't; `empty` has a durable
 * name and no durable byte; `tmp` was renamed over `cur`, both durable, and the directory not
 * synced; `gone` was unlinked.
 */
static struct sim_disk *unsettled_disk(void)
{
    static char old[SYNCED], x[WRITTEN], y[WRITTEN];
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int log, empty;

    memset(old, 'd', sizeof old);
    memset(x, 'x', sizeof x);
    memset(y, 'y', sizeof y);
    log = file_make_durable(sys, "log", old, sizeof old);
    file_make_durable(sys, "cur", "old", 3);
    file_make_durable(sys, "tmp", "new", 3);
    file_make_durable(sys, "gone", "g", 1);
    empty = file_make_durable(sys, "empty", "", 0);
    assert_int_equal(sys_pwrite(sys, log, x, WRITTEN, SYNCED), WRITTEN);
    assert_int_equal(sys_pwrite(sys, log, y, WRITTEN, SYNCED + WRITTEN), WRITTEN);
    assert_int_equal(sys_pwrite(sys, empty, "e", 1, 0), 1);
    assert_int_equal(sys_sync(sys, file_make(sys, "new", "n", 1)), 0);
    assert_int_equal(sys_rename(sys, "tmp", "cur"), 0);
    assert_int_equal(sys_unlink(sys, "gone"), 0);
    sys_destroy(sys);
    return disk;
}

struct kinds {
    unsigned all, none, first_alone, second_alone, torn, gap;
    unsigned new_kept, empty_empty, empty_full, renamed, undone, gone, back;
};

/* Bytes of [from, to) that are `what`; none may be other than `what` or 0. */
static size_t count_bytes(const uint8_t *at, size_t from, size_t to, char what)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        assert_true(at[i] == (uint8_t)what || at[i] == 0);
        n += at[i] == (uint8_t)what;
        if (i % 512 != 0 && i > from) /* a sector is old or new */
            assert_int_equal(at[i], at[i - 1]);
    }
    return n;
}

static void check_log(const struct sim_disk *disk, struct kinds *kinds)
{
    size_t size = 0;
    const uint8_t *log = sim_disk_file(disk, "log", &size);
    size_t middle, x, y;

    assert_non_null(log);
    assert_in_range(size, SYNCED, SYNCED + 2 * WRITTEN);
    for (size_t i = 0; i < SYNCED; i++)
        assert_int_equal(log[i], 'd');
    middle = size < SYNCED + WRITTEN ? size : SYNCED + WRITTEN;
    x = count_bytes(log, SYNCED, middle, 'x');
    y = count_bytes(log, middle, size, 'y');
    if (size > SYNCED)
        assert_int_not_equal(log[size - 1], 0); /* no size without a byte */
    kinds->all += x == WRITTEN && y == WRITTEN;
    kinds->none += size == SYNCED;
    kinds->first_alone += x == WRITTEN && y == 0;
    kinds->second_alone += x == 0 && y == WRITTEN;
    kinds->torn += (x > 0 && x < WRITTEN) || (y > 0 && y < WRITTEN);
    kinds->gap += x + y < size - SYNCED;
}

static void check_names(const struct sim_disk *disk, struct kinds *kinds)
{
    size_t size = 0;
    const uint8_t *empty = sim_disk_file(disk, "empty", &size);

    assert_non_null(empty);
    kinds->empty_empty += size == 0;
    kinds->empty_full += size == 1;
    if (disk_has(disk, "new")) {
        assert_file(disk, "new", "n", 1);
        kinds->new_kept++;
    }
    if (disk_has(disk, "tmp")) {
        assert_file(disk, "tmp", "new", 3);
        assert_file(disk, "cur", "old", 3);
        kinds->undone++;
    } else {
        assert_file(disk, "cur", "new", 3);
        kinds->renamed++;
    }
    if (disk_has(disk, "gone"))
        kinds->back++;
    else
        kinds->gone++;
}

static void a_power_loss_keeps_what_is_synced_and_anything_of_the_rest(void **state)
{
    struct sim_disk *disk = unsettled_disk();
    struct kinds kinds = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= STATES; seed++) {
        struct sim_disk *crashed = sim_disk_clone(disk);

        sim_disk_power_loss(crashed, seed);
        check_log(crashed, &kinds);
        check_names(crashed, &kinds);
        sim_disk_destroy(crashed);
    }
    print_message("%u states: all %u, none %u, first alone %u, second alone %u, torn %u, gaps %u;"
                  " new %u, empty %u, full %u, renamed %u, undone %u, gone %u, back %u\n",
                  STATES, kinds.all, kinds.none, kinds.first_alone, kinds.second_alone, kinds.torn,
                  kinds.gap, kinds.new_kept, kinds.empty_empty, kinds.empty_full, kinds.renamed,
                  kinds.undone, kinds.gone, kinds.back);
    assert_true(kinds.all > 100 && kinds.none > 100 && kinds.first_alone > 100);
    assert_true(kinds.second_alone > 100 && kinds.torn > 100 && kinds.gap > 100);
    assert_in_range(kinds.new_kept, 1000, 9000);
    assert_true(kinds.empty_empty > 1000 && kinds.empty_full > 1000);
    assert_true(kinds.renamed > 1000 && kinds.undone > 1000);
    assert_true(kinds.gone > 1000 && kinds.back > 1000);
    sim_disk_destroy(disk);
}

static void seed_zero_keeps_only_what_is_durable(void **state)
{
    struct sim_disk *disk = unsettled_disk();
    size_t size;

    (void)state;
    sim_disk_power_loss(disk, 0);
    assert_non_null(sim_disk_file(disk, "log", &size));
    assert_int_equal(size, SYNCED);
    assert_file(disk, "cur", "old", 3);
    assert_file(disk, "empty", "", 0);
    assert_true(disk_has(disk, "gone"));
    assert_false(disk_has(disk, "new"));
    sim_disk_destroy(disk);
}

/*
 * A model kept beside the disk: per file the bytes at its last sync. Random writes, truncations and
 * syncs; then power losses, from any of which each sector that wasn't touched since the sync must
 * come back.
 */
#define FILES 3
#define SECTORS 6
#define ROOM (SECTORS * 512)

static const char *const model_paths[FILES] = {"f0", "f1", "f2"};

struct model {
    uint8_t synced[ROOM];
    size_t size, low; /* low: least size since the sync */
    uint8_t touched[ROOM];
};

static void model_step(struct weir_sys *sys, const int *fds, struct model *models)
{
    uint8_t bytes[900];
    uint32_t draw[4];
    struct model *model;
    size_t offset, n;
    int fd;

    sys_random(sys, draw, sizeof draw);
    model = &models[draw[0] % FILES];
    fd = fds[draw[0] % FILES];
    offset = draw[2] % (ROOM - sizeof bytes);
    n = 1 + draw[3] % (sizeof bytes - 1);
    memset(bytes, (int)(1 + draw[3] % 255), sizeof bytes);
    switch (draw[1] % 8) {
    case 0:
        assert_int_equal(sys_sync(sys, fd), 0);
        memset(model, 0, sizeof *model);
        model->size = model->low = (size_t)sys_pread(sys, fd, model->synced, ROOM, 0);
        break;
    case 1:
        assert_int_equal(sys_truncate(sys, fd, offset), 0);
        if (offset < model->low)
            model->low = offset;
        break;
    default:
        assert_int_equal(sys_pwrite(sys, fd, bytes, n, offset), n);
        memset(model->touched + offset, 1, n);
    }
}

static void model_check(const struct sim_disk *disk, const struct model *models)
{
    for (int i = 0; i < FILES; i++) {
        size_t size = 0;
        const uint8_t *found = sim_disk_file(disk, model_paths[i], &size);

        assert_non_null(found);
        assert_true(size >= models[i].low);
        for (size_t k = 0; k < models[i].low; k++)
            if (!models[i].touched[k])
                assert_int_equal(found[k], models[i].synced[k]);
    }
}

static void random_histories_never_lose_an_untouched_synced_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_disk *disk = sim_disk_create();
        struct weir_sys *sys = sim_create(disk, START, seed);
        struct model models[FILES] = {0};
        int fds[FILES];

        for (int i = 0; i < FILES; i++)
            fds[i] = file_make_durable(sys, model_paths[i], "", 0);
        for (int step = 0; step < 50; step++) {
            struct sim_disk *crashed;

            model_step(sys, fds, models);
            crashed = sim_disk_clone(disk);
            sim_disk_power_loss(crashed, seed * 1000 + (uint64_t)step);
            model_check(crashed, models);
            sim_disk_destroy(crashed);
        }
        sys_destroy(sys);
        sim_disk_destroy(disk);
    }
}

static void a_synced_file_is_lost_without_its_directory_and_kept_with_it(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        struct sim_disk *disk = sim_disk_create();
        struct weir_sys *sys = sim_create(disk, START, 1);
        int fd = file_make(sys, "a", "1", 1);
        unsigned kept = 0;

        assert_int_equal(sys_sync(sys, fd), 0);
        if (with)
            assert_int_equal(sys_sync_dir(sys, "."), 0);
        for (uint64_t seed = 0; seed < 100; seed++) {
            struct sim_disk *crashed = sim_disk_clone(disk);

            sim_disk_power_loss(crashed, seed);
            kept += disk_has(crashed, "a");
            sim_disk_destroy(crashed);
        }
        assert_true(with ? kept == 100 : kept > 0 && kept < 100);
        sys_destroy(sys);
        sim_disk_destroy(disk);
    }
}

static void mkdirs_leaves_durable_directories(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    struct sys_stat stat;

    (void)state;
    assert_int_equal(sys_mkdirs(sys, "/a/b/c", 0700), 0);
    sim_disk_power_loss(disk, 0);
    assert_int_equal(sys_stat_path(sys, "/a/b/c", &stat), 0);
    assert_int_equal(stat.kind, SYS_DIRECTORY);
    assert_int_equal(stat.mode, 0700);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* Killed anywhere within mkdirs and run again, as a restart would, it still ends durable. */
static void mkdirs_is_durable_after_any_interruption(void **state)
{
    int killed = 1;

    (void)state;
    for (uint64_t call = 1; killed; call++) {
        struct sim_disk *disk = sim_disk_create();
        struct weir_sys *sys = sim_create(disk, START, 1);
        struct sys_stat stat;

        sim_kill_at(sys, call);
        sys_mkdirs(sys, "a/b", 0755);
        killed = sim_killed(sys);
        sys_destroy(sys);
        sys = sim_create(disk, START, 2);
        assert_int_equal(sys_mkdirs(sys, "a/b", 0755), 0);
        sim_disk_power_loss(disk, 0);
        assert_int_equal(sys_stat_path(sys, "a/b", &stat), 0);
        sys_destroy(sys);
        sim_disk_destroy(disk);
    }
}

static void a_failed_sync_does_not_come_good_later(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        struct sim_disk *disk = sim_disk_create();
        struct weir_sys *sys = sim_create(disk, START, seed);
        int fd = file_make_durable(sys, "a", "1", 1);
        size_t size;

        assert_int_equal(sys_pwrite(sys, fd, "2", 1, 1), 1);
        sim_fault_at(sys, sim_calls(sys) + 1, SIM_FAULT_EIO, 0);
        assert_int_equal(sys_sync(sys, fd), -EIO);
        assert_int_equal(sys_sync(sys, fd), 0);
        sys_destroy(sys);
        sim_disk_power_loss(disk, seed);
        assert_non_null(sim_disk_file(disk, "a", &size));
        lost += size == 1;
        sim_disk_destroy(disk);
    }
    assert_in_range(lost, 8, 56);
}

static void an_ignored_sync_makes_nothing_durable(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    int a = file_make_durable(sys, "log-1", "", 0);
    int b = file_make_durable(sys, "out", "", 0);

    (void)state;
    sim_ignore_sync(sys, "log-", 2);
    sys_pwrite(sys, a, "1", 1, 0);
    sys_pwrite(sys, b, "1", 1, 0);
    assert_int_equal(sys_sync(sys, a), 0);
    sys_pwrite(sys, a, "2", 1, 1);
    assert_int_equal(sys_sync(sys, a), 0);
    assert_int_equal(sys_sync(sys, b), 0);
    assert_int_equal(sim_ignored(sys), 1);
    sys_destroy(sys);
    sim_disk_power_loss(disk, 0);
    assert_file(disk, "log-1", "1", 1);
    assert_file(disk, "out", "1", 1);
    sim_disk_destroy(disk);
}

struct syncs {
    struct sim_disk *disk;
    unsigned before, after;
};

static void on_sync(void *arg, uint64_t n, int after)
{
    struct syncs *syncs = arg;
    struct sim_disk *crashed = sim_disk_clone(syncs->disk);
    size_t size = 0;

    sim_disk_power_loss(crashed, 0);
    assert_int_equal(n, 1);
    assert_non_null(sim_disk_file(crashed, "a", &size));
    assert_int_equal(size, after ? 1 : 0);
    *(after ? &syncs->after : &syncs->before) += 1;
    sim_disk_destroy(crashed);
}

static void sync_points_show_the_disk_before_and_after(void **state)
{
    struct syncs syncs = {.disk = sim_disk_create()};
    struct weir_sys *sys;
    int fd;

    (void)state;
    sim_disk_put(syncs.disk, "a", "", 0, 0);
    sys = sim_create(syncs.disk, START, 1);
    sim_on_sync(sys, on_sync, &syncs);
    fd = file_make(sys, "a", "1", 1);
    assert_int_equal(sys_sync(sys, fd), 0);
    assert_int_equal(sim_syncs(sys), 1);
    assert_int_equal(syncs.before, 1);
    assert_int_equal(syncs.after, 1);
    sys_destroy(sys);
    sim_disk_destroy(syncs.disk);
}

static void a_clone_lives_on_its_own(void **state)
{
    struct sim_disk *disk = unsettled_disk();
    struct sim_disk *copy = sim_disk_clone(disk);
    struct weir_sys *sys = sim_create(copy, START, 1);
    int fd = sys_open(sys, "cur", SYS_WRITE);

    (void)state;
    sys_pwrite(sys, fd, "COPY", 4, 0);
    sys_unlink(sys, "log");
    assert_file(disk, "cur", "new", 3);
    assert_true(disk_has(disk, "log"));
    sys_destroy(sys);
    sim_disk_destroy(disk);
    assert_file(copy, "cur", "COPY", 4);
    sim_disk_destroy(copy);
}

static void a_clone_forgets_files_that_were_only_open(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, START, 1);
    struct sim_disk *copy;
    int fd = file_make(sys, "a", "123456", 6);
    struct weir_sys *other;

    (void)state;
    sim_disk_limit(disk, 6);
    assert_int_equal(sys_unlink(sys, "a"), 0);
    assert_int_equal(sys_sync_dir(sys, "/"), 0);
    copy = sim_disk_clone(disk);
    other = sim_create(copy, START, 1);
    sys_close(other, file_make(other, "b", "123456", 6));
    assert_int_equal(sys_pwrite(sys, fd, "7", 1, 6), -ENOSPC);
    sys_destroy(other);
    sys_destroy(sys);
    sim_disk_destroy(copy);
    sim_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_loss_keeps_what_is_synced_and_anything_of_the_rest),
        cmocka_unit_test(seed_zero_keeps_only_what_is_durable),
        cmocka_unit_test(random_histories_never_lose_an_untouched_synced_byte),
        cmocka_unit_test(a_synced_file_is_lost_without_its_directory_and_kept_with_it),
        cmocka_unit_test(mkdirs_leaves_durable_directories),
        cmocka_unit_test(mkdirs_is_durable_after_any_interruption),
        cmocka_unit_test(a_failed_sync_does_not_come_good_later),
        cmocka_unit_test(an_ignored_sync_makes_nothing_durable),
        cmocka_unit_test(sync_points_show_the_disk_before_and_after),
        cmocka_unit_test(a_clone_lives_on_its_own),
        cmocka_unit_test(a_clone_forgets_files_that_were_only_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
