/*
 * aggregate.c - `values` of an operator that groups: each text becomes calls of aggregates and an
 * expression over what they give.
 *
 *     sum(amount) / count(*) as mean      calls: sum(amount), count(*)      expression: c0 / c1
 *
 * Invariants:
 *  1. Equal calls (the same text but for spaces) are one call, over all values.
 *  2. Outside of calls a name is a column of `by`; inside, a column of the input, and no aggregate.
 *  3. An expression sees two inputs without names: 0 is `by`, 1 are the results of the calls.
 */
#include "core/data/node.h"
#include "core/expr/kernels.h"

struct aggregate_call {
    struct weir_aggregate_call call;
    struct weir_aggregate_plan plan;
    const struct ast *ast;
    struct type result;
    struct aggregate_call *next;
};

struct weir_aggregation {
    struct arena arena;
    const struct expr_env *env;
    struct source_text source; /* of the value that is being compiled */
    uint32_t n_values, n_calls;
    struct weir_expr **values;
    struct aggregate_call *first, **last;
    struct ArrowSchema schema;
    struct ArrowSchema by; /* of the grouping columns */
};

static void call_free(struct aggregate_call *call)
{
    if (call->call.function && call->call.function->unbind)
        call->call.function->unbind(call->call.bound);
    for (uint32_t i = 0; call->call.args && i < call->call.n_args; i++)
        expr_free(call->call.args[i]);
    schema_release(&call->plan.result);
}

void expr_aggregate_free(struct weir_aggregation *aggregation)
{
    struct aggregate_call *call;
    struct arena arena;
    uint32_t i;
    if (!aggregation) return;
    for (i = 0; aggregation->values && i < aggregation->n_values; i++)
        expr_free(aggregation->values[i]);
    for (call = aggregation->first; call; call = call->next) call_free(call);
    schema_release(&aggregation->schema);
    schema_release(&aggregation->by);
    arena = aggregation->arena;
    arena_free(&arena);
}

/* ---- calls ---- */

static int32_t compile_arguments(struct checker *c, const struct ast *ast,
                                 struct aggregate_call *call)
{
    struct weir_aggregation *a = c->scope->aggregation;
    const struct scope scope = { .inputs = c->scope->beneath, .n_inputs = 1,
                                 .inside_aggregate = 1 };
    struct weir_expr **args = arena_alloc(&a->arena, (ast->n_kids + 1) * sizeof *args);
    uint32_t i;
    int32_t rc = WEIR_OK;
    if (!args) return weir_fail(c->error, WEIR_FATAL, "out of memory");
    call->call.args = args;
    call->call.n_args = ast->n_kids;
    for (i = 0; i < ast->n_kids && !rc; i++)
        rc = expr_compile_ast(a->env, &c->expr->source, ast->kids[i], &scope, WEIR_TYPE_NONE,
                              &args[i], c->error);
    return rc;
}

static int32_t bind_call(struct checker *c, const struct ast *ast, struct aggregate_call *call,
                         const struct weir_component *component)
{
    struct weir_aggregation *a = c->scope->aggregation;
    struct weir_argument *args = arena_alloc(&a->arena, (ast->n_kids + 1) * sizeof *args);
    struct weir_error inner = WEIR_ERROR_INIT;
    uint32_t i;
    int32_t rc;
    if (!args) return weir_fail(c->error, WEIR_FATAL, "out of memory");
    for (i = 0; i < ast->n_kids; i++) {
        const struct node *root = call->call.args[i]->root;
        args[i].size = sizeof *args;
        args[i].constant = root->op == OP_CONST;
        args[i].schema = root->type.schema;
        args[i].value = args[i].constant ? &root->value : NULL;
    }
    call->plan.size = sizeof call->plan;
    rc = ((const struct weir_aggregate *)component->table)
             ->bind(c->expr->host, args, ast->n_kids, &call->plan, &call->call.bound, &inner);
    if (rc == WEIR_FATAL) return weir_fail(c->error, rc, "%s", inner.text);
    if (rc) {
        check_fail(c, ast->begin, "%s", inner.text[0] ? inner.text : ast->text);
        return c->failed;
    }
    call->call.function = component->table;
    if (!call->plan.result.release || call->plan.n_columns > WEIR_AGGREGATE_MAX_COLUMNS ||
        (call->result = type_of_schema(&call->plan.result)).id == TYPE_NULL) {
        check_fail(c, ast->begin, "%s gives a type that is not known", ast->text);
        return c->failed;
    }
    return WEIR_OK;
}

