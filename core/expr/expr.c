/*
 * expr.c - the interface of this folder: text in, values out.
 *
 * compile: lexer, parser, check (types, constants), a tree. A run makes a frame, evaluates the
 * tree on the selection and deals with the rows that failed: they are rejected in ascending order
 * and leave the selection, or stay as nulls where on_error says so.
 */
#include "core/expr/kernels.h"

/* ---- compile ---- */

void expr_free(struct weir_expr *expr)
{
    struct node *node;
    struct arena arena;
    if (!expr) return;
    for (node = expr->owned; node; node = node->next_owned) {
        if (node->function && node->function->unbind) node->function->unbind(node->bound);
        array_release(&node->value);
    }
    types_free(expr);
    arena = expr->arena; /* the expression itself lies in it */
    arena_free(&arena);
}

static int is_plain_name(const char *name)
{
    const char *p = name;
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_')) return 0;
    for (; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
              (*p >= '0' && *p <= '9')))
            return 0;
    return 1;
}

static int32_t add_quoted(struct weir_buffer *out, char quote, const void *text, uint64_t n)
{
    const char *p = text;
    uint64_t i;
    int32_t rc = buffer_add(out, &quote, 1);
    for (i = 0; i < n && !rc; i++) {
        if (p[i] == quote) rc = buffer_add(out, &quote, 1);
        if (!rc) rc = buffer_add(out, p + i, 1);
    }
    return rc ? rc : buffer_add(out, &quote, 1);
}

/* A constant as a literal of the grammar. UNSUPPORTED where there is none. */
static int32_t add_literal(struct weir_buffer *out, const struct node *node)
{
    const struct ArrowArray *value = &node->value;
    struct weir_bytes text;
    char line[64];
    uint32_t n;
    int32_t rc = WEIR_OK;
    switch (node->type.id) {
    case WEIR_TYPE_BOOL:
        return buffer_add(out, weir_get_bool(value, 0) ? "true" : "false",
                          weir_get_bool(value, 0) ? 4 : 5);
    case WEIR_TYPE_INT32: n = text_of_int(weir_get_int32(value, 0), line); break;
    case WEIR_TYPE_INT64: n = text_of_int(weir_get_int64(value, 0), line); break;
    case WEIR_TYPE_FLOAT64:
        if (!__builtin_isfinite(weir_get_float64(value, 0))) return WEIR_UNSUPPORTED;
        n = text_of_float(weir_get_float64(value, 0), line);
        break;
    case WEIR_TYPE_UTF8:
        text = weir_get_bytes(value, 0);
        return add_quoted(out, '\'', text.data, text.length);
    case WEIR_TYPE_TIMESTAMP:
        n = text_of_timestamp(weir_get_int64(value, 0), line);
        rc = buffer_add(out, "timestamp ", 10);
        return rc ? rc : add_quoted(out, '\'', line, n);
    case WEIR_TYPE_DATE:
        n = text_of_date(weir_get_int32(value, 0), line);
        rc = buffer_add(out, "date ", 5);
        return rc ? rc : add_quoted(out, '\'', line, n);
    default: return WEIR_UNSUPPORTED;
    }
    return buffer_add(out, line, n);
}

/* "contains(column, 'text')": a call of that function of exactly these. */
static int is_contains(const struct node *node)
{
    return node->op == OP_CALL && node->n_kids == 2 && node->component &&
           strcmp(node->component->name, "contains") == 0 && !node->may_fail &&
           node->kids[0]->type.id == WEIR_TYPE_UTF8 && node->kids[1]->op == OP_CONST;
}

