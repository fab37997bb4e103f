/*
 * bind.c - operators with state in bind: key, code, state, state to begin with, exchange.
 *
 * Columns that cross the exchange are the key columns, which are the distribution, and behind them
 * those of the input.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/names.h"
#include "plugins/share/option.h"
#include "plugins/share/types.h"

int32_t state_create(const struct weir_host *host, struct weir_context *context, void **self,
                     struct weir_error *error)
{
    struct state_operator *op = host->alloc(sizeof *op);
    if (!op) return no_memory(error);
    memset(op, 0, sizeof *op);
    op->host = host;
    op->context = context;
    op->data = host->get_interface(WEIR_DATA_ID);
    op->expr = host->get_interface(WEIR_EXPR_ID);
    op->combine = host->get_interface(WEIR_COMBINE_ID);
    op->state = host->get_interface(WEIR_STATE_ID);
    *self = op;
    if (op->data && op->expr && op->combine && op->state &&
        op->state->size >= sizeof *op->state)
        return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks one of " WEIR_DATA_ID ", "
                                              WEIR_EXPR_ID ", " WEIR_COMBINE_ID
                                              ", or its " WEIR_STATE_ID " is too old");
}

void state_destroy(void *self)
{
    struct state_operator *op = self;
    if (!op) return;
    for (uint32_t i = 0; op->expr && i < op->n_by; i++) op->expr->free(op->by[i].expr);
    script_free(&op->script);
    fields_fini(&op->fields);
    collections_free(op);
    if (op->key.release) op->key.release(&op->key);
    if (op->output.release) op->output.release(&op->output);
    if (op->initial.schema.release) op->initial.schema.release(&op->initial.schema);
    if (op->initial.rows.release) op->initial.rows.release(&op->initial.rows);
    op->host->free(op);
}

/* ---- key ---- */

static int is_flat(uint32_t type)
{
    return type != WEIR_TYPE_NONE && type != WEIR_TYPE_LIST && type != WEIR_TYPE_STRUCT;
}

static int32_t compile_by(struct state_operator *op, const struct weir_value *value,
                          struct weir_error *error)
{
    struct weir_expr_input input = { NULL, op->input };
    struct by *by = &op->by[op->n_by];
    char option[64];
    snprintf(option, sizeof option, "by.%s", value->key);
    int32_t result = op->expr->compile(op->context, value->text, option, &input, 1, WEIR_TYPE_NONE,
                                       &by->expr, error);
    if (result != WEIR_OK) return result;
    op->n_by++;
    by->input = op->expr->column(by->expr);
    by->name = value->key;
    if (by->input < 0 && strcmp(value->key, value->text) == 0)
        return weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                value->text);
    if (!is_flat(weir_type_of(op->expr->schema(by->expr))))
        return weir_fail_option(error, option, -1,
                                "\"%s\" is a list or struct: a key is made of plain values",
                                value->text);
    return WEIR_OK;
}

static int32_t read_by(struct state_operator *op, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    int32_t result = WEIR_OK;
    for (uint64_t i = 0; op->host->option_item(op->context, "by", i, &value) == WEIR_OK; i++) {
        if (op->n_by == BY_MAX)
            return weir_fail_option(error, "by", -1, "%u columns are the most", BY_MAX);
        result = compile_by(op, &value, error);
        if (result != WEIR_OK) return result;
    }
    if (op->n_by == 0)
        return weir_fail_option(error, "by", -1, "there is no key: name a column");
    result = op->data->schema_struct(op->n_by, &op->key, error);
    for (uint32_t i = 0; i < op->n_by && result == WEIR_OK; i++) {
        struct ArrowSchema *child = op->key.children[i];
        child->release(child);
        result = op->data->schema_copy(op->expr->schema(op->by[i].expr), op->by[i].name, child,
                                       error);
    }
    return result;
}

/* ---- code and state ---- */

static int32_t read_state(struct state_operator *op, struct weir_error *error)
{
    const char *ddl = option_text(op->host, op->context, "state", NULL);
    if (!ddl && op->kind != KIND_STATEFUL)
        return weir_fail_option(error, "state", -1,
                                "the columns of the state are missing: \"name type, …\"");
    int32_t result = fields_init(&op->fields, op->host, ddl ? ddl : "", "state", error);
    if (result != WEIR_OK) return result;
    if (op->fields.n > FIELDS_MAX)
        return weir_fail_option(error, "state", -1, "%u columns are the most", FIELDS_MAX);
    for (uint32_t i = 0; i < op->fields.n; i++)
        if (weir_column_index(&op->key, op->fields.schema.children[i]->name) >= 0)
            return weir_fail_option(error, "state", -1,
                                    "\"%s\" is a key column already: name the state otherwise",
                                    op->fields.schema.children[i]->name);
    return WEIR_OK;
}

