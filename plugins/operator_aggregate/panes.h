/*
 * panes.h - aggregates over windows of batches: `over`, fixed in bind, and the state of it.
 */
#ifndef OPERATOR_AGGREGATE_PANES_H
#define OPERATOR_AGGREGATE_PANES_H

#include "plugins/operator_aggregate/lane.h"
#include "plugins/share/over.h"

#define PANE_ROWS WEIR_CHUNK_TARGET_ROWS

struct panes {
    struct over over;
    int64_t pane_us;          /* greatest time that divides length and slide */
    uint32_t inverse;          /* 1: keys stay with what the inverse left */
    uint32_t exact;            /* 1: all aggregates can be undone, and totals are kept */
    struct weir_expr *keep;    /* NULL: all keys */
    struct ArrowSchema result; /* of the operator, for `keep` */
    struct ArrowSchema key;    /* by columns, pane */
    struct weir_table_column *columns; /* of the calls, and one more */
    uint32_t pane_table, total_table; /* of weir.state/1 */
};

/* A lane of an aggregation over windows, around that of a batch. */
struct panes_lane {
    struct lane *batch;
    struct weir_begin begin;
    struct ArrowArray *arrays;       /* keys, pane, columns of the part under way */
    const struct ArrowArray **list;  /* the same */
    uint32_t *order;                 /* slots of all panes, in order of time */
    uint32_t room;                   /* of it */
    uint32_t n_dropped;
    uint32_t dropped[PANE_ROWS];    /* slots of totals that `keep` refused */
    uint32_t slots[PANE_ROWS], totals[PANE_ROWS], rows[PANE_ROWS];
};

/* Reads `over` (or its members flat) and declares the tables; behind aggregation_plan. Does nothing
 * where the instance has no window. inverse: 1 where the face has it by itself; keep: what
 * an `inverse` without `keep` keeps, or NULL: all. */
int32_t panes_bind(struct aggregation *a, const struct weir_operator_bind *in,
                   struct weir_operator_plan *out, int inverse, const char *keep,
                   struct weir_error *error);
void panes_destroy(struct aggregation *a);

/* The groups of the batch join the windows; panes that have left go; a window that is due is
 * emitted. */
int32_t panes_advance(const struct aggregation *a, struct panes_lane *lane,
                       struct weir_error *error);

/* For emit.c, over the n slots of totals: what a sum left behind is 0, not null; and `keep`. */
void panes_residue(const struct aggregation *a, struct lane *lane, uint32_t call,
                    const uint32_t *slots, uint32_t n, struct ArrowArray *result);
int32_t panes_keep(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                    uint32_t n, uint32_t columns, struct weir_rows *rows,
                    struct weir_error *error);

#endif
