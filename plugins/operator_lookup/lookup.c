/*
 * lookup.c - the operator `lookup`: rows of a stream, each with the rows of a table that match.
 *
 * There is no exchange: the table is made once, on first use, and every lane reads it. With `refresh`
 * the file is looked at again, by batch time, and the table made anew where it has changed; lanes go
 * on with the one that they began the batch with. Where no key
 * is twice in the table (the usual case), columns of the stream pass by reference and only those
 * of the table are gathered; else rows come out as pairs, as those of a join do.
 */
#include "plugins/operator_lookup/op.h"

struct lane {
    struct lookup *lookup;
    struct weir_context *context;
    struct table *table;
    const struct weir_chunk *chunk;
    struct join_pairs *pairs;
    struct weir_output_column *out;
    struct ArrowArray *arrays;
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint32_t slots[WEIR_CHUNK_MAX_ROWS];
    uint32_t others[WEIR_CHUNK_MAX_ROWS]; /* by row of the chunk: row of the table */
    uint8_t gone[WEIR_CHUNK_MAX_ROWS];    /* by row of the chunk: it was rejected */
};

/* ---- create and bind ---- */

static int32_t lookup_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct lookup *op = host->alloc(sizeof *op);
    if (!op) return no_memory(error);
    memset(op, 0, sizeof *op);
    *self = op;
    op->join.host = host;
    if (pthread_mutex_init(&op->lock, NULL) != 0) return no_memory(error);
    op->has_lock = 1;
    op->io = host->get_interface(WEIR_IO_ID);
    op->formats = host->get_interface(WEIR_FORMAT_ID);
    if (!op->io || !op->formats)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "this host lacks " WEIR_IO_ID " or " WEIR_FORMAT_ID);
    return join_init(&op->join, host, context, error);
}

static void lookup_destroy(void *self)
{
    struct lookup *op = self;
    if (!op) return;
    table_free(op->table);
    if (op->rows.release) op->rows.release(&op->rows);
    if (op->schema.release) op->schema.release(&op->schema);
    if (op->has_lock) pthread_mutex_destroy(&op->lock);
    join_fini(&op->join);
    op->join.host->free(op);
}

/* The rows of the job file as one JSON text, which tells errors by row and column. */
static int32_t read_rows(struct lookup *op, struct weir_error *error)
{
    const struct join *join = &op->join;
    struct weir_value value = { .size = sizeof value };
    struct weir_error inner = WEIR_ERROR_INIT;
    struct weir_buffer text = { 0 };
    int32_t result = join->host->buffer_grow(&text, 2);
    if (result == WEIR_OK) text.data[text.length++] = '[';
    for (uint64_t i = 0; result == WEIR_OK && join->host->option_item(join->context, "table.rows", i,
                                                                      &value) == WEIR_OK;
         i++) {
        result = join->host->buffer_grow(&text, value.length + 3);
        if (result != WEIR_OK) break;
        if (i) text.data[text.length++] = ',';
        memcpy(text.data + text.length, value.text, value.length);
        text.length += value.length;
    }
    if (result == WEIR_OK) {
        text.data[text.length++] = ']';
        result = join->data->rows_parse(&op->schema, (const char *)text.data, text.length, &op->rows,
                                        &inner);
        if (result == WEIR_CONFIG)
            weir_fail_option(error, "table.rows", -1, "%s", inner.text);
        else if (result != WEIR_OK)
            weir_fail(error, result, "%s", inner.text);
    } else {
        no_memory(error);
    }
    join->host->free(text.data);
    return result;
}

/* The columns of a file are what its format makes of those that are declared. */
static int32_t bind_file(struct lookup *op, struct ArrowSchema *declared, struct weir_error *error)
{
    const struct join *join = &op->join;
    struct weir_error inner = WEIR_ERROR_INIT;
    int32_t result;
    if (!option_text(join->host, join->context, "table.format", NULL))
        return weir_fail_option(error, "table.path", -1, "name the format of the file: "
                                "\"format\": \"csv\"");
    result = op->formats->table_bind(join->context, declared->release ? declared : NULL,
                                     &op->schema, &inner);
    if (result == WEIR_OK) return result;
    return result == WEIR_FATAL ? weir_fail(error, result, "%s", inner.text)
                                : weir_fail_option(error, "table.columns", -1, "%s", inner.text);
}

