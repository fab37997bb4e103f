/*
 * batch.c - scope `batch`: the rows of one batch. Nothing is kept.
 *
 * Chunks of a group are held until both inputs are over. The right rows become one array and an
 * index, key → first row, row → next row of the key; the left rows probe it in their order. Of
 * right_outer and full_outer the right rows that nobody matched come last, in their order.
 */
#include "plugins/operator_join/op.h"

/* The right side of a group. */
struct build {
    struct ArrowArray array;
    uint32_t n;
    uint32_t *first; /* by slot of the index */
    uint32_t *next;  /* by row */
    uint8_t *matched;
    uint32_t n_slots;
};

int32_t batch_process(struct join_lane *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct weir_host *host = lane->op->join.host;
    struct kept *kept = &lane->kept[input];
    if (kept->n == kept->room) {
        const uint32_t room = kept->room ? kept->room * 2 : 16;
        const struct weir_chunk **chunks = host->realloc(kept->chunks, room * sizeof *chunks);
        if (!chunks) return no_memory(error);
        kept->chunks = chunks;
        kept->room = room;
    }
    host->chunk_retain(chunk);
    kept->chunks[kept->n++] = chunk;
    return WEIR_OK;
}

void batch_forget(struct join_lane *lane)
{
    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < lane->kept[s].n; i++)
            lane->op->join.host->chunk_release(lane->kept[s].chunks[i]);
        lane->kept[s].n = 0;
    }
}

/* ---- the right side ---- */

static int32_t concat(struct join_lane *lane, struct build *build, struct weir_error *error)
{
    const struct join *join = &lane->op->join;
    const struct kept *kept = &lane->kept[1];
    const uint64_t each =
        sizeof(struct ArrowArray *) + sizeof(uint32_t *) + sizeof(uint32_t);
    const struct ArrowArray **arrays = join->host->alloc(kept->n * each + 1);
    const uint32_t **selections;
    uint32_t *counts;
    int32_t result;
    if (!arrays) return no_memory(error);
    selections = (const uint32_t **)(void *)(arrays + kept->n);
    counts = (uint32_t *)(void *)(selections + kept->n);
    for (uint32_t i = 0; i < kept->n; i++) {
        arrays[i] = kept->chunks[i]->array;
        selections[i] = kept->chunks[i]->selection;
        counts[i] = kept->chunks[i]->selected;
    }
    result = join->data->concat(&lane->op->sides[1].exchange, arrays, selections, counts, kept->n,
                                &build->array, error);
    join->host->free(arrays);
    build->n = result == WEIR_OK ? (uint32_t)build->array.length : 0;
    return result;
}

static int32_t open_index(struct join_lane *lane, struct weir_error *error)
{
    const struct join *join = &lane->op->join;
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .key = &join->key };
    if (lane->index) {
        join->combine->clear(lane->index);
        return WEIR_OK;
    }
    return join->combine->create(lane->context, &spec, &lane->index, error);
}

/* Rows with keys into the index, from the last to the first so that lists are in order. */
static int32_t fill_index(struct join_lane *lane, struct build *build, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    const struct weir_host *host = op->join.host;
    uint32_t n = 0;
    int32_t result;
    lane_leaves(op, 1, &build->array, leaves);
    for (uint32_t row = 0; row < build->n; row++)
        if (!array_alone(op, 1, &build->array, row) && !join_unmatchable(&op->join, leaves, row))
            lane->numbers[n++] = row;
    result = op->join.combine->lookup_or_insert(lane->index, leaves, NULL, lane->numbers, n,
                                                lane->slots, error);
    if (result != WEIR_OK) return result;
    build->n_slots = op->join.combine->count(lane->index);
    build->first = host->alloc((uint64_t)build->n_slots * 4 + 4);
    build->next = host->alloc((uint64_t)build->n * 4 + 4);
    build->matched = host->alloc((uint64_t)build->n + 1);
    if (!build->first || !build->next || !build->matched) return no_memory(error);
    memset(build->first, 0xff, (uint64_t)build->n_slots * 4);
    memset(build->matched, 0, build->n);
    while (n-- > 0) {
        build->next[lane->numbers[n]] = build->first[lane->slots[n]];
        build->first[lane->slots[n]] = lane->numbers[n];
    }
    return WEIR_OK;
}

