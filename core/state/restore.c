/*
 * restore.c - reads pieces; their format stands in capture.c.
 *
 * First the whole piece is walked and every length checked against its end (piece_parse), then it
 * is applied. What the bytes then say about slots is checked against the table: new ones are free
 * and their keys unknown, changed ones live, rows hang on live keys, a base is sorted. So bytes of
 * any content end in a whole table or in DATA, after which the caller drops the table.
 *
 * Memory. Everything but records is bounded by 32 times the length of the piece. Records are an array
 * up to the greatest slot, as in the process that wrote it; pages of slots between that are free are
 * not touched.
 *
 * Columns go by name: one that the piece lacks is zero, an int32 becomes an int64 where the table
 * has that now. So may a key column. Everything else is refused.
 */
#include "core/state/group.h"
#include "core/state/hash.h"

struct reader {
    const uint8_t *at, *end;
    int packed; /* version 2 */
};

struct slots {
    uint32_t *slots; /* mem_alloc'ed */
    uint32_t n[3];   /* removed, new, changed */
};

/* Integers as they lie in the piece. */
struct integers {
    const uint8_t *bytes;
    uint32_t width; /* 0: all are `least` */
    int widen;      /* version 1: of 4 bytes with their sign */
    int64_t least;
};

/* Values of one column; read once, in order. */
struct values {
    uint32_t type, width; /* in the piece */
    int32_t column;       /* of the table */
    const uint8_t *nulls; /* or NULL */
    struct integers fixed; /* of text: lengths */
    const uint8_t *text;
};

struct piece {
    struct slots keys, rows;
    uint32_t n_keys, n_columns;
    struct values *values; /* keys, then columns */
    struct integers row_slots, row_orders;
};

static int32_t damaged(struct weir_error *error, const char *what)
{
    return weir_fail(error, WEIR_DATA, "the bytes are damaged: %s", what);
}

static const uint8_t *take(struct reader *r, uint64_t n)
{
    const uint8_t *at = r->at;
    if ((uint64_t)(r->end - r->at) < n) return NULL;
    r->at += n;
    return at;
}

static int take_u32(struct reader *r, uint32_t *out)
{
    const uint8_t *at = take(r, 4);
    if (at) memcpy(out, at, 4);
    return at != NULL;
}

static uint32_t u32_at(const uint8_t *p, uint64_t i)
{
    return (uint32_t)load_u32(p + 4 * i);
}

static int64_t integer(const struct integers *x, uint64_t i)
{
    int64_t value;
    switch (x->width) {
    case 0: return x->least;
    case 1: return (int64_t)((uint64_t)x->least + x->bytes[i]);
    case 2: return (int64_t)((uint64_t)x->least + (x->bytes[2 * i] | (uint32_t)x->bytes[2 * i + 1] << 8));
    case 4:
        if (x->widen) return (int32_t)u32_at(x->bytes, i);
        return (int64_t)((uint64_t)x->least + u32_at(x->bytes, i));
    default: memcpy(&value, x->bytes + 8 * i, 8); return value;
    }
}

static int take_least(struct reader *r, uint32_t n, int64_t *least)
{
    const uint8_t *bytes = take(r, n);
    uint64_t value = 0;
    if (!bytes) return 0;
    memcpy(&value, bytes, n);
    if (n && n < 8 && bytes[n - 1] & 0x80) value |= ~0ull << (8 * n);
    *least = (int64_t)value;
    return 1;
}

/* n integers, which have `width` bytes in version 1. */
static int take_integers(struct reader *r, uint32_t width, int widen, uint32_t n, struct integers *x)
{
    const uint8_t *head;
    memset(x, 0, sizeof *x);
    x->width = width;
    x->widen = widen;
    if (r->packed && n) {
        if (!(head = take(r, 1))) return 0;
        x->width = *head & 15;
        x->widen = 0;
        if (x->width > 8 || (x->width & (x->width - 1)) || *head >> 4 > (x->width < 8 ? 8 : 0) ||
            !take_least(r, *head >> 4, &x->least))
            return 0;
    }
    return (x->bytes = take(r, (uint64_t)n * x->width)) != NULL;
}

