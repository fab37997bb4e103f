/*
 * json_walk.c - over a record by the bytes between its values.
 *
 *  1. Literals are compared by the register. A string goes on up to its first odd byte: quote,
 *     backslash, control character, or one that is not ASCII. A quote ends it; where it holds what
 *     is not ASCII it is searched again and its UTF-8 checked, without hurry; the others are left to
 *     the full parser.
 *  2. So a record is a chain: where the next literal is, is known when the string before it was
 *     searched. But most strings of most streams are equally long in all records (identifiers,
 *     times). Those that were for long are taken for constant: the literals around them and they
 *     form a *stretch*, bytes at fixed distances, which is compared as a whole. In it a byte is the
 *     one of a literal, or any that is not odd. The stretches, with members of changing length
 *     between them, are the *layout* of a shape.
 *  3. A record that fits the layout is what the walk by members would find. If one does not, it is
 *     walked by members; if it fits so, a string that was taken for constant is not, and the layout
 *     is given up and made again of what is known then. Each time that a member disappoints, it
 *     needs to be constant for twice as long to be taken again.
 *
 * Both are spelled once, over three primitives per width of registers: whether a literal begins
 * here, how many bytes come before the first odd one, and whether a stretch is here.
 */
#include "plugins/format_json/json_walk.h"

#include <string.h>

#include "base/digits.h"
#include "plugins/share/text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define REACH 64u           /* bytes that `plain` looks at; strings of a stretch are shorter */
#define LEAST_NEEDED 8u
#define MOST_NEEDED 1024u
#define LOOK_AGAIN 1024u    /* records after which the layout is made anew, as it could be better */

#define ALWAYS static inline __attribute__((always_inline))

/* ---- values, in plain C ---- */

static int is_odd(uint8_t c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}


#define HIGHS EACH_BYTE(0x80)

/* The high bits of those bytes of a word that are 0; of those that are odd. */
static inline uint64_t zeros(uint64_t word)
{
    return ~(((word & ~HIGHS) + ~HIGHS) | word) & HIGHS;
}

static inline uint64_t odd_8(uint64_t word)
{
    const uint64_t control = ~((word | HIGHS) - EACH_BYTE(0x20));
    return zeros(word ^ EACH_BYTE('"')) | zeros(word ^ EACH_BYTE('\\')) |
           ((control | word) & HIGHS);
}

/* Whether n bytes hold a control character; *high: whether one that is not ASCII. */
static int holds_control(const uint8_t *text, uint64_t n, int *high)
{
    uint64_t word, low = 0, seen = 0;
    for (; n >= 8; n -= 8, text += 8) {
        memcpy(&word, text, 8);
        low |= (word - EACH_BYTE(0x20)) & ~word;
        seen |= word;
    }
    for (; n; n--, text++) {
        low |= *text < 0x20 ? 0x80 : 0;
        seen |= *text;
    }
    *high = (seen & EACH_BYTE(0x80)) != 0;
    return (low & EACH_BYTE(0x80)) != 0;
}

/* The length of a string, the closing quote of which is before `most`; -1: it is not plain. */
static __attribute__((noinline)) int64_t search_string(const uint8_t *from, uint64_t most)
{
    const uint8_t *quote = memchr(from, '"', most);
    const uint64_t n = quote ? (uint64_t)(quote - from) : 0;
    int high;
    if (!quote || memchr(from, '\\', n) || holds_control(from, n, &high)) return -1;
    return !high || utf8_ok(from, n) ? (int64_t)n : -1;
}

/* The length of a number, true, false or null, which ends before `most`; -1: it is none. */
static __attribute__((noinline)) int64_t search_token(const uint8_t *from, uint64_t most)
{
    uint64_t n = 0;
    while (n < most && !json_ends_token(from[n])) n++;
    if (n == 4 && (memcmp(from, "null", 4) == 0 || memcmp(from, "true", 4) == 0)) return 4;
    if (n == 5 && memcmp(from, "false", 5) == 0) return 5;
    return n && json_number_ok((const char *)from, n) ? (int64_t)n : -1;
}

