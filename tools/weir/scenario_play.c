/*
 * The job runs in *lives*: each is one call of run_job on the simulated outside, all on one disk.
 * While a life lasts the steps go on from within: whenever the engine can do nothing without time
 * or the outside it calls `idle`, which takes step after step until one needs the engine again.
 *
 *     READY ──life──> RUNNING ──stop, end of its own──> ENDED ──restart──> READY
 *                        ├──crash point──> KILLED ──next step that needs it──> RUNNING
 *                        └──failure──> FAILED ──error step──> ENDED
 *     REFUSED (by the check) ──error step, restart──> …
 *
 *  1. A life begins at the first step that lets time pass or looks at what the job does; rows
 *     before it are there from its beginning.
 *  2. Time goes from one deadline of the engine to the next, never past one, so that every tick of
 *     a long `advance` is seen at its time; but a `jump` is like a process that was suspended: the
 *     engine finds the clock at its end, and it begins no life. Where a life ends within an advance, the rest of it
 *     passes while nothing runs.
 *  3. A crash point is armed by its step and strikes when the job gets there; the job is let run on
 *     to it, through time if need be, before any step that is not `rows` or `advance`.
 *  4. All draws come from seeds that don't depend on the number of workers, so that hashes, and
 *     with them the order of groups, are the same.
 */
#include "tools/weir/scenario_play.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/array.h"
#include "core/data/node.h"
#include "core/run/run.h"
#include "core/sys/sim.h"
#include "sdk/check/rows.h"
#include "tools/weir/scenario_facts.h"

#define WAITS_MAX 10000u   /* deadlines on the way to a crash point */
#define BATCHES_MAX 100000u /* without a moment in which nothing can happen */
#define SEED 20

enum state { READY, RUNNING, ENDED, FAILED, KILLED, REFUSED };

/* What a step says: take the next one, let the engine run, begin a life, or that it failed. */
enum answer { NEXT, RUN, LIVE, FAIL };

struct player {
    const struct scenario *scenario;
    struct play *play;
    struct weir_sys *real;
    struct registry *registry;
    FILE *text; /* of play->text */
    struct sim_disk *disk;
    struct job *job;
    uint32_t workers;
    enum state state;
    char *why;          /* of REFUSED, FAILED: malloc'ed */
    uint32_t step;
    int failed;
    int64_t wall_us;    /* while nothing runs */
    uint32_t lives;
    struct crash armed;
    uint32_t armed_by;  /* the step that it stands in */
    uint32_t waits;
    uint64_t planned, stated, committed; /* next batches */
    /* of the life under way */
    struct weir_sys *sys;
    int64_t target_mono; /* of the advance under way; 0: none */
    int ending;          /* it was told to stop */
    uint32_t busy;       /* batches since it was idle */
    char *errors;        /* what it logged as errors */
    size_t n_errors;
    FILE *log;
    /* facts, as of the last batch */
    int64_t watermark_us;
    int has_watermarks;
    json_t *rows; /* of state, by operator */
    json_t *counters; /* by operator and name: of the last batch with rows and of those behind it */
    json_t *times; /* event times of the last batch that had some; NULL: none */
    uint64_t rows_in; /* of this life */
};

static const struct scenario_step *step_of(const struct player *p)
{
    return &p->scenario->steps[p->step];
}

/* ---- failure ---- */

/* Begins the report: the place of the step, or of something in it. */
static FILE *fail_at(struct player *p, const char *inner)
{
    char path[320], place[512];
    p->failed = 1;
    if (p->step < p->scenario->n_steps) {
        snprintf(path, sizeof path, "steps.%u%s%s", p->step, inner[0] ? "." : "", inner);
        scenario_place(p->scenario, path, place, sizeof place);
        fprintf(p->text, "# %s: step %u: ", place, p->step + 1);
    } else {
        fprintf(p->text, "# %s: at the end: ", p->scenario->file);
    }
    return p->text;
}

