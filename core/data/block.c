/*
 * block.c - weir.block/1, rows as bytes. Little-endian; offsets count from the first byte.
 *
 *      0  4  "WBLK"
 *      4  2  version, 1
 *      6  2  flags: 1 = the body is one zstd frame; other bits 0
 *      8  4  rows
 *     12  4  D, bytes of DDL
 *     16  8  S, bytes of the body as stored
 *     24  8  R, bytes of the body uncompressed (= S without flag 1)
 *     32  4  CRC-32C of DDL and stored body
 *     36  4  CRC-32C of bytes 0 to 35
 *     40  D  the schema as DDL text (see ddl.c), UTF-8, no NUL
 *   40+D  S  the body
 *
 * The head has a CRC of its own, so that no length is believed that could be damaged: with one
 * CRC over everything a damaged length would choose the bytes that are checked.
 *
 * The body is the columns in order, each column being
 *
 *     u32 null count, u32 zero
 *     null count > 0: validity, a bit per row (1: not null), ceil(rows / 8) bytes
 *     bool            a bit per row
 *     int32, date     4 bytes per row         int64, timestamp, float64   8 bytes per row
 *     string, binary  rows + 1 offsets of 4 bytes, from 0, ascending; then the bytes
 *     list            rows + 1 such offsets; then the items as a column of as many rows
 *     struct          the fields as columns of the same rows
 *
 * with zero bytes behind each part up to a multiple of 8, and zero bits behind the last row. So
 * equal rows give equal bytes but for what lies below nulls. The body ends where the last column
 * does. A reader takes nothing on trust: parts are bounded by what is left of the body before
 * anything is allocated, and the arrays pass array_validate with text checked, since a CRC
 * protects from accidents only.
 */
#include "core/data/block.h"
#include "core/data/node.h"

#include <zstd.h>

#define HEAD 40u
#define VERSION 1u
#define FLAG_ZSTD 1u
#define NODE_COST 512u /* about what a node of schema and array takes, names and rows apart */

static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static void put32(uint8_t *p, uint32_t v) { put16(p, v), put16(p + 2, v >> 16); }
static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}
static uint32_t get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

/* ---- writing ---- */

static uint64_t body_size(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    const uint32_t type = weir_type_of(schema);
    const uint64_t n = (uint64_t)array->length;
    uint64_t size = 8;
    int64_t i;
    if (array->buffers[0]) size += round_up(bits_bytes(n), 8);
    switch (type) {
    case WEIR_TYPE_STRUCT: break;
    case WEIR_TYPE_BOOL: size += round_up(bits_bytes(n), 8); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        size += round_up((uint64_t)((const int32_t *)array->buffers[1])[n], 8);
        /* fall through */
    case WEIR_TYPE_LIST: size += round_up((n + 1) * 4, 8); break;
    default: size += round_up(n * weir_type_width(type), 8);
    }
    for (i = 0; i < array->n_children; i++)
        size += body_size(schema->children[i], array->children[i]);
    return size;
}

static uint8_t *write_bytes(uint8_t *to, const void *bytes, uint64_t n)
{
    memcpy(to, bytes, n);
    memset(to + n, 0, round_up(n, 8) - n);
    return to + round_up(n, 8);
}

static uint8_t *write_bits(uint8_t *to, const void *bits, uint64_t n)
{
    uint8_t *end = write_bytes(to, bits, bits_bytes(n));
    if (n & 7) to[n >> 3] &= (uint8_t)((1u << (n & 7)) - 1);
    return end;
}

static uint8_t *write_column(uint8_t *to, const struct ArrowSchema *schema,
                             const struct ArrowArray *array)
{
    const uint32_t type = weir_type_of(schema);
    const uint64_t n = (uint64_t)array->length;
    int64_t i;
    put32(to, (uint32_t)array->null_count);
    put32(to + 4, 0);
    to += 8;
    if (array->buffers[0]) to = write_bits(to, array->buffers[0], n);
    switch (type) {
    case WEIR_TYPE_STRUCT: break;
    case WEIR_TYPE_BOOL: to = write_bits(to, array->buffers[1], n); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        to = write_bytes(to, array->buffers[1], (n + 1) * 4);
        to = write_bytes(to, array->buffers[2],
                         (uint64_t)((const int32_t *)array->buffers[1])[n]);
        break;
    case WEIR_TYPE_LIST: to = write_bytes(to, array->buffers[1], (n + 1) * 4); break;
    default: to = write_bytes(to, array->buffers[1], n * weir_type_width(type));
    }
    for (i = 0; i < array->n_children; i++)
        to = write_column(to, schema->children[i], array->children[i]);
    return to;
}

