/*
 * digests.c - bytes to digests and to printable text: md5 (RFC 1321), sha256 (FIPS 180-4), xxhash64,
 * hex, base64 (RFC 4648, no line breaks).
 *
 * MD5 cuts a message into blocks of 64 bytes and ends it with 0x80, zeros, and its length in bits,
 * little-endian. SHA-256 is shared with the engine.
 */
#include "functions.h"

#include <math.h>
#include <xxhash.h>

#include "base/sha256.h"

static void add_hex(struct text_writer *w, const uint8_t *bytes, uint64_t n, const char *digits)
{
    uint8_t *to = writer_room(w, 2 * n);
    if (!to) return;
    for (uint64_t i = 0; i < n; i++) {
        to[2 * i] = (uint8_t)digits[bytes[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
    }
    writer_used(w, 2 * n);
}

#define LOWER "0123456789abcdef"
#define UPPER "0123456789ABCDEF"

/* ---- MD5 ---- */

static uint32_t left_by(uint32_t x, uint32_t n) { return x << n | x >> (32 - n); }

/* floor(2^32 · |sin(i + 1)|) */
static uint32_t md5_constant(uint32_t i) { return (uint32_t)floor(fabs(sin(i + 1)) * 0x1p32); }

static void md5_block(uint32_t *state, const uint8_t *block)
{
    static const uint8_t shifts[] = { 7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21 };
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t f, word, at;
        switch (i / 16) {
        case 0: f = (b & c) | (~b & d), at = i; break;
        case 1: f = (d & b) | (~d & c), at = (5 * i + 1) % 16; break;
        case 2: f = b ^ c ^ d, at = (3 * i + 5) % 16; break;
        default: f = c ^ (b | ~d), at = 7 * i % 16;
        }
        word = (uint32_t)block[4 * at] | (uint32_t)block[4 * at + 1] << 8 |
               (uint32_t)block[4 * at + 2] << 16 | (uint32_t)block[4 * at + 3] << 24;
        f += a + md5_constant(i) + word;
        a = d;
        d = c;
        c = b;
        b += left_by(f, shifts[i / 16 * 4 + i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void md5_digest(struct weir_bytes s, uint32_t *state)
{
    uint8_t tail[128] = { 0 };
    uint64_t whole = s.length / 64 * 64, rest = s.length - whole, bits = s.length * 8;
    uint64_t length = rest < 56 ? 64 : 128;
    for (uint64_t i = 0; i < whole; i += 64) md5_block(state, s.data + i);
    if (rest) memcpy(tail, s.data + whole, rest);
    tail[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++) tail[length - 8 + i] = (uint8_t)(bits >> 8 * i);
    for (uint64_t i = 0; i < length; i += 64) md5_block(state, tail + i);
}

ROW(md5)
{
    uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
    uint8_t bytes[16];
    (void)b;
    md5_digest(arg_text(call, 0, row), state);
    for (uint32_t i = 0; i < 16; i++) bytes[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
    add_hex(w, bytes, 16, LOWER);
}
TEXT_EVAL(md5)
SCALAR(md5, "x", WEIR_TYPE_UTF8)

/* ---- SHA-256 ---- */

ROW(sha256)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    char hex[SHA256_HEX];
    (void)b;
    sha256_hex(s.data, s.length, hex);
    writer_add(w, hex, SHA256_HEX - 1);
}
TEXT_EVAL(sha256)
SCALAR(sha256, "x", WEIR_TYPE_UTF8)

/* ---- XXH64 ---- */

EVAL(xxhash64)
{
    void *values;
    int32_t rc = make_column(bound, WEIR_TYPE_INT64, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    EACH_ROW
    {
        const struct weir_bytes s = arg_text(call, 0, row);
        ((int64_t *)values)[row] = (int64_t)XXH64(s.data, s.length, 0);
    }
    return WEIR_OK;
}
SCALAR(xxhash64, "x", WEIR_TYPE_INT64)

/* ---- hex ---- */

static int32_t hex_bind(const struct weir_host *host, const struct weir_argument *args,
                        uint32_t n_args, struct ArrowSchema *schema, void **bound,
                        struct weir_error *error)
{
    const uint32_t type = n_args ? argument_type(args[0].schema) : WEIR_TYPE_NONE;
    const int is_int = type == WEIR_TYPE_INT32 || type == WEIR_TYPE_INT64;
    return bind_as(host, "hex", is_int ? "i" : "x", WEIR_TYPE_UTF8, sizeof(struct bound), args,
                   n_args, schema, bound, error);
}

/* Of an integer without leading zeros; a negative one in 64 bits of two's complement. */
ROW(hex)
{
    uint64_t value, n;
    char digits[17];
    if (b->types[0] == WEIR_TYPE_UTF8 || b->types[0] == WEIR_TYPE_BINARY) {
        const struct weir_bytes s = arg_text(call, 0, row);
        add_hex(w, s.data, s.length, UPPER);
        return;
    }
    value = (uint64_t)arg_int(call, b, 0, row);
    n = (uint64_t)snprintf(digits, sizeof digits, "%llX", (unsigned long long)value);
    writer_add(w, digits, n);
}
TEXT_EVAL(hex)
SCALAR_TABLE(hex, free_bound)

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

ROW(base64)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    const uint64_t n = (s.length + 2) / 3 * 4;
    uint8_t *to = writer_room(w, n);
    (void)b;
    if (!to) return;
    for (uint64_t i = 0; i < s.length; i += 3, to += 4) {
        const uint64_t left = s.length - i;
        const uint32_t three = (uint32_t)s.data[i] << 16 |
                               (left > 1 ? (uint32_t)s.data[i + 1] << 8 : 0) |
                               (left > 2 ? s.data[i + 2] : 0);
        to[0] = (uint8_t)alphabet[three >> 18];
        to[1] = (uint8_t)alphabet[three >> 12 & 63];
        to[2] = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
        to[3] = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
    }
    writer_used(w, n);
}
TEXT_EVAL(base64)
SCALAR(base64, "x", WEIR_TYPE_UTF8)

static int32_t value_of(uint8_t c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int32_t)(at - alphabet) : -1;
}

/* Decodes s to `to`; the bytes written, or UINT64_MAX. White space is skipped, padding may miss. */
static uint64_t decode(struct weir_bytes s, uint8_t *to)
{
    uint32_t bits = 0, sextets = 0, pads = 0;
    uint64_t n = 0;
    for (uint64_t i = 0; i < s.length; i++) {
        const uint8_t c = s.data[i];
        int32_t value;
        if (c == ' ' || (c >= '\t' && c <= '\r')) continue;
        if (c == '=') {
            pads++;
            continue;
        }
        value = value_of(c);
        if (value < 0 || pads) return UINT64_MAX;
        bits = bits << 6 | (uint32_t)value;
        if (++sextets % 4 == 1) continue;
        to[n++] = (uint8_t)(bits >> (sextets % 4 == 2 ? 4 : sextets % 4 == 3 ? 2 : 0));
    }
    if (sextets % 4 == 1 || (pads && (sextets + pads) % 4) || pads > 2) return UINT64_MAX;
    return n;
}

EVAL(unbase64)
{
    const struct bound *b = bound;
    struct text_writer w;
    writer_begin(&w, host, b, call);
    w.type = WEIR_TYPE_BINARY;
    EACH_ROW
    {
        const struct weir_bytes s = arg_text(call, 0, row);
        uint8_t *to;
        uint64_t n;
        writer_row(&w, row);
        to = writer_room(&w, s.length + 4);
        if (!to) break;
        n = decode(s, to);
        if (n == UINT64_MAX) row_fail(call, row, "string that is no base64");
        else writer_used(&w, n);
    }
    return writer_end(&w, out, error);
}
SCALAR(unbase64, "t", WEIR_TYPE_BINARY)
