#include "tools/weir/scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/array.h"
#include "core/data/node.h"
#include "core/job/scanner.h"

#define FILE_LIMIT (64u << 20)
#define PATH_SIZE 320

/* What is being read, and where mistakes go. */
struct reader {
    struct scenario *scenario;
    struct report *report;
};

static void wrong(const struct reader *r, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(const struct reader *r, const char *path, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report_add(r->report, REPORT_ERROR, places_value(r->scenario->places, path, -1), path, "%s",
               text);
}

static void unknown_key(const struct reader *r, const char *path, const char *key,
                        const char *const *names, uint32_t n)
{
    const char *nearest = nearest_name(key, names, n);
    report_add(r->report, REPORT_ERROR, places_key(r->scenario->places, path), path,
               "there is no such key%s%s%s", nearest ? ": did you mean \"" : "",
               nearest ? nearest : "", nearest ? "\"?" : "");
}

/* "path.key", cut if it is too long. */
static void join(char out[PATH_SIZE], const char *path, const char *key)
{
    snprintf(out, PATH_SIZE, "%.150s.%.150s", path, key);
}

static int known(const char *key, const char *const *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0) return 1;
    return 0;
}

/* ---- steps ---- */

static const struct verb {
    const char *name;
    enum scenario_verb verb;
    int type; /* of its value; -1: more than one */
    const char *form;
} verbs[] = {
    { "rows", VERB_ROWS, JSON_OBJECT, "{\"source\": [[value, …], …]}, null where it is absent" },
    { "files", VERB_FILES, JSON_OBJECT,
      "{\"path\": {\"text\": …, \"mtime\": …}}, {\"from\": path} to rename, null to remove" },
    { "advance", VERB_ADVANCE, JSON_STRING, "a duration like \"1s\"" },
    { "expect", VERB_EXPECT, JSON_OBJECT, "{\"sink\": [[value, …], …]}" },
    { "watermark", VERB_TIMES, JSON_STRING, "a timestamp" },
    { "event_time", VERB_TIMES, JSON_OBJECT, "{\"min\": …, \"max\": …, \"avg\": …}" },
    { "counters", VERB_COUNTERS, JSON_OBJECT, "{\"instance\": {\"rows\": number}}" },
    { "crash", VERB_CRASH, JSON_STRING,
      "\"after plan N\", \"after state N\", \"before commit N\", \"after commit N\" or "
      "\"at call K\"" },
    { "restart", VERB_RESTART, JSON_OBJECT, "{\"workers\": …, \"job\": …}, both as you like" },
    { "stop", VERB_STOP, JSON_TRUE, "true" },
    { "error", VERB_ERROR, JSON_OBJECT, "{\"at\": \"check\" or \"run\", \"match\": \"…\"}" },
};
#define N_VERBS (sizeof verbs / sizeof *verbs)

static int parse_crash(const char *text, struct crash *out)
{
    static const struct {
        const char *words;
        enum crash_point point;
    } points[] = { { "after plan ", CRASH_AFTER_PLAN },
                   { "after state ", CRASH_AFTER_STATE },
                   { "before commit ", CRASH_BEFORE_COMMIT },
                   { "after commit ", CRASH_AFTER_COMMIT },
                   { "at call ", CRASH_AT_CALL } };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        size_t n = strlen(points[i].words);
        char *end;
        if (strncmp(text, points[i].words, n) != 0 || text[n] < '0' || text[n] > '9') continue;
        errno = 0;
        out->point = points[i].point;
        out->n = strtoull(text + n, &end, 10);
        return *end || errno || (out->point == CRASH_AT_CALL && out->n == 0) ? -1 : 0;
    }
    return -1;
}

