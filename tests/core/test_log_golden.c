/*
 * test_log_golden.c - the bytes of version 1: a golden checkpoint opens, and is written the same
 * again.
 */
#include "tests/core/log_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_of_version_1_opens_for_ever),
        cmocka_unit_test(the_bytes_are_those_of_version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
