/*
 * workloads.c - the workloads: seeded input, the job, and what must come out.
 */
#include <stdlib.h>

#include "tools/bench/bench.h"

#define WORDS 5000u
#define WORDS_PER_LINE 10u

static char text[4096];

static FILE *create(const char *directory, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return fopen(path, "w");
}

static int finish(FILE *file, uint64_t *bytes)
{
    long at = ftell(file);
    *bytes = at < 0 ? 0 : (uint64_t)at;
    return fclose(file) == 0 && at >= 0 ? 0 : -1;
}

static const char *checkpoint_member(const char *checkpoint)
{
    static char member[1024];
    if (!checkpoint) return "";
    snprintf(member, sizeof member, " \"checkpoint\": \"%s\",", checkpoint);
    return member;
}

/* ---- grep: lines of 100 bytes, one in a hundred holds the needle ---- */

static uint64_t grep_hits;

static int grep_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789 ";
    struct bench_random random = { 1 };
    char line[101];
    FILE *file = create(directory, "lines.txt");
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        for (int k = 0; k < 96; k += 8) {
            uint64_t r = bench_next(&random);
            for (int j = 0; j < 8; j++) line[k + j] = letters[(r >> (8 * j) & 255) % 37];
        }
        memcpy(line + 96, "abc\n", 4);
        if (bench_below(&random, 100) == 0) memcpy(line + bench_below(&random, 80), "NEEDLE-8", 8);
        if (fwrite(line, 100, 1, file) != 1) break;
    }
    return finish(file, bytes);
}

static const char *grep_job(const char *directory, const char *checkpoint)
{
    snprintf(text, sizeof text,
             "{\"name\": \"grep\", \"trigger\": \"available_now\",%s"
             " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/lines.txt\", \"format\": \"text\"}},"
             " \"operators\": {\"hits\": {\"plugin\": \"filter\", \"from\": \"in\","
             "                            \"where\": \"contains(value, 'NEEDLE-8')\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"hits\"}}}",
             checkpoint_member(checkpoint), directory);
    return text;
}

static void grep_verify(uint64_t records, struct bench_result *result)
{
    struct bench_random random = { 1 };
    grep_hits = 0;
    for (uint64_t i = 0; i < records; i++) {
        for (int k = 0; k < 12; k++) bench_next(&random);
        if (bench_below(&random, 100) == 0) {
            grep_hits++;
            bench_next(&random);
        }
    }
    result->checksum = bench_seen.hash;
    if (bench_seen.rows != grep_hits || bench_seen.text_bytes != grep_hits * 99)
        snprintf(result->wrong, sizeof result->wrong, "%llu hits, not %llu",
                 (unsigned long long)bench_seen.rows, (unsigned long long)grep_hits);
}

/* ---- word count: 5,000 words of 7 letters, 10 a line; records are words ---- */

static void word(uint64_t n, char out[8])
{
    struct bench_random random = { n * 7919 + 3 };
    for (int k = 0; k < 7; k++) out[k] = (char)('a' + bench_below(&random, 26));
    out[7] = ' ';
}

static int words_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    struct bench_random random = { 2 };
    static char words[WORDS][8];
    char line[8 * WORDS_PER_LINE];
    FILE *file = create(directory, "words.txt");
    if (!file) return -1;
    for (uint64_t i = 0; i < WORDS; i++) word(i, words[i]);
    for (uint64_t i = 0; i < records; i += WORDS_PER_LINE) {
        for (uint32_t k = 0; k < WORDS_PER_LINE; k++)
            memcpy(line + 8 * k, words[bench_below(&random, WORDS)], 8);
        line[sizeof line - 1] = '\n';
        if (fwrite(line, sizeof line, 1, file) != 1) break;
    }
    return finish(file, bytes);
}

static const char *words_job(const char *directory, const char *checkpoint)
{
    snprintf(text, sizeof text,
             "{\"name\": \"wordcount\", \"trigger\": \"available_now\",%s"
             " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/words.txt\", \"format\": \"text\"}},"
             " \"operators\": {\"words\": {\"plugin\": \"split\", \"from\": \"in\", \"into\": \"word\"},"
             "                 \"counts\": {\"plugin\": \"count_by_value\", \"from\": \"words\","
             "                              \"column\": \"word\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"counts\"}}}",
             checkpoint_member(checkpoint), directory);
    return text;
}

