/*
 * constant.c - a long run at constant load has constant memory: a job per kind of state that is evicted, over keys of which
 * each lives for a few batches and never comes again.
 *
 * A job runs BATCHES batches of the clock, in a process of its own. From batch SETTLED on, state, the process's peak of
 * memory and the files of the checkpoint (log, spool; libsweep's log has small segments) must not grow: what is
 * compared is the greatest figure of a stretch of batches with that of the stretches behind it. Figures, not times.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/plan/plan.h"
#include "core/run/run.h"
#include "tests/sweeps/sweep.h"

#define BATCHES 5000u
#define SETTLED 1000u
#define EVERY 50u     /* batches between two looks at files */
#define START_US INT64_C(1700000000000000)
#define SLACK_STATE 32768u
#ifdef __SANITIZE_ADDRESS__ /* keeps what was freed, up to 256 MiB */
#define SLACK_PEAK_KB UINT64_C(400000)
#else
#define SLACK_PEAK_KB 2048u /* arenas of the allocator, pages of the simulated disk */
#endif
#define SLACK_FILES 65536u

/* 24 rows a batch; each key k comes six times within two batches, then never again; j is one of 40. Keys are long, so that what
 * texts leave behind in a group, which is tidied up from some KiB on, comes to its bound before SETTLED. */
#define SOURCE                                                                                     \
    "\"trigger\": \"1s\", \"checkpoint\": \"cp\", \"sources\": {\"in\": {\"plugin\": \"rate\","    \
    " \"rows_per_batch\": 24, \"start\": \"2024-01-01T00:00:00Z\", \"advance\": \"1s\"%s}},"       \
    " \"operators\": {\"r\": {\"plugin\": \"select\", \"from\": \"in\", \"columns\": ["            \
    "\"cast((value + 12) div 24 * 4 + value %% 4 as string) || repeat('.', 400) as k\","          \
    " \"value %% 40 as j\", \"value as v\", \"timestamp as ts\"]},"                                \
    " \"w\": {\"plugin\": \"watermark\", \"from\": \"r\", \"column\": \"ts\", \"delay\": \"5s\"},"

#define SINK ", \"sinks\": {\"out\": {\"plugin\": \"null\", \"from\": \"x\"}}}"

#define LUA(text_) "\"lua\": {\"function\": \"f\", \"source\": \"function f(key, rows, S, ctx)\\n" text_ "\\nend\"}"

struct kind {
    const char *name, *plugin; /* skipped where the plugin is not there */
    const char *operators;     /* the last one is x */
    const char *of_source;     /* more options */
    int grows;                 /* 1: a test of the test: its state must grow */
};