static int32_t add_conjunct(struct weir_expr *expr, const struct node *node,
                            const struct weir_expr_input *input, struct weir_error *error)
{
    static const char *const ops[] = { " = ", " <> ", " < ", " <= ", " > ", " >= ", ", " };
    static const uint8_t swapped[] = { EQ, NE, GT, GE, LT, LE };
    const int contains = is_contains(node);
    const struct node *column, *constant;
    struct weir_buffer text = { 0 };
    uint32_t op = contains ? 6 : node->sub;
    const char *name;
    char *copy;
    int32_t rc;
    if (node->op != OP_COMPARE && !contains) return WEIR_OK;
    column = node->kids[0];
    constant = node->kids[1];
    if (column->op == OP_CONST && !contains) {
        column = node->kids[1];
        constant = node->kids[0];
        op = swapped[op];
    }
    if (column->op != OP_COLUMN || column->input != 0 || constant->op != OP_CONST ||
        weir_is_null(&constant->value, 0))
        return WEIR_OK;
    name = input->schema->children[column->column]->name;
    rc = contains ? buffer_add(&text, "contains(", 9) : WEIR_OK;
    if (!rc && is_plain_name(name)) rc = buffer_add(&text, name, strlen(name));
    else if (!rc) rc = add_quoted(&text, '"', name, strlen(name));
    if (!rc) rc = buffer_add(&text, ops[op], strlen(ops[op]));
    if (!rc) rc = add_literal(&text, constant);
    if (!rc && contains) rc = buffer_add(&text, ")", 1);
    if (!rc) {
        copy = arena_text(&expr->arena, (char *)text.data, text.length);
        if (copy) expr->conjuncts[expr->n_conjuncts++] = copy;
        else rc = WEIR_FATAL;
    }
    mem_free(text.data);
    if (rc == WEIR_UNSUPPORTED) return WEIR_OK;
    return rc ? weir_fail(error, WEIR_FATAL, "out of memory") : WEIR_OK;
}

static int32_t find_conjuncts(struct weir_expr *expr, const struct scope *scope,
                              struct weir_error *error)
{
    const struct node *root = expr->root;
    const uint32_t n = root->op == OP_AND ? root->n_kids : 1;
    uint32_t i;
    int32_t rc = WEIR_OK;
    if (root->type.id != WEIR_TYPE_BOOL || scope->n_inputs != 1) return WEIR_OK;
    expr->conjuncts = arena_alloc(&expr->arena, n * sizeof *expr->conjuncts);
    if (!expr->conjuncts) return weir_fail(error, WEIR_FATAL, "out of memory");
    for (i = 0; i < n && !rc; i++)
        rc = add_conjunct(expr, root->op == OP_AND ? root->kids[i] : root, scope->inputs, error);
    return rc;
}

static int32_t check_root(struct checker *c, const struct ast *ast, uint32_t expect)
{
    struct node *root = check(c, ast);
    struct type type;
    char what[96];
    if (root && expect == EXPECT_PART) {
        c->expr->root = root;
        return c->failed;
    }
    if (root && expect != WEIR_TYPE_NONE && !type_is_nested(expect) && expect <= WEIR_TYPE_DATE) {
        type = type_flat(expect);
        snprintf(what, sizeof what, "%.80s", c->expr->source.option[0] ? c->expr->source.option
                                                                       : "the expression");
        root = coerce(c, root, &type, what);
    } else if (root && expect != WEIR_TYPE_NONE && root->type.id != expect) {
        check_fail(c, ast->begin, "the type does not fit");
    } else if (root && root->type.id == TYPE_NULL) {
        check_fail(c, ast->begin, UNKNOWN_NULL);
    }
    c->expr->root = root;
    return c->failed;
}

int32_t expr_compile_ast(const struct expr_env *env, const struct source_text *source,
                         const struct ast *ast, const struct scope *scope, uint32_t expect,
                         struct weir_expr **out, struct weir_error *error)
{
    struct arena arena = { 0 };
    struct weir_expr *expr = arena_alloc(&arena, sizeof *expr);
    struct checker checker = { .expr = expr, .scope = scope, .error = error };
    int32_t rc;
    *out = NULL;
    if (!expr) return weir_fail(error, WEIR_FATAL, "out of memory");
    expr->arena = arena;
    expr->env = env;
    expr->host = env->host;
    expr->source = *source;
    expr->deterministic = 1;
    rc = check_root(&checker, ast, expect);
    if (!rc && expect != EXPECT_PART) rc = find_conjuncts(expr, scope, error);
    expr->env = NULL; /* env and text are the caller's: not needed any more */
    memset(&expr->source, 0, sizeof expr->source);
    if (rc) expr_free(expr);
    else *out = expr;
    return rc;
}

