/*
 * dlq.c - `weir dlq list|show DIR`: the rows that a job could not use. Nothing is locked or
 * written; the job may be running.
 *
 *   list --json   {"batches": [{"batch", "rows", "bytes",
 *                               "reasons": [{"instance", "code", "reason", "rows"}]}], "rows"}
 *   show          a JSON line per dead letter: {"batch", "instance", "code", "reason", "partition",
 *                 "position", "row"}; of a record that never became a row, instead of "row" its
 *                 beginning: "bytes", or "base64" where it is no UTF-8
 *
 * Members are only ever added.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/control/dead.h"
#include "tools/weir/commands.h"
#include "tools/weir/look.h"
#include "tools/weir/position.h"
#include "tools/weir/text.h"

#define REASONS_MAX 10000u /* told apart in a batch; the rest is counted together */

static const char usage[] =
    "usage: weir dlq list DIR [--json]\n"
    "       weir dlq show DIR [--batch N] [--instance NAME] [--limit N] [--plugin-path DIR]…\n\n"
    "  list   batches with dead letters, by instance and reason\n"
    "  show   each dead letter as a JSON line\n";

struct command {
    const char *verb, *directory, *instance;
    int json, help, has_batch;
    uint64_t batch, limit;
    const char **paths;
    uint32_t n_paths;
    struct weir_sys *sys;
    struct dead *dead;
};

/* ---- arguments ---- */

static int misused(const char *word, const char *what)
{
    fprintf(stderr, "weir dlq: %s: %s\n%s", word, what, usage);
    return EXIT_USAGE;
}

static int take_number(const char *word, const char *value, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(value, &end, 10);
    if (errno || *end || value[0] < '0' || value[0] > '9') return misused(word, "wants a number");
    return 0;
}

static int parse_word(struct command *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    if (strcmp(word, "--help") == 0) return c->help = 1, 0;
    if (strcmp(word, "--json") == 0) return c->json = 1, 0;
    if (strncmp(word, "--", 2) == 0) {
        if (*i + 1 == argc) return misused(word, "is unknown, or wants a value");
        const char *value = argv[++*i];
        if (strcmp(word, "--instance") == 0) return c->instance = value, 0;
        if (strcmp(word, "--plugin-path") == 0) return c->paths[c->n_paths++] = value, 0;
        if (strcmp(word, "--limit") == 0) return take_number(word, value, &c->limit);
        if (strcmp(word, "--batch") != 0) return misused(word, "there is no such option");
        c->has_batch = 1;
        return take_number(word, value, &c->batch);
    }
    if (!c->verb) return c->verb = word, 0;
    if (c->directory) return misused(word, "is one word too many");
    return c->directory = word, 0;
}

static int parse(struct command *c, int argc, char **argv)
{
    memset(c, 0, sizeof *c);
    c->limit = UINT64_MAX;
    c->paths = calloc((size_t)argc + 1, sizeof *c->paths);
    if (!c->paths) return EX_OSERR;
    for (int i = 1; i < argc && !c->help; i++) {
        int status = parse_word(c, argc, argv, &i);
        if (status != 0) return status;
    }
    if (c->help) return 0;
    if (!c->verb) return misused("dlq", "list or show is missing");
    if (strcmp(c->verb, "list") != 0 && strcmp(c->verb, "show") != 0)
        return misused(c->verb, "is neither list nor show");
    return c->directory ? 0 : misused(c->verb, "the directory is missing");
}

static int fail(const struct command *c, int32_t class, const struct weir_error *error)
{
    fputs("weir dlq: ", stderr);
    text_puts(stderr, error->text);
    putc('\n', stderr);
    return look_status(c->sys, c->directory, class);
}

/* ---- list ---- */

/* Reasons by instance, code and text, in the order of their first row. */
struct tally {
    json_t *by_key;
    json_t *reasons;
};

