/*
 * csv_encode.c - rows as lines of fields.
 */
#include "plugins/format_csv/csv.h"

#include <string.h>

#include "plugins/share/option.h"
#include "plugins/share/render.h"

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

int32_t csv_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
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
