/*
 * bind.c - the operator `lua` in bind: code, mode, columns, distribution.
 *
 * map, flat_map and filter take rows as they come. map_partitions gets a partition at a time, also
 * an empty one, and transform the batch in one place, input by input; both keep the chunks until
 * the last has come.
 *
 * The result of a function is a row of its own, so only filter carries event time and keys on. What
 * was the whole table of a batch is that afterwards, too.
 */
#include "plugins/operator_lua/operator.h"

#include "plugins/share/names.h"
#include "plugins/share/option.h"
#include "plugins/share/types.h"

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    struct lua_operator *op = host->alloc(sizeof *op);
    if (!op) return no_memory(error);
    memset(op, 0, sizeof *op);
    op->host = host;
    op->context = context;
    op->data = host->get_interface(WEIR_DATA_ID);
    *self = op;
    if (!op->data) return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID);
    return WEIR_OK;
}

static void destroy(void *self)
{
    struct lua_operator *op = self;
    if (!op) return;
    script_free(&op->script);
    if (op->output.release) op->output.release(&op->output);
    op->host->free(op->pass);
    op->host->free(op);
}

static enum mode read_mode(const struct lua_operator *op)
{
    static const char *const words[] = { "map", "flat_map", "filter", "map_partitions",
                                         "transform" };
    const char *mode = option_text(op->host, op->context, "mode", words[0]);
    int i = 0;
    while (i < MODE_TRANSFORM && strcmp(words[i], mode) != 0) i++;
    return (enum mode)i;
}

static int32_t read_columns(struct lua_operator *op, struct weir_error *error)
{
    const char *ddl = option_text(op->host, op->context, "columns", NULL);
    if (op->mode == MODE_FILTER) {
        if (ddl)
            return weir_fail_option(error, "columns", -1,
                                    "filter passes rows on as they are: leave out `columns`");
        return op->data->schema_copy(op->inputs[0], NULL, &op->output, error);
    }
    if (!ddl)
        return weir_fail_option(error, "columns", -1,
                                "the columns of the result are missing: \"name type, …\"");
    int32_t result = op->data->schema_parse(ddl, &op->output, error);
    if (result == WEIR_CONFIG && error && !error->option[0])
        snprintf(error->option, sizeof error->option, "columns");
    return result;
}

/* Several inputs of a mode that has one stand for their union: the same columns, by name. */
static int32_t match_inputs(struct lua_operator *op, const struct weir_operator_bind *in,
                            struct weir_error *error)
{
    uint32_t n = (uint32_t)op->inputs[0]->n_children;
    op->pass = op->host->alloc((uint64_t)op->n_inputs * n * sizeof *op->pass + 1);
    if (!op->pass) return no_memory(error);
    for (uint32_t k = 0; k < op->n_inputs; k++)
        for (uint32_t c = 0; c < n; c++) {
            const struct ArrowSchema *mine = op->inputs[0]->children[c];
            int32_t at = weir_column_index(op->inputs[k], mine->name);
            if (at < 0 || op->inputs[k]->n_children != n ||
                !same_type(op->inputs[k]->children[at], mine))
                return weir_fail(error, WEIR_CONFIG,
                                 "the inputs \"%s\" and \"%s\" have different columns (see \"%s\"): "
                                 "make them alike by a select, or take mode transform",
                                 in->inputs[0].name, in->inputs[k].name, mine->name);
            op->pass[k * n + c] = (struct weir_output_column){ at, 0, NULL };
        }
    return WEIR_OK;
}

/* A filter keeps what its inputs agree on. */
static void carry(const struct lua_operator *op, const struct weir_operator_bind *in,
                  struct weir_stream *stream)
{
    const struct weir_input *input = &in->inputs[0];
    stream->form = input->form;
    if (op->n_inputs > 1 && stream->form == WEIR_FORM_UPSERT) stream->form = WEIR_FORM_APPEND;
    stream->time_column = input->time_column;
    if (stream->form == WEIR_FORM_UPSERT) {
        stream->n_key_columns = input->n_key_columns;
        memcpy(stream->key_columns, input->key_columns,
               input->n_key_columns * sizeof *stream->key_columns);
    }
    for (uint32_t k = 1; k < op->n_inputs; k++) {
        if (in->inputs[k].form != stream->form) stream->form = WEIR_FORM_APPEND;
        if (stream->time_column < 0) continue;
        int32_t at = op->pass[k * (uint32_t)op->output.n_children +
                              (uint32_t)stream->time_column].input;
        if (at != in->inputs[k].time_column) stream->time_column = -1;
    }
}

static int all_replace(const struct weir_operator_bind *in)
{
    for (uint32_t k = 0; k < in->n_inputs; k++)
        if (in->inputs[k].form != WEIR_FORM_REPLACE) return 0;
    return 1;
}

static int32_t plan(struct lua_operator *op, const struct weir_operator_bind *in,
                    struct weir_operator_plan *out, struct weir_error *error)
{
    static const uint32_t kinds[] = { WEIR_DISTRIBUTE_ANY, WEIR_DISTRIBUTE_ANY, WEIR_DISTRIBUTE_ANY,
                                      WEIR_DISTRIBUTE_PARTITION, WEIR_DISTRIBUTE_SINGLE };
    struct weir_stream *stream = &out->streams[0];
    int32_t result = op->data->schema_copy(&op->output, NULL, &stream->schema, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    stream->slide = in->inputs[0].slide;
    stream->form = all_replace(in) ? WEIR_FORM_REPLACE : WEIR_FORM_APPEND;
    stream->time_column = -1;
    if (op->mode == MODE_FILTER) carry(op, in, stream);
    for (uint32_t k = 0; k < op->n_inputs; k++) out->distribution[k].kind = kinds[op->mode];
    return WEIR_OK;
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    struct lua_operator *op = self;
    op->n_inputs = in->n_inputs;
    for (uint32_t k = 0; k < in->n_inputs; k++) op->inputs[k] = in->inputs[k].schema;
    op->mode = read_mode(op);
    int32_t result = vm_try(&op->script, op->host, op->context, 0, error);
    if (result == WEIR_OK) result = read_columns(op, error);
    if (result == WEIR_OK && op->mode != MODE_TRANSFORM) result = match_inputs(op, in, error);
    return result == WEIR_OK ? plan(op, in, out, error) : result;
}

const struct weir_operator lua_operator_table = {
    .size = sizeof lua_operator_table,
    .create = create,
    .destroy = destroy,
    .bind = bind,
    .lane_create = lua_lane_create,
    .lane_destroy = lua_lane_destroy,
    .begin = lua_begin,
    .process = lua_process,
    .advance = lua_advance,
};
