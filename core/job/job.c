/*
 * job.c - a job from its text.
 *
 *     text  --parser-->  canonical  --substitution-->  tree  --tables-->  job options
 *       \--scanner-->  places                            \--sections-->  instances
 *
 *  1. `canonical` keeps references (${…}) as they were written: it goes into checkpoints, what they
 *     stand for does not.
 *  2. A job from words has texts where a job file has numbers and lists. Which type they are to get
 *     only the plugin's table knows, so canonical has one more member, "texts": the paths whose
 *     values are read by the type of their option. In a job file that member is an unknown key.
 *  3. Mistakes don't end the reading, unless there is no JSON object to go on with.
 */
#include "core/job/job.h"

#include "core/job/instance.h"
#include "core/job/job_private.h"
#include "core/job/options_private.h"
#include "core/job/scanner.h"
#include "core/job/substitute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (16u << 20)
#define LEAST_MEMORY (1 << 20)
#define RETAIN_MAX 1000000

#define OPTION(type, name, fallback, choices, help)                                                \
    WEIR_OPTION(WEIR_OPTION_##type, 0, name, fallback, choices, help)

static const struct weir_option job_options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "name", NULL, NULL,
                "letters, digits, _, - and dots; state and logs go by it"),
    OPTION(JSON, "sources", NULL, NULL, NULL),
    OPTION(JSON, "operators", NULL, NULL, NULL),
    OPTION(JSON, "sinks", NULL, NULL, NULL),
    OPTION(TEXT, "trigger", "asap", NULL, NULL),
    OPTION(TEXT, "checkpoint", NULL, NULL, NULL),
    OPTION(SIZE, "memory_limit", "1Gi", NULL, NULL),
    OPTION(INT, "workers", NULL, NULL, NULL),
    OPTION(DURATION, "catch_up", "1h", NULL, NULL),
    OPTION(CHOICE, "output_mode", NULL, "append|update|complete", NULL),
    OPTION(BOOL, "backpressure.enabled", "true", NULL, NULL),
    OPTION(FLOAT, "backpressure.initial_rate", NULL, NULL, NULL),
    OPTION(FLOAT, "backpressure.min_rate", "100", NULL, NULL),
    OPTION(FLOAT, "backpressure.proportional", "1.0", NULL, NULL),
    OPTION(FLOAT, "backpressure.integral", "0.2", NULL, NULL),
    OPTION(FLOAT, "backpressure.derivative", "0.0", NULL, NULL),
    OPTION(INT, "retain_batches", "1", NULL, NULL),
    OPTION(BOOL, "no_data_batches", "true", NULL, NULL),
    OPTION(CHOICE, "watermark_policy", "min", "min|max", NULL),
    OPTION(SIZE, "dead_letters.size", "1Gi", NULL, NULL),
    OPTION(DURATION, "dead_letters.age", "7d", NULL, NULL),
    OPTION(LIST, "plugins", NULL, NULL, NULL),
    OPTION(TEXT, "http", NULL, NULL, NULL),
    OPTION(CHOICE, "log", NULL, "text|json", NULL),
};
static const struct option_table job_table = { job_options,
                                               sizeof job_options / sizeof *job_options,
                                               "the job" };

struct place job_place(const struct job *job, const char *path, int32_t offset)
{
    return places_value(job->places, path, offset);
}

static int out_of_memory(const struct job *job, struct report *report)
{
    report_add(report, REPORT_ERROR, (struct place){ job ? job->file : "", 0, 0 }, "",
               "out of memory while the job was read");
    return -1;
}

struct job *job_create(struct weir_sys *sys, const char *file)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->sys = sys;
    job->file = strdup(file);
    job->places = job->file ? places_create(job->file) : NULL;
    if (job->places) return job;
    job_free(job);
    return NULL;
}

