/*
 * nested.c - see the header.
 */
#include "nested.h"

void free_typed(void *bound)
{
    struct typed_bound *b = bound;
    if (b && b->type.release) b->type.release(&b->type);
    free_bound(b);
}

int same_type(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    const uint32_t type = argument_type(a);
    int64_t i;
    if (type != argument_type(b) || a->n_children != b->n_children) return 0;
    for (i = 0; i < a->n_children; i++) {
        if (type == WEIR_TYPE_STRUCT && strcmp(a->children[i]->name, b->children[i]->name) != 0)
            return 0;
        if (!same_type(a->children[i], b->children[i])) return 0;
    }
    return 1;
}

int32_t list_schema(const struct weir_data *data, const struct ArrowSchema *item,
                    struct ArrowSchema *out, struct weir_error *error)
{
    struct ArrowSchema root, *list;
    int32_t rc = data->schema_struct(1, &root, error);
    if (rc) return rc;
    rc = data->schema_set(&root, 0, "", WEIR_TYPE_LIST, error);
    list = root.children[0];
    if (!rc) {
        struct ArrowSchema copy;
        rc = data->schema_copy(item, "item", &copy, error);
        if (!rc) {
            if (list->children[0]->release) list->children[0]->release(list->children[0]);
            *list->children[0] = copy;
            list->children[0]->flags |= ARROW_FLAG_NULLABLE;
            *out = *list;
            list->release = NULL;
        }
    }
    root.release(&root);
    return rc;
}

/* ---- order ---- */

static int order_maybe_null(const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t i,
                            const struct ArrowArray *b, uint32_t j)
{
    const int x = weir_is_null(a, i), y = weir_is_null(b, j);
    return x || y ? x - y : order_values(type, a, i, b, j);
}

static int order_lists(const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t i,
                       const struct ArrowArray *b, uint32_t j)
{
    uint32_t x, y, x_end = list_items(a, i, &x), y_end = list_items(b, j, &y);
    for (; x < x_end && y < y_end; x++, y++) {
        int order = order_maybe_null(type->children[0], a->children[0], x, b->children[0], y);
        if (order) return order;
    }
    return (x < x_end) - (y < y_end);
}

int order_values(const struct ArrowSchema *type, const struct ArrowArray *a, uint32_t i,
                 const struct ArrowArray *b, uint32_t j)
{
    int64_t x, y;
    switch (argument_type(type)) {
    case WEIR_TYPE_BOOL: return weir_get_bool(a, i) - weir_get_bool(b, j);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE:
        x = weir_get_int32(a, i);
        y = weir_get_int32(b, j);
        return (x > y) - (x < y);
    case WEIR_TYPE_FLOAT64: return order_double(weir_get_float64(a, i), weir_get_float64(b, j));
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return order_text(weir_get_bytes(a, i), weir_get_bytes(b, j));
    case WEIR_TYPE_LIST: return order_lists(type, a, i, b, j);
    case WEIR_TYPE_STRUCT:
        for (int64_t k = 0; k < type->n_children; k++) {
            int order = order_maybe_null(type->children[k], a->children[k], i, b->children[k], j);
            if (order) return order;
        }
        return 0;
    default:
        x = weir_get_int64(a, i);
        y = weir_get_int64(b, j);
        return (x > y) - (x < y);
    }
}

/* ---- columns ---- */

void column_begin(struct column_out *c, const struct weir_data *data,
                  const struct ArrowSchema *type, struct weir_error *error)
{
    struct ArrowSchema root;
    memset(c, 0, sizeof *c);
    c->data = data;
    c->failed = data->schema_struct(1, &root, error);
    if (c->failed) return;
    if (root.children[0]->release) root.children[0]->release(root.children[0]);
    c->failed = data->schema_copy(type, "c", root.children[0], error);
    if (!c->failed) {
        root.children[0]->flags |= ARROW_FLAG_NULLABLE;
        c->failed = data->builder_create(&root, &c->root, error);
    }
    root.release(&root);
    if (!c->failed) c->column = data->builder_child(c->root, 0);
}

void column_row(struct column_out *c, uint32_t r)
{
    for (; !c->failed && c->next < r; c->next++) c->failed = c->data->append_null(c->column);
    c->next = r + 1;
}

int32_t column_end(struct column_out *c, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error)
{
    struct ArrowArray rows;
    for (; !c->failed && c->next < n; c->next++) c->failed = c->data->append_null(c->column);
    int32_t rc = c->failed;
    if (rc) weir_fail(error, rc, "out of memory");
    else rc = c->data->builder_finish(c->root, &rows, error);
    if (!rc) {
        *out = *rows.children[0];
        rows.children[0]->release = NULL;
        rows.release(&rows);
    }
    c->data->builder_destroy(c->root);
    return rc;
}
