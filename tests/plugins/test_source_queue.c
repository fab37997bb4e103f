/*
 * The source `queue`: datasets and batches, absence, partitions, replay, mistakes in the job.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/fake_host.h"
#include "tests/plugins/source_world.h"

static const world_entry_fn modules[] = { entry_source_queue, NULL };

#define QUEUE "\"plugin\": \"queue\", \"columns\": \"v int\", "

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

static void expect(const char *want)
{
    char *batches = world_batches();
    assert_string_equal(batches, want);
    free(batches);
}

static void a_batch_takes_one_dataset(void **state)
{
    (void)state;
    assert_int_equal(world_life("available_now", QUEUE "\"batches\": [[[1],[2]], [[3]], [[4]]]"),
                     0);
    expect("0:\n[1]\n[2]\n1:\n[3]\n2:\n[4]\n");
}

static void all_at_once_unites_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(world_life("available_now", QUEUE "\"one_at_a_time\": false, \"batches\": "
                                                       "[[[1],[2]], null, [], [[3]]]"), 0);
    expect("0:\n[1]\n[2]\n[3]\n");
}

static void empty_and_absent_datasets_take_their_batch(void **state)
{
    (void)state;
    assert_int_equal(world_life("available_now", QUEUE "\"batches\": [[], null, [[3]]]"), 0);
    expect("0:\n2:\n[3]\n"); /* a sink hears of an empty dataset, not of an absent one */
    assert_int_equal(world.summary.batches, 3);
}

static void the_default_follows_the_queue(void **state)
{
    (void)state;
    world.max_batches = 4;
    assert_int_equal(world_life("asap", QUEUE "\"batches\": [[[1]]], \"default\": [[8],[9]]"), 0);
    expect("0:\n[1]\n1:\n[8]\n[9]\n2:\n[8]\n[9]\n3:\n[8]\n[9]\n");
}

static void rows_are_split_at_the_floor_of_i_n_by_p(void **state)
{
    static const char *const names[] = { "p0", "p1", "p2" };
    static const char *const shares[] = { "[1]\n", "[2]\n[3]\n", "[4]\n[5]\n" };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_source_queue, NULL,
                                 "\"columns\": \"v int\", \"partitions\": 3,"
                                 "\"batches\": [[[1],[2],[3],[4],[5]]]"), WEIR_OK);
    assert_int_equal(fake_bind_source(&fake), WEIR_OK);
    assert_int_equal(fake_partitions(&fake, 0), WEIR_OK);
    assert_string_equal(fake_text(&fake.names), "p0\np1\np2\n");
    for (int i = 0; i < 3; i++) {
        fake_forget(&fake);
        fake.position_length = 0;
        assert_int_equal(fake_next(&fake, names[i], 0, 100), WEIR_OK);
        assert_int_equal(fake.flags, WEIR_NEXT_BATCH_END);
        assert_string_equal(fake_rows(&fake), shares[i]);
        assert_int_equal(fake_next(&fake, names[i], 1, 100), WEIR_OK);
        assert_int_equal(fake.flags, WEIR_NEXT_END);
    }
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void names_of_partitions_sort_by_number(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_source_queue, NULL,
                                 "\"columns\": \"v int\", \"partitions\": 11"), WEIR_OK);
    assert_int_equal(fake_bind_source(&fake), WEIR_OK);
    assert_int_equal(fake_partitions(&fake, 0), WEIR_OK);
    assert_string_equal(fake_text(&fake.names),
                        "p00\np01\np02\np03\np04\np05\np06\np07\np08\np09\np10\n");
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void a_dataset_over_the_limit_comes_in_pieces_and_again_the_same(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    uint8_t positions[8][16];
    int n = 0;
    char text[64];
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_source_queue, NULL,
                                 "\"columns\": \"v int\", \"one_at_a_time\": false,"
                                 "\"batches\": [[[1],[2],[3]], [[4],[5]]]"), WEIR_OK);
    assert_int_equal(fake_bind_source(&fake), WEIR_OK);
    do {
        assert_int_equal(fake_next(&fake, "p0", 0, 2), WEIR_OK);
        assert_int_equal(fake.position_length, 16);
        memcpy(positions[n++], fake.position, 16);
    } while (!(fake.flags & WEIR_NEXT_BATCH_END));
    assert_int_equal(n, 3); /* 2, 1 to the end of the first dataset, 2 */
    assert_string_equal(fake_rows(&fake), "[1]\n[2]\n[3]\n[4]\n[5]\n");
    for (int k = 0; k < n; k++) {
        struct weir_bytes until = { positions[k], 16 };
        fake_forget(&fake);
        fake.position_length = 0;
        assert_int_equal(fake_replay(&fake, "p0", 0, until), WEIR_OK);
        assert_int_equal(fake.n_rows, k == 0 ? 2 : k == 1 ? 3 : 5);
    }
    const struct weir_source *source = fake.component->table;
    struct weir_bytes first = { positions[0], 16 }, odd = { positions[0], 7 };
    assert_int_equal(source->position_text(fake.self, first, text, sizeof text), WEIR_OK);
    assert_string_equal(text, "dataset 0, row 2");
    assert_int_equal(source->position_text(fake.self, odd, text, sizeof text), WEIR_DATA);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void a_longer_queue_goes_on_where_the_old_one_ended(void **state)
{
    (void)state;
    assert_int_equal(world_life("available_now", QUEUE "\"batches\": [[[1]], [[2]]]"), 0);
    assert_int_equal(world_life("available_now", QUEUE "\"batches\": [[[1]], [[2]], [[3]]]"), 0);
    expect("0:\n[1]\n1:\n[2]\n2:\n[3]\n");
}

