/*
 * options.c - the options of an instance against the tables of its plugin, its format and the
 * engine.
 *
 *  1. All tables count together; where two have a name, the earlier one has it.
 *  2. "window.length" in a table is the member `length` of the object `window`; the dotted key
 *     itself is fine too. `format` as an object is merged: `type` is the option `format`, the rest
 *     are flat options.
 *  3. A required nested option is missed only where its object is given.
 *  4. Every mistake is reported; what was right stays usable. Defaults go through the same reader
 *     as values.
 */
#include "core/job/options.h"

#include "core/data/array.h"
#include "core/job/option_value.h"
#include "core/job/options_private.h"
#include "core/job/scanner.h"

#include <stdlib.h>
#include <string.h>

struct options {
    struct option_value *values;
    uint32_t n;
    uint32_t incomplete; /* a required one is missing */
};

/* Options of the engine with a least value, which tables can't say. */
static const struct {
    const char *name;
    int64_t least;
} limits[] = { { "max_rate", 1 }, { "max_records", 1 }, { "retry.attempts", 0 } };

#define ON_ERROR "dead_letter|fail|skip|null"

static const struct weir_option source_options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMN, 0, "watermark.column", NULL, NULL,
                "column with the event time; an operator NAME.watermark follows the source"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "watermark.delay", NULL, NULL,
                "how much later than the latest event a row may come"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "max_rate", NULL, NULL, "records per second, at most"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "max_records", NULL, NULL, "records per batch, at most"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "spool", NULL, NULL,
                "keep the input until its batch is safe; true where the source can't replay"),
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "max_record", "1Mi", NULL, "a longer record is a bad row"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "on_error", "dead_letter", ON_ERROR,
                "what becomes of bad rows"),
};
static const struct weir_option operator_options[] = {
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "on_error", "dead_letter", ON_ERROR,
                "what becomes of bad rows"),
};
static const struct weir_option sink_options[] = {
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "on_stall", "hold", "hold|spill|detach",
                "what the job does while the sink can't take a batch; in this version: hold"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "stall_after", "10s", NULL,
                "how long a sink may take; no effect in this version"),
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "spill_limit.size", "10Gi", NULL,
                "past it: hold; no effect in this version"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "spill_limit.age", "1d", NULL,
                "past it: hold; no effect in this version"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "retry.attempts", NULL, NULL,
                "how often in all before the job fails; none: for ever"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "retry.delay", NULL, NULL,
                "before the second attempt, doubled from then on; none: 200ms"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "retry.max_delay", NULL, NULL,
                "between attempts, at most; none: 6400ms"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "on_error", "dead_letter", ON_ERROR,
                "what becomes of bad rows"),
};
static const struct weir_option format_options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "format", "text", NULL,
                "name of the format, or an object with `type` and its options"),
};

#define TABLE(array, owner) { array, sizeof array / sizeof *array, owner }
const struct option_table options_of_sources = TABLE(source_options, "sources");
const struct option_table options_of_operators = TABLE(operator_options, "operators");
const struct option_table options_of_sinks = TABLE(sink_options, "sinks");
const struct option_table options_of_formats = TABLE(format_options, "formats");

struct build {
    struct option_reader reader;
    struct options *options;
    const struct option_table *tables;
    uint32_t n_tables;
    const char *owner; /* for messages */
};

static const struct weir_option *option_at(const struct option_table *table, uint32_t i)
{
    const char *base = (const char *)table->options;
    return (const struct weir_option *)(const void *)(base + (size_t)i * table->options->size);
}

static int declares(const struct option_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->n; i++)
        if (strcmp(option_at(table, i)->name, name) == 0) return 1;
    return 0;
}

uint32_t options_of_engine(const struct weir_component *component,
                           struct option_table tables[ENGINE_TABLES])
{
    const struct option_table own = { component->options, component->n_options, component->name };
    const uint64_t takes = WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT;
    static const struct option_table *const of_kinds[] = {
        [WEIR_KIND_SOURCE] = &options_of_sources,
        [WEIR_KIND_OPERATOR] = &options_of_operators,
        [WEIR_KIND_SINK] = &options_of_sinks,
    };
    const uint32_t kind = component->kind;
    uint32_t n = 0;
    if (kind >= sizeof of_kinds / sizeof *of_kinds || !of_kinds[kind]) return 0;
    if ((component->capabilities & takes) && !declares(&own, "format"))
        tables[n++] = options_of_formats;
    tables[n++] = *of_kinds[kind];
    return n;
}

