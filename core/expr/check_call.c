/*
 * check_call.c - calls by name: the few functions of the core, those of components, aggregates.
 *
 * In the core is what evaluates an argument only for some rows, or takes any type: coalesce,
 * nullif, if, greatest, least, typeof, now and the try_… forms of operators. All others are
 * components.
 */
#include "core/expr/tree.h"

enum core_function {
    CALL_COALESCE,
    CALL_NULLIF,
    CALL_IF,
    CALL_GREATEST,
    CALL_LEAST,
    CALL_TYPEOF,
    CALL_NOW,
    CALL_TRY
};

static const struct core_call {
    const char *name;
    enum core_function function;
    uint32_t min, max;
    uint32_t op; /* of try_… */
} core_calls[] = {
    { "coalesce", CALL_COALESCE, 1, UINT32_MAX, 0 },
    { "nullif", CALL_NULLIF, 2, 2, 0 },
    { "if", CALL_IF, 3, 3, 0 },
    { "greatest", CALL_GREATEST, 1, UINT32_MAX, 0 },
    { "least", CALL_LEAST, 1, UINT32_MAX, 0 },
    { "typeof", CALL_TYPEOF, 1, 1, 0 },
    { "now", CALL_NOW, 0, 0, 0 },
    { "try_add", CALL_TRY, 2, 2, '+' },
    { "try_subtract", CALL_TRY, 2, 2, '-' },
    { "try_multiply", CALL_TRY, 2, 2, '*' },
    { "try_divide", CALL_TRY, 2, 2, '/' },
    { "try_mod", CALL_TRY, 2, 2, '%' },
};

#define N_CORE (sizeof core_calls / sizeof *core_calls)

int check_count(struct checker *c, const struct ast *ast, uint32_t min, uint32_t max)
{
    if (ast->n_kids >= min && ast->n_kids <= max) return 1;
    if (min == max)
        check_fail(c, ast->begin, "%s takes %u argument%s, not %u", ast->text, min,
                   min == 1 ? "" : "s", ast->n_kids);
    else if (max == UINT32_MAX)
        check_fail(c, ast->begin, "%s takes at least %u argument%s, not %u", ast->text, min,
                   min == 1 ? "" : "s", ast->n_kids);
    else
        check_fail(c, ast->begin, "%s takes %u to %u arguments, not %u", ast->text, min, max,
                   ast->n_kids);
    return 0;
}

static int check_kids(struct checker *c, const struct ast *ast, struct node *node)
{
    uint32_t i;
    for (i = 0; i < ast->n_kids; i++) {
        node->kids[i] = check(c, ast->kids[i]);
        if (!node->kids[i]) return 0;
    }
    return 1;
}

static struct node *same_type(struct checker *c, const struct ast *ast, struct node *node)
{
    struct node ***refs = arena_alloc(&c->expr->arena, (ast->n_kids + 1) * sizeof *refs);
    struct type type;
    uint32_t i;
    if (!refs) {
        c->failed = weir_fail(c->error, WEIR_FATAL, "out of memory");
        return NULL;
    }
    for (i = 0; i < ast->n_kids; i++) refs[i] = &node->kids[i];
    if (!unify(c, refs, ast->n_kids, ast->at, ast->text, &type)) return NULL;
    node->type = type;
    node->heavy = 1;
    return node_finish(c, node);
}

static struct node *check_typeof(struct checker *c, const struct ast *ast)
{
    struct node *kid = check(c, ast->kids[0]), *node;
    char flat[64], *ddl = NULL;
    if (!kid) return NULL;
    if (type_is_nested(kid->type.id)) {
        ddl = type_ddl(kid->type.schema);
        if (!ddl) {
            c->failed = weir_fail(c->error, WEIR_FATAL, "out of memory");
            return NULL;
        }
    } else {
        type_name_of(&kid->type, flat);
    }
    node = node_text(c, ast, ddl ? ddl : flat, strlen(ddl ? ddl : flat));
    mem_free(ddl);
    return node;
}

static struct node *check_core(struct checker *c, const struct ast *ast,
                               const struct core_call *call)
{
    static const enum op ops[] = { [CALL_COALESCE] = OP_COALESCE, [CALL_NULLIF] = OP_NULLIF,
                                   [CALL_GREATEST] = OP_PICK,     [CALL_LEAST] = OP_PICK };
    struct node *node;
    if (!check_count(c, ast, call->min, call->max)) return NULL;
    switch (call->function) {
    case CALL_COALESCE:
    case CALL_NULLIF:
    case CALL_GREATEST:
    case CALL_LEAST:
        node = node_make(c, ops[call->function], ast, ast->n_kids);
        if (!node || !check_kids(c, ast, node)) return NULL;
        node->sub = call->function == CALL_GREATEST ? GT : LT;
        return same_type(c, ast, node);
    case CALL_IF:
        node = node_make(c, OP_CASE, ast, 3);
        if (!node || !check_kids(c, ast, node)) return NULL;
        node->heavy = 1;
        return node_case(c, node, 0, 1);
    case CALL_TYPEOF: return check_typeof(c, ast);
    case CALL_NOW:
        node = node_make(c, OP_NOW, ast, 0);
        if (!node) return NULL;
        node->type = type_flat(WEIR_TYPE_TIMESTAMP);
        return node_finish(c, node);
    case CALL_TRY: break;
    }
    node = check(c, ast->kids[0]);
    return node_arith(c, ast, call->op, node, check(c, ast->kids[1]), 1);
}

/* ---- components ---- */

