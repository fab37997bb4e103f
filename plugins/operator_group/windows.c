/*
 * windows.c - `group_by_key` over windows of batches.
 *
 * State. A table of rows by key: a record per batch (and chunk) that had rows with the key, ordered
 * by the time of the batch, which holds what goes into the list, as bytes.
 *
 *     key: by     record   order: T of the batch   rows: the items, packed
 *
 * When a window is due every key is looked through: records of (…, T - length] go, a key without
 * records goes with the last one, and those that are left make its list, in order.
 */
#include "plugins/operator_group/lane.h"

#include "plugins/share/pack.h"

/* ---- bind ---- */

/* State fits only the same key and items. */
static int32_t declare(struct group *g, struct weir_error *error)
{
    static const struct weir_table_column column = { "rows", WEIR_TYPE_BINARY, 0 };
    char signature[4096] = "";
    struct weir_value value = { .size = sizeof value };
    for (uint32_t k = 0; g->host->option_item(g->context, "by", k, &value) == WEIR_OK; k++) {
        size_t n = strlen(signature);
        snprintf(signature + n, sizeof signature - n, "%s, ", value.text);
    }
    pack_signature(g->lists.children[0], signature, sizeof signature);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_ROWS, .name = "rows",
                                    .key = &g->key, .n_distribution = g->n_by, .n_columns = 1,
                                    .columns = &column, .version = 1, .signature = signature };
    return g->state->declare(g->context, &spec, &g->table, error);
}

/* What `over` has for aggregates, and a list has no use for. */
static int32_t refuse_inverse(const struct group *g, const char *prefix, struct weir_error *error)
{
    char inverse[32], keep[32];
    struct weir_value value;
    snprintf(inverse, sizeof inverse, "%sinverse", prefix);
    snprintf(keep, sizeof keep, "%skeep", prefix);
    if (option_integer(g->host, g->context, inverse, 0))
        return weir_fail_option(error, inverse, -1,
                                "what leaves the window can't be subtracted from a list: leave "
                                "`inverse` out, and each window has its list; or take "
                                "reduce_by_key over the window, with aggregates that have an "
                                "inverse (counts, sums and means of integers)");
    if (option_get(g->host, g->context, keep, &value))
        return weir_fail_option(error, keep, -1,
                                "keys without rows in the window are gone already: put a `filter` "
                                "behind this operator");
    return WEIR_OK;
}

int32_t group_windows(struct group *g, const struct weir_operator_bind *in,
                      struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_value value;
    const char *prefix = option_get(g->host, g->context, "length", &value)        ? ""
                         : option_get(g->host, g->context, "over.length", &value) ? "over."
                                                                                   : NULL;
    if (!prefix) return WEIR_OK;
    int32_t result = over_read(g->host, g->context, prefix, in, &g->over, error);
    if (result == WEIR_OK) result = refuse_inverse(g, prefix, error);
    if (result == WEIR_OK) result = declare(g, error);
    g->windowed = 1;
    out->streams[0].slide = g->over.slide;
    out->flags |= WEIR_PLAN_ALL_GROUPS;
    return result;
}

/* ---- what comes ---- */

/* Rows of one chunk, places[0 … n), to the key at `slot`. */
static int32_t store_rows(const struct group *g, struct group_lane *lane, uint32_t slot,
                          const struct place *places, uint32_t n, struct weir_error *error)
{
    const struct weir_chunk *chunk = lane->kept[places->kept].chunk;
    struct ArrowSchema schema = *chunk->schema; /* the columns behind the key, borrowed */
    struct ArrowArray array = *chunk->array;
    uint32_t row;
    schema.children += g->n_by;
    array.children += g->n_by;
    schema.n_children = array.n_children -= g->n_by;
    for (uint32_t i = 0; i < n; i++) lane->rows[i] = places[i].row;
    lane->packed.length = 0;
    int32_t result = pack_rows(g->host, g->data, &schema, &array, lane->rows, n, &lane->packed,
                               error);
    if (result == WEIR_OK)
        result = g->state->row_append(lane->begin.state, g->table, &slot, &lane->begin.time_us, 1,
                                      &row, error);
    if (result != WEIR_OK) return result;
    struct weir_bytes bytes = { lane->packed.data, lane->packed.length };
    result = g->state->put(lane->begin.state, g->table, 0, row, bytes);
    return result == WEIR_OK ? result : no_memory(error);
}

static int32_t store_key(const struct group *g, struct group_lane *lane, uint32_t key,
                         uint32_t slot, struct weir_error *error)
{
    uint32_t at = key ? lane->ends[key - 1] : 0, end = lane->ends[key];
    int32_t result = WEIR_OK;
    while (at < end && result == WEIR_OK) {
        uint32_t n = 1;
        while (at + n < end && lane->sorted[at + n].kept == lane->sorted[at].kept) n++;
        result = store_rows(g, lane, slot, &lane->sorted[at], n, error);
        at += n;
    }
    return result;
}

