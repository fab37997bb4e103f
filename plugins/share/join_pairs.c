/*
 * join_pairs.c - candidates become rows of the result, a block of pairs at a time.
 *
 * A block holds at most JOIN_PAIRS pairs, whatever the number of partners is, so memory is bounded.
 * When it is full (or the probing chunk is over) it is flushed:
 *
 *  1. the conditions over both sides are computed on the whole block, each on the pairs that the
 *     ones before left;
 *  2. the pairs are walked in order: one that passed marks its rows and comes out; a probing row
 *     whose candidates are over (a pair with JOIN_NONE) comes out alone if none has passed;
 *  3. what came out is gathered column by column and emitted.
 *
 * Order: probing rows in their order, for each its candidates in theirs. Marks of probing rows
 * outlast a block, so blocks can't be seen in the result.
 *
 * Conditions that may fail. A probing row on which one fails, with any of its candidates, is a bad
 * row: it is rejected once, whole, and nothing of it comes out, neither in pairs nor alone. So
 * no pair of a row may come out before all of its candidates were looked at:
 *
 *  - a row whose candidates are not over when the block is full waits at the front of the next one;
 *  - of one with more candidates than a block holds, those that passed are held: 4 bytes for each,
 *    of rows that are in memory anyway.
 */
#include "plugins/share/join.h"

int32_t join_pairs_init(struct join_pairs *pairs, const struct join *join,
                        struct weir_context *lane, struct weir_error *error)
{
    uint64_t most = join->n_columns;
    for (uint32_t s = 0; s < 2; s++)
        if ((uint64_t)join->inputs[s].schema->n_children > most)
            most = (uint64_t)join->inputs[s].schema->n_children;
    pairs->join = join;
    pairs->lane = lane;
    pairs->arrays = join->host->alloc((2 * most + 1) * sizeof *pairs->arrays);
    pairs->out = join->host->alloc((most + 1) * sizeof *pairs->out);
    if (!pairs->arrays || !pairs->out) return no_memory(error);
    memset(pairs->arrays, 0, (2 * most + 1) * sizeof *pairs->arrays);
    return WEIR_OK;
}

void join_pairs_fini(struct join_pairs *pairs)
{
    if (!pairs->join) return;
    pairs->join->host->free(pairs->failures);
    pairs->join->host->free(pairs->held);
    pairs->join->host->free(pairs->arrays);
    pairs->join->host->free(pairs->out);
}

void join_pairs_begin(struct join_pairs *pairs, uint32_t side, uint32_t rows)
{
    pairs->probe = side;
    pairs->n = pairs->n_held = 0;
    memset(pairs->matched, 0, rows);
    memset(pairs->gone, 0, rows);
}

/* Room for `need` entries of `size` bytes. */
static int32_t room_for(const struct join_pairs *pairs, void *list, uint32_t *room, uint32_t need,
                        uint64_t size, struct weir_error *error)
{
    uint64_t n = *room ? *room : 16;
    void *old, *more;
    if (need <= *room) return WEIR_OK;
    while (n < need) n *= 2;
    memcpy(&old, list, sizeof old);
    more = pairs->join->host->realloc(old, n * size);
    if (!more) return no_memory(error);
    memcpy(list, &more, sizeof more);
    *room = (uint32_t)n;
    return WEIR_OK;
}

/* ---- columns ---- */

static int32_t take(struct join_pairs *pairs, uint32_t side, uint32_t column,
                    struct ArrowArray *out, struct weir_error *error)
{
    const struct join_source *source = &pairs->sources[side];
    return source->take(source->arg, column, pairs->rows[side], pairs->n, out, error);
}

static void drop(struct ArrowArray *arrays, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (arrays[i].release) arrays[i].release(&arrays[i]);
        arrays[i].release = NULL;
    }
}

