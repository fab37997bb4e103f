/*
 * test_table.c - tables of weir.state/1: keys, slots, columns, text, timers; without capture.
 */
#include "tests/core/state_tables.h"

#include "core/state/hash.h"
#include "core/state/index.h"

static void keys_get_slots_in_order_of_arrival(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "n int64");
    uint32_t slots[5];
    (void)state;
    insert_keys(&f, "[[\"b\"],[\"a\"],[\"b\"],[\"c\"],[\"a\"]]", slots);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 0);
    assert_int_equal(slots[3], 2);
    assert_int_equal(slots[4], 1);
    fixture_drop(&f);
}

static void reading_makes_no_keys(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    (void)state;
    assert_int_equal(find_key(&f, "[[1]]"), WEIR_NO_SLOT);
    assert_int_equal(store_group_live(f.op, 0), 0);
    insert_key(&f, "[[2]]");
    assert_int_equal(find_key(&f, "[[1]]"), WEIR_NO_SLOT);
    assert_int_equal(find_key(&f, "[[2]]"), 0);
    fixture_drop(&f);
}

static void null_nan_and_zero_are_one_key_each(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k float64", "n int64");
    uint32_t slots[8];
    (void)state;
    insert_keys(&f, "[[null],[0.0],[-0.0],[\"NaN\"],[null],[\"NaN\"],[1.0],[0]]", slots);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 1);
    assert_int_equal(slots[3], 2);
    assert_int_equal(slots[4], 0);
    assert_int_equal(slots[5], 2);
    assert_int_equal(slots[6], 3);
    assert_int_equal(slots[7], 1);
    fixture_drop(&f);
}

static void a_null_is_neither_zero_nor_empty(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "a string, b int64", "n int64");
    uint32_t slots[4];
    (void)state;
    insert_keys(&f, "[[null,0],[\"\",0],[null,null],[\"\",null]]", slots);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(slots[2], 2);
    assert_int_equal(slots[3], 3);
    fixture_drop(&f);
}

static void text_of_any_length_is_a_key(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "n int64");
    char json[128], text[64];
    uint32_t n, round;
    (void)state;
    for (round = 0; round < 2; round++)
        for (n = 0; n < 40; n++) {
            memset(text, 'q', n);
            text[n] = 0;
            snprintf(json, sizeof json, "[[\"%s\"]]", text);
            assert_int_equal(insert_key(&f, json), 2 * n);
            if (n) text[n - 1] = 'r'; /* one that differs in the last byte */
            else strcpy(text, "another");
            snprintf(json, sizeof json, "[[\"%s\"]]", text);
            assert_int_equal(insert_key(&f, json), 2 * n + 1);
        }
    fixture_drop(&f);
}

#define TIME "\"2024-01-02T03:04:05Z\""
#define DAY "\"2024-01-02\""
#define TEXT "\"a text of some length\""

static void keys_of_every_type_and_many_columns_are_told_apart(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE,
                                  "a bool, b int32, c int64, d float64, e string, f binary, "
                                  "g timestamp, h date, i string", "n bool");
    static const char *const rows[] = {
        "[[true,1,2,3.5,\"e\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[false,1,2,3.5,\"e\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[true,2,2,3.5,\"e\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[true,1,3,3.5,\"e\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[true,1,2,3.6,\"e\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[true,1,2,3.5,\"f\",\"AAE=\"," TIME "," DAY "," TEXT "]]",
        "[[true,1,2,3.5,\"e\",\"AAI=\"," TIME "," DAY "," TEXT "]]",
        "[[true,1,2,3.5,\"e\",\"AAE=\",\"2024-01-02T03:04:06Z\"," DAY "," TEXT "]]",
        "[[true,1,2,3.5,\"e\",\"AAE=\"," TIME ",\"2024-01-03\"," TEXT "]]",
        "[[true,1,2,3.5,\"e\",\"AAE=\"," TIME "," DAY ",\"a text of some lengtH\"]]",
        "[[null,null,null,null,null,null,null,null,null]]",
    };
    uint32_t i, round;
    (void)state;
    for (round = 0; round < 2; round++)
        for (i = 0; i < sizeof rows / sizeof *rows; i++)
            assert_int_equal(insert_key(&f, rows[i]), i);
    fixture_drop(&f);
}

