/*
 * text.c - the format `text`: a record is a line, a row is its text.
 *
 *  1. The separator is LF unless given; a CR before an LF goes, a lone CR is data. Empty lines are
 *     records.
 *  2. A byte order mark at the start of a partition is its head and no text.
 *  3. What is not UTF-8 is rejected, or mended with U+FFFD where `invalid` says `replace`.
 *
 * A chunk takes two passes: one by the vector unit finds the ends of up to 8,192 lines and whether
 * all of it is ASCII, one copies the lines behind each other into the column. Lines of up to 32
 * bytes are copied by two loads of fixed length instead of a call: 64 readable bytes follow the
 * records, and the column is asked for 32 bytes more than it needs.
 *
 * Where only lines that contain a text are asked for, that text is searched for in all of the bytes, and
 * lines are made of its hits alone; the others are counted. What is not ASCII goes the usual way, so that
 * every line is checked.
 */
#define _GNU_SOURCE
#include <weir/plugin.h>

#include "plugins/share/condition.h"
#include "plugins/share/lines.h"
#include "plugins/share/option.h"
#include "plugins/share/record.h"
#include "plugins/share/search.h"
#include "plugins/share/text.h"

#define CHUNK_ROWS WEIR_CHUNK_TARGET_ROWS
#define CHUNK_BYTES (8u << 20)
#define SEPARATOR_MAX 64u
#define PIECE (64u << 10) /* bytes that stay in cache between counting and searching */

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "separator", "\n", NULL, "what ends a record"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "invalid", "dead_letter", "dead_letter|replace",
                "what becomes of text that is not UTF-8"),
};

struct text {
    const struct weir_host *host;
    const struct weir_data *data;
    char separator[SEPARATOR_MAX + 1];
    uint32_t n_separator;
    int lines;   /* the separator is LF */
    int replace;
    int none; /* no column is wanted, only how many rows there are */
    struct condition contains; /* n_text 0: all lines are */
};

struct text_lane {
    struct weir_context *context;
    uint32_t n;
    uint32_t left_out; /* lines since the last chunk */
    uint32_t *starts; /* of the lines of the chunk, within its bytes */
    uint32_t *ends;   /* CHUNK_ROWS + 64 of each */
};

static int32_t text_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct weir_value value;
    struct text *text = host->alloc(sizeof *text);
    *self = text;
    if (!text) return no_memory(error);
    memset(text, 0, sizeof *text);
    text->host = host;
    text->data = host->get_interface(WEIR_DATA_ID);
    if (!text->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    text->separator[0] = '\n';
    text->n_separator = 1;
    if (option_get(host, context, "separator", &value)) {
        if (value.length == 0 || value.length > SEPARATOR_MAX)
            return weir_fail_option(error, "separator", -1, "a separator has 1 to %u bytes",
                                    SEPARATOR_MAX);
        memcpy(text->separator, value.text, value.length);
        text->n_separator = (uint32_t)value.length;
    }
    text->lines = text->n_separator == 1 && text->separator[0] == '\n';
    text->replace = option_is(option_text(host, context, "invalid", NULL), "replace");
    return WEIR_OK;
}

static void text_destroy(void *self)
{
    struct text *text = self;
    if (text) text->host->free(text);
}

/* The first condition that says what lines contain. */
static uint64_t choose_condition(struct text *text, const struct weir_decode_bind *in)
{
    struct condition c;
    for (uint32_t i = 0; i < in->n_conjuncts && i < 64; i++) {
        if (!condition_parse(in->conjuncts[i], &c) || !c.contains || c.n_text == 0 ||
            strcmp(c.column, "value") != 0 || memchr(c.text, '\n', c.n_text) ||
            memchr(c.text, '\r', c.n_text))
            continue;
        text->contains = c;
        return (uint64_t)1 << i;
    }
    return 0;
}

static int32_t text_bind_decode(void *self, const struct weir_decode_bind *in,
                                struct weir_decode_plan *out, struct weir_error *error)
{
    struct text *text = self;
    uint32_t i;
    if (in->declared && !(in->declared->n_children == 1 &&
                          weir_type_of(in->declared->children[0]) == WEIR_TYPE_UTF8))
        return weir_fail_option(error, "columns", -1, "text has one column, 'value string'");
    for (i = 0; i < in->n_wanted; i++)
        if (strcmp(in->wanted[i], "value") != 0)
            return weir_fail(error, WEIR_CONFIG, "text has no column '%s', only 'value'",
                             in->wanted[i]);
    out->has_head = 0;
    out->one_to_one = 2;
    out->absorbed = text->lines ? choose_condition(text, in) : 0;
    text->none = in->wanted && in->n_wanted == 0;
    if (text->none) return text->data->schema_struct(0, &out->schema, error);
    return text->data->schema_parse("value string", &out->schema, error);
}

