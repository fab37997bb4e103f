/*
 * update.c - the operator `update_state_by_key` with code: f(key, rows, state, ctx) gives the new state.
 *
 * In every batch every key is called, with rows or without; nil drops the key. Keys that have a
 * state come in the order of their slots, new ones behind them in the order of arrival, and so they
 * get their slots. A state that stays as it is is not written.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

#define BLOCK 1024u

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    int32_t result = state_create(host, context, self, error);
    if (*self) ((struct state_operator *)*self)->kind = KIND_UPDATE;
    return result;
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    struct state_operator *op = self;
    int32_t result = state_bind_common(op, in, error);
    if (result == WEIR_OK) result = state_bind_initial(op, error);
    if (result == WEIR_OK) result = state_declare(op, NULL, 0, error);
    if (result == WEIR_OK) result = state_plan_exchange(op, out, error);
    if (result == WEIR_OK) result = state_plan_whole(op, &out->streams[0], error);
    out->n_outputs = 1;
    out->flags |= WEIR_PLAN_TICKING | WEIR_PLAN_ALL_GROUPS | WEIR_PLAN_TIMELESS;
    return result;
}

static int32_t commit(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    int32_t result = WEIR_OK;
    if (!c->updated) {
        if (c->slot == WEIR_NO_SLOT) return WEIR_OK;
        op->host->count(l->context, "removed", 1);
        if (op->state->remove(l->state, op->fields.table, &c->slot, 1) == WEIR_OK) return WEIR_OK;
        return no_memory(error);
    }
    if (c->slot != WEIR_NO_SLOT && fields_same(&l->fields, l->state, c->slot, &result))
        return WEIR_OK;
    if (result != WEIR_OK) return no_memory(error);
    result = call_slot(l, error);
    if (result == WEIR_OK) result = fields_write(&l->fields, l->state, c->slot, error);
    op->host->count(l->context, "updated", 1);
    return result;
}

/* Calls key `key` of the grouping (NULL: without rows). */
static int32_t call_key(struct lane *l, uint32_t slot, const struct grouping_key *key,
                        uint32_t key_row, struct weir_error *error)
{
    l->call = (struct call){ .slot = slot, .exists = slot != WEIR_NO_SLOT, .keys = l->key_list,
                             .key_row = key_row, .rows = key ? key->first : UINT32_MAX,
                             .n_rows = key ? key->n : 0, .timeout_us = NO_TIMEOUT };
    int done;
    int32_t result = call_or_reject(l, &done, error);
    return done ? commit(l, error) : result;
}

/* The slots of the keys in the grouping, and which key a slot is: key_of[slot] - 1. */
static int32_t map_slots(struct lane *l, uint32_t **slots, uint32_t **key_of, uint32_t *n_key_of,
                         struct weir_error *error)
{
    const struct state_operator *op = l->op;
    const struct grouping *g = &l->grouping;
    struct ArrowArray keys[BY_MAX];
    const struct ArrowArray *list[BY_MAX];
    uint32_t i, most = 0;
    int32_t result = WEIR_OK;
    *slots = op->host->alloc((uint64_t)g->n_keys * sizeof **slots + 1);
    if (!*slots) return no_memory(error);
    for (i = 0; i < op->n_by && g->n_keys && result == WEIR_OK; i++) {
        result = op->combine->keys(g->table, i, 0, g->n_keys, &keys[i], error);
        list[i] = &keys[i];
    }
    if (result == WEIR_OK && g->n_keys)
        op->state->lookup(l->state, op->fields.table, list, NULL, NULL, g->n_keys, *slots);
    while (g->n_keys && i-- > 0)
        if (keys[i].release) keys[i].release(&keys[i]);
    for (i = 0; i < g->n_keys && result == WEIR_OK; i++)
        if ((*slots)[i] != WEIR_NO_SLOT && (*slots)[i] >= most) most = (*slots)[i] + 1;
    *n_key_of = most;
    *key_of = op->host->alloc((uint64_t)most * sizeof **key_of + 1);
    if (!*key_of) return no_memory(error);
    memset(*key_of, 0, (uint64_t)most * sizeof **key_of);
    for (i = 0; i < g->n_keys && result == WEIR_OK; i++)
        if ((*slots)[i] != WEIR_NO_SLOT) (*key_of)[(*slots)[i]] = i + 1;
    return result;
}

static int32_t call_known(struct lane *l, const uint32_t *key_of, uint32_t n_key_of,
                          struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t from = 0, slots[BLOCK], n;
    do {
        uint32_t slot = op->state->next(l->state, op->fields.table, from);
        for (n = 0; slot != WEIR_NO_SLOT && n < BLOCK;
             slot = op->state->next(l->state, op->fields.table, slot + 1))
            slots[n++] = slot;
        if (n == 0) return WEIR_OK;
        from = slots[n - 1] + 1;
        int32_t result = lane_keys(l, slots, n, error);
        for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
            uint32_t key = slots[i] < n_key_of ? key_of[slots[i]] : 0;
            result = call_key(l, slots[i], key ? &l->grouping.keys[key - 1] : NULL, i, error);
        }
        if (result != WEIR_OK) return result;
    } while (n == BLOCK);
    return WEIR_OK;
}

static int32_t call_new(struct lane *l, const uint32_t *slots, struct weir_error *error)
{
    const struct grouping *g = &l->grouping;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < g->n_keys && result == WEIR_OK; i++) {
        if (slots[i] != WEIR_NO_SLOT) continue;
        const struct grouping_row *first = &g->rows[g->keys[i].first];
        for (uint32_t c = 0; c < l->op->n_by; c++)
            l->key_list[c] = first->chunk->array->children[c];
        result = call_key(l, WEIR_NO_SLOT, &g->keys[i], first->row, error);
    }
    return result;
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    uint32_t *slots = NULL, *key_of = NULL, n_key_of = 0;
    int32_t result = map_slots(l, &slots, &key_of, &n_key_of, error);
    if (result == WEIR_OK) result = call_known(l, key_of, n_key_of, error);
    if (result == WEIR_OK) result = call_new(l, slots, error);
    if (result == WEIR_OK) result = call_settle(l, error);
    if (result == WEIR_OK) result = lane_emit_whole(l, 0, error);
    op->host->free(slots);
    op->host->free(key_of);
    lane_drop_keys(l);
    grouping_clear(&l->grouping);
    return result;
}

const struct weir_operator update_by_code_operator = {
    STATE_FACE(update_by_code_operator, create, bind, state_collect, advance)
};