static int take_bits(struct reader *r, uint32_t n, uint32_t *slots)
{
    uint32_t first, bytes, found = 0, i;
    const uint8_t *bits;
    if (!take_u32(r, &first) || !take_u32(r, &bytes) || first > SLAB_MAX || bytes > SLAB_MAX / 8 ||
        !(bits = take(r, bytes)) || !bytes || !(bits[0] & 1) || !bits[bytes - 1])
        return 0;
    for (i = 0; i < bytes; i++) {
        uint32_t byte;
        for (byte = bits[i]; byte && found < n; byte &= byte - 1)
            slots[found++] = first + 8 * i + (uint32_t)__builtin_ctz(byte);
        if (byte) return 0;
    }
    return found == n;
}

static int take_list(struct reader *r, uint32_t n, uint32_t *slots)
{
    struct integers x;
    const uint8_t *form;
    uint32_t i;
    if (n == 0) return 1;
    form = r->packed ? take(r, 1) : NULL;
    if (r->packed && !form) return 0;
    if (form && *form == 1) return take_bits(r, n, slots);
    if ((form && *form) || !take_integers(r, 4, 0, n, &x)) return 0;
    for (i = 0; i < n; i++) {
        const int64_t slot = integer(&x, i);
        if (slot < 0 || slot >= SLAB_MAX) return 0;
        slots[i] = (uint32_t)slot;
    }
    return 1;
}

/* The list of slots; a bit each is the least that they take. */
static int take_slots(struct reader *r, struct slots *s)
{
    uint64_t all, above = 0, i;
    uint32_t bound, class, *list;
    if (!take_u32(r, &s->n[SLOTS_REMOVED]) || !take_u32(r, &s->n[SLOTS_NEW]) ||
        !take_u32(r, &s->n[SLOTS_CHANGED]) || !take_u32(r, &bound))
        return 0;
    all = (uint64_t)s->n[SLOTS_REMOVED] + s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    if (all > 8 * (uint64_t)(r->end - r->at) || !(list = s->slots = mem_alloc(4 * all + 1))) return 0;
    for (class = SLOTS_REMOVED; class <= SLOTS_CHANGED; list += s->n[class++])
        if (!take_list(r, s->n[class], list)) return 0;
    for (i = 0; i < all; i++)
        if (s->slots[i] >= above) above = s->slots[i] + 1ull;
    return above == bound && bound <= SLAB_MAX;
}

/* The slot number i of a class. */
static uint32_t slot_of(const struct slots *s, uint32_t class, uint32_t i)
{
    uint64_t at = i;
    if (class > SLOTS_REMOVED) at += s->n[SLOTS_REMOVED];
    if (class > SLOTS_NEW) at += s->n[SLOTS_NEW];
    return s->slots[at];
}

/* The i-th of the slots that have values: the new, then the changed. */
static uint32_t value_slot(const struct slots *s, uint32_t i)
{
    return s->slots[(uint64_t)s->n[SLOTS_REMOVED] + i];
}

static int text_valid(const struct values *v, uint32_t n, const uint8_t *text)
{
    uint32_t i;
    if (v->type != WEIR_TYPE_UTF8) return 1;
    for (i = 0; i < n; i++) {
        const uint64_t length = (uint64_t)integer(&v->fixed, i);
        if (!utf8_valid(text, length)) return 0;
        text += length;
    }
    return 1;
}

static int take_values(struct reader *r, struct values *v, uint32_t n)
{
    uint64_t bytes = 0;
    uint32_t i;
    if (v->width != CELL_BYTES) return take_integers(r, v->width, 1, n, &v->fixed);
    if (!take_integers(r, 4, 0, n, &v->fixed)) return 0;
    for (i = 0; i < n; i++) {
        const int64_t length = integer(&v->fixed, i);
        if (length < 0 || length > INT32_MAX) return 0;
        bytes += (uint64_t)length;
    }
    v->text = take(r, bytes);
    return v->text && text_valid(v, n, v->text);
}

static int take_key(struct reader *r, struct values *v, uint32_t n)
{
    const uint8_t *nulls = take(r, 1);
    if (!nulls || *nulls > 1) return 0;
    if (*nulls && !(v->nulls = take(r, ((uint64_t)n + 7) / 8))) return 0;
    return take_values(r, v, n);
}

static int fits(uint32_t from, uint32_t to)
{
    return from == to || (from == WEIR_TYPE_INT32 && to == WEIR_TYPE_INT64);
}

static void set_type(struct values *v, uint32_t type)
{
    v->type = type;
    v->width = shape_width(type);
}

