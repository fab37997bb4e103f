/*
 * test.c - `weir test FILE …`: plays scenarios, and says what passed as TAP.
 *
 * One test per file and number of workers. A scenario that passes with several numbers must have
 * given the same rows, in the same order and batches, with each.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/weir/commands.h"
#include "tools/weir/scenario_facts.h"
#include "tools/weir/scenario_update.h"

static const char usage[] =
    "usage: weir test [OPTION …] FILE …\n\n"
    "  --workers N          only with this number of workers\n"
    "  --update             write what came out into the scenario, as what is expected\n"
    "  --json               one line of JSON per play in place of TAP: all that came out\n"
    "  --plugin-path DIR    where plugins are searched first; may be repeated\n";

struct test_args {
    const char **paths;
    uint32_t n_paths;
    const char **files;
    uint32_t n_files;
    uint32_t workers; /* 0: as the scenario says */
    int update;
    int json;
};

struct tests {
    const struct test_args *args;
    struct weir_sys *sys;
    struct registry *registry;
    uint32_t n, failed;
};

static int bad(const char *word)
{
    fprintf(stderr, "weir test: `%s` is not understood\n%s", word, usage);
    return EXIT_USAGE;
}

/* 0, an exit status, or -1: the usage was shown. */
static int parse(struct test_args *args, int argc, char **argv)
{
    args->paths = calloc((size_t)argc, sizeof *args->paths);
    args->files = calloc((size_t)argc, sizeof *args->files);
    if (!args->paths || !args->files) return EXIT_SOFTWARE;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0) {
            fputs(usage, stdout);
            return -1;
        } else if (strcmp(word, "--update") == 0) {
            args->update = 1;
        } else if (strcmp(word, "--json") == 0) {
            args->json = 1;
        } else if (strcmp(word, "--plugin-path") == 0 && i + 1 < argc) {
            args->paths[args->n_paths++] = argv[++i];
        } else if (strcmp(word, "--workers") == 0 && i + 1 < argc) {
            args->workers = (uint32_t)strtoul(argv[++i], NULL, 10);
            if (args->workers < 1 || args->workers > 64) return bad(argv[i]);
        } else if (word[0] == '-') {
            return bad(word);
        } else {
            args->files[args->n_files++] = word;
        }
    }
    if (args->n_files) return 0;
    fprintf(stderr, "weir test: no scenario is named\n%s", usage);
    return EXIT_USAGE;
}

static void say_result(struct tests *tests, int passed, const char *file, const char *words,
                       uint32_t workers, const char *text)
{
    tests->n++;
    tests->failed += !passed;
    if (tests->args->json) return;
    printf("%sok %u - %s%s", passed ? "" : "not ", tests->n, file, words);
    if (workers) printf(", workers %u", workers);
    putchar('\n');
    if (!passed && text) fputs(text, stdout);
    fflush(stdout);
}

static void add_line(void *arg, const char *line)
{
    fprintf(arg, "# %s\n", line);
}

static struct scenario *read_scenario(struct tests *tests, const char *file)
{
    struct report report = { 0 };
    char *text = NULL;
    size_t n;
    struct scenario *scenario = scenario_read(tests->sys, file, &report);
    FILE *to = scenario ? NULL : open_memstream(&text, &n);
    if (to) report_print(&report, add_line, to);
    if (to) fclose(to);
    if (!scenario && tests->args->json) facts_print_wrong(file, text, stdout);
    if (!scenario) say_result(tests, 0, file, ": the scenario is wrong", 0, text);
    free(text);
    report_fini(&report);
    return scenario;
}

/* 1 if the rows of two plays are the same; else the text of `play` says where they differ. */
static int compare(const struct play *first, uint32_t workers, struct play *play)
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (!to) return 0;
    fprintf(to, "# the rows are others than with %u workers:\n", workers);
    int differ = world_differ(&first->world, &play->world, to);
    fclose(to);
    if (differ) {
        free(play->text);
        play->text = text;
    } else {
        free(text);
    }
    return !differ;
}

static void play_all(struct tests *tests, const struct scenario *scenario)
{
    struct play first = { 0 };
    uint32_t n = tests->args->workers ? 1 : scenario->n_workers;
    for (uint32_t i = 0; i < n; i++) {
        struct play play = { 0 };
        uint32_t workers = tests->args->workers ? tests->args->workers : scenario->workers[i];
        scenario_play(scenario, tests->sys, tests->registry, workers, &play);
        if (play.passed && i > 0 && first.passed)
            play.passed = compare(&first, scenario->workers[0], &play);
        say_result(tests, play.passed, scenario->file, "", workers, play.text);
        if (tests->args->json) facts_print(scenario->file, workers, &play, stdout);
        if (tests->args->json) fflush(stdout);
        if (i == 0) first = play;
        else play_fini(&play);
    }
    play_fini(&first);
}

/* Plays it once and takes what came out. 1 if the file has changed. */
static int update(struct tests *tests, const struct scenario *scenario)
{
    struct play play = { .updating = 1 };
    uint32_t workers = tests->args->workers ? tests->args->workers : scenario->workers[0];
    scenario_play(scenario, tests->sys, tests->registry, workers, &play);
    int changed = play.passed && play.n_updates && scenario_update(scenario, &play) == 0;
    if (changed) printf("# %s: %u expectations written\n", scenario->file, play.n_updates);
    if (!play.passed)
        printf("# %s: nothing is written, as it fails whatever is expected:\n%s", scenario->file,
               play.text ? play.text : "");
    play_fini(&play);
    return changed;
}

static void test_file(struct tests *tests, const char *file)
{
    struct scenario *scenario = read_scenario(tests, file);
    if (scenario && tests->args->update && update(tests, scenario)) {
        scenario_free(scenario);
        scenario = read_scenario(tests, file);
    }
    if (scenario) play_all(tests, scenario);
    scenario_free(scenario);
}

static int run_tests(struct tests *tests)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .paths = tests->args->paths,
                                        .n_paths = tests->args->n_paths };
    tests->sys = sys_real_create();
    if (!tests->sys) return EXIT_SOFTWARE;
    if (registry_create(tests->sys, &options, &tests->registry, &error) != WEIR_OK ||
        registry_add(tests->registry, &world_plugin, &error) != WEIR_OK) {
        fprintf(stderr, "weir test: plugins can't be searched: %s\n", error.text);
        return error.error_class == WEIR_CONFIG ? EXIT_BAD_JOB : EXIT_SOFTWARE;
    }
    for (uint32_t i = 0; i < tests->args->n_files; i++) test_file(tests, tests->args->files[i]);
    if (!tests->args->json) printf("1..%u\n", tests->n);
    return tests->failed ? 1 : 0;
}

int command_test(int argc, char **argv)
{
    struct test_args args = { 0 };
    struct tests tests = { .args = &args };
    int status = parse(&args, argc, argv);
    if (status == 0) status = run_tests(&tests);
    registry_destroy(tests.registry);
    if (tests.sys) sys_destroy(tests.sys);
    free(args.paths);
    free(args.files);
    return status < 0 ? 0 : status;
}
