/*
 * group.c - `group_by_key` and `cogroup` in bind: keys, lists, schemas.
 *
 * A key is given once and holds for each input. The list of an input has its rows in the order of
 * arrival: of `group_by_key` as plain values where there is one column, else as structs; of
 * `cogroup` always as structs, one list per input under the input's name. Columns that are the
 * key themselves are left out of the structs, unless there are no others.
 */
#include "plugins/operator_group/group.h"

#include "plugins/share/names.h"

static int32_t group_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct group *g = host->alloc(sizeof *g);
    if (!g) return no_memory(error);
    memset(g, 0, sizeof *g);
    g->host = host;
    g->context = context;
    g->data = host->get_interface(WEIR_DATA_ID);
    g->expr = host->get_interface(WEIR_EXPR_ID);
    g->combine = host->get_interface(WEIR_COMBINE_ID);
    g->state = host->get_interface(WEIR_STATE_ID);
    *self = g;
    if (g->data && g->expr && g->combine && g->state) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks one of " WEIR_DATA_ID ", "
                                              WEIR_EXPR_ID ", " WEIR_COMBINE_ID ", " WEIR_STATE_ID);
}

static void group_destroy(void *self)
{
    struct group *g = self;
    if (!g) return;
    for (uint32_t i = 0; i < INPUTS_MAX; i++) {
        for (uint32_t k = 0; g->expr && k < BY_MAX; k++) g->expr->free(g->inputs[i].exprs[k]);
        g->host->free(g->inputs[i].columns);
    }
    if (g->key.release) g->key.release(&g->key);
    if (g->lists.release) g->lists.release(&g->lists);
    g->host->free(g);
}

/* ---- the key ---- */

static const struct ArrowSchema *key_type(const struct group *g, const struct weir_input *input,
                                          uint32_t i, uint32_t k)
{
    const struct group_input *in = &g->inputs[i];
    return in->by[k] >= 0 ? input->schema->children[in->by[k]] : g->expr->schema(in->exprs[k]);
}

static int32_t compile_key(struct group *g, const struct weir_input *input, uint32_t i, uint32_t k,
                           const struct weir_value *value, const char *option,
                           struct weir_error *error)
{
    struct weir_expr_input from = { NULL, input->schema };
    struct group_input *in = &g->inputs[i];
    int32_t result = g->expr->compile(g->context, value->text, option, &from, 1, WEIR_TYPE_NONE,
                                      &in->exprs[k], error);
    if (result != WEIR_OK) return result;
    in->by[k] = g->expr->column(in->exprs[k]);
    if (in->by[k] < 0 && strcmp(value->key, value->text) == 0)
        return weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                value->text);
    uint32_t type = weir_type_of(key_type(g, input, i, k));
    if (type == WEIR_TYPE_NONE || type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT)
        return weir_fail_option(error, option, -1,
                                "\"%s\" is no plain value: rows are grouped by plain values",
                                value->text);
    return WEIR_OK;
}

static int32_t bind_key(struct group *g, const struct weir_operator_bind *in, uint32_t k,
                        const struct weir_value *value, struct weir_error *error)
{
    char option[64];
    if (k == BY_MAX) return weir_fail_option(error, "by", -1, "%u columns are the most", BY_MAX);
    snprintf(option, sizeof option, "by.%s", value->key);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        int32_t result = compile_key(g, &in->inputs[i], i, k, value, option, error);
        if (result != WEIR_OK) return result;
        if (i > 0 && strcmp(key_type(g, &in->inputs[0], 0, k)->format,
                            key_type(g, &in->inputs[i], i, k)->format) != 0)
            return weir_fail_option(error, option, -1,
                                    "\"%s\" has one type in \"%s\" and another in \"%s\": cast one "
                                    "of them",
                                    value->text, in->inputs[0].name, in->inputs[i].name);
    }
    return WEIR_OK;
}

static int32_t bind_by(struct group *g, const struct weir_operator_bind *in,
                       struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    int32_t result = WEIR_OK;
    while (result == WEIR_OK &&
           g->host->option_item(g->context, "by", g->n_by, &value) == WEIR_OK) {
        result = bind_key(g, in, g->n_by, &value, error);
        g->n_by++;
    }
    if (result == WEIR_OK && g->n_by == 0)
        result = weir_fail_option(error, "by", -1, "there are none: name one");
    if (result == WEIR_OK) result = g->data->schema_struct(g->n_by, &g->key, error);
    for (uint32_t k = 0; k < g->n_by && result == WEIR_OK; k++) {
        struct ArrowSchema *child = g->key.children[k];
        g->host->option_item(g->context, "by", k, &value);
        child->release(child);
        result = g->data->schema_copy(key_type(g, &in->inputs[0], 0, k), value.key, child, error);
        for (uint32_t i = 1; i < g->n_inputs && result == WEIR_OK; i++)
            child->flags |= key_type(g, &in->inputs[i], i, k)->flags & ARROW_FLAG_NULLABLE;
    }
    return result;
}

