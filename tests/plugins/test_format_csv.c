#include "tests/plugins/format_cases.h"

#define AB "\"columns\": \"a string, b int\""

static void fields_are_columns_by_place(void **state)
{
    static const struct format_case cases[] = {
        { AB, "x,1\ny,2\n", 0, "[\"x\",1]\n[\"y\",2]\n", "", 0 },
        { AB, "x,1\r\ny,2", 0, "[\"x\",1]\n[\"y\",2]\n", "", 0 },
        { AB, "\n\nx,1\n\r\n", 0, "[\"x\",1]\n", "", 0 },
        { AB, "", 0, "", "", 0 },
        { AB, "\xEF\xBB\xBFx,1\n", 0, "[\"x\",1]\n", "", 0 },
        { AB, "x\ry,1\n", 0, "[\"x\\ry\",1]\n", "", 0 },
        { AB ", \"delimiter\": \"||\"", "x|y||1\n", 0, "[\"x|y\",1]\n", "", 0 },
        { AB ", \"delimiter\": \"\\t\"", "x\t1\n", 0, "[\"x\",1]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void quotes_hold_what_would_separate(void **state)
{
    static const struct format_case cases[] = {
        { AB, "\"x,y\",1\n", 0, "[\"x,y\",1]\n", "", 0 },
        { AB, "\"x\ny\",1\nz,2\n", 0, "[\"x\\ny\",1]\n[\"z\",2]\n", "", 0 },
        { AB, "\"x\"\"y\",\"1\"\n", 0, "[\"x\\\"y\",1]\n", "", 0 },
        { AB, "\"\"\"\",1\n", 0, "[\"\\\"\",1]\n", "", 0 },
        { AB, "a\"b\"c,1\n", 0, "[\"a\\\"b\\\"c\",1]\n", "", 0 },
        { AB, "\"x\"\r\n", 0, "", "1 too few fields|\"x\"\n", 0 },
        { AB ", \"quote\": \"'\"", "'x,y',1\n", 0, "[\"x,y\",1]\n", "", 0 },
        { AB ", \"quote\": \"\"", "\"x,1\n", 0, "[\"\\\"x\",1]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void null_is_the_unquoted_null_value(void **state)
{
    static const struct format_case cases[] = {
        { AB, ",\n", 0, "[null,null]\n", "", 0 },
        { AB, "\"\",1\n", 0, "[\"\",1]\n", "", 0 },
        { AB, "x,\"\"\n", 0, "", "5 column 'b' does not fit its type|x,\"\"\n", 0 },
        { AB ", \"null_value\": \"NA\"", "NA,NA\n,1\n\"NA\",1\n", 0,
          "[null,null]\n[\"\",1]\n[\"NA\",1]\n", "", 0 },
        { "\"columns\": \"a string not null, b int\"", ",1\nx,2\n", 0, "[\"x\",2]\n",
          "5 column 'a' is null|,1\n", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void bad_records_are_rejected_whole(void **state)
{
    static const struct format_case cases[] = {
        { AB, "x\ny,1\n", 0, "[\"y\",1]\n", "1 too few fields|x\n", 0 },
        { AB, "x,1,2\ny,1\n", 0, "[\"y\",1]\n", "1 too many fields|x,1,2\n", 0 },
        { AB, "\"x\"y,1\nz,1\n", 0, "[\"z\",1]\n", "1 text behind a closing quote|\"x\"y,1\n", 0 },
        { AB, "y,1\n\"x,1\n", 0, "[\"y\",1]\n", "1 a quote is not closed|\"x,1\n", 0 },
        { AB, "x,one\n", 0, "", "5 column 'b' does not fit its type|x,one\n", 0 },
        { AB, "\xFF,1\ny,1\n", 0, "[\"y\",1]\n", "3 column 'a' is not UTF-8|\xFF,1\n", 0 },
        { AB ", \"invalid\": \"replace\"", "\xFF,1\n", 0, "[\"\xEF\xBF\xBD\",1]\n", "", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void values_are_read_by_the_type_of_the_column(void **state)
{
    static const struct format_case cases[] = {
        { "\"columns\": \"v int\"", "2147483647\n2147483648\n-2147483648\n+5\n1.0\n", 0,
          "[2147483647]\n[-2147483648]\n[5]\n",
          "5 column 'v' does not fit its type|2147483648\n"
          "5 column 'v' does not fit its type|1.0\n", 0 },
        { "\"columns\": \"v bigint\"", "9223372036854775807\n9223372036854775808\n1e3\n", 0,
          "[9223372036854775807]\n",
          "5 column 'v' does not fit its type|9223372036854775808\n"
          "5 column 'v' does not fit its type|1e3\n", 0 },
        { "\"columns\": \"v double\"", "1.5\n1e3\nNaN\n+5\n-Infinity\n.5\nx\n", 0,
          "[1.5]\n[1000.0]\n[\"NaN\"]\n[5.0]\n[\"-Infinity\"]\n[0.5]\n",
          "5 column 'v' does not fit its type|x\n", 0 },
        { "\"columns\": \"v bool\"", "true\nFALSE\n1\n", 0, "[true]\n[false]\n",
          "5 column 'v' does not fit its type|1\n", 0 },
        { "\"columns\": \"v date\"", "2024-02-29\n2023-02-29\n", 0, "[\"2024-02-29\"]\n",
          "5 column 'v' does not fit its type|2023-02-29\n", 0 },
        { "\"columns\": \"v timestamp\"", "2024-01-02 03:04:05\n2024-01-02\n17\n", 0,
          "[\"2024-01-02T03:04:05Z\"]\n[\"2024-01-02T00:00:00Z\"]\n",
          "5 column 'v' does not fit its type|17\n", 0 },
        { "\"columns\": \"v timestamp\", \"timestamp_unit\": \"ms\"", "1500\n1.5\n2024-01-02\n", 0,
          "[\"1970-01-01T00:00:01.500Z\"]\n[\"1970-01-01T00:00:00.001500Z\"]\n",
          "5 column 'v' does not fit its type|2024-01-02\n", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void a_header_names_the_fields(void **state)
{
    static const struct format_case cases[] = {
        { AB ", \"header\": true", "b,x,a\n1,?,u\n", 0, "[\"u\",1]\n", "", 0 },
        { AB ", \"header\": true", "\xEF\xBB\xBF\"a\",\"b\"\nu,1\n", 0, "[\"u\",1]\n", "", 0 },
        { AB ", \"header\": true", "a,b\n", 0, "", "", 0 },
        { AB ", \"header\": true", "", 0, "", "", 0 },
        { AB ", \"header\": true", "a,b,c\nu,1\n", 0, "", "1 too few fields|u,1\n", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

static void a_header_without_a_declared_column_fails_the_file(void **state)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_format_csv, NULL, AB ", \"header\": true"),
                     WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, "a,c\n1,2\n", 8, 0, UINT64_MAX), WEIR_DATA);
    assert_non_null(strstr(fake.error.text, "'b'"));
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void on_error_null_keeps_the_row_and_the_text(void **state)
{
#define CORRUPTED "\"columns\": \"a string, b int, _corrupt_record string\""
    static const struct format_case cases[] = {
        { AB, "x,y\n", 0, "[\"x\",null]\n", "", 1 },
        { CORRUPTED, "x,1\nx,y\nz\n", 0,
          "[\"x\",1,null]\n[\"x\",null,\"x,y\"]\n[\"z\",null,\"z\"]\n", "", 1 },
        { CORRUPTED, "x,1\nx,y\n", 0, "[\"x\",1,null]\n",
          "5 column 'b' does not fit its type|x,y\n", 0 },
    };
    (void)state;
    RUN_CASES(entry_format_csv, cases);
}

/* Records of integers alone take a way of their own: it must give what the general one gives, which a
 * column of text beside them asks for. */
static void plain_integers_agree_with_the_general_way(void **state)
{
    static const char *const fields[] = { "0", "7", "12345678", "123456789", "1234567890123456", "999999999999999999",
                                          "1000000000000000000", "-5", "+5", "", "1x", "x1234567", " 1", "\"12\"",
                                          "00000000000000000001", "9223372036854775808", "1.0", "12/", "1:2345678" };
    static const char *const ends[] = { "\n", "\r\n", ",1\n", "\n\n", "\r\n\r\n", "\r\r\n" };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    static const char *const wanted[] = { "a", "b", NULL };
    struct fake ints, general;
    uint64_t seed = 5, n = 0, kept = 0;
    static char text[6000 * 64];
    (void)state;
    for (uint32_t i = 0; i < 6000; i++) {
        uint64_t pick[4];
        for (uint32_t k = 0; k < 4; k++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            pick[k] = seed >> 33;
        }
        n += (uint64_t)sprintf(text + n, "%s,%s,%s%s", fields[pick[0] % 4 ? pick[0] % 6 : pick[0] % 19],
                               pick[1] % 5 ? "skipped" : "\"a,b\nc\"", fields[pick[2] % 5 ? pick[2] % 6 : pick[2] % 19],
                               ends[pick[3] % 4 ? 0 : pick[3] % 6]);
    }
    assert_int_equal(fake_create(&ints, sys, entry_format_csv, NULL,
                                 "\"columns\": \"a int64, t string, b int64\""), WEIR_OK);
    assert_int_equal(fake_bind_decode(&ints, wanted, 0), WEIR_OK);
    assert_int_equal(fake_decode(&ints, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake_create(&general, sys, entry_format_csv, NULL,
                                 "\"columns\": \"a int64, t string, b int64\""), WEIR_OK);
    assert_int_equal(fake_bind_decode(&general, NULL, 0), WEIR_OK);
    assert_int_equal(fake_decode(&general, text, n, 0, UINT64_MAX), WEIR_OK);
    assert_string_equal(fake_rejects(&ints), fake_rejects(&general));
    assert_int_equal(ints.n_rows, general.n_rows);
    for (const char *a = fake_rows(&ints), *b = fake_rows(&general); *a; kept++) { /* [a,b] and [a,t,b] */
        const char *a_end = strchr(a, '\n'), *b_end = strchr(b, '\n');
        const size_t first = strcspn(a, ",") + 1;
        const size_t last = (size_t)(a_end - a) - first + 1;
        assert_memory_equal(a, b, first);
        assert_memory_equal(a_end - last, b_end - last, last);
        a = a_end + 1;
        b = b_end + 1;
    }
    assert_true(kept > 2000);
    fake_destroy(&ints);
    fake_destroy(&general);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void only_wanted_columns_are_given(void **state)
{
    static const char *const wanted[] = { "c", "a", NULL };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_format_csv, NULL,
                                 "\"columns\": \"a string, b int, c int\""), WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, wanted, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, "x,no,3\n", 7, 0, UINT64_MAX), WEIR_OK);
    assert_string_equal(fake_rows(&fake), "[3,\"x\"]\n");
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void no_wanted_column_still_counts_rows(void **state)
{
    static const char *const wanted[] = { NULL };
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct fake fake;
    (void)state;
    assert_int_equal(fake_create(&fake, sys, entry_format_csv, NULL, AB), WEIR_OK);
    assert_int_equal(fake_bind_decode(&fake, wanted, 0), WEIR_OK);
    assert_int_equal(fake_decode(&fake, "x,1\ny,2\n", 8, 0, UINT64_MAX), WEIR_OK);
    assert_int_equal(fake.n_rows, 2);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    expect_refusal(entry_format_csv, "", "columns");
    expect_refusal(entry_format_csv, AB ", \"delimiter\": \"\"", "1 to 8 bytes");
    expect_refusal(entry_format_csv, AB ", \"delimiter\": \"123456789\"", "1 to 8 bytes");
    expect_refusal(entry_format_csv, AB ", \"quote\": \",\"", "begin alike");
    expect_refusal(entry_format_csv, "\"columns\": \"a list<int>\"", "need json");
}

static void rows_become_records(void **state)
{
    (void)state;
    expect_encoded(entry_format_csv, "\"header\": true", "a string, b double, c bool",
                   "[[\"x\",1.5,true],[null,null,null],[\"\",0,false],[\"q\\\"u,o\\nte\",2,true]]",
                   "a,b,c\nx,1.5,true\n,,\n\"\",0.0,false\n\"q\"\"u,o\nte\",2.0,true\n");
    expect_encoded(entry_format_csv, "\"null_value\": \"NA\"", "a string",
                   "[[\"NA\"],[null],[\"\"]]", "\"NA\"\nNA\n\"\"\n");
    expect_encoded(entry_format_csv, "", "a string", "[[\"\"],[\"x\"]]", "\"\"\nx\n");
    expect_not_encoded(entry_format_csv, "", "a int", "[[1],[null]]", "null_value");
}

static void hostile_csv_is_survived(void **state)
{
    static const char sample[] = "id,name,amount,when\n1,\"a \"\"b\"\" c\",1.5,2024-01-02\n"
                                 "2,\"x\ny\",,2024-01-02T03:04:05Z\r\n3,,NaN,\n";
    (void)state;
    run_hostile(entry_format_csv,
                "\"header\": true, "
                "\"columns\": \"id int, name string, amount double, when timestamp\"",
                sample, mutations());
    run_hostile(entry_format_csv,
                "\"columns\": \"id string, name string, amount string, when string\", "
                "\"delimiter\": \",\\\"\", \"invalid\": \"replace\", \"quote\": \"'\"",
                sample, mutations() / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_columns_by_place),
        cmocka_unit_test(quotes_hold_what_would_separate),
        cmocka_unit_test(null_is_the_unquoted_null_value),
        cmocka_unit_test(bad_records_are_rejected_whole),
        cmocka_unit_test(values_are_read_by_the_type_of_the_column),
        cmocka_unit_test(a_header_names_the_fields),
        cmocka_unit_test(a_header_without_a_declared_column_fails_the_file),
        cmocka_unit_test(on_error_null_keeps_the_row_and_the_text),
        cmocka_unit_test(plain_integers_agree_with_the_general_way),
        cmocka_unit_test(only_wanted_columns_are_given),
        cmocka_unit_test(no_wanted_column_still_counts_rows),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(rows_become_records),
        cmocka_unit_test(hostile_csv_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
