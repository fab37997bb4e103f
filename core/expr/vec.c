/*
 * vec.c - memory and life of vecs, parts of selections, and how a vec becomes an array.
 *
 * A result that is an unchanged column of the chunk is not copied: the array points into the chunk
 * and holds a reference to it until it is released.
 */
#include "core/expr/vec.h"

#include "core/data/chunk.h"

#define REASONS_SEARCHED 16u

int32_t frame_no_memory(struct frame *f)
{
    return weir_fail(f->error, WEIR_FATAL, "out of memory");
}

/* The number of a reason. The last few are looked at, since one reason often stands for many rows. */
static int32_t reason_number(struct frame *f, const char *reason, uint32_t *out)
{
    const uint32_t n = f->n_reasons, first = n > REASONS_SEARCHED ? n - REASONS_SEARCHED : 0;
    uint32_t i;
    for (i = n; i > first && strcmp(f->reasons[i - 1], reason) != 0;) i--;
    if (i == first) {
        if ((n & (n - 1)) == 0) { /* room is the next power of two */
            const char **more = arena_alloc(&f->arena, (n ? 2 * (uint64_t)n : 1) * sizeof *more);
            if (!more) return frame_no_memory(f);
            if (n) memcpy(more, f->reasons, n * sizeof *more);
            f->reasons = more;
        }
        f->reasons[n] = arena_text(&f->arena, reason, strlen(reason));
        if (!f->reasons[n]) return frame_no_memory(f);
        i = ++f->n_reasons;
    }
    *out = i;
    return WEIR_OK;
}

int32_t frame_fail(struct frame *f, uint32_t row, const char *reason)
{
    if (!f->failed) {
        f->failed = mem_alloc(f->rows * sizeof *f->failed + 8);
        if (!f->failed) return frame_no_memory(f);
        memset(f->failed, 0, f->rows * sizeof *f->failed);
    }
    return f->failed[row] ? WEIR_OK : reason_number(f, reason, &f->failed[row]);
}

void frame_end(struct frame *f)
{
    mem_free(f->failed);
    arena_free(&f->arena);
    f->failed = NULL;
}

void vec_free(struct vec *v)
{
    uint32_t i;
    for (i = 0; i < 3; i++) mem_free(v->memory[i]);
    array_release(&v->inner);
    memset(v, 0, sizeof *v);
}

void vec_move(struct vec *to, struct vec *from)
{
    *to = *from;
    if (from->nested == &from->inner) to->nested = &to->inner;
    memset(from, 0, sizeof *from);
}

void vec_of_array(struct vec *v, uint32_t id, const struct ArrowArray *array)
{
    v->id = id;
    v->rows = (uint32_t)array->length;
    v->valid = array->buffers[0];
    if (type_is_nested(id)) {
        v->nested = array;
        return;
    }
    v->values = array->buffers[1];
    if (array->n_buffers > 2) v->bytes = array->buffers[2];
}

int32_t vec_make(struct frame *f, struct vec *v, uint32_t id, uint32_t rows)
{
    const uint64_t bytes = id == WEIR_TYPE_BOOL ? bits_size(rows) : (uint64_t)rows * type_width(id);
    v->id = id;
    v->rows = rows;
    v->values = v->memory[1] = mem_alloc(bytes + 64);
    if (!v->memory[1]) return frame_no_memory(f);
    if (id == WEIR_TYPE_BOOL) memset(v->memory[1], 0, bytes);
    return WEIR_OK;
}

int32_t vec_make_null(struct frame *f, struct vec *v, const struct type *type)
{
    int32_t rc;
    if (type_is_nested(type->id)) {
        rc = nested_nulls(type, 1, &v->inner, f->error);
        if (rc) return rc;
        vec_of_array(v, type->id, &v->inner);
    } else if (type->id == WEIR_TYPE_UTF8 || type->id == WEIR_TYPE_BINARY) {
        rc = vec_make(f, v, WEIR_TYPE_INT64, 1); /* two offsets */
        if (rc) return rc;
        memset(v->memory[1], 0, 8);
        v->bytes = v->memory[1];
    } else {
        rc = vec_make(f, v, type->id, 1);
        if (rc) return rc;
        memset(v->memory[1], 0, 8);
    }
    v->id = type->id;
    v->rows = 1;
    v->constant = 1;
    rc = vec_mask(f, v);
    if (!rc) memset(v->memory[0], 0, 8);
    return rc;
}

