#include "tests/plugins/one_sink.h"

static void make(const char *options, const char *ddl)
{
    assert_ok(fake_create(&fake, sys, entry_sink_null, NULL, options), &fake);
    assert_ok(fake_bind_sink(&fake, ddl, WEIR_FORM_REPLACE), &fake);
    assert_ok(fake_open_sink(&fake, "0"), &fake);
}

static void batch(uint64_t id, const char *rows, const char *more)
{
    assert_ok(fake_begin(&fake, id, START_US, 1), &fake);
    assert_ok(fake_write(&fake, id, 0, rows), &fake);
    if (more) assert_ok(fake_write(&fake, id, 0, more), &fake);
    assert_ok(sink_of(&fake)->finish(fake.self, &fake.error), &fake);
}

/* The gauges after a run of the given chunks. */
static char *sums(const char *ddl, const char *rows, const char *more)
{
    char *text;
    make("\"checksum\": true", ddl);
    batch(0, rows, more);
    text = strdup(strstr(fake_text(&fake.counters), "checksum:"));
    assert_non_null(text);
    fake_destroy(&fake);
    return text;
}

static void same(const char *ddl, const char *a, const char *more_a, const char *b,
                 const char *more_b, int sum, int order)
{
    char *one = sums(ddl, a, more_a), *two = sums(ddl, b, more_b);
    int n = (int)(strchr(one, '\n') - one);
    int n2 = (int)(strchr(two, '\n') - two);
    int sums_equal = n == n2 && strncmp(one, two, (size_t)n) == 0;
    int orders_equal = strcmp(strchr(one, '\n'), strchr(two, '\n')) == 0;
    free(one);
    free(two);
    assert_int_equal(sums_equal, sum);
    assert_int_equal(orders_equal, order);
}

static void rows_and_batches_are_counted(void **state)
{
    (void)state;
    make("", "a int");
    batch(0, "[[1],[2]]", "[[3]]");
    assert_string_equal(fake_text(&fake.counters), "rows=3\nbatches=1\n");
}

static void a_batch_that_is_tried_again_counts_once(void **state)
{
    (void)state;
    make("", "a int");
    assert_ok(fake_begin(&fake, 0, START_US, 1), &fake);
    assert_ok(fake_write(&fake, 0, 0, "[[1],[2]]"), &fake);
    assert_ok(sink_of(&fake)->abort(fake.self, &fake.error), &fake);
    batch(0, "[[1],[2]]", NULL);
    assert_string_equal(fake_text(&fake.counters), "rows=2\nbatches=1\n");
}

static void one_sum_knows_the_order_of_rows_and_one_does_not(void **state)
{
    static const char *const ddl = "a int, s string, l list<int>, t struct<x: double>";
    (void)state;
    same(ddl, "[[1,\"a\",[1,2],{\"x\":1}],[2,null,null,null]]", NULL,
         "[[1,\"a\",[1,2],{\"x\":1}]]", "[[2,null,null,null]]", 1, 1);
    same(ddl, "[[1,\"a\",[1,2],{\"x\":1}],[2,null,null,null]]", NULL,
         "[[2,null,null,null]]", "[[1,\"a\",[1,2],{\"x\":1}]]", 1, 0);
}

static void another_value_gives_other_sums(void **state)
{
    (void)state;
    same("a int", "[[1]]", NULL, "[[2]]", NULL, 0, 0);
    same("a int", "[[1]]", NULL, "[[1]]", "[[1]]", 0, 0);
    same("a int", "[[0]]", NULL, "[[null]]", NULL, 0, 0);
    same("s string", "[[\"\"]]", NULL, "[[null]]", NULL, 0, 0);
    same("s string", "[[\"12345678\"]]", NULL, "[[\"12345678\\u0000\"]]", NULL, 0, 0);
    same("s string, t string", "[[\"ab\",\"c\"]]", NULL, "[[\"a\",\"bc\"]]", NULL, 0, 0);
    same("l list<int>", "[[[1,2]]]", NULL, "[[[2,1]]]", NULL, 0, 0);
    same("l list<int>", "[[[]]]", NULL, "[[null]]", NULL, 0, 0);
    same("d double", "[[1]]", NULL, "[[2]]", NULL, 0, 0);
    same("b bool", "[[true]]", NULL, "[[false]]", NULL, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_and_batches_are_counted),
        TEST(a_batch_that_is_tried_again_counts_once),
        TEST(one_sum_knows_the_order_of_rows_and_one_does_not),
        TEST(another_value_gives_other_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