static int32_t parse_types(struct reader *r, const struct shape *s, struct piece *p,
                           struct weir_error *error)
{
    uint32_t i;
    for (i = 0; i < p->n_keys; i++) {
        const uint8_t *type = take(r, 1);
        if (!type) return damaged(error, "it ends within the types");
        if (!fits(*type, s->keys[i].type))
            return weir_fail(error, WEIR_DATA, "key column \"%s\" has another type than the state",
                             s->keys[i].name);
        set_type(&p->values[i], *type);
        p->values[i].column = (int32_t)i;
    }
    for (i = 0; i < p->n_columns; i++) {
        struct values *v = &p->values[p->n_keys + i];
        const uint8_t *type = take(r, 2), *name = type ? take(r, type[1]) : NULL;
        if (!name) return damaged(error, "it ends within the columns");
        v->column = shape_column_of(s, (const char *)name, type[1]);
        if (v->column < 0)
            return weir_fail(error, WEIR_DATA,
                             "the state has a column \"%.*s\" that the table lacks",
                             utf8_valid(name, type[1]) ? type[1] : 0, (const char *)name);
        if (!fits(*type, s->columns[v->column].type))
            return weir_fail(error, WEIR_DATA, "column \"%s\" has another type than the state",
                             s->columns[v->column].name);
        set_type(v, *type);
    }
    return WEIR_OK;
}

static int32_t parse_head(struct reader *r, const struct shape *s, int base, struct piece *p,
                          struct weir_error *error)
{
    const uint8_t *head = take(r, PIECE_HEAD);
    uint64_t bytes;
    if (!head) return damaged(error, "it ends within the head");
    r->packed = head[0] == PIECE_VERSION;
    if (head[0] != PIECE_VERSION && head[0] != 1)
        return weir_fail(error, WEIR_DATA, "state of version %u, this weir reads %u", head[0],
                         PIECE_VERSION);
    if (head[1] != s->kind)
        return weir_fail(error, WEIR_DATA, "the state is of another kind of table");
    if (head[2] != (base != 0) || head[3]) return damaged(error, "head");
    p->n_keys = head[4] | (uint32_t)head[5] << 8;
    p->n_columns = head[6] | (uint32_t)head[7] << 8;
    if (p->n_keys != s->n_keys)
        return weir_fail(error, WEIR_DATA, "the state has %u key columns, the table %u", p->n_keys,
                         s->n_keys);
    if (p->n_columns > SHAPE_COLUMNS_MAX) return damaged(error, "number of columns");
    bytes = (p->n_keys + p->n_columns + 1ull) * sizeof *p->values;
    if (!(p->values = mem_alloc(bytes))) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(p->values, 0, bytes);
    return parse_types(r, s, p, error);
}

static int32_t piece_parse(struct weir_bytes bytes, const struct shape *s, int base,
                           struct piece *p, struct weir_error *error)
{
    struct reader r = { bytes.data, bytes.data + bytes.length, 0 };
    const int rows = s->kind == WEIR_ROWS;
    const struct slots *of_columns = rows ? &p->rows : &p->keys;
    int32_t rc = parse_head(&r, s, base, p, error);
    uint32_t i;
    if (rc) return rc;
    if (!take_slots(&r, &p->keys)) return damaged(error, "it ends within the slots");
    if (rows && p->keys.n[SLOTS_CHANGED]) return damaged(error, "keys of rows that changed");
    for (i = 0; i < p->n_keys; i++)
        if (!take_key(&r, &p->values[i], p->keys.n[SLOTS_NEW])) return damaged(error, "keys");
    if (rows) {
        if (!take_slots(&r, &p->rows) ||
            !take_integers(&r, 4, 0, p->rows.n[SLOTS_NEW], &p->row_slots) ||
            !take_integers(&r, 8, 0, p->rows.n[SLOTS_NEW], &p->row_orders))
            return damaged(error, "it ends within the rows");
    }
    for (i = 0; i < p->n_columns; i++)
        if (!take_values(&r, &p->values[p->n_keys + i],
                         of_columns->n[SLOTS_NEW] + of_columns->n[SLOTS_CHANGED]))
            return damaged(error, "columns");
    if (r.at != r.end) return damaged(error, "bytes behind its end");
    if (base && (p->keys.n[SLOTS_REMOVED] || p->keys.n[SLOTS_CHANGED] || p->rows.n[SLOTS_REMOVED] ||
                 p->rows.n[SLOTS_CHANGED]))
        return damaged(error, "changes in a base");
    return WEIR_OK;
}

