#include "tests/sweeps/oracle.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/block.h"
#include "core/log/record.h"

#define PATH_BYTES 1024

static int complain(char why[ORACLE_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int complain(char why[ORACLE_TEXT], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, ORACLE_TEXT, format, list);
    va_end(list);
    return -1;
}

static void *need(void *memory)
{
    if (!memory) abort();
    return memory;
}

/* ---- lines of the manifest ---- */

struct line {
    uint64_t batch;
    unsigned part, of;
    int open;
    char name[PATH_BYTES]; /* below the directory */
    uint64_t bytes;
};

/* 1 if the line (without its feed) is whole. */
static int line_read(const char *text, size_t n, struct line *line)
{
    char crc[32];
    if (n < 20) return 0;
    snprintf(crc, sizeof crc, ",\"crc\":\"%08x\"}", (unsigned)crc32c(0, (const uint8_t *)text, n - 18));
    if (memcmp(text + n - 18, crc, 18) != 0) return 0;
    json_t *all = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *file = json_string_value(json_object_get(all, "file"));
    const char *open = json_string_value(json_object_get(all, "open"));
    line->batch = (uint64_t)json_integer_value(json_object_get(all, "batch"));
    line->part = (unsigned)json_integer_value(json_object_get(all, "part"));
    line->of = (unsigned)json_integer_value(json_object_get(all, "of"));
    line->bytes = (uint64_t)json_integer_value(json_object_get(all, "bytes"));
    line->open = open != NULL;
    if (file || open) snprintf(line->name, sizeof line->name, "%s", file ? file : open);
    json_decref(all);
    return (file != NULL) != (open != NULL);
}

/* ---- reading an output directory ---- */

struct scan {
    const struct sim_disk *disk;
    const char *directory;
    struct output *out;
    char *why;
    struct line *lines;
    uint32_t n;
    int bad;
};

static void text_add(char **text, size_t *length, const uint8_t *bytes, size_t n)
{
    *text = need(realloc(*text, *length + n + 1));
    if (n) memcpy(*text + *length, bytes, n);
    *length += n;
    (*text)[*length] = 0;
}

static const uint8_t *file_of(const struct scan *scan, const char *name, size_t *size)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", scan->directory, name);
    return sim_disk_file(scan->disk, path, size);
}

static struct output_batch *batch_add(struct output *out, uint64_t number)
{
    out->batches = need(realloc(out->batches, (out->n + 1) * sizeof *out->batches));
    struct output_batch *batch = &out->batches[out->n++];
    *batch = (struct output_batch){ .batch = number, .text = need(calloc(1, 1)) };
    return batch;
}

static int take_line(struct scan *scan, const struct line *line)
{
    struct output *out = scan->out;
    size_t size = 0;
    const uint8_t *bytes;
    uint64_t last = out->n ? out->batches[out->n - 1].batch : 0;
    if (out->n && line->batch < last)
        return complain(scan->why, "%s: batch %llu comes after %llu", scan->directory,
                        (unsigned long long)line->batch, (unsigned long long)last);
    if (out->n && line->batch == last && line->part == 1)
        return complain(scan->why, "%s: batch %llu is there twice", scan->directory,
                        (unsigned long long)last);
    if (!out->n || line->batch != last) {
        struct output_batch *batch = batch_add(out, line->batch);
        snprintf(batch->name, sizeof batch->name, "%.127s", line->name);
    }
    for (uint32_t i = 0; i < scan->n; i++) {
        if (strcmp(scan->lines[i].name, line->name) != 0) continue;
        if (!line->open)
            return complain(scan->why, "%s: %s is named twice", scan->directory, line->name);
        scan->lines[i] = *line; /* it has grown */
        return 0;
    }
    scan->lines = need(realloc(scan->lines, (scan->n + 1) * sizeof *scan->lines));
    scan->lines[scan->n++] = *line;
    if (line->open) return 0;
    bytes = file_of(scan, line->name, &size);
    if (!bytes) return complain(scan->why, "%s: %s is gone", scan->directory, line->name);
    if (size != line->bytes)
        return complain(scan->why, "%s: %s has %zu bytes, the manifest says %llu", scan->directory,
                        line->name, size, (unsigned long long)line->bytes);
    struct output_batch *batch = &out->batches[out->n - 1];
    text_add(&batch->text, &batch->length, bytes, size);
    return 0;
}

