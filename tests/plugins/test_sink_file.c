#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zstd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "tests/plugins/entries/entries.h"
#include "tests/plugins/fake_host.h"
#include "tests/support/golden.h"

#include "core/data/array.h"
#include "core/sys/sim.h"
#include "plugins/share/manifest.h"

#define JOB "0123456789abcdef0123456789abcdef"
/* The name of a file, for numbers of one digit. */
#define P(batch, partition) "part-000000000" #batch "-0000" #partition ".csv"

static struct sim_disk *disk;
static struct weir_sys *sys;
static struct weir_buffer committable;

static int setup(void **state)
{
    (void)state;
    disk = sim_disk_create();
    sys = sim_create(disk, 1000000, 1);
    memset(&committable, 0, sizeof committable);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mem_free(committable.data);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return 0;
}

static const struct weir_sink *table_of(const struct fake *fake) { return fake->component->table; }

/* Opens and recovers with the committables of `pending` (batch numbers from first on). */
static int32_t start_with(struct fake *fake, const char *options, const char *ddl, uint64_t next,
                          const struct weir_committable *pending, uint32_t n)
{
    int32_t status = fake_create(fake, sys, entry_sink_file, entry_format_csv, options);
    if (status == WEIR_OK) status = fake_bind_sink(fake, ddl, WEIR_FORM_APPEND);
    if (status == WEIR_OK) status = fake_open_sink(fake, JOB);
    if (status == WEIR_OK)
        status = table_of(fake)->recover(fake->self, pending, n, next, &fake->error);
    return status;
}

static void start(struct fake *fake, const char *options, const char *ddl, uint64_t next)
{
    if (start_with(fake, options, ddl, next, NULL, 0) != WEIR_OK) fail_msg("%s", fake->error.text);
}

static void ok(struct fake *fake, int32_t status)
{
    if (status != WEIR_OK) fail_msg("%s", fake->error.text);
}

static void prepare(struct fake *fake)
{
    committable.length = 0;
    ok(fake, table_of(fake)->prepare(fake->self, &committable, &fake->error));
}

static uint32_t commit(struct fake *fake, uint64_t batch)
{
    struct weir_committable c = { batch, { committable.data, committable.length } };
    uint32_t outcome = 0;
    ok(fake, table_of(fake)->commit(fake->self, &c, &outcome, &fake->error));
    return outcome;
}

/* One batch of one partition, all the way. */
static void batch(struct fake *fake, uint64_t id, const char *rows)
{
    ok(fake, fake_begin(fake, id, (int64_t)id * 1000000, 1));
    ok(fake, fake_write(fake, id, 0, rows));
    prepare(fake);
    assert_int_equal(commit(fake, id), WEIR_COMMIT_DONE);
}

static void expect_file(const char *path, const char *text)
{
    size_t n;
    const uint8_t *bytes = sim_disk_file(disk, path, &n);
    if (!bytes) fail_msg("there is no '%s'", path);
    if (n != strlen(text) || memcmp(bytes, text, n) != 0)
        fail_msg("'%s' holds '%.*s', not '%s'", path, (int)n, (const char *)bytes, text);
}

static int is_there(const char *path)
{
    size_t n;
    return sim_disk_file(disk, path, &n) != NULL;
}

static char listing[4096];

static void add_path(void *arg, const char *path)
{
    (void)arg;
    if (strstr(path, "/_weir/")) return;
    strcat(listing, path);
    strcat(listing, "\n");
}

/* All files below /out but the sink's own. */
static const char *files(void)
{
    listing[0] = 0;
    sim_disk_each(disk, "/out", add_path, NULL);
    return listing;
}

