/*
 * test_text.c - numbers, times and UTF-8 as text and back.
 */
#include "tests/core/data_rows.h"

#include "core/data/node.h"

#include <math.h>

static void assert_float(double value, const char *text)
{
    char out[32];
    double back = 0;
    assert_int_equal(text_of_float(value, out), strlen(text));
    assert_string_equal(out, text);
    assert_int_equal(float_of_text(text, strlen(text), &back), 0);
    if (!isnan(value)) assert_memory_equal(&back, &value, sizeof back);
}

static void floats_are_shown_as_java_does(void **state)
{
    (void)state;
    assert_float(0.0, "0.0");
    assert_float(-0.0, "-0.0");
    assert_float(1.0, "1.0");
    assert_float(-1.5, "-1.5");
    assert_float(100.0, "100.0");
    assert_float(0.1, "0.1");
    assert_float(0.1 + 0.2, "0.30000000000000004");
    assert_float(1.0 / 3, "0.3333333333333333");
    assert_float(0.001, "0.001");
    assert_float(0.0012345, "0.0012345");
    assert_float(0.000999, "9.99E-4");
    assert_float(9999999.0, "9999999.0");
    assert_float(9999999.999, "9999999.999");
    assert_float(1e7, "1.0E7");
    assert_float(12345678.9, "1.23456789E7");
    assert_float(1e20, "1.0E20");
    assert_float(123456789012345680.0, "1.2345678901234568E17");
    assert_float(1e22, "1.0E22");
    assert_float(1e23, "1.0E23");
    assert_float(9007199254740993.0, "9.007199254740992E15");
    assert_float(1.7976931348623157e308, "1.7976931348623157E308");
    assert_float(2.2250738585072014e-308, "2.2250738585072014E-308");
    assert_float(5e-324, "4.9E-324");
    assert_float(1e-10, "1.0E-10");
    assert_float(2.98023223876953125e-8, "2.9802322387695312E-8");
    assert_float(NAN, "NaN");
    assert_float(INFINITY, "Infinity");
    assert_float(-INFINITY, "-Infinity");
}

/* A million doubles; WEIR_FLOATS sets another number. */
static void any_double_comes_back_from_its_text(void **state)
{
    const char *floats = getenv("WEIR_FLOATS");
    uint64_t seed = 42, i, n = floats ? strtoull(floats, NULL, 10) : 1000000;
    (void)state;
    for (i = 0; i < n; i++) {
        uint64_t bits = chance(&seed);
        double value, back = 0;
        char text[32];
        uint32_t length;
        if (i % 4 == 1) bits = (bits & 0xfffff) | 0x3ff0000000000000ull; /* few digits of a kind */
        if (i % 4 == 2) bits &= 0x800fffffffffffffull;                   /* subnormal */
        memcpy(&value, &bits, sizeof value);
        if (i % 4 == 3) value = (double)(int64_t)(bits >> 30) / 1000;
        if (isnan(value)) continue;
        length = text_of_float(value, text);
        if (length > 25 || float_of_text(text, length, &back) ||
            memcmp(&value, &back, sizeof back) != 0)
            fail_msg("%a: %s: %a", value, text, back);
    }
}

