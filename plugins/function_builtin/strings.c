/*
 * strings.c - functions of text. Positions and lengths are code points; text is valid UTF-8.
 *
 * upper and lower map each code point to one other (utf8proc), so lengths in code points stay and
 * `ß` does. A result over TEXT_MOST bytes fails its row.
 */
#define _GNU_SOURCE
#include "functions.h"
#include "plugins/share/search.h"

#include <utf8proc.h>

#define INT_EVAL(name)                                                                             \
    EVAL(name)                                                                                     \
    {                                                                                              \
        void *values;                                                                              \
        int32_t rc = make_column(bound, WEIR_TYPE_INT64, call, out, &values, error);               \
        (void)host;                                                                                \
        if (rc) return rc;                                                                         \
        EACH_ROW ((int64_t *)values)[row] = name##_of(bound, call, row);                           \
        return WEIR_OK;                                                                            \
    }

#define BOOL_EVAL(name)                                                                            \
    EVAL(name)                                                                                     \
    {                                                                                              \
        void *values;                                                                              \
        int32_t rc = make_column(bound, WEIR_TYPE_BOOL, call, out, &values, error);                \
        (void)host;                                                                                \
        if (rc) return rc;                                                                         \
        EACH_ROW                                                                                   \
        {                                                                                          \
            const struct weir_bytes s = arg_text(call, 0, row), x = arg_text(call, 1, row);        \
            if (name##_of(s, x)) ((uint8_t *)values)[row >> 3] |= (uint8_t)(1u << (row & 7));      \
        }                                                                                         \
        return WEIR_OK;                                                                            \
    }

static uint64_t find(struct weir_bytes s, struct weir_bytes x, uint64_t from)
{
    const uint8_t *at = memmem(s.data + from, s.length - from, x.data, x.length);
    return at ? (uint64_t)(at - s.data) : UINT64_MAX;
}

/* ---- measuring and searching ---- */

static int64_t length_of(const struct bound *b, const struct weir_call *call, uint32_t row)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    return (int64_t)(b->types[0] == WEIR_TYPE_BINARY ? s.length : point_count(s.data, s.length));
}
INT_EVAL(length)
SCALAR(length, "x", WEIR_TYPE_INT64)

static int64_t position_of(const struct bound *b, const struct weir_call *call, uint32_t row)
{
    const struct weir_bytes x = arg_text(call, 0, row), s = arg_text(call, 1, row);
    const uint64_t at = find(s, x, 0);
    (void)b;
    return at == UINT64_MAX ? 0 : (int64_t)point_count(s.data, at) + 1;
}
INT_EVAL(position)
SCALAR(position, "tt", WEIR_TYPE_INT64)

static void set_bit(uint8_t *bits, uint32_t row)
{
    bits[row >> 3] |= (uint8_t)(1u << (row & 7));
}

/* All rows of a column at once: they lie behind each other, so one search goes over all of them and
 * looks at rows only where it hits. */
static void contains_column(const struct ArrowArray *column, struct weir_bytes x, uint8_t *bits)
{
    const int32_t *offsets = column->buffers[1];
    const uint8_t *bytes = column->buffers[2];
    const uint64_t end = (uint64_t)offsets[column->length];
    uint64_t at = 0;
    uint32_t row = 0;
    while ((at = search_bytes(bytes, end, x.data, x.length, at)) != SEARCH_NONE) {
        while ((uint64_t)offsets[row + 1] <= at) row++;
        if (at + x.length > (uint64_t)offsets[row + 1]) { /* over the end of its row */
            at++;
            continue;
        }
        set_bit(bits, row);
        at = (uint64_t)offsets[row + 1];
    }
}

