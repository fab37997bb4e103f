/*
 * presence.h - structs as columns of a key: their fields and, where those can't tell, whether there
 * is a struct at all.
 *
 * A null struct is flattened into nulls, and so is a struct that holds nothing but nulls, which is
 * another value. A bool beside the fields, true where the struct is there, tells them apart. None
 * is needed where the struct is always there and a field of it too, nor of a window, which has no
 * null times: so the state of aggregations by window is what it was before there were such bools.
 */
#ifndef SHARE_PRESENCE_H
#define SHARE_PRESENCE_H

#include <weir/plugin.h>

static inline int is_window_type(const struct ArrowSchema *type)
{
    return type->n_children == 2 && weir_column_index(type, "start") == 0 &&
           weir_column_index(type, "end") == 1 &&
           weir_type_of(type->children[0]) == WEIR_TYPE_TIMESTAMP &&
           weir_type_of(type->children[1]) == WEIR_TYPE_TIMESTAMP;
}

/* 1: a struct of this type needs the bool. */
static inline uint32_t presence_needed(const struct ArrowSchema *type)
{
    uint32_t always = 0;
    if (is_window_type(type)) return 0;
    for (int64_t i = 0; i < type->n_children; i++)
        always |= !(type->children[i]->flags & ARROW_FLAG_NULLABLE);
    return type->flags & ARROW_FLAG_NULLABLE || !always;
}

/* Of a field's column in the key: null where the struct is, so it is not null only as both are. */
static inline void presence_flags(const struct ArrowSchema *type, struct ArrowSchema *field)
{
    field->flags |= type->flags & ARROW_FLAG_NULLABLE;
}

/* The bool of n rows of structs. */
static inline int32_t presence_of(const struct weir_data *data, const struct ArrowArray *structs,
                                  uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    int32_t result = data->column(WEIR_TYPE_BOOL, n, 0, 0, out, error);
    if (result != WEIR_OK) return result;
    uint8_t *bits = (uint8_t *)(uintptr_t)out->buffers[1];
    memset(bits, 0, ((uint64_t)n + 7) / 8);
    for (uint32_t i = 0; i < n; i++)
        bits[i >> 3] |= (uint8_t)(!weir_is_null(structs, i) << (i & 7));
    return WEIR_OK;
}

#endif