static struct option_value *find(const struct options *options, const char *name)
{
    for (uint32_t i = 0; i < options->n; i++)
        if (strcmp(options->values[i].option->name, name) == 0) return &options->values[i];
    return NULL;
}

static int collect(struct build *b)
{
    uint32_t total = 1;
    for (uint32_t t = 0; t < b->n_tables; t++) total += b->tables[t].n;
    b->options->values = calloc(total, sizeof *b->options->values);
    if (!b->options->values) return 0;
    for (uint32_t t = 0; t < b->n_tables; t++)
        for (uint32_t i = 0; i < b->tables[t].n; i++) {
            const struct weir_option *option = option_at(&b->tables[t], i);
            if (!find(b->options, option->name))
                b->options->values[b->options->n++].option = option;
        }
    return 1;
}

/* Is `name` an object of options ("window" of "window.length")? */
static int has_members(const struct options *options, const char *name)
{
    size_t n = strlen(name);
    for (uint32_t i = 0; i < options->n; i++) {
        const char *other = options->values[i].option->name;
        if (strncmp(other, name, n) == 0 && other[n] == '.') return 1;
    }
    return 0;
}

static void unknown(struct build *b, const char *name, const char *path)
{
    char full[512], last[512];
    const char *names[256], *nearest;
    uint32_t n = 0;
    size_t above = 0;
    const char *dot = strrchr(name, '.');
    for (uint32_t i = 0; i < b->options->n && n < 256; i++)
        names[n++] = b->options->values[i].option->name;
    nearest = nearest_name(name, names, n);
    if (dot) above = (size_t)(dot + 1 - name);
    if (!nearest) { /* "windw" for "window.length": the objects themselves */
        static const char *const objects[] = { "watermark",    "window",      "over",
                                               "retry",        "spill_limit", "backpressure",
                                               "dead_letters", "session",     "roll" };
        const char *have[sizeof objects / sizeof *objects];
        uint32_t k = 0;
        for (uint32_t i = 0; i < sizeof objects / sizeof *objects; i++)
            if (has_members(b->options, objects[i])) have[k++] = objects[i];
        nearest = nearest_name(name, have, k);
    }
    option_path(&b->reader, path, full, sizeof full);
    if (nearest && strncmp(nearest, name, above) != 0) above = 0;
    snprintf(last, sizeof last, "%.200s", name + above);
    struct place place = places_key(b->reader.job->places, full);
    if (nearest)
        report_add(b->reader.report, REPORT_ERROR, place, full,
                   "%s has no option \"%s\": did you mean \"%s\"?", b->owner, last,
                   nearest + above);
    else if (b->reader.prefix[0])
        report_add(b->reader.report, REPORT_ERROR, place, full,
                   "%s has no option \"%s\": \"weir inspect %.100s\" lists those that it has",
                   b->owner, last, b->owner);
    else
        report_add(b->reader.report, REPORT_ERROR, place, full,
                   "%s has no option \"%s\": take it out", b->owner, last);
}

static void check_limit(struct build *b, const struct option_value *value)
{
    for (uint32_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (value->good && value->option->type == WEIR_OPTION_INT &&
            strcmp(value->option->name, limits[i].name) == 0 && value->integer < limits[i].least)
            option_wrong(&b->reader, value->path, -1, "must be at least %lld",
                         (long long)limits[i].least);
}

static void read_value(struct build *b, struct option_value *value, const char *path,
                       const json_t *json)
{
    char full[512];
    if (value->given) {
        option_wrong(&b->reader, path, -1, "the option \"%s\" is given twice: take one out",
                     value->option->name);
        return;
    }
    value->given = 1;
    value->path = strdup(path);
    if (!value->path) {
        b->reader.no_memory = 1;
        return;
    }
    option_path(&b->reader, path, full, sizeof full);
    option_read(&b->reader, value, json, places_is_text(b->reader.job->places, full));
    check_limit(b, value);
}

/* Reads the members of an object: `name` is the option that it stands for ("" for the instance),
 * `path` the way to it, which differs inside `format`. */
static void read_object(struct build *b, const char *name, const char *path, const json_t *object)
{
    size_t n = strlen(name), m = strlen(path);
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *json = json_object_iter_value(at);
        size_t k = strlen(key) + 2;
        char *option = malloc(n + k), *way = malloc(m + k);
        if (!option || !way) {
            b->reader.no_memory = 1;
        } else {
            snprintf(option, n + k, "%s%s%s", name, n ? "." : "", key);
            snprintf(way, m + k, "%s%s%s", path, m ? "." : "", key);
            int in_format = n == 0 && m > 0;
            struct option_value *value = find(b->options, in_format && strcmp(key, "type") == 0
                                                              ? path : option);
            int is_format = strcmp(option, "format") == 0 || strcmp(option, "table.format") == 0;
            if (!in_format && is_format && value && json_is_object(json))
                read_object(b, "", way, json);
            else if (value)
                read_value(b, value, way, json);
            else if (!has_members(b->options, option))
                unknown(b, option, way);
            else if (json_is_object(json))
                read_object(b, option, way, json);
            else
                option_wrong(&b->reader, way, -1, "must be an object of options, like {\"…\": …}");
        }
        free(option);
        free(way);
        if (b->reader.no_memory) return;
    }
}