EVAL(contains)
{
    void *values;
    const struct weir_bytes x = call->selected ? arg_text(call, 1, call_row(call, 0))
                                               : (struct weir_bytes){ NULL, 0 };
    int32_t rc = make_column(bound, WEIR_TYPE_BOOL, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    if (!call->selection && call->constant[1] && !call->constant[0] && x.length) {
        contains_column(call->args[0], x, values);
        return WEIR_OK;
    }
    EACH_ROW
    {
        const struct weir_bytes s = arg_text(call, 0, row), part = arg_text(call, 1, row);
        if (part.length == 0 ||
            search_bytes(s.data, s.length, part.data, part.length, 0) != SEARCH_NONE)
            set_bit(values, row);
    }
    return WEIR_OK;
}
SCALAR(contains, "tt", WEIR_TYPE_BOOL)

static int starts_with_of(struct weir_bytes s, struct weir_bytes x)
{
    return s.length >= x.length && memcmp(s.data, x.data, x.length) == 0;
}
BOOL_EVAL(starts_with)
SCALAR(starts_with, "tt", WEIR_TYPE_BOOL)

static int ends_with_of(struct weir_bytes s, struct weir_bytes x)
{
    return s.length >= x.length && memcmp(s.data + s.length - x.length, x.data, x.length) == 0;
}
BOOL_EVAL(ends_with)
SCALAR(ends_with, "tt", WEIR_TYPE_BOOL)

/* ---- case ---- */

static void map_case(struct text_writer *w, struct weir_bytes s, int upper)
{
    uint8_t *to = writer_room(w, s.length * 2 + 4); /* no mapping doubles the bytes */
    uint64_t i, n = 0;
    if (!to) return;
    for (i = 0; i < s.length;) {
        utf8proc_int32_t point;
        uint8_t c = s.data[i];
        if (c < 0x80) {
            if (upper ? (c >= 'a' && c <= 'z') : (c >= 'A' && c <= 'Z')) c ^= 32;
            to[n++] = c;
            i++;
            continue;
        }
        i += (uint64_t)utf8proc_iterate(s.data + i, (utf8proc_ssize_t)(s.length - i), &point);
        if (point != 0xdf) point = upper ? utf8proc_toupper(point) : utf8proc_tolower(point);
        n += (uint64_t)utf8proc_encode_char(point, to + n);
    }
    writer_used(w, n);
}

ROW(upper)
{
    (void)b;
    map_case(w, arg_text(call, 0, row), 1);
}
TEXT_EVAL(upper)
SCALAR(upper, "t", WEIR_TYPE_UTF8)

ROW(lower)
{
    (void)b;
    map_case(w, arg_text(call, 0, row), 0);
}
TEXT_EVAL(lower)
SCALAR(lower, "t", WEIR_TYPE_UTF8)

/* ---- trim: spaces, or the code points of a second argument ---- */

static int in_set(struct weir_bytes set, const uint8_t *point, uint32_t n)
{
    uint64_t i;
    for (i = 0; i < set.length; i += point_bytes(set.data[i]))
        if (point_bytes(set.data[i]) == n && memcmp(set.data + i, point, n) == 0) return 1;
    return 0;
}

static void trim_ends(struct text_writer *w, const struct weir_call *call, uint32_t row, int head,
                      int tail)
{
    const struct weir_bytes space = { (const uint8_t *)" ", 1 };
    const struct weir_bytes set = call->n_args > 1 ? arg_text(call, 1, row) : space;
    struct weir_bytes s = arg_text(call, 0, row);
    while (head && s.length && in_set(set, s.data, point_bytes(*s.data))) {
        const uint32_t n = point_bytes(*s.data);
        s.data += n;
        s.length -= n;
    }
    while (tail && s.length) {
        uint64_t at = s.length - 1;
        while (at > 0 && (s.data[at] & 0xc0) == 0x80) at--;
        if (!in_set(set, s.data + at, (uint32_t)(s.length - at))) break;
        s.length = at;
    }
    writer_add(w, s.data, s.length);
}

ROW(trim)
{
    (void)b;
    trim_ends(w, call, row, 1, 1);
}
TEXT_EVAL(trim)
SCALAR(trim, "t|t", WEIR_TYPE_UTF8)

ROW(ltrim)
{
    (void)b;
    trim_ends(w, call, row, 1, 0);
}
TEXT_EVAL(ltrim)
SCALAR(ltrim, "t|t", WEIR_TYPE_UTF8)

ROW(rtrim)
{
    (void)b;
    trim_ends(w, call, row, 0, 1);
}
TEXT_EVAL(rtrim)
SCALAR(rtrim, "t|t", WEIR_TYPE_UTF8)

/* ---- parts ---- */

/* Code points [from, to) of s. */
static void add_points(struct text_writer *w, struct weir_bytes s, uint64_t from, uint64_t to)
{
    const uint64_t begin = point_offset(s.data, s.length, from);
    const uint64_t rest = to > from ? to - from : 0;
    writer_add(w, s.data + begin, point_offset(s.data + begin, s.length - begin, rest));
}

/* A place before the text counts: substr('abc', -5, 3) has its third code point left, 'a'. */
ROW(substr)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    const int64_t at = arg_int(call, b, 1, row);
    int64_t from = at > 0 ? at - 1 : 0, to = INT64_MAX;
    if (at < 0) from = (int64_t)point_count(s.data, s.length) + at;
    if (call->n_args > 2) {
        const int64_t n = arg_int(call, b, 2, row);
        if (n <= 0) return;
        if (__builtin_add_overflow(from, n, &to)) to = INT64_MAX;
    }
    if (from < 0) from = 0;
    if (to > from) add_points(w, s, (uint64_t)from, (uint64_t)to);
}
TEXT_EVAL(substr)
SCALAR(substr, "ti|i", WEIR_TYPE_UTF8)

