/*
 * validate.c - does an array keep the profile for its schema? Whoever gives it, it is input.
 *
 * The sizes of buffers can't be seen, so they follow from lengths and offsets; all that can be
 * seen is checked: counts of buffers and children, lengths, alignment, exact null counts, offsets
 * that begin at 0 and ascend, and with `deep` the text. The schema is trusted.
 *
 * A null struct is a value of its column, and its fields hold nothing: what a field that is not null
 * says there, null or not, does not count.
 */
#include "core/data/node.h"

/* The way from the root to a column, for messages. */
struct path {
    const struct path *up;
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
};

static uint32_t print_path(const struct path *path, char *out, uint32_t size)
{
    uint32_t at = 0;
    const char *name = path->schema->name ? path->schema->name : "";
    if (!path->up) return 0;
    at = print_path(path->up, out, size);
    if (at >= size) return at;
    return at + (uint32_t)snprintf(out + at, size - at, "%s%s", at ? "." : "", name);
}

static int32_t fail_column(struct weir_error *error, const struct path *path, const char *format,
                           ...) WEIR_PRINTF(3, 4);
static int32_t fail_column(struct weir_error *error, const struct path *path, const char *format,
                           ...)
{
    char name[160] = "", text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!path->up) return weir_fail(error, WEIR_DATA, "array: %s", text);
    print_path(path, name, sizeof name);
    return weir_fail(error, WEIR_DATA, "column '%s': %s", name, text);
}

static int offsets_ascend(const int32_t *offsets, uint64_t n)
{
    /* where no offset is negative no difference overflows, so one sign bit tells of both; by fours, as -O2 makes
     * no vectors of a loop of any length */
    typedef uint32_t four __attribute__((vector_size(16)));
    uint32_t bad = (uint32_t)offsets[n], sums[4];
    four all = { 0 };
    uint64_t i = 0;
    if (offsets[0] != 0) return 0;
    for (; i + 4 <= n; i += 4) {
        four a, b;
        memcpy(&a, offsets + i, sizeof a);
        memcpy(&b, offsets + i + 1, sizeof b);
        all |= a | (b - a);
    }
    memcpy(sums, &all, sizeof sums);
    bad |= sums[0] | sums[1] | sums[2] | sums[3];
    for (; i < n; i++)
        bad |= (uint32_t)offsets[i] | ((uint32_t)offsets[i + 1] - (uint32_t)offsets[i]);
    return !(bad >> 31);
}

static int32_t check_shape(const struct path *path, const struct ArrowArray *a, uint32_t type,
                           int64_t length, struct weir_error *error)
{
    const int text = type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
    const int64_t want = text ? 3 : type == WEIR_TYPE_STRUCT ? 1 : 2;
    int64_t i;
    if (!a || !a->release) return fail_column(error, path, "the array is released");
    if (a->length < 0 || a->length > NODE_ROWS_MAX || (length >= 0 && a->length != length))
        return fail_column(error, path, "length %lld instead of %lld", (long long)a->length,
                           (long long)length);
    if (a->offset != 0)
        return fail_column(error, path, "offset %lld instead of 0", (long long)a->offset);
    if (a->null_count < 0 || a->null_count > a->length)
        return fail_column(error, path, "null_count %lld", (long long)a->null_count);
    if (a->n_buffers != want || !a->buffers)
        return fail_column(error, path, "%lld buffers instead of %lld", (long long)a->n_buffers,
                           (long long)want);
    if (a->n_children != path->schema->n_children || (a->n_children && !a->children))
        return fail_column(error, path, "%lld children instead of %lld", (long long)a->n_children,
                           (long long)path->schema->n_children);
    if (a->dictionary) return fail_column(error, path, "it has a dictionary");
    for (i = 0; i < want; i++) {
        if (i && !a->buffers[i])
            return fail_column(error, path, "buffer %lld is NULL", (long long)i);
        if ((uintptr_t)a->buffers[i] & 7)
            return fail_column(error, path, "buffer %lld is not aligned to 8", (long long)i);
    }
    return WEIR_OK;
}