static void a_batch_is_seen_when_it_is_committed(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a string, b int", 0);
    ok(&fake, fake_begin(&fake, 0, 0, 2));
    ok(&fake, fake_write(&fake, 0, 0, "[[\"x\",1]]"));
    ok(&fake, fake_write(&fake, 0, 0, "[[\"y\",2]]"));
    ok(&fake, fake_write(&fake, 0, 1, "[[\"z\",3]]"));
    prepare(&fake);
    assert_string_equal(files(), "/out/.part-0-0\n/out/.part-0-1\n");
    assert_int_equal(commit(&fake, 0), WEIR_COMMIT_DONE);
    assert_string_equal(files(), "/out/" P(0, 0) "\n/out/" P(0, 1) "\n");
    expect_file("/out/" P(0, 0), "x,1\ny,2\n");
    expect_file("/out/" P(0, 1), "z,3\n");
    assert_int_equal(commit(&fake, 0), WEIR_COMMIT_ALREADY);
    fake_destroy(&fake);
}

static void what_was_prepared_survives_a_power_loss(void **state)
{
    uint64_t seed;
    struct fake fake;
    struct sim_disk *whole;
    struct weir_committable c;
    (void)state;
    start(&fake, "\"path\": \"/out/deep\", \"partition_by\": [\"k\"]", "k string, v int", 0);
    batch(&fake, 0, "[[\"a\",1],[\"b\",2]]");
    ok(&fake, fake_begin(&fake, 1, 1000000, 1));
    ok(&fake, fake_write(&fake, 1, 0, "[[\"a\",3],[\"c\",4]]"));
    prepare(&fake);
    fake_destroy(&fake);
    c.batch = 1;
    c.bytes.data = committable.data;
    c.bytes.length = committable.length;
    whole = sim_disk_clone(disk);
    for (seed = 0; seed < 50; seed++) {
        sys_destroy(sys);
        sim_disk_destroy(disk);
        disk = sim_disk_clone(whole);
        sim_disk_power_loss(disk, seed);
        sys = sim_create(disk, 1000000, 1);
        if (start_with(&fake, "\"path\": \"/out/deep\", \"partition_by\": [\"k\"]",
                       "k string, v int", 2, &c, 1) != WEIR_OK)
            fail_msg("seed %llu: %s", (unsigned long long)seed, fake.error.text);
        assert_int_equal(commit(&fake, 1), WEIR_COMMIT_DONE);
        assert_string_equal(files(), "/out/deep/k=a/" P(0, 0) "\n/out/deep/k=a/" P(1, 0) "\n"
                                     "/out/deep/k=b/" P(0, 0) "\n/out/deep/k=c/" P(1, 0) "\n");
        expect_file("/out/deep/k=a/" P(1, 0), "3\n");
        fake_destroy(&fake);
    }
    sim_disk_destroy(whole);
}

static void a_commit_is_mended_wherever_it_was_killed(void **state)
{
    uint64_t call, seed;
    int killed = 1;
    (void)state;
    for (call = 1; killed; call++) {
        for (seed = 0; seed < 6; seed++) { /* a kill (0), or power losses */
            struct fake fake;
            struct weir_committable c = { 1, { NULL, 0 } };
            uint32_t outcome;
            uint64_t before;
            sys_destroy(sys);
            sim_disk_destroy(disk);
            disk = sim_disk_create();
            sys = sim_create(disk, 1000000, 1);
            start(&fake, "\"path\": \"/out\"", "a int", 0);
            batch(&fake, 0, "[[1]]");
            ok(&fake, fake_begin(&fake, 1, 1000000, 3));
            ok(&fake, fake_write(&fake, 1, 0, "[[2]]"));
            ok(&fake, fake_write(&fake, 1, 1, "[[3]]"));
            ok(&fake, fake_write(&fake, 1, 2, "[[4]]"));
            prepare(&fake);
            c.bytes.data = committable.data;
            c.bytes.length = committable.length;
            before = sim_calls(sys);
            sim_kill_at(sys, before + call);
            outcome = 0;
            (void)table_of(&fake)->commit(fake.self, &c, &outcome, &fake.error);
            killed = sim_killed(sys);
            fake_destroy(&fake);
            sys_destroy(sys);
            if (seed) sim_disk_power_loss(disk, seed);
            sys = sim_create(disk, 1000000, 1);
            if (start_with(&fake, "\"path\": \"/out\"", "a int", 2, &c, 1) != WEIR_OK)
                fail_msg("call %llu seed %llu: %s", (unsigned long long)call,
                         (unsigned long long)seed, fake.error.text);
            outcome = commit(&fake, 1);
            assert_true(outcome == WEIR_COMMIT_DONE || outcome == WEIR_COMMIT_ALREADY);
            assert_string_equal(files(), "/out/" P(0, 0) "\n/out/" P(1, 0) "\n"
                                         "/out/" P(1, 1) "\n/out/" P(1, 2) "\n");
            batch(&fake, 2, "[[5]]");
            fake_destroy(&fake);
        }
    }
    assert_true(call > 6);
}

