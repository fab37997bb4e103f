/*
 * lane.c - grouping: rows into lists.
 *
 * Before the exchange the key is evaluated; rows cross as they are. Behind it a lane has the rows
 * of one key group, input after input in order. It retains the chunks, and a table of the batch
 * numbers the keys by first arrival. At the end one counting sort brings the rows of a key
 * together; it is stable, so they keep the order in which they came, and those of an input stay
 * behind those of the input before.
 */
#include "plugins/operator_group/lane.h"

#include "plugins/share/cell.h"

int32_t group_lane_create(void *self, struct weir_context *context, void **lane,
                          struct weir_error *error)
{
    const struct group *g = self;
    uint32_t columns = g->most_columns + g->n_by + g->n_inputs;
    uint64_t bytes = sizeof(struct group_lane) + columns * sizeof(struct weir_output_column);
    struct group_lane *l = g->host->alloc(bytes);
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->context = context;
    l->out = (struct weir_output_column *)(void *)(l + 1);
    *lane = l;
    if (g->windowed) return column_init(&l->list, g->host, g->lists.children[0], 0, error);
    return g->data->builder_create(&g->lists, &l->builder, error);
}

static void drop_rows(const struct group *g, struct group_lane *lane)
{
    for (uint32_t i = 0; i < lane->n_kept; i++) g->host->chunk_release(lane->kept[i].chunk);
    lane->n_kept = lane->n_rows = 0;
}

void group_lane_destroy(void *self, void *lane)
{
    const struct group *g = self;
    struct group_lane *l = lane;
    if (!l) return;
    drop_rows(g, l);
    g->combine->destroy(l->keys);
    g->data->builder_destroy(l->builder);
    column_free(&l->list);
    g->host->free(l->packed.data);
    g->host->free(l->kept);
    g->host->free(l->places);
    g->host->free(l->sorted);
    g->host->free(l->row_slots);
    g->host->free(l->ends);
    g->host->free(l);
}

int32_t group_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    const struct group *g = self;
    struct group_lane *l = lane;
    (void)error;
    l->begin = *in;
    drop_rows(g, l);
    if (l->keys && g->combine->count(l->keys) > 0) g->combine->clear(l->keys);
    return WEIR_OK;
}

/* ---- the combine side ---- */

static int32_t eval_key(const struct group *g, struct group_lane *lane, uint32_t input, uint32_t k,
                        const struct weir_chunk *chunk, struct weir_rows *rows,
                        struct weir_error *error)
{
    const struct group_input *in = &g->inputs[input];
    lane->out[k] = (struct weir_output_column){ in->by[k], 0, &lane->evaluated[k] };
    if (in->by[k] >= 0) return WEIR_OK;
    if (!rows->rows) {
        rows->rows = lane->rows;
        for (uint32_t i = 0; i < rows->n; i++) lane->rows[i] = weir_row(chunk, i);
    }
    return g->expr->eval(lane->context, in->exprs[k], &chunk, rows, &lane->evaluated[k], error);
}

int32_t group_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct group *g = self;
    const struct group_input *in = &g->inputs[input];
    struct group_lane *l = lane;
    struct weir_rows rows = { sizeof rows, chunk->selected, NULL };
    int32_t result = WEIR_OK;
    if (g->windowed && !over_holds(&g->over, &l->begin)) return WEIR_OK;
    for (uint32_t k = 0; k < g->n_by && result == WEIR_OK; k++)
        result = eval_key(g, l, input, k, chunk, &rows, error);
    if (result == WEIR_OK && rows.n > 0) {
        for (uint32_t c = 0; c < in->n_columns; c++)
            l->out[g->n_by + c] = (struct weir_output_column){ (int32_t)in->columns[c], 0, NULL };
        struct weir_emission emission = { .size = sizeof emission, .output = WEIR_OUTPUT_EXCHANGE,
                                          .from = chunk, .columns = l->out,
                                          .n_columns = g->n_by + in->n_columns,
                                          .rows = chunk->rows,
                                          .selection = rows.rows ? rows.rows : chunk->selection,
                                          .selected = rows.n };
        result = g->host->emit(l->context, &emission, error);
    }
    for (uint32_t k = 0; k < g->n_by; k++) /* those that were not moved */
        if (l->evaluated[k].release) l->evaluated[k].release(&l->evaluated[k]);
    return result;
}

