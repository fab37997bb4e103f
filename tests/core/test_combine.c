/*
 * test_combine.c - weir.combine/1.
 */
#include "tests/core/state_tables.h"

#include "core/state/hash.h"

static const struct weir_combine_table *const C = &weir_combine_1;

static int32_t make(const char *key, const struct weir_table_column *columns, uint32_t n,
                    struct weir_combine **out)
{
    struct weir_table_spec spec = { sizeof spec, WEIR_TABLE, NULL, NULL, 1, n, columns,
                                    0,           0,          NULL };
    struct ArrowSchema schema;
    int32_t rc;
    *out = NULL;
    if (weir_data_1.schema_parse(key, &schema, NULL)) return WEIR_FATAL;
    spec.key = &schema;
    rc = combine_create(HASH_SEED, &spec, out, NULL);
    schema_release(&schema);
    return rc;
}

static const struct weir_table_column counters[] = {
    { "n", WEIR_TYPE_INT64, 0 }, { "any", WEIR_TYPE_BOOL, 0 }, { "most", WEIR_TYPE_UTF8, 0 },
};

static struct weir_combine *table_of(const char *key)
{
    struct weir_combine *c;
    assert_int_equal(make(key, counters, 3, &c), WEIR_OK);
    return c;
}

static int32_t insert(struct weir_combine *c, const char *ddl, const char *json, uint32_t *slots)
{
    struct rows r = rows_of(ddl, json);
    const struct ArrowArray *const *keys = (const struct ArrowArray *const *)r.array.children;
    const uint32_t n = (uint32_t)r.array.length;
    const int32_t rc = C->lookup_or_insert(c, keys, NULL, NULL, n, slots, NULL);
    rows_drop(&r);
    return rc;
}

static void assert_array(const char *ddl, struct ArrowArray *column, const char *json)
{
    struct ArrowSchema schema;
    struct ArrowArray all;
    const uint32_t n = (uint32_t)column->length;
    schema_of(ddl, &schema);
    assert_int_equal(array_struct(column, 1, n, &all, NULL), WEIR_OK);
    assert_rows(&schema, &all, NULL, n, json);
    array_release(&all);
    schema_release(&schema);
}

static void slots_are_dense_in_order_of_first_arrival(void **state)
{
    struct weir_combine *c = table_of("k string");
    uint32_t slots[6];
    (void)state;
    insert(c, "k string", "[[\"z\"],[\"a\"],[null],[\"z\"],[\"m\"],[null]]", slots);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 2);
    assert_int_equal(slots[3], 0);
    assert_int_equal(slots[4], 3);
    assert_int_equal(slots[5], 2);
    assert_int_equal(C->count(c), 4);
    C->destroy(c);
}

static void keys_and_values_come_out_by_slot(void **state)
{
    struct weir_combine *c = table_of("k string");
    struct weir_view views[3];
    struct weir_cells cells;
    struct ArrowArray out;
    uint32_t slots[3], i;
    (void)state;
    insert(c, "k string", "[[\"a\"],[null],[\"a key of more than fifteen bytes\"]]", slots);
    C->cells(c, 0, 3, views, &cells);
    for (i = 0; i < 3; i++) {
        *(int64_t *)(void *)(views[0].base + i * views[0].stride) = 10 + i;
        *(views[1].base + i * views[1].stride) = i != 1;
        assert_int_equal(cells.put(&cells, 2, i, text_of(i ? "x" : "")), WEIR_OK);
    }
    assert_int_equal(C->keys(c, 0, 0, 3, &out, NULL), WEIR_OK);
    assert_array("k string", &out, "[[\"a\"],[null],[\"a key of more than fifteen bytes\"]]");
    assert_int_equal(C->values(c, 0, 1, 2, &out, NULL), WEIR_OK);
    assert_array("n int64", &out, "[[11],[12]]");
    assert_int_equal(C->values(c, 1, 0, 3, &out, NULL), WEIR_OK);
    assert_array("any bool", &out, "[[true],[false],[true]]");
    assert_int_equal(C->values(c, 2, 0, 2, &out, NULL), WEIR_OK);
    assert_array("most string", &out, "[[\"\"],[\"x\"]]");
    assert_int_equal(C->values(c, 2, 2, 2, &out, NULL), WEIR_FATAL); /* beyond the last */
    C->destroy(c);
}

