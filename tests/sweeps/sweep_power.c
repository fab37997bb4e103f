/*
 * sweep_power.c - power is lost at every sync of log, spool and file sink, in many ways (losses.c).
 *
 *     sweep_power                       a sample; WEIR_SWEEP=wide: over 20,000 states; =full: more
 *     sweep_power JOB                   one of them
 *     sweep_power JOB POINT WAY [POINT2]       a state again; WEIR_LOUD=1 shows what the engine says
 *     sweep_power JOB kill CALL WAY POINT      the same of a loss in the recovery from a kill
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweeps/sweep.h"

static uint64_t number(int argc, char **argv, int i)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    struct loss_plan plan = { .states = 2, .again = 200, .kills = 97, .most = 10 };
    uint64_t states = 0;
    int status = 0;
    if (sweep_level() == SWEEP_WIDE) plan = (struct loss_plan){ 8, 60, 20, 10 };
    if (sweep_level() == SWEEP_FULL) plan = (struct loss_plan){ 40, 20, 3, 10 };
    for (uint32_t i = 0; sweep_job_at(i); i++) {
        struct sweep sweep;
        if (argc > 1 && strcmp(argv[1], sweep_job_at(i)->name) != 0) continue;
        int result = sweep_begin(&sweep, sweep_job_at(i), sweep_seed());
        if (result == 0 && argc > 2 && strcmp(argv[2], "kill") == 0)
            result = loss_after_kill(&sweep, number(argc, argv, 3), number(argc, argv, 4),
                                     number(argc, argv, 5));
        else if (result == 0 && argc > 2)
            result = loss_again(&sweep, number(argc, argv, 2), number(argc, argv, 3),
                                number(argc, argv, 4));
        else if (result == 0)
            loss_sweep(&sweep, &plan);
        if (result != 0) printf("sweep power %s: %s\n", sweep.job->name, sweep.why);
        if (result != 0 || sweep.failed) status = 1;
        if (result == 0)
            printf("sweep power %s: %" PRIu64 " states: %s\n", sweep.job->name, sweep.points,
                   sweep.failed ? "FAILED" : "0 lost, 0 doubled");
        states += sweep.points;
        fflush(stdout);
        sweep_end(&sweep);
    }
    printf("sweep power: %" PRIu64 " states in all, seed %" PRIu64 "\n", states,
           sweep_seed());
    return status;
}