/* What bind sees of the arguments; in the arena of the expression. */
static struct weir_argument *arguments_of(struct checker *c, struct node *const *kids, uint32_t n)
{
    struct weir_argument *args = arena_alloc(&c->expr->arena, (n + 1) * sizeof *args);
    uint32_t i;
    if (!args) {
        c->failed = weir_fail(c->error, WEIR_FATAL, "out of memory");
        return NULL;
    }
    for (i = 0; i < n; i++) {
        args[i].size = sizeof *args;
        args[i].constant = kids[i]->op == OP_CONST;
        args[i].schema = kids[i]->type.schema;
        args[i].value = args[i].constant ? &kids[i]->value : NULL;
    }
    return args;
}

static struct node *check_scalar(struct checker *c, const struct ast *ast,
                                 const struct weir_component *component)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    struct node *node = node_make(c, OP_CALL, ast, ast->n_kids);
    struct type result = { TYPE_NULL, NULL };
    struct ArrowSchema schema = { 0 };
    struct weir_argument *args;
    uint32_t i;
    int32_t rc;
    if (!node || !check_count(c, ast, component->min_args, component->max_args) ||
        !check_kids(c, ast, node))
        return NULL;
    for (i = 0; i < ast->n_kids; i++)
        if (node->kids[i]->empty_list)
            return check_fail(c, node->kids[i]->begin,
                              "the type of array() is not known here: write cast(array() as …)");
    args = arguments_of(c, node->kids, ast->n_kids);
    if (!args) return NULL;
    node->component = component;
    node->function = component->table;
    rc = node->function->bind(c->expr->host, args, ast->n_kids, &schema, &node->bound, &inner);
    if (rc == WEIR_FATAL) {
        c->failed = weir_fail(c->error, rc, "%s", inner.text);
        return NULL;
    }
    if (rc) return check_fail(c, ast->begin, "%s", inner.text[0] ? inner.text : ast->text);
    node_own(c, node);
    if (schema.release && schema.format) result = type_of_schema(&schema);
    if (result.id == TYPE_NULL) {
        check_fail(c, ast->begin, "%s gives a type that is not known", ast->text);
    } else {
        node->type = result;
        c->failed = type_keep(c->expr, &node->type, c->error);
    }
    schema_release(&schema);
    if (!(component->capabilities & WEIR_CAP_DETERMINISTIC)) c->expr->deterministic = 0;
    node->may_fail = (component->capabilities & WEIR_CAP_MAY_FAIL) != 0;
    node->heavy = 1;
    return node_finish(c, node);
}

static struct node *unknown_function(struct checker *c, const struct ast *ast)
{
    const struct expr_env *env = c->expr->env;
    struct suggestion best = { NULL, UINT32_MAX };
    const char *name;
    uint32_t i;
    for (i = 0; i < N_CORE; i++) suggest(&best, ast->text, core_calls[i].name);
    for (i = 0; env->name && (name = env->name(env->arg, i)) != NULL; i++)
        suggest(&best, ast->text, name);
    if (best.name)
        return check_fail(c, ast->begin, "no function %s: did you mean %s?", ast->text, best.name);
    return check_fail(c, ast->begin, "no function %s", ast->text);
}

struct node *check_call(struct checker *c, const struct ast *ast)
{
    const struct expr_env *env = c->expr->env;
    const struct weir_component *component;
    uint32_t i;
    component = env->find ? env->find(env->arg, WEIR_KIND_AGGREGATE, ast->text) : NULL;
    if (component && c->scope->inside_aggregate)
        return check_fail(c, ast->begin, "the aggregate %s stands inside of another one",
                          ast->text);
    if (component && c->scope->aggregation) return check_aggregate(c, ast, component);
    if (component)
        return check_fail(c, ast->begin,
                          "%s is an aggregate: it belongs into `values` of an operator that groups",
                          ast->text);
    if (ast->star || ast->distinct)
        return check_fail(c, ast->begin, "%s is no aggregate: it takes no %s", ast->text,
                          ast->star ? "*" : "distinct");
    for (i = 0; i < N_CORE; i++)
        if (strcmp(core_calls[i].name, ast->text) == 0) return check_core(c, ast, &core_calls[i]);
    if (ast->n_kids == 0 && strcmp(ast->text, "array") == 0) return node_empty_list(c, ast);
    component = env->find ? env->find(env->arg, WEIR_KIND_SCALAR, ast->text) : NULL;
    if (!component) return unknown_function(c, ast);
    return check_scalar(c, ast, component);
}

int check_call_shape(struct checker *c, const struct ast *ast)
{
    const struct expr_env *env = c->expr->env;
    const struct weir_component *component = NULL;
    if (strcmp(ast->text, "array") == 0) return 1; /* it may be empty */
    for (uint32_t i = 0; i < N_CORE; i++)
        if (strcmp(core_calls[i].name, ast->text) == 0)
            return check_count(c, ast, core_calls[i].min, core_calls[i].max);
    if (env->find) component = env->find(env->arg, WEIR_KIND_AGGREGATE, ast->text);
    if (env->find && !component) component = env->find(env->arg, WEIR_KIND_SCALAR, ast->text);
    if (!component) return unknown_function(c, ast) != NULL;
    return ast->star || check_count(c, ast, component->min_args, component->max_args);
}

int is_core_call(const char *name)
{
    for (uint32_t i = 0; i < N_CORE; i++)
        if (strcmp(core_calls[i].name, name) == 0) return 1;
    return strcmp(name, "array") == 0;
}
