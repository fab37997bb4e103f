/*
 * chunk.c - chunks of the host: header, count and memory in one block.
 *
 *     struct chunk | child pointers (derive) | new child arrays (derive) | selection
 *
 * Invariants:
 *
 *  1. The public header is the first member, so the chunk is found from the pointer that plugins
 *     hold. Nothing but the count changes once a chunk is shared.
 *  2. What a chunk refers to but does not own (columns by reference, the arrays and hashes of a
 *     view) belongs to `parent` or to one of its ancestors, and each chunk holds one count of its
 *     parent. A release goes up the chain in a loop.
 *  3. The root of a derived chunk lies in the chunk itself; its own release does nothing.
 *  4. The count falls with release and acquire order, so whatever other threads did
 *     to the chunk happened before its memory is freed.
 */
#include "core/data/chunk.h"
#include "core/data/node.h"

#include <stdatomic.h>
#include <stdlib.h>

struct chunk {
    struct weir_chunk head;
    atomic_uint count;
    uint32_t n_own; /* entries of `own` */
    struct chunk *parent;
    struct ArrowArray root; /* created: the array; derived: built here; view: released */
    struct ArrowArray *own; /* columns moved into a derived chunk */
    const void *buffers[1];
    uint64_t *hash; /* owned, or NULL */
};

static struct chunk *chunk_of(const struct weir_chunk *chunk)
{
    return (struct chunk *)(uintptr_t)chunk;
}

void chunk_retain(const struct weir_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk_of(chunk)->count, 1, memory_order_relaxed);
}

void chunk_release(const struct weir_chunk *chunk)
{
    struct chunk *c = chunk ? chunk_of(chunk) : NULL;
    while (c) {
        struct chunk *parent = c->parent;
        const uint32_t before = atomic_fetch_sub_explicit(&c->count, 1, memory_order_acq_rel);
        uint32_t i;
        if (before == 0) abort(); /* one release too many */
        if (before > 1) return;
        for (i = 0; i < c->n_own; i++) array_release(&c->own[i]);
        array_release(&c->root);
        mem_free(c->hash);
        mem_free(c);
        c = parent;
    }
}

/* A chunk with `more` bytes behind the struct, then room for the selection, which is copied. */
static struct chunk *make(const struct ArrowSchema *schema, uint64_t more,
                          const uint32_t *selection, uint32_t selected)
{
    const uint64_t size = round_up(sizeof(struct chunk), 16) + round_up(more, 16);
    struct chunk *c = mem_alloc(size + (selection ? (uint64_t)selected * 4 : 0));
    if (!c) return NULL;
    memset(c, 0, sizeof *c);
    atomic_init(&c->count, 1);
    c->head.size = sizeof c->head;
    c->head.schema = schema;
    c->head.selected = selected;
    if (selection) {
        uint32_t *copy = (void *)((uint8_t *)c + size);
        if (selected) memcpy(copy, selection, (uint64_t)selected * 4);
        c->head.selection = copy;
    }
    return c;
}

struct weir_chunk *chunk_create(const struct ArrowSchema *schema, struct ArrowArray *array,
                                const uint32_t *selection, uint32_t selected)
{
    struct chunk *c =
        make(schema, 0, selection, selection ? selected : (uint32_t)array->length);
    if (!c) {
        array_release(array);
        return NULL;
    }
    c->root = *array;
    array->release = NULL;
    c->head.array = &c->root;
    c->head.rows = (uint32_t)c->root.length;
    return &c->head;
}

static void release_nothing(struct ArrowArray *array) { array->release = NULL; }

static void release_columns(const struct weir_output_column *columns, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++)
        if (columns[i].input < 0) array_release(columns[i].array);
}

