/*
 * lookup_batch.c - the hot path of tables of a batch: keys that are words (up to three columns of 8
 * bytes without nulls) or one text without nulls are neither made into images nor listed.
 *
 * Words are looked up by value where that can be (direct.h); else, while the index is in cache, in
 * one loop that hashes, probes and compares. Of texts cells are made; while the index is in the
 * first cache that is one loop, else three over a block of 64 that ask for index and records ahead.
 */
#include "core/state/direct.h"
#include "core/state/lookup.h"

#define NEAR_INDEX 65536u /* entries of an index that is in cache without being asked for */
#define SMALL_TEXT 4096u  /* and in the first cache */

/* Where keys are found; to be read again after a key was made. */
struct place {
    const uint64_t *entries;
    uint32_t size, stride;
    const uint8_t *records;
};

ALWAYS struct place place_of(const struct table *t)
{
    return (struct place){ t->index.entries, t->index.size, t->keys.stride, t->keys.records };
}

ALWAYS uint32_t home_of(const struct place *p, uint32_t tag)
{
    return (uint32_t)((uint64_t)tag * p->size >> 32);
}

/* Of WEIR_NO_SLOT an address that must not be read. */
ALWAYS const uint8_t *record_of(const struct place *p, uint64_t slot)
{
    return (const uint8_t *)((uintptr_t)p->records + slot * p->stride);
}

/* ---- words ---- */

#define STRAYS_MOST (BLOCK / 4) /* rows of a block that are looked for twice: then it is no gain */
#define WORDS_AT 8u /* of the words in an image, and in a record of more than one */

/* As the tag of the image (lookup.c). */
ALWAYS uint32_t tag_of_words(uint32_t n, uint64_t seed, const struct words *w, uint32_t row)
{
    if (n == 1) return tag_of_word(seed, w->columns[0][row], 0);
    uint64_t h = fold(seed ^ FOLD_A, w->columns[0][row] ^ FOLD_B ^ seed);
    if (n == 2) return tag_of(fold(w->columns[1][row] ^ h ^ FOLD_A, FOLD_B ^ h));
    return tag_of(fold(w->columns[1][row] ^ h ^ FOLD_A, w->columns[2][row] ^ FOLD_B ^ h));
}

ALWAYS int words_equal(uint32_t n, const uint8_t *record, const struct words *w, uint32_t row)
{
    if (n == 1) return load_u64(record) == w->columns[0][row];
    uint64_t differ = load_u64(record); /* nulls */
    for (uint32_t k = 0; k < n; k++)
        differ |= load_u64(record + WORDS_AT + 8 * k) ^ w->columns[k][row];
    return differ == 0;
}

/* A row whose slot is not known yet. */
static RARE int32_t words_again(int what, struct table *t, const struct words *w, uint32_t row,
                                uint32_t *slot)
{
    _Alignas(8) uint64_t image[1 + DIRECT_COLUMNS] = { 0 };
    uint32_t tag;
    for (uint32_t k = 0; k < w->n; k++) image[1 + k] = w->columns[k][row];
    tag = w->n == 1   ? tag_of_words(1, t->seed, w, row)
          : w->n == 2 ? tag_of_words(2, t->seed, w, row)
                      : tag_of_words(3, t->seed, w, row);
    if (lookup_again(what, t, tag, (const uint8_t *)image, slot)) return WEIR_FATAL;
    if ((what & MAKE) && t->direct && t->direct->slots) direct_note(t->direct, w, row, *slot);
    return WEIR_OK;
}

