/*
 * diagnose.c - all mistakes of an expression, and something to go on with in its place.
 *
 * The check of an expression ends at its first mistake, since types above it are not known. Here
 * each part is checked by itself, from the leaves up, and a whole only where its parts are good. So
 * `lenght(user) > 3 and amuont = 1` has two mistakes, and no third one that follows from them.
 * It costs a check of each subtree, which only a text that was found wrong has to pay.
 *
 * What reads a column that is not known is no mistake, nor is it good: nothing above it is told.
 */
#include "core/expr/tree.h"

/* Does the first part of a.b name an input, or may it? Then it is no column. */
static int is_alias(const struct ast *ast)
{
    return ast->kind == AST_FIELD && ast->kids[0]->kind == AST_NAME;
}

/* May it be a call of an aggregate? One that nobody knows may. */
static int may_aggregate(const struct expr_env *env, const struct ast *ast)
{
    if (ast->kind != AST_CALL || !env->find || is_core_call(ast->text)) return 0;
    return env->find(env->arg, WEIR_KIND_AGGREGATE, ast->text) ||
           !env->find(env->arg, WEIR_KIND_SCALAR, ast->text);
}

/* One check of a tree. Calls of aggregates that it makes are not kept. */
static int32_t check_once(const struct diagnosis *d, const struct ast *ast,
                          const struct scope *scope, uint32_t expect, struct weir_error *error)
{
    struct weir_expr *expr = NULL;
    struct scope own = *scope;
    int32_t rc = WEIR_OK;
    if (scope->aggregation) own.aggregation = expr_aggregate_empty(d->env);
    if (scope->aggregation && !own.aggregation) return WEIR_FATAL;
    rc = expr_compile_ast(d->env, d->source, ast, &own, expect, &expr, error);
    expr_free(expr);
    if (scope->aggregation) expr_aggregate_free(own.aggregation);
    return rc;
}

/* What is wrong with a call whatever its arguments are. */
static void tell_call(const struct diagnosis *d, const struct ast *ast, const struct scope *scope)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr expr = { .env = d->env, .source = *d->source };
    struct checker checker = { .expr = &expr, .scope = scope, .error = &error };
    if (!check_call_shape(&checker, ast) && checker.failed == WEIR_CONFIG) d->tell(d->arg, &error);
}

/* 1 where the tree is good. */
static int diagnose(const struct diagnosis *d, const struct ast *ast, const struct scope *scope,
                    uint32_t expect)
{
    const struct scope inside = { .inputs = scope->beneath, .n_inputs = 1, .inside_aggregate = 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    const struct scope *below = scope;
    int good = 1;
    if (scope->aggregation && may_aggregate(d->env, ast)) below = &inside;
    for (uint32_t i = 0; i < ast->n_kids && !is_alias(ast); i++)
        good &= diagnose(d, ast->kids[i], below, EXPECT_PART);
    if (!good && ast->kind == AST_CALL) tell_call(d, ast, scope);
    if (!good) return 0;
    int32_t rc = check_once(d, ast, scope, expect, &error);
    if (rc == WEIR_CONFIG) d->tell(d->arg, &error);
    return rc == WEIR_OK;
}

void expr_diagnose(const struct diagnosis *d, const struct ast *ast, const struct scope *scope,
                   uint32_t expect)
{
    if (!diagnose(d, ast, scope, expect)) d->tell(d->arg, NULL);
}

int32_t expr_stand_in(const struct expr_env *env, uint32_t expect, struct weir_expr **out,
                      struct weir_error *error)
{
    static const struct scope nothing;
    const struct source_text source = { "null", 4, "" };
    struct ast ast = { .kind = AST_NULL };
    int32_t rc = expr_compile_ast(env, &source, &ast, &nothing,
                                  expect == WEIR_TYPE_NONE ? EXPECT_PART : expect, out, error);
    return rc == WEIR_CONFIG ? expr_stand_in(env, WEIR_TYPE_NONE, out, error) : rc;
}

int32_t expr_compile_mended(const struct expr_env *env, const char *text, const char *option,
                            const struct weir_expr_input *inputs, uint32_t n_inputs,
                            uint32_t expect, expr_tell_fn tell, void *arg, struct weir_expr **out,
                            struct weir_error *error)
{
    const struct source_text source = { text, (uint32_t)strnlen(text, UINT32_MAX),
                                        option ? option : "" };
    const struct scope scope = { .inputs = inputs, .n_inputs = n_inputs };
    const struct diagnosis d = { env, &source, tell, arg };
    struct weir_error inner = WEIR_ERROR_INIT;
    struct arena arena = { 0 };
    struct ast *ast;
    int32_t rc = expr_compile(env, text, option, inputs, n_inputs, expect, out, &inner);
    if (rc != WEIR_CONFIG && rc != EXPR_UNKNOWN) {
        if (rc && error) *error = inner;
        return rc;
    }
    weir_error_init(&inner);
    rc = parse(&source, &arena, &ast, &inner);
    if (rc == WEIR_CONFIG) tell(arg, &inner);
    else if (!rc) expr_diagnose(&d, ast, &scope, expect);
    arena_free(&arena);
    if (rc && rc != WEIR_CONFIG) return weir_fail(error, rc, "%s", inner.text);
    return expr_stand_in(env, expect, out, error);
}
