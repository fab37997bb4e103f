/*
 * test_log.c - the checkpoint directory on the simulated disk: what it keeps, what it refuses,
 * what it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* after its needs */
#include <cmocka.h>

#include <unistd.h>

#include "core/data/block.h"
#include "core/log/log.h"
#include "core/log/record.h"
#include "core/sys/sim.h"

#define DIRECTORY "/w/ckpt"
#define START_US INT64_C(1700000000000000)
#define BIG_SEGMENT 0u
#define SMALL_SEGMENT 1024u
#define TEXT(s) ((struct weir_bytes){(const uint8_t *)(s), sizeof(s) - 1})

/* One process on a disk. */
struct world {
    struct sim_disk *disk;
    struct weir_sys *sys;
    struct log *log;
    struct log_report report;
    struct weir_error error;
    uint32_t segment_bytes;
    int read_only;
    const char *job;
    /* what the last opening showed */
    uint32_t n;
    uint64_t sequence[256];
    uint64_t batch[256];
    uint64_t length[256];
    uint32_t crc[256];
};

static int32_t keep_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct world *w = arg;

    (void)error;
    assert_true(w->n < 256);
    w->sequence[w->n] = record->sequence;
    w->batch[w->n] = record->batch;
    w->length[w->n] = record->payload.length;
    w->crc[w->n++] = crc32c(0, record->payload.data, record->payload.length);
    return WEIR_OK;
}

static int32_t world_open(struct world *w)
{
    struct log_options options = {DIRECTORY, w->job, w->segment_bytes, w->read_only};

    if (!w->sys)
        w->sys = sim_create(w->disk, START_US, 1);
    w->n = 0;
    weir_error_init(&w->error);
    return log_open(w->sys, &options, keep_record, w, &w->log, &w->report, &w->error);
}

static void world_close(struct world *w)
{
    log_close(w->log);
    w->log = NULL;
    if (w->sys)
        sys_destroy(w->sys);
    w->sys = NULL;
}

static struct world *world_new(uint32_t segment_bytes)
{
    struct world *w = calloc(1, sizeof *w);

    w->disk = sim_disk_create();
    w->segment_bytes = segment_bytes;
    w->job = "job";
    assert_int_equal(world_open(w), WEIR_OK);
    return w;
}

static void world_free(struct world *w)
{
    world_close(w);
    sim_disk_destroy(w->disk);
    free(w);
    assert_int_equal(mem_in_use(), 0);
}

/* Closes without a sync and opens again. */
static int32_t world_again(struct world *w)
{
    world_close(w);
    return world_open(w);
}

static void append(struct world *w, uint64_t batch, const void *bytes, uint64_t n)
{
    assert_int_equal(log_append(w->log, LOG_PLAN, 1, batch, (struct weir_bytes){bytes, n},
                                &w->error), WEIR_OK);
}

static void synced(struct world *w)
{
    assert_int_equal(log_sync(w->log, &w->error), WEIR_OK);
}

/* Batches from..until, one record of `length` bytes and one sync each. */
static void fill(struct world *w, uint64_t from, uint64_t until, uint64_t length)
{
    uint8_t bytes[4096];

    for (; from <= until; from++) {
        memset(bytes, (int)from, sizeof bytes);
        append(w, from, bytes, length);
        synced(w);
    }
}

/* Changes the disk as no process does; durable at once. */
static void put(struct world *w, const char *name, const void *bytes, size_t n)
{
    char path[256];

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    assert_int_equal(sim_disk_put(w->disk, path, bytes, n, START_US), 0);
}

static uint8_t *file_copy(struct world *w, const char *name, size_t *n)
{
    char path[256];
    const uint8_t *bytes;
    uint8_t *copy;

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    bytes = sim_disk_file(w->disk, path, n);
    assert_non_null(bytes);
    copy = malloc(*n + 1);
    memcpy(copy, bytes, *n);
    copy[*n] = 0;
    return copy;
}

static int exists(struct world *w, const char *name)
{
    char path[256];
    size_t n;

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    return sim_disk_file(w->disk, path, &n) != NULL;
}

static void gone(struct world *w, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    assert_int_equal(sys_unlink(w->sys, path), 0);
}

