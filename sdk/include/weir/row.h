/*
 * weir/row.h - row adapters: an operator or a function from one C function that sees one row.
 *
 * The adapter reads and builds columns; the plugin names columns and types and writes `row`. This
 * is slower than a columnar operator (some tens of ns per row), and enough for most.
 *
 *     static int32_t tax(struct weir_row *row, struct weir_error *error)
 *     {
 *         if (weir_row_null(row, 1)) return weir_fail(error, WEIR_DATA, "the amount is missing");
 *         weir_row_put_text(row, 0, weir_row_text(row, 0));
 *         weir_row_put_float(row, 1, weir_row_float(row, 1) * 1.19);
 *         return weir_row_emit(row, error);
 *     }
 *     static const struct weir_row_operator tax_rows = { "user string, amount double",
 *                                                        "user string, gross double", tax, 0 };
 *     WEIR_ROW_OPERATOR(tax_table, tax_rows)          // a struct weir_operator for a component
 *
 * A row that was begun (put) and not ended (emit) when `row` returns is dropped, also where `row`
 * fails; rows that it had ended before stay.
 *
 * What a null cell reads as means nothing: ask weir_row_null first.
 *
 * Functions whose purpose begins with "internal", and those that are as one of weir_operator or
 * weir_scalar, are the adapter's own: authors don't call them.
 */
#ifndef WEIR_ROW_H
#define WEIR_ROW_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_ROW_COLUMNS 32

struct weir_row;

struct weir_row_operator {
    const char *inputs;  /* DDL of the columns that it reads, found by name in the input */
    const char *outputs; /* DDL of the rows that it gives */

    /* Purpose: one row in, any number out by weir_row_put_… and weir_row_emit.
     * Thread and state: [worker], inside process; lanes call it at the same time, each with a `row`
     *   of its own. What `options` made is row->self->data, the same for all.
     * Ownership: `row` and all that it is read from are borrowed during the call.
     * Returns: OK; DATA with a text about the row; the class of weir_row_emit; FATAL.
     * On failure: DATA rejects the row, as on_error says (rows that it had ended stay); with
     *   others the host ends the batch. */
    int32_t (*row)(struct weir_row *row, struct weir_error *error);

    /* Purpose: reads the operator's own options (weir_host.option) into *data. Optional: NULL.
     * Thread and state: [control], once per instance, at the end of create.
     * Ownership: *data is from weir_host.alloc, or NULL; the adapter frees it with the instance,
     *   but nothing that it points to.
     * Returns: OK; CONFIG with error.option; FATAL.
     * On failure: create returns the class; *data is freed as always. */
    int32_t (*options)(const struct weir_host *host, struct weir_context *context, void **data,
                       struct weir_error *error);
};

struct weir_row_self {
    const struct weir_host *host;
    const struct weir_data *data_table;
    const struct weir_row_operator *spec;
    struct weir_context *context;
    struct ArrowSchema inputs, outputs;
    int32_t columns[WEIR_ROW_COLUMNS]; /* number in the input per column of `inputs` */
    void *data;
};

struct weir_row {
    struct weir_row_self *self;
    struct weir_context *context;
    struct weir_builder *builder;
    const struct weir_chunk *chunk;
    uint32_t number; /* in the chunk */
    uint32_t put;    /* bit c: column c of the next output row is there */
    int64_t time_us; /* T of the batch */
    int32_t failed;  /* FATAL: a cell can't be what was put */
    const char *why; /* constant text */
    uint32_t *dropped; /* rows of the builder that were begun and not ended, ascending */
    uint32_t n_dropped, dropped_room;
};

/* Purpose: the column of the input chunk that column c of `inputs` is.
 * Thread and state: [worker], inside `row` or `update`; c < columns of `inputs`.
 * Ownership: borrowed, valid during the call; the row is number row->number of it.
 * Returns: the array.
 * On failure: can't fail. */
