/*
 * eval.c - runs a tree over the rows of a selection, node by node, a column at a time.
 *
 * How parts that must not be computed for every row are kept off them:
 *  - `and`, `or`: the next operand sees the rows that the ones before left open (not false, not
 *    true), if it may fail or is costly. One that can't fail and is cheap is computed for all
 *    rows, which is faster and can't be told apart, since false and anything is false.
 *  - case, if, coalesce: each part sees its own rows, and merge() puts them together.
 *
 * Everything else is strict: operands first, then the kernel, null where any operand is null.
 * Strict operators on constants alone give a constant.
 */
#include "core/expr/kernels.h"

/* ---- strict operators ---- */

static int32_t and_masks(struct frame *f, struct vec *const *kids, uint32_t n, struct vec *out,
                         uint32_t length)
{
    const uint64_t bytes = ((uint64_t)length + 7) / 8;
    uint8_t *mask;
    uint64_t i;
    uint32_t k;
    int32_t rc;
    out->rows = length;
    for (k = 0; k < n; k++) {
        const uint8_t *valid = kids[k]->valid;
        if (!valid || kids[k]->constant) continue;
        if (!out->valid) {
            out->valid = valid;
            continue;
        }
        rc = vec_mask(f, out);
        if (rc) return rc;
        mask = out->memory[0];
        for (i = 0; i < bytes; i++) mask[i] &= valid[i];
    }
    /* borrowed from a kid that goes before the result does: have our own */
    return out->valid ? vec_mask(f, out) : WEIR_OK;
}

int strict_begin(struct task *t, struct vec *const *kids, uint32_t n, struct vec *out)
{
    uint32_t k;
    int32_t rc;
    t->constant = 1;
    for (k = 0; k < n; k++) t->constant &= kids[k]->constant;
    t->length = t->constant ? 1 : t->frame->rows;
    for (k = 0; k < n; k++) {
        if (!kids[k]->constant || vec_valid(kids[k], 0)) continue;
        rc = vec_make_null(t->frame, out, &t->node->type);
        return rc ? -rc : 1;
    }
    t->rows = t->constant ? (struct rowset){ NULL, 1 } : *t->set;
    rc = and_masks(t->frame, kids, n, out, t->length);
    return -rc;
}

int32_t task_fail(struct task *t, struct vec *out, uint32_t row, const char *reason)
{
    uint32_t i;
    int32_t rc = WEIR_OK;
    if (t->is_try) {
        rc = vec_mask(t->frame, out);
        if (!rc) bit_clear(out->memory[0], row);
        return rc;
    }
    if (!t->constant) return frame_fail(t->frame, row, reason);
    for (i = 0; i < t->set->n && !rc; i++) rc = frame_fail(t->frame, rowset_row(t->set, i), reason);
    return rc;
}

typedef int32_t (*kernel_fn)(struct task *t, struct vec *const *kids, struct vec *out);

static int32_t eval_strict(struct frame *f, const struct node *node, const struct rowset *set,
                           uint32_t n_kids, kernel_fn kernel, struct vec *out)
{
    struct task task = { .frame = f, .node = node, .set = set, .is_try = node->is_try };
    struct vec few[3] = { { 0 } }, *few_refs[3];
    struct vec *kids = few, **refs = few_refs;
    uint32_t k = 0;
    int32_t rc = WEIR_OK;
    if (n_kids > 3) {
        kids = mem_alloc(n_kids * (sizeof *kids + sizeof *refs));
        if (!kids) return frame_no_memory(f);
        memset(kids, 0, n_kids * sizeof *kids);
        refs = (struct vec **)(void *)(kids + n_kids);
    }
    for (; k < n_kids && !rc; k++) {
        refs[k] = &kids[k];
        rc = eval(f, node->kids[k], set, &kids[k]);
    }
    if (!rc) {
        const int begun = strict_begin(&task, refs, n_kids, out);
        if (begun < 0) rc = -begun;
        else if (begun == 0) rc = kernel(&task, refs, out);
        if (begun == 0 && task.constant) out->constant = 1;
    }
    while (k > 0) vec_free(&kids[--k]);
    if (kids != few) mem_free(kids);
    return rc;
}

