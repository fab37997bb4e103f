/*
 * Jobs of toy components on the simulated outside: batches, order, workers, kill and restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "core/run/run.h"
#include "core/sys/sim.h"
#include "tests/support/toy.h"

#define GRAPH                                                                                      \
    " \"operators\": {\"d\": {\"plugin\": \"toy_double\", \"from\": \"n\"},"                         \
    "                 \"s\": {\"plugin\": \"toy_sum\", \"from\": \"d\"}},"                           \
    " \"sinks\": {\"plain\": {\"plugin\": \"toy_sink\", \"from\": \"d\"},"                           \
    "             \"sums\": {\"plugin\": \"toy_sink\", \"from\": \"s\"},"                            \
    "             \"again\": {\"plugin\": \"toy_finish\", \"from\": \"s\"}}}"

/* The cut of batches is fixed by max_records where one partition is read, and by the end of the data where
 * there are several. */
static const char one_partition[] =
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 300, \"step\": 9,"
    "                      \"max_records\": 60}}," GRAPH;
static const char three_partitions[] =
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 200000, \"partitions\": 3,"
    "                      \"step\": 3001, \"keys\": 1013}}," GRAPH;

static const char many_keys[] =
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 100000,"
    "                      \"step\": 3001, \"keys\": 30011}}," GRAPH;

static const char *job_text = one_partition;

/* Rows that show only what a two-phase sink commits. */
#define TWO_PHASE                                                                                  \
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","                    \
    " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 300, \"step\": 9,"                  \
    "                      \"max_records\": 60}},"                                                 \
    " \"operators\": {\"d\": {\"plugin\": \"toy_double\", \"from\": \"n\"},"                           \
    "                 \"s\": {\"plugin\": \"toy_sum\", \"from\": \"d\"}},"                             \
    " \"sinks\": {\"plain\": {\"plugin\": \"toy_sink\", \"from\": \"d\"},"
static const char two_phase[] = TWO_PHASE " \"sums\": {\"plugin\": \"toy_sink\", \"from\": \"s\"}}}";
static const char two_phase_changed[] =
    TWO_PHASE " \"sums\": {\"plugin\": \"toy_sink\", \"from\": \"s\"}}, \"catch_up\": \"2h\"}";
static const char without_state[] =
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 300, \"step\": 9,"
    "                      \"max_records\": 60}},"
    " \"operators\": {\"d\": {\"plugin\": \"toy_double\", \"from\": \"n\"}},"
    " \"sinks\": {\"plain\": {\"plugin\": \"toy_sink\", \"from\": \"d\"},"
    " \"sums\": {\"plugin\": \"toy_sink\", \"from\": \"d\"}}}";

static struct run_options settings; /* of the next lives */
static struct weir_sys *running;
static void (*before)(struct weir_sys *sys, struct sim_disk *disk);
static int64_t started, ended; /* of the last life, by its clock */
static uint64_t batches;        /* that it ran */
static char said[8192]; /* by the journal and the report of the last life */
static int only_check;   /* the next lives are checks */

static struct weir_sys *outside;
static struct registry *registry;

static int setup(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .no_user_directories = 1 };
    (void)state;
    outside = sys_real_create();
    assert_non_null(outside);
    assert_int_equal(registry_create(outside, &options, &registry, &error), WEIR_OK);
    if (registry_add(registry, &toy_plugin, &error) != WEIR_OK) fail_msg("%s", error.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    registry_destroy(registry);
    sys_destroy(outside);
    toy_reset();
    return 0;
}

static void note(void *arg, const char *line, uint64_t length)
{
    size_t n = strlen(said);
    (void)arg;
    snprintf(said + n, sizeof said - n, "%.*s\n", (int)length, line);
}