static inline const struct ArrowArray *weir_row_column(const struct weir_row *row, uint32_t c)
{
    return row->chunk->array->children[row->self->columns[c]];
}

/* Purpose: cell c of the row: weir_row_null is it null; weir_row_int its value, of a bool (0 or 1),
 *   int32, int64, date (days) or timestamp (microseconds UTC); weir_row_float its value, of a
 *   float64; weir_row_text its bytes, of text or binary. These four share this contract.
 * Thread and state: [worker], inside `row` or `update`; c < columns of `inputs`, of a type named
 *   above.
 * Ownership: the bytes are borrowed, valid during the call; other values are copies.
 * Returns: the value; of a null cell it means nothing.
 * On failure: can't fail. */
static inline int weir_row_null(const struct weir_row *row, uint32_t c)
{
    return weir_is_null(weir_row_column(row, c), row->number);
}

/* bool, int32, int64, date, timestamp */
static inline int64_t weir_row_int(const struct weir_row *row, uint32_t c)
{
    const struct ArrowArray *a = weir_row_column(row, c);
    switch (weir_type_of(row->self->inputs.children[c])) {
    case WEIR_TYPE_BOOL: return weir_get_bool(a, row->number);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return weir_get_int32(a, row->number);
    default: return weir_get_int64(a, row->number);
    }
}

static inline double weir_row_float(const struct weir_row *row, uint32_t c)
{
    return weir_get_float64(weir_row_column(row, c), row->number);
}

static inline struct weir_bytes weir_row_text(const struct weir_row *row, uint32_t c)
{
    return weir_get_bytes(weir_row_column(row, c), row->number);
}

/* Purpose: internal. Takes note of what a cell answered, so that one that can't be put fails its
 *   row, also where nobody looks at the answer.
 * Thread and state: [worker], inside weir_row_put_….
 * Ownership: none.
 * Returns: `result`, as it was given.
 * On failure: can't fail. */
static inline int32_t weir_row_note(struct weir_row *row, uint32_t c, int32_t result)
{
    if (result == WEIR_OK) {
        row->put |= 1u << c;
    } else if (row->failed == WEIR_OK) {
        row->failed = WEIR_FATAL;
        row->why = result == WEIR_FATAL ? "out of memory"
                                        : "a value does not fit its output column";
    }
    return result;
}

/* Purpose: internal. The builder of column c of the next output row.
 * Thread and state: [worker], inside weir_row_put_….
 * Ownership: the lane's.
 * Returns: the builder; NULL where there is no such column or it is there already.
 * On failure: the row is failed, as of weir_row_put_…. */
static inline struct weir_builder *weir_row_out(struct weir_row *row, uint32_t c)
{
    if (c < (uint32_t)row->self->outputs.n_children && !((row->put >> c) & 1))
        return row->self->data_table->builder_child(row->builder, c);
    if (row->failed == WEIR_OK) row->why = "an output column is put twice, or is none";
    row->failed = WEIR_FATAL;
    return NULL;
}

/* Purpose: cell c of the next output row: weir_row_put_int for bool (0 or 1), int32, int64, date
 *   (days), timestamp (microseconds UTC); weir_row_put_float for float64; weir_row_put_text for
 *   text (UTF-8) and binary. One that is not put is null. These three share this contract.
 * Thread and state: [worker], inside `row`, `update`, `end` or `timeout`; each column once per row.
 * Ownership: bytes are copied.
 * Returns: OK; DATA where the value doesn't fit the column, or there is none or it is put already;
 *   FATAL without memory.
 * On failure: the answer may be ignored: weir_row_emit, or the adapter behind the call, ends the
 *   batch with FATAL. */
static inline int32_t weir_row_put_int(struct weir_row *row, uint32_t c, int64_t value)
{
    struct weir_builder *out = weir_row_out(row, c);
    if (!out) return WEIR_DATA;
    return weir_row_note(row, c, row->self->data_table->append_int(out, value));
}