static void what_was_committed_survives_a_power_loss(void **state)
{
    struct sim_disk *whole;
    struct fake fake;
    uint64_t seed;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    batch(&fake, 0, "[[1]]");
    batch(&fake, 1, "[[2]]");
    fake_destroy(&fake);
    whole = sim_disk_clone(disk);
    for (seed = 0; seed < 50; seed++) {
        const uint8_t *text;
        size_t n;
        sys_destroy(sys);
        sim_disk_destroy(disk);
        disk = sim_disk_clone(whole);
        sim_disk_power_loss(disk, seed);
        sys = sim_create(disk, 1000000, 1);
        start(&fake, "\"path\": \"/out\"", "a int", 2);
        assert_string_equal(files(), "/out/" P(0, 0) "\n/out/" P(1, 0) "\n");
        text = sim_disk_file(disk, "/out/_weir/manifest", &n);
        assert_true(n > 20 && memchr(text, '\n', n) && text[n - 1] == '\n');
        assert_int_equal(commit(&fake, 1), WEIR_COMMIT_ALREADY);
        fake_destroy(&fake);
    }
    sim_disk_destroy(whole);
}

static void what_the_log_does_not_know_is_removed(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"partition_by\": [\"k\"]", "k string, v int", 0);
    ok(&fake, fake_begin(&fake, 0, 0, 1));
    ok(&fake, fake_write(&fake, 0, 0, "[[\"a\",1],[null,2]]"));
    prepare(&fake);
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/out\", \"partition_by\": [\"k\"]", "k string, v int", 0);
    assert_string_equal(files(), "");
    batch(&fake, 0, "[[\"a\",1],[null,2]]");
    assert_string_equal(files(), "/out/k=__null__/" P(0, 0) "\n/out/k=a/" P(0, 0) "\n");
    fake_destroy(&fake);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    ok(&fake, fake_begin(&fake, 0, 0, 2));
    ok(&fake, fake_write(&fake, 0, 0, "[[1]]"));
    ok(&fake, fake_write(&fake, 0, 1, "[[2]]"));
    ok(&fake, table_of(&fake)->abort(fake.self, &fake.error));
    assert_string_equal(files(), "");
    ok(&fake, fake_begin(&fake, 0, 0, 2));
    ok(&fake, fake_write(&fake, 0, 0, "[[1]]"));
    prepare(&fake);
    ok(&fake, table_of(&fake)->abort(fake.self, &fake.error));
    assert_string_equal(files(), "");
    batch(&fake, 0, "[[1]]");
    assert_string_equal(files(), "/out/" P(0, 0) "\n");
    fake_destroy(&fake);
}

static void values_that_could_lead_elsewhere_are_encoded(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"partition_by\": [\"k\", \"n\"], "
                 "\"name\": \"{batch}-{time_ms}-{seq}\"",
          "k string, v int, n int", 3);
    batch(&fake, 3, "[[\"../a b\",1,7],[\"__null__\",2,7],[\"\",3,null]]");
    assert_string_equal(files(), "/out/k=%5F_null__/n=7/0000000003-0000000003000-00001.csv\n"
                                 "/out/k=..%2Fa%20b/n=7/0000000003-0000000003000-00000.csv\n"
                                 "/out/k=/n=__null__/0000000003-0000000003000-00002.csv\n");
    fake_destroy(&fake);
}