/* Rows [from, from + n) by value. */
ALWAYS int32_t by_value(uint32_t columns, int what, struct table *t, const struct words *w,
                        const uint32_t *rows, uint32_t from, uint32_t n, uint32_t *slots)
{
    const struct direct *d = t->direct;
    const uint64_t *moving = w->columns[d->column], base = d->base;
    const uint32_t *of = d->slots, size = d->size;
    const uint64_t *others[DIRECT_COLUMNS] = { NULL };
    uint64_t rest[DIRECT_COLUMNS] = { 0 };
    uint32_t m = 0;
    for (uint32_t k = 0; k < columns; k++) {
        if (k == d->column) continue;
        others[m] = w->columns[k];
        rest[m++] = d->rest[k];
    }
    for (uint32_t i = from; i < from + n; i++) {
        const uint32_t row = rows ? rows[i] : i;
        uint64_t at = moving[row] - base, differ = 0;
        for (uint32_t k = 0; k + 1 < columns; k++) differ |= others[k][row] ^ rest[k];
        at = at < size && !differ ? at : size;
        slots[i] = of[at];
        if (__builtin_expect(slots[i] == WEIR_NO_SLOT, 0) &&
            words_again(what, t, w, row, &slots[i]))
            return WEIR_FATAL;
    }
    return WEIR_OK;
}

/* The same by the index, which is in cache. */
ALWAYS int32_t by_index(uint32_t columns, int what, struct table *t, const struct words *words,
                        const uint32_t *rows, uint32_t from, uint32_t n, uint32_t *slots)
{
    const struct words w = *words;
    const uint64_t seed = t->seed;
    struct place in = place_of(t);
    for (uint32_t i = from; i < from + n; i++) {
        const uint32_t row = rows ? rows[i] : i;
        uint32_t p = home_of(&in, tag_of_words(columns, seed, &w, row));
        uint32_t slot = (uint32_t)(in.entries[p] >> 32);
        while (slot != WEIR_NO_SLOT && !words_equal(columns, record_of(&in, slot), &w, row)) {
            p = p + 1 == in.size ? 0 : p + 1;
            slot = (uint32_t)(in.entries[p] >> 32);
        }
        slots[i] = slot;
        if (__builtin_expect(slot != WEIR_NO_SLOT, 1) || !(what & MAKE)) continue;
        if (words_again(what, t, words, row, &slots[i])) return WEIR_FATAL;
        in = place_of(t);
    }
    return WEIR_OK;
}

/* A loop of its own for each number of columns, with and without a selection. */
#define EACH_WAY(way)                                                                              \
    static RARE int32_t way##_each(int what, struct table *t, const struct words *w,               \
                                   const uint32_t *rows, uint32_t from, uint32_t n,                \
                                   uint32_t *slots)                                                \
    {                                                                                              \
        if (w->n == 1)                                                                             \
            return rows ? way(1, what, t, w, rows, from, n, slots)                                 \
                        : way(1, what, t, w, NULL, from, n, slots);                                \
        if (w->n == 2)                                                                             \
            return rows ? way(2, what, t, w, rows, from, n, slots)                                 \
                        : way(2, what, t, w, NULL, from, n, slots);                                \
        return rows ? way(3, what, t, w, rows, from, n, slots)                                     \
                    : way(3, what, t, w, NULL, from, n, slots);                                    \
    }
EACH_WAY(by_value)
EACH_WAY(by_index)

static int32_t find_words(int what, struct table *t, const struct words *w,
                          const uint32_t *selection, uint32_t n, uint32_t *slots, uint32_t *done)
{
    if (what & MAKE) direct_prepare(t, w, selection, n);
    struct direct *d = t->direct;
    int value = d && d->slots && !d->left;
    int32_t rc = WEIR_OK;
    for (; *done < n && !rc; *done += BLOCK) {
        const uint32_t m = n - *done < BLOCK ? n - *done : BLOCK;
        const uint32_t strays = value ? d->strays : 0;
        if (!value && t->index.size > NEAR_INDEX) return WEIR_OK;
        rc = (value ? by_value_each : by_index_each)(what, t, w, selection, *done, m, slots);
        if (value && d->strays - strays > STRAYS_MOST) {
            d->left = 1;
            value = 0;
        }
    }
    if (*done > n) *done = n;
    return rc;
}

/* ---- one text ---- */

struct texts {
    const int32_t *offsets;
    const uint8_t *bytes;
    uint64_t safe; /* 16 bytes can be read up to here */
};

static RARE int32_t cell_again(int what, struct table *t, uint32_t tag, const struct cell *cell,
                               uint32_t *slot)
{
    _Alignas(8) uint8_t image[KEY_AT + CELL_BYTES] = { 0 };
    memcpy(image + KEY_AT, cell, CELL_BYTES);
    return lookup_again(what, t, tag, image, slot);
}

