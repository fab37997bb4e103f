/*
 * filter.c - narrows a list of rows to those for which a condition is true, without making bools
 * where a comparison or a conjunction can work on the list itself.
 *
 * A row whose condition is null goes, as if it were false. `a and b` therefore may drop rows
 * where a is null before b is looked at, but only if b can't fail: else those rows must still run
 * b, for its errors. `or` marks the rows that some part found true; later parts see the others
 * only.
 */
#include "core/expr/kernels.h"

static int32_t filter_bools(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    const struct rowset set = { *n == f->rows ? NULL : rows, *n };
    struct vec v = { 0 };
    int32_t rc = eval(f, node, &set, &v);
    if (!rc) *n = rows_split(&v, &set, rows, NULL);
    vec_free(&v);
    return rc;
}

static int32_t filter_compare(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    const struct rowset set = { *n == f->rows ? NULL : rows, *n };
    struct vec a = { 0 }, b = { 0 }, bools = { 0 };
    int32_t rc = eval(f, node->kids[0], &set, &a);
    if (!rc) rc = eval(f, node->kids[1], &set, &b);
    if (!rc && !compare_rows(node->sub, &a, &b, rows, n, !set.rows)) {
        rc = compare_vecs(f, node->sub, &node->kids[0]->type, &a, &b, &set, &bools);
        if (!rc) *n = rows_split(&bools, &set, rows, NULL);
    }
    vec_free(&a);
    vec_free(&b);
    vec_free(&bools);
    return rc;
}

static int32_t filter_between(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    const struct rowset set = { *n == f->rows ? NULL : rows, *n };
    struct vec x = { 0 }, low = { 0 }, high = { 0 };
    int32_t rc = eval(f, node->kids[0], &set, &x);
    if (!rc) rc = eval(f, node->kids[1], &set, &low);
    if (!rc) rc = eval(f, node->kids[2], &set, &high);
    if (!rc) {
        compare_rows(GE, &x, &low, rows, n, !set.rows);
        compare_rows(LE, &x, &high, rows, n, *n == f->rows);
    }
    vec_free(&x);
    vec_free(&low);
    vec_free(&high);
    return rc;
}

static int32_t filter_is_null(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    const struct rowset set = { *n == f->rows ? NULL : rows, *n };
    struct vec v = { 0 };
    int32_t rc = eval(f, node->kids[0], &set, &v);
    if (!rc && node->sub) *n = rows_split_valid(&v, &set, rows, NULL);
    else if (!rc) *n -= rows_split_valid(&v, &set, NULL, rows);
    vec_free(&v);
    return rc;
}

/* Operands 0 to last of `and`, where a later one may fail: rows that are not false go on to the
 * next; those that were null somewhere are dropped at the end. */
static int32_t filter_exact(struct frame *f, const struct node *node, uint32_t last, uint32_t *rows,
                            uint32_t *n)
{
    uint8_t *nulls = mem_alloc(bits_size(f->rows) + 64);
    uint32_t k, i, kept = 0;
    int32_t rc = nulls ? WEIR_OK : frame_no_memory(f);
    if (nulls) memset(nulls, 0, bits_size(f->rows));
    for (k = 0; k <= last && !rc; k++) {
        const struct rowset set = { *n == f->rows ? NULL : rows, *n };
        struct vec v = { 0 };
        rc = eval(f, node->kids[k], &set, &v);
        if (!rc) {
            *n = rows_not_false(&v, &set, rows);
            for (i = 0; v.valid && i < *n; i++)
                if (!vec_valid(&v, rows[i])) bit_set(nulls, rows[i]);
        }
        vec_free(&v);
    }
    for (i = 0; !rc && i < *n; i++)
        if (!bit_get(nulls, rows[i])) rows[kept++] = rows[i];
    if (!rc) *n = kept;
    mem_free(nulls);
    return rc;
}

static int32_t filter_and(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    uint32_t last = 0, k = 0;
    int32_t rc = WEIR_OK;
    for (k = 1; k < node->n_kids; k++)
        if (node->kids[k]->may_fail) last = k;
    k = 0;
    if (last) {
        rc = filter_exact(f, node, last, rows, n);
        k = last + 1;
    }
    for (; k < node->n_kids && !rc && *n; k++) rc = filter(f, node->kids[k], rows, n);
    return rc;
}

static int32_t filter_or(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    uint8_t *found;
    uint32_t *open = NULL, *some = NULL;
    uint32_t n_open = *n, k, i;
    int32_t rc;
    for (k = 0; k < node->n_kids && !node->kids[k]->may_fail && !node->kids[k]->heavy;) k++;
    if (k == node->n_kids && *n >= f->rows / 4) /* all cheap: bits of all rows are faster */
        return filter_bools(f, node, rows, n);
    found = mem_alloc(bits_size(f->rows) + 64);
    rc = found ? rows_alloc(f, *n, &open) : frame_no_memory(f);
    if (!rc) rc = rows_alloc(f, *n, &some);
    if (!rc) {
        memset(found, 0, bits_size(f->rows));
        memcpy(open, rows, (uint64_t)*n * sizeof *rows);
    }
    for (k = 0; k < node->n_kids && !rc && n_open; k++) {
        uint32_t n_some = n_open, left = 0;
        memcpy(some, open, (uint64_t)n_open * sizeof *open);
        rc = filter(f, node->kids[k], some, &n_some);
        if (rc) break;
        for (i = 0; i < n_some; i++) bit_set(found, some[i]);
        for (i = 0; i < n_open; i++) {
            const uint32_t row = open[i];
            open[left] = row;
            left += !bit_get(found, row);
        }
        n_open = left;
    }
    if (!rc) {
        uint32_t kept = 0;
        for (i = 0; i < *n; i++) {
            const uint32_t row = rows[i];
            rows[kept] = row;
            kept += (uint32_t)bit_get(found, row);
        }
        *n = kept;
    }
    mem_free(found);
    mem_free(open);
    mem_free(some);
    return rc;
}

int32_t filter(struct frame *f, const struct node *node, uint32_t *rows, uint32_t *n)
{
    switch (node->op) {
    case OP_AND: return filter_and(f, node, rows, n);
    case OP_OR: return filter_or(f, node, rows, n);
    case OP_COMPARE: return filter_compare(f, node, rows, n);
    case OP_BETWEEN:
        if (!node->sub && type_width(node->kids[0]->type.id) && !node->kids[0]->constant)
            return filter_between(f, node, rows, n);
        return filter_bools(f, node, rows, n);
    case OP_IS_NULL: return filter_is_null(f, node, rows, n);
    default: return filter_bools(f, node, rows, n);
    }
}
