/*
 * stream.c - scope `stream`: rows of both sides wait in state for their partners.
 *
 * Each side has a table, key → rows in the order of arrival. In a batch a group does this (the
 * symmetric hash join of Structured Streaming):
 *
 *  1. Left rows are matched with the right rows in state, and stored; of left_semi only those that
 *     found nothing.
 *  2. Right rows are matched with the left rows in state, those of this batch among them, and
 *     stored, unless their time is over already; one of an outer side that found nothing is stored
 *     all the same.
 *  3. Rows whose time is over are evicted, left before right; of an outer side they come out, if
 *     they never matched.
 *
 * Invariants:
 *  1. `matched` of a row says whether it ever was in a pair of the result; it lasts longer than its
 *     partners, so a row whose partner was evicted does not come out as one without.
 *  2. A row leaves state once, when the watermark reaches its expiry, which is a timer of event
 *     time: the engine runs groups, and batches without rows, for those that are due.
 *  3. A row with a null key waits as others do, but is never looked at by the other side.
 *  4. A row on which a condition fails with a partner that waits is rejected, and not stored: as if
 *     it had not come. The partner stays.
 */
#include "plugins/operator_join/op.h"

#define DUE_ROWS 4096u

/* Rows of a side in state. */
struct state_source {
    struct join_lane *lane;
    uint32_t side;
};

static int32_t take_state(void *arg, uint32_t column, const uint32_t *rows, uint32_t n,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct state_source *source = arg;
    return cells_read(source->lane->op, source->side, source->lane->begin.state, column, rows, n,
                      out, error);
}

int64_t expiry(const struct side *side, const struct ArrowArray *array, uint32_t row)
{
    const struct ArrowArray *times;
    int64_t at;
    if (!side->bounded) return INT64_MAX;
    times = array->children[side->time_at];
    if (weir_is_null(times, row)) return INT64_MAX;
    if (__builtin_sub_overflow(weir_get_int64(times, row), side->offset_us, &at))
        return side->offset_us < 0 ? INT64_MAX : INT64_MIN + 1;
    return at;
}

/* ---- marks ---- */

static uint8_t *mark_of(const struct join_lane *lane, uint32_t row)
{
    return lane->marks.base + row * lane->marks.stride;
}

static int is_marked(void *arg, uint32_t row) { return *mark_of(arg, row); }

static int32_t mark(void *arg, uint32_t row, struct weir_error *error)
{
    struct join_lane *lane = arg;
    const struct join_op *op = lane->op;
    if (*mark_of(lane, row)) return WEIR_OK;
    if (op->state->row_touch(lane->begin.state, op->sides[lane->other].table, &row, 1) != WEIR_OK)
        return no_memory(error);
    *mark_of(lane, row) = 1;
    return WEIR_OK;
}

static void open_marks(struct join_lane *lane, uint32_t side)
{
    const struct side *s = &lane->op->sides[side];
    const int asks = s->cells.matched >= 0;
    lane->other = side;
    if (asks)
        lane->marks = lane->op->state->column(lane->begin.state, s->table,
                                              (uint32_t)s->cells.matched);
    lane->pairs->marks =
        (struct join_marks){ asks ? is_marked : NULL, asks ? mark : NULL, lane };
}

/* ---- probing ---- */

static int32_t probe_row(struct join_lane *lane, uint32_t s, uint32_t row, uint32_t slot,
                         struct weir_error *error)
{
    const struct join_op *op = lane->op;
    const uint32_t table = op->sides[1 - s].table;
    const int once = s == 1 && op->join.type == JOIN_LEFT_SEMI && !op->join.may_reject;
    uint32_t other = op->state->row_first(lane->begin.state, table, slot);
    int32_t result = WEIR_OK;
    for (; other != WEIR_NO_ROW && result == WEIR_OK;
         other = op->state->row_next(lane->begin.state, table, other))
        if (!once || !*mark_of(lane, other))
            result = join_pairs_add(lane->pairs, row, other, error);
    return result;
}

static int32_t probe(struct join_lane *lane, uint32_t s, const struct weir_chunk *chunk,
                     const struct ArrowArray *const *leaves, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    struct state_source others = { lane, 1 - s };
    int32_t result = WEIR_OK;
    open_marks(lane, 1 - s);
    op->state->lookup(lane->begin.state, op->sides[1 - s].table, leaves, chunk->hash,
                      chunk->selection, chunk->selected, lane->slots);
    lane->pairs->sources[s] = array_rows(lane, s, chunk->array);
    lane->pairs->sources[1 - s] = (struct join_source){ take_state, &others };
    join_pairs_begin(lane->pairs, s, chunk->rows);
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        const uint32_t row = weir_row(chunk, i);
        if (array_alone(op, s, chunk->array, row))
            result = join_pairs_add(lane->pairs, row, JOIN_NONE, error);
        else if (lane->slots[i] != WEIR_NO_SLOT && !join_unmatchable(&op->join, leaves, row))
            result = probe_row(lane, s, row, lane->slots[i], error);
    }
    return result == WEIR_OK ? join_pairs_flush(lane->pairs, error) : result;
}

/* ---- storing ---- */

