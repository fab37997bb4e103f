/*
 * test_block.c - weir.block/1: round trips, golden files, damage; CRC-32C.
 *
 * WEIR_GOLDEN=write makes the golden files anew, from the top of the tree.
 */
#include "tests/core/data_rows.h"

#include "core/data/block.h"
#include "core/data/node.h"

#include <stdio.h>

#define LIMIT (64u << 20)

/* The block of rows given as JSON. */
static struct weir_buffer block_of(const char *ddl, const char *json, const uint32_t *selection,
                                   uint32_t selected, uint32_t flags)
{
    struct rows r = rows_of(ddl, json);
    struct weir_buffer out = { NULL, 0, 0 };
    struct weir_chunk *c = chunk_create(&r.schema, &r.array, selection, selected);
    assert_int_equal(block_encode(c, flags, &out, NULL), WEIR_OK);
    chunk_release(c);
    schema_release(&r.schema);
    return out;
}

static int32_t decode(const uint8_t *bytes, uint64_t n, struct weir_error *error)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    uint64_t used = 0;
    /* a copy of exactly n bytes, so that the sanitizer sees reading beyond */
    uint8_t *copy = malloc(n ? n : 1);
    int32_t rc;
    memcpy(copy, bytes, n);
    rc = block_decode((struct weir_bytes){ copy, n }, LIMIT, &schema, &array, &used, error);
    free(copy);
    if (rc) assert_null(schema.release);
    if (rc) assert_null(array.release);
    array_release(&array);
    schema_release(&schema);
    return rc;
}

static void assert_block(const uint8_t *bytes, uint64_t length, uint64_t want, const char *ddl,
                         const char *json)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct weir_error error = WEIR_ERROR_INIT;
    uint64_t used = 0;
    char *text;
    if (block_decode((struct weir_bytes){ bytes, length }, LIMIT, &schema, &array, &used, &error))
        fail_msg("%s", error.text);
    assert_int_equal(used, want);
    text = schema_ddl(&schema);
    assert_string_equal(text, ddl);
    mem_free(text);
    assert_rows(&schema, &array, NULL, (uint32_t)array.length, json);
    array_release(&array);
    schema_release(&schema);
}

static void rows_of_all_types_come_back(void **state)
{
    struct weir_buffer b = block_of(ALL_TYPES, ALL_ROWS, NULL, 0, 0);
    (void)state;
    assert_block(b.data, b.length, b.length, ALL_TYPES, ALL_ROWS);
    mem_free(b.data);
    b = block_of(ALL_TYPES, "[]", NULL, 0, 0);
    assert_block(b.data, b.length, b.length, ALL_TYPES, "[]");
    mem_free(b.data);
}

static void only_selected_rows_are_in_a_block(void **state)
{
    const uint32_t selection[] = { 0, 2 };
    struct weir_buffer b = block_of("a int64, s string", "[[1,\"x\"],[2,\"y\"],[3,\"z\"]]",
                                    selection, 2, 0);
    (void)state;
    assert_block(b.data, b.length, b.length, "a int64, s string", "[[1,\"x\"],[3,\"z\"]]");
    mem_free(b.data);
}

static void blocks_stand_one_behind_the_other(void **state)
{
    struct rows r = rows_of("s string", "[[\"abc\"]]");
    struct weir_buffer out = { NULL, 0, 0 };
    struct weir_chunk *c = chunk_create(&r.schema, &r.array, NULL, 0);
    uint64_t first;
    (void)state;
    assert_int_equal(block_encode(c, 0, &out, NULL), WEIR_OK);
    first = out.length;
    buffer_add(&out, "x", 1); /* and need no alignment */
    assert_int_equal(block_encode(c, BLOCK_COMPRESS, &out, NULL), WEIR_OK);
    assert_block(out.data, out.length, first, "s string", "[[\"abc\"]]");
    assert_block(out.data + first + 1, out.length - first - 1, first, "s string", "[[\"abc\"]]");
    chunk_release(c);
    mem_free(out.data);
    rows_drop(&r);
}

