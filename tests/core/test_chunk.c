/*
 * test_chunk.c - chunks: making, deriving by reference, views, compaction, counts.
 */
#include "tests/core/data_rows.h"

#include "core/data/chunk.h"

#include <pthread.h>

static struct ArrowSchema schema;

static struct weir_chunk *chunk_of_rows(const uint32_t *selection, uint32_t selected)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    struct weir_chunk *c;
    schema = r.schema; /* lives in the test until drop() */
    c = chunk_create(&schema, &r.array, selection, selected);
    assert_non_null(c);
    assert_null(r.array.release);
    return c;
}

static void drop(struct weir_chunk *c)
{
    chunk_release(c);
    schema_release(&schema);
}

static void assert_chunk(const struct weir_chunk *c, const char *json)
{
    assert_rows(c->schema, (struct ArrowArray *)(uintptr_t)c->array, c->selection, c->selected,
                json);
}

static void a_chunk_copies_its_selection(void **state)
{
    uint32_t selection[] = { 1, 3 };
    struct weir_chunk *c = chunk_of_rows(selection, 2);
    (void)state;
    selection[0] = 99;
    assert_int_equal(c->size, sizeof *c);
    assert_int_equal(c->rows, 4);
    assert_int_equal(c->selected, 2);
    assert_int_equal(weir_row(c, 0), 1);
    assert_int_equal(weir_row(c, 1), 3);
    drop(c);
    c = chunk_of_rows(NULL, 0);
    assert_int_equal(c->selected, 4);
    assert_chunk(c, ALL_ROWS);
    drop(c);
    c = chunk_of_rows(selection, 0); /* an empty selection is not "all" */
    assert_int_equal(c->selected, 0);
    assert_non_null(c->selection);
    drop(c);
}

static void a_derived_chunk_keeps_its_parent_alive(void **state)
{
    struct weir_chunk *from = chunk_of_rows(NULL, 0), *c, *cc;
    struct rows extra = rows_of("n int64", "[[1],[2],[3],[4]]");
    struct ArrowSchema out, out2;
    struct ArrowArray column = *extra.array.children[0];
    struct weir_output_column columns[] = { { 4, 0, NULL }, { -1, 0, &column }, { 8, 0, NULL } };
    struct weir_output_column again[] = { { 2, 0, NULL }, { 0, 0, NULL } };
    const uint32_t selection[] = { 0, 3 };
    (void)state;
    extra.array.children[0]->release = NULL;
    from->batch = 7;
    from->partition = 3;
    schema_of("s string, n int64, ls list<string>", &out);
    schema_of("ls list<string>, s string", &out2);
    c = chunk_derive(&out, from, columns, 3, 4, selection, 2);
    assert_non_null(c);
    assert_null(column.release);
    assert_ptr_equal(c->array->children[0], from->array->children[4]); /* not copied */
    assert_int_equal(c->batch, 7);
    assert_int_equal(c->partition, 3);
    chunk_release(from);
    assert_chunk(c, "[[\"one\",1,[\"x\",null,\"\"]],"
                    "[\"g\xc3\xbcrteltier, a text of more than 32 bytes\",4,[\"y\"]]]");
    cc = chunk_derive(&out2, c, again, 2, 4, NULL, 0);
    chunk_release(c);
    assert_int_equal(cc->selected, 4);
    assert_chunk(cc, "[[[\"x\",null,\"\"],\"one\"],[null,null],[[],\"\"],"
                     "[[\"y\"],\"g\xc3\xbcrteltier, a text of more than 32 bytes\"]]");
    chunk_release(cc);
    rows_drop(&extra);
    schema_release(&out);
    schema_release(&out2);
    schema_release(&schema);
}

static void a_chunk_of_new_columns_needs_no_parent(void **state)
{
    struct rows r = rows_of("n int64", "[[1],[2]]");
    struct ArrowArray column = *r.array.children[0];
    struct weir_output_column columns[] = { { -1, 0, &column } };
    struct weir_chunk *c;
    (void)state;
    r.array.children[0]->release = NULL;
    c = chunk_derive(&r.schema, NULL, columns, 1, 2, NULL, 0);
    assert_chunk(c, "[[1],[2]]");
    chunk_release(c);
    c = chunk_derive(&r.schema, NULL, NULL, 0, 5, NULL, 0); /* rows without columns */
    assert_int_equal(c->selected, 5);
    chunk_release(c);
    rows_drop(&r);
}

static void a_view_shows_other_rows_of_the_same_arrays(void **state)
{
    struct weir_chunk *c = chunk_of_rows(NULL, 0), *borrowed, *copied, *all;
    uint32_t selection[] = { 2 };
    uint64_t *hash = mem_alloc(4 * sizeof *hash);
    (void)state;
    hash[2] = 42;
    chunk_set_hash(c, hash);
    borrowed = chunk_view(c, selection, 1, 0);
    copied = chunk_view(c, selection, 1, 1);
    all = chunk_view(copied, NULL, 0, 0);
    chunk_release(c);
    assert_ptr_equal(borrowed->selection, selection);
    assert_ptr_equal(borrowed->array, copied->array);
    selection[0] = 0;
    assert_int_equal(weir_row(borrowed, 0), 0);
    assert_int_equal(weir_row(copied, 0), 2);
    assert_int_equal(copied->hash[2], 42);
    chunk_release(copied);
    assert_chunk(all, ALL_ROWS);
    chunk_release(all);
    drop(borrowed);
}

