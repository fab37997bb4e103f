/*
 * grouped.c - the operator `group_state`: f(key, rows, S, ctx) once for every key with rows, and
 * once for every key whose timeout has passed.
 *
 * In a group keys with rows come first, in the order of arrival; in the first batch those follow that
 * have a state to begin with and no rows; then timeouts, by (time, slot). A call clears the timeout
 * of its key unless it sets one again, so a key with rows does not time out in the same batch.
 *
 * A timeout has passed when it is less than now (the batch time, or the watermark). The table keeps
 * `expires`, the first microsecond at which that is so, as a timer. A record without a state
 * (`exists` 0) is there for its timeout alone.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

#define DUE 256u

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    int32_t result = state_create(host, context, self, error);
    if (*self) ((struct state_operator *)*self)->kind = KIND_GROUPED;
    return result;
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    struct weir_table_column before[] = {
        { "exists", WEIR_TYPE_BOOL, 0 },
        { "expires", WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER },
    };
    struct state_operator *op = self;
    int32_t result = state_read_mode(op, in, out, error);
    if (result == WEIR_OK) result = state_read_clock(op, in, error);
    if (result == WEIR_OK) result = state_bind_common(op, in, error);
    if (result == WEIR_OK) result = state_bind_columns(op, error);
    if (result == WEIR_OK) result = state_bind_initial(op, error);
    if (op->clock == CLOCK_EVENT) before[1].flags |= WEIR_COLUMN_EVENT_TIME;
    if (result == WEIR_OK) result = state_declare(op, before, 2, error);
    if (result == WEIR_OK) result = state_plan_exchange(op, out, error);
    if (result == WEIR_OK) result = state_plan_output(op, out, error);
    out->n_outputs = 1;
    if (op->clock != CLOCK_EVENT) out->flags |= WEIR_PLAN_TIMELESS;
    if (option_is(option_text(op->host, op->context, "output_mode", NULL), "append"))
        out->flags |= WEIR_PLAN_APPENDS;
    return result;
}

static int64_t expires_of(struct lane *l, uint32_t slot)
{
    struct weir_view view = l->op->state->column(l->state, l->op->fields.table, GROUPED_EXPIRES);
    int64_t at;
    memcpy(&at, view.base + (uint64_t)slot * view.stride, sizeof at);
    return at;
}

static uint8_t *exists_at(struct lane *l, uint32_t slot)
{
    struct weir_view view = l->op->state->column(l->state, l->op->fields.table, GROUPED_EXISTS);
    return view.base + (uint64_t)slot * view.stride;
}

static int32_t write(struct lane *l, int64_t expires, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    if (c->slot != WEIR_NO_SLOT && !c->updated && !c->removed && expires_of(l, c->slot) == expires)
        return WEIR_OK; /* as it was */
    int32_t result = call_slot(l, error);
    if (result != WEIR_OK) return result;
    *exists_at(l, c->slot) = (uint8_t)c->exists;
    if (c->updated) result = fields_write(&l->fields, l->state, c->slot, error);
    if (result == WEIR_OK && expires_of(l, c->slot) != expires &&
        op->state->set_timer(l->state, op->fields.table, GROUPED_EXPIRES, c->slot, expires) !=
            WEIR_OK)
        return no_memory(error);
    return result;
}

static int32_t commit(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    int64_t expires = c->timeout_us == NO_TIMEOUT ? INT64_MAX : c->timeout_us + 1;
    if (c->updated) op->host->count(l->context, "updated", 1);
    else if (c->removed && l->before.exists) op->host->count(l->context, "removed", 1);
    if (c->exists || expires != INT64_MAX) return write(l, expires, error);
    if (c->slot == WEIR_NO_SLOT ||
        op->state->remove(l->state, op->fields.table, &c->slot, 1) == WEIR_OK)
        return WEIR_OK;
    return no_memory(error);
}

static int32_t call_and_commit(struct lane *l, struct weir_error *error)
{
    l->call.exists = l->call.slot != WEIR_NO_SLOT && *exists_at(l, l->call.slot);
    l->call.timeout_us = NO_TIMEOUT;
    int done;
    int32_t result = call_or_reject(l, &done, error);
    return done ? commit(l, error) : result;
}

static int32_t call_rows(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    const struct grouping *g = &l->grouping;
    int32_t result = WEIR_OK;
    for (uint32_t k = 0; k < g->n_keys && result == WEIR_OK; k++) {
        const struct grouping_row *first = &g->rows[g->keys[k].first];
        for (uint32_t i = 0; i < op->n_by; i++) l->key_list[i] = first->chunk->array->children[i];
        l->call = (struct call){ .keys = l->key_list, .key_row = first->row,
                                 .rows = g->keys[k].first, .n_rows = g->keys[k].n };
        op->state->lookup(l->state, op->fields.table, l->key_list, NULL, &first->row, 1,
                          &l->call.slot);
        if (l->call.slot < l->n_initial) l->called[l->call.slot] = 1;
        result = call_and_commit(l, error);
    }
    return result;
}

static int32_t call_slot_without_rows(struct lane *l, uint32_t slot, const char *timing_out,
                                      struct weir_error *error)
{
    int32_t result = lane_keys(l, &slot, 1, error);
    if (result != WEIR_OK) return result;
    l->call = (struct call){ .slot = slot, .timing_out = timing_out, .keys = l->key_list,
                             .rows = UINT32_MAX };
    return call_and_commit(l, error);
}

static int32_t call_initial(struct lane *l, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t slot = 0; slot < l->n_initial && result == WEIR_OK; slot++)
        if (!l->called[slot]) result = call_slot_without_rows(l, slot, NULL, error);
    return result;
}

static int32_t call_due(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int64_t now = op->clock == CLOCK_EVENT ? l->begin.evict_us : l->begin.time_us;
    uint32_t slots[DUE], n;
    if (op->clock == CLOCK_NONE || now == WEIR_WATERMARK_NONE) return WEIR_OK;
    while ((n = op->state->due(l->state, op->fields.table, GROUPED_EXPIRES, now, slots, DUE)) > 0)
        for (uint32_t i = 0; i < n; i++) {
            int32_t result = call_slot_without_rows(l, slots[i], "", error);
            if (result != WEIR_OK) return result;
        }
    return WEIR_OK;
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    struct lane *l = lane;
    (void)self;
    int32_t result = call_rows(l, error);
    if (result == WEIR_OK) result = call_initial(l, error);
    if (result == WEIR_OK) result = call_due(l, error);
    if (result == WEIR_OK) result = call_settle(l, error);
    if (result == WEIR_OK) result = output_flush(&l->out, error);
    lane_drop_keys(l);
    grouping_clear(&l->grouping);
    return result;
}

/* What comes out has no event time any more. */
static int64_t no_watermark(void *self, const int64_t *inputs, uint32_t n_inputs)
{
    (void)self;
    (void)inputs;
    (void)n_inputs;
    return WEIR_WATERMARK_NONE;
}

const struct weir_operator group_state_operator = {
    STATE_FACE(group_state_operator, create, bind, state_collect, advance),
    .output_watermark = no_watermark,
};
