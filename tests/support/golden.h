/*
 * golden.h - bytes of an earlier version, kept in the tree: what was written once must be read for
 * ever, and is written the same today. WEIR_GOLDEN_WRITE=1 makes the files anew.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_MOST 65536u

/* The bytes of tests/NAME, into a buffer that the next call takes again. `now` are those of this
 * build; the test fails where they are others. */
static inline const uint8_t *golden_check(const char *name, const void *now, size_t n)
{
    static uint8_t bytes[GOLDEN_MOST];
    const char *top = getenv("srcdir");
    char path[4096];
    FILE *f;
    snprintf(path, sizeof path, "%s/tests/%s", top ? top : ".", name);
    if (getenv("WEIR_GOLDEN_WRITE")) {
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(now, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
    }
    f = fopen(path, "rb");
    if (!f) fail_msg("there is no %s", path);
    size_t had = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    if (had != n || memcmp(bytes, now, n) != 0) fail_msg("other bytes than those of %s", path);
    return bytes;
}

#endif