static void clear_empties_and_keeps_memory(void **state)
{
    struct weir_combine *c = table_of("k string");
    uint32_t slots[3];
    uint64_t held;
    (void)state;
    insert(c, "k string", "[[\"a\"],[\"b\"],[\"a key of more than fifteen bytes\"]]", slots);
    held = mem_in_use();
    C->clear(c);
    assert_int_equal(C->count(c), 0);
    insert(c, "k string", "[[\"b\"],[\"another key of many bytes\"],[\"a\"]]", slots);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 2);
    assert_int_equal(mem_in_use(), held);
    C->destroy(c);
}

static void a_table_without_key_has_the_one_slot_0(void **state)
{
    struct weir_table_spec spec = { sizeof spec, WEIR_TABLE, NULL, NULL, 0, 3, counters,
                                    0,           0,          NULL };
    struct weir_combine *c;
    uint32_t slots[3] = { 7, 7, 7 };
    (void)state;
    assert_int_equal(C->create(NULL, &spec, &c, NULL), WEIR_OK);
    assert_int_equal(C->lookup_or_insert(c, NULL, NULL, NULL, 3, slots, NULL), WEIR_OK);
    assert_int_equal(slots[0] + slots[1] + slots[2], 0);
    assert_int_equal(C->count(c), 1);
    C->destroy(c);
}

static void hashes_may_be_given_or_not(void **state)
{
    struct weir_combine *c = table_of("k int64");
    struct rows r = rows_of("k int64", "[[1],[2],[3]]");
    const struct ArrowArray *const *keys = (const struct ArrowArray *const *)r.array.children;
    const struct ArrowSchema *types[1] = { r.schema.children[0] };
    uint64_t hash[3];
    uint32_t slots[3], round;
    (void)state;
    for (round = 0; round < 3; round++) { /* none, ours, another seed's */
        hash_columns(HASH_SEED + (round == 2), types, keys, 1, NULL, 3, hash);
        assert_int_equal(C->lookup_or_insert(c, keys, round ? hash : NULL, NULL, 3, slots, NULL),
                         WEIR_OK);
        assert_int_equal(slots[2], 2);
        assert_int_equal(C->count(c), 3);
    }
    rows_drop(&r);
    C->destroy(c);
}

static void many_words_are_counted(void **state)
{
    enum { WORDS = 30000, CHUNK = 4096, ROUNDS = 40 };
    struct weir_combine *c = table_of("k string");
    struct ArrowArray a;
    const struct ArrowArray *keys[1] = { &a };
    static uint32_t counts[WORDS], slot_of[WORDS];
    uint32_t slots[CHUNK], words[CHUNK], round, i;
    uint64_t seed = 3;
    struct weir_view view;
    struct weir_cells cells;
    (void)state;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_UTF8, CHUNK, CHUNK * 24, 0, &a, NULL), WEIR_OK);
    for (round = 0; round < ROUNDS; round++) {
        int32_t *offsets = (int32_t *)(uintptr_t)a.buffers[1], at = 0;
        char *text = (char *)(uintptr_t)a.buffers[2], word[32];
        for (i = 0; i < CHUNK; i++) {
            words[i] = (uint32_t)(chance(&seed) % WORDS);
            offsets[i] = at;
            /* 1 to 21 bytes, so short and long */
            snprintf(word, sizeof word, "%u%.*s", words[i], (int)(words[i] % 17),
                     "abcdefghijklmnopq");
            memcpy(text + at, word, strlen(word));
            at += (int32_t)strlen(word);
        }
        offsets[CHUNK] = at;
        assert_int_equal(C->lookup_or_insert(c, keys, NULL, NULL, CHUNK, slots, NULL), WEIR_OK);
        C->cells(c, 0, 1, &view, &cells);
        for (i = 0; i < CHUNK; i++) {
            ++*(int64_t *)(void *)(view.base + slots[i] * view.stride);
            if (counts[words[i]]++) assert_int_equal(slot_of[words[i]], slots[i]);
            slot_of[words[i]] = slots[i];
        }
    }
    for (i = 0; i < WORDS; i++)
        if (counts[i])
            assert_int_equal(*(int64_t *)(void *)(view.base + slot_of[i] * view.stride), counts[i]);
    array_release(&a);
    C->destroy(c);
}

