/*
 * lock.c - DIR/lock.
 *
 * Three blocks of 512 bytes, of which the first bytes are used (little-endian):
 *
 *   fence, at 0             "weirlock"  u64 generation  u64 token  u32 0
 *                           u32 CRC-32C of the 28 bytes before
 *   pointers, at 512, 1024  "weirneed"  u64 serial
 *                           u32 x 5 first file needed of log, state, spool, output, dead
 *                           u32 0  u32 CRC-32C of the 40 bytes before
 *
 * 1. The OFD lock keeps a second process out. Where it can't (a file system without locks, a
 *    lock file removed by hand) the fence does: each opening raises the generation durably
 *    before it writes anything else, and each sync begins with reading the fence again *by
 *    name*. Who finds another generation or token has lost the checkpoint and stops.
 * 2. The generation is in every record, and greater than in all records before this opening; so
 *    if the lock file was lost, the records say what to raise.
 * 3. Pointers are written in turn to the two blocks, each time with the next serial; the
 *    greatest valid serial counts. They are synced before any file below them is removed: a file
 *    at or above its pointer must exist. Being overwritten in place they need no room on a full
 *    disk.
 * 4. Where one block of pointers is damaged, what counts may be older than what was written
 *    last. Then `certain` is 0 and the least file that exists is taken for the first one.
 */
#include "core/log/lock.h"

#include "core/data/block.h"
#include "core/sys/planted.h"

#include <errno.h>

#define BLOCK 512u
#define LOCK_BYTES (3 * BLOCK)
#define FENCE_BYTES 32u
#define NEED_BYTES 44u

static int block_blank(const uint8_t *block)
{
    uint32_t i;

    for (i = 0; i < BLOCK; i++)
        if (block[i])
            return 0;
    return 1;
}

static int fence_get(const uint8_t *block, uint64_t *generation, uint64_t *token)
{
    if (memcmp(block, "weirlock", 8) != 0 || get_u32(block + 28) != crc32c(0, block, 28))
        return 0;
    *generation = get_u64(block + 8);
    *token = get_u64(block + 16);
    return 1;
}

static void fence_put(uint8_t block[BLOCK], uint64_t generation, uint64_t token)
{
    memset(block, 0, BLOCK);
    memcpy(block, "weirlock", 8);
    put_u64(block + 8, generation);
    put_u64(block + 16, token);
    put_u32(block + 28, crc32c(0, block, 28));
}

static int need_get(const uint8_t *block, uint64_t *serial, struct need *need)
{
    uint32_t i;

    if (memcmp(block, "weirneed", 8) != 0 || get_u32(block + 40) != crc32c(0, block, 40))
        return 0;
    *serial = get_u64(block + 8);
    for (i = 0; i < FAMILIES; i++)
        need->first[i] = get_u32(block + 16 + (size_t)i * 4);
    return 1;
}

static void need_put(uint8_t block[BLOCK], uint64_t serial, const struct need *need)
{
    uint32_t i;

    memset(block, 0, BLOCK);
    memcpy(block, "weirneed", 8);
    put_u64(block + 8, serial);
    for (i = 0; i < FAMILIES; i++)
        put_u32(block + 16 + (size_t)i * 4, need->first[i]);
    put_u32(block + 40, crc32c(0, block, 40));
}

static int32_t lock_read(const struct log_dir *dir, struct lock *lock, struct weir_error *error)
{
    uint8_t bytes[LOCK_BYTES] = {0};
    struct need need[2];
    uint64_t serial[2];
    int valid[2], i;
    int64_t n = file_read(dir->sys, lock->fd, bytes, sizeof bytes, 0);

    if (n < 0)
        return file_fail(error, n, "read", "lock");
    fence_get(bytes, &lock->generation, &lock->token);
    for (i = 0; i < 2; i++) {
        valid[i] = need_get(bytes + BLOCK * (size_t)(i + 1), &serial[i], &need[i]);
        if (valid[i] && serial[i] >= lock->serial) {
            lock->serial = serial[i];
            lock->need = need[i];
        }
    }
    /* The block that is written next may be blank only before it was written for the first time. */
    lock->certain = (valid[0] || valid[1]) &&
                    ((valid[0] && valid[1]) ||
                     (lock->serial == 1 && block_blank(bytes + (valid[0] ? 2 : 1) * BLOCK)));
    return WEIR_OK;
}

