/*
 * csv_cell.c - cells: the text of a field as a value of its column's type.
 */
#include "plugins/format_csv/csv_cell.h"

#include "plugins/share/option.h"
#include "plugins/share/text.h"

static int scratch_room(struct csv_lane *lane, uint64_t n)
{
    lane->scratch.length = 0;
    return lane->scratch.capacity >= n ||
           lane->csv->host->buffer_grow(&lane->scratch, n) == WEIR_OK;
}

/* Text of a quoted field, its doubled quotes made single, in the scratch memory. */
int csv_unescape(struct csv_lane *lane, struct weir_bytes *text)
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

static int add_text(struct csv_lane *lane, struct column *column, struct weir_bytes text)
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

static int add_cell(struct csv_lane *lane, struct column *column, struct weir_bytes text)
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

void csv_set_fault(struct csv_fault *fault, int32_t code, const char *column, const char *text)
{
    if (fault->text) return;
    fault->code = code;
    fault->column = column;
    fault->text = text;
}

int32_t csv_take_field(struct csv_lane *lane, const uint8_t *text, const struct csv_field *field,
                       struct column *column, struct csv_fault *fault, struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    struct weir_bytes cell = { text + field->start, field->end - field->start };
    int result;
    if (!field->quoted && cell.length == csv->n_null &&
        memcmp(cell.data, csv->null_value, cell.length) == 0) {
        if (column->not_null)
            csv_set_fault(fault, WEIR_REJECT_SCHEMA, column->name, "is null");
        return column_add_null(column) ? WEIR_OK : no_memory(error);
    }
    if (field->doubled && !csv_unescape(lane, &cell)) return no_memory(error);
    result = add_cell(lane, column, cell);
    if (result == CELL_OK) return WEIR_OK;
    if (result == CELL_MEMORY) return no_memory(error);
    if (result == CELL_NOT_UTF8)
        csv_set_fault(fault, WEIR_REJECT_UTF8, column->name, "is not UTF-8");
    else csv_set_fault(fault, WEIR_REJECT_SCHEMA, column->name, "does not fit its type");
    return column_add_null(column) ? WEIR_OK : no_memory(error);
}
