/*
 * set.c - "path=value" on a job: --set, and the job options of a one-liner.
 *
 * The value goes as a string into canonical, at the end of the path, and objects on the way are
 * made. The path is noted in "texts", so that the value is read by the type of its option; `from`
 * alone is brought into the form of a job file at once, for its type is known.
 */
#include "core/job/instance.h"
#include "core/job/job_private.h"
#include "core/job/scanner.h"

#include <stdlib.h>
#include <string.h>

int job_add_text(struct job *job, const char *path)
{
    json_t *texts = json_object_get(job->canonical, "texts");
    if (places_is_text(job->places, path)) return 0;
    if (!json_is_array(texts)) {
        texts = json_array();
        if (json_object_set_new(job->canonical, "texts", texts) != 0) return -1;
    }
    job->has_texts = 1;
    if (json_array_append_new(texts, json_string(path)) != 0) return -1;
    return places_mark_text(job->places, path);
}

static int wrong(struct report *report, const char *path, const char *text)
{
    report_add(report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, 0, 0 }, path, "%s", text);
    return -1;
}

static int is_section(const char *name)
{
    return strcmp(name, "sources") == 0 || strcmp(name, "operators") == 0 ||
           strcmp(name, "sinks") == 0;
}

/* The name of an instance has to be there: a slip would make a new one. */
static int check_instance(const json_t *section, const char *path, const char *name,
                          struct report *report)
{
    const char *names[256], *nearest;
    uint32_t n = 0;
    if (json_is_object(json_object_get(section, name))) return 0;
    for (void *at = json_object_iter((json_t *)(uintptr_t)section); at && n < 256;
         at = json_object_iter_next((json_t *)(uintptr_t)section, at))
        names[n++] = json_object_iter_key(at);
    nearest = nearest_name(name, names, n);
    report_add(report, REPORT_ERROR, (struct place){ SCAN_COMMAND_LINE, 0, 0 }, path,
               "the job has no such instance%s%s%s", nearest ? ": did you mean \"" : "",
               nearest ? nearest : "", nearest ? "\"?" : "");
    return -1;
}

/* Walks to the object that is to hold the value; *last is the key in it. */
static json_t *walk(struct job *job, char *path, const char *full, char **last,
                    struct report *report)
{
    json_t *object = job->canonical;
    char *part = path;
    int in_section = 0;
    for (char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1) {
        *dot = 0;
        if (!*part) {
            wrong(report, full, "the path has an empty part");
            return NULL;
        }
        if (in_section == 1 && check_instance(object, full, part, report) != 0) return NULL;
        json_t *inner = json_object_get(object, part);
        if (inner && !json_is_object(inner)) {
            wrong(report, full,
                  "a value that is no object stands on the way: set that one instead");
            return NULL;
        }
        if (!inner) {
            inner = json_object();
            if (json_object_set_new(object, part, inner) != 0) return NULL;
        }
        in_section = object == job->canonical && is_section(part) ? 1 : in_section ? 2 : 0;
        object = inner;
    }
    if (!*part || in_section == 1 || (object == job->canonical && is_section(part))) {
        wrong(report, full, "this is no option: write operators.NAME.OPTION=value or the like");
        return NULL;
    }
    *last = part;
    return object;
}

int job_assign(struct job *job, const char *assignment, struct report *report)
{
    const char *equals = strchr(assignment, '=');
    char *path = equals ? strndup(assignment, (size_t)(equals - assignment)) : NULL;
    char *parts = path ? strdup(path) : NULL, *last = NULL;
    int result = -1;
    if (!equals) return wrong(report, "", "an assignment is path=value, like trigger=1s");
    if (!parts) goto done;
    if (strcmp(path, "texts") == 0 || strncmp(path, "texts.", 6) == 0) {
        wrong(report, path, "this is no option of a job");
        goto done;
    }
    json_t *object = walk(job, parts, path, &last, report);
    if (!object) goto done;
    int from = is_section(parts) && strcmp(last, "from") == 0;
    json_t *value = job_word_value(from ? "from" : "", equals + 1);
    if (!value) {
        wrong(report, path, "the value can't be read: a list is a,b and text is UTF-8");
        goto done;
    }
    if (json_object_set_new(object, last, value) != 0 ||
        places_add(job->places, path, 0, 0, equals + 1) != 0 ||
        (!from && strcmp(last, "plugin") != 0 && job_add_text(job, path) != 0))
        goto done;
    result = 0;
done:
    free(parts);
    free(path);
    return result;
}

int job_set(struct job *job, const char *assignment, struct report *report)
{
    uint32_t before = report->errors;
    if (job_assign(job, assignment, report) != 0) {
        if (report->errors == before) wrong(report, "", "out of memory");
        return -1;
    }
    if (job_derive(job, report) != 0) return -1;
    return report->errors == before ? 0 : -1;
}
