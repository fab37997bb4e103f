/*
 * test_rows.c - tables with many records per key; without capture.
 */
#include "tests/core/state_tables.h"

static uint32_t append(struct fixture *f, uint32_t slot, int64_t order)
{
    uint32_t row;
    assert_int_equal(S->row_append(f->state, 0, &slot, &order, 1, &row, NULL), WEIR_OK);
    return row;
}

static void assert_orders(struct fixture *f, uint32_t slot, const char *orders)
{
    char text[256] = "";
    uint32_t row;
    for (row = S->row_first(f->state, 0, slot); row != WEIR_NO_ROW;
         row = S->row_next(f->state, 0, row))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld:%u", *text ? " " : "",
                 (long long)S->row_order(f->state, 0, row), row);
    assert_string_equal(text, orders);
}

static void records_of_a_key_lie_by_order_and_arrival(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    const uint32_t slot = insert_key(&f, "[[1]]");
    (void)state;
    assert_orders(&f, slot, "");
    append(&f, slot, 20);
    append(&f, slot, 10);
    append(&f, slot, 20);
    append(&f, slot, 30);
    append(&f, slot, 10);
    append(&f, slot, INT64_MIN);
    assert_orders(&f, slot, "-9223372036854775808:5 10:1 10:4 20:0 20:2 30:3");
    fixture_drop(&f);
}

static void keys_have_lists_of_their_own(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k string", "n int64");
    uint32_t slots[4], rows[4];
    const int64_t order[4] = { 1, 2, 0, 1 };
    (void)state;
    insert_keys(&f, "[[\"a\"],[\"b\"],[\"a\"],[\"b\"]]", slots);
    assert_int_equal(S->row_append(f.state, 0, slots, order, 4, rows, NULL), WEIR_OK);
    assert_orders(&f, slots[0], "0:2 1:0");
    assert_orders(&f, slots[1], "1:3 2:1");
    fixture_drop(&f);
}

static void columns_are_those_of_the_records(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64, mark bool, t string");
    const uint32_t slot = insert_key(&f, "[[1]]");
    uint32_t row;
    (void)state;
    append(&f, slot, 1);
    row = append(&f, slot, 2);
    assert_int_equal(*int_cell(&f, 0, row), 0);
    *int_cell(&f, 0, row) = 5;
    assert_int_equal(S->put(f.state, 0, 2, row, text_of("a text of a row, longer than short")),
                     WEIR_OK);
    assert_int_equal(S->row_touch(f.state, 0, &row, 1), WEIR_OK);
    assert_int_equal(*int_cell(&f, 0, 0), 0);
    assert_text(&f, 2, row, "a text of a row, longer than short");
    assert_text(&f, 2, 0, "");
    fixture_drop(&f);
}

static void a_key_goes_with_its_last_record(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    const uint32_t slot = insert_key(&f, "[[1]]");
    uint32_t rows[2];
    (void)state;
    rows[0] = append(&f, slot, 1);
    rows[1] = append(&f, slot, 2);
    assert_int_equal(S->row_remove(f.state, 0, rows, 1), WEIR_OK);
    assert_orders(&f, slot, "2:1");
    assert_int_equal(S->row_remove(f.state, 0, rows, 2), WEIR_OK);
    assert_int_equal(find_key(&f, "[[1]]"), WEIR_NO_SLOT);
    assert_int_equal(S->row_first(f.state, 0, slot), WEIR_NO_ROW);
    assert_int_equal(store_group_live(f.op, 0), 0);
    fixture_drop(&f);
}

static void an_iteration_may_remove_the_record_it_stands_on(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    const uint32_t slot = insert_key(&f, "[[1]]");
    uint32_t row, n = 0;
    int64_t i;
    (void)state;
    for (i = 0; i < 10; i++) append(&f, slot, i);
    for (row = S->row_first(f.state, 0, slot); row != WEIR_NO_ROW;
         row = S->row_next(f.state, 0, row))
        if (n++ % 3) assert_int_equal(S->row_remove(f.state, 0, &row, 1), WEIR_OK);
    assert_int_equal(n, 10);
    assert_orders(&f, slot, "0:0 3:3 6:6 9:9");
    fixture_drop(&f);
}

