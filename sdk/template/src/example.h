/*
 * example.h - the tables that example.c puts into the descriptor.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <weir/plugin.h>

extern const struct weir_source countdown_table;
extern const struct weir_option countdown_options[];
extern const struct weir_operator totals_table;
extern const struct weir_sink journal_table;
extern const struct weir_option journal_options[];
extern const struct weir_scalar distance_table;

#endif