static char *long_json(uint64_t seed, uint32_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *json = malloc(n + 16);
    uint32_t i;
    memcpy(json, "[[\"", 3);
    for (i = 0; i < n; i++) /* random, but for the last twentieth */
        json[3 + i] = seed && i < n - n / 20 ? digits[chance(&seed) % 64] : 'A';
    memcpy(json + 3 + n, "\"]]", 4);
    return json;
}

static void compression_is_kept_only_where_it_saves_an_eighth(void **state)
{
    char *easy = long_json(0, 40000), *hard = long_json(1, 40000);
    struct weir_buffer b = block_of("z binary", easy, NULL, 0, BLOCK_COMPRESS);
    (void)state;
    assert_true(b.length < 1000);
    assert_block(b.data, b.length, b.length, "z binary", easy);
    mem_free(b.data);
    b = block_of("z binary", hard, NULL, 0, BLOCK_COMPRESS);
    assert_int_equal(b.data[6], 0);
    assert_block(b.data, b.length, b.length, "z binary", hard);
    mem_free(b.data);
    free(easy);
    free(hard);
}

static void damage_everywhere_in(struct weir_buffer b)
{
    uint64_t i;
    uint32_t k;
    assert_int_equal(decode(b.data, b.length, NULL), WEIR_OK);
    for (i = 0; i < b.length; i++) {
        const uint8_t kept = b.data[i];
        for (k = 0; k < 255; k += k < 8 ? 1 : 41) {
            struct weir_error error = WEIR_ERROR_INIT;
            b.data[i] = k < 8 ? kept ^ (uint8_t)(1u << k) : (uint8_t)(kept + k);
            if (b.data[i] == kept) continue;
            if (decode(b.data, b.length, &error) != WEIR_DATA) fail_msg("byte %zu", (size_t)i);
            assert_non_null(strstr(error.text, "block, byte"));
        }
        b.data[i] = kept;
    }
    for (i = 0; i < b.length; i++) assert_int_equal(decode(b.data, i, NULL), WEIR_DATA);
}

static void every_damaged_byte_and_every_truncation_is_found(void **state)
{
    char *easy = long_json(0, 4000);
    struct weir_buffer b = block_of(ALL_TYPES, ALL_ROWS, NULL, 0, 0);
    (void)state;
    damage_everywhere_in(b);
    mem_free(b.data);
    b = block_of("z binary", easy, NULL, 0, BLOCK_COMPRESS);
    assert_int_equal(b.data[6], 1);
    damage_everywhere_in(b);
    mem_free(b.data);
    free(easy);
}

static void put_crcs(struct weir_buffer b)
{
    uint32_t crc = crc32c(0, b.data + 40, b.length - 40);
    memcpy(b.data + 32, &crc, 4);
    crc = crc32c(0, b.data, 36);
    memcpy(b.data + 36, &crc, 4);
}

/* A forger knows the CRC: whatever the bytes say, the reader survives and checks the profile. */
static void forged_blocks_are_read_safely(void **state)
{
    struct weir_buffer good = block_of(ALL_TYPES, ALL_ROWS, NULL, 0, 0), bad = { NULL, 0, 0 };
    uint64_t seed = 5, i, refused = 0, n = 60000;
    (void)state;
    for (i = 0; i < n; i++) {
        uint32_t changes = 1 + (uint32_t)(chance(&seed) % 3);
        bad.length = 0;
        buffer_add(&bad, good.data, good.length);
        while (changes--) {
            uint64_t v = chance(&seed), at = 8 + v % (good.length - 8);
            if (at >= 32 && at < 40) continue;
            if (v >> 40 & 1) bad.data[at] = (uint8_t)(v >> 48);
            else bad.data[at] ^= (uint8_t)(1u << (v >> 48 & 7));
        }
        put_crcs(bad);
        refused += decode(bad.data, bad.length, NULL) != WEIR_OK;
    }
    assert_true(refused > n / 2);
    assert_true(refused < n); /* some changes only alter values */
    mem_free(good.data);
    mem_free(bad.data);
}

