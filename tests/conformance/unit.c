/*
 * unit.c - calls single functions of the engine for the conformance cases: one case as JSON on standard input, the
 * list of results on standard output. Which function of which part answers a case is said by the table at
 * the end; null stands for "none", "error" for a refusal.
 */
#include <stdlib.h>
#include <string.h>

#include "core/data/array.h"
#include "core/load/registry.h"
#include "core/run/rate.h"
#include "core/run/trigger.h"
#include "core/run/watermark.h"
#include "core/sys/sim.h"
#include "plugins/sink_memory/memory.h"
#include "tests/plugins/entries/entries.h"
#include "tests/plugins/fake_host.h"

#define MS 1000ll

static double number_of(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static int64_t integer_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const json_t *args_of(const json_t *call)
{
    return json_object_get(call, "args");
}

/* ---- rate control ---- */

static json_t *pid_rates(const json_t *the_case)
{
    const json_t *config = json_object_get(the_case, "config"), *row;
    json_t *rates = json_array();
    struct rate rate;
    size_t i;
    rate_init(&rate, integer_of(config, "batch_interval_ms") * MS,
              number_of(config, "proportional", 1), number_of(config, "integral", 0.2),
              number_of(config, "derived", 0), number_of(config, "min_rate", 100));
    json_array_foreach(json_object_get(the_case, "updates"), i, row)
    {
        int64_t values[4];
        for (size_t k = 0; k < 4; k++) values[k] = json_integer_value(json_array_get(row, k));
        double got = rate_update(&rate, values[0] * MS, values[1] < 0 ? 0 : (uint64_t)values[1],
                                 values[2] * MS, values[3] * MS);
        json_array_append_new(rates, got < 0 ? json_null() : json_real(got));
    }
    return rates;
}

static json_t *receiver_rate(const json_t *call)
{
    double rate = number_of(args_of(call), "initial_rate", 0);
    const json_t *update;
    size_t i;
    json_array_foreach(json_object_get(args_of(call), "updates"), i, update)
        rate = rate_taken(rate, json_number_value(update));
    return json_real(rate_allowed(rate, number_of(args_of(call), "max_rate", 0)));
}

/* ---- the grid ---- */

static json_t *time_floor(const json_t *call)
{
    int64_t d = integer_of(args_of(call), "d");
    return json_integer(grid_after(integer_of(args_of(call), "zero"),
                                   integer_of(args_of(call), "t"), d) - d);
}

static json_t *batch_alignment(const json_t *call)
{
    const json_t *args = args_of(call), *zero = json_object_get(args, "zero_time_ms");
    int64_t now = integer_of(args, "now_ms"), period = integer_of(args, "period_ms");
    return json_integer(zero ? grid_after(json_integer_value(zero), now, period)
                             : grid_first(now, period));
}

/* Opens batches as the loop does, on a clock that stands still but while they run. */
static json_t *trigger_times(const json_t *call)
{
    const json_t *args = args_of(call), *duration;
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, integer_of(args, "start_ms") * MS, 1);
    struct job job = { .trigger = TRIGGER_INTERVAL,
                       .interval_us = integer_of(args, "interval_ms") * MS };
    struct plan plan = { .ticking = 0 };
    struct run run = { .sys = sys, .job = &job, .plan = &plan, .last_time_us = INT64_MIN };
    json_t *times = json_array();
    size_t i;
    trigger_start(&run);
    json_array_foreach(json_object_get(args, "batch_durations_ms"), i, duration)
    {
        int64_t tick, opens = trigger_opens(&run);
        if (opens != INT64_MIN) sim_advance(sys, opens - sys_now(sys));
        json_array_append_new(times, json_integer(trigger_time(&run, &tick) / MS));
        sim_advance(sys, json_integer_value(duration) * MS);
    }
    json_t *result = json_pack("{s:o, s:I}", "times", times, "waits_for",
                               (json_int_t)(trigger_opens(&run) / MS));
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return result;
}

/* ---- event times ---- */

static struct weir_event_times times_of(const json_t *op)
{
    int64_t n = json_integer_value(json_array_get(op, 4));
    double sum = json_number_value(json_array_get(op, 3)) * (double)n;
    return (struct weir_event_times){ (uint64_t)n, json_integer_value(json_array_get(op, 2)),
                                      json_integer_value(json_array_get(op, 1)), 0, (int64_t)sum };
}

static json_t *event_time_stats(const json_t *call)
{
    struct weir_event_times all = { .count = 0 };
    const json_t *op;
    size_t i;
    json_array_foreach(json_object_get(call, "script"), i, op)
    {
        const char *name = json_string_value(json_is_array(op) ? json_array_get(op, 0) : op);
        struct weir_event_times more = { .count = 0 };
        if (strcmp(name, "add") == 0) {
            int64_t time = json_integer_value(json_array_get(op, 1));
            more = (struct weir_event_times){ 1, time, time, 0, time };
        } else if (json_is_array(op)) {
            more = times_of(op);
        }
        event_times_join(&all, &more);
    }
    return json_pack("[I, I, f, I]", (json_int_t)all.greatest, (json_int_t)all.least,
                     (double)all.sum_us / (double)all.count, (json_int_t)all.count);
}

