/*
 * run.c - start and end of a job: everything that is there once, and what is waited for.
 *
 * Start: checkpoint (lock, log) → plan → does it fit? → state and positions from the log → workers,
 * log thread, sinks → what recovery owes (commits, the pending batch) → the loop. A check ends behind
 * the question. End: the same backwards, also from a start that failed half way.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/run/batch.h"
#include "core/run/checkpoint.h"
#include "core/run/deliver.h"
#include "core/run/memory.h"
#include "core/run/rate.h"
#include "core/run/read.h"
#include "core/run/reject.h"
#include "core/run/replan.h"
#include "core/run/run.h"
#include "core/run/stage.h"
#include "core/run/trigger.h"
#include "core/sys/planted.h"

#define FULL_RETRY_US 1000000
#define FIRST_PORTION 4096 /* what rows become is not known yet */
#define DRAIN_US 30000000  /* from the first signal to stopping now */
#define GIVE_UP_US 3000000 /* from stopping now to the end of the process */

void run_fail(struct run *run, const char *where, const struct weir_error *error)
{
    if (run->failed) return;
    run->failed = 1;
    run->error = *error;
    if (!run->error.text[0]) snprintf(run->error.text, sizeof run->error.text, "no reason given");
    if (where != run->error_where)
        snprintf(run->error_where, sizeof run->error_where, "%s", where);
    const int is_io = error->code > 0 && /* an errno of weir.io */
                      (error->error_class == WEIR_FATAL || error->error_class == WEIR_RETRY);
    run->exit_status = error->error_class == WEIR_CONFIG                 ? 78
                       : is_io ? 74
                       : strcmp(where, "checkpoint") != 0 ? 70
                       : error->error_class == WEIR_DATA  ? 73 /* damaged */
                                                          : 74;
    journal_add(run->journal, WEIR_LOG_ERROR, where, -1, "%s", run->error.text);
}

static void cancel_sources(struct run *run)
{
    for (uint32_t i = 0; i < run->n_sources; i++) {
        const struct source *source = &run->sources[i];
        const struct weir_source *table = source->node->component->table;
        if (source->opened && table->cancel) table->cancel(source->node->self);
    }
}

void run_signals(struct run *run)
{
    uint32_t hangups, n = sys_signals(run->sys, &hangups);
    if (hangups) n++; /* a terminal that closes may say so twice, by the shell and by the kernel */
    int64_t now = sys_mono(run->sys);
    int want = n > 1 ? 2 : (int)n, late = run->stopping == 1 && now >= run->drain_until;
    if (late) want = 2;
    if (want <= run->stopping) return;
    run->stopping = want;
    if (want == 1) run->drain_until = now + DRAIN_US;
    if (want == 2) {
        run->drain_until = INT64_MAX;
        cancel_sources(run);
        sys_give_up(run->sys, GIVE_UP_US);
    }
    if (late)
        journal_add(run->journal, WEIR_LOG_WARN, NULL, -1,
                    "the batch under way was not finished within %d s", DRAIN_US / 1000000);
    journal_add(run->journal, WEIR_LOG_INFO, NULL, -1,
                want == 1 ? "stopping: the batch under way is finished first (a second signal "
                            "stops now)"
                          : "stopping now");
}

int run_wait(struct run *run, int64_t until_mono)
{
    int n = sys_wait(run->sys, run->drain_until < until_mono ? run->drain_until : until_mono);
    run_signals(run);
    return n;
}

int run_await(struct run *run, int (*ready)(void *arg), void *arg, int64_t deadline_mono)
{
    for (;;) {
        run_signals(run);
        int64_t now = sys_mono(run->sys);
        if (ready(arg)) return 1;
        if (run->stopping > 1 || run->failed) return 0;
        if (sys_mono(run->sys) >= deadline_mono) return 0;
        /* a wake that has passed already was seen by `ready`, or has nobody who could read now */
        int64_t wake = read_next_wake(run), until = deadline_mono;
        if (run->drain_until < until) until = run->drain_until;
        if (wake > now && wake < until) until = wake;
        int n = run_wait(run, until);
        /* what `ready` itself has set going may be over already */
        if (n == 0 && run->options->hooks.idle && ready(arg)) return 1;
        if (n == 0 && run->options->hooks.idle && sys_mono(run->sys) < until &&
            run->options->hooks.idle(run->options->hooks.arg, run, until))
            run->stopping = run->stopping ? run->stopping : 1;
    }
}