static void records_before_an_order_are_removed(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    const uint32_t slot = insert_key(&f, "[[1]]");
    int64_t i;
    (void)state;
    for (i = 0; i < 5; i++) append(&f, slot, i * 10);
    assert_int_equal(S->row_remove_before(f.state, 0, slot, 0), 0);
    assert_int_equal(S->row_remove_before(f.state, 0, slot, 20), 2);
    assert_orders(&f, slot, "20:2 30:3 40:4");
    assert_int_equal(S->row_remove_before(f.state, 0, slot, INT64_MAX), 3);
    assert_int_equal(find_key(&f, "[[1]]"), WEIR_NO_SLOT);
    fixture_drop(&f);
}

static void removing_a_key_removes_its_records(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    struct store_figures figures;
    uint32_t slots[2];
    (void)state;
    insert_keys(&f, "[[1],[2]]", slots);
    append(&f, slots[0], 1);
    append(&f, slots[1], 1);
    append(&f, slots[0], 2);
    remove_slot(&f, slots[0]);
    store_figures(f.op, 0, &figures);
    assert_int_equal(figures.keys, 1);
    assert_int_equal(figures.rows, 1);
    assert_orders(&f, slots[1], "1:1");
    fixture_drop(&f);
}

static void numbers_of_records_are_free_from_the_next_batch_on(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    uint32_t slot = insert_key(&f, "[[1]]");
    int64_t i;
    (void)state;
    for (i = 0; i < 5; i++) append(&f, slot, i);
    next_batch(&f);
    assert_int_equal(S->row_remove_before(f.state, 0, slot, 3), 3);
    assert_int_equal(append(&f, slot, 9), 5);
    next_batch(&f);
    assert_int_equal(append(&f, slot, 9), 0);
    assert_int_equal(append(&f, slot, 9), 1);
    assert_int_equal(append(&f, slot, 9), 2);
    assert_int_equal(append(&f, slot, 9), 6);
    assert_orders(&f, slot, "3:3 4:4 9:5 9:0 9:1 9:2 9:6");
    fixture_drop(&f);
}

static void records_may_have_timers(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "due timestamp");
    const uint32_t slot = insert_key(&f, "[[1]]");
    uint32_t due[4], i;
    (void)state;
    for (i = 0; i < 4; i++)
        assert_int_equal(S->set_timer(f.state, 0, 0, append(&f, slot, 0), 10 - i), WEIR_OK);
    assert_int_equal(S->row_remove_before(f.state, 0, slot, 0), 0);
    i = 3;
    assert_int_equal(S->row_remove(f.state, 0, &i, 1), WEIR_OK);
    assert_int_equal(store_group_due(f.op, 0, 0), 8);
    assert_int_equal(S->due(f.state, 0, 0, 9, due, 4), 2);
    assert_int_equal(due[0], 2);
    assert_int_equal(due[1], 1);
    fixture_drop(&f);
}

static void a_record_tells_its_key_and_its_columns(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    const uint32_t one = insert_key(&f, "[[1]]"), two = insert_key(&f, "[[2]]");
    const uint32_t rows[3] = { append(&f, two, 0), append(&f, one, 0), append(&f, two, 0) };
    const uint32_t wanted[2] = { rows[2], rows[0] };
    const struct weir_view n = S->column(f.state, 0, 0);
    struct ArrowArray out;
    uint32_t i;
    (void)state;
    for (i = 0; i < 3; i++) *(int64_t *)(void *)(n.base + rows[i] * n.stride) = 10 + i;
    assert_int_equal(S->row_slot(f.state, 0, rows[0]), two);
    assert_int_equal(S->row_slot(f.state, 0, rows[1]), one);
    assert_int_equal(S->values(f.state, 0, 0, wanted, 2, &out, NULL), WEIR_OK);
    assert_int_equal(weir_get_int64(&out, 0), 12);
    assert_int_equal(weir_get_int64(&out, 1), 10);
    array_release(&out);
    assert_int_equal(S->row_remove(f.state, 0, &rows[1], 1), WEIR_OK);
    assert_int_equal(S->row_slot(f.state, 0, rows[1]), WEIR_NO_SLOT);
    assert_int_equal(S->row_slot(f.state, 0, 99), WEIR_NO_SLOT);
    fixture_drop(&f);
}

