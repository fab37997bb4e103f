/*
 * table.c - the static side of a lookup.
 */
#include "plugins/operator_lookup/op.h"

void table_free(struct table *table)
{
    const struct weir_host *host;
    if (!table) return;
    host = table->join->host;
    if (table->array.release) table->array.release(&table->array);
    table->join->combine->destroy(table->index);
    host->free(table->first);
    host->free(table->next);
    host->free(table);
}

/* Rows [from, from + n) of the table as a chunk, to compute its keys. */
static int32_t cut(const struct table *table, uint32_t from, uint32_t n,
                   const struct weir_chunk **out, struct weir_error *error)
{
    const struct join *join = table->join;
    const struct ArrowSchema *schema = join->inputs[1].schema;
    const uint32_t columns = (uint32_t)schema->n_children;
    struct ArrowArray *arrays = join->host->alloc(columns * sizeof *arrays + 1);
    uint32_t *rows = join->host->alloc((uint64_t)n * sizeof *rows + 4);
    int32_t result = arrays && rows ? WEIR_OK : no_memory(error);
    *out = NULL;
    if (arrays) memset(arrays, 0, columns * sizeof *arrays);
    for (uint32_t i = 0; rows && i < n; i++) rows[i] = from + i;
    for (uint32_t c = 0; c < columns && result == WEIR_OK; c++)
        result = join->data->take(schema->children[c], table->array.children[c], rows, n,
                                  &arrays[c], error);
    if (result == WEIR_OK) result = join->data->chunk(schema, arrays, n, out, error);
    else
        for (uint32_t c = 0; arrays && c < columns; c++)
            if (arrays[c].release) arrays[c].release(&arrays[c]);
    join->host->free(arrays);
    join->host->free(rows);
    return result;
}

/* Rows of a chunk of the table that pass the conditions on it, with their slots of the index. */
static int32_t index_chunk(struct table *table, struct weir_context *lane,
                           const struct weir_chunk *chunk, struct weir_rows *rows, uint32_t *slots,
                           struct weir_error *error)
{
    const struct join *join = table->join;
    const struct weir_chunk *const chunks[2] = { chunk, chunk };
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    struct ArrowArray own[JOIN_KEYS_MAX];
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < chunk->rows; i++) rows->rows[i] = i;
    rows->n = chunk->rows;
    for (uint32_t k = 0; k < join->n_filters[1] && rows->n && result == WEIR_OK; k++)
        result = join->expr->filter(lane, join->filters[1][k], chunks, rows, error);
    if (result == WEIR_OK) result = join_leaves(join, lane, 1, chunk, rows, leaves, own, error);
    if (result != WEIR_OK) return result;
    join_drop_nulls(join, leaves, rows);
    result = join->combine->lookup_or_insert(table->index, leaves, NULL, rows->rows, rows->n, slots,
                                             error);
    for (uint32_t i = 0; i < join->n_leaves; i++)
        if (own[i].release) own[i].release(&own[i]);
    return result;
}

#define CHUNK 8192u

/* Slot of each row; NO_SLOT: the row can match nothing. */
static int32_t find_slots(struct table *table, struct weir_context *lane, uint32_t *slot_of,
                          struct weir_error *error)
{
    const struct weir_host *host = table->join->host;
    const uint32_t n = (uint32_t)table->array.length;
    uint32_t *rows = host->alloc(2 * CHUNK * sizeof *rows);
    int32_t result = rows ? WEIR_OK : no_memory(error);
    for (uint32_t from = 0; from < n && result == WEIR_OK; from += CHUNK) {
        struct weir_rows some = { sizeof some, 0, rows };
        const struct weir_chunk *chunk;
        result = cut(table, from, n - from < CHUNK ? n - from : CHUNK, &chunk, error);
        if (result != WEIR_OK) break;
        result = index_chunk(table, lane, chunk, &some, rows + CHUNK, error);
        for (uint32_t i = 0; i < some.n && result == WEIR_OK; i++)
            slot_of[from + rows[i]] = rows[CHUNK + i];
        host->chunk_release(chunk);
    }
    host->free(rows);
    return result;
}

/* Lists of the rows of each key, made from the last row to the first so that they are in order. */
static int32_t link_rows(struct table *table, const uint32_t *slot_of, struct weir_error *error)
{
    const struct weir_host *host = table->join->host;
    uint32_t n = (uint32_t)table->array.length;
    table->n_slots = table->join->combine->count(table->index);
    table->first = host->alloc((uint64_t)table->n_slots * 4 + 4);
    table->next = host->alloc((uint64_t)n * 4 + 4);
    if (!table->first || !table->next) return no_memory(error);
    memset(table->first, 0xff, (uint64_t)table->n_slots * 4);
    table->unique = 1;
    while (n-- > 0) {
        if (slot_of[n] == WEIR_NO_SLOT) continue;
        table->next[n] = table->first[slot_of[n]];
        if (table->next[n] != JOIN_NONE) table->unique = 0;
        table->first[slot_of[n]] = n;
    }
    return WEIR_OK;
}

int32_t table_make(const struct join *join, struct weir_context *lane, struct ArrowArray *rows,
                   struct table **out, struct weir_error *error)
{
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .key = &join->key };
    struct table *table = join->host->alloc(sizeof *table);
    uint32_t *slot_of = join->host->alloc((uint64_t)rows->length * 4 + 4);
    int32_t result = table && slot_of ? WEIR_OK : no_memory(error);
    *out = NULL;
    if (table) {
        memset(table, 0, sizeof *table);
        table->join = join;
        table->array = *rows;
        rows->release = NULL;
    } else {
        rows->release(rows);
    }
    if (result == WEIR_OK) {
        memset(slot_of, 0xff, (uint64_t)table->array.length * 4);
        result = join->combine->create(lane, &spec, &table->index, error);
    }
    if (result == WEIR_OK) result = find_slots(table, lane, slot_of, error);
    if (result == WEIR_OK) result = link_rows(table, slot_of, error);
    join->host->free(slot_of);
    if (result == WEIR_OK) *out = table;
    else table_free(table);
    return result;
}