/* A block of one string, its body altered by `alter`, lengths and CRCs made good. */
static int32_t decode_altered(void (*alter)(struct weir_buffer *block, uint8_t *body))
{
    struct weir_buffer b = block_of("s string", "[[\"ab\"],[\"c\"]]", NULL, 0, 0);
    uint64_t length;
    int32_t rc;
    buffer_add(&b, "\0\0\0\0\0\0\0\0", 8); /* room to alter */
    b.length -= 8;
    alter(&b, b.data + 48);
    length = b.length - 48;
    memcpy(b.data + 16, &length, 8);
    memcpy(b.data + 24, &length, 8);
    put_crcs(b);
    rc = decode(b.data, b.length, NULL);
    mem_free(b.data);
    return rc;
}

/* The body: 8 bytes of head, 3 offsets in 16 bytes, 3 bytes of text in 8. */
static void nothing(struct weir_buffer *b, uint8_t *body) { (void)b, (void)body; }
static void longer(struct weir_buffer *b, uint8_t *body) { (void)body, b->length += 8; }
static void shorter(struct weir_buffer *b, uint8_t *body) { (void)body, b->length -= 4; }
static void no_utf8(struct weir_buffer *b, uint8_t *body) { (void)b, body[24] = 0xff; }
static void falling(struct weir_buffer *b, uint8_t *body) { (void)b, body[12] = 9; }
static void padding(struct weir_buffer *b, uint8_t *body) { (void)b, body[28] = 1; }
static void nulls(struct weir_buffer *b, uint8_t *body) { (void)b, body[0] = 3; }

static void forged_bodies_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_altered(nothing), WEIR_OK);
    assert_int_equal(decode_altered(longer), WEIR_DATA);
    assert_int_equal(decode_altered(shorter), WEIR_DATA);
    assert_int_equal(decode_altered(no_utf8), WEIR_DATA);
    assert_int_equal(decode_altered(falling), WEIR_DATA);
    assert_int_equal(decode_altered(padding), WEIR_DATA);
    assert_int_equal(decode_altered(nulls), WEIR_DATA);
}

static void equal_rows_give_equal_bytes(void **state)
{
    struct rows r = rows_of("b bool", "[[true],[null]]");
    struct weir_buffer clean = { NULL, 0, 0 }, dirty = { NULL, 0, 0 };
    struct weir_chunk *c = chunk_create(&r.schema, &r.array, NULL, 0);
    (void)state;
    assert_int_equal(block_encode(c, 0, &clean, NULL), WEIR_OK);
    *(uint8_t *)(uintptr_t)c->array->children[0]->buffers[0] |= 0xf0; /* behind the last row */
    *(uint8_t *)(uintptr_t)c->array->children[0]->buffers[1] |= 0xf0;
    assert_int_equal(block_encode(c, 0, &dirty, NULL), WEIR_OK);
    assert_int_equal(clean.length, dirty.length);
    assert_memory_equal(clean.data, dirty.data, clean.length);
    chunk_release(c);
    mem_free(clean.data);
    mem_free(dirty.data);
    schema_release(&r.schema);
}

static void random_bytes_are_no_block(void **state)
{
    uint8_t bytes[300];
    uint64_t seed = 9, i, j;
    (void)state;
    for (i = 0; i < 20000; i++) {
        for (j = 0; j < sizeof bytes; j++) bytes[j] = (uint8_t)chance(&seed);
        if (i & 1) memcpy(bytes, "WBLK\1\0\0\0", 8);
        assert_int_equal(decode(bytes, chance(&seed) % sizeof bytes, NULL), WEIR_DATA);
    }
}

static void a_block_that_unpacks_beyond_the_limit_is_refused(void **state)
{
    char *easy = long_json(0, 400000);
    struct weir_buffer b = block_of("z binary", easy, NULL, 0, BLOCK_COMPRESS);
    struct ArrowSchema schema;
    struct ArrowArray array;
    uint64_t used, before = mem_in_use(), forged = 1ull << 62;
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(block_decode((struct weir_bytes){ b.data, b.length }, 400000, &schema, &array,
                                  &used, &error), WEIR_DATA);
    assert_non_null(strstr(error.text, "takes more than 400000"));
    memcpy(b.data + 24, &forged, 8);
    put_crcs(b);
    assert_int_equal(decode(b.data, b.length, NULL), WEIR_DATA);
    assert_int_equal(mem_in_use(), before);
    mem_free(b.data);
    free(easy);
}

