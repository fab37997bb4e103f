/*
 * The source `stdin` in whole jobs: ends, restarts, limits, giant lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/fake_host.h"
#include "tests/plugins/source_world.h"

static const world_entry_fn modules[] = { entry_source_stdin, entry_format_text, entry_format_csv,
                                          NULL };
static const char plain[] = "\"plugin\": \"stdin\"";

static struct {
    const char *text;
    size_t n;
} input;

static void feed(struct world *w)
{
    sim_stdin(w->sys, input.text, input.n);
}

static void give(const char *text)
{
    input.text = text;
    input.n = strlen(text);
}

static int setup(void **state)
{
    (void)state;
    world_begin(modules);
    world.script = feed;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void expect_rows(const char *want)
{
    char *rows = world_rows();
    assert_string_equal(rows, want);
    free(rows);
}

static void the_job_ends_with_the_input_and_the_last_line_needs_no_lf(void **state)
{
    (void)state;
    give("one\ntwo\r\n\nlast");
    assert_int_equal(world_life("asap", plain), 0);
    expect_rows("[\"one\"]\n[\"two\"]\n[\"\"]\n[\"last\"]\n");
}

static void empty_input_ends_the_job_without_a_batch(void **state)
{
    (void)state;
    give("");
    assert_int_equal(world_life("1s", plain), 0);
    assert_int_equal(world.summary.batches, 0);
}

static void the_format_is_the_jobs(void **state)
{
    (void)state;
    give("b,a\n1,2\n3,4\n");
    assert_int_equal(world_life("asap", "\"plugin\": \"stdin\", \"format\": {\"type\": \"csv\","
                                        "\"columns\": \"a int, b int\", \"header\": true},"
                                        "\"max_records\": 1"), 0);
    expect_rows("[2,1]\n[4,3]\n");
    assert_int_equal(world.summary.batches, 2);
}

static void a_later_start_reads_its_own_input(void **state)
{
    (void)state;
    give("a\n");
    assert_int_equal(world_life("asap", plain), 0);
    give("b\nc");
    assert_int_equal(world_life("asap", plain), 0);
    give("");
    assert_int_equal(world_life("asap", plain), 0);
    give("d\n");
    assert_int_equal(world_life("1s", plain), 0);
    expect_rows("[\"a\"]\n[\"b\"]\n[\"c\"]\n[\"d\"]\n");
}

static char *numbered(uint32_t n)
{
    char *text = malloc(n * 16 + 1), *at = text;
    for (uint32_t i = 0; i < n; i++) at += sprintf(at, "line %u\n", i);
    return text;
}

static void max_records_cuts_batches_without_losing_lines(void **state)
{
    (void)state;
    char *text = numbered(1000), *want = malloc(32 * 1000), *at = want;
    for (int i = 0; i < 1000; i++) at += sprintf(at, "[\"line %d\"]\n", i);
    give(text);
    assert_int_equal(world_life("asap", "\"plugin\": \"stdin\", \"max_records\": 7"), 0);
    expect_rows(want);
    assert_int_equal(world.summary.batches, 143);
    free(text);
    free(want);
}

/* What was planned comes once, in order; what was read and not planned is lost. */
static void a_kill_at_any_call_doubles_nothing_and_keeps_what_was_planned(void **state)
{
    (void)state;
    char *text = numbered(40);
    const char *job = "\"plugin\": \"stdin\", \"max_records\": 10";
    give(text);
    assert_int_equal(world_life("asap", job), 0);
    uint64_t calls = world.calls, lost = 0;
    for (uint64_t at = 1; at <= calls; at++) {
        world_forget();
        world.kill_at = at;
        give(text);
        int status = world_life("asap", job);
        if (status == -1) {
            give("again\n");
            status = world_life("asap", job);
        }
        if (status != 0) fail_msg("kill at %llu: exit %d", (unsigned long long)at, status);
        assert_int_equal(world.doubled, 0);
        char *rows = world_rows(), *line = rows;
        uint32_t next = 0, again = 0;
        for (; *line; line = strchr(line, '\n') + 1) {
            unsigned got;
            if (strncmp(line, "[\"again\"]", 9) == 0) again++;
            else if (sscanf(line, "[\"line %u\"]", &got) == 1 && got == next) next++;
            else fail_msg("kill at %llu: %s", (unsigned long long)at, rows);
        }
        assert_true(again == 1 || (next == 40 && again == 0));
        lost += next < 40;
        free(rows);
    }
    print_message("%llu kill points, %llu with lines that were in no plan\n",
                  (unsigned long long)calls, (unsigned long long)lost);
    free(text);
}

