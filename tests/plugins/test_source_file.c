#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/plugins/entries/entries.h"
#include "tests/plugins/fake_host.h"
#include "tests/support/golden.h"

#include "core/data/array.h"
#include "core/sys/sim.h"
#include "plugins/share/manifest.h"
#include "plugins/source_file/file.h"

#define T0 1000000000ll

static struct sim_disk *disk;
static struct weir_sys *sys;

static int setup(void **state)
{
    (void)state;
    disk = sim_disk_create();
    sys = sim_create(disk, T0, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return 0;
}

static void put(const char *path, const char *text, int64_t mtime_us)
{
    assert_int_equal(sim_disk_put(disk, path, text, strlen(text), mtime_us), 0);
}

static void append(const char *path, const char *text)
{
    struct sys_stat stat;
    int fd = sys_open(sys, path, SYS_WRITE | SYS_CREATE);
    assert_true(fd >= 0);
    assert_int_equal(sys_fstat(sys, fd, &stat), 0);
    assert_int_equal(sys_pwrite(sys, fd, text, strlen(text), stat.size), (int64_t)strlen(text));
    sys_close(sys, fd);
}

static void begin(struct fake *fake, fake_entry_fn format, const char *options)
{
    int32_t status = fake_create(fake, sys, entry_source_file, format, options);
    if (status == WEIR_OK) status = fake_bind_source(fake);
    if (status != WEIR_OK) fail_msg("%s", fake->error.text);
}

/* Partitions at time T0 + `us`, as one text. */
static const char *names(struct fake *fake, int64_t us)
{
    fake->context.time_us = T0 + us;
    if (fake_partitions(fake, T0 + us) != WEIR_OK) fail_msg("%s", fake->error.text);
    return fake_text(&fake->names);
}

/* Reads a partition until it ends or waits; the class of the last call. */
static int32_t drain(struct fake *fake, const char *name, uint64_t batch, uint64_t max_rows)
{
    int32_t status;
    int calls = 0;
    do {
        status = fake_next(fake, name, batch, max_rows);
    } while (status == WEIR_OK && (fake->flags & WEIR_NEXT_MORE) && ++calls < 100000);
    if (status != WEIR_OK && status != WEIR_PENDING) fail_msg("%s", fake->error.text);
    return status;
}

static void at_start(struct fake *fake) { fake->position_length = 0; }

static void a_file_is_read_to_its_end(void **state)
{
    struct fake fake;
    (void)state;
    put("/in/a", "one\ntwo\nthree", 1);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    assert_string_equal(names(&fake, 0), "/in/a\n");
    drain(&fake, "/in/a", 0, UINT64_MAX);
    assert_string_equal(fake_rows(&fake), "[\"one\"]\n[\"two\"]\n[\"three\"]\n");
    assert_true(fake.flags & WEIR_NEXT_END);
    fake_forget(&fake);
    drain(&fake, "/in/a", 1, UINT64_MAX); /* again from its end */
    assert_string_equal(fake_rows(&fake), "");
    assert_true(fake.flags & WEIR_NEXT_END);
    fake_destroy(&fake);
}

static void files_of_a_directory_are_named_oldest_first(void **state)
{
    struct fake fake;
    (void)state;
    put("/in/c", "c", 1);
    put("/in/a", "a", 3);
    put("/in/b", "b", 2);
    put("/in/.hidden", "x", 1);
    put("/in/_under", "x", 1);
    put("/in/sub/d", "d", 1);
    put("/in/future", "f", T0 + 10);
    begin(&fake, entry_format_text, "\"path\": \"/in\"");
    assert_string_equal(names(&fake, 0), "/in/c\n/in/b\n/in/a\n");
    assert_string_equal(names(&fake, 10), "/in/c\n/in/b\n/in/a\n/in/future\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text,
          "\"path\": \"/in\", \"order\": \"newest\", \"recursive\": true");
    assert_string_equal(names(&fake, 0), "/in/a\n/in/b\n/in/c\n/in/sub/d\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"order\": \"name\"");
    assert_string_equal(names(&fake, 0), "/in/a\n/in/b\n/in/c\n");
    fake_destroy(&fake);
}

static void a_pattern_selects_files_and_directories(void **state)
{
    struct fake fake;
    (void)state;
    put("/logs/x/app-1.log", "1", 1);
    put("/logs/x/app-2.txt", "2", 1);
    put("/logs/y/app-3.log", "3", 1);
    put("/logs/y/.app-4.log", "4", 1);
    put("/logs/z", "5", 1);
    begin(&fake, entry_format_text, "\"path\": \"/logs/*/app-*.log\", \"order\": \"name\"");
    assert_string_equal(names(&fake, 0), "/logs/x/app-1.log\n/logs/y/app-3.log\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/logs/[xz]\", \"order\": \"name\"");
    assert_string_equal(names(&fake, 0), "/logs/x/app-1.log\n/logs/x/app-2.txt\n/logs/z\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/none/*\"");
    assert_string_equal(names(&fake, 0), "");
    fake_destroy(&fake);
}

static void a_restart_goes_on_behind_the_last_record(void **state)
{
    struct fake fake;
    uint8_t position[WEIR_POSITION_MAX];
    uint64_t n;
    char text[200];
    (void)state;
    put("/in/a", "one\ntwo\nthree\n", 1);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    names(&fake, 0);
    assert_int_equal(fake_next(&fake, "/in/a", 0, 2), WEIR_OK);
    assert_string_equal(fake_rows(&fake), "[\"one\"]\n[\"two\"]\n");
    n = fake.position_length;
    memcpy(position, fake.position, n);
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    memcpy(fake.position, position, n);
    fake.position_length = n;
    {
        const struct weir_source *source = fake.component->table;
        struct weir_bytes bytes = { position, n };
        assert_int_equal(source->position_text(fake.self, bytes, text, sizeof text), WEIR_OK);
        assert_non_null(strstr(text, "byte 8"));
        bytes.length--;
        assert_int_equal(source->position_text(fake.self, bytes, text, sizeof text), WEIR_DATA);
    }
    names(&fake, 0);
    drain(&fake, "/in/a", 1, UINT64_MAX);
    assert_string_equal(fake_rows(&fake), "[\"three\"]\n");
    fake_destroy(&fake);
}

/* Reads all of /in/a in calls of max_rows, keeps a batch from record `from` on, and replays it. */
static void replay_case(const char *options, fake_entry_fn format, const char *text,
                        uint64_t max_rows)
{
    struct fake fake;
    uint8_t from[WEIR_POSITION_MAX], until[WEIR_POSITION_MAX];
    uint64_t n_from, n_until;
    struct weir_bytes to;
    char *rows;
    put("/in/a", text, 1);
    begin(&fake, format, options);
    names(&fake, 0);
    assert_int_equal(fake_next(&fake, "/in/a", 0, max_rows), WEIR_OK);
    fake_forget(&fake);
    n_from = fake.position_length;
    memcpy(from, fake.position, n_from);
    assert_int_equal(fake_next(&fake, "/in/a", 1, max_rows), WEIR_OK);
    if (fake.flags & WEIR_NEXT_MORE)
        assert_int_equal(fake_next(&fake, "/in/a", 1, max_rows), WEIR_OK);
    n_until = fake.position_length;
    memcpy(until, fake.position, n_until);
    rows = strdup(fake_rows(&fake));
    fake_destroy(&fake);
    begin(&fake, format, options);
    memcpy(fake.position, from, n_from);
    fake.position_length = n_from;
    to.data = until;
    to.length = n_until;
    if (fake_replay(&fake, "/in/a", 1, to) != WEIR_OK) fail_msg("%s", fake.error.text);
    assert_string_equal(fake_rows(&fake), rows);
    assert_int_equal(fake.position_length, n_until);
    assert_memory_equal(fake.position, until, n_until);
    free(rows);
    fake_destroy(&fake);
}

static void a_replay_gives_the_same_rows_and_place(void **state)
{
    char *big = malloc(400000);
    int i, at = 0;
    (void)state;
    for (i = 0; i < 30000; i++) at += sprintf(big + at, "line %d\n", i);
    replay_case("\"path\": \"/in/a\"", entry_format_text, "a\nb\nc\nd\ne", 1);
    replay_case("\"path\": \"/in/a\"", entry_format_text, "a\nb\nc", 2);
    replay_case("\"path\": \"/in/a\"", entry_format_text, big, UINT64_MAX);
    replay_case("\"path\": \"/in/a\"", entry_format_text, big, 777);
    replay_case("\"path\": \"/in/a\", \"header\": true, \"columns\": \"a int, b int\"",
                entry_format_csv, "b,a\n1,2\n3,4\n5,6\n", 1);
    replay_case("\"path\": \"/in/a\", \"max_record\": \"10\"", entry_format_text,
                "a\n0123456789012345678901234567890123456789012345678901234567890123456789"
                "0123456789012345678901234567890123456789\nb\nc\n", 1);
    free(big);
}

static void a_replay_of_lost_bytes_says_how_many(void **state)
{
    struct fake fake;
    uint8_t until[WEIR_POSITION_MAX];
    struct weir_bytes to = { until, 0 };
    int fd;
    (void)state;
    put("/in/a", "0123456789\n0123456789\n", 1);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    names(&fake, 0);
    drain(&fake, "/in/a", 0, UINT64_MAX);
    to.length = fake.position_length;
    memcpy(until, fake.position, to.length);
    fake_destroy(&fake);
    fd = sys_open(sys, "/in/a", SYS_WRITE);
    sys_truncate(sys, fd, 15);
    sys_close(sys, fd);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    assert_int_equal(fake_replay(&fake, "/in/a", 0, to), WEIR_FATAL);
    assert_non_null(strstr(fake.error.text, "'/in/a'"));
    fake_destroy(&fake);
    assert_int_equal(sys_unlink(sys, "/in/a"), 0);
    begin(&fake, entry_format_text, "\"path\": \"/in/a\"");
    assert_int_equal(fake_replay(&fake, "/in/a", 0, to), WEIR_FATAL);
    assert_non_null(strstr(fake.error.text, "22 bytes from byte 0 on are gone"));
    fake_destroy(&fake);
}

static void a_header_goes_with_every_run(void **state)
{
    struct fake fake;
    uint8_t position[WEIR_POSITION_MAX];
    uint64_t n;
    (void)state;
    put("/in/a", "b,a\n1,2\n3,4\n", 1);
    begin(&fake, entry_format_csv,
          "\"path\": \"/in\", \"header\": true, \"columns\": \"a int, b int\"");
    names(&fake, 0);
    assert_int_equal(fake_next(&fake, "/in/a", 0, 1), WEIR_OK);
    n = fake.position_length;
    memcpy(position, fake.position, n);
    fake_destroy(&fake);
    begin(&fake, entry_format_csv,
          "\"path\": \"/in\", \"header\": true, \"columns\": \"a int, b int\"");
    memcpy(fake.position, position, n);
    fake.position_length = n;
    names(&fake, 0);
    drain(&fake, "/in/a", 1, UINT64_MAX);
    assert_string_equal(fake_rows(&fake), "[4,3]\n");
    fake_destroy(&fake);
}

static void a_record_over_the_limit_is_skipped_in_little_memory(void **state)
{
    struct fake fake;
    size_t n = 20u << 20;
    char *text = malloc(n + 40);
    uint64_t before;
    (void)state;
    memcpy(text, "first\n", 6);
    memset(text + 6, 'x', n);
    strcpy(text + 6 + n, "\nlast\n");
    assert_int_equal(sim_disk_put(disk, "/in/a", text, 6 + n + 6, 1), 0);
    free(text);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"max_record\": \"64Ki\"");
    names(&fake, 0);
    before = mem_in_use();
    drain(&fake, "/in/a", 0, UINT64_MAX);
    assert_string_equal(fake_rows(&fake), "[\"first\"]\n[\"last\"]\n");
    assert_int_equal(fake.n_rejects, 1);
    assert_true(mem_in_use() - before < 1 << 20);
    fake_destroy(&fake);
}

