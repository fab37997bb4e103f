/*
 * test_stateful.c - state functions in C, by the operators of examples/state.
 */
#define ENTRY entry_example_state
#include "tests/plugins/operator_case.h"


static void open_it(const char *name)
{
    if (rig_open(&rig, ENTRY, name, "", "user string, amount int64", NULL) != WEIR_OK)
        fail_msg("%s", rig.error.text);
}

/* A batch with these rows gives these, whatever the order of the keys. */
static void gives(const char *rows, const char *expected)
{
    rig_forget(&rig);
    if (rig_feed(&rig, rows) != WEIR_OK) fail_msg("%s", rig.error.text);
    assert_string_equal(rig_sorted(&rig), expected);
}

static void every_key_is_called_in_every_batch(void **state)
{
    (void)state;
    open_it("idle_totals");
    assert_true(rig.plan.flags & WEIR_PLAN_TICKING);
    assert_true(rig.plan.flags & WEIR_PLAN_ALL_GROUPS);
    gives("[[\"a\", 1], [\"b\", 2], [\"a\", 3]]", "[\"a\",4]\n[\"b\",2]\n");
    gives("[[\"b\", 5], [\"b\", null]]", "[\"a\",4]\n[\"b\",7]\n");
    assert_int_equal(rig.n_rejects, 1);
    gives("[]", "[\"b\",7]\n"); /* a has been idle twice */
    gives("[[\"a\", 1]]", "[\"a\",1]\n");
    gives("[]", "[\"a\",1]\n");
}

static void a_timer_fires_when_its_time_has_come(void **state)
{
    (void)state;
    open_it("running");
    gives("[[\"a\", 1], [\"b\", 2], [\"a\", 3]]", "[\"a\",1]\n[\"a\",4]\n[\"b\",2]\n");
    gives("[[\"b\", 1]]", "[\"b\",3]\n");
    gives("[]", "[\"a\",-1]\n");
    gives("[[\"a\", 5]]", "[\"a\",5]\n[\"b\",-1]\n");
    gives("[]", "");
}

static void keys_with_rows_are_called_once(void **state)
{
    (void)state;
    open_it("visits");
    gives("[[\"a\", 1], [\"b\", 2], [\"a\", 3], [null, 1]]", "[\"\",1]\n[\"a\",2]\n[\"b\",1]\n");
    gives("[[\"b\", 1]]", "[\"\",-1]\n[\"a\",-1]\n[\"b\",2]\n");
    gives("[]", "[\"b\",-1]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_is_called_in_every_batch),
        TEST(a_timer_fires_when_its_time_has_come),
        TEST(keys_with_rows_are_called_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
