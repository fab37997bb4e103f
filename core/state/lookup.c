/*
 * lookup.c - the hot path: slots of many keys at once.
 *
 * Keys are taken in blocks of 64. Of each block
 *
 *   1. hashes (unless given) and images of the keys are made, column by column; a table of a
 *      batch, whose hashes nobody else sees, hashes images, 16 bytes at a multiplication;
 *   2. the index entries are asked for from memory (prefetch), unless the index is small;
 *   3. each key's first entry with its tag is found, eight entries at once, and that record asked
 *      for;
 *   4. the record is compared, and where it differs, or nothing was found, the key looked up once
 *      more in full, and made.
 *
 * Keys that are one column of 8 bytes without nulls take the same steps without images: they are
 * compared where they lie. The common keys of a batch's table take shorter ways: lookup_batch.c.
 *
 * So the misses of a block overlap. Step 3 and 4 are written once and compiled for each way of
 * comparing keys. Step 4 looks again before it makes a key, since an earlier row of the block may
 * have made it.
 *
 * Hashes that are given must be weir.hash/1 of the whole key with the seed of the table. One row
 * per call is checked: where it differs (another seed; the hash of only some of the columns) all
 * are made here, for two hashes of one key would be two records.
 */
#include "core/state/lookup.h"

#define IMAGES 16384u

_Static_assert(SHAPE_KEYS_MAX * (CELL_BYTES + 1) + 16 <= IMAGES, "the image of a key fits");

/* Record and image of a key of several columns, up to `end`. */
ALWAYS int bytes_equal(const uint8_t *record, const uint8_t *image, uint32_t end)
{
    uint64_t differ = 0;
    uint32_t at;
    for (at = 0; at + 8 <= end; at += 8) differ |= load_u64(record + at) ^ load_u64(image + at);
    return differ == 0 && (at >= end || memcmp(record + at, image + at, end - at) == 0);
}

/* Of a key of one column: are both null, or neither? */
ALWAYS int nulls_equal(const struct table *t, uint32_t slot, const uint8_t *image)
{
    if (__builtin_expect(!t->null_keys, 1)) return !image[KEY_NULLS];
    return table_key_is_null(t, slot, 0) == image[KEY_NULLS];
}

ALWAYS int key_equal(uint32_t kind, const struct table *t, uint32_t slot, const uint8_t *image)
{
    uint8_t *record = slab_record(&t->keys, slot);
    const struct shape *s = t->shape;
    const struct cell *a, *b;
    uint32_t k;
    if (kind == KEY_WORD)
        return load_u64(record) == load_u64(image + KEY_AT) && nulls_equal(t, slot, image);
    if (kind == KEY_CELL) {
        a = cell_at(record, 0);
        b = (const struct cell *)(const void *)(image + KEY_AT);
        return cell_equal(a, b, t->arena.data) && nulls_equal(t, slot, image);
    }
    if (!s->key_cells || !shape_outside(s, image)) return bytes_equal(record, image, s->key_end);
    if (memcmp(record + KEY_NULLS, image + KEY_NULLS, (s->n_keys + 7) / 8) != 0) return 0;
    for (k = 0; k < s->n_keys; k++) {
        const uint32_t at = s->keys[k].at;
        if (s->keys[k].width != CELL_BYTES) {
            if (memcmp(record + at, image + at, s->keys[k].width) != 0) return 0;
        } else {
            b = (const struct cell *)(const void *)(image + at);
            if (!cell_equal(cell_at(record, at), b, t->arena.data)) return 0;
        }
    }
    return 1;
}

ALWAYS uint32_t find(uint32_t kind, const struct table *t, uint32_t tag, const uint8_t *image)
{
    uint32_t p, slot;
    if (!t->index.entries) return WEIR_NO_SLOT;
    for (p = index_home(&t->index, tag);; p = index_next(&t->index, p)) {
        p = index_probe(&t->index, tag, p);
        slot = index_slot(&t->index, p);
        if (slot == WEIR_NO_SLOT || key_equal(kind, t, slot, image))
            return slot;
    }
}

uint32_t table_find(const struct table *t, uint32_t tag, const uint8_t *image)
{
    return find(t->shape->key_kind, t, tag, image);
}

/* Room for the bits of null keys, as far as there may be slots. */
static RARE int32_t null_room(struct table *t)
{
    const uint32_t words = (t->keys.capacity + 63) / 64;
    uint64_t *bits;
    if (words <= t->null_words) return WEIR_OK;
    bits = memory_resize(&t->memory, t->null_keys, t->null_words * 8ull, words * 8ull);
    if (!bits) return WEIR_FATAL;
    memset(bits + t->null_words, 0, (words - t->null_words) * 8ull);
    t->null_keys = bits;
    t->null_words = words;
    return WEIR_OK;
}