/* The pairs of the block as two chunks, with the columns that are needed for `why`. */
static int32_t load(struct join_pairs *pairs, uint8_t why, const struct weir_chunk *chunks[2],
                    struct weir_error *error)
{
    const struct join *join = pairs->join;
    int32_t result = WEIR_OK;
    chunks[0] = chunks[1] = NULL;
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++) {
        const uint32_t n = (uint32_t)join->inputs[s].schema->n_children;
        struct ArrowArray *arrays = pairs->arrays + join->n_columns;
        memset(arrays, 0, n * sizeof *arrays);
        for (uint32_t c = 0; c < n && result == WEIR_OK; c++)
            if (join->needed[s][c] & why) result = take(pairs, s, c, &arrays[c], error);
        if (result == WEIR_OK)
            result = join->data->chunk(join->inputs[s].schema, arrays, pairs->n, &chunks[s], error);
        else drop(arrays, n);
    }
    if (result == WEIR_OK) return result;
    if (chunks[0]) join->host->chunk_release(chunks[0]);
    return result;
}

static void unload(struct join_pairs *pairs, const struct weir_chunk *chunks[2])
{
    for (uint32_t s = 0; s < 2; s++)
        if (chunks[s]) pairs->join->host->chunk_release(chunks[s]);
}

/* ---- bad rows ---- */

/* Rejects a row of a side, with the columns that are there for one of `why`. */
static int32_t reject(struct join_pairs *pairs, uint32_t side, uint32_t row, uint8_t why,
                      const char *reason, struct weir_error *error)
{
    const struct join *join = pairs->join;
    const struct join_source *source = &pairs->sources[side];
    const uint32_t n = (uint32_t)join->inputs[side].schema->n_children;
    struct ArrowArray *arrays = pairs->arrays + join->n_columns;
    const struct weir_chunk *chunk;
    int32_t result = WEIR_OK;
    memset(arrays, 0, n * sizeof *arrays);
    for (uint32_t c = 0; c < n && result == WEIR_OK; c++)
        if (join->needed[side][c] & why)
            result = source->take(source->arg, c, &row, 1, &arrays[c], error);
    if (result == WEIR_OK)
        result = join->data->chunk(join->inputs[side].schema, arrays, 1, &chunk, error);
    else drop(arrays, n);
    if (result != WEIR_OK) return result;
    result = join->host->reject(pairs->lane, chunk, 0, WEIR_REJECT_EXPRESSION, reason, error);
    join->host->chunk_release(chunk);
    return result;
}

/* A condition has failed on a pair. Failures are in the order of rows, whichever failed first. */
static int32_t note_failure(void *arg, uint32_t pair, const char *reason, struct weir_error *error)
{
    struct join_pairs *pairs = arg;
    const uint32_t row = pairs->rows[pairs->probe][pair];
    uint32_t at = pairs->n_failures;
    if (pairs->gone[row]) return WEIR_OK;
    int32_t result = room_for(pairs, &pairs->failures, &pairs->failures_room, at + 1,
                              sizeof *pairs->failures, error);
    if (result != WEIR_OK) return result;
    for (; at > 0 && pairs->failures[at - 1].row > row; at--)
        pairs->failures[at] = pairs->failures[at - 1];
    pairs->failures[at].row = row;
    snprintf(pairs->failures[at].reason, sizeof pairs->failures[at].reason, "%s", reason);
    pairs->n_failures++;
    pairs->gone[row] = 1;
    return WEIR_OK;
}

static int32_t reject_failures(struct join_pairs *pairs, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < pairs->n_failures && result == WEIR_OK; i++)
        result = reject(pairs, pairs->probe, pairs->failures[i].row, 0xff,
                        pairs->failures[i].reason, error);
    pairs->n_failures = 0;
    return result;
}

/* An expression of the result has failed: of a pair the left row is rejected. */
static int32_t reject_result(void *arg, uint32_t pair, const char *reason, struct weir_error *error)
{
    struct join_pairs *pairs = arg;
    const uint32_t side = pairs->rows[0][pair] == JOIN_NONE;
    return reject(pairs, side, pairs->rows[side][pair], (uint8_t)~JOIN_FOR_LETTER, reason, error);
}

/* ---- 1: conditions ---- */

