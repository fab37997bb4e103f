/*
 * check.c - from the tree of the text to nodes with types.
 *
 * Rules of types:
 *  1. Only int32 < int64 < float64 and date < timestamp widen by themselves; a text *literal* that
 *     stands against a timestamp or a date is parsed here. Nothing else is ever cast unasked.
 *  2. A bare null has TYPE_NULL until its place asks for a type (coerce, unify). Where no place
 *     does, that is an error.
 *  3. Arithmetic on int32 is int64 arithmetic.
 *  4. Nodes whose operands are all constants are computed here, once. One that fails stays as it
 *     is: it may stand behind a guard, so it must fail on rows only.
 */
#include "core/expr/tree.h"

/* ---- nodes ---- */

void *check_fail(struct checker *c, uint32_t at, const char *format, ...)
{
    char line[400];
    va_list args;
    if (c->failed) return NULL;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    c->failed = text_error(&c->expr->source, at, c->error, "%s", line);
    return NULL;
}

void *check_unknown(struct checker *c)
{
    if (!c->failed) c->failed = weir_fail(c->error, EXPR_UNKNOWN, "its input is not known");
    return NULL;
}

static void *no_memory(struct checker *c)
{
    if (!c->failed) c->failed = weir_fail(c->error, WEIR_FATAL, "out of memory");
    return NULL;
}

struct node *node_make(struct checker *c, enum op op, const struct ast *ast, uint32_t n_kids)
{
    struct node *node;
    if (c->failed) return NULL;
    node = arena_alloc(&c->expr->arena, sizeof *node);
    if (!node) return no_memory(c);
    node->op = op;
    node->type = type_flat(TYPE_NULL);
    node->begin = ast->begin;
    node->at = ast->at;
    node->n_kids = n_kids;
    if (n_kids) {
        node->kids = arena_alloc(&c->expr->arena, n_kids * sizeof *node->kids);
        if (!node->kids) return no_memory(c);
    }
    return node;
}

void node_own(struct checker *c, struct node *node)
{
    node->next_owned = c->expr->owned;
    c->expr->owned = node;
}

/* The value of a constant: room for one row; a null if is_null. */
static int const_value(struct checker *c, struct node *node, int is_null, uint64_t bytes)
{
    uint32_t id = node->type.id;
    int32_t rc;
    if (id == TYPE_INTERVAL) id = WEIR_TYPE_INT64;
    if (id == TYPE_NULL) id = WEIR_TYPE_UTF8; /* all three buffers, whatever a function reads */
    rc = weir_data_1.column(id, 1, bytes + 64, is_null, &node->value, c->error);
    if (rc) {
        c->failed = rc;
        return 0;
    }
    if (id == WEIR_TYPE_UTF8 || id == WEIR_TYPE_BINARY) {
        int32_t *offsets = (int32_t *)(uintptr_t)node->value.buffers[1];
        offsets[0] = 0;
        offsets[1] = (int32_t)bytes;
    } else if (id != WEIR_TYPE_BOOL) {
        memset((void *)(uintptr_t)node->value.buffers[1], 0, type_width(id));
    }
    if (is_null) {
        *(uint8_t *)(uintptr_t)node->value.buffers[0] = 0;
        node->value.null_count = 1;
    }
    node_own(c, node);
    node->constant = 1;
    return 1;
}

static int const_null_nested(struct checker *c, struct node *node)
{
    c->failed = nested_nulls(&node->type, 1, &node->value, c->error);
    if (c->failed) return 0;
    node_own(c, node);
    node->constant = 1;
    return 1;
}

/* array() where a list is asked for. */
static int const_empty_list(struct checker *c, struct node *node)
{
    struct weir_builder *builder;
    c->failed = nested_begin(&node->type, &builder, c->error);
    if (c->failed) return 0;
    c->failed = weir_data_1.append_valid(weir_data_1.builder_child(builder, 0));
    if (c->failed) weir_fail(c->error, c->failed, "out of memory");
    else c->failed = nested_end(builder, &node->value, c->error);
    weir_data_1.builder_destroy(builder);
    if (c->failed) return 0;
    node_own(c, node);
    node->constant = 1;
    return 1;
}