/* The three ways to the digits give what printf's shortest form that reads back would. */
static void the_digits_are_the_nearest_of_their_length(void **state)
{
    uint64_t seed = 17, i;
    (void)state;
    for (i = 0; i < 100000; i++) {
        double value = (double)(chance(&seed) >> 11) / (double)(1ull << 53);
        char text[32], want[40], got[40];
        double scale;
        int precision;
        for (scale = 1; chance(&seed) % 20; scale *= 10) continue;
        value = i % 64 == 0 ? 1.0 / (double)(1ull << i / 64 % 64) : value * scale * 1e-7;
        if (value == 0) continue;
        for (precision = 2; precision < 17; precision++) {
            snprintf(want, sizeof want, "%.*e", precision - 1, value);
            if (strtod(want, NULL) == value) break;
        }
        snprintf(want, sizeof want, "%.*e", precision - 1, value);
        text_of_float(value, text);
        snprintf(got, sizeof got, "%.*e", precision - 1, strtod(text, NULL));
        assert_string_equal(got, want);
        if (i % 64 && strtod(text, NULL) == value) { /* same number of digits */
            int digits = 0, c, zeros = 0, any = 0;
            for (c = 0; text[c] && text[c] != 'E'; c++)
                if (text[c] >= '0' && text[c] <= '9') {
                    any |= text[c] != '0';
                    digits += any;
                    zeros = text[c] == '0' ? zeros + 1 : 0;
                }
            if (digits - (zeros < digits ? zeros : 0) > precision)
                fail_msg("%s for %s", text, want);
        }
    }
}

static void no_shorter_text_would_do(void **state)
{
    uint64_t seed = 7, i;
    (void)state;
    for (i = 0; i < 20000; i++) {
        uint64_t bits = chance(&seed);
        double value;
        char text[32], shorter[40];
        int digits = 0, c;
        memcpy(&value, &bits, sizeof value);
        if (i % 2) value = (double)(int64_t)(bits >> 30) / 1000;
        if (!isfinite(value) || value == 0) continue;
        text_of_float(value, text);
        for (c = 0; text[c] && text[c] != 'E'; c++) digits += text[c] >= '0' && text[c] <= '9';
        if (digits < 15) continue;
        snprintf(shorter, sizeof shorter, "%.*e", 13, value); /* 14 digits */
        assert_true(strtod(shorter, NULL) != value);
    }
}

static void assert_no_float(const char *text, int want)
{
    double value;
    if (float_of_text(text, strlen(text), &value) != want) fail_msg("'%s'", text);
}

static void only_decimal_text_is_a_float(void **state)
{
    static const char *const bad[] = { "",      " ",     "x",      "1x",     "0x10", "1e",  "1e+",
                                       "e5",    ".",     "-",      "+",      "--1",  "1.2.3", "1,5",
                                       "nan",   "inf",   "Inf",    "infinity", "+Infinity", "-NaN",
                                       "1f",
                                       "1d",    "NaN(1)", "1 2",   "1_000",  "0b1",  "1e5.0" };
    double v;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) assert_no_float(bad[i], -1);
    assert_no_float("1e400", -2);
    assert_no_float("-1e400", -2);
    assert_no_float("1e99999999999999999999", -2);
    assert_int_equal(float_of_text("1e-400", 6, &v), 0);
    assert_true(v == 0 && !signbit(v));
    assert_int_equal(float_of_text("-1e-99999999999999999999", 24, &v), 0);
    assert_true(v == 0 && signbit(v));
    assert_int_equal(float_of_text("\t +1.50e+2\r\n", 12, &v), 0);
    assert_true(v == 150);
    assert_int_equal(float_of_text(".5", 2, &v), 0);
    assert_true(v == 0.5);
    assert_int_equal(float_of_text("5.", 2, &v), 0);
    assert_true(v == 5);
    assert_int_equal(float_of_text("0e999999", 8, &v), 0);
    assert_true(v == 0);
}

/* 2^-1074 * 1.5 lies between two doubles; only its last of 768 digits decides against a tie. */
static void long_decimals_are_rounded_exactly(void **state)
{
    char text[4000];
    double v, w;
    int i;
    (void)state;
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17); /* between ...992 and ...994: a tie goes to even */
    assert_int_equal(float_of_text(text, 3999, &v), 0);
    assert_true(v == 9007199254740992.0);
    text[3000] = '1';
    assert_int_equal(float_of_text(text, 3999, &v), 0);
    assert_true(v == 9007199254740994.0);
    memset(text, '3', sizeof text);
    assert_int_equal(float_of_text(text, 300, &v), 0);
    text[300] = 0;
    assert_true(v == strtod(text, NULL));
    memset(text, '0', sizeof text);
    text[1] = '.';
    text[2000] = '1';
    memcpy(text + 2001, "e1999", 6); /* 1 at decimal 1999 */
    assert_int_equal(float_of_text(text, 2006, &v), 0);
    assert_true(v == 1);
    for (i = 1; i < 30; i++) { /* against strtod around powers of ten */
        char buffer[64];
        snprintf(buffer, sizeof buffer, "%d234567890123456789e%d", i, 3 * i - 45);
        assert_int_equal(float_of_text(buffer, strlen(buffer), &v), 0);
        w = strtod(buffer, NULL);
        assert_true(v == w);
    }
}