/* A text that is long, or of whose bytes no 16 can be read. 1: long. */
static RARE int read_other(const uint8_t *text, uint64_t length, uint64_t seed, struct cell *cell,
                           uint32_t *tag)
{
    *cell = cell_of(text, length);
    *tag = tag_of_cell(seed, cell, 0);
    return cell_is_long(cell);
}

/* Cell and tag of the text between two offsets. 1: it is long. */
ALWAYS int read_text(const struct texts *in, uint64_t seed, uint32_t from, uint32_t to,
                     struct cell *cell, uint32_t *tag)
{
    const uint64_t length = to - from;
    if (__builtin_expect(length > CELL_SHORT || from > in->safe, 0))
        return read_other(in->bytes + from, length, seed, cell, tag);
    *cell = cell_of_short(in->bytes + from, length);
    *tag = tag_of_short(seed, cell, 0);
    return 0;
}

/* Is it the key of the slot of this entry? Of long texts and in tables with a null key that is not
 * known from this. */
ALWAYS int is_cell(const struct place *in, uint64_t entry, uint32_t tag, const struct cell *cell)
{
    const uint8_t *record = record_of(in, entry >> 32);
    if ((uint32_t)entry != tag) return 0;
    return ((load_u64(record) ^ cell->low) | (load_u64(record + 8) ^ cell->high)) == 0;
}

/* A short text that is not in its first place, in a table without a null key. */
static RARE int32_t cell_next(int what, struct table *t, uint32_t tag, const struct cell *cell,
                              uint32_t *slot)
{
    const struct place in = place_of(t);
    for (uint32_t p = home_of(&in, tag); in.entries[p] != INDEX_NONE;
         p = p + 1 == in.size ? 0 : p + 1) {
        if (!is_cell(&in, in.entries[p], tag, cell)) continue;
        *slot = (uint32_t)(in.entries[p] >> 32);
        return WEIR_OK;
    }
    return cell_again(what, t, tag, cell, slot);
}

/* Rows [from, from + n) of a table whose index is in the first cache. */
ALWAYS int32_t in_one_loop(int what, struct table *t, const struct texts *texts,
                           const uint32_t *rows, uint32_t from, uint32_t n, uint32_t *slots)
{
    const struct texts x = *texts;
    const uint64_t seed = t->seed;
    struct place in = place_of(t);
    for (uint32_t i = from; i < from + n; i++) {
        const uint32_t row = rows ? rows[i] : i;
        struct cell cell;
        uint32_t tag;
        const int other = read_text(&x, seed, (uint32_t)x.offsets[row],
                                    (uint32_t)x.offsets[row + 1], &cell, &tag);
        const uint64_t entry = in.entries[home_of(&in, tag)];
        slots[i] = (uint32_t)(entry >> 32);
        if (__builtin_expect(!other && is_cell(&in, entry, tag, &cell), 1) && !t->null_keys)
            continue;
        if ((other || t->null_keys ? cell_again : cell_next)(what, t, tag, &cell, &slots[i]))
            return WEIR_FATAL;
        in = place_of(t);
    }
    return WEIR_OK;
}

/* What is known of a block of texts. */
struct block {
    struct cell cells[BLOCK];
    uint64_t entries[BLOCK]; /* first place, then what stands there */
    uint32_t tags[BLOCK];
};

/* 1: some text is long. */
ALWAYS int read_block(const struct table *t, const struct texts *texts, const uint32_t *rows,
                      uint32_t n, struct block *b)
{
    const struct texts x = *texts;
    const uint64_t seed = t->seed, size = t->index.size;
    const uint64_t *entries = t->index.entries;
    int other = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = rows ? rows[i] : i;
        other |= read_text(&x, seed, (uint32_t)x.offsets[row], (uint32_t)x.offsets[row + 1],
                           &b->cells[i], &b->tags[i]);
        b->entries[i] = b->tags[i] * size >> 32;
        __builtin_prefetch(&entries[b->entries[i]]);
    }
    return other;
}

