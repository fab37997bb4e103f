#include "tests/plugins/sink_case.h"

#include "core/data/array.h"
#include "plugins/sink_memory/memory.h"

static struct sim_disk *disk;
static struct weir_sys *sys;
static struct fake fake;
static struct weir_buffer committable;
static const struct weir_memory *view;

static int teardown(void **state)
{
    (void)state;
    fake_destroy(&fake);
    mem_free(committable.data);
    memset(&committable, 0, sizeof committable);
    assert_int_equal(mem_in_use(), 0);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    disk = sim_disk_create();
    sys = sim_create(disk, START_US, 1);
    return disk && sys ? 0 : -1;
}

static void make(const char *options)
{
    assert_ok(fake_create(&fake, sys, entry_sink_memory, NULL, options), &fake);
    assert_ok(fake_bind_sink(&fake, "a int, s string", WEIR_FORM_UPSERT), &fake);
    assert_ok(fake_open_sink(&fake, "0"), &fake);
    assert_ok(sink_of(&fake)->recover(fake.self, NULL, 0, 0, &fake.error), &fake);
    assert_string_equal(fake.component->interfaces[0].id, WEIR_MEMORY_ID);
    view = fake.component->interfaces[0].table;
}

static void prepare(uint64_t id, const char *rows, const char *more)
{
    assert_ok(fake_begin(&fake, id, START_US, 2), &fake);
    if (rows) assert_ok(fake_write(&fake, id, 0, rows), &fake);
    if (more) assert_ok(fake_write(&fake, id, 1, more), &fake);
    committable.length = 0;
    assert_ok(sink_of(&fake)->prepare(fake.self, &committable, &fake.error), &fake);
}

static uint32_t commit(uint64_t id)
{
    struct weir_committable c = { id, { committable.data, committable.length } };
    uint32_t outcome = 0;
    assert_ok(sink_of(&fake)->commit(fake.self, &c, &outcome, &fake.error), &fake);
    return outcome;
}

/* "id:partition[[rows]] …" of all that is visible. */
static void holds(const char *want)
{
    struct weir_buffer text = { 0 };
    char number[40];
    view->lock(fake.self);
    for (uint64_t i = 0; i < view->batches(fake.self); i++) {
        uint64_t id;
        uint32_t chunks;
        assert_int_equal(view->batch(fake.self, i, &id, &chunks), WEIR_OK);
        snprintf(number, sizeof number, "%llu:", (unsigned long long)id);
        buffer_add(&text, number, strlen(number));
        for (uint32_t k = 0; k < chunks; k++) {
            struct weir_memory_chunk c = { .size = sizeof c };
            assert_int_equal(view->chunk(fake.self, i, k, &c), WEIR_OK);
            assert_int_equal(array_validate(c.schema, (struct ArrowArray *)(uintptr_t)c.array, 1,
                                            &fake.error), WEIR_OK);
            snprintf(number, sizeof number, "%u", c.partition);
            buffer_add(&text, number, strlen(number));
            rows_json(c.schema, c.array, NULL, (uint32_t)c.array->length, &text);
        }
        buffer_add(&text, " ", 1);
    }
    view->unlock(fake.self);
    assert_string_equal(fake_text(&text), want);
    mem_free(text.data);
}

static void a_batch_is_visible_once_it_is_committed(void **state)
{
    (void)state;
    make("");
    prepare(0, "[[1,\"a\"],[2,null]]", "[[3,\"\"]]");
    holds("");
    assert_int_equal(commit(0), WEIR_COMMIT_DONE);
    holds("0:0[[1,\"a\"],[2,null]]1[[3,\"\"]] ");
    assert_int_equal(view->form(fake.self), WEIR_FORM_UPSERT);
}

static void a_repeated_commit_is_already_there(void **state)
{
    (void)state;
    make("");
    prepare(0, "[[1,\"a\"]]", NULL);
    assert_int_equal(commit(0), WEIR_COMMIT_DONE);
    assert_int_equal(commit(0), WEIR_COMMIT_ALREADY);
    holds("0:0[[1,\"a\"]] ");
}

