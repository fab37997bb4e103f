/*
 * index.c - see index.h.
 */
#include "core/state/index.h"

#include <stdlib.h>

#define INDEX_LEAST 16u
#define INDEX_MOST (1ull << 31)
#define DOUBLES 2048u /* entries up to which state doubles, too */

static uint64_t entries_of(const struct index *index)
{
    return index->entries ? index->size : 0;
}

static uint64_t usable(const struct index *index, uint64_t size)
{
    if (size <= index->sparse) return size / 4;
    return index->roomy ? size / 2 : size * 4 / 5;
}

static uint64_t next_size(const struct index *index, uint64_t size)
{
    return index->roomy || size < DOUBLES ? size * 2 : size + size / 8;
}

void index_fini(struct index *index, struct memory *memory)
{
    memory_resize(memory, index->entries, entries_of(index) * 8, 0);
    index->entries = NULL;
    index->size = index->used = 0;
}

void index_empty(struct index *index)
{
    if (index->used) memset(index->entries, 0xff, entries_of(index) * 8);
    index->used = 0;
}

int32_t index_room(struct index *index, struct memory *memory, uint64_t more)
{
    const uint64_t before = entries_of(index), need = index->used + more;
    struct index next = { .roomy = index->roomy, .sparse = index->sparse };
    uint64_t size = before ? before : INDEX_LEAST, i;
    if (need <= usable(index, before)) return WEIR_OK;
    while (need > usable(index, size) && size < INDEX_MOST) size = next_size(index, size);
    if (need > usable(index, size)) return WEIR_FATAL;
    next.entries = memory_resize(memory, NULL, 0, size * 8);
    if (!next.entries) return WEIR_FATAL;
    memset(next.entries, 0xff, size * 8);
    next.size = (uint32_t)size;
    for (i = 0; i < before; i++) {
        const uint64_t entry = index->entries[i];
        if (entry != INDEX_NONE)
            next.entries[index_free(&next, index_home(&next, (uint32_t)entry))] = entry;
    }
    next.used = index->used;
    memory_resize(memory, index->entries, before * 8, 0);
    *index = next;
    return WEIR_OK;
}

void index_add(struct index *index, uint32_t tag, uint32_t slot)
{
    const uint32_t p = index_free(index, index_home(index, tag));
    index->entries[p] = (uint64_t)slot << 32 | tag;
    index->used++;
}

/* How far place p lies behind place `from`. */
static uint32_t distance(const struct index *index, uint32_t from, uint32_t p)
{
    return p >= from ? p - from : p + index->size - from;
}

void index_remove(struct index *index, uint32_t tag, uint32_t slot)
{
    const uint64_t entry = (uint64_t)slot << 32 | tag;
    uint32_t hole = index_home(index, tag), p;
    for (; index->entries[hole] != entry; hole = index_next(index, hole))
        if (index->entries[hole] == INDEX_NONE) abort(); /* a live key is always in the index */
    for (p = index_next(index, hole); index->entries[p] != INDEX_NONE; p = index_next(index, p)) {
        const uint32_t home = index_home(index, (uint32_t)index->entries[p]);
        if (distance(index, home, p) < distance(index, hole, p)) continue;
        index->entries[hole] = index->entries[p];
        hole = p;
    }
    index->entries[hole] = INDEX_NONE;
    index->used--;
}
