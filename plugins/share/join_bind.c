/*
 * join_bind.c - the condition of a join taken apart, and the columns of its result.
 *
 * `on` is a conjunction. An equality with one side of it on each input is a key; a condition on one
 * input alone is a filter of that input; the rest is computed on pairs of rows with equal keys. A
 * type that can't be a key (a list) makes an equality one of the rest.
 */
#include "plugins/share/join.h"

#include <stdlib.h>

int32_t join_init(struct join *join, const struct weir_host *host, struct weir_context *context,
                  struct weir_error *error)
{
    join->host = host;
    join->context = context;
    join->data = host->get_interface(WEIR_DATA_ID);
    join->expr = host->get_interface(WEIR_EXPR_ID);
    join->combine = host->get_interface(WEIR_COMBINE_ID);
    if (join->data && join->expr && join->combine && join->expr->size >= sizeof *join->expr)
        return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED,
                     "this host lacks " WEIR_DATA_ID ", " WEIR_EXPR_ID " or " WEIR_COMBINE_ID
                     ", or its " WEIR_EXPR_ID " is too old");
}

void join_fini(struct join *join)
{
    if (!join->expr) return;
    for (uint32_t i = 0; i < join->n_columns; i++) join->expr->free(join->columns[i].expr);
    join->expr->free(join->on);
    join->host->free(join->columns);
    for (uint32_t s = 0; s < 2; s++) join->host->free(join->needed[s]);
    if (join->key.release) join->key.release(&join->key);
}

/* ---- keys ---- */

static int is_flat(const struct ArrowSchema *type)
{
    const uint32_t id = weir_type_of(type);
    return id != WEIR_TYPE_NONE && id != WEIR_TYPE_LIST && id != WEIR_TYPE_STRUCT;
}

/* Flat parts of a key of this type; 0: it can't be one. */
static uint32_t count_leaves(const struct ArrowSchema *type)
{
    if (is_flat(type)) return 1;
    if (weir_type_of(type) != WEIR_TYPE_STRUCT) return 0;
    for (int64_t i = 0; i < type->n_children; i++)
        if (!is_flat(type->children[i])) return 0;
    return (uint32_t)type->n_children + 1;
}

static int add_key(struct join *join, const struct weir_conjunct *c)
{
    const uint32_t left = c->left_inputs == 1 ? 0 : 1;
    const struct ArrowSchema *type = join->expr->schema(c->left);
    const uint32_t n = count_leaves(type);
    struct join_key *key = &join->keys[join->n_keys];
    if (n == 0 || join->n_leaves + n > JOIN_KEYS_MAX) return 0;
    *key = (struct join_key){ .null_safe = c->kind == WEIR_CONJUNCT_NULL_SAFE,
                              .first = join->n_leaves, .n_leaves = n, .is_struct = !is_flat(type) };
    key->expr[left] = c->left;
    key->expr[1 - left] = c->right;
    for (uint32_t s = 0; s < 2; s++) {
        key->column[s] = join->expr->input_column(key->expr[s], NULL);
        key->source[s] = join->expr->time_source(key->expr[s], NULL);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct join_leaf *leaf = &join->leaves[join->n_leaves++];
        *leaf = (struct join_leaf){ type, join->n_keys, -1 };
        if (!key->is_struct) continue;
        leaf->type = i ? type->children[i - 1] : NULL;
        leaf->field = (int32_t)i - 1;
    }
    join->n_keys++;
    return 1;
}

static int32_t make_key(struct join *join, struct weir_error *error)
{
    char name[16];
    int32_t result = join->data->schema_struct(join->n_leaves, &join->key, error);
    for (uint32_t i = 0; i < join->n_leaves && result == WEIR_OK; i++) {
        const struct ArrowSchema *type = join->leaves[i].type;
        snprintf(name, sizeof name, "k%u", i);
        result = join->data->schema_set(&join->key, i, name,
                                        type ? weir_type_of(type) : WEIR_TYPE_BOOL, error);
        if (result == WEIR_OK) join->key.children[i]->flags |= ARROW_FLAG_NULLABLE;
    }
    return result;
}

/* ---- the condition ---- */

static void need(struct join *join, const struct weir_expr *expr, uint8_t why)
{
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t c = 0; c < (uint32_t)join->inputs[s].schema->n_children; c++)
            if (join->expr->reads(expr, s, c)) join->needed[s][c] |= why;
}

