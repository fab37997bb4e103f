/*
 * test_hash.c - weir.hash/1: the definition in core/state/hash.c, and its vectors.
 *
 * golden/hash_1.txt: "seed | types | values as JSON | hash" per line. WEIR_GOLDEN=write makes it
 * anew, from the top of the tree; but the hash is on disk everywhere, so it must never come out
 * different.
 */
#include "tests/core/data_rows.h"

#include <stdio.h>
#include <xxhash.h>

#include "core/state/hash.h"

#define SEED 0x0123456789abcdefu

static void hash_all(uint64_t seed, const struct rows *r, const uint32_t *selection, uint32_t n,
                     uint64_t *out)
{
    const struct ArrowSchema *types[8];
    const struct ArrowArray *columns[8];
    uint32_t c, n_columns = (uint32_t)r->schema.n_children;
    assert_true(n_columns <= 8);
    for (c = 0; c < n_columns; c++) {
        types[c] = r->schema.children[c];
        columns[c] = r->array.children[c];
    }
    hash_columns(seed, types, columns, n_columns, selection, n, out);
}

static uint64_t hash_of(uint64_t seed, const char *ddl, const char *json)
{
    struct rows r = rows_of(ddl, json);
    uint64_t h = 0;
    assert_int_equal(r.array.length, 1);
    hash_all(seed, &r, NULL, 1, &h);
    rows_drop(&r);
    return h;
}

static uint64_t fold(uint64_t seed, uint64_t h, const void *bytes, size_t n)
{
    uint8_t copy[2048];
    memcpy(copy, &h, 8);
    memcpy(copy + 8, bytes, n);
    return XXH3_64bits_withSeed(copy, 8 + n, seed);
}

static void the_first_column_is_xxh3_of_its_canonical_bytes(void **state)
{
    const int64_t five = 5, null = (int64_t)0x9ae16a3b2f90404fu;
    (void)state;
    assert_int_equal(hash_of(SEED, "a int64", "[[5]]"), XXH3_64bits_withSeed(&five, 8, SEED));
    assert_int_equal(hash_of(SEED, "a string", "[[\"word\"]]"),
                     XXH3_64bits_withSeed("word", 4, SEED));
    assert_int_equal(hash_of(SEED, "a string", "[[\"\"]]"), XXH3_64bits_withSeed("", 0, SEED));
    assert_int_equal(hash_of(SEED, "a string", "[[null]]"), XXH3_64bits_withSeed(&null, 8, SEED));
}

static void further_columns_are_folded_behind_the_hash_so_far(void **state)
{
    const int64_t five = 5, seven = 7;
    char text[1024], json[1100];
    uint64_t h = XXH3_64bits_withSeed(&five, 8, SEED);
    size_t n;
    (void)state;
    assert_int_equal(hash_of(SEED, "a int64, b int64", "[[5,7]]"), fold(SEED, h, &seven, 8));
    for (n = 0; n < sizeof text; n += n < 300 ? 1 : 97) { /* both sides of where copying ends */
        memset(text, 'x', n);
        text[n] = 0;
        snprintf(json, sizeof json, "[[5,\"%s\"]]", text);
        assert_int_equal(hash_of(SEED, "a int64, b string", json), fold(SEED, h, text, n));
    }
}

static void equal_values_of_other_types_hash_alike(void **state)
{
    const uint64_t h = hash_of(SEED, "a int64", "[[1]]");
    (void)state;
    assert_int_equal(hash_of(SEED, "a int32", "[[1]]"), h);
    assert_int_equal(hash_of(SEED, "a bool", "[[true]]"), h);
    assert_int_equal(hash_of(SEED, "a date", "[[\"1970-01-02\"]]"), h);
    assert_int_equal(hash_of(SEED, "a timestamp", "[[\"1970-01-01T00:00:00.000001Z\"]]"), h);
    assert_int_equal(hash_of(SEED, "a int32", "[[-3]]"), hash_of(SEED, "a int64", "[[-3]]"));
    assert_int_equal(hash_of(SEED, "a binary", "[[\"d29yZA==\"]]"),
                     hash_of(SEED, "a string", "[[\"word\"]]"));
}