static int32_t run_conditions(struct join_pairs *pairs, struct weir_error *error)
{
    const struct join *join = pairs->join;
    const struct weir_chunk *chunks[2];
    struct weir_rows rows = { sizeof rows, 0, pairs->keep };
    int32_t result;
    for (uint32_t i = 0; i < pairs->n; i++)
        if (pairs->rows[1 - pairs->probe][i] != JOIN_NONE) rows.rows[rows.n++] = i;
    memset(pairs->pass, 0, pairs->n);
    if (rows.n == 0) return WEIR_OK;
    result = load(pairs, JOIN_FOR_REST, chunks, error);
    if (result != WEIR_OK) return result;
    for (uint32_t k = 0; k < join->n_rest && rows.n && result == WEIR_OK; k++)
        result = join->expr->filter_telling(pairs->lane, join->rest[k], chunks, &rows,
                                            note_failure, pairs, error);
    unload(pairs, chunks);
    for (uint32_t i = 0; i < rows.n; i++) pairs->pass[rows.rows[i]] = 1;
    return result == WEIR_OK ? reject_failures(pairs, error) : result;
}

/* ---- 2: the walk ---- */

/* A pair that passed: does it come out? Marks both rows. */
static int32_t match(struct join_pairs *pairs, uint32_t row, uint32_t other, int *comes_out,
                     struct weir_error *error)
{
    const struct join_marks *marks = &pairs->marks;
    *comes_out = 1;
    if (join_left_only(pairs->join->type)) {
        const int before = pairs->probe ? marks->is_set(marks->arg, other) : pairs->matched[row];
        *comes_out = !before && pairs->join->type == JOIN_LEFT_SEMI;
        if (before) return WEIR_OK;
    }
    pairs->matched[row] = 1;
    return marks->set ? marks->set(marks->arg, other, error) : WEIR_OK;
}

static int32_t walk(struct join_pairs *pairs, struct weir_error *error)
{
    uint32_t *row = pairs->rows[pairs->probe], *other = pairs->rows[1 - pairs->probe];
    uint32_t n = 0;
    for (uint32_t i = 0; i < pairs->n; i++) {
        int comes_out = 0;
        if (pairs->gone[row[i]]) continue;
        if (other[i] == JOIN_NONE) {
            comes_out = !pairs->matched[row[i]];
        } else if (!pairs->join->n_rest || pairs->pass[i]) {
            int32_t result = match(pairs, row[i], other[i], &comes_out, error);
            if (result != WEIR_OK) return result;
        }
        row[n] = row[i];
        other[n] = other[i];
        n += (uint32_t)comes_out;
    }
    pairs->n = n;
    return WEIR_OK;
}

/* ---- 3: out ---- */

static int32_t run_columns(struct join_pairs *pairs, struct weir_rows *rows,
                           struct weir_error *error)
{
    const struct join *join = pairs->join;
    const struct weir_chunk *chunks[2];
    int32_t result = load(pairs, JOIN_FOR_EXPR, chunks, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < join->n_columns && result == WEIR_OK; i++)
        if (join->columns[i].expr)
            result = join->expr->eval_telling(pairs->lane, join->columns[i].expr, chunks, rows,
                                              &pairs->arrays[i], reject_result, pairs, error);
    unload(pairs, chunks);
    return result;
}

static int has_exprs(const struct join *join)
{
    for (uint32_t i = 0; i < join->n_columns; i++)
        if (join->columns[i].expr) return 1;
    return 0;
}

int32_t join_pairs_emit(struct join_pairs *pairs, struct weir_error *error)
{
    const struct join *join = pairs->join;
    struct weir_rows rows = { sizeof rows, pairs->n, pairs->keep };
    struct weir_emission emission = { .size = sizeof emission, .columns = pairs->out,
                                      .n_columns = join->n_columns, .rows = pairs->n };
    int32_t result = WEIR_OK;
    if (pairs->n == 0) return WEIR_OK;
    for (uint32_t i = 0; i < pairs->n; i++) rows.rows[i] = i;
    memset(pairs->arrays, 0, join->n_columns * sizeof *pairs->arrays);
    if (has_exprs(join)) result = run_columns(pairs, &rows, error);
    for (uint32_t i = 0; i < join->n_columns && result == WEIR_OK; i++) {
        const struct join_column *column = &join->columns[i];
        pairs->out[i] = (struct weir_output_column){ -1, 0, &pairs->arrays[i] };
        if (!column->expr)
            result = take(pairs, column->side, column->column, &pairs->arrays[i], error);
    }
    if (result != WEIR_OK || rows.n == 0) {
        drop(pairs->arrays, join->n_columns);
        return result;
    }
    if (rows.n < pairs->n) {
        emission.selection = rows.rows;
        emission.selected = rows.n;
    }
    return join->host->emit(pairs->lane, &emission, error);
}