static RARE void set_null(struct table *t, uint32_t slot, int null)
{
    if (slot >> 6 >= t->null_words) return; /* it can't be null, then */
    if (null) t->null_keys[slot >> 6] |= SLAB_BIT(slot);
    else t->null_keys[slot >> 6] &= ~SLAB_BIT(slot);
}

int32_t table_room(struct table *t, const uint8_t *image)
{
    const uint64_t outside = shape_outside(t->shape, image);
    uint8_t *old = NULL;
    int32_t rc = index_room(&t->index, &t->memory, 1);
    if (!rc) rc = slab_room(&t->keys, &t->memory);
    if (!rc && outside) rc = arena_room(t, outside, &old);
    if (!rc && t->shape->head && image[KEY_NULLS]) rc = null_room(t);
    mem_free(old);
    return rc;
}

void table_put_key(struct table *t, uint32_t tag, const uint8_t *image, uint32_t slot)
{
    const struct shape *s = t->shape;
    uint8_t *record = slab_record(&t->keys, slot);
    uint32_t k;
    memcpy(record, image + s->head, s->key_end);
    if (s->head && t->null_keys) set_null(t, slot, image[KEY_NULLS]);
    for (k = 0; s->key_cells && k < s->n_keys; k++)
        if (s->keys[k].width == CELL_BYTES) cell_settle(cell_at(record, s->keys[k].at), &t->arena);
    if (s->kind == WEIR_ROWS) memset(record + s->links_at, 0xff, 8);
    else timer_blank(t, slot);
    index_add(&t->index, tag, slot);
}

static RARE int32_t insert(struct table *t, uint32_t tag, const uint8_t *image, uint32_t *slot)
{
    if (table_room(t, image)) return WEIR_FATAL;
    *slot = slab_take(&t->keys);
    table_put_key(t, tag, image, *slot);
    return WEIR_OK;
}

int32_t lookup_again(int what, struct table *t, uint32_t tag, const uint8_t *image, uint32_t *slot)
{
    *slot = table_find(t, tag, image);
    if (*slot == WEIR_NO_SLOT && (what & MAKE)) return insert(t, tag, image, slot);
    if (*slot != WEIR_NO_SLOT && (what & MARK)) slab_mark(&t->keys, *slot);
    return WEIR_OK;
}

/* Entries of an index that is in cache without being asked for, of one of 256 tables. */
#define SMALL_INDEX 8192u

/* Steps 2 and 3 of a block: slots of the first entries with these tags. */
ALWAYS void first_slots(struct table *t, uint32_t n, const uint64_t *hash, uint32_t *slots)
{
    uint32_t i;
    if (t->index.size > SMALL_INDEX)
        for (i = 0; i < n; i++)
            __builtin_prefetch(&t->index.entries[index_home(&t->index, (uint32_t)hash[i])]);
    for (i = 0; i < n; i++) {
        slots[i] = index_first(&t->index, (uint32_t)hash[i]);
        if (slots[i] != WEIR_NO_SLOT) __builtin_prefetch(slab_record(&t->keys, slots[i]), 1);
    }
}

ALWAYS int32_t pass(uint32_t kind, int what, struct table *t, uint32_t n, const uint64_t *hash,
                    const uint8_t *images, uint32_t *slots)
{
    const uint32_t step = kind == KEY_WORD ? 16 : kind == KEY_CELL ? 24 : t->shape->image;
    uint32_t i;
    first_slots(t, n, hash, slots);
    for (i = 0; i < n; i++) {
        const uint8_t *image = images + (uint64_t)i * step;
        uint32_t slot = slots[i];
        if (slot == WEIR_NO_SLOT && !(what & MAKE)) continue;
        if (slot == WEIR_NO_SLOT ||
            __builtin_expect(!key_equal(kind, t, slot, image), 0)) {
            slot = slots[i] = find(kind, t, (uint32_t)hash[i], image);
            if (slot == WEIR_NO_SLOT) {
                if ((what & MAKE) && insert(t, (uint32_t)hash[i], image, &slots[i]))
                    return WEIR_FATAL;
                continue;
            }
        }
        if (what & MARK) slab_mark(&t->keys, slot);
    }
    return WEIR_OK;
}

ALWAYS int32_t pass_of(int what, struct table *t, uint32_t n, const uint64_t *hash,
                       const uint8_t *images, uint32_t *slots)
{
    switch (t->shape->key_kind) {
    case KEY_WORD: return pass(KEY_WORD, what, t, n, hash, images, slots);
    case KEY_CELL: return pass(KEY_CELL, what, t, n, hash, images, slots);
    default: return pass(KEY_MIXED, what, t, n, hash, images, slots);
    }
}