/* ---- shapes and layouts ---- */

int json_shape_add(struct json_shape *shape, const uint8_t *text, uint32_t length, int32_t column)
{
    if (shape->n > SHAPE_MEMBERS || length == 0 || shape->n_bytes + length > SHAPE_BYTES) return 0;
    struct json_literal *l = &shape->literals[shape->n++];
    memset(l, 0, sizeof *l);
    memcpy(l->head, text, length < LITERAL_HEAD ? length : LITERAL_HEAD);
    l->beyond = length < LITERAL_HEAD ? ~0u << length : 0;
    l->length = length;
    l->at = shape->n_bytes;
    l->column = column;
    l->needed = LEAST_NEEDED;
    memcpy(shape->bytes + l->at, text, length);
    shape->n_bytes += length;
    return 1;
}

static int is_constant(const struct json_literal *l)
{
    return l->steady >= l->needed && l->before < REACH;
}

static void stretch_add(struct json_layout *layout, struct json_stretch *s, const uint8_t *text,
                        uint32_t n)
{
    const uint32_t at = s->at + s->length;
    memset(layout->inside + at, text ? 0 : 0xff, n);
    if (text) memcpy(layout->bytes + at, text, n);
    s->length += n;
}

/* Ends the last stretch before a member, and begins one behind it. */
static void stretch_end(struct json_layout *layout, uint32_t member)
{
    struct json_stretch *s = &layout->stretches[layout->n++];
    s->beyond = s->length % 32 ? ~0u << s->length % 32 : 0;
    s->places_end = layout->n_places;
    s->member = member;
    layout->n_bytes = s->at + (s->length + 31) / 32 * 32;
    s[1] = (struct json_stretch){ .at = layout->n_bytes };
}

/* The layout by what is known of the strings. None where nothing is constant, or it is too long. */
static __attribute__((noinline)) void layout_make(struct json_shape *shape)
{
    struct json_layout *layout = &shape->layout;
    const struct json_literal *l = shape->literals;
    uint32_t constant = 0, i;
    layout->n = layout->n_bytes = layout->n_places = 0;
    layout->stretches[0] = (struct json_stretch){ .at = 0 };
    for (i = 0; i + 1 < shape->n; i++, l++) {
        struct json_stretch *s = &layout->stretches[layout->n];
        if (s->at + s->length + l->length + REACH + 64 > LAYOUT_BYTES) break;
        stretch_add(layout, s, shape->bytes + l->at, l->length);
        if (!is_constant(l)) {
            stretch_end(layout, i);
            continue;
        }
        constant++;
        stretch_add(layout, s, (const uint8_t *)"\"", 1);
        if (l->column >= 0)
            layout->places[layout->n_places++] = (struct json_place){ i, s->length, l->before };
        stretch_add(layout, s, NULL, l->before);
        stretch_add(layout, s, (const uint8_t *)"\"", 1);
    }
    struct json_stretch *s = &layout->stretches[layout->n];
    if (!constant || i + 1 < shape->n || s->at + s->length + l->length + 32 > LAYOUT_BYTES) {
        layout->n = 0;
        return;
    }
    stretch_add(layout, s, shape->bytes + l->at, l->length);
    stretch_end(layout, i);
}

/* What a record means that was walked by members: once in LOOK_AGAIN records some are, to see which
 * strings are constant. Where the layout did not fit one, strings that are not as it says need more. */
static __attribute__((noinline)) void learn(struct json_shape *shape)
{
    if (shape->layout.n && shape->walked < LOOK_AGAIN)
        for (uint32_t i = 0; i < shape->n; i++) {
            struct json_literal *l = &shape->literals[i];
            if (l->steady == 0 && l->needed < MOST_NEEDED) l->needed *= 2;
        }
    if (shape->layout.n || shape->walked == LOOK_AGAIN) shape->layout.n = shape->walked = 0;
    else if (shape->walked == LEAST_NEEDED + 1) layout_make(shape);
}

