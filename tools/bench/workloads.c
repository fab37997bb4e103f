/*
 * workloads.c - the workloads: input, job, result. Sizes are defaults; --records N changes them, and
 * the generator's seed is fixed, so the same N is the same input.
 */
#include "tools/bench/bench.h"

static char text[256 << 10];

#define JOB(...)                                                                                   \
    do {                                                                                           \
        snprintf(text, sizeof text, __VA_ARGS__);                                                  \
        return text;                                                                               \
    } while (0)

static const char *grep_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)records;
    JOB("{\"name\": \"grep\", \"trigger\": \"available_now\",%s"
        " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/lines.txt\", \"format\": \"text\"}},"
        " \"operators\": {\"hits\": {\"plugin\": \"filter\", \"from\": \"in\","
        "                            \"where\": \"contains(value, 'NEEDLE-8')\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"hits\"}}}",
        bench_checkpoint_member(checkpoint), directory);
}

static const char *words_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)records;
    JOB("{\"name\": \"wordcount\", \"trigger\": \"available_now\",%s \"memory_limit\": \"4Gi\","
        " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/words.txt\", \"format\": \"text\"}},"
        " \"operators\": {\"words\": {\"plugin\": \"split\", \"from\": \"in\", \"into\": \"word\"},"
        "                 \"counts\": {\"plugin\": \"aggregate\", \"from\": \"words\", \"by\": [\"word\"],"
        "                              \"values\": {\"n\": \"count(*)\"}, \"output_mode\": \"update\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"counts\"}}}",
        bench_checkpoint_member(checkpoint), directory);
}

/* Views by campaign and 10 s of event time. The campaigns of the ads stand in the job. */
static const char *ysb_job(const char *directory, const char *checkpoint, uint64_t records)
{
    static char ads[192 << 10];
    (void)records;
    if (ysb_ads(ads, sizeof ads) != 0) return "";
    JOB("{\"name\": \"ysb\", \"trigger\": \"available_now\",%s"
        " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/events.json\", \"format\": \"json\","
        "   \"columns\": \"user_id string, page_id string, ad_id string, ad_type string, "
        "event_type string, event_time string, ip_address string\"}},"
        " \"operators\": {\"views\": {\"plugin\": \"filter\", \"from\": \"in\","
        "                             \"where\": \"event_type = 'view'\"},"
        "  \"known\": {\"plugin\": \"lookup\", \"from\": \"views\", \"on\": \"ad_id = table.ad\","
        "   \"columns\": [\"table.campaign as campaign\", \"views.event_time as event_time\"],"
        "   \"table\": {\"columns\": \"ad string, campaign string\", \"rows\": [%s]}},"
        "  \"counts\": {\"plugin\": \"aggregate\", \"from\": \"known\","
        "   \"by\": [\"campaign\", \"cast(event_time as bigint) div 10000 * 10000000 as start\"],"
        "   \"values\": {\"n\": \"count(*)\"}, \"output_mode\": \"update\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"counts\"}}}",
        bench_checkpoint_member(checkpoint), directory, ads);
}

static const char *events_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)directory;
    bench_source = (struct bench_source){ .rows = records, .partitions = 2 };
    if (bench_prepare(1) != 0) return "";
    JOB("{\"name\": \"ysb\", \"trigger\": \"available_now\",%s"
        " \"sources\": {\"in\": {\"plugin\": \"bench_events\"}},"
        " \"operators\": {\"views\": {\"plugin\": \"filter\", \"from\": \"in\", \"where\": \"event = 0\"},"
        "  \"counts\": {\"plugin\": \"aggregate\", \"from\": \"views\","
        "   \"by\": [\"ad %% 100 as campaign\", \"unix_millis(time) div 10000 * 10000000 as start\"],"
        "   \"values\": {\"n\": \"count(*)\"}, \"output_mode\": \"update\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"counts\"}}}",
        bench_checkpoint_member(checkpoint));
}

