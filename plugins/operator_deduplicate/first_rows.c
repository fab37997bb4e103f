/*
 * first_rows.c - rows against the keys that were there: the first of each passes.
 *
 * Before the exchange the key is evaluated, and rows that are late by W(n-1) are dropped: their key
 * may have been forgotten, so nobody could say whether they are the first. Behind it a row passes
 * if its key is not in state. Rows of one chunk that have the same new key get the same slot; the
 * first of them passes, which a bit per slot tells.
 *
 * A key is forgotten when the watermark W(n) reaches its timer, after the rows of batch n: its
 * event time, if that is part of the key; within the watermark the time of the row that passed and
 * the delay. A duplicate moves no timer.
 */
#include "plugins/operator_deduplicate/deduplicate.h"

#include "plugins/share/presence.h"

struct lane {
    struct weir_context *context;
    struct weir_begin begin;
    const struct ArrowArray **columns; /* of the exchange, of the chunk under way */
    const struct ArrowArray **keys;
    struct ArrowArray *parts;          /* evaluated, else released */
    struct ArrowArray *made;           /* columns of the exchange beside the input, likewise */
    struct weir_output_column *out;
    uint64_t *taken;                   /* bit per slot; all zero between chunks */
    uint32_t n_taken;                  /* words of it */
    int64_t passed;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint32_t slots[WEIR_CHUNK_MAX_ROWS];
};

int32_t first_rows_lane_create(void *self, struct weir_context *context, void **lane,
                               struct weir_error *error)
{
    const struct deduplicate *d = self;
    const uint32_t n = d->n_input + d->n_made;
    uint64_t bytes = sizeof(struct lane) +
                     ((uint64_t)n + d->n_keys) * sizeof(struct ArrowArray *) +
                     ((uint64_t)d->n_parts + d->n_made) * sizeof(struct ArrowArray) +
                     (uint64_t)n * sizeof(struct weir_output_column);
    struct lane *l = d->host->alloc(bytes);
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->context = context;
    l->parts = (struct ArrowArray *)(void *)(l + 1);
    l->made = l->parts + d->n_parts;
    l->out = (struct weir_output_column *)(void *)(l->made + d->n_made);
    l->columns = (const struct ArrowArray **)(void *)(l->out + n);
    l->keys = l->columns + n;
    *lane = l;
    return WEIR_OK;
}

void first_rows_lane_destroy(void *self, void *lane)
{
    const struct deduplicate *d = self;
    struct lane *l = lane;
    if (!l) return;
    d->host->free(l->taken);
    d->host->free(l);
}

int32_t first_rows_begin(void *self, void *lane, const struct weir_begin *in,
                         struct weir_error *error)
{
    struct lane *l = lane;
    (void)self;
    (void)error;
    l->begin = *in;
    l->passed = 0;
    return WEIR_OK;
}

static void count(const struct deduplicate *d, struct lane *lane, const char *name, int64_t n)
{
    if (n) d->host->count(lane->context, name, n);
}

/* The event time of a row (of a window its end), in the columns of the exchange. 0: it has none. */
static int time_of(const struct deduplicate *d, const struct lane *lane, uint32_t row,
                   int64_t *time)
{
    const struct ArrowArray *column = lane->columns[d->time.column];
    if (weir_is_null(column, row)) return 0;
    if (d->time.field >= 0) column = column->children[d->time.field];
    if (weir_is_null(column, row)) return 0;
    *time = weir_get_int64(column, row);
    return *time != PRESENCE_END;
}

/* ---- before the exchange ---- */

/* The fields of a struct as columns, null where it is, and whether it is there. */
static int32_t make_fields(const struct deduplicate *d, struct lane *lane,
                           const struct key_part *part, const struct ArrowArray *value, uint32_t n,
                           struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t r = 0; r < n; r++) lane->slots[r] = weir_is_null(value, r) ? UINT32_MAX : r;
    for (uint32_t i = 0; i < part->fields && result == WEIR_OK; i++) {
        const uint32_t at = part->first + i;
        uint32_t key = 0;
        while (d->key_columns[key] != at) key++;
        lane->columns[at] = &lane->made[at - d->n_input];
        result = d->data->take(d->key.children[key], value->children[i], lane->slots, n,
                               &lane->made[at - d->n_input], error);
    }
    if (result == WEIR_OK && part->window)
        result = presence_fold(d->data, value, lane->columns[part->first],
                               &lane->made[part->first + 1 - d->n_input], error);
    if (result != WEIR_OK || !part->presence) return result;
    struct ArrowArray *there = &lane->made[part->first + part->fields - d->n_input];
    lane->columns[part->first + part->fields] = there;
    return presence_of(d->data, value, n, there, error);
}

