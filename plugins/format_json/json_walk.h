/*
 * json_walk.h - where the values of a record are that has a known shape.
 */
#ifndef FORMAT_JSON_WALK_H
#define FORMAT_JSON_WALK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHAPE_MEMBERS 64u
#define SHAPE_BYTES 2048u
#define LAYOUT_BYTES 4096u
#define LITERAL_HEAD 32u

/* The bytes before a value, or behind the last one. */
struct json_literal {
    uint8_t head[LITERAL_HEAD]; /* the first ones */
    uint32_t beyond;            /* bits of those bytes of head that are none of its */
    uint32_t length;            /* at least 1 */
    uint32_t at;                /* in json_shape.bytes */
    int32_t column;             /* that takes the value behind it; -1: none does */
    uint32_t before; /* length of the value behind it in the record before, if it was a string */
    uint32_t steady; /* records in a row that had an ASCII string of this length there */
    uint32_t needed; /* so many are needed before it is taken into the layout */
};

/* Bytes that always are at the same distances: literals, and strings of constant length. */
struct json_stretch {
    uint32_t at, length;  /* in the bytes of the layout */
    uint32_t beyond;      /* bits of the bytes behind it up to a multiple of 32 */
    uint32_t places_end;  /* behind those of its strings that columns take */
    uint32_t member;      /* that follows it; the last one has none */
};

struct json_place {
    uint32_t member, at, length; /* in the stretch */
};

struct json_layout {
    uint32_t n; /* stretches; 0: there is no layout now */
    uint32_t n_bytes, n_places;
    struct json_stretch stretches[SHAPE_MEMBERS + 1];
    struct json_place places[SHAPE_MEMBERS];
    uint8_t bytes[LAYOUT_BYTES];
    uint8_t inside[LAYOUT_BYTES]; /* 0xff: a byte of a string, which may be any plain one; else 0 */
};

struct json_shape {
    uint32_t n; /* literals: one more than members; 0: none learned */
    uint32_t n_bytes;
    int32_t condition; /* the member that the condition of the plan looks at; -1: none */
    int32_t whole;     /* 1: every column of the plan has a member */
    int32_t all_fit;   /* 1: no plain value can be wrong: all columns that have one are texts that
                          may be null */
    uint32_t walked;   /* records that fitted, since the layout was last given up */
    struct json_literal literals[SHAPE_MEMBERS + 1];
    uint8_t bytes[SHAPE_BYTES]; /* of the literals */
    struct json_layout layout;
};

struct json_value {
    const uint8_t *text; /* between the quotes of a string */
    uint32_t length;
    uint32_t is_string; /* 0: a number, true, false or null, well-formed */
};

/* Whether a byte ends a number, true, false or null of a member. */
static inline int json_ends_token(uint8_t c)
{
    return c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One more literal of a shape. 0: there are too many. */
int json_shape_add(struct json_shape *shape, const uint8_t *text, uint32_t length, int32_t column);

/* Walks over the record of a shape that begins at `text`; `most` bytes (below 2^32) and 64 more are
 * readable. Returns its length, with the values that columns take (room for SHAPE_MEMBERS); 0: it has
 * another shape, or a value that is not plain. Notes in the shape what it saw. One thread per shape. */
typedef uint64_t (*json_walk_fn)(struct json_shape *shape, const uint8_t *text, uint64_t most,
                                 struct json_value *values);

/* The form for this processor; all of them give the same. [any] */
json_walk_fn json_walk(void);

/* The twin in plain C, and the vector forms for the test that compares them: NULL where the
 * processor has none. */
uint64_t json_walk_plain(struct json_shape *shape, const uint8_t *text, uint64_t most,
                         struct json_value *values);
json_walk_fn json_walk_16(void);
json_walk_fn json_walk_32(void);

/* Whether n bytes are the same; those up to the next multiple of 16 are readable, too. */
int json_text_is(const uint8_t *text, const uint8_t *same, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
