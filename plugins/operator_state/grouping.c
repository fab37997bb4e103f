/*
 * grouping.c - see the header. The table of the batch numbers the keys; each key has a list of rows
 * through one array of all of them.
 */
#include "plugins/operator_state/grouping.h"

#include "plugins/share/option.h"

/* Room for `need` entries of `size` bytes. */
static int32_t room_for(const struct weir_host *host, void *list, uint32_t *room, uint64_t need,
                        uint64_t size, struct weir_error *error)
{
    uint64_t n = *room ? *room : 16;
    void *old, *more;
    if (need <= *room) return WEIR_OK;
    while (n < need) n *= 2;
    if (n > UINT32_MAX) return weir_fail(error, WEIR_FATAL, "too many rows of one batch");
    memcpy(&old, list, sizeof old);
    more = host->realloc(old, n * size);
    if (!more) return no_memory(error);
    memcpy(list, &more, sizeof more);
    *room = (uint32_t)n;
    return WEIR_OK;
}

static int32_t find_keys(struct grouping *g, struct weir_context *lane,
                         const struct ArrowSchema *key, const struct weir_chunk *chunk,
                         const uint32_t *rows, uint32_t n, struct weir_error *error)
{
    const struct ArrowArray *keys[16];
    int32_t result = room_for(g->host, &g->slots, &g->slot_room, n, sizeof *g->slots, error);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "rows",
                                    .key = key, .n_distribution = (uint32_t)key->n_children,
                                    .signature = "" };
    if (result == WEIR_OK && !g->table)
        result = g->combine->create(lane, &spec, &g->table, error);
    if (result != WEIR_OK) return result;
    for (int64_t c = 0; c < key->n_children; c++) keys[c] = chunk->array->children[c];
    return g->combine->lookup_or_insert(g->table, keys, chunk->hash, rows, n, g->slots, error);
}

static int32_t keep_chunk(struct grouping *g, const struct weir_chunk *chunk,
                          struct weir_error *error)
{
    int32_t result = room_for(g->host, &g->chunks, &g->chunk_room, g->n_chunks + 1,
                              sizeof *g->chunks, error);
    if (result != WEIR_OK) return result;
    g->host->chunk_retain(chunk);
    g->chunks[g->n_chunks++] = chunk;
    return WEIR_OK;
}

static void add_row(struct grouping *g, const struct weir_chunk *chunk, uint32_t row, uint32_t slot)
{
    struct grouping_key *key = &g->keys[slot];
    uint32_t at = g->n_rows++;
    g->rows[at] = (struct grouping_row){ chunk, row, UINT32_MAX };
    if (slot >= g->n_keys) {
        g->n_keys = slot + 1;
        *key = (struct grouping_key){ at, at, 1 };
        return;
    }
    g->rows[key->last].next = at;
    key->last = at;
    key->n++;
}

int32_t grouping_add(struct grouping *g, struct weir_context *lane, const struct ArrowSchema *key,
                     const struct weir_chunk *chunk, const uint32_t *rows, uint32_t n,
                     struct weir_error *error)
{
    int32_t result = find_keys(g, lane, key, chunk, rows, n, error);
    if (result == WEIR_OK) result = keep_chunk(g, chunk, error);
    if (result == WEIR_OK)
        result = room_for(g->host, &g->rows, &g->row_room, (uint64_t)g->n_rows + n, sizeof *g->rows,
                          error);
    if (result == WEIR_OK)
        result = room_for(g->host, &g->keys, &g->key_room, g->combine->count(g->table),
                          sizeof *g->keys, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        add_row(g, chunk, rows ? rows[i] : i, g->slots[i]);
    return result;
}

void grouping_clear(struct grouping *g)
{
    for (uint32_t i = 0; i < g->n_chunks; i++) g->host->chunk_release(g->chunks[i]);
    if (g->table && g->n_keys) g->combine->clear(g->table);
    g->n_chunks = g->n_rows = g->n_keys = 0;
}

void grouping_fini(struct grouping *g)
{
    if (!g->host) return;
    grouping_clear(g);
    g->combine->destroy(g->table);
    g->host->free(g->chunks);
    g->host->free(g->rows);
    g->host->free(g->keys);
    g->host->free(g->slots);
}
