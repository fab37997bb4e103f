/*
 * lane.c - hash aggregation: rows into groups.
 *
 * Before the exchange a lane has a table of the batch. A chunk takes these steps, each over all of
 * its rows: grouping columns and arguments are evaluated (columns of the input are taken as they
 * are), the rows' slots are looked up or made, and each call updates its cells. At the end of a
 * segment the table becomes chunks of partial states, group by group in the order of first
 * arrival, and is emptied.
 *
 * Behind the exchange the same happens with partials: lookup (by the hash that came with the
 * chunk) and merge, into a table of the batch or into durable state.
 *
 * Order. Slots of a table are numbered by first arrival, and partials arrive in the order of the
 * segments, so the first arrival of a group among partials is that among rows, and aggregates that
 * depend on the order see the rows in order.
 *
 * Time. A window or session is more columns of the key; what that means is in event_time.c, how
 * rows get there in place.c.
 *
 * Distinct calls. A partial state can't tell which arguments it has seen, so if one call is
 * distinct, rows cross the exchange uncombined: grouping columns and arguments, which are updated
 * behind it. There a second table per distinct call, keyed by group and arguments, tells new rows:
 * slots are dense, so a row whose slot is the next number is the first of its kind.
 */
#include "plugins/operator_aggregate/lane.h"

#include "plugins/share/presence.h"

/* How many of each thing a lane has. */
struct sizes {
    uint32_t inputs, evaluated, arrays, out;
};

static struct sizes sizes_of(const struct aggregation *a)
{
    uint32_t more = a->n_args > a->n_columns ? a->n_args : a->n_columns;
    uint32_t values =
        a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children : a->n_calls;
    struct sizes s = { a->n_keys + more, a->n_by + a->n_keys + a->n_args,
                       a->n_keys + 1 + a->n_calls + values + a->n_columns, 0 };
    s.out = s.arrays + a->n_args + a->n_input;
    return s;
}

int32_t aggregation_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    const struct aggregation *a = self;
    const struct sizes s = sizes_of(a);
    uint64_t bytes = sizeof(struct lane) + a->n_calls * sizeof(struct weir_combine *) +
                     (s.evaluated + s.arrays + a->n_keys) * sizeof(struct ArrowArray) +
                     (s.inputs + s.arrays + a->n_keys) * sizeof(struct ArrowArray *) +
                     s.out * sizeof(struct weir_output_column);
    struct lane *l = a->host->alloc(bytes);
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->context = context;
    l->evaluated = (struct ArrowArray *)(void *)(l + 1);
    l->arrays = l->evaluated + s.evaluated;
    l->expanded = l->arrays + s.arrays;
    l->out = (struct weir_output_column *)(void *)(l->expanded + a->n_keys);
    l->inputs = (const struct ArrowArray **)(void *)(l->out + s.out);
    l->finished = l->inputs + s.inputs;
    l->expanded_keys = l->finished + s.arrays;
    l->seen = (struct weir_combine **)(void *)(l->expanded_keys + a->n_keys);
    for (uint32_t i = 0; i < a->n_keys; i++) l->expanded_keys[i] = &l->expanded[i];
    *lane = l;
    return WEIR_OK;
}

void aggregation_lane_destroy(void *self, void *lane)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    if (!l) return;
    lane_drop_held(a, l);
    a->host->free(l->held);
    a->combine->destroy(l->groups);
    for (uint32_t i = 0; i < a->n_calls; i++) a->combine->destroy(l->seen[i]);
    a->host->free(l->changed);
    a->host->free(l->repeat);
    a->host->free(l->starts);
    a->host->free(l);
}

/* Clearing costs as much as the table ever held, so an empty one is left alone. */
static void empty(const struct aggregation *a, struct weir_combine *table)
{
    if (table && a->combine->count(table) > 0) a->combine->clear(table);
}

int32_t aggregation_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    (void)error;
    l->begin = *in;
    l->state = in->state;
    l->sampled = l->crosses = 0;
    lane_drop_held(a, l);
    empty(a, l->groups);
    for (uint32_t i = 0; i < a->n_calls; i++) empty(a, l->seen[i]);
    if (l->changed) memset(l->changed, 0, l->n_changed * sizeof *l->changed);
    return WEIR_OK;
}

/* ---- groups ---- */

static int32_t make_table(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "groups",
                                    .key = &a->key, .n_distribution = a->n_flat,
                                    .n_columns = a->n_columns, .columns = a->columns,
                                    .signature = "" };
    return a->combine->create(lane->context, &spec, &lane->groups, error);
}

int32_t lane_empty_groups(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    empty(a, lane->groups);
    return lane->groups ? WEIR_OK : make_table(a, lane, error);
}