static void snapshot_file(void *arg, const char *path)
{
    uint32_t *crc = arg;

    *crc = crc32c(*crc, path, strlen(path));
}

/* Names and content of all files but the lock. */
static uint32_t snapshot(struct world *w)
{
    static const char *const names[] = {"weir.json", "log-00000001", "log-00000002"};
    uint32_t crc = 0, i;

    sim_disk_each(w->disk, "/", snapshot_file, &crc);
    for (i = 0; i < 3; i++) {
        size_t n;
        uint8_t *bytes;

        if (!exists(w, names[i]))
            continue;
        bytes = file_copy(w, names[i], &n);
        crc = crc32c(crc, bytes, n);
        free(bytes);
    }
    return crc;
}

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

/* Damage */

/* All but the last group was named durable by a later record. */
static void every_changed_byte_is_refused_with_its_place_or_cut_in_the_last_group(void **unused)
{
    static const char *const names[] = {"log-00000001", "log-00000002"};
    struct world *w = world_new(SMALL_SEGMENT);
    uint32_t f, refused = 0, cut = 0;

    (void)unused;
    fill(w, 1, 5, 200); /* three in the first segment, two in the second */
    world_close(w);
    for (f = 0; f < 2; f++) {
        size_t n, i;
        uint8_t *bytes = file_copy(w, names[f], &n);
        size_t last = f == 1 ? n - (64 + 200 + 8) : n;

        for (i = 0; i < n; i++) {
            char place[64];
            unsigned long long at = 0;
            int32_t class;

            bytes[i] ^= (uint8_t)(1u << (i % 8));
            put(w, names[f], bytes, n);
            w->read_only = i % 4 != 0; /* both judge alike */
            class = world_open(w);
            if (class == WEIR_OK) {
                assert_true(i >= last);
                assert_int_equal(w->n, 4);
                assert_int_equal(w->report.cut_bytes, n - last);
                cut++;
            } else {
                assert_int_equal(class, WEIR_DATA);
                snprintf(place, sizeof place, "/%s: offset ", names[f]);
                assert_non_null(strstr(w->error.text, place));
                at = strtoull(strstr(w->error.text, place) + strlen(place), NULL, 10);
                assert_true(at <= i && i < at + 64 + 200 + 8);
                refused++;
            }
            world_close(w);
            bytes[i] ^= (uint8_t)(1u << (i % 8));
        }
        put(w, names[f], bytes, n);
        free(bytes);
    }
    print_message("%u bytes changed: %u refused, %u cut\n", refused + cut, refused, cut);
    assert_int_equal(cut, 64 + 200 + 8);
    w->read_only = 0;
    world_free(w);
}

static void every_changed_byte_of_the_identity_is_refused(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    size_t n, i;
    uint8_t *bytes;

    (void)unused;
    fill(w, 1, 2, 10);
    world_close(w);
    bytes = file_copy(w, "weir.json", &n);
    for (i = 0; i < n; i++) {
        int32_t class;

        bytes[i] ^= 1;
        put(w, "weir.json", bytes, n);
        class = world_open(w);
        assert_true(class == WEIR_DATA || class == WEIR_CONFIG);
        assert_non_null(strstr(w->error.text, DIRECTORY));
        world_close(w);
        bytes[i] ^= 1;
    }
    free(bytes);
    world_free(w);
}

static void a_damaged_lock_file_neither_stops_a_start_nor_loses_a_record(void **unused)
{
    static const uint32_t all[5] = {0};
    struct world *w = world_new(SMALL_SEGMENT);
    size_t n, i;
    uint8_t *bytes;

    (void)unused;
    fill(w, 1, 20, 200);
    assert_int_equal(log_need(w->log, log_last_sequence(w->log) - 5, all, NULL), WEIR_OK);
    world_close(w);
    bytes = file_copy(w, "lock", &n);
    for (i = 0; i < n; i++) {
        bytes[i] ^= 0x10;
        put(w, "lock", bytes, n);
        assert_int_equal(world_open(w), WEIR_OK);
        assert_int_equal(w->batch[w->n - 1], 20);
        world_close(w);
        bytes[i] ^= 0x10;
    }
    /* Gone altogether: the generation comes from the records. */
    put(w, "lock", "", 0);
    assert_int_equal(world_open(w), WEIR_OK);
    fill(w, 21, 21, 10);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->batch[w->n - 1], 21);
    free(bytes);
    world_free(w);
}

