/*
 * replay.h - reading all segments in order, and telling a torn tail from damage. Inside the log
 * only.
 */
#ifndef WEIR_CORE_LOG_REPLAY_H
#define WEIR_CORE_LOG_REPLAY_H

#include "core/log/identity.h"
#include "core/log/lock.h"
#include "core/log/segment.h"

struct segment_info {
    uint32_t number;
    uint64_t first_sequence;
};

struct replay {
    const struct log_dir *dir;
    const struct identity *identity;
    const struct listing *listing;
    struct need need; /* in: pointers; out: with unknown ones filled in */
    int certain;
    log_record_fn fn;
    void *arg;

    /* Results; `segments` is mem_alloc'ed and belongs to the caller. */
    struct segment_info *segments;
    uint32_t n_segments;
    uint64_t records;    /* shown to fn */
    uint64_t sequence;   /* of the last valid record */
    uint64_t generation; /* of the last valid record */
    uint64_t previous;   /* length of the segment before the last */
    struct position end; /* behind the last valid record */
    const char *why;     /* NULL, or what is wrong at `end` */
    uint64_t behind;     /* bytes behind `end` in its segment */
    int damaged;         /* 1: not a torn tail */
    int missing;         /* 1: the segment at `end` is not there at all */
};

/* OK; DATA: damage, place and reason in the results; CONFIG: newer format; else what fn
 * returned. */
int32_t replay_run(struct replay *replay, struct weir_error *error);

#endif
