/*
 * functions.c - binding by signatures, and columns of results.
 */
#include "functions.h"

#include <stdlib.h>

/* What bind allocates, with the way to free it: unbind gets no host. */
struct bound_memory {
    void (*free)(void *p);
    uint64_t reserved[7]; /* a bound begins at a multiple of 64 */
};

static void *bound_make(const struct weir_host *host, uint64_t bytes)
{
    struct bound_memory *memory = host->alloc(sizeof *memory + bytes);
    if (!memory) return NULL;
    memset(memory, 0, sizeof *memory + bytes);
    memory->free = host->free;
    return memory + 1;
}

void free_bound(void *bound)
{
    struct bound_memory *memory = bound;
    if (!bound) return;
    memory--;
    memory->free(memory);
}

uint32_t argument_type(const struct ArrowSchema *schema)
{
    if (strcmp(schema->format, "tDu") == 0) return TYPE_INTERVAL;
    return weir_type_of(schema);
}

static void leaf_release(struct ArrowSchema *schema) { schema->release = NULL; }

void leaf_schema(uint32_t type, struct ArrowSchema *out)
{
    memset(out, 0, sizeof *out);
    out->format = type == TYPE_INTERVAL ? "tDu" : weir_type_format(type);
    out->name = "";
    out->flags = ARROW_FLAG_NULLABLE;
    out->release = leaf_release;
}

/* ---- signatures ---- */

static int fits(char letter, uint32_t type)
{
    const int is_int = type == WEIR_TYPE_INT32 || type == WEIR_TYPE_INT64;
    switch (letter) {
    case 't': return type == WEIR_TYPE_UTF8;
    case 'x': return type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
    case 'i': return is_int;
    case 'n': return is_int || type == WEIR_TYPE_FLOAT64;
    case 'b': return type == WEIR_TYPE_BOOL;
    case 'p': return type == WEIR_TYPE_TIMESTAMP;
    case 'd': return type == WEIR_TYPE_DATE;
    case 'w': return type == WEIR_TYPE_TIMESTAMP || type == WEIR_TYPE_DATE;
    case 'v': return type == WEIR_TYPE_TIMESTAMP || type == WEIR_TYPE_DATE || type == TYPE_INTERVAL;
    case 'l': return type == WEIR_TYPE_LIST;
    case 'y': return type != TYPE_INTERVAL;
    default: return type <= WEIR_TYPE_DATE || type == TYPE_INTERVAL;
    }
}

static const char *letter_name(char letter)
{
    switch (letter) {
    case 't': return "string";
    case 'x': return "string or binary";
    case 'i': return "integer";
    case 'n': return "number";
    case 'b': return "bool";
    case 'p': return "timestamp";
    case 'd': return "date";
    case 'w': return "timestamp or date";
    case 'v': return "timestamp, date or interval";
    case 'l': return "list";
    case 'y': return "any type but interval";
    default: return "any flat type";
    }
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = { "null",   "bool",   "int32",     "int64", "float64",
                                         "string", "binary", "timestamp", "date",  "list",
                                         "struct" };
    return type == TYPE_INTERVAL ? "interval" : names[type];
}

int32_t bind_fail(const char *name, const char *signature, const struct weir_argument *args,
                  uint32_t n_args, struct weir_error *error)
{
    char takes[160] = "", got[160] = "";
    size_t t = 0, g = 0;
    const char *p;
    uint32_t i;
    for (p = signature; *p && t < sizeof takes; p++) {
        if (*p == '|') t += (size_t)snprintf(takes + t, sizeof takes - t, " [");
        else if (*p == '*') t += (size_t)snprintf(takes + t, sizeof takes - t, ", …");
        else
            t += (size_t)snprintf(takes + t, sizeof takes - t, "%s%s", p == signature ? "" : ", ",
                                  letter_name(*p));
    }
    if (strchr(signature, '|') && t < sizeof takes) snprintf(takes + t, sizeof takes - t, "]");
    for (i = 0; i < n_args && g < sizeof got; i++)
        g += (size_t)snprintf(got + g, sizeof got - g, "%s%s", i ? ", " : "",
                              type_name(argument_type(args[i].schema)));
    return weir_fail(error, WEIR_CONFIG, "%s takes (%s), got (%s)", name, takes, got);
}

/* Walks the signature over the arguments; the letter of argument i, 0 past the end. */
static char letter_of(const char *signature, uint32_t i)
{
    const char *p = signature;
    char last = 0;
    for (; *p; p++) {
        if (*p == '|') continue;
        if (*p == '*') return last;
        last = *p;
        if (i-- == 0) return last;
    }
    return 0;
}