/* One life of the engine on the disk; the exit status, or -1 if it was killed. */
static int life(struct sim_disk *disk, uint64_t seed, uint32_t workers, uint64_t kill_at,
                uint64_t *calls)
{
    struct report report = { 0 };
    struct run_options options = settings;
    options.workers = workers;
    struct run_summary summary = { 0 };
    struct weir_sys *sys = sim_create(disk, 1700000000000000, seed);
    int io_error;
    struct job *job = job_read(sys, "job.json", job_text, &report, &io_error);
    assert_non_null(job);
    running = sys;
    if (before) before(sys, disk);
    started = sys_mono(sys);
    said[0] = 0;
    sim_kill_at(sys, kill_at);
    struct journal *journal = kill_at ? NULL : journal_create(sys, 0, WEIR_LOG_WARN, note, NULL);
    int status = only_check ? check_job(sys, job, registry, journal, &options, &report, NULL, NULL)
                            : run_job(sys, job, registry, journal, &options, &report, &summary);
    if (journal) journal_destroy(journal);
    for (uint32_t i = 0; i < report.n; i++)
        note(NULL, report.findings[i].text, strlen(report.findings[i].text));
    int killed = sim_killed(sys);
    ended = killed ? 0 : sys_mono(sys);
    if (calls) *calls = sim_calls(sys);
    batches = summary.batches;
    free(summary.json);
    job_free(job);
    report_fini(&report);
    sys_destroy(sys);
    return killed ? -1 : status;
}

static char *all_text(void)
{
    char *a = toy_text("plain"), *b = toy_text("sums"), *c = toy_text("again");
    char *all = malloc(strlen(a) + strlen(b) + strlen(c) + 16);
    sprintf(all, "%s--\n%s--\n%s", a, b, c);
    free(a);
    free(b);
    free(c);
    return all;
}

static char *undisturbed(uint32_t workers, uint64_t seed)
{
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    assert_int_equal(life(disk, seed, workers, 0, NULL), 0);
    assert_int_equal(toy_world.doubled, 0);
    sim_disk_destroy(disk);
    return all_text();
}

static void a_job_gives_every_row_once(void **state)
{
    (void)state;
    job_text = three_partitions;
    char *text = undisturbed(1, 1);
    int64_t total = 0, want = 0;
    for (char *at = text; *at && *at != '-'; at++) /* v of each row "k,v" of the first sink */
        if (*at == ',') total += strtoll(at + 1, NULL, 10);
    for (int64_t p = 0; p < 3; p++) /* even numbers of three partitions, doubled */
        for (int64_t v = 0; v < 200000; v += 2) want += 2 * (p * 1000000 + v);
    assert_int_equal(total, want);
    free(text);
}

static void the_rows_are_the_same_with_other_workers_and_orders_of_tasks(void **state)
{
    static const uint32_t workers[] = { 1, 2, 7 };
    (void)state;
    job_text = three_partitions;
    char *want = undisturbed(1, 1);
    for (int w = 0; w < 3; w++) {
        /* the seed draws the hash seed, too: equal seeds with other workers draw other orders of tasks */
        char *got = undisturbed(workers[w], 1);
        assert_string_equal(got, want);
        free(got);
    }
    free(want);
}

static void a_kill_at_any_call_loses_and_doubles_nothing(void **state)
{
    uint64_t calls = 0, points = 0;
    (void)state;
    job_text = one_partition;
    struct sim_disk *first = sim_disk_create();
    toy_reset();
    assert_int_equal(life(first, 5, 2, 0, &calls), 0);
    char *want = all_text();
    sim_disk_destroy(first);
    for (uint64_t at = 1; at <= calls; at++, points++) {
        struct sim_disk *disk = sim_disk_create();
        toy_reset();
        int status = life(disk, 5, 2, at, NULL);
        if (status == -1) status = life(disk, 5, 2, 0, NULL);
        if (status != 0) fail_msg("kill at call %llu: exit %d", (unsigned long long)at, status);
        char *got = all_text();
        if (toy_world.doubled) fail_msg("kill at call %llu: batch %llu came twice, with other rows",
                                        (unsigned long long)at, (unsigned long long)toy_world.doubled - 1);
        if (strcmp(want, got) != 0) {
            print_message("want\n%s\ngot\n%s\n", want, got);
            fail_msg("kill at call %llu: the rows differ", (unsigned long long)at);
        }
        free(got);
        sim_disk_destroy(disk);
    }
    print_message("sweep toy: %llu kill points, 0 lost, 0 doubled\n", (unsigned long long)points);
    free(want);
}

static void kill_now(void *arg, uint64_t batch)
{
    (void)arg;
    if (batch == 2) sim_kill_at(running, sim_calls(running) + 1);
}

