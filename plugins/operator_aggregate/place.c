/*
 * place.c - rows into time: in which windows or sessions they are, and which of them are late.
 *
 * Late is judged behind the exchange, by the watermark W(n-1) of this operator: a group whose time
 * is at or before it was given (or evicted) in an earlier batch. What is counted is groups, after
 * the combine side: one per row that crosses the exchange and window of it.
 *
 * Times go from the year 1 to 9999: a row with a window that begins before or ends behind is a bad
 * row, since what would come out could not be read back in any format.
 */
#include "plugins/operator_aggregate/lane.h"

#define TIME_LEAST (-62135596800000000ll) /* 0001-01-01 */
#define TIME_MOST 253402300799999999ll    /* 9999-12-31T23:59:59.999999 */

/* ---- before the exchange ---- */

static int64_t *new_times(const struct aggregation *a, struct lane *lane, uint32_t column,
                          uint32_t rows, struct weir_error *error)
{
    struct ArrowArray *array = &lane->evaluated[a->n_by + column];
    if (a->data->column(WEIR_TYPE_TIMESTAMP, rows, 0, 0, array, error) != WEIR_OK) return NULL;
    memset((void *)(uintptr_t)array->buffers[1], 0, (uint64_t)rows * 8);
    lane->inputs[column] = array;
    return (int64_t *)(uintptr_t)array->buffers[1];
}

/* The time of a row, of a window its last one. 0: it has none. */
static int time_of(const struct event_time *t, const struct ArrowArray *on, uint32_t row,
                   int64_t *time)
{
    if (weir_is_null(on, row)) return 0;
    if (t->on_end < 0) {
        *time = weir_get_int64(on, row);
        return 1;
    }
    if (weir_is_null(on->children[t->on_end], row)) return 0;
    *time = weir_get_int64(on->children[t->on_end], row) - 1;
    return 1;
}

static int32_t refuse_time(const struct aggregation *a, struct lane *lane,
                           const struct weir_chunk *chunk, uint32_t row, uint32_t *refused,
                           struct weir_error *error)
{
    ++*refused;
    return a->host->reject(lane->context, chunk, row, WEIR_REJECT_OPERATOR,
                           "its window or session reaches out of the years 0001 to 9999", error);
}

static int windows_fit(const struct time_windows *w, int64_t time)
{
    if (time >= TIME_LEAST + w->length && time <= TIME_MOST - w->length) return 1; /* nearly all */
    if (time < TIME_LEAST || time > TIME_MOST) return 0;
    const struct window_range in = windows_of(w, time);
    return window_begin(w, in.first) >= TIME_LEAST &&
           window_begin(w, in.last) <= TIME_MOST - w->length;
}

static int session_fits(int64_t time, int64_t gap)
{
    return time >= TIME_LEAST && time <= TIME_MOST && gap <= TIME_MOST - time;
}

static int32_t place_in_windows(const struct aggregation *a, struct lane *lane,
                                const struct weir_chunk *chunk, struct weir_rows *rows,
                                uint32_t *refused, struct weir_error *error)
{
    const struct event_time *t = &a->time;
    const struct ArrowArray *on = chunk->array->children[t->on];
    const int as_it_is = a->raw || t->rows_expand;
    int64_t *times = new_times(a, lane, a->n_flat, chunk->rows, error), time;
    int32_t result = times ? WEIR_OK : WEIR_FATAL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->n && result == WEIR_OK; i++) {
        const uint32_t row = rows->rows[i];
        if (!time_of(t, on, row, &time)) continue;
        if (!windows_fit(&t->windows, time)) {
            result = refuse_time(a, lane, chunk, row, refused, error);
            continue;
        }
        times[row] = as_it_is ? time : slice_begin(&t->windows, time);
        rows->rows[kept++] = row;
    }
    rows->n = kept;
    return result;
}

static int32_t place_in_sessions(const struct aggregation *a, struct lane *lane,
                                 const struct weir_chunk *chunk, struct weir_rows *rows,
                                 const struct ArrowArray *gaps, uint32_t *refused,
                                 struct weir_error *error)
{
    const struct event_time *t = &a->time;
    const struct ArrowArray *on = chunk->array->children[t->on];
    int64_t *starts = new_times(a, lane, a->n_flat, chunk->rows, error);
    int64_t *ends = starts ? new_times(a, lane, a->n_flat + 1, chunk->rows, error) : NULL, time;
    int32_t result = ends ? WEIR_OK : WEIR_FATAL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->n && result == WEIR_OK; i++) {
        const uint32_t row = rows->rows[i];
        int64_t gap = t->gap;
        if (gaps) gap = weir_is_null(gaps, row) ? 0 : weir_get_int64(gaps, row);
        if (gap <= 0 || !time_of(t, on, row, &time)) continue;
        if (!session_fits(time, gap)) {
            result = refuse_time(a, lane, chunk, row, refused, error);
            continue;
        }
        starts[row] = time;
        ends[row] = time + gap;
        rows->rows[kept++] = row;
    }
    rows->n = kept;
    return result;
}

