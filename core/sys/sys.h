/*
 * sys.h - the one seam through which weir reaches the outside: clocks, files, sockets, chance,
 * threads, signals. Two implementations: sys_real.c (libuv for sockets, signals, wake-ups; plain
 * POSIX for files) and sim.c (virtual clock, simulated disk with crash states and faults,
 * scripted peers, tasks on one thread in seeded order).
 *
 * Threads. The coordinator is the thread that made the sys; it alone calls sys_wait, sys_watch and
 * sys_signals, and it waits nowhere else. Work is *tasks* on *executors*: a task runs to completion
 * and never waits for another one. A task ends by posting (sys_post) a completion to the
 * coordinator, which runs it inside sys_wait.
 *
 * Results are 0 or a count >= 0, or a negative errno.
 *
 * The kill sweep counts *seam calls*: every function below that reads or changes something outside
 * (files, sockets, clock excepted) passes one point at which a simulated kill may strike.
 */
#ifndef WEIR_CORE_SYS_H
#define WEIR_CORE_SYS_H

#include <stddef.h>
#include <stdint.h>

struct weir_sys;
struct weir_exec;

/* A unit of work, embedded by its owner. `run` is called once per submit. */
struct weir_task {
    void (*run)(struct weir_task *task);
    struct weir_task *next; /* of the queue */
};

#define SYS_READ 1u
#define SYS_WRITE 2u
#define SYS_CREATE 4u
#define SYS_EXCLUSIVE 8u
#define SYS_TRUNCATE 16u
#define SYS_PRIVATE 32u /* mode 0600 instead of 0666 & ~umask */

#define SYS_FILE 1u
#define SYS_DIRECTORY 2u
#define SYS_OTHER 3u

struct sys_stat {
    uint32_t kind;
    uint32_t mode; /* permission bits */
    uint32_t uid;
    uint64_t size;
    int64_t mtime_us;
    uint64_t inode;
    uint64_t device;
};

typedef int (*sys_entry_fn)(void *arg, const char *name);
typedef void (*sys_ready_fn)(void *arg);

struct weir_sys_ops {
    void (*destroy)(struct weir_sys *sys);

    /* clocks: wall and monotonic, microseconds */
    int64_t (*now)(struct weir_sys *sys);
    int64_t (*mono)(struct weir_sys *sys);
    void (*random)(struct weir_sys *sys, void *buffer, size_t n);

    /* files; fd >= 0. pread gives less than n at the end of the file, and pwrite where room or
     * patience ran out: the next call tells why. A caller that needs all goes on until 0 or an
     * error. */
    int (*open)(struct weir_sys *sys, const char *path, uint32_t flags);
    /* ends a watch of it; fd is gone whatever is returned; standard streams stay open */
    int (*close)(struct weir_sys *sys, int fd);
    int64_t (*pread)(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset);
    int64_t (*pwrite)(struct weir_sys *sys, int fd, const void *buffer, size_t n, uint64_t offset);
    int (*sync)(struct weir_sys *sys, int fd);
    int (*sync_dir)(struct weir_sys *sys, const char *path);
    int (*truncate)(struct weir_sys *sys, int fd, uint64_t size);
    int (*rename)(struct weir_sys *sys, const char *from, const char *to);
    int (*unlink)(struct weir_sys *sys, const char *path);
    int (*mkdir)(struct weir_sys *sys, const char *path, uint32_t mode); /* one level */
    int (*rmdir)(struct weir_sys *sys, const char *path);
    int (*stat)(struct weir_sys *sys, const char *path, struct sys_stat *out);
    int (*fstat)(struct weir_sys *sys, int fd, struct sys_stat *out);
    int (*list)(struct weir_sys *sys, const char *path, sys_entry_fn entry, void *arg); /* sorted */
    int (*lock)(struct weir_sys *sys, int fd); /* exclusive, of this process; -EAGAIN if taken */

    /* streams; never block, -EAGAIN */
    int (*listen)(struct weir_sys *sys, const char *host, uint32_t port);
    int (*local_port)(struct weir_sys *sys, int fd);
    int (*connect)(struct weir_sys *sys, const char *host, uint32_t port);
    int (*accept)(struct weir_sys *sys, int fd);
    int64_t (*recv)(struct weir_sys *sys, int fd, void *buffer, size_t n);
    int64_t (*send)(struct weir_sys *sys, int fd, const void *buffer, size_t n);
    /* for sink threads: the events that are there, 0 at the timeout */
    int (*poll)(struct weir_sys *sys, int fd, uint32_t events, int64_t timeout_us);
    int (*standard)(struct weir_sys *sys, int number); /* fd of stdin 0, stdout 1, stderr 2 */

