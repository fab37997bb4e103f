/*
 * weir/io.h - weir.io/1: files, sockets, clock and chance, through the host.
 *
 * A plugin that uses these reaches the same files, clock and faults that tests control, so it can
 * be run on a simulated disk. Results are classes; errno is in error.code. ENOSPC, EDQUOT, EAGAIN,
 * EMFILE, ENFILE, ECONNREFUSED and the like give RETRY, what can't heal gives FATAL. A handle on
 * which sync failed is final: every later call on it fails.
 */
#ifndef WEIR_IO_H
#define WEIR_IO_H

#include <weir/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_IO_ID "weir.io/1"

#define WEIR_IO_READ 1u
#define WEIR_IO_WRITE 2u
#define WEIR_IO_CREATE 4u
#define WEIR_IO_EXCLUSIVE 8u
#define WEIR_IO_TRUNCATE 16u

#define WEIR_IO_FILE 1u
#define WEIR_IO_DIRECTORY 2u
#define WEIR_IO_OTHER 3u

#define WEIR_IO_STDIN 0
#define WEIR_IO_STDOUT 1

#define WEIR_IO_READABLE 1u
#define WEIR_IO_WRITABLE 2u

struct weir_io_stat {
    uint32_t size;
    uint32_t kind; /* WEIR_IO_FILE … */
    uint64_t length;
    int64_t mtime_us;
    uint64_t inode;
    uint64_t device;
};

/* Purpose: takes one entry of a listing.
 * Thread and state: the thread of `list`, inside it.
 * Ownership: `arg` is the caller's; name is borrowed during the call.
 * Returns: OK to go on; any other class ends the listing.
 * On failure: list returns the class, with `error` as it is. */
typedef int32_t (*weir_io_entry_fn)(void *arg, const char *name);

struct weir_io {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: opens a file; WEIR_IO_READ … WEIR_IO_TRUNCATE in `flags`.
     * Thread and state: [any], inside a call of the host; not in a check. A handle by one thread at
     *   a time.
     * Ownership: path is borrowed; *handle is the caller's until close.
     * Returns: OK; RETRY; FATAL; UNSUPPORTED with ENOENT where there is no such path, or without
     *   errno in a check, which does no I/O.
     * On failure: *handle is -1; error.code has errno, error.text what was tried, the path and
     *   the reason. */
    int32_t (*open)(struct weir_context *context, const char *path, uint32_t flags, int64_t *handle,
                    struct weir_error *error);

    /* Purpose: closes a handle of any kind, watched ones too. Negative ones and standard input and
     *   output are left alone.
     * Thread and state: as open.
     * Ownership: the handle is invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail; what must be durable was synced before. */
    void (*close)(struct weir_context *context, int64_t handle);

    /* Purpose: reads n bytes at an offset in bytes.
     * Thread and state: as open.
     * Ownership: the buffer is borrowed.
     * Returns: OK, with *got < n only at the end of the file; RETRY; FATAL.
     * On failure: error as open's; *got bytes were read before it. */
    int32_t (*pread)(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                     uint64_t offset, uint64_t *got, struct weir_error *error);

    /* Purpose: writes all n bytes at an offset in bytes.
     * Thread and state: as open.
     * Ownership: the buffer is borrowed.
     * Returns: OK; RETRY (no room); FATAL.
     * On failure: error as open's; the first of the bytes may be written. */
    int32_t (*pwrite)(struct weir_context *context, int64_t handle, const void *buffer, uint64_t n,
                      uint64_t offset, struct weir_error *error);

    /* Purpose: makes data and length of the file durable.
     * Thread and state: as open; takes as long as the disk does.
     * Ownership: none.
     * Returns: OK; RETRY; FATAL.
     * On failure: error as open's. Nobody knows what is durable: every later call on the handle
     *   but close gives FATAL with EIO, also where this one gave RETRY. Open the file anew and
     *   write again. */
    int32_t (*sync)(struct weir_context *context, int64_t handle, struct weir_error *error);

    /* Purpose: makes the entries of a directory durable: files made, renamed and removed in it.
     * Thread and state: as open; takes as long as the disk does.
     * Ownership: path is borrowed.
     * Returns, failure: as open; no handle is made. */
    int32_t (*sync_dir)(struct weir_context *context, const char *path, struct weir_error *error);

    /* Purpose: cuts a file at `length` bytes, or extends it with zeros.
     * Thread and state: as open.
     * Ownership: none.
     * Returns: OK; RETRY; FATAL.
     * On failure: error as open's. */
    int32_t (*truncate)(struct weir_context *context, int64_t handle, uint64_t length,
                        struct weir_error *error);

    /* Purpose: gives a file another name in the same file system, replacing what has it.
     * Ownership: both paths are borrowed.
     * Thread, returns, failure: as sync_dir; the path in the text is `from`. */
    int32_t (*rename)(struct weir_context *context, const char *from, const char *to,
                      struct weir_error *error);

