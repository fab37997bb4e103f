/*
 * table.h - one table of one group (or of a batch: combine): keys, records, text, timers.
 *
 * A table has a slab of keys; a rows table a second one of rows, in lists that hang on the keys.
 * The columns are those of the keys, or of the rows: `table_records`. Functions that may run out of
 * memory first make room for everything, then change; so after FATAL the table is whole, as before
 * the call or as after some of its entries.
 */
#ifndef WEIR_CORE_TABLE_H
#define WEIR_CORE_TABLE_H

#include "core/state/index.h"
#include "core/state/shape.h"
#include "core/state/slab.h"

struct timers; /* timer.c */
struct direct; /* direct.c */

struct table {
    const struct shape *shape;
    uint64_t seed;
    uint32_t batch_only; /* combine: nothing is marked */
    uint32_t broken;     /* a restore failed: only a base helps */
    struct memory memory;
    struct index index;
    struct slab keys, rows;
    uint64_t *null_keys; /* bits of slots, of a key of one column (shape.head): more than one only while some
                            are gone; NULL: there was none yet */
    uint32_t null_words;
    struct arena arena;
    struct timers *timers; /* one per timer column, NULL until one is set */
    struct direct *direct; /* of a batch's table; NULL until there was a reason for it */
};

void table_init(struct table *table, const struct shape *shape, uint64_t seed,
                atomic_ullong *total);
void table_fini(struct table *table); /* gives all memory back */
void table_reset(struct table *table); /* as after table_init */

static inline struct slab *table_records(struct table *table)
{
    return table->shape->kind == WEIR_ROWS ? &table->rows : &table->keys;
}

static inline struct cell *cell_at(uint8_t *record, uint32_t at)
{
    return (struct cell *)(void *)(record + at);
}

/* The image of a slot's key, long text by address; and whether column k of it is null. */
void table_image(const struct table *table, uint32_t slot, uint8_t *image);
static inline int table_key_is_null(const struct table *t, uint32_t slot, uint32_t k)
{
    if (!t->shape->head) return slab_record(&t->keys, slot)[KEY_NULLS + k / 8] >> (k & 7) & 1;
    return slot >> 6 < t->null_words && (t->null_keys[slot >> 6] >> (slot & 63) & 1);
}

/* lookup.c */
void table_lookup(struct table *table, const struct ArrowArray *const *keys, const uint64_t *hash,
                  const uint32_t *selection, uint32_t n, uint32_t *slots);
int32_t table_insert(struct table *table, const struct ArrowArray *const *keys,
                     const uint64_t *hash, const uint32_t *selection, uint32_t n, uint32_t *slots);
uint32_t table_find(const struct table *table, uint32_t tag, const uint8_t *image);
/* Puts a key that is not there on a slot of slab_take or slab_place, after table_room. */
int32_t table_room(struct table *table, const uint8_t *image);
void table_put_key(struct table *table, uint32_t tag, const uint8_t *image, uint32_t slot);

/* table.c; slots beyond count are FATAL, those that are not live are passed over */
int32_t table_touch(struct table *table, const uint32_t *slots, uint32_t n);
int32_t table_remove(struct table *table, const uint32_t *slots, uint32_t n);
void table_drop_key(struct table *table, uint32_t slot); /* out of the index; the slot stays */
struct weir_view table_view(struct table *table, uint32_t column);
void table_cells(struct table *table, uint32_t first, uint32_t n_columns, struct weir_view *views,
                 struct weir_cells *out);
struct weir_bytes table_get(struct table *table, uint32_t column, uint32_t slot);
int32_t table_put(struct table *table, uint32_t column, uint32_t slot, struct weir_bytes bytes);
int table_changed(const struct table *table);
void table_captured(struct table *table);

/* arena.c */
int32_t arena_room(struct table *table, uint64_t more, uint8_t **old); /* see there */
void arena_release(struct table *table, const struct cell *cell); /* its bytes are garbage */
void arena_tidy(struct table *table); /* compacts where more than half is garbage */

/* timer.c */
int32_t timer_set(struct table *table, uint32_t column, uint32_t slot, int64_t time);
void timer_blank(struct table *table, uint32_t slot);   /* a new slot has no timer */
void timer_dropped(struct table *table, uint32_t slot); /* the slot is no longer live */
int32_t timer_restored(struct table *table, uint32_t slot);
int64_t timer_least(struct table *table, int event_time);
uint32_t timer_due(struct table *table, uint32_t column, int64_t until, uint32_t *slots,
                   uint32_t capacity);
void timers_fini(struct table *table);

/* rows.c */
int32_t rows_append(struct table *table, const uint32_t *slots, const int64_t *order, uint32_t n,
                    uint32_t *rows, struct weir_error *error);
void rows_link(struct table *table, uint32_t row, uint32_t slot, int64_t order);
void rows_unlink(struct table *table, uint32_t row);
uint32_t rows_first(const struct table *table, uint32_t slot);
uint32_t rows_next(const struct table *table, uint32_t row);
int64_t rows_order(const struct table *table, uint32_t row);
uint32_t rows_slot(const struct table *table, uint32_t row); /* of its key; NO_SLOT: no live row */
int32_t rows_touch(struct table *table, const uint32_t *rows, uint32_t n);
int32_t rows_remove(struct table *table, const uint32_t *rows, uint32_t n);
int32_t rows_remove_all(struct table *table, uint32_t slot); /* the key stays */
int64_t rows_remove_before(struct table *table, uint32_t slot, int64_t before);

/* values.c: key column or column of slots (NULL: from, from + 1, …) as an array */
int32_t table_key_array(struct table *table, uint32_t key, const uint32_t *slots, uint32_t from,
                        uint32_t n, struct ArrowArray *out, struct weir_error *error);
int32_t table_column_array(struct table *table, uint32_t column, const uint32_t *slots,
                           uint32_t from, uint32_t n, struct ArrowArray *out,
                           struct weir_error *error);

#endif
