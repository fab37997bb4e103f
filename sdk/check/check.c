/*
 * check.c - the harness: small jobs around one component, on the simulated sys.
 */
#include <weir/check.h>

#include <stdlib.h>

#include "core/run/run.h"
#include "core/sys/sim.h"
#include "sdk/check/world.h"

#define START_US 1700000000000000
#define SEED 7

struct weir_check {
    struct weir_sys *sys; /* the real one, for the registry */
    struct registry *registry;
    struct sim_disk *disk; /* of the last sink */
    struct world world;
};

int32_t weir_check_open(const char *const *directories, uint32_t n, struct weir_check **out,
                        struct weir_error *error)
{
    struct registry_options options = { .paths = directories, .n_paths = n };
    struct weir_check *check = *out = calloc(1, sizeof *check);
    if (!check) return weir_fail(error, WEIR_FATAL, "out of memory");
    check->sys = sys_real_create();
    if (!check->sys) return weir_fail(error, WEIR_FATAL, "the system can't be used");
    int32_t result = registry_create(check->sys, &options, &check->registry, error);
    return result == WEIR_OK ? registry_add(check->registry, &world_plugin, error) : result;
}

void weir_check_close(struct weir_check *check)
{
    if (!check) return;
    world_use(NULL);
    world_fini(&check->world);
    if (check->disk) sim_disk_destroy(check->disk);
    if (check->registry) registry_destroy(check->registry);
    if (check->sys) sys_destroy(check->sys);
    free(check);
}

void weir_check_free(char *text)
{
    free(text);
}

/* ---- jobs ---- */

struct words {
    char *text;     /* the elements, cut into words */
    char *columns;  /* option of the source */
    const char *list[128];
    uint32_t n;
};

static void words_fini(struct words *words)
{
    free(words->text);
    free(words->columns);
}

/* The words of a one-liner: rows of `columns` (NULL: the elements begin with a source), the elements, and, if
 * `caught`, a sink that remembers. 0, or -1 without memory. */
static int make_words(struct words *words, const char *columns, const char *elements, int caught)
{
    char *rest, *word;
    memset(words, 0, sizeof *words);
    words->text = rest = strdup(elements);
    if (!rest) return -1;
    if (columns) {
        size_t size = strlen(columns) + 16;
        words->columns = malloc(size);
        if (!words->columns) return -1;
        snprintf(words->columns, size, "columns=%s", columns);
        words->list[words->n++] = "in:=scenario_source";
        words->list[words->n++] = words->columns;
        words->list[words->n++] = "!";
    }
    while ((word = strtok_r(rest, " ", &rest)) && words->n < 120) words->list[words->n++] = word;
    if (caught) {
        words->list[words->n++] = "!";
        words->list[words->n++] = "out:=scenario_sink";
    }
    return 0;
}

static void take_findings(const struct report *report, struct weir_error *error)
{
    for (uint32_t i = 0; i < report->n; i++)
        if (report->findings[i].severity == REPORT_ERROR)
            weir_fail(error, WEIR_CONFIG, "%s: %s", report->findings[i].path,
                      report->findings[i].text);
}

/* One life of the job. OK; CANCELLED if it was killed. */
static int32_t live(struct weir_check *check, struct sim_disk *disk, const struct words *words,
                    uint64_t kill_at, uint64_t *calls, struct weir_error *error)
{
    static const char *const settings[] = { "trigger=available_now", "checkpoint=.weir-check" };
    struct weir_sys *sys = sim_create(disk, START_US, SEED);
    struct run_options options = { .workers = 2 };
    struct run_summary summary = { 0 };
    struct report report = { 0 };
    int usage = 0, status = 0;
    if (!sys) return weir_fail(error, WEIR_FATAL, "out of memory");
    sim_kill_at(sys, kill_at);
    check->world.sys = sys;
    world_use(&check->world);
    struct job *job = job_from_words(check->sys, words->list, words->n, settings, 2, registry_kinds,
                                     check->registry, &report, &usage);
    if (job && report.errors == 0)
        status = run_job(sys, job, check->registry, NULL, &options, &report, &summary);
    int killed = sim_killed(sys);
    if (calls) *calls = sim_calls(sys);
    if (!killed) take_findings(&report, error);
    if (!killed && status != 0)
        weir_fail(error, WEIR_FATAL, "the job ended with status %d", status);
    free(summary.json);
    job_free(job);
    report_fini(&report);
    check->world.sys = NULL;
    sys_destroy(sys);
    return killed ? WEIR_CANCELLED : error->error_class;
}

static void renew_world(struct weir_check *check)
{
    world_fini(&check->world);
    memset(&check->world, 0, sizeof check->world);
    world_use(&check->world);
}

static char *rows_of(struct weir_check *check, const struct words *words, struct weir_error *error)
{
    struct sim_disk *disk = sim_disk_create();
    char *text = NULL;
    if (disk && live(check, disk, words, 0, NULL, error) == WEIR_OK) {
        json_t *rows = world_take(world_sink(&check->world, "out"));
        if (rows) text = json_dumps(rows, JSON_COMPACT);
        json_decref(rows);
    }
    if (disk) sim_disk_destroy(disk);
    return text;
}

