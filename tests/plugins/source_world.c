#include "tests/plugins/source_world.h"

#include <assert.h>
#include <stdlib.h>

#include "core/data/array.h"

struct world world;

/* ---- the sink ---- */

struct seen {
    uint64_t batch;
    struct weir_buffer rows;
};

static int32_t seen_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    (void)host, (void)context, (void)error;
    *self = calloc(1, sizeof(struct seen));
    assert(*self);
    return WEIR_OK;
}

static void seen_destroy(void *self)
{
    mem_free(((struct seen *)self)->rows.data);
    free(self);
}

static int32_t seen_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self, (void)in, (void)error;
    return WEIR_OK;
}

static int32_t seen_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    (void)self, (void)identity, (void)error;
    return WEIR_OK;
}

static int32_t seen_begin(void *self, const struct weir_sink_batch *batch, struct weir_error *error)
{
    struct seen *seen = self;
    (void)error;
    seen->batch = batch->batch;
    seen->rows.length = 0;
    return WEIR_OK;
}

static int32_t seen_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct seen *seen = self;
    struct weir_buffer line = { 0 };
    (void)error;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        line.length = 0;
        assert(rows_json(chunk->schema, chunk->array, &row, 1, &line) == WEIR_OK);
        assert(buffer_add(&seen->rows, line.data + 1, line.length - 2) == WEIR_OK);
        assert(buffer_add(&seen->rows, "\n", 1) == WEIR_OK);
    }
    mem_free(line.data);
    return WEIR_OK;
}

static int32_t seen_prepare(void *self, struct weir_buffer *committable, struct weir_error *error)
{
    struct seen *seen = self;
    (void)error;
    return buffer_add(committable, seen->rows.length ? seen->rows.data : (const void *)"",
                      seen->rows.length);
}

static int32_t seen_commit(void *self, const struct weir_committable *c, uint32_t *outcome,
                           struct weir_error *error)
{
    (void)self, (void)error;
    *outcome = WEIR_COMMIT_DONE;
    for (uint32_t i = 0; i < world.n_seen; i++) {
        const struct seen_batch *b = &world.seen[i];
        if (b->batch != c->batch) continue;
        if (b->n != c->bytes.length || memcmp(b->rows, c->bytes.data, b->n) != 0) world.doubled++;
        *outcome = WEIR_COMMIT_ALREADY;
        return WEIR_OK;
    }
    world.seen = realloc(world.seen, (world.n_seen + 1) * sizeof *world.seen);
    assert(world.seen);
    struct seen_batch *b = &world.seen[world.n_seen++];
    b->batch = c->batch;
    b->n = c->bytes.length;
    b->rows = calloc(1, b->n + 1);
    assert(b->rows);
    if (b->n) memcpy(b->rows, c->bytes.data, b->n);
    return WEIR_OK;
}

static int32_t seen_recover(void *self, const struct weir_committable *list, uint32_t n,
                            uint64_t next_batch, struct weir_error *error)
{
    (void)self, (void)list, (void)n, (void)next_batch, (void)error;
    return WEIR_OK;
}

static int32_t seen_abort(void *self, struct weir_error *error)
{
    (void)self, (void)error;
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static const struct weir_sink seen_table = { .size = sizeof seen_table,
                                             .create = seen_create,
                                             .destroy = seen_destroy,
                                             .bind = seen_bind,
                                             .open = seen_open,
                                             .begin = seen_begin,
                                             .write = seen_write,
                                             .prepare = seen_prepare,
                                             .commit = seen_commit,
                                             .recover = seen_recover,
                                             .abort = seen_abort,
                                             .cancel = nothing,
                                             .close = nothing };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "seen",
      .summary = "keeps rows",
      .level = WEIR_SINK_TWO_PHASE,
      .accepts = WEIR_FORM_APPEND,
      .table = &seen_table },
};

static const struct weir_plugin seen_plugin = { sizeof seen_plugin, WEIR_ABI_MAJOR, 0, 0,
                                                "test.seen", "1.0", "MIT", WEIR_SDK_VERSION,
                                                components, sizeof *components, 1 };

/* ---- lives ---- */

void world_begin(const world_entry_fn *entries)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .no_user_directories = 1 };
    memset(&world, 0, sizeof world);
    world.outside = sys_real_create();
    assert(world.outside);
    assert(registry_create(world.outside, &options, &world.registry, &error) == WEIR_OK);
    assert(registry_add(world.registry, &seen_plugin, &error) == WEIR_OK);
    for (; *entries; entries++)
        if (registry_add(world.registry, (*entries)(&weir_host_1, &error), &error) != WEIR_OK) {
            fprintf(stderr, "%s\n", error.text);
            abort();
        }
    world.disk = sim_disk_create();
    world.start_us = 1700000000000000;
    world.seed = 1;
    world.workers = 2;
}

