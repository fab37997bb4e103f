/*
 * aggregate_top.c - top_k(x, k): the most frequent values with their counts.
 *
 * Space saving (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements
 * in data streams", 2005): counters for `m` = max(1024, 8k) values. While there are no more
 * different ones, counts are exact. After that a new value takes over the least counter, and a count is
 * too high by at most n / m for n rows; every value that is more frequent than that is there.
 * Partial states are merged by adding their counters one by one.
 *
 * The cell: (count, value as bytes) in order of arrival; of equal counters the first is the least.
 * The result is in order of count, the greatest first, then of value, the least first.
 */
#define _GNU_SOURCE
#include "blob.h"

#include <stdlib.h>
#include <xxhash.h>

#define COUNTERS_LEAST 1024u
#define K_MOST 8192
#define NOBODY UINT32_MAX

struct top_bound {
    struct typed_bound base;
    uint32_t k, counters;
};

struct counter {
    uint64_t count, hash;
    uint64_t at;
    uint32_t length, next; /* next in its bucket */
};

struct counters {
    const struct top_bound *bound;
    const struct weir_host *host;
    const struct weir_cells *cells;
    const struct weir_call *call;
    struct counter *list;
    uint32_t *buckets; /* twice `most`, a power of two or more */
    uint32_t n, most, mask;
    struct weir_buffer bytes; /* values; those of counters that were taken over stay as waste */
    struct weir_buffer cell;
};

static int32_t counters_create(struct counters *c, void *bound)
{
    c->bound = bound;
    c->host = c->bound->base.base.host;
    c->most = c->bound->counters;
    c->mask = 1;
    while (c->mask < 2 * c->most) c->mask *= 2;
    c->list = c->host->alloc((uint64_t)c->most * sizeof *c->list);
    c->buckets = c->host->alloc((uint64_t)c->mask * sizeof *c->buckets);
    c->mask--;
    if (!c->list || !c->buckets) return WEIR_FATAL;
    memset(c->buckets, 0xff, ((uint64_t)c->mask + 1) * sizeof *c->buckets);
    return WEIR_OK;
}

static void counters_free(struct counters *c)
{
    c->host->free(c->list);
    c->host->free(c->buckets);
    c->host->free(c->bytes.data);
    c->host->free(c->cell.data);
}

static void counters_clear(struct counters *c)
{
    for (uint32_t i = 0; i < c->n; i++) c->buckets[c->list[i].hash & c->mask] = NOBODY;
    c->n = 0;
    c->bytes.length = 0;
}

static void unlink_counter(struct counters *c, uint32_t i)
{
    uint32_t *link = &c->buckets[c->list[i].hash & c->mask];
    while (*link != i) link = &c->list[*link].next;
    *link = c->list[i].next;
}

static uint32_t least(const struct counters *c)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < c->n; i++)
        if (c->list[i].count < c->list[best].count) best = i;
    return best;
}

/* Adds to the counter of the value in the last bytes of the buffer, from `at`. */
static void count_last(struct counters *c, uint64_t at, uint64_t count)
{
    const uint64_t length = c->bytes.length - at;
    const uint64_t hash = XXH64(c->bytes.data + at, length, 0);
    uint32_t i = c->buckets[hash & c->mask];
    for (; i != NOBODY; i = c->list[i].next) {
        struct counter *counter = &c->list[i];
        if (counter->hash != hash || counter->length != length ||
            memcmp(c->bytes.data + counter->at, c->bytes.data + at, length) != 0)
            continue;
        counter->count += count;
        c->bytes.length = at;
        return;
    }
    if (c->n < c->most) {
        i = c->n++;
    } else {
        i = least(c);
        count += c->list[i].count;
        unlink_counter(c, i);
    }
    c->list[i] = (struct counter){ count, hash, at, (uint32_t)length,
                                   c->buckets[hash & c->mask] };
    c->buckets[hash & c->mask] = i;
}

static int32_t count_cell(struct counters *c, struct weir_bytes cell)
{
    const struct ArrowSchema *type = &c->bound->base.type;
    for (const uint8_t *p = cell.data, *end = cell.data + cell.length; p < end;) {
        const uint8_t *value = p + 8;
        const uint64_t at = c->bytes.length;
        uint64_t count;
        memcpy(&count, p, 8);
        p = value_end(type, value);
        if (blob_add(c->host, &c->bytes, value, (uint64_t)(p - value))) return WEIR_FATAL;
        count_last(c, at, count);
    }
    return WEIR_OK;
}

static int32_t put(struct counters *c, uint32_t slot)
{
    int32_t rc = WEIR_OK;
    c->cell.length = 0;
    for (uint32_t i = 0; i < c->n && !rc; i++) {
        const struct counter *counter = &c->list[i];
        rc = blob_add(c->host, &c->cell, &counter->count, 8);
        if (!rc) rc = blob_add(c->host, &c->cell, c->bytes.data + counter->at, counter->length);
    }
    return rc ? rc
              : c->cells->put(c->cells, 0, slot,
                              (struct weir_bytes){ c->cell.data, c->cell.length });
}

static int32_t add_values(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct counters *c = arg;
    const struct ArrowArray *a = c->call->args[0];
    counters_clear(c);
    if (count_cell(c, c->cells->get(c->cells, 0, slot))) return WEIR_FATAL;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = value_at(c->call, 0, rows[i]);
        const uint64_t at = c->bytes.length;
        if (weir_is_null(a, row)) continue;
        if (value_encode(c->host, &c->bytes, &c->bound->base.type, a, row, ENCODE_CANONICAL))
            return WEIR_FATAL;
        count_last(c, at, 1);
    }
    return put(c, slot);
}