static void a_kill_at_any_call_loses_and_doubles_nothing(void **state)
{
    static const char job[] =
        QUEUE "\"partitions\": 2, \"max_records\": 3, \"batches\":"
              " [[[1],[2],[3],[4]], null, [[5]], [], [[6],[7],[8],[9],[10],[11],[12],[13]]]";
    (void)state;
    assert_int_equal(world_life("available_now", job), 0);
    uint64_t calls = world.calls;
    char *want = world_rows();
    for (uint64_t at = 1; at <= calls; at++) {
        world_forget();
        world.kill_at = at;
        int status = world_life("available_now", job);
        if (status == -1) status = world_life("available_now", job);
        if (status != 0) fail_msg("kill at %llu: %d", (unsigned long long)at, status);
        char *got = world_rows();
        assert_int_equal(world.doubled, 0);
        if (strlen(want) != strlen(got))
            fail_msg("kill at %llu:\n%s\nwant\n%s", (unsigned long long)at, got, want);
        free(got);
    }
    print_message("%llu kill points\n", (unsigned long long)calls);
    free(want);
}

static void mistakes_are_found_by_the_check(void **state)
{
    (void)state;
    assert_non_null(strstr(world_refused("\"plugin\": \"queue\""), "columns"));
    assert_non_null(strstr(world_refused("\"plugin\": \"queue\", \"columns\": \"v inx\""), "inx"));
    assert_non_null(strstr(world_refused(QUEUE "\"partitions\": 0"), "partitions"));
    assert_non_null(strstr(world_refused(QUEUE "\"batches\": [[[1]], [[\"a\"]]]"), "row 1"));
    assert_non_null(strstr(world_refused(QUEUE "\"batches\": [[1]]"), "row"));
    assert_non_null(strstr(world_refused(QUEUE "\"batches\": [7]"), "expected near '7'"));
    assert_non_null(strstr(world_refused(QUEUE "\"batches\": [[[1]], [[2], [\"x\"]]]"),
                           "sources.x.batches.1: row 2, column 'v'"));
    assert_non_null(strstr(world_refused(QUEUE "\"default\": [[1, 2]]"), "row"));
    assert_non_null(strstr(world_refused("\"plugin\": \"queue\", \"columns\": \"v int not null\","
                                         "\"batches\": [[[null]]]"), "null"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_batch_takes_one_dataset),
        T(all_at_once_unites_what_is_left),
        T(empty_and_absent_datasets_take_their_batch),
        T(the_default_follows_the_queue),
        cmocka_unit_test(rows_are_split_at_the_floor_of_i_n_by_p),
        cmocka_unit_test(names_of_partitions_sort_by_number),
        cmocka_unit_test(a_dataset_over_the_limit_comes_in_pieces_and_again_the_same),
        T(a_longer_queue_goes_on_where_the_old_one_ended),
        T(a_kill_at_any_call_loses_and_doubles_nothing),
        T(mistakes_are_found_by_the_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