/* {"name": rows, …}: rows are arrays of arrays, or null where `null_ok`. */
static void check_rows(const struct reader *r, const char *path, const json_t *value, int null_ok)
{
    const char *name;
    json_t *rows;
    json_object_foreach((json_t *)(uintptr_t)value, name, rows)
    {
        char at[PATH_SIZE];
        size_t i;
        const json_t *row;
        join(at, path, name);
        if (json_is_null(rows) && null_ok) continue;
        if (!json_is_array(rows)) wrong(r, at, "must be an array of rows%s",
                                        null_ok ? ", or null for an absent stream" : "");
        json_array_foreach(rows, i, row) if (!json_is_array(row))
        {
            wrong(r, at, "row %zu must be an array of values", i + 1);
            break;
        }
    }
}

static int is_base64(const json_t *value)
{
    uint64_t n = json_string_length(value), length;
    uint8_t *bytes = malloc(n + 1);
    int ok = bytes && base64_decode(json_string_value(value), n, bytes, &length) == 0;
    free(bytes);
    return ok;
}

static void check_file(const struct reader *r, const char *path, const json_t *file)
{
    static const char *const names[] = { "text", "base64", "mtime", "from" };
    const json_t *encoded = json_object_get(file, "base64");
    const char *key;
    json_t *value;
    int64_t us;
    int n = 0;
    json_object_foreach((json_t *)(uintptr_t)file, key, value)
    {
        char at[PATH_SIZE];
        join(at, path, key);
        if (strcmp(key, "mtime") != 0) n++;
        if (!known(key, names, 4)) unknown_key(r, at, key, names, 4);
        else if (!json_is_string(value)) wrong(r, at, "must be text");
        else if (value == encoded && !is_base64(value)) wrong(r, at, "must be base64");
        else if (strcmp(key, "mtime") == 0 &&
                 timestamp_of_text(json_string_value(value), json_string_length(value), &us) != 0)
            wrong(r, at, "must be a timestamp like \"1970-01-01T00:00:01Z\"");
    }
    if (!json_is_null(file) && n != 1)
        wrong(r, path, "must have one of \"text\", \"base64\" and \"from\", or be null");
}

static void check_files(const struct reader *r, const char *path, const json_t *value)
{
    const char *name;
    json_t *file;
    json_object_foreach((json_t *)(uintptr_t)value, name, file)
    {
        char at[PATH_SIZE];
        join(at, path, name);
        check_file(r, at, file);
    }
}

static void check_counters(const struct reader *r, const char *path, const json_t *value)
{
    const char *name;
    json_t *counters;
    json_object_foreach((json_t *)(uintptr_t)value, name, counters)
    {
        char at[PATH_SIZE];
        const char *counter;
        json_t *number;
        join(at, path, name);
        if (!json_is_object(counters)) wrong(r, at, "must be an object, like {\"rows\": 1}");
        json_object_foreach(counters, counter, number) if (!json_is_integer(number))
            wrong(r, at, "\"%.64s\" must be a whole number", counter);
    }
}

static void check_times(const struct reader *r, const char *path, const json_t *value)
{
    static const char *const names[] = { "min", "max", "avg" };
    const char *key;
    json_t *time;
    int64_t us;
    json_object_foreach((json_t *)(uintptr_t)value, key, time)
    {
        char at[PATH_SIZE];
        join(at, path, key);
        if (!known(key, names, 3)) unknown_key(r, at, key, names, 3);
        else if (!json_is_string(time) ||
                 timestamp_of_text(json_string_value(time), json_string_length(time), &us) != 0)
            wrong(r, at, "must be a timestamp like \"1970-01-01T00:00:01Z\"");
    }
}

static int workers_ok(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
           json_integer_value(value) <= 64;
}

static void check_restart(const struct reader *r, const char *path, const json_t *value)
{
    static const char *const names[] = { "workers", "job" };
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        char at[PATH_SIZE];
        join(at, path, key);
        if (!known(key, names, 2)) unknown_key(r, at, key, names, 2);
        else if (strcmp(key, "workers") == 0 && !workers_ok(member))
            wrong(r, at, "must be a number from 1 to 64");
        else if (strcmp(key, "job") == 0 && !json_is_string(member) && !json_is_object(member))
            wrong(r, at, "must be the path of a job file, or a job");
    }
}

