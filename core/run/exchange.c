/*
 * exchange.c - rows to key groups and back together.
 *
 * The producer sorts the rows of a chunk by group with one counting sort (stable, so within a group
 * rows keep their order). A chunk with many rows is gathered into that order while it is hot, so a
 * group later reads a short contiguous run of it; a small one goes by reference with the sorted row
 * numbers as selections. The consumer can't tell: it gets chunks with ascending selections.
 * GATHER_ROWS is the size from which gathering paid when it was measured (int64 key, int64, text;
 * ns per row, one core):
 *
 *     rows of a chunk      10   100  1,024  8,192 (4 M rows)  65,536 (4 M rows)
 *     gathered            219    72     33         33                27
 *     by reference        187    63     40         43                36
 *
 * Each call of a group costs the same for one row as for hundreds, and the rows of a group in one
 * chunk are a stretch of memory of its own. So chunks wait until there are rows for 256 groups
 * together, or their segment ends, and are joined before they are sorted.
 */
#include "core/run/run.h"

#include <stdlib.h>

#include "core/state/hash.h"

#define GATHER_ROWS 1024u
#define WAITING_ROWS 65536u       /* at most, together; the limit of a chunk */
#define WAITING_BYTES (4u << 20)

static uint32_t iota[WEIR_CHUNK_MAX_ROWS];

__attribute__((constructor)) static void fill_iota(void)
{
    for (uint32_t i = 0; i < WEIR_CHUNK_MAX_ROWS; i++) iota[i] = i;
}

static uint64_t *hash_chunk(struct run *run, const struct plan_node *node, uint32_t input,
                           const struct weir_chunk *chunk)
{
    const struct weir_distribution *d = &node->bound.distribution[input];
    const struct ArrowSchema *types[16];
    const struct ArrowArray *columns[16];
    uint64_t *hash = mem_alloc((uint64_t)chunk->rows * 8 + 8);
    if (!hash) return NULL;
    for (uint32_t c = 0; c < d->n_columns; c++) {
        types[c] = chunk->schema->children[d->columns[c]];
        columns[c] = chunk->array->children[d->columns[c]];
    }
    hash_columns(run->hash_seed, types, columns, d->n_columns, chunk->selection, chunk->selected,
                 hash);
    return hash;
}

/* Row numbers sorted by group, stable; offsets[257] in front. */
static uint32_t *sort_rows(const struct weir_chunk *chunk, const uint64_t *hash)
{
    uint32_t *offsets = mem_alloc(((uint64_t)RUN_GROUPS + 1 + chunk->selected) * 4);
    uint32_t at[RUN_GROUPS] = { 0 };
    if (!offsets) return NULL;
    uint32_t *perm = offsets + RUN_GROUPS + 1;
    const uint32_t *rows = chunk->selection ? chunk->selection : iota;
    const uint32_t n_rows = chunk->selected;
    for (uint32_t i = 0; i < n_rows; i++) at[hash_group(hash[rows[i]])]++;
    uint32_t sum = 0;
    for (uint32_t g = 0; g < RUN_GROUPS; g++) {
        uint32_t n = at[g];
        offsets[g] = at[g] = sum;
        sum += n;
    }
    offsets[RUN_GROUPS] = sum;
    for (uint32_t i = 0; i < n_rows; i++)
        perm[at[hash_group(hash[rows[i]])]++] = rows[i];
    return offsets;
}

/* Whether the hashes of a chunk go with its rows: not those that are made again for less than
 * carrying them takes, unless they choose the partition. */
static int carries_hash(const struct plan_node *node, uint32_t input,
                        const struct weir_chunk *chunk)
{
    const struct weir_distribution *d = &node->bound.distribution[input];
    if (node->bound.partitions > 1 || d->n_columns == 0) return 1;
    const uint32_t first = d->columns[0];
    return !hash_is_words(d->n_columns, weir_type_of(chunk->schema->children[first]),
                          chunk->array->children[first]);
}

