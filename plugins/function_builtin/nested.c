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
