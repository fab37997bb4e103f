#include "tools/weir/job_args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tools/weir/commands.h"

void job_args_usage(FILE *to, const char *command)
{
    fprintf(to,
            "usage: weir %s [OPTION …] JOB.json [OPTION …]\n"
            "       weir %s [OPTION …] ELEMENT ! ELEMENT …\n\n"
            "  --name NAME           name of the job\n"
            "  --trigger T           \"1s\", asap, once or available_now\n"
            "  --checkpoint DIR      where state and positions live\n"
            "  --set PATH=VALUE      another value of any option\n"
            "  --workers N           number of workers (default: the cores)\n"
            "  --plugin-path DIR     where plugins are searched first; may be repeated\n"
            "  --max-batches N       stop after N batches\n"
            "  --drop NAME           drop the state of an operator, or forget how far a source was read\n"
            "                        that has left or has another plugin; may be repeated\n"
            "  --replan              run a pending batch under this job, not under the one that planned\n"
            "                        it; refused where sinks may see rows twice, unless --yes is there\n"
            "  --summary FILE        write what was done as JSON at the end\n"
            "  --log text|json       form of the log on stderr\n"
            "  --log-level LEVEL     error, warn, info or debug\n\n"
            "An element is [NAME:=]PLUGIN KEY=VALUE …, each word one KEY=VALUE, a lone ! between.\n",
            command, command);
}

static int bad(const char *what, const char *word)
{
    fprintf(stderr, "weir: %s: %s\n", word, what);
    return EXIT_USAGE;
}

void job_args_say(struct job_args *args, int level, const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (args->json) journal_add(args->journal, level, NULL, -1, "%s", text);
    else fprintf(stderr, "%s\n", text);
}

static int add_setting(struct job_args *args, const char *path, const char *value)
{
    char *text;
    if (args->n_settings == 64) return bad("too many settings", value);
    text = malloc(strlen(path) + strlen(value) + 2);
    if (!text) return EXIT_SOFTWARE;
    sprintf(text, "%s=%s", path, value);
    args->made[args->n_settings] = text;
    args->settings[args->n_settings++] = text;
    return 0;
}

static int number(const char *word, const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || *out == 0 || *out > most)
        return bad("wants a positive number", word);
    return 0;
}

static int level_of(const char *text)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) return i + 1;
    return 0;
}

static int take_option(struct job_args *args, const char *word, const char *value)
{
    uint64_t n;
    int status;
    if (strcmp(word, "--name") == 0) return add_setting(args, "name", value);
    if (strcmp(word, "--trigger") == 0) return add_setting(args, "trigger", value);
    if (strcmp(word, "--checkpoint") == 0) return add_setting(args, "checkpoint", value);
    if (strcmp(word, "--set") == 0) {
        const char *equals = strchr(value, '=');
        if (!equals) return bad("wants PATH=VALUE", word);
        if (args->n_settings == 64) return bad("too many settings", word);
        args->settings[args->n_settings++] = value;
        return 0;
    }
    if (strcmp(word, "--workers") == 0) {
        if ((status = number(word, value, 64, &n)) != 0) return status;
        args->options.workers = (uint32_t)n;
        return 0;
    }
    if (strcmp(word, "--max-batches") == 0)
        return number(word, value, UINT64_MAX, &args->options.max_batches);
    if (strcmp(word, "--plugin-path") == 0) {
        if (args->n_paths == 32) return bad("too many directories", word);
        args->paths[args->n_paths++] = value;
        return 0;
    }
    if (strcmp(word, "--drop") == 0) {
        if (args->options.n_drop == 32) return bad("too many names", word);
        args->drop[args->options.n_drop++] = value;
        args->options.drop = args->drop;
        return 0;
    }
    if (strcmp(word, "--summary") == 0) {
        args->summary = value;
        return 0;
    }
    if (strcmp(word, "--log") == 0) {
        args->log = value;
        return strcmp(value, "text") && strcmp(value, "json") ? bad("wants text or json", word) : 0;
    }
    if (strcmp(word, "--log-level") == 0) {
        args->level = level_of(value);
        return args->level ? 0 : bad("wants error, warn, info or debug", word);
    }
    abort(); /* takes_value has no more */
}

/* One word that is a path; "." too, as no plugin is called so. */
static int is_file(const struct job_args *args)
{
    const char *word = args->words[0];
    size_t n = args->n_words == 1 ? strlen(word) : 0;
    if (n == 0) return 0;
    return word[0] == '.' || strchr(word, '/') || (n > 5 && strcmp(word + n - 5, ".json") == 0);
}

static int takes_value(const char *word)
{
    static const char *const names[] = { "--name", "--trigger", "--checkpoint", "--set",
                                         "--workers", "--max-batches", "--plugin-path", "--drop",
                                         "--summary", "--log", "--log-level" };
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0) return 1;
    return 0;
}

