/*
 * cross.c - rows that cross the exchange as they are: key and arguments.
 *
 * They must where a call is distinct or late rows are an output (aggregation.c, event_time.c). Else
 * they may: combining before the exchange saves work where keys repeat within a segment; where
 * they hardly do, it is a table that misses the cache for nothing, and partials are wider than
 * arguments. So the keys of the first SAMPLE rows of a segment are looked up, and if fewer than 1 in REPEATS of
 * them met a key that was there, the rows of the segment cross as they are.
 *
 *  1. The sample is cut at a row, not at a chunk, so that the decision depends on the rows of the
 *     segment alone.
 *  2. Rows of the sample that lie in chunks before that of the last one were combined by then; they are emitted
 *     before the rows that follow them. The chunk of the last one crosses whole. So groups arrive in the order of their
 *     first rows, and rows of a group in order, wherever chunks end.
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

/* Looks up the first of n rows, as far as the sample goes, and decides at its end; *taken of them are combined then. */
static int32_t sample(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                      const uint32_t *rows, uint32_t n, uint32_t *taken, struct weir_error *error)
{
    const uint32_t before = lane->groups ? a->combine->count(lane->groups) : 0;
    uint32_t some = n < SAMPLE - lane->sampled ? n : SAMPLE - lane->sampled;
    *taken = 0;
    if (some == 0) return WEIR_OK;
    int32_t result = lane_find_slots(a, lane, 0, lane->inputs, NULL, rows, some, error);
    if (result != WEIR_OK) return result;
    lane->sampled += some;
    if (lane->sampled == SAMPLE) {
        lane->crosses = SAMPLE - a->combine->count(lane->groups) < SAMPLE / REPEATS;
        if (lane->crosses) return lane_flush(a, lane, before, error);
    }
    *taken = some;
    return lane_apply(a, lane, 0, chunk->rows, rows, some, error);
}

int32_t lane_cross(const struct aggregation *a, struct lane *lane, const struct weir_chunk *chunk,
                   struct weir_rows *rows, struct weir_error *error)
{
    const uint32_t *all = rows->rows ? rows->rows : chunk->selection;
    uint32_t from = 0;
    int32_t result = sample(a, lane, chunk, all, rows->n, &from, error);
    if (result != WEIR_OK || from == rows->n) return result;
    if (from && !all) { /* the rest of all rows */
        lane_list_rows(lane, chunk, rows);
        all = rows->rows;
    }
    const uint32_t *rest = all ? all + from : NULL;
    if (!lane->crosses) return lane_combine(a, lane, chunk, rest, rows->n - from, error);
    return lane_emit_raw(a, lane, WEIR_OUTPUT_UNCOMBINED, chunk, rest, rows->n - from, error);
}
