/*
 * aggregate_percentile.c - approx_percentile(x, p): the value of rank ceil(p · n), from the least.
 *
 * Up to 512 values are kept as they are, and the result is one of them. Then they become a
 * t-digest (Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019): at
 * most some 200 centroids (mean, weight) in ascending order, small at both ends, with further values
 * gathered beside them until there are 512 again. The rank error is about 0.5 % in the
 * middle and falls to nothing at the ends.
 *
 * The cell: struct head, n_centroids times (mean, weight), n_values values. Infinities and NaN, which is
 * greatest, are only counted. Values enter one by one, so the cell depends on the order of
 * the rows alone and not on how they were cut into chunks.
 */
#include "blob.h"

#include <math.h>
#include <stdlib.h>

#define VALUES_MAX 512u
#define COMPRESSION 200.0
#define CENTROIDS_MAX 512u /* of any digest; compressing leaves fewer than COMPRESSION + 2 */

struct head {
    uint64_t n_nan, n_low, n_high; /* NaN, -Infinity, Infinity */
    double least, greatest;        /* of the finite ones */
    uint32_t n_centroids, n_values;
};

struct centroid {
    double mean, weight;
};

struct digest {
    struct head head;
    struct centroid centroids[CENTROIDS_MAX];
    double values[VALUES_MAX];
    struct centroid points[2 * CENTROIDS_MAX + 2 * VALUES_MAX]; /* scratch */
    uint32_t n_points;
};

struct percentile_bound {
    struct typed_bound base;
    double p;
};

static void load(struct digest *d, struct weir_bytes cell)
{
    memset(&d->head, 0, sizeof d->head);
    if (cell.length == 0) return;
    memcpy(&d->head, cell.data, sizeof d->head);
    cell.data += sizeof d->head;
    memcpy(d->centroids, cell.data, d->head.n_centroids * sizeof *d->centroids);
    cell.data += d->head.n_centroids * sizeof *d->centroids;
    memcpy(d->values, cell.data, d->head.n_values * sizeof *d->values);
}

static int32_t save(const struct weir_host *host, const struct digest *d, struct weir_buffer *to)
{
    to->length = 0;
    int32_t rc = blob_add(host, to, &d->head, sizeof d->head);
    if (!rc) rc = blob_add(host, to, d->centroids, d->head.n_centroids * sizeof *d->centroids);
    return rc ? rc : blob_add(host, to, d->values, d->head.n_values * sizeof *d->values);
}

/* ---- compressing ---- */

static int compare_points(const void *x, const void *y)
{
    const struct centroid *a = x, *b = y;
    if (a->mean != b->mean) return a->mean < b->mean ? -1 : 1;
    return (a->weight > b->weight) - (a->weight < b->weight);
}

static void add_points(struct digest *d, const struct centroid *centroids, uint32_t n,
                       const double *values, uint32_t n_values)
{
    for (uint32_t i = 0; i < n; i++) d->points[d->n_points++] = centroids[i];
    for (uint32_t i = 0; i < n_values; i++)
        d->points[d->n_points++] = (struct centroid){ values[i], 1 };
}

/* How far a centroid that begins at part q may reach: one step of the scale k(q) = asin(2q - 1). */
static double reach(double q)
{
    const double k = asin(2 * q - 1) + 2 * acos(-1) / COMPRESSION;
    return k >= acos(-1) / 2 ? 1 : (sin(k) + 1) / 2;
}

/* The points as centroids. */
static void compress(struct digest *d)
{
    double total = 0, done = 0, limit;
    struct centroid now;
    uint32_t n = 0;
    qsort(d->points, d->n_points, sizeof *d->points, compare_points);
    for (uint32_t i = 0; i < d->n_points; i++) total += d->points[i].weight;
    now = d->points[0];
    limit = reach(0);
    for (uint32_t i = 1; i < d->n_points; i++) {
        const struct centroid *next = &d->points[i];
        if ((done + now.weight + next->weight) / total <= limit) {
            now.weight += next->weight;
            now.mean += (next->mean - now.mean) * (next->weight / now.weight);
            continue;
        }
        d->centroids[n++] = now;
        done += now.weight;
        limit = reach(done / total);
        now = *next;
    }
    d->centroids[n++] = now;
    d->head.n_centroids = n;
    d->head.n_values = d->n_points = 0;
}

static void bounds(struct digest *d, double least, double greatest)
{
    const int first = d->head.n_centroids + d->head.n_values == 0;
    if (first || least < d->head.least) d->head.least = least;
    if (first || greatest > d->head.greatest) d->head.greatest = greatest;
}

static void add(struct digest *d, double x)
{
    if (x != x) d->head.n_nan++;
    else if (x == -INFINITY) d->head.n_low++;
    else if (x == INFINITY) d->head.n_high++;
    if (!isfinite(x)) return;
    if (d->head.n_values == VALUES_MAX) {
        add_points(d, d->centroids, d->head.n_centroids, d->values, d->head.n_values);
        compress(d);
    }
    bounds(d, x, x);
    d->values[d->head.n_values++] = x;
}

static void add_digest(struct digest *d, struct digest *other, struct weir_bytes cell)
{
    load(other, cell);
    if (other->head.n_centroids) {
        bounds(d, other->head.least, other->head.greatest);
        add_points(d, d->centroids, d->head.n_centroids, d->values, d->head.n_values);
        add_points(d, other->centroids, other->head.n_centroids, NULL, 0);
        compress(d);
    }
    for (uint32_t i = 0; i < other->head.n_values; i++) add(d, other->values[i]);
    d->head.n_nan += other->head.n_nan;
    d->head.n_low += other->head.n_low;
    d->head.n_high += other->head.n_high;
}

/* ---- asking ---- */