static void compaction_gathers_the_selected_rows(void **state)
{
    const uint32_t selection[] = { 0, 2 };
    struct weir_chunk *c = chunk_of_rows(selection, 2), *out, *same;
    uint64_t *hash = mem_alloc(4 * sizeof *hash);
    uint32_t i;
    (void)state;
    for (i = 0; i < 4; i++) hash[i] = i * 10;
    chunk_set_hash(c, hash);
    c->batch = 5;
    c->partition = 6;
    out = chunk_compact(c, NULL);
    assert_null(out->selection);
    assert_int_equal(out->selected, 2);
    assert_int_equal(out->batch, 5);
    assert_int_equal(out->partition, 6);
    assert_int_equal(out->hash[0], 0);
    assert_int_equal(out->hash[1], 20);
    same = chunk_compact(out, NULL);
    assert_ptr_equal(same, out);
    chunk_release(same);
    chunk_release(out);
    drop(c);
    const uint32_t all[] = { 0, 1, 2, 3 };
    c = chunk_of_rows(all, 4);
    out = chunk_compact(c, NULL);
    assert_ptr_equal(out->array, c->array); /* nothing to gather */
    assert_null(out->selection);
    assert_chunk(out, ALL_ROWS);
    chunk_release(out);
    drop(c);
}

static void views_of_a_chunk_weigh_as_much_as_the_chunk(void **state)
{
    struct weir_chunk *c = chunk_of_rows(NULL, 0);
    const uint32_t halves[][2] = { { 0, 1 }, { 2, 3 } };
    struct weir_chunk *a = chunk_view(c, halves[0], 2, 0), *b = chunk_view(c, halves[1], 2, 0);
    const uint64_t whole = chunk_bytes(c), sum = chunk_bytes(a) + chunk_bytes(b);
    (void)state;
    assert_true(whole > 300);
    assert_true(sum >= whole && sum < whole + 700);
    chunk_release(a);
    chunk_release(b);
    drop(c);
}

static void *retain_and_release(void *arg)
{
    const struct weir_chunk *c = arg;
    int i;
    for (i = 0; i < 20000; i++) {
        struct weir_chunk *view;
        chunk_retain(c);
        view = chunk_view(c, NULL, 0, 0);
        chunk_release(c);
        chunk_release(view);
    }
    chunk_release(c);
    return NULL;
}

static void counts_hold_between_threads(void **state)
{
    struct weir_chunk *c = chunk_of_rows(NULL, 0);
    pthread_t threads[4];
    int i;
    (void)state;
    for (i = 0; i < 4; i++) {
        chunk_retain(c);
        assert_int_equal(pthread_create(&threads[i], NULL, retain_and_release, c), 0);
    }
    drop(c); /* the last thread frees it */
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static int chunks(void)
{
    struct rows r;
    struct ArrowArray column = { 0 };
    struct weir_output_column columns[] = { { 0, 0, NULL }, { -1, 0, &column } };
    const uint32_t selection[] = { 1 };
    struct weir_chunk *c = NULL, *derived = NULL, *view = NULL, *compact = NULL;
    struct ArrowSchema out = { 0 };
    if (weir_data_1.schema_parse("n int64", &r.schema, NULL)) return 0;
    if (weir_data_1.schema_parse("n int64, m int64", &out, NULL)) goto end;
    if (weir_data_1.rows_parse(&r.schema, "[[1],[2]]", 9, &r.array, NULL)) goto end;
    c = chunk_create(&r.schema, &r.array, selection, 1);
    assert_null(r.array.release);
    if (!c || weir_data_1.column(WEIR_TYPE_INT64, 2, 0, 0, &column, NULL)) goto end;
    derived = chunk_derive(&out, c, columns, 2, 2, selection, 1);
    assert_null(column.release);
    if (derived) view = chunk_view(derived, selection, 1, 1);
    if (view) compact = chunk_compact(view, NULL);
end:
    chunk_release(compact);
    chunk_release(view);
    chunk_release(derived);
    chunk_release(c);
    schema_release(&out);
    schema_release(&r.schema);
    return compact != NULL;
}

static void without_memory_chunks_fail_and_leak_nothing(void **state)
{
    (void)state;
    with_failing_memory(chunks);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chunk_copies_its_selection),
        TEST(a_derived_chunk_keeps_its_parent_alive),
        TEST(a_chunk_of_new_columns_needs_no_parent),
        TEST(a_view_shows_other_rows_of_the_same_arrays),
        TEST(compaction_gathers_the_selected_rows),
        TEST(views_of_a_chunk_weigh_as_much_as_the_chunk),
        TEST(counts_hold_between_threads),
        TEST(without_memory_chunks_fail_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
