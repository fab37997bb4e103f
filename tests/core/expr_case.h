/*
 * expr_case.h - expressions over small tables, for tests: what comes out, as one line of text.
 *
 * Every evaluation runs in several ways that must agree: the whole chunk, each row alone, under a
 * selection, and, for bools, as a filter.
 */
#ifndef WEIR_TESTS_EXPR_CASE_H
#define WEIR_TESTS_EXPR_CASE_H

#include "core/expr/expr.h"

struct expr_table {
    struct ArrowSchema schema;
    struct weir_chunk *chunk;
};

struct expr_case {
    const char *text;
    const char *want;
};

/* A table from DDL and JSON rows; aborts on bad input. */
void table_make(struct expr_table *table, const char *columns, const char *rows);
void table_free(struct expr_table *table);

/* Values as JSON, ", " between, "!reason" for rows that failed; "@7 text" for an error of the check
 * at code point 7. The text is valid until the next call. */
const char *show(const struct expr_table *table, const char *text);
/* Runs all cases and fails the test with the first that differs. */
void check_cases(const struct expr_table *table, const struct expr_case *cases, uint32_t n);

/* Functions known to `show`; NULL: none. Name NULL ends the list. */
extern const struct weir_component *expr_components;
extern const struct expr_env expr_test_env;
extern uint64_t expr_seed; /* of the selections */

#define CASES(table, ...)                                                                          \
    do {                                                                                           \
        static const struct expr_case cases_[] = { __VA_ARGS__ };                                  \
        check_cases(table, cases_, sizeof cases_ / sizeof *cases_);                                \
    } while (0)

#endif
