/*
 * main.c - weir-bench NAME: generates seeded input, runs the job in this process, checks the result, and
 * prints what it took. Figures are for comparing within one run on one machine; nothing here
 * passes or fails by time.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/bench.h"

static const struct workload *find(const char *name)
{
    for (uint32_t i = 0; i < n_workloads; i++)
        if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
    return NULL;
}

static int list(FILE *to)
{
    for (uint32_t i = 0; i < n_workloads; i++)
        fprintf(to, "  %-14s %s\n", workloads[i].name, workloads[i].help);
    return 0;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: weir-bench NAME [--json] [--records N] [--workers N] [--checkpoint yes|no]\n"
                "                  [--dir DIR] [--input DIR] [--plugin-path DIR …] [--weir PROGRAM]\n"
                "       weir-bench list\n"
                "       weir-bench generate NAME DIR [--records N]\n"
                "       weir-bench checksum FILE.csv\n"
                "       weir-bench send PORT WIDTH --records N   (as the senders of socket-file)\n"
                "       weir-bench compare [NAME …] [--runs N] [--dir DIR] [--records NAME=N …]\n\n");
    list(to);
    return to == stdout ? 0 : 64;
}

/* Generates in a child, so that its memory is not counted. */
static int generate(const struct workload *w, const char *directory, uint64_t records,
                    uint64_t *bytes)
{
    int pipes[2];
    if (!w->generate) return 0;
    if (pipe(pipes) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t n = 0;
        int failed = w->generate(directory, records, &n) != 0 ||
                     write(pipes[1], &n, sizeof n) != (ssize_t)sizeof n;
        _exit(failed);
    }
    int status = -1;
    close(pipes[1]);
    ssize_t got = read(pipes[0], bytes, sizeof *bytes);
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    return status == 0 && got == (ssize_t)sizeof *bytes ? 0 : -1;
}

/* Typed inputs have no file, but what other engines read. */
static uint64_t typed_bytes(const struct workload *w, uint64_t records)
{
    return w->generate ? 0 : records * 16;
}

static void verify(const struct workload *w, struct bench_result *result)
{
    if (!w->expect || result->wrong[0]) return;
    uint64_t expected = w->expect(result->records);
    if (expected != result->checksum)
        snprintf(result->wrong, sizeof result->wrong, "its checksum is %016llx, not %016llx",
                 (unsigned long long)result->checksum, (unsigned long long)expected);
}

static int run_input(const struct workload *w, const struct bench_options *o, const char *directory,
                     struct bench_result *result)
{
    char checkpoint[1024];
    const char *input = o->input ? o->input : directory;
    result->bytes = typed_bytes(w, result->records);
    if (!o->input && generate(w, directory, result->records, &result->bytes) != 0) return 74;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    bench_seen_reset();
    struct bench_job job = { .text = w->job(input, result->checkpoint ? checkpoint : NULL,
                                            result->records) };
    int status = bench_run_job(o, &job, result);
    if (status == 0) verify(w, result);
    return status;
}

static void remove_all(const char *directory)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0) fprintf(stderr, "weir-bench: %s stays\n", directory);
}

static int bench(const struct workload *w, const struct bench_options *o)
{
    char directory[512];
    struct bench_result result = { .workload = w->name };
    result.records = o->records ? o->records : w->records;
    result.checkpoint = o->checkpoint >= 0 ? o->checkpoint : w->checkpoint;
    snprintf(directory, sizeof directory, "%s/weir-bench-XXXXXX", o->directory);
    if (!mkdtemp(directory)) {
        fprintf(stderr, "weir-bench: %s: %s\n", o->directory, strerror(errno));
        return 73;
    }
    int status = w->run ? w->run(o, directory, result.records, &result)
                        : run_input(w, o, directory, &result);
    if (status == 0) bench_print(&result, o->json);
    remove_all(directory);
    return status ? status : result.wrong[0] ? 1 : 0;
}