static int32_t count(void *arg, const struct dead_letter *letter, struct weir_error *error)
{
    struct tally *tally = arg;
    const int full = json_object_size(tally->by_key) >= REASONS_MAX;
    json_t *instance = text_json(letter->instance), *reason = text_json(letter->reason);
    json_t *key = json_sprintf("%d %s %s", (int)letter->code,
                               instance ? json_string_value(instance) : "",
                               reason ? json_string_value(reason) : "");
    json_t *entry = json_object_get(tally->by_key, json_string_value(key));
    if (!entry && full) entry = json_object_get(tally->by_key, "");
    if (!entry) {
        entry = full ? json_pack("{so so so sI}", "instance", json_null(), "code", json_null(),
                                 "reason", json_null(), "rows", (json_int_t)0)
                     : json_pack("{sO si sO sI}", "instance", instance, "code", (int)letter->code,
                                 "reason", reason, "rows", (json_int_t)0);
        json_object_set(tally->by_key, full ? "" : json_string_value(key), entry);
        json_array_append_new(tally->reasons, entry);
    }
    json_t *rows = json_object_get(entry, "rows");
    json_integer_set(rows, json_integer_value(rows) + 1);
    json_decref(instance);
    json_decref(reason);
    json_decref(key);
    return rows ? WEIR_OK : weir_fail(error, WEIR_FATAL, "out of memory");
}

static int32_t list_batches(const struct command *c, json_t *batches, json_int_t *rows,
                            struct weir_error *error)
{
    const uint32_t n = dead_parts(c->dead);
    int32_t class = WEIR_OK;
    for (uint32_t i = 0; class == WEIR_OK && i < n;) {
        const uint64_t batch = dead_part(c->dead, i)->batch;
        struct tally tally = { json_object(), json_array() };
        json_int_t letters = 0, bytes = 0;
        for (; class == WEIR_OK && i < n && dead_part(c->dead, i)->batch == batch; i++) {
            letters += (json_int_t)dead_part(c->dead, i)->letters;
            bytes += (json_int_t)dead_part(c->dead, i)->bytes;
            class = dead_read(c->dead, i, count, &tally, error);
        }
        json_decref(tally.by_key);
        json_array_append_new(batches, json_pack("{sI sI sI so}", "batch", (json_int_t)batch,
                                                 "rows", letters, "bytes", bytes, "reasons",
                                                 tally.reasons));
        *rows += letters;
    }
    return class;
}

static void print_reason(const json_t *reason)
{
    const json_t *instance = json_object_get(reason, "instance");
    long long rows = (long long)json_integer_value(json_object_get(reason, "rows"));
    printf("  %8lld  ", rows);
    if (!json_is_string(instance)) {
        puts("for other reasons");
        return;
    }
    text_puts(stdout, json_string_value(instance));
    printf(": code %d: ", (int)json_integer_value(json_object_get(reason, "code")));
    text_puts(stdout, json_string_value(json_object_get(reason, "reason")));
    putchar('\n');
}

static int list(const struct command *c)
{
    struct weir_error error = WEIR_ERROR_INIT;
    json_t *batches = json_array();
    const json_t *batch, *reason;
    json_int_t rows = 0;
    size_t i, k;
    int status;
    int32_t class = list_batches(c, batches, &rows, &error);
    if (c->json) {
        status = text_document(json_pack("{so sI}", "batches", batches, "rows", rows));
    } else {
        json_array_foreach(batches, i, batch) {
            printf("batch %lld: %lld rows\n",
                   (long long)json_integer_value(json_object_get(batch, "batch")),
                   (long long)json_integer_value(json_object_get(batch, "rows")));
            json_array_foreach(json_object_get(batch, "reasons"), k, reason) print_reason(reason);
        }
        printf("%lld dead letters in %zu batches\n", (long long)rows, json_array_size(batches));
        json_decref(batches);
        status = fflush(stdout) == 0 ? 0 : EX_IOERR;
    }
    return class == WEIR_OK ? status : fail(c, class, &error);
}

/* ---- show ---- */

struct printer {
    const struct command *command;
    struct positions *positions;
    uint64_t left;
    int status;
};

/* Is it JSON of one row, [[…]], on one line? */
static int is_row(struct weir_bytes row)
{
    if (row.length < 4 || !text_printable(row) || memcmp(row.data, "[[", 2) != 0) return 0;
    json_t *rows = json_loadb((const char *)row.data, row.length, 0, NULL);
    const int one = json_array_size(rows) == 1 && json_is_array(json_array_get(rows, 0)) &&
                    row.data[row.length - 2] == ']';
    json_decref(rows);
    return one;
}

