/*
 * capture.c - the bytes of a table of one group: a *piece*, either the whole (base) or what changed
 * since the last capture (delta). Version 1. All numbers little-endian, nothing aligned.
 *
 *   piece    u8 version (1) | u8 kind (1 table, 2 rows) | u8 base (0, 1) | u8 0
 *            u16 key columns | u16 columns
 *            per key column:  u8 type            (numbers of weir/arrow.h)
 *            per column:      u8 type | u8 length | name
 *   a table: slots | keys of the new | columns of the new and the changed
 *   rows:    slots of keys, none changed | keys of the new
 *            slots of rows | u32 key slot of the new | i64 order of the new | columns of both
 *
 *   slots    u32 removed | u32 new | u32 changed
 *            u32 bound: 1 + the greatest slot that follows (0: none)
 *            u32 slot of each removed, new, changed
 *   keys     per key column:  u8 nulls (0, 1) | with 1: a bit per key, set: null, (n + 7) / 8 bytes
 *                             values (of a null: zero or empty)
 *   values   of n slots: fixed n × width (bool, a byte 0 or 1; date, int32 4; else 8)
 *            text, binary: u32 length × n | the bytes
 *
 *  1. A base has no removed and no changed; its new are all live slots, ascending; its new rows go
 *     by key slot and, within a key, in order.
 *  2. In a delta the new and the changed come in the order of first touch, which of new rows is
 *     that of arrival: rows of equal order find their place again.
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

static uint32_t class_of(const struct slab *slab, uint32_t slot)
{
    if (!slab_is_live(slab, slot)) return SLOTS_REMOVED;
    return slab_record(slab, slot)[RECORD_FLAGS] & RECORD_NEW ? SLOTS_NEW : SLOTS_CHANGED;
}

static int32_t slots_changed(const struct slab *slab, struct slots *out)
{
    uint32_t i, c, at[3] = { 0, 0, 0 };
    for (i = 0; i < slab->n_changed; i++) out->n[class_of(slab, slab->changed[i])]++;
    at[SLOTS_NEW] = out->n[SLOTS_REMOVED];
    at[SLOTS_CHANGED] = at[SLOTS_NEW] + out->n[SLOTS_NEW];
    if (!(out->slots = mem_alloc((uint64_t)slab->n_changed * 4 + 1))) return WEIR_FATAL;
    for (i = 0; i < slab->n_changed; i++) {
        c = class_of(slab, slab->changed[i]);
        out->slots[at[c]++] = slab->changed[i];
    }
    if (planted(PLANTED_STATE_CHANGED)) out->n[SLOTS_CHANGED] = 0;
    if (planted(PLANTED_STATE_REMOVED)) {
        memmove(out->slots, out->slots + out->n[SLOTS_REMOVED],
                (slab->n_changed - out->n[SLOTS_REMOVED]) * sizeof *out->slots);
        out->n[SLOTS_REMOVED] = 0;
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

static int32_t write_slots(const struct slots *s, struct weir_buffer *out)
{
    const uint64_t all = (uint64_t)s->n[SLOTS_REMOVED] + s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    int32_t rc = buffer_add(out, s->n, sizeof s->n);
    uint32_t bound = 0;
    uint64_t i;
    for (i = 0; i < all; i++)
        if (s->slots[i] >= bound) bound = s->slots[i] + 1;
    if (!rc) rc = buffer_add(out, &bound, sizeof bound);
    return rc ? rc : buffer_add(out, s->slots, all * 4);
}

static int32_t write_fixed(const struct slab *slab, uint32_t at, uint32_t width,
                           const uint32_t *slots, uint32_t n, struct weir_buffer *out)
{
    uint8_t *to;
    uint32_t i;
    if (buffer_grow(out, (uint64_t)n * width)) return WEIR_FATAL;
    to = out->data + out->length;
    if (width == 8)
        for (i = 0; i < n; i++) memcpy(to + 8ull * i, slab_record(slab, slots[i]) + at, 8);
    else if (width == 4)
        for (i = 0; i < n; i++) memcpy(to + 4ull * i, slab_record(slab, slots[i]) + at, 4);
    else
        for (i = 0; i < n; i++) to[i] = slab_record(slab, slots[i])[at] != 0;
    out->length += (uint64_t)n * width;
    return WEIR_OK;
}

static int32_t write_text(const struct table *t, const struct slab *slab, uint32_t at,
                          const uint32_t *slots, uint32_t n, struct weir_buffer *out)
{
    uint64_t bytes = 0;
    uint8_t *to;
    uint32_t i;
    for (i = 0; i < n; i++) bytes += cell_length(cell_at(slab_record(slab, slots[i]), at));
    if (buffer_grow(out, n * 4ull + bytes)) return WEIR_FATAL;
    to = out->data + out->length + n * 4ull;
    for (i = 0; i < n; i++) {
        const struct weir_bytes b =
            cell_bytes(cell_at(slab_record(slab, slots[i]), at), t->arena.data);
        const uint32_t length = (uint32_t)b.length;
        memcpy(out->data + out->length + i * 4ull, &length, 4);
        if (length) memcpy(to, b.data, length);
        to += length;
    }
    out->length += n * 4ull + bytes;
    return WEIR_OK;
}

static int32_t write_values(const struct table *t, const struct slab *slab,
                            const struct shape_column *c, const uint32_t *slots, uint32_t n,
                            struct weir_buffer *out)
{
    if (c->width == CELL_BYTES) return write_text(t, slab, c->at, slots, n, out);
    return write_fixed(slab, c->at, c->width, slots, n, out);
}

static int32_t write_nulls(const struct slab *slab, uint32_t key, const uint32_t *slots, uint32_t n,
                           struct weir_buffer *out)
{
    const uint64_t bytes = ((uint64_t)n + 7) / 8;
    uint32_t i, any = 0;
    uint8_t *to;
    if (buffer_grow(out, 1 + bytes)) return WEIR_FATAL;
    to = out->data + out->length;
    memset(to, 0, 1 + bytes);
    for (i = 0; i < n; i++) {
        if (!(slab_record(slab, slots[i])[KEY_NULLS + key / 8] >> (key & 7) & 1)) continue;
        to[1 + i / 8] |= (uint8_t)(1u << (i & 7));
        any = 1;
    }
    to[0] = (uint8_t)any;
    out->length += any ? 1 + bytes : 1;
    return WEIR_OK;
}

static int32_t write_keys(const struct table *t, const struct slots *s, struct weir_buffer *out)
{
    const uint32_t *slots = s->slots + s->n[SLOTS_REMOVED];
    int32_t rc = WEIR_OK;
    uint32_t k;
    for (k = 0; !rc && k < t->shape->n_keys; k++) {
        rc = write_nulls(&t->keys, k, slots, s->n[SLOTS_NEW], out);
        if (!rc) rc = write_values(t, &t->keys, &t->shape->keys[k], slots, s->n[SLOTS_NEW], out);
    }
    return rc;
}

static int32_t write_columns(const struct table *t, const struct slab *slab, const struct slots *s,
                             struct weir_buffer *out)
{
    const uint32_t *slots = s->slots + s->n[SLOTS_REMOVED];
    const uint32_t n = s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    int32_t rc = WEIR_OK;
    uint32_t c;
    for (c = 0; !rc && c < t->shape->n_columns; c++)
        rc = write_values(t, slab, &t->shape->columns[c], slots, n, out);
    return rc;
}

static int32_t write_rows(const struct table *t, int base, struct weir_buffer *out)
{
    struct slots s = { NULL, { 0, 0, 0 } };
    const uint32_t *fresh;
    int32_t rc = base ? slots_rows(t, &s) : slots_changed(&t->rows, &s);
    if (rc) return rc;
    fresh = s.slots + s.n[SLOTS_REMOVED];
    rc = write_slots(&s, out);
    if (!rc) rc = write_fixed(&t->rows, ROW_SLOT, 4, fresh, s.n[SLOTS_NEW], out);
    if (!rc) rc = write_fixed(&t->rows, ROW_ORDER, 8, fresh, s.n[SLOTS_NEW], out);
    if (!rc) rc = write_columns(t, &t->rows, &s, out);
    mem_free(s.slots);
    return rc;
}

int32_t piece_write(struct table *t, int base, struct weir_buffer *out)
{
    struct slots s = { NULL, { 0, 0, 0 } };
    int32_t rc = write_head(t->shape, base, out);
    if (!rc) rc = base ? slots_live(&t->keys, &s) : slots_changed(&t->keys, &s);
    if (!rc) rc = write_slots(&s, out);
    if (!rc) rc = write_keys(t, &s, out);
    if (!rc && t->shape->kind == WEIR_TABLE) rc = write_columns(t, &t->keys, &s, out);
    mem_free(s.slots);
    if (!rc && t->shape->kind == WEIR_ROWS) rc = write_rows(t, base, out);
    return rc;
}

int32_t piece_write_empty(const struct shape *shape, struct weir_buffer *out)
{
    struct table empty;
    table_init(&empty, shape, 0, NULL);
    return piece_write(&empty, 1, out);
}
