/*
 * mapped.c - the operator `map_with_state`: f(key, row, S, ctx) for every row of the batch.
 *
 * Rows come in their order; a call sees what the one before it wrote. A row whose call fails is
 * rejected. Any row of a key that has a state touches it. Keys not touched for longer than the timeout
 * are looked for in every `expire_every`-th batch of the grid; they get one call without a row, and go.
 *
 * The table has the time of the last touch, as a timer: so those that are due are found without
 * looking through the others, and another timeout holds for old keys, too.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

#define DUE 256u

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    int32_t result = state_create(host, context, self, error);
    if (*self) ((struct state_operator *)*self)->kind = KIND_MAPPED;
    return result;
}

static int32_t read_timeout(struct state_operator *op, struct weir_error *error)
{
    op->timeout_us = option_integer(op->host, op->context, "timeout", 0);
    op->expire_every = option_integer(op->host, op->context, "expire_every", 10);
    if (op->expire_every >= 1) return WEIR_OK;
    return weir_fail_option(error, "expire_every", -1, "a number of batches, at least 1");
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    static const struct weir_table_column touched = { "touched", WEIR_TYPE_TIMESTAMP,
                                                      WEIR_COLUMN_TIMER };
    struct state_operator *op = self;
    int32_t result = state_bind_common(op, in, error);
    op->slide = in->inputs[0].slide;
    if (result == WEIR_OK) result = state_bind_columns(op, error);
    if (result == WEIR_OK) result = read_timeout(op, error);
    if (result == WEIR_OK) result = state_bind_initial(op, error);
    if (result == WEIR_OK) result = state_declare(op, &touched, 1, error);
    if (result == WEIR_OK) result = state_plan_exchange(op, out, error);
    if (result == WEIR_OK) result = state_plan_output(op, out, error);
    if (result == WEIR_OK) result = state_plan_whole(op, &out->streams[1], error);
    out->streams[1].name = "snapshots";
    out->n_outputs = 2;
    out->flags |= WEIR_PLAN_TICKING | WEIR_PLAN_ALL_GROUPS | WEIR_PLAN_TIMELESS;
    return result;
}

static int32_t commit(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    uint32_t table = op->fields.table;
    int32_t result = WEIR_OK;
    if (c->removed && c->slot != WEIR_NO_SLOT) {
        op->host->count(l->context, "removed", 1);
        if (op->state->remove(l->state, table, &c->slot, 1) != WEIR_OK) return no_memory(error);
    }
    if (!c->exists) return WEIR_OK;
    if (c->updated) {
        op->host->count(l->context, "updated", 1);
        result = call_slot(l, error);
        if (result == WEIR_OK) result = fields_write(&l->fields, l->state, c->slot, error);
    }
    if (result == WEIR_OK &&
        op->state->set_timer(l->state, table, MAPPED_TOUCHED, c->slot, l->begin.time_us) != WEIR_OK)
        return no_memory(error);
    return result;
}

static int32_t process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    int done;
    (void)input;
    for (uint32_t i = 0; i < op->n_by; i++) l->key_list[i] = chunk->array->children[i];
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        l->call = (struct call){ .keys = l->key_list, .key_row = row, .n_rows = 1, .chunk = chunk,
                                 .row = row, .rows = UINT32_MAX, .timeout_us = NO_TIMEOUT };
        op->state->lookup(l->state, op->fields.table, l->key_list, NULL, &row, 1, &l->call.slot);
        l->call.exists = l->call.slot != WEIR_NO_SLOT;
        int32_t result = call_or_reject(l, &done, error);
        if (done) result = commit(l, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

/* The number of the batch on the grid, from 1. */
static int64_t grid_number(const struct state_operator *op, const struct weir_begin *begin)
{
    if (begin->trigger_us <= 0) return (int64_t)begin->batch + 1;
    return (begin->time_us - begin->zero_us) / begin->trigger_us / op->slide;
}

static int32_t time_out(struct lane *l, uint32_t slot, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int done;
    int32_t result = lane_keys(l, &slot, 1, error);
    if (result != WEIR_OK) return result;
    l->call = (struct call){ .slot = slot, .exists = 1, .timing_out = "", .keys = l->key_list,
                             .n_rows = 1, .rows = UINT32_MAX, .timeout_us = NO_TIMEOUT };
    result = call_or_reject(l, &done, error);
    if (!done) return result;
    op->host->count(l->context, "removed", 1);
    if (op->state->remove(l->state, op->fields.table, &slot, 1) == WEIR_OK) return WEIR_OK;
    return no_memory(error);
}

static int32_t expire(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t slots[DUE], n;
    int64_t until;
    if (op->timeout_us <= 0 || grid_number(op, &l->begin) % op->expire_every != 0) return WEIR_OK;
    if (__builtin_sub_overflow(l->begin.time_us, op->timeout_us + 1, &until)) return WEIR_OK;
    while ((n = op->state->due(l->state, op->fields.table, MAPPED_TOUCHED, until, slots, DUE)) > 0)
        for (uint32_t i = 0; i < n; i++) {
            int32_t result = time_out(l, slots[i], error);
            if (result != WEIR_OK) return result;
        }
    return WEIR_OK;
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    struct lane *l = lane;
    (void)self;
    int32_t result = expire(l, error);
    if (result == WEIR_OK) result = call_settle(l, error);
    if (result == WEIR_OK) result = output_flush(&l->out, error);
    if (result == WEIR_OK && (l->begin.outputs & 2)) result = lane_emit_whole(l, 1, error);
    lane_drop_keys(l);
    return result;
}

const struct weir_operator map_with_state_operator = {
    STATE_FACE(map_with_state_operator, create, bind, process, advance)
};
