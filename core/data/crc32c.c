/*
 * crc32c.c - CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as in iSCSI, RFC 3720 B.4.
 *
 * Two forms that must agree: tables, eight bytes a step, for every machine; and the crc32
 * instruction of SSE4.2. That instruction has a latency of three cycles and a rate of one, so
 * three streams run side by side over the thirds of a 3 x 1 KiB block; their results are joined by
 * shifting (multiplying by x^8192 modulo the polynomial), which is linear and so done by four
 * tables of 256.
 */
#include "core/data/block.h"
#include "core/data/node.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u
#define STRIDE 1024u /* bytes of one stream in a block */

static uint32_t table[8][256];
static uint32_t shift[4][256]; /* CRC register moved over STRIDE zero bytes */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    uint32_t i, j, k;
    for (i = 0; i < 256; i++) {
        uint32_t c = i;
        for (j = 0; j < 8; j++) c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        table[0][i] = c;
    }
    for (i = 0; i < 256; i++)
        for (j = 1; j < 8; j++)
            table[j][i] = table[j - 1][i] >> 8 ^ table[0][table[j - 1][i] & 0xff];
    for (k = 0; k < 4; k++)
        for (i = 0; i < 256; i++) {
            uint32_t c = i << 8 * k;
            for (j = 0; j < STRIDE; j++) c = c >> 8 ^ table[0][c & 0xff];
            shift[k][i] = c;
        }
}

static uint64_t load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

uint32_t crc32c_plain(uint32_t crc, const void *bytes, uint64_t n)
{
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    pthread_once(&once, make_tables);
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = load(p) ^ c;
        c = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
            table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
            table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
    }
    for (; n; n--, p++) c = c >> 8 ^ table[0][(c ^ *p) & 0xff];
    return ~c;
}

#if defined __x86_64__

static uint64_t shifted(uint64_t c)
{
    return shift[0][c & 0xff] ^ shift[1][c >> 8 & 0xff] ^ shift[2][c >> 16 & 0xff] ^
           shift[3][c >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint32_t crc_sse(uint32_t crc, const uint8_t *p,
                                                          uint64_t n)
{
    uint64_t a = ~crc;
    for (; n >= 3 * STRIDE; n -= 3 * STRIDE, p += 3 * STRIDE) {
        uint64_t b = 0, c = 0;
        uint32_t i;
        for (i = 0; i < STRIDE; i += 8) {
            a = __builtin_ia32_crc32di(a, load(p + i));
            b = __builtin_ia32_crc32di(b, load(p + STRIDE + i));
            c = __builtin_ia32_crc32di(c, load(p + 2 * STRIDE + i));
        }
        a = shifted(shifted(a) ^ b) ^ c;
    }
    for (; n >= 8; n -= 8, p += 8) a = __builtin_ia32_crc32di(a, load(p));
    for (; n; n--, p++) a = __builtin_ia32_crc32qi((uint32_t)a, *p);
    return ~(uint32_t)a;
}

int crc32c_hardware(uint32_t *crc, const void *bytes, uint64_t n)
{
    if (!__builtin_cpu_supports("sse4.2")) return 0;
    pthread_once(&once, make_tables);
    *crc = crc_sse(*crc, bytes, n);
    return 1;
}

#else

int crc32c_hardware(uint32_t *crc, const void *bytes, uint64_t n)
{
    (void)crc, (void)bytes, (void)n;
    return 0;
}

#endif

uint32_t crc32c(uint32_t crc, const void *bytes, uint64_t n)
{
    if (crc32c_hardware(&crc, bytes, n)) return crc;
    return crc32c_plain(crc, bytes, n);
}
