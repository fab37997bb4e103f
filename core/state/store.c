/*
 * store.c - the store: which operators there are, what they declared, and their groups.
 *
 *  1. Groups share nothing that changes but the count of bytes, so different groups may be worked
 *     on at once. Which tables there are is fixed before the first group is made.
 *  2. A group without keys is a handle of some hundred bytes; a table of it is made by its first
 *     key.
 *  3. Whatever fails (a batch, a restore) ends in tables that are dropped and read back; nothing is
 *     undone.
 *
 * The format of captured bytes stands in capture.c.
 */
#include "core/state/group.h"

#include <stdlib.h>

struct store *store_create(uint64_t hash_seed)
{
    struct store *store = mem_alloc(sizeof *store);
    if (!store) return NULL;
    memset(store, 0, sizeof *store);
    store->seed = hash_seed;
    atomic_init(&store->bytes, 0);
    return store;
}

static void count_bytes(const struct store_operator *op, int64_t bytes)
{
    atomic_fetch_add_explicit(&op->store->bytes, (unsigned long long)bytes, memory_order_relaxed);
}

static void tables_free(struct weir_state *state)
{
    uint32_t i;
    for (i = 0; i < state->n_tables; i++) {
        if (!state->tables[i]) continue;
        table_fini(state->tables[i]);
        mem_free(state->tables[i]);
        state->tables[i] = NULL;
        count_bytes(state->op, -(int64_t)sizeof(struct table));
    }
}

static void operator_destroy(struct store_operator *op)
{
    uint32_t i;
    for (i = 0; i < STORE_GROUPS; i++) {
        if (!op->groups[i]) continue;
        tables_free(op->groups[i]);
        mem_free(op->groups[i]);
    }
    for (i = 0; i < op->n_tables; i++) {
        shape_fini(op->shapes[i]);
        mem_free(op->shapes[i]);
    }
    mem_free(op->instance);
    mem_free(op);
}

void store_destroy(struct store *store)
{
    if (!store) return;
    while (store->operators) {
        struct store_operator *op = store->operators;
        store->operators = op->next;
        operator_destroy(op);
    }
    mem_free(store);
}

struct store_operator *store_operator(struct store *store, const char *instance)
{
    struct store_operator *op;
    for (op = store->operators; op; op = op->next)
        if (strcmp(op->instance, instance) == 0) return op;
    op = mem_alloc(sizeof *op);
    if (!op) return NULL;
    memset(op, 0, sizeof *op);
    op->store = store;
    op->instance = mem_text(instance);
    if (!op->instance) {
        mem_free(op);
        return NULL;
    }
    op->next = store->operators;
    store->operators = op;
    return op;
}

int32_t store_declare(struct store_operator *op, const struct weir_table_spec *spec,
                      uint32_t *table, struct weir_error *error)
{
    struct shape *shape;
    int32_t rc;
    uint32_t i;
    for (i = 0; i < STORE_GROUPS; i++)
        if (op->groups[i])
            return weir_fail(error, WEIR_CONFIG, "a table was declared after bind");
    if (op->n_tables == STORE_TABLES_MAX)
        return weir_fail(error, WEIR_CONFIG, "more than %u tables", STORE_TABLES_MAX);
    shape = mem_alloc(sizeof *shape);
    if (!shape) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = shape_create(spec, shape, error);
    if (!rc && !shape->name[0])
        rc = weir_fail(error, WEIR_CONFIG, "a table without a name");
    for (i = 0; !rc && i < op->n_tables; i++)
        if (strcmp(op->shapes[i]->name, shape->name) == 0)
            rc = weir_fail(error, WEIR_CONFIG, "table %s is declared twice", shape->name);
    if (rc) {
        shape_fini(shape);
        mem_free(shape);
        return rc;
    }
    *table = op->n_tables;
    op->shapes[op->n_tables++] = shape;
    return WEIR_OK;
}

struct weir_state *store_group(struct store_operator *op, uint32_t group)
{
    struct weir_state *state = op->groups[group];
    if (state) return state;
    state = mem_alloc(sizeof *state + op->n_tables * sizeof *state->tables);
    if (!state) return NULL;
    memset(state, 0, sizeof *state + op->n_tables * sizeof *state->tables);
    state->op = op;
    state->group = group;
    state->n_tables = op->n_tables;
    op->groups[group] = state;
    return state;
}

