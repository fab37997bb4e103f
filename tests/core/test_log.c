/*
 * test_log.c - the checkpoint directory on the simulated disk: what it keeps, what it refuses,
 * and how it fails.
 */
#include "tests/core/log_world.h"

/* Keeping */

static void a_new_checkpoint_is_created_once(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    char id[33];

    (void)unused;
    assert_int_equal(w->report.created, 1);
    assert_int_equal(strlen(log_job_id(w->log)), 32);
    strcpy(id, log_job_id(w->log));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->report.created, 0);
    assert_string_equal(log_job_id(w->log), id);
    world_free(w);
}

static void synced_records_come_back_in_order_and_whole(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint8_t *large = calloc(1, 300000);
    uint64_t last;

    (void)unused;
    append(w, 1, "", 0);
    append(w, 2, "two", 3);
    synced(w);
    append(w, UINT64_MAX, large, 300000);
    synced(w);
    last = log_last_sequence(w->log);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 3);
    assert_int_equal(w->report.records, 3);
    assert_int_equal(w->length[0], 0);
    assert_true(w->batch[2] == UINT64_MAX);
    assert_int_equal(w->length[2], 300000);
    assert_int_equal(w->crc[2], crc32c(0, large, 300000));
    assert_int_equal(w->sequence[2], last);
    assert_int_equal(log_last_sequence(w->log), last);
    assert_int_equal(w->report.cut_bytes, 0);
    free(large);
    world_free(w);
}

static void what_was_appended_without_a_sync_is_not_there(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);

    (void)unused;
    fill(w, 1, 1, 10);
    append(w, 2, "x", 1);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 1);
    world_free(w);
}

static void records_between_two_syncs_go_out_in_one_write(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint64_t calls, three;

    (void)unused;
    fill(w, 1, 1, 10);
    calls = sim_calls(w->sys);
    fill(w, 2, 2, 10);
    calls = sim_calls(w->sys) - calls;
    append(w, 3, "3", 1);
    append(w, 4, "4", 1);
    append(w, 5, "5", 1);
    three = sim_calls(w->sys);
    synced(w);
    assert_int_equal(sim_calls(w->sys) - three, calls);
    world_free(w);
}

static void a_sync_of_nothing_touches_nothing(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint64_t calls = sim_calls(w->sys);

    (void)unused;
    synced(w);
    assert_int_equal(sim_calls(w->sys), calls);
    world_free(w);
}

static void an_extent_comes_back(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    struct extent a, b;
    uint8_t *bytes;

    (void)unused;
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("first"), &a, NULL), WEIR_OK);
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("second"), &b, NULL), WEIR_OK);
    synced(w);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(log_extent_read(w->log, &b, &bytes, NULL), WEIR_OK);
    assert_memory_equal(bytes, "second", 6);
    mem_free(bytes);
    assert_int_equal(b.offset, 5);
    world_free(w);
}

static void a_damaged_extent_is_named_with_its_place(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    struct extent a, longer;
    uint8_t *bytes;

    (void)unused;
    assert_int_equal(log_extent_write(w->log, EXTENT_SPOOL, TEXT("xxabc"), &a, NULL), WEIR_OK);
    synced(w);
    longer = a;
    longer.length = UINT64_MAX - 2;
    put(w, "spool-00000001", "xxabd", 5);
    assert_int_equal(log_extent_read(w->log, &a, &bytes, &w->error), WEIR_DATA);
    assert_null(bytes);
    assert_non_null(strstr(w->error.text, "/spool-00000001: offset 0: damaged: the checksum"));
    weir_error_init(&w->error);
    assert_int_equal(log_extent_read(w->log, &longer, &bytes, &w->error), WEIR_DATA);
    assert_non_null(strstr(w->error.text, "incomplete"));
    weir_error_init(&w->error);
    gone(w, "spool-00000001");
    assert_int_equal(log_extent_read(w->log, &a, &bytes, &w->error), WEIR_DATA);
    assert_non_null(strstr(w->error.text, "missing"));
    world_free(w);
}

static void segments_roll_and_are_read_in_order(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    uint32_t i;

    (void)unused;
    fill(w, 1, 50, 200);
    assert_true(exists(w, "log-00000010"));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 50);
    for (i = 0; i < 50; i++)
        assert_int_equal(w->batch[i], i + 1);
    world_free(w);
}

