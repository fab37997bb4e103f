/*
 * aggregate_sum.c - count, sum, avg, var, stddev.
 *
 * sum of integers: 128 bits in two int64 columns, so that the order of rows never matters and
 * only a result that does not fit fails. Sums of floats: `sum` and the error that the additions
 * lost (2Sum after Knuth), added up apart; the result is both together. So partial sums merge to
 * what one long sum gives. Infinities and NaN show in `sum` alone, where the error has no
 * meaning.
 *
 * var: sums of x and of x squared in the same way (the product's own error by fma), which leaves
 * twice the digits to lose in the difference.
 */
#include "aggregate.h"

#include <math.h>

typedef __int128 int128;

/* ---- count ---- */

static const struct weir_table_column count_columns[] = { { "n", WEIR_TYPE_INT64, 0 } };

static int32_t count_bind(const struct weir_host *host, const struct weir_argument *args,
                          uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                          struct weir_error *error)
{
    struct weir_argument any[1];
    if (n_args == 1) { /* anything can be counted, nested values too */
        any[0] = args[0];
        n_args = 0;
    }
    return bind_aggregate(host, "count", "", WEIR_TYPE_INT64, count_columns, 1,
                          WEIR_AGGREGATE_INVERSE, any, n_args, plan, bound, error);
}

static int32_t count_update(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                            const struct weir_call *call, struct weir_error *error)
{
    const int all = call->n_args == 0 || !call->args[0]->buffers[0];
    const struct weir_view n = cells->views[0];
    uint32_t i;
    (void)bound;
    (void)error;
    if (all) {
        for (i = 0; i < call->selected; i++)
            ++*(int64_t *)(void *)(n.base + slots[i] * n.stride);
    } else {
        for (i = 0; i < call->selected; i++)
            CELL(int64_t, cells, 0, slots[i]) += !value_is_null(call, 0, call_row(call, i));
    }
    return WEIR_OK;
}

static int32_t count_merge(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                           const struct weir_call *call, struct weir_error *error)
{
    uint32_t i;
    (void)bound;
    (void)error;
    for (i = 0; i < call->selected; i++)
        CELL(int64_t, cells, 0, slots[i]) += weir_get_int64(call->args[0], call_row(call, i));
    return WEIR_OK;
}

static int32_t count_inverse(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                             const struct weir_call *call, struct weir_error *error)
{
    uint32_t i;
    (void)bound;
    (void)error;
    for (i = 0; i < call->selected; i++)
        CELL(int64_t, cells, 0, slots[i]) -= weir_get_int64(call->args[0], call_row(call, i));
    return WEIR_OK;
}

static int32_t count_finish(const struct weir_host *host, void *bound,
                            const struct weir_cells *cells, const uint32_t *slots, uint32_t from,
                            uint32_t n, uint8_t *failed, char *reason, struct ArrowArray *out,
                            struct weir_error *error)
{
    void *values;
    uint32_t i;
    int32_t rc = result_begin(bound, WEIR_TYPE_INT64, n, out, &values, error);
    (void)host;
    (void)failed;
    (void)reason;
    if (rc) return rc;
    for (i = 0; i < n; i++)
        ((int64_t *)values)[i] = CELL(int64_t, cells, 0, slot_of(slots, from, i));
    result_end(out);
    return WEIR_OK;
}
AGGREGATE_TABLE(count, count_bind, count_update, count_merge, count_inverse, count_finish)

/* ---- sums: columns of integers low, high, n; of floats sum, error, n ---- */

static const struct weir_table_column int_columns[] = { { "low", WEIR_TYPE_INT64, 0 },
                                                        { "high", WEIR_TYPE_INT64, 0 },
                                                        { "n", WEIR_TYPE_INT64, 0 } };
static const struct weir_table_column float_columns[] = { { "sum", WEIR_TYPE_FLOAT64, 0 },
                                                          { "error", WEIR_TYPE_FLOAT64, 0 },
                                                          { "n", WEIR_TYPE_INT64, 0 } };

static int32_t sums_bind(const struct weir_host *host, const char *name, int average,
                         const struct weir_argument *args, uint32_t n_args,
                         struct weir_aggregate_plan *plan, void **bound, struct weir_error *error)
{
    const int floats = n_args && argument_type(args[0].schema) == WEIR_TYPE_FLOAT64;
    return bind_aggregate(host, name, "n", floats || average ? WEIR_TYPE_FLOAT64 : WEIR_TYPE_INT64,
                          floats ? float_columns : int_columns, 3,
                          floats ? 0 : WEIR_AGGREGATE_INVERSE, args, n_args, plan, bound, error);
}

static int32_t sum_bind(const struct weir_host *host, const struct weir_argument *args,
                        uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                        struct weir_error *error)
{
    return sums_bind(host, "sum", 0, args, n_args, plan, bound, error);
}

