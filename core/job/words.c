/*
 * words.c - a one-liner becomes a job.
 *
 *     job     = element { "!" element }
 *     element = [ name ":=" ] plugin { key "=" value }         each a word of the shell
 *
 * What an element is follows from the kinds that its plugin has and from where it stands:
 *
 *  1. With `from` it is an operator or a sink. Without, a plugin that is a source alone starts a
 *     chain, as does the first element and one behind a sink, where its plugin is a source among
 *     others.
 *  2. Of what is not a source, a plugin that is operator and sink is an operator where somebody
 *     reads it: the next element follows it, or a `from` names it.
 *  3. A plugin that nobody knows gets the kind of its position; the planner says that it is
 *     unknown.
 *  4. Names that were given come first, then each other element takes its plugin's name, with _2,
 *     _3 … where that is taken.
 *
 * Values stay texts (see job.c); `from` takes the form of a job file, "k.sub=v" and "k={…}" make
 * objects.
 */
#include "core/job/instance.h"
#include "core/job/job_private.h"
#include "core/job/scanner.h"

#include <stdlib.h>
#include <string.h>

#define KIND(k) (1u << (k))

struct element {
    uint32_t first, n; /* its words */
    char *name;        /* NULL until it has one */
    const char *plugin;
    const char *from; /* value of from=, NULL: none */
    uint32_t kinds;
    uint32_t kind;
    uint32_t starts; /* a chain */
};

struct line {
    struct job *job;
    struct report *report;
    const char *const *words;
    struct element *elements;
    uint32_t n;
    int usage;
};

static int misuse(struct line *line, uint32_t word, const char *text)
{
    line->usage = 1;
    report_add(line->report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, word + 1, 1 }, "",
               "%s", text);
    return 0;
}