static void what_is_not_needed_goes_and_the_rest_stays(void **unused)
{
    static const uint32_t none[5] = {0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct world *w = world_new(SMALL_SEGMENT);
    uint32_t least[5] = {0, 2, 0, 0, 0};
    struct extent e = {0};
    uint64_t need, before;
    uint8_t bytes[2000] = {0};
    uint32_t i;

    (void)unused;
    for (i = 0; i < 3; i++)
        assert_int_equal(log_extent_write(w->log, EXTENT_STATE, (struct weir_bytes){bytes, 2000},
                                          &e, NULL), WEIR_OK);
    assert_int_equal(e.file, 3);
    fill(w, 1, 25, 200);
    need = log_last_sequence(w->log);
    fill(w, 26, 50, 200);
    before = log_bytes(w->log);
    assert_int_equal(log_need(w->log, need, least, &w->error), WEIR_OK);
    assert_true(log_bytes(w->log) < before * 3 / 4);
    assert_false(exists(w, "log-00000001"));
    assert_false(exists(w, "state-00000001"));
    assert_true(exists(w, "state-00000002"));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_true(w->batch[0] <= 25 && w->batch[0] > 15);
    assert_int_equal(w->batch[w->n - 1], 50);
    /* The file in use stays, and after all went no number comes again. */
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("x"), &e, NULL), WEIR_OK);
    assert_int_equal(e.file, 4);
    synced(w);
    assert_int_equal(log_need(w->log, need, none, &w->error), WEIR_OK);
    assert_false(exists(w, "state-00000003"));
    assert_true(exists(w, "state-00000004"));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(log_need(w->log, need, none, &w->error), WEIR_OK);
    assert_false(exists(w, "state-00000004"));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("x"), &e, NULL), WEIR_OK);
    assert_int_equal(e.file, 5);
    world_free(w);
}

static void an_empty_last_segment_lets_nothing_go(void **unused)
{
    static const uint32_t all[5] = {0};
    struct world *w = world_new(SMALL_SEGMENT);

    (void)unused;
    fill(w, 1, 3, 200);
    put(w, "log-00000002", "", 0); /* made, then killed */
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(log_need(w->log, log_last_sequence(w->log), all, NULL), WEIR_OK);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 3);
    world_free(w);
}

static void need_beyond_what_is_synced_keeps_the_last_synced_record(void **unused)
{
    static const uint32_t all[5] = {0};
    static const uint8_t next[200]; /* goes to the next segment */
    struct world *w = world_new(SMALL_SEGMENT);

    (void)unused;
    fill(w, 1, 3, 200);
    append(w, 4, next, sizeof next);
    append(w, 5, "", 0);
    assert_int_equal(log_need(w->log, log_last_sequence(w->log), all, NULL), WEIR_OK);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 3);
    world_free(w);
}

static void pointers_are_written_to_two_blocks_in_turn(void **unused)
{
    static const uint32_t all[5] = {0};
    struct world *w = world_new(SMALL_SEGMENT);
    size_t n;
    uint8_t *bytes;

    (void)unused;
    fill(w, 1, 20, 200);
    assert_int_equal(log_need(w->log, 10, all, NULL), WEIR_OK);
    assert_int_equal(log_need(w->log, 20, all, NULL), WEIR_OK);
    bytes = file_copy(w, "lock", &n);
    assert_int_equal(n, 1536);
    assert_memory_equal(bytes + 512, "weirneed\2\0\0\0", 12);
    assert_memory_equal(bytes + 1024, "weirneed\3\0\0\0", 12);
    free(bytes);
    world_free(w);
}

static void bytes_are_those_of_the_files(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct extent e;
    uint64_t bytes;

    (void)unused;
    fill(w, 1, 20, 300);
    assert_int_equal(log_extent_write(w->log, EXTENT_DEAD, TEXT("12345"), &e, NULL), WEIR_OK);
    synced(w);
    bytes = log_bytes(w->log);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(log_bytes(w->log), bytes);
    world_free(w);
}

/* Refusing */