/* ---- start ---- */

static uint32_t count_kind(const struct plan *plan, uint32_t kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_nodes; i++) n += plan->nodes[i]->kind == kind;
    return n;
}

static int32_t make_sources(struct run *run)
{
    run->sources = calloc(count_kind(run->plan, JOB_SOURCE) + 1, sizeof *run->sources);
    if (!run->sources) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        if (node->kind == JOB_OPERATOR &&
            node->bound.distribution[0].kind == WEIR_DISTRIBUTE_PARTITION)
            run->whole_partitions = 1;
        if (node->kind != JOB_SOURCE) continue;
        struct source *source = &run->sources[run->n_sources++];
        struct weir_value spool = { .size = sizeof spool };
        source->run = run;
        source->node = node;
        atomic_store(&source->wake_at, INT64_MAX);
        atomic_store(&source->portion, FIRST_PORTION);
        pthread_mutex_init(&source->one_next, NULL);
        source->rate = run->job->backpressure ? run->job->initial_rate : 0;
        source->spooled = run->checkpoint &&
                          !(node->component->capabilities & WEIR_CAP_REPLAYABLE) &&
                          !(options_get(node->options, "spool", &spool) == WEIR_OK &&
                            options_given(node->options, "spool") && spool.integer == 0);
        source->pid = calloc(1, sizeof *source->pid);
        if (!source->pid) return WEIR_FATAL;
        rate_init(source->pid, run->interval_us ? run->interval_us : 1000000,
                  run->job->proportional, run->job->integral, run->job->derivative,
                  run->job->min_rate);
        node->context.ops = &source_ops;
        node->context.owner = source;
    }
    return WEIR_OK;
}

