/*
 * sample.c - the operator `sample`: each row stays with the same chance.
 *
 * The chance of a row is a hash of the job's seed, the batch, the partition, the segment and the number
 * of the row there. None of these depends on the number of workers or on chunks, so a batch
 * that runs again gives the same rows. The mixing is that of splitmix64 (Steele, Lea, Flood, "Fast
 * splittable pseudorandom number generators", 2014): a good hash of a counter.
 */
#include "plugins/operator_basic/basic.h"

struct sample {
    struct basic basic;
    uint64_t below; /* of 2^53: hashes under it stay */
    uint32_t n_columns;
    struct weir_output_column *columns; /* column i of the input, all of them */
};

struct sample_lane {
    struct weir_context *context;
    uint64_t base, row;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
};

static int32_t sample_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    int32_t result = basic_create(host, context, sizeof(struct sample), self, error);
    if (result != WEIR_OK) return result;
    double fraction = option_number(host, context, "fraction", 0);
    ((struct sample *)*self)->below = (uint64_t)(fraction * 0x1p53);
    if (fraction >= 0 && fraction <= 1) return WEIR_OK;
    return weir_fail_option(error, "fraction", -1, "must be from 0 to 1");
}

static void sample_destroy(void *self)
{
    struct sample *sample = self;
    if (!sample) return;
    sample->basic.host->free(sample->columns);
    sample->basic.host->free(sample);
}

static int32_t sample_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct sample *sample = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    struct ArrowSchema schema;
    sample->n_columns = (uint32_t)input->n_children;
    sample->columns =
        sample->basic.host->alloc(sample->n_columns * sizeof *sample->columns + 1);
    if (!sample->columns) return no_memory(error);
    for (uint32_t i = 0; i < sample->n_columns; i++)
        sample->columns[i] = (struct weir_output_column){ (int32_t)i, 0, NULL };
    int32_t result = sample->basic.data->schema_copy(input, NULL, &schema, error);
    if (result != WEIR_OK) return result;
    carry_plan(out, &in->inputs[0], &schema, NULL, 0);
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    return WEIR_OK;
}

static int32_t sample_lane_create(void *self, struct weir_context *context, void **lane,
                                  struct weir_error *error)
{
    struct sample *sample = self;
    struct sample_lane *l = sample->basic.host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void sample_lane_destroy(void *self, void *lane)
{
    struct sample *sample = self;
    sample->basic.host->free(lane);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int32_t sample_begin(void *self, void *lane, const struct weir_begin *in,
                            struct weir_error *error)
{
    struct sample_lane *l = lane;
    (void)self;
    (void)error;
    l->base = mix(mix(mix(mix(in->seed + 0x9e3779b97f4a7c15u) ^ in->batch) ^ in->partition) ^
                  in->segment);
    l->row = 0;
    return WEIR_OK;
}

static int32_t sample_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct sample *sample = self;
    struct sample_lane *l = lane;
    uint32_t n = 0;
    (void)input;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        l->rows[n] = weir_row(chunk, i);
        n += mix(l->base + 0x9e3779b97f4a7c15u * ++l->row) >> 11 < sample->below;
    }
    if (n == 0) return WEIR_OK;
    struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                      .columns = sample->columns, .n_columns = sample->n_columns,
                                      .rows = chunk->rows, .selection = l->rows, .selected = n };
    return sample->basic.host->emit(l->context, &emission, error);
}

const struct weir_operator sample_operator = {
    .size = sizeof sample_operator,
    .create = sample_create,
    .destroy = sample_destroy,
    .bind = sample_bind,
    .lane_create = sample_lane_create,
    .lane_destroy = sample_lane_destroy,
    .begin = sample_begin,
    .process = sample_process,
};