/* Frees what job_derive makes. */
static void forget(struct job *job)
{
    instances_free(job);
    for (uint32_t i = 0; i < job->n_plugin_paths; i++) free(job->plugin_paths[i]);
    for (uint32_t i = 0; i < job->n_pins; i++) {
        free(job->pins[i].module);
        free(job->pins[i].version);
    }
    free(job->pins);
    job->pins = NULL;
    job->n_pins = 0;
    free(job->plugin_paths);
    free(job->name);
    free(job->checkpoint);
    free(job->output_mode);
    free(job->log);
    json_decref(job->tree);
    job->plugin_paths = NULL;
    job->n_plugin_paths = 0;
    job->name = job->checkpoint = job->output_mode = job->log = NULL;
    job->tree = NULL;
}

void job_free(struct job *job)
{
    if (!job) return;
    forget(job);
    json_decref(job->canonical);
    places_free(job->places);
    free(job->file);
    free(job);
}

/* ---- job options ---- */

struct top {
    struct job *job;
    const struct options *options;
    struct report *report;
    int failed; /* no memory */
};

static struct weir_value get(const struct top *top, const char *name)
{
    struct weir_value value = { .size = sizeof value };
    options_get(top->options, name, &value);
    return value;
}

static char *get_text(struct top *top, const char *name)
{
    struct weir_value value = get(top, name);
    char *copy = value.text ? strdup(value.text) : NULL;
    if (value.text && !copy) top->failed = 1;
    return copy;
}

static void refuse(const struct top *top, const char *path, const char *text)
{
    report_add(top->report, REPORT_ERROR, job_place(top->job, path, -1), path, "%s", text);
}

static void read_trigger(const struct top *top)
{
    static const struct {
        const char *name;
        uint32_t trigger;
    } words[] = { { "asap", TRIGGER_ASAP },
                  { "once", TRIGGER_ONCE },
                  { "available_now", TRIGGER_AVAILABLE_NOW } };
    static const char *const names[] = { "asap", "once", "available_now" };
    struct job *job = top->job;
    const char *text = get(top, "trigger").text, *why = "must be a duration", *nearest;
    job->trigger = TRIGGER_ASAP;
    if (!text) return; /* not a text: reported */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].name) == 0) {
            job->trigger = words[i].trigger;
            return;
        }
    job->trigger = TRIGGER_INTERVAL;
    if (parse_duration(text, 0, &job->interval_us, &why) == 0) return;
    job->trigger = TRIGGER_ASAP;
    nearest = nearest_name(text, names, 3);
    if (nearest || text[0] < '0' || text[0] > '9')
        report_add(top->report, REPORT_ERROR, job_place(job, "trigger", -1), "trigger",
                   "must be a duration like \"1s\", or asap, once, available_now%s%s%s",
                   nearest ? ": did you mean \"" : "", nearest ? nearest : "",
                   nearest ? "\"?" : "");
    else
        refuse(top, "trigger", why);
}

static void read_name(struct top *top)
{
    struct job *job = top->job;
    job->name = get_text(top, "name");
    if (job->name && !job_name_ok(job->name, "-."))
        refuse(top, "name",
               "a job's name has letters, digits, _, - and dots, a letter or _ first, and at "
               "most 128 of them");
    if (!job->name && !top->failed && !(job->name = strdup("job"))) top->failed = 1;
}

static void read_rates(const struct top *top)
{
    static const char *const names[] = { "min_rate", "initial_rate", "proportional", "integral",
                                         "derivative" };
    struct job *job = top->job;
    double *const fields[] = { &job->min_rate, &job->initial_rate, &job->proportional,
                               &job->integral, &job->derivative };
    job->backpressure = (int)get(top, "backpressure.enabled").integer;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "backpressure.%s", names[i]);
        *fields[i] = get(top, path).number;
        if (options_given(top->options, path) && get(top, path).type &&
            (*fields[i] < 0 || (i < 2 && *fields[i] == 0)))
            refuse(top, path, i < 2 ? "must be greater than zero" : "must not be negative");
    }
}

