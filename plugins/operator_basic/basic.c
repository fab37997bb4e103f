/*
 * basic.c - see the header.
 */
#include "plugins/operator_basic/basic.h"

#include "plugins/share/names.h"

int32_t basic_create(const struct weir_host *host, struct weir_context *context, uint64_t bytes,
                     void **self, struct weir_error *error)
{
    struct basic *basic = host->alloc(bytes);
    if (!basic) return no_memory(error);
    memset(basic, 0, bytes);
    basic->host = host;
    basic->context = context;
    basic->data = host->get_interface(WEIR_DATA_ID);
    basic->expr = host->get_interface(WEIR_EXPR_ID);
    *self = basic;
    if (basic->data && basic->expr) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID " or " WEIR_EXPR_ID);
}

int32_t fields_schema(const struct basic *basic, const struct field *fields, uint32_t n,
                      const char *option, struct ArrowSchema *out, struct weir_error *error)
{
    int32_t result = basic->data->schema_struct(n, out, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const char *name = fields[i].name ? fields[i].name : fields[i].type->name;
        struct ArrowSchema *child = out->children[i];
        for (uint32_t k = 0; k < i && result == WEIR_OK; k++)
            if (strcmp(out->children[k]->name, name) == 0)
                result = weir_fail_option(error, option, -1,
                                          "the result would have two columns \"%s\": give one of "
                                          "them another name",
                                          name);
        if (result != WEIR_OK) break;
        child->release(child);
        result = basic->data->schema_copy(fields[i].type, name, child, error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

uint64_t read_bits(const struct basic *basic, const struct weir_expr *expr,
                    const struct ArrowSchema *input)
{
    uint64_t bits = 0;
    for (uint32_t c = 0; c < (uint32_t)input->n_children; c++)
        if (basic->expr->reads(expr, 0, c)) bits |= read_bit(c);
    return bits;
}

int32_t column_option(const struct basic *basic, const char *name,
                      const struct ArrowSchema *input, uint32_t *column, const char **text,
                      struct weir_error *error)
{
    *text = option_text(basic->host, basic->context, name, "");
    int32_t found = weir_column_index(input, *text);
    *column = found < 0 ? 0 : (uint32_t)found;
    if (found >= 0) return WEIR_OK;
    return no_such_column(input, name, *text, error);
}

/* The result column that is input column `column`, or -1. */
static int32_t carried(const struct ArrowSchema *schema, const int32_t *from, int32_t column)
{
    for (int32_t i = 0; i < schema->n_children; i++)
        if ((from ? from[i] : i) == column) return i;
    return -1;
}

/* Bits of the columns of the result that are columns of event time, passed on. */
static uint64_t carried_times(const struct weir_input *input, const struct ArrowSchema *schema,
                              const int32_t *from)
{
    uint64_t bits = 0;
    for (int32_t i = 0; i < schema->n_children && i < 64; i++) {
        int32_t column = from ? from[i] : i;
        if (column >= 0 && column < 64 && (input->time_columns >> column & 1))
            bits |= (uint64_t)1 << i;
    }
    return bits;
}

void carry_plan(struct weir_operator_plan *out, const struct weir_input *input,
                 struct ArrowSchema *schema, const int32_t *from, int many)
{
    struct weir_stream *stream = &out->streams[0];
    out->n_outputs = 1;
    stream->form = input->form;
    stream->slide = input->slide;
    stream->time_column =
        input->time_column < 0 ? -1 : carried(schema, from, input->time_column);
    out->time_columns[0] = carried_times(input, schema, from);
    for (int32_t i = 0; stream->time_column < 0 && i < 64; i++)
        if (out->time_columns[0] >> i & 1) stream->time_column = i;
    if (input->form == WEIR_FORM_UPSERT) {
        stream->n_key_columns = input->n_key_columns;
        for (uint32_t i = 0; i < input->n_key_columns; i++) {
            int32_t k = carried(schema, from, (int32_t)input->key_columns[i]);
            if (k < 0) many = 1;
            stream->key_columns[i] = (uint32_t)k;
        }
        if (many) {
            stream->form = WEIR_FORM_APPEND;
            stream->n_key_columns = 0;
        }
    }
    stream->schema = *schema;
    memset(schema, 0, sizeof *schema);
}

int32_t replace_plan(const struct basic *basic, struct weir_operator_plan *out,
                      const struct weir_input *input, uint32_t column, struct field with,
                      const char *option, struct weir_error *error)
{
    uint32_t n = (uint32_t)input->schema->n_children;
    struct field *fields = basic->host->alloc(n * sizeof *fields + 1);
    int32_t *from = basic->host->alloc(n * sizeof *from + 1);
    struct ArrowSchema schema;
    int32_t result = fields && from ? WEIR_OK : no_memory(error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        fields[i] = i == column ? with : (struct field){ input->schema->children[i], NULL };
        from[i] = i == column ? -1 : (int32_t)i;
    }
    if (result == WEIR_OK) result = fields_schema(basic, fields, n, option, &schema, error);
    if (result == WEIR_OK) carry_plan(out, input, &schema, from, 1);
    basic->host->free(fields);
    basic->host->free(from);
    return result;
}
