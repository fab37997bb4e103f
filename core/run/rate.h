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
    int64_t fixed_us; /* what a batch takes whatever its rows; 0: nothing is known */
};

void rate_init(struct rate *rate, int64_t interval_us, double proportional, double integral,
               double derivative, double min_rate);
/* Batch of `n` records that was done at `time_us` after processing_us, having waited
 * scheduling_us. Returns the new rate, or a negative number where there is none (first or
 * refused update). */
double rate_update(struct rate *rate, int64_t time_us, uint64_t n, int64_t processing_us,
                   int64_t scheduling_us);

/* Purpose: rate_update for a batch that waited waited_us for the one before it, from when it was
 * opened, and   then took processing_us: less what a batch takes anyway, where the interval is
 * that short. Thread and state: [control]. Returns: as rate_update. */
double rate_batch(struct rate *rate, int64_t time_us, uint64_t n, int64_t processing_us,
                  int64_t waited_us);

/* Purpose: how long a batch lasts at least, in seconds: a rate times this is what one may read.
 * Thread and state: [any], pure. */
double rate_seconds(const struct rate *rate);

/* Purpose: the rate that holds after an estimate: it, or the one before where there is none (0
 * or less). Thread and state: [any], pure. */
double rate_taken(double before, double estimate);

/* Purpose: records per second that a source may give, by its rate (0: none is known) and the
 * greatest one that   it was given (0: none). Returns: 0 where there is no limit. Thread and
 * state: [any], pure. */
double rate_allowed(double rate, double greatest);

#endif