static int32_t avg_bind(const struct weir_host *host, const struct weir_argument *args,
                        uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                        struct weir_error *error)
{
    return sums_bind(host, "avg", 1, args, n_args, plan, bound, error);
}

static inline void add_int(const struct weir_cells *cells, uint32_t slot, int64_t x)
{
    uint64_t *low = &CELL(uint64_t, cells, 0, slot);
    const uint64_t sum = *low + (uint64_t)x;
    CELL(int64_t, cells, 1, slot) += (x >> 63) + (sum < *low);
    *low = sum;
    CELL(int64_t, cells, 2, slot)++;
}

/* *sum + x; what rounding lost goes to *lost */
static inline void add_float(double *sum, double *lost, double x)
{
    const double total = *sum + x, part = total - *sum;
    *lost += (*sum - (total - part)) + (x - part);
    *sum = total;
}

static inline void add_double(const struct weir_cells *cells, uint32_t slot, double x)
{
    add_float(&CELL(double, cells, 0, slot), &CELL(double, cells, 1, slot), x);
    CELL(int64_t, cells, 2, slot)++;
}

/* for each row that counts: where its value stands, as `row`, and its slot */
#define EACH_VALUE                                                                                 \
    for (uint32_t i = 0, row, slot; i < call->selected; i++)                                       \
        if (row = value_at(call, 0, call_row(call, i)), slot = slots[i],                           \
            !weir_is_null(call->args[0], row))

/* the same where there are no nulls and no constant */
#define EACH_PLAIN                                                                                 \
    for (uint32_t i = 0, row, slot; i < call->selected &&                                          \
         (row = call->selection ? call->selection[i] : i, slot = slots[i], 1); i++)

static int is_plain(const struct weir_call *call)
{
    return !call->args[0]->buffers[0] && !(call->constant && call->constant[0]);
}

/* Integers without nulls, of records where all three cells lie at one distance. */
static void add_ints(const struct weir_cells *cells, const uint32_t *slots,
                     const struct weir_call *call)
{
    const struct weir_view *views = cells->views;
    uint8_t *const low = views[0].base, *const high = views[1].base, *const n = views[2].base;
    const int64_t *values = call->args[0]->buffers[1];
    const uint64_t stride = views[0].stride;
    const uint32_t *rows = call->selection, selected = call->selected;
    for (uint32_t i = 0; i < selected; i++) {
        const int64_t x = values[rows ? rows[i] : i];
        const uint64_t at = slots[i] * stride;
        uint64_t *sum = (uint64_t *)(void *)(low + at);
        const int carry = __builtin_add_overflow(*sum, (uint64_t)x, sum);
        *(int64_t *)(void *)(high + at) += (x >> 63) + carry;
        ++*(int64_t *)(void *)(n + at);
    }
}

static int is_even(const struct weir_cells *cells, const struct weir_call *call)
{
    const struct weir_view *v = cells->views;
    return is_plain(call) && v[0].stride == v[1].stride && v[0].stride == v[2].stride;
}

static int32_t sum_update(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                          const struct weir_call *call, struct weir_error *error)
{
    const struct bound *b = bound;
    const int64_t *ints = call->args[0]->buffers[1];
    const int32_t *shorts = call->args[0]->buffers[1];
    const double *floats = call->args[0]->buffers[1];
    /* copies that no cell can be: else each store would have them read again */
    struct weir_view views[3] = { cells->views[0], cells->views[1], cells->views[2] };
    const struct weir_cells own = { .views = views };
    cells = &own;
    (void)error;
    if (b->types[0] == WEIR_TYPE_INT64 && is_even(cells, call)) {
        add_ints(cells, slots, call);
    } else if (b->types[0] == WEIR_TYPE_INT64) {
        EACH_VALUE add_int(cells, slot, ints[row]);
    } else if (b->types[0] == WEIR_TYPE_INT32) {
        EACH_VALUE add_int(cells, slot, shorts[row]);
    } else if (b->types[0] == WEIR_TYPE_FLOAT64 && is_plain(call)) {
        EACH_PLAIN add_double(cells, slot, floats[row]);
    } else if (b->types[0] == WEIR_TYPE_FLOAT64) {
        EACH_VALUE add_double(cells, slot, floats[row]);
    } /* a bare null adds nothing */
    return WEIR_OK;
}