static void write_columns(uint8_t *to, const struct ArrowSchema *schema,
                          const struct ArrowArray *array)
{
    int64_t i;
    for (i = 0; i < array->n_children; i++)
        to = write_column(to, schema->children[i], array->children[i]);
}

/* The body as a zstd frame at `to`; its size, or 0 where it does not save an eighth. */
static uint64_t write_compressed(uint8_t *to, const struct ArrowSchema *schema,
                                 const struct ArrowArray *array, uint64_t raw)
{
    uint8_t *body = mem_alloc(raw);
    size_t n;
    if (!body) return 0; /* then plain */
    write_columns(body, schema, array);
    n = ZSTD_compress(to, raw - raw / 8, body, raw, 1);
    mem_free(body);
    return ZSTD_isError(n) ? 0 : n;
}

static int32_t encode(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      uint32_t flags, struct weir_buffer *out, struct weir_error *error)
{
    char *ddl = schema_ddl(schema);
    const uint64_t n_ddl = ddl ? strlen(ddl) : 0;
    uint64_t raw = 0, stored = 0;
    uint32_t mark = 0;
    uint8_t *head;
    int64_t i;
    for (i = 0; i < array->n_children; i++)
        raw += body_size(schema->children[i], array->children[i]);
    if (!ddl || buffer_grow(out, HEAD + n_ddl + raw)) {
        mem_free(ddl);
        return array_no_memory(error);
    }
    head = out->data + out->length;
    memcpy(head + HEAD, ddl, n_ddl);
    mem_free(ddl);
    if (flags & BLOCK_COMPRESS && raw >= 64)
        stored = write_compressed(head + HEAD + n_ddl, schema, array, raw);
    if (stored) {
        mark = FLAG_ZSTD;
    } else {
        write_columns(head + HEAD + n_ddl, schema, array);
        stored = raw;
    }
    memcpy(head, "WBLK", 4);
    put16(head + 4, VERSION);
    put16(head + 6, mark);
    put32(head + 8, (uint32_t)array->length);
    put32(head + 12, (uint32_t)n_ddl);
    put64(head + 16, stored);
    put64(head + 24, raw);
    put32(head + 32, crc32c(0, head + HEAD, n_ddl + stored));
    put32(head + 36, crc32c(0, head, 36));
    out->length += HEAD + n_ddl + stored;
    return WEIR_OK;
}

int32_t block_encode(const struct weir_chunk *chunk, uint32_t flags, struct weir_buffer *out,
                     struct weir_error *error)
{
    struct ArrowArray rows;
    int32_t rc;
    if (!chunk->selection) return encode(chunk->schema, chunk->array, flags, out, error);
    rc = array_take(chunk->schema, chunk->array, chunk->selection, chunk->selected, &rows, error);
    if (rc) return rc;
    rc = encode(chunk->schema, &rows, flags, out, error);
    array_release(&rows);
    return rc;
}

/* ---- reading ---- */

struct head {
    uint32_t flags, rows, n_ddl, crc;
    uint64_t stored, raw;
};

struct body {
    const uint8_t *bytes;
    uint64_t length, at;
    struct weir_error *error;
};

static int32_t damaged(struct weir_error *error, uint64_t at, const char *reason)
{
    return weir_fail(error, WEIR_DATA, "block, byte %llu: %s", (unsigned long long)at, reason);
}

static int32_t body_damaged(struct body *body, const char *reason)
{
    return weir_fail(body->error, WEIR_DATA, "block, byte %llu of the body: %s",
                     (unsigned long long)body->at, reason);
}

