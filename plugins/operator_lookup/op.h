/*
 * op.h - the operator `lookup`: a stream joined with a table that every lane has whole.
 */
#ifndef OPERATOR_LOOKUP_OP_H
#define OPERATOR_LOOKUP_OP_H

#include <pthread.h>

#include "plugins/share/join.h"

/* The static side: rows, and an index key → first row, row → next row of the key. Immutable once
 * it is made; lanes share it. */
struct table {
    const struct join *join;
    struct ArrowArray array;
    struct weir_combine *index;
    uint32_t n_slots;
    uint32_t *first, *next;
    uint32_t unique;                 /* no key twice */
    uint32_t users;                  /* lanes; under the lock of the lookup */
};

struct lookup {
    struct join join; /* first */
    struct ArrowSchema schema; /* of the table */
    struct ArrowArray rows;    /* given in the job */
    const struct weir_io *io;
    const struct weir_formats *formats;
    const char *path;          /* of the file, else NULL */
    int64_t refresh_us;        /* how often the file is looked at; 0: never again */
    uint32_t by_reference;     /* 1: columns of the stream pass by reference where a key is unique */
    pthread_mutex_t lock;
    uint32_t has_lock;
    struct table *table;       /* under the lock; made on first use */
    struct weir_io_stat stat;  /* under the lock: of the file that was read */
    int64_t looked_us;         /* under the lock: T of the batch that looked at it last */
};

extern const struct weir_operator lookup_operator;

/* table.c [worker] */
int32_t table_make(const struct join *join, struct weir_context *lane, struct ArrowArray *rows,
                   struct table **out, struct weir_error *error);
void table_free(struct table *table);

/* file.c [worker] */
int32_t file_stat(const struct lookup *op, struct weir_context *lane, struct weir_io_stat *out,
                  struct weir_error *error);
int32_t file_rows(const struct lookup *op, struct weir_context *lane,
                  const struct weir_io_stat *stat, struct ArrowArray *out,
                  struct weir_error *error);

#endif