ROW(left)
{
    const int64_t n = arg_int(call, b, 1, row);
    if (n > 0) add_points(w, arg_text(call, 0, row), 0, (uint64_t)n);
}
TEXT_EVAL(left)
SCALAR(left, "ti", WEIR_TYPE_UTF8)

ROW(right)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    const int64_t n = arg_int(call, b, 1, row), all = (int64_t)point_count(s.data, s.length);
    if (n > 0) add_points(w, s, (uint64_t)(n < all ? all - n : 0), (uint64_t)all);
}
TEXT_EVAL(right)
SCALAR(right, "ti", WEIR_TYPE_UTF8)

/* Where part n (from 0) of s begins and ends; 0 if there is none. An empty mark: code points. */
static int part_at(struct weir_bytes s, struct weir_bytes mark, uint64_t n, struct weir_bytes *out)
{
    uint64_t from = 0, at;
    if (mark.length == 0) {
        from = point_offset(s.data, s.length, n);
        out->data = s.data + from;
        out->length = from < s.length ? point_bytes(s.data[from]) : 0;
        return from < s.length;
    }
    for (;; n--) {
        at = find(s, mark, from);
        if (n == 0) break;
        if (at == UINT64_MAX) return 0;
        from = at + mark.length;
    }
    *out = (struct weir_bytes){ s.data + from, (at == UINT64_MAX ? s.length : at) - from };
    return 1;
}

static uint64_t part_count(struct weir_bytes s, struct weir_bytes mark)
{
    uint64_t n = 1, at, from = 0;
    if (mark.length == 0) return point_count(s.data, s.length);
    for (; (at = find(s, mark, from)) != UINT64_MAX; n++) from = at + mark.length;
    return n;
}

ROW(split_part)
{
    const struct weir_bytes s = arg_text(call, 0, row), mark = arg_text(call, 1, row);
    int64_t n = arg_int(call, b, 2, row);
    struct weir_bytes part;
    if (n == 0) {
        row_fail(call, row, "split_part counts from 1");
        return;
    }
    if (n < 0) n += (int64_t)part_count(s, mark) + 1;
    if (n > 0 && part_at(s, mark, (uint64_t)n - 1, &part)) writer_add(w, part.data, part.length);
}
TEXT_EVAL(split_part)

static int32_t split_part_bind(const struct weir_host *host, const struct weir_argument *args,
                               uint32_t n_args, struct ArrowSchema *schema, void **bound,
                               struct weir_error *error)
{
    int32_t rc = bind_as(host, "split_part", "tti", WEIR_TYPE_UTF8, sizeof(struct bound), args,
                         n_args, schema, bound, error);
    if (rc || !is_literal(&args[2])) return rc;
    if ((args[2].schema->format[0] == 'i' ? weir_get_int32(args[2].value, 0)
                                          : weir_get_int64(args[2].value, 0)) != 0)
        return WEIR_OK;
    free_bound(*bound);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "split_part counts from 1");
}
SCALAR_TABLE(split_part, free_bound)

/* ---- putting together ---- */

ROW(concat)
{
    uint32_t k;
    (void)b;
    for (k = 0; k < call->n_args; k++) {
        const struct weir_bytes s = arg_text(call, k, row);
        writer_add(w, s.data, s.length);
    }
}
TEXT_EVAL(concat)
SCALAR(concat, "t*", WEIR_TYPE_UTF8)

