/*
 * csv_cell.h - a field into its column.
 */
#ifndef FORMAT_CSV_CELL_H
#define FORMAT_CSV_CELL_H

#include <string.h>

#include "base/digits.h"
#include "plugins/format_csv/csv.h"

/* What is wrong with a record; the first one counts. */
struct csv_fault {
    const char *column;
    const char *text;
    int32_t code;
};

/* Sets *fault, if it is not set yet. */
void csv_set_fault(struct csv_fault *fault, int32_t code, const char *column, const char *text);

/* The text of a quoted field with its doubled quotes made single, in scratch memory of the lane.
 * 0: without memory. */
int csv_unescape(struct csv_lane *lane, struct weir_bytes *text);

/* Puts a field into its column; a bad one is null for now, and *fault set. */
int32_t csv_take_field(struct csv_lane *lane, const uint8_t *text, const struct csv_field *field,
                       struct column *column, struct csv_fault *fault, struct weir_error *error);

/* Up to `most` (at most 18) digits and nothing else, which is what most integers are. Eight bytes behind the
 * text can be read. */
static inline int plain_digits(struct weir_bytes text, uint64_t most, int64_t *out)
{
    int64_t value = 0;
    uint64_t part;
    uint64_t word, at = 0, n = text.length;
    if (n == 0 || n > most) return 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; n > 8; n -= 8, at += 8) {
        memcpy(&word, text.data + at, 8);
        if (!eight_digits(word, &part)) return 0;
        value = value * 100000000 + (int64_t)part;
    }
    memcpy(&word, text.data + at, 8);
    static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };
    /* the digits at the end of the word, zeros before them */
    if (n < 8) word = word << (64 - 8 * n) | EACH_BYTE('0') >> 8 * n;
    if (!eight_digits(word, &part)) return 0;
    *out = value * powers[n] + (int64_t)part;
    return 1;
#else
    (void)word, (void)part;
    for (; at < n; at++) {
        const uint8_t digit = (uint8_t)(text.data[at] - '0');
        if (digit > 9) return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
#endif
}

/* column_add_int, where it has nothing to do but to store. */
static inline int add_int64(struct column *column, int64_t value)
{
    if (column->rows == column->capacity || column->valid) return column_add_int(column, value);
    ((int64_t *)(void *)column->values)[column->rows++] = value;
    return 1;
}

#endif
