#define _GNU_SOURCE
#include "tests/plugins/format_cases.h"

#include "plugins/share/lines.h"
#include "plugins/share/text.h"

static void lines_are_rows(void **state)
{
    static const struct format_case cases[] = {
        { "", "a\nb\n", 0, "[\"a\"]\n[\"b\"]\n", "", 0 },
        { "", "a\nb", 0, "[\"a\"]\n[\"b\"]\n", "", 0 },
        { "", "", 0, "", "", 0 },
        { "", "\n\n", 0, "[\"\"]\n[\"\"]\n", "", 0 },
        { "", "a\r\nb\r\n", 0, "[\"a\"]\n[\"b\"]\n", "", 0 },
        { "", "a\rb\n\r\n", 0, "[\"a\\rb\"]\n[\"\"]\n", "", 0 },
        { "", "\xEF\xBB\xBFhi\n", 0, "[\"hi\"]\n", "", 0 },
        { "", "hi\n\xEF\xBB\xBFho\n", 0, "[\"hi\"]\n[\"\xEF\xBB\xBFho\"]\n", "", 0 },
        { "", "\xEF\xBB\xBF", 0, "", "", 0 },
        { "", "a\0b\n", 4, "[\"a\\u0000b\"]\n", "", 0 },
        { "", "gr\xC3\xBC\xC3\x9F\n", 0, "[\"gr\xC3\xBC\xC3\x9F\"]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_text, cases);
}

static void what_is_not_utf8_is_rejected_or_mended(void **state)
{
    static const struct format_case cases[] = {
        { "", "a\n\xFF\nb\n", 0, "[\"a\"]\n[\"b\"]\n", "3 not UTF-8|\xFF\n", 0 },
        { "", "\xC3\n\xA4\n", 0, "", "3 not UTF-8|\xC3\n3 not UTF-8|\xA4\n", 0 },
        { "\"invalid\": \"replace\"", "a\nx\xFFy\nb\n", 0,
          "[\"a\"]\n[\"x\xEF\xBF\xBDy\"]\n[\"b\"]\n", "", 0 },
        { "\"invalid\": \"replace\"", "\xE2\x82", 0, "[\"\xEF\xBF\xBD\"]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_text, cases);
}

static void a_separator_of_ones_own_ends_records(void **state)
{
    static const struct format_case cases[] = {
        { "\"separator\": \"||\"", "a\n||b||", 0, "[\"a\\n\"]\n[\"b\"]\n", "", 0 },
        { "\"separator\": \";\"", "a\r;;b", 0, "[\"a\\r\"]\n[\"\"]\n[\"b\"]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_text, cases);
}

static void a_record_over_the_limit_is_rejected_and_the_next_one_read(void **state)
{
    static const struct format_case c = { "\"max_record\": \"10\"",
                                          "short\n0123456789abcdef\nnext\n", 0,
                                          "[\"short\"]\n[\"next\"]\n",
                                          "4 over max_record|0123456789a\n", 0 };
    (void)state;
    run_case(entry_format_text, &c, 1, UINT64_MAX);
}

static void vector_and_plain_scans_agree(void **state)
{
    uint8_t text[500 + 64];
    uint32_t a[600], b[600];
    uint64_t seed = 7;
    int round;
    (void)state;
    for (round = 0; round < 3000; round++) {
        uint64_t n, sa, sb, i;
        uint32_t most, na, nb;
        int ha = 0, hb = 0;
        for (i = 0; i < sizeof text; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[i] = seed >> 61 == 0 ? '\n' : round % 3 ? 'x' : (uint8_t)(seed >> 40);
        }
        n = (seed >> 33) % 500;
        most = 1 + (uint32_t)((seed >> 20) % 64);
        if (round % 2) most = 512;
        na = lines_scan(text, n, a, most, &sa, &ha);
        nb = lines_scan_plain(text, n, b, most, &sb, &hb);
        if (n == 0) continue;
        assert_int_equal(na, nb);
        assert_memory_equal(a, b, na * sizeof *a);
        assert_int_equal(sa, sb);
        assert_int_equal(ha, hb);
    }
}

static void vector_and_plain_counts_agree(void **state)
{
    uint8_t text[300 + 64];
    uint64_t seed = 11;
    int round;
    (void)state;
    for (round = 0; round < 6000; round++) {
        uint64_t n, most, a, b, na, nb, i;
        for (i = 0; i < sizeof text; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[i] = (uint8_t)"\n\rxx\n\ryz"[seed >> 61];
            if (round % 4 == 0 && seed >> 59 & 3) text[i] = 'x';
        }
        n = (seed >> 33) % 300;
        most = 1 + (seed >> 20) % 80;
        a = lines_skip(text, n, most, round & 1, &na);
        b = lines_skip_plain(text, n, most, round & 1, &nb);
        assert_int_equal(na, nb);
        assert_int_equal(a, b);
    }
}

static void lines_are_counted_by_the_vector_unit_as_without(void **state)
{
    static uint8_t text[20000 + 64];
    uint64_t seed = 9;
    (void)state;
    for (uint32_t round = 0; round < 400; round++) {
        const uint32_t n = round < 300 ? round : 300 + (uint32_t)(seed >> 33) % 19700;
        int a = 0, b = 0;
        for (uint32_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[i] = round % 3 == 0 ? '\n' : (uint8_t)"\nabcdefg"[seed >> 61];
        }
        if (n && round & 1) text[(seed >> 20) % n] = 0xc3;
        assert_int_equal(lines_count(text, n, &a), lines_count_plain(text, n, &b));
        assert_int_equal(a, b);
    }
}

static int holds(const char *line, size_t n, const char *part)
{
    return memmem(line, n, part, strlen(part)) != NULL;
}

/* Decodes with and without a condition: what is left out must be what does not fulfil it, and what
 * is rejected the same. */
static void compare_with_condition(const char *text, uint64_t n, const char *conjunct, const char *part)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake all, some;
    char *want = malloc(n * 2 + 1000), *to = want, *got = malloc(n * 2 + 1000), *end = got;
    assert_int_equal(fake_create(&all, sys, entry_format_text, NULL, ""), WEIR_OK);
    assert_int_equal(fake_bind_decode(&all, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&all, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake_create(&some, sys, entry_format_text, NULL, ""), WEIR_OK);
    some.conjunct = conjunct;
    assert_int_equal(fake_bind_decode(&some, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&some, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(some.n_rows + some.n_left_out, all.n_rows);
    assert_string_equal(fake_rejects(&some), fake_rejects(&all));
    for (const char *at = fake_rows(&all); *at;) {
        const char *feed = strchr(at, '\n');
        if (holds(at, (size_t)(feed - at), part)) to = mempcpy(to, at, (size_t)(feed - at) + 1);
        at = feed + 1;
    }
    for (const char *at = fake_rows(&some); *at;) { /* the condition need not be used */
        const char *feed = strchr(at, '\n');
        if (holds(at, (size_t)(feed - at), part)) end = mempcpy(end, at, (size_t)(feed - at) + 1);
        at = feed + 1;
    }
    *to = *end = 0;
    assert_string_equal(got, want);
    free(want);
    free(got);
    fake_destroy(&all);
    fake_destroy(&some);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void lines_without_the_text_are_left_out(void **state)
{
    static const char *const pieces[] = { "ab", "x", "\n", "\r\n", "NEEDLE", "NEED", "LE", "\n\n", "ccccccccccc",
                                          "\r" };
    static const char *const conjuncts[] = { "contains(value, 'NEEDLE')", "contains(\"value\", 'x')",
                                             "contains(value, 'ccNEED')" };
    static const char *const parts[] = { "NEEDLE", "x", "ccNEED" };
    static char text[400000 + 64];
    uint64_t seed = 4;
    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        const uint64_t most = round < 40 ? round * 13 : 70000 + round * 2000;
        uint64_t n = 0;
        while (n < most) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            const char *piece = round % 4 == 3 && seed >> 55 == 7 ? (seed >> 50 & 1 ? "\xff" : "\xc3\xa4")
                                : round % 5 == 4 && n < most / 2 ? "a long piece of a line"
                                                                 : pieces[(seed >> 33) % 10];
            n = (uint64_t)((char *)mempcpy(text + n, piece, strlen(piece)) - text);
        }
        memset(text + n, 0, 64);
        compare_with_condition(text, n, conjuncts[round % 3], parts[round % 3]);
    }
}

static void many_lines_make_several_chunks(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    char *text = malloc(200000);
    uint32_t i;
    (void)state;
    for (i = 0; i < 20000; i++) memcpy(text + 10 * i, "123456789\n", 10);
    assert_int_equal(fake_create(&fake, sys, entry_format_text, NULL, ""), WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, text, 200000, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake.n_rows, 20000);
    assert_int_equal(fake.n_emits, 3);
    free(text);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void rows_become_lines(void **state)
{
    (void)state;
    expect_encoded(entry_format_text, "", "v string", "[[\"a\"],[null],[\"b c\"]]", "a\n\nb c\n");
}

static void hostile_text_is_survived(void **state)
{
    (void)state;
    run_hostile(entry_format_text, "", "some line\nanother \xC3\xA4 one\r\n\nlast", mutations());
    run_hostile(entry_format_text, "\"invalid\": \"replace\", \"separator\": \"xy\"",
                "somexyline\nanotherxyx\xC3\xA4 one\r\n\nlast", mutations() / 4);
}

static void floats_are_written_with_the_fewest_digits(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.0, "0.0" }, { -0.0, "-0.0" }, { 1, "1.0" }, { 0.1, "0.1" }, { 100, "100.0" },
        { 1e7, "1.0E7" }, { 9999999, "9999999.0" }, { 1e-3, "0.001" }, { 9.99e-4, "9.99E-4" },
        { 1e20, "1.0E20" }, { 1.5e300, "1.5E300" }, { 5e-324, "5.0E-324" },
        { 1.0 / 3, "0.3333333333333333" },
        { 123456.789, "123456.789" }, { -2.5, "-2.5" }, { 0.05, "0.05" },
        { 12345678.5, "1.23456785E7" },
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TEXT_OF_FLOAT + 1];
        double back;
        text[float_to_text(cases[i].value, text)] = 0;
        assert_string_equal(text, cases[i].text);
        assert_true(text_to_float(text, strlen(text), &back));
        assert_true(back == cases[i].value);
    }
}

static void times_are_read_as_iso_8601(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 }, { "1970-01-02", 86400000000 },
        { "1970-01-01 00:00:01", 1000000 }, { "1970-01-01t00:00:00.5z", 500000 },
        { "1970-01-01T02:00:00+02", 0 }, { "1970-01-01T02:00:00+0200", 0 },
        { "1970-01-01T02:00:00+02:00", 0 }, { "1970-01-01T00:00:00.1234567Z", 123456 },
        { "1970-01-01T24:00:00Z", -1 }, { "1970-01-01T00:00:60Z", -1 }, { "1970-13-01", -1 },
        { "1970-02-29", -1 }, { "1972-02-29", 68169600000000 }, { "19700101T000000Z", -1 },
        { "1970-01-01T", -1 }, { "1970-01-01T00:00:00.", -1 }, { "0000-01-01", -1 }, { "", -1 },
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        int ok = text_to_timestamp(cases[i].text, strlen(cases[i].text), &us);
        if (ok != (cases[i].us >= 0) || (ok && us != cases[i].us))
            fail_msg("'%s': %d %lld", cases[i].text, ok, (long long)us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_rows),
        cmocka_unit_test(what_is_not_utf8_is_rejected_or_mended),
        cmocka_unit_test(a_separator_of_ones_own_ends_records),
        cmocka_unit_test(a_record_over_the_limit_is_rejected_and_the_next_one_read),
        cmocka_unit_test(vector_and_plain_scans_agree),
        cmocka_unit_test(vector_and_plain_counts_agree),
        cmocka_unit_test(lines_are_counted_by_the_vector_unit_as_without),
        cmocka_unit_test(lines_without_the_text_are_left_out),
        cmocka_unit_test(many_lines_make_several_chunks),
        cmocka_unit_test(rows_become_lines),
        cmocka_unit_test(hostile_text_is_survived),
        cmocka_unit_test(floats_are_written_with_the_fewest_digits),
        cmocka_unit_test(times_are_read_as_iso_8601),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