/* ---- bools ---- */

/* out = out AND (or OR) other, in three-valued logic; both are rows, not constants. */
static int32_t combine(struct frame *f, int is_and, struct vec *out, const struct vec *other)
{
    uint8_t *a, *va;
    const uint8_t *b = other->values, *vb = other->valid;
    const uint8_t flip = is_and ? 0 : 0xff; /* a or b = not (not a and not b) */
    const uint64_t whole = ((uint64_t)f->rows + 7) / 8;
    uint64_t i;
    int32_t rc;
    if (!out->valid && !vb) {
        a = out->memory[1];
        if (is_and) for (i = 0; i < whole; i++) a[i] &= b[i];
        else for (i = 0; i < whole; i++) a[i] |= b[i];
        return WEIR_OK;
    }
    rc = vec_mask(f, out);
    if (rc) return rc;
    a = out->memory[1];
    va = out->memory[0];
    for (i = 0; i < whole; i++) {
        const uint8_t x = a[i] ^ flip, y = b[i] ^ flip, vx = va[i], vy = vb ? vb[i] : 0xff;
        va[i] = (uint8_t)((vx & vy) | (vx & ~x) | (vy & ~y));
        a[i] = (uint8_t)(((x | ~vx) & (y | ~vy)) ^ flip);
    }
    return WEIR_OK;
}

/* A bool vec whose bits may be written. */
static int32_t own_bits(struct frame *f, struct vec *v)
{
    const struct type type = type_flat(WEIR_TYPE_BOOL);
    uint8_t *bits;
    int32_t rc = vec_expand(f, v, &type);
    if (rc || (v->memory[1] && !v->inner.release)) return rc;
    bits = mem_alloc(bits_size(f->rows) + 64);
    if (!bits) return frame_no_memory(f);
    memset(bits, 0, bits_size(f->rows));
    memcpy(bits, v->values, ((uint64_t)f->rows + 7) / 8);
    rc = v->valid ? vec_mask(f, v) : WEIR_OK;
    mem_free(v->memory[1]);
    array_release(&v->inner);
    v->values = v->memory[1] = bits;
    return rc;
}

static void invert(struct vec *v, uint32_t rows)
{
    uint8_t *bits = v->memory[1];
    uint64_t i;
    for (i = 0; i < ((uint64_t)rows + 7) / 8; i++) bits[i] = (uint8_t)~bits[i];
}

/* Rows that an operand of and (or) leaves open: not false (not true). */
static uint32_t rows_open(const struct vec *v, const struct rowset *set, int is_and, uint32_t *out)
{
    uint32_t n;
    if (is_and) return rows_not_false(v, set, out);
    n = rows_split(v, set, NULL, out);
    return set->n - n;
}

static int32_t eval_logic(struct frame *f, const struct node *node, const struct rowset *set,
                          struct vec *out)
{
    const struct type type = type_flat(WEIR_TYPE_BOOL);
    const int is_and = node->op == OP_AND;
    struct rowset open = *set;
    uint32_t *own = NULL, k;
    int32_t rc = eval(f, node->kids[0], set, out);
    if (!rc) rc = own_bits(f, out);
    for (k = 1; k < node->n_kids && !rc; k++) {
        const struct node *kid = node->kids[k];
        struct vec other = { 0 };
        if (kid->may_fail || kid->heavy) {
            if (!own) rc = rows_alloc(f, set->n, &own);
            if (rc) break;
            open.n = rows_open(out, &open, is_and, own);
            open.rows = own;
            if (open.n == 0) break;
        }
        rc = eval(f, kid, &open, &other);
        if (!rc) rc = vec_expand(f, &other, &type);
        if (!rc) rc = combine(f, is_and, out, &other);
        vec_free(&other);
    }
    mem_free(own);
    return rc;
}

