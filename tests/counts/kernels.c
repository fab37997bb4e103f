/*
 * kernels.c - one inner loop over n records, for callgrind: `kernels NAME N`. Where a loop has a vector form
 * chosen at run time, its plain twin runs, so that counts don't depend on the processor. tests/counts/check
 * takes the difference of two runs, so what comes before the loop does not count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/array.h"
#include "core/data/node.h"
#include "core/state/hash.h"
#include "core/state/store.h"
#include "plugins/format_csv/csv_scan.h"
#include "plugins/format_json/json_walk.h"
#include "plugins/share/search.h"
#include "plugins/operator_basic/words.h"

#define ROWS 8192u

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    return z ^ (z >> 27);
}

static void *must(void *p)
{
    if (!p) exit(70);
    return p;
}

/* ---- inputs: always of ROWS rows, gone over again and again ---- */

static struct ArrowArray integers(uint64_t below)
{
    struct ArrowArray a;
    uint64_t random = 1;
    if (column_create(WEIR_TYPE_INT64, ROWS, 0, 0, &a, NULL) != WEIR_OK) exit(70);
    for (uint32_t i = 0; i < ROWS; i++)
        ((int64_t *)(uintptr_t)a.buffers[1])[i] = (int64_t)(next(&random) % below);
    return a;
}

/* Words of 3 to 12 letters, one of `below`. */
static struct ArrowArray texts(uint64_t below)
{
    struct ArrowArray a;
    uint64_t random = 2;
    if (column_create(WEIR_TYPE_UTF8, ROWS, ROWS * 16, 0, &a, NULL) != WEIR_OK) exit(70);
    int32_t *offsets = (int32_t *)(uintptr_t)a.buffers[1];
    char *bytes = (char *)(uintptr_t)a.buffers[2];
    offsets[0] = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t word = next(&random) % below, letters = word, n = 3 + word % 10;
        for (uint64_t k = 0; k < n; k++) bytes[(uint64_t)offsets[i] + k] = (char)('a' + next(&letters) % 26);
        offsets[i + 1] = offsets[i] + (int32_t)n;
    }
    return a;
}

/* ---- loops ---- */

static uint64_t words(uint64_t records)
{
    static uint32_t starts[ROWS + WORDS_BLOCK], ends[ROWS + WORDS_BLOCK];
    static uint8_t bytes[ROWS * 8];
    static const int32_t offsets[2] = { 0, sizeof bytes };
    uint64_t sum = 0;
    memset(bytes, 'x', sizeof bytes);
    for (uint32_t i = 7; i < sizeof bytes; i += 8) bytes[i] = ' ';
    for (uint64_t done = 0; done < records; done += ROWS) {
        struct words w = { .bytes = bytes, .offsets = offsets, .starts = starts, .ends = ends };
        words_begin(&w, 0, 1);
        while (w.at < w.end || w.open) {
            words_find_by(0, &w, ROWS);
            sum += w.n;
            w.n = 0;
        }
    }
    return sum;
}

static uint64_t search(uint64_t records)
{
    static uint8_t line[ROWS * 100];
    uint64_t sum = 0, random = 3;
    for (uint32_t i = 0; i < sizeof line; i++) line[i] = (uint8_t)('a' + next(&random) % 26);
    for (uint64_t done = 0; done < records; done += ROWS)
        sum += search_bytes_plain(line, sizeof line, (const uint8_t *)"NEEDLE-8", 8, done & 7);
    return sum;
}

static uint64_t hash(uint64_t records)
{
    static uint64_t out[ROWS];
    struct ArrowArray a = integers(UINT64_MAX);
    for (uint64_t done = 0; done < records; done += ROWS)
        hash_words_plain(done, a.buffers[1], ROWS, out);
    array_release(&a);
    return out[0];
}

static uint64_t combine(uint64_t records, const char *ddl, struct ArrowArray *columns, uint32_t n)
{
    static const struct weir_table_column column = { "n", WEIR_TYPE_INT64, 0 };
    static uint32_t slots[ROWS];
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .n_distribution = 1,
                                    .n_columns = 1, .columns = &column };
    const struct ArrowArray *keys[2] = { &columns[0], &columns[n - 1] };
    struct ArrowSchema key;
    struct weir_combine *table;
    if (weir_data_1.schema_parse(ddl, &key, NULL) != WEIR_OK) exit(70);
    spec.key = &key;
    if (combine_create(1, &spec, &table, NULL) != WEIR_OK) exit(70);
    for (uint64_t done = 0; done < records; done += ROWS)
        if (weir_combine_1.lookup_or_insert(table, keys, NULL, NULL, ROWS, slots, NULL) != WEIR_OK)
            exit(70);
    weir_combine_1.destroy(table);
    schema_release(&key);
    for (uint32_t c = 0; c < n; c++) array_release(&columns[c]);
    return slots[0];
}

/* Integers in a small range: by value. */
static uint64_t combine_int(uint64_t records)
{
    struct ArrowArray a = integers(1000);
    return combine(records, "k int64", &a, 1);
}

