/*
 * cross.c - rows that cross the exchange as they are: key and arguments.
 *
 * They must where a call is distinct or late rows are an output (aggregation.c, event_time.c). Else
 * they may: combining before the exchange saves work where keys repeat within a segment; where
 * they hardly do, it is a table that misses the cache for nothing, and partials are wider than
 * arguments. So the keys of the first SAMPLE rows of a segment are looked up, and if fewer than 1
 * in REPEATS of them met a key that was there, all rows of the segment cross as they are; else all
 * are combined, as those of a shorter segment are.
 *
 *  1. The sample is cut at a row, not at a chunk, so the decision depends on the rows of the
 *     segment alone. What is combined shows in sums of floating-point numbers.
 *  2. Where the sample goes over several chunks, its rows are combined as they come, and copies of
 *     them are held (fewer than SAMPLE rows), which cross if that is decided, in their order; the
 *     table is emptied then. Where it lies in one chunk, as most do, nothing is held.
 *
 * With k keys, uniform, a sample of 4,096 has about 4096^2 / 2k repeats: the line of 1 in 32 is at
 * 65,000 keys, where combining a segment of 65,536 rows would leave 63 % of them.
 */
#include "plugins/operator_aggregate/lane.h"

#define SAMPLE 4096u
#define REPEATS 32u

/* Column i of what crosses uncombined: of the input, or made here. */
static struct weir_output_column raw_column(const struct aggregation *a, struct lane *lane,
                                            uint32_t i)
{
    int32_t input = -1;
    uint32_t at = a->n_by + i; /* among the evaluated */
    if (i >= a->n_keys + a->n_args) input = (int32_t)(i - a->n_keys - a->n_args);
    else if (i >= a->n_keys) input = a->arg_inputs[i - a->n_keys];
    for (uint32_t k = 0; k < a->n_by && i < a->n_flat; k++)
        if (a->by[k].first == i && !a->by[k].fields) {
            input = a->by[k].input;
            at = k;
        }
    return (struct weir_output_column){ input, 0, input < 0 ? &lane->evaluated[at] : NULL };
}

int32_t lane_emit_raw(const struct aggregation *a, struct lane *lane, uint32_t output,
                      const struct weir_chunk *chunk, const uint32_t *rows, uint32_t n,
                      struct weir_error *error)
{
    uint32_t columns = a->n_keys + a->n_args + a->n_input;
    for (uint32_t i = 0; i < columns; i++) lane->out[i] = raw_column(a, lane, i);
    struct weir_emission emission = { .size = sizeof emission, .output = output,
                                      .from = chunk, .columns = lane->out, .n_columns = columns,
                                      .rows = chunk->rows, .selection = rows, .selected = n };
    return a->host->emit(lane->context, &emission, error);
}

int lane_is_raw(const struct aggregation *a, const struct weir_chunk *chunk)
{
    return a->raw || (a->may_cross && chunk->schema->children[0]->name[0] == 'u');
}

/* ---- the sample ---- */

struct held {
    struct ArrowArray *columns; /* key, then arguments; moved away where the first is released */
    uint32_t rows;
};

static void drop_columns(const struct aggregation *a, struct ArrowArray *columns)
{
    for (uint32_t i = 0; i < a->n_keys + a->n_args; i++)
        if (columns[i].release) columns[i].release(&columns[i]);
    a->host->free(columns);
}

void lane_drop_held(const struct aggregation *a, struct lane *lane)
{
    for (uint32_t k = 0; k < lane->n_held; k++) drop_columns(a, lane->held[k].columns);
    lane->n_held = 0;
}

/* Copies n rows of the chunk, the values of which are in lane->inputs. */
static int32_t hold(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                    const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    const uint32_t columns = a->n_keys + a->n_args;
    int32_t result = WEIR_OK;
    if (lane->n_held == lane->held_room) {
        const uint32_t room = lane->held_room ? 2 * lane->held_room : 4;
        struct held *more = a->host->realloc(lane->held, room * sizeof *more);
        if (!more) return no_memory(error);
        lane->held = more;
        lane->held_room = room;
    }
    struct held *h = &lane->held[lane->n_held];
    *h = (struct held){ a->host->alloc(columns * sizeof *h->columns), n };
    if (!h->columns) return no_memory(error);
    memset(h->columns, 0, columns * sizeof *h->columns);
    lane->n_held++;
    for (uint32_t i = 0; i < columns && result == WEIR_OK; i++)
        result = a->data->take(aggregation_exchange_type(a, i, chunk->schema), lane->inputs[i],
                               rows, n, &h->columns[i], error);
    return result;
}

static int32_t emit_held(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    const uint32_t columns = a->n_keys + a->n_args;
    int32_t result = WEIR_OK;
    for (uint32_t k = 0; k < lane->n_held && result == WEIR_OK; k++) {
        struct weir_emission emission = { .size = sizeof emission,
                                          .output = WEIR_OUTPUT_UNCOMBINED, .columns = lane->out,
                                          .n_columns = columns, .rows = lane->held[k].rows };
        for (uint32_t i = 0; i < columns; i++)
            lane->out[i] = (struct weir_output_column){ -1, 0, &lane->held[k].columns[i] };
        result = a->host->emit(lane->context, &emission, error);
    }
    lane_drop_held(a, lane);
    return result;
}

/* Looks up the first n rows, with which the sample ends, and decides. */
static int32_t decide(const struct aggregation *a, struct lane *lane, const uint32_t *rows,
                      uint32_t n, struct weir_error *error)
{
    int32_t result = lane_find_slots(a, lane, 0, lane->inputs, NULL, rows, n, error);
    if (result != WEIR_OK) return result;
    lane->sampled = SAMPLE;
    lane->crosses = SAMPLE - a->combine->count(lane->groups) < SAMPLE / REPEATS;
    if (lane->crosses) {
        lane_clear(a, lane);
        return emit_held(a, lane, error);
    }
    lane_drop_held(a, lane);
    return WEIR_OK;
}

/* A chunk with which the sample does not end. */
static int32_t cross_before(const struct aggregation *a, struct lane *lane,
                            const struct weir_chunk *chunk, struct weir_rows *rows,
                            struct weir_error *error)
{
    const uint32_t *all = rows->rows ? rows->rows : chunk->selection;
    lane->sampled += rows->n;
    lane_list_rows(lane, chunk, rows);
    int32_t result = hold(a, lane, chunk, rows->rows, rows->n, error);
    return result == WEIR_OK ? lane_combine(a, lane, chunk, all, rows->n, error) : result;
}

int32_t lane_cross(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                   struct weir_rows *rows, struct weir_error *error)
{
    const uint32_t *all = rows->rows ? rows->rows : chunk->selection;
    const uint32_t left = SAMPLE - lane->sampled;
    if (rows->n < left) return cross_before(a, lane, chunk, rows, error);
    int32_t result = left ? decide(a, lane, all, left, error) : WEIR_OK;
    if (result == WEIR_OK && lane->crosses)
        return lane_emit_raw(a, lane, WEIR_OUTPUT_UNCOMBINED, chunk, all, rows->n, error);
    if (result == WEIR_OK && left) /* they have their slots */
        result = lane_apply(a, lane, 0, chunk->rows, all, left, error);
    if (result != WEIR_OK || left == rows->n) return result;
    if (left && !all) { /* the rest of all rows */
        lane_list_rows(lane, chunk, rows);
        all = rows->rows;
    }
    return lane_combine(a, lane, chunk, all ? all + left : NULL, rows->n - left, error);
}