static int32_t read_head(struct weir_bytes bytes, struct head *head, struct weir_error *error)
{
    const uint8_t *p = bytes.data;
    uint64_t room;
    if (bytes.length < HEAD) return damaged(error, bytes.length, "it ends within the head");
    if (memcmp(p, "WBLK", 4) != 0) return damaged(error, 0, "no block begins here");
    if (crc32c(0, p, 36) != get32(p + 36)) return damaged(error, 36, "wrong CRC of the head");
    if (get16(p + 4) != VERSION) return damaged(error, 4, "a newer version");
    head->flags = get16(p + 6);
    head->rows = get32(p + 8);
    head->n_ddl = get32(p + 12);
    head->stored = get64(p + 16);
    head->raw = get64(p + 24);
    head->crc = get32(p + 32);
    room = bytes.length - HEAD;
    if (head->flags & ~FLAG_ZSTD) return damaged(error, 6, "unknown flags");
    if (head->rows > NODE_ROWS_MAX) return damaged(error, 8, "too many rows");
    if (head->n_ddl > room || head->stored > room - head->n_ddl)
        return damaged(error, bytes.length, "it ends within the body");
    if (!(head->flags & FLAG_ZSTD) && head->raw != head->stored)
        return damaged(error, 24, "two lengths of one body");
    if (crc32c(0, p + HEAD, head->n_ddl + head->stored) != head->crc)
        return damaged(error, 32, "wrong CRC of the body");
    return WEIR_OK;
}

/* Memory that reading takes at most, by what the head and the DDL say. */
static int32_t check_limit(const struct head *head, const uint8_t *ddl, uint64_t limit,
                           struct weir_error *error)
{
    uint64_t nodes = 2, need;
    uint32_t i;
    for (i = 0; i < head->n_ddl; i++) nodes += ddl[i] == ',' || ddl[i] == '<';
    need = nodes * NODE_COST + head->n_ddl;
    if (head->raw <= limit) need += head->flags & FLAG_ZSTD ? 2 * head->raw : head->raw;
    if (head->raw > limit || need > limit)
        return weir_fail(error, WEIR_DATA, "block of %llu bytes: reading it takes more than %llu",
                         (unsigned long long)head->raw, (unsigned long long)limit);
    return WEIR_OK;
}

/* The next n bytes of the body and the zero bytes behind them; NULL where it ends before. */
static const uint8_t *take(struct body *body, uint64_t n)
{
    const uint64_t left = body->length - body->at;
    const uint8_t *bytes = body->bytes + body->at;
    uint64_t i;
    if (n > left || round_up(n, 8) > left) return NULL;
    for (i = n; i < round_up(n, 8); i++)
        if (bytes[i]) return NULL;
    body->at += round_up(n, 8);
    return bytes;
}

/* The parts of one column within the body. */
struct parts {
    const uint8_t *valid, *values, *bytes;
    uint64_t n_valid, n_values, n_bytes;
    uint32_t nulls;
};

static int32_t take_parts(struct body *body, uint32_t type, uint32_t rows, struct parts *parts)
{
    const int text = type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY;
    const uint8_t *head = take(body, 8);
    memset(parts, 0, sizeof *parts);
    if (!head || get32(head + 4)) return body_damaged(body, "no column begins here");
    parts->nulls = get32(head);
    if (parts->nulls) {
        parts->n_valid = bits_bytes(rows);
        parts->valid = take(body, parts->n_valid);
        if (!parts->valid) return body_damaged(body, "it ends within the nulls of a column");
    }
    if (type == WEIR_TYPE_STRUCT) return WEIR_OK;
    if (type == WEIR_TYPE_BOOL) parts->n_values = bits_bytes(rows);
    else if (text || type == WEIR_TYPE_LIST) parts->n_values = ((uint64_t)rows + 1) * 4;
    else parts->n_values = (uint64_t)rows * weir_type_width(type);
    parts->values = take(body, parts->n_values);
    if (!parts->values) return body_damaged(body, "it ends within the values of a column");
    if (!text && type != WEIR_TYPE_LIST) return WEIR_OK;
    if (!text) return WEIR_OK;
    parts->n_bytes = get32(parts->values + 4ull * rows); /* the others: array_validate */
    parts->bytes = take(body, parts->n_bytes);
    return parts->bytes ? WEIR_OK : body_damaged(body, "it ends within the text of a column");
}