static void a_table_without_key_has_one_record(void **state)
{
    struct fixture f;
    struct ArrowSchema none = { .format = "+s", .name = "" };
    struct weir_table_column n = { "n", WEIR_TYPE_INT64, 0 };
    struct weir_table_spec spec = { sizeof spec, WEIR_TABLE, "t", &none, 0, 1, &n, 1, 0, NULL };
    uint32_t slots[3];
    (void)state;
    memset(&f, 0, sizeof f);
    f.store = store_create(HASH_SEED);
    f.op = store_operator(f.store, "it");
    assert_int_equal(store_declare(f.op, &spec, &f.table, NULL), WEIR_OK);
    f.state = store_group(f.op, 0);
    assert_int_equal(S->lookup_or_insert(f.state, 0, NULL, NULL, NULL, 3, slots, NULL), WEIR_OK);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[2], 0);
    assert_int_equal(S->next(f.state, 0, 1), WEIR_NO_SLOT);
    store_destroy(f.store);
}

static void selected_rows_alone_are_looked_up(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    struct rows r = rows_of("k int64", "[[10],[11],[12],[13]]");
    const struct ArrowArray *const *keys = (const struct ArrowArray *const *)r.array.children;
    const uint32_t selection[2] = { 1, 3 };
    uint32_t slots[4];
    (void)state;
    assert_int_equal(S->lookup_or_insert(f.state, 0, keys, NULL, selection, 2, slots, NULL),
                     WEIR_OK);
    S->lookup(f.state, 0, keys, NULL, NULL, 4, slots);
    assert_int_equal(slots[0], WEIR_NO_SLOT);
    assert_int_equal(slots[1], 0);
    assert_int_equal(slots[2], WEIR_NO_SLOT);
    assert_int_equal(slots[3], 1);
    rows_drop(&r);
    fixture_drop(&f);
}

static void foreign_hashes_make_no_second_record(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    struct rows r = rows_of("k int64", "[[10],[11]]");
    const struct ArrowArray *const *keys = (const struct ArrowArray *const *)r.array.children;
    const struct ArrowSchema *types[1] = { r.schema.children[0] };
    uint64_t own[2], foreign[2];
    uint32_t slots[2];
    (void)state;
    hash_columns(HASH_SEED, types, keys, 1, NULL, 2, own);
    hash_columns(HASH_SEED + 1, types, keys, 1, NULL, 2, foreign);
    assert_int_equal(S->lookup_or_insert(f.state, 0, keys, own, NULL, 2, slots, NULL), WEIR_OK);
    assert_int_equal(S->lookup_or_insert(f.state, 0, keys, foreign, NULL, 2, slots, NULL), WEIR_OK);
    assert_int_equal(slots[0], 0);
    assert_int_equal(slots[1], 1);
    assert_int_equal(S->lookup_or_insert(f.state, 0, keys, NULL, NULL, 2, slots, NULL), WEIR_OK);
    assert_int_equal(slots[1], 1);
    rows_drop(&r);
    fixture_drop(&f);
}

static void many_keys_keep_their_records(void **state)
{
    enum { N = 20000, CHUNK = 997 };
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64, b bool, m int64");
    struct ArrowArray a;
    const struct ArrowArray *keys[1] = { &a };
    uint32_t slots[CHUNK], from, i;
    int64_t *values;
    (void)state;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, CHUNK, 0, 0, &a, NULL), WEIR_OK);
    values = (int64_t *)(uintptr_t)a.buffers[1];
    for (from = 0; from < 3 * N; from += CHUNK) {
        for (i = 0; i < CHUNK; i++) values[i] = (from + i) % N * 1000003ll;
        assert_int_equal(S->lookup_or_insert(f.state, 0, keys, NULL, NULL, CHUNK, slots, NULL),
                         WEIR_OK);
        for (i = 0; i < CHUNK; i++) {
            assert_int_equal(slots[i], (from + i) % N);
            ++*int_cell(&f, 0, slots[i]);
            *int_cell(&f, 2, slots[i]) += values[i];
        }
    }
    for (i = 0; i < N; i++) {
        const int64_t times = 3 + (i < from - 3 * N);
        assert_int_equal(*int_cell(&f, 0, i), times);
        assert_int_equal(*int_cell(&f, 2, i), times * i * 1000003ll);
    }
    array_release(&a);
    fixture_drop(&f);
}

