/* Every allocation of a format fails once, and once for ever: an error, no crash, no leak. */
#include "tests/plugins/format_cases.h"

#include "core/data/array.h"

static uint8_t text[256]; /* 64 readable bytes behind any input */

/* ---- memory that does not come from the host: malloc of the JSON shim, new of simdjson ----
 *
 * malloc and realloc come here by --wrap. The operators are those of the program, which the libraries
 * take, too. */

static uint64_t own_fail, own_seen, own_failed; /* 0: off; the n-th fails, and with own_forever all behind it */
static int own_forever;

void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);
void *_ZnwmRKSt9nothrow_t(size_t n, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t n, const void *nothrow);
void *_Znwm(size_t n);
void *_Znam(size_t n);
void _ZdlPv(void *p);
void _ZdaPv(void *p);
void _ZdlPvm(void *p, size_t n);
void _ZdaPvm(void *p, size_t n);

static int own_fails(void)
{
    if (!own_fail) return 0;
    own_seen++;
    int fails = own_seen == own_fail || (own_forever && own_seen > own_fail);
    own_failed += (uint64_t)fails;
    return fails;
}

void *__wrap_malloc(size_t n) { return own_fails() ? NULL : __real_malloc(n); }
void *__wrap_realloc(void *p, size_t n) { return own_fails() ? NULL : __real_realloc(p, n); }
void *_ZnwmRKSt9nothrow_t(size_t n, const void *nothrow)
{
    (void)nothrow;
    return own_fails() ? NULL : __real_malloc(n);
}
void *_ZnamRKSt9nothrow_t(size_t n, const void *nothrow) { return _ZnwmRKSt9nothrow_t(n, nothrow); }
void *_Znwm(size_t n) /* has no way to say that it failed */
{
    void *p = __real_malloc(n);
    if (!p || own_fail) abort();
    return p;
}
void *_Znam(size_t n) { return _Znwm(n); }
void _ZdlPv(void *p) { free(p); }
void _ZdaPv(void *p) { free(p); }
void _ZdlPvm(void *p, size_t n) { (void)n, free(p); }
void _ZdaPvm(void *p, size_t n) { (void)n, free(p); }

/* Arms either kind: 0 is off. */
static void fail_at(int own, uint64_t n, int forever)
{
    if (!own) mem_fail_at(n, forever);
    own_fail = own ? n : 0;
    own_forever = forever;
    own_seen = 0;
}

static int32_t decode_once(fake_entry_fn entry, const char *options, uint64_t n, int own,
                           uint64_t fail, int forever)
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
    fail_at(own, fail, forever); /* from here on only the plugin and the host allocate */
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
    fail_at(own, 0, 0);
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return status;
}

static void sweep_kind(fake_entry_fn entry, const char *options, const char *input, int own)
{
    uint64_t before = mem_in_use(), fail;
    int forever;
    memset(text, ' ', sizeof text);
    memcpy(text, input, strlen(input));
    for (forever = 0; forever < 2; forever++) {
        int32_t status = WEIR_FATAL;
        for (fail = 1; status != WEIR_OK && fail < 500; fail++) {
            status = decode_once(entry, options, strlen(input), own, fail, forever);
            if (status != WEIR_OK) assert_int_equal(status, WEIR_FATAL);
            assert_int_equal(mem_in_use(), before);
        }
        assert_int_equal(status, WEIR_OK);
        assert_true(fail > 5);
    }
}

static void sweep(fake_entry_fn entry, const char *options, const char *input)
{
    sweep_kind(entry, options, input, 0);
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

/* A number that is asked for as text, a value that two columns take, a nested text, many records: all that
 * the shim and simdjson have memory of their own for. */
static void json_survives_the_want_of_memory_of_its_parser(void **state)
{
    (void)state;
    own_failed = 0;
    sweep_kind(entry_format_json,
               "\"columns\": \"a string, l list<struct<x: int>>, p string, q string, r string\", "
               "\"paths\": {\"p\": \"$.q.r[1]\", \"r\": \"$.q.r\"}",
               "{\"a\":{\"b\":[1]},\"l\":[{\"x\":1},{}],\"q\":{\"r\":[1,{}]}}\n{\"a\":\"x\\n\"}\nbad\n", 1);
    assert_true(own_failed > 10);
    own_failed = 0;
    sweep_kind(entry_format_json, "\"columns\": \"a string, b string\", \"multi_line\": true",
               "[{\"a\":{\"b\":[1]},\"b\":\"x\\n\"},\n{\"a\":\"y\"}]", 1);
    assert_true(own_failed > 10);
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
        cmocka_unit_test(json_survives_the_want_of_memory_of_its_parser),
        cmocka_unit_test(raw_survives_the_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
