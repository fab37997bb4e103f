/*
 * mem.c - the memory of the host table.
 *
 * A block is what malloc gave, with a head right below the address that the caller sees:
 *
 *     malloc'ed ... | head (16 bytes) | user bytes ... | 64 readable bytes
 *                                     ^ multiple of 64
 *
 * aligned_alloc is not used since glibc serves it outside of its thread caches. Realloc keeps
 * malloc's own growing in place (or by page tables); only where the start moves to another
 * remainder of 64 are the bytes moved once more.
 *
 * Blocks that live long and grow (mem_grow) are mappings of their own from MEM_MAPPED bytes on: growing moves page
 * tables, so it copies nothing, needs no room for both and leaves no hole. Large ones ask for huge
 * pages.
 *
 * Bytes are counted in stripes, one per few threads, so that counting costs no shared cache line.
 * In builds with the address sanitizer the 64 bytes behind are a canary, checked by free: they are
 * readable by contract, so the sanitizer itself can't see writes into them.
 */
#define _GNU_SOURCE 1 /* mremap */
#include "core/data/array.h"

#include <malloc.h> /* mallopt */
#include <sys/mman.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ALIGN 64u
#define BEHIND 64u
#define STRIPES 16u
#define CANARY 0xc5

struct head {
    uint64_t bytes;
    uint32_t shift; /* user address - malloc'ed address */
    uint32_t magic;
};
#define MAGIC 0x6d656d31u
#define MAPPED 0x6d656d32u /* the block is a mapping; shift ALIGN */
#define PAGE 4096u
#define HUGE_FROM (16u << 20)

static struct {
    _Alignas(64) atomic_llong bytes;
} stripes[STRIPES];
static atomic_uint next_stripe;
static _Thread_local uint32_t own_stripe; /* 1 + number, 0: none yet */

static atomic_int fail_armed;
static atomic_llong fail_in;
static atomic_int fail_forever;

static void count(int64_t bytes)
{
    if (own_stripe == 0)
        own_stripe = 1 + atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed) % STRIPES;
    atomic_fetch_add_explicit(&stripes[own_stripe - 1].bytes, bytes, memory_order_relaxed);
}

static int fails(void)
{
    int64_t n;
    if (!atomic_load_explicit(&fail_armed, memory_order_relaxed)) return 0;
    n = atomic_fetch_sub(&fail_in, 1);
    return n == 1 || (n < 1 && atomic_load(&fail_forever));
}

/* Measured: joining 2 MB of columns takes 1.0 ms with glibc's defaults, which give each freed block
 * back to the system, and 0.1 ms with these. */