/* Enough keys that some agree in the 32 bits by which the index tells them apart. */
static void tell_apart(const char *ddl, const char *format, uint32_t type)
{
    enum { N = 300000, CHUNK = 3000 };
    struct fixture f = fixture_of(WEIR_TABLE, ddl, "n bool");
    struct ArrowArray a;
    const struct ArrowArray *keys[2] = { &a, &a };
    uint32_t slots[CHUNK], round, from, i;
    assert_int_equal(weir_data_1.column(type, CHUNK, CHUNK * 40, 0, &a, NULL), WEIR_OK);
    for (round = 0; round < 2; round++)
        for (from = 0; from < N; from += CHUNK) {
            int32_t *offsets = (int32_t *)(uintptr_t)a.buffers[1], at = 0;
            for (i = 0; i < CHUNK; i++) {
                if (type == WEIR_TYPE_INT64) {
                    ((int64_t *)(uintptr_t)a.buffers[1])[i] = from + i;
                    continue;
                }
                offsets[i] = at;
                at += snprintf((char *)(uintptr_t)a.buffers[2] + at, 40, format, from + i);
                offsets[i + 1] = at;
            }
            assert_int_equal(S->lookup_or_insert(f.state, 0, keys, NULL, NULL, CHUNK, slots, NULL),
                             WEIR_OK);
            for (i = 0; i < CHUNK; i++)
                if (slots[i] != from + i)
                    fail_msg("%s: key %u has slot %u", ddl, from + i, slots[i]);
        }
    array_release(&a);
    fixture_drop(&f);
}

static void keys_with_equal_tags_are_told_apart(void **state)
{
    (void)state;
    tell_apart("k int64", "", WEIR_TYPE_INT64);
    tell_apart("k string", "allalike%06u", WEIR_TYPE_UTF8);
    tell_apart("k string", "allalike for more than 15 %05u", WEIR_TYPE_UTF8);
    tell_apart("k string, l string", "allalike%06u", WEIR_TYPE_UTF8);
    tell_apart("k int64, l int64", "", WEIR_TYPE_INT64);
}

static void text_of_a_removed_slot_is_readable_until_the_batch_ends(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "t string");
    char text[200];
    uint32_t slots[2], i;
    (void)state;
    insert_keys(&f, "[[1],[2]]", slots);
    assert_int_equal(S->put(f.state, 0, 0, 0, text_of("a text that is not yet forgotten")),
                     WEIR_OK);
    remove_slot(&f, 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (i = 0; i < 200; i++) /* compacts now and then */
        assert_int_equal(S->put(f.state, 0, 0, 1, text_of(text)), WEIR_OK);
    assert_text(&f, 0, 0, "a text that is not yet forgotten");
    fixture_drop(&f);
}

static void text_of_removed_keys_is_given_back(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "t string");
    char json[256];
    uint32_t i, slot;
    (void)state;
    for (i = 0; i < 2000; i++) {
        snprintf(json, sizeof json, i & 1 ? "[[\"%u\"]]" : "[[\"%0100u\"]]", i);
        slot = insert_key(&f, json);
        if (i & 1) assert_int_equal(S->put(f.state, 0, 0, slot, text_of(json)), WEIR_OK);
        remove_slot(&f, slot);
        next_batch(&f);
    }
    assert_true(store_bytes(f.store) < 20000); /* 100,000 bytes came and went */
    fixture_drop(&f);
}

static void a_removed_slot_is_free_from_the_next_batch_on_lowest_first(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    uint32_t slots[6];
    (void)state;
    insert_keys(&f, "[[0],[1],[2],[3],[4],[5]]", slots);
    *int_cell(&f, 0, 3) = 33;
    next_batch(&f);
    remove_slot(&f, 3);
    remove_slot(&f, 1);
    remove_slot(&f, 3); /* named twice */
    assert_int_equal(*int_cell(&f, 0, 3), 33); /* still readable */
    assert_int_equal(find_key(&f, "[[3]]"), WEIR_NO_SLOT);
    assert_int_equal(insert_key(&f, "[[3]]"), 6);
    next_batch(&f);
    assert_int_equal(insert_key(&f, "[[7]]"), 1);
    assert_int_equal(insert_key(&f, "[[8]]"), 3);
    assert_int_equal(*int_cell(&f, 0, 3), 0);
    assert_int_equal(insert_key(&f, "[[9]]"), 7);
    fixture_drop(&f);
}

