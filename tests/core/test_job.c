/*
 * test_job.c - reading jobs: the findings of bad ones, exactly, and what hostile text does.
 *
 * jobs/NAME.json is read and its options are checked against the tables of job_tables.h;
 * jobs/NAME.expect has the lines that come out. WEIR_TEST_WRITE=1 writes them anew: read the
 * difference before you keep it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>

#include "core/job/scanner.h"
#include "tests/core/job_tables.h"

static char *read_data(const char *name, const char *suffix)
{
    char path[512], *text = calloc(1, 1 << 16);
    const char *srcdir = getenv("srcdir");
    snprintf(path, sizeof path, "%s/tests/core/jobs/%s%s", srcdir ? srcdir : ".", name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, (1 << 16) - 1, file)] = 0;
    fclose(file);
    return text;
}

static void write_data(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "tests/core/jobs/%s.expect", name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct job *read_text(const char *text, struct report *report)
{
    return job_read(&files_sys, "job.json", text, report, NULL);
}

static uint32_t check_file(const char *name)
{
    char file[256];
    struct report report = { 0 };
    struct lines lines;
    char *text = read_data(name, ".json"), *expected = read_data(name, ".expect");
    snprintf(file, sizeof file, "%s.json", name);
    struct job *job = job_read(&files_sys, file, text, &report, NULL);
    check_all(job, &report);
    job_free(job);
    findings(&report, &lines);
    if (getenv("WEIR_TEST_WRITE")) write_data(name, lines.text);
    else if (!expected || strcmp(lines.text, expected) != 0)
        fail_msg("%s: found\n%sexpected\n%s", name, lines.text, expected ? expected : "(no file)");
    uint32_t errors = report.errors;
    report_fini(&report);
    free(expected);
    free(text);
    return errors;
}

static void every_mistake_of_a_bad_job_is_found_at_its_place(void **state)
{
    (void)state;
    char path[512];
    const char *srcdir = getenv("srcdir");
    uint32_t mistakes = 0, files = 0;
    setenv("WEIR_TEST_PORT", "9999", 1);
    setenv("WEIR_TEST_WORD", "word", 1);
    unsetenv("WEIR_TEST_NOT_THERE");
    snprintf(path, sizeof path, "%s/tests/core/jobs", srcdir ? srcdir : ".");
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[256];
        size_t n = strlen(entry->d_name);
        if (n < 6 || strcmp(entry->d_name + n - 5, ".json") != 0) continue;
        snprintf(name, sizeof name, "%.*s", (int)(n - 5), entry->d_name);
        mistakes += check_file(name);
        files++;
    }
    closedir(directory);
    print_message("%u mistakes in %u files\n", mistakes, files);
    assert_true(mistakes >= 100);
}

static void a_good_job_is_read_without_findings(void **state)
{
    (void)state;
    struct report report = { 0 };
    char *text = read_data("good", ".json");
    struct job *job = read_text(text, &report);
    assert_non_null(job);
    assert_int_equal(report.n, 0);
    assert_string_equal(job->name, "wordcount");
    assert_int_equal(job->trigger, TRIGGER_INTERVAL);
    assert_int_equal(job->interval_us, 1000000);
    assert_string_equal(job->checkpoint, "var/wordcount");
    assert_int_equal(job->memory_limit, 1 << 30);
    assert_int_equal(job->workers, 0);
    assert_int_equal(job->catch_up_us, 3600000000);
    assert_int_equal(job->dead_age_us, 7 * 86400000000);
    assert_int_equal(job->backpressure, 1);
    assert_true(job->integral == 0.2 && job->min_rate == 100 && job->initial_rate == 0);
    assert_int_equal(job->n_instances, 4);
    assert_string_equal(job->instances[1].name, "words");
    assert_string_equal(job->instances[1].plugin, "split");
    assert_string_equal(job->instances[1].path, "operators.words");
    assert_int_equal(job->instances[1].place.line, 6);
    assert_int_equal(job->instances[1].place.column, 18);
    assert_int_equal(job->instances[1].n_from, 1);
    assert_string_equal(job->instances[1].from->name, "lines");
    assert_null(json_object_get(job->instances[1].options, "plugin"));
    assert_int_equal(job_place(job, "operators.words.into", 2).column, 95);
    job_free(job);
    free(text);
}

static void a_watermark_of_a_source_becomes_an_operator_behind_it(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct job *job = read_text(
        "{\"name\": \"w\", \"sources\": {\"a\": {\"plugin\": \"queue\", \"columns\": \"ts "
        "timestamp\","
        "\"watermark\": {\"column\": \"ts\", \"delay\": \"5s\"}}},"
        "\"operators\": {\"u\": {\"plugin\": \"union\", \"from\": [\"a\", \"a.watermark\"]}},"
        "\"sinks\": {\"b\": {\"plugin\": \"console\", \"from\": {\"x\": \"u.late\"}}}}",
        &report);
    assert_non_null(job);
    assert_int_equal(job->n_instances, 4);
    assert_string_equal(job->instances[1].name, "a.watermark");
    assert_string_equal(job->instances[1].plugin, "watermark");
    assert_string_equal(job->instances[1].path, "sources.a.watermark");
    assert_string_equal(job->instances[1].from[0].name, "a");
    assert_string_equal(job->instances[2].from[0].name, "a.watermark");
    assert_string_equal(job->instances[2].from[1].name, "a.watermark");
    assert_null(job->instances[2].from[1].output);
    assert_null(json_object_get(job->instances[0].options, "watermark"));
    assert_string_equal(job->instances[3].from[0].alias, "x");
    assert_string_equal(job->instances[3].from[0].output, "late");
    job_free(job);
    report_fini(&report);
}

static void canonical_keeps_references_and_gives_the_same_job_again(void **state)
{
    (void)state;
    struct report report = { 0 };
    setenv("WEIR_TEST_PORT", "9999", 1);
    struct job *job = read_text("{\"name\": \"r\", \"sources\": {\"a\": {\"plugin\": \"socket\", "
                                "\"port\": \"${WEIR_TEST_PORT}\","
                                "\"password\": \"${file:secret}\"}}, \"sinks\": {\"b\": "
                                "{\"plugin\": \"console\", \"from\": \"a\"}}}",
                                &report);
    assert_non_null(job);
    char *text = json_dumps(job->canonical, JSON_COMPACT);
    assert_non_null(strstr(text, "${file:secret}"));
    assert_null(strstr(text, "hunter2"));
    struct job *again = job_from_text(&files_sys, text, &report);
    assert_non_null(again);
    assert_true(json_equal(job->canonical, again->canonical));
    assert_true(json_equal(job->tree, again->tree));
    assert_string_equal(json_string_value(json_object_get(again->instances[0].options, "password")),
                        "hunter2");
    assert_int_equal(report.errors, 0);
    job_free(job);
    job_free(again);
    free(text);
    report_fini(&report);
}

static void a_dollar_needs_doubling_before_a_brace_only(void **state)
{
    (void)state;
    struct report report = { 0 };
    setenv("WEIR_TEST_WORD", "a${b}", 1);
    struct job *job = read_text("{\"name\": \"d\", \"sources\": {\"a\": {\"plugin\": \"x\", \"p\": "
                                "\"^$|$1|$$|$${x}|${WEIR_TEST_WORD}\"}},"
                                "\"sinks\": {\"b\": {\"plugin\": \"console\", \"from\": \"a\"}}}",
                                &report);
    assert_non_null(job);
    assert_string_equal(json_string_value(json_object_get(job->instances[0].options, "p")),
                        "^$|$1|$|${x}|a${b}");
    assert_int_equal(report.errors, 0);
    job_free(job);
    report_fini(&report);
}

static void set_puts_a_value_and_reads_it_by_its_type(void **state)
{
    (void)state;
    struct report report = { 0 };
    char *text = read_data("good", ".json");
    struct job *job = read_text(text, &report);
    assert_int_equal(job_set(job, "sources.lines.port=1234", &report), 0);
    assert_int_equal(job_set(job, "trigger=250ms", &report), 0);
    assert_int_equal(job_set(job, "workers=3", &report), 0);
    assert_int_equal(job_set(job, "backpressure.enabled=false", &report), 0);
    assert_int_equal(job_set(job, "sinks.out.from=counts,words", &report), 0);
    assert_int_equal(job->interval_us, 250000);
    assert_int_equal(job->workers, 3);
    assert_int_equal(job->backpressure, 0);
    assert_int_equal(job->instances[3].n_from, 2);
    check_all(job, &report);
    assert_int_equal(report.n, 0);

    char *canonical = json_dumps(job->canonical, 0);
    struct job *again = job_from_text(&files_sys, canonical, &report);
    check_all(again, &report);
    assert_int_equal(report.n, 0);
    assert_int_equal(again->workers, 3);
    struct options *options = known_options(again, &again->instances[0], &report);
    struct weir_value value = { .size = sizeof value };
    assert_int_equal(options_get(options, "port", &value), WEIR_OK);
    assert_int_equal(value.integer, 1234);
    options_free(options);
    job_free(again);
    job_free(job);
    free(canonical);
    free(text);
}

static void a_wrong_set_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = { "trigger",           "=1",      "sources=1",
                                         "sources.lines=1",   "a..b=1",  "operators.wrods.into=x",
                                         "name.x=1",          "texts=1", "workers=many",
                                         "trigger=1h30m",     "operators.words.from=",
                                         "sources.lines.port.x=1" };
    char *text = read_data("good", ".json");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct report report = { 0 };
        struct job *job = read_text(text, &report);
        if (job_set(job, wrong[i], &report) != -1) fail_msg("%s was taken", wrong[i]);
        assert_true(report.errors > 0);
        job_free(job);
        report_fini(&report);
    }
    free(text);
}

static void a_job_file_is_read_through_the_system(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct lines lines;
    int io_error = 0;
    struct job *job = job_read(&files_sys, "job.json", NULL, &report, &io_error);
    assert_non_null(job);
    assert_int_equal(report.n, 0);
    job_free(job);
    assert_null(job_read(&files_sys, "none.json", NULL, &report, &io_error));
    assert_int_equal(io_error, 1);
    assert_null(job_read(&files_sys, "large", NULL, &report, &io_error));
    assert_int_equal(io_error, 0);
    assert_string_equal(
        findings(&report, &lines),
        "none.json: error: the job file can't be read: No such file or directory\n"
        "large: error: the job file is larger than 16 MiB: put data into files of its "
        "own\n");
    report_fini(&report);
}

static void the_report_outlives_the_job(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct lines lines;
    char *path = strdup("gone.json");
    job_free(job_read(&files_sys, path, "{}", &report, NULL));
    free(path);
    assert_non_null(
        strstr(findings(&report, &lines), "gone.json:1:1: error: the job needs the option"));
    report_fini(&report);
}

/* ---- hostile text ---- */

