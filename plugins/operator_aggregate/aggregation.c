/*
 * aggregation.c - an aggregation in bind: grouping columns, calls, the table and the exchange.
 *
 * Columns that cross the exchange, by number:
 *
 *     0 … n_by - 1     the grouping columns, of which all are the distribution
 *     n_by …           combined: the state columns of the calls, call by call ("partial"),
 *                      raw: the arguments of the calls, call by call
 *
 * A table has the grouping columns as its key and the same state columns as its record. Both are
 * named by position, because results may be renamed while the state stays.
 */
#include "plugins/operator_aggregate/aggregation.h"

#include "plugins/share/names.h"

#define NAME_BYTES 32u

int32_t aggregation_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct aggregation *a = host->alloc(sizeof *a);
    if (!a) return no_memory(error);
    memset(a, 0, sizeof *a);
    a->host = host;
    a->context = context;
    a->data = host->get_interface(WEIR_DATA_ID);
    a->expr = host->get_interface(WEIR_EXPR_ID);
    a->combine = host->get_interface(WEIR_COMBINE_ID);
    a->state = host->get_interface(WEIR_STATE_ID);
    *self = a;
    if (a->data && a->expr && a->combine && a->state) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks one of " WEIR_DATA_ID ", "
                                              WEIR_EXPR_ID ", " WEIR_COMBINE_ID ", " WEIR_STATE_ID);
}

void aggregation_destroy(void *self)
{
    struct aggregation *a = self;
    if (!a) return;
    if (a->expr) {
        for (uint32_t i = 0; i < a->n_by; i++) a->expr->free(a->by[i].expr);
        if (a->values) a->expr->aggregate_free(a->values);
    }
    if (a->key.release) a->key.release(&a->key);
    a->host->free(a->calls);
    a->host->free(a->args);
    a->host->free(a->arg_inputs);
    a->host->free(a->columns);
    a->host->free(a->names);
    a->host->free(a);
}

/* ---- grouping columns ---- */

static int is_flat(uint32_t type)
{
    return type != WEIR_TYPE_NONE && type != WEIR_TYPE_LIST && type != WEIR_TYPE_STRUCT;
}

static int32_t compile_by(struct aggregation *a, const struct ArrowSchema *schema,
                          const struct weir_value *value, struct weir_error *error)
{
    struct weir_expr_input input = { NULL, schema };
    struct by *by = &a->by[a->n_by];
    char option[64];
    snprintf(option, sizeof option, "by.%s", value->key);
    int32_t result = a->expr->compile(a->context, value->text, option, &input, 1, WEIR_TYPE_NONE,
                                      &by->expr, error);
    if (result != WEIR_OK) return result;
    a->n_by++;
    by->input = a->expr->column(by->expr);
    by->name = value->key;
    if (!a->expr->deterministic(by->expr)) a->nondeterministic = 1;
    if (by->input < 0 && strcmp(value->key, value->text) == 0)
        return weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                value->text);
    if (!is_flat(weir_type_of(a->expr->schema(by->expr))))
        return weir_fail_option(error, option, -1,
                                "\"%s\" is a list or struct: rows are grouped by plain values",
                                value->text);
    return WEIR_OK;
}

static const struct ArrowSchema *by_type(const struct aggregation *a, const struct by *by,
                                         const struct ArrowSchema *input)
{
    return by->expr ? a->expr->schema(by->expr) : input->children[by->input];
}

static int32_t make_key(struct aggregation *a, const struct ArrowSchema *input,
                        struct weir_error *error)
{
    int32_t result = a->data->schema_struct(a->n_by, &a->key, error);
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++) {
        struct ArrowSchema *child = a->key.children[i];
        child->release(child);
        result = a->data->schema_copy(by_type(a, &a->by[i], input), a->by[i].name, child, error);
    }
    return result;
}