static int is_stored(const struct join_lane *lane, uint32_t s, const struct ArrowArray *array,
                     uint32_t row)
{
    const struct join_op *op = lane->op;
    const int matched = lane->pairs->matched[row];
    if (array_alone(op, s, array, row) || lane->pairs->gone[row]) return 0;
    if (s == 0) return !(matched && op->join.type == JOIN_LEFT_SEMI);
    if (expiry(&op->sides[s], array, row) > lane->begin.evict_us) return 1;
    return join_keeps(op->join.type, s) && !matched;
}

static int32_t set_timers(struct join_lane *lane, uint32_t s, const struct ArrowArray *array,
                          uint32_t n, struct weir_error *error)
{
    const struct side *side = &lane->op->sides[s];
    if (side->cells.expires < 0) return WEIR_OK;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t at = expiry(side, array, lane->rows[i]);
        if (at != INT64_MAX &&
            lane->op->state->set_timer(lane->begin.state, side->table,
                                       (uint32_t)side->cells.expires, lane->numbers[i],
                                       at) != WEIR_OK)
            return no_memory(error);
    }
    return WEIR_OK;
}

static int32_t store(struct join_lane *lane, uint32_t s, const struct weir_chunk *chunk,
                     const struct ArrowArray *const *leaves, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    const struct side *side = &op->sides[s];
    struct weir_state *state = lane->begin.state;
    uint32_t n = 0;
    int32_t result;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        const uint32_t row = weir_row(chunk, i);
        if (is_stored(lane, s, chunk->array, row)) lane->rows[n++] = row;
    }
    if (n == 0) return WEIR_OK;
    memset(lane->order, 0, n * sizeof *lane->order);
    result = op->state->lookup_or_insert(state, side->table, leaves, chunk->hash, lane->rows, n,
                                         lane->slots, error);
    if (result == WEIR_OK)
        result = op->state->row_append(state, side->table, lane->slots, lane->order, n,
                                       lane->numbers, error);
    if (result == WEIR_OK)
        result = cells_write(op, s, state, chunk->array, lane->rows, lane->numbers, n, error);
    if (result == WEIR_OK) result = set_timers(lane, s, chunk->array, n, error);
    if (result != WEIR_OK) return result;
    if (side->cells.matched >= 0) {
        const struct weir_view view =
            op->state->column(state, side->table, (uint32_t)side->cells.matched);
        for (uint32_t i = 0; i < n; i++)
            view.base[lane->numbers[i] * view.stride] = lane->pairs->matched[lane->rows[i]];
    }
    op->join.host->count(lane->context, "updated", n);
    return WEIR_OK;
}

int32_t stream_process(struct join_lane *lane, uint32_t s, const struct weir_chunk *chunk,
                       struct weir_error *error)
{
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    int32_t result = lane_pairs(lane, error);
    if (result == WEIR_OK) result = lane_room(lane, chunk->selected, error);
    if (result != WEIR_OK) return result;
    lane_leaves(lane->op, s, chunk->array, leaves);
    result = probe(lane, s, chunk, leaves, error);
    return result == WEIR_OK ? store(lane, s, chunk, leaves, error) : result;
}

/* ---- eviction ---- */

/* Rows of the outer side that never matched, of the n that go. */
static int32_t emit_unmatched(struct join_lane *lane, uint32_t s, uint32_t n,
                              struct weir_error *error)
{
    struct join_pairs *pairs = lane->pairs;
    struct state_source own = { lane, s };
    pairs->sources[s] = (struct join_source){ take_state, &own };
    pairs->sources[1 - s] = array_rows(lane, 1 - s, &lane->empty[1 - s]);
    open_marks(lane, s);
    pairs->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (*mark_of(lane, lane->numbers[i])) continue;
        pairs->rows[s][pairs->n] = lane->numbers[i];
        pairs->rows[1 - s][pairs->n++] = JOIN_NONE;
    }
    int32_t result = join_pairs_emit(pairs, error);
    pairs->n = 0;
    return result;
}

static int32_t evict(struct join_lane *lane, uint32_t s, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    const struct side *side = &op->sides[s];
    struct weir_state *state = lane->begin.state;
    uint64_t removed = 0;
    uint32_t n;
    if (side->cells.expires < 0 || lane->begin.evict_us == WEIR_WATERMARK_NONE) return WEIR_OK;
    while ((n = op->state->due(state, side->table, (uint32_t)side->cells.expires,
                               lane->begin.evict_us, lane->numbers, DUE_ROWS)) > 0) {
        int32_t result = WEIR_OK;
        if (join_keeps(op->join.type, s)) result = emit_unmatched(lane, s, n, error);
        if (result != WEIR_OK) return result;
        if (op->state->row_remove(state, side->table, lane->numbers, n) != WEIR_OK)
            return no_memory(error);
        removed += n;
    }
    if (removed) op->join.host->count(lane->context, "removed", (int64_t)removed);
    return WEIR_OK;
}

int32_t stream_advance(struct join_lane *lane, struct weir_error *error)
{
    int32_t result = lane_pairs(lane, error);
    if (result == WEIR_OK) result = lane_room(lane, DUE_ROWS, error);
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++) result = evict(lane, s, error);
    return result;
}