/* Rows were handed on as they came. */
int32_t group_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    (void)self;
    (void)lane;
    (void)input;
    (void)error;
    return WEIR_OK;
}

/* ---- behind the exchange ---- */

static int32_t grow_rows(const struct group *g, struct group_lane *lane, uint32_t more,
                         struct weir_error *error)
{
    uint64_t need = (uint64_t)lane->n_rows + more;
    if (need > UINT32_MAX / 2)
        return weir_fail(error, WEIR_DATA, "a batch has too many rows for one group of keys");
    if (need <= lane->room_rows) return WEIR_OK;
    uint32_t room = lane->room_rows ? lane->room_rows : 1024;
    while (room < need) room *= 2;
    struct place *places = g->host->realloc(lane->places, room * sizeof *places);
    if (places) lane->places = places;
    uint32_t *slots = g->host->realloc(lane->row_slots, room * sizeof *slots);
    if (slots) lane->row_slots = slots;
    if (!places || !slots) return no_memory(error);
    lane->room_rows = room;
    return WEIR_OK;
}

static int32_t keep_chunk(const struct group *g, struct group_lane *lane, uint32_t input,
                          const struct weir_chunk *chunk, struct weir_error *error)
{
    if (lane->n_kept == lane->room_kept) {
        uint32_t room = lane->room_kept ? lane->room_kept * 2 : 16;
        struct kept *kept = g->host->realloc(lane->kept, room * sizeof *kept);
        if (!kept) return no_memory(error);
        lane->kept = kept;
        lane->room_kept = room;
    }
    g->host->chunk_retain(chunk);
    lane->kept[lane->n_kept++] = (struct kept){ chunk, input };
    return WEIR_OK;
}

static int32_t make_keys(const struct group *g, struct group_lane *lane, struct weir_error *error)
{
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "keys",
                                    .key = &g->key, .n_distribution = g->n_by, .signature = "" };
    return g->combine->create(lane->context, &spec, &lane->keys, error);
}

int32_t group_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error)
{
    const struct group *g = self;
    struct group_lane *l = lane;
    uint32_t n = chunk->selected;
    int32_t result = l->keys ? WEIR_OK : make_keys(g, l, error);
    if (result == WEIR_OK) result = grow_rows(g, l, n, error);
    if (result == WEIR_OK) result = keep_chunk(g, l, input, chunk, error);
    if (result != WEIR_OK) return result;
    for (uint32_t k = 0; k < g->n_by; k++) l->inputs[k] = chunk->array->children[k];
    for (uint32_t i = 0; i < n; i++)
        l->places[l->n_rows + i] = (struct place){ l->n_kept - 1, weir_row(chunk, i) };
    result = g->combine->lookup_or_insert(l->keys, l->inputs, chunk->hash, chunk->selection, n,
                                          l->row_slots + l->n_rows, error);
    l->n_rows += n;
    return result;
}

/* ---- lists ---- */

static int32_t sort_rows(const struct group *g, struct group_lane *lane, uint32_t keys,
                         struct weir_error *error)
{
    g->host->free(lane->sorted);
    g->host->free(lane->ends);
    lane->sorted = g->host->alloc((uint64_t)lane->n_rows * sizeof *lane->sorted + 1);
    lane->ends = g->host->alloc((uint64_t)keys * sizeof *lane->ends + 1);
    if (!lane->sorted || !lane->ends) return no_memory(error);
    memset(lane->ends, 0, keys * sizeof *lane->ends);
    for (uint32_t i = 0; i < lane->n_rows; i++) lane->ends[lane->row_slots[i]]++;
    for (uint32_t s = 0, sum = 0; s < keys; s++) {
        uint32_t n = lane->ends[s];
        lane->ends[s] = sum; /* where they begin; moved to the end below */
        sum += n;
    }
    for (uint32_t i = 0; i < lane->n_rows; i++)
        lane->sorted[lane->ends[lane->row_slots[i]]++] = lane->places[i];
    return WEIR_OK;
}

