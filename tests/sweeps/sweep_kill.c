/*
 * sweep_kill.c - kills at every call through the seam, and pairs of kills (kills.c).
 *
 *     sweep_kill                     a sample of all jobs; WEIR_SWEEP=wide: all points, and for a
 *                                    share of them that WEIR_SEED draws all pairs (over 20,000);
 *                                    WEIR_SWEEP=full: all pairs, which takes hours
 *     sweep_kill JOB                 one of them
 *     sweep_kill JOB POINT [POINT2]  one point again; WEIR_LOUD=1 shows what the engine says
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweeps/sweep.h"

int main(int argc, char **argv)
{
    struct kill_plan plan = { .stride = 2, .pair_every = 30, .pair_stride = 7, .most = 10 };
    uint64_t all_points = 0, all_pairs = 0;
    int status = 0;
    if (sweep_level() > SWEEP_SAMPLE) plan.stride = plan.pair_stride = 1;
    if (sweep_level() == SWEEP_FULL) plan.pair_every = 1;
    for (uint32_t i = 0; sweep_job_at(i); i++) {
        struct sweep sweep;
        uint64_t pairs = 0;
        if (argc > 1 && strcmp(argv[1], sweep_job_at(i)->name) != 0) continue;
        int result = sweep_begin(&sweep, sweep_job_at(i), sweep_seed());
        if (result == 0 && argc > 2)
            result = kill_again(&sweep, strtoull(argv[2], NULL, 10),
                                argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
        else if (result == 0)
            kill_sweep(&sweep, &plan, &pairs);
        if (result != 0) printf("sweep kill %s: %s\n", sweep.job->name, sweep.why);
        if (result != 0 || sweep.failed) status = 1;
        if (result == 0)
            printf("sweep kill %s: %" PRIu64 " points, %" PRIu64 " pairs: %s\n", sweep.job->name,
                   sweep.points, pairs, sweep.failed ? "FAILED" : "0 lost, 0 doubled");
        all_points += sweep.points;
        all_pairs += pairs;
        fflush(stdout);
        sweep_end(&sweep);
    }
    printf("sweep kill: %" PRIu64 " points, %" PRIu64 " pairs in all, seed %" PRIu64 "\n", all_points,
           all_pairs, sweep_seed());
    return status;
}