static void a_rolled_file_grows_and_is_seen_when_it_is_long_enough(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"roll\": {\"size\": \"8\"}", "a string", 0);
    batch(&fake, 0, "[[\"one\"]]");
    assert_string_equal(files(), "/out/.part-0-0\n");
    ok(&fake, fake_begin(&fake, 1, 1000000, 1)); /* given up: cut back */
    ok(&fake, fake_write(&fake, 1, 0, "[[\"rubbish, long enough\"]]"));
    prepare(&fake);
    ok(&fake, table_of(&fake)->abort(fake.self, &fake.error));
    expect_file("/out/.part-0-0", "one\n");
    ok(&fake, fake_begin(&fake, 1, 1000000, 1)); /* lost with the process: cut at the start */
    ok(&fake, fake_write(&fake, 1, 0, "[[\"rubbish\"]]"));
    prepare(&fake);
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/out\", \"roll\": {\"size\": \"8\"}", "a string", 1);
    expect_file("/out/.part-0-0", "one\n");
    batch(&fake, 1, "[[\"two\"]]");
    assert_string_equal(files(), "/out/" P(0, 0) "\n");
    expect_file("/out/" P(0, 0), "one\ntwo\n");
    batch(&fake, 2, "[[\"new\"]]");
    assert_string_equal(files(), "/out/.part-2-0\n/out/" P(0, 0) "\n");
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/out\"", "a string", 3); /* the job no longer rolls */
    batch(&fake, 3, "[[\"x\"]]");
    assert_string_equal(files(), "/out/" P(0, 0) "\n/out/" P(2, 0) "\n/out/" P(3, 0) "\n");
    fake_destroy(&fake);
}

static void a_rolled_file_is_seen_when_it_is_old_enough(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"roll\": {\"age\": \"2s\"}", "a string", 0);
    batch(&fake, 0, "[[\"one\"]]");
    batch(&fake, 1, "[[\"two\"]]");
    assert_string_equal(files(), "/out/.part-0-0\n");
    ok(&fake, fake_begin(&fake, 2, 2000000, 0)); /* a batch without rows */
    prepare(&fake);
    assert_int_equal(commit(&fake, 2), WEIR_COMMIT_DONE);
    expect_file("/out/" P(0, 0), "one\ntwo\n");
    fake_destroy(&fake);
}

static void a_growing_file_comes_back_from_a_pending_committable(void **state)
{
    struct weir_committable c = { 1, { NULL, 0 } };
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"roll\": {\"size\": \"1Ki\"}", "a string", 0);
    batch(&fake, 0, "[[\"one\"]]");
    ok(&fake, fake_begin(&fake, 1, 1000000, 1));
    ok(&fake, fake_write(&fake, 1, 0, "[[\"two\"]]"));
    prepare(&fake);
    fake_destroy(&fake);
    c.bytes.data = committable.data;
    c.bytes.length = committable.length;
    ok(&fake, start_with(&fake, "\"path\": \"/out\", \"roll\": {\"size\": \"1Ki\"}", "a string", 2,
                         &c, 1));
    expect_file("/out/.part-0-0", "one\ntwo\n");
    assert_int_equal(commit(&fake, 1), WEIR_COMMIT_DONE);
    batch(&fake, 2, "[[\"three\"]]");
    expect_file("/out/.part-0-0", "one\ntwo\nthree\n");
    fake_destroy(&fake);
}

static void another_job_is_refused(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    batch(&fake, 0, "[[1]]");
    fake_destroy(&fake);
    assert_int_equal(fake_create(&fake, sys, entry_sink_file, entry_format_csv,
                                 "\"path\": \"/out\""),
                     WEIR_OK);
    assert_int_equal(fake_bind_sink(&fake, "a int", WEIR_FORM_APPEND), WEIR_OK);
    assert_int_equal(fake_open_sink(&fake, "ffffffffffffffffffffffffffffffff"), WEIR_CONFIG);
    assert_non_null(strstr(fake.error.text, "belongs to another job"));
    fake_destroy(&fake);
    /* the same job, but a checkpoint that is older than what the directory has */
    assert_int_equal(start_with(&fake, "\"path\": \"/out\"", "a int", 0, NULL, 0), WEIR_CONFIG);
    fake_destroy(&fake);
}