static enum answer fail(struct player *p, const char *inner, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum answer fail(struct player *p, const char *inner, const char *format, ...)
{
    va_list args;
    fail_at(p, inner);
    va_start(args, format);
    vfprintf(p->text, format, args);
    va_end(args);
    fputc('\n', p->text);
    return FAIL;
}

static void put_lines(FILE *to, const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        fprintf(to, "#   %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static enum answer fail_because(struct player *p, const char *what)
{
    fail(p, "", "%s:", what);
    put_lines(p->text, p->why ? p->why : "without a reason");
    return FAIL;
}

/* ---- crash points ---- */

static const char *crash_words(enum crash_point point)
{
    static const char *const words[] = { "",           "after plan",   "after state",
                                         "before commit", "after commit", "at call" };
    return words[point];
}

/* From here on nothing of this life reaches the outside. */
static void kill_life(struct player *p)
{
    p->play->world.dead = 1;
    p->armed.point = CRASH_NEVER;
    sim_kill_at(p->sys, sim_calls(p->sys) + 1);
}

static int strikes(struct player *p, enum crash_point point, uint64_t batch)
{
    if (p->armed.point != point || p->armed.n != batch) return 0;
    kill_life(p);
    return 1;
}

static void on_plan(void *arg, uint64_t batch)
{
    struct player *p = arg;
    if (batch >= p->planned) p->planned = batch + 1;
    strikes(p, CRASH_AFTER_PLAN, batch);
}

static void on_state(void *arg, uint64_t batch)
{
    struct player *p = arg;
    if (batch >= p->stated) p->stated = batch + 1;
    strikes(p, CRASH_AFTER_STATE, batch);
}

static int on_commit(void *arg, uint64_t batch, int after)
{
    struct player *p = arg;
    if (!after) return strikes(p, CRASH_BEFORE_COMMIT, batch);
    if (batch >= p->committed) p->committed = batch + 1;
    return strikes(p, CRASH_AFTER_COMMIT, batch);
}

static enum answer arm(struct player *p)
{
    const struct crash *crash = &step_of(p)->crash;
    uint64_t passed = crash->point == CRASH_AFTER_PLAN    ? p->planned
                      : crash->point == CRASH_AFTER_STATE ? p->stated
                      : crash->point == CRASH_AT_CALL     ? 0
                                                          : p->committed;
    if (p->state == REFUSED) return fail_because(p, "the check refused the job");
    if (p->state == ENDED || p->state == FAILED)
        return fail(p, "crash", "the job does not run any more");
    if (crash->n < passed)
        return fail(p, "crash", "\"%s %llu\" is over: put the crash before the step that lets "
                    "batch %llu run", crash_words(crash->point), (unsigned long long)crash->n,
                    (unsigned long long)crash->n);
    p->armed = *crash;
    p->armed_by = p->step;
    p->waits = 0;
    if (p->state == RUNNING && crash->point == CRASH_AT_CALL)
        sim_kill_at(p->sys, sim_calls(p->sys) + crash->n);
    return NEXT;
}

/* At the step that armed it, not at the one which waits for it. */
static enum answer fail_unreached(struct player *p, const char *what, const char *why)
{
    p->step = p->armed_by;
    return fail(p, "crash", "the job %s \"%s %llu\"%s", what, crash_words(p->armed.point),
                (unsigned long long)p->armed.n, why);
}

/* Lets the job run on to the point that is armed. */
static enum answer run_to_crash(struct player *p, int64_t until_mono)
{
    if (p->state == READY || p->state == KILLED) return LIVE;
    if (p->state != RUNNING) return fail_unreached(p, "ended before", "");
    if (until_mono == INT64_MAX || ++p->waits > WAITS_MAX)
        return fail_unreached(p, "does not come to", ": it waits for rows");
    sim_advance(p->sys, until_mono - sys_mono(p->sys));
    return RUN;
}

/* ---- steps ---- */

static enum answer push(struct player *p)
{
    const char *name;
    json_t *rows;
    char inner[160];
    if (p->state == REFUSED) return fail_because(p, "the check refused the job");
    json_object_foreach((json_t *)(uintptr_t)step_of(p)->value, name, rows)
    {
        struct weir_error error = WEIR_ERROR_INIT;
        struct world_source *source = world_source(&p->play->world, name);
        snprintf(inner, sizeof inner, "rows.%.128s", name);
        if (!source || !source->wanted)
            return fail(p, inner, "the job has no source \"%s\"", name);
        if (world_push(source, rows, &error) != WEIR_OK) return fail(p, inner, "%s", error.text);
    }
    if (p->state == RUNNING) world_wake(&p->play->world);
    return NEXT;
}

/* The life's own sys, or one for the moment. */
static int with_disk(struct player *p, int (*fn)(struct weir_sys *sys, const char *a, const char *b),
                     const char *a, const char *b)
{
    struct weir_sys *sys = p->sys ? p->sys : sim_create(p->disk, p->wall_us, SEED);
    int result = sys ? fn(sys, a, b) : -ENOMEM;
    if (sys && sys != p->sys) sys_destroy(sys);
    return result;
}

static int remove_file(struct weir_sys *sys, const char *path, const char *unused)
{
    (void)unused;
    return sys_unlink(sys, path);
}

static int rename_file(struct weir_sys *sys, const char *from, const char *to)
{
    return sys_rename(sys, from, to);
}

static int put_file(struct player *p, const char *path, const json_t *file)
{
    const json_t *text = json_object_get(file, "text"), *mtime = json_object_get(file, "mtime");
    const char *from = json_string_value(json_object_get(file, "from"));
    int64_t us = p->sys ? sys_now(p->sys) : p->wall_us;
    if (json_is_null(file)) return with_disk(p, remove_file, path, NULL);
    if (from) return with_disk(p, rename_file, from, path);
    if (mtime) timestamp_of_text(json_string_value(mtime), json_string_length(mtime), &us);
    if (text) return sim_disk_put(p->disk, path, json_string_value(text), json_string_length(text), us);
    const json_t *encoded = json_object_get(file, "base64");
    uint64_t n = json_string_length(encoded), length;
    uint8_t *bytes = malloc(n + 1);
    if (!bytes) return -ENOMEM;
    base64_decode(json_string_value(encoded), n, bytes, &length);
    int result = sim_disk_put(p->disk, path, bytes, length, us);
    free(bytes);
    return result;
}

static enum answer put_files(struct player *p)
{
    const char *path;
    json_t *file;
    json_object_foreach((json_t *)(uintptr_t)step_of(p)->value, path, file)
    {
        int result = put_file(p, path, file);
        if (result < 0) return fail(p, "files", "%s: %s", path, strerror(-result));
    }
    return NEXT;
}

static enum answer advance(struct player *p, int64_t until_mono)
{
    int64_t us = step_of(p)->us, now;
    if ((p->state == READY || p->state == KILLED) && !step_of(p)->jump) return LIVE;
    if (p->state == REFUSED) return fail_because(p, "the check refused the job");
    if (p->state != RUNNING) {
        p->wall_us += us;
        return NEXT;
    }
    now = sys_mono(p->sys);
    if (p->target_mono == 0) p->target_mono = now + us;
    if (now >= p->target_mono) {
        p->target_mono = 0;
        return NEXT;
    }
    int all = step_of(p)->jump || until_mono > p->target_mono;
    sim_advance(p->sys, (all ? p->target_mono : until_mono) - now);
    return RUN;
}

/* Takes note that what came out at `inner` of the step is `value`, which is taken over. */
static void note_update(struct player *p, const char *inner, json_t *value)
{
    struct play *play = p->play;
    struct play_update *all = realloc(play->updates, (play->n_updates + 1) * sizeof *all);
    if (!all) {
        json_decref(value);
        return;
    }
    play->updates = all;
    struct play_update *update = &all[play->n_updates++];
    snprintf(update->path, sizeof update->path, "steps.%u.%.280s", p->step, inner);
    update->value = value;
}

static enum answer expect_sink(struct player *p, const char *name, const json_t *expected)
{
    const struct scenario_step *step = step_of(p);
    struct world_sink *sink = world_sink(&p->play->world, name);
    char inner[160], *diff = NULL;
    size_t n;
    enum answer answer = NEXT;
    snprintf(inner, sizeof inner, "expect.%.128s", name);
    if (!sink) return fail(p, inner, "the job has no sink \"%s\"", name);
    json_t *got = world_take(sink);
    FILE *to = got ? open_memstream(&diff, &n) : NULL;
    int differ = to ? rows_compare(expected, got, step->exact, to) : -1;
    if (to) fclose(to);
    if (differ && p->play->updating && differ != -1) {
        note_update(p, inner, json_incref(got));
    } else if (differ) {
        answer = fail(p, inner, "sink \"%s\" gave other rows (- expected, + came, order %s):", name,
                      step->exact ? "exact" : "any");
        fputs(diff ? diff : "#   out of memory\n", p->text);
    }
    free(diff);
    json_decref(got);
    return answer;
}

static enum answer expect(struct player *p)
{
    const char *name;
    json_t *rows;
    enum answer answer = NEXT;
    json_object_foreach((json_t *)(uintptr_t)step_of(p)->value, name, rows)
        if (expect_sink(p, name, rows) == FAIL) answer = FAIL;
    return answer;
}

/* One time of "event_time". */
static enum answer check_event_time(struct player *p, const char *name, const json_t *want)
{
    char key[16], inner[40], text[40];
    int64_t us = 0;
    snprintf(inner, sizeof inner, "event_time.%.16s", name);
    snprintf(key, sizeof key, "%.8s_us", name);
    if (!p->times) return fail(p, inner, "no row had an event time yet");
    timestamp_of_text(json_string_value(want), json_string_length(want), &us);
    int64_t have = json_integer_value(json_object_get(p->times, key));
    if (us == have) return NEXT;
    text_of_timestamp(have, text);
    if (!p->play->updating)
        return fail(p, inner, "%s is %s, not %s", name, text, json_string_value(want));
    note_update(p, inner, json_string(text));
    return NEXT;
}

static enum answer check_times(struct player *p)
{
    const json_t *want = json_object_get(step_of(p)->all, "watermark");
    int64_t us = 0, have = p->watermark_us == WEIR_WATERMARK_NONE ? 0 : p->watermark_us;
    const char *name;
    char text[40];
    json_t *time;
    if (!p->has_watermarks) return fail(p, "", "no operator of the job has a watermark");
    json_object_foreach(json_object_get(step_of(p)->all, "event_time"), name, time)
        if (check_event_time(p, name, time) == FAIL) return FAIL;
    if (!want) return NEXT;
    timestamp_of_text(json_string_value(want), json_string_length(want), &us);
    if (us == have) return NEXT;
    text_of_timestamp(have, text);
    if (!p->play->updating)
        return fail(p, "watermark", "it is %s, not %s", text, json_string_value(want));
    note_update(p, "watermark", json_string(text));
    return NEXT;
}

/* One that every operator with state may have, or that this one counted. */
static int is_counter(const json_t *of, const char *name)
{
    static const char *const usual[] = { "late", "updated", "removed", "duplicates" };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(name, usual[i]) == 0) return 1;
    return json_object_get(of, name) != NULL;
}

static enum answer check_counter(struct player *p, const char *name, const char *counter,
                                 json_int_t want)
{
    const struct world_sink *sink = world_sink(&p->play->world, name);
    const json_t *of = json_object_get(p->counters, name), *rows = json_object_get(p->rows, name);
    const int is_rows = strcmp(counter, "rows") == 0;
    json_int_t have = sink ? (json_int_t)sink->rows
                           : json_integer_value(is_rows ? rows : json_object_get(of, counter));
    char inner[320];
    snprintf(inner, sizeof inner, "counters.%.128s.%.128s", name, counter);
    if (is_rows ? !sink && !rows : sink || !of || !is_counter(of, counter))
        return fail(p, inner, "there is no such counter: sinks and operators with state have `rows`, "
                    "operators `late`, `updated`, `removed`, `duplicates`");
    if (have == want) return NEXT;
    if (p->play->updating) {
        note_update(p, inner, json_integer(have));
        return NEXT;
    }
    return fail(p, inner, "%s of \"%s\" is %lld, not %lld", counter, name, (long long)have,
                (long long)want);
}

static enum answer check_counters(struct player *p)
{
    enum answer answer = NEXT;
    const char *name, *counter;
    json_t *counters, *number;
    json_object_foreach((json_t *)(uintptr_t)step_of(p)->value, name, counters)
        json_object_foreach(counters, counter, number)
            if (answer == NEXT)
                answer = check_counter(p, name, counter, json_integer_value(number));
    return answer;
}

static int prepare(struct player *p, const json_t *given, const char *path)
{
    job_free(p->job);
    free(p->why);
    p->why = NULL;
    p->job = scenario_prepare(p->scenario, given, path, p->real, p->registry, &p->play->world,
                              &p->why);
    p->state = p->job ? READY : REFUSED;
    return p->job != NULL;
}

/* Ends the life, as SIGTERM does. */
static enum answer end_life(struct player *p)
{
    if (!p->ending) sim_signal(p->sys);
    p->ending = 1;
    return RUN;
}

static enum answer restart(struct player *p)
{
    const json_t *value = step_of(p)->value, *job = json_object_get(value, "job");
    const json_t *workers = json_object_get(value, "workers");
    char path[64];
    if (p->state == RUNNING) return end_life(p);
    if (p->state == FAILED) return fail_because(p, "the job failed");
    snprintf(path, sizeof path, "steps.%u.restart.job", p->step);
    if (workers) p->workers = (uint32_t)json_integer_value(workers);
    if (job) prepare(p, job, path);
    else if (p->state != REFUSED) p->state = READY;
    return NEXT;
}

static int matches(const char *text, const char *pattern)
{
    regex_t regex;
    if (strstr(text, pattern)) return 1;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) return 0;
    int found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* Why a pattern that is no plain part of the error can't be one of a regular expression; else 0. */
static int is_invalid(const char *pattern, char *why, size_t size)
{
    regex_t regex;
    int code = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) regfree(&regex);
    else regerror(code, &regex, why, size);
    return code != 0;
}

static enum answer expect_error(struct player *p)
{
    const json_t *value = step_of(p)->value;
    const char *at = json_string_value(json_object_get(value, "at"));
    const char *match = json_string_value(json_object_get(value, "match"));
    int check = strcmp(at, "check") == 0;
    if (check && p->state != REFUSED) return fail(p, "error", "the check finds nothing wrong");
    if (!check && p->state == REFUSED)
        return fail_because(p, "the check refused the job already");
    if (!check && (p->state == READY || p->state == KILLED)) return LIVE;
    if (!check && p->state == RUNNING) return fail(p, "error", "the job runs on without an error");
    if (!check && p->state == ENDED) return fail(p, "error", "the job ended without an error");
    char why[128];
    if (match && !matches(p->why ? p->why : "", match) && is_invalid(match, why, sizeof why)) {
        fail(p, "error.match", "it is no part of the error, and no regular expression (%s):", why);
        put_lines(p->text, p->why);
        return FAIL;
    }
    if (match && !matches(p->why ? p->why : "", match))
        return fail_because(p, "the error is another one");
    if (!check) p->state = ENDED;
    return NEXT;
}

/* Steps for which the job has to be there, and well. */
static enum answer look(struct player *p, enum answer (*fn)(struct player *))
{
    if (p->state == READY || p->state == KILLED) return LIVE;
    if (p->state == REFUSED) return fail_because(p, "the check refused the job");
    if (p->state == FAILED) return fail_because(p, "the job failed");
    return fn(p);
}

static enum answer stop(struct player *p)
{
    return p->state == RUNNING ? end_life(p) : NEXT;
}

static enum answer take_step(struct player *p, int64_t until_mono)
{
    enum scenario_verb verb = step_of(p)->verb;
    p->play->world.mark = p->step;
    if (p->armed.point != CRASH_NEVER && verb != VERB_ROWS && verb != VERB_FILES &&
        verb != VERB_ADVANCE)
        return verb == VERB_CRASH ? fail(p, "crash", "the crash before it has not come yet")
                                  : run_to_crash(p, until_mono);
    switch (verb) {
    case VERB_ROWS: return push(p);
    case VERB_FILES: return put_files(p);
    case VERB_ADVANCE: return advance(p, until_mono);
    case VERB_CRASH: return arm(p);
    case VERB_EXPECT: return look(p, expect);
    case VERB_TIMES: return look(p, check_times);
    case VERB_COUNTERS: return look(p, check_counters);
    case VERB_STOP: return look(p, stop);
    case VERB_RESTART: return restart(p);
    default: return expect_error(p);
    }
}

/* ---- lives ---- */

/* Before the first batch: nothing is in state, nothing was counted. */
static void note_operators(struct player *p, const struct run *run)
{
    for (uint32_t i = 0; p->rows && p->counters && i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        if (node->kind != JOB_OPERATOR) continue;
        if (node->stateful && !json_object_get(p->rows, node->name))
            json_object_set_new(p->rows, node->name, json_integer(0));
        if (!json_object_get(p->counters, node->name))
            json_object_set_new(p->counters, node->name, json_object());
    }
}

/* 1: the life is to end. */
static int on_idle(void *arg, const struct run *run, int64_t until_mono)
{
    struct player *p = arg;
    p->busy = 0;
    p->has_watermarks = run->plan->watermarks;
    note_operators(p, run);
    while (!p->failed && !p->ending && !p->play->world.dead && !p->play->world.failure[0]) {
        int over = p->step == p->scenario->n_steps;
        if (over && p->armed.point == CRASH_NEVER) break;
        enum scenario_verb verb = over ? VERB_STOP : step_of(p)->verb;
        enum answer answer = over ? run_to_crash(p, until_mono) : take_step(p, until_mono);
        if (answer == RUN) return 0;
        if (answer == FAIL) break;
        p->step++;
        if (verb == VERB_ROWS || verb == VERB_FILES) return 0; /* it reads them at their time */
    }
    if (!p->ending && !p->play->world.dead) p->play->world.closed = 1;
    return 1;
}

/* Adds what operators counted in a batch; one that read rows begins anew. */
static void note_counters(struct player *p, const struct run *run)
{
    if (run->summary.rows_in != p->rows_in) json_object_clear(p->counters);
    p->rows_in = run->summary.rows_in;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct counters *counters = &run->counters[i];
        const char *name = run->plan->nodes[i]->name;
        json_t *of = json_object_get(p->counters, name);
        if (run->plan->nodes[i]->kind != JOB_OPERATOR) continue;
        if (!of) {
            of = json_object();
            json_object_set_new(p->counters, name, of);
        }
        for (uint32_t k = 0; k < counters->n; k++) {
            const char *counter = counters->list[k].name;
            json_int_t before = json_integer_value(json_object_get(of, counter));
            json_object_set_new(of, counter,
                                json_integer(before + (json_int_t)counters->list[k].value));
        }
    }
}