static void read_numbers(const struct top *top)
{
    struct job *job = top->job;
    int64_t workers = get(top, "workers").integer;
    if (options_given(top->options, "workers") && get(top, "workers").type &&
        (workers < 1 || workers > WORKERS_MAX))
        refuse(top, "workers",
               "must be from 1 to 1024; leave it out for as many as there are cores");
    else
        job->workers = (uint32_t)workers;
    job->retain_batches = get(top, "retain_batches").integer;
    if ((job->retain_batches < 1 || job->retain_batches > RETAIN_MAX) &&
        get(top, "retain_batches").type)
        refuse(top, "retain_batches", "must be from 1 to 1,000,000");
    job->memory_limit = get(top, "memory_limit").integer;
    if (job->memory_limit > 0 && job->memory_limit < LEAST_MEMORY && get(top, "memory_limit").type)
        refuse(top, "memory_limit", "must be at least 1Mi: rows under way have half of it, state the "
                                    "other half");
    job->catch_up_us = get(top, "catch_up").integer;
    job->no_data_batches = (int)get(top, "no_data_batches").integer;
    job->dead_size = get(top, "dead_letters.size").integer;
    job->dead_age_us = get(top, "dead_letters.age").integer;
}

/* "ID=VERSION" or "ID=sha256:HEX"; what has a slash before the = is a directory. */
static int is_pin(const char *text)
{
    const size_t n = strcspn(text, "=/");
    return n > 0 && text[n] == '=';
}

static void add_pin(struct top *top, uint64_t i, const char *text)
{
    struct job *job = top->job;
    char path[32];
    const char *equals = strchr(text, '='), *hash = equals + 1;
    snprintf(path, sizeof path, "plugins.%llu", (unsigned long long)i);
    if (strncmp(hash, "sha256:", 7) == 0 &&
        (strlen(hash + 7) < 8 || strspn(hash + 7, "0123456789abcdef") != strlen(hash + 7)))
        refuse(top, path, "a hash is 8 to 64 hex digits in lower case, the first ones of it");
    else if (!*hash)
        refuse(top, path, "a pin is ID=VERSION or ID=sha256:HEX, as \"weir inspect\" shows them");
    struct job_pin pin = { strndup(text, (size_t)(equals - text)), strdup(hash),
                           job_place(job, path, -1) };
    struct job_pin *pins = realloc(job->pins, (job->n_pins + 1) * sizeof *pins);
    if (pins) job->pins = pins;
    if (pins && pin.module && pin.version) {
        pins[job->n_pins++] = pin;
        return;
    }
    free(pin.module);
    free(pin.version);
    top->failed = 1;
}

static void read_plugins(struct top *top)
{
    struct job *job = top->job;
    uint64_t n = get(top, "plugins").count;
    if (n == 0) return;
    job->plugin_paths = calloc(n, sizeof *job->plugin_paths);
    top->failed |= !job->plugin_paths;
    for (uint64_t i = 0; job->plugin_paths && i < n; i++) {
        struct weir_value item = { .size = sizeof item };
        options_item(top->options, "plugins", i, &item);
        if (item.text && is_pin(item.text)) {
            add_pin(top, i, item.text);
            continue;
        }
        job->plugin_paths[job->n_plugin_paths] = strdup(item.text ? item.text : "");
        if (job->plugin_paths[job->n_plugin_paths]) job->n_plugin_paths++;
        else top->failed = 1;
    }
}

