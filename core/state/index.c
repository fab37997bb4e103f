/*
 * index.c - see index.h.
 */
#include "core/state/index.h"

#include <stdlib.h>

#define INDEX_LEAST 16u
#define INDEX_MOST (1ull << 31)

static uint64_t entries_of(const struct index *index)
{
    return index->entries ? (uint64_t)index->mask + 1 : 0;
}

void index_fini(struct index *index, struct memory *memory)
{
    memory_resize(memory, index->entries, entries_of(index) * 8, 0);
    index->entries = NULL;
    index->mask = index->used = 0;
}

void index_empty(struct index *index)
{
    if (index->used) memset(index->entries, 0xff, entries_of(index) * 8);
    index->used = 0;
}

static uint64_t usable(const struct index *index, uint64_t size)
{
    return size / 4 * (size <= index->sparse ? 1 : index->quarters);
}

int32_t index_room(struct index *index, struct memory *memory, uint64_t more)
{
    const uint64_t before = entries_of(index), need = index->used + more;
    struct index next;
    uint64_t size = before ? before : INDEX_LEAST, i;
    if (need <= usable(index, before)) return WEIR_OK;
    while (need > usable(index, size) && size < INDEX_MOST) size *= 2;
    if (need > usable(index, size)) return WEIR_FATAL;
    next.entries = memory_resize(memory, NULL, 0, size * 8);
    if (!next.entries) return WEIR_FATAL;
    memset(next.entries, 0xff, size * 8);
    next.mask = (uint32_t)(size - 1);
    next.used = 0;
    next.quarters = index->quarters;
    next.sparse = index->sparse;
    for (i = 0; i < before; i++)
        if (index->entries[i] != INDEX_NONE)
            index_add(&next, (uint32_t)index->entries[i], (uint32_t)(index->entries[i] >> 32));
    memory_resize(memory, index->entries, before * 8, 0);
    *index = next;
    return WEIR_OK;
}

void index_add(struct index *index, uint32_t tag, uint32_t slot)
{
    uint32_t p = tag & index->mask;
    while (index->entries[p] != INDEX_NONE) p = (p + 1) & index->mask;
    index->entries[p] = (uint64_t)slot << 32 | tag;
    index->used++;
}

void index_remove(struct index *index, uint32_t tag, uint32_t slot)
{
    const uint64_t entry = (uint64_t)slot << 32 | tag;
    uint32_t hole = tag & index->mask, p;
    for (; index->entries[hole] != entry; hole = (hole + 1) & index->mask)
        if (index->entries[hole] == INDEX_NONE) abort(); /* a live key is always in the index */
    for (p = (hole + 1) & index->mask; index->entries[p] != INDEX_NONE; p = (p + 1) & index->mask) {
        const uint32_t home = (uint32_t)index->entries[p] & index->mask;
        if (((p - home) & index->mask) < ((p - hole) & index->mask)) continue;
        index->entries[hole] = index->entries[p];
        hole = p;
    }
    index->entries[hole] = INDEX_NONE;
    index->used--;
}