static int32_t text_frame(void *self, struct weir_bytes bytes, uint32_t flags,
                          uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct text *text = self;
    (void)error;
    record_frame(bytes, flags, max_records, text->separator, text->n_separator, 0, 1, out);
    return WEIR_OK;
}

static int32_t text_lane_create(void *self, struct weir_context *context, void **lane,
                                struct weir_error *error)
{
    struct text *text = self;
    struct text_lane *l = text->host->alloc(sizeof *l + 2 * (CHUNK_ROWS + 64) * sizeof(uint32_t));
    *lane = l;
    if (!l) return no_memory(error);
    l->context = context;
    l->n = l->left_out = 0;
    l->starts = (uint32_t *)(l + 1);
    l->ends = l->starts + CHUNK_ROWS + 64;
    return WEIR_OK;
}

static void text_lane_destroy(void *self, void *lane)
{
    struct text *text = self;
    if (lane) text->host->free(lane);
}

static inline void copy_short(uint8_t *to, const uint8_t *from, uint64_t n)
{
    if (n <= 32) {
        memcpy(to, from, 16);
        memcpy(to + 16, from + 16, 16);
    } else {
        memcpy(to, from, n);
    }
}

/* One chunk of the lines [starts[i], ends[i]) of `base`. */
static int32_t emit_lines(struct text *text, struct text_lane *lane, const uint8_t *base,
                          struct weir_error *error)
{
    struct weir_output_column column = { -1, 0, NULL };
    struct weir_emission emission;
    struct ArrowArray array;
    uint64_t total = 0;
    int32_t *offsets, status;
    uint8_t *to;
    uint32_t i, at = 0, n = lane->n;
    lane->n = 0;
    memset(&emission, 0, sizeof emission);
    emission.size = (uint32_t)sizeof emission;
    emission.rows = n;
    emission.left_out = lane->left_out;
    lane->left_out = 0;
    if (n == 0 && emission.left_out == 0) return WEIR_OK;
    if (n == 0 || text->none) return text->host->emit(lane->context, &emission, error);
    for (i = 0; i < n; i++) total += lane->ends[i] - lane->starts[i];
    if (total > INT32_MAX)
        return weir_fail(error, WEIR_FATAL, "a chunk of text over 2 GiB");
    status = text->data->column(WEIR_TYPE_UTF8, n, total + 32, 0, &array, error);
    if (status != WEIR_OK) return status;
    offsets = (int32_t *)(uintptr_t)array.buffers[1];
    to = (uint8_t *)(uintptr_t)array.buffers[2];
    offsets[0] = 0;
    for (i = 0; i < n; i++) {
        uint32_t length = lane->ends[i] - lane->starts[i];
        copy_short(to + at, base + lane->starts[i], length);
        at += length;
        offsets[i + 1] = (int32_t)at;
    }
    column.array = &array;
    emission.columns = &column;
    emission.n_columns = 1;
    return text->host->emit(lane->context, &emission, error);
}

/* A row of mended text, between the rows before and behind it. */
static int32_t emit_mended(struct text *text, struct text_lane *lane, struct weir_bytes line,
                           struct weir_error *error)
{
    uint8_t *mended = text->host->alloc(3 * line.length + 64);
    int32_t status;
    uint64_t n;
    if (!mended) return no_memory(error);
    n = utf8_mend(line.data, line.length, mended);
    lane->starts[0] = 0;
    lane->ends[0] = (uint32_t)n;
    lane->n = 1;
    status = n > UINT32_MAX ? weir_fail(error, WEIR_FATAL, "a line over 2 GiB")
                            : emit_lines(text, lane, mended, error);
    text->host->free(mended);
    return status;
}

