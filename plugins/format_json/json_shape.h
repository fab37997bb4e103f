/*
 * json_shape.h - records that look like one before: read without looking for their structure.
 */
#ifndef FORMAT_JSON_SHAPE_H
#define FORMAT_JSON_SHAPE_H

#include "plugins/format_json/json_shim.h"
#include "plugins/format_json/json_walk.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SHAPES_MAX 8u

struct json_shapes {
    struct json_shape shapes[SHAPES_MAX], made; /* and the one to be learned */
    uint64_t first[SHAPES_MAX], mask[SHAPES_MAX]; /* first bytes of their records, up to eight */
    uint32_t next;   /* to be replaced */
    uint32_t last;   /* that fitted */
    uint32_t misses; /* records since one fitted */
    uint32_t rest;   /* records that are not tried: nothing fitted for long */
    json_walk_fn walk;
};

void json_shapes_init(struct json_shapes *shapes);

/* See json_run. */
uint64_t json_shapes_run(struct json_shapes *shapes, const struct json_plan *plan,
                         struct column *columns, struct json_run *run, const uint8_t *text,
                         uint64_t length);

/* Learns the shape of a record that was parsed. */
void json_shapes_learn(struct json_shapes *shapes, const struct json_plan *plan,
                       const struct column *columns, const uint8_t *text, uint64_t length);

#ifdef __cplusplus
}
#endif
#endif
