/*
 * digests.c - bytes to digests and to printable text: md5 (RFC 1321), sha256 (FIPS 180-4), xxhash64,
 * hex, base64 (RFC 4648, no line breaks).
 *
 * MD5 and SHA-256 cut a message into blocks of 64 bytes and end it with 0x80, zeros, and its length
 * in bits; they differ in the order of bytes and in what a block does to the state.
 */
#include "functions.h"

#include <math.h>
#include <xxhash.h>

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

/* ---- blocks of 64 bytes ---- */

typedef void (*block_fn)(uint32_t *state, const uint8_t *block);

static void digest(struct weir_bytes s, uint32_t *state, block_fn block, int big_endian)
{
    uint8_t tail[128] = { 0 };
    uint64_t whole = s.length / 64 * 64, rest = s.length - whole, bits = s.length * 8;
    uint64_t length = rest < 56 ? 64 : 128;
    for (uint64_t i = 0; i < whole; i += 64) block(state, s.data + i);
    if (rest) memcpy(tail, s.data + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[length - 8 + (unsigned)i] = (uint8_t)(bits >> 8 * (big_endian ? 7 - i : i));
    for (uint64_t i = 0; i < length; i += 64) block(state, tail + i);
}

static uint32_t left_by(uint32_t x, uint32_t n) { return x << n | x >> (32 - n); }
static uint32_t right_by(uint32_t x, uint32_t n) { return x >> n | x << (32 - n); }

/* ---- MD5 ---- */

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

ROW(md5)
{
    uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
    uint8_t bytes[16];
    (void)b;
    digest(arg_text(call, 0, row), state, md5_block, 0);
    for (uint32_t i = 0; i < 16; i++) bytes[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
    add_hex(w, bytes, 16, LOWER);
}
TEXT_EVAL(md5)
SCALAR(md5, "x", WEIR_TYPE_UTF8)

/* ---- SHA-256 ---- */

static const uint32_t sha_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static void sha_schedule(const uint8_t *block, uint32_t *words)
{
    for (uint32_t i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | (uint32_t)block[4 * i + 3];
    for (uint32_t i = 16; i < 64; i++) {
        const uint32_t x = words[i - 15], y = words[i - 2];
        words[i] = words[i - 16] + (right_by(x, 7) ^ right_by(x, 18) ^ x >> 3) + words[i - 7] +
                   (right_by(y, 17) ^ right_by(y, 19) ^ y >> 10);
    }
}

static void sha_block(uint32_t *state, const uint8_t *block)
{
    uint32_t words[64], v[8];
    sha_schedule(block, words);
    memcpy(v, state, sizeof v);
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t e = v[4], a = v[0];
        const uint32_t one = v[7] + (right_by(e, 6) ^ right_by(e, 11) ^ right_by(e, 25)) +
                             ((e & v[5]) ^ (~e & v[6])) + sha_constants[i] + words[i];
        const uint32_t two = (right_by(a, 2) ^ right_by(a, 13) ^ right_by(a, 22)) +
                             ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; i++) state[i] += v[i];
}

ROW(sha256)
{
    uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    uint8_t bytes[32];
    (void)b;
    digest(arg_text(call, 0, row), state, sha_block, 1);
    for (uint32_t i = 0; i < 32; i++) bytes[i] = (uint8_t)(state[i / 4] >> 8 * (3 - i % 4));
    add_hex(w, bytes, 32, LOWER);
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