static struct node *const_make(struct checker *c, const struct ast *ast, uint32_t type,
                               int is_null, uint64_t bytes)
{
    struct node *node = node_make(c, OP_CONST, ast, 0);
    if (!node) return NULL;
    node->type = type_flat(type);
    return const_value(c, node, is_null, bytes) ? node : NULL;
}

static void *value_of(struct node *node, uint32_t buffer)
{
    return (void *)(uintptr_t)node->value.buffers[buffer];
}

struct node *node_text(struct checker *c, const struct ast *ast, const char *text, uint64_t n)
{
    struct node *node = const_make(c, ast, WEIR_TYPE_UTF8, 0, n);
    if (node) memcpy(value_of(node, 2), text, n);
    return node;
}

struct node *node_empty_list(struct checker *c, const struct ast *ast)
{
    struct node *node = const_make(c, ast, TYPE_NULL, 1, 0);
    if (node) node->empty_list = 1;
    return node;
}

struct node *node_null(struct checker *c, const struct node *place, const struct type *type)
{
    const struct ast ast = { .begin = place->begin, .at = place->at };
    struct node *node = node_make(c, OP_CONST, &ast, 0);
    char name[64];
    if (!node) return NULL;
    node->type = *type;
    if (place->empty_list && type->id != WEIR_TYPE_LIST)
        return check_fail(c, place->begin, "array() is a list, not %s", type_name_of(type, name));
    if (place->empty_list) return const_empty_list(c, node) ? node : NULL;
    if (type_is_nested(type->id)) return const_null_nested(c, node) ? node : NULL;
    return const_value(c, node, 1, 0) ? node : NULL;
}

int node_is_null(const struct node *node)
{
    return node->op == OP_CONST && node->value.null_count > 0;
}

/* Computes a node of constants here. One that fails on its row stays. */
static struct node *fold(struct checker *c, struct node *node)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    struct ArrowArray value = { 0 };
    int32_t rc = eval_constant(c->expr, node, &value, &inner);
    if (rc == WEIR_DATA) return node;
    if (rc) {
        c->failed = weir_fail(c->error, rc, "%s", inner.text);
        return NULL;
    }
    node->op = OP_CONST;
    node->value = value;
    node->n_kids = 0;
    node->kids = NULL;
    node->constant = 1;
    node->may_fail = node->heavy = 0;
    node_own(c, node);
    return node;
}

struct node *node_finish(struct checker *c, struct node *node)
{
    uint32_t i;
    int constants = node != NULL, fixed = 1;
    if (c->failed || !node) return NULL;
    for (i = 0; i < node->n_kids; i++) {
        const struct node *kid = node->kids[i];
        if (!kid) return NULL;
        node->may_fail |= kid->may_fail;
        node->heavy |= kid->heavy;
        constants &= kid->op == OP_CONST;
        fixed &= kid->constant;
    }
    if (node->op == OP_COLUMN) return node;
    if (node->op == OP_CALL) {
        node->constant = fixed && (node->component->capabilities & WEIR_CAP_DETERMINISTIC) != 0;
        return node;
    }
    node->constant = fixed != 0;
    return constants && node->op != OP_NOW && node->op != OP_CONST ? fold(c, node) : node;
}

/* ---- coercions ---- */

static struct node *parse_literal_as(struct checker *c, struct node *node, uint32_t type)
{
    const struct ast ast = { .begin = node->begin, .at = node->at };
    const struct weir_bytes text = weir_get_bytes(&node->value, 0);
    struct node *out;
    int64_t us = 0;
    int32_t days = 0;
    if (type == WEIR_TYPE_DATE) {
        if (date_of_text((const char *)text.data, text.length, &days))
            return check_fail(c, node->begin, "the text is not a date of ISO 8601");
    } else if (timestamp_of_text((const char *)text.data, text.length, &us)) {
        return check_fail(c, node->begin, "the text is not a timestamp of ISO 8601");
    }
    out = const_make(c, &ast, type, 0, 0);
    if (!out) return NULL;
    if (type == WEIR_TYPE_DATE) memcpy(value_of(out, 1), &days, sizeof days);
    else memcpy(value_of(out, 1), &us, sizeof us);
    return out;
}