static int32_t eval_not(struct frame *f, const struct node *node, const struct rowset *set,
                        struct vec *out)
{
    int32_t rc = eval(f, node->kids[0], set, out);
    if (!rc) rc = own_bits(f, out);
    if (!rc) invert(out, f->rows);
    return rc;
}

static int32_t eval_is_null(struct frame *f, const struct node *node, const struct rowset *set,
                            struct vec *out)
{
    struct vec kid = { 0 };
    const uint8_t flip = node->sub ? 0 : 0xff;
    uint8_t *bits;
    uint64_t i, bytes;
    int32_t rc = eval(f, node->kids[0], set, &kid);
    if (rc) return rc;
    rc = vec_make(f, out, WEIR_TYPE_BOOL, kid.constant ? 1 : f->rows);
    bytes = ((uint64_t)out->rows + 7) / 8;
    if (!rc) {
        bits = out->memory[1];
        for (i = 0; i < bytes; i++) bits[i] = (kid.valid ? kid.valid[i] : 0xff) ^ flip;
        out->constant = kid.constant;
    }
    vec_free(&kid);
    return rc;
}

/* Both null, or both not null and equal. Never null. */
static int32_t eval_distinct(struct frame *f, const struct node *node, const struct rowset *set,
                             struct vec *out)
{
    struct vec a = { 0 }, b = { 0 };
    const uint8_t flip = node->sub ? 0 : 0xff;
    uint8_t *bits;
    uint64_t i;
    int32_t rc = eval(f, node->kids[0], set, &a);
    if (!rc) rc = eval(f, node->kids[1], set, &b);
    if (!rc) rc = vec_make(f, out, WEIR_TYPE_BOOL, f->rows);
    if (!rc && a.constant) rc = vec_expand(f, &a, &node->kids[0]->type);
    if (!rc)
        rc = compare_bits(f, EQ, &node->kids[0]->type, &a, &b, set->rows, set->n, out->memory[1]);
    if (!rc) {
        const uint8_t vb_all = vec_valid(&b, 0) ? 0xff : 0;
        bits = out->memory[1];
        for (i = 0; i < ((uint64_t)f->rows + 7) / 8; i++) {
            const uint8_t va = a.valid ? a.valid[i] : 0xff;
            const uint8_t vb = b.constant ? vb_all : b.valid ? b.valid[i] : 0xff;
            bits[i] = (uint8_t)(((va & vb & bits[i]) | (~va & ~vb)) ^ flip);
        }
    }
    vec_free(&a);
    vec_free(&b);
    return rc;
}

int32_t compare_vecs(struct frame *f, uint32_t op, const struct type *type, struct vec *a,
                            struct vec *b, const struct rowset *set, struct vec *out)
{
    struct vec *kids[2] = { a, b };
    struct node node = { .type = type_flat(WEIR_TYPE_BOOL) };
    struct task task = { .frame = f, .node = &node, .set = set };
    const struct type bools = type_flat(WEIR_TYPE_BOOL);
    int begun = strict_begin(&task, kids, 2, out);
    int32_t rc = begun < 0 ? -begun : WEIR_OK;
    if (begun == 0) {
        rc = vec_make(f, out, WEIR_TYPE_BOOL, task.length);
        if (!rc)
            rc = compare_bits(f, op, type, a, b, task.rows.rows, task.rows.n, out->memory[1]);
        out->constant = task.constant;
    }
    return rc ? rc : vec_expand(f, out, &bools);
}

static int32_t eval_between(struct frame *f, const struct node *node, const struct rowset *set,
                            struct vec *out)
{
    const struct type *type = &node->kids[0]->type;
    struct vec x = { 0 }, low = { 0 }, high = { 0 }, other = { 0 };
    int32_t rc = eval(f, node->kids[0], set, &x);
    if (!rc) rc = eval(f, node->kids[1], set, &low);
    if (!rc) rc = eval(f, node->kids[2], set, &high);
    if (!rc) rc = compare_vecs(f, GE, type, &x, &low, set, out);
    if (!rc) rc = compare_vecs(f, LE, type, &x, &high, set, &other);
    if (!rc) rc = combine(f, 1, out, &other);
    if (!rc && node->sub) invert(out, f->rows);
    vec_free(&x);
    vec_free(&low);
    vec_free(&high);
    vec_free(&other);
    return rc;
}