static void a_log_cut_at_any_byte_of_its_last_segment_opens_or_is_refused(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    size_t n, i;
    uint8_t *bytes;

    (void)unused;
    fill(w, 1, 5, 200);
    world_close(w);
    bytes = file_copy(w, "log-00000002", &n);
    for (i = 0; i <= n; i++) {
        put(w, "log-00000002", bytes, i);
        assert_int_equal(world_open(w), WEIR_OK); /* nothing behind says that it was synced */
        assert_int_equal(w->n, i == n ? 5 : i >= 104 + 272 ? 4 : 3);
        assert_int_equal(w->report.cut_bytes > 0, w->report.cut[0] != 0);
        fill(w, 100, 101, 5); /* and goes on */
        assert_int_equal(world_again(w), WEIR_OK);
        assert_int_equal(w->batch[w->n - 1], 101);
        assert_int_equal(w->report.cut_bytes, 0);
        world_close(w);
    }
    free(bytes);
    world_free(w);
}

static void a_missing_segment_is_refused(void **unused)
{
    static const char *const names[] = {"log-00000001", "log-00000003"};
    uint32_t i;

    (void)unused;
    for (i = 0; i < 2; i++) {
        struct world *w = world_new(SMALL_SEGMENT);

        fill(w, 1, 20, 200);
        gone(w, names[i]);
        assert_int_equal(world_again(w), WEIR_DATA);
        assert_non_null(strstr(w->error.text, names[i]));
        assert_non_null(strstr(w->error.text, "missing"));
        world_free(w);
    }
}

static void a_checkpoint_without_any_segment_is_refused(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);

    (void)unused;
    gone(w, "log-00000001");
    assert_int_equal(world_again(w), WEIR_DATA);
    world_free(w);
}

static void a_segment_of_another_checkpoint_is_refused(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct world other = {.disk = sim_disk_create(), .job = "job", .segment_bytes = SMALL_SEGMENT};
    size_t n;
    uint8_t *bytes;

    (void)unused;
    other.sys = sim_create(other.disk, START_US, 99);
    assert_int_equal(world_open(&other), WEIR_OK);
    fill(&other, 1, 10, 200);
    bytes = file_copy(&other, "log-00000001", &n);
    world_close(&other);
    sim_disk_destroy(other.disk);
    fill(w, 1, 10, 200);
    world_close(w);
    put(w, "log-00000001", bytes, n);
    free(bytes);
    assert_int_equal(world_open(w), WEIR_DATA);
    assert_non_null(strstr(w->error.text, "belongs to another checkpoint"));
    world_free(w);
}

/* The tail of an earlier run comes back behind what was appended after its cut. */
static void a_stale_record_of_a_cut_tail_is_not_taken(void **unused)
{
    struct world *w = world_new(BIG_SEGMENT);
    size_t n, m;
    uint8_t *whole, *cut;

    (void)unused;
    fill(w, 1, 3, 100);
    world_close(w);
    whole = file_copy(w, "log-00000001", &n);
    put(w, "log-00000001", whole, 104 + 168 + 10);
    assert_int_equal(world_open(w), WEIR_OK);
    assert_int_equal(w->n, 1);
    assert_int_equal(w->report.cut_bytes, 10);
    world_close(w);
    cut = file_copy(w, "log-00000001", &m); /* with the mark of the cut: one record of 88 bytes */
    assert_int_equal(m, 104 + 168 + 88);
    /* As if batch 3 stood right behind, with the next sequence number: only its age tells. */
    cut = realloc(cut, m + 168);
    memcpy(cut + m, whole + 104 + 168 * 2, 168);
    put(w, "log-00000001", cut, m + 168);
    assert_int_equal(world_open(w), WEIR_OK);
    assert_int_equal(w->n, 1);
    assert_non_null(strstr(w->report.cut, "left over by an earlier run"));
    free(whole);
    free(cut);
    world_free(w);
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

/* Right checksums over wrong lengths. */
static void a_hostile_length_takes_no_memory(void **unused)
{
    static const uint32_t lengths[] = {1u << 30, (1u << 30) + 1, UINT32_MAX, 4096};
    uint32_t i;

    (void)unused;
    for (i = 0; i < 4; i++) {
        struct world *w = world_new(BIG_SEGMENT);
        size_t n;
        uint8_t *bytes;

        fill(w, 1, 2, 100);
        world_close(w);
        bytes = file_copy(w, "log-00000001", &n);
        put32(bytes + 104 + 168 + 4, lengths[i]);
        put32(bytes + 104 + 168 + 60, crc32c(0, bytes + 104 + 168, 60));
        put(w, "log-00000001", bytes, n);
        assert_int_equal(world_open(w), WEIR_OK);
        assert_int_equal(w->n, 1);
        assert_true(mem_in_use() < 100000);
        free(bytes);
        world_free(w);
    }
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

/* verify and repair */

struct lines {
    char text[8192];
};

static void keep_line(void *arg, const char *line)
{
    struct lines *l = arg;

    snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), "%s\n", line);
}