static int32_t check_with(const char *options, const char *job_id, char *why)
{
    struct fake fake;
    struct weir_identity who = { .size = sizeof who, .job_name = "t", .job_id = job_id,
                                 .sink = "x" };
    assert_int_equal(fake_create(&fake, sys, entry_sink_file, entry_format_csv, options), WEIR_OK);
    assert_int_equal(fake_bind_sink(&fake, "a int", WEIR_FORM_APPEND), WEIR_OK);
    weir_error_init(&fake.error);
    int32_t status = table_of(&fake)->check(fake.self, &who, &fake.error);
    snprintf(why, 512, "%s", fake.error.text);
    fake_destroy(&fake);
    return status;
}

static void a_check_refuses_what_open_would_and_makes_nothing(void **state)
{
    struct fake fake;
    char why[512];
    (void)state;
    assert_int_equal(check_with("\"path\": \"/out\"", JOB, why), WEIR_OK);
    assert_string_equal(files(), "");
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    batch(&fake, 0, "[[1]]");
    assert_int_equal(check_with("\"path\": \"/out\"", JOB, why), WEIR_OK);
    fake_destroy(&fake);
    assert_int_equal(check_with("\"path\": \"/out\"", "ffffffffffffffffffffffffffffffff", why),
                     WEIR_CONFIG);
    assert_non_null(strstr(why, "belongs to another job"));
    assert_int_equal(check_with("\"path\": \"/out/" P(0, 0) "\"", JOB, why), WEIR_CONFIG);
    assert_non_null(strstr(why, "is no directory"));
    sim_disk_put(disk, "/taken/x.csv", "1\n", 2, 0);
    assert_int_equal(check_with("\"path\": \"/taken\"", JOB, why), WEIR_CONFIG);
    assert_non_null(strstr(why, "has not written ('x.csv')"));
}

static void a_full_disk_is_tried_again(void **state)
{
    struct fake fake;
    char rows[3000];
    (void)state;
    memset(rows, 'x', sizeof rows);
    memcpy(rows, "[[\"", 3);
    strcpy(rows + sizeof rows - 4, "\"]]");
    start(&fake, "\"path\": \"/out\"", "a string", 0);
    sim_disk_limit(disk, 1000);
    ok(&fake, fake_begin(&fake, 0, 0, 1));
    ok(&fake, fake_write(&fake, 0, 0, rows));
    assert_int_equal(table_of(&fake)->prepare(fake.self, &committable, &fake.error), WEIR_RETRY);
    weir_error_init(&fake.error);
    ok(&fake, table_of(&fake)->abort(fake.self, &fake.error));
    sim_disk_limit(disk, 1 << 20);
    batch(&fake, 0, rows);
    assert_true(is_there("/out/" P(0, 0)));
    fake_destroy(&fake);
}

/* Batch 0 with these options, of two partitions, committed from the bytes that the tree keeps. */
static void golden_case(const char *options, const char *committable_file, const char *manifest)
{
    struct fake fake;
    size_t n;
    start(&fake, options, "a string, b int", 0);
    ok(&fake, fake_begin(&fake, 0, 1700000000000000, 2));
    ok(&fake, fake_write(&fake, 0, 0, "[[\"x\",1]]"));
    ok(&fake, fake_write(&fake, 0, 1, "[[\"y\",2],[\"z\",3]]"));
    prepare(&fake);
    const uint8_t *golden = golden_check(committable_file, committable.data, committable.length);
    struct weir_committable c = { 0, { golden, committable.length } };
    uint32_t outcome = 0;
    ok(&fake, table_of(&fake)->commit(fake.self, &c, &outcome, &fake.error));
    assert_int_equal(outcome, WEIR_COMMIT_DONE);
    fake_destroy(&fake);
    const uint8_t *bytes = sim_disk_file(disk, "/out/_weir/manifest", &n);
    assert_non_null(bytes);
    golden_check(manifest, bytes, n);
}

