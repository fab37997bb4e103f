/*
 * sliding.c - a window of 60 slides over typed keys, which lie in memory before the job runs. A slide is a tick of
 * 1 ms, but a batch has the rows of many, so ticks follow each other without a pause and the clock is of no matter;
 * 60 s with slides of 1 s have the same work to do.
 */
#include <signal.h>
#include <stdlib.h>

#include "tools/bench/bench.h"

#define KEYS 1000u
#define SLIDES 60u
#define PARTITIONS 2u
#define BATCH_ROWS 524288u /* of each partition */

struct end {
    uint64_t records, checksum, rows;
};

/* What came until the batch with the last row; ticks go on behind it. */
static void stop_at_end(void *arg, const struct run *run, uint64_t batch)
{
    struct end *end = arg;
    (void)batch;
    if (run->summary.rows_in < end->records || end->rows) return;
    end->checksum = bench_seen.checksum;
    end->rows = bench_seen.rows;
    raise(SIGTERM);
}

/* Rows are key and sum, each key in each slide. */
static uint64_t expected(uint64_t records)
{
    const uint64_t step = (uint64_t)BATCH_ROWS * PARTITIONS, batches = records / step;
    uint64_t checksum = 0, *sums = calloc(batches * KEYS, sizeof *sums);
    for (uint64_t i = 0; sums && i < records; i++)
        sums[i / step * KEYS + (uint64_t)bench_key(i, KEYS)] += (uint64_t)bench_value(i);
    for (uint64_t k = 0; sums && k < KEYS; k++) {
        uint64_t window = 0;
        for (uint64_t b = 0; b < batches; b++) {
            window += sums[b * KEYS + k];
            if (b >= SLIDES) window -= sums[(b - SLIDES) * KEYS + k];
            checksum += bench_cell_int(bench_cell_int(BENCH_ROW, (int64_t)k), (int64_t)window);
        }
    }
    free(sums);
    return checksum;
}

int bench_sliding(const struct bench_options *o, const char *directory, uint64_t records,
                  struct bench_result *result)
{
    char text[2048], checkpoint[1024];
    const uint64_t step = (uint64_t)BATCH_ROWS * PARTITIONS;
    struct end end = { .records = (records + step - 1) / step * step };
    bench_source = (struct bench_source){ .rows = end.records, .distinct = KEYS,
                                          .batch = BATCH_ROWS, .partitions = PARTITIONS };
    if (bench_prepare(0) != 0) return 70;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    snprintf(text, sizeof text,
             "{\"name\": \"sliding\", \"trigger\": \"1ms\",%s \"memory_limit\": \"4Gi\","
             " \"backpressure\": {\"enabled\": false},"
             " \"sources\": {\"in\": {\"plugin\": \"bench_keys\"}},"
             " \"operators\": {\"sums\": {\"plugin\": \"reduce_by_key_and_window\", \"from\": \"in\","
             "     \"by\": [\"k\"], \"values\": {\"total\": \"sum(v)\"}, \"length\": \"%ums\","
             "     \"slide\": \"1ms\", \"inverse\": true}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"sums\"}}}",
             bench_checkpoint_member(result->checkpoint ? checkpoint : NULL), SLIDES);
    struct bench_job job = { .text = text, .hooks = { .batch_done = stop_at_end, .arg = &end } };
    bench_seen_reset();
    int status = bench_run_job(o, &job, result);
    result->records = end.records;
    result->bytes = end.records * 16;
    result->checksum = end.checksum;
    uint64_t checksum = expected(end.records);
    if (status == 0 && checksum != end.checksum)
        snprintf(result->wrong, sizeof result->wrong, "its checksum is %016llx, not %016llx",
                 (unsigned long long)end.checksum, (unsigned long long)checksum);
    return status;
}