static inline int32_t weir_row_put_float(struct weir_row *row, uint32_t c, double value)
{
    struct weir_builder *out = weir_row_out(row, c);
    if (!out) return WEIR_DATA;
    return weir_row_note(row, c, row->self->data_table->append_float(out, value));
}

static inline int32_t weir_row_put_text(struct weir_row *row, uint32_t c, struct weir_bytes value)
{
    struct weir_builder *out = weir_row_out(row, c);
    if (!out) return WEIR_DATA;
    return weir_row_note(row, c,
                         row->self->data_table->append_bytes(out, value.data, value.length));
}

/* Purpose: internal. The rows of the builder that were ended, as a selection of `rows` rows.
 * Thread and state: [worker], inside weir_row_flush.
 * Ownership: the result is the caller's, for weir_host.free.
 * Returns: *n row numbers; NULL with *n = rows where all were ended.
 * On failure: NULL with *n = 0 without memory. */
static inline uint32_t *weir_row_ended(const struct weir_row *row, uint32_t rows, uint32_t *n)
{
    uint32_t *ended, i, k = 0;
    *n = rows;
    if (row->n_dropped == 0) return NULL;
    ended = (uint32_t *)row->self->host->alloc((uint64_t)rows * sizeof *ended);
    *n = 0;
    for (i = 0; ended && i < rows; i++) {
        if (k < row->n_dropped && row->dropped[k] == i) k++;
        else ended[(*n)++] = i;
    }
    return ended;
}

/* Purpose: internal. Hands the rows that were built to the host.
 * Thread and state: [worker], inside process or advance.
 * Ownership: the rows are moved to the host; the builder is empty afterwards.
 * Returns: OK, also without rows; FATAL without memory; the class of weir_host.emit.
 * On failure: the rows may be lost: the host ends the batch. */
static inline int32_t weir_row_flush(struct weir_row *row, struct weir_error *error)
{
    struct ArrowArray rows;
    struct weir_output_column columns[WEIR_ROW_COLUMNS];
    struct weir_emission emission;
    const struct weir_data *d = row->self->data_table;
    uint32_t c, n = (uint32_t)row->self->outputs.n_children, n_ended;
    uint32_t *ended;
    int32_t result;
    if (d->builder_rows(row->builder) == 0) return WEIR_OK;
    ended = weir_row_ended(row, d->builder_rows(row->builder), &n_ended);
    if (row->n_dropped && !ended) return weir_fail(error, WEIR_FATAL, "out of memory");
    result = d->builder_finish(row->builder, &rows, error);
    row->n_dropped = 0;
    if (result != WEIR_OK || n_ended == 0) {
        if (result == WEIR_OK) rows.release(&rows);
        row->self->host->free(ended);
        return result;
    }
    memset(&emission, 0, sizeof emission);
    memset(columns, 0, sizeof columns);
    for (c = 0; c < n; c++) {
        columns[c].input = -1;
        columns[c].array = rows.children[c];
    }
    emission.size = (uint32_t)sizeof emission;
    emission.columns = columns;
    emission.n_columns = n;
    emission.rows = (uint32_t)rows.length;
    emission.selection = ended;
    emission.selected = n_ended;
    result = row->self->host->emit(row->context, &emission, error);
    rows.release(&rows);
    row->self->host->free(ended);
    return result;
}

/* Purpose: internal. Ends the row of the builder; columns that were not put are null.
 * Thread and state: [worker], inside weir_row_emit or weir_row_settle.
 * Ownership: none.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
static inline int32_t weir_row_end(struct weir_row *row, struct weir_error *error)
{
    const struct weir_data *d = row->self->data_table;
    uint32_t c;
    for (c = 0; c < (uint32_t)row->self->outputs.n_children; c++)
        if (!((row->put >> c) & 1) &&
            d->append_null(d->builder_child(row->builder, c)) != WEIR_OK)
            return weir_fail(error, WEIR_FATAL, "out of memory");
    row->put = 0;
    if (d->append_valid(row->builder) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "the output row is not whole");
    return WEIR_OK;
}

/* Purpose: ends the output row: it is one of those that the operator gives, and the next put begins
 *   another.
 * Thread and state: [worker], inside `row`, `update`, `end` or `timeout`.
 * Ownership: the host's; nothing of it can be changed any more.
 * Returns: OK; FATAL where a cell could not be put or without memory; now and then the class of
 *   weir_host.emit.
 * On failure: the caller returns the class; the host ends the batch. */
