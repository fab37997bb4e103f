/*
 * parse.c - the operator `parse`: a text or binary column is read by a format, whose columns take its
 * place.
 *
 *  1. A value is one record. It gives a row, or as many as the format finds in it (a list in a JSON
 *     document); the other columns are repeated beside them. One of no bytes is bad, unless the format
 *     makes a row of it.
 *  2. A null gives one row in which the format's columns are null.
 *  3. A bad record is a bad row of this operator: on_error says what becomes of it, and its dead
 *     letter holds the whole row.
 *
 * Values that lie behind each other, as they do in a chunk without selection and nulls, are decoded
 * where they are. Where then each gives one row, the other columns are passed on by reference.
 */
#include "plugins/operator_basic/basic.h"

#define NOTHING UINT32_MAX
#define PADDING 64u

struct parse {
    struct basic basic;
    const struct weir_formats *formats;
    const struct ArrowSchema *input;
    struct ArrowSchema parsed; /* columns of the format */
    uint32_t column, n_columns, n_parsed;
};

struct parse_lane {
    struct weir_context *context;
    struct weir_decoder *decoder;
    const struct parse *parse;
    const struct weir_chunk *chunk;
    uint32_t *rows;     /* of the records, in the chunk */
    uint32_t n_records;
    uint32_t next;      /* selected rows before it have gone out */
    struct weir_buffer bytes;
    int32_t *offsets;   /* of the records */
    uint32_t *from, *of; /* of an emission: row of the chunk, row of what was parsed */
    uint32_t room;      /* entries of both */
    struct ArrowArray *arrays;
    struct weir_output_column *out;
};

static int32_t parse_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    int32_t result = basic_create(host, context, sizeof(struct parse), self, error);
    if (result != WEIR_OK) return result;
    struct parse *parse = *self;
    parse->formats = host->get_interface(WEIR_FORMAT_ID);
    if (parse->formats && parse->formats->size > offsetof(struct weir_formats, decode))
        return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks decoding by " WEIR_FORMAT_ID);
}

static void parse_destroy(void *self)
{
    struct parse *parse = self;
    if (!parse) return;
    if (parse->parsed.release) parse->parsed.release(&parse->parsed);
    parse->basic.host->free(parse);
}

/* ---- bind ---- */

/* The output: the input's columns, `column` replaced by those of the format. */
static int32_t parse_plan(struct parse *parse, const struct weir_input *input,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    const struct weir_host *host = parse->basic.host;
    const uint32_t n = parse->n_columns + parse->n_parsed - 1;
    struct field *fields = host->alloc(n * sizeof *fields + 1);
    int32_t *from = host->alloc(n * sizeof *from + 1);
    struct ArrowSchema schema;
    int32_t result = fields && from ? WEIR_OK : no_memory(error);
    for (uint32_t i = 0, at = 0; i < parse->n_columns && result == WEIR_OK; i++) {
        for (uint32_t k = 0; i == parse->column && k < parse->n_parsed; k++, at++) {
            fields[at] = (struct field){ parse->parsed.children[k], NULL };
            from[at] = -1;
        }
        if (i == parse->column) continue;
        fields[at] = (struct field){ input->schema->children[i], NULL };
        from[at++] = (int32_t)i;
    }
    if (result == WEIR_OK) result = fields_schema(&parse->basic, fields, n, "columns", &schema, error);
    if (result == WEIR_OK) carry_plan(out, input, &schema, from, 1);
    host->free(fields);
    host->free(from);
    return result;
}

static int32_t parse_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct parse *parse = self;
    const char *name;
    parse->input = in->inputs[0].schema;
    parse->n_columns = (uint32_t)parse->input->n_children;
    int32_t result = column_option(&parse->basic, "column", parse->input, &parse->column, &name,
                                   error);
    if (result != WEIR_OK) return result;
    const uint32_t type = weir_type_of(parse->input->children[parse->column]);
    if (type != WEIR_TYPE_UTF8 && type != WEIR_TYPE_BINARY)
        return weir_fail_option(error, "column", -1,
                                "column \"%s\" is neither string nor binary", name);
    result = parse->formats->bind_decode(parse->basic.context, &parse->parsed, error);
    if (result != WEIR_OK) return result;
    parse->n_parsed = (uint32_t)parse->parsed.n_children;
    for (uint32_t k = 0; k < parse->n_parsed; k++) /* of a null text all of them are null */
        parse->parsed.children[k]->flags |= ARROW_FLAG_NULLABLE;
    return parse_plan(parse, &in->inputs[0], out, error);
}

/* ---- lanes ---- */

static int32_t parse_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct parse *parse = self;
    const struct weir_host *host = parse->basic.host;
    const uint32_t n = parse->n_columns + parse->n_parsed;
    struct parse_lane *l = host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    *lane = l;
    l->context = context;
    l->parse = parse;
    l->rows = host->alloc(WEIR_CHUNK_MAX_ROWS * sizeof *l->rows);
    l->offsets = host->alloc((WEIR_CHUNK_MAX_ROWS + 1) * sizeof *l->offsets);
    l->arrays = host->alloc(n * sizeof *l->arrays);
    l->out = host->alloc(n * sizeof *l->out);
    if (!l->rows || !l->offsets || !l->arrays || !l->out) return no_memory(error);
    return parse->formats->decoder_create(context, &l->decoder, error);
}