struct table *group_table(const struct store_operator *op, uint32_t table, uint32_t group)
{
    const struct weir_state *state = op->groups[group];
    if (table >= op->n_tables) abort(); /* not a table that was declared */
    return state ? state->tables[table] : NULL;
}

struct table *group_table_make(struct weir_state *state, uint32_t table)
{
    struct table *t = state->tables[table];
    if (t) return t;
    t = mem_alloc(sizeof *t);
    if (!t) return NULL;
    table_init(t, state->op->shapes[table], state->op->store->seed, &state->op->store->bytes);
    count_bytes(state->op, sizeof *t);
    state->tables[table] = t;
    return t;
}

int store_group_live(const struct store_operator *op, uint32_t group)
{
    uint32_t i;
    for (i = 0; i < op->n_tables; i++) {
        const struct table *t = group_table(op, i, group);
        if (t && t->keys.n_live) return 1;
    }
    return 0;
}

int store_group_changed(const struct store_operator *op, uint32_t group)
{
    uint32_t i;
    for (i = 0; i < op->n_tables; i++) {
        const struct table *t = group_table(op, i, group);
        if (t && table_changed(t)) return 1;
    }
    return 0;
}

int64_t store_group_due(const struct store_operator *op, uint32_t group, int event_time)
{
    int64_t least = INT64_MAX;
    uint32_t i;
    for (i = 0; i < op->n_tables; i++) {
        struct table *t = group_table(op, i, group);
        const int64_t time = t ? timer_least(t, event_time) : INT64_MAX;
        if (time < least) least = time;
    }
    return least;
}

uint32_t store_tables(const struct store_operator *op) { return op->n_tables; }

/* Over half of the slots changed? */
static int mostly_changed(const struct table *t)
{
    const uint64_t slots = (uint64_t)t->keys.n_live + t->rows.n_live;
    return (slab_count_changes(&t->keys) + slab_count_changes(&t->rows)) * 2 > slots;
}

int32_t store_capture(struct store_operator *op, uint32_t table, uint32_t group, int base,
                      struct weir_buffer *out, int *is_base, struct weir_error *error)
{
    struct table *t = group_table(op, table, group);
    const uint64_t before = out ? out->length : 0;
    int32_t rc;
    *is_base = 0;
    if (!base && (!t || !table_changed(t))) return WEIR_OK;
    *is_base = base || mostly_changed(t);
    if (!out) rc = WEIR_OK;
    else rc = t ? piece_write(t, *is_base, out) : piece_write_empty(op->shapes[table], out);
    if (rc) {
        out->length = before;
        return weir_fail(error, WEIR_FATAL, "out of memory while %s/%s was captured", op->instance,
                         op->shapes[table]->name);
    }
    if (t) table_captured(t);
    return WEIR_OK;
}

int32_t store_restore(struct store_operator *op, uint32_t table, uint32_t group, int base,
                      struct weir_bytes bytes, struct weir_error *error)
{
    struct weir_state *state = store_group(op, group);
    struct table *t = state ? group_table_make(state, table) : NULL;
    struct weir_error reason = WEIR_ERROR_INIT;
    int32_t rc;
    if (!t) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (base) table_reset(t);
    if (t->broken || table_changed(t))
        return weir_fail(error, WEIR_DATA, "%s/%s group %u: changes without their base",
                         op->instance, op->shapes[table]->name, group);
    rc = piece_read(t, bytes, base, &reason);
    if (!rc) return WEIR_OK;
    table_reset(t);
    t->broken = 1;
    return weir_fail(error, rc, "%s/%s group %u: %s", op->instance, op->shapes[table]->name, group,
                     reason.text);
}

char *store_signature(const struct store_operator *op, uint32_t table)
{
    if (table >= op->n_tables) abort();
    return shape_signature(op->shapes[table]);
}

const char *store_table_name(const struct store_operator *op, uint32_t table)
{
    if (table >= op->n_tables) abort();
    return op->shapes[table]->name;
}

void store_figures(const struct store_operator *op, uint32_t table, struct store_figures *out)
{
    uint32_t i;
    memset(out, 0, sizeof *out);
    for (i = 0; i < STORE_GROUPS; i++) {
        const struct table *t = group_table(op, table, i);
        if (!t) continue;
        out->keys += t->keys.n_live;
        out->rows += t->rows.n_live;
        out->bytes += sizeof *t + t->memory.bytes;
    }
}

uint64_t store_bytes(const struct store *store)
{
    return atomic_load_explicit(&((struct store *)(uintptr_t)store)->bytes, memory_order_relaxed);
}