/* A nested option is asked for where its object was given. */
static int is_asked_for(const struct build *b, const struct option_value *value,
                        const json_t *object)
{
    const char *name = value->option->name, *dot = strrchr(name, '.');
    if (!dot) return 1;
    size_t n = (size_t)(dot + 1 - name);
    for (uint32_t i = 0; i < b->options->n; i++)
        if (b->options->values[i].given &&
            strncmp(b->options->values[i].option->name, name, n) == 0)
            return 1;
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(name, "."), name);
    return json_is_object(json_object_get(object, first));
}

static void finish(struct build *b, struct place place, const json_t *object)
{
    for (uint32_t i = 0; i < b->options->n && !b->reader.no_memory; i++) {
        struct option_value *value = &b->options->values[i];
        const struct weir_option *option = value->option;
        if (value->given) continue;
        if (option->fallback) {
            option_read_fallback(&b->reader, value);
        } else if ((option->flags & WEIR_OPTION_REQUIRED) && is_asked_for(b, value, object)) {
            char full[512];
            const char *dot = strrchr(option->name, '.');
            b->options->incomplete = 1;
            option_path(&b->reader, option->name, full, sizeof full);
            if (dot) full[strlen(full) - strlen(dot)] = 0;
            report_add(b->reader.report, REPORT_ERROR,
                       dot ? places_key(b->reader.job->places, full) : place,
                       dot ? full : b->reader.prefix, "%s needs the option \"%s\"%s%s", b->owner,
                       option->name, option->help ? ": " : "", option->help ? option->help : "");
        }
    }
}

struct options *options_build_at(const struct job *job, const char *path, struct place place,
                                 const char *owner, const json_t *object,
                                 const struct option_table *tables, uint32_t n_tables,
                                 struct report *report)
{
    struct build b = {
        { job, path, report, 0 }, calloc(1, sizeof *b.options), tables, n_tables, owner
    };
    if (!b.options || !collect(&b)) {
        options_free(b.options);
        return NULL;
    }
    read_object(&b, "", "", object);
    finish(&b, place, object);
    if (b.reader.no_memory) {
        options_free(b.options);
        return NULL;
    }
    return b.options;
}

struct options *options_build(const struct job *job, const struct job_instance *instance,
                              const struct option_table *tables, uint32_t n_tables,
                              struct report *report)
{
    return options_build_at(job, instance->path, instance->place, instance->plugin,
                            instance->options, tables, n_tables, report);
}

int options_mend(struct options *options)
{
    struct report ignored = { 0 };
    struct option_reader reader = { NULL, "", &ignored, 0 };
    int good = !options->incomplete;
    for (uint32_t i = 0; i < options->n && good; i++) {
        struct option_value *value = &options->values[i];
        if (!value->given || value->good) continue;
        char *path = value->path;
        value->path = NULL;
        option_value_fini(value); /* what was read before the mistake */
        value->path = path;
        if (value->option->flags & WEIR_OPTION_REQUIRED) good = 0;
        else if (value->option->fallback) option_read_fallback(&reader, value);
    }
    report_fini(&ignored);
    return good && !reader.no_memory;
}

void options_free(struct options *options)
{
    if (!options) return;
    for (uint32_t i = 0; i < options->n; i++) option_value_fini(&options->values[i]);
    free(options->values);
    free(options);
}

/* ---- reading ---- */

