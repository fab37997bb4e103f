/*
 * services.h - the interface tables that host.c hands out by id; inside load/ only.
 */
#ifndef WEIR_CORE_SERVICES_H
#define WEIR_CORE_SERVICES_H

#include "core/load/context.h"

extern const struct weir_io weir_io_1;           /* io.c */
extern const struct weir_expr_table weir_expr_1; /* host_expr.c */

#endif