/* Lines of which some are not UTF-8: good ones stay in order, bad ones are rejected or mended. */
static int32_t emit_checked(struct text *text, struct text_lane *lane, const uint8_t *base,
                            struct weir_error *error)
{
    uint32_t n = lane->n, i, good = 0;
    int32_t status = WEIR_OK;
    for (i = 0; i < n && status == WEIR_OK; i++) {
        struct weir_bytes line = { base + lane->starts[i], lane->ends[i] - lane->starts[i] };
        if (utf8_ok(line.data, line.length)) {
            lane->starts[good] = lane->starts[i];
            lane->ends[good++] = lane->ends[i];
        } else if (!text->replace) {
            status = text->host->reject_bytes(lane->context, line, WEIR_REJECT_UTF8,
                                              "not UTF-8", error);
        } else {
            lane->n = good;
            status = emit_lines(text, lane, base, error);
            good = 0;
            if (status == WEIR_OK) {
                uint32_t start = lane->starts[0], end = lane->ends[0];
                status = emit_mended(text, lane, line, error);
                lane->starts[0] = start;
                lane->ends[0] = end;
            }
        }
    }
    lane->n = good;
    return status == WEIR_OK ? emit_lines(text, lane, base, error) : status;
}

static int32_t emit_rows(struct text *text, struct text_lane *lane, const uint8_t *base,
                         uint64_t length, int high, struct weir_error *error)
{
    if (high && !utf8_ok(base, length)) return emit_checked(text, lane, base, error);
    return emit_lines(text, lane, base, error);
}

static int32_t decode_lines(struct text *text, struct text_lane *lane, const uint8_t *bytes,
                            uint64_t length, struct weir_error *error)
{
    uint64_t at = 0;
    while (at < length) {
        const uint8_t *base = bytes + at;
        uint64_t left = length - at, scanned;
        uint64_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        int high = 0;
        uint32_t i, found = lines_scan(base, n, lane->ends, CHUNK_ROWS, &scanned, &high);
        uint32_t start = 0;
        int32_t status;
        if (found == 0) { /* one long line, or the last one without an end */
            const uint8_t *end = memchr(base + scanned, '\n', left - scanned);
            scanned = end ? (uint64_t)(end - base) : left;
            if (scanned > INT32_MAX) return weir_fail(error, WEIR_FATAL, "a line over 2 GiB");
            lane->ends[found++] = (uint32_t)scanned;
            high = 1;
            if (end) scanned++;
        } else if (found < CHUNK_ROWS && n == left && lane->ends[found - 1] + 1 < n) {
            lane->ends[found++] = (uint32_t)n; /* the last line lacks its end */
        } else {
            scanned = (uint64_t)lane->ends[found - 1] + 1;
        }
        for (i = 0; i < found; i++) {
            uint32_t end = lane->ends[i];
            lane->starts[i] = start;
            start = end + 1;
            if (end > lane->starts[i] && base[end - 1] == '\r' && end < left)
                lane->ends[i] = end - 1;
        }
        lane->n = found;
        status = emit_rows(text, lane, base, scanned, high, error);
        if (status != WEIR_OK) return status;
        at += scanned;
    }
    return WEIR_OK;
}

/* Lines of `base` that contain the text, within whole lines [from, end); `count` lines are there. */
static int32_t find_lines(struct text *text, struct text_lane *lane, const uint8_t *base,
                          uint32_t from, uint32_t end, uint64_t count, struct weir_error *error)
{
    const struct condition *c = &text->contains;
    int32_t status = WEIR_OK;
    uint64_t hit, at = from;
    lane->left_out += (uint32_t)count;
    while (status == WEIR_OK &&
           (hit = search_bytes(base, end, c->text, c->n_text, at)) != SEARCH_NONE) {
        const uint8_t *before = memrchr(base + at, '\n', hit - at);
        const uint8_t *behind = memchr(base + hit, '\n', end - hit);
        const uint32_t stop = behind ? (uint32_t)(behind - base) : end;
        lane->starts[lane->n] = before ? (uint32_t)(before - base) + 1 : (uint32_t)at;
        lane->ends[lane->n] = stop > hit && behind && base[stop - 1] == '\r' ? stop - 1 : stop;
        lane->n++;
        lane->left_out--;
        at = behind ? stop + 1 : end;
        if (lane->n == CHUNK_ROWS) status = emit_lines(text, lane, base, error);
    }
    return status;
}

/* Piece by piece: counted and looked over for bytes beyond ASCII, then searched. */
static int32_t decode_hits(struct text *text, struct text_lane *lane,
                           const struct weir_records *records, struct weir_error *error)
{
    const uint8_t *base = records->bytes;
    const uint64_t length = records->length;
    int32_t status = WEIR_OK;
    for (uint64_t at = 0, end; at < length && status == WEIR_OK; at = end) {
        const uint64_t most = length - at < PIECE ? length : at + PIECE;
        const uint8_t *feed = most == length ? NULL : memrchr(base + at, '\n', most - at);
        int high = 0;
        if (most < length && !feed) feed = memchr(base + most, '\n', length - most);
        end = feed ? (uint64_t)(feed - base) + 1 : length;
        const uint64_t count = lines_count(base + at, end - at, &high) + (base[end - 1] != '\n');
        if (!high) {
            status = find_lines(text, lane, base, (uint32_t)at, (uint32_t)end, count, error);
            continue;
        }
        status = emit_lines(text, lane, base, error);
        if (status == WEIR_OK) status = decode_lines(text, lane, base + at, end - at, error);
    }
    return status == WEIR_OK ? emit_lines(text, lane, base, error) : status;
}

