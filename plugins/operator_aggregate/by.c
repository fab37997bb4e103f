/*
 * by.c - the grouping columns of an aggregation, and the key that they make.
 *
 * A key is flat. Of a grouping column that is a struct (a window) every field is a column of the
 * key, all null where the struct is, and a bool tells a null struct from one of nulls (presence.h);
 * the output puts them together again.
 */
#include "plugins/operator_aggregate/aggregation.h"

#include "plugins/share/names.h"
#include "plugins/share/presence.h"

int aggregation_flat(const struct ArrowSchema *type)
{
    uint32_t id = weir_type_of(type);
    if (strcmp(type->format, "n") == 0) return 1; /* not known: a check behind a mistake */
    return id != WEIR_TYPE_NONE && id != WEIR_TYPE_LIST && id != WEIR_TYPE_STRUCT;
}

static int is_flat_struct(const struct ArrowSchema *type)
{
    if (weir_type_of(type) != WEIR_TYPE_STRUCT || type->n_children == 0) return 0;
    for (int64_t i = 0; i < type->n_children; i++)
        if (!aggregation_flat(type->children[i])) return 0;
    return 1;
}

static int32_t refuse_type(const char *option, const char *what, struct weir_error *error)
{
    return weir_fail_option(error, option, -1,
                            "\"%s\" is a list, or a struct of more than plain values: rows are "
                            "grouped "
                            "by plain values",
                            what);
}

/* Gives the last column of `by` its place in the key. */
static int32_t place(struct aggregation *a, const char *option, const char *what,
                     const struct ArrowSchema *type, struct weir_error *error)
{
    struct by *by = &a->by[a->n_by - 1];
    by->first = a->n_flat;
    if (is_flat_struct(type)) {
        by->fields = (uint32_t)type->n_children;
        by->presence = presence_needed(type);
        by->window = (uint32_t)presence_is_window(type);
    } else if (!aggregation_flat(type)) {
        return refuse_type(option, what, error);
    }
    a->n_flat += by->fields ? by->fields + by->presence : 1;
    if (a->n_flat <= BY_MAX) return WEIR_OK;
    return weir_fail_option(error, option, -1, "%u columns are the most", BY_MAX);
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
    if (by->input < 0 && strcmp(value->key, value->text) == 0 &&
        weir_type_of(a->expr->schema(by->expr)) != WEIR_TYPE_NONE)
        return weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                value->text);
    return place(a, option, value->text, a->expr->schema(by->expr), error);
}

/* ---- key and group ---- */

static const struct ArrowSchema *by_type(const struct aggregation *a, const struct by *by,
                                         const struct ArrowSchema *input)
{
    return by->expr ? a->expr->schema(by->expr) : input->children[by->input];
}

static int32_t copy_child(const struct aggregation *a, const struct ArrowSchema *type,
                          const char *name, struct ArrowSchema *child, struct weir_error *error)
{
    child->release(child);
    return a->data->schema_copy(type, name, child, error);
}

static int32_t key_of_by(struct aggregation *a, const struct by *by, const struct ArrowSchema *type,
                         struct weir_error *error)
{
    int32_t result = WEIR_OK;
    char name[200];
    if (!by->fields) return copy_child(a, type, by->name, a->key.children[by->first], error);
    for (uint32_t i = 0; i < by->fields && result == WEIR_OK; i++) {
        snprintf(name, sizeof name, "%.90s.%.90s", by->name, type->children[i]->name);
        struct ArrowSchema *child = a->key.children[by->first + i];
        result = copy_child(a, type->children[i], name, child, error);
        if (result == WEIR_OK) presence_flags(type, child);
    }
    if (result != WEIR_OK || !by->presence) return result;
    snprintf(name, sizeof name, "?%.180s", by->name);
    return a->data->schema_set(&a->key, by->first + by->fields, name, WEIR_TYPE_BOOL, error);
}

/* The columns that time adds to the key and to the group. */
static int32_t add_time(struct aggregation *a, struct weir_error *error)
{
    const int session = a->time.kind == TIME_SESSION;
    struct ArrowSchema parsed;
    int32_t result = WEIR_OK;
    for (uint32_t i = a->n_flat; i < a->n_keys && result == WEIR_OK; i++)
        result = a->data->schema_set(&a->key, i, i == a->n_flat ? "window.start" : "window.end",
                                     WEIR_TYPE_TIMESTAMP, error);
    if (result != WEIR_OK || a->time.kind < TIME_WINDOW) return result;
    result = a->data->schema_parse(session ? "session struct<start: timestamp, end: timestamp>"
                                           : "window struct<start: timestamp, end: timestamp>",
                                   &parsed, error);
    if (result != WEIR_OK) return result;
    result = copy_child(a, parsed.children[0], NULL, a->group.children[a->n_by], error);
    parsed.release(&parsed);
    return result;
}

static int32_t make_key(struct aggregation *a, const struct ArrowSchema *input,
                        struct weir_error *error)
{
    const uint32_t timed = a->time.kind >= TIME_WINDOW;
    a->n_keys = a->n_flat + (timed ? (a->time.kind == TIME_SESSION ? 2 : 1) : 0);
    int32_t result = a->data->schema_struct(a->n_keys, &a->key, error);
    if (result == WEIR_OK) result = a->data->schema_struct(a->n_by + timed, &a->group, error);
    for (uint32_t i = 0; i < a->n_by && result == WEIR_OK; i++) {
        const struct ArrowSchema *type = by_type(a, &a->by[i], input);
        result = copy_child(a, type, a->by[i].name, a->group.children[i], error);
        if (result == WEIR_OK) result = key_of_by(a, &a->by[i], type, error);
    }
    return result == WEIR_OK ? add_time(a, error) : result;
}

/* ---- options ---- */

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
    a->by[a->n_by++] = (struct by){ .input = at, .name = name };
    int32_t result = place(a, option, name, input->children[at], error);
    return result == WEIR_OK ? make_key(a, input, error) : result;
}
