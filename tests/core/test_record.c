/*
 * test_record.c - payloads of records: round trips, golden bytes, hostile bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* after its needs */
#include <cmocka.h>

#include "core/log/record.h"

#define TEXT(s) ((struct weir_bytes){(const uint8_t *)(s), sizeof(s) - 1})

static struct record_module modules[] = {
    {"source_file", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
    {"sink_file", "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"},
};
static struct record_table tables[] = {{"words/counts", "v1 key(word string) n int64"}};
static const struct record_job job = {
    .text = "{\"weir\":1,\"name\":\"words\"}",
    .hash_seed = UINT64_C(0x0123456789abcdef),
    .zero_us = INT64_MIN,
    .started_us = 1700000000000000,
    .weir_version = "1.0.0",
    .n_modules = 2,
    .modules = modules,
    .n_tables = 1,
    .tables = tables,
};

static struct extent spool[] = {
    {EXTENT_SPOOL, 7, 0, 100, 0xdeadbeef},
    {EXTENT_SPOOL, UINT32_MAX, UINT64_MAX, UINT64_MAX, 0},
};
static const char *absent[] = {"late", "later"};
static struct record_move moves[] = {
    {"in", "a.txt", {(const uint8_t *)"0", 1}, {(const uint8_t *)"1\0002", 3}, 12, 345, 1, 2,
     spool},
    {"in", "", {NULL, 0}, {NULL, 0}, 0, 0, 0, 0, NULL},
};
static const struct record_plan plan = {
    .time_us = -1,
    .late_us = 1700000000000000,
    .n_absent = 2,
    .absent = absent,
    .n_moves = 2,
    .moves = moves,
    .n_forgotten = 1,
    .forgotten = moves + 1,
};

static struct extent output[] = {{EXTENT_OUTPUT, 1, 4096, 1, 1}};
static struct extent dead[] = {{EXTENT_DEAD, 2, 8, 9, 10}};
static struct record_watermark watermarks[] = {{"by_time", 5}, {"other", INT64_MAX}};
static struct record_sink sinks[] = {
    {"out", SINK_COMMITTABLE, 3, {(const uint8_t *)"tmp-1", 5}, 0, NULL},
    {"slow", SINK_SPOOLED, 4, {NULL, 0}, 1, output},
};
static struct record_piece pieces[] = {
    {"words/counts", 0, 1, {(const uint8_t *)"base", 4}, {0}},
    {"words/counts", 255, 0, {(const uint8_t *)"", 0}, {0}},
    {"words/counts", 128, 1, {NULL, 0}, {EXTENT_STATE, 3, 65536, 70000, 99}},
};
static const struct record_state state = {
    .watermark_us = INT64_MIN,
    .late_us = -7,
    .n_watermarks = 2,
    .watermarks = watermarks,
    .n_sinks = 2,
    .sinks = sinks,
    .n_pieces = 3,
    .pieces = pieces,
    .has_map = 1,
    .n_map = 2,
    .map = moves,
    .dead_letters = 17,
    .n_dead = 1,
    .dead = dead,
};
static const struct record_done done = {"out"};
static const struct record_drop drop = {"words/counts"};

/* The types alike: encode, and decode then encode again. */
struct kind {
    const char *name;
    int32_t (*encode)(struct weir_buffer *out);
    int32_t (*again)(struct weir_bytes payload, struct weir_buffer *out, struct weir_error *error);
};

#define KIND(type)                                                                                 \
    static int32_t type##_make(struct weir_buffer *out)                                            \
    {                                                                                              \
        return record_##type##_encode(&type, out);                                                 \
    }                                                                                              \
    static int32_t type##_again(struct weir_bytes payload, struct weir_buffer *out,                \
                                struct weir_error *error)                                          \
    {                                                                                              \
        struct record_arena *arena;                                                                \
        struct record_##type decoded;                                                              \
        int32_t class = record_##type##_decode(payload, &decoded, &arena, error);                  \
                                                                                                   \
        if (class == WEIR_OK)                                                                      \
            class = record_##type##_encode(&decoded, out);                                         \
        record_free(arena);                                                                        \
        return class;                                                                              \
    }
KIND(job)
KIND(plan)
KIND(state)
KIND(done)
KIND(drop)

