/*
 * position.c - a place in a file, as the log keeps it. Little-endian:
 *
 *     1 version (1) | 1 flags (1: inside of a record that is too long) | 8 offset | 8 inode |
 *     8 fingerprint | 4 bytes that it covers | 8 mtime | 8 inode before | 8 end before | 4 CRC-32C
 *
 * The fingerprint is FNV-1a of the first KiB (less, while the file was shorter). It tells a file
 * from another one that got its name or its inode.
 */
#include "plugins/source_file/file.h"

#include "plugins/share/text.h"

static uint8_t *put(uint8_t *at, uint64_t value, uint32_t n)
{
    for (; n > 0; n--, value >>= 8) *at++ = (uint8_t)value;
    return at;
}

static const uint8_t *get(const uint8_t *at, uint64_t *value, uint32_t n)
{
    uint32_t i;
    *value = 0;
    for (i = 0; i < n; i++) *value |= (uint64_t)at[i] << (8 * i);
    return at + n;
}

void position_write(const struct position *p, uint8_t out[POSITION_SIZE])
{
    uint8_t *at = out;
    *at++ = 1;
    *at++ = (uint8_t)p->inside;
    at = put(at, p->offset, 8);
    at = put(at, p->inode, 8);
    at = put(at, p->print, 8);
    at = put(at, p->print_length, 4);
    at = put(at, (uint64_t)p->mtime_us, 8);
    at = put(at, p->before_inode, 8);
    at = put(at, p->before_end, 8);
    put(at, crc32c_of(out, (size_t)(at - out)), 4);
}

void place_write(const struct position *p, uint64_t bytes, uint8_t out[POSITION_SIZE])
{
    struct position place = *p;
    place.offset += bytes;
    place.inside = 0;
    position_write(&place, out);
}

int position_read(struct weir_bytes bytes, struct position *p)
{
    const uint8_t *at = bytes.data + 2;
    uint64_t value;
    memset(p, 0, sizeof *p);
    if (bytes.length != POSITION_SIZE || bytes.data[0] != 1 || bytes.data[1] > 1) return 0;
    get(bytes.data + POSITION_SIZE - 4, &value, 4);
    if (value != crc32c_of(bytes.data, POSITION_SIZE - 4)) return 0;
    p->inside = bytes.data[1];
    at = get(at, &p->offset, 8);
    at = get(at, &p->inode, 8);
    at = get(at, &p->print, 8);
    at = get(at, &value, 4);
    p->print_length = (uint32_t)value;
    at = get(at, &value, 8);
    p->mtime_us = (int64_t)value;
    at = get(at, &p->before_inode, 8);
    get(at, &p->before_end, 8);
    return 1;
}
