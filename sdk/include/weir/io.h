/*
 * weir/io.h - weir.io/1: files, sockets, clock and chance, through the host.
 *
 * A plugin that uses these reaches the same files, clock and faults that tests control, so it can be
 * run on a simulated disk. Results are classes; errno is in error.code. ENOSPC, EDQUOT, EAGAIN,
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

/* One entry of a listing; return other than OK ends the listing with that class. */
typedef int32_t (*weir_io_entry_fn)(void *arg, const char *name);

struct weir_io {
    uint32_t size;
    uint32_t reserved;

    /* All functions: the contract where a line says nothing else is
     * Thread and state: [any] thread of a call of the host; a handle by one thread at a time.
     * Ownership: everything is borrowed during the call.
     * Returns: OK, RETRY, FATAL or, where noted, PENDING; UNSUPPORTED with ENOENT for missing paths.
     * On failure: error.code has errno, error.text path and reason. */

    /* Purpose: opens a file; *handle is valid until close. */
    int32_t (*open)(struct weir_context *context, const char *path, uint32_t flags, int64_t *handle,
                    struct weir_error *error);
    /* Purpose: closes a handle of any kind; negative handles are ignored. Returns nothing. */
    void (*close)(struct weir_context *context, int64_t handle);
    /* Purpose: reads at an offset; *got less than n only at the end of the file. */
    int32_t (*pread)(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                     uint64_t offset, uint64_t *got, struct weir_error *error);
    /* Purpose: writes all n bytes at an offset. */
    int32_t (*pwrite)(struct weir_context *context, int64_t handle, const void *buffer, uint64_t n,
                      uint64_t offset, struct weir_error *error);
    /* Purpose: makes data and length of the file durable. */
    int32_t (*sync)(struct weir_context *context, int64_t handle, struct weir_error *error);
    /* Purpose: makes the entries of a directory durable. */
    int32_t (*sync_dir)(struct weir_context *context, const char *path, struct weir_error *error);
    /* Purpose: cuts or extends a file. */
    int32_t (*truncate)(struct weir_context *context, int64_t handle, uint64_t length,
                        struct weir_error *error);
    /* Purpose: gives a file another name in the same file system, replacing what has it. */
    int32_t (*rename)(struct weir_context *context, const char *from, const char *to,
                      struct weir_error *error);
    /* Purpose: removes a file; UNSUPPORTED (ENOENT) if there is none. */
    int32_t (*unlink)(struct weir_context *context, const char *path, struct weir_error *error);
    /* Purpose: makes a directory and its parents; OK if it is there. */
    int32_t (*mkdir)(struct weir_context *context, const char *path, struct weir_error *error);
    /* Purpose: what a path (symbolic links followed) or a handle is. */
    int32_t (*stat)(struct weir_context *context, const char *path, struct weir_io_stat *out,
                    struct weir_error *error);
    int32_t (*stat_handle)(struct weir_context *context, int64_t handle, struct weir_io_stat *out,
                           struct weir_error *error);
    /* Purpose: calls `entry` for each name in a directory, sorted, without "." and "..". */
    int32_t (*list)(struct weir_context *context, const char *path, weir_io_entry_fn entry,
                    void *arg, struct weir_error *error);

    /* ---- streams: sockets, standard input and output; never block but on [sink] threads ---- */

    /* Purpose: listens on TCP; port 0 picks one, see local_port. */
    int32_t (*listen)(struct weir_context *context, const char *host, uint32_t port,
                      int64_t *handle, struct weir_error *error);
    /* Purpose: the port of a listening handle. Returns it, 0 for other handles. */
    uint32_t (*local_port)(struct weir_context *context, int64_t handle);
    /* Purpose: begins to connect over TCP; the handle is writable once connected. */
    int32_t (*connect)(struct weir_context *context, const char *host, uint32_t port,
                       int64_t *handle, struct weir_error *error);
    /* Purpose: takes a connection; PENDING if there is none. */
    int32_t (*accept)(struct weir_context *context, int64_t listener, int64_t *handle,
                      struct weir_error *error);
    /* Purpose: reads what is there; PENDING if nothing is; *got 0 with OK at the end. On a [sink]
     *   thread it waits. */
    int32_t (*recv)(struct weir_context *context, int64_t handle, void *buffer, uint64_t n,
                    uint64_t *got, struct weir_error *error);
    /* Purpose: writes what fits; PENDING if nothing does. On a [sink] thread it writes all. */
    int32_t (*send)(struct weir_context *context, int64_t handle, const void *buffer, uint64_t n,
                    uint64_t *sent, struct weir_error *error);
    /* Purpose: one wake-up of the instance when the handle is ready; again for the next one. */
    int32_t (*watch)(struct weir_context *context, int64_t handle, uint32_t events,
                     struct weir_error *error);

    /* ---- chance ---- */

    /* Purpose: n bytes of chance; for names and nonces, never for rows. Returns nothing. */
    void (*random)(struct weir_context *context, void *buffer, uint64_t n);
};

#ifdef __cplusplus
}
#endif
#endif