static void committables_and_manifests_have_the_bytes_of_version_1(void **state)
{
    struct fake fake;
    golden_case("\"path\": \"/out\"", "plugins/golden/sink_file_committable_1.bin",
                "plugins/golden/sink_file_manifest_1.json");
    teardown(state);
    setup(state);
    golden_case("\"path\": \"/out\", \"roll\": {\"size\": \"1Ki\"}",
                "plugins/golden/sink_file_committable_open_1.bin",
                "plugins/golden/sink_file_manifest_open_1.json");
    /* the manifest alone says how long a file that grows is */
    sim_disk_put(disk, "/out/.part-0-0", "x,1\ny,2\nz,3\ntorn", 16, 1);
    start(&fake, "\"path\": \"/out\", \"roll\": {\"size\": \"1Ki\"}", "a string, b int", 1);
    expect_file("/out/.part-0-0", "x,1\ny,2\nz,3\n");
    fake_destroy(&fake);
}

/* Cut or changed anywhere, a committable is refused and nothing is shown. */
static void a_damaged_committable_is_refused(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a string", 0);
    ok(&fake, fake_begin(&fake, 0, 0, 1));
    ok(&fake, fake_write(&fake, 0, 0, "[[\"x\"]]"));
    prepare(&fake);
    for (uint64_t i = 0; i < 2 * committable.length; i++) {
        uint64_t n = i % committable.length;
        int cut = i == n;
        uint8_t *copy = malloc(committable.length); /* of this size, for the address sanitizer */
        uint32_t outcome = 0;
        assert_non_null(copy);
        memcpy(copy, committable.data, committable.length);
        if (!cut) copy[n] ^= 0x20;
        struct weir_committable c = { 0, { copy, cut ? n : committable.length } };
        weir_error_init(&fake.error);
        int32_t status = table_of(&fake)->commit(fake.self, &c, &outcome, &fake.error);
        free(copy);
        if (status != WEIR_FATAL) fail_msg("byte %d, cut %d: class %d", (int)n, cut, status);
        assert_string_equal(files(), "/out/.part-0-0\n");
    }
    assert_int_equal(commit(&fake, 0), WEIR_COMMIT_DONE);
    fake_destroy(&fake);
}

static void a_torn_manifest_is_cut_and_a_damaged_one_refused(void **state)
{
    struct fake fake;
    uint8_t copy[4096];
    const uint8_t *bytes;
    size_t n;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    batch(&fake, 0, "[[1]]");
    batch(&fake, 1, "[[2]]");
    fake_destroy(&fake);
    bytes = sim_disk_file(disk, "/out/_weir/manifest", &n);
    memcpy(copy, bytes, n);
    assert_int_equal(sim_disk_put(disk, "/out/_weir/manifest", copy, n - 5, 1), 0);
    start(&fake, "\"path\": \"/out\"", "a int", 2);
    fake_destroy(&fake);
    sim_disk_file(disk, "/out/_weir/manifest", &n);
    assert_int_equal(n, (size_t)((uint8_t *)strchr((char *)copy, '\n') - copy) + 1);
    copy[10] ^= 1;
    bytes = sim_disk_file(disk, "/out/_weir/manifest", &n);
    assert_int_equal(sim_disk_put(disk, "/out/_weir/manifest", copy, strlen((char *)copy), 1), 0);
    assert_int_equal(start_with(&fake, "\"path\": \"/out\"", "a int", 2, NULL, 0), WEIR_FATAL);
    assert_non_null(strstr(fake.error.text, "damaged at byte 0"));
    fake_destroy(&fake);
}

static void a_long_manifest_is_read_window_by_window(void **state)
{
    static const uint64_t batches = 20000; /* over 2 MiB of lines */
    struct weir_buffer text = { 0 };
    struct manifest_entry line = { .part = 1, .of = 1, .kind = MANIFEST_WHOLE,
                                   .name = "a name of some length, so that the lines are long" };
    struct fake fake;
    size_t n;
    (void)state;
    for (line.batch = 0; line.batch < batches; line.batch++)
        assert_int_equal(manifest_line(&weir_host_1, &line, &text), WEIR_OK);
    start(&fake, "\"path\": \"/out\"", "a int", 0); /* takes possession */
    fake_destroy(&fake);
    sim_disk_put(disk, "/out/_weir/manifest", text.data, text.length, 1);
    assert_int_equal(start_with(&fake, "\"path\": \"/out\"", "a int", batches - 1, NULL, 0),
                     WEIR_CONFIG); /* the last window was read */
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/out\"", "a int", batches);
    batch(&fake, batches, "[[1]]");
    fake_destroy(&fake);
    sim_disk_file(disk, "/out/_weir/manifest", &n);
    assert_true(n > text.length);
    text.data[text.length - 200] ^= 1; /* whole batches follow */
    sim_disk_put(disk, "/out/_weir/manifest", text.data, text.length, 1);
    assert_int_equal(start_with(&fake, "\"path\": \"/out\"", "a int", batches, NULL, 0),
                     WEIR_FATAL);
    fake_destroy(&fake);
    mem_free(text.data);
}