static void parse_lane_destroy(void *self, void *lane)
{
    struct parse *parse = self;
    const struct weir_host *host = parse->basic.host;
    struct parse_lane *l = lane;
    parse->formats->decoder_destroy(l->decoder);
    host->free(l->rows);
    host->free(l->offsets);
    host->free(l->bytes.data);
    host->free(l->from);
    host->free(l->of);
    host->free(l->arrays);
    host->free(l->out);
    host->free(l);
}

/* ---- emitting ---- */

/* Emits lane->arrays: one per column of the format, those in its place; the others by reference, or
 * rows lane->from of them. */
static int32_t emit_rows(struct parse_lane *lane, uint32_t rows, int by_reference,
                         struct weir_error *error)
{
    const struct parse *parse = lane->parse;
    const uint32_t n = parse->n_columns + parse->n_parsed - 1;
    uint32_t at = 0, taken = parse->n_parsed;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < parse->n_columns && result == WEIR_OK; i++) {
        for (uint32_t k = 0; i == parse->column && k < parse->n_parsed; k++)
            lane->out[at++] = (struct weir_output_column){ -1, 0, &lane->arrays[k] };
        if (i == parse->column) continue;
        lane->out[at] = (struct weir_output_column){ (int32_t)i, 0, NULL };
        if (!by_reference) {
            result = parse->basic.data->take(parse->input->children[i],
                                             lane->chunk->array->children[i], lane->from, rows,
                                             &lane->arrays[taken], error);
            lane->out[at] = (struct weir_output_column){ -1, 0, &lane->arrays[taken] };
            taken += result == WEIR_OK;
        }
        at++;
    }
    if (result != WEIR_OK) {
        for (uint32_t k = 0; k < taken; k++)
            if (lane->arrays[k].release) lane->arrays[k].release(&lane->arrays[k]);
        return result;
    }
    struct weir_emission emission = { .size = sizeof emission,
                                      .from = by_reference ? lane->chunk : NULL,
                                      .columns = lane->out, .n_columns = n, .rows = rows };
    return parse->basic.host->emit(lane->context, &emission, error);
}

static int make_room(struct parse_lane *lane, uint32_t rows)
{
    const struct weir_host *host = lane->parse->basic.host;
    if (rows <= lane->room) return 1;
    uint32_t *from = host->realloc(lane->from, (uint64_t)rows * sizeof *from);
    if (from) lane->from = from;
    uint32_t *of = host->realloc(lane->of, (uint64_t)rows * sizeof *of);
    if (of) lane->of = of;
    if (!from || !of) return 0;
    lane->room = rows;
    return 1;
}

static int is_null_row(const struct parse_lane *lane, uint32_t i)
{
    return weir_is_null(lane->chunk->array->children[lane->parse->column],
                        weir_row(lane->chunk, i));
}

/* Rows whose text is null, from lane->next up to (not including) row `until` of the chunk, into
 * from and of; the number of entries then. */
static uint32_t add_nulls(struct parse_lane *lane, uint32_t until, uint32_t n)
{
    for (; lane->next < lane->chunk->selected && weir_row(lane->chunk, lane->next) < until;
         lane->next++) {
        if (!is_null_row(lane, lane->next)) continue;
        lane->from[n] = weir_row(lane->chunk, lane->next);
        lane->of[n++] = NOTHING;
    }
    return n;
}

static void drop(struct ArrowArray *columns, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        if (columns[k].release) columns[k].release(&columns[k]);
}

/* The parsed columns with nulls put in, as lane->of says. Takes the columns. */
static int32_t spread_columns(struct parse_lane *lane, struct ArrowArray *columns, uint32_t n,
                              struct weir_error *error)
{
    const struct parse *parse = lane->parse;
    int32_t result = WEIR_OK;
    uint32_t k = 0;
    for (; k < parse->n_parsed && result == WEIR_OK; k++)
        result = parse->basic.data->take(parse->parsed.children[k], &columns[k], lane->of, n,
                                         &lane->arrays[k], error);
    drop(columns, parse->n_parsed);
    if (result != WEIR_OK) drop(lane->arrays, k - 1);
    return result;
}

static int is_whole_chunk(const struct parse_lane *lane, const uint32_t *records, uint32_t rows)
{
    if (rows != lane->chunk->rows || lane->n_records != rows || lane->next != 0) return 0;
    for (uint32_t i = 0; i < rows; i++)
        if (records[i] != i) return 0;
    return 1;
}