/* Whole batches; a torn tail is nobody's. */
static int take_manifest(struct scan *scan)
{
    size_t size = 0, at = 0, whole = 0;
    struct line *lines = NULL;
    uint32_t n = 0, kept = 0;
    const uint8_t *text = file_of(scan, "_weir/manifest", &size);
    while (text && at < size) {
        const uint8_t *feed = memchr(text + at, '\n', size - at);
        struct line line;
        if (!feed || !line_read((const char *)text + at, (size_t)(feed - text) - at, &line)) break;
        lines = need(realloc(lines, (n + 1) * sizeof *lines));
        lines[n++] = line;
        at = (size_t)(feed - text) + 1;
        if (line.part == line.of) kept = n, whole = at;
    }
    int result = 0;
    for (uint32_t i = 0; i < kept && result == 0; i++) result = take_line(scan, &lines[i]);
    free(lines);
    if (result == 0 && scan->out->settled && whole != size)
        result = complain(scan->why, "%s: the manifest has a tail that is not whole", scan->directory);
    return result;
}

/* The committed part of a file that still grows, unless it has got its name. */
static int take_open(struct scan *scan)
{
    for (uint32_t i = 0; i < scan->n; i++) {
        const struct line *line = &scan->lines[i];
        size_t size = 0;
        const uint8_t *bytes = line->open ? file_of(scan, line->name, &size) : NULL;
        if (!bytes) continue;
        if (size < line->bytes)
            return complain(scan->why, "%s: %s has %zu bytes, %llu are committed", scan->directory,
                            line->name, size, (unsigned long long)line->bytes);
        text_add(&scan->out->open, &scan->out->open_length, bytes, (size_t)line->bytes);
    }
    return 0;
}

static void check_stray(void *arg, const char *path)
{
    struct scan *scan = arg;
    size_t n = strlen(scan->directory);
    const char *name = path[0] == '/' && scan->directory[0] != '/' ? path + 1 : path;
    if (strncmp(name, scan->directory, n) != 0 || name[n] != '/') return;
    name += n + 1;
    if (scan->bad || strncmp(name, "_weir/", 6) == 0) return;
    for (uint32_t i = 0; i < scan->n; i++)
        if (strcmp(scan->lines[i].name, name) == 0) return;
    scan->bad = complain(scan->why, "%s: %s was left behind, no line of the manifest names it",
                         scan->directory, name);
}

int output_read(const struct sim_disk *disk, const char *directory, int settled,
                struct output *out, char why[ORACLE_TEXT])
{
    struct scan scan = { .disk = disk, .directory = directory, .out = out, .why = why };
    memset(out, 0, sizeof *out);
    out->settled = settled;
    int result = take_manifest(&scan);
    if (result == 0) result = take_open(&scan);
    if (result == 0 && settled) {
        sim_disk_each(disk, directory, check_stray, &scan);
        result = scan.bad;
    }
    free(scan.lines);
    return result;
}

static void take_seen(void *arg, const char *path)
{
    struct scan *scan = arg;
    const char *name = strrchr(path, '/') + 1;
    size_t size = 0;
    const uint8_t *bytes = sim_disk_file(scan->disk, path, &size);
    if (scan->bad || name[0] == '.') return;
    if (strchr(name, '!')) {
        scan->bad = complain(scan->why, "%s: batch %lu came again with other rows", scan->directory,
                             strtoul(name, NULL, 10));
        return;
    }
    struct output_batch *batch = batch_add(scan->out, strtoull(name, NULL, 10));
    text_add(&batch->text, &batch->length, bytes, size);
}

int seen_read(const struct sim_disk *disk, const char *directory, struct output *out,
              char why[ORACLE_TEXT])
{
    struct scan scan = { .disk = disk, .directory = directory, .out = out, .why = why };
    memset(out, 0, sizeof *out);
    sim_disk_each(disk, directory, take_seen, &scan);
    return scan.bad;
}

void output_cut(struct output *out, uint64_t until)
{
    while (out->n && out->batches[out->n - 1].batch >= until) free(out->batches[--out->n].text);
}

void output_free(struct output *out)
{
    for (uint32_t i = 0; i < out->n; i++) free(out->batches[i].text);
    free(out->batches);
    free(out->open);
    memset(out, 0, sizeof *out);
}

