/*
 * shape.c - see shape.h for the layouts.
 */
#include "core/state/shape.h"

#include "core/state/hash.h"

#include <stdlib.h>

uint32_t shape_width(uint32_t type)
{
    if (shape_is_text(type)) return CELL_BYTES;
    return type == WEIR_TYPE_BOOL ? 1 : weir_type_width(type);
}

static uint32_t align_up(uint32_t at, uint32_t width)
{
    const uint32_t a = width > 8 ? 8 : width;
    return (at + a - 1) / a * a;
}

/* Places columns, widest first, from `at` on; returns the end. */
static uint32_t place(struct shape_column *columns, uint32_t n, uint32_t at)
{
    static const uint32_t widths[] = { 16, 8, 4, 1 };
    uint32_t w, i;
    for (w = 0; w < 4; w++)
        for (i = 0; i < n; i++) {
            if (columns[i].width != widths[w]) continue;
            columns[i].at = align_up(at, widths[w]);
            at = columns[i].at + widths[w];
        }
    return at;
}

static uint32_t widest(const struct shape_column *columns, uint32_t n)
{
    uint32_t i, most = 1;
    for (i = 0; i < n; i++)
        if (columns[i].width > most) most = columns[i].width;
    return most > 8 ? 8 : most;
}

static void layout(struct shape *s)
{
    const uint32_t key_align = widest(s->keys, s->n_keys);
    const uint32_t align = widest(s->columns, s->n_columns);
    uint32_t end = (s->n_keys + 7) / 8;
    s->key_kind = KEY_MIXED;
    if (s->n_keys == 1 && s->keys[0].width == 8) s->key_kind = KEY_WORD;
    if (s->n_keys == 1 && s->keys[0].width == CELL_BYTES) s->key_kind = KEY_CELL;
    if (s->key_kind != KEY_MIXED) {
        s->head = KEY_AT;
        end = 0;
    }
    end = place(s->keys, s->n_keys, align_up(end, key_align));
    s->key_end = end;
    s->image = align_up(s->head + end, 8);
    if (s->kind == WEIR_ROWS) {
        s->links_at = align_up(end, 4);
        s->key_stride = align_up(s->links_at + 8, key_align > 4 ? key_align : 4);
        s->row_stride = align_up(place(s->columns, s->n_columns, ROW_HEAD), 8);
    } else {
        end = place(s->columns, s->n_columns, end);
        s->key_stride = align_up(end, key_align > align ? key_align : align);
    }
    if (s->key_stride == 0) s->key_stride = 1; /* neither key nor column */
}

static int32_t add_keys(const struct weir_table_spec *spec, struct shape *s,
                        struct weir_error *error)
{
    const uint32_t n = spec->key ? (uint32_t)spec->key->n_children : 0;
    uint32_t i;
    s->keys = mem_alloc((n + 1) * sizeof *s->keys);
    s->key_types = mem_alloc((n + 1) * sizeof *s->key_types);
    if (!s->keys || !s->key_types) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s->keys, 0, (n + 1) * sizeof *s->keys);
    for (i = 0; i < n; i++) {
        const struct ArrowSchema *k = spec->key->children[i];
        const uint32_t type = weir_type_of(k);
        if (!hash_type_ok(type))
            return weir_fail(error, WEIR_CONFIG,
                             "table %s: key column \"%s\" is not of a flat type", s->name,
                             k->name ? k->name : "");
        s->keys[i].type = s->key_types[i] = type;
        s->keys[i].width = shape_width(type);
        if (shape_is_text(type)) s->key_cells = 1;
        s->keys[i].name = mem_text(k->name ? k->name : "");
        if (!s->keys[i].name) return weir_fail(error, WEIR_FATAL, "out of memory");
        s->n_keys++;
    }
    return WEIR_OK;
}

static int32_t check_column(const struct shape *s, const struct weir_table_column *c,
                            struct weir_error *error)
{
    const char *name = c->name ? c->name : "";
    if (!name[0] || strlen(name) > SHAPE_NAME_MAX)
        return weir_fail(error, WEIR_CONFIG,
                         "table %s: a column without a name, or with one of more than %u bytes",
                         s->name, SHAPE_NAME_MAX);
    if (!hash_type_ok(c->type))
        return weir_fail(error, WEIR_CONFIG, "table %s: column \"%s\" is not of a flat type",
                         s->name, name);
    if ((c->flags & WEIR_COLUMN_TIMER) && c->type != WEIR_TYPE_INT64 &&
        c->type != WEIR_TYPE_TIMESTAMP)
        return weir_fail(error, WEIR_CONFIG,
                         "table %s: timer \"%s\" is neither int64 nor timestamp", s->name, name);
    if (shape_column_of(s, name, strlen(name)) >= 0)
        return weir_fail(error, WEIR_CONFIG, "table %s: column \"%s\" is there twice", s->name,
                         name);
    return WEIR_OK;
}