int32_t state_bind_common(struct state_operator *op, const struct weir_operator_bind *in,
                          struct weir_error *error)
{
    if (in->inputs[0].form != WEIR_FORM_APPEND)
        return weir_fail(error, WEIR_CONFIG,
                         "rows of \"%s\" replace earlier ones, which the state would take for "
                         "further ones: let it give final rows only (output_mode append)",
                         in->inputs[0].name);
    op->input = in->inputs[0].schema;
    op->time_column = in->inputs[0].time_column;
    int32_t result = read_by(op, error);
    if (result == WEIR_OK)
        result = vm_try(&op->script, op->host, op->context, 1, error);
    return result == WEIR_OK ? read_state(op, error) : result;
}

int32_t state_read_clock(struct state_operator *op, const struct weir_operator_bind *in,
                         struct weir_error *error)
{
    const struct weir_input *input = &in->inputs[0];
    const char *timeout = option_text(op->host, op->context, "timeout", "none");
    op->clock = option_is(timeout, "none")              ? CLOCK_NONE
                : option_is(timeout, "processing_time") ? CLOCK_PROCESSING
                                                        : CLOCK_EVENT;
    if (op->clock != CLOCK_EVENT) return WEIR_OK;
    if (!input->watermarked)
        return weir_fail_option(error, "timeout", -1,
                                "event_time needs a watermark on the input: put an operator "
                                "`watermark` before this one, or take processing_time");
    if (!(input->time_columns & (input->time_columns - 1))) return WEIR_OK;
    return weir_fail_option(error, "timeout", -1,
                            "the input has several event times, of which each says otherwise when "
                            "a row is late: leave all but one out by a select before this one");
}

int32_t state_read_mode(const struct state_operator *op, const struct weir_operator_bind *in,
                        struct weir_operator_plan *out, struct weir_error *error)
{
    const char *mode = option_text(op->host, op->context, "output_mode", NULL);
    const int updates = mode ? option_is(mode, "update") : in->output_mode == WEIR_FORM_UPSERT;
    if (updates) out->flags |= WEIR_PLAN_UPDATES;
    if (option_is(mode, "update") && in->output_mode && in->output_mode != WEIR_FORM_UPSERT)
        return weir_fail_option(error, "output_mode", -1,
                                "update does not go with the output_mode of the job");
    if (!mode && in->output_mode == WEIR_FORM_REPLACE)
        return weir_fail_option(error, "output_mode", -1,
                                "complete does not go with this operator: say append here, with an "
                                "aggregation behind it");
    return WEIR_OK;
}

int32_t state_bind_columns(struct state_operator *op, struct weir_error *error)
{
    const char *ddl = option_text(op->host, op->context, "columns", NULL);
    if (!ddl)
        return weir_fail_option(error, "columns", -1,
                                "the columns of the result are missing: \"name type, …\"");
    int32_t result = op->data->schema_parse(ddl, &op->output, error);
    if (result == WEIR_CONFIG && error && !error->option[0])
        snprintf(error->option, sizeof error->option, "columns");
    return result;
}

int32_t state_declare(struct state_operator *op, const struct weir_table_column *before, uint32_t n,
                      struct weir_error *error)
{
    struct weir_table_column columns[4 + 2 * FIELDS_MAX];
    if (n) memcpy(columns, before, n * sizeof *columns);
    fields_columns(&op->fields, columns + n);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "state",
                                    .key = &op->key, .n_distribution = op->n_by,
                                    .n_columns = n + 2 * op->fields.n, .columns = columns,
                                    .version = 1, .signature = "" };
    op->fields.first = n;
    return op->state->declare(op->context, &spec, &op->fields.table, error);
}

/* ---- state to begin with ---- */

static const struct ArrowSchema *wanted(const struct state_operator *op, uint32_t i)
{
    return i < op->n_by ? op->key.children[i] : op->fields.schema.children[i - op->n_by];
}

static int32_t match_initial(struct state_operator *op, struct weir_error *error)
{
    struct initial *in = &op->initial;
    uint32_t n = op->n_by + op->fields.n, found = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct ArrowSchema *want = wanted(op, i);
        in->columns[i] = weir_column_index(&in->schema, want->name);
        if (in->columns[i] < 0 && i >= op->n_by) continue; /* null */
        if (in->columns[i] < 0)
            return weir_fail_option(error, "initial.columns", -1, "the key column \"%s\" is missing",
                                    want->name);
        found++;
        if (!same_type(in->schema.children[in->columns[i]], want))
            return weir_fail_option(error, "initial.columns", -1,
                                    "column \"%s\" has another type than the key or the state",
                                    want->name);
    }
    if (found == (uint32_t)in->schema.n_children) return WEIR_OK;
    return weir_fail_option(error, "initial.columns", -1,
                            "there are columns that are neither in `by` nor in `state`");
}

