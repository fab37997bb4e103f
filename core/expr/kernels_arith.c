/*
 * kernels_arith.c - + - * / % div and the minus sign, for numbers, times and intervals.
 *
 * Every operator is one inline function of x and y that adds to *bad; KERNEL makes from it loops
 * for column and column, column and constant, constant and column, with and without a selection.
 * `bad` never leaves a loop early: overflow shows in the sign bits of operands and result. Where
 * anything was bad, the rows that count are run once more one by one to learn which.
 *
 * `div` and `%` by a constant multiply instead (Granlund, Montgomery: "Division by invariant integers
 * using multiplication", fig. 5.2): with l = ceil(log2 |d|), m = 1 + floor(2^(63+l) / |d|) the quotient
 * is x + high(x * (m - 2^64)) shifted right by l - 1, one more where x < 0, negated where d < 0.
 */
#include "core/expr/kernels.h"

#include <math.h>

#define TIMESTAMP_LEAST (-62135596800000000ll) /* 0001-01-01 */
#define TIMESTAMP_MOST 253402300799999999ll    /* 9999-12-31T23:59:59.999999 */
#define DATE_LEAST (-719162)
#define DATE_MOST 2932896

enum shape { COLUMN_COLUMN, COLUMN_CONSTANT, CONSTANT_COLUMN };

typedef uint32_t (*arith_fn)(const void *a, const void *b, void *out, const uint32_t *rows,
                             uint32_t n, enum shape shape);

/* Overflow shows in the sign bit (the bits below are noise then), the others in the lowest byte. */
#define OVERFLOW_SIGN 63
#define SIGN ((uint64_t)1 << OVERFLOW_SIGN)

/* ---- one row ---- */

static inline int64_t int_add(int64_t x, int64_t y, uint64_t *bad)
{
    const int64_t r = (int64_t)((uint64_t)x + (uint64_t)y);
    *bad |= (uint64_t)((x ^ r) & (y ^ r));
    return r;
}

static inline int64_t int_subtract(int64_t x, int64_t y, uint64_t *bad)
{
    const int64_t r = (int64_t)((uint64_t)x - (uint64_t)y);
    *bad |= (uint64_t)((x ^ y) & (x ^ r));
    return r;
}

static inline int64_t int_multiply(int64_t x, int64_t y, uint64_t *bad)
{
    int64_t r;
    *bad |= (uint64_t)__builtin_mul_overflow(x, y, &r) << OVERFLOW_SIGN;
    return r;
}

static inline int64_t int_div(int64_t x, int64_t y, uint64_t *bad)
{
    const int zero = y == 0, over = (x == INT64_MIN) & (y == -1);
    *bad |= (zero ? BAD_ZERO : 0) | (uint64_t)over << OVERFLOW_SIGN;
    return (zero | over) ? 0 : x / ((zero | over) ? 1 : y);
}

static inline int64_t int_mod(int64_t x, int64_t y, uint64_t *bad)
{
    const int zero = y == 0, one = (y == -1) | zero; /* INT64_MIN % -1 traps */
    *bad |= zero ? BAD_ZERO : 0;
    return one ? 0 : x % (one ? 1 : y);
}

/* A divisor other than 0 and -1, as what to multiply with. */
struct divisor {
    int64_t d, factor, sign; /* factor: m - 2^64; sign: -1 of a negative divisor, else 0 */
    uint32_t shift;
};

static struct divisor divisor_of(int64_t d)
{
    const uint64_t size = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
    const uint32_t l = size > 1 ? 64 - (uint32_t)__builtin_clzll(size - 1) : 1;
    const unsigned __int128 power = (unsigned __int128)1 << (63 + l);
    return (struct divisor){ d, (int64_t)(uint64_t)(power / size + 1), d < 0 ? -1 : 0, l - 1 };
}

static inline int64_t quotient(int64_t x, const struct divisor *by)
{
    const int64_t high = (int64_t)(((__int128)x * by->factor) >> 64);
    const int64_t q = ((int64_t)((uint64_t)x + (uint64_t)high) >> by->shift) - (x >> 63);
    return (int64_t)(((uint64_t)q ^ (uint64_t)by->sign) - (uint64_t)by->sign);
}

static inline double float_add(double x, double y, uint64_t *bad)
{
    (void)bad;
    return x + y;
}

static inline double float_subtract(double x, double y, uint64_t *bad)
{
    (void)bad;
    return x - y;
}

static inline double float_multiply(double x, double y, uint64_t *bad)
{
    (void)bad;
    return x * y;
}

