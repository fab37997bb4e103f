/*
 * lock.h - DIR/lock: one process per checkpoint, and the pointers to what is still needed.
 * Inside the log only.
 */
#ifndef WEIR_CORE_LOG_LOCK_H
#define WEIR_CORE_LOG_LOCK_H

#include "core/log/file.h"

/* The first file of each family that is needed; 0: unknown. */
struct need {
    uint32_t first[FAMILIES];
};

struct lock {
    int fd;
    int fresh; /* the file was made now */
    uint64_t generation;
    uint64_t token;
    uint64_t serial; /* of the newest pointers */
    struct need need;
    int certain; /* `need` is what was written last; 0: at least that */
};

/* Takes the lock and reads the file, which is made if missing. RETRY: another process has it. */
int32_t lock_take(const struct log_dir *dir, struct lock *lock, struct weir_error *error);
/* Reads the file without the lock; a missing one leaves everything unknown. */
int32_t lock_look(const struct log_dir *dir, struct lock *lock, struct weir_error *error);
void lock_drop(const struct log_dir *dir, struct lock *lock);

/* Raises the generation above the present one and `least`, durably. */
int32_t lock_raise(const struct log_dir *dir, struct lock *lock, uint64_t least,
                   struct weir_error *error);
/* FATAL if another process has raised it since. */
int32_t lock_check(const struct log_dir *dir, const struct lock *lock, struct weir_error *error);
/* Writes new pointers, durably. */
int32_t lock_point(const struct log_dir *dir, struct lock *lock, const struct need *need,
                   struct weir_error *error);

#endif
