/*
 * union.c - the operator `union`: the rows of several streams, stream by stream.
 *
 * Columns go by name: each input has the same ones, in any order; the result has those of the
 * first. Their types are equal, or numbers, of which the widest is taken (int32, int64, float64).
 * The engine puts a union without options in front of an operator or a sink with several names in
 * `from`.
 */
#include "plugins/operator_basic/basic.h"

#include "plugins/share/types.h"

struct union_op {
    struct basic basic;
    uint32_t n_inputs, n_columns;
    const struct ArrowSchema *inputs[16];
    int32_t *map;    /* [input][column of the result]: column of the input */
    uint32_t *types; /* of the result's columns */
};

static int32_t union_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    return basic_create(host, context, sizeof(struct union_op), self, error);
}

static void union_destroy(void *self)
{
    struct union_op *op = self;
    if (!op) return;
    op->basic.host->free(op->map);
    op->basic.host->free(op->types);
    op->basic.host->free(op);
}

static int is_number(uint32_t type)
{
    return type == WEIR_TYPE_INT32 || type == WEIR_TYPE_INT64 || type == WEIR_TYPE_FLOAT64;
}

static const char *type_word(uint32_t type)
{
    static const char *const words[] = { "unknown", "bool",      "int32", "int64", "float64",
                                         "string",  "binary",    "timestamp", "date",
                                         "list",    "struct" };
    return type < sizeof words / sizeof *words ? words[type] : words[0];
}

/* Column c of the result in input k; widens its type. */
static int32_t match(struct union_op *op, const struct weir_operator_bind *in, uint32_t k,
                     uint32_t c, struct weir_error *error)
{
    const struct ArrowSchema *mine = in->inputs[0].schema->children[c];
    const struct ArrowSchema *schema = in->inputs[k].schema;
    int32_t at = weir_column_index(schema, mine->name);
    if (at < 0)
        return weir_fail(error, WEIR_CONFIG,
                         "input \"%s\" has no column \"%s\", but \"%s\" has: give all inputs "
                         "the same columns, by a select for instance",
                         in->inputs[k].name, mine->name, in->inputs[0].name);
    uint32_t type = weir_type_of(schema->children[at]);
    op->map[k * op->n_columns + c] = at;
    if (is_number(type) && is_number(op->types[c])) {
        if (type > op->types[c]) op->types[c] = type;
        return WEIR_OK;
    }
    if (same_type(mine, schema->children[at])) return WEIR_OK;
    return weir_fail(error, WEIR_CONFIG,
                     "column \"%s\" is %s in \"%s\" and %s in \"%s\": cast one of them", mine->name,
                     type_word(weir_type_of(mine)), in->inputs[0].name, type_word(type),
                     in->inputs[k].name);
}

static int32_t match_input(struct union_op *op, const struct weir_operator_bind *in, uint32_t k,
                           struct weir_error *error)
{
    const struct ArrowSchema *first = in->inputs[0].schema, *schema = in->inputs[k].schema;
    for (uint32_t c = 0; c < op->n_columns; c++) {
        int32_t result = match(op, in, k, c, error);
        if (result != WEIR_OK) return result;
    }
    for (int64_t c = 0; c < schema->n_children; c++)
        if (weir_column_index(first, schema->children[c]->name) < 0)
            return weir_fail(error, WEIR_CONFIG,
                             "input \"%s\" has a column \"%s\", but \"%s\" has none: give all "
                             "inputs the same columns, by a select for instance",
                             in->inputs[k].name, schema->children[c]->name, in->inputs[0].name);
    return WEIR_OK;
}