static void next_walks_live_slots_in_order(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    char json[32];
    uint32_t i, slot, n = 0;
    (void)state;
    for (i = 0; i < 300; i++) {
        snprintf(json, sizeof json, "[[%u]]", i);
        insert_key(&f, json);
    }
    for (i = 0; i < 300; i++)
        if (i % 7 != 3) remove_slot(&f, i);
    for (slot = S->next(f.state, 0, 0); slot != WEIR_NO_SLOT; slot = S->next(f.state, 0, slot + 1))
        assert_int_equal(slot, 7 * n++ + 3);
    assert_int_equal(n, 43);
    fixture_drop(&f);
}

static void keys_come_back_as_arrays(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "a string, b float64, c bool", "n int64");
    struct ArrowArray columns[3], all;
    uint32_t slots[4], k;
    (void)state;
    insert_keys(&f, "[[\"x\",1.5,true],[null,null,null],"
                    "[\"a text that is longer than fifteen bytes\",-0.0,false]]", slots);
    slots[0] = 2, slots[1] = 0, slots[2] = 1, slots[3] = 2;
    for (k = 0; k < 3; k++)
        assert_int_equal(S->keys(f.state, 0, k, slots, 4, &columns[k], NULL), WEIR_OK);
    assert_int_equal(array_struct(columns, 3, 4, &all, NULL), WEIR_OK);
    assert_rows(&f.schema, &all, NULL, 4,
                "[[\"a text that is longer than fifteen bytes\",0.0,false],[\"x\",1.5,true],"
                "[null,null,null],[\"a text that is longer than fifteen bytes\",0.0,false]]");
    array_release(&all);
    fixture_drop(&f);
}

static void text_cells_are_put_and_got(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "a string, b binary");
    uint32_t slots[2], i;
    char text[64];
    (void)state;
    insert_keys(&f, "[[1],[2]]", slots);
    assert_text(&f, 0, 0, "");
    for (i = 0; i < 200; i++) {
        memset(text, 'a' + i % 26, sizeof text);
        text[i % 50] = 0;
        assert_int_equal(S->put(f.state, 0, 0, 0, text_of(text)), WEIR_OK);
        assert_text(&f, 0, 0, text);
    }
    assert_text(&f, 0, 1, "");
    assert_text(&f, 1, 0, "");
    fixture_drop(&f);
}

static void a_text_may_be_put_from_the_table_itself(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "a string");
    char json[32], text[128];
    uint32_t i, n = 100;
    (void)state;
    for (i = 0; i < n; i++) {
        snprintf(json, sizeof json, "[[%u]]", i);
        insert_key(&f, json);
    }
    memset(text, 'z', 100);
    text[100] = 0;
    assert_int_equal(S->put(f.state, 0, 0, 0, text_of(text)), WEIR_OK);
    for (i = 1; i < 20 * n; i++) { /* grows, then compacts, many times */
        const struct weir_bytes b = S->get(f.state, 0, 0, (i - 1) % n);
        assert_int_equal(S->put(f.state, 0, 0, i % n, b), WEIR_OK);
    }
    for (i = 0; i < n; i++) assert_text(&f, 0, i, text);
    assert_true(store_bytes(f.store) < 60000); /* 2,000 texts were put, 100 are held */
    fixture_drop(&f);
}