/* Keeps event times until a later batch has some. */
static void note_times(struct player *p, const struct run *run)
{
    json_t *times = facts_event_times(run);
    if (json_is_object(times)) {
        json_decref(p->times);
        p->times = json_incref(times);
    }
    json_decref(times);
}

/* What the steps may ask for: taken at the end of each batch, since the job may be gone when they
 * do. */
static void on_batch(void *arg, const struct run *run, uint64_t batch)
{
    struct player *p = arg;
    if (++p->busy > BATCHES_MAX && !p->failed) {
        fail(p, "", "batch after batch without end: %llu by now", (unsigned long long)batch);
        kill_life(p);
    }
    if (batch >= p->committed) p->committed = batch + 1;
    /* a batch in which no sink had a turn has nothing to commit */
    if (!strikes(p, CRASH_BEFORE_COMMIT, batch)) strikes(p, CRASH_AFTER_COMMIT, batch);
    p->watermark_us = run->watermark_us;
    p->has_watermarks = run->plan->watermarks;
    facts_add(p->play->batches, run, batch, run->summary.rows_in - p->rows_in, p->step);
    note_counters(p, run);
    note_times(p, run);
    for (uint32_t i = 0; p->rows && i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        if (node->stateful)
            json_object_set_new(p->rows, node->name,
                                json_integer((json_int_t)facts_state_rows(node)));
    }
}