static void move_int(const struct weir_cells *cells, uint32_t slot, const struct weir_call *call,
                     uint32_t row, int add)
{
    uint64_t *low = &CELL(uint64_t, cells, 0, slot), *high = &CELL(uint64_t, cells, 1, slot);
    const unsigned __int128 x =
        (unsigned __int128)(uint64_t)weir_get_int64(call->args[1], row) << 64 |
        (uint64_t)weir_get_int64(call->args[0], row);
    unsigned __int128 sum = (unsigned __int128)*high << 64 | *low;
    sum = add ? sum + x : sum - x;
    *low = (uint64_t)sum;
    *high = (uint64_t)(sum >> 64);
}

static int32_t sum_merge(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                         const struct weir_call *call, struct weir_error *error)
{
    const struct bound *b = bound;
    uint32_t i;
    (void)error;
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i), slot = slots[i];
        if (b->types[0] == WEIR_TYPE_FLOAT64) {
            double *lost = &CELL(double, cells, 1, slot);
            add_float(&CELL(double, cells, 0, slot), lost, weir_get_float64(call->args[0], row));
            *lost += weir_get_float64(call->args[1], row);
        } else {
            move_int(cells, slot, call, row, 1);
        }
        CELL(int64_t, cells, 2, slot) += weir_get_int64(call->args[2], row);
    }
    return WEIR_OK;
}

static int32_t sum_inverse(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                           const struct weir_call *call, struct weir_error *error)
{
    uint32_t i;
    (void)bound;
    (void)error;
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i);
        move_int(cells, slots[i], call, row, 0);
        CELL(int64_t, cells, 2, slots[i]) -= weir_get_int64(call->args[2], row);
    }
    return WEIR_OK;
}

static int128 sum_of_ints(const struct weir_cells *cells, uint32_t slot)
{
    return (int128)((unsigned __int128)CELL(uint64_t, cells, 1, slot) << 64 |
                    CELL(uint64_t, cells, 0, slot));
}

static double sum_of_floats(const struct weir_cells *cells, uint32_t slot)
{
    const double sum = CELL(double, cells, 0, slot);
    return isfinite(sum) ? sum + CELL(double, cells, 1, slot) : sum;
}

static int32_t sum_finish(const struct weir_host *host, void *bound, const struct weir_cells *cells,
                          const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,
                          char *reason, struct ArrowArray *out, struct weir_error *error)
{
    const struct bound *b = bound;
    const int floats = b->types[0] == WEIR_TYPE_FLOAT64;
    void *values;
    uint32_t i;
    int32_t rc = result_begin(b, floats ? WEIR_TYPE_FLOAT64 : WEIR_TYPE_INT64, n, out, &values,
                              error);
    (void)host;
    if (rc) return rc;
    for (i = 0; i < n; i++) {
        const uint32_t slot = slot_of(slots, from, i);
        /* what inverses left of more than was added is a sum, too */
        if (CELL(int64_t, cells, 2, slot) == 0 && (floats || sum_of_ints(cells, slot) == 0)) {
            result_null(out, i);
        } else if (floats) {
            ((double *)values)[i] = sum_of_floats(cells, slot);
        } else {
            const int128 sum = sum_of_ints(cells, slot);
            ((int64_t *)values)[i] = (int64_t)sum;
            if (sum == (int64_t)sum) continue;
            failed[i] = 1;
            snprintf(reason, 128, "the sum overflows int64");
        }
    }
    result_end(out);
    return WEIR_OK;
}
AGGREGATE_TABLE(sum, sum_bind, sum_update, sum_merge, sum_inverse, sum_finish)

static int32_t avg_finish(const struct weir_host *host, void *bound, const struct weir_cells *cells,
                          const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,
                          char *reason, struct ArrowArray *out, struct weir_error *error)
{
    const struct bound *b = bound;
    const int floats = b->types[0] == WEIR_TYPE_FLOAT64;
    void *values;
    uint32_t i;
    int32_t rc = result_begin(b, WEIR_TYPE_FLOAT64, n, out, &values, error);
    (void)host;
    (void)failed;
    (void)reason;
    if (rc) return rc;
    for (i = 0; i < n; i++) {
        const uint32_t slot = slot_of(slots, from, i);
        const int64_t count = CELL(int64_t, cells, 2, slot);
        const double sum = floats ? sum_of_floats(cells, slot) : (double)sum_of_ints(cells, slot);
        if (count == 0) result_null(out, i);
        else ((double *)values)[i] = sum / (double)count;
    }
    result_end(out);
    return WEIR_OK;
}
AGGREGATE_TABLE(avg, avg_bind, sum_update, sum_merge, sum_inverse, avg_finish)

/* ---- variance: sum, its error, sum of squares, its error, n ---- */

static const struct weir_table_column var_columns[] = { { "sum", WEIR_TYPE_FLOAT64, 0 },
                                                        { "sum_error", WEIR_TYPE_FLOAT64, 0 },
                                                        { "squares", WEIR_TYPE_FLOAT64, 0 },
                                                        { "squares_error", WEIR_TYPE_FLOAT64, 0 },
                                                        { "n", WEIR_TYPE_INT64, 0 } };

