/* The forms of the walk over a record agree with each other and with what was put into the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/format_json/json_walk.h"

#define MEMBERS 6u
#define FORMS 3u

static const char *const literals[MEMBERS + 1] = {
    "{\"id\": ", ",\"user_id_that_is_a_name_over_32_bytes\" : ", ", \"n\":", ",\"t\":", ",\"u\":",
    ",\"a_name_of_more_than_16\":", "}",
};

struct record {
    char text[2048];
    uint64_t length;
    uint32_t at[MEMBERS], n[MEMBERS], is_string[MEMBERS];
    int plain; /* 1: it has the shape, and plain values alone */
};

static uint64_t next(uint64_t *random)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return *random >> 33;
}

/* A string; *plain becomes 0 if it can't be read without the parser. */
static uint32_t put_string(char *to, uint32_t length, uint64_t *random, int *plain)
{
    static const char *const odd[] = { "\\n", "\x01", "\xff", "\x7f", "\xC3\xA4" };
    uint32_t n = 0;
    for (; n < length; n++) to[n] = (char)('a' + next(random) % 26);
    if (length < 2 || next(random) % 300) return n;
    const uint64_t which = next(random) % 5;
    memcpy(to + next(random) % (length - 1), odd[which], strlen(odd[which]));
    if (which < 3) *plain = 0;
    return n;
}

/* Lengths are constant but for member 3, and for some records of one of `round`. */
static void make(struct record *r, uint32_t round, uint64_t *random)
{
    static const char *const tokens[] = { "null", "true", "false", "-12.5e3", "0", "123456" };
    const uint32_t lengths[MEMBERS] = { 36, 13, 0, (uint32_t)(next(random) % 90), 31, 63 };
    char *to = r->text;
    r->plain = 1;
    for (uint32_t k = 0; k < MEMBERS; k++) {
        uint32_t length = lengths[k] + (k == round % MEMBERS && next(random) % 40 == 0);
        to = stpcpy(to, literals[k]);
        r->is_string[k] = k != 2 && (k != 4 || next(random) % 50);
        if (r->is_string[k]) *to++ = '"';
        r->at[k] = (uint32_t)(to - r->text);
        r->n[k] = r->is_string[k] ? put_string(to, length, random, &r->plain)
                                  : (uint32_t)sprintf(to, "%s", tokens[next(random) % 6]);
        to += r->n[k];
        if (r->is_string[k]) *to++ = '"';
    }
    to = stpcpy(to, literals[MEMBERS]);
    r->length = (uint64_t)(to - r->text);
    if (next(random) % 200 == 0) { /* another literal, or a quote too many, or no end */
        r->text[next(random) % r->length] = next(random) & 1 ? '"' : ' ';
        r->plain = -1;
    }
    memset(to, next(random) & 1 ? '"' : 'x', 96);
}

static struct json_shape *shape_of(void)
{
    struct json_shape *shape = calloc(1, sizeof *shape);
    assert_non_null(shape);
    for (uint32_t k = 0; k <= MEMBERS; k++)
        assert_true(json_shape_add(shape, (const uint8_t *)literals[k], (uint32_t)strlen(literals[k]),
                                   k < MEMBERS ? (int32_t)k : -1));
    return shape;
}

static void check_values(const struct record *r, const struct json_value *values)
{
    for (uint32_t k = 0; k < MEMBERS; k++) {
        assert_ptr_equal(values[k].text, r->text + r->at[k]);
        assert_int_equal(values[k].length, r->n[k]);
        assert_int_equal(values[k].is_string, r->is_string[k]);
    }
}

