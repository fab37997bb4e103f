#include "tests/plugins/format_cases.h"

static void bytes_are_values(void **state)
{
    static const struct format_case cases[] = {
        { "", "ab\ncd", 0, "[\"YWIKY2Q=\"]\n", "", 0 },
        { "", "", 0, "", "", 0 },
        { "\"record_length\": \"2\"", "abcd", 0, "[\"YWI=\"]\n[\"Y2Q=\"]\n", "", 0 },
        { "\"record_length\": \"2\"", "abcde", 0, "[\"YWI=\"]\n[\"Y2Q=\"]\n",
          "1 a record is shorter than record_length|e\n", 0 },
        { "\"record_length\": \"3\"", "\xEF\xBB\xBF\xEF\xBB\xBF", 0,
          "[\"77u/\"]\n[\"77u/\"]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_raw, cases);
}

static void values_become_bytes(void **state)
{
    (void)state;
    expect_encoded(entry_format_raw, "", "v string", "[[\"a\"],[null],[\"bc\"]]", "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_values),
        cmocka_unit_test(values_become_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