static int32_t make_sinks(struct run *run)
{
    run->sinks = calloc(count_kind(run->plan, JOB_SINK) + 1, sizeof *run->sinks);
    if (!run->sinks) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        if (node->kind != JOB_SINK) continue;
        struct sink *sink = &run->sinks[run->n_sinks++];
        sink->run = run;
        sink->node = node;
        node->context.owner = sink;
        node->context.ops = &sink_ops;
        node->context.blocking = 1;
        sink->from_log = node->from_log && run->checkpoint != NULL;
        sink->exec = sys_exec_create(run->sys, node->name, 1);
        if (!sink->exec) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static uint32_t worker_count(const struct run *run)
{
    long n = run->options->workers ? (long)run->options->workers
             : run->job->workers   ? (long)run->job->workers
                                   : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (uint32_t)n;
}

static int32_t make_rooms(struct run *run)
{
    uint32_t n = run->plan->n_nodes;
    pthread_mutex_t *lock = malloc(sizeof *lock);
    if (!lock) return WEIR_FATAL;
    pthread_mutex_init(lock, NULL);
    run->pool_lock = lock;
    run->pools = calloc(n, sizeof *run->pools);
    run->origin_pools = calloc(n, sizeof *run->origin_pools);
    run->watermarks = calloc(n, sizeof *run->watermarks);
    run->rejected_by_node = calloc(n, sizeof *run->rejected_by_node);
    run->spread = calloc(4 * n, sizeof *run->spread);
    run->counters = calloc(n, sizeof *run->counters);
    run->event_times = calloc(n, sizeof *run->event_times);
    if (!run->pools || !run->origin_pools || !run->watermarks || !run->rejected_by_node ||
        !run->spread || !run->counters || !run->event_times)
        return WEIR_FATAL;
    for (uint32_t i = 0; i < n; i++) run->watermarks[i] = WEIR_WATERMARK_NONE;
    run->n_workers = worker_count(run);
    memory_shares(run);
    run->workers = sys_exec_create(run->sys, "worker", run->n_workers);
    run->log_exec = sys_exec_create(run->sys, "log", 1);
    return run->workers && run->log_exec ? WEIR_OK : WEIR_FATAL;
}

static int never(void *arg)
{
    (void)arg;
    return 0;
}

static int is_stopping(void *arg)
{
    return ((struct run *)arg)->stopping;
}

static int32_t open_sources(struct run *run, struct weir_error *error)
{
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (;;) {
            weir_error_init(error);
            int32_t result = source_open(&run->sources[i], error);
            if (result == WEIR_OK) break;
            if (result != WEIR_RETRY) {
                snprintf(run->error_where, sizeof run->error_where, "%s",
                         run->sources[i].node->name);
                return weir_fail(error, result, "the source can't be opened");
            }
            journal_add(run->journal, WEIR_LOG_WARN, run->sources[i].node->name, -1,
                        "the source can't be opened, trying again: %s", error->text);
            run_await(run, never, NULL, sys_mono(run->sys) + 1000000);
            if (run->stopping) return WEIR_CANCELLED;
        }
    return WEIR_OK;
}

static int32_t take_recovered(struct sink *sink, uint32_t k)
{
    const struct weir_committable *recovered = &sink->recovered[k];
    sink->has_committable = k < sink->n_recovered;
    sink->owed = sink->drains = k < sink->n_recovered_outputs;
    if (sink->owed) {
        sink->output = sink->recovered_outputs[k];
        memset(&sink->recovered_outputs[k], 0, sizeof sink->output);
    }
    if (!sink->has_committable) return WEIR_OK;
    sink->committable.length = 0;
    sink->committable_batch = recovered->batch;
    return buffer_add(&sink->committable, recovered->bytes.data, recovered->bytes.length);
}

/* What the log holds without a DONE: committables are committed again, rows delivered, in order. */
static int32_t finish_recovered(struct run *run)
{
    uint32_t most = 0;
    if (planted(PLANTED_RUN_NO_RECOMMIT)) return WEIR_OK;
    for (uint32_t i = 0; i < run->n_sinks; i++) {
        const struct sink *sink = &run->sinks[i];
        if (sink->n_recovered > most) most = sink->n_recovered;
        if (sink->n_recovered_outputs > most) most = sink->n_recovered_outputs;
    }
    for (uint32_t k = 0; k < most; k++) {
        for (uint32_t i = 0; i < run->n_sinks; i++)
            if (take_recovered(&run->sinks[i], k) != WEIR_OK) return WEIR_FATAL;
        int32_t result = deliver_commit(run, NULL);
        if (result == WEIR_OK) result = checkpoint_done(run, NULL);
        deliver_over(run);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

/* Instances are told when the job began, which was perhaps in an earlier life. */
static void note_start(struct run *run)
{
    int64_t started = run->checkpoint ? checkpoint_started(run->checkpoint) : sys_now(run->sys);
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        run->plan->nodes[i]->context.started_us = started;
        run->plan->nodes[i]->context.has_started = 1;
    }
}

/* A job that has watermarks begins at 0, as an operator that has seen no event time counts. */
static void start_watermarks(struct run *run)
{
    if (run->watermark_us == WEIR_WATERMARK_NONE) run->watermark_us = 0;
    if (run->previous_watermark_us == WEIR_WATERMARK_NONE) run->previous_watermark_us = 0;
}

static int32_t run_start(struct run *run, struct weir_error *error)
{
    int32_t result = make_rooms(run);
    trigger_start(run);
    note_start(run);
    if (result == WEIR_OK) result = make_sources(run);
    if (result == WEIR_OK) result = make_sinks(run);
    if (result == WEIR_OK && run->checkpoint)
        result = checkpoint_restore(run->checkpoint, run, error);
    if (run->plan->watermarks) start_watermarks(run);
    if (result == WEIR_OK) result = open_sources(run, error);
    if (result != WEIR_OK) return weir_fail(error, result, "out of memory");
    if ((result = sinks_open(run)) != WEIR_OK) return result;
    if ((result = finish_recovered(run)) != WEIR_OK) return result;
    if (run->checkpoint && (result = checkpoint_drop(run)) != WEIR_OK) return result;
    if (!run->checkpoint || !checkpoint_has_pending(run->checkpoint)) return WEIR_OK;
    if (planted(PLANTED_RUN_PENDING_SKIPPED)) return WEIR_OK;
    result = checkpoint_load_spools(run->checkpoint, run, error);
    return result == WEIR_OK ? batch_replay(run) : result;
}

/* ---- end ---- */

static void free_pools(struct run *run)
{
    for (uint32_t i = 0; run->pools && i < run->plan->n_nodes; i++)
        while (run->pools[i]) {
            struct pipe *next = run->pools[i]->next;
            pipe_destroy(run->pools[i]);
            run->pools[i] = next;
        }
    for (uint32_t i = 0; run->origin_pools && i < run->plan->n_nodes; i++)
        while (run->origin_pools[i]) {
            struct origin_lane *next = run->origin_pools[i]->next;
            origin_lane_destroy(run->origin_pools[i]);
            run->origin_pools[i] = next;
        }
}

/* What was done, by instance. */
static void summarise(struct run *run)
{
    json_t *rows_in = json_object(), *rows_out = json_object(), *rejected = json_object();
    json_t *reasons = json_object();
    for (uint32_t i = 0; i < run->n_sources; i++)
        json_object_set_new(rows_in, run->sources[i].node->name,
                            json_integer((json_int_t)run->sources[i].rows_total));
    for (uint32_t i = 0; i < run->n_sinks; i++)
        json_object_set_new(rows_out, run->sinks[i].node->name,
                            json_integer((json_int_t)run->sinks[i].rows_total));
    for (uint32_t i = 0; run->rejected_by_node && i < run->plan->n_nodes; i++)
        if (run->rejected_by_node[i])
            json_object_set_new(rejected, run->plan->nodes[i]->name,
                                json_integer((json_int_t)run->rejected_by_node[i]));
    for (uint32_t i = 0; run->plan && i < run->plan->n_nodes; i++) {
        json_t *of_node = reasons_json(run->reasons, run->plan->nodes[i]);
        if (of_node) json_object_set_new(reasons, run->plan->nodes[i]->name, of_node);
    }
    json_t *all = json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:i}", "batches",
                            (json_int_t)run->summary.batches, "rows_in", rows_in, "rows_out",
                            rows_out, "rejected", rejected, "reasons", reasons, "late",
                            (json_int_t)run->summary.rows_late, "exit",
                            run->failed ? run->exit_status : 0);
    free(run->summary.json);
    run->summary.json = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
    json_decref(all);
}

