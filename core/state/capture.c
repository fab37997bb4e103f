/*
 * capture.c - the bytes of a table of one group: a *piece*, either the whole (base) or what changed
 * since the last capture (delta). Version 2. All numbers little-endian, nothing aligned.
 *
 *   piece    u8 version (2) | u8 kind (1 table, 2 rows) | u8 base (0, 1) | u8 0
 *            u16 key columns | u16 columns
 *            per key column:  u8 type            (numbers of weir/arrow.h)
 *            per column:      u8 type | u8 length | name
 *   a table: slots | keys of the new | columns of the new and the changed
 *   rows:    slots of keys, none changed | keys of the new
 *            slots of rows | key slots of the new | orders of the new | columns of both
 *
 *   slots    u32 removed | u32 new | u32 changed
 *            u32 bound: 1 + the greatest slot that follows (0: none)
 *            list of the removed, of the new, of the changed
 *   list     of n slots (of none: nothing)
 *            u8 0 | packed                        in any order
 *            u8 1 | u32 first | u32 b | b bytes   ascending: bit i set is slot first + i; the first is
 *                                                 set, and one in the last byte
 *   keys     per key column:  u8 nulls (0, 1) | with 1: a bit per key, set: null, (n + 7) / 8 bytes
 *                             values (of a null: zero or empty)
 *   values   of n slots: fixed: packed (a bool is 0 or 1); text, binary: packed lengths | the bytes
 *   packed   of n integers (of none: nothing; 32 bits are widened with their sign, of floats the bits)
 *            u8 width (0, 1, 2, 4, 8) + 16 × bytes | least, in `bytes` (0 to 8) bytes, with its sign |
 *            n × width: value - least, unsigned (of width 8 least is 0)
 *
 * So what counts little is short: of counts, sums and dense keys a byte to four each, of a column in which all is
 * equal nothing. Bits of slots are not left out where they are all set, so that the number of slots
 * is bounded by the length of a piece.
 *
 * Version 1, which is still read, has instead of lists a u32 per slot, instead of packed integers the values in the
 * width of their type (lengths: u32), and its deltas list slots in the order of first touch.
 *
 *  1. A base has no removed and no changed; its new are all live slots, ascending; its new rows go
 *     by key slot and, within a key, in order.
 *  2. In a delta slots ascend, which of new rows is the order of arrival (slab.h): rows of equal
 *     order find their place again.
 *  3. Free slots aren't written. They are all others, for the lowest free slot is taken next
 *     (slab.h); so slot numbers, and with them all that is iterated, are the same after a restore,
 *     and so are the slots of later keys.
 *  4. A slot that was made and removed between two captures is among the removed only.
 *  5. A key is written once, with its slot, until the next base.
 *  6. `bound` says nothing new: it is there so that one damaged slot number is not a huge array.
 */
#include "core/state/group.h"

#include "core/sys/planted.h"

/* Slots of a piece: the removed, the new and the changed, one behind the other. */
struct slots {
    uint32_t *slots;
    uint32_t n[3];
};

/* A piece under way. */
struct writer {
    const struct table *table;
    struct weir_buffer *out;
    int64_t *values; /* of one column, room for those of all slots */
};

static int32_t add_u8(struct weir_buffer *out, uint32_t value)
{
    const uint8_t byte = (uint8_t)value;
    return buffer_add(out, &byte, 1);
}

static int32_t add_u16(struct weir_buffer *out, uint32_t value)
{
    const uint16_t v = (uint16_t)value;
    return buffer_add(out, &v, 2);
}

static int32_t write_head(const struct shape *s, int base, struct weir_buffer *out)
{
    int32_t rc;
    uint32_t i;
    if ((rc = add_u8(out, PIECE_VERSION)) || (rc = add_u8(out, s->kind)) ||
        (rc = add_u8(out, base != 0)) || (rc = add_u8(out, 0)) || (rc = add_u16(out, s->n_keys)) ||
        (rc = add_u16(out, s->n_columns)))
        return rc;
    for (i = 0; i < s->n_keys; i++)
        if ((rc = add_u8(out, s->keys[i].type))) return rc;
    for (i = 0; i < s->n_columns; i++) {
        const uint32_t length = (uint32_t)strlen(s->columns[i].name);
        if ((rc = add_u8(out, s->columns[i].type)) || (rc = add_u8(out, length)) ||
            (rc = buffer_add(out, s->columns[i].name, length)))
            return rc;
    }
    return WEIR_OK;
}