/* Notes the slots of the chunk as changed in this batch. */
static int32_t note_changed(const struct aggregation *a, struct lane *lane, uint32_t n,
                            struct weir_error *error)
{
    uint64_t *changed = lane->changed;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t slot = lane->slots[i];
        if (slot / 64 >= lane->n_changed) {
            const uint32_t words = (slot / 64 + 64) * 2;
            changed = a->host->realloc(changed, words * sizeof *changed);
            if (!changed) return no_memory(error);
            memset(changed + lane->n_changed, 0, (words - lane->n_changed) * sizeof *changed);
            lane->changed = changed;
            lane->n_changed = words;
        }
        changed[slot / 64] |= (uint64_t)1 << (slot & 63);
    }
    return WEIR_OK;
}

int32_t lane_find_slots(const struct aggregation *a, struct lane *lane, int durable,
                        const struct ArrowArray *const *keys, const uint64_t *hash,
                        const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    uint32_t some = a->n_keys ? n : 1; /* without a key all rows have one slot */
    int32_t result = WEIR_OK;
    if (!a->n_keys) rows = NULL;
    lane->in_state = durable != 0;
    if (durable)
        result = a->state->lookup_or_insert(lane->state, a->table, keys, hash, rows, some,
                                            lane->slots, error);
    else {
        if (!lane->groups) result = make_table(a, lane, error);
        if (result == WEIR_OK)
            result = a->combine->lookup_or_insert(lane->groups, keys, hash, rows, some,
                                                  lane->slots, error);
    }
    for (uint32_t i = 1; !a->n_keys && i < n; i++) lane->slots[i] = lane->slots[0];
    if (result == WEIR_OK && durable) result = note_changed(a, lane, n, error);
    return result;
}

void lane_cells(const struct aggregation *a, struct lane *lane, const struct call *call,
                struct weir_cells *cells)
{
    if (lane->in_state)
        a->state->cells(lane->state, a->table, call->first, call->n_columns, lane->views, cells);
    else
        a->combine->cells(lane->groups, call->first, call->n_columns, lane->views, cells);
}

void lane_count(const struct aggregation *a, struct lane *lane, const char *name, int64_t n)
{
    if (n) a->host->count(lane->context, name, n);
}

/* ---- calls ---- */

static struct weir_call call_of(struct lane *lane, uint32_t chunk_rows, const uint32_t *rows,
                                uint32_t n)
{
    static const uint8_t constant[COLUMNS_MAX];
    return (struct weir_call){ .size = sizeof(struct weir_call), .rows = chunk_rows,
                               .selection = rows, .selected = n, .constant = constant,
                               .time_us = lane->begin.time_us, .batch = lane->begin.batch,
                               .partition = lane->begin.partition, .failed = lane->failed,
                               .reason = lane->reason };
}

static int32_t make_seen(const struct aggregation *a, struct lane *lane, uint32_t i,
                         struct weir_error *error)
{
    const struct call *call = &a->calls[i];
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "seen",
                                    .n_distribution = a->n_flat, .signature = "" };
    struct ArrowSchema key;
    int32_t result = a->data->schema_struct(a->n_keys + call->n_args, &key, error);
    for (uint32_t k = 0; k < a->n_keys + call->n_args && result == WEIR_OK; k++) {
        key.children[k]->release(key.children[k]);
        result = a->data->schema_copy(k < a->n_keys
                                          ? a->key.children[k]
                                          : a->expr->schema(call->args[k - a->n_keys]),
                                      NULL, key.children[k], error);
    }
    spec.key = &key;
    if (result == WEIR_OK)
        result = a->combine->create(lane->context, &spec, &lane->seen[i], error);
    if (key.release) key.release(&key);
    return result;
}

/* Rows of the chunk whose arguments a distinct call has not had in their group: into lane->few,
 * with their groups' slots in `slots`. */
static int32_t find_new(const struct aggregation *a, struct lane *lane, uint32_t i,
                        const uint32_t *rows, uint32_t n, uint32_t *n_new, uint32_t *slots,
                        struct weir_error *error)
{
    const struct call *call = &a->calls[i];
    const struct ArrowArray *keys[BY_MAX + COLUMNS_MAX];
    int32_t result = lane->seen[i] ? WEIR_OK : make_seen(a, lane, i, error);
    if (result != WEIR_OK) return result;
    for (uint32_t k = 0; k < a->n_keys; k++) keys[k] = lane->inputs[k];
    for (uint32_t k = 0; k < call->n_args; k++)
        keys[a->n_keys + k] = lane->inputs[a->n_keys + call->first_arg + k];
    uint32_t next = a->combine->count(lane->seen[i]), found = 0;
    result = a->combine->lookup_or_insert(lane->seen[i], keys, NULL, rows, n, slots, error);
    for (uint32_t k = 0; k < n && result == WEIR_OK; k++) {
        if (slots[k] != next) continue;
        next++;
        lane->few[found] = rows ? rows[k] : k;
        slots[found++] = lane->slots[k];
    }
    *n_new = found;
    return result;
}

