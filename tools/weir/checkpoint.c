/*
 * checkpoint.c - `weir checkpoint show|verify|repair DIR`: what a checkpoint holds, whether it is
 * whole, and what can be mended by cutting.
 *
 * show and verify lock nothing and write nothing; the job may be running. With --json:
 *
 *   show    {"directory", "job", "id", "weir", "modules": [{"name", "hash"}],
 *            "batches": {"first", "last", "next", "pending": null | {"batch", "time"}},
 *            "time", "watermark",
 *            "positions": [{"source", "partition", "position", "hex", "ended"}],
 *            "tables": [{"table", "operator", "signature", "groups", "keys", "rows", "memory",
 *                        "logged", "next_timer", "next_event_timer", "error"}],
 *            "sinks": [{"name", "outcome", "batch", "rows"}],
 *            "uncommitted": [{"sink", "batch", "bytes"}],
 *            "dead_letters": {"logged", "bytes"},
 *            "files": [{"name", "bytes"}], "bytes", "torn", "damage"}
 *   verify, repair   {"sound", "lines": [...], "damage"}
 *
 * What is unknown is null. "operator" is the plugin; "logged" of a table are the bytes of its pieces in the log, "memory"
 * those of the table made from them; "next_timer" is when the first of its timers runs out by the clock, "next_event_timer"
 * by the watermark. Members are only ever added.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/data/array.h"
#include "tools/weir/commands.h"
#include "tools/weir/look.h"
#include "tools/weir/position.h"
#include "tools/weir/text.h"

static const char usage[] =
    "usage: weir checkpoint show DIR [--json] [--plugin-path DIR]…\n"
    "       weir checkpoint show DIR --state NAME [--group N]\n"
    "       weir checkpoint verify DIR [--json]\n"
    "       weir checkpoint repair DIR [--json]\n\n"
    "  show     job, batches, positions, tables, sinks and files; --state prints the keys of a\n"
    "           table (INSTANCE/TABLE) or of all tables of an instance, one JSON line each\n"
    "  verify   reads everything; exit 74 where something is damaged\n"
    "  repair   cuts the log at the first damage; what is cut is kept in log-….cut\n";

struct command {
    const char *verb, *directory, *state;
    int json, help;
    int64_t group; /* -1: all */
    const char **paths;
    uint32_t n_paths;
    struct weir_sys *sys;
};

static const char *const outcomes[] = { "unknown", "finished", "committable", "spooled",
                                        "detached" };

/* ---- arguments ---- */

static int misused(const char *word, const char *what)
{
    fprintf(stderr, "weir checkpoint: %s: %s\n%s", word, what, usage);
    return EXIT_USAGE;
}

static int take_group(struct command *c, const char *word)
{
    char *end;
    long n = strtol(word, &end, 10);
    if (*end || end == word || n < 0 || n >= (long)STORE_GROUPS)
        return misused("--group", "wants a number from 0 to 255");
    c->group = n;
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
        if (strcmp(word, "--state") == 0) return c->state = value, 0;
        if (strcmp(word, "--group") == 0) return take_group(c, value);
        if (strcmp(word, "--plugin-path") == 0) return c->paths[c->n_paths++] = value, 0;
        return misused(word, "there is no such option");
    }
    if (!c->verb) return c->verb = word, 0;
    if (c->directory) return misused(word, "is one word too many");
    return c->directory = word, 0;
}

static int parse(struct command *c, int argc, char **argv)
{
    memset(c, 0, sizeof *c);
    c->group = -1;
    c->paths = calloc((size_t)argc + 1, sizeof *c->paths);
    if (!c->paths) return EX_OSERR;
    for (int i = 1; i < argc && !c->help; i++) {
        int status = parse_word(c, argc, argv, &i);
        if (status != 0) return status;
    }
    if (c->help) return 0;
    if (!c->verb) return misused("checkpoint", "show, verify or repair is missing");
    if (!c->directory) return misused(c->verb, "the directory is missing");
    if (strcmp(c->verb, "show") != 0 && (c->state || c->group >= 0))
        return misused(c->verb, "--state and --group go with show");
    if (c->group >= 0 && !c->state) return misused("--group", "goes with --state");
    return 0;
}