static const char *csv_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)records;
    JOB("{\"name\": \"keyed\", \"trigger\": \"available_now\",%s \"memory_limit\": \"4Gi\","
        " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/keyed.csv\", \"format\": \"csv\","
        "                        \"columns\": \"k int64, v int64\"}},"
        " \"operators\": {\"sums\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
        "                            \"values\": {\"n\": \"count(*)\", \"total\": \"sum(v)\"},"
        "                            \"output_mode\": \"update\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"sums\"}}}",
        bench_checkpoint_member(checkpoint), directory);
}

static const char *typed_job(uint64_t records, uint64_t distinct, const char *checkpoint)
{
    bench_source = (struct bench_source){ .rows = records, .distinct = distinct, .partitions = 2 };
    JOB("{\"name\": \"keyed\", \"trigger\": \"1s\",%s \"memory_limit\": \"8Gi\","
        " \"sources\": {\"in\": {\"plugin\": \"bench_keys\"}},"
        " \"operators\": {\"sums\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
        "                            \"values\": {\"n\": \"count(*)\", \"total\": \"sum(v)\"},"
        "                            \"output_mode\": \"update\"}},"
        " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"sums\"}}}",
        bench_checkpoint_member(checkpoint));
}

static const char *keyed_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)directory;
    return typed_job(records, 1000000, checkpoint);
}

static const char *keyed_big_job(const char *directory, const char *checkpoint, uint64_t records)
{
    (void)directory;
    return typed_job(records, 10000000, checkpoint);
}

const struct workload workloads[] = {
    { "grep", "100 B lines, an 8 B needle in 1 %: filter and emit; records are lines", 10737418, 0,
      grep_generate, grep_job, grep_expect, NULL },
    { "wordcount", "5,000 words of 7 letters, 10 a line: counts, update mode; records are words",
      76000000, 0, words_generate, words_job, words_expect, NULL },
    { "wordcount-zipf", "1 M words of 3 to 12 letters, Zipf s = 1: counts, update mode", 40000000, 0,
      zipf_generate, words_job, zipf_expect, NULL },
    { "ysb-json", "YSB events as JSON: views by campaign and 10 s of event time", 4000000, 0,
      ysb_generate, ysb_job, ysb_expect, NULL },
    { "ysb-json-odd", "the same with shuffled members, escapes, 1 % odd records", 4000000, 0,
      ysb_odd_generate, ysb_job, ysb_expect, NULL },
    { "ysb-columns", "YSB events as typed columns in memory: views by campaign and 10 s", 50000000, 0, NULL,
      events_job, events_expect, NULL },
    { "keyed-csv", "count and sum over 1e6 keys from CSV, update mode", 20000000, 0, keyed_generate,
      csv_job, keyed_expect, NULL },
    { "keyed-1e6", "typed keys: count and sum over 1e6 keys, update mode, every batch checkpointed",
      100000000, 1, NULL, keyed_job, keyed_expect, NULL },
    { "keyed-1e7", "the same over 1e7 keys", 100000000, 1, NULL, keyed_big_job, keyed_big_expect,
      NULL },
    { "sliding", "sum over a window of 60 slides, 1e3 keys, by the inverse; 1 M records a slide",
      100000000, 0, NULL, NULL, NULL, bench_sliding },
    { "socket-count", "4 senders, lines of 100 B in writes of 16 KiB: counted per batch", 20000000,
      0, NULL, NULL, NULL, bench_socket_count },
    { "socket-file", "4 senders, lines of 200 B in writes of 16 KiB: into files, exactly once",
      10000000, 1, NULL, NULL, NULL, bench_socket_file },
    { "latency", "10 k records/s over a socket, counted by key, 1 ms trigger, back over a socket",
      600000, 0, NULL, NULL, NULL, bench_latency },
    { "restart-1e6", "kill -9 with 1e6 keys in state: start to the first correct row", 1000000, 1,
      NULL, NULL, NULL, bench_restart },
    { "restart-1e7", "the same with 1e7 keys", 10000000, 1, NULL, NULL, NULL, bench_restart },
    { "footprint", "start time and idle memory of the weir command", 0, 0, NULL, NULL, NULL,
      bench_footprint },
};

const uint32_t n_workloads = sizeof workloads / sizeof *workloads;
