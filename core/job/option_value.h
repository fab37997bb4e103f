/*
 * option_value.h - one value of an option, read by its type. [control]
 */
#ifndef WEIR_CORE_OPTION_VALUE_H
#define WEIR_CORE_OPTION_VALUE_H

#include <weir/host.h>

#include "core/job/job.h"

struct option_item {
    char *key; /* NULL in lists */
    char *text;
    char *path; /* below the instance: "by.0", "values.total" */
    uint32_t base; /* code point of the string at `path` at which the text begins */
};

struct option_value {
    const struct weir_option *option;
    uint32_t given;
    uint32_t good;
    char *path; /* below the instance: "format.columns"; NULL: not given */
    int64_t integer;
    double number;
    char *text;
    struct option_item *items;
    uint32_t n_items, capacity;
};

/* Whose value is read, and where mistakes go. */
struct option_reader {
    const struct job *job;
    const char *prefix; /* path of the instance, "" for the job */
    struct report *report;
    uint32_t no_memory;
};

/* Reads `json` as option->type wants it; `as_text`: a string is read by the type. 1, or 0
 * (reported). */
int option_read(struct option_reader *reader, struct option_value *value, const json_t *json,
                int as_text);
/* Reads the default of the table. */
int option_read_fallback(struct option_reader *reader, struct option_value *value);
void option_value_fini(struct option_value *value);
/* The value as JSON in its own type; "***" for secrets. New reference. */
json_t *option_value_json(const struct option_value *value);
/* An error at `path` below the instance. Returns 0. */
int option_wrong(struct option_reader *reader, const char *path, int32_t offset, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
void option_path(const struct option_reader *reader, const char *path, char *out, size_t size);

#endif
