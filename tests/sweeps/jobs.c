/*
 * jobs.c - the jobs that are swept: small, but each with several batches, several partitions or several sinks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweeps/sweep.h"

#define FILE_US INT64_C(1600000000000000)

/* ---- file → filter → file: one file, cut by records; places in the middle of it ---- */

static void fill_numbers(struct sim_disk *disk)
{
    char text[4096];
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d,word %d\n", i, i * 7 % 13);
    sim_disk_put(disk, "in/numbers.csv", text, n, FILE_US);
}

#define NUMBERS                                                                                    \
    "\"trigger\": \"available_now\", \"checkpoint\": \"cp\","                                      \
    " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"csv\","         \
    "                        \"columns\": \"n int64, word string\", \"max_records\": 30}},"        \
    " \"operators\": {\"some\": {\"plugin\": \"filter\", \"from\": \"in\", \"where\": \"n % 3 <> 0\"}},"

static const char file_filter_file[] =
    "{\"name\": \"filter\"," NUMBERS
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"some\", \"path\": \"out\", \"format\": \"csv\"}}}";

/* Files that grow over batches. */
static const char file_filter_roll[] =
    "{\"name\": \"roll\"," NUMBERS
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"some\", \"path\": \"out\", \"format\": \"csv\","
    "                       \"roll\": {\"size\": \"400\"}}}}";

/* ---- file → aggregate → file: several files, one per batch; state and an upsert stream ---- */

static void fill_keys(struct sim_disk *disk)
{
    for (int f = 0; f < 5; f++) {
        char text[4096], name[64];
        size_t n = 0;
        for (int i = 0; i < 24; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "k%d,%d\n", (i * (f + 3) + f) % 17,
                                  f * 100 + i);
        snprintf(name, sizeof name, "in/%d.csv", f);
        sim_disk_put(disk, name, text, n, FILE_US + f * 1000000);
    }
}

static const char file_aggregate_file[] =
    "{\"name\": \"aggregate\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"csv\", \"max_files\": 1,"
    "                        \"order\": \"name\", \"on_done\": \"delete\", \"columns\": \"k string, v int64\"}},"
    " \"operators\": {\"sums\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
    "                            \"values\": {\"n\": \"count(*)\", \"total\": \"sum(v)\"}}},"
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"sums\", \"path\": \"out\", \"format\": \"csv\","
    "                       \"changes\": true}}}";

/* ---- streams: a record is 8 bytes; what no PLAN names is sent again ---- */

#define RECORDS 40
#define RECORD_BYTES 8

static void records_put(char text[RECORDS * RECORD_BYTES + 1])
{
    for (int i = 0; i < RECORDS; i++) sprintf(text + i * RECORD_BYTES, "r%06d\n", i);
}

/* All records, once each, in order. */
static int judge_records(const struct output *out, char why[ORACLE_TEXT])
{
    char want[RECORDS * RECORD_BYTES + 1];
    size_t length, i = 0;
    char *got = output_text(out, &length);
    records_put(want);
    while (i < length && i < sizeof want - 1 && got[i] == want[i]) i++;
    int same = length == sizeof want - 1 && i == length;
    if (!same)
        snprintf(why, ORACLE_TEXT, "%zu records are there, %d were sent; record %zu is \"%.7s\"",
                 length / RECORD_BYTES, RECORDS, i / RECORD_BYTES,
                 got + i / RECORD_BYTES * RECORD_BYTES);
    free(got);
    return same ? 0 : -1;
}

/* ---- stdin → file ---- */

static void script_stdin(struct weir_sys *sys, uint64_t named)
{
    char text[RECORDS * RECORD_BYTES + 1];
    records_put(text);
    sim_stdin(sys, text + named, sizeof text - 1 - named);
}

static const char stdin_file[] =
    "{\"name\": \"stdin\", \"trigger\": \"asap\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"stdin\", \"format\": \"text\", \"max_records\": 12}},"
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"in\", \"path\": \"out\", \"format\": \"text\"}}}";

/* ---- socket → count → file, and the records themselves beside it ---- */

#define PORT 9999
#define BURSTS 4

struct burst {
    struct weir_sys *sys;
    int peer;
    uint64_t from, until;
};

static struct burst bursts[BURSTS + 1];

static void send_burst(void *arg)
{
    const struct burst *burst = arg;
    char text[RECORDS * RECORD_BYTES + 1];
    records_put(text);
    if (burst->peer < 0)
        sim_signal(burst->sys);
    else
        sim_peer_send(burst->sys, burst->peer, text + burst->from, burst->until - burst->from);
}

