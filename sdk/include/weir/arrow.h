/*
 * weir/arrow.h - the Arrow C Data Interface, and the profile of it that weir uses.
 *
 * The two structs are frozen by the Arrow project and meant to be copied under this guard.
 *
 * Profile "weir.arrow/1":
 *  1. A chunk's array is a struct ("+s") without nulls; its children are the columns.
 *  2. offset is 0 everywhere, children included. null_count is exact, never -1.
 *  3. The validity buffer is NULL exactly when null_count is 0. All other buffers are non-NULL,
 *     even when length is 0, and 8-byte aligned. Buffers made by the host are 64-byte aligned
 *     and followed by 64 readable bytes.
 *  4. Types: bool "b", int32 "i", int64 "l", float64 "g", utf8 "u" (valid UTF-8), binary "z",
 *     timestamp in microseconds UTC "tsu:UTC", date in days "tdD", list "+l", struct "+s".
 *     A type code that is not in this list is refused when the job is planned.
 *  5. At most 65,536 rows and 16 MiB; a single larger record travels alone.
 *  6. Values below a null are defined memory, but meaningless.
 */
#ifndef WEIR_ARROW_H
#define WEIR_ARROW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#define WEIR_CHUNK_MAX_ROWS 65536u
#define WEIR_CHUNK_TARGET_ROWS 8192u
#define WEIR_CHUNK_MAX_BYTES (16u << 20)

/* Types of the profile, as numbers. They are part of the ABI; new ones are added at the end. */
#define WEIR_TYPE_NONE 0u
#define WEIR_TYPE_BOOL 1u
#define WEIR_TYPE_INT32 2u
#define WEIR_TYPE_INT64 3u
#define WEIR_TYPE_FLOAT64 4u
#define WEIR_TYPE_UTF8 5u
#define WEIR_TYPE_BINARY 6u
#define WEIR_TYPE_TIMESTAMP 7u
#define WEIR_TYPE_DATE 8u
#define WEIR_TYPE_LIST 9u
#define WEIR_TYPE_STRUCT 10u

/* Purpose: the type of a schema node by its format text.
 * Thread and state: [any].
 * Ownership: the schema is borrowed.
 * Returns: WEIR_TYPE_…; WEIR_TYPE_NONE if it is not in the profile.
 * On failure: can't fail. */
static inline uint32_t weir_type_of(const struct ArrowSchema *schema)
{
    const char *f = schema->format;
    if (f[0] == 't') {
        static const char timestamp[] = "tsu:UTC";
        int i = 0;
        if (f[1] == 'd') return f[2] == 'D' && f[3] == 0 ? WEIR_TYPE_DATE : WEIR_TYPE_NONE;
        while (timestamp[i] && f[i] == timestamp[i]) i++;
        return timestamp[i] == f[i] ? WEIR_TYPE_TIMESTAMP : WEIR_TYPE_NONE;
    }
    if (f[0] == '+') {
        if (f[1] == 'l' && f[2] == 0) return WEIR_TYPE_LIST;
        if (f[1] == 's' && f[2] == 0) return WEIR_TYPE_STRUCT;
        return WEIR_TYPE_NONE;
    }
    if (f[0] == 0 || f[1] != 0) return WEIR_TYPE_NONE;
    switch (f[0]) {
    case 'b': return WEIR_TYPE_BOOL;
    case 'i': return WEIR_TYPE_INT32;
    case 'l': return WEIR_TYPE_INT64;
    case 'g': return WEIR_TYPE_FLOAT64;
    case 'u': return WEIR_TYPE_UTF8;
    case 'z': return WEIR_TYPE_BINARY;
    default: return WEIR_TYPE_NONE;
    }
}

/* Purpose: the Arrow format text of a type, the reverse of weir_type_of.
 * Thread and state: [any].
 * Ownership: a constant, valid for ever.
 * Returns: the text; NULL for WEIR_TYPE_NONE and for numbers that are no type.
 * On failure: can't fail. */
static inline const char *weir_type_format(uint32_t type)
{
    static const char *const formats[] = { 0,   "b",       "i",   "l",  "g", "u",
                                           "z", "tsu:UTC", "tdD", "+l", "+s" };
    return type < sizeof formats / sizeof *formats ? formats[type] : 0;
}

/* Purpose: bytes of one value of a fixed-width type.
 * Thread and state: [any].
 * Ownership: none.
 * Returns: 4 or 8; 0 for bool (a bit), text, binary, list, struct.
 * On failure: can't fail. */
static inline uint32_t weir_type_width(uint32_t type)
{
    switch (type) {
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return 4;
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_TIMESTAMP: return 8;
    default: return 0;
    }
}

#ifdef __cplusplus
}
#endif
#endif