int32_t vec_mask(struct frame *f, struct vec *v)
{
    uint8_t *mask;
    if (v->memory[0]) return WEIR_OK;
    mask = mem_alloc(bits_size(v->rows) + 64);
    if (!mask) return frame_no_memory(f);
    memset(mask, 0xff, bits_size(v->rows));
    if (v->valid) memcpy(mask, v->valid, ((uint64_t)v->rows + 7) / 8);
    v->memory[0] = mask;
    v->valid = mask;
    return WEIR_OK;
}

static int32_t expand_text(struct frame *f, struct vec *v, struct vec *out)
{
    const struct weir_bytes text = vec_text(v, 0);
    int32_t *offsets;
    uint32_t i;
    if (text.length * f->rows > INT32_MAX)
        return weir_fail(f->error, WEIR_FATAL, "a column of text over 2 GiB");
    offsets = mem_alloc(((uint64_t)f->rows + 1) * 4 + 64);
    out->memory[1] = offsets;
    out->memory[2] = mem_alloc(text.length * f->rows + 64);
    if (!offsets || !out->memory[2]) return frame_no_memory(f);
    for (i = 0; i <= f->rows; i++) offsets[i] = (int32_t)(i * text.length);
    for (i = 0; i < f->rows; i++)
        memcpy((uint8_t *)out->memory[2] + offsets[i], text.data, text.length);
    out->id = v->id;
    out->rows = f->rows;
    out->values = offsets;
    out->bytes = out->memory[2];
    return WEIR_OK;
}

static int32_t expand_nested(struct frame *f, struct vec *v, const struct type *type,
                             struct vec *out)
{
    uint32_t *first;
    int32_t rc = rows_alloc(f, f->rows, &first);
    if (rc) return rc;
    memset(first, 0, (uint64_t)f->rows * sizeof *first);
    rc = weir_data_1.take(type->schema, v->nested, first, f->rows, &out->inner, f->error);
    mem_free(first);
    if (!rc) vec_of_array(out, v->id, &out->inner);
    return rc;
}

int32_t vec_expand(struct frame *f, struct vec *v, const struct type *type)
{
    struct vec out = { 0 };
    uint32_t i;
    int32_t rc;
    if (!v->constant) return WEIR_OK;
    if (type_is_nested(v->id)) {
        rc = expand_nested(f, v, type, &out);
    } else if (v->id == WEIR_TYPE_UTF8 || v->id == WEIR_TYPE_BINARY) {
        rc = expand_text(f, v, &out);
    } else {
        rc = vec_make(f, &out, v->id, f->rows);
        if (rc) goto end;
        if (v->id == WEIR_TYPE_BOOL) {
            memset(out.memory[1], bit_get(v->values, 0) ? 0xff : 0, bits_size(f->rows));
        } else if (type_width(v->id) == 4) {
            const int32_t value = *(const int32_t *)v->values;
            for (i = 0; i < f->rows; i++) ((int32_t *)out.memory[1])[i] = value;
        } else {
            const int64_t value = *(const int64_t *)v->values;
            for (i = 0; i < f->rows; i++) ((int64_t *)out.memory[1])[i] = value;
        }
    }
    if (!rc && !vec_valid(v, 0)) {
        rc = vec_mask(f, &out);
        if (!rc) memset(out.memory[0], 0, bits_size(f->rows));
    }
end:
    vec_free(v);
    vec_move(v, &out);
    return rc;
}

/* ---- arrays ---- */

static uint64_t count_nulls(const uint8_t *valid, uint64_t rows)
{
    uint64_t n = 0, i, word;
    if (!valid) return 0;
    for (i = 0; i + 64 <= rows; i += 64) {
        memcpy(&word, valid + i / 8, 8);
        n += (uint64_t)__builtin_popcountll(~word);
    }
    for (; i < rows; i++) n += !bit_get(valid, (uint32_t)i);
    return n;
}

static void lent(struct ArrowArray *array) { (void)array; }

static void view(const struct vec *v, struct ArrowArray *array, const void **buffers)
{
    memset(array, 0, sizeof *array);
    array->length = v->rows;
    array->null_count = (int64_t)count_nulls(v->valid, v->rows);
    array->buffers = buffers;
    buffers[0] = array->null_count ? v->valid : NULL;
    if (v->nested) {
        array->n_buffers = v->nested->n_buffers;
        array->n_children = v->nested->n_children;
        array->children = v->nested->children;
        buffers[1] = v->nested->n_buffers > 1 ? v->nested->buffers[1] : NULL;
    } else {
        array->n_buffers = v->bytes ? 3 : 2;
        buffers[1] = v->values;
        buffers[2] = v->bytes;
    }
}

