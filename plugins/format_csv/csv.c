/*
 * csv.c - the format `csv`: a record is a line of fields (csv_scan.h), a row has the declared
 * columns.
 *
 *  1. Fields go by place, or, with `header`, by the names of the first line, which is the head of
 *     the partition. A declared column that the header lacks fails the file.
 *  2. An unquoted field equal to `null_value` is null; a quoted one is text.
 *  3. A record is bad as a whole: number of fields, an open quote, text behind a closing one, a
 *     value that does not fit. With on_error "null" bad fields are null and `_corrupt_record`, if
 *     it is declared, gets the text of the record. That column is no field.
 *  4. An empty line is no record. Where records come one by one (values of a column), each must hold
 *     just one: none, or a second one, makes it bad.
 */
#include <weir/plugin.h>

#include "plugins/format_csv/csv_scan.h"
#include "plugins/share/column.h"
#include "plugins/share/option.h"
#include "plugins/share/record.h"
#include "plugins/share/render.h"
#include "plugins/share/text.h"

#define CHUNK_ROWS WEIR_CHUNK_TARGET_ROWS
#define CHUNK_BYTES (8u << 20)
#define FIELDS_MAX 16384u
#define CORRUPT "_corrupt_record"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "columns", NULL, NULL,
                "the columns, \"user string, amount double\" (needed by sources)"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "header", "false", NULL,
                "the first line names the fields; sinks write one"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "delimiter", ",", NULL, "1 to 8 bytes between fields"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "quote", "\"", NULL,
                "the byte around quoted fields; \"\" for none"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "null_value", "", NULL, "the unquoted field that means null"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "timestamp_unit", NULL, "s|ms|us",
                "timestamps are numbers since 1970 in this unit"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "invalid", "dead_letter", "dead_letter|replace",
                "what becomes of text that is not UTF-8"),
};

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