/* Keeps the errors of the log, which are lines of JSON. */
static void on_log(void *arg, const char *line, uint64_t n)
{
    struct player *p = arg;
    json_t *entry = json_loadb(line, n, 0, NULL);
    const char *level = json_string_value(json_object_get(entry, "level"));
    const char *instance = json_string_value(json_object_get(entry, "instance"));
    const char *text = json_string_value(json_object_get(entry, "text"));
    if (p->log && level && text && strcmp(level, "error") == 0)
        fprintf(p->log, "%s%s%s\n", instance ? instance : "", instance ? ": " : "", text);
    json_decref(entry);
}

static void add_line(void *arg, const char *line)
{
    fprintf(arg, "%s\n", line);
}

static void life_begins(struct player *p)
{
    struct world *world = &p->play->world;
    p->sys = sim_create(p->disk, p->wall_us, SEED + p->lives++);
    sim_auto_advance(p->sys, 0);
    if (p->armed.point == CRASH_AT_CALL) sim_kill_at(p->sys, p->armed.n);
    world->sys = p->sys;
    world->dead = 0;
    p->ending = 0;
    p->busy = 0;
    p->target_mono = 0;
    p->log = open_memstream(&p->errors, &p->n_errors);
    p->state = RUNNING;
}

static void life_ends(struct player *p, int status)
{
    struct world *world = &p->play->world;
    int killed = world->dead || (sim_killed(p->sys) && !sim_stuck(p->sys));
    p->wall_us = sys_now(p->sys);
    if (p->target_mono) { /* the rest of the advance passes without the job */
        p->wall_us += p->target_mono - sys_mono(p->sys);
        p->step++;
    }
    if (sim_stuck(p->sys) && p->log) fputs("the engine waits for what can't come\n", p->log);
    if (p->log) fclose(p->log);
    p->log = NULL;
    free(p->why);
    p->why = p->errors;
    p->errors = NULL;
    if (killed) p->armed.point = CRASH_NEVER;
    p->state = killed ? KILLED : status != 0 || sim_stuck(p->sys) ? FAILED : ENDED;
    world->sys = NULL;
    sys_destroy(p->sys);
    p->sys = NULL;
}