int32_t expr_compile(const struct expr_env *env, const char *text, const char *option,
                     const struct weir_expr_input *inputs, uint32_t n_inputs, uint32_t expect,
                     struct weir_expr **out, struct weir_error *error)
{
    const struct source_text source = { text, (uint32_t)strnlen(text, UINT32_MAX),
                                        option ? option : "" };
    const struct scope scope = { .inputs = inputs, .n_inputs = n_inputs };
    struct arena arena = { 0 };
    struct ast *ast;
    int32_t rc;
    *out = NULL;
    rc = parse(&source, &arena, &ast, error);
    if (!rc) rc = expr_compile_ast(env, &source, ast, &scope, expect, out, error);
    arena_free(&arena);
    return rc;
}

/* ---- what it is ---- */

const struct ArrowSchema *expr_schema(const struct weir_expr *expr)
{
    return expr->root->type.schema;
}

int32_t expr_column(const struct weir_expr *expr)
{
    return expr->root->op == OP_COLUMN && expr->root->input == 0 ? (int32_t)expr->root->column : -1;
}

int32_t expr_deterministic(const struct weir_expr *expr) { return expr->deterministic; }

int32_t expr_reads(const struct weir_expr *expr, uint32_t input, uint32_t column)
{
    uint32_t i;
    for (i = 0; i < expr->n_reads; i++)
        if (expr->reads[i][0] == input && expr->reads[i][1] == column) return 1;
    return 0;
}

const char *expr_conjunct(const struct weir_expr *expr, uint32_t i)
{
    return i < expr->n_conjuncts ? expr->conjuncts[i] : NULL;
}

int32_t expr_may_fail(const struct weir_expr *expr)
{
    return expr->root->may_fail != 0;
}

const char *expr_simple(const struct weir_expr *expr, uint32_t i)
{
    return expr->root->may_fail || !expr->deterministic ? NULL : expr_conjunct(expr, i);
}

/* ---- run ---- */

/* Failed rows leave `rows` and are rejected, ascending; with null_on_error they only leave. */
static int32_t settle_failures(struct frame *f, const struct rowset *set, struct weir_rows *rows)
{
    uint32_t i, kept = 0;
    int32_t rc = WEIR_OK;
    if (!f->failed) return WEIR_OK;
    for (i = 0; i < set->n && !rc && !f->run->null_on_error; i++) {
        const uint32_t row = rowset_row(set, i), failed = f->failed[row];
        if (failed && f->run->reject)
            rc = f->run->reject(f->run->arg, row, f->reasons[failed - 1], f->error);
    }
    for (i = 0; rows && i < rows->n; i++) {
        const uint32_t row = rows->rows[i];
        rows->rows[kept] = row;
        kept += !f->failed[row];
    }
    if (rows) rows->n = kept;
    return rc;
}

static int32_t null_failures(struct frame *f, struct vec *v, const struct type *type,
                             const struct rowset *set)
{
    uint32_t i;
    int32_t rc;
    if (!f->failed || !f->run->null_on_error) return WEIR_OK;
    rc = vec_expand(f, v, type);
    if (!rc) rc = vec_mask(f, v);
    for (i = 0; !rc && i < set->n; i++) {
        const uint32_t row = rowset_row(set, i);
        if (f->failed[row]) bit_clear(v->memory[0], row);
    }
    return rc;
}

/* The selection: rows, or that of the chunk. NULL rows where it is all of them. */
static struct rowset selection_of(const struct weir_chunk *chunk, const struct weir_rows *rows,
                                  uint32_t n)
{
    struct rowset set = { NULL, n };
    if (rows) {
        set.n = rows->n;
        if (rows->n != n) set.rows = rows->rows;
    } else if (chunk && chunk->selection) {
        set.n = chunk->selected;
        set.rows = chunk->selection;
    }
    return set;
}

