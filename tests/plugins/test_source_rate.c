/*
 * The source `rate`: speed, ramp, rounding, partitions, batches of fixed size, kills and downtime.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "plugins/share/text.h"
#include "tests/plugins/fake_host.h"
#include "tests/plugins/source_world.h"

static const world_entry_fn modules[] = { entry_source_rate, NULL };

#define SECOND INT64_C(1000000)
#define START INT64_C(1700000000000000)

static int setup(void **state)
{
    (void)state;
    world_begin(modules);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* ---- the plugin alone ---- */

struct alone {
    struct sim_disk *disk;
    struct weir_sys *sys;
    struct fake fake;
};

static void alone_begin(struct alone *a, const char *options)
{
    a->disk = sim_disk_create();
    a->sys = sim_create(a->disk, START, 1);
    assert_int_equal(fake_create(&a->fake, a->sys, entry_source_rate, NULL, options), WEIR_OK);
    assert_int_equal(fake_bind_source(&a->fake), WEIR_OK);
}

static void alone_end(struct alone *a)
{
    fake_destroy(&a->fake);
    sys_destroy(a->sys);
    sim_disk_destroy(a->disk);
}

/* Reads until nothing more is due at T. */
static void read_at(struct alone *a, const char *partition, int64_t time_us, uint64_t max_rows)
{
    int32_t status;
    a->fake.context.time_us = time_us;
    do {
        uint64_t before = a->fake.n_rows;
        status = fake_next(&a->fake, partition, 0, max_rows);
        assert_true(status == WEIR_OK || status == WEIR_PENDING);
        if (status == WEIR_OK && a->fake.n_rows == before) break;
    } while (status == WEIR_OK);
}

static void rows_lie_evenly_in_their_second(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"rows_per_second\": 3");
    read_at(&a, "p0", START + 789, 100); /* cut to the millisecond */
    assert_int_equal(a.fake.n_rows, 0);
    assert_in_range(a.fake.wake_after, 999000, SECOND);
    read_at(&a, "p0", START + SECOND - 1, 100);
    assert_int_equal(a.fake.n_rows, 0);
    read_at(&a, "p0", START + 2 * SECOND, 2);
    assert_string_equal(fake_rows(&a.fake), "[\"2023-11-14T22:13:20Z\",0]\n"
                                            "[\"2023-11-14T22:13:20.333Z\",1]\n"
                                            "[\"2023-11-14T22:13:20.667Z\",2]\n"
                                            "[\"2023-11-14T22:13:21Z\",3]\n"
                                            "[\"2023-11-14T22:13:21.333Z\",4]\n"
                                            "[\"2023-11-14T22:13:21.667Z\",5]\n");
    alone_end(&a);
}

/* Every k-th row of n against the definition: the nearest millisecond, halves up. */
static void milliseconds_are_rounded_like_the_division_says(void **state)
{
    static const int rates[] = { 1, 2, 7, 16, 999, 1000, 1001, 1999, 2000, 4001 };
    (void)state;
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct alone a;
        char options[64];
        snprintf(options, sizeof options, "\"rows_per_second\": %d", rates[i]);
        alone_begin(&a, options);
        read_at(&a, "p0", START, 100);
        const struct weir_source *source = a.fake.component->table;
        struct weir_next in = { .size = sizeof in, .partition = "p0",
                                .from = { a.fake.position, a.fake.position_length },
                                .max_rows = 65536, .batch_time_us = START + SECOND };
        struct weir_next_result out = { .size = sizeof out };
        assert_int_equal(source->next(a.fake.self, &in, &out, &a.fake.error), WEIR_OK);
        assert_int_equal(out.array.length, rates[i]);
        for (int k = 0; k < rates[i]; k++) {
            int64_t ms = (2000 * (int64_t)k + rates[i]) / (2 * rates[i]);
            assert_int_equal(weir_get_int64(out.array.children[0], (uint32_t)k), START + ms * 1000);
            assert_int_equal(weir_get_int64(out.array.children[1], (uint32_t)k), k);
        }
        array_release(&out.array);
        alone_end(&a);
    }
}

static void the_speed_rises_during_the_ramp(void **state)
{
    static const uint64_t totals[] = { 0, 2, 6, 12, 20, 30, 40 };
    struct alone a;
    (void)state;
    alone_begin(&a, "\"rows_per_second\": 10, \"ramp_up\": \"4s\"");
    for (int s = 0; s <= 6; s++) {
        read_at(&a, "p0", START + s * SECOND, 1000);
        assert_int_equal(a.fake.n_rows, totals[s]);
    }
    alone_end(&a);
}