int32_t lock_take(const struct log_dir *dir, struct lock *lock, struct weir_error *error)
{
    char path[PATH_MAX_BYTES];
    struct sys_stat st;
    int32_t class;
    int rc;

    memset(lock, 0, sizeof *lock);
    dir_file(dir, "lock", path);
    lock->fd = sys_open(dir->sys, path, SYS_READ | SYS_WRITE | SYS_CREATE);
    if (lock->fd < 0)
        return file_fail(error, lock->fd, "open", path);
    rc = sys_lock(dir->sys, lock->fd);
    if (rc == -EAGAIN || rc == -EACCES)
        class = weir_fail(error, WEIR_RETRY, "%.300s: another process uses this checkpoint", path);
    else if (rc < 0)
        class = file_fail(error, rc, "lock", path);
    else if ((rc = sys_fstat(dir->sys, lock->fd, &st)) < 0)
        class = file_fail(error, rc, "stat", path);
    else
        class = lock_read(dir, lock, error);
    if (class != WEIR_OK)
        lock_drop(dir, lock);
    else
        lock->fresh = st.size == 0;
    return class;
}

int32_t lock_look(const struct log_dir *dir, struct lock *lock, struct weir_error *error)
{
    char path[PATH_MAX_BYTES];
    int32_t class;

    memset(lock, 0, sizeof *lock);
    dir_file(dir, "lock", path);
    lock->fd = sys_open(dir->sys, path, SYS_READ);
    if (lock->fd == -ENOENT)
        return WEIR_OK;
    if (lock->fd < 0)
        return file_fail(error, lock->fd, "open", path);
    class = lock_read(dir, lock, error);
    lock_drop(dir, lock);
    return class;
}

void lock_drop(const struct log_dir *dir, struct lock *lock)
{
    if (lock->fd >= 0 && dir->sys)
        sys_close(dir->sys, lock->fd);
    lock->fd = -1;
}

int32_t lock_raise(const struct log_dir *dir, struct lock *lock, uint64_t least,
                   struct weir_error *error)
{
    uint8_t block[BLOCK];
    uint64_t generation = lock->generation > least ? lock->generation : least;
    uint64_t token;
    int rc;

    sys_random(dir->sys, &token, sizeof token);
    generation++;
    fence_put(block, generation, token);
    rc = file_write(dir->sys, lock->fd, block, sizeof block, 0);
    if (rc < 0)
        return file_fail(error, rc, "write", "lock");
    rc = sys_sync(dir->sys, lock->fd);
    if (rc < 0)
        return file_final(error, rc, "sync", "lock");
    lock->generation = generation;
    lock->token = token;
    if (lock->fresh) {
        int32_t class = dir_sync(dir, error);

        if (class != WEIR_OK)
            return class;
        lock->fresh = 0;
    }
    return WEIR_OK;
}

int32_t lock_check(const struct log_dir *dir, const struct lock *lock, struct weir_error *error)
{
    char path[PATH_MAX_BYTES];
    uint8_t block[FENCE_BYTES] = {0};
    uint64_t generation = 0, token = 0;
    int64_t n;
    int fd;

    if (planted(PLANTED_LOG_NO_FENCE))
        return WEIR_OK;
    dir_file(dir, "lock", path);
    fd = sys_open(dir->sys, path, SYS_READ);
    if (fd < 0)
        return file_fail(error, fd, "open", path);
    n = file_read(dir->sys, fd, block, sizeof block, 0);
    sys_close(dir->sys, fd);
    if (n < 0)
        return file_fail(error, n, "read", path);
    if (!fence_get(block, &generation, &token) || generation != lock->generation ||
        token != lock->token)
        return weir_fail(error, WEIR_FATAL,
                         "%.300s: another process has taken over this checkpoint (fence %llu, "
                         "own %llu)", path, (unsigned long long)generation,
                         (unsigned long long)lock->generation);
    return WEIR_OK;
}

int32_t lock_point(const struct log_dir *dir, struct lock *lock, const struct need *need,
                   struct weir_error *error)
{
    uint8_t block[BLOCK];
    uint64_t serial = lock->serial + 1;
    int rc;

    need_put(block, serial, need);
    rc = file_write(dir->sys, lock->fd, block, sizeof block, BLOCK * (1 + (serial & 1)));
    if (rc < 0)
        return file_fail(error, rc, "write", "lock");
    rc = sys_sync(dir->sys, lock->fd);
    if (rc < 0)
        return file_final(error, rc, "sync", "lock");
    lock->serial = serial;
    lock->need = *need;
    return WEIR_OK;
}