/* The three uses, each a function of its own. */
static __attribute__((noinline)) int32_t pass_read(struct table *t, uint32_t n,
                                                   const uint64_t *hash, const uint8_t *images,
                                                   uint32_t *slots)
{
    return pass_of(0, t, n, hash, images, slots);
}

static __attribute__((noinline)) int32_t pass_make(struct table *t, uint32_t n,
                                                   const uint64_t *hash, const uint8_t *images,
                                                   uint32_t *slots)
{
    return pass_of(MAKE, t, n, hash, images, slots);
}

static __attribute__((noinline)) int32_t pass_write(struct table *t, uint32_t n,
                                                    const uint64_t *hash, const uint8_t *images,
                                                    uint32_t *slots)
{
    return pass_of(MAKE | MARK, t, n, hash, images, slots);
}

/* An image of several columns: its words in pairs, but of long text what it says. */
static uint64_t hash_of_image(const struct shape *s, uint64_t seed, const uint8_t *image)
{
    uint64_t h = seed, at;
    uint32_t k;
    if (!s->key_cells || !shape_outside(s, image)) {
        for (at = 0; at + 8 < s->image; at += 16)
            h = fold(load_u64(image + at) ^ h ^ FOLD_A, load_u64(image + at + 8) ^ FOLD_B ^ h);
        return tag_of(at < s->image ? fold(load_u64(image + at) ^ h ^ FOLD_A, FOLD_B ^ h) : h);
    }
    for (at = 0; at < (uint64_t)KEY_NULLS + (s->n_keys + 7) / 8; at++)
        h = fold(image[at] ^ h ^ FOLD_A, FOLD_B ^ h);
    for (k = 0; k < s->n_keys; k++) {
        const struct cell *cell = (const struct cell *)(const void *)(image + s->keys[k].at);
        uint64_t value = 0;
        if (s->keys[k].width == CELL_BYTES) value = tag_of_cell(seed, cell, 0);
        else memcpy(&value, cell, s->keys[k].width);
        h = fold(value ^ h ^ FOLD_A, FOLD_B ^ h);
    }
    return tag_of(h);
}

/* Hashes of n images; `head` of one of a single column says whether it is null. */
static void hash_images(const struct table *t, const uint8_t *images, uint32_t n, uint64_t *hashes)
{
    const uint64_t seed = t->seed;
    uint32_t i;
    switch (t->shape->key_kind) {
    case KEY_WORD:
        for (i = 0; i < n; i++, images += KEY_AT + 8)
            hashes[i] = tag_of_word(seed, load_u64(images + KEY_AT), load_u64(images));
        return;
    case KEY_CELL:
        for (i = 0; i < n; i++, images += KEY_AT + CELL_BYTES)
            hashes[i] = tag_of_cell(seed, (const struct cell *)(const void *)(images + KEY_AT),
                                     load_u64(images));
        return;
    default:
        for (i = 0; i < n; i++, images += t->shape->image)
            hashes[i] = hash_of_image(t->shape, seed, images);
    }
}

/* Is the hash that was given for the first row ours? */
static int hash_fits(const struct table *t, const struct ArrowArray *const *keys,
                     const uint64_t *hash, const uint32_t *selection)
{
    const uint32_t row = selection ? selection[0] : 0;
    uint64_t own;
    hash_rows(t->seed, t->shape->key_types, keys, t->shape->n_keys, &row, 1, &own);
    return own == hash[row];
}

/* Keys [from, n) of a call, by their images. */
static int32_t run(struct table *t,
                   int32_t (*pass_fn)(struct table *, uint32_t, const uint64_t *, const uint8_t *,
                                      uint32_t *),
                   const struct ArrowArray *const *keys, const uint64_t *hash,
                   const uint32_t *selection, uint32_t from, uint32_t n, uint32_t *slots)
{
    const struct shape *s = t->shape;
    const uint32_t block = BLOCK * s->image <= IMAGES ? BLOCK : IMAGES / s->image;
    _Alignas(64) uint8_t images[IMAGES];
    uint64_t hashes[BLOCK];
    uint32_t rows[BLOCK], i;
    const int own = t->batch_only != 0;
    if (n && hash && !own && !hash_fits(t, keys, hash, selection)) hash = NULL;
    for (; from < n; from += block) {
        const uint32_t m = n - from < block ? n - from : block;
        for (i = 0; !selection && i < m; i++) rows[i] = from + i;
        if (selection) memcpy(rows, selection + from, m * sizeof *rows);
        shape_images(s, keys, rows, m, images);
        if (own) hash_images(t, images, m, hashes);
        else if (!hash) hash_rows(t->seed, s->key_types, keys, s->n_keys, rows, m, hashes);
        else for (i = 0; i < m; i++) hashes[i] = hash[rows[i]];
        if (pass_fn(t, m, hashes, images, slots + from)) return WEIR_FATAL;
    }
    return WEIR_OK;
}