static int32_t read_table(struct lookup *op, struct weir_error *error)
{
    const struct join *join = &op->join;
    struct weir_error inner = WEIR_ERROR_INIT;
    struct weir_value rows = { .size = sizeof rows };
    const char *ddl = option_text(join->host, join->context, "table.columns", NULL);
    struct ArrowSchema declared = { 0 };
    int32_t result = WEIR_OK;
    const int has_rows = option_get(join->host, join->context, "table.rows", &rows);
    op->path = option_text(join->host, join->context, "table.path", NULL);
    op->refresh_us = option_integer(join->host, join->context, "refresh", 0);
    if (!op->path == !has_rows)
        return weir_fail_option(error, "table.columns", -1,
                                "a table has either rows or the path of a file");
    if (!op->path && op->refresh_us)
        return weir_fail_option(error, "refresh", -1, "only a file can be read again");
    if (ddl) result = join->data->schema_parse(ddl, &declared, &inner);
    if (result == WEIR_CONFIG)
        return weir_fail_option(error, "table.columns", inner.offset, "%s", inner.text);
    if (result != WEIR_OK) return weir_fail(error, result, "%s", inner.text);
    if (op->path) {
        result = bind_file(op, &declared, error);
    } else if (ddl) {
        op->schema = declared;
        return read_rows(op, error);
    } else {
        result = weir_fail_option(error, "table.rows", -1, "rows need `columns` beside them");
    }
    if (declared.release) declared.release(&declared);
    return result;
}

static void plan_times(const struct lookup *op, const struct weir_input *input,
                       struct weir_operator_plan *out)
{
    const struct join *join = &op->join;
    for (uint32_t i = 0; i < join->n_columns && i < 64; i++) {
        uint32_t side = join->columns[i].side;
        int32_t source = (int32_t)join->columns[i].column;
        if (join->columns[i].expr)
            source = join->expr->time_source(join->columns[i].expr, &side);
        if (side != 0 || source < 0 || source > 63 || !(input->time_columns >> source & 1)) continue;
        out->time_columns[0] |= (uint64_t)1 << i;
        if (out->streams[0].time_column < 0 || source == input->time_column)
            out->streams[0].time_column = (int32_t)i;
    }
}

static int passes_by_reference(const struct join *join)
{
    for (uint32_t i = 0; i < join->n_columns; i++)
        if (join->columns[i].expr) return 0;
    return join->n_rest == 0;
}

static int32_t lookup_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    struct lookup *op = self;
    const struct weir_input *input = &in->inputs[0];
    int32_t result = read_table(op, error);
    if (result != WEIR_OK) return result;
    const struct weir_expr_input inputs[2] = { { input->name, input->schema },
                                               { "table", &op->schema } };
    op->join.probes = 1;
    result = join_bind(&op->join, inputs, error);
    if (result == WEIR_OK) result = join_schema(&op->join, &out->streams[0].schema, error);
    if (result != WEIR_OK) return result;
    op->by_reference = (uint32_t)passes_by_reference(&op->join);
    out->n_outputs = 1;
    out->streams[0].form =
        input->form == WEIR_FORM_REPLACE ? WEIR_FORM_REPLACE : WEIR_FORM_APPEND;
    out->streams[0].slide = input->slide;
    plan_times(op, input, out);
    out->flags = WEIR_PLAN_READS_KNOWN;
    /* a file may be another one when a batch runs again */
    if (op->join.nondeterministic || op->path) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    out->reads[0] = join_reads(&op->join, 0);
    return WEIR_OK;
}

/* ---- lanes ---- */

static int32_t lookup_lane_create(void *self, struct weir_context *context, void **lane,
                                  struct weir_error *error)
{
    struct lookup *op = self;
    const struct weir_host *host = op->join.host;
    struct lane *l = host->alloc(sizeof *l);
    const uint64_t n = op->join.n_columns + 1;
    if (!l) return no_memory(error);
    memset(l, 0, offsetof(struct lane, rows));
    *lane = l;
    l->lookup = op;
    l->context = context;
    l->pairs = host->alloc(sizeof *l->pairs);
    l->out = host->alloc(n * sizeof *l->out);
    l->arrays = host->alloc(n * sizeof *l->arrays);
    if (l->pairs) memset(l->pairs, 0, sizeof *l->pairs);
    if (!l->pairs || !l->out || !l->arrays) return no_memory(error);
    return join_pairs_init(l->pairs, &op->join, context, error);
}

static int32_t copy_rows(struct lookup *op, struct ArrowArray *out, struct weir_error *error)
{
    const struct ArrowArray *arrays[1] = { &op->rows };
    const uint32_t counts[1] = { (uint32_t)op->rows.length };
    return op->join.data->concat(&op->schema, arrays, NULL, counts, 1, out, error);
}

/* ---- the table, under the lock ---- */

static int32_t load(struct lookup *op, struct lane *l, const struct weir_io_stat *stat,
                    struct weir_error *error)
{
    struct ArrowArray rows;
    struct table *table;
    int32_t result = op->path ? file_rows(op, l->context, stat, &rows, error)
                              : copy_rows(op, &rows, error);
    if (result == WEIR_OK) result = table_make(&op->join, l->context, &rows, &table, error);
    if (result != WEIR_OK) return result;
    if (op->table && op->table->users == 0) table_free(op->table);
    op->table = table; /* the lanes that use the old one free it */
    if (stat) op->stat = *stat;
    return WEIR_OK;
}