static void live(struct player *p)
{
    struct report report = { 0 };
    struct run_summary summary = { 0 };
    struct run_options options = { .workers = p->workers,
                                   .chunk_rows = p->workers > 1 ? p->workers : 0,
                                   .hooks = { on_idle, on_plan, on_state, on_batch, p } };
    life_begins(p);
    p->rows_in = 0;
    struct journal *journal = journal_create(p->sys, 1, WEIR_LOG_ERROR, on_log, p);
    int status = run_job(p->sys, p->job, p->registry, journal, &options, &report, &summary);
    if (journal) journal_destroy(journal);
    if (p->log) report_print(&report, add_line, p->log);
    free(summary.json);
    report_fini(&report);
    life_ends(p, status);
    if (p->play->world.failure[0] && !p->failed) fail(p, "", "%s", p->play->world.failure);
}

/* Steps while nothing runs; a life where one wants it. */
static void play_steps(struct player *p)
{
    uint32_t n = p->scenario->n_steps;
    while (!p->failed && (p->step < n || p->armed.point != CRASH_NEVER)) {
        enum answer answer =
            p->step < n ? take_step(p, INT64_MAX) : run_to_crash(p, INT64_MAX);
        if (answer == NEXT) p->step++;
        if (answer == LIVE) live(p);
    }
    if (!p->failed && p->state == FAILED) fail_because(p, "the job failed");
    if (!p->failed && p->state == REFUSED && p->step == n &&
        p->scenario->steps[n - 1].verb != VERB_ERROR)
        fail_because(p, "the check refused the job");
}