static void swallow(const char *text)
{
    struct report report = { 0 };
    struct lines lines;
    struct job *job = read_text(text, &report);
    check_all(job, &report);
    if (!job) assert_true(report.errors > 0);
    findings(&report, &lines);
    job_free(job);
    report_fini(&report);
}

static void a_job_cut_anywhere_is_refused_with_a_place(void **state)
{
    (void)state;
    static const char *const names[] = { "good", "options", "from", "watermark", "unicode" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *text = read_data(names[k], ".json");
        for (size_t n = strlen(text); n-- > 0;) {
            text[n] = 0;
            swallow(text);
        }
        free(text);
    }
}

static void flipped_bytes_do_no_harm(void **state)
{
    (void)state;
    static const char *const names[] = { "good", "options", "from", "references", "expressions" };
    static const char signs[] = "\"\\{}[],:$. 0\x80\xff\x01u";
    uint64_t seed = 20240102;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *text = read_data(names[k], ".json");
        size_t n = strlen(text);
        for (int round = 0; round < 1500; round++) {
            char *copy = strdup(text);
            for (int flips = 1 + round % 4; flips > 0; flips--) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                copy[(seed >> 33) % n] = round & 1 ? signs[(seed >> 20) % (sizeof signs - 1)]
                                                   : (char)(1 + (seed >> 20) % 255);
            }
            swallow(copy);
            free(copy);
        }
        free(text);
    }
}

