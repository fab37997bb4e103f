#include "tests/sweeps/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/run/run.h"
#include "core/sys/planted.h"
#include "tests/plugins/entries/entries.h"

ENTRY(entry_operator_basic);
ENTRY(entry_operator_aggregate);
ENTRY(entry_operator_deduplicate);
ENTRY(entry_operator_group);
ENTRY(entry_operator_join);
ENTRY(entry_operator_order);
ENTRY(entry_operator_window);
ENTRY(entry_operator_state);
ENTRY(entry_function_builtin);

#define START_US INT64_C(1700000000000000)
#define DOWN_US INT64_C(7000000) /* a life begins so much later than the one before */
#define CHECKPOINT "cp"
#define ENDLESS 100000u /* seam calls: no job has so many */

unsigned long weir_planted_bug;

int sweep_level(void)
{
    const char *word = getenv("WEIR_SWEEP");
    if (!word) return SWEEP_SAMPLE;
    return strcmp(word, "full") == 0 ? SWEEP_FULL : strcmp(word, "wide") == 0 ? SWEEP_WIDE : SWEEP_SAMPLE;
}

uint64_t sweep_seed(void)
{
    const char *word = getenv("WEIR_SEED");
    return word && *word ? strtoull(word, NULL, 10) : SWEEP_SEED;
}

uint64_t sweep_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- the engine ---- */

static struct registry *modules(void)
{
    static struct registry *registry;
    static const struct weir_plugin *(*const entries[])(const struct weir_host *,
                                                        struct weir_error *) = {
        entry_format_text, entry_format_csv, entry_operator_basic, entry_operator_aggregate,
        entry_operator_deduplicate, entry_operator_group, entry_operator_join, entry_operator_order, entry_operator_window,
#ifdef SWEEP_LUA
        entry_operator_state,
#endif
        entry_function_builtin, entry_source_file, entry_source_socket, entry_source_stdin,
        entry_sink_file
    };
    struct registry_options options = { .no_user_directories = 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    if (registry) return registry;
    if (registry_create(NULL, &options, &registry, &error) != WEIR_OK) goto fail;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const struct weir_plugin *plugin = entries[i](&weir_host_1, &error);
        if (!plugin || registry_add(registry, plugin, &error) != WEIR_OK) goto fail;
    }
    if (registry_add(registry, &sweep_parts, &error) != WEIR_OK) goto fail;
    return registry;
fail:
    fprintf(stderr, "sweep: %s\n", error.text);
    abort();
}