static void a_checkpoint_of_another_job_is_refused_and_not_touched(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint32_t before;

    (void)unused;
    fill(w, 1, 1, 10);
    world_close(w);
    before = snapshot(w);
    w->job = "other";
    assert_int_equal(world_open(w), WEIR_CONFIG);
    assert_non_null(strstr(w->error.text, "belongs to job \"job\", not to \"other\""));
    assert_int_equal(snapshot(w), before);
    world_free(w);
}

static void a_newer_format_is_refused_and_not_touched(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint32_t before;
    size_t n;
    uint8_t *bytes;

    (void)unused;
    world_close(w);
    bytes = file_copy(w, "weir.json", &n);
    memcpy(strstr((char *)bytes, "\"format\":1"), "\"format\":2", 10);
    put(w, "weir.json", bytes, n);
    free(bytes);
    before = snapshot(w);
    assert_int_equal(world_open(w), WEIR_CONFIG);
    assert_non_null(strstr(w->error.text, "has format 2"));
    assert_int_equal(snapshot(w), before);
    world_free(w);
}

static void a_missing_identity_is_never_made_anew(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    uint32_t before;

    (void)unused;
    fill(w, 1, 1, 10);
    gone(w, "weir.json");
    world_close(w);
    before = snapshot(w);
    assert_int_equal(world_open(w), WEIR_DATA);
    assert_non_null(strstr(w->error.text, "weir.json is missing"));
    assert_int_equal(snapshot(w), before);
    world_free(w);
}

static void a_directory_of_somebody_else_is_refused(void **unused)
{
    struct world w = {.disk = sim_disk_create(), .job = "job"};

    (void)unused;
    put(&w, "holiday.jpg", "x", 1);
    assert_int_equal(world_open(&w), WEIR_CONFIG);
    assert_non_null(strstr(w.error.text, "holiday.jpg"));
    assert_false(exists(&w, "lock"));
    world_close(&w);
    sim_disk_destroy(w.disk);
}

static void a_locked_checkpoint_says_try_again(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    struct world other = {.disk = w->disk, .job = "job"};

    (void)unused;
    assert_int_equal(world_open(&other), WEIR_RETRY);
    world_close(&other);
    fill(w, 1, 1, 10); /* the first one is not disturbed */
    world_free(w);
}

static void who_lost_the_fence_writes_nothing_more(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    struct world other = {.disk = w->disk, .job = "job"};
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t before;

    (void)unused;
    fill(w, 1, 1, 10);
    gone(w, "lock"); /* the way round the lock */
    assert_int_equal(world_open(&other), WEIR_OK);
    before = snapshot(w);
    append(w, 2, "x", 1);
    assert_int_equal(log_sync(w->log, &error), WEIR_FATAL);
    assert_non_null(strstr(error.text, "taken over"));
    assert_int_equal(log_append(w->log, LOG_PLAN, 1, 3, TEXT("x"), NULL), WEIR_FATAL);
    assert_int_equal(snapshot(w), before);
    fill(&other, 2, 2, 10);
    world_close(&other);
    world_free(w);
}

static void a_reader_takes_no_lock_and_writes_nothing(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct world reader = {.disk = w->disk, .read_only = 1};
    uint32_t before;

    (void)unused;
    fill(w, 1, 20, 100);
    before = snapshot(w);
    assert_int_equal(world_open(&reader), WEIR_OK);
    assert_int_equal(reader.n, 20);
    assert_int_equal(log_append(reader.log, LOG_PLAN, 1, 1, TEXT("x"), NULL), WEIR_FATAL);
    world_close(&reader);
    assert_int_equal(snapshot(w), before);
    fill(w, 21, 21, 100);
    world_free(w);
}

static int32_t refuse(void *arg, const struct log_record *record, struct weir_error *error)
{
    (void)arg;
    return weir_fail(error, WEIR_UNSUPPORTED, "no %llu", (unsigned long long)record->batch);
}

static void what_the_reader_of_records_says_ends_the_opening(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    struct log_options options = {DIRECTORY, "job", 0, 0};

    (void)unused;
    fill(w, 7, 8, 10);
    log_close(w->log);
    w->log = NULL;
    assert_int_equal(log_open(w->sys, &options, refuse, NULL, &w->log, NULL, &w->error),
                     WEIR_UNSUPPORTED);
    assert_null(w->log);
    assert_string_equal(w->error.text, "no 7");
    world_free(w);
}

