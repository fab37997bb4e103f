/*
 * combine.c - before the exchange: rows that are too late, rows that can match nothing, keys.
 *
 * In this order, each on the rows that are left: late rows go (by the event time of the input,
 * counted); conditions on this side alone are computed; then the keys. Of a side whose rows come
 * out without a partner, those that fail a condition go on as `alone`, at their place among the
 * others; their keys were not computed and are null.
 */
#include "plugins/operator_join/op.h"

static void drop_late(const struct join_op *op, struct join_lane *lane, uint32_t s,
                      const struct weir_chunk *chunk, struct weir_rows *rows)
{
    const struct side *side = &op->sides[s];
    const int64_t late = lane->begin.late_us;
    const struct ArrowArray *whole, *times;
    uint32_t n = 0;
    if (side->late_column < 0 || late == WEIR_WATERMARK_NONE) return;
    times = whole = chunk->array->children[side->late_column];
    if (side->late_field >= 0) times = whole->children[side->late_field];
    for (uint32_t i = 0; i < rows->n; i++) {
        const uint32_t row = rows->rows[i];
        const int in_time = weir_is_null(whole, row) || weir_is_null(times, row) ||
                            weir_get_int64(times, row) > late;
        rows->rows[n] = row;
        n += (uint32_t)in_time;
    }
    if (n < rows->n) op->join.host->count(lane->context, "late", rows->n - n);
    rows->n = n;
}

/* Splits rows: those that fail a condition are noted in lane->alone. Returns how many those are in
 * *n_alone. */
static int32_t split(const struct join_op *op, struct join_lane *lane, uint32_t s,
                     const struct weir_chunk *const *chunks, struct weir_rows *rows,
                     uint32_t *n_alone, struct weir_error *error)
{
    const struct join *join = &op->join;
    for (uint32_t k = 0; k < join->n_filters[s] && rows->n; k++) {
        struct ArrowArray bools;
        uint32_t n = 0;
        int32_t result = join->expr->eval(lane->context, join->filters[s][k], chunks, rows, &bools,
                                          error);
        if (result != WEIR_OK) return result;
        for (uint32_t i = 0; i < rows->n; i++) {
            const uint32_t row = rows->rows[i];
            const int good = !weir_is_null(&bools, row) && weir_get_bool(&bools, row);
            rows->rows[n] = row;
            n += (uint32_t)good;
            if (!good) lane->alone[row] = 1;
            *n_alone += (uint32_t)!good;
        }
        rows->n = n;
        bools.release(&bools);
    }
    return WEIR_OK;
}

static int32_t run_filters(const struct join_op *op, struct join_lane *lane, uint32_t s,
                           const struct weir_chunk *chunk, struct weir_rows *rows,
                           uint32_t *n_alone, struct weir_error *error)
{
    const struct weir_chunk *const chunks[2] = { chunk, chunk };
    const struct join *join = &op->join;
    int32_t result = WEIR_OK;
    if (op->sides[s].alone_at >= 0) {
        memset(lane->alone, 0, chunk->rows);
        return split(op, lane, s, chunks, rows, n_alone, error);
    }
    for (uint32_t k = 0; k < join->n_filters[s] && rows->n && result == WEIR_OK; k++)
        result = join->expr->filter(lane->context, join->filters[s][k], chunks, rows, error);
    return result;
}

/* Keys of rows that are alone were not computed: null, lest chance picks their group. */
static int32_t blank_alone(const struct join_op *op, const struct join_lane *lane,
                           const struct weir_chunk *chunk, struct ArrowArray *own,
                           struct weir_error *error)
{
    const struct join *join = &op->join;
    int32_t result = WEIR_OK;
    uint32_t *at = join->host->alloc((uint64_t)chunk->rows * sizeof *at + 4);
    if (!at) return no_memory(error);
    for (uint32_t i = 0; i < chunk->rows; i++) at[i] = lane->alone[i] ? JOIN_NONE : i;
    for (uint32_t i = 0; i < join->n_leaves && result == WEIR_OK; i++) {
        struct ArrowArray blank;
        if (!own[i].release || join->keys[join->leaves[i].key].is_struct) continue;
        result = join->data->take(join->key.children[i], &own[i], at, chunk->rows, &blank, error);
        own[i].release(&own[i]);
        own[i].release = NULL;
        if (result == WEIR_OK) own[i] = blank;
    }
    join->host->free(at);
    return result;
}

