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
 * Distinct calls. A partial state can't tell which arguments it has seen, so if one call is
 * distinct, rows cross the exchange uncombined: grouping columns and arguments, which are updated
 * behind it. There a second table per distinct call, keyed by group and arguments, tells new rows:
 * slots are dense, so a row whose slot is the next number is the first of its kind.
 */
#include "plugins/operator_aggregate/lane.h"

int32_t aggregation_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    const struct aggregation *a = self;
    uint32_t more = a->n_args > a->n_columns ? a->n_args : a->n_columns;
    uint32_t in = a->n_by + more;
    uint32_t values =
        a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children : a->n_calls;
    uint32_t results = a->n_by + a->n_calls + values + a->n_columns;
    uint64_t bytes = sizeof(struct lane) + a->n_calls * sizeof(struct weir_combine *) +
                     in * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *)) +
                     results * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *) +
                                sizeof(struct weir_output_column));
    struct lane *l = a->host->alloc(bytes);
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->context = context;
    l->evaluated = (struct ArrowArray *)(void *)(l + 1);
    l->arrays = l->evaluated + in;
    l->out = (struct weir_output_column *)(void *)(l->arrays + results);
    l->inputs = (const struct ArrowArray **)(void *)(l->out + results);
    l->finished = l->inputs + in;
    l->seen = (struct weir_combine **)(void *)(l->finished + results);
    *lane = l;
    return WEIR_OK;
}

void aggregation_lane_destroy(void *self, void *lane)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    if (!l) return;
    a->combine->destroy(l->groups);
    for (uint32_t i = 0; i < a->n_calls; i++) a->combine->destroy(l->seen[i]);
    a->host->free(l->changed);
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
    l->inserted = 0;
    empty(a, l->groups);
    for (uint32_t i = 0; i < a->n_calls; i++) empty(a, l->seen[i]);
    if (l->changed) memset(l->changed, 0, l->n_changed * sizeof *l->changed);
    return WEIR_OK;
}

/* ---- groups ---- */

static int32_t make_table(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "groups",
                                    .key = &a->key, .n_distribution = a->n_by,
                                    .n_columns = a->n_columns, .columns = a->columns,
                                    .signature = "" };
    return a->combine->create(lane->context, &spec, &lane->groups, error);
}

/* Notes the slots of the chunk as changed in this batch. */
static int32_t note_changed(const struct aggregation *a, struct lane *lane, uint32_t n,
                            struct weir_error *error)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        if (lane->slots[i] > most) most = lane->slots[i];
    if (most / 64 >= lane->n_changed) {
        uint32_t words = (most / 64 + 64) * 2;
        uint64_t *changed = a->host->realloc(lane->changed, words * sizeof *changed);
        if (!changed) return no_memory(error);
        memset(changed + lane->n_changed, 0, (words - lane->n_changed) * sizeof *changed);
        lane->changed = changed;
        lane->n_changed = words;
    }
    for (uint32_t i = 0; i < n; i++)
        lane->changed[lane->slots[i] / 64] |= (uint64_t)1 << (lane->slots[i] & 63);
    return WEIR_OK;
}

/* Fills lane->slots for n rows whose grouping columns are lane->inputs. */
static int32_t find_slots(const struct aggregation *a, struct lane *lane, int durable,
                          const uint64_t *hash, const uint32_t *rows, uint32_t n,
                          struct weir_error *error)
{
    uint32_t some = a->n_by ? n : 1; /* without a key all rows have one slot */
    int32_t result = WEIR_OK;
    if (!a->n_by) rows = NULL;
    if (durable)
        result = a->state->lookup_or_insert(lane->state, a->table, lane->inputs, hash, rows, some,
                                            lane->slots, error);
    else {
        if (!lane->groups) result = make_table(a, lane, error);
        if (result == WEIR_OK)
            result = a->combine->lookup_or_insert(lane->groups, lane->inputs, hash, rows, some,
                                                  lane->slots, error);
    }
    for (uint32_t i = 1; !a->n_by && i < n; i++) lane->slots[i] = lane->slots[0];
    if (result == WEIR_OK && durable && !a->complete) result = note_changed(a, lane, n, error);
    return result;
}

