/*
 * batch.c - the micro-batch loop: read → plan → process → deliver → checkpoint → commit.
 *
 *   open       the trigger fires; T and W(n-1) are fixed
 *   read       rows run through decoding and stateless operators while they are read (read.c, pipe.c)
 *   close      the trigger, a limit or the end of the data ends the batch at the positions then reached
 *   plan       PLAN(n) is made durable: the batch is fixed; up to here nobody outside has seen a row
 *   process    the stages with a distribution and state run (stage.c)
 *   deliver    sinks write and finish, two-phase sinks prepare (deliver.c)
 *   checkpoint STATE(n) is made durable: changed state, positions, committables (checkpoint.c)
 *   commit     two-phase sinks commit; DONE(n); sources are told what they may forget
 *
 * Reading of n+1 begins as soon as PLAN(n) is durable, where the trigger allows it, and goes on while n is
 * processed: whoever waits (run_await) also lets the readers' completions run. No other effect of n+1
 * comes before STATE(n), since the loop does not plan n+1 before it is through with n.
 *
 * A failure ends the run: state and positions in memory are then ahead of the log, and the next start reads them
 * back. There is no undo.
 */
#include "core/run/batch.h"

#include <stdlib.h>

#include "core/run/checkpoint.h"
#include "core/run/deliver.h"
#include "core/run/memory.h"
#include "core/run/rate.h"
#include "core/run/read.h"
#include "core/run/reject.h"
#include "core/run/stage.h"
#include "core/run/trigger.h"
#include "core/run/watermark.h"
#include "core/sys/planted.h"

/* ---- batches ---- */

static struct batch *batch_create(struct run *run)
{
    uint32_t n = run->plan->n_nodes;
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->run = run;
    batch->origins = calloc(n, sizeof *batch->origins);
    batch->watermarks = calloc(n, sizeof *batch->watermarks);
    batch->late = calloc(2 * n, sizeof *batch->late);
    batch->evict = calloc(2 * n, sizeof *batch->evict);
    batch->counters = calloc(n, sizeof *batch->counters);
    batch->event_times = calloc(n, sizeof *batch->event_times);
    batch->absent = calloc(n, sizeof *batch->absent);
    batch->sink_rows = calloc(n, sizeof *batch->sink_rows);
    batch->seen = calloc(n, sizeof *batch->seen);
    batch->tick_us = INT64_MIN;
    batch->closes_mono = INT64_MAX;
    for (uint32_t i = 0; batch->watermarks && i < n; i++)
        batch->watermarks[i] = WEIR_WATERMARK_NONE;
    weir_error_init(&batch->error);
    return batch;
}

static void origin_fini(struct origin_result *origin, uint32_t leaves)
{
    for (uint32_t u = 0; u < origin->n_units; u++) {
        struct unit_result *unit = &origin->units[u];
        for (uint32_t i = 0; unit->leaves && i < leaves; i++) outbox_fini(&unit->leaves[i]);
        free(unit->leaves);
        free(unit->name);
        rejects_free(unit->rejects);
    }
    free(origin->units);
}

static void batch_destroy(struct batch *batch)
{
    if (!batch) return;
    struct run *run = batch->run;
    atomic_fetch_sub(&run->in_flight, atomic_load(&batch->in_flight));
    for (uint32_t i = 0; batch->origins && i < run->plan->n_nodes; i++)
        origin_fini(&batch->origins[i], run->plan->nodes[i]->pipe.n_leaves);
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        free(batch->moves[i].partition);
        free(batch->moves[i].from);
        free(batch->moves[i].until);
        mem_free(batch->moves[i].spool.data);
    }
    free(batch->moves);
    rejects_free(batch->rejects);
    free(batch->origins);
    free(batch->watermarks);
    free(batch->late);
    free(batch->evict);
    free(batch->counters);
    free(batch->event_times);
    free(batch->absent);
    free(batch->sink_rows);
    free(batch->seen);
    free(batch);
}