/* ---- blocks ---- */

/* How many pairs of the block are of rows whose candidates are over. */
static uint32_t whole_rows(const struct join_pairs *pairs)
{
    const uint32_t *row = pairs->rows[pairs->probe];
    uint32_t n = pairs->n;
    if (!pairs->join->may_reject || pairs->rows[1 - pairs->probe][n - 1] == JOIN_NONE) return n;
    while (n > 0 && row[n - 1] == row[pairs->n - 1]) n--;
    return n;
}

static int32_t emit_held(struct join_pairs *pairs, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t from = 0; from < pairs->n_held && result == WEIR_OK; from += JOIN_PAIRS) {
        pairs->n = pairs->n_held - from < JOIN_PAIRS ? pairs->n_held - from : JOIN_PAIRS;
        for (uint32_t i = 0; i < pairs->n; i++) pairs->rows[pairs->probe][i] = pairs->held_row;
        memcpy(pairs->rows[1 - pairs->probe], pairs->held + from, pairs->n * sizeof *pairs->held);
        memset(pairs->pass, 1, pairs->n);
        result = walk(pairs, error);
        if (result == WEIR_OK) result = join_pairs_emit(pairs, error);
    }
    return result;
}

/* The candidates of the held row are over: it comes out, before the block. */
static int32_t release_held(struct join_pairs *pairs, struct weir_error *error)
{
    const uint32_t n = pairs->n;
    int32_t result = WEIR_OK;
    if (pairs->n_held && !pairs->gone[pairs->held_row]) {
        const struct weir_host *host = pairs->join->host;
        uint8_t *block = host->alloc(sizeof pairs->rows + sizeof pairs->pass);
        if (!block) return no_memory(error);
        memcpy(block, pairs->rows, sizeof pairs->rows);
        memcpy(block + sizeof pairs->rows, pairs->pass, sizeof pairs->pass);
        result = emit_held(pairs, error);
        memcpy(pairs->rows, block, sizeof pairs->rows);
        memcpy(pairs->pass, block + sizeof pairs->rows, sizeof pairs->pass);
        host->free(block);
    }
    pairs->n = n;
    pairs->n_held = 0;
    return result;
}

/* The block is of one row, which may go on. One that was held and is another is over, then: with
 * just as many candidates as full blocks hold there is no pair of it in this one. */
static int32_t hold(struct join_pairs *pairs, struct weir_error *error)
{
    const uint32_t row = pairs->rows[pairs->probe][0];
    int32_t result = pairs->held_row != row ? release_held(pairs, error) : WEIR_OK;
    if (result == WEIR_OK) result = run_conditions(pairs, error);
    if (result == WEIR_OK)
        result = room_for(pairs, &pairs->held, &pairs->held_room, pairs->n_held + pairs->n,
                          sizeof *pairs->held, error);
    if (result != WEIR_OK) return result;
    pairs->held_row = row;
    for (uint32_t i = 0; i < pairs->n; i++)
        if (pairs->pass[i]) pairs->held[pairs->n_held++] = pairs->rows[1 - pairs->probe][i];
    pairs->n = 0;
    return WEIR_OK;
}

static int32_t settle(struct join_pairs *pairs, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    if (pairs->n && pairs->join->n_rest) result = run_conditions(pairs, error);
    if (result == WEIR_OK) result = release_held(pairs, error);
    if (result == WEIR_OK) result = walk(pairs, error);
    if (result == WEIR_OK) result = join_pairs_emit(pairs, error);
    return result;
}

int32_t join_pairs_full(struct join_pairs *pairs, struct weir_error *error)
{
    const uint32_t all = pairs->n, whole = whole_rows(pairs);
    int32_t result;
    if (whole == 0) return hold(pairs, error);
    pairs->n = whole;
    result = settle(pairs, error);
    for (uint32_t s = 0; s < 2; s++)
        memmove(pairs->rows[s], pairs->rows[s] + whole, (all - whole) * sizeof **pairs->rows);
    pairs->n = all - whole;
    return result;
}

int32_t join_pairs_flush(struct join_pairs *pairs, struct weir_error *error)
{
    int32_t result = settle(pairs, error);
    pairs->n = 0;
    return result;
}