static const struct kind kinds[] = {
    {"job", job_make, job_again},
    {"plan", plan_make, plan_again},
    {"state", state_make, state_again},
    {"done", done_make, done_again},
    {"drop", drop_make, drop_again},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static struct weir_bytes bytes_of(const struct weir_buffer *b)
{
    return (struct weir_bytes){b->data, b->length};
}

static void every_payload_decodes_to_what_was_encoded(void **unused)
{
    size_t i;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer once = {0}, twice = {0};

        assert_int_equal(kinds[i].encode(&once), WEIR_OK);
        assert_int_equal(kinds[i].again(bytes_of(&once), &twice, NULL), WEIR_OK);
        assert_int_equal(once.length, twice.length);
        assert_memory_equal(once.data, twice.data, once.length);
        mem_free(once.data);
        mem_free(twice.data);
    }
    assert_int_equal(mem_in_use(), 0);
}

static void a_decoded_state_has_its_fields(void **unused)
{
    struct weir_buffer b = {0};
    struct record_arena *arena;
    struct record_state s;

    (void)unused;
    assert_int_equal(record_state_encode(&state, &b), WEIR_OK);
    assert_int_equal(record_state_decode(bytes_of(&b), &s, &arena, NULL), WEIR_OK);
    assert_int_equal(s.late_us, -7);
    assert_true(s.watermark_us == INT64_MIN && s.watermarks[1].us == INT64_MAX);
    assert_string_equal(s.sinks[0].name, "out");
    assert_int_equal(s.sinks[0].committable.length, 5);
    assert_int_equal(s.sinks[1].output[0].offset, 4096);
    assert_int_equal(s.pieces[1].group, 255);
    assert_non_null(s.pieces[1].bytes.data); /* empty, but inline */
    assert_null(s.pieces[2].bytes.data);
    assert_int_equal(s.pieces[2].extent.length, 70000);
    assert_memory_equal(s.map[0].until.data, "1\0002", 3);
    assert_true(s.map[0].spool[1].length == UINT64_MAX);
    assert_int_equal(s.dead_letters, 17);
    record_free(arena);
    mem_free(b.data);
}

static void the_bytes_are_those_of_version_1(void **unused)
{
    const char *top = getenv("srcdir");
    size_t i;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer b = {0};
        uint8_t golden[4096];
        char path[4096];
        FILE *f;
        size_t n;

        assert_int_equal(kinds[i].encode(&b), WEIR_OK);
        snprintf(path, sizeof path, "%s/tests/core/golden/record_%s_1.bin", top ? top : ".",
                 kinds[i].name);
        if (getenv("WEIR_GOLDEN_WRITE")) {
            f = fopen(path, "wb");
            assert_non_null(f);
            fwrite(b.data, 1, b.length, f);
            fclose(f);
        }
        f = fopen(path, "rb");
        assert_non_null(f);
        n = fread(golden, 1, sizeof golden, f);
        fclose(f);
        assert_int_equal(n, b.length);
        assert_memory_equal(golden, b.data, n);
        mem_free(b.data);
    }
}

static void a_payload_cut_anywhere_is_malformed(void **unused)
{
    size_t i;
    uint64_t n;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer b = {0};

        assert_int_equal(kinds[i].encode(&b), WEIR_OK);
        for (n = 0; n < b.length; n++) {
            /* A copy of this size, for the address sanitizer. */
            uint8_t *copy = malloc(n ? n : 1);
            struct weir_buffer again = {0};
            struct weir_error error = WEIR_ERROR_INIT;

            memcpy(copy, b.data, n);
            assert_int_equal(kinds[i].again((struct weir_bytes){copy, n}, &again, &error),
                             WEIR_DATA);
            assert_non_null(strstr(error.text, "byte "));
            mem_free(again.data);
            free(copy);
        }
        mem_free(b.data);
    }
    assert_int_equal(mem_in_use(), 0);
}

static void what_decodes_after_any_changed_byte_encodes_to_the_same_bytes(void **unused)
{
    size_t i;
    uint64_t n;
    uint32_t v;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer b = {0};

        assert_int_equal(kinds[i].encode(&b), WEIR_OK);
        for (n = 0; n < b.length; n++) {
            uint8_t kept = b.data[n];

            for (v = 0; v < 256; v += 5) {
                struct weir_buffer again = {0};
                int32_t class;

                b.data[n] = (uint8_t)v;
                class = kinds[i].again(bytes_of(&b), &again, NULL);
                assert_true(class == WEIR_OK || class == WEIR_DATA);
                if (class == WEIR_OK) {
                    assert_int_equal(again.length, b.length);
                    assert_memory_equal(again.data, b.data, b.length);
                }
                mem_free(again.data);
            }
            b.data[n] = kept;
        }
        mem_free(b.data);
    }
    assert_int_equal(mem_in_use(), 0);
}

