/*
 * console.c - the sink `console`: batches on standard output, for people (`table`) or for pipes.
 *
 * The table is that of Spark's console sink: three lines with the number of the batch, a box whose
 * columns are as wide as their widest cell (3 at least) with cells at the right, or at the left
 * where nothing is cut, `only showing top N rows` where there were more, and an empty line. An
 * empty batch has its head, too. Only the first N rows are ever made into text.
 *
 * Invariants
 *  1. The text of a table is whole before its first byte is sent; other formats are sent in pieces.
 *  2. `cells` holds the texts of the kept cells behind each other, row by row; `ends` where each of
 *     them ends. Widths count columns of a terminal: a full-width character takes two.
 *  3. In a table control characters of values are shown as escapes: no value steers a terminal.
 */
#include <weir/plugin.h>

#include <errno.h>

#include "plugins/share/option.h"
#include "plugins/share/render.h"

#define LEAST_WIDTH 3u
#define SEND_BYTES (1u << 20)
#define RULE "-------------------------------------------\n"

enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV, FORMAT_TEXT };

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, 0, "rows", "20", NULL, "rows of a batch that a table shows"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "truncate", "20", NULL,
                "characters of a cell that a table shows; 0: all, at the left"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "format", "table", "table|json|csv|text",
                "a table per batch, or all rows and nothing else"),
};

struct console {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const struct ArrowSchema *schema;
    uint64_t most;     /* option `rows` */
    uint64_t truncate; /* 0: no */
    int format;
    uint64_t batch, rows, kept; /* of the batch: its id, rows seen, rows in `cells` */
    struct weir_buffer cells, ends, out;
};

/* ---- text of a cell ---- */

static int32_t put(struct console *c, struct weir_buffer *out, const char *text)
{
    return render_bytes(c->host, text, strlen(text), out);
}

static int32_t cell_binary(struct console *c, struct weir_bytes bytes, struct weir_buffer *out)
{
    char text[4];
    int32_t status = put(c, out, "[");
    for (uint64_t i = 0; i < bytes.length && status == WEIR_OK; i++) {
        snprintf(text, sizeof text, i ? " %02X" : "%02X", bytes.data[i]);
        status = put(c, out, text);
    }
    return status == WEIR_OK ? put(c, out, "]") : status;
}

static int32_t cell_value(struct console *c, const struct ArrowSchema *type,
                          const struct ArrowArray *array, uint32_t row, struct weir_buffer *out)
{
    uint32_t t = weir_type_of(type);
    int64_t first = 0, last;
    int32_t status;
    if (weir_is_null(array, row)) return put(c, out, "NULL");
    if (t == WEIR_TYPE_BINARY) return cell_binary(c, weir_get_bytes(array, row), out);
    if (t != WEIR_TYPE_LIST && t != WEIR_TYPE_STRUCT)
        return render_text(c->host, type, array, row, out);
    last = type->n_children;
    if (t == WEIR_TYPE_LIST) {
        first = ((const int32_t *)array->buffers[1])[row];
        last = ((const int32_t *)array->buffers[1])[row + 1];
    }
    status = put(c, out, t == WEIR_TYPE_LIST ? "[" : "{");
    for (int64_t i = first; i < last && status == WEIR_OK; i++) {
        int64_t child = t == WEIR_TYPE_LIST ? 0 : i;
        if (i > first) status = put(c, out, ", ");
        if (status == WEIR_OK)
            status = cell_value(c, type->children[child], array->children[child],
                                t == WEIR_TYPE_LIST ? (uint32_t)i : row, out);
    }
    return status == WEIR_OK ? put(c, out, t == WEIR_TYPE_LIST ? "]" : "}") : status;
}

static int is_control(uint8_t byte) { return byte < 0x20 || byte == 0x7f; }

/* Control characters behind `from` become escapes. */
static int32_t escape_controls(struct console *c, struct weir_buffer *text, uint64_t from)
{
    static const char named[] = "abtnvfr"; /* from 7 on */
    uint64_t n = 0, to, at;
    for (at = from; at < text->length; at++) {
        uint8_t byte = text->data[at];
        if (is_control(byte)) n += byte >= 7 && byte <= 13 ? 1 : 3;
    }
    if (n == 0) return WEIR_OK;
    if (text->capacity - text->length < n && c->host->buffer_grow(text, n) != WEIR_OK)
        return WEIR_FATAL;
    to = text->length + n;
    at = text->length;
    text->length = to;
    while (at > from) {
        uint8_t byte = text->data[--at];
        if (!is_control(byte)) {
            text->data[--to] = byte;
        } else if (byte >= 7 && byte <= 13) {
            text->data[--to] = (uint8_t)named[byte - 7];
            text->data[--to] = '\\';
        } else {
            text->data[--to] = (uint8_t)"0123456789abcdef"[byte & 15];
            text->data[--to] = (uint8_t)('0' + (byte >> 4));
            text->data[--to] = 'x';
            text->data[--to] = '\\';
        }
    }
    return WEIR_OK;
}

