/*
 * aggregate_collect.c - collect_list and collect_set: the values of a group, in order of arrival.
 *
 * The cell holds the values as bytes, one behind the other. collect_set keeps the first of equal
 * ones; which there are it learns once per chunk, by a hash table over the bytes of the cell.
 */
#include "blob.h"

#include <xxhash.h>

static int32_t bind_collect(const struct weir_host *host, const char *name,
                            const struct weir_argument *args, uint32_t n_args,
                            struct weir_aggregate_plan *plan, void **bound,
                            struct weir_error *error)
{
    struct typed_bound *b;
    int32_t rc = bind_blob(host, name, "y", 0, sizeof *b, WEIR_AGGREGATE_ORDERED, args, n_args,
                           plan, bound, error);
    if (rc) return rc;
    b = *bound;
    rc = list_schema(b->base.data, &b->type, &plan->result, error);
    if (!rc) return WEIR_OK;
    free_typed(b);
    *bound = NULL;
    return rc;
}

/* What a step hands to each slot. */
struct collecting {
    const struct typed_bound *bound;
    const struct weir_host *host;
    const struct weir_cells *cells;
    const struct weir_call *call;
    struct weir_buffer bytes; /* the cell that is being made */
    /* collect_set: open addressing, entries point into bytes */
    struct entry {
        uint64_t hash;
        uint32_t at, length; /* length 0: free */
    } *entries;
    uint32_t capacity, used;
};

static int32_t collecting_begin(struct collecting *c, uint32_t slot)
{
    const struct weir_bytes cell = c->cells->get(c->cells, 0, slot);
    c->bytes.length = 0;
    return blob_add(c->host, &c->bytes, cell.data, cell.length);
}

static int32_t collecting_end(struct collecting *c, uint32_t slot)
{
    return c->cells->put(c->cells, 0, slot,
                         (struct weir_bytes){ c->bytes.data, c->bytes.length });
}

static int32_t collect(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                       const struct weir_call *call, slot_fn fn, struct weir_error *error)
{
    struct collecting c = { .bound = bound, .cells = cells, .call = call };
    c.host = c.bound->base.host;
    int32_t rc = each_slot(c.host, slots, call, fn, &c, error);
    c.host->free(c.bytes.data);
    c.host->free(c.entries);
    return rc;
}

/* ---- collect_list ---- */

static int32_t add_values(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct collecting *c = arg;
    int32_t rc = collecting_begin(c, slot);
    for (uint32_t i = 0; i < n && !rc; i++) {
        const uint32_t at = value_at(c->call, 0, rows[i]);
        if (!weir_is_null(c->call->args[0], at))
            rc = value_encode(c->host, &c->bytes, &c->bound->type, c->call->args[0], at, 0);
    }
    return rc ? rc : collecting_end(c, slot);
}

static int32_t add_partials(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct collecting *c = arg;
    int32_t rc = collecting_begin(c, slot);
    for (uint32_t i = 0; i < n && !rc; i++) {
        const struct weir_bytes part = weir_get_bytes(c->call->args[0], rows[i]);
        rc = blob_add(c->host, &c->bytes, part.data, part.length);
    }
    return rc ? rc : collecting_end(c, slot);
}

BIND_AGGREGATE(collect_list)
{
    return bind_collect(host, "collect_list", args, n_args, plan, bound, error);
}
STEP(collect_list_update) { return collect(bound, cells, slots, call, add_values, error); }
STEP(collect_list_merge) { return collect(bound, cells, slots, call, add_partials, error); }

FINISH(collect)
{
    const struct typed_bound *b = bound;
    struct ArrowSchema list;
    struct column_out c;
    int32_t rc = list_schema(b->base.data, &b->type, &list, error);
    (void)host;
    (void)failed;
    (void)reason;
    if (rc) return rc;
    column_begin(&c, b->base.data, &list, error);
    list.release(&list);
    for (uint32_t i = 0; i < n; i++) {
        const struct weir_bytes cell = cells->get(cells, 0, slot_of(slots, from, i));
        const uint8_t *p = cell.data, *end = cell.data + cell.length;
        column_row(&c, i);
        while (p < end && !c.failed)
            c.failed = value_decode(c.data, &b->type, &p, c.data->builder_child(c.column, 0));
        if (!c.failed) c.failed = c.data->append_valid(c.column);
    }
    return column_end(&c, n, out, error);
}
BLOB_TABLE(collect_list, collect_finish)

/* ---- collect_set ---- */