static int32_t mark(void *arg, uint32_t row, struct weir_error *error)
{
    (void)error;
    ((uint8_t *)arg)[row] = 1;
    return WEIR_OK;
}

/* ---- the left side ---- */

static int32_t probe(struct join_lane *lane, const struct build *build,
                     const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct join_op *op = lane->op;
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    const int keeps = join_keeps(op->join.type, 0);
    struct join_pairs *pairs = lane->pairs;
    int32_t result = lane_room(lane, chunk->selected, error);
    if (result != WEIR_OK) return result;
    lane_leaves(op, 0, chunk->array, leaves);
    op->join.combine->lookup(lane->index, leaves, NULL, chunk->selection, chunk->selected,
                             lane->slots);
    pairs->sources[0] = array_rows(lane, 0, chunk->array);
    join_pairs_begin(pairs, 0, chunk->rows);
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        const uint32_t row = weir_row(chunk, i), slot = lane->slots[i];
        uint32_t other = JOIN_NONE;
        if (slot != WEIR_NO_SLOT && build->n_slots && !array_alone(op, 0, chunk->array, row) &&
            !join_unmatchable(&op->join, leaves, row))
            other = build->first[slot];
        for (; other != JOIN_NONE && result == WEIR_OK; other = build->next[other])
            result = join_pairs_add(pairs, row, other, error);
        if (keeps && result == WEIR_OK) result = join_pairs_add(pairs, row, JOIN_NONE, error);
    }
    return result == WEIR_OK ? join_pairs_flush(pairs, error) : result;
}

static int32_t unmatched_right(struct join_lane *lane, const struct build *build,
                               struct weir_error *error)
{
    struct join_pairs *pairs = lane->pairs;
    int32_t result = WEIR_OK;
    pairs->sources[0] = array_rows(lane, 0, &lane->empty[0]);
    pairs->n = 0;
    for (uint32_t row = 0; row < build->n && result == WEIR_OK; row++) {
        if (build->matched[row]) continue;
        pairs->rows[0][pairs->n] = JOIN_NONE;
        pairs->rows[1][pairs->n++] = row;
        if (pairs->n < JOIN_PAIRS) continue;
        result = join_pairs_emit(pairs, error);
        pairs->n = 0;
    }
    if (result == WEIR_OK) result = join_pairs_emit(pairs, error);
    pairs->n = 0;
    return result;
}

static int32_t run(struct join_lane *lane, struct build *build, struct weir_error *error)
{
    const int keeps = join_keeps(lane->op->join.type, 1);
    int32_t result = lane_pairs(lane, error);
    if (result == WEIR_OK) result = concat(lane, build, error);
    if (result == WEIR_OK) result = lane_room(lane, build->n, error);
    if (result == WEIR_OK) result = open_index(lane, error);
    if (result == WEIR_OK) result = fill_index(lane, build, error);
    if (result != WEIR_OK) return result;
    lane->pairs->sources[1] = array_rows(lane, 1, &build->array);
    lane->pairs->marks = (struct join_marks){ NULL, keeps ? mark : NULL, build->matched };
    for (uint32_t i = 0; i < lane->kept[0].n && result == WEIR_OK; i++)
        result = probe(lane, build, lane->kept[0].chunks[i], error);
    return result == WEIR_OK && keeps ? unmatched_right(lane, build, error) : result;
}

int32_t batch_advance(struct join_lane *lane, struct weir_error *error)
{
    const struct weir_host *host = lane->op->join.host;
    struct build build = { 0 };
    int32_t result = WEIR_OK;
    if (lane->kept[0].n || lane->kept[1].n) result = run(lane, &build, error);
    if (build.array.release) build.array.release(&build.array);
    host->free(build.first);
    host->free(build.next);
    host->free(build.matched);
    batch_forget(lane);
    return result;
}