static void a_batch_begins_only_as_many_files_as_it_may(void **state)
{
    struct fake fake;
    (void)state;
    put("/in/a", "aaaa\n", 1);
    put("/in/b", "bbbb\n", 2);
    put("/in/c", "cccc\n", 3);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"max_files\": 2");
    names(&fake, 0);
    at_start(&fake);
    assert_int_equal(fake_next(&fake, "/in/b", 0, 100), WEIR_PENDING); /* first the one before it */
    assert_int_equal(fake.wakes, 1);
    at_start(&fake);
    drain(&fake, "/in/a", 0, 100);
    at_start(&fake);
    drain(&fake, "/in/b", 0, 100);
    at_start(&fake);
    assert_int_equal(fake_next(&fake, "/in/c", 0, 100), WEIR_OK);
    assert_true(fake.flags & WEIR_NEXT_BATCH_END);
    assert_string_equal(fake_rows(&fake), "[\"aaaa\"]\n[\"bbbb\"]\n");
    at_start(&fake);
    drain(&fake, "/in/c", 1, 100);
    assert_string_equal(fake_rows(&fake), "[\"aaaa\"]\n[\"bbbb\"]\n[\"cccc\"]\n");
    fake_destroy(&fake);

    begin(&fake, entry_format_text, "\"path\": \"/in\", \"max_bytes\": \"9\"");
    names(&fake, 0);
    at_start(&fake);
    drain(&fake, "/in/a", 0, 100);
    at_start(&fake);
    assert_int_equal(fake_next(&fake, "/in/b", 0, 100), WEIR_OK);
    assert_true(fake.flags & WEIR_NEXT_BATCH_END);
    at_start(&fake);
    drain(&fake, "/in/b", 1, 100);
    assert_string_equal(fake_rows(&fake), "[\"aaaa\"]\n[\"bbbb\"]\n");
    fake_destroy(&fake);
}