/* A disk on which batch 2 of `job` is planned and not finished. */
static struct sim_disk *pending_disk(const char *job)
{
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    job_text = job;
    settings = (struct run_options){ .hooks = { .plan_done = kill_now } };
    assert_int_equal(life(disk, 3, 1, UINT64_MAX, NULL), -1);
    settings = (struct run_options){ 0 };
    return disk;
}

static void a_pending_batch_is_replanned_where_nothing_was_seen(void **state)
{
    (void)state;
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = two_phase_changed;
    settings.replan = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    assert_string_equal(said, "");
    sim_disk_destroy(disk);
    settings = (struct run_options){ 0 };
}

static void replanning_names_the_sinks_that_may_see_rows_twice(void **state)
{
    (void)state;
    struct sim_disk *disk = pending_disk(one_partition);
    job_text = two_phase_changed;
    settings.replan = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 78);
    assert_non_null(strstr(said, "\"again\" may have seen rows"));
    assert_null(strstr(said, "plain"));
    settings.replan_anyway = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    assert_non_null(strstr(said, "\"again\" may see rows of it twice"));
    sim_disk_destroy(disk);
    settings = (struct run_options){ 0 };
}

static void a_pending_batch_counts_among_those_that_are_asked_for(void **state)
{
    (void)state;
    for (int changed = 0; changed < 2; changed++) { /* under the job as it is, or as it was */
        struct sim_disk *disk = pending_disk(two_phase);
        job_text = changed ? two_phase_changed : two_phase;
        settings.max_batches = 1;
        assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
        assert_int_equal(batches, 1);
        settings.max_batches = 2;
        assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
        assert_int_equal(batches, 2);
        settings = (struct run_options){ 0 };
        sim_disk_destroy(disk);
    }
}

static void dropped_state_stays_dropped(void **state)
{
    static const char *const names[] = { "s" };
    (void)state;
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = without_state;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 78);
    assert_non_null(strstr(said, "--drop s"));
    settings.drop = names;
    settings.n_drop = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    settings = (struct run_options){ 0 };
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    job_text = two_phase; /* s comes again, with nothing in it */
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    sim_disk_destroy(disk);
}

static void a_pending_batch_has_its_state_though_it_is_to_be_dropped(void **state)
{
    static const char *const names[] = { "s" };
    (void)state;
    job_text = two_phase;
    char *want = undisturbed(1, 3);
    struct sim_disk *disk = pending_disk(two_phase);
    settings = (struct run_options){ .drop = names, .n_drop = 1 };
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    settings = (struct run_options){ 0 };
    char *sums = toy_text("sums");
    const char *in_want = strstr(want, "--\n") + 3;
    size_t same = 0, lines = 0;
    for (; sums[same] && sums[same] == in_want[same]; same++) lines += sums[same] == '\n';
    assert_int_equal(lines, 3); /* a line a batch: the last two begin anew */
    free(sums);
    free(want);
    sim_disk_destroy(disk);
}

/* A check, then the start: both end with 78 and say `part`. */
static void both_refuse(struct sim_disk *disk, const char *part)
{
    for (only_check = 1;; only_check = 0) {
        int status = life(disk, 3, 1, 0, NULL);
        if (status != 78 || !strstr(said, part))
            fail_msg("%s: exit %d: %s", only_check ? "check" : "start", status, said);
        if (!only_check) break;
    }
}

static const char without_sums[] =
    TWO_PHASE " \"rest\": {\"plugin\": \"toy_sink\", \"from\": \"s\"}}}";
static const char without_n[] =
    "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"m\": {\"plugin\": \"toy_numbers\", \"rows\": 300, \"step\": 9,"
    "                      \"max_records\": 60}},"
    " \"operators\": {\"d\": {\"plugin\": \"toy_double\", \"from\": \"m\"},"
    "                 \"s\": {\"plugin\": \"toy_sum\", \"from\": \"d\"}},"
    " \"sinks\": {\"plain\": {\"plugin\": \"toy_sink\", \"from\": \"d\"},"
    " \"sums\": {\"plugin\": \"toy_sink\", \"from\": \"s\"}}}";

