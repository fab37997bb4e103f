/*
 * text.h - values as text and text as values, as csv, json and console have them. No locale,
 * no allocation; all [any].
 */
#ifndef SHARE_TEXT_H
#define SHARE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TEXT_OF_FLOAT 40u
#define TEXT_OF_TIME 40u

/* Each returns the bytes written; no final NUL. */
uint32_t int_to_text(int64_t value, char out[24]);
uint32_t float_to_text(double value, char out[TEXT_OF_FLOAT]); /* shortest: 1.0, 1.0E20, NaN */
uint32_t timestamp_to_text(int64_t us, char out[TEXT_OF_TIME]); /* 2024-01-02T03:04:05.678Z */
uint32_t date_to_text(int32_t days, char out[TEXT_OF_TIME]);

/* The whole text is the value; ASCII space around it is dropped. 1, or 0 where it is none. */
int text_to_int(const char *text, size_t n, int64_t least, int64_t most, int64_t *out);
int text_to_float(const char *text, size_t n, double *out); /* also NaN, Infinity, any case */
int text_to_bool(const char *text, size_t n, int *out);     /* true, false, any case */
int text_to_date(const char *text, size_t n, int32_t *days);
int text_to_timestamp(const char *text, size_t n, int64_t *us); /* ISO 8601, extended form */
/* A number of seconds (units = 1000000), milliseconds (1000) or microseconds (1) since the epoch;
 * fractions allowed, cut below the microsecond. */
int text_to_epoch(const char *text, size_t n, int64_t units, int64_t *us);
int timestamp_in_range(int64_t us); /* years 0001 to 9999 */

int json_number_ok(const char *text, size_t n); /* by its form; it may be beyond float64 */

int utf8_ok(const uint8_t *text, size_t n);
/* Valid text with U+FFFD for what is not; `out` has room for 3 * n. Returns the bytes written. */
size_t utf8_mend(const uint8_t *text, size_t n, uint8_t *out);

/* Bytes written; `out` has room for 4 * ((n + 2) / 3), or for 3 * (n / 4) + 3. */
size_t base64_to_text(const uint8_t *bytes, size_t n, char *out);
int text_to_base64(const char *text, size_t n, uint8_t *out, size_t *length); /* 0: bad */

uint32_t crc32c_of(const void *bytes, size_t n);
uint64_t fnv1a_of(const void *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
