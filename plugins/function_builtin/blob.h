/*
 * blob.h - aggregates whose state is one text cell: rows of a call by slot, values as bytes.
 *
 * A cell is replaced as a whole, so such an aggregate takes all rows of a slot at once: the cell is
 * read and written once per chunk and slot, however many rows there are.
 */
#ifndef WEIR_FUNCTION_BUILTIN_BLOB_H
#define WEIR_FUNCTION_BUILTIN_BLOB_H

#include "aggregate.h"
#include "nested.h"

/* Rows of one slot in order: row rows[i] of the arguments (as call_row gives it), i < n. */
typedef int32_t (*slot_fn)(void *arg, uint32_t slot, const uint32_t *rows, uint32_t n);

/* Calls fn for every slot of a call. OK, the class of fn, FATAL. */
int32_t each_slot(const struct weir_host *host, const uint32_t *slots, const struct weir_call *call,
                  slot_fn fn, void *arg, struct weir_error *error);

/* ---- values as bytes: fixed width, or length and bytes; children each behind a null flag ---- */

#define ENCODE_CANONICAL 1 /* one NaN, no -0.0: equal values have equal bytes */

/* Appends value `row`, which is not null. OK, FATAL. */
int32_t value_encode(const struct weir_host *host, struct weir_buffer *to,
                     const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t row,
                     int flags);
/* The end of the value at p. */
const uint8_t *value_end(const struct ArrowSchema *type, const uint8_t *p);
/* Appends the value at *p to a builder of its type, moves *p behind it. OK, FATAL. */
int32_t value_decode(const struct weir_data *data, const struct ArrowSchema *type,
                     const uint8_t **p, struct weir_builder *to);

/* Appends bytes to a buffer. OK, FATAL. */
int32_t blob_add(const struct weir_host *host, struct weir_buffer *to, const void *bytes,
                 uint64_t n);

/* Binding of an aggregate of one text cell whose bound keeps a type: `result` is set by the caller
 * where it is 0. */
int32_t bind_blob(const struct weir_host *host, const char *name, const char *signature,
                  uint32_t result, uint64_t bytes, uint32_t flags,
                  const struct weir_argument *args, uint32_t n_args,
                  struct weir_aggregate_plan *plan, void **bound, struct weir_error *error);

#define BLOB_TABLE(name, finish)                                                                   \
    const struct weir_aggregate aggregate_##name = { sizeof(struct weir_aggregate), 0,            \
                                                     name##_bind, free_typed, name##_update,       \
                                                     name##_merge, NULL, finish };

#define FINISH(name)                                                                               \
    static int32_t name##_finish(const struct weir_host *host, void *bound,                        \
                                 const struct weir_cells *cells, const uint32_t *slots,            \
                                 uint32_t from, uint32_t n, uint8_t *failed, char *reason,         \
                                 struct ArrowArray *out, struct weir_error *error)

#define STEP(name)                                                                                 \
    static int32_t name(void *bound, const struct weir_cells *cells, const uint32_t *slots,        \
                        const struct weir_call *call, struct weir_error *error)

#define BIND_AGGREGATE(name)                                                                       \
    static int32_t name##_bind(const struct weir_host *host, const struct weir_argument *args,     \
                               uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,    \
                               struct weir_error *error)

#endif