static char *giant_line(size_t giant, size_t *n)
{
    char *text = malloc(giant + 64), *at = text;
    at += sprintf(at, "before\n");
    memset(at, 'x', giant);
    at += giant;
    at += sprintf(at, "\nafter\n");
    *n = (size_t)(at - text);
    return text;
}

static void a_giant_line_is_skipped(void **state)
{
    (void)state;
    char *text = giant_line(16u << 20, &input.n);
    input.text = text;
    assert_int_equal(world_life("asap", "\"plugin\": \"stdin\", \"max_record\": \"64Ki\""), 0);
    expect_rows("[\"before\"]\n[\"after\"]\n");
    free(text);
}

static void a_giant_line_needs_no_more_memory_than_max_record(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 3);
    struct fake fake;
    size_t n;
    char *text = giant_line(16u << 20, &n);
    uint64_t most = 0, before;
    (void)state;
    sim_stdin(sys, text, n);
    assert_int_equal(fake_create(&fake, sys, entry_source_stdin, entry_format_text,
                                 "\"max_record\": \"300Ki\""), WEIR_OK);
    assert_int_equal(fake_bind_source(&fake), WEIR_OK);
    before = mem_in_use();
    do {
        int32_t status = fake_next(&fake, "stdin", 1, 1000);
        assert_true(status == WEIR_OK || status == WEIR_PENDING);
        if (mem_in_use() > most) most = mem_in_use();
    } while (!(fake.flags & WEIR_NEXT_BATCH_END));
    assert_string_equal(fake_rows(&fake), "[\"before\"]\n[\"after\"]\n");
    assert_int_equal(fake.n_rejects, 1);
    assert_in_range(most - before, 300 << 10, 400 << 10);
    fake_next(&fake, "stdin", 2, 1000);
    assert_int_equal(fake.flags, WEIR_NEXT_END | WEIR_NEXT_LAST);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    free(text);
}

static void a_long_line_below_the_limit_is_a_row(void **state)
{
    (void)state;
    size_t n = 900u << 10;
    char *text = malloc(n + 2);
    memset(text, 'y', n);
    text[n] = '\n';
    text[n + 1] = 0;
    give(text);
    assert_int_equal(world_life("asap", plain), 0);
    char *rows = world_rows();
    assert_int_equal(strlen(rows), n + 5);
    free(rows);
    free(text);
}

static void a_max_record_out_of_range_is_refused(void **state)
{
    (void)state;
    give("");
    assert_non_null(strstr(world_refused("\"plugin\": \"stdin\", \"max_record\": \"2Gi\""),
                           "1 byte to 1Gi"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_job_ends_with_the_input_and_the_last_line_needs_no_lf),
        T(empty_input_ends_the_job_without_a_batch),
        T(the_format_is_the_jobs),
        T(a_later_start_reads_its_own_input),
        T(max_records_cuts_batches_without_losing_lines),
        T(a_kill_at_any_call_doubles_nothing_and_keeps_what_was_planned),
        T(a_giant_line_is_skipped),
        T(a_giant_line_needs_no_more_memory_than_max_record),
        T(a_long_line_below_the_limit_is_a_row),
        T(a_max_record_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