static void something_behind_the_payload_is_malformed(void **unused)
{
    size_t i;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer b = {0}, again = {0};

        assert_int_equal(kinds[i].encode(&b), WEIR_OK);
        assert_int_equal(buffer_add(&b, "", 1), WEIR_OK);
        assert_int_equal(kinds[i].again(bytes_of(&b), &again, NULL), WEIR_DATA);
        mem_free(b.data);
        mem_free(again.data);
    }
}

/* PLAN with two times of 0, then a count of absent sources of 2^32 - 1. */
static void a_huge_count_takes_no_memory(void **unused)
{
    static const uint8_t huge[] = {0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0};
    struct weir_error error = WEIR_ERROR_INIT;
    struct record_arena *arena;
    struct record_plan p;

    (void)unused;
    mem_fail_at(1, 1); /* would be FATAL */
    assert_int_equal(
        record_plan_decode((struct weir_bytes){huge, sizeof huge}, &p, &arena, &error), WEIR_DATA);
    mem_fail_at(0, 0);
    assert_null(arena);
    assert_int_equal(p.n_absent, 0);
    assert_string_equal(error.text, "PLAN record: byte 7: a count goes beyond its end");
}

static void numbers_have_one_form(void **unused)
{
    static const uint8_t padded[] = {0x83, 0x00, 'a', 'b', 'c'};
    static const uint8_t eleven[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    struct record_arena *arena;
    struct record_done d;

    (void)unused;
    assert_int_equal(
        record_done_decode((struct weir_bytes){padded, sizeof padded}, &d, &arena, NULL),
        WEIR_DATA);
    assert_int_equal(
        record_done_decode((struct weir_bytes){eleven, sizeof eleven}, &d, &arena, NULL),
        WEIR_DATA);
}

static void a_decoded_drop_has_its_name(void **unused)
{
    static const uint8_t beyond[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 'a'};
    struct weir_error error = WEIR_ERROR_INIT;
    struct record_arena *arena;
    struct record_drop d;

    (void)unused;
    assert_int_equal(record_drop_decode(TEXT("\014words/counts"), &d, &arena, NULL), WEIR_OK);
    assert_string_equal(d.name, "words/counts");
    record_free(arena);
    assert_int_equal(
        record_drop_decode((struct weir_bytes){beyond, sizeof beyond}, &d, &arena, &error),
        WEIR_DATA);
    assert_string_equal(error.text, "DROP record: byte 5: a length goes beyond its end");
    assert_int_equal(record_drop_decode(TEXT("\003a\0b"), &d, &arena, NULL), WEIR_DATA);
}

static void a_text_with_a_zero_byte_is_malformed(void **unused)
{
    struct record_arena *arena;
    struct record_done d;

    (void)unused;
    assert_int_equal(record_done_decode(TEXT("\003a\0b"), &d, &arena, NULL), WEIR_DATA);
    assert_int_equal(record_done_decode(TEXT("\003acb"), &d, &arena, NULL), WEIR_OK);
    record_free(arena);
}

static void missing_memory_is_fatal_and_leaks_nothing(void **unused)
{
    size_t i;
    uint64_t n;

    (void)unused;
    for (i = 0; i < N_KINDS; i++) {
        struct weir_buffer b = {0};
        int32_t class = WEIR_FATAL;

        assert_int_equal(kinds[i].encode(&b), WEIR_OK);
        for (n = 1; class != WEIR_OK; n++) {
            struct weir_buffer again = {0};

            assert_true(n < 100);
            mem_fail_at(n, 0);
            class = kinds[i].again(bytes_of(&b), &again, NULL);
            mem_fail_at(0, 0);
            assert_true(class == WEIR_OK || class == WEIR_FATAL);
            mem_free(again.data);
        }
        mem_free(b.data);
    }
    assert_int_equal(mem_in_use(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_payload_decodes_to_what_was_encoded),
        cmocka_unit_test(a_decoded_state_has_its_fields),
        cmocka_unit_test(the_bytes_are_those_of_version_1),
        cmocka_unit_test(a_payload_cut_anywhere_is_malformed),
        cmocka_unit_test(what_decodes_after_any_changed_byte_encodes_to_the_same_bytes),
        cmocka_unit_test(something_behind_the_payload_is_malformed),
        cmocka_unit_test(a_huge_count_takes_no_memory),
        cmocka_unit_test(numbers_have_one_form),
        cmocka_unit_test(a_decoded_drop_has_its_name),
        cmocka_unit_test(a_text_with_a_zero_byte_is_malformed),
        cmocka_unit_test(missing_memory_is_fatal_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
