/*
 * csv_decode.c - records into rows. Records of plain integers alone are read from the list of
 * marks, the others field by field.
 */
#include <stdio.h>

#include "plugins/format_csv/csv_cell.h"

#include "plugins/share/option.h"
#include "plugins/share/text.h"

#define CHUNK_ROWS WEIR_CHUNK_TARGET_ROWS
#define CHUNK_BYTES (8u << 20)

int32_t csv_lane_create(void *self, struct weir_context *context, void **out,
                        struct weir_error *error)
{
    const struct csv *csv = self;
    const struct weir_host *host = csv->host;
    struct csv_lane *lane = host->alloc(sizeof *lane);
    uint32_t i, n = csv->wanted.release ? (uint32_t)csv->wanted.n_children : 0;
    int32_t status = WEIR_OK;
    *out = lane;
    if (!lane) return no_memory(error);
    memset(lane, 0, sizeof *lane);
    lane->csv = csv;
    lane->context = context;
    if (n == 0) return WEIR_OK;
    lane->columns = host->alloc(n * sizeof *lane->columns);
    if (!lane->columns) return no_memory(error);
    memset(lane->columns, 0, n * sizeof *lane->columns);
    for (i = 0; i < n && status == WEIR_OK; i++, lane->n_columns++)
        status = column_init(&lane->columns[i], host, csv->wanted.children[i], 0, error);
    return status;
}

void csv_lane_destroy(void *self, void *p)
{
    const struct weir_host *host = ((struct csv *)self)->host;
    struct csv_lane *lane = p;
    uint32_t i;
    if (!lane) return;
    for (i = 0; i < lane->n_columns; i++) column_free(&lane->columns[i]);
    host->free(lane->columns);
    host->free(lane->target);
    host->free(lane->head.data);
    host->free(lane->scratch.data);
    host->free(lane);
}

/* The columns that a short record left out, and _corrupt_record. */
static int32_t complete_row(struct csv_lane *lane, struct weir_bytes record,
                            struct csv_fault *fault, struct weir_error *error)
{
    uint32_t i;
    for (i = 0; i < lane->n_columns; i++) {
        struct column *column = &lane->columns[i];
        int ok = 1;
        if ((int32_t)i == lane->csv->corrupt)
            ok = fault->text && utf8_ok(record.data, record.length)
                     ? column_add_bytes(column, record.data, record.length)
                     : column_add_null(column);
        else if (column->rows == lane->rows) ok = column_add_null(column);
        if (!ok) return no_memory(error);
        if (column->not_null && column->nulls) /* of this row: none was let in before */
            return WEIR_DATA;
    }
    return WEIR_OK;
}

static int32_t reject_record(struct csv_lane *lane, struct weir_bytes record,
                             const struct csv_fault *fault, struct weir_error *error)
{
    char text[160];
    uint32_t i;
    for (i = 0; i < lane->n_columns; i++) column_truncate(&lane->columns[i], lane->rows);
    if (fault->column) snprintf(text, sizeof text, "column '%.80s' %s", fault->column, fault->text);
    else snprintf(text, sizeof text, "%s", fault->text);
    return lane->csv->host->reject_bytes(lane->context, record, fault->code, text, error);
}

static int32_t end_record(struct csv_lane *lane, struct weir_bytes record, struct csv_fault *fault,
                          struct weir_error *error)
{
    if (!fault->text && lane->csv->corrupt < 0) { /* each field was there: nothing to complete */
        lane->rows++;
        return WEIR_OK;
    }
    if (!fault->text || lane->csv->null_on_error) {
        int32_t status = complete_row(lane, record, fault, error);
        if (status == WEIR_OK) {
            lane->rows++;
            return WEIR_OK;
        }
        if (status != WEIR_DATA) return status;
    }
    csv_set_fault(fault, WEIR_REJECT_SCHEMA, NULL, "a column that is not null is missing");
    return reject_record(lane, record, fault, error);
}