char *output_text(const struct output *out, size_t *length)
{
    char *text = NULL;
    *length = 0;
    for (uint32_t i = 0; i < out->n; i++)
        text_add(&text, length, (const uint8_t *)out->batches[i].text, out->batches[i].length);
    text_add(&text, length, (const uint8_t *)out->open, out->open_length);
    return text;
}

/* ---- comparing ---- */

/* The line of a text in which byte `at` stands. */
static const char *line_around(const struct output_batch *batch, size_t at, int *n)
{
    const char *from = batch->text + at, *end = batch->text + batch->length;
    const char *until = from;
    while (from > batch->text && from[-1] != '\n') from--;
    while (until < end && *until != '\n') until++;
    *n = until - from < 60 ? (int)(until - from) : 60;
    return from;
}

static int differ(const struct output_batch *want, const struct output_batch *got,
                  char why[ORACLE_TEXT])
{
    size_t at = 0;
    int n, m;
    while (at < want->length && at < got->length && want->text[at] == got->text[at]) at++;
    const char *a = line_around(want, at, &n), *b = line_around(got, at, &m);
    return complain(why, "batch %llu has other rows: \"%.*s\" at byte %zu should be \"%.*s\"",
                    (unsigned long long)want->batch, m, b, at, n, a);
}

int output_begins(const struct output *want, const struct output *got, char why[ORACLE_TEXT])
{
    if (got->n > want->n)
        return complain(why, "%u batches are visible, there should be %u", got->n, want->n);
    for (uint32_t i = 0; i < got->n; i++) {
        const struct output_batch *a = &want->batches[i], *b = &got->batches[i];
        if (a->batch != b->batch)
            return complain(why, "batch %llu is there in the place of %llu",
                            (unsigned long long)b->batch, (unsigned long long)a->batch);
        if (a->length != b->length || memcmp(a->text, b->text, a->length) != 0)
            return differ(a, b, why);
    }
    return 0;
}

int output_same(const struct output *want, const struct output *got, char why[ORACLE_TEXT])
{
    if (output_begins(want, got, why) != 0) return -1;
    if (got->n < want->n)
        return complain(why, "%u of %u batches are there", got->n, want->n);
    if (want->open_length != got->open_length ||
        (want->open_length && memcmp(want->open, got->open, want->open_length) != 0))
        return complain(why, "the file that grows has other rows");
    return 0;
}

/* ---- what PLANs name ---- */

struct named {
    const char *source;
    uint64_t bytes;
};

/* Positions of the streams (plugins/source_stdin/intake.c) count their bytes over all lives. */
static void note_move(struct named *named, const struct record_move *move)
{
    uint64_t at = 0;
    if (strcmp(move->source, named->source) != 0 || move->until.length != 8) return;
    for (int i = 0; i < 8; i++) at |= (uint64_t)move->until.data[i] << (8 * i);
    if (at > named->bytes) named->bytes = at;
}

static int32_t note_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct record_arena *arena = NULL;
    int32_t result = WEIR_OK;
    if (record->type == LOG_PLAN) {
        struct record_plan plan;
        result = record_plan_decode(record->payload, &plan, &arena, error);
        for (uint32_t i = 0; result == WEIR_OK && i < plan.n_moves; i++) note_move(arg, &plan.moves[i]);
    } else if (record->type == LOG_STATE) {
        struct record_state state;
        result = record_state_decode(record->payload, &state, &arena, error);
        for (uint32_t i = 0; result == WEIR_OK && state.has_map && i < state.n_map; i++)
            note_move(arg, &state.map[i]);
    }
    record_free(arena);
    return result;
}

uint64_t named_bytes(const struct sim_disk *disk, const char *directory, const char *source)
{
    struct named named = { source, 0 };
    struct sim_disk *copy = sim_disk_clone(disk);
    struct weir_sys *sys = sim_create(copy, 1, 1);
    struct log_options options = { .directory = directory, .read_only = 1 };
    struct log_report report;
    struct weir_error error = WEIR_ERROR_INIT;
    struct log *log = NULL;
    /* what can't be opened names nothing; the engine will say so */
    if (log_open(sys, &options, note_record, &named, &log, &report, &error) == WEIR_OK)
        log_close(log);
    sys_destroy(sys);
    sim_disk_destroy(copy);
    return named.bytes;
}
