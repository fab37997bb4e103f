/*
 * lines.h - ends of lines, found by the vector unit. Reads up to 63 bytes behind the text.
 */
#ifndef SHARE_LINES_H
#define SHARE_LINES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Finds up to `most` line feeds in n < 2^32 bytes. ends[i] is the place of the i-th; *scanned the
 * bytes looked at (n, or behind the last one found); *high is set to 1 if one of these is not
 * ASCII. Needs room for most + 64 entries. Returns how many were found. [any] */
uint32_t lines_scan(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                    uint64_t *scanned, int *high);

/* The twin in plain C, for other machines and for the test that compares them. */
uint32_t lines_scan_plain(const uint8_t *text, uint64_t n, uint32_t *ends, uint32_t most,
                          uint64_t *scanned, int *high);

/* Bytes of whole lines in n bytes, up to `most` of them; *count how many. Lines that are empty, or
 * have a CR alone, count only with `count_empty`. */
uint64_t lines_skip(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,
                    uint64_t *count);
uint64_t lines_skip_plain(const uint8_t *text, uint64_t n, uint64_t most, int count_empty,
                          uint64_t *count);

/* How many line feeds are in n bytes; *high is set to 1 if one of the bytes is not ASCII. */
uint64_t lines_count(const uint8_t *text, uint64_t n, int *high);
uint64_t lines_count_plain(const uint8_t *text, uint64_t n, int *high);

#ifdef __cplusplus
}
#endif
#endif