/* The value at rank `rank` (from 1) of the sorted points; between centroids by interpolation. */
static double value_at_rank(struct digest *d, double rank)
{
    const double at = rank - 0.5;
    double before = 0;
    for (uint32_t i = 0; i < d->n_points; i++) {
        const struct centroid *c = &d->points[i];
        const double middle = before + c->weight / 2;
        if (c->weight == 1 && at >= before && at <= before + 1) return c->mean;
        if (at <= middle || i + 1 == d->n_points) {
            const struct centroid *left = i ? c - 1 : NULL;
            const double from = left ? before - left->weight / 2 : 0;
            double low = left ? left->mean : d->head.least, high = c->mean, part;
            if (at > middle) { /* behind the last one */
                part = (at - middle) / (c->weight / 2);
                return c->mean + (d->head.greatest - c->mean) * part;
            }
            part = middle > from ? (at - from) / (middle - from) : 1;
            return low + (high - low) * part;
        }
        before += c->weight;
    }
    return d->head.greatest;
}

/* 0: there are no values. */
static int percentile(struct digest *d, double p, double *result)
{
    double finite = 0, all, rank;
    d->n_points = 0;
    add_points(d, d->centroids, d->head.n_centroids, d->values, d->head.n_values);
    qsort(d->points, d->n_points, sizeof *d->points, compare_points);
    for (uint32_t i = 0; i < d->n_points; i++) finite += d->points[i].weight;
    all = finite + (double)d->head.n_low + (double)d->head.n_high + (double)d->head.n_nan;
    if (all == 0) return 0;
    rank = ceil(p * all);
    if (rank < 1) rank = 1;
    if (rank <= (double)d->head.n_low) *result = -INFINITY;
    else if (rank <= (double)d->head.n_low + finite)
        *result = value_at_rank(d, rank - (double)d->head.n_low);
    else if (rank <= all - (double)d->head.n_nan) *result = INFINITY;
    else *result = NAN;
    return 1;
}

/* ---- the aggregate ---- */

struct summing {
    const struct typed_bound *bound;
    const struct weir_cells *cells;
    const struct weir_call *call;
    struct weir_buffer bytes;
    struct digest digest, other;
};

static int32_t put(struct summing *s, uint32_t slot)
{
    int32_t rc = save(s->bound->base.host, &s->digest, &s->bytes);
    return rc ? rc
              : s->cells->put(s->cells, 0, slot,
                              (struct weir_bytes){ s->bytes.data, s->bytes.length });
}

static int32_t add_values(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct summing *s = arg;
    const struct ArrowArray *a = s->call->args[0];
    uint32_t added = 0;
    load(&s->digest, s->cells->get(s->cells, 0, slot));
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t at = value_at(s->call, 0, rows[i]);
        if (weir_is_null(a, at)) continue;
        add(&s->digest, s->bound->base.types[0] == WEIR_TYPE_FLOAT64 ? weir_get_float64(a, at)
                        : s->bound->base.types[0] == WEIR_TYPE_INT32
                            ? weir_get_int32(a, at)
                            : (double)weir_get_int64(a, at));
        added = 1;
    }
    return added ? put(s, slot) : WEIR_OK;
}

static int32_t add_partials(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct summing *s = arg;
    load(&s->digest, s->cells->get(s->cells, 0, slot));
    for (uint32_t i = 0; i < n; i++) {
        const struct weir_bytes part = weir_get_bytes(s->call->args[0], rows[i]);
        if (part.length) add_digest(&s->digest, &s->other, part);
    }
    return put(s, slot);
}

static int32_t step(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                    const struct weir_call *call, slot_fn fn, struct weir_error *error)
{
    const struct weir_host *host = ((struct bound *)bound)->host;
    struct summing *s = host->alloc(sizeof *s);
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->bound = bound;
    s->cells = cells;
    s->call = call;
    s->digest.n_points = s->other.n_points = 0;
    memset(&s->bytes, 0, sizeof s->bytes);
    int32_t rc = each_slot(host, slots, call, fn, s, error);
    host->free(s->bytes.data);
    host->free(s);
    return rc;
}

BIND_AGGREGATE(approx_percentile)
{
    struct percentile_bound *b;
    int32_t rc = bind_blob(host, "approx_percentile", "nn", WEIR_TYPE_FLOAT64, sizeof *b,
                           WEIR_AGGREGATE_ORDERED, args, n_args, plan, bound, error);
    if (rc) return rc;
    b = *bound;
    b->p = -1;
    if (is_literal(&args[1]))
        b->p = b->base.base.types[1] == WEIR_TYPE_FLOAT64
                   ? weir_get_float64(args[1].value, 0)
                   : (double)weir_get_int64(args[1].value, 0);
    if (b->p >= 0 && b->p <= 1) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "the part of approx_percentile is a literal from 0 to 1");
}
STEP(approx_percentile_update) { return step(bound, cells, slots, call, add_values, error); }
STEP(approx_percentile_merge) { return step(bound, cells, slots, call, add_partials, error); }

FINISH(approx_percentile)
{
    struct digest *d = host->alloc(sizeof *d);
    void *values;
    int32_t rc;
    (void)failed;
    (void)reason;
    if (!d) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = result_begin(bound, WEIR_TYPE_FLOAT64, n, out, &values, error);
    for (uint32_t i = 0; i < n && !rc; i++) {
        load(d, cells->get(cells, 0, slot_of(slots, from, i)));
        if (!percentile(d, ((struct percentile_bound *)bound)->p, &((double *)values)[i]))
            result_null(out, i);
    }
    if (!rc) result_end(out);
    host->free(d);
    return rc;
}
BLOB_TABLE(approx_percentile, approx_percentile_finish)