static int32_t add_partials(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct counters *c = arg;
    counters_clear(c);
    if (count_cell(c, c->cells->get(c->cells, 0, slot))) return WEIR_FATAL;
    for (uint32_t i = 0; i < n; i++)
        if (count_cell(c, weir_get_bytes(c->call->args[0], rows[i]))) return WEIR_FATAL;
    return put(c, slot);
}

static int32_t step(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                    const struct weir_call *call, slot_fn fn, struct weir_error *error)
{
    struct counters c = { .cells = cells, .call = call };
    int32_t rc = counters_create(&c, bound);
    if (rc) weir_fail(error, rc, "out of memory");
    else rc = each_slot(c.host, slots, call, fn, &c, error);
    counters_free(&c);
    return rc;
}

/* ---- bind and finish ---- */

static int32_t result_schema(const struct weir_data *data, const struct ArrowSchema *item,
                             struct ArrowSchema *out, struct weir_error *error)
{
    struct ArrowSchema pair;
    int32_t rc = data->schema_struct(2, &pair, error);
    if (rc) return rc;
    if (pair.children[0]->release) pair.children[0]->release(pair.children[0]);
    rc = data->schema_copy(item, "value", pair.children[0], error);
    if (!rc) rc = data->schema_set(&pair, 1, "count", WEIR_TYPE_INT64, error);
    if (!rc) rc = list_schema(data, &pair, out, error);
    pair.release(&pair);
    return rc;
}

BIND_AGGREGATE(top_k)
{
    struct top_bound *b;
    int32_t rc = bind_blob(host, "top_k", "yi", 0, sizeof *b, WEIR_AGGREGATE_ORDERED, args, n_args,
                           plan, bound, error);
    if (rc) return rc;
    b = *bound;
    const int64_t k = is_literal(&args[1]) ? weir_get_int64(args[1].value, 0) : 0;
    if (k < 1 || k > K_MOST)
        rc = weir_fail(error, WEIR_CONFIG, "the number of top_k is a literal from 1 to %d", K_MOST);
    b->k = (uint32_t)k;
    b->counters = 8 * b->k > COUNTERS_LEAST ? 8 * b->k : COUNTERS_LEAST;
    if (!rc) rc = result_schema(b->base.base.data, &b->base.type, &plan->result, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}
STEP(top_k_update) { return step(bound, cells, slots, call, add_values, error); }
STEP(top_k_merge) { return step(bound, cells, slots, call, add_partials, error); }

struct ranking {
    const struct ArrowSchema *type;
    const struct ArrowArray *values;
    const uint64_t *counts;
};

static int compare_counters(const void *x, const void *y, void *arg)
{
    const struct ranking *r = arg;
    const uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
    if (r->counts[i] != r->counts[j]) return r->counts[i] > r->counts[j] ? -1 : 1;
    return order_values(r->type, r->values, i, r->values, j);
}

/* Values and counts of a cell; *n of them. */
static int32_t read_cell(const struct top_bound *b, struct weir_bytes cell, struct ArrowArray *out,
                         struct weir_buffer *counts, uint32_t *n, struct weir_error *error)
{
    struct column_out c;
    column_begin(&c, b->base.base.data, &b->base.type, error);
    counts->length = 0;
    *n = 0;
    for (const uint8_t *p = cell.data, *end = cell.data + cell.length; p < end && !c.failed;) {
        column_row(&c, (*n)++);
        if (!c.failed) c.failed = blob_add(b->base.base.host, counts, p, 8);
        p += 8;
        if (!c.failed) c.failed = value_decode(c.data, &b->base.type, &p, c.column);
    }
    return column_end(&c, *n, out, error);
}

static int32_t append_top(const struct top_bound *b, struct column_out *c, struct weir_bytes cell,
                          struct weir_buffer *counts, struct weir_error *error)
{
    const struct weir_host *host = b->base.base.host;
    struct weir_builder *pair = c->data->builder_child(c->column, 0);
    struct ArrowArray values;
    uint32_t n, *order;
    int32_t rc = read_cell(b, cell, &values, counts, &n, error);
    if (rc) return rc;
    order = host->alloc((uint64_t)n * sizeof *order + 1);
    struct ranking ranking = { &b->base.type, &values, (const uint64_t *)(void *)counts->data };
    for (uint32_t i = 0; order && i < n; i++) order[i] = i;
    if (order) qsort_r(order, n, sizeof *order, compare_counters, &ranking);
    else rc = WEIR_FATAL;
    for (uint32_t i = 0; i < n && i < b->k && !rc; i++) {
        rc = c->data->append_from(c->data->builder_child(pair, 0), &values, order[i]);
        if (!rc)
            rc = c->data->append_int(c->data->builder_child(pair, 1),
                                     (int64_t)ranking.counts[order[i]]);
        if (!rc) rc = c->data->append_valid(pair);
    }
    host->free(order);
    values.release(&values);
    return rc ? rc : c->data->append_valid(c->column);
}

FINISH(top_k)
{
    const struct top_bound *b = bound;
    struct weir_buffer counts = { 0 };
    struct ArrowSchema type;
    struct column_out c;
    int32_t rc = result_schema(b->base.base.data, &b->base.type, &type, error);
    (void)failed;
    (void)reason;
    if (rc) return rc;
    column_begin(&c, b->base.base.data, &type, error);
    type.release(&type);
    for (uint32_t i = 0; i < n && !c.failed; i++) {
        const struct weir_bytes cell = cells->get(cells, 0, slot_of(slots, from, i));
        if (cell.length == 0) continue;
        column_row(&c, i);
        if (!c.failed) c.failed = append_top(b, &c, cell, &counts, error);
    }
    host->free(counts.data);
    return column_end(&c, n, out, error);
}
BLOB_TABLE(top_k, top_k_finish)
