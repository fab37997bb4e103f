/*
 * test_log_damage.c - damaged checkpoints: what a start refuses, what it cuts, what verify says and
 * repair does.
 */
#include "tests/core/log_world.h"

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
    assert_non_null(strstr(lines.text, "of the state count/counts, named in batch 1"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_changed_byte_is_refused_with_its_place_or_cut_in_the_last_group),
        cmocka_unit_test(every_changed_byte_of_the_identity_is_refused),
        cmocka_unit_test(a_damaged_lock_file_neither_stops_a_start_nor_loses_a_record),
        cmocka_unit_test(a_log_cut_at_any_byte_of_its_last_segment_opens_or_is_refused),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(a_checkpoint_without_any_segment_is_refused),
        cmocka_unit_test(a_segment_of_another_checkpoint_is_refused),
        cmocka_unit_test(a_stale_record_of_a_cut_tail_is_not_taken),
        cmocka_unit_test(a_hostile_length_takes_no_memory),
        cmocka_unit_test(verify_finds_a_sound_checkpoint_sound),
        cmocka_unit_test(verify_names_damage_in_records_and_extents),
        cmocka_unit_test(repair_cuts_at_the_damage_and_throws_nothing_away),
        cmocka_unit_test(repair_ends_the_same_wherever_it_was_killed),
        cmocka_unit_test(repair_of_a_sound_checkpoint_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