static inline double float_divide(double x, double y, uint64_t *bad)
{
    *bad |= y == 0 ? BAD_ZERO : 0;
    return x / (y == 0 ? 1 : y);
}

static inline double float_mod(double x, double y, uint64_t *bad)
{
    *bad |= y == 0 ? BAD_ZERO : 0;
    return fmod(x, y);
}

static inline int64_t time_add(int64_t x, int64_t y, uint64_t *bad)
{
    int64_t r;
    const int over = __builtin_add_overflow(x, y, &r);
    *bad |= (over | (r < TIMESTAMP_LEAST) | (r > TIMESTAMP_MOST)) ? BAD_TIME : 0;
    return r;
}

static inline int64_t time_subtract(int64_t x, int64_t y, uint64_t *bad)
{
    int64_t r;
    const int over = __builtin_sub_overflow(x, y, &r);
    *bad |= (over | (r < TIMESTAMP_LEAST) | (r > TIMESTAMP_MOST)) ? BAD_TIME : 0;
    return r;
}

static inline int32_t date_add(int32_t x, int64_t y, uint64_t *bad)
{
    int64_t r;
    const int over = __builtin_add_overflow((int64_t)x, y, &r);
    *bad |= (over | (r < DATE_LEAST) | (r > DATE_MOST)) ? BAD_TIME : 0;
    return (int32_t)r;
}

static inline int32_t date_subtract(int32_t x, int64_t y, uint64_t *bad)
{
    int64_t r;
    const int over = __builtin_sub_overflow((int64_t)x, y, &r);
    *bad |= (over | (r < DATE_LEAST) | (r > DATE_MOST)) ? BAD_TIME : 0;
    return (int32_t)r;
}

static inline int64_t date_distance(int32_t x, int32_t y, uint64_t *bad)
{
    (void)bad;
    return (int64_t)x - y;
}

/* ---- loops ---- */

#define LOOP(X, Y, one)                                                                            \
    if (rows) {                                                                                    \
        for (k = 0; k < n; k++) {                                                                  \
            const uint32_t i = rows[k];                                                            \
            out[i] = one(X, Y, &bad);                                                              \
        }                                                                                          \
    } else {                                                                                       \
        for (uint32_t i = 0; i < n; i++) out[i] = one(X, Y, &bad);                                 \
    }

/* MARKS: the bits of `bad` that this operator means. */
#define KERNEL(one, A, B, R, MARKS)                                                                \
    static uint32_t one##_rows(const void *va, const void *vb, void *vout, const uint32_t *rows,   \
                               uint32_t n, enum shape shape)                                       \
    {                                                                                              \
        const A *restrict a = va;                                                                  \
        const B *restrict b = vb;                                                                  \
        R *restrict out = vout;                                                                    \
        uint64_t bad = 0;                                                                          \
        uint32_t k;                                                                                \
        if (shape == COLUMN_COLUMN) {                                                              \
            LOOP(a[i], b[i], one)                                                                  \
        } else if (shape == COLUMN_CONSTANT) {                                                     \
            const B c = *b;                                                                        \
            LOOP(a[i], c, one)                                                                     \
        } else {                                                                                   \
            const A c = *a;                                                                        \
            LOOP(c, b[i], one)                                                                     \
        }                                                                                          \
        bad &= (MARKS);                                                                            \
        return (bad & SIGN ? BAD_OVERFLOW : 0) | (uint32_t)(bad & 0xff);                           \
    }

KERNEL(int_add, int64_t, int64_t, int64_t, SIGN)
KERNEL(int_subtract, int64_t, int64_t, int64_t, SIGN)
KERNEL(int_multiply, int64_t, int64_t, int64_t, SIGN)
KERNEL(int_div, int64_t, int64_t, int64_t, SIGN | BAD_ZERO)
KERNEL(int_mod, int64_t, int64_t, int64_t, BAD_ZERO)
KERNEL(float_add, double, double, double, 0)
KERNEL(float_subtract, double, double, double, 0)
KERNEL(float_multiply, double, double, double, 0)
KERNEL(float_divide, double, double, double, BAD_ZERO)
KERNEL(float_mod, double, double, double, BAD_ZERO)
KERNEL(time_add, int64_t, int64_t, int64_t, BAD_TIME)
KERNEL(time_subtract, int64_t, int64_t, int64_t, BAD_TIME)
KERNEL(date_add, int32_t, int64_t, int32_t, BAD_TIME)
KERNEL(date_subtract, int32_t, int64_t, int32_t, BAD_TIME)
KERNEL(date_distance, int32_t, int32_t, int64_t, 0)