static int write_input(const struct workload *w, const char *directory, uint64_t records)
{
    uint64_t bytes = 0;
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "weir-bench: %s: %s\n", directory, strerror(errno));
        return 73;
    }
    bench_generate_fn *generator = w->generate;
    if (strcmp(w->name, "keyed-1e6") == 0) generator = keyed_generate;
    if (strcmp(w->name, "keyed-1e7") == 0) generator = keyed_big_generate;
    if (strcmp(w->name, "ysb-columns") == 0) generator = events_generate;
    if (!generator) {
        fprintf(stderr, "weir-bench: %s has no input in files\n", w->name);
        return 64;
    }
    return generator(directory, records ? records : w->records, &bytes) == 0 ? 0 : 74;
}

static int checksum(const char *path)
{
    uint64_t rows, sum;
    if (bench_checksum_file(path, &rows, &sum) != 0) {
        fprintf(stderr, "weir-bench: %s: %s\n", path, strerror(errno));
        return 66;
    }
    printf("{\"rows\": %llu, \"checksum\": \"%016llx\"}\n", (unsigned long long)rows,
           (unsigned long long)sum);
    return 0;
}

/* The script beside this program in the build tree, or where it is installed. */
static int compare(int argc, char **argv)
{
    const char *script = getenv("WEIR_BENCH_COMPARE");
    char **words = calloc((size_t)argc + 4, sizeof *words);
    if (!words) return 70;
    words[0] = (char *)(uintptr_t)"python3";
    words[1] = (char *)(uintptr_t)(script ? script : BENCH_DATA_DIR "/compare.py");
    words[2] = argv[0];
    for (int i = 2; i < argc; i++) words[i + 1] = argv[i];
    execvp(words[0], words);
    fprintf(stderr, "weir-bench: python3: %s\n", strerror(errno));
    return 69;
}

/* NULL terminated words of the command line that are no options; 0, or the exit status. */
static int parse(int argc, char **argv, struct bench_options *o, const char **words, int most)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--json") == 0) o->json = 1;
        else if (strncmp(argv[i], "--", 2) != 0 && n < most) words[n++] = argv[i];
        else if (!value) return 64;
        else if (strcmp(argv[i], "--records") == 0) o->records = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--workers") == 0) o->workers = (uint32_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--checkpoint") == 0) o->checkpoint = strcmp(argv[++i], "no") != 0;
        else if (strcmp(argv[i], "--dir") == 0) o->directory = argv[++i];
        else if (strcmp(argv[i], "--input") == 0) o->input = argv[++i];
        else if (strcmp(argv[i], "--weir") == 0) o->weir = argv[++i];
        else if (strcmp(argv[i], "--plugin-path") == 0 && o->n_paths < 64) o->paths[o->n_paths++] = argv[++i];
        else return 64;
    }
    return n ? 0 : 64;
}

int main(int argc, char **argv)
{
    struct bench_options o = { .directory = "/tmp", .checkpoint = -1, .weir = BENCH_BIN_DIR "/weir" };
    const char *words[4] = { NULL };
    mem_setup();
    if (argc > 1 && strcmp(argv[1], "compare") == 0) return compare(argc, argv);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) return usage(stdout);
    if (parse(argc, argv, &o, words, 3) != 0) return usage(stderr);
    if (strcmp(words[0], "list") == 0) return list(stdout);
    if (strcmp(words[0], "checksum") == 0 && words[1]) return checksum(words[1]);
    if (strcmp(words[0], "send") == 0 && words[2])
        return bench_send(atoi(words[1]), (uint32_t)atoi(words[2]), o.records);
    int generates = strcmp(words[0], "generate") == 0 && words[2];
    const struct workload *w = find(generates ? words[1] : words[0]);
    if (!w || (words[1] && !generates)) return usage(stderr);
    return generates ? write_input(w, words[2], o.records) : bench(w, &o);
}
