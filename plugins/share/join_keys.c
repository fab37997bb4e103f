/*
 * join_keys.c - the keys of rows, as flat columns.
 */
#include "plugins/share/join.h"

static void drop(struct ArrowArray *array)
{
    if (array->release) array->release(array);
    array->release = NULL;
}

/* The bool "the struct is there": true, or null. */
static int32_t presence(const struct join *join, const struct ArrowArray *value,
                        const struct weir_rows *rows, struct ArrowArray *out,
                        struct weir_error *error)
{
    const uint32_t n = (uint32_t)value->length;
    int32_t result = join->data->column(WEIR_TYPE_BOOL, n, 0, 1, out, error);
    uint8_t *valid, *bits;
    if (result != WEIR_OK) return result;
    valid = (uint8_t *)(uintptr_t)out->buffers[0];
    bits = (uint8_t *)(uintptr_t)out->buffers[1];
    memset(bits, 0xff, (n + 7) / 8);
    for (uint32_t i = 0; i < rows->n; i++) {
        const uint32_t row = rows->rows[i];
        if (!weir_is_null(value, row)) continue;
        valid[row >> 3] &= (uint8_t)~(1u << (row & 7));
        bits[row >> 3] &= (uint8_t)~(1u << (row & 7));
        out->null_count++;
    }
    if (n & 7) bits[n >> 3] &= (uint8_t)((1u << (n & 7)) - 1);
    return WEIR_OK;
}

/* Field `field` of a struct, null where the struct is; rows that do not count are null. */
static int32_t field_of(const struct join *join, const struct ArrowSchema *type,
                        const struct ArrowArray *value, int32_t field,
                        const struct weir_rows *rows, struct ArrowArray *out,
                        struct weir_error *error)
{
    const uint32_t n = (uint32_t)value->length;
    uint32_t *at = join->host->alloc((uint64_t)n * sizeof *at + 4);
    int32_t result;
    if (!at) return no_memory(error);
    memset(at, 0xff, n * sizeof *at);
    for (uint32_t i = 0; i < rows->n; i++)
        if (!weir_is_null(value, rows->rows[i])) at[rows->rows[i]] = rows->rows[i];
    result = join->data->take(type, value->children[field], at, n, out, error);
    join->host->free(at);
    return result;
}

static int32_t key_leaves(const struct join *join, const struct join_key *key,
                          const struct ArrowArray *value, const struct weir_rows *rows,
                          struct ArrowArray *own, struct weir_error *error)
{
    int32_t result = presence(join, value, rows, &own[key->first], error);
    for (uint32_t i = key->first + 1; i < key->first + key->n_leaves && result == WEIR_OK; i++)
        result = field_of(join, join->leaves[i].type, value, join->leaves[i].field, rows, &own[i],
                          error);
    return result;
}

int32_t join_leaves(const struct join *join, struct weir_context *lane, uint32_t side,
                    const struct weir_chunk *chunk, struct weir_rows *rows,
                    const struct ArrowArray **leaves, struct ArrowArray *own,
                    struct weir_error *error)
{
    const struct weir_chunk *const chunks[2] = { chunk, chunk };
    int32_t result = WEIR_OK;
    memset(own, 0, JOIN_KEYS_MAX * sizeof *own);
    for (uint32_t k = 0; k < join->n_keys && result == WEIR_OK; k++) {
        const struct join_key *key = &join->keys[k];
        struct ArrowArray made = { 0 };
        const struct ArrowArray *value = &made;
        if (key->column[side] >= 0) value = chunk->array->children[key->column[side]];
        else
            result = join->expr->eval(lane, key->expr[side], chunks, rows, &made, error);
        if (result != WEIR_OK) break;
        if (key->is_struct) {
            result = key_leaves(join, key, value, rows, own, error);
            drop(&made);
        } else if (made.release) {
            own[key->first] = made;
        } else {
            leaves[key->first] = value;
        }
    }
    for (uint32_t i = 0; i < join->n_leaves; i++) {
        if (result != WEIR_OK) drop(&own[i]);
        else if (own[i].release) leaves[i] = &own[i];
    }
    return result;
}

int join_unmatchable(const struct join *join, const struct ArrowArray *const *leaves, uint32_t row)
{
    for (uint32_t k = 0; k < join->n_keys; k++)
        if (!join->keys[k].null_safe && weir_is_null(leaves[join->keys[k].first], row)) return 1;
    return 0;
}

void join_drop_nulls(const struct join *join, const struct ArrowArray *const *leaves,
                     struct weir_rows *rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows->n; i++) {
        rows->rows[n] = rows->rows[i];
        n += !join_unmatchable(join, leaves, rows->rows[i]);
    }
    rows->n = n;
}
