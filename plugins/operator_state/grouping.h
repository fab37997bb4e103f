/*
 * grouping.h - the rows of a batch in one key group, by key, in order.
 */
#ifndef OPERATOR_STATE_GROUPING_H
#define OPERATOR_STATE_GROUPING_H

#include <weir/plugin.h>

struct grouping_row {
    const struct weir_chunk *chunk; /* retained */
    uint32_t row, next;             /* the key's next row, or UINT32_MAX */
};

struct grouping_key {
    uint32_t first, last, n;
};

struct grouping {
    const struct weir_host *host;
    const struct weir_combine_table *combine;
    struct weir_combine *table; /* keys are numbered by first arrival */
    const struct weir_chunk **chunks;
    struct grouping_row *rows;
    struct grouping_key *keys;
    uint32_t *slots;
    uint32_t n_chunks, chunk_room, n_rows, row_room, n_keys, key_room, slot_room;
};

/* Adds rows[0 … n) of a chunk, whose first columns are the key. The chunk is retained. OK; FATAL. */
int32_t grouping_add(struct grouping *g, struct weir_context *lane, const struct ArrowSchema *key,
                     const struct weir_chunk *chunk, const uint32_t *rows, uint32_t n,
                     struct weir_error *error);
void grouping_clear(struct grouping *g);
void grouping_fini(struct grouping *g);

#endif