void mem_setup(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

void mem_fail_at(uint64_t n, int forever)
{
    atomic_store(&fail_in, (long long)n);
    atomic_store(&fail_forever, forever);
    atomic_store(&fail_armed, n > 0);
}

uint64_t mem_in_use(void)
{
    int64_t sum = 0;
    uint32_t i;
    for (i = 0; i < STRIPES; i++)
        sum += atomic_load_explicit(&stripes[i].bytes, memory_order_relaxed);
    return sum > 0 ? (uint64_t)sum : 0;
}

static struct head *head_of(void *p)
{
    struct head *head = (struct head *)p - 1;
    if (head->magic != MAGIC && head->magic != MAPPED) abort(); /* not ours, freed already, or overwritten from below */
    return head;
}

#ifdef __SANITIZE_ADDRESS__
static void canary_set(uint8_t *p, uint64_t bytes) { memset(p + bytes, CANARY, BEHIND); }
static void canary_check(const uint8_t *p, uint64_t bytes)
{
    uint32_t i;
    for (i = 0; i < BEHIND; i++)
        if (p[bytes + i] != CANARY) abort(); /* somebody wrote behind the block */
}
#else
static void canary_set(uint8_t *p, uint64_t bytes) { (void)p, (void)bytes; }
static void canary_check(const uint8_t *p, uint64_t bytes) { (void)p, (void)bytes; }
#endif

/* The user's address within a fresh block, its head written. */
static uint8_t *place(uint8_t *raw, uint64_t bytes)
{
    uint8_t *p = raw + sizeof(struct head);
    struct head *head;
    p += -(uintptr_t)p & (ALIGN - 1);
    head = (struct head *)(void *)p - 1;
    head->bytes = bytes;
    head->shift = (uint32_t)(p - raw);
    head->magic = MAGIC;
    canary_set(p, bytes);
    return p;
}

static size_t raw_size(uint64_t bytes) { return bytes + sizeof(struct head) + ALIGN + BEHIND; }

void *mem_alloc(uint64_t bytes)
{
    uint8_t *raw;
    if (bytes > INT64_MAX / 2 || fails()) return NULL;
    raw = malloc(raw_size(bytes));
    if (!raw) return NULL;
    count((int64_t)bytes);
    return place(raw, bytes);
}

/* ---- mappings ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAPPINGS 0 /* sanitizers do not see mremap */
#else
#define MAPPINGS 1
#endif

static size_t map_size(uint64_t bytes)
{
    return (bytes + ALIGN + BEHIND + PAGE - 1) / PAGE * PAGE;
}

/* The user's address within a mapping, its head written. */
static void *map_place(uint8_t *raw, uint64_t bytes)
{
    struct head *head = (struct head *)(void *)(raw + ALIGN) - 1;
    head->bytes = bytes;
    head->shift = ALIGN;
    head->magic = MAPPED;
    if (map_size(bytes) >= HUGE_FROM) madvise(raw, map_size(bytes), MADV_HUGEPAGE);
    return raw + ALIGN;
}

static void *map_new(uint64_t bytes)
{
    void *raw = mmap(NULL, map_size(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    count((int64_t)bytes);
    return map_place(raw, bytes);
}

static void *map_resize(void *p, uint64_t before, uint64_t bytes)
{
    void *raw = mremap((uint8_t *)p - ALIGN, map_size(before), map_size(bytes), MREMAP_MAYMOVE);
    if (raw == MAP_FAILED) return NULL;
    count((int64_t)bytes - (int64_t)before);
    return map_place(raw, bytes);
}

static void *move(void *to, void *from, uint64_t bytes)
{
    if (!to) return NULL;
    memcpy(to, from, bytes);
    mem_free(from);
    return to;
}

void *mem_grow(void *p, uint64_t bytes)
{
    const struct head *head = MAPPINGS && p ? head_of(p) : NULL;
    const uint64_t before = head ? head->bytes : 0;
    const int mapped = head && head->magic == MAPPED;
    void *q;
    if (!MAPPINGS || (bytes < MEM_MAPPED && !mapped)) return mem_realloc(p, bytes);
    if (bytes > INT64_MAX / 2 || fails()) return NULL;
    q = mapped ? map_resize(p, before, bytes) : map_new(bytes);
    if (q && !mapped && p) return move(q, p, before < bytes ? before : bytes);
    if (q) return q;
    /* no more mappings: a block of malloc */
    return p ? move(mem_alloc(bytes), p, before < bytes ? before : bytes) : mem_alloc(bytes);
}

/* ---- blocks of malloc ---- */

void *mem_realloc(void *p, uint64_t bytes)
{
    struct head *head;
    uint8_t *raw, *user;
    uint64_t before;
    uint32_t shift, next;
    if (!p) return mem_alloc(bytes);
    head = head_of(p);
    if (head->magic == MAPPED) return mem_grow(p, bytes);
    before = head->bytes;
    shift = head->shift;
    canary_check(p, before);
    if (bytes > INT64_MAX / 2 || fails()) return NULL;
    raw = realloc((uint8_t *)p - shift, raw_size(bytes));
    if (!raw) return NULL;
    user = raw + sizeof(struct head);
    next = (uint32_t)(sizeof(struct head) + (-(uintptr_t)user & (ALIGN - 1)));
    if (next != shift) memmove(raw + next, raw + shift, before < bytes ? before : bytes);
    count((int64_t)bytes - (int64_t)before);
    return place(raw, bytes);
}

void mem_free(void *p)
{
    struct head *head;
    if (!p) return;
    head = head_of(p);
    canary_check(p, head->bytes);
    count(-(int64_t)head->bytes);
    if (head->magic == MAPPED) {
        munmap((uint8_t *)p - ALIGN, map_size(head->bytes));
        return;
    }
    head->magic = 0;
    free((uint8_t *)p - head->shift);
}

char *mem_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = mem_alloc(n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

int32_t buffer_grow(struct weir_buffer *buffer, uint64_t more)
{
    uint64_t need = buffer->length + more;
    uint64_t capacity = buffer->capacity * 2;
    void *data;
    if (need < more) return WEIR_FATAL;
    if (buffer->data && need <= buffer->capacity) return WEIR_OK;
    if (capacity < need) capacity = need;
    if (capacity < 64) capacity = 64;
    data = mem_realloc(buffer->data, capacity);
    if (!data) return WEIR_FATAL;
    buffer->data = data;
    buffer->capacity = capacity;
    return WEIR_OK;
}

int32_t buffer_add(struct weir_buffer *buffer, const void *bytes, uint64_t n)
{
    int32_t rc = buffer_grow(buffer, n);
    if (rc) return rc;
    if (n) memcpy(buffer->data + buffer->length, bytes, n);
    buffer->length += n;
    return WEIR_OK;
}
