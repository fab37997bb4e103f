/*
 * test_rate.c - PID rate control against rates worked out from its formula: time, records,
 * processing and scheduling delay (ms) of batches in a row, and the rate after each (-1: none). The
 * runs are like those of Spark's PIDRateEstimatorSuite.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/run/rate.h"

struct update {
    int64_t time_ms;
    uint64_t records;
    int64_t processing_ms, scheduling_ms;
    double rate;
};

static void rates_follow(struct rate rate, const struct update *updates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct update *u = &updates[i];
        double got = rate_update(&rate, u->time_ms * 1000, u->records, u->processing_ms * 1000,
                                 u->scheduling_ms * 1000);
        if (u->rate < 0 ? got >= 0 : fabs(got - u->rate) > 1e-9 * u->rate)
            fail_msg("update %zu: %.17g, not %.17g", i, got, u->rate);
    }
}

static void overload_then_recovery(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 1000, 10000, 800, 0, -1 },
        { 2000, 10000, 1500, 0, 6666.666666666667 },
        { 3500, 10000, 1500, 500, 6000.0 },
        { 5000, 9000, 1400, 1000, 5142.857142857143 },
        { 6400, 6000, 900, 1400, 4800.0 },
        { 7300, 5000, 700, 1300, 5285.714285714286 },
        { 8000, 4000, 600, 1000, 5333.333333333334 },
        { 9000, 6500, 900, 0, 7222.222222222223 },
        { 10000, 7000, 950, 0, 7368.421052631579 },
    };
    struct rate rate;
    rate_init(&rate, 1000000, 1.0, 0.2, 0.0, 100.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

static void never_below_min_rate(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 0, 1, 20, 100, -1 },
        { 20, 1, 20, 100, 5.0 },
        { 40, 1, 20, 100, 5.0 },
        { 60, 1, 20, 100, 5.0 },
        { 80, 1, 20, 100, 5.0 },
        { 100, 1, 20, 100, 5.0 },
        { 120, 1, 20, 100, 5.0 },
        { 140, 1, 20, 100, 5.0 },
        { 160, 1, 20, 100, 5.0 },
        { 180, 1, 20, 100, 5.0 },
        { 200, 1, 20, 100, 5.0 },
        { 220, 1, 20, 100, 5.0 },
    };
    struct rate rate;
    rate_init(&rate, 20000, 1.0, 1.0, 0.0, 5.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

static void time_zero(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 0, 1000, 500, 0, -1 },
        { 1, 1000, 500, 0, 2000.0 },
    };
    struct rate rate;
    rate_init(&rate, 1000000, 1.0, 0.2, 0.0, 100.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

static void all_terms(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 564, 18, 511, 363, -1 },
        { 972, 1996, 626, 894, 2006.8248628279712 },
        { 1252, 2440, 115, 165, 23876.87757399607 },
        { 1525, 97, 123, 504, 20.0 },
        { 2313, 2348, 42, 606, 39433.773677581834 },
        { 2927, 2773, 632, 665, 20.0 },
        { 3681, 4383, 236, 623, 18582.16265409665 },
        { 4427, 3856, 583, 888, 20.0 },
        { 5422, 4922, 237, 734, 12404.213341816587 },
        { 5675, 178, 646, 791, 20.0 },
        { 6199, 747, 449, 692, 4586.662587910652 },
        { 6822, 131, 688, 865, 20.0 },
    };
    struct rate rate;
    rate_init(&rate, 500000, 0.8, 0.3, 0.15, 20.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

static void no_time_difference(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 0, 10, 10, 0, -1 },
        { 10, 10, 10, 0, 1000.0 },
        { 10, 10, 10, 0, -1 },
    };
    struct rate rate;
    rate_init(&rate, 20000, 1.0, 0.0, 0.0, 10.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

static void no_processing_time(void **state)
{
    (void)state;
    static const struct update updates[] = {
        { 0, 10, 10, 0, -1 },
        { 10, 10, 0, 0, -1 },
        { 20, 10, -10, 0, -1 },
    };
    struct rate rate;
    rate_init(&rate, 20000, 1.0, 0.0, 0.0, 10.0);
    rates_follow(rate, updates, sizeof updates / sizeof *updates);
}

/* A source of 10,000 records/s before batches that take 5 ms each, now and then more, and row_us per row. The
 * greatest number of records that wait behind the first 8 seconds, in 20 seconds. */
static double greatest_backlog(int64_t interval_us, double row_us, double *longest_us)
{
    struct rate rate;
    uint64_t seed = 42;
    double limit = 0, backlog = 0, most = 0, now = 0, before = 0;
    rate_init(&rate, interval_us, 1.0, 0.2, 0.0, 100.0);
    for (*longest_us = 0; now < 20e6;) {
        double budget = limit > 0 ? limit * rate_seconds(&rate) : 1e18, waited = before;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double n = floor(budget < backlog ? (budget < 1 ? 1 : budget) : backlog);
        double processing = 5000 + n * row_us + (seed >> 61 ? 0 : (double)(seed >> 33 & 0x1fff));
        double period = processing > (double)interval_us ? processing : (double)interval_us;
        now += period;
        backlog += period / 100 - n;
        double next = rate_batch(&rate, (int64_t)now, (uint64_t)n, (int64_t)processing,
                                 (int64_t)waited);
        limit = rate_taken(limit, next);
        before = processing;
        if (now > 8e6 && backlog > most) most = backlog;
        if (now > 8e6 && processing > *longest_us) *longest_us = processing;
    }
    return most;
}

static void the_cost_of_a_batch_is_not_that_of_its_rows(void **state)
{
    (void)state;
    double longest;
    assert_true(greatest_backlog(1000, 1, &longest) < 1000); /* a tenth of a second */
    assert_true(greatest_backlog(10000, 1, &longest) < 1000);
    assert_true(greatest_backlog(1000000, 1, &longest) < 30000);
}

static void rows_that_are_slow_are_limited_all_the_same(void **state)
{
    (void)state;
    double longest;
    assert_true(greatest_backlog(1000, 1000, &longest) > 100000); /* 10 times too slow */
    assert_true(longest < 500000); /* or else it would be 20 s and more */
    assert_true(greatest_backlog(50000, 1000, &longest) > 100000);
    assert_true(longest < 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overload_then_recovery),
        cmocka_unit_test(never_below_min_rate),
        cmocka_unit_test(time_zero),
        cmocka_unit_test(all_terms),
        cmocka_unit_test(no_time_difference),
        cmocka_unit_test(no_processing_time),
        cmocka_unit_test(the_cost_of_a_batch_is_not_that_of_its_rows),
        cmocka_unit_test(rows_that_are_slow_are_limited_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
