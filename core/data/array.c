/*
 * array.c - host arrays: making, releasing, counting. How they lie in memory stands in node.h.
 */
#include "core/data/node.h"

const uint8_t array_zeros[128] __attribute__((aligned(64)));

int32_t array_no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

static void node_release(struct ArrowArray *array)
{
    struct array_node *node = array->private_data;
    int64_t i;
    for (i = 0; i < array->n_children; i++) array_release(array->children[i]);
    for (i = 0; i < 3; i++) mem_free(node->memory[i]);
    array->release = NULL;
    mem_free(node);
}

void array_release(struct ArrowArray *array)
{
    if (array && array->release) array->release(array);
}

static uint32_t buffers_of(uint32_t type)
{
    switch (type) {
    case WEIR_TYPE_STRUCT: return 1;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return 3;
    default: return 2;
    }
}

int32_t array_begin(struct ArrowArray *out, uint32_t type, uint32_t rows, uint32_t n_children,
                    uint64_t tail, uint8_t **memory, struct weir_error *error)
{
    const uint64_t pointers = sizeof(struct array_node);
    const uint64_t structs = pointers + n_children * sizeof(struct ArrowArray *);
    const uint64_t end = round_up(structs + n_children * sizeof(struct ArrowArray), 64);
    struct array_node *node;
    uint32_t i;
    memset(out, 0, sizeof *out);
    node = tail < INT64_MAX / 4 ? mem_alloc(end + tail) : NULL;
    if (!node) return array_no_memory(error);
    memset(node, 0, end);
    node->buffers[1] = array_zeros;
    node->buffers[2] = array_zeros;
    out->length = rows;
    out->n_buffers = buffers_of(type);
    out->buffers = node->buffers;
    out->n_children = n_children;
    out->children = n_children ? (void *)((uint8_t *)node + pointers) : NULL;
    for (i = 0; i < n_children; i++)
        out->children[i] = (struct ArrowArray *)(void *)((uint8_t *)node + structs) + i;
    out->private_data = node;
    out->release = node_release;
    if (memory) *memory = (uint8_t *)node + end;
    return WEIR_OK;
}

int32_t column_create(uint32_t type, uint32_t rows, uint64_t bytes, int32_t nullable,
                      struct ArrowArray *out, struct weir_error *error)
{
    const int text = type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
    uint64_t valid = nullable ? round_up(bits_bytes(rows), 64) : 0;
    uint64_t values;
    uint8_t *memory;
    int32_t rc;
    memset(out, 0, sizeof *out);
    if (type == WEIR_TYPE_BOOL) values = round_up(bits_bytes(rows), 64);
    else if (text) values = round_up(((uint64_t)rows + 1) * 4, 64);
    else values = round_up((uint64_t)rows * weir_type_width(type), 64);
    if (!text && type != WEIR_TYPE_BOOL && !weir_type_width(type))
        return weir_fail(error, WEIR_UNSUPPORTED, "a column can't be made of a nested type");
    if (rows > NODE_ROWS_MAX || (text && bytes > INT32_MAX)) return array_no_memory(error);
    rc = array_begin(out, type, rows, 0, valid + values + (text ? bytes : 0), &memory, error);
    if (rc) return rc;
    if (nullable) {
        memset(memory, 0, valid);
        bits_fill(memory, 0, rows);
        out->buffers[0] = memory;
    }
    out->buffers[1] = memory + valid;
    if (text) {
        memset(memory + valid, 0, 4);
        out->buffers[2] = memory + valid + values;
    } else if (type == WEIR_TYPE_BOOL) {
        memset(memory + valid, 0, values);
    }
    return WEIR_OK;
}

int32_t array_struct(struct ArrowArray *columns, uint32_t n, uint32_t rows, struct ArrowArray *out,
                     struct weir_error *error)
{
    uint32_t i;
    int32_t rc = WEIR_OK;
    memset(out, 0, sizeof *out);
    for (i = 0; i < n && !rc; i++)
        if (columns[i].length != columns[0].length)
            rc = weir_fail(error, WEIR_DATA, "columns of %lld and of %lld rows in one struct",
                           (long long)columns[0].length, (long long)columns[i].length);
    if (!rc)
        rc = array_begin(out, WEIR_TYPE_STRUCT, n ? (uint32_t)columns[0].length : rows, n, 0, NULL,
                         error);
    for (i = 0; i < n; i++) {
        if (rc) array_release(&columns[i]);
        else *out->children[i] = columns[i];
        columns[i].release = NULL;
    }
    return rc;
}

uint64_t array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    const uint32_t type = weir_type_of(schema);
    const uint64_t n = (uint64_t)array->length;
    uint64_t bytes = array->buffers[0] ? bits_bytes(n) : 0;
    int64_t i;
    switch (type) {
    case WEIR_TYPE_BOOL: bytes += bits_bytes(n); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        bytes += (uint64_t)((const int32_t *)array->buffers[1])[n];
        /* fall through */
    case WEIR_TYPE_LIST: bytes += (n + 1) * 4; break;
    default: bytes += n * weir_type_width(type);
    }
    for (i = 0; i < array->n_children; i++)
        bytes += array_bytes(schema->children[i], array->children[i]);
    return bytes;
}

uint64_t bits_count(const uint8_t *bits, uint64_t n)
{
    uint64_t sum = 0, word, i = 0;
    for (; i + 64 <= n; i += 64) {
        memcpy(&word, bits + i / 8, 8);
        sum += (uint64_t)__builtin_popcountll(word);
    }
    for (; i < n; i++) sum += bits[i >> 3] >> (i & 7) & 1;
    return sum;
}

void bits_fill(uint8_t *bits, uint64_t from, uint64_t n)
{
    for (; n && from & 7; from++, n--) bits[from >> 3] |= (uint8_t)(1u << (from & 7));
    memset(bits + (from >> 3), 0xff, n >> 3);
    if (n & 7) bits[(from + n) >> 3] |= (uint8_t)((1u << (n & 7)) - 1);
}
