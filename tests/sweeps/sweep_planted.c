/*
 * sweep_planted.c - bugs planted on purpose, one by one: each must be caught by the sweeps.
 *
 * The sweep of a job goes on up to the first failure, which is printed, too. A bug that isn't caught
 * fails the test: then it is the sweeps that have a hole.
 *
 *     sweep_planted         all
 *     sweep_planted NAME    one of them
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sys/planted.h"
#include "tests/sweeps/sweep.h"

static const struct bug {
    const char *name;
    const char *job; /* where it is looked for */
    int power;       /* 1: by losses of power, 0: by kills */
    unsigned long number; /* of planted.h */
    const char *sink;     /* or: of the file sink, by name */
    const char *ignored;  /* or: syncs below this path do nothing */
} bugs[] = {
    { "plan-unsynced", "socket-seen", 0, PLANTED_RUN_PLAN_UNSYNCED, NULL, NULL },
    { "spool-skipped", "stdin-file", 0, PLANTED_RUN_SPOOL_SKIPPED, NULL, NULL },
    { "until-short", "file-filter-file", 0, PLANTED_RUN_UNTIL_SHORT, NULL, NULL },
    { "forget-early", "file-aggregate-file", 0, PLANTED_RUN_FORGET_EARLY, NULL, NULL },
    { "commit-early", "file-filter-file", 0, PLANTED_RUN_COMMIT_EARLY, NULL, NULL },
    { "state-unsynced", "file-filter-file", 0, PLANTED_RUN_STATE_UNSYNCED, NULL, NULL },
    { "group-lost", "file-aggregate-file", 0, PLANTED_RUN_GROUP_LOST, NULL, NULL },
    { "committable-lost", "file-filter-file", 0, PLANTED_RUN_COMMITTABLE_LOST, NULL, NULL },
    { "map-stale", "file-filter-file", 0, PLANTED_RUN_MAP_STALE, NULL, NULL },
    { "base-newer", "file-churn-file", 0, PLANTED_RUN_BASE_NEWER, NULL, NULL },
    { "done-early", "file-filter-file", 0, PLANTED_RUN_DONE_EARLY, NULL, NULL },
    { "no-recommit", "file-filter-file", 0, PLANTED_RUN_NO_RECOMMIT, NULL, NULL },
    { "pending-skipped", "stdin-file", 0, PLANTED_RUN_PENDING_SKIPPED, NULL, NULL },
    { "replay-now", "socket-count-file", 0, PLANTED_RUN_REPLAY_NOW, NULL, NULL },
    { "t-lost", "socket-count-file", 0, PLANTED_RUN_T_LOST, NULL, NULL },
    { "output-early", "stdin-dice-seen", 0, PLANTED_RUN_OUTPUT_EARLY, NULL, NULL },
    { "output-lost", "stdin-dice-seen", 0, PLANTED_RUN_OUTPUT_LOST, NULL, NULL },
    { "removed-lost", "file-churn-file", 0, PLANTED_STATE_REMOVED, NULL, NULL },
    { "changed-lost", "file-churn-file", 0, PLANTED_STATE_CHANGED, NULL, NULL },
    { "log-segment-sync", "file-filter-file", 1, PLANTED_LOG_SEGMENT_SYNC, NULL, NULL },
    { "log-extent-sync", "file-aggregate-file", 1, PLANTED_LOG_EXTENT_SYNC, NULL, NULL },
    { "log-extent-order", "file-aggregate-file", 1, PLANTED_LOG_EXTENT_ORDER, NULL, NULL },
    { "log-segment-dir", "file-filter-file", 1, PLANTED_LOG_SEGMENT_DIR, NULL, NULL },
    { "log-extent-dir", "file-aggregate-file", 1, PLANTED_LOG_EXTENT_DIR, NULL, NULL },
    { "log-no-cut", "file-filter-file", 1, PLANTED_LOG_NO_CUT, NULL, NULL },
    { "log-cut-sync", "file-filter-file", 1, PLANTED_LOG_CUT_SYNC, NULL, NULL },
    { "log-unlink-early", "file-aggregate-file", 0, PLANTED_LOG_UNLINK_EARLY, NULL, NULL },
    { "log-durable-high", "file-filter-file", 1, PLANTED_LOG_DURABLE_HIGH, NULL, NULL },
    { "log-identity", "file-filter-file", 1, PLANTED_LOG_IDENTITY, NULL, NULL },
    { "sink-part-sync", "file-filter-file", 1, 0, "skip_part_sync", NULL },
    { "sink-dir-sync", "file-filter-file", 1, 0, "skip_dir_sync", NULL },
    { "sink-rename-early", "file-filter-file", 0, 0, "rename_before_prepare", NULL },
    { "sink-commit-unchecked", "file-filter-file", 0, 0, "commit_without_check", NULL },
    { "source-dir-sync", "file-aggregate-file", 1, 0, NULL, "/in" },
    { "sink-manifest-sync", "file-filter-file", 1, 0, NULL, "/out/_weir" },
};

static void plant(struct sweep *sweep, const struct bug *bug)
{
    weir_planted_bug = bug ? bug->number : 0;
    sweep->ignored = bug ? bug->ignored : NULL;
    if (bug && bug->sink)
        setenv("WEIR_PLANTED_BUG", bug->sink, 1);
    else
        unsetenv("WEIR_PLANTED_BUG");
}

/* 1 if the bug showed; *tried points were needed. */
static int caught(const struct bug *bug, uint64_t *tried)
{
    const struct kill_plan kills = { .stride = 1, .pair_every = 20, .pair_stride = 5, .most = 1 };
    const struct loss_plan losses = { .states = 8, .again = 20, .kills = 5, .most = 1 };
    const struct sweep_job *job = sweep_job_find(bug->job);
    struct sweep sweep;
    uint64_t pairs = 0;
    if (!job || sweep_begin(&sweep, job, SWEEP_SEED) != 0) abort();
    plant(&sweep, bug);
    if (bug->power)
        loss_sweep(&sweep, &losses);
    else
        kill_sweep(&sweep, &kills, &pairs);
    plant(&sweep, NULL);
    *tried = sweep.points + pairs;
    int failed = sweep.failed != 0;
    sweep_end(&sweep);
    return failed;
}

int main(int argc, char **argv)
{
    uint32_t n = 0, missed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        uint64_t tried;
        if (argc > 1 && strcmp(argv[1], bugs[i].name) != 0) continue;
        n++;
        if (caught(&bugs[i], &tried)) {
            printf("planted %s: caught after %" PRIu64 " points\n", bugs[i].name, tried);
        } else {
            printf("planted %s: NOT CAUGHT by %" PRIu64 " points\n", bugs[i].name, tried);
            missed++;
        }
        fflush(stdout);
    }
    printf("planted: %u of %u caught\n", n - missed, n);
    return missed != 0;
}