static void a_sink_with_an_uncommitted_batch_may_not_go(void **state)
{
    (void)state;
    struct sim_disk *disk = sim_disk_create();
    job_text = two_phase;
    settings.hooks.state_done = kill_now;
    assert_int_equal(life(disk, 3, 1, UINT64_MAX, NULL), -1);
    settings = (struct run_options){ 0 };
    job_text = without_sums;
    both_refuse(disk, "batch 2 of sink \"sums\" is not committed yet, and the job does not have "
                      "that sink");
    assert_null(strstr(said, "plain"));
    job_text = two_phase;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    job_text = without_sums;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    sim_disk_destroy(disk);
}

/* The batch that was planned is finished by the job as it was: what then is in order is no mistake.
 * */
static void a_check_looks_behind_the_pending_batch(void **state)
{
    (void)state;
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = without_sums;
    only_check = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    assert_string_equal(said, "");
    only_check = 0;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    sim_disk_destroy(disk);
    disk = pending_disk(one_partition);
    job_text = two_phase_changed;
    settings.replan = 1;
    both_refuse(disk, "\"again\" may have seen rows");
    settings = (struct run_options){ 0 };
    sim_disk_destroy(disk);
}

static void a_source_that_goes_is_forgotten_by_name(void **state)
{
    static const char *const names[] = { "n" };
    (void)state;
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = without_n;
    both_refuse(disk, "how far source \"n\" was read");
    settings = (struct run_options){ .drop = names, .n_drop = 1 };
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    settings = (struct run_options){ 0 };
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0); /* once is enough */
    job_text = two_phase;                           /* it comes again, and m went in its place */
    both_refuse(disk, "how far source \"m\" was read");
    sim_disk_destroy(disk);
}

/* Its rows are to be read again under a job that can't: nothing is dropped, and the batch comes once. */
static void a_source_of_the_pending_batch_is_not_dropped_by_replanning(void **state)
{
    static const char *const names[] = { "n" };
    (void)state;
    job_text = two_phase;
    char *want = undisturbed(1, 3);
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = without_n;
    settings.replan = 1;
    both_refuse(disk, "the pending batch has rows of source \"n\", which the job does not have");
    settings.drop = names;
    settings.n_drop = 1;
    both_refuse(disk, "the pending batch has rows of source \"n\", which the job does not have");
    settings = (struct run_options){ 0 };
    job_text = two_phase;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 0);
    char *got = all_text();
    assert_string_equal(got, want);
    free(got);
    free(want);
    sim_disk_destroy(disk);
}

static void make_room(void *arg)
{
    sim_disk_limit(arg, UINT64_MAX);
}

static void arm_room(struct weir_sys *sys, struct sim_disk *disk)
{
    sim_at(sys, sys_mono(sys) + 5000000, make_room, disk);
}

static void a_disk_that_is_full_at_the_start_is_waited_for(void **state)
{
    (void)state;
    job_text = one_partition;
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    sim_disk_limit(disk, 1);
    before = arm_room;
    int status = life(disk, 3, 1, 0, NULL);
    before = NULL;
    assert_int_equal(status, 0);
    assert_non_null(strstr(said, "the job waits"));
    sim_disk_destroy(disk);
}

/* ---- batches one by one, and one beside the next ---- */

static uint64_t n_states, n_ahead;

/* STATE(n) is durable: has the source been asked for rows of n + 1? */
static void look_ahead(void *arg, uint64_t batch)
{
    (void)arg;
    n_states++;
    n_ahead += toy_world.most_batch > batch;
}

static void the_next_batch_is_read_while_one_is_processed(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers < 3; workers++)
        for (uint64_t seed = 1; seed < 6; seed++) {
            job_text = one_partition;
            settings.hooks.state_done = look_ahead;
            n_states = n_ahead = 0;
            free(undisturbed(workers, seed));
            settings = (struct run_options){ 0 };
            assert_int_equal(n_states, 5);
            assert_int_equal(n_ahead, 4); /* all but the last one have a next one */
        }
}