/* Nulls among the parts are left out; only a null separator makes null. */
static void concat_ws_row(struct text_writer *w, const struct weir_call *call, uint32_t row)
{
    const struct weir_bytes mark = arg_text(call, 0, row);
    uint32_t k, parts = 0;
    for (k = 1; k < call->n_args; k++) {
        struct weir_bytes s;
        if (weir_is_null(call->args[k], arg_at(call, k, row))) continue;
        s = arg_text(call, k, row);
        if (parts++) writer_add(w, mark.data, mark.length);
        writer_add(w, s.data, s.length);
    }
}

EVAL(concat_ws)
{
    struct text_writer w;
    writer_begin(&w, host, bound, call);
    EACH_ROW {
        if (weir_is_null(call->args[0], arg_at(call, 0, row))) {
            writer_null(&w, row);
        } else {
            writer_row(&w, row);
            concat_ws_row(&w, call, row);
        }
    }
    return writer_end(&w, out, error);
}
SCALAR(concat_ws, "tt*", WEIR_TYPE_UTF8)

static int too_long(const struct weir_call *call, uint32_t row, uint64_t bytes)
{
    if (bytes > TEXT_MOST) row_fail(call, row, "the text is too long");
    return bytes > TEXT_MOST;
}

ROW(replace)
{
    const struct weir_bytes s = arg_text(call, 0, row), x = arg_text(call, 1, row);
    const struct weir_bytes y = arg_text(call, 2, row);
    uint64_t from = 0, at;
    const uint64_t begin = w->bytes.length;
    (void)b;
    while (x.length && (at = find(s, x, from)) != UINT64_MAX) {
        writer_add(w, s.data + from, at - from);
        writer_add(w, y.data, y.length);
        from = at + x.length;
        if (too_long(call, row, w->bytes.length - begin)) return;
    }
    writer_add(w, s.data + from, s.length - from);
}
TEXT_EVAL(replace)
SCALAR(replace, "ttt", WEIR_TYPE_UTF8)

ROW(reverse)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    uint8_t *to = writer_room(w, s.length);
    uint64_t i = 0;
    (void)b;
    if (!to) return;
    while (i < s.length) {
        const uint32_t n = point_bytes(s.data[i]);
        memcpy(to + s.length - i - n, s.data + i, n);
        i += n;
    }
    writer_used(w, s.length);
}
TEXT_EVAL(reverse)
SCALAR(reverse, "t", WEIR_TYPE_UTF8)

ROW(repeat)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    const int64_t n = arg_int(call, b, 1, row);
    int64_t i;
    if (n <= 0 || s.length == 0) return;
    if (too_long(call, row, (uint64_t)n > TEXT_MOST ? UINT64_MAX : s.length * (uint64_t)n)) return;
    for (i = 0; i < n; i++) writer_add(w, s.data, s.length);
}
TEXT_EVAL(repeat)
SCALAR(repeat, "ti", WEIR_TYPE_UTF8)

/* To n code points: cut, or filled up by the pad. */
static void pad(struct text_writer *w, const struct bound *b, const struct weir_call *call,
                uint32_t row, int at_left)
{
    const struct weir_bytes space = { (const uint8_t *)" ", 1 };
    const struct weir_bytes fill = call->n_args > 2 ? arg_text(call, 2, row) : space;
    const struct weir_bytes s = arg_text(call, 0, row);
    const int64_t n = arg_int(call, b, 1, row), have = (int64_t)point_count(s.data, s.length);
    const uint64_t fill_points = point_count(fill.data, fill.length);
    uint64_t left;
    if (n <= have || fill_points == 0) {
        if (n > 0) add_points(w, s, 0, (uint64_t)(n < have ? n : have));
        return;
    }
    left = (uint64_t)(n - have);
    if (too_long(call, row, left > TEXT_MOST ? UINT64_MAX : left * 4 + s.length)) return;
    if (!at_left) writer_add(w, s.data, s.length);
    for (; left >= fill_points; left -= fill_points) writer_add(w, fill.data, fill.length);
    add_points(w, fill, 0, left);
    if (at_left) writer_add(w, s.data, s.length);
}

ROW(lpad) { pad(w, b, call, row, 1); }
TEXT_EVAL(lpad)
SCALAR(lpad, "ti|t", WEIR_TYPE_UTF8)

ROW(rpad) { pad(w, b, call, row, 0); }
TEXT_EVAL(rpad)
SCALAR(rpad, "ti|t", WEIR_TYPE_UTF8)
