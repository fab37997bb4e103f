/*
 * lane.c - operators with state: lanes, the combine side, state to begin with, whole tables out.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

int32_t state_lane_create(void *self, struct weir_context *context, void **lane,
                          struct weir_error *error)
{
    const struct state_operator *op = self;
    uint32_t n = op->n_by + (uint32_t)op->input->n_children;
    struct lane *l = op->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->op = op;
    l->context = context;
    l->grouping.host = op->host;
    l->grouping.combine = op->combine;
    *lane = l;
    l->columns = op->host->alloc(n * sizeof *l->columns + 1);
    l->evaluated = op->host->alloc(op->n_by * sizeof *l->evaluated);
    if (l->evaluated) memset(l->evaluated, 0, op->n_by * sizeof *l->evaluated);
    if (!l->columns || !l->evaluated) return no_memory(error);
    int32_t result = fields_lane_init(&l->fields, &op->fields, context, error);
    if (result == WEIR_OK) result = fields_lane_init(&l->spare, &op->fields, context, error);
    if (result == WEIR_OK && op->output.release)
        result = output_init(&l->out, op->host, context, &op->output, 0, error);
    return result == WEIR_OK ? collections_lane_create(l, error) : result;
}

void lane_drop_keys(struct lane *l)
{
    for (uint32_t i = 0; i < BY_MAX; i++)
        if (l->keys[i].release) l->keys[i].release(&l->keys[i]);
}

static void drop_evaluated(struct lane *l)
{
    for (uint32_t i = 0; l->evaluated && i < l->op->n_by; i++)
        if (l->evaluated[i].release) l->evaluated[i].release(&l->evaluated[i]);
}

void state_lane_destroy(void *self, void *lane)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    if (!l) return;
    vm_destroy(l->vm);
    output_fini(&l->out);
    fields_lane_fini(&l->fields);
    fields_lane_fini(&l->spare);
    grouping_fini(&l->grouping);
    lane_drop_keys(l);
    drop_evaluated(l);
    op->host->free(l->initial_groups);
    op->host->free(l->called);
    op->host->free(l->columns);
    op->host->free(l->evaluated);
    collections_lane_destroy(l);
    op->host->free(l);
}

/* ---- the combine side: key columns in front of the row ---- */

int32_t state_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    uint32_t n = op->n_by + (uint32_t)op->input->n_children;
    struct weir_rows rows = { sizeof rows, chunk->selected, l->rows };
    int32_t result = WEIR_OK;
    (void)input;
    for (uint32_t i = 0; i < chunk->selected; i++) l->rows[i] = weir_row(chunk, i);
    for (uint32_t i = 0; i < op->n_by && result == WEIR_OK; i++) {
        l->columns[i] = (struct weir_output_column){ op->by[i].input, 0, NULL };
        if (op->by[i].input >= 0) continue;
        l->columns[i] = (struct weir_output_column){ -1, 0, &l->evaluated[i] };
        result = op->expr->eval(l->context, op->by[i].expr, &chunk, &rows, &l->evaluated[i], error);
    }
    for (uint32_t c = op->n_by; c < n; c++)
        l->columns[c] = (struct weir_output_column){ (int32_t)(c - op->n_by), 0, NULL };
    if (result == WEIR_OK && rows.n > 0) {
        struct weir_emission emission = { .size = sizeof emission, .output = WEIR_OUTPUT_EXCHANGE,
                                          .from = chunk, .columns = l->columns, .n_columns = n,
                                          .rows = chunk->rows, .selection = l->rows,
                                          .selected = rows.n };
        result = op->host->emit(l->context, &emission, error);
    }
    drop_evaluated(l); /* those that were not moved */
    return result;
}

int32_t state_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    (void)self;
    (void)lane;
    (void)input;
    (void)error;
    return WEIR_OK; /* nothing is held back */
}

/* ---- state to begin with ---- */

static int32_t find_groups(struct lane *l, const struct ArrowArray *const *keys,
                           struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t n = (uint32_t)op->initial.rows.length;
    l->initial_groups = op->host->alloc(n + 1);
    l->called = op->host->alloc(n + 1);
    if (!l->initial_groups || !l->called) return no_memory(error);
    op->state->groups(l->state, op->fields.table, keys, n, l->initial_groups);
    return WEIR_OK;
}

static int32_t begin_key(struct lane *l, const struct ArrowArray *const *keys, uint32_t row,
                         struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t table = op->fields.table, slot;
    int32_t result = op->state->lookup_or_insert(l->state, table, keys, NULL, &row, 1, &slot, error);
    for (uint32_t i = 0; i < op->fields.n && result == WEIR_OK; i++) {
        int32_t column = op->initial.columns[op->n_by + i];
        if (column >= 0)
            result = fields_put(&l->fields, l->state, slot, i, op->initial.rows.children[column],
                                row, error);
    }
    if (result != WEIR_OK) return result;
    if (op->kind == KIND_MAPPED)
        return op->state->set_timer(l->state, table, MAPPED_TOUCHED, slot, l->begin.time_us);
    struct weir_view exists = op->state->column(l->state, table, GROUPED_EXISTS);
    if (op->kind == KIND_GROUPED) exists.base[(uint64_t)slot * exists.stride] = 1;
    return WEIR_OK;
}