static int32_t bools_of(const struct join_op *op, const uint8_t *bytes, uint32_t n,
                        struct ArrowArray *out, struct weir_error *error)
{
    int32_t result = op->join.data->column(WEIR_TYPE_BOOL, n, 0, 0, out, error);
    uint8_t *bits;
    if (result != WEIR_OK) return result;
    bits = (uint8_t *)(uintptr_t)out->buffers[1];
    for (uint32_t i = 0; i < n; i++) bits[i >> 3] |= (uint8_t)((bytes[i] & 1) << (i & 7));
    return WEIR_OK;
}

/* Rows that have keys and those that are alone, as they stood in the chunk. */
static void merge_alone(const struct join_lane *lane, const struct weir_chunk *chunk,
                        struct weir_rows *rows)
{
    uint32_t n = rows->n, at = chunk->selected, left = 0;
    for (uint32_t i = 0; i < chunk->selected; i++) left += lane->alone[weir_row(chunk, i)];
    left += n;
    rows->n = left;
    while (at-- > 0 && left > 0) { /* from behind, in place */
        const uint32_t row = weir_row(chunk, at);
        if (lane->alone[row]) rows->rows[--left] = row;
        else if (n > 0 && rows->rows[n - 1] == row) rows->rows[--left] = rows->rows[--n];
    }
}

static int32_t emit(const struct join_op *op, struct join_lane *lane, uint32_t s,
                    const struct weir_chunk *chunk, struct weir_rows *rows, struct ArrowArray *own,
                    struct weir_error *error)
{
    const struct side *side = &op->sides[s];
    struct weir_output_column *out =
        op->join.host->alloc(side->n_exchange * sizeof *out + sizeof *out);
    struct ArrowArray alone = { 0 };
    int32_t result = out ? WEIR_OK : no_memory(error);
    if (result == WEIR_OK && side->alone_at >= 0)
        result = bools_of(op, lane->alone, chunk->rows, &alone, error);
    for (uint32_t i = 0; i < op->join.n_leaves && result != WEIR_OK; i++)
        if (own[i].release) own[i].release(&own[i]);
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .output = WEIR_OUTPUT_EXCHANGE,
                                          .from = chunk, .columns = out,
                                          .n_columns = side->n_exchange, .rows = chunk->rows };
        for (uint32_t i = 0; i < side->n_exchange; i++)
            out[i] = (struct weir_output_column){ side->from[i], 0, NULL };
        for (uint32_t i = 0; i < op->join.n_leaves; i++)
            if (side->from[side->leaf_at[i]] < 0) out[side->leaf_at[i]].array = &own[i];
        if (side->alone_at >= 0) out[side->alone_at].array = &alone;
        if (rows->n < chunk->rows) {
            emission.selection = rows->rows;
            emission.selected = rows->n;
        }
        result = op->join.host->emit(lane->context, &emission, error);
    }
    op->join.host->free(out);
    return result;
}

int32_t join_op_combine(void *self, void *l, uint32_t s, const struct weir_chunk *chunk,
                        struct weir_error *error)
{
    const struct join_op *op = self;
    struct join_lane *lane = l;
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    struct ArrowArray own[JOIN_KEYS_MAX];
    struct weir_rows rows = { sizeof rows, chunk->selected, lane->rows };
    uint32_t n_alone = 0;
    int32_t result;
    for (uint32_t i = 0; i < rows.n; i++) rows.rows[i] = weir_row(chunk, i);
    drop_late(op, lane, s, chunk, &rows);
    result = run_filters(op, lane, s, chunk, &rows, &n_alone, error);
    if (result == WEIR_OK)
        result = join_leaves(&op->join, lane->context, s, chunk, &rows, leaves, own, error);
    if (result != WEIR_OK) return result;
    if (!join_keeps(op->join.type, s)) join_drop_nulls(&op->join, leaves, &rows);
    if (n_alone) {
        merge_alone(lane, chunk, &rows);
        result = blank_alone(op, lane, chunk, own, error);
    }
    if (result == WEIR_OK && rows.n) return emit(op, lane, s, chunk, &rows, own, error);
    for (uint32_t i = 0; i < op->join.n_leaves; i++)
        if (own[i].release) own[i].release(&own[i]);
    return result;
}

/* Nothing is held back before the exchange. */
int32_t join_op_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    (void)self;
    (void)lane;
    (void)input;
    (void)error;
    return WEIR_OK;
}
