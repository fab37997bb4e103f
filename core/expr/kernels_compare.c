/*
 * kernels_compare.c - = <> < <= > >= over every type, and sets of constants for `in`.
 *
 * The order is total: NaN equals NaN and is greatest, -0.0 equals 0.0, text and binary compare
 * bytewise, false < true, lists and structs item by item with null first.
 *
 * Two forms of each comparison:
 *  - bits: one bit per row, computed 64 rows at a time: a byte each first (a loop that the compiler
 *    turns into vector code), then eight bytes to eight bits by one multiplication;
 *  - rows: narrows a list of rows. No branch depends on the data: each row is written to the list
 *    and the length moves on by 0 or 1.
 * Against a constant that is no NaN a float comparison needs no special case: NaN is not less than,
 * not equal to the constant, which leaves it greater, as it should be.
 */
#include "core/expr/kernels.h"

#include <math.h>

/* Eight bytes of 0 or 1, lowest first, to eight bits. */
static inline uint8_t pack8(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return (uint8_t)((word * 0x0102040810204080ull) >> 56);
}

typedef void (*bits_fn)(const void *a, const void *b, const uint32_t *rows, uint32_t n,
                        uint8_t *bits);
typedef uint32_t (*rows_fn)(const void *a, const void *b, const uint32_t *rows, uint32_t n,
                            uint32_t *out);

/* ---- one row ---- */

#define INT_TESTS(T, name)                                                                         \
    static inline int name##_eq(T x, T y) { return x == y; }                                       \
    static inline int name##_ne(T x, T y) { return x != y; }                                       \
    static inline int name##_lt(T x, T y) { return x < y; }                                        \
    static inline int name##_le(T x, T y) { return x <= y; }                                       \
    static inline int name##_gt(T x, T y) { return x > y; }                                        \
    static inline int name##_ge(T x, T y) { return x >= y; }

INT_TESTS(int32_t, i32)
INT_TESTS(int64_t, i64)

static inline int f64_eq(double x, double y) { return (x == y) | ((x != x) & (y != y)); }
static inline int f64_ne(double x, double y) { return !f64_eq(x, y); }
static inline int f64_lt(double x, double y) { return (x < y) | ((y != y) & (x == x)); }
static inline int f64_gt(double x, double y) { return f64_lt(y, x); }
static inline int f64_le(double x, double y) { return !f64_lt(y, x); }
static inline int f64_ge(double x, double y) { return !f64_lt(x, y); }

/* y is no NaN */
static inline int num_eq(double x, double y) { return x == y; }
static inline int num_ne(double x, double y) { return !(x == y); }
static inline int num_lt(double x, double y) { return x < y; }
static inline int num_le(double x, double y) { return x <= y; }
static inline int num_gt(double x, double y) { return !(x <= y); }
static inline int num_ge(double x, double y) { return !(x < y); }

/* ---- loops ---- */

#define BLOCK(X, Y, test)                                                                          \
    for (i = 0; i + 64 <= n; i += 64) {                                                            \
        for (k = 0; k < 64; k++) bytes[k] = (uint8_t)test(X(i + k), Y(i + k));                     \
        for (k = 0; k < 8; k++) bits[i / 8 + k] = pack8(bytes + 8 * k);                            \
    }                                                                                              \
    for (; i < n; i++) bits[i >> 3] |= (uint8_t)(test(X(i), Y(i)) << (i & 7));

#define SOME(X, Y, test)                                                                           \
    for (i = 0; i < n; i++) {                                                                      \
        const uint32_t r = rows[i];                                                                \
        bits[r >> 3] |= (uint8_t)(test(X(r), Y(r)) << (r & 7));                                    \
    }

#define NARROW(ROW, X, Y, test)                                                                    \
    for (i = 0; i < n; i++) {                                                                      \
        const uint32_t r = ROW(i);                                                                 \
        const uint32_t yes = (uint32_t)test(X(r), Y(r));                                           \
        out[k] = r;                                                                                \
        k += yes;                                                                                  \
    }

#define A_AT(i) a[i]
#define B_AT(i) b[i]
#define B_ONE(i) c
#define IN_ROWS(i) rows[i]
#define ALL_ROWS(i) i
#define EITHER_ROWS(i) (rows ? rows[i] : (i))