static void cells_of_aggregates_count_from_their_first_column(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "x int64, n int64, t string");
    struct weir_cells cells;
    struct weir_view views[2];
    struct weir_bytes b;
    (void)state;
    S->cells(f.state, 0, 1, 2, views, &cells); /* of an empty table */
    assert_int_equal(cells.get(&cells, 1, 0).length, 0);
    insert_key(&f, "[[1]]");
    S->cells(f.state, 0, 1, 2, views, &cells);
    *(int64_t *)(void *)cells.views[0].base = 5;
    assert_int_equal(cells.put(&cells, 1, 0, text_of("some text of more than 15 bytes")), WEIR_OK);
    assert_int_equal(*int_cell(&f, 1, 0), 5);
    assert_text(&f, 2, 0, "some text of more than 15 bytes");
    b = cells.get(&cells, 1, 0);
    assert_int_equal(b.length, 31);
    fixture_drop(&f);
}

static void timers_fire_in_order_of_time_and_slot(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64, due int64");
    uint32_t slots[5], due[5];
    static const int64_t times[5] = { 30, 10, 20, 10, INT64_MAX };
    uint32_t i;
    (void)state;
    insert_keys(&f, "[[1],[2],[3],[4],[5]]", slots);
    assert_int_equal(store_group_due(f.op, 0, 0), INT64_MAX);
    for (i = 0; i < 5; i++)
        assert_int_equal(S->set_timer(f.state, 0, 1, slots[i], times[i]), WEIR_OK);
    assert_int_equal(store_group_due(f.op, 0, 0), 10);
    assert_int_equal(S->due(f.state, 0, 1, 9, due, 5), 0);
    assert_int_equal(S->due(f.state, 0, 1, 20, due, 5), 3);
    assert_int_equal(due[0], 1);
    assert_int_equal(due[1], 3);
    assert_int_equal(due[2], 2);
    assert_int_equal(S->due(f.state, 0, 1, INT64_MAX, due, 2), 2);
    assert_int_equal(due[0], 1);
    assert_int_equal(due[1], 3);
    remove_slot(&f, 1);
    assert_int_equal(S->set_timer(f.state, 0, 1, 3, INT64_MAX), WEIR_OK);
    assert_int_equal(store_group_due(f.op, 0, 0), 20);
    assert_int_equal(S->due(f.state, 0, 1, INT64_MAX, due, 5), 2);
    fixture_drop(&f);
}

static void many_timers_agree_with_a_plain_scan(void **state)
{
    enum { N = 5000 };
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "due timestamp");
    static int64_t times[N];
    uint32_t slots[64], i, n, round;
    uint64_t seed = 7;
    char json[32];
    (void)state;
    for (i = 0; i < N; i++) {
        snprintf(json, sizeof json, "[[%u]]", i);
        insert_key(&f, json);
        times[i] = INT64_MAX;
    }
    for (round = 0; round < 200; round++) {
        const int64_t until = (int64_t)(chance(&seed) % 1000);
        int64_t least = INT64_MAX, last = INT64_MIN;
        uint32_t due = 0, last_slot = 0;
        for (i = 0; i < 50; i++) {
            const uint32_t slot = (uint32_t)(chance(&seed) % N);
            times[slot] = chance(&seed) % 5 ? (int64_t)(chance(&seed) % 1000) : INT64_MAX;
            assert_int_equal(S->set_timer(f.state, 0, 0, slot, times[slot]), WEIR_OK);
        }
        for (i = 0; i < N; i++) {
            if (times[i] < least) least = times[i];
            due += times[i] <= until;
        }
        assert_int_equal(store_group_due(f.op, 0, 0), least);
        n = S->due(f.state, 0, 0, until, slots, 64);
        assert_int_equal(n, due < 64 ? due : 64);
        for (i = 0; i < n; i++) {
            const int64_t time = times[slots[i]];
            assert_true(time <= until && (time > last || (time == last && slots[i] > last_slot)));
            last = time;
            last_slot = slots[i];
            times[slots[i]] = INT64_MAX;
            assert_int_equal(S->set_timer(f.state, 0, 0, slots[i], INT64_MAX), WEIR_OK);
        }
    }
    fixture_drop(&f);
}

