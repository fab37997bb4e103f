/*
 * planted.h - bugs planted on purpose, to prove that the crash sweeps would find such a bug.
 *
 * In a build without WEIR_PLANTED_BUGS `planted` is the constant 0 and nothing is left of it. In a test
 * build the test defines `weir_planted_bug` and sets it to one of these numbers (0: no bug).
 */
#ifndef WEIR_CORE_PLANTED_H
#define WEIR_CORE_PLANTED_H

enum planted_bug {
    PLANTED_NONE = 0,

    PLANTED_LOG_SEGMENT_SYNC = 1,  /* a segment is not synced */
    PLANTED_LOG_EXTENT_SYNC = 2,   /* extent files are not synced */
    PLANTED_LOG_EXTENT_ORDER = 3,  /* the record is written before its extents are synced */
    PLANTED_LOG_SEGMENT_DIR = 4,   /* the directory is not synced after a new segment */
    PLANTED_LOG_EXTENT_DIR = 5,    /* nor after a new extent file */
    PLANTED_LOG_NO_CUT = 6,        /* a torn tail stays, records are appended behind it */
    PLANTED_LOG_CUT_SYNC = 7,      /* the tail found at a start is used without a sync */
    PLANTED_LOG_NO_FENCE = 8,      /* the fence is not looked at */
    PLANTED_LOG_NO_CRC = 9,        /* checksums are not looked at */
    PLANTED_LOG_UNLINK_EARLY = 10, /* files go before the pointer to the first one is durable */
    PLANTED_LOG_DURABLE_HIGH = 11, /* records name as durable what their own sync will write */
    PLANTED_LOG_IDENTITY = 12,         /* weir.json is renamed before it is synced */

    PLANTED_LAST
};

#ifdef WEIR_PLANTED_BUGS
extern unsigned long weir_planted_bug;
#define planted(bug) (weir_planted_bug == (unsigned long)(bug))
#else
#define planted(bug) 0
#endif

#endif