/* Appends a row as an item to the list of its input. */
static int32_t append_item(const struct group *g, const struct group_lane *lane,
                           const struct place *place, uint64_t *bytes)
{
    const struct kept *kept = &lane->kept[place->kept];
    const struct ArrowArray *array = kept->chunk->array;
    const struct ArrowSchema *schema = kept->chunk->schema;
    struct weir_builder *item = g->data->builder_child(
        g->data->builder_child(lane->builder, kept->input), 0);
    uint32_t n = g->inputs[kept->input].n_columns;
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < n && result == WEIR_OK; c++) {
        const struct ArrowArray *column = array->children[g->n_by + c];
        struct weir_builder *field = g->plain ? item : g->data->builder_child(item, c);
        *bytes += 8 + cell_bytes(schema->children[g->n_by + c], column, place->row);
        result = g->data->append_from(field, column, place->row);
    }
    return result == WEIR_OK && !g->plain ? g->data->append_valid(item) : result;
}

static int32_t append_key(const struct group *g, const struct group_lane *lane, uint32_t slot,
                          uint64_t *bytes, struct weir_error *error)
{
    uint32_t at = slot ? lane->ends[slot - 1] : 0;
    int32_t result = WEIR_OK;
    for (; at < lane->ends[slot] && result == WEIR_OK; at++)
        result = append_item(g, lane, &lane->sorted[at], bytes);
    for (uint32_t i = 0; i < g->n_inputs && result == WEIR_OK; i++)
        result = g->data->append_valid(g->data->builder_child(lane->builder, i));
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory for a list");
}

/* Emits the n keys from slot `from` on with the lists that were built. */
static int32_t emit_keys(const struct group *g, struct group_lane *lane, uint32_t from, uint32_t n,
                         struct weir_error *error)
{
    struct ArrowArray keys[BY_MAX], lists;
    memset(keys, 0, sizeof keys);
    int32_t result = g->data->builder_finish(lane->builder, &lists, error);
    if (result != WEIR_OK) return result;
    for (uint32_t k = 0; k < g->n_by && result == WEIR_OK; k++) {
        result = g->combine->keys(lane->keys, k, from, n, &keys[k], error);
        lane->out[k] = (struct weir_output_column){ -1, 0, &keys[k] };
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        lane->out[g->n_by + i] = (struct weir_output_column){ -1, 0, lists.children[i] };
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .columns = lane->out,
                                          .n_columns = g->n_by + g->n_inputs, .rows = n };
        result = g->host->emit(lane->context, &emission, error);
    }
    for (uint32_t k = 0; k < g->n_by; k++)
        if (keys[k].release) keys[k].release(&keys[k]);
    lists.release(&lists);
    return result;
}

int32_t group_advance(void *self, void *lane, struct weir_error *error)
{
    const struct group *g = self;
    struct group_lane *l = lane;
    uint32_t keys = l->keys ? g->combine->count(l->keys) : 0, from = 0;
    uint64_t bytes = 0;
    int32_t result = keys ? sort_rows(g, l, keys, error) : WEIR_OK;
    if (result == WEIR_OK && g->windowed) result = lane_advance_windows(g, l, keys, error);
    for (uint32_t s = g->windowed ? keys : 0; s < keys && result == WEIR_OK; s++) {
        result = append_key(g, l, s, &bytes, error);
        if (result != WEIR_OK || (s + 1 < keys && s + 1 - from < TARGET_ROWS &&
                                  bytes < TARGET_BYTES))
            continue;
        result = emit_keys(g, l, from, s + 1 - from, error);
        from = s + 1;
        bytes = 0;
    }
    drop_rows(g, l);
    return result;
}