/* Is it within a struct that is null? Rows of a struct are those of its fields; items have others. */
static int below_null(const struct path *path, uint32_t row)
{
    for (path = path->up; path && weir_type_of(path->schema) == WEIR_TYPE_STRUCT; path = path->up)
        if (weir_is_null(path->array, row)) return 1;
    return 0;
}

/* Nulls of a column that its structs don't have with it. */
static int64_t nulls_of_its_own(const struct path *path, const struct ArrowArray *a)
{
    int64_t nulls = 0;
    for (uint32_t row = 0; row < (uint32_t)a->length; row++)
        nulls += weir_is_null(a, row) && !below_null(path, row);
    return nulls;
}

static int32_t check_nulls(const struct path *path, struct ArrowArray *a, struct weir_error *error)
{
    const int nullable = (path->schema->flags & ARROW_FLAG_NULLABLE) != 0;
    int64_t nulls = 0;
    if (a->buffers[0]) nulls = a->length - (int64_t)bits_count(a->buffers[0], (uint64_t)a->length);
    if (nulls != a->null_count)
        return fail_column(error, path, "null_count %lld, but %lld bits are clear",
                           (long long)a->null_count, (long long)nulls);
    if (nulls && !path->up) return fail_column(error, path, "the root holds nulls");
    if (!nulls) a->buffers[0] = NULL;
    if (!nulls || nullable) return WEIR_OK;
    nulls = nulls_of_its_own(path, a);
    if (nulls)
        return fail_column(error, path, "%lld nulls in a column that is not null",
                           (long long)nulls);
    return WEIR_OK;
}

/* Whole text valid and no value begins within a character; else value by value, without nulls. */
static int32_t check_utf8(const struct path *path, const struct ArrowArray *a,
                          struct weir_error *error)
{
    const int32_t *offsets = a->buffers[1];
    const uint8_t *bytes = a->buffers[2];
    int64_t i = 0;
    if (utf8_valid(bytes, (uint64_t)offsets[a->length])) {
        while (i < a->length && (offsets[i] == offsets[a->length] ||
                                 (bytes[offsets[i]] & 0xc0) != 0x80))
            i++;
        if (i == a->length) return WEIR_OK;
    }
    for (i = 0; i < a->length; i++) {
        const struct weir_bytes value = weir_get_bytes(a, (uint32_t)i);
        if (!weir_is_null(a, (uint32_t)i) && !utf8_valid(value.data, value.length))
            return fail_column(error, path, "row %lld is not UTF-8", (long long)i);
    }
    return WEIR_OK;
}

static int32_t check(const struct path *path, struct ArrowArray *a, int64_t length, int deep,
                     struct weir_error *error)
{
    const uint32_t type = weir_type_of(path->schema);
    int64_t i, below = length;
    int32_t rc = check_shape(path, a, type, length, error);
    if (!rc) rc = check_nulls(path, a, error);
    if (rc) return rc;
    below = a->length;
    if (type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY || type == WEIR_TYPE_LIST) {
        const int32_t *offsets = a->buffers[1];
        if (!offsets_ascend(offsets, (uint64_t)a->length))
            return fail_column(error, path, "offsets don't ascend from 0");
        if (type == WEIR_TYPE_UTF8 && deep) rc = check_utf8(path, a, error);
        below = offsets[a->length];
    }
    for (i = 0; i < a->n_children && !rc; i++) {
        const struct path child = { path, path->schema->children[i], a->children[i] };
        rc = check(&child, a->children[i], below, deep, error);
    }
    return rc;
}

int32_t array_validate(const struct ArrowSchema *schema, struct ArrowArray *array, int deep,
                       struct weir_error *error)
{
    const struct path root = { NULL, schema, array };
    return check(&root, array, -1, deep, error);
}
