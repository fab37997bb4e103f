/* test_journal.c - lines of the journal: form, escapes, limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "core/control/journal.h"
#include "core/sys/sys.h"
#include "weir/host.h"

static int64_t clock_us;

static int64_t fixed_now(struct weir_sys *sys)
{
    (void)sys;
    return clock_us;
}

static const struct weir_sys_ops ops = { .now = fixed_now, .mono = fixed_now };
static struct weir_sys clock_sys = { &ops };

struct sink {
    char text[1 << 16];
    size_t n;
    uint32_t lines;
};

static void take(void *arg, const char *line, uint64_t n)
{
    struct sink *sink = arg;
    if (sink->n + n >= sizeof sink->text) sink->n = 0;
    memcpy(sink->text + sink->n, line, n);
    sink->n += n;
    sink->text[sink->n] = 0;
    sink->lines++;
    assert_int_equal(line[n - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
}

static struct sink sink;

static struct journal *open_journal(int json)
{
    memset(&sink, 0, sizeof sink);
    clock_us = 1704164645678901; /* 2024-01-02T03:04:05.678901Z */
    return journal_create(&clock_sys, json, WEIR_LOG_INFO, take, &sink);
}

static void a_text_line_has_time_level_instance_and_batch(void **state)
{
    (void)state;
    struct journal *journal = open_journal(0);
    journal_add(journal, WEIR_LOG_WARN, "counts", 7, "%d rows", 3);
    journal_add(journal, WEIR_LOG_INFO, NULL, -1, "started");
    journal_add(journal, WEIR_LOG_ERROR, "a", -1, "x");
    journal_add(journal, WEIR_LOG_DEBUG, "a", 1, "not seen");
    journal_add(NULL, WEIR_LOG_ERROR, "a", 1, "dropped");
    clock_us = -1;
    journal_add(journal, WEIR_LOG_INFO, NULL, 0, "early");
    assert_string_equal(sink.text, "2024-01-02T03:04:05.678Z warn counts batch 7: 3 rows\n"
                                   "2024-01-02T03:04:05.678Z info: started\n"
                                   "2024-01-02T03:04:05.678Z error a: x\n"
                                   "1969-12-31T23:59:59.999Z info batch 0: early\n");
    journal_destroy(journal);
}

static void a_json_line_is_an_object(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    journal_add(journal, WEIR_LOG_WARN, "counts", 7, "a \"b\"\\\n\x1b[31m\xff é");
    json_t *json = json_loads(sink.text, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "time")),
                        "2024-01-02T03:04:05.678Z");
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(json, "instance")), "counts");
    assert_int_equal(json_integer_value(json_object_get(json, "batch")), 7);
    assert_string_equal(json_string_value(json_object_get(json, "text")),
                        "a \"b\"\\\n\x1b[31m\u00ff é");
    json_decref(json);
    sink.n = 0;
    journal_add(journal, WEIR_LOG_INFO, NULL, -1, "x");
    assert_string_equal(
        sink.text, "{\"time\":\"2024-01-02T03:04:05.678Z\",\"level\":\"info\",\"text\":\"x\"}\n");
    journal_destroy(journal);
}

static void control_bytes_are_escaped(void **state)
{
    (void)state;
    struct journal *journal = open_journal(0);
    journal_add(journal, WEIR_LOG_INFO, "a\nb", -1,
                "1\r\n2\t\x1b[0m \x7f \xc2\x9b \xed\xa0\x80 \xf0\x9f\x98\x80 \xe2\x82");
    assert_string_equal(
        sink.text, "2024-01-02T03:04:05.678Z info a\\nb: 1\\x0d\\n2\\t\\x1b[0m \\x7f \\xc2\\x9b "
                   "\\xed\\xa0\\x80 \xf0\x9f\x98\x80 \\xe2\\x82\n");
    journal_destroy(journal);
}

static void long_text_is_cut(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    static char text[10000];
    memset(text, 1, sizeof text - 1);
    journal_add(journal, WEIR_LOG_INFO, text, 1, "%s", text);
    assert_int_equal(sink.lines, 1);
    assert_true(sink.n < 14000);
    journal_destroy(journal);
}

static void a_line_goes_out_ten_times_a_second_then_is_counted(void **state)
{
    (void)state;
    struct journal *journal = open_journal(0);
    for (int i = 0; i < 25; i++) journal_add(journal, WEIR_LOG_WARN, "a", i, "slow");
    assert_int_equal(sink.lines, 10);
    journal_add(journal, WEIR_LOG_WARN, "b", 1, "slow");
    assert_int_equal(sink.lines, 11);
    clock_us += 999999;
    journal_add(journal, WEIR_LOG_WARN, "a", 25, "slow");
    assert_int_equal(sink.lines, 11);
    clock_us += 1;
    sink.n = 0;
    journal_add(journal, WEIR_LOG_INFO, "c", -1, "other");
    assert_string_equal(sink.text, "2024-01-02T03:04:06.678Z warn a: 16 more times: slow\n"
                                   "2024-01-02T03:04:06.678Z info c: other\n");
    for (int i = 0; i < 12; i++) journal_add(journal, WEIR_LOG_WARN, "a", i, "slow");
    sink.n = 0;
    journal_destroy(journal);
    assert_string_equal(sink.text, "2024-01-02T03:04:06.678Z warn a: 2 more times: slow\n");
}

static void a_clock_that_goes_back_holds_nothing_for_ever(void **state)
{
    (void)state;
    struct journal *journal = open_journal(0);
    for (int i = 0; i < 11; i++) journal_add(journal, WEIR_LOG_WARN, "a", i, "slow");
    clock_us -= 3600000000;
    journal_add(journal, WEIR_LOG_WARN, "a", 1, "slow");
    assert_int_equal(sink.lines, 12);
    journal_destroy(journal);
}

static void *chatter(void *arg)
{
    for (int i = 0; i < 500; i++) journal_add(arg, WEIR_LOG_INFO, "t", i, "line %d", i % 50);
    return NULL;
}

static void lines_of_threads_stay_whole(void **state)
{
    (void)state;
    struct journal *journal = open_journal(0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, chatter, journal);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(sink.lines, 500); /* 50 texts, ten of each */
    journal_destroy(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_instance_and_batch),
        cmocka_unit_test(a_json_line_is_an_object),
        cmocka_unit_test(control_bytes_are_escaped),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(a_line_goes_out_ten_times_a_second_then_is_counted),
        cmocka_unit_test(a_clock_that_goes_back_holds_nothing_for_ever),
        cmocka_unit_test(lines_of_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