int32_t aggregation_by(struct aggregation *a, const struct ArrowSchema *input,
                       struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; a->host->option_item(a->context, "by", i, &value) == WEIR_OK; i++) {
        if (a->n_by == BY_MAX)
            return weir_fail_option(error, "by", -1, "%u columns are the most", BY_MAX);
        int32_t result = compile_by(a, input, &value, error);
        if (result != WEIR_OK) return result;
    }
    return make_key(a, input, error);
}

int32_t aggregation_by_column(struct aggregation *a, const char *option,
                              const struct ArrowSchema *input, struct weir_error *error)
{
    const char *name = option_text(a->host, a->context, option, "");
    int32_t at = weir_column_index(input, name);
    if (at < 0) return no_such_column(input, option, name, error);
    if (!is_flat(weir_type_of(input->children[at])))
        return weir_fail_option(error, option, -1,
                                "column \"%s\" is a list or struct: rows are grouped by plain "
                                "values",
                                name);
    a->by[a->n_by++] = (struct by){ at, NULL, name };
    return make_key(a, input, error);
}

/* ---- calls ---- */

static int32_t name_columns(struct aggregation *a, struct weir_error *error)
{
    a->columns = a->host->alloc(a->n_columns * sizeof *a->columns + 1);
    a->names = a->host->alloc((uint64_t)a->n_columns * NAME_BYTES + 1);
    if (!a->columns || !a->names) return no_memory(error);
    for (uint32_t i = 0; i < a->n_calls; i++)
        for (uint32_t k = 0; k < a->calls[i].n_columns; k++) {
            uint32_t at = a->calls[i].first + k;
            char *name = a->names + (size_t)at * NAME_BYTES;
            snprintf(name, NAME_BYTES, "s%u_%u", i, k);
            a->columns[at] =
                (struct weir_table_column){ name, a->calls[i].columns[k].type, 0 };
        }
    return WEIR_OK;
}

static int32_t add_args(struct aggregation *a, struct weir_error *error)
{
    a->args = a->host->alloc(a->n_args * sizeof *a->args + 1);
    a->arg_inputs = a->host->alloc(a->n_args * sizeof *a->arg_inputs + 1);
    if (!a->args || !a->arg_inputs) return no_memory(error);
    for (uint32_t i = 0; i < a->n_calls; i++)
        for (uint32_t k = 0; k < a->calls[i].n_args; k++) {
            struct weir_expr *arg = a->calls[i].args[k];
            uint32_t at = a->calls[i].first_arg + k;
            a->args[at] = arg;
            a->arg_inputs[at] = a->expr->column(arg);
            if (!a->expr->deterministic(arg)) a->nondeterministic = 1;
            if (a->calls[i].distinct && !is_flat(weir_type_of(a->expr->schema(arg))))
                return weir_fail_option(error, "values", -1,
                                        "distinct takes plain values, no list or struct");
        }
    return WEIR_OK;
}

static int32_t take_calls(struct aggregation *a, struct weir_error *error)
{
    while (a->expr->aggregate_call(a->values, a->n_calls)) a->n_calls++;
    a->calls = a->host->alloc(a->n_calls * sizeof *a->calls + 1);
    if (!a->calls) return no_memory(error);
    for (uint32_t i = 0; i < a->n_calls; i++) {
        const struct weir_aggregate_call *from = a->expr->aggregate_call(a->values, i);
        if (from->plan->n_columns > WEIR_AGGREGATE_MAX_COLUMNS)
            return weir_fail(error, WEIR_FATAL, "an aggregate with %u columns of state",
                             from->plan->n_columns);
        a->calls[i] = (struct call){ .function = from->function, .bound = from->bound,
                                     .args = from->args, .n_args = from->n_args,
                                     .first_arg = a->n_args, .n_columns = from->plan->n_columns,
                                     .first = a->n_columns, .columns = from->plan->columns,
                                     .distinct = from->distinct };
        a->n_args += from->n_args;
        a->n_columns += from->plan->n_columns;
        if (from->distinct) a->raw = 1;
    }
    if (a->n_columns > COLUMNS_MAX || a->n_args > COLUMNS_MAX)
        return weir_fail_option(error, "values", -1,
                                "these are too many aggregates for one operator");
    int32_t result = name_columns(a, error);
    return result == WEIR_OK ? add_args(a, error) : result;
}