    /* Purpose: removes a file.
     * Thread, ownership, returns, failure: as sync_dir; UNSUPPORTED with ENOENT if there is
     *   none. */
    int32_t (*unlink)(struct weir_context *context, const char *path, struct weir_error *error);

    /* Purpose: makes a directory and its parents; OK if it is there.
     * Thread, ownership, returns, failure: as sync_dir. */
    int32_t (*mkdir)(struct weir_context *context, const char *path, struct weir_error *error);

    /* Purpose: what a path is, symbolic links followed.
     * Thread and state: as open.
     * Ownership: path is borrowed; `out` is the caller's, size set.
     * Returns, failure: as sync_dir; `out` is untouched. */
    int32_t (*stat)(struct weir_context *context, const char *path, struct weir_io_stat *out,
                    struct weir_error *error);

    /* Purpose: what the file of a handle is.
     * Thread and state: as open.
     * Ownership: `out` is the caller's, size set.
     * Returns: OK; RETRY; FATAL.
     * On failure: error as open's; `out` is untouched. */
    int32_t (*stat_handle)(struct weir_context *context, int64_t handle, struct weir_io_stat *out,
                           struct weir_error *error);

    /* Purpose: calls `entry` for each name in a directory, sorted, without "." and "..".
     * Thread and state: as open; `entry` runs inside.
     * Ownership: path is borrowed; `arg` is passed on.
     * Returns, failure: as sync_dir; and the class of `entry`, with `error` as that left it. */
    int32_t (*list)(struct weir_context *context, const char *path, weir_io_entry_fn entry,
                    void *arg, struct weir_error *error);

    /* ---- streams: sockets, standard input and output; never block but on [sink] threads ---- */

    /* Purpose: listens on TCP; port 0 picks one, see local_port.
     * Thread and state: as open.
     * Ownership: host (name or address) is borrowed; *handle is the caller's until close.
     * Returns: OK; RETRY (the port is taken); FATAL; UNSUPPORTED in a check.
     * On failure: *handle is -1; error as open's, with host:port for the path. */
    int32_t (*listen)(struct weir_context *context, const char *host, uint32_t port,
                      int64_t *handle, struct weir_error *error);

    /* Purpose: the port of a listening handle.
     * Thread and state: as open.
     * Ownership: none.
     * Returns: it; 0 for other handles.
     * On failure: can't fail. */
    uint32_t (*local_port)(struct weir_context *context, int64_t handle);

    /* Purpose: begins to connect over TCP; the handle is writable once connected. That it can't be
     *   may show only in the first send or recv.
     * Thread, ownership, returns, failure: as listen. */
    int32_t (*connect)(struct weir_context *context, const char *host, uint32_t port,
                       int64_t *handle, struct weir_error *error);

    /* Purpose: takes a connection.
     * Thread and state: as open; never waits.
     * Ownership: *handle is the caller's until close.
     * Returns: OK; PENDING if there is none; RETRY; FATAL.
     * On failure: *handle is -1, also with PENDING; error as open's. */
    int32_t (*accept)(struct weir_context *context, int64_t listener, int64_t *handle,
                      struct weir_error *error);

    /* Purpose: reads up to n bytes of what is there.
     * Thread and state: as open; waits for the first byte on [sink] threads only.
     * Ownership: the buffer is borrowed.
     * Returns: OK, with *got 0 at the end; PENDING if nothing is there; RETRY; FATAL; CANCELLED
     *   while waiting.
     * On failure: *got is 0; error as open's. */
    int32_t (*recv)(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                    uint64_t *got, struct weir_error *error);

    /* Purpose: writes what fits, on [sink] threads all n bytes.
     * Thread and state: as open; waits on [sink] threads only.
     * Ownership: the buffer is borrowed.
     * Returns: OK, with *sent the bytes taken; PENDING if nothing fits; RETRY; FATAL; CANCELLED
     *   while waiting.
     * On failure: *sent bytes were taken before it; error as open's. */
    int32_t (*send)(struct weir_context *context, int64_t handle, const void *buffer, uint64_t n,
                    uint64_t *sent, struct weir_error *error);

    /* Purpose: one wake-up of the instance when the handle is ready for one of `events`; call again
     *   for the next.
     * Thread and state: as open.
     * Ownership: none; close ends it.
     * Returns: OK; RETRY; FATAL.
     * On failure: error as open's; no wake-up follows. */
    int32_t (*watch)(struct weir_context *context, int64_t handle, uint32_t events,
                     struct weir_error *error);

    /* ---- chance ---- */

    /* Purpose: n bytes of chance; for names and nonces, never for rows. Zeros in a check.
     * Thread and state: as open.
     * Ownership: the buffer is borrowed.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*random)(struct weir_context *context, void *buffer, uint64_t n);
};

#ifdef __cplusplus
}
#endif
#endif
