/*
 * node.h - what the files of this folder share: how host arrays are laid out in memory.
 *
 * One node of a host array is one allocation, 64-byte aligned:
 *
 *     struct array_node | child pointers | child structs | pad to 64 | tail
 *
 * The tail holds the buffers where their sizes are known beforehand (each at a multiple of 64).
 * Buffers that grew elsewhere hang on `memory` and are freed with the node.
 */
#ifndef WEIR_CORE_NODE_H
#define WEIR_CORE_NODE_H

#include "core/data/array.h"

#define NODE_DEPTH_MAX 32          /* nesting of types */
#define NODE_CHILDREN_MAX 4096     /* fields of one struct */
#define NODE_ROWS_MAX 0x7ffffffeu  /* rows of an array: offsets are int32 */

#define TIMESTAMP_MIN (-62135596800000000ll) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX 253402300799999999ll   /* 9999-12-31T23:59:59.999999Z */
#define DATE_MIN (-719162)
#define DATE_MAX 2932896

struct array_node {
    const void *buffers[3];
    void *memory[3]; /* freed with the node; entries may be NULL */
};

static inline uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
static inline uint64_t bits_bytes(uint64_t bits) { return (bits + 7) / 8; }

/* 128 zero bytes, 64-byte aligned: the buffer of an empty column. */
extern const uint8_t array_zeros[128];

/* Makes `out` an array of `type` whose children are released structs, with `tail` bytes behind
 * the node (*memory). Buffers are array_zeros and validity NULL until the caller sets them.
 * FATAL without memory, then `out` is released. */
int32_t array_begin(struct ArrowArray *out, uint32_t type, uint32_t rows, uint32_t n_children,
                    uint64_t tail, uint8_t **memory, struct weir_error *error);
static inline struct array_node *array_node_of(struct ArrowArray *array)
{
    return array->private_data;
}
int32_t array_no_memory(struct weir_error *error); /* fills the error, returns FATAL */

uint64_t bits_count(const uint8_t *bits, uint64_t n);     /* set bits among the first n */
void bits_fill(uint8_t *bits, uint64_t from, uint64_t n); /* sets bits [from, from + n) */

/* schema.c */
int32_t schema_begin(struct ArrowSchema *out, uint32_t type, const char *name, uint64_t n,
                     uint32_t n_children, struct weir_error *error);
/* One more child (released), for the parser; NULL without memory. */
struct ArrowSchema *schema_grow(struct ArrowSchema *schema);
int32_t schema_copy(const struct ArrowSchema *schema, const char *name, struct ArrowSchema *out,
                    struct weir_error *error);
int32_t schema_struct(uint32_t n_children, struct ArrowSchema *out, struct weir_error *error);
int32_t schema_set(struct ArrowSchema *schema, uint32_t i, const char *name, uint32_t type,
                   struct weir_error *error);
const char *type_name(uint32_t type); /* DDL word: "int64", "list" */

/* ddl.c; a text without columns is an error unless `empty_ok` */
int32_t ddl_parse(const char *ddl, uint64_t length, int empty_ok, struct ArrowSchema *out,
                  struct weir_error *error);

/* gather.c */
int32_t column_take(const struct ArrowSchema *schema, const struct ArrowArray *column,
                    const uint32_t *rows, uint32_t n, struct ArrowArray *out,
                    struct weir_error *error);

/* array.c */
int32_t column_create(uint32_t type, uint32_t rows, uint64_t bytes, int32_t nullable,
                      struct ArrowArray *out, struct weir_error *error);

/* builder.c */
int32_t builder_create(const struct ArrowSchema *schema, struct weir_builder **out,
                       struct weir_error *error);
void builder_destroy(struct weir_builder *builder);
struct weir_builder *builder_child(struct weir_builder *builder, uint32_t i);
int32_t builder_append_null(struct weir_builder *builder);
int32_t builder_append_int(struct weir_builder *builder, int64_t value);
int32_t builder_append_float(struct weir_builder *builder, double value);
int32_t builder_append_bytes(struct weir_builder *builder, const void *bytes, uint64_t length);
int32_t builder_append_valid(struct weir_builder *builder);
int32_t builder_append_from(struct weir_builder *builder, const struct ArrowArray *array,
                            uint32_t row);
uint32_t builder_rows(const struct weir_builder *builder);
int32_t builder_finish(struct weir_builder *builder, struct ArrowArray *out,
                       struct weir_error *error);

/* json.c */
int32_t rows_parse(const struct ArrowSchema *schema, const char *json, uint64_t length,
                   struct ArrowArray *out, struct weir_error *error);

/* show.c */
int32_t base64_add(struct weir_buffer *out, struct weir_bytes bytes);
int base64_decode(const char *text, uint64_t n, uint8_t *out, uint64_t *length); /* 0 ok */

/* time.c */
int64_t days_of_civil(int64_t year, uint32_t month, uint32_t day);

/* crc32c.c: the two forms behind crc32c(), for the test that compares them */
uint32_t crc32c_plain(uint32_t crc, const void *bytes, uint64_t n);
int crc32c_hardware(uint32_t *crc, const void *bytes, uint64_t n); /* 0: not on this machine */

#endif
