/*
 * weir/abi.h - versions, classes of results and the error that every call can fill.
 *
 * How the ABI lasts:
 *
 *  1. A module exports exactly one function, `weir_plugin_entry_v1`, and imports nothing from the
 *     host by name. Everything else goes through tables of function pointers.
 *  2. Every table and every struct that the other side fills begins with its size in bytes, as
 *     its maker knew it. Tables grow at the tail only; what is missing at the tail of a shorter
 *     table is filled by the host with stubs that answer WEIR_UNSUPPORTED.
 *  3. Only fixed-width integers, doubles and pointers cross; no enum, bool, long or FILE.
 *  4. Optional behaviour is an interface with a versioned id ("weir.state/1"). Its meaning never
 *     changes; another meaning is another id.
 *  5. Modules are never unloaded, so constant data of a module stays valid for the process.
 *
 * Threads. Each function is marked with the thread on which it is called:
 *   [control]  the coordinator of the job; never at the same time as another [control] call
 *   [worker]   one of several workers; calls with the same lane never overlap
 *   [sink]     the thread of this sink; may block
 *   [any]      any thread at any time
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WEIR_ABI_MAJOR 1u
#define WEIR_ABI_MINOR 0u
#define WEIR_SDK_VERSION "1.0.0"

#if defined(__GNUC__)
#define WEIR_EXPORT __attribute__((visibility("default")))
#define WEIR_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define WEIR_UNUSED __attribute__((unused))
#else
#define WEIR_EXPORT
#define WEIR_PRINTF(a, b)
#define WEIR_UNUSED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Classes of results. A function returns one of these as int32_t. */
#define WEIR_OK 0          /* done */
#define WEIR_PENDING 1     /* nothing now; a wake-up will follow */
#define WEIR_RETRY 2       /* failed for now; try again after error.retry_after_ms */
#define WEIR_CONFIG 3      /* the job or an option is wrong; trying again can't help */
#define WEIR_DATA 4        /* these data can't be processed */
#define WEIR_FATAL 5       /* the instance can't go on */
#define WEIR_CANCELLED 6   /* `cancel` was called */
#define WEIR_UNSUPPORTED 7 /* the other side does not have this */

/*
 * What went wrong. The caller owns the struct, sets `size` (weir_error_init) and passes it as the
 * last argument; the callee fills it when it returns another class than OK or PENDING. The host
 * copies the text at once. The first error wins: a filled error is not overwritten.
 */
struct weir_error {
    uint32_t size;           /* bytes, set by the caller */
    int32_t error_class;     /* WEIR_OK while empty */
    uint32_t retry_after_ms; /* for WEIR_RETRY; 0: the host decides */
    int32_t code;            /* errno or a code of the plugin's own; 0: none */
    int32_t offset;          /* code points into the value of `option`; -1: unknown */
    uint32_t reserved;
    char option[64]; /* the option at fault ("values.total"); "" if none */
    char text[512];  /* one line of UTF-8, no values of secrets, no final full stop */
};

#define WEIR_ERROR_INIT { sizeof(struct weir_error), 0, 0, 0, -1, 0, { 0 }, { 0 } }

/* Purpose: makes `e` empty, whatever it was.
 * Thread and state: [any].
 * Ownership: `e` stays the caller's.
 * Returns: nothing.
 * On failure: can't fail. */
static inline void weir_error_init(struct weir_error *e)
{
    memset(e, 0, sizeof *e);
    e->size = (uint32_t)sizeof *e;
    e->offset = -1;
}

/* Purpose: fills `e` with class and formatted text (cut at 511 bytes), unless it is filled already:
 *   `return weir_fail(error, WEIR_DATA, "…")`.
 * Thread and state: [any].
 * Ownership: `e` (may be NULL: nobody wants the text) stays the caller's; format and arguments are
 *   borrowed.
 * Returns: `error_class`, as it was given.
 * On failure: can't fail. */
WEIR_PRINTF(3, 4) WEIR_UNUSED
static int32_t weir_fail(struct weir_error *e, int32_t error_class, const char *format, ...)
{
    if (e && e->error_class == WEIR_OK) {
        va_list args;
        e->error_class = error_class;
        va_start(args, format);
        vsnprintf(e->text, sizeof e->text, format, args);
        va_end(args);
    }
    return error_class;
}

/* Purpose: as weir_fail, of class CONFIG, with the option at fault and the place inside its value:
 *   `offset` in code points, -1: the whole.
 * Thread and state: [any].
 * Ownership: as weir_fail; the name of the option is copied (63 bytes of it).
 * Returns: WEIR_CONFIG.
 * On failure: can't fail. */
WEIR_PRINTF(4, 5) WEIR_UNUSED
static int32_t weir_fail_option(struct weir_error *e, const char *option, int32_t offset,
                                const char *format, ...)
{
    if (e && e->error_class == WEIR_OK) {
        va_list args;
        e->error_class = WEIR_CONFIG;
        e->offset = offset;
        snprintf(e->option, sizeof e->option, "%s", option);
        va_start(args, format);
        vsnprintf(e->text, sizeof e->text, format, args);
        va_end(args);
    }
    return WEIR_CONFIG;
}

/* Bytes that somebody else owns. `data` is never NULL where `length` > 0. */
struct weir_bytes {
    const uint8_t *data;
    uint64_t length;
};

/* A growing buffer; grown by `weir_host.buffer_grow`, freed by `weir_host.free(data)`. */
struct weir_buffer {
    uint8_t *data;
    uint64_t length;
    uint64_t capacity;
};

#ifdef __cplusplus
}
#endif
#endif