static int32_t eval_keys(const struct deduplicate *d, struct lane *lane,
                         const struct weir_chunk *chunk, struct weir_rows *rows,
                         struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < d->n_input; i++) lane->columns[i] = chunk->array->children[i];
    for (uint32_t i = 0; i < d->n_parts && result == WEIR_OK; i++) {
        const struct key_part *part = &d->parts[i];
        const struct ArrowArray *value = NULL;
        if (part->input >= 0) {
            value = chunk->array->children[part->input];
        } else if (part->fields) {
            value = &lane->parts[i];
            result = d->expr->eval(lane->context, part->expr, &chunk, rows, &lane->parts[i], error);
        } else {
            struct ArrowArray *out = &lane->made[part->first - d->n_input];
            lane->columns[part->first] = out;
            result = d->expr->eval(lane->context, part->expr, &chunk, rows, out, error);
        }
        if (result == WEIR_OK && part->fields)
            result = make_fields(d, lane, part, value, chunk->rows, error);
    }
    return result;
}

/* Late rows leave `rows`; within the watermark those without a time can't be used. */
static int32_t drop_late(const struct deduplicate *d, struct lane *lane,
                         const struct weir_chunk *chunk, struct weir_rows *rows,
                         struct weir_error *error)
{
    uint32_t kept = 0;
    int64_t late = 0, time;
    int32_t result = WEIR_OK;
    if (d->time.column < 0) return WEIR_OK;
    for (uint32_t i = 0; i < rows->n && result == WEIR_OK; i++) {
        const int timed = time_of(d, lane, rows->rows[i], &time);
        if (!timed && d->within)
            result = d->host->reject(lane->context, chunk, rows->rows[i], WEIR_REJECT_OPERATOR,
                                     "the event time is null: its key could never be forgotten",
                                     error);
        else if (timed && time <= lane->begin.late_us)
            late++;
        else
            rows->rows[kept++] = rows->rows[i];
    }
    rows->n = kept;
    count(d, lane, "late", late);
    return result;
}

static int32_t emit_to_exchange(const struct deduplicate *d, struct lane *lane,
                                const struct weir_chunk *chunk, const struct weir_rows *rows,
                                struct weir_error *error)
{
    const uint32_t n = d->n_input + d->n_made;
    for (uint32_t i = 0; i < n; i++)
        lane->out[i] = (struct weir_output_column){
            i < d->n_input ? (int32_t)i : -1, 0, i < d->n_input ? NULL : &lane->made[i - d->n_input]
        };
    struct weir_emission emission = { .size = sizeof emission, .output = WEIR_OUTPUT_EXCHANGE,
                                      .from = chunk, .columns = lane->out, .n_columns = n,
                                      .rows = chunk->rows, .selection = rows->rows,
                                      .selected = rows->n };
    return d->host->emit(lane->context, &emission, error);
}

int32_t first_rows_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                           struct weir_error *error)
{
    const struct deduplicate *d = self;
    struct lane *l = lane;
    struct weir_rows rows = { sizeof rows, chunk->selected, l->rows };
    (void)input;
    for (uint32_t i = 0; i < rows.n; i++) l->rows[i] = weir_row(chunk, i);
    int32_t result = eval_keys(d, l, chunk, &rows, error);
    if (result == WEIR_OK) result = drop_late(d, l, chunk, &rows, error);
    if (result == WEIR_OK && rows.n) result = emit_to_exchange(d, l, chunk, &rows, error);
    for (uint32_t i = 0; i < d->n_parts + d->n_made; i++) /* made follow the parts */
        if (l->parts[i].release) l->parts[i].release(&l->parts[i]);
    return result;
}

int32_t first_rows_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    (void)self;
    (void)lane;
    (void)input;
    (void)error;
    return WEIR_OK;
}

/* ---- behind it ---- */

static int32_t make_room(const struct deduplicate *d, struct lane *lane, uint32_t n,
                         struct weir_error *error)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        if (lane->slots[i] > most) most = lane->slots[i];
    if (most / 64 < lane->n_taken) return WEIR_OK;
    uint32_t words = (most / 64 + 64) * 2;
    uint64_t *taken = d->host->realloc(lane->taken, words * sizeof *taken);
    if (!taken) return no_memory(error);
    memset(taken + lane->n_taken, 0, (words - lane->n_taken) * sizeof *taken);
    lane->taken = taken;
    lane->n_taken = words;
    return WEIR_OK;
}