static void a_file_that_is_there_already_is_not_replaced(void **state)
{
    struct fake fake;
    (void)state;
    start(&fake, "\"path\": \"/out\"", "a int", 0);
    sim_disk_put(disk, "/out/" P(0, 0), "mine", 4, 1);
    ok(&fake, fake_begin(&fake, 0, 0, 1));
    ok(&fake, fake_write(&fake, 0, 0, "[[1]]"));
    assert_int_equal(table_of(&fake)->prepare(fake.self, &committable, &fake.error), WEIR_FATAL);
    assert_non_null(strstr(fake.error.text, P(0, 0)));
    expect_file("/out/" P(0, 0), "mine");
    fake_destroy(&fake);
}

static void a_directory_with_files_of_others_is_refused(void **state)
{
    struct fake fake;
    (void)state;
    sim_disk_put(disk, "/out/data.csv", "1\n", 2, 1);
    sim_disk_put(disk, "/hidden/.keep", "", 0, 1);
    assert_int_equal(start_with(&fake, "\"path\": \"/out\"", "a int", 0, NULL, 0), WEIR_CONFIG);
    assert_non_null(strstr(fake.error.text, "'data.csv'"));
    assert_null(sim_disk_file(disk, "/out/_weir/manifest", &(size_t){ 0 }));
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/out\", \"manifest\": false", "a int", 0);
    fake_destroy(&fake);
    start(&fake, "\"path\": \"/hidden\"", "a int", 0);
    fake_destroy(&fake);
}

static void compressed_files_are_frames_behind_each_other(void **state)
{
    struct fake fake;
    char text[64];
    const uint8_t *bytes;
    size_t n, got = 0, used;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"compression\": \"zstd\", \"roll\": {\"size\": \"30\"}",
          "a string", 0);
    batch(&fake, 0, "[[\"one\"]]");
    batch(&fake, 1, "[[\"two\"]]");
    batch(&fake, 2, "[[\"three\"]]");
    bytes = sim_disk_file(disk, "/out/" P(0, 0) ".zst", &n);
    assert_non_null(bytes);
    for (; n; bytes += used, n -= used) {
        size_t m;
        used = ZSTD_findFrameCompressedSize(bytes, n);
        assert_false(ZSTD_isError(used));
        m = ZSTD_decompress(text + got, sizeof text - got, bytes, used);
        assert_false(ZSTD_isError(m));
        got += m;
    }
    assert_memory_equal(text, "one\ntwo\nthree\n", got);
    fake_destroy(&fake);
}

#ifdef HAVE_ZLIB
static void gzip_files_are_members_behind_each_other(void **state)
{
    struct fake fake;
    char text[64];
    size_t n, got = 0;
    (void)state;
    start(&fake, "\"path\": \"/out\", \"compression\": \"gzip\", \"roll\": {\"size\": \"50\"}",
          "a string", 0);
    batch(&fake, 0, "[[\"one\"]]");
    batch(&fake, 1, "[[\"two\"]]");
    batch(&fake, 2, "[[\"three\"]]");
    const uint8_t *bytes = sim_disk_file(disk, "/out/" P(0, 0) ".gz", &n);
    assert_non_null(bytes);
    z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n };
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    while (z.avail_in) {
        z.next_out = (Bytef *)text + got;
        z.avail_out = (uInt)(sizeof text - got);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        got = sizeof text - z.avail_out;
        assert_int_equal(inflateReset(&z), Z_OK);
    }
    inflateEnd(&z);
    assert_int_equal(got, strlen("one\ntwo\nthree\n"));
    assert_memory_equal(text, "one\ntwo\nthree\n", got);
    fake_destroy(&fake);
}
#endif