/* ---- the walk ---- */

typedef int (*begins_fn)(const uint8_t *text, const struct json_literal *l);
typedef uint32_t (*plain_fn)(const uint8_t *text); /* up to REACH */
typedef int (*same_fn)(const uint8_t *text, const struct json_layout *layout,
                       const struct json_stretch *s);

ALWAYS int fits(const struct json_shape *shape, const uint8_t *text, const struct json_literal *l,
                begins_fn begins)
{
    return begins(text, l) && (l->length <= LITERAL_HEAD ||
                               memcmp(text + LITERAL_HEAD, shape->bytes + l->at + LITERAL_HEAD,
                                      l->length - LITERAL_HEAD) == 0);
}

/* The value at `at`, which is before `end`. Returns what is behind it, or NULL if it is not plain. */
ALWAYS const uint8_t *take(const uint8_t *at, const uint8_t *end, struct json_value *value,
                           plain_fn plain)
{
    int64_t n, more;
    if (*at != '"') {
        n = search_token(at, (uint64_t)(end - at));
        *value = (struct json_value){ at, (uint32_t)n, 0 };
        return n < 0 ? NULL : at + n;
    }
    for (n = more = plain(++at); more == REACH && n < end - at; n += more) more = plain(at + n);
    if (n >= end - at || at[n] != '"') n = search_string(at, (uint64_t)(end - at));
    *value = (struct json_value){ at, (uint32_t)n, 1 };
    return n < 0 ? NULL : at + n + 1;
}

/* Notes how long a string is. One of REACH or more, or that is not ASCII, is never constant. */
ALWAYS void note(struct json_literal *l, const struct json_value *value, plain_fn plain)
{
    const int again = value->is_string && value->length == l->before && l->before < REACH &&
                      plain(value->text) == l->before;
    l->steady = again ? l->steady + 1 : 0;
    l->before = value->length;
}

ALWAYS uint64_t by_members(struct json_shape *shape, const uint8_t *text, const uint8_t *end,
                           struct json_value *values, begins_fn begins, plain_fn plain)
{
    const uint8_t *at = text;
    struct json_literal *l = shape->literals, *const last = l + shape->n - 1;
    for (; l < last; l++, values++) {
        if (end - at <= l->length || !fits(shape, at, l, begins)) return 0;
        at = take(at + l->length, end, values, plain);
        if (!at) return 0;
        note(l, values, plain);
    }
    if (end - at < l->length || !fits(shape, at, l, begins)) return 0;
    return (uint64_t)(at - text) + l->length;
}

ALWAYS uint64_t by_layout(const struct json_layout *layout, const uint8_t *text, const uint8_t *end,
                          struct json_value *values, plain_fn plain, same_fn same)
{
    const struct json_stretch *s = layout->stretches, *const last = s + layout->n - 1;
    const struct json_place *place = layout->places;
    const uint8_t *at = text;
    for (;; s++) {
        if (end - at < s->length || !same(at, layout, s)) return 0;
        for (; place < layout->places + s->places_end; place++)
            values[place->member] = (struct json_value){ at + place->at, place->length, 1 };
        at += s->length;
        if (s == last) return (uint64_t)(at - text);
        if (at == end) return 0;
        at = take(at, end, &values[s->member], plain);
        if (!at) return 0;
    }
}

ALWAYS uint64_t walk(struct json_shape *shape, const uint8_t *text, uint64_t most,
                     struct json_value *values, begins_fn begins, plain_fn plain, same_fn same)
{
    const uint8_t *const end = text + most;
    const int by_members_due = !shape->layout.n || shape->walked + 1 >= LOOK_AGAIN;
    uint64_t length = 0;
    if (!begins(text, shape->literals)) return 0;
    if (!by_members_due) length = by_layout(&shape->layout, text, end, values, plain, same);
    if (length) {
        shape->walked++;
        return length;
    }
    length = by_members(shape, text, end, values, begins, plain);
    if (!length) return 0;
    shape->walked++;
    learn(shape);
    return length;
}