/* Of each number of digits, and with another byte at each place. */
static void integers_of_each_length_are_read(void **state)
{
    static const char others[] = "/:a- .\x80";
    (void)state;
    for (uint64_t n = 1; n <= 18; n++) {
        char digits[24] = "987654321012345678";
        int64_t value = -1, expected = 0;
        for (uint64_t k = 0; k < n; k++) expected = expected * 10 + (digits[k] - '0');
        assert_int_equal(int_of_text(digits, n, &value), 0);
        assert_int_equal(value, expected);
        for (uint64_t k = 1; k + 1 < n; k++)
            for (const char *other = others; *other; other++) {
                const char kept = digits[k];
                digits[k] = *other;
                assert_int_equal(int_of_text(digits, n, &value), -1);
                digits[k] = kept;
            }
    }
}

static void integers_are_read_to_their_limits(void **state)
{
    static const struct { const char *text; int rc; int64_t value; } cases[] = {
        { "0", 0, 0 }, { "-0", 0, 0 }, { "+7", 0, 7 }, { " \t\v42\f\r\n", 0, 42 },
        { "9223372036854775807", 0, INT64_MAX }, { "-9223372036854775808", 0, INT64_MIN },
        { "9223372036854775808", -2, 0 }, { "-9223372036854775809", -2, 0 },
        { "99999999999999999999999999", -2, 0 }, { "99999999999999999999999999x", -1, 0 },
        { "000000000000000000000000001", 0, 1 },
        { "", -1, 0 }, { "-", -1, 0 }, { "1.0", -1, 0 }, { "1e3", -1, 0 }, { "12a", -1, 0 },
        { "1 2", -1, 0 }, { "0x1", -1, 0 }, { "\xc2\xa0" "1", -1, 0 },
    };
    size_t i;
    char text[24];
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        if (int_of_text(cases[i].text, strlen(cases[i].text), &value) != cases[i].rc ||
            value != cases[i].value)
            fail_msg("'%s'", cases[i].text);
    }
    assert_int_equal(text_of_int(INT64_MIN, text), 20);
    assert_string_equal(text, "-9223372036854775808");
    text_of_int(INT64_MAX, text);
    assert_string_equal(text, "9223372036854775807");
    text_of_int(0, text);
    assert_string_equal(text, "0");
}

#define SECOND 1000000ll
#define BAD INT64_MIN
#define RANGE (INT64_MIN + 1)