static void a_ramp_slower_than_a_row_is_silent_until_its_end(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"rows_per_second\": 2, \"ramp_up\": \"3s\"");
    read_at(&a, "p0", START, 1000);
    read_at(&a, "p0", START + 3 * SECOND, 1000);
    assert_int_equal(a.fake.n_rows, 0);
    read_at(&a, "p0", START + 5 * SECOND, 1000);
    assert_int_equal(a.fake.n_rows, 4);
    assert_non_null(strstr(fake_rows(&a.fake), "[\"2023-11-14T22:13:23Z\",0]"));
    alone_end(&a);
}

static void partitions_share_the_values(void **state)
{
    static const char *const want[] = { "0369", "147", "258" };
    struct alone a;
    (void)state;
    alone_begin(&a, "\"rows_per_second\": 5, \"partitions\": 3");
    assert_int_equal(fake_partitions(&a.fake, START), WEIR_OK);
    assert_string_equal(fake_text(&a.fake.names), "p0\np1\np2\n");
    for (int p = 0; p < 3; p++) {
        const char name[] = { 'p', (char)('0' + p), 0 };
        char values[16] = "", *at = values;
        fake_forget(&a.fake);
        a.fake.position_length = 0;
        read_at(&a, name, START, 2);
        read_at(&a, name, START + 2 * SECOND, 2);
        for (const char *row = fake_rows(&a.fake); (row = strstr(row, ",")); row++) *at++ = row[1];
        assert_string_equal(values, want[p]);
    }
    alone_end(&a);
}

static void any_range_can_be_given_again(void **state)
{
    struct alone a;
    uint8_t position[24];
    (void)state;
    alone_begin(&a, "\"rows_per_second\": 7, \"partitions\": 2, \"ramp_up\": \"2s\"");
    a.fake.context.time_us = START;
    assert_int_equal(fake_next(&a.fake, "p1", 0, 3), WEIR_OK);
    for (int64_t t = 1; t < 6; t++) {
        a.fake.context.time_us = START + t * SECOND;
        while (fake_next(&a.fake, "p1", 0, 3) == WEIR_OK) {
            char *rows = strdup(fake_rows(&a.fake));
            struct weir_bytes until = { position, 24 };
            memcpy(position, a.fake.position, 24);
            fake_forget(&a.fake);
            a.fake.position_length = 0;
            a.fake.context.time_us = START + 99 * SECOND;
            assert_int_equal(fake_replay(&a.fake, "p1", 0, until), WEIR_OK);
            assert_string_equal(fake_rows(&a.fake), rows);
            a.fake.context.time_us = START + t * SECOND;
            free(rows);
        }
    }
    assert_int_equal(a.fake.n_rows, 13); /* the odd ones of 2 + 4 + 7 + 7 + 7 */
    alone_end(&a);
}

static void the_wait_ends_with_the_second(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "");
    read_at(&a, "p0", START, 10);
    sim_advance(a.sys, 300000);
    read_at(&a, "p0", START + 300000, 10);
    assert_int_equal(a.fake.wake_after, 700000);
    alone_end(&a);
}

/* ---- whole jobs ---- */

/* Values are 0, 1, 2, … and each has the timestamp that its value says, at 4 rows a second. */
static uint64_t check_rows(int64_t start_us)
{
    char *rows = world_rows(), *line = rows;
    int64_t n = 0;
    for (; *line; line = strchr(line, '\n') + 1, n++) {
        char want[80], time[TEXT_OF_TIME];
        uint32_t length = timestamp_to_text(start_us + n / 4 * SECOND + n % 4 * 250000, time);
        int whole = snprintf(want, sizeof want, "[\"%.*s\",%lld]\n", (int)length, time,
                             (long long)n);
        if (strncmp(line, want, (size_t)whole) != 0) fail_msg("%.60s\nis not\n%s", line, want);
    }
    free(rows);
    return (uint64_t)n;
}

static void a_job_gets_the_rows_of_each_second(void **state)
{
    static const char *const triggers[] = { "asap", "500ms", "1s" };
    (void)state;
    for (int i = 0; i < 3; i++) {
        int64_t start = world.start_us;
        world_forget();
        world.stop_after_us = 10 * SECOND + 500000;
        assert_int_equal(world_life(triggers[i],
                                    "\"plugin\": \"rate\", \"rows_per_second\": 4"), 0);
        assert_in_range(check_rows(start), 36, 40);
    }
}

static void the_seconds_of_a_downtime_are_made_up_for(void **state)
{
    (void)state;
    const char *job = "\"plugin\": \"rate\", \"rows_per_second\": 4";
    world.stop_after_us = 3 * SECOND + 500000;
    assert_int_equal(world_life("1s", job), 0);
    assert_int_equal(world_life("1s", job), 0); /* begins a minute later */
    assert_in_range(check_rows(START), 4 * 60, 4 * 64);
}

