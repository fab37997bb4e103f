/*
 * test_operator_aggregate.c - count, reduce, count_by_value, reduce_by_key and aggregate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/operator_rig.h"

const struct weir_plugin *entry_operator_aggregate(const struct weir_host *, struct weir_error *);

static struct rig rig;

static int teardown(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

#define OPEN(...)                                                                                  \
    do {                                                                                           \
        int32_t opened = rig_open(&rig, entry_operator_aggregate, __VA_ARGS__, NULL);              \
        if (opened != WEIR_OK) fail_msg("%s: %s", rig.error.option, rig.error.text);               \
    } while (0)
#define FEED(rows) assert_int_equal(rig_feed(&rig, rows), WEIR_OK)

static void assert_ddl(const char *ddl)
{
    char *text = rig_ddl(&rig);
    assert_string_equal(text, ddl);
    mem_free(text);
}

/* ---- count ---- */

static void count_gives_one_row_also_for_none(void **state)
{
    (void)state;
    OPEN("count", "", "a string, b int64");
    assert_ddl("count int64");
    assert_true(rig.plan.flags & WEIR_PLAN_TICKING);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "[0]\n");
    rig_forget(&rig);
    FEED("[[\"x\", 1], [null, null], [\"y\",2]]");
    assert_string_equal(rig_rows(&rig), "[3]\n");
}

static void count_of_an_absent_input_fails(void **state)
{
    (void)state;
    OPEN("count", "", "a string");
    rig.absent = 1;
    assert_int_equal(rig_feed(&rig, "[]"), WEIR_DATA);
}

/* ---- count_by_value ---- */

static void count_by_value_counts_nulls_as_a_value(void **state)
{
    (void)state;
    OPEN("count_by_value", "\"column\": \"w\"", "w string");
    assert_ddl("w string, count int64");
    FEED("[[\"a\"], [\"b\"], [null], [\"a\"], [null], [\"\"]]");
    assert_string_equal(rig_sorted(&rig), "[\"\",1]\n[\"a\",2]\n[\"b\",1]\n[null,2]\n");
    rig_forget(&rig);
    FEED("[]");
    assert_string_equal(rig_rows(&rig), "");
    FEED("[[\"a\"]]");
    assert_string_equal(rig_rows(&rig), "[\"a\",1]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(count_gives_one_row_also_for_none, teardown),
        cmocka_unit_test_teardown(count_of_an_absent_input_fails, teardown),
        cmocka_unit_test_teardown(count_by_value_counts_nulls_as_a_value, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
