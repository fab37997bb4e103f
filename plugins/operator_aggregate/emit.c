/*
 * emit.c - hash aggregation: groups into chunks.
 *
 * Groups leave in the order of their slots, up to 8,192 in a chunk. Fewer where their values are
 * long: a chunk that turns out over the limit is made again from half as many groups.
 */
#include "plugins/operator_aggregate/panes.h"

#include "plugins/share/presence.h"

#define BYTES_MAX (8u << 20)

/* Where the groups of one chunk are: slots[0 … n) of state, or [from, from + n) of the table. */
struct part {
    const uint32_t *slots;
    uint32_t from, n;
};

static void drop(struct lane *lane, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (lane->arrays[i].release) lane->arrays[i].release(&lane->arrays[i]);
}

static uint64_t text_bytes(const struct ArrowArray *array)
{
    if (array->n_buffers != 3) return 0;
    return (uint64_t)((const int32_t *)array->buffers[1])[array->length];
}

/* Column k of the key, of the groups of a chunk. The records of sessions hang on their key. */
static int32_t key_column(const struct aggregation *a, struct lane *lane, const struct part *part,
                          uint32_t k, struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t *slots = part->slots;
    if (!slots) return a->combine->keys(lane->groups, k, part->from, part->n, out, error);
    if (a->time.kind == TIME_SESSION) {
        for (uint32_t i = 0; i < part->n; i++)
            lane->few[i] = a->state->row_slot(lane->state, a->table, slots[i]);
        slots = lane->few;
    }
    return a->state->keys(lane->state, a->table, k, slots, part->n, out, error);
}

static int32_t key_struct(const struct aggregation *a, struct lane *lane, const struct part *part,
                          const struct by *by, struct ArrowArray *out, uint64_t *bytes,
                          struct weir_error *error)
{
    struct ArrowArray fields[BY_MAX], there = { 0 };
    int32_t result = WEIR_OK;
    uint32_t n = 0;
    for (; n < by->fields && result == WEIR_OK; n++) {
        result = key_column(a, lane, part, by->first + n, &fields[n], error);
        if (result == WEIR_OK) *bytes += text_bytes(&fields[n]);
    }
    const uint32_t made = result == WEIR_OK ? n : n - 1;
    if (result == WEIR_OK && by->presence)
        result = key_column(a, lane, part, by->first + by->fields, &there, error);
    if (result == WEIR_OK)
        result = struct_array(a->host, fields, n, part->n, 1, by->presence ? &there : NULL, out,
                              error);
    else
        for (uint32_t i = 0; i < made; i++) fields[i].release(&fields[i]);
    if (by->presence && there.release) there.release(&there);
    if (result != WEIR_OK || !by->window) return result;
    result = presence_unfold(a->data, out, error);
    if (result != WEIR_OK) out->release(out);
    return result;
}

/* Starts of sessions: what their records are sorted by. */
static int32_t session_starts(const struct aggregation *a, struct lane *lane,
                              const struct part *part, struct ArrowArray *out,
                              struct weir_error *error)
{
    int32_t result = a->data->column(WEIR_TYPE_TIMESTAMP, part->n, 0, 0, out, error);
    for (uint32_t i = 0; i < part->n && result == WEIR_OK; i++)
        ((int64_t *)(uintptr_t)out->buffers[1])[i] =
            a->state->row_order(lane->state, a->table, part->slots[i]);
    return result;
}

static int32_t window_ends(const struct aggregation *a, const struct ArrowArray *starts,
                           struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t n = (uint32_t)starts->length;
    int32_t result = a->data->column(WEIR_TYPE_TIMESTAMP, n, 0, 0, out, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        ((int64_t *)(uintptr_t)out->buffers[1])[i] =
            weir_get_int64(starts, i) + a->time.windows.length;
    return result;
}

/* The window or session of each group. */
static int32_t time_struct(const struct aggregation *a, struct lane *lane, const struct part *part,
                           struct ArrowArray *out, struct weir_error *error)
{
    const int session = a->time.kind == TIME_SESSION;
    struct ArrowArray ends[2];
    int32_t result = session ? session_starts(a, lane, part, &ends[0], error)
                             : key_column(a, lane, part, a->n_flat, &ends[0], error);
    if (result != WEIR_OK) return result;
    result = session ? a->state->values(lane->state, a->table, a->expiry, part->slots, part->n,
                                        &ends[1], error)
                     : window_ends(a, &ends[0], &ends[1], error);
    if (result == WEIR_OK) return struct_array(a->host, ends, 2, part->n, 0, NULL, out, error);
    ends[0].release(&ends[0]);
    return result;
}

/* What the groups of a chunk are, column by column of the output. */
static int32_t group_arrays(const struct aggregation *a, struct lane *lane, const struct part *part,
                            uint64_t *bytes, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++) {
        const struct by *by = &a->by[i];
        struct ArrowArray *out = &lane->arrays[i];
        result = by->fields ? key_struct(a, lane, part, by, out, bytes, error)
                            : key_column(a, lane, part, by->first, out, error);
        if (result == WEIR_OK && !by->fields) *bytes += text_bytes(out);
    }
    if (result == WEIR_OK && a->time.kind >= TIME_WINDOW)
        result = time_struct(a, lane, part, &lane->arrays[a->n_by], error);
    return result;
}

