/*
 * module.c - the built-in functions as one module: names, counts of arguments, what they claim.
 */
#include "functions.h"

#define PURE (WEIR_CAP_DETERMINISTIC | WEIR_CAP_NULL_IN_NULL_OUT)
#define FAILS (PURE | WEIR_CAP_MAY_FAIL)
#define ANY UINT32_MAX

#define SCALAR_ROW(name, summary, min, max, capabilities)                                          \
    { sizeof(struct weir_component), WEIR_KIND_SCALAR, #name, summary, NULL, 0, min, max, 0, 0, 0, \
      0, 0, capabilities, &scalar_##name, NULL, 0, 0 }
#define AGGREGATE_ROW(name, summary, min, max)                                                     \
    { sizeof(struct weir_component), WEIR_KIND_AGGREGATE, #name, summary, NULL, 0, min, max, 0, 0, \
      1, 1, 0, WEIR_CAP_DETERMINISTIC, &aggregate_##name, NULL, 0, 0 }

static const struct weir_component components[] = {
    SCALAR_ROW(abs, "the number without its sign", 1, 1, FAILS),
    SCALAR_ROW(sign, "-1, 0 or 1", 1, 1, PURE),
    SCALAR_ROW(ceil, "the least integer that is not smaller", 1, 1, FAILS),
    SCALAR_ROW(floor, "the greatest integer that is not larger", 1, 1, FAILS),
    SCALAR_ROW(round, "round(x [, places]): half away from zero", 1, 2, FAILS),
    SCALAR_ROW(sqrt, "square root", 1, 1, FAILS),
    SCALAR_ROW(exp, "e to the power of x", 1, 1, PURE),
    SCALAR_ROW(ln, "natural logarithm", 1, 1, FAILS),
    SCALAR_ROW(log10, "logarithm to the base of 10", 1, 1, FAILS),
    SCALAR_ROW(power, "power(x, y): x to the power of y", 2, 2, PURE),
    SCALAR_ROW(mod, "mod(x, y): remainder with the sign of x", 2, 2, FAILS),
    SCALAR_ROW(pmod, "pmod(x, y): remainder with the sign of y", 2, 2, FAILS),
    SCALAR_ROW(length, "code points of a text, bytes of a binary", 1, 1, PURE),
    SCALAR_ROW(upper, "text in upper case, code point by code point", 1, 1, PURE),
    SCALAR_ROW(lower, "text in lower case, code point by code point", 1, 1, PURE),
    SCALAR_ROW(trim, "trim(s [, characters]): without spaces at both ends", 1, 2, PURE),
    SCALAR_ROW(ltrim, "ltrim(s [, characters]): without spaces at the start", 1, 2, PURE),
    SCALAR_ROW(rtrim, "rtrim(s [, characters]): without spaces at the end", 1, 2, PURE),
    SCALAR_ROW(substr, "substr(s, from [, n]): from 1, negative from the end", 2, 3, PURE),
    SCALAR_ROW(left, "left(s, n): the first n code points", 2, 2, PURE),
    SCALAR_ROW(right, "right(s, n): the last n code points", 2, 2, PURE),
    SCALAR_ROW(concat, "texts one behind the other; null if any is", 1, ANY, PURE),
    SCALAR_ROW(concat_ws, "concat_ws(separator, …): skips nulls", 1, ANY, WEIR_CAP_DETERMINISTIC),
    SCALAR_ROW(replace, "replace(s, from, to): every occurrence", 3, 3, FAILS),
    SCALAR_ROW(split_part, "split_part(s, separator, n): from 1, negative from the end", 3, 3,
               FAILS),
    SCALAR_ROW(contains, "contains(s, part)", 2, 2, PURE),
    SCALAR_ROW(starts_with, "starts_with(s, part)", 2, 2, PURE),
    SCALAR_ROW(ends_with, "ends_with(s, part)", 2, 2, PURE),
    SCALAR_ROW(position, "position(part, s): from 1, 0 if it is not there", 2, 2, PURE),
    SCALAR_ROW(reverse, "code points in reverse", 1, 1, PURE),
    SCALAR_ROW(repeat, "repeat(s, n)", 2, 2, FAILS),
    SCALAR_ROW(lpad, "lpad(s, n [, pad]): filled or cut to n code points", 2, 3, FAILS),
    SCALAR_ROW(rpad, "rpad(s, n [, pad]): filled or cut to n code points", 2, 3, FAILS),
    SCALAR_ROW(rlike, "rlike(s, pattern): does the regular expression match anywhere", 2, 2,
               FAILS),
    SCALAR_ROW(regexp_extract, "regexp_extract(s, pattern [, group 1]): '' without a match", 2, 3,
               FAILS),
    SCALAR_ROW(regexp_replace, "regexp_replace(s, pattern, to): every match, $1 is a group", 3, 3,
               FAILS),
    SCALAR_ROW(to_timestamp, "to_timestamp(s [, strftime format [, zone]])", 1, 3, FAILS),
    SCALAR_ROW(to_date, "to_date(s [, strftime format])", 1, 2, FAILS),
    SCALAR_ROW(extract, "extract(piece from time)", 2, 2, PURE),
    SCALAR_ROW(year, "the year of a time", 1, 1, PURE),
    SCALAR_ROW(month, "the month of a time, 1 to 12", 1, 1, PURE),
    SCALAR_ROW(day, "the day of the month, 1 to 31", 1, 1, PURE),
    SCALAR_ROW(hour, "the hour of a time, 0 to 23", 1, 1, PURE),
    SCALAR_ROW(minute, "the minute of a time, 0 to 59", 1, 1, PURE),
    SCALAR_ROW(second, "the second of a time, 0 to 59", 1, 1, PURE),
    SCALAR_ROW(date_trunc, "date_trunc(unit, time): its start, as a timestamp", 2, 2, PURE),
    SCALAR_ROW(unix_seconds, "seconds since 1970", 1, 1, PURE),
    SCALAR_ROW(unix_millis, "milliseconds since 1970", 1, 1, PURE),
    SCALAR_ROW(from_unix, "timestamp of seconds since 1970", 1, 1, FAILS),
    SCALAR_ROW(from_unix_millis, "timestamp of milliseconds since 1970", 1, 1, FAILS),
    SCALAR_ROW(from_unix_micros, "timestamp of microseconds since 1970", 1, 1, FAILS),
    SCALAR_ROW(date_add, "date_add(date, days)", 2, 2, FAILS),
    AGGREGATE_ROW(count, "rows, or values that are not null", 0, 1),
    AGGREGATE_ROW(sum, "sum of numbers", 1, 1),
    AGGREGATE_ROW(avg, "mean of numbers", 1, 1),
    AGGREGATE_ROW(var, "variance of a sample", 1, 1),
    AGGREGATE_ROW(stddev, "standard deviation of a sample", 1, 1),
    AGGREGATE_ROW(min, "the least value", 1, 1),
    AGGREGATE_ROW(max, "the greatest value", 1, 1),
    AGGREGATE_ROW(first, "the first value, null or not", 1, 1),
    AGGREGATE_ROW(last, "the last value, null or not", 1, 1),
    AGGREGATE_ROW(min_by, "min_by(x, key): x of the row with the least key", 2, 2),
    AGGREGATE_ROW(max_by, "max_by(x, key): x of the row with the greatest key", 2, 2),
    AGGREGATE_ROW(bool_and, "are all true", 1, 1),
    AGGREGATE_ROW(bool_or, "is any true", 1, 1),
};

static const struct weir_plugin plugin = { sizeof plugin,
                                           WEIR_ABI_MAJOR,
                                           0,
                                           0,
                                           "weir.function.builtin",
                                           "1.0",
                                           "MIT",
                                           WEIR_SDK_VERSION,
                                           components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };

WEIR_PLUGIN(plugin)