/* head, n times piece, tail */
static char *repeat(const char *head, const char *piece, size_t n, const char *tail)
{
    size_t h = strlen(head), p = strlen(piece), t = strlen(tail);
    char *text = malloc(h + n * p + t + 1), *at = text;
    at = (char *)memcpy(at, head, h) + h;
    for (size_t i = 0; i < n; i++) at = (char *)memcpy(at, piece, p) + p;
    memcpy(at, tail, t + 1);
    return text;
}

static void swallow_take(char *text)
{
    swallow(text);
    free(text);
}

static void huge_text_is_refused_or_read_in_bounded_memory(void **state)
{
    (void)state;
    swallow_take(repeat("{\"name\": \"", "x", 17 << 20, "\"}"));
    swallow_take(repeat("{\"name\": \"", "x", 4 << 20, "\"}"));
    swallow_take(repeat("{\"", "k", 4 << 20, "\": {\"a\": 1, \"b\": [1,2,3]}}"));
    swallow_take(repeat("{\"a\": {\"", "k.", 1 << 20, "\": {\"a\": 1}}}"));
    swallow_take(repeat("{\"x\": [0", ",1", 1100000, "]}"));
    swallow_take(repeat("", "{\"a\":", 100000, ""));
    swallow_take(repeat("", "[", 1 << 20, ""));
    swallow_take(repeat("{\"sources\": {\"a\": {\"plugin\": \"queue\", \"columns\": \"", "${",
                        100000, "\"}}}"));
    swallow_take(repeat("{\"operators\": {\"a\": {\"plugin\": \"union\", \"from\": [\"a\"",
                        ",\"b\"", 100000, "]}}}"));
    swallow_take(
        repeat("{\"sources\": {\"a\": {\"plugin\": \"queue\", \"", "\\u00e9", 100000, "\": 1}}}"));
    swallow_take(repeat("{\"operators\": {\"a\": {\"plugin\": \"aggregate\", \"values\": [\"", "((",
                        100000, "\"]}}}"));
}