/* Bursts over some seconds, then the end. */
static void script_socket(struct weir_sys *sys, uint64_t named)
{
    uint64_t at = named, all = RECORDS * RECORD_BYTES;
    int peer = sim_peer(sys, PORT, NULL, 0, 5, 0);
    for (int i = 0; i < BURSTS; i++) {
        uint64_t n = (all - named) / BURSTS / RECORD_BYTES * RECORD_BYTES + 3; /* records are torn */
        uint64_t until = i == BURSTS - 1 || at + n > all ? all : at + n;
        bursts[i] = (struct burst){ sys, peer, at, until };
        at = until;
        sim_at(sys, sys_mono(sys) + 300000 + i * 700000, send_burst, &bursts[i]);
    }
    bursts[BURSTS] = (struct burst){ sys, -1, 0, 0 };
    sim_at(sys, sys_mono(sys) + 300000 + BURSTS * 700000, send_burst, &bursts[BURSTS]);
}

/* Every record once, in each batch as many as were counted, and a batch for every tick. */
static int judge_counts(const struct output *outputs, char why[ORACLE_TEXT])
{
    const struct output *counts = &outputs[0], *lines = &outputs[1];
    uint32_t k = 0;
    long long last_ms = 0;
    if (judge_records(lines, why) != 0) return -1;
    for (uint32_t i = 0; i < counts->n; i++) {
        const struct output_batch *batch = &counts->batches[i];
        long n = strtol(batch->text, NULL, 10), want = 0;
        if (k < lines->n && lines->batches[k].batch == batch->batch)
            want = (long)(lines->batches[k++].length / RECORD_BYTES);
        if (batch->batch != i || n != want) {
            snprintf(why, ORACLE_TEXT, "batch %llu, the %u-th, counts %ld records, has %ld",
                     (unsigned long long)batch->batch, i, n, want);
            return -1;
        }
        long long ms = strtoll(strchr(batch->name, '-') + 1, NULL, 10);
        if (i && ms != last_ms + 1000) {
            snprintf(why, ORACLE_TEXT, "batch %u is of %lld ms, the one before of %lld", i, ms, last_ms);
            return -1;
        }
        last_ms = ms;
    }
    if (k == lines->n) return 0;
    snprintf(why, ORACLE_TEXT, "a batch with records has no count");
    return -1;
}

static const char socket_count_file[] =
    "{\"name\": \"count\", \"trigger\": \"1s\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"socket\", \"port\": 9999}},"
    " \"operators\": {\"n\": {\"plugin\": \"count\", \"from\": \"in\"}},"
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"n\", \"path\": \"out\", \"format\": \"csv\","
    "                       \"name\": \"{batch}-{time_ms}-{partition}\"},"
    "             \"lines\": {\"plugin\": \"file\", \"from\": \"in\", \"path\": \"lines\", \"format\": \"text\"}}}";

/* ---- file → count → file, tick by tick: the job is stopped long after the last row ---- */

#define TICKS 5 /* batches with rows */

static void stop_ticking(void *arg)
{
    sim_signal(arg);
}

static void script_ticks(struct weir_sys *sys, uint64_t named)
{
    (void)named;
    sim_at(sys, sys_mono(sys) + (TICKS + 2) * 1000000, stop_ticking, sys);
}

#define TICKING                                                                                    \
    "\"trigger\": \"1s\", \"checkpoint\": \"cp\","                                               \
    " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"csv\","         \
    "                        \"columns\": \"n int64, word string\", \"max_records\": 20}},"

static const char file_count_ticks[] =
    "{\"name\": \"ticks\"," TICKING
    " \"operators\": {\"c\": {\"plugin\": \"count\", \"from\": \"in\"}},"
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"c\", \"path\": \"out\", \"format\": \"csv\"}}}";

/* ---- socket → seen: an idempotent sink finishes before STATE ---- */

static const char socket_seen[] =
    "{\"name\": \"seen\", \"trigger\": \"asap\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"socket\", \"port\": 9999}},"
    " \"sinks\": {\"out\": {\"plugin\": \"seen\", \"from\": \"in\", \"path\": \"seen\", \"format\": \"text\"}}}";

/* ---- stdin → dice → seen: rows that no replay gives again, so the sink gets them from the log ---- */

