/*
 * stateful.c - the operator `stateful`.
 */
#include "plugins/operator_state/state.h"

void stateful_free_collections(struct state_operator *op)
{
    (void)op;
}

void stateful_add_methods(struct lane *lane, lua_State *L)
{
    (void)lane;
    (void)L;
}
