/*
 * arena.c - memory of a compilation, places of errors, and names that were nearly right.
 *
 * Blocks double up to 64 KiB, so a short expression takes one allocation and a long one few.
 */
#include "core/expr/ast.h"

struct arena_block {
    struct arena_block *below;
    uint64_t bytes;
};

#define BLOCK_FIRST 2048u
#define BLOCK_MOST 65536u
#define NAME_MOST 64u

void *arena_alloc(struct arena *arena, uint64_t bytes)
{
    void *p;
    bytes = (bytes + 7) & ~(uint64_t)7;
    if (bytes > arena->left) {
        uint64_t size = arena->blocks ? arena->blocks->bytes * 2 : BLOCK_FIRST;
        struct arena_block *block;
        if (size > BLOCK_MOST) size = BLOCK_MOST;
        if (size < bytes + sizeof *block) size = bytes + sizeof *block;
        block = mem_alloc(size);
        if (!block) return NULL;
        block->below = arena->blocks;
        block->bytes = size;
        arena->blocks = block;
        arena->next = (uint8_t *)(block + 1);
        arena->left = size - sizeof *block;
    }
    p = arena->next;
    arena->next += bytes;
    arena->left -= bytes;
    return memset(p, 0, bytes);
}

char *arena_text(struct arena *arena, const char *text, uint64_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void arena_free(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *below = block->below;
        mem_free(block);
        block = below;
    }
    memset(arena, 0, sizeof *arena);
}

static int32_t code_points(const struct source_text *text, uint32_t at)
{
    uint32_t i;
    int32_t n = 0;
    for (i = 0; i < at && i < text->length; i++) n += ((uint8_t)text->text[i] & 0xc0) != 0x80;
    return n;
}

int32_t text_error(const struct source_text *text, uint32_t at, struct weir_error *error,
                   const char *format, ...)
{
    char line[sizeof error->text];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return weir_fail_option(error, text->option, code_points(text, at), "%s", line);
}

/* Levenshtein's distance with swaps of neighbours; case does not count. */
static uint32_t distance(const char *a, size_t n, const char *b, size_t m)
{
    uint32_t row[3][NAME_MOST + 1];
    uint32_t *two = row[0], *one = row[1], *now = row[2], *swap;
    size_t i, j;
    for (j = 0; j <= m; j++) one[j] = (uint32_t)j;
    for (i = 1; i <= n; i++) {
        now[0] = (uint32_t)i;
        for (j = 1; j <= m; j++) {
            const uint32_t differs = (a[i - 1] | 32) != (b[j - 1] | 32);
            uint32_t best = one[j - 1] + differs;
            if (one[j] + 1 < best) best = one[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
        swap = two;
        two = one;
        one = now;
        now = swap;
    }
    return one[m];
}

void suggest(struct suggestion *best, const char *name, const char *candidate)
{
    const size_t n = strlen(name), m = strlen(candidate);
    uint32_t d;
    if (n > NAME_MOST || m > NAME_MOST) return;
    d = distance(name, n, candidate, m);
    if (d <= (n < 4 ? 1 : n / 3 + 1) && d < n && d < best->distance) {
        best->name = candidate;
        best->distance = d;
    }
}