/* ---- the lists ---- */

static int is_key(const struct group *g, const struct group_input *in, uint32_t column)
{
    for (uint32_t k = 0; k < g->n_by; k++)
        if (in->by[k] == (int32_t)column) return 1;
    return 0;
}

static int32_t named_columns(struct group *g, struct group_input *in,
                             const struct ArrowSchema *schema, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; g->host->option_item(g->context, "columns", i, &value) == WEIR_OK; i++) {
        int32_t at = weir_column_index(schema, value.text);
        if (at < 0) return no_such_column(schema, "columns", value.text, error);
        for (uint32_t c = 0; c < in->n_columns; c++)
            if (in->columns[c] == (uint32_t)at)
                return weir_fail_option(error, "columns", -1, "column \"%s\" is named twice",
                                        value.text);
        in->columns[in->n_columns++] = (uint32_t)at;
    }
    return WEIR_OK;
}

static int32_t take_columns(struct group *g, struct group_input *in,
                            const struct ArrowSchema *schema, struct weir_error *error)
{
    uint32_t n = (uint32_t)schema->n_children;
    in->columns = g->host->alloc(n * sizeof *in->columns + 1);
    if (!in->columns) return no_memory(error);
    int32_t result = named_columns(g, in, schema, error);
    if (result != WEIR_OK) return result;
    for (uint32_t c = 0, all = in->n_columns; c < n && !all; c++)
        if (!is_key(g, in, c)) in->columns[in->n_columns++] = c;
    for (uint32_t c = 0, all = in->n_columns; c < n && !all; c++)
        in->columns[in->n_columns++] = c;
    if (g->n_by + in->n_columns > g->most_columns) g->most_columns = g->n_by + in->n_columns;
    return WEIR_OK;
}

/* The type of the items of input i into `item`, which is there already. */
static int32_t item_type(const struct group *g, uint32_t i, const struct ArrowSchema *schema,
                         struct ArrowSchema *item, struct weir_error *error)
{
    const struct group_input *in = &g->inputs[i];
    item->release(item);
    if (g->plain)
        return g->data->schema_copy(schema->children[in->columns[0]], "item", item, error);
    struct ArrowSchema fields;
    int32_t result = g->data->schema_struct(in->n_columns, &fields, error);
    for (uint32_t c = 0; c < in->n_columns && result == WEIR_OK; c++) {
        struct ArrowSchema *child = fields.children[c];
        child->release(child);
        result = g->data->schema_copy(schema->children[in->columns[c]], NULL, child, error);
    }
    if (result == WEIR_OK) result = g->data->schema_copy(&fields, "item", item, error);
    if (fields.release) fields.release(&fields);
    return result;
}

static int32_t make_lists(struct group *g, const struct weir_operator_bind *in, const char *name,
                          struct weir_error *error)
{
    int32_t result = g->data->schema_struct(g->n_inputs, &g->lists, error);
    for (uint32_t i = 0; i < g->n_inputs && result == WEIR_OK; i++) {
        result = g->data->schema_set(&g->lists, i, name ? name : in->inputs[i].name,
                                     WEIR_TYPE_LIST, error);
        if (result == WEIR_OK)
            result = item_type(g, i, in->inputs[i].schema, g->lists.children[i]->children[0],
                               error);
        if (result == WEIR_OK) g->lists.children[i]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    }
    return result;
}

/* ---- the plan ---- */

