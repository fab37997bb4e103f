/*
 * test_event_time.c - windows, sessions and duplicates: what a scenario can't reach. Results don't
 * depend on how rows are cut, agree with a plain computation, and survive a lack of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "plugins/operator_aggregate/time_windows.h"
#include "tests/plugins/operator_rig.h"

const struct weir_plugin *entry_operator_aggregate(const struct weir_host *, struct weir_error *);
const struct weir_plugin *entry_operator_deduplicate(const struct weir_host *, struct weir_error *);
const struct weir_plugin *entry_function_builtin(const struct weir_host *, struct weir_error *);

#define SECOND 1000000ll
#define DDL "k string, v int64, ts timestamp"
#define TS 4u /* bit of the column */
#define SLIDING "\"window\": {\"on\": \"ts\", \"length\": \"7s\", \"slide\": \"3s\"}"
#define SESSION "\"session\": {\"on\": \"ts\", \"gap\": \"2s\"}"
#define BY_K "\"by\": [\"k\"], "
#define BY_WINDOW "\"by\": [\"window(ts, '5s') as w\"], "
#define SUMS "\"values\": [\"count(*) as n\", \"sum(v) as s\", \"max(k) as m\"], "
#define UPDATE ", \"output_mode\": \"update\""
#define COMPLETE ", \"output_mode\": \"complete\""
#define ORDERED "\"values\": [\"first(v) as f\", \"last(v) as l\", \"max(k) as m\"], "

static uint32_t seed;

static uint32_t chance(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* n rows [key, number, time of [from, from + span) ms, or null]. */
static char *some_rows(uint32_t n, uint32_t keys, uint32_t from, uint32_t span)
{
    char *text = malloc(100ull * n + 3), *at = text;
    assert_non_null(text);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t ms = from + chance(span);
        at += sprintf(at, "%s[\"key %u%s\", %u, ", i ? ", " : "[", chance(keys),
                      chance(2) ? " whose name is long" : "", i);
        if (chance(20) == 0) at += sprintf(at, "null]");
        else at += sprintf(at, "\"1970-01-01T00:%02u:%02u.%03uZ\"]", ms / 60000, ms / 1000 % 60,
                           ms % 1000);
    }
    strcpy(at, "]");
    return text;
}

/* ---- windows ---- */

static void a_time_lies_in_the_windows_that_cover_it(void **state)
{
    static const struct time_windows all[] = { { 10, 10, 0 }, { 10, 10, 5 }, { 10, 5, 0 },
                                               { 7, 3, 1 },   { 7, 7, 6 },   { 5, 1, 0 } };
    (void)state;
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int64_t t = -60; t < 60; t++) {
            const struct time_windows *w = &all[i];
            const struct window_range in = windows_of(w, t);
            const struct window_range slice = windows_of(w, slice_begin(w, t));
            for (int64_t k = -100; k < 100; k++) {
                const int64_t begin = window_begin(w, k);
                const int covers = begin <= t && t < begin + w->length;
                assert_int_equal(covers, in.first <= k && k <= in.last);
                assert_int_equal(begin + w->length <= t, k <= windows_closed(w, t));
            }
            assert_true(slice_begin(w, t) <= t);
            assert_int_equal(slice.first, in.first);
            assert_int_equal(slice.last, in.last);
        }
    assert_int_equal(windows_closed(&all[0], WEIR_WATERMARK_NONE), INT64_MIN);
}

/* ---- cuts ---- */

struct play {
    rig_entry_fn entry;
    const char *name, *options;
};

/* Three batches and the end of time, each with the watermark of the one before. */
static char *played(const struct play *play, struct rig_cut cut)
{
    static const uint32_t until[] = { 20, 32, 55, 1000 };
    struct rig rig;
    memset(&rig, 0, sizeof rig);
    rig.functions = entry_function_builtin;
    rig.time_columns = TS;
    rig.delay_us = 5 * SECOND;
    rig.late_us = rig.evict_us = WEIR_WATERMARK_NONE;
    seed = 7;
    if (rig_open(&rig, play->entry, play->name, play->options, DDL, NULL) != WEIR_OK)
        fail_msg("%s: %s", rig.error.option, rig.error.text);
    for (uint32_t b = 0; b < 4; b++) {
        char *rows = b < 3 ? some_rows(300, 9, b * 10000, 25000) : strdup("[]");
        const char *list[4] = { rows };
        if (rig_batch(&rig, list, cut) != WEIR_OK) fail_msg("%s", rig.error.text);
        rig.late_us = rig.evict_us;
        rig.evict_us = (int64_t)until[b] * SECOND;
        free(rows);
    }
    assert_int_equal(rig_feed(&rig, "[]"), WEIR_OK);
    char *all = strdup(rig_rows(&rig));
    assert_true(rig.n_rows > 10);
    rig_close(&rig);
    return all;
}