/* x div c and x % c; with -1 and 0 as by the kernels above. */
static uint32_t int_div_by(const void *va, const void *vb, void *vout, const uint32_t *rows,
                           uint32_t n, enum shape shape)
{
    const int64_t *restrict a = va;
    int64_t *restrict out = vout;
    const int64_t d = *(const int64_t *)vb;
    if (shape != COLUMN_CONSTANT || d == 0 || d == -1)
        return int_div_rows(va, vb, vout, rows, n, shape);
    const struct divisor by = divisor_of(d);
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t i = rows ? rows[k] : k;
        out[i] = quotient(a[i], &by);
    }
    return 0;
}

static uint32_t int_mod_by(const void *va, const void *vb, void *vout, const uint32_t *rows,
                           uint32_t n, enum shape shape)
{
    const int64_t *restrict a = va;
    int64_t *restrict out = vout;
    const int64_t d = *(const int64_t *)vb;
    if (shape != COLUMN_CONSTANT || d == 0 || d == -1)
        return int_mod_rows(va, vb, vout, rows, n, shape);
    const struct divisor by = divisor_of(d);
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t i = rows ? rows[k] : k;
        out[i] = (int64_t)((uint64_t)a[i] - (uint64_t)quotient(a[i], &by) * (uint64_t)d);
    }
    return 0;
}

/* Negation is 0 - x, but for floats, where the sign of zero counts: -0.0 - x. */
static const int64_t int_zero = 0;
static const double float_zero = -0.0;

static arith_fn kernel_of(const struct node *node)
{
    const uint32_t op = node->sub == 'n' ? '-' : node->sub;
    if (node->type.id == WEIR_TYPE_FLOAT64)
        return op == '+'   ? float_add_rows
               : op == '-' ? float_subtract_rows
               : op == '*' ? float_multiply_rows
               : op == '/' ? float_divide_rows
                           : float_mod_rows;
    if (node->type.id == WEIR_TYPE_TIMESTAMP) return op == '+' ? time_add_rows : time_subtract_rows;
    if (node->type.id == WEIR_TYPE_DATE) return op == '+' ? date_add_rows : date_subtract_rows;
    if (node->kids[0]->type.id == WEIR_TYPE_DATE) return date_distance_rows;
    return op == '+'   ? int_add_rows
           : op == '-' ? int_subtract_rows
           : op == '*' ? int_multiply_rows
           : op == 'd' ? int_div_by
                       : int_mod_by;
}

/* Loops that no vector unit takes gain by each row that they leave out. */
static int one_by_one(const struct node *node)
{
    return node->type.id == WEIR_TYPE_INT64 && (node->sub == '*' || node->sub == 'd' || node->sub == '%');
}

static const char *reason_of(const struct node *node, uint32_t bad)
{
    if (bad & BAD_ZERO) return "division by zero";
    if (bad & BAD_TIME) return "a time outside of the years 0001 to 9999";
    return node->type.id == TYPE_INTERVAL ? "interval overflow" : "int64 overflow";
}

int32_t kernel_arith(struct task *t, struct vec *const *kids, struct vec *out)
{
    const struct node *node = t->node;
    const arith_fn fn = kernel_of(node);
    const struct vec *right = kids[node->n_kids - 1];
    const void *a = kids[0]->values, *b = right->values;
    enum shape shape = COLUMN_COLUMN;
    const uint32_t *rows;
    uint32_t n, i, bad;
    int32_t rc = vec_make(t->frame, out, node->type.id, t->length);
    if (rc) return rc;
    if (node->sub == 'n') {
        if (node->type.id == WEIR_TYPE_FLOAT64) a = &float_zero;
        else a = &int_zero;
        shape = CONSTANT_COLUMN;
    } else if (!t->constant) {
        if (right->constant) shape = COLUMN_CONSTANT;
        else if (kids[0]->constant) shape = CONSTANT_COLUMN;
    }
    rows = task_rows(t, &n);
    if (t->rows.rows && t->rows.n < t->length / 2 && one_by_one(node)) {
        rows = t->rows.rows;
        n = t->rows.n;
    }
    if (rows) memset(out->memory[1], 0, (uint64_t)t->length * type_width(node->type.id));
    bad = fn(a, b, out->memory[1], rows, n, shape);
    for (i = 0; bad && i < t->rows.n; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        const uint32_t own = task_counts(out, row)
                                 ? fn(a, b, out->memory[1], &row, 1, shape)
                                 : 0;
        if (own) rc = task_fail(t, out, row, reason_of(node, own));
        if (rc) return rc;
    }
    return WEIR_OK;
}
