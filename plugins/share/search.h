/*
 * search.h - where a text occurs in bytes.
 */
#ifndef FUNCTION_BUILTIN_SEARCH_H
#define FUNCTION_BUILTIN_SEARCH_H

#include <stdint.h>

#define SEARCH_NONE UINT64_MAX

/* The first place >= from at which the m >= 1 bytes of x lie wholly within the n bytes of s, or
 * SEARCH_NONE. [any] */
uint64_t search_bytes(const uint8_t *s, uint64_t n, const uint8_t *x, uint64_t m, uint64_t from);

/* The same without vector instructions: for machines that have none, and for tests. */
uint64_t search_bytes_plain(const uint8_t *s, uint64_t n, const uint8_t *x, uint64_t m,
                            uint64_t from);

#endif
