/*
 * sim.c - the simulated sys: clock, files on a simulated disk, and the one point (sim_enter)
 * through which every call passes and at which kills and faults strike. Streams: sim_stream.c.
 * Tasks and waiting: sim_task.c. The disk: sim_disk.c.
 *
 * Everything hangs on the seed and the caller: one thread, no real clock, no real chance. Time
 * moves only while something waits; the monotonic clock begins at one second, so that code which
 * mixes up the two clocks is found.
 *
 * A kill takes effect before its call: that call and all later ones fail with -EIO and change
 * nothing. Tasks and posts still run, so that the caller can unwind.
 */
#include "core/sys/sim_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MONO_START 1000000

static struct sim *sim_of(struct weir_sys *sys)
{
    return (struct sim *)sys;
}

static const struct sim *sim_of_const(const struct weir_sys *sys)
{
    return (const struct sim *)sys;
}

/* ---- the point of kills and faults ---- */

int sim_enter(struct sim *sim, uint32_t may)
{
    if (sim->killed)
        return -EIO;
    sim->calls++;
    if (sim->kill_at != 0 && sim->calls >= sim->kill_at) {
        sim->killed = 1;
        return -EIO;
    }
    if (sim->fault_at == 0 || sim->calls < sim->fault_at)
        return 0;
    if (sim->calls > sim->fault_at && !sim->fault_forever)
        return 0;
    switch (sim->fault) {
    case SIM_FAULT_EIO:
        return -EIO;
    case SIM_FAULT_ENOSPC:
        return (may & SIM_ROOM) != 0 ? -ENOSPC : 0;
    default:
        return (may & SIM_SHORT) != 0;
    }
}

size_t sim_part(struct sim *sim, size_t n)
{
    return n > 1 ? 1 + (size_t)(sim_draw(&sim->weather) % (n - 1)) : n;
}

/* ---- descriptors ---- */

int sim_fd_add(struct sim *sim, enum sim_kind kind)
{
    size_t i = 0;

    while (i < sim->n_fds && sim->fds[i].kind != SIM_FREE)
        i++;
    if (i == sim->n_fds) {
        sim->fds = sim_grow(sim->fds, sim->n_fds, &sim->fds_room, sizeof *sim->fds);
        sim->n_fds++;
    }
    memset(&sim->fds[i], 0, sizeof sim->fds[i]);
    sim->fds[i].kind = kind;
    sim->fds[i].peer = -1;
    return (int)i;
}

struct sim_fd *sim_fd_get(struct sim *sim, int fd)
{
    if (fd < 0 || (size_t)fd >= sim->n_fds || sim->fds[fd].kind == SIM_FREE)
        return NULL;
    return &sim->fds[fd];
}

static void fd_free(struct sim *sim, int number)
{
    struct sim_fd *fd = &sim->fds[number];

    sim_unwatch(&sim->base, number);
    if (fd->kind == SIM_FILE)
        disk_release(sim->disk, fd->inode, fd->path);
    free(fd->path);
    fd->path = NULL;
    fd->kind = SIM_FREE;
}

/* ---- clocks, chance ---- */

void sim_clock_to(struct sim *sim, int64_t mono_us)
{
    while (sim->n_events > 0 && sim->events[0].at <= mono_us) {
        struct sim_event event = sim->events[0];

        sim->n_events--;
        memmove(sim->events, sim->events + 1, sim->n_events * sizeof event);
        if (event.at > sim->mono)
            sim->mono = event.at;
        event.fn(event.arg);
    }
    if (mono_us > sim->mono)
        sim->mono = mono_us;
}

static int64_t sim_now(struct weir_sys *sys)
{
    return sim_of(sys)->mono + sim_of(sys)->wall_ahead;
}

static int64_t sim_mono(struct weir_sys *sys)
{
    return sim_of(sys)->mono;
}

