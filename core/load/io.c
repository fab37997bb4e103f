/*
 * io.c - weir.io/1: files and streams of plugins, through sys.
 *
 *  1. A handle is the descriptor of sys plus 3, so that 0 and 1 are standard input and output
 *     whatever numbers a (simulated) sys gives. Those two are not closed.
 *  2. errno becomes a class: what time or an operator can heal is RETRY; ENOENT is UNSUPPORTED; the
 *     rest is FATAL. error.code has errno, error.text what was tried, on what, and why it failed.
 *  3. After a failed sync nobody knows what is on the disk, and a later sync would answer OK for
 *     pages that were dropped. So the handle is final: it is noted as spoiled, and all but close
 *     fails. Spoiled handles are few; where the list is full, every handle counts as spoiled, which
 *     errs on the safe side.
 *  4. Streams don't block, save on sink threads (context->blocking): there `recv` and `send` wait
 *     in slices of SLICE_US and look for `cancelled` in between.
 *  5. A context without ops belongs to a check, which does no I/O: UNSUPPORTED.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/load/services.h"

#define SLICE_US 100000
#define FIRST_HANDLE 3
#define MAX_SPOILED 64u

static struct {
    pthread_mutex_t lock;
    _Atomic uint32_t n; /* so that nobody takes the lock while there are none */
    int full;
    struct {
        struct weir_sys *sys;
        int64_t handle;
    } list[MAX_SPOILED];
} spoiled = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void spoil(struct weir_sys *sys, int64_t handle)
{
    pthread_mutex_lock(&spoiled.lock);
    uint32_t n = atomic_load(&spoiled.n);
    if (n < MAX_SPOILED) {
        spoiled.list[n].sys = sys;
        spoiled.list[n].handle = handle;
        atomic_store(&spoiled.n, n + 1);
    } else {
        spoiled.full = 1;
    }
    pthread_mutex_unlock(&spoiled.lock);
}

static int is_spoiled(struct weir_sys *sys, int64_t handle)
{
    if (atomic_load_explicit(&spoiled.n, memory_order_relaxed) == 0) return 0;
    pthread_mutex_lock(&spoiled.lock);
    int found = spoiled.full;
    for (uint32_t i = 0; i < atomic_load(&spoiled.n); i++)
        if (spoiled.list[i].sys == sys && spoiled.list[i].handle == handle) found = 1;
    pthread_mutex_unlock(&spoiled.lock);
    return found;
}

static void unspoil(struct weir_sys *sys, int64_t handle)
{
    if (atomic_load_explicit(&spoiled.n, memory_order_relaxed) == 0) return;
    pthread_mutex_lock(&spoiled.lock);
    uint32_t n = atomic_load(&spoiled.n);
    for (uint32_t i = 0; i < n; i++)
        if (spoiled.list[i].sys == sys && spoiled.list[i].handle == handle) {
            spoiled.list[i] = spoiled.list[--n];
            break;
        }
    atomic_store(&spoiled.n, n);
    pthread_mutex_unlock(&spoiled.lock);
}

static int32_t class_of(int number)
{
    switch (number) {
    case ENOENT: return WEIR_UNSUPPORTED;
    case ECANCELED: return WEIR_CANCELLED;
    case EAGAIN: case EINTR: case EBUSY: case ETXTBSY: case ENOMEM: case ENOBUFS:
    case ENOSPC: case EDQUOT: case EMFILE: case ENFILE:
    case ECONNREFUSED: case ECONNRESET: case ECONNABORTED: case EPIPE: case ENOTCONN:
    case ETIMEDOUT: case EHOSTUNREACH: case EHOSTDOWN: case ENETUNREACH: case ENETDOWN:
    case ENETRESET: case EADDRINUSE: case EADDRNOTAVAIL: return WEIR_RETRY;
    default: return WEIR_FATAL;
    }
}

/* `result` is a negative errno; `on` may be NULL. */
static int32_t io_fail(struct weir_error *error, int64_t result, const char *what, const char *on)
{
    int number = (int)-result;
    if (error && error->error_class == WEIR_OK) error->code = number;
    return weir_fail(error, class_of(number), "%s%s%s: %s", what, on ? " " : "", on ? on : "",
                     strerror(number));
}

