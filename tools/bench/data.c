/*
 * data.c - seeded inputs as files, and the results that they must have, computed from the generator
 * alone.
 */
#include <stdlib.h>

#include "tools/bench/bench.h"

#define WORDS 5000u
#define ZIPF_WORDS 1000000u
#define WORDS_PER_LINE 10u
#define KEYS 1000000u
#define KEYS_BIG 10000000u

static FILE *create(const char *directory, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file) setvbuf(file, NULL, _IOFBF, 1 << 20);
    else perror(path);
    return file;
}

static int finish(FILE *file, uint64_t *bytes)
{
    long at = ftell(file);
    *bytes = at < 0 ? 0 : (uint64_t)at;
    return fclose(file) == 0 && at >= 0 ? 0 : -1;
}

/* Decimal digits of a number; returns their end. */
static char *put_number(char *to, uint64_t n)
{
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    while (count) *to++ = digits[--count];
    return to;
}

static char *put_text(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

/* ---- grep: lines of 100 bytes, about one in a hundred holds the needle ---- */

static int grep_line(struct bench_random *random, char line[100])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789 ";
    for (int k = 0; k < 96; k += 8) {
        uint64_t r = bench_next(random);
        for (int j = 0; j < 8; j++) line[k + j] = letters[(r >> (8 * j) & 255) % 37];
    }
    memcpy(line + 96, "abc\n", 4);
    if (bench_below(random, 100) != 0) return 0;
    memcpy(line + bench_below(random, 80), "NEEDLE-8", 8);
    return 1;
}

int grep_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    struct bench_random random = { 1 };
    char line[100];
    FILE *file = create(directory, "lines.txt");
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        grep_line(&random, line);
        if (fwrite(line, 100, 1, file) != 1) break;
    }
    return finish(file, bytes);
}

uint64_t grep_expect(uint64_t records)
{
    struct bench_random random = { 1 };
    uint64_t checksum = 0;
    char line[100];
    for (uint64_t i = 0; i < records; i++)
        if (grep_line(&random, line)) checksum += bench_cell_text(BENCH_ROW, line, 99);
    return checksum;
}

/* ---- words, 10 a line ---- */

static uint32_t word_of_seven(uint32_t n, char *out)
{
    struct bench_random random = { n * 7919ull + 3 };
    for (int k = 0; k < 7; k++) out[k] = (char)('a' + bench_below(&random, 26));
    return 7;
}

/* 3 to 12 letters; all are different: the first letters of a word spell its number. */
static uint32_t word_of_many(uint32_t n, char *out)
{
    struct bench_random random = { n * 104729ull + 5 };
    uint32_t length = 3 + (uint32_t)bench_below(&random, 10), spelled, left = n;
    if (length == 3 && n >= 17576) length = 8;
    if (length == 4 && n >= 456976) length = 7;
    spelled = length < 5 ? length : 5;
    for (uint32_t k = 0; k < spelled; k++, left /= 26) out[k] = (char)('a' + left % 26);
    for (uint32_t k = spelled; k < length; k++) out[k] = (char)('a' + bench_below(&random, 26));
    return length;
}

/* Numbers below ZIPF_WORDS, n with a weight of 1 / (n + 1): sums of weights, and where to begin looking. */
struct zipf {
    uint64_t *sums;
    uint32_t *guide; /* by the top 16 bits of the place among all weights */
};

static int zipf_init(struct zipf *zipf)
{
    uint64_t sum = 0;
    zipf->sums = malloc(ZIPF_WORDS * sizeof *zipf->sums);
    zipf->guide = malloc(65537 * sizeof *zipf->guide);
    if (!zipf->sums || !zipf->guide) return -1;
    for (uint64_t n = 0; n < ZIPF_WORDS; n++) zipf->sums[n] = sum += (1ull << 44) / (n + 1);
    for (uint32_t g = 0, n = 0; g <= 65536; g++) {
        while (n < ZIPF_WORDS - 1 && zipf->sums[n] <= (uint64_t)(((unsigned __int128)sum * g) >> 16)) n++;
        zipf->guide[g] = n;
    }
    return 0;
}

static void zipf_fini(struct zipf *zipf)
{
    free(zipf->sums);
    free(zipf->guide);
}

static uint32_t zipf_next(const struct zipf *zipf, struct bench_random *random)
{
    uint64_t r = bench_next(random), total = zipf->sums[ZIPF_WORDS - 1];
    uint64_t at = (uint64_t)(((unsigned __int128)total * r) >> 64);
    uint32_t low = zipf->guide[r >> 48], high = zipf->guide[(r >> 48) + 1];
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (zipf->sums[middle] <= at) low = middle + 1;
        else high = middle;
    }
    return low;
}