static void check_error(const struct reader *r, const char *path, const json_t *value)
{
    static const char *const names[] = { "at", "match" };
    const char *key, *at = json_string_value(json_object_get(value, "at"));
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        char inner[PATH_SIZE];
        join(inner, path, key);
        if (!known(key, names, 2)) unknown_key(r, inner, key, names, 2);
        else if (!json_is_string(member)) wrong(r, inner, "must be text");
    }
    if (!at || (strcmp(at, "check") != 0 && strcmp(at, "run") != 0))
        wrong(r, path, "\"at\" must be \"check\" or \"run\"");
}

static void read_value(const struct reader *r, struct scenario_step *step, const struct verb *verb,
                       const char *path, const json_t *value)
{
    const char *why = "is no duration";
    int64_t us;
    if (verb->type != (int)json_typeof(value)) {
        wrong(r, path, "must be %s", verb->form);
        return;
    }
    switch (verb->verb) {
    case VERB_ROWS: check_rows(r, path, value, 1); break;
    case VERB_FILES: check_files(r, path, value); break;
    case VERB_EXPECT: check_rows(r, path, value, 0); break;
    case VERB_COUNTERS: check_counters(r, path, value); break;
    case VERB_RESTART: check_restart(r, path, value); break;
    case VERB_ERROR: check_error(r, path, value); break;
    case VERB_ADVANCE:
        if (parse_duration(json_string_value(value), 0, &step->us, &why) != 0)
            wrong(r, path, "%s", why);
        break;
    case VERB_CRASH:
        if (parse_crash(json_string_value(value), &step->crash) != 0)
            wrong(r, path, "must be %s", verb->form);
        break;
    case VERB_TIMES:
        if (json_is_object(value)) check_times(r, path, value);
        if (json_is_string(value) &&
            timestamp_of_text(json_string_value(value), json_string_length(value), &us) != 0)
            wrong(r, path, "must be a timestamp like \"1970-01-01T00:00:01Z\"");
        break;
    default: break;
    }
}

static void read_order(const struct reader *r, struct scenario_step *step, const char *path,
                       const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || (strcmp(text, "any") != 0 && strcmp(text, "exact") != 0))
        wrong(r, path, "must be \"any\" or \"exact\"");
    else
        step->exact = strcmp(text, "exact") == 0;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(name, verbs[i].name) == 0) return &verbs[i];
    return NULL;
}

static void read_step(const struct reader *r, uint32_t number, const json_t *json,
                      struct scenario_step *step)
{
    static const char *const names[] = { "rows",     "advance", "expect",  "watermark",
                                         "event_time", "counters", "crash", "restart",
                                         "stop",     "error",   "order",   "about", "files",
                                         "jump" };
    const char *key;
    json_t *value;
    char at[PATH_SIZE];
    step->all = json;
    snprintf(at, sizeof at, "steps.%u", number);
    if (!json_is_object(json)) {
        wrong(r, at, "a step is an object, like {\"advance\": \"1s\"}");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        char inner[PATH_SIZE];
        const struct verb *verb = find_verb(key);
        join(inner, at, key);
        if (verb && step->value && (step->verb != VERB_TIMES || verb->verb != VERB_TIMES)) {
            wrong(r, inner, "a step does one thing: make two steps of it");
        } else if (verb) {
            step->verb = verb->verb;
            if (!step->value) step->value = value;
            read_value(r, step, verb, inner, value);
        } else if (!known(key, names, 14)) {
            unknown_key(r, inner, key, names, 14);
        }
    }
    value = json_object_get(json, "order");
    snprintf(at, sizeof at, "steps.%u.order", number);
    if (value && step->verb != VERB_EXPECT) wrong(r, at, "goes with \"expect\" only");
    if (value) read_order(r, step, at, value);
    value = json_object_get(json, "jump");
    snprintf(at, sizeof at, "steps.%u.jump", number);
    if (value && (step->verb != VERB_ADVANCE || !json_is_boolean(value)))
        wrong(r, at, "must be true or false, and goes with \"advance\" only");
    step->jump = json_is_true(value);
    snprintf(at, sizeof at, "steps.%u", number);
    if (!step->value) wrong(r, at, "the step does nothing");
}