void world_forget(void)
{
    for (uint32_t i = 0; i < world.n_seen; i++) free(world.seen[i].rows);
    free(world.seen);
    world.seen = NULL;
    world.n_seen = 0;
    world.doubled = 0;
    world.journal.length = 0;
    sim_disk_destroy(world.disk);
    world.disk = sim_disk_create();
}

void world_end(void)
{
    world_forget();
    sim_disk_destroy(world.disk);
    registry_destroy(world.registry);
    sys_destroy(world.outside);
    mem_free(world.journal.data);
}

static void keep_line(void *arg, const char *line, uint64_t n)
{
    (void)arg;
    assert(buffer_add(&world.journal, line, n) == WEIR_OK);
}

static void stop(void *arg)
{
    sim_signal(arg);
}

static char *job_of(const char *trigger, const char *members)
{
    char *text = malloc(strlen(members) + 300);
    assert(text);
    sprintf(text,
            "{\"name\": \"t\", \"trigger\": \"%s\", \"checkpoint\": \"cp\","
            " \"sources\": {\"x\": {%s}},"
            " \"sinks\": {\"out\": {\"plugin\": \"seen\", \"from\": \"x\"}}}",
            trigger, members);
    return text;
}

static int run(const char *trigger, const char *members, struct report *report)
{
    struct run_options options = { .workers = world.workers, .max_batches = world.max_batches };
    char *text = job_of(trigger, members);
    int io_error, status = 78;
    world.sys = sim_create(world.disk, world.start_us, world.seed);
    world.start_us += 60000000;
    memset(&world.summary, 0, sizeof world.summary);
    struct job *job = job_read(world.sys, "job.json", text, report, &io_error);
    free(text);
    if (world.script) world.script(&world);
    if (world.stop_after_us) sim_at(world.sys, world.stop_after_us, stop, world.sys);
    sim_kill_at(world.sys, world.kill_at);
    struct journal *journal = journal_create(world.sys, 0, WEIR_LOG_INFO, keep_line, NULL);
    if (job && report->errors == 0)
        status = run_job(world.sys, job, world.registry, journal, &options, report,
                         &world.summary);
    free(world.summary.json);
    world.summary.json = NULL;
    journal_destroy(journal);
    if (sim_killed(world.sys)) status = sim_stuck(world.sys) ? -2 : -1;
    world.calls = sim_calls(world.sys);
    job_free(job);
    sys_destroy(world.sys);
    world.sys = NULL;
    world.kill_at = 0;
    return status;
}

int world_life(const char *trigger, const char *members)
{
    struct report report = { 0 };
    int status = run(trigger, members, &report);
    for (uint32_t i = 0; i < report.n; i++)
        if (report.errors) fprintf(stderr, "%s\n", report.findings[i].text);
    report_fini(&report);
    return status;
}

const char *world_refused(const char *members)
{
    struct report report = { 0 };
    int status = run("asap", members, &report);
    world.journal.length = 0;
    if (status != 78 || report.errors == 0) keep_line(NULL, "not refused", 11);
    for (uint32_t i = 0; i < report.n; i++) {
        keep_line(NULL, report.findings[i].path, strlen(report.findings[i].path));
        keep_line(NULL, ": ", 2);
        keep_line(NULL, report.findings[i].text, strlen(report.findings[i].text));
        keep_line(NULL, "\n", 1);
    }
    report_fini(&report);
    return world_journal();
}

static int by_batch(const void *a, const void *b)
{
    const struct seen_batch *x = a, *y = b;
    return x->batch < y->batch ? -1 : x->batch > y->batch;
}

static char *all_rows(int with_batches)
{
    uint64_t size = 1;
    char *text;
    if (world.n_seen) qsort(world.seen, world.n_seen, sizeof *world.seen, by_batch);
    for (uint32_t i = 0; i < world.n_seen; i++) size += world.seen[i].n + 24;
    text = malloc(size);
    assert(text);
    char *at = text;
    *at = 0;
    for (uint32_t i = 0; i < world.n_seen; i++) {
        if (with_batches)
            at += sprintf(at, "%llu:\n", (unsigned long long)world.seen[i].batch);
        memcpy(at, world.seen[i].rows, world.seen[i].n + 1);
        at += world.seen[i].n;
    }
    return text;
}

char *world_rows(void)
{
    return all_rows(0);
}

char *world_batches(void)
{
    return all_rows(1);
}

const char *world_journal(void)
{
    assert(buffer_grow(&world.journal, 1) == WEIR_OK);
    world.journal.data[world.journal.length] = 0;
    return (const char *)world.journal.data;
}