static int32_t parsed_rows(void *arg, struct ArrowArray *columns, uint32_t n_columns,
                           const uint32_t *records, uint32_t rows, struct weir_error *error)
{
    struct parse_lane *lane = arg;
    uint32_t n = 0;
    if (is_whole_chunk(lane, records, rows)) {
        memcpy(lane->arrays, columns, n_columns * sizeof *columns);
        lane->next = lane->chunk->selected;
        return emit_rows(lane, rows, 1, error);
    }
    if (!make_room(lane, rows + lane->chunk->selected)) {
        drop(columns, n_columns);
        return no_memory(error);
    }
    for (uint32_t i = 0; i < rows; i++) {
        const uint32_t row = lane->rows[records[i]];
        n = add_nulls(lane, row, n);
        lane->from[n] = row;
        lane->of[n++] = i;
    }
    if (n > rows) {
        int32_t result = spread_columns(lane, columns, n, error);
        return result == WEIR_OK ? emit_rows(lane, n, 0, error) : result;
    }
    memcpy(lane->arrays, columns, n_columns * sizeof *columns);
    return emit_rows(lane, n, 0, error);
}

static int32_t parsed_reject(void *arg, uint32_t record, int32_t code, const char *text,
                             struct weir_error *error)
{
    struct parse_lane *lane = arg;
    return lane->parse->basic.host->reject(lane->context, lane->chunk, lane->rows[record], code,
                                           text, error);
}

/* Columns of the format of n nulls into lane->arrays. */
static int32_t null_columns(struct parse_lane *lane, uint32_t n, struct weir_error *error)
{
    const struct parse *parse = lane->parse;
    const struct weir_data *data = parse->basic.data;
    struct weir_builder *builder;
    struct ArrowArray rows;
    int32_t result = data->builder_create(&parse->parsed, &builder, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        for (uint32_t k = 0; k < parse->n_parsed && result == WEIR_OK; k++)
            result = data->append_null(data->builder_child(builder, k));
        if (result == WEIR_OK) result = data->append_valid(builder);
    }
    if (result != WEIR_OK) result = no_memory(error);
    else result = data->builder_finish(builder, &rows, error);
    data->builder_destroy(builder);
    if (result != WEIR_OK) return result;
    for (uint32_t k = 0; k < parse->n_parsed; k++) {
        lane->arrays[k] = *rows.children[k];
        rows.children[k]->release = NULL;
    }
    rows.release(&rows);
    return WEIR_OK;
}

/* Rows whose text is null, behind the last record. */
static int32_t emit_nulls(struct parse_lane *lane, struct weir_error *error)
{
    if (!make_room(lane, lane->chunk->selected)) return no_memory(error);
    const uint32_t n = add_nulls(lane, UINT32_MAX, 0);
    if (n == 0) return WEIR_OK;
    int32_t result = null_columns(lane, n, error);
    return result == WEIR_OK ? emit_rows(lane, n, 0, error) : result;
}

/* ---- records ---- */

/* The values of the selected rows that are not null, where they are or as a copy. */
static int32_t find_records(struct parse_lane *lane, struct weir_records *records,
                            struct weir_error *error)
{
    const struct weir_host *host = lane->parse->basic.host;
    const struct ArrowArray *values = lane->chunk->array->children[lane->parse->column];
    const int whole = !lane->chunk->selection && !values->buffers[0];
    lane->n_records = 0;
    lane->bytes.length = 0;
    lane->offsets[0] = 0;
    for (uint32_t i = 0; i < lane->chunk->selected; i++) {
        const uint32_t row = weir_row(lane->chunk, i);
        if (!whole && weir_is_null(values, row)) continue;
        lane->rows[lane->n_records++] = row;
        if (whole) continue;
        const struct weir_bytes value = weir_get_bytes(values, row);
        if (lane->bytes.capacity < lane->bytes.length + value.length + PADDING) {
            int32_t result = host->buffer_grow(
                &lane->bytes, 2 * lane->bytes.length + value.length + PADDING);
            if (result != WEIR_OK) return no_memory(error);
        }
        if (value.length) memcpy(lane->bytes.data + lane->bytes.length, value.data, value.length);
        lane->bytes.length += value.length;
        lane->offsets[lane->n_records] = (int32_t)lane->bytes.length;
    }
    records->n_offsets = lane->n_records + 1;
    records->offsets = whole ? values->buffers[1] : lane->offsets;
    records->bytes = whole ? values->buffers[2] : lane->bytes.data;
    records->length = (uint64_t)records->offsets[lane->n_records];
    return WEIR_OK;
}

static int32_t parse_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct parse *parse = self;
    struct parse_lane *l = lane;
    struct weir_records records = { .size = sizeof records };
    struct weir_decoded out = { .size = sizeof out, .arg = l, .rows = parsed_rows,
                                .reject = parsed_reject };
    (void)input;
    l->chunk = chunk;
    l->next = 0;
    int32_t result = find_records(l, &records, error);
    if (result == WEIR_OK && l->n_records)
        result = parse->formats->decode(l->decoder, &records, &out, error);
    return result == WEIR_OK && l->next < chunk->selected ? emit_nulls(l, error) : result;
}

const struct weir_operator parse_operator = {
    .size = sizeof parse_operator,
    .create = parse_create,
    .destroy = parse_destroy,
    .bind = parse_bind,
    .lane_create = parse_lane_create,
    .lane_destroy = parse_lane_destroy,
    .process = parse_process,
};