/* The items of initial.rows as the text of one array. */
static int32_t rows_text(const struct state_operator *op, struct weir_buffer *text,
                         struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    uint64_t i = 0;
    for (; op->host->option_item(op->context, "initial.rows", i, &value) == WEIR_OK; i++) {
        if (op->host->buffer_grow(text, value.length + 4) != WEIR_OK) return no_memory(error);
        text->data[text->length++] = i ? ',' : '[';
        memcpy(text->data + text->length, value.text, value.length);
        text->length += value.length;
    }
    if (op->host->buffer_grow(text, 4) != WEIR_OK) return no_memory(error);
    if (i == 0) text->data[text->length++] = '[';
    text->data[text->length++] = ']';
    return WEIR_OK;
}

static int32_t refuse_twins(struct state_operator *op, struct weir_error *error)
{
    const struct ArrowArray *keys[BY_MAX];
    struct weir_combine *seen = NULL;
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "initial",
                                    .key = &op->key, .n_distribution = op->n_by, .signature = "" };
    int32_t result = op->combine->create(op->context, &spec, &seen, error);
    for (uint32_t i = 0; i < op->n_by; i++)
        keys[i] = op->initial.rows.children[op->initial.columns[i]];
    for (uint32_t r = 0; r < (uint32_t)op->initial.rows.length && result == WEIR_OK; r++) {
        uint32_t slot;
        result = op->combine->lookup_or_insert(seen, keys, NULL, &r, 1, &slot, error);
        if (result == WEIR_OK && slot != r)
            result = weir_fail_option(error, "initial.rows", -1,
                                      "the keys of rows %u and %u are equal: a key has one state",
                                      slot + 1, r + 1);
    }
    op->combine->destroy(seen);
    return result;
}

int32_t state_bind_initial(struct state_operator *op, struct weir_error *error)
{
    const char *ddl = option_text(op->host, op->context, "initial.columns", NULL);
    struct weir_value rows;
    struct weir_buffer text = { 0 };
    if (!ddl && !option_get(op->host, op->context, "initial.rows", &rows)) return WEIR_OK;
    if (!ddl)
        return weir_fail_option(error, "initial", -1, "`columns` is missing: \"name type, …\"");
    int32_t result = op->data->schema_parse(ddl, &op->initial.schema, error);
    if (result != WEIR_OK && error && !error->option[0])
        snprintf(error->option, sizeof error->option, "initial.columns");
    if (result == WEIR_OK) result = match_initial(op, error);
    if (result == WEIR_OK) result = rows_text(op, &text, error);
    if (result == WEIR_OK) {
        result = op->data->rows_parse(&op->initial.schema, (const char *)text.data, text.length,
                                      &op->initial.rows, error);
        if (result != WEIR_OK && error && !error->option[0])
            snprintf(error->option, sizeof error->option, "initial.rows");
    }
    op->host->free(text.data);
    return result == WEIR_OK ? refuse_twins(op, error) : result;
}

/* ---- plan ---- */

int32_t state_plan_exchange(const struct state_operator *op, struct weir_operator_plan *out,
                            struct weir_error *error)
{
    struct weir_distribution *d = &out->distribution[0];
    uint32_t n = op->n_by + (uint32_t)op->input->n_children;
    char name[32];
    int32_t result = op->data->schema_struct(n, &d->exchange, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        struct ArrowSchema *child = d->exchange.children[i];
        snprintf(name, sizeof name, "%c%u", i < op->n_by ? 'k' : 'c', i);
        child->release(child);
        result = op->data->schema_copy(i < op->n_by ? op->key.children[i]
                                                    : op->input->children[i - op->n_by],
                                       name, child, error);
        if (result == WEIR_OK && i < op->n_by) child->flags |= ARROW_FLAG_NULLABLE;
    }
    d->kind = WEIR_DISTRIBUTE_HASHED;
    d->n_columns = op->n_by;
    for (uint32_t i = 0; i < op->n_by; i++) {
        d->columns[i] = i;
        if (!op->expr->deterministic(op->by[i].expr)) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    }
    if (op->initial.rows.release) out->flags |= WEIR_PLAN_FIRST_ALL;
    return result;
}

int32_t state_plan_whole(const struct state_operator *op, struct weir_stream *stream,
                         struct weir_error *error)
{
    uint32_t n = op->n_by + op->fields.n;
    int32_t result = op->data->schema_struct(n, &stream->schema, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        struct ArrowSchema *child = stream->schema.children[i];
        child->release(child);
        result = op->data->schema_copy(wanted(op, i), NULL, child, error);
        if (result == WEIR_OK) child->flags |= ARROW_FLAG_NULLABLE;
    }
    stream->form = WEIR_FORM_APPEND;
    stream->time_column = -1;
    return result;
}

int32_t state_plan_output(const struct state_operator *op, struct weir_operator_plan *out,
                          struct weir_error *error)
{
    struct weir_stream *stream = &out->streams[0];
    stream->form = WEIR_FORM_APPEND;
    stream->time_column = -1;
    return op->data->schema_copy(&op->output, NULL, &stream->schema, error);
}
