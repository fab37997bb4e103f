/*
 * test_row.c - the row adapter of the SDK: what becomes of output rows that were begun and not ended.
 */
#include <weir/row.h>

static int32_t half(struct weir_row *row, struct weir_error *error)
{
    int64_t v = weir_row_int(row, 1);
    weir_row_put_text(row, 0, weir_row_text(row, 0));
    if (v < 0) return weir_fail(error, WEIR_DATA, "it is negative");
    if (v == 100) return WEIR_OK; /* begun, and left */
    if (v == 200) weir_row_put_text(row, 0, weir_row_text(row, 0));
    if (v == 300) weir_row_put_text(row, 1, weir_row_text(row, 0));
    if (v != 1) weir_row_put_int(row, 1, v / 2);
    return weir_row_emit(row, error);
}

static const struct weir_row_operator half_rows = { "k string, v int64", "k string, h int64", half,
                                                    0 };
WEIR_ROW_OPERATOR(half_table, half_rows)

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "half",
      .summary = "half of v", .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION,
      .table = &half_table },
};
static const struct weir_plugin plugin = { .size = sizeof plugin, .abi_major = WEIR_ABI_MAJOR,
                                           .id = "test.row", .version = "1", .licence = "MIT",
                                           .sdk_version = WEIR_SDK_VERSION,
                                           .components = components,
                                           .component_size = sizeof *components,
                                           .n_components = 1 };

const struct weir_plugin *entry_row(const struct weir_host *host, struct weir_error *error);
const struct weir_plugin *entry_row(const struct weir_host *host, struct weir_error *error)
{
    (void)host;
    (void)error;
    return &plugin;
}

#define ENTRY entry_row
#include "tests/plugins/operator_case.h"

static void open_half(void)
{
    if (rig_open(&rig, ENTRY, "half", "", "k string, v int64", NULL) != WEIR_OK)
        fail_msg("%s", rig.error.text);
}

static void a_row_that_fails_half_way_leaves_the_others_whole(void **state)
{
    (void)state;
    open_half();
    assert_int_equal(rig_feed(&rig, "[[\"a\", 4], [\"b\", -1], [\"c\", 1], [\"d\", -2], [\"e\", 6]]"),
                     WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[\"a\",2]\n[\"c\",null]\n[\"e\",3]\n");
    assert_string_equal(rig_rejects(&rig), "6 it is negative\n6 it is negative\n");
}

static void a_row_that_is_not_ended_is_dropped(void **state)
{
    (void)state;
    open_half();
    assert_int_equal(rig_feed(&rig, "[[\"a\", 100], [\"b\", 2], [\"c\", 100]]"), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[\"b\",1]\n");
    assert_int_equal(rig.n_rejects, 0);
    rig_forget(&rig);
    assert_int_equal(rig_feed(&rig, "[[\"a\", 100], [\"b\", -2]]"), WEIR_OK); /* none is left */
    assert_string_equal(rig_rows(&rig), "");
    rig_forget(&rig);
    assert_int_equal(rig_feed(&rig, "[[\"a\", 8]]"), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[\"a\",4]\n");
}

static void many_rows_fail_between_others(void **state)
{
    (void)state;
    static char rows[400000];
    size_t n = 0;
    open_half();
    rig.quiet = 1;
    for (int i = 0; i < 20000; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s[\"a\",%d]", i ? "," : "[",
                              i % 3 ? -1 : 2);
    snprintf(rows + n, sizeof rows - n, "]");
    assert_int_equal(rig_feed(&rig, rows), WEIR_OK);
    assert_int_equal(rig.n_rows, 6667);
    assert_int_equal(rig.n_rejects, 13333);
}

static void a_cell_that_is_wrong_says_so(void **state)
{
    (void)state;
    open_half();
    assert_int_equal(rig_feed(&rig, "[[\"a\", 200]]"), WEIR_FATAL);
    assert_non_null(strstr(rig.error.text, "put twice"));
    close_again();
    open_half();
    assert_int_equal(rig_feed(&rig, "[[\"a\", 300]]"), WEIR_FATAL);
    assert_non_null(strstr(rig.error.text, "does not fit"));
}

static void without_memory_it_is_fatal(void **state)
{
    (void)state;
    rig_starve(ENTRY, NULL, "half", "", "k string, v int64",
               "[[\"a\", 4], [\"b\", 100], [\"c\", 6]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_that_fails_half_way_leaves_the_others_whole),
        TEST(a_row_that_is_not_ended_is_dropped),
        TEST(many_rows_fail_between_others),
        TEST(a_cell_that_is_wrong_says_so),
        TEST(without_memory_it_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