static void a_growing_file_is_followed(void **state)
{
    struct fake fake;
    (void)state;
    assert_int_equal(sys_mkdirs(sys, "/in", 0755), 0);
    append("/in/log", "one\nhal");
    begin(&fake, entry_format_text, "\"path\": \"/in/log\", \"follow\": true");
    names(&fake, 1000);
    assert_int_equal(drain(&fake, "/in/log", 0, 100), WEIR_PENDING);
    assert_string_equal(fake_rows(&fake), "[\"one\"]\n");
    assert_true(fake.wake_after > 0);
    append("/in/log", "f\ntwo\n");
    assert_int_equal(drain(&fake, "/in/log", 0, 100), WEIR_PENDING);
    assert_string_equal(fake_rows(&fake), "[\"one\"]\n[\"half\"]\n[\"two\"]\n");
    fake_destroy(&fake);
}

static void a_rotated_file_is_read_to_its_end_first(void **state)
{
    struct fake fake;
    uint8_t from[WEIR_POSITION_MAX], until[WEIR_POSITION_MAX];
    struct weir_bytes to = { until, 0 };
    uint64_t n_from;
    int restart;
    (void)state;
    for (restart = 0; restart < 2; restart++) {
        char log[40], old[40], options[100];
        snprintf(log, sizeof log, "/in%d/log", restart);
        snprintf(old, sizeof old, "/in%d/log.1", restart);
        snprintf(options, sizeof options, "\"path\": \"%s\", \"follow\": true", log);
        assert_int_equal(sys_mkdirs(sys, restart ? "/in1" : "/in0", 0755), 0);
        append(log, "one\n");
        begin(&fake, entry_format_text, options);
        names(&fake, 1000);
        assert_int_equal(drain(&fake, log, 0, 100), WEIR_PENDING);
        n_from = fake.position_length;
        memcpy(from, fake.position, n_from);
        append(log, "two\nthr");
        assert_int_equal(sys_rename(sys, log, old), 0);
        append(log, "new\n");
        if (restart) { /* the handle is lost, the old file has to be looked for */
            fake_destroy(&fake);
            begin(&fake, entry_format_text, options);
            memcpy(fake.position, from, n_from);
            fake.position_length = n_from;
            names(&fake, 1000);
        }
        fake_forget(&fake);
        assert_int_equal(drain(&fake, log, 1, 100), WEIR_PENDING);
        append(old, "ee"); /* the writer's last word */
        assert_int_equal(drain(&fake, log, 1, 100), WEIR_OK);
        assert_true(fake.flags & WEIR_NEXT_BATCH_END);
        assert_string_equal(fake_rows(&fake), "[\"two\"]\n[\"three\"]\n");
        to.length = fake.position_length;
        memcpy(until, fake.position, to.length);
        fake_forget(&fake);
        assert_int_equal(drain(&fake, log, 2, 100), WEIR_PENDING);
        assert_string_equal(fake_rows(&fake), "[\"new\"]\n");
        fake_destroy(&fake);

        begin(&fake, entry_format_text, options); /* the batch of the rotation again */
        memcpy(fake.position, from, n_from);
        fake.position_length = n_from;
        if (fake_replay(&fake, log, 1, to) != WEIR_OK) fail_msg("%s", fake.error.text);
        assert_string_equal(fake_rows(&fake), "[\"two\"]\n[\"three\"]\n");
        fake_destroy(&fake);
    }
}