/* The code point at p (valid UTF-8); *p moves behind it. */
static uint32_t next_point(const uint8_t **p, const uint8_t *end)
{
    uint32_t point = *(*p)++;
    uint32_t more = point < 0xc0 ? 0 : point < 0xe0 ? 1 : point < 0xf0 ? 2 : 3;
    if (more) point &= 0x3fu >> more;
    while (more-- && *p < end) point = point << 6 | (*(*p)++ & 0x3fu);
    return point;
}

static int is_wide(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
        { 0xfe30, 0xfe4f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return 1;
    return 0;
}

static uint64_t width_of(const uint8_t *text, uint64_t n)
{
    const uint8_t *p = text, *end = text + n;
    uint64_t width = 0;
    while (p < end) width += is_wide(next_point(&p, end)) ? 2 : 1;
    return width;
}

/* Cuts the cell that begins at `from` to `truncate` characters, the last three of them dots. */
static int32_t cut_cell(struct console *c, struct weir_buffer *text, uint64_t from)
{
    const uint8_t *p = text->data + from, *end = text->data + text->length;
    uint64_t keep = c->truncate < 4 ? c->truncate : c->truncate - 3, n = 0;
    uint64_t cut = text->length;
    if (c->truncate == 0) return WEIR_OK;
    while (p < end && n <= c->truncate) {
        if (n == keep) cut = (uint64_t)(p - text->data);
        next_point(&p, end);
        n++;
    }
    if (n <= c->truncate) return WEIR_OK;
    text->length = cut;
    return c->truncate < 4 ? WEIR_OK : put(c, text, "...");
}

static int32_t add_cell(struct console *c, const struct ArrowSchema *type,
                        const struct ArrowArray *array, uint32_t row)
{
    uint64_t from = c->cells.length;
    int32_t status = cell_value(c, type, array, row, &c->cells);
    if (status == WEIR_OK) status = escape_controls(c, &c->cells, from);
    if (status == WEIR_OK) status = cut_cell(c, &c->cells, from);
    return status == WEIR_OK
               ? render_bytes(c->host, &c->cells.length, sizeof c->cells.length, &c->ends)
               : status;
}

/* ---- a table ---- */

static struct weir_bytes cell_at(const struct console *c, uint64_t i)
{
    uint64_t from = 0, to;
    struct weir_bytes cell;
    if (i) memcpy(&from, c->ends.data + (i - 1) * sizeof from, sizeof from);
    memcpy(&to, c->ends.data + i * sizeof to, sizeof to);
    cell.data = c->cells.data + from;
    cell.length = to - from;
    return cell;
}

static int32_t put_fill(struct console *c, char fill, uint64_t n)
{
    if (c->out.capacity - c->out.length < n && c->host->buffer_grow(&c->out, n) != WEIR_OK)
        return WEIR_FATAL;
    if (n) memset(c->out.data + c->out.length, fill, n);
    c->out.length += n;
    return WEIR_OK;
}

static int32_t put_border(struct console *c, const uint64_t *widths)
{
    int32_t status = put(c, &c->out, "+");
    for (int64_t i = 0; i < c->schema->n_children && status == WEIR_OK; i++) {
        status = put_fill(c, '-', widths[i]);
        if (status == WEIR_OK) status = put(c, &c->out, "+");
    }
    return status == WEIR_OK ? put(c, &c->out, "\n") : status;
}

static int32_t put_row(struct console *c, const uint64_t *widths, uint64_t row)
{
    int64_t columns = c->schema->n_children;
    int32_t status = put(c, &c->out, "|");
    for (int64_t i = 0; i < columns && status == WEIR_OK; i++) {
        struct weir_bytes cell = cell_at(c, row * (uint64_t)columns + (uint64_t)i);
        uint64_t fill = widths[i] - width_of(cell.data, cell.length);
        if (c->truncate) status = put_fill(c, ' ', fill);
        if (status == WEIR_OK) status = render_bytes(c->host, cell.data, cell.length, &c->out);
        if (status == WEIR_OK && !c->truncate) status = put_fill(c, ' ', fill);
        if (status == WEIR_OK) status = put(c, &c->out, "|");
    }
    return status == WEIR_OK ? put(c, &c->out, "\n") : status;
}

/* Row 0 of the cells holds the names of the columns. */
static int32_t add_names(struct console *c)
{
    int32_t status = WEIR_OK;
    for (int64_t i = 0; i < c->schema->n_children && status == WEIR_OK; i++) {
        uint64_t from = c->cells.length;
        status = put(c, &c->cells, c->schema->children[i]->name);
        if (status == WEIR_OK) status = escape_controls(c, &c->cells, from);
        if (status == WEIR_OK)
            status = render_bytes(c->host, &c->cells.length, sizeof c->cells.length, &c->ends);
    }
    return status;
}

static int32_t put_box(struct console *c, uint64_t *widths)
{
    uint64_t columns = (uint64_t)c->schema->n_children;
    int32_t status;
    for (uint64_t i = 0; i < columns; i++) widths[i] = LEAST_WIDTH;
    for (uint64_t i = 0; i < (c->kept + 1) * columns; i++) {
        struct weir_bytes cell = cell_at(c, i);
        uint64_t width = width_of(cell.data, cell.length);
        if (width > widths[i % columns]) widths[i % columns] = width;
    }
    status = put_border(c, widths);
    if (status == WEIR_OK) status = put_row(c, widths, 0);
    if (status == WEIR_OK) status = put_border(c, widths);
    for (uint64_t row = 1; row <= c->kept && status == WEIR_OK; row++)
        status = put_row(c, widths, row);
    return status == WEIR_OK ? put_border(c, widths) : status;
}

static int32_t put_table(struct console *c)
{
    char line[80];
    uint64_t *widths = c->host->alloc(((uint64_t)c->schema->n_children + 1) * sizeof *widths);
    int32_t status = widths ? WEIR_OK : WEIR_FATAL;
    snprintf(line, sizeof line, "Batch: %llu\n", (unsigned long long)c->batch);
    if (status == WEIR_OK) status = put(c, &c->out, RULE);
    if (status == WEIR_OK) status = put(c, &c->out, line);
    if (status == WEIR_OK) status = put(c, &c->out, RULE);
    if (status == WEIR_OK) status = put_box(c, widths);
    if (status == WEIR_OK && c->rows > c->kept) {
        snprintf(line, sizeof line, "only showing top %llu row%s\n", (unsigned long long)c->most,
                 c->most == 1 ? "" : "s");
        status = put(c, &c->out, line);
    }
    c->host->free(widths);
    return status == WEIR_OK ? put(c, &c->out, "\n") : status;
}

/* ---- rows for pipes ---- */

/* Quotes the csv field that begins at `from`, where it needs it. */
static int32_t quote_field(struct console *c, uint64_t from, int is_null)
{
    struct weir_buffer *out = &c->out;
    uint64_t n = 2, at, to;
    int needed = out->length == from && !is_null;
    for (at = from; at < out->length; at++) {
        uint8_t byte = out->data[at];
        if (byte == '"') n++;
        if (byte == '"' || byte == ',' || byte == '\n' || byte == '\r') needed = 1;
    }
    if (!needed) return WEIR_OK;
    if (out->capacity - out->length < n && c->host->buffer_grow(out, n) != WEIR_OK)
        return WEIR_FATAL;
    at = out->length;
    out->length = to = out->length + n;
    out->data[--to] = '"';
    while (at > from) {
        uint8_t byte = out->data[--at];
        out->data[--to] = byte;
        if (byte == '"') out->data[--to] = '"';
    }
    out->data[--to] = '"';
    return WEIR_OK;
}

static int32_t put_value(struct console *c, const struct ArrowArray *array, int64_t i,
                         uint32_t row)
{
    const struct ArrowSchema *type = c->schema->children[i];
    const struct ArrowArray *column = array->children[i];
    uint64_t from;
    int32_t status;
    if (i) {
        status = put(c, &c->out, c->format == FORMAT_TEXT ? "\t" : ",");
        if (status != WEIR_OK) return status;
    }
    if (c->format == FORMAT_JSON) {
        status = render_json_string(c->host, type->name, strlen(type->name), &c->out);
        if (status == WEIR_OK) status = put(c, &c->out, ":");
        return status == WEIR_OK ? render_json(c->host, type, column, row, &c->out) : status;
    }
    from = c->out.length;
    status = render_text(c->host, type, column, row, &c->out);
    if (status != WEIR_OK || c->format == FORMAT_TEXT) return status;
    return quote_field(c, from, weir_is_null(column, row));
}

static int32_t put_line(struct console *c, const struct ArrowArray *array, uint32_t row)
{
    int32_t status = c->format == FORMAT_JSON ? put(c, &c->out, "{") : WEIR_OK;
    for (int64_t i = 0; i < c->schema->n_children && status == WEIR_OK; i++)
        status = put_value(c, array, i, row);
    return status == WEIR_OK ? put(c, &c->out, c->format == FORMAT_JSON ? "}\n" : "\n") : status;
}

/* ---- calls ---- */

static int32_t send_all(struct console *c, struct weir_error *error)
{
    uint64_t at = 0, sent;
    int32_t status = WEIR_OK;
    while (at < c->out.length && status == WEIR_OK) {
        status = c->io->send(c->context, WEIR_IO_STDOUT, c->out.data + at, c->out.length - at,
                             &sent, error);
        at += sent;
        if (status == WEIR_PENDING) status = WEIR_OK;
    }
    c->out.length = 0;
    if (status == WEIR_RETRY && error && error->code == EPIPE) /* nobody will ever read on */
        status = error->error_class = WEIR_FATAL;
    return status;
}

static int32_t console_create(const struct weir_host *host, struct weir_context *context,
                              void **self, struct weir_error *error)
{
    static const char *const names[] = { "table", "json", "csv", "text" };
    struct console *c = host->alloc(sizeof *c);
    int64_t rows, truncate;
    *self = c;
    if (!c) return no_memory(error);
    memset(c, 0, sizeof *c);
    c->host = host;
    c->context = context;
    c->io = host->get_interface(WEIR_IO_ID);
    if (!c->io) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_IO_ID);
    rows = option_integer(host, context, "rows", 20);
    truncate = option_integer(host, context, "truncate", 20);
    if (rows < 0) return weir_fail_option(error, "rows", -1, "rows can't be fewer than 0");
    if (truncate < 0)
        return weir_fail_option(error, "truncate", -1, "characters can't be fewer than 0");
    c->most = (uint64_t)rows;
    c->truncate = (uint64_t)truncate;
    for (int i = 0; i < 4; i++)
        if (option_is(option_text(host, context, "format", "table"), names[i])) c->format = i;
    return WEIR_OK;
}