static int same_file(const struct weir_io_stat *a, const struct weir_io_stat *b)
{
    return a->length == b->length && a->mtime_us == b->mtime_us && a->inode == b->inode &&
           a->device == b->device;
}

/* A file that can't be read again leaves the table as it was. */
static int32_t reload(struct lookup *op, struct lane *l, struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    struct weir_io_stat stat;
    char line[600];
    int32_t result = file_stat(op, l->context, &stat, &inner);
    if (result == WEIR_OK && !same_file(&stat, &op->stat)) result = load(op, l, &stat, &inner);
    if (result == WEIR_OK) return WEIR_OK;
    if (result == WEIR_FATAL && inner.code == 0) return weir_fail(error, result, "%s", inner.text);
    snprintf(line, sizeof line, "the table stays as it was: %s", inner.text);
    op->join.host->log(l->context, WEIR_LOG_WARN, line);
    return WEIR_OK;
}

static int32_t first_load(struct lookup *op, struct lane *l, struct weir_error *error)
{
    struct weir_io_stat stat;
    int32_t result;
    if (!op->path) return load(op, l, NULL, error);
    result = file_stat(op, l->context, &stat, error);
    return result == WEIR_OK ? load(op, l, &stat, error) : result;
}

/* The lane has no more to do with its table. */
static void leave(struct lookup *op, struct lane *l)
{
    if (!l->table) return;
    if (--l->table->users == 0 && l->table != op->table) table_free(l->table);
    l->table = NULL;
}

/* The first lane that needs the table makes it; the others wait. */
static int32_t lookup_begin(void *self, void *lane, const struct weir_begin *in,
                            struct weir_error *error)
{
    struct lookup *op = self;
    struct lane *l = lane;
    int32_t result = WEIR_OK;
    if (l->table && !op->refresh_us) return WEIR_OK;
    pthread_mutex_lock(&op->lock);
    if (!op->table) {
        result = first_load(op, l, error);
        op->looked_us = in->time_us;
    } else if (op->refresh_us && in->time_us - op->looked_us >= op->refresh_us) {
        result = reload(op, l, error);
        op->looked_us = in->time_us;
    }
    leave(op, l);
    if (result == WEIR_OK) {
        l->table = op->table;
        l->table->users++;
    }
    pthread_mutex_unlock(&op->lock);
    return result;
}

static void lookup_lane_destroy(void *self, void *lane)
{
    struct lookup *op = self;
    struct lane *l = lane;
    if (!l) return;
    pthread_mutex_lock(&op->lock);
    leave(op, l);
    pthread_mutex_unlock(&op->lock);
    if (l->pairs) join_pairs_fini(l->pairs);
    op->join.host->free(l->pairs);
    op->join.host->free(l->out);
    op->join.host->free(l->arrays);
    op->join.host->free(l);
}

/* ---- rows ---- */

static int32_t take_chunk(void *arg, uint32_t column, const uint32_t *rows, uint32_t n,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct lane *l = arg;
    const struct join *join = &l->lookup->join;
    return join->data->take(join->inputs[0].schema->children[column],
                            l->chunk->array->children[column], rows, n, out, error);
}

static int32_t take_table(void *arg, uint32_t column, const uint32_t *rows, uint32_t n,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct lane *l = arg;
    const struct join *join = &l->lookup->join;
    return join->data->take(join->inputs[1].schema->children[column],
                            l->table->array.children[column], rows, n, out, error);
}

/* Around what may reject rows: those that left the list are gone for good. */
static void watch(struct lane *l, const struct weir_rows *rows, uint8_t gone)
{
    for (uint32_t i = 0; i < rows->n; i++) l->gone[rows->rows[i]] = gone;
}

/* Conditions on the stream alone: rows that fail one have no partner. */
static int32_t filter(struct lane *l, const struct weir_chunk *chunk, struct weir_rows *rows,
                      struct weir_error *error)
{
    const struct join *join = &l->lookup->join;
    const struct weir_chunk *const chunks[2] = { chunk, chunk };
    for (uint32_t k = 0; k < join->n_filters[0] && rows->n; k++) {
        struct ArrowArray bools;
        uint32_t n = 0;
        watch(l, rows, 1);
        int32_t result =
            join->expr->eval(l->context, join->filters[0][k], chunks, rows, &bools, error);
        if (result != WEIR_OK) return result;
        watch(l, rows, 0);
        for (uint32_t i = 0; i < rows->n; i++) {
            const uint32_t row = rows->rows[i];
            rows->rows[n] = row;
            n += !weir_is_null(&bools, row) && weir_get_bool(&bools, row);
        }
        rows->n = n;
        bools.release(&bools);
    }
    return WEIR_OK;
}