static void words_verify(uint64_t records, struct bench_result *result)
{
    result->checksum = bench_seen.sum;
    if (bench_seen.sum != records || bench_seen.rows < WORDS || bench_seen.rows % WORDS != 0)
        snprintf(result->wrong, sizeof result->wrong, "%llu words in %llu rows, not %llu",
                 (unsigned long long)bench_seen.sum, (unsigned long long)bench_seen.rows,
                 (unsigned long long)records);
}

/* ---- JSON: records of about 250 bytes with 7 text fields; views are counted by ad ---- */

static int json_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    static const char *const events[] = { "view", "click", "purchase" };
    struct bench_random random = { 3 };
    FILE *file = create(directory, "events.json");
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        uint64_t user = bench_below(&random, 100), page = bench_below(&random, 100);
        uint64_t ad = bench_below(&random, 1000), event = bench_below(&random, 3);
        fprintf(file,
                "{\"user_id\":\"00000000-0000-4000-8000-%012llu\",\"page_id\":\"00000000-0000-4000-"
                "9000-%012llu\",\"ad_id\":\"00000000-0000-4000-a000-%012llu\",\"ad_type\":\"banner78\","
                "\"event_type\":\"%s\",\"event_time\":\"%llu\",\"ip_address\":\"10.0.0.%llu\"}\n",
                (unsigned long long)user, (unsigned long long)page, (unsigned long long)ad,
                events[event], (unsigned long long)(1700000000000 + i / 10),
                (unsigned long long)(user % 250));
    }
    return finish(file, bytes);
}

static const char *json_job(const char *directory, const char *checkpoint)
{
    snprintf(text, sizeof text,
             "{\"name\": \"ysb\", \"trigger\": \"available_now\",%s"
             " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"%s/events.json\", \"format\": \"json\","
             "   \"columns\": \"user_id string, page_id string, ad_id string, ad_type string, "
             "event_type string, event_time string, ip_address string\"}},"
             " \"operators\": {\"views\": {\"plugin\": \"filter\", \"from\": \"in\","
             "                             \"where\": \"event_type = 'view'\"},"
             "                 \"ads\": {\"plugin\": \"reduce_by_key\", \"from\": \"views\", \"by\": [\"ad_id\"],"
             "                           \"values\": {\"n\": \"count(*)\"}}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"ads\"}}}",
             checkpoint_member(checkpoint), directory);
    return text;
}

static void json_verify(uint64_t records, struct bench_result *result)
{
    struct bench_random random = { 3 };
    uint64_t views = 0;
    for (uint64_t i = 0; i < records; i++) {
        for (int k = 0; k < 3; k++) bench_next(&random);
        views += bench_below(&random, 3) == 0;
    }
    result->checksum = bench_seen.sum;
    if (bench_seen.sum != views)
        snprintf(result->wrong, sizeof result->wrong, "%llu views, not %llu",
                 (unsigned long long)bench_seen.sum, (unsigned long long)views);
}

/* ---- keyed: count and sum over 1e6 keys, every batch checkpointed ---- */

static const char *keyed_job(const char *directory, const char *checkpoint)
{
    (void)directory;
    snprintf(text, sizeof text,
             "{\"name\": \"keyed\", \"trigger\": \"available_now\",%s \"memory_limit\": \"4Gi\","
             " \"sources\": {\"in\": {\"plugin\": \"bench_keys\", \"max_records\": 4000000}},"
             " \"operators\": {\"sums\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
             "                            \"values\": {\"n\": \"count(*)\", \"total\": \"sum(v)\"},"
             "                            \"output_mode\": \"update\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"null\", \"from\": \"sums\"}}}",
             checkpoint_member(checkpoint));
    return text;
}

static void keyed_verify(uint64_t records, struct bench_result *result)
{
    (void)records;
    result->checksum = bench_seen.hash;
}

const struct workload workloads[] = {
    { "grep", "100 B lines, an 8 B needle in 1 %; records are lines", 10000000, 0, grep_generate,
      grep_job, grep_verify },
    { "wordcount", "5,000 words of 7 letters, 10 a line; records are words", 50000000, 0,
      words_generate, words_job, words_verify },
    { "ysb-json", "JSON of 250 B: filter views, count by ad; records are events", 4000000, 0,
      json_generate, json_job, json_verify },
    { "keyed-1e6", "typed keys: count and sum over 1e6 keys, update mode", 40000000, 1, NULL,
      keyed_job, keyed_verify },
};

const uint32_t n_workloads = sizeof workloads / sizeof *workloads;