static int whole(const struct batch *batch)
{
    return batch && batch->origins && batch->watermarks && batch->absent && batch->sink_rows &&
           batch->late && batch->evict && batch->counters && batch->event_times &&
           batch->seen;
}

/* ---- open ---- */

static double limit_of(const struct source *source, const char *option)
{
    struct weir_value value = { .size = sizeof value };
    if (options_get(source->node->options, option, &value) != WEIR_OK) return 0;
    return value.type == WEIR_OPTION_FLOAT ? value.number : (double)value.integer;
}

/* How many records each source may give to this batch. */
static void set_budgets(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        double budget = (double)UNLIMITED, seconds = rate_seconds(source->pid);
        double rate = rate_allowed(source->rate, limit_of(source, "max_rate"));
        double records = limit_of(source, "max_records");
        if (rate > 0 && rate * seconds < budget) budget = rate * seconds;
        if (records > 0 && records < budget) budget = records;
        if (budget < 1) budget = 1;
        if (run->job->trigger == TRIGGER_ONCE) budget = (double)UNLIMITED;
        atomic_store(&source->budget, (long long)budget);
    }
}

static struct batch *batch_open(struct run *run)
{
    struct batch *batch = batch_create(run);
    if (!whole(batch)) {
        struct weir_error error = WEIR_ERROR_INIT;
        weir_fail(&error, WEIR_FATAL, "out of memory");
        run_fail(run, "batch", &error);
        batch_destroy(batch);
        return NULL;
    }
    batch->id = run->next_batch;
    batch->time_us = trigger_time(run, &batch->tick_us);
    batch->late_us = run->previous_watermark_us;
    watermark_spread(run->plan, batch->late_us, batch->late);
    batch->opened_mono = sys_mono(run->sys);
    if (run->interval_us && batch->tick_us == INT64_MIN)
        batch->closes_mono = batch->opened_mono + run->interval_us;
    set_budgets(run);
    run->next_batch++;
    read_begin(run, batch);
    return batch;
}

static int is_stopping(void *arg)
{
    return ((struct run *)arg)->stopping;
}

/* Waits for the trigger. 0: the job is to end. */
static int await_trigger(struct run *run)
{
    while (!run->stopping && !run->failed) {
        int64_t at = trigger_opens(run);
        int64_t now = sys_now(run->sys);
        if (at == INT64_MIN || at <= now) return 1;
        run_await(run, is_stopping, run, sys_mono(run->sys) + (at - now));
    }
    return 0;
}

/* ---- read ---- */

/* Whether state wants a batch though nothing was read. */
static int state_is_due(struct run *run, int64_t time_us)
{
    if (run->summary.batches == 0 && run->next_batch > 1) return 0; /* right after a restart */
    if (!run->job->no_data_batches) return 0;
    return watermark_awaited(run) || stages_due(run, time_us);
}

/* A batch in which nothing happened has no id. */
static int batch_is_nothing(struct run *run, struct batch *batch)
{
    if (batch->result != WEIR_OK || read_moved(run)) return 0;
    if (run->plan->ticking && run->job->trigger != TRIGGER_AVAILABLE_NOW) return 0;
    return !state_is_due(run, batch->time_us);
}

static int wants_tick(const struct batch *batch)
{
    return batch->tick_us != INT64_MIN && !batch->replay;
}

/* 1 if the batch may end here: nothing more to read now, and the trigger does not want to wait. */
static int reading_is_over(struct run *run, struct batch *batch)
{
    if (atomic_load(&batch->closing)) return read_idle(run);
    if (!read_exhausted(run)) return 0;
    if (batch->replay) return 1;
    if (wants_tick(batch)) {
        if (sys_now(run->sys) < batch->tick_us) return 0;
        if (batch->polled) return 1;
        batch->polled = 1;
        read_poll_all(run);
        read_relist(run);
        read_kick(run);
        return 0;
    }
    if (run->job->trigger != TRIGGER_ASAP) return 1;
    return read_moved(run) || read_all_ended(run) || state_is_due(run, batch->time_us);
}

