/*
 * fields.h - the record of a key: columns that the job author declares, kept in a table of the host.
 *
 * A table has no nulls and no nested values, so each field takes two columns from `first` on: its
 * value, and "NAME:set", which is 1 where it is not null. Lists and structs are JSON text.
 */
#ifndef OPERATOR_STATE_FIELDS_H
#define OPERATOR_STATE_FIELDS_H

#include "plugins/lua/output.h"

struct fields {
    const struct weir_host *host;
    const struct weir_data *data;
    const struct weir_state_table *state;
    struct ArrowSchema schema;
    struct ArrowSchema *alone; /* per nested field: a struct of that one, else released */
    char *names;
    uint32_t n, n_nodes;       /* nodes: fields and what is below them */
    uint32_t table, first;     /* where they are kept; set by the caller */
};

/* An array that borrows from a growing column. */
struct view {
    struct ArrowArray array;
    struct ArrowArray *children[64];
    const void *buffers[3];
};

/* What a lane needs to read and write records. */
struct fields_lane {
    const struct fields *fields;
    struct output given;        /* the record to write: its row 0 */
    struct view *views;         /* n_nodes */
    struct weir_buffer text;
    struct ArrowArray parsed;   /* of the last nested value, else released */
};

/* From DDL; an error is one of `option`. Zeroed memory before, fields_fini is due. */
int32_t fields_init(struct fields *fields, const struct weir_host *host, const char *ddl,
                    const char *option, struct weir_error *error);
void fields_fini(struct fields *fields);

/* Its 2 n columns of a table; names live with the fields. */
void fields_columns(const struct fields *fields, struct weir_table_column *columns);

int32_t fields_lane_init(struct fields_lane *lane, const struct fields *fields,
                         struct weir_context *context, struct weir_error *error);
void fields_lane_fini(struct fields_lane *lane);

/* Inside of a body: pushes the record of a slot (of a rows table: of a row) as a table. */
void fields_push(struct fields_lane *lane, struct vm *vm, lua_State *L, struct weir_state *state,
                 uint32_t slot);

/* Inside of a body: pushes the record that was taken, as fields_push. */
void fields_push_taken(struct fields_lane *lane, struct vm *vm, lua_State *L);

/* Inside of a body: takes the table at `index` (of one field: also its value alone) as the record to
 * write. On an error of Lua there is none. */
void fields_take(struct fields_lane *lane, struct vm *vm, lua_State *L, int index);

/* 1 if the record of the slot is the one that was taken. */
int fields_same(struct fields_lane *lane, struct weir_state *state, uint32_t slot, int32_t *result);

/* 1 if field `field` of the slot is the first value of an array. */
int fields_cell_is(struct fields_lane *lane, struct weir_state *state, uint32_t slot, uint32_t field,
                   const struct ArrowArray *array, int32_t *result);

/* The record that was taken, as arrays of one row, until the next is taken; `out` has room for n. */
void fields_taken(struct fields_lane *lane, const struct ArrowArray **out);

/* Writes the record that was taken. The slot is announced for writing. OK; FATAL. */
int32_t fields_write(struct fields_lane *lane, struct weir_state *state, uint32_t slot,
                     struct weir_error *error);

/* Writes field `field` from an array. */
int32_t fields_put(struct fields_lane *lane, struct weir_state *state, uint32_t slot,
                   uint32_t field, const struct ArrowArray *array, uint32_t row,
                   struct weir_error *error);

/* Field `field` of n slots as an array. OK; FATAL. */
int32_t fields_array(struct fields_lane *lane, struct weir_state *state, uint32_t field,
                     const uint32_t *slots, uint32_t n, struct ArrowArray *out,
                     struct weir_error *error);

#endif
