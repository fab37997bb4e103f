/*
 * array.h - arrays and schemas in host memory: making, validating, gathering, comparing.
 * All [any]; arrays are immutable once shared. Host memory is 64-byte aligned with 64 readable
 * bytes behind each buffer.
 */
#ifndef WEIR_CORE_ARRAY_H
#define WEIR_CORE_ARRAY_H

#include <weir/data.h>

/* Once, by main, before threads start: freed memory stays with the process, within bounds, so
 * that the next chunk does not fault its pages in anew. */
void mem_setup(void);
/* Memory of the host table: counted; may be made to fail at the n-th call by tests. */
void *mem_alloc(uint64_t bytes);
void *mem_realloc(void *p, uint64_t bytes);
#define MEM_MAPPED (64u << 10)
/* As mem_realloc, for blocks that live long and grow: from MEM_MAPPED bytes on they grow without being copied. */
void *mem_grow(void *p, uint64_t bytes);
void mem_free(void *p);
char *mem_text(const char *text);           /* a copy, NULL without memory */
uint64_t mem_in_use(void);                  /* bytes, all threads */
void mem_fail_at(uint64_t n, int forever);  /* tests: the n-th allocation from now fails; 0: off */
int32_t buffer_grow(struct weir_buffer *buffer, uint64_t more);
int32_t buffer_add(struct weir_buffer *buffer, const void *bytes, uint64_t n);

extern const struct weir_data weir_data_1; /* the table of weir.data/1 */

/* Checks that an array keeps the profile for its schema: offsets ascending and within bounds of a
 * size that the offsets themselves give, validity NULL iff no nulls, UTF-8 only if `deep`.
 * OK, or DATA with column and reason in the error. Mends null_count 0 with a bitmap (drops it). */
int32_t array_validate(const struct ArrowSchema *schema, struct ArrowArray *array, int deep,
                       struct weir_error *error);
int32_t schema_check(const struct ArrowSchema *schema, struct weir_error *error); /* the profile */
int schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b); /* names and types */
int schema_same_type(const struct ArrowSchema *a, const struct ArrowSchema *b); /* types only */
/* unknown.c: schemas of a check that goes on behind a mistake. schema_open lets a schema (a
 * released one: an empty one) have further columns. */
int schema_has_unknown(const struct ArrowSchema *schema); /* a type that is not known, anywhere */
int schema_is_open(const struct ArrowSchema *schema);
int32_t schema_open(struct ArrowSchema *schema); /* made by this folder */
/* DDL text of a schema ("a string, b list<int64>"), or of one type; mem_alloc'ed. */
char *schema_ddl(const struct ArrowSchema *schema);
char *type_ddl(const struct ArrowSchema *type);

void array_release(struct ArrowArray *array);   /* NULL and released ones allowed */
void schema_release(struct ArrowSchema *schema);
/* Bytes of memory that an array's buffers take (for budgets). */
uint64_t array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array);
/* Struct array of the given columns, which are moved into it. n may be 0 (rows then counts). */
int32_t array_struct(struct ArrowArray *columns, uint32_t n, uint32_t rows, struct ArrowArray *out,
                     struct weir_error *error);
/* Rows `rows` of a struct array (all columns), and several struct arrays one behind the other.
 * selections[i] NULL: all rows of arrays[i]. */
int32_t array_take(const struct ArrowSchema *schema, const struct ArrowArray *array,
                   const uint32_t *rows, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error);
int32_t array_concat(const struct ArrowSchema *schema, const struct ArrowArray *const *arrays,
                     const uint32_t *const *selections, const uint32_t *counts, uint32_t n,
                     struct ArrowArray *out, struct weir_error *error);
/* Appends one value as text, as console and csv show it (the word for null is the caller's). */
int32_t value_text(const struct ArrowSchema *type, const struct ArrowArray *array, uint32_t row,
                   struct weir_buffer *out);
/* One value as JSON (catalog of formats: NaN as "NaN", binary as base64, structs as objects). */
int32_t value_json(const struct ArrowSchema *type, const struct ArrowArray *array, uint32_t row,
                   struct weir_buffer *out);
/* Rows [[…],[…]] as JSON. */
int32_t rows_json(const struct ArrowSchema *schema, const struct ArrowArray *array,
                  const uint32_t *selection, uint32_t n, struct weir_buffer *out);
int utf8_valid(const uint8_t *bytes, uint64_t n);

/* Text of numbers and times, shared by casts, csv, json and console; no locale. */
uint32_t text_of_int(int64_t value, char out[24]);
uint32_t text_of_float(double value, char out[32]);      /* shortest round trip: 1.0, 1.0E20 */
uint32_t text_of_timestamp(int64_t us, char out[40]);    /* 2024-01-02T03:04:05.678Z */
uint32_t text_of_date(int32_t days, char out[16]);
/* Whole text, ASCII space trimmed; 0 ok, -1 not a value, -2 out of range. */
int int_of_text(const char *text, uint64_t n, int64_t *out);
int float_of_text(const char *text, uint64_t n, double *out);
int timestamp_of_text(const char *text, uint64_t n, int64_t *us);
int date_of_text(const char *text, uint64_t n, int32_t *days);

#endif