static int32_t result_schema(const struct union_op *op, const struct weir_operator_bind *in,
                             struct ArrowSchema *out, struct weir_error *error)
{
    int32_t result = op->basic.data->schema_copy(in->inputs[0].schema, NULL, out, error);
    for (uint32_t c = 0; c < op->n_columns && result == WEIR_OK; c++) {
        const struct ArrowSchema *mine = in->inputs[0].schema->children[c];
        if (op->types[c] != weir_type_of(mine))
            result = op->basic.data->schema_set(out, c, mine->name, op->types[c], error);
        for (uint32_t k = 0; k < op->n_inputs && result == WEIR_OK; k++)
            if (in->inputs[k].schema->children[op->map[k * op->n_columns + c]]->flags &
                ARROW_FLAG_NULLABLE)
                out->children[c]->flags |= ARROW_FLAG_NULLABLE;
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static int is_time(const struct weir_input *input, int32_t column)
{
    return column < 64 && (input->time_columns >> column & 1);
}

static const char *form_name(uint32_t form)
{
    return form == WEIR_FORM_APPEND   ? "each row once (append)"
           : form == WEIR_FORM_UPSERT ? "rows that replace earlier ones (update)"
                                      : "its whole table (complete)";
}

/* Rows of unequal forms next to each other would be neither a table nor a stream. */
static int32_t same_forms(const struct weir_operator_bind *in, struct weir_error *error)
{
    const struct weir_input *first = &in->inputs[0];
    for (uint32_t k = 1; k < in->n_inputs; k++)
        if (in->inputs[k].form != first->form)
            return weir_fail(error, WEIR_CONFIG,
                             "union: \"%s\" gives %s, but \"%s\" gives %s: give all inputs one "
                             "output_mode",
                             first->name, form_name(first->form), in->inputs[k].name,
                             form_name(in->inputs[k].form));
    return WEIR_OK;
}

/* The form and event time that all inputs agree on. */
static void agree(struct weir_stream *stream, const struct weir_operator_bind *in,
                  uint64_t *times, const struct union_op *op)
{
    for (uint32_t k = 1; k < op->n_inputs; k++) {
        const struct weir_input *input = &in->inputs[k];
        if (input->form != WEIR_FORM_REPLACE || stream->form != WEIR_FORM_REPLACE) {
            stream->form = WEIR_FORM_APPEND; /* equal keys of two inputs are two rows */
            stream->n_key_columns = 0;
        }
        if (stream->time_column >= 0 &&
            op->map[k * op->n_columns + (uint32_t)stream->time_column] != input->time_column)
            stream->time_column = -1;
        for (uint32_t c = 0; c < op->n_columns && c < 64; c++)
            if (!is_time(input, op->map[k * op->n_columns + c])) *times &= ~((uint64_t)1 << c);
    }
}

static int32_t union_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct union_op *op = self;
    const struct weir_host *host = op->basic.host;
    struct ArrowSchema schema;
    int32_t result = same_forms(in, error);
    if (result != WEIR_OK) return result;
    op->n_inputs = in->n_inputs;
    op->n_columns = (uint32_t)in->inputs[0].schema->n_children;
    op->map = host->alloc((uint64_t)op->n_inputs * op->n_columns * sizeof *op->map + 1);
    op->types = host->alloc(op->n_columns * sizeof *op->types + 1);
    if (!op->map || !op->types) return no_memory(error);
    for (uint32_t c = 0; c < op->n_columns; c++)
        op->types[c] = weir_type_of(in->inputs[0].schema->children[c]);
    for (uint32_t k = 0; k < op->n_inputs; k++) {
        result = match_input(op, in, k, error);
        if (result != WEIR_OK) return result;
        op->inputs[k] = in->inputs[k].schema;
    }
    result = result_schema(op, in, &schema, error);
    if (result != WEIR_OK) return result;
    carry_plan(out, &in->inputs[0], &schema, NULL, 0);
    agree(&out->streams[0], in, &out->time_columns[0], op);
    return WEIR_OK;
}

static int32_t union_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    (void)self;
    (void)error;
    *lane = context; /* a lane needs nothing but its ticket */
    return WEIR_OK;
}

static void union_lane_destroy(void *self, void *lane)
{
    (void)self;
    (void)lane;
}

static double as_float(uint32_t type, const struct ArrowArray *a, uint32_t row)
{
    return type == WEIR_TYPE_INT32 ? (double)weir_get_int32(a, row)
                                   : (double)weir_get_int64(a, row);
}

/* A column of numbers as the wider type. */
static int32_t widen(const struct union_op *op, const struct ArrowArray *from, uint32_t type,
                     uint32_t wide, struct ArrowArray *out, struct weir_error *error)
{
    uint32_t n = (uint32_t)from->length;
    int nulls = from->buffers[0] != NULL;
    int32_t result = op->basic.data->column(wide, n, 0, nulls, out, error);
    if (result != WEIR_OK) return result;
    if (nulls) {
        memcpy((void *)(uintptr_t)out->buffers[0], from->buffers[0], ((size_t)n + 7) / 8);
        out->null_count = from->null_count;
    }
    if (wide == WEIR_TYPE_INT64) {
        int64_t *to = (int64_t *)(uintptr_t)out->buffers[1];
        for (uint32_t i = 0; i < n; i++) to[i] = weir_get_int32(from, i);
    } else {
        double *to = (double *)(uintptr_t)out->buffers[1];
        for (uint32_t i = 0; i < n; i++) to[i] = as_float(type, from, i);
    }
    return WEIR_OK;
}

static int32_t union_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct union_op *op = self;
    const struct weir_host *host = op->basic.host;
    uint32_t n = op->n_columns, c;
    struct ArrowArray *arrays =
        host->alloc(n * (sizeof *arrays + sizeof(struct weir_output_column)) + 1);
    struct weir_output_column *columns = (struct weir_output_column *)(void *)(arrays + n);
    int32_t result = arrays ? WEIR_OK : no_memory(error);
    for (c = 0; c < n && result == WEIR_OK; c++) {
        int32_t at = op->map[input * n + c];
        uint32_t type = weir_type_of(op->inputs[input]->children[at]);
        columns[c] = (struct weir_output_column){ at, 0, NULL };
        memset(&arrays[c], 0, sizeof arrays[c]);
        if (type == op->types[c]) continue;
        columns[c] = (struct weir_output_column){ -1, 0, &arrays[c] };
        result = widen(op, chunk->array->children[at], type, op->types[c], &arrays[c], error);
    }
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                          .columns = columns, .n_columns = n, .rows = chunk->rows,
                                          .selection = chunk->selection,
                                          .selected = chunk->selected };
        result = host->emit(lane, &emission, error);
    } else {
        while (c-- > 0)
            if (arrays[c].release) arrays[c].release(&arrays[c]);
    }
    host->free(arrays);
    return result;
}

const struct weir_operator union_operator = {
    .size = sizeof union_operator,
    .create = union_create,
    .destroy = union_destroy,
    .bind = union_bind,
    .lane_create = union_lane_create,
    .lane_destroy = union_lane_destroy,
    .process = union_process,
};