static void add_conjunct(struct join *join, const struct weir_conjunct *c)
{
    if (c->kind != WEIR_CONJUNCT_OTHER &&
        ((c->left_inputs == 1 && c->right_inputs == 2) ||
         (c->left_inputs == 2 && c->right_inputs == 1)) &&
        add_key(join, c))
        return;
    if (c->inputs == 1 || c->inputs == 2) {
        const uint32_t side = c->inputs - 1;
        join->filters[side][join->n_filters[side]++] = c->expr;
        return;
    }
    join->rest[join->n_rest++] = c->expr;
    need(join, c->expr, JOIN_FOR_REST);
}

static int32_t bind_condition(struct join *join, struct weir_error *error)
{
    struct weir_conjunct c = { .size = sizeof c };
    const char *text = option_text(join->host, join->context, "on", "");
    int32_t result = join->expr->compile(join->context, text, "on", join->inputs, 2,
                                         WEIR_TYPE_BOOL, &join->on, error);
    if (result != WEIR_OK) return result;
    if (!join->expr->deterministic(join->on)) join->nondeterministic = 1;
    for (uint32_t i = 0;; i++) {
        struct weir_error past = WEIR_ERROR_INIT;
        result = join->expr->conjunct(join->on, i, &c, &past);
        if (result == WEIR_UNSUPPORTED) break;
        if (result != WEIR_OK) return weir_fail(error, result, "%s", past.text);
        if (i == JOIN_CONDITIONS_MAX)
            return weir_fail_option(error, "on", -1, "%u conditions are the most",
                                    JOIN_CONDITIONS_MAX);
        add_conjunct(join, &c);
    }
    return make_key(join, error);
}

/* Conditions over both sides that may fail reject the row that probes, whole. */
static void plan_rejects(struct join *join)
{
    const char *mode = option_text(join->host, join->context, "on_error", "dead_letter");
    for (uint32_t i = 0; i < join->n_rest; i++)
        if (join->expr->may_fail(join->rest[i])) join->may_reject = 1;
    if (option_is(mode, "null")) join->may_reject = 0; /* such a pair does not match */
    if (!join->may_reject || !option_is(mode, "dead_letter")) return;
    for (uint32_t s = 0; s < 2; s++)
        for (int64_t c = 0; join->probes >> s & 1 && c < join->inputs[s].schema->n_children; c++)
            join->needed[s][c] |= JOIN_FOR_LETTER;
}

/* ---- the result ---- */

static int32_t add_column(struct join *join, struct join_column column, const char *option,
                          struct weir_error *error)
{
    struct join_column *list;
    for (uint32_t i = 0; i < join->n_columns; i++)
        if (strcmp(join->columns[i].name, column.name) == 0) {
            join->expr->free(column.expr);
            return weir_fail_option(error, option, -1,
                                    "the result would have two columns \"%s\": list them in "
                                    "`columns`, one as another name (\"%s.%s as …\")",
                                    column.name, join->inputs[1].name, column.name);
        }
    list = join->host->realloc(join->columns, (join->n_columns + 1) * sizeof *list);
    if (!list) {
        join->expr->free(column.expr);
        return no_memory(error);
    }
    join->columns = list;
    list[join->n_columns++] = column;
    return WEIR_OK;
}

static int32_t add_side(struct join *join, uint32_t side, const char *option,
                        struct weir_error *error)
{
    const struct ArrowSchema *schema = join->inputs[side].schema;
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < (uint32_t)schema->n_children && result == WEIR_OK; c++) {
        const struct join_column column = { schema->children[c]->name, schema->children[c], NULL,
                                            side, c };
        result = add_column(join, column, option, error);
    }
    return result;
}

/* `*` and `alias.*`: bits of the sides that are meant. */
static uint32_t star_of(const struct join *join, const char *text)
{
    const uint32_t sides = join_left_only(join->type) ? 1 : 3;
    if (strcmp(text, "*") == 0) return sides;
    for (uint32_t s = 0; s < 2; s++) {
        const size_t n = strlen(join->inputs[s].name);
        if (strncmp(text, join->inputs[s].name, n) == 0 && strcmp(text + n, ".*") == 0)
            return sides & (1u << s);
    }
    return 0;
}

