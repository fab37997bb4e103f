/*
 * totals.c - an operator with state: the running total of each user, after each of its rows.
 */
#include <weir/stateful.h>

#include "src/example.h"

static int32_t update(struct weir_stateful_row *r, struct weir_error *error)
{
    int64_t *total = weir_stateful_int(r, 0);
    if (weir_row_null(&r->row, 1)) return weir_fail(error, WEIR_DATA, "amount is null");
    *total += weir_row_int(&r->row, 1);
    weir_row_put_text(&r->row, 0, weir_row_text(&r->row, 0));
    weir_row_put_int(&r->row, 1, *total);
    return weir_row_emit(&r->row, error);
}

static const struct weir_stateful totals = { { "user string, amount bigint",
                                               "user string, total bigint", 0, 0 },
                                             1,
                                             "total bigint",
                                             update,
                                             1 };
WEIR_STATEFUL(totals_table, totals)