struct weir_chunk *chunk_derive(const struct ArrowSchema *schema, const struct weir_chunk *from,
                                const struct weir_output_column *columns, uint32_t n_columns,
                                uint32_t rows, const uint32_t *selection, uint32_t selected)
{
    const uint64_t pointers = n_columns * sizeof(struct ArrowArray *);
    struct ArrowArray **children;
    struct chunk *c;
    uint32_t n_own = 0, i;
    for (i = 0; i < n_columns; i++) n_own += columns[i].input < 0;
    c = make(schema, pointers + n_own * sizeof(struct ArrowArray), selection,
             selection ? selected : rows);
    if (!c) {
        release_columns(columns, n_columns);
        return NULL;
    }
    children = (void *)((uint8_t *)c + round_up(sizeof *c, 16));
    c->own = (void *)(children + n_columns);
    for (i = 0; i < n_columns; i++) {
        if (columns[i].input >= 0) {
            children[i] = from->array->children[columns[i].input];
            if (c->parent) continue;
            c->parent = chunk_of(from);
            chunk_retain(from);
        } else {
            children[i] = &c->own[c->n_own++];
            *children[i] = *columns[i].array;
            columns[i].array->release = NULL;
        }
    }
    c->root.length = rows;
    c->root.n_buffers = 1;
    c->root.buffers = c->buffers;
    c->root.n_children = n_columns;
    c->root.children = n_columns ? children : NULL;
    c->root.release = release_nothing;
    c->head.array = &c->root;
    c->head.rows = rows;
    if (from) {
        c->head.batch = from->batch;
        c->head.partition = from->partition;
    }
    return &c->head;
}

struct weir_chunk *chunk_view(const struct weir_chunk *of, const uint32_t *selection,
                              uint32_t selected, int copy)
{
    struct chunk *c = make(of->schema, 0, copy ? selection : NULL, selected);
    if (!c) return NULL;
    if (!selection) c->head.selected = of->rows;
    else if (!copy) c->head.selection = selection;
    c->head.rows = of->rows;
    c->head.batch = of->batch;
    c->head.partition = of->partition;
    c->head.hash = of->hash;
    c->head.row_op = of->row_op;
    c->head.array = of->array;
    c->parent = chunk_of(of);
    chunk_retain(of);
    return &c->head;
}

void chunk_set_hash(struct weir_chunk *chunk, uint64_t *hash)
{
    struct chunk *c = chunk_of(chunk);
    mem_free(c->hash);
    c->hash = hash;
    c->head.hash = hash;
}

struct weir_chunk *chunk_compact(const struct weir_chunk *chunk, struct weir_error *error)
{
    const uint32_t *selection = chunk->selection;
    struct ArrowArray array;
    struct weir_chunk *out;
    uint64_t *hash = NULL;
    uint32_t i;
    if (!selection) {
        chunk_retain(chunk);
        return &chunk_of(chunk)->head;
    }
    if (chunk->selected == chunk->rows) { /* ascending and all there: every row */
        out = chunk_view(chunk, NULL, 0, 0);
        if (!out) array_no_memory(error);
        return out;
    }
    if (array_take(chunk->schema, chunk->array, selection, chunk->selected, &array, error))
        return NULL;
    if (chunk->hash) {
        hash = mem_alloc((uint64_t)chunk->selected * sizeof *hash);
        if (!hash) array_release(&array);
        for (i = 0; hash && i < chunk->selected; i++) hash[i] = chunk->hash[selection[i]];
    }
    out = chunk->hash && !hash ? NULL : chunk_create(chunk->schema, &array, NULL, 0);
    if (!out) {
        mem_free(hash);
        array_no_memory(error);
        return NULL;
    }
    out->batch = chunk->batch;
    out->partition = chunk->partition;
    chunk_set_hash(out, hash);
    return out;
}

/* A view counts as its share of the rows, so that the views by which an exchange splits a chunk sum
 * up to that chunk. */
uint64_t chunk_bytes(const struct weir_chunk *chunk)
{
    const struct chunk *c = chunk_of(chunk);
    uint64_t bytes = array_bytes(chunk->schema, chunk->array);
    if (chunk->hash) bytes += (uint64_t)chunk->rows * sizeof *chunk->hash;
    if (chunk->array != &c->root)
        bytes = chunk->rows ? bytes * chunk->selected / chunk->rows : 0;
    if (chunk->selection) bytes += (uint64_t)chunk->selected * 4;
    return bytes + sizeof *c;
}