static void sim_random(struct weir_sys *sys, void *buffer, size_t n)
{
    struct sim *sim = sim_of(sys);
    uint8_t *at = buffer;

    while (n > 0) {
        uint64_t draw = sim_draw(&sim->chance);
        size_t part = n < sizeof draw ? n : sizeof draw;

        memcpy(at, &draw, part);
        at += part;
        n -= part;
    }
}

/* ---- files ---- */

static int sim_open(struct weir_sys *sys, const char *path, uint32_t flags)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    int result = sim_enter(sim, (flags & SYS_CREATE) != 0 ? SIM_ROOM : 0);
    int fd;

    if (result < 0)
        return result;
    result = disk_open(sim->disk, path, flags, sim_now(sys), &inode);
    if (result < 0)
        return result;
    fd = sim_fd_add(sim, SIM_FILE);
    sim->fds[fd].inode = inode;
    sim->fds[fd].flags = flags;
    sim->fds[fd].path = sim_need(malloc(SIM_PATH));
    sim_path(path, sim->fds[fd].path);
    return fd;
}

/* Whatever strikes, the descriptor is gone afterwards, as with a real close. */
static int sim_close(struct weir_sys *sys, int fd)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    if (sim_fd_get(sim, fd) == NULL)
        return result < 0 ? result : -EBADF;
    if (fd > 2)
        fd_free(sim, fd);
    else
        sim_unwatch(sys, fd);
    return result < 0 ? result : 0;
}

/* The file behind fd, for which `need` of SYS_READ, SYS_WRITE must have been asked. */
static int file_of(struct sim *sim, int number, uint32_t need, struct sim_inode **out)
{
    struct sim_fd *fd = sim_fd_get(sim, number);

    if (fd == NULL)
        return -EBADF;
    if (fd->kind != SIM_FILE)
        return -ESPIPE;
    if ((need & SYS_WRITE) != 0 && (fd->flags & SYS_WRITE) == 0)
        return -EBADF;
    if ((need & SYS_READ) != 0 && (fd->flags & (SYS_READ | SYS_WRITE)) == SYS_WRITE)
        return -EBADF;
    *out = fd->inode;
    return 0;
}

static int64_t sim_pread(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    int cut = sim_enter(sim, SIM_SHORT);
    int result;

    if (cut < 0)
        return cut;
    result = file_of(sim, fd, SYS_READ, &inode);
    if (result < 0)
        return result;
    return disk_read(inode, buffer, cut ? sim_part(sim, n) : n, offset);
}

static int64_t sim_pwrite(struct weir_sys *sys, int fd, const void *buffer, size_t n,
                          uint64_t offset)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    int cut = sim_enter(sim, SIM_ROOM | SIM_SHORT);
    int result;

    if (cut < 0)
        return cut;
    result = file_of(sim, fd, SYS_WRITE, &inode);
    if (result < 0)
        return result;
    return disk_write(sim->disk, inode, buffer, cut ? sim_part(sim, n) : n, offset, sim_now(sys));
}

static int sync_ignored(struct sim *sim, const char *path)
{
    if (!sim->ignore || strncmp(path, sim->ignore_below, strlen(sim->ignore_below)) != 0)
        return 0;
    sim->ignore_seen++;
    if (sim->ignore_nth != 0 && sim->ignore_seen != sim->ignore_nth)
        return 0;
    sim->ignored++;
    return 1;
}

static void tell_sync(struct sim *sim, uint64_t n, int after)
{
    if (sim->on_sync != NULL)
        sim->on_sync(sim->on_sync_arg, n, after);
}

static int sim_sync(struct weir_sys *sys, int fd)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    uint64_t n;
    int struck = sim_enter(sim, SIM_ROOM);
    int result;

    if (sim->killed)
        return struck;
    result = file_of(sim, fd, 0, &inode);
    if (result < 0)
        return result;
    n = ++sim->syncs;
    tell_sync(sim, n, 0);
    if (struck < 0)
        disk_sync_failed(inode, sim_draw(&sim->weather));
    else if (!sync_ignored(sim, sim->fds[fd].path))
        disk_sync(inode);
    tell_sync(sim, n, 1);
    return struck;
}

