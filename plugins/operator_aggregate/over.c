/*
 * over.c - the functions of an aggregation per batch or, with `over`, per window of batches.
 *
 * Over windows a lane has one of a batch inside: combine and process work as for a batch, and at the
 * end its groups go into panes. Without `over` the lane is that of the batch itself.
 */
#include "plugins/operator_aggregate/faces.h"
#include "plugins/operator_aggregate/panes.h"

void over_destroy(void *self)
{
    struct aggregation *a = self;
    if (!a) return;
    panes_destroy(a);
    aggregation_destroy(a);
}

int32_t over_lane_create(void *self, struct weir_context *context, void **lane,
                         struct weir_error *error)
{
    const struct aggregation *a = self;
    uint32_t arrays = a->n_keys + 1 + a->n_columns;
    uint64_t bytes = sizeof(struct panes_lane) +
                     arrays * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *));
    if (!a->panes) return aggregation_lane_create(self, context, lane, error);
    struct panes_lane *l = a->host->alloc(bytes);
    void *batch = NULL;
    if (!l) return no_memory(error);
    memset(l, 0, bytes);
    l->arrays = (struct ArrowArray *)(void *)(l + 1);
    l->list = (const struct ArrowArray **)(void *)(l->arrays + arrays);
    for (uint32_t i = 0; i < arrays; i++) l->list[i] = &l->arrays[i];
    *lane = l;
    int32_t result = aggregation_lane_create(self, context, &batch, error);
    l->batch = batch;
    if (batch) l->batch->windows = l;
    return result;
}

void over_lane_destroy(void *self, void *lane)
{
    const struct aggregation *a = self;
    struct panes_lane *l = lane;
    if (!a->panes || !l) {
        aggregation_lane_destroy(self, lane);
        return;
    }
    aggregation_lane_destroy(self, l->batch);
    a->host->free(l->order);
    a->host->free(l);
}

int32_t over_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct panes_lane *l = lane;
    if (!a->panes) return aggregation_begin(self, lane, in, error);
    struct weir_begin batch = *in;
    l->begin = *in;
    l->n_dropped = 0;
    batch.state = NULL; /* groups are those of the batch */
    return aggregation_begin(self, l->batch, &batch, error);
}

int32_t over_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                     struct weir_error *error)
{
    const struct aggregation *a = self;
    struct panes_lane *l = lane;
    if (!a->panes) return aggregation_process(self, lane, input, chunk, error);
    return aggregation_process(self, l->batch, input, chunk, error);
}

int32_t over_advance(void *self, void *lane, struct weir_error *error)
{
    const struct aggregation *a = self;
    return a->panes ? panes_advance(a, lane, error) : aggregation_advance(self, lane, error);
}

int32_t over_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                     struct weir_error *error)
{
    const struct aggregation *a = self;
    struct panes_lane *l = lane;
    if (!a->panes) return aggregation_combine(self, lane, input, chunk, error);
    if (!over_holds(&a->panes->over, &l->begin)) return WEIR_OK;
    return aggregation_combine(self, l->batch, input, chunk, error);
}

int32_t over_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error)
{
    const struct aggregation *a = self;
    struct panes_lane *l = lane;
    return aggregation_combine_end(self, a->panes ? (void *)l->batch : lane, input, error);
}