static int32_t add_columns(const struct weir_table_spec *spec, struct shape *s,
                           struct weir_error *error)
{
    const uint64_t bytes = (spec->n_columns + 1) * sizeof *s->columns;
    int32_t rc;
    uint32_t i;
    s->columns = mem_alloc(bytes);
    if (!s->columns) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s->columns, 0, bytes);
    for (i = 0; i < spec->n_columns; i++) {
        const struct weir_table_column *from = &spec->columns[i];
        struct shape_column *c = &s->columns[i];
        if ((rc = check_column(s, from, error))) return rc;
        c->type = from->type;
        c->flags = from->flags & WEIR_COLUMN_TIMER;
        if (c->flags) c->flags = from->flags & (WEIR_COLUMN_TIMER | WEIR_COLUMN_EVENT_TIME);
        c->width = shape_width(from->type);
        if (shape_is_text(c->type)) s->cells = 1;
        if (c->flags) s->n_timers++;
        c->name = mem_text(from->name);
        if (!c->name) return weir_fail(error, WEIR_FATAL, "out of memory");
        s->n_columns++;
    }
    return WEIR_OK;
}

int32_t shape_create(const struct weir_table_spec *spec, struct shape *out,
                     struct weir_error *error)
{
    struct weir_table_spec full;
    int32_t rc;
    memset(out, 0, sizeof *out);
    memset(&full, 0, sizeof full);
    memcpy(&full, spec, spec->size < sizeof full ? spec->size : sizeof full);
    spec = &full;
    out->kind = full.kind;
    out->version = full.version;
    out->n_distribution = full.n_distribution;
    out->name = mem_text(full.name ? full.name : "");
    out->signature = mem_text(full.signature ? full.signature : "");
    rc = WEIR_CONFIG;
    if (!out->name || !out->signature) rc = weir_fail(error, WEIR_FATAL, "out of memory");
    else if (full.kind != WEIR_TABLE && full.kind != WEIR_ROWS)
        weir_fail(error, rc, "table %s: kind %u is unknown", out->name, full.kind);
    else if (strlen(out->name) > SHAPE_NAME_MAX)
        weir_fail(error, rc, "a table with a name of more than %u bytes", SHAPE_NAME_MAX);
    else if (full.key && (full.key->n_children < 0 || full.key->n_children > SHAPE_KEYS_MAX))
        weir_fail(error, rc, "table %s: more than %u key columns", out->name, SHAPE_KEYS_MAX);
    else if (full.n_columns > SHAPE_COLUMNS_MAX || (full.n_columns && !full.columns))
        weir_fail(error, rc, "table %s: more than %u columns", out->name, SHAPE_COLUMNS_MAX);
    else if (full.n_distribution > (full.key ? (uint64_t)full.key->n_children : 0))
        weir_fail(error, rc, "table %s: the distribution is longer than the key", out->name);
    else if (!(rc = add_keys(spec, out, error))) rc = add_columns(spec, out, error);
    if (rc) shape_fini(out);
    else layout(out);
    return rc;
}

void shape_fini(struct shape *shape)
{
    uint32_t i;
    for (i = 0; i < shape->n_keys; i++) mem_free(shape->keys[i].name);
    for (i = 0; i < shape->n_columns; i++) mem_free(shape->columns[i].name);
    mem_free(shape->keys);
    mem_free(shape->columns);
    mem_free(shape->key_types);
    mem_free(shape->name);
    mem_free(shape->signature);
    memset(shape, 0, sizeof *shape);
}

int32_t shape_column_of(const struct shape *shape, const char *name, uint64_t n)
{
    uint32_t i;
    for (i = 0; i < shape->n_columns; i++)
        if (strlen(shape->columns[i].name) == n && memcmp(shape->columns[i].name, name, n) == 0)
            return (int32_t)i;
    return -1;
}

/* One key column of n rows into their images, where it has nulls or is text. */
static void image_any(const struct shape *s, uint32_t number, const struct ArrowArray *a,
                      const uint32_t *selection, uint32_t n, uint8_t *images)
{
    const struct shape_column *k = &s->keys[number];
    const int nulls = a->buffers[0] != NULL;
    uint32_t i;
    for (i = 0; i < n; i++) {
        const uint32_t row = selection ? selection[i] : i;
        uint8_t *image = images + (uint64_t)i * s->image, *to = image + s->head + k->at;
        if (nulls && weir_is_null(a, row)) {
            image[KEY_NULLS + number / 8] |= (uint8_t)(1u << (number & 7));
        } else if (k->width == CELL_BYTES) {
            const struct weir_bytes b = weir_get_bytes(a, row);
            *(struct cell *)(void *)to = cell_of(b.data, b.length);
        } else if (k->type == WEIR_TYPE_FLOAT64) {
            *(uint64_t *)(void *)to = hash_float_bits(weir_get_float64(a, row));
        } else if (k->width == 8) {
            *(int64_t *)(void *)to = weir_get_int64(a, row);
        } else if (k->width == 4) {
            *(int32_t *)(void *)to = weir_get_int32(a, row);
        } else {
            *to = (uint8_t)weir_get_bool(a, row);
        }
    }
}