static int read_top(struct job *job, const json_t *tree, struct report *report)
{
    json_t *plain = json_copy((json_t *)(uintptr_t)tree);
    struct top top = { job, NULL, report, 0 };
    if (!plain) return -1;
    json_object_del(plain, "sources");
    json_object_del(plain, "operators");
    json_object_del(plain, "sinks");
    struct options *options = options_build_at(job, "", places_key(job->places, ""), "the job",
                                               plain, &job_table, 1, report);
    json_decref(plain);
    if (!options) return -1;
    top.options = options;
    read_name(&top);
    uint32_t before = report->errors;
    read_trigger(&top);
    job->unsure = report->errors > before || !get(&top, "trigger").text ||
                  (options_given(options, "output_mode") && !get(&top, "output_mode").text);
    read_rates(&top);
    read_numbers(&top);
    read_plugins(&top);
    job->checkpoint = get_text(&top, "checkpoint");
    job->output_mode = get_text(&top, "output_mode");
    job->log = get_text(&top, "log");
    const char *policy = get(&top, "watermark_policy").text;
    job->watermark_policy_max = policy && strcmp(policy, "max") == 0;
    if (job->checkpoint && !*job->checkpoint)
        refuse(&top, "checkpoint", "must name a directory; leave it out for none");
    if (options_given(options, "http"))
        report_add(report, REPORT_ERROR, places_key(job->places, "http"), "http",
                   "this version of weir serves no HTTP: take it out");
    options_free(options);
    return top.failed ? -1 : 0;
}

int job_derive(struct job *job, struct report *report)
{
    forget(job);
    job->tree = json_deep_copy(job->canonical);
    if (!job->tree) return out_of_memory(job, report);
    if (job->has_texts) json_object_del(job->tree, "texts");
    if (substitute(job->tree, job->sys, job->places, report) != 0 ||
        read_top(job, job->tree, report) != 0 || instances_read(job, job->tree, report) != 0 ||
        instances_check(job, report) != 0)
        return out_of_memory(job, report);
    return 0;
}

/* ---- text ---- */

/* The parser tells where the token ends that it could not use; this is where it begins. */
static size_t token_start(const char *text, size_t end)
{
    size_t at = end;
    if (text[at] == '"') {
        while (at > 0 && (text[at - 1] != '"' || (at > 1 && text[at - 2] == '\\'))) at--;
        return at > 0 && !memchr(text + at, '\n', end - at) ? at - 1 : end;
    }
    while (at > 0 && text[at - 1] &&
           strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", text[at - 1]))
        at--;
    return strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", text[end]) ? at : end;
}

/* What the parser stumbled over; its own words quote values, so only what it expected is kept. */
static void syntax_error(const struct job *job, const char *text, size_t n,
                         const json_error_t *error, struct report *report)
{
    char what[128];
    struct place place = { job->file, error->line > 0 ? (uint32_t)error->line : 1,
                           error->column > 0 ? (uint32_t)error->column : 1 };
    const char *near = strstr(error->text, " near ");
    size_t at =
        error->position > 0 && (size_t)error->position <= n ? (size_t)error->position - 1 : 0;
    enum json_error_code code = json_error_code(error);
    snprintf(what, sizeof what, "%.*s", near ? (int)(near - error->text) : 100, error->text);
    if (n > 0 && (code == json_error_numeric_overflow || code == json_error_invalid_syntax) &&
        (strstr(what, "expected") || strstr(what, "token") ||
         code == json_error_numeric_overflow)) {
        size_t start = token_start(text, at);
        for (; at > start; at--)
            if (((unsigned char)text[at] & 0xc0) != 0x80 && place.column > 1) place.column--;
    }
    size_t before = at;
    while (before > 0 && strchr(" \t\r\n", text[before - 1])) before--;
    switch (code) {
    case json_error_premature_end_of_input:
        snprintf(what, sizeof what, "the text ends too early: a closing sign is missing");
        break;
    case json_error_invalid_utf8:
        place.column += error->position > 0; /* it counts what it could read */
        snprintf(what, sizeof what, "the text is not UTF-8 here: save the file as UTF-8");
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        snprintf(what, sizeof what, "a NUL character can't be in a job: take it out");
        break;
    case json_error_numeric_overflow:
        snprintf(what, sizeof what, "the number is too large: write one that fits 64 bits");
        break;
    case json_error_stack_overflow:
        snprintf(what, sizeof what, "nested deeper than 64 levels: flatten it");
        break;
    case json_error_end_of_input_expected:
        snprintf(what, sizeof what, "there is text behind the end of the job: take it out");
        break;
    default:
        if (n > 0 && before > 0 && text[before - 1] == ',' && (text[at] == '}' || text[at] == ']'))
            snprintf(what, sizeof what,
                     "the comma before this bracket is one too many: take it out");
        else if (n > 0 && (text[at] == '\'' || (text[at] == '/' && at + 1 < n)))
            snprintf(what, sizeof what, "JSON has double quotes and no comments");
        break;
    }
    report_add(report, REPORT_ERROR, place, "", "this is no JSON: %s", what);
}

/* Parses `text` into canonical and places. 0, or -1 (reported). */
static int parse(struct job *job, const char *text, size_t n, struct report *report)
{
    json_error_t error;
    size_t skip = 0;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        skip = 3;
        report_add(report, REPORT_ERROR, (struct place){ job->file, 1, 1 }, "",
                   "the file begins with a byte order mark: save it as UTF-8 without one");
    }
    if (n > FILE_LIMIT) {
        report_add(report, REPORT_ERROR, (struct place){ job->file, 0, 0 }, "",
                   "the job file is larger than 16 MiB: put data into files of its own");
        return -1;
    }
    job->canonical = json_loadb(text + skip, n - skip, 0, &error);
    if (!job->canonical) {
        if (json_error_code(&error) == json_error_out_of_memory) return out_of_memory(job, report);
        syntax_error(job, text + skip, n - skip, &error, report);
        return -1;
    }
    if (!json_is_object(job->canonical)) {
        report_add(report, REPORT_ERROR, (struct place){ job->file, 1, 1 }, "",
                   "a job is an object: {\"name\": \"…\", \"sources\": {…}, \"sinks\": {…}}");
        return -1;
    }
    uint32_t before = report->errors;
    if (places_scan(job->places, text, n, skip, report) == 0) return 0;
    return report->errors > before ? -1 : out_of_memory(job, report);
}