/* Failing */

static void a_failed_sync_is_final_and_another_start_goes_on(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);

    (void)unused;
    fill(w, 1, 1, 100);
    append(w, 2, "x", 1);
    /* open, read, close of the fence, write: the fifth call is the sync */
    sim_fault_at(w->sys, sim_calls(w->sys) + 5, SIM_FAULT_EIO, 0);
    assert_int_equal(log_sync(w->log, &w->error), WEIR_FATAL);
    assert_non_null(strstr(w->error.text, "can't sync"));
    sim_fault_at(w->sys, 0, 0, 0);
    assert_int_equal(log_sync(w->log, NULL), WEIR_FATAL);
    assert_int_equal(log_append(w->log, LOG_PLAN, 1, 3, TEXT("x"), NULL), WEIR_FATAL);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->batch[0], 1);
    fill(w, 9, 9, 10);
    world_free(w);
}

static void a_full_disk_loses_nothing_and_goes_on_by_itself(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct extent e;
    uint32_t i;
    int32_t class;

    (void)unused;
    fill(w, 1, 3, 200);
    for (i = 0; i < 40; i++) {
        sim_disk_limit(w->disk, log_bytes(w->log) + 1800 + i * 37);
        append(w, 10 + i, "some", 4);
        class = log_sync(w->log, &w->error);
        assert_true(class == WEIR_OK || class == WEIR_RETRY);
        weir_error_init(&w->error);
        sim_disk_limit(w->disk, 1);
        assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("12345678"), &e, &w->error),
                         WEIR_RETRY);
        weir_error_init(&w->error);
        sim_disk_limit(w->disk, UINT64_MAX);
        if (i % 3 == 0)
            synced(w);
    }
    synced(w);
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("12345678"), &e, NULL), WEIR_OK);
    synced(w);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->n, 43);
    for (i = 0; i < 40; i++)
        assert_int_equal(w->batch[3 + i], 10 + i);
    world_free(w);
}

static void retention_works_on_a_full_disk(void **unused)
{
    static const uint32_t all[5] = {0};
    struct world *w = world_new(SMALL_SEGMENT);

    (void)unused;
    fill(w, 1, 20, 200);
    sim_disk_limit(w->disk, 1);
    append(w, 21, "x", 1);
    assert_int_equal(log_sync(w->log, &w->error), WEIR_RETRY);
    assert_int_equal(log_need(w->log, log_last_sequence(w->log) - 3, all, NULL), WEIR_OK);
    assert_false(exists(w, "log-00000003"));
    sim_disk_limit(w->disk, UINT64_MAX);
    synced(w);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->batch[w->n - 1], 21);
    world_free(w);
}

/* A life with all calls; returns the first class that isn't OK. Records of batch 1.. are synced
 * up to *kept. */
static int32_t life(struct weir_sys *sys, uint64_t *kept, struct weir_error *error)
{
    struct log_options options = {DIRECTORY, "job", SMALL_SEGMENT, 0};
    uint32_t least[5] = {0, 1, UINT32_MAX, 0, 0};
    struct log_report report;
    struct extent e;
    struct log *log;
    uint8_t bytes[400] = {0}, *back;
    uint64_t batch;
    int32_t class = log_open(sys, &options, NULL, NULL, &log, &report, error);

    for (batch = *kept + 1; class == WEIR_OK && batch % 8 != 0; batch++) {
        class = log_extent_write(log, EXTENT_SPOOL, (struct weir_bytes){bytes, 400}, &e, error);
        if (class == WEIR_OK)
            class = log_append(log, LOG_PLAN, 1, batch, (struct weir_bytes){bytes, 400}, error);
        if (class == WEIR_OK)
            class = log_sync(log, error);
        if (class == WEIR_OK)
            *kept = batch;
        if (class == WEIR_OK)
            class = log_extent_read(log, &e, &back, error);
        if (class == WEIR_OK)
            mem_free(back);
        if (class == WEIR_OK && batch % 4 == 0)
            class = log_need(log, log_last_sequence(log) - 2, least, error);
    }
    log_close(log);
    return class;
}