/* What each batch showed, sink by sink, in one text. */
static char *by_batch(void)
{
    static const char *const names[] = { "plain", "sums", "again" };
    struct weir_buffer text = { 0 };
    char head[64];
    for (uint32_t i = 0; i < 3 * toy_world.n; i++) {
        const struct toy_batch *b = &toy_world.batches[i % toy_world.n];
        if (strcmp(b->sink, names[i / toy_world.n]) != 0) continue;
        snprintf(head, sizeof head, "%s %llu: ", b->sink, (unsigned long long)b->batch);
        assert_int_equal(buffer_add(&text, head, strlen(head)), WEIR_OK);
        assert_int_equal(buffer_add(&text, b->rows, strlen(b->rows)), WEIR_OK);
        assert_int_equal(buffer_add(&text, "\n", 1), WEIR_OK);
    }
    assert_int_equal(buffer_add(&text, "", 1), WEIR_OK);
    char *copy = strdup((char *)text.data);
    mem_free(text.data);
    return copy;
}

/* Lives of so many batches each (0: of all there are), until one has nothing left to do: it begins where
 * those before left the source. */
static char *lives_of(uint64_t at_most, uint32_t *lives)
{
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    job_text = one_partition;
    settings.max_batches = at_most;
    *lives = 0;
    for (uint32_t had = UINT32_MAX; had != toy_world.n; (*lives)++) {
        had = toy_world.n;
        assert_int_equal(life(disk, 3, 2, 0, NULL), 0);
    }
    settings.max_batches = 0;
    sim_disk_destroy(disk);
    return by_batch();
}

static void all_that_is_there_is_what_its_batches_are_one_by_one(void **state)
{
    static const uint32_t wanted[] = { 2, 6, 4, 3 }; /* lives, the last one with nothing to do */
    uint32_t lives;
    (void)state;
    char *at_once = lives_of(0, &lives);
    assert_int_equal(lives, wanted[0]);
    assert_non_null(strstr(at_once, "plain 4: "));
    for (uint64_t at_most = 1; at_most < 4; at_most++) {
        char *cut = lives_of(at_most, &lives);
        assert_int_equal(lives, wanted[at_most]);
        assert_string_equal(cut, at_once);
        free(cut);
    }
    free(at_once);
}

/* ---- what does not work at once ---- */

/* A life with a trouble that passes gives what one without gives; `word` stands in its journal. */
static void same_with_trouble(const char *job, void (*arm)(void), const char *word)
{
    struct sim_disk *disk = sim_disk_create();
    job_text = job;
    char *want = undisturbed(2, 5);
    toy_reset();
    arm();
    int status = life(disk, 5, 2, 0, NULL);
    if (status != 0) fail_msg("exit %d: %s", status, said);
    char *got = all_text();
    assert_string_equal(got, want);
    assert_non_null(strstr(said, word));
    free(want);
    free(got);
    sim_disk_destroy(disk);
}

static int nth;

static void arm_next(void)
{
    toy_world.fail_next = nth;
}

static void arm_double_begin(void)
{
    toy_world.fail_double_begin = nth;
}

static void rows_read_before_a_retry_are_kept(void **state)
{
    (void)state;
    for (nth = 1; nth < 12; nth++) same_with_trouble(one_partition, arm_next, "the toy is away");
}

static void rows_wait_for_an_operator_that_can_not_begin(void **state)
{
    (void)state;
    for (nth = 1; nth < 4; nth++)
        same_with_trouble(one_partition, arm_double_begin, "the toy can't begin");
    for (nth = 1; nth < 4; nth++)
        same_with_trouble(three_partitions, arm_double_begin, "the toy can't begin");
}

static void an_operator_that_can_not_go_on_fails_the_batch_and_it_is_read_again(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    (void)state;
    job_text = one_partition;
    char *want = undisturbed(2, 5);
    toy_reset();
    toy_world.fail_double = 1;
    assert_int_equal(life(disk, 5, 2, 0, NULL), 70);
    assert_non_null(strstr(said, "the toy can't go on"));
    assert_int_equal(life(disk, 5, 2, 0, NULL), 0);
    char *got = all_text();
    assert_string_equal(got, want);
    free(want);
    free(got);
    sim_disk_destroy(disk);
}

/* ---- damage ---- */

