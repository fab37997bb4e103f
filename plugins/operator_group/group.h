/*
 * group.h - rows with the same key, in one list: what `group_by_key` and `cogroup` are, fixed in
 * bind.
 */
#ifndef OPERATOR_GROUP_H
#define OPERATOR_GROUP_H

#include <weir/plugin.h>

#include "plugins/share/over.h"

#define BY_MAX 16u     /* columns of a distribution */
#define INPUTS_MAX 16u

/* Emissions are cut here. */
#define TARGET_ROWS WEIR_CHUNK_TARGET_ROWS
#define TARGET_BYTES (8u << 20)

extern const struct weir_operator group_by_key_operator, cogroup_operator, glom_operator;

struct group_input {
    int32_t by[BY_MAX];             /* >= 0: the key column is this column of the input */
    struct weir_expr *exprs[BY_MAX];
    uint32_t *columns;              /* of the input, that go into the list */
    uint32_t n_columns;
};

/* Columns that cross the exchange: those of the key, then those of the list. */
struct group {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct weir_combine_table *combine;
    const struct weir_state_table *state;
    uint32_t n_by, n_inputs;
    uint32_t most_columns;          /* of an exchange */
    uint32_t plain;                 /* 1: the items are the values of one column, not structs */
    uint32_t windowed;              /* 1: over windows of batches */
    struct over over;
    uint32_t table;                 /* of weir.state/1 */
    struct ArrowSchema key;         /* struct of the key columns, under their names */
    struct ArrowSchema lists;       /* struct of one list per input */
    struct group_input inputs[INPUTS_MAX];
};

/* Reads `over` (or its members flat) and declares the table; behind the plan. Does nothing where the
 * instance has no window. */
int32_t group_windows(struct group *g, const struct weir_operator_bind *in,
                      struct weir_operator_plan *out, struct weir_error *error);

/* The functions of weir_operator, `self` being a struct group. */
int32_t group_lane_create(void *self, struct weir_context *context, void **lane,
                          struct weir_error *error);
void group_lane_destroy(void *self, void *lane);
int32_t group_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error);
int32_t group_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error);
int32_t group_advance(void *self, void *lane, struct weir_error *error);
int32_t group_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error);
int32_t group_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);

#endif