/* bits with two columns, bits and rows with a constant on the right, rows with two columns */
#define LOOPS(T, name, test)                                                                       \
    static void name##_bits(const void *va, const void *vb, const uint32_t *rows, uint32_t n,      \
                            uint8_t *bits)                                                         \
    {                                                                                              \
        const T *a = va, *b = vb;                                                                  \
        uint8_t bytes[64];                                                                         \
        uint32_t i, k;                                                                             \
        if (rows) {                                                                                \
            SOME(A_AT, B_AT, test)                                                                 \
            return;                                                                                \
        }                                                                                          \
        BLOCK(A_AT, B_AT, test)                                                                    \
    }                                                                                              \
    static uint32_t name##_rows(const void *va, const void *vb, const uint32_t *rows, uint32_t n,  \
                                uint32_t *out)                                                     \
    {                                                                                              \
        const T *a = va, *b = vb;                                                                  \
        uint32_t i, k = 0;                                                                         \
        if (rows) {                                                                                \
            NARROW(IN_ROWS, A_AT, B_AT, test)                                                      \
        } else {                                                                                   \
            NARROW(ALL_ROWS, A_AT, B_AT, test)                                                     \
        }                                                                                          \
        return k;                                                                                  \
    }

#define LOOPS_ONE(T, name, test)                                                                   \
    static void name##_bits_one(const void *va, const void *vb, const uint32_t *rows, uint32_t n,  \
                                uint8_t *bits)                                                     \
    {                                                                                              \
        const T *a = va;                                                                           \
        const T c = *(const T *)vb;                                                                \
        uint8_t bytes[64];                                                                         \
        uint32_t i, k;                                                                             \
        if (rows) {                                                                                \
            SOME(A_AT, B_ONE, test)                                                                \
            return;                                                                                \
        }                                                                                          \
        BLOCK(A_AT, B_ONE, test)                                                                   \
    }                                                                                              \
    static uint32_t name##_rows_one(const void *va, const void *vb, const uint32_t *rows,          \
                                    uint32_t n, uint32_t *out)                                     \
    {                                                                                              \
        const T *a = va;                                                                           \
        const T c = *(const T *)vb;                                                                \
        uint32_t i, k = 0;                                                                         \
        if (rows) {                                                                                \
            NARROW(IN_ROWS, A_AT, B_ONE, test)                                                     \
        } else {                                                                                   \
            NARROW(ALL_ROWS, A_AT, B_ONE, test)                                                    \
        }                                                                                          \
        return k;                                                                                  \
    }