/* Of n rows with new keys (lane->rows, lane->slots) keeps the first of each slot. */
static uint32_t keep_first(struct lane *lane, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t slot = lane->slots[i];
        if (lane->taken[slot / 64] >> (slot & 63) & 1) continue;
        lane->taken[slot / 64] |= (uint64_t)1 << (slot & 63);
        lane->rows[kept] = lane->rows[i];
        lane->slots[kept++] = slot;
    }
    for (uint32_t i = 0; i < kept; i++) lane->taken[lane->slots[i] / 64] = 0;
    return kept;
}

static int32_t set_timers(const struct deduplicate *d, struct lane *lane, uint32_t n,
                          struct weir_error *error)
{
    int32_t result = WEIR_OK;
    int64_t time;
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        if (!time_of(d, lane, lane->rows[i], &time)) continue;
        if (d->within && __builtin_add_overflow(time - d->time.is_window, d->delay_us, &time))
            time = INT64_MAX;
        result = d->state->set_timer(lane->begin.state, d->table, 0, lane->slots[i], time);
    }
    return result == WEIR_OK ? WEIR_OK : no_memory(error);
}

/* Rows of the chunk whose keys are not in state, into lane->rows; their keys are made. */
static int32_t find_first(const struct deduplicate *d, struct lane *lane,
                          const struct weir_chunk *chunk, const uint64_t *hash, uint32_t *n,
                          struct weir_error *error)
{
    uint32_t fresh = 0;
    d->state->lookup(lane->begin.state, d->table, lane->keys, hash, chunk->selection,
                     chunk->selected, lane->slots);
    for (uint32_t i = 0; i < chunk->selected; i++)
        if (lane->slots[i] == WEIR_NO_SLOT) lane->rows[fresh++] = weir_row(chunk, i);
    *n = 0;
    if (fresh == 0) return WEIR_OK;
    int32_t result = d->state->lookup_or_insert(lane->begin.state, d->table, lane->keys, hash,
                                                lane->rows, fresh, lane->slots, error);
    if (result == WEIR_OK) result = make_room(d, lane, fresh, error);
    if (result == WEIR_OK) *n = keep_first(lane, fresh);
    return result == WEIR_OK && d->evicts ? set_timers(d, lane, *n, error) : result;
}

int32_t first_rows_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                           struct weir_error *error)
{
    const struct deduplicate *d = self;
    struct lane *l = lane;
    uint32_t n;
    (void)input;
    for (uint32_t i = 0; i < d->n_input + d->n_made; i++) l->columns[i] = chunk->array->children[i];
    for (uint32_t k = 0; k < d->n_keys; k++) l->keys[k] = l->columns[d->key_columns[k]];
    int32_t result = find_first(d, l, chunk, d->n_keys <= DISTRIBUTION_MAX ? chunk->hash : NULL,
                                &n, error);
    if (result != WEIR_OK) return result;
    count(d, l, "duplicates", (int64_t)chunk->selected - n);
    l->passed += n;
    if (n == 0) return WEIR_OK;
    for (uint32_t i = 0; i < d->n_input; i++)
        l->out[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    struct weir_emission emission = { .size = sizeof emission, .from = chunk, .columns = l->out,
                                      .n_columns = d->n_input, .rows = chunk->rows,
                                      .selection = l->rows, .selected = n };
    return d->host->emit(l->context, &emission, error);
}

int32_t first_rows_advance(void *self, void *lane, struct weir_error *error)
{
    const struct deduplicate *d = self;
    struct lane *l = lane;
    uint32_t n = WEIR_CHUNK_TARGET_ROWS;
    count(d, l, "updated", l->passed);
    if (!d->evicts || l->begin.evict_us == WEIR_WATERMARK_NONE) return WEIR_OK;
    while (n == WEIR_CHUNK_TARGET_ROWS) {
        n = d->state->due(l->begin.state, d->table, 0, l->begin.evict_us, l->slots, n);
        if (n && d->state->remove(l->begin.state, d->table, l->slots, n) != WEIR_OK)
            return no_memory(error);
        count(d, l, "removed", n);
    }
    return WEIR_OK;
}