/* Once a null is among the keys, a 0 is still not it, in chunks with and without nulls. */
static void a_null_word_is_not_zero(void **state)
{
    struct weir_combine *c = table_of("k int64");
    uint32_t slots[4];
    (void)state;
    assert_int_equal(insert(c, "k int64", "[[7],[null],[7],[null]]", slots), WEIR_OK);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 0);
    assert_int_equal(slots[3], 1);
    assert_int_equal(insert(c, "k int64", "[[0],[7],[0],[9]]", slots), WEIR_OK);
    assert_int_equal(slots[0], 2);
    assert_int_equal(slots[1], 0);
    assert_int_equal(slots[2], 2);
    assert_int_equal(slots[3], 3);
    assert_int_equal(insert(c, "k int64", "[[9],[null],[0],[7]]", slots), WEIR_OK);
    assert_int_equal(slots[0], 3);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 2);
    assert_int_equal(slots[3], 0);
    C->destroy(c);
}

/* Keys of several columns, with nulls and texts of any length: one slot per key, again and again. */
static void mixed_keys_have_one_slot_each(void **state)
{
    enum { KEYS = 6000, CHUNK = 1000 };
    static const char *const ddls[] = { "a int64, b int64, c bool, d int32", "a int64, b string, c float64",
                                        "a string, b string, c int32" };
    static char json[CHUNK * 160];
    uint32_t slots[CHUNK], round, d, i, at;
    (void)state;
    for (d = 0; d < 3; d++) {
        struct weir_combine *c = table_of(ddls[d]);
        for (round = 0; round < 2 * KEYS / CHUNK; round++) {
            at = (uint32_t)sprintf(json, "[");
            for (i = 0; i < CHUNK; i++) {
                const uint32_t k = (round * CHUNK + i) % KEYS, big = k % 20, low = k / 20 % 20;
                const char *const texts = "abcdefghijklmnopqrstuvwxyz";
                at += (uint32_t)sprintf(json + at, i ? ",[" : "[");
                if (d == 0)
                    at += (uint32_t)sprintf(json + at, k % 7 ? "%u,%u,%s,-%u]" : "null,%.0u%u,%s,-%u]",
                                            k % 7 ? big : 0, low + 100 * (k % 7 == 0) * big,
                                            k / 400 % 2 ? "true" : "false", k / 800);
                else if (d == 1)
                    at += (uint32_t)sprintf(json + at, "%u,\"%.*s\",%u.5]", k / 400, (int)big, texts, low);
                else
                    at += (uint32_t)sprintf(json + at, "\"%.*s\",\"%.*s\",%u]", (int)big, texts, (int)low,
                                            texts, k / 400);
            }
            sprintf(json + at, "]");
            assert_int_equal(insert(c, ddls[d], json, slots), WEIR_OK);
            for (i = 0; i < CHUNK; i++) assert_int_equal(slots[i], (round * CHUNK + i) % KEYS);
        }
        assert_int_equal(C->count(c), KEYS);
        C->destroy(c);
    }
}

/* ---- integers by value ---- */

/* Row i of a call: what its key columns are. */
struct pattern {
    const char *ddl;
    uint32_t columns;
    void (*key)(uint64_t call, uint32_t i, uint64_t random, int64_t *key);
};

static void dense(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    (void)call, (void)i;
    key[0] = (int64_t)(random % 1000) - 500;
}