/* ---- the memory sink ---- */

static void sink_add(struct fake *fake, const json_t *op)
{
    const struct weir_sink *sink = fake->component->table;
    uint64_t batch = (uint64_t)json_integer_value(json_array_get(op, 1));
    struct weir_buffer bytes = { NULL, 0, 0 };
    uint32_t outcome;
    size_t i;
    json_t *value, *rows = json_array();
    json_array_foreach(json_array_get(op, 2), i, value)
        json_array_append_new(rows, json_pack("[O]", value));
    char *text = json_dumps(rows, JSON_COMPACT);
    fake_begin(fake, batch, 0, 1);
    fake_write(fake, batch, 0, text);
    sink->prepare(fake->self, &bytes, &fake->error);
    struct weir_committable c = { batch, { bytes.data, bytes.length } };
    sink->commit(fake->self, &c, &outcome, &fake->error);
    free(text);
    json_decref(rows);
    mem_free(bytes.data);
}

static void append_batch(struct fake *fake, const struct weir_memory *view, uint64_t i, json_t *out)
{
    uint64_t id;
    uint32_t chunks = 0;
    view->batch(fake->self, i, &id, &chunks);
    for (uint32_t k = 0; k < chunks; k++) {
        struct weir_memory_chunk chunk = { .size = sizeof chunk };
        view->chunk(fake->self, i, k, &chunk);
        for (int64_t row = 0; row < chunk.array->length; row++)
            json_array_append_new(out, json_integer(weir_get_int64(chunk.array->children[0],
                                                                   (uint32_t)row)));
    }
}

/* Rows that are visible: of all batches, or of the last one, which is all where it replaces them. */
static json_t *sink_rows(struct fake *fake, int last)
{
    const struct weir_memory *view = fake->component->interfaces[0].table;
    json_t *rows = json_array();
    view->lock(fake->self);
    uint64_t n = view->batches(fake->self);
    for (uint64_t i = last && n ? n - 1 : 0; i < n; i++) append_batch(fake, view, i, rows);
    view->unlock(fake->self);
    return rows;
}

static json_t *memory_sink(const json_t *call, int replaces)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    const json_t *op;
    json_t *result = NULL;
    size_t i;
    fake_create(&fake, sys, entry_sink_memory, NULL, "");
    fake_bind_sink(&fake, "v int64", replaces ? WEIR_FORM_REPLACE : WEIR_FORM_APPEND);
    fake_open_sink(&fake, "0");
    ((const struct weir_sink *)fake.component->table)->recover(fake.self, NULL, 0, 0, &fake.error);
    json_array_foreach(json_object_get(call, "script"), i, op)
    {
        if (json_is_array(op)) {
            sink_add(&fake, op);
        } else {
            json_decref(result);
            result = sink_rows(&fake, replaces || strcmp(json_string_value(op), "latest") == 0);
        }
    }
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return result;
}

/* ---- files that were seen ---- */

struct seen {
    struct sim_disk *disk;
    int name_only;
    struct fake fake;
    uint64_t batch;
    json_t *known; /* paths that were read */
};

static uint32_t list_files(struct seen *seen)
{
    uint32_t n = 0;
    fake_partitions(&seen->fake, INT64_MAX);
    for (const char *at = fake_text(&seen->fake.names); (at = strchr(at, '\n')); at++) n++;
    return n;
}

/* Where a file of the case lies: an address as a path, with its scheme as a directory. */
static void place_file(const char *name, char *path, size_t size)
{
    const char *rest = strstr(name, "://");
    int n = rest ? (int)(rest - name) : 0;
    if (rest) rest += 3;
    else rest = name;
    while (*rest == '/') rest++;
    snprintf(path, size, "/in/%.*s%s%s", n, name, n ? "/" : "", rest);
}

/* The partition of a path. */
static const char *partition_of(const struct seen *seen, const char *path)
{
    return seen->name_only ? strrchr(path, '/') + 1 : path;
}

/* Whether the last listing names a partition. */
static int is_listed(struct seen *seen, const char *partition)
{
    char line[160];
    snprintf(line, sizeof line, "%s\n", partition);
    return strstr(fake_text(&seen->fake.names), line) != NULL;
}

/* Puts a file and reads it, if it is one to read: 1 where its row came. A host reads no file from its start
 * of which it has a position. */
static int offer_file(struct seen *seen, const json_t *op)
{
    const char *name = json_string_value(json_array_get(op, 1));
    char path[128];
    place_file(name, path, sizeof path);
    sim_disk_put(seen->disk, path, "x\n", 2, json_integer_value(json_array_get(op, 2)) * MS);
    const char *partition = partition_of(seen, path);
    list_files(seen);
    if (!is_listed(seen, partition) || json_object_get(seen->known, partition)) return 0;
    uint64_t before = seen->fake.n_rows;
    seen->fake.position_length = 0;
    seen->fake.flags = 0;
    for (int i = 0; i < 4 && !(seen->fake.flags & WEIR_NEXT_END); i++)
        fake_next(&seen->fake, partition, seen->batch, UINT64_MAX);
    json_object_set_new(seen->known, partition, json_true());
    return seen->fake.n_rows > before;
}

