/*
 * sim_disk.h - the doors of the simulated disk for the simulated sys. Inside core/sys only; the
 * doors for tests are in sim.h.
 *
 * Paths are absolute or relative to "/", without symbolic links; "..", "." and doubled slashes are
 * resolved in the text. Results are 0 or a count, or a negative errno.
 */
#ifndef WEIR_CORE_SIM_DISK_H
#define WEIR_CORE_SIM_DISK_H

#include "core/sys/sim.h"

#define SIM_PATH 1024

struct sim_inode;

/* The one spelling of a path: leading slash, no trailing one. */
int sim_path(const char *path, char out[SIM_PATH]);
/* One draw of a splitmix64 stream. */
uint64_t sim_draw(uint64_t *state);

/* Counts an opener; it gives the inode back with disk_release. */
int disk_open(struct sim_disk *disk, const char *path, uint32_t flags, int64_t now_us,
              struct sim_inode **out);
void disk_release(struct sim_disk *disk, struct sim_inode *inode, const void *locker);
int disk_lock(struct sim_inode *inode, const void *locker);

int64_t disk_read(const struct sim_inode *inode, void *buffer, size_t n, uint64_t offset);
int64_t disk_write(struct sim_disk *disk, struct sim_inode *inode, const void *buffer, size_t n,
                   uint64_t offset, int64_t now_us);
int disk_truncate(struct sim_disk *disk, struct sim_inode *inode, uint64_t size, int64_t now_us);
void disk_sync(struct sim_inode *inode);
/* A sync that failed: what wasn't durable was written in part, and will not be tried again. */
void disk_sync_failed(struct sim_inode *inode, uint64_t seed);
int disk_sync_dir(struct sim_disk *disk, const char *path);

/* A directory is renamed only within its parent (-EXDEV otherwise). */
int disk_rename(struct sim_disk *disk, const char *from, const char *to, int64_t now_us);
int disk_unlink(struct sim_disk *disk, const char *path, int64_t now_us);
int disk_mkdir(struct sim_disk *disk, const char *path, uint32_t mode, int64_t now_us);
int disk_rmdir(struct sim_disk *disk, const char *path, int64_t now_us);
int disk_stat(const struct sim_disk *disk, const char *path, struct sys_stat *out);
void disk_fstat(const struct sim_inode *inode, struct sys_stat *out);
int disk_list(const struct sim_disk *disk, const char *path, sys_entry_fn entry, void *arg);

#endif