static void with_strays(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    dense(call, i, random, key);
    if (random >> 32 & 1 && call % 3 == 2) key[0] = INT64_MIN + (int64_t)(random >> 33) % 50;
    if ((random >> 40) % 20 == 0) key[0] = INT64_MAX - (int64_t)(random % 9);
}

static void drifting(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    key[0] = (int64_t)(call * 700 + i / 8 + random % 1000);
}

static void sparse(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    (void)call, (void)i;
    key[0] = (int64_t)(random % 3000 * 1000003);
}

static void windowed(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    key[0] = (int64_t)(random % 100);
    key[1] = (int64_t)(call * 1500 + i) / 2000 * 10000000 - ((random >> 32) % 10 == 0) * 10000000;
}

static void two_windows(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    (void)call, (void)i;
    key[1] = (int64_t)(random % 100);
    key[0] = (int64_t)(random >> 32) % 2 * 10000000;
}

static void three(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    key[0] = (int64_t)(call / 3);
    key[1] = (int64_t)(random % 300);
    key[2] = i > 1400 ? -5 : 7;
}

static void constant(uint64_t call, uint32_t i, uint64_t random, int64_t *key)
{
    (void)call, (void)i, (void)random;
    key[0] = key[1] = -1;
}

static const struct pattern patterns[] = {
    { "a int64", 1, dense },           { "a int64", 1, with_strays },
    { "a timestamp", 1, drifting },    { "a int64", 1, sparse },
    { "a int64, t timestamp", 2, windowed }, { "t timestamp, a int64", 2, two_windows },
    { "a int64, b int64, c int64", 3, three }, { "a int64, b int64", 2, constant },
};

enum { ROWS = 1500, CALLS = 60, LISTED = 1 << 17 };

/* The keys in order of first arrival, by linear probing. */
struct known {
    int64_t keys[LISTED][3];
    uint32_t slots[LISTED], used[LISTED], n;
};

static uint32_t slot_in(struct known *known, const int64_t *key)
{
    uint64_t h = (uint64_t)key[0] * 31 + (uint64_t)key[1] * 1000003 + (uint64_t)key[2] * 17;
    uint32_t p = (uint32_t)(h * 0x9e3779b97f4a7c15u >> 47);
    while (known->used[p] && memcmp(known->keys[p], key, sizeof known->keys[p]) != 0)
        p = (p + 1) % LISTED;
    if (!known->used[p]) {
        known->used[p] = 1;
        known->slots[p] = known->n++;
        memcpy(known->keys[p], key, sizeof known->keys[p]);
    }
    return known->slots[p];
}

/* One call, with a selection in every second. */
static void check_call(struct weir_combine *c, const struct pattern *p, uint64_t call,
                       uint64_t *seed, struct known *known)
{
    struct ArrowArray a[3];
    const struct ArrowArray *keys[3] = { &a[0], &a[1], &a[2] };
    static uint32_t slots[ROWS], rows[ROWS], again[ROWS];
    static int64_t key[ROWS][3];
    const uint32_t step = call % 2 ? 2 : 1, n = ROWS / step;
    memset(key, 0, sizeof key);
    for (uint32_t k = 0; k < p->columns; k++)
        assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, ROWS, 0, 0, &a[k], NULL), WEIR_OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        p->key(call, i, chance(seed) ^ chance(seed) << 32, key[i]);
        for (uint32_t k = 0; k < p->columns; k++)
            ((int64_t *)(uintptr_t)a[k].buffers[1])[i] = key[i][k];
    }
    for (uint32_t i = 0; i < n; i++) rows[i] = i * step;
    const uint32_t *selection = step > 1 ? rows : NULL;
    assert_int_equal(C->lookup_or_insert(c, keys, NULL, selection, n, slots, NULL), WEIR_OK);
    for (uint32_t i = 0; i < n; i++)
        if (slots[i] != slot_in(known, key[rows[i]]))
            fail_msg("%s, call %u: row %u", p->ddl, (unsigned)call, (unsigned)i);
    C->lookup(c, keys, NULL, selection, n, again);
    assert_memory_equal(slots, again, n * sizeof *slots);
    for (uint32_t k = 0; k < p->columns; k++) array_release(&a[k]);
}