typedef uint32_t spell_fn(uint32_t n, char *out);

/* Words by number: all spelled once, 16 bytes each, the last one the length. */
static char *spell_all(uint32_t n, spell_fn *spell)
{
    char *words = calloc(n, 16);
    for (uint32_t i = 0; words && i < n; i++) words[16 * (size_t)i + 15] = (char)spell(i, words + 16 * (size_t)i);
    return words;
}

static uint32_t next_word(const struct zipf *zipf, struct bench_random *random)
{
    return zipf ? zipf_next(zipf, random) : (uint32_t)bench_below(random, WORDS);
}

static int write_words(const char *directory, uint64_t records, uint64_t *bytes, const char *words,
                       const struct zipf *zipf)
{
    struct bench_random random = { 2 };
    char line[16 * WORDS_PER_LINE];
    FILE *file = create(directory, "words.txt");
    if (!file) return -1;
    for (uint64_t i = 0; i < records;) {
        char *to = line;
        for (uint32_t k = 0; k < WORDS_PER_LINE && i < records; k++, i++) {
            const char *word = words + 16 * (size_t)next_word(zipf, &random);
            memcpy(to, word, 15);
            to += word[15];
            *to++ = ' ';
        }
        to[-1] = '\n';
        if (fwrite(line, (size_t)(to - line), 1, file) != 1) break;
    }
    return finish(file, bytes);
}

static uint64_t count_words(uint64_t records, uint32_t n, const char *words, const struct zipf *zipf)
{
    struct bench_random random = { 2 };
    uint64_t checksum = 0, *counts = calloc(n, sizeof *counts);
    if (!counts) return 0;
    for (uint64_t i = 0; i < records; i++) counts[next_word(zipf, &random)]++;
    for (uint32_t i = 0; i < n; i++) {
        const char *word = words + 16 * (size_t)i;
        if (!counts[i]) continue;
        checksum += bench_cell_int(bench_cell_text(BENCH_ROW, word, (uint64_t)word[15]), (int64_t)counts[i]);
    }
    free(counts);
    return checksum;
}

int words_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    char *words = spell_all(WORDS, word_of_seven);
    int failed = words ? write_words(directory, records, bytes, words, NULL) : -1;
    free(words);
    return failed;
}

uint64_t words_expect(uint64_t records)
{
    char *words = spell_all(WORDS, word_of_seven);
    uint64_t checksum = words ? count_words(records, WORDS, words, NULL) : 0;
    free(words);
    return checksum;
}

int zipf_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    struct zipf zipf;
    char *words = spell_all(ZIPF_WORDS, word_of_many);
    int failed = words && zipf_init(&zipf) == 0 ? write_words(directory, records, bytes, words, &zipf) : -1;
    zipf_fini(&zipf);
    free(words);
    return failed;
}

uint64_t zipf_expect(uint64_t records)
{
    struct zipf zipf;
    char *words = spell_all(ZIPF_WORDS, word_of_many);
    uint64_t checksum = words && zipf_init(&zipf) == 0 ? count_words(records, ZIPF_WORDS, words, &zipf) : 0;
    zipf_fini(&zipf);
    free(words);
    return checksum;
}

/* ---- YSB: events of about 254 bytes with 7 text fields; ads.csv says the campaign of each ad ---- */

static char *put_uuid(char *to, uint64_t kind, uint64_t n)
{
    static const char hex[] = "0123456789abcdef";
    struct bench_random random = { kind << 32 | n };
    uint64_t a = bench_next(&random), b = bench_next(&random);
    for (int k = 0; k < 32; k++) {
        if (k == 8 || k == 12 || k == 16 || k == 20) *to++ = '-';
        *to++ = hex[(k < 16 ? a >> (4 * k) : b >> (4 * (k - 16))) & 15];
    }
    return to;
}

enum { UUID_USER = 1, UUID_PAGE, UUID_AD, UUID_CAMPAIGN };

struct event {
    uint64_t user, page, ad, event, type;
    int64_t ms;
};

static struct event next_event(struct bench_random *random, uint64_t i)
{
    uint64_t r = bench_next(random);
    struct event e = { .user = (r & 0xffff) % 100, .page = (r >> 16 & 0xffff) % 100,
                       .ad = (r >> 32 & 0xfffff) % YSB_ADS, .event = (r >> 52 & 0xff) % 3,
                       .type = (r >> 60) % 5, .ms = YSB_START_MS + (int64_t)(i / 100) };
    return e;
}

