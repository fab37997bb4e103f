/*
 * test_look.c - reading a checkpoint: what counts of the records of a log made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/tool_world.h"
#include "tools/weir/look.h"

static struct log *log_of;

static int setup(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct log_options options = { .directory = tool_world.checkpoint, .job_name = "j" };
    tool_setup(state);
    if (log_open(tool_world.sys, &options, NULL, NULL, &log_of, NULL, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return 0;
}

static struct weir_bytes bytes_of(const char *text)
{
    return (struct weir_bytes){ (const uint8_t *)text, strlen(text) };
}

static void append(uint32_t type, uint64_t batch, int32_t encoded, struct weir_buffer *payload)
{
    struct weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(encoded, WEIR_OK);
    assert_int_equal(log_append(log_of, type, RECORD_VERSION, batch,
                                (struct weir_bytes){ payload->data, payload->length }, &error),
                     WEIR_OK);
    mem_free(payload->data);
    memset(payload, 0, sizeof *payload);
}

static void add_job(const struct record_job *job)
{
    struct weir_buffer out = { 0 };
    append(LOG_JOB, 0, record_job_encode(job, &out), &out);
}

static void add_plan(uint64_t batch, const struct record_plan *plan)
{
    struct weir_buffer out = { 0 };
    append(LOG_PLAN, batch, record_plan_encode(plan, &out), &out);
}

static void add_state(uint64_t batch, const struct record_state *state)
{
    struct weir_buffer out = { 0 };
    append(LOG_STATE, batch, record_state_encode(state, &out), &out);
}

static void add_done(uint64_t batch, const char *sink)
{
    struct weir_buffer out = { 0 };
    struct record_done done = { sink };
    append(LOG_DONE, batch, record_done_encode(&done, &out), &out);
}

static struct look *looked(void)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct look *look;
    assert_int_equal(log_sync(log_of, &error), WEIR_OK);
    log_close(log_of);
    log_of = NULL;
    if (look_open(tool_world.sys, tool_world.checkpoint, &look, &error) != WEIR_OK)
        fail_msg("%s", error.text);
    return look;
}

static struct record_move move_to(const char *partition, const char *position)
{
    return (struct record_move){ .source = "n", .partition = partition, .from = bytes_of(""),
                                 .until = bytes_of(position) };
}

static void expect_position(const struct look *look, uint32_t i, const char *partition,
                            const char *position)
{
    assert_string_equal(look->positions[i].partition, partition);
    assert_int_equal(look->positions[i].bytes.length, strlen(position));
    assert_memory_equal(look->positions[i].bytes.data, position, strlen(position));
}

static void a_move_counts_when_its_batch_has_a_state(void **state)
{
    struct record_move first[] = { move_to("b", "1"), move_to("a", "2") };
    struct record_move second[] = { move_to("a", "3") }, gone[] = { move_to("b", "") };
    struct record_move pending[] = { move_to("a", "9") };
    (void)state;
    add_plan(0, &(struct record_plan){ .time_us = 100, .n_moves = 2, .moves = first });
    add_state(0, &(struct record_state){ 0 });
    add_plan(1, &(struct record_plan){ .time_us = 200, .n_moves = 1, .moves = second,
                                       .n_forgotten = 1, .forgotten = gone });
    add_state(1, &(struct record_state){ .watermark_us = 150 });
    add_plan(2, &(struct record_plan){ .time_us = 300, .n_moves = 1, .moves = pending });
    struct look *look = looked();
    assert_int_equal(look->n_positions, 1);
    expect_position(look, 0, "a", "3");
    assert_int_equal(look->time_us, 200);
    assert_int_equal(look->watermark_us, 150);
    assert_int_equal(look->next_batch, 2);
    assert_true(look->has_pending);
    assert_int_equal(look->pending_batch, 2);
    assert_int_equal(look->pending_time_us, 300);
    look_close(look);
}

static void a_map_replaces_all_positions(void **state)
{
    struct record_move first[] = { move_to("old", "1"), move_to("a", "2") };
    struct record_move map[] = { move_to("c", "7"), move_to("a", "5") };
    (void)state;
    add_plan(3, &(struct record_plan){ .n_moves = 2, .moves = first });
    add_state(3, &(struct record_state){ .has_map = 1, .n_map = 2, .map = map });
    struct look *look = looked();
    assert_int_equal(look->n_positions, 2);
    expect_position(look, 0, "a", "5");
    expect_position(look, 1, "c", "7");
    assert_int_equal(look->first_batch, 3);
    look_close(look);
}

static void a_committable_without_done_is_open(void **state)
{
    struct record_sink sinks[] = {
        { .name = "x", .outcome = SINK_COMMITTABLE, .rows = 4, .committable = bytes_of("abc") },
        { .name = "y", .outcome = SINK_COMMITTABLE, .rows = 4, .committable = bytes_of("abcd") },
    };
    struct record_sink later[] = { { .name = "x", .outcome = SINK_FINISHED, .rows = 9 } };
    (void)state;
    add_state(0, &(struct record_state){ .n_sinks = 2, .sinks = sinks });
    add_done(0, "x");
    add_state(1, &(struct record_state){ .n_sinks = 2, .sinks = sinks });
    add_done(0, "y");
    add_done(1, "x");
    add_state(2, &(struct record_state){ .n_sinks = 1, .sinks = later });
    struct look *look = looked();
    assert_int_equal(look->n_committables, 1);
    assert_string_equal(look->committables[0].sink, "y");
    assert_int_equal(look->committables[0].batch, 1);
    assert_int_equal(look->committables[0].length, 4);
    assert_int_equal(look->n_sinks, 2);
    assert_int_equal(look->sinks[0].outcome, SINK_FINISHED);
    assert_int_equal(look->sinks[0].rows, 9);
    assert_int_equal(look->sinks[1].batch, 1);
    look_close(look);
}

/* ---- tables ---- */