/* A byte of the file, from its end, is another one. */
static void flip(struct sim_disk *disk, const char *path, size_t from_end)
{
    size_t n;
    const uint8_t *file = sim_disk_file(disk, path, &n);
    assert_non_null(file);
    assert_true(n > from_end);
    uint8_t *copy = malloc(n);
    memcpy(copy, file, n);
    copy[n - from_end] ^= 0x20;
    assert_int_equal(sim_disk_put(disk, path, copy, n, 1700000000000000), 0);
    free(copy);
}

static size_t file_size(struct sim_disk *disk, const char *path)
{
    size_t n;
    assert_non_null(sim_disk_file(disk, path, &n));
    return n;
}

/* A check, then the start: both end with 73 and say `part`, and nothing that would not help. */
static void both_find(struct sim_disk *disk, const char *part, int repairable)
{
    for (only_check = 1;; only_check = 0) {
        int status = life(disk, 3, 2, 0, NULL);
        if (status != 73 || !strstr(said, part) ||
            (strstr(said, "checkpoint repair cp`") != NULL) != repairable)
            fail_msg("%s: exit %d: %s", only_check ? "check" : "start", status, said);
        if (!only_check) break;
    }
}

static void damage_is_told_with_what_helps(void **state)
{
    static const char *const names[] = { "s" };
    (void)state;
    struct sim_disk *whole = sim_disk_create();
    toy_reset();
    job_text = many_keys;
    assert_int_equal(life(whole, 3, 2, 0, NULL), 0);

    struct sim_disk *disk = sim_disk_clone(whole);
    flip(disk, "cp/state-00000001", 5);
    both_find(disk, "the state \"s/sums\" can't be read: cp/state-00000001: offset ", 0);
    assert_non_null(strstr(said, "begin empty with --drop s"));
    settings = (struct run_options){ .drop = names, .n_drop = 1 };
    assert_int_equal(life(disk, 3, 2, 0, NULL), 0);
    settings = (struct run_options){ 0 };
    assert_int_equal(life(disk, 3, 2, 0, NULL), 0);
    sim_disk_destroy(disk);

    disk = sim_disk_clone(whole);
    flip(disk, "cp/log-00000001", 500);
    both_find(disk, "cp/log-00000001: offset ", 1);
    sim_disk_destroy(disk);

    disk = sim_disk_clone(whole);
    sim_disk_put(disk, "cp/weir.json", "junk", 4, 1700000000000000);
    both_find(disk, "put back a copy of cp, or name another checkpoint", 0);
    sim_disk_destroy(disk);

    disk = sim_disk_clone(whole);
    flip(disk, "cp/log-00000001", file_size(disk, "cp/log-00000001") - 40);
    both_find(disk, "put back a copy of cp, or name another checkpoint", 0);
    sim_disk_destroy(disk);
    sim_disk_destroy(whole);
}

static void a_change_that_the_pending_batch_does_not_know_is_told(void **state)
{
    (void)state;
    struct sim_disk *disk = pending_disk(two_phase);
    job_text = two_phase_changed;
    toy_world.ahead = 1;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 78);
    assert_non_null(strstr(said, "the toy is ahead"));
    assert_non_null(strstr(said, "counts for that batch with --replan only"));
    job_text = two_phase;
    assert_int_equal(life(disk, 3, 1, 0, NULL), 78);
    assert_null(strstr(said, "--replan"));
    sim_disk_destroy(disk);
}

/* ---- being told to stop ---- */

static int64_t signal_at[2]; /* from the start; 0: none */
static int hangs_up[2];

static void send_signal(void *arg)
{
    sim_signal(arg);
}

static void hang_up(void *arg)
{
    sim_hangup(arg);
}

static void arm_signals(struct weir_sys *sys, struct sim_disk *disk)
{
    (void)disk;
    for (int i = 0; i < 2; i++)
        if (signal_at[i])
            sim_at(sys, sys_mono(sys) + signal_at[i], hangs_up[i] ? hang_up : send_signal, sys);
    for (int i = 0; i < 2; i++) /* a test that fails does not hang */
        sim_at(sys, sys_mono(sys) + 100000000, send_signal, sys);
}

/* A job whose sink never works; what it says in the end, and how long that took by its own clock. */
static int64_t stopped_life(int64_t first, int64_t second)
{
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    toy_world.fail_begin = 1 << 30;
    job_text = one_partition;
    signal_at[0] = first;
    signal_at[1] = second;
    before = arm_signals;
    int status = life(disk, 5, 2, 0, NULL);
    before = NULL;
    assert_int_equal(status, 0);
    sim_disk_destroy(disk);
    return ended - started;
}