static void a_truncated_file_is_read_from_its_start(void **state)
{
    struct fake fake;
    int fd;
    (void)state;
    assert_int_equal(sys_mkdirs(sys, "/in", 0755), 0);
    append("/in/log", "one\ntwo\n");
    begin(&fake, entry_format_text, "\"path\": \"/in/log\", \"follow\": true");
    names(&fake, 1000);
    drain(&fake, "/in/log", 0, 100);
    fd = sys_open(sys, "/in/log", SYS_WRITE);
    sys_truncate(sys, fd, 0);
    sys_close(sys, fd);
    append("/in/log", "new\n");
    fake_forget(&fake);
    assert_int_equal(drain(&fake, "/in/log", 1, 100), WEIR_OK);
    assert_true(fake.flags & WEIR_NEXT_BATCH_END);
    drain(&fake, "/in/log", 2, 100);
    assert_string_equal(fake_rows(&fake), "[\"new\"]\n");
    assert_non_null(strstr(fake_text(&fake.counters), "truncations=1"));
    fake_destroy(&fake);
}

static void a_position_has_the_bytes_of_version_1(void **state)
{
    const struct position was = { .offset = 0x0102030405060708, .inode = 0x1112131415161718,
                                  .print = 0x2122232425262728, .print_length = 1024, .inside = 1,
                                  .mtime_us = 1700000000000001, .before_inode = UINT64_MAX,
                                  .before_end = 7 };
    uint8_t bytes[POSITION_SIZE + 1] = { 0 };
    struct position p;
    (void)state;
    position_write(&was, bytes);
    const uint8_t *golden =
        golden_check("plugins/golden/source_file_position_1.bin", bytes, POSITION_SIZE);
    assert_true(position_read((struct weir_bytes){ golden, POSITION_SIZE }, &p));
    assert_true(p.offset == was.offset && p.inode == was.inode && p.print == was.print);
    assert_true(p.print_length == 1024 && p.inside == 1 && p.mtime_us == was.mtime_us);
    assert_true(p.before_inode == UINT64_MAX && p.before_end == 7);
    /* cut, longer, or with any bit changed it is none */
    for (uint64_t n = 0; n <= POSITION_SIZE + 1; n++)
        assert_int_equal(position_read((struct weir_bytes){ bytes, n }, &p), n == POSITION_SIZE);
    for (uint32_t bit = 0; bit < 8 * POSITION_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(position_read((struct weir_bytes){ bytes, POSITION_SIZE }, &p));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_directory_with_a_manifest_is_read_by_it(void **state)
{
    struct weir_buffer text = { 0 };
    struct manifest_entry entry = { .batch = 0, .part = 1, .of = 2, .kind = MANIFEST_WHOLE,
                                    .bytes = 1, .name = "k=a/x" };
    struct fake fake;
    (void)state;
    put("/out/k=a/x", "1", 1);
    put("/out/y", "2", 1);
    put("/out/stray", "3", 1);
    put("/out/torn", "4", 1);
    assert_int_equal(manifest_line(&weir_host_1, &entry, &text), WEIR_OK);
    entry.part = 2;
    entry.name = "y";
    assert_int_equal(manifest_line(&weir_host_1, &entry, &text), WEIR_OK);
    entry.batch = 1;
    entry.part = 1;
    entry.name = "torn"; /* of two lines one */
    assert_int_equal(manifest_line(&weir_host_1, &entry, &text), WEIR_OK);
    assert_int_equal(sim_disk_put(disk, "/out/_weir/manifest", text.data, text.length, 1), 0);
    begin(&fake, entry_format_text, "\"path\": \"/out\", \"order\": \"name\"");
    assert_string_equal(names(&fake, 0), "/out/k=a/x\n/out/y\n");
    fake_destroy(&fake);
    mem_free(text.data);
}

static void files_that_were_read_are_deleted_or_archived(void **state)
{
    const struct weir_source *source;
    struct weir_bytes position;
    struct fake fake;
    size_t n;
    (void)state;
    put("/in/a", "1\n", 1);
    put("/in/b", "2\n", 2);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"on_done\": \"delete\"");
    source = fake.component->table;
    names(&fake, 0);
    at_start(&fake);
    drain(&fake, "/in/a", 0, 100);
    position.data = fake.position;
    position.length = fake.position_length;
    assert_non_null(sim_disk_file(disk, "/in/a", &n)); /* not before it is safe */
    assert_int_equal(source->commit(fake.self, "/in/a", position, &fake.error), WEIR_OK);
    assert_null(sim_disk_file(disk, "/in/a", &n));
    assert_int_equal(source->commit(fake.self, "/in/a", position, &fake.error), WEIR_OK);
    assert_string_equal(names(&fake, 1), "/in/b\n");
    at_start(&fake);
    drain(&fake, "/in/b", 1, 100);
    { /* a restart before the commit: the position is durable, so the file may go */
        uint8_t kept[WEIR_POSITION_MAX];
        uint64_t length = fake.position_length;
        memcpy(kept, fake.position, length);
        fake_destroy(&fake);
        begin(&fake, entry_format_text,
              "\"path\": \"/in\", \"on_done\": \"archive\", \"archive_to\": \"/old\"");
        names(&fake, 2);
        memcpy(fake.position, kept, length);
        fake.position_length = length;
        drain(&fake, "/in/b", 2, 100);
        assert_string_equal(names(&fake, 3), "");
        assert_null(sim_disk_file(disk, "/in/b", &n));
        assert_non_null(sim_disk_file(disk, "/old/b", &n));
    }
    fake_destroy(&fake);
}

static void old_files_are_left_out_and_counted(void **state)
{
    struct fake fake;
    (void)state;
    put("/in/old", "1\n", 1);
    put("/in/new", "2\n", 20000001);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"max_age\": \"10s\"");
    names(&fake, 0);
    at_start(&fake);
    drain(&fake, "/in/old", 1, 100);
    assert_string_equal(fake_rows(&fake), "");
    assert_true(fake.flags & WEIR_NEXT_END);
    assert_non_null(strstr(fake_text(&fake.counters), "old_files=1"));
    assert_string_equal(names(&fake, 0), "/in/new\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"max_age\": \"10s\"");
    names(&fake, 0);
    at_start(&fake);
    drain(&fake, "/in/old", 0, 100); /* the first batch takes whatever is there */
    assert_string_equal(fake_rows(&fake), "[\"1\"]\n");
    fake_destroy(&fake);
    begin(&fake, entry_format_text, "\"path\": \"/in\", \"new_only\": true");
    names(&fake, 0);
    put("/in/newer", "3\n", T0 + 5);
    assert_non_null(strstr(names(&fake, 10), "/in/newer\n"));
    at_start(&fake);
    drain(&fake, "/in/new", 0, 100);
    at_start(&fake);
    drain(&fake, "/in/newer", 0, 100);
    assert_string_equal(fake_rows(&fake), "[\"3\"]\n");
    fake_destroy(&fake);
}

