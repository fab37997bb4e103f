/*
 * emit.c - hash aggregation: groups into chunks.
 *
 * Groups leave in the order of their slots, up to 8,192 in a chunk. Fewer where their values are
 * long: a chunk that turns out over the limit is made again from half as many groups.
 */
#include "plugins/operator_aggregate/lane.h"

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

static int32_t key_arrays(const struct aggregation *a, struct lane *lane, const struct part *part,
                          uint64_t *bytes, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++) {
        result = part->slots
                     ? a->state->keys(lane->state, a->table, i, part->slots, part->n,
                                      &lane->arrays[i], error)
                     : a->combine->keys(lane->groups, i, part->from, part->n,
                                        &lane->arrays[i], error);
        if (result == WEIR_OK) *bytes += text_bytes(&lane->arrays[i]);
    }
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
    uint32_t columns = a->n_by + a->n_columns;
    uint64_t bytes = 0;
    memset(lane->arrays, 0, columns * sizeof *lane->arrays);
    int32_t result = key_arrays(a, lane, part, &bytes, error);
    for (uint32_t i = a->n_by; i < columns && result == WEIR_OK; i++) {
        result = a->combine->values(lane->groups, i - a->n_by, part->from, part->n,
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
    struct part part = { NULL, 0, 0 };
    uint32_t all = a->combine->count(lane->groups);
    while (part.from < all) {
        int32_t result;
        part.n = all - part.from;
        if (part.n > WEIR_CHUNK_TARGET_ROWS) part.n = WEIR_CHUNK_TARGET_ROWS;
        while ((result = emit_partial(a, lane, &part, error)) == WEIR_PENDING) continue;
        if (result != WEIR_OK) return result;
        part.from += part.n;
    }
    return WEIR_OK;
}

/* ---- results ---- */

/* Rejects results that a call refused; they leave `rows`. */
static int32_t reject_failed(const struct aggregation *a, struct lane *lane, struct weir_rows *rows,
                             uint32_t n, struct weir_error *error)
{
    uint32_t kept = 0;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->rows[i];
        if (!lane->failed[row]) {
            rows->rows[kept++] = row;
        } else if (result == WEIR_OK) {
            result = a->host->reject(lane->context, NULL, 0, WEIR_REJECT_EXPRESSION,
                                     lane->reason[0] ? lane->reason : "an aggregate failed", error);
        }
    }
    rows->n = kept;
    memset(lane->failed, 0, n);
    lane->reason[0] = 0;
    return result;
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
                                     lane->failed, lane->reason, &lane->arrays[a->n_by + i], error);
        if (result == WEIR_OK && memchr(lane->failed, 1, part->n))
            result = reject_failed(a, lane, rows, part->n, error);
    }
    return result;
}

/* The columns of the result into lane->out; *columns of them. */
static int32_t finish_values(const struct aggregation *a, struct lane *lane, uint32_t n,
                             struct weir_rows *rows, uint32_t *columns, struct weir_error *error)
{
    uint32_t before = a->n_by + a->n_calls;
    uint32_t values = a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children
                                : a->n_calls;
    uint32_t first = a->values ? before : a->n_by;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < before; i++) lane->finished[i] = &lane->arrays[i];
    if (a->values)
        result = a->expr->aggregate_finish(lane->context, a->values, lane->finished,
                                           lane->finished + a->n_by, n, rows,
                                           lane->arrays + before, error);
    for (uint32_t i = 0; i < a->n_by + values; i++)
        lane->out[i] = (struct weir_output_column){
            -1, 0, &lane->arrays[i < a->n_by ? i : first + (i - a->n_by)]
        };
    *columns = a->n_by + values;
    return result;
}

static int32_t emit_part(const struct aggregation *a, struct lane *lane, struct part *part,
                         struct weir_error *error)
{
    uint32_t values =
        a->values ? (uint32_t)a->expr->aggregate_schema(a->values)->n_children : 0;
    uint32_t arrays = a->n_by + a->n_calls + values, columns = 0;
    struct weir_rows rows = { sizeof rows, part->n, lane->rows };
    uint64_t bytes = 0;
    memset(lane->arrays, 0, arrays * sizeof *lane->arrays);
    for (uint32_t i = 0; i < part->n; i++) lane->rows[i] = i;
    int32_t result = key_arrays(a, lane, part, &bytes, error);
    if (result == WEIR_OK && bytes > BYTES_MAX && part->n > 1) {
        drop(lane, arrays);
        part->n /= 2;
        return WEIR_PENDING;
    }
    if (result == WEIR_OK) result = finish_calls(a, lane, part, &rows, error);
    if (result == WEIR_OK) result = finish_values(a, lane, part->n, &rows, &columns, error);
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
    return emit_parts(a, lane, NULL, a->combine->count(lane->groups), error);
}

int32_t lane_emit_slots(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                        uint32_t n, struct weir_error *error)
{
    return emit_parts(a, lane, slots, n, error);
}