static void read_steps(const struct reader *r)
{
    struct scenario *s = r->scenario;
    const json_t *steps = json_object_get(s->tree, "steps");
    size_t n = json_array_size(steps);
    if (n == 0) {
        wrong(r, "steps", "must be a list of steps, like [{\"advance\": \"1s\"}]");
        return;
    }
    s->steps = calloc(n, sizeof *s->steps);
    if (!s->steps) {
        wrong(r, "steps", "out of memory");
        return;
    }
    s->n_steps = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        read_step(r, (uint32_t)i, json_array_get(steps, i), &s->steps[i]);
}

/* ---- the rest ---- */

static void read_workers(const struct reader *r)
{
    struct scenario *s = r->scenario;
    const json_t *value = json_object_get(s->tree, "workers"), *one;
    size_t i;
    if (!value) {
        s->workers[0] = 1;
        s->workers[1] = 2;
        s->workers[2] = 7;
        s->n_workers = 3;
        return;
    }
    if (workers_ok(value)) s->workers[s->n_workers++] = (uint32_t)json_integer_value(value);
    json_array_foreach(value, i, one)
        if (workers_ok(one) && s->n_workers < SCENARIO_WORKERS)
            s->workers[s->n_workers++] = (uint32_t)json_integer_value(one);
    if (s->n_workers == 0 || (json_is_array(value) && json_array_size(value) != s->n_workers))
        wrong(r, "workers", "must be a number from 1 to 64, or a list of at most %u",
              SCENARIO_WORKERS);
}

static void read_top(const struct reader *r)
{
    static const char *const names[] = { "job",   "workers", "start", "checkpoint",
                                         "steps", "about",   "real" };
    struct scenario *s = r->scenario;
    const char *key;
    json_t *value;
    json_object_foreach(s->tree, key, value)
        if (!known(key, names, 7)) unknown_key(r, key, key, names, 7);
    s->job = json_object_get(s->tree, "job");
    if (!json_is_string(s->job) && !json_is_object(s->job))
        wrong(r, "job", "must be the path of a job file, or a job");
    s->checkpoint = !json_is_false(json_object_get(s->tree, "checkpoint"));
    value = json_object_get(s->tree, "checkpoint");
    if (value && !json_is_boolean(value)) wrong(r, "checkpoint", "must be true or false");
    s->real = json_object_get(s->tree, "real");
    if (s->real && !json_is_array(s->real))
        wrong(r, "real", "must be a list of names of sources and sinks");
    value = json_object_get(s->tree, "start");
    if (value && (!json_is_string(value) ||
                  timestamp_of_text(json_string_value(value), json_string_length(value),
                                    &s->start_us) != 0))
        wrong(r, "start", "must be a timestamp like \"1970-01-01T00:00:00Z\"");
    read_workers(r);
    read_steps(r);
}

static int parse(const struct reader *r)
{
    struct scenario *s = r->scenario;
    json_error_t error;
    s->tree = json_loadb(s->text, s->length, JSON_ALLOW_NUL, &error);
    if (!s->tree) {
        struct place place = { s->file, error.line > 0 ? (uint32_t)error.line : 1,
                               error.column > 0 ? (uint32_t)error.column : 1 };
        report_add(r->report, REPORT_ERROR, place, "", "this is no JSON: %s", error.text);
        return -1;
    }
    if (places_scan(s->places, s->text, s->length, 0, r->report) != 0) return -1;
    if (json_is_object(s->tree)) return 0;
    wrong(r, "", "a scenario is an object: {\"job\": …, \"steps\": […]}");
    return -1;
}

