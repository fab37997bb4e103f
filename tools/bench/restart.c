/*
 * restart.c - a job with many keys is killed between PLAN and STATE of a batch, and started again:
 * how long from there to the first row, which needs the state of before. The result of all batches since
 * is checked against what an undisturbed job would give.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define BATCH_ROWS 32768u /* of each partition */
#define PARTITIONS 2u
#define MORE_BATCHES 8u

struct progress {
    uint64_t loaded;  /* rows of all keys */
    uint64_t rows_in; /* of batches that were finished */
    int armed;
};

static void note_rows(void *arg, const struct run *run, uint64_t batch)
{
    struct progress *p = arg;
    (void)batch;
    p->rows_in = run->summary.rows_in;
    if (p->rows_in >= p->loaded) p->armed = 1;
}

static void kill_when_armed(void *arg, uint64_t batch)
{
    const struct progress *p = arg;
    (void)batch;
    if (p->armed) kill(getpid(), SIGKILL);
}

/* The last row of each key that occurs from row `from` on. */
static uint64_t expected(uint64_t distinct, uint64_t from, uint64_t until)
{
    uint64_t checksum = 0;
    uint64_t *counts = calloc(2 * distinct, sizeof *counts);
    uint8_t *late = calloc(distinct, 1);
    for (uint64_t row = 0; counts && late && row < until; row++) {
        int64_t key = row < distinct ? (int64_t)row : bench_key(row, distinct);
        counts[2 * key]++;
        counts[2 * key + 1] += (uint64_t)bench_value(row);
        if (row >= from) late[key] = 1;
    }
    for (uint64_t k = 0; counts && late && k < distinct; k++) {
        if (!late[k]) continue;
        uint64_t row = bench_cell_int(BENCH_ROW, (int64_t)k);
        checksum += bench_cell_int(bench_cell_int(row, (int64_t)counts[2 * k]), (int64_t)counts[2 * k + 1]);
    }
    free(counts);
    free(late);
    return checksum;
}

int bench_restart(const struct bench_options *o, const char *directory, uint64_t records,
                  struct bench_result *result)
{
    char text[2048], checkpoint[1024];
    uint64_t step = (uint64_t)BATCH_ROWS * PARTITIONS, loaded = (records + step - 1) / step * step;
    struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    if (progress == MAP_FAILED) return 71;
    bench_source = (struct bench_source){ .rows = loaded + MORE_BATCHES * step, .distinct = records,
                                          .distinct_until = records, .batch = BATCH_ROWS,
                                          .partitions = PARTITIONS };
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    snprintf(text, sizeof text,
             "{\"name\": \"restart\", \"trigger\": \"available_now\",%s \"memory_limit\": \"8Gi\","
             " \"sources\": {\"in\": {\"plugin\": \"bench_keys\"}},"
             " \"operators\": {\"sums\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
             "                            \"values\": {\"n\": \"count(*)\", \"total\": \"sum(v)\"},"
             "                            \"output_mode\": \"update\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"sums\"}}}",
             bench_checkpoint_member(checkpoint));
    progress->loaded = loaded;
    struct bench_job job = { .text = text, .hooks = { .plan_done = kill_when_armed,
                                                      .batch_done = note_rows, .arg = progress } };
    pid_t pid = fork();
    if (pid == 0) _exit(bench_run_job(o, &job, result) ? 1 : 0);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) {
        fprintf(stderr, "weir-bench: the job was not killed\n");
        return 70;
    }
    memset(&job.hooks, 0, sizeof job.hooks);
    bench_seen_reset();
    double began = bench_now_s();
    status = bench_run_job(o, &job, result);
    result->restart_ms = (double)bench_seen.first_us / 1e3 - began * 1e3;
    result->records = bench_source.rows - progress->rows_in;
    result->checkpoint = 1;
    uint64_t checksum = expected(records, progress->rows_in, bench_source.rows);
    if (status == 0 && checksum != result->checksum)
        snprintf(result->wrong, sizeof result->wrong, "its checksum is %016llx, not %016llx",
                 (unsigned long long)result->checksum, (unsigned long long)checksum);
    munmap(progress, sizeof *progress);
    return status;
}