/* ---- applying ---- */

static struct weir_bytes text_value(struct values *v, uint32_t i)
{
    struct weir_bytes b;
    b.data = v->text;
    b.length = (uint64_t)integer(&v->fixed, i);
    v->text += b.length;
    return b;
}

/* Writes fixed value i where the table has it, in the table's width. */
static void put_fixed(const struct values *v, uint32_t i, uint32_t width, uint8_t *to)
{
    const int64_t value = integer(&v->fixed, i);
    if (width == 8) memcpy(to, &value, 8);
    else if (width == 4) memcpy(to, &value, 4); /* the low half */
    else *to = value != 0;
}

static void key_image(const struct shape *s, struct piece *p, uint32_t i, uint8_t *image)
{
    uint32_t k;
    memset(image, 0, s->image);
    for (k = 0; k < s->n_keys; k++) {
        struct values *v = &p->values[k];
        const struct shape_column *key = &s->keys[k];
        uint8_t *to = image + s->head + key->at;
        struct weir_bytes b = { NULL, 0 };
        double number;
        int64_t bits;
        if (key->width == CELL_BYTES) b = text_value(v, i);
        if (v->nulls && (v->nulls[i / 8] >> (i & 7) & 1)) {
            image[KEY_NULLS + k / 8] |= (uint8_t)(1u << (k & 7));
        } else if (key->width == CELL_BYTES) {
            *(struct cell *)(void *)to = cell_of(b.data, b.length);
        } else if (key->type == WEIR_TYPE_FLOAT64) {
            bits = integer(&v->fixed, i);
            memcpy(&number, &bits, 8);
            *(uint64_t *)(void *)to = hash_float_bits(number);
        } else {
            put_fixed(v, i, key->width, to);
        }
    }
}

static int32_t place_slot(struct table *t, struct slab *slab, uint32_t slot,
                          struct weir_error *error)
{
    if (slab_is_live(slab, slot)) return damaged(error, "a new slot is in use");
    if (slab_reach(slab, &t->memory, slot)) return weir_fail(error, WEIR_FATAL, "out of memory");
    return WEIR_OK;
}

static int32_t apply_new_keys(struct table *t, struct piece *p, struct weir_error *error)
{
    _Alignas(8) uint8_t image[SHAPE_KEYS_MAX * (CELL_BYTES + 1) + 16];
    const struct shape *s = t->shape;
    int32_t rc;
    uint32_t i;
    if (index_room(&t->index, &t->memory, p->keys.n[SLOTS_NEW]))
        return weir_fail(error, WEIR_FATAL, "out of memory");
    for (i = 0; i < p->keys.n[SLOTS_NEW]; i++) {
        const uint32_t slot = slot_of(&p->keys, SLOTS_NEW, i);
        uint32_t tag;
        key_image(s, p, i, image);
        tag = (uint32_t)shape_hash(s, t->seed, image);
        if ((rc = place_slot(t, &t->keys, slot, error))) return rc;
        if (table_find(t, tag, image) != WEIR_NO_SLOT) return damaged(error, "a key twice");
        if (table_room(t, image)) return weir_fail(error, WEIR_FATAL, "out of memory");
        slab_place(&t->keys, slot);
        table_put_key(t, tag, image, slot);
    }
    return WEIR_OK;
}

static void release_text(struct table *t, const struct slab *slab, uint32_t slot,
                         const struct shape_column *columns, uint32_t n)
{
    uint32_t c;
    for (c = 0; c < n; c++)
        if (columns[c].width == CELL_BYTES)
            arena_release(t, cell_at(slab_record(slab, slot), columns[c].at));
}

static int32_t apply_removed_keys(struct table *t, const struct piece *p, struct weir_error *error)
{
    const struct shape *s = t->shape;
    uint32_t i;
    for (i = 0; i < p->keys.n[SLOTS_REMOVED]; i++) {
        const uint32_t slot = slot_of(&p->keys, SLOTS_REMOVED, i);
        if (!slab_is_live(&t->keys, slot)) continue; /* made and removed in between */
        if (s->kind == WEIR_ROWS && rows_first(t, slot) != WEIR_NO_ROW)
            return damaged(error, "a key was removed without its rows");
        table_drop_key(t, slot);
        release_text(t, &t->keys, slot, s->keys, s->n_keys);
        if (s->kind == WEIR_TABLE) {
            release_text(t, &t->keys, slot, s->columns, s->n_columns);
            timer_dropped(t, slot);
        }
        slab_free(&t->keys, slot);
    }
    return WEIR_OK;
}