static void there_is_one_zero_and_one_nan(void **state)
{
    const uint64_t nan = 0x7ff8000000000000u;
    struct rows r = rows_of("a float64", "[[1.0],[2.0],[3.0]]");
    double *values = (double *)(uintptr_t)r.array.children[0]->buffers[1];
    const uint64_t odd = 0xfff0000000000001u;
    uint64_t h[3];
    (void)state;
    values[0] = -0.0;
    values[1] = 0.0;
    memcpy(&values[2], &odd, 8);
    hash_all(SEED, &r, NULL, 3, h);
    assert_int_equal(h[0], h[1]);
    assert_int_equal(h[2], XXH3_64bits_withSeed(&nan, 8, SEED));
    rows_drop(&r);
}

static void no_columns_hash_to_group_0(void **state)
{
    uint64_t h[2] = { 9, 9 };
    (void)state;
    hash_columns(SEED, NULL, NULL, 0, NULL, 2, h);
    assert_int_equal(h[0], 0);
    assert_int_equal(h[1], 0);
    assert_int_equal(hash_group(h[1]), 0);
}

static void only_selected_rows_are_written(void **state)
{
    struct rows r = rows_of("a int64, b string", "[[1,\"a\"],[2,null],[null,\"c\"],[4,\"d\"]]");
    const uint32_t selection[2] = { 1, 3 };
    uint64_t all[4], some[4] = { 0, 0, 0, 0 };
    (void)state;
    hash_all(SEED, &r, NULL, 4, all);
    hash_all(SEED, &r, selection, 2, some);
    assert_int_equal(some[0], 0);
    assert_int_equal(some[1], all[1]);
    assert_int_equal(some[2], 0);
    assert_int_equal(some[3], all[3]);
    rows_drop(&r);
}

static void hashing_value_by_value_gives_the_same(void **state)
{
    uint64_t h = hash_fixed(SEED, 0, 99, 5);
    (void)state;
    h = hash_bytes(SEED, 1, h, (const uint8_t *)"word", 4);
    h = hash_null(SEED, 2, h);
    h = hash_fixed(SEED, 3, h, hash_float_bits(-0.0));
    assert_int_equal(h, hash_of(SEED, "a int32, b string, c date, d float64",
                                "[[5,\"word\",null,0.0]]"));
}

static void long_columns_are_hashed_block_by_block(void **state)
{
    enum { N = 1000 };
    struct ArrowArray a;
    struct ArrowSchema type = { .format = "l", .name = "a" };
    const struct ArrowSchema *types[1] = { &type };
    const struct ArrowArray *columns[1] = { &a };
    uint64_t out[N];
    int64_t i;
    (void)state;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, N, 0, 0, &a, NULL), WEIR_OK);
    for (i = 0; i < N; i++) ((int64_t *)(uintptr_t)a.buffers[1])[i] = i * i;
    hash_columns(SEED, types, columns, 1, NULL, N, out);
    for (i = 0; i < N; i++) {
        const int64_t value = i * i;
        assert_int_equal(out[i], XXH3_64bits_withSeed(&value, 8, SEED));
    }
    array_release(&a);
}

/* Eight, four or one at a time, also in place, by a selection, and at any length. */
static void words_are_hashed_alike_however_many_at_once(void **state)
{
    enum { N = 40 };
    const uint32_t types[1] = { WEIR_TYPE_INT64 };
    struct ArrowArray a;
    const struct ArrowArray *columns[1] = { &a };
    uint64_t *words, plain[N], out[N];
    uint32_t rows[N];
    (void)state;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, N, 0, 0, &a, NULL), WEIR_OK);
    words = (uint64_t *)(uintptr_t)a.buffers[1];
    for (uint32_t n = 0; n <= N; n++) {
        for (uint32_t i = 0; i < N; i++) words[i] = (i * 0x9e3779b97f4a7c15u) ^ n;
        for (uint32_t i = 0; i < N; i++) rows[i] = N - 1 - i;
        hash_words_plain(SEED + n, words, n, plain);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(plain[i], XXH3_64bits_withSeed(&words[i], 8, SEED + n));
        hash_words(SEED + n, words, n, out);
        assert_memory_equal(out, plain, n * 8);
        hash_rows(SEED + n, types, columns, 1, rows, n, out);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(out[i], XXH3_64bits_withSeed(&words[rows[i]], 8, SEED + n));
        hash_words(SEED + n, words, n, words);
        assert_memory_equal(words, plain, n * 8);
    }
    array_release(&a);
}