/* A STATE that names one extent, then some records. */
static void checkpoint_fill(struct world *w)
{
    struct record_piece piece = {.table = "count/counts", .group = 3, .base = 1};
    struct record_state state = {.n_pieces = 1, .pieces = &piece};
    struct weir_buffer out = {0};
    struct record_plan plan = {0};
    uint64_t batch;

    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("all the counts"), &piece.extent,
                                      NULL), WEIR_OK);
    assert_int_equal(record_state_encode(&state, &out), WEIR_OK);
    assert_int_equal(log_append(w->log, LOG_STATE, RECORD_VERSION, 1,
                                (struct weir_bytes){out.data, out.length}, NULL), WEIR_OK);
    synced(w);
    for (batch = 2; batch < 30; batch++) {
        out.length = 0;
        plan.time_us = (int64_t)batch;
        assert_int_equal(record_plan_encode(&plan, &out), WEIR_OK);
        assert_int_equal(log_append(w->log, LOG_PLAN, RECORD_VERSION, batch,
                                    (struct weir_bytes){out.data, out.length}, NULL), WEIR_OK);
        synced(w);
    }
    mem_free(out.data);
}

static void verify_finds_a_sound_checkpoint_sound(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct lines lines = {{0}};

    (void)unused;
    checkpoint_fill(w);
    assert_int_equal(log_verify(w->sys, DIRECTORY, keep_line, &lines, NULL), WEIR_OK);
    assert_non_null(strstr(lines.text, "29 records read, 1 extents"));
    assert_non_null(strstr(lines.text, "\nsound\n"));
    world_free(w);
}

static void verify_names_damage_in_records_and_extents(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct lines lines = {{0}};
    struct weir_error error = WEIR_ERROR_INIT;
    size_t n;
    uint8_t *bytes;

    (void)unused;
    checkpoint_fill(w);
    put(w, "state-00000001", "all the Counts", 14);
    bytes = file_copy(w, "log-00000002", &n);
    bytes[200] ^= 1;
    put(w, "log-00000002", bytes, n);
    free(bytes);
    assert_int_equal(log_verify(w->sys, DIRECTORY, keep_line, &lines, &error), WEIR_DATA);
    assert_non_null(strstr(lines.text, "state-00000001: offset 0: damaged"));
    assert_non_null(strstr(lines.text, "log-00000002: offset 184: damaged"));
    assert_non_null(strstr(error.text, "state-00000001"));
    world_free(w);
}