static int sim_sync_dir(struct weir_sys *sys, const char *path)
{
    struct sim *sim = sim_of(sys);
    struct sys_stat stat;
    char clean[SIM_PATH];
    uint64_t n;
    int result = sim_enter(sim, SIM_ROOM);

    if (result == 0)
        result = disk_stat(sim->disk, path, &stat);
    if (result < 0)
        return result;
    if (stat.kind != SYS_DIRECTORY)
        return -ENOTDIR;
    sim_path(path, clean);
    n = ++sim->syncs;
    tell_sync(sim, n, 0);
    if (!sync_ignored(sim, clean))
        result = disk_sync_dir(sim->disk, path);
    tell_sync(sim, n, 1);
    return result;
}

static int sim_truncate(struct weir_sys *sys, int fd, uint64_t size)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    int result = sim_enter(sim, SIM_ROOM);

    if (result == 0)
        result = file_of(sim, fd, SYS_WRITE, &inode);
    if (result < 0)
        return result;
    return disk_truncate(sim->disk, inode, size, sim_now(sys));
}

static int sim_rename(struct weir_sys *sys, const char *from, const char *to)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, SIM_ROOM);

    return result < 0 ? result : disk_rename(sim->disk, from, to, sim_now(sys));
}

static int sim_unlink(struct weir_sys *sys, const char *path)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    return result < 0 ? result : disk_unlink(sim->disk, path, sim_now(sys));
}

static int sim_mkdir(struct weir_sys *sys, const char *path, uint32_t mode)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, SIM_ROOM);

    return result < 0 ? result : disk_mkdir(sim->disk, path, mode, sim_now(sys));
}

static int sim_rmdir(struct weir_sys *sys, const char *path)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    return result < 0 ? result : disk_rmdir(sim->disk, path, sim_now(sys));
}

static int sim_stat(struct weir_sys *sys, const char *path, struct sys_stat *out)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    return result < 0 ? result : disk_stat(sim->disk, path, out);
}

static int sim_fstat(struct weir_sys *sys, int number, struct sys_stat *out)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    int result = sim_enter(sim, 0);

    if (result < 0)
        return result;
    if (fd == NULL)
        return -EBADF;
    if (fd->kind == SIM_FILE) {
        disk_fstat(fd->inode, out);
        return 0;
    }
    memset(out, 0, sizeof *out);
    out->kind = SYS_OTHER;
    return 0;
}

static int sim_list(struct weir_sys *sys, const char *path, sys_entry_fn entry, void *arg)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    return result < 0 ? result : disk_list(sim->disk, path, entry, arg);
}

/* The path's own memory names the locker: one per opening, as with locks of open files. */
static int sim_lock(struct weir_sys *sys, int fd)
{
    struct sim *sim = sim_of(sys);
    struct sim_inode *inode = NULL;
    int result = sim_enter(sim, 0);

    if (result == 0)
        result = file_of(sim, fd, SYS_WRITE, &inode);
    return result < 0 ? result : disk_lock(inode, sim->fds[fd].path);
}

/* ---- life ---- */

static void sim_destroy(struct weir_sys *sys)
{
    struct sim *sim = sim_of(sys);

    for (size_t i = 0; i < sim->n_fds; i++)
        if (sim->fds[i].kind != SIM_FREE)
            fd_free(sim, (int)i);
    sim_stream_fini(sim);
    free(sim->fds);
    free(sim->events);
    free(sim);
}