static uint32_t code_points(const char *text, const char *end)
{
    uint32_t n = 0;
    for (; text < end; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* ---- elements ---- */

static int read_head(struct line *line, struct element *element)
{
    const char *word = line->words[element->first], *assign = strstr(word, ":=");
    element->plugin = assign ? assign + 2 : word;
    if (!*element->plugin)
        return misuse(line, element->first, "the plugin is missing behind \":=\"");
    if (strchr(element->plugin, '='))
        return misuse(line, element->first,
                      "an element begins with the name of a plugin: write plugin option=value …");
    if (!assign) return 1;
    element->name = strndup(word, (size_t)(assign - word));
    if (element->name && !job_name_ok(element->name, ""))
        return misuse(line, element->first,
                      "a name has letters, digits and _, and no digit first");
    return element->name != NULL;
}

static int read_element(struct line *line, struct element *element, job_kinds_fn kinds, void *arg)
{
    if (!read_head(line, element)) return 0;
    element->kinds = kinds ? kinds(arg, element->plugin) : 0;
    element->kinds &= KIND(JOB_SOURCE) | KIND(JOB_OPERATOR) | KIND(JOB_SINK);
    int good = 1;
    for (uint32_t i = 1; i < element->n; i++) {
        const char *word = line->words[element->first + i], *equals = strchr(word, '=');
        if (!equals || equals == word) {
            good = misuse(line, element->first + i,
                          strncmp(word, "--", 2) == 0
                              ? "options of the command go before the first element"
                              : "must be option=value: a lone \"!\" goes between elements");
            continue;
        }
        if (strncmp(word, "from=", 5) == 0) element->from = equals + 1;
        else if (strncmp(word, "from.", 5) == 0) element->from = "";
    }
    return good;
}

static int split(struct line *line, uint32_t n, job_kinds_fn kinds, void *arg)
{
    int good = 1;
    line->elements = calloc(n + 1, sizeof *line->elements);
    if (!line->elements) return 0;
    if (n == 0) return misuse(line, 0, "there is no element: write source … ! sink …");
    for (uint32_t at = 0; at <= n;) {
        struct element *element = &line->elements[line->n];
        element->first = at;
        while (at < n && strcmp(line->words[at], "!") != 0) at++;
        element->n = at - element->first;
        if (element->n == 0) {
            good = misuse(line, at < n ? at : n - 1,
                          "there is no element at this side of the \"!\"");
        } else {
            line->n++;
            good &= read_element(line, element, kinds, arg);
        }
        at++;
    }
    return good;
}

/* ---- kinds and names ---- */

/* Does the text name `name`, as "name" or "name.output", between commas? */
static int names(const char *from, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = from; (p = strstr(p, name)) != NULL; p += n) {
        int before =
            p == from || !(strchr("_.", p[-1]) || (p[-1] >= '0' && p[-1] <= '9') ||
                           (p[-1] >= 'A' && p[-1] <= 'Z') || (p[-1] >= 'a' && p[-1] <= 'z'));
        if (before && strchr(",.\"", p[n])) return 1; /* "" too */
    }
    return 0;
}

static int is_read(const struct line *line, uint32_t i)
{
    for (uint32_t e = 0; e < line->n; e++)
        for (uint32_t k = 1; k < line->elements[e].n; k++) {
            const char *word = line->words[line->elements[e].first + k];
            if (strncmp(word, "from", 4) == 0 && (word[4] == '=' || word[4] == '.') &&
                names(strchr(word, '=') + 1, line->elements[i].name))
                return 1;
        }
    if (i + 1 == line->n) return 0;
    const struct element *next = &line->elements[i + 1];
    return !next->from && next->kinds != KIND(JOB_SOURCE);
}

static void find_kinds(struct line *line)
{
    for (uint32_t i = 0; i < line->n; i++) {
        struct element *element = &line->elements[i];
        uint32_t kinds = element->kinds;
        int may_start = i == 0 || line->elements[i - 1].kind == JOB_SINK;
        if (kinds == 0)
            kinds = i == 0 ? KIND(JOB_SOURCE) : KIND(JOB_OPERATOR) | KIND(JOB_SINK);
        element->starts = !element->from && (kinds & KIND(JOB_SOURCE)) &&
                          (may_start || kinds == KIND(JOB_SOURCE));
        if (element->starts || kinds == KIND(JOB_SOURCE)) element->kind = JOB_SOURCE;
        else if (!(kinds & KIND(JOB_SINK))) element->kind = JOB_OPERATOR;
        else if (!(kinds & KIND(JOB_OPERATOR))) element->kind = JOB_SINK;
        else element->kind = is_read(line, i) ? JOB_OPERATOR : JOB_SINK;
    }
}

static int is_taken(const struct line *line, const char *name)
{
    for (uint32_t i = 0; i < line->n; i++)
        if (line->elements[i].name && strcmp(line->elements[i].name, name) == 0) return 1;
    return 0;
}

static int find_names(struct line *line)
{
    for (uint32_t i = 0; i < line->n; i++) {
        struct element *element = &line->elements[i];
        char base[100], name[120];
        if (element->name) continue;
        const char *slash = strrchr(element->plugin, '/');
        snprintf(base, sizeof base, "%s", slash ? slash + 1 : element->plugin);
        for (char *p = base; *p; p++) {
            char one[2] = { *p, 0 };
            if (!job_name_ok(one, "") && (p == base || *p < '0' || *p > '9')) *p = '_';
        }
        snprintf(name, sizeof name, "%s", base[0] ? base : "_");
        for (uint32_t k = 2; is_taken(line, name); k++)
            snprintf(name, sizeof name, "%s_%u", base, k);
        element->name = strdup(name);
        if (!element->name) return 0;
    }
    return 1;
}

/* ---- the job ---- */

static int twice(struct line *line, uint32_t word, const char *path)
{
    report_add(line->report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, word + 1, 1 }, path,
               "the option is here a second time: take one out");
    return 1;
}

/* The object in which the last part of `key` is to stand; *last is that part. NULL: a value is in
 * the way. */
static json_t *descend(json_t *object, char *key, char **last)
{
    for (char *dot; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
        *dot = 0;
        json_t *inner = json_object_get(object, key);
        if (!inner && json_object_set_new(object, key, inner = json_object()) != 0) return NULL;
        if (!json_is_object(inner)) return NULL;
        object = inner;
    }
    *last = key;
    return json_object_get(object, key) ? NULL : object;
}

/* One word option=value into the object of its instance. 0 without memory or where the form is
 * wrong. */