static void print_finding(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

void sweep_life(struct sweep *sweep, struct sim_disk *disk, struct life *life)
{
    const struct sweep_job *job = sweep->job;
    struct report report = { 0 };
    struct run_options options = { .workers = job->workers ? job->workers : 2 };
    struct run_summary summary = { 0 };
    int io_error;
    uint64_t named = job->source ? named_bytes(disk, CHECKPOINT, job->source) : 0;
    struct weir_sys *sys = sim_create(disk, START_US + life->number * DOWN_US, sweep->seed);
    struct job *text = job_read(sys, "job.json", job->text, &report, &io_error);
    life->status = 78;
    if (text) {
        struct journal *journal =
            sweep->loud ? journal_create(sys, 0, WEIR_LOG_INFO, NULL, NULL) : NULL;
        if (job->script) job->script(sys, named);
        if (sweep->ignored) sim_ignore_sync(sys, sweep->ignored, 0);
        if (life->before) life->before(sys, life->arg);
        sim_kill_at(sys, life->kill_at ? life->kill_at : ENDLESS);
        life->status = run_job(sys, text, sweep->registry, journal, &options, &report, &summary);
        if (journal) journal_destroy(journal);
    }
    if (sweep->loud || !text) report_print(&report, print_finding, NULL);
    life->calls = sim_calls(sys);
    life->syncs = sim_syncs(sys);
    if (sim_killed(sys)) life->status = sim_stuck(sys) || life->calls >= ENDLESS ? -2 : -1;
    sweep->calls = life->calls;
    free(summary.json);
    job_free(text);
    report_fini(&report);
    sys_destroy(sys);
}

/* ---- judging ---- */

static void free_outputs(struct output outputs[SWEEP_OUTPUTS])
{
    for (uint32_t i = 0; i < SWEEP_OUTPUTS; i++) output_free(&outputs[i]);
}

static int read_output(struct sweep *sweep, const struct sim_disk *disk, uint32_t i, int whole,
                       struct output *out)
{
    const char *directory = sweep->job->outputs[i];
    return sweep->job->seen ? seen_read(disk, directory, out, sweep->why)
                            : output_read(disk, directory, whole, out, sweep->why);
}

/* whole: the job has ended. */
static int judge(struct sweep *sweep, const struct sim_disk *disk, int whole)
{
    const struct sweep_job *job = sweep->job;
    struct output outputs[SWEEP_OUTPUTS];
    int result = 0;
    memset(outputs, 0, sizeof outputs);
    for (uint32_t i = 0; i < SWEEP_OUTPUTS && job->outputs[i] && result == 0; i++) {
        result = read_output(sweep, disk, i, whole, &outputs[i]);
        if (result != 0 || job->judge) continue;
        if (job->batches) output_cut(&outputs[i], job->batches);
        result = whole ? output_same(&sweep->want[i], &outputs[i], sweep->why)
                       : output_begins(&sweep->want[i], &outputs[i], sweep->why);
    }
    if (result == 0 && whole && job->judge) result = job->judge(outputs, sweep->why);
    free_outputs(outputs);
    return result;
}

static int ended(struct sweep *sweep, const struct life *life)
{
    if (life->status == 0) return 1;
    if (life->status == -2)
        snprintf(sweep->why, sizeof sweep->why, "the job hangs or does not come to an end");
    else
        snprintf(sweep->why, sizeof sweep->why, "the job ends with status %d", life->status);
    return 0;
}

struct sim_disk *sweep_disk(const struct sweep *sweep)
{
    struct sim_disk *disk = sim_disk_create();
    if (sweep->job->fill) sweep->job->fill(disk);
    return disk;
}

int sweep_judge(struct sweep *sweep, const struct sim_disk *disk)
{
    return judge(sweep, disk, 1);
}

int sweep_finish(struct sweep *sweep, struct sim_disk *disk, uint32_t number)
{
    struct life life = { .number = number };
    sweep->points++;
    if (judge(sweep, disk, 0) != 0) return -1;
    sweep_life(sweep, disk, &life);
    uint64_t calls = life.calls;
    if (!ended(sweep, &life) || judge(sweep, disk, 1) != 0) return -1;
    /* once more, with nothing to do: the log that the restarted job left must be sound */
    life.number++;
    sweep_life(sweep, disk, &life);
    sweep->calls = calls;
    return ended(sweep, &life) ? judge(sweep, disk, 1) : -1;
}

void sweep_failed(struct sweep *sweep, uint64_t a, uint64_t b, uint64_t c)
{
    sweep->failed++;
    printf("sweep %s %s seed %" PRIu64 " point %" PRIu64, sweep->kind, sweep->job->name,
           sweep->seed, a);
    if (b || c) printf(" %" PRIu64, b);
    if (c) printf(" %" PRIu64, c);
    printf(": %s\n", sweep->why);
}

int sweep_begin(struct sweep *sweep, const struct sweep_job *job, uint64_t seed)
{
    struct life life = { 0 };
    int result = 0;
    memset(sweep, 0, sizeof *sweep);
    sweep->job = job;
    sweep->registry = modules();
    sweep->seed = seed;
    sweep->loud = getenv("WEIR_LOUD") != NULL;
    struct sim_disk *disk = sweep_disk(sweep);
    sweep_life(sweep, disk, &life);
    if (!ended(sweep, &life)) result = -1;
    for (uint32_t i = 0; i < SWEEP_OUTPUTS && job->outputs[i] && result == 0; i++)
        result = read_output(sweep, disk, i, 1, &sweep->want[i]);
    for (uint32_t i = 0; i < SWEEP_OUTPUTS && job->batches; i++)
        output_cut(&sweep->want[i], job->batches);
    if (result == 0 && job->judge) result = job->judge(sweep->want, sweep->why);
    sim_disk_destroy(disk);
    return result;
}

void sweep_end(struct sweep *sweep)
{
    free_outputs(sweep->want);
}