static inline int32_t weir_row_emit(struct weir_row *row, struct weir_error *error)
{
    const struct weir_data *d = row->self->data_table;
    int32_t result;
    if (row->failed != WEIR_OK) return weir_fail(error, row->failed, "%s", row->why);
    result = weir_row_end(row, error);
    if (result != WEIR_OK) return result;
    return d->builder_rows(row->builder) < WEIR_CHUNK_TARGET_ROWS ? WEIR_OK
                                                                  : weir_row_flush(row, error);
}

/* Purpose: internal. Behind a call of the author's: drops the row that it began and did not end, so
 *   that the columns stay even.
 * Thread and state: [worker], inside process or advance.
 * Ownership: none.
 * Returns: OK; FATAL where a cell could not be put or without memory.
 * On failure: the host ends the batch. */
static inline int32_t weir_row_settle(struct weir_row *row, struct weir_error *error)
{
    const struct weir_row_self *s = row->self;
    if (row->failed != WEIR_OK) return weir_fail(error, row->failed, "%s", row->why);
    if (row->put == 0) return WEIR_OK;
    if (row->n_dropped == row->dropped_room) {
        uint32_t room = row->dropped_room ? 2 * row->dropped_room : 16;
        uint32_t *more = (uint32_t *)s->host->realloc(row->dropped, (uint64_t)room * sizeof *more);
        if (!more) return weir_fail(error, WEIR_FATAL, "out of memory");
        row->dropped = more;
        row->dropped_room = room;
    }
    row->dropped[row->n_dropped++] = s->data_table->builder_rows(row->builder);
    return weir_row_end(row, error);
}

/* ---- the operator behind it ---- */

/* Purpose, thread, ownership, returns, failure: as weir_operator.create, for the operator that
 *   `spec` (constant, valid for ever) describes; UNSUPPORTED where the host lacks weir.data/1. */
WEIR_UNUSED static int32_t weir_row_create(const struct weir_row_operator *spec,
                                           const struct weir_host *host,
                                           struct weir_context *context, void **self,
                                           struct weir_error *error)
{
    struct weir_row_self *s = (struct weir_row_self *)host->alloc(sizeof *s);
    int32_t result;
    *self = s;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s, 0, sizeof *s);
    s->host = host;
    s->spec = spec;
    s->context = context;
    s->data_table = (const struct weir_data *)host->get_interface(WEIR_DATA_ID);
    if (!s->data_table) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    result = s->data_table->schema_parse(spec->inputs, &s->inputs, error);
    if (result == WEIR_OK) result = s->data_table->schema_parse(spec->outputs, &s->outputs, error);
    if (result == WEIR_OK && (s->inputs.n_children > WEIR_ROW_COLUMNS ||
                              s->outputs.n_children > WEIR_ROW_COLUMNS))
        result = weir_fail(error, WEIR_FATAL, "a row adapter has at most 32 columns");
    if (result == WEIR_OK && spec->options) result = spec->options(host, context, &s->data, error);
    return result;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.destroy. */
WEIR_UNUSED static void weir_row_destroy(void *self)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    if (!s) return;
    if (s->inputs.release) s->inputs.release(&s->inputs);
    if (s->outputs.release) s->outputs.release(&s->outputs);
    if (s->data) s->host->free(s->data);
    s->host->free(s);
}

/* Purpose: internal. Finds the columns of `wanted` by name in `given`; types must be the same.
 * Thread and state: [control], inside bind.
 * Ownership: schemas are borrowed; `columns` has room for those of `wanted`, `reads` (may be NULL)
 *   gets their bits as weir_operator_plan.reads has them.
 * Returns: OK; CONFIG for a column that is not there or of another type.
 * On failure: the check reports it. */