static struct aggregate_call *make_call(struct checker *c, const struct ast *ast,
                                        const struct weir_component *component)
{
    struct weir_aggregation *a = c->scope->aggregation;
    struct aggregate_call *call = arena_alloc(&a->arena, sizeof *call);
    const uint32_t n = ast->n_kids;
    if (!call) {
        c->failed = weir_fail(c->error, WEIR_FATAL, "out of memory");
        return NULL;
    }
    if (ast->star && (component->min_args > 0 || strcmp(ast->text, "count") != 0))
        return check_fail(c, ast->begin, "only count takes *");
    if (!ast->star && strcmp(ast->text, "count") == 0 && n == 0)
        return check_fail(c, ast->begin, "count takes an argument or *");
    if (!check_count(c, ast, component->min_args, component->max_args)) return NULL;
    *a->last = call; /* in the list first: free finds it whatever happens next */
    a->last = &call->next;
    a->n_calls++;
    call->ast = ast;
    call->call.size = sizeof call->call;
    call->call.distinct = ast->distinct;
    call->call.plan = &call->plan;
    c->failed = compile_arguments(c, ast, call);
    if (!c->failed) c->failed = bind_call(c, ast, call, component);
    return c->failed ? NULL : call;
}

struct node *check_aggregate(struct checker *c, const struct ast *ast,
                             const struct weir_component *component)
{
    struct weir_aggregation *a = c->scope->aggregation;
    struct aggregate_call *call = a->first;
    struct node *node;
    uint32_t number = 0;
    for (; call && !ast_equal(call->ast, ast); call = call->next) number++;
    if (!call) call = make_call(c, ast, component);
    if (!call) return NULL;
    node = node_make(c, OP_COLUMN, ast, 0);
    if (!node) return NULL;
    node->type = call->result;
    c->failed = type_keep(c->expr, &node->type, c->error);
    node->input = 1;
    node->column = number;
    return node_finish(c, node);
}

/* ---- values ---- */

static int32_t compile_value(struct weir_aggregation *a, const char *option, const char *name,
                             const char *text, const struct weir_expr_input *input,
                             const struct weir_expr_input *by, struct weir_expr **out,
                             struct weir_error *error)
{
    const struct scope scope = { .inputs = by, .n_inputs = 1, .aggregation = a, .beneath = input };
    char *label = arena_alloc(&a->arena, strlen(option) + strlen(name) + 2);
    const uint64_t n = strlen(text);
    char *copy = n < UINT32_MAX ? arena_text(&a->arena, text, n) : NULL; /* calls keep trees */
    struct ast *ast;
    int32_t rc;
    if (!label || !copy) return weir_fail(error, WEIR_FATAL, "out of memory");
    sprintf(label, "%s.%s", option, name);
    a->source = (struct source_text){ copy, (uint32_t)n, label };
    rc = parse(&a->source, &a->arena, &ast, error);
    return rc ? rc : expr_compile_ast(a->env, &a->source, ast, &scope, WEIR_TYPE_NONE, out, error);
}

static int32_t make_schema(struct weir_aggregation *a, const char *const *names,
                           struct weir_error *error)
{
    uint32_t i;
    int32_t rc = weir_data_1.schema_struct(a->n_values, &a->schema, error);
    for (i = 0; i < a->n_values && !rc; i++) {
        const struct ArrowSchema *type = expr_schema(a->values[i]);
        struct ArrowSchema copy;
        if (type_of_schema(type).id == TYPE_INTERVAL)
            rc = weir_fail_option(error, a->source.option, 0, "an interval can't be a column");
        else rc = weir_data_1.schema_copy(type, names[i], &copy, error);
        if (rc) break;
        schema_release(a->schema.children[i]);
        *a->schema.children[i] = copy;
    }
    return rc;
}

struct weir_aggregation *expr_aggregate_empty(const struct expr_env *env)
{
    struct arena arena = { 0 };
    struct weir_aggregation *a = arena_alloc(&arena, sizeof *a);
    if (!a) return NULL;
    a->arena = arena;
    a->env = env;
    a->last = &a->first;
    return a;
}

/* Makes `values` one by one; `compile` knows what to do about mistakes. */
struct values {
    const char *option;
    const char *const *names;
    const char *const *texts;
    const struct weir_expr_input *input;
    const struct weir_expr_input *by;
    expr_tell_fn tell; /* NULL: a mistake is the end */
    void *arg;
};

/* Takes out the calls behind `last`: those of a value that could not be compiled. */
static void forget_calls(struct weir_aggregation *a, struct aggregate_call **last, uint32_t n)
{
    for (struct aggregate_call *call = *last; call; call = call->next) call_free(call);
    *last = NULL;
    a->last = last;
    a->n_calls = n;
}