/* Bits of the slots of a class in word w. */
static uint64_t class_bits(const struct slab_bits *bits, uint32_t class)
{
    if (class == SLOTS_REMOVED) return bits->gone;
    if (class == SLOTS_NEW) return bits->live & bits->fresh;
    return bits->live & bits->changed & ~bits->fresh;
}

static int32_t slots_changed(const struct slab *slab, struct slots *out)
{
    const uint64_t words = ((uint64_t)slab->count + 63) / 64;
    uint32_t class, n = 0;
    uint64_t w, bits;
    if (!(out->slots = mem_alloc(slab_count_changes(slab) * 4 + 1))) return WEIR_FATAL;
    for (class = SLOTS_REMOVED; slab->dirty && class <= SLOTS_CHANGED; class++) {
        const uint32_t before = n;
        for (w = 0; w < words; w++)
            for (bits = class_bits(&slab->bits[w], class); bits; bits &= bits - 1)
                out->slots[n++] = (uint32_t)(w * 64 + (uint64_t)__builtin_ctzll(bits));
        if (class == SLOTS_CHANGED && planted(PLANTED_STATE_CHANGED)) n = before;
        if (class == SLOTS_REMOVED && planted(PLANTED_STATE_REMOVED)) n = before;
        out->n[class] = n - before;
    }
    return WEIR_OK;
}

static int32_t slots_live(const struct slab *slab, struct slots *out)
{
    uint32_t slot, n = 0;
    if (!(out->slots = mem_alloc((uint64_t)slab->n_live * 4 + 1))) return WEIR_FATAL;
    for (slot = slab_next(slab, 0); slot != WEIR_NO_SLOT; slot = slab_next(slab, slot + 1))
        out->slots[n++] = slot;
    out->n[SLOTS_NEW] = n;
    return WEIR_OK;
}

/* All rows, by key slot and order. */
static int32_t slots_rows(const struct table *t, struct slots *out)
{
    uint32_t slot, row, n = 0;
    if (!(out->slots = mem_alloc((uint64_t)t->rows.n_live * 4 + 1))) return WEIR_FATAL;
    for (slot = slab_next(&t->keys, 0); slot != WEIR_NO_SLOT; slot = slab_next(&t->keys, slot + 1))
        for (row = rows_first(t, slot); row != WEIR_NO_ROW; row = rows_next(t, row))
            out->slots[n++] = row;
    out->n[SLOTS_NEW] = n;
    return WEIR_OK;
}

/* ---- packed integers ---- */

static uint32_t width_of(uint64_t most)
{
    return most == 0 ? 0 : most < 1u << 8 ? 1 : most < 1u << 16 ? 2 : most < 1ull << 32 ? 4 : 8;
}

/* Bytes that hold a value with its sign. */
static uint32_t bytes_of_int(int64_t value)
{
    uint32_t n = 0;
    if (value == 0) return 0;
    for (n = 1; n < 8; n++)
        if (value >= -(1ll << (8 * n - 1)) && value < 1ll << (8 * n - 1)) break;
    return n;
}