void vec_lend(const struct vec *v, struct ArrowArray *array, const void **buffers)
{
    view(v, array, buffers);
    array->release = lent;
}

/* The array of a result: what it points to, and what goes with it. */
struct held {
    const void *buffers[3];
    void *memory[3];
    struct ArrowArray inner;
    const struct weir_chunk *chunk;
};

static void held_release(struct ArrowArray *array)
{
    struct held *held = array->private_data;
    uint32_t i;
    for (i = 0; i < 3; i++) mem_free(held->memory[i]);
    array_release(&held->inner);
    if (held->chunk) chunk_release(held->chunk);
    mem_free(held);
    array->release = NULL;
}

/* A copy of values that nothing keeps alive. */
static int32_t copy_borrowed(struct frame *f, struct vec *v, const struct type *type)
{
    struct ArrowArray lend, copy;
    const void *buffers[3];
    uint32_t *all, i;
    int32_t rc = rows_alloc(f, f->rows, &all);
    if (rc) return rc;
    for (i = 0; i < f->rows; i++) all[i] = i;
    vec_lend(v, &lend, buffers);
    rc = weir_data_1.take(type->schema, &lend, all, f->rows, &copy, f->error);
    mem_free(all);
    if (rc) return rc;
    vec_free(v);
    v->inner = copy;
    vec_of_array(v, type->id, &v->inner);
    return WEIR_OK;
}

int32_t vec_result(struct frame *f, struct vec *v, const struct type *type, struct ArrowArray *out)
{
    const struct weir_chunk *chunk = NULL;
    struct held *held;
    int32_t rc;
    int borrows;
    memset(out, 0, sizeof *out);
    rc = vec_expand(f, v, type);
    if (rc) return rc;
    borrows = !v->memory[1] && !v->inner.release;
    if (borrows && !f->chunks) rc = copy_borrowed(f, v, type);
    if (rc) return rc;
    held = mem_alloc(sizeof *held);
    if (!held) return frame_no_memory(f);
    memset(held, 0, sizeof *held);
    if (borrows && f->chunks) chunk = f->chunks[v->input];
    view(v, out, held->buffers);
    memcpy(held->memory, v->memory, sizeof held->memory);
    held->inner = v->inner;
    held->chunk = chunk;
    if (chunk) chunk_retain(chunk);
    memset(v, 0, sizeof *v);
    out->private_data = held;
    out->release = held_release;
    return WEIR_OK;
}

/* ---- selections ---- */

int32_t rows_alloc(struct frame *f, uint32_t n, uint32_t **out)
{
    *out = mem_alloc((uint64_t)n * sizeof **out + 4);
    return *out ? WEIR_OK : frame_no_memory(f);
}

#define SPLIT(test)                                                                                \
    for (i = 0; i < set->n; i++) {                                                                 \
        const uint32_t r = rowset_row(set, i);                                                     \
        const uint32_t t = (uint32_t)(test);                                                       \
        if (yes) yes[n] = r;                                                                       \
        if (no) no[i - n] = r;                                                                     \
        n += t;                                                                                    \
    }

uint32_t rows_split(const struct vec *v, const struct rowset *set, uint32_t *yes, uint32_t *no)
{
    uint32_t i, n = 0;
    if (v->constant) {
        const int all = bit_get(v->values, 0) && vec_valid(v, 0);
        SPLIT(all);
    } else if (v->valid) {
        SPLIT(bit_get(v->values, r) & bit_get(v->valid, r));
    } else {
        SPLIT(bit_get(v->values, r));
    }
    return n;
}

uint32_t rows_not_false(const struct vec *v, const struct rowset *set, uint32_t *yes)
{
    uint32_t *no = NULL;
    uint32_t i, n = 0;
    if (v->constant) {
        const int all = bit_get(v->values, 0) || !vec_valid(v, 0);
        SPLIT(all);
    } else if (v->valid) {
        SPLIT(bit_get(v->values, r) | !bit_get(v->valid, r));
    } else {
        SPLIT(bit_get(v->values, r));
    }
    return n;
}

uint32_t rows_split_valid(const struct vec *v, const struct rowset *set, uint32_t *yes,
                          uint32_t *no)
{
    uint32_t i, n = 0;
    if (v->constant) {
        const int all = vec_valid(v, 0);
        SPLIT(all);
    } else {
        SPLIT(!v->valid || bit_get(v->valid, r));
    }
    return n;
}
