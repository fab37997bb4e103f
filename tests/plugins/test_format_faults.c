/* Every allocation of a format fails once, and once for ever: an error, no crash, no leak. */
#include "tests/plugins/format_cases.h"

#include "core/data/array.h"

static uint8_t text[256]; /* 64 readable bytes behind any input */

static int32_t decode_once(fake_entry_fn entry, const char *options, uint64_t n, uint64_t fail,
                           int forever)
{
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *sys = sim_create(disk, 0, 1);
    struct weir_records records = { .size = sizeof records, .bytes = text, .length = n };
    struct weir_error error = WEIR_ERROR_INIT;
    const struct weir_format *format;
    struct fake fake;
    void *self = NULL, *lane = NULL;
    int32_t status;
    assert_int_equal(fake_create(&fake, sys, entry, NULL, options), WEIR_OK);
    fake.quiet = 1;
    format = fake.format->table;
    mem_fail_at(fail, forever); /* from here on only the plugin and the host allocate */
    status = format->create(&weir_host_1, &fake.context, &self, &error);
    if (status == WEIR_OK) {
        format->destroy(fake.format_self);
        fake.format_self = self;
        status = fake_bind_decode(&fake, NULL, 0);
        lane = fake.format_lane;
        if (status == WEIR_OK) status = format->decode(self, lane, &records, &error);
    } else {
        format->destroy(self);
    }
    mem_fail_at(0, 0);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return status;
}

static void sweep(fake_entry_fn entry, const char *options, const char *input)
{
    uint64_t before = mem_in_use(), fail;
    int forever;
    memset(text, ' ', sizeof text);
    memcpy(text, input, strlen(input));
    for (forever = 0; forever < 2; forever++) {
        int32_t status = WEIR_FATAL;
        for (fail = 1; status != WEIR_OK && fail < 500; fail++) {
            status = decode_once(entry, options, strlen(input), fail, forever);
            if (status != WEIR_OK) assert_int_equal(status, WEIR_FATAL);
            assert_int_equal(mem_in_use(), before);
        }
        assert_int_equal(status, WEIR_OK);
        assert_true(fail > 5);
    }
}

static void text_survives_the_want_of_memory(void **state)
{
    (void)state;
    sweep(entry_format_text, "", "one\ntwo\n");
    sweep(entry_format_text, "\"invalid\": \"replace\"", "one\n\xFF\ntwo\n");
}

static void csv_survives_the_want_of_memory(void **state)
{
    (void)state;
    sweep(entry_format_csv, "\"columns\": \"a string, b int, c bool\"",
          "\"o\"\"ne\",1,true\n,,\nbad\n");
}

static void json_survives_the_want_of_memory(void **state)
{
    (void)state;
    sweep(entry_format_json,
          "\"columns\": \"a string, l list<struct<x: int>>, p string\", "
          "\"paths\": {\"p\": \"$.q.r[1]\"}",
          "{\"a\":\"x\\n\",\"l\":[{\"x\":1},{}],\"q\":{\"r\":[1,{}]}}\n{}\nbad\n");
}

static void raw_survives_the_want_of_memory(void **state)
{
    (void)state;
    sweep(entry_format_raw, "\"record_length\": \"2\"", "abcde");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_the_want_of_memory),
        cmocka_unit_test(csv_survives_the_want_of_memory),
        cmocka_unit_test(json_survives_the_want_of_memory),
        cmocka_unit_test(raw_survives_the_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