static void a_second_signal_stops_now_and_cancels_the_sources(void **state)
{
    (void)state;
    int64_t took = stopped_life(5000000, 7000000);
    assert_in_range(took, 7000000, 8000000);
    assert_int_equal(toy_world.cancelled, 1);
    assert_null(strstr(said, "not finished within"));
}

static void a_hangup_is_a_signal_and_two_of_them_are_one(void **state)
{
    (void)state;
    hangs_up[0] = hangs_up[1] = 1;
    int64_t took = stopped_life(5000000, 7000000);
    assert_in_range(took, 35000000, 36000000);
    hangs_up[1] = 0;
    took = stopped_life(5000000, 7000000);
    hangs_up[0] = 0;
    assert_in_range(took, 7000000, 8000000);
}

static void a_drain_ends_after_its_time(void **state)
{
    (void)state;
    int64_t took = stopped_life(5000000, 0);
    assert_in_range(took, 35000000, 36000000);
    assert_non_null(strstr(said, "not finished within 30 s"));
    assert_int_equal(toy_world.cancelled, 1);
}

/* The k-th task of one executor lies there until the time for a drain is over: a sink whose peer does not
 * read, a disk that does not answer. */
static struct {
    struct weir_sys_ops ops;
    const struct weir_sys_ops *plain;
    const char *name;
    uint32_t at, seen; /* at 0: none is held */
    struct weir_exec *exec;
    struct weir_task *task;
    int64_t until;
} hold;

static struct weir_exec *hold_create(struct weir_sys *sys, const char *name, uint32_t threads)
{
    struct weir_exec *exec = hold.plain->exec_create(sys, name, threads);
    if (strcmp(name, hold.name) == 0) hold.exec = exec;
    return exec;
}

static void hold_submit(struct weir_exec *exec, struct weir_task *task)
{
    if (exec == hold.exec && ++hold.seen == hold.at)
        hold.task = task;
    else
        hold.plain->submit(exec, task);
}

static int hold_wait(struct weir_sys *sys, int64_t deadline_us)
{
    if (hold.task && sys_mono(sys) >= hold.until) {
        hold.plain->submit(hold.exec, hold.task);
        hold.task = NULL;
    }
    return hold.plain->wait(sys, deadline_us);
}

static void arm_hold(struct weir_sys *sys, struct sim_disk *disk)
{
    arm_signals(sys, disk);
    hold.plain = sys->ops;
    hold.ops = *sys->ops;
    hold.ops.exec_create = hold_create;
    hold.ops.submit = hold_submit;
    hold.ops.wait = hold_wait;
    hold.until = sys_mono(sys) + 35000000;
    hold.seen = 0;
    sys->ops = &hold.ops;
}

/* The task `at` of executor `name` is held over the drain, and the next life does what is left. */
static void held_life(const char *name, uint32_t at, const char *want)
{
    struct sim_disk *disk = sim_disk_create();
    toy_reset();
    hold.name = name;
    hold.at = at;
    signal_at[0] = 5000000;
    signal_at[1] = 0;
    before = arm_hold;
    int status = life(disk, 5, 2, 0, NULL);
    before = NULL;
    if (at && (status != 0 || ended - started < 35000000 || ended - started > 36000000 ||
               !strstr(said, "not finished within 30 s") || strstr(said, "cancelled while")))
        fail_msg("%s %u: exit %d after %lld us: %s", name, at, status,
                 (long long)(ended - started), said);
    if (at) assert_int_equal(life(disk, 5, 2, 0, NULL), 0);
    char *got = all_text();
    assert_string_equal(got, want);
    free(got);
    sim_disk_destroy(disk);
}

static void a_drain_ends_after_its_time_whatever_is_waited_for(void **state)
{
    static const char *const names[] = { "again", "sums", "log", "worker" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        job_text = i < 3 ? one_partition : three_partitions;
        char *want = undisturbed(2, 5);
        held_life(names[i], 0, want);
        const uint32_t n = hold.seen, step = n / 16 + 1;
        assert_true(n > 2);
        for (uint32_t at = 1; at <= n; at += step) held_life(names[i], at, want);
        free(want);
    }
    job_text = one_partition;
}

