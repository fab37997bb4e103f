/*
 * show.c - values as people and JSON see them.
 *
 * As text: numbers and times as casts print them, text as it is, binary as base64; inside of a
 * list or struct: [1, null, 3] and {a, 1}. As JSON: text escaped as little as RFC 8259 allows,
 * binary as base64, NaN and the infinities as strings, structs as objects, lists as arrays.
 */
#include "core/data/node.h"

#include <math.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int32_t add(struct weir_buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text));
}

int32_t base64_add(struct weir_buffer *out, struct weir_bytes bytes)
{
    const uint64_t size = (bytes.length + 2) / 3 * 4;
    uint8_t *to;
    uint64_t i;
    if (buffer_grow(out, size)) return WEIR_FATAL;
    to = out->data + out->length;
    for (i = 0; i < bytes.length; i += 3) {
        const uint64_t left = bytes.length - i;
        const uint32_t v = (uint32_t)bytes.data[i] << 16 |
                           (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                           (left > 2 ? bytes.data[i + 2] : 0);
        *to++ = (uint8_t)alphabet[v >> 18];
        *to++ = (uint8_t)alphabet[v >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)alphabet[v & 63] : '=';
    }
    out->length += size;
    return WEIR_OK;
}

int base64_decode(const char *text, uint64_t n, uint8_t *out, uint64_t *length)
{
    uint64_t i, size = 0;
    uint32_t pad = 0, j;
    if (n % 4) return -1;
    while (pad < 2 && n > pad && text[n - 1 - pad] == '=') pad++;
    for (i = 0; i < n; i += 4) {
        uint32_t v = 0;
        const uint32_t digits = i + 4 == n ? 4 - pad : 4;
        for (j = 0; j < digits; j++) {
            const char *place = text[i + j] ? strchr(alphabet, text[i + j]) : NULL;
            if (!place) return -1;
            v |= (uint32_t)(place - alphabet) << (18 - 6 * j);
        }
        if (digits < 4 && v & (digits == 3 ? 0xffu : 0xffffu)) return -1; /* stray bits */
        for (j = 0; j + 1 < digits; j++) out[size++] = (uint8_t)(v >> (16 - 8 * j));
    }
    *length = size;
    return 0;
}

/* A leaf that is no text or binary; sizes as text.c gives them. */
static uint32_t scalar(uint32_t type, const struct ArrowArray *a, uint32_t row, char out[40])
{
    switch (type) {
    case WEIR_TYPE_BOOL:
        if (weir_get_bool(a, row)) return memcpy(out, "true", 4), 4;
        return memcpy(out, "false", 5), 5;
    case WEIR_TYPE_INT32: return text_of_int(weir_get_int32(a, row), out);
    case WEIR_TYPE_INT64: return text_of_int(weir_get_int64(a, row), out);
    case WEIR_TYPE_FLOAT64: return text_of_float(weir_get_float64(a, row), out);
    case WEIR_TYPE_TIMESTAMP: return text_of_timestamp(weir_get_int64(a, row), out);
    default: return text_of_date(weir_get_int32(a, row), out);
    }
}

int32_t value_text(const struct ArrowSchema *type, const struct ArrowArray *array, uint32_t row,
                   struct weir_buffer *out)
{
    const uint32_t t = weir_type_of(type);
    const int list = t == WEIR_TYPE_LIST;
    char text[40];
    int64_t i, from, to;
    int32_t rc;
    if (weir_is_null(array, row)) return add(out, "null");
    if (t == WEIR_TYPE_UTF8 || t == WEIR_TYPE_BINARY) {
        const struct weir_bytes bytes = weir_get_bytes(array, row);
        if (t == WEIR_TYPE_BINARY) return base64_add(out, bytes);
        return buffer_add(out, bytes.data, bytes.length);
    }
    if (!list && t != WEIR_TYPE_STRUCT)
        return buffer_add(out, text, scalar(t, array, row, text));
    from = list ? ((const int32_t *)array->buffers[1])[row] : 0;
    to = list ? ((const int32_t *)array->buffers[1])[row + 1] : array->n_children;
    rc = add(out, list ? "[" : "{");
    for (i = from; i < to && !rc; i++) {
        const int64_t child = list ? 0 : i;
        if (i > from) rc = add(out, ", ");
        if (!rc)
            rc = value_text(type->children[child], array->children[child],
                            list ? (uint32_t)i : row, out);
    }
    return rc ? rc : add(out, list ? "]" : "}");
}

static int32_t json_string(struct weir_buffer *out, const void *bytes, uint64_t n)
{
    const uint8_t *p = bytes;
    uint64_t i, from = 0;
    int32_t rc = add(out, "\"");
    for (i = 0; i < n && !rc; i++) {
        static const char plain[] = "\"\\\b\f\n\r\t", marks[] = "\"\\bfnrt";
        char escape[8] = { '\\', 0 };
        const char *at;
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') continue;
        at = p[i] ? strchr(plain, p[i]) : NULL;
        if (at) escape[1] = marks[at - plain];
        else snprintf(escape, sizeof escape, "\\u%04x", p[i]);
        rc = buffer_add(out, p + from, i - from);
        if (!rc) rc = add(out, escape);
        from = i + 1;
    }
    if (!rc) rc = buffer_add(out, p + from, n - from);
    return rc ? rc : add(out, "\"");
}

static int32_t json_scalar(uint32_t t, const struct ArrowArray *array, uint32_t row,
                           struct weir_buffer *out)
{
    char text[40];
    const uint32_t n = scalar(t, array, row, text);
    if (t == WEIR_TYPE_TIMESTAMP || t == WEIR_TYPE_DATE ||
        (t == WEIR_TYPE_FLOAT64 && !isfinite(weir_get_float64(array, row))))
        return json_string(out, text, n);
    return buffer_add(out, text, n);
}

int32_t value_json(const struct ArrowSchema *type, const struct ArrowArray *array, uint32_t row,
                   struct weir_buffer *out)
{
    const uint32_t t = weir_type_of(type);
    const int list = t == WEIR_TYPE_LIST;
    int64_t i, from, to;
    int32_t rc;
    if (weir_is_null(array, row)) return add(out, "null");
    if (t == WEIR_TYPE_UTF8 || t == WEIR_TYPE_BINARY) {
        const struct weir_bytes bytes = weir_get_bytes(array, row);
        if (t == WEIR_TYPE_UTF8) return json_string(out, bytes.data, bytes.length);
        rc = add(out, "\"");
        if (!rc) rc = base64_add(out, bytes);
        return rc ? rc : add(out, "\"");
    }
    if (!list && t != WEIR_TYPE_STRUCT) return json_scalar(t, array, row, out);
    from = list ? ((const int32_t *)array->buffers[1])[row] : 0;
    to = list ? ((const int32_t *)array->buffers[1])[row + 1] : array->n_children;
    rc = add(out, list ? "[" : "{");
    for (i = from; i < to && !rc; i++) {
        const int64_t child = list ? 0 : i;
        const char *name = type->children[child]->name;
        if (i > from) rc = add(out, ",");
        if (!rc && !list) rc = json_string(out, name, strlen(name));
        if (!rc && !list) rc = add(out, ":");
        if (!rc)
            rc = value_json(type->children[child], array->children[child],
                            list ? (uint32_t)i : row, out);
    }
    return rc ? rc : add(out, list ? "]" : "}");
}

int32_t rows_json(const struct ArrowSchema *schema, const struct ArrowArray *array,
                  const uint32_t *selection, uint32_t n, struct weir_buffer *out)
{
    uint32_t i;
    int64_t c;
    int32_t rc = add(out, "[");
    for (i = 0; i < n && !rc; i++) {
        const uint32_t row = selection ? selection[i] : i;
        rc = add(out, i ? ",[" : "[");
        for (c = 0; c < schema->n_children && !rc; c++) {
            if (c) rc = add(out, ",");
            if (!rc) rc = value_json(schema->children[c], array->children[c], row, out);
        }
        if (!rc) rc = add(out, "]");
    }
    return rc ? rc : add(out, "]");
}
