/*
 * presence.h - structs as columns of a key: their fields and, where those can't tell, whether there
 * is a struct at all.
 *
 * A null struct is flattened into nulls, and so is a struct that holds nothing but nulls, which is
 * another value. A bool beside the fields, true where the struct is there, tells them apart. None
 * is needed where the struct is always there and a field of it too.
 *
 * Structs that may be windows, struct<start: timestamp, end: timestamp>, have none either, so that
 * the state of aggregations by window is what it was before there were such bools. A window has no
 * null times, but a struct of the user's own may: one of nulls is told from null by an `end` that
 * is no time of the profile (PRESENCE_END).
 */
#ifndef SHARE_PRESENCE_H
#define SHARE_PRESENCE_H

#include <weir/plugin.h>

/* The `end`, beside a null `start`, of a struct of nulls. */
#define PRESENCE_END INT64_MIN

/* 1: structs of this type may be windows; their ends go through presence_fold, and back. */
static inline int presence_is_window(const struct ArrowSchema *type)
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
    if (presence_is_window(type)) return 0;
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

/* Copies times, to be changed: with bits of nulls. */
static inline int32_t presence_copy(const struct weir_data *data, const struct ArrowArray *times,
                                    struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t n = (uint32_t)times->length;
    int32_t result = data->column(WEIR_TYPE_TIMESTAMP, n, 0, 1, out, error);
    if (result != WEIR_OK) return result;
    memcpy((void *)(uintptr_t)out->buffers[1], times->buffers[1], 8ull * n);
    if (times->buffers[0])
        memcpy((void *)(uintptr_t)out->buffers[0], times->buffers[0], ((uint64_t)n + 7) / 8);
    out->null_count = times->null_count;
    return WEIR_OK;
}

/* One row of a copy: `PRESENCE_END`, or null. */
static inline void presence_put(struct ArrowArray *end, uint32_t row, int null)
{
    uint8_t *valid = (uint8_t *)(uintptr_t)end->buffers[0] + (row >> 3);
    ((int64_t *)(uintptr_t)end->buffers[1])[row] = null ? 0 : PRESENCE_END;
    *valid = (uint8_t)((*valid & ~(1u << (row & 7))) | (unsigned)!null << (row & 7));
    end->null_count += null ? 1 : -1;
}

/* Of n rows of structs that may be windows, whose fields `start` and `end` were taken, null where
 * the struct is: PRESENCE_END for the ends of structs of nulls. */
static inline int32_t presence_fold(const struct weir_data *data, const struct ArrowArray *structs,
                                    const struct ArrowArray *start, struct ArrowArray *end,
                                    struct weir_error *error)
{
    struct ArrowArray fresh = { .release = NULL };
    for (uint32_t i = 0; start->null_count && end->null_count && i < structs->length; i++) {
        if (!weir_is_null(start, i) || !weir_is_null(end, i) || weir_is_null(structs, i)) continue;
        if (!fresh.release) {
            int32_t result = presence_copy(data, end, &fresh, error);
            if (result != WEIR_OK) return result;
        }
        presence_put(&fresh, i, 0);
    }
    if (!fresh.release) return WEIR_OK;
    end->release(end);
    *end = fresh;
    return WEIR_OK;
}

/* The structs that were made of such fields again: nulls for PRESENCE_END. */
static inline int32_t presence_unfold(const struct weir_data *data, struct ArrowArray *structs,
                                      struct weir_error *error)
{
    const struct ArrowArray *start = structs->children[0];
    struct ArrowArray *end = structs->children[1], fresh = { .release = NULL };
    for (uint32_t i = 0; start->null_count && i < structs->length; i++) {
        if (!weir_is_null(start, i) || weir_is_null(end, i)) continue;
        if (weir_get_int64(end, i) != PRESENCE_END) continue;
        if (!fresh.release) {
            int32_t result = presence_copy(data, end, &fresh, error);
            if (result != WEIR_OK) return result;
        }
        presence_put(&fresh, i, 1);
    }
    if (!fresh.release) return WEIR_OK;
    end->release(end);
    *end = fresh;
    return WEIR_OK;
}

#endif