/* A job without a grid wakes when a timer of its state runs out. */
static int64_t when_due(const struct run *run, int64_t otherwise)
{
    int64_t due = stages_next_due(run), now = sys_now(run->sys);
    if (due == INT64_MAX || !run->job->no_data_batches) return otherwise;
    return due > now ? sys_mono(run->sys) + (due - now) : sys_mono(run->sys) + 1000;
}

static int64_t reading_deadline(const struct run *run, const struct batch *batch)
{
    int64_t at = batch->closes_mono, mono = sys_mono(run->sys);
    if (wants_tick(batch)) {
        int64_t left = batch->tick_us - sys_now(run->sys);
        return left > 0 ? mono + left : mono + 1000;
    }
    if (run->job->trigger == TRIGGER_ASAP && !batch->replay) return when_due(run, at);
    return at;
}

/* A batch that waits for its first row has the T of that row's arrival. */
static void renew_time(struct run *run, struct batch *batch)
{
    int64_t tick;
    if (batch->tick_us != INT64_MIN || batch->replay || !read_idle(run) || read_moved(run)) return;
    batch->time_us = trigger_time(run, &tick);
}

static int reading_step(void *arg)
{
    struct run *run = arg;
    struct batch *batch = run->reading;
    read_again(run);
    if (atomic_load(&batch->closing)) return read_idle(run);
    if (run->stopping && !batch->replay) return 1;
    renew_time(run, batch);
    read_relist(run);
    read_kick(run);
    return reading_is_over(run, batch);
}

static void read_batch(struct run *run, struct batch *batch)
{
    while (!run->failed && run->stopping < 2) {
        if (run_await(run, reading_step, run, reading_deadline(run, batch))) break;
        if (sys_mono(run->sys) >= batch->closes_mono) break; /* its interval is over */
    }
    read_close(run);
    for (;;) {
        read_again(run);
        if (read_closed(run)) break;
        run_wait(run, read_next_again(run));
    }
}

/* ---- plan, process, deliver, checkpoint, commit ---- */

static int32_t batch_failed(struct run *run, struct batch *batch)
{
    weir_fail(&batch->error, WEIR_FATAL, "the batch failed without a reason");
    run_fail(run, batch->where, &batch->error);
    if (batch->planned && batch->error.error_class == WEIR_DATA)
        journal_add(run->journal, WEIR_LOG_INFO, NULL, (int64_t)batch->id,
                    "the batch is planned: the next start runs it again under the job that planned it, "
                    "also where that start has another job, unless --replan is given");
    return batch->error.error_class;
}

/* More than a tenth of the rows that an instance saw. */
static int32_t check_share(struct batch *batch, const struct plan_node *node)
{
    uint64_t bad = rejects_kept_of(batch->rejects, node->index);
    uint64_t seen = atomic_load(&batch->seen[node->index]);
    if (seen < 100 || bad * 10 <= seen) return WEIR_OK;
    if (batch->run->checkpoint == NULL) rejects_log(batch->rejects, batch->run, batch->id);
    snprintf(batch->where, sizeof batch->where, "%s", node->name);
    return weir_fail(&batch->error, WEIR_DATA,
                     "%llu of %llu rows can't be used, more than 10 %%: mend the format or the "
                     "expressions, or set on_error to skip",
                     (unsigned long long)bad, (unsigned long long)seen);
}

static int32_t check_rejects(struct run *run, struct batch *batch)
{
    for (uint32_t i = 0; i < run->plan->n_nodes; i++)
        run->rejected_by_node[i] += rejects_of(batch->rejects, i);
    run->summary.rows_rejected += batch->rows_bad;
    if (reasons_add(&run->reasons, batch->rejects) != WEIR_OK) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++)
        if (check_share(batch, run->plan->nodes[i]) != WEIR_OK) return batch_failed(run, batch);
    return WEIR_OK;
}