/* Items that are no constants: x = item, all of them, or-ed. */
static int32_t eval_in(struct frame *f, const struct node *node, const struct rowset *set,
                       struct vec *out)
{
    const struct type *type = &node->kids[0]->type;
    struct vec x = { 0 };
    uint32_t k;
    int32_t rc = eval(f, node->kids[0], set, &x);
    for (k = 1; k < node->n_kids && !rc; k++) {
        struct vec item = { 0 }, equal = { 0 };
        rc = eval(f, node->kids[k], set, &item);
        if (!rc) rc = compare_vecs(f, EQ, type, &x, &item, set, k == 1 ? out : &equal);
        if (!rc && k > 1) rc = combine(f, 0, out, &equal);
        vec_free(&item);
        vec_free(&equal);
    }
    if (!rc && node->sub) invert(out, f->rows);
    vec_free(&x);
    return rc;
}

/* ---- branches ---- */

static void branches_free(struct branch *branches, uint32_t n)
{
    uint32_t k;
    for (k = 0; branches && k < n; k++) {
        vec_free(&branches[k].vec);
        mem_free(branches[k].own);
    }
    mem_free(branches);
}

static struct branch *branches_make(struct frame *f, uint32_t n)
{
    struct branch *branches = mem_alloc(n * sizeof *branches);
    if (!branches) frame_no_memory(f);
    else memset(branches, 0, n * sizeof *branches);
    return branches;
}

/* Value of a branch for its rows, which are branch->rows. */
static int32_t eval_branch(struct frame *f, const struct node *value, struct branch *branch)
{
    return branch->rows.n ? eval(f, value, &branch->rows, &branch->vec) : WEIR_OK;
}

/* case when …, and case x when … with x in `operand`. */
static int32_t eval_case(struct frame *f, const struct node *node, const struct rowset *set,
                         struct vec *out)
{
    const uint32_t first = node->op == OP_SWITCH, pairs = (node->n_kids - first) / 2;
    const int has_else = (node->n_kids - first) % 2;
    struct branch *branches = branches_make(f, pairs + 1);
    struct rowset open = *set;
    struct vec operand = { 0 };
    uint32_t *rest = NULL, k;
    int32_t rc = branches ? rows_alloc(f, set->n, &rest) : WEIR_FATAL;
    if (!rc && first) rc = eval(f, node->kids[0], set, &operand);
    for (k = 0; k < pairs && !rc && open.n; k++) {
        const struct node *when = node->kids[first + 2 * k];
        struct branch *branch = &branches[k];
        struct vec test = { 0 }, value = { 0 };
        rc = rows_alloc(f, open.n, &branch->own);
        if (!rc) rc = eval(f, when, &open, first ? &value : &test);
        if (!rc && first) rc = compare_vecs(f, EQ, &when->type, &operand, &value, &open, &test);
        if (!rc) {
            branch->rows.rows = branch->own;
            branch->rows.n = rows_split(&test, &open, branch->own, rest);
            open.n -= branch->rows.n;
            open.rows = rest;
            rc = eval_branch(f, node->kids[first + 2 * k + 1], branch);
        }
        vec_free(&test);
        vec_free(&value);
    }
    if (!rc && has_else) {
        branches[pairs].rows = open;
        rc = eval_branch(f, node->kids[node->n_kids - 1], &branches[pairs]);
    }
    if (!rc) rc = merge(f, &node->type, branches, pairs + 1, set, out);
    vec_free(&operand);
    branches_free(branches, pairs + 1);
    mem_free(rest);
    return rc;
}