/* A value in the place of one with mistakes, which are told. */
static int32_t mend_value(struct weir_aggregation *a, const struct values *v,
                          struct weir_expr **out, struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    const struct scope scope = { .inputs = v->by, .n_inputs = 1, .aggregation = a,
                                 .beneath = v->input };
    const struct diagnosis d = { a->env, &a->source, v->tell, v->arg };
    struct ast *ast;
    int32_t rc = parse(&a->source, &a->arena, &ast, &inner);
    if (rc == WEIR_CONFIG) v->tell(v->arg, &inner);
    else if (!rc) expr_diagnose(&d, ast, &scope, WEIR_TYPE_NONE);
    else return weir_fail(error, rc, "%s", inner.text);
    return expr_stand_in(a->env, WEIR_TYPE_NONE, out, error);
}

static int32_t make_values(struct weir_aggregation *a, const struct values *v,
                           struct weir_error *error)
{
    int32_t rc = WEIR_OK;
    for (uint32_t i = 0; i < a->n_values && !rc; i++) {
        struct weir_error inner = WEIR_ERROR_INIT;
        struct aggregate_call **last = a->last;
        const uint32_t n = a->n_calls;
        rc = compile_value(a, v->option, v->names[i], v->texts[i], v->input, v->by, &a->values[i],
                           &inner);
        if (v->tell && (rc == WEIR_CONFIG || rc == EXPR_UNKNOWN)) {
            forget_calls(a, last, n);
            rc = mend_value(a, v, &a->values[i], error);
        } else if (rc && error) {
            *error = inner;
        }
    }
    return rc ? rc : make_schema(a, v->names, error);
}

static int32_t aggregate(const struct expr_env *env, uint32_t n, struct values *v,
                         const struct ArrowSchema *by, struct weir_aggregation **out,
                         struct weir_error *error)
{
    static struct ArrowSchema nothing = { "+s", "", NULL, 0, 0, NULL, NULL, NULL, NULL };
    const struct weir_expr_input keys = { NULL, by ? by : &nothing };
    struct weir_aggregation *a = expr_aggregate_empty(env);
    int32_t rc;
    *out = NULL;
    if (!a) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (!v->option) v->option = "";
    v->by = &keys;
    a->values = arena_alloc(&a->arena, (n + 1) * sizeof *a->values);
    a->n_values = n;
    rc = a->values ? make_values(a, v, error) : weir_fail(error, WEIR_FATAL, "out of memory");
    if (!rc) rc = schema_copy(keys.schema, NULL, &a->by, error);
    if (rc) expr_aggregate_free(a);
    else *out = a;
    return rc;
}

int32_t expr_aggregate(const struct expr_env *env, const char *option, uint32_t n,
                       const char *const *names, const char *const *texts,
                       const struct weir_expr_input *input, const struct ArrowSchema *by,
                       struct weir_aggregation **out, struct weir_error *error)
{
    struct values v = { option, names, texts, input, NULL, NULL, NULL };
    return aggregate(env, n, &v, by, out, error);
}

int32_t expr_aggregate_mended(const struct expr_env *env, const char *option, uint32_t n,
                              const char *const *names, const char *const *texts,
                              const struct weir_expr_input *input, const struct ArrowSchema *by,
                              expr_tell_fn tell, void *arg, struct weir_aggregation **out,
                              struct weir_error *error)
{
    struct values v = { option, names, texts, input, NULL, tell, arg };
    return aggregate(env, n, &v, by, out, error);
}

const struct weir_aggregate_call *expr_aggregate_call(const struct weir_aggregation *a, uint32_t i)
{
    const struct aggregate_call *call = a->first;
    for (; call && i > 0; i--) call = call->next;
    return call ? &call->call : NULL;
}

const struct ArrowSchema *expr_aggregate_by(const struct weir_aggregation *a)
{
    return &a->by;
}

const struct ArrowSchema *expr_aggregate_schema(const struct weir_aggregation *a)
{
    return &a->schema;
}

int32_t expr_aggregate_finish(const struct expr_run *run, struct weir_aggregation *a,
                              const struct ArrowArray *const *by,
                              const struct ArrowArray *const *calls, uint32_t n,
                              struct weir_rows *rows, struct ArrowArray *out,
                              struct weir_error *error)
{
    uint32_t i;
    int32_t rc = WEIR_OK;
    memset(out, 0, a->n_values * sizeof *out);
    for (i = 0; i < a->n_values && !rc; i++)
        rc = expr_run_arrays(run, a->values[i], by, calls, n, rows, &out[i], error);
    if (rc)
        for (i = 0; i < a->n_values; i++) array_release(&out[i]);
    return rc;
}