struct node *node_cast(struct checker *c, struct node *node, const struct type *to)
{
    const struct ast ast = { .begin = node->begin, .at = node->at };
    struct node *cast;
    if (type_equal(&node->type, to)) return node;
    if (node->type.id == TYPE_NULL) return node_null(c, node, to);
    cast = node_make(c, OP_CAST, &ast, 1);
    if (!cast) return NULL;
    cast->kids[0] = node;
    cast->type = *to;
    cast->may_fail = cast_may_fail(&node->type, to) != 0;
    cast->heavy = node->type.id == WEIR_TYPE_UTF8 || to->id == WEIR_TYPE_UTF8;
    return node_finish(c, cast);
}

static int widens(uint32_t from, uint32_t to)
{
    if (type_is_number(from) && type_is_number(to)) return from <= to;
    return from == WEIR_TYPE_DATE && to == WEIR_TYPE_TIMESTAMP;
}

struct node *coerce(struct checker *c, struct node *node, const struct type *to, const char *what)
{
    char want[64], got[64];
    if (!node) return NULL;
    if (node->type.id == TYPE_NULL || type_equal(&node->type, to) ||
        widens(node->type.id, to->id))
        return node_cast(c, node, to);
    if (node->literal && type_is_time(to->id)) return parse_literal_as(c, node, to->id);
    return check_fail(c, node->begin, "%s must be %s, not %s", what, type_name_of(to, want),
                      type_name_of(&node->type, got));
}

/* The wider of two types; 0 if they don't meet. */
static int widest(const struct type *a, const struct type *b, struct type *out)
{
    if (type_equal(a, b) || widens(b->id, a->id)) *out = *a;
    else if (widens(a->id, b->id)) *out = *b;
    else return 0;
    return 1;
}

static int literal_is_date(const struct node *node)
{
    const struct weir_bytes text = weir_get_bytes(&node->value, 0);
    int32_t days;
    return date_of_text((const char *)text.data, text.length, &days) == 0;
}

int unify(struct checker *c, struct node ***refs, uint32_t n, uint32_t at, const char *what,
          struct type *out)
{
    struct type type = type_flat(TYPE_NULL);
    char one[64], other[64];
    uint32_t i;
    if (c->failed) return 0;
    for (i = 0; i < n; i++) {
        const struct node *node = *refs[i];
        if (!node) return 0;
        if (node->type.id == TYPE_NULL || node->literal) continue;
        if (type.id == TYPE_NULL) type = node->type;
        else if (!widest(&type, &node->type, &type))
            return check_fail(c, at, "%s of %s and %s", what, type_name_of(&type, one),
                              type_name_of(&node->type, other)) != NULL;
    }
    for (i = 0; i < n; i++) {
        const struct node *node = *refs[i];
        if (!node->literal) continue;
        if (type.id == TYPE_NULL) type = node->type;
        else if (type.id == WEIR_TYPE_DATE && !literal_is_date(node))
            type = type_flat(WEIR_TYPE_TIMESTAMP);
        else if (!type_is_time(type.id) && type.id != node->type.id)
            return check_fail(c, at, "%s of %s and %s", what, type_name_of(&type, one),
                              type_name_of(&node->type, other)) != NULL;
    }
    if (type.id == TYPE_NULL)
        return check_fail(c, at, UNKNOWN_NULL) !=
               NULL;
    for (i = 0; i < n; i++) {
        *refs[i] = coerce(c, *refs[i], &type, what);
        if (!*refs[i]) return 0;
    }
    *out = type;
    return 1;
}

static int is_bool(struct checker *c, struct node **node, const char *what)
{
    const struct type type = type_flat(WEIR_TYPE_BOOL);
    *node = coerce(c, *node, &type, what);
    return *node != NULL;
}

