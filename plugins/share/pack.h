/*
 * pack.h - rows as bytes, for cells of state: columns of any type of the profile.
 */
#ifndef SHARE_PACK_H
#define SHARE_PACK_H

#include "plugins/share/column.h"

/* Appends n rows of a struct array (rows[i], or row i where it is NULL) to `out`, at most 65,536.
 * [worker]. OK; FATAL without memory (`out` may then end in part of them). */
int32_t pack_rows(const struct weir_host *host, const struct weir_data *data,
                  const struct ArrowSchema *schema, const struct ArrowArray *array,
                  const uint32_t *rows, uint32_t n, struct weir_buffer *out,
                  struct weir_error *error);

/* How many rows there are in `packed`. */
uint32_t packed_rows(struct weir_bytes packed);

/* Appends the rows to columns of the same schema. [worker]. OK; FATAL without memory, or where
 * the bytes are none of pack_rows; the columns may then hold part of them. */
int32_t unpack_rows(struct weir_bytes packed, struct column *columns, uint32_t n_columns,
                    struct weir_error *error);

/* Appends the types of a schema, in order and with their children, to the text in `out`: the
 * signature of a table of packed rows. A text over `size` ends in a hash of the whole. */
void pack_signature(const struct ArrowSchema *schema, char *out, size_t size);

#endif