WEIR_UNUSED static int32_t weir_row_find(const struct ArrowSchema *wanted,
                                         const struct ArrowSchema *given, int32_t *columns,
                                         uint64_t *reads, struct weir_error *error)
{
    int64_t c;
    for (c = 0; c < wanted->n_children; c++) {
        const struct ArrowSchema *want = wanted->children[c];
        int32_t at = weir_column_index(given, want->name);
        if (at < 0)
            return weir_fail(error, WEIR_CONFIG, "the input has no column \"%s\"", want->name);
        if (strcmp(given->children[at]->format, want->format) != 0)
            return weir_fail(error, WEIR_CONFIG, "column \"%s\" has another type than the operator "
                             "takes; cast it with select", want->name);
        columns[c] = at;
        if (reads) *reads |= (uint64_t)1 << (at < 63 ? at : 63);
    }
    return WEIR_OK;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.bind; one input, one output. */
WEIR_UNUSED static int32_t weir_row_bind(void *self, const struct weir_operator_bind *in,
                                         struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    int32_t result = weir_row_find(&s->inputs, in->inputs[0].schema, s->columns, &out->reads[0],
                                   error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    out->flags |= WEIR_PLAN_READS_KNOWN;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].time_column = -1;
    return s->data_table->schema_copy(&s->outputs, NULL, &out->streams[0].schema, error);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.lane_create. */
WEIR_UNUSED static int32_t weir_row_lane(void *self, struct weir_context *context, void **lane,
                                         struct weir_error *error)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_row *row = (struct weir_row *)s->host->alloc(sizeof *row);
    *lane = row;
    if (!row) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(row, 0, sizeof *row);
    row->self = s;
    row->context = context;
    return s->data_table->builder_create(&s->outputs, &row->builder, error);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.lane_destroy. */
WEIR_UNUSED static void weir_row_lane_end(void *self, void *lane)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_row *row = (struct weir_row *)lane;
    if (!row) return;
    s->data_table->builder_destroy(row->builder);
    s->host->free(row->dropped);
    s->host->free(row);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.begin; always OK. */
WEIR_UNUSED static int32_t weir_row_begin(void *self, void *lane, const struct weir_begin *in,
                                          struct weir_error *error)
{
    (void)self;
    (void)error;
    ((struct weir_row *)lane)->time_us = in->time_us;
    return WEIR_OK;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.process; calls `row` for each
 *   selected row. */
WEIR_UNUSED static int32_t weir_row_process(void *self, void *lane, uint32_t input,
                                            const struct weir_chunk *chunk,
                                            struct weir_error *error)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_row *row = (struct weir_row *)lane;
    uint32_t i;
    (void)input;
    row->chunk = chunk;
    for (i = 0; i < chunk->selected; i++) {
        struct weir_error bad;
        int32_t result;
        weir_error_init(&bad);
        row->number = weir_row(chunk, i);
        result = s->spec->row(row, &bad);
        if (result == WEIR_DATA)
            result = s->host->reject(row->context, chunk, row->number, WEIR_REJECT_OPERATOR,
                                     bad.text, error);
        else if (result != WEIR_OK)
            weir_fail(error, result, "%s", bad.text);
        if (result == WEIR_OK) result = weir_row_settle(row, error);
        if (result != WEIR_OK) return result;
    }
    return weir_row_flush(row, error);
}

/* Defines `const struct weir_operator table` over a struct weir_row_operator. */
#define WEIR_ROW_OPERATOR(table, spec)                                                             \
    static int32_t table##_create(const struct weir_host *host, struct weir_context *context,      \
                                  void **self, struct weir_error *error)                           \
    {                                                                                              \
        return weir_row_create(&spec, host, context, self, error);                                 \
    }                                                                                              \
    const struct weir_operator table = {                                                           \
        (uint32_t)sizeof(struct weir_operator), 0, table##_create, weir_row_destroy,               \
        weir_row_bind, weir_row_lane, weir_row_lane_end, weir_row_begin, weir_row_process, 0, 0,   \
        0, 0, 0, 0, 0                                                                              \
    };

/* ---- functions ---- */

/* A scalar function of floats: null if an argument is null, which the capability
 * WEIR_CAP_NULL_IN_NULL_OUT of its component says. Defines `const struct weir_scalar table`.
 *     static double hypotenuse(const double *x) { return sqrt(x[0] * x[0] + x[1] * x[1]); }
 *     WEIR_FLOAT_FUNCTION(hypotenuse_table, hypotenuse) */
#define WEIR_FLOAT_FUNCTION(table, function)                                                       \
    static int32_t table##_bind(const struct weir_host *host, const struct weir_argument *args,    \
                                uint32_t n, struct ArrowSchema *result, void **bound,              \
                                struct weir_error *error)                                          \
    {                                                                                              \
        *bound = NULL;                                                                             \
        return weir_float_bind(host, args, n, #function, result, error);                           \
    }                                                                                              \
    static void table##_unbind(void *bound)                                                        \
    {                                                                                              \
        (void)bound;                                                                               \
    }                                                                                              \
    static int32_t table##_eval(const struct weir_host *host, void *bound,                         \
                                const struct weir_call *call, struct ArrowArray *out,              \
                                struct weir_error *error)                                          \
    {                                                                                              \
        (void)bound;                                                                               \
        return weir_float_eval(host, call, function, out, error);                                  \
    }                                                                                              \
    const struct weir_scalar table = { (uint32_t)sizeof(struct weir_scalar), 0, table##_bind,      \
                                       table##_unbind, table##_eval };

/* Purpose, thread, ownership, returns, failure: as weir_scalar.bind, for float64 arguments and
 *   result; `name` stands in the text of the error. */
WEIR_UNUSED static int32_t weir_float_bind(const struct weir_host *host,
                                           const struct weir_argument *args, uint32_t n,
                                           const char *name, struct ArrowSchema *result,
                                           struct weir_error *error)
{
    const struct weir_data *d = (const struct weir_data *)host->get_interface(WEIR_DATA_ID);
    struct ArrowSchema row;
    uint32_t i;
    int32_t answer;
    for (i = 0; i < n; i++)
        if (weir_type_of(args[i].schema) != WEIR_TYPE_FLOAT64)
            return weir_fail(error, WEIR_CONFIG, "%s takes float64 for argument %u", name, i + 1);
    if (!d) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    answer = d->schema_parse("x double", &row, error);
    if (answer != WEIR_OK) return answer;
    answer = d->schema_copy(row.children[0], "", result, error);
    row.release(&row);
    return answer;
}

/* Purpose, thread, ownership, returns, failure: as weir_scalar.eval; `function` is pure, gets up
 *   to 8 arguments and may run on several threads. */
WEIR_UNUSED static int32_t weir_float_eval(const struct weir_host *host,
                                           const struct weir_call *call,
                                           double (*function)(const double *),
                                           struct ArrowArray *out, struct weir_error *error)
{
    const struct weir_data *d = (const struct weir_data *)host->get_interface(WEIR_DATA_ID);
    double x[8] = { 0 };
    uint32_t i, k;
    int32_t result = d->column(WEIR_TYPE_FLOAT64, call->rows, 0, 0, out, error);
    if (result != WEIR_OK) return result;
    for (i = 0; i < call->selected; i++) {
        uint32_t r = call->selection ? call->selection[i] : i;
        for (k = 0; k < call->n_args && k < 8; k++)
            x[k] = weir_get_float64(call->args[k], call->constant[k] ? 0 : r);
        ((double *)(uintptr_t)out->buffers[1])[r] = function(x);
    }
    return WEIR_OK;
}

#ifdef __cplusplus
}
#endif
#endif