static void a_job_that_does_not_wait_wants_its_path(void **state)
{
    static const struct {
        const char *options;
        uint32_t listing;
        int32_t status;
    } cases[] = { { "\"path\": \"/absent\"", 0, WEIR_OK },
                  { "\"path\": \"/absent\"", WEIR_PARTITIONS_LAST, WEIR_CONFIG },
                  { "\"path\": \"/absent/*\"", WEIR_PARTITIONS_LAST, WEIR_OK },
                  { "\"path\": \"/absent\", \"on_done\": \"delete\"", WEIR_PARTITIONS_LAST, WEIR_OK } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake fake;
        begin(&fake, entry_format_text, cases[i].options);
        fake.listing = cases[i].listing;
        assert_int_equal(fake_partitions(&fake, 0), cases[i].status);
        if (cases[i].status) assert_non_null(strstr(fake.error.text, "/absent' does not exist"));
        fake_destroy(&fake);
    }
}

static void wrong_options_are_refused(void **state)
{
    static const char *const options[] = {
        "\"path\": \"\"", "\"path\": \"/a\", \"on_done\": \"archive\"",
        "\"path\": \"/a\", \"archive_to\": \"/b\"",
        "\"path\": \"/a\", \"follow\": true, \"on_done\": \"delete\"",
        ("\"path\": \"/a\", \"recursive\": true, \"on_done\": \"archive\", "
         "\"archive_to\": \"/a/old\""),
        "\"path\": \"/a\", \"max_files\": -1", "",
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof options / sizeof *options; i++) {
        struct fake fake;
        assert_int_equal(fake_create(&fake, sys, entry_source_file, entry_format_text, options[i]),
                         WEIR_CONFIG);
        fake_destroy(&fake);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_to_its_end),
        TEST(files_of_a_directory_are_named_oldest_first),
        TEST(a_pattern_selects_files_and_directories),
        TEST(a_restart_goes_on_behind_the_last_record),
        TEST(a_replay_gives_the_same_rows_and_place),
        TEST(a_replay_of_lost_bytes_says_how_many),
        TEST(a_header_goes_with_every_run),
        TEST(a_record_over_the_limit_is_skipped_in_little_memory),
        TEST(a_batch_begins_only_as_many_files_as_it_may),
        TEST(a_growing_file_is_followed),
        TEST(a_rotated_file_is_read_to_its_end_first),
        TEST(a_truncated_file_is_read_from_its_start),
        TEST(a_position_has_the_bytes_of_version_1),
        TEST(a_directory_with_a_manifest_is_read_by_it),
        TEST(files_that_were_read_are_deleted_or_archived),
        TEST(old_files_are_left_out_and_counted),
        TEST(a_job_that_does_not_wait_wants_its_path),
        TEST(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
