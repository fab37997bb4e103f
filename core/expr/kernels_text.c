/*
 * kernels_text.c - || and like, and the making of text columns.
 */
#include "core/expr/kernels.h"

/* ---- text row by row ---- */

int32_t text_begin(struct text_out *t, struct frame *f, uint32_t rows)
{
    memset(t, 0, sizeof *t);
    t->frame = f;
    t->rows = rows;
    t->offsets = mem_alloc(((uint64_t)rows + 1) * sizeof *t->offsets + 64);
    if (!t->offsets) return frame_no_memory(f);
    t->offsets[0] = 0;
    return WEIR_OK;
}

void text_free(struct text_out *t)
{
    mem_free(t->offsets);
    mem_free(t->bytes.data);
    memset(t, 0, sizeof *t);
}

static void fill_to(struct text_out *t, uint32_t row)
{
    for (; t->next < row; t->next++) t->offsets[t->next + 1] = t->offsets[t->next];
}

int32_t text_add(struct text_out *t, uint32_t row, const void *bytes, uint64_t n)
{
    fill_to(t, row);
    if (t->bytes.length + n > INT32_MAX)
        return weir_fail(t->frame->error, WEIR_FATAL, "a column of text over 2 GiB");
    if (t->bytes.capacity - t->bytes.length < n &&
        buffer_grow(&t->bytes, n + t->bytes.length + 256))
        return frame_no_memory(t->frame);
    if (n) memcpy(t->bytes.data + t->bytes.length, bytes, n);
    t->bytes.length += n;
    t->offsets[++t->next] = (int32_t)t->bytes.length;
    return WEIR_OK;
}

int32_t text_end(struct text_out *t, uint32_t id, struct vec *out)
{
    fill_to(t, t->rows);
    if (!t->bytes.data && !(t->bytes.data = mem_alloc(64))) {
        text_free(t);
        return frame_no_memory(t->frame);
    }
    out->id = id;
    out->rows = t->rows;
    out->values = out->memory[1] = t->offsets;
    out->bytes = out->memory[2] = t->bytes.data;
    return WEIR_OK;
}

/* ---- || ---- */

/* Lengths first, then the bytes in one go. */
int32_t kernel_concat(struct task *t, struct vec *const *kids, struct vec *out)
{
    const uint32_t n_kids = t->node->n_kids;
    int32_t *offsets = mem_alloc(((uint64_t)t->length + 1) * sizeof *offsets + 64);
    uint8_t *bytes, *to;
    uint64_t total = 0;
    uint32_t i, k, next = 0;
    int32_t rc;
    out->id = t->node->type.id;
    out->rows = t->length;
    out->values = out->memory[1] = offsets;
    if (!offsets) return frame_no_memory(t->frame);
    for (i = 0; i < t->rows.n; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        uint64_t length = 0;
        for (; next <= row; next++) offsets[next] = (int32_t)total;
        if (!task_counts(out, row)) continue;
        for (k = 0; k < n_kids; k++) length += vec_text(kids[k], row).length;
        if (total + length > INT32_MAX) {
            rc = task_fail(t, out, row, "the text is too long");
            if (rc) return rc;
            continue;
        }
        total += length;
    }
    for (; next <= t->length; next++) offsets[next] = (int32_t)total;
    bytes = to = mem_alloc(total + 64);
    out->bytes = out->memory[2] = bytes;
    if (!bytes) return frame_no_memory(t->frame);
    for (i = 0; i < t->rows.n; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        if (offsets[row] == offsets[row + 1]) continue;
        for (k = 0; k < n_kids; k++) {
            const struct weir_bytes part = vec_text(kids[k], row);
            if (part.length) memcpy(to, part.data, part.length);
            to += part.length;
        }
    }
    return WEIR_OK;
}

/* ---- like ---- */

/* Patterns from a column: compiled anew where one differs from the row before. */
static int32_t like_column(struct task *t, struct vec *const *kids, struct vec *out)
{
    struct arena arena = { 0 };
    const struct like *like = NULL;
    struct weir_bytes last = { NULL, 0 };
    uint32_t i;
    int32_t rc = WEIR_OK;
    for (i = 0; i < t->rows.n && !rc; i++) {
        const uint32_t row = rowset_row(&t->rows, i);
        const struct weir_bytes text = vec_text(kids[0], row), pattern = vec_text(kids[1], row);
        int problem = 0;
        if (!task_counts(out, row)) continue;
        if (!like || pattern.length != last.length ||
            memcmp(pattern.data, last.data, pattern.length) != 0) {
            arena_free(&arena);
            like = like_compile(&arena, pattern.data, pattern.length, &problem);
            last = pattern;
        }
        if (like && like_match(like, text.data, text.length)) bit_set(out->memory[1], row);
        if (!like)
            rc = problem ? task_fail(t, out, row, "a pattern that ends with its escape character")
                         : frame_no_memory(t->frame);
    }
    arena_free(&arena);
    return rc;
}

int32_t kernel_like(struct task *t, struct vec *const *kids, struct vec *out)
{
    const struct like *like = t->node->like;
    uint8_t *bits;
    uint64_t i;
    int32_t rc = vec_make(t->frame, out, WEIR_TYPE_BOOL, t->length);
    if (rc) return rc;
    bits = out->memory[1];
    if (like) {
        for (i = 0; i < t->rows.n; i++) {
            const uint32_t row = rowset_row(&t->rows, (uint32_t)i);
            const struct weir_bytes text = vec_text(kids[0], row);
            if (like_match(like, text.data, text.length)) bit_set(bits, row);
        }
    } else {
        rc = like_column(t, kids, out);
    }
    if (t->node->sub)
        for (i = 0; i < bits_size(t->length); i++) bits[i] = (uint8_t)~bits[i];
    return rc;
}