int32_t lane_apply(const struct aggregation *a, struct lane *lane, int merge, uint32_t chunk_rows,
                   const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_calls && result == WEIR_OK; i++) {
        const struct call *c = &a->calls[i];
        struct weir_call call = call_of(lane, chunk_rows, rows, n);
        struct weir_cells cells = { .size = sizeof cells };
        const uint32_t *slots = lane->slots;
        uint32_t *own = NULL;
        lane_cells(a, lane, c, &cells);
        call.n_args = merge ? c->n_columns : c->n_args;
        call.args = lane->inputs + a->n_keys + (merge ? c->first : c->first_arg);
        if (c->distinct) {
            slots = own = a->host->alloc((uint64_t)n * sizeof *own + 1);
            result = own ? find_new(a, lane, i, rows, n, &call.selected, own, error)
                         : no_memory(error);
            call.selection = lane->few;
        }
        if (result == WEIR_OK && call.selected)
            result = (merge ? c->function->merge : c->function->update)(c->bound, &cells, slots,
                                                                        &call, error);
        a->host->free(own);
    }
    return result;
}

int32_t lane_merge(const struct aggregation *a, struct lane *lane, struct ArrowArray *arrays,
                   uint32_t n, struct weir_error *error)
{
    for (uint32_t i = 0; i < a->n_columns; i++) lane->inputs[a->n_keys + i] = &arrays[i];
    int32_t result = lane_apply(a, lane, 1, n, NULL, n, error);
    for (uint32_t i = 0; i < a->n_columns; i++) arrays[i].release(&arrays[i]);
    return result;
}

/* ---- the combine side ---- */

static void drop_evaluated(const struct aggregation *a, struct lane *lane)
{
    for (uint32_t i = 0; i < a->n_by + a->n_keys + a->n_args; i++)
        if (lane->evaluated[i].release) lane->evaluated[i].release(&lane->evaluated[i]);
}

void lane_list_rows(struct lane *lane, const struct weir_chunk *chunk, struct weir_rows *rows)
{
    if (rows->rows) return;
    rows->rows = lane->rows;
    for (uint32_t i = 0; i < rows->n; i++) lane->rows[i] = weir_row(chunk, i);
}

/* The values of an expression: a column of the input as it is, or `evaluated`. */
static int32_t eval_one(const struct aggregation *a, struct lane *lane,
                        const struct ArrowArray **value, struct ArrowArray *evaluated,
                        struct weir_expr *expr, int32_t input, const struct weir_chunk *chunk,
                        struct weir_rows *rows, struct weir_error *error)
{
    *value = input >= 0 ? chunk->array->children[input] : evaluated;
    if (input >= 0) return WEIR_OK;
    lane_list_rows(lane, chunk, rows);
    return a->expr->eval(lane->context, expr, &chunk, rows, evaluated, error);
}

/* The fields of a struct as columns of the key, null where it is, and whether it is there. Windows
 * of event time that have none are no groups (place.c). */
static int32_t flatten(const struct aggregation *a, struct lane *lane, const struct by *by,
                       const struct ArrowArray *value, uint32_t n, struct weir_error *error)
{
    uint32_t *rows = lane->few;
    int32_t result = WEIR_OK;
    for (uint32_t r = 0; r < n; r++) rows[r] = weir_is_null(value, r) ? UINT32_MAX : r;
    for (uint32_t i = 0; i < by->fields && result == WEIR_OK; i++) {
        struct ArrowArray *field = &lane->evaluated[a->n_by + by->first + i];
        lane->inputs[by->first + i] = field;
        result = a->data->take(a->key.children[by->first + i], value->children[i], rows, n, field,
                               error);
    }
    if (result == WEIR_OK && by->window &&
        !(a->time.kind == TIME_KEY && a->time.key == by->first + 1))
        result = presence_fold(a->data, value, lane->inputs[by->first],
                               &lane->evaluated[a->n_by + by->first + 1], error);
    if (result != WEIR_OK || !by->presence) return result;
    struct ArrowArray *there = &lane->evaluated[a->n_by + by->first + by->fields];
    lane->inputs[by->first + by->fields] = there;
    return presence_of(a->data, value, n, there, error);
}

/* Grouping columns and arguments of a chunk. rows->rows stays NULL where nothing had to be
 * evaluated. */