static const char *const event_names[] = { "view", "click", "purchase" };
static const char *const ad_types[] = { "banner", "modal", "sponsored-search", "mail", "mobile" };

/* Member k of an event. `odd`: with escapes. */
static char *put_member(char *to, const struct event *e, int k, int odd)
{
    char *const begin = to;
    switch (k) {
    case 0: to = put_uuid(put_text(to, "\"user_id\": \""), UUID_USER, e->user); break;
    case 1: to = put_uuid(put_text(to, "\"page_id\": \""), UUID_PAGE, e->page); break;
    case 2: to = put_uuid(put_text(to, "\"ad_id\": \""), UUID_AD, e->ad); break;
    case 3: to = put_text(put_text(to, "\"ad_type\": \""), ad_types[e->type]); break;
    case 4: to = put_text(put_text(to, "\"event_type\": \""), event_names[e->event]); break;
    case 5: to = put_number(put_text(to, "\"event_time\": \""), (uint64_t)e->ms); break;
    default:
        to = put_text(to, "\"ip_address\": \"1.2.3.");
        to = put_number(to, e->user + 100);
    }
    *to++ = '"';
    if (!odd || k != 4) return to;
    /* v of view as an escape */
    memcpy(begin, "\"event_type\": \"", 15);
    to = begin + 15;
    to = e->event == 0 ? put_text(to, "\\u0076iew") : put_text(to, event_names[e->event]);
    *to++ = '"';
    return to;
}

int ysb_ads(char *out, size_t size)
{
    char *to = out;
    if (size < YSB_ADS * 96u) return -1;
    for (uint64_t ad = 0; ad < YSB_ADS; ad++) {
        to = put_uuid(put_text(to, ad ? ",[\"" : "[\""), UUID_AD, ad);
        to = put_uuid(put_text(to, "\",\""), UUID_CAMPAIGN, ad % YSB_CAMPAIGNS);
        to = put_text(to, "\"]");
    }
    *to = 0;
    return 0;
}

/* The campaigns of the ads, as csv without header: ad_id,campaign_id. */
static int ads_generate(const char *directory)
{
    char line[128];
    uint64_t bytes;
    FILE *file = create(directory, "ads.csv");
    if (!file) return -1;
    for (uint64_t ad = 0; ad < YSB_ADS; ad++) {
        char *to = put_uuid(line, UUID_AD, ad);
        *to++ = ',';
        to = put_uuid(to, UUID_CAMPAIGN, ad % YSB_CAMPAIGNS);
        *to++ = '\n';
        if (fwrite(line, (size_t)(to - line), 1, file) != 1) break;
    }
    return finish(file, &bytes);
}

static int events_write(const char *directory, uint64_t records, uint64_t *bytes, int odd)
{
    struct bench_random random = { 3 }, order = { 4 };
    char line[1024];
    FILE *file = ads_generate(directory) == 0 ? create(directory, "events.json") : NULL;
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        struct event e = next_event(&random, i);
        char *to = line;
        uint64_t turn = odd ? bench_below(&order, 7) : 0, strange = odd && bench_below(&order, 100) == 0;
        *to++ = '{';
        if (strange) to = put_text(to, "\"more\": {\"a\": [1, {\"ad_id\": null}], \"b\\\"\": \"}\"}, ");
        for (uint64_t k = 0; k < 7; k++) {
            if (k) to = put_text(to, ", ");
            to = put_member(to, &e, (int)((k + turn) % 7), odd && bench_below(&order, 10) == 0);
        }
        to = put_text(to, strange ? " }\n" : "}\n");
        if (fwrite(line, (size_t)(to - line), 1, file) != 1) break;
    }
    return finish(file, bytes);
}

int ysb_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    return events_write(directory, records, bytes, 0);
}

int ysb_odd_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    return events_write(directory, records, bytes, 1);
}