static int32_t begin_state(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    const struct ArrowArray *keys[BY_MAX];
    uint32_t n = (uint32_t)op->initial.rows.length;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < op->n_by; i++)
        keys[i] = op->initial.rows.children[op->initial.columns[i]];
    if (!l->initial_groups) result = find_groups(l, keys, error);
    for (uint32_t row = 0; row < n && result == WEIR_OK; row++) {
        if (l->initial_groups[row] != l->begin.partition) continue;
        result = begin_key(l, keys, row, error);
        l->called[l->n_initial++] = 0;
    }
    return result;
}

int32_t state_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    memset(&l->begin, 0, sizeof l->begin);
    memcpy(&l->begin, in, in->size < sizeof l->begin ? in->size : sizeof l->begin);
    l->state = in->state;
    l->n_initial = 0;
    grouping_clear(&l->grouping);
    if (!in->state) return WEIR_OK; /* the combine side */
    batch_begin(&l->batch, in);
    if (in->first && op->initial.rows.release) return begin_state(l, error);
    return op->kind == KIND_STATEFUL ? collections_expire(l, error) : WEIR_OK;
}

/* ---- rows ---- */

static uint32_t drop_late(struct lane *l, const struct weir_chunk *chunk)
{
    const struct state_operator *op = l->op;
    const struct ArrowArray *times =
        chunk->array->children[op->n_by + (uint32_t)op->time_column];
    uint32_t n = 0;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        if (weir_is_null(times, row) || weir_get_int64(times, row) > l->begin.late_us)
            l->rows[n++] = row;
    }
    if (n < chunk->selected)
        op->host->count(l->context, "late", (int64_t)(chunk->selected - n));
    return n;
}

int32_t state_collect(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct state_operator *op = self;
    struct lane *l = lane;
    const uint32_t *rows = chunk->selection;
    uint32_t n = chunk->selected;
    (void)input;
    if (op->clock == CLOCK_EVENT && op->time_column >= 0 &&
        l->begin.late_us != WEIR_WATERMARK_NONE) {
        n = drop_late(l, chunk);
        rows = l->rows;
    }
    if (n == 0) return WEIR_OK;
    return grouping_add(&l->grouping, l->context, &op->key, chunk, rows, n, error);
}

/* ---- whole tables out ---- */

int32_t lane_keys(struct lane *l, const uint32_t *slots, uint32_t n, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int32_t result = WEIR_OK;
    lane_drop_keys(l);
    for (uint32_t i = 0; i < op->n_by && result == WEIR_OK; i++) {
        result = op->state->keys(l->state, op->fields.table, i, slots, n, &l->keys[i], error);
        l->key_list[i] = &l->keys[i];
    }
    return result;
}

static uint64_t text_bytes(const struct ArrowArray *array)
{
    uint64_t bytes = 0;
    if (array->n_buffers == 3)
        bytes = (uint64_t)((const int32_t *)array->buffers[1])[array->length];
    for (int64_t i = 0; i < array->n_children; i++) bytes += text_bytes(array->children[i]);
    return bytes;
}

/* PENDING: the slots are too many bytes for one chunk. */
static int32_t emit_slots(struct lane *l, uint32_t output, const uint32_t *slots, uint32_t n,
                          struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t all = op->n_by + op->fields.n;
    uint64_t bytes = 0;
    struct ArrowArray *arrays =
        op->host->alloc(all * (sizeof *arrays + sizeof(struct weir_output_column)));
    struct weir_output_column *columns = (struct weir_output_column *)(void *)(arrays + all);
    if (!arrays) return no_memory(error);
    memset(arrays, 0, all * sizeof *arrays);
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < all && result == WEIR_OK; i++) {
        columns[i] = (struct weir_output_column){ -1, 0, &arrays[i] };
        result = i < op->n_by
                     ? op->state->keys(l->state, op->fields.table, i, slots, n, &arrays[i], error)
                     : fields_array(&l->fields, l->state, i - op->n_by, slots, n, &arrays[i], error);
        if (result == WEIR_OK) bytes += text_bytes(&arrays[i]);
    }
    if (result == WEIR_OK && bytes > (8u << 20) && n > 1) result = WEIR_PENDING;
    struct weir_emission emission = { .size = sizeof emission, .output = output, .columns = columns,
                                      .n_columns = all, .rows = n };
    if (result == WEIR_OK) result = op->host->emit(l->context, &emission, error);
    for (uint32_t i = 0; i < all; i++)
        if (arrays[i].release) arrays[i].release(&arrays[i]);
    op->host->free(arrays);
    return result;
}

static int32_t emit_some(struct lane *l, uint32_t output, const uint32_t *slots, uint32_t n,
                         struct weir_error *error)
{
    while (n > 0) {
        uint32_t part = n;
        int32_t result;
        while ((result = emit_slots(l, output, slots, part, error)) == WEIR_PENDING) part /= 2;
        if (result != WEIR_OK) return result;
        slots += part;
        n -= part;
    }
    return WEIR_OK;
}

int32_t lane_emit_whole(struct lane *l, uint32_t output, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t n = 0, table = op->fields.table, slot = op->state->next(l->state, table, 0);
    int32_t result = WEIR_OK;
    for (; slot != WEIR_NO_SLOT && result == WEIR_OK;
         slot = op->state->next(l->state, table, slot + 1)) {
        l->slots[n++] = slot;
        if (n < WEIR_CHUNK_TARGET_ROWS) continue;
        result = emit_some(l, output, l->slots, n, error);
        n = 0;
    }
    return result == WEIR_OK ? emit_some(l, output, l->slots, n, error) : result;
}
