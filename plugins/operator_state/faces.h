/*
 * faces.h - the operators of this module.
 */
#ifndef OPERATOR_STATE_FACES_H
#define OPERATOR_STATE_FACES_H

#include <weir/plugin.h>

extern const struct weir_operator update_state_by_key_operator, map_with_state_operator,
    group_state_operator, stateful_operator;

/* update_state_by_key with code; update_face.c chooses between it and `values`. */
extern const struct weir_operator update_by_code_operator;

#endif