    /* executors and the coordinator's loop */
    struct weir_exec *(*exec_create)(struct weir_sys *sys, const char *name, uint32_t threads);
    void (*exec_destroy)(struct weir_exec *exec); /* runs what is queued, then joins */
    void (*submit)(struct weir_exec *exec, struct weir_task *task);      /* [any] */
    void (*post)(struct weir_sys *sys, struct weir_task *task);          /* [any] runs in wait */
    /* runs posted tasks and ready callbacks; returns after at least one, or at the deadline
     * (monotonic; INT64_MAX: none). Returns the number of callbacks run. */
    int (*wait)(struct weir_sys *sys, int64_t deadline_us);
    /* one-shot readiness of fd (events SYS_READ, SYS_WRITE), [any]; runs `ready` in wait. One watch
     * per fd: a new one takes the place of the old one. */
    int (*watch)(struct weir_sys *sys, int fd, uint32_t events, sys_ready_fn ready, void *arg);
    void (*unwatch)(struct weir_sys *sys, int fd);
    /* how often SIGTERM or SIGINT came; *hangups: how often SIGHUP, which stays ignored where it
     * was when the process began (nohup) */
    uint32_t (*signals)(struct weir_sys *sys, uint32_t *hangups);
    /* the process ends with 70 after this time, whatever its threads do; NULL: it never hangs */
    void (*give_up)(struct weir_sys *sys, int64_t after_us);
};

struct weir_sys {
    const struct weir_sys_ops *ops;
};

/* The real one. Owner: the caller, until sys_destroy. NULL with errno set without memory or loop.
 * */
struct weir_sys *sys_real_create(void);

#define sys_destroy(s) ((s)->ops->destroy(s))
#define sys_now(s) ((s)->ops->now(s))
#define sys_mono(s) ((s)->ops->mono(s))
#define sys_random(s, b, n) ((s)->ops->random(s, b, n))
#define sys_open(s, p, f) ((s)->ops->open(s, p, f))
#define sys_close(s, fd) ((s)->ops->close(s, fd))
#define sys_pread(s, fd, b, n, o) ((s)->ops->pread(s, fd, b, n, o))
#define sys_pwrite(s, fd, b, n, o) ((s)->ops->pwrite(s, fd, b, n, o))
#define sys_sync(s, fd) ((s)->ops->sync(s, fd))
#define sys_sync_dir(s, p) ((s)->ops->sync_dir(s, p))
#define sys_truncate(s, fd, n) ((s)->ops->truncate(s, fd, n))
#define sys_rename(s, a, b) ((s)->ops->rename(s, a, b))
#define sys_unlink(s, p) ((s)->ops->unlink(s, p))
#define sys_mkdir(s, p, m) ((s)->ops->mkdir(s, p, m))
#define sys_rmdir(s, p) ((s)->ops->rmdir(s, p))
#define sys_stat_path(s, p, o) ((s)->ops->stat(s, p, o))
#define sys_fstat(s, fd, o) ((s)->ops->fstat(s, fd, o))
#define sys_list(s, p, e, a) ((s)->ops->list(s, p, e, a))
#define sys_lock(s, fd) ((s)->ops->lock(s, fd))
#define sys_listen(s, h, p) ((s)->ops->listen(s, h, p))
#define sys_local_port(s, fd) ((s)->ops->local_port(s, fd))
#define sys_connect(s, h, p) ((s)->ops->connect(s, h, p))
#define sys_accept(s, fd) ((s)->ops->accept(s, fd))
#define sys_recv(s, fd, b, n) ((s)->ops->recv(s, fd, b, n))
#define sys_send(s, fd, b, n) ((s)->ops->send(s, fd, b, n))
#define sys_poll(s, fd, e, t) ((s)->ops->poll(s, fd, e, t))
#define sys_standard(s, n) ((s)->ops->standard(s, n))
#define sys_exec_create(s, n, t) ((s)->ops->exec_create(s, n, t))
#define sys_exec_destroy(s, e) ((s)->ops->exec_destroy(e))
#define sys_submit(s, e, t) ((s)->ops->submit(e, t))
#define sys_post(s, t) ((s)->ops->post(s, t))
#define sys_wait(s, d) ((s)->ops->wait(s, d))
#define sys_watch(s, fd, e, r, a) ((s)->ops->watch(s, fd, e, r, a))
#define sys_unwatch(s, fd) ((s)->ops->unwatch(s, fd))
#define sys_signals(s, h) ((s)->ops->signals(s, h))
#define sys_give_up(s, us) ((s)->ops->give_up ? (s)->ops->give_up(s, us) : (void)0)

/* Makes a directory and its parents through the seam, and makes them durable; 0 or negative errno.
 * [any] */
int sys_mkdirs(struct weir_sys *sys, const char *path, uint32_t mode);
/* Reads a whole file of at most `limit` bytes (-EFBIG above) into malloc'ed, NUL-terminated memory.
 * */
int sys_read_file(struct weir_sys *sys, const char *path, size_t limit, char **out, size_t *length);

#endif
