/*
 * output.h - rows that Lua code gives, collected into chunks of one output.
 */
#ifndef LUA_OUTPUT_H
#define LUA_OUTPUT_H

#include "plugins/lua/value.h"

struct output {
    const struct weir_host *host;
    struct weir_context *lane;
    struct column *columns;
    uint32_t n_columns, rows;
    uint32_t kept;                 /* rows of calls that have succeeded */
    uint32_t number;               /* of the output */
    const struct ArrowSchema *also; /* columns that a row may have besides; may be NULL */
    int32_t failed;                /* class of an emit that failed inside of a body, else OK */
    struct weir_error error;
};

/* Zeroed memory before; output_fini is due also after a failure. */
int32_t output_init(struct output *out, const struct weir_host *host, struct weir_context *lane,
                    const struct ArrowSchema *schema, uint32_t number, struct weir_error *error);
void output_fini(struct output *out);

/* The rows so far stay; output_drop forgets those after them, half-made ones included. */
static inline void output_keep(struct output *out)
{
    out->kept = out->rows;
}
void output_drop(struct output *out);
int output_full(const struct output *out); /* 1: output_flush before more comes */
int32_t output_flush(struct output *out, struct weir_error *error);

/* Inside of a body, which begins with output_begin: appends the row at `index`. After an error of
 * Lua: output_drop. */
void output_begin(struct output *out, lua_State *L);
void output_row(struct output *out, struct vm *vm, lua_State *L, int index);

/* Inside of a body: appends what a function gave at `index`: nil for no row, an array of rows, or
 * one row. Gives chunks to the host where there are many, but no rows of a call that fails. After
 * an error of Lua: output_drop; where `failed` is set, the lane has to return that. */
void output_rows(struct output *out, struct vm *vm, lua_State *L, int index);

#endif