/* Records by offsets, or by a separator other than LF. Each is checked for itself: two records that
 * are no UTF-8 may make some when they stand behind each other. */
static int32_t decode_records(struct text *text, struct text_lane *lane,
                              const struct weir_records *records, struct weir_error *error)
{
    uint64_t at = 0, base = 0, i = 0;
    int32_t status = WEIR_OK;
    while (status == WEIR_OK) {
        uint64_t start, end;
        if (records->n_offsets) {
            if (i + 1 >= records->n_offsets) break;
            start = (uint64_t)records->offsets[i];
            end = (uint64_t)records->offsets[++i];
            at = end;
        } else {
            const uint8_t *found;
            if (at >= records->length) break;
            start = at;
            found = memmem(records->bytes + at, records->length - at, text->separator,
                           text->n_separator);
            end = found ? (uint64_t)(found - records->bytes) : records->length;
            at = found ? end + text->n_separator : end;
        }
        if (end - start > INT32_MAX) return weir_fail(error, WEIR_FATAL, "a record over 2 GiB");
        if (lane->n && end - base > CHUNK_BYTES)
            status = emit_checked(text, lane, records->bytes + base, error);
        if (lane->n == 0) base = start;
        lane->starts[lane->n] = (uint32_t)(start - base);
        lane->ends[lane->n++] = (uint32_t)(end - base);
        if (status == WEIR_OK && lane->n == CHUNK_ROWS)
            status = emit_checked(text, lane, records->bytes + base, error);
    }
    if (status == WEIR_OK) status = emit_checked(text, lane, records->bytes + base, error);
    lane->n = 0;
    return status;
}

static int32_t text_decode(void *self, void *lane, const struct weir_records *records,
                           struct weir_error *error)
{
    struct text *text = self;
    struct text_lane *l = lane;
    l->n = l->left_out = 0;
    if (text->lines && !records->n_offsets)
        return text->contains.n_text && records->length < INT32_MAX
                   ? decode_hits(text, l, records, error)
                   : decode_lines(text, l, records->bytes, records->length, error);
    return decode_records(text, l, records, error);
}

static int32_t text_bind_encode(void *self, const struct ArrowSchema *schema,
                                struct weir_error *error)
{
    (void)self;
    if (schema->n_children == 1 && (weir_type_of(schema->children[0]) == WEIR_TYPE_UTF8 ||
                                    weir_type_of(schema->children[0]) == WEIR_TYPE_BINARY))
        return WEIR_OK;
    return weir_fail_option(error, "format", -1,
                            "text holds one column of type string or binary, not %lld columns: "
                            "select one, or take csv or json",
                            (long long)schema->n_children);
}

static int32_t text_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                           struct weir_buffer *out, struct weir_error *error)
{
    struct text *text = self;
    const struct ArrowArray *column;
    uint64_t before = out->length;
    uint32_t i;
    (void)lane;
    (void)flags;
    if (!chunk) return WEIR_OK;
    column = chunk->array->children[0];
    for (i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        struct weir_bytes value = { NULL, 0 };
        if (!weir_is_null(column, row)) value = weir_get_bytes(column, row);
        if (out->capacity - out->length < value.length + text->n_separator &&
            text->host->buffer_grow(out, value.length + text->n_separator) != WEIR_OK) {
            out->length = before;
            return no_memory(error);
        }
        if (value.length) memcpy(out->data + out->length, value.data, value.length);
        memcpy(out->data + out->length + value.length, text->separator, text->n_separator);
        out->length += value.length + text->n_separator;
    }
    return WEIR_OK;
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = text_create,
    .destroy = text_destroy,
    .bind_decode = text_bind_decode,
    .frame = text_frame,
    .lane_create = text_lane_create,
    .lane_destroy = text_lane_destroy,
    .decode = text_decode,
    .bind_encode = text_bind_encode,
    .encode = text_encode,
    .extension = "txt",
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_FORMAT,
      .name = "text",
      .summary = "a record is a line, a row is its text (value string)",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .table = &format },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.format.text",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