/* seed, types, values */
static const struct { uint64_t seed; const char *ddl, *json; } vectors[] = {
    { 0, "a int64", "[[0]]" },
    { 0, "a int64", "[[1]]" },
    { 0, "a int64", "[[-1]]" },
    { 1, "a int64", "[[1]]" },
    { SEED, "a int64", "[[9223372036854775807]]" },
    { SEED, "a int32", "[[-2147483648]]" },
    { SEED, "a bool", "[[false]]" },
    { SEED, "a bool", "[[true]]" },
    { SEED, "a float64", "[[0.0]]" },
    { SEED, "a float64", "[[-0.0]]" },
    { SEED, "a float64", "[[1.5]]" },
    { SEED, "a float64", "[[\"NaN\"]]" },
    { SEED, "a float64", "[[\"Infinity\"]]" },
    { SEED, "a date", "[[\"2024-01-02\"]]" },
    { SEED, "a timestamp", "[[\"2024-01-02T03:04:05.678Z\"]]" },
    { SEED, "a string", "[[\"\"]]" },
    { SEED, "a string", "[[\"a\"]]" },
    { SEED, "a string", "[[\"seventh\"]]" },
    { SEED, "a string", "[[\"g\xc3\xbcrteltier\"]]" },
    { SEED, "a string", "[[\"a text that is longer than sixteen bytes\"]]" },
    { SEED, "a binary", "[[\"AAECAwQ=\"]]" },
    { SEED, "a string", "[[null]]" },
    { SEED, "a int64", "[[null]]" },
    { SEED, "a int64, b int64", "[[1,2]]" },
    { SEED, "a int64, b int64", "[[2,1]]" },
    { SEED, "a string, b string", "[[\"ab\",\"c\"]]" },
    { SEED, "a string, b string", "[[\"a\",\"bc\"]]" },
    { SEED, "a string, b int32, c float64, d bool", "[[null,-5,2.5,true]]" },
};

#define N_VECTORS (sizeof vectors / sizeof *vectors)

static FILE *golden_open(const char *mode)
{
    const char *top = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/core/golden/hash_1.txt", top ? top : ".");
    return fopen(path, mode);
}

static void hashes_are_those_of_the_golden_file(void **state)
{
    const char *mode = getenv("WEIR_GOLDEN");
    char line[512], want[512];
    FILE *f;
    size_t i;
    (void)state;
    if (mode && strcmp(mode, "write") == 0) {
        assert_non_null(f = golden_open("w"));
        for (i = 0; i < N_VECTORS; i++)
            fprintf(f, "%016llx | %s | %s | %016llx\n", (unsigned long long)vectors[i].seed,
                    vectors[i].ddl, vectors[i].json,
                    (unsigned long long)hash_of(vectors[i].seed, vectors[i].ddl, vectors[i].json));
        fclose(f);
    }
    assert_non_null(f = golden_open("r"));
    for (i = 0; i < N_VECTORS; i++) {
        const uint64_t h = hash_of(vectors[i].seed, vectors[i].ddl, vectors[i].json);
        snprintf(want, sizeof want, "%016llx | %s | %s | %016llx\n",
                 (unsigned long long)vectors[i].seed, vectors[i].ddl, vectors[i].json,
                 (unsigned long long)h);
        assert_non_null(fgets(line, sizeof line, f));
        assert_string_equal(line, want);
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_column_is_xxh3_of_its_canonical_bytes),
        TEST(further_columns_are_folded_behind_the_hash_so_far),
        TEST(equal_values_of_other_types_hash_alike),
        TEST(there_is_one_zero_and_one_nan),
        TEST(no_columns_hash_to_group_0),
        TEST(only_selected_rows_are_written),
        TEST(hashing_value_by_value_gives_the_same),
        TEST(long_columns_are_hashed_block_by_block),
        TEST(words_are_hashed_alike_however_many_at_once),
        TEST(hashes_are_those_of_the_golden_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