static int32_t push_text(struct weir_check *check, const char *rows, struct weir_error *error)
{
    json_error_t where;
    json_t *tree = json_loads(rows, JSON_DECODE_ANY, &where);
    if (!tree) return weir_fail(error, WEIR_CONFIG, "the rows are no JSON: %s", where.text);
    int32_t result = world_push(world_source(&check->world, "in"), tree, error);
    json_decref(tree);
    return result;
}

char *weir_check_source(struct weir_check *check, const char *element, struct weir_error *error)
{
    struct words words = { 0 };
    char *text = NULL;
    renew_world(check);
    if (world_want_sink(&check->world, "out", error) == WEIR_OK &&
        make_words(&words, NULL, element, 1) == 0)
        text = rows_of(check, &words, error);
    words_fini(&words);
    if (!text) weir_fail(error, WEIR_FATAL, "out of memory"); /* unless there is a reason */
    return text;
}

char *weir_check_operator(struct weir_check *check, const char *elements, const char *columns,
                          const char *rows, struct weir_error *error)
{
    struct words words = { 0 };
    char *text = NULL;
    renew_world(check);
    if (world_want_sink(&check->world, "out", error) == WEIR_OK &&
        world_want_source(&check->world, "in", columns, 1, error) == WEIR_OK &&
        push_text(check, rows, error) == WEIR_OK &&
        make_words(&words, columns, elements, 1) == 0)
        text = rows_of(check, &words, error);
    words_fini(&words);
    if (!text) weir_fail(error, WEIR_FATAL, "out of memory"); /* unless there is a reason */
    return text;
}

/* ---- sinks ---- */

/* All batches, one life each, and as many more as kills make necessary. `kill_at` counts the calls of all lives
 * (0: none); *calls: how many there were. */
static int32_t feed(struct weir_check *check, struct sim_disk *disk, const struct words *words,
                    const char *columns, const json_t *batches, uint64_t kill_at, uint64_t *calls,
                    struct weir_error *error)
{
    size_t i;
    const json_t *rows;
    *calls = 0;
    renew_world(check);
    int32_t result = world_want_source(&check->world, "in", columns, 1, error);
    json_array_foreach(batches, i, rows)
    {
        if (result == WEIR_OK)
            result = world_push(world_source(&check->world, "in"), rows, error);
        for (int again = 1; result == WEIR_OK && again;) {
            uint64_t n = 0, at = kill_at > *calls ? kill_at - *calls : 0;
            result = live(check, disk, words, at, &n, error);
            again = result == WEIR_CANCELLED;
            if (again) {
                kill_at = 0;
                result = WEIR_OK;
            }
            *calls += n;
        }
    }
    return result;
}

struct files {
    struct sim_disk *a, *b;
    const char *different; /* a path, or NULL */
    char path[512];
};

static void compare_file(void *arg, const char *path)
{
    struct files *files = arg;
    size_t n, m;
    const uint8_t *x = sim_disk_file(files->a, path, &n), *y = sim_disk_file(files->b, path, &m);
    if (files->different || (x && y && n == m && memcmp(x, y, n) == 0)) return;
    snprintf(files->path, sizeof files->path, "%s", path);
    files->different = files->path;
}

static int32_t kill_everywhere(struct weir_check *check, const struct words *words,
                               const char *columns, const json_t *batches, const char *directory,
                               uint64_t calls, struct weir_error *error)
{
    for (uint64_t at = 1; at <= calls; at++) {
        uint64_t ignored;
        struct sim_disk *disk = sim_disk_create();
        if (!disk) return weir_fail(error, WEIR_FATAL, "out of memory");
        int32_t result = feed(check, disk, words, columns, batches, at, &ignored, error);
        struct files files = { check->disk, disk, NULL, "" };
        sim_disk_each(disk, directory, compare_file, &files);
        sim_disk_each(check->disk, directory, compare_file, &files);
        if (result == WEIR_OK && files.different)
            result = weir_fail(error, WEIR_DATA,
                               "after a kill at call %llu of %llu the file \"%s\" differs",
                               (unsigned long long)at, (unsigned long long)calls, files.different);
        sim_disk_destroy(disk);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

int32_t weir_check_sink(struct weir_check *check, const char *element, const char *columns,
                        const char *batches, const char *directory, struct weir_error *error)
{
    json_error_t where;
    struct words words = { 0 };
    uint64_t calls = 0;
    json_t *tree = json_loads(batches, 0, &where);
    if (!tree) return weir_fail(error, WEIR_CONFIG, "the batches are no JSON: %s", where.text);
    if (check->disk) sim_disk_destroy(check->disk);
    check->disk = sim_disk_create();
    int32_t result = WEIR_FATAL;
    if (check->disk && make_words(&words, columns, element, 0) == 0)
        result = feed(check, check->disk, &words, columns, tree, 0, &calls, error);
    if (result == WEIR_OK)
        result = kill_everywhere(check, &words, columns, tree, directory, calls, error);
    words_fini(&words);
    json_decref(tree);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

char *weir_check_file(struct weir_check *check, const char *path)
{
    size_t n = 0;
    const uint8_t *bytes = check->disk ? sim_disk_file(check->disk, path, &n) : NULL;
    char *copy = bytes ? malloc(n + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, bytes, n);
    copy[n] = 0;
    return copy;
}