static int32_t var_bind(const struct weir_host *host, const struct weir_argument *args,
                        uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                        struct weir_error *error)
{
    return bind_aggregate(host, "var", "n", WEIR_TYPE_FLOAT64, var_columns, 5, 0, args, n_args,
                          plan, bound, error);
}

static int32_t stddev_bind(const struct weir_host *host, const struct weir_argument *args,
                           uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                           struct weir_error *error)
{
    return bind_aggregate(host, "stddev", "n", WEIR_TYPE_FLOAT64, var_columns, 5, 0, args, n_args,
                          plan, bound, error);
}

static double number_at(const struct bound *b, const struct ArrowArray *a, uint32_t row)
{
    if (b->types[0] == WEIR_TYPE_FLOAT64) return weir_get_float64(a, row);
    if (b->types[0] == WEIR_TYPE_INT32) return weir_get_int32(a, row);
    return (double)weir_get_int64(a, row);
}

static int32_t var_update(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                          const struct weir_call *call, struct weir_error *error)
{
    const struct bound *b = bound;
    (void)error;
    EACH_VALUE {
        const double x = number_at(b, call->args[0], row), square = x * x;
        double *lost = &CELL(double, cells, 3, slot);
        add_float(&CELL(double, cells, 0, slot), &CELL(double, cells, 1, slot), x);
        add_float(&CELL(double, cells, 2, slot), lost, square);
        *lost += fma(x, x, -square);
        CELL(int64_t, cells, 4, slot)++;
    }
    return WEIR_OK;
}

static int32_t var_merge(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                         const struct weir_call *call, struct weir_error *error)
{
    uint32_t i, k;
    (void)bound;
    (void)error;
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i), slot = slots[i];
        for (k = 0; k < 4; k += 2) {
            double *sum = &CELL(double, cells, k, slot), *lost = &CELL(double, cells, k + 1, slot);
            add_float(sum, lost, weir_get_float64(call->args[k], row));
            *lost += weir_get_float64(call->args[k + 1], row);
        }
        CELL(int64_t, cells, 4, slot) += weir_get_int64(call->args[4], row);
    }
    return WEIR_OK;
}

/* (Σx² - (Σx)²/n) / (n - 1), the difference in twice the precision */
static double variance(const struct weir_cells *cells, uint32_t slot)
{
    const double sum = CELL(double, cells, 0, slot), sum_lost = CELL(double, cells, 1, slot);
    const double squares = CELL(double, cells, 2, slot), n = (double)CELL(int64_t, cells, 4, slot);
    const double product = sum * sum;
    const double product_lost = fma(sum, sum, -product) + 2 * sum * sum_lost;
    const double mean = product / n, mean_lost = (fma(-mean, n, product) + product_lost) / n;
    const double difference = squares - mean + (CELL(double, cells, 3, slot) - mean_lost);
    if (!isfinite(squares) || !isfinite(product)) return NAN;
    return difference > 0 ? difference / (n - 1) : 0;
}

static int32_t spread(const struct bound *b, const struct weir_cells *cells, const uint32_t *slots,
                      uint32_t from, uint32_t n, int root, struct ArrowArray *out,
                      struct weir_error *error)
{
    void *values;
    uint32_t i;
    int32_t rc = result_begin(b, WEIR_TYPE_FLOAT64, n, out, &values, error);
    if (rc) return rc;
    for (i = 0; i < n; i++) {
        const uint32_t slot = slot_of(slots, from, i);
        if (CELL(int64_t, cells, 4, slot) < 2) result_null(out, i);
        else
            ((double *)values)[i] = root ? sqrt(variance(cells, slot)) : variance(cells, slot);
    }
    result_end(out);
    return WEIR_OK;
}

static int32_t var_finish(const struct weir_host *host, void *bound, const struct weir_cells *cells,
                          const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,
                          char *reason, struct ArrowArray *out, struct weir_error *error)
{
    (void)host;
    (void)failed;
    (void)reason;
    return spread(bound, cells, slots, from, n, 0, out, error);
}

static int32_t stddev_finish(const struct weir_host *host, void *bound,
                             const struct weir_cells *cells, const uint32_t *slots, uint32_t from,
                             uint32_t n, uint8_t *failed, char *reason, struct ArrowArray *out,
                             struct weir_error *error)
{
    (void)host;
    (void)failed;
    (void)reason;
    return spread(bound, cells, slots, from, n, 1, out, error);
}
AGGREGATE_TABLE(var, var_bind, var_update, var_merge, NULL, var_finish)
AGGREGATE_TABLE(stddev, stddev_bind, var_update, var_merge, NULL, stddev_finish)