static void what_is_not_there_is_refused(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64");
    struct fixture plain = fixture_of(WEIR_TABLE, "k int64", "n int64");
    uint32_t slot = 0, row, bad = 9;
    const int64_t order = 1;
    (void)state;
    assert_int_equal(S->row_append(f.state, 0, &slot, &order, 1, &row, NULL), WEIR_FATAL);
    slot = insert_key(&f, "[[1]]");
    assert_int_equal(S->row_append(f.state, 0, &bad, &order, 1, &row, NULL), WEIR_FATAL);
    append(&f, slot, 1);
    remove_slot(&f, slot);
    assert_int_equal(S->row_append(f.state, 0, &slot, &order, 1, &row, NULL), WEIR_FATAL);
    assert_int_equal(S->row_remove(f.state, 0, &bad, 1), WEIR_FATAL);
    assert_int_equal(S->row_touch(f.state, 0, &bad, 1), WEIR_FATAL);
    assert_int_equal(S->row_next(f.state, 0, bad), WEIR_NO_ROW);
    slot = insert_key(&plain, "[[1]]");
    assert_int_equal(S->row_append(plain.state, 0, &slot, &order, 1, &row, NULL), WEIR_FATAL);
    assert_int_equal(S->row_first(plain.state, 0, slot), WEIR_NO_ROW);
    fixture_drop(&plain);
    fixture_drop(&f);
}

static int work_with_memory(void)
{
    struct fixture f;
    uint32_t slot, row, i, n = 0;
    char json[32];
    int done = 0;
    if (fixture_try(&f, WEIR_ROWS, "k int64", "n int64, t string", NULL)) goto end;
    for (i = 0; i < 40; i++) {
        const int64_t order = i * 7 % 5;
        snprintf(json, sizeof json, "[[%u]]", i % 3);
        if (keys_run(&f, json, 1, &slot)) goto end;
        if (S->row_append(f.state, 0, &slot, &order, 1, &row, NULL)) goto end;
        if (S->put(f.state, 0, 1, row, text_of("a text that goes to the arena"))) goto end;
        if (i % 10 == 9 && S->row_remove_before(f.state, 0, slot, 2) < 0) goto end;
    }
    if (S->remove(f.state, 0, &slot, 1)) goto end;
    done = 1;
end:
    mem_fail_at(0, 0);
    for (slot = f.state ? S->next(f.state, 0, 0) : WEIR_NO_SLOT; slot != WEIR_NO_SLOT;
         slot = S->next(f.state, 0, slot + 1))
        for (row = S->row_first(f.state, 0, slot); row != WEIR_NO_ROW;
             row = S->row_next(f.state, 0, row))
            assert_true(n++ < 100);
    fixture_drop(&f);
    return done;
}

static void failing_memory_leaves_whole_lists(void **state)
{
    (void)state;
    with_failing_memory(work_with_memory);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_of_a_key_lie_by_order_and_arrival),
        TEST(keys_have_lists_of_their_own),
        TEST(columns_are_those_of_the_records),
        TEST(a_key_goes_with_its_last_record),
        TEST(an_iteration_may_remove_the_record_it_stands_on),
        TEST(records_before_an_order_are_removed),
        TEST(removing_a_key_removes_its_records),
        TEST(numbers_of_records_are_free_from_the_next_batch_on),
        TEST(records_may_have_timers),
        TEST(a_record_tells_its_key_and_its_columns),
        TEST(what_is_not_there_is_refused),
        TEST(failing_memory_leaves_whole_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