static void life_survives(struct world *w, uint64_t kept)
{
    assert_int_equal(world_open(w), WEIR_OK);
    if (kept) {
        assert_true(w->n > 0);
        assert_true(w->batch[w->n - 1] >= kept);
    }
    assert_true(kept == 0 || w->batch[0] <= kept);
    world_close(w);
}

/* A disk on which a first life ended with a torn tail. */
static struct sim_disk *worn_disk(uint64_t *kept)
{
    struct world w = {.disk = sim_disk_create()};
    struct weir_error error = WEIR_ERROR_INIT;
    size_t n;
    uint8_t *bytes;
    struct weir_sys *sys = sim_create(w.disk, START_US, 1);

    *kept = 0;
    assert_int_equal(life(sys, kept, &error), WEIR_OK);
    sys_destroy(sys);
    bytes = file_copy(&w, "log-00000007", &n);
    put(&w, "log-00000007", bytes, n - 3);
    free(bytes);
    *kept -= 1;
    return w.disk;
}

static void no_failing_call_crashes_leaks_or_loses(void **unused)
{
    uint64_t call, calls = 0;
    uint32_t worn, fault, forever;

    (void)unused;
    for (worn = 0; worn < 2; worn++)
        for (fault = SIM_FAULT_EIO; fault <= SIM_FAULT_SHORT; fault++)
            for (forever = 0; forever < 2; forever++)
                for (call = 1;; call++) {
                    struct world w = {.job = "job", .segment_bytes = SMALL_SEGMENT};
                    struct weir_error error = WEIR_ERROR_INIT;
                    uint64_t kept = 0, made;
                    struct weir_sys *sys;
                    int32_t class;

                    w.disk = worn ? worn_disk(&kept) : sim_disk_create();
                    sys = sim_create(w.disk, START_US, 1);
                    sim_fault_at(sys, call, fault, (int)forever);
                    class = life(sys, &kept, &error);
                    made = sim_calls(sys);
                    sys_destroy(sys);
                    assert_int_equal(class, error.error_class);
                    assert_true(class == WEIR_OK || error.text[0]);
                    assert_int_equal(mem_in_use(), 0);
                    life_survives(&w, kept);
                    sim_disk_destroy(w.disk);
                    calls++;
                    if (call > made)
                        break;
                }
    print_message("%llu lives with a failing call\n", (unsigned long long)calls);
}

static void no_missing_memory_crashes_leaks_or_loses(void **unused)
{
    uint64_t n, worn;

    (void)unused;
    for (worn = 0; worn < 2; worn++) {
        int32_t class = WEIR_FATAL;

        for (n = 1; class != WEIR_OK; n++) {
            struct world w = {.job = "job", .segment_bytes = SMALL_SEGMENT};
            struct weir_error error = WEIR_ERROR_INIT;
            uint64_t kept = 0;
            struct weir_sys *sys;

            w.disk = worn ? worn_disk(&kept) : sim_disk_create();
            sys = sim_create(w.disk, START_US, 1);
            mem_fail_at(n, n % 2 == 0);
            class = life(sys, &kept, &error);
            mem_fail_at(0, 0);
            sys_destroy(sys);
            assert_int_equal(class, error.error_class);
            assert_int_equal(mem_in_use(), 0);
            life_survives(&w, kept);
            sim_disk_destroy(w.disk);
            assert_true(n < 1000);
        }
    }
}

/* The first start is killed at each call; the second one makes the checkpoint whatever it finds. */
static void an_unfinished_making_is_made_again_and_lasts(void **unused)
{
    uint64_t call, loss;
    int killed = 1;

    (void)unused;
    for (call = 1; killed; call++)
        for (loss = 0; loss < 8; loss++) {
            struct world w = {.disk = sim_disk_create(), .job = "job"};

            w.sys = sim_create(w.disk, START_US, 1);
            sim_kill_at(w.sys, call);
            world_open(&w);
            killed = sim_killed(w.sys);
            world_close(&w);
            if (loss % 2)
                sim_disk_power_loss(w.disk, call * 8 + loss);
            assert_int_equal(world_open(&w), WEIR_OK);
            fill(&w, 1, 2, 50);
            world_close(&w);
            sim_disk_power_loss(w.disk, loss / 2 * call);
            assert_int_equal(world_open(&w), WEIR_OK);
            assert_int_equal(w.report.created, 0);
            assert_int_equal(w.n, 2);
            world_close(&w);
            sim_disk_destroy(w.disk);
        }
    assert_true(call > 20);
}