static struct store *store_of;

/* A table with a column of each type, and names that the signature has to escape. */
static struct store_operator *make_table(uint32_t kind, struct weir_error *error)
{
    static const struct weir_table_column columns[] = {
        { "b ool", WEIR_TYPE_BOOL, 0 },          { "i,32", WEIR_TYPE_INT32, 0 },
        { "i;64", WEIR_TYPE_INT64, 0 },          { "f(64)", WEIR_TYPE_FLOAT64, 0 },
        { "s\\/", WEIR_TYPE_UTF8, 0 },           { "bytes", WEIR_TYPE_BINARY, 0 },
        { "when", WEIR_TYPE_TIMESTAMP, 1 },      { "day", WEIR_TYPE_DATE, 0 },
    };
    struct ArrowSchema key = { 0 };
    uint32_t table;
    assert_int_equal(weir_data_1.schema_struct(2, &key, error), WEIR_OK);
    weir_data_1.schema_set(&key, 0, "a key/, with (all);", WEIR_TYPE_UTF8, error);
    weir_data_1.schema_set(&key, 1, "n", WEIR_TYPE_INT64, error);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = kind, .name = "t/x", .key = &key,
                                    .n_distribution = 1, .n_columns = 8, .columns = columns,
                                    .version = 3, .signature = "sum(a); v1 key(b)" };
    store_of = store_create(7);
    struct store_operator *op = store_operator(store_of, "op");
    if (store_declare(op, &spec, &table, error) != WEIR_OK) fail_msg("%s", error->text);
    key.release(&key);
    return op;
}

static void put_keys(struct store_operator *op, uint32_t group, const char *rows, uint32_t n)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowSchema schema = { 0 };
    struct ArrowArray array = { 0 };
    uint32_t slots[8];
    struct weir_state *state = store_group(op, group);
    assert_int_equal(weir_data_1.schema_parse("k string, n int64", &schema, &error), WEIR_OK);
    assert_int_equal(weir_data_1.rows_parse(&schema, rows, strlen(rows), &array, &error), WEIR_OK);
    const struct ArrowArray *keys[2] = { array.children[0], array.children[1] };
    assert_int_equal(weir_state_1.lookup_or_insert(state, 0, keys, NULL, NULL, n, slots, &error),
                     WEIR_OK);
    array.release(&array);
    schema.release(&schema);
}

static void add_piece(struct store_operator *op, uint64_t batch, uint32_t group, int base,
                      const char *table)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_buffer out = { 0 };
    int is_base;
    assert_int_equal(store_capture(op, 0, group, base, &out, &is_base, &error), WEIR_OK);
    struct record_piece piece = { .table = table, .group = group, .base = (uint32_t)is_base,
                                  .bytes = { out.data, out.length } };
    add_state(batch, &(struct record_state){ .n_pieces = 1, .pieces = &piece });
    mem_free(out.data);
}