static int32_t eval_sessions(const struct aggregation *a, struct lane *lane,
                             const struct weir_chunk *chunk, struct weir_rows *rows,
                             uint32_t *refused, struct weir_error *error)
{
    struct ArrowArray gaps = { 0 };
    const uint32_t before = rows->n;
    int32_t result = WEIR_OK;
    if (a->time.gap_expr)
        result = a->expr->eval(lane->context, a->time.gap_expr, &chunk, rows, &gaps, error);
    *refused += before - rows->n;
    if (result == WEIR_OK)
        result = place_in_sessions(a, lane, chunk, rows, a->time.gap_expr ? &gaps : NULL, refused,
                                   error);
    if (gaps.release) gaps.release(&gaps);
    return result;
}

/* Rows whose window is null, among the grouping columns, are in none. */
static void drop_null_windows(const struct aggregation *a, struct lane *lane,
                              struct weir_rows *rows)
{
    const struct ArrowArray *key = lane->inputs[a->time.key];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->n; i++)
        if (!weir_is_null(key, rows->rows[i])) rows->rows[kept++] = rows->rows[i];
    rows->n = kept;
}

static int key_is_window(const struct aggregation *a)
{
    for (uint32_t i = 0; i < a->n_by; i++)
        if (a->by[i].fields && a->by[i].first + 1 == a->time.key) return 1;
    return 0;
}

int32_t lane_time_columns(const struct aggregation *a, struct lane *lane,
                          const struct weir_chunk *chunk, struct weir_rows *rows,
                          struct weir_error *error)
{
    int32_t result = WEIR_OK;
    lane_list_rows(lane, chunk, rows);
    const uint32_t before = rows->n;
    uint32_t refused = 0;
    if (a->time.kind == TIME_WINDOW)
        result = place_in_windows(a, lane, chunk, rows, &refused, error);
    else if (a->time.kind == TIME_SESSION)
        result = eval_sessions(a, lane, chunk, rows, &refused, error);
    else if (key_is_window(a))
        drop_null_windows(a, lane, rows);
    lane_count(a, lane, "no_window", (int64_t)before - rows->n - refused);
    return result;
}

/* ---- late rows ---- */

/* Of `all` groups that a row is in, how many are late. */
static int64_t late_groups(const struct aggregation *a, const struct lane *lane, uint32_t row,
                           int64_t closed, int64_t *all)
{
    const struct event_time *t = &a->time;
    const int64_t late = lane->begin.late_us;
    *all = 1;
    if (t->kind == TIME_SESSION)
        return weir_get_int64(lane->inputs[a->n_flat + 1], row) <= late;
    if (t->kind == TIME_KEY)
        return !weir_is_null(lane->inputs[t->key], row) &&
               weir_get_int64(lane->inputs[t->key], row) <= late;
    const int64_t time = weir_get_int64(lane->inputs[a->n_flat], row);
    if (t->rows_expand) return time + t->windows.length <= late;
    const struct window_range in = windows_of(&t->windows, time);
    *all = in.last - in.first + 1;
    if (closed < in.first) return 0;
    return (closed < in.last ? closed : in.last) - in.first + 1;
}

static int32_t emit_late(const struct aggregation *a, struct lane *lane,
                         const struct weir_chunk *chunk, uint32_t n, struct weir_error *error)
{
    for (uint32_t c = 0; c < a->n_input; c++)
        lane->out[c] = (struct weir_output_column){ (int32_t)(a->n_keys + a->n_args + c), 0, NULL };
    struct weir_emission emission = { .size = sizeof emission, .output = 1, .from = chunk,
                                      .columns = lane->out, .n_columns = a->n_input,
                                      .rows = chunk->rows, .selection = lane->few, .selected = n };
    return a->host->emit(lane->context, &emission, error);
}

int32_t lane_drop_late(const struct aggregation *a, struct lane *lane,
                       const struct weir_chunk *chunk, struct weir_rows *rows,
                       struct weir_error *error)
{
    uint32_t kept = 0, dropped = 0;
    int64_t closed = INT64_MIN, count = 0, all;
    if (lane->begin.late_us == WEIR_WATERMARK_NONE) return WEIR_OK;
    if (a->time.kind == TIME_WINDOW)
        closed = windows_closed(&a->time.windows, lane->begin.late_us);
    for (uint32_t i = 0; i < rows->n; i++) {
        const uint32_t row = rows->rows[i];
        const int64_t late = late_groups(a, lane, row, closed, &all);
        count += late;
        if (late < all) rows->rows[kept++] = row;
        else lane->few[dropped++] = row;
    }
    rows->n = kept;
    lane_count(a, lane, "late", count);
    return dropped && a->time.late ? emit_late(a, lane, chunk, dropped, error) : WEIR_OK;
}

/* ---- windows of rows ---- */

static int32_t make_room(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    if (!lane->repeat)
        lane->repeat = a->host->alloc(WEIR_CHUNK_MAX_ROWS * sizeof *lane->repeat);
    if (!lane->starts)
        lane->starts = a->host->alloc(WEIR_CHUNK_MAX_ROWS * sizeof *lane->starts);
    return lane->repeat && lane->starts ? WEIR_OK : no_memory(error);
}

