/*
 * op.h - the operator `join`: what is fixed in bind, and its lanes.
 */
#ifndef OPERATOR_JOIN_OP_H
#define OPERATOR_JOIN_OP_H

#include "plugins/share/join.h"

/* A part of a column as it lies in state: a value and whether it is there, or a struct of cells. */
struct cell {
    const struct ArrowSchema *type;
    uint32_t valid, value; /* columns of the table; value is unused for structs */
    uint32_t first_child;  /* of a struct: cells first_child, … */
};

/* The rows of a side in state. */
struct cells {
    struct cell *cells;
    uint32_t n, room;
    struct weir_table_column *columns;
    char (*names)[64];
    uint32_t n_columns;
    int32_t *of;      /* input column → its cell, -1: not kept */
    int32_t matched;  /* column of the table, -1: nobody asks */
    int32_t expires;  /* column of the table, -1: rows stay for ever */
};

struct side {
    uint32_t n_inputs;             /* columns of the input */
    int32_t *at;                   /* input column → column of the exchange, -1 */
    int32_t *from;                 /* column of the exchange → input column, -1: made */
    uint32_t n_exchange;
    uint32_t leaf_at[JOIN_KEYS_MAX];
    int32_t alone_at;              /* bool: the row can match nothing; -1: there are none */
    struct ArrowSchema exchange;
    /* scope stream */
    int32_t late_column;           /* input column, -1: rows are never late */
    int32_t late_field;            /* of a window: its end */
    uint32_t bounded;              /* 1: rows expire when the watermark reaches time - offset */
    int32_t time_at;               /* column of the exchange */
    int32_t bound_column;          /* input column, -1: the time is a key */
    int64_t offset_us;
    uint32_t table;
    struct cells cells;
};

struct join_op {
    struct join join; /* first */
    const struct weir_state_table *state;
    uint32_t stream;
    struct side sides[2];
};

/* Chunks of a side, kept until advance (scope batch). */
struct kept {
    const struct weir_chunk **chunks;
    uint32_t n, room;
};

/* Rows of a side that lie in arrays. */
struct array_source {
    const struct join_op *op;
    uint32_t side;
    const struct ArrowArray *array; /* of the exchange schema */
};

struct join_lane {
    const struct join_op *op;
    struct weir_context *context;
    struct weir_begin begin;
    struct join_pairs *pairs; /* behind the exchange; made on first use */
    struct array_source arrays[2];
    struct ArrowArray empty[2];
    /* scope batch */
    struct kept kept[2];
    struct weir_combine *index;
    /* scope stream */
    uint32_t other;              /* the side whose rows are marked */
    struct weir_view marks;
    /* rows of a chunk */
    uint32_t n_rows;
    uint32_t *slots, *numbers;
    int64_t *order;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint8_t alone[WEIR_CHUNK_MAX_ROWS];
};

extern const struct weir_operator join_operator;

/* plan.c */
int32_t join_op_bind(void *self, const struct weir_operator_bind *in,
                     struct weir_operator_plan *out, struct weir_error *error);
int64_t join_op_watermark(void *self, const int64_t *inputs, uint32_t n_inputs);

/* combine.c */
int32_t join_op_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                        struct weir_error *error);
int32_t join_op_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);

/* lane.c: what both scopes need */
int32_t lane_pairs(struct join_lane *lane, struct weir_error *error);
int32_t lane_room(struct join_lane *lane, uint32_t rows, struct weir_error *error);
void lane_leaves(const struct join_op *op, uint32_t side, const struct ArrowArray *array,
                 const struct ArrowArray **leaves);
int array_alone(const struct join_op *op, uint32_t side, const struct ArrowArray *array,
                uint32_t row);
struct join_source array_rows(struct join_lane *lane, uint32_t side,
                              const struct ArrowArray *array);

/* batch.c */
int32_t batch_process(struct join_lane *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error);
int32_t batch_advance(struct join_lane *lane, struct weir_error *error);
void batch_forget(struct join_lane *lane);

/* stream.c */
int32_t stream_process(struct join_lane *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error);
int32_t stream_advance(struct join_lane *lane, struct weir_error *error);
/* When a row is of no use any more: the watermark at which it goes; INT64_MAX: never. */
int64_t expiry(const struct side *side, const struct ArrowArray *array, uint32_t row);

/* cells.c */
int32_t cells_bind(struct join_op *op, uint32_t side, struct weir_error *error);
void cells_free(const struct join_op *op, struct cells *cells);
/* Rows rows[i] of an exchanged array become records numbers[i]. */
int32_t cells_write(const struct join_op *op, uint32_t side, struct weir_state *state,
                    const struct ArrowArray *array, const uint32_t *rows, const uint32_t *numbers,
                    uint32_t n, struct weir_error *error);
/* Column `column` of the input for n records; JOIN_NONE gives null. */
int32_t cells_read(const struct join_op *op, uint32_t side, struct weir_state *state,
                   uint32_t column, const uint32_t *numbers, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error);

#endif
