/*
 * dump.c - a group as JSON lines, for people:
 *
 *     {"key":["a",null],"columns":{"n":5}}
 *     {"key":["a",null],"rows":[{"order":7,"columns":{"n":5}}]}     (a table of rows)
 */
#include "core/state/group.h"

#include <stdlib.h>

#define DUMP_BLOCK 256u

/* Slots under way, with their keys and columns as arrays. */
struct dump {
    struct table *table;
    struct ArrowArray *arrays;
    uint32_t slots[DUMP_BLOCK], n;
};

static int32_t add_text(struct weir_buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text));
}

static int32_t add_number(struct weir_buffer *out, const char *before, int64_t value)
{
    char number[24];
    const uint32_t n = text_of_int(value, number);
    const int32_t rc = add_text(out, before);
    return rc ? rc : buffer_add(out, number, n);
}

static int32_t add_value(uint32_t type, const struct ArrowArray *array, uint32_t row,
                         struct weir_buffer *out)
{
    struct ArrowSchema schema;
    if (weir_is_null(array, row)) return add_text(out, "null");
    memset(&schema, 0, sizeof schema);
    schema.format = weir_type_format(type);
    schema.name = "";
    return value_json(&schema, array, row, out);
}

static int32_t add_name(const char *name, struct weir_buffer *out)
{
    const int32_t offsets[2] = { 0, (int32_t)strlen(name) };
    const void *buffers[3] = { NULL, offsets, name };
    struct ArrowArray array;
    memset(&array, 0, sizeof array);
    array.length = 1;
    array.n_buffers = 3;
    array.buffers = buffers;
    return add_value(WEIR_TYPE_UTF8, &array, 0, out);
}

static void arrays_release(struct ArrowArray *arrays, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) array_release(&arrays[i]);
}

/* The columns of n records (slots or rows), as arrays. */
static int32_t columns_of(struct table *t, const uint32_t *slots, uint32_t n,
                          struct ArrowArray *arrays)
{
    uint32_t c;
    int32_t rc = WEIR_OK;
    memset(arrays, 0, t->shape->n_columns * sizeof *arrays);
    for (c = 0; !rc && c < t->shape->n_columns; c++)
        rc = table_column_array(t, c, slots, 0, n, &arrays[c], NULL);
    if (rc) arrays_release(arrays, t->shape->n_columns);
    return rc;
}

static int32_t add_columns(const struct shape *s, const struct ArrowArray *arrays, uint32_t i,
                           struct weir_buffer *out)
{
    int32_t rc = add_text(out, "\"columns\":{");
    uint32_t c;
    for (c = 0; !rc && c < s->n_columns; c++) {
        if (c) rc = add_text(out, ",");
        if (!rc) rc = add_name(s->columns[c].name, out);
        if (!rc) rc = add_text(out, ":");
        if (!rc) rc = add_value(s->columns[c].type, &arrays[c], i, out);
    }
    return rc ? rc : add_text(out, "}");
}

static int32_t add_rows(struct dump *d, uint32_t slot, struct weir_buffer *out)
{
    const struct shape *s = d->table->shape;
    struct ArrowArray *arrays = d->arrays + s->n_keys;
    int32_t rc = add_text(out, "\"rows\":[");
    uint32_t row = rows_first(d->table, slot);
    const uint32_t first = row;
    for (; !rc && row != WEIR_NO_ROW; row = rows_next(d->table, row)) {
        if ((rc = columns_of(d->table, &row, 1, arrays))) break;
        rc = add_number(out, row == first ? "{\"order\":" : ",{\"order\":",
                        rows_order(d->table, row));
        if (!rc) rc = add_text(out, ",");
        if (!rc) rc = add_columns(s, arrays, 0, out);
        if (!rc) rc = add_text(out, "}");
        arrays_release(arrays, s->n_columns);
    }
    return rc ? rc : add_text(out, "]");
}

static int32_t add_line(struct dump *d, uint32_t i, struct weir_buffer *out)
{
    const struct shape *s = d->table->shape;
    int32_t rc = add_text(out, "{\"key\":[");
    uint32_t k;
    for (k = 0; !rc && k < s->n_keys; k++) {
        if (k) rc = add_text(out, ",");
        if (!rc) rc = add_value(s->keys[k].type, &d->arrays[k], i, out);
    }
    if (!rc) rc = add_text(out, "],");
    if (!rc) {
        if (s->kind == WEIR_ROWS) rc = add_rows(d, d->slots[i], out);
        else rc = add_columns(s, d->arrays + s->n_keys, i, out);
    }
    return rc ? rc : add_text(out, "}\n");
}

static int32_t dump_block(struct dump *d, struct weir_buffer *out)
{
    const struct shape *s = d->table->shape;
    const int of_keys = s->kind == WEIR_TABLE;
    int32_t rc = WEIR_OK;
    uint32_t k, i;
    memset(d->arrays, 0, (s->n_keys + s->n_columns) * sizeof *d->arrays);
    for (k = 0; !rc && k < s->n_keys; k++)
        rc = table_key_array(d->table, k, d->slots, 0, d->n, &d->arrays[k], NULL);
    if (!rc && of_keys) rc = columns_of(d->table, d->slots, d->n, d->arrays + s->n_keys);
    for (i = 0; !rc && i < d->n; i++) rc = add_line(d, i, out);
    arrays_release(d->arrays, s->n_keys + s->n_columns);
    return rc;
}

int32_t store_dump(const struct store_operator *op, uint32_t table, uint32_t group,
                   struct weir_buffer *out)
{
    struct dump d = { group_table(op, table, group), NULL, { 0 }, 0 };
    const struct shape *s;
    int32_t rc = WEIR_OK;
    uint32_t slot = 0;
    if (!d.table) return WEIR_OK;
    s = d.table->shape;
    d.arrays = mem_alloc((s->n_keys + s->n_columns + 1) * sizeof *d.arrays);
    if (!d.arrays) return WEIR_FATAL;
    while (!rc) {
        for (d.n = 0; d.n < DUMP_BLOCK; slot++) {
            slot = slab_next(&d.table->keys, slot);
            if (slot == WEIR_NO_SLOT) break;
            d.slots[d.n++] = slot;
        }
        if (d.n == 0) break;
        rc = dump_block(&d, out);
        if (slot == WEIR_NO_SLOT) break;
    }
    mem_free(d.arrays);
    return rc;
}