static void an_aborted_batch_leaves_nothing_and_may_come_again(void **state)
{
    (void)state;
    make("");
    prepare(0, "[[1,\"a\"]]", NULL);
    assert_ok(sink_of(&fake)->abort(fake.self, &fake.error), &fake);
    prepare(0, "[[1,\"a\"]]", NULL);
    prepare(0, "[[1,\"a\"]]", NULL);
    assert_int_equal(commit(0), WEIR_COMMIT_DONE);
    holds("0:0[[1,\"a\"]] ");
}

static void empty_batches_are_batches(void **state)
{
    (void)state;
    make("");
    prepare(0, NULL, NULL);
    assert_int_equal(commit(0), WEIR_COMMIT_DONE);
    prepare(1, "[]", NULL);
    assert_int_equal(commit(1), WEIR_COMMIT_DONE);
    holds("0: 1:0[] ");
}

static void old_batches_go_and_the_newest_stays(void **state)
{
    uint64_t batches, rows;
    (void)state;
    make("\"rows\": 2");
    for (uint64_t i = 0; i < 3; i++) {
        prepare(i, "[[1,\"a\"]]", NULL);
        assert_int_equal(commit(i), WEIR_COMMIT_DONE);
    }
    holds("1:0[[1,\"a\"]] 2:0[[1,\"a\"]] ");
    prepare(3, "[[1,\"a\"],[2,\"b\"]]", "[[3,\"c\"]]");
    assert_int_equal(commit(3), WEIR_COMMIT_DONE);
    holds("3:0[[1,\"a\"],[2,\"b\"]]1[[3,\"c\"]] ");
    view->dropped(fake.self, &batches, &rows);
    assert_int_equal(batches, 3);
    assert_int_equal(rows, 3);
    assert_int_equal(commit(0), WEIR_COMMIT_ALREADY);
}

static void what_the_log_does_not_list_is_given_up(void **state)
{
    struct weir_committable list = { 0, { NULL, 0 } };
    (void)state;
    make("");
    prepare(0, "[[1,\"a\"]]", NULL);
    list.bytes.data = committable.data;
    prepare(1, "[[2,\"b\"]]", NULL);
    assert_ok(sink_of(&fake)->recover(fake.self, &list, 1, 1, &fake.error), &fake);
    assert_int_equal(commit(0), WEIR_COMMIT_DONE);
    assert_int_equal(commit(1), WEIR_COMMIT_ALREADY); /* unknown: as after a restart */
    holds("0:0[[1,\"a\"]] ");
}

static void without_memory_it_fails_and_leaks_nothing(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        make("");
        mem_fail_at(n, 0);
        int32_t status = fake_begin(&fake, 0, START_US, 1);
        mem_fail_at(0, 0);
        struct ArrowArray array;
        assert_ok(weir_data_1.rows_parse(&fake.schema, "[[1,\"a\"]]", 9, &array, &fake.error),
                  &fake);
        struct weir_chunk chunk = { .size = sizeof chunk, .rows = 1, .selected = 1,
                                    .array = &array, .schema = &fake.schema };
        mem_fail_at(n, 0);
        if (status == WEIR_OK) status = sink_of(&fake)->write(fake.self, &chunk, &fake.error);
        committable.length = 0;
        if (status == WEIR_OK)
            status = sink_of(&fake)->prepare(fake.self, &committable, &fake.error);
        mem_fail_at(0, 0);
        array_release(&array);
        if (status == WEIR_OK) commit(0);
        holds(status == WEIR_OK ? "0:0[[1,\"a\"]] " : "");
        fake_destroy(&fake);
        mem_free(committable.data);
        memset(&committable, 0, sizeof committable);
        assert_int_equal(mem_in_use(), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_visible_once_it_is_committed),
        TEST(a_repeated_commit_is_already_there),
        TEST(an_aborted_batch_leaves_nothing_and_may_come_again),
        TEST(empty_batches_are_batches),
        TEST(old_batches_go_and_the_newest_stays),
        TEST(what_the_log_does_not_list_is_given_up),
        TEST(without_memory_it_fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
