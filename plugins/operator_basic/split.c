/*
 * split.c - the operator `split`: one row per token of a text column.
 *
 *  1. Without `on` tokens are runs of bytes that are not ASCII white space; none is empty.
 *  2. With a literal `on` tokens are what stands between its occurrences, empty ones too, so each
 *     text gives one token at least. With `on` '' they are the code points.
 *  3. A null gives no row.
 *  4. The other columns are repeated beside each token.
 *
 * Finding tokens (starts and ends in the bytes of the column) and copying them are two loops over
 * a few thousand tokens at a time, which stay in the first cache. Selected rows that follow each
 * other are walked as one run of bytes; only where other columns exist is a token's row looked up,
 * by going along the offsets. Short tokens are copied by 16 bytes at once; the next one overwrites
 * the surplus, and where the source ends within these 16 bytes the length is taken exactly. Words of all rows are
 * copied as what is not white space, 64 bytes a step, where the machine can.
 */
#define _GNU_SOURCE
#include "plugins/operator_basic/basic.h"
#include "plugins/operator_basic/words.h"

#define TOKENS_MAX (TARGET_ROWS + 2 * WORDS_BLOCK)
#define SURPLUS 64u /* bytes that may be written behind the tokens */

struct split {
    struct basic basic;
    uint32_t column, n_columns;
    uint32_t n_wide; /* other columns with values of any length */
    const char *on;  /* NULL: white space */
    uint64_t n_on;
    const struct ArrowSchema *schema; /* of the input */
};

struct split_lane {
    struct weir_context *context;
    const struct weir_chunk *chunk;
    const struct ArrowArray *text;
    uint32_t starts[TOKENS_MAX], ends[TOKENS_MAX], rows[TOKENS_MAX];
    uint32_t n;   /* tokens whose start and end are known */
    uint32_t row; /* of the last token that was given a row */
};

static int32_t split_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    struct split *split;
    struct weir_value value;
    int32_t result = basic_create(host, context, sizeof *split, self, error);
    if (result != WEIR_OK) return result;
    split = *self;
    if (!option_get(host, context, "on", &value)) return WEIR_OK;
    split->on = value.text;
    split->n_on = value.length;
    return WEIR_OK;
}

static void split_destroy(void *self)
{
    struct split *split = self;
    if (split) split->basic.host->free(split);
}

static int is_wide(uint32_t type)
{
    return weir_type_width(type) == 0 && type != WEIR_TYPE_BOOL;
}

static int32_t split_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    struct split *split = self;
    const struct ArrowSchema *input = in->inputs[0].schema;
    const char *name;
    int32_t result = column_option(&split->basic, "column", input, &split->column, &name, error);
    if (result != WEIR_OK) return result;
    if (weir_type_of(input->children[split->column]) != WEIR_TYPE_UTF8)
        return weir_fail_option(error, "column", -1,
                                "column \"%s\" is no text: split takes a string", name);
    split->schema = input;
    split->n_columns = (uint32_t)input->n_children;
    for (uint32_t i = 0; i < split->n_columns; i++)
        split->n_wide += i != split->column && is_wide(weir_type_of(input->children[i]));
    struct field token = { input->children[split->column],
                           option_text(split->basic.host, split->basic.context, "into", "") };
    result = replace_plan(&split->basic, out, &in->inputs[0], split->column, token, "into", error);
    if (result != WEIR_OK) return result;
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    out->reads[0] = read_bit(split->column);
    return WEIR_OK;
}

static int32_t split_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    struct split *split = self;
    struct split_lane *l = split->basic.host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    l->context = context;
    *lane = l;
    return WEIR_OK;
}

static void split_lane_destroy(void *self, void *lane)
{
    struct split *split = self;
    split->basic.host->free(lane);
}

/* ---- emitting ---- */

/* The rows of tokens [0, n): the row whose bytes hold the token's start. */
static void find_rows(struct split_lane *lane, uint32_t n)
{
    const int32_t *offsets = lane->text->buffers[1];
    uint32_t row = lane->row;
    for (uint32_t i = 0; i < n; i++) {
        while ((uint32_t)offsets[row + 1] <= lane->starts[i]) row++;
        lane->rows[i] = row;
    }
    lane->row = row;
}

static uint64_t bytes_beside(const struct split *split, const struct split_lane *lane, uint32_t row)
{
    uint64_t sum = 0;
    for (uint32_t c = 0; c < split->n_columns && split->n_wide; c++)
        if (c != split->column)
            sum += cell_bytes(split->schema->children[c], lane->chunk->array->children[c], row);
    return sum;
}