/* Room for `more` further entries; the table is made anew, empty, where `clear`. */
static int32_t set_room(struct collecting *c, uint32_t more, int clear)
{
    uint32_t used = clear ? 0 : c->used, capacity = 16;
    while (capacity < 2 * (used + more)) capacity *= 2;
    if (clear) c->used = 0;
    if (clear && c->capacity == capacity) {
        memset(c->entries, 0, (uint64_t)capacity * sizeof *c->entries);
        return WEIR_OK;
    }
    if (!clear && c->capacity >= capacity) return WEIR_OK;
    struct entry *old = c->entries, *fresh = c->host->alloc((uint64_t)capacity * sizeof *fresh);
    if (!fresh) return WEIR_FATAL;
    memset(fresh, 0, (uint64_t)capacity * sizeof *fresh);
    for (uint32_t i = 0; !clear && i < c->capacity; i++) {
        uint32_t at = (uint32_t)old[i].hash & (capacity - 1);
        if (!old[i].length) continue;
        while (fresh[at].length) at = (at + 1) & (capacity - 1);
        fresh[at] = old[i];
    }
    c->host->free(old);
    c->entries = fresh;
    c->capacity = capacity;
    return WEIR_OK;
}

/* Takes bytes [at, length) of the buffer as an item; 0 if it is there already. */
static int set_add(struct collecting *c, uint64_t at, uint64_t length)
{
    const uint8_t *bytes = c->bytes.data;
    const uint64_t hash = XXH64(bytes + at, length, 0);
    uint32_t i = (uint32_t)hash & (c->capacity - 1);
    for (; c->entries[i].length; i = (i + 1) & (c->capacity - 1)) {
        const struct entry *e = &c->entries[i];
        if (e->hash == hash && e->length == length &&
            memcmp(bytes + e->at, bytes + at, length) == 0)
            return 0;
    }
    c->entries[i] = (struct entry){ hash, (uint32_t)at, (uint32_t)length };
    c->used++;
    return 1;
}

/* The cell of a slot with its items in the table. */
static int32_t set_begin(struct collecting *c, uint32_t slot, uint32_t more)
{
    int32_t rc = collecting_begin(c, slot);
    if (!rc) rc = set_room(c, more, 1);
    for (uint64_t at = 0; at < c->bytes.length && !rc;) {
        const uint64_t end =
            (uint64_t)(value_end(&c->bound->type, c->bytes.data + at) - c->bytes.data);
        rc = set_room(c, more + 1, 0);
        if (!rc) set_add(c, at, end - at);
        at = end;
    }
    return rc;
}

static int32_t add_distinct(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct collecting *c = arg;
    uint64_t before;
    int32_t rc = set_begin(c, slot, n);
    before = c->bytes.length;
    for (uint32_t i = 0; i < n && !rc; i++) {
        const uint32_t row = value_at(c->call, 0, rows[i]);
        const uint64_t at = c->bytes.length;
        if (weir_is_null(c->call->args[0], row)) continue;
        rc = value_encode(c->host, &c->bytes, &c->bound->type, c->call->args[0], row,
                          ENCODE_CANONICAL);
        if (!rc && !set_add(c, at, c->bytes.length - at)) c->bytes.length = at;
    }
    return rc || c->bytes.length == before ? rc : collecting_end(c, slot);
}

static int32_t add_sets(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n)
{
    struct collecting *c = arg;
    int32_t rc = set_begin(c, slot, 0);
    for (uint32_t i = 0; i < n && !rc; i++) {
        const struct weir_bytes part = weir_get_bytes(c->call->args[0], rows[i]);
        for (const uint8_t *p = part.data; p < part.data + part.length && !rc;) {
            const uint8_t *end = value_end(&c->bound->type, p);
            const uint64_t at = c->bytes.length, length = (uint64_t)(end - p);
            rc = blob_add(c->host, &c->bytes, p, length);
            if (!rc) rc = set_room(c, 1, 0);
            if (!rc && !set_add(c, at, length)) c->bytes.length = at;
            p = end;
        }
    }
    return rc ? rc : collecting_end(c, slot);
}

BIND_AGGREGATE(collect_set)
{
    return bind_collect(host, "collect_set", args, n_args, plan, bound, error);
}
STEP(collect_set_update) { return collect(bound, cells, slots, call, add_distinct, error); }
STEP(collect_set_merge) { return collect(bound, cells, slots, call, add_sets, error); }
BLOB_TABLE(collect_set, collect_finish)