static int remove_entry(void *arg, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", (const char *)arg, name);
    return unlink(path);
}

static void the_same_on_a_real_disk(void **unused)
{
    char directory[] = "/tmp/weir-log-XXXXXX", path[128];
    struct log_options options = {path, "job", SMALL_SEGMENT, 0};
    struct world w = {.sys = sys_real_create()};
    struct log *second;
    struct extent e;
    uint8_t *bytes;

    (void)unused;
    assert_non_null(w.sys);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/deep/ckpt", directory);
    assert_int_equal(log_open(w.sys, &options, NULL, NULL, &w.log, NULL, NULL), WEIR_OK);
    assert_int_equal(log_extent_write(w.log, EXTENT_STATE, TEXT("x"), &e, NULL), WEIR_OK);
    fill(&w, 1, 20, 200);
    assert_int_equal(log_open(w.sys, &options, NULL, NULL, &second, NULL, NULL), WEIR_RETRY);
    log_close(w.log);
    assert_int_equal(log_open(w.sys, &options, keep_record, &w, &w.log, NULL, NULL), WEIR_OK);
    assert_int_equal(w.n, 20);
    assert_int_equal(log_extent_read(w.log, &e, &bytes, NULL), WEIR_OK);
    mem_free(bytes);
    log_close(w.log);
    assert_int_equal(sys_list(w.sys, path, remove_entry, path), 0);
    assert_int_equal(sys_rmdir(w.sys, path), 0);
    snprintf(path, sizeof path, "%s/deep", directory);
    assert_int_equal(sys_rmdir(w.sys, path), 0);
    assert_int_equal(sys_rmdir(w.sys, directory), 0);
    sys_destroy(w.sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_checkpoint_is_created_once),
        cmocka_unit_test(synced_records_come_back_in_order_and_whole),
        cmocka_unit_test(what_was_appended_without_a_sync_is_not_there),
        cmocka_unit_test(records_between_two_syncs_go_out_in_one_write),
        cmocka_unit_test(a_sync_of_nothing_touches_nothing),
        cmocka_unit_test(an_extent_comes_back),
        cmocka_unit_test(a_damaged_extent_is_named_with_its_place),
        cmocka_unit_test(segments_roll_and_are_read_in_order),
        cmocka_unit_test(what_is_not_needed_goes_and_the_rest_stays),
        cmocka_unit_test(an_empty_last_segment_lets_nothing_go),
        cmocka_unit_test(need_beyond_what_is_synced_keeps_the_last_synced_record),
        cmocka_unit_test(pointers_are_written_to_two_blocks_in_turn),
        cmocka_unit_test(bytes_are_those_of_the_files),
        cmocka_unit_test(a_checkpoint_of_another_job_is_refused_and_not_touched),
        cmocka_unit_test(a_newer_format_is_refused_and_not_touched),
        cmocka_unit_test(a_missing_identity_is_never_made_anew),
        cmocka_unit_test(a_directory_of_somebody_else_is_refused),
        cmocka_unit_test(a_locked_checkpoint_says_try_again),
        cmocka_unit_test(who_lost_the_fence_writes_nothing_more),
        cmocka_unit_test(a_reader_takes_no_lock_and_writes_nothing),
        cmocka_unit_test(what_the_reader_of_records_says_ends_the_opening),
        cmocka_unit_test(a_failed_sync_is_final_and_another_start_goes_on),
        cmocka_unit_test(a_full_disk_loses_nothing_and_goes_on_by_itself),
        cmocka_unit_test(retention_works_on_a_full_disk),
        cmocka_unit_test(no_failing_call_crashes_leaks_or_loses),
        cmocka_unit_test(no_missing_memory_crashes_leaks_or_loses),
        cmocka_unit_test(an_unfinished_making_is_made_again_and_lasts),
        cmocka_unit_test(the_same_on_a_real_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