static void slots_that_were_never_used_are_refused(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64, t string, due int64");
    const uint32_t bad = 77, none = WEIR_NO_SLOT;
    struct ArrowArray out;
    (void)state;
    assert_int_equal(S->touch(f.state, 0, &bad, 1), WEIR_FATAL);
    insert_key(&f, "[[1]]");
    assert_int_equal(S->touch(f.state, 0, &bad, 1), WEIR_FATAL);
    assert_int_equal(S->remove(f.state, 0, &none, 1), WEIR_FATAL);
    assert_int_equal(S->put(f.state, 0, 1, bad, text_of("x")), WEIR_FATAL);
    assert_int_equal(S->put(f.state, 0, 0, 0, text_of("x")), WEIR_FATAL);
    assert_int_equal(S->set_timer(f.state, 0, 2, none, 1), WEIR_FATAL);
    assert_int_equal(S->set_timer(f.state, 0, 0, 0, 1), WEIR_FATAL);
    assert_int_equal(S->get(f.state, 0, 1, bad).length, 0);
    assert_int_equal(S->keys(f.state, 0, 0, &bad, 1, &out, NULL), WEIR_FATAL);
    assert_null(out.release);
    fixture_drop(&f);
}

static void what_is_no_table_is_refused(void **state)
{
    struct weir_table_column columns[2] = { { "n", WEIR_TYPE_INT64, 0 },
                                            { "n", WEIR_TYPE_INT64, 0 } };
    struct weir_table_spec good = { sizeof good, WEIR_TABLE, "t", NULL, 1, 1, columns, 1, 0, "" };
    struct weir_table_spec spec;
    struct ArrowSchema key, list;
    struct store *store = store_create(1);
    struct store_operator *op = store_operator(store, "it");
    uint32_t t;
    (void)state;
    schema_of("k int64", &key);
    schema_of("k list<int64>", &list);
    good.key = &key;
    spec = good, spec.key = &list;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    spec = good, spec.n_distribution = 2;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    spec = good, spec.n_columns = 2;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    spec = good, spec.kind = 3;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    spec = good, spec.name = NULL;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    spec = good;
    columns[0].type = WEIR_TYPE_LIST;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    columns[0].type = WEIR_TYPE_FLOAT64;
    columns[0].flags = WEIR_COLUMN_TIMER;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG);
    columns[0].flags = 0;
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_OK);
    assert_int_equal(store_declare(op, &spec, &t, NULL), WEIR_CONFIG); /* the name again */
    assert_int_equal(store_tables(op), 1);
    schema_release(&key);
    schema_release(&list);
    store_destroy(store);
}

/* Inserts, puts, sets timers and removes; 1 if nothing failed. */
static int work_with_memory(void)
{
    struct fixture f;
    uint32_t slots[64], i;
    char json[64];
    int done = 0;
    if (fixture_try(&f, WEIR_TABLE, "a string, b int64", "n int64, t string, due int64", NULL))
        goto end;
    for (i = 0; i < 40; i++) {
        snprintf(json, sizeof json, "[[\"%s%u\",%u]]", i & 1 ? "" : "a longer text than short ", i,
                 i);
        if (keys_run(&f, json, 1, slots)) goto end;
        if (S->put(f.state, 0, 1, slots[0], text_of(json))) goto end;
        if (S->set_timer(f.state, 0, 2, slots[0], i)) goto end;
        if (i % 5 == 4 && S->remove(f.state, 0, slots, 1)) goto end;
    }
    done = 1;
end: /* whatever there is, is whole */
    mem_fail_at(0, 0);
    if (f.state) {
        const struct weir_state_table *s = S;
        struct ArrowArray out;
        for (i = s->next(f.state, 0, 0); i != WEIR_NO_SLOT; i = s->next(f.state, 0, i + 1)) {
            assert_int_equal(s->keys(f.state, 0, 0, &i, 1, &out, NULL), WEIR_OK);
            array_release(&out);
            assert_true(s->get(f.state, 0, 1, i).length < sizeof json);
        }
        store_group_due(f.op, 0, 0);
    }
    fixture_drop(&f);
    return done;
}

static void failing_memory_leaves_a_whole_table(void **state)
{
    (void)state;
    with_failing_memory(work_with_memory);
}

static void memory_is_counted_and_given_back(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "n int64, t string");
    uint32_t slots[3];
    struct store_figures figures;
    (void)state;
    assert_int_equal(store_bytes(f.store), 0);
    insert_keys(&f, "[[\"a key of more than fifteen bytes\"],[\"b\"],[\"c\"]]", slots);
    store_figures(f.op, 0, &figures);
    assert_int_equal(figures.keys, 3);
    assert_int_equal(figures.bytes, store_bytes(f.store));
    assert_true(figures.bytes > 100 && figures.bytes < 3000);
    fixture_drop(&f);
}