void lane_cells(const struct aggregation *a, struct lane *lane, const struct call *call,
                struct weir_cells *cells)
{
    if (lane->state)
        a->state->cells(lane->state, a->table, call->first, call->n_columns, lane->views, cells);
    else
        a->combine->cells(lane->groups, call->first, call->n_columns, lane->views, cells);
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
                                    .n_distribution = a->n_by, .signature = "" };
    struct ArrowSchema key;
    int32_t result = a->data->schema_struct(a->n_by + call->n_args, &key, error);
    for (uint32_t k = 0; k < a->n_by + call->n_args && result == WEIR_OK; k++) {
        key.children[k]->release(key.children[k]);
        result = a->data->schema_copy(k < a->n_by
                                          ? a->key.children[k]
                                          : a->expr->schema(call->args[k - a->n_by]),
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
    for (uint32_t k = 0; k < a->n_by; k++) keys[k] = lane->inputs[k];
    for (uint32_t k = 0; k < call->n_args; k++)
        keys[a->n_by + k] = lane->inputs[a->n_by + call->first_arg + k];
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

/* Updates (`merge` 0) or merges all calls with n rows of the chunk's inputs. */
static int32_t apply(const struct aggregation *a, struct lane *lane, int merge, uint32_t chunk_rows,
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
        call.args = lane->inputs + a->n_by + (merge ? c->first : c->first_arg);
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

/* ---- the combine side ---- */

static void drop_evaluated(const struct aggregation *a, struct lane *lane)
{
    for (uint32_t i = 0; i < a->n_by + a->n_args; i++)
        if (lane->evaluated[i].release) lane->evaluated[i].release(&lane->evaluated[i]);
}

static int32_t eval_one(const struct aggregation *a, struct lane *lane, uint32_t at,
                        struct weir_expr *expr, int32_t input, const struct weir_chunk *chunk,
                        struct weir_rows *rows, struct weir_error *error)
{
    lane->inputs[at] = input >= 0 ? chunk->array->children[input] : &lane->evaluated[at];
    if (input >= 0) return WEIR_OK;
    if (rows->rows == NULL) {
        rows->rows = lane->rows;
        for (uint32_t i = 0; i < rows->n; i++) lane->rows[i] = weir_row(chunk, i);
    }
    return a->expr->eval(lane->context, expr, &chunk, rows, &lane->evaluated[at], error);
}

/* Grouping columns and arguments of a chunk. rows->rows stays NULL where nothing had to be
 * evaluated. */
static int32_t eval_inputs(const struct aggregation *a, struct lane *lane,
                           const struct weir_chunk *chunk, struct weir_rows *rows,
                           struct weir_error *error)
{
    int32_t result = WEIR_OK;
    *rows = (struct weir_rows){ sizeof *rows, chunk->selected, NULL };
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++)
        result = eval_one(a, lane, i, a->by[i].expr, a->by[i].input, chunk, rows, error);
    for (uint32_t i = 0; i < a->n_args && result == WEIR_OK; i++)
        result = eval_one(a, lane, a->n_by + i, a->args[i], a->arg_inputs[i], chunk, rows, error);
    return result;
}

/* Hands grouping columns and arguments over as they are. */
static int32_t emit_raw(const struct aggregation *a, struct lane *lane,
                        const struct weir_chunk *chunk, const uint32_t *rows, uint32_t n,
                        struct weir_error *error)
{
    uint32_t columns = a->n_by + a->n_args;
    for (uint32_t i = 0; i < columns; i++) {
        int32_t input = i < a->n_by ? a->by[i].input : a->arg_inputs[i - a->n_by];
        lane->out[i] = (struct weir_output_column){ input, 0,
                                                    input < 0 ? &lane->evaluated[i] : NULL };
    }
    struct weir_emission emission = { .size = sizeof emission, .output = WEIR_OUTPUT_EXCHANGE,
                                      .from = chunk, .columns = lane->out, .n_columns = columns,
                                      .rows = chunk->rows, .selection = rows, .selected = n };
    return a->host->emit(lane->context, &emission, error);
}

int32_t aggregation_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    struct weir_rows rows;
    (void)input;
    int32_t result = eval_inputs(a, l, chunk, &rows, error);
    const uint32_t *selection = rows.rows ? rows.rows : chunk->selection;
    if (result == WEIR_OK && rows.n > 0)
        result = a->raw ? emit_raw(a, l, chunk, selection, rows.n, error)
                        : find_slots(a, l, 0, NULL, selection, rows.n, error);
    if (result == WEIR_OK && rows.n > 0 && !a->raw)
        result = apply(a, l, 0, chunk->rows, selection, rows.n, error);
    drop_evaluated(a, l); /* those that were not moved */
    return result;
}

int32_t aggregation_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    (void)input;
    if (!l->groups) return WEIR_OK;
    int32_t result = lane_emit_partials(a, l, error);
    empty(a, l->groups);
    return result;
}