static void run_end(struct run *run)
{
    summarise(run);
    if (run->sinks) sinks_close(run);
    for (uint32_t i = 0; i < run->n_sources; i++) {
        const struct weir_source *table = run->sources[i].node->component->table;
        if (run->sources[i].opened && table->close) table->close(run->sources[i].node->self);
    }
    if (run->workers) sys_exec_destroy(run->sys, run->workers);
    if (run->log_exec) sys_exec_destroy(run->sys, run->log_exec);
    while (sys_wait(run->sys, 0) > 0) {}
    for (uint32_t i = 0; i < run->n_sinks; i++) sink_fini(&run->sinks[i]);
    for (uint32_t i = 0; i < run->n_sources; i++) {
        source_fini(&run->sources[i]);
        pthread_mutex_destroy(&run->sources[i].one_next);
        free(run->sources[i].pid);
    }
    free_pools(run);
    if (run->pool_lock) pthread_mutex_destroy(run->pool_lock);
    free(run->pool_lock);
    free(run->pools);
    free(run->origin_pools);
    free(run->watermarks);
    free(run->rejected_by_node);
    reasons_free(run->reasons);
    run->reasons = NULL;
    free(run->spread);
    free(run->counters);
    free(run->event_times);
    free(run->sinks);
    free(run->sources);
}

static int exit_of_open(int32_t result)
{
    return result == WEIR_RETRY ? 75 : result == WEIR_FATAL ? 74 : 73;
}

/* What to do about a checkpoint that can't be read, where its error does not say it: repair cuts
 * the log, behind something sound. */
static void say_damaged(const struct run *run, const struct weir_error *error)
{
    const char *directory = run->job->checkpoint;
    if (!directory || error->error_class != WEIR_DATA || !strstr(error->text, "damaged") ||
        strstr(error->text, "put back") || strstr(error->text, "put it back"))
        return;
    if (strstr(error->text, "/log-") && !strstr(error->text, "nothing sound"))
        journal_add(run->journal, WEIR_LOG_ERROR, NULL, -1,
                    "`weir checkpoint verify %s` says all that is damaged, `weir checkpoint repair "
                    "%s` goes back to the last batch before it", directory, directory);
    else
        journal_add(run->journal, WEIR_LOG_ERROR, NULL, -1,
                    "`weir checkpoint repair` can't mend that: put back a copy of %s, or name "
                    "another checkpoint, with which the job begins anew", directory);
}

/* Runs the plan that was made, to its end. */
static int run_plan(struct run *run)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result = run_start(run, &error);
    if (result != WEIR_OK && result != WEIR_CANCELLED && !run->failed) {
        weir_fail(&error, result, "out of memory"); /* where nothing else was said */
        run_fail(run, run->error_where[0] ? run->error_where : "start", &error);
        say_damaged(run, &error);
    }
    if (result == WEIR_OK && !run->only_pending) batch_loop(run);
    run_end(run);
    return run->failed ? run->exit_status : 0;
}