static void expect_same(uint32_t kind)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct store_operator *op = make_table(kind, &error);
    struct weir_buffer want = { 0 }, got = { 0 };
    struct record_table table = { "op/t/x", store_signature(op, 0) };
    add_job(&(struct record_job){ .text = "{}", .hash_seed = 7, .zero_us = INT64_MIN,
                                  .weir_version = "1", .n_tables = 1, .tables = &table });
    put_keys(op, 3, "[[\"a\", 1], [\"b\", null], [\"c\", 3], [\"d\", 4]]", 4);
    add_piece(op, 0, 3, 0, "op/t/x");
    put_keys(op, 3, "[[\"e\", 5]]", 1);
    add_piece(op, 1, 3, 1, "op/t/x"); /* a base: what stands before it is superfluous */
    put_keys(op, 3, "[[null, 6]]", 1);
    put_keys(op, 200, "[[\"long enough to lie apart\", 1]]", 1);
    add_piece(op, 2, 3, 0, "op/t/x");
    add_piece(op, 3, 200, 0, "op/t/x");
    struct look *look = looked();
    assert_int_equal(look->n_pieces, 3);
    assert_int_equal(look->n_tables, 1);
    if (look_restore(look, &look->tables[0]) != WEIR_OK) fail_msg("%s", look->tables[0].error.text);
    for (uint32_t group = 0; group < STORE_GROUPS; group++) {
        assert_int_equal(store_dump(op, 0, group, &want), WEIR_OK);
        assert_int_equal(store_dump(look->tables[0].op, 0, group, &got), WEIR_OK);
    }
    assert_int_equal(want.length, got.length);
    assert_true(want.length > 100);
    assert_memory_equal(want.data, got.data, want.length);
    look_close(look);
    mem_free((char *)(uintptr_t)table.signature);
    mem_free(want.data);
    mem_free(got.data);
    store_destroy(store_of);
}

static void a_table_is_made_again_from_its_signature(void **state)
{
    (void)state;
    expect_same(WEIR_TABLE);
}

static void so_is_a_table_of_rows(void **state)
{
    (void)state;
    expect_same(WEIR_ROWS);
}

static void a_shape_that_is_not_understood_is_told(void **state)
{
    static const char *const shapes[] = {
        "", "v", "v1 ", "v1 key(", "v1 key(k int64", "v1 key(k int64/1)", "v1 key(k int6/1); ",
        "v1 key(k int64/2); ", "v1 key(k int64/1) n int64 m int64; ", "v1 key(k int64/1)n int64; ",
        "v99999999999 key(k int64/1); ", "v1 key(k int64/01); ", "v1 key(k int64/1) n date timer; ",
        "v1 key(k\\", "v1 key(k int64/1) \\",
    };
    (void)state;
    struct record_table tables[16];
    uint32_t n = sizeof shapes / sizeof *shapes;
    for (uint32_t i = 0; i < n; i++) tables[i] = (struct record_table){ "op/t", shapes[i] };
    tables[n] = (struct record_table){ "no_slash", "v1 key(k int64/1); " };
    add_job(&(struct record_job){ .text = "{}", .weir_version = "1", .n_tables = n + 1,
                                  .tables = tables });
    struct look *look = looked();
    assert_int_equal(look->n_tables, n + 1);
    for (uint32_t i = 0; i <= n; i++) {
        if (look_restore(look, &look->tables[i]) == WEIR_OK)
            fail_msg("taken: \"%s\"", look->tables[i].signature);
        assert_true(strlen(look->tables[i].error.text) > 0);
    }
    look_close(look);
}

static void pieces_of_a_table_that_the_job_lacks_are_not_hidden(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct store_operator *op = make_table(WEIR_TABLE, &error);
    (void)state;
    put_keys(op, 3, "[[\"a\", 1]]", 1);
    add_piece(op, 0, 3, 0, "gone/t");
    struct look *look = looked();
    assert_int_equal(look->n_tables, 1);
    assert_string_equal(look->tables[0].name, "gone/t");
    assert_null(look->tables[0].signature);
    assert_int_equal(look_restore(look, &look->tables[0]), WEIR_DATA);
    look_close(look);
    store_destroy(store_of);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tool_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_move_counts_when_its_batch_has_a_state),
        TEST(a_map_replaces_all_positions),
        TEST(a_committable_without_done_is_open),
        TEST(a_table_is_made_again_from_its_signature),
        TEST(so_is_a_table_of_rows),
        TEST(a_shape_that_is_not_understood_is_told),
        TEST(pieces_of_a_table_that_the_job_lacks_are_not_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
