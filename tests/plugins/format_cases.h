/*
 * format_cases.h - a format as a table: options and input bytes, rows and rejects.
 *
 * Every case runs with all bytes at once, in pieces of 1, 3 and 64 bytes, and one record at a time:
 * the rows must be the same.
 */
#ifndef TESTS_FORMAT_CASES_H
#define TESTS_FORMAT_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/plugins/entries/entries.h"
#include "tests/plugins/fake_host.h"

#include "core/sys/sim.h"

struct format_case {
    const char *options;
    const char *input;
    uint64_t length; /* 0: strlen */
    const char *rows;
    const char *rejects;
    int null_on_error;
};

static void run_case(fake_entry_fn entry, const struct format_case *c, uint64_t piece,
                     uint64_t max_records)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    uint64_t n = c->length ? c->length : strlen(c->input);
    int32_t status = fake_create(&fake, sys, entry, NULL, c->options);
    if (status != WEIR_OK) fail_msg("create: %s", fake.error.text);
    status = fake_bind_decode(&fake, NULL, c->null_on_error);
    if (status != WEIR_OK) fail_msg("bind: %s", fake.error.text);
    status = fake_decode(&fake, c->input, n, piece, max_records);
    if (status != WEIR_OK) fail_msg("decode: %s", fake.error.text);
    if (strcmp(fake_rows(&fake), c->rows) != 0 || strcmp(fake_rejects(&fake), c->rejects) != 0)
        print_error("case {%s} \"%s\" in pieces of %llu\n", c->options, c->input,
                    (unsigned long long)piece);
    assert_string_equal(fake_rows(&fake), c->rows);
    assert_string_equal(fake_rejects(&fake), c->rejects);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static WEIR_UNUSED void run_cases(fake_entry_fn entry, const struct format_case *cases, size_t n)
{
    static const uint64_t pieces[] = { 0, 1, 3, 64 };
    size_t i, k;
    for (i = 0; i < n; i++) {
        for (k = 0; k < sizeof pieces / sizeof *pieces; k++)
            run_case(entry, &cases[i], pieces[k], UINT64_MAX);
        run_case(entry, &cases[i], 0, 1);
        run_case(entry, &cases[i], 5, 2);
    }
}

#define RUN_CASES(entry, cases) run_cases(entry, cases, sizeof(cases) / sizeof *(cases))

/* The class of bind_decode (or of create) with these options, and its text. */
static WEIR_UNUSED void expect_refusal(fake_entry_fn entry, const char *options, const char *text)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    int32_t status = fake_create(&fake, sys, entry, NULL, options);
    if (status == WEIR_OK) status = fake_bind_decode(&fake, NULL, 0);
    assert_int_equal(status, WEIR_CONFIG);
    if (!strstr(fake.error.text, text)) fail_msg("'%s' lacks '%s'", fake.error.text, text);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static WEIR_UNUSED void expect_encoded(fake_entry_fn entry, const char *options, const char *ddl,
                                       const char *rows, const char *text)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    assert_int_equal(fake_create(&fake, sys, entry, NULL, options), WEIR_OK);
    if (fake_encode(&fake, ddl, rows) != WEIR_OK) fail_msg("%s", fake.error.text);
    assert_string_equal(fake_text(&fake.bytes), text);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* One chunk can't be encoded: bad rows, for a reason that says `why`. */
static WEIR_UNUSED void expect_not_encoded(fake_entry_fn entry, const char *options,
                                           const char *ddl, const char *rows, const char *why)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    assert_int_equal(fake_create(&fake, sys, entry, NULL, options), WEIR_OK);
    assert_int_equal(fake_encode(&fake, ddl, rows), WEIR_DATA);
    assert_non_null(strstr(fake.error.text, why));
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* Hostile input: must neither crash nor hang, whatever comes out. Every truncation of `sample`,
 * then `n` random mutations of it. */
static WEIR_UNUSED void run_hostile(fake_entry_fn entry, const char *options, const char *sample,
                                    uint32_t n)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    size_t length = strlen(sample), i;
    uint64_t state = 0x9E3779B97F4A7C15ull;
    uint8_t *bytes = malloc(length + 8);
    struct fake fake;
    assert_non_null(bytes);
    assert_int_equal(fake_create(&fake, sys, entry, NULL, options), WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
    fake.quiet = 1;
    for (i = 0; i <= length; i++) {
        (void)fake_decode(&fake, sample, i, 0, UINT64_MAX);
        weir_error_init(&fake.error);
    }
    for (; n > 0; n--) {
        uint32_t changes = 1 + (uint32_t)(state >> 60) % 4;
        size_t m = length;
        memcpy(bytes, sample, length);
        while (changes--) {
            static const char spice[] = "\"\\{}[],:\n\r\0 0-e.\xEF\xFF\x80tfn";
            size_t at;
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            at = (size_t)(state >> 32) % m;
            switch (state & 3) {
            case 0: bytes[at] = (uint8_t)(state >> 8); break;
            case 1: bytes[at] = (uint8_t)spice[(state >> 8) % (sizeof spice - 1)]; break;
            case 2: memmove(bytes + at, bytes + at + 1, --m - at); break;
            default: bytes[at] ^= (uint8_t)(1u << (state >> 8 & 7));
            }
            if (m == 0) m = 1;
        }
        (void)fake_decode(&fake, bytes, m, n % 3 ? 0 : 7, n % 5 ? UINT64_MAX : 3);
        weir_error_init(&fake.error);
    }
    free(bytes);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

/* Mutations in a test run: WEIR_SWEEP=full does all of them. */
static WEIR_UNUSED uint32_t mutations(void)
{
    const char *sweep = getenv("WEIR_SWEEP");
    return sweep && strcmp(sweep, "full") == 0 ? 100000 : 5000;
}

#endif
