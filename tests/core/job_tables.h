/*
 * job_tables.h - option tables of made-up plugins, a system without files, and findings as text.
 */
#ifndef TESTS_JOB_TABLES_H
#define TESTS_JOB_TABLES_H

#include "core/job/options.h"

#include <weir/plugin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define O(type, flags, name, fallback, choices, help)                                              \
    WEIR_OPTION(WEIR_OPTION_##type, flags, name, fallback, choices, help)
#define REQ WEIR_OPTION_REQUIRED

static const struct weir_option socket_options[] = {
    O(TEXT, 0, "host", "127.0.0.1", NULL, "address"),
    O(INT, REQ, "port", NULL, NULL, "number of the port"),
    O(BOOL, 0, "listen", "false", NULL, "listen"),
    O(TEXT, WEIR_OPTION_SECRET, "password", NULL, NULL, "password"),
};
static const struct weir_option split_options[] = {
    O(COLUMN, 0, "column", "value", NULL, "what is split"),
    O(COLUMN, REQ, "into", NULL, NULL, "name of the new column"),
};
static const struct weir_option count_options[] = {
    O(COLUMN, REQ, "column", NULL, NULL, "what is counted"),
};
static const struct weir_option filter_options[] = {
    O(EXPR, REQ, "where", NULL, NULL, "condition"),
};
static const struct weir_option watermark_options[] = {
    O(COLUMN, REQ, "column", NULL, NULL, "event time"),
    O(DURATION, REQ, "delay", NULL, NULL, "how late"),
};
static const struct weir_option aggregate_options[] = {
    O(EXPRS, 0, "by", NULL, NULL, "keys"),
    O(EXPRS, REQ, "values", NULL, NULL, "aggregates"),
    O(EXPR, REQ, "window.on", NULL, NULL, "time"),
    O(DURATION, REQ, "window.length", NULL, NULL, "length"),
    O(DURATION, 0, "window.slide", NULL, NULL, "slide"),
    O(CHOICE, 0, "output_mode", "update", "append|update|complete", "mode"),
};
static const struct weir_option queue_options[] = {
    O(ROWS, 0, "batches", NULL, NULL, "rows"),
    O(COLUMNS, REQ, "columns", NULL, NULL, "columns"),
    O(INT, 0, "partitions", "1", NULL, "partitions"),
    O(FLOAT, 0, "fraction", "0.5", NULL, "fraction"),
};
static const struct weir_option file_options[] = {
    O(TEXT, REQ, "path", NULL, NULL, "directory"),
    O(TEXT, REQ, "format", NULL, NULL, "format"),
    O(LIST, 0, "partition_by", NULL, NULL, "columns"),
    O(SIZE, 0, "roll.size", NULL, NULL, "size"),
    O(DURATION, 0, "roll.age", NULL, NULL, "age"),
    O(BOOL, 0, "changes", "false", NULL, "changes"),
    O(MAP, 0, "client", NULL, NULL, "properties"),
    O(JSON, 0, "gap", NULL, NULL, "anything"),
};
static const struct weir_option console_options[] = {
    O(INT, 0, "rows", "20", NULL, "rows"),
};
static const struct weir_option csv_options[] = {
    O(COLUMNS, 0, "columns", NULL, NULL, "columns"),
    O(BOOL, 0, "header", "false", NULL, "header"),
    O(TEXT, 0, "delimiter", ",", NULL, "delimiter"),
};

struct known_plugin {
    const char *name;
    uint32_t kinds;
    struct option_table table;
};
#define SOURCE (1u << JOB_SOURCE)
#define OPERATOR (1u << JOB_OPERATOR)
#define SINK (1u << JOB_SINK)
#define PLUGIN(name, kinds)                                                                        \
    {                                                                                              \
#name, kinds,                                                                              \
        {                                                                                          \
            name##_options, sizeof name##_options / sizeof *name##_options, #name                  \
        }                                                                                          \
    }

static const struct known_plugin known_plugins[] = {
    PLUGIN(socket, SOURCE | SINK), PLUGIN(split, OPERATOR),      PLUGIN(filter, OPERATOR),
    PLUGIN(watermark, OPERATOR),   PLUGIN(aggregate, OPERATOR),  PLUGIN(queue, SOURCE),
    PLUGIN(file, SOURCE | SINK),   PLUGIN(console, SINK),
    { "count_by_value", OPERATOR, { count_options, 1, "count_by_value" } },
    { "union", OPERATOR, { NULL, 0, "union" } },
    { "exec", SOURCE | OPERATOR | SINK, { NULL, 0, "exec" } },
};

static const struct known_plugin *known_plugin(const char *name)
{
    for (size_t i = 0; i < sizeof known_plugins / sizeof *known_plugins; i++)
        if (strcmp(known_plugins[i].name, name) == 0) return &known_plugins[i];
    return NULL;
}

WEIR_UNUSED static uint32_t known_kinds(void *arg, const char *name)
{
    (void)arg;
    const struct known_plugin *plugin = known_plugin(name);
    return plugin ? plugin->kinds : 0;
}

/* The options of an instance as a planner would check them; NULL for an unknown plugin. */
static struct options *known_options(const struct job *job, const struct job_instance *instance,
                                     struct report *report)
{
    const struct known_plugin *plugin = known_plugin(instance->plugin);
    struct option_table tables[4];
    uint32_t n = 0;
    if (!plugin) return NULL;
    tables[n++] = plugin->table;
    if (plugin->kinds & (SOURCE | SINK)) {
        tables[n++] = (struct option_table){ csv_options, 3, "csv" };
        if (strcmp(plugin->name, "file") != 0) tables[n++] = options_of_formats;
    }
    tables[n++] = instance->kind == JOB_SOURCE     ? options_of_sources
                  : instance->kind == JOB_OPERATOR ? options_of_operators
                                                   : options_of_sinks;
    return options_build(job, instance, tables, n, report);
}

/* ---- a system whose files are "secret" and "large" ---- */

static int files_open(struct weir_sys *sys, const char *path, uint32_t flags)
{
    (void)sys;
    (void)flags;
    return strcmp(path, "secret") == 0 ? 3 : strcmp(path, "large") == 0 ? 4
           : strcmp(path, "bytes") == 0 ? 5 : strcmp(path, "job.json") == 0 ? 6 : -ENOENT;
}

static int files_close(struct weir_sys *sys, int fd)
{
    (void)sys;
    (void)fd;
    return 0;
}

static const char small_job[] = "{\"name\": \"j\", \"sources\": {\"a\": {\"plugin\": \"x\"}}, "
                                "\"sinks\": {\"b\": {\"plugin\": \"y\", \"from\": \"a\"}}}";
static const char *const file_texts[] = { "hunter2\n", "", "\xff\n", small_job };

static int files_fstat(struct weir_sys *sys, int fd, struct sys_stat *out)
{
    (void)sys;
    memset(out, 0, sizeof *out);
    out->kind = SYS_FILE;
    out->size = fd == 4 ? 1u << 30 : strlen(file_texts[fd - 3]);
    return 0;
}

static int64_t files_pread(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset)
{
    (void)sys;
    const char *text = file_texts[fd - 3];
    size_t length = strlen(text);
    if (offset >= length) return 0;
    if (n > length - offset) n = length - offset;
    memcpy(buffer, text + offset, n);
    return (int64_t)n;
}

static const struct weir_sys_ops files_ops = {
    .open = files_open, .close = files_close, .fstat = files_fstat, .pread = files_pread };
WEIR_UNUSED static struct weir_sys files_sys = { &files_ops };

/* ---- findings as one text ---- */

struct lines {
    char text[16384];
};

static void add_line(void *arg, const char *text)
{
    struct lines *lines = arg;
    size_t n = strlen(lines->text);
    snprintf(lines->text + n, sizeof lines->text - n, "%s\n", text);
}

WEIR_UNUSED static const char *findings(const struct report *report, struct lines *lines)
{
    lines->text[0] = 0;
    report_print(report, add_line, lines);
    return lines->text;
}

/* Checks the options of all instances. */
WEIR_UNUSED static void check_all(const struct job *job, struct report *report)
{
    for (uint32_t i = 0; job && i < job->n_instances; i++)
        options_free(known_options(job, &job->instances[i], report));
}

#endif
