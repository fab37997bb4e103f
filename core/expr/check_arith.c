/*
 * check_arith.c - types of + - * / % div and of the minus sign, over numbers and times.
 *
 *     number op number       int64, or float64 where one is (and for /)
 *     timestamp ± interval   timestamp         date ± interval     timestamp
 *     date ± integer         date              date - date         int64, days
 *     time - time            interval          interval ± interval interval
 *     interval * integer     interval          - interval          interval
 */
#include "core/expr/tree.h"

static int is_int(uint32_t id) { return id == WEIR_TYPE_INT32 || id == WEIR_TYPE_INT64; }

int64_t node_int(const struct node *node)
{
    return node->type.id == WEIR_TYPE_INT64 ? weir_get_int64(&node->value, 0) : 0;
}

/* Can the operator itself fail on a row? Its operands have their final types. */
static int arith_may_fail(const struct node *node)
{
    const struct node *right = node->kids[node->n_kids - 1];
    const int constant = right->op == OP_CONST && !node_is_null(right);
    if (node->is_try) return 0;
    if (node->sub == '/' || node->sub == '%' || node->sub == 'd') {
        if (!constant) return 1;
        if (right->type.id == WEIR_TYPE_FLOAT64) return weir_get_float64(&right->value, 0) == 0;
        return node_int(right) == 0 || (node_int(right) == -1 && node->sub == 'd');
    }
    return node->type.id != WEIR_TYPE_FLOAT64;
}

static struct node *arith_finish(struct checker *c, struct node *node, uint32_t op, int is_try)
{
    if (!node) return NULL;
    node->sub = op;
    node->is_try = is_try != 0;
    node->may_fail = arith_may_fail(node) != 0;
    return node_finish(c, node);
}

static struct node *arith_numbers(struct checker *c, const struct ast *ast, uint32_t op,
                                  struct node *left, struct node *right, int is_try)
{
    struct type type = type_flat(WEIR_TYPE_INT64);
    if (op == '/' || left->type.id == WEIR_TYPE_FLOAT64 || right->type.id == WEIR_TYPE_FLOAT64)
        type = type_flat(WEIR_TYPE_FLOAT64);
    if (op == 'd' && type.id == WEIR_TYPE_FLOAT64)
        return check_fail(c, ast->at, "div takes integers, not float64");
    left = coerce(c, left, &type, "the operand");
    right = coerce(c, right, &type, "the operand");
    return arith_finish(c, node_two(c, OP_ARITH, ast, left, right, type.id), op, is_try);
}

static const char *op_name(uint32_t op)
{
    static const char names[] = "+\0-\0*\0/\0%";
    uint32_t i;
    for (i = 0; i < sizeof names; i += 2)
        if ((uint8_t)names[i] == op) return names + i;
    return "div";
}

static struct node *arith_times(struct checker *c, const struct ast *ast, uint32_t op,
                                struct node *left, struct node *right, int is_try)
{
    const struct type timestamp = type_flat(WEIR_TYPE_TIMESTAMP);
    const struct type int64 = type_flat(WEIR_TYPE_INT64);
    uint32_t l = left->type.id, r = right->type.id, result = TYPE_NULL;
    char one[64], other[64];
    if (op == '-' && type_is_time(l) && right->literal)
        right = coerce(c, right, &left->type, "the operand");
    if (op == '-' && type_is_time(r) && left->literal)
        left = coerce(c, left, &right->type, "the operand");
    if (!left || !right) return NULL;
    if ((op == '+' || op == '*') && !type_is_time(l) &&
        (type_is_time(r) || (r == TYPE_INTERVAL && l != r))) { /* i + ts, n + date, n * i */
        struct node *swap = left;
        left = right;
        right = swap;
    }
    l = left->type.id;
    r = right->type.id;
    if (op == '*') {
        if (l == TYPE_INTERVAL && is_int(r)) result = TYPE_INTERVAL;
    } else if (op == '+' || op == '-') {
        if (l == TYPE_INTERVAL && r == TYPE_INTERVAL) result = TYPE_INTERVAL;
        else if (type_is_time(l) && r == TYPE_INTERVAL) result = WEIR_TYPE_TIMESTAMP;
        else if (l == WEIR_TYPE_DATE && is_int(r)) result = WEIR_TYPE_DATE;
        else if (op == '-' && l == WEIR_TYPE_DATE && r == WEIR_TYPE_DATE) result = WEIR_TYPE_INT64;
        else if (op == '-' && type_is_time(l) && type_is_time(r)) result = TYPE_INTERVAL;
    }
    if (result == TYPE_NULL)
        return check_fail(c, ast->at, "no operator %s for %s and %s", op_name(op),
                          type_name_of(&left->type, one), type_name_of(&right->type, other));
    if (l == WEIR_TYPE_DATE && (r == TYPE_INTERVAL || r == WEIR_TYPE_TIMESTAMP))
        left = node_cast(c, left, &timestamp);
    if (r == WEIR_TYPE_DATE && l == WEIR_TYPE_TIMESTAMP) right = node_cast(c, right, &timestamp);
    if (is_int(r) && right) right = coerce(c, right, &int64, "the operand");
    return arith_finish(c, node_two(c, OP_ARITH, ast, left, right, result), op, is_try);
}

struct node *node_arith(struct checker *c, const struct ast *ast, uint32_t op, struct node *left,
                        struct node *right, int is_try)
{
    char one[64], other[64];
    if (!left || !right) return NULL;
    if (left->type.id == TYPE_NULL && type_is_number(right->type.id))
        left = node_null(c, left, &right->type);
    else if (right->type.id == TYPE_NULL && type_is_number(left->type.id))
        right = node_null(c, right, &left->type);
    if (!left || !right) return NULL;
    if (left->type.id == TYPE_NULL || right->type.id == TYPE_NULL)
        return check_fail(c, ast->at, UNKNOWN_NULL);
    if (type_is_number(left->type.id) && type_is_number(right->type.id))
        return arith_numbers(c, ast, op, left, right, is_try);
    if (type_is_time(left->type.id) || type_is_time(right->type.id) ||
        left->type.id == TYPE_INTERVAL || right->type.id == TYPE_INTERVAL)
        return arith_times(c, ast, op, left, right, is_try);
    return check_fail(c, ast->at, "no operator %s for %s and %s", op_name(op),
                      type_name_of(&left->type, one), type_name_of(&right->type, other));
}

struct node *check_negate(struct checker *c, const struct ast *ast)
{
    const struct type int64 = type_flat(WEIR_TYPE_INT64);
    struct node *kid = check(c, ast->kids[0]), *node;
    char name[64];
    if (!kid) return NULL;
    if (kid->type.id == WEIR_TYPE_INT32) kid = node_cast(c, kid, &int64);
    if (!kid) return NULL;
    if (!type_is_number(kid->type.id) && kid->type.id != TYPE_INTERVAL)
        return check_fail(c, ast->at, "no operator - for %s", type_name_of(&kid->type, name));
    node = node_make(c, OP_ARITH, ast, 1);
    if (!node) return NULL;
    node->kids[0] = kid;
    node->type = kid->type;
    node->sub = 'n';
    node->may_fail = kid->type.id != WEIR_TYPE_FLOAT64;
    return node_finish(c, node);
}
