/*
 * losses.c - power is lost: what was not synced is dropped, torn or reordered.
 *
 * Before and after each sync of a life the disk is cloned. A loss leaves one of the states that the
 * disk's rules allow, drawn by a number, its *way* (0: only what is durable). From there the job is
 * started again, and power may be lost once more at a sync of that recovery.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sweeps/sweep.h"

/* The disks around the syncs of a life. */
struct album {
    struct sim_disk **disks;
    uint64_t n;
    struct sim_disk *disk;
};

static void take_picture(void *arg, uint64_t n, int after)
{
    struct album *album = arg;
    (void)n, (void)after;
    album->disks = realloc(album->disks, (album->n + 1) * sizeof(struct sim_disk *));
    if (!album->disks) abort();
    album->disks[album->n++] = sim_disk_clone(album->disk);
}

static void watch_syncs(struct weir_sys *sys, void *arg)
{
    sim_on_sync(sys, take_picture, arg);
}

static void album_make(struct sweep *sweep, struct album *album, struct sim_disk *disk,
                       uint32_t number)
{
    struct life life = { .number = number, .before = watch_syncs, .arg = album };
    *album = (struct album){ .disk = disk };
    sweep_life(sweep, disk, &life);
    sim_disk_destroy(disk);
}

static void album_free(struct album *album)
{
    for (uint64_t i = 0; i < album->n; i++) sim_disk_destroy(album->disks[i]);
    free(album->disks);
}

/* The picture after a loss; points count from 1. */
static struct sim_disk *lost(const struct album *album, uint64_t point, uint64_t way)
{
    struct sim_disk *disk = sim_disk_clone(album->disks[point - 1]);
    sim_disk_power_loss(disk, way);
    return disk;
}

/* Losses at every sync of the recovery from `disk`, which is taken. */
static void second_losses(struct sweep *sweep, struct sim_disk *disk, uint64_t point, uint64_t way,
                          uint64_t most)
{
    struct album album;
    album_make(sweep, &album, disk, 1);
    for (uint64_t second = 1; second <= album.n && sweep->failed < most; second++) {
        disk = lost(&album, second, way);
        if (sweep_finish(sweep, disk, 2) != 0) sweep_failed(sweep, point, way, second);
        sim_disk_destroy(disk);
    }
    album_free(&album);
}

/* A kill leaves what was not synced; a loss in the recovery takes it away. */
static void after_kills(struct sweep *sweep, uint64_t stride, uint64_t most)
{
    sweep->kind = "kill-power";
    for (uint64_t call = stride; sweep->failed < most; call += stride) {
        struct sim_disk *disk = killed_at(sweep, sweep_disk(sweep), 0, call);
        if (!disk) return;
        second_losses(sweep, disk, call, call / stride % 4, most);
    }
}

void loss_sweep(struct sweep *sweep, const struct loss_plan *plan)
{
    struct album album;
    uint64_t n = 0;
    sweep->kind = "power";
    album_make(sweep, &album, sweep_disk(sweep), 0);
    for (uint64_t way = 0; way < plan->states; way++)
        for (uint64_t point = 1; point <= album.n && sweep->failed < plan->most; point++) {
            struct sim_disk *disk = lost(&album, point, way);
            if (sweep_finish(sweep, disk, 1) != 0) sweep_failed(sweep, point, way, 0);
            sim_disk_destroy(disk);
            if (plan->again && ++n % plan->again == 0)
                second_losses(sweep, lost(&album, point, way), point, way, plan->most);
        }
    album_free(&album);
    if (plan->kills) after_kills(sweep, plan->kills, plan->most);
}

int loss_after_kill(struct sweep *sweep, uint64_t call, uint64_t way, uint64_t point)
{
    struct album album = { 0 };
    int result = -1;
    struct sim_disk *disk = killed_at(sweep, sweep_disk(sweep), 0, call);
    sweep->kind = "kill-power";
    snprintf(sweep->why, sizeof sweep->why, "there is no such point");
    if (disk) album_make(sweep, &album, disk, 1);
    if (point >= 1 && point <= album.n) {
        disk = lost(&album, point, way);
        result = sweep_finish(sweep, disk, 2);
        sim_disk_destroy(disk);
    }
    album_free(&album);
    return result;
}

int loss_again(struct sweep *sweep, uint64_t point, uint64_t way, uint64_t second)
{
    struct album album, next = { 0 };
    int result = -1;
    sweep->kind = "power";
    snprintf(sweep->why, sizeof sweep->why, "there is no such point");
    album_make(sweep, &album, sweep_disk(sweep), 0);
    if (point < 1 || point > album.n) goto out;
    struct sim_disk *disk = lost(&album, point, way);
    if (second) {
        album_make(sweep, &next, disk, 1);
        if (second > next.n) goto out;
        disk = lost(&next, second, way);
    }
    result = sweep_finish(sweep, disk, second ? 2 : 1);
    sim_disk_destroy(disk);
out:
    album_free(&next);
    album_free(&album);
    return result;
}