/* Lists the open windows of rows from *at on, row by row, as many as there is room for. */
static uint32_t list_windows(const struct aggregation *a, struct lane *lane,
                             const struct weir_rows *rows, int64_t closed, uint32_t *at)
{
    const struct time_windows *w = &a->time.windows;
    const int64_t *times = lane->inputs[a->n_flat]->buffers[1];
    uint32_t n = 0;
    for (; *at < rows->n; ++*at) {
        struct window_range in = windows_of(w, times[rows->rows[*at]]);
        if (in.first <= closed) in.first = closed + 1;
        if (in.last - in.first + 1 > (int64_t)(WEIR_CHUNK_MAX_ROWS - n)) break;
        for (int64_t k = in.first; k <= in.last; k++) {
            lane->repeat[n] = rows->rows[*at];
            lane->starts[n++] = window_begin(w, k);
        }
    }
    return n;
}

static int32_t expand_keys(const struct aggregation *a, struct lane *lane, uint32_t n,
                           struct weir_error *error)
{
    struct ArrowArray *starts = &lane->expanded[a->n_flat];
    int32_t result = a->data->column(WEIR_TYPE_TIMESTAMP, n, 0, 0, starts, error);
    if (result != WEIR_OK) return result;
    memcpy((void *)(uintptr_t)starts->buffers[1], lane->starts, (uint64_t)n * 8);
    for (uint32_t i = 0; i < a->n_flat && result == WEIR_OK; i++)
        result = a->data->take(a->key.children[i], lane->inputs[i], lane->repeat, n,
                               &lane->expanded[i], error);
    return result;
}

static int32_t set_ends(const struct aggregation *a, struct lane *lane, uint32_t n)
{
    const struct weir_view view = a->state->column(lane->state, a->table, a->expiry);
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        if (*(int64_t *)(void *)(view.base + lane->slots[i] * view.stride) == INT64_MAX)
            result = a->state->set_timer(lane->state, a->table, a->expiry, lane->slots[i],
                                         lane->starts[i] + a->time.windows.length);
    return result;
}

int32_t lane_add_to_windows(const struct aggregation *a, struct lane *lane, int durable, int merge,
                            uint32_t chunk_rows, const struct weir_rows *rows,
                            struct weir_error *error)
{
    const int64_t closed = durable && a->time.bounded
                               ? windows_closed(&a->time.windows, lane->begin.late_us)
                               : INT64_MIN;
    int32_t result = make_room(a, lane, error);
    for (uint32_t at = 0; at < rows->n && result == WEIR_OK;) {
        const uint32_t n = list_windows(a, lane, rows, closed, &at);
        result = expand_keys(a, lane, n, error);
        if (result == WEIR_OK)
            result = lane_find_slots(a, lane, durable, lane->expanded_keys, NULL, NULL, n, error);
        if (result == WEIR_OK)
            result = lane_apply(a, lane, merge, chunk_rows, lane->repeat, n, error);
        if (result == WEIR_OK && durable && a->time.bounded) result = set_ends(a, lane, n);
        for (uint32_t i = 0; i < a->n_keys; i++)
            if (lane->expanded[i].release) lane->expanded[i].release(&lane->expanded[i]);
    }
    return result;
}

int32_t lane_times_to_slices(const struct aggregation *a, struct lane *lane, uint32_t chunk_rows,
                             const struct weir_rows *rows, struct weir_error *error)
{
    const int64_t *times = lane->inputs[a->n_flat]->buffers[1];
    int64_t *slices = new_times(a, lane, a->n_flat, chunk_rows, error);
    if (!slices) return WEIR_FATAL;
    for (uint32_t i = 0; i < rows->n; i++)
        slices[rows->rows[i]] = slice_begin(&a->time.windows, times[rows->rows[i]]);
    return WEIR_OK;
}

/* ---- when groups are final ---- */

static int64_t expiry_of(const struct aggregation *a, const struct lane *lane, uint32_t row)
{
    const struct time_windows *w = &a->time.windows;
    if (a->time.kind == TIME_KEY)
        return weir_is_null(lane->inputs[a->time.key], row)
                   ? INT64_MAX
                   : weir_get_int64(lane->inputs[a->time.key], row);
    const int64_t begin = weir_get_int64(lane->inputs[a->n_flat], row);
    if (a->time.rows_expand) return begin + w->length;
    return window_begin(w, windows_of(w, begin).last) + w->length;
}

int32_t lane_set_expiry(const struct aggregation *a, struct lane *lane,
                        const struct weir_rows *rows)
{
    const struct weir_view view = a->state->column(lane->state, a->table, a->expiry);
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < rows->n && result == WEIR_OK; i++)
        if (*(int64_t *)(void *)(view.base + lane->slots[i] * view.stride) == INT64_MAX)
            result = a->state->set_timer(lane->state, a->table, a->expiry, lane->slots[i],
                                         expiry_of(a, lane, rows->rows[i]));
    return result;
}