/* ---- names ---- */

static int reads_column(struct checker *c, uint32_t input, uint32_t column)
{
    struct weir_expr *expr = c->expr;
    uint32_t (*longer)[2];
    uint32_t i;
    for (i = 0; i < expr->n_reads; i++)
        if (expr->reads[i][0] == input && expr->reads[i][1] == column) return 1;
    if ((expr->n_reads & (expr->n_reads - 1)) == 0) { /* room is the next power of two */
        const uint64_t room = expr->n_reads ? expr->n_reads * 2 : 1;
        longer = arena_alloc(&expr->arena, room * sizeof *longer);
        if (!longer) return no_memory(c) != NULL;
        if (expr->n_reads) memcpy(longer, expr->reads, expr->n_reads * sizeof *longer);
        expr->reads = longer;
    }
    expr->reads[expr->n_reads][0] = input;
    expr->reads[expr->n_reads++][1] = column;
    return 1;
}

static struct node *column_node(struct checker *c, const struct ast *ast, uint32_t input,
                                uint32_t column)
{
    const struct ArrowSchema *schema = c->scope->inputs[input].schema->children[column];
    struct node *node = node_make(c, OP_COLUMN, ast, 0);
    if (!node) return NULL;
    if (schema_has_unknown(schema)) return check_unknown(c);
    node->type = type_of_schema(schema);
    c->failed = type_keep(c->expr, &node->type, c->error);
    if (c->failed || !reads_column(c, input, column)) return NULL;
    node->input = input;
    node->column = column;
    return node_finish(c, node);
}

static void *unknown_column(struct checker *c, const struct ast *ast, const char *name)
{
    struct suggestion best = { NULL, UINT32_MAX };
    uint32_t i;
    int64_t k;
    for (i = 0; i < c->scope->n_inputs; i++)
        if (schema_is_open(c->scope->inputs[i].schema)) return check_unknown(c);
    if (c->scope->beneath && weir_column_index(c->scope->beneath->schema, name) >= 0)
        return check_fail(c, ast->at, "column %s is neither in `by` nor inside of an aggregate",
                          name);
    for (i = 0; i < c->scope->n_inputs; i++)
        for (k = 0; k < c->scope->inputs[i].schema->n_children; k++)
            suggest(&best, name, c->scope->inputs[i].schema->children[k]->name);
    if (best.name)
        return check_fail(c, ast->at, "no column %s: did you mean %s?", name, best.name);
    return check_fail(c, ast->at, "no column %s", name);
}

static struct node *check_name(struct checker *c, const struct ast *ast)
{
    uint32_t i, input = 0;
    int32_t found = -1;
    for (i = 0; i < c->scope->n_inputs; i++) {
        const int32_t k = weir_column_index(c->scope->inputs[i].schema, ast->text);
        if (k < 0) continue;
        if (found >= 0)
            return check_fail(c, ast->at, "column %s is in %s and in %s", ast->text,
                              c->scope->inputs[input].name, c->scope->inputs[i].name);
        found = k;
        input = i;
    }
    if (found < 0) return unknown_column(c, ast, ast->text);
    return column_node(c, ast, input, (uint32_t)found);
}