/* Integers in no range: by hash. */
static uint64_t combine_far(uint64_t records)
{
    struct ArrowArray a = integers(1000);
    for (uint32_t i = 0; i < ROWS; i++) ((int64_t *)(uintptr_t)a.buffers[1])[i] *= 1000003;
    return combine(records, "k int64", &a, 1);
}

/* An integer and a window that changes with every row: two words by hash. */
static uint64_t combine_pair(uint64_t records)
{
    struct ArrowArray a[2] = { integers(100), integers(10) };
    return combine(records, "k int64, w int64", a, 2);
}

static uint64_t combine_text(uint64_t records)
{
    struct ArrowArray a = texts(1000);
    return combine(records, "k string", &a, 1);
}

/* So many words that the index is not in the first cache. */
static uint64_t combine_words(uint64_t records)
{
    struct ArrowArray a = texts(5000);
    return combine(records, "k string", &a, 1);
}

static uint64_t take(uint64_t records)
{
    struct ArrowArray columns[2] = { integers(1000), texts(1000) }, all, out;
    struct ArrowSchema schema;
    static uint32_t rows[ROWS];
    uint64_t random = 5;
    if (weir_data_1.schema_parse("a int64, b string", &schema, NULL) != WEIR_OK) exit(70);
    if (array_struct(columns, 2, ROWS, &all, NULL) != WEIR_OK) exit(70);
    for (uint32_t i = 0; i < ROWS; i++) rows[i] = (uint32_t)(next(&random) % ROWS);
    for (uint64_t done = 0; done < records; done += ROWS) {
        if (array_take(&schema, &all, rows, ROWS, &out, NULL) != WEIR_OK) exit(70);
        array_release(&out);
    }
    array_release(&all);
    schema_release(&schema);
    return 0;
}

static uint64_t csv(uint64_t records)
{
    static const struct csv_dialect dialect = { ",", 1, '"' };
    static uint32_t marks[CSV_MARKS];
    uint64_t sum = 0, random = 6, n = 0;
    char *text = must(malloc(ROWS * 16 + 64));
    for (uint32_t i = 0; i < ROWS; i++)
        n += (uint64_t)sprintf(text + n, "%u,%u\n", (unsigned)(next(&random) % 1000000),
                               (unsigned)(next(&random) % 1000));
    for (uint64_t done = 0; done < records; done += ROWS) {
        struct csv_scan scan;
        struct csv_field field;
        csv_begin(&scan, &dialect, (uint8_t *)text, n, 0, marks);
        for (uint64_t at = 0; at < n; at = field.next) {
            if (!csv_next_plain(&scan, at, &field)) csv_next(&scan, at, &field);
            sum += field.end - field.start;
        }
    }
    free(text);
    return sum;
}

/* Records of six texts, of which two change in length. */
static uint64_t json(uint64_t records)
{
    static const char *const literals[] = { "{\"user_id\": ", ", \"page_id\": ", ", \"ad_type\": ",
                                            ", \"event_type\": ", ", \"event_time\": ",
                                            ", \"ip_address\": ", "}" };
    static const char *const kinds[] = { "view", "click", "purchase", "banner", "sponsored-search" };
    const uint32_t n_literals = sizeof literals / sizeof *literals;
    struct json_shape *shape = must(calloc(1, sizeof *shape));
    struct json_value values[SHAPE_MEMBERS];
    uint64_t sum = 0, random = 8, n = 0;
    char *text = must(malloc(ROWS * 256 + 64));
    for (uint32_t k = 0; k < n_literals; k++)
        json_shape_add(shape, (const uint8_t *)literals[k], (uint32_t)strlen(literals[k]), k % 3 ? -1 : 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        const uint64_t r = next(&random);
        n += (uint64_t)sprintf(text + n, "%s\"%032llx\"%s\"%032llx\"%s\"%s\"%s\"%s\"%s\"%u\"%s\"1.2.3.%u\"%s\n",
                               literals[0], (unsigned long long)r, literals[1], (unsigned long long)~r,
                               literals[2], kinds[r % 5], literals[3], kinds[(r >> 8) % 3], literals[4],
                               1000000000u + i, literals[5], 100 + (unsigned)(r >> 16) % 100, literals[6]);
    }
    for (uint64_t done = 0; done < records; done += ROWS)
        for (uint64_t at = 0, length; at < n; at += length + 1) {
            length = json_walk_plain(shape, (const uint8_t *)text + at, n - at, values);
            sum += length + values[3].length;
        }
    free(text);
    free(shape);
    return sum;
}

static const struct {
    const char *name;
    uint64_t (*run)(uint64_t records);
} loops[] = {
    { "words", words },             { "search", search },
    { "hash", hash },               { "combine_int", combine_int },
    { "combine_far", combine_far }, { "combine_pair", combine_pair },
    { "combine_text", combine_text }, { "combine_words", combine_words },
    { "take", take },               { "csv", csv },                 { "json", json },
};

int main(int argc, char **argv)
{
    for (uint32_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (argc == 1) puts(loops[i].name);
        if (argc != 3 || strcmp(argv[1], loops[i].name) != 0) continue;
        fprintf(stderr, "%llu\n", (unsigned long long)loops[i].run(strtoull(argv[2], NULL, 10)));
        return 0;
    }
    return argc == 1 ? 0 : 64;
}