/* ---- plain C ---- */

static int begins_plain(const uint8_t *text, const struct json_literal *l)
{
    return memcmp(text, l->head, l->length < LITERAL_HEAD ? l->length : LITERAL_HEAD) == 0;
}

static inline uint64_t load_8(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static uint32_t plain_plain(const uint8_t *text)
{
    uint32_t n = 0;
    while (n < REACH && !odd_8(load_8(text + n))) n += 8;
    while (n < REACH && !is_odd(text[n])) n++;
    return n;
}

static int same_plain(const uint8_t *text, const struct json_layout *layout,
                      const struct json_stretch *s)
{
    const uint8_t *bytes = layout->bytes + s->at, *inside = layout->inside + s->at;
    uint32_t k = 0;
    for (; k + 8 <= s->length; k += 8) {
        const uint64_t word = load_8(text + k), mask = load_8(inside + k);
        if (((word ^ load_8(bytes + k)) & ~mask) | (odd_8(word) & mask)) return 0;
    }
    for (; k < s->length; k++)
        if (inside[k] ? is_odd(text[k]) : text[k] != bytes[k]) return 0;
    return 1;
}

uint64_t json_walk_plain(struct json_shape *shape, const uint8_t *text, uint64_t most,
                         struct json_value *values)
{
    return walk(shape, text, most, values, begins_plain, plain_plain, same_plain);
}

#if defined(__x86_64__)

/* ---- registers of 16 bytes ---- */

static inline __m128i load_16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline uint32_t bits_16(__m128i v)
{
    return (uint32_t)_mm_movemask_epi8(v);
}

static inline int begins_16(const uint8_t *text, const struct json_literal *l)
{
    const __m128i low = _mm_cmpeq_epi8(load_16(text), load_16(l->head));
    const __m128i high = _mm_cmpeq_epi8(load_16(text + 16), load_16(l->head + 16));
    const uint32_t equal = bits_16(low) | bits_16(high) << 16;
    return (equal | l->beyond) == ~0u;
}

/* Bytes that are odd. As signed ones, control characters and others than ASCII are below the blank. */
static inline __m128i odd_16(__m128i v)
{
    const __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return _mm_or_si128(ends, _mm_cmplt_epi8(v, _mm_set1_epi8(' ')));
}

static inline uint32_t plain_16(const uint8_t *text)
{
    for (uint32_t at = 0; at < REACH; at += 16) {
        const uint32_t odd = bits_16(odd_16(load_16(text + at)));
        if (odd) return at + (uint32_t)__builtin_ctz(odd);
    }
    return REACH;
}

static inline uint32_t wrong_16(const uint8_t *text, const uint8_t *bytes, const uint8_t *inside)
{
    const __m128i v = load_16(text), mask = load_16(inside);
    const __m128i same = _mm_cmpeq_epi8(v, load_16(bytes));
    const __m128i right = _mm_or_si128(_mm_andnot_si128(odd_16(v), mask),
                                       _mm_andnot_si128(mask, same));
    return bits_16(right) ^ 0xffff;
}

static inline int same_16(const uint8_t *text, const struct json_layout *layout,
                          const struct json_stretch *s)
{
    const uint8_t *bytes = layout->bytes + s->at, *inside = layout->inside + s->at;
    for (uint32_t k = 0; k < s->length; k += 32) {
        uint32_t wrong = wrong_16(text + k, bytes + k, inside + k) |
                         wrong_16(text + k + 16, bytes + k + 16, inside + k + 16) << 16;
        if (s->length - k <= 32) wrong &= ~s->beyond;
        if (wrong) return 0;
    }
    return 1;
}

static uint64_t walk_16(struct json_shape *shape, const uint8_t *text, uint64_t most,
                        struct json_value *values)
{
    return walk(shape, text, most, values, begins_16, plain_16, same_16);
}

json_walk_fn json_walk_16(void)
{
    return walk_16;
}

int json_text_is(const uint8_t *text, const uint8_t *same, uint32_t n)
{
    for (; n > 0; n = n < 16 ? 0 : n - 16, text += 16, same += 16) {
        const uint32_t equal = bits_16(_mm_cmpeq_epi8(load_16(text), load_16(same)));
        if ((equal | (n < 16 ? ~0u << n : 0xffff0000u)) != ~0u) return 0;
    }
    return 1;
}

/* ---- registers of 32 bytes ---- */

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 static inline __m256i load_32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 static inline uint32_t bits_32(__m256i v)
{
    return (uint32_t)_mm256_movemask_epi8(v);
}

AVX2 static inline int begins_32(const uint8_t *text, const struct json_literal *l)
{
    const __m256i equal = _mm256_cmpeq_epi8(load_32(text), load_32(l->head));
    return (bits_32(equal) | l->beyond) == ~0u;
}

/* Quote and backslash are looked up by their low four bits: each entry but theirs has others. */
#define ENDS_16 15, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0
static const uint8_t ends_32[32] = { ENDS_16, ENDS_16 };

AVX2 static inline __m256i plain_bytes_32(__m256i v)
{
    const __m256i ends = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(load_32(ends_32), v), v);
    return _mm256_andnot_si256(ends, _mm256_cmpgt_epi8(v, _mm256_set1_epi8(' ' - 1)));
}