/* alias.column, if there are aliases; NULL without an error: it is none */
static struct node *check_alias(struct checker *c, const struct ast *ast)
{
    const struct ast *alias = ast->kids[0];
    struct suggestion best = { NULL, UINT32_MAX };
    uint32_t i;
    int64_t k;
    if (alias->kind != AST_NAME) return NULL;
    for (i = 0; i < c->scope->n_inputs; i++) {
        const struct weir_expr_input *input = &c->scope->inputs[i];
        if (!input->name || strcmp(input->name, alias->text) != 0) continue;
        k = weir_column_index(input->schema, ast->text);
        if (k >= 0) return column_node(c, ast, i, (uint32_t)k);
        if (c->scope->n_inputs == 1) return NULL;
        if (schema_is_open(input->schema)) return check_unknown(c);
        for (k = 0; k < input->schema->n_children; k++)
            suggest(&best, ast->text, input->schema->children[k]->name);
        return check_fail(c, ast->at, best.name ? "%s has no column %s: did you mean %s?"
                                                : "%s has no column %s",
                          alias->text, ast->text, best.name);
    }
    if (c->scope->n_inputs < 2) return NULL;
    for (i = 0; i < c->scope->n_inputs; i++) /* no input, but a column with fields */
        if (weir_column_index(c->scope->inputs[i].schema, alias->text) >= 0 ||
            schema_is_open(c->scope->inputs[i].schema))
            return NULL;
    for (i = 0; i < c->scope->n_inputs; i++)
        if (c->scope->inputs[i].name) suggest(&best, alias->text, c->scope->inputs[i].name);
    return check_fail(c, alias->at, best.name ? "no input %s: did you mean %s?" : "no input %s",
                      alias->text, best.name);
}

static struct node *check_field(struct checker *c, const struct ast *ast)
{
    struct node *node = check_alias(c, ast), *kid;
    char name[64];
    int32_t k;
    if (node || c->failed) return node;
    kid = check(c, ast->kids[0]);
    if (!kid) return NULL;
    if (kid->type.id != WEIR_TYPE_STRUCT)
        return check_fail(c, ast->at, "%s has no fields", type_name_of(&kid->type, name));
    k = weir_column_index(kid->type.schema, ast->text);
    if (k < 0) {
        struct suggestion best = { NULL, UINT32_MAX };
        int64_t i;
        for (i = 0; i < kid->type.schema->n_children; i++)
            suggest(&best, ast->text, kid->type.schema->children[i]->name);
        return check_fail(c, ast->at, best.name ? "no field %s: did you mean %s?" : "no field %s",
                          ast->text, best.name);
    }
    node = node_make(c, OP_FIELD, ast, 1);
    if (!node) return NULL;
    node->kids[0] = kid;
    node->column = (uint32_t)k;
    node->type = type_of_schema(kid->type.schema->children[k]);
    c->failed = type_keep(c->expr, &node->type, c->error);
    return node_finish(c, node);
}

/* ---- operators ---- */

struct node *node_two(struct checker *c, enum op op, const struct ast *ast,
                             struct node *left, struct node *right, uint32_t type)
{
    struct node *node = left && right ? node_make(c, op, ast, 2) : NULL;
    if (!node) return NULL;
    node->kids[0] = left;
    node->kids[1] = right;
    node->type = type_flat(type);
    return node;
}

static struct node *check_concat(struct checker *c, const struct ast *ast)
{
    struct node *node = node_make(c, OP_CONCAT, ast, ast->n_kids);
    struct type type = type_flat(WEIR_TYPE_UTF8);
    uint32_t i;
    if (!node) return NULL;
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = check(c, ast->kids[i]);
        if (!node->kids[i]) return NULL;
        if (node->kids[i]->type.id == WEIR_TYPE_BINARY) type = type_flat(WEIR_TYPE_BINARY);
    }
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = coerce(c, node->kids[i], &type, "an operand of ||");
        if (!node->kids[i]) return NULL;
    }
    node->type = type;
    node->heavy = 1;
    return node_finish(c, node);
}

/* An int32 column against an int64 constant that fits is compared as int32, without a cast. */
static struct node *compare_finish(struct checker *c, struct node *node)
{
    const struct type int32 = type_flat(WEIR_TYPE_INT32);
    uint32_t k;
    for (k = 0; k < 2; k++) {
        struct node *cast = node->kids[k], *constant = node->kids[1 - k];
        if (cast->op != OP_CAST || cast->kids[0]->type.id != WEIR_TYPE_INT32 ||
            constant->op != OP_CONST || constant->type.id != WEIR_TYPE_INT64)
            continue;
        if (!node_is_null(constant) && node_int(constant) != (int32_t)node_int(constant))
            continue;
        node->kids[k] = cast->kids[0];
        node->kids[1 - k] = node_cast(c, constant, &int32);
        break;
    }
    if (!node->kids[0] || !node->kids[1]) return NULL;
    node->heavy = !type_width(node->kids[0]->type.id);
    return node_finish(c, node);
}