int32_t aggregation_values(struct aggregation *a, const struct ArrowSchema *input,
                           struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    struct weir_expr_input from = { NULL, input };
    uint32_t n = 0;
    if (option_get(a->host, a->context, "values", &value)) n = (uint32_t)value.count;
    const char **texts = a->host->alloc(2 * n * sizeof *texts + 1), **names = texts + n;
    if (!texts) return no_memory(error);
    int32_t result = WEIR_OK;
    if (n == 0) result = weir_fail_option(error, "values", -1, "there are none: name one");
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        char option[64];
        a->host->option_item(a->context, "values", i, &value);
        texts[i] = value.text;
        names[i] = value.key;
        snprintf(option, sizeof option, "values.%s", value.key);
        if (weir_column_index(&a->key, names[i]) >= 0)
            result = weir_fail_option(error, option, -1,
                                      "\"%s\" is a column of `by` already: name the result "
                                      "otherwise",
                                      names[i]);
        else if (strcmp(names[i], texts[i]) == 0)
            result = weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                      texts[i]);
    }
    if (result == WEIR_OK)
        result = a->expr->aggregate(a->context, "values", n, names, texts, &from, &a->key,
                                    &a->values, error);
    a->host->free(texts);
    return result == WEIR_OK ? take_calls(a, error) : result;
}

int32_t aggregation_count(struct aggregation *a, const char *name, struct weir_error *error)
{
    a->calls = a->host->alloc(sizeof *a->calls);
    if (!a->calls) return no_memory(error);
    a->calls[0] = (struct call){ .function = &count_rows, .n_columns = 1,
                                 .columns = &count_rows_column };
    a->n_calls = a->n_columns = 1;
    a->count_name = name;
    int32_t result = name_columns(a, error);
    return result == WEIR_OK ? add_args(a, error) : result;
}

/* ---- the table ---- */

static uint64_t texts_length(const struct aggregation *a, const char *option)
{
    struct weir_value value = { .size = sizeof value };
    uint64_t n = 0;
    for (uint64_t i = 0; a->host->option_item(a->context, option, i, &value) == WEIR_OK; i++)
        n += value.length + 8;
    return n + 8;
}

static void texts_append(const struct aggregation *a, const char *option, char *out)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; a->host->option_item(a->context, option, i, &value) == WEIR_OK; i++) {
        if (i) strcat(out, ", ");
        strcat(out, value.text);
    }
}

int32_t aggregation_durable(struct aggregation *a, struct weir_error *error)
{
    char *signature = a->host->alloc(texts_length(a, "by") + texts_length(a, "values") + 16);
    if (!signature) return no_memory(error);
    signature[0] = 0;
    strcat(signature, "by ");
    texts_append(a, "by", signature);
    strcat(signature, "; values ");
    texts_append(a, "values", signature);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "groups",
                                    .key = &a->key, .n_distribution = a->n_by,
                                    .n_columns = a->n_columns, .columns = a->columns, .version = 1,
                                    .signature = signature };
    int32_t result = a->state->declare(a->context, &spec, &a->table, error);
    a->host->free(signature);
    a->durable = 1;
    return result;
}

/* ---- the plan ---- */

