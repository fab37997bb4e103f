/*
 * count_rows.c - count(*) as an aggregate of this module, for operators that need no other: they
 * run without a module of functions.
 */
#include "plugins/operator_aggregate/aggregation.h"

const struct weir_table_column count_rows_column = { "count", WEIR_TYPE_INT64, 0 };

static int32_t count_update(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                            const struct weir_call *call, struct weir_error *error)
{
    uint8_t *base = cells->views[0].base;
    const uint64_t stride = cells->views[0].stride;
    (void)bound;
    (void)error;
    for (uint32_t i = 0; i < call->selected; i++)
        ++*(int64_t *)(void *)(base + slots[i] * stride);
    return WEIR_OK;
}

static int32_t count_merge(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                           const struct weir_call *call, struct weir_error *error)
{
    uint8_t *base = cells->views[0].base;
    const uint64_t stride = cells->views[0].stride;
    const int64_t *partial = call->args[0]->buffers[1];
    (void)bound;
    (void)error;
    for (uint32_t i = 0; i < call->selected; i++)
        *(int64_t *)(void *)(base + slots[i] * stride) +=
            partial[call->selection ? call->selection[i] : i];
    return WEIR_OK;
}

static int32_t count_inverse(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                             const struct weir_call *call, struct weir_error *error)
{
    uint8_t *base = cells->views[0].base;
    const uint64_t stride = cells->views[0].stride;
    const int64_t *partial = call->args[0]->buffers[1];
    (void)bound;
    (void)error;
    for (uint32_t i = 0; i < call->selected; i++)
        *(int64_t *)(void *)(base + slots[i] * stride) -=
            partial[call->selection ? call->selection[i] : i];
    return WEIR_OK;
}

static int32_t count_finish(const struct weir_host *host, void *bound,
                            const struct weir_cells *cells, const uint32_t *slots, uint32_t from,
                            uint32_t n, uint8_t *failed, char *reason, struct ArrowArray *out,
                            struct weir_error *error)
{
    const struct weir_data *data = host->get_interface(WEIR_DATA_ID);
    const struct weir_view view = cells->views[0];
    int32_t result = data->column(WEIR_TYPE_INT64, n, 0, 0, out, error);
    (void)bound;
    (void)failed;
    (void)reason;
    if (result != WEIR_OK) return result;
    int64_t *to = (int64_t *)(uintptr_t)out->buffers[1];
    for (uint32_t i = 0; i < n; i++)
        to[i] = *(const int64_t *)(const void *)(view.base +
                                                 (slots ? slots[i] : from + i) * view.stride);
    return WEIR_OK;
}

const struct weir_aggregate count_rows = {
    .size = sizeof count_rows,
    .update = count_update,
    .merge = count_merge,
    .inverse = count_inverse,
    .finish = count_finish,
};