static void timestamps_are_read_as_iso_8601(void **state)
{
    static const struct { const char *text; int64_t us; } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01 00:00:00", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1970-01-01", 0 },
        { " 1970-01-01T00:01 ", 60 * SECOND },
        { "1970-01-01T00:00:01.5Z", 1500000 },
        { "1970-01-01T00:00:00.123456Z", 123456 },
        { "1970-01-01T00:00:00.1234569Z", 123456 },
        { "1970-01-01T00:00:00.000000999999999Z", 0 },
        { "1969-12-31T23:59:59.999999Z", -1 },
        { "1970-01-01T02:00:00+02", 0 },
        { "1970-01-01T02:00:00+0200", 0 },
        { "1970-01-01T02:00:00+02:00", 0 },
        { "1969-12-31T18:30:00-05:30", 0 },
        { "2024-02-29T00:00:00Z", 1709164800 * SECOND },
        { "2000-02-29", 951782400 * SECOND },
        { "0001-01-01T00:00:00Z", TIMESTAMP_MIN },
        { "9999-12-31T23:59:59.999999Z", TIMESTAMP_MAX },
        { "0001-01-01T00:00:00+00:01", RANGE },
        { "9999-12-31T23:59:59-00:01", RANGE },
        { "0000-12-31T00:00:00Z", RANGE },
        { "0000-12-31T99:00:00Z", BAD },
        { "10000-01-01T00:00:00Z", BAD },
        { "-001-01-01T00:00:00Z", BAD },
        { "2023-02-29", BAD },
        { "1900-02-29", BAD },
        { "2024-13-01", BAD },
        { "2024-00-01", BAD },
        { "2024-01-00", BAD },
        { "2024-04-31", BAD },
        { "2024-1-1", BAD },
        { "20240101T000000Z", BAD },
        { "2024-01-01T24:00:00Z", BAD },
        { "2024-01-01T23:59:60Z", BAD },
        { "2024-01-01T23:60:00Z", BAD },
        { "2024-01-01T1:00:00Z", BAD },
        { "2024-01-01T01", BAD },
        { "2024-01-01T", BAD },
        { "2024-01-01Z", BAD },
        { "2024-01-01T00:00:00.Z", BAD },
        { "2024-01-01T00:00:00 Z", BAD },
        { "2024-01-01  00:00:00", BAD },
        { "2024-01-01T00:00:00+2", BAD },
        { "2024-01-01T00:00:00+02:", BAD },
        { "2024-01-01T00:00:00+02:0", BAD },
        { "2024-01-01T00:00:00+24:00", BAD },
        { "2024-01-01T00:00:00+02:60", BAD },
        { "2024-01-01T00:00:00ZZ", BAD },
        { "2024-01-01T00:00:00Europe/Berlin", BAD },
        { "1704067200", BAD },
        { "", BAD },
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 5;
        int rc = timestamp_of_text(cases[i].text, strlen(cases[i].text), &us);
        int want = cases[i].us == BAD ? -1 : cases[i].us == RANGE ? -2 : 0;
        if (rc != want || (rc == 0 && us != cases[i].us)) fail_msg("'%s': %d", cases[i].text, rc);
    }
}

static void assert_timestamp(int64_t us, const char *want)
{
    char text[40];
    assert_int_equal(text_of_timestamp(us, text), strlen(want));
    assert_string_equal(text, want);
}

static void timestamps_are_shown_with_0_3_or_6_digits(void **state)
{
    (void)state;
    assert_timestamp(0, "1970-01-01T00:00:00Z");
    assert_timestamp(1704164645678000, "2024-01-02T03:04:05.678Z");
    assert_timestamp(1704164645678001, "2024-01-02T03:04:05.678001Z");
    assert_timestamp(1704164645000001, "2024-01-02T03:04:05.000001Z");
    assert_timestamp(-1, "1969-12-31T23:59:59.999999Z");
    assert_timestamp(TIMESTAMP_MIN, "0001-01-01T00:00:00Z");
    assert_timestamp(TIMESTAMP_MAX, "9999-12-31T23:59:59.999999Z");
    assert_timestamp(INT64_MAX, "294247-01-10T04:00:54.775807Z");
    assert_timestamp(INT64_MIN, "-290308-12-21T19:59:05.224192Z");
}

static void every_day_comes_back_from_its_text(void **state)
{
    int32_t days, back;
    char text[40];
    (void)state;
    for (days = DATE_MIN; days <= DATE_MAX; days++) {
        uint32_t n = text_of_date(days, text);
        if (n != 10 || date_of_text(text, n, &back) || back != days) fail_msg("%d: %s", days, text);
    }
    text_of_date(INT32_MAX, text);
    assert_string_equal(text, "5881580-07-11");
    text_of_date(INT32_MIN, text);
    assert_string_equal(text, "-5877641-06-23");
    assert_int_equal(date_of_text("2024-01-02T00:00", 16, &back), -1);
    assert_int_equal(date_of_text("0000-01-01", 10, &back), -2);
}

