/*
 * render.c - cells as text. JSON strings escape the quote, the backslash and what is below U+0020;
 * runs of other bytes are copied whole, eight looked at in one step.
 */
#include "plugins/share/render.h"

#include <math.h>

#include "plugins/share/text.h"

static inline int room(const struct weir_host *host, struct weir_buffer *out, uint64_t n)
{
    return out->capacity - out->length >= n || host->buffer_grow(out, n) == WEIR_OK;
}

int32_t render_bytes(const struct weir_host *host, const void *bytes, uint64_t n,
                     struct weir_buffer *out)
{
    if (!room(host, out, n)) return WEIR_FATAL;
    if (n) memcpy(out->data + out->length, bytes, n);
    out->length += n;
    return WEIR_OK;
}

static int plain_byte(uint8_t c) { return c >= 0x20 && c != '"' && c != '\\'; }

/* Bytes at the start of p that need no escape. */
static uint64_t plain_run(const uint8_t *p, uint64_t n)
{
    const uint64_t ones = 0x0101010101010101ull, highs = 0x8080808080808080ull;
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w, quote, slash;
        memcpy(&w, p + i, 8);
        quote = w ^ ones * '"';
        slash = w ^ ones * '\\';
        if ((((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
            highs)
            break;
    }
    while (i < n && plain_byte(p[i])) i++;
    return i;
}

int32_t render_json_string(const struct weir_host *host, const void *text, uint64_t n,
                           struct weir_buffer *out)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = text;
    if (!room(host, out, n + 2)) return WEIR_FATAL;
    out->data[out->length++] = '"';
    while (n) {
        uint64_t run = plain_run(p, n);
        char escape[6] = "\\u00";
        uint64_t size = 2;
        if (render_bytes(host, p, run, out) != WEIR_OK) return WEIR_FATAL;
        p += run;
        n -= run;
        if (!n) break;
        switch (*p) {
        case '"': escape[1] = '"'; break;
        case '\\': escape[1] = '\\'; break;
        case '\n': escape[1] = 'n'; break;
        case '\r': escape[1] = 'r'; break;
        case '\t': escape[1] = 't'; break;
        default:
            escape[4] = hex[*p >> 4];
            escape[5] = hex[*p & 15];
            size = 6;
        }
        if (render_bytes(host, escape, size, out) != WEIR_OK) return WEIR_FATAL;
        p++;
        n--;
    }
    return render_bytes(host, "\"", 1, out);
}

/* Numbers, times and bool: at most TEXT_OF_FLOAT bytes. */
static uint32_t scalar(uint32_t type, const struct ArrowArray *array, uint32_t row, char *out)
{
    switch (type) {
    case WEIR_TYPE_BOOL:
        memcpy(out, weir_get_bool(array, row) ? "true" : "false", 5);
        return weir_get_bool(array, row) ? 4 : 5;
    case WEIR_TYPE_INT32: return int_to_text(weir_get_int32(array, row), out);
    case WEIR_TYPE_INT64: return int_to_text(weir_get_int64(array, row), out);
    case WEIR_TYPE_FLOAT64: return float_to_text(weir_get_float64(array, row), out);
    case WEIR_TYPE_DATE: return date_to_text(weir_get_int32(array, row), out);
    case WEIR_TYPE_TIMESTAMP: return timestamp_to_text(weir_get_int64(array, row), out);
    default: return 0;
    }
}

int32_t render_text(const struct weir_host *host, const struct ArrowSchema *type,
                    const struct ArrowArray *array, uint32_t row, struct weir_buffer *out)
{
    uint32_t t = weir_type_of(type);
    struct weir_bytes bytes;
    if (weir_is_null(array, row)) return WEIR_OK;
    switch (t) {
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        bytes = weir_get_bytes(array, row);
        return render_bytes(host, bytes.data, bytes.length, out);
    case WEIR_TYPE_LIST:
    case WEIR_TYPE_STRUCT: return render_json(host, type, array, row, out);
    default:
        if (!room(host, out, TEXT_OF_FLOAT)) return WEIR_FATAL;
        out->length += scalar(t, array, row, (char *)out->data + out->length);
        return WEIR_OK;
    }
}

static int32_t render_base64(const struct weir_host *host, struct weir_bytes bytes,
                             struct weir_buffer *out)
{
    if (!room(host, out, 4 * ((bytes.length + 2) / 3) + 2)) return WEIR_FATAL;
    out->data[out->length++] = '"';
    out->length += base64_to_text(bytes.data, bytes.length, (char *)out->data + out->length);
    out->data[out->length++] = '"';
    return WEIR_OK;
}

static int32_t render_list(const struct weir_host *host, const struct ArrowSchema *type,
                           const struct ArrowArray *array, uint32_t row, struct weir_buffer *out)
{
    const int32_t *offsets = array->buffers[1];
    int32_t i;
    if (render_bytes(host, "[", 1, out) != WEIR_OK) return WEIR_FATAL;
    for (i = offsets[row]; i < offsets[row + 1]; i++) {
        if (i > offsets[row] && render_bytes(host, ",", 1, out) != WEIR_OK) return WEIR_FATAL;
        if (render_json(host, type->children[0], array->children[0], (uint32_t)i, out) != WEIR_OK)
            return WEIR_FATAL;
    }
    return render_bytes(host, "]", 1, out);
}

static int32_t render_struct(const struct weir_host *host, const struct ArrowSchema *type,
                             const struct ArrowArray *array, uint32_t row,
                             struct weir_buffer *out)
{
    int64_t i;
    if (render_bytes(host, "{", 1, out) != WEIR_OK) return WEIR_FATAL;
    for (i = 0; i < type->n_children; i++) {
        const char *name = type->children[i]->name;
        if (i && render_bytes(host, ",", 1, out) != WEIR_OK) return WEIR_FATAL;
        if (render_json_string(host, name, strlen(name), out) != WEIR_OK ||
            render_bytes(host, ":", 1, out) != WEIR_OK ||
            render_json(host, type->children[i], array->children[i], row, out) != WEIR_OK)
            return WEIR_FATAL;
    }
    return render_bytes(host, "}", 1, out);
}

int32_t render_json(const struct weir_host *host, const struct ArrowSchema *type,
                    const struct ArrowArray *array, uint32_t row, struct weir_buffer *out)
{
    uint32_t t = weir_type_of(type);
    char text[TEXT_OF_FLOAT + 2];
    struct weir_bytes bytes;
    uint32_t n;
    if (weir_is_null(array, row)) return render_bytes(host, "null", 4, out);
    switch (t) {
    case WEIR_TYPE_UTF8:
        bytes = weir_get_bytes(array, row);
        return render_json_string(host, bytes.data, bytes.length, out);
    case WEIR_TYPE_BINARY: return render_base64(host, weir_get_bytes(array, row), out);
    case WEIR_TYPE_LIST: return render_list(host, type, array, row, out);
    case WEIR_TYPE_STRUCT: return render_struct(host, type, array, row, out);
    default: break;
    }
    text[0] = '"';
    n = scalar(t, array, row, text + 1);
    if (t == WEIR_TYPE_DATE || t == WEIR_TYPE_TIMESTAMP ||
        (t == WEIR_TYPE_FLOAT64 && !isfinite(weir_get_float64(array, row)))) {
        text[n + 1] = '"';
        return render_bytes(host, text, (uint64_t)n + 2, out);
    }
    return render_bytes(host, text + 1, n, out);
}