#define ALL_TESTS(M, T, name)                                                                      \
    M(T, name##_eq, name##_eq)                                                                     \
    M(T, name##_ne, name##_ne)                                                                     \
    M(T, name##_lt, name##_lt)                                                                     \
    M(T, name##_le, name##_le)                                                                     \
    M(T, name##_gt, name##_gt)                                                                     \
    M(T, name##_ge, name##_ge)

ALL_TESTS(LOOPS, int32_t, i32)
ALL_TESTS(LOOPS, int64_t, i64)
ALL_TESTS(LOOPS, double, f64)
ALL_TESTS(LOOPS_ONE, int32_t, i32)
ALL_TESTS(LOOPS_ONE, int64_t, i64)
ALL_TESTS(LOOPS_ONE, double, f64)
ALL_TESTS(LOOPS_ONE, double, num)

#define ROW_OF(name, form) { name##_eq##form, name##_ne##form, name##_lt##form,                    \
                             name##_le##form, name##_gt##form, name##_ge##form }

enum width { WIDTH_32, WIDTH_64, WIDTH_FLOAT, WIDTH_NUMBER };

static const bits_fn two_bits[][6] = { ROW_OF(i32, _bits), ROW_OF(i64, _bits),
                                       ROW_OF(f64, _bits) };
static const rows_fn two_rows[][6] = { ROW_OF(i32, _rows), ROW_OF(i64, _rows),
                                       ROW_OF(f64, _rows) };
static const bits_fn one_bits[][6] = { ROW_OF(i32, _bits_one), ROW_OF(i64, _bits_one),
                                       ROW_OF(f64, _bits_one), ROW_OF(num, _bits_one) };
static const rows_fn one_rows[][6] = { ROW_OF(i32, _rows_one), ROW_OF(i64, _rows_one),
                                       ROW_OF(f64, _rows_one), ROW_OF(num, _rows_one) };

static enum width width_of(uint32_t id, const struct vec *b)
{
    if (id == WEIR_TYPE_FLOAT64)
        return b->constant && !isnan(*(const double *)b->values) ? WIDTH_NUMBER : WIDTH_FLOAT;
    return type_width(id) == 4 ? WIDTH_32 : WIDTH_64;
}

/* ---- text, bools, nested ---- */

static inline int bytes_order(struct weir_bytes x, struct weir_bytes y)
{
    const uint64_t n = x.length < y.length ? x.length : y.length;
    const int order = n ? memcmp(x.data, y.data, n) : 0;
    return order ? order : (x.length > y.length) - (x.length < y.length);
}

static inline int bytes_equal(struct weir_bytes x, struct weir_bytes y)
{
    return x.length == y.length && (x.length == 0 || memcmp(x.data, y.data, x.length) == 0);
}

static inline int holds(uint32_t op, int order)
{
    switch (op) {
    case EQ: return order == 0;
    case NE: return order != 0;
    case LT: return order < 0;
    case LE: return order <= 0;
    case GT: return order > 0;
    default: return order >= 0;
    }
}

static int order_of(const struct ArrowSchema *schema, const struct ArrowArray *a, uint32_t i,
                    const struct ArrowArray *b, uint32_t k);

static int order_list(const struct ArrowSchema *schema, const struct ArrowArray *a, uint32_t i,
                      const struct ArrowArray *b, uint32_t k)
{
    const int32_t *ao = (const int32_t *)a->buffers[1] + i;
    const int32_t *bo = (const int32_t *)b->buffers[1] + k;
    int32_t x = ao[0], y = bo[0];
    int order;
    for (; x < ao[1] && y < bo[1]; x++, y++) {
        order = order_of(schema->children[0], a->children[0], (uint32_t)x, b->children[0],
                         (uint32_t)y);
        if (order) return order;
    }
    return (x < ao[1]) - (y < bo[1]);
}

static int order_of(const struct ArrowSchema *schema, const struct ArrowArray *a, uint32_t i,
                    const struct ArrowArray *b, uint32_t k)
{
    const int x_null = weir_is_null(a, i), y_null = weir_is_null(b, k);
    int64_t c;
    int order;
    if (x_null | y_null) return y_null - x_null;
    switch (weir_type_of(schema)) {
    case WEIR_TYPE_BOOL: return weir_get_bool(a, i) - weir_get_bool(b, k);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: {
        const int32_t x = weir_get_int32(a, i), y = weir_get_int32(b, k);
        return (x > y) - (x < y);
    }
    case WEIR_TYPE_FLOAT64: {
        const double x = weir_get_float64(a, i), y = weir_get_float64(b, k);
        return f64_gt(x, y) - f64_lt(x, y);
    }
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return bytes_order(weir_get_bytes(a, i), weir_get_bytes(b, k));
    case WEIR_TYPE_LIST: return order_list(schema, a, i, b, k);
    case WEIR_TYPE_STRUCT:
        for (c = 0; c < schema->n_children; c++) {
            order = order_of(schema->children[c], a->children[c], i, b->children[c], k);
            if (order) return order;
        }
        return 0;
    default: {
        const int64_t x = weir_get_int64(a, i), y = weir_get_int64(b, k);
        return (x > y) - (x < y);
    }
    }
}

#define EACH_ROW(test)                                                                             \
    for (i = 0; i < n; i++) {                                                                      \
        const uint32_t r = rows ? rows[i] : i;                                                     \
        bits[r >> 3] |= (uint8_t)((test) << (r & 7));                                              \
    }

static void text_bits(uint32_t op, const struct vec *a, const struct vec *b, const uint32_t *rows,
                      uint32_t n, uint8_t *bits)
{
    uint32_t i;
    if (op == EQ || op == NE) {
        const int want = op == EQ;
        EACH_ROW(bytes_equal(vec_text(a, r), vec_text(b, r)) == want);
    } else {
        EACH_ROW(holds(op, bytes_order(vec_text(a, r), vec_text(b, r))));
    }
}

static void nested_bits(uint32_t op, const struct type *type, const struct vec *a,
                        const struct vec *b, const uint32_t *rows, uint32_t n, uint8_t *bits)
{
    struct ArrowArray x, y; /* without validity, which is not this kernel's matter */
    const void *xb[3], *yb[3];
    uint32_t i;
    vec_lend(a, &x, xb);
    vec_lend(b, &y, yb);
    xb[0] = yb[0] = NULL;
    EACH_ROW(holds(op, order_of(type->schema, &x, vec_at(a, r), &y, vec_at(b, r))));
}

/* Whole bytes at a time; a constant is 0x00 or 0xff. */
static void bool_bits(uint32_t op, const struct vec *a, const struct vec *b, uint32_t n,
                      uint8_t *bits)
{
    const uint8_t ca = a->constant ? (uint8_t)-bit_get(a->values, 0) : 0;
    const uint8_t cb = b->constant ? (uint8_t)-bit_get(b->values, 0) : 0;
    const uint8_t *pa = a->values, *pb = b->values;
    uint32_t i;
    for (i = 0; i < (n + 7) / 8; i++) {
        const uint8_t x = a->constant ? ca : pa[i], y = b->constant ? cb : pb[i];
        switch (op) {
        case EQ: bits[i] = (uint8_t)~(x ^ y); break;
        case NE: bits[i] = x ^ y; break;
        case LT: bits[i] = (uint8_t)(~x & y); break;
        case LE: bits[i] = (uint8_t)(~x | y); break;
        case GT: bits[i] = (uint8_t)(x & ~y); break;
        default: bits[i] = (uint8_t)(x | ~y);
        }
    }
}

/* The operator with its sides exchanged. */
static uint32_t swapped(uint32_t op)
{
    static const uint8_t other[] = { [EQ] = EQ, [NE] = NE, [LT] = GT,
                                     [GT] = LT, [LE] = GE, [GE] = LE };
    return other[op];
}

int32_t compare_bits(struct frame *f, uint32_t op, const struct type *type, const struct vec *a,
                     const struct vec *b, const uint32_t *rows, uint32_t n, uint8_t *bits)
{
    (void)f;
    if (a->constant && !b->constant) {
        const struct vec *swap = a;
        a = b;
        b = swap;
        op = swapped(op);
    }
    if (type_is_nested(type->id)) {
        nested_bits(op, type, a, b, rows, n, bits);
    } else if (type->id == WEIR_TYPE_BOOL) {
        bool_bits(op, a, b, rows ? (n ? rows[n - 1] + 1 : 0) : n, bits);
    } else if (!type_width(type->id)) {
        text_bits(op, a, b, rows, n, bits);
    } else {
        const enum width width = width_of(type->id, b);
        const bits_fn fn = b->constant ? one_bits[width][op] : two_bits[width][op];
        fn(a->values, b->values, rows, n, bits);
    }
    return WEIR_OK;
}

int32_t kernel_compare(struct task *t, struct vec *const *kids, struct vec *out)
{
    const uint32_t *rows;
    uint32_t n;
    int32_t rc = vec_make(t->frame, out, WEIR_TYPE_BOOL, t->length);
    if (rc) return rc;
    rows = task_rows(t, &n);
    if (t->rows.rows && !type_width(kids[0]->id)) { /* text: skipping rows pays */
        rows = t->rows.rows;
        n = t->rows.n;
    }
    return compare_bits(t->frame, t->node->sub, &t->node->kids[0]->type, kids[0], kids[1], rows, n,
                        out->memory[1]);
}

/* ---- rows of a text column that equal a constant ---- */

/* The text as words of 8 bytes with the bytes behind its end masked away, for 16 bytes at most. */
struct text_constant {
    struct weir_bytes text;
    uint64_t word[2], mask[2];
};

static inline uint32_t text_matches(const struct text_constant *c, const uint8_t *p, int words)
{
    uint64_t x[2];
    uint64_t differs;
    memcpy(x, p, (size_t)words * 8);
    differs = (x[0] & c->mask[0]) ^ c->word[0];
    if (words > 1) differs |= (x[1] & c->mask[1]) ^ c->word[1];
    return differs == 0;
}

/* Rows as long as that many words can be read; returns how many were looked at, in *kept how many
 * stay. */
#define TEXT_LOOP(ROW, words, MORE)                                                                \
    for (i = 0; i < n; i++) {                                                                      \
        const uint32_t r = ROW(i);                                                                 \
        const int32_t from = offsets[r];                                                           \
        uint32_t equal;                                                                            \
        if (from > last) break;                                                                    \
        equal = text_matches(c, bytes + from, words) & (offsets[r + 1] - from == length);          \
        MORE;                                                                                      \
        out[k] = r;                                                                                \
        k += equal == want;                                                                        \
    }

static uint32_t text_words(const struct vec *a, const struct text_constant *c, uint32_t want,
                           const uint32_t *rows, uint32_t n, uint32_t *out, uint32_t *kept)
{
    const int32_t *offsets = a->values;
    const uint8_t *bytes = a->bytes;
    const int32_t length = (int32_t)c->text.length;
    const int64_t last = (int64_t)offsets[a->rows] - (length > 8 ? 16 : 8);
    uint32_t i, k = 0;
    if (length > 16) {
        const uint8_t *rest = c->text.data + 16;
        const size_t left = (size_t)length - 16;
        TEXT_LOOP(EITHER_ROWS, 2,
                  if (equal) equal = memcmp(bytes + from + 16, rest, left) == 0)
    } else if (length > 8) {
        if (rows) TEXT_LOOP(IN_ROWS, 2, )
        else TEXT_LOOP(ALL_ROWS, 2, )
    } else {
        if (rows) TEXT_LOOP(IN_ROWS, 1, )
        else TEXT_LOOP(ALL_ROWS, 1, )
    }
    *kept = k;
    return i;
}

/* Words are read only while the column's bytes reach that far; the rows behind go one by one. */
static uint32_t text_equal_rows(const struct vec *a, struct weir_bytes text, int want,
                                const uint32_t *rows, uint32_t n, uint32_t *out)
{
    const size_t head = text.length < 16 ? text.length : 16;
    struct text_constant c = { text, { 0, 0 }, { 0, 0 } };
    uint32_t i, k;
    memset(c.mask, 0xff, head);
    if (head) memcpy(c.word, text.data, head);
    i = text_words(a, &c, (uint32_t)want, rows, n, out, &k);
    for (; i < n; i++) {
        const uint32_t r = rows ? rows[i] : i;
        out[k] = r;
        k += bytes_equal(vec_text(a, r), text) == want;
    }
    return k;
}

int compare_rows(uint32_t op, const struct vec *a, const struct vec *b, uint32_t *rows,
                 uint32_t *n, int all)
{
    const uint32_t *from = all ? NULL : rows;
    enum width width;
    if (a->constant) {
        const struct vec *swap = a;
        a = b;
        b = swap;
        op = swapped(op);
    }
    if (a->constant || type_is_nested(a->id) || a->id == WEIR_TYPE_BOOL) return 0;
    if (!vec_valid(b, 0) && b->constant) {
        *n = 0;
        return 1;
    }
    if (!type_width(a->id)) {
        if (!b->constant || (op != EQ && op != NE)) return 0;
        *n = text_equal_rows(a, vec_text(b, 0), op == EQ, from, *n, rows);
    } else {
        width = width_of(a->id, b);
        if (!(b->constant && all && width <= WIDTH_64 &&
              narrow_ints(op, type_width(a->id), a->values, b->values, *n, rows, n)))
            *n = (b->constant ? one_rows[width][op] : two_rows[width][op])(a->values, b->values,
                                                                           from, *n, rows);
    }
    if (a->valid) {
        const struct rowset set = { rows, *n };
        *n = rows_split_valid(a, &set, rows, NULL);
    }
    if (b->valid && !b->constant) {
        const struct rowset set = { rows, *n };
        *n = rows_split_valid(b, &set, rows, NULL);
    }
    return 1;
}

/* ---- in ---- */

/* Distinct constants in order, for a binary search; few of them are compared one by one. */
struct item_set {
    uint32_t n;
    uint32_t has_null;
    uint32_t id;
    union {
        const int64_t *ints; /* of int32 and date too */
        const double *floats;
        const struct weir_bytes *texts;
    } of;
};

static int item_order(uint32_t id, const struct item_set *set, uint32_t i, uint32_t k)
{
    if (id == WEIR_TYPE_FLOAT64) {
        const double x = set->of.floats[i], y = set->of.floats[k];
        return f64_gt(x, y) - f64_lt(x, y);
    }
    if (type_width(id)) {
        const int64_t x = set->of.ints[i], y = set->of.ints[k];
        return (x > y) - (x < y);
    }
    return bytes_order(set->of.texts[i], set->of.texts[k]);
}

static void item_sift(uint32_t id, const struct item_set *set, uint32_t *heap, uint32_t at,
                      uint32_t n)
{
    for (;;) {
        uint32_t big = 2 * at + 1, swap;
        if (big >= n) return;
        if (big + 1 < n && item_order(id, set, heap[big], heap[big + 1]) < 0) big++;
        if (item_order(id, set, heap[at], heap[big]) >= 0) return;
        swap = heap[at];
        heap[at] = heap[big];
        heap[big] = swap;
        at = big;
    }
}

static void item_read(struct item_set *set, void *values, uint32_t at, const struct node *item)
{
    const struct ArrowArray *value = &item->value;
    if (set->id == WEIR_TYPE_FLOAT64) ((double *)values)[at] = weir_get_float64(value, 0);
    else if (!type_width(set->id)) ((struct weir_bytes *)values)[at] = weir_get_bytes(value, 0);
    else if (type_width(set->id) == 4) ((int64_t *)values)[at] = weir_get_int32(value, 0);
    else ((int64_t *)values)[at] = weir_get_int64(value, 0);
}

const struct item_set *item_set_make(struct arena *arena, const struct type *type,
                                     struct node *const *items, uint32_t n)
{
    const uint32_t width = type_width(type->id) ? 8 : sizeof(struct weir_bytes);
    struct item_set *set = arena_alloc(arena, sizeof *set);
    uint8_t *values = arena_alloc(arena, (uint64_t)(n + 1) * width);
    uint8_t *sorted = arena_alloc(arena, (uint64_t)(n + 1) * width);
    uint32_t *heap = arena_alloc(arena, (uint64_t)(n + 1) * sizeof *heap);
    uint32_t i, swap;
    if (!set || !values || !sorted || !heap) return NULL;
    set->id = type->id;
    for (i = 0; i < n; i++) {
        if (weir_is_null(&items[i]->value, 0)) set->has_null = 1;
        else item_read(set, values, set->n++, items[i]);
    }
    set->of.ints = (const int64_t *)(const void *)values;
    for (i = 0; i < set->n; i++) heap[i] = i;
    for (i = set->n / 2; i-- > 0;) item_sift(type->id, set, heap, i, set->n);
    for (i = set->n; i-- > 1;) {
        swap = heap[0];
        heap[0] = heap[i];
        heap[i] = swap;
        item_sift(type->id, set, heap, 0, i);
    }
    for (i = 0; i < set->n; i++)
        memcpy(sorted + (uint64_t)i * width, values + (uint64_t)heap[i] * width, width);
    set->of.ints = (const int64_t *)(const void *)sorted;
    return set;
}

#define FIND(name, T, field, LESS, EQUAL)                                                          \
    static int name(const struct item_set *set, T x)                                               \
    {                                                                                              \
        uint32_t low = 0, high = set->n;                                                           \
        if (high <= 6) {                                                                           \
            int found = 0;                                                                         \
            for (; low < high; low++) found |= EQUAL(set->of.field[low], x);                       \
            return found;                                                                          \
        }                                                                                          \
        while (low < high) {                                                                       \
            const uint32_t mid = low + (high - low) / 2;                                           \
            if (LESS(set->of.field[mid], x)) low = mid + 1;                                        \
            else high = mid;                                                                       \
        }                                                                                          \
        return low < set->n && EQUAL(set->of.field[low], x);                                       \
    }

#define BYTES_LESS(x, y) (bytes_order(x, y) < 0)
FIND(find_int, int64_t, ints, i64_lt, i64_eq)
FIND(find_float, double, floats, f64_lt, f64_eq)
FIND(find_text, struct weir_bytes, texts, BYTES_LESS, bytes_equal)

/* kids[0] in the set of the node. Not found beside a null is null. */
int32_t kernel_in(struct task *t, struct vec *const *kids, struct vec *out)
{
    const struct item_set *set = t->node->set;
    const struct vec *x = kids[0];
    const uint32_t *rows = t->rows.rows;
    const uint32_t n = t->rows.n;
    uint8_t *bits, *mask;
    uint32_t i;
    int32_t rc = vec_make(t->frame, out, WEIR_TYPE_BOOL, t->length);
    if (rc) return rc;
    bits = out->memory[1];
    if (x->id == WEIR_TYPE_FLOAT64) {
        EACH_ROW(find_float(set, ((const double *)x->values)[r]));
    } else if (!type_width(x->id)) {
        EACH_ROW(find_text(set, vec_text(x, r)));
    } else if (type_width(x->id) == 4) {
        EACH_ROW(find_int(set, ((const int32_t *)x->values)[r]));
    } else {
        EACH_ROW(find_int(set, ((const int64_t *)x->values)[r]));
    }
    if (set->has_null) {
        rc = vec_mask(t->frame, out);
        if (rc) return rc;
        mask = out->memory[0];
        for (i = 0; i < bits_size(t->length); i++) mask[i] &= bits[i];
    }
    if (t->node->sub)
        for (i = 0; i < bits_size(t->length); i++) bits[i] = (uint8_t)~bits[i];
    return WEIR_OK;
}