static int32_t eval_coalesce(struct frame *f, const struct node *node, const struct rowset *set,
                             struct vec *out)
{
    struct branch *branches = branches_make(f, node->n_kids);
    struct rowset open = *set;
    uint32_t *rest = NULL, k;
    int32_t rc = branches ? rows_alloc(f, set->n, &rest) : WEIR_FATAL;
    for (k = 0; k < node->n_kids && !rc && open.n; k++) {
        struct branch *branch = &branches[k];
        rc = eval(f, node->kids[k], &open, &branch->vec);
        if (rc) break;
        if (!branch->vec.valid || k + 1 == node->n_kids) {
            branch->rows = open;
            break;
        }
        rc = rows_alloc(f, open.n, &branch->own);
        if (rc) break;
        branch->rows.rows = branch->own;
        branch->rows.n = rows_split_valid(&branch->vec, &open, branch->own, rest);
        open.n -= branch->rows.n;
        open.rows = rest;
    }
    if (!rc) rc = merge(f, &node->type, branches, node->n_kids, set, out);
    branches_free(branches, node->n_kids);
    mem_free(rest);
    return rc;
}

static int32_t eval_nullif(struct frame *f, const struct node *node, const struct rowset *set,
                           struct vec *out)
{
    struct vec b = { 0 }, equal = { 0 };
    uint8_t *mask;
    uint32_t i;
    int32_t rc = eval(f, node->kids[0], set, out);
    if (!rc) rc = eval(f, node->kids[1], set, &b);
    if (!rc) rc = compare_vecs(f, EQ, &node->type, out, &b, set, &equal);
    if (!rc) rc = vec_expand(f, out, &node->type);
    if (!rc) rc = vec_mask(f, out);
    for (i = 0; !rc && i < set->n; i++) {
        const uint32_t row = rowset_row(set, i);
        mask = out->memory[0];
        if (bit_get(equal.values, row) && vec_valid(&equal, row)) bit_clear(mask, row);
    }
    vec_free(&b);
    vec_free(&equal);
    return rc;
}

/* best = the better of best and kid: two branches, whose rows one comparison splits. */
static int32_t pick_better(struct frame *f, const struct node *node, const struct rowset *set,
                           struct vec *best, struct vec *kid)
{
    struct branch *branches = branches_make(f, 2);
    struct vec better = { 0 }, out = { 0 };
    uint32_t i;
    int32_t rc = branches ? rows_alloc(f, set->n, &branches[0].own) : WEIR_FATAL;
    if (!rc) rc = rows_alloc(f, set->n, &branches[1].own);
    if (!rc) rc = compare_vecs(f, node->sub, &node->type, kid, best, set, &better);
    for (i = 0; !rc && i < set->n; i++) {
        const uint32_t row = rowset_row(set, i);
        const int takes = !vec_valid(best, row) ||
                          (vec_valid(&better, row) && bit_get(better.values, row));
        struct branch *branch = &branches[takes];
        branch->own[branch->rows.n++] = row;
    }
    if (!rc) {
        branches[0].rows.rows = branches[0].own;
        branches[1].rows.rows = branches[1].own;
        vec_move(&branches[0].vec, best);
        vec_move(&branches[1].vec, kid);
        rc = merge(f, &node->type, branches, 2, set, &out);
        vec_move(best, &out);
    }
    vec_free(&better);
    vec_free(&out);
    branches_free(branches, 2);
    return rc;
}

static int32_t eval_pick(struct frame *f, const struct node *node, const struct rowset *set,
                         struct vec *out)
{
    uint32_t k;
    int32_t rc = eval(f, node->kids[0], set, out);
    for (k = 1; k < node->n_kids && !rc; k++) {
        struct vec kid = { 0 };
        rc = eval(f, node->kids[k], set, &kid);
        if (!rc) rc = pick_better(f, node, set, out, &kid);
        vec_free(&kid);
    }
    return rc;
}

/* ---- leaves and all together ---- */

static void eval_column(struct frame *f, const struct node *node, struct vec *out)
{
    const struct ArrowArray *array = f->sets[node->input][node->column];
    vec_of_array(out, node->type.id, array);
    out->input = node->input;
}