/* `hash` NULL: without. */
static struct weir_chunk *gather(const struct weir_chunk *chunk, const uint32_t *perm,
                                 const uint64_t *hash, struct weir_error *error)
{
    struct ArrowArray array = { 0 };
    uint64_t *sorted = hash ? mem_alloc((uint64_t)chunk->selected * 8 + 8) : NULL;
    if (hash && !sorted) return NULL;
    if (array_take(chunk->schema, chunk->array, perm, chunk->selected, &array, error) != WEIR_OK) {
        mem_free(sorted);
        return NULL;
    }
    for (uint32_t i = 0; sorted && i < chunk->selected; i++) sorted[i] = hash[perm[i]];
    struct weir_chunk *out = chunk_create(chunk->schema, &array, NULL, 0);
    if (!out) {
        mem_free(sorted);
        return NULL;
    }
    chunk_set_hash(out, sorted);
    out->batch = chunk->batch;
    out->partition = chunk->partition;
    return out;
}

static int32_t add_single(struct run *run, const struct plan_node *node, uint32_t input,
                          struct weir_chunk *chunk, struct outbox *box, struct weir_error *error)
{
    struct weir_chunk *whole = chunk;
    if (node->bound.distribution[input].n_columns > 0) {
        uint64_t *hash = hash_chunk(run, node, input, chunk);
        whole = hash ? chunk_view(chunk, chunk->selection, chunk->selected, 1) : NULL;
        if (!whole) {
            mem_free(hash);
            return weir_fail(error, WEIR_FATAL, "out of memory");
        }
        chunk_set_hash(whole, hash);
    } else {
        chunk_retain(whole);
    }
    if (outbox_add(box, (struct packet){ whole, NULL, NULL }) == WEIR_OK) return WEIR_OK;
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static int32_t scatter(struct run *run, const struct plan_node *node, uint32_t input,
                       struct weir_chunk *chunk, struct outbox *box, struct weir_error *error)
{
    struct packet packet = { 0 };
    uint64_t *hash = hash_chunk(run, node, input, chunk);
    packet.offsets = hash ? sort_rows(chunk, hash) : NULL;
    if (!packet.offsets) goto fail;
    const uint32_t *perm = packet.offsets + RUN_GROUPS + 1;
    if (chunk->selected >= GATHER_ROWS) {
        packet.chunk = gather(chunk, perm, carries_hash(node, input, chunk) ? hash : NULL, error);
        mem_free(hash);
        hash = NULL;
    } else {
        packet.chunk = chunk_view(chunk, chunk->selection, chunk->selected, 1);
        packet.perm = perm;
        if (packet.chunk) chunk_set_hash(packet.chunk, hash);
        if (packet.chunk) hash = NULL;
    }
    if (!packet.chunk) goto fail;
    if (outbox_add(box, packet) == WEIR_OK) return WEIR_OK;
    return weir_fail(error, WEIR_FATAL, "out of memory");
fail:
    mem_free(hash);
    mem_free(packet.offsets);
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* ---- waiting ---- */

static int32_t wait_for_more(struct outbox *box, struct weir_chunk *chunk, uint64_t bytes,
                             struct weir_error *error)
{
    if (box->n_waiting == box->waiting_room) {
        uint32_t room = box->waiting_room ? box->waiting_room * 2 : 8;
        struct weir_chunk **waiting = realloc(box->waiting, room * sizeof(struct weir_chunk *));
        if (!waiting) return weir_fail(error, WEIR_FATAL, "out of memory");
        box->waiting = waiting;
        box->waiting_room = room;
    }
    chunk_retain(chunk);
    box->waiting[box->n_waiting++] = chunk;
    box->waiting_rows += chunk->selected;
    box->waiting_bytes += bytes;
    return WEIR_OK;
}

/* Those that wait as one chunk; they have one schema. */
static struct weir_chunk *join(const struct outbox *box, struct weir_error *error)
{
    uint32_t n = box->n_waiting;
    struct weir_chunk *first = box->waiting[0], *joined = NULL;
    struct ArrowArray array = { 0 };
    const struct ArrowArray **arrays;
    const uint32_t **selections;
    uint32_t *counts;
    if (n == 1) {
        chunk_retain(first);
        return first;
    }
    arrays = malloc(n * (sizeof *arrays + sizeof *selections + sizeof *counts));
    if (!arrays) return NULL;
    selections = (const uint32_t **)(void *)(arrays + n);
    counts = (uint32_t *)(void *)(selections + n);
    for (uint32_t i = 0; i < n; i++) {
        arrays[i] = box->waiting[i]->array;
        selections[i] = box->waiting[i]->selection;
        counts[i] = box->waiting[i]->selected;
    }
    if (array_concat(first->schema, arrays, selections, counts, n, &array, error) == WEIR_OK)
        joined = chunk_create(first->schema, &array, NULL, 0);
    free(arrays);
    if (!joined) return NULL;
    joined->batch = first->batch;
    joined->partition = first->partition;
    return joined;
}

int32_t exchange_flush(struct run *run, const struct plan_node *node, uint32_t input,
                       struct outbox *box, struct weir_error *error)
{
    if (box->n_waiting == 0) return WEIR_OK;
    struct weir_chunk *joined = join(box, error);
    int32_t result = joined ? scatter(run, node, input, joined, box, error)
                            : weir_fail(error, WEIR_FATAL, "out of memory");
    chunk_release(joined);
    for (uint32_t i = 0; i < box->n_waiting; i++) chunk_release(box->waiting[i]);
    box->n_waiting = 0;
    box->waiting_rows = box->waiting_bytes = 0;
    return result;
}

int32_t exchange_scatter(struct run *run, const struct plan_node *node, uint32_t input,
                         struct weir_chunk *chunk, struct outbox *box, struct weir_error *error)
{
    if (node->bound.distribution[input].kind != WEIR_DISTRIBUTE_HASHED)
        return add_single(run, node, input, chunk, box, error);
    uint64_t bytes = chunk_bytes(chunk);
    if (box->n_waiting && (box->waiting[0]->schema != chunk->schema ||
                           box->waiting_rows + chunk->selected > WAITING_ROWS ||
                           box->waiting_bytes + bytes > WAITING_BYTES)) {
        int32_t result = exchange_flush(run, node, input, box, error);
        if (result != WEIR_OK) return result;
    }
    return wait_for_more(box, chunk, bytes, error);
}

uint32_t packet_rows(const struct packet *packet, uint32_t unit)
{
    if (!packet->offsets) return unit == 0 ? packet->chunk->selected : 0;
    return packet->offsets[unit + 1] - packet->offsets[unit];
}

/* Asks for n values of `width` bytes, from the one with number `from` on. */
static void prefetch(const void *values, uint32_t width, uint32_t from, uint32_t n)
{
    const uint8_t *at = (const uint8_t *)values + (uint64_t)from * width;
    for (uint64_t k = 0; k < (uint64_t)n * width; k += 64) __builtin_prefetch(at + k, 0, 2);
}

void exchange_prefetch(const struct packet *packet, uint32_t unit)
{
    const struct weir_chunk *chunk = packet->chunk;
    if (!packet->offsets || packet->perm) return; /* not a stretch of its own */
    const uint32_t from = packet->offsets[unit], n = packet->offsets[unit + 1] - from;
    if (chunk->hash) prefetch(chunk->hash, 8, from, n);
    for (int64_t c = 0; c < chunk->schema->n_children; c++) {
        const uint32_t type = weir_type_of(chunk->schema->children[c]);
        const int offsets = type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
        const void *values = chunk->array->children[c]->buffers[1];
        prefetch(values, offsets ? 4 : weir_type_width(type), from, n);
    }
}

int32_t exchange_slice(const struct packet *packet, uint32_t unit, int compact,
                       struct weir_chunk **out, struct weir_error *error)
{
    uint32_t n = packet_rows(packet, unit);
    struct weir_chunk *slice;
    *out = NULL;
    if (n == 0) return WEIR_OK;
    if (!packet->offsets) {
        slice = packet->chunk;
        chunk_retain(slice);
    } else {
        const uint32_t *rows = (packet->perm ? packet->perm : iota) + packet->offsets[unit];
        slice = chunk_view(packet->chunk, rows, n, 0);
    }
    if (slice && compact && slice->selection) {
        struct weir_chunk *whole = chunk_compact(slice, error);
        chunk_release(slice);
        slice = whole;
    }
    if (!slice) return weir_fail(error, WEIR_FATAL, "out of memory");
    *out = slice;
    return WEIR_OK;
}
