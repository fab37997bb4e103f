/*
 * window.h - the operator of this module.
 */
#ifndef OPERATOR_WINDOW_H
#define OPERATOR_WINDOW_H

#include <weir/plugin.h>

extern const struct weir_operator window_operator;

#endif