static int32_t eval_inputs(const struct aggregation *a, struct lane *lane,
                           const struct weir_chunk *chunk, struct weir_rows *rows,
                           struct weir_error *error)
{
    const uint32_t args = a->n_by + a->n_keys;
    int32_t result = WEIR_OK;
    *rows = (struct weir_rows){ sizeof *rows, chunk->selected, NULL };
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++) {
        const struct by *by = &a->by[i];
        const struct ArrowArray *value;
        result = eval_one(a, lane, &value, &lane->evaluated[i], by->expr, by->input, chunk, rows,
                          error);
        if (result == WEIR_OK && by->fields)
            result = flatten(a, lane, by, value, chunk->rows, error);
        else
            lane->inputs[by->first] = value;
    }
    for (uint32_t i = 0; i < a->n_args && result == WEIR_OK; i++)
        result = eval_one(a, lane, &lane->inputs[a->n_keys + i], &lane->evaluated[args + i],
                          a->args[i], a->arg_inputs[i], chunk, rows, error);
    return result;
}

int32_t lane_combine(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                     const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    int32_t result = lane_find_slots(a, lane, 0, lane->inputs, NULL, rows, n, error);
    return result == WEIR_OK ? lane_apply(a, lane, 0, chunk->rows, rows, n, error) : result;
}

static int32_t combine_rows(const struct aggregation *a, struct lane *lane,
                            const struct weir_chunk *chunk, struct weir_rows *rows,
                            struct weir_error *error)
{
    const uint32_t *selection = rows->rows ? rows->rows : chunk->selection;
    if (a->may_cross) return lane_cross(a, lane, chunk, rows, error);
    if (a->raw)
        return lane_emit_raw(a, lane, WEIR_OUTPUT_EXCHANGE, chunk, selection, rows->n, error);
    if (a->time.rows_expand)
        return lane_add_to_windows(a, lane, 0, 0, chunk->rows, rows, error);
    return lane_combine(a, lane, chunk, selection, rows->n, error);
}

void lane_clear(const struct aggregation *a, struct lane *lane)
{
    empty(a, lane->groups);
}

int32_t aggregation_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    struct weir_rows rows;
    (void)input;
    int32_t result = eval_inputs(a, l, chunk, &rows, error);
    if (result == WEIR_OK && a->time.kind)
        result = lane_time_columns(a, l, chunk, &rows, error);
    if (result == WEIR_OK && rows.n > 0) result = combine_rows(a, l, chunk, &rows, error);
    drop_evaluated(a, l); /* those that were not moved */
    return result;
}

int32_t aggregation_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    (void)input;
    lane_drop_held(a, l);
    if (!l->groups) return WEIR_OK;
    int32_t result = lane_emit_partials(a, l, error);
    empty(a, l->groups);
    return result;
}

/* ---- behind the exchange ---- */

/* The key has more columns than the distribution, or means something else behind the exchange: its
 * hash is not that of the chunk. */
static const uint64_t *hash_of_key(const struct aggregation *a, const struct weir_chunk *chunk)
{
    return a->time.kind >= TIME_WINDOW ? NULL : chunk->hash;
}

static int32_t process_timed(const struct aggregation *a, struct lane *lane,
                             const struct weir_chunk *chunk, struct weir_rows *rows,
                             struct weir_error *error)
{
    const int sessions = a->time.kind == TIME_SESSION;
    int32_t result = WEIR_OK;
    if (a->time.partials_expand)
        return lane_add_to_windows(a, lane, 1, !a->raw, chunk->rows, rows, error);
    if (a->raw && a->time.kind == TIME_WINDOW)
        result = lane_times_to_slices(a, lane, chunk->rows, rows, error);
    if (result == WEIR_OK)
        result = lane_find_slots(a, lane, !sessions, lane->inputs, hash_of_key(a, chunk),
                                 rows->rows, rows->n, error);
    if (result == WEIR_OK)
        result = lane_apply(a, lane, !a->raw, chunk->rows, rows->rows, rows->n, error);
    if (result == WEIR_OK && a->time.bounded && !sessions)
        result = lane_set_expiry(a, lane, rows);
    return result;
}

int32_t aggregation_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    struct weir_rows rows = { sizeof rows, chunk->selected, NULL };
    const int raw = lane_is_raw(a, chunk);
    uint32_t columns = a->n_keys + (raw ? a->n_args : a->n_columns);
    (void)input;
    for (uint32_t i = 0; i < columns; i++) l->inputs[i] = chunk->array->children[i];
    if (a->time.kind && a->durable) {
        lane_list_rows(l, chunk, &rows);
        int32_t judged = a->time.bounded ? lane_drop_late(a, l, chunk, &rows, error) : WEIR_OK;
        if (judged != WEIR_OK || rows.n == 0) return judged;
        int32_t result = process_timed(a, l, chunk, &rows, error);
        drop_evaluated(a, l);
        return result;
    }
    int32_t result = lane_find_slots(a, l, a->durable != 0, l->inputs, chunk->hash,
                                     chunk->selection, chunk->selected, error);
    if (result != WEIR_OK) return result;
    return lane_apply(a, l, !raw, chunk->rows, chunk->selection, chunk->selected, error);
}