static const struct kind kinds[] = {
    { "windows, append", "aggregate",
      "\"x\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\", \"l\": \"collect_list(v)\"},"
      " \"window\": {\"on\": \"ts\", \"length\": \"10s\"}}", "", 0 },
    { "windows, update, sliding", "aggregate",
      "\"x\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\"},"
      " \"window\": {\"on\": \"ts\", \"length\": \"20s\", \"slide\": \"5s\"}, \"output_mode\": \"update\"}", "", 0 },
    { "groups, complete", "aggregate",
      "\"x\": {\"plugin\": \"aggregate\", \"from\": \"r\", \"by\": [\"j\"], \"values\": {\"n\": \"count(*)\", \"m\": \"max(k)\"},"
      " \"output_mode\": \"complete\"}", "", 0 },
    { "windows of windows", "aggregate",
      "\"a\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\"}, \"window\": {\"on\": \"ts\", \"length\": \"5s\"}},"
      "\"x\": {\"plugin\": \"aggregate\", \"from\": \"a\", \"by\": [\"n\"], \"values\": {\"s\": \"sum(n)\"}, \"window\": {\"on\": \"window\", \"length\": \"20s\"}}", "", 0 },
    { "sessions", "aggregate",
      "\"x\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\"},"
      " \"session\": {\"on\": \"ts\", \"gap\": \"4s\"}}", "", 0 },
    { "deduplicate by time", "deduplicate",
      "\"x\": {\"plugin\": \"deduplicate\", \"from\": \"w\", \"by\": [\"k\", \"ts\"]}", "", 0 },
    { "deduplicate within watermark", "deduplicate",
      "\"x\": {\"plugin\": \"deduplicate\", \"from\": \"w\", \"by\": [\"k\"], \"within_watermark\": true}", "", 0 },
    { "join of streams", "join",
      "\"l\": {\"plugin\": \"filter\", \"from\": \"w\", \"where\": \"v % 3 <> 0\"},"
      "\"x\": {\"plugin\": \"join\", \"scope\": \"stream\", \"type\": \"full_outer\", \"from\": {\"a\": \"l\", \"b\": \"w\"},"
      " \"on\": \"a.k = b.k and a.v + 1 = b.v and a.ts between b.ts - interval '4s' and b.ts + interval '4s'\","
      " \"columns\": [\"a.k as k\", \"b.k as k2\", \"a.v as v\", \"b.v as v2\"]}", "", 0 },
    { "window over batches, inverse", "reduce_by_key_and_window",
      "\"x\": {\"plugin\": \"reduce_by_key_and_window\", \"from\": \"r\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\"},"
      " \"length\": \"8s\", \"slide\": \"2s\", \"inverse\": true, \"keep\": \"n <> 0\"}", "", 0 },
    { "window over batches, lists", "group_by_key_and_window",
      "\"x\": {\"plugin\": \"group_by_key_and_window\", \"from\": \"r\", \"by\": [\"k\"], \"columns\": [\"v\"], \"length\": \"6s\"}", "", 0 },
    { "window of rows", "window",
      "\"x\": {\"plugin\": \"window\", \"from\": \"r\", \"length\": \"6s\", \"slide\": \"3s\"}", "", 0 },
    { "update_state_by_key", "update_state_by_key",
      "\"x\": {\"plugin\": \"update_state_by_key\", \"from\": \"r\", \"by\": [\"k\"], \"state\": \"n int64, idle int64, last string\","
      " \"lua\": {\"function\": \"f\", \"source\": \"function f(key, rows, state)\\n"
      " local n, idle = state and state.n or 0, #rows == 0 and state.idle + 1 or 0\\n"
      " if idle == 5 then return nil end\\n return {n = n + #rows, idle = idle, last = key .. n}\\nend\"}}", "", 0 },
    { "map_with_state, timeout", "map_with_state",
      "\"x\": {\"plugin\": \"map_with_state\", \"from\": \"r\", \"by\": [\"k\"], \"state\": \"n int64, last string\", \"columns\": \"k string, n int64\","
      " \"timeout\": \"5s\", \"expire_every\": 10, \"lua\": {\"function\": \"f\", \"source\": \"function f(key, row, S)\\n"
      " if S.timing_out() then return {k = key, n = -S.get().n} end\\n"
      " S.update({n = row.v, last = key .. row.v})\\nend\"}}", "", 0 },
    { "group_state, event time", "group_state",
      "\"x\": {\"plugin\": \"group_state\", \"from\": \"w\", \"by\": [\"k\"], \"state\": \"n int64, last string\", \"columns\": \"k string\","
      " \"timeout\": \"event_time\", " LUA("if S.timing_out then S.remove() return nil end\\n"
      " S.update({n = #rows, last = key})\\n S.set_timeout(rows[1].ts + 9000000)") "}", "", 0 },
    { "group_state, clock", "group_state",
      "\"x\": {\"plugin\": \"group_state\", \"from\": \"r\", \"by\": [\"k\"], \"state\": \"n int64, last string\", \"columns\": \"k string\","
      " \"timeout\": \"processing_time\", " LUA("if S.timing_out then S.remove() return nil end\\n"
      " S.update({n = #rows, last = key})\\n S.set_timeout(4000)") "}", "", 0 },
    { "stateful, time to live", "stateful",
      "\"x\": {\"plugin\": \"stateful\", \"from\": \"r\", \"by\": [\"k\"], \"state\": \"n int64\", \"columns\": \"k string, t string\","
      " \"lists\": {\"l\": \"s string\"}, \"maps\": {\"m\": \"v int64 -> s string\"}, \"ttl\": \"5s\", \"timeout\": \"processing_time\", "
      LUA("if S.timing_out then return {k = key, t = S.timing_out()} end\\n S.update({n = #rows})\\n"
          " for _, row in ipairs(rows) do S.list('l').append({s = key})\\n S.map('m').put(row.v, {s = key}) end\\n"
          " S.timer('end', ctx.time + 3000000)") "}", "", 0 },
    { "limit", "limit", "\"x\": {\"plugin\": \"limit\", \"from\": \"r\", \"n\": 100}", "", 0 },
    { "spooled input", "select", "\"x\": {\"plugin\": \"select\", \"from\": \"r\", \"columns\": [\"k\"]}", ", \"spool\": true", 0 },
    { "deduplicate by key (grows)", "deduplicate",
      "\"x\": {\"plugin\": \"deduplicate\", \"from\": \"w\", \"by\": [\"k\"]}", "", 1 },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* Greatest figures of the batches up to SETTLED, of its second half only, and of those behind it. */
struct figures {
    uint64_t state[2], files[2], peak_kb[2], batches, rows;
};

struct watch {
    const struct sim_disk *disk;
    uint64_t bytes;
    struct figures *figures;
};

static void add_file(void *arg, const char *path)
{
    struct watch *watch = arg;
    size_t size = 0;
    sim_disk_file(watch->disk, path, &size);
    watch->bytes += size;
}

static void most(uint64_t *of, uint64_t n)
{
    if (n > *of) *of = n;
}

static void look(void *arg, const struct run *run, uint64_t batch)
{
    struct watch *watch = arg;
    struct figures *f = watch->figures;
    struct rusage usage;
    int late = batch > SETTLED;
    f->batches = batch + 1;
    if (batch < SETTLED / 2) return;
    most(&f->state[late], store_bytes(run->plan->store));
    if (batch % EVERY) return;
    watch->bytes = 0;
    sim_disk_each(watch->disk, "cp", add_file, watch);
    most(&f->files[late], watch->bytes);
    getrusage(RUSAGE_SELF, &usage);
    most(&f->peak_kb[late], (uint64_t)usage.ru_maxrss);
}

static void print_finding(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* A life of the job; 0, or the exit status. */
static int run_kind(const struct kind *kind, struct registry *registry, struct figures *figures)
{
    char text[8192], source[2048];
    struct sim_disk *disk = sim_disk_create();
    struct watch watch = { .disk = disk, .figures = figures };
    struct run_options options = { .workers = 2, .max_batches = BATCHES,
                                   .hooks = { .batch_done = look, .arg = &watch } };
    struct report report = { 0 };
    struct run_summary summary = { 0 };
    int io_error, status = 78;
    snprintf(source, sizeof source, SOURCE, kind->of_source);
    snprintf(text, sizeof text, "{\"name\": \"constant\", %s%s}" SINK, source, kind->operators);
    struct weir_sys *sys = sim_create(disk, START_US, 1);
    struct job *job = job_read(sys, "job.json", text, &report, &io_error);
    if (job) status = run_job(sys, job, registry, NULL, &options, &report, &summary);
    if (status != 0) report_print(&report, print_finding, NULL);
    figures->rows = summary.rows_in;
    free(summary.json);
    job_free(job);
    report_fini(&report);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return status;
}

/* In a process of its own, since a peak of memory never falls. */
static int run_apart(const struct kind *kind, struct registry *registry, struct figures *figures)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0) return 71;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        status = run_kind(kind, registry, figures);
        if (write(ends[1], figures, sizeof *figures) != (ssize_t)sizeof *figures) status = 74;
        _exit(status);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], figures, sizeof *figures) != (ssize_t)sizeof *figures) status = 71;
    close(ends[0]);
    int ended = 0;
    if (child < 0 || waitpid(child, &ended, 0) != child || !WIFEXITED(ended)) return 71;
    return WEXITSTATUS(ended) ? WEXITSTATUS(ended) : status;
}