int job_args_parse(struct job_args *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    args->level = WEIR_LOG_INFO;
    args->words = calloc((size_t)argc + 1, sizeof *args->words);
    if (!args->words) return EXIT_SOFTWARE;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int status;
        if (args->n_words == 0 && strcmp(word, "-h") == 0) word = "--help";
        if ((args->n_words && !is_file(args)) || strncmp(word, "--", 2) != 0) {
            args->words[args->n_words++] = word;
            continue;
        }
        if (strcmp(word, "--help") == 0) {
            args->help = 1;
            return 0;
        }
        if (strcmp(word, "--replan") == 0) {
            args->options.replan = 1;
            continue;
        }
        if (strcmp(word, "--yes") == 0) {
            args->options.replan_anyway = 1;
            continue;
        }
        if (i + 1 == argc && takes_value(word)) return bad("wants a value", word);
        if (!takes_value(word)) return bad("there is no such option; see --help", word);
        if ((status = take_option(args, word, argv[++i])) != 0) return status;
    }
    if (args->n_words == 0) return bad("names no job: give a job file or elements", argv[0]);
    return 0;
}

/* What only a checkpoint gives a sense to must not be taken without effect. */
static int needs_checkpoint(struct job_args *args)
{
    const char *word = args->options.n_drop ? "--drop" : args->options.replan ? "--replan" : NULL;
    if (!word || !args->job || args->job->checkpoint) return 0;
    job_args_say(args, WEIR_LOG_ERROR, "weir: %s: the job has no checkpoint", word);
    return EXIT_USAGE;
}

/* A job file needs no plugin to be read. */
static int read_file(struct job_args *args)
{
    int io_error = 0;
    args->job = job_read(args->sys, args->words[0], NULL, &args->report, &io_error);
    for (uint32_t i = 0; args->job && i < args->n_settings; i++)
        job_set(args->job, args->settings[i], &args->report);
    return io_error ? EXIT_NO_INPUT : EXIT_BAD_JOB;
}

/* The kinds of a one-liner's elements come from the plugins. */
static int read_words(struct job_args *args)
{
    int usage = 0;
    args->job = job_from_words(args->sys, args->words, args->n_words, args->settings,
                               args->n_settings, registry_kinds, args->registry, &args->report,
                               &usage);
    if (args->job && args->job->n_plugin_paths)
        report_add(&args->report, REPORT_ERROR, (struct place){ args->job->file, 0, 0 }, "plugins",
                   "a one-liner's directories are given by --plugin-path, before its elements");
    return usage ? EXIT_USAGE : EXIT_BAD_JOB;
}

/* The directories of the command line come before those of the job. */
static int open_registry(struct job_args *args)
{
    struct weir_error error = WEIR_ERROR_INIT;
    const uint32_t more = args->job ? args->job->n_plugin_paths : 0;
    const char **paths = calloc(args->n_paths + more + 1, sizeof *paths);
    struct registry_options options = { .paths = paths, .n_paths = args->n_paths + more };
    if (!paths) return EXIT_SOFTWARE;
    for (uint32_t i = 0; i < options.n_paths; i++)
        paths[i] = i < args->n_paths ? args->paths[i] : args->job->plugin_paths[i - args->n_paths];
    int32_t result = registry_create(args->sys, &options, &args->registry, &error);
    free(paths);
    if (result == WEIR_OK) return 0;
    job_args_say(args, WEIR_LOG_ERROR, "weir: plugins can't be searched: %s", error.text);
    return result == WEIR_CONFIG ? EXIT_BAD_JOB : EXIT_SOFTWARE;
}

/* In the form that the command line says, else the job. A one-liner says all on its line. */
static int open_journal(struct job_args *args)
{
    const char *form = args->log ? args->log : args->job ? args->job->log : NULL;
    args->json = form && strcmp(form, "json") == 0;
    args->journal = journal_create(args->sys, args->json, args->level, NULL, NULL);
    return args->journal != NULL;
}

int job_args_open(struct job_args *args)
{
    int wrong = EXIT_BAD_JOB, status;
    args->sys = sys_real_create();
    if (!args->sys) return EXIT_SOFTWARE;
    if (is_file(args)) wrong = read_file(args);
    if (!open_journal(args)) return EXIT_SOFTWARE;
    if ((status = open_registry(args)) != 0) {
        job_args_report(args);
        return status;
    }
    if (!is_file(args)) wrong = read_words(args);
    if (args->job && args->report.errors > 0) /* the rest of its mistakes, in the same run */
        plan_destroy(plan_create(args->job, args->registry, args->sys, args->journal, 0, PLAN_CHECK,
                                 &args->report));
    return job_args_report(args) || !args->job ? wrong : needs_checkpoint(args);
}

void job_args_close(struct job_args *args)
{
    job_free(args->job);
    report_fini(&args->report);
    if (args->registry) registry_destroy(args->registry);
    if (args->journal) journal_destroy(args->journal);
    if (args->sys) sys_destroy(args->sys);
    for (uint32_t i = 0; i < args->n_settings; i++) free(args->made[i]);
    free(args->words);
}

static void say_finding(void *arg, uint32_t severity, const char *line)
{
    job_args_say(arg, severity == REPORT_ERROR ? WEIR_LOG_ERROR : WEIR_LOG_WARN, "%s", line);
}

uint32_t job_args_report(struct job_args *args)
{
    uint32_t errors = args->report.errors;
    report_each(&args->report, say_finding, args);
    report_fini(&args->report);
    memset(&args->report, 0, sizeof args->report);
    return errors;
}