static int fail(const struct command *c, int32_t class, const struct weir_error *error)
{
    fputs("weir checkpoint: ", stderr);
    text_puts(stderr, error->text);
    putc('\n', stderr);
    return look_status(c->sys, c->directory, class);
}

/* ---- what show gathers ---- */

static json_t *time_json(int64_t us)
{
    char text[40];
    if (us == INT64_MIN) return json_null();
    text_of_timestamp(us, text);
    return json_string(text);
}

/* The name of the job: weir.json has it even before the first JOB. */
static json_t *job_json(const struct command *c)
{
    char path[4096], *text;
    size_t length;
    snprintf(path, sizeof path, "%s/weir.json", c->directory);
    if (sys_read_file(c->sys, path, 65536, &text, &length) < 0) return json_null();
    json_t *root = json_loadb(text, length, 0, NULL);
    json_t *name = json_incref(json_object_get(root, "job"));
    json_decref(root);
    free(text);
    return name ? name : json_null();
}

static json_t *modules_json(const struct look *look)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < look->n_modules; i++)
        json_array_append_new(list, json_pack("{so so}", "name",
                                              text_json_of(look->modules[i].name), "hash",
                                              text_json_of(look->modules[i].hash)));
    return list;
}

static json_t *batches_json(const struct look *look)
{
    json_t *pending = json_null(), *first = json_null(), *last = json_null();
    if (look->has_pending)
        pending = json_pack("{sI so}", "batch", (json_int_t)look->pending_batch, "time",
                            time_json(look->pending_time_us));
    if (look->next_batch) {
        first = json_integer((json_int_t)look->first_batch);
        last = json_integer((json_int_t)look->next_batch - 1);
    }
    return json_pack("{so so sI so}", "first", first, "last", last, "next",
                     (json_int_t)look->next_batch, "pending", pending);
}

static json_t *positions_json(const struct command *c, const struct look *look)
{
    struct positions_options options = { .paths = c->paths, .n_paths = c->n_paths };
    struct positions *positions = positions_create(c->sys, &options, look->job_text);
    json_t *list = json_array();
    for (uint32_t i = 0; positions && i < look->n_positions; i++) {
        const struct look_position *p = &look->positions[i];
        char *text = positions_text(positions, p->source, p->bytes), *hex = text_hex(p->bytes);
        json_array_append_new(list, json_pack("{so so so ss sb}", "source",
                                              text_json_of(p->source), "partition",
                                              text_json_of(p->partition), "position",
                                              text_json_of(text ? text : ""), "hex",
                                              hex ? hex : "", "ended", (int)p->ended));
        free(text);
        free(hex);
    }
    positions_destroy(positions);
    return list;
}

/* The plugin of the instance that a table belongs to. */
static json_t *operator_of(const json_t *job, const char *table)
{
    const size_t n = strcspn(table, "/");
    const json_t *instances = json_object_get(job, "operators");
    char name[256];
    if (n >= sizeof name) return json_null();
    memcpy(name, table, n);
    name[n] = 0;
    const json_t *plugin = json_object_get(json_object_get(instances, name), "plugin");
    return json_is_string(plugin) ? json_string(json_string_value(plugin)) : json_null();
}

/* When the first timer of a restored table runs out. */
static json_t *next_timer(const struct look_table *table, int event_time)
{
    int64_t least = INT64_MAX;
    for (uint32_t g = 0; g < STORE_GROUPS; g++) {
        const int64_t due = store_group_due(table->op, g, event_time);
        if (due < least) least = due;
    }
    return time_json(least == INT64_MAX ? INT64_MIN : least);
}

