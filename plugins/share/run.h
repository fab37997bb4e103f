/*
 * run.h - what a source of bytes hands over: one row with a run of whole records, and the head of
 * the partition where the format has one.
 */
#ifndef SHARE_RUN_H
#define SHARE_RUN_H

#include <weir/plugin.h>

/* The schema: `bytes binary`, and `head binary` if `with_head`. */
int32_t run_schema(const struct weir_data *data, int with_head, struct ArrowSchema *out,
                   struct weir_error *error);

/* A run with room for n bytes, to be filled at *bytes; 64 readable bytes follow. */
int32_t run_begin(const struct weir_data *data, uint64_t n, struct ArrowArray *run, uint8_t **bytes,
                  struct weir_error *error);

/* Makes the row of the first n bytes of `run` (moved, also on failure) and, with_head, of `head`. */
int32_t run_end(const struct weir_host *host, const struct weir_data *data, struct ArrowArray *run,
                uint64_t n, int with_head, struct weir_bytes head, struct ArrowArray *out,
                struct weir_error *error);

#endif
