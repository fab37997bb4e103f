/*
 * sim.h - the simulated sys: virtual clock, disk in memory with faults and crash states, scripted
 * peers, and tasks run on one thread in an order drawn from a seed.
 *
 * Disk model. Files are inodes with *durable* content and a list of unsynced writes; directories
 * have durable entries and unsynced operations. sync makes a file's writes durable, sync_dir the
 * entries of a directory. A crash keeps the process-visible state (kill) or, for power loss, any
 * state that the rules allow: each unsynced write kept, dropped or torn at multiples of 512 bytes,
 * independently of each other, entries likewise in any order-respecting or reordered choice (the
 * two halves of a rename together; sim_inode.c has the rules).
 */
#ifndef WEIR_CORE_SIM_H
#define WEIR_CORE_SIM_H

#include "core/sys/sys.h"

#define SIM_FAULT_EIO 1u
#define SIM_FAULT_ENOSPC 2u
#define SIM_FAULT_SHORT 3u /* short read or write */

struct sim_disk;

/* A disk outlives the sys that uses it: crash, then make another sys on it. */
struct sim_disk *sim_disk_create(void);
struct sim_disk *sim_disk_clone(const struct sim_disk *disk);
void sim_disk_destroy(struct sim_disk *disk);
/* What a power loss may leave: replaces the content by one legal state drawn from `seed`; 0 keeps
 * only what is durable. What a later sync would have made durable is gone. */
void sim_disk_power_loss(struct sim_disk *disk, uint64_t seed);
/* Whole content of a file, for checks; NULL if there is none. Owner: the disk. */
const uint8_t *sim_disk_file(const struct sim_disk *disk, const char *path, size_t *size);
int sim_disk_put(struct sim_disk *disk, const char *path, const void *bytes, size_t n,
                 int64_t mtime_us); /* makes parents; durable at once */
/* Names of all files below a path, sorted, one call each. */
void sim_disk_each(const struct sim_disk *disk, const char *below,
                   void (*fn)(void *arg, const char *path), void *arg);
void sim_disk_limit(struct sim_disk *disk, uint64_t bytes); /* room; then ENOSPC */

/* Owner: the caller. Clock starts at start_us; `seed` draws the order of tasks and chance. */
struct weir_sys *sim_create(struct sim_disk *disk, int64_t start_us, uint64_t seed);

/* After a kill every call through the seam fails with -EIO and changes nothing, and wait returns at
 * once: the caller unwinds and destroys. kill_at counts seam calls from 1; 0: never. */
void sim_kill_at(struct weir_sys *sys, uint64_t call);
int sim_killed(const struct weir_sys *sys);
uint64_t sim_calls(const struct weir_sys *sys); /* seam calls so far */
uint64_t sim_syncs(const struct weir_sys *sys); /* sync and sync_dir calls so far */
/* Power-loss sweeps: `fn` is called just before the n-th sync takes effect and just after it. */
void sim_on_sync(struct weir_sys *sys, void (*fn)(void *arg, uint64_t n, int after), void *arg);
/* The call-th seam call of any kind fails with `fault`; with forever all later ones do as well.
 * ENOSPC and SHORT pass over calls that need no room or move no bytes. A sync that fails settles at
 * once, by chance, what of the unsynced is durable: a later sync doesn't bring the rest. */
void sim_fault_at(struct weir_sys *sys, uint64_t call, uint32_t fault, int forever);
/* A planted bug: sync and sync_dir of paths that begin with `below` (NULL: of all) say 0 and make
 * nothing durable; of those the n-th alone (0: each). sim_ignored says how many were. */
void sim_ignore_sync(struct weir_sys *sys, const char *below, uint64_t n);
uint64_t sim_ignored(const struct weir_sys *sys);

/* Virtual time. With auto-advance (the default) wait jumps to its deadline when nothing is
 * runnable; without it, wait returns at once and the test advances. */
void sim_auto_advance(struct weir_sys *sys, int on);
void sim_advance(struct weir_sys *sys, int64_t us);
/* Calls fn once at a monotonic time, inside wait, poll or sim_advance: it may send, signal, put
 * files. */
void sim_at(struct weir_sys *sys, int64_t mono_us, void (*fn)(void *arg), void *arg);
/* 1: a wait without deadline had nothing to wait for, or tasks ran without end; a kill followed. */
int sim_stuck(const struct weir_sys *sys);
void sim_step_wall(struct weir_sys *sys, int64_t us); /* the wall clock alone jumps */
void sim_signal(struct weir_sys *sys);                /* as SIGTERM */
void sim_hangup(struct weir_sys *sys);                /* as SIGHUP */

/* Scripted peer for the next connection on `port` (accepted by a listener, or found by connect):
 * sends `bytes` in pieces of `piece` bytes, then closes if `close` is set. What weir sends to it is
 * kept. */
int sim_peer(struct weir_sys *sys, uint32_t port, const void *bytes, size_t n, size_t piece,
             int close);
int sim_peer_send(struct weir_sys *sys, int peer, const void *bytes, size_t n);
const uint8_t *sim_peer_received(struct weir_sys *sys, int peer, size_t *n);
void sim_peer_close(struct weir_sys *sys, int peer); /* end after what is unread; sends fail */
/* Standard input and output. */
void sim_stdin(struct weir_sys *sys, const void *bytes, size_t n);
const uint8_t *sim_stdout(struct weir_sys *sys, size_t *n);

#endif