static void control_rates(struct run *run, const struct batch *batch)
{
    int64_t done = sys_mono(run->sys);
    if (!run->job->backpressure) return;
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        uint64_t rows = 0;
        for (uint32_t k = 0; k < batch->n_moves; k++)
            if (batch->moves[k].source == source) rows += batch->moves[k].rows;
        double rate = rate_batch(source->pid, done, rows, done - batch->started_mono,
                                 run->interval_us ? batch->started_mono - batch->opened_mono
                                                  : 0); /* nothing to be late for */
        source->rate = rate_taken(source->rate, rate);
    }
}

/* Sources may forget: spooled ones after PLAN, replayable ones after STATE. */
static void commit_sources(struct run *run, const struct batch *batch, int spooled)
{
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        const struct move *move = &batch->moves[i];
        const struct weir_source *table = move->source->node->component->table;
        struct weir_error error = WEIR_ERROR_INIT;
        struct weir_bytes until = { move->until, move->until_length };
        if (move->source->spooled != spooled || !table->commit) continue;
        if (table->commit(move->source->node->self, move->partition, until, &error) != WEIR_OK)
            journal_add(run->journal, WEIR_LOG_WARN, move->source->node->name, (int64_t)batch->id,
                        "the source could not take note of partition \"%s\": %s", move->partition,
                        error.text);
    }
}

/* Whether the next batch may be read while this one is processed. */
static int opens_early(struct run *run, const struct batch *batch)
{
    const struct run_options *options = run->options;
    if (run->stopping || run->failed || batch->replay || run->job->trigger == TRIGGER_ONCE) return 0;
    if (read_all_ended(run)) return 0;
    if (atomic_load(&run->in_flight) > run->in_flight_limit / 2) return 0; /* no room for it yet */
    if (options->max_batches && run->summary.batches + 1 >= options->max_batches) return 0;
    if (run->job->trigger == TRIGGER_AVAILABLE_NOW) return 1;
    return trigger_opens(run) == INT64_MIN;
}

static int32_t process_batch(struct run *run, struct batch *batch, struct batch **next)
{
    const struct run_hooks *hooks = &run->options->hooks;
    int32_t result = batch->result;
    batch->started_mono = sys_mono(run->sys);
    batch->evict_us = run->watermark_us;
    watermark_spread(run->plan, batch->evict_us, batch->evict);
    run->previous_watermark_us = batch->evict_us;
    run->last_time_us = batch->time_us;
    if (result != WEIR_OK) return batch_failed(run, batch);
    if (read_collect(run, batch) != WEIR_OK) return batch_failed(run, batch);

    if (!batch->replay && (result = checkpoint_plan(run, batch)) != WEIR_OK) return result;
    batch->planned = run->checkpoint != NULL;
    if (!batch->replay && hooks->plan_done) hooks->plan_done(hooks->arg, batch->id);
    commit_sources(run, batch, 1);
    if (planted(PLANTED_RUN_FORGET_EARLY)) commit_sources(run, batch, 0);
    if (opens_early(run, batch)) *next = batch_open(run);

    if ((result = stages_run(run, batch)) != WEIR_OK)
        return result == WEIR_CANCELLED ? result : batch_failed(run, batch);
    if (memory_check_state(run, batch) != WEIR_OK) return batch_failed(run, batch);
    if ((result = check_rejects(run, batch)) != WEIR_OK) return result;
    watermark_advance(run, batch);
    if ((result = deliver_batch(run, batch)) != WEIR_OK) return result;

    if (planted(PLANTED_RUN_COMMIT_EARLY)) deliver_commit(run, batch);
    if ((result = checkpoint_state(run, batch)) != WEIR_OK) return result;
    if (hooks->state_done) hooks->state_done(hooks->arg, batch->id);
    run->watermark_us = run->next_watermark_us;
    if (planted(PLANTED_RUN_DONE_EARLY)) checkpoint_done(run, batch);
    if ((result = deliver_commit(run, batch)) != WEIR_OK) return result;
    if ((result = checkpoint_done(run, batch)) != WEIR_OK) return result;
    deliver_over(run);
    commit_sources(run, batch, 0);
    return WEIR_OK;
}