/* Adds the record as a member, as it was written: numbers keep their digits. */
static int add_record(struct weir_buffer *line, const struct dead_letter *letter)
{
    const char *name = letter->row.data ? "row" : "bytes";
    json_t *json = NULL;
    char *text = NULL;
    if (letter->row.data && is_row(letter->row)) {
        return buffer_add(line, ",\"row\":", 7) == WEIR_OK &&
               buffer_add(line, letter->row.data + 1, letter->row.length - 2) == WEIR_OK;
    } else if (letter->row.data) {
        json = text_json(letter->row);
    } else if (!letter->bytes.data) {
        return 1;
    } else if (utf8_valid(letter->bytes.data, letter->bytes.length)) {
        json = text_json(letter->bytes);
    } else {
        name = "base64";
        text = text_base64(letter->bytes);
        json = text ? json_string(text) : NULL;
        free(text);
    }
    json = json_pack("{so}", name, json);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    const int added = text && buffer_add(line, ",", 1) == WEIR_OK &&
                      buffer_add(line, text + 1, strlen(text) - 2) == WEIR_OK;
    free(text);
    return added;
}

/* {…} of `json` and the record, on a line. */
static int print_line(json_t *json, const struct dead_letter *letter)
{
    struct weir_buffer line = { 0 };
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int status = EX_OSERR;
    json_decref(json);
    if (text && buffer_add(&line, text, strlen(text) - 1) == WEIR_OK &&
        add_record(&line, letter) && buffer_add(&line, "}\n", 2) == WEIR_OK)
        status = fwrite(line.data, 1, line.length, stdout) == line.length ? 0 : EX_IOERR;
    if (status == EX_OSERR) fputs("weir dlq: out of memory\n", stderr);
    if (status == EX_IOERR) fputs("weir dlq: standard output failed\n", stderr);
    mem_free(line.data);
    free(text);
    return status;
}

static int32_t print(void *arg, const struct dead_letter *letter, struct weir_error *error)
{
    struct printer *printer = arg;
    const char *wanted = printer->command->instance;
    if (wanted && (letter->instance.length != strlen(wanted) ||
                   memcmp(letter->instance.data, wanted, letter->instance.length) != 0))
        return WEIR_OK;
    if (printer->left == 0) return WEIR_CANCELLED;
    printer->left--;
    json_t *instance = text_json(letter->instance);
    const char *source =
        instance ? positions_source(printer->positions, json_string_value(instance)) : NULL;
    char *position = positions_text(printer->positions, source, letter->position);
    json_t *json = json_pack("{sI so si so so so}", "batch", (json_int_t)letter->batch, "instance",
                             instance, "code", (int)letter->code, "reason",
                             text_json(letter->reason), "partition", text_json(letter->partition),
                             "position", position ? text_json_of(position) : NULL);
    free(position);
    printer->status = print_line(json, letter);
    return printer->status == 0 ? WEIR_OK : weir_fail(error, WEIR_CANCELLED, "the output failed");
}

static int show(const struct command *c)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct positions_options options = { .paths = c->paths, .n_paths = c->n_paths };
    struct printer printer = { .command = c, .left = c->limit };
    int32_t class = WEIR_OK;
    printer.positions = positions_create(c->sys, &options, dead_job(c->dead));
    if (!printer.positions) return EX_OSERR;
    for (uint32_t i = 0; class == WEIR_OK && i < dead_parts(c->dead); i++)
        if (!c->has_batch || dead_part(c->dead, i)->batch == c->batch)
            class = dead_read(c->dead, i, print, &printer, &error);
    positions_destroy(printer.positions);
    if (printer.status == 0 && fflush(stdout) != 0) printer.status = EX_IOERR;
    return class == WEIR_OK || class == WEIR_CANCELLED ? printer.status : fail(c, class, &error);
}

/* What the files did not tell is said on stderr. */
static void note_doubts(const struct command *c)
{
    if (*dead_doubt(c->dead)) {
        fputs("weir dlq: the log can't be asked which batches are finished: ", stderr);
        text_puts(stderr, dead_doubt(c->dead));
        putc('\n', stderr);
    }
    if (dead_skipped(c->dead))
        fprintf(stderr, "weir dlq: %llu bytes of the files are not whole and were skipped\n",
                (unsigned long long)dead_skipped(c->dead));
}

int command_dlq(int argc, char **argv)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct command c;
    int status = parse(&c, argc, argv);
    if (status == 0 && c.help) {
        fputs(usage, stdout);
    } else if (status == 0 && !(c.sys = sys_real_create())) {
        status = EX_OSERR;
    } else if (status == 0) {
        int32_t class = dead_open(c.sys, c.directory, &c.dead, &error);
        if (class != WEIR_OK) {
            status = fail(&c, class, &error);
        } else {
            note_doubts(&c);
            status = strcmp(c.verb, "list") == 0 ? list(&c) : show(&c);
        }
        dead_close(c.dead);
    }
    if (c.sys) sys_destroy(c.sys);
    free(c.paths);
    return status;
}