/* The first row of the table for each row of the chunk, in `others`. */
static int32_t probe(struct lane *l, const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct join *join = &l->lookup->join;
    const struct ArrowArray *leaves[JOIN_KEYS_MAX];
    struct ArrowArray own[JOIN_KEYS_MAX];
    struct weir_rows rows = { sizeof rows, chunk->selected, l->rows };
    int32_t result;
    memset(l->others, 0xff, chunk->rows * sizeof *l->others);
    memset(l->gone, 0, chunk->rows);
    for (uint32_t i = 0; i < rows.n; i++) rows.rows[i] = weir_row(chunk, i);
    result = filter(l, chunk, &rows, error);
    if (result != WEIR_OK) return result;
    watch(l, &rows, 1);
    result = join_leaves(join, l->context, 0, chunk, &rows, leaves, own, error);
    if (result != WEIR_OK) return result;
    watch(l, &rows, 0);
    join_drop_nulls(join, leaves, &rows);
    join->combine->lookup(l->table->index, leaves, NULL, rows.rows, rows.n, l->slots);
    for (uint32_t i = 0; i < rows.n; i++)
        if (l->slots[i] != WEIR_NO_SLOT && l->table->n_slots)
            l->others[rows.rows[i]] = l->table->first[l->slots[i]];
    for (uint32_t i = 0; i < join->n_leaves; i++)
        if (own[i].release) own[i].release(&own[i]);
    return WEIR_OK;
}

static int comes_out(const struct lane *l, uint32_t row)
{
    switch (l->lookup->join.type) {
    case JOIN_LEFT_OUTER: return !l->gone[row];
    case JOIN_LEFT_ANTI: return !l->gone[row] && l->others[row] == JOIN_NONE;
    default: return l->others[row] != JOIN_NONE;
    }
}

static int32_t emit_chunk(struct lane *l, const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct join *join = &l->lookup->join;
    uint32_t n = 0;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        const uint32_t row = weir_row(chunk, i);
        l->rows[n] = row;
        n += (uint32_t)comes_out(l, row);
    }
    if (n == 0) return WEIR_OK;
    memset(l->arrays, 0, join->n_columns * sizeof *l->arrays);
    for (uint32_t i = 0; i < join->n_columns && result == WEIR_OK; i++) {
        const struct join_column *column = &join->columns[i];
        l->out[i] = (struct weir_output_column){ (int32_t)column->column, 0, NULL };
        if (column->side == 0) continue;
        l->out[i] = (struct weir_output_column){ -1, 0, &l->arrays[i] };
        result = take_table(l, column->column, l->others, chunk->rows, &l->arrays[i], error);
    }
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .from = chunk, .columns = l->out,
                                          .n_columns = join->n_columns, .rows = chunk->rows };
        if (n < chunk->rows) {
            emission.selection = l->rows;
            emission.selected = n;
        }
        return join->host->emit(l->context, &emission, error);
    }
    for (uint32_t i = 0; i < join->n_columns; i++)
        if (l->arrays[i].release) l->arrays[i].release(&l->arrays[i]);
    return result;
}

static int32_t emit_pairs(struct lane *l, const struct weir_chunk *chunk, struct weir_error *error)
{
    const int keeps = join_keeps(l->lookup->join.type, 0);
    int32_t result = WEIR_OK;
    l->chunk = chunk;
    l->pairs->sources[0] = (struct join_source){ take_chunk, l };
    l->pairs->sources[1] = (struct join_source){ take_table, l };
    join_pairs_begin(l->pairs, 0, chunk->rows);
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        const uint32_t row = weir_row(chunk, i);
        uint32_t other = l->others[row];
        for (; other != JOIN_NONE && result == WEIR_OK; other = l->table->next[other])
            result = join_pairs_add(l->pairs, row, other, error);
        if (keeps && !l->gone[row] && result == WEIR_OK)
            result = join_pairs_add(l->pairs, row, JOIN_NONE, error);
    }
    return result == WEIR_OK ? join_pairs_flush(l->pairs, error) : result;
}

static int32_t lookup_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    const struct lookup *op = self;
    struct lane *l = lane;
    int32_t result = probe(l, chunk, error);
    (void)input;
    if (result != WEIR_OK) return result;
    if (op->by_reference && (l->table->unique || join_left_only(op->join.type)))
        return emit_chunk(l, chunk, error);
    return emit_pairs(l, chunk, error);
}

const struct weir_operator lookup_operator = {
    .size = sizeof lookup_operator,
    .create = lookup_create,
    .destroy = lookup_destroy,
    .bind = lookup_bind,
    .lane_create = lookup_lane_create,
    .lane_destroy = lookup_lane_destroy,
    .begin = lookup_begin,
    .process = lookup_process,
};