static int32_t decode_record(struct csv_lane *lane, struct csv_scan *scan, uint64_t *at,
                             struct weir_error *error)
{
    struct csv_field field;
    struct csv_fault fault = { NULL, NULL, 0 };
    struct weir_bytes record;
    uint64_t start = *at;
    uint32_t k = 0;
    int32_t status;
    do {
        if (!csv_next_plain(scan, start, &field)) csv_next(scan, start, &field);
        if (field.open)
            csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "a quote is not closed");
        else if (field.trailing)
            csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "text behind a closing quote");
        else if (k < lane->n_targets && lane->target[k] >= 0) {
            status = csv_take_field(lane, scan->text, &field, &lane->columns[lane->target[k]],
                                    &fault, error);
            if (status != WEIR_OK) return status;
        }
        k++;
        start = field.next;
    } while (!field.last);
    if (k < lane->n_targets) csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "too few fields");
    if (k > lane->n_targets) csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "too many fields");
    record.data = scan->text + *at;
    record.length = start - *at;
    while (record.length && (record.data[record.length - 1] == '\n' ||
                             record.data[record.length - 1] == '\r'))
        record.length--;
    *at = start;
    return end_record(lane, record, &fault, error);
}

/* A record of as many fields as there are to be, each plain: of digits where an integer is wanted, and of
 * the bytes between the marks where none is. 0: it is another one, and nothing was done. */
static int decode_plain(struct csv_lane *lane, struct csv_scan *scan, uint64_t *at)
{
    const struct csv *csv = lane->csv;
    const uint8_t delimiter = (uint8_t)csv->dialect.delimiter[0];
    const uint32_t n = lane->n_targets;
    uint64_t start = *at;
    uint32_t k, m;
    while (scan->at < scan->n && scan->base + scan->marks[scan->at] < start) scan->at++;
    m = scan->at;
    if (scan->n - m < n) return 0;
    for (k = 0; k < n; k++) {
        const uint64_t place = scan->base + scan->marks[m + k];
        const uint64_t returns = k + 1 == n && place > start && scan->text[place - 1] == '\r';
        const struct weir_bytes text = { scan->text + start, place - start - returns };
        struct column *column;
        int64_t value;
        if (scan->text[place] != (k + 1 < n ? delimiter : '\n') ||
            (int)scan->text[start] == csv->dialect.quote)
            break;
        start = place + 1;
        if (lane->target[k] < 0) continue;
        column = &lane->columns[lane->target[k]];
        if (column->type != WEIR_TYPE_INT64 || !plain_digits(text, 18, &value) ||
            (text.length == csv->n_null && memcmp(text.data, csv->null_value, text.length) == 0) ||
            !add_int64(column, value))
            break;
    }
    if (k == n) {
        *at = start;
        scan->at = m + n;
        lane->rows++;
        return 1;
    }
    while (k-- > 0)
        if (lane->target[k] >= 0) column_truncate(&lane->columns[lane->target[k]], lane->rows);
    return 0;
}

/* Whether records may be plain: separated by single bytes, and all that is wanted an int64. */
static int may_be_plain(const struct csv_lane *lane)
{
    for (uint32_t i = 0; i < lane->n_columns; i++)
        if (lane->columns[i].type != WEIR_TYPE_INT64) return 0;
    return lane->n_columns && lane->csv->corrupt < 0 && lane->csv->dialect.n_delimiter == 1;
}

static int32_t flush(struct csv_lane *lane, struct weir_error *error)
{
    uint32_t rows = lane->rows;
    lane->rows = 0;
    return columns_emit(lane->columns, lane->n_columns, rows, lane->context, error);
}

static int32_t emit_counted(struct csv_lane *lane, struct weir_error *error)
{
    struct weir_emission emission;
    memset(&emission, 0, sizeof emission);
    emission.size = (uint32_t)sizeof emission;
    emission.rows = lane->rows;
    lane->rows = 0;
    return emission.rows ? lane->csv->host->emit(lane->context, &emission, error) : WEIR_OK;
}

