/*
 * time_windows.h - which windows of time a time lies in, and the slices that windows are made of.
 *
 * Windows are [start + k·slide, start + k·slide + length) for all whole k, with 0 < slide <=
 * length. A time x = t - start lies in those with floor((x - length) / slide) < k <= floor(x /
 * slide).
 *
 * The starts and ends of all windows cut time into *slices*: one per slide where slide divides
 * length, else two, of length mod slide and the rest (Krishnamurthy, Wu, Franklin: On-the-fly
 * sharing for streamed aggregation, 2006; "paired windows"). No window begins or ends inside of a
 * slice, so the begin of a slice lies in the same windows as all of its times.
 *
 * Division is floored, also for times before 1970. [any]
 */
#ifndef OPERATOR_AGGREGATE_TIME_WINDOWS_H
#define OPERATOR_AGGREGATE_TIME_WINDOWS_H

#include <weir/plugin.h>

/* In microseconds. Times are within the years 0001 to 9999, lengths up to as many; so nothing
 * overflows. */
struct time_windows {
    int64_t length, slide, start;
};

/* Windows first … last; none where last < first. */
struct window_range {
    int64_t first, last;
};

static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline int64_t window_begin(const struct time_windows *w, int64_t k)
{
    return w->start + k * w->slide;
}

static inline struct window_range windows_of(const struct time_windows *w, int64_t t)
{
    const int64_t x = t - w->start;
    return (struct window_range){ floor_div(x - w->length, w->slide) + 1, floor_div(x, w->slide) };
}

/* The last window that ends at or before a watermark; INT64_MIN where there is none. */
static inline int64_t windows_closed(const struct time_windows *w, int64_t watermark)
{
    if (watermark < INT64_MIN / 2) return INT64_MIN;
    return floor_div(watermark - w->start - w->length, w->slide);
}

static inline int64_t slice_begin(const struct time_windows *w, int64_t t)
{
    const int64_t rest = w->length % w->slide;
    const int64_t begin = window_begin(w, floor_div(t - w->start, w->slide));
    return t - begin < rest ? begin : begin + rest;
}

#endif
