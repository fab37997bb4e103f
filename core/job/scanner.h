/*
 * scanner.h - where every key and value of a job stands. [control]
 */
#ifndef WEIR_CORE_SCANNER_H
#define WEIR_CORE_SCANNER_H

#include <stddef.h>

#include "core/job/report.h"

#define SCAN_MAX_DEPTH 64u
#define SCAN_MAX_VALUES 1000000u
#define SCAN_COMMAND_LINE "command line"

struct places;

/* `file` is borrowed. NULL without memory. */
struct places *places_create(const char *file);
void places_free(struct places *places);
/* Records all keys and values of a JSON text that a parser has accepted (the text is copied);
 * `skip` bytes at its beginning are no JSON. Duplicate keys, depth and number of values are refused
 * into the report. 0, or -1 where the text can't be used. */
int places_scan(struct places *places, const char *text, size_t n, size_t skip,
                struct report *report);
/* Adds or replaces the place of a path: a value on the command line, `value` is its text (copied;
 * NULL: no text). line 0: unknown. 0, or -1 without memory. */
int places_add(struct places *places, const char *path, uint32_t line, uint32_t column,
               const char *value);
/* The value at `path` (and all below it) is text to be read by the type of its option. */
int places_mark_text(struct places *places, const char *path);
int places_is_text(const struct places *places, const char *path);
/* From `offset` code points on the text of the value is not what stands in the file. */
void places_mark_changed(struct places *places, const char *path, uint32_t offset);

int places_has(const struct places *places, const char *path);
/* Of the value; offset >= 0: of a code point of the string. Falls back to the key of the nearest
 * parent. */
struct place places_value(const struct places *places, const char *path, int32_t offset);
/* Of the key; of the value where there is none. Falls back as places_value. */
struct place places_key(const struct places *places, const char *path);

#endif
