/*
 * sort.c - the operator `order`: the rows of a batch in order.
 *
 *  1. All rows come into one place, in the order (source partition by name, arrival). Chunks are
 *     kept there (by reference) with the values of their keys, and a row is a pair (piece, row).
 *  2. The pairs are sorted by the keys, of equal ones by themselves: so the sort is stable.
 *  3. Rows are then copied in that order, chunk by chunk.
 *
 * A batch has an order, a stream has none: rows of later batches would have to go between those that
 * are gone. So the input must be one whose batches are whole tables, or scope must be batch.
 */
#define _GNU_SOURCE
#include "plugins/operator_order/order.h"

#include <stdlib.h>

#include "plugins/share/cell.h"
#include "plugins/share/order.h"

#define KEYS_MAX 16u
#define BYTES_MAX (8u << 20)

struct key {
    struct weir_expr *expr;
    int32_t input; /* >= 0: the key is this column */
    int sign;      /* 1 ascending, -1 descending */
    int nulls;     /* -1 first, 1 last */
};

struct order {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct ArrowSchema *schema; /* of the input */
    struct key keys[KEYS_MAX];
    uint32_t n_keys;
    char *text; /* of the entry of `by` that is being read */
};

/* A chunk that is kept. */
struct piece {
    const struct weir_chunk *chunk;
    struct ArrowArray keys[KEYS_MAX]; /* evaluated; release NULL: a column of the chunk */
};

struct lane {
    struct weir_context *context;
    const struct order *order;
    struct piece *pieces;
    uint32_t n_pieces, room;
    uint64_t *rows; /* piece, then row */
    uint64_t n_rows, rows_room;
    uint32_t *scratch; /* rows of one chunk */
    struct weir_builder *builder;
};

static int32_t order_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct order *order = host->alloc(sizeof *order);
    if (!order) return no_memory(error);
    memset(order, 0, sizeof *order);
    order->host = host;
    order->context = context;
    order->data = host->get_interface(WEIR_DATA_ID);
    order->expr = host->get_interface(WEIR_EXPR_ID);
    *self = order;
    if (order->data && order->expr) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks " WEIR_DATA_ID " or " WEIR_EXPR_ID);
}

static void order_destroy(void *self)
{
    struct order *order = self;
    if (!order) return;
    for (uint32_t i = 0; i < order->n_keys; i++) order->expr->free(order->keys[i].expr);
    order->host->free(order->text);
    order->host->free(order);
}

/* ---- `by`: an expression, then asc or desc, then nulls first or last ---- */

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static size_t trimmed(const char *text, size_t n)
{
    while (n > 0 && is_space(text[n - 1])) n--;
    return n;
}

static int same_word(const char *text, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]) != word[i]) return 0;
    return 1;
}

/* Cuts `word` off the end of a text of n characters: the new length, or n. It is no word if
 * nothing stands before it, for then it is the expression. */
static size_t without(const char *text, size_t n, const char *word)
{
    const size_t length = strlen(word);
    if (n <= length || !is_space(text[n - length - 1])) return n;
    if (!same_word(text + n - length, word, length)) return n;
    n = trimmed(text, n - length);
    return n ? n : n + length;
}

/* The length of the expression; direction and nulls into the key. */
static size_t read_suffix(const char *text, size_t n, struct key *key)
{
    size_t shorter = without(text, n, "first");
    int first = shorter < n, last = 0;
    if (!first) last = (shorter = without(text, n, "last")) < n;
    if (first || last) {
        size_t before = without(text, shorter, "nulls");
        first = before < shorter && first;
        last = before < shorter && last;
        if (before < shorter) n = before;
    }
    key->sign = 1;
    shorter = without(text, n, "desc");
    if (shorter < n) key->sign = -1;
    else shorter = without(text, n, "asc");
    key->nulls = first ? -1 : last ? 1 : -key->sign;
    return shorter;
}

static int is_operand_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("_)]\"'.", c)) || (unsigned char)c >= 0x80;
}

/* Ends it in `nulls` as the word of an order? Behind an operator it is a column. */
static int lacks_first(const char *text, size_t n)
{
    static const char *const operators[] = { "and", "or", "not", "div", "like", "rlike", "from" };
    const size_t before = without(text, n, "nulls");
    if (before == n || !is_operand_end(text[before - 1])) return 0;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const size_t length = strlen(operators[i]);
        if (without(text, before, operators[i]) < before) return 0;
        if (before == length && same_word(text, operators[i], length)) return 0;
    }
    return 1;
}