static void console_destroy(void *self)
{
    struct console *c = self;
    if (!c) return;
    c->host->free(c->cells.data);
    c->host->free(c->ends.data);
    c->host->free(c->out.data);
    c->host->free(c);
}

static int32_t console_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    struct console *c = self;
    (void)error;
    c->schema = in->schema;
    return WEIR_OK;
}

static int32_t console_open(void *self, const struct weir_identity *identity,
                            struct weir_error *error)
{
    (void)self, (void)identity, (void)error;
    return WEIR_OK;
}

static int32_t console_abort(void *self, struct weir_error *error)
{
    struct console *c = self;
    (void)error;
    c->rows = c->kept = 0;
    c->cells.length = c->ends.length = c->out.length = 0;
    return WEIR_OK;
}

static int32_t console_begin(void *self, const struct weir_sink_batch *batch,
                             struct weir_error *error)
{
    struct console *c = self;
    console_abort(c, error);
    c->batch = batch->batch;
    if (c->format == FORMAT_TABLE && add_names(c) != WEIR_OK) return no_memory(error);
    return WEIR_OK;
}

static int32_t console_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct console *c = self;
    int32_t status = WEIR_OK;
    c->rows += chunk->selected;
    for (uint32_t i = 0; i < chunk->selected && status == WEIR_OK; i++) {
        uint32_t row = weir_row(chunk, i);
        if (c->format != FORMAT_TABLE) {
            if (put_line(c, chunk->array, row) != WEIR_OK) return no_memory(error);
            if (c->out.length >= SEND_BYTES) status = send_all(c, error);
            continue;
        }
        if (c->kept >= c->most) break;
        for (int64_t k = 0; k < c->schema->n_children; k++)
            if (add_cell(c, c->schema->children[k], chunk->array->children[k], row) != WEIR_OK)
                return no_memory(error);
        c->kept++;
    }
    return status;
}

static int32_t console_finish(void *self, struct weir_error *error)
{
    struct console *c = self;
    if (c->format == FORMAT_TABLE && put_table(c) != WEIR_OK) return no_memory(error);
    return send_all(c, error);
}

static void console_nothing(void *self) { (void)self; }

static const struct weir_sink sink = {
    .size = sizeof sink,
    .create = console_create,
    .destroy = console_destroy,
    .bind = console_bind,
    .open = console_open,
    .begin = console_begin,
    .write = console_write,
    .finish = console_finish,
    .abort = console_abort,
    .cancel = console_nothing,
    .close = console_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "console",
      .summary = "rows on standard output: a table per batch, or json, csv or text",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION,
      .table = &sink },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
                                           "weir.sink.console", "1.0", "MIT", WEIR_SDK_VERSION,
                                           components, sizeof *components, 1 };
WEIR_PLUGIN(plugin)
