/*
 * test_stateful.c - state functions in C, by the operators of examples/state and one that removes and rejects.
 */
#define ENTRY entry_example_state
#include "tests/plugins/operator_case.h"

#include <weir/stateful.h>

#define CHUNK 1000

/* ---- ledger: number and sum of the rows of a user. 0 ends the user; above 1000 a row is rejected, behind all that it
 * changed; null removes and rejects. A user without a row for as many seconds as the last amount is told of. ---- */

static int32_t tell(struct weir_stateful_row *r, struct weir_bytes user, int64_t n,
                    struct weir_error *error)
{
    weir_row_put_text(&r->row, 0, user);
    weir_row_put_int(&r->row, 1, n);
    weir_row_put_int(&r->row, 2, *weir_stateful_int(r, 2));
    return weir_row_emit(&r->row, error);
}

static int32_t enter(struct weir_stateful_row *r, struct weir_error *error)
{
    const int none = weir_row_null(&r->row, 1);
    const int64_t amount = none ? 0 : weir_row_int(&r->row, 1);
    *(r->views[0].base + (uint64_t)r->slot * r->views[0].stride) = 1;
    *weir_stateful_float(r, 1) += 1;
    *weir_stateful_int(r, 2) += amount;
    assert_int_equal(weir_stateful_timer(r, r->row.time_us + amount * 1000000), WEIR_OK);
    if (none) {
        assert_int_equal(weir_stateful_remove(r), WEIR_OK);
        return weir_fail(error, WEIR_DATA, "no amount");
    }
    if (amount > 1000) return weir_fail(error, WEIR_DATA, "too much");
    if (amount == 0 && weir_stateful_remove(r) != WEIR_OK) return WEIR_FATAL;
    return tell(r, weir_row_text(&r->row, 0), (int64_t)*weir_stateful_float(r, 1), error);
}

static int32_t rows_of_batch(struct weir_stateful_row *r, struct weir_error *error)
{
    return tell(r, weir_stateful_key_text(r, 0), -weir_stateful_rows(r), error);
}

static int32_t silent(struct weir_stateful_row *r, struct weir_error *error)
{
    return tell(r, weir_stateful_key_text(r, 0), -100, error);
}

static const struct weir_stateful ledger = {
    { "user string, amount bigint", "user string, n bigint, total bigint", 0, 0 },
    1, "known bool, n double, total bigint", enter, 1
};
static const struct weir_stateful_more ledger_more = {
    sizeof ledger_more, WEIR_STATEFUL_ROW_KEYS, WEIR_CLOCK_BATCH, 0, rows_of_batch, silent
};
extern const struct weir_operator ledger_table, text_record_table;
WEIR_STATEFUL_WITH(ledger_table, ledger, ledger_more)

static const struct weir_stateful text_record = {
    { "user string, amount bigint", "user string", 0, 0 }, 1, "name string", enter, 1
};
WEIR_STATEFUL(text_record_table, text_record)

#define OPERATOR(operator_name)                                                                    \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = #operator_name,   \
      .summary = "", .state_reads = 1, .state_writes = 1,                                          \
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,                                 \
      .table = &operator_name##_table }

static const struct weir_component components[] = { OPERATOR(ledger), OPERATOR(text_record) };
static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "test.ledger",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 2 };

static const struct weir_plugin *entry_ledger(const struct weir_host *host, struct weir_error *error)
{
    (void)host, (void)error;
    return &plugin;
}

static void open_ledger(void)
{
    if (rig_open(&rig, entry_ledger, "ledger", "", "user string, amount int64", NULL) != WEIR_OK)
        fail_msg("%s", rig.error.text);
}

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
    gives("[[null, 1], [\"\", 2]]", "[\"\",2]\n[null,1]\n"); /* a has been idle twice */
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
    gives("[[null, 1], [\"\", 2]]", "[\"\",2]\n[\"a\",-1]\n[null,1]\n");
}

static void keys_with_rows_are_called_once(void **state)
{
    (void)state;
    open_it("visits");
    gives("[[\"a\", 1], [\"b\", 2], [\"a\", 3], [null, 1], [\"\", 1]]",
          "[\"\",1]\n[\"a\",2]\n[\"b\",1]\n[null,1]\n");
    gives("[[\"b\", 1]]", "[\"\",-1]\n[\"a\",-1]\n[\"b\",2]\n[null,-1]\n");
    gives("[]", "[\"b\",-1]\n");
}

