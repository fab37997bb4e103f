/*
 * group.h - how store, operators, groups and tables hang together.
 *
 *     store -> operator (instance) -> 256 groups (weir_state), made on first use -> tables, made by
 *              |                                                the first key
 *              shapes of the declared tables
 */
#ifndef WEIR_CORE_GROUP_H
#define WEIR_CORE_GROUP_H

#include "core/state/store.h"
#include "core/state/table.h"

#define STORE_TABLES_MAX 64u

struct weir_state {
    struct store_operator *op;
    uint32_t group;
    uint32_t n_tables;
    struct table *tables[]; /* NULL: empty */
};

struct store_operator {
    struct store *store;
    struct store_operator *next;
    char *instance;
    struct shape *shapes[STORE_TABLES_MAX];
    uint32_t n_tables;
    struct weir_state *groups[STORE_GROUPS];
};

struct store {
    uint64_t seed;
    atomic_ullong bytes;
    struct store_operator *operators;
};

/* The table of a group, or NULL while it is empty; made if need be (NULL without memory). */
struct table *group_table(const struct store_operator *op, uint32_t table, uint32_t group);
struct table *group_table_make(struct weir_state *state, uint32_t table);

/* capture.c and restore.c: the format */
#define PIECE_VERSION 2u /* 1 is read, too */
#define PIECE_HEAD 8u
#define SLOTS_REMOVED 0 /* the three lists of slots, in their order */
#define SLOTS_NEW 1
#define SLOTS_CHANGED 2
int32_t piece_write(struct table *table, int base, struct weir_buffer *out);
int32_t piece_read(struct table *table, struct weir_bytes bytes, int base,
                   struct weir_error *error);
/* The piece of an empty table. */
int32_t piece_write_empty(const struct shape *shape, struct weir_buffer *out);

#endif