static json_t *table_json(struct look *look, const json_t *job, struct look_table *table)
{
    uint32_t first, groups = 0, n = look_pieces(look, table->name, &first);
    uint64_t logged = 0;
    struct store_figures figures = { 0 };
    int32_t class = look_restore(look, table);
    for (uint32_t i = first; i < first + n; i++) {
        const struct look_piece *piece = &look->pieces[i];
        logged += piece->bytes.data ? piece->bytes.length : piece->extent.length;
        groups += i == first || look->pieces[i - 1].group != piece->group;
    }
    if (class == WEIR_OK) store_figures(table->op, 0, &figures);
    json_t *json = json_pack("{so so so sI sI so}", "table", text_json_of(table->name), "operator",
                             operator_of(job, table->name), "signature",
                             table->signature ? text_json_of(table->signature) : json_null(),
                             "groups", (json_int_t)groups, "logged", (json_int_t)logged, "error",
                             class == WEIR_OK ? json_null() : text_json_of(table->error.text));
    const struct { const char *name; uint64_t n; } counts[] = {
        { "keys", figures.keys }, { "rows", figures.rows }, { "memory", figures.bytes },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        json_object_set_new(json, counts[i].name,
                            class == WEIR_OK ? json_integer((json_int_t)counts[i].n) : json_null());
    json_object_set_new(json, "next_timer", class == WEIR_OK ? next_timer(table, 0) : json_null());
    json_object_set_new(json, "next_event_timer",
                        class == WEIR_OK ? next_timer(table, 1) : json_null());
    store_destroy(table->store); /* one table at a time is in memory */
    table->store = NULL;
    table->op = NULL;
    return json;
}

static json_t *tables_json(struct look *look)
{
    json_t *list = json_array();
    json_t *job = look->job_text ? json_loads(look->job_text, 0, NULL) : NULL;
    for (uint32_t i = 0; i < look->n_tables; i++)
        json_array_append_new(list, table_json(look, job, &look->tables[i]));
    json_decref(job);
    return list;
}

static json_t *sinks_json(const struct look *look)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < look->n_sinks; i++) {
        const struct look_sink *sink = &look->sinks[i];
        json_array_append_new(
            list, json_pack("{so ss sI sI}", "name", text_json_of(sink->name), "outcome",
                            outcomes[sink->outcome <= SINK_DETACHED ? sink->outcome : 0], "batch",
                            (json_int_t)sink->batch, "rows", (json_int_t)sink->rows));
    }
    return list;
}

static json_t *uncommitted_json(const struct look *look)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < look->n_committables; i++) {
        const struct look_committable *c = &look->committables[i];
        json_array_append_new(list, json_pack("{so sI sI}", "sink", text_json_of(c->sink), "batch",
                                              (json_int_t)c->batch, "bytes",
                                              (json_int_t)c->length));
    }
    return list;
}

struct files {
    const struct command *command;
    json_t *list;
    uint64_t bytes, dead;
};

static int add_file(void *arg, const char *name)
{
    struct files *files = arg;
    struct sys_stat st;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", files->command->directory, name);
    if (sys_stat_path(files->command->sys, path, &st) < 0 || st.kind != SYS_FILE) return 0;
    files->bytes += st.size;
    if (strncmp(name, "dead-", 5) == 0) files->dead += st.size;
    json_array_append_new(files->list, json_pack("{so sI}", "name", text_json_of(name), "bytes",
                                                 (json_int_t)st.size));
    return 0;
}