static int add_option(struct line *line, const char *path, json_t *object, uint32_t index)
{
    const char *word = line->words[index], *equals = strchr(word, '=');
    char *key = strndup(word, (size_t)(equals - word)), *last;
    size_t n = strlen(path) + (size_t)(equals - word) + 2;
    char *full = malloc(n);
    int good = 0;
    if (!key || !full) goto done;
    snprintf(full, n, "%s.%s", path, key);
    if (strcmp(key, "plugin") == 0) {
        good = misuse(line, index, "the plugin is the first word of its element");
        goto done;
    }
    json_t *at = descend(object, key, &last);
    if (!at) {
        good = twice(line, index, full);
        goto done;
    }
    json_t *value = job_word_value(last == key ? key : "", equals + 1);
    if (!value) {
        misuse(line, index, "the value can't be read: text is UTF-8, brackets hold JSON");
        goto done;
    }
    good = json_object_set_new(at, last, value) == 0 &&
           places_add(line->job->places, full, index + 1, 1 + code_points(word, equals + 1),
                      equals + 1) == 0;
done:
    free(key);
    free(full);
    return good;
}

static int add_element(struct line *line, uint32_t i)
{
    static const char *const sections[] = { [JOB_SOURCE] = "sources", [JOB_OPERATOR] = "operators",
                                            [JOB_SINK] = "sinks" };
    const struct element *element = &line->elements[i];
    struct places *places = line->job->places;
    const char *word = line->words[element->first];
    char path[300], below[320];
    uint32_t at = element->first + 1;
    json_t *section = json_object_get(line->job->canonical, sections[element->kind]);
    json_t *object = json_object();
    snprintf(path, sizeof path, "%s.%s", sections[element->kind], element->name);
    if (!object || json_object_get(section, element->name)) {
        json_decref(object);
        if (!object) return 0;
        report_add(line->report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, at, 1 }, path,
                   "the name is given twice: names are unique in a job, rename one");
        return 1;
    }
    snprintf(below, sizeof below, "%s.plugin", path);
    if (json_object_set_new(section, element->name, object) != 0 ||
        json_object_set_new(object, "plugin", json_string(element->plugin)) != 0 ||
        places_add(places, path, at, 1, NULL) != 0 || job_add_text(line->job, path) != 0 ||
        places_add(places, below, at, 1 + code_points(word, element->plugin), element->plugin) != 0)
        return 0;
    if (!element->from && !element->starts && i > 0) {
        snprintf(below, sizeof below, "%s.from", path);
        if (json_object_set_new(object, "from", json_string(line->elements[i - 1].name)) != 0 ||
            places_add(places, below, at, 1, NULL) != 0)
            return 0;
    }
    for (uint32_t k = 1; k < element->n; k++)
        if (!add_option(line, path, object, element->first + k)) return 0;
    return 1;
}

/* Sections in the order of a job file, those without members left out. */
static int make_canonical(struct line *line, const char *const *settings, uint32_t n_settings)
{
    json_t *canonical = line->job->canonical = json_object();
    if (json_object_set_new(canonical, "name", json_string("job")) != 0 ||
        json_object_set_new(canonical, "sources", json_object()) != 0 ||
        json_object_set_new(canonical, "operators", json_object()) != 0 ||
        json_object_set_new(canonical, "sinks", json_object()) != 0)
        return 0;
    for (uint32_t i = 0; i < line->n; i++)
        if (!add_element(line, i)) return 0;
    for (uint32_t i = 0; i < n_settings; i++) {
        uint32_t before = line->report->errors;
        if (job_assign(line->job, settings[i], line->report) != 0 && line->report->errors == before)
            return 0;
    }
    if (json_object_size(json_object_get(canonical, "operators")) == 0)
        json_object_del(canonical, "operators");
    return 1;
}

struct job *job_from_words(struct weir_sys *sys, const char *const *words, uint32_t n,
                           const char *const *settings, uint32_t n_settings, job_kinds_fn kinds,
                           void *arg, struct report *report, int *usage)
{
    struct line line = { job_create(sys, SCAN_COMMAND_LINE), report, words, NULL, 0, 0 };
    uint32_t before = report->errors;
    int made = line.job && split(&line, n, kinds, arg) && find_names(&line);
    if (made) {
        find_kinds(&line);
        made = make_canonical(&line, settings, n_settings) && job_derive(line.job, report) == 0;
    }
    if (!made && report->errors == before)
        report_add(report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, 0, 0 }, "",
                   "out of memory");
    if (usage) *usage = line.usage;
    for (uint32_t i = 0; i < line.n; i++) free(line.elements[i].name);
    free(line.elements);
    if (made && !line.usage) return line.job;
    job_free(line.job);
    return NULL;
}