static const struct weir_sys_ops sim_ops = {
    .destroy = sim_destroy,
    .now = sim_now,
    .mono = sim_mono,
    .random = sim_random,
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .sync_dir = sim_sync_dir,
    .truncate = sim_truncate,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .stat = sim_stat,
    .fstat = sim_fstat,
    .list = sim_list,
    .lock = sim_lock,
    .listen = sim_listen,
    .local_port = sim_local_port,
    .connect = sim_connect,
    .accept = sim_accept,
    .recv = sim_recv,
    .send = sim_send,
    .poll = sim_poll,
    .standard = sim_standard,
    .exec_create = sim_exec_create,
    .exec_destroy = sim_exec_destroy,
    .submit = sim_submit,
    .post = sim_post,
    .wait = sim_wait,
    .watch = sim_watch,
    .unwatch = sim_unwatch,
    .signals = sim_signals,
};

struct weir_sys *sim_create(struct sim_disk *disk, int64_t start_us, uint64_t seed)
{
    struct sim *sim = sim_need(calloc(1, sizeof *sim));

    sim->base.ops = &sim_ops;
    sim->disk = disk;
    sim->mono = MONO_START;
    sim->wall_ahead = start_us - MONO_START;
    sim->order = sim_draw(&seed);
    sim->chance = sim_draw(&seed);
    sim->weather = sim_draw(&seed);
    sim->posts_end = &sim->posts;
    sim_stream_init(sim);
    return &sim->base;
}

/* ---- the tests' doors ---- */

void sim_kill_at(struct weir_sys *sys, uint64_t call)
{
    sim_of(sys)->kill_at = call;
}

int sim_killed(const struct weir_sys *sys)
{
    return sim_of_const(sys)->killed;
}

int sim_stuck(const struct weir_sys *sys)
{
    return sim_of_const(sys)->stuck;
}

uint64_t sim_calls(const struct weir_sys *sys)
{
    return sim_of_const(sys)->calls;
}

uint64_t sim_syncs(const struct weir_sys *sys)
{
    return sim_of_const(sys)->syncs;
}

void sim_on_sync(struct weir_sys *sys, void (*fn)(void *arg, uint64_t n, int after), void *arg)
{
    sim_of(sys)->on_sync = fn;
    sim_of(sys)->on_sync_arg = arg;
}

void sim_fault_at(struct weir_sys *sys, uint64_t call, uint32_t fault, int forever)
{
    sim_of(sys)->fault_at = call;
    sim_of(sys)->fault = fault;
    sim_of(sys)->fault_forever = forever;
}

void sim_ignore_sync(struct weir_sys *sys, const char *below, uint64_t n)
{
    struct sim *sim = sim_of(sys);

    sim->ignore = 1;
    sim->ignore_nth = n;
    sim->ignore_seen = sim->ignored = 0;
    if (below == NULL || sim_path(below, sim->ignore_below) < 0)
        strcpy(sim->ignore_below, "/");
}

uint64_t sim_ignored(const struct weir_sys *sys)
{
    return sim_of_const(sys)->ignored;
}

void sim_auto_advance(struct weir_sys *sys, int on)
{
    sim_of(sys)->manual = !on;
}

void sim_advance(struct weir_sys *sys, int64_t us)
{
    sim_clock_to(sim_of(sys), sim_of(sys)->mono + us);
}

void sim_at(struct weir_sys *sys, int64_t mono_us, void (*fn)(void *arg), void *arg)
{
    struct sim *sim = sim_of(sys);
    size_t i = sim->n_events;

    sim->events = sim_grow(sim->events, sim->n_events, &sim->events_room, sizeof *sim->events);
    while (i > 0 && sim->events[i - 1].at > mono_us) {
        sim->events[i] = sim->events[i - 1];
        i--;
    }
    sim->events[i] = (struct sim_event){.at = mono_us, .fn = fn, .arg = arg};
    sim->n_events++;
}

void sim_step_wall(struct weir_sys *sys, int64_t us)
{
    sim_of(sys)->wall_ahead += us;
}

void sim_signal(struct weir_sys *sys)
{
    sim_of(sys)->terms++;
    sim_of(sys)->signalled = 1;
}

void sim_hangup(struct weir_sys *sys)
{
    sim_of(sys)->hangups++;
    sim_of(sys)->signalled = 1;
}
