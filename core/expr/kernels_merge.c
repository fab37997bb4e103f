/*
 * kernels_merge.c - branches of case, coalesce and the like put together to one column.
 *
 * Each branch has values for rows of its own; no row is in two. Numbers are scattered; text needs
 * to know each row's branch before it can be laid out in order, nested values go through a
 * builder.
 */
#include "core/expr/kernels.h"

#define NOBODY UINT32_MAX

static void scatter(const struct branch *b, uint32_t width, void *out)
{
    uint32_t i;
    if (width == 0) {
        for (i = 0; i < b->rows.n; i++) {
            const uint32_t r = rowset_row(&b->rows, i);
            if (bit_get(b->vec.values, vec_at(&b->vec, r))) bit_set(out, r);
        }
    } else if (width == 4) {
        const int32_t *from = b->vec.values;
        for (i = 0; i < b->rows.n; i++) {
            const uint32_t r = rowset_row(&b->rows, i);
            ((int32_t *)out)[r] = from[b->vec.constant ? 0 : r];
        }
    } else {
        const int64_t *from = b->vec.values;
        for (i = 0; i < b->rows.n; i++) {
            const uint32_t r = rowset_row(&b->rows, i);
            ((int64_t *)out)[r] = from[b->vec.constant ? 0 : r];
        }
    }
}

static int32_t merge_valid(struct frame *f, const struct branch *branches, uint32_t n,
                           const struct rowset *set, struct vec *out)
{
    uint32_t covered = 0, nulls = 0, i, k;
    int32_t rc;
    for (k = 0; k < n; k++) {
        covered += branches[k].rows.n;
        nulls |= branches[k].vec.valid && branches[k].rows.n;
    }
    if (covered == set->n && !nulls) return WEIR_OK;
    rc = vec_mask(f, out);
    if (rc) return rc;
    memset(out->memory[0], 0, bits_size(f->rows));
    for (k = 0; k < n; k++)
        for (i = 0; i < branches[k].rows.n; i++) {
            const uint32_t r = rowset_row(&branches[k].rows, i);
            if (vec_valid(&branches[k].vec, r)) bit_set(out->memory[0], r);
        }
    return WEIR_OK;
}

static int32_t owners(struct frame *f, const struct branch *branches, uint32_t n, uint32_t **out)
{
    uint32_t i, k;
    *out = mem_alloc((uint64_t)f->rows * sizeof **out + 8);
    if (!*out) return frame_no_memory(f);
    memset(*out, 0xff, (uint64_t)f->rows * sizeof **out);
    for (k = 0; k < n; k++)
        for (i = 0; i < branches[k].rows.n; i++)
            (*out)[rowset_row(&branches[k].rows, i)] = (uint32_t)k;
    return WEIR_OK;
}

static int32_t merge_text(struct frame *f, const struct type *type, const struct branch *branches,
                          uint32_t n, struct vec *out)
{
    struct text_out text = { 0 };
    uint32_t *owner;
    uint32_t r;
    int32_t rc = owners(f, branches, n, &owner);
    if (rc) return rc;
    rc = text_begin(&text, f, f->rows);
    for (r = 0; r < f->rows && !rc; r++) {
        struct weir_bytes bytes;
        if (owner[r] == NOBODY || !vec_valid(&branches[owner[r]].vec, r)) continue;
        bytes = vec_text(&branches[owner[r]].vec, r);
        rc = text_add(&text, r, bytes.data, bytes.length);
    }
    mem_free(owner);
    if (!rc) return text_end(&text, type->id, out);
    text_free(&text);
    return rc;
}

static int32_t merge_nested(struct frame *f, const struct type *type,
                            const struct branch *branches, uint32_t n, struct vec *out)
{
    struct weir_builder *builder = NULL, *values;
    uint32_t *owner;
    uint32_t r;
    int32_t rc = owners(f, branches, n, &owner);
    if (rc) return rc;
    rc = nested_begin(type, &builder, f->error);
    values = rc ? NULL : weir_data_1.builder_child(builder, 0);
    for (r = 0; r < f->rows && !rc; r++) {
        const struct branch *b = owner[r] == NOBODY ? NULL : &branches[owner[r]];
        rc = b && vec_valid(&b->vec, r)
                 ? weir_data_1.append_from(values, b->vec.nested, vec_at(&b->vec, r))
                 : weir_data_1.append_null(values);
        if (rc) weir_fail(f->error, rc, "out of memory");
    }
    if (!rc) rc = nested_end(builder, &out->inner, f->error);
    if (!rc) vec_of_array(out, type->id, &out->inner);
    weir_data_1.builder_destroy(builder);
    mem_free(owner);
    return rc;
}

int32_t merge(struct frame *f, const struct type *type, struct branch *branches, uint32_t n,
              const struct rowset *set, struct vec *out)
{
    uint32_t k;
    int32_t rc;
    for (k = 0; k < n; k++) { /* one of them has all rows: it is the result */
        if (set->n == 0 || branches[k].rows.n != set->n) continue;
        vec_move(out, &branches[k].vec);
        return WEIR_OK;
    }
    if (type_is_nested(type->id)) return merge_nested(f, type, branches, n, out);
    if (type->id == WEIR_TYPE_UTF8 || type->id == WEIR_TYPE_BINARY) {
        rc = merge_text(f, type, branches, n, out);
    } else {
        rc = vec_make(f, out, type->id, f->rows);
        if (rc) return rc;
        memset(out->memory[1], 0, (uint64_t)f->rows * type_width(type->id));
        for (k = 0; k < n; k++) scatter(&branches[k], type_width(type->id), out->memory[1]);
    }
    return rc ? rc : merge_valid(f, branches, n, set, out);
}
