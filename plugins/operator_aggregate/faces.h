/*
 * faces.h - the operators of this module.
 */
#ifndef OPERATOR_AGGREGATE_FACES_H
#define OPERATOR_AGGREGATE_FACES_H

#include "plugins/operator_aggregate/aggregation.h"

extern const struct weir_operator count_operator, count_by_value_operator, reduce_operator,
    aggregate_operator;

/* An operator that is an aggregation but for its bind. */
#define FACE_OF_AGGREGATION(name, bind_fn)                                                         \
    .size = sizeof name, .create = aggregation_create, .destroy = aggregation_destroy,             \
    .bind = bind_fn, .lane_create = aggregation_lane_create,                                       \
    .lane_destroy = aggregation_lane_destroy, .begin = aggregation_begin,                          \
    .process = aggregation_process, .advance = aggregation_advance,                                \
    .combine = aggregation_combine, .combine_end = aggregation_combine_end

#endif
