/*
 * kills.c - the process is killed at a call through the seam, and perhaps once more in the recovery.
 *
 * A kill leaves the disk as the process saw it, with what was never synced. So it finds wrong order
 * and forgotten work, but no missing sync: that is for losses.c.
 */
#include <stdio.h>

#include "tests/sweeps/sweep.h"

struct sim_disk *killed_at(struct sweep *sweep, struct sim_disk *disk, uint32_t number,
                           uint64_t point)
{
    struct life life = { .number = number, .kill_at = point };
    sweep_life(sweep, disk, &life);
    if (life.status == -1) return disk;
    sim_disk_destroy(disk);
    return NULL;
}

static void second_kills(struct sweep *sweep, const struct sim_disk *disk, uint64_t first,
                         uint64_t calls, uint64_t stride, uint64_t most, uint64_t *pairs)
{
    uint64_t draws = first;
    uint64_t from = 1 + sweep_draw(&draws) % stride;
    for (uint64_t second = from; second <= calls && sweep->failed < most; second += stride) {
        struct sim_disk *again = killed_at(sweep, sim_disk_clone(disk), 1, second);
        if (!again) return;
        ++*pairs;
        if (sweep_finish(sweep, again, 2) != 0) sweep_failed(sweep, first, second, 0);
        sim_disk_destroy(again);
    }
}

void kill_sweep(struct sweep *sweep, const struct kill_plan *plan, uint64_t *pairs)
{
    uint64_t draws = sweep->seed, calls = sweep->calls;
    sweep->kind = "kill";
    for (uint64_t first = 1; first <= calls && sweep->failed < plan->most; first += plan->stride) {
        struct sim_disk *disk = killed_at(sweep, sweep_disk(sweep), 0, first);
        if (!disk) break;
        struct sim_disk *copy = sim_disk_clone(disk);
        if (sweep_finish(sweep, disk, 1) != 0)
            sweep_failed(sweep, first, 0, 0);
        else if (plan->pair_every && sweep_draw(&draws) % plan->pair_every == 0)
            second_kills(sweep, copy, first, sweep->calls, plan->pair_stride, plan->most, pairs);
        sim_disk_destroy(copy);
        sim_disk_destroy(disk);
    }
    sweep->points -= *pairs;
}

int kill_again(struct sweep *sweep, uint64_t first, uint64_t second)
{
    int result = -1;
    struct sim_disk *disk = killed_at(sweep, sweep_disk(sweep), 0, first);
    sweep->kind = "kill";
    if (disk && second) disk = killed_at(sweep, disk, 1, second);
    if (!disk) {
        snprintf(sweep->why, sizeof sweep->why, "there is no such point");
        return -1;
    }
    result = sweep_finish(sweep, disk, second ? 2 : 1);
    sim_disk_destroy(disk);
    return result;
}