/* How it ended. */
static void play_keep(struct player *p)
{
    static const char *const states[] = { "ready",  "running", "ended",
                                          "failed", "killed",  "refused" };
    p->play->state = states[p->state];
    p->play->step = p->step;
    if (p->state != FAILED && p->state != REFUSED) return;
    p->play->error = p->why;
    p->why = NULL;
}

void scenario_play(const struct scenario *scenario, struct weir_sys *sys, struct registry *registry,
                   uint32_t workers, struct play *play)
{
    struct player p = { .scenario = scenario, .play = play, .real = sys, .registry = registry,
                        .workers = workers, .wall_us = scenario->start_us,
                        .watermark_us = WEIR_WATERMARK_NONE };
    size_t n;
    play->world.at_commit = on_commit;
    play->world.arg = &p;
    world_use(&play->world);
    p.text = open_memstream(&play->text, &n);
    p.rows = json_object();
    p.counters = json_object();
    play->batches = json_array();
    p.disk = sim_disk_create();
    if (p.text && p.rows && p.counters && p.disk && play->batches) {
        prepare(&p, scenario->job, "job");
        play_steps(&p);
        play->passed = !p.failed;
    }
    if (p.text) fclose(p.text);
    play_keep(&p);
    world_use(NULL);
    play->world.at_commit = NULL;
    sim_disk_destroy(p.disk);
    json_decref(p.rows);
    json_decref(p.counters);
    json_decref(p.times);
    job_free(p.job);
    free(p.why);
}

void play_fini(struct play *play)
{
    world_fini(&play->world);
    for (uint32_t i = 0; i < play->n_updates; i++) json_decref(play->updates[i].value);
    free(play->updates);
    json_decref(play->batches);
    free(play->error);
    free(play->text);
    memset(play, 0, sizeof *play);
}