static int32_t store_batch(const struct group *g, struct group_lane *lane, uint32_t all,
                           struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t from = 0; from < all && result == WEIR_OK; from += TARGET_ROWS) {
        struct ArrowArray keys[BY_MAX];
        uint32_t n = all - from < TARGET_ROWS ? all - from : TARGET_ROWS, k = 0;
        for (; k < g->n_by && result == WEIR_OK; k++) {
            result = g->combine->keys(lane->keys, k, from, n, &keys[k], error);
            lane->inputs[k] = &keys[k];
            if (result != WEIR_OK) break;
        }
        if (result == WEIR_OK)
            result = g->state->lookup_or_insert(lane->begin.state, g->table, lane->inputs, NULL,
                                                NULL, n, lane->slots, error);
        while (k-- > 0) keys[k].release(&keys[k]);
        for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
            result = store_key(g, lane, from + i, lane->slots[i], error);
    }
    if (all && result == WEIR_OK) g->host->count(lane->context, "updated", all);
    return result;
}

/* ---- windows ---- */

/* Appends what a record holds to the list under way. */
static int32_t unpack_items(const struct group *g, struct group_lane *lane,
                            struct weir_bytes packed, struct weir_error *error)
{
    struct column *item = lane->list.children;
    uint32_t n = packed_rows(packed);
    if (g->plain) return unpack_rows(packed, item, 1, error);
    if (!column_reserve(item, n, 0)) return no_memory(error);
    int32_t result = unpack_rows(packed, item->children, item->n_children, error);
    item->rows += n;
    return result;
}

static int32_t append_list(const struct group *g, struct group_lane *lane, uint32_t row,
                           struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (; row != WEIR_NO_ROW && result == WEIR_OK;
         row = g->state->row_next(lane->begin.state, g->table, row))
        result = unpack_items(g, lane, g->state->get(lane->begin.state, g->table, 0, row), error);
    if (result != WEIR_OK) return result;
    return column_add_valid(&lane->list) ? WEIR_OK : no_memory(error);
}

static int32_t emit_lists(const struct group *g, struct group_lane *lane, uint32_t n,
                          struct weir_error *error)
{
    struct ArrowArray arrays[BY_MAX + 1];
    if (n == 0) return WEIR_OK;
    memset(arrays, 0, sizeof arrays);
    int32_t result = column_finish(&lane->list, &arrays[g->n_by], error);
    for (uint32_t k = 0; k < g->n_by && result == WEIR_OK; k++)
        result = g->state->keys(lane->begin.state, g->table, k, lane->slots, n, &arrays[k], error);
    for (uint32_t k = 0; k <= g->n_by; k++)
        lane->out[k] = (struct weir_output_column){ -1, 0, &arrays[k] };
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .columns = lane->out,
                                          .n_columns = g->n_by + 1, .rows = n };
        result = g->host->emit(lane->context, &emission, error);
    }
    for (uint32_t k = 0; k <= g->n_by; k++)
        if (arrays[k].release) arrays[k].release(&arrays[k]);
    return result;
}

static int32_t emit_window(const struct group *g, struct group_lane *lane, struct weir_error *error)
{
    struct weir_state *state = lane->begin.state;
    const int64_t begins = over_begins(&g->over, &lane->begin) + 1;
    uint32_t slot = g->state->next(state, g->table, 0), n = 0;
    int64_t removed = 0;
    int32_t result = WEIR_OK;
    column_truncate(&lane->list, 0); /* of a batch that failed */
    for (; slot != WEIR_NO_SLOT && result == WEIR_OK;
         slot = g->state->next(state, g->table, slot + 1)) {
        int64_t gone = g->state->row_remove_before(state, g->table, slot, begins);
        if (gone < 0) return no_memory(error);
        removed += gone;
        uint32_t row = g->state->row_first(state, g->table, slot);
        if (row == WEIR_NO_ROW) continue;
        result = append_list(g, lane, row, error);
        lane->slots[n++] = slot;
        if (result != WEIR_OK || (n < TARGET_ROWS && column_bytes(&lane->list) < TARGET_BYTES))
            continue;
        result = emit_lists(g, lane, n, error);
        n = 0;
    }
    if (removed) g->host->count(lane->context, "removed", removed);
    return result == WEIR_OK ? emit_lists(g, lane, n, error) : result;
}

int32_t lane_advance_windows(const struct group *g, struct group_lane *lane, uint32_t n,
                             struct weir_error *error)
{
    int32_t result = store_batch(g, lane, n, error);
    if (result != WEIR_OK || !over_is_due(&g->over, &lane->begin)) return result;
    return emit_window(g, lane, error);
}