static int32_t give(struct weir_value *out, const struct weir_value *value)
{
    uint32_t size = out->size < sizeof *value ? out->size : (uint32_t)sizeof *value;
    uint32_t kept = out->size;
    memcpy(out, value, size);
    out->size = kept;
    return WEIR_OK;
}

int32_t options_get(const struct options *options, const char *name, struct weir_value *out)
{
    const struct option_value *value = options ? find(options, name) : NULL;
    if (!value || !value->good) return WEIR_UNSUPPORTED;
    struct weir_value result = { 0 };
    result.type = value->option->type;
    result.integer = value->integer;
    result.number = value->number;
    result.text = value->text;
    result.length = value->text ? strlen(value->text) : 0;
    result.count = value->n_items;
    return give(out, &result);
}

int32_t options_item(const struct options *options, const char *name, uint64_t index,
                     struct weir_value *out)
{
    const struct option_value *value = options ? find(options, name) : NULL;
    if (!value || !value->good || index >= value->n_items) return WEIR_UNSUPPORTED;
    const struct option_item *item = &value->items[index];
    struct weir_value result = { 0 };
    result.type = value->option->type;
    result.text = item->text;
    result.length = strlen(item->text);
    result.key = item->key;
    return give(out, &result);
}

int options_given(const struct options *options, const char *name)
{
    const struct option_value *value = options ? find(options, name) : NULL;
    return value && value->given;
}

/* ---- errors of plugins ---- */

/* "total" or "0" of an option with items. */
static const struct option_item *find_item(const struct option_value *value, const char *name)
{
    char *end;
    for (uint32_t i = 0; i < value->n_items; i++)
        if (value->items[i].key && strcmp(value->items[i].key, name) == 0) return &value->items[i];
    unsigned long index = strtoul(name, &end, 10);
    return *name >= '0' && *name <= '9' && *end == 0 && index < value->n_items
               ? &value->items[index]
               : NULL;
}

/* The value that an error's option is, or is an item of: *rest is what follows its name. */
static const struct option_value *find_prefix(const struct options *options, const char *name,
                                              const char **rest)
{
    const struct option_value *best = NULL;
    size_t length = 0;
    for (uint32_t i = 0; i < options->n; i++) {
        const char *other = options->values[i].option->name;
        size_t n = strlen(other);
        if (strncmp(name, other, n) != 0 || (name[n] && name[n] != '.') || (best && n < length))
            continue;
        best = &options->values[i];
        length = n;
    }
    if (best) *rest = name[length] ? name + length + 1 : NULL;
    return best;
}

void options_report(const struct options *options, const struct job *job,
                    const struct job_instance *instance, const struct weir_error *error,
                    struct report *report)
{
    char path[512];
    const char *rest = NULL, *name = error->option;
    int32_t offset = error->offset;
    const struct option_value *value = options ? find_prefix(options, name, &rest) : NULL;
    const struct option_item *item = value && rest ? find_item(value, rest) : NULL;
    if (item) {
        name = item->path;
        if (item->base > 0 || offset >= 0) offset = (offset > 0 ? offset : 0) + (int32_t)item->base;
    } else if (value && value->path && !rest) {
        name = value->path;
    }
    snprintf(path, sizeof path, "%s%s%s", instance->path, name[0] ? "." : "", name);
    struct place place = name[0] ? job_place(job, path, offset) : instance->place;
    report_add(report, REPORT_ERROR, place, path, "%s",
               error->text[0] ? error->text : "the plugin gave no reason");
}

/* ---- effective options ---- */

/* Puts a value where its dotted name says. Takes `value`. */
static int put(json_t *root, const char *name, json_t *value)
{
    char part[128];
    json_t *object = root;
    for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - name), name);
        json_t *inner = json_object_get(object, part);
        if (!json_is_object(inner)) {
            inner = json_object();
            if (json_object_set_new(object, part, inner) != 0) break;
        }
        object = inner;
    }
    return json_object_set_new(object, name, value);
}

char *options_json(const struct options *options)
{
    json_t *root = json_object();
    char *text, *copy = NULL;
    for (uint32_t i = 0; root && options && i < options->n; i++) {
        const struct option_value *value = &options->values[i];
        if (!value->good) continue;
        if (put(root, value->option->name, option_value_json(value)) != 0) {
            json_decref(root);
            return NULL;
        }
    }
    text = root ? json_dumps(root, JSON_SORT_KEYS) : NULL;
    if (text) copy = mem_text(text);
    free(text);
    json_decref(root);
    return copy;
}
