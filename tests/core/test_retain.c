/*
 * test_retain.c - what retain_batches keeps: the records and extents of that many batches, and, behind a start, all
 * that is there until as many further ones have run.
 */
#include "tests/core/log_world.h"

#include "core/run/cp.h"

static struct job job;

/* Batches first … last, each a record and an extent of its own, as checkpoint_state leaves them. */
static void run_batches(struct world *w, struct checkpoint *cp, uint64_t first, uint64_t last)
{
    static uint8_t bytes[600];
    struct extent extent;
    for (uint64_t batch = first; batch <= last; batch++) {
        assert_int_equal(log_extent_write(w->log, EXTENT_SPOOL, (struct weir_bytes){ bytes, 600 },
                                          &extent, NULL), WEIR_OK);
        append(w, batch, bytes, 200);
        synced(w);
        assert_int_equal(cp_note_batch(cp), WEIR_OK);
        cp->map_sequence = cp->job_sequence = log_last_sequence(w->log);
        assert_int_equal(cp_retain(cp, &w->error), WEIR_OK);
    }
}

static struct checkpoint *start(struct world *w, int64_t batches)
{
    struct checkpoint *cp = calloc(1, sizeof *cp);
    job.retain_batches = batches;
    cp->job = &job;
    cp->log = w->log;
    cp->output_file = UINT32_MAX;
    return cp;
}

static void stop(struct checkpoint *cp)
{
    free(cp->marks);
    free(cp);
}

static int has_spool(struct world *w, uint32_t number)
{
    char path[64];
    struct sys_stat st;
    snprintf(path, sizeof path, DIRECTORY "/spool-%08u", number);
    return sys_stat_path(w->sys, path, &st) == 0;
}

static uint64_t oldest_batch(struct world *w)
{
    assert_int_equal(world_again(w), WEIR_OK);
    return w->batch[0];
}

static void one_batch_is_all_that_a_restart_needs(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct checkpoint *cp = start(w, 1);
    (void)unused;
    run_batches(w, cp, 1, 60);
    assert_false(has_spool(w, 25));
    stop(cp);
    assert_true(oldest_batch(w) > 50);
    world_free(w);
}

static void as_many_batches_as_are_asked_for_stay(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct checkpoint *cp = start(w, 20);
    (void)unused;
    run_batches(w, cp, 1, 60);
    assert_true(has_spool(w, 21)); /* two batches to a file: that of batch 41 */
    assert_false(has_spool(w, 15));
    stop(cp);
    uint64_t oldest = oldest_batch(w);
    assert_true(oldest <= 41 && oldest > 30); /* by whole segments */
    world_free(w);
}

static void behind_a_start_they_stay_until_others_are_there(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct checkpoint *cp = start(w, 20);
    (void)unused;
    run_batches(w, cp, 1, 60);
    stop(cp);
    uint64_t oldest = oldest_batch(w);
    cp = start(w, 20);
    run_batches(w, cp, 61, 80);
    stop(cp);
    assert_int_equal(oldest_batch(w), oldest);
    cp = start(w, 20);
    run_batches(w, cp, 81, 110);
    stop(cp);
    assert_true(oldest_batch(w) > 75);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_batch_is_all_that_a_restart_needs),
        cmocka_unit_test(as_many_batches_as_are_asked_for_stay),
        cmocka_unit_test(behind_a_start_they_stay_until_others_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