static int32_t fail_handle(struct weir_error *error, int64_t result, const char *what,
                           int64_t handle)
{
    char on[32];
    if (handle == WEIR_IO_STDIN) return io_fail(error, result, what, "standard input");
    if (handle == WEIR_IO_STDOUT) return io_fail(error, result, what, "standard output");
    if (result != -EBADF) return io_fail(error, result, what, NULL); /* the number is ours */
    snprintf(on, sizeof on, "handle %lld", (long long)handle);
    return io_fail(error, result, what, on);
}

static struct weir_sys *sys_of(const struct weir_context *context, struct weir_error *error)
{
    if (context && context->ops && context->sys) return context->sys;
    weir_fail(error, WEIR_UNSUPPORTED, "weir.io/1 works only in a running job");
    return NULL;
}

/* sys and descriptor of a handle; the class is WEIR_OK where they are good. */
static int32_t handle_of(const struct weir_context *context, int64_t handle, const char *what,
                         struct weir_sys **sys, int *fd, struct weir_error *error)
{
    *sys = sys_of(context, error);
    if (!*sys) return WEIR_UNSUPPORTED;
    if (handle == WEIR_IO_STDIN || handle == WEIR_IO_STDOUT)
        *fd = sys_standard(*sys, (int)handle);
    else
        *fd = handle < FIRST_HANDLE || handle > INT32_MAX ? -EBADF : (int)(handle - FIRST_HANDLE);
    if (*fd < 0) return fail_handle(error, *fd, what, handle);
    if (is_spoiled(*sys, handle)) {
        if (error && error->error_class == WEIR_OK) error->code = EIO;
        return weir_fail(error, WEIR_FATAL, "%s: a sync of this handle failed before; open it anew",
                         what);
    }
    return WEIR_OK;
}

/* ---- files ---- */

static int32_t io_open(struct weir_context *context, const char *path, uint32_t flags,
                       int64_t *handle, struct weir_error *error)
{
    struct weir_sys *sys = sys_of(context, error);
    *handle = -1;
    if (!sys) return WEIR_UNSUPPORTED;
    int fd = sys_open(sys, path, flags & 31u); /* io.h and sys.h have the same numbers */
    if (fd < 0) return io_fail(error, fd, "open", path);
    *handle = (int64_t)fd + FIRST_HANDLE;
    return WEIR_OK;
}

_Static_assert(WEIR_IO_READ == SYS_READ && WEIR_IO_WRITE == SYS_WRITE &&
                   WEIR_IO_CREATE == SYS_CREATE && WEIR_IO_EXCLUSIVE == SYS_EXCLUSIVE &&
                   WEIR_IO_TRUNCATE == SYS_TRUNCATE && WEIR_IO_FILE == SYS_FILE &&
                   WEIR_IO_DIRECTORY == SYS_DIRECTORY && WEIR_IO_OTHER == SYS_OTHER &&
                   WEIR_IO_READABLE == SYS_READ && WEIR_IO_WRITABLE == SYS_WRITE,
               "io.h and sys.h share their numbers");

static void io_close(struct weir_context *context, int64_t handle)
{
    if (handle < FIRST_HANDLE || handle > INT32_MAX || !context || !context->sys) return;
    unspoil(context->sys, handle);
    sys_unwatch(context->sys, (int)(handle - FIRST_HANDLE));
    sys_close(context->sys, (int)(handle - FIRST_HANDLE));
}