static void batch_over(struct run *run, struct batch *batch)
{
    if (run->summary.batches++ == 0) run->summary.first_batch = batch->id;
    run->summary.last_batch = batch->id;
    run->summary.rows_in += batch->rows_in;
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        run->sinks[i].rows_total += batch->sink_rows[run->sinks[i].node->index];
        run->summary.rows_out += batch->sink_rows[run->sinks[i].node->index];
    }
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct origin_result *origin = &batch->origins[run->sources[i].node->index];
        for (uint32_t u = 0; u < origin->n_units; u++)
            for (uint32_t k = 0; k < run->sources[i].node->pipe.n_leaves; k++)
                outbox_fini(&origin->units[u].leaves[k]);
    }
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        counters_close(&run->counters[i], &batch->counters[i]);
        run->event_times[i] = batch->event_times[i];
        run->summary.rows_late += (uint64_t)counters_value(&run->counters[i], "late");
    }
    control_rates(run, batch);
    if (run->options->hooks.batch_done)
        run->options->hooks.batch_done(run->options->hooks.arg, run, batch->id);
}

/* ---- the loop ---- */

static int ends_now(struct run *run)
{
    if (run->job->trigger == TRIGGER_ONCE || run->job->trigger == TRIGGER_AVAILABLE_NOW) return 1;
    return read_all_ended(run) && !run->plan->ticking;
}

/* A class without a word about it: there was no memory for one. */
static int32_t settled(struct run *run, int32_t result)
{
    struct weir_error error = WEIR_ERROR_INIT;
    if (result == WEIR_OK || result == WEIR_CANCELLED || run->failed) return result;
    weir_fail(&error, result, "out of memory");
    run_fail(run, "batch", &error);
    return result;
}

int32_t batch_replay(struct run *run)
{
    struct batch *batch = batch_create(run), *next = NULL;
    if (!whole(batch)) {
        batch_destroy(batch);
        return WEIR_FATAL;
    }
    batch->plan = checkpoint_pending(run->checkpoint, &batch->id);
    batch->replay = 1;
    batch->time_us = planted(PLANTED_RUN_REPLAY_NOW) ? sys_now(run->sys) : batch->plan->time_us;
    batch->late_us = batch->plan->late_us;
    watermark_spread(run->plan, batch->late_us, batch->late);
    batch->opened_mono = sys_mono(run->sys);
    run->next_batch = batch->id + 1;
    journal_add(run->journal, WEIR_LOG_INFO, NULL, (int64_t)batch->id,
                "the batch was planned but not finished: it runs again");
    int32_t result = read_replay(run, batch, batch->plan);
    if (result == WEIR_OK) {
        read_batch(run, batch);
        result = run->failed || run->stopping > 1 ? WEIR_CANCELLED
                                                  : process_batch(run, batch, &next);
    }
    if (run->reading) read_drop(run);
    if (result == WEIR_OK) batch_over(run, batch);
    batch_destroy(batch);
    return result;
}

/* A batch that was pending at the start counts. */
static int has_enough(const struct run *run)
{
    return run->options->max_batches && run->summary.batches >= run->options->max_batches;
}

void batch_loop(struct run *run)
{
    struct batch *next = NULL;
    while (!run->failed && !has_enough(run)) {
        struct batch *batch = next;
        next = NULL;
        if (!batch && (!await_trigger(run) || !(batch = batch_open(run)))) break;
        read_batch(run, batch);
        int stop = run->failed || run->stopping > 1;
        if (!stop && batch_is_nothing(run, batch)) {
            stop = ends_now(run) || run->stopping;
            read_drop(run);
            run->next_batch--;
        } else if (!stop) {
            stop = settled(run, process_batch(run, batch, &next)) != WEIR_OK;
            if (!stop) batch_over(run, batch);
            if (run->job->trigger == TRIGGER_ONCE) stop = 1;
            if ((run->stopping || read_all_ended(run)) && !next) stop = 1;
        }
        batch_destroy(batch);
        if (stop) break;
    }
    if (next) {
        read_batch(run, next);
        read_drop(run);
        batch_destroy(next);
    } else if (run->reading) {
        read_drop(run);
    }
}