static void repair_cuts_at_the_damage_and_throws_nothing_away(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    struct lines lines = {{0}};
    size_t n, cut;
    uint8_t *bytes, *aside;

    (void)unused;
    checkpoint_fill(w);
    world_close(w);
    bytes = file_copy(w, "log-00000002", &n);
    bytes[200] ^= 1;
    put(w, "log-00000002", bytes, n);
    assert_int_equal(world_open(w), WEIR_DATA);
    assert_int_equal(log_repair(w->sys, DIRECTORY, keep_line, &lines, NULL), WEIR_OK);
    aside = file_copy(w, "log-00000002.cut", &cut);
    assert_int_equal(cut, n - 184);
    assert_memory_equal(aside, bytes + 184, cut);
    assert_false(exists(w, "log-00000003"));
    assert_true(exists(w, "log-00000003.cut"));
    assert_non_null(strstr(lines.text, "records that could still be read, of batches "));
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->report.cut_bytes, 0);
    assert_true(w->n > 5 && w->n < 20);
    fill(w, w->n + 1, 40, 20);
    assert_int_equal(world_again(w), WEIR_OK);
    assert_int_equal(w->batch[w->n - 1], 40);
    free(bytes);
    free(aside);
    world_free(w);
}

static void repair_ends_the_same_wherever_it_was_killed(void **unused)
{
    uint64_t call;
    uint32_t records = 0; /* of the first run, which is killed before it does anything */

    (void)unused;
    for (call = 1;; call++) {
        struct world *w = world_new(SMALL_SEGMENT);
        struct lines lines = {{0}};
        size_t n;
        uint8_t *bytes;
        int killed;

        checkpoint_fill(w);
        world_close(w);
        bytes = file_copy(w, "log-00000002", &n);
        bytes[200] ^= 1;
        put(w, "log-00000002", bytes, n);
        free(bytes);
        w->sys = sim_create(w->disk, START_US, 2);
        sim_kill_at(w->sys, call);
        log_repair(w->sys, DIRECTORY, NULL, NULL, NULL);
        killed = sim_killed(w->sys);
        world_close(w);
        sim_disk_power_loss(w->disk, call);
        w->sys = sim_create(w->disk, START_US, 3);
        assert_int_equal(log_repair(w->sys, DIRECTORY, keep_line, &lines, NULL), WEIR_OK);
        assert_int_equal(world_again(w), WEIR_OK);
        records = records ? records : w->n;
        assert_int_equal(w->n, records);
        world_free(w);
        if (!killed)
            break;
    }
    assert_true(call > 20);
}