/* How many of the tokens [from, n) go into one emission: at least one, then while bytes allow. */
static uint32_t fitting(const struct split *split, const struct split_lane *lane, uint32_t from,
                        uint32_t n)
{
    uint64_t sum = 0, each = 0;
    if (split->n_wide == 0 && lane->ends[n - 1] - lane->starts[from] <= TARGET_BYTES)
        return n - from;
    for (uint32_t i = from; i < n; i++) {
        if (i == from || lane->rows[i] != lane->rows[i - 1])
            each = bytes_beside(split, lane, lane->rows[i]);
        sum += each + lane->ends[i] - lane->starts[i];
        if (sum > TARGET_BYTES && i > from) return i - from;
    }
    return n - from;
}

/* The bytes of tokens [0, n) one by one; 16 at once where there are so many. */
static void copy_tokens(const struct split_lane *lane, const uint32_t *starts, const uint32_t *ends,
                        uint32_t n, uint8_t *to)
{
    const uint8_t *bytes = lane->text->buffers[2];
    const uint32_t all = (uint32_t)((const int32_t *)lane->text->buffers[1])[lane->text->length];
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t length = ends[i] - starts[i];
        if (length <= 16 && starts[i] + 16 <= all)
            memcpy(to, bytes + starts[i], 16);
        else
            memcpy(to, bytes + starts[i], length);
        to += length;
    }
}

/* Do all words of the bytes from one token on to another become tokens? */
static int is_whole(const struct split *split, const struct split_lane *lane)
{
    return !split->on && !lane->chunk->selection && !lane->text->buffers[0];
}

static int32_t token_column(const struct split *split, const struct split_lane *lane, uint32_t from,
                            uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t *starts = lane->starts + from, *ends = lane->ends + from;
    /* tokens don't overlap, so together they are no longer than the stretch that holds them */
    int32_t result = split->basic.data->column(WEIR_TYPE_UTF8, n,
                                               (uint64_t)(ends[n - 1] - starts[0]) + SURPLUS, 0,
                                               out, error);
    if (result != WEIR_OK) return result;
    int32_t *offsets = (int32_t *)(uintptr_t)out->buffers[1];
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[2];
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        at += ends[i] - starts[i];
        offsets[i + 1] = (int32_t)at;
    }
    if (!is_whole(split, lane) || !words_copy(lane->text->buffers[2], starts[0], ends[n - 1], to))
        copy_tokens(lane, starts, ends, n, to);
    return WEIR_OK;
}

static int32_t emit_tokens(const struct split *split, struct split_lane *lane, uint32_t from,
                           uint32_t n, struct weir_error *error)
{
    const struct basic *basic = &split->basic;
    uint32_t columns = split->n_columns, c;
    uint64_t size = columns * (sizeof(struct ArrowArray) + sizeof(struct weir_output_column));
    struct ArrowArray *arrays = basic->host->alloc(size);
    struct weir_output_column *out = (struct weir_output_column *)(void *)(arrays + columns);
    int32_t result = arrays ? WEIR_OK : no_memory(error);
    for (c = 0; c < columns && result == WEIR_OK; c++) {
        out[c] = (struct weir_output_column){ -1, 0, &arrays[c] };
        if (c == split->column)
            result = token_column(split, lane, from, n, &arrays[c], error);
        else
            result = basic->data->take(split->schema->children[c], lane->chunk->array->children[c],
                                       lane->rows + from, n, &arrays[c], error);
    }
    if (result == WEIR_OK) {
        struct weir_emission emission = { .size = sizeof emission, .columns = out,
                                          .n_columns = columns, .rows = n };
        result = basic->host->emit(lane->context, &emission, error);
    } else {
        while (c-- > 0)
            if (arrays[c].release) arrays[c].release(&arrays[c]);
    }
    basic->host->free(arrays);
    return result;
}

/* Emits the tokens found so far. */
static int32_t flush(const struct split *split, struct split_lane *lane, struct weir_error *error)
{
    uint32_t n = lane->n;
    int32_t result = WEIR_OK;
    lane->n = 0;
    if (n == 0) return WEIR_OK;
    if (!split->on && split->n_columns > 1) find_rows(lane, n);
    for (uint32_t from = 0; from < n && result == WEIR_OK;) {
        uint32_t some = fitting(split, lane, from, n);
        result = emit_tokens(split, lane, from, some, error);
        from += some;
    }
    return result;
}