static void all_forms_find_the_same(void **state)
{
    const json_walk_fn forms[FORMS] = { json_walk_plain, json_walk_16(), json_walk_32() };
    uint64_t random = 42, layouts = 0, walked = 0, others = 0;
    (void)state;
    for (uint32_t round = 0; round < 2 * MEMBERS; round++) {
        struct json_shape *shapes[FORMS];
        for (uint32_t f = 0; f < FORMS; f++) shapes[f] = shape_of();
        for (uint32_t i = 0; i < 4000; i++) {
            struct json_value values[FORMS][SHAPE_MEMBERS];
            uint64_t lengths[FORMS];
            struct record r;
            make(&r, round, &random);
            const uint64_t most = next(&random) % 100 ? r.length + 32 : next(&random) % r.length;
            for (uint32_t f = 0; f < FORMS; f++) {
                if (!forms[f]) continue;
                memset(values[f], 0, sizeof values[f]);
                lengths[f] = forms[f](shapes[f], (const uint8_t *)r.text, most, values[f]);
                assert_int_equal(lengths[f], lengths[0]);
                assert_int_equal(shapes[f]->layout.n, shapes[0]->layout.n);
                if (lengths[f])
                    assert_memory_equal(values[f], values[0], MEMBERS * sizeof **values);
            }
            layouts += shapes[0]->layout.n != 0;
            walked += lengths[0] != 0;
            others += lengths[0] == 0;
            if (r.plain >= 0) assert_int_equal(lengths[0] != 0, r.plain && most >= r.length);
            if (r.plain > 0 && lengths[0]) check_values(&r, values[0]);
        }
        for (uint32_t f = 0; f < FORMS; f++) free(shapes[f]);
    }
    assert_true(layouts > 10000 && walked > 10000 && others > 500);
}

/* A layout never reads on where the bytes end: the record ends where they do, for every length. */
static void records_that_are_cut_do_not_fit(void **state)
{
    const json_walk_fn forms[FORMS] = { json_walk_plain, json_walk_16(), json_walk_32() };
    (void)state;
    for (uint32_t f = 0; f < FORMS; f++) {
        struct json_shape *shape = shape_of();
        struct json_value values[SHAPE_MEMBERS];
        struct record r;
        uint64_t random = 7;
        if (!forms[f]) continue;
        do make(&r, 2, &random);
        while (r.plain != 1);
        for (uint32_t i = 0; i < 20; i++)
            assert_int_equal(forms[f](shape, (const uint8_t *)r.text, r.length, values), r.length);
        assert_int_not_equal(shape->layout.n, 0);
        for (uint64_t n = 0; n < r.length; n++)
            assert_int_equal(forms[f](shape, (const uint8_t *)r.text, n, values), 0);
        assert_int_equal(forms[f](shape, (const uint8_t *)r.text, r.length, values), r.length);
        check_values(&r, values);
        free(shape);
    }
}

/* Records of another shape that begin alike, as often as they come, don't keep a layout from being
 * made, nor from being made anew. */
static void records_that_do_not_fit_count_for_nothing(void **state)
{
    const json_walk_fn forms[FORMS] = { json_walk_plain, json_walk_16(), json_walk_32() };
    (void)state;
    for (uint32_t f = 0; f < 2 * FORMS; f++) {
        const json_walk_fn walk = forms[f / 2];
        struct json_shape *shape = shape_of();
        struct json_value values[SHAPE_MEMBERS];
        char other[256] = "{\"id\": \"x\",\"another\":1}";
        struct record r;
        uint64_t random = 7, without = 0;
        if (!walk) continue;
        do make(&r, 2, &random);
        while (r.plain != 1);
        for (uint32_t i = 0; i < 3000; i++) {
            for (uint32_t k = 0; k < f % 2 + 1; k++)
                assert_int_equal(walk(shape, (const uint8_t *)other, strlen(other), values), 0);
            assert_int_equal(walk(shape, (const uint8_t *)r.text, r.length, values), r.length);
            without += shape->layout.n == 0;
        }
        assert_in_range(without, 10, 50); /* a few records in 1,024 */
        free(shape);
    }
}

static void texts_are_compared_to_their_length(void **state)
{
    uint8_t a[96], b[96];
    (void)state;
    for (uint32_t n = 0; n <= 64; n++) {
        memset(a, 'a', sizeof a);
        memset(b, 'b', sizeof b);
        memset(b, 'a', n);
        assert_true(json_text_is(a, b, n));
        if (n) b[n - 1] = 'c';
        assert_true(n == 0 || !json_text_is(a, b, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_find_the_same),
        cmocka_unit_test(records_that_are_cut_do_not_fit),
        cmocka_unit_test(records_that_do_not_fit_count_for_nothing),
        cmocka_unit_test(texts_are_compared_to_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