static void integers_have_one_slot_whatever_their_values(void **state)
{
    struct known *known = malloc(sizeof *known);
    uint64_t seed = 11;
    (void)state;
    assert_non_null(known);
    for (uint32_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct weir_combine *c = table_of(patterns[i].ddl);
        memset(known, 0, sizeof *known);
        for (uint64_t call = 0; call < CALLS; call++) {
            if (call % 25 == 24) {
                C->clear(c);
                memset(known, 0, sizeof *known);
            }
            check_call(c, &patterns[i], call, &seed, known);
            assert_int_equal(C->count(c), known->n);
        }
        C->destroy(c);
    }
    free(known);
}

/* Keys that came by value are found among nulls, and those that came with nulls by value. */
static void a_null_is_none_of_the_integers(void **state)
{
    static char json[16384];
    static uint32_t slots[1024];
    struct weir_combine *c = table_of("k int64");
    uint32_t at, i;
    (void)state;
    assert_int_equal(insert(c, "k int64", "[[5],[null]]", slots), WEIR_OK);
    for (int round = 0; round < 3; round++) {
        at = (uint32_t)sprintf(json, "[");
        for (i = 0; i < 1024; i++)
            at += (uint32_t)sprintf(json + at, round == 1 && i == 7 ? "%s[null]" : "%s[%u]", i ? "," : "",
                                    i % 100);
        sprintf(json + at, "]");
        assert_int_equal(insert(c, "k int64", json, slots), WEIR_OK);
        for (i = 0; i < 1024; i++)
            assert_int_equal(slots[i], round == 1 && i == 7 ? 1
                                       : i % 100 == 5       ? 0
                                                            : i % 100 + (i % 100 < 5) + 1);
    }
    C->destroy(c);
}

static void keys_that_are_not_flat_are_refused(void **state)
{
    struct weir_combine *c;
    (void)state;
    assert_int_equal(make("k list<int64>", counters, 3, &c), WEIR_CONFIG);
    assert_null(c);
    C->destroy(NULL);
}

static int work_with_memory(void)
{
    struct weir_combine *c;
    struct weir_view views[3];
    struct weir_cells cells;
    uint32_t slots[8], i;
    char text[40] = "some text for the arena ";
    int done = 0;
    if (make("k string", counters, 3, &c)) return 0;
    for (i = 0; i < 30; i++) {
        const int32_t offsets[2] = { 0, 26 };
        const void *buffers[3] = { NULL, offsets, text };
        struct ArrowArray a = { .length = 1, .n_buffers = 3, .buffers = buffers };
        const struct ArrowArray *keys[1] = { &a };
        text[24] = (char)('a' + i);
        if (C->lookup_or_insert(c, keys, NULL, NULL, 1, slots, NULL)) goto end;
        C->cells(c, 0, 3, views, &cells);
        if (cells.put(&cells, 2, slots[0], text_of(text))) goto end;
        if (i == 15) C->clear(c);
    }
    done = C->count(c) == 14;
end:
    C->destroy(c);
    return done;
}

static void failing_memory_is_reported(void **state)
{
    (void)state;
    with_failing_memory(work_with_memory);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_are_dense_in_order_of_first_arrival),
        TEST(keys_and_values_come_out_by_slot),
        TEST(clear_empties_and_keeps_memory),
        TEST(a_table_without_key_has_the_one_slot_0),
        TEST(hashes_may_be_given_or_not),
        TEST(many_words_are_counted),
        TEST(a_null_word_is_not_zero),
        TEST(mixed_keys_have_one_slot_each),
        TEST(integers_have_one_slot_whatever_their_values),
        TEST(a_null_is_none_of_the_integers),
        TEST(keys_that_are_not_flat_are_refused),
        TEST(failing_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