static int32_t eval_field(struct frame *f, const struct node *node, const struct rowset *set,
                          struct vec *out)
{
    const struct ArrowArray *child;
    struct vec kid = { 0 };
    const uint8_t *mask;
    uint64_t i;
    int32_t rc = eval(f, node->kids[0], set, &kid);
    if (rc) return rc;
    child = kid.nested->children[node->column];
    vec_of_array(out, node->type.id, child);
    out->constant = kid.constant;
    out->rows = kid.rows;
    out->input = kid.input;
    out->inner = kid.inner;
    memset(&kid.inner, 0, sizeof kid.inner);
    mask = kid.valid;
    if (mask) {
        rc = vec_mask(f, out);
        for (i = 0; !rc && i < ((uint64_t)out->rows + 7) / 8; i++)
            ((uint8_t *)out->memory[0])[i] &= mask[i];
    }
    vec_free(&kid);
    return rc;
}

static int32_t eval_now(struct frame *f, struct vec *out)
{
    int32_t rc = vec_make(f, out, WEIR_TYPE_TIMESTAMP, 1);
    if (rc) return rc;
    *(int64_t *)out->memory[1] = f->run->time_us;
    out->constant = 1;
    return WEIR_OK;
}

/* text → binary keeps the bytes; other casts are kernels */
static int32_t eval_cast(struct frame *f, const struct node *node, const struct rowset *set,
                         struct vec *out)
{
    int32_t rc;
    if (node->type.id != WEIR_TYPE_BINARY)
        return eval_strict(f, node, set, 1, kernel_cast, out);
    rc = eval(f, node->kids[0], set, out);
    out->id = WEIR_TYPE_BINARY;
    return rc;
}

int32_t eval(struct frame *f, const struct node *node, const struct rowset *set, struct vec *out)
{
    switch (node->op) {
    case OP_CONST:
        vec_of_array(out, node->type.id, &node->value);
        out->constant = 1;
        return WEIR_OK;
    case OP_COLUMN: eval_column(f, node, out); return WEIR_OK;
    case OP_FIELD: return eval_field(f, node, set, out);
    case OP_ARITH: return eval_strict(f, node, set, node->n_kids, kernel_arith, out);
    case OP_CONCAT: return eval_strict(f, node, set, node->n_kids, kernel_concat, out);
    case OP_COMPARE: return eval_strict(f, node, set, 2, kernel_compare, out);
    case OP_LIKE: return eval_strict(f, node, set, 2, kernel_like, out);
    case OP_IN:
        if (node->set) return eval_strict(f, node, set, 1, kernel_in, out);
        return eval_in(f, node, set, out);
    case OP_CAST: return eval_cast(f, node, set, out);
    case OP_DISTINCT: return eval_distinct(f, node, set, out);
    case OP_NOT: return eval_not(f, node, set, out);
    case OP_AND:
    case OP_OR: return eval_logic(f, node, set, out);
    case OP_IS_NULL: return eval_is_null(f, node, set, out);
    case OP_BETWEEN: return eval_between(f, node, set, out);
    case OP_CASE:
    case OP_SWITCH: return eval_case(f, node, set, out);
    case OP_COALESCE: return eval_coalesce(f, node, set, out);
    case OP_NULLIF: return eval_nullif(f, node, set, out);
    case OP_PICK: return eval_pick(f, node, set, out);
    case OP_NOW: return eval_now(f, out);
    case OP_CALL: return eval_call(f, node, set, out);
    }
    return weir_fail(f->error, WEIR_FATAL, "an unknown operator");
}

int32_t eval_constant(const struct weir_expr *expr, const struct node *node,
                      struct ArrowArray *out, struct weir_error *error)
{
    const struct expr_run run = { 0 };
    const struct rowset one = { NULL, 1 };
    struct frame frame = { .expr = expr, .run = &run, .rows = 1, .error = error };
    struct vec v = { 0 };
    int32_t rc = eval(&frame, node, &one, &v);
    if (!rc && frame.failed) rc = WEIR_DATA;
    if (!rc) rc = vec_result(&frame, &v, &node->type, out);
    vec_free(&v);
    frame_end(&frame);
    return rc;
}