static struct node *check_compare(struct checker *c, const struct ast *ast)
{
    const enum op op = ast->kind == AST_COMPARE ? OP_COMPARE : OP_DISTINCT;
    struct node *node = node_two(c, op, ast, check(c, ast->kids[0]), check(c, ast->kids[1]),
                                 WEIR_TYPE_BOOL);
    struct type type;
    if (!node) return NULL;
    if (!unify(c, (struct node **[]){ &node->kids[0], &node->kids[1] }, 2, ast->at, "comparison",
               &type))
        return NULL;
    node->sub = op == OP_COMPARE ? ast->op : ast->negated;
    return compare_finish(c, node);
}

/* x with two or more others of the same type: between, in */
static struct node *check_items(struct checker *c, enum op op, const struct ast *ast)
{
    struct node *node = node_make(c, op, ast, ast->n_kids);
    struct node ***refs = arena_alloc(&c->expr->arena, ast->n_kids * sizeof *refs);
    struct type type;
    uint32_t i;
    if (!node) return NULL;
    if (!refs) return no_memory(c);
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = check(c, ast->kids[i]);
        refs[i] = &node->kids[i];
        if (!node->kids[i]) return NULL;
    }
    if (!unify(c, refs, ast->n_kids, ast->at, "comparison", &type)) return NULL;
    node->type = type_flat(WEIR_TYPE_BOOL);
    node->sub = ast->negated;
    node->heavy = op == OP_IN || !type_width(type.id);
    for (i = 1; op == OP_IN && i < ast->n_kids && node->kids[i]->op == OP_CONST;) i++;
    if (i == ast->n_kids && op == OP_IN && type.id != WEIR_TYPE_BOOL && !type_is_nested(type.id)) {
        node->set = item_set_make(&c->expr->arena, &type, node->kids + 1, ast->n_kids - 1);
        if (!node->set) return no_memory(c);
    }
    return node_finish(c, node);
}

static struct node *check_like(struct checker *c, const struct ast *ast)
{
    const struct type text = type_flat(WEIR_TYPE_UTF8);
    struct node *left = coerce(c, check(c, ast->kids[0]), &text, "the left side of like");
    struct node *right = coerce(c, check(c, ast->kids[1]), &text, "the pattern");
    struct node *node = node_two(c, OP_LIKE, ast, left, right, WEIR_TYPE_BOOL);
    int problem = 0;
    if (!node) return NULL;
    node->sub = ast->negated;
    node->heavy = 1;
    node->may_fail = right->op != OP_CONST;
    if (right->op == OP_CONST && !node_is_null(right)) {
        const struct weir_bytes pattern = weir_get_bytes(&right->value, 0);
        node->like = like_compile(&c->expr->arena, pattern.data, pattern.length, &problem);
        if (!node->like && problem)
            return check_fail(c, right->begin, "the pattern ends with its escape character");
        if (!node->like) return no_memory(c);
    }
    return node_finish(c, node);
}

static struct node *check_rlike(struct checker *c, const struct ast *ast)
{
    struct ast call = { .kind = AST_CALL, .begin = ast->begin, .end = ast->end, .at = ast->at,
                        .text = "rlike", .length = 5, .n_kids = 2, .kids = ast->kids };
    struct node *node = check_call(c, &call), *not;
    if (!node || !ast->negated) return node;
    not = node_make(c, OP_NOT, ast, 1);
    if (!not) return NULL;
    not->kids[0] = node;
    not->type = node->type;
    return node_finish(c, not);
}

static struct node *check_is_null(struct checker *c, const struct ast *ast)
{
    struct node *node = node_make(c, OP_IS_NULL, ast, 1);
    if (!node) return NULL;
    node->kids[0] = check(c, ast->kids[0]);
    if (!node->kids[0]) return NULL;
    if (node->kids[0]->type.id == TYPE_NULL)
        return check_fail(c, ast->kids[0]->begin,
                          UNKNOWN_NULL);
    node->type = type_flat(WEIR_TYPE_BOOL);
    node->sub = ast->negated;
    return node_finish(c, node);
}