static int32_t write_packed(const int64_t *values, uint32_t n, struct weir_buffer *out)
{
    int64_t least = INT64_MAX, most = INT64_MIN;
    uint32_t i, width, bytes;
    uint8_t *to;
    if (n == 0) return WEIR_OK;
    for (i = 0; i < n; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    width = width_of((uint64_t)most - (uint64_t)least);
    if (width == 8) least = 0;
    if (buffer_grow(out, 9 + (uint64_t)n * width)) return WEIR_FATAL;
    to = out->data + out->length;
    bytes = bytes_of_int(least);
    *to++ = (uint8_t)(width | bytes << 4);
    memcpy(to, &least, bytes);
    to += bytes;
/* little-endian, as all of this file */
#define PACK(type)                                                                                 \
    for (i = 0; i < n; i++, to += sizeof(type)) {                                                  \
        const type v = (type)((uint64_t)values[i] - (uint64_t)least);                              \
        memcpy(to, &v, sizeof v);                                                                  \
    }
    if (width == 1) PACK(uint8_t)
    else if (width == 2) PACK(uint16_t)
    else if (width == 4) PACK(uint32_t)
    else if (width == 8) PACK(uint64_t)
#undef PACK
    out->length = (uint64_t)(to - out->data);
    return WEIR_OK;
}

static int ascends(const uint32_t *slots, uint32_t n)
{
    uint32_t i;
    for (i = 1; i < n; i++)
        if (slots[i] <= slots[i - 1]) return 0;
    return 1;
}

static int32_t write_list(struct writer *w, const uint32_t *slots, uint32_t n)
{
    struct weir_buffer *out = w->out;
    uint32_t first, bytes, i;
    uint8_t *bits;
    int32_t rc;
    if (n == 0) return WEIR_OK;
    first = slots[0];
    bytes = ascends(slots, n) ? (slots[n - 1] - first) / 8 + 1 : UINT32_MAX;
    if (bytes / 4 > n) {
        for (i = 0; i < n; i++) w->values[i] = slots[i];
        rc = add_u8(out, 0);
        return rc ? rc : write_packed(w->values, n, out);
    }
    if ((rc = add_u8(out, 1)) || (rc = buffer_add(out, &first, 4)) ||
        (rc = buffer_add(out, &bytes, 4)) || (rc = buffer_grow(out, bytes)))
        return rc;
    bits = out->data + out->length;
    memset(bits, 0, bytes);
    for (i = 0; i < n; i++) bits[(slots[i] - first) / 8] |= (uint8_t)(1u << ((slots[i] - first) & 7));
    out->length += bytes;
    return WEIR_OK;
}

static int32_t write_slots(struct writer *w, const struct slots *s)
{
    const uint64_t all = (uint64_t)s->n[SLOTS_REMOVED] + s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    int32_t rc = buffer_add(w->out, s->n, sizeof s->n);
    const uint32_t *list = s->slots;
    uint32_t bound = 0, class;
    uint64_t i;
    for (i = 0; i < all; i++)
        if (s->slots[i] >= bound) bound = s->slots[i] + 1;
    if (!rc) rc = buffer_add(w->out, &bound, sizeof bound);
    for (class = SLOTS_REMOVED; !rc && class <= SLOTS_CHANGED; list += s->n[class++])
        rc = write_list(w, list, s->n[class]);
    return rc;
}

/* ---- values ---- */

static int32_t write_fixed(struct writer *w, const struct slab *slab, uint32_t at, uint32_t width,
                           const uint32_t *slots, uint32_t n)
{
    int64_t *to = w->values;
    uint32_t i;
    if (width == 8)
        for (i = 0; i < n; i++) memcpy(to + i, slab_record(slab, slots[i]) + at, 8);
    else if (width == 4)
        for (i = 0; i < n; i++) to[i] = (int32_t)load_u32(slab_record(slab, slots[i]) + at);
    else
        for (i = 0; i < n; i++) to[i] = slab_record(slab, slots[i])[at] != 0;
    return write_packed(to, n, w->out);
}

static int32_t write_text(struct writer *w, const struct slab *slab, uint32_t at,
                          const uint32_t *slots, uint32_t n)
{
    struct weir_buffer *out = w->out;
    uint64_t bytes = 0;
    uint8_t *to;
    uint32_t i;
    for (i = 0; i < n; i++) {
        w->values[i] = (int64_t)cell_length(cell_at(slab_record(slab, slots[i]), at));
        bytes += (uint64_t)w->values[i];
    }
    if (write_packed(w->values, n, out) || buffer_grow(out, bytes)) return WEIR_FATAL;
    to = out->data + out->length;
    for (i = 0; i < n; i++) {
        const struct weir_bytes b =
            cell_bytes(cell_at(slab_record(slab, slots[i]), at), w->table->arena.data);
        if (b.length) memcpy(to, b.data, b.length);
        to += b.length;
    }
    out->length += bytes;
    return WEIR_OK;
}

static int32_t write_values(struct writer *w, const struct slab *slab,
                            const struct shape_column *c, const uint32_t *slots, uint32_t n)
{
    if (c->width == CELL_BYTES) return write_text(w, slab, c->at, slots, n);
    return write_fixed(w, slab, c->at, c->width, slots, n);
}

static int32_t write_nulls(struct writer *w, uint32_t key, const uint32_t *slots, uint32_t n)
{
    const uint64_t bytes = ((uint64_t)n + 7) / 8;
    struct weir_buffer *out = w->out;
    uint32_t i, any = 0;
    uint8_t *to;
    if (buffer_grow(out, 1 + bytes)) return WEIR_FATAL;
    to = out->data + out->length;
    memset(to, 0, 1 + bytes);
    for (i = 0; i < n; i++) {
        if (!table_key_is_null(w->table, slots[i], key)) continue;
        to[1 + i / 8] |= (uint8_t)(1u << (i & 7));
        any = 1;
    }
    to[0] = (uint8_t)any;
    out->length += any ? 1 + bytes : 1;
    return WEIR_OK;
}

static int32_t write_keys(struct writer *w, const struct slots *s)
{
    const struct table *t = w->table;
    const uint32_t *slots = s->slots + s->n[SLOTS_REMOVED];
    int32_t rc = WEIR_OK;
    uint32_t k;
    for (k = 0; !rc && k < t->shape->n_keys; k++) {
        rc = write_nulls(w, k, slots, s->n[SLOTS_NEW]);
        if (!rc) rc = write_values(w, &t->keys, &t->shape->keys[k], slots, s->n[SLOTS_NEW]);
    }
    return rc;
}

static int32_t write_columns(struct writer *w, const struct slab *slab, const struct slots *s)
{
    const uint32_t *slots = s->slots + s->n[SLOTS_REMOVED];
    const uint32_t n = s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    int32_t rc = WEIR_OK;
    uint32_t c;
    for (c = 0; !rc && c < w->table->shape->n_columns; c++)
        rc = write_values(w, slab, &w->table->shape->columns[c], slots, n);
    return rc;
}

static int32_t write_rows(struct writer *w, int base)
{
    const struct table *t = w->table;
    struct slots s = { NULL, { 0, 0, 0 } };
    const uint32_t *fresh;
    int32_t rc = base ? slots_rows(t, &s) : slots_changed(&t->rows, &s);
    if (rc) return rc;
    fresh = s.slots + s.n[SLOTS_REMOVED];
    rc = write_slots(w, &s);
    if (!rc) rc = write_fixed(w, &t->rows, ROW_SLOT, 4, fresh, s.n[SLOTS_NEW]);
    if (!rc) rc = write_fixed(w, &t->rows, ROW_ORDER, 8, fresh, s.n[SLOTS_NEW]);
    if (!rc) rc = write_columns(w, &t->rows, &s);
    mem_free(s.slots);
    return rc;
}

static int32_t write_key_part(struct writer *w, int base)
{
    const struct table *t = w->table;
    struct slots s = { NULL, { 0, 0, 0 } };
    int32_t rc = base ? slots_live(&t->keys, &s) : slots_changed(&t->keys, &s);
    if (!rc) rc = write_slots(w, &s);
    if (!rc) rc = write_keys(w, &s);
    if (!rc && t->shape->kind == WEIR_TABLE) rc = write_columns(w, &t->keys, &s);
    mem_free(s.slots);
    return rc;
}

int32_t piece_write(struct table *t, int base, struct weir_buffer *out)
{
    const uint32_t most = t->keys.count > t->rows.count ? t->keys.count : t->rows.count;
    struct writer w = { t, out, mem_alloc(8ull * most + 1) };
    int32_t rc = w.values ? write_head(t->shape, base, out) : WEIR_FATAL;
    if (!rc) rc = write_key_part(&w, base);
    if (!rc && t->shape->kind == WEIR_ROWS) rc = write_rows(&w, base);
    mem_free(w.values);
    return rc;
}

int32_t piece_write_empty(const struct shape *shape, struct weir_buffer *out)
{
    struct table empty;
    table_init(&empty, shape, 0, NULL);
    return piece_write(&empty, 1, out);
}
