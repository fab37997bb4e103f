/*
 * rate.c - PID rate control.
 *
 * With p the processing rate of the batch, h the records that wait because scheduling was late,
 *   e = rate - p            h = scheduling delay · p / interval        d = (e - last e) / Δt
 *   rate' = max(rate - Kp·e - Ki·h - Kd·d, min_rate)
 * An update counts only if its time is later than the last, it has records and took time; else nothing changes. The first one
 * that counts sets rate = p, e = 0 and gives no estimate.
 *
 * The formula takes all the time of a batch for that of its rows. But a batch has costs of its own: the syncs of the
 * log, the sinks' writes. Where the interval is not much longer than these, fewer rows make no batch shorter, so p
 * falls with the limit that it leads to, and the limit with p, down to min_rate while the source falls behind. So
 * where the interval is below FIXED_MOST, what the quickest of the last batches took (it is forgotten slowly, and
 * at most FIXED_MOST) is not counted: neither as time of rows nor as delay. A quarter of the time of a batch counts
 * in any case, so that a small batch raises the limit fourfold at most: its time may be that of its rows.
 */
#include "core/run/rate.h"

#define FIXED_MOST 100000 /* microseconds */

void rate_init(struct rate *rate, int64_t interval_us, double proportional, double integral,
               double derivative, double min_rate)
{
    *rate = (struct rate){ proportional, integral, derivative, min_rate, interval_us, INT64_MIN,
                           -1.0, -1.0, 0 };
}

double rate_update(struct rate *rate, int64_t time_us, uint64_t n, int64_t processing_us,
                   int64_t scheduling_us)
{
    if (time_us <= rate->latest_us || n == 0 || processing_us <= 0) return -1.0;
    double processed = (double)n / (double)processing_us * 1e6;
    if (rate->latest_us == INT64_MIN) {
        rate->latest_us = time_us;
        rate->latest_rate = processed;
        rate->latest_error = 0.0;
        return -1.0;
    }
    double seconds = (double)(time_us - rate->latest_us) / 1e6;
    double error = rate->latest_rate - processed;
    double waiting = (double)scheduling_us * processed / (double)rate->interval_us;
    double slope = (error - rate->latest_error) / seconds;
    double next = rate->latest_rate - rate->proportional * error - rate->integral * waiting -
                  rate->derivative * slope;
    if (next < rate->min_rate) next = rate->min_rate;
    rate->latest_us = time_us;
    rate->latest_rate = next;
    rate->latest_error = error;
    return next;
}

/* What a batch took anyway, as far as it is known; this one took processing_us. */
static int64_t fixed_cost(struct rate *rate, int64_t processing_us)
{
    int64_t fixed = rate->fixed_us + rate->fixed_us / 64 + 1;
    if (rate->interval_us >= FIXED_MOST) return 0;
    if (rate->fixed_us == 0 || processing_us < fixed) fixed = processing_us;
    if (fixed > FIXED_MOST) fixed = FIXED_MOST;
    rate->fixed_us = fixed;
    return fixed;
}

double rate_seconds(const struct rate *rate)
{
    return (double)(rate->fixed_us > rate->interval_us ? rate->fixed_us : rate->interval_us) / 1e6;
}

double rate_batch(struct rate *rate, int64_t time_us, uint64_t n, int64_t processing_us,
                  int64_t waited_us)
{
    int64_t fixed, rows_us, least = processing_us / 4, delay_us;
    if (n == 0 || processing_us <= 0) return -1.0;
    fixed = fixed_cost(rate, processing_us);
    rows_us = processing_us - fixed;
    if (rows_us < least) rows_us = least;
    if (rows_us < 1) rows_us = 1;
    delay_us = waited_us - (int64_t)(rate_seconds(rate) * 1e6);
    if (delay_us < 0) delay_us = 0;
    /* the formula measures it in intervals: in those that there really are */
    delay_us = (int64_t)((double)delay_us * (double)rate->interval_us / 1e6 / rate_seconds(rate));
    return rate_update(rate, time_us, n, rows_us, delay_us);
}

double rate_taken(double before, double estimate)
{
    return estimate > 0 ? estimate : before;
}

double rate_allowed(double rate, double greatest)
{
    return rate > 0 && (greatest <= 0 || rate < greatest) ? rate : greatest;
}