static int32_t run_root(struct frame *f, const struct rowset *set, struct weir_rows *rows,
                        struct ArrowArray *out)
{
    const struct node *root = f->expr->root;
    struct vec v = { 0 };
    int32_t rc = eval(f, root, set, &v);
    if (!rc) rc = null_failures(f, &v, &root->type, set);
    if (!rc) rc = vec_result(f, &v, &root->type, out);
    if (!rc && !f->run->null_on_error) rc = settle_failures(f, set, rows);
    if (rc) array_release(out);
    vec_free(&v);
    return rc;
}

#define INPUTS_MOST 64

/* The columns of each input, where the tree looks for them. */
static int32_t sets_of(const struct weir_expr *expr, const struct weir_chunk *const *chunks,
                       struct ArrowArray *const **sets, struct weir_error *error)
{
    uint32_t i;
    for (i = 0; i < expr->n_reads; i++) {
        const uint32_t input = expr->reads[i][0];
        if (input >= INPUTS_MOST)
            return weir_fail(error, WEIR_FATAL, "more than %d inputs", INPUTS_MOST);
        sets[input] = chunks[input]->array->children;
    }
    return WEIR_OK;
}

int32_t expr_eval(const struct expr_run *run, struct weir_expr *expr,
                  const struct weir_chunk *const *chunks, struct weir_rows *rows,
                  struct ArrowArray *out, struct weir_error *error)
{
    struct ArrowArray *const *sets[INPUTS_MOST];
    const struct rowset set = selection_of(chunks[0], rows, chunks[0]->rows);
    struct frame frame = { .expr = expr, .run = run, .sets = sets, .chunks = chunks,
                           .rows = chunks[0]->rows, .error = error };
    int32_t rc;
    memset(out, 0, sizeof *out);
    rc = sets_of(expr, chunks, sets, error);
    if (!rc) rc = run_root(&frame, &set, rows, out);
    frame_end(&frame);
    return rc;
}

int32_t expr_run_arrays(const struct expr_run *run, struct weir_expr *expr,
                        const struct ArrowArray *const *by, const struct ArrowArray *const *calls,
                        uint32_t n, struct weir_rows *rows, struct ArrowArray *out,
                        struct weir_error *error)
{
    struct ArrowArray *const *sets[2] = { (struct ArrowArray *const *)(uintptr_t)by,
                                          (struct ArrowArray *const *)(uintptr_t)calls };
    const struct rowset set = selection_of(NULL, rows, n);
    struct frame frame = { .expr = expr, .run = run, .sets = sets, .rows = n, .error = error };
    int32_t rc = run_root(&frame, &set, rows, out);
    frame_end(&frame);
    return rc;
}

int32_t expr_filter(const struct expr_run *run, struct weir_expr *expr,
                    const struct weir_chunk *const *chunks, struct weir_rows *rows,
                    struct weir_error *error)
{
    struct ArrowArray *const *sets[INPUTS_MOST];
    struct frame frame = { .expr = expr, .run = run, .sets = sets, .chunks = chunks,
                           .rows = chunks[0]->rows, .error = error };
    uint32_t *before = NULL;
    uint32_t n = rows->n;
    int32_t rc = sets_of(expr, chunks, sets, error);
    if (!rc && expr->root->type.id != WEIR_TYPE_BOOL)
        rc = weir_fail(error, WEIR_FATAL, "a filter that is no bool");
    if (!rc && expr->root->may_fail && n != frame.rows) { /* failed rows are told in order */
        rc = rows_alloc(&frame, n, &before);
        if (!rc) memcpy(before, rows->rows, (uint64_t)n * sizeof *before);
    }
    if (!rc) rc = filter(&frame, expr->root, rows->rows, &rows->n);
    if (!rc) {
        const struct rowset set = { before, n };
        rc = settle_failures(&frame, &set, rows);
    }
    mem_free(before);
    frame_end(&frame);
    return rc;
}
