#include "tests/tools/tool_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/run/run.h"
#include "tests/support/toy.h"

struct tool_world tool_world;

/* ---- picky: lets rows through but for those that it can't use ---- */

struct picky {
    const struct weir_host *host;
};

struct picky_lane {
    struct weir_context *context;
};

static int32_t picky_create(const struct weir_host *host, struct weir_context *context,
                            void **self, struct weir_error *error)
{
    struct picky *picky = *self = calloc(1, sizeof *picky);
    (void)context;
    if (!picky) return weir_fail(error, WEIR_FATAL, "out of memory");
    picky->host = host;
    return WEIR_OK;
}

static void picky_destroy(void *self)
{
    free(self);
}

static int32_t picky_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    (void)self;
    (void)in;
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].time_column = -1;
    return weir_data_1.schema_parse("k int64, v int64", &out->streams[0].schema, error);
}

static int32_t picky_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct picky_lane *l = *lane = calloc(1, sizeof *l);
    (void)self;
    if (!l) return weir_fail(error, WEIR_FATAL, "out of memory");
    l->context = context;
    return WEIR_OK;
}

static void picky_lane_destroy(void *self, void *lane)
{
    (void)self;
    free(lane);
}

static int32_t picky_begin(void *self, void *lane, const struct weir_begin *in,
                           struct weir_error *error)
{
    (void)self, (void)lane, (void)in, (void)error;
    return WEIR_OK;
}

static int32_t picky_process(void *self, void *lane, uint32_t input,
                             const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct weir_host *host = ((struct picky *)self)->host;
    struct weir_context *context = ((struct picky_lane *)lane)->context;
    static const struct weir_bytes record = { (const uint8_t *)"a\xff\nb", 4 };
    uint32_t *rows = malloc(chunk->rows * 4 + 4), n = 0;
    int32_t result = rows ? WEIR_OK : WEIR_FATAL;
    (void)input;
    for (uint32_t i = 0; result == WEIR_OK && i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        int64_t v = weir_get_int64(chunk->array->children[1], row);
        if (v % 50 == 7)
            result = host->reject(context, chunk, row, WEIR_REJECT_OPERATOR, "row", error);
        else if (v % 100 == 9)
            result =
                host->reject_bytes(context, record, WEIR_REJECT_DECODE, "record\x1b[31m", error);
        else
            rows[n++] = row;
    }
    struct weir_output_column columns[2] = { { 0, 0, NULL }, { 1, 0, NULL } };
    struct weir_emission emission = { .size = sizeof emission, .from = chunk, .columns = columns,
                                      .n_columns = 2, .rows = chunk->rows, .selection = rows,
                                      .selected = n };
    if (result == WEIR_OK && n) result = host->emit(context, &emission, error);
    free(rows);
    return result;
}

static const struct weir_operator picky_table = { .size = sizeof picky_table,
                                                  .create = picky_create,
                                                  .destroy = picky_destroy,
                                                  .bind = picky_bind,
                                                  .lane_create = picky_lane_create,
                                                  .lane_destroy = picky_lane_destroy,
                                                  .begin = picky_begin,
                                                  .process = picky_process };

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "picky",
      .summary = "can't use some rows",
      .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION, .table = &picky_table },
};

static const struct weir_plugin picky_plugin = {
    sizeof picky_plugin, WEIR_ABI_MAJOR, 0, 0, "test.picky", "1", "none", WEIR_SDK_VERSION,
    components, sizeof *components, 1
};

/* ---- the world ---- */

int tool_setup(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .no_user_directories = 1 };
    struct tool_world *w = &tool_world;
    (void)state;
    memset(w, 0, sizeof *w);
    snprintf(w->top, sizeof w->top, "/tmp/test-tools-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    snprintf(w->checkpoint, sizeof w->checkpoint, "%.40s/cp", w->top);
    setenv("XDG_RUNTIME_DIR", w->top, 1);
    setenv("XDG_DATA_HOME", w->top, 1);
    unsetenv("WEIR_PLUGIN_PATH");
    w->sys = sys_real_create();
    assert_non_null(w->sys);
    assert_int_equal(registry_create(w->sys, &options, &w->registry, &error), WEIR_OK);
    if (registry_add(w->registry, &toy_plugin, &error) != WEIR_OK ||
        registry_add(w->registry, &picky_plugin, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return 0;
}

int tool_teardown(void **state)
{
    char command[256];
    struct tool_world *w = &tool_world;
    (void)state;
    registry_destroy(w->registry);
    sys_destroy(w->sys);
    free(w->out);
    free(w->err);
    toy_reset();
    snprintf(command, sizeof command, "rm -rf '%.40s'", w->top);
    return system(command);
}

int tool_run_job(uint64_t max_batches)
{
    static const char form[] =
        "{\"name\": \"toy\", \"trigger\": \"available_now\", \"checkpoint\": \"%s\","
        " \"sources\": {\"n\": {\"plugin\": \"toy_numbers\", \"rows\": 300, \"step\": 9,"
        "                      \"max_records\": 60}},"
        " \"operators\": {\"p\": {\"plugin\": \"picky\", \"from\": \"n\"},"
        "                 \"s\": {\"plugin\": \"toy_sum\", \"from\": \"p\"}},"
        " \"sinks\": {\"plain\": {\"plugin\": \"toy_sink\", \"from\": \"p\"},"
        "             \"sums\": {\"plugin\": \"toy_finish\", \"from\": \"s\"}}}";
    char text[2048];
    struct report report = { 0 };
    struct run_options options = { .workers = 1, .max_batches = max_batches };
    struct run_summary summary = { 0 };
    int io_error;
    snprintf(text, sizeof text, form, tool_world.checkpoint);
    struct job *job = job_read(tool_world.sys, "job.json", text, &report, &io_error);
    assert_non_null(job);
    int status = run_job(tool_world.sys, job, tool_world.registry, NULL, &options, &report,
                         &summary);
    for (uint32_t i = 0; i < report.n; i++)
        if (status) print_message("%s\n", report.findings[i].text);
    free(summary.json);
    job_free(job);
    report_fini(&report);
    return status;
}

static char *all_of(FILE *file)
{
    long n = (fseek(file, 0, SEEK_END), ftell(file));
    char *text = calloc(1, (size_t)n + 1);
    rewind(file);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)n, file), n);
    fclose(file);
    return text;
}

int tool_run(tool_command command, const char *const *words)
{
    FILE *out = tmpfile(), *err = tmpfile();
    char *argv[16];
    int argc = 0;
    for (; words[argc]; argc++) argv[argc] = (char *)(uintptr_t)words[argc];
    argv[argc] = NULL;
    assert_non_null(out);
    assert_non_null(err);
    fflush(stdout);
    fflush(stderr);
    int saved_out = dup(1), saved_err = dup(2);
    dup2(fileno(out), 1);
    dup2(fileno(err), 2);
    int status = command(argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    free(tool_world.out);
    free(tool_world.err);
    tool_world.out = all_of(out);
    tool_world.err = all_of(err);
    return status;
}