static const char stdin_dice_seen[] =
    "{\"name\": \"dice\", \"trigger\": \"asap\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"stdin\", \"format\": \"text\", \"max_records\": 12}},"
    " \"operators\": {\"d\": {\"plugin\": \"dice\", \"from\": \"in\"}},"
    " \"sinks\": {\"out\": {\"plugin\": \"seen\", \"from\": \"d\", \"path\": \"seen\", \"format\": \"text\"}}}";

/* Every record once, whatever its first letter; `seen` complains of a batch that comes with other rows. */
static int judge_dice(const struct output *out, char why[ORACLE_TEXT])
{
    for (uint32_t i = 0; i < out->n; i++)
        for (size_t k = 0; k < out->batches[i].length; k += RECORD_BYTES)
            if (out->batches[i].text[k] == 'R') out->batches[i].text[k] = 'r';
    return judge_records(out, why);
}

/* ---- file → churn → file: keys come and go, their slots are taken again ---- */

#define CHURN_ROWS 60
#define CHURN_BATCHES 12
#define CHURN_FILLED 4 /* batches of keys that come once */
#define CHURN_KEYS (CHURN_FILLED * CHURN_ROWS)

/* All keys once; then batches of a few hot ones of each group, so that most slots have old bases, for
 * which the little that is logged can't pay soon. A hot key stays for three batches and ends in the second
 * one. */
static void fill_churn(struct sim_disk *disk)
{
    static char text[CHURN_ROWS * CHURN_BATCHES * 24];
    size_t n = 0;
    for (int i = 0; i < CHURN_ROWS * CHURN_BATCHES; i++) {
        int b = i / CHURN_ROWS, r = i % CHURN_ROWS;
        int key = b < CHURN_FILLED ? i : b * 2 + r % 6;
        int ends = b >= CHURN_FILLED && r >= CHURN_ROWS - 6 && (r % 6 == 2 || r % 6 == 3);
        n += (size_t)snprintf(text + n, sizeof text - n, "b%d,k%d,%d\n", key % 5, key,
                              3 * i + !ends);
    }
    sim_disk_put(disk, "in/churn.csv", text, n, FILE_US);
}

static const char file_churn_file[] =
    "{\"name\": \"churn\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
    " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"csv\","
    "                        \"columns\": \"b string, k string, v int64\","
    "                        \"max_records\": 60}},"
    " \"operators\": {\"c\": {\"plugin\": \"churn\", \"from\": \"in\"}},"
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"c\", \"path\": \"out\", \"format\": \"csv\"}}}";

static const struct sweep_job engine_jobs[] = {
    { .name = "file-filter-file", .text = file_filter_file, .outputs = { "out" },
      .fill = fill_numbers },
    /* one worker: with more of them `order` is not kept strictly in the first batch of a life */
    { .name = "file-aggregate-file", .text = file_aggregate_file, .outputs = { "out" },
      .workers = 1, .fill = fill_keys },
    { .name = "socket-count-file", .text = socket_count_file, .outputs = { "out", "lines" },
      .script = script_socket, .source = "in", .stopped = 1, .judge = judge_counts },
    { .name = "file-count-ticks", .text = file_count_ticks, .outputs = { "out" },
      .fill = fill_numbers, .script = script_ticks, .stopped = 1, .batches = TICKS },
    { .name = "stdin-file", .text = stdin_file, .outputs = { "out" }, .script = script_stdin,
      .source = "in", .judge = judge_records },
    { .name = "file-filter-roll", .text = file_filter_roll, .outputs = { "out" },
      .fill = fill_numbers },
    { .name = "file-churn-file", .text = file_churn_file, .outputs = { "out" },
      .fill = fill_churn },
    { .name = "socket-seen", .text = socket_seen, .outputs = { "seen" }, .seen = 1,
      .script = script_socket, .source = "in", .stopped = 1, .judge = judge_records },
    { .name = "stdin-dice-seen", .text = stdin_dice_seen, .outputs = { "seen" }, .seen = 1,
      .script = script_stdin, .source = "in", .judge = judge_dice },
};
#define N_ENGINE_JOBS (sizeof engine_jobs / sizeof *engine_jobs)

const struct sweep_job *sweep_job_at(uint32_t i)
{
    if (i < N_ENGINE_JOBS) return &engine_jobs[i];
    i -= N_ENGINE_JOBS;
    return i < n_sweep_state_jobs ? &sweep_state_jobs[i] : NULL;
}

const struct sweep_job *sweep_job_find(const char *name)
{
    const struct sweep_job *job;
    for (uint32_t i = 0; (job = sweep_job_at(i)); i++)
        if (strcmp(job->name, name) == 0) return job;
    return NULL;
}
