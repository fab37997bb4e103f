/*
 * store.h - the durable state of a job: tables, groups, capture and restore.
 *
 * Implements weir.state/1 over `struct weir_state` = the tables of one operator in one group.
 * Threads: different groups may be used by different workers at the same time, also by
 * store_group, store_capture and store_restore; declare and what sees more than one group are
 * [control].
 *
 * Capture. Since the last capture a group knows its changed slots. `store_capture` appends either
 * the delta or the whole group (base) in the format of capture.c (golden files), and forgets the changes;
 * removed slots become free. `store_restore` applies such bytes: a base replaces, a delta changes.
 * Restored state is equal in every slot number, free list and order.
 */
#ifndef WEIR_CORE_STORE_H
#define WEIR_CORE_STORE_H

#include <weir/state.h>

#define STORE_GROUPS 256u

struct store;
struct store_operator; /* the tables that one instance declared */

/* weir.combine/1 with hashes of seed 0: load/host.c wraps combine_create with the seed of the
 * store, so that hashes of chunks can be used. (Slots and output don't depend on the seed, and
 * hashes that are not of the table's seed are made again.) */
extern const struct weir_combine_table weir_combine_1;
int32_t combine_create(uint64_t hash_seed, const struct weir_table_spec *spec,
                       struct weir_combine **out, struct weir_error *error);
/* weir.state/1 but `declare`, which needs the context: load/host.c wraps store_declare. */
extern const struct weir_state_table weir_state_1;

struct store *store_create(uint64_t hash_seed);
void store_destroy(struct store *store);
/* Made on first use; NULL without memory. */
struct store_operator *store_operator(struct store *store, const char *instance);
int32_t store_declare(struct store_operator *op, const struct weir_table_spec *spec,
                      uint32_t *table, struct weir_error *error);
/* The state handle for begin(); made on first use, NULL without memory. Empty groups cost no memory
 * until a key is inserted. */
struct weir_state *store_group(struct store_operator *op, uint32_t group);
int store_group_live(const struct store_operator *op, uint32_t group);   /* has keys */
int store_group_changed(const struct store_operator *op, uint32_t group);
/* Least timer of batch time, or of event time; INT64_MAX: none. */
int64_t store_group_due(const struct store_operator *op, uint32_t group, int event_time);
uint32_t store_tables(const struct store_operator *op);

/* One piece of state: instance/table of one group. */
struct store_piece {
    const char *instance;
    const char *table;
    uint32_t group;
    uint32_t base; /* 1: whole, 0: delta */
};
/* Appends the piece's bytes. With base != 0, or when over half of the slots changed, writes the
 * whole group (*is_base tells). Nothing changed and no base asked: appends nothing. `out` NULL (a
 * job without checkpoint): only forgets the changes. Different groups may be captured at the same
 * time. OK or FATAL. */
int32_t store_capture(struct store_operator *op, uint32_t table, uint32_t group, int base,
                      struct weir_buffer *out, int *is_base, struct weir_error *error);
/* DATA with the reason for damaged or foreign bytes; the group is then unusable until a base is
 * applied. */
int32_t store_restore(struct store_operator *op, uint32_t table, uint32_t group, int base,
                      struct weir_bytes bytes, struct weir_error *error);

/* Shape of a table as text, logged with JOB and compared at start: "v1 key(k string/1) n int64, …;
 * signature". */
char *store_signature(const struct store_operator *op, uint32_t table); /* mem_alloc'ed */
/* 1 if state of signature `was` can be restored into a table of signature `is`: same key, version
 * and meaning; columns added at the end (but no timers), int32 widened to int64. */
int store_signature_fits(const char *was, const char *is);
const char *store_table_name(const struct store_operator *op, uint32_t table);
struct store_figures { uint64_t keys, rows, bytes; };
void store_figures(const struct store_operator *op, uint32_t table, struct store_figures *out);
/* For `checkpoint show`: each live slot of a group as a JSON line {"key":[…],"columns":{…}},
 * appended. */
int32_t store_dump(const struct store_operator *op, uint32_t table, uint32_t group,
                   struct weir_buffer *out);
uint64_t store_bytes(const struct store *store); /* memory, all tables; [any] */

#endif