/* Rows in chunks of one and of many, beside others and under a selection: it is all the same. */
static void always_gives(const char *const *rows, const char *const *expected, uint32_t batches)
{
    const struct rig_cut cuts[] = { { 0 }, { .chunk_rows = 1 }, { .chunk_rows = 2 },
                                    { .segments = 2 }, { .select = 1 } };
    for (uint32_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        open_ledger();
        for (uint32_t b = 0; b < batches; b++) {
            const char *list[4] = { rows[b] };
            rig_forget(&rig);
            if (rig_batch(&rig, list, cuts[k]) != WEIR_OK) fail_msg("%s", rig.error.text);
            if (strcmp(rig_sorted(&rig), expected[b]) != 0)
                fail_msg("cut %u, batch %u: %s", k, b, rig_sorted(&rig));
        }
        rig_close(&rig);
        memset(&rig, 0, sizeof rig);
    }
}

static void a_row_behind_a_removal_begins_anew(void **state)
{
    (void)state;
    const char *const rows[] = {
        "[[\"a\", 50], [\"b\", 40]]",
        "[[\"a\", 0], [\"a\", 70], [\"b\", 1], [\"a\", 71], [\"a\", 0], [\"c\", 0]]",
        "[[\"a\", 8], [\"a\", 0], [\"a\", 20], [\"c\", 9]]", "[[\"a\", 8]]" };
    const char *const expected[] = {
        "[\"a\",-1,50]\n[\"a\",1,50]\n[\"b\",-1,40]\n[\"b\",1,40]\n",
        "[\"a\",1,70]\n[\"a\",2,141]\n[\"a\",2,50]\n[\"a\",3,141]\n"
        "[\"b\",-1,41]\n[\"b\",2,41]\n[\"c\",1,0]\n",
        "[\"a\",-1,20]\n[\"a\",1,20]\n[\"a\",1,8]\n[\"a\",2,8]\n"
        "[\"b\",-100,41]\n[\"c\",-1,9]\n[\"c\",1,9]\n",
        "[\"a\",-1,28]\n[\"a\",2,28]\n" };
    always_gives(rows, expected, 4);
}

static void a_rejected_row_leaves_no_trace(void **state)
{
    (void)state;
    const char *const rows[] = {
        /* c is never there; d is, behind a row that is rejected; b keeps what it has, and its timer */
        "[[\"b\", 1], [\"b\", 5000], [\"c\", 5000], [\"d\", null], [\"d\", 7], [\"d\", null]]",
        "[[\"b\", 5000], [\"b\", null], [\"c\", null]]",
        "[[\"b\", 11], [\"b\", 0], [\"b\", 5000], [\"b\", 3], [\"c\", 2]]" };
    const char *const expected[] = {
        "[\"b\",-1,1]\n[\"b\",1,1]\n[\"d\",-1,7]\n[\"d\",1,7]\n", "[\"b\",-100,1]\n",
        "[\"b\",-1,3]\n[\"b\",1,3]\n[\"b\",2,12]\n[\"b\",3,12]\n[\"c\",-1,2]\n[\"c\",1,2]\n" };
    always_gives(rows, expected, 3);
}

/* Many keys in a chunk, new ones between known ones: which row began its key is told rightly. */
static void many_new_keys_come_and_are_rejected(void **state)
{
    static char rows[CHUNK * 40];
    (void)state;
    open_ledger();
    for (int turn = 0; turn < 2; turn++) {
        size_t at = 0;
        for (int i = 0; i < CHUNK; i++) { /* the first row of each third key is rejected */
            const int key = i % (CHUNK / 2), first = i < CHUNK / 2;
            at += (size_t)snprintf(rows + at, sizeof rows - at, "%s[\"k%d\", %d]", i ? ", " : "[",
                                   key, turn == 0 && key % 3 == 0 && first ? 5000 : 900);
        }
        snprintf(rows + at, sizeof rows - at, "]");
        rig_forget(&rig);
        assert_int_equal(rig_feed(&rig, rows), WEIR_OK);
        const char *sorted = rig_sorted(&rig);
        assert_non_null(strstr(sorted, turn ? "[\"k3\",3,2700]" : "[\"k3\",1,900]"));
        assert_non_null(strstr(sorted, turn ? "[\"k499\",4,3600]" : "[\"k499\",2,1800]"));
        assert_non_null(strstr(sorted, turn ? "[\"k3\",-2,2700]" : "[\"k3\",-1,900]"));
        assert_int_equal(rig.n_rejects, turn ? 0 : 167);
        assert_int_equal(rig.n_rows, turn ? 1500 : 1500 - 167);
    }
}

static void a_record_of_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig, entry_ledger, "text_record", "", "user string, amount int64", NULL),
                     WEIR_FATAL);
    assert_non_null(strstr(rig.error.text, "\"name\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_is_called_in_every_batch),
        TEST(a_timer_fires_when_its_time_has_come),
        TEST(keys_with_rows_are_called_once),
        TEST(a_row_behind_a_removal_begins_anew),
        TEST(a_rejected_row_leaves_no_trace),
        TEST(many_new_keys_come_and_are_rejected),
        TEST(a_record_of_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
