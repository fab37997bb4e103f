/*
 * faces.h - the operators of this module.
 */
#ifndef OPERATOR_AGGREGATE_FACES_H
#define OPERATOR_AGGREGATE_FACES_H

#include "plugins/operator_aggregate/aggregation.h"

extern const struct weir_operator count_operator, count_batch_operator, count_by_window_operator,
    count_by_value_operator, reduce_operator, aggregate_operator;

/* over.c: the functions of an aggregation per batch or per window, `self` a struct aggregation. */
void over_destroy(void *self);
int32_t over_lane_create(void *self, struct weir_context *context, void **lane,
                         struct weir_error *error);
void over_lane_destroy(void *self, void *lane);
int32_t over_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error);
int32_t over_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                     struct weir_error *error);
int32_t over_advance(void *self, void *lane, struct weir_error *error);
int32_t over_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                     struct weir_error *error);
int32_t over_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);

/* An operator that is an aggregation but for its bind. */
#define FACE_OF_AGGREGATION(name, bind_fn)                                                         \
    .size = sizeof name, .create = aggregation_create, .destroy = aggregation_destroy,             \
    .bind = bind_fn, .lane_create = aggregation_lane_create,                                       \
    .lane_destroy = aggregation_lane_destroy, .begin = aggregation_begin,                          \
    .process = aggregation_process, .advance = aggregation_advance,                                \
    .combine = aggregation_combine, .combine_end = aggregation_combine_end

#endif