static int32_t emit_columns(const struct aggregation *a, struct lane *lane, uint32_t output,
                            uint32_t columns, uint32_t n, const struct weir_rows *rows,
                            struct weir_error *error)
{
    struct weir_emission emission = { .size = sizeof emission, .output = output,
                                      .columns = lane->out, .n_columns = columns, .rows = n };
    if (rows && rows->n < n) {
        emission.selection = rows->rows;
        emission.selected = rows->n;
    }
    return a->host->emit(lane->context, &emission, error);
}

/* ---- partials ---- */

static int32_t emit_partial(const struct aggregation *a, struct lane *lane, struct part *part,
                            struct weir_error *error)
{
    uint32_t columns = a->n_keys + a->n_columns;
    uint64_t bytes = 0;
    int32_t result = WEIR_OK;
    memset(lane->arrays, 0, columns * sizeof *lane->arrays);
    for (uint32_t i = 0; i < a->n_keys && result == WEIR_OK; i++) {
        result = a->combine->keys(lane->groups, i, part->from, part->n, &lane->arrays[i], error);
        if (result == WEIR_OK) bytes += text_bytes(&lane->arrays[i]);
    }
    for (uint32_t i = a->n_keys; i < columns && result == WEIR_OK; i++) {
        result = a->combine->values(lane->groups, i - a->n_keys, part->from, part->n,
                                    &lane->arrays[i], error);
        if (result == WEIR_OK) bytes += text_bytes(&lane->arrays[i]);
    }
    if (result != WEIR_OK || (bytes > BYTES_MAX && part->n > 1)) {
        drop(lane, columns);
        if (result == WEIR_OK) part->n /= 2;
        return result == WEIR_OK ? WEIR_PENDING : result;
    }
    for (uint32_t i = 0; i < columns; i++)
        lane->out[i] = (struct weir_output_column){ -1, 0, &lane->arrays[i] };
    return emit_columns(a, lane, WEIR_OUTPUT_EXCHANGE, columns, part->n, NULL, error);
}

int32_t lane_emit_partials(const struct aggregation *a, struct lane *lane,
                           struct weir_error *error)
{
    const uint32_t n = a->combine->count(lane->groups);
    struct part part = { NULL, 0, 0 };
    while (part.from < n) {
        int32_t result;
        part.n = n - part.from;
        if (part.n > WEIR_CHUNK_TARGET_ROWS) part.n = WEIR_CHUNK_TARGET_ROWS;
        while ((result = emit_partial(a, lane, &part, error)) == WEIR_PENDING) continue;
        if (result != WEIR_OK) return result;
        part.from += part.n;
    }
    return WEIR_OK;
}

/* ---- results ---- */

static uint32_t groups_of(const struct aggregation *a)
{
    return (uint32_t)a->group.n_children;
}

/* Rejects results that a call refused; they leave `rows`. What is rejected is the group. */
static int32_t reject_failed(const struct aggregation *a, struct lane *lane, struct weir_rows *rows,
                             uint32_t n, struct weir_error *error)
{
    struct ArrowArray *columns[BY_MAX + 2];
    const void *buffers[1] = { NULL };
    struct ArrowArray array = { .length = n, .n_buffers = 1, .buffers = buffers,
                                .n_children = groups_of(a), .children = columns };
    struct weir_chunk groups = { .size = sizeof groups, .rows = n, .selected = n,
                                 .schema = &a->group, .array = &array };
    uint32_t kept = 0;
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < groups_of(a); c++) columns[c] = &lane->arrays[c];
    for (uint32_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->rows[i];
        if (!lane->failed[row]) {
            rows->rows[kept++] = row;
        } else if (result == WEIR_OK) {
            result = a->host->reject(lane->context, &groups, row, WEIR_REJECT_EXPRESSION,
                                     lane->reason[0] ? lane->reason : "an aggregate failed", error);
        }
    }
    rows->n = kept;
    memset(lane->failed, 0, n);
    lane->reason[0] = 0;
    return result;
}

