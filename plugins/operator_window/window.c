/*
 * window.c - the operator `window`: the rows of the last batches, batch by batch.
 *
 * State. A table of rows without a key: one record per chunk that came, ordered by the time of its
 * batch, which holds the chunk's rows as bytes. So a batch adds to the log what it brought, and
 * what falls out of the window goes by time.
 *
 *     record   order: T of the batch   rows: the rows, packed
 *
 * In every batch records of (…, T - length] are removed, for no window to come reaches so far
 * back. Where it is time for a window, the records are given in order: batch by batch, within one
 * as the rows came. Partitions stay apart: a partition's window has the rows of that partition.
 */
#include "plugins/operator_window/window.h"

#include "plugins/share/over.h"
#include "plugins/share/pack.h"

#define TARGET_BYTES (8u << 20)

struct window {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_state_table *state;
    struct over over;
    struct ArrowSchema schema; /* of the rows */
    uint32_t n_columns;
    uint32_t table;
};

struct window_lane {
    struct weir_context *context;
    struct weir_begin begin;
    struct weir_buffer packed;
    struct column *columns; /* of the emission under way */
};

static int32_t window_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct window *w = host->alloc(sizeof *w);
    if (!w) return no_memory(error);
    memset(w, 0, sizeof *w);
    w->host = host;
    w->context = context;
    w->data = host->get_interface(WEIR_DATA_ID);
    w->state = host->get_interface(WEIR_STATE_ID);
    *self = w;
    if (w->data && w->state) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID " or "
                                              WEIR_STATE_ID);
}

static void window_destroy(void *self)
{
    struct window *w = self;
    if (!w) return;
    if (w->schema.release) w->schema.release(&w->schema);
    w->host->free(w);
}

/* ---- bind ---- */

static int32_t declare_rows(struct window *w, struct weir_error *error)
{
    static const struct weir_table_column column = { "rows", WEIR_TYPE_BINARY, 0 };
    char signature[4096] = "";
    pack_signature(&w->schema, signature, sizeof signature);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_ROWS, .name = "rows",
                                    .n_columns = 1, .columns = &column, .version = 1,
                                    .signature = signature };
    return w->state->declare(w->context, &spec, &w->table, error);
}

static int32_t window_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct window *w = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    w->n_columns = (uint32_t)input->n_children;
    int32_t result = over_read(w->host, w->context, "", in, &w->over, error);
    if (result == WEIR_OK) result = w->data->schema_copy(input, NULL, &w->schema, error);
    if (result == WEIR_OK) result = declare_rows(w, error);
    if (result == WEIR_OK)
        result = w->data->schema_copy(input, NULL, &out->streams[0].schema, error);
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = w->over.slide;
    out->streams[0].time_column = -1; /* rows come again: no watermark holds for them */
    out->distribution[0].kind = WEIR_DISTRIBUTE_PARTITION;
    out->flags = WEIR_PLAN_TICKING;
    return result;
}

/* ---- lanes ---- */

static int32_t window_lane_create(void *self, struct weir_context *context, void **lane,
                                  struct weir_error *error)
{
    const struct window *w = self;
    uint64_t bytes = sizeof(struct window_lane) + w->n_columns * sizeof(struct column);
    struct window_lane *l = w->host->alloc(bytes);
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->context = context;
    l->columns = (struct column *)(void *)(l + 1);
    *lane = l;
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < w->n_columns && result == WEIR_OK; c++)
        result = column_init(&l->columns[c], w->host, w->schema.children[c], 0, error);
    return result;
}

static void window_lane_destroy(void *self, void *lane)
{
    const struct window *w = self;
    struct window_lane *l = lane;
    if (!l) return;
    for (uint32_t c = 0; c < w->n_columns; c++) column_free(&l->columns[c]);
    w->host->free(l->packed.data);
    w->host->free(l);
}

static int32_t window_begin(void *self, void *lane, const struct weir_begin *in,
                            struct weir_error *error)
{
    (void)self;
    (void)error;
    ((struct window_lane *)lane)->begin = *in;
    return WEIR_OK;
}

static int32_t window_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct window *w = self;
    struct window_lane *l = lane;
    struct weir_state *state = l->begin.state;
    uint32_t slot, row;
    (void)input;
    if (!over_holds(&w->over, &l->begin)) return WEIR_OK;
    l->packed.length = 0;
    int32_t result = pack_rows(w->host, w->data, &w->schema, chunk->array, chunk->selection,
                               chunk->selected, &l->packed, error);
    if (result == WEIR_OK)
        result = w->state->lookup_or_insert(state, w->table, NULL, NULL, NULL, 1, &slot, error);
    if (result == WEIR_OK)
        result = w->state->row_append(state, w->table, &slot, &l->begin.time_us, 1, &row, error);
    if (result != WEIR_OK) return result;
    w->host->count(l->context, "updated", 1);
    struct weir_bytes bytes = { l->packed.data, l->packed.length };
    result = w->state->put(state, w->table, 0, row, bytes);
    return result == WEIR_OK ? result : no_memory(error);
}

static int32_t emit_collected(const struct window *w, struct window_lane *lane,
                              struct weir_error *error)
{
    return columns_emit(lane->columns, w->n_columns, lane->columns->rows, lane->context, error);
}

static int is_full(const struct window *w, const struct window_lane *lane, uint32_t more)
{
    uint64_t bytes = 0;
    if (lane->columns->rows + more > WEIR_CHUNK_TARGET_ROWS) return 1;
    for (uint32_t c = 0; c < w->n_columns; c++) bytes += column_bytes(&lane->columns[c]);
    return bytes > TARGET_BYTES;
}

static int32_t emit_window(const struct window *w, struct window_lane *lane, uint32_t slot,
                           struct weir_error *error)
{
    struct weir_state *state = lane->begin.state;
    uint32_t row = w->state->row_first(state, w->table, slot);
    int32_t result = WEIR_OK;
    for (; row != WEIR_NO_ROW && result == WEIR_OK;
         row = w->state->row_next(state, w->table, row)) {
        struct weir_bytes packed = w->state->get(state, w->table, 0, row);
        if (lane->columns->rows && is_full(w, lane, packed_rows(packed)))
            result = emit_collected(w, lane, error);
        if (result == WEIR_OK) result = unpack_rows(packed, lane->columns, w->n_columns, error);
    }
    return result == WEIR_OK ? emit_collected(w, lane, error) : result;
}

static int32_t window_advance(void *self, void *lane, struct weir_error *error)
{
    const struct window *w = self;
    struct window_lane *l = lane;
    uint32_t slot;
    w->state->lookup(l->begin.state, w->table, NULL, NULL, NULL, 1, &slot);
    if (slot == WEIR_NO_SLOT) return WEIR_OK;
    int64_t removed = w->state->row_remove_before(l->begin.state, w->table, slot,
                                                  over_begins(&w->over, &l->begin) + 1);
    if (removed < 0) return no_memory(error);
    if (removed) w->host->count(l->context, "removed", removed);
    return over_is_due(&w->over, &l->begin) ? emit_window(w, l, slot, error) : WEIR_OK;
}

const struct weir_operator window_operator = {
    .size = sizeof window_operator,
    .create = window_create,
    .destroy = window_destroy,
    .bind = window_bind,
    .lane_create = window_lane_create,
    .lane_destroy = window_lane_destroy,
    .begin = window_begin,
    .process = window_process,
    .advance = window_advance,
};