static int grew(const uint64_t of[2], uint64_t slack)
{
    return of[1] > of[0] + of[0] / 8 + slack;
}

/* 0, or 1 with a line that says what is wrong. */
static int judge(const struct kind *kind, int status, const struct figures *f)
{
    const char *wrong = status != 0                             ? "the job failed"
                        : f->batches < BATCHES                  ? "too few batches"
                        : f->rows < BATCHES                     ? "too few rows"
                        : kind->grows                           ? NULL
                        : grew(f->state, SLACK_STATE)           ? "state grows"
                        : grew(f->files, SLACK_FILES)           ? "files grow"
                        : grew(f->peak_kb, SLACK_PEAK_KB)       ? "memory grows"
                                                                : NULL;
    if (!wrong && kind->grows && !grew(f->state, SLACK_STATE)) wrong = "its state does not grow, so this test sees nothing";
    printf("constant %-30s %" PRIu64 " batches, state %" PRIu64 " then %" PRIu64 " B, files %" PRIu64 " then %" PRIu64
           " B, peak %" PRIu64 " then %" PRIu64 " kB%s%s\n",
           kind->name, f->batches, f->state[0], f->state[1], f->files[0], f->files[1], f->peak_kb[0],
           f->peak_kb[1], wrong ? ": " : "", wrong ? wrong : "");
    return wrong != NULL;
}