static json_t *show_json(const struct command *c, struct look *look)
{
    struct files files = { c, json_array(), 0, 0 };
    const int whole = look->log != NULL;
    sys_list(c->sys, c->directory, add_file, &files);
    json_t *json = json_pack(
        "{so so so so so so so so so so so so}", "directory", text_json_of(c->directory), "job",
        job_json(c), "id", whole ? json_string(log_job_id(look->log)) : json_null(), "weir",
        look->weir_version ? text_json_of(look->weir_version) : json_null(), "modules",
        modules_json(look), "batches", batches_json(look), "time", time_json(look->time_us),
        "watermark", time_json(look->watermark_us), "positions", positions_json(c, look), "tables",
        tables_json(look), "sinks", sinks_json(look), "uncommitted", uncommitted_json(look));
    if (!json) {
        json_decref(files.list);
        return NULL;
    }
    json_object_set_new(json, "dead_letters",
                        json_pack("{sI sI}", "logged", (json_int_t)look->dead_letters, "bytes",
                                  (json_int_t)files.dead));
    json_object_set_new(json, "files", files.list);
    json_object_set_new(json, "bytes", json_integer((json_int_t)files.bytes));
    json_object_set_new(json, "torn", look->report.cut_bytes ? text_json_of(look->report.cut)
                                                             : json_null());
    json_object_set_new(json, "damage", whole ? json_null() : text_json_of(look->damage.text));
    return json;
}

/* ---- show as text ---- */

static const char *text_at(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "?";
}

static long long number_at(const json_t *json, const char *name)
{
    return (long long)json_integer_value(json_object_get(json, name));
}

static void print_head(const json_t *json)
{
    const json_t *batches = json_object_get(json, "batches");
    const json_t *pending = json_object_get(batches, "pending");
    fputs("job          ", stdout);
    text_puts(stdout, text_at(json, "job"));
    printf(" (id %s), written by weir %s\n", text_at(json, "id"), text_at(json, "weir"));
    if (json_is_null(json_object_get(batches, "last")))
        puts("batches      none yet");
    else
        printf("batches      up to %lld; the log begins with %lld\n", number_at(batches, "last"),
               number_at(batches, "first"));
    if (json_is_object(pending))
        printf("pending      batch %lld of %s is planned and not finished\n",
               number_at(pending, "batch"), text_at(pending, "time"));
    printf("time         %s\n", text_at(json, "time"));
    if (json_is_string(json_object_get(json, "watermark")))
        printf("watermark    %s\n", text_at(json, "watermark"));
}

static void print_positions(const json_t *list)
{
    size_t i;
    const json_t *p;
    json_array_foreach(list, i, p) {
        if (i == 0) puts("positions");
        fputs("  ", stdout);
        text_puts(stdout, text_at(p, "source"));
        putchar(' ');
        text_puts(stdout, text_at(p, "partition"));
        fputs("  ", stdout);
        text_puts(stdout, text_at(p, "position"));
        puts(json_is_true(json_object_get(p, "ended")) ? "  (ended)" : "");
    }
}

/* What a table holds, and when the first of it goes. */
static void print_content(const json_t *t)
{
    const char *by_clock = json_string_value(json_object_get(t, "next_timer"));
    const char *by_watermark = json_string_value(json_object_get(t, "next_event_timer"));
    printf("  %lld keys", number_at(t, "keys"));
    if (number_at(t, "rows")) printf(", %lld rows", number_at(t, "rows"));
    printf(", %lld bytes in memory, %lld in the log, %lld groups\n", number_at(t, "memory"),
           number_at(t, "logged"), number_at(t, "groups"));
    if (by_clock) printf("    first timer at %s\n", by_clock);
    if (by_watermark) printf("    first timer at watermark %s\n", by_watermark);
}

static void print_tables(const json_t *list)
{
    size_t i;
    const json_t *t;
    long long memory = 0;
    json_array_foreach(list, i, t) {
        if (i == 0) puts("state");
        fputs("  ", stdout);
        text_puts(stdout, text_at(t, "table"));
        if (json_is_string(json_object_get(t, "operator"))) {
            fputs(" (", stdout);
            text_puts(stdout, text_at(t, "operator"));
            putchar(')');
        }
        if (json_is_string(json_object_get(t, "error"))) {
            fputs("  can't be restored: ", stdout);
            text_puts(stdout, text_at(t, "error"));
            printf(", %lld in the log, %lld groups\n", number_at(t, "logged"),
                   number_at(t, "groups"));
        } else {
            print_content(t);
        }
        memory += number_at(t, "memory");
        fputs("    ", stdout);
        text_puts(stdout, text_at(t, "signature"));
        putchar('\n');
    }
    if (json_array_size(list) > 1) printf("  in all, %lld bytes in memory\n", memory);
}