AVX2 static inline uint32_t plain_32(const uint8_t *text)
{
    uint32_t odd = ~bits_32(plain_bytes_32(load_32(text)));
    if (odd) return (uint32_t)__builtin_ctz(odd);
    odd = ~bits_32(plain_bytes_32(load_32(text + 32)));
    return odd ? 32 + (uint32_t)__builtin_ctz(odd) : REACH;
}

AVX2 static inline __m256i right_32(const uint8_t *text, const uint8_t *bytes,
                                    const uint8_t *inside)
{
    const __m256i v = load_32(text);
    return _mm256_blendv_epi8(_mm256_cmpeq_epi8(v, load_32(bytes)), plain_bytes_32(v),
                              load_32(inside));
}

AVX2 static inline int same_32(const uint8_t *text, const struct json_layout *layout,
                               const struct json_stretch *s)
{
    const uint8_t *bytes = layout->bytes + s->at, *inside = layout->inside + s->at;
    const uint64_t whole = (uint64_t)(s->length - 1) / 32 * 32;
    __m256i right = _mm256_set1_epi8(-1);
    for (uint64_t k = 0; k < whole; k += 32)
        right = _mm256_and_si256(right, right_32(text + k, bytes + k, inside + k));
    const __m256i rest = right_32(text + whole, bytes + whole, inside + whole);
    return ((bits_32(rest) | s->beyond) & bits_32(right)) == ~0u;
}

AVX2 static uint64_t walk_32(struct json_shape *shape, const uint8_t *text, uint64_t most,
                             struct json_value *values)
{
    return walk(shape, text, most, values, begins_32, plain_32, same_32);
}

json_walk_fn json_walk_32(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                   __builtin_cpu_supports("bmi2")
               ? walk_32
               : NULL;
}

json_walk_fn json_walk(void)
{
    const json_walk_fn wide = json_walk_32();
    return wide ? wide : walk_16;
}

#else

json_walk_fn json_walk(void)
{
    return json_walk_plain;
}

json_walk_fn json_walk_16(void)
{
    return NULL;
}

json_walk_fn json_walk_32(void)
{
    return NULL;
}

int json_text_is(const uint8_t *text, const uint8_t *same, uint32_t n)
{
    return memcmp(text, same, n) == 0;
}

#endif
