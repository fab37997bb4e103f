/*
 * order.h - what the operators of this module share.
 */
#ifndef OPERATOR_ORDER_H
#define OPERATOR_ORDER_H

#include <weir/plugin.h>

#include "plugins/share/option.h"

extern const struct weir_operator order_operator, limit_operator;

/* The input's stream carried on as it is, all rows in one place and in order. */
int32_t passing_plan(const struct weir_data *data, const struct weir_input *input,
                     struct weir_operator_plan *out, struct weir_error *error);

#endif
