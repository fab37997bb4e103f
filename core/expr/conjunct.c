/*
 * conjunct.c - what a condition says, for operators that plan by it (joins): its conjuncts, the
 * equalities among them, and the bounds that they put on event times.
 *
 * A conjunct is a view: an expression whose tree is part of another one, so that both sides of an
 * equality have one type already and literals are parsed. Views live in the arena of the whole
 * expression and go with it.
 *
 * Bounds. A comparison of timestamps or intervals is brought to the form  sum < 0  (or <=), where
 * a sum is a constant and columns with coefficients: `x between y and y + i` is  y - x <= 0  and
 * x - y - i <= 0. Where exactly two columns are left, one with -1 (high) and one with +1 (low),
 * the comparison says  high > low + constant.
 */
#include "core/expr/tree.h"

#define SUM_COLUMNS 4u

/* ---- views ---- */

static int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static uint32_t input_bit(uint32_t input) { return 1u << (input < 31 ? input : 31); }

static int add_read(struct weir_expr *whole, struct weir_expr *view, const struct node *node)
{
    uint32_t i;
    if (!view->reads) { /* room for all that the whole reads */
        view->reads = arena_alloc(&whole->arena, (whole->n_reads + 1) * sizeof *view->reads);
        if (!view->reads) return 0;
    }
    for (i = 0; i < view->n_reads; i++)
        if (view->reads[i][0] == node->input && view->reads[i][1] == node->column) return 1;
    view->reads[view->n_reads][0] = node->input;
    view->reads[view->n_reads++][1] = node->column;
    return 1;
}

static int add_reads(struct weir_expr *whole, struct weir_expr *view, const struct node *node)
{
    uint32_t i;
    if (node->op == OP_COLUMN) return add_read(whole, view, node);
    for (i = 0; i < node->n_kids; i++)
        if (!add_reads(whole, view, node->kids[i])) return 0;
    return 1;
}

static struct weir_expr *view_make(struct weir_expr *whole, struct node *root)
{
    struct weir_expr *view = arena_alloc(&whole->arena, sizeof *view);
    if (!view) return NULL;
    view->host = whole->host;
    view->root = root;
    view->deterministic = whole->deterministic;
    return add_reads(whole, view, root) ? view : NULL;
}

static uint32_t inputs_of(const struct weir_expr *view)
{
    uint32_t bits = 0, i;
    for (i = 0; i < view->n_reads; i++) bits |= input_bit(view->reads[i][0]);
    return bits;
}

/* ---- conjuncts ---- */

/* The i-th leaf of nested `and`; counts *i down. */
static struct node *find_conjunct(struct node *node, uint32_t *i)
{
    struct node *found = NULL;
    uint32_t k;
    if (node->op != OP_AND) return (*i)-- == 0 ? node : NULL;
    for (k = 0; k < node->n_kids && !found; k++) found = find_conjunct(node->kids[k], i);
    return found;
}

static uint32_t kind_of(const struct node *node)
{
    if (node->op == OP_COMPARE && node->sub == EQ) return WEIR_CONJUNCT_EQUAL;
    if (node->op == OP_DISTINCT && node->sub) return WEIR_CONJUNCT_NULL_SAFE;
    return WEIR_CONJUNCT_OTHER;
}

int32_t expr_conjunct_at(struct weir_expr *expr, uint32_t i, struct weir_conjunct *out,
                         struct weir_error *error)
{
    struct node *node = find_conjunct(expr->root, &i);
    memset((char *)out + sizeof out->size, 0, sizeof *out - sizeof out->size);
    if (!node) return weir_fail(error, WEIR_UNSUPPORTED, "there are no more conjuncts");
    out->expr = view_make(expr, node);
    if (!out->expr) return no_memory(error);
    out->kind = kind_of(node);
    out->inputs = inputs_of(out->expr);
    if (out->kind == WEIR_CONJUNCT_OTHER) return WEIR_OK;
    out->left = view_make(expr, node->kids[0]);
    out->right = view_make(expr, node->kids[1]);
    if (!out->left || !out->right) return no_memory(error);
    out->left_inputs = inputs_of(out->left);
    out->right_inputs = inputs_of(out->right);
    return WEIR_OK;
}

