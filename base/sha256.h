/*
 * sha256.h - SHA-256 of bytes in memory. Like all of base/ it knows neither core nor plugins, and
 * both compile it in.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 65 /* 64 digits and the NUL */

/* The digest of n bytes as lower-case hex. [any] */
void sha256_hex(const void *bytes, size_t n, char out[SHA256_HEX]);

#endif