/* ---- behind the exchange ---- */

int32_t aggregation_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    (void)input;
    for (int64_t i = 0; i < chunk->array->n_children; i++) l->inputs[i] = chunk->array->children[i];
    int32_t result =
        find_slots(a, l, a->durable != 0, chunk->hash, chunk->selection, chunk->selected, error);
    if (result != WEIR_OK) return result;
    return apply(a, l, !a->raw, chunk->rows, chunk->selection, chunk->selected, error);
}

static int32_t emit_changed(const struct aggregation *a, struct lane *lane,
                            struct weir_error *error)
{
    uint32_t n = 0;
    int32_t result = WEIR_OK;
    for (uint32_t w = 0; w < lane->n_changed && result == WEIR_OK; w++)
        for (uint64_t bits = lane->changed[w]; bits && result == WEIR_OK; bits &= bits - 1) {
            lane->slots[n++] = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (n < WEIR_CHUNK_TARGET_ROWS) continue;
            result = lane_emit_slots(a, lane, lane->slots, n, error);
            n = 0;
        }
    return result == WEIR_OK ? lane_emit_slots(a, lane, lane->slots, n, error) : result;
}

static int32_t emit_all(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    uint32_t n = 0, slot = a->state->next(lane->state, a->table, 0);
    int32_t result = WEIR_OK;
    for (; slot != WEIR_NO_SLOT && result == WEIR_OK;
         slot = a->state->next(lane->state, a->table, slot + 1)) {
        lane->slots[n++] = slot;
        if (n < WEIR_CHUNK_TARGET_ROWS) continue;
        result = lane_emit_slots(a, lane, lane->slots, n, error);
        n = 0;
    }
    return result == WEIR_OK ? lane_emit_slots(a, lane, lane->slots, n, error) : result;
}

/* The one group of an aggregation without `by` is there from the first batch on, with rows or
 * without. */
static int32_t the_group(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    a->state->lookup(lane->state, a->table, lane->inputs, NULL, NULL, 1, lane->slots);
    if (lane->slots[0] != WEIR_NO_SLOT) return WEIR_OK;
    return a->state->lookup_or_insert(lane->state, a->table, lane->inputs, NULL, NULL, 1,
                                      lane->slots, error);
}

int32_t aggregation_advance(void *self, void *lane, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct lane *l = lane;
    if (!a->durable) return l->groups ? lane_emit_groups(a, l, error) : WEIR_OK;
    if (a->n_by) return a->complete ? emit_all(a, l, error) : emit_changed(a, l, error);
    int32_t result = the_group(a, l, error);
    return result == WEIR_OK ? lane_emit_slots(a, l, l->slots, 1, error) : result;
}
