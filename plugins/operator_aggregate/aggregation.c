/*
 * aggregation.c - an aggregation in bind: calls, the table and the exchange.
 *
 * Columns that cross the exchange, by number:
 *
 *     0 … n_flat - 1   the grouping columns, of which all are the distribution
 *     … n_keys - 1     time: of a window one (see event_time.c), of a session start and end
 *     n_keys …         combined: the state columns of the calls, call by call ("partial"),
 *                      raw: the arguments of the calls, call by call; then, where late rows are
 *                      an output, the whole input
 *
 * A table has the first n_keys as its key and the same state columns as its record. Both are named
 * by position, because results may be renamed while the state stays.
 */
#include "plugins/operator_aggregate/aggregation.h"

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
    a->null_on_error = (uint32_t)option_is(option_text(host, context, "on_error", ""), "null");
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
        a->expr->free(a->time.gap_expr);
        if (a->values) a->expr->aggregate_free(a->values);
    }
    if (a->key.release) a->key.release(&a->key);
    if (a->group.release) a->group.release(&a->group);
    a->host->free(a->calls);
    a->host->free(a->args);
    a->host->free(a->arg_inputs);
    a->host->free(a->columns);
    a->host->free(a->names);
    a->host->free(a);
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
            if (a->calls[i].distinct && !aggregation_flat(a->expr->schema(arg)))
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
                                     .distinct = from->distinct, .flags = from->plan->flags };
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
        if (weir_column_index(&a->group, names[i]) >= 0)
            result = weir_fail_option(error, option, -1,
                                      "\"%s\" is a column of `by` or the window already: name the "
                                      "result otherwise",
                                      names[i]);
        else if (strcmp(names[i], texts[i]) == 0)
            result = weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                      texts[i]);
    }
    if (result == WEIR_OK)
        result = a->expr->aggregate(a->context, "values", n, names, texts, &from, &a->group,
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

/* What the time column of the key means, and by what: state of another meaning does not fit. */
static void time_signature(const struct aggregation *a, char *out)
{
    const struct event_time *t = &a->time;
    const char *gap = option_text(a->host, a->context, "session.gap", "");
    char text[160] = "";
    if (t->kind == TIME_WINDOW)
        snprintf(text, sizeof text, "; window %lld %lld %lld%s", (long long)t->windows.length,
                 (long long)t->windows.slide, (long long)t->windows.start,
                 t->slices ? " by slices" : "");
    else if (t->kind == TIME_SESSION)
        snprintf(text, sizeof text, "; session %.100s", gap);
    strcat(out, text);
}

/* The columns of the calls, and the time at which a group is final. */
static int32_t state_columns(struct aggregation *a, struct weir_table_column *columns)
{
    const uint32_t timer = a->time.bounded ? WEIR_COLUMN_TIMER | WEIR_COLUMN_EVENT_TIME : 0;
    memcpy(columns, a->columns, a->n_columns * sizeof *columns);
    a->expiry = a->n_columns;
    columns[a->expiry] = (struct weir_table_column){ "expires", WEIR_TYPE_TIMESTAMP, timer };
    return a->time.bounded || a->time.kind == TIME_SESSION ? 1 : 0;
}

static int32_t declare_state(struct aggregation *a, const struct ArrowSchema *key,
                             const char *signature, struct weir_error *error)
{
    const int sessions = a->time.kind == TIME_SESSION;
    struct weir_table_column *columns = a->host->alloc((a->n_columns + 1) * sizeof *columns);
    struct weir_table_spec spec = { .size = sizeof spec,
                                    .kind = sessions ? WEIR_ROWS : WEIR_TABLE,
                                    .name = sessions ? "sessions" : "groups",
                                    .key = key, .n_distribution = a->n_flat,
                                    .columns = columns, .version = 1, .signature = signature };
    if (!columns) return no_memory(error);
    spec.n_columns = a->n_columns + (uint32_t)state_columns(a, columns);
    int32_t result = a->state->declare(a->context, &spec, &a->table, error);
    a->host->free(columns);
    return result;
}

char *aggregation_signature(const struct aggregation *a, const char *more)
{
    char *signature = a->host->alloc(texts_length(a, "by") + texts_length(a, "values") + 200 +
                                     strlen(more));
    if (!signature) return NULL;
    signature[0] = 0;
    strcat(signature, "by ");
    texts_append(a, "by", signature);
    strcat(signature, "; values ");
    texts_append(a, "values", signature);
    time_signature(a, signature);
    strcat(signature, more);
    return signature;
}

int32_t aggregation_durable(struct aggregation *a, struct weir_error *error)
{
    char *signature = aggregation_signature(a, "");
    struct ArrowSchema key = a->key; /* sessions hang on the grouping columns alone */
    if (!signature) return no_memory(error);
    if (a->time.kind == TIME_SESSION) key.n_children = a->n_flat;
    int32_t result = declare_state(a, &key, signature, error);
    a->host->free(signature);
    a->durable = 1;
    return result;
}

/* ---- the plan ---- */

/* The type of column i of the exchange: key, then partials or arguments, then the input. */
const struct ArrowSchema *aggregation_exchange_type(const struct aggregation *a, uint32_t i,
                                               const struct ArrowSchema *input)
{
    if (i < a->n_keys) return a->key.children[i];
    i -= a->n_keys;
    return i < a->n_args ? a->expr->schema(a->args[i]) : input->children[i - a->n_args];
}

static int32_t exchange_schema(const struct aggregation *a, const struct ArrowSchema *input,
                               int raw, struct ArrowSchema *out, struct weir_error *error)
{
    uint32_t n = a->n_keys + (raw ? a->n_args + a->n_input : a->n_columns);
    int32_t result = a->data->schema_struct(n, out, error);
    char name[NAME_BYTES];
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        struct ArrowSchema *child = out->children[i];
        snprintf(name, sizeof name, "%c%u", i < a->n_keys ? (raw ? 'u' : 'k') : 'v', i);
        if (i >= a->n_keys && !raw) {
            result = a->data->schema_set(out, i, name, a->columns[i - a->n_keys].type, error);
            continue;
        }
        child->release(child);
        result = a->data->schema_copy(aggregation_exchange_type(a, i, input), name, child, error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static int32_t output_schema(const struct aggregation *a, const char *option,
                             struct ArrowSchema *out, struct weir_error *error)
{
    const struct ArrowSchema *values = a->values ? a->expr->aggregate_schema(a->values) : NULL;
    uint32_t groups = (uint32_t)a->group.n_children;
    uint32_t n = values ? (uint32_t)values->n_children : 1;
    int32_t result = a->data->schema_struct(groups + n, out, error);
    for (uint32_t i = 0; i < groups + n && result == WEIR_OK; i++) {
        struct ArrowSchema *child = out->children[i];
        if (i >= groups && !values) {
            result = a->data->schema_set(out, i, a->count_name, WEIR_TYPE_INT64, error);
        } else {
            child->release(child);
            result = a->data->schema_copy(i < groups ? a->group.children[i]
                                                     : values->children[i - groups],
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

static int is_read(const struct aggregation *a, uint32_t c)
{
    const struct event_time *t = &a->time;
    if (a->n_input || (t->kind >= TIME_WINDOW && t->on == (int32_t)c)) return 1;
    if (t->gap_expr && a->expr->reads(t->gap_expr, 0, c)) return 1;
    for (uint32_t i = 0; i < a->n_by; i++)
        if (a->by[i].expr ? a->expr->reads(a->by[i].expr, 0, c) : a->by[i].input == (int32_t)c)
            return 1;
    for (uint32_t i = 0; i < a->n_args; i++)
        if (a->expr->reads(a->args[i], 0, c)) return 1;
    return 0;
}

static uint64_t reads_of(const struct aggregation *a, const struct ArrowSchema *input)
{
    uint64_t bits = 0;
    for (uint32_t c = 0; c < (uint32_t)input->n_children; c++)
        if (is_read(a, c)) bits |= (uint64_t)1 << (c < 63 ? c : 63);
    return bits;
}

/* The grouping column, or the window, that carries the event time on. */
static int32_t carried_time(const struct aggregation *a)
{
    if (a->form != WEIR_FORM_APPEND || !a->time.bounded) return -1;
    if (a->time.kind != TIME_KEY) return (int32_t)a->n_by;
    for (uint32_t i = 0; i < a->n_by; i++)
        if (a->time.key >= a->by[i].first &&
            a->time.key < a->by[i].first + (a->by[i].fields ? a->by[i].fields : 1))
            return (int32_t)i;
    return -1;
}

static int32_t late_stream(const struct aggregation *a, const struct weir_input *input,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_stream *stream = &out->streams[1];
    if (!a->time.late) return WEIR_OK;
    out->n_outputs = 2;
    out->flags |= WEIR_PLAN_OUTPUTS_ASKED;
    stream->name = a->time.late;
    stream->form = WEIR_FORM_APPEND;
    stream->slide = input->slide;
    stream->time_column = input->time_column;
    out->time_columns[1] = input->time_columns;
    return a->data->schema_copy(input->schema, NULL, &stream->schema, error);
}

static void durable_stream(const struct aggregation *a, struct weir_operator_plan *out)
{
    struct weir_stream *stream = &out->streams[0];
    stream->form = a->form;
    stream->time_column = carried_time(a);
    if (a->form == WEIR_FORM_UPSERT) stream->n_key_columns = (uint32_t)a->group.n_children;
    for (uint32_t i = 0; i < stream->n_key_columns; i++) stream->key_columns[i] = i;
    if (a->form == WEIR_FORM_REPLACE) out->flags |= WEIR_PLAN_ALL_GROUPS | WEIR_PLAN_TIMELESS;
}

int32_t aggregation_plan(struct aggregation *a, const struct weir_operator_bind *in,
                         const char *option, struct weir_operator_plan *out,
                         struct weir_error *error)
{
    const struct weir_input *input = &in->inputs[0];
    struct weir_distribution *d = &out->distribution[0];
    struct weir_stream *stream = &out->streams[0];
    int32_t result = output_schema(a, option, &stream->schema, error);
    if (result == WEIR_OK)
        result = exchange_schema(a, input->schema, a->raw != 0, &d->exchange, error);
    a->may_cross = !a->raw && a->n_flat > 0 && a->time.kind == TIME_NONE;
    if (result == WEIR_OK && a->may_cross)
        result = exchange_schema(a, input->schema, 1, &out->uncombined, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    stream->form = WEIR_FORM_APPEND;
    stream->slide = input->slide;
    stream->time_column = -1;
    d->kind = a->n_flat ? WEIR_DISTRIBUTE_HASHED : WEIR_DISTRIBUTE_SINGLE;
    d->n_columns = a->n_flat;
    for (uint32_t i = 0; i < a->n_flat; i++) d->columns[i] = i;
    out->flags = WEIR_PLAN_READS_KNOWN;
    out->reads[0] = reads_of(a, input->schema);
    if (a->nondeterministic) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    if (a->durable) durable_stream(a, out);
    else out->flags |= WEIR_PLAN_TICKING;
    return late_stream(a, input, out, error);
}