struct job *job_read(struct weir_sys *sys, const char *path, const char *text,
                     struct report *report, int *io_error)
{
    char *bytes = NULL;
    size_t n = text ? strlen(text) : 0;
    struct job *job = NULL;
    if (io_error) *io_error = 0;
    if (!text) {
        int result = sys_read_file(sys, path, FILE_LIMIT, &bytes, &n);
        if (result < 0) {
            if (io_error) *io_error = result != -EFBIG;
            report_add(report, REPORT_ERROR, (struct place){ path, 0, 0 }, "", "%s%s",
                       result == -EFBIG ? "the job file is larger than 16 MiB"
                                        : "the job file can't be read: ",
                       result == -EFBIG ? ": put data into files of its own" : strerror(-result));
            return NULL;
        }
        text = bytes;
    }
    job = job_create(sys, path);
    if (!job) {
        out_of_memory(NULL, report);
    } else if (parse(job, text, n, report) != 0 || job_derive(job, report) != 0) {
        job_free(job);
        job = NULL;
    }
    free(bytes);
    return job;
}

struct job *job_from_text(struct weir_sys *sys, const char *text, struct report *report)
{
    size_t i;
    const json_t *path;
    struct job *job = job_create(sys, "job of the checkpoint");
    if (!job) {
        out_of_memory(NULL, report);
        return NULL;
    }
    if (parse(job, text, strlen(text), report) != 0) goto fail;
    job->has_texts = json_object_get(job->canonical, "texts") != NULL;
    json_array_foreach(json_object_get(job->canonical, "texts"), i, path)
        if (json_is_string(path)) places_mark_text(job->places, json_string_value(path));
    if (job_derive(job, report) != 0) goto fail;
    return job;
fail:
    job_free(job);
    return NULL;
}
