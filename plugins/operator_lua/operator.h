/*
 * operator.h - the operator `lua`: what its two files share.
 */
#ifndef OPERATOR_LUA_OPERATOR_H
#define OPERATOR_LUA_OPERATOR_H

#include "plugins/lua/batch.h"
#include "plugins/lua/output.h"

#define INPUTS_MAX 16u

enum mode { MODE_MAP, MODE_FLAT_MAP, MODE_FILTER, MODE_MAP_PARTITIONS, MODE_TRANSFORM };

struct lua_operator {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    struct script script;
    enum mode mode;
    uint32_t n_inputs;
    const struct ArrowSchema *inputs[INPUTS_MAX];
    struct ArrowSchema output;            /* of `columns`; filter: of the first input */
    struct weir_output_column *pass;      /* filter: [input][column of the output] */
};

/* Lanes: the functions of weir_operator, `self` being a struct lua_operator. */
int32_t lua_lane_create(void *self, struct weir_context *context, void **lane,
                        struct weir_error *error);
void lua_lane_destroy(void *self, void *lane);
int32_t lua_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error);
int32_t lua_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                    struct weir_error *error);
int32_t lua_advance(void *self, void *lane, struct weir_error *error);

extern const struct weir_operator lua_operator_table;

#endif