static struct node *check_logic(struct checker *c, const struct ast *ast)
{
    const int is_and = ast->kind == AST_AND;
    struct node *node = node_make(c, is_and ? OP_AND : OP_OR, ast, ast->n_kids);
    uint32_t i;
    if (!node) return NULL;
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = check(c, ast->kids[i]);
        if (!is_bool(c, &node->kids[i], is_and ? "an operand of and" : "an operand of or"))
            return NULL;
    }
    node->type = type_flat(WEIR_TYPE_BOOL);
    return node_finish(c, node);
}

/* The opposite of a bool node, pushed down to where it costs nothing. */
static struct node *negate(struct checker *c, const struct ast *ast, struct node *node)
{
    static const uint8_t opposite[] = { [EQ] = NE, [NE] = EQ, [LT] = GE,
                                        [GE] = LT, [GT] = LE, [LE] = GT };
    struct node *not;
    uint32_t i;
    switch (node->op) {
    case OP_COMPARE: node->sub = opposite[node->sub]; return node;
    case OP_DISTINCT:
    case OP_IS_NULL:
    case OP_BETWEEN:
    case OP_IN:
    case OP_LIKE: node->sub ^= 1; return node;
    case OP_NOT: return node->kids[0];
    case OP_AND:
    case OP_OR:
        node->op = node->op == OP_AND ? OP_OR : OP_AND;
        for (i = 0; i < node->n_kids; i++) {
            node->kids[i] = negate(c, ast, node->kids[i]);
            if (!node->kids[i]) return NULL;
        }
        return node;
    default:
        not = node_make(c, OP_NOT, ast, 1);
        if (!not) return NULL;
        not->kids[0] = node;
        not->type = node->type;
        return node_finish(c, not);
    }
}

static struct node *check_not(struct checker *c, const struct ast *ast)
{
    struct node *kid = check(c, ast->kids[0]);
    if (!is_bool(c, &kid, "the operand of not")) return NULL;
    return negate(c, ast, kid);
}

/* ---- case and cast ---- */

struct node *node_case(struct checker *c, struct node *node, uint32_t first, int has_else)
{
    const uint32_t branches = (node->n_kids - first - (has_else != 0)) / 2;
    struct node ***refs = arena_alloc(&c->expr->arena, (node->n_kids + 1) * sizeof *refs);
    struct type type;
    uint32_t i, n = 0;
    if (!refs) return no_memory(c);
    if (first) { /* case x when y: x and all y are of one type */
        refs[n++] = &node->kids[0];
        for (i = 0; i < branches; i++) refs[n++] = &node->kids[first + 2 * i];
        if (!unify(c, refs, n, node->at, "comparison", &type)) return NULL;
    } else {
        for (i = 0; i < branches; i++)
            if (!is_bool(c, &node->kids[2 * i], "a condition")) return NULL;
    }
    n = 0;
    for (i = 0; i < branches; i++) refs[n++] = &node->kids[first + 2 * i + 1];
    if (has_else) refs[n++] = &node->kids[node->n_kids - 1];
    if (!unify(c, refs, n, node->at, "branches", &type)) return NULL;
    node->type = type;
    return node_finish(c, node);
}

static struct node *check_case(struct checker *c, const struct ast *ast)
{
    struct node *node = node_make(c, ast->has_operand ? OP_SWITCH : OP_CASE, ast, ast->n_kids);
    uint32_t i;
    if (!node) return NULL;
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = check(c, ast->kids[i]);
        if (!node->kids[i]) return NULL;
    }
    node->heavy = 1;
    return node_case(c, node, ast->has_operand, ast->has_else);
}

