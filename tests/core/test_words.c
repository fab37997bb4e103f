/* test_words.c - one-liners: equal to their job files, and what is wrong with bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/core/job_tables.h"

struct words {
    const char *list[64];
    uint32_t n;
    char text[1024];
};

/* Words of a shell without quotes; '~' stands for a blank in a word. */
static void split_words(struct words *words, const char *line)
{
    words->n = 0;
    snprintf(words->text, sizeof words->text, "%s", line);
    for (char *save, *p = strtok_r(words->text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        for (char *c = p; *c; c++)
            if (*c == '~') *c = ' ';
        words->list[words->n++] = p;
    }
}

static struct job *read_line(const char *line, const char *settings, struct report *report,
                             int *usage)
{
    struct words words, sets;
    split_words(&words, line);
    split_words(&sets, settings);
    return job_from_words(&files_sys, words.list, words.n, sets.list, sets.n, known_kinds, NULL,
                          report, usage);
}

/* An instance's options as they are used. */
static json_t *effective(const struct job *job, uint32_t i, struct report *report)
{
    struct options *options = known_options(job, &job->instances[i], report);
    char *text = options_json(options);
    json_t *json = text ? json_loads(text, 0, NULL) : json_null();
    options_free(options);
    mem_free(text);
    return json;
}

static void assert_same(const char *what, const json_t *a, const json_t *b)
{
    char *x = json_dumps(a, JSON_SORT_KEYS), *y = json_dumps(b, JSON_SORT_KEYS);
    if (!json_equal(a, b)) fail_msg("%s:\n%s\n%s", what, x, y);
    free(x);
    free(y);
}

/* Canonical jobs are equal but for the form of option values; what is used is equal altogether. */
static void assert_equal_jobs(const char *line, const char *settings, const char *file)
{
    struct report report = { 0 };
    struct lines lines;
    int usage = 1;
    struct job *words = read_line(line, settings, &report, &usage);
    struct job *written = job_read(&files_sys, "job.json", file, &report, NULL);
    if (report.n || !words || !written) fail_msg("%s", findings(&report, &lines));
    assert_int_equal(usage, 0);
    char *canonical = json_dumps(words->canonical, 0);
    struct job *again = job_from_text(&files_sys, canonical, &report);
    const struct job *jobs[] = { words, again };
    for (size_t k = 0; k < 2; k++) {
        const struct job *job = jobs[k];
        assert_int_equal(job->n_instances, written->n_instances);
        assert_string_equal(job->name, written->name);
        assert_int_equal(job->trigger, written->trigger);
        assert_int_equal(job->interval_us, written->interval_us);
        assert_int_equal(job->workers, written->workers);
        for (uint32_t i = 0; i < job->n_instances; i++) {
            const struct job_instance *a = &job->instances[i], *b = &written->instances[i];
            assert_int_equal(a->kind, b->kind);
            assert_string_equal(a->name, b->name);
            assert_string_equal(a->plugin, b->plugin);
            assert_string_equal(a->path, b->path);
            assert_int_equal(a->n_from, b->n_from);
            for (uint32_t f = 0; f < a->n_from; f++) {
                assert_string_equal(a->from[f].name, b->from[f].name);
                assert_string_equal(a->from[f].alias ? a->from[f].alias : "",
                                    b->from[f].alias ? b->from[f].alias : "");
                assert_string_equal(a->from[f].output ? a->from[f].output : "",
                                    b->from[f].output ? b->from[f].output : "");
            }
            json_t *x = effective(job, i, &report), *y = effective(written, i, &report);
            assert_same(a->path, x, y);
            json_decref(x);
            json_decref(y);
        }
    }
    if (report.n) fail_msg("%s", findings(&report, &lines));
    job_free(words);
    job_free(written);
    job_free(again);
    free(canonical);
    report_fini(&report);
}

static void a_one_liner_equals_its_job_file(void **state)
{
    (void)state;
    assert_equal_jobs(
        "socket port=9999 ! split into=word ! c:=count_by_value column=word ! console ! "
        "file from=c path=out format=csv changes=true",
        "trigger=1s",
        "{\"name\": \"job\", \"trigger\": \"1s\","
        "\"sources\": {\"socket\": {\"plugin\": \"socket\", \"port\": 9999}},"
        "\"operators\": {\"split\": {\"plugin\": \"split\", \"from\": \"socket\", \"into\": "
        "\"word\"},"
        "\"c\": {\"plugin\": \"count_by_value\", \"from\": \"split\", \"column\": \"word\"}},"
        "\"sinks\": {\"console\": {\"plugin\": \"console\", \"from\": \"c\"},"
        "\"file\": {\"plugin\": \"file\", \"from\": \"c\", \"path\": \"out\", \"format\": \"csv\", "
        "\"changes\": true}}}");
}

static void lists_maps_and_nested_options_are_read_by_type(void **state)
{
    (void)state;
    assert_equal_jobs(
        "queue columns=k~string,~v~int batches=[[[\"a\",1]],null] fraction=0.25 "
        "watermark.column=ts "
        "watermark.delay=5s max_record=2Mi ! aggregate by=k,upper(s,',')~as~u values.n=count(*) "
        "values.t=sum(v) window.on=ts window.length=90m ! "
        "file path=o format.type=csv format.delimiter=; partition_by=a,b roll.size=1.5k "
        "client.a.b=1 gap=5m",
        "name=x-1.2 workers=7",
        "{\"name\": \"x-1.2\", \"workers\": 7, \"sources\": {\"queue\": {\"plugin\": \"queue\","
        "\"columns\": \"k string, v int\", \"batches\": [[[\"a\", 1]], null], \"fraction\": 0.25,"
        "\"watermark\": {\"column\": \"ts\", \"delay\": \"5s\"}, \"max_record\": 2097152}},"
        "\"operators\": {\"aggregate\": {\"plugin\": \"aggregate\", \"from\": \"queue\","
        "\"by\": [\"k\", \"upper(s,',') as u\"], \"values\": {\"n\": \"count(*)\", \"t\": "
        "\"sum(v)\"},"
        "\"window\": {\"on\": \"ts\", \"length\": \"1.5h\"}}},"
        "\"sinks\": {\"file\": {\"plugin\": \"file\", \"from\": \"aggregate\", \"path\": \"o\","
        "\"format\": {\"type\": \"csv\", \"delimiter\": \";\"}, \"partition_by\": [\"a\", \"b\"],"
        "\"roll\": {\"size\": 1500}, \"client\": {\"a.b\": \"1\"}, \"gap\": \"5m\"}}}");
}

static void values_that_are_json_stay_json(void **state)
{
    (void)state;
    assert_equal_jobs(
        "queue columns=a~int ! aggregate by=[\"a\"] values={\"n\":\"count(*)\"} "
        "window={\"on\":\"ts\",\"length\":\"1m\"} ! "
        "file path=o format={\"type\":\"csv\"} client={\"x\":1} gap={\"a\":[1]}",
        "",
        "{\"name\": \"job\", \"sources\": {\"queue\": {\"plugin\": \"queue\", \"columns\": \"a "
        "int\"}},"
        "\"operators\": {\"aggregate\": {\"plugin\": \"aggregate\", \"from\": \"queue\", \"by\": "
        "[\"a\"],"
        "\"values\": {\"n\": \"count(*)\"}, \"window\": {\"on\": \"ts\", \"length\": \"1m\"}}},"
        "\"sinks\": {\"file\": {\"plugin\": \"file\", \"from\": \"aggregate\", \"path\": \"o\","
        "\"format\": {\"type\": \"csv\"}, \"client\": {\"x\": 1}, \"gap\": {\"a\": [1]}}}}");
}

static void names_are_numbered_and_chains_begin_at_sources(void **state)
{
    (void)state;
    assert_equal_jobs(
        "socket port=1 ! split into=a ! split_2:=split into=b ! split into=c ! console ! "
        "queue columns=a~int ! console ! file path=p format=csv ! f:=file path=q format=csv ! "
        "union from=split,queue ! console from.x=union from.y=split_2",
        "",
        "{\"name\": \"job\", \"sources\": {\"socket\": {\"plugin\": \"socket\", \"port\": 1},"
        "\"queue\": {\"plugin\": \"queue\", \"columns\": \"a int\"},"
        "\"file\": {\"plugin\": \"file\", \"path\": \"p\", \"format\": \"csv\"}},"
        "\"operators\": {\"split\": {\"plugin\": \"split\", \"from\": \"socket\", \"into\": \"a\"},"
        "\"split_2\": {\"plugin\": \"split\", \"from\": \"split\", \"into\": \"b\"},"
        "\"split_3\": {\"plugin\": \"split\", \"from\": \"split_2\", \"into\": \"c\"},"
        "\"union\": {\"plugin\": \"union\", \"from\": [\"split\", \"queue\"]}},"
        "\"sinks\": {\"console\": {\"plugin\": \"console\", \"from\": \"split_3\"},"
        "\"console_2\": {\"plugin\": \"console\", \"from\": \"queue\"},"
        "\"f\": {\"plugin\": \"file\", \"from\": \"file\", \"path\": \"q\", \"format\": \"csv\"},"
        "\"console_3\": {\"plugin\": \"console\", \"from\": {\"x\": \"union\", \"y\": "
        "\"split_2\"}}}}");
}

static void a_name_of_several_kinds_is_told_by_its_position(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct job *job = read_line("exec ! exec ! exec", "", &report, NULL);
    assert_non_null(job);
    assert_string_equal(job->instances[0].path, "sources.exec");
    assert_string_equal(job->instances[1].path, "operators.exec_2");
    assert_string_equal(job->instances[2].path, "sinks.exec_3");
    job_free(job);
    job = read_line("unknown ! org.x/un-known ! other", "", &report, NULL);
    assert_non_null(job);
    assert_string_equal(job->instances[0].path, "sources.unknown");
    assert_string_equal(job->instances[1].path, "operators.un_known");
    assert_string_equal(job->instances[1].plugin, "org.x/un-known");
    assert_string_equal(job->instances[2].path, "sinks.other");
    assert_int_equal(report.n, 0);
    job_free(job);
}

static void a_plugin_that_is_a_source_alone_starts_a_chain_anywhere(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct job *job = read_line("socket port=1 ! split into=a ! queue columns=a~int ! console "
                                "from=split,queue", "", &report, NULL);
    assert_non_null(job);
    assert_int_equal(report.n, 0);
    assert_string_equal(job->instances[1].path, "sources.queue");
    assert_int_equal(job->instances[1].n_from, 0);
    assert_int_equal(job->instances[3].n_from, 2);
    job_free(job);
}

static void settings_reach_into_elements(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct job *job = read_line("socket ! split into=a ! console rows=1",
                                "checkpoint=var/x sources.socket.port=77 operators.split.into=b "
                                "sinks.console.rows=2 trigger=available_now", &report, NULL);
    assert_non_null(job);
    check_all(job, &report);
    assert_int_equal(report.n, 0);
    assert_string_equal(job->checkpoint, "var/x");
    assert_int_equal(job->trigger, TRIGGER_AVAILABLE_NOW);
    struct options *options = known_options(job, &job->instances[2], &report);
    struct weir_value value = { .size = sizeof value };
    options_get(options, "rows", &value);
    assert_int_equal(value.integer, 2);
    options_free(options);
    job_free(job);
}

static void a_wrong_form_is_a_usage_error(void **state)
{
    (void)state;
    static const struct { const char *line, *found;
    } wrong[] = {
        { "", "there is no element" },
        { "! console", "command line, word 1, column 1: error: there is no element at this side" },
        { "socket port=1 !", "word 3, column 1: error: there is no element at this side" },
        { "socket port=1 ! ! console", "word 4, column 1: error: there is no element" },
        { "socket port ! console", "word 2, column 1: error: must be option=value" },
        { "socket =1 ! console", "word 2, column 1: error: must be option=value" },
        { "port=1 ! console",
          "word 1, column 1: error: an element begins with the name of a plugin" },
        { "a:= ! console", "the plugin is missing" },
        { "1a:=socket ! console", "a name has letters" },
        { ":=socket ! console", "a name has letters" },
        { "socket plugin=x ! console", "word 2, column 1: error: the plugin is the first word" },
        { "socket ! console from=[1", "the value can't be read" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct report report = { 0 };
        struct lines lines;
        int usage = 0;
        assert_null(read_line(wrong[i].line, "", &report, &usage));
        assert_int_equal(usage, 1);
        if (!strstr(findings(&report, &lines), wrong[i].found))
            fail_msg("%s: %s", wrong[i].line, lines.text);
        report_fini(&report);
    }
}

static void mistakes_in_words_have_word_and_column(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct lines lines;
    int usage = 1;
    struct job *job =
        read_line("socket prot=9999 port=many ! split column=a column=b ! a:=aggregate "
                  "by=k,~größe~as~1x from=splat ! a:=console rows=x ! queue columns=c~int",
                  "workers=0 trigger=1 sinks.a.rows=y", &report, &usage);
    assert_non_null(job);
    assert_int_equal(usage, 0);
    check_all(job, &report);
    assert_string_equal(
        findings(&report, &lines),
        "command line: error: trigger: needs a unit: ms, s, m, h or d, like \"10s\"\n"
        "command line: error: workers: must be from 1 to 1024; leave it out for as many as there "
        "are "
        "cores\n"
        "command line: error: sinks.a.rows: must be a whole number\n"
        "command line, word 2, column 1: error: sources.socket.prot: socket has no option "
        "\"prot\": did you "
        "mean \"port\"?\n"
        "command line, word 3, column 6: error: sources.socket.port: must be a whole number\n"
        "command line, word 5, column 1: warning: operators.split: nobody reads \"split\": its "
        "rows go "
        "nowhere\n"
        "command line, word 5, column 1: error: operators.split: split needs the option \"into\": "
        "name of the "
        "new column\n"
        "command line, word 7, column 1: error: operators.split.column: the option is here a "
        "second time: "
        "take one out\n"
        "command line, word 9, column 1: error: operators.a: aggregate needs the option "
        "\"values\": "
        "aggregates\n"
        "command line, word 10, column 13: error: operators.a.by: \"as\" must be followed by one "
        "name; put odd "
        "names in double quotes\n"
        "command line, word 11, column 6: error: operators.a: there is no instance \"splat\": did "
        "you mean "
        "\"split\"?\n"
        "command line, word 13, column 1: error: sinks.a: the name is taken by operators.a: names "
        "are unique in "
        "a job, rename one\n"
        "command line, word 16, column 1: warning: sources.queue: nobody reads \"queue\": its rows "
        "go "
        "nowhere\n");
    job_free(job);
    report_fini(&report);
}

static void an_error_of_a_plugin_is_placed_in_its_piece(void **state)
{
    (void)state;
    struct report report = { 0 };
    struct lines lines;
    struct weir_error error = WEIR_ERROR_INIT;
    struct job *job =
        read_line("queue columns=a~int ! aggregate by=k,~f(ö,b)~as~x values.n=sum(q) ! console", "",
                  &report, NULL);
    struct options *options = known_options(job, &job->instances[1], &report);
    weir_fail_option(&error, "by.x", 4, "unknown column");
    options_report(options, job, &job->instances[1], &error, &report);
    weir_error_init(&error);
    weir_fail_option(&error, "by.1", 0, "by number");
    options_report(options, job, &job->instances[1], &error, &report);
    weir_error_init(&error);
    weir_fail_option(&error, "values.n", 4, "no column q");
    options_report(options, job, &job->instances[1], &error, &report);
    assert_string_equal(
        findings(&report, &lines),
        "command line, word 5, column 7: error: operators.aggregate.by: by number\n"
        "command line, word 5, column 11: error: operators.aggregate.by: unknown column\n"
        "command line, word 6, column 14: error: operators.aggregate.values.n: no column q\n");
    options_free(options);
    job_free(job);
    report_fini(&report);
}

static void random_words_do_no_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "socket",   "!",          "port=1",        "x:=",       "x:=split",    "from=a,b",
        "from.a=b", "from={",     "a.b.c=1",       "a.=1",      ".=",          "=",
        "console",  "by=((,',\"", "values.n=x~as", "\xff=\xff", "a=\xff",      "watermark.delay=1",
        "from=",    "plugin=x",   "file",          "format.=1", "watermark=1", "a..b=1"
    };
    uint64_t seed = 7;
    for (int round = 0; round < 4000; round++) {
        const char *list[12];
        struct report report = { 0 };
        int usage;
        uint32_t n = (uint32_t)(round % 12);
        for (uint32_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            list[i] = pieces[(seed >> 33) % (sizeof pieces / sizeof *pieces)];
        }
        struct job *job =
            job_from_words(&files_sys, list, n, list, n / 2, known_kinds, NULL, &report, &usage);
        check_all(job, &report);
        if (!job) assert_true(report.errors > 0);
        job_free(job);
        report_fini(&report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_one_liner_equals_its_job_file),
        cmocka_unit_test(lists_maps_and_nested_options_are_read_by_type),
        cmocka_unit_test(values_that_are_json_stay_json),
        cmocka_unit_test(names_are_numbered_and_chains_begin_at_sources),
        cmocka_unit_test(a_name_of_several_kinds_is_told_by_its_position),
        cmocka_unit_test(a_plugin_that_is_a_source_alone_starts_a_chain_anywhere),
        cmocka_unit_test(settings_reach_into_elements),
        cmocka_unit_test(a_wrong_form_is_a_usage_error),
        cmocka_unit_test(mistakes_in_words_have_word_and_column),
        cmocka_unit_test(an_error_of_a_plugin_is_placed_in_its_piece),
        cmocka_unit_test(random_words_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