static void print_sinks(const json_t *sinks, const json_t *uncommitted)
{
    size_t i;
    const json_t *s;
    json_array_foreach(sinks, i, s) {
        if (i == 0) puts("sinks");
        fputs("  ", stdout);
        text_puts(stdout, text_at(s, "name"));
        printf("  batch %lld %s, %lld rows\n", number_at(s, "batch"), text_at(s, "outcome"),
               number_at(s, "rows"));
    }
    json_array_foreach(uncommitted, i, s) {
        if (i == 0) puts("not finished yet");
        fputs("  ", stdout);
        text_puts(stdout, text_at(s, "sink"));
        printf("  batch %lld, %lld bytes\n", number_at(s, "batch"), number_at(s, "bytes"));
    }
}

static int print_show(json_t *json)
{
    size_t i;
    const json_t *file;
    const json_t *dead = json_object_get(json, "dead_letters");
    print_head(json);
    print_positions(json_object_get(json, "positions"));
    print_tables(json_object_get(json, "tables"));
    print_sinks(json_object_get(json, "sinks"), json_object_get(json, "uncommitted"));
    printf("dead letters %lld in these batches, %lld bytes kept\n", number_at(dead, "logged"),
           number_at(dead, "bytes"));
    printf("files        %lld bytes\n", number_at(json, "bytes"));
    json_array_foreach(json_object_get(json, "files"), i, file) {
        printf("  %12lld  ", number_at(file, "bytes"));
        text_puts(stdout, text_at(file, "name"));
        putchar('\n');
    }
    if (json_is_string(json_object_get(json, "torn"))) {
        fputs("torn tail    ", stdout);
        text_puts(stdout, text_at(json, "torn"));
        puts("; the next start cuts it");
    }
    json_decref(json);
    return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

/* ---- the keys of a table ---- */

/* {"key":…} becomes {"table":"s/sums","group":12,"key":…}. */
static int print_keys(const struct look_table *table, uint32_t group, const char *name)
{
    struct weir_buffer out = { 0 };
    if (store_dump(table->op, 0, group, &out) != WEIR_OK) {
        mem_free(out.data);
        fputs("weir checkpoint: out of memory\n", stderr);
        return EX_OSERR;
    }
    const char *p = (const char *)out.data, *end = p + out.length;
    while (p && p < end) {
        const char *next = memchr(p, '\n', (size_t)(end - p));
        next = next ? next : end;
        printf("{\"table\":%s,\"group\":%u,", name, group);
        fwrite(p + 1, 1, (size_t)(next - p - 1), stdout);
        putchar('\n');
        p = next + 1;
    }
    mem_free(out.data);
    return ferror(stdout) ? EX_IOERR : 0;
}

static int print_table(struct look *look, const struct command *c, struct look_table *table)
{
    int status = 0;
    if (look_restore(look, table) != WEIR_OK) {
        fputs("weir checkpoint: ", stderr);
        text_puts(stderr, table->name);
        fputs(": ", stderr);
        text_puts(stderr, table->error.text);
        putc('\n', stderr);
        return EX_IOERR;
    }
    json_t *json = text_json_of(table->name);
    char *name = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    for (uint32_t g = 0; name && status == 0 && g < STORE_GROUPS; g++)
        if (c->group < 0 || (uint32_t)c->group == g) status = print_keys(table, g, name);
    free(name);
    json_decref(json);
    return status;
}

static int is_asked(const char *table, const char *asked)
{
    size_t n = strlen(asked);
    return strncmp(table, asked, n) == 0 && (table[n] == 0 || table[n] == '/');
}

static int show_state(const struct command *c, struct look *look)
{
    int status = 0, n = 0;
    for (uint32_t i = 0; i < look->n_tables; i++) {
        if (!is_asked(look->tables[i].name, c->state)) continue;
        int failed = print_table(look, c, &look->tables[i]);
        if (failed) status = failed;
        n++;
    }
    if (fflush(stdout) != 0) status = EX_IOERR;
    if (n) return status;
    fputs("weir checkpoint: there is no state \"", stderr);
    text_puts(stderr, c->state);
    fputs(look->n_tables ? "\"; there is:\n" : "\"; there is none\n", stderr);
    for (uint32_t i = 0; i < look->n_tables; i++) {
        fputs("  ", stderr);
        text_puts(stderr, look->tables[i].name);
        putc('\n', stderr);
    }
    return EXIT_NO_INPUT;
}

static int show(const struct command *c)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct look *look;
    int32_t class = look_open(c->sys, c->directory, &look, &error);
    int status = 0;
    if (class == WEIR_OK || class == WEIR_DATA) {
        if (c->state) {
            status = show_state(c, look);
        } else {
            json_t *json = show_json(c, look);
            status = !json ? EX_OSERR : c->json ? text_document(json) : print_show(json);
        }
    }
    look_close(look);
    return class == WEIR_OK ? status : fail(c, class, &error);
}

