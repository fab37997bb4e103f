/*
 * json_shim.h - simdjson's On-Demand parser behind C. No exception gets out: it is built without
 * them, and allocates by malloc alone.
 */
#ifndef FORMAT_JSON_SHIM_H
#define FORMAT_JSON_SHIM_H

#include "plugins/share/column.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_NESTING_MAX 64
#define JSON_LONG_RECORD (12u << 20) /* bytes: longer ones are for json_parse alone */

/* What became of a record. */
#define JSON_ROW 0     /* one row more in the columns that it named */
#define JSON_SYNTAX 1  /* not JSON, or not an object */
#define JSON_UTF8 2    /* not UTF-8 */
#define JSON_NESTED 3  /* over 64 levels */
#define JSON_FIT 4     /* a value does not fit its column, see json_fault.column */
#define JSON_MEMORY 5

/* A member of an object or element of an array that some column reads. */
struct json_path {
    const char *name; /* of a member */
    uint64_t n_name;
    int64_t index;     /* of an element; -1: a member */
    uint32_t *columns; /* columns that take this value */
    uint32_t n_columns;
    struct json_path *parts; /* what is read inside of it */
    uint32_t n_parts;
    uint32_t *below; /* all columns that take this value or one inside of it */
    uint32_t n_below;
};

struct json_plan {
    struct json_path root;
    int64_t timestamp_unit; /* microseconds per unit; 0: ISO 8601 text */
    int32_t null_on_error;  /* bad fields are null */
    uint32_t n_columns;
    int32_t condition;      /* rows whose text in this column is another than `equals` may be left out; -1 */
    struct weir_bytes equals;
};

struct json_fault {
    int32_t column; /* of JSON_FIT: the first column that failed; else -1 */
};

struct json_parser;

/* NULL without memory. One thread at a time. */
struct json_parser *json_parser_create(void);
void json_parser_destroy(struct json_parser *parser);

/* Records read one after the other. */
struct json_run {
    uint32_t rows;     /* that all columns have */
    uint32_t most;     /* then it stops */
    uint32_t left_out; /* records of which the condition is not true: they make no row */
    int32_t alone;     /* 1: the text is one record, not lines of them */
    int32_t odd;       /* out. 1: json_parse is due for the record behind what was read */
    uint64_t enough;   /* bytes: then it stops, too */
};

/* Reads records from the start of `text` on, behind which 64 bytes are readable, for as long as they
 * look like ones that json_parse took. Returns the bytes read; all columns have run->rows rows then.
 * Empty lines may be among the bytes. */
uint64_t json_run(struct json_parser *parser, const struct json_plan *plan, struct column *columns,
                  struct json_run *run, const uint8_t *text, uint64_t length);

/* Parses one record of `length` bytes, of which 64 more are readable, into columns that all have
 * `row` rows. Columns that the record did not name keep `row` rows, the others have one more. After
 * another result than JSON_ROW columns may hold a part of the row: truncate them. With
 * null_on_error a bad field is left out and fault->column is set. */
int32_t json_parse(struct json_parser *parser, const struct json_plan *plan,
                   struct column *columns, uint32_t row, const uint8_t *text, uint64_t length,
                   struct json_fault *fault);

/* A document that is an object (one row) or an array of objects (a row each): checked as a whole
 * first, then `fn` is called behind each row with its result; another return than 0 ends it.
 * JSON_ROW if all was walked, JSON_SYNTAX and so on if the document is bad and no row was given. */
typedef int (*json_row_fn)(void *arg, int32_t result, const struct json_fault *fault,
                           const uint8_t *text, uint64_t length, uint32_t *row);
int32_t json_parse_document(struct json_parser *parser, const struct json_plan *plan,
                            struct column *columns, uint32_t row, const uint8_t *text,
                            uint64_t length, json_row_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