static void results_do_not_depend_on_the_cut(void **state)
{
    static const struct play plays[] = {
        { entry_operator_aggregate, "aggregate", BY_K SUMS SLIDING },
        { entry_operator_aggregate, "aggregate", BY_K SUMS SLIDING ", \"late\": \"late\"" },
        { entry_operator_aggregate, "aggregate", BY_K SUMS SLIDING UPDATE },
        { entry_operator_aggregate, "aggregate", BY_K SUMS SLIDING COMPLETE },
        { entry_operator_aggregate, "aggregate", BY_K ORDERED SLIDING },
        { entry_operator_aggregate, "aggregate", SUMS SLIDING ", \"late\": \"late\"" },
        { entry_operator_aggregate, "aggregate", BY_K ORDERED SLIDING ", \"late\": \"late\"" },
        { entry_operator_aggregate, "aggregate", BY_K ORDERED SESSION },
        { entry_operator_aggregate, "aggregate", BY_K ORDERED SESSION ", \"late\": \"late\"" },
        { entry_operator_aggregate, "aggregate", BY_K SUMS SESSION COMPLETE },
        { entry_operator_deduplicate, "deduplicate", "\"by\": [\"k\"]" },
        { entry_operator_deduplicate, "deduplicate", "\"by\": [\"v % 7 as v\", \"ts\"]" },
    };
    static const struct rig_cut cuts[] = { { 1, 1, 0 }, { 7, 1, 1 }, { 0, 1, 1 } };
    (void)state;
    for (uint32_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        char *expected = played(&plays[i], (struct rig_cut){ 0 });
        for (uint32_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
            char *got = played(&plays[i], cuts[c]);
            if (strcmp(got, expected) != 0) fail_msg("%s, cut %u", plays[i].options, c);
            free(got);
        }
        free(expected);
    }
}

/* By slices, by windows and by rows is the same. */
static void all_ways_to_compute_a_window_agree(void **state)
{
    static const struct play by_slices = { entry_operator_aggregate, "aggregate",
                                           BY_K "\"values\": [\"count(*) as n\"], " SLIDING };
    static const struct play by_rows = {
        entry_operator_aggregate, "aggregate",
        BY_K "\"values\": [\"case when first(v) = -1 then 0 else count(*) end as n\"], " SLIDING
    };
    (void)state;
    char *a = played(&by_slices, (struct rig_cut){ 0 });
    char *b = played(&by_rows, (struct rig_cut){ 0 });
    uint64_t lines = 0;
    for (char *line = strtok(a, "\n"); line; line = strtok(NULL, "\n"), lines++)
        if (!strstr(b, line)) fail_msg("%s", line);
    for (char *at = b; (at = strchr(at, '\n')); at++) lines--;
    assert_int_equal(lines, 0);
    free(a);
    free(b);
}

/* ---- sessions ---- */

#define KEYS 5
#define MOMENTS 400

/* Sessions by a line of half moments per key, which are covered where the gap of a row reaches:
 * [0, 5) and [5, 6) touch, between [0, 5) and [6, 7) there is a hole. */
static void sessions_are_what_covers_time_without_a_hole(void **state)
{
    struct rig rig;
    char rows[64 * 40];
    (void)state;
    for (uint32_t round = 0; round < 40; round++) {
        static uint8_t covered[KEYS][2 * MOMENTS];
        uint32_t sessions = 0;
        memset(&rig, 0, sizeof rig);
        memset(covered, 0, sizeof covered);
        rig.functions = entry_function_builtin;
        seed = round;
        assert_int_equal(rig_open(&rig, entry_operator_aggregate, "aggregate",
                                  BY_K "\"values\": [\"count(*) as n\"], "
                                  "\"output_mode\": \"complete\", "
                                  "\"session\": {\"on\": \"ts\", \"gap\": \"interval '1ms' * v\"}",
                                  DDL, NULL),
                         WEIR_OK);
        for (uint32_t b = 0; b < 6; b++) {
            char *at = rows;
            for (uint32_t i = 0; i < 8; i++) {
                const uint32_t k = chance(KEYS), t = chance(MOMENTS - 20), gap = chance(20);
                memset(covered[k] + 2 * t, 1, gap ? 2 * gap + 1 : 0); /* to its end: others touch */
                at += sprintf(at, "%s[\"%u\", %u, \"1970-01-01T00:00:00.%03uZ\"]", i ? ", " : "[",
                              k, gap, t);
            }
            strcpy(at, "]");
            rig_forget(&rig);
            assert_int_equal(rig_feed(&rig, rows), WEIR_OK);
        }
        for (uint32_t k = 0; k < KEYS; k++)
            for (uint32_t t = 0; t < 2 * MOMENTS; t++)
                sessions += covered[k][t] > (t ? covered[k][t - 1] : 0);
        assert_int_equal(rig.n_rows, sessions);
        rig_close(&rig);
    }
}

/* ---- memory ---- */

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    static const char rows[] = "[[\"a\", 1, \"1970-01-01T00:00:01Z\"], "
                               "[\"a long key that is no part of the record\", 2, "
                               "\"1970-01-01T00:00:02Z\"], [\"a\", 3, \"1970-01-01T00:00:09Z\"], "
                               "[\"a\", 4, null]]";
    static const char *const options[] = {
        BY_K SUMS SLIDING, BY_K ORDERED SLIDING, BY_K SUMS SLIDING UPDATE,
        BY_K SUMS SLIDING ", \"late\": \"late\"", BY_K ORDERED SESSION,
        BY_K SUMS SESSION ", \"late\": \"late\"",
        BY_WINDOW "\"output_mode\": \"append\", \"values\": [\"count(*) as n\"]",
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof options / sizeof *options; i++)
        rig_starve_timed(entry_operator_aggregate, entry_function_builtin, "aggregate", options[i],
                         DDL, TS, rows);
    rig_starve_timed(entry_operator_deduplicate, entry_function_builtin, "deduplicate",
                     "\"by\": [\"k\", \"window(ts, '5s') as w\"]", DDL, TS, rows);
    rig_starve_timed(entry_operator_deduplicate, entry_function_builtin, "deduplicate",
                     "\"by\": [\"upper(k) as u\"]", DDL, TS, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_lies_in_the_windows_that_cover_it),
        cmocka_unit_test(results_do_not_depend_on_the_cut),
        cmocka_unit_test(all_ways_to_compute_a_window_agree),
        cmocka_unit_test(sessions_are_what_covers_time_without_a_hole),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