/* Folders of the modules, as make builds them. */
static const char *const folders[] = {
    "plugins/function_builtin/.libs", "plugins/operator_aggregate/.libs", "plugins/operator_basic/.libs",
    "plugins/operator_deduplicate/.libs", "plugins/operator_group/.libs", "plugins/operator_join/.libs",
    "plugins/operator_order/.libs", "plugins/operator_state/.libs", "plugins/operator_window/.libs",
    "plugins/sink_null/.libs", "plugins/source_rate/.libs",
};
#define FOLDERS (sizeof folders / sizeof *folders)

int main(int argc, char **argv)
{
    static char paths[FOLDERS][4096];
    const char *list[FOLDERS];
    struct weir_error error = WEIR_ERROR_INIT;
    struct registry_options options = { .paths = list, .n_paths = FOLDERS, .no_user_directories = 1,
                                        .probe_program = "tools/weir/weir" };
    struct registry *registry;
    char here[2048];
    int failed = 0;
    if (!getcwd(here, sizeof here)) return 71;
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", here, folders[i]);
        list[i] = paths[i];
    }
    struct weir_sys *outside = sys_real_create();
    if (!outside || registry_create(outside, &options, &registry, &error) != WEIR_OK) {
        fprintf(stderr, "constant: %s\n", error.text);
        return 71;
    }
    for (size_t i = 0; i < KINDS; i++) {
        struct figures figures = { 0 };
        if (argc > 1 && !strstr(kinds[i].name, argv[1])) continue;
        if (!registry_find(registry, WEIR_KIND_OPERATOR, kinds[i].plugin)) {
            printf("constant %-30s skipped: no %s here\n", kinds[i].name, kinds[i].plugin);
            continue;
        }
        int status = run_apart(&kinds[i], registry, &figures);
        failed += judge(&kinds[i], status, &figures);
    }
    registry_destroy(registry);
    sys_destroy(outside);
    return failed ? 1 : 0;
}
