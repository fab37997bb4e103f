/*
 * rows.c - tables with many records per key: a list per key, sorted by (order, arrival).
 *
 *  1. first of a key, next and prev of rows form a list of exactly the live rows of that key, in
 *     which `order` does not fall; rows of equal order lie as they came.
 *  2. A row that was removed keeps its `next`, so an iteration may remove the row that it stands
 *     on.
 *  3. A key goes with its last row; one that has not had any yet stays.
 *
 * A new row looks for its place from the end of the list, for most rows come in order.
 */
#include "core/state/table.h"

static uint32_t *link_at(uint8_t *record, uint32_t at)
{
    return (uint32_t *)(void *)(record + at);
}

static uint8_t *row_at(const struct table *t, uint32_t row) { return slab_record(&t->rows, row); }

static int64_t order_of(const struct table *t, uint32_t row)
{
    int64_t order;
    memcpy(&order, row_at(t, row) + ROW_ORDER, 8);
    return order;
}

/* Where the number of the row behind `row` is kept; of NO_ROW: the key's first. Likewise before. */
static uint32_t *next_link(const struct table *t, uint32_t slot, uint32_t row)
{
    if (row != WEIR_NO_ROW) return link_at(row_at(t, row), ROW_NEXT);
    return link_at(slab_record(&t->keys, slot), t->shape->links_at);
}

static uint32_t *prev_link(const struct table *t, uint32_t slot, uint32_t row)
{
    if (row != WEIR_NO_ROW) return link_at(row_at(t, row), ROW_PREV);
    return link_at(slab_record(&t->keys, slot), t->shape->links_at + 4);
}

void rows_link(struct table *t, uint32_t row, uint32_t slot, int64_t order)
{
    uint8_t *record = row_at(t, row);
    uint32_t prev = *prev_link(t, slot, WEIR_NO_ROW), next;
    while (prev != WEIR_NO_ROW && order_of(t, prev) > order) prev = *prev_link(t, slot, prev);
    next = *next_link(t, slot, prev);
    memcpy(record + ROW_ORDER, &order, 8);
    *link_at(record, ROW_SLOT) = slot;
    *link_at(record, ROW_NEXT) = next;
    *link_at(record, ROW_PREV) = prev;
    *next_link(t, slot, prev) = row;
    *prev_link(t, slot, next) = row;
}

void rows_unlink(struct table *t, uint32_t row)
{
    const uint32_t slot = *link_at(row_at(t, row), ROW_SLOT);
    const uint32_t next = *link_at(row_at(t, row), ROW_NEXT);
    const uint32_t prev = *link_at(row_at(t, row), ROW_PREV);
    *next_link(t, slot, prev) = next;
    *prev_link(t, slot, next) = prev;
}

int32_t rows_append(struct table *t, const uint32_t *slots, const int64_t *order, uint32_t n,
                    uint32_t *rows, struct weir_error *error)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (!slab_is_live(&t->keys, slots[i]))
            return weir_fail(error, WEIR_FATAL, "row_append to slot %u, which has no key",
                             slots[i]);
        if (slab_room(&t->rows, &t->memory))
            return weir_fail(error, WEIR_FATAL, "out of memory");
        rows[i] = slab_take(&t->rows);
        timer_blank(t, rows[i]);
        rows_link(t, rows[i], slots[i], order[i]);
    }
    return WEIR_OK;
}

uint32_t rows_first(const struct table *t, uint32_t slot)
{
    return slab_is_live(&t->keys, slot) ? *next_link(t, slot, WEIR_NO_ROW) : WEIR_NO_ROW;
}

uint32_t rows_next(const struct table *t, uint32_t row)
{
    return row < t->rows.count ? *link_at(row_at(t, row), ROW_NEXT) : WEIR_NO_ROW;
}

int64_t rows_order(const struct table *t, uint32_t row)
{
    return row < t->rows.count ? order_of(t, row) : 0;
}

uint32_t rows_slot(const struct table *t, uint32_t row)
{
    return slab_is_live(&t->rows, row) ? *link_at(row_at(t, row), ROW_SLOT) : WEIR_NO_SLOT;
}

int32_t rows_touch(struct table *t, const uint32_t *rows, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (rows[i] >= t->rows.count) return WEIR_FATAL;
        if (slab_is_live(&t->rows, rows[i])) slab_mark(&t->rows, rows[i]);
    }
    return WEIR_OK;
}

static void drop_row(struct table *t, uint32_t row)
{
    rows_unlink(t, row);
    slab_remove(&t->rows, row);
    timer_dropped(t, row);
}

static void drop_key_if_empty(struct table *t, uint32_t slot)
{
    if (*next_link(t, slot, WEIR_NO_ROW) != WEIR_NO_ROW) return;
    table_drop_key(t, slot);
    slab_remove(&t->keys, slot);
}

int32_t rows_remove(struct table *t, const uint32_t *rows, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (rows[i] >= t->rows.count) return WEIR_FATAL;
        if (!slab_is_live(&t->rows, rows[i])) continue;
        drop_row(t, rows[i]);
        drop_key_if_empty(t, *link_at(row_at(t, rows[i]), ROW_SLOT));
    }
    return WEIR_OK;
}

int32_t rows_remove_all(struct table *t, uint32_t slot)
{
    uint32_t row;
    while ((row = *next_link(t, slot, WEIR_NO_ROW)) != WEIR_NO_ROW) drop_row(t, row);
    return WEIR_OK;
}

int64_t rows_remove_before(struct table *t, uint32_t slot, int64_t before)
{
    int64_t n = 0;
    uint32_t row;
    if (!slab_is_live(&t->keys, slot)) return 0;
    while ((row = *next_link(t, slot, WEIR_NO_ROW)) != WEIR_NO_ROW && order_of(t, row) < before) {
        drop_row(t, row);
        n++;
    }
    if (n) drop_key_if_empty(t, slot);
    return n;
}