static void repair_of_a_sound_checkpoint_changes_nothing(void **unused)
{
    struct world *w = world_new(SMALL_SEGMENT);
    uint32_t before;

    (void)unused;
    checkpoint_fill(w);
    world_close(w);
    before = snapshot(w);
    w->sys = sim_create(w->disk, START_US, 2);
    assert_int_equal(log_repair(w->sys, DIRECTORY, NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(snapshot(w), before);
    world_free(w);
}

/* Golden files */

static uint8_t *golden_read(const char *name, size_t *n)
{
    const char *top = getenv("srcdir");
    uint8_t *bytes = calloc(1, 65536);
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/tests/core/golden/%s", top ? top : ".", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    *n = fread(bytes, 1, 65535, f);
    fclose(f);
    return bytes;
}

static void golden_write(struct world *w, const char *file, const char *name)
{
    size_t n;
    uint8_t *bytes = file_copy(w, file, &n);
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "tests/core/golden/%s", name);
    f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(bytes, 1, n, f);
    fclose(f);
    free(bytes);
}

/* The records of the golden log, behind the first record of its segment. */
static void golden_records(struct world *w)
{
    static const uint32_t least[5] = {0};
    struct extent e;

    assert_int_equal(log_append(w->log, LOG_JOB, 1, 0, TEXT("a job"), NULL), WEIR_OK);
    assert_int_equal(log_append(w->log, LOG_PLAN, 1, 1, TEXT(""), NULL), WEIR_OK);
    synced(w);
    assert_int_equal(log_extent_write(w->log, EXTENT_STATE, TEXT("an extent"), &e, NULL), WEIR_OK);
    assert_int_equal(log_append(w->log, LOG_STATE, 2, 1, TEXT("state"), NULL), WEIR_OK);
    assert_int_equal(log_append(w->log, LOG_DONE, 1, 1, TEXT("12345678"), NULL), WEIR_OK);
    synced(w);
    assert_int_equal(log_need(w->log, 1, least, NULL), WEIR_OK);
}

static void a_log_of_version_1_opens_for_ever(void **unused)
{
    static const char *const files[] = {"weir.json", "lock", "log-00000001", "state-00000001"};
    static const char *const names[] = {"log_identity_1.json", "log_lock_1.bin",
                                        "log_segment_1.bin", "log_state_1.bin"};
    struct world w = {.disk = sim_disk_create(), .job = "golden"};
    struct extent e = {EXTENT_STATE, 1, 0, 9, 0};
    uint8_t *bytes;
    uint32_t i;
    size_t n;

    (void)unused;
    if (getenv("WEIR_GOLDEN_WRITE")) {
        assert_int_equal(world_open(&w), WEIR_OK);
        assert_int_equal(world_again(&w), WEIR_OK);
        golden_records(&w);
        world_close(&w);
        for (i = 0; i < 4; i++)
            golden_write(&w, files[i], names[i]);
    }
    for (i = 0; i < 4; i++) {
        bytes = golden_read(names[i], &n);
        put(&w, files[i], bytes, n);
        free(bytes);
    }
    assert_int_equal(world_open(&w), WEIR_OK);
    assert_int_equal(w.n, 4);
    assert_int_equal(w.sequence[0], 2);
    assert_int_equal(w.crc[2], crc32c(0, "state", 5));
    e.crc = crc32c(0, "an extent", 9);
    assert_int_equal(log_extent_read(w.log, &e, &bytes, NULL), WEIR_OK);
    mem_free(bytes);
    assert_string_equal(log_job_id(w.log), "68c89bc2a91a8b77d7dab18546ebc908");
    world_close(&w);
    sim_disk_destroy(w.disk);
}

/* From the golden identity and the first record of its segment, written again in the second
 * generation. */
static void the_bytes_are_those_of_version_1(void **unused)
{
    struct world w = {.disk = sim_disk_create(), .job = "golden"};
    uint8_t *golden, *bytes;
    size_t n, m;

    (void)unused;
    golden = golden_read("log_identity_1.json", &n);
    put(&w, "weir.json", golden, n);
    free(golden);
    golden = golden_read("log_segment_1.bin", &n);
    put(&w, "log-00000001", golden, 104);
    assert_int_equal(world_open(&w), WEIR_OK);
    golden_records(&w);
    world_close(&w);
    bytes = file_copy(&w, "log-00000001", &m);
    assert_int_equal(m, n);
    assert_memory_equal(bytes, golden, n);
    free(golden);
    free(bytes);
    sim_disk_destroy(w.disk);
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
        cmocka_unit_test(every_changed_byte_is_refused_with_its_place_or_cut_in_the_last_group),
        cmocka_unit_test(every_changed_byte_of_the_identity_is_refused),
        cmocka_unit_test(a_damaged_lock_file_neither_stops_a_start_nor_loses_a_record),
        cmocka_unit_test(a_log_cut_at_any_byte_of_its_last_segment_opens_or_is_refused),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(a_checkpoint_without_any_segment_is_refused),
        cmocka_unit_test(a_segment_of_another_checkpoint_is_refused),
        cmocka_unit_test(a_stale_record_of_a_cut_tail_is_not_taken),
        cmocka_unit_test(a_hostile_length_takes_no_memory),
        cmocka_unit_test(a_failed_sync_is_final_and_another_start_goes_on),
        cmocka_unit_test(a_full_disk_loses_nothing_and_goes_on_by_itself),
        cmocka_unit_test(retention_works_on_a_full_disk),
        cmocka_unit_test(no_failing_call_crashes_leaks_or_loses),
        cmocka_unit_test(no_missing_memory_crashes_leaks_or_loses),
        cmocka_unit_test(an_unfinished_making_is_made_again_and_lasts),
        cmocka_unit_test(verify_finds_a_sound_checkpoint_sound),
        cmocka_unit_test(verify_names_damage_in_records_and_extents),
        cmocka_unit_test(repair_cuts_at_the_damage_and_throws_nothing_away),
        cmocka_unit_test(repair_ends_the_same_wherever_it_was_killed),
        cmocka_unit_test(repair_of_a_sound_checkpoint_changes_nothing),
        cmocka_unit_test(the_same_on_a_real_disk),
        cmocka_unit_test(a_log_of_version_1_opens_for_ever),
        cmocka_unit_test(the_bytes_are_those_of_version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
