/*
 * json_shape.h - records that look like one before: read without looking for their structure.
 */
#ifndef FORMAT_JSON_SHAPE_H
#define FORMAT_JSON_SHAPE_H

#include "plugins/format_json/json_shim.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SHAPES_MAX 8u
#define SHAPE_MEMBERS 64u
#define SHAPE_BYTES 1536u

/* The bytes before each value, and behind the last one. */
struct json_literal {
    uint32_t at, length; /* in `bytes` */
    int32_t column;      /* that takes the value behind it; -1: none does */
};

struct json_shape {
    uint32_t n; /* literals: one more than members; 0: none learned */
    uint32_t n_bytes;
    struct json_literal literals[SHAPE_MEMBERS + 1];
    uint8_t bytes[SHAPE_BYTES + 16]; /* of the literals, each up to a multiple of 16 */
};

struct json_shapes {
    struct json_shape shapes[SHAPES_MAX];
    uint32_t next;   /* to be replaced */
    uint32_t misses; /* records since one fitted */
    uint32_t rest;   /* records that are not tried: nothing fitted for long */
    int32_t off;     /* 1: this plan reads more than plain members */
};

/* Reads a record (64 bytes behind it are readable) into columns that have `row` rows, if it has the
 * shape of one that was learned. JSON_ROW, JSON_LEFT_OUT: done. -1: not. But for JSON_ROW all columns
 * have `row` rows. */
int json_shapes_read(struct json_shapes *shapes, const struct json_plan *plan,
                     struct column *columns, uint32_t row, const uint8_t *text, uint64_t length);

/* Learns the shape of a record that json_parse took. */
void json_shapes_learn(struct json_shapes *shapes, const struct json_plan *plan,
                       const uint8_t *text, uint64_t length);

#ifdef __cplusplus
}
#endif
#endif