int32_t bind_as(const struct weir_host *host, const char *name, const char *signature,
                uint32_t result, uint64_t bytes, const struct weir_argument *args, uint32_t n_args,
                struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    struct bound *b;
    uint32_t i;
    *bound = NULL;
    for (i = 0; i < n_args; i++) {
        const uint32_t type = argument_type(args[i].schema);
        const char letter = letter_of(signature, i);
        const int null = type == WEIR_TYPE_NONE && strcmp(args[i].schema->format, "n") == 0;
        if (!letter || (!null && (type == WEIR_TYPE_NONE || !fits(letter, type))))
            return bind_fail(name, signature, args, n_args, error);
    }
    b = bound_make(host, bytes);
    if (!b) return weir_fail(error, WEIR_FATAL, "out of memory");
    b->host = host;
    b->data = host->get_interface(WEIR_DATA_ID);
    for (i = 0; i < n_args && i < ARGS_MOST; i++) b->types[i] = argument_type(args[i].schema);
    *bound = b;
    if (result) leaf_schema(result, schema);
    if (b->data) return WEIR_OK;
    free_bound(b);
    *bound = NULL;
    return weir_fail(error, WEIR_UNSUPPORTED, "this host lacks %s", WEIR_DATA_ID);
}

/* ---- rows and columns ---- */

void row_fail(const struct weir_call *call, uint32_t row, const char *reason)
{
    if (!call->reason[0]) snprintf(call->reason, 128, "%s", reason);
    call->failed[row] = 1;
}

int32_t make_column(const struct bound *b, uint32_t type, const struct weir_call *call,
                    struct ArrowArray *out, void **values, struct weir_error *error)
{
    const uint32_t stored = type == TYPE_INTERVAL ? WEIR_TYPE_INT64 : type;
    int32_t rc = b->data->column(stored, call->rows, 0, 0, out, error);
    if (rc) return rc;
    *values = (void *)(uintptr_t)out->buffers[1];
    memset(*values, 0, stored == WEIR_TYPE_BOOL ? (call->rows + 7) / 8
                                                : (size_t)call->rows * weir_type_width(stored));
    return WEIR_OK;
}

void writer_begin(struct text_writer *w, const struct weir_host *host, const struct bound *b,
                  const struct weir_call *call)
{
    memset(w, 0, sizeof *w);
    w->host = host;
    w->bound = b;
    w->call = call;
    w->type = WEIR_TYPE_UTF8;
    w->offsets = host->alloc(((uint64_t)call->rows + 1) * sizeof *w->offsets);
    if (w->offsets) w->offsets[0] = 0;
    else w->failed = WEIR_FATAL;
}

/* Ends the row that is open and all rows up to `row`. */
static void writer_seek(struct text_writer *w, uint32_t row)
{
    for (; !w->failed && w->next < row; w->next++)
        w->offsets[w->next + 1] = (int32_t)w->bytes.length;
}

void writer_row(struct text_writer *w, uint32_t row)
{
    if (w->failed) return;
    writer_seek(w, row);
    w->offsets[row] = (int32_t)w->bytes.length;
}

uint8_t *writer_room(struct text_writer *w, uint64_t n)
{
    if (w->failed) return NULL;
    if (w->bytes.length + n > INT32_MAX) w->failed = WEIR_FATAL;
    else if (w->bytes.capacity - w->bytes.length < n)
        w->failed = w->host->buffer_grow(&w->bytes, n + w->bytes.length + 256);
    return w->failed ? NULL : w->bytes.data + w->bytes.length;
}

void writer_add(struct text_writer *w, const void *bytes, uint64_t n)
{
    uint8_t *to = n ? writer_room(w, n) : NULL;
    if (!to) return;
    memcpy(to, bytes, n);
    w->bytes.length += n;
}

void writer_null(struct text_writer *w, uint32_t row)
{
    const uint64_t bytes = ((uint64_t)w->call->rows + 7) / 8;
    writer_row(w, row);
    if (w->failed) return;
    if (!w->nulls) {
        w->nulls = w->host->alloc(bytes + 8);
        if (!w->nulls) {
            w->failed = WEIR_FATAL;
            return;
        }
        memset(w->nulls, 0, bytes);
    }
    w->nulls[row >> 3] |= (uint8_t)(1u << (row & 7));
}

int32_t writer_end(struct text_writer *w, struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t rows = w->call->rows;
    int32_t rc = w->failed;
    uint32_t i;
    writer_seek(w, rows);
    if (rc) weir_fail(error, rc, "out of memory");
    else
        rc = w->bound->data->column(w->type, rows, w->bytes.length, w->nulls != NULL, out,
                                    error);
    if (!rc) {
        memcpy((void *)(uintptr_t)out->buffers[1], w->offsets, ((size_t)rows + 1) * 4);
        if (w->bytes.length)
            memcpy((void *)(uintptr_t)out->buffers[2], w->bytes.data, w->bytes.length);
    }
    for (i = 0; !rc && w->nulls && i < rows; i++) {
        if (!(w->nulls[i >> 3] >> (i & 7) & 1)) continue;
        ((uint8_t *)(uintptr_t)out->buffers[0])[i >> 3] &= (uint8_t)~(1u << (i & 7));
        out->null_count++;
    }
    w->host->free(w->offsets);
    w->host->free(w->bytes.data);
    w->host->free(w->nulls);
    return rc;
}

uint64_t point_offset(const uint8_t *p, uint64_t n, uint64_t k)
{
    uint64_t i = 0;
    while (i < n && k > 0) {
        i += point_bytes(p[i]);
        k--;
    }
    return i < n ? i : n;
}