static void image_column(const struct shape *s, uint32_t number, const struct ArrowArray *a,
                         const uint32_t *selection, uint32_t n, uint8_t *images)
{
    const struct shape_column *k = &s->keys[number];
    const uint32_t stride = s->image;
    uint8_t *to = images + s->head + k->at;
    uint32_t i;
    if (a->buffers[0] || k->type == WEIR_TYPE_FLOAT64 || (k->width != 8 && k->width != 4)) {
        image_any(s, number, a, selection, n, images);
    } else if (k->width == 8) {
        const uint64_t *values = a->buffers[1];
        for (i = 0; i < n; i++, to += stride)
            *(uint64_t *)(void *)to = values[selection ? selection[i] : i];
    } else {
        const uint32_t *values = a->buffers[1];
        for (i = 0; i < n; i++, to += stride)
            *(uint32_t *)(void *)to = values[selection ? selection[i] : i];
    }
}

/* The loops of the two common keys: one int64, one text, without nulls. */
static void image_words(const struct ArrowArray *a, const uint32_t *selection, uint32_t n,
                        uint8_t *images)
{
    const uint64_t *values = a->buffers[1];
    uint64_t *to = (uint64_t *)(void *)images;
    uint32_t i;
    for (i = 0; i < n; i++) {
        to[2 * i] = 0;
        to[2 * i + 1] = values[selection ? selection[i] : i];
    }
}

/* Rows of one text column. Lengths of words are hard to foresee, so a short text is read as 16 bytes wherever the
 * column has so many, and what is too much masked. */
static void image_cells(const struct ArrowArray *a, const uint32_t *selection, uint32_t n,
                        uint8_t *images)
{
    const int32_t *offsets = a->buffers[1];
    const uint8_t *bytes = a->buffers[2];
    const uint32_t all = (uint32_t)offsets[a->length];
    uint32_t i;
    for (i = 0; i < n; i++) {
        const uint32_t row = selection ? selection[i] : i;
        const uint32_t from = (uint32_t)offsets[row], length = (uint32_t)offsets[row + 1] - from;
        uint8_t *image = images + (uint64_t)i * (KEY_AT + CELL_BYTES);
        *(uint64_t *)(void *)image = 0;
        *(struct cell *)(void *)(image + KEY_AT) =
            length <= CELL_SHORT && all >= CELL_BYTES && from <= all - CELL_BYTES
                ? cell_of_short(bytes + from, length)
                : cell_of(bytes + from, length);
    }
}

void shape_images(const struct shape *s, const struct ArrowArray *const *keys,
                  const uint32_t *selection, uint32_t n, uint8_t *images)
{
    uint32_t k;
    if (s->key_kind == KEY_WORD && !keys[0]->buffers[0] && s->keys[0].type != WEIR_TYPE_FLOAT64) {
        image_words(keys[0], selection, n, images);
        return;
    }
    if (s->key_kind == KEY_CELL && !keys[0]->buffers[0]) {
        image_cells(keys[0], selection, n, images);
        return;
    }
    memset(images, 0, (uint64_t)n * s->image);
    for (k = 0; k < s->n_keys; k++)
        image_column(s, k, keys[k], selection, n, images);
}

uint64_t shape_hash(const struct shape *s, uint64_t seed, const uint8_t *image)
{
    uint64_t h = 0;
    uint32_t k;
    for (k = 0; k < s->n_keys; k++) {
        const uint8_t *at = image + s->head + s->keys[k].at;
        if (image[KEY_NULLS + k / 8] >> (k & 7) & 1) {
            h = hash_null(seed, k, h);
        } else if (s->keys[k].width == CELL_BYTES) {
            const struct weir_bytes b = cell_bytes((const struct cell *)(const void *)at, NULL);
            h = hash_bytes(seed, k, h, b.data, b.length);
        } else if (s->keys[k].width == 8) {
            h = hash_fixed(seed, k, h, load_u64(at));
        } else if (s->keys[k].width == 4) {
            h = hash_fixed(seed, k, h, (uint64_t)(int64_t)(int32_t)load_u32(at));
        } else {
            h = hash_fixed(seed, k, h, *at);
        }
    }
    return h;
}

uint64_t shape_outside(const struct shape *s, const uint8_t *image)
{
    uint64_t bytes = 0;
    uint32_t k;
    if (!s->key_cells) return 0;
    for (k = 0; k < s->n_keys; k++)
        if (s->keys[k].width == CELL_BYTES)
            bytes += cell_outside((const struct cell *)(const void *)(image + s->head + s->keys[k].at));
    return bytes;
}
