/*
 * rate.h - PID rate control: how many records per second a source may give.
 */
#ifndef WEIR_CORE_RATE_H
#define WEIR_CORE_RATE_H

#include <stdint.h>

struct rate {
    double proportional, integral, derivative, min_rate;
    int64_t interval_us;
    int64_t latest_us; /* INT64_MIN: no update accepted yet */
    double latest_rate, latest_error;
};

void rate_init(struct rate *rate, int64_t interval_us, double proportional, double integral,
               double derivative, double min_rate);
/* Batch of `n` records that was done at `time_us` after processing_us, having waited scheduling_us. Returns the new
 * rate, or a negative number where there is none (first or refused update). */
double rate_update(struct rate *rate, int64_t time_us, uint64_t n, int64_t processing_us,
                   int64_t scheduling_us);

#endif