/* ---- bounds ---- */

struct sum {
    int64_t constant;
    uint32_t n;
    const struct node *columns[SUM_COLUMNS];
    int sign[SUM_COLUMNS];
};

/* Adds sign * node. 0: it is no such sum. */
static int sum_add(struct sum *sum, const struct node *node, int sign)
{
    const uint32_t type = node->type.id;
    int64_t value;
    if (type != WEIR_TYPE_TIMESTAMP && type != TYPE_INTERVAL) return 0;
    switch (node->op) {
    case OP_CONST:
        if (node_is_null(node)) return 0;
        value = weir_get_int64(&node->value, 0);
        if (sign < 0) return !__builtin_sub_overflow(sum->constant, value, &sum->constant);
        return !__builtin_add_overflow(sum->constant, value, &sum->constant);
    case OP_COLUMN:
        if (sum->n == SUM_COLUMNS) return 0;
        sum->columns[sum->n] = node;
        sum->sign[sum->n++] = sign;
        return 1;
    case OP_ARITH:
        if (node->is_try) return 0;
        if (node->sub == 'n') return sum_add(sum, node->kids[0], -sign);
        if (node->sub != '+' && node->sub != '-') return 0;
        return sum_add(sum, node->kids[0], sign) &&
               sum_add(sum, node->kids[1], node->sub == '-' ? -sign : sign);
    default: return 0;
    }
}

/* less - more < 0, or <= 0 */
static int bound_of(const struct node *less, const struct node *more, int strict,
                    struct weir_time_bound *out)
{
    struct sum sum = { 0 };
    uint32_t high;
    if (!sum_add(&sum, less, 1) || !sum_add(&sum, more, -1)) return 0;
    if (sum.n != 2 || sum.sign[0] == sum.sign[1]) return 0;
    high = sum.sign[0] < 0 ? 0 : 1;
    out->input = sum.columns[high]->input;
    out->column = sum.columns[high]->column;
    out->other_input = sum.columns[1 - high]->input;
    out->other_column = sum.columns[1 - high]->column;
    out->offset_us = sum.constant;
    out->strict = strict != 0;
    return 1;
}

static int compare_bound(const struct node *node, struct weir_time_bound *out)
{
    const struct node *a = node->kids[0], *b = node->kids[1];
    switch (node->sub) {
    case LT:
    case LE: return bound_of(a, b, node->sub == LT, out);
    case GT:
    case GE: return bound_of(b, a, node->sub == GT, out);
    default: return 0;
    }
}

int32_t expr_time_bound(const struct weir_expr *expr, uint32_t i, struct weir_time_bound *out)
{
    const struct node *root = expr->root;
    struct weir_time_bound found[2];
    uint32_t n = 0;
    memset(found, 0, sizeof found);
    if (root->op == OP_COMPARE) {
        n += (uint32_t)compare_bound(root, &found[0]);
    } else if (root->op == OP_BETWEEN && !root->sub) {
        n += (uint32_t)bound_of(root->kids[1], root->kids[0], 0, &found[n]);
        n += (uint32_t)bound_of(root->kids[0], root->kids[2], 0, &found[n]);
    }
    if (i >= n) return 0;
    found[i].size = out->size;
    *out = found[i];
    return 1;
}

/* ---- columns ---- */

int32_t expr_input_column(const struct weir_expr *expr, uint32_t *input)
{
    if (expr->root->op != OP_COLUMN) return -1;
    if (input) *input = expr->root->input;
    return (int32_t)expr->root->column;
}

static const struct node *time_source(const struct node *node)
{
    if (node->op == OP_COLUMN) return node;
    if (node->op != OP_CALL || node->n_kids == 0) return NULL;
    if (strcmp(node->component->name, "window") != 0 &&
        strcmp(node->component->name, "window_time") != 0)
        return NULL;
    return time_source(node->kids[0]);
}

int32_t expr_time_source(const struct weir_expr *expr, uint32_t *input)
{
    const struct node *node = time_source(expr->root);
    if (!node) return -1;
    if (input) *input = node->input;
    return (int32_t)node->column;
}
