#include "tests/plugins/one_sink.h"

#include "core/data/array.h"

#define RULE "-------------------------------------------\n"

static void begin(const char *options, const char *ddl)
{
    assert_ok(fake_create(&fake, sys, entry_sink_console, NULL, options), &fake);
    assert_ok(fake_bind_sink(&fake, ddl, WEIR_FORM_APPEND), &fake);
    assert_ok(fake_open_sink(&fake, "0"), &fake);
    assert_ok(fake_begin(&fake, 0, START_US, 1), &fake);
}

static void shows(const char *text)
{
    size_t n;
    char *got;
    const uint8_t *bytes;
    assert_ok(sink_of(&fake)->finish(fake.self, &fake.error), &fake);
    bytes = sim_stdout(sys, &n);
    got = calloc(n + 1, 1);
    assert_non_null(got);
    if (n) memcpy(got, bytes, n);
    assert_string_equal(got, text);
    free(got);
}

static void a_batch_is_a_table_cut_after_rows(void **state)
{
    (void)state;
    begin("\"rows\": 2", "value int");
    assert_ok(fake_write(&fake, 0, 0, "[[1],[2],[3]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+-----+\n|value|\n+-----+\n|    1|\n|    2|\n+-----+\n"
          "only showing top 2 rows\n\n");
}

static void one_row_of_several_is_a_row(void **state)
{
    (void)state;
    begin("\"rows\": 1", "v int");
    assert_ok(fake_write(&fake, 0, 0, "[[1],[2]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+---+\n|  v|\n+---+\n|  1|\n+---+\nonly showing top 1 row\n\n");
}

static void an_empty_batch_has_its_head(void **state)
{
    (void)state;
    begin("", "a string, count int64");
    shows(RULE "Batch: 0\n" RULE "+---+-----+\n|  a|count|\n+---+-----+\n+---+-----+\n\n");
}

static void long_cells_are_cut_to_characters_not_bytes(void **state)
{
    (void)state;
    begin("\"truncate\": 5", "v string");
    assert_ok(fake_write(&fake, 0, 0, "[[\"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9Fx\"],"
                                      "[\"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9Fxy\"]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+-----+\n|    v|\n+-----+\n|\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9Fx|\n"
          "|\xC3\xA4\xC3\xB6...|\n+-----+\n\n");
}

static void twenty_characters_stay_and_one_more_is_cut(void **state)
{
    (void)state;
    begin("", "v string");
    assert_ok(fake_write(&fake, 0, 0, "[[\"12345678901234567890\"],[\"123456789012345678901\"]]"),
              &fake);
    shows(RULE "Batch: 0\n" RULE "+--------------------+\n|                   v|\n"
          "+--------------------+\n|12345678901234567890|\n|12345678901234567...|\n"
          "+--------------------+\n\n");
}

static void nothing_is_cut_at_zero_and_cells_stand_left(void **state)
{
    (void)state;
    begin("\"truncate\": 0", "v string, n int");
    assert_ok(fake_write(&fake, 0, 0, "[[\"123456789012345678901\", 7]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+---------------------+---+\n|v                    |n  |\n"
          "+---------------------+---+\n|123456789012345678901|7  |\n"
          "+---------------------+---+\n\n");
}

static void values_of_all_types_look_as_in_spark_but_for_time(void **state)
{
    (void)state;
    begin("\"truncate\": 0", "a bool, b double, c timestamp, d list<int>, e struct<x: int, y: "
                             "string>, f binary, g string");
    assert_ok(fake_write(&fake, 0, 0, "[[true, 1, \"2024-01-02T03:04:05.678Z\", [1, null], "
                                      "{\"x\": 1, \"y\": \"z\"}, \"AP8=\", null]]"), &fake);
    shows(RULE "Batch: 0\n" RULE
          "+----+---+------------------------+---------+------+-------+----+\n"
          "|a   |b  |c                       |d        |e     |f      |g   |\n"
          "+----+---+------------------------+---------+------+-------+----+\n"
          "|true|1.0|2024-01-02T03:04:05.678Z|[1, NULL]|{1, z}|[00 FF]|NULL|\n"
          "+----+---+------------------------+---------+------+-------+----+\n\n");
}

static void a_full_width_character_takes_two_columns(void **state)
{
    (void)state;
    begin("", "v string");
    assert_ok(fake_write(&fake, 0, 0, "[[\"\xE6\x97\xA5\xE6\x9C\xAC\"],[\"a\"]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+----+\n|   v|\n+----+\n|\xE6\x97\xA5\xE6\x9C\xAC|\n|   a|\n"
          "+----+\n\n");
}

static void a_value_can_not_steer_the_terminal(void **state)
{
    (void)state;
    begin("\"truncate\": 0", "v string");
    assert_ok(fake_write(&fake, 0, 0, "[[\"a\\n\\u001b[31m\\u007f\"]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+---------------+\n|v              |\n+---------------+\n"
          "|a\\n\\x1b[31m\\x7f|\n+---------------+\n\n");
}

static void json_csv_and_text_are_rows_and_nothing_else(void **state)
{
    static const char *const rows = "[[1, \"a,\\\"b\\\"\", null], [2, \"\", \"x\"]]";
    static const char *const want[] = {
        "{\"n\":1,\"s\":\"a,\\\"b\\\"\",\"t\":null}\n{\"n\":2,\"s\":\"\",\"t\":\"x\"}\n",
        "1,\"a,\"\"b\"\"\",\n2,\"\",x\n",
        "1\ta,\"b\"\t\n2\t\tx\n",
    };
    static const char *const formats[] = { "\"format\": \"json\", \"rows\": 1",
                                           "\"format\": \"csv\"", "\"format\": \"text\"" };
    for (int i = 0; i < 3; i++) {
        if (i) setup(state);
        begin(formats[i], "n int, s string, t string");
        assert_ok(fake_write(&fake, 0, 0, rows), &fake);
        shows(want[i]);
        if (i < 2) teardown(state);
    }
}

static void an_aborted_batch_shows_nothing(void **state)
{
    (void)state;
    begin("", "v int");
    assert_ok(fake_write(&fake, 0, 0, "[[1]]"), &fake);
    assert_ok(sink_of(&fake)->abort(fake.self, &fake.error), &fake);
    assert_ok(fake_begin(&fake, 0, START_US, 1), &fake);
    assert_ok(fake_write(&fake, 0, 0, "[[1]]"), &fake);
    shows(RULE "Batch: 0\n" RULE "+---+\n|  v|\n+---+\n|  1|\n+---+\n\n");
}

static void an_output_that_fails_is_an_error(void **state)
{
    (void)state;
    begin("", "v int");
    sim_fault_at(sys, sim_calls(sys) + 1, SIM_FAULT_EIO, 1);
    assert_class(sink_of(&fake)->finish(fake.self, &fake.error), WEIR_FATAL, &fake);
}

static void negative_numbers_are_refused_with_the_option(void **state)
{
    (void)state;
    assert_class(fake_create(&fake, sys, entry_sink_console, NULL, "\"rows\": -1"), WEIR_CONFIG,
                 &fake);
    assert_string_equal(fake.error.option, "rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_a_table_cut_after_rows),
        TEST(one_row_of_several_is_a_row),
        TEST(an_empty_batch_has_its_head),
        TEST(long_cells_are_cut_to_characters_not_bytes),
        TEST(twenty_characters_stay_and_one_more_is_cut),
        TEST(nothing_is_cut_at_zero_and_cells_stand_left),
        TEST(values_of_all_types_look_as_in_spark_but_for_time),
        TEST(a_full_width_character_takes_two_columns),
        TEST(a_value_can_not_steer_the_terminal),
        TEST(json_csv_and_text_are_rows_and_nothing_else),
        TEST(an_aborted_batch_shows_nothing),
        TEST(an_output_that_fails_is_an_error),
        TEST(negative_numbers_are_refused_with_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
