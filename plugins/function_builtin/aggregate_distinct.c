/*
 * aggregate_distinct.c - approx_count_distinct: HyperLogLog over XXH64 of the values.
 *
 * Up to 256 different hashes the cell holds them all, ascending, and the count is exact. Then it
 * becomes 4,096 registers: the first 12 bits of a hash choose one, which keeps the greatest number of
 * leading zeros, plus one, of the rest. Both forms depend on the set of values only, so the
 * order of rows and the ways that partial states are merged make no difference.
 *
 * The count is that of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
 * (2017): without bias over the whole range, standard error 1.04 / sqrt(4096) = 1.6 %.
 */
#include "blob.h"

#include <math.h>
#include <xxhash.h>

#define HASHES_MAX 256u
#define BITS 12u
#define REGISTERS (1u << BITS)
#define ZEROS (64u - BITS)

struct sketch {
    uint32_t n; /* hashes, or UINT32_MAX: registers */
    uint64_t hashes[HASHES_MAX + 1];
    uint8_t registers[REGISTERS];
};

#define IS_DENSE UINT32_MAX

static void load(struct sketch *s, struct weir_bytes cell)
{
    if (cell.length == REGISTERS) {
        s->n = IS_DENSE;
        memcpy(s->registers, cell.data, REGISTERS);
        return;
    }
    s->n = (uint32_t)(cell.length / 8);
    if (s->n) memcpy(s->hashes, cell.data, cell.length);
}

static struct weir_bytes bytes_of(const struct sketch *s)
{
    if (s->n == IS_DENSE) return (struct weir_bytes){ s->registers, REGISTERS };
    return (struct weir_bytes){ (const uint8_t *)s->hashes, (uint64_t)s->n * 8 };
}

/* 1 if the sketch changed. */
static int add_dense(struct sketch *s, uint64_t hash)
{
    const uint64_t rest = hash << BITS;
    const uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : (int)ZEROS + 1);
    uint8_t *at = &s->registers[hash >> ZEROS];
    if (*at >= rank) return 0;
    *at = rank;
    return 1;
}

static int add(struct sketch *s, uint64_t hash)
{
    uint32_t low = 0, high = s->n;
    if (s->n == IS_DENSE) return add_dense(s, hash);
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (s->hashes[middle] < hash) low = middle + 1;
        else high = middle;
    }
    if (low < s->n && s->hashes[low] == hash) return 0;
    memmove(s->hashes + low + 1, s->hashes + low, (s->n - low) * sizeof *s->hashes);
    s->hashes[low] = hash;
    if (++s->n <= HASHES_MAX) return 1;
    memset(s->registers, 0, sizeof s->registers);
    for (uint32_t i = 0; i < s->n; i++) add_dense(s, s->hashes[i]);
    s->n = IS_DENSE;
    return 1;
}

static int add_sketch(struct sketch *s, struct weir_bytes other)
{
    int changed = 0;
    if (other.length != REGISTERS) {
        for (uint64_t i = 0; i + 8 <= other.length; i += 8) {
            uint64_t hash;
            memcpy(&hash, other.data + i, 8);
            changed |= add(s, hash);
        }
        return changed;
    }
    if (s->n != IS_DENSE) { /* few hashes into many registers, not the other way */
        const uint32_t n = s->n;
        memcpy(s->registers, other.data, REGISTERS);
        for (uint32_t i = 0; i < n; i++) add_dense(s, s->hashes[i]);
        s->n = IS_DENSE;
        return 1;
    }
    for (uint32_t i = 0; i < REGISTERS; i++) {
        if (s->registers[i] >= other.data[i]) continue;
        s->registers[i] = other.data[i];
        changed = 1;
    }
    return changed;
}

static double sigma(double x)
{
    double y = 1, z = x, before;
    if (x == 1) return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

static int64_t estimate(const struct sketch *s)
{
    uint32_t counts[ZEROS + 2] = { 0 };
    const double m = REGISTERS;
    double z;
    if (s->n != IS_DENSE) return s->n;
    for (uint32_t i = 0; i < REGISTERS; i++) counts[s->registers[i]]++;
    z = m * tau(1 - counts[ZEROS + 1] / m);
    for (uint32_t k = ZEROS; k >= 1; k--) z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    return (int64_t)llround(m / (2 * log(2)) * m / z);
}

/* ---- the aggregate ---- */

struct counting {
    const struct typed_bound *bound;
    const struct weir_cells *cells;
    const struct weir_call *call;
    struct weir_buffer bytes; /* of a value */
    struct sketch sketch;
};

static int32_t add_values(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct counting *c = arg;
    int changed = 0;
    load(&c->sketch, c->cells->get(c->cells, 0, slot));
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t at = value_at(c->call, 0, rows[i]);
        if (weir_is_null(c->call->args[0], at)) continue;
        c->bytes.length = 0;
        if (value_encode(c->bound->base.host, &c->bytes, &c->bound->type, c->call->args[0], at,
                         ENCODE_CANONICAL))
            return WEIR_FATAL;
        changed |= add(&c->sketch, XXH64(c->bytes.data, c->bytes.length, 0));
    }
    return changed ? c->cells->put(c->cells, 0, slot, bytes_of(&c->sketch)) : WEIR_OK;
}

static int32_t add_partials(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct counting *c = arg;
    int changed = 0;
    load(&c->sketch, c->cells->get(c->cells, 0, slot));
    for (uint32_t i = 0; i < n; i++)
        changed |= add_sketch(&c->sketch, weir_get_bytes(c->call->args[0], rows[i]));
    return changed ? c->cells->put(c->cells, 0, slot, bytes_of(&c->sketch)) : WEIR_OK;
}

static int32_t step(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                    const struct weir_call *call, slot_fn fn, struct weir_error *error)
{
    const struct weir_host *host = ((struct bound *)bound)->host;
    struct counting *c = host->alloc(sizeof *c);
    if (!c) return weir_fail(error, WEIR_FATAL, "out of memory");
    c->bound = bound;
    c->cells = cells;
    c->call = call;
    memset(&c->bytes, 0, sizeof c->bytes);
    int32_t rc = each_slot(host, slots, call, fn, c, error);
    host->free(c->bytes.data);
    host->free(c);
    return rc;
}

BIND_AGGREGATE(approx_count_distinct)
{
    return bind_blob(host, "approx_count_distinct", "y", WEIR_TYPE_INT64,
                     sizeof(struct typed_bound), 0, args, n_args, plan, bound, error);
}
STEP(approx_count_distinct_update) { return step(bound, cells, slots, call, add_values, error); }
STEP(approx_count_distinct_merge) { return step(bound, cells, slots, call, add_partials, error); }

FINISH(approx_count_distinct)
{
    struct sketch *s = host->alloc(sizeof *s);
    void *values;
    int32_t rc;
    (void)failed;
    (void)reason;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = result_begin(bound, WEIR_TYPE_INT64, n, out, &values, error);
    for (uint32_t i = 0; i < n && !rc; i++) {
        load(s, cells->get(cells, 0, slot_of(slots, from, i)));
        if (s->n == 0) result_null(out, i);
        else ((int64_t *)values)[i] = estimate(s);
    }
    if (!rc) result_end(out);
    host->free(s);
    return rc;
}
BLOB_TABLE(approx_count_distinct, approx_count_distinct_finish)
