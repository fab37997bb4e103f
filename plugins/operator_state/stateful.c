/*
 * stateful.c - the operator `stateful`: f(key, rows, S, ctx) with a value, lists, maps and timers for
 * each key.
 *
 * In a group what has expired goes first, so that nobody sees it. Then keys with rows come in the
 * order of arrival, then the timers that are due (at or before now), earliest first: each is one
 * call without rows, in which S.timing_out is the timer's name. A timer that is set while one
 * fires can fire in the next batch at the earliest.
 *
 * The value is kept in the table "state", which also has the time at which it expires; see
 * collections.c for the others. They are written as the function goes along: a call that fails ends
 * the batch, and with it all that was written.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    int32_t result = state_create(host, context, self, error);
    if (*self) ((struct state_operator *)*self)->kind = KIND_STATEFUL;
    return result;
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    static const struct weir_table_column expires = { "expires", WEIR_TYPE_TIMESTAMP,
                                                      WEIR_COLUMN_TIMER };
    struct state_operator *op = self;
    int32_t result = state_read_mode(op, in, out, error);
    op->timeout_us = option_integer(op->host, op->context, "ttl", 0);
    if (result == WEIR_OK) result = state_read_clock(op, in, error);
    if (result == WEIR_OK) result = state_bind_common(op, in, error);
    if (result == WEIR_OK) result = state_bind_columns(op, error);
    if (result == WEIR_OK) result = state_bind_initial(op, error);
    if (result == WEIR_OK) result = state_declare(op, &expires, 1, error);
    if (result == WEIR_OK) result = collections_bind(op, error);
    if (result == WEIR_OK) result = state_plan_exchange(op, out, error);
    if (result == WEIR_OK) result = state_plan_output(op, out, error);
    out->n_outputs = 1;
    if (op->clock != CLOCK_EVENT) out->flags |= WEIR_PLAN_TIMELESS;
    return result;
}

static int32_t commit(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    uint32_t table = op->fields.table;
    if (c->removed && c->slot != WEIR_NO_SLOT) {
        op->host->count(l->context, "removed", 1);
        if (op->state->remove(l->state, table, &c->slot, 1) != WEIR_OK) return no_memory(error);
    }
    if (!c->updated) return WEIR_OK;
    op->host->count(l->context, "updated", 1);
    int32_t result = call_slot(l, error);
    if (result == WEIR_OK) result = fields_write(&l->fields, l->state, c->slot, error);
    if (result == WEIR_OK && op->state->set_timer(l->state, table, STATEFUL_EXPIRES, c->slot,
                                                  c->timeout_us) != WEIR_OK)
        return no_memory(error);
    return result;
}

/* Calls the function for the key in lane->key_list, row 0. */
static int32_t call_key(struct lane *l, const struct grouping_key *rows, const char *timing_out,
                        struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t zero = 0;
    l->call = (struct call){ .keys = l->key_list, .timing_out = timing_out,
                             .timeout_us = NO_TIMEOUT, .rows = rows ? rows->first : UINT32_MAX,
                             .n_rows = rows ? rows->n : 0 };
    op->state->lookup(l->state, op->fields.table, l->key_list, NULL, &zero, 1, &l->call.slot);
    l->call.exists = l->call.slot != WEIR_NO_SLOT;
    int done;
    int32_t result = call_or_reject(l, &done, error);
    return done ? commit(l, error) : result;
}

/* The key of a row alone, as maps and timers need it. */
static int32_t take_key(struct lane *l, const struct grouping_row *row, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int32_t result = WEIR_OK;
    lane_drop_keys(l);
    for (uint32_t i = 0; i < op->n_by && result == WEIR_OK; i++) {
        result = op->data->take(op->key.children[i], row->chunk->array->children[i], &row->row, 1,
                                &l->keys[i], error);
        l->key_list[i] = &l->keys[i];
    }
    return result;
}

static int32_t call_rows(struct lane *l, struct weir_error *error)
{
    const struct grouping *g = &l->grouping;
    int32_t result = WEIR_OK;
    for (uint32_t k = 0; k < g->n_keys && result == WEIR_OK; k++) {
        result = take_key(l, &g->rows[g->keys[k].first], error);
        if (result == WEIR_OK) result = call_key(l, &g->keys[k], NULL, error);
    }
    return result;
}

static int32_t call_timers(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int64_t now = op->clock == CLOCK_EVENT ? l->begin.evict_us : l->begin.time_us;
    uint32_t *slots = NULL, n = 0;
    if (op->clock == CLOCK_NONE || now == WEIR_WATERMARK_NONE) return WEIR_OK;
    int32_t result = collections_due(l, now, &slots, &n, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const char *name;
        int taken;
        result = collections_take_timer(l, slots[i], now, &taken, &name, error);
        if (result == WEIR_OK && taken) result = call_key(l, NULL, name, error);
    }
    op->host->free(slots);
    return result;
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    struct lane *l = lane;
    (void)self;
    int32_t result = call_rows(l, error);
    if (result == WEIR_OK) result = call_timers(l, error);
    if (result == WEIR_OK) result = call_settle(l, error);
    if (result == WEIR_OK) result = output_flush(&l->out, error);
    lane_drop_keys(l);
    grouping_clear(&l->grouping);
    return result;
}

const struct weir_operator stateful_operator = {
    STATE_FACE(stateful_operator, create, bind, state_collect, advance)
};