static void random_timestamps_come_back_from_their_text(void **state)
{
    uint64_t seed = 3, i;
    (void)state;
    for (i = 0; i < 200000; i++) {
        const uint64_t span = (uint64_t)(TIMESTAMP_MAX - TIMESTAMP_MIN);
        int64_t us = TIMESTAMP_MIN + (int64_t)(chance(&seed) % span);
        int64_t back = 0;
        char text[40];
        if (timestamp_of_text(text, text_of_timestamp(us, text), &back) || us != back)
            fail_msg("%s", text);
    }
}

/* ---- UTF-8 ---- */

static int valid_by_decoding(const uint8_t *p, uint64_t n)
{
    while (n) {
        uint32_t c = p[0], i;
        uint32_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
        if (more == 9 || n < more + 1) return 0;
        if (more) c &= 0x3fu >> more;
        for (i = 1; i <= more; i++) {
            if (p[i] >> 6 != 2) return 0;
            c = c << 6 | (p[i] & 0x3fu);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
        p += more + 1;
        n -= more + 1;
    }
    return 1;
}

static void utf8_is_told_from_other_bytes(void **state)
{
    uint8_t bytes[96];
    uint64_t seed = 11, valid = 0;
    uint32_t i, j;
    (void)state;
    for (i = 0; i < 1u << 24; i += 7) { /* all kinds of short sequences, in ASCII at any place */
        uint8_t *p = bytes + i % 50;
        memset(bytes, 'a', sizeof bytes);
        p[0] = (uint8_t)(i >> 16), p[1] = (uint8_t)(i >> 8), p[2] = (uint8_t)i;
        if (p[0] >= 0xf0) p[3] = (uint8_t)(0x80 + i % 64);
        if (utf8_valid(bytes, 96) != valid_by_decoding(bytes, 96)) fail_msg("%06x", i);
        valid += (uint64_t)utf8_valid(bytes, 96);
    }
    assert_true(valid > 1000);
    for (i = 0; i < 300000; i++) { /* joined valid characters, then one bit flipped, then cut */
        uint32_t n = 0, flip;
        while (n < 60) {
            static const char *const some[] = { "a", "\xc3\xa4", "\xe2\x82\xac",
                                                "\xf0\x9f\x98\x80",
                                                "\xed\x9f\xbf", "\xee\x80\x80",
                                                "\xf4\x8f\xbf\xbf" };
            const char *c = some[chance(&seed) % 7];
            memcpy(bytes + n, c, strlen(c));
            n += (uint32_t)strlen(c);
        }
        assert_true(utf8_valid(bytes, n));
        flip = (uint32_t)(chance(&seed) % (n * 8));
        bytes[flip / 8] ^= (uint8_t)(1u << flip % 8);
        for (j = n; j + 4 > n; j--)
            if (utf8_valid(bytes, j) != valid_by_decoding(bytes, j)) fail_msg("round %u", i);
    }
    assert_true(utf8_valid(NULL, 0));
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(floats_are_shown_as_java_does),
        TEST(any_double_comes_back_from_its_text),
        TEST(the_digits_are_the_nearest_of_their_length),
        TEST(no_shorter_text_would_do),
        TEST(only_decimal_text_is_a_float),
        TEST(long_decimals_are_rounded_exactly),
        TEST(integers_are_read_to_their_limits),
        TEST(integers_of_each_length_are_read),
        TEST(timestamps_are_read_as_iso_8601),
        TEST(timestamps_are_shown_with_0_3_or_6_digits),
        TEST(every_day_comes_back_from_its_text),
        TEST(random_timestamps_come_back_from_their_text),
        TEST(utf8_is_told_from_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