static int32_t add_key(struct order *order, const char *text, size_t n, uint64_t item,
                       struct weir_error *error)
{
    const struct weir_expr_input input = { NULL, order->schema };
    struct key *key = &order->keys[order->n_keys];
    char option[32];
    snprintf(option, sizeof option, "by.%llu", (unsigned long long)item);
    while (n > 0 && is_space(text[0])) text++, n--;
    n = trimmed(text, n);
    if (order->n_keys == KEYS_MAX)
        return weir_fail_option(error, option, -1, "%u keys are the most", KEYS_MAX);
    n = read_suffix(text, n, key);
    if (lacks_first(text, n))
        return weir_fail_option(error, option, -1,
                                "\"nulls\" wants `first` or `last` behind it: \"EXPRESSION "
                                "[asc|desc] [nulls first|last]\"");
    order->host->free(order->text);
    order->text = order->host->alloc(n + 1);
    if (!order->text) return no_memory(error);
    memcpy(order->text, text, n);
    order->text[n] = 0;
    int32_t result = order->expr->compile(order->context, order->text, option, &input, 1,
                                          WEIR_TYPE_NONE, &key->expr, error);
    if (result != WEIR_OK) return result;
    order->n_keys++;
    key->input = order->expr->column(key->expr);
    if (weir_type_of(order->expr->schema(key->expr)) != WEIR_TYPE_NONE) return WEIR_OK;
    return weir_fail_option(error, option, -1, "an interval can't be a key: order by the times");
}

/* The end of the piece that begins at text: a comma outside of quotes and brackets, or the end. */
static const char *piece_end(const char *text)
{
    int depth = 0;
    char quote = 0;
    for (; *text; text++) {
        if (quote) {
            if (*text == quote) quote = 0;
        } else if (*text == '\'' || *text == '"') {
            quote = *text;
        } else if (*text == '(' || *text == '[') {
            depth++;
        } else if (*text == ')' || *text == ']') {
            depth--;
        } else if (*text == ',' && depth <= 0) {
            break;
        }
    }
    return text;
}

static int32_t read_by(struct order *order, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; order->host->option_item(order->context, "by", i, &value) == WEIR_OK; i++)
        for (const char *p = value.text;;) {
            const char *end = piece_end(p);
            int32_t result = add_key(order, p, (size_t)(end - p), i, error);
            if (result != WEIR_OK) return result;
            if (!*end) break;
            p = end + 1;
        }
    if (order->n_keys) return WEIR_OK;
    return weir_fail_option(error, "by", -1, "there are no keys: name one");
}

static int32_t order_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct order *order = self;
    const char *scope = option_text(order->host, order->context, "scope", NULL);
    if (in->inputs[0].form != WEIR_FORM_REPLACE && !option_is(scope, "batch"))
        return weir_fail_option(error, "scope", -1,
                                "a stream has no order, for later rows would have to go between "
                                "those that are out: sort the table of an operator in "
                                "output_mode complete, or give scope batch");
    order->schema = in->inputs[0].schema;
    int32_t result = read_by(order, error);
    if (result == WEIR_OK) result = passing_plan(order->data, &in->inputs[0], out, error);
    for (uint32_t i = 0; i < order->n_keys && result == WEIR_OK; i++)
        if (!order->expr->deterministic(order->keys[i].expr))
            out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    return result;
}

int32_t passing_plan(const struct weir_data *data, const struct weir_input *input,
                     struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_stream *stream = &out->streams[0];
    out->n_outputs = 1;
    stream->form = input->form;
    stream->slide = input->slide;
    stream->time_column = input->time_column;
    out->time_columns[0] = input->time_columns;
    stream->n_key_columns = input->n_key_columns;
    for (uint32_t i = 0; i < input->n_key_columns; i++)
        stream->key_columns[i] = input->key_columns[i];
    out->distribution[0].kind = WEIR_DISTRIBUTE_SINGLE;
    return data->schema_copy(input->schema, NULL, &stream->schema, error);
}

/* ---- lanes ---- */

static int32_t order_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct order *order = self;
    struct lane *l = order->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->context = context;
    l->order = order;
    *lane = l;
    l->scratch = order->host->alloc(WEIR_CHUNK_MAX_ROWS * sizeof *l->scratch);
    if (!l->scratch) return no_memory(error);
    return order->data->builder_create(order->schema, &l->builder, error);
}

static void forget(struct lane *lane)
{
    for (uint32_t p = 0; p < lane->n_pieces; p++) {
        struct piece *piece = &lane->pieces[p];
        for (uint32_t k = 0; k < lane->order->n_keys; k++)
            if (piece->keys[k].release) piece->keys[k].release(&piece->keys[k]);
        lane->order->host->chunk_release(piece->chunk);
    }
    lane->n_pieces = 0;
    lane->n_rows = 0;
}

static void order_lane_destroy(void *self, void *lane)
{
    struct order *order = self;
    struct lane *l = lane;
    forget(l);
    order->data->builder_destroy(l->builder);
    order->host->free(l->pieces);
    order->host->free(l->rows);
    order->host->free(l->scratch);
    order->host->free(l);
}

static int32_t order_begin(void *self, void *lane, const struct weir_begin *in,
                           struct weir_error *error)
{
    (void)self;
    (void)in;
    (void)error;
    forget(lane); /* what a failed batch left */
    return WEIR_OK;
}

static int make_room(struct lane *lane, uint32_t rows)
{
    const struct weir_host *host = lane->order->host;
    if (lane->n_pieces == lane->room) {
        uint32_t room = lane->room ? 2 * lane->room : 16;
        struct piece *more = host->realloc(lane->pieces, room * sizeof *more);
        if (!more) return 0;
        lane->pieces = more;
        lane->room = room;
    }
    if (lane->rows_room - lane->n_rows < rows) {
        uint64_t room = 2 * lane->rows_room + rows;
        uint64_t *more = host->realloc(lane->rows, room * sizeof *more);
        if (!more) return 0;
        lane->rows = more;
        lane->rows_room = room;
    }
    return 1;
}