static int32_t io_pread(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                        uint64_t offset, uint64_t *got, struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    *got = 0;
    int32_t result = handle_of(context, handle, "read", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    while (*got < n) {
        int64_t r = sys_pread(sys, fd, (char *)buffer + *got, n - *got, offset + *got);
        if (r == -EINTR) continue;
        if (r < 0) return fail_handle(error, r, "read", handle);
        if (r == 0) break;
        *got += (uint64_t)r;
    }
    return WEIR_OK;
}

static int32_t io_pwrite(struct weir_context *context, int64_t handle, const void *buffer,
                         uint64_t n, uint64_t offset, struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    int32_t result = handle_of(context, handle, "write", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    for (uint64_t done = 0; done < n;) {
        int64_t r = sys_pwrite(sys, fd, (const char *)buffer + done, n - done, offset + done);
        if (r == -EINTR) continue;
        if (r == 0) r = -ENOSPC; /* a write that writes nothing */
        if (r < 0) return fail_handle(error, r, "write", handle);
        done += (uint64_t)r;
    }
    return WEIR_OK;
}

static int32_t io_sync(struct weir_context *context, int64_t handle, struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    int32_t result = handle_of(context, handle, "sync", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    int r = sys_sync(sys, fd);
    if (r >= 0) return WEIR_OK;
    spoil(sys, handle);
    return fail_handle(error, r, "sync", handle);
}

static int32_t io_truncate(struct weir_context *context, int64_t handle, uint64_t length,
                           struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    int32_t result = handle_of(context, handle, "truncate", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    int r = sys_truncate(sys, fd, length);
    return r < 0 ? fail_handle(error, r, "truncate", handle) : WEIR_OK;
}

static int32_t io_sync_dir(struct weir_context *context, const char *path, struct weir_error *error)
{
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_sync_dir(sys, path);
    return r < 0 ? io_fail(error, r, "sync", path) : WEIR_OK;
}

static int32_t io_rename(struct weir_context *context, const char *from, const char *to,
                         struct weir_error *error)
{
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_rename(sys, from, to);
    return r < 0 ? io_fail(error, r, "rename", from) : WEIR_OK;
}

static int32_t io_unlink(struct weir_context *context, const char *path, struct weir_error *error)
{
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_unlink(sys, path);
    return r < 0 ? io_fail(error, r, "unlink", path) : WEIR_OK;
}

static int32_t io_mkdir(struct weir_context *context, const char *path, struct weir_error *error)
{
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_mkdirs(sys, path, 0777);
    return r < 0 ? io_fail(error, r, "mkdir", path) : WEIR_OK;
}

static void copy_stat(const struct sys_stat *from, struct weir_io_stat *out)
{
    struct weir_io_stat all = { out->size, from->kind, from->size, from->mtime_us, from->inode,
                                from->device };
    memcpy(out, &all, out->size < sizeof all ? out->size : sizeof all);
}

static int32_t io_stat(struct weir_context *context, const char *path, struct weir_io_stat *out,
                       struct weir_error *error)
{
    struct sys_stat s;
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_stat_path(sys, path, &s);
    if (r < 0) return io_fail(error, r, "stat", path);
    copy_stat(&s, out);
    return WEIR_OK;
}

static int32_t io_stat_handle(struct weir_context *context, int64_t handle,
                              struct weir_io_stat *out, struct weir_error *error)
{
    struct sys_stat s;
    struct weir_sys *sys;
    int fd;
    int32_t result = handle_of(context, handle, "stat", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    int r = sys_fstat(sys, fd, &s);
    if (r < 0) return fail_handle(error, r, "stat", handle);
    copy_stat(&s, out);
    return WEIR_OK;
}

struct list_arg {
    weir_io_entry_fn entry;
    void *arg;
    int32_t result;
};

static int list_entry(void *arg, const char *name)
{
    struct list_arg *a = arg;
    a->result = a->entry(a->arg, name);
    return a->result != WEIR_OK;
}

static int32_t io_list(struct weir_context *context, const char *path, weir_io_entry_fn entry,
                       void *arg, struct weir_error *error)
{
    struct list_arg a = { entry, arg, WEIR_OK };
    struct weir_sys *sys = sys_of(context, error);
    if (!sys) return WEIR_UNSUPPORTED;
    int r = sys_list(sys, path, list_entry, &a);
    if (a.result != WEIR_OK) return a.result;
    return r < 0 ? io_fail(error, r, "list", path) : WEIR_OK;
}

/* ---- streams ---- */

static int32_t io_listen(struct weir_context *context, const char *host, uint32_t port,
                         int64_t *handle, struct weir_error *error)
{
    char on[300];
    struct weir_sys *sys = sys_of(context, error);
    *handle = -1;
    if (!sys) return WEIR_UNSUPPORTED;
    snprintf(on, sizeof on, "%s:%u", host, port);
    int fd = sys_listen(sys, host, port);
    if (fd < 0) return io_fail(error, fd, "listen on", on);
    *handle = (int64_t)fd + FIRST_HANDLE;
    return WEIR_OK;
}

static uint32_t io_local_port(struct weir_context *context, int64_t handle)
{
    if (handle < FIRST_HANDLE || handle > INT32_MAX || !context || !context->sys) return 0;
    int port = sys_local_port(context->sys, (int)(handle - FIRST_HANDLE));
    return port > 0 ? (uint32_t)port : 0;
}

static int32_t io_connect(struct weir_context *context, const char *host, uint32_t port,
                          int64_t *handle, struct weir_error *error)
{
    char on[300];
    struct weir_sys *sys = sys_of(context, error);
    *handle = -1;
    if (!sys) return WEIR_UNSUPPORTED;
    snprintf(on, sizeof on, "%s:%u", host, port);
    int fd = sys_connect(sys, host, port);
    if (fd < 0) return io_fail(error, fd, "connect to", on);
    *handle = (int64_t)fd + FIRST_HANDLE;
    return WEIR_OK;
}

static int32_t io_accept(struct weir_context *context, int64_t listener, int64_t *handle,
                         struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    *handle = -1;
    int32_t result = handle_of(context, listener, "accept", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    int r = sys_accept(sys, fd);
    if (r == -EAGAIN) return WEIR_PENDING;
    if (r < 0) return fail_handle(error, r, "accept", listener);
    *handle = (int64_t)r + FIRST_HANDLE;
    return WEIR_OK;
}

/* After -EAGAIN: PENDING, or on a sink thread OK once it is worth trying again. */
static int32_t wait_ready(struct weir_context *context, int fd, uint32_t events, int64_t handle,
                          struct weir_error *error)
{
    if (!context->blocking) return WEIR_PENDING;
    for (;;) {
        if (context->ops->cancelled && context->ops->cancelled(context))
            return weir_fail(error, WEIR_CANCELLED, "cancelled while waiting");
        int r = sys_poll(context->sys, fd, events, SLICE_US);
        if (r > 0) return WEIR_OK;
        if (r < 0 && r != -EINTR && r != -EAGAIN && r != -ETIMEDOUT)
            return fail_handle(error, r, "wait for", handle);
    }
}

static int must_wait(int64_t r)
{
    return r == -EAGAIN || r == -EINPROGRESS || r == -EALREADY;
}

static int32_t io_recv(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                       uint64_t *got, struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    *got = 0;
    int32_t result = handle_of(context, handle, "receive", &sys, &fd, error);
    while (result == WEIR_OK) {
        int64_t r = sys_recv(sys, fd, buffer, n);
        if (r >= 0) {
            *got = (uint64_t)r;
            return WEIR_OK;
        }
        if (must_wait(r)) result = wait_ready(context, fd, SYS_READ, handle, error);
        else if (r != -EINTR) result = fail_handle(error, r, "receive", handle);
    }
    return result;
}

static int32_t io_send(struct weir_context *context, int64_t handle, const void *buffer, uint64_t n,
                       uint64_t *sent, struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    *sent = 0;
    int32_t result = handle_of(context, handle, "send", &sys, &fd, error);
    while (result == WEIR_OK && *sent < n) {
        int64_t r = sys_send(sys, fd, (const char *)buffer + *sent, n - *sent);
        if (r >= 0) {
            *sent += (uint64_t)r;
            if (!context->blocking) break;
        } else if (must_wait(r)) {
            result = wait_ready(context, fd, SYS_WRITE, handle, error);
        } else if (r != -EINTR) {
            result = fail_handle(error, r, "send", handle);
        }
    }
    return result;
}

static void watch_ready(void *arg)
{
    struct weir_context *context = arg;
    if (context->ops && context->ops->wake) context->ops->wake(context);
}

static int32_t io_watch(struct weir_context *context, int64_t handle, uint32_t events,
                        struct weir_error *error)
{
    struct weir_sys *sys;
    int fd;
    int32_t result = handle_of(context, handle, "watch", &sys, &fd, error);
    if (result != WEIR_OK) return result;
    int r = sys_watch(sys, fd, events & (SYS_READ | SYS_WRITE), watch_ready, context);
    return r < 0 ? fail_handle(error, r, "watch", handle) : WEIR_OK;
}

static void io_random(struct weir_context *context, void *buffer, uint64_t n)
{
    if (context && context->sys) sys_random(context->sys, buffer, n);
    else memset(buffer, 0, n);
}

const struct weir_io weir_io_1 = {
    .size = sizeof weir_io_1,
    .open = io_open,
    .close = io_close,
    .pread = io_pread,
    .pwrite = io_pwrite,
    .sync = io_sync,
    .sync_dir = io_sync_dir,
    .truncate = io_truncate,
    .rename = io_rename,
    .unlink = io_unlink,
    .mkdir = io_mkdir,
    .stat = io_stat,
    .stat_handle = io_stat_handle,
    .list = io_list,
    .listen = io_listen,
    .local_port = io_local_port,
    .connect = io_connect,
    .accept = io_accept,
    .recv = io_recv,
    .send = io_send,
    .watch = io_watch,
    .random = io_random,
};