struct scenario *scenario_read(struct weir_sys *sys, const char *file, struct report *report)
{
    struct scenario *s = calloc(1, sizeof *s);
    struct reader r = { s, report };
    uint32_t before = report->errors;
    int result = -ENOMEM;
    if (s) s->file = strdup(file);
    if (s && s->file) s->places = places_create(s->file);
    if (s && s->places) result = sys_read_file(sys, file, FILE_LIMIT, &s->text, &s->length);
    if (result < 0)
        report_add(report, REPORT_ERROR, (struct place){ file, 0, 0 }, "",
                   "the scenario can't be read: %s", strerror(-result));
    else if (parse(&r) == 0)
        read_top(&r);
    if (report->errors == before) return s;
    scenario_free(s);
    return NULL;
}

void scenario_free(struct scenario *s)
{
    if (!s) return;
    json_decref(s->tree);
    places_free(s->places);
    free(s->steps);
    free(s->text);
    free(s->file);
    free(s);
}

/* ---- places ---- */

void scenario_place(const struct scenario *s, const char *path, char *out, size_t size)
{
    struct place place = places_value(s->places, path, -1);
    if (place.line) snprintf(out, size, "%s:%u:%u", s->file, place.line, place.column);
    else snprintf(out, size, "%s", s->file);
}

/* Behind the JSON value at text[at]; the text was accepted by a parser. */
static size_t value_end(const char *text, size_t length, size_t at)
{
    int depth = 0, quoted = 0;
    for (; at < length; at++) {
        char c = text[at];
        if (quoted) {
            if (c == '\\') at++;
            else if (c == '"') quoted = 0;
            if (!quoted && depth == 0) return at + 1;
        } else if (c == '"') {
            quoted = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && strchr(", \t\r\n", c)) {
            return at;
        }
    }
    return length;
}

int scenario_extent(const struct scenario *s, const char *path, size_t *from, size_t *until)
{
    struct place place = places_value(s->places, path, -1);
    size_t at = 0;
    if (!places_has(s->places, path) || place.line == 0) return -1;
    for (uint32_t line = 1; line < place.line && at < s->length; at++)
        if (s->text[at] == '\n') line++;
    for (uint32_t column = 1; column < place.column && at < s->length; column++)
        do at++;
        while (at < s->length && ((unsigned char)s->text[at] & 0xc0) == 0x80);
    *from = at;
    *until = value_end(s->text, s->length, at);
    return 0;
}

/* ---- jobs ---- */

/* A job inside of the scenario, with blanks before it, so that its places are those of the
 * scenario. */
static char *inline_job(const struct scenario *s, const char *path)
{
    struct place place = places_value(s->places, path, -1);
    size_t from, until, blanks = (size_t)place.line + place.column;
    if (scenario_extent(s, path, &from, &until) != 0) return NULL;
    char *text = malloc(blanks + (until - from) + 1), *at = text;
    if (!text) return NULL;
    for (uint32_t i = 1; i < place.line; i++) *at++ = '\n';
    for (uint32_t i = 1; i < place.column; i++) *at++ = ' ';
    memcpy(at, s->text + from, until - from);
    at[until - from] = 0;
    return text;
}

struct job *scenario_job(const struct scenario *s, const json_t *given, const char *path,
                         struct weir_sys *sys, struct report *report)
{
    const char *name = json_string_value(given), *slash = strrchr(s->file, '/');
    size_t n = slash && name && name[0] != '/' ? (size_t)(slash - s->file) + 1 : 0;
    struct job *job = NULL;
    char *text = name ? malloc(n + strlen(name) + 1) : inline_job(s, path);
    if (!text) {
        report_add(report, REPORT_ERROR, places_value(s->places, path, -1), path, "out of memory");
    } else if (name) {
        memcpy(text, s->file, n);
        strcpy(text + n, name);
        job = job_read(sys, text, NULL, report, NULL);
    } else {
        job = job_read(sys, s->file, text, report, NULL);
    }
    free(text);
    return job;
}