static struct node *check_cast(struct checker *c, const struct ast *ast)
{
    struct node *kid = check(c, ast->kids[0]), *node;
    struct type type;
    char one[64], other[64];
    if (!kid) return NULL;
    c->failed = type_parse(c->expr, ast->text, ast->at, &type, c->error);
    if (c->failed) return NULL;
    if (!cast_allowed(&kid->type, &type))
        return check_fail(c, ast->at, "no cast from %s to %s", type_name_of(&kid->type, one),
                          type_name_of(&type, other));
    if (kid->type.id == TYPE_NULL || type_equal(&kid->type, &type)) {
        node = node_cast(c, kid, &type);
        if (node) node->literal = 0; /* a text that was cast is a text */
        return node;
    }
    node = node_make(c, OP_CAST, ast, 1);
    if (!node) return NULL;
    node->kids[0] = kid;
    node->type = type;
    node->is_try = ast->is_try;
    node->may_fail = !ast->is_try && cast_may_fail(&kid->type, &type);
    node->heavy = kid->type.id == WEIR_TYPE_UTF8 || type.id == WEIR_TYPE_UTF8;
    return node_finish(c, node);
}

/* ---- literals, and all together ---- */

static struct node *check_literal(struct checker *c, const struct ast *ast)
{
    static const uint8_t types[] = { [AST_NULL] = TYPE_NULL, [AST_BOOL] = WEIR_TYPE_BOOL,
                                     [AST_INT] = WEIR_TYPE_INT64, [AST_FLOAT] = WEIR_TYPE_FLOAT64,
                                     [AST_INTERVAL] = TYPE_INTERVAL,
                                     [AST_TIMESTAMP] = WEIR_TYPE_TIMESTAMP,
                                     [AST_DATE] = WEIR_TYPE_DATE };
    const int32_t days = (int32_t)ast->integer;
    struct node *node;
    if (ast->kind == AST_TEXT) {
        node = node_text(c, ast, ast->text, ast->length);
        if (node) node->literal = 1;
        return node;
    }
    node = const_make(c, ast, types[ast->kind], ast->kind == AST_NULL, 0);
    if (!node) return NULL;
    switch (ast->kind) {
    case AST_NULL: break;
    case AST_BOOL: *(uint8_t *)value_of(node, 1) = (uint8_t)ast->integer; break;
    case AST_FLOAT: memcpy(value_of(node, 1), &ast->number, sizeof ast->number); break;
    case AST_DATE: memcpy(value_of(node, 1), &days, sizeof days); break;
    default: memcpy(value_of(node, 1), &ast->integer, sizeof ast->integer);
    }
    return node;
}

struct node *check(struct checker *c, const struct ast *ast)
{
    if (c->failed) return NULL;
    switch (ast->kind) {
    case AST_NULL:
    case AST_BOOL:
    case AST_INT:
    case AST_FLOAT:
    case AST_TEXT:
    case AST_INTERVAL:
    case AST_TIMESTAMP:
    case AST_DATE: return check_literal(c, ast);
    case AST_NAME: return check_name(c, ast);
    case AST_FIELD: return check_field(c, ast);
    case AST_NEGATE: return check_negate(c, ast);
    case AST_ARITH: {
        struct node *left = check(c, ast->kids[0]);
        return node_arith(c, ast, ast->op, left, check(c, ast->kids[1]), 0);
    }
    case AST_CONCAT: return check_concat(c, ast);
    case AST_COMPARE:
    case AST_DISTINCT: return check_compare(c, ast);
    case AST_NOT: return check_not(c, ast);
    case AST_AND:
    case AST_OR: return check_logic(c, ast);
    case AST_IS_NULL: return check_is_null(c, ast);
    case AST_BETWEEN: return check_items(c, OP_BETWEEN, ast);
    case AST_IN: return check_items(c, OP_IN, ast);
    case AST_LIKE: return check_like(c, ast);
    case AST_RLIKE: return check_rlike(c, ast);
    case AST_CASE: return check_case(c, ast);
    case AST_CAST: return check_cast(c, ast);
    case AST_CALL: return check_call(c, ast);
    }
    return check_fail(c, ast->at, "this can't be here");
}
