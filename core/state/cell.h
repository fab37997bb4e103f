/*
 * cell.h - text in a record: 16 bytes in place, longer text in the arena of the table.
 *
 *   up to 15 bytes   bytes 0–14 the text, zeros behind it; byte 15 its length
 *   longer           bytes 0–3 length, 4–7 the first four bytes of the text, 8–14 where the text
 *                    is; byte 15 is 0xff
 *
 * Where: in a record the offset within the arena, in the image of a key that is looked up its
 * address (56 bits hold either). So two short texts are equal iff their cells are, and most
 * different long ones differ in byte 0–7. A cell of zeros is the empty text.
 */
#ifndef WEIR_CORE_CELL_H
#define WEIR_CORE_CELL_H

#include "core/state/memory.h"

#define CELL_BYTES 16u
#define CELL_SHORT 15u
#define CELL_LONG 0xff00000000000000u
#define CELL_PLACE 0x00ffffffffffffffu

struct cell {
    uint64_t low, high;
};

/* Long texts of one table. */
struct arena {
    uint8_t *data;
    uint64_t used, capacity;
    uint64_t garbage; /* bytes below `used` that no cell names */
};

static inline uint64_t load_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t load_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline int cell_is_long(const struct cell *cell) { return cell->high >= CELL_LONG; }

/* The cell of a text; of a long one with its address. Reads no byte beyond the text. */
static inline struct cell cell_of(const uint8_t *p, uint64_t n)
{
    struct cell c = { 0, 0 };
    if (n > CELL_SHORT) {
        c.low = (uint32_t)n | load_u32(p) << 32;
        c.high = CELL_LONG | ((uint64_t)(uintptr_t)p & CELL_PLACE);
        return c;
    }
    if (n >= 8) {
        c.low = load_u64(p);
        c.high = load_u64(p + n - 8) >> (8 * (15 - n)) >> 8;
    } else if (n >= 4) {
        c.low = load_u32(p) | load_u32(p + n - 4) >> (8 * (8 - n)) << 32;
    } else if (n > 0) {
        c.low = (uint64_t)p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) |
                (uint64_t)p[n - 1] << (8 * (n - 1));
    }
    c.high |= n << 56;
    return c;
}

/* The cell of a text of at most CELL_SHORT bytes, of which 16 can be read: without a branch. */
static inline struct cell cell_of_short(const uint8_t *p, uint64_t n)
{
    /* from byte 16 - n on: n bytes of ones, then zeros */
    static const uint8_t ones[32] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255 };
    struct cell c;
    c.low = load_u64(p) & load_u64(ones + 16 - n);
    c.high = (load_u64(p + 8) & load_u64(ones + 24 - n)) | n << 56;
    return c;
}

static inline uint64_t cell_length(const struct cell *cell)
{
    return cell_is_long(cell) ? (uint32_t)cell->low : cell->high >> 56;
}

/* Bytes that the cell has in an arena. */
static inline uint64_t cell_outside(const struct cell *cell)
{
    return cell_is_long(cell) ? (uint32_t)cell->low : 0;
}

/* The text of a cell that lies in a record; `data` is that of its arena (of an image: NULL). */
static inline struct weir_bytes cell_bytes(const struct cell *cell, const uint8_t *data)
{
    struct weir_bytes b;
    b.length = cell_length(cell);
    b.data = (const uint8_t *)cell;
    if (cell_is_long(cell))
        b.data = data ? data + (cell->high & CELL_PLACE)
                      : (const uint8_t *)(uintptr_t)(cell->high & CELL_PLACE);
    return b;
}

/* Is the cell of a record equal to that of an image? */
static inline int cell_equal(const struct cell *record, const struct cell *image,
                             const uint8_t *data)
{
    if (record->low != image->low) return 0;
    if (!cell_is_long(record)) return record->high == image->high;
    if (!cell_is_long(image)) return 0;
    return memcmp(data + (record->high & CELL_PLACE),
                  (const void *)(uintptr_t)(image->high & CELL_PLACE), (uint32_t)record->low) == 0;
}

/* Puts the long text of an image cell into the arena, which has room for it. */
static inline void cell_settle(struct cell *cell, struct arena *arena)
{
    const uint64_t n = cell_outside(cell);
    if (n == 0) return;
    memcpy(arena->data + arena->used, (const void *)(uintptr_t)(cell->high & CELL_PLACE), n);
    cell->high = CELL_LONG | arena->used;
    arena->used += n;
}

#endif