static int32_t add_expr(struct join *join, const struct weir_value *value, const char *option,
                        struct weir_error *error)
{
    struct join_column column = { .name = value->key };
    uint32_t side = 0;
    int32_t at, result = join->expr->compile(join->context, value->text, option, join->inputs, 2,
                                             WEIR_TYPE_NONE, &column.expr, error);
    if (result != WEIR_OK) return result;
    column.type = join->expr->schema(column.expr);
    at = join->expr->input_column(column.expr, &side);
    if (!join->expr->deterministic(column.expr)) join->nondeterministic = 1;
    for (uint32_t c = 0; c < (uint32_t)join->inputs[1].schema->n_children; c++)
        if (join_left_only(join->type) && join->expr->reads(column.expr, 1, c)) {
            join->expr->free(column.expr);
            return weir_fail_option(error, option, -1,
                                    "this type of join gives columns of \"%s\" only",
                                    join->inputs[0].name);
        }
    if (at < 0 && strcmp(value->key, value->text) == 0) {
        join->expr->free(column.expr);
        return weir_fail_option(error, option, -1, "give the result a name: \"%s as …\"",
                                value->text);
    }
    if (at >= 0) {
        join->expr->free(column.expr);
        column = (struct join_column){ value->key, join->inputs[side].schema->children[at], NULL,
                                       side, (uint32_t)at };
    }
    return add_column(join, column, option, error);
}

static int32_t bind_columns(struct join *join, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    int32_t result = WEIR_OK;
    uint64_t i = 0;
    for (; result == WEIR_OK &&
           join->host->option_item(join->context, "columns", i, &value) == WEIR_OK;
         i++) {
        const uint32_t star = star_of(join, value.text);
        char option[64];
        snprintf(option, sizeof option, "columns.%.50s", value.key);
        if (!star) result = add_expr(join, &value, option, error);
        for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++)
            if (star >> s & 1) result = add_side(join, s, "columns", error);
    }
    if (i > 0 || result != WEIR_OK) return result;
    result = add_side(join, 0, "columns", error);
    if (result == WEIR_OK && !join_left_only(join->type))
        result = add_side(join, 1, "columns", error);
    return result;
}

static void need_columns(struct join *join)
{
    for (uint32_t i = 0; i < join->n_columns; i++) {
        const struct join_column *column = &join->columns[i];
        if (column->expr) need(join, column->expr, JOIN_FOR_EXPR);
        else join->needed[column->side][column->column] |= JOIN_FOR_OUTPUT;
    }
}

static uint32_t type_of_option(const struct join *join)
{
    static const char *const names[] = { "inner",      "left_outer", "right_outer",
                                         "full_outer", "left_semi",  "left_anti" };
    const char *text = option_text(join->host, join->context, "type", "inner");
    uint32_t i = 0;
    while (i < 5 && strcmp(text, names[i]) != 0) i++;
    return i;
}

int32_t join_bind(struct join *join, const struct weir_expr_input inputs[2],
                  struct weir_error *error)
{
    join->type = type_of_option(join);
    for (uint32_t s = 0; s < 2; s++) {
        const uint64_t n = (uint64_t)inputs[s].schema->n_children + 1;
        join->inputs[s] = inputs[s];
        join->needed[s] = join->host->alloc(n);
        if (!join->needed[s]) return no_memory(error);
        memset(join->needed[s], 0, n);
    }
    if (strcmp(inputs[0].name, inputs[1].name) == 0)
        return weir_fail(error, WEIR_CONFIG,
                         "both inputs are called \"%s\": give them aliases, \"from\": {\"a\": …, "
                         "\"b\": …}",
                         inputs[0].name);
    int32_t result = bind_condition(join, error);
    if (result == WEIR_OK) result = bind_columns(join, error);
    if (result == WEIR_OK) need_columns(join);
    if (result == WEIR_OK) plan_rejects(join);
    return result;
}

int32_t join_schema(const struct join *join, struct ArrowSchema *out, struct weir_error *error)
{
    int32_t result = join->data->schema_struct(join->n_columns, out, error);
    for (uint32_t i = 0; i < join->n_columns && result == WEIR_OK; i++) {
        const struct join_column *column = &join->columns[i];
        struct ArrowSchema *child = out->children[i];
        child->release(child);
        result = join->data->schema_copy(column->type, column->name, child, error);
        if (result == WEIR_OK && (column->expr || join_keeps(join->type, 1 - column->side)))
            child->flags |= ARROW_FLAG_NULLABLE;
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

uint64_t join_reads(const struct join *join, uint32_t side)
{
    uint64_t bits = 0;
    for (uint32_t c = 0; c < (uint32_t)join->inputs[side].schema->n_children; c++)
        if (join->needed[side][c] || join->expr->reads(join->on, side, c))
            bits |= (uint64_t)1 << (c < 63 ? c : 63);
    return bits;
}