/* ---- what a source must not do ---- */

static void refused(const char *word)
{
    struct sim_disk *disk = sim_disk_create();
    job_text = one_partition;
    assert_int_equal(life(disk, 5, 2, 0, NULL), 70);
    assert_non_null(strstr(said, "\"n\" (toy_numbers)"));
    assert_non_null(strstr(said, word));
    sim_disk_destroy(disk);
    toy_reset();
}

static void a_source_that_gives_more_than_asked_for_is_refused(void **state)
{
    (void)state;
    toy_world.surplus = 100;
    refused("109 rows of partition \"p00\" at once, where 60");
}

static void a_source_that_gives_rows_without_a_position_is_refused(void **state)
{
    (void)state;
    toy_world.no_position = 1;
    refused("without a new position");
}

/* ---- on threads ---- */

#define THREADED(plugin, more)                                                                     \
    "{\"name\": \"toy\", \"trigger\": \"available_now\","                                          \
    " \"sources\": {\"n\": {\"plugin\": \"" plugin "\", \"rows\": 3000, \"partitions\": 4,"          \
    "                      \"step\": 50" more "}}," GRAPH

static uint64_t most_rows, rows_before;

static void note_rows(void *arg, const struct run *run, uint64_t batch)
{
    (void)arg;
    (void)batch;
    uint64_t rows = run->sources[0].rows_total - rows_before;
    if (rows > most_rows) most_rows = rows;
    rows_before = run->sources[0].rows_total;
}

static void on_threads(const char *text)
{
    struct report report = { 0 };
    struct run_options options = { .workers = 4, .hooks = { .batch_done = note_rows } };
    struct run_summary summary = { 0 };
    int io_error;
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sim = sim_create(disk, 1700000000000000, 1);
    job_text = text;
    struct job *job = job_read(sim, "job.json", job_text, &report, &io_error);
    assert_non_null(job);
    toy_reset();
    toy_world.linger = 20;
    most_rows = rows_before = 0;
    assert_int_equal(run_job(outside, job, registry, NULL, &options, &report, &summary), 0);
    assert_int_equal(summary.rows_in, 12000);
    free(summary.json);
    job_free(job);
    report_fini(&report);
    sys_destroy(sim);
    sim_disk_destroy(disk);
}

static void partitions_read_side_by_side_keep_to_max_records(void **state)
{
    (void)state;
    on_threads(THREADED("toy_numbers", ", \"max_records\": 110"));
    assert_int_equal(most_rows, 110);
}

static void a_serial_source_has_one_call_at_a_time(void **state)
{
    (void)state;
    on_threads(THREADED("toy_serial", ""));
    assert_int_equal(toy_world.most_within, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_gives_every_row_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_rows_are_the_same_with_other_workers_and_orders_of_tasks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_at_any_call_loses_and_doubles_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pending_batch_is_replanned_where_nothing_was_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(replanning_names_the_sinks_that_may_see_rows_twice, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pending_batch_counts_among_those_that_are_asked_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(dropped_state_stays_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_pending_batch_has_its_state_though_it_is_to_be_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sink_with_an_uncommitted_batch_may_not_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_check_looks_behind_the_pending_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_goes_is_forgotten_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_of_the_pending_batch_is_not_dropped_by_replanning,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_told_with_what_helps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_that_the_pending_batch_does_not_know_is_told,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_signal_stops_now_and_cancels_the_sources, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_hangup_is_a_signal_and_two_of_them_are_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_drain_ends_after_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain_ends_after_its_time_whatever_is_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_is_full_at_the_start_is_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_batch_is_read_while_one_is_processed, setup, teardown),
        cmocka_unit_test_setup_teardown(all_that_is_there_is_what_its_batches_are_one_by_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rows_read_before_a_retry_are_kept,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(rows_wait_for_an_operator_that_can_not_begin,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_operator_that_can_not_go_on_fails_the_batch_and_it_is_read_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_gives_more_than_asked_for_is_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_that_gives_rows_without_a_position_is_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(partitions_read_side_by_side_keep_to_max_records,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_serial_source_has_one_call_at_a_time,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