/* ---- verify and repair ---- */

struct lines {
    json_t *list; /* NULL: printed at once */
};

static void say(void *arg, const char *line)
{
    struct lines *lines = arg;
    if (lines->list) {
        json_array_append_new(lines->list, text_json_of(line));
    } else {
        text_puts(stdout, line);
        putchar('\n');
    }
}

/* The bytes are sound; do they make tables? */
static int32_t verify_tables(const struct command *c, struct lines *lines, struct weir_error *error)
{
    struct look *look;
    int32_t class = look_open(c->sys, c->directory, &look, error);
    for (uint32_t i = 0; class == WEIR_OK && i < look->n_tables; i++) {
        struct look_table *table = &look->tables[i];
        char line[1024];
        if (table->signature && look_restore(look, table) != WEIR_OK) {
            snprintf(line, sizeof line, "state %.400s: %s", table->name, table->error.text);
            say(lines, line);
            weir_fail(error, WEIR_DATA, "state %.200s can't be restored", table->name);
        }
        store_destroy(table->store);
        table->store = NULL;
        table->op = NULL;
    }
    look_close(look);
    return error->error_class;
}

static int settle(const struct command *c, struct lines *lines, int32_t class,
                  const struct weir_error *error)
{
    int status = 0;
    if (lines->list)
        status = text_document(json_pack("{sb so so}", "sound", class == WEIR_OK, "lines",
                                         lines->list, "damage",
                                         class == WEIR_OK ? json_null()
                                                          : text_json_of(error->text)));
    else if (fflush(stdout) != 0)
        status = EX_IOERR;
    return class == WEIR_OK ? status : fail(c, class, error);
}

static int verify(const struct command *c)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct lines lines = { c->json ? json_array() : NULL };
    int32_t class = log_verify(c->sys, c->directory, say, &lines, &error);
    if (class == WEIR_OK) class = verify_tables(c, &lines, &error);
    return settle(c, &lines, class, &error);
}

static int repair(const struct command *c)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct lines lines = { c->json ? json_array() : NULL };
    int32_t class = log_repair(c->sys, c->directory, say, &lines, &error);
    return settle(c, &lines, class, &error);
}

int command_checkpoint(int argc, char **argv)
{
    struct command c;
    int status = parse(&c, argc, argv);
    if (status == 0 && c.help) {
        fputs(usage, stdout);
    } else if (status == 0) {
        c.sys = sys_real_create();
        if (!c.sys)
            status = EX_OSERR;
        else if (strcmp(c.verb, "show") == 0)
            status = show(&c);
        else if (strcmp(c.verb, "verify") == 0)
            status = verify(&c);
        else if (strcmp(c.verb, "repair") == 0)
            status = repair(&c);
        else
            status = misused(c.verb, "is none of show, verify, repair");
        if (c.sys) sys_destroy(c.sys);
    }
    free(c.paths);
    return status;
}