static int32_t read_column(struct body *body, const struct ArrowSchema *schema, uint32_t rows,
                           struct ArrowArray *out)
{
    const uint32_t type = weir_type_of(schema);
    struct parts parts;
    uint8_t *memory;
    uint32_t below = rows;
    int64_t i;
    int32_t rc = take_parts(body, type, rows, &parts);
    if (rc) return rc;
    rc = array_begin(out, type, rows, (uint32_t)schema->n_children,
                     round_up(parts.n_valid, 64) + round_up(parts.n_values, 64) + parts.n_bytes,
                     &memory, body->error);
    if (rc) return rc;
    if (parts.valid) {
        memcpy(memory, parts.valid, parts.n_valid);
        out->buffers[0] = memory;
        out->null_count = parts.nulls;
        memory += round_up(parts.n_valid, 64);
    }
    if (parts.values) {
        memcpy(memory, parts.values, parts.n_values);
        out->buffers[1] = memory;
        memory += round_up(parts.n_values, 64);
    }
    if (parts.bytes) {
        memcpy(memory, parts.bytes, parts.n_bytes);
        out->buffers[2] = memory;
    }
    if (type == WEIR_TYPE_LIST) below = (uint32_t)((const int32_t *)out->buffers[1])[rows];
    if (below > NODE_ROWS_MAX) return body_damaged(body, "too many items");
    for (i = 0; i < schema->n_children; i++) {
        rc = read_column(body, schema->children[i], below, out->children[i]);
        if (rc) return rc;
    }
    return WEIR_OK;
}

static int32_t read_body(struct body *body, const struct ArrowSchema *schema, uint32_t rows,
                         struct ArrowArray *out)
{
    int64_t i;
    int32_t rc = array_begin(out, WEIR_TYPE_STRUCT, rows, (uint32_t)schema->n_children, 0, NULL,
                             body->error);
    for (i = 0; i < schema->n_children && !rc; i++)
        rc = read_column(body, schema->children[i], rows, out->children[i]);
    if (!rc && body->at != body->length) rc = body_damaged(body, "bytes behind the last column");
    return rc ? rc : array_validate(schema, out, 1, body->error);
}

static int32_t unpack(const struct head *head, const uint8_t *from, uint8_t *to,
                      struct weir_error *error)
{
    const size_t n = ZSTD_decompress(to, head->raw, from, head->stored);
    if (!ZSTD_isError(n) && n == head->raw) return WEIR_OK;
    return damaged(error, HEAD + head->n_ddl, "the zstd frame is damaged");
}

int32_t block_decode(struct weir_bytes bytes, uint64_t limit, struct ArrowSchema *schema,
                     struct ArrowArray *array, uint64_t *used, struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    struct head head = { 0, 0, 0, 0, 0, 0 };
    struct body body = { NULL, 0, 0, error };
    uint8_t *plain = NULL;
    int32_t rc;
    memset(schema, 0, sizeof *schema);
    memset(array, 0, sizeof *array);
    rc = read_head(bytes, &head, error);
    if (!rc) rc = check_limit(&head, bytes.data + HEAD, limit, error);
    if (rc) return rc;
    rc = ddl_parse((const char *)bytes.data + HEAD, head.n_ddl, 1, schema, &inner);
    if (rc == WEIR_CONFIG)
        rc = weir_fail(error, WEIR_DATA, "block, byte %u: the schema: %.300s", HEAD, inner.text);
    else if (rc) rc = array_no_memory(error);
    body.bytes = bytes.data + HEAD + head.n_ddl;
    body.length = head.raw;
    if (!rc && head.flags & FLAG_ZSTD) {
        plain = mem_alloc(head.raw);
        rc = plain ? unpack(&head, body.bytes, plain, error) : array_no_memory(error);
        body.bytes = plain;
    }
    if (!rc) rc = read_body(&body, schema, head.rows, array);
    mem_free(plain);
    if (rc) {
        array_release(array);
        schema_release(schema);
        return rc;
    }
    *used = HEAD + head.n_ddl + head.stored;
    return WEIR_OK;
}