static void check_golden(const char *name, struct weir_buffer b, const char *ddl, const char *json)
{
    const char *top = getenv("srcdir");
    const char *write = getenv("WEIR_GOLDEN");
    char path[1024];
    uint8_t bytes[8192];
    FILE *f;
    size_t n;
    snprintf(path, sizeof path, "%s/tests/core/golden/%s", top ? top : ".", name);
    if (write) {
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(b.data, 1, b.length, f), b.length);
        fclose(f);
    }
    f = fopen(path, "rb");
    if (!f) fail_msg("%s is missing", path);
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_int_equal(n, b.length);
    assert_memory_equal(bytes, b.data, n);
    assert_block(bytes, n, n, ddl, json);
    mem_free(b.data);
}

static void blocks_are_those_of_the_golden_files(void **state)
{
    static const char binary[] = "[[\"AAECAwQFBgcICQoLDA0ODxAREhM=\"],[\"\"],[\"/w==\"]]";
    (void)state;
    check_golden("block_all.bin", block_of(ALL_TYPES, ALL_ROWS, NULL, 0, 0), ALL_TYPES, ALL_ROWS);
    check_golden("block_binary.bin", block_of("value binary", binary, NULL, 0, 0), "value binary",
                 binary);
}

static void crc32c_has_its_published_values(void **state)
{
    uint8_t bytes[32];
    uint32_t i;
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, 32); /* RFC 3720, B.4 */
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(crc32c(77, NULL, 0), 77);
}

static void both_forms_of_crc32c_agree(void **state)
{
    uint64_t seed = 1, i;
    uint8_t *bytes = malloc(40000);
    (void)state;
    for (i = 0; i < 40000; i++) bytes[i] = (uint8_t)chance(&seed);
    for (i = 0; i < 300; i++) {
        uint64_t at = chance(&seed) % 100, n = chance(&seed) % (i % 2 ? 39000 : 100);
        uint32_t start = (uint32_t)chance(&seed), crc = start;
        if (!crc32c_hardware(&crc, bytes + at, n)) break;
        assert_int_equal(crc, crc32c_plain(start, bytes + at, n));
    }
    free(bytes);
}

static int encode_and_decode(void)
{
    struct rows r;
    struct weir_buffer out = { NULL, 0, 0 };
    struct weir_chunk *c = NULL;
    struct ArrowSchema schema = { 0 };
    struct ArrowArray array = { 0 };
    const uint32_t selection[] = { 0, 3 };
    struct weir_error error = WEIR_ERROR_INIT;
    uint64_t used;
    int done = 0;
    if (weir_data_1.schema_parse(ALL_TYPES, &r.schema, NULL)) return 0;
    if (weir_data_1.rows_parse(&r.schema, ALL_ROWS, strlen(ALL_ROWS), &r.array, NULL) == 0)
        c = chunk_create(&r.schema, &r.array, selection, 2);
    if (c && block_encode(c, 0, &out, &error) == WEIR_OK)
        done = block_decode((struct weir_bytes){ out.data, out.length }, LIMIT, &schema, &array,
                            &used, &error) == WEIR_OK;
    if (c && !done) assert_int_equal(error.error_class, WEIR_FATAL);
    array_release(&array);
    schema_release(&schema);
    mem_free(out.data);
    chunk_release(c);
    schema_release(&r.schema);
    return done;
}

static void without_memory_blocks_fail_and_leak_nothing(void **state)
{
    (void)state;
    with_failing_memory(encode_and_decode);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_of_all_types_come_back),
        TEST(only_selected_rows_are_in_a_block),
        TEST(blocks_stand_one_behind_the_other),
        TEST(compression_is_kept_only_where_it_saves_an_eighth),
        TEST(every_damaged_byte_and_every_truncation_is_found),
        TEST(forged_blocks_are_read_safely),
        TEST(forged_bodies_are_refused),
        TEST(equal_rows_give_equal_bytes),
        TEST(random_bytes_are_no_block),
        TEST(a_block_that_unpacks_beyond_the_limit_is_refused),
        TEST(blocks_are_those_of_the_golden_files),
        TEST(crc32c_has_its_published_values),
        TEST(both_forms_of_crc32c_agree),
        TEST(without_memory_blocks_fail_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
