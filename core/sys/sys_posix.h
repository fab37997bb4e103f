/*
 * sys_posix.h - the parts of the real sys that need no loop: files (sys_file.c) and streams
 * (sys_stream.c). The signatures are those of struct weir_sys_ops. Inside core/sys only.
 */
#ifndef WEIR_CORE_SYS_POSIX_H
#define WEIR_CORE_SYS_POSIX_H

#include "core/sys/sys.h"

#include <pthread.h>

int posix_open(struct weir_sys *sys, const char *path, uint32_t flags);
int64_t posix_pread(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset);
int64_t posix_pwrite(struct weir_sys *sys, int fd, const void *buffer, size_t n, uint64_t offset);
int posix_sync(struct weir_sys *sys, int fd);
int posix_sync_dir(struct weir_sys *sys, const char *path);
int posix_truncate(struct weir_sys *sys, int fd, uint64_t size);
int posix_rename(struct weir_sys *sys, const char *from, const char *to);
int posix_unlink(struct weir_sys *sys, const char *path);
int posix_mkdir(struct weir_sys *sys, const char *path, uint32_t mode);
int posix_rmdir(struct weir_sys *sys, const char *path);
int posix_stat(struct weir_sys *sys, const char *path, struct sys_stat *out);
int posix_fstat(struct weir_sys *sys, int fd, struct sys_stat *out);
int posix_list(struct weir_sys *sys, const char *path, sys_entry_fn entry, void *arg);
int posix_lock(struct weir_sys *sys, int fd);

/* What streams keep. */
struct streams {
    pthread_mutex_t lock; /* reserve */
    int reserve;          /* given up for a moment where descriptors ran out */
    _Atomic int in;       /* descriptor used for standard input, -1: not yet */
    int in_flags;         /* to restore, -1: nothing */
    int out_kind[3];      /* how standard output and error are written */
};

struct streams *real_streams(struct weir_sys *sys);

int streams_init(struct streams *streams);
void streams_fini(struct streams *streams);
int posix_listen(struct weir_sys *sys, const char *host, uint32_t port);
int posix_local_port(struct weir_sys *sys, int fd);
int posix_connect(struct weir_sys *sys, const char *host, uint32_t port);
int posix_accept(struct weir_sys *sys, int fd);
int64_t posix_recv(struct weir_sys *sys, int fd, void *buffer, size_t n);
int64_t posix_send(struct weir_sys *sys, int fd, const void *buffer, size_t n);
int posix_poll(struct weir_sys *sys, int fd, uint32_t events, int64_t timeout_us);
int posix_standard(struct weir_sys *sys, int number);

#endif