static void apply_removed_rows(struct table *t, const struct piece *p)
{
    uint32_t i;
    for (i = 0; i < p->rows.n[SLOTS_REMOVED]; i++) {
        const uint32_t row = slot_of(&p->rows, SLOTS_REMOVED, i);
        if (!slab_is_live(&t->rows, row)) continue;
        rows_unlink(t, row);
        release_text(t, &t->rows, row, t->shape->columns, t->shape->n_columns);
        timer_dropped(t, row);
        slab_free(&t->rows, row);
    }
}

static int32_t apply_new_rows(struct table *t, const struct piece *p, int base,
                              struct weir_error *error)
{
    uint32_t i, last = WEIR_NO_ROW, last_slot = WEIR_NO_SLOT;
    int32_t rc;
    for (i = 0; i < p->rows.n[SLOTS_NEW]; i++) {
        const uint32_t row = slot_of(&p->rows, SLOTS_NEW, i), slot = (uint32_t)integer(&p->row_slots, i);
        const int64_t order = integer(&p->row_orders, i);
        if (!slab_is_live(&t->keys, slot)) return damaged(error, "a row without a key");
        if (base && last_slot == slot && rows_order(t, last) > order)
            return damaged(error, "rows of a base are not in order");
        if (base && last_slot != slot && rows_first(t, slot) != WEIR_NO_ROW)
            return damaged(error, "rows of a base are not by key");
        if ((rc = place_slot(t, &t->rows, row, error))) return rc;
        slab_place(&t->rows, row);
        timer_blank(t, row);
        rows_link(t, row, slot, order);
        last = row;
        last_slot = slot;
    }
    return WEIR_OK;
}

static int32_t put_text(struct table *t, struct slab *slab, uint32_t slot, uint32_t at,
                        struct weir_bytes b)
{
    struct cell next = cell_of(b.data, b.length), *cell;
    uint8_t *old = NULL;
    if (b.length > CELL_SHORT && arena_room(t, b.length, &old)) return WEIR_FATAL;
    mem_free(old);
    cell = cell_at(slab_record(slab, slot), at);
    arena_release(t, cell);
    cell_settle(&next, &t->arena);
    *cell = next;
    return WEIR_OK;
}

static int32_t apply_column(struct table *t, const struct slots *s, struct values *v)
{
    struct slab *slab = table_records(t);
    const struct shape_column *c = &t->shape->columns[v->column];
    const uint32_t n = s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const uint32_t slot = value_slot(s, i);
        if (c->width != CELL_BYTES) put_fixed(v, i, c->width, slab_record(slab, slot) + c->at);
        else if (put_text(t, slab, slot, c->at, text_value(v, i))) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static int32_t apply_columns(struct table *t, struct piece *p, struct weir_error *error)
{
    const struct slots *s = t->shape->kind == WEIR_ROWS ? &p->rows : &p->keys;
    const uint32_t n = s->n[SLOTS_NEW] + s->n[SLOTS_CHANGED];
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (!slab_is_live(table_records(t), value_slot(s, i)))
            return damaged(error, "a changed slot is not in use");
        if (timer_restored(t, value_slot(s, i))) goto no_memory;
    }
    for (i = 0; i < p->n_columns; i++)
        if (apply_column(t, s, &p->values[p->n_keys + i])) goto no_memory;
    return WEIR_OK;
no_memory:
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static int32_t piece_apply(struct table *t, struct piece *p, int base, struct weir_error *error)
{
    int32_t rc;
    apply_removed_rows(t, p);
    if ((rc = apply_removed_keys(t, p, error))) return rc;
    if ((rc = apply_new_keys(t, p, error))) return rc;
    if ((rc = apply_new_rows(t, p, base, error))) return rc;
    if ((rc = apply_columns(t, p, error))) return rc;
    arena_tidy(t);
    return WEIR_OK;
}

int32_t piece_read(struct table *t, struct weir_bytes bytes, int base, struct weir_error *error)
{
    struct piece piece;
    int32_t rc;
    memset(&piece, 0, sizeof piece);
    rc = piece_parse(bytes, t->shape, base, &piece, error);
    if (!rc) rc = piece_apply(t, &piece, base, error);
    mem_free(piece.values);
    mem_free(piece.keys.slots);
    mem_free(piece.rows.slots);
    return rc;
}
