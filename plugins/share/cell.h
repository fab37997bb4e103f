/*
 * cell.h - how many bytes a value has, for limits of chunks.
 */
#ifndef SHARE_CELL_H
#define SHARE_CELL_H

#include <weir/plugin.h>

/* Bytes of text, items and fields of one value beyond its fixed width. [any] */
static inline uint64_t cell_bytes(const struct ArrowSchema *type, const struct ArrowArray *array,
                                  uint32_t row)
{
    const int32_t *offsets = array->n_buffers > 1 ? array->buffers[1] : NULL;
    uint64_t bytes = 0;
    switch (weir_type_of(type)) {
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return (uint64_t)(offsets[row + 1] - offsets[row]);
    case WEIR_TYPE_LIST:
        for (int32_t k = offsets[row]; k < offsets[row + 1]; k++)
            bytes += 8 + cell_bytes(type->children[0], array->children[0], (uint32_t)k);
        return bytes;
    case WEIR_TYPE_STRUCT:
        for (int64_t c = 0; c < type->n_children; c++)
            bytes += 8 + cell_bytes(type->children[c], array->children[c], row);
        return bytes;
    default: return 0;
    }
}

#endif