static int32_t order_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct order *order = self;
    struct lane *l = lane;
    struct weir_rows rows = { sizeof rows, chunk->selected, l->scratch };
    int32_t result = WEIR_OK;
    (void)input;
    if (!make_room(l, chunk->selected)) return no_memory(error);
    struct piece *piece = &l->pieces[l->n_pieces++];
    memset(piece, 0, sizeof *piece);
    piece->chunk = chunk;
    order->host->chunk_retain(chunk);
    for (uint32_t i = 0; i < rows.n; i++) rows.rows[i] = weir_row(chunk, i);
    for (uint32_t k = 0; k < order->n_keys && result == WEIR_OK; k++)
        if (order->keys[k].input < 0)
            result = order->expr->eval(l->context, order->keys[k].expr, &chunk, &rows,
                                       &piece->keys[k], error);
    for (uint32_t i = 0; i < rows.n && result == WEIR_OK; i++)
        l->rows[l->n_rows++] = (uint64_t)(l->n_pieces - 1) << 32 | rows.rows[i];
    return result;
}

/* ---- sorting ---- */

static const struct ArrowArray *key_column(const struct lane *lane, uint32_t piece, uint32_t k)
{
    const int32_t input = lane->order->keys[k].input;
    const struct piece *p = &lane->pieces[piece];
    return input >= 0 ? p->chunk->array->children[input] : &p->keys[k];
}

static int compare_rows(const void *x, const void *y, void *arg)
{
    const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    const struct lane *lane = arg;
    const struct order *order = lane->order;
    for (uint32_t k = 0; k < order->n_keys; k++) {
        const struct key *key = &order->keys[k];
        const struct ArrowArray *left = key_column(lane, (uint32_t)(a >> 32), k);
        const struct ArrowArray *right = key_column(lane, (uint32_t)(b >> 32), k);
        const int left_null = weir_is_null(left, (uint32_t)a);
        const int right_null = weir_is_null(right, (uint32_t)b);
        int by;
        if (left_null || right_null) by = (left_null - right_null) * key->nulls;
        else
            by = order_values(order->expr->schema(key->expr), left, (uint32_t)a, right,
                              (uint32_t)b) * key->sign;
        if (by) return by;
    }
    return (a > b) - (a < b);
}

static int32_t emit_rows(struct lane *lane, struct weir_error *error)
{
    const struct order *order = lane->order;
    const uint32_t n = (uint32_t)order->schema->n_children;
    struct weir_output_column *columns = order->host->alloc(n * sizeof *columns + 1);
    struct ArrowArray array;
    if (!columns) return no_memory(error);
    int32_t result = order->data->builder_finish(lane->builder, &array, error);
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .columns = columns,
                                          .n_columns = n, .rows = (uint32_t)array.length };
        for (uint32_t c = 0; c < n; c++)
            columns[c] = (struct weir_output_column){ -1, 0, array.children[c] };
        result = order->host->emit(lane->context, &emission, error);
        array.release(&array); /* the columns are the host's already */
    }
    order->host->free(columns);
    return result;
}

static uint64_t append_row(struct lane *lane, uint64_t row, int32_t *result)
{
    const struct order *order = lane->order;
    const struct ArrowArray *array = lane->pieces[row >> 32].chunk->array;
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < (uint32_t)order->schema->n_children && *result == WEIR_OK; c++) {
        *result = order->data->append_from(order->data->builder_child(lane->builder, c),
                                           array->children[c], (uint32_t)row);
        bytes += 8 + cell_bytes(order->schema->children[c], array->children[c], (uint32_t)row);
    }
    if (*result == WEIR_OK) *result = order->data->append_valid(lane->builder);
    return bytes;
}

static int32_t order_advance(void *self, void *lane, struct weir_error *error)
{
    struct lane *l = lane;
    uint64_t bytes = 0;
    uint32_t n = 0;
    int32_t result = WEIR_OK;
    (void)self;
    if (l->n_rows) qsort_r(l->rows, l->n_rows, sizeof *l->rows, compare_rows, l);
    for (uint64_t i = 0; i < l->n_rows && result == WEIR_OK; i++) {
        bytes += append_row(l, l->rows[i], &result);
        if (result != WEIR_OK) return no_memory(error);
        n++;
        if (i + 1 < l->n_rows && n < WEIR_CHUNK_TARGET_ROWS && bytes < BYTES_MAX) continue;
        result = emit_rows(l, error);
        bytes = n = 0;
    }
    forget(l);
    return result;
}

const struct weir_operator order_operator = {
    .size = sizeof order_operator,
    .create = order_create,
    .destroy = order_destroy,
    .bind = order_bind,
    .lane_create = order_lane_create,
    .lane_destroy = order_lane_destroy,
    .begin = order_begin,
    .process = order_process,
    .advance = order_advance,
};