/* What the sinks of a plan would refuse when they are opened; the exit status. */
static int check_sinks(struct run *run, struct report *report)
{
    int status = 0;
    for (uint32_t i = 0; i < run->plan->n_nodes && run->job_id[0]; i++) {
        struct plan_node *node = run->plan->nodes[i];
        if (node->kind != JOB_SINK) continue;
        const struct weir_sink *table = node->component->table;
        const struct weir_identity identity = { .size = sizeof identity,
                                                .job_name = run->job->name,
                                                .job_id = run->job_id,
                                                .sink = node->name };
        struct weir_error error = WEIR_ERROR_INIT;
        if (!table->check || table->check(node->self, &identity, &error) == WEIR_OK) continue;
        options_report(node->options, run->job, node->instance, &error, report);
        status = 73;
    }
    return status;
}

/* What a start would refuse behind the plan; the exit status. */
static int check_start(struct run *run, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result =
        run->checkpoint ? checkpoint_check_state(run->checkpoint, run, &error) : WEIR_OK;
    if (result != WEIR_OK) run_fail(run, "checkpoint", &error);
    const int status = check_sinks(run, report);
    return result != WEIR_OK ? run->exit_status : status;
}

/* One run with one job. only_pending: it ends after the batch that was pending. */
static int run_once(struct run *run, struct report *report, int only_pending)
{
    int status = 78;
    run->only_pending = only_pending;
    run->plan = plan_create(run->job, run->registry, run->sys, run->journal, run->hash_seed,
                            run->checks && !only_pending ? PLAN_CHECK : 0, report);
    if (run->plan && (!run->checkpoint || checkpoint_fits(run, report)))
        status = run->checks ? check_start(run, report) : run_plan(run);
    if (run->plan && run->planned && !only_pending) run->planned(run->planned_arg, run->plan);
    plan_destroy(run->plan);
    run->plan = NULL;
    return status;
}

/* Runs what is owed under the logged job, and closes the checkpoint behind it. */
static int run_logged(struct run *run, struct job *old, struct report *report)
{
    const struct job *new_job = run->job;
    /* the batch may have been too large for the old one */
    old->memory_limit = new_job->memory_limit;
    if (!run->checks)
        journal_add(run->journal, WEIR_LOG_INFO, NULL, -1,
                    "a batch is pending from before: it is finished first, as it was planned");
    run->job = old;
    int status = run_once(run, report, 1);
    run->job = new_job;
    if (status == 78 && report->errors)
        journal_add(run->journal, WEIR_LOG_ERROR, NULL, -1,
                    "the job as it was when it planned the pending batch can't start: put back "
                    "what it lacks, or run the batch under this job with --replan");
    else if (status == 78 && run->failed)
        journal_add(run->journal, WEIR_LOG_ERROR, NULL, -1,
                    "that was the job as it was when it planned the pending batch: what has changed "
                    "since, such as the path of a sink, counts for that batch with --replan only");
    run->owed_are_settled = 1;
    if (run->checks) return status;
    checkpoint_close(run->checkpoint);
    run->checkpoint = NULL;
    return status;
}

/* A batch that was planned under another job is finished under that job first, unless the user
 * wants it otherwise; before state is dropped, a pending batch is finished with it. */
static int finish_with_logged_job(struct run *run, struct report *report)
{
    const struct run_options *options = run->options;
    const char *text = checkpoint_other_job(run->checkpoint, checkpoint_text(run->checkpoint));
    int pending = checkpoint_has_pending(run->checkpoint), status = 0;
    if (!text && pending && options->n_drop) text = checkpoint_text(run->checkpoint);
    if (!text) return 0;
    struct job *old = job_from_text(run->sys, text, report);
    if (!old) return 78;
    if (pending && options->replan)
        status = replan_allowed(run, old) ? 0 : run->exit_status;
    else
        status = run_logged(run, old, report);
    free(old->checkpoint);
    old->checkpoint = NULL;
    job_free(old);
    return status;
}

static void run_reset(struct run *run)
{
    run->sources = NULL;
    run->sinks = NULL;
    run->n_sources = run->n_sinks = 0;
    run->pools = NULL;
    run->origin_pools = NULL;
    run->pool_lock = NULL;
    run->watermarks = NULL;
    run->rejected_by_node = NULL;
    run->spread = NULL;
    run->counters = NULL;
    run->event_times = NULL;
    run->workers = run->log_exec = NULL;
    run->next_batch = 0;
    run->last_time_us = INT64_MIN;
    run->watermark_us = run->previous_watermark_us = WEIR_WATERMARK_NONE;
}