struct lane {
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

static void schema_release(struct ArrowSchema *schema)
{
    if (schema->release) schema->release(schema);
}

/* ---- create, bind ---- */

static int32_t read_dialect(struct csv *csv, struct weir_context *context,
                            struct weir_error *error)
{
    struct weir_value value;
    csv->dialect.delimiter[0] = ',';
    csv->dialect.n_delimiter = 1;
    csv->dialect.quote = '"';
    if (option_get(csv->host, context, "delimiter", &value)) {
        if (value.length < 1 || value.length > 8 || memchr(value.text, '\n', value.length) ||
            memchr(value.text, '\r', value.length))
            return weir_fail_option(error, "delimiter", -1,
                                    "a delimiter has 1 to 8 bytes and no line break");
        memcpy(csv->dialect.delimiter, value.text, value.length);
        csv->dialect.n_delimiter = (uint32_t)value.length;
    }
    if (option_get(csv->host, context, "quote", &value)) {
        if (value.length > 1 || (value.length == 1 && strchr("\n\r", value.text[0])))
            return weir_fail_option(error, "quote", -1, "a quote is one byte, or empty for none");
        csv->dialect.quote = value.length ? (uint8_t)value.text[0] : -1;
    }
    if (csv->dialect.quote == (uint8_t)csv->dialect.delimiter[0])
        return weir_fail_option(error, "quote", -1, "quote and delimiter begin alike");
    return WEIR_OK;
}

static int32_t csv_create(const struct weir_host *host, struct weir_context *context, void **self,
                          struct weir_error *error)
{
    struct csv *csv = host->alloc(sizeof *csv);
    struct weir_value value;
    const char *unit;
    *self = csv;
    if (!csv) return no_memory(error);
    memset(csv, 0, sizeof *csv);
    csv->host = host;
    csv->corrupt = -1;
    csv->data = host->get_interface(WEIR_DATA_ID);
    if (!csv->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    csv->header = option_integer(host, context, "header", 0) != 0;
    csv->replace = option_is(option_text(host, context, "invalid", NULL), "replace");
    csv->null_value = "";
    if (option_get(host, context, "null_value", &value)) {
        csv->null_value = value.text;
        csv->n_null = value.length;
    }
    unit = option_text(host, context, "timestamp_unit", NULL);
    csv->timestamp_unit = option_is(unit, "s")    ? 1000000
                          : option_is(unit, "ms") ? 1000
                          : option_is(unit, "us") ? 1
                                                  : 0;
    return read_dialect(csv, context, error);
}

static void csv_destroy(void *self)
{
    struct csv *csv = self;
    if (!csv) return;
    schema_release(&csv->declared);
    schema_release(&csv->wanted);
    csv->host->free(csv->wanted_of);
    csv->host->free(csv);
}

static int32_t check_type(const struct ArrowSchema *column, struct weir_error *error)
{
    uint32_t type = weir_type_of(column);
    if (type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT || type == WEIR_TYPE_NONE)
        return weir_fail(error, WEIR_CONFIG,
                         "csv can't hold column '%s': lists and structs need json", column->name);
    return WEIR_OK;
}

/* Copies column i of the declared ones to the end of the wanted ones. */
static int32_t want(struct csv *csv, uint32_t i, uint32_t at, struct weir_error *error)
{
    struct ArrowSchema copy;
    int32_t status = csv->data->schema_copy(csv->declared.children[i], NULL, &copy, error);
    if (status != WEIR_OK) return status;
    csv->wanted_of[i] = (int32_t)at;
    if (strcmp(copy.name, CORRUPT) == 0) csv->corrupt = (int32_t)at;
    schema_release(csv->wanted.children[at]);
    *csv->wanted.children[at] = copy;
    return WEIR_OK;
}

static int32_t csv_bind_decode(void *self, const struct weir_decode_bind *in,
                               struct weir_decode_plan *out, struct weir_error *error)
{
    struct csv *csv = self;
    uint32_t i, n, n_declared;
    int32_t status;
    if (!in->declared || in->declared->n_children == 0)
        return weir_fail_option(error, "columns", -1,
                                "csv needs its columns: \"user string, amount double\"");
    status = csv->data->schema_copy(in->declared, NULL, &csv->declared, error);
    n_declared = (uint32_t)in->declared->n_children;
    csv->null_on_error = in->null_on_error != 0;
    if (status != WEIR_OK) return status;
    csv->wanted_of = csv->host->alloc(n_declared * sizeof *csv->wanted_of);
    if (!csv->wanted_of) return no_memory(error);
    for (i = 0; i < n_declared; i++) {
        const struct ArrowSchema *column = csv->declared.children[i];
        status = check_type(column, error);
        if (status != WEIR_OK) return status;
        csv->wanted_of[i] = -1;
        if (strcmp(column->name, CORRUPT) != 0) csv->n_fields++;
        else if (weir_type_of(column) != WEIR_TYPE_UTF8)
            return weir_fail_option(error, "columns", -1, CORRUPT " must be a string");
    }
    n = in->wanted ? in->n_wanted : n_declared;
    status = csv->data->schema_struct(n, &csv->wanted, error);
    for (i = 0; i < n && status == WEIR_OK; i++) {
        int32_t at = in->wanted ? weir_column_index(&csv->declared, in->wanted[i]) : (int32_t)i;
        status = at < 0 ? weir_fail_option(error, "columns", -1, "there is no column '%s'",
                                           in->wanted[i])
                        : want(csv, (uint32_t)at, i, error);
    }
    if (status != WEIR_OK) return status;
    out->has_head = (uint32_t)csv->header;
    out->one_to_one = 2;
    out->absorbed = 0;
    return csv->data->schema_copy(&csv->wanted, NULL, &out->schema, error);
}

/* ---- frame ---- */

static int is_blank_line(const uint8_t *text, uint64_t length, uint64_t at, uint64_t *next)
{
    if (text[at] == '\n') {
        *next = at + 1;
        return 1;
    }
    if (text[at] == '\r' && at + 1 < length && text[at + 1] == '\n') {
        *next = at + 2;
        return 1;
    }
    return 0;
}

/* Walks one record from *at. 1 if it is whole, with *at behind it. */
static int skip_record(struct csv_scan *scan, uint64_t *at)
{
    struct csv_field field;
    uint64_t start = *at;
    do {
        csv_next(scan, start, &field);
        start = field.next;
    } while (!field.last);
    if (!field.whole) return 0;
    *at = start;
    return 1;
}

static int32_t csv_frame(void *self, struct weir_bytes bytes, uint32_t flags,
                         uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct csv *csv = self;
    uint32_t marks[CSV_MARKS];
    struct csv_scan scan;
    uint64_t at = 0;
    int begun = 0;
    (void)error;
    if (csv->dialect.quote < 0 || bytes.length == 0 ||
        !memchr(bytes.data, csv->dialect.quote, bytes.length)) {
        record_frame(bytes, flags, max_records, "\n", 1, csv->header != 0, 0, out);
        return WEIR_OK;
    }
    out->end = out->head_end = out->records = 0;
    if (flags & WEIR_FRAME_START) at = mark_length(bytes);
    csv_begin(&scan, &csv->dialect, bytes.data, bytes.length, at, marks);
    if (flags & WEIR_FRAME_START) {
        if (csv->header && !skip_record(&scan, &at)) {
            if (flags & WEIR_FRAME_END) out->end = out->head_end = bytes.length;
            return WEIR_OK;
        }
        out->head_end = at;
        begun = csv->header;
    }
    while (at < bytes.length && out->records < max_records) {
        uint64_t next;
        if (is_blank_line(bytes.data, bytes.length, at, &next)) {
            at = next;
            if (max_records == 1) { /* behind a long record: only to its end */
                begun = 1;
                break;
            }
        } else if (skip_record(&scan, &at)) {
            out->records++;
        } else {
            if (flags & WEIR_FRAME_END) {
                at = bytes.length;
                out->records++;
                begun = 1;
            }
            break;
        }
        begun = 1;
    }
    if (begun || (flags & WEIR_FRAME_END)) out->end = at;
    if (out->end == 0) out->head_end = 0;
    return WEIR_OK;
}

/* ---- decode ---- */

static int32_t lane_create(void *self, struct weir_context *context, void **out,
                           struct weir_error *error)
{
    const struct csv *csv = self;
    const struct weir_host *host = csv->host;
    struct lane *lane = host->alloc(sizeof *lane);
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

static void lane_destroy(void *self, void *p)
{
    const struct weir_host *host = ((struct csv *)self)->host;
    struct lane *lane = p;
    uint32_t i;
    if (!lane) return;
    for (i = 0; i < lane->n_columns; i++) column_free(&lane->columns[i]);
    host->free(lane->columns);
    host->free(lane->target);
    host->free(lane->head.data);
    host->free(lane->scratch.data);
    host->free(lane);
}

static int scratch_room(struct lane *lane, uint64_t n)
{
    lane->scratch.length = 0;
    return lane->scratch.capacity >= n ||
           lane->csv->host->buffer_grow(&lane->scratch, n) == WEIR_OK;
}

/* Text of a quoted field, its doubled quotes made single, in the scratch memory. */
static int unescape(struct lane *lane, struct weir_bytes *text)
{
    uint8_t quote = (uint8_t)lane->csv->dialect.quote;
    uint64_t i, n = 0;
    if (!scratch_room(lane, text->length + 64)) return 0;
    for (i = 0; i < text->length; i++) {
        lane->scratch.data[n++] = text->data[i];
        if (text->data[i] == quote) i++;
    }
    text->data = lane->scratch.data;
    text->length = n;
    return 1;
}

#define CELL_OK 1
#define CELL_BAD 0
#define CELL_NOT_UTF8 (-1)
#define CELL_MEMORY (-2)

static int add_text(struct lane *lane, struct column *column, struct weir_bytes text)
{
    uint8_t *mended;
    uint64_t n;
    int ok;
    if (column->type == WEIR_TYPE_BINARY || utf8_ok(text.data, text.length))
        return column_add_bytes(column, text.data, text.length) ? CELL_OK : CELL_MEMORY;
    if (!lane->csv->replace) return CELL_NOT_UTF8;
    mended = lane->csv->host->alloc(3 * text.length + 1);
    if (!mended) return CELL_MEMORY;
    n = utf8_mend(text.data, text.length, mended);
    ok = column_add_bytes(column, mended, n);
    lane->csv->host->free(mended);
    return ok ? CELL_OK : CELL_MEMORY;
}

#define EACH_BYTE(b) (0x0101010101010101ull * (b))

/* Eight digits at once (as simdjson does): in pairs, fours and eights. 0: not all are digits. */
static inline int eight_digits(uint64_t word, int64_t *out)
{
    if ((word & EACH_BYTE(0xf0)) != EACH_BYTE('0') ||
        ((word + EACH_BYTE(6)) & EACH_BYTE(0xf0)) != EACH_BYTE('0'))
        return 0;
    word = (word & EACH_BYTE(0x0f)) * 2561 >> 8;
    word = (word & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
    *out = (int64_t)((word & 0x0000ffff0000ffffull) * 42949672960001ull >> 32);
    return 1;
}

/* Up to `most` (at most 18) digits and nothing else, which is what most integers are. Eight bytes behind the
 * text can be read. */
static inline int plain_digits(struct weir_bytes text, uint64_t most, int64_t *out)
{
    int64_t value = 0, part;
    uint64_t word, at = 0, n = text.length;
    if (n == 0 || n > most) return 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; n > 8; n -= 8, at += 8) {
        memcpy(&word, text.data + at, 8);
        if (!eight_digits(word, &part)) return 0;
        value = value * 100000000 + part;
    }
    memcpy(&word, text.data + at, 8);
    static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };
    /* the digits at the end of the word, zeros before them */
    if (n < 8) word = word << (64 - 8 * n) | EACH_BYTE('0') >> 8 * n;
    if (!eight_digits(word, &part)) return 0;
    *out = value * powers[n] + part;
    return 1;
#else
    (void)word, (void)part;
    for (; at < n; at++) {
        const uint8_t digit = (uint8_t)(text.data[at] - '0');
        if (digit > 9) return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
#endif
}

/* column_add_int, where it has nothing to do but to store. */
static inline int add_int64(struct column *column, int64_t value)
{
    if (column->rows == column->capacity || column->valid) return column_add_int(column, value);
    ((int64_t *)(void *)column->values)[column->rows++] = value;
    return 1;
}

static int add_cell(struct lane *lane, struct column *column, struct weir_bytes text)
{
    const char *p = (const char *)text.data;
    int64_t integer;
    double number;
    int32_t days;
    int bit;
    switch (column->type) {
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return add_text(lane, column, text);
    case WEIR_TYPE_INT32:
        if (!plain_digits(text, 9, &integer) &&
            !text_to_int(p, text.length, INT32_MIN, INT32_MAX, &integer))
            return CELL_BAD;
        break;
    case WEIR_TYPE_INT64:
        if (!plain_digits(text, 18, &integer) &&
            !text_to_int(p, text.length, INT64_MIN, INT64_MAX, &integer))
            return CELL_BAD;
        return add_int64(column, integer) ? CELL_OK : CELL_MEMORY;
    case WEIR_TYPE_FLOAT64:
        if (!text_to_float(p, text.length, &number)) return CELL_BAD;
        return column_add_float(column, number) ? CELL_OK : CELL_MEMORY;
    case WEIR_TYPE_BOOL:
        if (!text_to_bool(p, text.length, &bit)) return CELL_BAD;
        return column_add_bool(column, bit) ? CELL_OK : CELL_MEMORY;
    case WEIR_TYPE_DATE:
        if (!text_to_date(p, text.length, &days)) return CELL_BAD;
        integer = days;
        break;
    default:
        if (!(lane->csv->timestamp_unit
                  ? text_to_epoch(p, text.length, lane->csv->timestamp_unit, &integer)
                  : text_to_timestamp(p, text.length, &integer)))
            return CELL_BAD;
    }
    return column_add_int(column, integer) ? CELL_OK : CELL_MEMORY;
}

/* What is wrong with a record; the first one counts. */
struct fault {
    const char *column;
    const char *text;
    int32_t code;
};

static void set_fault(struct fault *fault, int32_t code, const char *column, const char *text)
{
    if (fault->text) return;
    fault->code = code;
    fault->column = column;
    fault->text = text;
}

/* Puts a field into its column; a bad one is null for now. */
static int32_t take_field(struct lane *lane, const uint8_t *text, const struct csv_field *field,
                          struct column *column, struct fault *fault, struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    struct weir_bytes cell = { text + field->start, field->end - field->start };
    int result;
    if (!field->quoted && cell.length == csv->n_null &&
        memcmp(cell.data, csv->null_value, cell.length) == 0) {
        if (column->not_null)
            set_fault(fault, WEIR_REJECT_SCHEMA, column->name, "is null");
        return column_add_null(column) ? WEIR_OK : no_memory(error);
    }
    if (field->doubled && !unescape(lane, &cell)) return no_memory(error);
    result = add_cell(lane, column, cell);
    if (result == CELL_OK) return WEIR_OK;
    if (result == CELL_MEMORY) return no_memory(error);
    if (result == CELL_NOT_UTF8) set_fault(fault, WEIR_REJECT_UTF8, column->name, "is not UTF-8");
    else set_fault(fault, WEIR_REJECT_SCHEMA, column->name, "does not fit its type");
    return column_add_null(column) ? WEIR_OK : no_memory(error);
}

/* The columns that a short record left out, and _corrupt_record. */
static int32_t complete_row(struct lane *lane, struct weir_bytes record, struct fault *fault,
                            struct weir_error *error)
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

static int32_t reject_record(struct lane *lane, struct weir_bytes record,
                             const struct fault *fault, struct weir_error *error)
{
    char text[160];
    uint32_t i;
    for (i = 0; i < lane->n_columns; i++) column_truncate(&lane->columns[i], lane->rows);
    if (fault->column) snprintf(text, sizeof text, "column '%.80s' %s", fault->column, fault->text);
    else snprintf(text, sizeof text, "%s", fault->text);
    return lane->csv->host->reject_bytes(lane->context, record, fault->code, text, error);
}

static int32_t end_record(struct lane *lane, struct weir_bytes record, struct fault *fault,
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
    set_fault(fault, WEIR_REJECT_SCHEMA, NULL, "a column that is not null is missing");
    return reject_record(lane, record, fault, error);
}

static int32_t decode_record(struct lane *lane, struct csv_scan *scan, uint64_t *at,
                             struct weir_error *error)
{
    struct csv_field field;
    struct fault fault = { NULL, NULL, 0 };
    struct weir_bytes record;
    uint64_t start = *at;
    uint32_t k = 0;
    int32_t status;
    do {
        if (!csv_next_plain(scan, start, &field)) csv_next(scan, start, &field);
        if (field.open)
            set_fault(&fault, WEIR_REJECT_DECODE, NULL, "a quote is not closed");
        else if (field.trailing)
            set_fault(&fault, WEIR_REJECT_DECODE, NULL, "text behind a closing quote");
        else if (k < lane->n_targets && lane->target[k] >= 0) {
            status = take_field(lane, scan->text, &field, &lane->columns[lane->target[k]], &fault,
                                error);
            if (status != WEIR_OK) return status;
        }
        k++;
        start = field.next;
    } while (!field.last);
    if (k < lane->n_targets) set_fault(&fault, WEIR_REJECT_DECODE, NULL, "too few fields");
    if (k > lane->n_targets) set_fault(&fault, WEIR_REJECT_DECODE, NULL, "too many fields");
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
static int decode_plain(struct lane *lane, struct csv_scan *scan, uint64_t *at)
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
static int may_be_plain(const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->n_columns; i++)
        if (lane->columns[i].type != WEIR_TYPE_INT64) return 0;
    return lane->n_columns && lane->csv->corrupt < 0 && lane->csv->dialect.n_delimiter == 1;
}

static int target_add(struct lane *lane, int32_t column)
{
    if (lane->n_targets == lane->target_room) {
        uint32_t room_for = lane->target_room ? lane->target_room * 2 : 32;
        int32_t *p = lane->csv->host->realloc(lane->target, room_for * sizeof *p);
        if (!p) return 0;
        lane->target = p;
        lane->target_room = room_for;
    }
    lane->target[lane->n_targets++] = column;
    return 1;
}

/* Fields by place. */
static int32_t target_by_place(struct lane *lane, struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    int64_t i;
    if (lane->n_targets) return WEIR_OK;
    for (i = 0; i < csv->declared.n_children; i++)
        if (strcmp(csv->declared.children[i]->name, CORRUPT) != 0 &&
            !target_add(lane, csv->wanted_of[i]))
            return no_memory(error);
    return WEIR_OK;
}

static int32_t header_column(const struct csv *csv, struct weir_bytes name)
{
    int64_t i;
    for (i = 0; i < csv->declared.n_children; i++) {
        const char *declared = csv->declared.children[i]->name;
        if (strlen(declared) == name.length && memcmp(declared, name.data, name.length) == 0 &&
            strcmp(declared, CORRUPT) != 0)
            return (int32_t)i;
    }
    return -1;
}

static int32_t header_complete(const struct csv *csv, const uint8_t *seen,
                               struct weir_error *error)
{
    int64_t i;
    for (i = 0; i < csv->declared.n_children; i++) {
        const char *name = csv->declared.children[i]->name;
        if (!seen[i] && strcmp(name, CORRUPT) != 0)
            return weir_fail(error, WEIR_DATA, "the header line lacks column '%s'", name);
    }
    return WEIR_OK;
}

/* Fields by the names of the header line; made once per head. */
static int32_t target_by_header(struct lane *lane, struct weir_bytes head,
                                struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    struct csv_scan scan;
    struct csv_field field;
    uint64_t at = mark_length(head);
    uint8_t *seen;
    int32_t status = WEIR_OK;
    if (lane->n_targets && head.length == lane->head.length &&
        memcmp(head.data, lane->head.data, head.length) == 0)
        return WEIR_OK;
    lane->n_targets = 0;
    lane->head.length = 0;
    seen = csv->host->alloc((uint64_t)csv->declared.n_children);
    if (!seen) return no_memory(error);
    memset(seen, 0, (uint64_t)csv->declared.n_children);
    csv_begin(&scan, &csv->dialect, head.data, head.length, at, lane->marks);
    do {
        struct weir_bytes name;
        int32_t column;
        csv_next(&scan, at, &field);
        name.data = head.data + field.start;
        name.length = field.end - field.start;
        if (field.doubled && !unescape(lane, &name)) status = no_memory(error);
        if (field.open || lane->n_targets == FIELDS_MAX)
            status = weir_fail(error, WEIR_DATA, "the header line is no line of names");
        if (status != WEIR_OK) break;
        column = header_column(csv, name);
        if (column >= 0 && seen[column])
            status = weir_fail(error, WEIR_DATA, "the header line has column '%s' twice",
                               csv->declared.children[column]->name);
        else if (!target_add(lane, column < 0 ? -1 : csv->wanted_of[column]))
            status = no_memory(error);
        if (column >= 0) seen[column] = 1;
        at = field.next;
    } while (status == WEIR_OK && !field.last);
    if (status == WEIR_OK) status = header_complete(csv, seen, error);
    if (status == WEIR_OK &&
        render_bytes(csv->host, head.data, head.length, &lane->head) != WEIR_OK)
        status = no_memory(error);
    if (status != WEIR_OK) lane->n_targets = 0;
    csv->host->free(seen);
    return status;
}

static int32_t flush(struct lane *lane, struct weir_error *error)
{
    uint32_t rows = lane->rows;
    lane->rows = 0;
    return columns_emit(lane->columns, lane->n_columns, rows, lane->context, error);
}

static int32_t emit_counted(struct lane *lane, struct weir_error *error)
{
    struct weir_emission emission;
    memset(&emission, 0, sizeof emission);
    emission.size = (uint32_t)sizeof emission;
    emission.rows = lane->rows;
    lane->rows = 0;
    return emission.rows ? lane->csv->host->emit(lane->context, &emission, error) : WEIR_OK;
}

static int32_t decode_run(struct lane *lane, const uint8_t *text, uint64_t length,
                          struct weir_error *error)
{
    struct csv_scan scan;
    const int plain = may_be_plain(lane);
    uint64_t at = 0, begun = 0;
    int32_t status = WEIR_OK;
    csv_begin(&scan, &lane->csv->dialect, text, length, 0, lane->marks);
    while (status == WEIR_OK && at < length) {
        if (is_blank_line(text, length, at, &at)) continue;
        if (!plain || !decode_plain(lane, &scan, &at)) status = decode_record(lane, &scan, &at, error);
        if (status == WEIR_OK && (lane->rows == CHUNK_ROWS || at - begun > CHUNK_BYTES)) {
            begun = at;
            status = lane->n_columns ? flush(lane, error) : emit_counted(lane, error);
        }
    }
    return status;
}

/* Whether more than empty lines follow the record at `at`. */
static int has_second(struct lane *lane, struct weir_bytes text, uint64_t at)
{
    struct csv_scan scan;
    if (!memchr(text.data + at, '\n', text.length - at - 1)) return 0;
    csv_begin(&scan, &lane->csv->dialect, text.data, text.length, at, lane->marks);
    if (!skip_record(&scan, &at)) return 0;
    while (at < text.length && is_blank_line(text.data, text.length, at, &at)) {}
    return at < text.length;
}

/* Text that is to be one record, empty lines apart: a row, or a rejection of all of it. */
static int32_t decode_single(struct lane *lane, const uint8_t *text, uint64_t length, int plain,
                             struct weir_error *error)
{
    const struct weir_bytes all = { text, length };
    struct fault fault = { NULL, NULL, 0 };
    struct csv_scan scan;
    uint64_t at = 0;
    int32_t status = WEIR_OK;
    while (at < length && is_blank_line(text, length, at, &at)) {}
    if (at == length) {
        set_fault(&fault, WEIR_REJECT_DECODE, NULL, "an empty text, where a record is wanted");
        return end_record(lane, all, &fault, error);
    }
    if (has_second(lane, all, at)) {
        set_fault(&fault, WEIR_REJECT_DECODE, NULL, "more than one record");
        return end_record(lane, all, &fault, error);
    }
    csv_begin(&scan, &lane->csv->dialect, text, length, at, lane->marks);
    if (!plain || !decode_plain(lane, &scan, &at)) status = decode_record(lane, &scan, &at, error);
    return status;
}

static int32_t decode_singles(struct lane *lane, const struct weir_records *records,
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

static int32_t csv_decode(void *self, void *p, const struct weir_records *records,
                          struct weir_error *error)
{
    struct csv *csv = self;
    struct lane *lane = p;
    int32_t status = WEIR_OK;
    lane->rows = 0;
    for (uint32_t i = 0; i < lane->n_columns; i++) column_truncate(&lane->columns[i], 0);
    if (csv->header && !records->head.data)
        return weir_fail(error, WEIR_DATA, "records without the header line that names them");
    status = csv->header ? target_by_header(lane, records->head, error)
                         : target_by_place(lane, error);
    if (status == WEIR_OK)
        status = records->n_offsets ? decode_singles(lane, records, error)
                                    : decode_run(lane, records->bytes, records->length, error);
    if (status != WEIR_OK) return status;
    return lane->n_columns ? flush(lane, error) : emit_counted(lane, error);
}

/* ---- encode ---- */

static int32_t csv_bind_encode(void *self, const struct ArrowSchema *schema,
                               struct weir_error *error)
{
    struct csv *csv = self;
    int64_t i;
    for (i = 0; i < schema->n_children; i++) {
        int32_t status = check_type(schema->children[i], error);
        if (status != WEIR_OK) return status;
    }
    csv->encoded = schema;
    return WEIR_OK;
}

static int needs_quotes(const struct csv *csv, struct weir_bytes text)
{
    uint64_t i;
    if (text.length == csv->n_null && memcmp(text.data, csv->null_value, text.length) == 0)
        return 1;
    if (text.length == 0 && csv->encoded->n_children == 1) return 1; /* no empty line */
    if (text.length && text.data[0] == 0xEF) return 1; /* would be a mark at the start of a file */
    for (i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        if (c == '\n' || c == '\r' || c == (uint8_t)csv->dialect.delimiter[0] ||
            (int)c == csv->dialect.quote)
            return 1;
    }
    return 0;
}

static int32_t put_text(const struct csv *csv, struct weir_bytes text, struct weir_buffer *out,
                        struct weir_error *error)
{
    uint8_t quote = (uint8_t)csv->dialect.quote;
    uint64_t i;
    if (!needs_quotes(csv, text)) return render_bytes(csv->host, text.data, text.length, out);
    if (csv->dialect.quote < 0)
        return weir_fail(error, WEIR_DATA, "a value needs quotes, and there are none");
    if (out->capacity - out->length < 2 * text.length + 2 &&
        csv->host->buffer_grow(out, 2 * text.length + 2) != WEIR_OK)
        return WEIR_FATAL;
    out->data[out->length++] = quote;
    for (i = 0; i < text.length; i++) {
        if (text.data[i] == quote) out->data[out->length++] = quote;
        out->data[out->length++] = text.data[i];
    }
    out->data[out->length++] = quote;
    return WEIR_OK;
}

static int32_t put_header(const struct csv *csv, struct weir_buffer *out,
                          struct weir_error *error)
{
    int32_t status = WEIR_OK;
    int64_t i;
    for (i = 0; i < csv->encoded->n_children && status == WEIR_OK; i++) {
        const char *name = csv->encoded->children[i]->name;
        struct weir_bytes text = { (const uint8_t *)name, strlen(name) };
        if (i)
            status = render_bytes(csv->host, csv->dialect.delimiter, csv->dialect.n_delimiter, out);
        if (status == WEIR_OK) status = put_text(csv, text, out, error);
    }
    return status == WEIR_OK ? render_bytes(csv->host, "\n", 1, out) : status;
}

static int32_t put_row(const struct csv *csv, const struct weir_chunk *chunk, uint32_t row,
                       struct weir_buffer *out, struct weir_error *error)
{
    int32_t status = WEIR_OK;
    int64_t i;
    if (csv->n_null == 0 && csv->encoded->n_children == 1 &&
        weir_is_null(chunk->array->children[0], row))
        return weir_fail(error, WEIR_DATA,
                         "a null that is the only field of its line gives an empty line, which "
                         "reads back as no record: give the format a `null_value`");
    for (i = 0; i < csv->encoded->n_children && status == WEIR_OK; i++) {
        const struct ArrowSchema *type = csv->encoded->children[i];
        const struct ArrowArray *column = chunk->array->children[i];
        uint32_t t = weir_type_of(type);
        if (i)
            status = render_bytes(csv->host, csv->dialect.delimiter, csv->dialect.n_delimiter, out);
        if (status != WEIR_OK) break;
        if (weir_is_null(column, row))
            status = render_bytes(csv->host, csv->null_value, csv->n_null, out);
        else if (t == WEIR_TYPE_UTF8 || t == WEIR_TYPE_BINARY)
            status = put_text(csv, weir_get_bytes(column, row), out, error);
        else status = render_text(csv->host, type, column, row, out);
    }
    return status == WEIR_OK ? render_bytes(csv->host, "\n", 1, out) : status;
}

static int32_t csv_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                          struct weir_buffer *out, struct weir_error *error)
{
    const struct csv *csv = self;
    uint64_t before = out->length;
    int32_t status = WEIR_OK;
    uint32_t i;
    (void)lane;
    if ((flags & WEIR_ENCODE_HEAD) && csv->header) status = put_header(csv, out, error);
    for (i = 0; chunk && i < chunk->selected && status == WEIR_OK; i++) {
        uint32_t row = weir_row(chunk, i);
        status = put_row(csv, chunk, row, out, error);
        if (status == WEIR_DATA && error) error->code = (int32_t)row;
    }
    if (status == WEIR_OK) return WEIR_OK;
    out->length = before;
    return status == WEIR_FATAL ? no_memory(error) : status;
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = csv_create,
    .destroy = csv_destroy,
    .bind_decode = csv_bind_decode,
    .frame = csv_frame,
    .lane_create = lane_create,
    .lane_destroy = lane_destroy,
    .decode = csv_decode,
    .bind_encode = csv_bind_encode,
    .encode = csv_encode,
    .extension = "csv",
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_FORMAT,
      .name = "csv",
      .summary = "a record is a line of fields",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .table = &format },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.format.csv",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