static void changes_have_to_be_asked_for(void **state)
{
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_sink_file, entry_format_csv,
                                 "\"path\": \"/out\""),
                     WEIR_OK);
    assert_int_equal(fake_bind_sink(&fake, "a int", WEIR_FORM_UPSERT), WEIR_CONFIG);
    assert_string_equal(fake.error.option, "changes");
    fake_destroy(&fake);
    assert_int_equal(fake_create(&fake, sys, entry_sink_file, entry_format_csv,
                                 "\"path\": \"/out\", \"changes\": true"),
                     WEIR_OK);
    assert_int_equal(fake_bind_sink(&fake, "a int", WEIR_FORM_UPSERT), WEIR_OK);
    fake_destroy(&fake);
}

static void wrong_options_are_refused(void **state)
{
    static const char *const options[] = {
        "\"path\": \"\"", "\"path\": \"/o\", \"name\": \"x\"",
        "\"path\": \"/o\", \"name\": \"{batch}\"",
        "\"path\": \"/o\", \"name\": \"a/{batch}-{seq}\"",
        "\"path\": \"/o\", \"name\": \"{bach}-{seq}\"",
        "\"path\": \"/o\", \"manifest\": false, \"roll\": {\"size\": \"1Ki\"}",
        "\"path\": \"/o\", \"partition_by\": [\"z\"]",
        "\"path\": \"/o\", \"partition_by\": [\"a\"]",
        "\"path\": \"/o\", \"compression\": \"lzma\"",
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof options / sizeof *options; i++) {
        struct fake fake;
        int32_t status = fake_create(&fake, sys, entry_sink_file, entry_format_csv, options[i]);
        if (status == WEIR_OK) status = fake_bind_sink(&fake, "a int", WEIR_FORM_APPEND);
        if (status != WEIR_CONFIG) fail_msg("%s was taken", options[i]);
        fake_destroy(&fake);
    }
}

static void many_directories_are_written_with_few_handles(void **state)
{
    struct fake fake;
    char *rows = malloc(100000);
    int i, at = 0;
    (void)state;
    for (i = 0; i < 600; i++)
        at += sprintf(rows + at, "%s[\"k%d\",%d]", i ? "," : "[", i % 300, i);
    strcpy(rows + at, "]");
    start(&fake, "\"path\": \"/out\", \"partition_by\": [\"k\"]", "k string, v int", 0);
    batch(&fake, 0, rows);
    expect_file("/out/k=k7/" P(0, 0), "7\n307\n");
    free(rows);
    fake_destroy(&fake);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_seen_when_it_is_committed),
        TEST(what_was_prepared_survives_a_power_loss),
        TEST(a_commit_is_mended_wherever_it_was_killed),
        TEST(what_was_committed_survives_a_power_loss),
        TEST(what_the_log_does_not_know_is_removed),
        TEST(an_aborted_batch_leaves_nothing),
        TEST(values_that_could_lead_elsewhere_are_encoded),
        TEST(a_rolled_file_grows_and_is_seen_when_it_is_long_enough),
        TEST(a_rolled_file_is_seen_when_it_is_old_enough),
        TEST(a_growing_file_comes_back_from_a_pending_committable),
        TEST(another_job_is_refused),
        TEST(a_check_refuses_what_open_would_and_makes_nothing),
        TEST(a_full_disk_is_tried_again),
        TEST(committables_and_manifests_have_the_bytes_of_version_1),
        TEST(a_damaged_committable_is_refused),
        TEST(a_torn_manifest_is_cut_and_a_damaged_one_refused),
        TEST(a_long_manifest_is_read_window_by_window),
        TEST(a_file_that_is_there_already_is_not_replaced),
        TEST(a_directory_with_files_of_others_is_refused),
        TEST(compressed_files_are_frames_behind_each_other),
#ifdef HAVE_ZLIB
        TEST(gzip_files_are_members_behind_each_other),
#endif
        TEST(changes_have_to_be_asked_for),
        TEST(wrong_options_are_refused),
        TEST(many_directories_are_written_with_few_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