static int is_full(const struct weir_error *error)
{
    return error->error_class == WEIR_RETRY && (error->code == ENOSPC || error->code == EDQUOT);
}

/* A disk that is full pauses the start, as it would pause a running job. */
static int open_checkpoint(struct run *run)
{
    uint64_t seed; /* drawn once: a test which fixes chance fixes it however often it is tried */
    sys_random(run->sys, &seed, sizeof seed);
    for (int tries = 0;; tries++) {
        struct weir_error error = WEIR_ERROR_INIT;
        int32_t result = checkpoint_open(run->sys, run->journal, run->job, seed, run->checks,
                                         &run->checkpoint, &error);
        if (result == WEIR_OK) {
            run->hash_seed = checkpoint_seed(run->checkpoint);
            if (checkpoint_log(run->checkpoint))
                snprintf(run->job_id, sizeof run->job_id, "%s",
                         log_job_id(checkpoint_log(run->checkpoint)));
            return 0;
        }
        if (run->checks && result == WEIR_DATA && tries < 2) {
            /* the running job may have removed a file between two looks */
            checkpoint_close(run->checkpoint);
            run->checkpoint = NULL;
            continue;
        }
        if (!is_full(&error) || run->stopping) {
            run_fail(run, "checkpoint", &error);
            say_damaged(run, &error);
            return run->exit_status = exit_of_open(result);
        }
        if (tries == 0)
            journal_add(run->journal, WEIR_LOG_WARN, NULL, -1,
                        "the checkpoint can't be opened; the job waits: %s", error.text);
        checkpoint_close(run->checkpoint);
        run->checkpoint = NULL;
        run_await(run, is_stopping, run, sys_mono(run->sys) + FULL_RETRY_US);
    }
}

static struct run *run_create(struct weir_sys *sys, const struct job *job,
                              struct registry *registry, struct journal *journal,
                              const struct run_options *options)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    run->sys = sys;
    run->job = job;
    run->registry = registry;
    run->journal = journal;
    run->options = options;
    run_reset(run);
    run->drain_until = INT64_MAX;
    sys_random(sys, &run->hash_seed, sizeof run->hash_seed);
    snprintf(run->job_id, sizeof run->job_id, "%016llx%016llx", (unsigned long long)run->hash_seed,
             (unsigned long long)sys_now(sys));
    return run;
}

int run_job(struct weir_sys *sys, const struct job *job, struct registry *registry,
            struct journal *journal, const struct run_options *options, struct report *report,
            struct run_summary *summary)
{
    struct run *run = run_create(sys, job, registry, journal, options);
    int status = 0;
    if (!run) return 70;
    if (job->checkpoint) status = open_checkpoint(run);
    if (status == 0 && run->checkpoint) {
        status = finish_with_logged_job(run, report);
        if (status == 0 && !run->checkpoint && !run->stopping) {
            run_reset(run);
            status = open_checkpoint(run);
        }
    }
    if (status == 0 && !run->stopping) status = run_once(run, report, 0);
    checkpoint_close(run->checkpoint);
    run->summary.exit_status = status;
    if (summary)
        *summary = run->summary;
    else
        free(run->summary.json);
    free(run);
    return status;
}

int check_job(struct weir_sys *sys, const struct job *job, struct registry *registry,
              struct journal *journal, const struct run_options *options, struct report *report,
              void (*planned)(void *arg, const struct plan *plan), void *arg)
{
    struct run *run = run_create(sys, job, registry, journal, options);
    int status = 0, own;
    if (!run) return 70;
    run->checks = 1;
    run->planned = planned;
    run->planned_arg = arg;
    if (job->checkpoint) status = open_checkpoint(run);
    if (status == 0 && run->checkpoint) status = finish_with_logged_job(run, report);
    if (status && run->checkpoint && !checkpoint_log(run->checkpoint)) {
        checkpoint_close(run->checkpoint); /* it can't be read; the job is looked at without it */
        run->checkpoint = NULL;
        run->job_id[0] = 0;
    }
    own = run_once(run, report, 0);
    checkpoint_close(run->checkpoint);
    free(run);
    return status ? status : own;
}