static int32_t decode_run(struct csv_lane *lane, const uint8_t *text, uint64_t length,
                          struct weir_error *error)
{
    struct csv_scan scan;
    const int plain = may_be_plain(lane);
    uint64_t at = 0, begun = 0;
    int32_t status = WEIR_OK;
    csv_begin(&scan, &lane->csv->dialect, text, length, 0, lane->marks);
    while (status == WEIR_OK && at < length) {
        if (csv_is_blank_line(text, length, at, &at)) continue;
        if (!plain || !decode_plain(lane, &scan, &at)) status = decode_record(lane, &scan, &at, error);
        if (status == WEIR_OK && (lane->rows == CHUNK_ROWS || at - begun > CHUNK_BYTES)) {
            begun = at;
            status = lane->n_columns ? flush(lane, error) : emit_counted(lane, error);
        }
    }
    return status;
}

/* Whether more than empty lines follow the record at `at`. */
static int has_second(struct csv_lane *lane, struct weir_bytes text, uint64_t at)
{
    struct csv_scan scan;
    if (!memchr(text.data + at, '\n', text.length - at - 1)) return 0;
    csv_begin(&scan, &lane->csv->dialect, text.data, text.length, at, lane->marks);
    if (!csv_skip_record(&scan, &at)) return 0;
    while (at < text.length && csv_is_blank_line(text.data, text.length, at, &at)) {}
    return at < text.length;
}

/* Text that is to be one record, empty lines apart: a row, or a rejection of all of it. */
static int32_t decode_single(struct csv_lane *lane, const uint8_t *text, uint64_t length, int plain,
                             struct weir_error *error)
{
    const struct weir_bytes all = { text, length };
    struct csv_fault fault = { NULL, NULL, 0 };
    struct csv_scan scan;
    uint64_t at = 0;
    int32_t status = WEIR_OK;
    while (at < length && csv_is_blank_line(text, length, at, &at)) {}
    if (at == length) {
        csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "an empty text, where a record is wanted");
        return end_record(lane, all, &fault, error);
    }
    if (has_second(lane, all, at)) {
        csv_set_fault(&fault, WEIR_REJECT_DECODE, NULL, "more than one record");
        return end_record(lane, all, &fault, error);
    }
    csv_begin(&scan, &lane->csv->dialect, text, length, at, lane->marks);
    if (!plain || !decode_plain(lane, &scan, &at)) status = decode_record(lane, &scan, &at, error);
    return status;
}

static int32_t decode_singles(struct csv_lane *lane, const struct weir_records *records,
                              struct weir_error *error)
{
    const int plain = may_be_plain(lane);
    uint64_t begun = 0;
    int32_t status = WEIR_OK;
    for (uint32_t i = 0; status == WEIR_OK && i + 1 < records->n_offsets; i++) {
        const uint64_t from = (uint64_t)records->offsets[i], until = (uint64_t)records->offsets[i + 1];
        status = decode_single(lane, records->bytes + from, until - from, plain, error);
        if (status == WEIR_OK && (lane->rows == CHUNK_ROWS || until - begun > CHUNK_BYTES)) {
            begun = until;
            status = lane->n_columns ? flush(lane, error) : emit_counted(lane, error);
        }
    }
    return status;
}

int32_t csv_decode(void *self, void *p, const struct weir_records *records,
                   struct weir_error *error)
{
    struct csv *csv = self;
    struct csv_lane *lane = p;
    int32_t status = WEIR_OK;
    lane->rows = 0;
    for (uint32_t i = 0; i < lane->n_columns; i++) column_truncate(&lane->columns[i], 0);
    if (csv->header && !records->head.data)
        return weir_fail(error, WEIR_DATA, "records without the header line that names them");
    status = csv->header ? csv_target_by_header(lane, records->head, error)
                         : csv_target_by_place(lane, error);
    if (status == WEIR_OK)
        status = records->n_offsets ? decode_singles(lane, records, error)
                                    : decode_run(lane, records->bytes, records->length, error);
    if (status != WEIR_OK) return status;
    return lane->n_columns ? flush(lane, error) : emit_counted(lane, error);
}