static void a_kill_at_any_call_loses_and_doubles_nothing(void **state)
{
    const char *job = "\"plugin\": \"rate\", \"rows_per_second\": 4, \"max_records\": 5";
    (void)state;
    world.stop_after_us = 4 * SECOND + 500000;
    assert_int_equal(world_life("1s", job), 0);
    uint64_t calls = world.calls;
    for (uint64_t at = 1; at <= calls; at++) {
        world_forget();
        world.start_us = START;
        world.kill_at = at;
        int status = world_life("1s", job);
        int64_t start = START;
        if (status == -1) {
            uint32_t begun = world.n_seen;
            status = world_life("1s", job);
            char *rows = world_rows();
            if (!begun && !strstr(rows, "2023-11-14T22:13:20Z")) start += 60 * SECOND;
            free(rows);
        }
        if (status != 0) fail_msg("kill at %llu: %d", (unsigned long long)at, status);
        assert_int_equal(world.doubled, 0);
        assert_true(check_rows(start) >= 12);
    }
    print_message("%llu kill points\n", (unsigned long long)calls);
}

static void a_batch_has_the_rows_that_it_is_to_have(void **state)
{
    (void)state;
    world.max_batches = 3;
    assert_int_equal(world_life("asap", "\"plugin\": \"rate\", \"rows_per_batch\": 3,"
                                        "\"start\": \"2024-01-01T00:00:00Z\","
                                        "\"advance\": \"10s\", \"partitions\": 2"), 0);
    char *rows = world_batches();
    assert_string_equal(rows, "0:\n[\"2024-01-01T00:00:00Z\",0]\n[\"2024-01-01T00:00:00Z\",2]\n"
                              "[\"2024-01-01T00:00:00Z\",1]\n"
                              "1:\n[\"2024-01-01T00:00:10Z\",4]\n[\"2024-01-01T00:00:10Z\",3]\n"
                              "[\"2024-01-01T00:00:10Z\",5]\n"
                              "2:\n[\"2024-01-01T00:00:20Z\",6]\n[\"2024-01-01T00:00:20Z\",8]\n"
                              "[\"2024-01-01T00:00:20Z\",7]\n");
    free(rows);
}

static void fixed_batches_go_on_after_a_restart(void **state)
{
    static const char job[] = "\"plugin\": \"rate\", \"rows_per_batch\": 1, \"partitions\": 3";
    (void)state;
    world.max_batches = 2;
    assert_int_equal(world_life("asap", job), 0);
    assert_int_equal(world_life("asap", job), 0);
    char *rows = world_batches();
    assert_string_equal(rows, "0:\n[\"1970-01-01T00:00:00Z\",0]\n1:\n[\"1970-01-01T00:00:01Z\",1]\n"
                              "2:\n[\"1970-01-01T00:00:02Z\",2]\n"
                              "3:\n[\"1970-01-01T00:00:03Z\",3]\n");
    free(rows);
}

static void wrong_options_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        { "\"rows_per_second\": 0", "x.rows_per_second" },
        { "\"rows_per_second\": 2000000000", "x.rows_per_second" },
        { "\"partitions\": 0", "x.partitions" },
        { "\"rows_per_batch\": 0", "x.rows_per_batch" },
        { "\"advance\": \"1s\"", "it needs rows_per_batch" },
        { "\"start\": \"2024-01-01\"", "it needs rows_per_batch" },
        { "\"rows_per_batch\": 1, \"start\": \"soon\"", "not a timestamp" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char members[128];
        snprintf(members, sizeof members, "\"plugin\": \"rate\", %s", wrong[i][0]);
        if (!strstr(world_refused(members), wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], world_journal());
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_lie_evenly_in_their_second),
        cmocka_unit_test(milliseconds_are_rounded_like_the_division_says),
        cmocka_unit_test(the_speed_rises_during_the_ramp),
        cmocka_unit_test(a_ramp_slower_than_a_row_is_silent_until_its_end),
        cmocka_unit_test(partitions_share_the_values),
        cmocka_unit_test(any_range_can_be_given_again),
        cmocka_unit_test(the_wait_ends_with_the_second),
        T(a_job_gets_the_rows_of_each_second),
        T(the_seconds_of_a_downtime_are_made_up_for),
        T(a_kill_at_any_call_loses_and_doubles_nothing),
        T(a_batch_has_the_rows_that_it_is_to_have),
        T(fixed_batches_go_on_after_a_restart),
        T(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