static json_t *seen_op(struct seen *seen, const json_t *op)
{
    const char *name = json_string_value(json_is_array(op) ? json_array_get(op, 0) : op);
    if (strcmp(name, "size") == 0) return json_integer(list_files(seen));
    if (strcmp(name, "purge") == 0) {
        seen->batch++;
        return NULL;
    }
    int is_new = offer_file(seen, op);
    return strcmp(name, "is_new") == 0 ? json_boolean(is_new) : NULL;
}

static json_t *seen_files(const json_t *call)
{
    struct seen seen = { .disk = sim_disk_create(), .known = json_object() };
    struct weir_sys *sys = sim_create(seen.disk, 0, 1);
    const json_t *op;
    json_t *result = NULL;
    char options[120];
    size_t i;
    seen.name_only = json_is_true(json_object_get(args_of(call), "file_name_only"));
    snprintf(options, sizeof options,
             "\"path\": \"/in\", \"recursive\": true, \"max_age\": \"%lldms\"%s",
             (long long)integer_of(args_of(call), "max_age_ms"),
             seen.name_only ? ", \"file_name_only\": true" : "");
    sim_disk_put(seen.disk, "/in/.there", "", 0, 0);
    fake_create(&seen.fake, sys, entry_source_file, entry_format_text, options);
    fake_bind_source(&seen.fake);
    json_array_foreach(json_object_get(args_of(call), "ops"), i, op)
    {
        json_t *one = seen_op(&seen, op);
        if (!one) continue;
        json_decref(result);
        result = one;
    }
    fake_destroy(&seen.fake);
    sys_destroy(sys);
    sim_disk_destroy(seen.disk);
    json_decref(seen.known);
    return result;
}

/* ---- the watermark behind an operator ---- */

/* {"job": …, "operator": name, "inputs_us": [...]}: what it says for these watermarks of its inputs. */
static json_t *output_watermark(const json_t *request)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .n_paths = 0 };
    struct registry *registry = NULL;
    struct report report = { 0 };
    struct weir_sys *sys = sys_real_create();
    int64_t inputs[8] = { 0 };
    json_t *result = NULL;
    char *text = json_dumps(json_object_get(request, "job"), JSON_COMPACT);
    uint32_t n = (uint32_t)json_array_size(json_object_get(request, "inputs_us"));
    for (uint32_t i = 0; i < n && i < 8; i++)
        inputs[i] = json_integer_value(json_array_get(json_object_get(request, "inputs_us"), i));
    registry_create(sys, &options, &registry, &error);
    struct job *job = job_read(sys, "case", text, &report, NULL);
    struct plan *plan = job ? plan_create(job, registry, sys, NULL, 0, PLAN_CHECK, &report) : NULL;
    struct plan_node *node =
        plan ? plan_node(plan, json_string_value(json_object_get(request, "operator"))) : NULL;
    const struct weir_operator *table = node ? node->component->table : NULL;
    if (table && table->output_watermark)
        result = json_integer(table->output_watermark(node->self, inputs, n));
    plan_destroy(plan);
    job_free(job);
    free(text);
    report_fini(&report);
    registry_destroy(registry);
    sys_destroy(sys);
    return result;
}

/* ---- the program ---- */

static const struct function {
    const char *name;
    json_t *(*of_call)(const json_t *call);
} functions[] = {
    { "receiver_rate_limiter", receiver_rate },
    { "time_floor", time_floor },
    { "batch_alignment", batch_alignment },
    { "processing_time_trigger", trigger_times },
    { "event_time_stats", event_time_stats },
    { "seen_files", seen_files },
    { "output_watermark", output_watermark },
};

static json_t *answer_call(const char *name, const json_t *the_case, const json_t *call)
{
    const char *mode = json_string_value(json_object_get(the_case, "output_mode"));
    if (strcmp(name, "memory_sink") == 0)
        return memory_sink(call, mode && strcmp(mode, "complete") == 0);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0) return functions[i].of_call(call);
    return NULL;
}

int main(void)
{
    json_t *the_case = json_loadf(stdin, 0, NULL), *call, *results;
    const char *name = json_string_value(json_object_get(the_case, "fn"));
    size_t i;
    if (!name) return 64;
    if (strcmp(name, "pid_rate_estimator") == 0) {
        results = pid_rates(the_case);
    } else {
        results = json_array();
        json_array_foreach(json_object_get(the_case, "calls"), i, call)
        {
            json_t *one = answer_call(name, the_case, call);
            json_array_append_new(results, one ? one : json_null());
        }
    }
    json_dumpf(results, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(results);
    json_decref(the_case);
    return 0;
}
