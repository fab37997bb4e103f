/*
 * rate.c - PID rate control.
 *
 * With p the processing rate of the batch, h the records that wait because scheduling was late,
 *   e = rate - p            h = scheduling delay · p / interval        d = (e - last e) / Δt
 *   rate' = max(rate - Kp·e - Ki·h - Kd·d, min_rate)
 * An update counts only if its time is later than the last, it has records and took time; else nothing changes. The first one
 * that counts sets rate = p, e = 0 and gives no estimate.
 */
#include "core/run/rate.h"

void rate_init(struct rate *rate, int64_t interval_us, double proportional, double integral,
               double derivative, double min_rate)
{
    *rate = (struct rate){ proportional, integral, derivative, min_rate, interval_us, INT64_MIN,
                           -1.0, -1.0 };
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

double rate_taken(double before, double estimate)
{
    return estimate > 0 ? estimate : before;
}

double rate_allowed(double rate, double greatest)
{
    return rate > 0 && (greatest <= 0 || rate < greatest) ? rate : greatest;
}