/* With on_error null what a call refused is null, and its rows stay. */
static int32_t null_failed(const struct aggregation *a, struct lane *lane, uint32_t call,
                           uint32_t n, struct weir_error *error)
{
    const struct weir_aggregate_call *of = a->expr->aggregate_call(a->values, call);
    struct ArrowArray *result = &lane->arrays[groups_of(a) + call], nulled;
    uint32_t *rows = a->host->alloc(n * sizeof *rows);
    if (!rows) return no_memory(error);
    for (uint32_t i = 0; i < n; i++) rows[i] = lane->failed[i] ? UINT32_MAX : i;
    int32_t status = a->data->take(&of->plan->result, result, rows, n, &nulled, error);
    a->host->free(rows);
    memset(lane->failed, 0, n);
    lane->reason[0] = 0;
    if (status != WEIR_OK) return status;
    result->release(result);
    *result = nulled;
    return WEIR_OK;
}

static int32_t finish_calls(const struct aggregation *a, struct lane *lane, const struct part *part,
                            struct weir_rows *rows, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_calls && result == WEIR_OK; i++) {
        const struct call *c = &a->calls[i];
        struct weir_cells cells = { .size = sizeof cells };
        lane_cells(a, lane, c, &cells);
        result = c->function->finish(a->host, c->bound, &cells, part->slots, part->from, part->n,
                                     lane->failed, lane->reason,
                                     &lane->arrays[groups_of(a) + i], error);
        if (result == WEIR_OK && a->panes && part->slots)
            panes_residue(a, lane, i, part->slots, part->n, &lane->arrays[groups_of(a) + i]);
        if (result == WEIR_OK && memchr(lane->failed, 1, part->n))
            result = a->null_on_error && a->values
                         ? null_failed(a, lane, i, part->n, error)
                         : reject_failed(a, lane, rows, part->n, error);
    }
    return result;
}

/* The columns of the result into lane->out; *columns of them. */
static int32_t finish_values(const struct aggregation *a, struct lane *lane, uint32_t n,
                             struct weir_rows *rows, uint32_t *columns, struct weir_error *error)
{
    const uint32_t groups = groups_of(a), before = groups + a->n_calls;
    uint32_t values = a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children
                                : a->n_calls;
    uint32_t first = a->values ? before : groups;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < before; i++) lane->finished[i] = &lane->arrays[i];
    if (a->values)
        result = a->expr->aggregate_finish(lane->context, a->values, lane->finished,
                                           lane->finished + groups, n, rows,
                                           lane->arrays + before, error);
    for (uint32_t i = 0; i < groups + values; i++)
        lane->out[i] = (struct weir_output_column){
            -1, 0, &lane->arrays[i < groups ? i : first + (i - groups)]
        };
    *columns = groups + values;
    return result;
}

static int32_t emit_part(const struct aggregation *a, struct lane *lane, struct part *part,
                         struct weir_error *error)
{
    uint32_t values =
        a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children : 0;
    uint32_t arrays = groups_of(a) + a->n_calls + values, columns = 0;
    struct weir_rows rows = { sizeof rows, part->n, lane->rows };
    uint64_t bytes = 0;
    memset(lane->arrays, 0, arrays * sizeof *lane->arrays);
    for (uint32_t i = 0; i < part->n; i++) lane->rows[i] = i;
    int32_t result = group_arrays(a, lane, part, &bytes, error);
    if (result == WEIR_OK && bytes > BYTES_MAX && part->n > 1) {
        drop(lane, arrays);
        part->n /= 2;
        return WEIR_PENDING;
    }
    if (result == WEIR_OK) result = finish_calls(a, lane, part, &rows, error);
    if (result == WEIR_OK) result = finish_values(a, lane, part->n, &rows, &columns, error);
    if (result == WEIR_OK && a->panes && part->slots)
        result = panes_keep(a, lane, part->slots, part->n, columns, &rows, error);
    if (result == WEIR_OK && rows.n > 0)
        result = emit_columns(a, lane, 0, columns, part->n, &rows, error);
    drop(lane, arrays); /* those that were not moved */
    return result;
}

static int32_t emit_parts(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                          uint32_t n, struct weir_error *error)
{
    uint32_t from = 0;
    while (from < n) {
        struct part part = { slots ? slots + from : NULL, slots ? 0 : from, n - from };
        int32_t result;
        if (part.n > WEIR_CHUNK_TARGET_ROWS) part.n = WEIR_CHUNK_TARGET_ROWS;
        while ((result = emit_part(a, lane, &part, error)) == WEIR_PENDING) continue;
        if (result != WEIR_OK) return result;
        from += part.n;
    }
    return WEIR_OK;
}

int32_t lane_emit_groups(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    lane->in_state = 0;
    return emit_parts(a, lane, NULL, a->combine->count(lane->groups), error);
}

int32_t lane_emit_slots(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                        uint32_t n, struct weir_error *error)
{
    lane->in_state = 1;
    return emit_parts(a, lane, slots, n, error);
}