/* ---- keys that are words ---- */

/* A word whose first entry was not it. */
static RARE int32_t word_again(int what, struct table *t, uint32_t tag, uint64_t word,
                               uint32_t *slot)
{
    _Alignas(8) uint8_t image[KEY_AT + 8] = { 0 };
    memcpy(image + KEY_AT, &word, 8);
    return lookup_again(what, t, tag, image, slot);
}

/* A block of words that lie in words[rows[i]]; their hashes are there. */
ALWAYS int32_t pass_words(int what, struct table *t, uint32_t n, const uint64_t *words,
                          const uint32_t *rows, const uint64_t *hash, uint32_t *slots)
{
    uint32_t i;
    first_slots(t, n, hash, slots);
    for (i = 0; i < n; i++) {
        const uint64_t word = words[rows ? rows[i] : i];
        uint8_t *record = slots[i] == WEIR_NO_SLOT ? NULL : slab_record(&t->keys, slots[i]);
        if (__builtin_expect(!record || load_u64(record) != word ||
                                 (t->null_keys && table_key_is_null(t, slots[i], 0)), 0)) {
            if (word_again(what, t, (uint32_t)hash[i], word, &slots[i])) return WEIR_FATAL;
        } else if (what & MARK) {
            slab_mark(&t->keys, slots[i]);
        }
    }
    return WEIR_OK;
}

/* Keys [from, n) of a call, where they are one column of 8 bytes without nulls: neither images nor
 * lists of rows are made. */
ALWAYS int32_t run_words(int what, struct table *t, const struct ArrowArray *const *keys,
                         const uint64_t *hash, const uint32_t *selection, uint32_t from,
                         uint32_t n, uint32_t *slots)
{
    const uint64_t *words = keys[0]->buffers[1], seed = t->seed;
    uint64_t hashes[BLOCK], dense[BLOCK];
    uint32_t i;
    if (!t->batch_only && n && hash && !hash_fits(t, keys, hash, selection)) hash = NULL;
    for (; from < n; from += BLOCK) {
        const uint32_t m = n - from < BLOCK ? n - from : BLOCK;
        const uint32_t *rows = selection ? selection + from : NULL;
        const uint64_t *block = rows ? words : words + from;
        if (rows && !hash) {
            for (i = 0; i < m; i++) dense[i] = words[rows[i]];
            block = dense;
            rows = NULL;
        }
        if (t->batch_only)
            for (i = 0; i < m; i++) hashes[i] = tag_of_word(seed, block[rows ? rows[i] : i], 0);
        else if (hash)
            for (i = 0; i < m; i++) hashes[i] = hash[rows ? rows[i] : from + i];
        else
            hash_words(seed, block, m, hashes);
        if (pass_words(what, t, m, block, rows, hashes, slots + from)) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static int are_words(const struct table *t, const struct ArrowArray *const *keys)
{
    return t->shape->key_kind == KEY_WORD && !keys[0]->buffers[0] &&
           t->shape->keys[0].type != WEIR_TYPE_FLOAT64;
}

void table_lookup(struct table *t, const struct ArrowArray *const *keys, const uint64_t *hash,
                  const uint32_t *selection, uint32_t n, uint32_t *slots)
{
    uint32_t done = 0;
    if (t->index.used == 0) {
        memset(slots, 0xff, n * sizeof *slots);
        return;
    }
    if (t->batch_only) lookup_batch(0, t, keys, selection, n, slots, &done);
    if (done == n) return;
    if (are_words(t, keys)) run_words(0, t, keys, hash, selection, done, n, slots);
    else run(t, pass_read, keys, hash, selection, done, n, slots);
}

int32_t table_insert(struct table *t, const struct ArrowArray *const *keys, const uint64_t *hash,
                     const uint32_t *selection, uint32_t n, uint32_t *slots)
{
    /* The records of a rows table's keys have nothing that could change. */
    const int mark = !t->batch_only && t->shape->kind == WEIR_TABLE;
    uint32_t done = 0;
    if (n && index_room(&t->index, &t->memory, 1)) return WEIR_FATAL;
    if (t->batch_only && lookup_batch(MAKE, t, keys, selection, n, slots, &done)) return WEIR_FATAL;
    if (done == n) return WEIR_OK;
    if (are_words(t, keys))
        return mark ? run_words(MAKE | MARK, t, keys, hash, selection, done, n, slots)
                    : run_words(MAKE, t, keys, hash, selection, done, n, slots);
    return run(t, mark ? pass_write : pass_make, keys, hash, selection, done, n, slots);
}