static void groups_are_those_of_the_hash(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "n int64");
    struct ArrowArray keys;
    struct weir_error error = WEIR_ERROR_INIT;
    const char *json = "[[\"a\"],[\"b\"],[null],[\"a\"],[\"\"]]";
    const struct ArrowArray *columns[1];
    const struct ArrowSchema *types[1] = { f.schema.children[0] };
    uint64_t hash[5];
    uint8_t groups[5];
    (void)state;
    assert_int_equal(weir_data_1.rows_parse(&f.schema, json, strlen(json), &keys, &error), WEIR_OK);
    columns[0] = keys.children[0];
    hash_columns(HASH_SEED, types, columns, 1, NULL, 5, hash);
    S->groups(f.state, 0, columns, 5, groups);
    for (int i = 0; i < 5; i++) assert_int_equal(groups[i], hash_group(hash[i]));
    assert_int_equal(groups[0], groups[3]);
    array_release(&keys);
    fixture_drop(&f);
}

/* Full clusters, wrapping ones, tags that are near each other, and all ones (as an empty entry has): whatever window they
 * lie in, entries are those that a walk from their home meets first. */
static void entries_are_found_alike_in_windows_and_one_by_one(void **state)
{
    struct memory memory = { NULL, 0 };
    (void)state;
    for (uint32_t keys = 1; keys < 6000; keys = keys * 2 + 5) {
        struct index index = { 0 };
        uint64_t random = keys;
        for (uint32_t k = 0; k < keys; k++) {
            const uint32_t tag = k % 50 == 0 ? UINT32_MAX - k / 50 % 3 : (uint32_t)(random >> 32);
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t walk;
            assert_int_equal(index_room(&index, &memory, 1), WEIR_OK);
            walk = index_home(&index, tag);
            while (index.entries[walk] != INDEX_NONE) walk = index_next(&index, walk);
            assert_int_equal(index_free(&index, index_home(&index, tag)), walk);
            index_add(&index, tag, k);
        }
        random = keys;
        for (uint32_t k = 0; k < 3 * keys; k++) {
            const uint32_t tag = k % 50 == 0 ? UINT32_MAX - k / 50 % 4 : (uint32_t)(random >> 32);
            const uint32_t walk = index_probe(&index, tag, index_home(&index, tag));
            random = random * 6364136223846793005u + 1442695040888963407u;
            assert_int_equal(index_first(&index, tag), index_slot(&index, walk));
        }
        index_fini(&index, &memory);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_get_slots_in_order_of_arrival),
        TEST(reading_makes_no_keys),
        TEST(null_nan_and_zero_are_one_key_each),
        TEST(a_null_is_neither_zero_nor_empty),
        TEST(text_of_any_length_is_a_key),
        TEST(keys_of_every_type_and_many_columns_are_told_apart),
        TEST(a_table_without_key_has_one_record),
        TEST(selected_rows_alone_are_looked_up),
        TEST(foreign_hashes_make_no_second_record),
        TEST(many_keys_keep_their_records),
        TEST(keys_with_equal_tags_are_told_apart),
        TEST(entries_are_found_alike_in_windows_and_one_by_one),
        TEST(text_of_a_removed_slot_is_readable_until_the_batch_ends),
        TEST(text_of_removed_keys_is_given_back),
        TEST(a_removed_slot_is_free_from_the_next_batch_on_lowest_first),
        TEST(next_walks_live_slots_in_order),
        TEST(keys_come_back_as_arrays),
        TEST(text_cells_are_put_and_got),
        TEST(a_text_may_be_put_from_the_table_itself),
        TEST(cells_of_aggregates_count_from_their_first_column),
        TEST(timers_fire_in_order_of_time_and_slot),
        TEST(many_timers_agree_with_a_plain_scan),
        TEST(slots_that_were_never_used_are_refused),
        TEST(what_is_no_table_is_refused),
        TEST(failing_memory_leaves_a_whole_table),
        TEST(memory_is_counted_and_given_back),
        TEST(groups_are_those_of_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