/* Rows are campaign, start of the window in us, count: views by campaign in windows of 10 s. */
uint64_t ysb_expect(uint64_t records)
{
    struct bench_random random = { 3 };
    uint64_t windows = records / 100 / 10000 + 1, checksum = 0;
    uint64_t *counts = calloc(windows * YSB_CAMPAIGNS, sizeof *counts);
    if (!counts) return 0;
    for (uint64_t i = 0; i < records; i++) {
        struct event e = next_event(&random, i);
        if (e.event == 0)
            counts[(uint64_t)(e.ms - YSB_START_MS) / 10000 * YSB_CAMPAIGNS + e.ad % YSB_CAMPAIGNS]++;
    }
    for (uint64_t k = 0; k < windows * YSB_CAMPAIGNS; k++) {
        char campaign[40];
        if (!counts[k]) continue;
        put_uuid(campaign, UUID_CAMPAIGN, k % YSB_CAMPAIGNS);
        int64_t start = (YSB_START_MS + (int64_t)(k / YSB_CAMPAIGNS) * 10000) * 1000;
        uint64_t row = bench_cell_int(bench_cell_text(BENCH_ROW, campaign, 36), start);
        checksum += bench_cell_int(row, (int64_t)counts[k]);
    }
    free(counts);
    return checksum;
}

/* ---- events as numbers: ad,event,ms ---- */

int events_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    char line[128];
    FILE *file = create(directory, "events.csv");
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        char *to = put_number(line, (uint64_t)bench_event_ad(i));
        *to++ = ',';
        to = put_number(to, (uint64_t)bench_event_type(i));
        *to++ = ',';
        to = put_number(to, (uint64_t)bench_event_ms(i));
        *to++ = '\n';
        if (fwrite(line, (size_t)(to - line), 1, file) != 1) break;
    }
    return finish(file, bytes);
}

/* Rows are campaign, start of the window in us, count. */
uint64_t events_expect(uint64_t records)
{
    const int64_t first = YSB_START_MS / 10000;
    uint64_t windows = records / 10000 / 10000 + 2, checksum = 0;
    uint64_t *counts = calloc(windows * YSB_CAMPAIGNS, sizeof *counts);
    if (!counts) return 0;
    for (uint64_t i = 0; i < records; i++)
        if (bench_event_type(i) == 0)
            counts[(uint64_t)(bench_event_ms(i) / 10000 - first) * YSB_CAMPAIGNS +
                   (uint64_t)bench_event_ad(i) % YSB_CAMPAIGNS]++;
    for (uint64_t k = 0; k < windows * YSB_CAMPAIGNS; k++) {
        int64_t start = (first + (int64_t)(k / YSB_CAMPAIGNS)) * 10000000;
        if (!counts[k]) continue;
        uint64_t row = bench_cell_int(BENCH_ROW, (int64_t)(k % YSB_CAMPAIGNS));
        checksum += bench_cell_int(bench_cell_int(row, start), (int64_t)counts[k]);
    }
    free(counts);
    return checksum;
}

/* ---- keys: key,value ---- */

static int keys_write(const char *directory, uint64_t records, uint64_t *bytes, uint64_t distinct)
{
    char line[128];
    FILE *file = create(directory, "keyed.csv");
    if (!file) return -1;
    for (uint64_t i = 0; i < records; i++) {
        char *to = put_number(line, (uint64_t)bench_key(i, distinct));
        *to++ = ',';
        to = put_number(to, (uint64_t)bench_value(i));
        *to++ = '\n';
        if (fwrite(line, (size_t)(to - line), 1, file) != 1) break;
    }
    return finish(file, bytes);
}

/* Rows are key, count, sum. */
static uint64_t keys_expect(uint64_t records, uint64_t distinct)
{
    uint64_t checksum = 0, *counts = calloc(2 * distinct, sizeof *counts);
    if (!counts) return 0;
    for (uint64_t i = 0; i < records; i++) {
        int64_t key = bench_key(i, distinct);
        counts[2 * key]++;
        counts[2 * key + 1] += (uint64_t)bench_value(i);
    }
    for (uint64_t k = 0; k < distinct; k++) {
        if (!counts[2 * k]) continue;
        uint64_t row = bench_cell_int(BENCH_ROW, (int64_t)k);
        checksum += bench_cell_int(bench_cell_int(row, (int64_t)counts[2 * k]), (int64_t)counts[2 * k + 1]);
    }
    free(counts);
    return checksum;
}

int keyed_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    return keys_write(directory, records, bytes, KEYS);
}

int keyed_big_generate(const char *directory, uint64_t records, uint64_t *bytes)
{
    return keys_write(directory, records, bytes, KEYS_BIG);
}

uint64_t keyed_expect(uint64_t records)
{
    return keys_expect(records, KEYS);
}

uint64_t keyed_big_expect(uint64_t records)
{
    return keys_expect(records, KEYS_BIG);
}