static int32_t exchange_schema(const struct aggregation *a, struct ArrowSchema *out,
                               struct weir_error *error)
{
    uint32_t more = a->raw ? a->n_args : a->n_columns;
    int32_t result = a->data->schema_struct(a->n_by + more, out, error);
    char name[NAME_BYTES];
    for (uint32_t i = 0; i < a->n_by + more && result == WEIR_OK; i++) {
        struct ArrowSchema *child = out->children[i];
        snprintf(name, sizeof name, "%c%u", i < a->n_by ? 'k' : 'v', i);
        if (i >= a->n_by && !a->raw) {
            result = a->data->schema_set(out, i, name, a->columns[i - a->n_by].type, error);
            continue;
        }
        child->release(child);
        result = a->data->schema_copy(i < a->n_by ? a->key.children[i]
                                                  : a->expr->schema(a->args[i - a->n_by]),
                                      name, child, error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static int32_t output_schema(const struct aggregation *a, const char *option,
                             struct ArrowSchema *out, struct weir_error *error)
{
    const struct ArrowSchema *values = a->values ? a->expr->aggregate_schema(a->values) : NULL;
    uint32_t n = values ? (uint32_t)values->n_children : 1;
    int32_t result = a->data->schema_struct(a->n_by + n, out, error);
    for (uint32_t i = 0; i < a->n_by + n && result == WEIR_OK; i++) {
        struct ArrowSchema *child = out->children[i];
        if (i >= a->n_by && !values) {
            result = a->data->schema_set(out, i, a->count_name, WEIR_TYPE_INT64, error);
        } else {
            child->release(child);
            result = a->data->schema_copy(i < a->n_by ? a->key.children[i]
                                                      : values->children[i - a->n_by],
                                          NULL, child, error);
        }
        for (uint32_t k = 0; k < i && result == WEIR_OK; k++)
            if (strcmp(out->children[k]->name, out->children[i]->name) == 0)
                result = weir_fail_option(error, option, -1,
                                          "the result would have two columns \"%s\": give one of "
                                          "them another name",
                                          out->children[i]->name);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static uint64_t reads_of(const struct aggregation *a, const struct ArrowSchema *input)
{
    uint64_t bits = 0;
    for (uint32_t c = 0; c < (uint32_t)input->n_children; c++) {
        int read = 0;
        for (uint32_t i = 0; i < a->n_by && !read; i++)
            read = a->by[i].expr ? a->expr->reads(a->by[i].expr, 0, c)
                                 : a->by[i].input == (int32_t)c;
        for (uint32_t i = 0; i < a->n_args && !read; i++) read = a->expr->reads(a->args[i], 0, c);
        if (read) bits |= (uint64_t)1 << (c < 63 ? c : 63);
    }
    return bits;
}

int32_t aggregation_plan(struct aggregation *a, const struct weir_operator_bind *in,
                         const char *option, struct weir_operator_plan *out,
                         struct weir_error *error)
{
    struct weir_distribution *d = &out->distribution[0];
    struct weir_stream *stream = &out->streams[0];
    int32_t result = output_schema(a, option, &stream->schema, error);
    if (result == WEIR_OK) result = exchange_schema(a, &d->exchange, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    stream->form = WEIR_FORM_APPEND;
    stream->slide = in->inputs[0].slide;
    stream->time_column = -1;
    if (a->durable) {
        stream->form = a->complete ? WEIR_FORM_REPLACE : WEIR_FORM_UPSERT;
        stream->n_key_columns = a->complete ? 0 : a->n_by;
        for (uint32_t i = 0; i < stream->n_key_columns; i++) stream->key_columns[i] = i;
    }
    d->kind = a->n_by ? WEIR_DISTRIBUTE_HASHED : WEIR_DISTRIBUTE_SINGLE;
    d->n_columns = a->n_by;
    for (uint32_t i = 0; i < a->n_by; i++) d->columns[i] = i;
    out->flags = WEIR_PLAN_READS_KNOWN;
    out->reads[0] = reads_of(a, in->inputs[0].schema);
    if (a->nondeterministic) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    if (a->complete) out->flags |= WEIR_PLAN_ALL_GROUPS;
    else if (!a->durable) out->flags |= WEIR_PLAN_TICKING;
    return WEIR_OK;
}
