/* test_values.c - durations and sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/job/job.h"

struct good {
    const char *text;
    int64_t value;
};

static void a_duration_is_one_number_with_one_unit(void **state)
{
    (void)state;
    static const struct good good[] = {
        { "1ms", 1000 }, { "1s", 1000000 }, { "2m", 120000000 }, { "1h", 3600000000 },
        { "7d", 7 * 86400000000 }, { "1.5s", 1500000 }, { "0.001ms", 1 }, { "0.25h", 900000000 },
        { "106751991d", 106751991 * 86400000000 }, { "007s", 7000000 } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t us = -1;
        const char *why = NULL;
        if (parse_duration(good[i].text, 0, &us, &why) != 0) fail_msg("%s: %s", good[i].text, why);
        assert_int_equal(us, good[i].value);
    }
}

static void a_bad_duration_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const struct { const char *text, *why;
    } bad[] = { { "", "a number and a unit" },
                { "s", "a number and a unit" },
                { "-1s", "a number and a unit" },
                { " 1s", "a number and a unit" },
                { "1.s", "a number and a unit" },
                { ".5s", "a number and a unit" },
                { "10", "needs a unit" },
                { "1h30m", "not \"1h30m\"" },
                { "1 s", "none of ms" },
                { "1S", "none of ms" },
                { "1us", "none of ms" },
                { "1w", "none of ms" },
                { "1s ", "none of ms" },
                { "0s", "greater than zero" },
                { "0.0001ms", "finer" },
                { "0.1.2s", "not \"1h30m\"" },
                { "106751992d", "too large" },
                { "99999999999999999999s", "too large" },
                { "1.0000000000000000000001s", "too large" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us;
        const char *why = "";
        if (parse_duration(bad[i].text, 0, &us, &why) == 0) fail_msg("%s was taken", bad[i].text);
        if (!strstr(why, bad[i].why)) fail_msg("%s: %s", bad[i].text, why);
    }
}

static void zero_is_a_duration_where_it_is_allowed(void **state)
{
    (void)state;
    int64_t us = 1;
    const char *why;
    assert_int_equal(parse_duration("0s", 1, &us, &why), 0);
    assert_int_equal(us, 0);
}

static void a_size_has_decimal_and_binary_units(void **state)
{
    (void)state;
    static const struct good good[] = { { "0", 0 },
                                        { "17", 17 },
                                        { "1k", 1000 },
                                        { "2M", 2000000 },
                                        { "3G", 3000000000 },
                                        { "1Ki", 1024 },
                                        { "64Mi", 64 << 20 },
                                        { "10Gi", 10737418240 },
                                        { "0.5Ki", 512 },
                                        { "1.5k", 1500 },
                                        { "9223372036854775807", INT64_MAX } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t bytes = -1;
        const char *why = NULL;
        if (parse_size(good[i].text, &bytes, &why) != 0) fail_msg("%s: %s", good[i].text, why);
        assert_int_equal(bytes, good[i].value);
    }
}

static void a_bad_size_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "k",
                                       "-1",
                                       "1K",
                                       "1KB",
                                       "1Ti",
                                       "1 Mi",
                                       "1Gi2",
                                       "0.5",
                                       "0.1k1",
                                       "1.2.3k",
                                       "1e3",
                                       "9223372036854775808",
                                       "9999999999Gi",
                                       "0.3Ki" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t bytes;
        const char *why = NULL;
        if (parse_size(bad[i], &bytes, &why) == 0) fail_msg("%s was taken", bad[i]);
        assert_non_null(why);
    }
}

static void the_nearest_name_is_found_within_a_third(void **state)
{
    (void)state;
    static const char *const names[] = { "column", "columns", "into", "on", "output_mode" };
    assert_string_equal(nearest_name("colum", names, 5), "column");
    assert_string_equal(nearest_name("columms", names, 5), "columns");
    assert_string_equal(nearest_name("oclumn", names, 5), "column");
    assert_string_equal(nearest_name("itno", names, 5), "into");
    assert_string_equal(nearest_name("outputmode", names, 5), "output_mode");
    assert_null(nearest_name("frobnicate", names, 5));
    assert_null(nearest_name("x", names, 5));
    assert_null(nearest_name("", names, 5));
    assert_null(nearest_name("column", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_one_number_with_one_unit),
        cmocka_unit_test(a_bad_duration_is_refused_with_a_remedy),
        cmocka_unit_test(zero_is_a_duration_where_it_is_allowed),
        cmocka_unit_test(a_size_has_decimal_and_binary_units),
        cmocka_unit_test(a_bad_size_is_refused),
        cmocka_unit_test(the_nearest_name_is_found_within_a_third),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