/* ---- finding ---- */

static int32_t split_words(const struct split *split, struct split_lane *lane, uint32_t row,
                           uint32_t until, struct weir_error *error)
{
    struct words words = { .bytes = lane->text->buffers[2], .offsets = lane->text->buffers[1],
                           .n = lane->n, .starts = lane->starts, .ends = lane->ends };
    words_begin(&words, row, until);
    while (words.at < words.end || words.open) {
        words_find(&words, TARGET_ROWS);
        lane->n = words.n;
        if (words.n < TARGET_ROWS) break;
        int32_t result = flush(split, lane, error);
        if (result != WEIR_OK) return result;
        if (words.open) lane->starts[0] = lane->starts[words.n];
        words.n = 0;
    }
    return WEIR_OK;
}

static int32_t add_token(const struct split *split, struct split_lane *lane, uint32_t start,
                         uint32_t end, struct weir_error *error)
{
    lane->starts[lane->n] = start;
    lane->ends[lane->n] = end;
    /* several tokens may begin at one place (empty ones), so the rows can't be told from them */
    lane->rows[lane->n++] = lane->row;
    return lane->n < TARGET_ROWS ? WEIR_OK : flush(split, lane, error);
}

static int32_t split_literal(const struct split *split, struct split_lane *lane, uint32_t row,
                             struct weir_error *error)
{
    const int32_t *offsets = lane->text->buffers[1];
    const uint8_t *bytes = lane->text->buffers[2];
    uint32_t at = (uint32_t)offsets[row], end = (uint32_t)offsets[row + 1];
    int32_t result = WEIR_OK;
    lane->row = row;
    while (result == WEIR_OK) {
        const uint8_t *found = split->n_on == 1
                                   ? memchr(bytes + at, split->on[0], end - at)
                                   : memmem(bytes + at, end - at, split->on, split->n_on);
        uint32_t stop = found ? (uint32_t)(found - bytes) : end;
        result = add_token(split, lane, at, stop, error);
        if (!found) break;
        at = stop + (uint32_t)split->n_on;
    }
    return result;
}

static int32_t split_points(const struct split *split, struct split_lane *lane, uint32_t row,
                            struct weir_error *error)
{
    const int32_t *offsets = lane->text->buffers[1];
    const uint8_t *bytes = lane->text->buffers[2];
    uint32_t at = (uint32_t)offsets[row], end = (uint32_t)offsets[row + 1];
    int32_t result = WEIR_OK;
    lane->row = row;
    while (at < end && result == WEIR_OK) {
        uint32_t next = at + 1;
        while (next < end && (bytes[next] & 0xc0) == 0x80) next++;
        result = add_token(split, lane, at, next, error);
        at = next;
    }
    return result;
}

/* The end of the run of selected rows without null that begins with the i-th: rows that follow each
 * other in the column. */
static uint32_t run_end(const struct weir_chunk *chunk, const struct ArrowArray *text, uint32_t i)
{
    if (!chunk->selection && !text->buffers[0]) return chunk->selected;
    for (uint32_t k = i + 1;; k++)
        if (k == chunk->selected || weir_row(chunk, k) != weir_row(chunk, k - 1) + 1 ||
            weir_is_null(text, weir_row(chunk, k)))
            return k;
}

static int32_t split_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    struct split *split = self;
    struct split_lane *l = lane;
    int32_t result = WEIR_OK;
    (void)input;
    l->chunk = chunk;
    l->text = chunk->array->children[split->column];
    l->n = l->row = 0;
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK;) {
        uint32_t row = weir_row(chunk, i);
        uint32_t until = i + 1;
        if (weir_is_null(l->text, row)) {
            i++;
            continue;
        }
        if (!split->on) {
            until = run_end(chunk, l->text, i);
            result = split_words(split, l, row, row + (until - i), error);
        } else if (split->n_on) {
            result = split_literal(split, l, row, error);
        } else {
            result = split_points(split, l, row, error);
        }
        i = until;
    }
    return result == WEIR_OK ? flush(split, l, error) : result;
}

const struct weir_operator split_operator = {
    .size = sizeof split_operator,
    .create = split_create,
    .destroy = split_destroy,
    .bind = split_bind,
    .lane_create = split_lane_create,
    .lane_destroy = split_lane_destroy,
    .process = split_process,
};
