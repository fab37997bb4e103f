/*
 * csv.h - what the parts of the format `csv` share.
 */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include <weir/plugin.h>

#include "plugins/format_csv/csv_scan.h"
#include "plugins/share/column.h"

#define CSV_CORRUPT "_corrupt_record"

struct csv {
    const struct weir_host *host;
    const struct weir_data *data;
    struct csv_dialect dialect;
    const char *null_value;
    uint64_t n_null;
    int64_t timestamp_unit; /* per second; 0: ISO 8601 */
    int header, replace, null_on_error;
    struct ArrowSchema declared; /* all columns of the file */
    struct ArrowSchema wanted;   /* those that decode gives, in their order */
    int32_t *wanted_of;          /* declared column → wanted one or -1; _corrupt_record too */
    int32_t corrupt;             /* its place among the wanted, or -1 */
    uint32_t n_fields;           /* fields of a record without a header */
    const struct ArrowSchema *encoded;
};

struct csv_lane {
    const struct csv *csv;
    struct weir_context *context;
    struct column *columns;
    uint32_t n_columns, rows;
    int32_t *target;    /* field → wanted column or -1 */
    uint32_t n_targets, target_room;
    struct weir_buffer head; /* the one that `target` was made of */
    struct weir_buffer scratch;
    uint32_t marks[CSV_MARKS];
};

/* 1 if an empty line begins at `at`, with *next behind it. [any] */
int csv_is_blank_line(const uint8_t *text, uint64_t length, uint64_t at, uint64_t *next);

/* Walks one record from *at. 1 if it is whole, with *at behind it. [any] */
int csv_skip_record(struct csv_scan *scan, uint64_t *at);

/* weir_format.frame (csv_frame.c). */
int32_t csv_frame(void *self, struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                  struct weir_frame *out, struct weir_error *error);

/* lane->target: which column takes which field, by place or by the names of the header line
 * (csv_target.c). Made once, and again for another head. DATA: the header line lacks a column. */
int32_t csv_target_by_place(struct csv_lane *lane, struct weir_error *error);
int32_t csv_target_by_header(struct csv_lane *lane, struct weir_bytes head,
                             struct weir_error *error);

/* weir_format.csv_lane_create, csv_lane_destroy and decode (csv_decode.c). */
int32_t csv_lane_create(void *self, struct weir_context *context, void **out,
                        struct weir_error *error);
void csv_lane_destroy(void *self, void *lane);
int32_t csv_decode(void *self, void *lane, const struct weir_records *records,
                   struct weir_error *error);

/* weir_format.encode (csv_encode.c). */
int32_t csv_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                   struct weir_buffer *out, struct weir_error *error);

#endif
