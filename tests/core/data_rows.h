/*
 * data_rows.h - rows for tests of core/data: arrays from DDL and JSON, and back to JSON to compare.
 */
#ifndef WEIR_TEST_DATA_ROWS_H
#define WEIR_TEST_DATA_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/array.h"

/* Every type, nested ones included, some not null. */
#define ALL_TYPES                                                                                  \
    "b bool, i int32 not null, l int64, f float64, s string, z binary, t timestamp, d date, "      \
    "ls list<string>, "                                                                            \
    "st struct<a: int64, b: list<struct<c: string, d: bool>>, e: float64 not null>, "              \
    "ll list<list<int32 not null>>"

#define ALL_ROWS                                                                                   \
    "[[true,1,10,1.5,\"one\",\"AQI=\",\"2024-01-02T03:04:05.678Z\",\"2024-01-02\","            \
    "[\"x\",null,\"\"],"                                                                          \
    "{\"a\":1,\"b\":[{\"c\":\"q\",\"d\":true},null],\"e\":2.5},[[1,2],[],null]]," \
    "[null,-2,null,null,null,null,null,null,null,null,null]," \
    "[false,3,-9223372036854775808,\"NaN\",\"\",\"\",\"0001-01-01T00:00:00Z\",\"9999-12-31\",[]," \
    "{\"a\":null,\"b\":null,\"e\":-0.0},[]]," \
    "[true,2147483647,9223372036854775807,\"-Infinity\","                                       \
    "\"g\xc3\xbcrteltier, a text of more than 32 bytes\","                                         \
    "\"AAECAwQFBgcICQoLDA0ODxAREhM=\",\"9999-12-31T23:59:59.999999Z\",\"0001-01-01\",[\"y\"]," \
    "{\"a\":7,\"b\":[],\"e\":1.0E300},[[3]]]]"

struct rows {
    struct ArrowSchema schema;
    struct ArrowArray array;
};

static inline void schema_of(const char *ddl, struct ArrowSchema *out)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t rc = weir_data_1.schema_parse(ddl, out, &error);
    if (rc) fail_msg("%s: %s", ddl, error.text);
}

static inline struct rows rows_of(const char *ddl, const char *json)
{
    struct rows rows;
    struct weir_error error = WEIR_ERROR_INIT;
    schema_of(ddl, &rows.schema);
    if (weir_data_1.rows_parse(&rows.schema, json, strlen(json), &rows.array, &error))
        fail_msg("%s: %s", json, error.text);
    return rows;
}

static inline void rows_drop(struct rows *rows)
{
    array_release(&rows->array);
    schema_release(&rows->schema);
}

/* Checks the profile, and the rows against JSON as rows_json writes it. */
static inline void assert_rows(const struct ArrowSchema *schema, struct ArrowArray *array,
                               const uint32_t *selection, uint32_t n, const char *json)
{
    struct weir_buffer out = { NULL, 0, 0 };
    struct weir_error error = WEIR_ERROR_INIT;
    if (array_validate(schema, array, 1, &error)) fail_msg("%s", error.text);
    assert_int_equal(rows_json(schema, array, selection, n, &out), WEIR_OK);
    assert_int_equal(buffer_add(&out, "", 1), WEIR_OK);
    assert_string_equal((char *)out.data, json);
    mem_free(out.data);
}

/* A small generator with a seed, for repeatable chance. */
static inline uint64_t chance(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline int no_leak(void **state)
{
    (void)state;
    mem_fail_at(0, 0);
    return mem_in_use() == 0 ? 0 : -1;
}

/* Runs `body` with the first, second, third ... allocation failing, once and for ever after, until
 * it passes undisturbed. `body` returns 1 when it did all of its work, and leaves no memory. */
static inline void with_failing_memory(int (*body)(void))
{
    int forever;
    for (forever = 0; forever < 2; forever++) {
        uint64_t n, before = mem_in_use();
        int done = 0;
        for (n = 1; !done; n++) {
            assert_true(n < 100000);
            mem_fail_at(n, forever);
            done = body();
            mem_fail_at(0, 0);
            assert_int_equal(mem_in_use(), before);
        }
        assert_true(n > 2);
    }
}

#endif