static void many_unknown_keys_are_counted_past_a_thousand(void **state)
{
    (void)state;
    struct report report = { 0 };
    size_t at = 0;
    char *text = malloc(1 << 20);
    text[at++] = '{';
    for (int i = 0; i < 3000; i++) at += (size_t)sprintf(text + at, "\"key%d\": 1,", i);
    sprintf(text + at, "\"name\": \"x\"}");
    job_free(read_text(text, &report));
    assert_int_equal(report.n, 1000);
    assert_true(report.errors >= 3000);
    report_fini(&report);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_of_a_bad_job_is_found_at_its_place),
        cmocka_unit_test(a_good_job_is_read_without_findings),
        cmocka_unit_test(a_watermark_of_a_source_becomes_an_operator_behind_it),
        cmocka_unit_test(canonical_keeps_references_and_gives_the_same_job_again),
        cmocka_unit_test(a_dollar_needs_doubling_before_a_brace_only),
        cmocka_unit_test(set_puts_a_value_and_reads_it_by_its_type),
        cmocka_unit_test(a_wrong_set_is_refused),
        cmocka_unit_test(a_job_file_is_read_through_the_system),
        cmocka_unit_test(the_report_outlives_the_job),
        cmocka_unit_test(a_job_cut_anywhere_is_refused_with_a_place),
        cmocka_unit_test(flipped_bytes_do_no_harm),
        cmocka_unit_test(huge_text_is_refused_or_read_in_bounded_memory),
        cmocka_unit_test(many_unknown_keys_are_counted_past_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
