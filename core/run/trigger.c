/*
 * trigger.c - when a batch opens, when it closes, and its T.
 *
 * Ticking jobs (an operator speaks in every batch) with an interval B: zero = floor(now/B)·B at the first start,
 * kept for the life of the checkpoint; batches have T = zero + B, zero + 2B, … in order, also those missed
 * while the job was down or late, up to `catch_up`. A batch is open from the close of the one before
 * until the clock reaches its T.
 *
 * Quiet jobs: the first batch at once; then at points of the epoch grid; one that overran a point is followed at once,
 * missed points are not made up. T is the clock, at least one microsecond after the last T.
 */
#include "core/run/trigger.h"

#include "core/run/checkpoint.h"

int64_t grid_first(int64_t now_us, int64_t interval_us)
{
    int64_t ticks = now_us / interval_us - (now_us % interval_us < 0);
    return (ticks + 1) * interval_us;
}

int64_t grid_after(int64_t zero_us, int64_t now_us, int64_t interval_us)
{
    return grid_first(now_us - zero_us, interval_us) + zero_us;
}

static int ticks(const struct run *run)
{
    return run->plan->ticking && run->interval_us > 0;
}

int64_t trigger_grid(const struct run *run)
{
    return ticks(run) ? run->interval_us : 0;
}

void trigger_start(struct run *run)
{
    run->interval_us = run->job->trigger == TRIGGER_INTERVAL ? run->job->interval_us : 0;
    run->opened_wall = INT64_MIN;
    if (!ticks(run)) return;
    run->zero_us = run->checkpoint ? checkpoint_zero(run->checkpoint) : INT64_MIN;
    if (run->zero_us != INT64_MIN) return;
    run->zero_us = grid_first(sys_now(run->sys), run->interval_us) - run->interval_us;
    if (run->checkpoint) checkpoint_set_zero(run->checkpoint, run->zero_us);
}

int64_t trigger_opens(const struct run *run)
{
    if (run->interval_us == 0 || ticks(run) || run->opened_wall == INT64_MIN) return INT64_MIN;
    int64_t next = grid_after(0, run->opened_wall, run->interval_us);
    return next <= sys_now(run->sys) ? INT64_MIN : next;
}

/* The tick behind the last one, or the first within catch_up. */
static int64_t next_tick(struct run *run)
{
    int64_t now = sys_now(run->sys), interval = run->interval_us;
    int64_t tick = run->last_time_us == INT64_MIN ? run->zero_us + interval
                                                  : run->last_time_us + interval;
    if ((tick - run->zero_us) % interval != 0) tick = grid_after(run->zero_us, tick, interval);
    if (now - tick <= run->job->catch_up_us) return tick;
    int64_t first = grid_after(run->zero_us, now - run->job->catch_up_us - 1, interval);
    journal_add(run->journal, WEIR_LOG_WARN, NULL, -1,
                "%lld ticks lie further back than catch_up and are skipped",
                (long long)((first - tick) / interval));
    return first;
}

int64_t trigger_time(struct run *run, int64_t *tick)
{
    int64_t now = sys_now(run->sys);
    run->opened_wall = now;
    *tick = INT64_MIN;
    if (ticks(run)) return *tick = next_tick(run);
    return run->last_time_us != INT64_MIN && now <= run->last_time_us ? run->last_time_us + 1 : now;
}