static int32_t result_schema(const struct group *g, struct ArrowSchema *out,
                             struct weir_error *error)
{
    uint32_t n = g->n_by + g->n_inputs;
    int32_t result = g->data->schema_struct(n, out, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const struct ArrowSchema *from = i < g->n_by ? g->key.children[i]
                                                     : g->lists.children[i - g->n_by];
        for (uint32_t k = 0; k < i && result == WEIR_OK; k++)
            if (strcmp(out->children[k]->name, from->name) == 0)
                result = weir_fail_option(error, "by", -1,
                                          "the result would have two columns \"%s\": give the key "
                                          "or the input another name",
                                          from->name);
        if (result != WEIR_OK) break;
        out->children[i]->release(out->children[i]);
        result = g->data->schema_copy(from, NULL, out->children[i], error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static int32_t exchange_schema(const struct group *g, uint32_t i, const struct ArrowSchema *schema,
                               struct ArrowSchema *out, struct weir_error *error)
{
    const struct group_input *in = &g->inputs[i];
    uint32_t n = g->n_by + in->n_columns;
    int32_t result = g->data->schema_struct(n, out, error);
    for (uint32_t c = 0; c < n && result == WEIR_OK; c++) {
        char name[16];
        snprintf(name, sizeof name, "%c%u", c < g->n_by ? 'k' : 'v', c);
        out->children[c]->release(out->children[c]);
        result = g->data->schema_copy(c < g->n_by ? g->key.children[c]
                                                  : schema->children[in->columns[c - g->n_by]],
                                      name, out->children[c], error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static uint64_t reads_of(const struct group *g, uint32_t i, const struct ArrowSchema *schema)
{
    const struct group_input *in = &g->inputs[i];
    uint64_t bits = 0;
    for (uint32_t c = 0; c < (uint32_t)schema->n_children; c++) {
        int read = 0;
        for (uint32_t k = 0; k < g->n_by && !read; k++)
            read = g->expr->reads(in->exprs[k], 0, c);
        for (uint32_t k = 0; k < in->n_columns && !read; k++) read = in->columns[k] == c;
        if (read) bits |= (uint64_t)1 << (c < 63 ? c : 63);
    }
    return bits;
}

static int32_t group_plan(struct group *g, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    int32_t result = result_schema(g, &out->streams[0].schema, error);
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = in->inputs[0].slide;
    out->streams[0].time_column = -1;
    out->flags = WEIR_PLAN_TICKING | WEIR_PLAN_READS_KNOWN;
    for (uint32_t i = 0; i < g->n_inputs && result == WEIR_OK; i++) {
        struct weir_distribution *d = &out->distribution[i];
        d->kind = WEIR_DISTRIBUTE_HASHED;
        d->n_columns = g->n_by;
        for (uint32_t k = 0; k < g->n_by; k++) d->columns[k] = k;
        out->reads[i] = reads_of(g, i, in->inputs[i].schema);
        for (uint32_t k = 0; k < g->n_by; k++)
            if (!g->expr->deterministic(g->inputs[i].exprs[k]))
                out->flags |= WEIR_PLAN_NONDETERMINISTIC;
        result = exchange_schema(g, i, in->inputs[i].schema, &d->exchange, error);
    }
    return result;
}

static int32_t bind_lists(struct group *g, const struct weir_operator_bind *in, const char *name,
                          struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < g->n_inputs && result == WEIR_OK; i++)
        result = take_columns(g, &g->inputs[i], in->inputs[i].schema, error);
    g->plain = name && g->inputs[0].n_columns == 1;
    return result == WEIR_OK ? make_lists(g, in, name, error) : result;
}

static int32_t group_by_key_bind(void *self, const struct weir_operator_bind *in,
                                 struct weir_operator_plan *out, struct weir_error *error)
{
    struct group *g = self;
    g->n_inputs = 1;
    int32_t result = bind_by(g, in, error);
    if (result == WEIR_OK) result = bind_lists(g, in, "values", error);
    if (result == WEIR_OK) result = group_plan(g, in, out, error);
    return result == WEIR_OK ? group_windows(g, in, out, error) : result;
}

static int32_t cogroup_bind(void *self, const struct weir_operator_bind *in,
                            struct weir_operator_plan *out, struct weir_error *error)
{
    struct group *g = self;
    g->n_inputs = in->n_inputs;
    if (g->n_inputs < 2)
        return weir_fail(error, WEIR_CONFIG,
                         "cogroup brings the rows of several inputs together: name two or more in "
                         "`from`, or take group_by_key");
    int32_t result = bind_by(g, in, error);
    if (result == WEIR_OK) result = bind_lists(g, in, NULL, error);
    return result == WEIR_OK ? group_plan(g, in, out, error) : result;
}

#define FACE_OF_GROUP(name, bind_fn)                                                               \
    .size = sizeof name, .create = group_create, .destroy = group_destroy, .bind = bind_fn,        \
    .lane_create = group_lane_create, .lane_destroy = group_lane_destroy, .begin = group_begin,    \
    .process = group_process, .advance = group_advance, .combine = group_combine,        \
    .combine_end = group_combine_end

const struct weir_operator group_by_key_operator = {
    FACE_OF_GROUP(group_by_key_operator, group_by_key_bind)
};
const struct weir_operator cogroup_operator = { FACE_OF_GROUP(cogroup_operator, cogroup_bind) };
