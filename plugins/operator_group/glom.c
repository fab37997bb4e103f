/*
 * glom.c - the operator `glom`: the rows of a partition as one list, also where there are none.
 */
#include "plugins/operator_group/group.h"

struct glom {
    const struct weir_host *host;
    const struct weir_data *data;
    struct ArrowSchema schema; /* struct of the one list */
    uint32_t n_columns;
};

struct glom_lane {
    struct weir_context *context;
    struct weir_builder *builder;
};

static int32_t glom_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct glom *glom = host->alloc(sizeof *glom);
    (void)context;
    if (!glom) return no_memory(error);
    memset(glom, 0, sizeof *glom);
    glom->host = host;
    glom->data = host->get_interface(WEIR_DATA_ID);
    *self = glom;
    if (glom->data) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID);
}

static void glom_destroy(void *self)
{
    struct glom *glom = self;
    if (!glom) return;
    if (glom->schema.release) glom->schema.release(&glom->schema);
    glom->host->free(glom);
}

static int32_t glom_bind(void *self, const struct weir_operator_bind *in,
                         struct weir_operator_plan *out, struct weir_error *error)
{
    struct glom *glom = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    glom->n_columns = (uint32_t)input->n_children;
    int32_t result = glom->data->schema_struct(1, &glom->schema, error);
    if (result == WEIR_OK)
        result = glom->data->schema_set(&glom->schema, 0, "rows", WEIR_TYPE_LIST, error);
    if (result != WEIR_OK) return result;
    struct ArrowSchema *rows = glom->schema.children[0], *item = rows->children[0];
    rows->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    item->release(item);
    result = glom->data->schema_copy(input, "item", item, error);
    if (result == WEIR_OK)
        result = glom->data->schema_copy(&glom->schema, NULL, &out->streams[0].schema, error);
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = in->inputs[0].slide;
    out->streams[0].time_column = -1;
    out->distribution[0].kind = WEIR_DISTRIBUTE_PARTITION;
    out->flags = WEIR_PLAN_TICKING;
    return result;
}

static int32_t glom_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    struct glom *glom = self;
    struct glom_lane *l = glom->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    l->context = context;
    l->builder = NULL;
    *lane = l;
    return WEIR_OK;
}

static void glom_lane_destroy(void *self, void *lane)
{
    struct glom *glom = self;
    struct glom_lane *l = lane;
    if (!l) return;
    glom->data->builder_destroy(l->builder);
    glom->host->free(l);
}

static int32_t glom_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error)
{
    struct glom *glom = self;
    struct glom_lane *l = lane;
    (void)in;
    glom->data->builder_destroy(l->builder); /* of a partition: its list may have been long */
    l->builder = NULL;
    return glom->data->builder_create(&glom->schema, &l->builder, error);
}

static int32_t glom_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                            struct weir_error *error)
{
    struct glom *glom = self;
    struct glom_lane *l = lane;
    struct weir_builder *item =
        glom->data->builder_child(glom->data->builder_child(l->builder, 0), 0);
    int32_t result = WEIR_OK;
    (void)input;
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        for (uint32_t c = 0; c < glom->n_columns && result == WEIR_OK; c++)
            result = glom->data->append_from(glom->data->builder_child(item, c),
                                             chunk->array->children[c], weir_row(chunk, i));
        if (result == WEIR_OK) result = glom->data->append_valid(item);
    }
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory for a list");
}

static int32_t glom_advance(void *self, void *lane, struct weir_error *error)
{
    struct glom *glom = self;
    struct glom_lane *l = lane;
    struct ArrowArray rows;
    int32_t result = glom->data->append_valid(glom->data->builder_child(l->builder, 0));
    if (result != WEIR_OK) return weir_fail(error, result, "out of memory for a list");
    result = glom->data->builder_finish(l->builder, &rows, error);
    if (result != WEIR_OK) return result;
    struct weir_output_column column = { -1, 0, rows.children[0] };
    struct weir_emission emission = { .size = sizeof emission, .columns = &column, .n_columns = 1,
                                      .rows = 1 };
    result = glom->host->emit(l->context, &emission, error);
    rows.release(&rows);
    return result;
}

const struct weir_operator glom_operator = {
    .size = sizeof glom_operator,
    .create = glom_create,
    .destroy = glom_destroy,
    .bind = glom_bind,
    .lane_create = glom_lane_create,
    .lane_destroy = glom_lane_destroy,
    .begin = glom_begin,
    .process = glom_process,
    .advance = glom_advance,
};
