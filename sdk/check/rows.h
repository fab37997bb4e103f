/*
 * rows.h - rows as JSON: one text per value, comparison, and what differs in words.
 */
#ifndef WEIR_CHECK_ROWS_H
#define WEIR_CHECK_ROWS_H

#include <jansson.h>
#include <stdio.h>

/* Writes a value. Floats are written as the engine writes them (never as an integer), -0.0 as 0.0.
 * `sorted`: members of objects by name, so that equal values have equal texts. */
void value_put(FILE *to, const json_t *value, int sorted);
/* Integers expected in a column where `got` has floats count as floats. 1 if the rows differ; then what is missing and what is too much was written, a line each, behind
 * "#   ". With `exact` the order counts. -1 without memory. */
int rows_compare(const json_t *expected, const json_t *got, int exact, FILE *to);
/* Rows as a person would write them: on one line from `column` on if they fit into 100, else a line
 * each. */
void rows_put(FILE *to, const json_t *rows, size_t column);

#endif