/* Entries that were read before a key is made stay true: slots don't move. */
static int32_t compare_block(int what, struct table *t, const struct block *b, uint32_t n,
                             uint32_t *slots)
{
    struct place in = place_of(t);
    for (uint32_t i = 0; i < n; i++) {
        slots[i] = (uint32_t)(b->entries[i] >> 32);
        if (__builtin_expect(is_cell(&in, b->entries[i], b->tags[i], &b->cells[i]), 1)) continue;
        if (cell_next(what, t, b->tags[i], &b->cells[i], &slots[i])) return WEIR_FATAL;
        in = place_of(t);
    }
    return WEIR_OK;
}

/* Rows [from, from + n), BLOCK at most. */
ALWAYS int32_t in_three(int what, struct table *t, const struct texts *texts, const uint32_t *rows,
                        uint32_t from, uint32_t n, uint32_t *slots)
{
    const struct place in = place_of(t);
    struct texts x = *texts;
    struct block b;
    int32_t rc = WEIR_OK;
    if (!rows) x.offsets += from;
    const int other = read_block(t, &x, rows ? rows + from : NULL, n, &b);
    if (other || t->null_keys) {
        for (uint32_t i = 0; i < n && !rc; i++)
            rc = cell_again(what, t, b.tags[i], &b.cells[i], &slots[from + i]);
        return rc;
    }
    for (uint32_t i = 0; i < n; i++) {
        b.entries[i] = in.entries[b.entries[i]];
        __builtin_prefetch(record_of(&in, b.entries[i] >> 32), 1);
    }
    return compare_block(what, t, &b, n, slots + from);
}

static RARE int32_t find_small(int what, struct table *t, const struct texts *x,
                               const uint32_t *rows, uint32_t from, uint32_t n, uint32_t *slots)
{
    return rows ? in_one_loop(what, t, x, rows, from, n, slots)
                : in_one_loop(what, t, x, NULL, from, n, slots);
}

static RARE int32_t find_block(int what, struct table *t, const struct texts *x,
                               const uint32_t *rows, uint32_t from, uint32_t n, uint32_t *slots)
{
    return rows ? in_three(what, t, x, rows, from, n, slots)
                : in_three(what, t, x, NULL, from, n, slots);
}

static int32_t find_texts(int what, struct table *t, const struct ArrowArray *key,
                          const uint32_t *selection, uint32_t n, uint32_t *slots, uint32_t *done)
{
    struct texts x = { key->buffers[1], key->buffers[2], 0 };
    const uint64_t bytes = (uint32_t)x.offsets[key->length];
    int32_t rc = WEIR_OK;
    if (bytes < CELL_BYTES) return WEIR_OK; /* a few short ones */
    x.safe = bytes - CELL_BYTES;
    for (; *done < n && !rc; *done += BLOCK) {
        const uint32_t m = n - *done < BLOCK ? n - *done : BLOCK;
        rc = (t->index.size <= SMALL_TEXT ? find_small : find_block)(what, t, &x, selection, *done,
                                                                     m, slots);
    }
    if (*done > n) *done = n;
    return rc;
}

/* ---- which of them ---- */

static int are_words(const struct table *t, const struct ArrowArray *const *keys,
                     struct words *out)
{
    const struct shape *s = t->shape;
    if (s->n_keys == 0 || s->n_keys > DIRECT_COLUMNS) return 0;
    for (out->n = 0; out->n < s->n_keys; out->n++) {
        const struct shape_column *k = &s->keys[out->n];
        if (k->width != 8 || k->type == WEIR_TYPE_FLOAT64 || keys[out->n]->buffers[0]) return 0;
        out->columns[out->n] = keys[out->n]->buffers[1];
    }
    return s->n_keys > 1 || !t->null_keys;
}

int32_t lookup_batch(int what, struct table *t, const struct ArrowArray *const *keys,
                     const uint32_t *selection, uint32_t n, uint32_t *slots, uint32_t *done)
{
    struct words words;
    *done = 0;
    if (are_words(t, keys, &words)) return find_words(what, t, &words, selection, n, slots, done);
    if (t->shape->key_kind == KEY_CELL && !keys[0]->buffers[0])
        return find_texts(what, t, keys[0], selection, n, slots, done);
    return WEIR_OK;
}
